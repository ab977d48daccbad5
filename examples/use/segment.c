/* U-Net on a pretrained encoder: which pixels of electron microscopy slices are membrane, learnt from 1, 3 and 10
   labelled slices, with an encoder that has seen unlabelled slices and with one that has not. Training and test slices
   are runs of neighbours with a gap between them, because each slice resembles the next.

       build/examples/segment                                      drawn cells
       build/examples/segment --data em_membrane                   image_NN.png, label_NN.png in a folder of SSLH_DATA
       build/examples/segment --data em_membrane --method simclr --steps 400 --pretrain 60

   Any folder will do that has as many label files as images, whose names come after those of the images; white is
   class 0, black class 1. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { PATCH = 64 }; /* side of the tiles for pretraining */

/* Cells as the nearest of some points, their borders dark, noise over both: n slices, whose points drift slowly. */
static sslh_data draw_cells(sslh_ctx *c, int n, int side) {
    enum { POINTS = 40 };
    size_t pixels = (size_t)side * (size_t)side;
    uint8_t *image = (uint8_t *)malloc(2 * (size_t)n * pixels), *map = image ? image + (size_t)n * pixels : NULL;
    static const int32_t grey[2] = {255, 0};
    sslh_data data, none;
    memset(&none, 0, sizeof none);
    none.ctx = c;
    for (int z = 0; image && z < n; z++) {
        float y[POINTS], x[POINTS];
        for (int k = 0; k < POINTS; k++) {
            const float drift = 0.02f * (float)z * (sslh_random_uniform(1, 3, (uint64_t)k) - 0.5f);
            y[k] = (float)side * (sslh_random_uniform(1, 1, (uint64_t)k) + drift);
            x[k] = (float)side * (sslh_random_uniform(1, 2, (uint64_t)k) + drift);
        }
        for (size_t i = 0; i < pixels; i++) {
            float first = 1e9f, second = 1e9f, noise = 40 * sslh_random_normal(1, 10 + (uint64_t)z, (uint64_t)i), v;
            for (int k = 0; k < POINTS; k++) {
                const float dy = (float)(i / (size_t)side) - y[k], dx = (float)(i % (size_t)side) - x[k];
                const float d = dy * dy + dx * dx;
                if (d < first) second = first, first = d;
                else if (d < second) second = d;
            }
            map[(size_t)z * pixels + i] = second - first < 3 * (float)side / 4 ? 0 : 255;
            v = (map[(size_t)z * pixels + i] ? 150.0f : 90.0f) + noise;
            image[(size_t)z * pixels + i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    }
    data = image ? sslh_data_with_maps(sslh_data_from_images(c, image, n, side, side, 1, NULL),
                                       sslh_data_from_images(c, map, n, side, side, 1, NULL), grey, 2)
                 : none;
    free(image); /* it was copied */
    return data;
}

/* The first half of the files are images, the second half their labels. */
static sslh_data load_slices(sslh_ctx *c, const char *name) {
    static const int32_t grey[2] = {255, 0};
    const char *root = getenv("SSLH_DATA");
    char path[1024];
    sslh_data all;
    snprintf(path, sizeof path, "%s", name);
    if (root && !strpbrk(name, "/\\") && !folder_exists(path)) snprintf(path, sizeof path, "%s/%s", root, name);
    all = sslh_load_images(c, path);
    return sslh_data_with_maps(sslh_data_range(all, 0, all.count / 2), sslh_data_range(all, all.count / 2, all.count),
                               grey, 2);
}

/* Slices cut into tiles of PATCH x PATCH, without labels, for pretraining. */
static sslh_data patches(sslh_ctx *c, sslh_data d) {
    const int rows = d.height / PATCH, columns = d.width / PATCH, C = d.channels;
    const size_t one = (size_t)PATCH * PATCH * (size_t)C, line = (size_t)PATCH * (size_t)C;
    const int64_t n = d.count * rows * columns;
    uint8_t *out = (uint8_t *)malloc((size_t)(n ? n : 1) * one);
    uint8_t *image = (uint8_t *)malloc((size_t)d.height * (size_t)d.width * (size_t)C + 1);
    if (!out || !image) sslh_fail(c, SSLH_E_MEMORY, "no memory for %.0f tiles", (double)n);
    for (int64_t i = 0; i < n && out && image; i++) {
        const int top = (int)(i / columns % rows) * PATCH, left = (int)(i % columns) * PATCH;
        if (i % (rows * columns) == 0) sslh_data_image(d, i / (rows * columns), image);
        for (int y = 0; y < PATCH; y++)
            memcpy(out + (size_t)i * one + (size_t)y * line,
                   image + ((size_t)(top + y) * (size_t)d.width + (size_t)left) * (size_t)C, line);
    }
    free(image);
    return sslh_data_from_images(c, out, n, PATCH, PATCH, C, NULL); /* out belongs to the program until its end */
}

/* Pixels below the best of all thresholds are membrane: what needs no net. */
static sslh_map_score threshold(sslh_ctx *c, sslh_data train, sslh_data test) {
    const size_t pixels = (size_t)train.height * (size_t)train.width;
    uint8_t *image = (uint8_t *)malloc(4 * pixels), *said = (uint8_t *)malloc(pixels * (size_t)test.count);
    uint8_t *truth = (uint8_t *)malloc(pixels * (size_t)test.count);
    sslh_map_score score;
    float best = -1;
    int at = 0;
    memset(&score, 0, sizeof score);
    for (int t = 10; t < 250 && image && said && truth; t += 5) { /* on the first training slice */
        sslh_map_score s;
        sslh_data_image(train, 0, image);
        for (size_t i = 0; i < pixels; i++) said[i] = image[i * (size_t)train.channels] < t;
        s = sslh_map_compare(c, said, (const uint8_t *)train.field[1].values, pixels, 2);
        if (s.iou[1] > best) best = s.iou[1], at = t;
    }
    for (int64_t n = 0; n < test.count && image && said && truth; n++) {
        const uint8_t *maps = (const uint8_t *)test.field[1].values;
        sslh_data_image(test, n, image);
        for (size_t i = 0; i < pixels; i++) said[(size_t)n * pixels + i] = image[i * (size_t)test.channels] < at;
        memcpy(truth + (size_t)n * pixels, maps + (size_t)(test.order ? test.order[n] : n) * pixels, pixels);
    }
    if (image && said && truth) score = sslh_map_compare(c, said, truth, pixels * (size_t)test.count, 2);
    free(image), free(said), free(truth);
    return score;
}

static void row(const char *name, sslh_map_score s) {
    printf("%-44s %8.3f %8.3f %9.3f %9.3f\n", name, (double)s.iou[1], (double)s.dice[1], (double)s.mean_iou,
           (double)s.accuracy);
    fflush(stdout);
}

/* A U-Net on a copy of the encoder, trained for so many steps of `tiles` tiles. */
static sslh_net *train_unet(sslh_ctx *c, sslh_net *encoder, sslh_data labelled, int steps, int side, int quiet) {
    sslh_unet_desc u = {0};
    sslh_segment_desc s = {0};
    sslh_map_recipe r = {0};
    sslh_train_desc t = {0};
    sslh_net *net;
    u.classes = 2;
    u.width = 8;
    r.tiles = 4;
    r.height = r.width = side;
    r.flip = 0.5f;
    r.rotate90 = 1;
    r.elastic = 3;
    r.brightness = r.contrast = 0.2f;
    s.views = &r;
    net = sslh_unet(c, sslh_clone(encoder), u);
    t.epochs = (steps + (int)labelled.count - 1) / (int)labelled.count; /* a step is one slice */
    t.max_steps = steps;
    t.lr = 2e-3f;
    t.quiet = quiet;
    sslh_train(c, sslh_segment(c, net, s), labelled, t);
    return net;
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "U-Net (Ronneberger et al. 2015) on a pretrained encoder.\n--data: a folder "
                              "of images and, behind them in the order of names, their labels.",
                              "  --method NAME  of the pretraining (inpainting; any that takes images)\n"
                              "  --pretrain N   its epochs, over tiles of 64 x 64 of unlabelled slices (20)\n"
                              "  --steps N      of each training with labels, 4 tiles each (150)\n");
    static const int labelled[3] = {1, 3, 10};
    const char *method = "inpainting";
    int epochs = 0, steps = 0, side = 96;
    const own_option own[] = {{"--method", OPTION_TEXT, &method}, {"--pretrain", OPTION_COUNT, &epochs},
                              {"--steps", OPTION_COUNT, &steps}, {NULL, OPTION_FLAG, NULL}};
    sslh_ctx *c = options_create(&o);
    sslh_convnet_desc e = {0};
    sslh_train_desc t = {0};
    sslh_tiles_desc tiles = {0};
    sslh_data data, train, test, unlabelled;
    sslh_net *encoder, *untrained, *best = NULL;
    char path[1100];
    options_own(own, argc, argv);
    if (!epochs) epochs = o.smoke ? 1 : 20;
    if (!steps) steps = o.smoke ? 3 : 150;
    data = o.data ? load_slices(c, o.data) : draw_cells(c, o.smoke ? 8 : 20, o.smoke ? 128 : 256);
    stop_on_error(c);
    train = sslh_data_range(data, 0, data.count / 2);
    test = sslh_data_range(data, data.count * 7 / 10, data.count);
    unlabelled = patches(c, sslh_data_range(data, 0, data.count * 6 / 10)); /* up to a gap before the test slices */
    e.channels = data.channels;
    e.map_output = 1;
    e.widths[0] = 16, e.widths[1] = 32, e.widths[2] = 64, e.widths[3] = 128;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    t.epochs = epochs;
    t.batch = unlabelled.count < 64 ? (int)unlabelled.count : 64;
    printf("%d slices of %d x %d%s: %d for training, %d for the test; %s on %d unlabelled tiles, %d epochs\n",
           (int)data.count, data.height, data.width, o.data ? "" : " (drawn)", (int)train.count, (int)test.count,
           method, (int)unlabelled.count, epochs);
    train_interruptible(c, sslh_method_make(c, method, encoder, unlabelled, NULL), unlabelled, t);
    stop_on_error(c);
    sslh_set_preprocess(untrained, sslh_get_preprocess(encoder));
    printf("%-44s %8s %8s %9s %9s\n", "", "IoU", "Dice", "mean IoU", "accuracy");
    row("the best threshold of one slice", threshold(c, train, test));
    tiles.size = 128;
    tiles.overlap = 32;
    for (int k = 0; k < 3; k++)
        for (int way = 0; way < 2; way++) {
            char name[96];
            if (labelled[k] > train.count) continue;
            best = train_unet(c, way ? encoder : untrained, sslh_data_range(train, 0, labelled[k]), steps, side, 1);
            stop_on_error(c);
            snprintf(name, sizeof name, "%d labelled slice%s, %s", labelled[k], labelled[k] > 1 ? "s" : "",
                     way ? "pretrained encoder" : "from scratch");
            row(name, sslh_segment_evaluate(c, best, test, tiles));
        }
    stop_on_error(c);
    { /* truth and answer of the first test slice */
        uint8_t *map = (uint8_t *)malloc((size_t)data.height * (size_t)data.width);
        sslh_tensor *p = sslh_segment_image(c, best, test, 0, tiles);
        if (map) sslh_segment_map(p, map);
        sslh_picture_overlay(c, out_path(&o, path, sizeof path, "segment_truth.png"), test, 0, NULL);
        if (map) sslh_picture_overlay(c, out_path(&o, path, sizeof path, "segment.png"), test, 0, map);
        free(map);
        printf("%s and segment_truth.png show the first test slice\n", path);
    }
    return finish(c);
}
