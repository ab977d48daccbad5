/* Operations that move, pick, pool and resize values, that reduce along an axis, and sin and cos: a table like that of
   tests/ops.c (what is done with an entry stands in tests/op_cases.h), the plain versions in loops, and the error
   sentences for wrong shapes. */
#include "../ssl.h"
#include "harness.h"
#include "golden/shapes.h"
#include "op_cases.h"

/* --- the operations ----------------------------------------------------------------------------------------------- */

OP(f_sin) BODY(sslh_sin(c, in[0]))
OP(f_cos) BODY(sslh_cos(c, in[0]))
OP(f_min) BODY(sslh_min(c, in[0], I(0), I(1)))
OP(f_prod) BODY(sslh_prod(c, in[0], I(0), I(1)))
OP(f_argmin) BODY(sslh_argmin(c, in[0], I(0)))
OP(f_cumsum) BODY(sslh_cumsum(c, in[0], I(0)))
/* p: k, axis, ask for the places */
OP(f_topk) {
    sslh_tensor *places = NULL, *y;
    y = sslh_topk(c, in[0], I(0), I(1), I(2) ? &places : NULL);
    if (places) extra[extras++] = places;
    return y;
}
/* p: kernel, kernel_w, stride, stride_w, pad, pad_w, ceil_mode, exclude_pad */
static sslh_pool_desc pool_desc(const float *p) {
    sslh_pool_desc d;
    memset(&d, 0, sizeof d);
    d.kernel = I(0), d.kernel_w = I(1), d.stride = I(2), d.stride_w = I(3), d.pad = I(4), d.pad_w = I(5);
    d.ceil_mode = I(6), d.exclude_pad = I(7);
    return d;
}
OP(f_max_pool2d_ex) BODY(sslh_max_pool2d_ex(c, in[0], pool_desc(p)))
OP(f_avg_pool2d_ex) BODY(sslh_avg_pool2d_ex(c, in[0], pool_desc(p)))
OP(f_max_pool1d) BODY(sslh_max_pool1d(c, in[0], pool_desc(p)))
OP(f_avg_pool1d) BODY(sslh_avg_pool1d(c, in[0], pool_desc(p)))
/* p: height, width, mode, antialias, align_corners */
static sslh_interpolate_desc interpolate_desc(const float *p) {
    sslh_interpolate_desc d;
    memset(&d, 0, sizeof d);
    d.mode = (sslh_resize_mode)I(2), d.antialias = I(3), d.align_corners = I(4);
    return d;
}
OP(f_interpolate) BODY(sslh_interpolate(c, in[0], I(0), I(1), interpolate_desc(p)))
OP(f_pad_ex) BODY(sslh_pad_ex(c, in[0], I(0), I(1), I(2), (sslh_pad_mode)I(3), p[4]))
OP(f_slice_ex) BODY(sslh_slice_ex(c, in[0], I(0), I(1), I(2), I(3)))
OP(f_gather_along) BODY(sslh_gather_along(c, in[0], in[1], I(0)))
OP(f_scatter) BODY(sslh_scatter(c, in[0], in[1], in[2], I(0)))
OP(f_scatter_add) BODY(sslh_scatter_add(c, in[0], in[1], in[2], I(0)))
OP(f_one_hot) BODY(sslh_one_hot(c, in[0], I(0)))

#define BI 0, 0 /* bilinear, and with antialiasing; bicubic likewise */
#define BIA 0, 1
#define NEAREST 1, 0
#define CU 2, 0
#define CUA 2, 1

