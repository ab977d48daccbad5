/* The cases beside PyTorch: memory-bound operations, whole training steps, losses, augmentation. Models, batches,
   losses and optimisers are those of torch_steps.py; data are random and stay the same. Included by bench.c. */

/* ================================================================================================================== */
/*  memory/                                                                                                           */
/* ================================================================================================================== */
/* An operation on x (and r, of the same shape) with arrays of parameters; the backward pass is timed alone, by calling
   the recorded node. Reads and writes are what one pass over each array at a time must move, in arrays of x's size:
   statistics are needed before x is normalised, so that batch norm reads x twice. Layer norm and softmax keep a row in
   the cache. A gradient written over the one that it comes from costs less than is counted here: more than 100 % of the
   bandwidth. The bandwidth of the same number of threads is measured in the same rounds, see
   bench_measure_beside_streams. */
enum { OP_BATCH_NORM, OP_BATCH_NORM_ADD, OP_LAYER_NORM, OP_GELU, OP_SOFTMAX, OP_ATTENTION };
static const struct { const char *name; int op, n, t, d; double read[2], write[2]; int quick; } memory_ops[] = {
    {"batch_norm_relu", OP_BATCH_NORM, 256, 1024, 64, {2, 4}, {1, 1}, 1},
    {"batch_norm_add_relu", OP_BATCH_NORM_ADD, 256, 1024, 64, {3, 5}, {1, 2}, 0},
    {"batch_norm_relu_cached", OP_BATCH_NORM, 16, 256, 64, {0, 0}, {0, 0}, 0},
    {"layer_norm", OP_LAYER_NORM, 1024, 65, 192, {1, 2}, {1, 1}, 1},
    {"gelu", OP_GELU, 256, 65, 768, {1, 2}, {1, 1}, 1},
    {"softmax", OP_SOFTMAX, 1, 16384, 1000, {1, 2}, {1, 1}, 0},
    {"attention_65", OP_ATTENTION, 64, 65, 192, {0, 0}, {0, 0}, 1},
    {"attention_197", OP_ATTENTION, 16, 197, 192, {0, 0}, {0, 0}, 0},
};
typedef struct memory_op {
    sslh_ctx    *c;
    int          threads, op, backward;
    sslh_shape   shape;
    size_t       count;
    float       *x, *r, *dy;
    sslh_tensor *v[4];
} memory_op;

static double memory_run(void *self, int n) {
    memory_op *p = (memory_op *)self;
    sslh_batch_norm_desc norm;
    sslh_attention_desc attention;
    double sum = 0;
    memset(&norm, 0, sizeof norm);
    memset(&attention, 0, sizeof attention);
    norm.training = 1;
    norm.activation = SSLH_RELU;
    attention.heads = 3;
    for (int i = 0; i < n; i++) {
        sslh_tensor *y, *r = NULL;
        int fresh;
        sslh_begin_step(p->c);
        if (!p->backward) sslh_no_grad(p->c, 1);
        sslh_tensor *x = sslh_requires_grad(sslh_from(p->c, p->shape, p->x));
        if (p->op == OP_BATCH_NORM_ADD) r = sslh_requires_grad(sslh_from(p->c, p->shape, p->r));
        double t = bench_now(p->threads);
        if (p->op <= OP_BATCH_NORM_ADD) y = sslh_batch_norm(p->c, x, p->v[0], p->v[1], p->v[2], p->v[3], r, norm);
        else if (p->op == OP_LAYER_NORM) y = sslh_layer_norm(p->c, x, p->v[0], p->v[1], 1e-5f);
        else if (p->op == OP_GELU) y = sslh_gelu(p->c, x);
        else if (p->op == OP_SOFTMAX) y = sslh_softmax(p->c, x, -1);
        else y = sslh_self_attention(p->c, x, attention);
        t = bench_now(p->threads) - t;
        if (!p->backward) sslh_no_grad(p->c, 0);
        if (sslh_error(p->c)) return -1;
        if (p->backward) {
            sslh_i_node *node = p->c->nodes[p->c->nnodes - 1];
            sslh_real *g = sslh_i_grad(p->c, y, &fresh);
            if (!g) return -1;
            memcpy(g, p->dy, y->count * sizeof *g);
            t = bench_now(p->threads);
            node->backward(p->c, node);
            t = bench_now(p->threads) - t;
        }
        sum += t;
    }
    return sum;
}

/* Update rules on one parameter of 10 M values, 42 MB an array. */
typedef struct update { sslh_ctx *c; int threads, ema; sslh_net *net, *other; sslh_optimizer *o; } update;
static double update_run(void *self, int n) {
    update *p = (update *)self;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sslh_tensor *w = sslh_param(p->net, 0);
        if (p->o) {
            for (size_t j = 0; j < w->count; j++) w->grad[j] = 0.01f * (float)((int)(j & 15) - 7);
            const double t = bench_now(p->threads);
            sslh_optimizer_step(p->o, 1e-3f);
            sum += bench_now(p->threads) - t;
        } else {
            const double t = bench_now(p->threads);
            sslh_ema_update(p->other, p->net, 0.99f);
            sum += bench_now(p->threads) - t;
        }
        if (sslh_error(p->c)) return -1;
    }
    return sum;
}
static const struct {
    const char     *name;
    sslh_optim_kind kind;
    float           decay;
    double          read, write;
    int             quick;
} updates[] = {
    {"sgd", SSLH_SGD, 1e-4f, 3, 3, 1},     /* p, g, m; p, m and g = 0 */
    {"adamw", SSLH_ADAMW, 0.05f, 4, 4, 1}, /* p, g, m, v; p, m, v and g = 0 */
    {"lars", SSLH_LARS, 1e-4f, 5, 3, 0},   /* the norms of p and g first */
    {"ema", SSLH_OPTIM_DEFAULT, 0, 2, 1, 0},
};

