/* Clips: the field kind and what a batch, a subset, windows and single frames make of it, the reader of folders of
   numbered frames and what it refuses, clips that are made of images, views of clips, features of clips. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#include "harness.h"

static sslh_ctx *create(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads, d.seed = 3;
    return sslh_create(d);
}

enum { N = 5, T = 4, H = 6, W = 7, C = 3, FRAME = H * W * C };
static uint8_t pixels[N * T * FRAME];
static int32_t labels[N] = {0, 1, 2, 1, 0}, lengths[N] = {4, 2, 4, 3, 1};

/* Five clips of four frames, with lengths when they are wanted. */
static sslh_data clips(sslh_ctx *c, int with_lengths) {
    sslh_field f[2];
    memset(f, 0, sizeof f);
    for (int i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)sslh_random_below(1, 2, (uint64_t)i, 256);
    f[0].kind = SSLH_FIELD_CLIP, f[0].type = SSLH_U8, f[0].shape = sslh_dim4(T, H, W, C), f[0].values = pixels;
    f[0].lengths = with_lengths ? lengths : NULL;
    f[1].kind = SSLH_FIELD_LABEL, f[1].type = SSLH_I32, f[1].values = labels, f[1].name = "class";
    return sslh_data_from_fields(c, f, 2, N);
}
static int next(sslh_ctx *c, sslh_data d, int batch, int in_order, sslh_batch *b) {
    sslh_loader_desc l;
    memset(&l, 0, sizeof l);
    l.batch = batch, l.in_order = in_order;
    return sslh_next_batch(sslh_loader_new(c, d, l), b);
}
static int differ(const sslh_real *a, const uint8_t *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (a[i] != (sslh_real)b[i] / (sslh_real)255) return 1;
    return 0;
}

static void field_kind(void) {
    sslh_ctx *c = create(2);
    sslh_data d = clips(c, 1), w;
    sslh_batch b;
    sslh_field f;
    CHECK_OK(c);
    CHECK(d.frames == T && d.height == H && d.width == W && d.channels == C && d.classes == 3 && d.count == N, "sizes");
    CHECK(next(c, d, 3, 0, &b), "a batch");
    sslh_tensor *x = sslh_batch_clips(c, b), *y = sslh_batch_field(c, b, 0), *n = sslh_batch_lengths(c, b, 0);
    CHECK_OK(c);
    CHECK(x->ndim == 5 && x->shape[0] == 3 && x->shape[1] == T && x->shape[4] == C, "shape");
    for (int i = 0; i < 3; i++) {
        CHECK(!differ(x->data + i * T * FRAME, pixels + b.index[i] * T * FRAME, T * FRAME), "clip %d", i);
        CHECK(n->ints[i] == lengths[b.index[i]], "length %d", i);
    }
    CHECK(!memcmp(x->data, y->data, x->count * sizeof *x->data), "the same as a field");
    sslh_batch_images(c, b);
    CHECK_ERROR(c, "the data has no images; sslh_data_frames makes images of clips");
    sslh_views(c, b, SSLH_VIEWS_NONE, 0);
    CHECK_ERROR(c, "for clips there is sslh_clip_views");
    uint8_t one[FRAME];
    sslh_data_image(d, 0, one);
    CHECK_ERROR(c, "clips: sslh_data_frames makes images of them");
    sslh_batch_audio(c, b);
    CHECK_ERROR(c, "no audio");
    /* windows of two frames: 3 of the whole clips, 1 and 2 of the shorter ones, none of the single frame */
    w = sslh_data_windows(d, NULL, 2, 1);
    CHECK_OK(c);
    CHECK(w.count == 3 + 1 + 3 + 2 && w.frames == 2 && w.labels[3] == 1, "%d windows", (int)w.count);
    CHECK(!memcmp((const uint8_t *)w.field[0].values + 2 * 2 * FRAME, pixels + 2 * FRAME, 2 * FRAME), "a window");
    /* two sets behind each other; a subset */
    w = sslh_data_join(sslh_data_range(d, 3, 5), d);
    CHECK_OK(c);
    CHECK(w.count == 7 && w.field[0].lengths[1] == 1 && w.frames == T, "joined");
    /* mean and deviation: of valid frames alone */
    float mean[4], std[4], wanted[4];
    double sum = 0;
    sslh_data_mean_std(sslh_data_frames(d), wanted, NULL);
    sslh_data_mean_std(d, mean, std);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < lengths[i] * FRAME; k += C) sum += pixels[i * T * FRAME + k];
    CHECK(mean[0] == wanted[0] && fabs((double)mean[0] - sum / 255 / (14 * H * W)) < 1e-6 && std[3] == 0, "mean");
    /* what cannot be a clip */
    f = d.field[0];
    f.shape = sslh_dim3(H, W, C);
    sslh_data_from_fields(c, &f, 1, N);
    CHECK_ERROR(c, "a clip has shape (T,H,W,C)");
    f.shape = sslh_dim4(T, H, W, 5);
    sslh_data_from_fields(c, &f, 1, N);
    CHECK_ERROR(c, "a clip has shape (T,H,W,C)");
    f.shape = sslh_dim4(0, H, W, 3);
    sslh_data_from_fields(c, &f, 1, N);
    CHECK_ERROR(c, "impossible shape");
    f.type = SSLH_I32, f.shape = sslh_dim4(T, H, W, C);
    sslh_data_from_fields(c, &f, 1, N);
    CHECK_ERROR(c, "clips are SSLH_U8 or SSLH_F32");
    sslh_destroy(c);
}

