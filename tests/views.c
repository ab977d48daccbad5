/* Views: golden files of Pillow and torchvision (tests/golden/make_resize.py), draws, determinism,
   hostile arguments. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#define TEST_SEED 11
#include "harness.h"

/* From the top of the checkout or from tests. */
static const char *golden(char path[256], const char *name) {
    const char *root[2] = {"tests/golden", "golden"};
    int i;
    for (i = 0; i < 2; i++) {
        FILE *f;
        snprintf(path, 256, "%s/%s", root[i], name);
        f = fopen(path, "rb");
        if (!f) continue;
        fclose(f);
        return path;
    }
    return NULL;
}

/* A share of the tokens of a text is never more than all of them, also where a float rounds their number up. */
static void parts_of_texts(void) {
    int n;
    CHECK(sslh_i_part_of(1, 8388609) == 8388609, "%d of 8388609", sslh_i_part_of(1, 8388609));
    CHECK(sslh_i_part_of(1, INT_MAX) == INT_MAX, "%d of all", sslh_i_part_of(1, INT_MAX));
    for (n = 0; n < 100; n++) {
        CHECK(sslh_i_part_of(1, n) == n && sslh_i_part_of(0, n) == 0, "all and none of %d", n);
        CHECK(sslh_i_part_of(0.25f, n) == (int)(0.25 * n + 0.5), "a quarter of %d", n);
    }
}

/* Values that the extra digits of x87 registers round otherwise: the largest floats and doubles below one half (with a
   half added, 1 in their type), and 0.7f x 10, which is 7 as a float and less with more digits. */
static void rounded_once(void) {
    volatile float below = 0.49999997f, most = 0.7f, high = 8388609.0f;
    volatile double under = 0.49999999999999994;
    sslh_real noise[10], mask[10];
    int i, sum = 0;
    CHECK((int)sslh_i_nearest(below) == 1 && (int)sslh_i_nearest(-below) == -1, "the float below one half");
    CHECK((int)sslh_i_nearest_double(under) == 1 && (int)sslh_i_nearest_double(-under) == -1, "the double below it");
    CHECK((int)sslh_i_nearest(high) == 8388610, "a float without room for a half");
    CHECK((int)sslh_i_nearest(2.5f) == 3 && (int)sslh_i_nearest(-2.5f) == -3, "halves");
    CHECK((int)sslh_i_nearest(2.25f) == 2 && (int)sslh_i_nearest(-2.75f) == -3 && (int)sslh_i_nearest(0) == 0, "rest");
    CHECK(sslh_i_part_of(below, 1) == 1, "%d of 1", sslh_i_part_of(below, 1));
    for (i = 0; i < 10; i++) noise[i] = (sslh_real)i, mask[i] = 0;
    sslh_i_inpainting_region(most, noise, mask, 10);
    for (i = 0; i < 10; i++) sum += mask[i] > 0;
    CHECK(sum == 8, "%d of 10 places: 7, and the one at the threshold", sum);
}

static sslh_tensor *load(sslh_ctx *c, const char *folder, const char *name) {
    char path[256], file[128];
    snprintf(file, sizeof file, "%s/%s.npy", folder, name);
    if (!CHECK(golden(path, file) != NULL, "%s is missing", file)) return sslh_zeros(c, sslh_dim3(1, 1, 1));
    return sslh_load_npy(c, path);
}

static double worst(const sslh_tensor *t, const float *x, size_t count) {
    double w = 0;
    size_t i;
    if (t->count != count) return 1e9;
    for (i = 0; i < count; i++) {
        double e = fabs((double)t->data[i] - (double)x[i]);
        if (!(e <= w)) w = e;
    }
    return w;
}

/* Values of a tensor as floats (malloc). */
static float *floats(const sslh_tensor *t) {
    float *x = (float *)malloc(t->count * sizeof *x);
    size_t i;
    for (i = 0; x && i < t->count; i++) x[i] = (float)t->data[i];
    return x;
}

/* Pillow on float images: at most 2e-6 apart (both sum in a different precision). */
static void resize_like_pillow(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *in = load(c, "resize", "in");
    float *x = floats(in);
    char path[256], name[64];
    int box[4], oh, ow, bilinear, cases = 0;
    FILE *f = golden(path, "resize/cases.txt") ? fopen(path, "r") : NULL;
    if (!CHECK(f != NULL && in->ndim == 3, "no cases")) return;
    while (fscanf(f, "%63s %d %d %d %d %d %d %d", name, box, box + 1, box + 2, box + 3, &oh, &ow, &bilinear) == 8) {
        sslh_tensor *want = load(c, "resize", name);
        float b[4], *out = (float *)malloc((size_t)oh * (size_t)ow * sizeof *out);
        int i;
        for (i = 0; i < 4; i++) b[i] = (float)box[i] / 1000.0f;
        sslh_resize(c, x, in->shape[0], in->shape[1], 1, b, out, oh, ow, bilinear, 0);
        CHECK_OK(c);
        CHECK(worst(want, out, (size_t)oh * (size_t)ow) <= 2e-6,
              "%s: worst error %g", name, worst(want, out, (size_t)oh * (size_t)ow));
        free(out);
        cases++;
    }
    CHECK(cases == 11, "%d cases", cases);
    fclose(f);
    free(x);
    sslh_destroy(c);
}

/* Pillow rounds images of bytes after each pass, and so do we: the same bytes, but for ties (half of symmetric weights
   times 255) that its fixed point and our floats see differently. Of the sharp image the cubic
   overshoots by 19 levels. */