static void memory_cases(void) {
    char name[128], ask[160];
    for (int t = 0; t < (bench.quick ? 1 : 2) && bench.threads[t]; t++) {
        const int threads = bench.threads[t];
        bench_child torch;
        sslh_ctx *c = make_ctx(threads);
        bench_side side[BENCH_SIDES];
        const int sides = bench_start_torch(&torch, threads, 0) ? 2 : 1, streams = bench_open_streams(c, threads);
        memset(side, 0, sizeof side);
        side[1].name = "pytorch";
        side[1].run = bench_child_run;
        side[1].self = &torch;
        for (int i = 0; i < 2 * (int)(sizeof memory_ops / sizeof *memory_ops); i++) {
            const int op = memory_ops[i / 2].op, n = memory_ops[i / 2].n, T = memory_ops[i / 2].t,
                      d = memory_ops[i / 2].d;
            memory_op p;
            memset(&p, 0, sizeof p);
            snprintf(name, sizeof name, "memory/%s/%s", memory_ops[i / 2].name, i % 2 ? "backward" : "forward");
            snprintf(ask, sizeof ask, "memory/%s_%s", memory_ops[i / 2].name, i % 2 ? "bwd" : "fwd");
            if ((bench.quick && !memory_ops[i / 2].quick) || !bench_wanted(name)) continue;
            const int64_t mark = sslh_mark(c);
            p.c = c;
            p.threads = threads;
            p.op = op;
            p.backward = i % 2;
            p.shape = sslh_dim3(n, T, op == OP_ATTENTION ? 3 * d : d);
            p.count = (size_t)n * (size_t)T * (size_t)p.shape.size[2];
            p.x = make_floats(p.count);
            p.r = make_floats(p.count);
            p.dy = make_floats(p.count);
            for (int v = 0; v < 4; v++) p.v[v] = sslh_persist(sslh_full(c, sslh_dim1(d), v % 3 ? 0.0f : 1.0f));
            sslh_requires_grad(p.v[0]), sslh_requires_grad(p.v[1]);
            side[0].run = memory_run;
            side[0].self = &p;
            torch.ask = ask;
            (memory_ops[i / 2].read[i % 2] > 0 && streams ? bench_measure_beside_streams : bench_measure)(
                side, sides, threads, 0.01, bench.quick ? 4 : 9, bench.quick ? 0.05 : 0.3);
            const double bytes = sizeof(float) * (double)p.count;
            const double read = bytes * memory_ops[i / 2].read[i % 2], written = bytes * memory_ops[i / 2].write[i % 2];
            /* backward: the four products of the gradients; recomputed scores are not counted */
            if (op == OP_ATTENTION) {
                const double flop = (i % 2 ? 8.0 : 4.0) * n * T * T * d;
                bench_line(name, "memory", threads, side, sides, flop, 1e9, bench_limit[threads].gflops, "GFLOP/s",
                           NULL);
            } else if (read > 0) {
                bench_line(name, "memory", threads, side, sides, read + written, 1e9,
                           1e-9 * (read + written) / bench_bytes_time(threads, read, written, 0), "GB/s", NULL);
            } else {
                bench_line(name, "memory", threads, side, sides, (double)p.count, 1e9, 0, "Gvalues/s", NULL);
            }
            free(p.x), free(p.r), free(p.dy);
            sslh_begin_step(c);
            sslh_rewind(c, mark);
        }
        for (int i = 0; i < (int)(sizeof updates / sizeof *updates); i++) {
            update p;
            sslh_net_desc d;
            sslh_optimizer_desc o;
            memset(&p, 0, sizeof p);
            memset(&d, 0, sizeof d);
            memset(&o, 0, sizeof o);
            snprintf(name, sizeof name, "memory/%s", updates[i].name);
            if ((bench.quick && !updates[i].quick) || !bench_wanted(name)) continue;
            const int64_t mark = sslh_mark(c);
            p.c = c;
            p.threads = threads;
            p.net = sslh_net_new(c, d);
            sslh_param_new(p.net, "w", sslh_dim2(4096, 2560), SSLH_INIT_FAN_IN, 0);
            if (updates[i].kind == SSLH_OPTIM_DEFAULT) {
                p.other = sslh_clone(p.net);
            } else {
                o.kind = updates[i].kind;
                o.weight_decay = updates[i].decay;
                p.o = sslh_optimizer_new(c, o);
                sslh_optimizer_add(p.o, p.net);
            }
            side[0].run = update_run;
            side[0].self = &p;
            torch.ask = name;
            (streams ? bench_measure_beside_streams : bench_measure)(side, sides, threads, 0.01, bench.quick ? 4 : 9,
                                                                     bench.quick ? 0.05 : 0.3);
            const double bytes = sizeof(float) * 4096.0 * 2560.0, read = bytes * updates[i].read,
                         written = bytes * updates[i].write;
            bench_line(name, "memory", threads, side, sides, read + written, 1e9,
                       1e-9 * (read + written) / bench_bytes_time(threads, read, written, 1), "GB/s", NULL);
            sslh_rewind(c, mark);
        }
        bench_close_streams();
        if (sslh_error(c)) fprintf(stderr, "memory/: %s\n", sslh_error(c));
        bench_stop(&torch);
        sslh_destroy(c);
    }
}

