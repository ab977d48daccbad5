/* Generative adversarial nets: draws images made from noise, during training and on the way between two noise vectors;
   prints how far they are from real ones, in the space of an encoder of our own, and a probe of the discriminator. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <math.h>

enum { SHOWN = 10, ROWS = 5, JUDGED = 2000, PROBED = 5000 };

/* What the callback keeps: the same noises after 1, 2, 4 .. epochs and after the last, which takes the place of the
   latest when there are enough. */
typedef struct progress {
    sslh_tensor *sheet; /* (SHOWN (1 + ROWS),H,W,C), made before the training, at whose end what it made goes */
    char name[ROWS + 1][16];
    int rows, epochs;
    float minutes; /* stop then; 0: never */
} progress;
static void row_put(progress *p, const sslh_tensor *x) {
    if (sslh_error(x->ctx)) return;
    memcpy(p->sheet->data + (size_t)p->rows++ * x->count, x->data, x->count * sizeof *x->data);
}
static int show(const sslh_train_info *info, void *user) {
    progress *p = (progress *)user;
    int done = info->epoch + 1, late = p->minutes > 0 && info->seconds > 60 * (double)p->minutes;
    int last = late || done == p->epochs;
    if (info->epoch_end && (last || (p->rows <= ROWS && (done & (done - 1)) == 0))) {
        if (p->rows > ROWS) p->rows = ROWS;
        snprintf(p->name[p->rows], sizeof p->name[0], "epoch %d", done);
        row_put(p, sslh_gan_sample(info->method, SHOWN, 1));
    }
    return last && info->epoch_end;
}

/* Steps between three pairs of noises, the first and last of each row. */
static void between(sslh_ctx *c, sslh_method *m, int latent, const char *path) {
    sslh_tensor *z = sslh_zeros(c, sslh_dim2(3 * SHOWN, latent));
    int row, i, j;
    if (sslh_error(c)) return;
    for (row = 0; row < 3; row++)
        for (i = 0; i < SHOWN; i++)
            for (j = 0; j < latent; j++) { /* along a circle, so that every step is as long as noise is */
                float angle = 1.5707963f * (float)i / (SHOWN - 1);
                float a = sslh_random_normal(3, (uint64_t)(2 * row), (uint64_t)j);
                float b = sslh_random_normal(3, (uint64_t)(2 * row + 1), (uint64_t)j);
                z->data[(row * SHOWN + i) * latent + j] = (sslh_real)(a * (float)cos((double)angle) +
                                                                      b * (float)sin((double)angle));
            }
    sslh_no_grad(c, 1);
    sslh_picture_grid(c, path, sslh_gan_generate(m, z), SHOWN, 0);
    sslh_no_grad(c, 0);
}

/* Features of so many samples of the generator, or of real images, by an encoder of our own. */
static sslh_tensor *judged(sslh_ctx *c, sslh_net *judge, sslh_method *m, sslh_data data) {
    sslh_feature_desc f = {0};
    sslh_tensor *part[JUDGED / 100], *x;
    int i;
    if (!m) return sslh_features(c, judge, some_of(data, JUDGED, 1), f);
    sslh_train_mode(judge, 0);
    sslh_no_grad(c, 1);
    x = sslh_gan_sample(m, JUDGED, 2); /* (n,H,W,C) */
    x = normalised(c, judge, x);
    for (i = 0; i < JUDGED / 100; i++)
        part[i] = sslh_global_avg_pool(c, sslh_forward(judge, sslh_slice(c, x, 0, 100 * i, 100 * i + 100)));
    x = sslh_persist(sslh_concat(c, part, JUDGED / 100, 0)); /* (n,D) */
    sslh_no_grad(c, 0);
    return x;
}

