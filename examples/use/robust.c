/* How little has to change until a net errs, and what training against it gains. Four nets of one architecture:
     labels                    trained with labels
     labels, attacked          the same on images that are attacked in each step (Madry et al. 2018)
     SimCLR                    trained without labels, then a linear probe
     SimCLR, attacked          the same on attacked views (ACL, RoCL), which needs no labels either
   Accuracy over the size of the attack and under corruptions, the signs of masked gradients, and pictures.

     robust                                   on 3,000 images of examples/data
     robust --data cifar10 --images 10000 --epochs 20 --eps 0.03 */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { NETS = 4, SIZES = 5, SHOWN = 8 };
static const char *const net_name[NETS] = {"labels", "labels, attacked", "SimCLR", "SimCLR, attacked"};

static const char *const help =
    "  --eps X        largest change of a pixel in training and tests, as a share of white (default 0.1)\n"
    "  --steps N      of the attack in tests (default 10; in training 5)\n"
    "  --test-images N   how many test images are attacked (default 500)\n";

typedef struct settings { float eps; int steps, images; } settings;

static sslh_net *new_encoder(sslh_ctx *c, sslh_data train) {
    sslh_convnet_desc e = {0};
    e.channels = train.channels;
    e.widths[0] = 16, e.widths[1] = 32, e.widths[2] = 64;
    return sslh_convnet(c, e);
}

/* Net number `which` of the four, trained; all see the images as often. */
static sslh_net *train_net(sslh_ctx *c, const options *o, const settings *s, sslh_data train, int which) {
    sslh_net *encoder = new_encoder(c, train), *net = encoder;
    sslh_train_desc t = {0};
    sslh_adversarial_desc a = {{0}, 0};
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_method m;
    float loss;
    if (which < 2) {
        sslh_supervised_desc d = {0};
        net = sslh_with_head(c, encoder, train.classes);
        m = sslh_supervised(c, net, d);
    } else {
        sslh_simclr_desc d = {0};
        m = sslh_simclr(c, encoder, d);
        a.clean = 0.5f;
    }
    a.attack.eps = s->eps;
    if (which % 2) m = sslh_adversarial(c, m, a);
    t.epochs = o->epochs ? o->epochs : o->smoke ? 1 : 10;
    t.batch = o->batch ? o->batch : 128;
    t.quiet = 1;
    loss = sslh_train(c, m, train, t);
    stop_on_error(c);
    printf("%-18s  trained for %d epochs, loss %.3f\n", net_name[which], t.epochs, (double)loss);
    fflush(stdout);
    return which < 2 ? net : sslh_probe_keep(c, encoder, train, p);
}

/* Accuracy over eps; curves (NETS,SIZES). */
static void say_accuracy(sslh_ctx *c, const settings *s, sslh_net **net, sslh_data test, float curve[NETS][SIZES]) {
    sslh_attack_desc d = {0};
    int i, k;
    d.steps = s->steps;
    printf("\naccuracy under PGD, %d steps, on %d test images\n%-18s", s->steps, (int)test.count, "eps");
    for (k = 0; k < SIZES; k++) printf("  %6.3f", (double)s->eps * k / (SIZES - 1));
    printf("\n");
    for (i = 0; i < NETS; i++) {
        printf("%-18s", net_name[i]);
        for (k = 0; k < SIZES; k++) {
            d.eps = sslh_or_off(s->eps * (float)k / (SIZES - 1));
            curve[i][k] = 100 * sslh_robust_accuracy(c, net[i], test, d);
            printf("  %4.1f %%", (double)curve[i][k]);
            fflush(stdout);
        }
        printf("\n");
        stop_on_error(c);
    }
}

static void say_masking(sslh_ctx *c, const settings *s, sslh_net **net, sslh_data test) {
    int i;
    printf("\nare gradients masked? eps %.3f; transfer: by the gradients of the other net with labels\n"
           "%-18s  noise    FGSM    PGD     transfer  unbounded  loss at 0, eps/2, eps, 2 eps       signs\n",
           (double)s->eps / 2, "");
    for (i = 0; i < NETS; i++) {
        sslh_attack_desc d = {0};
        sslh_masking m;
        d.eps = s->eps / 2;
        d.steps = s->steps;
        m = sslh_masking_check(c, net[i], net[i == 0], test, d);
        stop_on_error(c);
        printf("%-18s  %4.1f %%  %4.1f %%  %4.1f %%  %4.1f %%    %4.1f %%     %.2f  %.2f  %.2f  %.2f   %14d\n",
               net_name[i], 100 * (double)m.noise, 100 * (double)m.fgsm, 100 * (double)m.pgd,
               100 * (double)m.transfer, 100 * (double)m.unbounded, (double)m.loss[0], (double)m.loss[1],
               (double)m.loss[2], (double)m.loss[3], m.suspicious);
        fflush(stdout);
    }
}

