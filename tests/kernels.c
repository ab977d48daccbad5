/* The kernels of products and convolutions against their plain references, at odd sizes, in every instruction set of
   this machine and build (build/tests/kernels_c: portable C), with one and two threads: values, bits, and that a result
   does not depend on what stands beside it. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#include "harness.h"

#define MOST SSLH_I_MOST_SETS
static sslh_ctx *ctx[2 * MOST]; /* every instruction set that is here, with one thread and with two */
static int nctx;

static void make_contexts(void) {
    int i, threads;
    for (i = 0; sslh_cpu_name(i); i++)
        for (threads = 1; threads <= 2; threads++) {
            sslh_desc d;
            sslh_ctx *c;
            memset(&d, 0, sizeof d);
            d.cpu = sslh_cpu_name(i);
            d.threads = threads;
            c = sslh_create(d);
            if (sslh_error(c)) sslh_destroy(c);
            else ctx[nctx++] = c;
        }
}

static uint64_t counter;
static float *filled(size_t n) {
    float *x = (float *)malloc((n ? n : 1) * sizeof *x);
    size_t i;
    for (i = 0; i < n; i++) x[i] = 2 * sslh_random_uniform(1, 2, counter++) - 1;
    return x;
}
static float *copied(const float *x, size_t n) {
    float *y = (float *)malloc((n ? n : 1) * sizeof *y);
    memcpy(y, x, n * sizeof *y);
    return y;
}
/* Squares of all differences from ref, and of ref itself, are added to e and size. */
static void distance(const float *x, const float *ref, size_t n, double *e, double *size) {
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - (double)ref[i];
        *e += d * d;
        *size += (double)ref[i] * (double)ref[i];
    }
}
static double largest(const float *x, size_t n) {
    double m = 0;
    size_t i;
    for (i = 0; i < n; i++) m = fabs((double)x[i]) > m ? fabs((double)x[i]) : m;
    return m;
}
static double difference(const float *x, const float *y, size_t n) { /* NaN gives infinity */
    double m = 0, d;
    size_t i;
    for (i = 0; i < n; i++) {
        d = fabs((double)x[i] - (double)y[i]);
        if (!(d <= m)) m = d == d ? d : 1e30;
    }
    return m;
}

/* Results of all contexts: near the reference, and equal bits within FMA and within no FMA. */
static void compare_all(float *const *y, const float *ref, size_t n, double tolerance, const char *what) {
    const float *first[2] = {NULL, NULL};
    int i;
    for (i = 0; i < nctx; i++) {
        int fma = ctx[i]->k->fma;
        double e = difference(y[i], ref, n);
        CHECK(e <= tolerance * (1 + largest(ref, n)),
              "%s, %s, %d threads: error %g", what, ctx[i]->k->name, ctx[i]->threads, e);
        if (!first[fma]) first[fma] = y[i];
        CHECK(memcmp(first[fma], y[i], n * sizeof(float)) == 0,
              "%s, %s, %d threads: other bits", what, ctx[i]->k->name, ctx[i]->threads);
    }
}

/* Transposed panels end where they end: what stands behind them is not touched, in panels of the widths MR and NR, with
   any number of rows. */
static void panels_end(void) {
    enum { BEHIND = 32 };
    int i, width, k, j, lines;
    for (i = 0; i < nctx; i++)
        for (width = 0; width < 2; width++)
            for (lines = 1; lines <= 24; lines++) {
                const struct sslh_i_kernels *kern = ctx[i]->k;
                const int step = width ? kern->nr : kern->mr;
                const size_t n = (size_t)(step * lines);
                float *x = filled((size_t)(step * (lines + 4))), *y = (float *)malloc((n + BEHIND) * sizeof *y);
                int wrong = 0, behind = 0;
                for (k = 0; k < (int)n + BEHIND; k++) y[k] = 77;
                kern->pack_t(y, step, x, (size_t)lines + 4, step, lines);
                for (k = 0; k < lines; k++)
                    for (j = 0; j < step; j++) wrong += y[k * step + j] != x[j * (lines + 4) + k];
                for (k = 0; k < BEHIND; k++) behind += y[(int)n + k] != 77;
                CHECK(!wrong && !behind, "%s, %d rows of %d: %d wrong, %d behind them overwritten", kern->name, lines,
                      step, wrong, behind);
                free(x), free(y);
            }
}
/* The same where it is called: a gradient of filters of MR numbers each, a kept result with ReLU, whose backward pass
   uses scratch memory. Whatever is free afterwards and what is in use make up the heap. */
static void filters_end(void) {
    static const int shape[4][2] = {{2, 6}, {3, 2}, {3, 4}, {2, 3}}; /* taps, channels */
    int i, s;
    for (i = 0; i < nctx; i++)
        for (s = 0; s < 4; s++) {
            sslh_ctx *c = ctx[i];
            sslh_conv_desc d;
            sslh_tensor *x, *w, *b, *y;
            size_t j, all = 0, free_bytes = 0;
            memset(&d, 0, sizeof d);
            d.activation = SSLH_RELU;
            sslh_begin_step(c);
            x = sslh_full(c, sslh_dim3(8, 9, shape[s][1]), 1);
            w = sslh_requires_grad(sslh_full(c, sslh_dim3(8, shape[s][0], shape[s][1]), 1));
            b = sslh_requires_grad(sslh_full(c, sslh_dim1(8), 1));
            y = sslh_keep(sslh_conv1d(c, x, w, b, d));
            sslh_backward(c, sslh_sum(c, y, SSLH_ALL, 0));
            CHECK_OK(c);
            for (j = 0; j < w->count; j++) CHECK_NEAR(w->grad[j], 8 * (9 - shape[s][0] + 1), 0);
            for (j = 0; j < c->nchunks; j++) all += c->chunks[j].size - 2 * SSLH_I_ALIGN;
            for (j = 0; j < c->nranges; j++) free_bytes += c->ranges[j].size;
            CHECK(free_bytes + c->heap_used == all, "%s, %d x %d: %.0f bytes free and %.0f in use of %.0f", c->k->name,
                  shape[s][0], shape[s][1], (double)free_bytes, (double)c->heap_used, (double)all);
            sslh_begin_step(c);
        }
}
/* The number of multiply-adds does not wrap on machines of 32 bits, where it would be 0 here. */
static void many_terms(void) {
    sslh_i_gemm_args g;
    memset(&g, 0, sizeof g);
    g.m = 4096, g.n = 512, g.k = 2048;
    CHECK(sslh_i_gemm_terms(&g) == (uint64_t)1 << 32, "%.0f multiply-adds", (double)sslh_i_gemm_terms(&g));
}

