/* BYOL: pretrains without negatives, then compares linear probe and nearest neighbours with raw pixels and the
   untrained encoder. With --collapse gradients pass through the target, and the loss falls to 0 because all embeddings
   become alike. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "BYOL (Grill et al. 2020) with a small conv net.",
                              "  --momentum M   momentum of the target at the start (default 0.95)\n"
                              "  --collapse     train without the stop-gradient\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_byol_desc b = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    const own_option own[] = {{"--momentum", OPTION_REAL_OFF, &b.target_momentum},
                              {"--collapse", OPTION_FLAG, &b.no_stop_gradient}, {0}};
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_byol(c, encoder, b);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    t.callback = say_epoch;
    method_said(&method, &t, train, test);
    sslh_train(c, method, train, t);
    stop_on_error(c);
    compare(c, &o, untrained, encoder, b.no_stop_gradient ? "BYOL, collapsed" : "BYOL, no labels", train, test, "byol",
            "Neighbours after BYOL");
    if (!sslh_error(c)) printf("\npicture in %s: byol_neighbours\n", o.out);
    return finish(c);
}
