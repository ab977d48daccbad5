/* Is a sentence for or against? With few labels, features that were learnt from sentences without labels may help. Each
   row is an encoder: untrained, or after word2vec, BERT, ELECTRA, BART, the order of sentences, or a contrast of two
   views of each sentence. It is measured with 1, 10 and 100 % of the labels: frozen, with a linear classifier on the
   mean of its output, and fine-tuned. Beside them stand counted words (naive Bayes).

       build/examples/polarity --data text --text wiki_train.txt --bytes 1000000
       build/examples/polarity --data text --methods bert,electra --steps 4000

   --data is a folder with rt_polarity_pos.txt and rt_polarity_neg.txt, a sentence in each line (Pang & Lee 2005). A
   fifth of each class is the test; the rest, without labels, is what is learnt from, with --text also a text about
   other things, cut into pieces of whole sentences. The vocabulary is that of the sentences. Without --data a small set
   of sentences is made. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <math.h>

enum { LONGEST = 40, ENDS = 2 }; /* words of a sentence, of which longer ones are cut; [CLS] and [SEP] */

/* Texts of up to LONGEST words, one behind the other. */
typedef struct lines {
    int32_t *words, *length, *label; /* (room,LONGEST), (room), (room) */
    int n, room;
} lines;
static void lines_add(sslh_ctx *c, lines *l, const int32_t *words, int count, int label) {
    if (count > LONGEST) count = LONGEST;
    if (!count || sslh_error(c)) return;
    if (l->n == l->room) {
        const size_t room = l->room ? 2 * (size_t)l->room : 1024;
        int32_t *w = (int32_t *)realloc(l->words, room * LONGEST * sizeof *w), *n, *y;
        if (w) l->words = w;
        n = w ? (int32_t *)realloc(l->length, room * sizeof *n) : NULL;
        if (n) l->length = n;
        y = n ? (int32_t *)realloc(l->label, room * sizeof *y) : NULL;
        if (!y) {
            sslh_fail(c, SSLH_E_MEMORY, "out of memory: the sentences");
            return;
        }
        l->label = y;
        l->room = (int)room;
    }
    memset(l->words + (size_t)l->n * LONGEST, 0, LONGEST * sizeof *l->words);
    memcpy(l->words + (size_t)l->n * LONGEST, words, (size_t)count * sizeof *words);
    l->length[l->n] = count;
    l->label[l->n++] = label;
}
/* Whether a text has an order to learn: sentences that end with the token `end`, and something behind one. */
static int lines_have_order(const lines *l, int end) {
    for (int i = 0; i < l->n; i++)
        for (int k = 0; k + 1 < l->length[i]; k++)
            if (l->words[(size_t)i * LONGEST + (size_t)k] == end) return 1;
    return 0;
}
static void lines_free(lines *l) { free(l->words), free(l->length), free(l->label); }

/* A data set of the lines from one number to another. */
static sslh_data lines_data(sslh_ctx *c, const lines *l, int labels) {
    sslh_field f[2];
    memset(f, 0, sizeof f);
    f[0].kind = SSLH_FIELD_TOKENS, f[0].type = SSLH_I32, f[0].shape = sslh_dim1(LONGEST), f[0].values = l->words;
    f[0].lengths = l->length;
    f[1].kind = SSLH_FIELD_LABEL, f[1].type = SSLH_I32, f[1].values = l->label, f[1].name = "polarity";
    return sslh_data_from_fields(c, f, labels ? 2 : 1, l->n);
}

/* Every line of a text is one of l; with end not 0 it is cut where a sentence ends (with that word), into pieces of as
   many sentences as fit. */
static void read_lines(sslh_ctx *c, sslh_tokenizer *t, const char *text, size_t size, int label, int end, lines *l) {
    const char *stop = text + size;
    while (text < stop && !sslh_error(c)) {
        const char *newline = (const char *)memchr(text, '\n', (size_t)(stop - text)), *to = newline ? newline : stop;
        static int32_t line[20000];
        size_t count = sslh_tokenize(t, text, (size_t)(to - text), line, 20000), from = 0, at, best = 0;
        if (count > 20000) count = 20000;
        for (at = 0; end && at < count; at++) { /* best: where the last sentence that fits ends */
            if (at - from >= LONGEST) {
                if (best > from) lines_add(c, l, line + from, (int)(best - from), label);
                from = best > from ? best : at;
            }
            if (line[at] == end) best = at + 1;
        }
        lines_add(c, l, line + from, (int)(count - from), label);
        text = to + 1;
    }
}

