/* Nets with weights of 8 bits: integers against loops that are written anew here, roundings within their bounds, the
   same bits for any batch and number of threads, accuracy of a trained net, files, errors. Nets whose batch norms are
   folded, and weights of two factors. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"

static sslh_net *eight(sslh_net *net) {
    NONE(sslh_quantize_desc, d);
    d.min_count = SSLH_OFF;
    return sslh_quantize(net, d);
}
static sslh_tensor *run(sslh_net *net, sslh_tensor *x) {
    sslh_ctx *c = sslh_net_ctx(net);
    sslh_tensor *y;
    sslh_no_grad(c, 1);
    y = sslh_forward(net, x);
    sslh_no_grad(c, 0);
    return y;
}
static int rounded(double v) { return (int)(v < 0 ? v - 0.5 : v + 0.5); }

static sslh_net *mlp(sslh_ctx *c, int in, int a, int b) {
    NONE(sslh_mlp_desc, d);
    d.in = in, d.widths[0] = a, d.widths[1] = b;
    return sslh_mlp(c, d);
}
static sslh_net *linear(sslh_ctx *c, int in, int out) { return mlp(c, in, out, 0); }

/* --- the kernels -------------------------------------------------------------------------------------------------- */

/* Kernels of both groups of an instruction set; NULL: the processor does not have them. */
static const sslh_i_eight_kernels *kernels_of(const sslh_i_isa *set, int group) {
    const sslh_i_eight_kernels *k = group == 2 ? &set->table->eight2 : &set->table->eight4;
#if SSLH_I_BF16
    if (group == 4 && !sslh_i_x86_has("avx512vnni")) return NULL;
#endif
    return set->present && k->group ? k : NULL;
}

enum { CHANNELS = 70, LONGEST = 304, PADDED = 128 };
/* The products of `rows` runs of K integers p with q (channels,K) by the kernels k, as whole numbers in y. */
static void products(const sslh_i_eight_kernels *k, const int *p, int rows, const uint8_t *q, int channels, size_t K,
                     float *y) {
    static uint8_t panels[PADDED * 2 * LONGEST], other[PADDED * 2 * LONGEST], values[SSLH_I_EIGHT_ROWS][2 * LONGEST];
    static int32_t start[PADDED], other_start[PADDED];
    static float scales[PADDED], bias[PADDED], t[SSLH_I_EIGHT_ROWS];
    const uint8_t *row[SSLH_I_EIGHT_ROWS];
    const ptrdiff_t at = 0;
    const int across = k->lanes * k->across;
    sslh_i_eight_tile tile;
    int r, o;
    size_t i, whole = (K + (size_t)k->group - 1) / (size_t)k->group * (size_t)k->group;
    memset(&tile, 0, sizeof tile);
    tile.at = &at, tile.segs = 1, tile.length = whole * 4 / (size_t)k->group;
    tile.step = tile.length * (size_t)k->lanes;
    for (o = 0; o < channels; o += k->lanes) {
        const int some = SSLH_I_MIN(k->lanes, channels - o);
        uint8_t *panel = panels + (size_t)(o / k->lanes) * tile.step;
        sslh_i_eight_pack(k, q + (size_t)o * K, some, 1, K, panel, start + o);
        if (whole > K) continue;
        k->pack(q + (size_t)o * K, some, K, other, other_start);
        if (some == k->lanes)
            CHECK(memcmp(panel, other, tile.step) == 0, "%d channels of %d, group %d", some, (int)K, k->group);
        CHECK(memcmp(start + o, other_start, (size_t)some * sizeof *start) == 0, "starts");
        memcpy(panel, other, tile.step);
    }
    for (r = 0; r < SSLH_I_EIGHT_ROWS; r++) {
        row[r] = values[r < rows ? r : 0], t[r] = 1;
        for (i = 0; i < K && r < rows; i++) {
            const float v = (float)p[(size_t)r * K + i];
            k->round(&v, 1, 1, values[r] + i * (size_t)(4 / k->group));
        }
    }
    for (o = 0; o < PADDED; o++) scales[o] = 1, bias[o] = 0;
    tile.row = row, tile.t = t, tile.rows = rows, tile.scales = scales, tile.bias = bias, tile.ystep = CHANNELS;
    for (o = 0; o < channels; o += across) {
        tile.panel = panels + (size_t)(o / k->lanes) * tile.step, tile.start = start + o, tile.y = y + o;
        tile.columns = (size_t)SSLH_I_MIN(across, channels - o);
        k->tile(&tile);
    }
}

/* The extreme values, where a sum of 16 bits would saturate, and random ones, at lengths and channels around those of
   registers, panels and tiles. Nothing is written behind the last channel or row. */
static void the_kernels_have_the_sums_of_plain_loops(void) {
    static const int lengths[] = {1, 2, 3, 4, 7, 16, 27, 31, 64, 300};
    static const int widths[] = {1, 5, 8, 16, 17, 33, 50, CHANNELS};
    static int p[SSLH_I_EIGHT_ROWS * LONGEST];
    static uint8_t q[CHANNELS * LONGEST];
    static float y[(SSLH_I_EIGHT_ROWS + 1) * CHANNELS];
    sslh_i_isa set[SSLH_I_MOST_SETS];
    const int sets = sslh_i_isas(set);
    size_t i, k, K;
    int at, group, n, w, kind, rows, r, o, wrong;
    for (at = 0; at < sets; at++) for (group = 2; group <= 4; group += 2) {
        const sslh_i_eight_kernels *kernels = kernels_of(set + at, group);
        if (!kernels) continue;
        for (n = wrong = 0; n < 10; n++) for (w = 0; w < 8; w++) for (kind = 0; kind < 3; kind++) {
            K = (size_t)lengths[n], rows = 1 + (n + w + kind) % SSLH_I_EIGHT_ROWS;
            for (i = 0; i < (size_t)rows * K; i++)
                p[i] = kind == 0 ? 127 : kind == 1 ? -127 : (int)sslh_random_below(1, 2, i, 255) - 127;
            for (i = 0; i < CHANNELS * K; i++)
                q[i] = (uint8_t)(kind == 0 ? 255 : kind == 1 ? 1 : 1 + sslh_random_below(3, 4, i, 255));
            for (i = 0; i < sizeof y / sizeof *y; i++) y[i] = 0.5f;
            products(kernels, p, rows, q, widths[w], K, y);
            for (r = 0; r <= SSLH_I_EIGHT_ROWS; r++) for (o = 0; o < CHANNELS; o++) {
                int sum = 0;
                const float v = y[r * CHANNELS + o];
                for (k = 0; k < K && r < rows; k++) sum += p[(size_t)r * K + k] * ((int)q[(size_t)o * K + k] - 128);
                wrong += v != (r < rows && o < widths[w] ? (float)sum : 0.5f);
            }
        }
        CHECK(wrong == 0, "%s, groups of %d: %d values differ", set[at].table->name, group, wrong);
    }
}

/* Rounding by registers and by single numbers. */
static void the_kernels_round_alike(void) {
    static float x[3 * 64 + 5];
    static const float special[] = {0.5f, -0.5f, 1.5f, -1.5f, 0.49999997f, -0.0f, 126.5f, -126.5f, 127, -127};
    sslh_i_isa set[SSLH_I_MOST_SETS];
    const int sets = sslh_i_isas(set), most = (int)(sizeof x / sizeof *x);
    int at, group, i, n, wrong;
    volatile float zero = 0;
    for (i = 0; i < most; i++)
        x[i] = i < 10 ? special[i] : 254 * sslh_random_uniform(1, 1, (uint64_t)i) - 127;
    for (at = 0; at < sets; at++) for (group = 2; group <= 4; group += 2) {
        const sslh_i_eight_kernels *k = kernels_of(set + at, group);
        if (!k) continue;
        for (n = 1, wrong = 0; n <= most; n++) {
            uint8_t p[2 * sizeof x / sizeof *x + 2];
            memset(p, 99, sizeof p);
            k->round(x + (most - n), (size_t)n, 1, p);
            for (i = 0; i < n; i++) {
                int16_t v;
                memcpy(&v, p + 2 * i, 2);
                wrong += (group == 4 ? p[i] - 128 : v) != sslh_i_eight_round(x[most - n + i], 1);
            }
            wrong += p[n * 4 / group] != 99 || k->most(x, (size_t)n) != sslh_i_plain_eight_most(x, (size_t)n);
        }
        CHECK(wrong == 0, "%s, groups of %d: %d differ", set[at].table->name, group, wrong);
        x[100] = 1 / zero;
        CHECK(k->most(x, 101) != k->most(x, 101) && k->most(x, 100) == sslh_i_plain_eight_most(x, 100), "Inf");
        x[100] = 3;
    }
}

