/* What tests/inside.c and tests/robust.c have in common: images made by a formula, the net of
   tests/golden/make_inside.py, and how its values are compared with those of PyTorch. Needs harness.h. */
#ifndef SSLH_TEST_GOLDEN_NET_H
#define SSLH_TEST_GOLDEN_NET_H
#include "golden/inside.h"

/* Values 0 to 1 that repeat only after a long time. */
static float some(int i) { return (float)(i * 2654435761u % 1009u) / 1008.0f; }
static sslh_tensor *some_images(sslh_ctx *c, int n, int side, int channels) {
    sslh_tensor *x = sslh_zeros(c, sslh_dim4(n, side, side, channels));
    for (size_t i = 0; i < x->count; i++) x->data[i] = some((int)i);
    return x;
}

static sslh_tensor *golden_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    NONE(sslh_conv_desc, d);
    sslh_ctx *c = sslh_net_ctx(net);
    (void)self;
    d.pad = 1;
    d.activation = SSLH_RELU;
    x = sslh_layer_conv(net, 0, x, 0, d);
    if (sslh_tap(net, "map", x)) return x;
    return sslh_layer_linear(net, 2, sslh_global_avg_pool(c, x), 0, SSLH_LINEAR);
}
static sslh_net *golden_net(sslh_ctx *c) {
    NONE(sslh_net_desc, d);
    sslh_net *net;
    d.name = "golden", d.forward = golden_forward, d.width = 3, d.channels = 2;
    net = sslh_net_new(c, d);
    sslh_layer_conv_new(net, "conv", 2, 4, 3, 0, 0);
    sslh_layer_linear_new(net, "head", 4, 3, 0);
    sslh_write(sslh_param(net, 0), inside_conv, 72);
    sslh_write(sslh_param(net, 1), inside_conv_bias, 4);
    sslh_write(sslh_param(net, 2), inside_head, 12);
    sslh_write(sslh_param(net, 3), inside_head_bias, 3);
    return net;
}
static void equals(const sslh_tensor *t, const float *expected, size_t count, double tolerance, const char *what) {
    CHECK(t->count == count, "%s: %.0f values, not %.0f", what, (double)t->count, (double)count);
    for (size_t i = 0; i < count && t->count == count; i++)
        CHECK(fabs((double)t->data[i] - (double)expected[i]) <= tolerance, "%s: value %d is %.8g, PyTorch has %.8g",
              what, (int)i, (double)t->data[i], (double)expected[i]);
}
#endif