/* Sentences that are for or against something, by two of twelve words each. */
static char *make_sentences(int positive, size_t *size) {
    static const char *const start[4] = {"the film is", "this story was", "its music is", "i found the actors"};
    static const char *const word[2][12] = {
        {"dull", "empty", "weak", "tired", "clumsy", "flat", "tedious", "stale", "shallow", "forced", "cold", "bad"},
        {"moving", "fresh", "witty", "warm", "clever", "bright", "gripping", "lively", "deep", "tender", "funny",
         "good"}};
    const size_t room = 1500 * 80;
    char *text = (char *)malloc(room);
    size_t used = 0;
    for (uint64_t i = 0; text && i < 1500; i++) {
        const uint64_t draw = 100 * (i + 1) + (uint64_t)positive * 1000000;
        used += (size_t)snprintf(text + used, room - used, "%s %s and %s , as everybody number %d said .\n",
                                 start[sslh_random_below(1, 1, draw, 4)],
                                 word[positive][sslh_random_below(1, 1, draw + 1, 12)],
                                 word[positive][sslh_random_below(1, 1, draw + 2, 12)],
                                 (int)sslh_random_below(1, 1, draw + 3, 200));
    }
    *size = used;
    return text;
}

/* --- sentences as vectors ----------------------------------------------------------------------------------------- */

typedef struct task {
    sslh_net *encoder, *head;
    sslh_text_recipe views; /* with both ends; other changes are for training */
    float dropout;
} task;

/* The mean of the encoder's output over the words of each sentence (N,D). */
static sslh_tensor *vectors(sslh_ctx *c, const sslh_batch *b, const task *t, sslh_text_recipe recipe, int view) {
    const sslh_text_view v = sslh_text_views(c, *b, recipe, view);
    sslh_forward_desc f;
    memset(&f, 0, sizeof f);
    f.mask = v.padding;
    f.dropout = t->dropout;
    return sslh_mean_valid(c, sslh_forward_ex(t->encoder, v.tokens, f), v.lengths);
}
static sslh_text_recipe unchanged(sslh_text_recipe r) { /* only the ends */
    r.shuffle = r.spans = r.deleted = r.swapped = r.replaced = r.masked = 0;
    return r;
}
static sslh_tensor *frozen(sslh_ctx *c, const sslh_batch *b, void *user) {
    const task *t = (const task *)user;
    sslh_train_mode(t->encoder, 0);
    return vectors(c, b, t, unchanged(t->views), 0);
}

