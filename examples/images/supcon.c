/* Supervised contrastive learning: what the same encoder reaches when the classes are known. Pretrains with labels,
   then compares linear probe and nearest neighbours with raw pixels and the untrained encoder; --few N knows the labels
   of N images only. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv,
                              "Supervised contrastive learning (Khosla et al. 2020) with a small conv net.",
                              "  --temperature T   temperature of the loss (default 0.1)\n"
                              "  --few N           only N images and their labels are known, the same share of each\n"
                              "                    class, in training and to the probes\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test, known;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_supcon_desc d = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    int few = 0;
    const own_option own[] = {{"--temperature", OPTION_REAL, &d.temperature}, {"--few", OPTION_COUNT, &few}, {0}};
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    known = few > 0 && few < train.count ? sslh_data_fraction(train, (double)few / (double)train.count, o.seed) : train;
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_supcon(c, encoder, d);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    t.callback = say_epoch;
    method_said(&method, &t, known, test);
    sslh_train(c, method, known, t);
    stop_on_error(c);
    compare(c, &o, untrained, encoder, "SupCon, labels", known, test, "supcon",
            "Neighbours after supervised contrastive learning");
    if (!sslh_error(c)) printf("\npicture in %s: supcon_neighbours\n", o.out);
    return finish(c);
}