static void single_frames(void) {
    sslh_ctx *c = create(1);
    sslh_data d = clips(c, 0), f = sslh_data_frames(d);
    uint8_t one[FRAME];
    CHECK_OK(c);
    CHECK(f.count == N * T && !f.frames && f.height == H && f.classes == 3 && f.field[0].values == pixels, "frames");
    for (int i = 0; i < N * T; i++) CHECK(f.labels[i] == labels[i / T], "label %d", i);
    /* of a subset with lengths: the valid frames, by their numbers in the whole set */
    f = sslh_data_frames(sslh_data_range(clips(c, 1), 1, 4));
    CHECK_OK(c);
    CHECK(f.count == 2 + 4 + 3 && f.labels[0] == 1 && f.labels[2] == 2 && f.labels[8] == 1, "%d frames", (int)f.count);
    sslh_data_image(f, 8, one);
    CHECK(!memcmp(one, pixels + (3 * T + 2) * FRAME, FRAME), "frame 2 of clip 3");
    CHECK(!strcmp(sslh_data_labelled(f, "class").field[1].name, "class"), "its field");
    d.field[0].kind = SSLH_FIELD_TOKENS;
    sslh_data_frames(d);
    CHECK_ERROR(c, "the data has no clips");
    d.field[0].kind = SSLH_FIELD_CLIP, d.field[0].values = NULL;
    sslh_data_frames(d);
    CHECK_ERROR(c, "they must lie in memory");
    d = clips(c, 0), d.total = INT32_MAX;
    sslh_data_frames(d);
    CHECK_ERROR(c, "more than 2^31 - 1 frames");
    sslh_destroy(c);
}

/* --- the reader --------------------------------------------------------------------------------------------------- */

static void put_frame(sslh_ctx *c, const char *name, int value, int h, int w, int channels) {
    uint8_t p[300];
    for (int i = 0; i < h * w * channels; i++) p[i] = (uint8_t)(value + i % channels * 20);
    sslh_save_png(c, test_temporary(name), p, h, w, channels);
}
static void put_text(const char *name, const char *text) {
    FILE *f = fopen(test_temporary(name), "wb");
    if (f) fputs(text, f), fclose(f);
}
static sslh_data load(sslh_ctx *c, const char *name) {
    sslh_clips_desc d;
    memset(&d, 0, sizeof d);
    return sslh_load_clips(c, test_temporary(name), d);
}
static int pixel(sslh_data d, int clip, int frame) {
    size_t one = (size_t)(d.height * d.width * d.channels);
    return ((const uint8_t *)d.field[0].values)[((size_t)clip * (size_t)d.frames + (size_t)frame) * one];
}

