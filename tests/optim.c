/* Optimisers: five steps of each against PyTorch (tests/golden/make_optim.py), schedules, wrong use.
   `optim --list` prints the table for the recorder. */
#include "../ssl.h"
#include "harness.h"
#include "golden/optim.h"

typedef struct optim_case { const char *name; sslh_optimizer_desc d; float vector_decay, bias_lr, peak; } optim_case;
#define OFF ((float)SSLH_OFF)
/* A table filled by code, so that the order of the fields does not matter. */
static optim_case table[24];
static int cases;
static sslh_optimizer_desc *add_case(const char *name, sslh_optim_kind kind) {
    optim_case *k = &table[cases++];
    memset(k, 0, sizeof *k);
    k->name = name;
    k->d.kind = kind;
    return &k->d;
}
static void fill_table(void) {
    sslh_optimizer_desc *d;
    add_case("sgd_plain", SSLH_SGD)->momentum = OFF;
    add_case("sgd", SSLH_SGD);
    add_case("default", SSLH_OPTIM_DEFAULT);
    d = add_case("sgd_decay", SSLH_SGD), d->momentum = 0.8f, d->weight_decay = 0.1f;
    d = add_case("sgd_nesterov", SSLH_SGD), d->nesterov = 1, d->weight_decay = 0.05f;
    add_case("adam", SSLH_ADAM);
    d = add_case("adam_all", SSLH_ADAM), d->beta1 = 0.8f, d->beta2 = 0.95f, d->eps = 1e-3f, d->weight_decay = 0.1f;
    add_case("adam_bert", SSLH_ADAM)->no_bias_correction = 1;
    d = add_case("adamw", SSLH_ADAMW), d->weight_decay = 0.3f, d->beta2 = 0.95f;
    d = add_case("adamw_vectors", SSLH_ADAMW), d->weight_decay = 0.3f, table[cases - 1].vector_decay = 1;
    d = add_case("lars", SSLH_LARS), d->weight_decay = 0.1f, d->lars_eta = 0.02f;
    add_case("lars_default", SSLH_LARS);
    d = add_case("lars_clip", SSLH_LARS), d->lars_clip = 1, d->lars_eta = 0.5f, d->momentum = 0.5f;
    d = add_case("sgd_clip", SSLH_SGD), d->clip = 1.5f;
    d = add_case("adam_groups", SSLH_ADAM), d->group_lr[3] = 0.25f, d->group_lr[1] = 3;
    d = add_case("sgd_constant", SSLH_SGD), d->constant_lr = 1u << 3, table[cases - 1].peak = 0.07f;
    d = add_case("sgd_scale", SSLH_SGD), table[cases - 1].bias_lr = 2.5f;
    (void)d;
}

/* Parameters: two matrices in group 0 and 3, a vector, a kernel. */
#define PARAMS 4
static const int param_group[PARAMS] = {0, 0, 3, 1};
static sslh_shape param_shape(int i) {
    return i == 0 ? sslh_dim2(7, 5) : i == 1 ? sslh_dim1(7) : i == 2 ? sslh_dim4(3, 2, 2, 5) : sslh_dim2(33, 67);
}

static uint32_t seed_of(const char *kind, int index) {
    uint32_t h = 2166136261u;
    const char *s;
    for (s = kind; *s; s++) h = (h ^ (uint32_t)(unsigned char)*s) * 16777619u;
    return (h ^ (uint32_t)index) * 16777619u;
}
static float draw(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)((int)(2 * (*state >> 12) + 1) - 1048576) / 1048576.0f;
}

