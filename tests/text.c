/* Transformers of text, GPT and BERT: what a token sees, padding, files, errors; what the methods draw, hide and
   predict, the text that they make up, and what they learn of a made language. */
#include "../ssl.h"
#include "harness.h"

static sslh_ctx *context(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    d.seed = 7;
    return sslh_create(d);
}
enum { V = 11, T = 8, D = 12 };
static sslh_net *small(sslh_ctx *c, int kind) {
    sslh_transformer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = kind, d.vocabulary = V, d.length = T, d.width = D, d.depth = 2, d.heads = 3;
    return sslh_transformer(c, d);
}
/* n x T tokens that depend on salt */
static sslh_tensor *tokens(sslh_ctx *c, int n, uint64_t salt) {
    int32_t v[64 * T];
    for (int i = 0; i < n * T; i++) v[i] = (int32_t)sslh_random_below(3, salt, (uint64_t)i, V);
    return sslh_from_ints(c, sslh_dim2(n, T), v);
}
static int same(const sslh_tensor *a, const sslh_tensor *b, int row, int place) {
    const size_t at = (size_t)(row * a->shape[1] + place) * D;
    return memcmp(a->data + at, b->data + at, D * sizeof *a->data) == 0;
}

/* The output at place t before and after the token at place k was changed. */
static void what_is_seen(void) {
    for (int kind = 0; kind < 3; kind++) {
        sslh_ctx *c = context(2);
        sslh_net *net = small(c, kind);
        sslh_tensor *x = tokens(c, 2, 1), *y = sslh_forward(net, x), *z;
        CHECK_OK(c);
        CHECK(y->ndim == 3 && y->shape[0] == 2 && y->shape[1] == T && y->shape[2] == D, "kind %d: shape", kind);
        for (int k = 0; k < T; k++) {
            x->ints[k] = (x->ints[k] + 1) % V;
            z = sslh_forward(net, x);
            for (int t = 0; t < T; t++) {
                int sees = kind == SSLH_BERT || k <= t;
                CHECK(same(y, z, 0, t) == !sees, "kind %d: place %d, token %d", kind, t, k);
                CHECK(same(y, z, 1, t), "kind %d: another text", kind);
            }
            x->ints[k] = (x->ints[k] + V - 1) % V;
        }
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

/* A padded text alone, without its padding, gives the same; what stands there means nothing. */
static void padding(void) {
    for (int kind = 0; kind < 3; kind++) {
        sslh_ctx *c = context(1);
        sslh_net *net = small(c, kind);
        sslh_tensor *x = tokens(c, 2, 2), *y, *z;
        sslh_forward_desc f;
        uint8_t mask[2 * T] = {0};
        memset(&f, 0, sizeof f);
        memset(mask + T + 5, 1, T - 5);
        f.mask = sslh_from_bytes(c, sslh_dim2(2, T), mask);
        y = sslh_forward_ex(net, x, f);
        z = sslh_forward(net, sslh_from_ints(c, sslh_dim2(1, 5), x->ints + T));
        for (int i = 0; i < 5 * D; i++) CHECK_NEAR(y->data[T * D + i], z->data[i], 1e-5);
        x->ints[T + 6] = (x->ints[T + 6] + 1) % V;
        z = sslh_forward_ex(net, x, f);
        for (int t = 0; t < 5; t++) CHECK(same(y, z, 1, t), "kind %d: padding is seen", kind);
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

static void wishes(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = small(c, SSLH_GPT2), *bert;
    sslh_transformer_desc d;
    sslh_forward_desc f;
    sslh_tensor *x = sslh_persist(tokens(c, 1, 3)), *y = sslh_forward(net, x), *z;
    static char text[8000];
    static const int32_t too_long[T + 1] = {0};
    memset(&f, 0, sizeof f);
    memset(&d, 0, sizeof d);
    f.dropout = 0.5f;
    CHECK(!same(y, sslh_forward_ex(net, x, f), 0, 3), "dropout in training");
    sslh_train_mode(net, 0);
    CHECK(same(y, sslh_forward_ex(net, x, f), 0, 3), "none in evaluation");
    z = sslh_transformer_scores(net, y);
    CHECK(z->ndim == 3 && z->shape[2] == V, "scores");
    f.tap = "block2";
    z = sslh_forward_ex(net, x, f);
    CHECK(z->shape[1] == T && !same(y, z, 0, 0), "the norm comes behind the last block");
    d.kind = SSLH_BERT, d.vocabulary = V, d.length = T, d.width = D, d.depth = 1, d.heads = 2, d.pooler = 1;
    bert = sslh_transformer(c, d);
    f.tap = "pooled";
    z = sslh_forward_ex(bert, x, f);
    CHECK(z->ndim == 2 && z->shape[1] == D, "pooled");
    CHECK(sslh_summary(bert, sslh_dim2(1, T), text, sizeof text) > 100 && strstr(text, "attention"), "%s", text);
    CHECK_OK(c);
    sslh_forward(net, sslh_zeros(c, sslh_dim2(1, T)));
    CHECK_ERROR(c, "the net 'transformer' wants tokens (N,T), I32, of texts of at most 8; the input is (1,8), not I32");
    sslh_forward(net, sslh_from_ints(c, sslh_dim2(1, T + 1), too_long));
    CHECK_ERROR(c, "of texts of at most 8; the input is (1,9)");
    x->ints[2] = V;
    sslh_forward(net, x);
    CHECK_ERROR(c, "sslh_embedding");
    x->ints[2] = 0;
    f.tap = NULL;
    f.segments = x;
    sslh_forward_ex(net, x, f);
    CHECK_ERROR(c, "has no segments");
    d.vocabulary = 0;
    sslh_transformer(c, d);
    CHECK_ERROR(c, "sslh_transformer: .vocabulary is 0");
    d.vocabulary = V, d.heads = 5;
    sslh_transformer(c, d);
    CHECK_ERROR(c, "sslh_transformer: 5 heads do not divide the width 12");
    sslh_destroy(c);
}

/* Rows in several pieces, computed once more in the backward pass, against the two operations that it replaces. */
static void many_classes(void) {
    enum { ROWS = 300, CLASSES = 30000, WIDE = 6 };
    sslh_ctx *c = context(2);
    static int32_t label[ROWS];
    sslh_tensor *x = sslh_requires_grad(sslh_persist(sslh_normal(c, sslh_dim2(ROWS, WIDE), 0, 1)));
    sslh_tensor *w = sslh_requires_grad(sslh_persist(sslh_normal(c, sslh_dim2(CLASSES, WIDE), 0, 0.3f)));
    sslh_tensor *b = sslh_requires_grad(sslh_persist(sslh_normal(c, sslh_dim1(CLASSES), 0, 0.3f)));
    sslh_tensor *t, *l, *leaf[3];
    static sslh_real kept[3][CLASSES * WIDE];
    double loss;
    for (int i = 0; i < ROWS; i++) label[i] = i % 7 ? (int32_t)sslh_random_below(3, 9, (uint64_t)i, CLASSES) : -5;
    leaf[0] = x, leaf[1] = w, leaf[2] = b;
    t = sslh_from_ints(c, sslh_dim1(ROWS), label);
    l = sslh_linear_cross_entropy(c, x, w, b, t, -5);
    sslh_backward(c, l);
    loss = sslh_item(l);
    for (int k = 0; k < 3 && !sslh_error(c); k++) {
        memcpy(kept[k], leaf[k]->grad, leaf[k]->count * sizeof(sslh_real));
        memset(leaf[k]->grad, 0, leaf[k]->count * sizeof(sslh_real));
    }
    l = sslh_cross_entropy_ex(c, sslh_linear(c, x, w, b), t, 0, -5);
    sslh_backward(c, l);
    CHECK_OK(c);
    CHECK_NEAR(sslh_item(l), loss, 1e-6);
    for (int k = 0; k < 3 && !sslh_error(c); k++)
        for (size_t i = 0; i < leaf[k]->count; i++) {
            double d = (double)(leaf[k]->grad[i] - kept[k][i]);
            if (d < 0) d = -d;
            if (d > 1e-7) CHECK(0, "gradient %d of value %d: off by %g", k, (int)i, d);
        }
    sslh_destroy(c);
}

/* Features of a token field: the mean over the tokens of each text, padding left aside. */
static void features(void) {
    sslh_ctx *c = context(2);
    sslh_net *net = small(c, SSLH_BERT);
    sslh_tensor *x = sslh_persist(tokens(c, 3, 5)), *all, *one;
    static const int32_t lengths[3] = {8, 3, 5};
    sslh_feature_desc fd;
    sslh_field f;
    sslh_data data;
    memset(&f, 0, sizeof f);
    memset(&fd, 0, sizeof fd);
    f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(T), f.values = x->ints, f.lengths = lengths;
    data = sslh_data_from_fields(c, &f, 1, 3);
    all = sslh_features(c, net, data, fd);
    CHECK_OK(c);
    CHECK(all->ndim == 2 && all->shape[0] == 3 && all->shape[1] == D, "shape");
    for (int n = 0; n < 3 && !sslh_error(c); n++) {
        one = sslh_mean(c, sslh_forward(net, sslh_from_ints(c, sslh_dim2(1, lengths[n]), x->ints + n * T)),
                        SSLH_AXIS(1), 0);
        for (int i = 0; i < D; i++) CHECK_NEAR(all->data[n * D + i], one->data[i], 1e-5);
    }
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(what_is_seen)
    TEST(padding)
    TEST(wishes)
    TEST(many_classes)
    TEST(features)
TESTS_END
