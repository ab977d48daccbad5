/* What the page in this folder calls: training in small pieces, between which the browser's worker can answer, and
   pictures of what was learnt. `make web` compiles it to WebAssembly with clang and wasi-libc; files are those of
   files.js, in memory. Compiled for the machine itself, with WEB_NATIVE, it is the program whose numbers the test
   compares with those of the browser. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef WEB_NATIVE
#define EXPORT(name)
#else
#define EXPORT(name) __attribute__((export_name(#name)))
#endif

enum { PIECE = 4096, MAPPED = 600, JUDGED = 2000 }; /* steps of a piece, at most; test images on the map, judged */

static struct {
    sslh_ctx *c;
    sslh_data train, test;
    sslh_net *encoder;
    sslh_method m;
    sslh_train_desc t;
    char checkpoint[256], out[256];
    int64_t done, steps;
    char text[4096];              /* what the page says and hears: settings, numbers, errors */
    float losses[PIECE];          /* of each step of the latest piece */
} web;

EXPORT(web_text) char *web_text(void) { return web.text; }
EXPORT(web_losses) float *web_losses(void) { return web.losses; }

/* 0, or -1 with the error in web.text. */
static int answer(void) {
    if (!sslh_error(web.c)) return 0;
    snprintf(web.text, sizeof web.text, "%s", sslh_error(web.c));
    return -1;
}

static int after_step(const sslh_train_info *info, void *user) {
    (void)user;
    int64_t at = info->step - 1 - web.done;
    if (!info->epoch_end && at >= 0 && at < PIECE) web.losses[at] = info->loss;
    web.steps = info->method->steps; /* info->steps ends with the piece */
    return 0;
}

/* The first images of a folder, whose classes are mixed. */
static sslh_data first_images(const char *data, const char *part, int count) {
    char path[512];
    sslh_data d;
    snprintf(path, sizeof path, "%s/%s", data, part);
    d = sslh_load_images(web.c, path);
    return count < d.count ? sslh_data_range(d, 0, count) : d;
}

/* Prepares a run: web.text is the name of a method, a blank, and settings as sslh_method_make takes them. The images
   are those of the folder `data`; what is written goes to the folder `out`. */
static int start(const char *data, const char *out, int images, int epochs, int seed) {
    sslh_desc d = {0};
    sslh_convnet_desc e = {0};
    char name[64], settings[sizeof web.text];
    size_t length = strcspn(web.text, " ");
    snprintf(name, sizeof name, "%.*s", (int)length, web.text);
    snprintf(settings, sizeof settings, "%s", web.text + length);
    sslh_destroy(web.c);
    d.seed = (uint64_t)seed;
    d.portable_bits = 1; /* WebAssembly has no other: multiply-adds are rounded twice */
    web.c = sslh_create(d);
    web.train = first_images(data, "train", images);
    web.test = first_images(data, "test", JUDGED);
    snprintf(web.out, sizeof web.out, "%s", out);
    snprintf(web.checkpoint, sizeof web.checkpoint, "%s/run.ckpt", out);
    remove(web.checkpoint);
    web.encoder = NULL;
    e.channels = web.train.channels;
    e.widths[0] = 16, e.widths[1] = 32, e.widths[2] = 64, e.widths[3] = 128; /* half of the default: one thread */
    if (strcmp(name, "vae") != 0) web.encoder = sslh_convnet(web.c, e);
    web.m = sslh_method_make(web.c, name, web.encoder, web.train, settings);
    web.encoder = web.m.encoder;
    memset(&web.t, 0, sizeof web.t);
    web.t.epochs = epochs;
    web.t.quiet = 1;
    web.t.checkpoint = web.checkpoint;
    web.t.checkpoint_steps = INT64_MAX; /* only at the end of a piece */
    web.t.resume = 1;
    web.t.callback = after_step;
    web.m.defaults.epochs = epochs; /* for what follows the length of the run, such as a warm-up */
    web.done = 0;
    web.steps = 1;
    return answer();
}
EXPORT(web_start) int web_start(int images, int epochs, int seed) {
    return start("data", "out", images, epochs, seed);
}

/* Trains for so many more steps, PIECE at most. Returns the steps of the whole run, -1 on an error; the checkpoint
   makes the pieces one run, bit for bit. */
EXPORT(web_train) int web_train(int steps) {
    web.t.max_steps = web.done + (steps < PIECE ? steps : PIECE);
    sslh_train(web.c, web.m, web.train, web.t);
    if (answer()) return -1;
    web.done = web.t.max_steps < web.steps ? web.t.max_steps : web.steps;
    return (int)web.steps;
}
EXPORT(web_done) int web_done(void) { return (int)web.done; }

/* The share of test images whose neighbours among the training images have their label. -1 on an error. */
EXPORT(web_judge) double web_judge(void) {
    sslh_knn_desc k = {{0}, 0, 0, 0, 0};
    double share = (double)sslh_knn(web.c, web.encoder, web.train, web.test, k);
    return answer() ? -1 : share;
}