/* The largest sum that there can be does not leave 32 bits. */
static void the_longest_sum_fits(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *x = sslh_full(c, sslh_dim2(1, SSLH_I_EIGHT_INPUTS), -1), *y;
    sslh_net *net = linear(c, SSLH_I_EIGHT_INPUTS, 2), *small;
    size_t i;
    for (i = 0; i < sslh_param(net, 0)->count; i++) sslh_param(net, 0)->data[i] = i < SSLH_I_EIGHT_INPUTS ? 127 : -127;
    small = eight(net);
    y = run(small, x);
    CHECK(!sslh_error(c), "%s", sslh_error(c));
    if (!sslh_error(c)) {
        const float bias[2] = {sslh_param(net, 1)->data[0], sslh_param(net, 1)->data[1]};
        const float sum = 127.0f * 127.0f * SSLH_I_EIGHT_INPUTS, t = 1.0f / 127;
        CHECK(y->data[0] == -sum * t + bias[0] && y->data[1] == sum * t + bias[1], "%.9g", (double)y->data[0]);
    }
    sslh_destroy(c);
}

/* --- layers ------------------------------------------------------------------------------------------------------- */

static sslh_tensor *first_layer(sslh_net *net, sslh_tensor *x, const void *self) {
    (void)self;
    return sslh_layer_linear(net, 0, x, 0, SSLH_LINEAR);
}

static void weights_are_within_half_a_step(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = linear(c, 37, 11), *small = eight(net);
    sslh_tensor *w = sslh_tensor_at(net, 0, NULL, 0, NULL), *q = sslh_tensor_at(small, 0, NULL, 0, NULL);
    sslh_tensor *s = sslh_tensor_at(small, 2, NULL, 0, NULL);
    int o, k;
    CHECK(!sslh_error(c) && q->type == SSLH_U8 && s->count == 11, "%s", sslh_error(c) ? sslh_error(c) : "shape");
    for (o = 0; o < 11 && !sslh_error(c); o++) {
        int most = 0;
        for (k = 0; k < 37; k++) {
            const double scale = (double)s->data[o], v = (double)w->data[o * 37 + k];
            const int value = (int)q->bytes[o * 37 + k] - 128;
            CHECK(fabs(v - scale * value) <= 0.5001 * scale, "%g %g %d", v, scale, value);
            most = abs(value) > most ? abs(value) : most;
        }
        CHECK(most == 127, "the largest weight of channel %d is %d", o, most);
    }
    sslh_destroy(c);
}

/* Equations (2) and (3) once more, from the tensors of the net. */
static void a_linear_layer_has_the_sums_of_the_equations(void) {
    sslh_ctx *c = context(2);
    NONE(sslh_net_desc, d);
    sslh_net *net, *small;
    sslh_tensor *x = sslh_normal(c, sslh_dim3(3, 7, 37), 0, 2), *y, *q, *b, *s;
    int r, o, k;
    d.forward = first_layer, d.kind = SSLH_TOKENS, d.width = 11;
    net = sslh_net_new(c, d);
    sslh_layer_linear_new(net, "fc", 37, 11, 0);
    small = eight(net);
    y = run(small, x);
    q = sslh_tensor_at(small, 0, NULL, 0, NULL), b = sslh_tensor_at(small, 1, NULL, 0, NULL);
    s = sslh_tensor_at(small, 2, NULL, 0, NULL);
    CHECK(!sslh_error(c) && y->count == 21 * 11, "%s", sslh_error(c) ? sslh_error(c) : "shape");
    for (r = 0; r < 21 && !sslh_error(c); r++) {
        float most = 0, t, inverse;
        for (k = 0; k < 37; k++) most = fabsf(x->data[r * 37 + k]) > most ? fabsf(x->data[r * 37 + k]) : most;
        t = most / 127, inverse = 127 / most;
        for (o = 0; o < 11; o++) {
            int sum = 0;
            float scale = t * s->data[o], v;
            for (k = 0; k < 37; k++) {
                const float at = x->data[r * 37 + k] * inverse;
                sum += rounded((double)at) * ((int)q->bytes[o * 37 + k] - 128);
            }
            v = (float)sum * scale;
            v = v + b->data[o];
            CHECK(v == y->data[r * 11 + o], "row %d output %d: %.9g, here %.9g", r, o, (double)y->data[r * 11 + o],
                  (double)v);
        }
    }
    sslh_destroy(c);
}

typedef struct conv_case { int h, w, in, out, kernel, stride, pad, dilation, relu; } conv_case;
static sslh_tensor *conv_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    const conv_case *k = (const conv_case *)self;
    NONE(sslh_conv_desc, d);
    d.stride = k->stride, d.pad = k->pad, d.dilation = k->dilation;
    d.activation = k->relu ? SSLH_RELU : SSLH_LINEAR;
    return sslh_layer_conv(net, 0, x, 0, d);
}
static void a_convolution_has_the_sums_of_the_equations(void) {
    static const conv_case cases[] = {{6, 7, 3, 5, 3, 1, 1, 1, 0}, {9, 8, 4, 6, 3, 2, 1, 1, 1},
        {5, 5, 16, 9, 1, 1, 0, 1, 0}, {12, 11, 2, 3, 5, 3, 2, 2, 0}, {16, 16, 3, 8, 4, 4, 0, 1, 0}};
    size_t n;
    for (n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        const conv_case *k = &cases[n];
        sslh_ctx *c = context(2);
        NONE(sslh_net_desc, d);
        sslh_net *net, *small;
        sslh_tensor *x, *y, *q, *b, *s;
        int i, r, col, o, u, v, e, wrong = 0;
        d.forward = conv_forward, d.self = k, d.self_size = sizeof *k, d.kind = SSLH_MAP, d.width = k->out;
        net = sslh_net_new(c, d);
        sslh_layer_conv_new(net, "conv", k->in, k->out, k->kernel, 0, 0);
        small = eight(net);
        x = sslh_normal(c, sslh_dim4(2, k->h, k->w, k->in), 0, 1);
        y = run(small, x);
        q = sslh_tensor_at(small, 0, NULL, 0, NULL), b = sslh_tensor_at(small, 1, NULL, 0, NULL);
        s = sslh_tensor_at(small, 2, NULL, 0, NULL);
        CHECK(!sslh_error(c), "%s", sslh_error(c));
        for (i = 0; i < 2 && !sslh_error(c); i++) {
            const int each = k->h * k->w * k->in, oh = y->shape[1], ow = y->shape[2];
            const float *image = x->data + i * each;
            float most = 0, t, inverse;
            for (e = 0; e < each; e++) most = fabsf(image[e]) > most ? fabsf(image[e]) : most;
            t = most / 127, inverse = 127 / most;
            for (r = 0; r < oh; r++) for (col = 0; col < ow; col++) for (o = 0; o < k->out; o++) {
                const float scale = t * s->data[o];
                float value;
                int sum = 0;
                for (u = 0; u < k->kernel; u++) for (v = 0; v < k->kernel; v++) for (e = 0; e < k->in; e++) {
                    const int yy = r * k->stride + u * k->dilation - k->pad;
                    const int xx = col * k->stride + v * k->dilation - k->pad;
                    float at;
                    if (yy < 0 || xx < 0 || yy >= k->h || xx >= k->w) continue;
                    at = image[(yy * k->w + xx) * k->in + e] * inverse;
                    sum += rounded((double)at) *
                        ((int)q->bytes[((o * k->kernel + u) * k->kernel + v) * k->in + e] - 128);
                }
                value = (float)sum * scale;
                value = value + b->data[o];
                if (k->relu && value < 0) value = 0;
                wrong += value != y->data[((i * oh + r) * ow + col) * k->out + o];
            }
        }
        CHECK(wrong == 0, "case %d: %d values differ", (int)n, wrong);
        sslh_destroy(c);
    }
}

