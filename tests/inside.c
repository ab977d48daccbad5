/* What a net looks at: gradients, maps and attention against PyTorch, against their definitions and their properties;
   nothing is left behind; encoders with a linear layer; pictures. */
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"
#include "golden_net.h"

/* Images of three classes: a bright square in one of three corners, and noise. */
static uint8_t pixels[60 * 16 * 16];
static int32_t labels[60];
static sslh_data corners(sslh_ctx *c) {
    for (int n = 0; n < 60; n++) {
        labels[n] = n % 3;
        for (int i = 0; i < 256; i++) {
            const int y = i / 16, x = i % 16, k = labels[n];
            const int inside = (k == 2 ? y >= 10 : y < 6) && (k == 1 ? x >= 10 : x < 6);
            pixels[256 * n + i] = (uint8_t)((inside ? 180 : 40) + (int)(60 * some(256 * n + i)));
        }
    }
    return sslh_data_from_images(c, pixels, 60, 16, 16, 1, labels);
}
static sslh_net *small_convnet(sslh_ctx *c, int channels) {
    NONE(sslh_convnet_desc, e);
    e.channels = channels;
    e.widths[0] = 8, e.widths[1] = 16;
    return sslh_convnet(c, e);
}
static sslh_net *small_vit(sslh_ctx *c, int depth) {
    NONE(sslh_vit_desc, e);
    e.image = 16, e.patch = 4, e.width = 24, e.depth = depth, e.heads = 3, e.channels = 1;
    return sslh_vit(c, e);
}

/* --- against PyTorch: tests/golden/make_inside.py ---------------------------------------------------------------- */

