/* Attention, matrix products and recurrences: what holds for every size and no recorded value tells. Values and
   gradients against PyTorch, gradient checks, threads and instruction sets are in the table of tests/ops.c. */
#include "../ssl.h"
#include "harness.h"

static sslh_ctx *create(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    d.seed = 9;
    return sslh_create(d);
}
static int same(const sslh_tensor *a, const sslh_tensor *b) {
    return a->count == b->count && memcmp(a->data, b->data, a->count * sizeof *a->data) == 0;
}
static int same_grad(const sslh_tensor *a, const sslh_tensor *b) {
    return a->grad && b->grad && a->count == b->count && memcmp(a->grad, b->grad, a->count * sizeof *a->grad) == 0;
}
static int all_finite(const sslh_real *x, size_t n) {
    size_t i;
    for (i = 0; i < n; i++) if (!(fabs((double)x[i]) < 1e30)) return 0;
    return 1;
}
/* A random tensor that wants a gradient; the same number gives the same values. */
static sslh_tensor *some(sslh_ctx *c, sslh_shape shape, uint64_t number) {
    static float v[1 << 16];
    size_t i, n = 1;
    int d;
    for (d = 0; d < shape.ndim; d++) n *= (size_t)shape.size[d];
    for (i = 0; i < n; i++) v[i] = 2 * sslh_random_uniform(3, number, i) - 1;
    return sslh_requires_grad(sslh_from(c, shape, v));
}
/* A scalar that depends on every value of y in a way of its own. */
static void back(sslh_ctx *c, sslh_tensor *y) {
    sslh_backward(c, sslh_sum(c, sslh_mul(c, y, sslh_detach(c, some(c, sslh_shape_of(y), 77))), SSLH_ALL, 0));
}

/* --- attention ---------------------------------------------------------------------------------------------------- */

enum { N = 3, TQ = 50, TK = 50, HEADS = 2, WIDTH = 12 };
typedef struct attend_run { sslh_tensor *q, *k, *v, *y; } attend_run;
static attend_run attend(sslh_ctx *c, sslh_attention_desc d) {
    attend_run r;
    d.heads = HEADS;
    r.q = some(c, sslh_dim3(N, TQ, WIDTH), 1);
    r.k = some(c, sslh_dim3(N, TK, WIDTH), 2);
    r.v = some(c, sslh_dim3(N, TK, WIDTH), 3);
    r.y = sslh_keep(sslh_attention(c, r.q, r.k, r.v, d));
    back(c, r.y);
    CHECK_OK(c);
    return r;
}
static void same_attention(const attend_run *a, const attend_run *b, const char *what) {
    CHECK(same(a->y, b->y), "%s: values", what);
    CHECK(same_grad(a->q, b->q) && same_grad(a->k, b->k) && same_grad(a->v, b->v), "%s: gradients", what);
}
static sslh_attention_desc attention(void) {
    sslh_attention_desc d;
    memset(&d, 0, sizeof d);
    return d;
}
/* The bias alone needs a gradient (positions that are trained in front of a frozen net): of one tensor with q, k and v
   it is the same as of three. */
static void bias_alone(void) {
    sslh_ctx *c = create(1);
    sslh_tensor *qkv = sslh_detach(c, some(c, sslh_dim3(2, 7, 12), 5)), *bias[2];
    int i;
    for (i = 0; i < 2; i++) {
        sslh_attention_desc d = attention();
        d.heads = 2;
        d.bias = bias[i] = some(c, sslh_dim3(2, 7, 7), 6);
        back(c, i ? sslh_attention(c, sslh_slice(c, qkv, 2, 0, 4), sslh_slice(c, qkv, 2, 4, 8),
                                   sslh_slice(c, qkv, 2, 8, 12), d) : sslh_self_attention(c, qkv, d));
        CHECK_OK(c);
    }
    CHECK(same_grad(bias[0], bias[1]), "the gradient of the bias");
    CHECK(qkv->grad == NULL, "no other gradient");
    sslh_destroy(c);
}

/* One thing said in two ways has the same bits. */
static void ways_to_mask(void) {
    static uint8_t bytes[N * HEADS * TQ * TK];
    static float minus[TQ * TK];
    sslh_ctx *c = create(2);
    sslh_attention_desc d = attention(), e = attention();
    attend_run a, b;
    int n, q, k;
    a = attend(c, d);
    d.bias = sslh_zeros(c, sslh_dim2(TQ, TK));
    d.mask = sslh_from_bytes(c, sslh_dim1(1), bytes);
    b = attend(c, d);
    same_attention(&a, &b, "a bias of zeros, a mask of zeros");
    /* padded keys */
    for (n = 0; n < N; n++) for (k = 0; k < TK; k++) bytes[n * TK + k] = k % 3 == n;
    d = attention();
    d.key_mask = sslh_from_bytes(c, sslh_dim2(N, TK), bytes);
    e.mask = sslh_from_bytes(c, sslh_dim4(N, 1, 1, TK), bytes);
    a = attend(c, d), b = attend(c, e);
    same_attention(&a, &b, "a mask of keys");
    /* later tokens */
    for (q = 0; q < TQ; q++)
        for (k = 0; k < TK; k++) bytes[q * TK + k] = k > q, minus[q * TK + k] = k > q ? (float)-HUGE_VAL : 0.0f;
    d = attention(), e = attention();
    d.causal = 1;
    e.mask = sslh_from_bytes(c, sslh_dim2(TQ, TK), bytes);
    a = attend(c, d), b = attend(c, e);
    same_attention(&a, &b, "a causal mask");
    e = attention();
    e.bias = sslh_requires_grad(sslh_from(c, sslh_dim2(TQ, TK), minus));
    b = attend(c, e);
    same_attention(&a, &b, "minus infinity as a bias, all samples of a head in one task");
    CHECK(all_finite(e.bias->grad, e.bias->count), "its gradient");
    for (q = 0; q < TQ; q++)
        for (k = q + 1; k < TK; k++)
            CHECK(e.bias->grad[q * TK + k] == 0, "gradient at a masked place: %g", (double)e.bias->grad[q * TK + k]);
    sslh_destroy(c);
}

