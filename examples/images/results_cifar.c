/* The table of methods in docs/results.md: every method of ssl.h with one small encoder and one budget, a row each.

       results_cifar --method moco                     one row, or the rest of one that was interrupted
       results_cifar --method all --seed 2             all rows that the file of results does not have yet
       results_cifar --method simclr --set lr=0.3      with other settings than those of the table below

   The budget counts the images that pass through the encoder or a copy of it: both views of SimCLR, all four rotations,
   MoCo's keys as well as its queries. What is larger or smaller than an image of the data set counts by its area: nine
   tiles of 8 x 8 pixels are 9 * 64 / 1024 = 0.56 images of 32 x 32, the 49 overlapping patches of CPC v2 are 3.06.
   What a method hides still counts: all patches of an image reach MAE's first layer, a quarter of them the others.
   None of this has to be declared: the program watches a forward pass of the method and prints what it saw. A million
   images are 10 epochs of SimCLR on 50,000 images.

   A row is a line of name=value; the first values say which run it is, with all options that change its numbers. A row
   that exists is not made again, and a training that was killed continues from its last checkpoint in the folder --out.
   Numbers are those of the last epoch:

       linear, knn         of the encoder's output (maps and tokens averaged; of an encoder of patches the mean over
                           all patches of the image)
       block, grid         intermediate result whose map in grid x grid cells serves nearest neighbours best, among
                           training images: a part asks, another part answers (an encoder of patches is given whole
                           images)
       block_linear, ..    the two of the test images there
       NAME=               the method's second number (top-1, accuracy ..) on test images, with running statistics
       std, rank           of the features of the test images: 1/sqrt(D) is healthy, 0 is collapse; 1 .. D
       images_s            images through the encoder a second, in training */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <time.h>

/* Settings other than the defaults, which suit a budget of minutes. epochs=.. stands in place of the budget:
   transformers, whose images cost ten times as much, get some minutes instead. size: images are enlarged to it, for
   training and for probes. */
typedef struct entry { const char *name, *method, *settings; int size; } entry;
static const entry entries[] = {
    /* What is called untrained.. is a method's encoder with its first weights, given what the method gives it: images
       of the same size, with the same mean and deviation. "untrained" itself is given them as they are, as SimCLR and
       the training with labels are. */
    {"untrained_normalised", "rotation", "", 0}, /* by mean and deviation of the data, as most methods do */
    {"untrained_grey", "colorization", "", 0}, /* lightness alone */
    {"untrained_patches", "cpc2", "", 0},
    {"untrained_vit", "mae", "", 0}, /* normalised */
    {"untrained_autoencoder", "autoencoder", "", 0},
    {"untrained_vae", "vae", "", 0},
    {"untrained_gan", "gan", "", 0}, /* from -1 to 1 */
    {"rotation", "rotation", "", 0},
    {"jigsaw", "jigsaw", "", 0},
    {"untrained64", "jigsaw", "", 64}, /* normalised; what the two enlarged ones below are to be compared with */
    {"jigsaw64", "jigsaw", "", 64}, /* a tile of 8 pixels shows little of a thing */
    {"context", "context", "projection=1", 0},
    {"context64", "context", "projection=1", 64},
    {"autoencoder", "autoencoder", "epochs=20", 0}, /* a million images, as the others */
    {"vae", "vae", "", 0},
    {"simclr", "simclr", "views=simclr:0.2", 0}, /* milder crops than the default: the images are small */
    {"moco", "moco", "", 0},
    {"moco3", "moco", "version=3,temperature=0.2", 0},
    {"mae", "mae", "epochs=6", 0}, /* ten minutes on two cores */
    {"jepa", "jepa", "epochs=6,target_momentum=0.98", 0},
    {"colorization", "colorization", "head_hidden=64", 0}, /* the head of its example; the default costs more */
};
enum { ENTRIES = sizeof entries / sizeof *entries };

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
    sslh_tensor *labels = sslh_view_get(v, "labels"), *guess = sslh_argmax(m->ctx, logits, 1); /* (N) both */
    int i, right = 0;
    (void)phase;
    if (sslh_error(m->ctx)) return logits;
    for (i = 0; i < guess->shape[0]; i++) right += guess->ints[i] == labels->ints[i];
    m->numbers[0].value = (float)right / (float)guess->shape[0];
    return sslh_cross_entropy(m->ctx, logits, labels);
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
    m.numbers[0].name = "accuracy";
    m.defaults.batch = 128;
    m.defaults.lr = 0.1f;
    m.defaults.optimizer.kind = SSLH_SGD;
    m.defaults.optimizer.nesterov = 1;
    m.defaults.optimizer.weight_decay = 5e-4f;
    m.defaults.schedule = SSLH_COSINE;
    m.defaults.warmup = 1;
    return m;
}