/* All layers' features side by side, of maps the maxima of grid x grid cells, as in the DCGAN paper. */
static sslh_tensor *features(sslh_ctx *c, sslh_net *net, int layers, int grid, sslh_data data) {
    sslh_tensor *part[8];
    int i, map = sslh_net_query(net).kind == SSLH_MAP;
    for (i = 0; i < layers; i++) {
        sslh_feature_desc f = {0};
        char tap[16];
        snprintf(tap, sizeof tap, map ? "block%d" : "layer%d", i + 1);
        f.tap = tap;
        f.max_pool = 1;
        f.pool_grid = map && (data.height >> (i + 1)) % grid == 0 && data.height == data.width ? grid : 1;
        part[i] = sslh_features(c, net, data, f);
    }
    return sslh_concat(c, part, layers, 1);
}
static void probe(sslh_ctx *c, const char *name, sslh_net *net, int layers, int grid, sslh_data train, sslh_data test) {
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_tensor *x[2];
    float right;
    train = some_of(train, PROBED, 1);
    test = some_of(test, PROBED, 1);
    if (!net) {
        right = sslh_linear_probe(c, NULL, train, test, p);
        printf("linear probe, %d training images: raw pixels %.1f %%", (int)train.count, 100 * (double)right);
        return;
    }
    x[0] = features(c, net, layers, grid, train);
    x[1] = features(c, net, layers, grid, test);
    if (sslh_error(c)) return;
    right = sslh_linear_probe_features(c, x[0], train.labels, x[1], test.labels, train.classes, p);
    printf(", %s %.1f %% (%d values)", name, 100 * (double)right, x[0]->shape[1]);
    fflush(stdout);
}

/* The discriminator's encoder: DCGAN's, halving the side while 4 are left, or layers; *layers of them. */
static sslh_net *discriminator(sslh_ctx *c, sslh_data data, int flat, int width, int norm, int *layers) {
    sslh_convnet_desc e = {0};
    sslh_mlp_desc m = {0};
    int side = data.height < data.width ? data.height : data.width;
    if (flat) {
        m.in = data.height * data.width * data.channels;
        m.widths[0] = m.widths[1] = width ? width : 256;
        m.last_activation = 1;
        *layers = 2;
        return sslh_mlp(c, m);
    }
    if (!width) width = 32;
    e.channels = data.channels;
    for (*layers = 0; *layers < 5 && side >= 8; side /= 2, (*layers)++) e.widths[*layers] = width << *layers;
    e.map_output = 1;
    e.dcgan = 1;
    e.norm = norm;
    return sslh_convnet(c, e);
}

/* An encoder whose features the distance is taken of: from a file, or SimCLR's after so many epochs. */
static sslh_net *make_judge(sslh_ctx *c, const char *file, int epochs, sslh_data train) {
    sslh_convnet_desc e = {0};
    sslh_train_desc t = {0};
    sslh_net *net;
    if (file) return sslh_load_net(c, file);
    e.channels = train.channels;
    e.widths[0] = 32, e.widths[1] = 64, e.widths[2] = 64;
    net = sslh_convnet(c, e);
    t.epochs = epochs;
    sslh_train(c, sslh_method_make(c, "simclr", net, train, "head_hidden=64,head_out=64"),
               some_of(train, 10000, 1), t);
    return net;
}