static void same_as_pytorch(void) {
    static const int32_t asked[2] = {2, 0};
    sslh_ctx *c = context(1);
    sslh_net *net = golden_net(c);
    sslh_tensor *x = sslh_from(c, sslh_dim4(2, 5, 4, 2), inside_x), *target = sslh_from_ints(c, sslh_dim1(2), asked);
    sslh_tensor *many = sslh_from(c, sslh_dim4(12, 5, 4, 2), inside_many);
    NONE(sslh_inside_desc, d);
    equals(sslh_forward(net, x), inside_scores, 6, 1e-6, "scores");
    equals(sslh_saliency(c, net, x, target), inside_saliency, 80, 1e-7, "saliency");
    d.samples = 8;
    equals(sslh_integrated_gradients(c, net, x, target, d), inside_integrated, 80, 1e-7, "integrated gradients");
    d.tap = "map";
    equals(sslh_grad_cam(c, net, x, target, d), inside_grad_cam, 40, 1e-7, "Grad-CAM");
    d.tap = NULL;
    equals(sslh_grad_cam(c, net, x, target, d), inside_grad_cam, 40, 1e-7, "Grad-CAM of the last map");
    CHECK_NEAR(sslh_cka(c, sslh_reshape(c, many, sslh_dim2(12, 40)), sslh_forward(net, many)), inside_cka[0], 1e-5);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- gradients ---------------------------------------------------------------------------------------------------- */

/* Of a linear net the saliency is its weights, with any noise; the integral is exact with one point. */
static void linear_nets(void) {
    sslh_ctx *c = context(1);
    NONE(sslh_mlp_desc, e);
    NONE(sslh_inside_desc, d);
    sslh_net *net;
    sslh_tensor *x, *w, *t[3], *base, *y;
    static const int32_t asked[2] = {1, 2};
    sslh_tensor *target;
    e.in = 12, e.widths[0] = 3;
    net = sslh_mlp(c, e);
    x = some_images(c, 2, 2, 3);
    target = sslh_from_ints(c, sslh_dim1(2), asked);
    w = sslh_find(net, "fc1.weight");
    t[0] = sslh_saliency(c, net, x, target);
    d.samples = 3;
    t[1] = sslh_smooth_grad(c, net, x, target, d);
    d.samples = 1;
    base = sslh_full(c, sslh_dim4(1, 2, 2, 3), 0.25f);
    d.baseline = base;
    t[2] = sslh_integrated_gradients(c, net, x, target, d);
    y = sslh_forward(net, x);
    CHECK_OK(c);
    for (int n = 0; n < 2; n++) {
        double sum = 0, start = (double)sslh_find(net, "fc1.bias")->data[asked[n]];
        for (int i = 0; i < 12; i++) {
            const float slope = w->data[12 * asked[n] + i];
            CHECK(t[0]->data[12 * n + i] == slope, "saliency %g, weight %g", (double)t[0]->data[12 * n + i],
                  (double)slope);
            CHECK_NEAR(t[1]->data[12 * n + i], slope, 1e-6);
            CHECK_NEAR(t[2]->data[12 * n + i], slope * (x->data[12 * n + i] - 0.25f), 1e-6);
            sum += (double)t[2]->data[12 * n + i];
            start += 0.25 * (double)slope;
        }
        CHECK_NEAR(sum, (double)y->data[3 * n + asked[n]] - start, 1e-5);
    }
    sslh_destroy(c);
}

/* sum of I = s(x) - s(b) but for the error of the rule, which falls with the number of points. */
static double incompleteness(sslh_ctx *c, sslh_net *net, sslh_tensor *x, sslh_tensor *target, int samples) {
    NONE(sslh_inside_desc, d);
    sslh_tensor *map, *y, *y0;
    double worst = 0;
    const int K = sslh_net_query(net).width;
    const size_t each = x->count / (size_t)x->shape[0];
    d.samples = samples;
    map = sslh_integrated_gradients(c, net, x, target, d);
    sslh_train_mode(net, 0);
    y = sslh_forward(net, x);
    y0 = sslh_forward(net, sslh_zeros(c, sslh_shape_of(x)));
    for (int n = 0; n < x->shape[0] && !sslh_error(c); n++) {
        double sum = 0, gap;
        for (size_t i = 0; i < each; i++) sum += (double)map->data[(size_t)n * each + i];
        gap = fabs(sum - (double)y->data[n * K + target->ints[n]] + (double)y0->data[n * K + target->ints[n]]);
        if (gap > worst) worst = gap;
    }
    return worst;
}
static void integrated_gradients_are_complete(void) {
    static const int32_t asked[3] = {0, 2, 1};
    sslh_ctx *c = context(1);
    NONE(sslh_mlp_desc, e);
    NONE(sslh_vit_desc, v);
    sslh_tensor *x = some_images(c, 3, 8, 1), *target = sslh_from_ints(c, sslh_dim1(3), asked);
    sslh_net *net;
    double few, many;
    e.in = 64, e.widths[0] = 32, e.widths[1] = 3, e.activation = SSLH_GELU; /* smooth: the error falls with 1 / m^2 */
    net = sslh_mlp(c, e);
    few = incompleteness(c, net, x, target, 2);
    many = incompleteness(c, net, x, target, 64);
    CHECK(many < 2e-5 && many <= few, "a smooth net: %g with 2 points, %g with 64", few, many);
    v.image = 8, v.channels = 1, v.width = 24, v.depth = 2, v.patch = 4;
    net = sslh_with_head(c, sslh_vit(c, v), 3); /* layer norm turns sharply next to an image of zeros */
    few = incompleteness(c, net, x, target, 5);
    many = incompleteness(c, net, x, target, 200);
    CHECK(many < 1e-2 && many < 0.2 * few, "a transformer: %g with 5 points, %g with 200", few, many);
    net = sslh_with_head(c, small_convnet(c, 1), 3);
    many = incompleteness(c, net, x, target, 300);
    CHECK(many < 2e-3, "a conv net with ReLU: %g", many);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Noise of deviation 0 gives the saliency; the stream moves on with each call, and the same stream gives the same. */
static void smooth_grad_draws_noise(void) {
    sslh_ctx *c = context(1), *again = context(2);
    NONE(sslh_inside_desc, d);
    sslh_net *net = sslh_with_head(c, small_convnet(c, 1), 3);
    sslh_net *other = sslh_with_head(again, small_convnet(again, 1), 3);
    sslh_tensor *x = some_images(c, 2, 16, 1), *plain = sslh_saliency(c, net, x, NULL), *a, *b, *o;
    int differ = 0;
    d.samples = 4;
    a = sslh_smooth_grad(c, net, x, NULL, d);
    b = sslh_smooth_grad(c, net, x, NULL, d);
    o = sslh_smooth_grad(again, other, some_images(again, 2, 16, 1), NULL, d);
    CHECK(memcmp(a->data, o->data, a->count * sizeof *a->data) == 0, "two threads give other bits");
    for (size_t i = 0; i < a->count; i++) differ += a->data[i] != b->data[i];
    CHECK(differ > 100, "the second call draws the same noise");
    d.noise = SSLH_OFF, d.samples = 1;
    a = sslh_smooth_grad(c, net, x, NULL, d);
    CHECK(memcmp(a->data, plain->data, a->count * sizeof *a->data) == 0, "without noise it is the saliency");
    CHECK_OK(c);
    CHECK_OK(again);
    sslh_destroy(c);
    sslh_destroy(again);
}

/* --- maps --------------------------------------------------------------------------------------------------------- */

/* s = 3 x(2,5) of an image of 8 x 8: only a square that covers this pixel changes the score, by 3 (x - fill). */
static void occlusion_of_one_pixel(void) {
    sslh_ctx *c = context(1);
    NONE(sslh_mlp_desc, e);
    NONE(sslh_inside_desc, d);
    sslh_net *net;
    sslh_tensor *x = some_images(c, 2, 8, 1), *map;
    e.in = 64, e.widths[0] = 1;
    net = sslh_mlp(c, e);
    memset(sslh_find(net, "fc1.weight")->data, 0, 64 * sizeof(sslh_real));
    sslh_find(net, "fc1.weight")->data[8 * 2 + 5] = 3;
    map = sslh_occlusion(c, net, x, NULL, d);
    CHECK_OK(c);
    CHECK(map->shape[0] == 2 && map->shape[1] == 7 && map->shape[2] == 7 && map->shape[3] == 1, "windows of 2");
    for (int n = 0; n < 2; n++)
        for (int r = 0; r < 7; r++)
            for (int s = 0; s < 7; s++) {
                const int covers = r <= 2 && 2 < r + 2 && s <= 5 && 5 < s + 2;
                CHECK_NEAR(map->data[(n * 7 + r) * 7 + s],
                           covers ? 3 * ((double)x->data[64 * n + 21] - 0.5) : 0.0, 1e-5);
            }
    d.window = 3, d.stride = 5, d.fill = SSLH_OFF;
    map = sslh_occlusion(c, net, x, NULL, d);
    CHECK(map->shape[1] == 2 && map->shape[2] == 2, "windows of 3, every 5");
    CHECK_NEAR(map->data[1], 3 * (double)x->data[21], 1e-5);
    CHECK(map->data[0] == 0 && map->data[2] == 0, "windows beside it");
    sslh_destroy(c);
}

static void activation_maps(void) {
    sslh_ctx *c = context(1);
    NONE(sslh_inside_desc, d);
    NONE(sslh_forward_desc, f);
    sslh_net *net = small_convnet(c, 3);
    sslh_tensor *x = some_images(c, 2, 16, 3), *map, *a;
    sslh_train_mode(net, 0);
    f.tap = d.tap = "block1";
    a = sslh_forward_ex(net, x, f);
    for (int p = 1; p <= 4; p++) {
        d.power = p;
        map = sslh_activation_map(c, net, x, d);
        CHECK(map->shape[1] == 8 && map->shape[2] == 8 && map->shape[3] == 1, "its shape");
        for (int n = 0; n < 2; n++) {
            double sum[64], most = 0;
            for (int i = 0; i < 64; i++) {
                sum[i] = 0;
                for (int k = 0; k < 8; k++) sum[i] += pow(fabs((double)a->data[(64 * n + i) * 8 + k]), p);
                if (sum[i] > most) most = sum[i];
            }
            for (int i = 0; i < 64; i++) CHECK_NEAR(map->data[64 * n + i], sum[i] / most, 1e-5);
        }
    }
    d.tap = NULL;
    map = sslh_activation_map(c, sslh_with_head(c, net, 3), x, d);
    CHECK(map->shape[1] == 4, "the last map of an encoder with a layer");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- attention ---------------------------------------------------------------------------------------------------- */

/* .attention holds softmax(q k' / sqrt(d)) of every block, by queries and keys of the tokens that go in. */
static void attention_of_all_blocks(void) {
    sslh_ctx *c = context(1);
    NONE(sslh_forward_desc, f);
    sslh_net *vit = small_vit(c, 3);
    sslh_tensor *a[5], *x = some_images(c, 2, 16, 1), *t, *y;
    sslh_train_mode(vit, 0);
    y = sslh_forward(vit, x);
    f.attention = a, f.attention_room = 5;
    t = sslh_forward_ex(vit, x, f);
    CHECK_OK(c);
    for (size_t i = 0; i < y->count; i++) CHECK_NEAR(t->data[i], y->data[i], 1e-6); /* keeping them changes nothing */
    CHECK(a[0] && a[1] && a[2] && !a[3] && !a[4], "as many as there are blocks");
    CHECK(a[0]->shape[0] == 2 && a[0]->shape[1] == 3 && a[0]->shape[2] == 17 && a[0]->shape[3] == 17, "(N,heads,T,T)");
    memset(&f, 0, sizeof f);
    f.tap = "block2";
    t = sslh_forward_ex(vit, x, f); /* what goes into the third block */
    t = sslh_layer_norm(c, t, sslh_find(vit, "blocks.2.norm1.weight"), sslh_find(vit, "blocks.2.norm1.bias"), 1e-6f);
    t = sslh_linear(c, t, sslh_find(vit, "blocks.2.attn.qkv.weight"), sslh_find(vit, "blocks.2.attn.qkv.bias"));
    for (int h = 0; h < 3; h++) {
        sslh_tensor *q = sslh_slice(c, t, 2, 8 * h, 8 * h + 8), *k = sslh_slice(c, t, 2, 24 + 8 * h, 32 + 8 * h);
        y = sslh_softmax(c, sslh_scale(c, sslh_matmul_ex(c, q, k, 0, 1), (sslh_real)sqrt(0.125)), -1); /* (2,17,17) */
        for (int i = 0; i < 2 * 289; i++)
            CHECK_NEAR(a[2]->data[(i / 289 * 3 + h) * 289 + i % 289], y->data[i], 1e-5);
    }
    /* room for two, without a tape: they outlive the call */
    memset(&f, 0, sizeof f);
    f.attention = a, f.attention_room = 2;
    a[2] = NULL;
    sslh_no_grad(c, 1);
    sslh_forward_ex(vit, x, f);
    sslh_no_grad(c, 0);
    CHECK(a[0] && a[0]->data && a[1] && a[1]->data && !a[2], "the first two");
    CHECK_OK(c);
    sslh_destroy(c);
}

static void rollout_is_the_product(void) {
    sslh_ctx *c = context(1);
    NONE(sslh_forward_desc, f);
    sslh_net *vit = small_vit(c, 3);
    sslh_tensor *a[3], *x = some_images(c, 2, 16, 1), *roll, *cls;
    static double R[17][17], next[17][17];
    roll = sslh_attention_rollout(c, vit, x);
    cls = sslh_class_attention(c, sslh_with_head(c, vit, 0), x);
    sslh_train_mode(vit, 0);
    f.attention = a, f.attention_room = 3;
    sslh_forward_ex(vit, x, f);
    CHECK_OK(c);
    CHECK(roll->shape[1] == 4 && roll->shape[2] == 4 && roll->shape[3] == 1 && cls->shape[3] == 3, "their shapes");
    for (int n = 0; n < 2; n++) {
        double all = 0;
        for (int i = 0; i < 17; i++)
            for (int j = 0; j < 17; j++) R[i][j] = i == j;
        for (int b = 0; b < 3; b++) { /* R = (A + I) / 2 R */
            for (int i = 0; i < 17; i++)
                for (int j = 0; j < 17; j++) {
                    next[i][j] = 0.5 * R[i][j];
                    for (int k = 0; k < 17; k++)
                        for (int h = 0; h < 3; h++)
                            next[i][j] += 0.5 / 3 * (double)a[b]->data[((n * 3 + h) * 17 + i) * 17 + k] * R[k][j];
                }
            memcpy(R, next, sizeof R);
        }
        for (int j = 0; j < 17; j++) all += R[0][j];
        CHECK_NEAR(all, 1, 1e-6);
        for (int p = 0; p < 16; p++) {
            CHECK_NEAR(roll->data[16 * n + p], R[0][1 + p], 1e-6);
            for (int h = 0; h < 3; h++)
                CHECK(cls->data[(16 * n + p) * 3 + h] == a[2]->data[((n * 3 + h) * 17) * 17 + 1 + p], "the last block");
        }
    }
    sslh_destroy(c);
}

/* --- similarity --------------------------------------------------------------------------------------------------- */

/* A turn, a factor and a shift change nothing; a representation with nothing in common is far away. */
static void cka_properties(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *x = sslh_normal(c, sslh_dim2(300, 6), 0, 1), *y, *other = sslh_normal(c, sslh_dim2(300, 4), 0, 1);
    sslh_tensor *turned = sslh_zeros(c, sslh_dim2(300, 6));
    double a, b;
    for (int n = 0; n < 300; n++) { /* three turns in planes, then 5 x - 2 */
        for (int k = 0; k < 6; k++) {
            const int mate = (k + 3) % 6;
            const double s = k < 3 ? -0.6 : 0.6;
            turned->data[6 * n + k] =
                (sslh_real)(5 * (0.8 * (double)x->data[6 * n + k] + s * (double)x->data[6 * n + mate]) - 2);
        }
    }
    CHECK_NEAR(sslh_cka(c, x, x), 1, 1e-6);
    CHECK_NEAR(sslh_cka(c, x, turned), 1, 1e-5);
    a = (double)sslh_cka(c, x, other), b = (double)sslh_cka(c, other, x);
    CHECK_NEAR(a, b, 1e-6);
    CHECK(a < 0.1, "noise against noise: %g", a);
    y = sslh_slice(c, x, 1, 0, 3); /* half of it */
    a = (double)sslh_cka(c, x, y);
    CHECK(a > 0.4 && a < 0.95, "half of the columns: %g", a);
    CHECK_NEAR(sslh_cka(c, x, sslh_full(c, sslh_dim2(300, 2), 3)), 0, 1e-9);
    a = (double)sslh_cka(c, x, y); /* also where products of the features are too large or too small for a float */
    for (int power = -100; power <= 100; power += 50) {
        b = (double)sslh_cka(c, x, sslh_scale(c, y, (sslh_real)ldexp(1, power)));
        CHECK(a == b, "%.9g, and %.9g of features times 2^%d", a, b, power);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- what is left behind ------------------------------------------------------------------------------------------ */

/* Between a forward and a backward pass all of it may be asked: gradients, modes and running statistics do not notice,
   and a child in another mode stays in it. */
static void nothing_is_left_behind(void) {
    double worst = 0;
    sslh_real *kept[2] = {NULL, NULL};
    uint64_t hash[2] = {0, 0};
    for (int way = 0; way < 2; way++) {
        sslh_ctx *c = context(1);
        NONE(sslh_inside_desc, d);
        sslh_net *encoder = small_convnet(c, 1), *net = sslh_with_head(c, encoder, 3);
        sslh_tensor *x = some_images(c, 4, 16, 1), *loss, *g;
        sslh_train_mode(net, 1);
        sslh_train_mode(encoder, 0);
        loss = sslh_sum(c, sslh_square(c, sslh_forward(net, x)), SSLH_ALL, 0);
        d.samples = 2;
        if (way) {
            sslh_saliency(c, net, x, NULL);
            sslh_integrated_gradients(c, net, x, NULL, d);
            sslh_occlusion(c, net, x, NULL, d);
            sslh_grad_cam(c, net, x, NULL, d);
            sslh_activation_map(c, net, x, d);
            sslh_smooth_grad(c, net, x, NULL, d); /* draws, which the others do not */
            CHECK(sslh_is_training(net) && !sslh_is_training(encoder), "the modes");
        }
        sslh_backward(c, loss);
        CHECK_OK(c);
        g = sslh_find(net, "head.weight");
        kept[way] = (sslh_real *)malloc(g->count * sizeof *g->grad);
        if (kept[way]) memcpy(kept[way], g->grad, g->count * sizeof *g->grad);
        for (size_t i = 0; way && kept[0] && kept[1] && i < g->count; i++)
            worst += fabs((double)kept[0][i] - (double)kept[1][i]);
        hash[way] = sslh_hash(net);
        sslh_destroy(c);
    }
    CHECK(worst == 0, "the gradients differ by %g", worst);
    CHECK(hash[0] == hash[1], "parameters or running statistics have changed");
    free(kept[0]);
    free(kept[1]);
}

/* --- an encoder with a layer -------------------------------------------------------------------------------------- */

static sslh_tensor *scores_squared(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    (void)n;
    return sslh_sum(c, sslh_square(c, sslh_forward((sslh_net *)user, in[0])), SSLH_ALL, 0);
}
static void gradients_reach_the_pixels(void) {
    sslh_ctx *c = context(1);
    NONE(sslh_vit_desc, v);
    NONE(sslh_preprocess, p);
    NONE(sslh_gradcheck_desc, d);
    sslh_net *encoder;
    sslh_tensor *in[1];
    v.image = 8, v.channels = 3, v.width = 12, v.depth = 1, v.patch = 4, v.token_output = 1;
    encoder = sslh_vit(c, v);
    p.mean[0] = 0.4f, p.mean[1] = 0.5f, p.mean[2] = 0.6f, p.std[0] = 0.2f, p.std[1] = 0.25f, p.std[2] = 0.3f;
    sslh_set_preprocess(encoder, p);
    in[0] = some_images(c, 2, 8, 3);
    d.max_checks = 40;
    sslh_gradcheck(c, scores_squared, in, 1, sslh_with_head(c, encoder, 4), d);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* The probe's net has the features of sslh_features behind its layer, and as many right as sslh_linear_probe. */
static void probe_as_a_net(void) {
    sslh_ctx *c = context(1);
    sslh_data data = corners(c);
    sslh_net *encoder = small_convnet(c, 1), *net;
    NONE(sslh_probe_desc, d);
    NONE(sslh_feature_desc, f);
    NONE(sslh_preprocess, p);
    sslh_tensor *scores, *again;
    int right = 0;
    float probe;
    p.mean[0] = 0.3f, p.std[0] = 0.4f;
    sslh_set_preprocess(encoder, p);
    probe = sslh_linear_probe(c, encoder, data, data, d);
    net = sslh_probe_keep(c, encoder, data, d);
    CHECK_OK(c);
    CHECK(!sslh_is_training(net), "evaluation mode");
    scores = sslh_features(c, net, data, f);
    CHECK(scores->shape[1] == 3, "a score for each class");
    again = sslh_linear(c, sslh_features(c, encoder, data, f), sslh_find(net, "head.weight"),
                        sslh_find(net, "head.bias"));
    for (int n = 0; n < 60; n++) {
        int best = 0;
        for (int k = 0; k < 3; k++) {
            CHECK_NEAR(scores->data[3 * n + k], again->data[3 * n + k], 1e-5);
            if (scores->data[3 * n + k] > scores->data[3 * n + best]) best = k;
        }
        right += best == labels[n];
    }
    CHECK_NEAR(right / 60.0, probe, 1e-6);
    CHECK(probe > 0.6f, "the probe learns: %g", (double)probe);
    d.features.pool_grid = 2;
    sslh_probe_keep(c, encoder, data, d);
    CHECK_ERROR(c, "sslh_probe_keep: .features may only set .batch");
    sslh_destroy(c);
}

#if SSLH_WITH_CLASSIFIERS
static void classifier_as_a_net(void) {
    sslh_ctx *c = context(1);
    sslh_data data = corners(c);
    sslh_net *encoder = small_convnet(c, 1), *net;
    NONE(sslh_feature_desc, f);
    NONE(sslh_logistic_desc, logistic);
    NONE(sslh_svm_desc, svm);
    NONE(sslh_forest_desc, forest);
    sslh_tensor *x = sslh_features(c, encoder, data, f), *scores, *own;
    sslh_classifier *k = sslh_svm(c, x, labels, 3, svm);
    net = sslh_classifier_net(k, encoder);
    scores = sslh_features(c, net, data, f);
    own = sslh_classifier_scores(k, x);
    CHECK_OK(c);
    for (size_t i = 0; i < own->count; i++) CHECK_NEAR(scores->data[i], own->data[i], 1e-4);
    k = sslh_logistic(c, x, labels, 3, logistic);
    scores = sslh_softmax(c, sslh_features(c, sslh_classifier_net(k, encoder), data, f), 1);
    own = sslh_classifier_scores(k, x);
    for (size_t i = 0; i < own->count; i++) CHECK_NEAR(scores->data[i], own->data[i], 1e-4);
    CHECK_OK(c);
    forest.trees = 2;
    sslh_classifier_net(sslh_forest(c, x, labels, 3, forest), encoder);
    CHECK_ERROR(c, "sslh_classifier_net: a forest has no gradient");
    sslh_classifier_net(k, small_vit(c, 1));
    CHECK_ERROR(c, "sslh_classifier_net: the encoder gives 24 features, the classifier was fitted to 16");
    sslh_classifier_net(k, NULL);
    CHECK_ERROR(c, "sslh_classifier_net: the encoder is NULL");
    sslh_forward(sslh_classifier_net(NULL, encoder), x);
    sslh_clear_error(c);
    sslh_destroy(c);
}
#endif

/* A probe of images with a bright corner looks at corners: more of the saliency lies in the one that is bright. */
static void probes_look_at_the_class(void) {
    sslh_ctx *c = context(1);
    sslh_data data = corners(c);
    sslh_net *net;
    NONE(sslh_probe_desc, d);
    NONE(sslh_inside_desc, i);
    NONE(sslh_mlp_desc, e);
    NONE(sslh_feature_desc, f);
    sslh_tensor *x, *map, *target;
    double within = 0, all = 0;
    e.in = 256, e.widths[0] = 64, e.last_activation = 1;
    net = sslh_probe_keep(c, sslh_mlp(c, e), data, d);
    x = sslh_reshape(c, sslh_features(c, NULL, data, f), sslh_dim4(60, 16, 16, 1));
    target = sslh_from_ints(c, sslh_dim1(60), labels);
    i.window = 6, i.stride = 5;
    map = sslh_occlusion(c, net, x, target, i); /* (60,3,3,1): the corners are 0, 2, 6 */
    CHECK_OK(c);
    for (int n = 0; n < 60; n++)
        for (int at = 0; at < 9; at++) {
            const double v = (double)map->data[9 * n + at];
            if (v <= 0) continue;
            all += v;
            if (at == (labels[n] == 0 ? 0 : labels[n] == 1 ? 2 : 6)) within += v;
        }
    CHECK(3 * within > all, "%.2f of the fall is in the bright corner, a ninth by chance", within / all);
    sslh_destroy(c);
}

/* --- pictures ----------------------------------------------------------------------------------------------------- */

/* Where a map is largest the picture is red, where it is 0 blue; signs do not count. */
static void heat(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *map = sslh_zeros(c, sslh_dim4(1, 2, 2, 2)), *image = sslh_full(c, sslh_dim4(1, 8, 8, 1), 0.5f), *h;
    map->data[6] = -4;
    h = sslh_heat(c, map, image);
    CHECK_OK(c);
    CHECK(h->shape[1] == 8 && h->shape[2] == 8 && h->shape[3] == 3, "the size of the image, in colour");
    CHECK(h->data[63 * 3] > h->data[63 * 3 + 2], "the largest value is red");
    CHECK(h->data[2] > h->data[0], "0 is blue");
    h = sslh_heat(c, sslh_zeros(c, sslh_dim4(1, 2, 2, 1)), image);
    for (size_t i = 0; i < h->count; i++) CHECK(h->data[i] >= 0 && h->data[i] <= 1, "a map of zeros");
    CHECK_OK(c);
    map = sslh_zeros(c, sslh_dim4(1, 1, 4, 1)), image = sslh_full(c, sslh_dim4(1, 1, 4, 1), 0.5f);
    map->data[0] = (sslh_real)1e20, map->data[1] = (sslh_real)NAN, map->data[2] = 1; /* NaN hides no largest value */
    h = sslh_heat(c, map, image);
    CHECK(h->data[0] > h->data[2] && h->data[6] < h->data[8], "red where it is largest, blue where it is small");
    for (size_t i = 0; i < h->count; i++) CHECK(h->data[i] >= 0 && h->data[i] <= 1, "a map with NaN");
    CHECK_OK(c);
    image = sslh_full(c, sslh_dim4(1, 8, 8, 1), 0.5f);
    sslh_heat(c, map, sslh_zeros(c, sslh_dim4(2, 8, 8, 1)));
    CHECK_ERROR(c, "sslh_heat: a map (N,h,w,C) and as many images");
    sslh_destroy(c);
}

static void sheets(void) {
    sslh_ctx *c = context(1);
    NONE(sslh_inside_desc, d);
    NONE(sslh_mlp_desc, e);
    sslh_net *nets[3];
    sslh_tensor *x = some_images(c, 2, 16, 1);
    char path[512];
    int h, w, k, width[3] = {0, 0, 0};
    snprintf(path, sizeof path, "%s", test_temporary("inside.png"));
    e.in = 256;
    nets[0] = sslh_mlp(c, e);
    nets[1] = sslh_with_head(c, small_convnet(c, 1), 3);
    nets[2] = sslh_with_head(c, small_vit(c, 2), 3);
    d.samples = 2;
    for (int way = 0; way < 3; way++) {
        sslh_inside_picture(c, path, nets[way], x, NULL, d);
        CHECK_OK(c);
        CHECK(sslh_load_image(c, path, &h, &w, &k) != NULL && k == 3, "the picture of net %d", way);
        width[way] = w;
        test_remove(path);
    }
    /* an MLP has no map, so its sheet has five columns, the others seven, each chosen about as wide */
    CHECK(width[0] > 300 && width[1] > 300 && width[1] == width[2], "%d %d %d", width[0], width[1], width[2]);
    sslh_destroy(c);
}

static void maps_of_images(void) {
    sslh_ctx *c = context(1);
    NONE(sslh_plot_desc, d);
    static const int32_t label[4] = {0, 1, 1, 0};
    sslh_tensor *p = sslh_zeros(c, sslh_dim2(4, 2)), *x = sslh_zeros(c, sslh_dim4(4, 30, 30, 3));
    char path[512];
    const uint8_t *v;
    int h, w, k, count[4] = {0, 0, 0, 0};
    snprintf(path, sizeof path, "%s", test_temporary("thumbnails.png"));
    /* images 0 and 1 far apart, 2 on 1, 3 nowhere; each has a shade of its own */
    p->data[2] = 10, p->data[3] = 5, p->data[4] = 10.001f, p->data[5] = 5, p->data[6] = (sslh_real)NAN;
    for (size_t i = 0; i < x->count; i++) x->data[i] = (sslh_real)(0.1 + 0.2 * (double)(i / 2700));
    d.title = "Images";
    sslh_picture_thumbnails(c, path, p, x, label, d);
    CHECK_OK(c);
    v = sslh_load_image(c, path, &h, &w, &k);
    CHECK(v != NULL && w > 960 && h > 960, "%d x %d", w, h);
    for (int i = 0; v && i < h * w; i++)
        for (int n = 0; n < 4; n++) {
            const int shade = (int)(255 * (0.1 + 0.2 * n) + 0.5);
            count[n] += v[3 * i] == shade && v[3 * i + 1] == shade && v[3 * i + 2] == shade;
        }
    CHECK(count[0] == 900 && count[1] == 900 && count[2] == 0 && count[3] == 0, "%d %d %d %d pixels of each", count[0],
          count[1], count[2], count[3]);
    test_remove(path);
    sslh_picture_thumbnails(c, path, p, sslh_zeros(c, sslh_dim4(3, 8, 8, 1)), NULL, d);
    CHECK_ERROR(c, "sslh_picture_thumbnails: points (n,2) and as many images");
    sslh_destroy(c);
}

/* --- errors ------------------------------------------------------------------------------------------------------- */

static void errors(void) {
    static const int32_t wrong[2] = {0, 9};
    sslh_ctx *c = context(1);
    NONE(sslh_inside_desc, d);
    NONE(sslh_mlp_desc, e);
    sslh_net *net = sslh_with_head(c, small_convnet(c, 1), 3), *flat;
    sslh_tensor *x = some_images(c, 2, 16, 1);
    e.in = 256;
    flat = sslh_mlp(c, e);
    sslh_saliency(c, NULL, x, NULL);
    CHECK_ERROR(c, "sslh_saliency: the net is NULL");
    x = some_images(c, 2, 16, 1);
    sslh_saliency(c, net, x, x);
    CHECK_ERROR(c, "sslh_saliency: the targets must be (2), SSLH_I32");
    x = some_images(c, 2, 16, 1);
    sslh_saliency(c, net, x, sslh_from_ints(c, sslh_dim1(2), wrong));
    CHECK_ERROR(c, "sslh_saliency: sslh_one_hot");
    CHECK(sslh_is_training(flat) && sslh_is_training(net), "the modes after an error");
    x = some_images(c, 2, 16, 1);
    d.tap = "nowhere";
    sslh_grad_cam(c, net, x, NULL, d);
    CHECK_ERROR(c, "sslh_grad_cam: sslh_forward: the net 'convnet' has no intermediate result 'nowhere'");
    d.tap = NULL;
    x = some_images(c, 2, 16, 1);
    sslh_grad_cam(c, flat, x, NULL, d);
    CHECK_ERROR(c, "sslh_grad_cam: the net has no intermediate result that is a map");
    x = some_images(c, 2, 16, 1);
    sslh_grad_cam(c, small_vit(c, 1), x, NULL, d);
    CHECK_ERROR(c, "is no map (N,h,w,C); for a transformer there are");
    x = some_images(c, 2, 16, 1);
    sslh_attention_rollout(c, net, x);
    CHECK_ERROR(c, "sslh_attention_rollout: the net has no attention of a class token");
    x = some_images(c, 2, 16, 1);
    d.window = 17;
    sslh_occlusion(c, net, x, NULL, d);
    CHECK_ERROR(c, "sslh_occlusion: .window is 17, larger than the images of 16 x 16");
    memset(&d, 0, sizeof d);
    d.power = 9;
    x = some_images(c, 2, 16, 1);
    sslh_activation_map(c, net, x, d);
    CHECK_ERROR(c, "sslh_activation_map: .power is 9 (1 to 8)");
    memset(&d, 0, sizeof d);
    x = some_images(c, 2, 16, 1);
    d.baseline = sslh_zeros(c, sslh_dim1(5));
    sslh_integrated_gradients(c, net, x, NULL, d);
    CHECK_ERROR(c, "sslh_integrated_gradients: sslh_broadcast");
    x = some_images(c, 2, 16, 1);
    d.baseline = sslh_from_ints(c, sslh_dim1(1), wrong);
    sslh_integrated_gradients(c, net, x, NULL, d);
    CHECK_ERROR(c, "sslh_integrated_gradients: .baseline must be a tensor of real values");
    sslh_cka(c, sslh_zeros(c, sslh_dim2(3, 2)), sslh_zeros(c, sslh_dim2(4, 2)));
    CHECK_ERROR(c, "sslh_cka: features (n,D) and (n,E)");
    sslh_with_head(c, NULL, 3);
    CHECK_ERROR(c, "sslh_with_head: the encoder is NULL");
    {
        NONE(sslh_forward_desc, f);
        sslh_tensor *a[1];
        f.attention = a;
        sslh_forward_ex(net, some_images(c, 2, 16, 1), f);
        CHECK_ERROR(c, "sslh_forward_ex: .attention and .attention_room belong together");
    }
    sslh_with_head(c, flat, -1);
    CHECK_ERROR(c, "sslh_with_head: .classes is -1");
    sslh_inside_picture(c, "no.png", net, sslh_zeros(c, sslh_dim2(3, 2)), NULL, d);
    CHECK_ERROR(c, "sslh_inside_picture: images (N,H,W,1 or 3)");
    sslh_inside_picture(c, "no.png", NULL, some_images(c, 2, 16, 1), NULL, d);
    CHECK_ERROR(c, "sslh_inside_picture: the net is NULL");
    x = some_images(c, 2, 16, 1);
    sslh_saliency(c, net, x, NULL); /* all is as before */
    CHECK_OK(c);
    sslh_destroy(c);
}

/* What probes would otherwise leave out, or count as a mistake of the encoder, without a word. */
static void probes_refuse(void) {
    static const int32_t bad[2] = {7, -1};
    sslh_ctx *c = context(1);
    sslh_data data = corners(c);
    NONE(sslh_probe_desc, p);
    NONE(sslh_knn_desc, k);
    NONE(sslh_mlp_desc, e);
    NONE(sslh_feature_desc, f);
    float rows[24];
    int32_t good[12], wrong[12];
    for (int i = 0; i < 24; i++) rows[i] = (float)(i * 37 % 23);
    for (int i = 0; i < 12; i++) good[i] = wrong[i] = i % 3;
    sslh_tensor *x = sslh_persist(sslh_from(c, sslh_dim2(12, 2), rows));
    for (int i = 0; i < 2; i++) {
        wrong[4] = bad[i];
        sslh_linear_probe_features(c, x, wrong, x, good, 3, p);
        CHECK_ERROR(c, i ? "sslh_linear_probe: training label -1 of sample 4 is outside 0 .. 2"
                         : "sslh_linear_probe: training label 7 of sample 4 is outside 0 .. 2");
        sslh_linear_probe_features(c, x, good, x, wrong, 3, p);
        CHECK_ERROR(c, i ? "sslh_linear_probe: test label -1 of sample 4"
                         : "sslh_linear_probe: test label 7 of sample 4");
        sslh_knn_features(c, x, wrong, x, good, 3, k);
        CHECK_ERROR(c, i ? "sslh_knn: training label -1 of sample 4" : "sslh_knn: training label 7 of sample 4");
        sslh_knn_features(c, x, good, x, wrong, 3, k);
        CHECK_ERROR(c, i ? "sslh_knn: test label -1 of sample 4" : "sslh_knn: test label 7 of sample 4");
    }
    e.in = data.height * data.width * data.channels;
    f.pool_grid = 2;
    sslh_features(c, sslh_mlp(c, e), data, f);
    CHECK_ERROR(c, "sslh_features: .pool_grid 2 is for maps (N,H,W,C), and the net gives rows (N,D)");
    sslh_destroy(c);
}

/* Each allocation in turn fails: one clear error, nothing leaks, and the net can be used again. */
static void memory_runs_out(void) {
    for (int way = 0; way < 6; way++) {
        NONE(test_memory, m);
        NONE(sslh_desc, desc);
        NONE(sslh_inside_desc, d);
        NONE(sslh_probe_desc, p);
        NONE(sslh_plot_desc, plot);
        sslh_ctx *c;
        sslh_net *net, *vit;
        long at;
        desc.threads = 1, desc.alloc = test_alloc, desc.release = test_release, desc.user = &m;
        c = sslh_create(desc);
        net = sslh_with_head(c, small_convnet(c, 1), 3);
        vit = small_vit(c, 1);
        d.samples = 1;
        for (at = 1; at < 200; at++) {
            const int64_t mark = sslh_mark(c);
            sslh_tensor *x;
            sslh_begin_step(c);
            x = some_images(c, 2, 16, 1);
            CHECK_OK(c);
            m.fail_at = m.calls + at;
            if (way == 0) sslh_integrated_gradients(c, net, x, NULL, d);
            if (way == 1) sslh_grad_cam(c, net, x, NULL, d);
            if (way == 2) sslh_attention_rollout(c, vit, x);
            if (way == 3) sslh_occlusion(c, net, x, NULL, d);
            if (way == 4) sslh_probe_keep(c, sslh_child_at(net, 0), corners(c), p);
            if (way == 5) sslh_picture_thumbnails(c, test_temporary("t.png"), sslh_zeros(c, sslh_dim2(2, 2)), x, NULL,
                                                  plot);
            m.fail_at = 0;
            if (!sslh_error(c)) break;
            CHECK_ERROR(c, "out of memory");
            sslh_rewind(c, mark);
        }
        CHECK(at < 200, "way %d: nothing but failures", way);
        test_remove(test_temporary("t.png"));
        sslh_destroy(c);
        CHECK(m.live == 0, "way %d: %ld blocks leak", way, m.live);
    }
}

TESTS_BEGIN
    TEST(same_as_pytorch)
    TEST(linear_nets) TEST(integrated_gradients_are_complete) TEST(smooth_grad_draws_noise)
    TEST(occlusion_of_one_pixel) TEST(activation_maps)
    TEST(attention_of_all_blocks) TEST(rollout_is_the_product)
    TEST(cka_properties)
    TEST(nothing_is_left_behind)
    TEST(gradients_reach_the_pixels) TEST(probe_as_a_net)
#if SSLH_WITH_CLASSIFIERS
    TEST(classifier_as_a_net)
#endif
    TEST(probes_look_at_the_class)
    TEST(heat) TEST(sheets) TEST(maps_of_images)
    TEST(errors) TEST(probes_refuse) TEST(memory_runs_out)
TESTS_END