/* --- what is trained --- */

/* The method of a row with its encoder: the small conv net, 32, 64, 128, 256 channels with stride 2, with a map as its
   output or without batch norm where the method asks for that; a small vision transformer; what the method makes
   itself. Colorization's is the same net too: of its three channels it is given L and zeros, also by the probes. */
static sslh_method make(sslh_ctx *c, const entry *e, const char *settings, sslh_data train) {
    const sslh_method_info *info;
    sslh_net *encoder = NULL;
    for (info = sslh_methods(NULL); info->name && strcmp(info->name, e->method); info++) {}
    if (info->name && !strcmp(info->encoder, "vit")) {
        sslh_vit_desc vit = {0};
        vit.image = train.height;
        vit.channels = train.channels;
        vit.patch = 4;
        vit.width = 96;
        vit.depth = 6;
        vit.heads = 3;
        vit.fixed_positions = 1;
        vit.mean_pool = 1;
        encoder = sslh_vit(c, vit);
    } else if (!info->name || strcmp(info->encoder, "own") != 0) {
        sslh_convnet_desc convnet = {0};
        convnet.channels = train.channels;
        convnet.map_output = info->name && !strcmp(info->encoder, "map");
        convnet.norm = info->name && !strcmp(info->encoder, "no_batch_norm"); /* of all channels of a sample */
        encoder = sslh_convnet(c, convnet);
    }
    if (!strcmp(e->method, "supervised")) return supervised_new(c, encoder, train);
    if (!strcmp(e->method, "untrained")) return sslh_method_new(c, "untrained", encoder, NULL, 0);
    return sslh_method_make(c, e->method, encoder, train, settings);
}

/* --- the budget --- */

/* Pixels that reach a first layer of the encoder or of a copy of it, which has a weight of the same name and shape. */
typedef struct meter { const sslh_tensor *weight[16]; int n, channels; double pixels; } meter;

static void count_pixels(const sslh_trace_event *event, void *user) {
    meter *p = (meter *)user;
    const sslh_tensor *x = event->input[0];
    int i;
    if (event->inputs < 2 || !x || !event->input[1]) return;
    for (i = 0; i < p->n; i++)
        if (event->input[1]->data && event->input[1]->data == p->weight[i]->data) /* (N,H,W,C), or rows of pixels */
            p->pixels += (double)x->count / (x->ndim == 4 ? x->shape[3] : p->channels);
}

static void meter_weights(meter *p, const sslh_method *m) {
    sslh_tensor *first = sslh_find(m->encoder, "patch_embed.proj.weight");
    char name[256], want[256];
    int i;
    for (i = 0; i < sslh_count_tensors(m->encoder); i++)
        if (sslh_tensor_at(m->encoder, i, want, sizeof want, NULL) == first || !first) break;
    first = sslh_tensor_at(m->encoder, i, want, sizeof want, NULL);
    for (i = 0; i < sslh_count_tensors(m->net) && p->n < 16; i++) {
        const sslh_tensor *t = sslh_tensor_at(m->net, i, name, sizeof name, NULL);
        size_t n = strlen(name), w = strlen(want);
        if (n > w && name[n - w - 1] == '.' && !strcmp(name + n - w, want) && t->ndim == first->ndim &&
            !memcmp(t->shape, first->shape, (size_t)t->ndim * sizeof *t->shape)) p->weight[p->n++] = t;
    }
}

/* Pixels of an image as the data set has it, before --size enlarges it. */
static double native_area(options o, sslh_data train) {
    sslh_data test;
    sslh_ctx *c;
    if (!o.size) return (double)train.height * train.width;
    o.size = 0;
    c = options_create(&o);
    options_load(c, &o, &train, &test);
    sslh_destroy(c);
    return (double)train.height * train.width;
}

