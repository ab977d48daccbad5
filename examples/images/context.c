/* Context prediction: pretrains by telling on which side of a patch another one lay, then probes every block, and draws
   the patches that the encoder finds most alike. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { QUERIES = 6, NEAREST = 5, IMAGES = 400 };

/* Patches (N,p,p,C) as (2) of >>context makes them, but in colour: no channel has a mean, the mean square is 1. */
static sslh_tensor *patches_normalised(sslh_ctx *c, sslh_tensor *x) {
    const int places = SSLH_AXIS(1) | SSLH_AXIS(2);
    x = sslh_sub(c, x, sslh_mean(c, x, places, 1));
    return sslh_standardize(c, x, places | SSLH_AXIS(3), 0);
}

/* The rows of unit features f that are nearest to row query, one for each image, the query's own left out: near
   (NEAREST). patches of one image stand together, so many an image. */
static void nearest(const sslh_tensor *f, int query, int many, int near_rows[NEAREST]) {
    size_t width = (size_t)f->shape[1], k;
    double best[NEAREST];
    int n, i, j, found = 0;
    for (n = 0; n < f->shape[0] / many; n++) {
        double most = -2;
        int row = -1;
        if (n == query / many) continue;
        for (j = n * many; j < (n + 1) * many; j++) {
            double s = 0;
            for (k = 0; k < width; k++)
                s += (double)f->data[(size_t)j * width + k] * (double)f->data[(size_t)query * width + k];
            if (s > most) most = s, row = j;
        }
        for (i = found < NEAREST ? found++ : NEAREST; i > 0 && most > best[i - 1]; i--)
            if (i < NEAREST) best[i] = best[i - 1], near_rows[i] = near_rows[i - 1];
        if (i < NEAREST) best[i] = most, near_rows[i] = row;
    }
}

/* The row of the patch with the most contrast among those of an image, rows first .. first + many - 1. */
static int contrast(const sslh_tensor *x, int first, int many) {
    size_t n = x->count / (size_t)x->shape[0], k;
    double most = -1;
    int row, best = first;
    for (row = first; row < first + many; row++) {
        double sum = 0, square = 0;
        for (k = 0; k < n; k++) {
            double v = (double)x->data[(size_t)row * n + k];
            sum += v;
            square += v * v;
        }
        if (square - sum * sum / (double)n > most) most = square - sum * sum / (double)n, best = row;
    }
    return best;
}

/* A row for each query: the patch, its nearest ones by the encoder's features, a gap, its nearest ones by pixels. */
static void picture_nearest(sslh_ctx *c, sslh_net *encoder, sslh_data data, const char *path) {
    const char *heads[2 * NEAREST + 2] = {NULL};
    sslh_grid_desc g = {0};
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    int side = (data.height < data.width ? data.height : data.width) / 4, columns = 2 * NEAREST + 2, many, q, i, way;
    ld.batch = IMAGES;
    ld.in_order = 1;
    if (sslh_next_batch(sslh_loader_new(c, data, ld), &batch)) {
        /* all patches at distances of a patch: (N,K,p,p,C), then all in one batch */
        sslh_tensor *patches = sslh_unfold(c, sslh_batch_images(c, batch), side, side, side, side);
        sslh_tensor *x, *features[2], *shown, *row[2 * NEAREST + 2], *rows[QUERIES];
        if (sslh_error(c)) return;
        many = patches->shape[1];
        x = sslh_reshape(c, patches, sslh_dim4(-1, side, side, data.channels));
        sslh_train_mode(encoder, 0);
        features[0] = sslh_forward(encoder, patches_normalised(c, x));
        features[1] = sslh_reshape(c, patches_normalised(c, x), sslh_dim2(x->shape[0], -1));
        for (way = 0; way < 2; way++) { /* cosine, with the mean of all taken away */
            features[way] = sslh_sub(c, features[way], sslh_mean(c, features[way], SSLH_AXIS(0), 1));
            features[way] = sslh_l2_normalize(c, features[way], 0);
        }
        for (q = 0; q < QUERIES && !sslh_error(c); q++) {
            int query = contrast(x, q * batch.count / QUERIES * many, many), near_rows[NEAREST];
            row[0] = sslh_slice(c, x, 0, query, query + 1);
            row[NEAREST + 1] = sslh_full(c, sslh_dim4(1, side, side, data.channels), 1);
            for (way = 0; way < 2; way++) {
                for (i = 0; i < NEAREST; i++) near_rows[i] = query; /* if there are too few images */
                nearest(features[way], query, many, near_rows);
                for (i = 0; i < NEAREST; i++)
                    row[1 + way * (NEAREST + 1) + i] = sslh_slice(c, x, 0, near_rows[i], near_rows[i] + 1);
            }
            rows[q] = sslh_concat(c, row, columns, 0);
        }
        if (sslh_error(c)) return;
        shown = sslh_concat(c, rows, QUERIES, 0);
        heads[0] = "patch";
        heads[1] = "nearest by features";
        heads[NEAREST + 2] = "nearest by pixels";
        g.columns = columns;
        g.zoom = 64 / side > 1 ? 64 / side : 1;
        g.originals = 1;
        g.heads = heads;
        g.title = "Patches of test images";
        sslh_picture_grid_ex(c, path, shown, g);
    }
}

int main(int argc, char **argv) {
    options o = options_parse(
        &argc, argv, "Context prediction (Doersch et al. 2015) with a small conv net; linear probe of every block.",
        "  --projection   keep all channels but remove green-magenta, instead of keeping one channel\n"
        "  --keep-colour  leave colours as they are      --lr R            peak rate (default 0.1)\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder[2]; /* untrained, trained */
    sslh_convnet_desc e = {0};
    sslh_context_desc d = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    char path[1024];
    double right;
    int block;
    const own_option own[] = {{"--projection", OPTION_FLAG, &d.projection},
                              {"--keep-colour", OPTION_FLAG, &d.keep_colour}, {"--lr", OPTION_REAL, &t.lr}, {0}};
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder[0] = sslh_convnet(c, e);
    encoder[1] = sslh_clone(encoder[0]);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    t.batch = o.batch;
    method = sslh_context(c, encoder[1], d);
    sslh_train(c, method, train, t);
    right = 100 * test_number(c, &method, test, 0, 0);
    stop_on_error(c);
    same_images(encoder[0], encoder[1]);
    printf("%d training images, %d test images\n", (int)train.count, (int)test.count);
    printf("patches of test images placed %.1f %%\n", right);
    printf("                    linear probe        nearest neighbours\n");
    printf("                    untrained  context  untrained  context\n");
    probe_rows(c, "raw pixels", NULL, 2, NULL, 1, 5, train, test);
    for (block = 1; block <= 4; block++) {
        char tap[16];
        snprintf(tap, sizeof tap, "block%d", block);
        probe_rows(c, tap, encoder, 2, tap, 1, 5, train, test);
    }
    if ((train.height + 7) / 8 % 2 == 0 && (train.width + 7) / 8 % 2 == 0) /* the map of block 3 can be halved */
        probe_rows(c, "block3, 2x2 cells", encoder, 2, "block3", 2, 5, train, test);
    picture_nearest(c, encoder[1], some_of(test, IMAGES, o.seed),
                    out_path(&o, path, sizeof path, "context_nearest.png"));
    return finish(c);
}