/* Two methods of our own: a classifier that is trained with its encoder, and SimCLR's loss for two views of a text. */
static void classify_views(sslh_method *m, const sslh_batch *b, sslh_view_set *out) {
    const task *t = (const task *)m->self;
    const sslh_text_view v = sslh_text_views(m->ctx, *b, t->views, 0);
    sslh_view_add(out, "tokens", v.tokens);
    sslh_view_add(out, "lengths", v.lengths);
    sslh_view_add(out, "padding", v.padding);
    sslh_view_add(out, "labels", sslh_batch_labels(m->ctx, *b));
}
static sslh_tensor *classify_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    const task *t = (const task *)m->self;
    sslh_forward_desc f;
    sslh_tensor *h;
    (void)phase;
    memset(&f, 0, sizeof f);
    f.mask = sslh_view_get(v, "padding");
    f.dropout = t->dropout;
    h = sslh_forward_ex(t->encoder, sslh_view_get(v, "tokens"), f);
    h = sslh_forward(t->head, sslh_mean_valid(m->ctx, h, sslh_view_get(v, "lengths"))); /* (N,2) */
    return sslh_cross_entropy(m->ctx, h, sslh_view_get(v, "labels"));
}
static void contrast_views(sslh_method *m, const sslh_batch *b, sslh_view_set *out) {
    const task *t = (const task *)m->self;
    static const char *const name[2][3] = {{"tokens0", "lengths0", "padding0"}, {"tokens1", "lengths1", "padding1"}};
    for (int i = 0; i < 2; i++) {
        const sslh_text_view v = sslh_text_views(m->ctx, *b, t->views, i);
        sslh_view_add(out, name[i][0], v.tokens);
        sslh_view_add(out, name[i][1], v.lengths);
        sslh_view_add(out, name[i][2], v.padding);
    }
}
static sslh_tensor *contrast_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    const task *t = (const task *)m->self;
    static const char *const name[2][3] = {{"tokens0", "lengths0", "padding0"}, {"tokens1", "lengths1", "padding1"}};
    sslh_tensor *z[2];
    (void)phase;
    for (int i = 0; i < 2; i++) {
        sslh_forward_desc f;
        memset(&f, 0, sizeof f);
        f.mask = sslh_view_get(v, name[i][2]);
        f.dropout = t->dropout;
        z[i] = sslh_forward_ex(t->encoder, sslh_view_get(v, name[i][0]), f);
        z[i] = sslh_forward(t->head, sslh_mean_valid(m->ctx, z[i], sslh_view_get(v, name[i][1]))); /* (N,64) */
    }
    return sslh_nt_xent(m->ctx, z[0], z[1], 0.2f);
}
static sslh_method own_method(sslh_ctx *c, const task *t, int contrast) {
    sslh_method m = sslh_method_new(c, contrast ? "contrast" : "classifier", t->encoder, t, sizeof *t);
    sslh_child(m.net, "head", t->head);
    m.views = contrast ? contrast_views : classify_views;
    m.loss = contrast ? contrast_loss : classify_loss;
    m.min_batch = contrast ? 2 : 1;
    m.defaults.optimizer.kind = SSLH_ADAMW;
    m.defaults.optimizer.weight_decay = 0.01f;
    m.defaults.optimizer.clip = 1;
    m.defaults.schedule = SSLH_LINEAR_DECAY;
    return m;
}
static sslh_net *head_of(sslh_ctx *c, int width, int out, int hidden) {
    sslh_mlp_desc d;
    memset(&d, 0, sizeof d);
    d.in = width;
    d.widths[0] = hidden ? width : out;
    d.widths[1] = hidden ? out : 0;
    return sslh_mlp(c, d);
}

/* --- measuring ---------------------------------------------------------------------------------------------------- */

/* The batches of a data set in its order. */
static sslh_loader *in_order(sslh_ctx *c, sslh_data data) {
    sslh_loader_desc d;
    memset(&d, 0, sizeof d);
    d.batch = 64, d.in_order = 1;
    return sslh_loader_new(c, data, d);
}

/* Naive Bayes: P(word | class) with one added to each count, every word of a sentence once. */
static double naive_bayes(sslh_ctx *c, sslh_data train, sslh_data test, int vocabulary) {
    double *count = (double *)calloc((size_t)vocabulary * 2, sizeof *count), all[2] = {0, 0}, texts[2] = {0, 0};
    const double V = vocabulary;
    int right = 0;
    for (int pass = 0; count && pass < 2; pass++) {
        sslh_loader *l = in_order(c, pass ? test : train);
        sslh_batch b;
        while (sslh_next_batch(l, &b)) {
            const sslh_tensor *x = sslh_batch_field(c, b, 0), *n = sslh_batch_lengths(c, b, 0);
            for (int i = 0; i < b.count && !sslh_error(c); i++) {
                const int32_t *w = x->ints + i * LONGEST;
                const int y = b.labels[i];
                double score = pass ? log((texts[1] + 1) / (texts[0] + 1)) : 0;
                texts[y] += !pass;
                for (int t = 0; t < n->ints[i]; t++) {
                    int seen = 0;
                    for (int before = 0; before < t; before++) seen |= w[before] == w[t];
                    if (seen) continue;
                    if (pass)
                        score += log((count[2 * w[t] + 1] + 1) / (all[1] + V)) -
                                 log((count[2 * w[t]] + 1) / (all[0] + V));
                    else count[2 * w[t] + y]++, all[y]++;
                }
                if (pass) right += (score > 0) == y;
            }
        }
    }
    free(count);
    return (double)right / (double)test.count;
}

