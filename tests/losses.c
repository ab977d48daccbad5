/* Properties of the losses: known values, invariances, identities between them, fused against composed. Golden values
   of PyTorch are in ops.c. This program carries its own implementation to reach the private form of NT-Xent. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#include "harness.h"

static sslh_ctx *c;

static sslh_ctx *create(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    d.seed = 7;
    return sslh_create(d);
}

static sslh_tensor *normal(int a, int b) { return sslh_normal(c, sslh_dim2(a, b), 0.0f, 1.0f); }
static double item(sslh_tensor *t) { return (double)sslh_item(t); }

/* labels 0, step, 2 step .. modulo K */
static sslh_tensor *labels(int n, int step, int K) {
    int32_t v[512];
    int i;
    for (i = 0; i < n; i++) v[i] = (int32_t)(i * step % K);
    return sslh_from_ints(c, sslh_dim1(n), v);
}

/* rows of x in another order: row i of the result is row (i step + 1) mod N */
static sslh_tensor *reordered(sslh_tensor *x, int step) {
    sslh_tensor *y = sslh_zeros(c, sslh_shape_of(x));
    int i, N = x->shape[0], D = x->shape[1];
    for (i = 0; i < N; i++) memcpy(y->data + i * D, x->data + (i * step + 1) % N * D, (size_t)D * sizeof *x->data);
    return y;
}

/* row i times 0.25, 0.5, 1, 2 in turn: powers of two, so that the unit rows stay the same to the bit */
static sslh_tensor *rescaled(sslh_tensor *x) {
    static const float factor[4] = {0.25f, 0.5f, 1.0f, 2.0f};
    sslh_tensor *y = sslh_zeros(c, sslh_shape_of(x));
    int i, j, D = x->shape[1];
    for (i = 0; i < x->shape[0]; i++)
        for (j = 0; j < D; j++) y->data[i * D + j] = x->data[i * D + j] * (sslh_real)factor[i % 4];
    return y;
}

static sslh_tensor *plus_noise(sslh_tensor *x, float amount) {
    return sslh_add(c, x, sslh_scale(c, normal(x->shape[0], x->shape[1]), amount));
}