/* ================================================================================================================== */
/*  step/ loss/                                                                                                       */
/* ================================================================================================================== */
typedef struct step {
    sslh_ctx *c;
    sslh_net *net[2];
    sslh_method m;
    sslh_optimizer *o;      /* NULL: nothing is updated */
    float lr;
    sslh_view_set views;    /* what a method's loss is given, where that stays the same */
    sslh_tensor *x, *labels;
    int layer[16]; /* CPC's parameters */
    uint64_t draws;
} step;

static sslh_tensor *step_images(step *s, sslh_shape shape, int uniform) { /* kept for ever */
    return sslh_persist(uniform ? sslh_uniform(s->c, shape, 0, 1) : sslh_normal(s->c, shape, 0, 1));
}
static void step_labels(step *s, int n, int of, int repeat) {
    int32_t label[1024];
    for (int i = 0; i < n; i++) label[i] = i / repeat % of;
    s->labels = sslh_persist(sslh_from_ints(s->c, sslh_dim1(n), label));
}
static sslh_tensor *step_tokens(step *s, int n, int t, int of) { /* (n,t), or (n) when t is 0; kept for ever */
    int32_t token[2048];
    for (int i = 0; i < n * (t ? t : 1); i++) token[i] = (int32_t)sslh_random_below(7, 7, s->draws++, (uint32_t)of);
    return sslh_persist(sslh_from_ints(s->c, t ? sslh_dim2(n, t) : sslh_dim1(n), token));
}
static sslh_net *step_mlp(step *s, int in, int hidden, int out) {
    sslh_mlp_desc d;
    memset(&d, 0, sizeof d);
    d.in = in;
    d.widths[0] = hidden ? hidden : out;
    d.widths[1] = hidden ? out : 0;
    return sslh_mlp(s->c, d);
}
static void step_optimizer(step *s, sslh_optim_kind kind, float lr, float beta2, float decay) {
    sslh_optimizer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = kind;
    d.beta2 = beta2;
    d.weight_decay = decay;
    s->lr = lr;
    s->o = sslh_optimizer_new(s->c, d);
    for (int i = 0; i < 2; i++)
        if (s->net[i]) sslh_optimizer_add(s->o, s->net[i]);
}

/* The loss of a method whose views stay the same. */
static sslh_tensor *method_loss(step *s) { return s->m.loss(&s->m, &s->views, 0); }
/* A method with the optimiser and the rate that it has by default. */
static void step_method(step *s, sslh_method m) {
    s->m = m;
    s->net[0] = m.net;
    s->lr = m.defaults.lr;
    s->o = sslh_optimizer_new(s->c, m.defaults.optimizer);
    sslh_optimizer_add(s->o, m.net);
}

static void simclr_small_new(step *s) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    s->net[0] = sslh_convnet(s->c, d);
    s->net[1] = step_mlp(s, 256, 256, 128);
    s->x = step_images(s, sslh_dim4(256, 32, 32, 3), 0);
    step_optimizer(s, SSLH_SGD, 0.03f, 0, 1e-4f);
}
static void simclr_resnet_new(step *s) {
    sslh_resnet_desc d;
    memset(&d, 0, sizeof d);
    s->net[0] = sslh_resnet(s->c, d);
    s->net[1] = step_mlp(s, 512, 512, 128);
    s->x = step_images(s, sslh_dim4(128, 32, 32, 3), 0);
    step_optimizer(s, SSLH_SGD, 0.03f, 0, 1e-4f);
}
static sslh_tensor *simclr_loss(step *s) {
    sslh_tensor *z = sslh_forward(s->net[1], sslh_forward(s->net[0], s->x));
    const int n = s->x->shape[0] / 2;
    return sslh_nt_xent(s->c, sslh_slice(s->c, z, 0, 0, n), sslh_slice(s->c, z, 0, n, 2 * n), 0.5f);
}

static void rotnet_new(step *s) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    s->net[0] = sslh_convnet(s->c, d);
    s->net[1] = step_mlp(s, 256, 0, 4);
    s->x = step_images(s, sslh_dim4(128, 32, 32, 3), 0);
    step_labels(s, 512, 4, 128);
    step_optimizer(s, SSLH_SGD, 0.1f, 0, 5e-4f);
}
static sslh_tensor *rotnet_loss(step *s) {
    sslh_tensor *turned[4];
    int32_t quarter[128];
    turned[0] = s->x;
    for (int k = 1; k < 4; k++) {
        for (int i = 0; i < 128; i++) quarter[i] = k;
        turned[k] = sslh_rotate90(s->c, s->x, quarter);
    }
    return sslh_cross_entropy(s->c, sslh_forward(s->net[1], sslh_forward(s->net[0], sslh_concat(s->c, turned, 4, 0))),
                              s->labels);
}

static void mae_new(step *s) {
    sslh_vit_desc v;
    sslh_mae_desc d;
    memset(&v, 0, sizeof v);
    memset(&d, 0, sizeof d);
    s->m = sslh_mae(s->c, sslh_vit(s->c, v), d);
    s->net[0] = s->m.net;
    s->x = step_images(s, sslh_dim4(64, 32, 32, 3), 0);
    step_optimizer(s, SSLH_ADAMW, 1.5e-4f, 0.95f, 0.05f);
}
static sslh_tensor *mae_loss(step *s) {
    sslh_view_set v;
    sslh_tensor *keep, *restore, *hidden;
    uint64_t streams[64];
    for (int i = 0; i < 64; i++) streams[i] = s->draws++;
    memset(&v, 0, sizeof v);
    sslh_i_mae_mask(s->c, (const sslh_i_mae *)s->m.self, streams, 64, &keep, &restore, &hidden);
    sslh_view_add(&v, "images", s->x);
    sslh_view_add(&v, "keep", keep);
    sslh_view_add(&v, "restore", restore);
    sslh_view_add(&v, "hidden", hidden);
    return s->m.loss(&s->m, &v, 0);
}