static void folders_of_frames(void) {
    sslh_ctx *c = create(1);
    sslh_clips_desc five;
    char name[64];
    int i;
    memset(&five, 0, sizeof five);
    /* one folder: frame 9 before frame 10, without zeros in front, from any number on */
    test_temporary_folder("one");
    for (i = 8; i < 12; i++) snprintf(name, sizeof name, "one/shot2_idx%d.png", i), put_frame(c, name, 10 * i, 3, 4, 1);
    put_text("one/notes.txt", "no frame");
    sslh_data d = load(c, "one");
    CHECK_OK(c);
    CHECK(d.count == 1 && d.frames == 4 && d.height == 3 && d.width == 4 && d.channels == 1 && !d.labels, "one clip");
    for (i = 0; i < 4; i++) CHECK(pixel(d, 0, i) == 80 + 10 * i, "frame %d is %d", i, pixel(d, 0, i));
    CHECK(!strcmp(sslh_data_file(d, 0), test_temporary("one")), "its folder");
    five.length = 2;
    d = sslh_load_clips(c, test_temporary("one"), five);
    CHECK(d.frames == 2 && pixel(d, 0, 1) == 90, "the beginning");
    five.length = 6, five.size = 2;
    d = sslh_load_clips(c, test_temporary("one"), five);
    CHECK(d.frames == 6 && d.height == 2 && d.width == 2 && pixel(d, 0, 3) == 110 && !pixel(d, 0, 4), "resized");
    CHECK_OK(c);
    /* folders of clips, in natural order, of different lengths, grey until the last frame is in colour */
    test_temporary_folder("many"), test_temporary_folder("many/clip10"), test_temporary_folder("many/clip9");
    put_frame(c, "many/clip9/a01.png", 1, 2, 2, 1), put_frame(c, "many/clip9/a02.png", 2, 2, 2, 1);
    put_frame(c, "many/clip10/1.png", 3, 2, 2, 2), put_frame(c, "many/clip10/2.png", 4, 2, 2, 1);
    put_frame(c, "many/clip10/3.png", 50, 2, 2, 3);
    d = load(c, "many");
    CHECK_OK(c);
    CHECK(d.count == 2 && d.frames == 3 && d.channels == 3 && !d.labels, "%d clips", (int)d.count);
    CHECK(pixel(d, 0, 0) == 1 && pixel(d, 0, 1) == 2 && pixel(d, 0, 2) == 0 && pixel(d, 1, 0) == 3, "natural order");
    CHECK(pixel(d, 1, 2) == 50 && ((const uint8_t *)d.field[0].values)[5 * 12 + 11] == 90, "colour");
    CHECK(d.field[0].lengths[0] == 2 && d.field[0].lengths[1] == 3, "lengths");
    CHECK(strstr(sslh_data_file(d, 1), "clip10") != NULL, "files");
    /* a folder for each class */
    test_temporary_folder("class"), test_temporary_folder("class/b2"), test_temporary_folder("class/b10");
    test_temporary_folder("class/b2/x"), test_temporary_folder("class/b10/x"), test_temporary_folder("class/b10/y");
    put_frame(c, "class/b2/x/1.png", 7, 2, 2, 1), put_frame(c, "class/b10/x/1.png", 8, 2, 2, 1);
    put_frame(c, "class/b10/y/1.png", 9, 2, 2, 1);
    d = load(c, "class");
    CHECK_OK(c);
    CHECK(d.count == 3 && d.classes == 2 && d.labels[0] == 0 && d.labels[2] == 1 && pixel(d, 2, 0) == 9, "classes");
    CHECK(!strcmp(d.class_names[0], "b2") && !strcmp(d.class_names[1], "b10"), "names");
    sslh_destroy(c);
}

