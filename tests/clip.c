/* CLIP: both losses at known places, bounds of the temperature, equal captions, what is drawn of captions, embeddings
   that do not depend on padding, prompts, files of both kinds of names, combinations of words never seen together. */
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"

#if SSLH_WITH_CLIP
static double item(sslh_tensor *t) { return (double)sslh_item(t); }
static sslh_tensor *rows(sslh_ctx *c, int n, int d, uint64_t stream) {
    sslh_tensor *x = sslh_zeros(c, sslh_dim2(n, d));
    size_t i;
    for (i = 0; i < x->count && !sslh_error(c); i++) x->data[i] = (sslh_real)sslh_random_normal(5, stream, i);
    return x;
}
static sslh_tensor *number(sslh_ctx *c, double v) { return sslh_scalar(c, (float)v); }

/* --- losses ------------------------------------------------------------------------------------------------------- */

static void collapse_costs_ln_n(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *one = sslh_full(c, sslh_dim2(6, 4), 0.5f);
    double s, wrong;
    for (s = 0; s < 5; s += 2) CHECK_CLOSE(item(sslh_clip_loss(c, one, one, number(c, s), NULL)), log(6.0), 1e-6);
    /* every cosine is 1, so x = e^s + b in all 36 pairs, of which 6 are right */
    s = 1.5, wrong = exp(s) - 3;
    CHECK_CLOSE(item(sslh_siglip_loss(c, one, one, number(c, s), number(c, -3), NULL)),
                log(1 + exp(-wrong)) + 5 * log(1 + exp(wrong)), 1e-5);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Neither the lengths of the rows nor which side is called images matters; rows of other pairs raise both losses. */
static void breaking_pairs_costs(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *u = rows(c, 8, 16, 1), *v = sslh_add(c, u, sslh_scale(c, rows(c, 8, 16, 2), 0.3f)), *s = number(c, 2);
    sslh_tensor *b = number(c, -4), *two[2], *moved;
    double clip = item(sslh_clip_loss(c, u, v, s, NULL)), siglip = item(sslh_siglip_loss(c, u, v, s, b, NULL));
    two[0] = sslh_slice(c, v, 0, 1, 8), two[1] = sslh_slice(c, v, 0, 0, 1);
    moved = sslh_concat(c, two, 2, 0);
    CHECK_CLOSE(item(sslh_clip_loss(c, sslh_scale(c, u, 5), v, s, NULL)), clip, 1e-6);
    CHECK_CLOSE(item(sslh_clip_loss(c, v, u, s, NULL)), clip, 1e-6);
    CHECK_CLOSE(item(sslh_siglip_loss(c, v, sslh_scale(c, u, 5), s, b, NULL)), siglip, 1e-6);
    CHECK(clip < log(8.0) - 1, "%g", clip);
    CHECK(item(sslh_clip_loss(c, u, moved, s, NULL)) > clip + 2, "the softmax does not see which rows are pairs");
    CHECK(item(sslh_siglip_loss(c, u, moved, s, b, NULL)) > siglip + 2, "nor does the sigmoid");
    CHECK_OK(c);
    sslh_destroy(c);
}

static void gradient_of(sslh_ctx *c, sslh_tensor *u, sslh_tensor *v, sslh_tensor *same, int sigmoid, double *loss,
                        float out[24]) {
    sslh_tensor *x = sslh_requires_grad(sslh_scale(c, u, 1)), *s = number(c, 1);
    int i;
    sslh_tensor *l = sigmoid ? sslh_siglip_loss(c, x, v, s, number(c, -1), same) : sslh_clip_loss(c, x, v, s, same);
    *loss = item(l);
    sslh_backward(c, l);
    for (i = 0; i < 24; i++) out[i] = sslh_error(c) ? 0 : (float)x->grad[i];
}
/* Pairs 0, 2 and 3 have one caption. With equal rows of texts the softmax loss and its gradients are the same whether
   they are told to be equal or not, as the section says; with the sigmoid the images are pushed away from their own
   caption unless they are. */
static void equal_captions_are_not_punished(void) {
    static const int32_t same[4] = {0, 1, 0, 0}, order[4] = {0, 1, 0, 0};
    sslh_ctx *c = context(1);
    sslh_tensor *u = rows(c, 4, 6, 3), *texts = rows(c, 2, 6, 4), *v, *ids = sslh_from_ints(c, sslh_dim1(4), same);
    float g[2][24];
    double a, b, most = 0;
    int i;
    v = sslh_embedding(c, texts, sslh_from_ints(c, sslh_dim1(4), order));
    gradient_of(c, u, v, NULL, 0, &a, g[0]);
    gradient_of(c, u, v, ids, 0, &b, g[1]);
    CHECK_CLOSE(a, b, 1e-6);
    for (i = 0; i < 24; i++) CHECK_NEAR(g[0][i], g[1][i], 1e-6);
    gradient_of(c, u, v, NULL, 1, &a, g[0]);
    gradient_of(c, u, v, ids, 1, &b, g[1]);
    for (i = 0; i < 24; i++) most = fmax(most, fabs((double)g[0][i] - (double)g[1][i]));
    CHECK(most > 0.05, "equal captions change no gradient of the sigmoid: %g", most);
    /* images that lie on their captions: right answers cost little when equality is known, much when it is not */
    u = sslh_scale(c, v, 2);
    a = item(sslh_siglip_loss(c, u, v, number(c, 3), number(c, -10), NULL));
    b = item(sslh_siglip_loss(c, u, v, number(c, 3), number(c, -10), ids));
    CHECK(b < 0.2 && a > 10, "%g with equality, %g without", b, a);
    /* rows of equal captions that differ: then the softmax too is lower when they are known */
    u = rows(c, 4, 6, 3), v = sslh_add(c, v, sslh_scale(c, rows(c, 4, 6, 8), 0.5f));
    a = item(sslh_clip_loss(c, v, v, number(c, 3), NULL));
    CHECK(fabs(a - item(sslh_clip_loss(c, v, v, number(c, 3), ids))) > 0.1, "shares do not count: %g", a);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- pictures of skies and grounds, with their names -------------------------------------------------------------- */

enum { COLOURS = 5, CLASSES = COLOURS * COLOURS, EACH = 6, PICTURES = CLASSES * EACH, PIXELS = 6 };
static const char *const skies[COLOURS] = {"red", "green", "blue", "yellow", "white"};
static const char *const grounds[COLOURS] = {"bricks", "grass", "water", "sand", "snow"};
static uint8_t pictures[PICTURES][PIXELS][PIXELS][3];
static int32_t words[3][PICTURES][5], word_count[3][PICTURES], answer_of[PICTURES];
static char class_text[CLASSES][24];
static const char *class_name[CLASSES];

/* Picture i has class i / EACH: a sky of one colour above a ground of another, both noisy. Captions: "red sky , grass",
   "a red sky above grass", "grass , red sky". */
static sslh_data two_colours(sslh_ctx *c, sslh_tokenizer **t) {
    static const uint8_t rgb[COLOURS][3] = {{200, 30, 30}, {30, 190, 40}, {40, 50, 200}, {200, 190, 30},
                                            {210, 210, 210}};
    static const char all[] = "a red green blue yellow white sky above , bricks grass water sand snow photo of";
    sslh_tokenizer_desc d;
    sslh_field f[5];
    int i, k, y, x, ch;
    memset(&d, 0, sizeof d), memset(f, 0, sizeof f);
    d.kind = SSLH_TOKENS_WORDS;
    d.special = "<|startoftext|> <|endoftext|>";
    *t = sslh_tokenizer_new(c, all, strlen(all), d);
    for (i = 0; i < CLASSES; i++) {
        snprintf(class_text[i], sizeof class_text[i], "%s sky , %s", skies[i / COLOURS], grounds[i % COLOURS]);
        class_name[i] = class_text[i];
    }
    for (i = 0; i < PICTURES; i++) {
        const int top = i / EACH / COLOURS, bottom = i / EACH % COLOURS;
        char text[64];
        answer_of[i] = i / EACH;
        for (y = 0; y < PIXELS; y++)
            for (x = 0; x < PIXELS; x++)
                for (ch = 0; ch < 3; ch++)
                    pictures[i][y][x][ch] = (uint8_t)(rgb[y < PIXELS / 2 ? top : bottom][ch] +
                        sslh_random_below(3, 3, (uint64_t)(((i * PIXELS + y) * PIXELS + x) * 3 + ch), 45));
        for (k = 0; k < 3; k++) {
            if (k == 2) snprintf(text, sizeof text, "%s , %s sky", grounds[bottom], skies[top]);
            else snprintf(text, sizeof text, k ? "a %s sky above %s" : "%s sky , %s", skies[top], grounds[bottom]);
            word_count[k][i] = (int32_t)sslh_tokenize(*t, text, strlen(text), words[k][i], 5);
        }
    }
    f[0].kind = SSLH_FIELD_IMAGE, f[0].type = SSLH_U8, f[0].shape = sslh_dim3(PIXELS, PIXELS, 3);
    f[0].values = pictures;
    for (k = 0; k < 3; k++) {
        f[1 + k].kind = SSLH_FIELD_TOKENS, f[1 + k].type = SSLH_I32, f[1 + k].shape = sslh_dim1(5);
        f[1 + k].values = words[k], f[1 + k].lengths = word_count[k];
    }
    f[4].kind = SSLH_FIELD_LABEL, f[4].type = SSLH_I32, f[4].values = answer_of, f[4].names = class_name;
    f[4].classes = CLASSES;
    return sslh_data_from_fields(c, f, 5, PICTURES);
}
static sslh_clip_desc small(const sslh_tokenizer *t) {
    sslh_clip_desc d;
    memset(&d, 0, sizeof d);
    d.head_out = 16, d.text_width = 24, d.text_depth = 1, d.length = 12;
    d.vocabulary = sslh_tokenizer_size(t);
    d.start_token = sslh_token_id(t, "<|startoftext|>"), d.end_token = sslh_token_id(t, "<|endoftext|>");
    return d;
}
static sslh_net *eye(sslh_ctx *c) {
    sslh_mlp_desc d;
    memset(&d, 0, sizeof d);
    d.in = PIXELS * PIXELS * 3, d.widths[0] = 24, d.last_activation = 1;
    return sslh_mlp(c, d);
}

/* Seven of 25 combinations are held out, each of whose parts is known from others. With the names of all 25 as classes
   pictures are named right, and pictures of combinations that training never saw find theirs among the seven captions,
   of which guessing would find a seventh. */
static void combinations_never_seen(void) {
    static const char *const prompts[2] = {"{}", "a {}"};
    int32_t index[2][PICTURES], predicted[PICTURES];
    int n[2] = {0, 0}, i, loss, right;
    for (loss = 1; loss <= 2; loss++) {
        sslh_ctx *c = context(0);
        sslh_tokenizer *t;
        sslh_data all = two_colours(c, &t), part[2];
        sslh_clip_desc d = small(t);
        sslh_recipe whole = SSLH_VIEWS_NONE;
        sslh_method m;
        sslh_train_desc td;
        sslh_tensor *classes;
        float share, first;
        for (n[0] = n[1] = i = 0; i < PICTURES; i++) {
            const int out = answer_of[i] % 4 == 1 || answer_of[i] == 22;
            index[out][n[out]++] = i;
        }
        for (i = 0; i < 2; i++) part[i] = sslh_data_pick(all, index[i], n[i]);
        d.loss = loss;
        d.views = &whole;
        m = sslh_clip(c, eye(c), NULL, d);
        classes = sslh_clip_classes(&m, t, class_name, CLASSES, prompts, 2);
        first = sslh_clip_zero_shot(&m, classes, part[0], NULL);
        memset(&td, 0, sizeof td);
        td.epochs = 60, td.batch = 25, td.quiet = 1, td.lr = 5e-3f;
        sslh_train(c, m, part[0], td);
        classes = sslh_clip_classes(&m, t, class_name, CLASSES, prompts, 2);
        share = sslh_clip_zero_shot(&m, classes, part[0], predicted);
        CHECK_OK(c);
        CHECK(share > 0.7f && first < 0.3f, "loss %d: %g are named right, before %g", loss, (double)share,
              (double)first);
        for (i = right = 0; i < n[0]; i++) right += predicted[i] == answer_of[index[0][i]];
        CHECK_NEAR((double)right / n[0], share, 1e-6);
        share = sslh_retrieval(c, sslh_clip_texts(&m, part[1], 3), part[1].labels, sslh_clip_images(&m, part[1]),
                               part[1].labels, 1).hit;
        CHECK(n[1] == 7 * EACH && share > 0.4f, "loss %d: %g of the pictures never seen find their caption", loss,
              (double)share);
        sslh_destroy(c);
    }
}

/* --- what is drawn ------------------------------------------------------------------------------------------------ */

static sslh_batch batch_of(sslh_data d, const int32_t *index, int n, int epoch) {
    sslh_batch b;
    memset(&b, 0, sizeof b);
    b.data = d, b.count = n, b.index = index, b.epoch = epoch, b.seed = 7;
    return b;
}

/* [start] caption [end], of each of the three fields in some epoch; the same numbers for the same first caption. */
static void captions_are_drawn(void) {
    static const int32_t index[4] = {0, 1, 7, 20};
    sslh_ctx *c = context(1);
    sslh_tokenizer *t;
    sslh_data all = two_colours(c, &t);
    sslh_clip_desc d = small(t);
    sslh_method m = sslh_clip(c, eye(c), NULL, d);
    int seen[3] = {0, 0, 0}, epoch, n, k;
    m.prepare(&m, all);
    for (epoch = 0; epoch < 12; epoch++) {
        sslh_view_set v;
        sslh_batch b = batch_of(all, index, 4, epoch);
        const int32_t *same, *end;
        memset(&v, 0, sizeof v);
        sslh_begin_step(c);
        m.views(&m, &b, &v);
        if (!CHECK_OK(c)) break;
        same = sslh_view_get(&v, "same")->ints, end = sslh_view_get(&v, "ends")->ints;
        CHECK(same[0] == 0 && same[1] == 0 && same[2] == 2 && same[3] == 3, "pictures 0 and 1 are of one class");
        for (n = 0; n < 4; n++) {
            const int32_t *row = sslh_view_get(&v, "tokens")->ints + 7 * n;
            const uint8_t *hidden = sslh_view_get(&v, "padding")->bytes + 7 * n;
            int length = end[n] - 7 * n - 1, which = -1;
            CHECK(row[0] == d.start_token && row[1 + length] == d.end_token, "the ends of a text");
            for (k = 0; k < 7; k++) CHECK(hidden[k] == (k > 1 + length), "padding");
            for (k = 0; k < 3; k++)
                if (word_count[k][index[n]] == length &&
                    !memcmp(words[k][index[n]], row + 1, (size_t)length * sizeof *row)) which = k;
            if (CHECK(which >= 0, "no caption of picture %d", (int)index[n])) seen[which]++;
        }
    }
    CHECK(seen[0] > 5 && seen[1] > 5 && seen[2] > 5, "%d, %d, %d times", seen[0], seen[1], seen[2]);
    sslh_destroy(c);
}
/* With .equal 2 a batch has each caption once; with 3 no two pairs are equal; half of the words go, but never all. */
static void drawn_otherwise(void) {
    static const int32_t index[5] = {0, 1, 7, 2, 20};
    sslh_ctx *c = context(1);
    sslh_tokenizer *t;
    sslh_data all = two_colours(c, &t);
    sslh_clip_desc d = small(t);
    sslh_view_set v;
    sslh_method m;
    sslh_batch b = batch_of(all, index, 5, 3);
    int epoch, n, lost = 0;
    d.equal = SSLH_CLIP_ONCE;
    m = sslh_clip(c, eye(c), NULL, d);
    m.prepare(&m, all);
    memset(&v, 0, sizeof v);
    m.views(&m, &b, &v);
    CHECK_OK(c);
    CHECK(sslh_view_get(&v, "images")->shape[0] == 3 && sslh_view_get(&v, "tokens")->shape[0] == 3, "three captions");
    d.equal = SSLH_CLIP_WRONG, d.drop_words = 0.5f;
    m = sslh_clip(c, eye(c), NULL, d);
    m.prepare(&m, all);
    for (epoch = 0; epoch < 10; epoch++) {
        b.epoch = epoch;
        sslh_begin_step(c);
        memset(&v, 0, sizeof v);
        m.views(&m, &b, &v);
        CHECK_OK(c);
        for (n = 0; n < 5 && !sslh_error(c); n++) {
            const int length = sslh_view_get(&v, "ends")->ints[n] - 7 * n - 1;
            CHECK(sslh_view_get(&v, "same")->ints[n] == n, "equal captions are wrong answers");
            CHECK(length >= 1 && length <= 5, "%d words are left", length);
            lost += 5 - length;
        }
    }
    CHECK(lost > 100 && lost < 180, "%d words are missing of at most 250", lost);
    sslh_destroy(c);
}

/* s starts at -ln t, at most ln .most, and stays between 0 and that whatever an update does to it. */
static void temperature_has_bounds(void) {
    sslh_ctx *c = context(1);
    sslh_tokenizer *t;
    sslh_data all = two_colours(c, &t);
    sslh_clip_desc d = small(t);
    sslh_train_desc td;
    sslh_method m;
    sslh_tensor *s;
    memset(&td, 0, sizeof td);
    td.epochs = 1, td.batch = 8, td.max_steps = 1, td.quiet = 1;
    d.most = 20;
    m = sslh_clip(c, eye(c), NULL, d);
    s = sslh_find(m.net, "head.logit_scale");
    CHECK_CLOSE(s->data[0], -log(0.07), 1e-6);
    s->data[0] = 7;
    sslh_train(c, m, all, td);
    CHECK_CLOSE(s->data[0], log(20.0), 1e-6);
    s->data[0] = -2;
    sslh_train(c, m, all, td);
    CHECK(s->data[0] == 0, "%g", (double)s->data[0]);
    d.temperature = 0.01f;
    m = sslh_clip(c, eye(c), NULL, d);
    CHECK_CLOSE(sslh_find(m.net, "head.logit_scale")->data[0], log(20.0), 1e-6);
    d.temperature = 0;
    d.loss = SSLH_CLIP_SIGMOID;
    m = sslh_clip(c, eye(c), NULL, d);
    CHECK_CLOSE(sslh_find(m.net, "head.logit_scale")->data[0], -log(0.1), 1e-6);
    CHECK(sslh_find(m.net, "head.logit_bias")->data[0] == -10, "the bias");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- embeddings --------------------------------------------------------------------------------------------------- */

/* The embedding of a text does not depend on how much room there is behind it, in causal and in other encoders. */
static void padding_says_nothing(void) {
    static const int32_t text[3] = {4, 1, 6}, one = 3;
    int kind;
    for (kind = 0; kind < 2; kind++) {
        sslh_ctx *c = context(1);
        sslh_transformer_desc td;
        sslh_clip_desc d;
        sslh_tensor *u[2] = {NULL, NULL};
        sslh_method m;
        int32_t wide[6] = {4, 1, 6, 2, 2, 5};
        int i;
        memset(&td, 0, sizeof td), memset(&d, 0, sizeof d);
        td.kind = kind ? SSLH_BERT : SSLH_CLIP_TEXT;
        td.vocabulary = 12, td.length = 10, td.width = 16, td.depth = 2, td.heads = 2;
        d.head_out = 8;
        m = sslh_clip(c, eye(c), sslh_transformer(c, td), d);
        for (i = 0; i < 2; i++) {
            sslh_field f;
            memset(&f, 0, sizeof f);
            f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(i ? 6 : 3);
            f.values = i ? wide : text, f.lengths = &one;
            u[i] = sslh_clip_texts(&m, sslh_data_from_fields(c, &f, 1, 1), 0);
        }
        CHECK_OK(c);
        for (i = 0; i < 8 && !sslh_error(c); i++) CHECK_NEAR(u[0]->data[i], u[1]->data[i], 1e-6);
        sslh_destroy(c);
    }
}

/* The class is the mean of its prompts' unit rows, made a unit row again; the method is as before. */
static void prompts_are_averaged(void) {
    static const char *const prompts[2] = {"a photo of {}", "{} , a"};
    static const char *const bad[1] = {"a photo"};
    static const char *const texts[2] = {"a photo of red sky , sand", "red sky , sand , a"};
    static const char *const names[2] = {"red sky , sand", "snow"}, *nobody[1] = {NULL};
    sslh_ctx *c = context(1);
    sslh_tokenizer *t;
    sslh_data all = two_colours(c, &t);
    sslh_clip_desc d = small(t);
    sslh_method m = sslh_clip(c, eye(c), NULL, d);
    sslh_tensor *classes = sslh_clip_classes(&m, t, names, 2, prompts, 2);
    sslh_tensor *each = sslh_clip_classes(&m, t, texts, 2, NULL, 0);
    double norm = 0, sum[16];
    int i;
    CHECK_OK(c);
    CHECK(sslh_is_training(m.net), "the mode is not restored");
    for (i = 0; i < 16; i++) sum[i] = (double)each->data[i] + (double)each->data[16 + i], norm += sum[i] * sum[i];
    for (i = 0; i < 16; i++) CHECK_NEAR(classes->data[i], sum[i] / sqrt(norm), 1e-6);
    sslh_clip_classes(&m, t, names, 2, bad, 1);
    CHECK_ERROR(c, "sslh_clip_classes: the prompt 'a photo' has no {} for the name");
    sslh_clip_classes(&m, t, nobody, 1, NULL, 0);
    CHECK_ERROR(c, "sslh_clip_classes: a name is NULL");
    sslh_clip_classes(&m, NULL, names, 2, NULL, 0);
    CHECK_ERROR(c, "sslh_clip_classes: a tokenizer");
    sslh_clip_zero_shot(&m, sslh_zeros(c, sslh_dim2(2, 5)), all, NULL);
    CHECK_ERROR(c, "sslh_clip_zero_shot: classes are (K,16)");
    sslh_clip_texts(&m, all, 0);
    CHECK_ERROR(c, "sslh_clip_texts: the data set is empty, of another context, or its field 0 is no captions");
    sslh_destroy(c);
}

static void wrong_use(void) {
    sslh_ctx *c = context(1);
    sslh_tokenizer *t;
    sslh_data all = two_colours(c, &t), images = all, captions;
    sslh_clip_desc d = small(t);
    sslh_train_desc td;
    sslh_method m;
    memset(&td, 0, sizeof td);
    td.epochs = 1, td.quiet = 1;
    sslh_clip(c, eye(c), eye(c), d);
    CHECK_ERROR(c, "sslh_clip: the net 'mlp' is not by sslh_transformer");
    sslh_clip(c, NULL, NULL, d);
    CHECK_ERROR(c, "sslh_clip: the encoder is NULL");
    d.end_token = 500;
    sslh_clip(c, eye(c), NULL, d);
    CHECK_ERROR(c, "sslh_clip: the special token 500 is beyond the text encoder's vocabulary");
    d = small(t), d.temperature = 2;
    sslh_clip(c, eye(c), NULL, d);
    CHECK_ERROR(c, "sslh_clip: .temperature is 2 (0.001 to 1)");
    d = small(t);
    m = sslh_clip(c, eye(c), NULL, d);
    images.fields = 1;
    sslh_train(c, m, images, td);
    CHECK_ERROR(c, "sslh_clip: the data have no captions");
    captions = sslh_data_from_fields(c, all.field + 1, 3, PICTURES);
    sslh_train(c, m, captions, td);
    CHECK_ERROR(c, "sslh_clip: the data have no images");
    d.length = 6;
    m = sslh_clip(c, eye(c), NULL, d);
    sslh_train(c, m, all, td);
    CHECK_ERROR(c, "sslh_clip: captions of 5 tokens, but the text encoder has room for 4");
    for (int i = 0; i < all.fields; i++)
        if (all.field[i].kind == SSLH_FIELD_TOKENS) {
            sslh_clip_texts(&m, all, i);
            CHECK_ERROR(c, "sslh_clip_texts: captions of 5 tokens, but the text encoder has room for 4");
        }
    m = sslh_clip(c, eye(c), NULL, small(t));
    for (int i = 0; i < all.fields; i++)
        if (all.field[i].kind == SSLH_FIELD_TOKENS) { /* found before the first step */
            static int32_t odd[PICTURES * 5];
            sslh_data other = all;
            odd[PICTURES - 1] = 100000;
            other.field[i].values = odd, other.field[i].lengths = NULL, other.field[i].shape = sslh_dim1(1);
            m.prepare(&m, other);
            CHECK_ERROR(c, "clip: the data have token 100000, but the encoder knows 0 to ");
            sslh_clip_texts(&m, other, i);
            CHECK_ERROR(c, "sslh_clip_texts: sslh_embedding: index 100000");
        }
    sslh_destroy(c);
}

/* The share of questions with an answer among the k nearest. */
static void recall_at_k(void) {
    static const float at[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    static const float from[12] = {3, 2, 1, 0, 0, 0, 1, 2, 1, 2, 0, 0};
    static const int32_t known[4] = {0, 1, 1, 2}, asked[3] = {1, 5, 1};
    sslh_ctx *c = context(1);
    sslh_tensor *x = sslh_persist(sslh_from(c, sslh_dim2(4, 4), at));
    sslh_tensor *q = sslh_persist(sslh_from(c, sslh_dim2(3, 4), from));
    CHECK_NEAR(sslh_retrieval(c, x, known, q, asked, 1).hit, 1 / 3.0, 1e-6);
    CHECK_NEAR(sslh_retrieval(c, x, known, q, asked, 2).hit, 2 / 3.0, 1e-6);
    CHECK_NEAR(sslh_retrieval(c, x, known, q, asked, 4).hit, 2 / 3.0, 1e-6);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

/* Both encoders small: a transformer on patches with CLIP's names. */
static sslh_method both(sslh_ctx *c, int sigmoid) {
    sslh_vit_desc v;
    sslh_clip_desc d;
    memset(&v, 0, sizeof v), memset(&d, 0, sizeof d);
    v.clip = 1, v.image = 8, v.width = 12, v.depth = 1, v.heads = 2;
    d.head_out = 6, d.vocabulary = 9, d.length = 7, d.text_width = 8, d.text_depth = 1;
    if (sigmoid) d.loss = SSLH_CLIP_SIGMOID;
    return sslh_clip(c, sslh_vit(c, v), NULL, d);
}
static void saved_and_loaded(void) {
    char path[512];
    sslh_ctx *c = context(1);
    sslh_method a = both(c, 0), b = both(c, 0), other = both(c, 1);
    sslh_preprocess p;
    uint64_t before;
    snprintf(path, sizeof path, "%s", test_temporary("clip.safetensors"));
    memset(&p, 0, sizeof p);
    p.height = p.width = 8, p.channels = 3, p.mean[1] = 0.25f, p.std[1] = 0.5f;
    sslh_set_preprocess(a.encoder, p);
    CHECK(sslh_hash(a.net) != sslh_hash(b.net), "equal from the beginning");
    sslh_clip_save(&a, path);
    sslh_clip_load(&b, path);
    CHECK_OK(c);
    CHECK(sslh_hash(a.net) == sslh_hash(b.net), "other values");
    CHECK(sslh_get_preprocess(b.encoder).mean[1] == 0.25f, "the preprocessing is lost");
    before = sslh_hash(other.net);
    sslh_clip_load(&other, path);
    CHECK_ERROR(c, "sslh_clip_load: ");
    CHECK(sslh_hash(other.net) == before, "changed after an error");
    sslh_clip_load(&other, path);
    CHECK_ERROR(c, "lacks missing 1: logit_bias");
    test_remove(path);
    sslh_destroy(c);
}

/* Every allocation of a load fails in turn, in a method that has not been used yet: an error, and again it works. */
static void load_without_memory(void) {
    char path[512];
    sslh_ctx *c = context(1);
    sslh_method m = both(c, 0);
    uint64_t hash = sslh_hash(m.net);
    int worked = 0;
    long n;
    snprintf(path, sizeof path, "%s", test_temporary("clip.safetensors"));
    sslh_clip_save(&m, path);
    sslh_destroy(c);
    for (n = 1; n < 200 && !worked; n++) {
        test_memory memory;
        sslh_desc d;
        memset(&memory, 0, sizeof memory), memset(&d, 0, sizeof d);
        d.threads = 1, d.seed = 8, d.alloc = test_alloc, d.release = test_release, d.user = &memory;
        c = sslh_create(d);
        m = both(c, 0);
        memory.fail_at = memory.calls + n;
        sslh_clip_load(&m, path);
        worked = sslh_error(c) == NULL;
        if (!worked) {
            CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "allocation %ld: %s", n, sslh_error(c));
            sslh_clear_error(c);
            sslh_clip_load(&m, path);
            CHECK_OK(c);
        }
        CHECK(sslh_hash(m.net) == hash, "allocation %ld: other values", n);
        sslh_destroy(c);
        CHECK(memory.live == 0, "allocation %ld: %ld blocks left", n, memory.live);
    }
    CHECK(worked && n > 10, "%ld allocations", n);
    test_remove(path);
}

/* A text encoder that the method makes has as many heads as the authors' of this width: 8 for 512. */
static void heads_of_the_authors(void) {
    static const int32_t text[3] = {4, 1, 6};
    sslh_tensor *u[2];
    sslh_ctx *c[2];
    int i, k;
    for (i = 0; i < 2; i++) {
        sslh_transformer_desc td;
        sslh_clip_desc d;
        sslh_net *image;
        sslh_method m;
        sslh_field f;
        memset(&td, 0, sizeof td), memset(&d, 0, sizeof d), memset(&f, 0, sizeof f);
        c[i] = context(1);
        f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(3), f.values = text;
        td.kind = SSLH_CLIP_TEXT, td.vocabulary = 12, td.length = 5, td.width = 512, td.depth = 1, td.heads = 8;
        d.head_out = 8, d.vocabulary = 12, d.length = 5, d.text_width = 512, d.text_depth = 1;
        image = eye(c[i]);
        m = sslh_clip(c[i], image, i ? sslh_transformer(c[i], td) : NULL, d);
        u[i] = sslh_clip_texts(&m, sslh_data_from_fields(c[i], &f, 1, 1), 0);
        CHECK_OK(c[i]);
    }
    for (k = 0; k < 8; k++) CHECK_NEAR(u[0]->data[k], u[1]->data[k], 0);
    for (i = 0; i < 2; i++) sslh_destroy(c[i]);
}

/* CLIP's encoder of images by itself: its file names all of its settings, and features are those of the class token. */
static void encoder_alone(void) {
    char path[512];
    sslh_ctx *c = context(1);
    sslh_vit_desc v;
    sslh_net *net, *again;
    sslh_tensor *x = sslh_persist(sslh_uniform(c, sslh_dim4(2, 8, 8, 3), 0, 1)), *a, *b;
    size_t i;
    memset(&v, 0, sizeof v);
    snprintf(path, sizeof path, "%s", test_temporary("visual.safetensors"));
    v.clip = 1, v.image = 8, v.width = 12, v.depth = 2, v.heads = 2, v.activation = SSLH_GELU;
    net = sslh_vit(c, v);
    v.activation = 0;
    sslh_save_net(net, path);
    again = sslh_load_net(c, path);
    a = sslh_forward(net, x), b = sslh_forward(again, x);
    if (CHECK_OK(c) && CHECK(a->ndim == 2 && a->shape[1] == 12, "the class token"))
        for (i = 0; i < a->count; i++) CHECK_NEAR(a->data[i], b->data[i], 0);
    sslh_copy_values(again = sslh_vit(c, v), net);
    b = sslh_forward(again, x);
    for (i = 0; i < a->count && a->data[i] == b->data[i]; i++) {}
    CHECK(i < a->count, "another GELU makes no difference");
    v.fixed_positions = 1;
    sslh_vit(c, v);
    CHECK_ERROR(c, "sslh_vit: the positions of .clip are trained");
    v.fixed_positions = 0, v.clip = 2;
    sslh_vit(c, v);
    CHECK_ERROR(c, "sslh_vit: .clip is 2 (0 to 1)");
    test_remove(path);
    sslh_destroy(c);
}

/* A file with Hugging Face's names: rows of q, k and v are thirds of OpenAI's matrix, matrices of the heads are not
   transposed, and normalisation that the file does not state becomes OpenAI's in files of other programs only. */
static void names_of_hugging_face(void) {
    static const char *const block[16] = {
        "layer_norm1.weight", "layer_norm1.bias", "self_attn.q_proj.weight", "self_attn.q_proj.bias",
        "self_attn.k_proj.weight", "self_attn.k_proj.bias", "self_attn.v_proj.weight", "self_attn.v_proj.bias",
        "self_attn.out_proj.weight", "self_attn.out_proj.bias", "layer_norm2.weight", "layer_norm2.bias",
        "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias"};
    char path[512], name[96];
    sslh_ctx *c = context(1);
    sslh_method m = both(c, 0);
    sslh_net_desc nd;
    sslh_net *file;
    int tower, i, k;
    memset(&nd, 0, sizeof nd);
    nd.name = "file";
    snprintf(path, sizeof path, "%s", test_temporary("hf.safetensors"));
    file = sslh_net_new(c, nd);
#define TENSOR(name, shape) sslh_param_new(file, name, shape, SSLH_INIT_NORMAL, 1)
    TENSOR("vision_model.embeddings.class_embedding", sslh_dim1(12));
    TENSOR("vision_model.embeddings.position_embedding.weight", sslh_dim2(5, 12));
    TENSOR("vision_model.embeddings.patch_embedding.weight", sslh_dim4(12, 4, 4, 3));
    TENSOR("vision_model.pre_layrnorm.weight", sslh_dim1(12));
    TENSOR("vision_model.pre_layrnorm.bias", sslh_dim1(12));
    TENSOR("vision_model.post_layernorm.weight", sslh_dim1(12));
    TENSOR("vision_model.post_layernorm.bias", sslh_dim1(12));
    TENSOR("text_model.embeddings.token_embedding.weight", sslh_dim2(9, 8));
    TENSOR("text_model.embeddings.position_embedding.weight", sslh_dim2(7, 8));
    TENSOR("text_model.final_layer_norm.weight", sslh_dim1(8));
    TENSOR("text_model.final_layer_norm.bias", sslh_dim1(8));
    TENSOR("visual_projection.weight", sslh_dim2(6, 12));
    TENSOR("text_projection.weight", sslh_dim2(6, 8));
    TENSOR("logit_scale", sslh_dim0());
    for (tower = 0; tower < 2; tower++)
        for (i = 0; i < 16; i++) {
            const int D = tower ? 8 : 12, out = i == 12 || i == 13 ? 4 * D : D, in = i == 14 ? 4 * D : D;
            const int matrix = i % 2 == 0 && i != 0 && i != 10;
            snprintf(name, sizeof name, "%s.encoder.layers.0.%s", tower ? "text_model" : "vision_model", block[i]);
            TENSOR(name, matrix ? sslh_dim2(out, in) : sslh_dim1(out));
        }
#undef TENSOR
    sslh_save_net(file, path);
    sslh_clip_load(&m, path);
    CHECK_OK(c);
    for (k = 0; k < 3 && !sslh_error(c); k++) {
        const sslh_tensor *third, *whole = sslh_find(m.net, "text.transformer.resblocks.0.attn.in_proj_weight");
        snprintf(name, sizeof name, "text_model.encoder.layers.0.self_attn.%c_proj.weight", "qkv"[k]);
        third = sslh_find(file, name);
        CHECK(!memcmp(third->data, whole->data + k * 64, 64 * sizeof *whole->data), "the matrix of %c", "qkv"[k]);
        third = sslh_find(file, strcat(strcpy(name, "vision_model.encoder.layers.0.self_attn."),
                                       k == 0 ? "q_proj.bias" : k == 1 ? "k_proj.bias" : "v_proj.bias"));
        whole = sslh_find(m.net, "encoder.transformer.resblocks.0.attn.in_proj_bias");
        CHECK(!memcmp(third->data, whole->data + k * 12, 12 * sizeof *whole->data), "the bias of %c", "qkv"[k]);
    }
    CHECK(!memcmp(sslh_find(m.net, "head.visual.proj")->data, sslh_find(file, "visual_projection.weight")->data,
                  72 * sizeof(sslh_real)), "the head of the images");
    CHECK(!memcmp(sslh_find(m.net, "encoder.conv1.weight")->data,
                  sslh_find(file, "vision_model.embeddings.patch_embedding.weight")->data, 576 * sizeof(sslh_real)),
          "the patches");
    test_remove(path);
    sslh_destroy(c);
}
#endif /* SSLH_WITH_CLIP */

TESTS_BEGIN
#if SSLH_WITH_CLIP
    TEST(collapse_costs_ln_n)
    TEST(breaking_pairs_costs)
    TEST(equal_captions_are_not_punished)
    TEST(captions_are_drawn)
    TEST(drawn_otherwise)
    TEST(temperature_has_bounds)
    TEST(padding_says_nothing)
    TEST(prompts_are_averaged)
    TEST(wrong_use)
    TEST(recall_at_k)
    TEST(saved_and_loaded)
    TEST(load_without_memory)
    TEST(heads_of_the_authors)
    TEST(encoder_alone)
    TEST(names_of_hugging_face)
    TEST_LEARNS(combinations_never_seen)
#endif
TESTS_END