/* loss = sum_i a_i p_i + (1.5 + b_i) p_i^2 / 2: a gradient that changes with the parameters */
static void bowl_forward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    (void)c, (void)in, (void)n, (void)user;
    out->data[0] = 1;
}
static void bowl_backward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    int k;
    (void)out, (void)user;
    for (k = 0; k < n; k++) {
        sslh_real *g = sslh_grad(c, in[k]);
        uint32_t a = seed_of("a", k), b = seed_of("b", k);
        size_t i;
        for (i = 0; g && i < in[k]->count; i++) {
            float slope = draw(&a), curve = 1.5f + draw(&b);
            g[i] += (sslh_real)(slope + curve * (float)in[k]->data[i]);
        }
    }
}
static sslh_tensor *bowl(sslh_ctx *c, sslh_net *net) {
    sslh_tensor *in[PARAMS];
    sslh_op_desc d;
    int k;
    memset(&d, 0, sizeof d);
    d.name = "bowl";
    d.forward = bowl_forward;
    d.backward = bowl_backward;
    for (k = 0; k < PARAMS; k++) in[k] = sslh_param(net, k);
    return sslh_custom_op(c, d, in, PARAMS, sslh_dim0());
}
static sslh_net *make_net(sslh_ctx *c, const optim_case *e) {
    static const char *const names[PARAMS] = {"fc.weight", "fc.bias", "conv.weight", "big.weight"};
    static float values[33 * 67];
    sslh_net_desc nd;
    sslh_net *net;
    int k;
    size_t i;
    memset(&nd, 0, sizeof nd);
    nd.name = "bowl";
    net = sslh_net_new(c, nd);
    for (k = 0; k < PARAMS; k++) {
        sslh_param_opts o;
        int index = sslh_param_new(net, names[k], param_shape(k), SSLH_INIT_ZERO, 0);
        CHECK(index == k, "index %d", index);
        memset(&o, 0, sizeof o);
        o.group = param_group[k];
        if (k == 1 && e && e->vector_decay > 0) o.decay_scale = e->vector_decay;
        if (k == 1 && e && e->bias_lr > 0) o.lr_scale = e->bias_lr;
        sslh_param_set(net, k, o);
    }
    for (k = 0; k < PARAMS; k++) {
        sslh_tensor *p = sslh_param(net, k);
        uint32_t s = seed_of("p", k);
        for (i = 0; i < p->count; i++) values[i] = draw(&s);
        sslh_write(p, values, p->count);
    }
    return net;
}
static sslh_ctx *create(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    return sslh_create(d);
}
static float rate(int step) { return 0.05f * (float)(step + 1); }

static void torch_steps(void) {
    int k, i, step, j, recorded = (int)(sizeof golden_optim / sizeof golden_optim[0]);
    double worst = 0;
    const char *where = "";
    for (k = 0; k < cases; k++) {
        sslh_ctx *c = create(k % 2 ? 1 : 3);
        sslh_net *net = make_net(c, &table[k]);
        sslh_optimizer *o = sslh_optimizer_new(c, table[k].d);
        sslh_optimizer_add(o, net);
        sslh_optimizer_add(o, net); /* is skipped */
        if (table[k].peak > 0) sslh_optimizer_peak(o, table[k].peak);
        for (step = 0; step < 5; step++) {
            sslh_begin_step(c);
            sslh_backward(c, bowl(c, net));
            sslh_optimizer_step(o, rate(step));
            if (!CHECK(sslh_error(c) == NULL, "%s: %s", table[k].name, sslh_error(c) ? sslh_error(c) : "")) break;
            if (step != 0 && step != 4) continue;
            for (i = 0; i < PARAMS; i++) {
                sslh_tensor *p = sslh_param(net, i);
                uint32_t s = seed_of("w", i);
                double sum = 0, size = 0, error;
                size_t q;
                int at;
                for (at = 0; at < recorded; at++)
                    if (strcmp(golden_optim[at].name, table[k].name) == 0 && golden_optim[at].step == step &&
                        golden_optim[at].param == i)
                        break;
                if (!CHECK(at < recorded, "%s: not recorded (tests/golden/make_optim.py)", table[k].name)) continue;
                for (q = 0; q < p->count; q++) {
                    double w = (double)draw(&s), v = (double)p->data[q];
                    sum += w * v, size += fabs(w * v);
                    CHECK(p->grad == NULL || p->grad[q] == 0, "gradients are zero after a step");
                }
                error = fabs(sum - golden_optim[at].sum) / size;
                CHECK(error < 1e-5,
                      "%s step %d parameter %d: projection %.9g, PyTorch %.9g", table[k].name, step + 1, i, sum,
                      golden_optim[at].sum);
                if (error > worst) worst = error, where = table[k].name;
                for (j = 0; j < 4; j++) CHECK_NEAR(p->data[p->count * (size_t)j / 4], golden_optim[at].value[j], 1e-5);
            }
        }
        sslh_destroy(c);
    }
    printf("   largest relative distance from PyTorch: %.2e (%s)\n", worst, where);
}