/* The run itself warns. */
static void silent(void *user, const char *text) {
    (void)user;
    (void)text;
}

/* Images that pass through the encoder for one sample; 0 after an error. In a context of its own, so that the run knows
   nothing of it. */
static double images_per_sample(const options *o, const entry *e, const char *settings, sslh_data data) {
    sslh_desc desc = {0};
    sslh_ctx *c;
    sslh_data train;
    sslh_method m;
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    sslh_view_set v;
    meter p;
    int phase;
    memset(&p, 0, sizeof p);
    memset(&v, 0, sizeof v);
    desc.seed = o->seed;
    desc.threads = o->threads;
    desc.warn = silent;
    c = sslh_create(desc);
    train = sslh_data_from_fields(c, data.field, data.fields, data.count); /* the same pixels */
    m = make(c, e, settings, train);
    if (sslh_error(c)) return finish(c), 0;
    meter_weights(&p, &m);
    p.channels = train.channels;
    ld.batch = m.defaults.batch;
    if (m.prepare) m.prepare(&m, train);
    if (sslh_next_batch(sslh_loader_new(c, train, ld), &batch)) {
        m.views(&m, &batch, &v);
        sslh_trace(c, count_pixels, &p);
        for (phase = 0; phase < (m.phases > 1 ? m.phases : 1); phase++) m.loss(&m, &v, phase);
        sslh_trace(c, NULL, NULL);
        p.pixels /= native_area(*o, data) * batch.count;
    }
    return finish(c) ? 0 : p.pixels;
}

/* --- numbers --- */

typedef struct numbers {
    double linear, knn, block_linear, block_knn, second, std, rank;
    char block[16];
    int grid;
} numbers;

/* Features (count,D) of an intermediate result in grid x grid cells; tap NULL: of the output. */
static sslh_tensor *features(sslh_ctx *c, sslh_net *encoder, const char *tap, int grid, sslh_data data) {
    sslh_feature_desc f = {0};
    f.tap = tap;
    f.pool_grid = grid;
    return sslh_features(c, encoder, data, f);
}

/* Linear probe (NULL: none) and nearest neighbours by features of both sets, per cent. Both look at the same features:
   with a transformer or large images these take as long as the fit. */
static void probe(sslh_ctx *c, sslh_tensor *x, sslh_data known, sslh_tensor *y, sslh_data asked, double *linear,
                  double *knn) {
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_knn_desc k = {{0}, 0, 0, 0, 0};
    int classes = known.classes > asked.classes ? known.classes : asked.classes;
    if (linear)
        *linear = 100 * (double)sslh_linear_probe_features(c, x, known.labels, y, asked.labels, classes, p);
    *knn = 100 * (double)sslh_knn_features(c, x, known.labels, y, asked.labels, classes, k);
}

/* Width of an intermediate result in grid x grid cells; 0: there is none of this name, or its map cannot be cut like
   this. */
static int width_of(sslh_ctx *c, sslh_net *encoder, const char *tap, int grid, sslh_data data) {
    int64_t mark = sslh_mark(c);
    int width = features(c, encoder, tap, grid, sslh_data_range(data, 0, 1))->shape[1];
    if (sslh_error(c)) width = 0;
    if (sslh_error_code(c) == SSLH_E_SHAPE || sslh_error_code(c) == SSLH_E_USAGE) sslh_clear_error(c);
    sslh_rewind(c, mark);
    return width;
}

/* The largest of 4, 2 and 1 whose square of cells the result can be cut into, 1 for what is no map; 0: there is
   none of this name. */
static int grid_of(sslh_ctx *c, sslh_net *encoder, const char *tap, sslh_data data) {
    int whole = width_of(c, encoder, tap, 1, data), grid;
    for (grid = 4; grid > 1; grid /= 2)
        if (whole && width_of(c, encoder, tap, grid, data) == grid * grid * whole) return grid;
    return whole ? 1 : 0;
}

