/* NNCLR: the right answer to a view is what lies nearest to it among earlier images. Pretrains, then compares linear
   probe and nearest neighbours with raw pixels and the untrained encoder; --no-neighbours trains without the
   neighbours, to show what they add. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "NNCLR (Dwibedi et al. 2021) with a small conv net.",
                              "  --queue K         number of embeddings to search for neighbours (default 1024)\n"
                              "  --temperature T   temperature of the loss (default 0.1)\n"
                              "  --no-neighbours   the other view itself is the right answer\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_nnclr_desc d = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    const own_option own[] = {{"--queue", OPTION_COUNT, &d.queue}, {"--temperature", OPTION_REAL, &d.temperature},
                              {"--no-neighbours", OPTION_FLAG, &d.no_neighbours}, {0}};
    d.queue = 1024; /* short run: soon full of embeddings that mean something */
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_nnclr(c, encoder, d);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    t.callback = say_epoch;
    method_said(&method, &t, train, test);
    sslh_train(c, method, train, t);
    stop_on_error(c);
    compare(c, &o, untrained, encoder, d.no_neighbours ? "without neighbours" : "NNCLR, no labels",
            train, test, "nnclr", "Neighbours after NNCLR");
    if (!sslh_error(c)) printf("\npicture in %s: nnclr_neighbours\n", o.out);
    return finish(c);
}
