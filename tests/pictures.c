/* Pictures: files are read back and looked into; PCA and t-SNE: known answers, determinism, hostile arguments. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#define TEST_SEED 5
#include "harness.h"

#define FILE_NAME "build/test_picture.png"

/* The written picture as 8-bit RGB. */
static const uint8_t *back(sslh_ctx *c, int *h, int *w) {
    int channels = 0;
    const uint8_t *p = sslh_load_image(c, FILE_NAME, h, w, &channels);
    CHECK_OK(c);
    CHECK(p && channels == 3, "picture with %d channels", channels);
    remove(FILE_NAME);
    return p;
}

static int count_colour(const uint8_t *p, int h, int w, int colour) {
    int i, n = 0;
    for (i = 0; i < h * w; i++)
        n += p[3 * i] == (colour >> 16) && p[3 * i + 1] == ((colour >> 8) & 255) && p[3 * i + 2] == (colour & 255);
    return n;
}

static void grid(void) {
    sslh_ctx *c = context(1);
    static const float values[24] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0.5f, 0.5f, 0.5f, -3, 7, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1};
    int h = 0, w = 0;
    const uint8_t *p;
    sslh_picture_grid(c, FILE_NAME, sslh_from(c, sslh_dim4(2, 2, 2, 3), values), 2, 10);
    p = back(c, &h, &w);
    CHECK(w == 2 * 8 + 40 + 4 && h == 2 * 8 + 20, "%d x %d", w, h); /* margin 8, gap 4 */
    if (p) {
        CHECK(count_colour(p, h, w, 0xff0000) == 100, "red");
        CHECK(count_colour(p, h, w, 0x808080) == 100, "grey");
        CHECK(count_colour(p, h, w, 0x00ff00) == 200, "green: one clipped from -3, 7, 0");
        CHECK(p[(8 * w + 8) * 3] == 255 && p[(8 * w + 8) * 3 + 1] == 0, "first pixel");
    }
    sslh_picture_grid(c, FILE_NAME, sslh_zeros(c, sslh_dim4(60, 28, 28, 1)), 0, 0);
    p = back(c, &h, &w);
    CHECK(w > 600 && w < 1000 && h > 400 && h < 1000, "chosen zoom: %d x %d", w, h);
    sslh_picture_grid(c, FILE_NAME, sslh_zeros(c, sslh_dim4(1, 1, 1, 4)), 0, 0);
    p = back(c, &h, &w);
    (void)p;
    sslh_destroy(c);
}

/* How many pixels of a colour lie in the rows y0 .. y1-1 and columns x0 .. x1-1. */
static int count_in(const uint8_t *p, int w, int x0, int x1, int y0, int y1, int colour) {
    int x, y, n = 0;
    for (y = y0; y < y1; y++)
        for (x = x0; x < x1; x++) n += count_colour(p + 3 * (y * w + x), 1, 1, colour);
    return n;
}