/* The pictures of the folder out: views.png (or rebuilt.png and samples.png), filters.png, map.png. */
EXPORT(web_draw) int web_draw(void) {
    sslh_ctx *c = web.c;
    char path[512];
    sslh_plot_desc plot = {0};
    sslh_feature_desc f = {0};
    sslh_data some = sslh_data_range(web.test, 0, MAPPED);
    sslh_push(c);
    if (strcmp(web.m.name, "vae") == 0) {
        sslh_loader_desc ld = {0};
        sslh_batch batch;
        sslh_tensor *mu, *rows[2];
        sslh_grid_desc g = {0};
        ld.batch = 16;
        ld.in_order = 1;
        if (sslh_next_batch(sslh_loader_new(c, web.test, ld), &batch)) {
            rows[0] = sslh_batch_images(c, batch);
            sslh_vae_encode(&web.m, rows[0], &mu, NULL);
            rows[1] = sslh_vae_decode(&web.m, mu);
            g.columns = 16;
            snprintf(path, sizeof path, "%s/rebuilt.png", web.out);
            sslh_picture_grid_ex(c, path, sslh_concat(c, rows, 2, 0), g);
            snprintf(path, sizeof path, "%s/samples.png", web.out);
            sslh_picture_grid_ex(c, path, sslh_vae_sample(&web.m, 64), g);
        }
    } else {
        snprintf(path, sizeof path, "%s/filters.png", web.out);
        sslh_picture_filters(c, path, sslh_tensor_at(web.encoder, 0, NULL, 0, NULL), 0);
    }
    snprintf(path, sizeof path, "%s/map.png", web.out);
    plot.names = some.class_names;
    sslh_picture_scatter_ex(c, path, sslh_pca(c, sslh_features(c, web.encoder, some, f), 2), some.labels,
                            some.classes, plot);
    sslh_pop(c);
    return answer();
}

/* views.png: eight images, each with seven views of it as the method sees them. A view of SimCLR shows at least the
   share crop_min of the image; rotation (crop_min 0) turns by quarters. */
EXPORT(web_views) int web_views(float crop_min) {
    enum { IMAGES = 8, VIEWS = 8 };
    static const int by_image[5] = {1, 0, 2, 3, 4}; /* (VIEWS,IMAGES,H,W,C) -> images first */
    sslh_ctx *c = web.c;
    const sslh_data d = web.train;
    sslh_recipe r = SSLH_VIEWS_SIMCLR;
    sslh_grid_desc g = {0};
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    sslh_tensor *view[VIEWS], *grid;
    char path[512];
    int v;
    r.crop_min = crop_min;
    if (crop_min <= 0) {
        memset(&r, 0, sizeof r);
        r.rotate90 = 1;
    }
    sslh_push(c);
    ld.batch = IMAGES;
    ld.in_order = 1;
    if (sslh_next_batch(sslh_loader_new(c, d, ld), &batch)) {
        view[0] = sslh_batch_images(c, batch);
        for (v = 1; v < VIEWS; v++) view[v] = sslh_views(c, batch, r, v);
        grid = sslh_concat(c, view, VIEWS, 0);
        grid = sslh_reshape(c, grid, sslh_dim5(VIEWS, batch.count, d.height, d.width, d.channels));
        grid = sslh_permute(c, grid, by_image);
        grid = sslh_reshape(c, grid, sslh_dim4(VIEWS * batch.count, d.height, d.width, d.channels));
        g.columns = VIEWS;
        g.originals = 1;
        snprintf(path, sizeof path, "%s/views.png", web.out);
        sslh_picture_grid_ex(c, path, grid, g);
    }
    sslh_pop(c);
    return answer();
}

/* The encoder as a file that any program with ssl.h loads: weights, architecture, preprocessing. */
EXPORT(web_save) int web_save(void) {
    char path[512];
    snprintf(path, sizeof path, "%s/encoder.safetensors", web.out);
    sslh_save_net(web.encoder, path);
    return answer();
}

/* web DATA OUT METHOD-AND-SETTINGS IMAGES EPOCHS SEED PIECES..: trains in pieces of so many steps, prints the losses
   with all their bits, and saves the encoder. */
#ifdef WEB_NATIVE
int main(int argc, char **argv) {
    int64_t k, from;
    int i, bad = argc < 8;
    if (!bad) {
        snprintf(web.text, sizeof web.text, "%s", argv[3]);
        bad = start(argv[1], argv[2], atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
    }
    for (i = 7; i < argc && !bad; i++) {
        from = web.done;
        bad = web_train(atoi(argv[i])) < 0;
        for (k = from; k < web.done && !bad; k++) printf("%.9g\n", (double)web.losses[k - from]);
    }
    if (!bad) bad = web_save();
    if (!bad) printf("%.9g\n", web_judge());
    if (bad) fprintf(stderr, "%s\n", argc < 8 ? "web DATA OUT METHOD IMAGES EPOCHS SEED PIECES.." : web.text);
    sslh_destroy(web.c);
    return bad != 0;
}
#endif