int main(int argc, char **argv) {
    options o = options_parse(
        &argc, argv, "GAN (Goodfellow et al. 2014) with DCGAN's nets; samples, distance to real images, linear probe.",
        "  --loss N       1 non-saturating (default), 2 minimax, 3 hinge, 4 Wasserstein\n"
        "  --bound N      1 none, 2 spectral normalisation (without batch norm), 3 clipping; default: 2 for loss 4\n"
        "  --flat         generator and discriminator have two hidden layers each and no convolutions\n"
        "  --width N      width of the discriminator's first map or of its layers (default 32, with --flat 256)\n"
        "  --lr R         learning rate (default 0.0002)  --minutes M   stop after the epoch in which time is up\n"
        "  --judge FILE   encoder in whose space the distance is measured, saved by pretrain\n"
        "  --judge-epochs N  without --judge: epochs of SimCLR that train one (default 2)\n"
        "  --no-probe     leave the linear probes out\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained, *judge;
    sslh_gan_desc d = {0};
    sslh_train_desc t = {0};
    sslh_method m;
    sslh_grid_desc g = {0};
    sslh_tensor *real, *other, *first;
    progress p = {NULL, {{0}}, 0, 0, 0};
    const char *names[ROWS + 1], *file = NULL;
    char path[1024];
    float apart[3];
    int i, layers, flat = 0, width = 0, judge_epochs = 2, no_probe = 0;
    const own_option own[] = {{"--loss", OPTION_COUNT, &d.loss}, {"--bound", OPTION_COUNT, &d.bound},
                              {"--width", OPTION_COUNT, &width}, {"--lr", OPTION_REAL, &t.lr},
                              {"--minutes", OPTION_REAL, &p.minutes}, {"--judge-epochs", OPTION_COUNT, &judge_epochs},
                              {"--judge", OPTION_TEXT, &file}, {"--flat", OPTION_FLAG, &flat},
                              {"--no-probe", OPTION_FLAG, &no_probe}, {0}};
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    encoder = discriminator(c, train, flat, width, d.bound == 2 || d.loss == 4 ? SSLH_OFF : 0, &layers);
    untrained = sslh_clone(encoder);
    d.height = train.height;
    d.width = train.width;
    d.channels = train.channels;
    d.generator = flat ? 2 : 1;
    d.generator_width = width;
    m = sslh_gan(c, encoder, d);
    judge = make_judge(c, file, o.smoke ? 1 : judge_epochs, train);
    stop_on_error(c);
    real = judged(c, judge, NULL, test);
    other = judged(c, judge, NULL, train);
    first = judged(c, judge, &m, train);
    apart[0] = sslh_frechet(c, other, real);
    apart[1] = sslh_frechet(c, first, real);

    t.epochs = p.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 20;
    t.batch = o.batch;
    t.callback = show;
    t.user = &p;
    snprintf(p.name[0], sizeof p.name[0], "real");
    {
        sslh_loader_desc ld = {0};
        sslh_batch batch;
        p.sheet = sslh_persist(sslh_zeros(c, sslh_dim4(SHOWN * (ROWS + 1), d.height, d.width, d.channels)));
        ld.batch = SHOWN;
        ld.in_order = 1;
        if (sslh_next_batch(sslh_loader_new(c, test, ld), &batch))
            row_put(&p, sslh_batch_images(c, batch));
    }
    method_said(&m, &t, train, test);
    sslh_train(c, m, train, t);
    stop_on_error(c);
    apart[2] = sslh_frechet(c, judged(c, judge, &m, train), real);
    printf("distance to %d test images in the space of our own %s (not FID): training images %.4f, samples before "
           "training %.4f, after it %.4f\n", real->shape[0], file ? "encoder" : "SimCLR encoder", (double)apart[0],
           (double)apart[1], (double)apart[2]);
    for (i = 0; i < p.rows; i++) names[i] = p.name[i];
    g.rows = names;
    g.columns = SHOWN;
    g.title = "GAN: test images, and the same ten noises while it learns";
    sslh_picture_grid_ex(c, out_path(&o, path, sizeof path, "gan.png"), sslh_slice(c, p.sheet, 0, 0, p.rows * SHOWN),
                         g);
    between(c, &m, 100, out_path(&o, path, sizeof path, "gan_between.png"));
    if (!no_probe && train.labels && test.labels) {
        probe(c, NULL, NULL, 0, 0, train, test);
        same_images(untrained, encoder);
        probe(c, "untrained discriminator", untrained, layers, 2, train, test);
        probe(c, "discriminator", encoder, layers, 2, train, test);
        printf("\n");
    }
    return finish(c);
}
