/* One table of all operations but those of tests/shapes.c; what is done with an entry stands in tests/op_cases.h. Wrong
   shapes: an error sentence that begins with the function's name (the list at the end). */
#include "../ssl.h"
#include "harness.h"
#include "golden/ops.h"
#include "op_cases.h"

/* --- the operations ----------------------------------------------------------------------------------------------- */

OP(f_add) BODY(sslh_add(c, in[0], in[1]))
OP(f_sub) BODY(sslh_sub(c, in[0], in[1]))
OP(f_mul) BODY(sslh_mul(c, in[0], in[1]))
OP(f_div) BODY(sslh_div(c, in[0], in[1]))
OP(f_minimum) BODY(sslh_minimum(c, in[0], in[1]))
OP(f_maximum) BODY(sslh_maximum(c, in[0], in[1]))
OP(f_where) BODY(sslh_where(c, in[0], in[1], in[2]))
OP(f_greater) BODY(sslh_greater(c, in[0], in[1]))
OP(f_scale) BODY(sslh_scale(c, in[0], p[0]))
OP(f_shift) BODY(sslh_shift(c, in[0], p[0]))
OP(f_neg) BODY(sslh_neg(c, in[0]))
OP(f_exp) BODY(sslh_exp(c, in[0]))
OP(f_log) BODY(sslh_log(c, in[0]))
OP(f_sqrt) BODY(sslh_sqrt(c, in[0]))
OP(f_square) BODY(sslh_square(c, in[0]))
OP(f_abs) BODY(sslh_abs(c, in[0]))
OP(f_pow) BODY(sslh_pow(c, in[0], p[0]))
OP(f_clamp) BODY(sslh_clamp(c, in[0], p[0], p[1]))
OP(f_relu) BODY(sslh_relu(c, in[0]))
OP(f_leaky_relu) BODY(sslh_leaky_relu(c, in[0], p[0]))
OP(f_elu) BODY(sslh_elu(c, in[0], p[0]))
OP(f_gelu) BODY(sslh_gelu(c, in[0]))
OP(f_gelu_tanh) BODY(sslh_gelu_tanh(c, in[0]))
OP(f_silu) BODY(sslh_silu(c, in[0]))
OP(f_sigmoid) BODY(sslh_sigmoid(c, in[0]))
OP(f_tanh) BODY(sslh_tanh(c, in[0]))
OP(f_softplus) BODY(sslh_softplus(c, in[0]))
OP(f_activate) BODY(sslh_activate(c, in[0], (sslh_activation)I(0)))
OP(f_sum) BODY(sslh_sum(c, in[0], I(0), I(1)))
OP(f_mean) BODY(sslh_mean(c, in[0], I(0), I(1)))
OP(f_variance) BODY(sslh_variance(c, in[0], I(0), I(1), I(2)))
OP(f_max) BODY(sslh_max(c, in[0], I(0), I(1)))
OP(f_logsumexp) BODY(sslh_logsumexp(c, in[0], I(0), I(1)))
OP(f_argmax) BODY(sslh_argmax(c, in[0], I(0)))
OP(f_softmax) BODY(sslh_softmax(c, in[0], I(0)))
OP(f_log_softmax) BODY(sslh_log_softmax(c, in[0], I(0)))
OP(f_sinkhorn) BODY(sslh_sinkhorn(c, in[0], I(0), p[1]))
OP(f_matmul) BODY(sslh_matmul(c, in[0], in[1]))
OP(f_matmul_ex) BODY(sslh_matmul_ex(c, in[0], in[1], I(0), I(1)))
OP(f_linear) BODY(sslh_linear(c, in[0], in[1], in[2]))
OP(f_linear_ex) BODY(sslh_linear_ex(c, in[0], in[1], in[2], (sslh_activation)I(0)))
static sslh_conv_desc conv_desc(const float *p) {
    sslh_conv_desc d;
    memset(&d, 0, sizeof d);
    d.stride = I(0), d.stride_w = I(1), d.pad = I(2), d.pad_w = I(3), d.dilation = I(4), d.dilation_w = I(5);
    d.groups = I(6), d.output_pad = I(7), d.activation = (sslh_activation)I(8);
    return d;
}
OP(f_conv2d) BODY(sslh_conv2d(c, in[0], in[1], in[2], conv_desc(p)))
OP(f_conv1d) BODY(sslh_conv1d(c, in[0], in[1], in[2], conv_desc(p)))
OP(f_conv2d_transpose) BODY(sslh_conv2d_transpose(c, in[0], in[1], in[2], conv_desc(p)))
OP(f_conv1d_transpose) BODY(sslh_conv1d_transpose(c, in[0], in[1], in[2], conv_desc(p)))
OP(f_max_pool2d) BODY(sslh_max_pool2d(c, in[0], I(0), I(1), I(2)))
OP(f_avg_pool2d) BODY(sslh_avg_pool2d(c, in[0], I(0), I(1), I(2)))
OP(f_global_avg_pool) BODY(sslh_global_avg_pool(c, in[0]))
OP(f_global_max_pool) BODY(sslh_global_max_pool(c, in[0]))
OP(f_resize_nearest) BODY(sslh_resize_nearest(c, in[0], I(0), I(1)))
OP(f_resize_bilinear) BODY(sslh_resize_bilinear(c, in[0], I(0), I(1)))
/* in: x gamma beta running_mean running_var residual; the running statistics afterwards are compared too */
OP(f_batch_norm) {
    sslh_batch_norm_desc d;
    sslh_tensor *y;
    memset(&d, 0, sizeof d);
    d.training = I(0), d.momentum = p[1], d.eps = p[2], d.virtual_groups = I(3), d.activation = (sslh_activation)I(4);
    y = sslh_batch_norm(c, in[0], in[1], in[2], in[3], in[4], in[5], d);
    if (in[3]) extra[extras++] = in[3], extra[extras++] = in[4];
    return y;
}
OP(f_layer_norm) BODY(sslh_layer_norm(c, in[0], in[1], in[2], p[0]))
OP(f_rms_norm) BODY(sslh_rms_norm(c, in[0], in[1], p[0]))
OP(f_group_norm) BODY(sslh_group_norm(c, in[0], in[1], in[2], I(0), p[1]))
OP(f_l2_normalize) BODY(sslh_l2_normalize(c, in[0], p[0]))
OP(f_standardize) BODY(sslh_standardize(c, in[0], I(0), p[1]))
OP(f_dropout) BODY(sslh_dropout(c, in[0], p[0]))
OP(f_drop_path) BODY(sslh_drop_path(c, in[0], p[0]))
/* p: number of dimensions, sizes */
static sslh_shape shape_of_p(const float *p) {
    sslh_shape s;
    int i;
    memset(&s, 0, sizeof s);
    s.ndim = I(0);
    for (i = 0; i < s.ndim; i++) s.size[i] = I(1 + i);
    return s;
}
OP(f_reshape) BODY(sslh_reshape(c, in[0], shape_of_p(p)))
OP(f_broadcast) BODY(sslh_broadcast(c, in[0], shape_of_p(p)))
OP(f_permute) {
    int order[6], i;
    for (i = 0; i < 6; i++) order[i] = I(i);
    return sslh_permute(c, in[0], order);
}
OP(f_transpose) BODY(sslh_transpose(c, in[0], I(0), I(1)))
OP(f_concat) BODY(sslh_concat(c, in, I(1), I(0)))
OP(f_slice) BODY(sslh_slice(c, in[0], I(0), I(1), I(2)))
OP(f_pad) BODY(sslh_pad(c, in[0], I(0), I(1), I(2), p[3]))
OP(f_embedding) BODY(sslh_embedding(c, in[0], in[1]))
OP(f_gather) BODY(sslh_gather(c, in[0], in[1]))
OP(f_crop) BODY(sslh_crop(c, in[0], in[1], I(0), I(1)))
OP(f_unfold) BODY(sslh_unfold(c, in[0], I(0), I(1), I(2), I(3)))
OP(f_rgb_to_lab) BODY(sslh_rgb_to_lab(c, sslh_shift(c, sslh_scale(c, in[0], 0.5f), 0.5f)))
OP(f_lab_to_rgb) BODY(sslh_lab_to_rgb(c, sslh_shift(c, sslh_scale(c, in[0], 60), 40)))
OP(f_to_real) BODY(sslh_to_real(c, in[0], p[0]))
/* p: heads, causal, scale, ask for the weights; in[0..2]: key mask, mask, bias, or NULL */
static sslh_attention_desc attention_desc(const float *p, sslh_tensor **in) {
    sslh_attention_desc d;
    memset(&d, 0, sizeof d);
    d.heads = I(0), d.causal = I(1), d.scale = p[2], d.key_mask = in[0], d.mask = in[1], d.bias = in[2];
    return d;
}
OP(f_attention) {
    sslh_attention_desc d = attention_desc(p, in + 3);
    sslh_tensor *w = NULL, *y;
    if (I(3)) d.weights = &w;
    y = sslh_attention(c, in[0], in[1], in[2], d);
    if (w) extra[extras++] = w;
    return y;
}
OP(f_self_attention) BODY(sslh_self_attention(c, in[0], attention_desc(p, in + 1)))
OP(f_gru) BODY(sslh_gru(c, in[0], in[1], in[2], in[3], in[4], in[5]))
/* in: x w_ih w_hh b_ih b_hh h0 lengths c0; p: reverse, the result: 0 all states, 1 the last one, 2 the last cell, 3 all
   side by side. Lengths are drawn from 0. */
static sslh_tensor *recurrent(sslh_ctx *c, sslh_tensor **in, const float *p, int lstm) {
    sslh_recurrent_desc d;
    sslh_tensor *y, *last = NULL, *cell = NULL;
    int32_t lengths[64];
    int i;
    memset(&d, 0, sizeof d);
    d.h0 = in[5], d.c0 = in[7], d.reverse = I(0);
    for (i = 0; in[6] && i < in[6]->shape[0]; i++) lengths[i] = in[6]->ints[i] + 1;
    if (in[6]) d.lengths = sslh_from_ints(c, sslh_shape_of(in[6]), lengths);
    if (I(1) & 1) d.h_last = &last;
    if (I(1) & 2) d.c_last = &cell;
    y = (lstm ? sslh_lstm : sslh_gru_ex)(c, in[0], in[1], in[2], in[3], in[4], d);
    if (I(1) == 1) return last;
    if (I(1) == 2) return cell;
    if (I(1) == 3) {
        sslh_tensor *all[3];
        int n = y->shape[0], w = y->shape[2];
        all[0] = sslh_reshape(c, last, sslh_dim3(n, 1, w)), all[1] = y,
        all[2] = sslh_reshape(c, cell, sslh_dim3(n, 1, w));
        return sslh_concat(c, all, 3, 1);
    }
    return y;
}
OP(f_gru_ex) BODY(recurrent(c, in, p, 0))
OP(f_lstm) BODY(recurrent(c, in, p, 1))
/* A layer of width 6 whose parameters are drawn by their names, which are PyTorch's. in: x lengths h0 c0; p: LSTM,
   layers, bidirectional, no_bias. */
OP(f_recurrent_layer) {
    sslh_net_desc nd;
    sslh_recurrent_desc d;
    sslh_net *net;
    sslh_tensor *y, *h_last = NULL, *c_last = NULL;
    int32_t lengths[64];
    int i, at;
    memset(&nd, 0, sizeof nd);
    memset(&d, 0, sizeof d);
    d.layers = I(1), d.bidirectional = I(2), d.no_bias = I(3);
    net = sslh_net_new(c, nd);
    at = (I(0) ? sslh_layer_lstm_new : sslh_layer_gru_new)(net, "", in[0]->shape[2], 6, d);
    for (i = 0; i < sslh_count_tensors(net); i++) {
        char name[100];
        float v[1024];
        sslh_tensor *t = sslh_tensor_at(net, i, name, sizeof name, NULL);
        uint32_t seed = name_seed("recurrent_layer", name, 0);
        size_t k;
        for (k = 0; k < t->count; k++) v[k] = draw(&seed) * 0.5f;
        sslh_write(t, v, t->count);
    }
    for (i = 0; in[1] && i < in[1]->shape[0]; i++) lengths[i] = in[1]->ints[i] + 1;
    if (in[1]) d.lengths = sslh_from_ints(c, sslh_shape_of(in[1]), lengths);
    d.h0 = in[2], d.c0 = in[3], d.h_last = &h_last;
    if (I(0)) d.c_last = &c_last;
    y = (I(0) ? sslh_layer_lstm : sslh_layer_gru)(net, at, in[0], d);
    extra[extras++] = h_last;
    if (I(0)) extra[extras++] = c_last;
    return y;
}
OP(f_cross_entropy) BODY(sslh_cross_entropy(c, in[0], in[1]))
OP(f_cross_entropy_ex) BODY(sslh_cross_entropy_ex(c, in[0], in[1], p[0], I(1)))
/* in: logits, labels or targets, weight or NULL; p: smoothing, ignore, reduction */
OP(f_linear_cross_entropy) BODY(sslh_linear_cross_entropy(c, in[0], in[1], in[2], in[3], I(0)))
OP(f_cross_entropy_full) {
    sslh_cross_entropy_desc d;
    memset(&d, 0, sizeof d);
    d.smoothing = p[0], d.weight = in[2], d.reduction = (sslh_reduction)I(2);
    return sslh_cross_entropy_full(c, in[0], in[1], I(1), d);
}
/* the second input becomes a distribution by softmax */
OP(f_cross_entropy_soft) BODY(sslh_cross_entropy_soft(c, in[0], sslh_softmax(c, in[1], -1)))
OP(f_bce_with_logits) BODY(sslh_bce_with_logits(c, in[0], in[1]))
/* in: fake, real; p: kind, generator */
OP(f_adversarial_loss) BODY(sslh_adversarial_loss(c, I(1) ? NULL : in[1], in[0], (sslh_adversary)I(0)))
OP(f_mse) BODY(sslh_mse(c, in[0], in[1]))
OP(f_l1) BODY(sslh_l1(c, in[0], in[1]))
OP(f_huber) BODY(sslh_huber(c, in[0], in[1], p[0]))
OP(f_kl_div) BODY(sslh_kl_div(c, sslh_log_softmax(c, in[0], -1), in[1]))
OP(f_nt_xent) BODY(sslh_nt_xent(c, in[0], in[1], p[0]))
OP(f_info_nce) BODY(sslh_info_nce(c, in[0], in[1], in[2], p[0]))
OP(f_supcon_loss) BODY(sslh_supcon_loss(c, in[0], in[1], p[0]))
OP(f_clip_loss) BODY(sslh_clip_loss(c, in[0], in[1], in[2], in[3]))
OP(f_siglip_loss) BODY(sslh_siglip_loss(c, in[0], in[1], in[2], in[3], in[4]))
OP(f_accuracy) BODY(sslh_accuracy(c, in[0], in[1], I(0)))
OP(f_negative_cosine) BODY(sslh_negative_cosine(c, in[0], in[1]))
OP(f_barlow_loss) BODY(sslh_barlow_loss(c, in[0], in[1], p[0]))
OP(f_vicreg_loss) BODY(sslh_vicreg_loss(c, in[0], in[1], p[0], p[1], p[2]))
#if SSLH_WITH_VAE
OP(f_gaussian_kl) BODY(sslh_gaussian_kl(c, in[0], in[1]))
#endif
#if SSLH_WITH_MAE
OP(f_patchify) BODY(sslh_patchify(c, in[0], I(0)))
OP(f_unpatchify) BODY(sslh_unpatchify(c, in[0], I(0), I(1), I(2)))
#endif