static const op_case table[] = {
    E("sin", sin, "5x37l", 0, 0), E("sin_big", sin, "41x1001l", NO_CHECK, 0),
    E("cos", cos, "5x37l", 0, 0), E("cos_big", cos, "41x1001l", NO_CHECK, 0),
    /* reductions, the k largest, running sums */
    E("min", min, "3x5x7", 0, ALL, 0), E("min_last", min, "3x5x7", 0, A(2), 0),
    E("min_first", min, "3x5x7", 0, A(0), 1), E("min_two", min, "3x5x7", 0, A(0) + A(1), 0),
    E("min_big", min, "70x1025", NO_CHECK, A(0), 0),
    E("prod", prod, "2x3x4", 0, ALL, 0), E("prod_last", prod, "3x5x7", 0, A(-1), 0),
    E("prod_first", prod, "5x3x4", 0, A(0), 1), E("prod_outer", prod, "3x5x2", 0, A(0) + A(2), 0),
    E("prod_big", prod, "70x67p", NO_CHECK, A(0), 0),
    E("argmin", argmin, "3x5x7", NO_CHECK, -1), E("argmin_first", argmin, "9x5", NO_CHECK, 0),
    E("argmin_mid", argmin, "3x5x7", NO_CHECK, 1),
    E("cumsum", cumsum, "3x5x7", 0, -1), E("cumsum_first", cumsum, "5x9", 0, 0), E("cumsum_mid", cumsum, "3x5x7", 0, 1),
    E("cumsum_1", cumsum, "11", 0, 0), E("cumsum_big", cumsum, "37x1025", NO_CHECK, 1),
    E("cumsum_wide", cumsum, "2x37x131", NO_CHECK, 1),
    E("topk", topk, "3x5x7", 0, 3, -1, 1), E("topk_first", topk, "9x5", 0, 4, 0, 1),
    E("topk_mid", topk, "3x5x7", 0, 2, 1, 1), E("topk_1", topk, "3x11", 0, 1, 1, 1),
    E("topk_all", topk, "3x11", 0, 11, 1, 1), E("topk_values", topk, "3x11", 0, 4, 1, 0),
    E("topk_big", topk, "37x1025", NO_CHECK, 100, 1, 1), E("topk_tall", topk, "301x37", NO_CHECK, 9, 0, 1),
    /* pooling: kernel, kernel_w, stride, stride_w, pad, pad_w, ceil_mode, exclude_pad */
    E("max_ex", max_pool2d_ex, "2x7x8x3", 0, 3, 2, 2, 3), E("max_ex_square", max_pool2d_ex, "2x6x9x3", 0, 3),
    E("max_ex_pad", max_pool2d_ex, "2x7x8x3", 0, 2, 5, 1, 2, 1, 2),
    E("max_ex_pad_h", max_pool2d_ex, "1x7x6x2", 0, 3, 0, 2, 0, 1, SSLH_OFF),
    E("max_ex_ceil", max_pool2d_ex, "2x6x8x3", 0, 3, 3, 2, 2, 0, 0, 1),
    E("max_ex_ceil_pad", max_pool2d_ex, "2x6x7x3", 0, 2, 3, 2, 2, 1, 1, 1),
    E("max_ex_ceil_large", max_pool2d_ex, "1x2x3x2", 0, 3, 4, 2, 2, 0, 0, 1),
    E("max_ex_big", max_pool2d_ex, "3x17x15x33", NO_CHECK, 3, 4, 2, 3, 1, 2, 1),
    E("avg_ex", avg_pool2d_ex, "2x7x8x3", 0, 3, 2, 2, 3),
    E("avg_ex_pad", avg_pool2d_ex, "2x7x8x3", 0, 2, 5, 1, 2, 1, 2),
    E("avg_ex_exclude", avg_pool2d_ex, "2x7x8x5", 0, 3, 0, 2, 0, 1, 0, 0, 1),
    E("avg_ex_exclude_w", avg_pool2d_ex, "1x5x6x17", 0, 2, 5, 2, 2, 1, 2, 0, 1),
    E("avg_ex_ceil", avg_pool2d_ex, "2x6x8x3", 0, 3, 3, 2, 2, 0, 0, 1),
    E("avg_ex_ceil_pad", avg_pool2d_ex, "2x6x7x3", 0, 3, 2, 2, 2, 1, 1, 1),
    E("avg_ex_ceil_exclude", avg_pool2d_ex, "2x6x7x3", 0, 3, 4, 2, 3, 1, 2, 1, 1),
    E("avg_ex_ceil_large", avg_pool2d_ex, "1x2x3x2", 0, 3, 4, 2, 2, 0, 0, 1),
    E("avg_ex_gap", avg_pool2d_ex, "1x9x8x3", 0, 2, 1, 3, 2),
    E("avg_ex_big", avg_pool2d_ex, "3x17x15x33", NO_CHECK, 3, 4, 2, 3, 1, 2, 1, 1),
    E("max_1d", max_pool1d, "2x11x3", 0, 3), E("max_1d_pad", max_pool1d, "2x11x3", 0, 3, 0, 2, 0, 1),
    E("max_1d_ceil", max_pool1d, "2x10x3", 0, 3, 0, 2, 0, 0, 0, 1),
    E("max_1d_w", max_pool1d, "2x11x3", 0, 9, 4, 7, 2, 0, 2),
    E("max_1d_big", max_pool1d, "2x403x33", NO_CHECK, 10, 0, 5, 0, 3),
    E("avg_1d", avg_pool1d, "2x11x3", 0, 3), E("avg_1d_exclude", avg_pool1d, "2x11x3", 0, 3, 0, 2, 0, 1, 0, 0, 1),
    E("avg_1d_ceil", avg_pool1d, "2x10x3", 0, 3, 0, 2, 0, 1, 0, 1),
    E("avg_1d_big", avg_pool1d, "2x403x33", NO_CHECK, 10, 0, 5, 0, 3, 0, 1, 1),
    /* resizing: height, width, mode, antialias, align_corners */
    E("interpolate_bilinear", interpolate, "2x3x4x3", 0, 6, 9, BI),
    E("interpolate_nearest", interpolate, "1x5x7x2", 0, 8, 4, NEAREST),
    E("bicubic_up", interpolate, "2x3x4x3", 0, 7, 9, CU), E("bicubic_down", interpolate, "1x9x8x2", 0, 4, 3, CU),
    E("bicubic_one", interpolate, "2x1x1x3", 0, 4, 3, CU),
    E("bicubic_same", interpolate, "1x4x5x2", 0, 4, 5, CU), E("align_bilinear", interpolate, "2x4x5x3", 0, 7, 3, BI, 1),
    E("align_bicubic", interpolate, "2x4x5x3", 0, 7, 3, CU, 1),
    E("align_to_one", interpolate, "1x4x5x3", 0, 1, 1, BI, 1),
    E("align_to_one_cubic", interpolate, "1x4x5x3", 0, 1, 1, CU, 1),
    E("align_from_one", interpolate, "1x1x1x3", 0, 4, 3, CU, 1),
    E("aa_bilinear_down", interpolate, "2x9x11x3", 0, 4, 3, BIA),
    E("aa_bilinear_up", interpolate, "1x3x4x2", 0, 7, 6, BIA),
    E("aa_bilinear_mixed", interpolate, "1x9x3x2", 0, 2, 7, BIA),
    E("aa_bicubic_down", interpolate, "2x9x11x3", 0, 4, 3, CUA),
    E("aa_bicubic_up", interpolate, "1x3x4x2", 0, 7, 6, CUA),
    E("aa_to_one", interpolate, "1x7x8x2", 0, 1, 1, CUA), E("aa_align", interpolate, "1x9x11x2", 0, 4, 5, BIA, 1),
    E("aa_align_cubic", interpolate, "1x9x11x2", 0, 4, 5, CUA, 1),
    E("aa_big", interpolate, "3x37x41x17", NO_CHECK, 11, 13, CUA),
    E("bicubic_big", interpolate, "3x17x19x33", NO_CHECK, 40, 31, CU),
    /* padding: axis, before, after, mode, value */
    E("reflect", pad_ex, "2x5", 0, 1, 3, 2, 1), E("reflect_mid", pad_ex, "2x5x3", 0, 1, 4, 4, 1),
    E("reflect_first", pad_ex, "4x2x3", 0, 0, 0, 3, 1), E("reflect_none", pad_ex, "2x3", 0, -1, 0, 0, 1),
    E("reflect_big", pad_ex, "3x35x67", NO_CHECK, 1, 30, 34, 1),
    E("replicate", pad_ex, "2x5", 0, 1, 3, 7, 2), E("replicate_mid", pad_ex, "2x3x4", 0, -2, 2, 1, 2),
    E("replicate_one", pad_ex, "2x1x4", 0, 1, 2, 3, 2), E("pad_constant", pad_ex, "2x3x4", 0, -1, 1, 3, 0, 0.5f),
    /* slices with steps: axis, begin, end, step */
    E("slice_step", slice_ex, "3x7", 0, 1, 1, 7, 2), E("slice_step_3", slice_ex, "8x5", 0, 0, 0, 8, 3),
    E("slice_step_1", slice_ex, "3x7", 0, 1, 2, 5, 1), E("slice_flip", slice_ex, "3x4x5", 0, 1, 3, -1, -1),
    E("slice_back", slice_ex, "3x9", 0, -1, 7, 1, -3), E("slice_far", slice_ex, "3x9", 0, 1, 4, 9, 100),
    /* picked values: axis */
    E("gather_along", gather_along, "3x5x4 3x7x4i5", 0, 1), E("gather_along_last", gather_along, "3x6 3x4i6", 0, -1),
    E("gather_along_first", gather_along, "6x4 2x4i6", 0, 0), E("gather_along_rows", gather_along, "3x5x4 9i5", 0, 1),
    E("gather_along_1", gather_along, "6 9i6", 0, 0),
    E("gather_along_big", gather_along, "5x33x131 5x70x131i33", NO_CHECK, 1),
    E("gather_along_rows_big", gather_along, "33x257 70i33", NO_CHECK, 0),
    E("scatter", scatter, "3x5x4 3x3x4i5 3x3x4", 0, 1), E("scatter_many", scatter, "2x4 2x9i4 2x9", 0, 1),
    E("scatter_rows", scatter, "5x4 7i5 7x4", 0, 0),
    E("scatter_big", scatter, "5x33x131 5x20x131i33 5x20x131", NO_CHECK, 1),
    E("scatter_add", scatter_add, "3x5x4 3x3x4i5 3x3x4", 0, 1),
    E("scatter_add_many", scatter_add, "2x4 2x9i4 2x9", 0, -1), E("scatter_add_rows", scatter_add, "5x4 7i5 7x4", 0, 0),
    E("scatter_add_big", scatter_add, "5x33x131 5x70x131i33 5x70x131", NO_CHECK, 1),
    E("one_hot", one_hot, "3x4i5", NO_CHECK, 5), E("one_hot_more", one_hot, "7i3", NO_CHECK, 9),
};
CASE_TESTS(table, golden_shapes)