/* A sheet with names: where they are, and that the originals are framed and stand apart. */
static void sheet(void) {
    sslh_ctx *c = context(1);
    static const char *const rows[2] = {"seen", "rebuilt"}, *const heads[3] = {"one", NULL, "far too long a head"};
    sslh_grid_desc d;
    int h = 0, w = 0, plain_w = 0, plain_h = 0, left = 2 * 7 * 12 / 2;
    const uint8_t *p;
    sslh_tensor *x = sslh_full(c, sslh_dim4(6, 2, 2, 1), 0.5f);
    sslh_picture_grid(c, FILE_NAME, x, 3, 10);
    p = back(c, &plain_h, &plain_w);
    memset(&d, 0, sizeof d);
    d.columns = 3, d.zoom = 10;
    sslh_picture_grid_ex(c, FILE_NAME, x, d);
    p = back(c, &h, &w);
    CHECK(h == plain_h && w == plain_w, "without names the same picture: %d x %d", w, h);
    d.rows = rows, d.heads = heads, d.originals = 1, d.title = "title";
    sslh_picture_grid_ex(c, FILE_NAME, x, d);
    p = back(c, &h, &w);
    CHECK(w == plain_w + left + 8 + 12 && h == plain_h + 30 + 24, "%d x %d beside %d x %d", w, h, plain_w, plain_h);
    if (p) {
        int ink = 0x333333, frame = 0x1f77b4, at = 8 + left + 8; /* margin, names, room */
        CHECK(count_in(p, w, 0, w, 0, 30, ink) > 40, "a title");
        CHECK(count_in(p, w, 0, at - 2, 62, 82, ink) > 40 && count_in(p, w, 0, at - 2, 86, 106, ink) > 40,
              "both rows have names");
        CHECK(count_in(p, w, 0, at - 2, 30, 60, ink) == 0, "no name above them");
        CHECK(count_in(p, w, at, at + 20, 36, 60, ink) > 10 && count_in(p, w, at + 24 + 12, w, 36, 60, ink) > 10,
              "heads");
        CHECK(count_colour(p, h, w, frame) == 2 * 4 * 2 * 22, "two frames: %d", count_colour(p, h, w, frame));
        CHECK(count_in(p, w, at - 2, at + 22, 0, h, frame) == 2 * 4 * 2 * 22, "around the first column");
        CHECK(count_in(p, w, at + 22, at + 36, 60, h, 0xffffff) == 14 * (h - 60), "which stands apart");
    }
    d.columns = 0;
    sslh_picture_grid_ex(c, FILE_NAME, x, d);
    CHECK_ERROR(c, "sslh_picture_grid_ex: .rows and .heads need .columns");
    d.columns = 3, d.originals = -1, x = sslh_full(c, sslh_dim4(6, 2, 2, 1), 0.5f);
    sslh_picture_grid_ex(c, FILE_NAME, x, d);
    CHECK_ERROR(c, "sslh_picture_grid_ex: .originals is -1");
    sslh_destroy(c);
}

/* Titles and names of axes make room for themselves and are there. */
static void plots(void) {
    sslh_ctx *c = context(1);
    static const float v[4] = {3, 2, 1, 0.5f};
    sslh_tensor *x = sslh_normal(c, sslh_dim2(9, 2), 0, 1);
    int kind, h[2], w[2], with;
    for (kind = 0; kind < 2; kind++) {
        const uint8_t *p = NULL;
        int extra = kind ? 24 : 32; /* below: the curves have their numbers there already */
        for (with = 0; with < 2; with++) {
            sslh_plot_desc d;
            memset(&d, 0, sizeof d);
            if (with) d.title = "title", d.x = "across", d.y = "upward";
            if (kind) sslh_picture_curves_ex(c, FILE_NAME, v, 1, 4, d);
            else sslh_picture_scatter_ex(c, FILE_NAME, x, NULL, 0, d);
            p = back(c, &h[with], &w[with]);
        }
        CHECK(h[1] == h[0] + 54 + 24 && w[1] == w[0], "%d x %d beside %d x %d", w[1], h[1], w[0], h[0]);
        if (p) {
            CHECK(count_in(p, w[1], 0, w[1], 0, 48, 0x333333) > 60, "a title");
            CHECK(count_in(p, w[1], 0, w[1], 50, 78, 0x333333) > 60, "the name of the upward axis");
            CHECK(count_in(p, w[1], w[1] - 200, w[1], h[1] - extra, h[1], 0x333333) > 60, "the name of the other");
        }
    }
    sslh_destroy(c);
}

