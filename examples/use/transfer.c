/* What one net hands on to another, in four experiments:

     transfer distill     a small net learns from few labels alone, and from a larger net that was pretrained without
                          labels (SimCLR) and has seen the same few; from its logits, or from its features only
     transfer finetune    pretrained on five classes, used for the five others: 1, 10 and 100 % of the labels, beside
                          the same net from scratch with as many steps; blocks frozen, rates that differ by block
     transfer grow        a trained net is made wider and deeper and goes on, beside the large net from scratch
     transfer prune       filters are removed, the smallest or any; accuracy at once and after two epochs; a picture

   Without a name all four. Numbers are test accuracies; a +- b: mean and standard deviation over --seeds runs (default
   3). --epochs is for the pretraining (default 10), --onto SET fine-tunes on another set instead of other classes. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <math.h>

typedef struct setup {
    sslh_ctx *c;
    options o;
    sslh_data train, test;
    const char *onto;
    int run;           /* from 0: every run has a context and a seed of its own */
    int epochs, steps; /* of pretraining; updates with labels */
    float labels;      /* share of the labels in `distill` */
} setup;

enum { MOST_ROWS = 32, MOST_SEEDS = 16 };
static const char *row_name[MOST_ROWS];
static double row_value[MOST_ROWS][MOST_SEEDS];
static int row_count;

/* Keeps a value for the row of this name; rows are printed in the order of their first value. */
static void note(const setup *s, const char *name, double value) {
    int i = 0;
    while (i < row_count && strcmp(row_name[i], name)) i++;
    if (i == MOST_ROWS || sslh_error(s->c)) return;
    if (i == row_count) row_name[row_count++] = name;
    row_value[i][s->run] = value;
    printf("  seed %lu  %-54s %5.1f %%\n", s->o.seed, name, 100 * value);
    fflush(stdout);
}
static void table(int runs) {
    int i, k;
    printf("\n");
    for (i = 0; i < row_count; i++) {
        double mean = 0, square = 0;
        for (k = 0; k < runs; k++) mean += row_value[i][k] / runs;
        for (k = 0; k < runs; k++) square += (row_value[i][k] - mean) * (row_value[i][k] - mean);
        printf("%-54s %5.1f +- %.1f %%\n", row_name[i], 100 * mean, runs > 1 ? 100 * sqrt(square / (runs - 1)) : 0.0);
    }
}

/* Blocks of these widths, ended by 0. */
static sslh_net *convnet(const setup *s, int a, int b, int d, int e) {
    sslh_convnet_desc desc = {0};
    desc.channels = s->train.channels;
    desc.widths[0] = a;
    desc.widths[1] = b;
    desc.widths[2] = d;
    desc.widths[3] = e;
    return sslh_convnet(s->c, desc);
}
/* Epochs that make about this many updates. */
static int epochs_for(int64_t samples, int batch, int steps) {
    const int64_t each = samples < batch ? 1 : samples / batch;
    return (int)((steps + each - 1) / each);
}
static void pretrain(const setup *s, sslh_net *net, sslh_data data) {
    sslh_simclr_desc sd = {0};
    sslh_train_desc d = {0};
    d.epochs = s->epochs;
    d.batch = 256;
    d.quiet = s->o.smoke;
    sslh_train(s->c, sslh_simclr(s->c, net, sd), data, d);
}

/* --- a teacher ---------------------------------------------------------------------------------------------------- */

/* Accuracy of logistic regression on the features of so many labels. */
static double probe(const setup *s, sslh_net *net) {
    sslh_probe_desc d = {0};
    d.fraction = s->labels;
    d.seed = (uint64_t)s->run;
    return (double)sslh_linear_probe(s->c, net, s->train, s->test, d);
}
/* The encoder with logistic regression on the same few labels: a net that gives logits. */
static sslh_net *with_classes(const setup *s, sslh_net *encoder) {
    sslh_feature_desc fd = {0};
    sslh_logistic_desc ld = {0};
    sslh_data few = sslh_data_fraction(s->train, (double)s->labels, (uint64_t)s->run);
    ld.l2 = 1e-2f;
    return sslh_classifier_net(sslh_logistic(s->c, sslh_features(s->c, encoder, few, fd), few.labels, few.classes, ld),
                               encoder);
}