/* --- beside the table --------------------------------------------------------------------------------------------- */

/* A tensor that is used twice gets both gradients: what the backward functions add to what is there. */
static void used_twice(void) {
    sslh_ctx *c = create(2, NULL, 0);
    int k, i;
    for (k = 0; k < (int)(sizeof table / sizeof table[0]); k++) {
        const op_case *e = &table[k];
        sslh_tensor *in[MAX_IN], *y;
        int which[MAX_IN], n;
        op_run once;
        if (e->flags & NO_CHECK) continue;
        if (!run_case(c, e, &once)) continue;
        sslh_begin_step(c);
        make_inputs(c, e, in, which, &n);
        for (i = 0; i < n; i++) sslh_requires_grad(in[which[i]]);
        y = e->build(c, in, e->p);
        extras = 0;
        sslh_backward(c, project(c, sslh_add(c, y, e->build(c, in, e->p)), e));
        extras = 0;
        CHECK_OK(c);
        for (i = 0; i < n && !sslh_error(c); i++) {
            const op_run *r = &once;
            int at = r->n - n + i;
            size_t q;
            double worst = 0;
            for (q = 0; q < r->count[at]; q++) {
                double d = fabs((double)in[which[i]]->grad[q] - 2 * r->v[at][q]) / (1 + fabs(r->v[at][q]));
                if (!(d <= worst)) worst = d;
            }
            CHECK(worst < 1e-5, "%s: the gradient of input %d is not twice as large (%g)", e->name, which[i], worst);
        }
        sslh_clear_error(c);
        run_free(&once);
    }
    sslh_destroy(c);
}

/* Every allocation fails once: an error sentence or the same result, and no block is lost. */
static void out_of_memory(void) {
    int k, i;
    for (k = 0; k < (int)(sizeof table / sizeof table[0]); k++) {
        const op_case *e = &table[k];
        long fail;
        if ((e->flags & NO_CHECK) || (test_small() && k % 5)) continue;
        for (fail = 1; fail < 1000; fail++) {
            test_memory m;
            sslh_desc d;
            sslh_ctx *c;
            sslh_tensor *in[MAX_IN], *y;
            int which[MAX_IN], n, failed;
            memset(&m, 0, sizeof m);
            memset(&d, 0, sizeof d);
            m.fail_at = fail;
            d.threads = 1;
            d.alloc = test_alloc;
            d.release = test_release;
            d.user = &m;
            c = sslh_create(d);
            make_inputs(c, e, in, which, &n);
            for (i = 0; i < n; i++) sslh_requires_grad(in[which[i]]);
            extras = 0;
            y = e->build(c, in, e->p);
            if (n) sslh_backward(c, project(c, y, e));
            failed = m.calls >= fail;
            CHECK(!sslh_error(c) || sslh_error_code(c) == SSLH_E_MEMORY,
                  "%s, allocation %ld: %s", e->name, fail, sslh_error(c));
            sslh_destroy(c);
            CHECK(m.live == 0, "%s, allocation %ld: %ld blocks left", e->name, fail, m.live);
            if (!failed) break;
        }
        CHECK(fail > 1 && fail < 1000, "%s: %ld allocations", e->name, fail);
    }
    extras = 0;
}

static float nan_value(void) { return (float)strtod("nan", NULL); }
static float inf_value(void) { return (float)strtod("inf", NULL); }

/* sin and cos of every 4099th float (in the double build libm's own). */
static void sin_and_cos(void) {
    enum { N = 4096 };
    static float v[N];
    sslh_ctx *c = create(1, NULL, 0);
    uint32_t u = 0;
    double worst[2] = {0, 0};
    float ends[6] = {-0.0f, 0.0f, 0, 0, 0, 0};
    sslh_tensor *y, *z;
    int i, k, n;
    while (!SSLH_I_DOUBLE && u < 0x7f800000u) {
        for (n = 0; n < N && u < 0x7f800000u; n++, u += test_small() ? 400009u : 4099u) {
            uint32_t bits = n & 1 ? u | 0x80000000u : u;
            memcpy(&v[n], &bits, 4);
            if (fabs((double)v[n]) > test_largest_angle()) v[n] = 0;
        }
        sslh_begin_step(c);
        for (k = 0; k < 2; k++) {
            y = (k ? sslh_cos : sslh_sin)(c, sslh_from(c, sslh_dim1(n), v));
            for (i = 0; i < n; i++) {
                double want = k ? cos((double)v[i]) : sin((double)v[i]), unit;
                int exponent;
                (void)frexp(want, &exponent);
                unit = ldexp(1.0, exponent - 24 < -149 ? -149 : exponent - 24);
                want = fabs((double)y->data[i] - want) / unit;
                if (!(want <= worst[k])) worst[k] = want;
            }
        }
        CHECK_OK(c);
    }
    CHECK(worst[0] < 0.501 && worst[1] < 0.501, "sin %g ulp, cos %g ulp", worst[0], worst[1]);
    ends[2] = inf_value(), ends[3] = -inf_value(), ends[4] = nan_value(), ends[5] = 1;
    sslh_begin_step(c);
    y = sslh_sin(c, sslh_from(c, sslh_dim1(6), ends));
    z = sslh_cos(c, sslh_from(c, sslh_dim1(6), ends));
    CHECK(y->data[0] == 0 && y->data[1] == 0 && 1 / (double)y->data[0] < 0 && 1 / (double)y->data[1] > 0,
          "sin keeps the sign of 0");
    CHECK((double)z->data[0] == 1 && (double)z->data[1] == 1, "cos 0");
    for (i = 2; i < 5; i++) CHECK(y->data[i] != y->data[i] && z->data[i] != z->data[i], "NaN at %g", (double)ends[i]);
    CHECK_NEAR(y->data[5], sin(1.0), 1e-7);
    sslh_destroy(c);
}

