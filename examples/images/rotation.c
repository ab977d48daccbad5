/* Rotation prediction: pretrains by telling which way is up, then probes every block; the last one specialises in
   rotation. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

/* Eight images, each turned four ways: what the encoder is asked about. */
static void picture_turns(sslh_ctx *c, sslh_data data, const char *path) {
    static const char *const names[4] = {"original", "90 degrees", "180 degrees", "270 degrees"};
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    ld.batch = 8;
    ld.in_order = 1;
    if (sslh_next_batch(sslh_loader_new(c, data, ld), &batch)) {
        sslh_tensor *x = sslh_batch_images(c, batch), *turned[4];
        int32_t quarter[8];
        int r, i;
        for (r = 0; r < 4; r++) {
            for (i = 0; i < 8; i++) quarter[i] = r;
            turned[r] = sslh_rotate90(c, x, quarter);
        }
        picture_rows(c, path, turned, 4, names, "Which way is up?");
    }
}

int main(int argc, char **argv) {
    options o = options_parse(
        &argc, argv, "Rotation prediction (Gidaris et al. 2018) with a small conv net; linear probe of every block.",
        NULL);
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_rotation_desc r = {0};
    sslh_train_desc t = {0};
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_method method;
    char path[1024];
    int block;
    options_load(c, &o, &train, &test);
    picture_turns(c, train, out_path(&o, path, sizeof path, "rotation_views.png"));
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_rotation(c, encoder, r);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    t.batch = o.batch;
    sslh_train(c, method, train, t);
    stop_on_error(c);
    same_images(untrained, encoder);
    printf("linear probe, %d training images, %d test images\n", (int)train.count, (int)test.count);
    printf("  raw pixels        %5.1f %%\n", 100 * (double)sslh_linear_probe(c, NULL, train, test, p));
    printf("  block   untrained   rotation\n");
    for (block = 1; block <= 4; block++) {
        char tap[16];
        snprintf(tap, sizeof tap, "block%d", block);
        p.features.tap = tap;
        printf("  %d         %5.1f %%    %5.1f %%\n", block,
               100 * (double)sslh_linear_probe(c, untrained, train, test, p),
               100 * (double)sslh_linear_probe(c, encoder, train, test, p));
        fflush(stdout);
    }
    return finish(c);
}