static void filters(void) {
    sslh_ctx *c = context(1);
    int h = 0, w = 0;
    const uint8_t *p;
    static const float scaled[4] = {-2, 0, 1, 1};
    sslh_picture_filters(c, FILE_NAME, sslh_normal(c, sslh_dim4(8, 3, 3, 3), 0, 1), 4);
    p = back(c, &h, &w);
    sslh_picture_filters(c, FILE_NAME, sslh_normal(c, sslh_dim2(8, 49), 0, 1), 0);
    p = back(c, &h, &w);
    sslh_picture_filters(c, FILE_NAME, sslh_from(c, sslh_dim4(1, 2, 2, 1), scaled), 10); /* one scale: -2 .. 2 */
    p = back(c, &h, &w);
    if (p) {
        CHECK(count_in(p, w, 16, 36, 16, 36, 0) == 100 && count_in(p, w, 16, 36, 16, 36, 0x808080) == 100,
              "-2 is black, 0 grey");
        CHECK(count_in(p, w, 16, 36, 16, 36, 0xc0c0c0) == 0 && count_in(p, w, 16, 36, 16, 36, 0xbfbfbf) == 200,
              "1 is half way to white");
        CHECK(count_in(p, w, 15, 37, 15, 37, 0x9a9a9a) == 4 * 21, "a frame around the filter");
        CHECK(count_in(p, w, 16, 16 + 256, 52, 64, 0xffffff) == 12,
              "the scale ends in white: %d", count_in(p, w, 16, 16 + 256, 52, 64, 0xffffff));
        CHECK(count_in(p, w, 0, w, 68, h, 0x333333) > 60, "with numbers");
    }
    sslh_picture_filters(c, FILE_NAME, sslh_normal(c, sslh_dim2(8, 48), 0, 1), 0); /* 4 x 4 x 3 */
    p = back(c, &h, &w);
    (void)p;
    sslh_picture_filters(c, FILE_NAME, sslh_zeros(c, sslh_dim2(8, 50)), 0);
    CHECK_ERROR(c, "square");
    sslh_picture_filters(c, FILE_NAME, sslh_zeros(c, sslh_dim4(8, 3, 3, 16)), 0);
    CHECK_ERROR(c, "(O,H,W,1)");
    sslh_picture_filters(c, FILE_NAME, sslh_zeros(c, sslh_dim0()), 0);
    CHECK_ERROR(c, "weights");
    sslh_destroy(c);
}

static void scatter(void) {
    sslh_ctx *c = context(1);
    int h = 0, w = 0, i;
    const uint8_t *p;
    int32_t labels[60];
    const char *names[3] = {"first", NULL,
                            "a very long name that goes on and on beyond every legend, \xc3\xa4\xc3\xb6"};
    sslh_tensor *x = sslh_normal(c, sslh_dim2(60, 2), 0, 1);
    for (i = 0; i < 60; i++) labels[i] = i % 3;
    sslh_picture_scatter(c, FILE_NAME, x, labels, 3, names);
    p = back(c, &h, &w);
    CHECK(h == 768 && w > 768, "%d x %d", w, h);
    if (p) CHECK(count_colour(p, h, w, 0xff7f0e) > 50, "legend of class 1");
    labels[3] = -1;
    labels[4] = 1 << 30;
    x->data[0] = (sslh_real)HUGE_VAL;
    x->data[3] = x->data[0] - x->data[0];
    x->data[6] = (sslh_real)3e38;
    x->data[8] = (sslh_real)-3e38;
    sslh_picture_scatter(c, FILE_NAME, x, labels, 0, NULL);
    p = back(c, &h, &w);
    if (sizeof(sslh_real) == sizeof(double)) { /* too far apart for a difference, too close for a quotient */
        static const char *const words[60] = {"one", "two", "three", "four", "five"};
        static const double sizes[2] = {1e308, 1e-320};
        sslh_plot_desc d;
        memset(&d, 0, sizeof d);
        d.words = words;
        for (i = 0; i < 60; i++)
            x->data[i] = (sslh_real)sizes[0] * (i % 2 ? -1 : 1), x->data[60 + i] = (sslh_real)(i < 30);
        sslh_picture_scatter_ex(c, FILE_NAME, x, NULL, 0, d);
        CHECK_OK(c);
        for (i = 0; i < 120; i++) x->data[i] = (sslh_real)sizes[1] * (sslh_real)(i % 3);
        sslh_picture_scatter_ex(c, FILE_NAME, x, NULL, 0, d);
        CHECK_OK(c);
    }
    sslh_picture_scatter(c, FILE_NAME, sslh_zeros(c, sslh_dim2(1, 2)), NULL, 0, NULL);
    p = back(c, &h, &w);
    CHECK(w == 768, "no labels, no legend");
    sslh_picture_scatter(c, FILE_NAME, sslh_zeros(c, sslh_dim2(4, 3)), NULL, 0, NULL);
    CHECK_ERROR(c, "(n,2)");
    sslh_destroy(c);
}

/* Words beside points: of those on one place four find a side of their own, and the fifth is left out. Words that are
   NULL or empty, and points that are not finite, have none. */