static void say_corruptions(sslh_ctx *c, sslh_net **net, sslh_data test) {
    int i, k, strength;
    printf("\naccuracy under corruptions, mean of the strengths 1 to 5\n%-18s", "");
    for (i = 0; i < NETS; i++) printf("  %16s", net_name[i]);
    printf("\n");
    for (k = 0; k < SSLH_CORRUPTIONS; k++) {
        printf("%-18s", sslh_corruption_name(k));
        for (i = 0; i < NETS; i++) {
            double sum = 0;
            for (strength = 1; strength <= 5; strength++)
                sum += 20 * (double)sslh_corrupted_accuracy(c, net[i], test, k, strength);
            printf("  %14.1f %%", sum);
            fflush(stdout);
        }
        printf("\n");
        stop_on_error(c);
    }
}

/* Some images, what the attack adds (grey: nothing; black or white: eps), and what comes out, for two nets. */
static void draw_attacks(sslh_ctx *c, const options *o, const settings *s, sslh_net **net, sslh_data test) {
    static const char *const rows[5] = {"original", "labels: added", "labels: attacked", "attacked: added",
                                        "attacked: attacked"};
    char path[1024];
    sslh_tensor *row[5], *y;
    sslh_attack_desc d = {0};
    sslh_loader_desc ld = {0};
    sslh_batch b;
    int i;
    ld.batch = SHOWN;
    ld.in_order = 1;
    d.eps = s->eps;
    d.steps = s->steps;
    if (!sslh_next_batch(sslh_loader_new(c, test, ld), &b)) return;
    row[0] = sslh_batch_images(c, b);
    y = sslh_batch_labels(c, b);
    for (i = 0; i < 2; i++) {
        row[2 + 2 * i] = sslh_attack(c, net[i], row[0], y, d);
        row[1 + 2 * i] = sslh_shift(c, sslh_scale(c, sslh_sub(c, row[2 + 2 * i], row[0]), 0.5f / s->eps), 0.5f);
    }
    picture_rows(c, out_path(o, path, sizeof path, "robust_attacks.png"), row, 5, rows, "PGD against two nets");
}

/* One image under every corruption: a row for each, strengths from left to right. */
static void draw_corruptions(sslh_ctx *c, const options *o, sslh_data test) {
    static const char *const heads[6] = {"original", "strength 1 to 5"};
    const char *rows[SSLH_CORRUPTIONS];
    char path[1024];
    sslh_tensor *cell[6 * SSLH_CORRUPTIONS];
    sslh_grid_desc g = {0};
    sslh_loader_desc ld = {0};
    sslh_batch b;
    int k, strength;
    ld.batch = 1;
    ld.in_order = 1;
    if (!sslh_next_batch(sslh_loader_new(c, test, ld), &b)) return;
    for (k = 0; k < SSLH_CORRUPTIONS; k++) {
        rows[k] = sslh_corruption_name(k);
        cell[6 * k] = sslh_batch_images(c, b);
        for (strength = 1; strength <= 5; strength++)
            cell[6 * k + strength] = sslh_corrupt(c, cell[6 * k], k, strength, 1);
    }
    g.columns = 6;
    g.originals = 1;
    g.rows = rows;
    g.heads = heads;
    sslh_picture_grid_ex(c, out_path(o, path, sizeof path, "robust_corruptions.png"),
                         sslh_concat(c, cell, 6 * SSLH_CORRUPTIONS, 0), g);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "Attacks on four nets, corruptions, and training against them.", help);
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *net[NETS];
    sslh_plot_desc plot = {0};
    float curve[NETS][SIZES];
    char path[1024];
    settings s = {0.1f, 10, 500};
    int i;
    const own_option own[] = {{"--eps", OPTION_SHARE, &s.eps}, {"--steps", OPTION_COUNT, &s.steps},
                              {"--test-images", OPTION_COUNT, &s.images}, {0}};
    options_own(own, argc, argv);
    if (!o.images) o.images = o.smoke ? 300 : 3000;
    options_load(c, &o, &train, &test);
    if (!train.labels || !test.labels)
        sslh_fail(c, SSLH_E_USAGE, "--data: attacks are measured with labels, these images have none");
    stop_on_error(c);
    if (o.smoke) s.steps = 2, s.images = 64;
    test = some_of(test, s.images, o.seed);
    for (i = 0; i < NETS; i++) net[i] = train_net(c, &o, &s, train, i);
    stop_on_error(c);
    say_accuracy(c, &s, net, test, curve);
    say_masking(c, &s, net, test);
    say_corruptions(c, net, test);
    draw_attacks(c, &o, &s, net, test);
    draw_corruptions(c, &o, test);
    plot.title = "Accuracy under PGD";
    plot.x = "eps from 0 (1) to the largest (5)";
    plot.y = "% of test images";
    plot.names = net_name;
    sslh_picture_curves_ex(c, out_path(&o, path, sizeof path, "robust_accuracy.png"), &curve[0][0], NETS, SIZES, plot);
    if (!sslh_error(c)) printf("\npictures in %s: robust_attacks, robust_corruptions, robust_accuracy\n", o.out);
    return finish(c);
}
