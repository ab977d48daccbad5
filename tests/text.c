/* Transformers of text, GPT and BERT: what a token sees, padding, files, errors; what the methods draw, hide and
   predict, the text that they make up, and what they learn of a made language. */
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"

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
    for (int kind = 0; kind < 4; kind++) {
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
    for (int kind = 0; kind < 4; kind++) {
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

/* Positions of the caller's own, and SASRec's dropout of the weights of the attention, which has a path of its own:
   with hardly any of it the result is that without. */
static void sasrec_net(void) {
    sslh_ctx *c = context(2);
    sslh_net *net = small(c, SSLH_SASREC);
    sslh_tensor *x = tokens(c, 2, 4), *weight = sslh_normal(c, sslh_dim3(2, T, D), 0, 1), *y, *z, *moved;
    sslh_forward_desc f;
    static sslh_real slopes[16][D * D + V * D];
    uint8_t mask[2 * T] = {0};
    int32_t places[2 * T];
    memset(&f, 0, sizeof f);
    memset(mask + T + 5, 1, T - 5);
    for (int i = 0; i < 2 * T; i++) places[i] = i % T;
    y = sslh_forward(net, x);
    f.positions = sslh_from_ints(c, sslh_dim2(2, T), places);
    z = sslh_forward_ex(net, x, f);
    for (int t = 0; t < T; t++) CHECK(same(y, z, 0, t) && same(y, z, 1, t), "the same positions");
    f.dropout = 1e-7f;
    z = sslh_forward_ex(net, x, f);
    for (int i = 0; i < 2 * T * D; i++) CHECK_NEAR(y->data[i], z->data[i], 1e-5);
    for (int k = 0; k < 2; k++) { /* and so are the gradients */
        f.dropout = k ? 1e-7f : 0;
        sslh_zero_grad(net);
        sslh_backward(c, sslh_sum(c, sslh_mul(c, sslh_forward_ex(net, x, f), weight), SSLH_ALL, 0));
        for (int i = 0; i < 16 && !sslh_error(c); i++) {
            const sslh_tensor *p = sslh_param(net, i);
            if (!k) memcpy(slopes[i], p->grad, p->count * sizeof *p->grad);
            for (size_t j = 0; k && j < p->count; j++) CHECK_CLOSE(p->grad[j], slopes[i][j], 1e-4);
        }
    }
    f.dropout = 0, f.mask = sslh_from_bytes(c, sslh_dim2(2, T), mask);
    y = sslh_forward_ex(net, x, f);
    f.dropout = 1e-7f;
    z = sslh_forward_ex(net, x, f);
    for (int i = 0; i < 2 * T * D; i++) CHECK_NEAR(y->data[i], z->data[i], 1e-5);
    f.dropout = 0.5f;
    z = sslh_forward_ex(net, x, f);
    CHECK(!same(y, z, 0, 0) && !same(y, z, 0, 3), "dropout in training");
    for (int i = 0; i < 2 * T; i++) places[i] = T - 1 - i % T;
    f.dropout = 0, f.mask = NULL, f.positions = sslh_from_ints(c, sslh_dim2(2, T), places);
    moved = sslh_forward_ex(net, x, f);
    CHECK(!same(y, moved, 0, 0), "other positions");
    CHECK_OK(c);
#if SSLH_WITH_GPT
    {
        sslh_generate_desc g;
        int32_t text[2][20], first[2] = {3, 5};
        memset(&g, 0, sizeof g);
        g.stream = 4;
        for (int k = 0; k < 2; k++) {
            g.no_cache = k;
            CHECK(sslh_gpt_generate(net, first, 2, text[k], 20, g) == 20, "20 tokens");
        }
        CHECK(memcmp(text[0], text[1], sizeof text[0]) == 0, "the cache changes the text");
    }
    CHECK_OK(c);
#endif
    places[3] = T;
    f.positions = sslh_from_ints(c, sslh_dim2(2, T), places);
    sslh_forward_ex(net, x, f);
    CHECK_ERROR(c, "sslh_embedding");
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

/* Parts of a stream: the letter 7 stands in the windows of the test alone, where it is to be predicted, and no training
   batch reads or predicts it. Windows of a range move, those of a part with gaps do not. */
static void parts_of_a_stream(void) {
    enum { ALL = 40 };
    for (int how = 0; how < 3; how++) {
        static int32_t text[ALL * T + 1];
        sslh_ctx *c = context(1);
        sslh_method m = gpt(c, small(c, SSLH_GPT2));
        sslh_data all = sslh_data_stream(c, text, ALL * T + 1, T);
        sslh_loader_desc l;
        sslh_loader *loader;
        sslh_batch b;
        sslh_split s;
        sslh_split_desc d;
        char held[ALL] = {0};
        int moved = 0, seven = 0;
        memset(&l, 0, sizeof l), memset(&d, 0, sizeof d), memset(&s, 0, sizeof s);
        l.batch = 5, l.epochs = 5, d.test = 0.25f;
        if (how == 0) s = sslh_data_split(all, d);
        else if (how == 1) s.train = sslh_data_range(all, 0, 30), s.test = sslh_data_range(all, 30, ALL);
        else { /* a part of a part, and of the whole again */
            sslh_data odd = sslh_data_split(all, d).train;
            s.train = sslh_data_range(sslh_data_range(all, 0, 35), 5, 25);
            CHECK(sslh_data_range(odd, 0, 1).field[0].stream > 0 && odd.field[0].stream < 0, "gaps");
            CHECK(sslh_data_fraction(all, 0.3, 1).field[0].stream == all.field[0].stream, "nothing is held out");
        }
        CHECK_OK(c);
        memset(held, how == 2, sizeof held);
        for (int i = 0; i < s.test.count; i++) held[s.test.order[i]] = 1;
        for (int i = 0; how == 2 && i < s.train.count; i++) held[s.train.order[i]] = 0;
        for (int i = 0; i <= ALL * T; i++) text[i] = i < ALL * T && held[i / T] && i % T ? 7 : 1 + i % 5;
        loader = sslh_loader_new(c, s.train, l);
        while (sslh_next_batch(loader, &b)) {
            sslh_view_set v;
            const int32_t *x, *y;
            memset(&v, 0, sizeof v);
            m.views(&m, &b, &v);
            x = sslh_view_get(&v, "tokens")->ints, y = sslh_view_get(&v, "targets")->ints;
            for (int i = 0; i < b.count * T && !sslh_error(c); i++) seven += x[i] == 7 || y[i] == 7;
            for (int n = 0; n < b.count && !sslh_error(c); n++)
                moved += memcmp(x + n * T, text + b.index[n] * T, T * sizeof *x) != 0;
        }
        CHECK_OK(c);
        CHECK(seven == 0, "way %d: %d tokens of the test", how, seven);
        CHECK((moved > 20) == (how > 0), "way %d: %d windows moved", how, moved);
        sslh_destroy(c);
    }
}

/* A batch of texts that predict nothing is passed over, also by BERT; a data set of such texts is an error. */
static void short_texts(void) {
    enum { N = 6 };
    static int32_t x[N * T];
    static const int32_t some[N] = {5, 1, 4, 1, 1, 6}, none[N] = {1, 0, 1, 1, 0, 1}, empty[N] = {0};
    sslh_ctx *c = context(1);
    sslh_field f;
    sslh_train_desc d;
    sslh_net *net = small(c, SSLH_GPT2);
    memset(&f, 0, sizeof f), memset(&d, 0, sizeof d);
    for (int i = 0; i < N * T; i++) x[i] = (int32_t)sslh_random_below(4, 4, (uint64_t)i, V);
    f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(T), f.values = x, f.lengths = some;
    d.epochs = 3, d.batch = 1, d.quiet = 1;
    CHECK(sslh_train(c, gpt(c, net), sslh_data_from_fields(c, &f, 1, N), d) > 0.5f, "half of the texts have a loss");
    CHECK(sslh_gpt_evaluate(net, sslh_data_from_fields(c, &f, 1, N)) > 0.5f, "and all predictions");
    CHECK_OK(c);
    f.lengths = none;
    sslh_train(c, gpt(c, net), sslh_data_from_fields(c, &f, 1, N), d);
    CHECK_ERROR(c, "gpt: no text has two tokens, so nothing is predicted");
#if SSLH_WITH_BERT
    sslh_bert_desc bd;
    sslh_transformer_desc td;
    sslh_method m;
    memset(&bd, 0, sizeof bd), memset(&td, 0, sizeof td);
    bd.cls_token = 7, bd.sep_token = 8, bd.mask_token = 9, bd.pad_token = 10;
    td.kind = SSLH_BERT, td.vocabulary = V, td.length = T + 2, td.width = D, td.depth = 1, td.heads = 3;
    m = sslh_bert(c, sslh_transformer(c, td), bd);
    CHECK(sslh_train(c, m, sslh_data_from_fields(c, &f, 1, N), d) > 0.5f, "two of six are empty");
    CHECK_OK(c);
    f.lengths = empty;
    CHECK(sslh_bert_evaluate(&m, sslh_data_from_fields(c, &f, 1, N)) == 0, "no loss");
    CHECK_ERROR(c, "sslh_bert_evaluate: the texts are too short, so nothing is predicted");
    sslh_train(c, m, sslh_data_from_fields(c, &f, 1, N), d);
    CHECK_ERROR(c, "bert: no text has a token, so nothing is predicted");
#endif
    sslh_destroy(c);
}

/* A token that the encoder lacks is found before the first step, in the last window too; what is behind the end of a
   text may be anything; errors begin with the function that was called. */
static void unknown_tokens(void) {
    enum { N = 40 };
    static int32_t x[N * T];
    static int32_t lengths[N];
    sslh_ctx *c = context(1);
    sslh_net *net = small(c, SSLH_GPT2);
    sslh_method m = gpt(c, net);
    sslh_data stream = sslh_data_stream(c, x, N * T, T), padded;
    sslh_field f;
    sslh_generate_desc g;
    int32_t prompt[2] = {1, V}, out[3];
    float loss;
    memset(&f, 0, sizeof f), memset(&g, 0, sizeof g);
    for (int i = 0; i < N * T; i++) x[i] = i % V;
    for (int i = 0; i < N; i++) lengths[i] = T - 3;
    f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(T), f.values = x, f.lengths = lengths;
    padded = sslh_data_from_fields(c, &f, 1, N);
    m.prepare(&m, stream);
    loss = sslh_gpt_evaluate(net, padded);
    CHECK_OK(c);
    for (int i = 0; i < N; i++) x[i * T + T - 1] = -1, x[i * T + T - 2] = V;
    m.prepare(&m, padded);
    CHECK_NEAR(sslh_gpt_evaluate(net, padded), (double)loss, 0);
    CHECK_OK(c);
    for (int i = 0; i < N * T; i++) x[i] = i % V;
    for (int k = 0; k < 2; k++) {
        x[k ? 5 : N * T - 1] = k ? -1 : V;
        m.prepare(&m, stream);
        CHECK_ERROR(c, k ? "gpt: the data have token -1, but the encoder knows 0 to 10"
                         : "gpt: the data have token 11, but the encoder knows 0 to 10");
    }
    sslh_gpt_evaluate(net, stream);
    CHECK_ERROR(c, "sslh_gpt_evaluate: sslh_embedding: index -1");
    {
        sslh_feature_desc d;
        sslh_tensor *a, *b;
        memset(&d, 0, sizeof d);
        x[5] = V;
        a = sslh_features(c, net, padded, d);
        for (int i = 0; i < N; i++) x[i * T + T - 1] = -1;
        b = sslh_features(c, net, padded, d);
        CHECK_OK(c);
        CHECK(a->count == b->count && !memcmp(a->data, b->data, a->count * sizeof *a->data), "what is behind the end");
        x[0] = V;
        sslh_features(c, net, padded, d);
        CHECK_ERROR(c, "sslh_features: sslh_embedding: index 11");
        x[5] = -1;
    }
    sslh_gpt_evaluate(net, sslh_data_stream(c, x, N * T, T + 1));
    CHECK_ERROR(c, "sslh_gpt_evaluate: sslh_forward: ");
    CHECK(sslh_gpt_generate(net, prompt, 2, out, 3, g) == 0, "an unknown token");
    CHECK_ERROR(c, "sslh_gpt_generate: sslh_embedding: index 11");
    g.stops = 1, g.stop = V;
    CHECK(sslh_gpt_generate(net, prompt, 1, out, 3, g) == 0, "a stop that never comes");
    CHECK_ERROR(c, "sslh_gpt_generate: .stop is 11, which never comes");
    sslh_destroy(c);
}

/* Of a prompt that is too long the net sees the end, as much as it can read. */
static void long_prompts(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = small(c, SSLH_GPT2);
    sslh_generate_desc g;
    int32_t text[3 * T], one[2], two[2];
    memset(&g, 0, sizeof g);
    for (int k = 0; k < 20; k++) {
        const int n = T + 1 + k % (2 * T);
        for (int i = 0; i < n; i++) text[i] = (int32_t)sslh_random_below(6, (uint64_t)k, (uint64_t)i, V);
        g.stream = (uint64_t)k + 1, g.no_cache = k % 2;
        CHECK(sslh_gpt_generate(net, text, n, one, 1, g) == 1, "a token");
        CHECK(sslh_gpt_generate(net, text + n - T, T, two, 1, g) == 1 && one[0] == two[0], "prompt of %d tokens", n);
    }
    CHECK_OK(c);
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

#if SSLH_WITH_BERT
enum { CLS = 100, SEP = 101, MASK = 102, PAD = 103, WORDS = 104 };
static sslh_net *reader(sslh_ctx *c, int length, int pooler) {
    sslh_transformer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = SSLH_BERT, d.vocabulary = WORDS, d.length = length, d.width = 24, d.depth = 2, d.heads = 3;
    d.pooler = pooler;
    return sslh_transformer(c, d);
}
static sslh_bert_desc bert_settings(void) {
    sslh_bert_desc d;
    memset(&d, 0, sizeof d);
    d.cls_token = CLS, d.sep_token = SEP, d.mask_token = MASK, d.pad_token = PAD;
    return d;
}
/* n texts of up to width tokens 0 .. 99 in a field; lengths NULL: all full */
static sslh_field texts(const int32_t *x, int width, const int32_t *lengths) {
    sslh_field f;
    memset(&f, 0, sizeof f);
    f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(width), f.values = x, f.lengths = lengths;
    return f;
}

/* 15 % of the tokens are hidden, 80 % of these by [MASK], 10 % by any token; never a special one; other ones in another
   epoch. */
static void hidden(void) {
    enum { N = 200, W = 40 };
    static int32_t x[N * W], lengths[N];
    sslh_ctx *c = context(1);
    sslh_method m = sslh_bert(c, reader(c, W + 2, 0), bert_settings());
    sslh_field f;
    sslh_batch b;
    double masked = 0, kept = 0, all = 0, before = 0;
    int again = 0;
    for (int i = 0; i < N * W; i++) x[i] = (int32_t)sslh_random_below(3, 3, (uint64_t)i, 100);
    for (int i = 0; i < N; i++) lengths[i] = i % 5 ? W : i % 41, before += i % 5 ? 6 : 0;
    f = texts(x, W, lengths);
    b = first_batch(c, sslh_data_from_fields(c, &f, 1, N), N);
    for (int epoch = 0; epoch < 2; epoch++) {
        sslh_view_set v;
        static int32_t places[2][N * 6];
        const int32_t *t, *at, *target;
        const uint8_t *padding;
        memset(&v, 0, sizeof v);
        b.epoch = epoch;
        m.views(&m, &b, &v);
        CHECK_OK(c);
        if (sslh_error(c)) break;
        t = sslh_view_get(&v, "tokens")->ints, at = sslh_view_get(&v, "places")->ints;
        target = sslh_view_get(&v, "targets")->ints, padding = sslh_view_get(&v, "padding")->bytes;
        memcpy(places[epoch], at, sizeof places[epoch]);
        for (int i = 0; i < N * 6; i++) again += epoch && places[0][i] == at[i] && target[i] != -1;
        for (int n = 0; n < N; n++) {
            const int sample = b.index[n], long_ = lengths[sample], *row = t + n * (W + 2);
            int changed = 0, hid = 0;
            CHECK(row[0] == CLS && row[long_ + 1] == SEP, "ends of text %d", n);
            for (int i = 0; i < W + 2; i++) CHECK(padding[n * (W + 2) + i] == (i > long_ + 1), "padding");
            for (int i = long_ + 2; i < W + 2; i++) CHECK(row[i] == PAD, "what stands there");
            for (int i = 0; i < 6; i++) {
                const int place = at[n * 6 + i] - n * (W + 2);
                if (target[n * 6 + i] == -1) continue;
                hid++;
                CHECK(place >= 1 && place <= long_ && target[n * 6 + i] == x[sample * W + place - 1], "a target");
                masked += row[place] == MASK, kept += row[place] == target[n * 6 + i];
            }
            for (int i = 0; i < long_; i++) changed += row[i + 1] != x[sample * W + i];
            CHECK(changed <= hid, "only what is predicted changes");
            CHECK(hid == (long_ ? (int)(0.15 * long_ + 0.5) > 1 ? (int)(0.15 * long_ + 0.5) : 1 : 0), "%d of %d", hid,
                  long_);
            all += hid;
        }
    }
    CHECK_NEAR(masked / all, 0.8, 0.03);
    CHECK_NEAR(kept / all, 0.1 + 0.1 / 104, 0.03);
    CHECK(again < 300, "%d places of %g again in the next epoch", again, all / 2);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Two texts: their segments, and what answer belongs to which. */
static void two_texts(void) {
    enum { N = 64, A = 5, B = 4 };
    static int32_t a[N * A], b_[N * B];
    for (int i = 0; i < N * A; i++) a[i] = i / A;
    for (int i = 0; i < N * B; i++) b_[i] = i / B; /* a text is made of its number */
    for (int next = 1; next <= 2; next++) {
        sslh_ctx *c = context(1);
        sslh_bert_desc d = bert_settings();
        sslh_method m;
        sslh_field f[2];
        sslh_batch b;
        sslh_view_set v;
        int wrong = 0;
        memset(&v, 0, sizeof v);
        d.next = next, d.mask = 0.01f, d.hidden = SSLH_OFF, d.replaced = SSLH_OFF; /* nothing is hidden */
        m = sslh_bert(c, reader(c, 16, 1), d);
        f[0] = texts(a, A, NULL), f[1] = texts(b_, B, NULL);
        b = first_batch(c, sslh_data_from_fields(c, f, 2, N), N);
        m.views(&m, &b, &v);
        CHECK_OK(c);
        for (int n = 0; n < N && !sslh_error(c); n++) {
            const int32_t *t = sslh_view_get(&v, "tokens")->ints + n * 12;
            const int32_t *s = sslh_view_get(&v, "segments")->ints + n * 12;
            const int y = sslh_view_get(&v, "answers")->ints[n], own = b.index[n];
            const int first = next == 2 && y ? B : A;
            CHECK(t[first + 1] == SEP && t[11] == SEP && t[1] == own, "the ends");
            CHECK((t[first + 2] == own) == (next == 2 || !y), "the second text");
            for (int i = 0; i < 12; i++) CHECK(s[i] == (i > first + 1), "segments");
            wrong += y;
        }
        CHECK(wrong > 16 && wrong < 48, "%d of 64", wrong);
        CHECK_NEAR(sslh_item(m.loss(&m, &v, 0)), log((double)WORDS) + log(2.0), 0.2);
        CHECK(m.numbers[1].value > 0.2f && m.numbers[1].value < 0.8f, "guesses");
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

/* Evaluation: windows of a stream are those of the data, and the second text of a sample is its own. */
static void bert_evaluates(void) {
    enum { N = 5, W = 6 };
    static int32_t x[N * W + 1], y[N * W];
    sslh_ctx *c = context(1);
    sslh_bert_desc d = bert_settings();
    sslh_method m = sslh_bert(c, reader(c, W + 2, 0), d);
    sslh_field f[2];
    sslh_data both;
    double all, sum = 0;
    for (int i = 0; i < N * W; i++) x[i] = i % 97, y[i] = 50 + i % 41;
    f[0] = texts(x, W, NULL);
    all = (double)sslh_bert_evaluate(&m, sslh_data_from_fields(c, f, 1, N));
    CHECK_NEAR(sslh_bert_evaluate(&m, sslh_data_stream(c, x, N * W + 1, W)), all, 0);
    f[1] = texts(y, W, NULL);
    for (int next = 1; next <= 2; next++, sum = 0) {
        d.next = next, d.mask = 0.5f;
        m = sslh_bert(c, reader(c, 2 * W + 3, 1), d);
        both = sslh_data_from_fields(c, f, 2, N);
        all = (double)sslh_bert_evaluate(&m, both);
        for (int i = 0; i < N; i++) sum += (double)sslh_bert_evaluate(&m, sslh_data_range(both, i, i + 1));
        CHECK_NEAR(sum / N, all, 1e-5);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Data that cannot be learnt from are found before the first step, and errors begin with the function called. */
static void bert_refuses(void) {
    enum { N = 5, W = 6 };
    static int32_t x[N * W], y[N * W];
    static const int32_t none[N] = {0}, one[N] = {0, 0, 0, 0, 1};
    sslh_ctx *c = context(1);
    sslh_bert_desc d = bert_settings();
    sslh_method m = sslh_bert(c, reader(c, W + 2, 0), d);
    sslh_field f[2];
    int32_t text[2] = {MASK, WORDS}, best;
    float probability;
    for (int i = 0; i < N * W; i++) x[i] = i % 97, y[i] = 50 + i % 41;
    CHECK(sslh_fill_mask(&m, text, 2, 1, &best, &probability) == -1, "an unknown token");
    CHECK_ERROR(c, "sslh_fill_mask: sslh_embedding: index ");
    f[0] = texts(x, W + 1, NULL), f[1] = texts(y, W, NULL);
    sslh_bert_evaluate(&m, sslh_data_from_fields(c, f, 1, N - 1));
    CHECK_ERROR(c, "sslh_bert_evaluate: sslh_forward: ");
    d.next = 1;
    m = sslh_bert(c, reader(c, 2 * W + 3, 1), d);
    f[0] = texts(x, W, NULL);
    m.prepare(&m, sslh_data_from_fields(c, f, 2, N));
    f[1].lengths = one;
    m.prepare(&m, sslh_data_from_fields(c, f, 2, N));
    CHECK_OK(c);
    f[1].lengths = none;
    m.prepare(&m, sslh_data_from_fields(c, f, 2, N));
    CHECK_ERROR(c, "sslh_bert: .next needs two texts a sample, but no sample has a token in both");
    f[1].lengths = NULL, y[N * W - 1] = WORDS;
    m.prepare(&m, sslh_data_from_fields(c, f, 2, N));
    CHECK_ERROR(c, "bert: the data have token ");
    f[1].stream = N * W;
    m.prepare(&m, sslh_data_from_fields(c, f, 2, N - 1));
    CHECK_ERROR(c, "sslh_bert: .next needs two texts a sample: two fields of tokens (T), and no stream");
    sslh_destroy(c);
}

/* It learns a language that counts to ten in a circle, and fills a gap. */
static void bert_learns(void) {
    enum { N = 400, W = 8 };
    static int32_t x[N * W];
    for (int i = 0; i < N * W; i++)
        x[i] = i % W ? (x[i - 1] + 1) % 10 : (int32_t)sslh_random_below(8, 8, (uint64_t)i, 10);
    {
        sslh_ctx *c = context(2);
        sslh_bert_desc d = bert_settings();
        sslh_field f = texts(x, W, NULL);
        sslh_data data = sslh_data_from_fields(c, &f, 1, N);
        sslh_train_desc t;
        sslh_method m;
        int32_t gap[W] = {4, 5, MASK, 7, 8, 9, 0, 1}, best[3];
        float p[3];
        double nats;
        memset(&t, 0, sizeof t);
        d.dropout = SSLH_OFF, d.mask = 0.25f;
        m = sslh_bert(c, reader(c, W + 2, 0), d);
        CHECK_NEAR(sslh_bert_evaluate(&m, data), log((double)WORDS), 0.2);
        t.epochs = 40, t.batch = 16, t.lr = 0.003f, t.quiet = 1;
        sslh_train(c, m, data, t);
        nats = (double)sslh_bert_evaluate(&m, data);
        CHECK(nats > 0 && nats < 0.5, "%g nats", nats);
        CHECK(sslh_fill_mask(&m, gap, W, 3, best, p) == 2, "the place of the gap");
        CHECK(best[0] == 6 && p[0] > 0.5f && p[0] >= p[1] && p[1] >= p[2], "%d with %g", best[0], (double)p[0]);
        CHECK_OK(c);
        gap[2] = 6;
        CHECK(sslh_fill_mask(&m, gap, W, 3, best, p) == -1, "no gap");
        CHECK_ERROR(c, "sslh_fill_mask: the text has no [MASK] (token 102, .mask_token of sslh_bert)");
        CHECK(sslh_fill_mask(&m, gap, W + 1, 3, best, p) == -1, "too long");
        CHECK_ERROR(c, "sslh_fill_mask: a text of 1 to 8 tokens");
        d.mask_token = WORDS;
        sslh_bert(c, reader(c, 10, 1), d);
        CHECK_ERROR(c, "sslh_bert: the special token 104 is beyond the encoder's vocabulary of 104");
        d.mask_token = MASK, d.next = 1;
        m = sslh_bert(c, reader(c, 10, 1), d);
        t.epochs = 1;
        sslh_train(c, m, data, t);
        CHECK_ERROR(c, "sslh_bert: .next needs two texts a sample");
        d.next = 0, d.hidden = 0.8f, d.replaced = 0.5f;
        sslh_bert(c, reader(c, 10, 0), d);
        CHECK_ERROR(c, "sslh_bert: .hidden is 0.8 and .replaced 0.5: their sum must be at most 1");
        d.hidden = 1, d.replaced = 0; /* the default is what is left */
        sslh_bert(c, reader(c, 10, 0), d);
        CHECK_OK(c);
        d.hidden = 0;
        m = sslh_bert(c, reader(c, 9, 0), d);
        sslh_train(c, m, data, t);
        CHECK_ERROR(c, "bert: texts of 10 tokens, but the encoder reads 9 (.length of sslh_transformer)");
        sslh_destroy(c);
    }
}

/* A file with Hugging Face's names goes into encoder and heads; one that lacks a part is an error. */
static void bert_files(void) {
    sslh_ctx *c = context(1);
    sslh_bert_desc d = bert_settings();
    sslh_method a, b;
    sslh_net *file, *box;
    sslh_net_desc n;
    char path[512];
    snprintf(path, sizeof path, "%s", test_temporary("bert.safetensors"));
    memset(&n, 0, sizeof n);
    a = sslh_bert(c, reader(c, 10, 1), d), b = sslh_bert(c, reader(c, 10, 1), d);
    file = sslh_net_new(c, n);
    sslh_child(file, "bert", a.encoder);
    sslh_child(file, "cls", sslh_child_at(a.net, 1));
    sslh_save_net(file, path);
    CHECK(sslh_hash(a.net) != sslh_hash(b.net), "two nets");
    sslh_bert_load(&b, path);
    CHECK_OK(c);
    CHECK(sslh_hash(a.net) == sslh_hash(b.net), "the same values");
    box = sslh_net_new(c, n);
    sslh_child(box, "bert", a.encoder);
    sslh_save_net(box, path);
    sslh_bert_load(&b, path);
    CHECK_ERROR(c, "behind the prefix 'cls.'");
    d.next = 1;
    b = sslh_bert(c, reader(c, 10, 1), d);
    sslh_save_net(file, path);
    sslh_bert_load(&b, path);
    CHECK_ERROR(c, "lacks parts of the heads: missing 2: seq_relationship.weight");
    test_remove(path);
    sslh_destroy(c);
}
#endif

TESTS_BEGIN
    TEST(what_is_seen)
    TEST(padding)
    TEST(wishes)
    TEST(sasrec_net)
    TEST(many_classes)
    TEST(features)
#if SSLH_WITH_GPT
    TEST(windows)
    TEST(parts_of_a_stream)
    TEST(short_texts)
    TEST(unknown_tokens)
    TEST(long_prompts)
    TEST(gpt_loss)
    TEST_LEARNS(gpt_learns)
#endif
#if SSLH_WITH_BERT
    TEST(hidden)
    TEST(two_texts)
    TEST(bert_evaluates)
    TEST(bert_refuses)
    TEST_LEARNS(bert_learns)
    TEST(bert_files)
#endif
TESTS_END