static void products(void) {
    static const int shapes[][4] = {{1, 1, 1, 1}, {3, 5, 7, 1}, {13, 33, 65, 1}, {12, 32, 256, 1}, {65, 65, 64, 5},
                                    {65, 64, 65, 5}, {100, 100, 300, 1}, {97, 129, 513, 1}, {120, 200, 520, 1},
                                    {5, 1000, 300, 1}, {1000, 5, 300, 1}, {31, 27, 3000, 1}, {64, 64, 2100, 2},
                                    {1, 70, 900, 1}, {300, 48, 100, 1}, {16, 16, 16, 9}, {10, 17, 3, 1}, {4, 4, 0, 1}};
    int s, t, i;
    for (s = 0; s < (int)(sizeof shapes / sizeof shapes[0]); s++)
        for (t = 0; t < 16; t++) {
            sslh_i_gemm_args g;
            float *a, *b, *c, *ref, *bias, *y[2 * MOST];
            size_t count;
            char what[96];
            memset(&g, 0, sizeof g);
            g.m = shapes[s][0];
            g.n = shapes[s][1];
            g.k = shapes[s][2];
            g.batch = shapes[s][3];
            g.ta = t & 1;
            g.tb = t >> 1 & 1;
            g.accumulate = t >> 2 & 1;
            g.relu = t >> 3 & 1;
            g.split = s == 11 && g.accumulate;
            g.lda = (size_t)(g.ta ? g.m : g.k) + (size_t)(s % 2) * 3;
            g.ldb = (size_t)(g.tb ? g.k : g.n) + (size_t)(s % 2);
            g.ldc = (size_t)g.n + (size_t)(s % 2) * 2;
            g.stride_a = g.lda * (size_t)(g.ta ? g.k : g.m);
            g.stride_b = g.ldb * (size_t)(g.tb ? g.n : g.k);
            g.stride_c = g.ldc * (size_t)g.m;
            count = g.stride_c * (size_t)g.batch;
            a = filled(g.stride_a * (size_t)g.batch);
            b = filled(g.stride_b * (size_t)g.batch);
            c = filled(count);
            bias = filled((size_t)g.n);
            g.a = a;
            g.b = b;
            g.bias = t % 3 ? bias : NULL;
            ref = copied(c, count);
            g.c = ref;
            sslh_i_plain_product(&g, 0);
            for (i = 0; i < nctx; i++) {
                g.c = y[i] = copied(c, count);
                sslh_i_gemm(ctx[i], &g);
                if (!ctx[i]->k->fma && !g.split)
                    CHECK(memcmp(y[i], ref, count * sizeof(float)) == 0, "shape %d, %s: not the reference's bits", s,
                          ctx[i]->k->name);
            }
            sprintf(what, "(%d,%d,%d) x %d, ta %d tb %d accumulate %d relu %d", g.m, g.n, g.k, g.batch, g.ta, g.tb,
                    g.accumulate, g.relu);
            compare_all(y, ref, count, 2e-5, what);
            for (i = 0; i < nctx; i++) free(y[i]);
            free(a), free(b), free(c), free(ref), free(bias);
        }
}

/* A row of a product is the same whatever the number of rows. */
static void rows_alone_in(sslh_ctx *const *in, int count) {
    static const int shapes[][3] = {{130, 65, 300}, {40, 700, 600}, {1000, 32, 64}, {9, 9, 2000}};
    int s, i, row;
    for (s = 0; s < 4; s++)
        for (i = 0; i < count; i++) {
            sslh_i_gemm_args g;
            float *a, *b, *c, *one;
            memset(&g, 0, sizeof g);
            g.m = shapes[s][0];
            g.n = shapes[s][1];
            g.k = shapes[s][2];
            g.tb = 1;
            g.lda = g.ldb = (size_t)g.k;
            g.ldc = (size_t)g.n;
            g.a = a = filled((size_t)g.m * (size_t)g.k);
            g.b = b = filled((size_t)g.n * (size_t)g.k);
            g.c = c = filled((size_t)g.m * (size_t)g.n);
            one = filled((size_t)g.n);
            sslh_i_gemm(in[i], &g);
            g.m = 1;
            g.c = one;
            for (row = 0; row < shapes[s][0]; row += 7) {
                g.a = a + (size_t)row * (size_t)g.k;
                sslh_i_gemm(in[i], &g);
                CHECK(memcmp(one, c + (size_t)row * (size_t)g.n, (size_t)g.n * sizeof *one) == 0,
                      "shape %d, row %d, %s", s, row, in[i]->k->name);
            }
            free(a), free(b), free(c), free(one);
        }
}
static void rows_alone(void) { rows_alone_in(ctx, nctx); }