static void vae_new(step *s) {
    sslh_vae_desc d;
    memset(&d, 0, sizeof d);
    d.height = d.width = 28;
    d.channels = 1;
    s->m = sslh_vae(s->c, d);
    s->net[0] = s->m.net;
    sslh_view_add(&s->views, "images", step_images(s, sslh_dim4(128, 28, 28, 1), 1));
    step_optimizer(s, SSLH_ADAM, 1e-3f, 0, 0);
}

/* CPC on audio (van den Oord et al. 2018): strided 1-D convolutions (x 160) with batch norm and ReLU, a GRU over the
   frames up to a random t, and for each of 12 frames ahead a linear prediction that must pick its own recording
   out of the batch. */
static const int cpc_conv[5][3] = {{10, 5, 3}, {8, 4, 2}, {4, 2, 1}, {4, 2, 1}, {4, 2, 1}}; /* kernel, stride, pad */
static void cpc_new(step *s) {
    sslh_net_desc d;
    char name[32];
    memset(&d, 0, sizeof d);
    sslh_net *net = s->net[0] = sslh_net_new(s->c, d);
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "conv%d.weight", i);
        s->layer[2 * i] = sslh_param_new(net, name, sslh_dim3(128, cpc_conv[i][0], i ? 128 : 1), SSLH_INIT_FAN_IN, 0);
        snprintf(name, sizeof name, "norm%d", i);
        s->layer[2 * i + 1] = sslh_layer_batch_norm_new(net, name, 128, 0);
    }
    s->layer[10] = sslh_param_new(net, "gru.weight_ih", sslh_dim2(384, 128), SSLH_INIT_FAN_IN, 0);
    s->layer[11] = sslh_param_new(net, "gru.weight_hh", sslh_dim2(384, 128), SSLH_INIT_FAN_IN, 0);
    s->layer[12] = sslh_param_new(net, "gru.bias_ih", sslh_dim1(384), SSLH_INIT_ZERO, 0);
    s->layer[13] = sslh_param_new(net, "gru.bias_hh", sslh_dim1(384), SSLH_INIT_ZERO, 0);
    for (int k = 0; k < 12; k++) {
        snprintf(name, sizeof name, "ahead%d", k);
        const int layer = sslh_layer_linear_new(net, name, 128, 128, 0);
        if (k < 2) s->layer[14 + k] = layer;
    }
    s->x = step_images(s, sslh_dim3(16, 20480, 1), 0);
    step_labels(s, 16, 16, 1);
    step_optimizer(s, SSLH_ADAM, 2e-4f, 0, 0);
}
static sslh_tensor *cpc_loss(step *s) {
    sslh_net *net = s->net[0];
    sslh_tensor *z = s->x, *loss = NULL; /* z (N,T,C) */
    for (int i = 0; i < 5; i++) {
        sslh_conv_desc d;
        memset(&d, 0, sizeof d);
        d.stride = cpc_conv[i][1];
        d.pad = cpc_conv[i][2];
        z = sslh_conv1d(s->c, z, sslh_param(net, s->layer[2 * i]), NULL, d);
        z = sslh_layer_batch_norm(net, s->layer[2 * i + 1], z, NULL, 0, SSLH_RELU);
    }
    const int t = 40 + (int)sslh_random_below(7, 7, s->draws++, (uint32_t)(z->shape[1] - 52));
    sslh_tensor *h = sslh_gru(s->c, sslh_slice(s->c, z, 1, 0, t + 1), sslh_param(net, s->layer[10]),
                              sslh_param(net, s->layer[11]), sslh_param(net, s->layer[12]),
                              sslh_param(net, s->layer[13]), NULL);
    h = sslh_reshape(s->c, sslh_slice(s->c, h, 1, t, t + 1), sslh_dim2(16, 128)); /* the context c_t (N,C) */
    for (int k = 0; k < 12; k++) {
        const int layer = s->layer[14] + k * (s->layer[15] - s->layer[14]);
        sslh_tensor *ahead = sslh_layer_linear(net, layer, h, 0, SSLH_LINEAR);
        sslh_tensor *there = sslh_reshape(s->c, sslh_slice(s->c, z, 1, t + 1 + k, t + 2 + k), sslh_dim2(16, 128));
        sslh_tensor *l = sslh_cross_entropy(s->c, sslh_matmul_ex(s->c, there, ahead, 0, 1), s->labels);
        loss = loss ? sslh_add(s->c, loss, l) : l;
    }
    return sslh_scale(s->c, loss, 1.0f / 12.0f);
}

/* MoCo v2: queries of one view, keys of the other, which the key encoder sees in another order, and a queue of 4096. */
static void moco_new(step *s) {
    sslh_convnet_desc e;
    sslh_moco_desc d;
    int32_t order[128];
    memset(&e, 0, sizeof e);
    memset(&d, 0, sizeof d);
    s->m = sslh_moco(s->c, sslh_convnet(s->c, e), d);
    s->net[0] = s->m.net;
    sslh_random_permutation(7, 7, order, 128);
    sslh_view_add(&s->views, "view0", step_images(s, sslh_dim4(128, 32, 32, 3), 0));
    sslh_view_add(&s->views, "view1", step_images(s, sslh_dim4(128, 32, 32, 3), 0));
    sslh_view_add(&s->views, "order", sslh_persist(sslh_from_ints(s->c, sslh_dim1(128), order)));
    step_optimizer(s, SSLH_SGD, 0.03f, 0, 1e-4f);
}