static void resize_like_pillow_bytes(void) {
    static const struct { const char *in, *out; int h, w, bilinear; } cases[4] = {
        {"bytes_in", "bytes_out", 32, 32, 0}, {"sharp_in", "sharp_down", 32, 29, 0},
        {"sharp_in", "sharp_up", 64, 57, 0}, {"sharp_in", "sharp_half", 24, 20, 1}};
    uint8_t bytes[48 * 40 * 3];
    int threads, k;
    for (threads = 1; threads < 3; threads++)
        for (k = 0; k < 4; k++) {
            sslh_ctx *c = context(threads);
            sslh_tensor *in = load(c, "resize", cases[k].in), *want = load(c, "resize", cases[k].out), *x, *y;
            sslh_recipe r = sslh_recipe_none();
            size_t i, other = 0;
            for (i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i < in->count ? in->data[i] : 0);
            x = sslh_from_bytes(c, sslh_dim4(1, 48, 40, 3), bytes);
            r.height = cases[k].h, r.width = cases[k].w, r.bilinear = cases[k].bilinear;
            y = sslh_augment(c, x, r, 1);
            CHECK_OK(c);
            if (!CHECK(y->count == want->count, "%s: %d values", cases[k].out, (int)y->count)) continue;
            for (i = 0; i < y->count; i++) {
                double d = fabs((double)y->data[i] * 255 - (double)want->data[i]);
                if (d > 1e-3) other++;
                CHECK(d < 1.001, "%s: value %d is %g, Pillow has %g", cases[k].out, (int)i,
                      (double)y->data[i] * 255, (double)want->data[i]);
            }
            CHECK(other * 200 <= y->count, "%s: %d of %d values differ", cases[k].out, (int)other, (int)y->count);
            sslh_destroy(c);
        }
}

/* One colour step on the golden image, through the planes. */
typedef void (*step_fn)(sslh_i_view_work *w, size_t count, size_t n, int height, int width);
#define STEP(name, call)                                                                                               \
    static void step_##name(sslh_i_view_work *w, size_t count, size_t n, int h, int x) {                               \
        (void)count, (void)n, (void)h, (void)x;                                                                        \
        call;                                                                                                          \
    }
STEP(brightness, sslh_i_jitter(w, 0, 1.4f, 3, count, n))
STEP(contrast, sslh_i_jitter(w, 1, 0.6f, 3, count, n))
STEP(contrast_up, sslh_i_jitter(w, 1, 1.7f, 3, count, n))
STEP(saturation, sslh_i_jitter(w, 2, 1.8f, 3, count, n))
STEP(hue, sslh_i_jitter(w, 3, 0.15f, 3, count, n))
STEP(hue_down, sslh_i_jitter(w, 3, -0.4f, 3, count, n))
STEP(blur, sslh_i_blur(w, 3, h, x, 7, 1.3f))
STEP(blur_small, sslh_i_blur(w, 3, h, x, 3, 0.4f))

static void colour(sslh_ctx *c, const char *name, step_fn step, double bound) {
    sslh_tensor *in = load(c, "views", "in"), *want = load(c, "views", name);
    int h = in->shape[0], width = in->shape[1], ch;
    size_t count = (size_t)h * (size_t)width, i;
    sslh_i_view_sizes size;
    sslh_i_view_work w;
    sslh_real *memory;
    float *out = (float *)malloc(count * 3 * sizeof *out);
    CHECK(sslh_i_view_size(&size, h, width, h, width, 3), "size");
    memory = (sslh_real *)calloc(size.total, sizeof *memory);
    sslh_i_view_carve(&w, c->k, &size, memory);
    for (ch = 0; ch < 3; ch++)
        for (i = 0; i < count; i++) w.planes[(size_t)ch * w.plane + i] = in->data[i * 3 + (size_t)ch];
    step(&w, count, SSLH_I_ROUND_UP(count), h, width);
    for (ch = 0; ch < 3; ch++)
        for (i = 0; i < count; i++) out[i * 3 + (size_t)ch] = (float)w.planes[(size_t)ch * w.plane + i];
    CHECK(worst(want, out, count * 3) <= bound, "%s: worst error %g", name, worst(want, out, count * 3));
    free(memory);
    free(out);
}