static void distill(const setup *s) {
    static const char *const kinds[5] = {"student of the teacher's logits, no label", "student of hints, then probe",
                                         "student of relations, then probe", "student of similarities, then probe",
                                         "student of directions (regression), then probe"};
    sslh_ctx *c = s->c;
    sslh_net *teacher = convnet(s, 32, 64, 128, 256), *classes, *student = convnet(s, 8, 16, 32, 0), *alone;
    sslh_finetune_desc tune = {0};
    sslh_recipe shifts = SSLH_VIEWS_ROTATION; /* those of sslh_distill */
    int kind;
    pretrain(s, teacher, s->train);
    classes = with_classes(s, teacher);
    note(s, "teacher: pretrained, then the few labels", (double)sslh_net_accuracy(c, classes, s->test));
    alone = sslh_clone(student);
    same_images(alone, teacher);
    tune.fraction = s->labels;
    tune.seed = (uint64_t)s->run;
    tune.epochs = epochs_for((int64_t)((float)s->train.count * s->labels + 0.5f), 128, s->steps);
    tune.lr = 5e-3f;
    note(s, "student alone: the few labels, as many updates", (double)sslh_finetune(c, alone, s->train, s->test, tune));
    tune.views = &shifts;
    note(s, "student alone, views shifted instead of cropped",
         (double)sslh_finetune(c, alone, s->train, s->test, tune));
    for (kind = 0; kind <= SSLH_DISTILL_REGRESSION && !sslh_error(c); kind++) {
        sslh_distill_desc dd = {0};
        sslh_train_desc d = {0};
        sslh_method m;
        dd.kind = kind ? kind : SSLH_DISTILL_LOGITS;
        dd.queue = 1024;
        if (!kind) { /* with the labels that there are */
            dd.labels = 0.1f;
            dd.fraction = s->labels;
            dd.fraction_seed = s->run;
        }
        d.epochs = epochs_for(s->train.count, 128, s->steps);
        d.batch = 128;
        d.lr = 5e-3f;
        d.quiet = 1;
        m = sslh_distill(c, sslh_clone(student), kind <= SSLH_DISTILL_LOGITS ? classes : teacher, dd);
        sslh_train(c, m, s->train, d);
        if (kind > SSLH_DISTILL_LOGITS) note(s, kinds[kind - 1], probe(s, m.encoder));
        else note(s, kind ? kinds[0] : "student of logits and the few labels",
                  (double)sslh_net_accuracy(c, sslh_distill_classifier(&m), s->test));
    }
}

/* --- another task ------------------------------------------------------------------------------------------------- */