static void scatter_words(void) {
    sslh_ctx *c = context(1);
    static const float at[14] = {0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1};
    const char *words[7] = {"mmm", NULL, NULL, NULL, NULL, NULL, ""};
    sslh_plot_desc d;
    sslh_tensor *x = sslh_from(c, sslh_dim2(7, 2), at);
    int h = 0, w = 0, ink[7];
    memset(&d, 0, sizeof d);
    d.words = words;
    for (int n = 0; n < 7; n++) {
        if (n && n < 6) words[n] = "mmm";
        if (n == 6) x->data[0] = (sslh_real)HUGE_VAL;
        sslh_picture_scatter_ex(c, FILE_NAME, x, NULL, 0, d);
        const uint8_t *p = back(c, &h, &w);
        ink[n] = p ? (int)count_colour(p, h, w, 0x333333) : 0;
    }
    CHECK(h == 1248 && w == 1248, "%d x %d", w, h);
    CHECK(ink[0] > 100 && ink[1] == 2 * ink[0] && ink[2] == 3 * ink[0] && ink[3] == 4 * ink[0] && ink[4] == 5 * ink[0],
          "a word %d, then %d, %d, %d, %d", ink[0], ink[1], ink[2], ink[3], ink[4]);
    CHECK(ink[5] == ink[4], "the fifth on one place is left out");
    CHECK(ink[6] == 4 * ink[0], "no word where no point is");
    sslh_destroy(c);
}

static void curves(void) {
    sslh_ctx *c = context(1);
    float v[40], zero = 0;
    int h = 0, w = 0, i, k;
    const uint8_t *p;
    const char *names[2] = {"loss", "accuracy"};
    static const float extreme[7] = {0, 1e-38f, 3e38f, -3e38f, 1e-7f, 123456.0f, 5};
    for (i = 0; i < 40; i++) v[i] = (float)(i % 20) / 20.0f + (float)(i / 20);
    v[7] = zero / zero;
    v[8] = 1.0f / zero;
    sslh_picture_curves(c, FILE_NAME, v, 2, 20, names, "two curves");
    p = back(c, &h, &w);
    if (p)
        CHECK(count_colour(p, h, w, 0x1f77b4) > 300 && count_colour(p, h, w, 0xff7f0e) > 300, "both lines are there");
    for (k = 0; k < 7; k++)
        for (i = 1; i < 7; i++) { /* pairs of extreme values */
            v[0] = extreme[k];
            v[1] = extreme[(k + i) % 7];
            sslh_picture_curves(c, FILE_NAME, v, 1, 2, NULL, NULL);
            p = back(c, &h, &w);
        }
    v[0] = v[1] = zero / zero;
    sslh_picture_curves(c, FILE_NAME, v, 1, 2, names, "nothing");
    p = back(c, &h, &w);
    sslh_picture_curves(c, FILE_NAME, v, 0, 2, NULL, NULL);
    CHECK_ERROR(c, "at least 1");
    sslh_picture_curves(c, FILE_NAME, NULL, 1, 2, NULL, NULL);
    CHECK_ERROR(c, "NULL");
    sslh_destroy(c);
}

static void ticks(void) {
    static const struct { double v, step; const char *text; } want[10] = {
        {0.25, 0.05, "0.25"}, {1500, 500, "1500"}, {2e6, 5e5, "2.0e6"}, {0, 0.1, "0.0"}, {-0.3, 0.1, "-0.3"},
        {3e-6, 1e-6, "3e-6"}, {-1e-17, 0.5, "0.0"}, {10, 1, "10"}, {0.0002, 0.0001, "0.0002"}, {1e30, 1e30, "1e30"}};
    char text[48];
    int i;
    for (i = 0; i < 10; i++) {
        sslh_i_tick(text, sizeof text, want[i].v, want[i].step);
        CHECK(!strcmp(text, want[i].text), "%s, expected %s", text, want[i].text);
    }
    CHECK(sslh_i_nice(0.3) == 0.5 && sslh_i_nice(7) == 10 && sslh_i_nice(1) == 1 && sslh_i_nice(150) == 200,
          "nice steps");
}