static void colour_like_torchvision(void) {
    sslh_ctx *c = context(1);
    sslh_recipe r;
    sslh_tensor *in = load(c, "views", "in"), *x, *y;
    colour(c, "brightness", step_brightness, 1e-6);
    colour(c, "contrast", step_contrast, 1e-6);
    colour(c, "contrast_up", step_contrast_up, 1e-6);
    colour(c, "saturation", step_saturation, 1e-6);
    colour(c, "hue", step_hue, 3e-6);
    colour(c, "hue_down", step_hue_down, 3e-6);
    colour(c, "blur", step_blur, 1e-6);
    colour(c, "blur_small", step_blur_small, 1e-6);
    x = sslh_zeros(c, sslh_dim4(1, in->shape[0], in->shape[1], 3));
    memcpy(x->data, in->data, x->count * sizeof *x->data);
    r = sslh_recipe_none();
    r.grey = 1;
    y = sslh_augment(c, x, r, 1);
    {
        float *v = floats(y);
        CHECK(worst(load(c, "views", "grey"), v, y->count) <= 1e-6, "grey");
        free(v);
    }
    r = sslh_recipe_none();
    r.solarize = 1;
    y = sslh_augment(c, x, r, 1);
    {
        float *v = floats(y);
        CHECK(worst(load(c, "views", "solarize"), v, y->count) <= 1e-6, "solarize");
        free(v);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* 200 images (H,W,C) of waves in 8 bits; a batch of them. */
enum { IMAGES = 200 };
static uint8_t pixels[IMAGES * 32 * 32 * 4];
static int32_t numbers[IMAGES];
static sslh_batch batch_of(sslh_ctx *c, int height, int width, int channels, const int32_t *index, int count) {
    sslh_batch b;
    size_t i, n = (size_t)IMAGES * (size_t)height * (size_t)width * (size_t)channels;
    for (i = 0; i < n; i++) pixels[i] = (uint8_t)(sslh_random_u32(5, 6, i / 3) >> 24);
    for (i = 0; i < IMAGES; i++) numbers[i] = (int32_t)i;
    memset(&b, 0, sizeof b);
    b.data.ctx = c;
    b.data.count = IMAGES;
    b.data.fields = 1;
    b.data.field[0].kind = SSLH_FIELD_IMAGE;
    b.data.field[0].type = SSLH_U8;
    b.data.field[0].shape = sslh_dim3(height, width, channels);
    b.data.field[0].values = pixels;
    b.data.height = height;
    b.data.width = width;
    b.data.channels = channels;
    b.count = count;
    b.index = index ? index : numbers;
    b.seed = 3;
    return b;
}

static sslh_recipe everything(void) {
    sslh_recipe r = sslh_recipe_byol1();
    r.pad_crop = 3;
    r.rotate90 = 1;
    r.blur = 0.5f;
    r.blur_kernel = 5;
    r.solarize = 0.5f;
    r.cutout = 7;
    r.mean[0] = r.mean[1] = r.mean[2] = 0.5f;
    r.std[0] = r.std[1] = r.std[2] = 0.25f;
    return r;
}

static void same_bits_for_any_threads(void) {
    unsigned long long first = 0;
    int threads;
    for (threads = 1; threads <= 5; threads++) {
        sslh_ctx *c = context(threads);
        sslh_tensor *t = sslh_views(c, batch_of(c, 29, 32, 3, NULL, IMAGES), everything(), 1);
        sslh_recipe r = everything();
        unsigned long long h;
        CHECK(t->ndim != 4, "rotate90 of a view that is not square must be an error");
        CHECK_ERROR(c, "square");
        r.height = 32;
        t = sslh_views(c, batch_of(c, 29, 32, 3, NULL, IMAGES), r, 1);
        CHECK_OK(c);
        h = test_hash(t->data, t->count * sizeof *t->data, 0);
        if (threads == 1) first = h;
        CHECK(h == first, "%d threads: other bits", threads);
        sslh_destroy(c);
    }
}

/* An image's view is the same alone, in any batch and at any place; it changes with epoch, view and seed. */
static void view_depends_on_its_sample_only(void) {
    sslh_ctx *c = context(2);
    static const int32_t some[5] = {77, 3, 150, 3, 12};
    sslh_batch all = batch_of(c, 32, 32, 3, NULL, IMAGES), few = all, other;
    sslh_tensor *a, *b;
    size_t n = 32 * 32 * 3 * sizeof(sslh_real);
    int i, same = 0;
    few.index = some;
    few.count = 5;
    a = sslh_views(c, all, everything(), 0);
    b = sslh_views(c, few, everything(), 0);
    for (i = 0; i < 5; i++)
        CHECK(!memcmp(a->data + (size_t)some[i] * 3072, b->data + (size_t)i * 3072, n),
              "sample %d differs", (int)some[i]);
    for (i = 0; i < 4; i++) {
        sslh_tensor *o;
        size_t k;
        other = all;
        if (i == 0) other.epoch = 1;
        if (i == 1) other.seed = 4;
        o = sslh_views(c, other, everything(), i == 2 ? 1 : 0);
        for (k = 0; k < IMAGES && i < 3; k++) same += !memcmp(a->data + k * 3072, o->data + k * 3072, n);
        if (i == 3) CHECK(!memcmp(a->data, o->data, a->count * sizeof *a->data), "the same call gives other bits");
    }
    CHECK(same == 0, "%d views do not change with epoch, seed or view", same);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Shares of the draws over 20,000 views. */
static void draws_follow_the_recipe(void) {
    sslh_ctx *c = context(1);
    sslh_recipe r = everything();
    int i, n = 20000, flips = 0, grey = 0, jitter = 0, blur = 0, solar = 0, turn[4] = {0}, first[4] = {0},
           last[4] = {0}, bad = 0;
    double area = 0, area_min = 1, area_max = 0, log_ratio = 0, brightness = 0, hue = 0, left = 0;
    r.height = r.width = 200;
    CHECK(sslh_i_recipe_resolve(c, "test", &r, 200, 200, 3), "resolve");
    for (i = 0; i < n; i++) {
        sslh_i_draw d;
        sslh_i_key k = sslh_i_view_key(1, 0, i, 0);
        double share;
        sslh_i_draw_view(&r, &k, 200, 200, &d);
        share = (double)d.height * d.width / 40000.0;
        if (d.top < 0 || d.left < 0 || d.top + d.height > 200 || d.left + d.width > 200 || d.height < 1 || d.width < 1)
            bad++;
        area += share;
        area_min = SSLH_I_MIN(area_min, share);
        area_max = SSLH_I_MAX(area_max, share);
        log_ratio += log((double)d.width / (double)d.height);
        if ((double)d.width / (double)d.height > 4.0 / 3.0 + 0.05 || (double)d.width / (double)d.height < 0.75 - 0.05)
            bad++;
        left += d.width == 200 ? 0.5 : (double)d.left / (double)(200 - d.width);
        flips += d.flip;
        grey += d.grey;
        jitter += d.jitter;
        blur += d.sigma > 0;
        solar += d.solarize;
        turn[d.quarter]++;
        first[d.order[0]]++;
        last[d.order[3]]++;
        brightness += (double)d.factor[0];
        hue += (double)d.factor[3];
        if (d.factor[0] < 0.6f || d.factor[0] > 1.4f || d.factor[3] < -0.1f || d.factor[3] > 0.1f || d.dx < -3 ||
            d.dx > 3)
            bad++;
        if (d.sigma > 0 && (d.sigma < 0.1f || d.sigma > 2.0f)) bad++;
    }
    CHECK(bad == 0, "%d draws out of range", bad);
    CHECK(area_min >= 0.075 && area_min < 0.09 && area_max <= 1.0 && area_max > 0.97,
          "area %g to %g", area_min, area_max);
    CHECK_NEAR(area / n, 0.4815, 0.006); /* of torchvision's get_params: large crops miss the image more often */
    CHECK_NEAR(log_ratio / n, 0.0, 0.01);
    CHECK_NEAR(left / n, 0.5, 0.02);
    CHECK_NEAR((double)flips / n, 0.5, 0.02);
    CHECK_NEAR((double)grey / n, 0.2, 0.02);
    CHECK_NEAR((double)jitter / n, 0.8, 0.02);
    CHECK_NEAR((double)blur / n, 0.5, 0.02);
    CHECK_NEAR((double)solar / n, 0.5, 0.02);
    CHECK_NEAR(brightness / n, 1.0, 0.01);
    CHECK_NEAR(hue / n, 0.0, 0.005);
    for (i = 0; i < 4; i++) {
        CHECK_NEAR((double)turn[i] / n, 0.25, 0.02);
        CHECK_NEAR((double)first[i] / n, 0.25, 0.02);
        CHECK_NEAR((double)last[i] / n, 0.25, 0.02);
    }
    sslh_destroy(c);
}

/* Steps whose result is known exactly. */
static void simple_steps(void) {
    sslh_ctx *c = context(1);
    sslh_batch b = batch_of(c, 8, 8, 3, NULL, 40);
    sslh_recipe r = sslh_recipe_none();
    sslh_tensor *t = sslh_views(c, b, r, 0), *m, *s, *x;
    int i, y, k, wrong = 0;
    int32_t q[4] = {0, 1, 2, -1};
    static const float four[16] = {1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4};
    for (i = 0; i < 40 * 192; i++) wrong += t->data[i] != (sslh_real)((float)pixels[i] / 255.0f);
    CHECK(wrong == 0, "the plain view is not the image");
    r.flip = 1;
    m = sslh_views(c, b, r, 0);
    for (i = 0; i < 40 * 64; i++)
        for (k = 0; k < 3; k++) wrong += m->data[i * 3 + k] != t->data[(i / 8 * 8 + 7 - i % 8) * 3 + k];
    CHECK(wrong == 0, "mirror");
    r = sslh_recipe_none();
    r.pad_crop = 2;
    s = sslh_views(c, b, r, 0);
    for (i = 0; i < 40; i++) { /* every view is one of the 25 shifts */
        int dy, dx, found = 0;
        for (dy = -2; dy <= 2; dy++)
            for (dx = -2; dx <= 2; dx++) {
                int same = 1;
                for (y = 0; y < 8; y++)
                    for (k = 0; k < 8; k++) {
                        int fy = y + dy, fx = k + dx, inside = fy >= 0 && fy < 8 && fx >= 0 && fx < 8;
                        sslh_real want = inside ? t->data[((i * 8 + fy) * 8 + fx) * 3] : 0;
                        same &= s->data[((i * 8 + y) * 8 + k) * 3] == want;
                    }
                found += same;
            }
        CHECK(found >= 1, "image %d is no shift", i);
    }
    r = sslh_recipe_none();
    r.mean[1] = 0.5f;
    r.std[1] = 0.25f;
    s = sslh_views(c, b, r, 0);
    for (i = 0; i < 40 * 64; i++) {
        CHECK_NEAR(s->data[i * 3 + 1], (t->data[i * 3 + 1] - (sslh_real)0.5) * 4, 1e-6);
        wrong += s->data[i * 3] != t->data[i * 3];
    }
    CHECK(wrong == 0, "a channel without std changed");
    r = sslh_recipe_none();
    r.cutout = 4;
    s = sslh_views(c, b, r, 0);
    for (i = 0; i < 40; i++) {
        int grey = 0;
        for (k = 0; k < 64; k++) grey += s->data[(i * 64 + k) * 3] == (sslh_real)0.5;
        CHECK(grey >= 4 && grey <= 16, "%d grey pixels", grey);
    }
    x = sslh_from(c, sslh_dim4(4, 2, 2, 1), four);
    x = sslh_rotate90(c, x, q);
    {
        static const int want[16] = {1, 2, 3, 4, 2, 4, 1, 3, 4, 3, 2, 1, 3, 1, 4, 2}; /* numpy.rot90 */
        for (i = 0; i < 16; i++) CHECK(x->data[i] == (sslh_real)want[i], "turn %d: %g", i, (double)x->data[i]);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Channels 1, 2 and 4; transparency keeps its values; grey images stay grey. */
static void other_channels(void) {
    sslh_ctx *c = context(1);
    int channels, i;
    for (channels = 1; channels <= 4; channels++) {
        sslh_recipe r = sslh_recipe_byol1();
        sslh_tensor *t;
        r.crop_min = 0;
        r.flip = 0;
        r.solarize = 1;
        r.cutout = 5;
        t = sslh_views(c, batch_of(c, 16, 12, channels, NULL, 9), r, 0);
        CHECK_OK(c);
        CHECK(t->shape[3] == channels && t->shape[1] == 16 && t->shape[2] == 12, "shape");
        for (i = 0; i < 9 * 16 * 12 && channels % 2 == 0; i++)
            if (t->data[i * channels + channels - 1] !=
                (sslh_real)((float)pixels[i * channels + channels - 1] / 255.0f))
                break;
        CHECK(channels % 2 == 1 || i == 9 * 16 * 12, "transparency changed");
        for (i = 0; i < (int)t->count; i++)
            CHECK(t->data[i] >= 0 && t->data[i] <= 1, "%g out of [0,1]", (double)t->data[i]);
    }
    sslh_destroy(c);
}

/* Every combination of small sizes, under valgrind or the address sanitizer a test of the scratch. */
static void odd_sizes(void) {
    static const int side[6] = {1, 2, 3, 15, 17, 32};
    sslh_ctx *c = context(2);
    int a, b, d, e, n = 0;
    for (a = 0; a < 6; a++)
        for (b = 0; b < 6; b++)
            for (d = 0; d < 6; d++)
                for (e = 0; e < 6; e++) {
                    sslh_recipe r = sslh_recipe_byol0();
                    sslh_tensor *t;
                    size_t i;
                    r.height = side[d];
                    r.width = side[e];
                    r.solarize = 0.5f;
                    r.cutout = 100000;
                    r.pad_crop = 1;
                    r.blur_kernel = 2 * (SSLH_I_MIN(side[d], side[e]) - 1) + 1;
                    r.bilinear = n & 1;
                    r.no_antialias = n >> 1 & 1;
                    sslh_begin_step(c);
                    t = sslh_views(c, batch_of(c, side[a], side[b], 3, NULL, 3 + n % 20), r, n);
                    CHECK_OK(c);
                    for (i = 0; i < t->count; i++)
                        if (!(t->data[i] >= 0 && t->data[i] <= 1)) break;
                    CHECK(i == t->count, "%dx%d to %dx%d: value out of range", side[a], side[b], side[d], side[e]);
                    n++;
                }
    sslh_destroy(c);
}

static int fetch_count;
static int fetch(void *user, int64_t index, void *out) {
    if (user && index == 7) return 1;
    fetch_count++;
    memcpy(out, pixels + (size_t)index * 32 * 32 * 3, 32 * 32 * 3);
    return 0;
}

static void fetched_and_subset(void) {
    sslh_ctx *c = context(2);
    sslh_batch b = batch_of(c, 32, 32, 3, NULL, 9), f = b;
    static const int32_t order[9] = {8, 7, 6, 5, 4, 3, 2, 1, 0};
    static float values[2 * 3072];
    sslh_recipe r = everything();
    sslh_tensor *x = sslh_views(c, b, r, 2), *y;
    int i;
    f.data.field[0].values = NULL;
    f.data.field[0].fetch = fetch;
    y = sslh_views(c, f, everything(), 2);
    CHECK_OK(c);
    CHECK(fetch_count == 9 && !memcmp(x->data, y->data, x->count * sizeof *x->data),
          "a callback source gives other views");
    f.data.field[0].user = &f;
    sslh_views(c, f, everything(), 2);
    CHECK_ERROR(c, "fetch");
    b.data.order = order;
    b.data.count = 9;
    y = sslh_views(c, b, sslh_recipe_none(), 0);
    for (i = 0; i < 9; i++) CHECK(y->data[i * 3072] == (sslh_real)((float)pixels[(8 - i) * 3072] / 255.0f), "subset");
    /* the same pixels as floats give the same views where nothing is resized, which rounds bytes to bytes */
    for (i = 0; i < 2 * 3072; i++) values[i] = (float)pixels[i] / 255.0f;
    b = batch_of(c, 32, 32, 3, NULL, 2);
    r.crop_min = 0, r.height = r.width = 32;
    x = sslh_views(c, b, r, 2);
    b.data.field[0].type = SSLH_F32;
    b.data.field[0].values = values;
    y = sslh_views(c, b, r, 2);
    CHECK(!memcmp(x->data, y->data, x->count * sizeof *x->data), "float images give other views");
    CHECK_OK(c);
    sslh_destroy(c);
}

static void hostile(void) {
    sslh_ctx *c = context(1);
    float x[12] = {0}, y[12];
    float box[4] = {0, 0, 2, 3}, zero = 0, nan = zero / zero;
    int32_t wrong[2] = {0, IMAGES}, negative[1] = {-1};
    sslh_batch b = batch_of(c, 8, 8, 3, NULL, 4), none;
    sslh_recipe r;
    memset(&none, 0, sizeof none);
    sslh_resize(c, x, 2, 2, 3, box, y, 1, 1, 0, 0);
    CHECK_ERROR(c, "not inside");
    box[3] = nan;
    sslh_resize(c, x, 2, 2, 3, box, y, 1, 1, 0, 0);
    CHECK_ERROR(c, "not inside");
    sslh_resize(c, x, 0, 2, 3, NULL, y, 1, 1, 0, 0);
    CHECK_ERROR(c, "sides");
    sslh_resize(c, x, 2, 2, 3, NULL, y, 2000000000, 1, 0, 0);
    CHECK_ERROR(c, "sides");
    sslh_resize(c, NULL, 2, 2, 3, NULL, y, 1, 1, 0, 0);
    CHECK_ERROR(c, "NULL");
    sslh_views(c, none, sslh_recipe_simclr(), 0);
    CHECK_ERROR(c, "no image field");
    sslh_views(c, b, sslh_recipe_simclr(), -1);
    CHECK_ERROR(c, "view");
    b.index = wrong;
    b.count = 2;
    sslh_views(c, b, sslh_recipe_simclr(), 0);
    CHECK_ERROR(c, "sample 200");
    b.index = negative;
    b.count = 1;
    sslh_views(c, b, sslh_recipe_simclr(), 0);
    CHECK_ERROR(c, "sample -1");
    b = batch_of(c, 8, 8, 3, NULL, 4);
#define BAD(field, value, text)           \
    do {                                  \
        r = sslh_recipe_byol1();          \
        r.field = value;                  \
        sslh_views(c, b, r, 0);           \
        CHECK_ERROR(c, text);             \
    } while (0)
    BAD(height, -3, ".height");
    BAD(width, 2000000000, ".width");
    BAD(crop_min, 2.0f, ".crop_min");
    BAD(crop_min, nan, ".crop_min");
    BAD(flip, 1.5f, ".flip is 1.5 (0 to 1)");
    BAD(jitter, nan, ".jitter is NaN (0 to 1)");
    BAD(hue, 0.7f, ".hue");
    BAD(brightness, nan, ".brightness");
    BAD(blur_kernel, 4, ".blur_kernel");
    BAD(blur_kernel, 17, ".blur_kernel");
    BAD(blur_max, 0.05f, ".blur_min"); /* below the default minimum */
    BAD(pad_crop, 9, ".pad_crop");
    BAD(ratio_min, -1.0f, ".ratio_min");
    BAD(crop_tries, -1, ".crop_tries");
    BAD(std[2], -1.0f, ".std");
    BAD(cutout, -1, ".cutout");
#undef BAD
    sslh_augment(c, sslh_zeros(c, sslh_dim4(1, 2, 2, 5)), sslh_recipe_simclr(), 0);
    CHECK_ERROR(c, "channels");
    sslh_augment(c, sslh_zeros(c, sslh_dim2(2, 2)), sslh_recipe_simclr(), 0);
    CHECK_ERROR(c, "(N,H,W,C)");
    sslh_augment(c, NULL, sslh_recipe_simclr(), 0);
    CHECK_ERROR(c, "NULL");
    sslh_rotate90(c, sslh_zeros(c, sslh_dim4(1, 2, 3, 1)), wrong);
    CHECK_ERROR(c, "H = W");
    sslh_rotate90(c, sslh_zeros(c, sslh_dim4(1, 2, 2, 1)), NULL);
    CHECK_ERROR(c, "NULL");
    sslh_destroy(c);
}

static void recipe_text(void) {
    char text[2000], small[10];
    size_t n = sslh_recipe_print(sslh_recipe_byol1(), text, sizeof text);
    CHECK(n == strlen(text) && n > 100, "length %d", (int)n);
    CHECK(strstr(text, "crop: 0.08 to 1 of the area, aspect 0.75 to 1.3333, 10 tries, bicubic") != NULL, "%s", text);
    CHECK(strstr(text, "solarise: probability 0.2, threshold 0.5") != NULL, "%s", text);
    CHECK(sslh_recipe_print(sslh_recipe_byol1(), small, sizeof small) == n && strlen(small) == 9, "a small buffer");
    CHECK(sslh_recipe_print(sslh_recipe_byol1(), NULL, 0) == n, "no buffer");
    sslh_recipe_print(sslh_recipe_none(), text, sizeof text);
    CHECK(!strcmp(text, "as it is\n"), "%s", text);
    {
        sslh_recipe r = sslh_recipe_none();
        r.blur = 1, r.blur_min = 5; /* the largest is at least the smallest */
        sslh_recipe_print(r, text, sizeof text);
        CHECK(!strncmp(text, "blur: probability 1, sigma 5 to 5,", 34), "%s", text);
    }
    /* how it resizes is told with and without a crop: checkpoints compare this text */
    for (int crop = 0; crop < 2; crop++) {
        static const char *const want[4] = {"", "bilinear\n", "bicubic, no antialiasing\n",
                                            "bilinear, no antialiasing\n"};
        for (int how = 0; how < 4; how++) {
            sslh_recipe r = sslh_recipe_none();
            r.height = r.width = 16, r.crop_min = crop ? 0.5f : 0, r.bilinear = how & 1, r.no_antialias = how >> 1;
            sslh_recipe_print(r, text, sizeof text);
            CHECK(strstr(text, want[how]) && (how || crop || !strcmp(text, "size: 16 x 16 (0: of the image)\n")),
                  "crop %d, %d: %s", crop, how, text);
        }
    }
}

/* From the third call on nothing is allocated; with memory failing anywhere nothing breaks or leaks. */
static void memory(void) {
    test_memory m;
    sslh_desc d;
    long calls, at;
    int pass;
    memset(&d, 0, sizeof d);
    d.threads = 2;
    d.alloc = test_alloc;
    d.release = test_release;
    d.user = &m;
    for (at = 0, calls = 1; at <= calls; at++) {
        sslh_ctx *c;
        memset(&m, 0, sizeof m);
        m.fail_at = at;
        c = sslh_create(d);
        for (pass = 0; pass < 5; pass++) {
            sslh_begin_step(c);
            sslh_views(c, batch_of(c, 32, 32, 3, NULL, 32), everything(), 0);
            if (pass == 2 && at == 0) calls = m.calls;
        }
        if (at == 0) CHECK(m.calls == calls && !sslh_error(c), "%ld allocations after the third step", m.calls - calls);
        else CHECK(sslh_error(c) != NULL, "failure %ld went unnoticed", at);
        sslh_destroy(c);
        CHECK(m.live == 0, "failure %ld: %ld blocks leak", at, m.live);
    }
}

/* The bits of a float build, anywhere and with every instruction set. */
static void known_bits(void) {
#if !SSLH_I_DOUBLE
    int i;
    for (i = -1; i < 0 || sslh_cpu_name(i); i++) { /* -1: the best */
        sslh_desc d;
        sslh_ctx *c;
        sslh_tensor *t;
        unsigned long long h;
        memset(&d, 0, sizeof d);
        d.threads = 2;
        d.cpu = sslh_cpu_name(i);
        c = sslh_create(d);
        t = sslh_views(c, batch_of(c, 32, 32, 3, NULL, 64), everything(), 0);
        h = test_hash_floats(t->data, t->count, 0);
        /* an error: not this processor */
        CHECK(sslh_error(c) || h == 0xccaa1e6d2d9d73a6ull, "%s: 0x%016llx", sslh_query(c).cpu, h);
        sslh_destroy(c);
    }
#endif
}

/* Work ahead of the step: whatever happens between the steps, the views are those that one thread makes when asked. */
enum { AHEAD_SEEK = 1, AHEAD_SWEEP = 2, AHEAD_TWICE = 4, AHEAD_SOME = 8,
       AHEAD_LAST = 16, AHEAD_TWO = 32, AHEAD_OFF = 64 };
static unsigned long long ahead_run(int threads, int what) {
    enum { N = 90, SIDE = 24 };
    static uint8_t pixels[N * SIDE * SIDE * 3];
    static int32_t labels[N];
    sslh_ctx *c = context(threads);
    sslh_loader_desc d;
    sslh_loader *l, *other = NULL;
    sslh_batch b, b2;
    sslh_recipe plain = SSLH_VIEWS_ROTATION;
    unsigned long long h = 0;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int i = 0; i < N; i++) labels[i] = i % 7;
    sslh_data data = sslh_data_from_images(c, pixels, N, SIDE, SIDE, 3, labels);
    memset(&d, 0, sizeof d);
    d.batch = 20;
    d.epochs = 3;
    d.keep_last = (what & AHEAD_LAST) != 0;
    d.no_ahead = (what & AHEAD_OFF) != 0;
    l = sslh_loader_new(c, data, d);
    if (what & AHEAD_TWO) other = sslh_loader_new(c, sslh_data_range(data, 10, 70), d);
    for (int step = 0; sslh_next_batch(l, &b); step++) {
        sslh_tensor *x[5], *w;
        int n = 0;
        if (other && !sslh_next_batch(other, &b2)) break;
        if (!(what & AHEAD_SOME) || step % 3) x[n++] = sslh_views(c, b, everything(), 0);
        if (!(what & AHEAD_SOME) || step % 4) x[n++] = sslh_views(c, b, everything(), 1);
        x[n++] = sslh_views(c, b, plain, 1);
        if (what & AHEAD_TWICE) x[n++] = sslh_views(c, b, everything(), 1);
        if (other) x[n++] = sslh_views(c, b2, everything(), 0);
        w = sslh_normal(c, sslh_dim2(200, 200), 0, 1); /* a step: workers join in and have gaps */
        for (int i = 0; i < 4; i++) w = sslh_tanh(c, sslh_matmul(c, w, w));
        for (int i = 0; i < n; i++) {
            h = test_hash(x[i]->data, x[i]->count * sizeof *x[i]->data, h);
            x[i]->data[0] = 7; /* nobody else has it */
        }
        if (what == AHEAD_TWICE)
            CHECK(x[1]->data[1] == x[3]->data[1] && x[1]->data != x[3]->data, "the same view twice");
        if ((what & AHEAD_SWEEP) && step % 3 == 1) {
            const int64_t mark = sslh_mark(c);
            sslh_batch e;
            d.epochs = 1;
            for (sslh_loader *sweep = sslh_loader_new(c, data, d); sslh_next_batch(sweep, &e);)
                h = test_hash(sslh_views(c, e, everything(), 0)->data, 1000, h);
            sslh_rewind(c, mark);
        }
        if ((what & AHEAD_SEEK) && step == 3) sslh_loader_seek(l, 9);
        if ((what & AHEAD_SEEK) && step == 5) sslh_loader_seek(l, 2);
    }
    CHECK_OK(c);
    sslh_destroy(c); /* the views of a next batch may be on their way */
    return h;
}
static void ahead_of_the_step(void) {
    const int what[] = {63, AHEAD_TWICE, 0, AHEAD_SEEK, AHEAD_SWEEP, AHEAD_SOME, AHEAD_LAST, AHEAD_TWO, AHEAD_OFF};
    for (int i = 0; i < (test_small() ? 2 : (int)(sizeof what / sizeof *what)); i++) {
        const unsigned long long want = ahead_run(1, what[i]);
        for (int threads = 2; threads <= (test_small() ? 2 : 4); threads++)
            CHECK(ahead_run(threads, what[i]) == want, "case %d, %d threads", what[i], threads);
    }
    /* a loop that is left in the middle, without waiting */
    for (int i = 0; i < (test_small() ? 6 : 30); i++) {
        sslh_ctx *c = context(3);
        const int64_t mark = sslh_mark(c);
        static uint8_t pixels[64 * 16 * 16 * 3];
        sslh_loader_desc d;
        sslh_batch b;
        memset(&d, 0, sizeof d);
        d.batch = 32;
        d.epochs = SSLH_OFF;
        sslh_loader *l = sslh_loader_new(c, sslh_data_from_images(c, pixels, 64, 16, 16, 3, NULL), d);
        for (int step = 0; step < 1 + i % 3; step++) {
            CHECK(sslh_next_batch(l, &b), "a batch");
            sslh_views(c, b, everything(), 0);
        }
        if (i % 2) sslh_rewind(c, mark);
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

/* Nothing is made ahead any more when training has ended, in a scope of the caller's too, whose data may be freed then,
   nor by a fine-tuning that failed; the loop that follows has views ahead of its own. */
static void ahead_ends_with_its_loader(void) {
    enum { N = 40, SIDE = 12 };
    static float pixels[N * SIDE * SIDE * 3];
    static int32_t labels[N];
    sslh_ctx *c = context(2);
    sslh_field f[2];
    sslh_convnet_desc e;
    sslh_train_desc t;
    sslh_finetune_desc fd;
    sslh_loader_desc ld;
    sslh_batch b;
    for (int i = 0; i < N * SIDE * SIDE * 3; i++) pixels[i] = (float)(i * 7 % 64) / 64;
    for (int i = 0; i < N; i++) labels[i] = i % 2;
    memset(f, 0, sizeof f), memset(&e, 0, sizeof e), memset(&t, 0, sizeof t);
    memset(&fd, 0, sizeof fd), memset(&ld, 0, sizeof ld);
    f[0].kind = SSLH_FIELD_IMAGE, f[0].shape = sslh_dim3(SIDE, SIDE, 3), f[0].values = pixels;
    f[1].kind = SSLH_FIELD_LABEL, f[1].type = SSLH_I32, f[1].values = labels;
    sslh_data data = sslh_data_from_fields(c, f, 2, N);
    e.channels = 3, e.widths[0] = 4, e.widths[1] = 6;
    sslh_net *net = sslh_convnet(c, e);
#if SSLH_WITH_SIMCLR
    sslh_simclr_desc s;
    memset(&s, 0, sizeof s);
    t.quiet = 1, t.batch = 8, t.epochs = 2, t.max_steps = 3;
    sslh_push(c);
    sslh_train(c, sslh_simclr(c, net, s), data, t);
    CHECK_OK(c);
    CHECK(!sslh_i_ahead_owner(c), "training in a scope");
    sslh_pop(c);
#endif
    fd.epochs = 1, fd.batch = 8;
    sslh_finetune(c, net, data, data, fd);
    CHECK_OK(c);
    CHECK(!sslh_i_ahead_owner(c), "fine-tuning");
    pixels[sizeof pixels / sizeof *pixels / 2] = (float)NAN;
    fd.epochs = 3;
    sslh_finetune(c, net, data, data, fd);
    CHECK_ERROR(c, "sslh_finetune");
    CHECK(!sslh_i_ahead_owner(c), "fine-tuning that failed");
    ld.batch = 8;
    sslh_loader *l = sslh_loader_new(c, data, ld);
    for (int step = 0; step < 2; step++) {
        CHECK(sslh_next_batch(l, &b), "a batch");
        sslh_views(c, b, SSLH_VIEWS_ROTATION, 0);
    }
    CHECK_OK(c);
    CHECK(!SSLH_I_THREADS || (l->ahead && sslh_i_ahead_owner(c) == l->ahead), "views ahead in a loop of one's own");
    sslh_rewind(c, sslh_mark(c));
    CHECK(sslh_i_ahead_owner(c) == l->ahead, "a rewind that leaves the loader leaves its views ahead");
    while (sslh_next_batch(l, &b)) sslh_views(c, b, SSLH_VIEWS_ROTATION, 0);
    CHECK(!sslh_i_ahead_owner(c), "nothing comes after the last batch");
    l = sslh_loader_new(c, data, ld);
    CHECK(sslh_next_batch(l, &b), "a batch");
    sslh_views(c, b, SSLH_VIEWS_ROTATION, 0);
    CHECK_OK(c);
    CHECK(!SSLH_I_THREADS || (l->ahead && sslh_i_ahead_owner(c) == l->ahead), "views ahead of the next loader");
    sslh_destroy(c);
}

/* Memory for views ahead is not needed: with as much as a run without them takes it passes too, with the same bits, and
   where an allocation fails, the run fails or has the same bits. */
static unsigned long long scarce_run(test_memory *m, size_t limit, int no_ahead, size_t *peak) {
    enum { N = 40, SIDE = 24 };
    static uint8_t pixels[N * SIDE * SIDE * 3];
    unsigned long long h = 0;
    sslh_desc d;
    sslh_loader_desc ld;
    sslh_batch b;
    memset(&d, 0, sizeof d), memset(&ld, 0, sizeof ld);
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 2654435761u >> 13);
    d.threads = 2, d.seed = 11, d.max_bytes = limit;
    d.alloc = test_alloc, d.release = test_release, d.user = m;
    sslh_ctx *c = sslh_create(d);
    ld.batch = 10, ld.no_ahead = no_ahead;
    sslh_loader *l = sslh_loader_new(c, sslh_data_from_images(c, pixels, N, SIDE, SIDE, 3, NULL), ld);
    while (sslh_next_batch(l, &b)) {
        sslh_tensor *x[2], *w;
        for (int i = 0; i < 2; i++) x[i] = sslh_views(c, b, everything(), i);
        w = sslh_normal(c, sslh_dim2(100, 300), 0, 1);
        for (int i = 0; i < 4; i++) w = sslh_tanh(c, w);
        for (int i = 0; i < 2; i++) h = test_hash(x[i]->data, x[i]->count * sizeof *x[i]->data, h);
    }
    CHECK(!sslh_error(c) || sslh_error_code(c) == SSLH_E_MEMORY, "%s", sslh_error(c));
    if (sslh_error(c)) h = 0;
    *peak = sslh_query(c).peak;
    sslh_destroy(c);
    CHECK(m->live == 0, "%ld blocks leak", m->live);
    return h;
}
static void ahead_needs_no_memory(void) {
    test_memory m;
    size_t peak, with, other, most, limit;
    long calls, at, unnoticed = 0;
    memset(&m, 0, sizeof m);
    const unsigned long long right = scarce_run(&m, 0, 1, &peak);
    memset(&m, 0, sizeof m);
    CHECK(right && scarce_run(&m, 0, 0, &with) == right, "other bits with views ahead");
    calls = m.calls;
    CHECK(!SSLH_I_THREADS || with > peak, "views ahead take memory: %.0f, without %.0f", (double)with, (double)peak);
    most = with + 65536;
    for (limit = peak; limit < most; limit += (most - peak) / (test_small() ? 4 : 16))
        CHECK(scarce_run(&m, limit, 0, &other) == right && other <= limit, "a limit of %.0f, %.0f above what is needed",
              (double)limit, (double)(limit - peak));
    for (at = 1; at <= calls; at += test_small() ? 7 : 1) {
        memset(&m, 0, sizeof m);
        m.fail_at = at;
        const unsigned long long h = scarce_run(&m, 0, 0, &other);
        CHECK(h == right || h == 0, "allocation %ld: other bits", at);
        unnoticed += h == right;
    }
    CHECK(!SSLH_I_THREADS || unnoticed > 0, "every failing allocation ends the run");
}

/* A NaN among the pixels of float images reaches the views, whatever is done to them, or is an error: nothing turns it
   into a colour. */
static void nan_pixels(void) {
    static const char *const names[9] = {"none", "resized", "brightness", "contrast", "saturation", "hue", "grey",
                                         "blurred", "solarized"};
    static float image[2 * 8 * 8 * 3];
    sslh_ctx *c = context(1);
    sslh_field f;
    sslh_data d;
    sslh_loader *loader;
    sslh_loader_desc ld;
    sslh_batch batch;
    float mean[4], std[4];
    int channel, which;
    size_t i;
    for (i = 0; i < sizeof image / sizeof image[0]; i++) image[i] = (float)(i * 7 % 64) / 64;
    memset(&f, 0, sizeof f), memset(&ld, 0, sizeof ld);
    f.kind = SSLH_FIELD_IMAGE, f.type = SSLH_F32, f.shape = sslh_dim3(8, 8, 3), f.values = image;
    d = sslh_data_from_fields(c, &f, 1, 2);
    ld.in_order = 1, ld.batch = 2, ld.no_ahead = 1;
    loader = sslh_loader_new(c, d, ld);
    CHECK(sslh_next_batch(loader, &batch), "no batch");
    CHECK_OK(c);
    for (channel = 0; channel < 3; channel++) {
        float *pixel = image + 8 * 8 * 3 + (3 * 8 + 4) * 3 + channel, was = *pixel; /* of the second image */
        *pixel = (float)NAN;
        for (which = 0; which < 9; which++) {
            sslh_recipe r;
            sslh_tensor *v;
            size_t nans = 0;
            memset(&r, 0, sizeof r);
            if (which == 1) r.height = 11, r.width = 11;
            if (which >= 2 && which <= 5) r.jitter = 1;
            if (which == 2) r.brightness = 0.4f;
            if (which == 3) r.contrast = 0.4f;
            if (which == 4) r.saturation = 0.4f;
            if (which == 5) r.hue = 0.4f;
            if (which == 6) r.grey = 1;
            if (which == 7) r.blur = 1, r.blur_kernel = 3;
            if (which == 8) r.solarize = 1;
            v = sslh_views(c, batch, r, 0);
            CHECK_OK(c);
            for (i = 0; i < v->count; i++) {
                nans += v->data[i] != v->data[i];
                if (i == v->count / 2 - 1) CHECK(nans == 0, "%s: NaN in the image without", names[which]);
            }
            CHECK(nans > 0, "%s: the NaN in channel %d is gone", names[which], channel);
        }
        sslh_data_mean_std(d, mean, std);
        CHECK_ERROR(c, "sslh_data_mean_std: image 1 holds NaN or Inf");
        *pixel = was;
    }
    sslh_data_mean_std(d, mean, std);
    CHECK_OK(c);
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(parts_of_texts)
    TEST(rounded_once)
    TEST(resize_like_pillow)
    TEST(resize_like_pillow_bytes)
    TEST(colour_like_torchvision)
    TEST(same_bits_for_any_threads)
    TEST(view_depends_on_its_sample_only)
    TEST(draws_follow_the_recipe)
    TEST(simple_steps)
    TEST(other_channels)
    TEST(odd_sizes)
    TEST(fetched_and_subset)
    TEST(hostile)
    TEST(recipe_text)
    TEST(memory)
    TEST(known_bits)
    TEST(ahead_of_the_step)
    TEST(ahead_ends_with_its_loader)
    TEST(ahead_needs_no_memory)
    TEST(nan_pixels)
TESTS_END
