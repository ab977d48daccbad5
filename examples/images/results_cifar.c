/* The CIFAR-10 table of docs/results.md: linear probe and nearest neighbours on raw pixels, an untrained encoder,
   rotation prediction, SimCLR and, as the upper end, the same encoder trained with labels. One line per number:

       result method=simclr seed=1 epochs=40 tap=block4 grid=1 linear=.. knn=..

   30,000 training images (as many data_batch files as there are), tested on the official test images found beside
   them. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

/* --- the baseline with labels, as a method of our own: cross-entropy on augmented images --- */

typedef struct supervised { sslh_net *classifier; sslh_recipe views; } supervised;

static void supervised_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    const supervised *s = (const supervised *)m->self;
    sslh_view_add(out, "images", sslh_views(m->ctx, *batch, s->views, 0));
    sslh_view_add(out, "labels", sslh_batch_labels(m->ctx, *batch));
}

static sslh_tensor *supervised_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    const supervised *s = (const supervised *)m->self;
    sslh_tensor *logits = sslh_forward(s->classifier, sslh_forward(m->encoder, sslh_view_get(v, "images")));
    (void)phase;
    return sslh_cross_entropy(m->ctx, logits, sslh_view_get(v, "labels"));
}

static sslh_method supervised_new(sslh_ctx *c, sslh_net *encoder, sslh_data data) {
    supervised s;
    sslh_method m;
    sslh_mlp_desc head = {0};
    head.in = sslh_net_query(encoder).width;
    head.widths[0] = data.classes;
    s.classifier = sslh_mlp(c, head);
    s.views = SSLH_VIEWS_ROTATION; /* pad 4, crop, flip: the usual augmentation of CIFAR-10 */
    m = sslh_method_new(c, "supervised", encoder, &s, sizeof s);
    sslh_child(m.net, "classifier", s.classifier);
    m.views = supervised_views;
    m.loss = supervised_loss;
    m.defaults.batch = 128;
    m.defaults.lr = 0.1f;
    m.defaults.optimizer.kind = SSLH_SGD;
    m.defaults.optimizer.nesterov = 1;
    m.defaults.optimizer.weight_decay = 5e-4f;
    m.defaults.schedule = SSLH_COSINE;
    m.defaults.warmup = 1;
    return m;
}

/* --- numbers --- */

typedef struct run { const char *method; const options *o; int epochs; sslh_data train, test; } run;

/* grid: maps are averaged in grid x grid cells, which all count as features; 1: one average per channel. */
static void report(sslh_ctx *c, const run *r, sslh_net *encoder, const char *tap, int grid) {
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_knn_desc k = {{0}, 0, 0, 0, 0};
    double linear, knn;
    p.features.tap = k.features.tap = tap;
    p.features.pool_grid = k.features.pool_grid = grid;
    linear = 100 * (double)sslh_linear_probe(c, encoder, r->train, r->test, p);
    knn = 100 * (double)sslh_knn(c, encoder, r->train, r->test, k);
    if (sslh_error(c)) return;
    printf("result method=%s seed=%lu epochs=%d tap=%s grid=%d linear=%.2f knn=%.2f\n", r->method, r->o->seed,
           r->epochs, tap ? tap : "output", grid, linear, knn);
    fflush(stdout);
}

/* Every block: one average per channel, and in up to 4 x 4 cells (the maps are 16, 8, 4 and 2 pixels wide), because
   rotation prediction is judged by its maps and a block with more channels has more averages. */
static void report_blocks(sslh_ctx *c, const run *r, sslh_net *encoder) {
    static const int cells[4] = {4, 4, 4, 2};
    int block;
    for (block = 1; block <= 4; block++) {
        char tap[16];
        snprintf(tap, sizeof tap, "block%d", block);
        report(c, r, encoder, tap, 1);
        report(c, r, encoder, tap, cells[block - 1]);
    }
}

static int timing(const sslh_train_info *info, void *user) {
    if (info->step == info->steps) *(double *)user = info->seconds;
    return 0;
}