/* --- whole nets --------------------------------------------------------------------------------------------------- */

static sslh_net *some_net(sslh_ctx *c, int kind, sslh_tensor **x) {
    sslh_net *net;
    *x = sslh_uniform(c, sslh_dim4(5, 32, 32, 3), 0, 1);
    if (kind == 0) {
        NONE(sslh_convnet_desc, d);
        d.channels = 3;
        net = sslh_convnet(c, d);
    } else if (kind == 1) {
        NONE(sslh_resnet_desc, d);
        d.channels = 3, d.width = 16;
        net = sslh_resnet(c, d);
    } else if (kind == 2) {
        NONE(sslh_vit_desc, d);
        d.channels = 3, d.image = 32, d.patch = 8, d.width = 64, d.depth = 2, d.heads = 2;
        net = sslh_vit(c, d);
    } else if (kind == 3) {
        NONE(sslh_transformer_desc, d);
        static int32_t tokens[5 * 16];
        int i;
        d.vocabulary = 50, d.length = 16, d.width = 64, d.depth = 2, d.heads = 2;
        net = sslh_transformer(c, d);
        for (i = 0; i < 5 * 16; i++) tokens[i] = (int32_t)sslh_random_below(1, 1, (uint64_t)i, 50);
        *x = sslh_from_ints(c, sslh_dim2(5, 16), tokens);
    } else {
        NONE(sslh_convnext_desc, d);
        d.channels = 3;
        net = sslh_convnext(c, d);
    }
    sslh_train_mode(net, 0);
    return net;
}
static const char *const net_names[] = {"convnet", "resnet", "vit", "transformer", "convnext"};
/* Untrained nets of all kinds: the directions of outputs hardly change. */
static void nets_compute_nearly_the_same(void) {
    int kind;
    for (kind = 0; kind < 5; kind++) {
        sslh_ctx *c = context(2);
        sslh_tensor *x, *a, *b;
        sslh_net *net = some_net(c, kind, &x), *small;
        double ab = 0, aa = 0, bb = 0;
        size_t i;
        NONE(sslh_quantize_desc, d);
        small = sslh_quantize(net, d);
        a = run(net, x), b = run(small, x);
        CHECK(!sslh_error(c) && a->count == b->count, "%s: %s", net_names[kind], sslh_error(c) ? sslh_error(c) : "");
        for (i = 0; i < a->count && !sslh_error(c); i++) {
            ab += (double)a->data[i] * (double)b->data[i];
            aa += (double)a->data[i] * (double)a->data[i];
            bb += (double)b->data[i] * (double)b->data[i];
        }
        CHECK(ab / sqrt(aa * bb) > 0.999, "%s: cosine %g", net_names[kind], ab / sqrt(aa * bb));
        CHECK(memcmp(a->data, b->data, a->count * sizeof *a->data) != 0, "%s: nothing was rounded", net_names[kind]);
        CHECK(3 * sslh_net_bytes(small) < sslh_net_bytes(net), "%s: %.0f of %.0f bytes", net_names[kind],
              (double)sslh_net_bytes(small), (double)sslh_net_bytes(net));
        sslh_destroy(c);
    }
}

/* An image has the same features alone, in a batch, with any number of threads, and with .plain products. */
static void batch_and_threads_change_no_bit(void) {
    int kind;
    for (kind = 0; kind < 2; kind++) {
        sslh_ctx *c = context(1), *many = context(3);
        sslh_tensor *x, *all, *one, *other;
        NONE(sslh_quantize_desc, d);
        sslh_net *small = sslh_quantize(some_net(c, kind, &x), d), *copy = sslh_clone_into(many, small);
        all = run(small, x);
        one = run(small, sslh_slice(c, x, 0, 3, 4));
        CHECK(!sslh_error(c), "%s", sslh_error(c));
        if (!sslh_error(c))
            CHECK(memcmp(all->data + 3 * one->count, one->data, one->count * sizeof *one->data) == 0, "%s alone",
                  net_names[kind]);
        other = run(copy, sslh_from(many, sslh_shape_of(x), x->data));
        CHECK(!sslh_error(many), "%s", sslh_error(many));
        if (!sslh_error(many))
            CHECK(memcmp(all->data, other->data, all->count * sizeof *all->data) == 0, "%s threads", net_names[kind]);
        sslh_destroy(c);
        sslh_destroy(many);
    }
}