static void hostile(void) {
    sslh_ctx *c = context(1), *other = context(1);
    static const int32_t ints[2] = {1, 2};
    sslh_picture_grid(c, FILE_NAME, NULL, 0, 0);
    CHECK_ERROR(c, "NULL");
    sslh_picture_grid(c, FILE_NAME, sslh_zeros(other, sslh_dim4(1, 1, 1, 1)), 0, 0);
    CHECK_ERROR(c, "another context");
    sslh_picture_grid(c, FILE_NAME, sslh_zeros(c, sslh_dim4(1, 2, 2, 5)), 0, 0);
    CHECK_ERROR(c, "channels");
    sslh_picture_grid(c, FILE_NAME, sslh_zeros(c, sslh_dim2(2, 2)), 0, 0);
    CHECK_ERROR(c, "(N,H,W,C)");
    sslh_picture_grid(c, FILE_NAME, sslh_zeros(c, sslh_dim4(2, 100, 100, 1)), 2, 1000);
    CHECK_ERROR(c, "pixels");
    sslh_picture_grid(c, FILE_NAME, sslh_zeros(c, sslh_dim4(2, 2, 2, 1)), 0, 2000000000);
    CHECK_ERROR(c, "zoom");
    sslh_picture_grid(c, "no/such/folder/picture.png", sslh_zeros(c, sslh_dim4(2, 2, 2, 1)), 0, 0);
    CHECK(sslh_error_code(c) == SSLH_E_FILE, "a folder that is not there");
    sslh_clear_error(c);
    sslh_pca(c, sslh_from_ints(c, sslh_dim2(2, 1), ints), 1);
    CHECK_ERROR(c, "integer");
    sslh_pca(c, sslh_zeros(c, sslh_dim2(4, 3)), 4);
    CHECK_ERROR(c, "4 components");
    sslh_pca(c, sslh_zeros(c, sslh_dim2(4, 3)), 0);
    CHECK_ERROR(c, "0 components");
    sslh_pca(c, sslh_zeros(c, sslh_dim1(4)), 1);
    CHECK_ERROR(c, "(n,D)");
    {
        sslh_tensor *t = sslh_zeros(c, sslh_dim2(4, 3));
        sslh_tsne_desc d;
        memset(&d, 0, sizeof d);
        d.perplexity = -1;
        sslh_tsne(c, t, d);
        CHECK_ERROR(c, "perplexity");
        t = sslh_zeros(c, sslh_dim2(4, 3));
        t->data[5] = (sslh_real)HUGE_VAL;
        t->data[5] -= t->data[5];
        sslh_pca(c, t, 1);
        CHECK_ERROR(c, "NaN");
    }
    sslh_destroy(c);
    sslh_destroy(other);
}

