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

#if SSLH_WITH_GPT
/* A made language: after letter x come x + 1 (twice as often) or x + 3, modulo V. Its entropy is 0.637 nats a token. */
enum { LONG = 4000 };
static const int32_t *language(void) {
    static int32_t text[LONG];
    for (int i = 1; i < LONG; i++)
        text[i] = (text[i - 1] + (sslh_random_below(5, 1, (uint64_t)i, 3) < 2 ? 1 : 3)) % V;
    return text;
}
static sslh_method gpt(sslh_ctx *c, sslh_net *net) {
    sslh_gpt_desc d;
    memset(&d, 0, sizeof d);
    return sslh_gpt(c, net, d);
}

/* Where windows begin, what stands behind them, and that an epoch moves them. */
static void windows(void) {
    static int32_t text[100];
    sslh_ctx *c = context(1);
    sslh_method m = gpt(c, small(c, SSLH_GPT2));
    sslh_loader_desc l;
    sslh_loader *loader;
    sslh_batch b;
    sslh_data data;
    int moved = 0, other = 0, last[16] = {0}, epoch;
    for (int i = 0; i < 100; i++) text[i] = i;
    data = sslh_data_stream(c, text, 100, 6);
    CHECK(data.count == 16, "%d windows", (int)data.count);
    memset(&l, 0, sizeof l);
    l.batch = 16, l.epochs = 3;
    loader = sslh_loader_new(c, data, l);
    for (epoch = 0; sslh_next_batch(loader, &b); epoch++) {
        sslh_view_set v;
        sslh_tensor *x, *y;
        memset(&v, 0, sizeof v);
        m.views(&m, &b, &v);
        x = sslh_view_get(&v, "tokens"), y = sslh_view_get(&v, "targets");
        for (int n = 0; n < 16; n++) {
            int first = x->ints[n * 6], sample = b.index[n];
            CHECK(first >= sample * 6 && first < sample * 6 + 6 && first + 6 < 100, "sample %d begins at %d", sample,
                  first);
            for (int t = 0; t < 6; t++)
                CHECK(x->ints[n * 6 + t] == first + t && y->ints[n * 6 + t] == first + t + 1, "a window");
            moved += first != sample * 6;
            other += epoch && last[sample] != first;
            last[sample] = first;
        }
    }
    CHECK(moved > 20 && other > 10, "moved %d, other in the next epoch %d", moved, other);
    CHECK_OK(c);
    sslh_data_stream(c, text, 6, 6);
    CHECK_ERROR(c, "sslh_data_stream: 6 tokens, windows of 6: more tokens are needed than a window has");
    sslh_destroy(c);
}

/* ln V at first; texts with lengths: what stands behind their end changes nothing. */
static void gpt_loss(void) {
    sslh_ctx *c = context(2);
    sslh_net *net = small(c, SSLH_GPT2);
    sslh_method m = gpt(c, net);
    static int32_t x[4 * 7];
    static const int32_t lengths[4] = {7, 3, 1, 5};
    sslh_field f;
    sslh_data data;
    double a, b, nats = 0;
    for (int i = 0; i < 28; i++) x[i] = (int32_t)sslh_random_below(4, 4, (uint64_t)i, V);
    memset(&f, 0, sizeof f);
    f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(7), f.values = x, f.lengths = lengths;
    data = sslh_data_from_fields(c, &f, 1, 4);
    a = (double)sslh_gpt_evaluate(net, data);
    CHECK_NEAR(a, log((double)V), 0.1);
    x[7 + 3] = (x[7 + 3] + 1) % V, x[14 + 1] = 3, x[21 + 6] = 0; /* all behind the ends */
    b = (double)sslh_gpt_evaluate(net, data);
    CHECK(a == b, "padding counts: %g and %g", a, b);
    for (int n = 0; n < 4; n++) { /* by the definition: 6 + 2 + 0 + 4 predictions */
        sslh_tensor *p;
        if (lengths[n] < 2) continue;
        p = sslh_forward(net, sslh_from_ints(c, sslh_dim2(1, lengths[n]), x + 7 * n));
        p = sslh_log_softmax(c, sslh_transformer_scores(net, p), -1);
        for (int t = 0; t + 1 < lengths[n] && !sslh_error(c); t++) nats -= (double)p->data[t * V + x[7 * n + t + 1]];
    }
    CHECK_NEAR(a, nats / 12, 1e-5);
    CHECK_OK(c);
    (void)m;
    gpt(c, small(c, SSLH_BERT));
    CHECK_ERROR(c, "sslh_gpt: the encoder is not causal");
    sslh_destroy(c);
}