/* A linear classifier on the frozen encoder. */
static double probe(sslh_ctx *c, task *t, sslh_data train, sslh_data test, sslh_tensor *test_features) {
    sslh_feature_desc fd;
    sslh_probe_desc pd;
    memset(&fd, 0, sizeof fd), memset(&pd, 0, sizeof pd);
    fd.input = frozen, fd.user = t, fd.batch = 64;
    return (double)sslh_linear_probe_features(c, sslh_features(c, NULL, train, fd), train.labels, test_features,
                                              test.labels, 2, pd);
}

/* A copy of the encoder and a linear layer, both trained. */
static double finetune(sslh_ctx *c, const task *t, sslh_data train, sslh_data test, float lr, int steps) {
    task own = *t;
    sslh_train_desc d;
    int right = 0, width = sslh_net_query(t->encoder).width;
    sslh_loader *l;
    sslh_method m;
    sslh_batch b;
    memset(&d, 0, sizeof d);
    own.encoder = sslh_clone(t->encoder);
    own.head = head_of(c, width, 2, 0);
    sslh_train_mode(own.encoder, 1);
    m = own_method(c, &own, 0);
    d.batch = train.count < 640 ? 16 : 32;
    d.epochs = 1 + (int)((int64_t)steps * d.batch / train.count);
    d.lr = lr, d.quiet = 1;
    d.warmup = 0.1f * (float)d.epochs;
    sslh_train(c, m, train, d);
    l = in_order(c, test);
    while (sslh_next_batch(l, &b)) {
        sslh_tensor *said;
        sslh_no_grad(c, 1);
        said = sslh_argmax(c, sslh_forward(own.head, frozen(c, &b, &own)), 1);
        sslh_no_grad(c, 0);
        for (int i = 0; i < b.count && !sslh_error(c); i++) right += said->ints[i] == b.labels[i];
    }
    return (double)right / (double)test.count;
}

/* A row of the table: with 1, 10 and 100 % of the labels, frozen and fine-tuned, means over draws of few labels. */
typedef struct shares { sslh_data train, test; int draws, steps; float lr; unsigned long seed; } shares;
static sslh_data share_of(const shares *s, int which, int draw) {
    static const double part[3] = {0.01, 0.1, 1};
    return which < 2 ? sslh_data_fraction(s->train, part[which], s->seed + (unsigned long)draw) : s->train;
}
static void row(sslh_ctx *c, const char *name, task *t, const shares *s) {
    const int64_t mark = sslh_mark(c);
    sslh_feature_desc fd;
    double mean[6];
    sslh_tensor *f;
    memset(&fd, 0, sizeof fd);
    fd.input = frozen, fd.user = t, fd.batch = 64;
    f = sslh_features(c, NULL, s->test, fd);
    for (int k = 0; k < 6; k++) {
        const int which = k % 3, draws = which < 2 ? s->draws : 1;
        mean[k] = 0;
        for (int draw = 0; draw < draws && !sslh_error(c); draw++) {
            const int64_t here = sslh_mark(c);
            sslh_data some = share_of(s, which, draw);
            mean[k] += (k < 3 ? probe(c, t, some, s->test, f)
                              : finetune(c, t, some, s->test, s->lr, s->steps * (which + 1))) / draws;
            sslh_rewind(c, here);
        }
        stop_on_error(c);
    }
    printf("%-24s", name);
    for (int k = 0; k < 6; k++) printf("%s%7.1f", k == 3 ? "  " : "", 100 * mean[k]);
    printf("\n");
    fflush(stdout);
    sslh_rewind(c, mark);
}

/* --- what encoders learn first ------------------------------------------------------------------------------------ */

typedef struct words { int cls, sep, mask, end, vocabulary; } words; /* special tokens, "." and how many there are */
typedef struct budget { int steps, batch; float lr, dropout; } budget;
static int given(int token) { return (int)sslh_or_off((float)token); }

/* What a run ended with, for a line above the table's row. */
typedef struct run_end { float loss, guessing; sslh_number numbers[8]; } run_end;
static int note_end(const sslh_train_info *info, void *user) {
    run_end *end = (run_end *)user;
    if (!info->epoch_end && info->step + 1 < info->steps) return 0;
    end->loss = info->loss;
    end->guessing = info->method->guessing;
    memcpy(end->numbers, info->numbers, sizeof end->numbers);
    return 0;
}

