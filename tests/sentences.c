/* Views of texts: how many tokens each step changes, spans and their lengths, the order of sentences. ELECTRA, BART and
   the order of sentences: what they draw, what they cost when nothing is known, and what they learn of made texts. */
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"

enum { CLS = 100, SEP = 101, MASK = 102, PAD = 103, WORDS = 104, END = 99 };

static sslh_net *reader(sslh_ctx *c, int length) {
    sslh_transformer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = SSLH_BERT, d.vocabulary = WORDS, d.length = length, d.width = 24, d.depth = 2, d.heads = 3;
    return sslh_transformer(c, d);
}
/* n texts of up to width tokens; lengths NULL: all full */
static sslh_data texts(sslh_ctx *c, const int32_t *x, int n, int width, const int32_t *lengths) {
    sslh_field f;
    memset(&f, 0, sizeof f);
    f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(width), f.values = x, f.lengths = lengths;
    return sslh_data_from_fields(c, &f, 1, n);
}
/* With norms in front, which learns in fewer steps. */
static TEST_UNUSED sslh_net *quick_reader(sslh_ctx *c, int length, int width) {
    sslh_transformer_desc d;
    memset(&d, 0, sizeof d);
    d.causal = SSLH_OFF, d.vocabulary = WORDS, d.length = length, d.width = width, d.depth = 2, d.heads = width / 8;
    return sslh_transformer(c, d);
}
static sslh_text_recipe nothing(void) {
    sslh_text_recipe r;
    memset(&r, 0, sizeof r);
    r.mask_token = MASK;
    return r;
}

/* --- views of texts ----------------------------------------------------------------------------------------------- */

enum { N = 60, W = 40 };
static int32_t text[N * W], lengths[N]; /* place t of every text has the token t, 0 to 39 */
static void fill_texts(void) {
    for (int i = 0; i < N * W; i++) text[i] = i % W;
    for (int i = 0; i < N; i++) lengths[i] = i % 3 ? W : i % 41;
}