/* Whatever the instruction set and the group of its kernels, layers have the bits of plain loops. */
static void every_set_has_the_bits_of_plain_loops(void) {
    static const conv_case cases[] = {{6, 7, 3, 5, 3, 1, 1, 1, 0}, {9, 8, 4, 6, 3, 2, 1, 1, 1},
        {5, 5, 16, 70, 1, 1, 0, 1, 0}, {12, 11, 2, 3, 5, 3, 2, 2, 0}, {16, 16, 3, 8, 4, 4, 0, 1, 0},
        {10, 10, 6, 17, 3, 1, 1, 2, 1}, {24, 24, 32, 33, 3, 1, 1, 1, 1}, {7, 7, 8, 20, 1, 2, 0, 1, 0}};
    sslh_i_isa set[SSLH_I_MOST_SETS];
    const int sets = sslh_i_isas(set);
    int at, group, n;
    for (n = 0; n < 8; n++) {
        const conv_case *k = &cases[n];
        NONE(sslh_desc, plain);
        NONE(sslh_net_desc, d);
        sslh_ctx *c, *first;
        sslh_net *net;
        sslh_tensor *x, *y;
        plain.threads = 1, plain.seed = 7, plain.plain = 1;
        first = sslh_create(plain);
        d.forward = conv_forward, d.self = k, d.self_size = sizeof *k, d.kind = SSLH_MAP, d.width = k->out;
        net = sslh_net_new(first, d);
        sslh_layer_conv_new(net, "conv", k->in, k->out, k->kernel, 0, 0);
        net = eight(net);
        x = sslh_normal(first, sslh_dim4(3, k->h, k->w, k->in), 0, 1);
        y = run(net, x);
        CHECK(!sslh_error(first), "%s", sslh_error(first));
        for (at = 0; at < sets; at++) for (group = 2; group <= 4; group += 2) {
            struct sslh_i_kernels table = *set[at].table;
            sslh_tensor *z;
            if (!kernels_of(set + at, group)) continue;
            if (group == 2) table.eight4.group = 0;
            c = context(2);
            c->k = &table;
            z = run(sslh_clone_into(c, net), sslh_from(c, sslh_shape_of(x), x->data));
            CHECK(!sslh_error(c) && z->count == y->count && memcmp(z->data, y->data, y->count * sizeof *y->data) == 0,
                  "case %d, %s, groups of %d: other bits, %s", n, table.name, group,
                  sslh_error(c) ? sslh_error(c) : "");
            sslh_destroy(c);
        }
        sslh_destroy(first);
    }
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static long file_size(const char *path) {
    FILE *f = fopen(path, "rb");
    long size = -1;
    if (f && fseek(f, 0, SEEK_END) == 0) size = ftell(f);
    if (f) fclose(f);
    return size;
}
static void a_saved_net_comes_back(void) {
    int kind;
    for (kind = 0; kind < 5; kind++) {
        sslh_ctx *c = context(1), *other = context(1);
        const char *path = test_temporary("eight.safetensors"), *whole = test_temporary("float.safetensors");
        sslh_tensor *x, *a, *b;
        NONE(sslh_quantize_desc, d);
        NONE(sslh_load_desc, load);
        sslh_net *net = some_net(c, kind, &x), *small = sslh_quantize(net, d), *again;
        sslh_save_net(net, whole);
        sslh_save_net(small, path);
        CHECK(3 * file_size(path) < file_size(whole), "%s: %ld bytes of %ld", net_names[kind], file_size(path),
              file_size(whole));
        again = sslh_load_net(other, path);
        CHECK(!sslh_error(c) && !sslh_error(other), "%s: %s", net_names[kind],
              sslh_error(c) ? sslh_error(c) : sslh_error(other) ? sslh_error(other) : "");
        a = run(small, x);
        b = run(again, kind == 3 ? sslh_from_ints(other, sslh_shape_of(x), x->ints)
                                 : sslh_from(other, sslh_shape_of(x), x->data));
        CHECK(!sslh_error(c) && !sslh_error(other) && a->count == b->count &&
              memcmp(a->data, b->data, a->count * sizeof *a->data) == 0, "%s: other features", net_names[kind]);
        CHECK(sslh_net_bytes(again) == sslh_net_bytes(small), "%s: bytes", net_names[kind]);
        sslh_load_weights(sslh_clone(net), path, load);
        CHECK(sslh_error(c) != NULL, "%s: 8 bits do not go into a float net", net_names[kind]);
        sslh_destroy(c);
        sslh_destroy(other);
    }
}

/* Integers are no float weights, in whatever way they are loaded; the values of the float net stay as they were. */
static void eight_bits_do_not_become_floats(void) {
    sslh_ctx *c = context(1);
    const char *path = test_temporary("eight.safetensors");
    NONE(sslh_load_desc, load);
    sslh_net *net = linear(c, 40, 30);
    const uint64_t before = sslh_hash(net);
    sslh_save_net(eight(net), path);
    load.partial = 1;
    sslh_load_weights(net, path, load);
    CHECK_ERROR(c, "fc1.weight (file U8 (30,40), net (30,40); integers fit a net of sslh_quantize)");
    CHECK(sslh_hash(net) == before, "the float net has changed");
    sslh_load_weights(eight(net), path, load);
    CHECK(!sslh_error(c), "%s", sslh_error(c));
    remove(path);
    sslh_destroy(c);
}
#if SSLH_WITH_CLASSIFIERS
/* A small encoder in the file of a classifier. */
static void a_classifier_keeps_its_small_encoder(void) {
    sslh_ctx *c = context(1), *other = context(1);
    const char *path = test_temporary("classifier.safetensors");
    sslh_tensor *x, *z;
    sslh_net *small, *again;
    static const int32_t labels[5] = {0, 1, 0, 1, 1};
    NONE(sslh_quantize_desc, d);
    NONE(sslh_logistic_desc, logistic);
    small = sslh_quantize(some_net(c, 0, &x), d);
    z = run(small, x);
    sslh_save_classifier(sslh_logistic(c, z, labels, 2, logistic), small, NULL, path);
    CHECK(!sslh_error(c), "%s", sslh_error(c));
    again = sslh_classifier_query(sslh_load_classifier(other, path)).encoder;
    CHECK(!sslh_error(other) && sslh_hash(again) == sslh_hash(small), "%s", sslh_error(other));
    remove(path);
    sslh_destroy(c);
    sslh_destroy(other);
}
#endif

/* NaN in an input is not hidden by the rounding, and stays in its row. */
static void nan_stays_in_its_row(void) {
    sslh_ctx *c = context(1);
    sslh_net *small = eight(linear(c, 4, 3));
    float values[12] = {1, 2, 3, 4, 5, 6, 0, 8, 0, 0, 0, 0};
    sslh_tensor *x, *y;
    volatile float zero = 0;
    values[6] = zero / zero;
    x = sslh_from(c, sslh_dim2(3, 4), values);
    y = run(small, x);
    CHECK(!sslh_error(c) && y->data[0] == y->data[0] && y->data[3] != y->data[3] && y->data[5] != y->data[5] &&
          y->data[6] == sslh_tensor_at(small, 1, NULL, 0, NULL)->data[0], "%s", sslh_error(c) ? sslh_error(c) : "rows");
    sslh_destroy(c);
}

/* --- batch norms folded ------------------------------------------------------------------------------------------- */

/* Statistics, gains and shifts that differ from channel to channel. exact: a variance next to which eps is nothing, and
   gains and deviations that are powers of two. */
static void fill_norms(sslh_net *net, int exact) {
    int i, n = sslh_count_tensors(net);
    char name[272];
    size_t k;
    for (i = 0; i < n; i++) {
        sslh_tensor *t = sslh_tensor_at(net, i, name, sizeof name, NULL);
        const size_t length = strlen(name);
        const int var = length > 11 && !strcmp(name + length - 11, "running_var");
        const int mean = length > 12 && !strcmp(name + length - 12, "running_mean"), vector = t->ndim == 1;
        for (k = 0; k < t->count && t->type == SSLH_F32 && vector; k++) {
            const float u = sslh_random_uniform(9, (uint64_t)i, (uint64_t)k);
            const int step = (int)sslh_random_below(8, (uint64_t)i, (uint64_t)k, 4);
            if (exact) t->data[k] = var ? (sslh_real)ldexp(1, 40 + 2 * step)
                : (strstr(name, "bn") || strstr(name, "norm")) && length > 6 && !strcmp(name + length - 6, "weight")
                    ? (sslh_real)ldexp(1, 20 - step) : (sslh_real)0;
            else t->data[k] = (sslh_real)(var ? 0.5f + u : mean ? u - 0.5f : 0.5f + u);
        }
    }
}
/* The largest difference over the largest value. */
static double apart(const sslh_tensor *a, const sslh_tensor *b) {
    double most = 0, worst = 0;
    size_t i;
    if (a->count != b->count) return HUGE_VAL;
    for (i = 0; i < a->count; i++) {
        const double x = (double)a->data[i], d = fabs(x - (double)b->data[i]);
        if (!(fabs(x) <= most)) most = fabs(x);
        if (!(d <= worst)) worst = d;
    }
    return most > 0 ? worst / most : HUGE_VAL;
}
static int has_norms(sslh_net *net) {
    int i, found = 0;
    char name[272];
    for (i = 0; i < sslh_count_tensors(net); i++) {
        sslh_tensor_at(net, i, name, sizeof name, NULL);
        found += strstr(name, "running") || strstr(name, "tracked") || strstr(name, "bn");
    }
    return found;
}
static sslh_net *normed_net(sslh_ctx *c, int kind, sslh_tensor **x) {
    *x = sslh_persist(sslh_uniform(c, sslh_dim4(3, 32, 32, 3), 0, 1));
    if (kind < 2) {
        NONE(sslh_convnet_desc, d);
        d.channels = 3, d.dcgan = kind;
        return sslh_convnet(c, d);
    }
    if (kind < 5) {
        NONE(sslh_resnet_desc, d);
        d.width = 4, d.depth = kind == 2 ? 18 : kind == 3 ? 34 : 50, d.imagenet_stem = kind == 3;
        return sslh_resnet(c, d);
    }
    if (kind == 5) {
        NONE(sslh_nin_desc, d);
        d.divide = 16;
        return sslh_nin(c, d);
    }
    {
        NONE(sslh_mlp_desc, d);
        *x = sslh_persist(sslh_normal(c, sslh_dim2(5, 12), 0, 1));
        d.in = 12, d.widths[0] = 16, d.widths[1] = 8, d.batch_norm = 1, d.last_batch_norm = kind - 6;
        if (kind == 6) d.activation = SSLH_GELU;
        return sslh_mlp(c, d);
    }
}
static const char *const normed_names[] = {"convnet", "dcgan", "resnet18", "resnet34", "resnet50", "nin", "mlp",
                                           "mlp, last norm", "mlp, last gain", "mlp, last bare"};
enum { NORMED = 10 };

static sslh_net *low(sslh_net *net, int rank, float energy) {
    NONE(sslh_low_rank_desc, d);
    d.rank = rank, d.energy = energy;
    return sslh_net_low_rank(net, d);
}

static void folded_nets_compute_the_same(void) {
    int kind, exact;
    for (kind = 0; kind < NORMED; kind++) for (exact = 0; exact < 2; exact++) {
        sslh_ctx *c = context(1), *other = context(1);
        const char *path = test_temporary("folded.safetensors");
        sslh_tensor *x, *a, *b;
        sslh_net *net = normed_net(c, kind, &x), *folded, *again;
        double d;
        fill_norms(net, exact);
        folded = sslh_fold_batch_norm(net, kind % 2 ? x : NULL);
        CHECK(!sslh_error(c), "%s: %s", normed_names[kind], sslh_error(c) ? sslh_error(c) : "");
        sslh_train_mode(net, 0);
        a = run(net, x), b = run(folded, x);
        d = sslh_error(c) ? HUGE_VAL : apart(a, b);
        CHECK(exact && kind != 9 ? d == 0 : d <= 1e-5, "%s, %d: %g apart", normed_names[kind], exact, d);
        CHECK(!has_norms(folded) && has_norms(net) && !sslh_is_training(folded), "%s", normed_names[kind]);
        sslh_save_net(folded, path);
        again = sslh_load_net(other, path);
        CHECK(!sslh_error(c) && !sslh_error(other), "%s: %s", normed_names[kind], sslh_error(other));
        x = run(again, sslh_from(other, sslh_shape_of(x), x->data));
        if (!sslh_error(other))
            CHECK(memcmp(b->data, x->data, b->count * sizeof *b->data) == 0, "%s: another net", normed_names[kind]);
        CHECK(sslh_hash(sslh_clone(folded)) == sslh_hash(folded) && !sslh_error(c), "a clone");
        sslh_destroy(c);
        sslh_destroy(other);
    }
}
/* It trains as a net without batch norms: the mode changes nothing, gradients reach weights and new biases. */
static void a_folded_net_can_be_trained(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *x, *a, *b, *bias;
    sslh_net *net = normed_net(c, 0, &x), *folded;
    NONE(sslh_optimizer_desc, o);
    sslh_optimizer *optimizer;
    uint64_t before;
    fill_norms(net, 0);
    folded = sslh_fold_batch_norm(net, NULL);
    a = run(folded, x);
    sslh_train_mode(folded, 1);
    b = run(folded, x);
    CHECK(apart(a, b) == 0, "the mode changes something");
    before = sslh_hash(folded);
    optimizer = sslh_optimizer_new(c, o);
    sslh_begin_step(c);
    sslh_backward(c, sslh_mean(c, sslh_forward(folded, x), SSLH_ALL, 0));
    bias = sslh_find(folded, "conv4.bias");
    CHECK(!sslh_error(c) && bias && bias->grad && bias->grad[0] != 0, "%s", sslh_error(c) ? sslh_error(c) : "bias");
    sslh_optimizer_add(optimizer, folded);
    sslh_optimizer_step(optimizer, 0.01f);
    CHECK(!sslh_error(c) && sslh_hash(folded) != before, "%s", sslh_error(c) ? sslh_error(c) : "nothing was trained");
    sslh_destroy(c);
}
/* Norms go before the weights are rounded: 8 bits of the folded net and of the net are the same net. */
static void quantize_folds_first(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *x, *y;
    sslh_net *net = normed_net(c, 4, &x), *small;
    fill_norms(net, 0);
    small = eight(net);
    CHECK(!sslh_error(c) && !has_norms(small), "%s", sslh_error(c) ? sslh_error(c) : "norms are left");
    CHECK(sslh_hash(small) == sslh_hash(eight(sslh_fold_batch_norm(net, NULL))), "folded by hand: another net");
    sslh_train_mode(net, 0);
    y = run(small, x);
    CHECK(!sslh_error(c) && apart(run(net, x), y) < 0.1, "%s", sslh_error(c) ? sslh_error(c) : "far apart");
    sslh_destroy(c);
}

/* Nets of one's own: a layer and its norm, used well or otherwise. Entries: weight, bias, 5 of the norm. */
static sslh_tensor *own_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_ctx *c = sslh_net_ctx(net);
    const int way = *(const int *)self;
    sslh_conv_desc conv;
    sslh_tensor *y;
    memset(&conv, 0, sizeof conv);
    conv.pad = 1, conv.groups = 4, conv.activation = way == 1 ? SSLH_RELU : SSLH_LINEAR;
    y = sslh_layer_conv(net, 0, x, 0, conv);
    if (way == 2) y = sslh_scale(c, y, 2);
    x = sslh_layer_batch_norm(net, 2, y, way == 4 ? x : NULL, 0, way == 4 ? SSLH_RELU : SSLH_LINEAR);
    return way == 3 ? sslh_add(c, x, y) : x;
}
static sslh_net *own(sslh_ctx *c, int way) {
    NONE(sslh_net_desc, d);
    sslh_net *net;
    d.forward = own_forward, d.self = &way, d.self_size = sizeof way, d.kind = SSLH_MAP, d.width = 4, d.name = "own";
    net = sslh_net_new(c, d);
    if (way != 5) sslh_layer_conv_new(net, "conv", 4, 4, 3, 4, 0);
    sslh_layer_batch_norm_new(net, "bn", 4, 0);
    fill_norms(net, 0);
    return net;
}
static void what_cannot_be_folded_is_said(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *x = sslh_persist(sslh_normal(c, sslh_dim4(2, 5, 6, 4), 0, 1));
    NONE(sslh_convnet_desc, d);
    NONE(sslh_widen_desc, widen);
    sslh_net *net, *folded;
    int way;
    for (way = 0; way < 5; way += 4) { /* a layer of groups, with a bias; a residual */
        net = own(c, way), folded = sslh_fold_batch_norm(net, x);
        sslh_train_mode(net, 0);
        CHECK(!sslh_error(c) && apart(run(net, x), run(folded, x)) <= 1e-5, "%d: %s", way,
              sslh_error(c) ? sslh_error(c) : "apart");
    }
    sslh_fold_batch_norm(own(c, 0), NULL);
    CHECK_ERROR(c, "the net 'own' is none of the library's encoders: give a sample");
    sslh_fold_batch_norm(own(c, 1), x);
    CHECK_ERROR(c, "an activation lies between 'conv.weight' of the net 'own' and the batch norm");
    sslh_fold_batch_norm(own(c, 2), x);
    CHECK_ERROR(c, "is not given what that layer has computed");
    sslh_fold_batch_norm(own(c, 3), x);
    CHECK_ERROR(c, "the net 'own' computes something else");
    sslh_fold_batch_norm(own(c, 5), x);
    CHECK_ERROR(c, "the batch norm of 'bn.weight' in the net 'own' is not declared right behind");
    d.channels = 4, d.norm = SSLH_OFF;
    sslh_fold_batch_norm(sslh_convnet(c, d), NULL);
    CHECK_ERROR(c, "has no batch norm: use it as it is");
    d.norm = 0;
    net = sslh_convnet(c, d);
    sslh_fold_batch_norm(eight(net), NULL);
    CHECK_ERROR(c, "have 8 bits (sslh_quantize): give the float net");
    sslh_fold_batch_norm(sslh_fold_batch_norm(net, NULL), NULL);
    CHECK_ERROR(c, "has no batch norm: use it as it is");
#if SSLH_WITH_TRANSFER
    widen.layer = 1, widen.width = 64;
    sslh_net_widen(sslh_fold_batch_norm(net, NULL), widen);
    CHECK_ERROR(c, "has folded batch norms or factors of low rank");
#endif
    sslh_find(net, "bn2.running_var")->data[3] = -1;
    sslh_fold_batch_norm(net, NULL);
    CHECK_ERROR(c, "sslh_fold_batch_norm: 'conv2.weight' or the batch norm behind it gives NaN or Inf");
    eight(net);
    CHECK_ERROR(c, "sslh_quantize: 'conv2.weight' or the batch norm behind it gives NaN or Inf");
    { volatile float zero = 0; x->data[0] = zero / zero; }
    sslh_fold_batch_norm(own(c, 0), x);
    CHECK_ERROR(c, "for the sample the net 'own' gives NaN or Inf");
    sslh_destroy(c);
}
static sslh_tensor *normed_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    const int no_affine = *(const int *)self;
    return sslh_layer_batch_norm(net, no_affine ? 1 : 2, sslh_layer_linear(net, 0, x, 1, SSLH_LINEAR), NULL, no_affine,
                                 SSLH_LINEAR);
}
/* A vector between a layer and its norm is the layer's bias only with the name and the size of one; a
   norm of an unknown kind is refused where it is declared. */
