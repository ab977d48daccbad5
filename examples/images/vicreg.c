/* VICReg: pretrains, prints the three terms of its loss on test images before and after, then compares linear probe and
   nearest neighbours with raw pixels and the untrained encoder. --variance 0 shows what the variance term prevents: all
   embeddings become alike. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { IMAGES = 256 };

/* Each term by itself, with a weight of 1, on two views of test images. */
static void terms(sslh_ctx *c, const char *name, sslh_method *m, sslh_data data) {
    sslh_tensor *z[2];
    embed_views(c, m, some_of(data, IMAGES, 1), IMAGES, SSLH_VIEWS_BYOL_0, z);
    printf("%-22s  invariance %.4f", name, (double)sslh_item(sslh_vicreg_loss(c, z[0], z[1], 1, 0, 0)));
    printf("  variance %.4f", (double)sslh_item(sslh_vicreg_loss(c, z[0], z[1], 0, 1, 0)));
    printf("  covariance %.4f\n", (double)sslh_item(sslh_vicreg_loss(c, z[0], z[1], 0, 0, 1)));
    fflush(stdout);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "VICReg (Bardes et al. 2022) with a small conv net.",
                              "  --invariance W, --variance W, --covariance W   weights (default 25, 25, 1)\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_vicreg_desc d = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    const own_option own[] = {{"--invariance", OPTION_REAL_OFF, &d.invariance},
                              {"--variance", OPTION_REAL_OFF, &d.variance},
                              {"--covariance", OPTION_REAL_OFF, &d.covariance}, {0}};
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_vicreg(c, encoder, d);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    method_said(&method, &t, train, test);
    method.prepare(&method, train); /* the encoder sees normalised images before the training, too */
    terms(c, "before", &method, test);
    sslh_train(c, method, train, t);
    stop_on_error(c);
    terms(c, "after", &method, test);
    compare(c, &o, untrained, encoder, "VICReg, no labels", train, test, "vicreg", "Neighbours after VICReg");
    if (!sslh_error(c)) printf("\npicture in %s: vicreg_neighbours\n", o.out);
    return finish(c);
}