static const op_case table[] = {
    /* element-wise: same shape, row, column, both sides, scalar, sizes that fill no vector */
    E("add", add, "7x13 7x13", 0, 0), E("add_row", add, "6x17 17", 0, 0), E("add_col", add, "6x17 6x1", 0, 0),
    E("add_both", add, "3x1x5 4x1", 0, 0), E("add_scalar", add, "5x7 0", 0, 0),
    E("add_scalar_left", add, "0 5x7", 0, 0),
    E("add_big", add, "67x1025 1025", NO_CHECK, 0), E("add_channels", add, "2x5x7x33 33", NO_CHECK, 0),
    E("add_six", add, "2x1x3x1x2x3 1x4x3x2x1x3", 0, 0),
    E("sub", sub, "7x13 7x13", 0, 0), E("sub_row", sub, "6x17 17", 0, 0), E("sub_left", sub, "17 6x17", 0, 0),
    E("sub_big", sub, "67x1025 67x1", NO_CHECK, 0),
    E("mul", mul, "7x13 7x13", 0, 0), E("mul_row", mul, "6x17 17", 0, 0), E("mul_both", mul, "3x1x5 4x1", 0, 0),
    E("mul_col", mul, "6x17 6x1", 0, 0),
    E("mul_scalar", mul, "5x7 0", 0, 0), E("mul_big", mul, "67x1025 67x1025", NO_CHECK, 0),
    E("mul_big_row", mul, "67x1025 1025", NO_CHECK, 0),
    E("div", div, "7x13 7x13p", 0, 0), E("div_row", div, "6x17 17p", 0, 0), E("div_col", div, "6x17 6x1p", 0, 0),
    E("div_left", div, "0 5x7p", 0, 0),
    E("minimum", minimum, "7x13 7x13", 0, 0), E("minimum_row", minimum, "6x17 17", 0, 0),
    E("maximum", maximum, "7x13 7x13", 0, 0), E("maximum_col", maximum, "6x17 6x1", 0, 0),
    E("where", where, "4x5u2 4x5 5", 0, 0), E("where_ints", where, "4x1i2 4x5 4x5", 0, 0),
    E("where_big", where, "33x67u2 33x67 33x67", NO_CHECK, 0),
    E("greater", greater, "9x7 7", NO_CHECK, 0),
    E("scale", scale, "5x37", 0, 1.7f), E("shift", shift, "5x37", 0, -0.3f), E("neg", neg, "5x37", 0, 0),
    E("exp", exp, "5x37l", 0, 0), E("exp_big", exp, "41x1001l", NO_CHECK, 0),
    E("log", log, "5x37p", 0, 0), E("log_big", log, "41x1001p", NO_CHECK, 0),
    E("sqrt", sqrt, "5x37p", 0, 0), E("square", square, "5x37", 0, 0), E("abs", abs, "5x37", 0, 0),
    E("pow", pow, "5x37p", 0, 2.5f), E("pow_neg", pow, "5x37p", 0, -0.5f), E("pow_2", pow, "5x37", 0, 2),
    E("pow_3", pow, "5x37", 0, 3),
    E("clamp", clamp, "5x37", 0, -0.5f, 0.625f),
    E("relu", relu, "5x37", 0, 0), E("relu_big", relu, "41x1001", NO_CHECK, 0),
    E("leaky_relu", leaky_relu, "5x37", 0, 0.1f), E("elu", elu, "5x37l", 0, 1.3f),
    E("gelu", gelu, "5x37l", 0, 0), E("gelu_big", gelu, "41x1001l", NO_CHECK, 0),
    E("gelu_tanh", gelu_tanh, "5x37l", 0, 0), E("silu", silu, "5x37l", 0, 0), E("sigmoid", sigmoid, "5x37l", 0, 0),
    E("tanh", tanh, "5x37l", 0, 0),
    E("tanh_big", tanh, "41x1001l", NO_CHECK, 0), E("softplus", softplus, "5x37l", 0, 0),
    E("activate_linear", activate, "3x11l", 0, 0), E("activate_relu", activate, "3x11l", 0, 1),
    E("activate_gelu", activate, "3x11l", 0, 2),
    E("activate_gelu_tanh", activate, "3x11l", 0, 3), E("activate_silu", activate, "3x11l", 0, 4),
    E("activate_sigmoid", activate, "3x11l", 0, 5),
    E("activate_tanh", activate, "3x11l", 0, 6), E("activate_gelu_quick", activate, "3x11l", 0, 7),
    /* reductions */
    E("sum", sum, "3x5x7", 0, ALL, 0), E("sum_last", sum, "3x5x7", 0, A(-1), 0),
    E("sum_first", sum, "3x5x7", 0, A(0), 0), E("sum_middle", sum, "3x5x7", 0, A(1), 1),
    E("sum_outer", sum, "3x5x7", 0, A(0) + A(2), 0), E("sum_keep", sum, "3x5x7", 0, ALL, 1),
    E("sum_big", sum, "70x1025", NO_CHECK, ALL, 0),
    E("sum_big_rows", sum, "70x1025", NO_CHECK, A(0), 0), E("sum_big_cols", sum, "70x1025", NO_CHECK, A(1), 0),
    E("sum_channels", sum, "3x9x11x35", NO_CHECK, A(0) + A(1) + A(2), 0),
    E("mean", mean, "3x5x7", 0, ALL, 0), E("mean_last", mean, "3x5x7", 0, A(-1), 1),
    E("mean_two", mean, "3x5x7x2", 0, A(1) + A(2), 0),
    E("variance", variance, "3x5x7", 0, ALL, 0, 0), E("variance_1", variance, "6x7", 0, A(0), 0, 1),
    E("variance_keep", variance, "3x5x7", 0, A(-1) + A(0), 1, 1),
    E("max", max, "3x5x7", 0, ALL, 0), E("max_last", max, "3x5x7", 0, A(2), 0),
    E("max_first", max, "3x5x7", 0, A(0), 1), E("max_two", max, "3x5x7", 0, A(0) + A(1), 0),
    E("logsumexp", logsumexp, "3x5x7l", 0, A(-1), 0), E("logsumexp_first", logsumexp, "3x5x7l", 0, A(0), 1),
    E("logsumexp_all", logsumexp, "3x5x7l", 0, ALL, 0),
    E("argmax", argmax, "3x5x7", NO_CHECK, -1), E("argmax_first", argmax, "9x5", NO_CHECK, 0),
    E("argmax_mid", argmax, "3x5x7", NO_CHECK, 1),
    E("softmax", softmax, "5x7l", 0, -1), E("softmax_first", softmax, "5x7l", 0, 0),
    E("softmax_mid", softmax, "3x5x7l", 0, 1), E("softmax_big", softmax, "35x1003l", NO_CHECK, 1),
    E("softmax_one", softmax, "5x1l", 0, -1),
    E("log_softmax", log_softmax, "5x7l", 0, -1), E("log_softmax_first", log_softmax, "5x7l", 0, 0),
    E("log_softmax_big", log_softmax, "35x1003l", NO_CHECK, -1),
    E("sinkhorn", sinkhorn, "9x5n", NO_CHECK, 3, 0.05f), E("sinkhorn_default", sinkhorn, "9x5n", NO_CHECK, 0, 0),
    E("sinkhorn_sharp", sinkhorn, "7x4n", NO_CHECK, 1, 0.0025f),
    E("sinkhorn_big", sinkhorn, "131x67n", NO_CHECK, 5, 0.1f),
    /* products: odd sizes, one row, one column, one k, batches */
    E("matmul", matmul, "5x7 7x9", 0, 0), E("matmul_1", matmul, "1x1 1x1", 0, 0),
    E("matmul_row", matmul, "1x13 13x17", 0, 0), E("matmul_col", matmul, "19x13 13x1", 0, 0),
    E("matmul_k1", matmul, "17x1 1x19", 0, 0), E("matmul_batch", matmul, "3x5x7 3x7x4", 0, 0),
    E("matmul_batch4", matmul, "2x3x5x7 2x3x7x4", 0, 0),
    E("matmul_left", matmul, "2x3x5x7 7x4", 0, 0), E("matmul_right", matmul, "5x7 3x7x4", 0, 0),
    E("matmul_big", matmul, "67x129 129x35", NO_CHECK, 0),
    E("matmul_tall", matmul, "301x70 70x33", NO_CHECK, 0), E("matmul_wide", matmul, "9x70 70x515", NO_CHECK, 0),
    E("matmul_deep", matmul, "33x1031 1031x17", NO_CHECK, 0),
    E("matmul_16", matmul, "48x64 64x96", NO_CHECK, 0),
    E("matmul_broadcast", matmul, "2x1x3x4 5x4x6", 0, 0), E("matmul_broadcast_one", matmul, "3x1x2x4 1x3x4x5", 0, 0),
    E("matmul_broadcast_outer", matmul, "1x3x2x4 2x1x4x5", 0, 0),
    E("matmul_broadcast_mid", matmul, "2x3x2x4 2x1x4x3", 0, 0),
    E("matmul_broadcast_six", matmul, "2x1x3x1x2x3 4x1x2x3x2", 0, 0),
    E("matmul_broadcast_size_1", matmul, "1x1x3x4 7x4x2", 0, 0),
    E("matmul_broadcast_left", matmul, "4x3x5x7 1x7x4", 0, 0),
    E("matmul_broadcast_tn", matmul_ex, "2x1x4x3 5x4x6", 0, 1, 0),
    E("matmul_broadcast_nt", matmul_ex, "2x1x3x4 5x6x4", 0, 0, 1),
    E("matmul_broadcast_tt", matmul_ex, "2x3x4x3 3x6x4", 0, 1, 1),
    E("matmul_broadcast_big", matmul, "3x1x33x65 4x65x17", NO_CHECK, 0),
    E("matmul_nt", matmul_ex, "5x7 9x7", 0, 0, 1), E("matmul_tn", matmul_ex, "7x5 7x9", 0, 1, 0),
    E("matmul_tt", matmul_ex, "7x5 9x7", 0, 1, 1),
    E("matmul_nt_batch", matmul_ex, "3x5x7 3x4x7", 0, 0, 1), E("matmul_tn_batch", matmul_ex, "3x7x5 3x7x4", 0, 1, 0),
    E("matmul_tt_batch", matmul_ex, "3x7x5 4x7", 0, 1, 1),
    E("matmul_nt_big", matmul_ex, "67x129 131x129", NO_CHECK, 0, 1),
    E("matmul_tn_big", matmul_ex, "130x67 130x35", NO_CHECK, 1, 0),
    E("matmul_tt_big", matmul_ex, "71x65 35x71", NO_CHECK, 1, 1),
    E("linear", linear, "5x7 9x7 9", 0, 0), E("linear_no_bias", linear, "2x3x7 9x7 -", 0, 0),
    E("linear_1", linear, "7 9x7 9", 0, 0), E("linear_big", linear, "65x130 67x130 67", NO_CHECK, 0),
    E("linear_tokens", linear, "3x17x48 40x48 40", NO_CHECK, 0),
    E("linear_ex_linear", linear_ex, "5x7 9x7 9", 0, 0), E("linear_relu", linear_ex, "5x7 9x7 9", 0, 1),
    E("linear_gelu", linear_ex, "5x7 9x7 9", 0, 2), E("linear_gelu_tanh", linear_ex, "5x7 9x7 9", 0, 3),
    E("linear_silu", linear_ex, "5x7 9x7 -", 0, 4), E("linear_sigmoid", linear_ex, "5x7 9x7 9", 0, 5),
    E("linear_tanh", linear_ex, "5x7 9x7 9", 0, 6),
    E("linear_relu_big", linear_ex, "129x65 70x65 70", NO_CHECK, 1),
    E("linear_gelu_big", linear_ex, "129x65 70x65 70", NO_CHECK, 2),
    /* convolution: stride, stride_w, pad, pad_w, dilation, dilation_w, groups, output_pad, activation */
    E("conv_1x1", conv2d, "2x5x6x7 9x1x1x7 9", 0, 0), E("conv_1x1_s2", conv2d, "2x5x7x6 4x1x1x6 -", 0, 2),
    E("conv_3x3", conv2d, "2x6x7x3 5x3x3x3 5", 0, 1, 0, 1),
    E("conv_3x3_valid", conv2d, "2x6x7x3 5x3x3x3 -", 0, 0), E("conv_3x3_s2", conv2d, "2x7x8x3 4x3x3x3 4", 0, 2, 0, 1),
    E("conv_5x5", conv2d, "1x7x6x2 3x5x5x2 3", 0, 1, 0, 2),
    E("conv_7x7_s2", conv2d, "1x13x12x3 4x7x7x3 -", 0, 2, 0, 3), E("conv_2x2_s2", conv2d, "2x6x8x3 4x2x2x3 4", 0, 2),
    E("conv_s3", conv2d, "1x10x11x2 3x3x3x2 3", 0, 3, 0, 1),
    E("conv_asym", conv2d, "1x7x9x2 3x3x2x2 3", 0, 2, 1, 1, SSLH_OFF),
    E("conv_asym2", conv2d, "1x7x9x2 3x1x3x2 3", 0, 1, 2, SSLH_OFF, 1),
    E("conv_dilated", conv2d, "1x9x10x3 4x3x3x3 4", 0, 1, 0, 2, 0, 2),
    E("conv_dilated_w", conv2d, "1x7x10x3 4x3x3x3 4", 0, 1, 0, 1, 2, 1, 2),
    E("conv_groups", conv2d, "2x6x5x6 4x3x3x3 4", 0, 1, 0, 1, 0, 0, 0, 2),
    E("conv_groups_s2", conv2d, "2x7x6x6 9x3x3x2 9", 0, 2, 0, 1, 0, 0, 0, 3),
    E("conv_depthwise", conv2d, "2x6x5x7 7x3x3x1 7", 0, 1, 0, 1, 0, 0, 0, 7),
    E("conv_depthwise2", conv2d, "2x6x5x3 6x3x3x1 -", 0, 2, 0, 1, 0, 0, 0, 3),
    E("conv_depthwise_big", conv2d, "2x11x13x33 33x3x3x1 33", NO_CHECK, 1, 0, 1, 0, 0, 0, 33),
    E("conv_relu", conv2d, "2x6x7x3 5x3x3x3 5", 0, 1, 0, 1, 0, 0, 0, 0, 0, 1),
    E("conv_gelu", conv2d, "2x5x4x3 5x3x3x3 5", 0, 1, 0, 1, 0, 0, 0, 0, 0, 2),
    E("conv_tanh_nobias", conv2d, "2x5x4x3 5x3x3x3 -", 0, 1, 0, 1, 0, 0, 0, 0, 0, 6),
    E("conv_small_image", conv2d, "2x1x2x3 4x3x3x3 4", 0, 1, 0, 1),
    E("conv_one_channel", conv2d, "2x9x8x1 17x3x3x1 17", 0, 1, 0, 1),
    E("conv_to_one", conv2d, "2x6x5x17 1x3x3x17 1", 0, 1, 0, 1),
    E("conv_big", conv2d, "2x17x19x35 33x3x3x35 33", NO_CHECK, 1, 0, 1),
    E("conv_wino", conv2d, "3x16x16x64 64x3x3x64 64", NO_CHECK, 1, 0, 1),
    E("conv_wino_odd", conv2d, "1x15x9x32 48x3x3x32 48", NO_CHECK, 1, 0, 1, 0, 0, 0, 0, 0, 1),
    E("conv_big_s2", conv2d, "3x17x16x32 64x3x3x32 64", NO_CHECK, 2, 0, 1),
    E("conv_big_1x1", conv2d, "3x9x11x66 35x1x1x66 -", NO_CHECK, 0),
    E("conv_stem", conv2d, "3x32x32x3 32x3x3x3 32", NO_CHECK, 2, 0, 1),
    E("conv1d", conv1d, "2x9x3 5x3x3 5", 0, 1, 0, 1), E("conv1d_s2", conv1d, "2x11x3 5x4x3 -", 0, 2, 0, 1),
    E("conv1d_groups", conv1d, "2x9x4 6x3x2 6", 0, 1, 0, 2, 0, 2, 0, 2, 0, 1),
    E("conv1d_big", conv1d, "2x203x17 33x10x17 33", NO_CHECK, 5, 0, 3),
    E("convt", conv2d_transpose, "2x4x5x3 3x3x3x4 4", 0, 2, 0, 1, 0, 0, 0, 0, 1),
    E("convt_k2", conv2d_transpose, "2x4x3x5 5x2x2x3 3", 0, 2),
    E("convt_s1", conv2d_transpose, "1x5x4x3 3x3x3x2 -", 0, 1, 0, 1),
    E("convt_k4", conv2d_transpose, "1x4x5x3 3x4x4x2 2", 0, 2, 0, 1, 0, 0, 0, 0, 0, 1),
    E("convt_groups", conv2d_transpose, "1x4x3x4 4x3x3x3 6", 0, 2, 0, 1, 0, 0, 0, 2, 1),
    E("convt_dilated", conv2d_transpose, "1x4x3x2 2x3x3x3 3", 0, 2, 0, 1, 0, 2),
    E("convt_big", conv2d_transpose, "2x8x9x34 34x4x4x17 17", NO_CHECK, 2, 0, 1),
    E("conv1dt", conv1d_transpose, "2x5x3 3x4x2 2", 0, 2, 0, 1),
    E("conv1dt_groups", conv1d_transpose, "2x5x4 4x3x1 2", 0, 3, 0, 0, 0, 0, 0, 2, 2),
    /* pooling, resizing */
    E("max_pool", max_pool2d, "2x6x8x3", 0, 2, 2, 0), E("max_pool_3s2", max_pool2d, "2x7x8x5", 0, 3, 2, 1),
    E("max_pool_3s1", max_pool2d, "1x5x4x17", 0, 3, 1, 1),
    E("max_pool_big", max_pool2d, "3x17x15x33", NO_CHECK, 3, 2, 1),
    E("avg_pool", avg_pool2d, "2x6x8x3", 0, 2, 2, 0), E("avg_pool_3s2", avg_pool2d, "2x7x8x5", 0, 3, 2, 1),
    E("avg_pool_big", avg_pool2d, "3x17x15x33", NO_CHECK, 3, 2, 1),
    E("global_avg_pool", global_avg_pool, "2x3x5x7", 0, 0), E("global_avg_pool_t", global_avg_pool, "2x6x7", 0, 0),
    E("global_avg_pool_big", global_avg_pool, "5x8x9x130", NO_CHECK, 0),
    E("global_max_pool", global_max_pool, "2x3x5x7", 0, 0), E("global_max_pool_t", global_max_pool, "2x6x7", 0, 0),
    E("nearest_up", resize_nearest, "2x3x4x3", 0, 6, 8), E("nearest_odd", resize_nearest, "1x5x7x2", 0, 8, 4),
    E("bilinear_up", resize_bilinear, "2x3x4x3", 0, 6, 8), E("bilinear_odd", resize_bilinear, "1x5x7x2", 0, 8, 4),
    E("bilinear_one", resize_bilinear, "2x1x1x3", 0, 4, 3),
    /* normalisation: training, momentum, eps, virtual groups, activation; x gamma beta mean var residual */
    E("batch_norm", batch_norm, "6x5 5 5 5n 5q -", 0, 1),
    E("batch_norm_map", batch_norm, "3x4x5x7 7 7 7n 7q -", 0, 1, 0.3f, 1e-3f),
    E("batch_norm_plain", batch_norm, "9x5 - - - - -", 0, 1),
    E("batch_norm_relu", batch_norm, "3x4x5x7 7 7 7n 7q -", 0, 1, 0, 0, 0, 1),
    E("batch_norm_add", batch_norm, "3x2x5x7 7 7 7n 7q 3x2x5x7", 0, 1, 0, 0, 0, 0),
    E("batch_norm_add_relu", batch_norm, "3x2x5x7 7 7 7n 7q 3x2x5x7", 0, 1, 0, 0, 0, 1),
    E("batch_norm_eval", batch_norm, "6x5 5 5 5n 5q -", 0, 0),
    E("batch_norm_eval_relu", batch_norm, "3x2x5x7 7 7 7n 7q 3x2x5x7", 0, 0, 0, 0, 0, 1),
    E("batch_norm_no_beta", batch_norm, "8x5 5 - 5n 5q -", 0, 1),
    E("batch_norm_split", batch_norm, "6x3x5 5 5 5n 5q -", 0, 1, 0, 0, 2, 0),
    E("batch_norm_big", batch_norm, "9x8x9x67 67 67 67n 67q -", NO_CHECK, 1, 0, 0, 0, 1),
    E("batch_norm_big2", batch_norm, "301x33 33 33 33n 33q 301x33", NO_CHECK, 1, 0, 0, 0, 1),
    E("layer_norm", layer_norm, "5x7 7 7", 0, 0), E("layer_norm_plain", layer_norm, "2x5x7 - -", 0, 1e-6f),
    E("layer_norm_no_beta", layer_norm, "5x33 33 -", 0, 0),
    E("layer_norm_big", layer_norm, "65x257 257 257", NO_CHECK, 0),
    E("rms_norm", rms_norm, "5x7 7", 0, 0), E("rms_norm_plain", rms_norm, "2x5x7 -", 0, 1e-3f),
    E("rms_norm_one", rms_norm, "3x1 1", 0, 0.5f), E("rms_norm_vector", rms_norm, "33 33", 0, 0),
    E("rms_norm_big", rms_norm, "65x257 257", NO_CHECK, 0), E("rms_norm_long", rms_norm, "3x9001l 9001", NO_CHECK, 0),
    E("group_norm", group_norm, "2x3x4x6 6 6", 0, 3, 0), E("group_norm_1", group_norm, "2x5x6 6 6", 0, 1, 0),
    E("group_norm_c", group_norm, "2x3x3x4 - -", 0, 4, 1e-3f),
    E("group_norm_big", group_norm, "3x9x7x66 66 66", NO_CHECK, 6, 0),
    E("l2_normalize", l2_normalize, "5x7", 0, 0), E("l2_normalize_big", l2_normalize, "65x131", NO_CHECK, 0),
    E("standardize", standardize, "2x3x4x5", 0, A(1) + A(2), 0),
    E("standardize_all", standardize, "7x9", 0, ALL, 1e-2f), E("standardize_last", standardize, "5x7l", 0, A(-1), 0),
    E("dropout", dropout, "9x11", NO_TORCH, 0.3f), E("dropout_big", dropout, "91x501", NO_CHECK | NO_TORCH, 0.5f),
    E("drop_path", drop_path, "9x2x3", NO_TORCH, 0.4f),
    /* shape */
    E("reshape", reshape, "3x4x5", 0, 2, 12, 5), E("reshape_rest", reshape, "3x4x5", 0, 3, 2, -1, 3),
    E("reshape_0", reshape, "1x1", 0, 0),
    E("permute", permute, "2x3x4x5", 0, 0, 3, 1, 2), E("permute_6", permute, "2x3x1x2x3x2", 0, 5, 3, 1, 0, 2, 4),
    E("permute_big", permute, "3x33x35x7", NO_CHECK, 2, 0, 3, 1),
    E("transpose", transpose, "5x7", 0, 0, 1), E("transpose_neg", transpose, "2x3x4x5", 0, -1, 1),
    E("transpose_big", transpose, "131x67", NO_CHECK, 0, -1),
    E("concat", concat, "3x4 3x2 3x5", 0, 1, 3), E("concat_first", concat, "3x4 1x4 2x4", 0, 0, 3),
    E("concat_mid", concat, "2x3x4 2x1x4", 0, -2, 2), E("concat_one", concat, "2x3", 0, 0, 1),
    E("slice", slice, "5x7", 0, 0, 1, 4), E("slice_last", slice, "3x5x7", 0, -1, 2, 7),
    E("slice_mid", slice, "3x5x7", 0, 1, 0, 1),
    E("pad", pad, "3x4", 0, 0, 2, 1, 0), E("pad_value", pad, "2x3x4", 0, -1, 0, 3, 0.5f),
    E("pad_mid", pad, "2x3x4", 0, 1, 1, 1, -1),
    E("broadcast", broadcast, "3x1x5", 0, 4, 2, 3, 4, 5), E("broadcast_scalar", broadcast, "0", 0, 2, 3, 4),
    E("embedding", embedding, "7x5 3x4i7", 0, 0), E("embedding_1", embedding, "4x3 6i4", 0, 0),
    E("embedding_map", embedding, "5x2x3x2 2x4i5", 0, 0), E("embedding_vector", embedding, "7 2x3i7", 0, 0),
    E("embedding_big", embedding, "50x33 7x40i50", NO_CHECK, 0),
    E("gather", gather, "2x6x5 2x3i6", 0, 0), E("gather_flat", gather, "3x6 3x4i6", 0, 0),
    E("gather_map", gather, "2x5x3x2 2x7i5", 0, 0),
    E("rgb_to_lab", rgb_to_lab, "17x5x3", 0, 0), E("lab_to_rgb", lab_to_rgb, "17x5x3", 0, 0),
    E("to_real_bytes", to_real, "3x5u200", NO_CHECK, 0.00390625f), E("to_real_ints", to_real, "3x5i1000", NO_CHECK, 2),
    E("crop", crop, "2x6x7x3 2x4x2i4", 0, 3, 4), E("crop_one", crop, "3x4x4x1 3x1x2i3", 0, 2, 2),
    E("crop_bytes", crop, "2x5x5x3u9 2x3x2i2", NO_CHECK, 4, 3),
    E("unfold", unfold, "2x6x7x3", 0, 3, 4, 2, 1), E("unfold_apart", unfold, "1x7x8x2", 0, 2, 3, 3, 4),
    E("unfold_whole", unfold, "2x3x4x2", 0, 3, 4, 5, 5),
    /* sequences: heads, causal, scale, weights; q k v mask */
    E("attention", attention, "2x5x6 2x7x6 2x7x6 -", 0, 1),
    E("attention_heads", attention, "2x5x6 2x7x6 2x7x6 -", 0, 3),
    E("attention_causal", attention, "2x6x8 2x6x8 2x6x8 -", 0, 2, 1),
    E("attention_scale", attention, "1x4x6 1x3x6 1x3x6 -", 0, 2, 0, 0.7f),
    E("attention_mask", attention, "3x4x6 3x9x6 3x9x6 3x9u2", 0, 2),
    E("attention_weights", attention, "2x5x6 2x7x6 2x7x6 2x7u2", 0, 2, 0, 0, 1),
    E("attention_causal_weights", attention, "2x5x6 2x5x6 2x5x6 -", 0, 3, 1, 0, 1),
    E("attention_big", attention, "3x67x48 3x131x48 3x131x48 -", NO_CHECK, 3),
    E("attention_big_causal", attention, "2x130x32 2x130x32 2x130x32 -", NO_CHECK, 2, 1),
    E("attention_one", attention, "2x1x4 2x1x4 2x1x4 -", 0, 1),
    E("attention_bias", attention, "2x5x6 2x7x6 2x7x6 - - 2x3x5x7", 0, 3),
    E("attention_bias_heads", attention, "3x5x6 3x7x6 3x7x6 - - 3x5x7l", 0, 3, 0, 0.3f),
    E("attention_bias_alibi", attention, "5x4x6 5x9x6 5x9x6 5x9u2 - 2x1x9", 0, 2),
    E("attention_bias_sample", attention, "3x4x6 3x9x6 3x9x6 - - 3x1x1x9", 0, 2),
    E("attention_bias_causal", attention, "2x6x8 2x6x8 2x6x8 - - 2x6x6", 0, 2, 1, 0, 1),
    E("attention_bias_many", attention, "40x3x4 40x4x4 40x4x4 - - 3x4", NO_CHECK, 2),
    E("attention_pair_mask", attention, "3x4x6 3x9x6 3x9x6 - 4x9u2 -", 0, 2),
    E("attention_pair_mask_heads_2", attention, "2x4x6 2x6x6 2x6x6 - 2x3x4x6u2 -", 0, 3, 0, 0, 1),
    E("attention_pair_mask_all_14", attention, "2x4x6 2x8x6 2x8x6 2x8u2 3x4x8u2 4x8", 0, 3),
    E("attention_value", attention, "2x5x6 2x7x6 2x7x9 -", 0, 3),
    E("attention_value_less", attention, "2x6x8 2x6x8 2x6x2 -", 0, 2, 1, 0, 1),
    E("attention_bias_big", attention, "5x67x48 5x131x48 5x131x51 5x131u2 67x131u2 3x67x131l", NO_CHECK, 3),
    E("attention_value_big", attention, "3x67x48 3x131x48 3x131x99 -", NO_CHECK, 3),
    E("self_attention_bias", self_attention, "2x5x18 - - 3x5x5", 0, 3),
    E("self_attention_pair_mask", self_attention, "2x6x12 - 6x6u2 -", 0, 2),
    E("self_attention", self_attention, "2x5x18 -", 0, 3),
    E("self_attention_causal", self_attention, "2x5x12 -", 0, 2, 1),
    E("self_attention_mask", self_attention, "2x9x12 2x9u2", 0, 1),
    E("self_attention_big", self_attention, "3x65x192 -", NO_CHECK, 4),
    E("gru_lengths", gru_ex, "5x4x3 15x3 15x5 15 15 5x5 5i4", 0, 0),
    E("gru_reverse", gru_ex, "2x4x3 15x3 15x5 15 15 2x5", 0, 1),
    E("gru_reverse_lengths", gru_ex, "5x4x3 15x3 15x5 15 15 - 5i4", 0, 1),
    E("gru_last", gru_ex, "5x4x3 15x3 15x5 15 15 - 5i4", 0, 0, 1),
    E("gru_last_reverse", gru_ex, "5x4x3 15x3 15x5 - - - 5i4", 0, 1, 1),
    E("gru_no_bias", gru, "2x4x3 15x3 15x5 - - -", 0, 0),
    E("gru_lengths_big", gru_ex, "29x23x17 99x17k 99x33k 99 99 29x33 29i23", NO_CHECK, 1),
    E("lstm", lstm, "2x4x3 20x3 20x5 20 20 -", 0, 0), E("lstm_start", lstm, "2x4x3 20x3 20x5 20 20 2x5 - 2x5", 0, 0),
    E("lstm_one", lstm, "3x1x2 8x2 8x2 - - 3x2 - -", 0, 0, 2),
    E("lstm_last", lstm, "3x4x3 20x3 20x5 20 20 - - -", 0, 0, 1),
    E("lstm_cell", lstm, "3x4x3 20x3 20x5 20 20 3x5 - 3x5", 0, 0, 2),
    E("lstm_all", lstm, "3x4x3 20x3 20x5 20 20 3x5 - 3x5", 0, 0, 3),
    E("lstm_reverse", lstm, "3x4x3 20x3 20x5 20 20 3x5 - 3x5", 0, 1, 3),
    E("lstm_lengths", lstm, "5x4x3 20x3 20x5 20 20 5x5 5i4 5x5", 0, 0, 3),
    E("lstm_reverse_lengths", lstm, "5x4x3 20x3 20x5 20 20 5x5 5i4 5x5", 0, 1, 3),
    E("lstm_big", lstm, "29x23x17 132x17k 132x33k 132 132 29x33 29i23 29x33", NO_CHECK, 1, 3),
    E("layer_gru", recurrent_layer, "3x4x5", NO_CHECK, 0, 1),
    E("layer_gru_two", recurrent_layer, "5x4x3 5i4 4x5x6", NO_CHECK, 0, 2, 1),
    E("layer_gru_no_bias", recurrent_layer, "3x4x5 3i4", NO_CHECK, 0, 1, 1, 1),
    E("layer_lstm", recurrent_layer, "3x4x5", NO_CHECK, 1, 0),
    E("layer_lstm_two", recurrent_layer, "5x4x3 5i4 4x5x6 4x5x6", NO_CHECK, 1, 2, 1),
    E("layer_lstm_three", recurrent_layer, "3x4x5 - 3x3x6 3x3x6", NO_CHECK, 1, 3, 0, 1),
    E("lstm_long", lstm, "3x53x9 64x9k 64x16k 64 64 - - -", NO_CHECK, 0),
    E("gru", gru, "2x4x3 15x3 15x5 15 15 -", 0, 0), E("gru_h0", gru, "2x4x3 15x3 15x5 15 15 2x5", 0, 0),
    E("gru_one", gru, "3x1x2 6x2 6x2 6 6 3x2", 0, 0),
    E("gru_big", gru, "5x23x17 99x17k 99x33k 99 99 5x33", NO_CHECK, 0),
    /* losses */
    E("cross_entropy", cross_entropy, "5x7l 5i7", 0, 0), E("cross_entropy_3d", cross_entropy, "2x3x7l 2x3i7", 0, 0),
    E("cross_entropy_big", cross_entropy, "67x131l 67i131", NO_CHECK, 0),
    E("cross_entropy_smooth", cross_entropy_ex, "5x7l 5i7", 0, 0.1f, -100),
    E("cross_entropy_ignore", cross_entropy_ex, "9x4l 9i4", 0, 0, 2),
    E("cross_entropy_both", cross_entropy_ex, "9x4l 9i4", 0, 0.2f, 1),
    E("linear_cross_entropy", linear_cross_entropy, "5x7 9x7 9 5i9", 0, -1),
    E("linear_cross_entropy_ignore", linear_cross_entropy, "2x5x4 3x4 - 2x5i3", 0, 1),
    E("linear_cross_entropy_big", linear_cross_entropy, "67x33 131x33 131 67i131", NO_CHECK, 3),
    E("cross_entropy_weight", cross_entropy_full, "9x4l 9i4 4z", 0, 0, -100),
    E("cross_entropy_weight_sum", cross_entropy_full, "2x5x4l 2x5i4 4z", 0, 0, -100, 1),
    E("cross_entropy_weight_none", cross_entropy_full, "2x5x4l 2x5i4 4z", 0, 0, 1, 2),
    E("cross_entropy_weight_smooth", cross_entropy_full, "9x4l 9i4 4z", 0, 0.2f, 1),
    E("cross_entropy_weight_smooth_sum", cross_entropy_full, "9x4l 9i4 4z", 0, 0.2f, 1, 1),
    E("cross_entropy_weight_smooth_none", cross_entropy_full, "9x4l 9i4 4z", 0, 0.2f, 1, 2),
    E("cross_entropy_sum", cross_entropy_full, "9x4l 9i4", 0, 0.1f, 2, 1),
    E("cross_entropy_none", cross_entropy_full, "3x3x4l 3x3i4", 0, 0.1f, 2, 2),
    E("cross_entropy_soft_sum", cross_entropy_full, "5x7l 5x7z", 0, 0, 0, 1),
    E("cross_entropy_soft_none", cross_entropy_full, "2x3x7l 2x3x7", 0, 0, 0, 2),
    E("cross_entropy_weight_big", cross_entropy_full, "67x131l 67i131 131q", NO_CHECK, 0.1f, 3, 0),
    E("cross_entropy_none_one", cross_entropy_full, "7l 0i7", 0, 0, -1, 2),
    E("cross_entropy_soft", cross_entropy_soft, "5x7l 5x7", 0, 0),
    E("cross_entropy_soft_3d", cross_entropy_soft, "2x3x7l 2x3x7n", 0, 0),
    E("bce", bce_with_logits, "5x7l 5x7z", 0, 0), E("bce_big", bce_with_logits, "41x601l 41x601z", NO_CHECK, 0),
    E("adversarial_1", adversarial_loss, "9x1l 7x1l", 0, 1, 0), E("adversarial_g1", adversarial_loss, "9x1l", 0, 1, 1),
    E("adversarial_2", adversarial_loss, "9x1l 7x1l", 0, 2, 0), E("adversarial_g2", adversarial_loss, "9x1l", 0, 2, 1),
    E("adversarial_3", adversarial_loss, "9x1l 7x1l", 0, 3, 0), E("adversarial_g3", adversarial_loss, "9x1l", 0, 3, 1),
    E("adversarial_4", adversarial_loss, "9x1l 7x1l", 0, 4, 0), E("adversarial_g4", adversarial_loss, "9x1l", 0, 4, 1),
    E("mse", mse, "5x7 5x7", 0, 0), E("mse_big", mse, "41x601 41x601", NO_CHECK, 0),
    E("l1", l1, "5x7 5x7", 0, 0), E("huber", huber, "5x7l 5x7", 0, 0.8f), E("kl_div", kl_div, "5x7l 5x7z", 0, 0),
    E("nt_xent", nt_xent, "5x7 5x7", 0, 0.5f), E("nt_xent_cold", nt_xent, "6x9 6x9", 0, 0.1f),
    E("nt_xent_big", nt_xent, "67x33 67x33", NO_CHECK, 0.5f),
    E("info_nce", info_nce, "5x7 5x7 -", 0, 0.2f), E("info_nce_queue", info_nce, "5x7 5x7 11x7", 0, 0.5f),
    E("info_nce_big", info_nce, "35x33 35x33 131x33", NO_CHECK, 0.2f),
    E("info_nce_own", info_nce, "5x7 5x7 5x11x7", 0, 0.5f), E("info_nce_own_one", info_nce, "1x7 1x7 1x1x7", 0, 0.2f),
    E("info_nce_own_big", info_nce, "67x33 67x33 67x131x33", NO_CHECK, 0.2f),
    E("supcon_loss", supcon_loss, "7x5 7i3", 0, 0.5f), E("supcon_loss_alone", supcon_loss, "6x5 6i9", 0, 0.2f),
    E("supcon_loss_big", supcon_loss, "67x33l 67i10", NO_CHECK, 0.1f),
    E("clip_loss", clip_loss, "5x7 5x7 0 -", 0, 0), E("clip_loss_equal", clip_loss, "7x5 7x5 0 7i3", 0, 0),
    E("clip_loss_big", clip_loss, "67x33l 67x33 0 67i40", NO_CHECK, 0),
    E("siglip_loss", siglip_loss, "5x7 5x7 0 0 -", 0, 0), E("siglip_loss_equal", siglip_loss, "7x5 7x5 0 0 7i3", 0, 0),
    E("siglip_loss_big", siglip_loss, "67x33l 67x33 0 0 67i40", NO_CHECK, 0),
    E("accuracy", accuracy, "33x5n 33i5", NO_CHECK, 1), E("accuracy_3", accuracy, "3x11x7n 3x11i7", NO_CHECK, 3),
    E("accuracy_all", accuracy, "9x4n 9i4", NO_CHECK, 4),
    E("negative_cosine", negative_cosine, "5x7 5x7", 0, 0),
    E("negative_cosine_big", negative_cosine, "67x131l 67x131", NO_CHECK, 0),
    E("barlow_loss", barlow_loss, "9x5 9x5", 0, 0.5f),
    E("barlow_loss_big", barlow_loss, "67x131l 67x131", NO_CHECK, 0.0051f),
    E("vicreg_loss", vicreg_loss, "9x5 9x5", 0, 25, 25, 1),
    E("vicreg_loss_terms", vicreg_loss, "9x5l 9x5", 0, 0.5f, 3, 2),
    E("vicreg_loss_big", vicreg_loss, "67x131l 67x131", NO_CHECK, 25, 25, 1),
#if SSLH_WITH_VAE
    E("gaussian_kl", gaussian_kl, "4x7 4x7", 0, 0),
#endif
#if SSLH_WITH_MAE
    E("patchify", patchify, "2x6x9x3", 0, 3), E("unpatchify", unpatchify, "2x6x27", 0, 3, 6, 9),
#endif
};
CASE_TESTS(table, golden_ops)