/* A query that sees nothing: zeros, no gradient, no NaN; whatever masks it. */
static void queries_that_see_nothing(void) {
    static uint8_t bytes[TQ * TK];
    static float minus[TQ * TK];
    sslh_ctx *c = create(2);
    int way, q, k;
    for (k = 0; k < TK; k++) bytes[7 * TK + k] = 1, minus[7 * TK + k] = (float)-HUGE_VAL;
    for (way = 0; way < 2; way++) {
        sslh_attention_desc d = attention();
        sslh_tensor *weights = NULL;
        attend_run a;
        size_t i;
        sslh_begin_step(c);
        if (way == 0) d.mask = sslh_from_bytes(c, sslh_dim2(TQ, TK), bytes), d.bias = some(c, sslh_dim2(TQ, 1), 4);
        else d.bias = sslh_requires_grad(sslh_from(c, sslh_dim2(TQ, TK), minus));
        d.weights = &weights;
        a = attend(c, d);
        for (i = 0; i < WIDTH; i++)
            CHECK(a.y->data[7 * WIDTH + i] == 0 && a.q->grad[7 * WIDTH + i] == 0,
                  "value %g, gradient %g", (double)a.y->data[7 * WIDTH + i], (double)a.q->grad[7 * WIDTH + i]);
        for (q = 0; q < TQ; q++) CHECK(fabs((double)a.y->data[q * WIDTH]) > 0 || q == 7, "query %d is zero", q);
        CHECK(all_finite(a.y->data, a.y->count) && all_finite(a.k->grad, a.k->count), "finite");
        CHECK(all_finite(a.v->grad, a.v->count), "finite");
        CHECK(all_finite(d.bias->grad, d.bias->count), "gradient of the bias");
    }
    sslh_destroy(c);
}

/* One tensor in several places: gradients add up. */
static void one_tensor_as_everything(void) {
    sslh_ctx *c = create(1);
    sslh_tensor *x = some(c, sslh_dim3(4, 4, 4), 1), *y[4], *z;
    sslh_attention_desc d = attention();
    size_t i;
    int k;
    d.bias = x; /* (heads,Tq,Tk) */
    d.heads = 4;
    back(c, sslh_attention(c, x, x, x, d));
    for (k = 0; k < 4; k++) y[k] = some(c, sslh_dim3(4, 4, 4), 1);
    d.bias = y[3];
    z = sslh_attention(c, y[0], y[1], y[2], d);
    back(c, z);
    CHECK_OK(c);
    for (i = 0; i < x->count; i++)
        CHECK_NEAR(x->grad[i], y[0]->grad[i] + y[1]->grad[i] + y[2]->grad[i] + y[3]->grad[i], 1e-6);
    sslh_destroy(c);
}

static void attention_errors(void) {
    static uint8_t bytes[64];
    sslh_ctx *c = create(1), *other = create(1);
    sslh_tensor *q = sslh_persist(some(c, sslh_dim3(2, 3, 4), 1)), *k = sslh_persist(some(c, sslh_dim3(2, 5, 4), 2)),
                *v = sslh_persist(some(c, sslh_dim3(2, 5, 6), 3)); /* an error gives back what operations made */
    sslh_attention_desc d = attention();
    d.heads = 2;
    CHECK(sslh_attention(c, q, k, v, d)->shape[2] == 6, "values of another width");
    CHECK_OK(c);
#define WRONG(field, value, text)                                                                                      \
    do {                                                                                                               \
        d = attention();                                                                                               \
        d.heads = 2;                                                                                                   \
        d.field = value;                                                                                               \
        CHECK(sslh_attention(c, q, k, v, d)->count == 1, "a dummy");                                                   \
        CHECK_ERROR(c, text);                                                                                          \
    } while (0)
    WRONG(heads, 4, "4 heads do not divide the widths 4 and 6");
    WRONG(bias, sslh_zeros(c, sslh_dim2(3, 4)),
          "bias (3,4): a real tensor that broadcasts to (2,2,3,5), samples, heads, queries, keys");
    WRONG(bias, sslh_zeros(c, sslh_dim5(1, 2, 2, 3, 5)), "bias (1,2,2,3,5)");
    WRONG(bias, sslh_from_bytes(c, sslh_dim2(3, 5), bytes), "a real tensor");
    WRONG(mask, sslh_from_bytes(c, sslh_dim3(3, 3, 5), bytes),
          "mask (3,3,5): an 8-bit tensor that broadcasts to (2,2,3,5)");
    WRONG(mask, sslh_zeros(c, sslh_dim2(3, 5)), "an 8-bit tensor");
    WRONG(key_mask, sslh_from_bytes(c, sslh_dim2(3, 5), bytes), "key_mask (3,5)");
    WRONG(bias, sslh_zeros(other, sslh_dim2(3, 5)), "another context");
    WRONG(scale, -1, ".scale is -1 (1e-6 to 1e6)");
    WRONG(scale, 1e-10f, ".scale is 1e-10 (1e-6 to 1e6)"); /* later keys would be seen in spite of .causal */
    WRONG(scale, (float)INFINITY, ".scale is Inf");
    CHECK(sslh_attention(c, q, k, some(c, sslh_dim3(2, 4, 6), 3), attention())->count == 1, "a dummy");
    CHECK_ERROR(c, "(N,Tq,D), (N,Tk,D) and (N,Tk,Dv) are needed");
    CHECK_OK(other);
    sslh_destroy(other);
    sslh_destroy(c);
}

