/* A net made small for use: an encoder is pretrained without labels (SimCLR), its batch norms are folded, its weights
   become 8-bit integers, and all are compared: bytes of the files, accuracy of a kNN and of a linear probe, images per
   second. With --rank R instead a small vision transformer whose weights become two factors of rank R, R / 2, R / 4.

   SimCLR takes --epochs (default 10). The small net is saved as small.safetensors. Speed is that of the processor time
   of all threads together: give --threads 1. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <time.h>

static double seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

/* Test images per second of processor time, the best of five rounds. */
static double speed(sslh_ctx *c, sslh_net *net, sslh_data test) {
    sslh_feature_desc d = {0};
    double best = 0;
    int round;
    for (round = 0; round < 5 && !sslh_error(c); round++) {
        const int64_t mark = sslh_mark(c);
        const double start = seconds();
        double took;
        sslh_features(c, net, test, d);
        took = seconds() - start;
        if (took > 0 && (double)test.count / took > best) best = (double)test.count / took;
        sslh_rewind(c, mark);
    }
    return best;
}

static void row(const char *name, sslh_ctx *c, sslh_net *net, sslh_data train, sslh_data test) {
    sslh_knn_desc knn = {0};
    sslh_probe_desc probe = {0};
    const float nearest = sslh_knn(c, net, train, test, knn), linear = sslh_linear_probe(c, net, train, test, probe);
    printf("%-10s %10.0f %8.1f %% %12.1f %% %10.0f\n", name, (double)sslh_net_bytes(net), 100 * (double)nearest,
           100 * (double)linear, speed(c, net, test));
    fflush(stdout);
}

/* The same with two factors instead of each weight; ranks at which none would get smaller are left out. */
static void low_ranks(sslh_ctx *c, sslh_net *net, sslh_data train, sslh_data test, int rank) {
    int i;
    for (i = 0; i < 3 && rank; i++, rank /= 2) {
        sslh_low_rank_desc d = {0};
        char name[24];
        d.rank = rank;
        snprintf(name, sizeof name, "rank %d", rank);
        row(name, c, sslh_net_low_rank(net, d), train, test);
    }
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "A pretrained encoder with weights of 8 bits, beside the float one.",
                              "  --rank R             a vision transformer, and its weights as factors of this rank\n");
    int rank = 0;
    const own_option own[] = {{"--rank", OPTION_COUNT, &rank}, {NULL, OPTION_FLAG, NULL}};
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_convnet_desc e = {0};
    sslh_vit_desc v = {0};
    sslh_simclr_desc method = {0};
    sslh_train_desc t = {0};
    sslh_quantize_desc quantize = {0};
    sslh_net *encoder, *small;
    char path[512];
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    if (o.smoke) train = some_of(train, 300, o.seed), test = some_of(test, 200, o.seed);
    stop_on_error(c);
    option_refused(train.classes < 2, "--data", "has no classes, by which accuracy is measured");
    e.channels = train.channels;
    v.image = train.height, v.channels = train.channels, v.patch = 4, v.width = 96, v.depth = 4, v.heads = 4;
    encoder = rank ? sslh_vit(c, v) : sslh_convnet(c, e);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    t.batch = o.batch ? o.batch : train.count < 256 ? (int)train.count : 256;
    train_interruptible(c, sslh_simclr(c, encoder, method), train, t);
    stop_on_error(c);
    sslh_train_mode(encoder, 0);
    small = sslh_quantize(encoder, quantize);
    printf("%-10s %10s %10s %14s %10s\n", "", "bytes", "kNN", "linear probe", "images/s");
    row("float", c, encoder, train, test);
    if (rank) low_ranks(c, encoder, train, test, rank);
    else row("folded", c, sslh_fold_batch_norm(encoder, NULL), train, test);
    row("8 bits", c, small, train, test);
    sslh_save_net(small, out_path(&o, path, sizeof path, "small.safetensors"));
    return finish(c);
}