/* --- reductions, the k largest, running sums --- */

static void minima_and_products(void) {
    sslh_ctx *c = create(1, NULL, 0);
    float v[6] = {3, -2, 5, -2, 0, 7}, z[9] = {2, 0, 5, 0, 3, 0, 1e30f, 1e30f, 1e-35f};
    sslh_tensor *x = sslh_requires_grad(sslh_from(c, sslh_dim1(6), v)), *y = sslh_min(c, x, SSLH_ALL, 0);
    int i;
    CHECK_NEAR(sslh_item(y), -2, 0);
    sslh_backward(c, y);
    for (i = 0; i < 6; i++) CHECK_NEAR(x->grad[i], i == 1, 0); /* the first of two */
    CHECK(sslh_argmin(c, x, 0)->ints[0] == 1, "the first minimum");
    v[4] = nan_value();
    x = sslh_from(c, sslh_dim1(6), v);
    y = sslh_min(c, x, SSLH_ALL, 0);
    CHECK(y->data[0] != y->data[0] && sslh_argmin(c, x, 0)->ints[0] == 4, "NaN is the minimum");
    /* no zero among the others, one, and numbers whose product leaves float on the way */
    x = sslh_requires_grad(sslh_from(c, sslh_dim2(3, 3), z));
    sslh_backward(c, sslh_sum(c, y = sslh_keep(sslh_prod(c, x, SSLH_AXIS(1), 0)), SSLH_ALL, 0));
    CHECK_OK(c);
    CHECK(y->data[0] == 0 && y->data[1] == 0, "products with zeros");
    CHECK_CLOSE(y->data[2], 1e25, 1e-6);
    for (i = 0; i < 3; i++) CHECK_NEAR(x->grad[i], i == 1 ? 10 : 0, 0), CHECK_NEAR(x->grad[3 + i], 0, 0);
    CHECK_CLOSE((double)x->grad[6] * 1e5, 1, 1e-6);
    sslh_destroy(c);
}

static void running_sums(void) {
    sslh_ctx *c = create(2, NULL, 0);
    sslh_tensor *y = sslh_cumsum(c, sslh_full(c, sslh_dim1(1000000), 0.1f), 0);
    CHECK_OK(c);
    CHECK_CLOSE(y->data[999999], (double)0.1f * 1e6, 1e-7); /* added in float it would be 100958 */
    sslh_destroy(c);
}

static void k_largest(void) {
    enum { LINES = 9, SIZE = 40 };
    sslh_ctx *c = create(2, NULL, 0);
    static float v[LINES * SIZE];
    uint32_t seed = 7;
    int k, line, i, j;
    for (i = 0; i < LINES * SIZE; i++) v[i] = (float)(draw20(&seed) % 7); /* many ties */
    v[5] = v[17] = nan_value(), v[3] = inf_value(), v[4] = -inf_value();
    for (k = 1; k <= SIZE; k += 3) {
        sslh_tensor *at, *x, *y;
        sslh_begin_step(c);
        x = sslh_requires_grad(sslh_from(c, sslh_dim2(LINES, SIZE), v));
        y = sslh_keep(sslh_topk(c, x, k, -1, &at));
        CHECK_OK(c);
        CHECK(y->shape[1] == k && at->type == SSLH_I32 && at->count == y->count, "k = %d", k);
        for (line = 0; line < LINES; line++) {
            char taken[SIZE] = {0};
            for (i = 0; i < k; i++) { /* the first of those that no other exceeds */
                int best = -1;
                for (j = 0; j < SIZE; j++) {
                    float a = v[line * SIZE + j], b = best < 0 ? 0 : v[line * SIZE + best];
                    if (taken[j]) continue;
                    if (best < 0 || a > b || (a != a && b == b)) best = j;
                }
                taken[best] = 1;
                CHECK(at->ints[line * k + i] == best,
                      "k = %d, line %d: number %d is %d, not %d", k, line, i, at->ints[line * k + i], best);
            }
        }
        if (k < SIZE) continue;
        sslh_begin_step(c);
    }
    {   /* the places stay readable after the backward pass */
        sslh_tensor *at, *x, *y;
        sslh_begin_step(c);
        x = sslh_requires_grad(sslh_from(c, sslh_dim1(SIZE), v + SIZE));
        y = sslh_topk(c, x, 3, 0, &at);
        sslh_backward(c, sslh_sum(c, y, SSLH_ALL, 0));
        CHECK_OK(c);
        for (i = j = 0; i < SIZE; i++) j += (double)x->grad[i] == 1;
        CHECK(j == 3 && at->ints && (double)x->grad[at->ints[0]] == 1, "%d places have a gradient", j);
        CHECK(sslh_topk(c, x, 41, 0, &at) != NULL && at != NULL && at->count == 1, "a dummy for the places");
        CHECK_ERROR(c, "sslh_topk:");
    }
    sslh_destroy(c);
}

/* --- pooling: windows counted one by one --- */