static void only_what_belongs_together_is_folded(void) {
    static const char *const names[2] = {"fc.bias", "fc.gain"};
    sslh_ctx *c = context(1);
    int way, no_affine;
    for (way = 0; way < 4; way++) {
        NONE(sslh_net_desc, d);
        sslh_net *net;
        no_affine = way == 2 ? 5 : 0;
        d.forward = normed_forward, d.self = &no_affine, d.self_size = sizeof no_affine;
        d.kind = SSLH_VECTOR, d.width = 64;
        net = sslh_net_new(c, d);
        sslh_layer_linear_new(net, "fc", 16, 64, 1);
        if (way != 2) sslh_param_new(net, names[way == 1], sslh_dim1(way ? 64 : 1), SSLH_INIT_ONE, 0);
        sslh_layer_batch_norm_new(net, "bn", 64, no_affine);
        sslh_fold_batch_norm(net, sslh_zeros(c, sslh_dim2(2, 16)));
        if (way == 2) CHECK_ERROR(c, "no_affine is 5 (0 to 2)");
        else if (way < 2) CHECK_ERROR(c, "the batch norm of 'bn.weight' in the net 'net' is not declared right behind");
        else CHECK_ERROR(c, "computes something else"); /* the layer does not use its bias */
    }
    sslh_destroy(c);
}
/* Options of a parameter go by the numbers of the net that was changed, and are those of its copy. */
static void rates_of_a_changed_net(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *x;
    sslh_net *net = normed_net(c, 0, &x), *folded, *both;
    NONE(sslh_param_opts, o);
    NONE(sslh_low_rank_desc, low_rank);
    o.lr_scale = 0.5f, o.group = 3;
    sslh_param_set_matching(net, "conv2", o);
    folded = sslh_fold_batch_norm(net, NULL);
    CHECK(!sslh_error(c) && sslh_param(folded, 6) == &folded->entry[2]->t, "conv2.weight is number 6");
    CHECK(!strcmp(folded->entry[3]->name, "conv2.bias") && folded->entry[3]->lr_scale == 0.5f &&
          folded->entry[3]->decay_scale == 0 && folded->entry[3]->t.group == 8, "the bias has the rates of its weight");
    o.lr_scale = (float)SSLH_OFF, o.group = 0;
    sslh_param_set(folded, 6, o);
    CHECK(!sslh_error(c) && folded->entry[2]->lr_scale == 0 && folded->entry[3]->lr_scale == 0.5f, "%s",
          sslh_error(c) ? sslh_error(c) : "another parameter");
    sslh_param_set(folded, 1, o);
    CHECK_ERROR(c, "sslh_param_set: the net 'convnet' has no parameter number 1"); /* it was the norm's */
    net = mlp(c, 40, 30, 20), o.lr_scale = 0.25f;
    sslh_param_set(net, 2, o);
    sslh_freeze(net, 1);
    sslh_train_mode(net, 1);
    low_rank.rank = 4;
    both = sslh_net_low_rank(net, low_rank);
    CHECK(!sslh_error(c) && both->entries == 6 && both->frozen && both->training && both->entry[3]->lr_scale == 0.25f &&
          both->entry[4]->lr_scale == 0.25f && both->entry[3]->decay_scale == 1, "%s",
          sslh_error(c) ? sslh_error(c) : "mode and rates");
    sslh_destroy(c);
}
/* Where an allocation fails, nothing of the copy is left. */
static void a_copy_that_fails_leaves_nothing(void) {
    int kind;
    long k;
    for (kind = 0; kind < 4; kind++) {
        int worked = 0;
        for (k = 1; k < 400 && !worked; k++) {
            test_memory m;
            sslh_desc d;
            sslh_ctx *c;
            sslh_tensor *x;
            sslh_net *net;
            long live;
            memset(&m, 0, sizeof m), memset(&d, 0, sizeof d);
            d.alloc = test_alloc, d.release = test_release, d.user = &m, d.threads = 1;
            c = sslh_create(d);
            net = normed_net(c, 8, &x);
            run(net, x);
            live = m.live, m.fail_at = m.calls + k;
            if (kind == 0) sslh_fold_batch_norm(net, NULL);
            else if (kind == 1) low(net, 2, 0);
            else if (kind == 2) eight(net);
            else sslh_clone(net);
            worked = sslh_error(c) == NULL;
            if (!worked) {
                CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "%s", sslh_error(c));
                CHECK(m.live <= live + 1, "%d, %ld: %ld blocks, before %ld", kind, k, m.live, live); /* a new heap */
            }
            sslh_destroy(c);
            CHECK(m.live == 0, "%ld blocks left", m.live);
        }
        CHECK(worked && k > 10, "%ld allocations", k);
    }
}