static void finetune(const setup *s) {
    static const char *const names[5] = {"from scratch", "pretrained", "pretrained, 2 blocks frozen",
                                         "pretrained, layer decay 0.5", "pretrained, all frozen"};
    static char label[15][64];
    static const float fraction[3] = {0.01f, 0.1f, 1};
    sslh_ctx *c = s->c;
    sslh_data first = s->train, train = s->train, test = s->test;
    sslh_net *net, *untrained;
    int share, way;
    if (s->onto) {
        options other = s->o;
        other.data = s->onto;
        other.images = 0;
        options_load(c, &other, &train, &test);
    } else {
        char early[64] = "", late[64] = "";
        for (way = 0; way < s->train.classes && way < 10; way++) {
            char *to = way < s->train.classes / 2 ? early : late;
            const char *name = s->train.class_names ? s->train.class_names[way] : NULL;
            char number[8];
            snprintf(number, sizeof number, "%d", way);
            if (strlen(to) + strlen(name ? name : number) + 2 < sizeof early) {
                if (*to) strcat(to, ",");
                strcat(to, name ? name : number);
            }
        }
        first = sslh_data_where(s->train, "class", early);
        train = sslh_data_where(s->train, "class", late);
        test = sslh_data_where(s->test, "class", late);
        if (!sslh_error(c)) printf("pretraining on %s; fine-tuning on %s\n", early, late);
    }
    if (sslh_error(c)) return;
    printf("pretraining: %.0f images; fine-tuning: %.0f, about %d updates each\n", (double)first.count,
           (double)train.count, s->steps);
    net = convnet(s, 32, 64, 128, 256);
    untrained = sslh_clone(net);
    pretrain(s, net, first);
    same_images(untrained, net);
    for (share = 0; share < 3; share++)
        for (way = 0; way < 5; way++) {
            sslh_finetune_desc d = {0};
            d.fraction = fraction[share];
            d.seed = (uint64_t)s->run;
            d.batch = 64;
            d.epochs = epochs_for((int64_t)((float)train.count * fraction[share] + 0.5f), d.batch, s->steps);
            d.warmup = 0.1f * (float)d.epochs;
            d.lr = 1e-3f;
            d.head_lr = 3;
            if (way == 2) d.freeze = 2;
            if (way == 3) d.layer_decay = 0.5f;
            if (way == 4) d.freeze = 4;
            snprintf(label[5 * share + way], sizeof label[0], "%3.0f %% of the labels: %s",
                     100 * (double)fraction[share], names[way]);
            note(s, label[5 * share + way], (double)sslh_finetune(c, way ? net : untrained, train, test, d));
        }
}

/* --- another shape ------------------------------------------------------------------------------------------------ */

/* Trains a net that gives logits; the test accuracy after each epoch goes into curve (epochs) unless that is NULL. */
static double train_labels(const setup *s, sslh_net *net, int epochs, float lr, float *curve) {
    sslh_ctx *c = s->c;
    const int64_t mark = sslh_mark(c);
    sslh_optimizer_desc od = {0};
    sslh_loader_desc ld = {0};
    sslh_optimizer *o;
    sslh_loader *loader;
    sslh_batch batch;
    int64_t step = 0, each;
    od.kind = SSLH_ADAMW;
    od.weight_decay = 0.01f;
    ld.batch = 128;
    ld.epochs = epochs;
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, net);
    loader = sslh_loader_new(c, s->train, ld);
    each = sslh_loader_steps(loader);
    sslh_train_mode(net, 1);
    while (sslh_next_batch(loader, &batch)) {
        sslh_recipe r = SSLH_VIEWS_MAE;
        sslh_tensor *x, *logits;
        r.crop_min = 0.6f;
        x = normalised(c, net, sslh_views(c, batch, r, 0));
        logits = sslh_forward(net, x);
        sslh_backward(c, sslh_cross_entropy(c, logits, sslh_batch_labels(c, batch)));
        sslh_optimizer_step(o, sslh_cosine(step, each * epochs, 0, lr));
        if (++step % each == 0 && curve) {
            sslh_push(c);
            curve[step / each - 1] = sslh_net_accuracy(c, net, s->test);
            sslh_pop(c);
        }
    }
    sslh_train_mode(net, 0);
    if (!sslh_error(c)) sslh_rewind(c, mark);
    return (double)sslh_net_accuracy(c, net, s->test);
}
/* The net's encoder (or another one) with a head whose values are those of the net's head. */
static sslh_net *same_head(const setup *s, sslh_net *net, sslh_net *encoder) {
    return sslh_chain(s->c, encoder, sslh_clone(sslh_child_at(net, 1)));
}
static sslh_net *classifier(const setup *s, sslh_net *encoder) {
    sslh_mlp_desc head = {0};
    sslh_preprocess p = {0};
    head.in = sslh_net_query(encoder).width;
    head.widths[0] = s->train.classes;
    sslh_data_mean_std(s->train, p.mean, p.std);
    sslh_set_preprocess(encoder, p);
    return sslh_chain(s->c, encoder, sslh_mlp(s->c, head));
}
/* A batch of images as the net takes them. */
static sslh_tensor *some_images(const setup *s, sslh_net *net) {
    static int32_t index[256];
    sslh_batch b;
    int i;
    memset(&b, 0, sizeof b);
    b.data = s->train;
    b.count = s->train.count < 256 ? (int)s->train.count : 256;
    for (i = 0; i < b.count; i++) index[i] = (int32_t)(s->train.count * i / b.count);
    b.index = index;
    return sslh_persist(normalised(s->c, net, sslh_batch_images(s->c, b)));
}

