/* Segmentation: scores and the Dice loss against their definitions, images and maps that move alike, the U-Net's sizes
   and gradients, tiles whose blending changes nothing that is constant, and a net that learns to find squares. */
#include "../ssl.h"
#define TEST_SEED 5
#include "harness.h"

static sslh_map_recipe plain(void) {
    sslh_map_recipe r;
    memset(&r, 0, sizeof r);
    return r;
}
/* n grey images (H,W) with maps, in static memory. */
enum { SIDE = 48, IMAGES = 6 };
static uint8_t pixels[IMAGES * SIDE * SIDE], classes_of[IMAGES * SIDE * SIDE];
static sslh_data with_maps(sslh_ctx *c, int n, int height, int width, int classes) {
    return sslh_data_with_maps(sslh_data_from_images(c, pixels, n, height, width, 1, NULL),
                               sslh_data_from_images(c, classes_of, n, height, width, 1, NULL), NULL, classes);
}
/* All images as one batch by hand. */
static sslh_batch batch_of(sslh_data d, const int32_t *index, int n, int epoch) {
    sslh_batch b;
    memset(&b, 0, sizeof b);
    b.data = d, b.index = index, b.count = n, b.epoch = epoch, b.seed = 5;
    return b;
}
static const int32_t first[IMAGES] = {0, 1, 2, 3, 4, 5};
static sslh_net *convnet(sslh_ctx *c, int channels) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = channels, d.widths[0] = 6, d.widths[1] = 8, d.widths[2] = 10;
    return sslh_convnet(c, d);
}
static sslh_unet_desc two_classes(void) {
    sslh_unet_desc d;
    memset(&d, 0, sizeof d);
    d.classes = 2, d.width = 4;
    return d;
}

/* --- scores ------------------------------------------------------------------------------------------------------- */

/* By hand:  truth 0 0 1 1 1 2 ?  said 0 1 1 1 0 2 1 */
static void scores(void) {
    static const uint8_t truth[7] = {0, 0, 1, 1, 1, 2, SSLH_UNKNOWN}, said[7] = {0, 1, 1, 1, 0, 2, 1};
    sslh_ctx *c = context(1);
    sslh_map_score s = sslh_map_compare(c, said, truth, 7, 4);
    CHECK_OK(c);
    CHECK(s.classes == 4 && s.pixels == 6, "%d pixels", (int)s.pixels);
    CHECK_NEAR(s.iou[0], 1.0 / 3, 1e-6); /* 1 of {0, 1, 4} */
    CHECK_NEAR(s.iou[1], 2.0 / 4, 1e-6); /* 2 of {1, 2, 3, 4} */
    CHECK_NEAR(s.iou[2], 1, 0);
    CHECK(s.iou[3] == -1 && s.dice[3] == -1, "class 3 is nowhere");
    CHECK_NEAR(s.dice[0], 2.0 / 4, 1e-6);
    CHECK_NEAR(s.dice[1], 4.0 / 6, 1e-6);
    CHECK_NEAR(s.mean_iou, (1.0 / 3 + 0.5 + 1) / 3, 1e-6);
    CHECK_NEAR(s.mean_dice, (0.5 + 4.0 / 6 + 1) / 3, 1e-6);
    CHECK_NEAR(s.accuracy, 4.0 / 6, 1e-6);
    for (int k = 0; k < 3; k++) CHECK_NEAR(s.dice[k], 2 * s.iou[k] / (1 + s.iou[k]), 1e-6);
    s = sslh_map_compare(c, truth, truth, 7, 3);
    CHECK(s.mean_iou == 1 && s.mean_dice == 1 && s.accuracy == 1, "a map agrees with itself");
    sslh_map_compare(c, said, truth, 7, 2);
    CHECK_ERROR(c, "sslh_map_compare: pixel 5: class 2 was said, 2 is true; there are 2 classes");
    sslh_map_compare(c, said, NULL, 7, 3);
    CHECK_ERROR(c, "a map is NULL");
    sslh_map_compare(c, said, truth, 7, 33);
    CHECK_ERROR(c, ".classes is 33 (1 to 32)");
    sslh_destroy(c);
}