/* --- two factors of low rank -------------------------------------------------------------------------------------- */

/* |W - U V| and the singular values left out, by NumPy's svd of the same matrix and of its transpose. */
static void factors_have_the_error_of_eckart_and_young(void) {
    static const int ranks[4] = {1, 3, 5, 7};
    static const double errors[4] = {8.899545427, 7.174802014, 5.485298806, 3.729918493};
    static const double shares[4] = {0.173904471, 0.463073961, 0.686169460, 0.854891348};
    int tall, n, i, j, k, r;
    for (tall = 0; tall < 2; tall++) for (n = 0; n < 8; n++) {
        sslh_ctx *c = context(1);
        const int O = tall ? 20 : 12, in = tall ? 12 : 20;
        sslh_net *net = linear(c, in, O), *small;
        const sslh_tensor *u, *v;
        double sum = 0;
        for (i = 0; i < O; i++) for (j = 0; j < in; j++) {
            const int a = tall ? j : i, b = tall ? i : j;
            sslh_param(net, 0)->data[i * in + j] = (sslh_real)((a * 7 + b * 13 + a * b * 5 + a * a * 3) % 17 - 8) / 8;
        }
        small = n < 4 ? low(net, ranks[n], 0) : low(net, 0, (float)shares[n - 4] - 1e-5f);
        u = sslh_find(small, "fc1.weight"), v = sslh_find(small, "fc1.low.weight"), r = ranks[n % 4];
        CHECK(!sslh_error(c) && u && v && u->shape[1] == r && v->shape[0] == r, "rank %d: %s", r,
              sslh_error(c) ? sslh_error(c) : "shapes");
        for (i = 0; i < O && !sslh_error(c) && v; i++) for (j = 0; j < in; j++) {
            double w = (double)sslh_param(net, 0)->data[i * in + j];
            for (k = 0; k < r; k++) w -= (double)u->data[i * r + k] * (double)v->data[k * in + j];
            sum += w * w;
        }
        CHECK(fabs(sqrt(sum) - errors[n % 4]) < 1e-5, "rank %d: %.9f, not %.9f", r, sqrt(sum), errors[n % 4]);
        sslh_destroy(c);
    }
}
/* Of a weight of rank 3 three factors are the weight; also with 8 bits, and in the 1x1 convolutions of a ResNet. */
static void nets_of_low_rank_are_nets(void) {
    sslh_ctx *c = context(1), *other = context(1);
    const char *path = test_temporary("low.safetensors");
    sslh_net *net = mlp(c, 20, 16, 12), *small, *twice, *again;
    sslh_tensor *x = sslh_normal(c, sslh_dim2(6, 20), 0, 1), *a, *b, *w = sslh_param(net, 0);
    int i, j, k, kind;
    for (i = 0; i < 16; i++) for (j = 0; j < 20; j++)
        for (k = 0, w->data[i * 20 + j] = 0; k < 3; k++)
            w->data[i * 20 + j] += (sslh_real)((i * (k + 3) % 7 - 3) * (j * (k + 2) % 5 - 2)) / 16;
    small = low(net, 3, 0);
    CHECK(!sslh_error(c) && sslh_find(small, "fc1.weight")->shape[1] == 3, "%s", sslh_error(c) ? sslh_error(c) : "");
    { NONE(sslh_low_rank_desc, d); d.rank = 3, d.keep = "fc2"; small = sslh_net_low_rank(net, d); }
    a = run(net, x), b = run(small, x);
    CHECK(!sslh_error(c) && apart(a, b) < 1e-5 && !sslh_find(small, "fc2.low.weight"), "%s",
          sslh_error(c) ? sslh_error(c) : "apart");
    sslh_destroy(c);
    for (kind = 0; kind < 3; kind++) { /* the files of the last have matrices as (I,O) while they are in float */
        c = context(1);
        if (kind == 1) {
            net = normed_net(c, 4, &x);
            fill_norms(net, 0);
        } else net = some_net(c, kind ? 3 : 2, &x);
        sslh_train_mode(net, 0);
        small = kind == 1 ? low(net, 5, 0) : low(net, 0, 0.5f);
        if (kind == 1) small = sslh_fold_batch_norm(small, NULL);
        twice = eight(small);
        a = run(small, x), b = run(twice, x);
        CHECK(!sslh_error(c) && apart(a, b) < 0.2 && apart(run(net, x), a) < 2, "%s, %g",
              sslh_error(c) ? sslh_error(c) : "", apart(a, b));
        CHECK(sslh_net_bytes(small) < sslh_net_bytes(net), "bytes");
        for (i = 0; i < 2; i++) {
            sslh_net *saved = i ? twice : small;
            sslh_save_net(saved, path);
            again = sslh_load_net(other, path);
            CHECK(!sslh_error(c) && !sslh_error(other) && sslh_net_bytes(again) == sslh_net_bytes(saved), "%s",
                  sslh_error(other) ? sslh_error(other) : "");
            a = run(saved, x);
            b = run(again, kind == 2 ? sslh_from_ints(other, sslh_shape_of(x), x->ints)
                                     : sslh_from(other, sslh_shape_of(x), x->data));
            CHECK(!sslh_error(other) && apart(a, b) == 0, "another net");
        }
        sslh_destroy(c);
    }
    sslh_destroy(other);
}
/* Files that say what no net of ours says: norms folded that are none, factors of ranks that do not fit. */
static void wrong_files_of_changed_nets_are_said(void) {
    static const int ranks[3][2] = {{3, 9}, {9, 3}, {17, 17}}; /* of V and of U; a weight (16,20) has at most 16 */
    sslh_ctx *c = context(1);
    const char *path = test_temporary("wrong.safetensors");
    sslh_net *net = linear(c, 20, 16), *wrong;
    const size_t used = strlen(net->arch);
    int i;
    snprintf(net->arch + used, sizeof net->arch - used, " folded=1");
    sslh_save_net(net, path);
    sslh_load_net(c, path);
    CHECK_ERROR(c, "has a net 'mlp' with folded batch norms, but such a net has none");
    net->arch[used] = 0;
    for (i = 0; i < 3; i++) {
        NONE(sslh_net_desc, d);
        d.forward = first_layer, d.kind = SSLH_VECTOR, d.width = 16;
        wrong = sslh_net_new(c, d);
        memcpy(wrong->arch, net->arch, sizeof wrong->arch);
        sslh_param_new(wrong, "fc1.low.weight", sslh_dim2(ranks[i][0], 20), SSLH_INIT_FAN_IN, 0);
        sslh_param_new(wrong, "fc1.weight", sslh_dim2(16, ranks[i][1]), SSLH_INIT_FAN_IN, 0);
        sslh_param_new(wrong, "fc1.bias", sslh_dim1(16), SSLH_INIT_ZERO, 0);
        sslh_save_net(wrong, path);
        CHECK(!sslh_error(c), "%s", sslh_error(c));
        sslh_load_net(c, path);
        CHECK_ERROR(c, "wrong.safetensors does not fit the net");
    }
    remove(path);
    sslh_destroy(c);
}
static void what_has_no_low_rank_is_said(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = linear(c, 40, 30);
    low(net, 0, 0);
    CHECK_ERROR(c, "sslh_net_low_rank: give .rank or .energy");
    low(net, 4, 0.5f);
    CHECK_ERROR(c, "sslh_net_low_rank: give .rank or .energy");
    low(net, -4, 0);
    CHECK_ERROR(c, "sslh_net_low_rank: .rank is -4");
    low(net, 0, 1);
    CHECK_ERROR(c, "sslh_net_low_rank: .energy is 1");
    low(net, 18, 0);
    CHECK_ERROR(c, "gets smaller: lower .rank or .energy");
    low(eight(net), 4, 0);
    CHECK_ERROR(c, "have 8 bits (sslh_quantize): give the float net");
    { volatile float zero = 0; sslh_param(net, 0)->data[7] = zero / zero; }
    low(net, 4, 0);
    CHECK_ERROR(c, "holds NaN or Inf");
    sslh_destroy(c);
}