/* One thing after another is wrong with a folder; each has its sentence, and nothing is left in memory. */
static void folders_refused(void) {
    sslh_ctx *c = create(1);
    size_t before = sslh_query(c).bytes;
    sslh_clips_desc d;
    memset(&d, 0, sizeof d);
    test_temporary_folder("bad");
#define REFUSED(text)                                                                                                  \
    do {                                                                                                               \
        sslh_data none = load(c, "bad");                                                                               \
        CHECK(none.count == 0, "an empty set");                                                                        \
        CHECK_ERROR(c, text);                                                                                          \
        CHECK(sslh_query(c).bytes == before, "memory is left");                                                        \
    } while (0)
    REFUSED("holds no frames");
    put_frame(c, "bad/x.png", 1, 2, 2, 1);
    REFUSED("frames have a number in their name");
    (void)test_remove(test_temporary("bad/x.png"));
    put_frame(c, "bad/f7.png", 1, 2, 2, 1), put_frame(c, "bad/f8.png", 1, 2, 2, 1);
    put_frame(c, "bad/f11.png", 1, 2, 2, 1);
    REFUSED("frame 9 is missing, f11.png comes after f8.png");
    (void)test_remove(test_temporary("bad/f11.png"));
    put_frame(c, "bad/f08.png", 1, 2, 2, 1);
    REFUSED("holds frame 8 twice, as ");
    (void)test_remove(test_temporary("bad/f08.png"));
    put_frame(c, "bad/g9.png", 1, 2, 2, 1);
    REFUSED("the names of frames are alike but for one number");
    (void)test_remove(test_temporary("bad/g9.png"));
    put_frame(c, "bad/f9.png", 1, 2, 3, 1);
    REFUSED("has 2 x 3 pixels, the frames before it 2 x 2 (height x width); .size makes them alike");
    d.size = 2;
    CHECK(sslh_load_clips(c, test_temporary("bad"), d).frames == 3, "made alike");
    CHECK_OK(c);
    sslh_destroy(c);
    c = create(1), before = sslh_query(c).bytes;
    put_text("bad/f9.png", "no picture");
    REFUSED("f9.png");
    put_text("bad/f9.png", "");
    REFUSED("f9.png");
    (void)test_remove(test_temporary("bad/f9.png"));
    put_text("bad/film.avi", "RIFF");
    REFUSED("holds film.avi, which is no frame, beside frames: move it elsewhere");
    (void)test_remove(test_temporary("bad/film.avi"));
    test_temporary_folder("bad/more");
    REFUSED("holds more, which is no frame, beside frames");
    (void)test_remove(test_temporary("bad/f7.png")), (void)test_remove(test_temporary("bad/f8.png"));
    REFUSED("more holds no frames");
    put_frame(c, "bad/more/99999999999999999998.png", 1, 2, 2, 1);
    put_frame(c, "bad/more/99999999999999999999.png", 1, 2, 2, 1);
    REFUSED("alike but for one number");
    (void)test_remove(test_temporary("bad/more/99999999999999999998.png"));
    test_temporary_folder("bad/other"), test_temporary_folder("bad/other/deep");
    test_temporary_folder("bad/other/deep/deeper");
    put_frame(c, "bad/other/deep/deeper/1.png", 1, 2, 2, 1);
    REFUSED("deep holds no frames");
    (void)test_remove(test_temporary("bad/other/deep/deeper/1.png"));
    (void)test_remove(test_temporary("bad/other/deep/deeper"));
    put_frame(c, "bad/other/deep/1.png", 1, 2, 2, 1);
    REFUSED("lies beside folders of clips: classes have all clips or none");
    sslh_load_clips(c, NULL, d);
    CHECK_ERROR(c, "the path is NULL");
    sslh_load_clips(c, test_temporary("bad/more/99999999999999999999.png"), d);
    CHECK_ERROR(c, "is no folder of numbered frames");
    sslh_load_clips(c, test_temporary("nowhere"), d);
    CHECK(sslh_error(c) != NULL, "nothing there");
    sslh_clear_error(c);
    d.length = -1;
    sslh_load_clips(c, test_temporary("bad"), d);
    CHECK_ERROR(c, "sslh_load_clips: .length is -1 (at least 1)");
    CHECK(sslh_query(c).bytes == before, "memory is left");
    sslh_destroy(c);
}

/* --- clips that are made ------------------------------------------------------------------------------------------ */

static sslh_data images(sslh_ctx *c, int side, int channels) {
    static uint8_t p[6 * 24 * 24 * 3];
    static const int32_t label[6] = {0, 1, 2, 0, 1, 2};
    for (int i = 0; i < (int)sizeof p; i++) p[i] = (uint8_t)(1 + sslh_random_below(9, 2, (uint64_t)i, 255));
    return sslh_data_from_images(c, p, 6, side, side, channels, label);
}
static sslh_moving_desc small(int objects) {
    sslh_moving_desc d;
    memset(&d, 0, sizeof d);
    d.clips = 7, d.frames = 9, d.height = 20, d.width = 26, d.objects = objects, d.seed = 4;
    return d;
}
/* Where the only thing of a frame is: it is larger than 0 all over. */
static void place(sslh_data d, int clip, int frame, int *top, int *left) {
    const uint8_t *p = (const uint8_t *)d.field[0].values + (size_t)(clip * d.frames + frame) *
                       (size_t)(d.height * d.width);
    *top = *left = -1;
    for (int y = 0; y < d.height && *top < 0; y++)
        for (int x = 0; x < d.width && *top < 0; x++)
            if (p[y * d.width + x]) *top = y, *left = x;
}