/* Largest difference of two arrays. */
static double apart(const sslh_real *a, const sslh_real *b, size_t n) {
    double worst = 0;
    size_t i;
    for (i = 0; i < n; i++) worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

/* --- NT-Xent ------------------------------------------------------------------------------------------------------ */

static void nt_xent_at_collapse(void) { /* every embedding equal: each row guesses among 2N-1 */
    static const int n[4] = {2, 3, 64, 300};
    static const float tau[3] = {0.1f, 0.5f, 1.0f};
    int i, j;
    for (i = 0; i < 4; i++)
        for (j = 0; j < 3; j++) {
            sslh_tensor *z = sslh_full(c, sslh_dim2(n[i], 16), 0.3f);
            float top1 = 1;
            CHECK_CLOSE(item(sslh_nt_xent(c, z, z, tau[j])), log(2.0 * n[i] - 1), 3e-6);
            CHECK_CLOSE(item(sslh_i_nt_xent(c, z, z, tau[j], 1, &top1)), log(2.0 * n[i] - 2), 3e-6);
            CHECK(top1 == 0.0f, "contrastive top-1 of a collapse is %g", (double)top1);
        }
    CHECK_OK(c);
}

static void nt_xent_at_its_best(void) { /* views equal, images orthogonal: -1/tau + log(e^(1/tau) + 2N-2) */
    int N = 12, i;
    float top1 = 0, tau = 0.5f;
    sslh_tensor *z = sslh_zeros(c, sslh_dim2(N, N));
    for (i = 0; i < N; i++) z->data[i * N + i] = (sslh_real)(i + 1);
    CHECK_CLOSE(item(sslh_i_nt_xent(c, z, z, tau, 0, &top1)), log(exp(2.0) + 2 * N - 2) - 2.0, 1e-6);
    CHECK(top1 == 1.0f, "contrastive top-1 is %g", (double)top1);
    CHECK_CLOSE(item(sslh_i_nt_xent(c, z, z, tau, 1, NULL)), log(2.0 * N - 2) - 2.0, 1e-6);
    CHECK_OK(c);
}

static void nt_xent_invariances(void) {
    sslh_tensor *a = normal(37, 19), *b = plus_noise(a, 0.5f);
    double base = item(sslh_nt_xent(c, a, b, 0.3f));
    CHECK(item(sslh_nt_xent(c, rescaled(a), rescaled(b), 0.3f)) == base, "the length of the rows matters");
    CHECK_CLOSE(item(sslh_nt_xent(c, reordered(a, 5), reordered(b, 5), 0.3f)), base, 1e-6);
    CHECK_CLOSE(item(sslh_nt_xent(c, b, a, 0.3f)), base, 1e-6);
    CHECK(item(sslh_nt_xent(c, a, reordered(b, 5), 0.3f)) > base + 0.5,
          "breaking the positives does not raise the loss");
    CHECK(item(sslh_nt_xent(c, a, a, 0.3f)) < base, "perfect positives do not lower the loss");
    /* not the positive in the denominator: always less */
    CHECK(item(sslh_i_nt_xent(c, a, b, 0.3f, 1, NULL)) < base, "the decoupled loss is not lower");
    CHECK_OK(c);
}

/* Eq. 1 from core operations; decoupled: the positive is masked too. */
static sslh_tensor *nt_xent_composed(sslh_tensor *z0, sslh_tensor *z1, float tau, int decoupled) {
    int N = z0->shape[0], i;
    sslh_tensor *both[2], *u, *s;
    sslh_tensor *out = sslh_zeros(c, sslh_dim2(2 * N, 2 * N)), *pick = sslh_zeros(c, sslh_dim2(2 * N, 2 * N));
    both[0] = z0;
    both[1] = z1;
    for (i = 0; i < 2 * N; i++) {
        int pos = (i + N) % (2 * N);
        out->data[i * 2 * N + i] = SSLH_I_R(-1e9);
        if (decoupled) out->data[i * 2 * N + pos] = SSLH_I_R(-1e9);
        pick->data[i * 2 * N + pos] = 1;
    }
    u = sslh_l2_normalize(c, sslh_concat(c, both, 2, 0), 0);
    s = sslh_scale(c, sslh_matmul_ex(c, u, u, 0, 1), 1.0f / tau);
    return sslh_sub(c, sslh_mean(c, sslh_logsumexp(c, sslh_add(c, s, out), SSLH_AXIS(1), 0), SSLH_ALL, 0),
                    sslh_scale(c, sslh_sum(c, sslh_mul(c, s, pick), SSLH_ALL, 0), 1.0f / (float)(2 * N)));
}

static void nt_xent_equals_its_pieces(void) {
    /* the last is computed in several blocks */
    static const int shape[4][2] = {{2, 3}, {17, 33}, {64, 128}, {530, 20}};
    int i, decoupled;
    for (i = 0; i < (test_small() ? 3 : 4); i++)
        for (decoupled = 0; decoupled < 2; decoupled++) {
            int N = shape[i][0], D = shape[i][1];
            sslh_tensor *a, *b, *a2, *b2, *fused, *pieces;
            sslh_begin_step(c);
            a = sslh_requires_grad(normal(N, D));
            b = plus_noise(a, 0.7f);
            b = sslh_requires_grad(sslh_detach(c, b));
            a2 = sslh_requires_grad(sslh_detach(c, a));
            b2 = sslh_requires_grad(sslh_detach(c, b));
            fused = sslh_i_nt_xent(c, a, b, 0.25f, decoupled, NULL);
            sslh_backward(c, fused);
            pieces = nt_xent_composed(a2, b2, 0.25f, decoupled);
            sslh_backward(c, pieces);
            CHECK_OK(c);
            if (sslh_error(c)) return;
            CHECK_CLOSE(item(fused), item(pieces), 2e-6);
            CHECK(apart(a->grad, a2->grad, a->count) < 2e-6,
                  "N %d D %d: gradients of view 0 differ by %g", N, D, apart(a->grad, a2->grad, a->count));
            CHECK(apart(b->grad, b2->grad, b->count) < 2e-6,
                  "N %d D %d: gradients of view 1 differ by %g", N, D, apart(b->grad, b2->grad, b->count));
        }
}

/* the loss ignores the length of a row, so the gradient is orthogonal to it */
static void nt_xent_gradient_is_tangent(void) {
    sslh_tensor *a = sslh_requires_grad(normal(20, 8)), *b = sslh_requires_grad(normal(20, 8));
    int i, j;
    sslh_backward(c, sslh_nt_xent(c, a, b, 0.2f));
    CHECK_OK(c);
    for (i = 0; i < 20 && !sslh_error(c); i++) {
        double dot = 0;
        for (j = 0; j < 8; j++) dot += (double)a->data[i * 8 + j] * (double)a->grad[i * 8 + j];
        CHECK_NEAR(dot, 0, 2e-7);
    }
}

static void nt_xent_top1(void) {
    sslh_tensor *a = normal(50, 32);
    float good = 0, bad = 1;
    sslh_i_nt_xent(c, a, plus_noise(a, 0.1f), 0.5f, 0, &good);
    sslh_i_nt_xent(c, a, normal(50, 32), 0.5f, 0, &bad);
    CHECK(good == 1.0f, "similar views: %g", (double)good);
    CHECK(bad < 0.2f, "unrelated views: %g", (double)bad);
    CHECK_OK(c);
}

static void nt_xent_errors(void) {
    sslh_nt_xent(c, normal(1, 4), normal(1, 4), 0.5f);
    CHECK_ERROR(c, "sslh_nt_xent: a batch of 1 has no negatives");
    sslh_nt_xent(c, normal(3, 4), normal(2, 4), 0.5f);
    CHECK_ERROR(c, "sslh_nt_xent: (3,4) and (2,4)");
    sslh_nt_xent(c, normal(3, 4), normal(3, 4), 0.0f);
    CHECK_ERROR(c, "sslh_nt_xent: temperature 0");
}

/* --- InfoNCE ------------------------------------------------------------------------------------------------------ */

static void info_nce_at_collapse(void) {
    sslh_tensor *z = sslh_full(c, sslh_dim2(30, 8), 0.35f), *queue = sslh_full(c, sslh_dim2(97, 8), 0.35f);
    CHECK_CLOSE(item(sslh_info_nce(c, z, z, NULL, 0.1f)), log(30.0), 3e-6);
    CHECK_CLOSE(item(sslh_info_nce(c, z, z, queue, 0.1f)), log(98.0), 3e-6); /* K + 1 candidates */
    CHECK_OK(c);
}

static void info_nce_is_cross_entropy(void) {
    int pass;
    for (pass = 0; pass < 2; pass++) { /* in-batch negatives, a queue */
        int N = 41, D = 24, i;
        sslh_tensor *q, *k, *n = NULL, *q2, *k2, *n2 = NULL, *x, *fused, *pieces;
        sslh_begin_step(c);
        q = sslh_requires_grad(normal(N, D));
        k = sslh_requires_grad(normal(N, D));
        q2 = sslh_requires_grad(sslh_detach(c, q));
        k2 = sslh_requires_grad(sslh_detach(c, k));
        if (pass) {
            n = sslh_requires_grad(normal(150, D));
            n2 = sslh_requires_grad(sslh_detach(c, n));
        }
        fused = sslh_info_nce(c, q, k, n, 0.5f);
        sslh_backward(c, fused);
        if (pass) {
            sslh_tensor *both[2];
            both[0] = sslh_sum(c, sslh_mul(c, q2, k2), SSLH_AXIS(1), 1);
            both[1] = sslh_matmul_ex(c, q2, n2, 0, 1);
            x = sslh_concat(c, both, 2, 1);
        } else {
            x = sslh_matmul_ex(c, q2, k2, 0, 1);
        }
        pieces = sslh_cross_entropy(c, sslh_scale(c, x, 2.0f), labels(N, pass ? 0 : 1, N));
        sslh_backward(c, pieces);
        CHECK_OK(c);
        if (sslh_error(c)) return;
        CHECK_CLOSE(item(fused), item(pieces), 2e-6);
        for (i = 0; i < 3; i++) {
            sslh_tensor *a = i == 0 ? q : i == 1 ? k : n, *b = i == 0 ? q2 : i == 1 ? k2 : n2;
            if (a)
                CHECK(apart(a->grad, b->grad, a->count) < 2e-6,
                      "gradient %d differs by %g", i, apart(a->grad, b->grad, a->count));
        }
    }
}

/* Negatives of each row's own: the value at collapse; the same ones for all rows are a queue; others of their own order
   change nothing; a row does not see those of another. */
static void info_nce_own_negatives(void) {
    sslh_tensor *z = sslh_full(c, sslh_dim2(30, 8), 0.35f), *all = sslh_full(c, sslh_dim3(30, 9, 8), 0.35f);
    sslh_tensor *q = normal(20, 16), *k = plus_noise(q, 0.3f), *n = normal(60, 16), *own, *one_hot, *apart_q, *other;
    const int32_t seventh = 7;
    double base;
    CHECK_CLOSE(item(sslh_info_nce(c, z, z, all, 0.1f)), log(10.0), 3e-6);
    own = sslh_broadcast(c, n, sslh_dim3(20, 60, 16));
    CHECK_CLOSE(item(sslh_info_nce(c, q, k, own, 0.5f)), item(sslh_info_nce(c, q, k, n, 0.5f)), 1e-6);
    own = sslh_reshape(c, n, sslh_dim3(20, 3, 16));
    base = item(sslh_info_nce(c, q, k, own, 1.0f));
    CHECK(item(sslh_info_nce(c, q, reordered(k, 3), own, 1.0f)) > base + 0.5,
          "breaking the positives does not raise the loss");
    other = sslh_requires_grad(sslh_detach(c, own));
    one_hot = sslh_one_hot(c, sslh_from_ints(c, sslh_dim0(), &seventh), 20);
    apart_q = sslh_mul(c, q, sslh_reshape(c, one_hot, sslh_dim2(20, 1)));
    sslh_backward(c, sslh_info_nce(c, apart_q, k, other, 1.0f)); /* all queries but number 7 are 0 */
    CHECK(other->grad[7 * 48] != 0 && other->grad[6 * 48] == 0 && other->grad[8 * 48] == 0,
          "a row sees negatives of another");
    CHECK_OK(c);
}

/* Rows sum to 1, columns nearly to N / K, however large the scores; more iterations bring them nearer. */
static void sinkhorn_is_balanced(void) {
    int large, i, it;
    for (large = 0; large < 2; large++) {
        sslh_tensor *x = sslh_scale(c, normal(40, 5), large ? 1000.0f : 1.0f);
        double before = 1e9;
        for (it = 1; it <= 50; it += 49) {
            sslh_tensor *leaf = sslh_requires_grad(sslh_detach(c, x)), *y = sslh_sinkhorn(c, leaf, it, 0.5f);
            sslh_tensor *rows = sslh_sum(c, y, SSLH_AXIS(1), 0);
            sslh_tensor *columns = sslh_sum(c, y, SSLH_AXIS(0), 0);
            double worst = 0;
            CHECK_OK(c);
            for (i = 0; i < 40; i++) CHECK_CLOSE((double)rows->data[i], 1.0, 2e-5);
            for (i = 0; i < 5; i++) worst = fmax(worst, fabs((double)columns->data[i] - 8));
            CHECK(worst <= before && (large || it == 1 || worst < 1e-3), "columns are off by %g", worst);
            before = worst;
            sslh_backward(c, sslh_sum(c, sslh_add(c, leaf, y), SSLH_ALL, 0));
            CHECK(leaf->grad && leaf->grad[0] == 1, "it has a gradient");
        }
    }
}

/* Rows of one label attract each other; with two rows of each it is NT-Xent. */
static void supcon_values(void) {
    sslh_tensor *a = normal(12, 16), *b = plus_noise(a, 0.3f), *both[2], *z, *own = labels(24, 1, 12),
        *classes = labels(24, 1, 3);
    double base, rows = 0, s[24][24];
    float top1 = -1;
    int i, j, k;
    both[0] = a, both[1] = b;
    z = sslh_concat(c, both, 2, 0);
    CHECK_CLOSE(item(sslh_supcon_loss(c, z, own, 0.2f)), item(sslh_nt_xent(c, a, b, 0.2f)), 1e-6);
    /* at collapse */
    CHECK_CLOSE(item(sslh_supcon_loss(c, sslh_full(c, sslh_dim2(24, 16), 0.7f), classes, 0.1f)), log(23.0), 1e-6);
    base = item(sslh_supcon_loss(c, z, classes, 0.5f));
    CHECK(item(sslh_supcon_loss(c, rescaled(z), classes, 0.5f)) == base, "the length of the rows matters");
    for (i = 0; i < 24; i++)
        for (j = 0; j < 24; j++) {
            double ij = 0, ii = 0, jj = 0;
            for (k = 0; k < 16; k++) {
                double x = (double)z->data[i * 16 + k], y = (double)z->data[j * 16 + k];
                ij += x * y, ii += x * x, jj += y * y;
            }
            s[i][j] = ij / sqrt(ii * jj) / 0.5;
        }
    for (i = 0; i < 24; i++) { /* seven positives for each row */
        double sum = 0, mean = 0;
        for (j = 0; j < 24; j++) if (j != i) sum += exp(s[i][j]);
        for (j = 0; j < 24; j++) if (j != i && j % 3 == i % 3) mean += s[i][j] / 7;
        rows += log(sum) - mean;
    }
    CHECK_CLOSE(base, rows / 24, 1e-5);
    /* a perfect batch: rows of a class equal, classes far apart */
    for (i = 0; i < 24; i++) for (j = 0; j < 16; j++) z->data[i * 16 + j] = j == i % 3;
    sslh_i_supcon_rows(c, z, classes, 0.05f, &top1);
    CHECK_CLOSE(item(sslh_supcon_loss(c, z, classes, 0.05f)), log(7.0), 1e-5);
    CHECK(top1 == 1, "top-1 %g", (double)top1);
    CHECK(item(sslh_supcon_loss(c, z, labels(24, 1, 8), 0.05f)) > log(7.0) + 5,
          "breaking the positives does not raise the loss");
    /* a row without a positive counts for nothing, but as a wrong answer */
    CHECK_CLOSE(item(sslh_supcon_loss(c, sslh_slice(c, z, 0, 0, 4), sslh_slice(c, classes, 0, 0, 4), 1)),
          log(1 + 2 * exp(-1.0)), 1e-5);
    CHECK_OK(c);
    sslh_supcon_loss(c, normal(3, 4), labels(3, 1, 3), 1);
    CHECK_ERROR(c, "sslh_supcon_loss: no two of the 3 rows have the same label");
    sslh_supcon_loss(c, normal(3, 4), labels(4, 1, 3), 1);
    CHECK_ERROR(c, "sslh_supcon_loss: z (3,4), labels (4)");
    sslh_supcon_loss(c, normal(3, 4), labels(3, 1, 2), -1);
    CHECK_ERROR(c, "sslh_supcon_loss: temperature -1");
}

/* Ties go to the lower class, as argmax and topk order them; NaN comes before all numbers. */
static void accuracy_values(void) {
    const float x[12] = {1, 3, 2, 0, 2, 2, 2, 2, 5, 4, 4, 1};
    const int32_t y[3] = {2, 1, 2};
    sslh_tensor *logits = sslh_from(c, sslh_dim2(3, 4), x), *labels = sslh_from_ints(c, sslh_dim1(3), y);
    CHECK_CLOSE(item(sslh_accuracy(c, logits, labels, 1)), 0.0, 0);
    CHECK_CLOSE(item(sslh_accuracy(c, logits, labels, 2)), 2.0 / 3, 1e-6);
    CHECK_CLOSE(item(sslh_accuracy(c, logits, labels, 3)), 1.0, 0);
    CHECK_CLOSE(item(sslh_accuracy(c, logits, sslh_argmax(c, logits, 1), 1)), 1.0, 0);
    logits->data[3] = sqrtf(-1.0f);
    CHECK_CLOSE(item(sslh_accuracy(c, logits, sslh_argmax(c, logits, 1), 1)), 1.0, 0);
    CHECK_CLOSE(item(sslh_accuracy(c, logits, labels, 2)), 1.0 / 3, 1e-6);
    CHECK_OK(c);
}

static void info_nce_properties(void) {
    sslh_tensor *q = normal(20, 16), *k = plus_noise(q, 0.3f), *n = normal(60, 16);
    double base = item(sslh_info_nce(c, q, k, n, 1.0f)), batch = item(sslh_info_nce(c, q, k, NULL, 1.0f));
    CHECK_CLOSE(item(sslh_info_nce(c, q, k, reordered(n, 7), 1.0f)), base, 1e-6);
    CHECK_CLOSE(item(sslh_info_nce(c, reordered(q, 3), reordered(k, 3), NULL, 1.0f)), batch, 1e-6);
    CHECK(item(sslh_info_nce(c, q, reordered(k, 3), n, 1.0f)) > base + 0.5,
          "breaking the positives does not raise the loss");
    CHECK(item(sslh_info_nce(c, q, reordered(k, 3), NULL, 1.0f)) > batch + 0.5,
          "breaking the positives does not raise the loss");
    CHECK(item(sslh_info_nce(c, normal(1, 16), normal(1, 16), n, 1.0f)) > 0, "one query with a queue");
    CHECK_OK(c);
    sslh_info_nce(c, normal(1, 16), normal(1, 16), NULL, 1.0f);
    CHECK_ERROR(c, "sslh_info_nce: a batch of 1 has no negatives");
    sslh_info_nce(c, normal(2, 16), normal(2, 16), normal(3, 15), 1.0f);
    CHECK_ERROR(c, "(3,15)");
    sslh_info_nce(c, normal(2, 16), normal(2, 16), NULL, -1.0f);
    CHECK_ERROR(c, "temperature -1");
}

/* --- without negatives -------------------------------------------------------------------------------------------- */

static void negative_cosine_values(void) {
    sslh_tensor *a = normal(20, 16), *b = plus_noise(a, 0.3f);
    double pairs = item(sslh_negative_cosine(c, a, b)), sum = 0;
    int i, j;
    CHECK_CLOSE(item(sslh_negative_cosine(c, a, a)), -1.0, 1e-6);
    CHECK_CLOSE(item(sslh_negative_cosine(c, a, sslh_neg(c, a))), 1.0, 1e-6);
    CHECK(item(sslh_negative_cosine(c, rescaled(a), b)) == pairs, "the length of the rows matters");
    CHECK(pairs < -0.8 && item(sslh_negative_cosine(c, a, reordered(b, 3))) > pairs + 0.5,
          "breaking the positives does not raise the loss");
    for (i = 0; i < 20; i++) {
        double ab = 0, aa = 0, bb = 0;
        for (j = 0; j < 16; j++) {
            double x = (double)a->data[i * 16 + j], y = (double)b->data[i * 16 + j];
            ab += x * y, aa += x * x, bb += y * y;
        }
        sum -= ab / sqrt(aa * bb) / 20;
    }
    CHECK_CLOSE(pairs, sum, 1e-6);
    sslh_negative_cosine(c, a, normal(20, 15));
    CHECK_ERROR(c, "sslh_negative_cosine: (20,16) and (20,15): two matrices (N,D) of one shape are needed");
}

/* Columns of a cosine and a sine table: mean 0, variance 1, no two correlated. */
static sslh_tensor *orthogonal(int N, int D) {
    sslh_tensor *x = sslh_zeros(c, sslh_dim2(N, D));
    int n, d;
    for (n = 0; n < N; n++)
        for (d = 0; d < D; d++) {
            double angle = 6.283185307179586 * n * (d / 2 + 1) / N;
            x->data[n * D + d] = (sslh_real)(sqrt(2.0) * (d % 2 ? sin(angle) : cos(angle)));
        }
    return x;
}
static void barlow_values(void) {
    sslh_tensor *ideal = orthogonal(64, 8), *constant = sslh_full(c, sslh_dim2(64, 8), 0.7f), *same, *x[8],
                *a = normal(400, 12), *b = plus_noise(a, 0.5f);
    double base;
    float diagonal = 0;
    int i;
    CHECK_NEAR(item(sslh_barlow_loss(c, ideal, ideal, 1)), 0, 1e-6); /* views alike, columns independent */
    CHECK_NEAR(item(sslh_barlow_loss(c, sslh_shift(c, sslh_scale(c, ideal, 3), 2), ideal, 1)), 0, 1e-5);
    CHECK_NEAR(item(sslh_barlow_loss(c, constant, constant, 1)), 8, 1e-4); /* collapse to a point: D */
    for (i = 0; i < 8; i++) x[i] = sslh_slice(c, ideal, 1, 0, 1);
    same = sslh_concat(c, x, 8, 1); /* collapse to a line: every column says the same, lambda D (D-1) */
    CHECK_CLOSE(item(sslh_barlow_loss(c, same, same, 0.5f)), 0.5 * 8 * 7, 1e-4);
    CHECK_CLOSE(item(sslh_barlow_loss(c, ideal, sslh_neg(c, ideal), 0.5f)), 8.0 * 4, 1e-4); /* C_ii = -1 */
    sslh_i_barlow_twins(c, ideal, ideal, 1, &diagonal);
    CHECK_NEAR(diagonal, 1, 1e-4);
    /* unrelated views: about D, and by chance lambda D (D-1) / N; no value of a column's scale counts */
    base = item(sslh_barlow_loss(c, normal(400, 12), a, 1));
    CHECK(fabs(base - (12 + 12 * 11 / 400.0)) < 2, "unrelated views: %g", base);
    base = item(sslh_barlow_loss(c, a, b, 0.1f));
    CHECK_CLOSE(item(sslh_barlow_loss(c, reordered(a, 3), reordered(b, 3), 0.1f)), base, 1e-5);
    CHECK(item(sslh_barlow_loss(c, a, reordered(b, 3), 0.1f)) > base + 5,
          "breaking the positives does not raise the loss");
    sslh_i_barlow_twins(c, a, reordered(b, 3), 1, &diagonal);
    CHECK(fabsf(diagonal) < 0.1f, "the diagonal of unrelated views is %g", (double)diagonal);
    CHECK_OK(c);
    sslh_barlow_loss(c, normal(1, 4), normal(1, 4), 1);
    CHECK_ERROR(c, "sslh_barlow_loss: a batch of 1 has no variance");
    sslh_barlow_loss(c, normal(4, 4), normal(4, 4), -0.5f);
    CHECK_ERROR(c, "sslh_barlow_loss: lambda -0.5: it must be at least 0");
}
static void vicreg_values(void) {
    sslh_tensor *ideal = orthogonal(64, 8), *constant = sslh_full(c, sslh_dim2(64, 8), 0.7f), *same, *x[8],
                *a = normal(60, 12), *grad;
    double n1 = 64.0 / 63;
    float deviation = -1;
    size_t i;
    /* each term by itself: the distance of the views; the deviations below 1; the covariances */
    CHECK_CLOSE(item(sslh_vicreg_loss(c, sslh_shift(c, ideal, 0.5f), ideal, 2, 0, 0)), 2 * 0.25, 1e-6);
    CHECK_CLOSE(item(sslh_vicreg_loss(c, constant, constant, 25, 25, 1)), 25 * 0.99, 1e-6); /* collapse */
    CHECK_CLOSE(item(sslh_vicreg_loss(c, sslh_scale(c, ideal, 0.5f), ideal, 0, 4, 0)),
                4 * (1 - sqrt(0.25 * n1 + 1e-4)) / 2, 1e-5);
    for (i = 0; i < 8; i++) x[i] = sslh_slice(c, ideal, 1, 0, 1);
    same = sslh_concat(c, x, 8, 1);
    CHECK_CLOSE(item(sslh_vicreg_loss(c, same, ideal, 0, 0, 3)), 3 * 8 * 7 * n1 * n1 / 8, 1e-5); /* of one view */
    CHECK_NEAR(item(sslh_vicreg_loss(c, ideal, ideal, 25, 25, 1)), 0, 1e-6); /* ideal */
    sslh_i_vicreg_terms(c, constant, ideal, 1, 1, 1, &deviation);
    CHECK_CLOSE(deviation, (0.01 + sqrt(n1 + 1e-4)) / 2, 1e-5);
    CHECK(item(sslh_vicreg_loss(c, a, reordered(a, 7), 25, 25, 1)) > item(sslh_vicreg_loss(c, a, a, 25, 25, 1)) + 10,
          "breaking the positives does not raise the loss");
    /* the slope at a collapse is finite, and pushes noise apart */
    grad = sslh_requires_grad(sslh_scale(c, normal(60, 12), 1e-6f));
    sslh_backward(c, sslh_vicreg_loss(c, grad, sslh_scale(c, a, 1), 0, 25, 0));
    CHECK_OK(c);
    for (i = 0; i < grad->count; i++) CHECK(grad->grad[i] - grad->grad[i] == 0, "a slope at collapse");
    sslh_vicreg_loss(c, normal(4, 4), normal(4, 4), 1, -2, 1);
    CHECK_ERROR(c, "sslh_vicreg_loss: variance -2: it must be at least 0");
}

/* --- cross-entropy ------------------------------------------------------------------------------------------------ */

static void cross_entropy_values(void) {
    static const int K[4] = {2, 10, 100, 1000};
    sslh_tensor *x = normal(12, 9), *y = labels(12, 4, 9);
    double base = item(sslh_cross_entropy(c, x, y));
    int i;
    for (i = 0; i < 4; i++)
        CHECK_CLOSE(item(sslh_cross_entropy(c, sslh_full(c, sslh_dim2(6, K[i]), 0.5f), labels(6, 1, 2))),
                    log((double)K[i]), 1e-6);
    CHECK_CLOSE(item(sslh_cross_entropy(c, sslh_shift(c, x, 3.0f), y)), base, 2e-6);
    CHECK_CLOSE(-item(sslh_mean(c, sslh_log_softmax(c, sslh_full(c, sslh_dim2(3, 9), 1.0f), 1), SSLH_ALL, 0)),
                log(9.0), 1e-6);
    x = sslh_zeros(c, sslh_dim2(2, 3)); /* certain and right, certain and wrong: no overflow */
    x->data[0] = x->data[4] = 10000;
    CHECK_CLOSE(item(sslh_cross_entropy(c, x, labels(2, 0, 1))), 5000.0, 1e-6);
    CHECK_OK(c);
}

static void cross_entropy_smoothing(void) { /* (1-e) CE + e times the mean of CE over all classes */
    sslh_tensor *x = normal(12, 9), *y = labels(12, 4, 9);
    double base = item(sslh_cross_entropy(c, x, y)),
           uniform = -item(sslh_mean(c, sslh_log_softmax(c, x, 1), SSLH_ALL, 0));
    CHECK(item(sslh_cross_entropy_ex(c, x, y, 0.0f, -1)) == base, "smoothing 0 changes the loss");
    CHECK_CLOSE(item(sslh_cross_entropy_ex(c, x, y, 0.1f, -1)), 0.9 * base + 0.1 * uniform, 2e-6);
    CHECK_CLOSE(item(sslh_cross_entropy_soft(c, x, sslh_full(c, sslh_dim2(12, 9), 1.0f / 9.0f))), uniform, 2e-6);
    CHECK_OK(c);
    sslh_cross_entropy_ex(c, x = normal(2, 3), labels(2, 1, 2), 1.0f, -1);
    CHECK_ERROR(c, ".smoothing is 1 (at least 0, below 1)");
}

static void cross_entropy_ignore(void) { /* as if the ignored rows were not there */
    sslh_tensor *x, *y, *part;
    int i, r;
    x = sslh_requires_grad(normal(8, 5));
    y = labels(8, 3, 5);
    y->ints[1] = y->ints[6] = -100;
    part = sslh_requires_grad(sslh_zeros(c, sslh_dim2(6, 5)));
    {
        sslh_tensor *left = labels(6, 1, 5), *a, *b;
        for (i = r = 0; i < 8; i++)
            if (y->ints[i] >= 0) {
                memcpy(part->data + r * 5, x->data + i * 5, 5 * sizeof *x->data);
                left->ints[r++] = y->ints[i];
            }
        a = sslh_cross_entropy_ex(c, x, y, 0.2f, -100);
        sslh_backward(c, a);
        b = sslh_cross_entropy_ex(c, part, left, 0.2f, -100);
        sslh_backward(c, b);
        CHECK_CLOSE(item(a), item(b), 1e-6);
    }
    CHECK_OK(c);
    for (i = 0; i < 5 && !sslh_error(c); i++)
        CHECK(x->grad[5 + i] == 0 && x->grad[30 + i] == 0, "an ignored row has a gradient");
    if (!sslh_error(c)) CHECK(apart(x->grad + 10, part->grad + 5, 20) < 1e-7, "the other rows' gradients differ");
    x = normal(3, 4);
    y = sslh_from_ints(c, sslh_dim1(3), (y = labels(3, 0, 1))->ints);
    sslh_cross_entropy_ex(c, x, y, 0.0f, 0);
    CHECK_ERROR(c, "all 3 labels are the ignored value 0");
}

static void cross_entropy_soft_targets(void) {
    sslh_tensor *x = normal(7, 6), *y = labels(7, 5, 6), *onehot = sslh_zeros(c, sslh_dim2(7, 6)), *t;
    double entropy;
    int i;
    for (i = 0; i < 7; i++) onehot->data[i * 6 + y->ints[i]] = 1;
    CHECK_CLOSE(item(sslh_cross_entropy_soft(c, x, onehot)), item(sslh_cross_entropy(c, x, y)), 1e-6);
    t = sslh_softmax(c, normal(7, 6), 1);
    entropy = -item(sslh_sum(c, sslh_mul(c, t, sslh_log(c, t)), SSLH_ALL, 0)) / 7;
    /* cross-entropy = KL + entropy, least where the prediction is the target */
    CHECK_CLOSE(item(sslh_cross_entropy_soft(c, x, t)),
                item(sslh_kl_div(c, sslh_log_softmax(c, x, 1), t)) + entropy, 2e-6);
    CHECK_CLOSE(item(sslh_cross_entropy_soft(c, sslh_log(c, t), t)), entropy, 2e-6);
    CHECK(item(sslh_cross_entropy_soft(c, x, t)) > entropy, "cross-entropy below the entropy");
    CHECK_OK(c);
}

static void cross_entropy_gradient_sums_to_zero(void) {
    sslh_tensor *x = sslh_requires_grad(normal(9, 11));
    int i, j;
    sslh_backward(c, sslh_cross_entropy_ex(c, x, labels(9, 2, 11), 0.1f, -1));
    CHECK_OK(c);
    for (i = 0; i < 9 && !sslh_error(c); i++) {
        double sum = 0;
        for (j = 0; j < 11; j++) sum += (double)x->grad[i * 11 + j];
        CHECK_NEAR(sum, 0, 1e-7);
    }
}

static sslh_cross_entropy_desc full(sslh_tensor *weight, float smoothing, sslh_reduction reduction) {
    sslh_cross_entropy_desc d;
    memset(&d, 0, sizeof d);
    d.weight = weight, d.smoothing = smoothing, d.reduction = reduction;
    return d;
}
static void cross_entropy_weights(void) {
    static const float w[4] = {2, 0, 0.5f, 1}, bad[4] = {1, 1, -1, 1};
    sslh_tensor *x = sslh_requires_grad(normal(9, 4)), *y = labels(9, 3, 4), *weight = sslh_from(c, sslh_dim1(4), w),
                *each, *all, *ones = sslh_full(c, sslh_dim1(4), 1);
    double sum = 0, weights = 0, plain = item(sslh_cross_entropy(c, x, y));
    int i, k, way;
    CHECK(item(sslh_cross_entropy_full(c, x, y, -1, full(NULL, 0, SSLH_REDUCE_MEAN))) == plain, "the default");
    CHECK(item(sslh_cross_entropy_full(c, x, y, -1, full(ones, 0, SSLH_REDUCE_MEAN))) == plain, "weights of 1");
    CHECK_CLOSE(item(sslh_cross_entropy_full(c, x, y, -1, full(ones, 0.3f, SSLH_REDUCE_MEAN))),
                item(sslh_cross_entropy_ex(c, x, y, 0.3f, -1)), 1e-6);
    /* as many copies of an entry as its weight says; an ignored one, here of class 3, counts nowhere */
    each = sslh_keep(sslh_cross_entropy_full(c, x, y, 3, full(weight, 0, SSLH_REDUCE_NONE)));
    all = sslh_keep(sslh_cross_entropy_full(c, x, y, -1, full(NULL, 0, SSLH_REDUCE_NONE)));
    CHECK(each->ndim == 1 && each->shape[0] == 9, "shape");
    for (i = 0; i < 9; i++) {
        double share = y->ints[i] == 3 ? 0 : (double)w[y->ints[i]];
        CHECK_CLOSE(each->data[i], share * (double)all->data[i], 1e-6);
        sum += (double)each->data[i], weights += share;
    }
    CHECK_CLOSE(item(sslh_cross_entropy_full(c, x, y, 3, full(weight, 0, SSLH_REDUCE_SUM))), sum, 1e-6);
    CHECK_CLOSE(item(sslh_cross_entropy_full(c, x, y, 3, full(weight, 0, SSLH_REDUCE_MEAN))), sum / weights, 1e-6);
    sslh_backward(c, sslh_sum(c, sslh_mul(c, each, sslh_detach(c, all)), SSLH_ALL, 0));
    CHECK_OK(c);
    for (i = 0; i < 9; i++) {
        double rows = 0;
        for (k = 0; k < 4; k++) rows += (double)x->grad[i * 4 + k];
        CHECK_NEAR(rows, 0, 1e-6);
        for (k = 0; k < 4; k++)
            CHECK((x->grad[i * 4 + k] == 0) == (y->ints[i] == 3 || y->ints[i] == 1),
                  "entry %d of class %d", i, (int)y->ints[i]);
    }
    /* large logits keep the small loss of a confident prediction */
    x = sslh_full(c, sslh_dim2(1, 4), 10000.0f);
    x->data[2] = 10008;
    y = labels(1, 0, 1);
    y->ints[0] = 2;
    for (way = 0; way < 3; way++)
        CHECK_CLOSE(item(sslh_cross_entropy_full(c, x, y, -1, full(weight, 0, (sslh_reduction)way))) / (way ? 0.5 : 1),
                    log1p(3 * exp(-8.0)), 2e-7);
    CHECK_OK(c);
    /* nothing counts */
    y = labels(3, 1, 2);
    for (i = 0; i < 3; i++) y->ints[i] = 1;
    x = normal(3, 4);
    CHECK(item(sslh_cross_entropy_full(c, x, y, 1, full(NULL, 0.1f, SSLH_REDUCE_SUM))) == 0, "a sum of nothing");
    CHECK(item(sslh_sum(c, sslh_cross_entropy_full(c, x, y, 1, full(NULL, 0.1f, SSLH_REDUCE_NONE)), SSLH_ALL, 0)) == 0,
          "ignored: 0");
    CHECK(item(sslh_cross_entropy_full(c, x, y, 0, full(weight, 0, SSLH_REDUCE_SUM))) == 0, "weights of 0");
    CHECK_OK(c);
    sslh_cross_entropy_full(c, x, y, 0, full(weight, 0, SSLH_REDUCE_MEAN));
    CHECK_ERROR(c, "sslh_cross_entropy_full: all 3 labels are ignored (0) or of weight 0, the mean of nothing");
    sslh_cross_entropy_full(c, normal(3, 4), labels(3, 1, 2), -1,
                            full(sslh_from(c, sslh_dim1(4), bad), 0, SSLH_REDUCE_SUM));
    CHECK_ERROR(c, "the weight of class 2 is -1");
    sslh_cross_entropy_full(c, normal(3, 4), labels(3, 1, 2), -1,
                            full(sslh_full(c, sslh_dim1(3), 1), 0, SSLH_REDUCE_SUM));
    CHECK_ERROR(c, "weight (3): a weight for each of 4 classes is needed");
    sslh_cross_entropy_full(c, normal(3, 4), labels(3, 1, 2), -1, full(labels(4, 1, 2), 0, SSLH_REDUCE_SUM));
    CHECK_ERROR(c, "real values are needed");
    sslh_cross_entropy_full(c, normal(3, 4), labels(3, 1, 2), -1, full(NULL, 0, (sslh_reduction)7));
    CHECK_ERROR(c, ".reduction is 7 (0 to 2)");
    sslh_cross_entropy_full(c, normal(3, 4), normal(3, 4), -1, full(NULL, 0.1f, SSLH_REDUCE_SUM));
    CHECK_ERROR(c, "smoothing needs labels");
    sslh_cross_entropy_full(c, normal(3, 4), normal(3, 4), -1, full(sslh_full(c, sslh_dim1(4), 1), 0, SSLH_REDUCE_SUM));
    CHECK_ERROR(c, "weight needs labels");
}

static void label_errors(void) {
    sslh_tensor *x = normal(4, 3), *y = labels(4, 1, 4);
    sslh_cross_entropy(c, x, y);
    CHECK_ERROR(c, "sslh_cross_entropy: label 3 at position 3 is outside 0..2");
    x = normal(4, 3);
    y = labels(4, 0, 1);
    y->ints[2] = -7;
    sslh_cross_entropy_ex(c, x, y, 0.0f, -100);
    CHECK_ERROR(c, "sslh_cross_entropy_ex: label -7 at position 2 is outside 0..2");
    sslh_cross_entropy(c, normal(4, 3), normal(4, 3));
    CHECK_ERROR(c, "I32");
    sslh_cross_entropy(c, normal(4, 3), labels(5, 0, 1));
    CHECK_ERROR(c, "(5)");
}

/* The loss of a confident prediction is small beside its logits, and so is its gradient: neither may be rounded away.
   Values of two or three logits by formula, in double. Every kind of loss that has a log-sum-exp. */
static void large_logits(void) {
    static const float logit[3] = {-185.2f, -196.8f, -215.0f};
    double rest = exp(-8.0), loss = log1p(rest), p0 = rest / (1 + rest), l3, dt;
    sslh_tensor *x = sslh_zeros(c, sslh_dim2(1, 2)), *t = sslh_zeros(c, sslh_dim2(1, 2)), *q, *k, *n, *lse;
    int way, i;
    x->data[0] = 10000, x->data[1] = 10008;
    for (way = 0; way < 4; way++) { /* a label, soft targets, a label with smoothing, log-sum-exp */
        sslh_tensor *in = sslh_requires_grad(sslh_detach(c, x)), *l;
        double e = way == 2 ? 0.1 : 0, base = way == 3 ? 0 : 1;
        t->data[1] = 1;
        l = way == 0 ? sslh_cross_entropy(c, in, sslh_argmax(c, in, 1))
          : way == 1 ? sslh_cross_entropy_soft(c, in, t)
          : way == 2 ? sslh_cross_entropy_ex(c, in, sslh_argmax(c, in, 1), 0.1f, -1)
                     : sslh_sum(c, sslh_logsumexp(c, in, SSLH_AXIS(1), 0), SSLH_ALL, 0);
        sslh_backward(c, l);
        CHECK_OK(c);
        if (sslh_error(c)) return;
        if (way < 3) CHECK_NEAR(item(l), loss + e / 2 * 8, 1e-6 * e + 6e-8);
        CHECK_NEAR(in->grad[0], p0 - e / 2, 1e-8 + 6e-8 * e);
        CHECK_NEAR(in->grad[1], base == 0 ? 1 - p0 : -p0 + e / 2, 6e-8 + 6e-8 * e);
    }
    /* to the targets: dl/dt_k = lse - x_k */
    t = sslh_requires_grad(sslh_detach(c, t));
    sslh_backward(c, sslh_cross_entropy_soft(c, x, t));
    CHECK_OK(c);
    if (sslh_error(c)) return;
    dt = 8 + loss;
    CHECK_NEAR(t->grad[0], dt, 1e-6);
    CHECK_NEAR(t->grad[1], loss, 6e-8);
    /* three logits */
    x = sslh_zeros(c, sslh_dim2(1, 3));
    t = sslh_zeros(c, sslh_dim2(1, 3));
    for (i = 0; i < 3; i++) x->data[i] = (sslh_real)logit[i];
    t->data[0] = 1;
    l3 = log1p(exp((double)logit[1] - (double)logit[0]) + exp((double)logit[2] - (double)logit[0]));
    CHECK_NEAR(item(sslh_cross_entropy(c, x, labels(1, 1, 3))), l3, 6e-8);
    CHECK_NEAR(item(sslh_cross_entropy_soft(c, x, t)), l3, 6e-8);
    /* InfoNCE of a query of length 100: similarities 10000 and 9992, or these among others of the batch */
    q = sslh_zeros(c, sslh_dim2(2, 2)), k = sslh_zeros(c, sslh_dim2(2, 2)), n = sslh_zeros(c, sslh_dim2(1, 2));
    q->data[0] = q->data[2] = k->data[0] = k->data[2] = 100;
    n->data[0] = SSLH_I_R(99.92);
    q = sslh_requires_grad(q);
    lse = sslh_info_nce(c, q, k, n, 1.0f);
    CHECK_NEAR(item(lse), loss, 1e-6); /* 99.92 is not a float: similarities of 9992.00012 */
    sslh_backward(c, lse);
    CHECK_OK(c);
    if (sslh_error(c)) return;
    for (i = 0; i < 2; i++) CHECK_NEAR(q->grad[2 * i], p0 * (99.92 - 100) / 2, 1e-5 * 100 / 2);
    k->data[2] = SSLH_I_R(99.92);
    CHECK_NEAR(item(sslh_info_nce(c, q, k, NULL, 1.0f)), loss + 4, 1e-6);
    /* NT-Xent at temperature 1e-4: similarities reach 10000, those of the two images differ by 8 */
    {
        double angle = acos(1 - 8e-4);
        sslh_tensor *z = sslh_zeros(c, sslh_dim2(2, 2));
        z->data[0] = 1;
        z->data[2] = (sslh_real)cos(angle), z->data[3] = (sslh_real)sin(angle);
        CHECK_CLOSE(item(sslh_nt_xent(c, z, z, 1e-4f)), log1p(2 * rest), 2e-6); /* similarities are rounded to 2^-24 */
        z = sslh_requires_grad(z);
        sslh_backward(c, sslh_nt_xent(c, z, z, 1e-4f));
        CHECK_OK(c);
        if (sslh_error(c)) return;
        /* dl/ds of a negative is p = e^-8 / (1 + 2 e^-8); four ways in which image 0 meets image 1,
           of 4 rows each 1/4 */
        CHECK_CLOSE(z->grad[1] / (sin(angle) * 1e4 * 2 * rest / (1 + 2 * rest)), 1.0, 2e-2);
    }
}

/* --- element by element ------------------------------------------------------------------------------------------- */

static void bce_properties(void) {
    sslh_tensor *x = sslh_scale(c, normal(9, 31), 3.0f), *t = sslh_sigmoid(c, normal(9, 31)), *big;
    double base = item(sslh_bce_with_logits(c, x, t));
    sslh_tensor *s = sslh_sigmoid(c, x), *one = sslh_full(c, sslh_dim2(9, 31), 1.0f), *plain;
    CHECK_CLOSE(item(sslh_bce_with_logits(c, sslh_zeros(c, sslh_dim2(3, 5)), sslh_uniform(c, sslh_dim2(3, 5), 0, 1))),
                log(2.0), 1e-6);
    CHECK_CLOSE(item(sslh_bce_with_logits(c, sslh_neg(c, x), sslh_sub(c, one, t))), base, 1e-6);
    plain = sslh_add(c, sslh_mul(c, t, sslh_log(c, s)),
                     sslh_mul(c, sslh_sub(c, one, t), sslh_log(c, sslh_sub(c, one, s))));
    CHECK_CLOSE(-item(sslh_mean(c, plain, SSLH_ALL, 0)), base, 1e-5);
    big = sslh_full(c, sslh_dim1(4), 10000.0f);
    CHECK_NEAR(item(sslh_bce_with_logits(c, big, sslh_full(c, sslh_dim1(4), 1.0f))), 0, 1e-6);
    CHECK_CLOSE(item(sslh_bce_with_logits(c, big, sslh_zeros(c, sslh_dim1(4)))), 10000.0, 1e-6);
    CHECK_OK(c);
}

static void distances(void) {
    sslh_tensor *a = normal(40, 70), *b = normal(40, 70), *d = sslh_sub(c, a, b);
    double mse = item(sslh_mse(c, a, b)), l1 = item(sslh_l1(c, a, b));
    CHECK(item(sslh_mse(c, a, a)) == 0 && item(sslh_l1(c, a, a)) == 0 && item(sslh_huber(c, a, a, 1.0f)) == 0,
          "the distance to oneself is not 0");
    CHECK(item(sslh_mse(c, b, a)) == mse && item(sslh_l1(c, b, a)) == l1, "not symmetric");
    CHECK_CLOSE(mse, item(sslh_mean(c, sslh_square(c, d), SSLH_ALL, 0)), 1e-6);
    CHECK_CLOSE(l1, item(sslh_mean(c, sslh_abs(c, d), SSLH_ALL, 0)), 1e-6);
    CHECK_CLOSE(item(sslh_huber(c, a, b, 1000.0f)), mse / 2, 1e-6);              /* all in the square part */
    /* all but few in the straight part */
    CHECK_CLOSE(item(sslh_huber(c, a, b, 1e-4f)), 1e-4 * (l1 - 0.5e-4), 1e-6);
    CHECK_OK(c);
    sslh_mse(c, normal(2, 3), normal(3, 2));
    CHECK_ERROR(c, "sslh_mse: (2,3) and (3,2)");
    sslh_huber(c, normal(2, 3), normal(2, 3), 0.0f);
    CHECK_ERROR(c, "sslh_huber: delta 0");
}

static void kl_properties(void) {
    sslh_tensor *p = sslh_softmax(c, normal(6, 10), 1), *lp = sslh_log(c, p);
    sslh_tensor *q = sslh_softmax(c, normal(6, 10), 1), *half;
    int i;
    CHECK_NEAR(item(sslh_kl_div(c, lp, p)), 0, 1e-6);
    CHECK(item(sslh_kl_div(c, lp, q)) > 0.01, "the divergence of two distributions is not positive");
    half = sslh_zeros(c, sslh_dim2(6, 10)); /* all on one of ten equally likely classes: ln 10; 0 log 0 counts as 0 */
    for (i = 0; i < 6; i++) half->data[i * 10 + i] = 1;
    CHECK_CLOSE(item(sslh_kl_div(c, sslh_full(c, sslh_dim2(6, 10), (float)-log(10.0)), half)), log(10.0), 1e-6);
    CHECK_OK(c);
}

/* --- the same bits for any number of threads ---------------------------------------------------------------------- */

static void threads_change_nothing(void) {
    float value[2][9];
    int pass, i;
    for (pass = 0; pass < 2; pass++) {
        sslh_ctx *own = c;
        sslh_tensor *a, *b, *p;
        c = create(pass ? 4 : 1);
        a = sslh_requires_grad(normal(300, 129));
        b = sslh_requires_grad(normal(300, 129));
        p = sslh_softmax(c, b, 1);
        value[pass][0] = sslh_item(sslh_nt_xent(c, a, b, 0.2f));
        value[pass][1] = sslh_item(sslh_info_nce(c, a, b, NULL, 0.2f));
        value[pass][2] = sslh_item(sslh_cross_entropy(c, a, labels(300, 7, 129)));
        value[pass][3] = sslh_item(sslh_cross_entropy_soft(c, a, p));
        value[pass][4] = sslh_item(sslh_bce_with_logits(c, a, p));
        value[pass][5] = sslh_item(sslh_mse(c, a, b));
        value[pass][6] = sslh_item(sslh_kl_div(c, sslh_log_softmax(c, a, 1), p));
        sslh_backward(c, sslh_add(c, sslh_nt_xent(c, a, b, 0.2f), sslh_info_nce(c, a, b, normal(500, 129), 0.2f)));
        value[pass][7] = value[pass][8] = 0;
        for (i = 0; i < 300 * 129 && !sslh_error(c); i++)
            value[pass][7] += (float)a->grad[i], value[pass][8] += (float)(b->grad[i] * b->data[i]);
        CHECK_OK(c);
        sslh_destroy(c);
        c = own;
    }
    for (i = 0; i < 9; i++)
        CHECK(value[0][i] == value[1][i],
              "value %d: %.9g with one thread, %.9g with four", i, (double)value[0][i], (double)value[1][i]);
}

#define LOSS_TEST(fn) \
    sslh_begin_step(c); \
    TEST(fn)

TESTS_BEGIN
    c = create(2);
    LOSS_TEST(nt_xent_at_collapse)
    LOSS_TEST(nt_xent_at_its_best)
    LOSS_TEST(nt_xent_invariances)
    LOSS_TEST(nt_xent_equals_its_pieces)
    LOSS_TEST(nt_xent_gradient_is_tangent)
    LOSS_TEST(nt_xent_top1)
    LOSS_TEST(nt_xent_errors)
    LOSS_TEST(info_nce_at_collapse)
    LOSS_TEST(info_nce_is_cross_entropy)
    LOSS_TEST(info_nce_properties)
    LOSS_TEST(info_nce_own_negatives)
    LOSS_TEST(sinkhorn_is_balanced)
    LOSS_TEST(supcon_values)
    LOSS_TEST(accuracy_values)
    LOSS_TEST(negative_cosine_values)
    LOSS_TEST(barlow_values)
    LOSS_TEST(vicreg_values)
    LOSS_TEST(cross_entropy_values)
    LOSS_TEST(cross_entropy_smoothing)
    LOSS_TEST(cross_entropy_ignore)
    LOSS_TEST(cross_entropy_soft_targets)
    LOSS_TEST(cross_entropy_gradient_sums_to_zero)
    LOSS_TEST(cross_entropy_weights)
    LOSS_TEST(large_logits)
    LOSS_TEST(label_errors)
    LOSS_TEST(bce_properties)
    LOSS_TEST(distances)
    LOSS_TEST(kl_properties)
    LOSS_TEST(threads_change_nothing)
    sslh_destroy(c);
TESTS_END
