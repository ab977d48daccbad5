/* Colorization: pretrains by predicting colours from lightness, with and without rebalancing. Prints how far the
   colours are from the true ones, beside grey, and a probe of the encoder; draws test images: grey, coloured, true. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <math.h>

enum { SHOWN = 12 };

/* Distances in (a,b) between what a method paints and the truth, means over all pixels of the test images. */
typedef struct distances {
    double grey;     /* of the truth from grey: what predicting no colour at all gets wrong; its mean saturation */
    double one;      /* of the truth from the best single colour, the mean of all */
    double painted;  /* of the painted colours from the truth */
    double lively;   /* of the painted colours from grey */
} distances;

static double apart(const sslh_real *a, const sslh_real *b) {
    double x = (double)a[0] - (double)b[0], y = (double)a[1] - (double)b[1];
    return sqrt(x * x + y * y);
}

static distances measure(sslh_ctx *c, sslh_method *m, sslh_data data) {
    static const sslh_real none[2] = {0, 0};
    sslh_loader_desc ld = {0};
    distances d = {0, 0, 0, 0};
    double sum[2] = {0, 0};
    sslh_real mean[2] = {0, 0};
    double n = 0;
    int pass;
    ld.in_order = 1;
    ld.batch = 128;
    for (pass = 0; pass < 2; pass++) {
        sslh_loader *loader = sslh_loader_new(c, data, ld);
        sslh_batch batch;
        sslh_no_grad(c, 1);
        while (sslh_next_batch(loader, &batch)) {
            sslh_tensor *x = sslh_batch_images(c, batch), *truth = sslh_rgb_to_lab(c, x), *painted = NULL;
            size_t i;
            if (pass) painted = sslh_rgb_to_lab(c, sslh_colorize(m, x));
            for (i = 0; i < truth->count && !sslh_error(c); i += 3) {
                const sslh_real *t = truth->data + i + 1, *p;
                if (!pass) {
                    sum[0] += (double)t[0], sum[1] += (double)t[1], n++;
                    continue;
                }
                p = painted->data + i + 1;
                d.grey += apart(t, none) / n;
                d.one += apart(t, mean) / n;
                d.painted += apart(t, p) / n;
                d.lively += apart(p, none) / n;
            }
        }
        sslh_no_grad(c, 0);
        if (n > 0) mean[0] = (sslh_real)(sum[0] / n), mean[1] = (sslh_real)(sum[1] / n);
    }
    return d;
}

/* Images from everywhere in the set, as they are, grey, coloured without rebalancing, and with it. */
static void picture(sslh_ctx *c, sslh_method *m, sslh_data data, const char *path) {
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    static const char *const names[4] = {"original", "seen", "bins alike", "rebalanced"};
    int32_t spread[SHOWN];
    int k;
    for (k = 0; k < SHOWN; k++) spread[k] = (int32_t)(k * data.count / SHOWN);
    ld.in_order = 1;
    ld.batch = SHOWN;
    if (sslh_next_batch(sslh_loader_new(c, sslh_data_pick(data, spread, SHOWN), ld), &batch)) {
        sslh_tensor *x = sslh_batch_images(c, batch), *lab = sslh_rgb_to_lab(c, x), *row[4], *part[2];
        part[0] = sslh_slice(c, lab, 3, 0, 1);
        part[1] = sslh_scale(c, sslh_slice(c, lab, 3, 1, 3), 0);
        row[0] = x;
        row[1] = sslh_clamp(c, sslh_lab_to_rgb(c, sslh_concat(c, part, 2, 3)), 0, 1);
        row[2] = sslh_colorize(&m[0], x);
        row[3] = sslh_colorize(&m[1], x);
        picture_rows(c, path, row, 4, names, "Colorization: test images");
    }
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "Colorization (Zhang et al. 2016) with a small conv net.",
                              "  --lr R         peak rate (default 3e-3)       --tap NAME     what the head reads\n"
                              "  --hidden N     width of the head (default 64) --cell N       side of a colour cell\n"
                              "  --split-brain  predict lightness from colours too, with a second half of the encoder\n"
                              "  --paint PATH   further images to colour, for colorization_painted.png\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder[3]; /* untrained; all bins weigh the same; rebalanced */
    sslh_method method[2];
    sslh_convnet_desc e = {0};
    sslh_colorization_desc d = {0};
    sslh_train_desc t = {0};
    distances away[2];
    char path[1024];
    int way, block, i;
    const char *paint = NULL;
    const own_option own[] = {{"--lr", OPTION_REAL, &t.lr}, {"--tap", OPTION_TEXT, &d.tap},
                              {"--hidden", OPTION_COUNT, &d.head_hidden}, {"--cell", OPTION_COUNT, &d.cell},
                              {"--paint", OPTION_TEXT, &paint}, {"--split-brain", OPTION_FLAG, &d.split_brain}, {0}};
    if (!o.data) o.data = "examples/data/colour";
    d.head_hidden = 64;
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.channels = d.split_brain ? 3 : 1; /* L, a and b; L */
    for (i = 0; d.split_brain && i < 4; i++) e.widths[i] = 16 << i; /* halves: together as wide as the others */
    encoder[0] = sslh_convnet(c, e);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 6;
    t.batch = o.batch;
    for (way = 0; way < 2; way++) {
        d.lambda = way ? 0 : 1;
        method[way] = sslh_colorization(c, sslh_clone(encoder[0]), d);
        encoder[1 + way] = method[way].encoder; /* it knows what it is to be given; with --split-brain both halves */
        if (way) encoder[0] = sslh_clone(encoder[2]); /* untrained */
        sslh_train(c, method[way], train, t);
        away[way] = measure(c, &method[way], test);
        stop_on_error(c);
    }
    printf("%d training images, %d test images\n\n", (int)train.count, (int)test.count);
    printf("distance in (a,b)       from the truth   from grey\n");
    printf("all grey                     %6.2f       %6.2f\n", away[0].grey, 0.0);
    printf("all of the mean colour       %6.2f\n", away[0].one);
    printf("coloured, no rebalancing     %6.2f       %6.2f\n", away[0].painted, away[0].lively);
    printf("coloured, rebalanced         %6.2f       %6.2f\n", away[1].painted, away[1].lively);
    printf("the truth                    %6.2f       %6.2f\n\n", 0.0, away[0].grey);
    fflush(stdout);
    if (train.classes > 1) {
        same_images(encoder[0], encoder[2]);
        printf("                    linear probe                          nearest neighbours\n");
        printf("                    untrained   plain       rebalanced    untrained   plain       rebalanced\n");
        probe_rows(c, "raw pixels", NULL, 3, NULL, 1, 9, train, test);
        for (block = 1; block <= 4; block++) {
            char tap[16];
            snprintf(tap, sizeof tap, "block%d", block);
            probe_rows(c, tap, encoder, 3, tap, 1, 9, train, test);
        }
    }
    picture(c, method, test, out_path(&o, path, sizeof path, "colorization.png"));
    if (paint) {
        sslh_images_desc whole = {0, 0};
        whole.size = 128;
        picture(c, method, sslh_load_images_ex(c, paint, whole),
                out_path(&o, path, sizeof path, "colorization_painted.png"));
    }
    if (!sslh_error(c)) printf("\npictures in %s\n", o.out);
    return finish(c);
}