/* The block that nearest neighbours prefer, among training images: a fifth of some asks, the others answer. */
static void best_block(sslh_ctx *c, sslh_net *encoder, sslh_data train, numbers *out) {
    sslh_split_desc fifth = {0}; /* for the test, which is the default */
    sslh_split parts = sslh_data_split(some_of(train, 25000, 1), fifth);
    sslh_data known = parts.train, asked = parts.test;
    double best = -1, knn = 0;
    int i;
    for (i = 1; i <= 16 && !sslh_error(c); i++) {
        char tap[16];
        int grid;
        int64_t mark;
        snprintf(tap, sizeof tap, "%s%d", i <= 8 ? "block" : "layer", i <= 8 ? i : i - 8);
        grid = grid_of(c, encoder, tap, train);
        if (!grid) continue;
        mark = sslh_mark(c);
        probe(c, features(c, encoder, tap, grid, known), known, features(c, encoder, tap, grid, asked), asked, NULL,
              &knn);
        sslh_rewind(c, mark);
        fprintf(stderr, "%s in %d x %d cells: nearest neighbours %.1f among training images\n", tap, grid, grid, knn);
        if (knn <= best) continue;
        best = knn;
        out->grid = grid;
        snprintf(out->block, sizeof out->block, "%s", tap);
    }
}

/* output: the encoder whose output is probed; whole: the one whose intermediate results are, NULL: it has none. */
static numbers evaluate(sslh_ctx *c, sslh_net *output, sslh_net *whole, sslh_data train, sslh_data test) {
    numbers r;
    sslh_tensor *y = features(c, output, NULL, 1, test); /* before the mark: the net's own memory is laid out now */
    int64_t mark = sslh_mark(c);
    memset(&r, 0, sizeof r);
    r.std = (double)sslh_feature_std(y);
    if (y->shape[1] <= 1024) r.rank = (double)sslh_effective_rank(c, y); /* raw pixels would take minutes */
    probe(c, features(c, output, NULL, 1, train), train, y, test, &r.linear, &r.knn);
    sslh_rewind(c, mark);
    if (whole) best_block(c, whole, train, &r);
    if (r.grid) {
        y = features(c, whole, r.block, r.grid, test);
        probe(c, features(c, whole, r.block, r.grid, train), train, y, test, &r.block_linear, &r.block_knn);
        sslh_rewind(c, mark);
    }
    return r;
}

/* What is probed of a method: its encoder, of CPC v2 the mean over the patches that it was trained on. */
static sslh_net *probed(const sslh_method *m) {
#if SSLH_WITH_CPC2
    if (!strcmp(m->name, "cpc2") && !sslh_error(m->ctx)) {
        const sslh_cpc2_desc *d = (const sslh_cpc2_desc *)m->self; /* it begins with the method's settings */
        sslh_patch_encoder_desc p = {0};
        p.side = d->side;
        p.patch = d->patch;
        p.stride = d->stride;
        return sslh_patch_encoder(m->ctx, m->encoder, p);
    }
#endif
    return m->encoder;
}

/* --- rows --- */

/* A line of the file that begins like this is there. */
static int row_exists(const char *path, const char *key) {
    static char line[8192];
    FILE *f = fopen(path, "r");
    int found = 0;
    while (f && !found && fgets(line, sizeof line, f)) found = !strncmp(line, key, strlen(key));
    if (f) fclose(f);
    return found;
}

static int note_speed(const sslh_train_info *info, void *user) {
    *(double *)user = info->images_per_second;
    return interrupts;
}

typedef struct job { options o; const char *set, *results, *commit; double budget; } job;

/* Epochs that were asked for in place of the budget; 0: none. */
static int given_epochs(const options *o) { return o->epochs ? o->epochs : o->smoke ? 1 : 0; }

/* Trains; returns the epochs, and samples a second. The checkpoint stays until the row is written. */
static int train_row(sslh_ctx *c, const job *j, sslh_method m, sslh_data train, double per_sample,
                     const char *checkpoint, double *speed) {
    sslh_train_desc t = {0};
    double epochs = j->budget / per_sample / (double)train.count;
    t.epochs = given_epochs(&j->o);
    if (!t.epochs) t.epochs = m.defaults.epochs ? m.defaults.epochs : (int)(epochs + 0.5);
    if (!t.epochs) t.epochs = 1;
    t.batch = j->o.batch;
    t.checkpoint = checkpoint;
    t.resume = 1;
    t.callback = note_speed;
    t.user = speed;
    signal(SIGINT, on_interrupt);
    sslh_train(c, m, train, t);
    signal(SIGINT, SIG_DFL);
    if (interrupts && !sslh_error(c)) {
        fprintf(stderr, "interrupted; %s holds the run, which the same command continues\n", checkpoint);
        exit(finish(c));
    }
    return t.epochs;
}