/* The elementary functions over their whole range against libm in double. */
static double ref_exp(double x) { return exp(x); }
static double ref_log(double x) { return log(x); }
static double ref_tanh(double x) { return tanh(x); }
static double ref_sigmoid(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }
static double ref_softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double ref_gelu(double x) { return 0.5 * x * erfc(-x / sqrt(2.0)); }
static double ref_sqrt(double x) { return sqrt(x); }
static void elementary_functions(void) {
    static const struct {
        const char *name;
        sslh_tensor *(*fn)(sslh_ctx *, sslh_tensor *);
        double (*ref)(double);
        float  low, high;
        int    logarithmic;
        double absolute;
    } f[] = {
        {"exp", sslh_exp, ref_exp, -87, 88, 0, 0}, {"log", sslh_log, ref_log, 1e-37f, 1e37f, 1, 1e-7},
        {"tanh", sslh_tanh, ref_tanh, -12, 12, 0, 1e-7},
        {"tanh small", sslh_tanh, ref_tanh, 1e-6f, 1, 1, 0}, {"sigmoid", sslh_sigmoid, ref_sigmoid, -80, 40, 0, 0},
        {"softplus", sslh_softplus, ref_softplus, -80, 80, 0, 0},
        {"gelu", sslh_gelu, ref_gelu, -5, 10, 0, 1e-6}, {"sqrt", sslh_sqrt, ref_sqrt, 1e-37f, 1e37f, 1, 0}};
    sslh_ctx *c = create(1, NULL, 0);
    static float v[4001];
    int k, i;
    for (k = 0; k < (int)(sizeof f / sizeof f[0]); k++) {
        double worst = 0;
        sslh_tensor *y;
        for (i = 0; i < 4001; i++) {
            double t = i / 4000.0;
            v[i] = (float)(f[k].logarithmic ? (double)f[k].low * pow((double)f[k].high / (double)f[k].low, t)
                                            : (double)f[k].low + ((double)f[k].high - (double)f[k].low) * t);
        }
        sslh_begin_step(c);
        y = f[k].fn(c, sslh_from(c, sslh_dim1(4001), v));
        CHECK_OK(c);
        for (i = 0; i < 4001 && !sslh_error(c); i++) {
            double ref = f[k].ref((double)v[i]), d = fabs((double)y->data[i] - ref) - f[k].absolute;
            if (d / (fabs(ref) + 1e-37) > worst) worst = d / (fabs(ref) + 1e-37);
        }
        CHECK(worst < 5e-7, "%s: relative error %.2g", f[k].name, worst);
    }
    {   /* the ends: overflow, underflow, infinities, NaN */
        float ends[5] = {-1000, 1000, 0, 0, 0};
        sslh_tensor *x, *y;
        float nan;
        ends[3] = (float)strtod("inf", NULL), ends[4] = (float)strtod("nan", NULL);
        sslh_begin_step(c);
        x = sslh_from(c, sslh_dim1(5), ends);
        y = sslh_exp(c, x);
        CHECK(y->data[0] == 0 && y->data[1] > 1e38f && (double)y->data[2] == 1 && y->data[3] > 1e38f,
              "exp: %g %g %g %g", (double)y->data[0], (double)y->data[1], (double)y->data[2], (double)y->data[3]);
        nan = (float)y->data[4];
        CHECK(nan != nan, "exp(NaN) = %g", (double)nan);
        y = sslh_sigmoid(c, x);
        CHECK(y->data[0] == 0 && (double)y->data[1] == 1 && (double)y->data[2] == 0.5, "sigmoid ends");
        y = sslh_tanh(c, x);
        CHECK((double)y->data[0] == -1 && (double)y->data[1] == 1 && y->data[2] == 0 && y->data[4] != y->data[4],
              "tanh ends");
        y = sslh_relu(c, x);
        CHECK(y->data[4] != y->data[4], "relu(NaN) = %g, PyTorch gives NaN", (double)y->data[4]);
        y = sslh_softplus(c, x);
        CHECK(y->data[0] == 0 && (double)y->data[1] == 1000, "softplus ends");
        y = sslh_gelu(c, x);
        CHECK(y->data[0] == 0 && (double)y->data[1] == 1000, "gelu ends");
        CHECK_OK(c);
    }
    sslh_destroy(c);
}