/* 1 - mean over k of (2 sum p t + 1) / (sum p + sum t + 1), in double. */
static double dice(const float *logits, const int32_t *labels, int n, int K, int ignore) {
    double mean = 0;
    for (int k = 0; k < K; k++) {
        double both = 0, sizes = 0;
        for (int i = 0; i < n; i++) {
            double sum = 0, p;
            if (labels[i] == ignore) continue;
            for (int j = 0; j < K; j++) sum += exp((double)logits[i * K + j]);
            p = exp((double)logits[i * K + k]) / sum;
            both += labels[i] == k ? p : 0;
            sizes += p + (labels[i] == k);
        }
        mean += (2 * both + 1) / (sizes + 1) / K;
    }
    return 1 - mean;
}
static sslh_tensor *dice_of(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    (void)n;
    return sslh_dice_loss(c, in[0], (sslh_tensor *)user, -1);
}
static void dice_loss(void) {
    enum { N = 12, K = 3 };
    sslh_ctx *c = context(1);
    float x[N * K];
    int32_t y[N];
    sslh_tensor *in[1], *labels;
    sslh_gradcheck_desc g;
    for (int i = 0; i < N * K; i++) x[i] = sslh_random_normal(1, 1, (uint64_t)i);
    for (int i = 0; i < N; i++) y[i] = i % 5 == 4 ? -1 : i % K;
    labels = sslh_from_ints(c, sslh_dim3(2, 3, 2), y);
    in[0] = sslh_from(c, sslh_dim4(2, 3, 2, K), x);
    CHECK_NEAR(sslh_item(sslh_dice_loss(c, in[0], labels, -1)), dice(x, y, N, K, -1), 1e-6);
    memset(&g, 0, sizeof g);
    CHECK(sslh_gradcheck(c, dice_of, in, 1, labels, g) < 0.02, "the gradient");
    for (int i = 0; i < N * K; i++) x[i] = y[i / K] == i % K ? 30.0f : 0.0f;
    CHECK_NEAR(sslh_item(sslh_dice_loss(c, sslh_from(c, sslh_dim4(2, 3, 2, K), x), labels, -1)), 0, 1e-6);
    sslh_dice_loss(c, in[0], labels, 7);
    CHECK_ERROR(c, "sslh_dice_loss: the label -1 of pixel 4 (0 to 2, or 7 to leave it out)");
    sslh_begin_step(c);
    sslh_dice_loss(c, sslh_zeros(c, sslh_dim2(4, 3)), sslh_from_ints(c, sslh_dim1(3), y), -1);
    CHECK_ERROR(c, "sslh_dice_loss: logits (4,3), labels (3)");
    sslh_destroy(c);
}

/* --- images and maps ---------------------------------------------------------------------------------------------- */

static void data_of_maps(void) {
    static const int32_t grey[2] = {255, 10}, bad[2] = {0, 256}, same[2] = {10, 10};
    static const uint8_t image[8] = {1, 2, 3, 4, 5, 6, 7, 8}, map[8] = {255, 10, 10, 7, 255, 255, 10, 0};
    static const uint8_t want[8] = {0, 1, 1, 255, 0, 0, 1, 255};
    sslh_ctx *c = context(1);
    sslh_data all = sslh_data_from_images(c, image, 2, 2, 2, 1, NULL);
    sslh_data maps = sslh_data_from_images(c, map, 2, 2, 2, 1, NULL);
    sslh_data d = sslh_data_with_maps(all, maps, grey, 2), part;
    sslh_tiles_desc t;
    CHECK_OK(c);
    CHECK(d.count == 2 && d.fields == 2 && memcmp(d.field[1].values, want, 8) == 0, "classes of greys");
    part = sslh_data_with_maps(sslh_data_range(all, 1, 2), sslh_data_range(maps, 0, 1), grey, 2);
    CHECK(part.count == 1 && memcmp(part.field[0].values, image + 4, 4) == 0 &&
          memcmp(part.field[1].values, want, 4) == 0, "parts of data sets");
    sslh_data_with_maps(all, maps, NULL, 2);
    CHECK_ERROR(c, "sslh_data_with_maps: map 0 has the value 10, classes are 0 to 1 and 255 is unknown");
    sslh_data_with_maps(all, sslh_data_range(maps, 0, 1), grey, 2);
    CHECK_ERROR(c, "2 images of 2 x 2, 1 maps of 2 x 2 with 1 channels");
    sslh_data_with_maps(all, maps, bad, 2);
    CHECK_ERROR(c, "the grey value 256 of class 1");
    sslh_data_with_maps(all, maps, same, 2);
    CHECK_ERROR(c, "sslh_data_with_maps: classes 0 and 1 both have the grey value 10: each needs its own");
    sslh_data_with_maps(all, maps, grey, 1);
    CHECK_ERROR(c, ".classes is 1 (2 to 32)");
    memset(&t, 0, sizeof t);
    sslh_segment_evaluate(c, sslh_unet(c, convnet(c, 1), two_classes()), all, t);
    CHECK_ERROR(c, "sslh_segment_evaluate: the data have no maps; sslh_data_with_maps");
    sslh_destroy(c);
}

/* A pixel's value is its column, its class the column too (K = 32), so that both can be compared wherever it went. */
static void columns(int height, int width) {
    for (int i = 0; i < IMAGES * height * width; i++)
        pixels[i] = (uint8_t)(8 * (i % width)), classes_of[i] = (uint8_t)(i % width);
}

/* Without steps the tile is the image and the map is the map; elastic with strength 0 changes nothing. */
static void views_of_nothing(void) {
    sslh_ctx *c = context(1);
    sslh_map_recipe r = plain();
    sslh_data d;
    sslh_tensor *x, *map;
    int wrong = 0;
    for (int i = 0; i < IMAGES * SIDE * SIDE; i++)
        pixels[i] = (uint8_t)sslh_random_below(2, 1, (uint64_t)i, 256), classes_of[i] = (uint8_t)(pixels[i] % 3);
    classes_of[7] = SSLH_UNKNOWN;
    d = with_maps(c, 2, SIDE, 20, 3);
    r.elastic = SSLH_OFF, r.elastic_width = 4;
    sslh_map_views(c, batch_of(d, first, 2, 3), r, 1, &x, &map);
    CHECK_OK(c);
    CHECK(x->ndim == 4 && x->shape[1] == SIDE && x->shape[2] == 20 && x->shape[3] == 1 && map->ndim == 3, "shapes");
    for (int i = 0; i < 2 * SIDE * 20; i++)
        wrong += x->data[i] != (sslh_real)(pixels[i] / 255.0f) || map->ints[i] != (i == 7 ? -1 : classes_of[i]);
    CHECK(wrong == 0, "%d pixels differ", wrong);
    sslh_destroy(c);
}

