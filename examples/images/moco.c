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
    const char *v;
    int i;
    for (i = 1; i < argc; i++) {
        if ((v = option_value(argc, argv, &i, "--version")) != NULL) m.version = (int)option_number("--version", v);
        else if (!strcmp(argv[i], "--symmetric")) m.symmetric = 1;
        else {
            fprintf(stderr, "%s: unknown option (try --help)\n", argv[i]);
            return 2;
        }
    }
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
    probe_row(c, "raw pixels", NULL, train, test);
    probe_row(c, "untrained encoder", untrained, train, test);
    probe_row(c, "MoCo, no labels", encoder, train, test);
    picture_neighbours(c, untrained, train, test, out_path(&o, path, sizeof path, "moco_untrained.png"),
                       "Neighbours before training");
    picture_neighbours(c, encoder, train, test, out_path(&o, path, sizeof path, "moco_neighbours.png"),
                       "Neighbours after MoCo");
    if (!sslh_error(c)) printf("\npictures in %s: moco_neighbours, moco_untrained\n", o.out);
    return finish(c);
}