/* Signs of zeros, infinities and NaN where C and PyTorch have them, and rows whose squares pass the largest number. */
static int same_number(double a, double b) {
    return (a != a && b != b) || (a == b && signbit(a) == signbit(b)) || fabs(a - b) < 1e-6 * fabs(b);
}
static void special_values(void) {
    static const float exponent[11] = {0.5f, 1.5f, -0.5f, -1.5f, 3, -3, 2.3f, -2.3f, 17, -17, 18};
    const int wide = sizeof(sslh_real) == 8;
    double inf = HUGE_VAL, largest = wide ? 1.7e308 : 3.4e38;
    sslh_ctx *c = create(1, NULL, 0);
    sslh_tensor *x, *y, *gamma;
    int i, k;
    x = sslh_zeros(c, sslh_dim1(20)); /* more than a vector has lanes */
    for (i = 0; i < 20; i++)
        x->data[i] = (sslh_real)(i % 5 == 0 ? -0.0 : i % 5 == 1 ? -inf : i % 5 == 2 ? inf : i % 5 == 3 ? -1.5 : 2.5);
    for (k = 0; k < 11; k++) {
        y = sslh_pow(c, x, exponent[k]);
        for (i = 0; i < 20; i++)
            CHECK(same_number((double)y->data[i], pow((double)x->data[i], (double)exponent[k])),
                  "pow(%g, %g) = %g", (double)x->data[i], (double)exponent[k], (double)y->data[i]);
    }
    y = sslh_tanh(c, x);
    for (i = 0; i < 20; i++)
        CHECK(same_number((double)y->data[i], tanh((double)x->data[i])),
              "tanh(%g) = %g", (double)x->data[i], (double)y->data[i]);
    /* a NaN makes its row NaN and no other */
    x = sslh_full(c, sslh_dim2(3, 5), 3);
    x->data[6] = (sslh_real)strtod("nan", NULL);
    y = sslh_l2_normalize(c, x, 0);
    for (i = 0; i < 15; i++) CHECK((y->data[i] != y->data[i]) == (i / 5 == 1), "element %d: %g", i, (double)y->data[i]);
    CHECK_OK(c);
    /* unit rows and normalised rows of the largest numbers */
    for (k = 0; k < 3; k++) {
        double v[5], mean = 0, var = 0, sum = 0;
        sslh_begin_step(c);
        x = sslh_zeros(c, sslh_dim2(2, 5));
        for (i = 0; i < 5; i++) {
            v[i] = k == 0 ? i == 0 : k == 1 ? (i == 2 ? 1 : -1) : 1 - 0.125 * i; /* times the largest */
            x->data[i] = (sslh_real)(v[i] * largest);
            x->data[5 + i] = (sslh_real)v[i];
            mean += v[i] / 5, sum += v[i] * v[i];
        }
        for (i = 0; i < 5; i++) var += (v[i] - mean) * (v[i] - mean) / 5;
        x = sslh_requires_grad(x);
        gamma = sslh_requires_grad(sslh_full(c, sslh_dim1(5), 1));
        y = sslh_keep(sslh_layer_norm(c, x, gamma, NULL, SSLH_OFF));
        sslh_backward(c, sslh_sum(c, y, SSLH_ALL, 0));
        CHECK_OK(c);
        if (sslh_error(c)) break;
        for (i = 0; i < 10; i++) {
            CHECK_NEAR(y->data[i], (v[i % 5] - mean) / sqrt(var), 1e-6);
            CHECK_NEAR(gamma->grad[i % 5], 2 * (v[i % 5] - mean) / sqrt(var), 2e-6);
            CHECK(x->grad[i] - x->grad[i] == 0, "gradient of element %d is %g", i, (double)x->grad[i]);
        }
        y = sslh_l2_normalize(c, x, 0);
        for (i = 0; i < 10; i++) CHECK_NEAR(y->data[i], v[i % 5] / sqrt(sum), 1e-6);
        sslh_begin_step(c);
        x = sslh_zeros(c, sslh_dim2(2, 5));
        for (i = 0; i < 10; i++) x->data[i] = (sslh_real)(v[i % 5] * (i < 5 ? largest : 1));
        x = sslh_requires_grad(x);
        gamma = sslh_requires_grad(sslh_full(c, sslh_dim1(5), 1));
        y = sslh_keep(sslh_rms_norm(c, x, gamma, SSLH_OFF));
        sslh_backward(c, sslh_sum(c, y, SSLH_ALL, 0));
        CHECK_OK(c);
        for (i = 0; i < 10 && !sslh_error(c); i++) {
            double unit = v[i % 5] / sqrt(sum / 5), slope = (1 - unit * mean / sqrt(sum / 5)) / sqrt(sum / 5);
            CHECK_NEAR(y->data[i], unit, 1e-6);
            CHECK_NEAR(gamma->grad[i % 5], 2 * unit, 2e-6);
            CHECK_NEAR((double)x->grad[i] * (i < 5 ? largest : 1), slope, 1e-5);
        }
    }
    sslh_destroy(c);
}