/* n h w ci co kh kw sh sw ph pw dh dw groups */
static const int convs[][14] = {
    {2, 7, 9, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1},      {3, 8, 8, 3, 32, 3, 3, 2, 2, 1, 1, 1, 1, 1},
    {2, 9, 8, 20, 37, 3, 3, 1, 1, 1, 1, 1, 1, 1},    {2, 11, 8, 18, 33, 3, 3, 2, 2, 1, 1, 1, 1, 1},
    {5, 4, 4, 33, 70, 3, 3, 1, 1, 1, 1, 1, 1, 1},    {2, 9, 11, 17, 20, 3, 5, 2, 3, 1, 2, 1, 1, 1},
    {2, 12, 12, 16, 16, 3, 3, 1, 1, 2, 2, 2, 2, 1},  {2, 13, 12, 16, 17, 3, 3, 2, 2, 2, 2, 2, 3, 1},
    {3, 6, 6, 24, 36, 3, 3, 1, 1, 1, 1, 1, 1, 2},    {3, 7, 6, 24, 24, 3, 3, 2, 2, 1, 1, 1, 1, 24},
    {2, 8, 8, 40, 48, 1, 1, 1, 1, 0, 0, 1, 1, 1},    {3, 7, 8, 40, 48, 1, 1, 2, 2, 0, 0, 1, 1, 1},
    {2, 16, 16, 3, 48, 4, 4, 4, 4, 0, 0, 1, 1, 1},   {2, 1, 200, 1, 40, 1, 10, 1, 5, 0, 3, 1, 1, 1},
    {2, 1, 60, 600, 20, 1, 4, 1, 2, 0, 1, 1, 1, 1},  {2, 1, 60, 64, 20, 1, 4, 1, 2, 0, 0, 1, 1, 1},
    {20, 9, 9, 16, 20, 3, 3, 2, 2, 1, 1, 1, 1, 1},   {2, 15, 15, 3, 64, 7, 7, 2, 2, 3, 3, 1, 1, 1},
    {1, 5, 5, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1},      {2, 5, 6, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 8},
    {70, 4, 4, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1},
    /* depthwise rows, small groups, few channels with several bands and long sums */
    {2, 11, 19, 35, 35, 5, 5, 1, 1, 2, 2, 1, 1, 35}, {2, 9, 13, 48, 48, 3, 3, 1, 1, 1, 1, 1, 1, 12},
    {2, 10, 9, 30, 60, 3, 3, 2, 2, 1, 1, 1, 1, 15},  {1, 70, 66, 3, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1},
    {1, 6, 6, 2, 600, 3, 3, 1, 1, 1, 1, 2, 2, 1},    {2, 40, 33, 9, 17, 7, 7, 3, 2, 3, 3, 1, 1, 1},
    {3, 12, 12, 1, 5, 3, 3, 1, 1, 1, 1, 1, 2, 1},    {5, 29, 31, 21, 37, 1, 1, 1, 1, 0, 0, 1, 1, 1},
    {5, 58, 61, 16, 24, 1, 1, 2, 2, 0, 0, 1, 1, 1},
    /* Winograd: paddings, odd sizes, many blocks of tiles, sums that are cut */
    {2, 13, 7, 19, 50, 3, 3, 1, 1, 2, 0, 1, 1, 1},   {2, 9, 14, 33, 17, 3, 3, 1, 1, 3, 1, 1, 1, 1},
    {3, 64, 63, 16, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1},  {1, 8, 8, 600, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1},
    {7, 17, 12, 48, 32, 3, 3, 1, 1, 0, 2, 1, 1, 1},  {2, 3, 3, 4, 8, 3, 3, 1, 1, 4, 4, 1, 1, 1},
    {2, 5, 5, 700, 40, 1, 1, 3, 3, 0, 0, 1, 1, 1},   {1, 2, 2, 5, 3, 2, 2, 3, 3, 1, 1, 1, 1, 1},
    /* depthwise: rows of 3 and 5 columns, strides, dilations, paddings wider than the filter,
       filters larger than the image */
    {3, 6, 18, 48, 48, 3, 3, 1, 1, 1, 1, 1, 1, 48},  {3, 9, 21, 20, 20, 3, 3, 2, 2, 1, 1, 1, 1, 20},
    {2, 13, 18, 33, 33, 5, 4, 2, 3, 2, 1, 1, 2, 33}, {2, 7, 5, 19, 19, 3, 5, 1, 1, 4, 4, 2, 1, 19},
    {2, 11, 20, 17, 17, 3, 3, 1, 1, 2, 2, 2, 2, 17}, {2, 3, 40, 16, 16, 7, 7, 1, 1, 3, 3, 1, 1, 16},
    {2, 5, 9, 16, 16, 3, 3, 2, 2, 4, 4, 1, 1, 16},   {17, 1, 33, 18, 18, 1, 5, 1, 2, 0, 2, 1, 1, 18},
    {2, 4, 1, 32, 32, 3, 3, 2, 2, 1, 1, 1, 1, 32},
    /* groups of 8 to 12 and 16 channels from bands: whole images, several bands, frames of zeros that are kept */
    {5, 9, 8, 32, 64, 3, 3, 2, 2, 1, 1, 1, 1, 4},    {3, 30, 29, 24, 36, 3, 3, 1, 1, 1, 1, 1, 1, 2},
    {4, 7, 9, 32, 32, 3, 5, 1, 1, 0, 3, 2, 1, 2},    {3, 25, 24, 40, 20, 3, 3, 2, 2, 1, 1, 1, 1, 5},
    /* 1 x 1 with strides that leave different rests */
    {3, 3, 2, 20, 33, 1, 1, 4, 3, 0, 0, 1, 1, 1},    {2, 10, 15, 48, 20, 1, 1, 3, 4, 0, 0, 1, 1, 1},
    /* padding that is left out: 25 parts, all outputs alike, more parts than are made, a block without taps,
       dilation */
    {14, 8, 7, 21, 34, 5, 5, 1, 1, 2, 2, 1, 1, 1},   {3, 2, 2, 20, 33, 3, 3, 2, 2, 1, 1, 1, 1, 1},
    {2, 8, 9, 17, 18, 7, 7, 1, 1, 3, 3, 1, 1, 1},    {5, 4, 4, 200, 40, 3, 3, 2, 2, 1, 1, 1, 1, 1},
    {3, 3, 3, 530, 17, 5, 3, 1, 2, 4, 1, 1, 1, 1},   {2, 9, 8, 18, 16, 3, 3, 1, 2, 3, 2, 3, 1, 1},
    /* small gradients of weights in place: uneven parts, two panels, a filter row outside, few outputs */
    {21, 17, 19, 48, 13, 3, 3, 2, 2, 1, 1, 1, 1, 1}, {2, 1, 300, 16, 20, 1, 4, 1, 2, 0, 1, 1, 1, 1},
    {3, 4, 40, 16, 21, 3, 3, 1, 2, 5, 1, 5, 1, 1},   {5, 29, 31, 21, 5, 1, 1, 1, 1, 0, 0, 1, 1, 1}};
enum { CONVS = (int)(sizeof convs / sizeof convs[0]) };

static sslh_i_conv conv_at(int i) {
    const int *v = convs[i];
    sslh_i_conv s;
    s.n = v[0], s.h = v[1], s.w = v[2], s.ci = v[3], s.co = v[4], s.kh = v[5], s.kw = v[6], s.sh = v[7], s.sw = v[8];
    s.ph = v[9], s.pw = v[10], s.dh = v[11], s.dw = v[12], s.groups = v[13];
    s.oh = (s.h + 2 * s.ph - s.dh * (s.kh - 1) - 1) / s.sh + 1;
    s.ow = (s.w + 2 * s.pw - s.dw * (s.kw - 1) - 1) / s.sw + 1;
    return s;
}

static void convolutions(void) {
    int q, which, accumulate, i;
    for (q = 0; q < CONVS; q++) {
        const sslh_i_conv s = conv_at(q);
        const size_t nx = (size_t)(s.n * s.h * s.w * s.ci), ny = (size_t)(s.n * s.oh * s.ow * s.co);
        const size_t nw = (size_t)(s.co * s.kh * s.kw * (s.ci / s.groups));
        for (accumulate = 0; accumulate < 2; accumulate++)
            for (which = SSLH_I_CONV_FORWARD; which <= SSLH_I_CONV_WEIGHT; which++) {
                float *x = filled(nx), *y = filled(ny), *w = filled(nw), *all[2 * MOST];
                float *target = which == SSLH_I_CONV_FORWARD ? y : which == SSLH_I_CONV_DATA ? x : w;
                const size_t n = target == y ? ny : target == x ? nx : nw;
                float *old = copied(target, n), *ref;
                char what[96];
                if (!accumulate) memset(target, 0, n * sizeof *target);
                sslh_i_plain_conv(&s, which, x, w, y, 0);
                ref = copied(target, n);
                for (i = 0; i < nctx; i++) {
                    size_t j;
                    memcpy(target, old, n * sizeof *target);
                    for (j = 0; !accumulate && j < n; j++) target[j] = SSLH_I_NAN; /* must be overwritten, not read */
                    if (target == y) sslh_i_conv_forward(ctx[i], &s, x, w, sslh_i_epilogue_of(NULL, 0, accumulate), y);
                    else if (target == x) sslh_i_conv_backward_data(ctx[i], &s, y, w, x, accumulate);
                    else sslh_i_conv_backward_weight(ctx[i], &s, x, y, w, accumulate);
                    all[i] = copied(target, n);
                }
                sprintf(what, "convolution %d, pass %d, accumulate %d", q, which, accumulate);
                compare_all(all, ref, n, 1e-5, what);
                for (i = 0; i < nctx; i++) free(all[i]);
                free(x), free(y), free(w), free(old), free(ref);
            }
    }
}