static void grow(const setup *s) {
    enum { FIRST = 6, THEN = 4 };
    static const char *const names[2] = {"grown", "large net from scratch"};
    static const char *const after[2][THEN] = {
        {"grown: 1 epoch later", "grown: 2 epochs later", "grown: 3 epochs later", "grown: 4 epochs later"},
        {"from scratch: 1 epoch", "from scratch: 2 epochs", "from scratch: 3 epochs", "from scratch: 4 epochs"}};
    static const int widths[5] = {32, 64, 64, 64, 64}, strides[5] = {2, 2, 1, 1, 2};
    const int first = s->o.smoke ? 1 : FIRST, then = s->o.smoke ? 1 : THEN;
    sslh_ctx *c = s->c;
    sslh_net *small = classifier(s, convnet(s, 16, 32, 64, 0)), *encoder = sslh_child_at(small, 0), *grown, *large;
    sslh_convnet_desc shape = {0};
    sslh_widen_desc w = {0};
    sslh_deepen_desc d = {0};
    float curve[2][THEN];
    int i;
    note(s, "small net (16,32,64), 6 epochs", train_labels(s, small, first, 3e-3f, NULL));
    for (w.layer = 1; w.layer <= 2; w.layer++) encoder = sslh_net_widen(encoder, w);
    d.sample = some_images(s, encoder);
    for (d.layer = 2; d.layer <= 3; d.layer++) encoder = sslh_net_deepen(encoder, d);
    grown = same_head(s, small, encoder);
    note(s, "grown to (32,64,64,64,64), at once", (double)sslh_net_accuracy(c, grown, s->test));
    shape.channels = s->train.channels;
    memcpy(shape.widths, widths, sizeof widths);
    memcpy(shape.strides, strides, sizeof strides);
    large = classifier(s, sslh_convnet(c, shape));
    train_labels(s, grown, then, 1e-3f, curve[0]);
    train_labels(s, large, then, 3e-3f, curve[1]);
    if (sslh_error(c)) return;
    for (i = 0; i < 2 * then; i++) note(s, after[i / then][i % then], (double)curve[i / then][i % then]);
    if (!s->run) {
        char path[1024];
        float both[2 * THEN];
        sslh_plot_desc p = {0};
        for (i = 0; i < 2 * then; i++) both[i] = 100 * curve[i / then][i % then];
        p.title = "A net that was made wider and deeper, beside one of its shape";
        p.x = "epoch";
        p.y = "test accuracy, %";
        p.names = names;
        sslh_picture_curves_ex(c, out_path(&s->o, path, sizeof path, "grow.png"), both, 2, then, p);
    }
}