static void moving_things(void) {
    sslh_ctx *c = create(1);
    sslh_data from = images(c, 8, 1), d = sslh_data_moving(from, small(1));
    const uint8_t *p = (const uint8_t *)from.field[0].values, *q = (const uint8_t *)d.field[0].values;
    sslh_moving_desc s;
    int n, t, y, x, dy, dx, moved = 0, turned = 0;
    CHECK_OK(c);
    CHECK(d.count == 7 && d.frames == 9 && d.height == 20 && d.width == 26 && d.channels == 1, "sizes");
    CHECK(d.classes == 3, "classes");
    for (n = 0; n < 7; n++) {
        int before[2] = {0, 0}, step[2] = {0, 0};
        CHECK(d.labels[n] == n % 6 % 3, "label");
        for (t = 0; t < 9; t++, q += 20 * 26) { /* the image is there as it is, the rest is 0 */
            int sum = 0, want = 0;
            place(d, n, t, &y, &x);
            if (!CHECK(y >= 0 && y <= 12 && x >= 0 && x <= 18, "clip %d, frame %d: at %d, %d", n, t, y, x)) continue;
            for (dy = 0; dy < 8; dy++)
                CHECK(!memcmp(q + (y + dy) * 26 + x, p + n % 6 * 64 + dy * 8, 8), "row %d of clip %d", dy, n);
            for (dy = 0; dy < 20 * 26; dy++) sum += q[dy];
            for (dy = 0; dy < 64; dy++) want += p[n % 6 * 64 + dy];
            CHECK(sum == want, "nothing else");
            if (t) {
                dy = y - before[0], dx = x - before[1];
                CHECK(dy >= -4 && dy <= 4 && dx >= -4 && dx <= 4, "3 pixels a frame at most, rounded");
                moved += dy || dx;
                turned += (t > 1 && dy * step[0] < 0) || (t > 1 && dx * step[1] < 0);
                step[0] = dy, step[1] = dx;
            }
            before[0] = y, before[1] = x;
        }
    }
    CHECK(moved > 40 && turned > 3, "%d steps, %d turns", moved, turned);
    /* the same clips for a seed; others for another */
    sslh_data again = sslh_data_moving(from, small(1));
    CHECK(!memcmp(again.field[0].values, d.field[0].values, 7 * 9 * 20 * 26), "the same for a seed");
    CHECK(sslh_i_crc32(0, d.field[0].values, 7 * 9 * 20 * 26) == 0x90580d1eu, "on every machine: %08lx",
          (unsigned long)sslh_i_crc32(0, d.field[0].values, 7 * 9 * 20 * 26));
    s = small(1), s.seed = 5;
    CHECK(memcmp(sslh_data_moving(from, s).field[0].values, d.field[0].values, 7 * 9 * 20 * 26), "another seed");
    /* two things: where neither is there is nothing; no labels. The first is where it is alone */
    sslh_data two = sslh_data_moving(from, small(2));
    const uint8_t *a = (const uint8_t *)two.field[0].values, *b = (const uint8_t *)d.field[0].values;
    CHECK(!two.labels && two.fields == 1, "no labels");
    for (n = 0; n < 7 * 9 * 20 * 26; n++) CHECK(a[n] >= b[n], "the larger value");
    /* nothing moves */
    s = small(1), s.speed = SSLH_OFF;
    d = sslh_data_moving(from, s), q = (const uint8_t *)d.field[0].values;
    for (n = 0; n < 7 * 9; n++) CHECK(!memcmp(q + n * 520, q + n / 9 * 9 * 520, 520), "still");
    /* slower and slower: it comes to rest */
    s = small(1), s.drag = 0.75f, s.frames = 20;
    d = sslh_data_moving(from, s), q = (const uint8_t *)d.field[0].values;
    for (n = 0; n < 7; n++) CHECK(!memcmp(q + (n * 20 + 10) * 520, q + (n * 20 + 19) * 520, 520), "at rest");
    CHECK_OK(c);
    /* it fills the frame, and is as fast as it may be */
    s = small(1), s.height = s.width = 8, s.speed = 1000;
    d = sslh_data_moving(from, s);
    CHECK(!memcmp(d.field[0].values, p, 64), "no room");
    s = small(8), s.speed = 1000, s.height = 9;
    sslh_data_moving(images(c, 8, 3), s);
    CHECK_OK(c);
    sslh_destroy(c);
}