/* Rounding errors of 3x3 convolutions, root mean square over root mean square of the sums in double, with Winograd's
   filtering and without: the bounds of the manual, section 9. */
static void winograd_errors(void) {
    static const int shapes[][5] = {{2, 32, 30, 64, 64}, {2, 15, 17, 128, 96}, {2, 8, 8, 256, 256}, {3, 4, 4, 512, 300},
                                    {3, 13, 7, 19, 50}}; /* n h w ci co */
    int q, which, plain, i;
    for (q = test_small() ? 4 : 0; q < 5; q++) {
        const int *v = shapes[q];
        sslh_i_conv s = {0, 0, 0, 0, 0, 3, 3, 0, 0, 1, 1, 1, 1, 1, 1, 1};
        size_t nx, ny, nw, j;
        float *x, *y, *w;
        double *sum;
        s.n = v[0], s.h = s.oh = v[1], s.w = s.ow = v[2], s.ci = v[3], s.co = v[4];
        nx = (size_t)(s.n * s.h * s.w * s.ci), ny = (size_t)(s.n * s.h * s.w * s.co), nw = (size_t)(s.co * 9 * s.ci);
        x = filled(nx), y = filled(ny), w = filled(nw);
        sum = (double *)malloc((nx + ny + nw) * sizeof *sum);
        for (which = SSLH_I_CONV_FORWARD; which <= SSLH_I_CONV_WEIGHT; which++) {
            const size_t count = which == SSLH_I_CONV_FORWARD ? ny : which == SSLH_I_CONV_DATA ? nx : nw;
            float *to = (float *)malloc(count * sizeof *to);
            double error[2], size = 0;
            int n, h, k, o, a, b, c;
            memset(sum, 0, count * sizeof *sum);
            for (n = 0; n < s.n; n++)
                for (h = 0; h < s.h; h++)
                    for (k = 0; k < s.w; k++)
                        for (a = 0; a < 3; a++)
                            for (b = 0; b < 3; b++) {
                                const int r = h + a - 1, p = k + b - 1;
                                const size_t px = (size_t)(((n * s.h + r) * s.w + p) * s.ci),
                                             py = (size_t)(((n * s.h + h) * s.w + k) * s.co);
                                if (r < 0 || r >= s.h || p < 0 || p >= s.w) continue;
                                for (o = 0; o < s.co; o++) {
                                    const size_t pw = (size_t)((o * 9 + a * 3 + b) * s.ci), oy = py + (size_t)o;
                                    double t = 0;
                                    if (which == SSLH_I_CONV_FORWARD) {
                                        for (c = 0; c < s.ci; c++)
                                            t += (double)x[px + (size_t)c] * (double)w[pw + (size_t)c];
                                        sum[oy] += t;
                                    } else if (which == SSLH_I_CONV_DATA) {
                                        for (c = 0; c < s.ci; c++)
                                            sum[px + (size_t)c] += (double)y[oy] * (double)w[pw + (size_t)c];
                                    } else {
                                        for (c = 0; c < s.ci; c++)
                                            sum[pw + (size_t)c] += (double)y[oy] * (double)x[px + (size_t)c];
                                    }
                                }
                            }
            for (j = 0; j < count; j++) size += sum[j] * sum[j];
            for (i = 0; i < nctx; i += 2) {
                for (plain = 0; plain < 2; plain++) {
                    ctx[i]->desc.no_winograd = plain;
                    if (which == SSLH_I_CONV_FORWARD)
                        sslh_i_conv_forward(ctx[i], &s, x, w, sslh_i_epilogue_of(NULL, 0, 0), to);
                    else if (which == SSLH_I_CONV_DATA) sslh_i_conv_backward_data(ctx[i], &s, y, w, to, 0);
                    else sslh_i_conv_backward_weight(ctx[i], &s, x, y, to, 0);
                    for (error[plain] = 0, j = 0; j < count; j++)
                        error[plain] += ((double)to[j] - sum[j]) * ((double)to[j] - sum[j]);
                    error[plain] = sqrt(error[plain] / size);
                }
                ctx[i]->desc.no_winograd = 0;
                CHECK(error[0] < 2e-6,
                      "Winograd, shape %d, pass %d, %s: error %g", q, which, ctx[i]->k->name, error[0]);
                CHECK(error[1] < 1e-6, "direct, shape %d, pass %d, %s: error %g", q, which, ctx[i]->k->name, error[1]);
                if (i == nctx - 2)
                    printf("   convolution %d to %d channels, pass %d: error %.2g, without Winograd %.2g\n", s.ci, s.co,
                           which, error[0], error[1]);
            }
            free(to);
        }
        free(x), free(y), free(w), free(sum);
    }
}

/* An image alone gives the bits it gives in a batch. */
static void images_alone_in(sslh_ctx *const *in, int count) {
    int q, i;
    for (q = 0; q < CONVS; q++) {
        const sslh_i_conv s = conv_at(q);
        sslh_i_conv one = s;
        const size_t x1 = (size_t)(s.h * s.w * s.ci), y1 = (size_t)(s.oh * s.ow * s.co), last = (size_t)(s.n - 1);
        float *x = filled(x1 * (size_t)s.n), *y = filled(y1 * (size_t)s.n),
              *w = filled((size_t)(s.co * s.kh * s.kw * (s.ci / s.groups)));
        float *alone = filled(y1), *bias = filled((size_t)s.co);
        one.n = 1;
        for (i = 0; i < count; i++) {
            sslh_i_conv_forward(in[i], &s, x, w, sslh_i_epilogue_of(bias, 1, 0), y);
            sslh_i_conv_forward(in[i], &one, x + x1 * last, w, sslh_i_epilogue_of(bias, 1, 0), alone);
            CHECK(memcmp(alone, y + y1 * last, y1 * sizeof *y) == 0, "convolution %d, %s", q, in[i]->k->name);
        }
        free(x), free(y), free(w), free(alone), free(bias);
    }
}
static void images_alone(void) { images_alone_in(ctx, nctx); }

/* --- bfloat16: contexts with .bfloat16 = 1, and AVX-512's emulation beside its instruction --- */
static sslh_ctx *half[2 * MOST + 2];
static int nhalf;