/* Products of bfloat16 take another way through a head; widths of q and v that are not whole vectors. */
static void attention_in_bfloat16(void) {
    static const int width[3][2] = {{40, 40}, {33, 51}, {64, 32}};
    sslh_ctx *c[2];
    sslh_desc d;
    sslh_tensor *t[2][6];
    uint8_t *mask = (uint8_t *)calloc(61 * 53, 1);
    size_t i;
    int k, w, j;
    if (sizeof(sslh_real) == 8) { /* an error of sslh_create there */
        free(mask);
        return;
    }
    for (i = 0; i < 61 * 53; i++) mask[i] = i % 5 == 0;
    for (w = 0; w < 3; w++) {
        for (k = 0; k < 2; k++) {
            sslh_attention_desc a = attention();
            memset(&d, 0, sizeof d);
            d.threads = 2, d.bfloat16 = k;
            c[k] = sslh_create(d);
            t[k][0] = some(c[k], sslh_dim3(2, 61, 2 * width[w][0]), 1),
            t[k][1] = some(c[k], sslh_dim3(2, 53, 2 * width[w][0]), 2);
            t[k][2] = some(c[k], sslh_dim3(2, 53, 2 * width[w][1]), 3), t[k][3] = some(c[k], sslh_dim3(2, 61, 53), 4);
            a.heads = 2, a.bias = t[k][3], a.mask = sslh_from_bytes(c[k], sslh_dim2(61, 53), mask);
            t[k][4] = sslh_keep(sslh_attention(c[k], t[k][0], t[k][1], t[k][2], a));
            back(c[k], t[k][4]);
            CHECK_OK(c[k]);
        }
        for (j = 0; j < 5; j++) {
            double far_ = 0, size = 0;
            for (i = 0; i < t[0][j]->count; i++) {
                double x = (double)(j == 4 ? t[0][j]->data[i] : t[0][j]->grad[i]);
                double y = (double)(j == 4 ? t[1][j]->data[i] : t[1][j]->grad[i]);
                far_ += (x - y) * (x - y), size += x * x;
            }
            CHECK(far_ > 0 && sqrt(far_ / size) < 8e-3,
                  "widths %d and %d, array %d: distance %g", width[w][0], width[w][1], j, sqrt(far_ / size));
        }
        for (k = 0; k < 2; k++) sslh_destroy(c[k]);
    }
    free(mask);
}

/* --- matrix products ---------------------------------------------------------------------------------------------- */

/* A broadcast product is the product of the repeated operands, bit for bit; gradients are their sums. */
static void products_broadcast(void) {
    static const struct { int a[4], b[4]; } s[] = {
        {{2, 1, 3, 4}, {1, 5, 4, 6}}, {{2, 5, 3, 4}, {1, 1, 4, 6}}, {{1, 1, 3, 4}, {2, 5, 4, 6}},
        {{2, 5, 3, 4}, {2, 1, 4, 6}}, {{2, 1, 3, 4}, {2, 5, 4, 6}}, {{1, 5, 3, 4}, {2, 1, 4, 6}}};
    sslh_ctx *c = create(2);
    int i, t;
    for (i = 0; i < (int)(sizeof s / sizeof s[0]); i++) {
        for (t = 0; t < 4; t++) {
            const int *p = s[i].a, *q = s[i].b;
            sslh_shape sa = t & 1 ? sslh_dim4(p[0], p[1], p[3], p[2]) : sslh_dim4(p[0], p[1], p[2], p[3]);
            sslh_shape sb = t & 2 ? sslh_dim4(q[0], q[1], q[3], q[2]) : sslh_dim4(q[0], q[1], q[2], q[3]);
            sslh_shape fa = sa, fb = sb;
            sslh_tensor *a[2], *b[2], *y[2];
            int k;
            size_t j;
            fa.size[0] = fb.size[0] = 2, fa.size[1] = fb.size[1] = 5;
            sslh_begin_step(c);
            for (k = 0; k < 2; k++) {
                a[k] = some(c, sa, 1), b[k] = some(c, sb, 2);
                sslh_tensor *l = k ? sslh_broadcast(c, a[k], fa) : a[k], *r = k ? sslh_broadcast(c, b[k], fb) : b[k];
                y[k] = sslh_keep(sslh_matmul_ex(c, l, r, t & 1, t >> 1));
                back(c, y[k]);
            }
            CHECK_OK(c);
            CHECK(y[0]->ndim == 4 && y[0]->shape[0] == 2 && y[0]->shape[1] == 5 && y[0]->shape[2] == 3 &&
                      y[0]->shape[3] == 6,
                  "shape");
            CHECK(same(y[0], y[1]), "case %d, transposed %d: values", i, t);
            for (j = 0; j < a[0]->count; j++) CHECK_NEAR(a[0]->grad[j], a[1]->grad[j], 1e-5);
            for (j = 0; j < b[0]->count; j++) CHECK_NEAR(b[0]->grad[j], b[1]->grad[j], 1e-5);
        }
    }
    sslh_matmul(c, some(c, sslh_dim4(2, 2, 3, 4), 1), some(c, sslh_dim3(3, 4, 5), 2));
    CHECK_ERROR(c, "sslh_matmul: (2,2,3,4) x (3,4,5): the leading axes do not broadcast: 2 and 3 meet");
    sslh_destroy(c);
}

/* --- recurrences -------------------------------------------------------------------------------------------------- */