/* Axes of known length: x = 5 a u + 2 b v + 0.5 e w with orthonormal u, v, w. */
static void pca_finds_the_axes(void) {
    sslh_ctx *c = context(2);
    enum { N = 400, D = 40 };
    sslh_tensor *x = sslh_zeros(c, sslh_dim2(N, D)), *g = sslh_normal(c, sslh_dim2(N, 3), 0, 1), *p;
    int i, k, j;
    double length[3] = {5, 2, 0.5}, var[3] = {0, 0, 0}, cross = 0, total = 0, sum[3] = {0, 0, 0};
    for (i = 0; i < N; i++)
        for (k = 0; k < D; k++) {
            double s = 7; /* a mean that must go */
            for (j = 0; j < 3; j++)
                s += length[j] * (double)g->data[3 * i + j] * sqrt(2.0 / D) *
                     cos(3.141592653589793 * (j + 1) * (k + 0.5) / D);
            x->data[i * D + k] = (sslh_real)s;
        }
    p = sslh_pca(c, x, 3);
    CHECK_OK(c);
    CHECK(p->shape[0] == N && p->shape[1] == 3, "shape");
    for (i = 0; i < N; i++)
        for (j = 0; j < 3; j++) sum[j] += (double)p->data[3 * i + j];
    for (j = 0; j < 3; j++) CHECK_NEAR(sum[j] / N, 0, 1e-4);
    for (i = 0; i < N; i++) {
        for (j = 0; j < 3; j++) var[j] += (double)p->data[3 * i + j] * (double)p->data[3 * i + j] / (N - 1);
        cross += (double)p->data[3 * i] * (double)p->data[3 * i + 1] / (N - 1);
    }
    for (k = 0; k < D; k++) {
        double m = 0, s = 0;
        for (i = 0; i < N; i++) m += (double)x->data[i * D + k] / N;
        for (i = 0; i < N; i++) s += ((double)x->data[i * D + k] - m) * ((double)x->data[i * D + k] - m) / (N - 1);
        total += s;
    }
    CHECK_NEAR(var[0] + var[1] + var[2], total, 1e-3 * total); /* rank 3: nothing is lost */
    CHECK_NEAR(cross, 0, 1e-4);
    CHECK(var[0] > 20 && var[0] < 31 && var[1] > 3 && var[1] < 5 && var[2] > 0.18 && var[2] < 0.33,
          "variances %g %g %g", var[0], var[1], var[2]);
    /* constant features, fewer points than dimensions, one point */
    p = sslh_pca(c, sslh_full(c, sslh_dim2(5, 7), 3), 2);
    for (i = 0; i < 10; i++) CHECK(p->data[i] == 0, "%g", (double)p->data[i]);
    p = sslh_pca(c, sslh_normal(c, sslh_dim2(3, 30), 0, 1), 5);
    for (i = 0; i < 3; i++) CHECK_NEAR(p->data[5 * i + 4], 0, 1e-4);
    p = sslh_pca(c, sslh_normal(c, sslh_dim2(1, 4), 0, 1), 2);
    CHECK(p->data[0] == 0 && p->data[1] == 0, "one point");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Four clusters in 20 dimensions stay clusters: the nearest neighbour on the map is of the same one. */
/* Squares of wide features: gigabytes are an error, also where their number is beyond size_t (32 bits). */
static void too_wide(void) {
    static const int width[4] = {266300, 23200, 11600, 16400}; /* a little more than 2^32 bytes each */
    sslh_desc cd;
    memset(&cd, 0, sizeof cd);
    cd.threads = 1;
    cd.max_bytes = 64 << 20;
    sslh_ctx *c = sslh_create(cd);
    for (int k = 0; k < 4; k++) {
        const int64_t mark = sslh_mark(c);
        sslh_tensor *x = sslh_zeros(c, sslh_dim2(2, width[k]));
        CHECK_OK(c);
        if (k == 0) sslh_pca(c, x, 1000);
        else if (k == 1) sslh_effective_rank(c, x);
        else if (k == 2) sslh_frechet(c, x, x);
        else sslh_zca_fit(c, x, 0.1f);
        CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "%d: %s", k, sslh_error(c) ? sslh_error(c) : "no error");
        sslh_clear_error(c);
        sslh_rewind(c, mark);
    }
    sslh_destroy(c);
}

static void tsne_keeps_clusters(void) {
    unsigned long long first = 0;
    int threads;
    for (threads = 1; threads <= 3; threads++) {
        sslh_ctx *c = context(threads);
        enum { N = 203, D = 20 };
        sslh_tensor *x = sslh_normal(c, sslh_dim2(N, D), 0, 1), *y;
        sslh_tsne_desc d;
        int i, j, right = 0;
        unsigned long long h;
        memset(&d, 0, sizeof d);
        d.iterations = 300;
        d.perplexity = 20;
        for (i = 0; i < N; i++) x->data[i * D + i % 4] += 8;
        y = sslh_tsne(c, x, d);
        CHECK_OK(c);
        for (i = 0; i < N; i++) {
            int best = -1;
            double best_d = 0;
            for (j = 0; j < N; j++) {
                double dx = (double)y->data[2 * i] - (double)y->data[2 * j],
                       dy = (double)y->data[2 * i + 1] - (double)y->data[2 * j + 1];
                if (j != i && (best < 0 || dx * dx + dy * dy < best_d)) best = j, best_d = dx * dx + dy * dy;
            }
            right += best % 4 == i % 4;
        }
        CHECK(right >= N - 2, "%d of %d neighbours are of the same cluster", right, N);
        h = test_hash(y->data, y->count * sizeof *y->data, 0);
        if (threads == 1) first = h;
        CHECK(h == first, "%d threads: other bits", threads);
        sslh_destroy(c);
    }
}