static sslh_ctx *half_context(const char *cpu, int threads) {
    sslh_desc d;
    sslh_ctx *c;
    memset(&d, 0, sizeof d);
    d.cpu = cpu;
    d.threads = threads;
    d.bfloat16 = 1;
    c = sslh_create(d);
    if (!sslh_error(c)) return half[nhalf++] = c;
    sslh_destroy(c);
    return NULL;
}
static void half_emulate(sslh_ctx *c) {
    c->pairs->tile_rows = c->k->emulated.rows;
    c->pairs->tile_runs = c->k->emulated.runs;
    c->pairs->native = c->k->emulated;
}
static void bfloat16_contexts(void) {
    int i, threads;
    for (i = 0; sslh_cpu_name(i); i++)
        for (threads = 1; threads <= 2; threads++) {
            sslh_ctx *c = half_context(sslh_cpu_name(i), threads);
            if (!c || c->pairs->tile_rows == c->k->emulated.rows) continue;
            CHECK(sslh_query(c).bfloat16 >= 1, "native");
            half_emulate(half_context(sslh_cpu_name(i), threads));
        }
    CHECK(nhalf >= 2 && sslh_query(half[0]).bfloat16 == 0, "emulated by the plainest instruction set");
    /* the answer is the same before .bfloat16 is switched on, and 0 without the instruction */
    for (i = 0; i < nctx; i++) {
        sslh_ctx *c = half_context(sslh_query(ctx[i]).cpu, 1);
        int gain = sslh_query(ctx[i]).bfloat16, native = c && c->pairs->tile_rows != c->k->emulated.rows;
        CHECK(c && gain == sslh_query(c).bfloat16 && (gain != 0) == native,
              "%s: gain %d, native %d", sslh_query(ctx[i]).cpu, gain, native);
        if (c) nhalf--, sslh_destroy(c);
    }
}
/* Bits that are anything: subnormal, infinite, NaN, and products around the smallest normal number. */
static float *wild(size_t n, int kind) {
    float *x = (float *)malloc(n * sizeof *x);
    size_t i;
    for (i = 0; i < n; i++) {
        uint32_t u = sslh_random_u32(3, 4, counter++);
        if (kind == 1) u = (u & 0x83ffffffu) | 0x1e000000u; /* 2^-67 .. 2^-60: products around 2^-127 */
        if (kind == 2) u = (u & 0x80ffffffu) | 0x3f000000u; /* around 1, sums that cancel */
        if (kind == 3 && u % 64 == 0) u = u % 128 ? 0x7f800000u | (u & 0x80000000u) : 0x7fa00001u;
        if (kind == 3 && u % 64 == 1) u &= 0x807fffffu;
        x[i] = sslh_i_of_bits(u);
    }
    return x;
}
static int same_or_nan(const float *x, const float *y, size_t n) {
    size_t i;
    for (i = 0; i < n; i++)
        if (sslh_i_bits_of(x[i]) != sslh_i_bits_of(y[i]) && (x[i] == x[i] || y[i] == y[i])) return 0;
    return 1;
}
static void bfloat16_rounding(void) {
    int kind, i;
    CHECK(sslh_i_bfloat16(1.00390625f) == 0x3f80 && sslh_i_bfloat16(1.01171875f) == 0x3f82, "ties to even");
    CHECK(sslh_i_bfloat16(3.4e38f) == 0x7f80 && sslh_i_bfloat16(-1e-40f) == 0x8000, "ends of the range");
    for (kind = 0; kind < 4; kind++)
        for (i = 0; i < nhalf; i++) {
            enum { N = 1017 };
            float *x = wild(2 * N, kind), y[N + 1], z[N + 1];
            sslh_i_pairs_along(x, 2 * N - 1, y);
            half[i]->pairs->native.along(x, 2 * N - 1, z);
            CHECK(memcmp(y, z, N * sizeof *y) == 0, "pairs along rows, kind %d, %s", kind, half[i]->k->name);
            sslh_i_pairs_down(x, x + N, N, y);
            half[i]->pairs->native.down(x, x + N, N, z);
            CHECK(memcmp(y, z, N * sizeof *y) == 0, "pairs of rows, kind %d, %s", kind, half[i]->k->name);
            sslh_i_pairs_down(x, NULL, N, y);
            half[i]->pairs->native.down(x, NULL, N, z);
            CHECK(memcmp(y, z, N * sizeof *y) == 0, "pairs with zeros, kind %d, %s", kind, half[i]->k->name);
            free(x);
        }
}
/* Whether subnormal results can be flushed to zero, which emulation by multiply-add needs:
   every processor that has it can, valgrind cannot. */