/* Crops, mirrors and turns copy pixels: the class of each is its value; and all of them occur. */
static void move_alike(void) {
    sslh_ctx *c = context(1);
    sslh_map_recipe r = plain();
    sslh_tensor *x, *map;
    int seen[8] = {0}, kinds = 0, wrong = 0, differ = 0;
    sslh_data d;
    columns(32, 32);
    d = with_maps(c, 2, 32, 32, 32);
    r.tiles = 100, r.height = r.width = 9, r.flip = 0.5f, r.rotate90 = 1;
    sslh_map_views(c, batch_of(d, first, 2, 0), r, 0, &x, &map);
    CHECK_OK(c);
    CHECK(x->shape[0] == 200, "%d tiles", x->shape[0]);
    for (int n = 0; n < 200; n++) {
        const int32_t *m = map->ints + n * 81;
        int along = m[1] - m[0], down = m[9] - m[0];
        for (int i = 0; i < 81; i++) {
            wrong += fabs((double)x->data[n * 81 + i] * 255 - 8 * m[i]) > 1e-3;
            wrong += m[i] != m[0] + along * (i % 9) + down * (i / 9);
        }
        CHECK(abs(along) + abs(down) == 1, "tile %d is no turned part of the image", n);
        seen[along == 1 ? 0 : along == -1 ? 1 : down == 1 ? 2 : 3]++;
        differ += n > 0 && memcmp(m, m - 81, 81 * sizeof *m) != 0;
    }
    for (int k = 0; k < 4; k++) kinds += seen[k] > 20;
    CHECK(wrong == 0 && kinds == 4 && differ > 150, "%d wrong, %d directions, %d differ", wrong, kinds, differ);
    sslh_destroy(c);
}

/* Of a ramp the interpolated value is the place itself, and the class the nearest whole number: at most 1/2 apart. The
   displacements have the deviation asked for, and neighbours move alike. */
