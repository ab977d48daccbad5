/* What is done to data before and around an encoder: parts of a set, copies, neighbours and what they find, whitening.
   Exact cases, brute force, the same bits for any number of threads, errors, failures of memory. */
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"

enum { COUNT = 203, GROUPS = 11 };
static float values[COUNT];
static int32_t kinds[COUNT], speakers[COUNT];
/* Clips of one value, their number; three classes of different size; eleven speakers. */
static sslh_data clips(sslh_ctx *c) {
    static const char *const names[GROUPS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"};
    sslh_field field[3];
    memset(field, 0, sizeof field);
    for (int i = 0; i < COUNT; i++) {
        values[i] = (float)i;
        kinds[i] = i % 10 < 6 ? 0 : i % 10 < 9 ? 1 : 2;
        speakers[i] = (i * i + i / 7) % GROUPS;
    }
    field[0].kind = SSLH_FIELD_AUDIO, field[0].type = SSLH_F32, field[0].shape = sslh_dim1(1), field[0].values = values;
    field[1].kind = SSLH_FIELD_LABEL, field[1].type = SSLH_I32, field[1].values = kinds, field[1].name = "kind";
    field[2] = field[1];
    field[2].values = speakers, field[2].name = "speaker", field[2].names = names, field[2].classes = GROUPS;
    return sslh_data_from_fields(c, field, 3, COUNT);
}
/* Marks the samples of a part in seen; returns how many are new. */
static int mark(sslh_ctx *c, sslh_data d, char *seen) {
    int fresh = 0;
    for (int64_t i = 0; i < d.count; i++) {
        int32_t at = (int32_t)i;
        NONE(sslh_batch, b);
        b.data = d, b.count = 1, b.index = &at;
        int v = (int)sslh_batch_audio(c, b)->data[0];
        fresh += !seen[v];
        seen[v] = 1;
        CHECK(d.labels[i] == kinds[v], "label of sample %d", v);
    }
    return fresh;
}

static void split_by_class(void) {
    sslh_ctx *c = context(1);
    sslh_data all = clips(c);
    char seen[COUNT] = {0};
    int count[3][3] = {{0}}, total[3] = {0, 0, 0};
    NONE(sslh_split_desc, d);
    d.test = 0.2f, d.validation = 0.1f, d.seed = 3;
    sslh_split s = sslh_data_split(all, d);
    sslh_data part[3];
    part[0] = s.train, part[1] = s.validation, part[2] = s.test;
    CHECK_OK(c);
    CHECK(mark(c, s.train, seen) + mark(c, s.validation, seen) + mark(c, s.test, seen) == COUNT &&
              s.train.count + s.validation.count + s.test.count == COUNT, "each sample once");
    for (int i = 0; i < COUNT; i++) total[kinds[i]]++;
    for (int side = 0; side < 3; side++)
        for (int64_t i = 0; i < part[side].count; i++) count[side][part[side].labels[i]]++;
    for (int k = 0; k < 3; k++) {
        CHECK(count[2][k] == (int)(0.2 * total[k] + 0.5), "%d of class %d in the test", count[2][k], k);
        CHECK(count[1][k] == (int)(0.1 * total[k] + 0.5), "%d of class %d in the validation", count[1][k], k);
    }
    sslh_split again = sslh_data_split(all, d);
    for (int64_t i = 0; i < s.test.count; i++) CHECK(again.test.order[i] == s.test.order[i], "another draw");
    d.seed = 4;
    again = sslh_data_split(all, d);
    int same = 0;
    for (int64_t i = 0; i < s.test.count; i++) same += again.test.order[i] == s.test.order[i];
    CHECK(same < s.test.count / 2, "%d of %d are the same with another seed", same, (int)s.test.count);
    d.any_class = 1, d.validation = 0;
    again = sslh_data_split(all, d);
    CHECK(again.test.count == 41 && again.validation.count == 0 && again.train.count == COUNT - 41, "%d",
          (int)again.test.count);
    d.test = SSLH_OFF;
    CHECK(sslh_data_split(all, d).train.count == COUNT, "all of it");
    CHECK_OK(c);
    d.test = 0.6f, d.validation = 0.4f;
    CHECK(sslh_data_split(all, d).train.count == 0, "nothing left");
    CHECK_ERROR(c, "sslh_data_split: of 203 samples 0.6 for the test and 0.4 for the validation: nothing is left");
    d.test = 0.001f, d.validation = 0;
    sslh_data_split(all, d);
    CHECK_ERROR(c, "sslh_data_split: the test part of 203 samples is empty");
    sslh_destroy(c);
}

/* Small classes: what is rounded in one is made up for in the next, and each keeps a sample for training. */
static void split_small_classes(void) {
    enum { N = 1000 };
    static const struct { int each; float test, validation; int in_test, in_validation; } want[] = {
        {10, 0.14f, 0, 140, 0}, {2, 0.2f, 0, 200, 0}, {2, 0.3f, 0.2f, 300, 200}, {5, 0.15f, 0.15f, 150, 150},
        {2, 0.6f, 0.3f, 500, 0}, {1000, 0.2f, 0.1f, 200, 100}};
    static int32_t label[N];
    static float value[N];
    for (size_t row = 0; row < sizeof want / sizeof want[0]; row++) {
        sslh_ctx *c = context(1);
        NONE(sslh_split_desc, d);
        sslh_field field[2];
        char kept[N] = {0};
        memset(field, 0, sizeof field);
        for (int i = 0; i < N; i++) label[i] = (i * 7 % N) / want[row].each;
        field[0].kind = SSLH_FIELD_AUDIO, field[0].type = SSLH_F32, field[0].shape = sslh_dim1(1);
        field[0].values = value, field[1].kind = SSLH_FIELD_LABEL, field[1].type = SSLH_I32, field[1].values = label;
        sslh_data all = sslh_data_from_fields(c, field, 2, N);
        d.test = want[row].test, d.validation = want[row].validation;
        if (!want[row].in_validation) d.validation = 0;
        sslh_split s = sslh_data_split(all, d);
        CHECK_OK(c);
        CHECK(s.test.count == want[row].in_test && s.validation.count == want[row].in_validation,
              "row %d: %d in the test, %d in the validation", (int)row, (int)s.test.count, (int)s.validation.count);
        for (int64_t i = 0; i < s.train.count; i++) kept[s.train.labels[i]] = 1;
        for (int k = 0; k < N / want[row].each; k++) CHECK(kept[k], "row %d: class %d has no training", (int)row, k);
        sslh_destroy(c);
    }
    sslh_ctx *c = context(1);
    NONE(sslh_split_desc, d);
    static uint8_t pixel[6];
    static const int32_t own[6] = {0, 1, 2, 3, 4, 5};
    sslh_data alone = sslh_data_from_images(c, pixel, 6, 1, 1, 1, own);
    d.test = 0.5f;
    sslh_data_split(alone, d);
    CHECK_ERROR(c, "sslh_data_split: the test part of 6 samples is empty: each class has too few (.any_class)");
    d.any_class = 1;
    CHECK(sslh_data_split(alone, d).test.count == 3, "half of them");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Groups of very different size: a part is as near to its share as whole groups taken in turn can make it. */
static void split_large_groups(void) {
    static uint8_t pixel[100];
    static int32_t group[100];
    for (int seed = 0; seed < 20; seed++) {
        for (int i = 0; i < 100; i++) group[i] = i < 80 ? 0 : i - 79; /* 80 of one, 20 of one each */
        sslh_ctx *c = context(1);
        NONE(sslh_split_desc, d);
        sslh_field field[2];
        memset(field, 0, sizeof field);
        field[0].kind = SSLH_FIELD_IMAGE, field[0].type = SSLH_U8, field[0].shape = sslh_dim3(1, 1, 1);
        field[0].values = pixel, field[1].kind = SSLH_FIELD_LABEL, field[1].type = SSLH_I32, field[1].values = group;
        field[1].name = "patient";
        sslh_data all = sslh_data_from_fields(c, field, 2, 100);
        d.test = 0.1f, d.validation = 0.1f, d.group = "patient", d.seed = (uint64_t)seed;
        sslh_split s = sslh_data_split(all, d);
        CHECK(s.test.count == 10 && s.validation.count == 10, "seed %d: %d and %d", seed, (int)s.test.count,
              (int)s.validation.count);
        for (int i = 0; i < 100; i++) group[i] = i < 6; /* both groups are too large, and the smaller one is taken */
        all = sslh_data_range(sslh_data_from_fields(c, field, 2, 100), 0, 14);
        d.test = 0.15f, d.validation = 0;
        CHECK(sslh_data_split(all, d).test.count == 6, "a part has a group");
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

static void split_by_group(void) {
    sslh_ctx *c = context(1);
    sslh_data all = clips(c);
    for (int seed = 0; seed < 8; seed++) {
        char seen[COUNT] = {0};
        int side_of[GROUPS];
        NONE(sslh_split_desc, d);
        d.test = 0.3f, d.validation = 0.2f, d.group = "speaker", d.seed = (uint64_t)seed;
        sslh_split s = sslh_data_split(all, d);
        sslh_data part[3];
        part[0] = s.train, part[1] = s.validation, part[2] = s.test;
        CHECK_OK(c);
        CHECK(mark(c, s.train, seen) + mark(c, s.validation, seen) + mark(c, s.test, seen) == COUNT, "each once");
        for (int g = 0; g < GROUPS; g++) side_of[g] = -1;
        for (int side = 0; side < 3; side++)
            for (int64_t i = 0; i < part[side].count; i++) {
                int g = speakers[part[side].order[i]];
                CHECK(side_of[g] < 0 || side_of[g] == side, "speaker %d on two sides", g);
                side_of[g] = side;
            }
        int size[GROUPS] = {0}, largest = 0;
        for (int i = 0; i < COUNT; i++) size[speakers[i]]++;
        for (int g = 0; g < GROUPS; g++) largest = size[g] > largest ? size[g] : largest;
        CHECK(fabs((double)s.test.count - 0.3 * COUNT) <= largest / 2.0 + 1e-3, "%d in the test", (int)s.test.count);
        CHECK(fabs((double)s.validation.count - 0.2 * COUNT) <= largest / 2.0 + 1e-3, "%d in the validation",
              (int)s.validation.count);
    }
    NONE(sslh_split_desc, d);
    d.group = "dialect";
    sslh_data_split(all, d);
    CHECK_ERROR(c, "sslh_data_split: there is no label field \"dialect\"");
    d.group = "speaker", d.test = 0.98f;
    sslh_data_split(all, d);
    CHECK_ERROR(c, "sslh_data_split: the training part of 203 samples, in whole groups, is empty");
    sslh_destroy(c);
}

/* --- copies ------------------------------------------------------------------------------------------------------- */

static uint8_t pixels[2][12 * 16 * 16 * 3];
static uint32_t noise(uint32_t v) {
    v = (v ^ v >> 16) * 0x7feb352du;
    return v ^ v >> 15;
}
/* Twelve smooth pictures: a few waves of a colour each. */
static void draw(uint8_t *p, int first) {
    for (int i = 0; i < 12; i++)
        for (int y = 0; y < 16; y++)
            for (int x = 0; x < 16; x++)
                for (int k = 0; k < 3; k++) {
                    uint32_t r = noise((uint32_t)(first + i) * 977 + 5);
                    double w = sin(x * (0.2 + (r & 255) / 300.0) + k);
                    w *= cos(y * (0.2 + (r >> 8 & 255) / 300.0) + (r >> 16));
                    p[((i * 16 + y) * 16 + x) * 3 + k] = (uint8_t)(100 + 70 * w);
                }
}

/* With room for fewer pairs than there are, those with the smallest numbers are kept; samples of the same bytes in
   another shape or type are no copies. */
static void first_copies(void) {
    static const int32_t value[12] = {5, 9, 2, 9, 5, 7, 2, 9, 1, 7, 5, 5};
    static const int32_t want[7][2] = {{0, 4}, {0, 10}, {0, 11}, {1, 3}, {1, 7}, {2, 6}, {5, 9}};
    sslh_ctx *c = context(1);
    NONE(sslh_field, f);
    NONE(sslh_data, none);
    f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(1), f.values = value;
    sslh_data d = sslh_data_from_fields(c, &f, 1, 12);
    CHECK_OK(c);
    for (int room = 0; room < 9; room++) {
        sslh_twins t[9];
        memset(t, 255, sizeof t);
        CHECK(sslh_data_twins(d, none, t, room) == 7, "room %d", room);
        for (int i = 0; i < room && i < 7; i++)
            CHECK(t[i].a == want[i][0] && t[i].b == want[i][1], "room %d: pair %d is %d %d", room, i, t[i].a, t[i].b);
        CHECK(t[room < 7 ? room : 7].a == -1, "room %d: a pair too many", room);
    }
    /* a in b: the copies of each sample of a, in the order of b */
    sslh_twins t[3];
    CHECK(sslh_data_twins(sslh_data_range(d, 1, 3), d, t, 3) == 5 && t[0].a == 0 && t[0].b == 1 && t[1].b == 3 &&
              t[2].a == 0 && t[2].b == 7, "%d %d, %d, %d %d", t[0].a, t[0].b, t[1].b, t[2].a, t[2].b);
    CHECK_OK(c);
    sslh_data one[4];
    f.kind = SSLH_FIELD_AUDIO;
    f.type = SSLH_F32, f.shape = sslh_dim2(2, 3), one[0] = sslh_data_from_fields(c, &f, 1, 2);
    f.shape = sslh_dim2(3, 2), one[1] = sslh_data_from_fields(c, &f, 1, 2);
    f.shape = sslh_dim2(6, 1), one[2] = sslh_data_from_fields(c, &f, 1, 2);
    f.kind = SSLH_FIELD_IMAGE, f.type = SSLH_U8, f.shape = sslh_dim3(1, 1, 4);
    one[3] = sslh_data_from_fields(c, &f, 1, 3);
    CHECK(sslh_data_twins(one[0], one[0], t, 3) == 2 && sslh_data_twins(one[3], one[3], t, 3) == 3, "the same shape");
    CHECK_OK(c);
    for (int i = 1; i < 3; i++) {
        sslh_data_twins(one[0], one[i], t, 3);
        CHECK_ERROR(c, "sslh_data_twins: the first fields of the two sets differ in their shape");
    }
    f.type = SSLH_F32, f.shape = sslh_dim3(1, 1, 1);
    sslh_data_twins(one[3], sslh_data_from_fields(c, &f, 1, 3), t, 3);
    CHECK_ERROR(c, "differ in their type");
    sslh_data_twins(d, none, NULL, 3);
    CHECK_ERROR(c, "room for 3 pairs, and out is NULL");
    sslh_data_twins(d, none, t, -1);
    CHECK_ERROR(c, "room for -1 pairs, and out is given");
    sslh_destroy(c);
}

static void copies(void) {
    sslh_ctx *c = context(2);
    sslh_twins t[8];
    sslh_data none;
    memset(&none, 0, sizeof none);
    draw(pixels[0], 0);
    draw(pixels[1], 100);
    memcpy(pixels[1] + 3 * 768, pixels[0] + 7 * 768, 768); /* 7 of a is 3 of b, and 5 of b */
    memcpy(pixels[1] + 5 * 768, pixels[0] + 7 * 768, 768);
    for (int i = 0; i < 768; i++) /* 2 of a is 9 of b, brighter and noisy */
        pixels[1][9 * 768 + i] = (uint8_t)(pixels[0][2 * 768 + i] * 1.1 + 8 + (noise((uint32_t)i) & 7));
    sslh_data a = sslh_data_from_images(c, pixels[0], 12, 16, 16, 3, NULL),
              b = sslh_data_from_images(c, pixels[1], 12, 16, 16, 3, NULL);
    CHECK(sslh_data_twins(a, b, t, 8) == 2 && t[0].a == 7 && t[0].b == 3 && t[1].a == 7 && t[1].b == 5, "a and b");
    CHECK(sslh_data_twins(b, none, t, 8) == 1 && t[0].a == 3 && t[0].b == 5, "within b");
    CHECK(sslh_data_twins(a, none, NULL, 0) == 0, "within a");
    CHECK(sslh_data_twins(a, b, t, 1) == 2, "room for one");
    sslh_tensor *x = sslh_thumbnails(c, a, 8), *y = sslh_thumbnails(c, b, 8);
    CHECK_OK(c);
    CHECK(x->shape[0] == 12 && x->shape[1] == 64, "%d", x->shape[1]);
    memset(t, 0, sizeof t);
    CHECK(sslh_near_twins(c, x, y, 0.98f, t, 8) == 3, "near twins");
    CHECK(t[0].a == 7 && t[0].b == 3 && t[1].a == 7 && t[1].b == 5 && t[2].a == 2 && t[2].b == 9, "%d %d %d %d %d %d",
          t[0].a, t[0].b, t[1].a, t[1].b, t[2].a, t[2].b);
    CHECK(t[0].cosine == 1, "%g", (double)t[0].cosine);
    CHECK(sslh_near_twins(c, x, y, 0.98f, t, 1) == 3 && t[0].a == 7 && t[0].b == 3, "the best one");
    CHECK(sslh_near_twins(c, y, NULL, 0.999f, t, 8) == 1 && t[0].a == 3 && t[0].b == 5, "within b");
    CHECK_OK(c);
    sslh_near_twins(c, x, y, 2, t, 8);
    CHECK_ERROR(c, "sslh_near_twins: a threshold of 2");
    sslh_data_twins(a, clips(c), t, 8);
    CHECK_ERROR(c, "sslh_data_twins: the first fields of the two sets differ in their kind");
    sslh_thumbnails(c, a, 1);
    CHECK_ERROR(c, "sslh_thumbnails: .side is 1");
    sslh_thumbnails(c, clips(c), 8);
    CHECK(sslh_error(c) != NULL, "sound");
    sslh_clear_error(c);
    sslh_destroy(c);
}

/* Equal rows have the cosine 1, however wide they are, and a threshold of 1 finds them. */
static void equal_rows(void) {
    enum { N = 40 };
    sslh_ctx *c = context(1);
    for (int width = 3; width < 1000; width *= 3) {
        sslh_tensor *x = sslh_persist(sslh_normal(c, sslh_dim2(N, width), 0.3f, 1));
        sslh_twins t[2 * N];
        for (int i = 0; i < N / 2; i++) /* twice as large has the same direction */
            for (int d = 0; d < width; d++) x->data[(2 * i + 1) * width + d] = x->data[2 * i * width + d] * 2;
        CHECK(sslh_near_twins(c, x, NULL, 1, t, 2 * N) == N / 2, "width %d", width);
        for (int i = 0; i < N / 2; i++) CHECK(t[i].a == 2 * i && t[i].b == 2 * i + 1 && t[i].cosine == 1, "pair %d", i);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- neighbours --------------------------------------------------------------------------------------------------- */

static void neighbours(void) {
    sslh_ctx *c = context(2), *one = context(1);
    enum { N = 300, M = 270, K = 7, D = 5 };
    static float cosine[N];
    sslh_tensor *x = sslh_persist(sslh_normal(c, sslh_dim2(N, D), 0, 1)),
                *q = sslh_persist(sslh_normal(c, sslh_dim2(M, D), 0, 1));
    for (int same = 0; same < 2; same++) {
        sslh_tensor *asked = same ? x : q;
        sslh_neighbours found = sslh_nearest(c, x, asked, K);
        CHECK_OK(c);
        for (int i = 0; i < asked->shape[0]; i++) {
            for (int j = 0; j < N; j++) {
                double xy = 0, xx = 0, yy = 0;
                for (int d = 0; d < D; d++) {
                    double u = (double)x->data[j * D + d], v = (double)asked->data[i * D + d];
                    xy += u * v, xx += u * u, yy += v * v;
                }
                cosine[j] = same && i == j ? -2 : (float)(xy / sqrt(xx * yy));
            }
            for (int k = 0; k < K; k++) {
                int best = 0;
                for (int j = 1; j < N; j++)
                    if (cosine[j] > cosine[best]) best = j;
                CHECK_NEAR(found.cosine->data[i * K + k], cosine[best], 1e-5);
                CHECK_NEAR(cosine[found.index->ints[i * K + k]], cosine[best], 1e-5);
                cosine[found.index->ints[i * K + k]] = -2;
            }
        }
    }
    sslh_tensor *u = sslh_persist(sslh_zeros(one, sslh_dim2(N, D)));
    memcpy(u->data, x->data, x->count * sizeof *x->data);
    const sslh_real *alone = sslh_nearest(one, u, u, 9).cosine->data, *two = sslh_nearest(c, x, x, 9).cosine->data;
    CHECK(!memcmp(alone, two, N * 9 * sizeof *two), "threads");
    sslh_nearest(c, x, x, N);
    CHECK_ERROR(c, "sslh_nearest: .k is 300");
    CHECK(sslh_nearest(c, x, q, N).index->shape[1] == N, "all of them");
    CHECK_OK(c);
    sslh_destroy(one);
    sslh_destroy(c);
}

/* Equal cosines go by number: of those that are kept, and in the order of what is found. */
static void ties(void) {
    enum { N = 60 };
    sslh_ctx *c = context(1);
    for (int turn = 0; turn < 200; turn++) {
        sslh_tensor *x = sslh_persist(sslh_zeros(c, sslh_dim2(N, 2)));
        sslh_tensor *q = sslh_persist(sslh_zeros(c, sslh_dim2(1, 2)));
        int level[N], k = 1 + turn % 20;
        sslh_neighbours found;
        q->data[0] = 1;
        for (int i = 0; i < N; i++) { /* four cosines; a power of two as length changes no bit */
            level[i] = (int)sslh_random_below(2, (uint64_t)turn, (uint64_t)i, 4);
            x->data[2 * i] = (sslh_real)(1 + level[i]), x->data[2 * i + 1] = (sslh_real)(4 - level[i]);
        }
        found = sslh_nearest(c, x, q, k);
        CHECK_OK(c);
        for (int place = 0, want = 3, at = 0; place < k && !sslh_error(c); place++, at++) {
            for (; want >= 0 && level[at] != want; at++)
                if (at == N - 1) want--, at = -1;
            CHECK(found.index->ints[place] == at, "turn %d, place %d: %d instead of %d", turn, place,
                  (int)found.index->ints[place], at);
            if (at == N - 1) want--, at = -1;
        }
    }
    sslh_destroy(c);
}

/* Cosines are computed in float, whatever .bfloat16 says. */
static void in_float(void) {
    enum { N = 100, D = 64 };
    float cosine[2][N];
    for (int pairs = 0; pairs < 2; pairs++) {
        NONE(sslh_desc, cd);
        cd.threads = 1, cd.seed = 7, cd.bfloat16 = pairs;
        sslh_ctx *c = sslh_create(cd);
        if (sslh_error(c)) { /* a build in double has none */
            sslh_destroy(c);
            return;
        }
        sslh_tensor *x = sslh_persist(sslh_normal(c, sslh_dim2(N, D), 0, 1));
        sslh_neighbours found = sslh_nearest(c, x, x, 1);
        CHECK_OK(c);
        for (int i = 0; i < N; i++) cosine[pairs][i] = (float)found.cosine->data[i];
        sslh_destroy(c);
    }
    CHECK(!memcmp(cosine[0], cosine[1], sizeof cosine[0]), "other cosines");
}

/* On a circle: 0 and 12 degrees are of class 0, 20, 180 and 188 of class 1. */
static void retrieval(void) {
    static const double degrees[5] = {0, 12, 20, 180, 188};
    static const int32_t label[5] = {0, 0, 1, 1, 1};
    sslh_ctx *c = context(1);
    sslh_tensor *x = sslh_persist(sslh_zeros(c, sslh_dim2(5, 2)));
    for (int i = 0; i < 5; i++) {
        x->data[2 * i] = (sslh_real)cos(degrees[i] / 180 * 3.14159265);
        x->data[2 * i + 1] = (sslh_real)sin(degrees[i] / 180 * 3.14159265);
    }
    /* the two nearest of 0: 10 20; of 12: 20 0; of 20: 12 0; of 180: 188 20; of 188: 180 20 */
    sslh_retrieval_score s = sslh_retrieval(c, x, label, x, label, 2);
    CHECK_OK(c);
    CHECK_NEAR(s.first, 3.0 / 5, 1e-6);
    CHECK_NEAR(s.precision, (1 + 1 + 0 + 2 + 2) / 10.0, 1e-6);
    /* at the hits, of as many as there are: one for 0 and 12, two for the others */
    CHECK_NEAR(s.map, (1 + 0.5 + 0 + 1 + 1) / 5, 1e-6);
    /* asked apart: the nearest three of 4 degrees are 0, 12 and 20 */
    static const int32_t asked[1] = {0};
    sslh_tensor *q = sslh_persist(sslh_zeros(c, sslh_dim2(1, 2)));
    q->data[0] = (sslh_real)cos(4 / 180.0 * 3.14159265), q->data[1] = (sslh_real)sin(4 / 180.0 * 3.14159265);
    s = sslh_retrieval(c, x, label, q, asked, 3);
    CHECK_NEAR(s.precision, 2.0 / 3, 1e-6);
    CHECK_NEAR(s.first, 1, 0);
    CHECK_NEAR(s.map, 1, 1e-6);
    sslh_retrieval(c, x, NULL, q, asked, 3);
    CHECK_ERROR(c, "sslh_retrieval: labels are NULL");
    sslh_destroy(c);
}

/* Values of scikit-learn, ties among them; a perfect order, one score for all, the order of the rows. */
static void average_precision(void) {
    static const float scores[2][7] = {{0.1f, 0.4f, 0.35f, 0.8f, 0, 0, 0}, {3, 3, 3, 2, 1, 1, 0.5f}};
    static const int32_t relevant[2][7] = {{0, 0, 1, 1, 0, 0, 0}, {1, 0, 1, 0, 1, 0, 0}}, none[7] = {0};
    sslh_ctx *c = context(1);
    float x[60], moved[60];
    int32_t y[60], z[60];
    CHECK_NEAR(sslh_average_precision(c, scores[0], relevant[0], 4), 0.8333333333, 1e-6);
    CHECK_NEAR(sslh_average_precision(c, scores[1], relevant[1], 7), 0.6111111111, 1e-6);
    for (int i = 0; i < 60; i++) y[i] = i % 4 == 0, x[i] = y[i] ? 2 : (float)i / 60;
    CHECK_NEAR(sslh_average_precision(c, x, y, 60), 1, 0);
    for (int i = 0; i < 60; i++) x[i] = -7;
    CHECK_NEAR(sslh_average_precision(c, x, y, 60), 0.25, 1e-6);
    for (int i = 0; i < 60; i++) x[i] = sslh_random_normal(1, 1, (uint64_t)i / 2);
    for (int i = 0; i < 60; i++) moved[i] = x[i * 7 % 60], z[i] = y[i * 7 % 60];
    CHECK_NEAR(sslh_average_precision(c, moved, z, 60), sslh_average_precision(c, x, y, 60), 0);
    CHECK_OK(c);
    sslh_average_precision(c, x, none, 7);
    CHECK_ERROR(c, "sslh_average_precision: none of the 7 rows is relevant");
    x[3] = (float)NAN;
    sslh_average_precision(c, x, y, 60);
    CHECK_ERROR(c, "sslh_average_precision: score 3 is NaN");
    sslh_average_precision(c, NULL, y, 60);
    CHECK_ERROR(c, "sslh_average_precision: scores and relevant for at least one row are needed");
    sslh_destroy(c);
}

/* --- whitening ---------------------------------------------------------------------------------------------------- */

static void whitening(void) {
    enum { N = 500, D = 6 };
    sslh_ctx *c = context(2);
    sslh_tensor *x = sslh_persist(sslh_add(c, sslh_matmul(c, sslh_normal(c, sslh_dim2(N, D), 0, 1),
                                                          sslh_normal(c, sslh_dim2(D, D), 0, 1)),
                                           sslh_normal(c, sslh_dim1(D), 0, 3))), *y;
    sslh_whitening w = sslh_zca_fit(c, x, 1e-7f);
    y = sslh_zca(c, w, x);
    CHECK_OK(c);
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) {
            double sum = 0, mean = 0;
            for (int n = 0; n < N; n++) {
                sum += (double)y->data[n * D + i] * (double)y->data[n * D + j];
                mean += (double)y->data[n * D + i];
            }
            CHECK_NEAR(mean / N, 0, 1e-4);
            CHECK_NEAR(sum / (N - 1), i == j, 2e-3);
            CHECK_NEAR(w.matrix->data[i * D + j], w.matrix->data[j * D + i], 1e-5);
        }
    /* what is white already stays as it is: the matrix of least change is 1 */
    w = sslh_zca_fit(c, sslh_persist(y), 1e-7f);
    for (int i = 0; i < D * D; i++) CHECK_NEAR(w.matrix->data[i], i % (D + 1) == 0, 2e-3);
    CHECK_OK(c);
    sslh_zca(c, w, sslh_zeros(c, sslh_dim2(3, D + 1)));
    CHECK_ERROR(c, "sslh_zca: rows (n,D) of the width");
    sslh_zca_fit(c, sslh_zeros(c, sslh_dim2(1, D)), 0);
    CHECK_ERROR(c, "sslh_zca_fit: features (n,D) with at least 2 rows");
    sslh_zca_fit(c, x, -1);
    CHECK_ERROR(c, "sslh_zca_fit: eps is -1");
    sslh_destroy(c);
}

/* What a function has made before it fails is freed, without sslh_rewind. The first run lets the heap of steps grow. */
static void errors_keep_nothing(void) {
    enum { WAYS = 13 };
    draw(pixels[0], 0);
    for (int way = 0; way < WAYS; way++) {
        NONE(test_memory, m);
        NONE(sslh_desc, cd);
        NONE(sslh_split_desc, split);
        NONE(sslh_feature_desc, features);
        NONE(sslh_probe_desc, probe);
        NONE(sslh_knn_desc, knn);
        NONE(sslh_finetune_desc, finetune);
        NONE(sslh_tsne_desc, tsne);
        NONE(sslh_convnet_desc, net);
        static int32_t label[12] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
        sslh_twins t[4];
        cd.threads = 1, cd.alloc = test_alloc, cd.release = test_release, cd.user = &m;
        net.channels = 3, net.widths[0] = 4;
        probe.l2 = 0.1f, probe.iterations = 2, finetune.epochs = 1, finetune.batch = 6, tsne.iterations = 2;
        split.any_class = way == 8, split.validation = 0.1f;
        sslh_ctx *c = sslh_create(cd);
        sslh_net *encoder = sslh_convnet(c, net);
        sslh_data images = sslh_data_from_images(c, pixels[0], 12, 16, 16, 3, label);
        sslh_tensor *x = sslh_persist(sslh_normal(c, sslh_dim2(12, 4), 0, 1)), *w = sslh_persist(x);
        CHECK_OK(c);
        const int64_t mark = sslh_mark(c);
        long live = 0, at;
        for (at = -1; at < 1000; at++) { /* -1, 0: no failure */
            m.fail_at = at > 0 ? m.calls + at : 0;
            if (way == 0) sslh_features(c, encoder, images, features);
            if (way == 1) sslh_linear_probe(c, encoder, images, images, probe);
            if (way == 2) sslh_knn(c, encoder, images, images, knn);
            if (way == 3) sslh_finetune(c, encoder, images, images, finetune);
            if (way == 4) sslh_nearest(c, x, w, 3);
            if (way == 5) sslh_retrieval(c, x, label, w, label, 3);
            if (way == 6) sslh_zca_fit(c, x, 0);
            if (way == 7) sslh_near_twins(c, x, w, 0.5f, t, 4);
            if (way == 8) sslh_data_split(images, split);
            if (way == 9) sslh_pca(c, x, 2);
            if (way == 10) sslh_tsne(c, x, tsne);
#if SSLH_WITH_CLASSIFIERS
            NONE(sslh_kmeans_desc, kmeans);
            kmeans.clusters = 3;
            if (way == 11) sslh_kmeans(c, x, kmeans);
            if (way == 12) sslh_nearest_centres(c, x, w);
#endif
            if (at <= 0 || !sslh_error(c)) { /* all of it, or no allocation is left to fail */
                CHECK_OK(c);
                sslh_rewind(c, mark);
                live = m.live;
                if (at > 0) break;
                continue;
            }
            CHECK_ERROR(c, "out of memory");
            CHECK(m.live <= live, "way %d, allocation %ld: %ld blocks are left", way, at, m.live - live);
            sslh_rewind(c, mark);
        }
        CHECK(at > 1 || way > 10, "way %d: nothing failed", way);
        sslh_destroy(c);
        CHECK(m.live == 0, "way %d: %ld blocks leak", way, m.live);
    }
    /* other errors: a part of a split that is empty */
    sslh_ctx *c = context(1);
    sslh_data d = clips(c);
    NONE(sslh_split_desc, split);
    split.validation = 0.3f, split.test = 0.001f;
    const double bytes = (double)sslh_query(c).bytes;
    sslh_data_split(d, split);
    CHECK_ERROR(c, "the test part of 203 samples is empty");
    CHECK((double)sslh_query(c).bytes == bytes, "%g bytes are left", (double)sslh_query(c).bytes - bytes);
    sslh_destroy(c);
}

/* Every allocation fails in turn. */
static void failing_memory(void) {
    long calls = 1;
    draw(pixels[0], 0);
    for (long at = 1; at <= calls; at++) {
        NONE(test_memory, m);
        NONE(sslh_desc, cd);
        NONE(sslh_split_desc, sd);
        static int32_t label[COUNT];
        sslh_twins t[4];
        cd.threads = 1, cd.alloc = test_alloc, cd.release = test_release, cd.user = &m;
        sslh_ctx *c = sslh_create(cd);
        sslh_data d = clips(c), images = sslh_data_from_images(c, pixels[0], 12, 16, 16, 3, NULL);
        long live = m.live, before = m.calls;
        int64_t begin = sslh_mark(c);
        m.fail_at = before + at;
        sd.group = "speaker";
        sslh_data_split(d, sd);
        sslh_data_twins(d, d, t, 4);
        sslh_tensor *x = sslh_thumbnails(c, images, 4);
        sslh_retrieval(c, x, label, x, label, 3);
        sslh_near_twins(c, x, NULL, 0.5f, t, 4);
        sslh_whitening w = sslh_zca_fit(c, x, 0);
        sslh_zca(c, w, x);
        if (m.calls - before >= at) {
            CHECK_ERROR(c, "out of memory");
            calls = at + 1;
        } else CHECK_OK(c);
        sslh_rewind(c, begin);
        /* the heap of steps has grown */
        CHECK(m.live <= live + 12, "allocation %ld: %ld blocks are left", at, m.live - live);
        sslh_destroy(c);
        CHECK(m.live == 0, "allocation %ld: %ld blocks leak", at, m.live);
    }
    CHECK(calls > 15, "only %ld allocations", calls);
}

TESTS_BEGIN
    TEST(split_by_class)
    TEST(split_small_classes)
    TEST(split_by_group)
    TEST(split_large_groups)
    TEST(first_copies)
    TEST(copies)
    TEST(equal_rows)
    TEST(neighbours)
    TEST(ties)
    TEST(in_float)
    TEST(retrieval)
    TEST(average_precision)
    TEST(whitening)
    TEST(errors_keep_nothing)
    TEST(failing_memory)
TESTS_END