static int flushes(void) {
#if (defined(__x86_64__) || defined(__i386__)) && SSLH_I_SIMD
    const unsigned csr = _mm_getcsr();
    volatile float x = 1.2e-38f;
    _mm_setcsr(csr | 0x8040u);
    x = x * 0.5f;
    _mm_setcsr(csr);
    return x == 0;
#else
    return 1;
#endif
}
static float rounded(float x) { return sslh_i_of_bits(sslh_i_bfloat16(x) << 16); }
/* Products by the definition (B1), pairs in blocks of SSLH_I_KC: every context gives these bits. */
static void bfloat16_products(void) {
    static const int shapes[][4] = {{3, 64, 33, 1}, {1, 64, 64, 1}, {13, 33, 65, 1}, {65, 65, 64, 3}, {50, 100, 301, 1},
                                    {30, 48, 1100, 1}, {100, 70, 35, 1}};
    const int flushed = flushes();
    int s, t, i, j, k, r;
    if (!flushed) printf("note: no flush-to-zero here (valgrind): subnormal products in bfloat16 not compared "
                         "where they need it\n");
    for (s = 0; s < (test_small() ? 3 : (int)(sizeof shapes / sizeof shapes[0])); s++)
        for (t = 0; t < 16; t++) {
            sslh_i_gemm_args g;
            float *a, *b, *c, *ref, *bias;
            size_t count;
            int p;
            memset(&g, 0, sizeof g);
            g.m = shapes[s][0], g.n = shapes[s][1], g.k = shapes[s][2], g.batch = shapes[s][3];
            g.ta = t & 1, g.tb = t >> 1 & 1, g.accumulate = t >> 2 & 1, g.relu = s % 2;
            g.lda = (size_t)(g.ta ? g.m : g.k) + (size_t)(s % 2) * 3;
            g.ldb = (size_t)(g.tb ? g.k : g.n) + (size_t)(s % 2);
            g.ldc = (size_t)g.n + (size_t)(s % 2) * 2;
            g.stride_a = g.lda * (size_t)(g.ta ? g.k : g.m);
            g.stride_b = g.ldb * (size_t)(g.tb ? g.n : g.k);
            g.stride_c = g.ldc * (size_t)g.m;
            count = g.stride_c * (size_t)g.batch;
            a = t < 8 ? filled(g.stride_a * (size_t)g.batch) : wild(g.stride_a * (size_t)g.batch, t % 4);
            b = t < 8 ? filled(g.stride_b * (size_t)g.batch) : wild(g.stride_b * (size_t)g.batch, t % 4);
            c = filled(count);
            bias = filled((size_t)g.n);
            ref = copied(c, count);
            for (p = 0; p < g.batch; p++)
                for (i = 0; i < g.m; i++)
                    for (j = 0; j < g.n; j++) {
                        const float *pa = a + (size_t)p * g.stride_a, *pb = b + (size_t)p * g.stride_b;
                        float *to = ref + (size_t)p * g.stride_c + (size_t)i * g.ldc + (size_t)j, y = *to;
                        for (k = 0; k < g.k; k += 2 * SSLH_I_KC) {
                            float sum = 0;
                            for (r = 0; r < SSLH_I_KC && k + 2 * r < g.k; r++) {
                                int q, h;
                                for (h = 1; h >= 0; h--) { /* the second of the pair first */
                                    size_t at_a, at_b;
                                    q = k + 2 * r + h;
                                    at_a = g.ta ? (size_t)q * g.lda + (size_t)i : (size_t)i * g.lda + (size_t)q;
                                    at_b = g.tb ? (size_t)j * g.ldb + (size_t)q : (size_t)q * g.ldb + (size_t)j;
                                    sum = sslh_i_bfloat16_madd(q < g.k ? rounded(pa[at_a]) : 0,
                                                               q < g.k ? rounded(pb[at_b]) : 0, sum);
                                }
                            }
                            y = k || g.accumulate ? y + sum : sum;
                        }
                        if (t % 3) y = y + bias[j];
                        *to = g.relu && 0 > y ? 0 : y;
                    }
            g.a = a, g.b = b, g.bias = t % 3 ? bias : NULL;
            for (i = 0; i < nhalf; i++) {
                float *y;
                if (!flushed && t >= 8 && t % 4 == 1 && half[i]->k->fma &&
                    half[i]->pairs->tile_rows == half[i]->k->emulated.rows)
                    continue;
                y = g.c = copied(c, count);
                sslh_i_gemm(half[i], &g);
                CHECK(same_or_nan(y, ref, count),
                      "(%d,%d,%d) x %d, case %d, %s, %d threads%s: not the reference's bits", g.m, g.n, g.k, g.batch, t,
                      half[i]->k->name, half[i]->threads,
                      half[i]->pairs->tile_rows == half[i]->k->emulated.rows ? ", emulated" : "");
                free(y);
            }
            free(a), free(b), free(c), free(ref), free(bias);
        }
}
/* Every pass gives the same bits in all contexts; root mean square error over that of the sums in float: 3e-3. */
static void bfloat16_convolutions(void) {
    static const int which_convs[] = {3, 5, 6, 7, 10, 11, 16, 28, 33, 2, 36, 59};
    int q, which, i;
    for (q = 0; q < (int)(sizeof which_convs / sizeof which_convs[0]); q++) {
        const sslh_i_conv s = conv_at(which_convs[q]);
        const size_t nx = (size_t)(s.n * s.h * s.w * s.ci), ny = (size_t)(s.n * s.oh * s.ow * s.co),
                     nw = (size_t)(s.co * s.kh * s.kw * s.ci);
        if (test_small() && q > 3) break;
        float *x = filled(nx), *y = filled(ny), *w = filled(nw), *bias = filled((size_t)s.co);
        for (which = SSLH_I_CONV_FORWARD; which <= SSLH_I_CONV_WEIGHT; which++) {
            const size_t n = which == SSLH_I_CONV_FORWARD ? ny : which == SSLH_I_CONV_DATA ? nx : nw;
            float *ref = NULL;
            for (i = -1; i < nhalf; i++) { /* first in float */
                sslh_ctx *c = i < 0 ? ctx[0] : half[i];
                float *to = filled(n);
                double e = 0, size = 0;
                if (which == SSLH_I_CONV_FORWARD) sslh_i_conv_forward(c, &s, x, w, sslh_i_epilogue_of(bias, 0, 0), to);
                else if (which == SSLH_I_CONV_DATA) sslh_i_conv_backward_data(c, &s, y, w, to, 0);
                else sslh_i_conv_backward_weight(c, &s, x, y, to, 0);
                if (ref) distance(to, ref, n, &e, &size);
                if (i == 0)
                    CHECK(e <= 9e-6 * size, "convolution %d, pass %d: error %g", which_convs[q], which, sqrt(e / size));
                if (i == 0) free(ref), ref = NULL;
                if (i > 0 && sslh_i_conv_fits_pairs(c, &s, which)) {
                    CHECK(memcmp(ref, to, n * sizeof *to) == 0,
                          "convolution %d, pass %d, %s, %d threads: other bits", which_convs[q], which, c->k->name,
                          c->threads);
                }
                if (!ref) ref = to;
                else free(to);
            }
            free(ref);
        }
        free(x), free(y), free(w), free(bias);
    }
}
static void bfloat16_alone(void) { /* the fast ones; the others have the same bits */
    int i = nhalf - 1;
    while (i > 0 && !half[i]->k->fma) i--;
    rows_alone_in(half + i, 1);
    images_alone_in(half + i, 1);
}
/* Attention, forward and gradient: near float, and the same bits within FMA and within no FMA. */
static void bfloat16_attention(void) {
    /* N T d causal; two heads */
    static const int shapes[][4] = {{2, 65, 64, 0}, {1, 51, 66, 0}, {1, 64, 35, 1}, {2, 101, 32, 1}};
    int q, i;
    for (q = 0; q < (test_small() ? 2 : 4); q++) {
        const int N = shapes[q][0], T = shapes[q][1], D = 2 * shapes[q][2];
        const size_t n = (size_t)(N * T * D);
        float *x = filled(3 * n), *weight = filled(n), *y[2] = {NULL, NULL}, *ref[2] = {NULL, NULL};
        for (i = -1; i < nhalf; i++) {
            sslh_ctx *c = i < 0 ? ctx[nctx - 1] : half[i];
            const int fma = c->k->fma;
            sslh_attention_desc d;
            sslh_tensor *in, *out;
            double e = 0, size = 0;
            float *all = (float *)malloc(4 * n * sizeof *all);
            memset(&d, 0, sizeof d);
            d.heads = 2;
            d.causal = shapes[q][3];
            sslh_begin_step(c);
            in = sslh_requires_grad(sslh_from(c, sslh_dim3(N, T, 3 * D), x));
            out = sslh_keep(sslh_self_attention(c, in, d));
            sslh_backward(c, sslh_sum(c, sslh_mul(c, out, sslh_from(c, sslh_dim3(N, T, D), weight)), SSLH_ALL, 0));
            memcpy(all, out->data, n * sizeof *all);
            memcpy(all + n, in->grad, 3 * n * sizeof *all);
            CHECK_OK(c);
            if (i < 0) ref[0] = copied(all, 4 * n);
            distance(all, ref[0], 4 * n, &e, &size);
            if (i >= 0) CHECK(e > 0 && e < 1e-4 * size, "attention %d, %s: error %g", q, c->k->name, sqrt(e / size));
            if (i >= 0 && !y[fma]) y[fma] = copied(all, 4 * n);
            if (i >= 0)
                CHECK(memcmp(y[fma], all, 4 * n * sizeof *all) == 0,
                      "attention %d, %s, %d threads: other bits", q, c->k->name, c->threads);
            free(all);
        }
        free(x), free(weight), free(y[0]), free(y[1]), free(ref[0]);
    }
}
/* Two steps of training a convolutional and a transformer encoder: the same parameters in all contexts with FMA. */
static void bfloat16_training(void) {
    float *first = NULL;
    size_t count = 0;
    int i, step;
    for (i = 0; i < nhalf; i++) {
        sslh_ctx *c = half[i];
        sslh_convnet_desc cd;
        sslh_vit_desc vd;
        sslh_optimizer_desc od;
        sslh_net *net[2];
        sslh_optimizer *o;
        const int64_t mark = sslh_mark(c);
        float *all;
        int k, j, n = 0;
        CHECK(sslh_bits_ok(c), "%s: the known hash, which is of float", c->k->name);
        if (!c->k->fma || test_small()) continue;
        memset(&cd, 0, sizeof cd);
        memset(&vd, 0, sizeof vd);
        memset(&od, 0, sizeof od);
        vd.image = 32;
        vd.patch = 4;
        vd.width = 64;
        vd.depth = 1;
        vd.heads = 2;
        net[0] = sslh_convnet(c, cd);
        net[1] = sslh_vit(c, vd);
        od.kind = SSLH_SGD;
        o = sslh_optimizer_new(c, od);
        sslh_optimizer_add(o, net[0]);
        sslh_optimizer_add(o, net[1]);
        for (step = 0; step < 2; step++) {
            sslh_tensor *x, *a, *b;
            float *pixels = (float *)malloc(4 * 32 * 32 * 3 * sizeof *pixels);
            for (j = 0; j < 4 * 32 * 32 * 3; j++) pixels[j] = sslh_random_normal(9, (uint64_t)step, (uint64_t)j);
            sslh_begin_step(c);
            x = sslh_from(c, sslh_dim4(4, 32, 32, 3), pixels);
            a = sslh_l2_normalize(c, sslh_forward(net[0], x), 0);
            b = sslh_l2_normalize(c, sslh_forward(net[1], x), 0);
            sslh_backward(c, sslh_add(c, sslh_mean(c, sslh_square(c, sslh_matmul_ex(c, a, a, 0, 1)), SSLH_ALL, 0),
                                      sslh_mean(c, sslh_square(c, sslh_matmul_ex(c, b, b, 0, 1)), SSLH_ALL, 0)));
            sslh_optimizer_step(o, 0.1f);
            free(pixels);
        }
        CHECK_OK(c);
        all = (float *)calloc(2000000, sizeof *all);
        for (k = 0; k < 2; k++)
            for (j = 0; j < sslh_count_tensors(net[k]); j++) {
                const sslh_tensor *t = sslh_tensor_at(net[k], j, NULL, 0, NULL);
                if (!t->data) continue; /* a counter */
                if (n + (int)t->count > 2000000) break;
                memcpy(all + n, t->data, t->count * sizeof *all);
                n += (int)t->count;
            }
        if (!first) first = copied(all, count = (size_t)n);
        CHECK((size_t)n == count && count > 100000 && memcmp(first, all, count * sizeof *all) == 0,
              "%s, %d threads: other parameters", c->k->name, c->threads);
        free(all);
        sslh_begin_step(c);
        sslh_rewind(c, mark);
    }
    free(first);
}
/* An operation in which .bfloat16 rounds, and the gradients of its two inputs (rows,64), one after the other. */
static size_t half_operation(sslh_ctx *c, int kind, float *all) {
    const int rows = 48;
    sslh_tensor *x[2], *y = NULL;
    sslh_attention_desc at;
    sslh_conv_desc cd;
    size_t n = 0, i;
    int k;
    memset(&at, 0, sizeof at), memset(&cd, 0, sizeof cd);
    at.heads = 1, cd.stride = 2, cd.pad = 1;
    sslh_begin_step(c);
    for (k = 0; k < 2; k++) {
        x[k] = sslh_zeros(c, sslh_dim2(rows, 64));
        for (i = 0; i < x[k]->count; i++) x[k]->data[i] = sslh_random_normal(8, (uint64_t)k, i);
        x[k] = sslh_requires_grad(x[k]);
    }
    sslh_tensor *three[2];
    for (k = 0; k < 2; k++) three[k] = sslh_reshape(c, x[k], sslh_dim3(1, rows, 64));
    if (kind == 0) y = sslh_matmul_ex(c, x[0], x[1], 0, 1);
    if (kind == 1) y = sslh_matmul_ex(c, x[0], x[1], 1, 0);
    if (kind == 2) /* 4 images of 3 x 4 x 64, 48 filters of 1 x 1 */
        y = sslh_conv2d(c, sslh_reshape(c, x[0], sslh_dim4(4, 3, 4, 64)),
                        sslh_reshape(c, x[1], sslh_dim4(rows, 1, 1, 64)), NULL, cd);
    if (kind == 3) y = sslh_attention(c, three[0], three[1], three[1], at);
    if (kind == 4) y = sslh_nt_xent(c, x[0], x[1], 0.5f);
    if (kind == 5) y = sslh_info_nce(c, sslh_l2_normalize(c, x[0], 0), sslh_l2_normalize(c, x[1], 0), NULL, 0.2f);
    sslh_keep(y);
    sslh_backward(c, sslh_mean(c, sslh_square(c, y), SSLH_ALL, 0));
    CHECK_OK(c);
    memcpy(all, y->data, y->count * sizeof *all);
    n = y->count;
    for (k = 0; k < 2; k++, n += 64 * (size_t)rows) memcpy(all + n, x[k]->grad, 64 * (size_t)rows * sizeof *all);
    return n;
}
/* The plain versions round the same operands: they are nearer to the kernels than float is. A sum that is itself
   rounded, of attention and the losses, may fall to the other side. */
