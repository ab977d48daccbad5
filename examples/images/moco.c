/* MoCo: pretrains with a queue of keys, then compares linear probe and nearest neighbours with raw pixels and the
   untrained encoder; draws a sheet of test images with the training images that the encoder finds nearest. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "MoCo (He et al. 2020, Chen et al. 2020, 2021) with a small conv net.",
                              "  --version N    1, 2 (default) or 3\n"
                              "  --symmetric    each view is the query once\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_moco_desc m = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    char path[1024];
    const own_option own[] = {{"--version", OPTION_COUNT, &m.version}, {"--symmetric", OPTION_FLAG, &m.symmetric}, {0}};
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    if (o.smoke) m.queue = 1024;
    method = sslh_moco(c, encoder, m);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    method_said(&method, &t, train, test);
    sslh_train(c, method, train, t);
    stop_on_error(c);
    compare(c, &o, untrained, encoder, "MoCo, no labels", train, test, "moco", "Neighbours after MoCo");
    picture_neighbours(c, untrained, train, test, out_path(&o, path, sizeof path, "moco_untrained.png"),
                       "Neighbours before training");
    if (!sslh_error(c)) printf("\npictures in %s: moco_neighbours, moco_untrained\n", o.out);
    return finish(c);
}