/* Puts word2vec's vectors, trained on the same texts, into the encoder's table of words. */
static void word_vectors(sslh_ctx *c, task *t, const lines *l, int epochs) {
    sslh_tensor *table = sslh_param(t->encoder, 0), *x;
    const size_t room = (size_t)l->n * (LONGEST * 9 + 1) + 1;
    char *text = (char *)malloc(room);
    sslh_word2vec_desc d;
    sslh_vectors *v;
    size_t used = 0;
    double square = 0;
    memset(&d, 0, sizeof d);
    if (!text) sslh_fail(c, SSLH_E_MEMORY, "out of memory: the words");
    for (int i = 0; i < l->n && text; i++) { /* its words are the numbers of the tokens */
        for (int k = 0; k < l->length[i]; k++)
            used += (size_t)snprintf(text + used, room - used, "%d ", (int)l->words[(size_t)i * LONGEST + (size_t)k]);
        used += (size_t)snprintf(text + used, room - used, "\n");
    }
    d.dim = table->shape[1], d.epochs = epochs, d.min_count = 2, d.sample = 1e-3f;
    v = sslh_word2vec(c, text, used, d);
    free(text);
    stop_on_error(c);
    x = sslh_vectors_tensor(v);
    for (size_t i = 0; i < x->count; i++) square += (double)x->data[i] * (double)x->data[i];
    for (int i = 0; i < x->shape[0]; i++) { /* so long that they outweigh the positions, of deviation 0.02 */
        const long word = strtol(sslh_vectors_word(v, i), NULL, 10); /* "</s>" is 0, [PAD] */
        for (int k = 0; k < d.dim; k++)
            table->data[word * d.dim + k] =
                x->data[i * d.dim + k] * (sslh_real)(0.06 / sqrt(square / (double)x->count));
    }
}