static void moving_windows(void) {
    sslh_ctx *c = create(1);
    sslh_data from = images(c, 24, 3), d;
    const uint8_t *p = (const uint8_t *)from.field[0].values, *q;
    sslh_moving_desc s;
    int n, t, y, x, found;
    memset(&s, 0, sizeof s);
    s.clips = 8, s.frames = 6, s.crops = 1;
    d = sslh_data_moving(from, s);
    CHECK_OK(c);
    CHECK(d.height == 12 && d.width == 12 && d.channels == 3 && d.labels && d.labels[7] == 1, "sizes");
    CHECK(sslh_i_crc32(0, d.field[0].values, 8 * 6 * 432) == 0xbb22181eu, "on every machine: %08lx",
          (unsigned long)sslh_i_crc32(0, d.field[0].values, 8 * 6 * 432));
    /* a window as large as the image shows it */
    s.height = s.width = 24;
    d = sslh_data_moving(from, s);
    CHECK(!memcmp(d.field[0].values, p, 24 * 24 * 3), "the whole image");
    /* the window shows what is there: pixels lie between the four around them, at some place of the image */
    s.height = s.width = 12, s.zoom = 2, s.zooms_in = 1, s.speed = SSLH_OFF;
    d = sslh_data_moving(from, s), q = (const uint8_t *)d.field[0].values;
    for (n = 0; n < 8; n++) {
        const uint8_t *image = p + n % 6 * 24 * 24 * 3, *first = q + n * 6 * 432;
        found = 0;
        for (y = 0; y <= 12; y++)
            for (x = 0; x <= 12; x++) {
                int inside = 1, k;
                for (t = 0; t < 144 && inside; t++) {
                    int yy = y + t / 12, xx = x + t % 12, down = yy < 23 ? 72 : 0, right = xx < 23 ? 3 : 0;
                    int lo = 255, hi = 0;
                    const uint8_t *at = image + (yy * 24 + xx) * 3;
                    for (k = 0; k < 4; k++) {
                        int v = at[(k & 1) * right + (k >> 1) * down];
                        lo = v < lo ? v : lo, hi = v > hi ? v : hi;
                    }
                    inside = first[t * 3] >= lo && first[t * 3] <= hi;
                }
                found += inside;
            }
        CHECK(found >= 1, "clip %d: no such window", n);
        CHECK(memcmp(first, first + 5 * 432, 432), "clip %d: it zooms", n);
    }
    /* outwards is inwards backwards */
    s.zooms_in = 0, s.clips = 40;
    d = sslh_data_moving(from, s), q = (const uint8_t *)d.field[0].values;
    s.zooms_in = 1;
    sslh_data in = sslh_data_moving(from, s);
    const uint8_t *r = (const uint8_t *)in.field[0].values;
    for (n = found = 0; n < 40; n++) {
        int same = !memcmp(q + n * 6 * 432, r + n * 6 * 432, 432);
        for (t = 0; t < 6; t++)
            CHECK(!memcmp(q + (n * 6 + t) * 432, r + (n * 6 + (same ? t : 5 - t)) * 432, 432), "clip %d, %d", n, t);
        found += same;
    }
    CHECK(found > 8 && found < 32, "%d of 40 inwards", found);
    CHECK_OK(c);
    /* what cannot be */
    s.height = 25;
    sslh_data_moving(from, s);
    CHECK_ERROR(c, "frames of 25 x 12 are too large to move for images of 24 x 24");
    s.height = 12, s.objects = 2;
    sslh_data_moving(from, s);
    CHECK_ERROR(c, ".objects is 1");
    s.objects = 0, s.crops = 0, s.zoom = 2;
    s.height = s.width = 30;
    sslh_data_moving(from, s);
    CHECK_ERROR(c, "only .crops can have a .zoom");
    s.zoom = 0, s.height = 23;
    sslh_data_moving(from, s);
    CHECK_ERROR(c, "frames of 23 x 30 are too small for images of 24 x 24");
    s.height = 30, s.clips = INT_MAX, s.frames = 100000, s.width = 4096, s.height = 4096;
    sslh_data_moving(from, s);
    CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "too many");
    sslh_clear_error(c);
    s.frames = -3;
    sslh_data_moving(from, s);
    CHECK_ERROR(c, ".frames is -3 (1 to 100000)");
    s.frames = 2, s.speed = 1e9f;
    sslh_data_moving(from, s);
    CHECK_ERROR(c, ".speed is 1e9 (0 to 1000)");
    s.speed = 0, s.clips = 2, s.drag = 1;
    sslh_data_moving(from, s);
    CHECK_ERROR(c, ".drag is 1");
    s.drag = 0, s.zoom = (float)HUGE_VAL;
    sslh_data_moving(from, s);
    CHECK_ERROR(c, ".zoom is Inf (1 to 8)");
    s.zoom = 0;
    sslh_data_moving(clips(c, 0), s);
    CHECK_ERROR(c, "the data has no images");
    sslh_destroy(c);
}

/* --- views -------------------------------------------------------------------------------------------------------- */

static int fetched;
static int fetch_clip(void *user, int64_t index, void *out) {
    (void)user;
    fetched++;
    memcpy(out, pixels + index * T * FRAME, T * FRAME);
    return index == 4; /* the last one fails */
}