/* The same bits for every number of threads. */
static void threads(void) {
    int k, n, step;
    for (k = 0; k < cases; k++) {
        unsigned long long first = 0;
        for (n = 1; n <= 7; n += n < 3 ? 1 : 4) {
            sslh_ctx *c = create(n);
            sslh_net *net = make_net(c, &table[k]);
            sslh_optimizer *o = sslh_optimizer_new(c, table[k].d);
            uint64_t h;
            sslh_optimizer_add(o, net);
            for (step = 0; step < 3; step++) {
                sslh_begin_step(c);
                sslh_backward(c, bowl(c, net));
                sslh_optimizer_step(o, rate(step));
            }
            CHECK_OK(c);
            h = sslh_hash(net);
            if (n == 1) first = h;
            CHECK(h == first, "%s: %d threads change the bits", table[k].name, n);
            sslh_destroy(c);
        }
    }
}

/* Five steps by the plain versions: all parameters as by the kernels, to rounding. */
static void plain_steps(void) {
    double worst = 0;
    int k, i, step, which;
    for (k = 0; k < cases; k++) {
        sslh_ctx *c[2];
        sslh_net *net[2];
        size_t q;
        for (which = 0; which < 2; which++) {
            sslh_optimizer *o;
            sslh_desc d;
            memset(&d, 0, sizeof d);
            d.plain = which;
            c[which] = sslh_create(d);
            net[which] = make_net(c[which], &table[k]);
            o = sslh_optimizer_new(c[which], table[k].d);
            sslh_optimizer_add(o, net[which]);
            if (table[k].peak > 0) sslh_optimizer_peak(o, table[k].peak);
            for (step = 0; step < 5; step++) {
                sslh_begin_step(c[which]);
                sslh_backward(c[which], bowl(c[which], net[which]));
                sslh_optimizer_step(o, rate(step));
            }
            CHECK_OK(c[which]);
        }
        for (i = 0; i < PARAMS && !sslh_error(c[0]) && !sslh_error(c[1]); i++)
            for (q = 0; q < sslh_param(net[0], i)->count; q++) {
                double fast = (double)sslh_param(net[0], i)->data[q], plain = (double)sslh_param(net[1], i)->data[q];
                CHECK_CLOSE(plain, fast, 3e-6);
                worst = fmax(worst, fabs(plain - fast));
            }
        for (which = 0; which < 2; which++) sslh_destroy(c[which]);
    }
    printf("   largest distance of a parameter from its plain update: %.1e\n", worst);
}

static void nan_gradient(void) {
    sslh_ctx *c = create(1);
    sslh_net *net = make_net(c, NULL);
    sslh_optimizer *o = sslh_optimizer_new(c, table[5].d);
    uint64_t before;
    sslh_optimizer_add(o, net);
    sslh_begin_step(c);
    sslh_backward(c, bowl(c, net));
    sslh_optimizer_step(o, 0.1f);
    CHECK_OK(c);
    before = sslh_hash(net);
    sslh_begin_step(c);
    sslh_backward(c, bowl(c, net));
    sslh_param(net, 2)->grad[7] = (sslh_real)strtod("nan", NULL);
    sslh_optimizer_step(o, 0.1f);
    CHECK(sslh_error_code(c) == SSLH_E_NAN, "code %d", (int)sslh_error_code(c));
    CHECK_ERROR(c, "sslh_optimizer_step");
    CHECK(sslh_hash(net) == before, "parameters changed");
    sslh_zero_grad(net);
    sslh_begin_step(c);
    sslh_backward(c, bowl(c, net));
    sslh_optimizer_step(o, 0.1f);
    CHECK_OK(c);
    CHECK(sslh_hash(net) != before, "goes on");
    sslh_destroy(c);
}

static void groups_and_freeze(void) {
    sslh_ctx *c = create(1);
    sslh_net *net = make_net(c, NULL);
    sslh_optimizer *o = sslh_optimizer_new(c, table[0].d);
    float was[4], is;
    int k;
    sslh_optimizer_add(o, net);
    for (k = 0; k < PARAMS; k++) was[k] = (float)sslh_param(net, k)->data[0];
    sslh_begin_step(c);
    sslh_backward(c, bowl(c, net));
    sslh_optimizer_step_groups(o, 0.1f, 1u << 3);
    CHECK_OK(c);
    for (k = 0; k < PARAMS; k++) {
        is = (float)sslh_param(net, k)->data[0];
        CHECK((is != was[k]) == (k == 2), "group step: parameter %d", k);
    }
    sslh_freeze(net, 1);
    sslh_zero_grad(net);
    was[0] = (float)sslh_param(net, 0)->data[0];
    sslh_optimizer_step(o, 0.1f);
    CHECK(was[0] == (float)sslh_param(net, 0)->data[0], "frozen");
    sslh_begin_step(c);
    sslh_backward(c, bowl(c, net));
    CHECK_ERROR(c, "does not depend");
    sslh_destroy(c);
}