/* Equal values become exactly 0, however their sum is rounded and however large they are beside eps. */
static void equal_values(void) {
    static const double value[5] = {1000, 1e6, 1234567.875, 0.1, -3e30};
    sslh_ctx *c = create(1, NULL, 0);
    int k, n, i;
    for (k = 0; k < 5; k++)
        for (n = 1; n < 100; n += 8) {
            sslh_tensor *y = sslh_standardize(c, sslh_full(c, sslh_dim2(2, n), (sslh_real)value[k]), SSLH_AXIS(1), 0);
            int wrong = 0;
            for (i = 0; i < 2 * n; i++) wrong += y->data[i] != 0;
            CHECK(wrong == 0, "%d values %g become %g", n, value[k], (double)y->data[0]);
            sslh_begin_step(c);
        }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* A real tensor is scaled, and its gradient too. */
static void real_to_real(void) {
    sslh_ctx *c = create(1, NULL, 0);
    sslh_tensor *x = sslh_requires_grad(sslh_full(c, sslh_dim1(5), 3)), *y = sslh_to_real(c, x, 0.25f);
    CHECK_NEAR(y->data[4], 0.75, 0);
    sslh_backward(c, sslh_sum(c, y, SSLH_ALL, 0));
    CHECK_OK(c);
    CHECK(x->grad && x->grad[4] == (sslh_real)0.25, "gradient");
    sslh_destroy(c);
}

/* The sum of x in the backward pass, and 0 in the forward pass, because a loss that is NaN is an error. */
static void no_value(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    (void)c, (void)in, (void)n, (void)user;
    out->data[0] = 0;
}
static void slope_of_sum(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    sslh_real *g = sslh_grad(c, in[0]);
    (void)n, (void)user;
    for (size_t i = 0; g && i < in[0]->count; i++) g[i] += out->grad[0];
}
static sslh_tensor *slope_of_one(sslh_ctx *c, sslh_tensor *x) {
    sslh_op_desc d;
    memset(&d, 0, sizeof d);
    d.forward = no_value, d.backward = slope_of_sum;
    return sslh_custom_op(c, d, &x, 1, sslh_dim0());
}
/* The NaN of a window is its maximum and receives the gradient; windows without one are as ever. */
static void pooled_nan(void) {
    sslh_ctx *c = create(1, NULL, 0);
    sslh_tensor *x = sslh_zeros(c, sslh_dim4(1, 2, 4, 3)), *y;
    int i;
    for (i = 0; i < 24; i++) x->data[i] = (sslh_real)i;
    x->data[3 + 1] = (sslh_real)NAN; /* row 0, column 1, channel 1 */
    y = sslh_keep(sslh_max_pool2d(c, sslh_requires_grad(x), 2, 2, 0));
    CHECK(y->data[1] != y->data[1] && y->data[0] == 15, "values");
    sslh_backward(c, slope_of_one(c, y));
    CHECK_OK(c);
    for (i = 0; i < 24; i++) {
        const int takes = i == 4 || (i >= 12 && i / 3 % 2 == 1 && i != 16); /* the NaN, and the last of each window */
        CHECK(x->grad[i] == (sslh_real)takes, "gradient of value %d is %g", i, (double)x->grad[i]);
    }
    sslh_destroy(c);
}

/* Average pooling over the whole map, by a large window: the gradient needs little memory. */
static void wide_windows(void) {
    sslh_ctx *c = create(1, NULL, 0);
    sslh_tensor *x = sslh_requires_grad(sslh_full(c, sslh_dim4(1, 64, 64, 2), 3));
    size_t i, wrong = 0;
    sslh_tensor *y = sslh_keep(sslh_avg_pool2d(c, x, 64, 64, 0));
    CHECK_NEAR(y->data[1], 3, 1e-5);
    sslh_backward(c, sslh_sum(c, y, SSLH_ALL, 0));
    CHECK_OK(c);
    for (i = 0; x->grad && i < x->count; i++) wrong += x->grad[i] != (sslh_real)1 / 4096;
    CHECK(x->grad && wrong == 0, "%.0f gradients are not 1 / 4096", (double)wrong);
    CHECK(sslh_query(c).peak < 8e6, "peak %.0f", (double)sslh_query(c).peak);
    sslh_destroy(c);
}

/* Statistics whose memory is gone are an error, not a crash. */
static void lost_statistics(void) {
    sslh_ctx *c = create(1, NULL, 0);
    sslh_tensor *x = sslh_full(c, sslh_dim2(4, 3), 1), *w = sslh_requires_grad(sslh_full(c, sslh_dim1(3), 1)), *var;
    sslh_batch_norm_desc d;
    memset(&d, 0, sizeof d);
    for (d.training = 0; d.training < 2; d.training++) {
        var = sslh_scale(c, w, 2);
        sslh_backward(c, sslh_sum(c, sslh_scale(c, var, 2), SSLH_ALL, 0));
        CHECK_OK(c);
        sslh_batch_norm(c, x, NULL, NULL, sslh_zeros(c, sslh_dim1(3)), var, NULL, d);
        CHECK(sslh_error(c) && strstr(sslh_error(c), "sslh_batch_norm: the memory of input 1 was given back"), "%s",
              sslh_error(c) ? sslh_error(c) : "no error");
        sslh_clear_error(c);
        sslh_begin_step(c);
        x = sslh_full(c, sslh_dim2(4, 3), 1), w = sslh_requires_grad(sslh_full(c, sslh_dim1(3), 1));
    }
    sslh_destroy(c);
}

/* Integers are moved as they are, also those whose bits are a signalling NaN of float. */
static void moved_integers(void) {
    static const int32_t v[4] = {-8388607, 2139095041, -4194305, 2143289343}, column[4] = {1, 0, 0, 1};
    sslh_ctx *c = create(1, NULL, 0);
    sslh_tensor *x = sslh_from_ints(c, sslh_dim2(2, 2), v);
    sslh_tensor *index = sslh_from_ints(c, sslh_dim2(2, 2), column);
    sslh_tensor *y = sslh_gather_along(c, x, index, 1);
    CHECK_OK(c);
    CHECK(y->ints[0] == v[1] && y->ints[1] == v[0] && y->ints[2] == v[2] && y->ints[3] == v[3], "gather");
    y = sslh_scatter(c, x, index, y, 1);
    CHECK_OK(c);
    CHECK(memcmp(y->ints, v, sizeof v) == 0, "scatter");
    sslh_destroy(c);
}

/* Numbers that operations are given, or make, are as exact as the build: in double a third is a third. */
static void working_precision(void) {
    const double eps = sizeof(sslh_real) == 8 ? 1e-15 : 1e-7, third = 1.0 / 3;
    sslh_ctx *c = create(1, NULL, 0);
    sslh_tensor *x = sslh_full(c, sslh_dim2(7, 3), (sslh_real)third), *y;
    CHECK_NEAR(x->data[4], third, third * eps);
    CHECK_NEAR(sslh_scale(c, x, (sslh_real)third)->data[4], third * third, eps);
    CHECK_NEAR(sslh_shift(c, x, (sslh_real)third)->data[4], 2 * third, eps);
    CHECK_NEAR(sslh_pow(c, x, (sslh_real)third)->data[4], pow(third, third), eps);
    CHECK_NEAR(sslh_clamp(c, x, (sslh_real)(2 * third), 1)->data[4], 2 * third, eps);
    CHECK_NEAR(sslh_leaky_relu(c, sslh_neg(c, x), (sslh_real)third)->data[4], -third * third, eps);
    CHECK_NEAR(sslh_elu(c, sslh_neg(c, x), (sslh_real)third)->data[4], third * expm1(-third), eps);
    CHECK_NEAR(sslh_mean(c, x, SSLH_ALL, 0)->data[0], third, eps);
    y = sslh_layer_norm(c, sslh_scale(c, x, 0), NULL, NULL, 0); /* rows of 0 but for one: only eps counts */
    CHECK_NEAR(y->data[4], 0, eps);
    x->data[0] = (sslh_real)(third + 1e-3);
    y = sslh_layer_norm(c, x, NULL, NULL, 0);
    CHECK_NEAR(y->data[0], 2e-3 / 3 / sqrt(2e-6 / 9 + 1e-5), sizeof(sslh_real) == 8 ? 1e-12 : 1e-3);
#if SSLH_WITH_VAE
    y = sslh_gaussian_kl(c, sslh_full(c, sslh_dim2(7, 3), 1), sslh_zeros(c, sslh_dim2(7, 3)));
    CHECK_NEAR(y->data[0], 1.5, 1.5 * 2 * eps); /* 3 values of 1/2; the factor -1/14 is no float */
#endif
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Sums over millions of rows, one kind after the other, against sums in double: 0.1 again and again is the hardest
   case, because every addition errs to the same side. */
static double tenth, count;
static void long_sum(const char *what, int columns, const sslh_real *v, double expected, double tolerance) {
    double worst = 0;
    int j;
    for (j = 0; j < columns; j++) worst = fmax(worst, fabs((double)v[j] / expected - 1));
    CHECK(worst <= tolerance, "%s: relative error %.2g", what, worst);
}
static void long_sums(void) {
    static const int columns[4] = {1, 3, 20, 70};
    int k, i, j;
    sslh_ctx *c = create(2, NULL, 0);
    for (k = 0; k < 4; k++) {
        int C = columns[k], n = (test_small() ? 90000 : 3000000) / (k < 2 ? 1 : C / 4) / 3 * 3;
        double mean = 0, var = 0;
        sslh_tensor *x, *row, *bias, *y, *gamma, *mu, *sigma, *seed;
        sslh_batch_norm_desc d;
        memset(&d, 0, sizeof d);
        tenth = (double)0.1f, count = n;
        sslh_begin_step(c);
        x = sslh_full(c, sslh_dim2(n, C), 0.1f);
        y = sslh_sum(c, x, SSLH_AXIS(0), 0);
        long_sum("sum", C, y->data, tenth * n, 2e-6);
        y = sslh_mean(c, x, SSLH_AXIS(0), 0);
        long_sum("mean", C, y->data, tenth, 2e-6);
        y = sslh_sum(c, x, SSLH_ALL, 0);
        long_sum("sum of all", 1, y->data, tenth * n * C, 2e-6);
        /* gradients that are sums over rows: of a bias, of what was broadcast, of gamma and beta */
        row = sslh_requires_grad(sslh_zeros(c, sslh_dim2(1, C)));
        sslh_backward(c, sslh_sum(c, sslh_mul(c, sslh_broadcast(c, row, sslh_dim2(n, C)), x), SSLH_ALL, 0));
        long_sum("broadcast", C, row->grad, tenth * n, 2e-6);
        row = sslh_requires_grad(sslh_zeros(c, sslh_dim2(1, C)));
        sslh_backward(c, sslh_sum(c, sslh_mul(c, sslh_add(c, x, row), x), SSLH_ALL, 0));
        long_sum("added row", C, row->grad, tenth * n, 2e-6);
        for (i = 0; i < 2; i++) {
            bias = sslh_requires_grad(sslh_full(c, sslh_dim1(C), 1));
            y = sslh_linear_ex(c, sslh_zeros(c, sslh_dim2(n, 1)), sslh_zeros(c, sslh_dim2(C, 1)), bias,
                               i ? SSLH_RELU : SSLH_LINEAR);
            sslh_backward(c, sslh_sum(c, sslh_mul(c, y, x), SSLH_ALL, 0));
            long_sum(i ? "bias with a ReLU" : "bias", C, bias->grad, tenth * n, 2e-6);
        }
        CHECK_OK(c);
        sslh_begin_step(c);
        /* 999, 1000, 1001 in turn: normalised by channel, so that gamma's gradient is a sum of products */
        x = sslh_zeros(c, sslh_dim2(n, C));
        for (i = 0; i < n; i++)
            for (j = 0; j < C; j++) x->data[(size_t)i * (size_t)C + (size_t)j] = (sslh_real)(999 + i % 3);
        mean = 1000, var = 2 / 3.0;
        y = sslh_variance(c, x, SSLH_AXIS(0), 0, 0);
        long_sum("variance", C, y->data, var, 2e-6);
        y = sslh_variance(c, x, SSLH_ALL, 0, 0);
        long_sum("variance of all", 1, y->data, var, 2e-6);
        y = sslh_mean(c, x, SSLH_AXIS(0), 0);
        long_sum("mean of 1000", C, y->data, mean, 3e-7);
        gamma = sslh_requires_grad(sslh_full(c, sslh_dim1(C), 1));
        bias = sslh_requires_grad(sslh_full(c, sslh_dim1(C), 3));
        mu = sslh_zeros(c, sslh_dim1(C)), sigma = sslh_zeros(c, sslh_dim1(C));
        d.training = 1, d.momentum = 1, d.eps = SSLH_OFF;
        for (i = 0; i < 2; i++) { /* the sum of (y + 1) y at every place: gradients 2 y + 1 */
            d.activation = i ? SSLH_RELU : SSLH_LINEAR;
            y = sslh_batch_norm(c, x, gamma, bias, mu, sigma, NULL, d);
            sslh_backward(c, sslh_sum(c, sslh_mul(c, y, sslh_shift(c, y, 1)), SSLH_ALL, 0));
            long_sum("running mean", C, mu->data, mean, 3e-7);
            long_sum("running variance", C, sigma->data, var * n / (n - 1.0), 2e-6);
            if (sslh_error(c)) break;
            /* y has mean 3; gradients of two passes */
            long_sum("batch norm, beta", C, bias->grad, (i + 1) * 7.0 * n, 3e-6);
            long_sum("batch norm, gamma", C, gamma->grad, (i + 1) * 2.0 * n, 3e-6);
        }
        CHECK_OK(c);
        if (C > 1) { /* rows 0.1, .., except that the first is 0.2 */
            sslh_begin_step(c);
            x = sslh_zeros(c, sslh_dim2(n, C));
            for (i = 0; i < n; i++) x->data[(size_t)i * (size_t)C] = 1;
            seed = sslh_full(c, sslh_dim2(n, C), 0.1f);
            gamma = sslh_requires_grad(sslh_full(c, sslh_dim1(C), 1));
            bias = sslh_requires_grad(sslh_full(c, sslh_dim1(C), 3));
            y = sslh_layer_norm(c, x, gamma, bias, SSLH_OFF);
            sslh_backward(c, sslh_sum(c, sslh_mul(c, y, seed), SSLH_ALL, 0));
            CHECK_OK(c);
            if (sslh_error(c)) break;
            long_sum("layer norm, beta", C, bias->grad, tenth * n, 3e-6);
            long_sum("layer norm, gamma", 1, gamma->grad, tenth * n * sqrt(C - 1.0), 3e-6);
        }
    }
    /* means of losses over many rows */
    {
        int n = test_small() ? 90000 : 3000000;
        sslh_tensor *x, *t;
        double expected = log1p(exp(-(double)0.3f));
        sslh_begin_step(c);
        x = sslh_zeros(c, sslh_dim2(n, 2)), t = sslh_zeros(c, sslh_dim2(n, 2));
        for (i = 0; i < n; i++) x->data[2 * i] = (sslh_real)0.3f, t->data[2 * i] = 1;
        CHECK_CLOSE(sslh_item(sslh_cross_entropy_soft(c, x, t)) / expected, 1.0, 1e-6);
        CHECK_CLOSE(sslh_item(sslh_cross_entropy(c, x, sslh_argmax(c, x, 1))) / expected, 1.0, 1e-6);
        CHECK_CLOSE(sslh_item(sslh_mse(c, x, sslh_zeros(c, sslh_dim2(n, 2)))) / ((double)0.3f * (double)0.3f / 2),
                    1.0, 1e-6);
        CHECK_OK(c);
    }
    sslh_destroy(c);
}

/* What PyTorch cannot tell: the share and the scale of what dropout leaves. */
static void dropout_statistics(void) {
    sslh_ctx *c = create(2, NULL, 0);
    sslh_tensor *y = sslh_dropout(c, sslh_full(c, sslh_dim2(100, 300), 2.0f), 0.25f);
    size_t i, zeros = 0, wrong = 0;
    CHECK_OK(c);
    for (i = 0; i < y->count; i++) {
        if (y->data[i] == 0) zeros++;
        else if (fabs((double)y->data[i] - 2 / 0.75) > 1e-5) wrong++;
    }
    CHECK(wrong == 0, "%d values with another scale", (int)wrong);
    CHECK_NEAR((double)zeros / 30000, 0.25, 0.015);
    y = sslh_dropout(c, sslh_full(c, sslh_dim1(50), 2.0f), 0);
    CHECK((double)y->data[49] == 2, "p = 0 changes nothing");
    y = sslh_drop_path(c, sslh_full(c, sslh_dim2(2000, 3), 1.0f), 0.5f);
    CHECK_OK(c);
    for (i = zeros = wrong = 0; i < 2000; i++) {
        if (y->data[3 * i] != y->data[3 * i + 1] || y->data[3 * i] != y->data[3 * i + 2]) wrong++;
        if (y->data[3 * i] == 0) zeros++;
    }
    CHECK(wrong == 0, "%d samples half dropped", (int)wrong);
    CHECK_NEAR((double)zeros / 2000, 0.5, 0.05);
    sslh_destroy(c);
}

/* --- error sentences ---------------------------------------------------------------------------------------------- */

static void error_sentences(void) {
    sslh_conv_desc cd;
    sslh_batch_norm_desc bn;
    sslh_attention_desc at;
    sslh_recurrent_desc re;
    sslh_cross_entropy_desc ce;
    sslh_tensor *list[2];
    int order[3] = {0, 0, 1}, outside[2] = {0, 5};
    memset(&cd, 0, sizeof cd);
    memset(&bn, 0, sizeof bn);
    memset(&at, 0, sizeof at);
    bad = create(1, NULL, 0);
    BAD("sslh_add", sslh_add(bad, T(2, 3, 4, 0, 0), T(2, 3, 5, 0, 0)));
    BAD("sslh_sub", sslh_sub(bad, T(2, 3, 4, 0, 0), T(1, 3, 0, 0, 0)));
    BAD("sslh_mul", sslh_mul(bad, T(2, 3, 4, 0, 0), NULL));
    BAD("sslh_div", sslh_div(bad, T(2, 3, 4, 0, 0), ints(1, 4, 0, 1)));
    BAD("sslh_minimum", sslh_minimum(bad, T(1, 3, 0, 0, 0), T(1, 4, 0, 0, 0)));
    BAD("sslh_maximum", sslh_maximum(bad, T(1, 3, 0, 0, 0), T(1, 4, 0, 0, 0)));
    BAD("sslh_where", sslh_where(bad, T(1, 3, 0, 0, 0), T(1, 4, 0, 0, 0), T(1, 4, 0, 0, 0)));
    BAD("sslh_greater", sslh_greater(bad, T(1, 3, 0, 0, 0), T(1, 4, 0, 0, 0)));
    BAD("sslh_scale", sslh_scale(bad, ints(1, 3, 0, 1), 2));
    BAD("sslh_shift", sslh_shift(bad, NULL, 2));
    BAD("sslh_exp", sslh_exp(bad, ints(1, 3, 0, 1)));
    BAD("sslh_log", sslh_log(bad, NULL));
    BAD("sslh_relu", sslh_relu(bad, ints(1, 3, 0, 1)));
    BAD("sslh_gelu", sslh_gelu(bad, NULL));
    BAD("sslh_clamp", sslh_clamp(bad, T(1, 3, 0, 0, 0), 1, -1));
    BAD("sslh_activate", sslh_activate(bad, T(1, 3, 0, 0, 0), (sslh_activation)77));
    BAD("sslh_sum", sslh_sum(bad, T(2, 3, 4, 0, 0), SSLH_AXIS(3), 0));
    BAD("sslh_sum", sslh_sum(bad, ints(1, 3, 0, 1), SSLH_ALL, 0));
    BAD("sslh_mean", sslh_mean(bad, T(2, 3, 4, 0, 0), SSLH_AXIS(-3), 0));
    BAD("sslh_variance", sslh_variance(bad, T(1, 1, 0, 0, 0), SSLH_ALL, 0, 1));
    BAD("sslh_max", sslh_max(bad, T(2, 3, 4, 0, 0), SSLH_AXIS(2), 0));
    BAD("sslh_logsumexp", sslh_logsumexp(bad, NULL, SSLH_ALL, 0));
    BAD("sslh_argmax", sslh_argmax(bad, T(2, 3, 4, 0, 0), 2));
    BAD("sslh_softmax", sslh_softmax(bad, T(2, 3, 4, 0, 0), 2));
    BAD("sslh_log_softmax", sslh_log_softmax(bad, T(2, 3, 4, 0, 0), -3));
    BAD("sslh_sinkhorn", sslh_sinkhorn(bad, T(3, 3, 4, 2, 0), 3, 0.1f));
    BAD("sslh_sinkhorn", sslh_sinkhorn(bad, T(2, 3, 4, 0, 0), -1, 0.1f));
    BAD("sslh_sinkhorn", sslh_sinkhorn(bad, T(2, 3, 4, 0, 0), 3, -0.1f));
    BAD("sslh_matmul", sslh_matmul(bad, T(2, 4, 8, 0, 0), T(2, 9, 3, 0, 0)));
    BAD("sslh_matmul", sslh_matmul(bad, T(3, 2, 4, 8, 0), T(3, 3, 8, 3, 0)));
    BAD("sslh_matmul", sslh_matmul(bad, T(4, 2, 2, 4, 8), T(3, 3, 8, 3, 0)));
    BAD("sslh_matmul", sslh_matmul(bad, T(1, 4, 0, 0, 0), T(2, 4, 3, 0, 0)));
    BAD("sslh_matmul", sslh_matmul_ex(bad, T(2, 4, 8, 0, 0), T(2, 8, 3, 0, 0), 0, 1));
    BAD("sslh_linear", sslh_linear(bad, T(2, 4, 8, 0, 0), T(2, 3, 9, 0, 0), NULL));
    BAD("sslh_linear", sslh_linear(bad, T(2, 4, 8, 0, 0), T(2, 3, 8, 0, 0), T(1, 4, 0, 0, 0)));
    BAD("sslh_linear", sslh_linear_ex(bad, T(2, 4, 8, 0, 0), NULL, NULL, SSLH_RELU));
    BAD("sslh_conv2d", sslh_conv2d(bad, T(4, 1, 5, 5, 3), T(4, 2, 3, 3, 4), NULL, cd));
    BAD("sslh_conv2d", sslh_conv2d(bad, T(4, 1, 2, 5, 3), T(4, 2, 3, 3, 3), NULL, cd));
    BAD("sslh_conv2d", sslh_conv2d(bad, T(3, 5, 5, 3, 0), T(4, 2, 3, 3, 3), NULL, cd));
    BAD("sslh_conv2d", sslh_conv2d(bad, T(4, 1, 5, 5, 3), T(4, 2, 3, 3, 3), T(1, 3, 0, 0, 0), cd));
    cd.groups = 2;
    BAD("sslh_conv2d", sslh_conv2d(bad, T(4, 1, 5, 5, 3), T(4, 2, 3, 3, 1), NULL, cd));
    BAD("sslh_conv2d", sslh_conv2d(bad, T(4, 1, 5, 5, 4), T(4, 3, 3, 3, 2), NULL, cd));
    cd.groups = 0;
    cd.stride = -3;
    BAD("sslh_conv2d", sslh_conv2d(bad, T(4, 1, 5, 5, 3), T(4, 2, 3, 3, 3), NULL, cd));
    cd.stride = 0;
    BAD("sslh_conv1d", sslh_conv1d(bad, T(3, 1, 5, 3, 0), T(3, 2, 3, 4, 0), NULL, cd));
    BAD("sslh_conv2d_transpose", sslh_conv2d_transpose(bad, T(4, 1, 5, 5, 3), T(4, 2, 3, 3, 3), NULL, cd));
    BAD("sslh_conv1d_transpose", sslh_conv1d_transpose(bad, T(3, 1, 5, 3, 0), T(3, 2, 3, 3, 0), NULL, cd));
    BAD("sslh_max_pool2d", sslh_max_pool2d(bad, T(4, 1, 5, 5, 3), 7, 1, 0));
    BAD("sslh_max_pool2d", sslh_max_pool2d(bad, T(3, 5, 5, 3, 0), 2, 2, 0));
    BAD("sslh_avg_pool2d", sslh_avg_pool2d(bad, T(4, 1, 5, 5, 3), 0, 1, 0));
    BAD("sslh_global_avg_pool", sslh_global_avg_pool(bad, T(1, 5, 0, 0, 0)));
    BAD("sslh_global_max_pool", sslh_global_max_pool(bad, T(1, 5, 0, 0, 0)));
    BAD("sslh_resize_nearest", sslh_resize_nearest(bad, T(4, 1, 5, 5, 3), 0, 4));
    BAD("sslh_resize_bilinear", sslh_resize_bilinear(bad, T(3, 5, 5, 3, 0), 4, 4));
    bn.training = 1;
    BAD("sslh_batch_norm", sslh_batch_norm(bad, T(2, 4, 8, 0, 0), T(1, 7, 0, 0, 0), NULL, NULL, NULL, NULL, bn));
    BAD("sslh_batch_norm", sslh_batch_norm(bad, T(2, 4, 8, 0, 0), NULL, NULL, NULL, NULL, T(2, 4, 7, 0, 0), bn));
    BAD("sslh_batch_norm", sslh_batch_norm(bad, T(2, 1, 8, 0, 0), NULL, NULL, NULL, NULL, NULL, bn));
    bn.virtual_groups = 3;
    BAD("sslh_batch_norm", sslh_batch_norm(bad, T(2, 4, 8, 0, 0), NULL, NULL, NULL, NULL, NULL, bn));
    bn.virtual_groups = 0, bn.training = 0;
    BAD("sslh_batch_norm", sslh_batch_norm(bad, T(2, 4, 8, 0, 0), NULL, NULL, NULL, NULL, NULL, bn));
    BAD("sslh_layer_norm", sslh_layer_norm(bad, T(2, 4, 8, 0, 0), T(1, 7, 0, 0, 0), NULL, 0));
    BAD("sslh_rms_norm", sslh_rms_norm(bad, T(2, 4, 8, 0, 0), T(1, 7, 0, 0, 0), 0));
    BAD("sslh_rms_norm", sslh_rms_norm(bad, T(0, 0, 0, 0, 0), NULL, 0));
    BAD("sslh_group_norm", sslh_group_norm(bad, T(3, 2, 4, 8, 0), NULL, NULL, 3, 0));
    BAD("sslh_l2_normalize", sslh_l2_normalize(bad, NULL, 0));
    BAD("sslh_dropout", sslh_dropout(bad, T(1, 4, 0, 0, 0), 1.5f));
    BAD("sslh_drop_path", sslh_drop_path(bad, T(1, 4, 0, 0, 0), -0.5f));
    BAD("sslh_reshape", sslh_reshape(bad, T(2, 3, 4, 0, 0), sslh_dim2(5, 2)));
    BAD("sslh_reshape", sslh_reshape(bad, T(2, 3, 4, 0, 0), sslh_dim2(-1, -1)));
    BAD("sslh_reshape", sslh_reshape(bad, T(2, 3, 4, 0, 0), sslh_dim2(5, -1)));
    BAD("sslh_permute", sslh_permute(bad, T(3, 3, 4, 2, 0), order));
    BAD("sslh_permute", sslh_permute(bad, T(2, 3, 4, 0, 0), outside));
    BAD("sslh_transpose", sslh_transpose(bad, T(2, 3, 4, 0, 0), 0, 2));
    list[0] = T(2, 3, 4, 0, 0), list[1] = T(2, 2, 5, 0, 0);
    {
        sslh_tensor *y;
        sslh_begin_step(bad);
        list[0] = T(2, 3, 4, 0, 0), list[1] = T(2, 2, 5, 0, 0);
        y = sslh_concat(bad, list, 2, 0);
        CHECK(y != NULL, "dummy");
        CHECK_ERROR(bad, "sslh_concat:");
    }
    BAD("sslh_concat", sslh_concat(bad, list, 0, 0));
    BAD("sslh_slice", sslh_slice(bad, T(2, 3, 4, 0, 0), 1, 2, 5));
    BAD("sslh_slice", sslh_slice(bad, T(2, 3, 4, 0, 0), 1, 2, 2));
    BAD("sslh_slice", sslh_slice(bad, T(2, 3, 4, 0, 0), 2, 0, 1));
    BAD("sslh_pad", sslh_pad(bad, T(2, 3, 4, 0, 0), 0, -1, 0, 0));
    BAD("sslh_broadcast", sslh_broadcast(bad, T(2, 3, 4, 0, 0), sslh_dim2(3, 5)));
    BAD("sslh_embedding", sslh_embedding(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, 3)));
    BAD("sslh_embedding", sslh_embedding(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, -1)));
    BAD("sslh_embedding", sslh_embedding(bad, T(2, 3, 4, 0, 0), T(1, 2, 0, 0, 0)));
    BAD("sslh_embedding", sslh_embedding(bad, T(0, 0, 0, 0, 0), ints(1, 2, 0, 0)));
    BAD("sslh_embedding", sslh_embedding(bad, sslh_zeros(bad, sslh_dim6(2, 1, 1, 1, 1, 1)), ints(2, 2, 3, 0)));
    BAD("sslh_gather", sslh_gather(bad, T(3, 2, 4, 5, 0), ints(2, 2, 3, 4)));
    BAD("sslh_gather", sslh_gather(bad, T(3, 2, 4, 5, 0), ints(2, 3, 3, 1)));
    BAD("sslh_crop", sslh_crop(bad, T(4, 2, 4, 5, 3), ints(2, 2, 3, 1), 2, 2));
    BAD("sslh_crop", sslh_crop(bad, T(4, 2, 4, 5, 3), sslh_reshape(bad, ints(2, 2, 6, 3), sslh_dim3(2, 3, 2)), 2, 2));
    BAD("sslh_crop", sslh_crop(bad, T(4, 2, 4, 5, 3), sslh_reshape(bad, ints(2, 2, 6, -1), sslh_dim3(2, 3, 2)), 2, 2));
    BAD("sslh_crop", sslh_crop(bad, T(4, 2, 4, 5, 3), sslh_reshape(bad, ints(2, 2, 6, 0), sslh_dim3(2, 3, 2)), 5, 2));
    BAD("sslh_crop", sslh_crop(bad, T(4, 2, 4, 5, 3), NULL, 2, 2));
    BAD("sslh_unfold", sslh_unfold(bad, T(3, 2, 4, 5, 0), 2, 2, 1, 1));
    BAD("sslh_unfold", sslh_unfold(bad, T(4, 2, 4, 5, 3), 2, 6, 1, 1));
    BAD("sslh_unfold", sslh_unfold(bad, T(4, 2, 4, 5, 3), 2, 2, 0, 1));
    BAD("sslh_standardize", sslh_standardize(bad, T(2, 3, 4, 0, 0), SSLH_AXIS(2), 0));
    BAD("sslh_standardize", sslh_standardize(bad, T(2, 3, 4, 0, 0), SSLH_AXIS(0), -1));
    BAD("sslh_standardize", sslh_standardize(bad, ints(1, 3, 0, 1), SSLH_ALL, 0));
    BAD("sslh_to_real", sslh_to_real(bad, NULL, 1));
    BAD("sslh_rgb_to_lab", sslh_rgb_to_lab(bad, T(1, 4, 0, 0, 0)));
    BAD("sslh_lab_to_rgb", sslh_lab_to_rgb(bad, ints(1, 3, 0, 1)));
    at.heads = 3;
    BAD("sslh_attention", sslh_attention(bad, T(3, 2, 5, 8, 0), T(3, 2, 5, 8, 0), T(3, 2, 5, 8, 0), at));
    at.heads = 2;
    BAD("sslh_attention", sslh_attention(bad, T(3, 2, 5, 8, 0), T(3, 2, 6, 8, 0), T(3, 2, 5, 8, 0), at));
    BAD("sslh_attention", sslh_attention(bad, T(3, 2, 5, 8, 0), T(3, 3, 5, 8, 0), T(3, 3, 5, 8, 0), at));
    BAD("sslh_attention", sslh_attention(bad, T(3, 2, 5, 8, 0), T(3, 2, 5, 8, 0), T(3, 2, 5, 7, 0), at));
    BAD("sslh_attention", sslh_attention(bad, T(3, 2, 5, 8, 0), T(3, 2, 5, 8, 0), T(3, 2, 6, 8, 0), at));
    BAD("sslh_attention", sslh_attention(bad, T(3, 2, 5, 8, 0), T(3, 2, 5, 8, 0), T(2, 2, 5, 0, 0), at));
    BAD("sslh_self_attention", sslh_self_attention(bad, T(3, 2, 5, 8, 0), at));
    memset(&re, 0, sizeof re);
    BAD("sslh_lstm", sslh_lstm(bad, T(3, 2, 5, 3, 0), T(2, 16, 3, 0, 0), T(2, 12, 3, 0, 0), NULL, NULL, re));
    BAD("sslh_lstm",
        sslh_lstm(bad, T(3, 2, 5, 3, 0), T(2, 16, 3, 0, 0), T(2, 16, 4, 0, 0), T(1, 12, 0, 0, 0), NULL, re));
    BAD("sslh_gru", sslh_gru(bad, T(3, 2, 5, 3, 0), T(2, 12, 3, 0, 0), T(2, 12, 5, 0, 0), T(1, 12, 0, 0, 0),
                             T(1, 12, 0, 0, 0), NULL));
    BAD("sslh_cross_entropy", sslh_cross_entropy(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, 1)));
    BAD("sslh_cross_entropy", sslh_cross_entropy(bad, T(2, 3, 4, 0, 0), ints(1, 3, 0, 4)));
    BAD("sslh_cross_entropy", sslh_cross_entropy(bad, T(2, 3, 4, 0, 0), T(1, 3, 0, 0, 0)));
    BAD("sslh_cross_entropy_ex", sslh_cross_entropy_ex(bad, T(2, 3, 4, 0, 0), ints(1, 3, 0, 1), 1.5f, -100));
    memset(&ce, 0, sizeof ce);
    ce.weight = sslh_persist(T(1, 3, 0, 0, 0));
    BAD("sslh_linear_cross_entropy",
        sslh_linear_cross_entropy(bad, T(2, 3, 4, 0, 0), T(2, 5, 3, 0, 0), NULL, ints(1, 3, 0, 1), -1));
    BAD("sslh_linear_cross_entropy",
        sslh_linear_cross_entropy(bad, T(2, 3, 4, 0, 0), T(2, 5, 4, 0, 0), NULL, ints(1, 2, 0, 1), -1));
    BAD("sslh_linear_cross_entropy",
        sslh_linear_cross_entropy(bad, T(2, 3, 4, 0, 0), T(2, 5, 4, 0, 0), T(1, 4, 0, 0, 0), ints(1, 3, 0, 1), -1));
    BAD("sslh_cross_entropy_full", sslh_cross_entropy_full(bad, T(2, 3, 4, 0, 0), ints(1, 3, 0, 1), -1, ce));
    BAD("sslh_cross_entropy_soft", sslh_cross_entropy_soft(bad, T(2, 3, 4, 0, 0), T(2, 3, 5, 0, 0)));
    BAD("sslh_bce_with_logits", sslh_bce_with_logits(bad, T(2, 3, 4, 0, 0), T(2, 3, 5, 0, 0)));
    BAD("sslh_mse", sslh_mse(bad, T(2, 3, 4, 0, 0), T(2, 3, 5, 0, 0)));
    BAD("sslh_l1", sslh_l1(bad, T(2, 3, 4, 0, 0), T(2, 3, 5, 0, 0)));
    BAD("sslh_huber", sslh_huber(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), -1));
    BAD("sslh_kl_div", sslh_kl_div(bad, T(2, 3, 4, 0, 0), T(2, 3, 5, 0, 0)));
    BAD("sslh_nt_xent", sslh_nt_xent(bad, T(2, 3, 4, 0, 0), T(2, 2, 4, 0, 0), 0.5f));
    BAD("sslh_nt_xent", sslh_nt_xent(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), 0));
    BAD("sslh_nt_xent", sslh_nt_xent(bad, T(2, 1, 4, 0, 0), T(2, 1, 4, 0, 0), 0.5f));
    BAD("sslh_info_nce", sslh_info_nce(bad, T(2, 3, 4, 0, 0), T(2, 3, 5, 0, 0), NULL, 0.5f));
    BAD("sslh_info_nce", sslh_info_nce(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), T(2, 7, 5, 0, 0), 0.5f));
    BAD("sslh_info_nce", sslh_info_nce(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), T(3, 2, 5, 4, 0), 0.5f));
    BAD("sslh_info_nce", sslh_info_nce(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), T(3, 3, 5, 5, 0), 0.5f));
    BAD("sslh_supcon_loss", sslh_supcon_loss(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, 1), 0.5f));
    BAD("sslh_supcon_loss", sslh_supcon_loss(bad, T(2, 3, 4, 0, 0), T(1, 3, 0, 0, 0), 0.5f));
    BAD("sslh_supcon_loss", sslh_supcon_loss(bad, T(2, 3, 4, 0, 0), ints(1, 3, 0, 1), 0));
    BAD("sslh_clip_loss", sslh_clip_loss(bad, T(2, 3, 4, 0, 0), T(2, 3, 5, 0, 0), T(0, 0, 0, 0, 0), NULL));
    BAD("sslh_clip_loss", sslh_clip_loss(bad, T(2, 1, 4, 0, 0), T(2, 1, 4, 0, 0), T(0, 0, 0, 0, 0), NULL));
    BAD("sslh_clip_loss", sslh_clip_loss(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), T(1, 3, 0, 0, 0), NULL));
    BAD("sslh_clip_loss", sslh_clip_loss(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), NULL, NULL));
    BAD("sslh_siglip_loss", sslh_siglip_loss(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), T(0, 0, 0, 0, 0),
                                             T(1, 3, 0, 0, 0), NULL));
    BAD("sslh_siglip_loss", sslh_siglip_loss(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), T(0, 0, 0, 0, 0), NULL,
                                             ints(1, 2, 0, 1)));
    BAD("sslh_accuracy", sslh_accuracy(bad, T(2, 3, 4, 0, 0), ints(1, 3, 0, 4), 1));
    BAD("sslh_accuracy", sslh_accuracy(bad, T(2, 3, 4, 0, 0), ints(1, 2, 0, 3), 1));
    BAD("sslh_accuracy", sslh_accuracy(bad, T(2, 3, 4, 0, 0), ints(1, 3, 0, 3), 5));
    BAD("sslh_accuracy", sslh_accuracy(bad, T(2, 3, 4, 0, 0), T(1, 3, 0, 0, 0), 1));
    BAD("sslh_negative_cosine", sslh_negative_cosine(bad, T(2, 3, 4, 0, 0), T(2, 3, 5, 0, 0)));
    BAD("sslh_barlow_loss", sslh_barlow_loss(bad, T(2, 3, 4, 0, 0), T(2, 2, 4, 0, 0), 0.5f));
    BAD("sslh_barlow_loss", sslh_barlow_loss(bad, T(2, 1, 4, 0, 0), T(2, 1, 4, 0, 0), 0.5f));
    BAD("sslh_barlow_loss", sslh_barlow_loss(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), -1));
    BAD("sslh_vicreg_loss", sslh_vicreg_loss(bad, T(1, 3, 0, 0, 0), T(1, 3, 0, 0, 0), 1, 1, 1));
    BAD("sslh_vicreg_loss", sslh_vicreg_loss(bad, T(2, 3, 4, 0, 0), T(2, 3, 4, 0, 0), 1, 1, -1));
    sslh_destroy(bad);
}