enum { POINTS = 120, WIDE = 10 };
/* p_ij of the definition, in double: the entropy of each row is log perplexity. */
static void tsne_p(const sslh_tensor *x, double perplexity, double p[POINTS][POINTS]) {
    static double q[POINTS][POINTS];
    for (int i = 0; i < POINTS; i++) {
        double beta = 1, low = 0, high = 0, sum = 0;
        for (int attempt = 0; attempt < 200; attempt++) {
            double entropy = 0;
            sum = 0;
            for (int j = 0; j < POINTS; j++) {
                double d = 0;
                for (int k = 0; k < WIDE; k++) {
                    const double e = (double)x->data[i * WIDE + k] - (double)x->data[j * WIDE + k];
                    d += e * e;
                }
                q[i][j] = j == i ? 0 : exp(-beta * d);
                sum += q[i][j];
                entropy += beta * d * q[i][j];
            }
            entropy = entropy / sum + log(sum) - log(perplexity);
            if (entropy > 0) low = beta, beta = high > 0 ? (beta + high) / 2 : 2 * beta;
            else high = beta, beta = (beta + low) / 2;
        }
        for (int j = 0; j < POINTS; j++) q[i][j] /= sum;
    }
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < POINTS; j++) p[i][j] = (q[i][j] + q[j][i]) / (2 * POINTS);
}
/* KL(P || Q) of a map y (POINTS,2). */
static double tsne_kl(double p[POINTS][POINTS], const double y[POINTS][2]) {
    double z = 0, kl = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < POINTS; i++)
            for (int j = 0; j < POINTS; j++) {
                const double dx = y[i][0] - y[j][0], dy = y[i][1] - y[j][1], w = 1 / (1 + dx * dx + dy * dy);
                if (i == j) continue;
                if (!pass) z += w;
                else if (p[i][j] > 1e-300) kl += p[i][j] * log(p[i][j] * z / w);
            }
    return kl;
}

/* What t-SNE minimises, computed from its definition: it falls, ends where scikit-learn ends (1.2.1, exact, start
   by PCA, perplexity 15, 1,000 steps, the same points: 0.4907 nats), up to another of the nearly equal minima, and its
   slope there is nearly zero, while on the way it is not. */
static void tsne_minimises_its_divergence(void) {
    static double p[POINTS][POINTS], y[POINTS][2];
    static const int steps[3] = {4, 200, 1000};
    sslh_ctx *c = context(1);
    sslh_tensor *x = sslh_normal(c, sslh_dim2(POINTS, WIDE), 0, 1);
    double kl[3], slope[3];
    for (int i = 0; i < POINTS; i++) x->data[i * WIDE + i % 3] += 4;
    tsne_p(x, 15, p);
    for (int run = 0; run < 3; run++) {
        sslh_tsne_desc d;
        memset(&d, 0, sizeof d);
        d.perplexity = 15, d.iterations = steps[run];
        const sslh_tensor *map = sslh_tsne(c, x, d);
        CHECK_OK(c);
        for (int i = 0; i < 2 * POINTS; i++) y[i / 2][i % 2] = (double)map->data[i];
        kl[run] = tsne_kl(p, y);
        slope[run] = 0;
        for (int i = 0; i < 2 * POINTS; i += 17) {
            double *at = &y[i / 2][i % 2], middle = *at, up, down;
            *at = middle + 1e-4, up = tsne_kl(p, y);
            *at = middle - 1e-4, down = tsne_kl(p, y);
            *at = middle;
            slope[run] = fmax(slope[run], fabs(up - down) / 2e-4);
        }
    }
    printf("   divergence %.4f, %.4f, %.4f nats; steepest slope %.1e, %.1e, %.1e\n", kl[0], kl[1], kl[2], slope[0],
           slope[1], slope[2]);
    CHECK(kl[0] > kl[1] && kl[1] > kl[2], "it falls: %.4f %.4f %.4f", kl[0], kl[1], kl[2]);
    CHECK(kl[2] < 0.4907 * 1.05, "%.4f, scikit-learn 0.4907", kl[2]);
    CHECK(slope[2] < 1e-4 && slope[1] > 1e-4, "a minimum: slope %g, before that %g", slope[2], slope[1]);
    sslh_destroy(c);
}

