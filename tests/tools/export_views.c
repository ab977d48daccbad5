/* Streams the augmented views of a training run to standard output, batch by batch, in the order and with the bits that
   sslh_train sees them: what is drawn for a sample depends on (seed, epoch, sample, view) only, so a second program can
   train on exactly our views. tests/torch/simclr_compare.py reads this through a pipe.

       export_views FOLDER SEED EPOCHS BATCH [recipe] [threads]     recipe: simclr (default), rotation, mae, none

   Layout, in the machine's byte order: int32 batches, N, H, W, C, views; then for every batch int32 index (N), int32
   label (N), and each view as float32 (N,H,W,C). */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sslh_recipe recipe_named(const char *name, sslh_data data) {
    sslh_recipe r = SSLH_VIEWS_NONE;
    if (!strcmp(name, "simclr")) r = SSLH_VIEWS_SIMCLR;
    if (!strcmp(name, "mae")) r = SSLH_VIEWS_MAE;
    if (!strcmp(name, "rotation")) {
        r = SSLH_VIEWS_ROTATION;
        sslh_data_mean_std(data, r.mean, r.std);
    }
    return r;
}

static int put(const void *p, size_t bytes) { return fwrite(p, 1, bytes, stdout) == bytes; }

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: export_views FOLDER SEED EPOCHS BATCH [recipe] [threads]\n");
        return 2;
    }
    sslh_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.seed = strtoull(argv[2], NULL, 10);
    desc.threads = argc > 6 ? atoi(argv[6]) : 1;
    sslh_ctx *c = sslh_create(desc);
    sslh_data data = sslh_load_images(c, argv[1]);
    sslh_loader_desc order;
    memset(&order, 0, sizeof order);
    order.epochs = atoi(argv[3]);
    order.batch = atoi(argv[4]);
    sslh_loader *loader = sslh_loader_new(c, data, order);
    sslh_recipe recipe = recipe_named(argc > 5 ? argv[5] : "simclr", data);

    int32_t head[6] = { 0, order.batch, data.height, data.width, data.channels, 2 };
    head[0] = (int32_t)(sslh_loader_steps(loader) * order.epochs);
    int ok = !sslh_error(c) && put(head, sizeof head);
    sslh_batch batch;
    while (ok && sslh_next_batch(loader, &batch)) {
        size_t n = (size_t)batch.count;
        ok = put(batch.index, n * sizeof(int32_t)) && put(batch.labels, n * sizeof(int32_t));
        for (int view = 0; view < 2 && ok; view++) {
            sslh_tensor *x = sslh_views(c, batch, recipe, view);
            ok = !sslh_error(c) && put(x->data, x->count * sizeof(float));
        }
    }
    if (sslh_error(c)) fprintf(stderr, "%s\n", sslh_error(c));
    int bad = sslh_error(c) != NULL;
    sslh_destroy(c);
    return bad;
}
