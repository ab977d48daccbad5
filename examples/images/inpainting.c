/* Inpainting: trains a context encoder with the squared error alone and one with a discriminator too, compares what
   they paint into holes with two ways of filling them that have learnt nothing, and probes the encoders. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <math.h>

enum { SHOWN = 8, JUDGED = 2000 };

/* Fills the holes of x (N,H,W,C) so that every pixel is the mean of its four neighbours (at the edge of the image: of
   those there are): the smoothest continuation of the border. mask (N,H,W,1). */
static sslh_tensor *from_the_border(sslh_ctx *c, sslh_tensor *x, sslh_tensor *mask) {
    sslh_tensor *y = sslh_mul(c, x, sslh_shift(c, sslh_neg(c, mask), 1));
    int H = x->shape[1], W = x->shape[2], C = x->shape[3], n, i, j, k, sweep;
    if (sslh_error(c)) return y;
    for (n = 0; n < x->shape[0]; n++)
        for (sweep = 0; sweep < 100; sweep++)
            for (i = 0; i < H; i++)
                for (j = 0; j < W; j++) {
                    sslh_real *p = y->data + (((size_t)n * (size_t)H + (size_t)i) * (size_t)W + (size_t)j) * (size_t)C;
                    if (mask->data[((size_t)n * (size_t)H + (size_t)i) * (size_t)W + (size_t)j] == 0) continue;
                    for (k = 0; k < C; k++) { /* successive over-relaxation */
                        float sum = 0, many = 0, old = (float)p[k];
                        if (i > 0) sum += (float)p[k - W * C], many++;
                        if (i < H - 1) sum += (float)p[k + W * C], many++;
                        if (j > 0) sum += (float)p[k - C], many++;
                        if (j < W - 1) sum += (float)p[k + C], many++;
                        p[k] = (sslh_real)(old + 1.7f * (sum / many - old));
                    }
                }
    return sslh_clamp(c, y, 0, 1);
}

/* x with its holes in the mean colour of the data, which the encoder knows from training. */
static sslh_tensor *in_mean_colour(sslh_ctx *c, sslh_net *encoder, sslh_tensor *x, sslh_tensor *mask) {
    sslh_preprocess p = sslh_get_preprocess(encoder);
    return sslh_where(c, mask, sslh_from(c, sslh_dim1(x->shape[3]), p.mean), x);
}

/* Images and holes of a batch, as the method draws them. */
static void holes(sslh_method *m, const sslh_batch *batch, sslh_tensor **x, sslh_tensor **mask) {
    sslh_view_set views = {0, {0}, {0}};
    m->views(m, batch, &views);
    *x = sslh_view_get(&views, "images");
    *mask = sslh_view_get(&views, "mask");
}

/* PSNR in dB inside the holes of test images, over all their values at once: mean colour, border, so many nets. */
static void psnr(sslh_ctx *c, sslh_method *method, int nets, sslh_data test, double out[4]) {
    sslh_loader_desc ld = {0};
    sslh_loader *loader;
    sslh_batch batch;
    double error[4] = {0, 0, 0, 0}, values = 0;
    int way;
    ld.batch = 200;
    ld.in_order = 1;
    loader = sslh_loader_new(c, some_of(test, JUDGED, 1), ld);
    while (sslh_next_batch(loader, &batch)) {
        sslh_tensor *x, *mask, *filled[4];
        holes(&method[0], &batch, &x, &mask);
        filled[0] = in_mean_colour(c, method[0].encoder, x, mask);
        filled[1] = from_the_border(c, x, mask);
        for (way = 2; way < 2 + nets; way++) filled[way] = sslh_inpaint(&method[way - 2], x, mask);
        for (way = 0; way < 2 + nets; way++) /* they differ in the holes only */
            error[way] += (double)sslh_item(sslh_sum(c, sslh_square(c, sslh_sub(c, filled[way], x)), SSLH_ALL, 0));
        values += (double)sslh_item(sslh_sum(c, mask, SSLH_ALL, 0)) * test.channels;
    }
    for (way = 0; way < 2 + nets; way++) out[way] = -10 * log10(error[way] / values);
}

