/* Attention, matrix products and recurrences: what holds for every size and no recorded value tells. Values and gradients against
   PyTorch, gradient checks, threads and instruction sets are in the table of tests/ops.c. */
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

/* --- attention ------------------------------------------------------------------------------------------------------ */

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
        for (k = q + 1; k < TK; k++) CHECK(e.bias->grad[q * TK + k] == 0, "gradient at a masked place: %g", (double)e.bias->grad[q * TK + k]);
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
            CHECK(a.y->data[7 * WIDTH + i] == 0 && a.q->grad[7 * WIDTH + i] == 0, "value %g, gradient %g", (double)a.y->data[7 * WIDTH + i], (double)a.q->grad[7 * WIDTH + i]);
        for (q = 0; q < TQ; q++) CHECK(fabs((double)a.y->data[q * WIDTH]) > 0 || q == 7, "query %d is zero", q);
        CHECK(all_finite(a.y->data, a.y->count) && all_finite(a.k->grad, a.k->count) && all_finite(a.v->grad, a.v->count), "finite");
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
    for (i = 0; i < x->count; i++) CHECK_NEAR(x->grad[i], y[0]->grad[i] + y[1]->grad[i] + y[2]->grad[i] + y[3]->grad[i], 1e-6);
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
#define WRONG(field, value, text)                                                                                        \
    do {                                                                                                                 \
        d = attention();                                                                                                 \
        d.heads = 2;                                                                                                     \
        d.field = value;                                                                                                 \
        CHECK(sslh_attention(c, q, k, v, d)->count == 1, "a dummy");                                                     \
        CHECK_ERROR(c, text);                                                                                            \
    } while (0)
    WRONG(heads, 4, "4 heads do not divide the widths 4 and 6");
    WRONG(bias, sslh_zeros(c, sslh_dim2(3, 4)), "bias (3,4): a real tensor that broadcasts to (2,2,3,5), samples, heads, queries, keys");
    WRONG(bias, sslh_zeros(c, sslh_dim5(1, 2, 2, 3, 5)), "bias (1,2,2,3,5)");
    WRONG(bias, sslh_from_bytes(c, sslh_dim2(3, 5), bytes), "a real tensor");
    WRONG(mask, sslh_from_bytes(c, sslh_dim3(3, 3, 5), bytes), "mask (3,3,5): an 8-bit tensor that broadcasts to (2,2,3,5)");
    WRONG(mask, sslh_zeros(c, sslh_dim2(3, 5)), "an 8-bit tensor");
    WRONG(key_mask, sslh_from_bytes(c, sslh_dim2(3, 5), bytes), "key_mask (3,5)");
    WRONG(bias, sslh_zeros(other, sslh_dim2(3, 5)), "another context");
    WRONG(scale, -1, "scale -1");
    CHECK(sslh_attention(c, q, k, some(c, sslh_dim3(2, 4, 6), 3), attention())->count == 1, "a dummy");
    CHECK_ERROR(c, "(N,Tq,D), (N,Tk,D) and (N,Tk,Dv) are needed");
    CHECK_OK(other);
    sslh_destroy(other);
    sslh_destroy(c);
}

/* --- matrix products ------------------------------------------------------------------------------------------------ */

/* A broadcast product is the product of the repeated operands, bit for bit; gradients are their sums. */
static void products_broadcast(void) {
    static const struct { int a[4], b[4]; } s[] = {
        {{2, 1, 3, 4}, {1, 5, 4, 6}}, {{2, 5, 3, 4}, {1, 1, 4, 6}}, {{1, 1, 3, 4}, {2, 5, 4, 6}}, {{2, 5, 3, 4}, {2, 1, 4, 6}}, {{2, 1, 3, 4}, {2, 5, 4, 6}},
        {{1, 5, 3, 4}, {2, 1, 4, 6}}};
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
                y[k] = sslh_keep(k ? sslh_matmul_ex(c, sslh_broadcast(c, a[k], fa), sslh_broadcast(c, b[k], fb), t & 1, t >> 1)
                                   : sslh_matmul_ex(c, a[k], b[k], t & 1, t >> 1));
                back(c, y[k]);
            }
            CHECK_OK(c);
            CHECK(y[0]->ndim == 4 && y[0]->shape[0] == 2 && y[0]->shape[1] == 5 && y[0]->shape[2] == 3 && y[0]->shape[3] == 6, "shape");
            CHECK(same(y[0], y[1]), "case %d, transposed %d: values", i, t);
            for (j = 0; j < a[0]->count; j++) CHECK_NEAR(a[0]->grad[j], a[1]->grad[j], 1e-5);
            for (j = 0; j < b[0]->count; j++) CHECK_NEAR(b[0]->grad[j], b[1]->grad[j], 1e-5);
        }
    }
    sslh_matmul(c, some(c, sslh_dim4(2, 2, 3, 4), 1), some(c, sslh_dim3(3, 4, 5), 2));
    CHECK_ERROR(c, "sslh_matmul: (2,2,3,4) x (3,4,5): the leading axes do not broadcast: 2 and 3 meet");
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(ways_to_mask)
    TEST(queries_that_see_nothing)
    TEST(one_tensor_as_everything)
    TEST(attention_errors)
    TEST(products_broadcast)
TESTS_END
