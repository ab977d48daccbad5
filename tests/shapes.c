/* Operations that move, pick, pool and resize values, that reduce along an axis, and sin and cos: a table like that of
   tests/ops.c (what is done with an entry stands in tests/op_cases.h), the plain versions in loops, and the error
   sentences for wrong shapes. */
#include "../ssl.h"
#include "harness.h"
#include "golden/shapes.h"
#include "op_cases.h"

/* --- the operations ------------------------------------------------------------------------------------------------- */

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
#define NEAR 1, 0
#define CU 2, 0
#define CUA 2, 1

static const op_case table[] = {
    E("sin", sin, "5x37l", 0, 0), E("sin_big", sin, "41x1001l", NO_CHECK, 0), E("cos", cos, "5x37l", 0, 0), E("cos_big", cos, "41x1001l", NO_CHECK, 0),
    /* reductions, the k largest, running sums */
    E("min", min, "3x5x7", 0, ALL, 0), E("min_last", min, "3x5x7", 0, A(2), 0), E("min_first", min, "3x5x7", 0, A(0), 1), E("min_two", min, "3x5x7", 0, A(0) + A(1), 0), E("min_big", min, "70x1025", NO_CHECK, A(0), 0),
    E("prod", prod, "2x3x4", 0, ALL, 0), E("prod_last", prod, "3x5x7", 0, A(-1), 0), E("prod_first", prod, "5x3x4", 0, A(0), 1), E("prod_outer", prod, "3x5x2", 0, A(0) + A(2), 0), E("prod_big", prod, "70x67p", NO_CHECK, A(0), 0),
    E("argmin", argmin, "3x5x7", NO_CHECK, -1), E("argmin_first", argmin, "9x5", NO_CHECK, 0), E("argmin_mid", argmin, "3x5x7", NO_CHECK, 1),
    E("cumsum", cumsum, "3x5x7", 0, -1), E("cumsum_first", cumsum, "5x9", 0, 0), E("cumsum_mid", cumsum, "3x5x7", 0, 1), E("cumsum_1", cumsum, "11", 0, 0), E("cumsum_big", cumsum, "37x1025", NO_CHECK, 1), E("cumsum_wide", cumsum, "2x37x131", NO_CHECK, 1),
    E("topk", topk, "3x5x7", 0, 3, -1, 1), E("topk_first", topk, "9x5", 0, 4, 0, 1), E("topk_mid", topk, "3x5x7", 0, 2, 1, 1), E("topk_1", topk, "3x11", 0, 1, 1, 1), E("topk_all", topk, "3x11", 0, 11, 1, 1), E("topk_values", topk, "3x11", 0, 4, 1, 0),
    E("topk_big", topk, "37x1025", NO_CHECK, 100, 1, 1), E("topk_tall", topk, "301x37", NO_CHECK, 9, 0, 1),
    /* pooling: kernel, kernel_w, stride, stride_w, pad, pad_w, ceil_mode, exclude_pad */
    E("max_ex", max_pool2d_ex, "2x7x8x3", 0, 3, 2, 2, 3), E("max_ex_square", max_pool2d_ex, "2x6x9x3", 0, 3), E("max_ex_pad", max_pool2d_ex, "2x7x8x3", 0, 2, 5, 1, 2, 1, 2), E("max_ex_pad_h", max_pool2d_ex, "1x7x6x2", 0, 3, 0, 2, 0, 1, SSLH_OFF),
    E("max_ex_ceil", max_pool2d_ex, "2x6x8x3", 0, 3, 3, 2, 2, 0, 0, 1), E("max_ex_ceil_pad", max_pool2d_ex, "2x6x7x3", 0, 2, 3, 2, 2, 1, 1, 1), E("max_ex_ceil_large", max_pool2d_ex, "1x2x3x2", 0, 3, 4, 2, 2, 0, 0, 1), E("max_ex_big", max_pool2d_ex, "3x17x15x33", NO_CHECK, 3, 4, 2, 3, 1, 2, 1),
    E("avg_ex", avg_pool2d_ex, "2x7x8x3", 0, 3, 2, 2, 3), E("avg_ex_pad", avg_pool2d_ex, "2x7x8x3", 0, 2, 5, 1, 2, 1, 2), E("avg_ex_exclude", avg_pool2d_ex, "2x7x8x5", 0, 3, 0, 2, 0, 1, 0, 0, 1), E("avg_ex_exclude_w", avg_pool2d_ex, "1x5x6x17", 0, 2, 5, 2, 2, 1, 2, 0, 1),
    E("avg_ex_ceil", avg_pool2d_ex, "2x6x8x3", 0, 3, 3, 2, 2, 0, 0, 1), E("avg_ex_ceil_pad", avg_pool2d_ex, "2x6x7x3", 0, 3, 2, 2, 2, 1, 1, 1), E("avg_ex_ceil_exclude", avg_pool2d_ex, "2x6x7x3", 0, 3, 4, 2, 3, 1, 2, 1, 1), E("avg_ex_ceil_large", avg_pool2d_ex, "1x2x3x2", 0, 3, 4, 2, 2, 0, 0, 1),
    E("avg_ex_gap", avg_pool2d_ex, "1x9x8x3", 0, 2, 1, 3, 2), E("avg_ex_big", avg_pool2d_ex, "3x17x15x33", NO_CHECK, 3, 4, 2, 3, 1, 2, 1, 1),
    E("max_1d", max_pool1d, "2x11x3", 0, 3), E("max_1d_pad", max_pool1d, "2x11x3", 0, 3, 0, 2, 0, 1), E("max_1d_ceil", max_pool1d, "2x10x3", 0, 3, 0, 2, 0, 0, 0, 1), E("max_1d_w", max_pool1d, "2x11x3", 0, 9, 4, 7, 2, 0, 2), E("max_1d_big", max_pool1d, "2x403x33", NO_CHECK, 10, 0, 5, 0, 3),
    E("avg_1d", avg_pool1d, "2x11x3", 0, 3), E("avg_1d_exclude", avg_pool1d, "2x11x3", 0, 3, 0, 2, 0, 1, 0, 0, 1), E("avg_1d_ceil", avg_pool1d, "2x10x3", 0, 3, 0, 2, 0, 1, 0, 1), E("avg_1d_big", avg_pool1d, "2x403x33", NO_CHECK, 10, 0, 5, 0, 3, 0, 1, 1),
    /* resizing: height, width, mode, antialias, align_corners */
    E("interpolate_bilinear", interpolate, "2x3x4x3", 0, 6, 9, BI), E("interpolate_nearest", interpolate, "1x5x7x2", 0, 8, 4, NEAR), E("bicubic_up", interpolate, "2x3x4x3", 0, 7, 9, CU), E("bicubic_down", interpolate, "1x9x8x2", 0, 4, 3, CU), E("bicubic_one", interpolate, "2x1x1x3", 0, 4, 3, CU),
    E("bicubic_same", interpolate, "1x4x5x2", 0, 4, 5, CU), E("align_bilinear", interpolate, "2x4x5x3", 0, 7, 3, BI, 1), E("align_bicubic", interpolate, "2x4x5x3", 0, 7, 3, CU, 1), E("align_to_one", interpolate, "1x4x5x3", 0, 1, 1, BI, 1), E("align_to_one_cubic", interpolate, "1x4x5x3", 0, 1, 1, CU, 1), E("align_from_one", interpolate, "1x1x1x3", 0, 4, 3, CU, 1),
    E("aa_bilinear_down", interpolate, "2x9x11x3", 0, 4, 3, BIA), E("aa_bilinear_up", interpolate, "1x3x4x2", 0, 7, 6, BIA), E("aa_bilinear_mixed", interpolate, "1x9x3x2", 0, 2, 7, BIA), E("aa_bicubic_down", interpolate, "2x9x11x3", 0, 4, 3, CUA), E("aa_bicubic_up", interpolate, "1x3x4x2", 0, 7, 6, CUA),
    E("aa_to_one", interpolate, "1x7x8x2", 0, 1, 1, CUA), E("aa_align", interpolate, "1x9x11x2", 0, 4, 5, BIA, 1), E("aa_align_cubic", interpolate, "1x9x11x2", 0, 4, 5, CUA, 1), E("aa_big", interpolate, "3x37x41x17", NO_CHECK, 11, 13, CUA), E("bicubic_big", interpolate, "3x17x19x33", NO_CHECK, 40, 31, CU),
    /* padding: axis, before, after, mode, value */
    E("reflect", pad_ex, "2x5", 0, 1, 3, 2, 1), E("reflect_mid", pad_ex, "2x5x3", 0, 1, 4, 4, 1), E("reflect_first", pad_ex, "4x2x3", 0, 0, 0, 3, 1), E("reflect_none", pad_ex, "2x3", 0, -1, 0, 0, 1), E("reflect_big", pad_ex, "3x35x67", NO_CHECK, 1, 30, 34, 1),
    E("replicate", pad_ex, "2x5", 0, 1, 3, 7, 2), E("replicate_mid", pad_ex, "2x3x4", 0, -2, 2, 1, 2), E("replicate_one", pad_ex, "2x1x4", 0, 1, 2, 3, 2), E("pad_constant", pad_ex, "2x3x4", 0, -1, 1, 3, 0, 0.5f),
    /* slices with steps: axis, begin, end, step */
    E("slice_step", slice_ex, "3x7", 0, 1, 1, 7, 2), E("slice_step_3", slice_ex, "8x5", 0, 0, 0, 8, 3), E("slice_step_1", slice_ex, "3x7", 0, 1, 2, 5, 1), E("slice_flip", slice_ex, "3x4x5", 0, 1, 3, -1, -1), E("slice_back", slice_ex, "3x9", 0, -1, 7, 1, -3), E("slice_far", slice_ex, "3x9", 0, 1, 4, 9, 100),
    /* picked values: axis */
    E("gather_along", gather_along, "3x5x4 3x7x4i5", 0, 1), E("gather_along_last", gather_along, "3x6 3x4i6", 0, -1), E("gather_along_first", gather_along, "6x4 2x4i6", 0, 0), E("gather_along_rows", gather_along, "3x5x4 9i5", 0, 1), E("gather_along_1", gather_along, "6 9i6", 0, 0), E("gather_along_big", gather_along, "5x33x131 5x70x131i33", NO_CHECK, 1),
    E("gather_along_rows_big", gather_along, "33x257 70i33", NO_CHECK, 0),
    E("scatter", scatter, "3x5x4 3x3x4i5 3x3x4", 0, 1), E("scatter_many", scatter, "2x4 2x9i4 2x9", 0, 1), E("scatter_rows", scatter, "5x4 7i5 7x4", 0, 0), E("scatter_big", scatter, "5x33x131 5x20x131i33 5x20x131", NO_CHECK, 1),
    E("scatter_add", scatter_add, "3x5x4 3x3x4i5 3x3x4", 0, 1), E("scatter_add_many", scatter_add, "2x4 2x9i4 2x9", 0, -1), E("scatter_add_rows", scatter_add, "5x4 7i5 7x4", 0, 0), E("scatter_add_big", scatter_add, "5x33x131 5x70x131i33 5x70x131", NO_CHECK, 1),
    E("one_hot", one_hot, "3x4i5", NO_CHECK, 5), E("one_hot_more", one_hot, "7i3", NO_CHECK, 9),
};
CASE_TESTS(table, golden_shapes)

int main(int argc, char **argv) {
    if (listed(argc, argv)) return 0;
    TEST(gradients)
    TEST(torch_values)
    TEST(threads)
    TEST(instruction_sets)
    return test_end();
}