static void tsne_small(void) {
    sslh_ctx *c = context(1);
    sslh_tsne_desc d;
    int n;
    size_t i;
    memset(&d, 0, sizeof d);
    d.iterations = 60;
    for (n = 1; n < 20; n++) {
        sslh_tensor *y = sslh_tsne(c, sslh_normal(c, sslh_dim2(n, 1 + n % 5), 0, 1), d),
                    *z = sslh_tsne(c, sslh_full(c, sslh_dim2(n, 3), 2), d);
        CHECK_OK(c);
        for (i = 0; i < y->count; i++)
            CHECK((double)y->data[i] - (double)y->data[i] == 0 && (double)z->data[i] - (double)z->data[i] == 0,
                  "n = %d", n);
    }
    sslh_destroy(c);
}

/* Memory that fails at any place: an error, no leak. */
static void memory(void) {
    test_memory m;
    sslh_desc d;
    long at, calls = 1;
    float v[4] = {1, 2, 3, 4};
    memset(&d, 0, sizeof d);
    d.threads = 1;
    d.alloc = test_alloc;
    d.release = test_release;
    d.user = &m;
    for (at = 0; at <= calls; at++) {
        sslh_ctx *c;
        sslh_tensor *x, *x2;
        sslh_tsne_desc t;
        sslh_plot_desc words;
        const char *word = "word";
        memset(&t, 0, sizeof t), memset(&words, 0, sizeof words);
        words.words = &word;
        t.iterations = 2;
        memset(&m, 0, sizeof m);
        m.fail_at = at;
        c = sslh_create(d);
        x = sslh_normal(c, sslh_dim2(9, 4), 0, 1);
        x2 = sslh_zeros(c, sslh_dim2(1, 2));
        sslh_picture_grid(c, FILE_NAME, sslh_zeros(c, sslh_dim4(2, 2, 2, 3)), 0, 1);
        sslh_picture_curves(c, FILE_NAME, v, 1, 4, NULL, NULL);
        sslh_picture_filters(c, FILE_NAME, x, 1);
        sslh_picture_scatter(c, FILE_NAME, sslh_tsne(c, x, t), NULL, 0, NULL);
        sslh_picture_scatter_ex(c, FILE_NAME, x2, NULL, 0, words);
        if (at == 0) calls = m.calls;
        CHECK((sslh_error(c) != NULL) == (at != 0), "failure %ld: %s", at, sslh_error(c) ? sslh_error(c) : "unnoticed");
        sslh_destroy(c);
        CHECK(m.live == 0, "failure %ld: %ld blocks leak", at, m.live);
    }
    remove(FILE_NAME);
}

/* The bits of a float build, anywhere. */
static void known_bits(void) {
#if !SSLH_I_DOUBLE
    sslh_ctx *c = context(2);
    sslh_tensor *x = sslh_normal(c, sslh_dim2(203, 20), 0, 1), *p, *y;
    sslh_tsne_desc d;
    int i;
    unsigned long long h;
    memset(&d, 0, sizeof d);
    d.iterations = 100;
    for (i = 0; i < 203; i++) x->data[i * 20 + i % 4] += 8;
    p = sslh_pca(c, x, 3);
    y = sslh_tsne(c, x, d);
    h = test_hash_floats(p->data, p->count, 0);
    CHECK(h == 0xb5c90057b22ba44bull, "PCA: 0x%016llx", h);
    h = test_hash_floats(y->data, y->count, 0);
    CHECK(h == 0x45f15fc2a66d4fb5ull, "t-SNE: 0x%016llx", h);
    sslh_destroy(c);
#endif
}

TESTS_BEGIN
    TEST(grid)
    TEST(sheet)
    TEST(plots)
    TEST(filters)
    TEST(scatter)
    TEST(scatter_words)
    TEST(curves)
    TEST(ticks)
    TEST(hostile)
    TEST(pca_finds_the_axes)
    TEST(too_wide)
    TEST(tsne_keeps_clusters)
    TEST(tsne_minimises_its_divergence)
    TEST(tsne_small)
    TEST(memory)
    TEST(known_bits)
TESTS_END