/* 128 puzzles of nine tiles, 100 permutations. */
static void jigsaw_new(step *s) {
    sslh_convnet_desc e;
    sslh_jigsaw_desc d;
    memset(&e, 0, sizeof e);
    memset(&d, 0, sizeof d);
    s->m = sslh_jigsaw(s->c, sslh_convnet(s->c, e), d);
    s->net[0] = s->m.net;
    step_labels(s, 128, 100, 1);
    sslh_view_add(&s->views, "tiles", step_images(s, sslh_dim5(128, 9, 8, 8, 3), 0));
    sslh_view_add(&s->views, "labels", s->labels);
    step_optimizer(s, SSLH_SGD, 0.01f, 0, 5e-4f);
}

/* sslh_cpc as it is, with narrower nets: every place predicts 12 ahead, 128 negatives for all. */
static void cpc_method_new(step *s) {
    sslh_conv_gru_desc e;
    sslh_cpc_desc d;
    memset(&e, 0, sizeof e);
    memset(&d, 0, sizeof d);
    e.width = e.context = 128;
    s->m = sslh_cpc(s->c, sslh_conv_gru(s->c, e), d);
    s->net[0] = s->m.net;
    s->x = step_images(s, sslh_dim3(8, 20480, 1), 0);
    step_optimizer(s, SSLH_ADAM, 2e-4f, 0, 0);
}
static sslh_tensor *cpc_method_loss(step *s) {
    sslh_view_set v;
    int32_t draw[128];
    for (int i = 0; i < 128; i++) draw[i] = (int32_t)(sslh_random_u32(7, 7, s->draws++) >> 1);
    memset(&v, 0, sizeof v);
    sslh_view_add(&v, "sound", s->x);
    sslh_view_add(&v, "draws", sslh_from_ints(s->c, sslh_dim2(1, 128), draw));
    return s->m.loss(&s->m, &v, 0);
}

/* Colours from lightness; the conversion to Lab belongs to the views, as augmentation does. All bins weigh the same. */
static void colorization_new(step *s) {
    sslh_convnet_desc e;
    sslh_colorization_desc d;
    memset(&e, 0, sizeof e);
    memset(&d, 0, sizeof d);
    e.channels = 1;
    step_method(s, sslh_colorization(s->c, sslh_convnet(s->c, e), d));
    sslh_tensor *weight = sslh_find(s->m.net, "bin_weight");
    for (size_t i = 0; weight && i < weight->count; i++) weight->data[i] = 1;
    sslh_tensor *x = step_images(s, sslh_dim4(128, 32, 32, 3), 1);
    sslh_view_add(&s->views, "lab", sslh_persist(sslh_rgb_to_lab(s->c, x)));
}

/* nanoGPT's setting for a laptop: 12 windows of 64 characters out of 65. */
static void gpt_new(step *s) {
    sslh_transformer_desc e;
    sslh_gpt_desc d;
    memset(&e, 0, sizeof e);
    memset(&d, 0, sizeof d);
    e.vocabulary = 65, e.length = 64, e.width = 128, e.depth = 4, e.heads = 4;
    step_method(s, sslh_gpt(s->c, sslh_transformer(s->c, e), d));
    sslh_view_add(&s->views, "tokens", step_tokens(s, 12, 64, 65));
    sslh_view_add(&s->views, "targets", step_tokens(s, 12, 64, 65));
}

/* 32 texts of 62 words out of 8000 between [CLS] and [SEP], of which 9 are hidden; no dropout, as in
   examples/text/fill_mask.c. */
static void bert_new(step *s) {
    enum { N = 32, T = 64, K = 9 };
    static const uint8_t none[N * T] = {0};
    static const int32_t first[N * T] = {0};
    sslh_transformer_desc e;
    sslh_bert_desc d;
    int32_t place[N * K];
    memset(&e, 0, sizeof e);
    memset(&d, 0, sizeof d);
    e.kind = SSLH_BERT;
    e.vocabulary = 8000, e.length = T, e.width = 128, e.depth = 4, e.heads = 4;
    d.dropout = SSLH_OFF;
    step_method(s, sslh_bert(s->c, sslh_transformer(s->c, e), d));
    for (int i = 0; i < N * K; i++) place[i] = i / K * T + 1 + 7 * (i % K);
    sslh_view_add(&s->views, "tokens", step_tokens(s, N, T, 8000));
    sslh_view_add(&s->views, "segments", sslh_persist(sslh_from_ints(s->c, sslh_dim2(N, T), first)));
    sslh_view_add(&s->views, "padding", sslh_persist(sslh_from_bytes(s->c, sslh_dim2(N, T), none)));
    sslh_view_add(&s->views, "places", sslh_persist(sslh_from_ints(s->c, sslh_dim1(N * K), place)));
    sslh_view_add(&s->views, "targets", step_tokens(s, N * K, 0, 8000));
    sslh_view_add(&s->views, "answers", sslh_persist(sslh_from_ints(s->c, sslh_dim1(N), first)));
}

static void mlp_new(step *s) {
    s->net[0] = step_mlp(s, 784, 500, 10);
    s->x = step_images(s, sslh_dim2(100, 784), 1);
    step_labels(s, 100, 10, 1);
    step_optimizer(s, SSLH_ADAMW, 1e-3f, 0, 0.01f);
}
static sslh_tensor *mlp_loss(step *s) { return sslh_cross_entropy(s->c, sslh_forward(s->net[0], s->x), s->labels); }