/* Gradients of several backward passes add up. */
static void accumulation(void) {
    sslh_ctx *c = create(1);
    sslh_net *net = make_net(c, NULL);
    double once, norm;
    sslh_begin_step(c);
    sslh_backward(c, bowl(c, net));
    once = (double)sslh_param(net, 3)->grad[100];
    sslh_begin_step(c);
    sslh_backward(c, bowl(c, net));
    CHECK_NEAR(sslh_param(net, 3)->grad[100], 2 * once, 1e-6);
    norm = (double)sslh_clip_grad(net, 0.5f);
    CHECK(norm > 10, "norm %g", norm);
    CHECK_CLOSE(sslh_param(net, 3)->grad[100], 2 * once * 0.5 / norm, 1e-6);
    CHECK_NEAR(sslh_clip_grad(net, 3), 0.5, 1e-4);
    CHECK_NEAR(sslh_clip_grad(net, 3), 0.5, 1e-4);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Two nets with a parameter each and a loss with a constant slope, for which every update of Adam is the rate, when the
   bias correction counts right. In one: both parameters in the method's own net, with an empty net beside it. */
typedef struct pair { sslh_ctx *c; sslh_method m; sslh_optimizer *o; sslh_net *net[2]; sslh_tensor *p[2]; } pair;
static pair make_pair(sslh_optim_kind kind, int in_one, int empty) {
    static const char *const names[2] = {"a", "b"};
    sslh_net_desc nd;
    sslh_optimizer_desc od;
    pair k;
    int i;
    memset(&nd, 0, sizeof nd), memset(&od, 0, sizeof od);
    od.kind = kind;
    k.c = create(1);
    k.m = sslh_method_new(k.c, "pair", NULL, NULL, 0);
    for (i = 0; i < 2; i++) {
        nd.name = names[i];
        k.net[i] = in_one ? k.m.net : sslh_net_new(k.c, nd);
        sslh_param_new(k.net[i], in_one ? names[i] : "x", sslh_dim1(1), SSLH_INIT_ZERO, 0);
        if (!in_one) sslh_child(k.m.net, names[i], k.net[i]);
    }
    nd.name = "empty";
    if (empty) sslh_child(k.m.net, "empty", sslh_net_new(k.c, nd));
    for (i = 0; i < 2; i++) k.p[i] = sslh_param(k.net[i], in_one ? i : 0);
    k.o = sslh_optimizer_new(k.c, od);
    sslh_optimizer_add(k.o, k.m.net);
    return k;
}
static void pair_steps(pair *k, int n, float rate_of_all) {
    while (n-- > 0) {
        sslh_begin_step(k->c);
        sslh_backward(k->c, sslh_sum(k->c, sslh_add(k->c, sslh_scale(k->c, k->p[0], 1), sslh_scale(k->c, k->p[1], -2)),
                                     SSLH_ALL, 0));
        sslh_optimizer_step(k->o, rate_of_all);
    }
    CHECK_OK(k->c);
}
/* Steps in which a net is frozen are no updates of it, however many there are, before its first one and later. A file
   keeps the count of each net; one row of counters in a file counts for all. */
static void frozen_steps(void) {
    static const sslh_optim_kind kind[2] = {SSLH_ADAM, SSLH_ADAMW};
    const float lr = 1.0f / 64;
    char path[512];
    int i;
    snprintf(path, sizeof path, "%s", test_temporary("pair.safetensors"));
    for (i = 0; i < 2; i++) {
        pair k = make_pair(kind[i], 0, 0), again = make_pair(kind[i], 0, 0);
        pair one = make_pair(kind[i], 1, 0), wider = make_pair(kind[i], 1, 1);
        sslh_freeze(k.net[0], 1);
        pair_steps(&k, 1000, lr);
        CHECK(k.p[0]->data[0] == 0, "frozen");
        CHECK_CLOSE(k.p[1]->data[0], 1000 * lr, 1e-4);
        sslh_freeze(k.net[0], 0);
        pair_steps(&k, 1, lr);
        CHECK_NEAR(k.p[0]->data[0], -lr, 1e-5 * lr);
        pair_steps(&k, 2, lr);
        CHECK_NEAR(k.p[0]->data[0], -3 * lr, 3e-5 * lr);
        sslh_freeze(k.net[0], 1);
        pair_steps(&k, 50, lr);
        sslh_save_checkpoint(&k.m, k.o, 1053, path);
        sslh_freeze(k.net[0], 0);
        pair_steps(&again, 7, lr); /* into an optimiser that has made other steps */
        CHECK(sslh_load_checkpoint(&again.m, again.o, path) == 1053, "the step");
        pair_steps(&k, 1, lr);
        CHECK_NEAR(k.p[0]->data[0], -4 * lr, 1e-4 * lr);
        pair_steps(&k, 2, lr);
        pair_steps(&again, 3, lr);
        CHECK(sslh_hash(again.m.net) == sslh_hash(k.m.net), "other bits after a checkpoint");
        pair_steps(&one, 3, lr);
        sslh_save_checkpoint(&one.m, one.o, 3, path);
        CHECK(sslh_load_checkpoint(&wider.m, wider.o, path) == 3, "one row of counters");
        pair_steps(&one, 2, lr);
        pair_steps(&wider, 2, lr);
        CHECK_CLOSE(wider.p[1]->data[0], 5 * lr, 1e-6);
        CHECK(wider.p[0]->data[0] == one.p[0]->data[0] && wider.p[1]->data[0] == one.p[1]->data[0], "other bits");
        sslh_save_checkpoint(&wider.m, wider.o, 5, path);
        sslh_load_checkpoint(&one.m, one.o, path);
        CHECK_ERROR(one.c, "has the counters of 2 nets, and this method has 1");
        sslh_destroy(k.c);
        sslh_destroy(again.c);
        sslh_destroy(one.c);
        sslh_destroy(wider.c);
    }
    test_remove(path);
}

/* Numbers that would turn an update round or poison it are errors, and nothing changes. */
static void wrong_numbers(void) {
    const float nan = (float)strtod("nan", NULL), bad[3] = {-1, nan, -INFINITY};
    sslh_ctx *c = create(1);
    sslh_net *net = make_net(c, NULL), *copy = sslh_clone(net);
    sslh_optimizer *o = sslh_optimizer_new(c, table[0].d);
    uint64_t before = sslh_hash(copy);
    float slope;
    int i;
    sslh_begin_step(c);
    sslh_backward(c, bowl(c, net));
    slope = (float)sslh_param(net, 3)->grad[100];
    for (i = 0; i < 3; i++) {
        CHECK(sslh_clip_grad(net, bad[i]) == 0, "a norm after an error");
        CHECK_ERROR(c, "sslh_clip_grad: the norm is to be at most");
        sslh_ema_update(copy, net, bad[i]);
        CHECK_ERROR(c, "sslh_ema_update: the share of the target is");
        sslh_optimizer_peak(o, bad[i]);
        CHECK_ERROR(c, "sslh_optimizer_peak: the learning rate is");
    }
    sslh_ema_update(copy, net, 1.5f);
    CHECK_ERROR(c, "give one from 0 to 1");
    CHECK(sslh_hash(copy) == before && (float)sslh_param(net, 3)->grad[100] == slope, "something has changed");
    CHECK(sslh_clip_grad(net, INFINITY) > 1 && (float)sslh_param(net, 3)->grad[100] == slope, "only measured");
    sslh_clip_grad(net, 0);
    CHECK(sslh_param(net, 3)->grad[100] == 0, "a norm of 0");
    CHECK_OK(c);
    { /* 0 / (0 + 0) in each parameter whose gradient is 0 */
        sslh_optimizer_desc d = table[0].d;
        d.kind = SSLH_ADAM, d.eps = OFF;
        sslh_optimizer_new(c, d);
        CHECK_ERROR(c, "sslh_optimizer_new: .eps is -1 (above 0)");
    }
    sslh_destroy(c);
}

/* Squares of large gradients overflow: clipping measured Inf and set all of them to 0, and Adam's second moment was Inf
   for the rest of the run. */
static void large_gradients(void) {
    const sslh_optim_kind kinds[4] = {SSLH_SGD, SSLH_LARS, SSLH_ADAM, SSLH_ADAMW};
    sslh_ctx *c = create(1);
    int k, i;
    for (k = 0; k < 8 && sizeof(sslh_real) == 4; k++) { /* each kind without and with .clip */
        const sslh_optim_kind kind = kinds[k / 2];
        sslh_optimizer_desc d;
        sslh_optimizer *o;
        sslh_net *net = make_net(c, NULL);
        sslh_tensor *p = sslh_param(net, 0);
        const double before = (double)p->data[0];
        memset(&d, 0, sizeof d);
        d.kind = kind, d.momentum = OFF, d.clip = k % 2 ? 1.0f : 0.0f;
        o = sslh_optimizer_new(c, d);
        sslh_optimizer_add(o, net);
        sslh_begin_step(c);
        sslh_backward(c, bowl(c, net));
        for (i = 0; i < PARAMS; i++)
            memset(sslh_param(net, i)->grad, 0, sslh_param(net, i)->count * sizeof(sslh_real));
        p->grad[0] = (sslh_real)1e25;
        if (k == 0) {
            CHECK_NEAR((double)sslh_clip_grad(net, 100), 1e25, 1e20);
            CHECK_NEAR((double)p->grad[0], 100, 1e-3);
            p->grad[0] = (sslh_real)1e25;
        }
        sslh_optimizer_step(o, k ? 0.1f : 1e-25f);
        if (k % 2 == 0 && k) {
            CHECK_ERROR(c, "sslh_optimizer_step: the squares of the gradient of 'bowl.fc.weight' overflow");
            CHECK((double)p->data[0] == before, "kind %d: an update", (int)kind);
        } else if (kind == SSLH_LARS) {
            CHECK((double)p->data[0] < before, "no update");
        } else {
            CHECK_NEAR((double)p->data[0], before - (k ? 0.1 : 1), 1e-5);
        }
        CHECK_OK(c);
    }
    sslh_destroy(c);
}

static void schedules(void) {
    const float milestones[3] = {0.5f, 0.75f, 0};
    const double pi = 3.14159265358979;
    int s;
    for (s = 0; s < 100; s++) {
        double t = s < 10 ? 0 : (s - 10) / 90.0, warm = s < 10 ? (s + 1) / 10.0 : 1;
        CHECK_NEAR(sslh_constant(s, 100, 10, 0.3f), 0.3 * warm, 1e-6);
        CHECK_NEAR(sslh_cosine(s, 100, 10, 0.3f), s < 10 ? 0.3 * warm : 0.15 * (1 + cos(pi * t)), 1e-6);
        CHECK_NEAR(sslh_linear_decay(s, 100, 10, 0.3f), s < 10 ? 0.3 * warm : 0.3 * (1 - t), 1e-6);
        CHECK_NEAR(sslh_steps(s, 100, 10, 0.3f, milestones, 0.1f),
                   0.3 * warm * (s >= 75 ? 0.01 : s >= 50 ? 0.1 : 1), 1e-6);
    }
    CHECK_NEAR(sslh_cosine(0, 10, 0, 1), 1, 1e-6);
    CHECK_NEAR(sslh_cosine(10, 10, 0, 1), 0, 1e-6);
    CHECK_NEAR(sslh_cosine(99, 10, 0, 1), 0, 1e-6);
    CHECK(sslh_cosine(-1, 10, 0, 1) == 1 && sslh_constant(-1, 10, 0, 1) == 1, "before the first step");
    CHECK(sslh_cosine(0, 0, 0, 1) == sslh_cosine(0, 0, 0, 1), "no NaN without steps");
    CHECK(sslh_linear_decay(3, 3, 3, 1) == sslh_linear_decay(3, 3, 3, 1), "no NaN after a warmup alone");
}

int main(int argc, char **argv) {
    int k, g;
    fill_table();
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (k = 0; k < cases; k++) {
            const sslh_optimizer_desc *d = &table[k].d;
            printf("%s|%d,%.9g,%d,%.9g,%.9g,%.9g,%d,%.9g,%.9g,%d,%.9g,%u,%.9g,%.9g,%.9g|", table[k].name, (int)d->kind,
                   (double)d->momentum, d->nesterov, (double)d->beta1, (double)d->beta2, (double)d->eps,
                   d->no_bias_correction, (double)d->weight_decay, (double)d->lars_eta, d->lars_clip, (double)d->clip,
                   d->constant_lr, (double)table[k].vector_decay, (double)table[k].bias_lr, (double)table[k].peak);
            for (g = 0; g < 16; g++) printf("%s%.9g", g ? "," : "", (double)d->group_lr[g]);
            printf("\n");
        }
        return 0;
    }
    TEST(torch_steps)
    TEST(threads)
    TEST(plain_steps)
    TEST(nan_gradient)
    TEST(groups_and_freeze)
    TEST(accumulation)
    TEST(frozen_steps)
    TEST(wrong_numbers)
    TEST(large_gradients)
    TEST(schedules)
    return test_end();
}