/* Images as they are, with their holes, filled by the squared error alone, and by the adversarial net. */
static void picture(sslh_ctx *c, sslh_method *method, int nets, sslh_data test, const char *path) {
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    static const char *const names[4] = {"original", "seen", "by L2 alone", "adversarial"};
    sslh_tensor *x, *mask, *row[4];
    int k;
    ld.batch = SHOWN;
    ld.in_order = 1;
    if (!sslh_next_batch(sslh_loader_new(c, test, ld), &batch)) return;
    holes(&method[0], &batch, &x, &mask);
    row[0] = x;
    row[1] = in_mean_colour(c, method[0].encoder, x, mask);
    for (k = 0; k < nets; k++) row[2 + k] = sslh_inpaint(&method[k], x, mask);
    picture_rows(c, path, row, nets + 2, names, "Inpainting: test images");
}

int main(int argc, char **argv) {
    options o = options_parse(
        &argc, argv, "Inpainting by context encoders (Pathak et al. 2016); holes filled, linear probe of every block.",
        "  --hole N       1 a rectangle in the middle (default), 2 regions of any shape, 3 blocks, 4 single pixels\n"
        "  --adversarial A  weight of the adversarial loss of the second net (default 0.001; 0: no second net)\n"
        "  --lr R         learning rate (default 0.002)  --no-probe    only pictures and PSNR\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder[3]; /* untrained, squared error, adversarial */
    sslh_convnet_desc e = {0};
    sslh_inpainting_desc d = {0};
    sslh_train_desc t = {0};
    sslh_method method[2];
    char path[1024], tap[16];
    double db[4];
    float adversarial = 0.001f;
    int block, i, no_probe = 0, nets;
    const own_option own[] = {{"--hole", OPTION_COUNT, &d.hole}, {"--adversarial", OPTION_REAL_OFF, &adversarial},
                              {"--lr", OPTION_REAL, &t.lr}, {"--no-probe", OPTION_FLAG, &no_probe}, {0}};
    d.hole = 1;
    options_own(own, argc, argv);
    nets = adversarial > 0 ? 2 : 1;
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    e.map_output = 1;
    for (i = 0; i <= nets; i++) encoder[i] = i ? sslh_clone(encoder[0]) : sslh_convnet(c, e);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    t.batch = o.batch;
    for (i = 0; i < nets; i++) {
        if (i) d.adversarial = adversarial;
        method[i] = sslh_inpainting(c, encoder[i + 1], d);
        sslh_train(c, method[i], train, t);
    }
    stop_on_error(c);
    psnr(c, method, nets, test, db);
    stop_on_error(c);
    printf("%d training images, %d test images\n", (int)train.count, (int)test.count);
    printf("PSNR in the hole: mean colour %.2f dB, border %.2f dB, squared error %.2f dB", db[0], db[1], db[2]);
    if (nets > 1) printf(", adversarial %.2f dB", db[3]);
    printf("\n");
    picture(c, method, nets, test, out_path(&o, path, sizeof path, "inpainting.png"));
    if (no_probe) return finish(c);
    same_images(encoder[0], encoder[1]);
    printf("                    linear probe, then nearest neighbours, each: untrained, squared error%s\n",
           nets > 1 ? ", adversarial" : "");
    probe_rows(c, "raw pixels", NULL, nets + 1, NULL, 1, 7, train, test);
    for (block = 1; block <= 4; block++) {
        snprintf(tap, sizeof tap, "block%d", block);
        probe_rows(c, tap, encoder, nets + 1, tap, 1, 7, train, test);
    }
    if ((train.height + 7) / 8 % 2 == 0 && (train.width + 7) / 8 % 2 == 0) /* the map of block 3 can be halved */
        probe_rows(c, "block3, 2x2 cells", encoder, nets + 1, "block3", 2, 7, train, test);
    return finish(c);
}