static void prune(const setup *s) {
    enum { SHARES = 4 };
    static const float share[SHARES] = {0.25f, 0.5f, 0.75f, 0.9f};
    static const char *const kinds[3] = {"smallest weights", "smallest gains", "random"};
    static const char *const names[4] = {"smallest go, at once", "any go, at once", "smallest go, 2 epochs later",
                                         "any go, 2 epochs later"};
    static char label[6 * SHARES][64];
    sslh_ctx *c = s->c;
    sslh_net *net = classifier(s, convnet(s, 32, 64, 128, 64)), *encoder = sslh_child_at(net, 0);
    float curve[4][SHARES + 1];
    int k, i, later;
    const double whole = train_labels(s, net, s->o.smoke ? 1 : 6, 3e-3f, NULL);
    note(s, "all filters", whole);
    for (k = 0; k < 4; k++) curve[k][0] = (float)(100 * whole);
    for (k = 0; k < 3; k++)
        for (i = 0; i < SHARES; i++) {
            sslh_prune_desc d = {0};
            sslh_net *small;
            d.share = share[i];
            d.kind = k + 1;
            d.seed = (uint64_t)s->run;
            small = same_head(s, net, sslh_net_prune_filters(encoder, d));
            for (later = 0; later < (k == 1 ? 1 : 2); later++) {
                const double right = later ? train_labels(s, small, s->o.smoke ? 1 : 2, 1e-3f, NULL)
                                           : (double)sslh_net_accuracy(c, small, s->test);
                char *text = label[(3 * later + k) * SHARES + i];
                snprintf(text, sizeof label[0], "%2.0f %% fewer filters (%s)%s", 100 * (double)share[i], kinds[k],
                         later ? ", 2 epochs later" : "");
                note(s, text, right);
                if (k != 1) curve[2 * later + k / 2][i + 1] = (float)(100 * right);
            }
        }
    if (!s->run) {
        char path[1024];
        sslh_plot_desc p = {0};
        p.title = "Without a share of the filters";
        p.x = "1: none, 2: 25 %, 3: 50 %, 4: 75 %, 5: 90 % of the filters removed";
        p.y = "test accuracy, %";
        p.names = names;
        sslh_picture_curves_ex(c, out_path(&s->o, path, sizeof path, "prune.png"), curve[0], 4, SHARES + 1, p);
    }
}

int main(int argc, char **argv) {
    static const struct { const char *name; void (*run)(const setup *s); } parts[4] = {
        {"distill", distill}, {"finetune", finetune}, {"grow", grow}, {"prune", prune}};
    setup s;
    int i, which = 4, seeds = 3, code = 0;
    memset(&s, 0, sizeof s);
    s.labels = 0.01f;
    s.steps = 780;
    if (argc > 1)
        for (i = 0; i < 4; i++) if (!strcmp(argv[1], parts[i].name)) which = i;
    if (which < 4) {
        argv[1] = argv[0];
        argc--;
        argv++;
    }
    s.o = options_parse(&argc, argv, "transfer [distill | finetune | grow | prune]: what one net hands on to another.",
                        "  --seeds N      runs (3)                       --steps N     updates with labels (780)\n"
                        "  --labels X     share of the labels in distill (0.01)\n"
                        "  --onto SET     finetune: on another set instead of the other classes of the same one\n");
    {
        const own_option own[] = {{"--seeds", OPTION_COUNT, &seeds}, {"--steps", OPTION_COUNT, &s.steps},
                                  {"--labels", OPTION_SHARE, &s.labels}, {"--onto", OPTION_TEXT, &s.onto}, {0}};
        options_own(own, argc, argv);
    }
    if (seeds > MOST_SEEDS) seeds = MOST_SEEDS;
    s.epochs = s.o.epochs ? s.o.epochs : 10;
    if (s.o.smoke) {
        s.epochs = seeds = 1;
        s.steps = 8;
        if (!s.o.images) s.o.images = 1000;
    }
    for (i = which % 4; i < (which < 4 ? which + 1 : 4) && !code; i++) {
        const unsigned long seed = s.o.seed;
        row_count = 0;
        for (s.run = 0; s.run < seeds && !code; s.run++, s.o.seed++) {
            s.c = options_create(&s.o);
            options_load(s.c, &s.o, &s.train, &s.test);
            if (!s.train.labels && !sslh_error(s.c)) sslh_fail(s.c, SSLH_E_USAGE, "the images need labels");
            if (!s.run && !sslh_error(s.c)) printf("%s%s\n", i > which % 4 ? "\n" : "", parts[i].name);
            if (!sslh_error(s.c)) parts[i].run(&s);
            code = finish(s.c);
        }
        s.o.seed = seed;
        if (!code) table(seeds);
    }
    return code;
}