/* Scores of 16,000 words from rows of 128 features, and the loss of the right one, with the gradients of features and
   table but without an update: what a language model does last. */
static void words_new(step *s, int rows) {
    sslh_net_desc d;
    memset(&d, 0, sizeof d);
    s->net[0] = sslh_net_new(s->c, d);
    sslh_param_new(s->net[0], "features", sslh_dim2(rows, 128), SSLH_INIT_NORMAL, 1);
    sslh_param_new(s->net[0], "table", sslh_dim2(16000, 128), SSLH_INIT_NORMAL, 1);
    s->labels = step_tokens(s, rows, 0, 16000);
}
static void words_512_new(step *s) { words_new(s, 512); }
static void words_2048_new(step *s) { words_new(s, 2048); } /* too many scores to be kept for the backward pass */
static sslh_tensor *words_loss(step *s) {
    sslh_zero_grad(s->net[0]); /* no update does it */
    return sslh_linear_cross_entropy(s->c, sslh_param(s->net[0], 0), sslh_param(s->net[0], 1), NULL, s->labels, -1);
}

/* count: samples of one step (a SimCLR image is two views, a RotNet image four). flop of one sample: two for each
   multiply-add of convolutions, linear layers, recurrences and attention, forward and both gradients, less the gradient
   of the input. A row whose name begins with loss/ is a loss and its gradients, without an update. */
static const struct {
    const char *name;
    void (*make)(step *);
    sslh_tensor *(*loss)(step *);
    int         count;
    const char *unit;
    double      flop;
    int         quick;
} steps[] = {
    {"step/simclr_small", simclr_small_new, simclr_loss, 128, "images/s", 45.416448e6, 1},
    {"step/rotnet_small", rotnet_new, rotnet_loss, 128, "images/s", 88.498176e6, 0},
    {"step/moco_small", moco_new, method_loss, 128, "images/s", 32.52224e6, 1},
    {"step/jigsaw_small", jigsaw_new, method_loss, 128, "images/s", 31.770624e6, 1},
    {"step/colorization", colorization_new, method_loss, 128, "images/s", 98.05824e6, 0},
    /* here the pretext methods that come later: a row, its function or two above, its step in torch_steps.py
       and its title in docs/bench_table.awk */
    {"step/mae_vit_tiny", mae_new, mae_loss, 64, "images/s", 747.477504e6, 1},
    {"step/vae_mlp", vae_new, method_loss, 128, "images/s", 3.28e6, 1},
    {"step/cpc_audio", cpc_new, cpc_loss, 16, "sounds/s", 1226.227712e6, 0}, /* the mean over t */
    {"step/cpc_method", cpc_method_new, cpc_method_loss, 8, "sounds/s", 1549.538816e6, 1},
    {"step/simclr_resnet18", simclr_resnet_new, simclr_loss, 64, "images/s", 6661.865472e6, 0},
    {"step/gpt_small", gpt_new, method_loss, 12, "texts/s", 317.964288e6, 0}, /* causal: half of the pairs */
    {"step/bert_small", bert_new, method_loss, 32, "texts/s", 383.336448e6, 0},
    {"step/mlp_784_500_10", mlp_new, mlp_loss, 100, "images/s", 1.598e6, 0},
    {"loss/linear_cross_entropy/512x128x16000", words_512_new, words_loss, 512, "rows/s", 12.288e6, 0},
    {"loss/linear_cross_entropy/2048x128x16000", words_2048_new, words_loss, 2048, "rows/s", 12.288e6, 0},
};
#define STEPS ((int)(sizeof steps / sizeof *steps))

/* A child: "NAME N" on standard input runs N steps, as in torch_steps.py. To look into a step: echo "step/vae_mlp 1000"
   | perf record build/bench/bench --threads 1 --serve */
static int serve_steps(int threads) {
    char line[256], name[200];
    int n, made = -1;
    step s;
    while (fgets(line, sizeof line, stdin)) {
        int which = 0;
        if (sscanf(line, "%199s %d", name, &n) != 2) return 2;
        while (which < STEPS && strcmp(steps[which].name, name)) which++;
        if (which == STEPS || (made >= 0 && made != which)) { /* one a child: its memory is measured */
            printf("skipped\n");
            fflush(stdout);
            continue;
        }
        if (made < 0) {
            memset(&s, 0, sizeof s);
            s.c = make_ctx(threads);
            steps[which].make(&s);
        }
        double wall = bench_wall(), cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = made < 0 ? -3 : 0; i < n && !sslh_error(s.c); i++) {
            if (i == 0) wall = bench_wall(), cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
            sslh_begin_step(s.c);
            sslh_backward(s.c, steps[which].loss(&s));
            if (s.m.grads) s.m.grads(&s.m, 0); /* as sslh_method_step: MoCo's queue */
            if (s.o) sslh_optimizer_step(s.o, s.lr);
            if (s.m.after) s.m.after(&s.m); /* MoCo's key encoder */
        }
        made = which;
        wall = bench_wall() - wall;
        cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        if (sslh_error(s.c)) {
            fprintf(stderr, "%s: %s\n", name, sslh_error(s.c));
            printf("skipped\n");
        } else {
            printf("%.9f %.9f %ld\n", wall, cpu, bench_peak_memory());
        }
        fflush(stdout);
    }
    if (made >= 0) sslh_destroy(s.c);
    return 0;
}