static void empty_recipe(void) {
    sslh_ctx *c = context(1);
    sslh_batch b;
    sslh_text_view v;
    fill_texts();
    for (int ends = 0; ends < 2; ends++) {
        sslh_text_recipe r = nothing();
        r.ends = ends, r.cls_token = CLS, r.sep_token = SEP;
        b = first_batch(c, texts(c, text, N, W, lengths), N);
        v = sslh_text_views(c, b, r, 0);
        CHECK_OK(c);
        CHECK(v.tokens->shape[0] == N && v.tokens->shape[1] == W + 2 * ends, "%d columns", v.tokens->shape[1]);
        for (int n = 0; n < N; n++) {
            const int32_t *row = v.tokens->ints + n * v.tokens->shape[1];
            const int length = lengths[b.index[n]];
            CHECK(v.lengths->ints[n] == length + 2 * ends, "length %d", v.lengths->ints[n]);
            for (int t = 0; t < length; t++) CHECK(row[t + ends] == t, "token %d", t);
            if (ends) CHECK(row[0] == CLS && row[length + 1] == SEP, "the ends");
            for (int t = 0; t < v.tokens->shape[1]; t++) {
                CHECK(v.padding->bytes[n * v.tokens->shape[1] + t] == (t >= v.lengths->ints[n]), "padding");
                if (t >= v.lengths->ints[n]) CHECK(row[t] == 0, "behind the end");
            }
        }
    }
    { /* as long as the longest text of the batch */
        static const int32_t few[4] = {2, 0, 3, 1};
        b = first_batch(c, texts(c, text, 4, W, few), 4);
        CHECK(sslh_text_views(c, b, nothing(), 0).tokens->shape[1] == 3, "three columns");
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

static int rounded(double share, int n) { return (int)(share * n + 0.5); }

/* Each step changes as many tokens as its share says, equal views for equal numbers, others for others. */
static void shares(void) {
    sslh_ctx *c = context(1);
    sslh_batch b;
    int differ = 0;
    fill_texts();
    b = first_batch(c, texts(c, text, N, W, lengths), N);
    for (int step = 0; step < 4; step++) {
        sslh_text_recipe r = nothing();
        sslh_text_view v, again, other;
        float share = 0.3f;
        if (step == 0) r.masked = share;
        if (step == 1) r.replaced = share, r.first_word = 50, r.vocabulary = 60;
        if (step == 2) r.deleted = share;
        if (step == 3) r.swapped = share;
        v = sslh_text_views(c, b, r, 1), again = sslh_text_views(c, b, r, 1), other = sslh_text_views(c, b, r, 2);
        CHECK_OK(c);
        if (sslh_error(c)) break;
        CHECK(memcmp(v.tokens->ints, again.tokens->ints, v.tokens->count * 4) == 0, "the same view again");
        differ += memcmp(v.tokens->ints, other.tokens->ints, v.tokens->count * 4) != 0;
        for (int n = 0; n < N; n++) {
            const int32_t *row = v.tokens->ints + n * v.tokens->shape[1];
            const int length = lengths[b.index[n]], k = rounded(0.3f, length);
            int changed = 0, there[W] = {0}, is = v.lengths->ints[n], t, all = 0;
            if (step == 2) { /* the rest in its order */
                CHECK(is == length - (k < length ? k : length - 1) || !length, "%d of %d stay", is, length);
                for (t = 1; t < is; t++) CHECK(row[t] > row[t - 1], "the order");
                continue;
            }
            CHECK(is == length, "as long as before");
            for (t = 0; t < length; t++) {
                changed += row[t] != t;
                if (step == 0 && row[t] != t) CHECK(row[t] == MASK, "a mask");
                if (step == 1 && row[t] != t) CHECK(row[t] >= 50 && row[t] < 60, "a word that may be drawn");
                if (row[t] < W) there[row[t]]++;
            }
            CHECK(changed == (step == 3 ? k / 2 * 2 : k), "step %d: %d of %d", step, changed, length);
            for (t = 0; t < length; t++) all += there[t] == 1;
            if (step == 3) CHECK(all == length, "all tokens are still there");
        }
    }
    CHECK(differ == 4, "views with other numbers are other views");
    b.epoch = 1;
    {
        sslh_text_recipe r = nothing();
        sslh_text_view v, then;
        r.masked = 0.3f;
        v = sslh_text_views(c, b, r, 0), b.epoch = 2, then = sslh_text_views(c, b, r, 0);
        CHECK(memcmp(v.tokens->ints, then.tokens->ints, v.tokens->count * 4) != 0, "another epoch");
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* All orders of three sentences are equally likely; what has no end is a sentence too; sentences stay whole. */
static void order_is_a_permutation(void) {
    enum { TEXTS = 600 };
    static int32_t x[TEXTS * 7];
    static const int32_t one[7] = {1, END, 2, 20, END, 3, 30};
    static const int first[3] = {1, 2, 3};
    sslh_ctx *c = context(1);
    sslh_text_recipe r = nothing();
    sslh_text_view v;
    int seen[3][3] = {{0}}, half = 0;
    for (int i = 0; i < TEXTS * 7; i++) x[i] = one[i % 7];
    r.shuffle = 1, r.sentence_end = END;
    v = sslh_text_views(c, first_batch(c, texts(c, x, TEXTS, 7, NULL), TEXTS), r, 0);
    CHECK_OK(c);
    for (int n = 0; n < TEXTS && !sslh_error(c); n++) {
        const int32_t *row = v.tokens->ints + n * 7;
        int place = 0, begin[3], t;
        CHECK(v.lengths->ints[n] == 7, "nothing is lost");
        for (t = 0; t < 7; t++)
            if (row[t] < 10) { /* 1, 2 and 3 begin the sentences */
                begin[row[t] - 1] = t;
                if (place < 3) seen[place][row[t] - 1]++;
                place++;
            }
        CHECK(place == 3, "three sentences");
        CHECK(row[begin[0] + 1] == END && row[begin[1] + 1] == 20 && row[begin[1] + 2] == END &&
                  row[begin[2] + 1] == 30, "whole sentences");
    }
    for (int i = 0; i < 9; i++)
        CHECK(abs(seen[i / 3][i % 3] - TEXTS / 3) < 45, "sentence %d in place %d: %d times", first[i % 3], i / 3,
              seen[i / 3][i % 3]);
    r.shuffle = 0.5f;
    v = sslh_text_views(c, first_batch(c, texts(c, x, TEXTS, 7, NULL), TEXTS), r, 0);
    for (int n = 0; n < TEXTS && !sslh_error(c); n++) half += memcmp(v.tokens->ints + n * 7, one, sizeof one) == 0;
    CHECK(abs(half - TEXTS * 7 / 12) < 50, "%d of %d as they were: a half, and a sixth of the others", half, TEXTS);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Spans hide exactly their share; their lengths have Poisson's distribution with the mean 3; the rest keeps its
   order. */
static void spans(void) {
    enum { TEXTS = 12, LONG = 3000 };
    static int32_t x[TEXTS * LONG];
    sslh_ctx *c = context(1);
    sslh_text_recipe r = nothing();
    sslh_text_view v;
    double p = exp(-3.0), alone = 0;
    int count[12] = {0};
    for (int i = 0; i < TEXTS * LONG; i++) x[i] = 1000 + i % LONG;
    r.spans = 0.3f;
    v = sslh_text_views(c, first_batch(c, texts(c, x, TEXTS, LONG, NULL), TEXTS), r, 0);
    CHECK_OK(c);
    for (int n = 0; n < TEXTS && !sslh_error(c); n++) {
        const int32_t *row = v.tokens->ints + n * v.tokens->shape[1];
        const int is = v.lengths->ints[n];
        int kept = 0, masks = 0, last = 999, before = 0;
        for (int t = 0; t < is; t++) {
            if (row[t] == MASK) {
                masks++, before++;
                continue;
            }
            CHECK(row[t] > last, "the order");
            CHECK(before || row[t] == last + 1, "nothing is missing without a mask");
            /* a mask by itself: its span is what is missing here */
            if (before == 1 && row[t] - last - 1 < 12) count[row[t] - last - 1]++, alone++;
            last = row[t], before = 0, kept++;
        }
        CHECK(kept == LONG - 900, "%d tokens stay", kept);
        CHECK(masks > 250 && masks < 350, "%d spans of mean length %.2f", masks, 900.0 / masks);
    }
    CHECK(alone > 2000, "%g spans", alone);
    for (int k = 0; k < 8; k++) {
        CHECK_NEAR(count[k] / alone, p, 0.03);
        p = p * 3 / (k + 1);
    }
    { /* short texts: one token is one span; no text grows */
        static const int32_t some[6] = {1, 2, 3, 4, 5, 0};
        sslh_batch b = first_batch(c, texts(c, x, 6, LONG, some), 6);
        r.spans = 1;
        v = sslh_text_views(c, b, r, 0);
        CHECK_OK(c);
        for (int n = 0; n < 6 && !sslh_error(c); n++) {
            const int length = some[b.index[n]], is = v.lengths->ints[n];
            CHECK(is <= length && (is > 0) == (length > 0), "%d of %d", is, length);
            for (int t = 0; t < is; t++) CHECK(v.tokens->ints[n * v.tokens->shape[1] + t] == MASK, "all is hidden");
        }
    }
    sslh_destroy(c);
}

/* In this epoch one of the draws is above all sums of Poisson's distribution in single precision: it is the length of a
   long span, and not of all that is left. */
static void the_longest_span(void) {
    enum { LONG = 100000 };
    static int32_t x[LONG];
    sslh_ctx *c = context(1);
    sslh_text_recipe r = nothing();
    sslh_batch b = first_batch(c, texts(c, x, 1, LONG, NULL), 1);
    r.spans = 1;
    b.epoch = 260;
    CHECK_NEAR(sslh_text_views(c, b, r, 0).lengths->ints[0], LONG / 3.0, 800);
    CHECK_OK(c);
    sslh_destroy(c);
}

static void wrong_recipes(void) {
    sslh_ctx *c = context(1);
    sslh_text_recipe r = nothing();
    uint8_t pixels[4] = {0};
    sslh_batch b;
    fill_texts();
    b = first_batch(c, texts(c, text, N, W, lengths), N);
    r.masked = 1.5f;
    sslh_text_views(c, b, r, 0);
    CHECK_ERROR(c, "sslh_text_views: .masked is 1.5 (above 0, at most 1)");
    r = nothing(), r.replaced = 0.1f, r.first_word = 5, r.vocabulary = 5;
    sslh_text_views(c, b, r, 0);
    CHECK_ERROR(c, "sslh_text_views: .replaced draws tokens from .first_word 5 to .vocabulary - 1, which is 4");
    sslh_text_views(c, b, nothing(), 15);
    CHECK_ERROR(c, "sslh_text_views: .view is 15 (0 to 14)");
    for (int k = 0; k < 4; k++) { /* tokens that were not given would be 0, as behind the end of a text */
        static const char *const why[4] = {"sslh_text_views: .spans and .masked write .mask_token, which is 0",
                                           "sslh_text_views: .spans and .masked write .mask_token, which is 0",
                                           "sslh_text_views: .shuffle moves sentences, and .sentence_end is 0",
                                           "sslh_text_views: .ends writes .cls_token and .sep_token, which are both 0"};
        memset(&r, 0, sizeof r);
        *(k == 0 ? &r.spans : k == 1 ? &r.masked : &r.shuffle) = k < 3 ? 0.5f : 0;
        r.ends = k == 3;
        sslh_text_views(c, b, r, 0);
        CHECK_ERROR(c, why[k]);
    }
    b.data = sslh_data_from_images(c, pixels, 1, 2, 2, 1, NULL), b.count = 1;
    sslh_text_views(c, b, nothing(), 0);
    CHECK_ERROR(c, "sslh_text_views: the data have no field of tokens");
    sslh_destroy(c);
}

#if SSLH_WITH_ELECTRA || SSLH_WITH_BART || SSLH_WITH_SENTENCE_ORDER
/* Windows of a language that counts to ten in a circle. */
enum { CIRCLES = 400, ROUND = 8 };
static int32_t circle[CIRCLES * ROUND];
static void fill_circle(void) {
    for (int i = 0; i < CIRCLES * ROUND; i++)
        circle[i] = i % ROUND ? (circle[i - 1] + 1) % 10 : (int32_t)sslh_random_below(8, 8, (uint64_t)i, 10);
}
static sslh_train_desc run(int epochs, float lr) {
    sslh_train_desc t;
    memset(&t, 0, sizeof t);
    t.epochs = epochs, t.batch = 16, t.lr = lr, t.quiet = 1;
    return t;
}
/* A function that returns the settings of a method with the special tokens of these tests and without dropout. */
#define SETTINGS(type, function)                                                                                       \
    static type function(void) {                                                                                       \
        NONE(type, d);                                                                                                 \
        d.cls_token = CLS, d.sep_token = SEP, d.mask_token = MASK, d.pad_token = PAD, d.dropout = SSLH_OFF;            \
        return d;                                                                                                      \
    }
static void set_all(sslh_method *m, const char *name, float value) {
    sslh_tensor *t = sslh_find(m->net, name);
    if (!CHECK(t != NULL, "no %s", name)) return;
    for (size_t i = 0; i < t->count; i++) t->data[i] = value;
}
#endif

/* --- ELECTRA ------------------------------------------------------------------------------------------------------ */

#if SSLH_WITH_ELECTRA
SETTINGS(sslh_electra_desc, electra_settings)
/* 15 % of the tokens become [MASK], never a special one; all but padding is judged. */
static void electra_draws(void) {
    sslh_ctx *c = context(1);
    sslh_method m = sslh_electra(c, reader(c, W + 2), electra_settings());
    sslh_view_set v;
    sslh_batch b;
    const int32_t *t, *place, *target, *seen;
    int at = 0, judged = 0, again = 0;
    memset(&v, 0, sizeof v);
    fill_texts();
    b = first_batch(c, texts(c, text, N, W, lengths), N);
    m.views(&m, &b, &v);
    CHECK_OK(c);
    t = sslh_view_get(&v, "tokens")->ints, place = sslh_view_get(&v, "places")->ints;
    target = sslh_view_get(&v, "targets")->ints, seen = sslh_view_get(&v, "seen")->ints;
    for (int n = 0; n < N && !sslh_error(c); n++) {
        const int length = lengths[b.index[n]], k = length ? rounded(0.15, length) > 1 ? rounded(0.15, length) : 1 : 0;
        const int32_t *row = t + n * (W + 2);
        int masked = 0;
        CHECK(row[0] == CLS && row[length + 1] == SEP, "the ends");
        for (int i = 0; i < length + 2; i++) CHECK(seen[judged++] == n * (W + 2) + i, "what is judged");
        for (int i = 0; i < length; i++) {
            masked += row[i + 1] == MASK;
            CHECK(row[i + 1] == MASK || row[i + 1] == i, "nothing else changes");
        }
        CHECK(masked == k, "%d of %d", masked, length);
        for (int i = 0; i < k; i++, at++)
            CHECK(t[place[at]] == MASK && target[at] == place[at] - n * (W + 2) - 1, "a gap");
    }
    CHECK(at == sslh_view_get(&v, "places")->shape[0] && judged == sslh_view_get(&v, "seen")->shape[0], "all of them");
    for (int i = 0; i < at; i++) {
        const float u = (float)sslh_view_get(&v, "chances")->data[i];
        CHECK(u >= 0 && u < 1, "a chance");
        again += i && u == (float)sslh_view_get(&v, "chances")->data[i - 1];
    }
    CHECK(again == 0, "chances repeat");
    sslh_destroy(c);
}

/* A discriminator whose answer is always 0 has the loss log 2, whatever the words; with a generator that knows nothing
   either, the whole is ln V + 50 log 2. */
static void knows_nothing(void) {
    for (int unigram = 0; unigram < 2; unigram++) {
        sslh_ctx *c = context(1);
        sslh_electra_desc d = electra_settings();
        sslh_data data;
        sslh_method m;
        sslh_view_set v;
        sslh_batch b;
        double loss;
        memset(&v, 0, sizeof v);
        fill_texts();
        d.unigram = unigram;
        m = sslh_electra(c, reader(c, W + 2), d);
        set_all(&m, "discriminator_predictions.dense_prediction.weight", 0);
        if (!unigram) set_all(&m, "generator.predictions.LayerNorm.weight", 0); /* u = 0: all words equally likely */
        data = texts(c, text, N, W, lengths);
        m.prepare(&m, data);
        b = first_batch(c, data, N);
        m.views(&m, &b, &v);
        loss = (double)sslh_item(m.loss(&m, &v, 0));
        CHECK_OK(c);
        CHECK_CLOSE(loss, unigram ? log(2.0) : log((double)WORDS) + 50 * log(2.0), 1e-6);
        CHECK_CLOSE(m.guessing, loss, 1e-6);
        if (!unigram) CHECK_CLOSE(m.numbers[2].value, WORDS, 1e-5);
        sslh_destroy(c);
    }
}

/* A batch of empty texts costs what [CLS] and [SEP] do, and training goes on. */
static void nothing_to_replace(void) {
    static const int32_t none[3] = {0, 0, 0};
    for (int unigram = 0; unigram < 2; unigram++) {
        sslh_ctx *c = context(1);
        sslh_electra_desc d = electra_settings();
        sslh_data data;
        sslh_method m;
        sslh_view_set v;
        sslh_batch b;
        memset(&v, 0, sizeof v);
        fill_texts();
        d.unigram = unigram;
        m = sslh_electra(c, reader(c, W + 2), d);
        set_all(&m, "discriminator_predictions.dense_prediction.weight", 0);
        m.prepare(&m, texts(c, text, N, W, lengths));
        data = texts(c, text, 3, W, none);
        b = first_batch(c, data, 3);
        m.views(&m, &b, &v);
        CHECK_CLOSE(sslh_item(m.loss(&m, &v, 0)), (unigram ? 1 : 50) * log(2.0), 1e-6);
        CHECK_NEAR(m.numbers[0].value, 0, 0);
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

/* A generator that is sure of one word draws it everywhere. Where it is the author's, it counts as original. */
static void guessed_words_are_original(void) {
    enum { SURE = 5, TEXTS = 8, LONG = 20 };
    static int32_t x[TEXTS * LONG];
    for (int same = 0; same < 2; same++) {
        sslh_ctx *c = context(1);
        sslh_electra_desc d = electra_settings();
        sslh_method m;
        sslh_view_set v;
        sslh_batch b;
        double always, share = same ? 0 : 3.0 / (LONG + 2), guess;
        memset(&v, 0, sizeof v);
        for (int i = 0; i < TEXTS * LONG; i++) x[i] = same ? SURE : 7;
        d.weight = 1;
        m = sslh_electra(c, reader(c, LONG + 2), d);
        set_all(&m, "generator.predictions.LayerNorm.weight", 0);
        sslh_find(m.net, "generator.lm_head.bias")->data[SURE] = 30;
        set_all(&m, "discriminator_predictions.dense_prediction.weight", 0);
        set_all(&m, "discriminator_predictions.dense_prediction.bias", 5); /* it says "replaced" of everything */
        b = first_batch(c, texts(c, x, TEXTS, LONG, NULL), TEXTS);
        m.views(&m, &b, &v);
        always = (double)sslh_item(m.loss(&m, &v, 0));
        CHECK_OK(c);
        guess = same ? 0 : 30; /* -log of its probability of the author's word */
        CHECK_CLOSE(always, guess + share * log1p(exp(-5.0)) + (1 - share) * log1p(exp(5.0)), 1e-5);
        CHECK_NEAR(m.numbers[0].value, same ? 0 : 1, 0);
        CHECK_NEAR(m.numbers[1].value, 1, 0);
        sslh_destroy(c);
    }
}

/* The draw has no gradient: the weight of the detection does not change those of the generator's own parameters. */
static void draws_have_no_gradient(void) {
    float g[2][WORDS];
    for (int heavy = 0; heavy < 2; heavy++) {
        sslh_ctx *c = context(1);
        sslh_electra_desc d = electra_settings();
        sslh_method m;
        sslh_view_set v;
        sslh_batch b;
        memset(&v, 0, sizeof v);
        fill_texts();
        d.weight = heavy ? 50 : 1;
        m = sslh_electra(c, reader(c, W + 2), d);
        b = first_batch(c, texts(c, text, N, W, lengths), N);
        m.views(&m, &b, &v);
        sslh_backward(c, m.loss(&m, &v, 0));
        CHECK_OK(c);
        for (int i = 0; i < WORDS; i++)
            g[heavy][i] = sslh_error(c) ? 0 : (float)sslh_find(m.net, "generator.lm_head.bias")->grad[i];
        sslh_destroy(c);
    }
    for (int i = 0; i < WORDS; i++) CHECK_NEAR(g[1][i], g[0][i], 1e-6);
    CHECK(g[0][1] != 0, "there is one");
}

/* .unigram counts the data before training, and its wrong uses are errors. */
static void counted_words(void) {
    static const int32_t x[6] = {3, 3, 3, 1, 0, 9}, some[3] = {2, 2, 1};
    sslh_ctx *c = context(1);
    sslh_electra_desc d = electra_settings();
    sslh_transformer_desc td;
    sslh_view_set v;
    sslh_method m;
    sslh_data data = texts(c, x, 3, 2, some);
    sslh_batch b = first_batch(c, data, 3);
    const sslh_tensor *share;
    memset(&v, 0, sizeof v), memset(&td, 0, sizeof td);
    d.unigram = 1;
    m = sslh_electra(c, reader(c, 4), d);
    m.views(&m, &b, &v);
    m.loss(&m, &v, 0);
    CHECK_ERROR(c, "sslh_electra: .unigram has not counted the tokens yet: call .prepare");
    m.prepare(&m, data);
    CHECK_OK(c);
    share = sslh_find(m.net, "unigram");
    CHECK_NEAR(share->data[0], 0.2, 1e-7);
    CHECK_NEAR(share->data[2], 0.4, 1e-7);
    CHECK_NEAR(share->data[3], 1, 0);
    CHECK_NEAR(share->data[WORDS - 1], 1, 0);
    td.kind = SSLH_BERT, td.vocabulary = 3, td.length = 4, td.width = 8, td.heads = 2, td.depth = 1;
    d.cls_token = d.sep_token = d.mask_token = 1, d.pad_token = 0;
    m = sslh_electra(c, sslh_transformer(c, td), d);
    m.prepare(&m, data);
    CHECK_ERROR(c, "electra: the data have token 3, but the encoder knows 0 to 2");
    td.causal = 1;
    sslh_electra(c, sslh_transformer(c, td), d);
    CHECK_ERROR(c, "sslh_electra: the encoder is causal");
    td.causal = SSLH_OFF, d.generator_heads = 3;
    sslh_electra(c, sslh_transformer(c, td), d);
    CHECK_ERROR(c, "sslh_electra: .generator_heads is 3, but the encoder has 2");
    d.generator_heads = 0, d.mask_token = 3;
    sslh_electra(c, sslh_transformer(c, td), d);
    CHECK_ERROR(c, "sslh_electra: the special token 3 is beyond the encoder's vocabulary of 3");
    sslh_destroy(c);
}

/* Texts whose words are of one kind (of four, ten words each): the generator learns to stay with the kind, so that its
   perplexity comes near 10; without a generator words of another kind are found, which are 3 in 4 of those drawn. */
static void electra_learns(void) {
    static int32_t kinds[CIRCLES * ROUND];
    for (int i = 0; i < CIRCLES * ROUND; i++)
        kinds[i] = i / ROUND % 4 * 10 + (int)sslh_random_below(8, 9, (uint64_t)i, 10);
    for (int unigram = 0; unigram < 2; unigram++) {
        sslh_ctx *c = context(2);
        sslh_electra_desc d = electra_settings();
        sslh_data data = texts(c, kinds, CIRCLES, ROUND, NULL);
        sslh_method m;
        sslh_view_set v;
        sslh_batch b;
        d.unigram = unigram, d.mask = 0.25f;
        m = sslh_electra(c, quick_reader(c, ROUND + 2, 24), d);
        sslh_train(c, m, data, run(40, 0.003f));
        memset(&v, 0, sizeof v);
        b = first_batch(c, data, CIRCLES);
        m.views(&m, &b, &v);
        m.loss(&m, &v, 0);
        CHECK_OK(c);
        if (unigram) CHECK(m.numbers[0].value > 0.3f && m.numbers[1].value < 0.05f, "%.3f are found, false alarms %.3f",
                           (double)m.numbers[0].value, (double)m.numbers[1].value);
        else CHECK(m.numbers[2].value < 20, "perplexity %.3f", (double)m.numbers[2].value);
        sslh_destroy(c);
    }
}
#endif

/* --- BART --------------------------------------------------------------------------------------------------------- */

#if SSLH_WITH_BART
SETTINGS(sslh_bart_desc, bart_settings)
/* The decoder is given [CLS] and the text, and has to say the text and [SEP]; the encoder reads what is left of it. */
static void bart_draws(void) {
    sslh_ctx *c = context(1);
    sslh_method m = sslh_bart(c, reader(c, W + 2), bart_settings());
    sslh_view_set v;
    sslh_batch b;
    const int32_t *t, *in, *out;
    int S, T;
    memset(&v, 0, sizeof v);
    fill_texts();
    b = first_batch(c, texts(c, text, N, W, lengths), N);
    m.views(&m, &b, &v);
    CHECK_OK(c);
    t = sslh_view_get(&v, "tokens")->ints, in = sslh_view_get(&v, "inputs")->ints;
    out = sslh_view_get(&v, "targets")->ints;
    S = sslh_view_get(&v, "tokens")->shape[1], T = sslh_view_get(&v, "inputs")->shape[1];
    CHECK(T == W + 1 && S < W + 2, "%d columns of what is read, %d of what is said", S, T);
    for (int n = 0; n < N && !sslh_error(c); n++) {
        const int length = lengths[b.index[n]];
        int kept = 0, i;
        CHECK(in[n * T] == CLS && out[n * T + length] == SEP && t[n * S] == CLS, "the ends");
        for (i = 0; i < T; i++) {
            if (i) CHECK(in[n * T + i] == (i <= length ? i - 1 : PAD), "what is given");
            CHECK(out[n * T + i] == (i < length ? i : i == length ? SEP : -1), "what is to be said");
        }
        for (i = 1; i < S && t[n * S + i] != SEP; i++) kept += t[n * S + i] != MASK;
        CHECK(i < S && kept == length - rounded(0.3f, length), "%d of %d stay", kept, length);
        for (i = 0; i < S; i++)
            CHECK(sslh_view_get(&v, "padding")->bytes[n * S + i] == (t[n * S + i] == PAD), "padding");
    }
    sslh_destroy(c);
}

/* At first the loss is near ln V; evaluation does not depend on the batches, and a stream is cut as the data say. */
static void bart_evaluates(void) {
    enum { TEXTS = 45, LONG = 6 };
    static int32_t x[TEXTS * LONG + 1], end[TEXTS];
    sslh_ctx *c = context(1);
    sslh_bart_desc d = bart_settings();
    sslh_method m = sslh_bart(c, reader(c, LONG + 2), d);
    sslh_data data;
    double all, sum = 0, count = 0;
    for (int i = 0; i < TEXTS * LONG; i++) x[i] = i % 97;
    for (int i = 0; i < TEXTS; i++) end[i] = i % (LONG + 1);
    data = texts(c, x, TEXTS, LONG, NULL);
    all = (double)sslh_bart_evaluate(&m, data);
    CHECK_NEAR(all, log((double)WORDS), 0.3);
    CHECK_NEAR(sslh_bart_evaluate(&m, sslh_data_stream(c, x, TEXTS * LONG + 1, LONG)), all, 0);
    data = texts(c, x, TEXTS, LONG, end);
    all = (double)sslh_bart_evaluate(&m, data);
    for (int i = 0; i < TEXTS; i++) {
        sum += (double)sslh_bart_evaluate(&m, sslh_data_range(data, i, i + 1)) * (end[i] + 1);
        count += end[i] + 1;
    }
    CHECK_NEAR(sum / count, all, 1e-5);
    CHECK_OK(c);
    sslh_bart_evaluate(&m, sslh_data_range(data, 0, 0));
    CHECK(sslh_error(c) != NULL, "no data");
    sslh_clear_error(c);
    d.sentence_end = WORDS;
    sslh_bart(c, reader(c, LONG + 2), d); /* never met, so nothing is shuffled */
    CHECK_OK(c);
    d.spans = 1.5f;
    sslh_bart(c, reader(c, LONG + 2), d);
    CHECK_ERROR(c, "sslh_bart: .spans is 1.5 (0 to 1)");
    sslh_destroy(c);
}

/* It fills spans of a language that counts. */
static void bart_learns(void) {
    static const int32_t damaged[5] = {4, 5, MASK, 9, 0}, nothing_there[1] = {4}, unknown[1] = {WORDS};
    sslh_ctx *c = context(2);
    sslh_bart_desc d = bart_settings();
    sslh_data data;
    sslh_method m;
    int32_t out[16];
    int n, right = 0;
    double nats;
    fill_circle();
    d.decoder_depth = 1;
    data = texts(c, circle, CIRCLES, ROUND, NULL);
    m = sslh_bart(c, reader(c, ROUND + 2), d);
    sslh_train(c, m, data, run(30, 0.003f));
    nats = (double)sslh_bart_evaluate(&m, data);
    CHECK(nats > 0 && nats < 0.2, "%g nats", nats);
    n = sslh_bart_rebuild(&m, damaged, 5, out, 16);
    CHECK_OK(c);
    for (int i = 0; i < n; i++) right += out[i] == (4 + i) % 10;
    CHECK(n >= 6 && n <= 9 && right == n, "%d tokens, %d right", n, right);
    CHECK(sslh_bart_rebuild(&m, damaged, 5, out, 3) == 3, "as much as there is room for");
    CHECK_OK(c);
    CHECK(sslh_bart_rebuild(&m, nothing_there, 0, out, 3) == 0, "no text");
    CHECK_ERROR(c, "sslh_bart_rebuild: a text of 1 to 8 tokens and room for the answer are needed; this has 0");
    CHECK(sslh_bart_rebuild(&m, damaged, ROUND + 1, out, 3) == 0, "too long");
    CHECK_ERROR(c, "sslh_bart_rebuild: a text of 1 to 8 tokens");
    CHECK(sslh_bart_rebuild(&m, damaged, 5, out, 0) == 0, "no room");
    CHECK_ERROR(c, "this has 5, and room for 0");
    CHECK(sslh_bart_rebuild(&m, unknown, 1, out, 3) == 0, "a token beyond the vocabulary");
    CHECK_ERROR(c, "sslh_bart_rebuild: sslh_embedding: index 104");
    sslh_destroy(c);
}
#endif

/* --- order of sentences ------------------------------------------------------------------------------------------- */

#if SSLH_WITH_SENTENCE_ORDER
static sslh_sentence_order_desc order_settings(int sentences) {
    sslh_sentence_order_desc d;
    memset(&d, 0, sizeof d);
    d.cls_token = CLS, d.sep_token = SEP, d.pad_token = PAD, d.sentence_end = END, d.dropout = SSLH_OFF;
    d.sentences = sentences;
    return d;
}
/* Neighbouring sentences, shuffled, and their answers: sentence j of text n is 10 n + j, END. */
static void sentences_are_shuffled(void) {
    enum { TEXTS = 9, LONG = 12, K = 3 };
    static int32_t x[TEXTS * LONG], end[TEXTS];
    sslh_ctx *c = context(1);
    sslh_method m = sslh_sentence_order(c, reader(c, LONG + 1 + K), order_settings(K));
    int first_of[TEXTS + 1] = {0}, orders = 0;
    for (int n = 0; n < TEXTS; n++) {
        end[n] = 2 * (n % 7); /* 0 to 6 sentences */
        for (int i = 0; i < LONG; i++) x[n * LONG + i] = i % 2 ? END : 10 * n + i / 2;
    }
    for (int epoch = 0; epoch < 40; epoch++) {
        sslh_view_set v;
        sslh_batch b = first_batch(c, texts(c, x, TEXTS, LONG, end), TEXTS);
        memset(&v, 0, sizeof v);
        b.epoch = epoch;
        m.views(&m, &b, &v);
        CHECK_OK(c);
        for (int n = 0; n < TEXTS && !sslh_error(c); n++) {
            const int sentences = end[b.index[n]] / 2, used = sentences < K ? sentences : K;
            const int32_t *row = sslh_view_get(&v, "tokens")->ints + n * (LONG + 1 + K);
            const int32_t *place = sslh_view_get(&v, "places")->ints + n * K;
            const int32_t *answer = sslh_view_get(&v, "answers")->ints + n * K;
            int least = 1000, there = 0;
            CHECK(row[0] == CLS, "[CLS]");
            for (int j = 0; j < used; j++) {
                const int token = row[1 + 3 * j];
                least = token < least ? token : least;
                CHECK(row[2 + 3 * j] == END && row[3 + 3 * j] == SEP, "a sentence and [SEP]");
                CHECK(place[j] == n * (LONG + 1 + K) + 3 + 3 * j, "the place of its [SEP]");
            }
            for (int j = 0; j < K; j++) {
                const int said = used > 1 && j < used ? row[1 + 3 * j] - least : -1;
                CHECK(answer[j] == said, "text of %d: answer %d is %d, not %d", sentences, j, answer[j], said);
                if (said >= 0) there |= 1 << said;
            }
            CHECK(used < 2 || there == (1 << used) - 1, "a permutation");
            if (sentences == 6) first_of[least % 10]++;
            if (sentences == 2) orders += answer[0];
            for (int t = 1 + 3 * used; t < LONG + 1 + K; t++)
                CHECK(row[t] == PAD && sslh_view_get(&v, "padding")->bytes[n * (LONG + 1 + K) + t] == 1, "padding");
        }
    }
    for (int i = 0; i < 4; i++) CHECK(first_of[i] > 2, "a run that begins with sentence %d", i);
    CHECK(orders > 5, "both orders of two");
    { /* of a stream the pieces at both ends are left out: they would betray their places */
        sslh_view_set v;
        sslh_batch b = first_batch(c, sslh_data_stream(c, x, TEXTS * LONG, LONG), 8);
        memset(&v, 0, sizeof v);
        m.views(&m, &b, &v);
        CHECK_OK(c);
        for (int n = 0; n < 8 && !sslh_error(c); n++) {
            const int32_t *row = sslh_view_get(&v, "tokens")->ints + n * (LONG + 1 + K);
            for (int j = 0; j < K; j++) CHECK(row[1 + 3 * j] != END && row[2 + 3 * j] == END, "whole sentences");
        }
    }
    sslh_destroy(c);
}

/* Sentences that count are put in order; those without an order cost ln k. */
static void order_learns(void) {
    enum { TEXTS = 300, K = 3, LONG = 9 };
    static int32_t x[TEXTS * LONG], end[TEXTS];
    sslh_ctx *c = context(2);
    sslh_data data;
    sslh_method m;
    sslh_view_set v;
    sslh_batch b;
    double loss;
    for (int i = 0; i < TEXTS * LONG; i++) {
        const int from = (int)sslh_random_below(5, 5, (uint64_t)(i / LONG), 8);
        x[i] = i % 3 == 2 ? END : from + i % LONG / 3 * 5 + (int)sslh_random_below(5, 6, (uint64_t)i, 3);
    }
    for (int i = 0; i < TEXTS; i++) end[i] = LONG;
    data = texts(c, x, TEXTS, LONG, end);
    m = sslh_sentence_order(c, reader(c, LONG + 1 + K), order_settings(K));
    set_all(&m, "head.place.weight", 0);
    memset(&v, 0, sizeof v);
    b = first_batch(c, data, TEXTS);
    m.views(&m, &b, &v);
    loss = (double)sslh_item(m.loss(&m, &v, 0));
    CHECK_CLOSE(loss, log(3.0), 1e-6);
    CHECK_CLOSE(m.guessing, loss, 1e-6);
    m = sslh_sentence_order(c, reader(c, LONG + 1 + K), order_settings(K));
    sslh_train(c, m, data, run(60, 0.003f));
    memset(&v, 0, sizeof v);
    b = first_batch(c, data, TEXTS);
    m.views(&m, &b, &v);
    m.loss(&m, &v, 0);
    CHECK_OK(c);
    CHECK(m.numbers[0].value > 0.9f && m.numbers[1].value > 0.8f && m.numbers[1].value <= m.numbers[0].value,
          "%.3f of the sentences, %.3f of the texts", (double)m.numbers[0].value, (double)m.numbers[1].value);
    for (int i = 0; i < TEXTS; i++) end[i] = 3; /* one sentence: no order */
    memset(&v, 0, sizeof v);
    b = first_batch(c, texts(c, x, TEXTS, LONG, end), 20);
    m.views(&m, &b, &v);
    CHECK_NEAR(sslh_item(m.loss(&m, &v, 0)), 0, 0);
    CHECK_OK(c);
    sslh_destroy(c);
}
/* Without two sentences in any text nothing can be learnt: an error, not a loss of 0. In the last of 40 texts they are
   enough, and a window needs two whole ones. */
static void no_order(void) {
    enum { TEXTS = 40, LONG = 6 };
    static int32_t x[TEXTS * LONG], end[TEXTS];
    sslh_ctx *c = context(1);
    sslh_method m;
    for (int i = 0; i < TEXTS * LONG; i++) x[i] = i % 50;
    for (int i = 0; i < TEXTS; i++) end[i] = LONG;
    m = sslh_sentence_order(c, reader(c, LONG + 3), order_settings(2));
    sslh_train(c, m, texts(c, x, TEXTS, LONG, end), run(1, 0.003f));
    CHECK_ERROR(c, "sslh_sentence_order: no text has two sentences that end with token 99: set .sentence_end");
    x[(TEXTS - 1) * LONG + 1] = END;
    m.prepare(&m, texts(c, x, TEXTS, LONG, end));
    CHECK_OK(c);
    m.prepare(&m, sslh_data_stream(c, x, TEXTS * LONG, LONG));
    CHECK_ERROR(c, "no text has two sentences");
    x[1] = x[3] = x[5] = END;
    m.prepare(&m, sslh_data_stream(c, x, TEXTS * LONG, LONG));
    CHECK_OK(c);
    sslh_destroy(c);
}
#endif

TESTS_BEGIN
    TEST(empty_recipe)
    TEST(shares)
    TEST(order_is_a_permutation)
    TEST(spans)
    TEST(the_longest_span)
    TEST(wrong_recipes)
#if SSLH_WITH_ELECTRA
    TEST(electra_draws)
    TEST(knows_nothing)
    TEST(nothing_to_replace)
    TEST(guessed_words_are_original)
    TEST(draws_have_no_gradient)
    TEST(counted_words)
    TEST_LEARNS(electra_learns)
#endif
#if SSLH_WITH_BART
    TEST(bart_draws)
    TEST(bart_evaluates)
    TEST_LEARNS(bart_learns)
#endif
#if SSLH_WITH_SENTENCE_ORDER
    TEST(sentences_are_shuffled)
    TEST(no_order)
    TEST_LEARNS(order_learns)
#endif
TESTS_END
