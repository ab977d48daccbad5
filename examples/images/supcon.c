/* Supervised contrastive learning: what the same encoder reaches when the classes are known. Pretrains with labels,
   then compares linear probe and nearest neighbours with raw pixels and the untrained encoder; --few N trains on N
   labelled images only. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

static int each(const sslh_train_info *t, void *user) {
    (void)user;
    if (t->epoch_end)
        printf("epoch %3d: loss %.3f, top-1 %.3f\n", t->epoch + 1, (double)t->loss, (double)t->numbers[0].value);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv,
                              "Supervised contrastive learning (Khosla et al. 2020) with a small conv net.",
                              "  --temperature T   temperature of the loss (default 0.1)\n"
                              "  --few N           train on only N images, the same share of each class\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test, known;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_supcon_desc d = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    const char *v;
    int i, few = 0;
    for (i = 1; i < argc; i++) {
        if ((v = option_value(argc, argv, &i, "--temperature")) != NULL) d.temperature = (float)atof(v);
        else if ((v = option_value(argc, argv, &i, "--few")) != NULL) few = atoi(v);
        else {
            fprintf(stderr, "%s: unknown option (try --help)\n", argv[i]);
            return 2;
        }
    }
    options_load(c, &o, &train, &test);
    known = few > 0 && few < train.count ? sslh_data_fraction(train, (double)few / (double)train.count, o.seed) : train;
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_supcon(c, encoder, d);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    t.callback = each;
    method_said(&method, &t, known, test);
    sslh_train(c, method, known, t);
    stop_on_error(c);
    compare(c, &o, untrained, encoder, "SupCon, labels", train, test, "supcon",
            "Neighbours after supervised contrastive learning");
    if (!sslh_error(c)) printf("\npicture in %s: supcon_neighbours\n", o.out);
    return finish(c);
}