/* One row of the table: trained, evaluated, written; 0, or 1 after an error. */
static int make_row(const job *j, const entry *e) {
    char settings[1024], key[2048], checkpoint[1100], row[4096], *p;
    double per_sample = 0, speed = 0;
    int epochs = 0, n, trained = strcmp(e->name, "raw") && strncmp(e->name, "untrained", strlen("untrained"));
    uint32_t hash = 2166136261u; /* FNV-1a: runs with other settings have other checkpoints */
    options o = j->o;
    sslh_data train, test;
    sslh_method m;
    sslh_ctx *c;
    numbers r;
    time_t begin;
    FILE *f;
    if (!o.size) o.size = e->size;
    snprintf(settings, sizeof settings, "%s%s%s", e->settings, e->settings[0] && j->set ? "," : "",
             j->set ? j->set : "");
    for (p = settings; *p; p++) if (*p == ' ') *p = ',';
    c = options_create(&o);
    options_load(c, &o, &train, &test);
    n = snprintf(key, sizeof key, "row data=%s%s%s train=%d test=%d size=%d method=%s seed=%lu budget=%.0f "
                 "settings=%s ", o.data, o.test ? "+" : "", o.test ? o.test : "", (int)train.count, (int)test.count,
                 train.height, e->name, o.seed, trained ? j->budget : 0, settings[0] ? settings : "-");
    snprintf(key + n, sizeof key - (size_t)n, "given=%d batch=%d bfloat16=%d plain=%d ",
             trained ? given_epochs(&o) : 0, trained ? o.batch : 0, o.bfloat16, o.plain);
    if (row_exists(j->results, key)) {
        printf("%s has this row: %s\n", j->results, key);
        return finish(c);
    }
    for (p = key; *p; p++) hash = (hash ^ (unsigned char)*p) * 16777619u;
    snprintf(checkpoint, sizeof checkpoint, "%s/results-%s-%08lx.safetensors", o.out, e->name, (unsigned long)hash);
    fprintf(stderr, "%s\n", key);
    begin = time(NULL);
    if (!strcmp(e->name, "raw")) {
        r = evaluate(c, NULL, NULL, train, test);
    } else {
        m = make(c, e, settings, train);
        if (sslh_error(c)) return finish(c);
        if (trained) {
            per_sample = images_per_sample(&o, e, settings, train);
            if (!(per_sample > 0)) { /* it said why, unless it found no first layer */
                fprintf(stderr, "%s: it is not known how many images a sample is\n", e->name);
                return finish(c) | 1;
            }
            fprintf(stderr, "%.4f images through the encoder for a sample\n", per_sample);
            epochs = train_row(c, j, m, train, per_sample, checkpoint, &speed);
            fprintf(stderr, "%d epochs of training: %.0f s\n", epochs, difftime(time(NULL), begin));
            begin = time(NULL);
        } else if (m.prepare) m.prepare(&m, train);
        if (sslh_error(c)) return finish(c);
        r = evaluate(c, probed(&m), m.encoder, train, test);
        if (trained && m.numbers[0].name)
            r.second = test_number(c, &m, test, m.defaults.batch ? m.defaults.batch : 256, 1);
    }
    if (sslh_error(c)) return finish(c);
    fprintf(stderr, "probes: %.0f s\n", difftime(time(NULL), begin));
    n = snprintf(row, sizeof row, "%sepochs=%d images=%.0f linear=%.2f knn=%.2f", key, epochs,
                 per_sample * epochs * (double)train.count, r.linear, r.knn);
    if (r.grid)
        n += snprintf(row + n, sizeof row - (size_t)n, " block=%s grid=%d block_linear=%.2f block_knn=%.2f", r.block,
                      r.grid, r.block_linear, r.block_knn);
    if (trained && m.numbers[0].name)
        n += snprintf(row + n, sizeof row - (size_t)n, " second=%s:%.4f", m.numbers[0].name, r.second);
    n += snprintf(row + n, sizeof row - (size_t)n, " std=%.4f", r.std);
    if (r.rank > 0) n += snprintf(row + n, sizeof row - (size_t)n, " rank=%.1f", r.rank);
    if (speed > 0)
        n += snprintf(row + n, sizeof row - (size_t)n, " images_s=%.0f threads=%d", speed * per_sample,
                      sslh_query(c).threads);
    if (j->commit) snprintf(row + n, sizeof row - (size_t)n, " commit=%s", j->commit);
    f = fopen(j->results, "a");
    if (!f || fprintf(f, "%s\n", row) < 0 || fclose(f)) {
        fprintf(stderr, "error: cannot write %s\n", j->results);
        return 1;
    }
    if (trained) remove(checkpoint);
    printf("%s\n", row);
    fflush(stdout);
    return finish(c);
}