enum { RN = 30, RT = 9, RI = 5, RD = 7 }; /* more samples than a task takes */
typedef struct recurrent_run { sslh_tensor *x, *w[4], *h0, *c0, *y, *h, *c; } recurrent_run;
static sslh_tensor *recurrence(sslh_ctx *c, int lstm, sslh_tensor *x, sslh_tensor *const *w, sslh_recurrent_desc d) {
    return lstm ? sslh_lstm(c, x, w[0], w[1], w[2], w[3], d) : sslh_gru_ex(c, x, w[0], w[1], w[2], w[3], d);
}
/* Weights and starts by number; x is given. all: a loss over states and last ones. */
static recurrent_run recur(sslh_ctx *c, int lstm, sslh_tensor *x, sslh_recurrent_desc d) {
    recurrent_run r;
    int n = x->shape[0], g = lstm ? 4 : 3;
    memset(&r, 0, sizeof r);
    r.x = x;
    r.w[0] = some(c, sslh_dim2(g * RD, RI), 11), r.w[1] = some(c, sslh_dim2(g * RD, RD), 12);
    r.w[2] = some(c, sslh_dim1(g * RD), 13), r.w[3] = some(c, sslh_dim1(g * RD), 14);
    d.h0 = r.h0 = some(c, sslh_dim2(n, RD), 15);
    if (lstm) d.c0 = r.c0 = some(c, sslh_dim2(n, RD), 16), d.c_last = &r.c;
    d.h_last = &r.h;
    r.y = sslh_keep(recurrence(c, lstm, x, r.w, d));
    sslh_keep(r.h);
    if (lstm) sslh_keep(r.c);
    {
        sslh_tensor *weighted = sslh_mul(c, r.y, sslh_detach(c, some(c, sslh_shape_of(r.y), 17)));
        sslh_tensor *sum = sslh_add(c, sslh_sum(c, weighted, SSLH_ALL, 0), sslh_sum(c, r.h, SSLH_ALL, 0));
        if (lstm) sum = sslh_add(c, sum, sslh_sum(c, r.c, SSLH_ALL, 0));
        sslh_backward(c, sum);
    }
    CHECK_OK(c);
    return r;
}
static void same_recurrence(const recurrent_run *a, const recurrent_run *b, const char *what) {
    int k;
    CHECK(same(a->y, b->y) && same(a->h, b->h), "%s: states", what);
    CHECK(same_grad(a->x, b->x) && same_grad(a->h0, b->h0), "%s: gradients of x and h0", what);
    for (k = 0; k < 4; k++) CHECK(same_grad(a->w[k], b->w[k]), "%s: gradient of weight %d", what, k);
    if (a->c) CHECK(same(a->c, b->c) && same_grad(a->c0, b->c0), "%s: cells", what);
}
static int32_t lengths[RN];
static void draw_lengths(void) {
    int n;
    for (n = 0; n < RN; n++) lengths[n] = 1 + (int32_t)sslh_random_below(4, 5, (uint64_t)n, RT);
    lengths[3] = RT, lengths[4] = 1;
}
static sslh_recurrent_desc start(void) {
    sslh_recurrent_desc d;
    memset(&d, 0, sizeof d);
    return d;
}

static void lengths_of_samples(void) {
    sslh_ctx *c = create(3);
    int lstm, reverse, n, t, k;
    size_t i;
    draw_lengths();
    for (lstm = 0; lstm < 2; lstm++) {
        for (reverse = 0; reverse < 2; reverse++) {
            sslh_recurrent_desc d = start();
            recurrent_run a, b;
            int32_t full[RN];
            sslh_begin_step(c);
            d.reverse = reverse;
            for (n = 0; n < RN; n++) full[n] = RT;
            a = recur(c, lstm, some(c, sslh_dim3(RN, RT, RI), 10), d);
            d.lengths = sslh_from_ints(c, sslh_dim1(RN), full);
            b = recur(c, lstm, some(c, sslh_dim3(RN, RT, RI), 10), d);
            same_recurrence(&a, &b, "lengths of T");
            /* what stands behind a length is not read, whatever it is; states and gradients there are 0 */
            d.lengths = sslh_from_ints(c, sslh_dim1(RN), lengths);
            a = recur(c, lstm, some(c, sslh_dim3(RN, RT, RI), 10), d);
            b.x = some(c, sslh_dim3(RN, RT, RI), 10);
            for (n = 0; n < RN; n++)
                for (t = lengths[n]; t < RT; t++)
                    for (k = 0; k < RI; k++)
                        b.x->data[(n * RT + t) * RI + k] = (sslh_real)(k % 2 ? HUGE_VAL : strtod("nan", NULL));
            b = recur(c, lstm, b.x, d);
            same_recurrence(&a, &b, "NaN and Inf in the padding");
            for (n = 0; n < RN; n++) {
                for (t = lengths[n]; t < RT; t++) {
                    for (k = 0; k < RD; k++) CHECK(a.y->data[(n * RT + t) * RD + k] == 0, "sample %d, time %d", n, t);
                    for (k = 0; k < RI; k++)
                        CHECK(a.x->grad[(n * RT + t) * RI + k] == 0, "sample %d, time %d: gradient", n, t);
                }
                for (k = 0; k < RD; k++)
                    CHECK(a.h->data[n * RD + k] == a.y->data[(n * RT + (reverse ? 0 : lengths[n] - 1)) * RD + k],
                          "last state of sample %d", n);
            }
            /* a sample has the same states alone as among others */
            for (n = 0; n < RN; n += 7) {
                sslh_recurrent_desc one = start();
                sslh_tensor *last, *y, *x = sslh_slice(c, some(c, sslh_dim3(RN, RT, RI), 10), 0, n, n + 1);
                x = sslh_slice(c, x, 1, 0, lengths[n]);
                one.reverse = reverse;
                one.h0 = sslh_slice(c, some(c, sslh_dim2(RN, RD), 15), 0, n, n + 1);
                if (lstm) one.c0 = sslh_slice(c, some(c, sslh_dim2(RN, RD), 16), 0, n, n + 1);
                one.h_last = &last;
                y = recurrence(c, lstm, x, a.w, one);
                CHECK_OK(c);
                for (i = 0; i < y->count; i++)
                    CHECK(y->data[i] == a.y->data[(size_t)(n * RT * RD) + i], "sample %d alone", n);
                for (i = 0; i < last->count; i++)
                    CHECK(last->data[i] == a.h->data[(size_t)(n * RD) + i], "sample %d alone: last", n);
            }
        }
    }
    sslh_destroy(c);
}

