/* SimSiam: pretrains, then compares linear probe and nearest neighbours with raw pixels and the untrained encoder. It
   also repeats the experiment of the paper's figure 2: spread and loss of the first steps with and without the
   stop-gradient. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { STEPS = 150 };
typedef struct record { float spread[STEPS], loss[STEPS]; int n; } record;

static int each(const sslh_train_info *t, void *user) {
    record *r = (record *)user;
    if (t->epoch_end) return 0;
    r->spread[r->n] = t->numbers[0].value;
    r->loss[r->n++] = t->loss;
    return r->n == STEPS;
}
/* The first steps of a run. Without the last batch norm, which would keep the projections of a batch apart. */
static void first_steps(sslh_ctx *c, sslh_net *encoder, sslh_data data, sslh_train_desc t, int stop, record *r) {
    sslh_simsiam_desc s = {0};
    s.no_stop_gradient = !stop;
    s.no_last_norm = 1;
    memset(r, 0, sizeof *r);
    t.callback = each;
    t.user = r;
    t.quiet = 1;
    sslh_train(c, sslh_simsiam(c, sslh_clone(encoder), s), data, t);
    if (r->n)
        printf("%-22s  after %d steps: loss %.3f, spread %.3f\n", stop ? "with stop-gradient" : "without", r->n,
               (double)r->loss[r->n - 1], (double)r->spread[r->n - 1]);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "SimSiam (Chen & He 2021) with a small conv net.", NULL);
    static record with, without;
    static float curves[4 * STEPS];
    static const char *const names[4] = {"spread", "spread, no stop", "loss", "loss, no stop"};
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_simsiam_desc s = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    char path[1024];
    int n;
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_simsiam(c, encoder, s);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    method_said(&method, &t, train, test);
    first_steps(c, untrained, train, t, 1, &with);
    first_steps(c, untrained, train, t, 0, &without);
    stop_on_error(c);
    n = with.n < without.n ? with.n : without.n;
    memcpy(curves, with.spread, (size_t)n * sizeof *curves);
    memcpy(curves + n, without.spread, (size_t)n * sizeof *curves);
    memcpy(curves + 2 * n, with.loss, (size_t)n * sizeof *curves);
    memcpy(curves + 3 * n, without.loss, (size_t)n * sizeof *curves);
    sslh_picture_curves(c, out_path(&o, path, sizeof path, "simsiam_collapse.png"), curves, 4, n, names,
                        "SimSiam with and without stop-gradient");
    sslh_train(c, method, train, t);
    stop_on_error(c);
    compare(c, &o, untrained, encoder, "SimSiam, no labels", train, test, "simsiam", "Neighbours after SimSiam");
    if (!sslh_error(c)) printf("\npictures in %s: simsiam_collapse, simsiam_neighbours\n", o.out);
    return finish(c);
}
