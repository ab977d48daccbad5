/* A few labels, many images: what a pretrained encoder, a classifier on the labels alone and FixMatch make of the same
   labelled images, from scratch and from an encoder that SimCLR has pretrained. Both classifiers take equally many
   steps with the same labelled images in each.

       build/examples/fixmatch                                          the images of this repository, 4 labels a class
       build/examples/fixmatch --data cifar10 --images 10000 --labels 25 --epochs 10 */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

typedef struct row_settings { sslh_data labelled, train, test; sslh_train_desc t; sslh_fixmatch_desc d; } row_settings;

/* Trains on labels alone (guesses 0) or by FixMatch, from a copy of the encoder, and prints a row. */
static void row(sslh_ctx *c, const char *name, sslh_net *encoder, const row_settings *s, int guesses) {
    sslh_fixmatch_desc d = s->d;
    sslh_method m;
    float accuracy;
    if (!guesses) d.weight = (float)SSLH_OFF;
    m = sslh_fixmatch(c, sslh_clone(encoder), s->labelled, d);
    train_interruptible(c, m, s->train, s->t);
    accuracy = sslh_fixmatch_evaluate(&m, s->test);
    stop_on_error(c);
    printf("  %-44s %5.1f %%\n", name, 100 * (double)accuracy);
    fflush(stdout);
}
static void probe(sslh_ctx *c, const char *name, sslh_net *encoder, const row_settings *s) {
    sslh_probe_desc p = {0};
    float accuracy = sslh_linear_probe(c, encoder, s->labelled, s->test, p);
    stop_on_error(c);
    printf("  %-44s %5.1f %%\n", name, 100 * (double)accuracy);
    fflush(stdout);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "FixMatch (Sohn et al. 2020) on a pretrained encoder.",
                              "  --labels N     labelled images of each class (4)\n"
                              "  --pretrain N   epochs of SimCLR before (5)\n"
                              "  --threshold R  a guess counts from this probability on (0.95)\n");
    int labels = 0, pretrain = 0;
    float threshold = 0;
    const own_option own[] = {{"--labels", OPTION_COUNT, &labels}, {"--pretrain", OPTION_COUNT, &pretrain},
                              {"--threshold", OPTION_SHARE, &threshold}, {NULL, OPTION_FLAG, NULL}};
    sslh_ctx *c = options_create(&o);
    sslh_convnet_desc e = {0};
    sslh_simclr_desc sd = {0};
    sslh_train_desc t = {0};
    row_settings s;
    sslh_net *encoder, *untrained;
    memset(&s, 0, sizeof s);
    options_own(own, argc, argv);
    options_load(c, &o, &s.train, &s.test);
    if (o.smoke) s.train = some_of(s.train, 300, o.seed), s.test = some_of(s.test, 200, o.seed);
    if (!labels) labels = 4;
    stop_on_error(c);
    option_refused(s.train.classes < 2, "--data", "has no classes, of which a few labels are needed");
    s.labelled = sslh_data_fraction(s.train, (double)labels * s.train.classes / (double)s.train.count, o.seed);
    e.channels = s.train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    t.epochs = pretrain ? pretrain : o.smoke ? 1 : 5;
    t.batch = s.train.count < 256 ? (int)s.train.count : 256;
    train_interruptible(c, sslh_simclr(c, encoder, sd), s.train, t);
    stop_on_error(c);
    sslh_set_preprocess(untrained, sslh_get_preprocess(encoder));
    s.t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 5;
    s.t.batch = o.batch;
    s.t.quiet = 1;
    s.d.threshold = threshold;
    printf("%d labelled of %d images, %d test images; SimCLR %d epochs, then %d epochs\n", (int)s.labelled.count,
           (int)s.train.count, (int)s.test.count, t.epochs, s.t.epochs);
    probe(c, "raw pixels, linear probe", NULL, &s);
    probe(c, "untrained encoder, linear probe", untrained, &s);
    probe(c, "pretrained encoder, linear probe", encoder, &s);
    row(c, "from scratch, labels only", untrained, &s, 0);
    row(c, "from scratch, FixMatch", untrained, &s, 1);
    row(c, "pretrained encoder, labels only", encoder, &s, 0);
    row(c, "pretrained encoder, FixMatch", encoder, &s, 1);
    return finish(c);
}