static void bfloat16_plain(void) {
    static const char *const name[6] = {"a b'", "a' b", "convolution", "attention", "NT-Xent", "InfoNCE"};
    sslh_desc d;
    sslh_ctx *plain;
    int kind;
    memset(&d, 0, sizeof d);
    d.bfloat16 = d.plain = 1;
    plain = sslh_create(d);
    CHECK_OK(plain);
    for (kind = 0; kind < 6; kind++) {
        float *all[3];
        double near_by = 0, far_off = 0, size = 0, other = 0;
        size_t n = 0;
        int i;
        for (i = 0; i < 3; i++) {
            all[i] = (float *)malloc(20000 * sizeof **all);
            n = half_operation(i == 0 ? half[nhalf - 1] : i == 1 ? plain : ctx[nctx - 1], kind, all[i]);
        }
        distance(all[1], all[0], n, &near_by, &size);
        distance(all[2], all[0], n, &far_off, &other);
        near_by = sqrt(near_by / size), far_off = sqrt(far_off / size);
        CHECK(near_by < (kind < 3 ? 1e-3 : 0.3) * far_off && far_off > 1e-4,
              "%s: plainly within %.2g, in float within %.2g", name[kind], near_by, far_off);
        for (i = 0; i < 3; i++) free(all[i]);
    }
    sslh_destroy(plain);
}
/* Operations through the public functions: gradients stay near those in float, losses finite. */
static void bfloat16_operations(void) {
    int i, j;
    float *grad[2] = {NULL, NULL};
    sslh_ctx *both[2];
    const size_t nw = 48 * 40;
    both[0] = ctx[nctx - 1];
    both[1] = half[nhalf - 1];
    for (i = 0; i < 2; i++) {
        sslh_ctx *c = both[i];
        float *x = (float *)malloc(60 * 40 * sizeof *x), *w = (float *)malloc(nw * sizeof *w);
        int32_t labels[60];
        sslh_tensor *tx, *tw, *loss;
        for (j = 0; j < 60 * 40; j++) x[j] = sslh_random_normal(5, 1, (uint64_t)j);
        for (j = 0; j < (int)nw; j++) w[j] = 0.2f * sslh_random_normal(5, 2, (uint64_t)j);
        for (j = 0; j < 60; j++) labels[j] = j % 48;
        sslh_begin_step(c);
        tx = sslh_from(c, sslh_dim2(60, 40), x);
        tw = sslh_requires_grad(sslh_from(c, sslh_dim2(48, 40), w));
        loss = sslh_cross_entropy(c, sslh_linear(c, tx, tw, NULL), sslh_from_ints(c, sslh_dim1(60), labels));
        CHECK(sslh_item(loss) > 2 && sslh_item(loss) < 10, "loss %g", (double)sslh_item(loss));
        sslh_backward(c, loss);
        CHECK_OK(c);
        grad[i] = copied(tw->grad, nw);
        free(x), free(w);
    }
    double e = 0, size = 0;
    distance(grad[1], grad[0], nw, &e, &size);
    CHECK(e > 0 && e < 1e-4 * size, "gradient: error %g", sqrt(e / size));
    free(grad[0]), free(grad[1]);
    for (i = 0; i < nhalf; i++) {
        CHECK_OK(half[i]);
        sslh_destroy(half[i]);
    }
}