/* Trains t->encoder by the method of this name on texts; 0: there is no such method. */
static int pretrain(sslh_ctx *c, const char *name, task *t, const words *w, const lines *l, const budget *b) {
    const float dropout = sslh_or_off(b->dropout);
    const sslh_data texts = lines_data(c, l, 0);
    run_end end;
    sslh_train_desc d;
    sslh_method m;
    task own = *t;
    memset(&d, 0, sizeof d), memset(&end, 0, sizeof end);
    if (!strcmp(name, "untrained")) return 1;
    if (!strncmp(name, "word2vec", 8)) {
        word_vectors(c, t, l, b->steps < 100 ? 1 : 10);
        if (!name[8]) return 1;
        name += 9; /* "word2vec+bert" */
    }
    if (!strcmp(name, "bert")) {
        sslh_bert_desc bd;
        memset(&bd, 0, sizeof bd);
        bd.cls_token = given(w->cls), bd.sep_token = given(w->sep), bd.mask_token = given(w->mask);
        bd.dropout = dropout;
        m = sslh_bert(c, t->encoder, bd);
    } else if (!strcmp(name, "electra") || !strcmp(name, "unigram")) {
        sslh_electra_desc ed;
        memset(&ed, 0, sizeof ed);
        ed.cls_token = given(w->cls), ed.sep_token = given(w->sep), ed.mask_token = given(w->mask);
        ed.unigram = !strcmp(name, "unigram"), ed.dropout = dropout;
        m = sslh_electra(c, t->encoder, ed);
    } else if (!strcmp(name, "bart")) {
        sslh_bart_desc bd;
        memset(&bd, 0, sizeof bd);
        bd.cls_token = given(w->cls), bd.sep_token = given(w->sep), bd.mask_token = given(w->mask);
        bd.sentence_end = w->end, bd.dropout = dropout, bd.decoder_depth = 1;
        m = sslh_bart(c, t->encoder, bd);
    } else if (!strcmp(name, "order")) {
        sslh_sentence_order_desc od;
        memset(&od, 0, sizeof od);
        od.cls_token = given(w->cls), od.sep_token = given(w->sep), od.sentence_end = given(w->end);
        od.sentences = 3, od.dropout = dropout;
        m = sslh_sentence_order(c, t->encoder, od);
    } else if (!strcmp(name, "contrast")) {
        own.head = head_of(c, sslh_net_query(t->encoder).width, 64, 1);
        own.views.deleted = 0.3f, own.views.masked = 0.1f, own.dropout = b->dropout;
        m = own_method(c, &own, 1);
    } else return 0;
    d.batch = b->batch;
    d.epochs = 1 + (int)((int64_t)b->steps * b->batch / texts.count);
    d.max_steps = b->steps;
    d.lr = b->lr, d.warmup = 0.1f * (float)d.epochs, d.quiet = 1;
    d.callback = note_end, d.user = &end;
    sslh_train(c, m, texts, d);
    stop_on_error(c);
    printf("  %s: %d passes, loss %.3f at the end (guessing %.3f)", name, d.epochs, (double)end.loss,
           (double)end.guessing);
    for (int k = 0; k < 3 && end.numbers[k].name && end.numbers[k].name[0]; k++)
        printf(", %s %.3f", end.numbers[k].name, (double)end.numbers[k].value);
    printf("\n");
    return 1;
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "Polarity of sentences with few labels.",
                              "  --text FILE    sentences about other things     --bytes N    of it (1000000)\n"
                              "  --methods A,B  untrained, word2vec, bert, electra, unigram (words are replaced by\n"
                              "                 frequent ones), bart, order, contrast; word2vec+bert: both\n"
                              "  --steps N      of pretraining (1000)            --lr R       their peak rate (1e-3)\n"
                              "  --width N      of the net (64)                  --depth N    blocks (2)\n"
                              "  --tune R       rate of fine-tuning (1e-3)       --tuned N    its least steps (100)\n"
                              "  --draws N      of few labels (3)                --words N    at most (8000)\n"
                              "  --delete S     share of the words that fine-tuning leaves out in each step (none)\n"
                              "  --post         norms behind the sums, as in BERT; otherwise in front\n");
    static const char *const specials = "[PAD] [UNK] [CLS] [SEP] [MASK]";
    sslh_ctx *c = options_create(&o);
    const char *text = NULL, *methods = "untrained,word2vec,bert,electra,unigram,bart,order,contrast", *at;
    int bytes = 1000000, draws = 3, vocabulary = 8000, tuned = 100, post = 0;
    float deleted = 0;
    lines l[2]; /* the sentences with labels; all that is read without them */
    sslh_transformer_desc n;
    sslh_tokenizer_desc td;
    sslh_tokenizer *t;
    sslh_split_desc sd;
    sslh_split parts;
    shares s;
    words w;
    budget b;
    char *file[3] = {NULL, NULL, NULL}, *all, path[1100];
    size_t size[3] = {0, 0, 0};
    const own_option own[] = {{"--text", OPTION_TEXT, &text}, {"--bytes", OPTION_COUNT, &bytes},
                              {"--methods", OPTION_TEXT, &methods}, {"--steps", OPTION_COUNT, &b.steps},
                              {"--lr", OPTION_REAL, &b.lr}, {"--width", OPTION_COUNT, &n.width},
                              {"--depth", OPTION_COUNT, &n.depth}, {"--tune", OPTION_REAL, &s.lr},
                              {"--tuned", OPTION_COUNT, &tuned}, {"--draws", OPTION_COUNT, &draws},
                              {"--words", OPTION_COUNT, &vocabulary}, {"--delete", OPTION_SHARE, &deleted},
                              {"--post", OPTION_FLAG, &post}, {0}};
    memset(l, 0, sizeof l), memset(&n, 0, sizeof n), memset(&td, 0, sizeof td), memset(&sd, 0, sizeof sd);
    memset(&s, 0, sizeof s), memset(&b, 0, sizeof b);
    n.causal = SSLH_OFF, n.width = 64, n.depth = 2, n.length = LONGEST + ENDS + 2;
    b.steps = o.smoke ? 10 : 1000, b.lr = 1e-3f, b.dropout = 0.1f, s.lr = 1e-3f;
    options_own(own, argc, argv);
    options_without_images(&o);
    if (post) n.kind = SSLH_BERT;
    b.batch = o.batch ? o.batch : 32;
    if (o.smoke) tuned = 4, draws = 1;
    for (int k = 0; k < 3; k++) {
        if (k < 2 && !o.data) file[k] = make_sentences(k, &size[k]);
        else if (k < 2) {
            snprintf(path, sizeof path, "%s/rt_polarity_%s.txt", o.data, k ? "pos" : "neg");
            file[k] = sslh_load_file(c, path, &size[k]);
        } else if (text) file[k] = sslh_load_file(c, text, &size[k]);
        stop_on_error(c);
        if (k == 2 && size[k] > (size_t)bytes) size[k] = (size_t)bytes;
        if (o.smoke && size[k] > 30000) size[k] = 30000;
    }
    all = (char *)malloc(size[0] + size[1] + 1); /* the words that count are those of the sentences */
    if (!all) sslh_fail(c, SSLH_E_MEMORY, "out of memory: the texts");
    stop_on_error(c);
    memcpy(all, file[0], size[0]), memcpy(all + size[0], file[1], size[1]);
    td.kind = SSLH_TOKENS_WORDS, td.vocabulary = vocabulary, td.special = specials;
    t = sslh_tokenizer_new(c, all, size[0] + size[1], td);
    free(all);
    w.cls = sslh_token_id(t, "[CLS]"), w.sep = sslh_token_id(t, "[SEP]"), w.mask = sslh_token_id(t, "[MASK]");
    w.end = sslh_token_id(t, "."), w.vocabulary = sslh_tokenizer_size(t);
    n.vocabulary = w.vocabulary;
    for (int k = 0; k < 2; k++) read_lines(c, t, file[k], size[k], k, 0, &l[0]);
    stop_on_error(c);
    sd.seed = o.seed;
    parts = sslh_data_split(lines_data(c, &l[0], 1), sd);
    s.train = parts.train, s.test = parts.test, s.draws = draws, s.steps = tuned, s.seed = o.seed;
    { /* without labels: the training part, then the other text */
        sslh_loader *loader = in_order(c, s.train);
        sslh_batch batch;
        while (sslh_next_batch(loader, &batch)) {
            const sslh_tensor *x = sslh_batch_field(c, batch, 0), *length = sslh_batch_lengths(c, batch, 0);
            for (int i = 0; i < batch.count; i++) lines_add(c, &l[1], x->ints + i * LONGEST, length->ints[i], 0);
        }
        if (text) read_lines(c, t, file[2], size[2], 0, w.end, &l[1]);
        stop_on_error(c);
    }
    printf("%d sentences to learn from, %d to test; %d texts without labels; %d words\n", (int)s.train.count,
           (int)s.test.count, l[1].n, w.vocabulary);
    printf("%-24s%21s  %21s\n%-24s", "", "frozen, linear", "fine-tuned", "labels");
    for (int k = 0; k < 6; k++) printf("%s%6d%%", k == 3 ? "  " : "", k % 3 == 0 ? 1 : k % 3 == 1 ? 10 : 100);
    printf("\n%-24s", "words (naive Bayes)");
    for (int k = 0; k < 3; k++) {
        double mean = 0;
        for (int draw = 0; draw < (k < 2 ? draws : 1); draw++)
            mean += naive_bayes(c, share_of(&s, k, draw), s.test, w.vocabulary) / (k < 2 ? draws : 1);
        printf("%7.1f", 100 * mean);
    }
    printf("\n");
    fflush(stdout);
    stop_on_error(c);
    for (at = methods; *at; at += *at == ',') {
        const size_t length = strcspn(at, ",");
        const int64_t mark = sslh_mark(c);
        task own_task;
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        at += length;
        if (!strcmp(name, "order") && !lines_have_order(&l[1], w.end)) {
            printf("%-24s  each text is one sentence; give longer ones by --text\n", name);
            continue;
        }
        memset(&own_task, 0, sizeof own_task);
        own_task.views.ends = 1, own_task.views.cls_token = w.cls, own_task.views.sep_token = w.sep;
        own_task.views.mask_token = w.mask;
        own_task.dropout = b.dropout;
        own_task.encoder = sslh_transformer(c, n);
        if (!pretrain(c, name, &own_task, &w, &l[1], &b)) {
            fprintf(stderr, "--methods: there is no %s\n", name);
            return 2;
        }
        own_task.views.deleted = deleted;
        row(c, name, &own_task, &s);
        sslh_rewind(c, mark);
    }
    if (!o.data) free(file[0]), free(file[1]);
    lines_free(&l[0]), lines_free(&l[1]);
    return finish(c);
}