int main(int argc, char **argv) {
    options o = options_parse(
        &argc, argv, "The CIFAR-10 table: one method, one seed.",
        "  --method M     raw, untrained, supervised, or a method of sslh_methods (default simclr)\n"
        "  --set F=V,..   settings of the method, as pretrain takes them (not for rotation, simclr, mae)\n"
        "  --optimizer K  sgd, adam, adamw or lars, with --lr R and --decay R; default: the method's\n"
        "  --temperature T, --crop-min A, --hidden N   of SimCLR\n");
    sslh_ctx *c = options_create(&o);
    sslh_convnet_desc e = {0};
    sslh_rotation_desc rotation = {0};
    sslh_simclr_desc simclr = {0};
    sslh_recipe views = SSLH_VIEWS_SIMCLR;
    sslh_train_desc t = {0};
    sslh_method m;
    sslh_net *encoder;
    run r;
    double seconds = 0;
    const char *name = "simclr", *set = NULL, *v;
    int i;
    for (i = 1; i < argc; i++) {
        if ((v = option_value(argc, argv, &i, "--method")) != NULL) name = v;
        else if ((v = option_value(argc, argv, &i, "--set")) != NULL) set = v;
        else if ((v = option_value(argc, argv, &i, "--lr")) != NULL) t.lr = (float)atof(v);
        else if ((v = option_value(argc, argv, &i, "--decay")) != NULL) t.optimizer.weight_decay = (float)atof(v);
        else if ((v = option_value(argc, argv, &i, "--temperature")) != NULL) simclr.temperature = (float)atof(v);
        else if ((v = option_value(argc, argv, &i, "--crop-min")) != NULL) views.crop_min = (float)atof(v);
        else if ((v = option_value(argc, argv, &i, "--hidden")) != NULL)
            simclr.head_hidden = (int)option_number("--hidden", v);
        else if ((v = option_value(argc, argv, &i, "--optimizer")) != NULL) {
            static const char *const kinds[4] = {"sgd", "adam", "adamw", "lars"};
            int k;
            for (k = 0; k < 4; k++)
                if (!strcmp(v, kinds[k])) t.optimizer.kind = (sslh_optim_kind)(SSLH_SGD + k);
        } else {
            fprintf(stderr, "%s: unknown option (try --help)\n", argv[i]);
            return 2;
        }
    }
    if (!o.data) o.data = "cifar10";
    memset(&r, 0, sizeof r);
    r.method = name;
    r.o = &o;
    options_load(c, &o, &r.train, &r.test);
    if (!strcmp(name, "raw")) {
        report(c, &r, NULL, NULL, 1);
        return finish(c);
    }
    e.channels = r.train.channels;
    encoder = sslh_convnet(c, e); /* 3x3 convolutions with stride 2: 32, 64, 128, 256 */
    t.epochs = o.epochs;
    t.batch = o.batch;
    t.callback = timing;
    t.user = &seconds;
    if (!strcmp(name, "untrained")) {
        report_blocks(c, &r, encoder);
        return finish(c);
    } else if (!strcmp(name, "rotation")) {
        if (!t.epochs) t.epochs = o.smoke ? 1 : 25;
        m = sslh_rotation(c, encoder, rotation);
    } else if (!strcmp(name, "simclr")) {
        if (!t.epochs) t.epochs = o.smoke ? 1 : 40;
        simclr.views = &views;
        m = sslh_simclr(c, encoder, simclr);
    } else if (!strcmp(name, "mae")) { /* its encoder: a small vision transformer */
        sslh_mae_desc mae = {0};
        sslh_vit_desc vit = {0};
        vit.image = r.train.height;
        vit.channels = r.train.channels;
        vit.patch = 4;
        vit.width = 96;
        vit.depth = 6;
        vit.heads = 3;
        vit.fixed_positions = 1;
        vit.mean_pool = 1;
        encoder = sslh_vit(c, vit);
        if (!t.epochs) t.epochs = o.smoke ? 1 : 20;
        if (t.lr == 0.0f) t.lr = 1e-3f;
        m = sslh_mae(c, encoder, mae);
    } else if (!strcmp(name, "supervised")) {
        sslh_preprocess p = {0, 0, 0, {0}, {0}};
        supervised *s;
        if (!t.epochs) t.epochs = o.smoke ? 1 : 30;
        m = supervised_new(c, encoder, r.train);
        s = (supervised *)m.self;
        sslh_data_mean_std(r.train, p.mean, p.std);
        memcpy(s->views.mean, p.mean, sizeof p.mean);
        memcpy(s->views.std, p.std, sizeof p.std);
        sslh_set_preprocess(encoder, p);
    } else {
        if (!t.epochs) t.epochs = o.smoke ? 1 : 20; /* a million images */
        m = sslh_method_make(c, name, encoder, r.train, set);
        stop_on_error(c);
    }
    r.epochs = t.epochs;
    const double loss = (double)sslh_train(c, m, r.train, t);
    stop_on_error(c);
    printf("time method=%s seed=%lu epochs=%d seconds=%.0f loss=%.4f\n", name, o.seed, t.epochs, seconds, loss);
    fflush(stdout);
    if (!strcmp(name, "rotation")) report_blocks(c, &r, encoder);
    else report(c, &r, encoder, strcmp(name, "mae") ? "block4" : "tokens", 1); /* pooled, this is the output */
    return finish(c);
}