/* All frames of a clip are drawn as one image of its number would be, for any number of threads. */
static void views_of_clips(void) {
    static const int32_t order[6] = {3, 0, 0, 2, 1, 1};
    sslh_recipe r = SSLH_VIEWS_SIMCLR_LARGE;
    r.height = 5, r.width = 5, r.cutout = 2, r.rotate90 = 1, r.solarize = 0.5f;
    for (int threads = 1; threads < 5; threads += 3) {
        sslh_ctx *c = create(threads);
        sslh_data d = clips(c, 0);
        sslh_batch b, one;
        CHECK(next(c, sslh_data_range(d, 1, 5), 3, 0, &b), "a batch");
        sslh_tensor *x = sslh_clip_views(c, b, r, 2, NULL, 0);
        CHECK_OK(c);
        CHECK(x->ndim == 5 && x->shape[0] == 3 && x->shape[1] == T && x->shape[2] == 5 && x->shape[4] == C, "shape");
        for (int t = 0; t < T; t++) { /* the t-th frames of all clips as images of a set of their own */
            uint8_t frames[N * FRAME];
            for (int n = 0; n < N; n++) memcpy(frames + n * FRAME, pixels + (n * T + t) * FRAME, FRAME);
            one = b;
            one.loader = NULL;
            one.data = sslh_data_from_images(c, frames, N, H, W, C, labels);
            sslh_tensor *y = sslh_views(c, one, r, 2);
            for (int n = 0; n < 3; n++)
                CHECK(!memcmp(x->data + (n * T + t) * 75, y->data + n * 75, 75 * sizeof *y->data), "clip %d, %d", n, t);
        }
        /* chosen frames */
        sslh_tensor *z = sslh_clip_views(c, b, r, 2, order, 2);
        CHECK(z->shape[0] == 3 && z->shape[1] == 2, "chosen");
        for (int i = 0; i < 6; i++)
            CHECK(!memcmp(z->data + i * 75, x->data + (i / 2 * T + order[i]) * 75, 75 * sizeof *z->data), "%d", i);
        /* from a callback the same, but for the clip that fails */
        sslh_field f = d.field[0];
        f.values = NULL, f.fetch = fetch_clip, fetched = 0;
        one = b;
        one.data = sslh_data_from_fields(c, &f, 1, N), one.loader = NULL;
        z = sslh_clip_views(c, one, r, 2, order, 2);
        if (b.index[0] == 4 || b.index[1] == 4 || b.index[2] == 4)
            CHECK_ERROR(c, "sslh_clip_views: the data's fetch callback failed for");
        else CHECK(fetched == 3 && !memcmp(z->data + 75, x->data, 75 * sizeof *z->data), "fetched");
        /* floats */
        static float reals[N * T * FRAME];
        for (int i = 0; i < N * T * FRAME; i++) reals[i] = (float)pixels[i] / 255.0f;
        f = d.field[0], f.type = SSLH_F32, f.values = reals;
        one.data = sslh_data_from_fields(c, &f, 1, N);
        z = sslh_clip_views(c, one, SSLH_VIEWS_NONE, 0, NULL, 0);
        CHECK_OK(c);
        CHECK(!memcmp(z->data, sslh_batch_clips(c, b)->data, z->count * sizeof *z->data), "floats");
        /* what cannot be */
        sslh_clip_views(c, b, r, -1, NULL, 0);
        CHECK_ERROR(c, "the view must not be negative");
        sslh_clip_views(c, b, r, 0, order, 0);
        CHECK_ERROR(c, "sslh_clip_views: 0 frames of each of 3 clips");
        sslh_clip_views(c, b, r, 0, order, INT_MAX);
        CHECK_ERROR(c, "frames of each of 3 clips");
        static const int32_t wrong[3] = {0, 4, 0};
        sslh_clip_views(c, b, r, 0, wrong, 1);
        CHECK_ERROR(c, "frame 4 of clips of 4 frames");
        one.data = sslh_data_frames(d);
        sslh_clip_views(c, one, r, 0, NULL, 0);
        CHECK_ERROR(c, "the batch has no clip field");
        r.blur_kernel = 2;
        sslh_clip_views(c, b, r, 0, NULL, 0);
        CHECK_ERROR(c, "sslh_clip_views: images (6,7,3)");
        r.blur_kernel = 0;
        sslh_destroy(c);
    }
}

/* --- evaluation --------------------------------------------------------------------------------------------------- */