/* In reverse is the same as over the reversed input; step by step is the same as all at once. */
static void directions_and_steps(void) {
    sslh_ctx *c = create(2);
    int lstm, t;
    for (lstm = 0; lstm < 2; lstm++) {
        sslh_recurrent_desc d = start();
        sslh_tensor *x, *parts[RT], *turned, *y, *h, *cell;
        recurrent_run a, b;
        sslh_begin_step(c);
        x = some(c, sslh_dim3(RN, RT, RI), 10);
        for (t = 0; t < RT; t++) parts[t] = sslh_slice(c, x, 1, RT - 1 - t, RT - t);
        turned = sslh_requires_grad(sslh_persist(sslh_concat(c, parts, RT, 1)));
        a = recur(c, lstm, turned, d);
        d.reverse = 1;
        b = recur(c, lstm, some(c, sslh_dim3(RN, RT, RI), 10), d);
        CHECK(same(a.h, b.h), "reverse: last state");
        for (t = 0; t < RT; t++)
            CHECK(memcmp(a.y->data + t * RD, b.y->data + (RT - 1 - t) * RD, RD * sizeof(sslh_real)) == 0,
                  "reverse: time %d", t);
        /* step by step */
        d = start();
        d.h0 = some(c, sslh_dim2(RN, RD), 15), d.h_last = &h;
        if (lstm) d.c0 = some(c, sslh_dim2(RN, RD), 16), d.c_last = &cell;
        for (t = 0; t < RT; t++) {
            parts[t] = recurrence(c, lstm, sslh_slice(c, some(c, sslh_dim3(RN, RT, RI), 10), 1, RT - 1 - t, RT - t),
                                  a.w, d);
            d.h0 = h;
            if (lstm) d.c0 = cell;
        }
        y = sslh_concat(c, parts, RT, 1);
        CHECK_OK(c);
        CHECK(same(y, a.y) && same(h, a.h) && (!lstm || same(cell, a.c)), "step by step");
    }
    sslh_destroy(c);
}

