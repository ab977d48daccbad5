/* Nets, encoders, optimisers, schedules. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"

/* y = w x (element by element) + b as an operation of the test's own: needs nothing but the tape. */
static void scale_forward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    size_t i, w = in[1]->count;
    (void)c, (void)n, (void)user;
    for (i = 0; i < out->count; i++) out->data[i] = in[0]->data[i] * in[1]->data[i % w];
}
static void scale_backward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    size_t i, w = in[1]->count;
    sslh_real *gx = sslh_grad(c, in[0]), *gw = sslh_grad(c, in[1]);
    (void)n, (void)user;
    for (i = 0; i < out->count; i++) {
        if (gx) gx[i] += out->grad[i] * in[1]->data[i % w];
        if (gw) gw[i % w] += out->grad[i] * in[0]->data[i];
    }
}
static void sum_forward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    size_t i;
    (void)c, (void)n, (void)user;
    out->data[0] = 0;
    for (i = 0; i < in[0]->count; i++) out->data[0] += in[0]->data[i];
}
static void sum_backward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    size_t i;
    sslh_real *g = sslh_grad(c, in[0]);
    (void)n, (void)user;
    for (i = 0; g && i < in[0]->count; i++) g[i] += out->grad[0];
}
static sslh_tensor *op2(sslh_ctx *c, sslh_tensor *x, sslh_tensor *w) {
    sslh_tensor *in[2];
    sslh_op_desc d;
    in[0] = x;
    in[1] = w;
    memset(&d, 0, sizeof d);
    d.name = w ? "scale" : "total";
    d.forward = w ? scale_forward : sum_forward;
    d.backward = w ? scale_backward : sum_backward;
    return sslh_custom_op(c, d, in, w ? 2 : 1, w ? sslh_shape_of(x) : sslh_dim0());
}

/* Two scalings; tap "inner". */
static sslh_tensor *two_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_ctx *c = sslh_net_ctx(net);
    (void)self;
    x = op2(c, x, sslh_param(net, 0));
    if (sslh_tap(net, "inner", x)) return x;
    x = op2(c, x, sslh_param(net, 2));
    return op2(c, x, sslh_param(net, 0));
}
static sslh_net *two_new(sslh_ctx *c) {
    sslh_net_desc d;
    sslh_net *net;
    memset(&d, 0, sizeof d);
    d.name = "two";
    d.forward = two_forward;
    d.width = 5;
    d.channels = 5;
    net = sslh_net_new(c, d);
    sslh_param_new(net, "a.weight", sslh_dim2(1, 5), SSLH_INIT_NORMAL, 0);
    sslh_state_new(net, "count", SSLH_I32, sslh_dim0());
    sslh_param_new(net, "b", sslh_dim1(5), SSLH_INIT_UNIFORM, 0.5f);
    return net;
}

static void count_warning(void *user, const char *text) {
    *(int *)user += strstr(text, "has 'wieght' in its name") != NULL;
}
static void declaration(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = two_new(c), *box;
    sslh_net_desc d;
    char name[64];
    int is_param, i;
    sslh_tensor *w = sslh_param(net, 0), *all;
    CHECK_OK(c);
    CHECK(w->count == 5 && w->data && ((uintptr_t)w->data & 63) == 0, "layout");
    CHECK(sslh_param(net, 2)->data == w->data + 16, "one block, padded to 16");
    CHECK(sslh_state(net, 1)->ints[0] == 0, "states start at zero");
    CHECK(sslh_param(net, 0) == w, "stable headers");
    CHECK(sslh_find(net, "a.weight") == w && sslh_find(net, "none") == NULL, "find");
    for (i = 0; i < 5; i++) CHECK_NEAR(w->data[i], sslh_random_normal(7, 1, (uint64_t)i), 1e-7);
    sslh_param_new(net, "late", sslh_dim1(2), SSLH_INIT_ZERO, 0);
    CHECK_ERROR(c, "declared after the net 'two' was used");
    sslh_param(net, 1);
    CHECK_ERROR(c, "no parameter number 1");
    sslh_state(net, 9);
    CHECK_ERROR(c, "no state number 9");
    memset(&d, 0, sizeof d);
    d.name = "box";
    box = sslh_net_new(c, d);
    sslh_child(box, "one", net);
    sslh_child(box, "same", net);
    CHECK(sslh_child_at(box, 1) == net, "child_at");
    sslh_child(box, "one", net);
    CHECK_ERROR(c, "already has a child 'one'");
    CHECK(sslh_count_tensors(box) == 3, "a net reachable twice counts once");
    all = sslh_tensor_at(box, 0, name, sizeof name, &is_param);
    CHECK(all == w && strcmp(name, "one.a.weight") == 0 && is_param == 1, "tensor_at: %s", name);
    CHECK(sslh_find(box, "same.a.weight") == w, "find through the second name");
    CHECK(sslh_net_query(box).params == 10 && sslh_net_query(box).states == 1, "counts");
    sslh_param_new(box, "x", sslh_dim2(3, 0), SSLH_INIT_ZERO, 0);
    CHECK_ERROR(c, "every size must be at least 1");
    sslh_param_new(box, "x", sslh_dim1(1), SSLH_INIT_ZERO, 0);
    sslh_param_new(box, "x", sslh_dim1(1), SSLH_INIT_ZERO, 0);
    CHECK_ERROR(c, "already has a tensor 'x'");
    CHECK(sslh_param_new(box, "y", sslh_dim1(1), (sslh_init)11, 0) == -1, "a number for no initial values");
    CHECK_ERROR(c, "sslh_param_new: 'y' has the initial values number 11: there are 0 to 10");
    CHECK(sslh_param_new(box, "y", sslh_dim1(1), (sslh_init)-1, 0) == -1, "a number for no initial values");
    CHECK_ERROR(c, "number -1");
    CHECK(sslh_param_new(box, "y", sslh_dim1(1), SSLH_INIT_NORMAL, (float)strtod("nan", NULL)) == -1, "NaN");
    CHECK_ERROR(c, "give a finite number");
    CHECK(sslh_param_new(box, "y", sslh_dim3(1, 5, 4), SSLH_INIT_POSITIONS, 1e20f) == -1, "a grid beyond all sizes");
    CHECK_ERROR(c, "give G, at most 32767");
    CHECK(sslh_param_new(box, "y", sslh_dim3(1, 5, 6), SSLH_INIT_POSITIONS, 2) == -1, "4 does not divide 6");
    CHECK_ERROR(c, "sslh_param_new: 'y': positions of a 2 x 2 grid have the shape (1,1+2*2,D), D a multiple of 4");
    CHECK(sslh_param_new(box, "y", sslh_dim3(2, 5, 4), SSLH_INIT_POSITIONS, 2) == -1, "two grids");
    CHECK_ERROR(c, "positions of a 2 x 2 grid");
    {
        sslh_param_opts opts;
        memset(&opts, 0, sizeof opts);
        sslh_param_set_matching(box, NULL, opts);
        CHECK_ERROR(c, "sslh_param_set_matching: the pattern is NULL");
        sslh_desc cd;
        sslh_ctx *other;
        memset(&cd, 0, sizeof cd);
        cd.threads = 1, cd.user = &i, cd.warn = count_warning;
        other = sslh_create(cd);
        i = 0;
        sslh_net *two = two_new(other);
        sslh_param_set_matching(two, "weight", opts);
        CHECK(i == 0, "there is such a parameter");
        sslh_param_set_matching(two, "wieght", opts); /* a slip of the pen */
        CHECK(i == 1, "no parameter has this name");
        sslh_destroy(other);
    }
    CHECK(sslh_layer_batch_norm_new(box, "bn", 4, 7) == -1, "known before the first batch");
    CHECK_ERROR(c, "sslh_layer_batch_norm_new: no_affine is 7 (0 to 2)");
    CHECK(sslh_layer_conv_new(box, "conv", 4, 4, 3, -2, 0) == -1, "a negative number of groups");
    CHECK_ERROR(c, "sslh_layer_conv_new: 'conv': -2 groups do not divide 4 input");
    CHECK(sslh_net_query(box).params == 11, "nothing was declared");
    sslh_forward(box, sslh_zeros(c, sslh_dim2(1, 5)));
    CHECK_ERROR(c, "container without a forward function");
    { /* a net or a parameter that could not be made leaves no memory behind */
        const size_t before = sslh_query(c).bytes;
        char longest[200];
        memset(longest, 'x', sizeof longest - 1);
        longest[sizeof longest - 1] = 0;
        memset(&d, 0, sizeof d);
        d.name = longest;
        sslh_net_new(c, d);
        CHECK_ERROR(c, "sslh_net_new: a name of 1 to 63 characters is needed");
        sslh_param_new(box, longest, sslh_dim1(1), SSLH_INIT_ZERO, 0);
        sslh_clear_error(c);
        CHECK((size_t)sslh_query(c).bytes == before, "memory was left behind");
    }
    sslh_destroy(c);
}