#if SSLH_WITH_VAE
/* The losses of the VAE by all its parameters, the noise of the codes held fixed. Here, since this program is built in
   double too. */
typedef struct vae_case { sslh_method m; sslh_view_set views; } vae_case;
static sslh_tensor *vae_loss(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    vae_case *k = (vae_case *)user;
    (void)c, (void)in, (void)n;
    return k->m.loss(&k->m, &k->views, 0);
}
static void vae_gradients(void) {
    static const char *const settings[] = {
        "codes=1", "codes=5 layers=2", "convolutions=1 maps=3 codes=4", "gaussian=1 sigma=0.5 beta=0.25",
        "gaussian=1 learn_sigma=1 codes=3 beta=0.5 sigma=0.75"};
    int i, j;
    for (i = 0; i < (int)(sizeof settings / sizeof settings[0]); i++) {
        sslh_ctx *c = create(1, NULL, 0);
        sslh_tensor *in[24];
        sslh_gradcheck_desc g;
        sslh_data none;
        vae_case k;
        char text[200], worst[200];
        double error;
        memset(&none, 0, sizeof none), memset(&k, 0, sizeof k), memset(&g, 0, sizeof g);
        snprintf(text, sizeof text, "height=4 width=2 channels=2 hidden=5 latent=3 activation_tanh=1 %s", settings[i]);
        k.m = sslh_method_make(c, "vae", NULL, none, text);
        sslh_view_add(&k.views, "images", sslh_persist(sslh_uniform(c, sslh_dim4(3, 4, 2, 2), 0, 1)));
        CHECK_OK(c);
        for (j = 0; j < sslh_count_tensors(k.m.net) && j < 24; j++)
            in[j] = sslh_tensor_at(k.m.net, j, NULL, 0, NULL);
        g.report = worst, g.report_size = sizeof worst;
        error = sslh_gradcheck(c, vae_loss, in, j, &k, g);
        CHECK(!sslh_error(c), "%s: %s", settings[i], worst);
        printf("   %s: relative error %.1e\n", settings[i], error);
        sslh_destroy(c);
    }
}
#endif