/* --- pruning by magnitude ----------------------------------------------------------------------------------------- */

static void the_smallest_weights_go(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = mlp(c, 20, 30, 10), *before = sslh_clone(net);
    const int64_t gone = sslh_prune_magnitude(net, 0.7f);
    double largest_gone = 0, smallest_left = HUGE_VAL;
    int64_t zeros = 0;
    int i, n = sslh_count_tensors(net);
    size_t k;
    CHECK(!sslh_error(c) && gone == 630, "%s, %d", sslh_error(c) ? sslh_error(c) : "", (int)gone);
    for (i = 0; i < n; i++) {
        const sslh_tensor *a = sslh_tensor_at(before, i, NULL, 0, NULL), *b = sslh_tensor_at(net, i, NULL, 0, NULL);
        for (k = 0; k < a->count; k++) {
            const double v = fabs((double)a->data[k]);
            if (b->data[k] == 0 && a->ndim == 2) zeros++, largest_gone = v > largest_gone ? v : largest_gone;
            else CHECK(a->data[k] == b->data[k], "a value that stays has changed");
            if (b->data[k] != 0 && a->ndim == 2) smallest_left = v < smallest_left ? v : smallest_left;
        }
    }
    CHECK(zeros == gone && largest_gone <= smallest_left, "%d of %d, %g %g", (int)zeros, (int)gone, largest_gone,
          smallest_left);
    CHECK(sslh_prune_magnitude(net, 0.7f) == gone && sslh_hash(net) != sslh_hash(before), "again");
    sslh_prune_magnitude(net, 1);
    CHECK_ERROR(c, "sslh_prune_magnitude: .share is 1 (above 0, below 1)");
    sslh_destroy(c);
}
/* NaN has no place in the order of values; nothing changes. */
static void nan_is_not_pruned(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = mlp(c, 20, 30, 10);
    volatile float zero = 0;
    uint64_t before;
    sslh_param(net, 2)->data[7] = zero / zero;
    before = sslh_hash(net);
    CHECK(sslh_prune_magnitude(net, 0.5f) == 0, "something is gone");
    CHECK_ERROR(c, "sslh_prune_magnitude: the weight 'fc2.weight' of the net 'mlp' holds NaN or Inf");
    CHECK(sslh_hash(net) == before, "the net has changed");
    sslh_destroy(c);
}
/* Equal values: as many as were asked for. */
static void of_equal_weights_the_first_go(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = linear(c, 5, 4);
    sslh_tensor *w = sslh_param(net, 0);
    size_t k, zeros = 0;
    for (k = 0; k < w->count; k++) w->data[k] = k % 2 ? 1.0f : -1.0f;
    CHECK(sslh_prune_magnitude(net, 0.35f) == 7, "7 of 20");
    for (k = 0; k < w->count; k++) zeros += w->data[k] == 0;
    CHECK(zeros == 7 && w->data[6] == 0 && w->data[7] != 0, "%d", (int)zeros);
    sslh_destroy(c);
}