static void initial_values(void) {
    static const struct { sslh_init init; float scale; double std, bound; } cases[] = {
        {SSLH_INIT_NORMAL, 0.3f, 0.3, 9},         {SSLH_INIT_TRUNC_NORMAL, 0, 0.0176, 0.0400001},
        {SSLH_INIT_UNIFORM, 2, 1.1547, 2},        {SSLH_INIT_KAIMING, 0, 0.1178, 9},
        {SSLH_INIT_KAIMING_OUT, 0, 0.05893, 9},   {SSLH_INIT_XAVIER, 0, 0.05270, 0.09129},
        {SSLH_INIT_FAN_IN, 0, 0.04811, 0.083334}, {SSLH_INIT_ONE, 0, 0, 1},
        {SSLH_INIT_CONSTANT, 0.25f, 0, 0.25},     {SSLH_INIT_ZERO, 0, 0, 0}};
    sslh_ctx *c = context(2);
    sslh_net_desc d;
    sslh_net *net;
    size_t i, j;
    memset(&d, 0, sizeof d);
    net = sslh_net_new(c, d);
    /* (O,Kh,Kw,I) = (64,3,3,16): fan in 144, out 576, over 720 for Xavier */
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", (int)i);
        sslh_param_new(net, name, sslh_dim4(64, 3, 3, 16), cases[i].init, cases[i].scale);
    }
    sslh_param_new(net, "positions", sslh_dim3(1, 10, 8), SSLH_INIT_POSITIONS, 3);
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const sslh_tensor *t = sslh_param(net, (int)i);
        double sum = 0, sum2 = 0, most = 0, std;
        for (j = 0; j < t->count; j++) {
            double v = (double)t->data[j];
            sum += v;
            sum2 += v * v;
            if (fabs(v) > most) most = fabs(v);
        }
        std = sqrt(fabs(sum2 / (double)t->count - sum / (double)t->count * (sum / (double)t->count)));
        CHECK(fabs(std - cases[i].std) <= 0.03 * cases[i].std + 1e-9,
              "init %d: std %g, expected %g", (int)i, std, cases[i].std);
        CHECK(most <= cases[i].bound * 1.0001, "init %d: largest %g, bound %g", (int)i, most, cases[i].bound);
    }
    {
        /* 3 x 3 grid, D = 8: row of column 2, row 1 is 1 + 1*3 + 2 = 6 */
        const sslh_real *p = sslh_param(net, (int)i)->data;
        for (j = 0; j < 8; j++) CHECK(p[j] == 0, "class token");
        p += 6 * 8;
        CHECK_NEAR(p[0], sin(2.0), 1e-6);
        CHECK_NEAR(p[1], sin(2.0 * 0.01), 1e-6);
        CHECK_NEAR(p[2], cos(2.0), 1e-6);
        CHECK_NEAR(p[4], sin(1.0), 1e-6);
        CHECK_NEAR(p[7], cos(0.01), 1e-6);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

static void running(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = two_new(c), *copy;
    sslh_forward_desc f;
    sslh_tensor *x, *y, *z;
    sslh_info before, after;
    sslh_real value;
    float norm;
    int i;
    memset(&f, 0, sizeof f);
    x = sslh_normal(c, sslh_dim2(3, 5), 0, 1);
    y = sslh_forward(net, x);
    f.tap = "inner";
    z = sslh_forward_ex(net, x, f);
    CHECK_NEAR(z->data[1], x->data[1] * sslh_param(net, 0)->data[1], 1e-7);
    CHECK_NEAR(y->data[1], z->data[1] * sslh_param(net, 2)->data[1] * sslh_param(net, 0)->data[1], 1e-6);
    f.tap = "layer9";
    sslh_forward_ex(net, x, f);
    CHECK_ERROR(c, "no intermediate result 'layer9' (it has: inner)");
    x = sslh_zeros(c, sslh_dim2(3, 4));
    sslh_forward(net, x);
    CHECK_ERROR(c, "wants 5 channels (the last axis), the input (3,4) has 4");
    /* nothing is recorded and only the result is left under no_grad */
    sslh_begin_step(c);
    sslh_no_grad(c, 1);
    x = sslh_zeros(c, sslh_dim2(50, 5));
    y = sslh_forward(net, x);
    CHECK(c->ntensors == 2 && c->nnodes == 0 && y->data, "%d tensors, %d nodes", (int)c->ntensors, (int)c->nnodes);
    sslh_no_grad(c, 0);
    /* gradients: of total(a b a x) */
    sslh_begin_step(c);
    x = sslh_full(c, sslh_dim2(2, 5), 1);
    sslh_backward(c, op2(c, sslh_forward(net, x), NULL));
    CHECK_OK(c);
    value = 2 * sslh_param(net, 0)->data[3] * sslh_param(net, 0)->data[3];
    CHECK_NEAR(sslh_param(net, 2)->grad[3], value, 1e-6);
    norm = sslh_clip_grad(net, 1e-3f);
    CHECK(norm > 1e-3f, "norm %g", (double)norm);
    norm = sslh_clip_grad(net, 1e9f);
    CHECK_NEAR(norm, 1e-3, 1e-6);
    sslh_zero_grad(net);
    CHECK(sslh_param(net, 2)->grad[3] == 0, "zero_grad");
    /* frozen nets collect nothing and a clone that only runs under no_grad has no gradients */
    sslh_freeze(net, 1);
    x = sslh_requires_grad(sslh_full(c, sslh_dim2(2, 5), 1));
    sslh_backward(c, op2(c, sslh_forward(net, x), NULL));
    CHECK(sslh_param(net, 2)->grad[3] == 0 && x->grad && x->grad[0] != 0, "frozen: passes gradient on, keeps none");
    sslh_freeze(net, 0);
    copy = sslh_clone(net);
    CHECK(sslh_param(copy, 0) != sslh_param(net, 0) && sslh_param(copy, 0)->data[2] == sslh_param(net, 0)->data[2],
          "clone");
    for (i = 0; i < 3; i++) {
        sslh_begin_step(c);
        sslh_no_grad(c, 1);
        before = sslh_query(c);
        sslh_forward(copy, sslh_zeros(c, sslh_dim2(2, 5)));
        after = sslh_query(c);
        sslh_no_grad(c, 0);
    }
    CHECK(before.allocs == after.allocs, "no allocation in the third step");
    /* average */
    sslh_param(net, 0)->data[2] = 2;
    sslh_param(copy, 0)->data[2] = 1;
    sslh_state(net, 1)->ints[0] = 5;
    sslh_ema_update(copy, net, 0.75f);
    CHECK_NEAR(sslh_param(copy, 0)->data[2], 1.25, 1e-7);
    CHECK(sslh_state(copy, 1)->ints[0] == 0, "buffers stay");
    sslh_copy_values(copy, net);
    CHECK(sslh_param(copy, 0)->data[2] == 2 && sslh_state(copy, 1)->ints[0] == 5, "copy");
    CHECK_OK(c);
    sslh_destroy(c);
}

static void other_context(void) {
    sslh_ctx *a = context(1), *b = context(1);
    sslh_net *net = two_new(a), *moved;
    int64_t mark = sslh_mark(b);
    size_t bytes = sslh_query(b).bytes;
    moved = sslh_clone_into(b, net);
    CHECK(sslh_net_ctx(moved) == b && sslh_param(moved, 0)->data[4] == sslh_param(net, 0)->data[4], "clone_into");
    sslh_ema_update(net, moved, 0.5f);
    sslh_child(net, "moved", moved);
    CHECK_ERROR(a, "another context");
    sslh_rewind(b, mark);
    CHECK(sslh_query(b).bytes == bytes,
          "a rewind frees the net with its late blocks: %d more", (int)(sslh_query(b).bytes - bytes));
    sslh_destroy(a);
    CHECK_OK(b);
    sslh_destroy(b);
}

/* After an error everything returns something valid. */
static void dead_nets(void) {
    sslh_ctx *c = context(1);
    sslh_net *dead, *copy;
    sslh_resnet_desc r;
    sslh_param_opts opts;
    sslh_optimizer_desc o;
    sslh_net_desc n;
    memset(&r, 0, sizeof r);
    memset(&opts, 0, sizeof opts);
    memset(&o, 0, sizeof o);
    r.depth = 20;
    dead = sslh_resnet(c, r);
    copy = sslh_clone(dead);
    sslh_forward(copy, sslh_zeros(c, sslh_dim1(1)));
    sslh_train_mode(dead, 0);
    sslh_freeze(dead, 1);
    sslh_ema_update(dead, copy, 0.5f);
    sslh_param_set_matching(dead, "", opts);
    CHECK(sslh_param(dead, 3)->count == 1 && sslh_count_tensors(dead) == 0 && sslh_net_query(dead).params == 0,
          "dead net");
    CHECK_ERROR(c, "sslh_resnet: .depth is 20 (18, 34, 50, 101 or 152)");
    sslh_forward(dead, sslh_zeros(c, sslh_dim1(1)));
    CHECK_ERROR(c, "could not be made");
    sslh_forward(NULL, sslh_zeros(c, sslh_dim1(1)));
    CHECK_ERROR(c, "could not be made");
    memset(&n, 0, sizeof n);
    n.width = -1;
    CHECK(sslh_net_query(sslh_net_new(c, n)).width == 0, "a dead net promises nothing");
    CHECK_ERROR(c, "sslh_net_new: .width is -1 (at least 1)");
    n.width = 1, n.kind = (sslh_kind)3;
    sslh_net_new(c, n);
    CHECK_ERROR(c, "sslh_net_new: .kind is 3 (0 to 2)");
    n.kind = SSLH_VECTOR;
    copy = sslh_net_new(c, n);
    CHECK(sslh_state_new(copy, "s", (sslh_type)7, sslh_dim1(3)) == -1 && sslh_count_tensors(copy) == 0, "no such type");
    CHECK_ERROR(c, "sslh_state_new: 's' has the unknown type 7");
    sslh_clone(copy);
    CHECK_OK(c);
    sslh_optimizer_add(sslh_optimizer_new(NULL, o), dead);
    sslh_optimizer_step(sslh_optimizer_new(NULL, o), 0.1f);
    sslh_destroy(c);
}

/* --- optimisers, against the textbook formula in double ----------------------------------------------------------- */

typedef struct reference { double p, m, v; } reference;

static void one_case(const char *name, sslh_optimizer_desc d, int matrix) {
    sslh_ctx *c = context(2);
    sslh_net_desc nd;
    sslh_net *net;
    sslh_optimizer *o;
    reference r[40];
    int i, step;
    double decay = matrix ? (double)d.weight_decay : 0, eps = d.eps == 0 ? 1e-8 : (double)d.eps;
    double mom = d.momentum < 0 ? 0 : d.momentum == 0 ? 0.9 : (double)d.momentum;
    double b1 = d.beta1 == 0 ? 0.9 : (double)d.beta1, b2 = d.beta2 == 0 ? 0.999 : (double)d.beta2;
    memset(&nd, 0, sizeof nd);
    net = sslh_net_new(c, nd);
    sslh_param_new(net, "w", matrix ? sslh_dim2(8, 5) : sslh_dim1(40), SSLH_INIT_NORMAL, 1);
    o = sslh_optimizer_new(c, d);
    sslh_optimizer_add(o, net);
    sslh_optimizer_add(o, net); /* skipped */
    for (i = 0; i < 40; i++) r[i].p = (double)sslh_param(net, 0)->data[i], r[i].m = r[i].v = 0;
    for (step = 1; step <= 6; step++) {
        double lr = 0.1 / step, pp = 0, gg = 0, ratio = 1, norm = 0, scale = 1, g[40];
        for (i = 0; i < 40; i++) {
            g[i] = sin(i * 0.7 + step) * 0.3;
            sslh_param(net, 0)->grad[i] = (sslh_real)g[i];
            norm += g[i] * g[i];
        }
        if (d.clip > 0 && sqrt(norm) > (double)d.clip) scale = (double)d.clip / (sqrt(norm) + 1e-6);
        for (i = 0; i < 40; i++) {
            g[i] *= scale;
            if (d.kind != SSLH_ADAMW) g[i] += decay * r[i].p;
            pp += r[i].p * r[i].p;
            gg += g[i] * g[i];
        }
        if (d.kind == SSLH_LARS && matrix) {
            ratio = 0.001 * sqrt(pp) / sqrt(gg);
            if (d.lars_clip && ratio / lr > 1) ratio = 1;
            else if (d.lars_clip) ratio /= lr;
        }
        for (i = 0; i < 40; i++) {
            if (d.kind == SSLH_ADAM || d.kind == SSLH_ADAMW) {
                double k1 = d.no_bias_correction ? 1 : 1 - pow(b1, step);
                double k2 = d.no_bias_correction ? 1 : 1 - pow(b2, step);
                if (d.kind == SSLH_ADAMW) r[i].p *= 1 - lr * decay;
                r[i].m = b1 * r[i].m + (1 - b1) * g[i];
                r[i].v = b2 * r[i].v + (1 - b2) * g[i] * g[i];
                r[i].p -= lr * (r[i].m / k1) / (sqrt(r[i].v / k2) + eps);
            } else {
                double u = g[i] * ratio;
                r[i].m = step == 1 ? u : mom * r[i].m + u; /* PyTorch: the first buffer is the gradient */
                r[i].p -= lr * (d.nesterov ? u + mom * r[i].m : r[i].m);
            }
        }
        sslh_optimizer_step(o, (float)lr);
        CHECK(sslh_param(net, 0)->grad[7] == 0, "%s: gradients are zero again", name);
    }
    CHECK_OK(c);
    for (i = 0; i < 40; i++)
        CHECK(fabs(r[i].p - (double)sslh_param(net, 0)->data[i]) < 2e-6 * (1 + fabs(r[i].p)),
              "%s%s: parameter %d is %.8g, expected %.8g", name, matrix ? "" : " (vector)", i,
              (double)sslh_param(net, 0)->data[i], r[i].p);
    sslh_destroy(c);
}

static void update_rules(void) {
    sslh_optimizer_desc d;
    int matrix;
    for (matrix = 0; matrix < 2; matrix++) {
        memset(&d, 0, sizeof d);
        one_case("sgd", d, matrix);
        d.weight_decay = 0.05f;
        one_case("sgd, decay", d, matrix);
        d.nesterov = 1;
        one_case("sgd, nesterov", d, matrix);
        d.nesterov = 0;
        d.momentum = (float)SSLH_OFF;
        d.clip = 0.5f;
        one_case("sgd without momentum, clipped", d, matrix);
        d.momentum = 0;
        d.clip = 0;
        d.kind = SSLH_ADAM;
        one_case("adam", d, matrix);
        d.kind = SSLH_ADAMW;
        one_case("adamw", d, matrix);
        d.beta2 = 0.95f;
        d.no_bias_correction = 1;
        d.eps = 1e-6f;
        one_case("adamw, BERT", d, matrix);
        memset(&d, 0, sizeof d);
        d.kind = SSLH_LARS;
        d.weight_decay = 0.01f;
        one_case("lars", d, matrix);
        d.lars_clip = 1;
        one_case("lars, clipped", d, matrix);
    }
}

/* NaN changes nothing; groups, multipliers, frozen nets. */
static void optimizer_rules(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = two_new(c);
    sslh_optimizer_desc d;
    sslh_optimizer *o;
    sslh_param_opts p;
    sslh_real zero = 0, a, b;
    memset(&d, 0, sizeof d);
    memset(&p, 0, sizeof p);
    d.momentum = (float)SSLH_OFF;
    d.group_lr[2] = 0.5f;
    d.constant_lr = 1u << 3;
    o = sslh_optimizer_new(c, d);
    sslh_optimizer_add(o, net);
    sslh_param(net, 2)->grad[1] = zero / zero;
    sslh_param(net, 0)->grad[0] = 1;
    a = sslh_param(net, 0)->data[0];
    sslh_optimizer_step(o, 0.1f);
    CHECK(sslh_param(net, 0)->data[0] == a, "nothing changed");
    CHECK_ERROR(c, "the gradient of 'two.b' holds NaN or Inf");
    sslh_param(net, 2)->grad[1] = 0;
    CHECK(sslh_param(net, 0)->grad[0] == 1, "gradients are still there");
    p.group = 2;
    p.lr_scale = 3;
    sslh_param_set_matching(net, "weight", p);
    sslh_param(net, 2)->grad[1] = 1;
    b = sslh_param(net, 2)->data[1];
    sslh_optimizer_step_groups(o, 0.1f, 1u << 2);
    CHECK_NEAR(sslh_param(net, 0)->data[0], (double)a - 0.15, 1e-6);
    CHECK(sslh_param(net, 2)->data[1] == b && sslh_param(net, 2)->grad[1] == 1, "the other group waits");
    p.group = 3;
    p.lr_scale = 0;
    sslh_param_set(net, 2, p);
    sslh_optimizer_peak(o, 0.7f);
    sslh_optimizer_step(o, 0.01f);
    CHECK_NEAR(sslh_param(net, 2)->data[1], (double)b - 0.7, 1e-6);
    sslh_freeze(net, 1);
    sslh_param(net, 2)->grad[1] = 1;
    b = sslh_param(net, 2)->data[1];
    sslh_optimizer_step(o, 0.01f);
    CHECK(sslh_param(net, 2)->data[1] == b, "frozen");
    p.group = 16;
    sslh_param_set(net, 2, p);
    CHECK_ERROR(c, ".group is 16 (0 to 15)");
    sslh_optimizer_step(o, (float)(zero / zero));
    CHECK_ERROR(c, "sslh_optimizer_step: the learning rate is ");
    sslh_destroy(c);
}

static void schedules(void) {
    static const float at[3] = {0.5f, 0.75f, 0};
    CHECK_NEAR(sslh_constant(0, 100, 10, 1), 0.1, 1e-7);
    CHECK_NEAR(sslh_constant(9, 100, 10, 1), 1, 1e-7);
    CHECK_NEAR(sslh_constant(50, 100, 10, 1), 1, 0);
    CHECK_NEAR(sslh_cosine(10, 110, 10, 2), 2, 1e-6);
    CHECK_NEAR(sslh_cosine(60, 110, 10, 2), 1, 1e-6);
    CHECK_NEAR(sslh_cosine(35, 110, 10, 2), 1 + cos(3.14159265358979 / 4), 1e-6);
    CHECK_NEAR(sslh_cosine(110, 110, 10, 2), 0, 0);
    CHECK_NEAR(sslh_cosine(0, 0, 0, 2), 0, 0);
    CHECK_NEAR(sslh_linear_decay(25, 100, 0, 2), 1.5, 1e-6);
    CHECK_NEAR(sslh_steps(49, 100, 0, 1, at, 0.1f), 1, 0);
    CHECK_NEAR(sslh_steps(50, 100, 0, 1, at, 0.1f), 0.1, 1e-7);
    CHECK_NEAR(sslh_steps(99, 100, 0, 1, at, 0.1f), 0.01, 1e-7);
}

/* --- encoders ----------------------------------------------------------------------------------------------------- */

static void has_shape(const sslh_tensor *t, int n, int a, int b, int d, int e, const char *what) {
    int want[4], i;
    want[0] = a, want[1] = b, want[2] = d, want[3] = e;
    CHECK(t->ndim == n, "%s: %d dimensions", what, t->ndim);
    for (i = 0; i < n; i++)
        CHECK(t->shape[i] == want[i], "%s: size %d is %d, expected %d", what, i, t->shape[i], want[i]);
}

static sslh_tensor *tap(sslh_net *net, sslh_tensor *x, const char *name) {
    sslh_forward_desc f;
    memset(&f, 0, sizeof f);
    f.tap = name;
    return sslh_forward_ex(net, x, f);
}

/* Every parameter gets a gradient, a clone computes the same bits, and under no_grad only the result is left. */
static void works(sslh_net *net, sslh_tensor *input, const char *what) {
    sslh_ctx *c = sslh_net_ctx(net);
    sslh_tensor *x = sslh_persist(input), *y, *w;
    sslh_net *copy = sslh_clone(net);
    int i, is_param, n = sslh_count_tensors(net);
    float *a, *b;
    char name[128];
    size_t j;
    sslh_begin_step(c);
    y = sslh_forward(net, x);
    w = sslh_normal(c, sslh_shape_of(y), 0, 1);
    sslh_backward(c, sslh_sum(c, sslh_mul(c, y, w), SSLH_ALL, 0));
    CHECK_OK(c);
    for (i = 0; i < n; i++) {
        sslh_tensor *t = sslh_tensor_at(net, i, name, sizeof name, &is_param);
        double sum = 0;
        for (j = 0; is_param && j < t->count; j++) sum += fabs((double)t->grad[j]);
        CHECK(!is_param || sum > 0, "%s: no gradient for %s", what, name);
        if (!is_param && strstr(name, "num_batches_tracked"))
            CHECK(t->ints[0] == 1, "%s: %s is %d", what, name, t->ints[0]);
    }
    sslh_copy_values(copy, net); /* running statistics have moved */
    sslh_train_mode(net, 0);
    sslh_train_mode(copy, 0);
    sslh_begin_step(c);
    sslh_no_grad(c, 1);
    y = sslh_forward(net, x);
    CHECK(c->ntensors == 1, "%s: %d tensors left", what, (int)c->ntensors);
    a = (float *)malloc(y->count * sizeof *a);
    b = (float *)malloc(y->count * sizeof *b);
    sslh_read(y, a, y->count);
    sslh_read(sslh_forward(copy, x), b, y->count);
    CHECK(memcmp(a, b, y->count * sizeof *a) == 0, "%s: the clone computes the same", what);
    CHECK(copy->grads == NULL, "%s: a clone that only looks has no gradients", what);
    sslh_no_grad(c, 0);
    CHECK(sslh_net_query(net).width == y->shape[y->ndim - 1], "%s: width", what);
    CHECK_OK(c);
    free(a);
    free(b);
}

/* With a norm of each sample by itself features are the same alone and in a batch, in training too; with batch norm
   they are not. The encoder of patches gives for each patch what its encoder gives for that patch alone. */
static void patches_alone(void) {
    sslh_ctx *c = context(2);
    sslh_convnet_desc conv;
    sslh_patch_encoder_desc p;
    sslh_net *net, *patches;
    sslh_tensor *x, *map, *one;
    const int32_t places[6] = {0, 0, 6, 9, 3, 3}; /* patches 0, 13, 6 */
    int norm, i;
    memset(&conv, 0, sizeof conv);
    memset(&p, 0, sizeof p);
    conv.widths[0] = 4, conv.widths[1] = 6;
    x = sslh_normal(c, sslh_dim4(3, 12, 16, 3), 0, 1);
    for (norm = SSLH_OFF; norm <= 1; norm++) {
        double apart = 0;
        conv.norm = norm;
        net = sslh_convnet(c, conv);
        map = sslh_forward(net, x);
        one = sslh_forward(net, sslh_slice(c, x, 0, 1, 2));
        for (i = 0; i < 6; i++) apart += fabs((double)map->data[6 + i] - (double)one->data[i]);
        CHECK(norm == 0 ? apart > 0.1 : apart < 1e-5, "norm %d: %g apart", norm, apart);
    }
    p.patch = 4, p.stride = 3;
    patches = sslh_patch_encoder(c, net, p);
    map = sslh_forward(patches, x);
    has_shape(map, 4, 3, 3, 5, 6, "R x S patches");
    one = sslh_crop(c, x, sslh_from_ints(c, sslh_dim3(3, 1, 2), places), 4, 4);
    one = sslh_forward(net, sslh_reshape(c, one, sslh_dim4(3, 4, 4, 3)));
    for (i = 0; i < 6; i++) {
        CHECK_NEAR((double)map->data[i], (double)one->data[i], 1e-5);
        CHECK_NEAR((double)map->data[(15 + 13) * 6 + i], (double)one->data[6 + i], 1e-5);
        CHECK_NEAR((double)map->data[(30 + 6) * 6 + i], (double)one->data[12 + i], 1e-5);
    }
    p.side = 24, p.patch = p.stride = 0;
    has_shape(sslh_forward(sslh_patch_encoder(c, net, p), x), 4, 3, 7, 7, 6, "the defaults: 6 pixels, every 3");
    CHECK_OK(c);
    p.side = 0, p.patch = 13;
    sslh_forward(sslh_patch_encoder(c, net, p), x);
    CHECK_ERROR(c, "sslh_patch_encoder: patches of 13 pixels do not fit into images of 12 x 16");
    p.patch = -1;
    sslh_patch_encoder(c, net, p);
    CHECK_ERROR(c, "sslh_patch_encoder: .patch is -1");
    sslh_destroy(c);
}

static void encoders(void) {
    sslh_ctx *c = context(2);
    sslh_convnet_desc conv;
    sslh_resnet_desc r;
    sslh_nin_desc nin;
    sslh_mlp_desc m;
    sslh_net *net;
    sslh_tensor *x;
    memset(&conv, 0, sizeof conv);
    memset(&r, 0, sizeof r);
    memset(&nin, 0, sizeof nin);
    memset(&m, 0, sizeof m);
    conv.channels = 1;
    conv.widths[0] = 4, conv.widths[1] = 8, conv.widths[2] = 12;
    net = sslh_convnet(c, conv);
    x = sslh_normal(c, sslh_dim4(3, 13, 11, 1), 0, 1);
    has_shape(sslh_forward(net, x), 2, 3, 12, 0, 0, "convnet");
    has_shape(tap(net, x, "block1"), 4, 3, 7, 6, 4, "block1");
    has_shape(tap(net, x, "block3"), 4, 3, 2, 2, 12, "block3");
    CHECK(sslh_find(net, "bn2.running_var")->data[3] > 0 && sslh_find(net, "conv3.weight") != NULL, "names");
    works(sslh_convnet(c, conv), x, "convnet");
    conv.norm = 2;
    x = sslh_normal(c, sslh_dim4(3, 13, 11, 1), 0, 1);
    has_shape(sslh_forward(sslh_convnet(c, conv), x), 2, 3, 12, 0, 0, "convnet with a group norm");
    CHECK(sslh_find(sslh_convnet(c, conv), "norm3.bias") && !sslh_find(sslh_convnet(c, conv), "conv3.bias"), "names");
    works(sslh_convnet(c, conv), x, "convnet with a group norm");
    conv.norm = SSLH_OFF;
    x = sslh_normal(c, sslh_dim4(3, 13, 11, 1), 0, 1);
    CHECK(sslh_find(sslh_convnet(c, conv), "conv3.bias") && !sslh_find(sslh_convnet(c, conv), "norm3.bias"), "names");
    works(sslh_convnet(c, conv), x, "convnet without a norm");
    conv.norm = 0;
    r.width = 4;
    net = sslh_resnet(c, r);
    x = sslh_normal(c, sslh_dim4(3, 16, 16, 3), 0, 1);
    has_shape(sslh_forward(net, x), 2, 3, 32, 0, 0, "resnet");
    has_shape(tap(net, x, "stem"), 4, 3, 16, 16, 4, "stem");
    has_shape(tap(net, x, "layer1"), 4, 3, 16, 16, 4, "layer1");
    has_shape(tap(net, x, "layer4"), 4, 3, 2, 2, 32, "layer4");
    works(sslh_resnet(c, r), x, "resnet18");
    r.depth = 34;
    r.imagenet_stem = 1;
    r.map_output = 1;
    net = sslh_resnet(c, r);
    CHECK(sslh_count_tensors(net) == 216,
          "ResNet-34 has 216 tensors besides its classifier, %d here", sslh_count_tensors(net));
    x = sslh_normal(c, sslh_dim4(2, 64, 64, 3), 0, 1);
    has_shape(sslh_forward(net, x), 4, 2, 2, 2, 32, "resnet34 map");
    memset(&r, 0, sizeof r);
    r.width = 4;
    r.depth = 50;
    net = sslh_resnet(c, r);
    CHECK(sslh_count_tensors(net) == 318,
          "ResNet-50 has 318 tensors besides its classifier, %d here", sslh_count_tensors(net));
    CHECK(sslh_find(net, "layer1.0.downsample.1.running_mean") && !sslh_find(net, "layer1.1.downsample.0.weight"),
          "a bottleneck's shortcut");
    x = sslh_normal(c, sslh_dim4(2, 16, 16, 3), 0, 1);
    has_shape(tap(net, x, "layer1"), 4, 2, 16, 16, 16, "layer1 of resnet50");
    has_shape(sslh_forward(net, x), 2, 2, 128, 0, 0, "resnet50");
    works(sslh_resnet(c, r), x, "resnet50");
    nin.divide = 16;
    nin.blocks = 3;
    x = sslh_normal(c, sslh_dim4(3, 12, 12, 3), 0, 1);
    net = sslh_nin(c, nin);
    has_shape(tap(net, x, "block1"), 4, 3, 6, 6, 6, "nin block1");
    has_shape(tap(net, x, "block3"), 4, 3, 3, 3, 12, "nin block3");
    works(sslh_nin(c, nin), x, "nin");
    m.in = 12;
    m.widths[0] = 7, m.widths[1] = 5;
    m.batch_norm = 1;
    m.last_batch_norm = 2;
    m.activation = SSLH_TANH;
    m.last_activation = 1;
    net = sslh_mlp(c, m);
    CHECK(sslh_count_tensors(net) == 11 && sslh_net_query(net).params == 12 * 7 + 14 + 7 * 5 + 5,
          "mlp: %d tensors", sslh_count_tensors(net));
    works(net, sslh_normal(c, sslh_dim4(6, 2, 2, 3), 0, 1), "mlp");
    sslh_forward(net, sslh_normal(c, sslh_dim2(6, 11), 0, 1));
    CHECK_ERROR(c, "wants 12 values per sample, the input is (6,11)");
    memset(&r, 0, sizeof r);
    CHECK(sslh_net_query(sslh_resnet(c, r)).params == 11168832, "ResNet-18 for small images");
    r.imagenet_stem = 1;
    CHECK(sslh_net_query(sslh_resnet(c, r)).params == 11176512, "ResNet-18");
    r.depth = 50; /* torchvision's numbers without the classifiers' 2049000 */
    CHECK(sslh_net_query(sslh_resnet(c, r)).params == 25557032 - 2049000, "ResNet-50");
    r.depth = 101;
    CHECK(sslh_net_query(sslh_resnet(c, r)).params == 44549160 - 2049000, "ResNet-101");
    r.depth = 152;
    CHECK(sslh_net_query(sslh_resnet(c, r)).params == 60192808 - 2049000, "ResNet-152");
    memset(&nin, 0, sizeof nin);
    nin.blocks = 6;
    sslh_nin(c, nin);
    CHECK_ERROR(c, "sslh_nin: .blocks is 6 (3 to 5)");
    sslh_destroy(c);
}

/* Several intermediate results of one run are those of one run each, with a tape and without. */
static void several_taps(void) {
    static const char *const names[] = {"block2", "block1", NULL}, *const wrong[] = {"block1", "block9", NULL};
    static const char *const many[17] = {"block1", "block1", "block1", "block1", "block1", "block1", "block1", "block1",
        "block1", "block1", "block1", "block1", "block1", "block1", "block1", "block1", NULL};
    sslh_ctx *c = context(2);
    sslh_convnet_desc d;
    sslh_forward_desc f;
    sslh_net *net;
    sslh_tensor *x, *y, *one, *inner[16];
    int i, k;
    memset(&d, 0, sizeof d);
    memset(&f, 0, sizeof f);
    d.widths[0] = 4, d.widths[1] = 6, d.widths[2] = 8;
    net = sslh_convnet(c, d);
    x = sslh_persist(sslh_normal(c, sslh_dim4(3, 12, 12, 3), 0, 1));
    sslh_train_mode(net, 0);
    for (k = 1; k >= 0; k--) {
        if (k) sslh_no_grad(c, 1);
        f.taps = names, f.tapped = inner;
        y = sslh_forward_ex(net, x, f);
        has_shape(y, 2, 3, 8, 0, 0, "the output");
        for (i = 0; i < 2; i++) {
            one = tap(net, x, names[i]);
            CHECK(inner[i]->count == one->count &&
                  memcmp(inner[i]->data, one->data, one->count * sizeof *one->data) == 0, "%s", names[i]);
        }
        f.tap = "block2"; /* which is where the run ends */
        y = sslh_forward_ex(net, x, f);
        CHECK(y == inner[0], "the result is the first tap");
        f.tap = NULL;
        if (k) sslh_no_grad(c, 0);
    }
    sslh_backward(c, sslh_mean(c, inner[1], SSLH_ALL, 0));
    CHECK_OK(c);
    f.taps = wrong;
    sslh_forward_ex(net, x, f);
    CHECK_ERROR(c, "the net 'convnet' has no intermediate result 'block9' (it has: block1, block2, block3)");
    f.taps = names, f.tapped = NULL;
    sslh_forward_ex(net, x, f);
    CHECK_ERROR(c, "sslh_forward_ex: .taps needs .tapped");
    f.taps = many, f.tapped = inner;
    sslh_forward_ex(net, x, f);
    CHECK_ERROR(c, "at most 15 names");
    sslh_destroy(c);
}

static void convnext(void) {
    sslh_ctx *c = context(2);
    sslh_convnext_desc d;
    sslh_forward_desc f;
    sslh_net *net;
    sslh_tensor *x, *y, *z;
    size_t i;
    memset(&d, 0, sizeof d);
    memset(&f, 0, sizeof f);
    net = sslh_convnext(c, d);
    CHECK(sslh_net_query(net).params == 28589128 - 769000, "ConvNeXt-tiny: torchvision's without its classifier");
    CHECK(sslh_count_tensors(net) == 180 && sslh_net_query(net).width == 768, "%d tensors", sslh_count_tensors(net));
    d.depths[0] = 1, d.depths[1] = 2;
    d.widths[0] = 4, d.widths[1] = 6;
    d.stem = 2;
    net = sslh_convnext(c, d);
    CHECK(sslh_find(net, "features.3.1.layer_scale") && sslh_find(net, "features.2.1.weight"), "names");
    CHECK(net->entry[4]->decay_scale == 0 && net->entry[5]->decay_scale == 1, "layer_scale does not decay");
    x = sslh_persist(sslh_normal(c, sslh_dim4(3, 12, 10, 3), 0, 1));
    has_shape(tap(net, x, "stem"), 4, 3, 6, 5, 4, "stem");
    has_shape(tap(net, x, "stage2"), 4, 3, 3, 2, 6, "stage2");
    has_shape(sslh_forward(net, x), 2, 3, 6, 0, 0, "convnext");
    for (i = 0; i < 4; i++) sslh_find(net, "features.1.0.layer_scale")->data[i] = 1; /* 1e-6 hides the block */
    works(net, x, "convnext");
    sslh_train_mode(net, 1);
    f.drop_path = 0.9f;
    for (i = 0; i < 6; i++) sslh_find(net, "features.3.1.layer_scale")->data[i] = 1;
    y = sslh_forward_ex(net, x, f);
    z = sslh_forward(net, x);
    CHECK(memcmp(y->data, z->data, z->count * sizeof *z->data) != 0, "drop path in training");
    d.map_output = 1;
    has_shape(sslh_forward(sslh_convnext(c, d), x), 4, 3, 3, 2, 6, "convnext map");
    CHECK_OK(c);
    sslh_forward(net, sslh_zeros(c, sslh_dim4(1, 1, 9, 3)));
    CHECK_ERROR(c, "the output would have 0 x 0 pixels");
    d.depths[1] = 0;
    sslh_convnext(c, d);
    CHECK_ERROR(c, "sslh_convnext: .depths has 1 stages and .widths 2: give as many of both");
    d.depths[1] = -1;
    sslh_convnext(c, d);
    CHECK_ERROR(c, "sslh_convnext: .depths[] is -1");
    d.depths[1] = 1, d.stem = 5000;
    sslh_convnext(c, d);
    CHECK_ERROR(c, "sslh_convnext: .stem is 5000");
    sslh_destroy(c);
}

/* RMS norm as a layer: one parameter, named and started as torch.nn.RMSNorm's. */
static void rms_norm_layer(void) {
    sslh_ctx *c = context(1);
    sslh_net_desc d;
    sslh_net *net;
    sslh_tensor *x = sslh_requires_grad(sslh_normal(c, sslh_dim3(2, 3, 7), 0, 1)), *y, *z;
    int i;
    memset(&d, 0, sizeof d);
    net = sslh_net_new(c, d);
    CHECK(sslh_layer_linear_new(net, "fc", 3, 3, 1) == 0 && sslh_layer_rms_norm_new(net, "norm", 7) == 1, "indices");
    CHECK(sslh_count_tensors(net) == 2 && sslh_find(net, "norm.weight") == sslh_param(net, 1), "one parameter");
    for (i = 0; i < 7; i++) {
        CHECK(sslh_param(net, 1)->data[i] == 1, "starts at 1");
        sslh_param(net, 1)->data[i] = (sslh_real)(i + 1);
    }
    y = sslh_layer_rms_norm(net, 1, x, 0.5f);
    z = sslh_rms_norm(c, x, sslh_param(net, 1), 0.5f);
    CHECK_OK(c);
    CHECK(memcmp(y->data, z->data, y->count * sizeof *y->data) == 0, "the operation with the layer's weight");
    sslh_backward(c, sslh_sum(c, y, SSLH_ALL, 0));
    CHECK(sslh_param(net, 1)->grad != NULL, "a gradient");
    sslh_destroy(c);
}

/* Other sizes: at its own the same values; elsewhere positions that are interpolated, and learn. */
static void transformer_any_size(void) {
    sslh_ctx *c = context(2);
    sslh_vit_desc v;
    sslh_net *one, *any;
    sslh_tensor *x, *y, *z, *positions;
    memset(&v, 0, sizeof v);
    v.image = 16;
    v.width = 12;
    v.depth = 2;
    v.token_output = 1;
    one = sslh_vit(c, v);
    v.any_size = 1;
    any = sslh_vit(c, v);
    sslh_copy_values(any, one);
    CHECK(sslh_net_query(any).image == 0 && sslh_net_query(one).image == 16, "no size of its own");
    x = sslh_persist(sslh_normal(c, sslh_dim4(2, 16, 16, 3), 0, 1));
    y = sslh_forward(one, x);
    z = sslh_forward(any, x);
    CHECK(memcmp(y->data, z->data, z->count * sizeof *z->data) == 0, "at its own size");
    x = sslh_persist(sslh_normal(c, sslh_dim4(2, 22, 11, 3), 0, 1));
    y = sslh_forward(any, x); /* 5 x 2 patches; two rows and three columns of pixels are beyond the last */
    has_shape(y, 3, 2, 11, 12, 0, "22 x 11 pixels");
    sslh_backward(c, sslh_mean(c, sslh_square(c, y), SSLH_ALL, 0));
    positions = sslh_find(any, "pos_embed");
    CHECK(positions->grad && positions->grad[12 * 17 - 1] != 0, "positions learn");
    CHECK_OK(c);
    sslh_forward(any, sslh_zeros(c, sslh_dim4(1, 3, 16, 3)));
    CHECK_ERROR(c, "the output would have 0 x 0 pixels");
    sslh_destroy(c);
}

static void transformer(void) {
    static const int32_t kept[2][3] = {{0, 5, 9}, {15, 2, 3}};
    sslh_ctx *c = context(2);
    sslh_vit_desc v;
    sslh_net *net;
    sslh_forward_desc f;
    sslh_tensor *x, *y, *z;
    float a[12], b[12];
    int i;
    memset(&v, 0, sizeof v);
    memset(&f, 0, sizeof f);
    v.image = 16;
    v.width = 12;
    v.depth = 3;
    x = sslh_persist(sslh_normal(c, sslh_dim4(2, 16, 16, 3), 0, 1));
    works(sslh_vit(c, v), x, "vit");
    v.mean_pool = 1;
    net = sslh_vit(c, v);
    has_shape(sslh_forward(net, x), 2, 2, 12, 0, 0, "vit");
    has_shape(tap(net, x, "tokens"), 3, 2, 17, 12, 0, "tokens");
    has_shape(tap(net, x, "block2"), 3, 2, 17, 12, 0, "block2");
    /* mean_pool is the mean of the patch tokens */
    y = sslh_forward(net, x);
    z = tap(net, x, "tokens");
    for (i = 0; i < 12; i++) {
        double sum = 0;
        int t;
        for (t = 1; t < 17; t++) sum += (double)z->data[(17 + t) * 12 + i];
        CHECK_NEAR(y->data[12 + i], sum / 16, 1e-5);
    }
    /* kept tokens: the class token stays; all tokens kept in another order give the same class token */
    v.token_output = 1;
    net = sslh_vit(c, v);
    f.keep = sslh_from_ints(c, sslh_dim2(2, 3), &kept[0][0]);
    has_shape(sslh_forward_ex(net, x, f), 3, 2, 4, 12, 0, "kept tokens");
    {
        int32_t all[2][16];
        for (i = 0; i < 32; i++) all[i / 16][i % 16] = (i * 7 + 3) % 16;
        f.keep = sslh_from_ints(c, sslh_dim2(2, 16), &all[0][0]);
        y = sslh_forward_ex(net, x, f);
        z = sslh_forward(net, x);
        for (i = 0; i < 12; i++) {
            a[i] = (float)y->data[i];
            b[i] = (float)z->data[i];
            CHECK_NEAR(a[i], b[i], 1e-5);
        }
    }
    /* stochastic depth: another result in training, none in evaluation */
    memset(&f, 0, sizeof f);
    f.drop_path = 0.9f;
    y = sslh_forward_ex(net, x, f);
    z = sslh_forward(net, x);
    CHECK(memcmp(y->data, z->data, z->count * sizeof *z->data) != 0, "drop path in training");
    sslh_train_mode(net, 0);
    y = sslh_forward_ex(net, x, f);
    CHECK(memcmp(y->data, z->data, z->count * sizeof *z->data) == 0, "no drop path in evaluation");
    CHECK_OK(c);
    sslh_forward(net, sslh_zeros(c, sslh_dim4(1, 20, 16, 3)));
    CHECK_ERROR(c, "wants images of 16 x 16 (N,H,W,C), the input is (1,20,16,3)");
    v.patch = 5;
    sslh_vit(c, v);
    CHECK_ERROR(c, "sslh_vit: patches of 5 do not divide images of 16");
    memset(&v, 0, sizeof v);
    v.image = 224;
    v.patch = 16;
    net = sslh_vit(c, v);
    CHECK(sslh_net_query(net).params == 5524416, "ViT-Ti/16");
    CHECK(net->entry[0]->decay_scale == 0 && net->entry[1]->decay_scale == 0 && net->entry[2]->decay_scale == 1 &&
              net->entry[3]->decay_scale == 0,
          "decay");
    CHECK_OK(c);
    sslh_destroy(c);
}

static void summary(void) {
    sslh_ctx *c = context(2);
    sslh_resnet_desc r;
    static char text[20000];
    const char *total;
    size_t n;
    memset(&r, 0, sizeof r);
    r.imagenet_stem = 1;
    n = sslh_summary(sslh_resnet(c, r), sslh_dim4(1, 64, 64, 3), text, sizeof text);
    CHECK_OK(c);
    CHECK(n == strlen(text), "length %d", (int)n);
    total = strstr(text, "total");
    CHECK(total && strstr(total, "11176512") && strstr(total, "148.046"), "%s", text);
    CHECK(strstr(text, "conv2d               (1,32,32,64)                 9408        9.634"), "%s", text);
    CHECK(sslh_summary(sslh_resnet(c, r), sslh_dim4(1, 64, 64, 3), NULL, 0) == n, "the length without text");
    sslh_destroy(c);
}

/* Two contexts with the same seed make the same net, whatever the number of threads. */
static void same_bits(void) {
    sslh_ctx *a = context(1), *b = context(3);
    sslh_vit_desc v;
    memset(&v, 0, sizeof v);
    v.depth = 2;
    CHECK(sslh_hash(sslh_vit(a, v)) == sslh_hash(sslh_vit(b, v)), "initial values");
    sslh_destroy(a);
    sslh_destroy(b);
}

/* Every numeric field of the descriptors that have a table of ranges: -2, NaN and Inf are errors that name function and
   field, and where the range has an upper end so is a thousand million. Encoders: -2 and too much of every field. */
typedef union any_desc {
    sslh_feature_desc features; sslh_probe_desc probe; sslh_knn_desc knn; sslh_finetune_desc finetune;
    sslh_loader_desc loader; sslh_optimizer_desc optimizer; sslh_train_desc train; sslh_recipe recipe;
    sslh_tsne_desc tsne; sslh_gradcheck_desc gradcheck; sslh_param_opts param; sslh_batch_norm_desc norm;
    sslh_forward_desc forward; sslh_net_desc net; sslh_preprocess preprocess; sslh_images_desc images;
    sslh_audio_desc audio; sslh_audio_recipe sound; sslh_mel_desc mel; sslh_mfcc_desc mfcc;
    sslh_conv_desc conv; sslh_pool_desc pool; sslh_interpolate_desc interpolate; sslh_attention_desc attention;
    sslh_recurrent_desc recurrent; sslh_cross_entropy_desc cross_entropy; sslh_split_desc split;
    sslh_clips_desc clips; sslh_moving_desc moving; sslh_items_desc items; sslh_ranking_desc ranking;
    sslh_text_recipe text;
#if SSLH_WITH_INSIDE
    sslh_inside_desc inside;
#endif
#if SSLH_WITH_ROBUST
    sslh_attack_desc attack;
#endif
    sslh_stream_desc stream;
#if SSLH_WITH_CLASSIFIERS
    sslh_forest_desc forest; sslh_svm_desc svm; sslh_logistic_desc logistic; sslh_kmeans_desc kmeans;
#endif
} any_desc;
static const char *const range_function[] = {"sslh_features", "sslh_linear_probe", "sslh_knn", "sslh_finetune",
    "sslh_loader_new", "sslh_optimizer_new", "sslh_train", "sslh_augment", "sslh_tsne", "sslh_gradcheck",
    "sslh_param_set", "sslh_batch_norm", "sslh_forward", "sslh_net_new", "sslh_set_preprocess", "sslh_load_images",
    "sslh_load_audio", "sslh_audio_augment", "sslh_mel_spectrogram", "sslh_mfcc", "sslh_data_split", "sslh_load_clips",
    "sslh_data_moving", "sslh_items_from_text", "sslh_rank_items", "sslh_text_views", "sslh_activation_map",
    "sslh_attack", "sslh_stream_images", "sslh_forest", "sslh_svm", "sslh_logistic", "sslh_kmeans"};
static sslh_tensor *range_sum(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    (void)n, (void)user;
    return sslh_sum(c, in[0], SSLH_ALL, 0);
}
static void range_call(sslh_ctx *c, int kind, sslh_method m, sslh_data data, const any_desc *d) {
    static const int32_t two[2] = {0, 1};
    sslh_tensor *x = sslh_zeros(c, sslh_dim4(2, 8, 8, 3)), *v = sslh_zeros(c, sslh_dim1(3)), *in[1];
    in[0] = v;
    if (kind == SSLH_I_D_FEATURES) sslh_features(c, m.encoder, data, d->features);
    else if (kind == SSLH_I_D_PROBE) sslh_linear_probe(c, m.encoder, data, data, d->probe);
    else if (kind == SSLH_I_D_KNN) sslh_knn(c, m.encoder, data, data, d->knn);
    else if (kind == SSLH_I_D_FINETUNE) sslh_finetune(c, m.encoder, data, data, d->finetune);
    else if (kind == SSLH_I_D_LOADER) sslh_loader_new(c, data, d->loader);
    else if (kind == SSLH_I_D_OPTIMIZER) sslh_optimizer_new(c, d->optimizer);
    else if (kind == SSLH_I_D_TRAIN) sslh_train(c, m, data, d->train);
    else if (kind == SSLH_I_D_RECIPE) sslh_augment(c, x, d->recipe, 1);
    else if (kind == SSLH_I_D_TSNE) sslh_tsne(c, sslh_zeros(c, sslh_dim2(5, 3)), d->tsne);
    else if (kind == SSLH_I_D_GRADCHECK) sslh_gradcheck(c, range_sum, in, 1, NULL, d->gradcheck);
    else if (kind == SSLH_I_D_PARAM) sslh_param_set(m.encoder, 0, d->param);
    else if (kind == SSLH_I_D_BATCH_NORM) sslh_batch_norm(c, x, NULL, NULL, v, v, NULL, d->norm);
    else if (kind == SSLH_I_D_FORWARD) sslh_forward_ex(m.encoder, x, d->forward);
    else if (kind == SSLH_I_D_NET) sslh_net_new(c, d->net);
    else if (kind == SSLH_I_D_PREPROCESS) sslh_set_preprocess(m.encoder, d->preprocess);
    else if (kind == SSLH_I_D_IMAGES) sslh_load_images_ex(c, "tests", d->images);
    else if (kind == SSLH_I_D_AUDIO) sslh_load_audio(c, "tests", d->audio);
    else if (kind == SSLH_I_D_AUDIO_RECIPE) sslh_audio_augment(c, sslh_zeros(c, sslh_dim3(2, 900, 1)), d->sound, 1);
    else if (kind == SSLH_I_D_MEL) sslh_mel_spectrogram(c, sslh_zeros(c, sslh_dim2(2, 900)), d->mel);
    else if (kind == SSLH_I_D_MFCC) sslh_mfcc(c, sslh_zeros(c, sslh_dim2(2, 900)), d->mfcc);
    else if (kind == SSLH_I_D_SPLIT) sslh_data_split(data, d->split);
    else if (kind == SSLH_I_D_CLIPS) sslh_load_clips(c, "tests", d->clips);
    else if (kind == SSLH_I_D_MOVING) sslh_data_moving(data, d->moving);
    else if (kind == SSLH_I_D_STREAM) sslh_stream_images(c, "tests", d->stream);
    else if (kind == SSLH_I_D_ITEMS) sslh_items_from_text(c, "1 2\n", 4, d->items);
    else if (kind == SSLH_I_D_RANKING) {
        sslh_items_desc none;
        sslh_items *set;
        memset(&none, 0, sizeof none);
        set = sslh_items_from_text(c, "1 2\n1 3\n1 4\n", 12, none);
        sslh_rank_items(sslh_item_popularity(set, 0), set, d->ranking);
    } else if (kind == SSLH_I_D_TEXT_RECIPE) {
        sslh_batch none;
        memset(&none, 0, sizeof none);
        none.data = data;
        sslh_text_views(c, none, d->text, 0);
    }
#if SSLH_WITH_INSIDE
    else if (kind == SSLH_I_D_INSIDE) sslh_activation_map(c, m.encoder, x, d->inside);
#endif
#if SSLH_WITH_ROBUST
    else if (kind == SSLH_I_D_ATTACK)
        sslh_attack(c, m.encoder, x, sslh_from_ints(c, sslh_dim1(2), two), d->attack);
#endif
#if SSLH_WITH_CLASSIFIERS
    else if (kind == SSLH_I_D_FOREST) sslh_forest(c, sslh_zeros(c, sslh_dim2(2, 3)), two, 2, d->forest);
    else if (kind == SSLH_I_D_SVM) sslh_svm(c, sslh_zeros(c, sslh_dim2(2, 3)), two, 2, d->svm);
    else if (kind == SSLH_I_D_LOGISTIC) sslh_logistic(c, sslh_zeros(c, sslh_dim2(2, 3)), two, 2, d->logistic);
    else sslh_kmeans(c, sslh_zeros(c, sslh_dim2(2, 3)), d->kmeans);
#endif
}

/* Operations that check their numbers without a table: -2 of every field, NaN and Inf of the real ones, and a thousand
   million of those that have an upper end. */
enum { BY_CONV2D, BY_CONV1D, BY_CONV2D_TRANSPOSE, BY_CONV1D_TRANSPOSE, BY_POOL2D, BY_POOL1D, BY_INTERPOLATE,
    BY_ATTENTION, BY_SELF_ATTENTION, BY_GRU, BY_LSTM, BY_CROSS_ENTROPY, BY_NET };
static const char *const by_function[] = {"sslh_conv2d", "sslh_conv1d", "sslh_conv2d_transpose",
    "sslh_conv1d_transpose", "sslh_max_pool2d_ex", "sslh_avg_pool1d", "sslh_interpolate", "sslh_attention",
    "sslh_self_attention", "sslh_layer_gru", "sslh_layer_lstm", "sslh_cross_entropy_full", "sslh_net_new"};
#define BY(call, type, field, real, upper) {call, "." #field " is ", offsetof(type, field), real, upper}
#define BY_CONV(call) BY(call, sslh_conv_desc, stride, 0, 0), BY(call, sslh_conv_desc, stride_w, 0, 0), \
    BY(call, sslh_conv_desc, pad, 0, 0), BY(call, sslh_conv_desc, pad_w, 0, 0), \
    BY(call, sslh_conv_desc, dilation, 0, 0), BY(call, sslh_conv_desc, dilation_w, 0, 0), \
    BY(call, sslh_conv_desc, groups, 0, 1), BY(call, sslh_conv_desc, activation, 0, 1)
#define BY_POOL(call) BY(call, sslh_pool_desc, kernel, 0, 1), BY(call, sslh_pool_desc, kernel_w, 0, 1), \
    BY(call, sslh_pool_desc, stride, 0, 0), BY(call, sslh_pool_desc, stride_w, 0, 0), \
    BY(call, sslh_pool_desc, pad, 0, 1), BY(call, sslh_pool_desc, pad_w, 0, 1)
static const struct { int call; const char *said; size_t offset; int real, upper; } by_hand[] = {
    BY_CONV(BY_CONV2D), BY_CONV(BY_CONV1D), BY_CONV(BY_CONV2D_TRANSPOSE), BY_CONV(BY_CONV1D_TRANSPOSE),
    BY(BY_CONV2D, sslh_conv_desc, output_pad, 0, 0), BY(BY_CONV1D, sslh_conv_desc, output_pad, 0, 0),
    BY(BY_CONV2D_TRANSPOSE, sslh_conv_desc, output_pad, 0, 1),
    BY(BY_CONV1D_TRANSPOSE, sslh_conv_desc, output_pad, 0, 1), BY_POOL(BY_POOL2D), BY_POOL(BY_POOL1D),
    BY(BY_INTERPOLATE, sslh_interpolate_desc, mode, 0, 1),
    BY(BY_ATTENTION, sslh_attention_desc, heads, 0, 1), BY(BY_ATTENTION, sslh_attention_desc, scale, 1, 0),
    BY(BY_SELF_ATTENTION, sslh_attention_desc, heads, 0, 1), BY(BY_SELF_ATTENTION, sslh_attention_desc, scale, 1, 0),
    BY(BY_GRU, sslh_recurrent_desc, layers, 0, 1), BY(BY_LSTM, sslh_recurrent_desc, layers, 0, 1),
    BY(BY_CROSS_ENTROPY, sslh_cross_entropy_desc, smoothing, 1, 1),
    BY(BY_CROSS_ENTROPY, sslh_cross_entropy_desc, reduction, 0, 1), BY(BY_NET, sslh_net_desc, kind, 0, 1)};
static void by_call(sslh_ctx *c, int call, sslh_net *net, any_desc d) {
    static const int32_t label[2] = {0, 1};
    sslh_tensor *x = sslh_zeros(c, sslh_dim4(2, 8, 8, 3)), *s = sslh_zeros(c, sslh_dim3(2, 8, 3));
    if ((call == BY_POOL2D || call == BY_POOL1D) && !d.pool.kernel) d.pool.kernel = 2;
    if (call == BY_CONV2D) sslh_conv2d(c, x, sslh_zeros(c, sslh_dim4(4, 3, 3, 3)), NULL, d.conv);
    else if (call == BY_CONV1D) sslh_conv1d(c, s, sslh_zeros(c, sslh_dim3(4, 3, 3)), NULL, d.conv);
    else if (call == BY_CONV2D_TRANSPOSE)
        sslh_conv2d_transpose(c, x, sslh_zeros(c, sslh_dim4(3, 3, 3, 4)), NULL, d.conv);
    else if (call == BY_CONV1D_TRANSPOSE) sslh_conv1d_transpose(c, s, sslh_zeros(c, sslh_dim3(3, 3, 4)), NULL, d.conv);
    else if (call == BY_POOL2D) sslh_max_pool2d_ex(c, x, d.pool);
    else if (call == BY_POOL1D) sslh_avg_pool1d(c, s, d.pool);
    else if (call == BY_INTERPOLATE) sslh_interpolate(c, x, 4, 4, d.interpolate);
    else if (call == BY_ATTENTION) sslh_attention(c, s, s, s, d.attention);
    else if (call == BY_SELF_ATTENTION) sslh_self_attention(c, s, d.attention);
    else if (call == BY_GRU) sslh_layer_gru(net, 0, s, d.recurrent);
    else if (call == BY_LSTM) sslh_layer_lstm(net, 0, s, d.recurrent);
    else if (call == BY_CROSS_ENTROPY)
        sslh_cross_entropy_full(c, sslh_zeros(c, sslh_dim2(2, 3)), sslh_from_ints(c, sslh_dim1(2), label), -1,
                                d.cross_entropy);
    else sslh_net_new(c, d.net);
}
static void ranges_by_hand(void) {
    const double bad[5] = {-2, 1e9, HUGE_VAL, -HUGE_VAL, strtod("nan", NULL)};
    sslh_ctx *c = context(1), *other;
    sslh_net_desc nothing;
    sslh_desc desc;
    sslh_net *net;
    sslh_field field;
    static const int32_t label[3] = {0, 1, 1};
    static const uint8_t pixels[12] = {0};
    const sslh_shape images = sslh_dim4(2, 4, 4, 3);
    size_t row;
    int k;
    memset(&nothing, 0, sizeof nothing), memset(&desc, 0, sizeof desc), memset(&field, 0, sizeof field);
    net = sslh_net_new(c, nothing);
    for (row = 0; row < sizeof by_hand / sizeof by_hand[0]; row++)
        for (k = 0; k < (by_hand[row].real ? 5 : 2); k++) {
            const char *function = by_function[by_hand[row].call], *said;
            any_desc d;
            memset(&d, 0, sizeof d);
            if (by_hand[row].real) *(float *)(void *)((char *)&d + by_hand[row].offset) = (float)bad[k];
            else *(int *)(void *)((char *)&d + by_hand[row].offset) = (int)bad[k];
            sslh_begin_step(c);
            by_call(c, by_hand[row].call, net, d);
            said = sslh_error(c) ? sslh_error(c) : "no error";
            if (k != 1 || by_hand[row].upper) {
                CHECK(strncmp(said, function, strlen(function)) == 0,
                      "%s %s%g: %s", function, by_hand[row].said, bad[k], said);
                CHECK(strstr(said, by_hand[row].said) != NULL,
                      "%s %s%g: %s", function, by_hand[row].said, bad[k], said);
            }
            sslh_clear_error(c);
        }
    sslh_begin_step(c);
    CHECK_OK(c);
    sslh_max_pool2d(c, sslh_zeros(c, images), 0, 2, 0);
    CHECK_ERROR(c, "sslh_max_pool2d: .kernel must be given (1 to 4096)");
    sslh_picture_grid(c, "no.png", sslh_zeros(c, images), -1, 0);
    CHECK_ERROR(c, "sslh_picture_grid: .columns is -1 (at least 1)");
    sslh_picture_grid(c, "no.png", sslh_zeros(c, images), 1, -1);
    CHECK_ERROR(c, "sslh_picture_grid: .zoom is -1 (1 to 1000)");
    sslh_picture_filters(c, "no.png", sslh_zeros(c, images), 1001);
    CHECK_ERROR(c, "sslh_picture_filters: .zoom is 1001 (1 to 1000)");
    sslh_picture_scatter(c, "no.png", sslh_zeros(c, sslh_dim2(3, 2)), NULL, -1, NULL);
    CHECK_ERROR(c, "sslh_picture_scatter: .classes is -1 (at least 1)");
    sslh_power_to_db(c, sslh_zeros(c, images), -2);
    CHECK_ERROR(c, "sslh_power_to_db: .top_db is -2 (at least 0)");
    field.kind = SSLH_FIELD_LABEL, field.type = SSLH_I32, field.values = label, field.shape = sslh_dim0();
    field.classes = -2;
    sslh_data_from_fields(c, &field, 1, 3);
    CHECK_ERROR(c, "field 0: .classes and .rate are at least 0");
    field.classes = 0, field.rate = -2;
    sslh_data_from_fields(c, &field, 1, 3);
    CHECK_ERROR(c, "field 0: .classes and .rate are at least 0");
    {
        sslh_batch_norm_desc norm;
        sslh_tensor *v = sslh_zeros(c, sslh_dim1(3));
        memset(&norm, 0, sizeof norm);
        norm.activation = SSLH_TANH;
        sslh_batch_norm(c, sslh_zeros(c, images), NULL, NULL, v, v, NULL, norm);
        CHECK_ERROR(c, "sslh_batch_norm: .activation is 6 (SSLH_LINEAR or SSLH_RELU)");
    }
    for (k = 0; k < 3; k++) { /* 64 bits, a list, an activation: no rows of a table */
        sslh_train_desc train;
        memset(&train, 0, sizeof train);
        if (k == 0) train.max_steps = -2;
        else if (k == 1) train.checkpoint_steps = -2;
        else train.optimizer.group_lr[15] = (float)bad[4];
        if (k < 2)
            sslh_train(c, sslh_method_new(c, "none", net, NULL, 0), sslh_data_from_images(c, pixels, 1, 2, 2, 3, NULL),
                       train);
        else sslh_optimizer_new(c, train.optimizer);
        CHECK_ERROR(c, k == 0 ? "sslh_train: .max_steps is -2 (at least 1)" :
                       k == 1 ? "sslh_train: .checkpoint_steps is -2 (at least 1)" :
                    "sslh_optimizer_new: .group_lr[15] is ");
    }
    for (k = 0; k < 2; k++) {
        desc.threads = k ? 257 : -2;
        other = sslh_create(desc);
        CHECK_ERROR(other, k ? "sslh_create: .threads is 257 (1 to 256)" : "sslh_create: .threads is -2 (1 to 256)");
        sslh_destroy(other);
    }
    sslh_destroy(c);
}
static void ranges(void) {
    static uint8_t pixels[12 * 192];
    static int32_t labels[12];
    const double bad[6] = {-2, strtod("nan", NULL), HUGE_VAL, -HUGE_VAL, 1e9, 0};
    sslh_ctx *c = context(1);
    sslh_convnet_desc e;
    sslh_data data;
    sslh_method m;
    sslh_view_set nothing;
    int kind, row, k, rows = 0;
    memset(&e, 0, sizeof e);
    memset(&nothing, 0, sizeof nothing);
    e.widths[0] = 4;
    for (k = 0; k < 12; k++) labels[k] = k % 2;
    data = sslh_data_from_images(c, pixels, 12, 8, 8, 3, labels);
    m = sslh_method_new(c, "ranges", sslh_convnet(c, e), NULL, 0);
    CHECK_OK(c);
    CHECK((int)(sizeof range_function / sizeof range_function[0]) == SSLH_I_LENGTH(sslh_i_ranges),
          "a table has no function here");
    for (kind = 0; kind < SSLH_I_LENGTH(sslh_i_ranges); kind++)
        for (row = 0; row < sslh_i_ranges[kind].rows; row++) {
            const sslh_setting *s = &sslh_i_ranges[kind].row[row];
            int upper = strstr(s->range, "below ") || strstr(s->range, "at most ") || strstr(s->range, " to ");
            rows++;
            for (k = 0; k < 5; k++) {
                any_desc d;
                char field[80];
                const char *said;
                if (k > 0 && k < 4 && s->kind == SSLH_SETTING_INT) continue;
                if (k == 4 && !upper && s->kind <= SSLH_SETTING_REAL) continue;
                if (k == 0 && sslh_i_in_range(s->range, -2)) continue;
                memset(&d, 0, sizeof d);
                if (s->kind == SSLH_SETTING_LIST) *(float *)(void *)((char *)&d + s->offset) = (float)bad[k];
                else if (s->kind == SSLH_SETTING_REAL) *(float *)(void *)((char *)&d + s->offset) = (float)bad[k];
                else *(int *)(void *)((char *)&d + s->offset) = k == 0 ? -2 : 1000000000;
                sslh_begin_step(c);
                range_call(c, kind, m, data, &d);
                snprintf(field, sizeof field, ".%s", s->name);
                said = sslh_error(c) ? sslh_error(c) : "no error";
                CHECK(strncmp(said, range_function[kind], strlen(range_function[kind])) == 0,
                      "%s%s = %g: %s", range_function[kind], field, bad[k], said);
                CHECK(strstr(said, field) != NULL, "%s%s = %g: %s", range_function[kind], field, bad[k], said);
                sslh_clear_error(c);
            }
        }
    CHECK(rows >= 128, "%d fields", rows); /* a row that goes is missed */
    for (k = 0; k < 6; k++) { /* encoders: fields by their number, then one that is too large */
        sslh_mlp_desc mlp;
        sslh_convnet_desc conv;
        sslh_resnet_desc resnet;
        sslh_nin_desc nin;
        sslh_vit_desc vit;
        static const char *const of_vit[6] = {".image", ".channels", ".patch", ".width", ".depth", ".heads"};
        memset(&mlp, 0, sizeof mlp), memset(&conv, 0, sizeof conv), memset(&resnet, 0, sizeof resnet);
        memset(&nin, 0, sizeof nin), memset(&vit, 0, sizeof vit);
        mlp.in = k == 0 ? -2 : 4, mlp.widths[0] = k == 1 ? -2 : 3, mlp.last_batch_norm = k == 2 ? -2 : k == 3 ? 4 : 0;
        if (k < 4) {
            sslh_mlp(c, mlp);
            CHECK_ERROR(c, k == 0 ? "sslh_mlp: .in is -2" : k == 1 ? "sslh_mlp: .widths" :
                           "sslh_mlp: .last_batch_norm is ");
        }
        conv.channels = k == 0 ? -2 : k == 1 ? 2000000000 : 3, conv.widths[0] = k == 2 ? -2 : 4;
        if (k < 3) {
            sslh_convnet(c, conv);
            CHECK_ERROR(c, k < 2 ? "sslh_convnet: .channels is " : "sslh_convnet: .widths");
        }
        conv.channels = 3, conv.widths[0] = 4, conv.norm = k == 0 ? -2 : 3;
        if (k < 2) {
            sslh_convnet(c, conv);
            CHECK_ERROR(c, k == 0 ? "sslh_convnet: .norm is -2"
                                  : "sslh_convnet: .norm asks for 3 groups, which do not divide .widths[0] = 4");
        }
        conv.norm = 0;
        resnet.channels = k == 0 ? -2 : 3, resnet.depth = k == 1 ? -2 : k == 2 ? 50000 : 18;
        resnet.width = k == 3 ? -2 : k == 4 ? 2000000000 : 4;
        if (k < 5) {
            sslh_resnet(c, resnet);
            CHECK_ERROR(c, k == 0 ? "sslh_resnet: .channels is " : k < 3 ? "sslh_resnet: .depth is " :
                           "sslh_resnet: .width is ");
        }
        nin.channels = k == 0 ? -2 : 3, nin.blocks = k == 1 ? -2 : k == 2 ? 6 : 3;
        nin.divide = k == 3 ? -2 : k == 4 ? 97 : 96;
        if (k < 5) {
            sslh_nin(c, nin);
            CHECK_ERROR(c, k == 0 ? "sslh_nin: .channels is " : k < 3 ? "sslh_nin: .blocks is " :
                           "sslh_nin: .divide is ");
        }
        vit.image = k == 0 ? -2 : 0, vit.channels = k == 1 ? -2 : 0, vit.patch = k == 2 ? -2 : 0;
        vit.width = k == 3 ? -2 : 0, vit.depth = k == 4 ? -2 : 0, vit.heads = k == 5 ? -2 : 0;
        sslh_vit(c, vit);
        CHECK_ERROR(c, of_vit[k]);
    }
    sslh_destroy(c);
}

/* Fine-tuning with layer-wise decay leaves a transformer's class token and positions without weight decay. */
static void layer_decay(void) {
    sslh_ctx *c = context(1);
    sslh_vit_desc d;
    sslh_net *net;
    int i;
    memset(&d, 0, sizeof d);
    d.image = 8, d.width = 12, d.depth = 2;
    net = sslh_vit(c, d);
    CHECK(sslh_i_block_rates(net, sslh_i_block_rates(net, 0, 1, 0), 0.5f, 0) == 3, "the embedding and two blocks");
    CHECK_OK(c);
    for (i = 0; i < net->entries; i++) {
        const sslh_i_entry *e = net->entry[i];
        int token = strcmp(e->name, "cls_token") == 0 || strcmp(e->name, "pos_embed") == 0;
        if (!e->is_param) continue;
        CHECK((double)e->decay_scale == (token || e->t.ndim < 2 ? 0 : 1),
              "%s: decay_scale %g", e->name, (double)e->decay_scale);
        if (token) CHECK((double)e->lr_scale == 0.125, "%s: lr_scale %g", e->name, (double)e->lr_scale);
    }
    sslh_destroy(c);
}

/* --- the floating-point environment of the caller ----------------------------------------------------------------- */

#if (defined(__x86_64__) || defined(_M_X64)) && !SSLH_I_DOUBLE
/* Values whose squares are subnormal, and sums that need rounding: a hash of what operations, a backward pass and an
   optimiser make of them. */
static unsigned long long small_values(sslh_ctx *c, sslh_net *net, sslh_optimizer *o) {
    unsigned long long h = 0;
    sslh_batch_norm_desc bn;
    sslh_tensor *x, *gamma, *beta, *mean, *var, *loss, *y[12];
    int i, n = 0;
    memset(&bn, 0, sizeof bn);
    bn.training = 1, bn.eps = SSLH_OFF, bn.momentum = 0.7f;
    sslh_begin_step(c);
    x = sslh_scale(c, sslh_normal(c, sslh_dim2(3000, 4), 0, 1), 1e-20f);
    gamma = sslh_requires_grad(sslh_full(c, sslh_dim1(4), 1e-20f));
    beta = sslh_requires_grad(sslh_zeros(c, sslh_dim1(4)));
    mean = sslh_zeros(c, sslh_dim1(4)), var = sslh_zeros(c, sslh_dim1(4));
    y[n++] = sslh_batch_norm(c, x, gamma, beta, mean, var, NULL, bn);
    y[n++] = sslh_group_norm(c, sslh_reshape(c, x, sslh_dim3(2, 1500, 4)), gamma, beta, 2, SSLH_OFF);
    y[n++] = mean, y[n++] = var;
    y[n++] = sslh_variance(c, sslh_reshape(c, x, sslh_dim2(1, 12000)), SSLH_AXIS(1), 0, 0);
    y[n++] = sslh_mse(c, x, sslh_zeros(c, sslh_dim2(3000, 4)));
    y[n] = sslh_reshape(c, x, sslh_dim2(60, 200));
    y[n] = sslh_nt_xent(c, y[n], sslh_neg(c, y[n]), 0.5f), n++;
    y[n++] = sslh_power_to_db(c, sslh_scale(c, x, 1e16f), 0);
    y[n++] = sslh_forward(net, sslh_reshape(c, sslh_scale(c, x, 1e20f), sslh_dim2(1000, 12)));
    for (i = 0; i < n; i++) h = test_hash_floats(sslh_keep(y[i])->data, y[i]->count, h);
    loss = sslh_add(c, sslh_sum(c, sslh_mul(c, y[0], x), SSLH_ALL, 0),
                    sslh_sum(c, sslh_square(c, y[n - 1]), SSLH_ALL, 0));
    sslh_backward(c, loss);
    CHECK_OK(c);
    if (sslh_error(c)) return h;
    h = test_hash_floats(gamma->grad, 4, h);
    h = test_hash_floats(beta->grad, 4, h);
    sslh_optimizer_step(o, 0.1f);
    for (i = 0; i < sslh_count_tensors(net); i++) {
        const sslh_tensor *t = sslh_tensor_at(net, i, NULL, 0, NULL);
        if (t->data) h = test_hash_floats(t->data, t->count, h);
    }
    CHECK_OK(c);
    return h;
}
/* Flushing of subnormal numbers, then rounding upwards, as another library may have left them: the same bits, and the
   setting is there again afterwards (as far as the machine has it: valgrind does not flush). */
static void environment(void) {
    static const unsigned setting[3] = {0, 0x8040u, 0x4000u};
    unsigned long long first = 0;
    int i;
    for (i = 0; i < 3; i++) {
        const unsigned csr = _mm_getcsr();
        unsigned before, after;
        unsigned long long h;
        sslh_ctx *c = context(1);
        sslh_mlp_desc d;
        sslh_optimizer_desc od;
        sslh_optimizer *o;
        sslh_net *net;
        memset(&d, 0, sizeof d);
        memset(&od, 0, sizeof od);
        d.in = 12, d.widths[0] = 30, d.widths[1] = 7;
        net = sslh_mlp(c, d);
        od.kind = SSLH_LARS, od.clip = 0.5f, od.weight_decay = 0.1f;
        o = sslh_optimizer_new(c, od);
        sslh_optimizer_add(o, net);
        sslh_forward(net, sslh_zeros(c, sslh_dim2(2, 12)));
        _mm_setcsr(csr | setting[i]);
        before = _mm_getcsr();
        h = small_values(c, net, o);
        after = _mm_getcsr();
        _mm_setcsr(csr);
        CHECK((after & 0xffc0u) == (before & 0xffc0u), "%x after %x", after, before);
        if (!i) first = h;
        CHECK(h == first, "other bits with the setting %x", setting[i]);
        sslh_destroy(c);
    }
}
#endif

TESTS_BEGIN
    TEST(declaration)
    TEST(initial_values)
    TEST(running)
    TEST(other_context)
    TEST(dead_nets)
    TEST(update_rules)
    TEST(optimizer_rules)
    TEST(schedules)
    TEST(encoders)
    TEST(several_taps)
    TEST(convnext)
    TEST(patches_alone)
    TEST(rms_norm_layer)
    TEST(transformer)
    TEST(transformer_any_size)
    TEST(summary)
    TEST(same_bits)
    TEST(ranges) TEST(ranges_by_hand)
    TEST(layer_decay)
#if (defined(__x86_64__) || defined(_M_X64)) && !SSLH_I_DOUBLE
    TEST(environment)
#endif
TESTS_END
