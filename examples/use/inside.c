/* What an encoder looks at. A small encoder learns without labels, a linear probe is put behind it, and then: which
   pixels the scores depend on, whether the attributions add up, how alike the blocks are to those of the untrained
   encoder, and pictures of all of it.

     inside                                   a conv net, SimCLR, on the images of examples/data
     inside --vit                             a small transformer, DINO: its attention instead of Grad-CAM
     inside --load encoder.safetensors        an encoder of your own (pretrain --save) */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include "inside.h"
#include <math.h>

static const char *const help =
    "  --load F       an encoder saved by pretrain --save; else one is trained (--epochs, default 5, on 3000 images)\n"
    "  --vit          train a small vision transformer by DINO instead of a conv net by SimCLR\n";

/* Trains the encoder; *untrained receives a copy from before. */
static sslh_net *train_encoder(sslh_ctx *c, const options *o, int vit, sslh_data train, sslh_data test,
                               sslh_net **untrained) {
    sslh_train_desc t = {0};
    sslh_net *encoder;
    sslh_method m;
    if (vit) {
        sslh_vit_desc e = {0};
        sslh_dino_desc d = {0};
        e.image = train.height, e.channels = train.channels, e.width = 96, e.depth = 4, e.heads = 3;
        d.outputs = 256;
        encoder = sslh_vit(c, e);
        m = sslh_dino(c, encoder, d);
    } else {
        sslh_convnet_desc e = {0};
        sslh_simclr_desc d = {0};
        e.channels = train.channels;
        encoder = sslh_convnet(c, e);
        m = sslh_simclr(c, encoder, d);
    }
    *untrained = sslh_clone(encoder);
    t.epochs = o->epochs ? o->epochs : o->smoke ? 1 : 5;
    t.batch = o->batch;
    t.callback = say_epoch;
    method_said(&m, &t, train, test);
    sslh_train(c, m, train, t);
    stop_on_error(c);
    same_images(*untrained, encoder);
    return encoder;
}

/* Sums of integrated gradients beside the differences of scores that they explain, for a growing number of points. */
static void say_completeness(sslh_ctx *c, sslh_net *net, sslh_data test) {
    static const int points[4] = {4, 16, 64, 256};
    sslh_tensor *x, *y, *base, *map, *target;
    sslh_inside_desc d = {0};
    int i, n, N, K;
    printf("\nintegrated gradients: sum of the attributions less the difference of scores, mean of 8 images\n");
    sslh_train_mode(net, 0);
    x = spread_images(c, test, 8);
    y = sslh_forward(net, x);
    base = sslh_forward(net, sslh_zeros(c, sslh_shape_of(x)));
    target = sslh_argmax(c, y, 1);
    stop_on_error(c);
    N = y->shape[0], K = y->shape[1];
    for (i = 0; i < 4; i++) {
        double gap = 0, size = 0;
        d.samples = points[i];
        map = sslh_integrated_gradients(c, net, x, target, d);
        stop_on_error(c);
        for (n = 0; n < N; n++) {
            const int k = target->ints[n];
            const double explained = (double)y->data[n * K + k] - (double)base->data[n * K + k];
            const size_t each = map->count / (size_t)N;
            double sum = 0;
            size_t j;
            for (j = 0; j < each; j++) sum += (double)map->data[(size_t)n * each + j];
            gap += fabs(sum - explained) / N;
            size += fabs(explained) / N;
        }
        printf("  %3d points  %8.5f of %.3f\n", points[i], gap, size);
    }
}

/* Linear CKA of the blocks of two encoders: rows the first, columns the second. */
static void say_similarity(sslh_ctx *c, const char *title, sslh_net *a, sslh_net *b, sslh_data data) {
    static const char *const block[4] = {"block1", "block2", "block3", "block4"};
    sslh_tensor *x[2][4];
    sslh_feature_desc f = {0};
    int i, k;
    for (i = 0; i < 4; i++) {
        f.tap = block[i];
        x[0][i] = sslh_features(c, a, data, f);
        x[1][i] = sslh_features(c, b, data, f);
    }
    if (sslh_error_code(c) == SSLH_E_USAGE) { /* an encoder without four blocks */
        sslh_clear_error(c);
        return;
    }
    stop_on_error(c);
    printf("\n%s\n          block1  block2  block3  block4\n", title);
    for (i = 0; i < 4; i++) {
        printf("  %s", block[i]);
        for (k = 0; k < 4; k++) printf("  %6.3f", (double)sslh_cka(c, x[0][i], x[1][k]));
        printf("\n");
    }
    stop_on_error(c);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "What an encoder looks at: saliency, Grad-CAM or attention, similarity.",
                              help);
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained = NULL, *net;
    sslh_feature_desc f = {0};
    const char *load = NULL;
    int vit = 0;
    const own_option own[] = {{"--load", OPTION_TEXT, &load}, {"--vit", OPTION_FLAG, &vit}, {0}};
    options_own(own, argc, argv);
    option_refused(load && vit, "--vit", "trains an encoder, and --load brings one: only one of them");
    if (!o.images && !load) o.images = 3000;
    options_load(c, &o, &train, &test);
    if (load) {
        encoder = sslh_load_net(c, load);
        stop_on_error(c);
    } else encoder = train_encoder(c, &o, vit, train, test, &untrained);
    net = asked_net(c, encoder, train);
    stop_on_error(c);
    if (test.labels) {
        sslh_tensor *scores = sslh_features(c, net, test, f);
        int32_t right = 0;
        int i, k;
        stop_on_error(c);
        for (i = 0; i < scores->shape[0]; i++) {
            const sslh_real *s = scores->data + (size_t)i * (size_t)scores->shape[1];
            int best = 0;
            for (k = 1; k < scores->shape[1]; k++) if (s[k] > s[best]) best = k;
            right += best == test.labels[i];
        }
        printf("\nthe probe that is asked: %.1f %% of %d test images\n", 100.0 * right / scores->shape[0],
               scores->shape[0]);
    }
    say_completeness(c, net, test);
    if (untrained) {
        sslh_data some = some_of(test, 1000, o.seed);
        say_similarity(c, "CKA of the trained encoder's blocks with each other", encoder, encoder, some);
        say_similarity(c, "with those of the untrained encoder (columns)", encoder, untrained, some);
    }
    draw_inside(c, o.out, encoder, train, test, o.seed);
    if (!sslh_error(c)) printf("\npictures in %s: inside, filters, map_tsne, map_pca, neighbours, views\n", o.out);
    return finish(c);
}