/* A row by its name: one of the table above, a method of ssl.h with its defaults, or what there is to compare with. */
static entry entry_named(const char *name) {
    const sslh_method_info *info;
    entry e;
    int i;
    memset(&e, 0, sizeof e);
    for (i = 0; i < ENTRIES; i++) if (!strcmp(entries[i].name, name)) return entries[i];
    e.name = e.method = name;
    e.settings = "";
    for (info = sslh_methods(NULL); info->name; info++) if (!strcmp(info->name, name)) return e;
    if (strcmp(name, "raw") && strcmp(name, "untrained") && strcmp(name, "supervised")) {
        fprintf(stderr, "--method %s: there are all, raw, untrained, supervised", name);
        for (i = 0; i < ENTRIES; i++) fprintf(stderr, ", %s", entries[i].name);
        for (info = sslh_methods(NULL); info->name; info++) fprintf(stderr, ", %s", info->name);
        fprintf(stderr, "\n");
        exit(2);
    }
    return e;
}

/* All rows: what there is to compare with, the table above, methods that are not in it. */
static int all_rows(const job *j) {
    const sslh_method_info *info;
    entry e;
    int i, code;
    e = entry_named("raw");
    code = make_row(j, &e);
    e = entry_named("untrained");
    code |= make_row(j, &e);
    for (i = 0; i < ENTRIES; i++) code |= make_row(j, &entries[i]);
    for (info = sslh_methods(NULL); info->name; info++) {
        for (i = 0; i < ENTRIES && strcmp(entries[i].name, info->name) != 0; i++) {}
        e = entry_named(info->name);
        if (i == ENTRIES && info->make && strstr(info->input, "images")) code |= make_row(j, &e);
    }
    e = entry_named("supervised");
    return code | make_row(j, &e);
}

int main(int argc, char **argv) {
    job j;
    entry e;
    char results[1100];
    const char *name = "simclr";
    int budget = 1000000;
    const own_option own[] = {{"--method", OPTION_TEXT, &name}, {"--set", OPTION_TEXT, &j.set},
                              {"--results", OPTION_TEXT, &j.results}, {"--budget", OPTION_COUNT, &budget},
                              {"--commit", OPTION_TEXT, &j.commit}, {0}};
    memset(&j, 0, sizeof j);
    j.o = options_parse(
        &argc, argv, "A table of methods on CIFAR-10, with one encoder and one budget for all.",
        "  --method M     a row of the table (jigsaw64 ..), a method of ssl.h, or what there is to compare with: raw,\n"
        "                 untrained, supervised; all: every row (default simclr)\n"
        "  --budget N     images through the encoder (default 1000000), unless --epochs is given\n"
        "  --set F=V,..   settings of the method, after those of the table\n"
        "  --results FILE add rows to this file, and skip those that it has (default OUT/results.rows)\n"
        "  --commit TEXT  a note for the row\n");
    options_own(own, argc, argv);
    j.budget = budget;
    if (!j.o.data) j.o.data = "cifar10";
    if (!j.results) j.results = out_path(&j.o, results, sizeof results, "results.rows");
    if (!strcmp(name, "all")) return all_rows(&j);
    e = entry_named(name);
    return make_row(&j, &e);
}