/* It learns the language to near its entropy, and what it makes up is of it. With and without the cache, and for any
   number of threads, the text is the same, beyond the length of the net too. */
static void gpt_learns(void) {
    uint64_t hash = 0;
    for (int threads = 1; threads <= 2; threads++) {
        sslh_ctx *c = context(threads);
        sslh_net *net = small(c, SSLH_GPT2);
        sslh_method m = gpt(c, net);
        sslh_data data = sslh_data_stream(c, language(), LONG, T), test;
        sslh_train_desc d;
        sslh_generate_desc g;
        int32_t out[3][40], start[3] = {0, 1, 2}, n, right = 0;
        double nats;
        memset(&d, 0, sizeof d), memset(&g, 0, sizeof g);
        d.epochs = 12, d.batch = 8, d.lr = 0.01f, d.quiet = 1;
        test = sslh_data_range(data, 400, data.count);
        sslh_train(c, m, sslh_data_range(data, 0, 400), d);
        nats = (double)sslh_gpt_evaluate(net, test);
        CHECK(nats > 0.6 && nats < 0.85, "%g nats", nats);
        if (threads == 1) hash = sslh_hash(net);
        CHECK(sslh_hash(net) == hash, "other bits");
        g.stream = 5;
        for (int k = 0; k < 3; k++) {
            g.no_cache = k == 1, g.temperature = k == 2 ? (float)SSLH_OFF : 0.8f;
            n = sslh_gpt_generate(net, start, 3, out[k], 40, g);
            CHECK_OK(c);
            CHECK(n == 40, "%d tokens", (int)n);
        }
        CHECK(memcmp(out[0], out[1], sizeof out[0]) == 0, "the cache changes the text");
        for (n = 0; n < 39; n++) {
            int step = (out[0][n + 1] - out[0][n] + V) % V;
            right += step == 1 || step == 3;
            CHECK((out[2][n + 1] - out[2][n] + V) % V == 1, "greedy: the likely letter");
        }
        CHECK(right >= 34, "%d of 39 steps are of the language", (int)right);
        g.temperature = 0, g.top_k = 1;
        sslh_gpt_generate(net, start, 3, out[0], 40, g);
        CHECK(memcmp(out[0], out[2], sizeof out[0]) == 0, "top_k 1 is greedy");
        g.top_k = 0, g.top_p = 0.3f;
        sslh_gpt_generate(net, start, 3, out[0], 40, g);
        CHECK(memcmp(out[0], out[2], sizeof out[0]) == 0, "so is a top_p below the most likely");
        g.top_p = 0.95f, g.temperature = 0.9f; /* only the two letters that there are */
        g.stops = 1, g.stop = 7;
        n = sslh_gpt_generate(net, start, 3, out[0], 40, g);
        CHECK(n > 0 && n < 40 && out[0][n - 1] == 7, "ends with the token that ends it");
        CHECK_OK(c);
        g.temperature = -2;
        CHECK(sslh_gpt_generate(net, start, 3, out[0], 40, g) == 0, "nothing");
        CHECK_ERROR(c, "sslh_gpt_generate: .temperature is -2");
        g.temperature = 0, start[1] = V;
        CHECK(sslh_gpt_generate(net, start, 3, out[0], 40, g) == 0, "nothing");
        CHECK_ERROR(c, "sslh_embedding");
        CHECK(sslh_gpt_generate(net, start, 0, out[0], 40, g) == 0, "nothing");
        CHECK_ERROR(c, "sslh_gpt_generate: 0 tokens to begin with");
        sslh_destroy(c);
    }
}
#endif

TESTS_BEGIN
    TEST(what_is_seen)
    TEST(padding)
    TEST(wishes)
    TEST(many_classes)
    TEST(features)
#if SSLH_WITH_GPT
    TEST(windows)
    TEST(gpt_loss)
    TEST_LEARNS(gpt_learns)
#endif
TESTS_END