static int windows(int size, int kernel, int stride, int pad, int ceil_mode) {
    int n = 0;
    while (n * stride - pad + kernel <= size + pad) n++;
    /* one more that is not whole, where something is left and it begins before the padding behind x */
    if (ceil_mode && (n - 1) * stride - pad + kernel < size + pad && n * stride < size + pad) n++;
    return n;
}
static void plain_pools(void) {
    sslh_ctx *c = create(3, NULL, 0);
    uint32_t seed = 3;
    int turn, turns = test_small() ? 60 : 600, checked = 0;
    for (turn = 0; turn < turns; turn++) {
        int r[12], i, j, b, d, oh, ow, h, w, avg, ch;
        sslh_pool_desc p;
        sslh_tensor *x, *y;
        sslh_real *grad;
        double worst = 0, worst_grad = 0;
        for (i = 0; i < 12; i++) r[i] = (int)draw20(&seed);
        memset(&p, 0, sizeof p);
        p.kernel = 1 + r[0] % 5, p.kernel_w = 1 + r[1] % 5, p.stride = 1 + r[2] % 4, p.stride_w = 1 + r[3] % 4;
        p.pad = r[4] % (p.kernel / 2 + 1), p.pad_w = r[5] % (p.kernel_w / 2 + 1);
        if (!p.pad_w) p.pad_w = SSLH_OFF;
        p.ceil_mode = r[6] & 1, p.exclude_pad = r[7] & 1, avg = r[8] & 1;
        h = 1 + r[9] % 9, w = 1 + r[10] % 9, ch = 1 + r[11] % 20;
        {
            const int pw = p.pad_w < 0 ? 0 : p.pad_w;
            oh = windows(h, p.kernel, p.stride, p.pad, p.ceil_mode);
            ow = windows(w, p.kernel_w, p.stride_w, pw, p.ceil_mode);
            if (h + 2 * p.pad < p.kernel || w + 2 * pw < p.kernel_w) continue;
            sslh_begin_step(c);
            x = sslh_requires_grad(sslh_uniform(c, sslh_dim4(2, h, w, ch), -1, 1));
            y = sslh_keep((avg ? sslh_avg_pool2d_ex : sslh_max_pool2d_ex)(c, x, p));
            CHECK_OK(c);
            if (!CHECK(y->shape[1] == oh && y->shape[2] == ow,
                       "%d x %d windows, not %d x %d", y->shape[1], y->shape[2], oh, ow)) continue;
            checked++;
            sslh_backward(c, sslh_sum(c, sslh_square(c, y), SSLH_ALL, 0));
            grad = (sslh_real *)calloc(x->count, sizeof *grad);
            for (b = 0; b < 2; b++)
                for (i = 0; i < oh; i++)
                    for (j = 0; j < ow; j++)
                        for (d = 0; d < ch; d++) {
                            const int top = i * p.stride - p.pad, left = j * p.stride_w - pw;
                            int u, v, best = -1, counted = 0;
                            double sum = 0, value = (double)y->data[((b * oh + i) * ow + j) * ch + d], want;
                            for (u = top; u < top + p.kernel; u++)
                                for (v = left; v < left + p.kernel_w; v++) {
                                    const int inside = u >= 0 && u < h && v >= 0 && v < w,
                                              at = ((b * h + u) * w + v) * ch + d;
                                    if (inside || (!p.exclude_pad && u < h + p.pad && v < w + pw)) counted++;
                                    if (!inside) continue;
                                    sum += (double)x->data[at];
                                    if (best < 0 || x->data[at] > x->data[best]) best = at;
                                }
                            want = avg ? sum / counted : (double)x->data[best];
                            if (fabs(value - want) > worst) worst = fabs(value - want);
                            for (u = top; u < top + p.kernel; u++)
                                for (v = left; v < left + p.kernel_w; v++) {
                                    const int at = ((b * h + u) * w + v) * ch + d;
                                    if (u < 0 || u >= h || v < 0 || v >= w) continue;
                                    if (avg) grad[at] += (sslh_real)(2 * want / counted);
                                    else if (at == best) grad[at] += (sslh_real)(2 * want);
                                }
                        }
            for (i = 0; i < (int)x->count; i++)
                if (fabs((double)(x->grad[i] - grad[i])) > worst_grad)
                    worst_grad = fabs((double)(x->grad[i] - grad[i]));
            free(grad);
        }
        CHECK(worst < 1e-6 && worst_grad < 1e-5,
              "%s %d x %d, stride %d x %d, pad %d x %d, ceil %d, exclude %d of %d x %d x %d: %g, gradient %g",
              avg ? "average" : "maximum", p.kernel, p.kernel_w, p.stride, p.stride_w, p.pad, p.pad_w, p.ceil_mode,
              p.exclude_pad, h, w, ch, worst, worst_grad);
    }
    CHECK(checked > turns / 2, "%d of %d", checked, turns);
    sslh_destroy(c);
}

/* A stride beyond the image: one window, whose gradient is that window's. */
static void far_strides(void) {
    sslh_ctx *c = create(2, NULL, 0);
    sslh_conv_desc cd;
    sslh_pool_desc p;
    sslh_tensor *x, *w;
    memset(&cd, 0, sizeof cd);
    memset(&p, 0, sizeof p);
    cd.stride = p.stride = 1000000000;
    p.kernel = 2;
    x = sslh_requires_grad(sslh_uniform(c, sslh_dim4(2, 4, 5, 3), -1, 1));
    w = sslh_requires_grad(sslh_uniform(c, sslh_dim4(2, 2, 2, 3), -1, 1));
    sslh_backward(c, sslh_sum(c, sslh_conv2d(c, x, w, NULL, cd), SSLH_ALL, 0));
    sslh_backward(c, sslh_sum(c, sslh_avg_pool2d_ex(c, x, p), SSLH_ALL, 0));
    CHECK_OK(c);
    CHECK_NEAR(x->grad[0], (double)w->data[0] + (double)w->data[12] + 0.25, 1e-6);
    CHECK_NEAR(x->grad[2 * 3], 0, 0);
    sslh_destroy(c);
}

/* --- resizing: weights by their definition --- */