static void elastic(void) {
    enum { N = 40 };
    sslh_ctx *c = context(1);
    sslh_map_recipe r = plain();
    sslh_tensor *x, *map, *again;
    double worst = 0, square = 0, step = 0;
    int count = 0;
    sslh_data d;
    columns(32, 32);
    d = with_maps(c, 1, 32, 32, 32);
    r.tiles = N, r.elastic = 1.5f, r.elastic_width = 4;
    sslh_map_views(c, batch_of(d, first, 1, 0), r, 0, &x, &map);
    CHECK_OK(c);
    for (int n = 0; n < N; n++)
        for (int i = 8; i < 24; i++)
            for (int j = 8; j < 24; j++) {
                const int at = n * 1024 + i * 32 + j;
                double place = (double)x->data[at] * 255 / 8, right = (double)x->data[at + 1] * 255 / 8;
                worst = fmax(worst, fabs(place - map->ints[at]));
                square += (place - j) * (place - j);
                step = fmax(step, fabs(right - place - 1));
                count++;
            }
    CHECK(worst <= 0.5 + 1e-3, "image and map are %g pixels apart", worst);
    CHECK_NEAR(sqrt(square / count), 1.5, 0.2);
    CHECK(step < 2, "neighbours jump by %g", step);
    sslh_map_views(c, batch_of(d, first, 1, 0), r, 0, &again, &map);
    CHECK(memcmp(x->data, again->data, x->count * sizeof *x->data) == 0, "the same draws");
    sslh_map_views(c, batch_of(d, first, 1, 1), r, 0, &again, &map);
    CHECK(memcmp(x->data, again->data, x->count * sizeof *x->data) != 0, "another epoch");
    r.elastic = 1000; /* mirrored again and again, but never outside */
    sslh_map_views(c, batch_of(d, first, 1, 0), r, 0, &again, &map);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Brightness and contrast change the image alone; tiles of all threads are those of one. */
static void colours_and_threads(void) {
    sslh_ctx *c[2];
    sslh_map_recipe r = plain();
    sslh_tensor *x[2], *map[2];
    columns(32, 32);
    r.tiles = 5, r.height = r.width = 16, r.brightness = 0.3f, r.contrast = 0.4f, r.elastic = 2, r.flip = 0.5f;
    r.mean[0] = 0.4f, r.std[0] = 0.25f;
    for (int i = 0; i < 2; i++) {
        sslh_data d;
        c[i] = context(i ? 3 : 1);
        d = with_maps(c[i], 3, 32, 32, 32);
        sslh_map_views(c[i], batch_of(d, first, 3, 2), r, 0, &x[i], &map[i]);
        CHECK_OK(c[i]);
    }
    CHECK(memcmp(x[0]->data, x[1]->data, x[0]->count * sizeof *x[0]->data) == 0 &&
          memcmp(map[0]->ints, map[1]->ints, map[0]->count * sizeof *map[0]->ints) == 0, "three threads");
    for (size_t i = 0; i < x[0]->count; i++)
        if (!CHECK(x[0]->data[i] >= -1.6001f && x[0]->data[i] <= 2.4001f, "%g is no normalised value",
                   (double)x[0]->data[i])) break;
    sslh_destroy(c[0]);
    sslh_destroy(c[1]);
}

/* Fields of the caller that have the right names and kinds, but another size or type than sslh_data_with_maps makes. */
static void foreign_fields(void) {
    static const float real[4] = {0, 0, 0, 0};
    sslh_ctx *c = context(1);
    for (int way = 0; way < 4; way++) {
        sslh_field f[2];
        sslh_tensor *x, *map;
        sslh_data d;
        memset(f, 0, sizeof f);
        for (int k = 0; k < 2; k++) {
            f[k].kind = SSLH_FIELD_IMAGE, f[k].type = SSLH_U8;
            f[k].shape = sslh_dim3(2, 2, 1), f[k].values = k ? classes_of : pixels;
        }
        f[0].name = "image", f[1].name = "map";
        if (way == 1) f[0].shape = sslh_dim3(SIDE, SIDE, 1);
        if (way == 2) f[1].shape = sslh_dim3(2, 2, 3);
        if (way == 3) f[0].type = SSLH_F32, f[0].values = real;
        d = sslh_data_from_fields(c, f, 2, 1);
        sslh_map_views(c, batch_of(d, first, 1, 0), plain(), 0, &x, &map);
        if (way) CHECK_ERROR(c, "sslh_map_views: the data have no maps");
        else CHECK_OK(c);
    }
    sslh_destroy(c);
}

static void wrong_recipes(void) {
    sslh_ctx *c = context(1);
    sslh_map_recipe r = plain();
    sslh_tensor *x, *map;
    sslh_data d = with_maps((columns(32, 32), c), 2, 32, 16, 32);
    r.height = 33;
    sslh_map_views(c, batch_of(d, first, 1, 0), r, 0, &x, &map);
    CHECK_ERROR(c, "sslh_map_views: tiles of 33 x 16 do not fit into images of 32 x 16");
    r = plain(), r.rotate90 = 1;
    sslh_map_views(c, batch_of(d, first, 1, 0), r, 0, &x, &map);
    CHECK_ERROR(c, ".rotate90 needs square tiles, these have 32 x 16");
    r = plain(), r.elastic = -2;
    sslh_map_views(c, batch_of(d, first, 1, 0), r, 0, &x, &map);
    CHECK_ERROR(c, ".elastic is -2 (0 to 1000)");
    r = plain(), r.tiles = 257;
    sslh_map_views(c, batch_of(d, first, 1, 0), r, 0, &x, &map);
    CHECK_ERROR(c, ".tiles is 257 (1 to 256)");
    r = plain(), r.std[0] = -1;
    sslh_map_views(c, batch_of(d, first, 1, 0), r, 0, &x, &map);
    CHECK_ERROR(c, ".mean and .std must be numbers");
    r = plain();
    sslh_map_views(c, batch_of(d, first, 1, 0), r, 16, &x, &map);
    CHECK_ERROR(c, "view 16");
    sslh_destroy(c);
}

/* --- the net ------------------------------------------------------------------------------------------------------ */

/* Any size comes out as it went in, on every encoder of maps, and the taps are where they should be. */
static void unet_sizes(void) {
    static const int height[3] = {32, 37, 8}, width[3] = {32, 29, 50};
    sslh_ctx *c = context(1);
    sslh_unet_desc u = two_classes();
    sslh_resnet_desc r;
    sslh_convnext_desc t;
    sslh_net *net[4];
    u.classes = 3;
    memset(&r, 0, sizeof r);
    memset(&t, 0, sizeof t);
    r.channels = 1, r.width = 2;
    t.channels = 1, t.stem = 2, t.depths[0] = t.depths[1] = 1, t.widths[0] = 4, t.widths[1] = 6;
    net[0] = sslh_unet(c, convnet(c, 1), u);
    net[1] = sslh_unet(c, sslh_resnet(c, r), u);
    r.imagenet_stem = 1;
    net[2] = sslh_unet(c, sslh_resnet(c, r), u);
    net[3] = sslh_unet(c, sslh_convnext(c, t), u);
    CHECK_OK(c);
    for (int k = 0; k < 4; k++) {
        sslh_train_mode(net[k], 0);
        for (int i = 0; i < 3; i++) {
            sslh_tensor *y = sslh_forward(net[k], sslh_normal(c, sslh_dim4(1, height[i], width[i], 1), 0, 1));
            CHECK_OK(c);
            CHECK(y->ndim == 4 && y->shape[1] == height[i] && y->shape[2] == width[i] && y->shape[3] == 3,
                  "net %d: (%d,%d,%d)", k, y->shape[1], y->shape[2], y->shape[3]);
            sslh_begin_step(c);
        }
        CHECK(sslh_net_query(net[k]).kind == SSLH_MAP && sslh_net_query(net[k]).width == 3, "what it is");
    }
    /* convnet: maps of 16, 8, 4 and the image: three steps of 16, 8 and 4 channels */
    CHECK(sslh_find(net[0], "up1.conv1.weight")->shape[0] == 16 &&
          sslh_find(net[0], "up1.conv1.weight")->shape[3] == 10 + 8 &&
          sslh_find(net[0], "up3.conv1.weight")->shape[3] == 8 + 1 && !sslh_find(net[0], "up4.conv1.weight") &&
          sslh_find(net[0], "head.weight")->shape[0] == 3, "the decoder of three maps and the image");
    /* ResNet without ImageNet's stem has a map of the size of the image: layer1 */
    CHECK(sslh_find(net[1], "up3.conv1.weight")->shape[3] == 2 + 8 && !sslh_find(net[1], "up4.conv1.weight"),
          "four maps");
    CHECK(sslh_find(net[2], "up4.conv1.weight") != NULL, "a quarter of the sides, so that the image joins");
    sslh_destroy(c);
}

static void unet_errors(void) {
    sslh_ctx *c = context(1);
    sslh_unet_desc u;
    sslh_mlp_desc m;
    sslh_vit_desc v;
    memset(&u, 0, sizeof u);
    memset(&m, 0, sizeof m);
    memset(&v, 0, sizeof v);
    m.in = 64;
    v.image = 16, v.width = 8, v.depth = 1, v.heads = 2;
    sslh_unet(c, convnet(c, 1), u);
    CHECK_ERROR(c, "sslh_unet: .classes must be given (2 to 32)");
    u.classes = 33;
    sslh_unet(c, convnet(c, 1), u);
    CHECK_ERROR(c, "sslh_unet: .classes is 33 (2 to 32)");
    u.classes = 2;
    sslh_unet(c, sslh_vit(c, v), u);
    CHECK_ERROR(c, "sslh_unet: the encoder \"vit\" offers no maps (N,H,W,C) by sslh_tap");
    sslh_unet(c, NULL, u);
    CHECK_ERROR(c, "sslh_unet: the encoder is NULL");
    sslh_destroy(c);
}

/* Nine intermediate results, named by the caller's length, of the size of the image and then of half of it. */
static sslh_tensor *wordy(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_conv_desc d;
    char name[160];
    memset(&d, 0, sizeof d);
    d.stride = 2, d.pad = 1;
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "%0*d", *(const int *)self, i);
        if (i == 8) x = sslh_layer_conv(net, 0, x, 0, d);
        if (sslh_tap(net, name, x)) return x;
    }
    return x;
}
static void long_names(void) {
    for (int way = 0; way < 2; way++) {
        sslh_ctx *c = context(1);
        const int length = way ? 140 : 28;
        sslh_net_desc d;
        sslh_net *net;
        memset(&d, 0, sizeof d);
        d.name = "wordy", d.forward = wordy, d.self = &length, d.self_size = sizeof length;
        d.kind = SSLH_MAP, d.width = 4, d.channels = 1;
        net = sslh_net_new(c, d);
        sslh_layer_conv_new(net, "conv", 1, 4, 3, 1, 0);
        net = sslh_unet(c, net, two_classes());
        if (way) CHECK_ERROR(c, "sslh_unet: the names of the intermediate results of \"wordy\" have more than 1022");
        else CHECK(net && sslh_find(net, "up1.conv1.weight") && !sslh_find(net, "up2.conv1.weight"), "two sizes");
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

static sslh_tensor *unet_sum(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    (void)n;
    return sslh_mean(c, sslh_square(c, sslh_forward((sslh_net *)user, in[0])), SSLH_ALL, 0);
}
/* The gradient reaches the image through every map. In evaluation mode, where a pixel has no part in a variance. */
static void unet_gradient(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = sslh_unet(c, convnet(c, 1), two_classes());
    sslh_gradcheck_desc g;
    sslh_tensor *in[1];
    memset(&g, 0, sizeof g);
    g.max_checks = 60;
    sslh_train_mode(net, 0);
    in[0] = sslh_normal(c, sslh_dim4(1, 11, 13, 1), 0, 1);
    CHECK(sslh_gradcheck(c, unet_sum, in, 1, net, g) < 0.02, "the gradient of the image");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* A file holds it all, and a clone says the same. */
static void unet_saved(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = sslh_unet(c, convnet(c, 1), two_classes()), *other = sslh_unet(c, convnet(c, 1), two_classes());
    const char *path = test_temporary("unet.safetensors");
    sslh_load_desc none;
    sslh_tensor *x = sslh_normal(c, sslh_dim4(1, 16, 16, 1), 0, 1), *y[3];
    memset(&none, 0, sizeof none);
    sslh_save_net(net, path);
    CHECK(sslh_hash(net) != sslh_hash(other), "two nets");
    CHECK(sslh_load_weights(other, path, none) == sslh_count_tensors(net), "all tensors");
    CHECK(sslh_hash(net) == sslh_hash(other), "one net");
    sslh_train_mode(net, 0), sslh_train_mode(other, 0);
    y[0] = sslh_forward(net, x), y[1] = sslh_forward(other, x), y[2] = sslh_forward(sslh_clone(net), x);
    CHECK_OK(c);
    CHECK(memcmp(y[0]->data, y[1]->data, y[0]->count * sizeof *y[0]->data) == 0 &&
          memcmp(y[0]->data, y[2]->data, y[0]->count * sizeof *y[0]->data) == 0, "the same logits");
    test_remove(path);
    sslh_destroy(c);
}

/* --- tiles -------------------------------------------------------------------------------------------------------- */

/* Logits that do not depend on the image, or on the pixel alone. */
static sslh_tensor *constant_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_ctx *c = sslh_net_ctx(net);
    const int *kind = (const int *)self;
    sslh_tensor *both[2];
    both[0] = *kind ? sslh_scale(c, x, 3) : sslh_scale(c, x, 0);
    both[1] = sslh_shift(c, sslh_scale(c, x, 0), 0.7f);
    return sslh_concat(c, both, 2, 3);
}
static sslh_net *constant_net(sslh_ctx *c, int kind) {
    sslh_net_desc d;
    memset(&d, 0, sizeof d);
    d.name = "constant", d.forward = constant_forward, d.self = &kind, d.self_size = sizeof kind, d.kind = SSLH_MAP;
    d.width = 2;
    return sslh_net_new(c, d);
}
/* Whatever the tiles: constant probabilities stay constant, those of a pixel are those of the whole image. */
static void tiles(void) {
    static const int sizes[5] = {64, 48, 16, 7, 1}, overlaps[5] = {0, SSLH_OFF, 5, 6, SSLH_OFF};
    sslh_ctx *c = context(1);
    sslh_data d;
    for (int i = 0; i < IMAGES * SIDE * SIDE; i++)
        pixels[i] = (uint8_t)sslh_random_below(2, 2, (uint64_t)i, 256), classes_of[i] = (uint8_t)(pixels[i] > 60);
    d = with_maps(c, 2, SIDE, 40, 2);
    for (int i = 0; i < 5; i++)
        for (int kind = 0; kind < 2; kind++) {
            sslh_tiles_desc t;
            sslh_tensor *p;
            double worst = 0;
            memset(&t, 0, sizeof t);
            t.size = sizes[i], t.overlap = overlaps[i], t.batch = i == 3 ? 5 : 0;
            p = sslh_segment_image(c, constant_net(c, kind), d, 1, t);
            CHECK_OK(c);
            CHECK(p->ndim == 3 && p->shape[0] == SIDE && p->shape[1] == 40 && p->shape[2] == 2, "shape");
            for (int k = 0; k < SIDE * 40; k++) {
                double z = kind ? 3.0 * pixels[SIDE * 40 + k] / 255 : 0;
                worst = fmax(worst, fabs((double)p->data[2 * k] - 1 / (1 + exp(0.7 - z))));
            }
            CHECK(worst < 1e-6, "tiles of %d: %g", sizes[i], worst);
        }
    sslh_destroy(c);
}

static void tile_errors(void) {
    sslh_ctx *c = context(1);
    sslh_tiles_desc t;
    sslh_data d = with_maps(c, 2, SIDE, 40, 2);
    memset(&t, 0, sizeof t);
    t.size = 8, t.overlap = 8;
    sslh_segment_image(c, constant_net(c, 0), d, 0, t);
    CHECK_ERROR(c, "sslh_segment_image: .overlap is 8 (0 to 7)");
    t.overlap = 0;
    sslh_segment_image(c, constant_net(c, 0), d, 2, t);
    CHECK_ERROR(c, "sslh_segment_image: image 2 of 2");
    sslh_segment_image(c, convnet(c, 1), d, 0, t);
    CHECK_ERROR(c, "a map (N,H,W,C) is needed");
    sslh_destroy(c);
}

/* Evaluation agrees with the maps themselves, in subsets too; the picture shows what it should. */
static void evaluate(void) {
    static const int32_t second[1] = {1};
    sslh_ctx *c = context(1);
    sslh_tiles_desc t;
    sslh_map_score s;
    sslh_data d;
    uint8_t map[SIDE * 40], *picture;
    const char *path = test_temporary("overlay.png");
    int height, width, channels;
    memset(&t, 0, sizeof t);
    t.size = 20;
    for (int i = 0; i < 2 * SIDE * 40; i++) {
        pixels[i] = (uint8_t)(i < SIDE * 40 ? 0 : i % 3 ? 255 : 0);  /* logit 3 x against 0.7: class 0 is white */
        classes_of[i] = (uint8_t)(i < SIDE * 40 ? i % 2 : pixels[i] == 0); /* half of image 0, all of image 1 right */
    }
    d = with_maps(c, 2, SIDE, 40, 2);
    s = sslh_segment_evaluate(c, constant_net(c, 1), d, t);
    CHECK_OK(c);
    CHECK(s.pixels == 2 * SIDE * 40, "%d pixels", (int)s.pixels);
    CHECK_NEAR(s.accuracy, 0.75, 1e-6);
    s = sslh_segment_evaluate(c, constant_net(c, 1), sslh_data_pick(d, second, 1), t);
    CHECK(s.accuracy == 1 && s.mean_iou == 1 && s.pixels == SIDE * 40, "image 1: %g", (double)s.accuracy);
    sslh_segment_map(sslh_segment_image(c, constant_net(c, 1), d, 1, t), map);
    CHECK(memcmp(map, classes_of + SIDE * 40, sizeof map) == 0, "the map itself");
    sslh_picture_overlay(c, path, d, 1, map);
    picture = sslh_load_image(c, path, &height, &width, &channels);
    CHECK_OK(c);
    CHECK(picture && height == SIDE && width == 40 && channels == 3, "the picture");
    for (int i = 0; picture && i < SIDE * 40; i++)
        if (!CHECK(map[i] ? picture[3 * i] > 0 || picture[3 * i + 1] > 0 : picture[3 * i] == pixels[SIDE * 40 + i],
                   "pixel %d", i)) break;
    test_remove(path);
    sslh_destroy(c);
}

/* --- learning ----------------------------------------------------------------------------------------------------- */

/* Noisy pictures with a brighter square: one thing to learn is that noise is everywhere, the square is not. */
static void draw_squares(void) {
    for (int n = 0; n < IMAGES; n++) {
        int side = 10 + (int)sslh_random_below(9, 1, (uint64_t)n, 8);
        int top = (int)sslh_random_below(9, 2, (uint64_t)n, (uint32_t)(SIDE - side));
        int left = (int)sslh_random_below(9, 3, (uint64_t)n, (uint32_t)(SIDE - side));
        for (int i = 0; i < SIDE * SIDE; i++) {
            int y = i / SIDE - top, x = i % SIDE - left, in = y >= 0 && y < side && x >= 0 && x < side;
            pixels[n * SIDE * SIDE + i] =
                (uint8_t)(sslh_random_below(9, 4, (uint64_t)(n * SIDE * SIDE + i), 120) + (in ? 70u : 0u));
            classes_of[n * SIDE * SIDE + i] = (uint8_t)in;
        }
    }
}
static sslh_method method(sslh_ctx *c, sslh_net *net, float dice_weight) {
    static const float weights[2] = {1, 2};
    sslh_segment_desc s;
    sslh_map_recipe r = plain();
    memset(&s, 0, sizeof s);
    r.tiles = 2, r.height = r.width = 32, r.flip = 0.5f, r.rotate90 = 1, r.elastic = 1;
    s.dice = dice_weight, s.weights = weights, s.views = &r;
    return sslh_segment(c, net, s);
}
static sslh_train_desc quiet(int epochs) {
    sslh_train_desc t;
    memset(&t, 0, sizeof t);
    t.quiet = 1, t.epochs = epochs;
    return t;
}
static void learns(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = sslh_unet(c, convnet(c, 1), two_classes());
    sslh_tiles_desc t;
    sslh_train_desc train = quiet(30);
    sslh_map_score before, after;
    sslh_data d;
    draw_squares();
    d = with_maps(c, IMAGES, SIDE, SIDE, 2);
    memset(&t, 0, sizeof t);
    t.size = 32;
    train.lr = 0.01f;
    before = sslh_segment_evaluate(c, net, sslh_data_range(d, 4, 6), t);
    sslh_train(c, method(c, net, 0), sslh_data_range(d, 0, 4), train);
    after = sslh_segment_evaluate(c, net, sslh_data_range(d, 4, 6), t);
    CHECK_OK(c);
    CHECK(after.iou[1] > 0.7f && after.iou[1] > before.iou[1], "IoU of the squares %.3f -> %.3f",
          (double)before.iou[1], (double)after.iou[1]);
    CHECK(sslh_get_preprocess(net).std[0] > 0, "the normalisation is kept in the net");
    sslh_destroy(c);
}

/* The same bits for one and three threads, and after a stop and a resume. */
static void same_bits(void) {
    const char *path = test_temporary("segment.safetensors");
    uint64_t hash[3];
    draw_squares();
    for (int i = 0; i < 3; i++) {
        sslh_ctx *c = context(i == 1 ? 3 : 1);
        sslh_net *net = sslh_unet(c, convnet(c, 1), two_classes());
        sslh_data d = with_maps(c, 3, SIDE, SIDE, 2);
        sslh_train_desc t = quiet(2);
        if (i == 2) t.max_steps = 4, t.checkpoint = path;
        sslh_train(c, method(c, net, SSLH_OFF), d, t);
        if (i == 2) {
            sslh_destroy(c);
            c = context(1);
            net = sslh_unet(c, convnet(c, 1), two_classes());
            d = with_maps(c, 3, SIDE, SIDE, 2);
            t.max_steps = 0, t.resume = 1;
            sslh_train(c, method(c, net, SSLH_OFF), d, t);
        }
        CHECK_OK(c);
        hash[i] = sslh_hash(net);
        sslh_destroy(c);
    }
    test_remove(path);
    CHECK(hash[0] == hash[1], "three threads");
    CHECK(hash[0] == hash[2], "a resumed run");
}

/* A tile without a pixel of known class, or of a class of weight above 0, teaches nothing and does not end the run. */
static void nothing_to_learn(void) {
    static const float weights[2] = {0, 1};
    for (int way = 0; way < 3; way++) {
        sslh_ctx *c = context(1);
        sslh_net *net = sslh_unet(c, convnet(c, 1), two_classes());
        sslh_segment_desc s;
        sslh_data d;
        sslh_method m;
        memset(&s, 0, sizeof s);
        s.dice = SSLH_OFF;
        if (way) s.weights = weights;
        draw_squares();
        memset(classes_of, way == 2 ? 0 : SSLH_UNKNOWN, SIDE * SIDE); /* the first of two images */
        d = with_maps(c, 2, SIDE, SIDE, 2);
        m = sslh_segment(c, net, s);
        sslh_train(c, m, sslh_data_range(d, 0, 1), quiet(1));
        CHECK_OK(c);
        sslh_train(c, m, d, quiet(2));
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

/* A net that gives more values than its .width, or fewer images than it is given, is refused. */
static sslh_tensor *liar(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_conv_desc d;
    memset(&d, 0, sizeof d);
    if (*(const int *)self) x = sslh_slice(sslh_net_ctx(net), x, 0, 0, 1);
    return sslh_layer_conv(net, 0, x, 0, d);
}
static void wrong_logits(void) {
    for (int way = 0; way < 2; way++) {
        sslh_ctx *c = context(1);
        sslh_segment_desc s;
        sslh_tiles_desc t;
        sslh_map_recipe r = plain();
        sslh_net_desc d;
        sslh_net *net;
        sslh_data data;
        size_t held = 0;
        memset(&s, 0, sizeof s), memset(&d, 0, sizeof d), memset(&t, 0, sizeof t);
        d.name = "liar", d.forward = liar, d.self = &way, d.self_size = sizeof way;
        d.kind = SSLH_MAP, d.width = 2, d.channels = 1;
        net = sslh_net_new(c, d);
        sslh_layer_conv_new(net, "conv", 1, way ? 2 : 4000, 1, 1, 0);
        draw_squares();
        data = with_maps(c, 2, SIDE, SIDE, 2);
        r.tiles = 2, s.views = &r;
        sslh_train(c, sslh_segment(c, net, s), data, quiet(1));
        CHECK_ERROR(c, way ? "sslh_segment: the net gives (1,48,48,2) for 2 tiles of 48 x 48"
                           : "sslh_segment: the net gives (2,48,48,4000) for 2 tiles of 48 x 48: logits of the same "
                             "size with 2 values");
        t.size = 16;
        for (int i = 0; i < 3; i++) { /* neither the probabilities nor the copies of maps stay behind */
            sslh_begin_step(c);
            sslh_segment_image(c, net, data, 0, t);
            CHECK_ERROR(c, "sslh_segment_image: the net must give logits of the size of its input");
            sslh_data_with_maps(data, data, NULL, 2);
            CHECK_ERROR(c, "sslh_data_with_maps: map 0 has the value");
            CHECK(i < 2 || held == sslh_query(c).bytes, "%d bytes are left", (int)(sslh_query(c).bytes - held));
            held = sslh_query(c).bytes;
        }
        sslh_destroy(c);
    }
}

static void training_errors(void) {
    static const float bad[2] = {1, -1};
    sslh_ctx *c = context(1);
    sslh_segment_desc s;
    sslh_data d;
    draw_squares();
    d = with_maps(c, 2, SIDE, SIDE, 3);
    memset(&s, 0, sizeof s);
    s.weights = bad;
    sslh_segment(c, sslh_unet(c, convnet(c, 1), two_classes()), s);
    CHECK_ERROR(c, "sslh_segment: .weights[1] is not a number of at least 0");
    memset(&s, 0, sizeof s);
    sslh_segment(c, convnet(c, 1), s);
    CHECK_ERROR(c, "sslh_segment: the encoder \"convnet\" gives a vector (N,D), a map (N,H,W,C) is needed");
    sslh_train(c, sslh_segment(c, sslh_unet(c, convnet(c, 1), two_classes()), s),
               sslh_data_from_images(c, pixels, 2, SIDE, SIDE, 1, NULL), quiet(1));
    CHECK_ERROR(c, "sslh_segment: the data have no maps");
    classes_of[3] = 2;
    d = with_maps(c, 1, SIDE, SIDE, 3);
    sslh_train(c, sslh_segment(c, sslh_unet(c, convnet(c, 1), two_classes()), s), d, quiet(1));
    CHECK_ERROR(c, "sslh_segment: the maps have the class 2, the net has 2 classes");
    sslh_destroy(c);
}

/* Every allocation fails in turn: an error, nothing that leaks, and the next context works. */
static void failing_memory(void) {
    long failed = 1, at;
    for (at = 1; failed && at < 2000; at++) {
        sslh_unet_desc u = two_classes();
        sslh_segment_desc s;
        sslh_tiles_desc t;
        test_memory m;
        sslh_desc cd;
        sslh_ctx *c;
        sslh_data d;
        sslh_net *net;
        memset(&s, 0, sizeof s), memset(&t, 0, sizeof t), memset(&m, 0, sizeof m), memset(&cd, 0, sizeof cd);
        u.classes = 32;
        cd.threads = 1, cd.alloc = test_alloc, cd.release = test_release, cd.user = &m;
        m.fail_at = at;
        c = sslh_create(cd);
        columns(12, 12);
        d = with_maps(c, 1, 12, 12, 32);
        net = sslh_unet(c, convnet(c, 1), u);
        sslh_train(c, sslh_segment(c, net, s), d, quiet(1));
        t.size = 8;
        sslh_segment_evaluate(c, net, d, t);
        failed = m.calls >= at;
        if (failed) CHECK(sslh_error(c) && strstr(sslh_error(c), "memory"), "allocation %ld: %s", at,
                          sslh_error(c) ? sslh_error(c) : "no error");
        else CHECK_OK(c);
        sslh_destroy(c);
        CHECK(m.live == 0, "allocation %ld: %ld blocks are left", at, m.live);
    }
    CHECK(!failed && at > 30, "%ld allocations", at);
}

TESTS_BEGIN
    TEST(scores)
    TEST(dice_loss)
    TEST(data_of_maps)
    TEST(views_of_nothing)
    TEST(move_alike)
    TEST(elastic)
    TEST(colours_and_threads)
    TEST(foreign_fields)
    TEST(wrong_recipes)
    TEST(unet_sizes)
    TEST(unet_errors)
    TEST(long_names)
    TEST(unet_gradient)
    TEST(unet_saved)
    TEST(tiles)
    TEST(tile_errors)
    TEST(evaluate)
    TEST_LEARNS(learns)
    TEST(same_bits)
    TEST(nothing_to_learn)
    TEST(wrong_logits)
    TEST(training_errors)
    TEST(failing_memory)
TESTS_END