/* This program with --serve. */
static int start_serving(bench_child *b, int threads) {
    /* it starts a thread on being loaded */
    char count[16], *argv[8], *alone[3] = {(char *)"OPENBLAS_NUM_THREADS", (char *)"1", NULL};
    int n = 0;
    snprintf(count, sizeof count, "%d", threads);
    argv[n++] = (char *)bench.self;
    argv[n++] = (char *)"--serve";
    argv[n++] = (char *)"--threads";
    argv[n++] = count;
    if (bench.bfloat16) argv[n++] = (char *)"--bfloat16";
    if (bench.cpu) {
        argv[n++] = (char *)"--cpu";
        argv[n++] = (char *)bench.cpu;
    }
    argv[n] = NULL;
    return bench_start(b, threads, argv, alone);
}

static void step_cases(void) {
    for (int i = 0; i < 2 * STEPS; i++) {
        const int which = i / 2, threads = bench.threads[i % 2];
        bench_child ours, torch, plain;
        bench_side side[BENCH_SIDES];
        char more[128];
        int sides = 1;
        if (!threads || (bench.quick && !steps[which].quick) || !bench_wanted(steps[which].name)) continue;
        memset(side, 0, sizeof side);
        memset(&torch, 0, sizeof torch);
        memset(&plain, 0, sizeof plain);
        if (!start_serving(&ours, threads)) return;
        side[0].run = side[1].run = side[2].run = bench_child_run;
        side[0].self = &ours;
        if (bench_start_torch(&torch, threads, 0)) {
            side[sides].name = "pytorch";
            side[sides++].self = &torch;
        }
        if (!bench.quick && bench_start_torch(&plain, threads, 1)) { /* PyTorch as it comes, for comparison */
            side[sides].name = "pytorch_untuned";
            side[sides++].self = &plain;
        }
        ours.ask = torch.ask = plain.ask = steps[which].name;
        bench_measure(side, sides, threads, bench.quick ? 0.1 : 0.3, bench.quick ? 3 : 7, bench.quick ? 0.4 : 2.0);
        snprintf(more, sizeof more, "rss=%.0fMB", ours.rss / 1024);
        if (torch.rss > 0)
            snprintf(more + strlen(more), sizeof more - strlen(more), " peer_rss=%.0fMB", torch.rss / 1024);
        if (plain.rss > 0)
            snprintf(more + strlen(more), sizeof more - strlen(more), " untuned_rss=%.0fMB", plain.rss / 1024);
        bench_line(steps[which].name, steps[which].name[0] == 's' ? "step" : "loss", threads, side, sides,
                   steps[which].count, 1, bench_limit[threads].gflops * 1e9 / steps[which].flop, steps[which].unit,
                   more);
        bench_stop(&ours), bench_stop(&torch), bench_stop(&plain);
    }
    /* Two threads, one thread, two processes of one thread side by side, in turn, by wall-clock: what the second thread
       brings, and what the second processor of this machine could bring to programs that share nothing but caches and
       memory. */
    for (int which = 0; which < STEPS && bench.threads[1] && !bench.quick; which++) {
        bench_child ours[4]; /* two threads; one; the pair */
        bench_side side[BENCH_SIDES];
        char name[128], more[96];
        snprintf(name, sizeof name, "step/scaling/%s", steps[which].name + strlen("step/"));
        if (strncmp(steps[which].name, "step/", 5) || !bench_wanted(name)) continue;
        memset(ours, 0, sizeof ours);
        memset(side, 0, sizeof side);
        for (int i = 0; i < 4; i++) {
            if (!start_serving(&ours[i], bench.threads[i == 0])) return;
            ours[i].threads = bench.threads[1]; /* wall-clock */
            ours[i].ask = steps[which].name;
            side[i].run = i < 2 ? bench_child_run : bench_pair_run;
            side[i].self = &ours[i];
        }
        side[1].name = "one_thread";
        side[2].name = "two_processes";
        const double line = bench_pass_ns(bench_ctx[1]);
        bench_measure(side, 3, bench.threads[1], 0.3, 9, 2.0);
        snprintf(more, sizeof more, "two_processes=%.0f limit=%.2f line=%.0fns",
                 side[2].median > 0 ? steps[which].count / side[2].median : 0,
                 side[2].median > 0 ? side[1].median / side[2].median : 0, line);
        bench_line(name, "step/scaling", bench.threads[1], side, 2, steps[which].count, 1,
                   side[2].median > 0 ? steps[which].count / side[2].median : 0, steps[which].unit, more);
        if (side[2].median > 0 && side[0].median > 0)
            bench_ratio("step/scaling_of_two_processes", bench.threads[1], name, side[2].median / side[0].median);
        for (int i = 0; i < 4; i++) bench_stop(&ours[i]);
    }
}

/* ================================================================================================================== */
/*  augment/                                                                                                          */
/* ================================================================================================================== */
/* SimCLR's recipe with blur on 64 images: crop 0.2-1 (bilinear, antialiased), flip, jitter 0.4 0.4 0.4 0.1, grey, blur,
   normalise. torchvision's run is 8 views by the faster of PIL and tensors, in as many processes as threads. */
static const struct { const char *name; int size, height, width, blur, quick; } augments[] = {
    {"augment/simclr_32", 32, 32, 32, 3, 1},
    {"augment/simclr_224", 224, 375, 500, 23, 0},
};
static uint8_t *augment_pixels(size_t n, size_t h, size_t w) { /* (n,h,w,3): waves and noise */
    const size_t count = n * h * w * 3;
    uint8_t *pixels = (uint8_t *)malloc(count);
    for (size_t j = 0; pixels && j < count; j++) {
        const double x = (double)(j / 3 % w), y = (double)(j / 3 / w % h);
        pixels[j] = (uint8_t)(128 + 90 * sin(x / 9 + (double)(j % 3)) * cos(y / 7) +
                              (double)((uint32_t)(j * 2654435761u) >> 27));
    }
    return pixels;
}
static sslh_recipe augment_recipe(int size, int blur) {
    sslh_recipe r;
    memset(&r, 0, sizeof r);
    r.crop_min = 0.2f;
    r.bilinear = 1;
    r.height = r.width = size;
    r.flip = r.blur = 0.5f;
    r.jitter = 0.8f;
    r.brightness = r.contrast = r.saturation = 0.4f;
    r.hue = 0.1f;
    r.grey = 0.2f;
    r.blur_kernel = blur;
    for (int k = 0; k < 3; k++) r.mean[k] = 0.5f, r.std[k] = 0.25f;
    return r;
}