static void features_of_clips(void) {
    sslh_ctx *c = create(2);
    sslh_data d = clips(c, 1), f = sslh_data_frames(clips(c, 0));
    sslh_convnet_desc e;
    sslh_preprocess p;
    sslh_feature_desc fd;
    sslh_net *net;
    sslh_tensor *all, *each, *raw;
    memset(&e, 0, sizeof e), memset(&fd, 0, sizeof fd), memset(&p, 0, sizeof p);
    e.channels = 3, e.widths[0] = 4, e.widths[1] = 6;
    net = sslh_convnet(c, e);
    p.mean[0] = p.mean[1] = p.mean[2] = 0.5f, p.std[0] = p.std[1] = p.std[2] = 0.25f;
    sslh_set_preprocess(net, p);
    fd.batch = 2;
    all = sslh_features(c, net, d, fd);
    each = sslh_features(c, net, f, fd);
    raw = sslh_features(c, NULL, d, fd);
    CHECK_OK(c);
    CHECK(all->shape[0] == N && all->shape[1] == 6 && each->shape[0] == N * T, "shapes");
    for (int n = 0; n < N; n++)
        for (int k = 0; k < 6; k++) {
            double sum = 0;
            for (int t = 0; t < lengths[n]; t++) sum += (double)each->data[(n * T + t) * 6 + k];
            CHECK_NEAR((double)all->data[n * 6 + k], sum / lengths[n], 1e-5);
        }
    CHECK(raw->shape[1] == T * FRAME && !differ(raw->data, pixels, N * T * FRAME), "raw pixels");
    sslh_knn_desc k;
    memset(&k, 0, sizeof k);
    k.k = 1;
    CHECK(sslh_knn(c, net, d, d, k) == 1.0f, "each clip is its own neighbour");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Every allocation fails once: the error says so, and all memory comes back. "many" and "class" are there since
   folders_of_frames, which is run here again when it was not. */
static void no_memory(void) {
    folders_of_frames();
    for (int work = 0; work < 5; work++)
        for (long fail = 1, done = 0; !done; fail++) {
            test_memory memory;
            sslh_desc desc;
            sslh_batch b;
            memset(&desc, 0, sizeof desc), memset(&memory, 0, sizeof memory);
            desc.threads = 1, desc.alloc = test_alloc, desc.release = test_release, desc.user = &memory;
            sslh_ctx *c = sslh_create(desc);
            sslh_data d = work > 2 ? clips(c, 1) : images(c, 8, 1);
            size_t before = sslh_query(c).bytes;
            memory.fail_at = memory.calls + fail;
            if (work < 2) load(c, work ? "class" : "many");
            else if (work == 2) sslh_data_moving(d, small(1));
            else if (work == 3) sslh_data_frames(sslh_data_range(d, 1, 3));
            else if (next(c, d, 2, 1, &b)) sslh_clip_views(c, b, SSLH_VIEWS_SIMCLR, 0, NULL, 0);
            done = memory.calls < memory.fail_at;
            if (done) CHECK_OK(c);
            else
                CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "work %d, allocation %ld: %s", work, fail,
                      sslh_error(c) ? sslh_error(c) : "no error");
            if (!done && work < 3)
                CHECK(sslh_query(c).bytes == before, "work %d, allocation %ld: memory is left", work, fail);
            sslh_destroy(c);
            CHECK(memory.live == 0, "%ld blocks are left", memory.live);
        }
}

/* What the tests above have written. */
static void files_removed(void) {
    static const char *const names[] = {
        "one/shot2_8.png", "one/shot2_9.png", "one/shot2_10.png", "one/shot2_11.png", "one/notes.txt", "one",
        "many/clip9/a01.png", "many/clip9/a02.png", "many/clip9", "many/clip10/1.png", "many/clip10/2.png",
        "many/clip10/3.png", "many/clip10", "many", "class/b2/x/1.png", "class/b2/x", "class/b2", "class/b10/x/1.png",
        "class/b10/x", "class/b10/y/1.png", "class/b10/y", "class/b10", "class", "bad/other/deep/1.png",
        "bad/other/deep", "bad/other", "bad/more/99999999999999999999.png", "bad/more", "bad"};
    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++) (void)test_remove(test_temporary(names[i]));
}

TESTS_BEGIN
    TEST(field_kind)
    TEST(single_frames)
    TEST(folders_of_frames)
    TEST(folders_refused)
    TEST(moving_things)
    TEST(moving_windows)
    TEST(views_of_clips)
    TEST(features_of_clips)
    TEST(no_memory)
    TEST(files_removed)
TESTS_END