static void recurrence_errors(void) {
    sslh_ctx *c = create(1);
    sslh_recurrent_desc d = start();
    sslh_tensor *x = sslh_persist(some(c, sslh_dim3(2, 4, 3), 1)), *w = sslh_persist(some(c, sslh_dim2(20, 3), 2)),
                *u = sslh_persist(some(c, sslh_dim2(20, 5), 3)), *last = NULL;
    int32_t zero[2] = {4, 0}, long_[2] = {5, 1}, three[3] = {1, 1, 1};
    sslh_net_desc nd;
    sslh_net *net;
#define WRONG_START(field, value, text)                                                                                \
    do {                                                                                                               \
        d = start();                                                                                                   \
        d.field = value;                                                                                               \
        CHECK(sslh_lstm(c, x, w, u, NULL, NULL, d)->count == 1, "a dummy");                                            \
        CHECK_ERROR(c, text);                                                                                          \
    } while (0)
    WRONG_START(lengths, sslh_from_ints(c, sslh_dim1(2), zero),
                "sslh_lstm: the length of sample 1 is 0: it must be 1 to 4");
    WRONG_START(lengths, sslh_from_ints(c, sslh_dim1(2), long_), "the length of sample 0 is 5");
    WRONG_START(lengths, sslh_from_ints(c, sslh_dim1(3), three), "lengths (3): 32-bit integers (2)");
    WRONG_START(lengths, sslh_zeros(c, sslh_dim1(2)), "lengths (2): 32-bit integers");
    WRONG_START(h0, sslh_zeros(c, sslh_dim2(2, 4)), "h0 and c0 (N,D) are needed");
    WRONG_START(c0, sslh_zeros(c, sslh_dim3(1, 2, 5)), "h0 and c0 (N,D) are needed");
    WRONG_START(layers, 2, ".layers, .bidirectional and .no_bias belong to sslh_layer_gru and sslh_layer_lstm");
    d = start();
    d.c_last = &last;
    sslh_gru_ex(c, x, sslh_zeros(c, sslh_dim2(15, 3)), sslh_zeros(c, sslh_dim2(15, 5)), NULL, NULL, d);
    CHECK_ERROR(c, "sslh_gru: .c0 and .c_last belong to an LSTM");
    CHECK(last && last->count == 1, "a dummy");
    /* layers */
    memset(&nd, 0, sizeof nd);
    net = sslh_net_new(c, nd);
    d = start();
    d.layers = -1;
    CHECK(sslh_layer_gru_new(net, "a", 3, 5, d) == -1, "index");
    CHECK_ERROR(c, "sslh_layer_gru_new: .layers is -1 (1 to 64)");
    d.layers = 65;
    CHECK(sslh_layer_gru_new(net, "a", 3, 5, d) == -1, "index");
    CHECK_ERROR(c, ".layers is 65 (1 to 64)");
    d = start();
    CHECK(sslh_layer_lstm_new(net, "a", 0, 5, d) == -1, "index");
    CHECK_ERROR(c, "widths 0 and 5");
    d.reverse = 1;
    CHECK(sslh_layer_lstm_new(net, "a", 3, 5, d) == -1, "index");
    CHECK_ERROR(c, ".reverse belongs to");
    net = sslh_net_new(c, nd);
    d = start();
    d.bidirectional = 1;
    CHECK(sslh_layer_lstm_new(net, "a", 3, 5, d) == 0, "index");
    d.h0 = sslh_zeros(c, sslh_dim3(1, 2, 5));
    sslh_layer_lstm(net, 0, x, d);
    CHECK_ERROR(c, "sslh_layer_lstm: h0 (1,2,5): (2,2,5), layers times directions, samples, width, is needed");
    d.h0 = NULL;
    sslh_layer_lstm(net, 0, sslh_zeros(c, sslh_dim2(4, 3)), d);
    CHECK_ERROR(c, "sslh_layer_lstm: x (4,3)");
    sslh_layer_lstm(net, 6, x, d);
    CHECK(sslh_error(c) != NULL, "an index that is no layer");
    sslh_clear_error(c);
    CHECK(sslh_layer_lstm(net, 0, x, d)->shape[2] == 10, "two directions");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* A layer is the operations one after the other, and is saved under PyTorch's names. */
static sslh_tensor *layer_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_recurrent_desc d = start();
    (void)self;
    d.layers = 2, d.bidirectional = 1;
    return sslh_layer_lstm(net, 0, x, d);
}
static void layers_of_recurrences(void) {
    static const char *const names[] = {
        "rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.bias_hh_l0",
        "rnn.weight_ih_l0_reverse", "rnn.weight_hh_l0_reverse", "rnn.bias_ih_l0_reverse", "rnn.bias_hh_l0_reverse",
        "rnn.weight_ih_l1", "rnn.weight_hh_l1", "rnn.bias_ih_l1", "rnn.bias_hh_l1",
        "rnn.weight_ih_l1_reverse", "rnn.weight_hh_l1_reverse", "rnn.bias_ih_l1_reverse", "rnn.bias_hh_l1_reverse"};
    sslh_ctx *c = create(2);
    sslh_recurrent_desc d = start();
    sslh_net_desc nd;
    sslh_net *net, *copy;
    sslh_load_desc ld;
    sslh_tensor *x, *y, *side[2], *z;
    char text[2000];
    int i, k;
    memset(&nd, 0, sizeof nd);
    nd.forward = layer_forward, nd.kind = SSLH_TOKENS, nd.width = 2 * RD;
    net = sslh_net_new(c, nd);
    d.layers = 2, d.bidirectional = 1;
    CHECK(sslh_layer_lstm_new(net, "rnn", RI, RD, d) == 0, "index");
    CHECK(sslh_count_tensors(net) == 16, "%d parameters", sslh_count_tensors(net));
    for (i = 0; i < 16; i++) {
        char name[100];
        sslh_tensor *t = sslh_tensor_at(net, i, name, sizeof name, NULL);
        double most = 0;
        size_t j;
        CHECK(strcmp(name, names[i]) == 0, "%s, expected %s", name, names[i]);
        for (j = 0; j < t->count; j++) if (fabs((double)t->data[j]) > most) most = fabs((double)t->data[j]);
        CHECK(most <= 1 / sqrt((double)RD) + 1e-6 && most > 0.7 / sqrt((double)RD), "%s: up to %g", name, most);
    }
    x = sslh_find(net, "rnn.weight_ih_l1_reverse");
    CHECK(x->shape[0] == 4 * RD && x->shape[1] == 2 * RD, "shape");
    x = some(c, sslh_dim3(3, RT, RI), 10);
    y = sslh_forward(net, x);
    z = x;
    for (i = 0; i < 2; i++) {
        for (k = 0; k < 2; k++) {
            sslh_recurrent_desc one = start();
            int at = 4 * (2 * i + k);
            one.reverse = k;
            side[k] = sslh_lstm(c, z, sslh_param(net, at), sslh_param(net, at + 1), sslh_param(net, at + 2),
                                sslh_param(net, at + 3), one);
        }
        z = sslh_concat(c, side, 2, 2);
    }
    CHECK_OK(c);
    CHECK(same(y, z), "the operations one after the other");
    copy = sslh_clone(net);
    CHECK(same(sslh_forward(copy, x), y), "a clone");
    sslh_save_net(net, test_temporary("recurrent.safetensors"));
    for (i = 0; i < 16; i++) sslh_param(copy, i)->data[0] += 1;
    memset(&ld, 0, sizeof ld);
    CHECK(sslh_load_weights(copy, test_temporary("recurrent.safetensors"), ld) == 16, "all parameters from a file");
    CHECK(same(sslh_forward(copy, x), y), "from a file");
    (void)test_remove(test_temporary("recurrent.safetensors"));
    sslh_summary(net, sslh_dim3(1, RT, RI), text, sizeof text);
    /* 9 steps of 2 (28 x 5 + 28 x 7) and of 2 (28 x 14 + 28 x 7) products: 0.016632 million */
    CHECK(strstr(text, "0.017") != NULL, "summary:\n%s", text);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- plain versions: nothing but the equations, in double --------------------------------------------------------- */

static double near_to(double got, double want, double worst) {
    double e = fabs(got - want) / (1 + fabs(want));
    return e > worst ? e : worst;
}
/* softmax(q k' / sqrt(D/heads) + bias) v, with a bias of each head, a mask of each query, and v of another width. */
static void plain_attention(void) {
    enum { B = 2, Q = 5, K = 7, H = 2, D = 6, V = 4 };
    sslh_ctx *c = create(2);
    sslh_attention_desc d = attention();
    sslh_tensor *q = some(c, sslh_dim3(B, Q, D), 1), *k = some(c, sslh_dim3(B, K, D), 2),
                *v = some(c, sslh_dim3(B, K, V), 3), *y;
    uint8_t hidden[B * Q * K];
    double worst = 0;
    int n, h, i, j, e;
    for (i = 0; i < B * Q * K; i++) hidden[i] = (uint8_t)(i % 3 == 1);
    d.heads = H;
    d.bias = some(c, sslh_dim3(H, Q, K), 4);
    d.mask = sslh_from_bytes(c, sslh_dim4(B, 1, Q, K), hidden);
    y = sslh_attention(c, q, k, v, d);
    CHECK_OK(c);
    for (n = 0; n < B; n++) for (h = 0; h < H; h++) for (i = 0; i < Q; i++) {
        double w[K], sum = 0, out[V / H] = {0};
        for (j = 0; j < K; j++) {
            double s = 0;
            for (e = 0; e < D / H; e++)
                s += (double)q->data[(n * Q + i) * D + h * (D / H) + e] *
                     (double)k->data[(n * K + j) * D + h * (D / H) + e];
            s = s / sqrt((double)D / H) + (double)d.bias->data[(h * Q + i) * K + j];
            w[j] = hidden[(n * Q + i) * K + j] ? 0 : exp(s);
            sum += w[j];
        }
        for (j = 0; j < K; j++)
            for (e = 0; e < V / H; e++) out[e] += w[j] / sum * (double)v->data[(n * K + j) * V + h * (V / H) + e];
        for (e = 0; e < V / H; e++) worst = near_to((double)y->data[(n * Q + i) * V + h * (V / H) + e], out[e], worst);
    }
    CHECK(worst < 1e-5, "attention is %g off", worst);
    sslh_destroy(c);
}

static double logistic(double x) { return 1 / (1 + exp(-x)); }
/* One step after the other, each sample to its own length, forwards or from its last step back. */
static void plain_recurrences(void) {
    enum { B = 3, T = 5, I = 4, D = 3 };
    static const int32_t lengths_of[B] = {5, 2, 4};
    int lstm, reverse, n, t, i, j, g;
    for (lstm = 0; lstm < 2; lstm++) for (reverse = 0; reverse < 2; reverse++) {
        const int G = lstm ? 4 : 3;
        sslh_ctx *c = create(2);
        sslh_tensor *x = some(c, sslh_dim3(B, T, I), 1), *w = some(c, sslh_dim2(G * D, I), 2),
                    *u = some(c, sslh_dim2(G * D, D), 3);
        sslh_tensor *b = some(c, sslh_dim1(G * D), 4), *b2 = some(c, sslh_dim1(G * D), 5), *y, *last;
        sslh_recurrent_desc d;
        double worst = 0;
        memset(&d, 0, sizeof d);
        d.lengths = sslh_from_ints(c, sslh_dim1(B), lengths_of);
        d.reverse = reverse;
        d.h_last = &last;
        y = lstm ? sslh_lstm(c, x, w, u, b, b2, d) : sslh_gru_ex(c, x, w, u, b, b2, d);
        CHECK_OK(c);
        for (n = 0; n < B; n++) {
            double h[D] = {0}, cell[D] = {0};
            for (t = 0; t < lengths_of[n]; t++) {
                int at = reverse ? lengths_of[n] - 1 - t : t;
                double a[4 * D], r[4 * D], next[D];
                for (g = 0; g < G * D; g++) {
                    a[g] = (double)b->data[g], r[g] = (double)b2->data[g];
                    for (i = 0; i < I; i++) a[g] += (double)w->data[g * I + i] * (double)x->data[(n * T + at) * I + i];
                    for (j = 0; j < D; j++) r[g] += (double)u->data[g * D + j] * h[j];
                }
                for (j = 0; j < D; j++) {
                    if (lstm) { /* i, f, g, o */
                        cell[j] = logistic(a[D + j] + r[D + j]) * cell[j] +
                                  logistic(a[j] + r[j]) * tanh(a[2 * D + j] + r[2 * D + j]);
                        next[j] = logistic(a[3 * D + j] + r[3 * D + j]) * tanh(cell[j]);
                    } else { /* r, z, n */
                        double z = logistic(a[D + j] + r[D + j]);
                        next[j] = (1 - z) * tanh(a[2 * D + j] + logistic(a[j] + r[j]) * r[2 * D + j]) + z * h[j];
                    }
                }
                for (j = 0; j < D; j++) worst = near_to((double)y->data[(n * T + at) * D + j], h[j] = next[j], worst);
            }
            for (t = lengths_of[n]; t < T; t++)
                for (j = 0; j < D; j++) worst = near_to((double)y->data[(n * T + t) * D + j], 0, worst);
            for (j = 0; j < D; j++) worst = near_to((double)last->data[n * D + j], h[j], worst);
        }
        CHECK(worst < 1e-5, "%s, reverse %d: %g off", lstm ? "LSTM" : "GRU", reverse, worst);
        sslh_destroy(c);
    }
}

/* Products with broadcast leading axes; RMS norm; cross-entropy with class weights and smoothing, entry by entry. */
static void plain_products_norm_loss(void) {
    enum { A = 2, B = 3, M = 4, R = 5, C = 6 };
    sslh_ctx *c = create(2);
    sslh_tensor *a = some(c, sslh_dim4(A, 1, M, R), 1), *b = some(c, sslh_dim3(B, R, C), 2), *y = sslh_matmul(c, a, b);
    sslh_tensor *x = some(c, sslh_dim2(M, C), 3), *gamma = some(c, sslh_dim1(C), 4),
                *z = sslh_rms_norm(c, x, gamma, 0.5f), *loss;
    static const float weights[C] = {1, 0.5f, 2, 0, 3, 0.25f};
    static const int32_t labels[M] = {2, 5, -1, 4};
    sslh_cross_entropy_desc d;
    double worst = 0;
    int i, j, k, m, n;
    CHECK_OK(c);
    for (i = 0; i < A; i++) for (j = 0; j < B; j++) for (m = 0; m < M; m++) for (n = 0; n < C; n++) {
        double s = 0;
        for (k = 0; k < R; k++) s += (double)a->data[(i * M + m) * R + k] * (double)b->data[(j * R + k) * C + n];
        worst = near_to((double)y->data[((i * B + j) * M + m) * C + n], s, worst);
    }
    CHECK(worst < 1e-5, "matmul is %g off", worst);
    for (worst = 0, m = 0; m < M; m++) {
        double s = 0;
        for (n = 0; n < C; n++) s += (double)x->data[m * C + n] * (double)x->data[m * C + n];
        s = sqrt(s / C + 0.5);
        for (n = 0; n < C; n++)
            worst = near_to((double)z->data[m * C + n], (double)x->data[m * C + n] / s * (double)gamma->data[n], worst);
    }
    CHECK(worst < 1e-5, "rms_norm is %g off", worst);
    memset(&d, 0, sizeof d);
    d.smoothing = 0.25f;
    d.weight = sslh_from(c, sslh_dim1(C), weights);
    d.reduction = SSLH_REDUCE_NONE;
    loss = sslh_cross_entropy_full(c, x, sslh_from_ints(c, sslh_dim1(M), labels), -1, d);
    CHECK_OK(c);
    for (worst = 0, m = 0; m < M; m++) { /* PyTorch: (1 - e) w_y nll_y + e / K sum over k of w_k nll_k */
        double sum = 0, want = 0;
        for (n = 0; n < C; n++) sum += exp((double)x->data[m * C + n]);
        for (n = 0; n < C && labels[m] >= 0; n++)
            want += (0.25 / C + (n == labels[m] ? 0.75 : 0)) * (double)weights[n] *
                    (log(sum) - (double)x->data[m * C + n]);
        worst = near_to((double)loss->data[m], want, worst);
    }
    CHECK(worst < 1e-5, "cross_entropy is %g off", worst);
    sslh_destroy(c);
}

/* Every allocation fails in turn: an error, no crash, no leak. */
static void every_allocation_fails(void) {
    long n, last = 1000000;
    draw_lengths();
    for (n = 1; n <= last; n++) {
        test_memory m;
        sslh_desc d;
        sslh_net_desc nd;
        sslh_recurrent_desc r = start();
        sslh_attention_desc a = attention();
        sslh_cross_entropy_desc e;
        sslh_ctx *c;
        sslh_net *net;
        sslh_tensor *y, *h, *cell, *weights;
        int failed;
        memset(&m, 0, sizeof m);
        memset(&d, 0, sizeof d);
        memset(&nd, 0, sizeof nd);
        memset(&e, 0, sizeof e);
        m.fail_at = n, m.fail_all = (int)(n & 1);
        d.threads = 2, d.alloc = test_alloc, d.release = test_release, d.user = &m;
        c = sslh_create(d);
        net = sslh_net_new(c, nd);
        r.bidirectional = 1;
        sslh_layer_lstm_new(net, "a", RI, RD, r);
        r.lengths = sslh_from_ints(c, sslh_dim1(5), lengths), r.h_last = &h, r.c_last = &cell;
        y = sslh_layer_lstm(net, 0, sslh_requires_grad(sslh_normal(c, sslh_dim3(5, RT, RI), 0, 1)), r);
        a.heads = 2, a.weights = &weights, a.bias = sslh_requires_grad(sslh_zeros(c, sslh_dim3(2, RT, RT)));
        y = sslh_rms_norm(c, sslh_attention(c, y, y, y, a), NULL, 0);
        y = sslh_matmul(c, sslh_reshape(c, y, sslh_dim4(5, 1, RT, 2 * RD)),
                        sslh_requires_grad(sslh_normal(c, sslh_dim3(2, 2 * RD, 4), 0, 1)));
        e.weight = sslh_full(c, sslh_dim1(4), 2), e.reduction = SSLH_REDUCE_NONE;
        y = sslh_cross_entropy_full(c, y, sslh_argmax(c, y, -1), -1, e);
        sslh_backward(c, sslh_add(c, sslh_sum(c, y, SSLH_ALL, 0), sslh_sum(c, sslh_mul(c, h, cell), SSLH_ALL, 0)));
        failed = m.calls >= n;
        if (failed)
            CHECK(sslh_error_code(c) == SSLH_E_MEMORY,
                  "allocation %ld: %s", n, sslh_error(c) ? sslh_error(c) : "no error");
        else CHECK_OK(c);
        sslh_destroy(c);
        CHECK(m.live == 0, "allocation %ld: %ld blocks leak", n, m.live);
        if (!failed) last = n;
    }
    CHECK(n > 8 && n < 10000, "%ld allocations", n);
}

TESTS_BEGIN
    TEST(bias_alone)
    TEST(ways_to_mask)
    TEST(queries_that_see_nothing)
    TEST(one_tensor_as_everything)
    TEST(attention_errors)
    TEST(attention_in_bfloat16)
    TEST(products_broadcast)
    TEST(lengths_of_samples)
    TEST(directions_and_steps)
    TEST(recurrence_errors)
    TEST(layers_of_recurrences)
    TEST(plain_attention)
    TEST(plain_recurrences)
    TEST(plain_products_norm_loss)
    TEST(every_allocation_fails)
TESTS_END