static sslh_tensor *huge_pad(sslh_net *net, sslh_tensor *x, const void *self) {
    NONE(sslh_conv_desc, d);
    (void)self;
    d.pad = (1 << 27) - 1, d.stride = 1 << 28; /* 2^28 x 2^28 places of 256 values: 2^64 or more bytes */
    return sslh_layer_conv(net, 0, x, 1, d);
}
/* first_layer takes the entry behind the weight for the bias, whatever that is. */
static void shapes_that_do_not_fit_are_said(void) {
    sslh_ctx *c = context(1);
    NONE(sslh_net_desc, d);
    sslh_net *net;
    d.forward = first_layer, d.kind = SSLH_TOKENS, d.width = 64;
    net = sslh_net_new(c, d);
    sslh_layer_linear_new(net, "fc", 16, 64, 1);
    sslh_param_new(net, "gain", sslh_dim1(1), SSLH_INIT_ONE, 0);
    run(eight(net), sslh_zeros(c, sslh_dim2(2, 16)));
    CHECK_ERROR(c, "sslh_linear: weight (64,16), bias (1): the bias must be (64)");
    d.forward = huge_pad, d.kind = SSLH_MAP, d.width = 2;
    net = sslh_net_new(c, d);
    sslh_layer_conv_new(net, "conv", 256, 2, 1, 0, 1);
    run(eight(net), sslh_zeros(c, sslh_dim4(1, 2, 2, 256)));
    CHECK_ERROR(c, "out of memory");
    sslh_destroy(c);
}
/* sslh_summary counts the multiply-adds of both nets alike; ONNX has the float net only. */
static void other_tools_know_small_nets(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *x;
    sslh_net *net = some_net(c, 0, &x), *small;
    char a[4000], b[4000], *ends[2];
    NONE(sslh_quantize_desc, d);
    NONE(sslh_onnx_desc, onnx);
    small = sslh_quantize(net, d);
    sslh_summary(net, sslh_shape_of(x), a, sizeof a);
    sslh_summary(small, sslh_shape_of(x), b, sizeof b);
    CHECK(!sslh_error(c), "%s", sslh_error(c));
    ends[0] = strrchr(a, ' '), ends[1] = strrchr(b, ' ');
    CHECK(ends[0] && ends[1] && strcmp(ends[0], ends[1]) == 0, "million MAC%s, in float%s", ends[1], ends[0]);
    sslh_export_onnx(small, test_temporary("small.onnx"), onnx);
    CHECK_ERROR(c, "sslh_export_onnx: the weights of the net \"convnet\" have 8 bits (sslh_quantize): export the");
    sslh_destroy(c);
}
/* A caller's rounding mode and flushing of subnormal numbers change no weight. */
#if (defined(__x86_64__) || defined(_M_X64)) && !defined(__TINYC__)
#include <xmmintrin.h>
static void the_callers_rounding_changes_nothing(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *x;
    sslh_net *net = mlp(c, 200, 30, 10), *normed = normed_net(c, 6, &x), *one[3], *other[3];
    const unsigned before = _mm_getcsr();
    int i;
    fill_norms(normed, 0);
    one[0] = eight(net), one[1] = low(net, 5, 0), one[2] = sslh_fold_batch_norm(normed, NULL);
    _mm_setcsr(before | 0xe040u);
    other[0] = eight(net), other[1] = low(net, 5, 0), other[2] = sslh_fold_batch_norm(normed, NULL);
    _mm_setcsr(before);
    for (i = 0; i < 3; i++) CHECK(!sslh_error(c) && sslh_hash(one[i]) == sslh_hash(other[i]), "%d: other weights", i);
    sslh_destroy(c);
}
#else
static void the_callers_rounding_changes_nothing(void) {}
#endif

static void wrong_use_is_said(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = linear(c, 40, 30), *small;
    NONE(sslh_quantize_desc, d);
    small = sslh_quantize(net, d);
    CHECK(!sslh_error(c), "%s", sslh_error(c));
    sslh_quantize(small, d);
    CHECK_ERROR(c, "sslh_quantize: the weights of the net \"mlp\" have 8 bits (sslh_quantize): give the float net");
    d.min_count = -2;
    sslh_quantize(net, d);
    CHECK_ERROR(c, "sslh_quantize: .min_count is -2");
    d.min_count = 5000;
    sslh_quantize(net, d);
    CHECK_ERROR(c, "has no weight of a linear layer");
    d.min_count = 0, d.keep = "weight";
    sslh_quantize(net, d);
    CHECK_ERROR(c, "has no weight of a linear layer");
    sslh_forward(small, sslh_requires_grad(sslh_zeros(c, sslh_dim2(2, 40))));
    CHECK_ERROR(c, "passes no gradient on");
    sslh_forward(small, sslh_zeros(c, sslh_dim2(2, 41)));
    CHECK(sslh_error(c) != NULL, "a shape that does not fit");
    sslh_clear_error(c);
    d.keep = NULL;
    { volatile float zero = 0; sslh_param(net, 0)->data[7] = zero / zero; }
    sslh_quantize(net, d);
    CHECK_ERROR(c, "holds NaN or Inf");
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(the_kernels_have_the_sums_of_plain_loops)
    TEST(the_kernels_round_alike)
    TEST(the_longest_sum_fits)
    TEST(weights_are_within_half_a_step)
    TEST(a_linear_layer_has_the_sums_of_the_equations)
    TEST(a_convolution_has_the_sums_of_the_equations)
    TEST(nets_compute_nearly_the_same)
    TEST(batch_and_threads_change_no_bit)
    TEST(every_set_has_the_bits_of_plain_loops)
    TEST(a_saved_net_comes_back)
    TEST(nan_stays_in_its_row)
    TEST(folded_nets_compute_the_same)
    TEST(a_folded_net_can_be_trained)
    TEST(quantize_folds_first)
    TEST(what_cannot_be_folded_is_said)
    TEST(only_what_belongs_together_is_folded)
    TEST(rates_of_a_changed_net)
    TEST(a_copy_that_fails_leaves_nothing)
    TEST(factors_have_the_error_of_eckart_and_young)
    TEST(nets_of_low_rank_are_nets)
    TEST(wrong_files_of_changed_nets_are_said)
    TEST(what_has_no_low_rank_is_said)
    TEST(the_smallest_weights_go)
    TEST(of_equal_weights_the_first_go)
    TEST(nan_is_not_pruned)
    TEST(eight_bits_do_not_become_floats)
#if SSLH_WITH_CLASSIFIERS
    TEST(a_classifier_keeps_its_small_encoder)
#endif
    TEST(shapes_that_do_not_fit_are_said)
    TEST(other_tools_know_small_nets)
    TEST(the_callers_rounding_changes_nothing)
    TEST(wrong_use_is_said)
TESTS_END