/* Against double libm, in units in the last place. */
static double ulps(float got, double want) {
    double size = fabs(want) > 1.2e-38 ? fabs(want) * 1.1920929e-7 : 1.4e-45;
    return fabs((double)got - want) / size;
}
static void elementary(void) {
    int i;
    double e[6] = {0};
    for (i = 0; i <= 100000; i++) {
        const double u = i / 100000.0;
        float x;
#define WORST(k, value) e[k] = (value) > e[k] ? (value) : e[k]
        x = (float)(-87 + 175 * u), WORST(0, ulps(sslh_i_exp(x), exp((double)x)));
        x = (float)(1e-6 + 100 * u), WORST(1, ulps(sslh_i_log(x), log((double)x)));
        x = (float)(-10 + 20 * u), WORST(2, ulps(sslh_i_tanh(x), tanh((double)x)));
        x = (float)(-1e4 + 2e4 * u), WORST(3, fabs((double)sslh_i_sin(x) - sin((double)x)) * 1e7);
        WORST(4, fabs((double)sslh_i_cos(x) - cos((double)x)) * 1e7);
        x = (float)(0.01 + 5 * u), WORST(5, ulps(sslh_i_pow(x, 3.7f), pow((double)x, (double)3.7f)));
    }
    for (i = 0; i < 6; i++) CHECK(e[i] < 3, "function %d: %g", i, e[i]);
    CHECK(sslh_i_exp(1000) == SSLH_I_INF && sslh_i_exp(-1000) == 0, "exp at the ends");
    CHECK(sslh_i_log(0) == -SSLH_I_INF && sslh_i_log(-1) != sslh_i_log(-1), "log at the ends");
    CHECK(sslh_i_tanh(50) == 1 && sslh_i_tanh(-50) == -1, "saturation");
    CHECK(sslh_i_pow(-2, 3) == -8 && sslh_i_pow(0, 2) == 0 && sslh_i_pow(5, 0) == 1, "pow");
    CHECK(sslh_i_exp(SSLH_I_NAN) != sslh_i_exp(SSLH_I_NAN) && sslh_i_tanh(SSLH_I_NAN) != sslh_i_tanh(SSLH_I_NAN),
          "NaN stays");
}

/* The elementary functions of the kernels over the floats (every 1009th, every 7th in the long run), against double
   libm, in units in the last place; gelu, whose relative error grows where it vanishes, in 1e-7 |x|. */
static double gelu(double x) { return 0.5 * x * erfc(-x * 0.70710678118654752440); }
static void all_floats(void) {
    enum { BLOCK = 4096 };
    static const struct { const char *name; int op; double (*exact)(double), bound; } f[] = {
        {"exp", SSLH_I_U_EXP, exp, 1},      {"log", SSLH_I_U_LOG, log, 1},   {"tanh", SSLH_I_U_TANH, tanh, 1.5},
        {"gelu (erf)", SSLH_I_U_GELU, gelu, 2.5}, {"sin", SSLH_I_U_SIN, sin, 0.51}, {"cos", SSLH_I_U_COS, cos, 0.51}};
    static float x[BLOCK], y[BLOCK];
    const char *all = getenv("SSLH_TEST_LONG");
    const uint64_t step = test_small() ? 100003 : all && *all == '1' ? 7 : 1009;
    const double angles = test_largest_angle();
    for (int k = 0; k < (int)(sizeof f / sizeof *f); k++) {
        double worst = 0;
        float at = 0;
        for (uint64_t first = 0; first < (uint64_t)1 << 32; first += BLOCK * step) {
            for (int i = 0; i < BLOCK; i++) {
                x[i] = sslh_i_of_bits((uint32_t)(first + (uint64_t)i * step));
                if ((f[k].op == SSLH_I_U_SIN || f[k].op == SSLH_I_U_COS) && fabs((double)x[i]) > angles) x[i] = 0;
            }
            ctx[nctx - 1]->k->unary(f[k].op, x, y, BLOCK, 0, 0);
            for (int i = 0; i < BLOCK; i++) {
                const double want = f[k].exact((double)x[i]);
                const float rounded = (float)want;
                double e;
                /* NaN and Inf: as they are */
                if (rounded - rounded != 0) e = rounded != rounded ? y[i] == y[i] : y[i] != rounded;
                else if (f[k].op == SSLH_I_U_GELU) e = fabs((double)y[i] - want) / (1e-7 * fabs((double)x[i]) + 1e-44);
                else e = ulps(y[i], want);
                if (e != e) e = 1e9; /* a NaN where there is none */
                if (e > worst) worst = e, at = x[i];
            }
        }
        printf("note: %s within %.2f %s (at %.9g)\n", f[k].name, worst, f[k].op == SSLH_I_U_GELU ? "e-7 |x|" : "ulp",
               (double)at);
        CHECK(worst < f[k].bound, "%s(%.9g): %g", f[k].name, (double)at, worst);
    }
}

static void end(void) {
    int i;
    for (i = 0; i < nctx; i++) {
        CHECK_OK(ctx[i]);
        sslh_destroy(ctx[i]);
    }
}

TESTS_BEGIN
    make_contexts();
    TEST(panels_end)
    TEST(filters_end)
    TEST(many_terms)
    TEST(products)
    TEST(rows_alone)
    TEST(winograd_errors)
    TEST(convolutions)
    TEST(images_alone)
    TEST(bfloat16_contexts)
    TEST(bfloat16_rounding)
    TEST(bfloat16_products)
    TEST(bfloat16_convolutions)
    TEST(bfloat16_alone)
    TEST(bfloat16_attention)
    TEST(bfloat16_training)
    TEST(bfloat16_plain)
    TEST(bfloat16_operations)
    TEST(elementary)
    TEST(all_floats)
    TEST(end)
TESTS_END