typedef struct augment { sslh_ctx *c; int threads; sslh_recipe r; sslh_batch b; } augment;
static double augment_run(void *self, int n) {
    augment *p = (augment *)self;
    const double t = bench_now(p->threads);
    for (int i = 0; i < n; i++) {
        sslh_begin_step(p->c);
        p->b.epoch++;
        sslh_views(p->c, p->b, p->r, 0);
        if (sslh_error(p->c)) return -1;
    }
    return bench_now(p->threads) - t;
}
static void augment_cases(void) {
    for (int i = 0; i < 4; i++) {
        const int which = i / 2, threads = bench.threads[i % 2], h = augments[which].height, w = augments[which].width;
        augment p;
        bench_child torch;
        bench_side side[BENCH_SIDES];
        int32_t index[64];
        if (!threads || (bench.quick && !augments[which].quick) || !bench_wanted(augments[which].name)) continue;
        uint8_t *pixels = augment_pixels(64, (size_t)h, (size_t)w);
        if (!pixels) return;
        memset(&p, 0, sizeof p);
        memset(side, 0, sizeof side);
        p.c = make_ctx(threads);
        p.threads = threads;
        p.r = augment_recipe(augments[which].size, augments[which].blur);
        for (int k = 0; k < 64; k++) index[k] = k;
        p.b.data = sslh_data_from_images(p.c, pixels, 64, h, w, 3, NULL);
        p.b.count = 64;
        p.b.index = index;
        side[0].run = augment_run;
        side[0].self = &p;
        side[1].name = "torchvision";
        side[1].run = bench_child_run;
        side[1].self = &torch;
        const int sides = bench_start_torch(&torch, threads, 0) ? 2 : 1;
        torch.ask = augments[which].name;
        bench_measure(side, sides, threads, bench.quick ? 0.1 : 0.2, bench.quick ? 3 : 7, bench.quick ? 0.2 : 0.5);
        side[1].median *= 64.0 / (8.0 * threads);
        bench_line(augments[which].name, "augment", threads, side, sides, 64, 1, 0, "views/s", NULL);
        if (sslh_error(p.c)) fprintf(stderr, "%s: %s\n", augments[which].name, sslh_error(p.c));
        bench_stop(&torch);
        sslh_destroy(p.c);
        free(pixels);
    }
}

/* What making views costs a training: steps of step/simclr_small whose 256 views are made ahead by waiting threads
   (ours), the same on views that are kept (what is possible), and with views made when they are asked for. */
typedef struct fed { step s; int threads, kept, no_ahead; sslh_recipe r; sslh_loader *loader; } fed;
static double fed_run(void *self, int n) {
    fed *p = (fed *)self;
    sslh_tensor *kept = p->s.x;
    const double t = bench_now(p->threads);
    for (int i = 0; i < n && !sslh_error(p->s.c); i++) {
        sslh_batch b;
        sslh_next_batch(p->loader, &b);
        if (!p->kept) {
            sslh_tensor *v[2];
            for (int k = 0; k < 2; k++) v[k] = sslh_views(p->s.c, b, p->r, k);
            p->s.x = sslh_concat(p->s.c, v, 2, 0);
        }
        sslh_backward(p->s.c, simclr_loss(&p->s));
        sslh_optimizer_step(p->s.o, p->s.lr);
        p->s.x = kept;
    }
    return sslh_error(p->s.c) ? -1 : bench_now(p->threads) - t;
}
static void fed_case(int threads) {
    static const char *const name = "augment/in_simclr_step";
    fed p[3];
    bench_side side[BENCH_SIDES];
    uint8_t *pixels = augment_pixels(1024, 32, 32);
    memset(p, 0, sizeof p);
    memset(side, 0, sizeof side);
    for (int i = 0; i < 3; i++) {
        sslh_loader_desc d;
        memset(&d, 0, sizeof d);
        d.batch = 128;
        d.epochs = SSLH_OFF;
        d.no_ahead = i == 2;
        p[i].s.c = make_ctx(threads);
        simclr_small_new(&p[i].s);
        p[i].threads = threads;
        p[i].kept = i == 1;
        p[i].r = augment_recipe(32, 3);
        p[i].loader = sslh_loader_new(p[i].s.c, sslh_data_from_images(p[i].s.c, pixels, 1024, 32, 32, 3, NULL), d);
        side[i].run = fed_run;
        side[i].self = &p[i];
    }
    side[1].name = "kept_views";
    side[2].name = "made_when_asked";
    if (pixels) bench_measure(side, 3, threads, 0.3, 9, 2.0);
    if (pixels) bench_line(name, NULL, threads, side, 3, 128, 1, 0, "images/s", NULL);
    for (int i = 0; i < 3; i++) {
        if (sslh_error(p[i].s.c)) fprintf(stderr, "%s: %s\n", name, sslh_error(p[i].s.c));
        sslh_destroy(p[i].s.c);
    }
    free(pixels);
}