static double keys(double t, double a) {
    t = fabs(t);
    return t <= 1 ? (a + 2) * t * t * t - (a + 3) * t * t + 1 :
           t < 2  ? a * t * t * t - 5 * a * t * t + 8 * a * t - 4 * a : 0;
}
/* The share of source row r in place i. */
static double share(int i, int r, int size, int out, sslh_interpolate_desc d) {
    const double step = d.align_corners ? (out > 1 ? (size - 1.0) / (out - 1) : 0) : (double)size / out;
    double x = d.align_corners ? i * step : (i + 0.5) * step - 0.5, sum = 0, mine = 0;
    int q;
    if (d.mode == SSLH_NEAREST) return r == (int)floor(i * (double)size / out + 1e-9);
    if (d.antialias) {
        const double s = step > 1 ? step : 1;
        for (q = 0; q < size; q++) {
            const double t = fabs(q + 0.5 - step * (i + 0.5)) / s;
            const double k = d.mode == SSLH_BICUBIC ? keys(t, -0.5) : t < 1 ? 1 - t : 0;
            sum += k;
            if (q == r) mine = k;
        }
        return mine / sum;
    }
    for (q = -3; q < size + 3; q++) { /* those outside count for the border */
        const double k = d.mode == SSLH_BICUBIC ? keys(x - q, -0.75) : fabs(x - q) < 1 ? 1 - fabs(x - q) : 0;
        if ((q < 0 ? 0 : q >= size ? size - 1 : q) == r) mine += k;
    }
    return mine;
}
static void plain_resizes(void) {
    sslh_ctx *c = create(2, NULL, 0);
    uint32_t seed = 11;
    int turn;
    for (turn = 0; turn < (test_small() ? 20 : 200); turn++) {
        int h, w, oh, ow, i, j, u, v, mode = (int)(draw20(&seed) % 3);
        sslh_interpolate_desc d;
        sslh_tensor *x, *y;
        double worst = 0, worst_grad = 0;
        memset(&d, 0, sizeof d);
        d.mode = (sslh_resize_mode)mode;
        if (mode != (int)SSLH_NEAREST)
            d.antialias = (int)(draw20(&seed) & 1), d.align_corners = (int)(draw20(&seed) & 1);
        h = 1 + (int)(draw20(&seed) % 12), w = 1 + (int)(draw20(&seed) % 12);
        oh = 1 + (int)(draw20(&seed) % 12), ow = 1 + (int)(draw20(&seed) % 12);
        sslh_begin_step(c);
        x = sslh_requires_grad(sslh_uniform(c, sslh_dim4(1, h, w, 1), -1, 1));
        y = sslh_keep(sslh_interpolate(c, x, oh, ow, d));
        sslh_backward(c, sslh_sum(c, sslh_square(c, y), SSLH_ALL, 0));
        CHECK_OK(c);
        for (i = 0; i < oh; i++)
            for (j = 0; j < ow; j++) {
                double want = 0;
                for (u = 0; u < h; u++)
                    for (v = 0; v < w; v++)
                        want += share(i, u, h, oh, d) * share(j, v, w, ow, d) * (double)x->data[u * w + v];
                if (fabs(want - (double)y->data[i * ow + j]) > worst) worst = fabs(want - (double)y->data[i * ow + j]);
            }
        for (u = 0; u < h; u++)
            for (v = 0; v < w; v++) {
                double want = 0;
                for (i = 0; i < oh; i++)
                    for (j = 0; j < ow; j++)
                        want += share(i, u, h, oh, d) * share(j, v, w, ow, d) * 2 * (double)y->data[i * ow + j];
                if (fabs(want - (double)x->grad[u * w + v]) > worst_grad)
                    worst_grad = fabs(want - (double)x->grad[u * w + v]);
            }
        CHECK(worst < 2e-6 && worst_grad < 2e-4,
              "mode %d, antialias %d, align %d, %d x %d to %d x %d: %g, gradient %g", mode, d.antialias,
              d.align_corners, h, w, oh, ow, worst, worst_grad);
    }
    sslh_destroy(c);
}
/* The short forms are the same operation, and an image of its own size is itself. */
static void resize_forms(void) {
    sslh_ctx *c = create(1, NULL, 0);
    sslh_tensor *x = sslh_uniform(c, sslh_dim4(2, 5, 7, 3), -1, 1), *a, *b;
    int mode;
    for (mode = 0; mode < 3; mode++) {
        sslh_interpolate_desc d;
        memset(&d, 0, sizeof d);
        d.mode = (sslh_resize_mode)mode;
        a = sslh_interpolate(c, x, 5, 7, d);
        CHECK(memcmp(a->data, x->data, x->count * sizeof *x->data) == 0, "mode %d: the same size changes values", mode);
        if (mode == (int)SSLH_BICUBIC) continue;
        a = sslh_interpolate(c, x, 3, 9, d);
        b = (mode == (int)SSLH_NEAREST ? sslh_resize_nearest : sslh_resize_bilinear)(c, x, 3, 9);
        CHECK(memcmp(a->data, b->data, a->count * sizeof *a->data) == 0, "mode %d: two forms", mode);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- values that move: other types, both axes of an image --- */

static void other_types(void) {
    sslh_ctx *c = create(1, NULL, 0);
    static const uint8_t bytes[6] = {1, 2, 3, 4, 5, 6};
    static const int32_t numbers[6] = {10, -20, 30, -40, 50, -60}, at[4] = {2, 0, 1, 1}, shared[3] = {2, 2, 0};
    sslh_tensor *b = sslh_from_bytes(c, sslh_dim2(2, 3), bytes), *n = sslh_from_ints(c, sslh_dim2(2, 3), numbers), *y;
    sslh_tensor *index = sslh_from_ints(c, sslh_dim2(2, 2), at);
    y = sslh_slice_ex(c, b, 1, 2, -1, -2);
    CHECK(y->type == SSLH_U8 && y->bytes[0] == 3 && y->bytes[1] == 1 && y->bytes[2] == 6 && y->bytes[3] == 4,
          "a slice of bytes");
    y = sslh_pad_ex(c, b, 1, 2, 1, SSLH_PAD_REFLECT, 0);
    CHECK(y->type == SSLH_U8 && y->count == 12 && memcmp(y->bytes, "\3\2\1\2\3\2\6\5\4\5\6\5", 12) == 0,
          "bytes mirrored");
    y = sslh_pad_ex(c, n, 0, 1, 0, SSLH_PAD_REPLICATE, 0);
    CHECK(y->type == SSLH_I32 && y->ints[0] == 10 && y->ints[3] == 10 && y->ints[6] == -40, "integers repeated");
    y = sslh_gather_along(c, n, index, 1);
    CHECK(y->type == SSLH_I32 && y->ints[0] == 30 && y->ints[1] == 10 && y->ints[2] == 50 && y->ints[3] == 50,
          "integers picked");
    y = sslh_gather_along(c, b, sslh_from_ints(c, sslh_dim1(3), shared), 1);
    CHECK(y->type == SSLH_U8 && y->count == 6 && memcmp(y->bytes, "\3\3\1\6\6\4", 6) == 0, "rows of bytes picked");
    y = sslh_scatter(c, b, index, sslh_slice(c, b, 1, 0, 2), 1);
    CHECK(y->type == SSLH_U8 && memcmp(y->bytes, "\2\2\1\4\5\6", 6) == 0,
          "bytes scattered: %d %d %d %d %d %d", y->bytes[0], y->bytes[1], y->bytes[2], y->bytes[3], y->bytes[4],
          y->bytes[5]);
    CHECK_OK(c);
    sslh_destroy(c);
}
/* Height and width in either order; what one axis after the other gives is the mirror in both. */
static void images_mirrored(void) {
    sslh_ctx *c = create(1, NULL, 0);
    sslh_tensor *x = sslh_uniform(c, sslh_dim4(1, 4, 5, 2), -1, 1), *a, *b;
    int i, j, wrong = 0;
    a = sslh_pad_ex(c, sslh_pad_ex(c, x, 1, 3, 2, SSLH_PAD_REFLECT, 0), 2, 1, 4, SSLH_PAD_REFLECT, 0);
    b = sslh_pad_ex(c, sslh_pad_ex(c, x, 2, 1, 4, SSLH_PAD_REFLECT, 0), 1, 3, 2, SSLH_PAD_REFLECT, 0);
    CHECK_OK(c);
    CHECK(a->count == b->count && a->shape[1] == 9 && a->shape[2] == 10 &&
              memcmp(a->data, b->data, a->count * sizeof *a->data) == 0,
          "the order matters");
    for (i = 0; i < 9; i++)
        for (j = 0; j < 10; j++) {
            int u = abs(i - 3), v = abs(j - 1);
            if (u > 3) u = 6 - u;
            if (v > 4) v = 8 - v;
            wrong += a->data[(i * 10 + j) * 2] != x->data[(u * 5 + v) * 2];
        }
    CHECK(!wrong, "%d of 90 places", wrong);
    sslh_destroy(c);
}

/* --- error sentences: each names its function; hostile sizes give one, never a crash ------------------------------ */

static sslh_pool_desc windows_of(int kernel, int kernel_w, int stride, int pad, int pad_w) {
    sslh_pool_desc d;
    memset(&d, 0, sizeof d);
    d.kernel = kernel, d.kernel_w = kernel_w, d.stride = stride, d.pad = pad, d.pad_w = pad_w;
    return d;
}
static void error_sentences(void) {
    const int most = 2147483647;
    sslh_interpolate_desc plain, wrong, nearest;
    memset(&plain, 0, sizeof plain);
    wrong = nearest = plain;
    wrong.mode = (sslh_resize_mode)9;
    nearest.mode = SSLH_NEAREST, nearest.antialias = 1;
    bad = create(1, NULL, 0);
    BAD("sslh_sin", sslh_sin(bad, ints(1, 3, 0, 1)));
    BAD("sslh_cos", sslh_cos(bad, NULL));
    BAD("sslh_min", sslh_min(bad, T(2, 3, 4, 0, 0), SSLH_AXIS(2), 0));
    BAD("sslh_prod", sslh_prod(bad, T(2, 3, 4, 0, 0), SSLH_AXIS(-3), 0));
    BAD("sslh_prod", sslh_prod(bad, ints(1, 3, 0, 1), SSLH_ALL, 0));
    BAD("sslh_prod", sslh_prod(bad, T(2, 3, 4, 0, 0), 0, 0));
    BAD("sslh_argmin", sslh_argmin(bad, T(2, 3, 4, 0, 0), 2));
    BAD("sslh_cumsum", sslh_cumsum(bad, T(2, 3, 4, 0, 0), 2));
    BAD("sslh_cumsum", sslh_cumsum(bad, T(0, 0, 0, 0, 0), 0));
    BAD("sslh_cumsum", sslh_cumsum(bad, ints(1, 3, 0, 1), 0));
    BAD("sslh_topk", sslh_topk(bad, T(2, 3, 4, 0, 0), 5, 1, NULL));
    BAD("sslh_topk", sslh_topk(bad, T(2, 3, 4, 0, 0), 0, 1, NULL));
    BAD("sslh_topk", sslh_topk(bad, T(2, 3, 4, 0, 0), 2, -3, NULL));
    BAD("sslh_topk", sslh_topk(bad, T(0, 0, 0, 0, 0), 1, 0, NULL));
    BAD("sslh_topk", sslh_topk(bad, ints(1, 3, 0, 1), 1, 0, NULL));
    BAD("sslh_max_pool2d_ex", sslh_max_pool2d_ex(bad, T(4, 1, 5, 5, 3), windows_of(0, 0, 0, 0, 0)));
    BAD("sslh_max_pool2d_ex", sslh_max_pool2d_ex(bad, T(4, 1, 5, 5, 3), windows_of(3, 7, 1, 0, 0)));
    BAD("sslh_max_pool2d_ex", sslh_max_pool2d_ex(bad, T(4, 1, 5, 5, 3), windows_of(2, 0, -1, 0, 0)));
    BAD("sslh_max_pool2d_ex", sslh_max_pool2d_ex(bad, T(4, 1, 5, 5, 3), windows_of(4, 2, 1, 2, 0)));
    BAD("sslh_avg_pool2d_ex", sslh_avg_pool2d_ex(bad, T(4, 1, 5, 5, 3), windows_of(3, 0, 1, 2, 0)));
    BAD("sslh_avg_pool2d_ex", sslh_avg_pool2d_ex(bad, T(4, 1, 5, 5, 3), windows_of(3, 0, 1, -1, 0)));
    BAD("sslh_avg_pool2d_ex", sslh_avg_pool2d_ex(bad, T(4, 1, 5, 5, 3), windows_of(3, 0, 1, 0, -2)));
    BAD("sslh_avg_pool2d_ex", sslh_avg_pool2d_ex(bad, T(4, 1, 5, 5, 3), windows_of(most, 0, 1, 0, 0)));
    BAD("sslh_avg_pool2d_ex", sslh_avg_pool2d_ex(bad, T(4, 1, 5, 5, 3), windows_of(3, -3, 1, 0, 0)));
    BAD("sslh_avg_pool2d_ex", sslh_avg_pool2d_ex(bad, T(3, 5, 5, 3, 0), windows_of(2, 0, 0, 0, 0)));
    BAD("sslh_max_pool1d", sslh_max_pool1d(bad, T(4, 1, 5, 5, 3), windows_of(2, 0, 0, 0, 0)));
    BAD("sslh_max_pool1d", sslh_max_pool1d(bad, T(3, 1, 5, 3, 0), windows_of(6, 0, 0, 0, 0)));
    BAD("sslh_avg_pool1d", sslh_avg_pool1d(bad, T(3, 1, 5, 3, 0), windows_of(2, 3, 0, 2, 0)));
    BAD("sslh_avg_pool1d", sslh_avg_pool1d(bad, NULL, windows_of(2, 0, 0, 0, 0)));
    BAD("sslh_interpolate", sslh_interpolate(bad, T(3, 5, 5, 3, 0), 4, 4, plain));
    BAD("sslh_interpolate", sslh_interpolate(bad, T(4, 1, 5, 5, 3), 4, 0, plain));
    BAD("sslh_interpolate", sslh_interpolate(bad, T(4, 1, 5, 5, 3), -4, 4, plain));
    BAD("sslh_interpolate", sslh_interpolate(bad, T(4, 1, 5, 5, 3), 4, 4, wrong));
    BAD("sslh_interpolate", sslh_interpolate(bad, T(4, 1, 5, 5, 3), 4, 4, nearest));
    BAD("sslh_interpolate", sslh_interpolate(bad, T(4, 1, 5, 5, 3), most, most, plain));
    BAD("sslh_pad", sslh_pad_ex(bad, T(2, 3, 4, 0, 0), 1, 4, 0, SSLH_PAD_REFLECT, 0));
    BAD("sslh_pad", sslh_pad_ex(bad, T(2, 3, 4, 0, 0), 1, 0, most, SSLH_PAD_REFLECT, 0));
    BAD("sslh_pad", sslh_pad_ex(bad, T(2, 3, 4, 0, 0), 1, 0, most, SSLH_PAD_REPLICATE, 0));
    BAD("sslh_pad", sslh_pad_ex(bad, T(2, 3, 4, 0, 0), 1, -1, 0, SSLH_PAD_REPLICATE, 0));
    BAD("sslh_pad", sslh_pad_ex(bad, T(2, 3, 4, 0, 0), 2, 1, 0, SSLH_PAD_REPLICATE, 0));
    BAD("sslh_pad", sslh_pad_ex(bad, T(2, 3, 4, 0, 0), 0, 1, 0, (sslh_pad_mode)5, 0));
    BAD("sslh_pad", sslh_pad_ex(bad, ints(1, 3, 0, 1), 0, 1, 0, SSLH_PAD_CONSTANT, 0));
    BAD("sslh_slice", sslh_slice_ex(bad, T(2, 3, 4, 0, 0), 1, 0, 4, 0));
    BAD("sslh_slice", sslh_slice_ex(bad, T(2, 3, 4, 0, 0), 1, 0, 5, 2));
    BAD("sslh_slice", sslh_slice_ex(bad, T(2, 3, 4, 0, 0), 1, 2, 2, 2));
    BAD("sslh_slice", sslh_slice_ex(bad, T(2, 3, 4, 0, 0), 1, 1, 3, -1));
    BAD("sslh_slice", sslh_slice_ex(bad, T(2, 3, 4, 0, 0), 1, 4, 0, -1));
    BAD("sslh_slice", sslh_slice_ex(bad, T(2, 3, 4, 0, 0), 1, 3, -2, -1));
    BAD("sslh_slice", sslh_slice_ex(bad, T(2, 3, 4, 0, 0), 1, 3, 9, -most - 1));
    BAD("sslh_slice", sslh_slice_ex(bad, T(2, 3, 4, 0, 0), 2, 0, 1, 2));
    BAD("sslh_slice", sslh_slice_ex(bad, T(2, 3, 4, 0, 0), 1, 2, 5, 1));
    BAD("sslh_gather_along", sslh_gather_along(bad, T(2, 3, 4, 0, 0), ints(2, 2, 5, 1), 0));
    BAD("sslh_gather_along", sslh_gather_along(bad, T(3, 3, 4, 2, 0), ints(2, 3, 4, 1), 0));
    BAD("sslh_gather_along", sslh_gather_along(bad, T(2, 3, 4, 0, 0), ints(2, 2, 4, 3), 0));
    BAD("sslh_gather_along", sslh_gather_along(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, -1), 0));
    BAD("sslh_gather_along", sslh_gather_along(bad, T(2, 3, 4, 0, 0), T(1, 2, 0, 0, 0), 0));
    BAD("sslh_gather_along", sslh_gather_along(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, 1), 2));
    BAD("sslh_gather_along", sslh_gather_along(bad, T(0, 0, 0, 0, 0), ints(1, 2, 0, 0), 0));
    BAD("sslh_scatter", sslh_scatter(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, 1), T(2, 3, 4, 0, 0), 0));
    BAD("sslh_scatter", sslh_scatter(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, 3), T(2, 2, 4, 0, 0), 0));
    BAD("sslh_scatter", sslh_scatter(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, 1), ints(2, 2, 4, 0), 0));
    BAD("sslh_scatter", sslh_scatter(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, 1), NULL, 0));
    BAD("sslh_scatter_add", sslh_scatter_add(bad, ints(2, 3, 4, 0), ints(1, 2, 0, 1), ints(2, 2, 4, 0), 0));
    BAD("sslh_scatter_add", sslh_scatter_add(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, 1), T(1, 2, 0, 0, 0), 0));
    BAD("sslh_one_hot", sslh_one_hot(bad, ints(1, 2, 0, 3), 3));
    BAD("sslh_one_hot", sslh_one_hot(bad, ints(1, 2, 0, -1), 3));
    BAD("sslh_one_hot", sslh_one_hot(bad, ints(1, 2, 0, 0), 0));
    BAD("sslh_one_hot", sslh_one_hot(bad, T(1, 2, 0, 0, 0), 3));
    sslh_destroy(bad);
}

int main(int argc, char **argv) {
    if (listed(argc, argv)) return 0;
    TEST(gradients)
    TEST(torch_values)
    TEST(threads)
    TEST(instruction_sets)
    TEST(plain_versions)
    TEST(used_twice)
    TEST(out_of_memory)
    TEST(sin_and_cos)
    TEST(minima_and_products)
    TEST(running_sums)
    TEST(k_largest)
    TEST(plain_pools)
    TEST(far_strides)
    TEST(plain_resizes)
    TEST(resize_forms)
    TEST(other_types)
    TEST(images_mirrored)
    TEST(error_sentences)
    return test_end();
}