/* The sentence names the value that is at fault. */
#define SAYS(text, call)                                                                                               \
    do {                                                                                                               \
        sslh_begin_step(bad);                                                                                          \
        (void)(call);                                                                                                  \
        CHECK_ERROR(bad, text);                                                                                        \
    } while (0)
static void error_causes(void) {
    sslh_ctx *other = create(1, NULL, 0);
    sslh_tensor *foreign = sslh_zeros(other, sslh_dim1(8));
    sslh_conv_desc cd;
    sslh_batch_norm_desc bn;
    memset(&cd, 0, sizeof cd);
    memset(&bn, 0, sizeof bn);
    bad = create(1, NULL, 0);
    SAYS("sslh_batch_norm: input 1 belongs to another context",
         sslh_batch_norm(bad, T(2, 4, 8, 0, 0), NULL, NULL, foreign, T(1, 8, 0, 0, 0), NULL, bn));
    SAYS("sslh_batch_norm: input 1 belongs to another context",
         sslh_batch_norm(bad, T(2, 4, 8, 0, 0), NULL, NULL, T(1, 8, 0, 0, 0), foreign, NULL, bn));
    bn.training = 1;
    SAYS("sslh_batch_norm: x of shape (8): statistics are taken over all axes but the last",
         sslh_batch_norm(bad, T(1, 8, 0, 0, 0), NULL, NULL, NULL, NULL, NULL, bn));
    SAYS("sslh_layer_norm: eps is -2", sslh_layer_norm(bad, T(2, 4, 8, 0, 0), NULL, NULL, -2));
    SAYS("sslh_layer_norm: eps is ", sslh_layer_norm(bad, T(2, 4, 8, 0, 0), NULL, NULL, (float)NAN));
    SAYS("sslh_rms_norm: eps is -2", sslh_rms_norm(bad, T(2, 4, 8, 0, 0), NULL, -2));
    SAYS("sslh_group_norm: eps is ", sslh_group_norm(bad, T(2, 4, 8, 0, 0), NULL, NULL, 2, (float)NAN));
    SAYS("sslh_l2_normalize: eps is -0.5", sslh_l2_normalize(bad, T(2, 4, 8, 0, 0), -0.5f));
    cd.dilation_w = 2;
    SAYS("stride 1, pad 0, dilation 2 (rows: 1, 0, 1): the output would have 0 x 0 pixels",
         sslh_conv2d(bad, T(4, 1, 2, 5, 3), T(4, 2, 3, 3, 3), NULL, cd));
    SAYS("at most one size may be -1", sslh_reshape(bad, T(2, 3, 4, 0, 0), sslh_dim2(-1, -1)));
    SAYS("the sizes are too large", sslh_reshape(bad, T(2, 3, 4, 0, 0), sslh_dim4(1 << 30, 1 << 30, 1 << 30, -1)));
    sslh_destroy(bad);
    sslh_destroy(other);
}

int main(int argc, char **argv) {
    if (listed(argc, argv)) return 0;
    TEST(gradients)
    TEST(torch_values)
    TEST(threads)
    TEST(instruction_sets)
    TEST(plain_versions)
    TEST(elementary_functions)
    TEST(special_values)
    TEST(working_precision)
    TEST(equal_values)
    TEST(real_to_real)
    TEST(pooled_nan)
    TEST(wide_windows)
    TEST(lost_statistics)
    TEST(moved_integers)
    TEST(long_sums)
    TEST(dropout_statistics)
    TEST(error_sentences)
    TEST(error_causes)
#if SSLH_WITH_VAE
    TEST(vae_gradients)
#endif
    return test_end();
}
