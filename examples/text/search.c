/* Search by meaning: the lines of a file whose vectors are most similar to that of a question, whether they share a
   word with it or not.

       build/examples/search "she will only marry for money"
       build/examples/search --data notes.txt --index notes "what the doctor said"
       build/examples/search --bert model.safetensors --vocab vocab.txt --width 384 --depth 6 --heads 12 "a sad letter"

   The first run learns word vectors from the file itself (word2vec with n-grams of characters), makes a vector for each
   line, and keeps all as NAME.safetensors and NAME.json (--index NAME, default out/search); later runs read them. A
   file that has changed gets a new index. The vector of a text is the mean of those of its words, each of length 1 and
   weighted by a / (a + share of the word in the file), a = 1e-3, without the direction that all lines share: Arora,
   Liang, Ma: "A simple but tough-to-beat baseline for sentence embeddings", ICLR 2017. Nothing is known of words that
   the file lacks.

   With --bert a transformer makes the vectors that others have trained on sentences: BERT's names, any sizes, the mean
   of the tokens. --score cuts each long line in two: the first half asks for the second among those of all long lines,
   beside counted words (tf-idf). */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <math.h>

enum { NEAREST = 3, WIDTH = 100, HALF = 20 }; /* lines shown; numbers of a vector; least words of a half */

/* The lines of a file that are not empty, each ended by a zero. */
typedef struct lines { const char **line; int *number, n; uint32_t hash; } lines;

static void *need(sslh_ctx *c, void *memory) {
    if (!memory) sslh_fail(c, SSLH_E_MEMORY, "out of memory: the lines of the text");
    stop_on_error(c);
    return memory;
}

static lines read_lines(sslh_ctx *c, const char *path, size_t most) {
    lines l = {NULL, NULL, 0, 2166136261u};
    size_t size = 0, i, begin = 0, all = 1;
    char *text = sslh_load_file(c, path, &size);
    int number = 1;
    stop_on_error(c);
    if (most && size > most) size = most;
    text[size] = 0;
    for (i = 0; i < size; i++) {
        l.hash = (l.hash ^ (uint8_t)text[i]) * 16777619u; /* FNV-1a, to notice another file */
        all += text[i] == '\n';
    }
    l.line = (const char **)need(c, malloc(all * sizeof *l.line));
    l.number = (int *)need(c, malloc(all * sizeof *l.number));
    for (i = 0; i <= size; i++) {
        if (i < size && text[i] != '\n') continue;
        text[i] = 0;
        if (text[begin + strspn(text + begin, " \t\r")]) {
            l.line[l.n] = text + begin;
            l.number[l.n++] = number;
        }
        begin = i + 1;
        number++;
    }
    if (!l.n) sslh_fail(c, SSLH_E_USAGE, "%s: no line has text in it", path);
    stop_on_error(c);
    return l;
}

/* --- the encoder of the first run: a table of word vectors as a net ---------------------------------------------- */

/* Tokens (N,T) -> (N,T,D): the row of each word, whose mean sslh_embed_texts takes. */
static sslh_tensor *bag_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    (void)self;
    return sslh_embedding(sslh_net_ctx(net), sslh_param(net, 0), x);
}

/* With words 0 it only holds the vectors of the lines, and the transformer is in a file of its own. */
static sslh_net *index_new(sslh_ctx *c, int words, int width, int count) {
    sslh_net_desc d;
    sslh_net *net;
    memset(&d, 0, sizeof d);
    d.name = "search";
    d.forward = bag_forward;
    d.width = width;
    net = sslh_net_new(c, d);
    if (words) sslh_param_new(net, "words", sslh_dim2(words, width), SSLH_INIT_ZERO, 0);
    sslh_state_new(net, "lines", SSLH_F32, sslh_dim2(count, width));
    sslh_state_new(net, "hash", SSLH_I32, sslh_dim1(1));
    return net;
}

/* All lines, with their ends. */
static char *joined_lines(sslh_ctx *c, const lines *l, size_t *size) {
    size_t used = 0;
    char *out;
    int i;
    for (i = 0; i < l->n; i++) used += strlen(l->line[i]) + 1;
    out = (char *)need(c, malloc(used));
    for (used = 0, i = 0; i < l->n; i++) {
        const size_t n = strlen(l->line[i]);
        memcpy(out + used, l->line[i], n);
        out[used + n] = '\n';
        used += n + 1;
    }
    *size = used;
    return out;
}

/* Words with single spaces between them, as the tokenizer cuts them, a line for each line. */
static char *cut_words(sslh_ctx *c, const lines *l, sslh_tokenizer *t, size_t *size) {
    size_t room = 1, used = 0, longest = 0;
    int32_t *ids;
    char *out;
    int i;
    for (i = 0; i < l->n; i++) {
        const size_t n = strlen(l->line[i]);
        if (n > longest) longest = n;
        room += 6 * n + 1; /* a space behind each token; lower case may be longer */
    }
    out = (char *)need(c, malloc(room));
    ids = (int32_t *)need(c, malloc((3 * longest + 1) * sizeof *ids));
    for (i = 0; i < l->n; i++) {
        const size_t n = sslh_tokenize(t, l->line[i], strlen(l->line[i]), ids, 3 * longest + 1);
        used += sslh_detokenize(t, ids, n, out + used, room - used);
        out[used++] = '\n';
    }
    free(ids);
    *size = used;
    return out;
}

/* Learns word vectors from the lines and puts them, weighted, into the table of a net. */
static void learn_words(sslh_ctx *c, const options *o, sslh_net *net, sslh_tokenizer *t, const char *text,
                        size_t size) {
    sslh_word2vec_desc d;
    sslh_vectors *v;
    double all = 0;
    int i, k;
    memset(&d, 0, sizeof d);
    d.dim = WIDTH;
    d.subwords = 1;
    d.min_count = 3;
    d.epochs = o->smoke ? 1 : o->epochs ? o->epochs : 15;
    d.batch = o->batch;
    v = sslh_word2vec(c, text, size, d);
    stop_on_error(c);
    for (i = 0; i < sslh_tokenizer_size(t); i++) all += (double)sslh_token_count(t, i);
    for (i = 0; i < sslh_tokenizer_size(t); i++) {
        sslh_real *row = sslh_param(net, 0)->data + (size_t)i * WIDTH;
        float x[WIDTH];
        double norm = 0, weight = 1e-3 / (1e-3 + (double)sslh_token_count(t, i) / all);
        if (!sslh_token_count(t, i)) continue; /* the token for unknown words: nothing */
        sslh_word_vector(v, sslh_token_name(t, i), x); /* of a rare word: from its n-grams */
        for (k = 0; k < WIDTH; k++) norm += (double)x[k] * (double)x[k];
        for (k = 0; k < WIDTH && norm > 0; k++) row[k] = (sslh_real)(weight / sqrt(norm) * (double)x[k]);
    }
}

/* Takes from each row (WIDTH) of a table its part along u, of length 1. */
static void remove_part(sslh_tensor *table, const double *u) {
    size_t i, k, n = (size_t)table->shape[0];
    for (i = 0; i < n; i++) {
        sslh_real *row = table->data + i * WIDTH;
        double along = 0;
        for (k = 0; k < WIDTH; k++) along += u[k] * (double)row[k];
        for (k = 0; k < WIDTH; k++) row[k] = (sslh_real)((double)row[k] - along * u[k]);
    }
}

/* Removes the direction u that all lines share from the vectors of the words: the first singular vector of those of the
   lines x (n,WIDTH), by power iteration u <- x'x u from their mean on. */
static void remove_common(sslh_ctx *c, sslh_net *net, sslh_tokenizer *t, const lines *l) {
    float *x = (float *)need(c, malloc((size_t)l->n * WIDTH * sizeof *x));
    double u[WIDTH], next[WIDTH], norm;
    sslh_embed_text_desc d;
    int round, i, k;
    memset(&d, 0, sizeof d);
    sslh_embed_texts(net, t, l->line, l->n, x, d);
    stop_on_error(c);
    for (round = 0; round < 20; round++) {
        for (k = 0; k < WIDTH; k++) next[k] = 0;
        for (i = 0; i < l->n; i++) {
            const float *row = x + (size_t)i * WIDTH;
            double along = round ? 0 : 1;
            for (k = 0; k < WIDTH && round; k++) along += u[k] * (double)row[k];
            for (k = 0; k < WIDTH; k++) next[k] += along * (double)row[k];
        }
        for (norm = 0, k = 0; k < WIDTH; k++) norm += next[k] * next[k];
        for (k = 0; k < WIDTH; k++) u[k] = norm > 0 ? next[k] / sqrt(norm) : 0;
    }
    remove_part(sslh_param(net, 0), u);
    free(x);
}

/* The vectors of all lines, of length 1, become a state of the index. */
static void embed_lines(sslh_ctx *c, sslh_net *encoder, sslh_tokenizer *t, const lines *l, sslh_net *index) {
    sslh_tensor *rows = sslh_find(index, "lines");
    const size_t D = (size_t)rows->shape[1];
    float *x = (float *)need(c, malloc((size_t)l->n * D * sizeof *x));
    sslh_embed_text_desc d;
    memset(&d, 0, sizeof d);
    d.normalize = 1;
    sslh_embed_texts(encoder, t, l->line, l->n, x, d);
    stop_on_error(c);
    sslh_write(rows, x, (size_t)l->n * D);
    sslh_find(index, "hash")->ints[0] = (int32_t)(l->hash & 0x7fffffff);
    free(x);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static void ask(sslh_ctx *c, sslh_net *encoder, sslh_tokenizer *t, const lines *l, sslh_net *index,
                const char *question) {
    const sslh_tensor *rows = sslh_find(index, "lines");
    const size_t D = (size_t)rows->shape[1];
    float *q = (float *)need(c, malloc(D * sizeof *q)), cosine[NEAREST];
    sslh_embed_text_desc d;
    int best[NEAREST], found = 0, i, k;
    memset(&d, 0, sizeof d);
    d.normalize = 1;
    sslh_embed_texts(encoder, t, &question, 1, q, d);
    stop_on_error(c);
    for (i = 0; i < l->n; i++) {
        float s = 0;
        size_t j;
        for (j = 0; j < D; j++) s += q[j] * (float)rows->data[(size_t)i * D + j];
        if (found == NEAREST && !(s > cosine[NEAREST - 1])) continue;
        for (k = found < NEAREST ? found++ : NEAREST - 1; k && s > cosine[k - 1]; k--) {
            cosine[k] = cosine[k - 1];
            best[k] = best[k - 1];
        }
        cosine[k] = s;
        best[k] = i;
    }
    printf("%s\n", question);
    for (k = 0; k < found; k++)
        printf("  %.2f  line %d: %.200s%s\n", (double)cosine[k], l->number[best[k]], l->line[best[k]],
               strlen(l->line[best[k]]) > 200 ? " .." : "");
    free(q);
}

/* Of n rows (n,2,D): how often row i of the second halves is the most similar one to row i of the first. */
static double right_halves(const float *x, int n, size_t D) {
    int i, j, right = 0;
    for (i = 0; i < n; i++) {
        float best = -2;
        int at = -1;
        for (j = 0; j < n; j++) {
            const float *a = x + (size_t)(2 * i) * D, *b = x + (size_t)(2 * j + 1) * D;
            float s = 0;
            size_t k;
            for (k = 0; k < D; k++) s += a[k] * b[k];
            if (s > best) best = s, at = j;
        }
        right += at == i;
    }
    return (double)right / (n ? n : 1);
}

/* The halves of at most 500 lines of at least 2 HALF words, by the encoder and by counted words: tf-idf, ln(1 + count)
   ln(lines / lines with the word), of length 1. */
static void score(sslh_ctx *c, sslh_net *encoder, sslh_tokenizer *t, const lines *l) {
    enum { MOST = 500, TOKENS = 4000 };
    const size_t V = (size_t)sslh_tokenizer_size(t);
    const char **half = (const char **)need(c, calloc(2 * MOST, sizeof *half));
    float *idf = (float *)need(c, calloc(V, sizeof *idf)), *x;
    static int32_t ids[TOKENS];
    sslh_embed_text_desc d;
    int n = 0, i;
    size_t k, m, D = (size_t)sslh_net_query(encoder).width;
    for (i = 0; i < l->n; i++) {
        const char *p = l->line[i];
        size_t words = 1, at;
        for (k = 0; p[k]; k++) words += p[k] == ' ';
        m = sslh_tokenize(t, p, k, ids, TOKENS);
        for (k = 0; k < m && k < TOKENS; k++) { /* once for each line */
            for (at = 0; at < k && ids[at] != ids[k];) at++;
            if (at == k) idf[ids[k]] += 1;
        }
        if (words < 2 * HALF || n == MOST) continue;
        for (k = 0, at = words / 2; at; k++) at -= p[k] == ' ';
        half[2 * n + 1] = p + k;
        half[2 * n] = (const char *)memcpy(need(c, calloc(k, 1)), p, k - 1);
        n++;
    }
    for (k = 0; k < V; k++) idf[k] = idf[k] > 0 ? (float)log((double)l->n / (double)idf[k]) : 0;
    memset(&d, 0, sizeof d);
    d.normalize = 1;
    x = (float *)need(c, calloc((size_t)(2 * n + 1) * (D > V ? D : V), sizeof *x));
    if (n) sslh_embed_texts(encoder, t, half, 2 * n, x, d);
    stop_on_error(c);
    printf("halves of %d lines: the other half is the most similar one for %.1f %% by vectors, ", n,
           100 * right_halves(x, n, D));
    memset(x, 0, (size_t)(2 * n + 1) * V * sizeof *x);
    for (i = 0; i < 2 * n; i++) {
        float *row = x + (size_t)i * V;
        double norm = 0;
        m = sslh_tokenize(t, half[i], strlen(half[i]), ids, TOKENS);
        for (k = 0; k < m && k < TOKENS; k++) row[ids[k]] += 1;
        for (k = 0; k < V; k++) {
            row[k] = (float)log(1 + (double)row[k]) * idf[k];
            norm += (double)row[k] * (double)row[k];
        }
        for (k = 0; k < V && norm > 0; k++) row[k] = (float)((double)row[k] / sqrt(norm));
    }
    printf("for %.1f %% by counted words\n", 100 * right_halves(x, n, V));
    for (i = 0; i < n; i++) free((void *)half[2 * i]);
    free((void *)half);
    free(idf);
    free(x);
}

/* --- the index --------------------------------------------------------------------------------------------------- */

/* Reads an index that fits the lines; 0 when there is none or it is of another file. */
static int index_read(sslh_ctx *c, sslh_net *index, const char *path, const lines *l) {
    sslh_load_desc d;
    memset(&d, 0, sizeof d);
    if (!file_exists(path)) return 0;
    sslh_load_weights(index, path, d);
    if (!sslh_error(c) && sslh_find(index, "hash")->ints[0] == (int32_t)(l->hash & 0x7fffffff)) return 1;
    printf("%s: of another text or another encoder; it is made anew\n", path);
    sslh_clear_error(c);
    return 0;
}

/* Our own encoder, which is part of its index: both read or made anew. */
static sslh_net *own_index(sslh_ctx *c, const options *o, const lines *l, const char *path, const char *words,
                           sslh_tokenizer **t) {
    sslh_tokenizer_desc d;
    sslh_net *index;
    char *text;
    size_t size;
    memset(&d, 0, sizeof d);
    d.kind = SSLH_TOKENS_WORDS;
    if (file_exists(words) && file_exists(path)) {
        *t = sslh_load_tokenizer(c, words, NULL, d);
        stop_on_error(c);
        index = index_new(c, sslh_tokenizer_size(*t), WIDTH, l->n);
        if (index_read(c, index, path, l)) return index;
    }
    text = joined_lines(c, l, &size);
    *t = sslh_tokenizer_new(c, text, size, d);
    free(text);
    text = cut_words(c, l, *t, &size);
    index = index_new(c, sslh_tokenizer_size(*t), WIDTH, l->n);
    learn_words(c, o, index, *t, text, size);
    free(text);
    remove_common(c, index, *t, l);
    embed_lines(c, index, *t, l, index);
    sslh_save_tokenizer(*t, words, NULL);
    sslh_save_net(index, path);
    return index;
}

/* The lines by a transformer: read or made anew, also for other weights of the same width. */
static sslh_net *index_of(sslh_ctx *c, sslh_net *encoder, sslh_tokenizer *t, const lines *l, const char *path) {
    sslh_net *index = index_new(c, 0, sslh_net_query(encoder).width, l->n);
    lines both = *l;
    both.hash ^= (uint32_t)(sslh_hash(encoder) >> 32);
    if (index_read(c, index, path, &both)) return index;
    embed_lines(c, encoder, t, &both, index);
    sslh_save_net(index, path);
    return index;
}

static sslh_net *published_bert(sslh_ctx *c, sslh_transformer_desc n, const char *file, const char *vocab,
                                sslh_tokenizer **t) {
    sslh_tokenizer_desc td;
    sslh_load_desc d;
    sslh_net *encoder;
    int read;
    memset(&td, 0, sizeof td), memset(&d, 0, sizeof d);
    td.kind = SSLH_TOKENS_WORDPIECE;
    *t = sslh_load_tokenizer(c, vocab, NULL, td);
    n.kind = SSLH_BERT;
    n.vocabulary = sslh_tokenizer_size(*t);
    if (!n.length) n.length = 512;
    if (!n.width) n.width = 768;
    if (!n.depth) n.depth = 12;
    if (!n.heads) n.heads = 12;
    d.partial = 1; /* a pooler or heads in the file are not used, but all that the encoder has must be there */
    encoder = sslh_transformer(c, n);
    read = sslh_load_weights(encoder, file, d);
    if (sslh_error_code(c) == SSLH_E_FORMAT && !read) { /* names as in files of nets that have heads too */
        sslh_clear_error(c);
        d.strip_prefix = "bert.";
        read = sslh_load_weights(encoder, file, d);
    }
    stop_on_error(c);
    if (read < sslh_count_tensors(encoder))
        sslh_fail(c, SSLH_E_FORMAT, "%s has %d of the %d tensors of a BERT of --depth %d", file, read,
                  sslh_count_tensors(encoder), n.depth);
    stop_on_error(c);
    return encoder;
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "Search by meaning (Arora et al. 2017; Sentence-BERT).\n"
                              "--data: a file of text, default three novels; options for images are errors.",
                              "  QUESTION ..    what is searched for: each argument without -- by itself\n"
                              "  --index NAME   the files of the index (default out/search)\n"
                              "  --score        how often a half of a line finds the other\n"
                              "  --bert FILE --vocab FILE  an encoder of sentences with BERT's names, with\n"
                              "  --length N (512) --width N (768) --depth N (12) --heads N (12)\n");
    static const char *const some[] = {"she will only marry for money", "a walk in the rain", "he was ill in bed"};
    const char *name = NULL, *bert = NULL, *vocab = NULL, *question[64];
    char path[1100], words[1100], in_out[1024];
    sslh_ctx *c = options_create(&o);
    sslh_transformer_desc n;
    sslh_tokenizer *t = NULL;
    sslh_net *index, *encoder;
    int scored = 0, asked = 0, i;
    lines l;
    const own_option own[] = {{"--index", OPTION_TEXT, &name}, {"--bert", OPTION_TEXT, &bert},
                              {"--vocab", OPTION_TEXT, &vocab}, {"--length", OPTION_COUNT, &n.length},
                              {"--width", OPTION_COUNT, &n.width}, {"--depth", OPTION_COUNT, &n.depth},
                              {"--heads", OPTION_COUNT, &n.heads}, {"--score", OPTION_FLAG, &scored}, {0}};
    memset(&n, 0, sizeof n);
    for (i = 1; i < argc; i++)
        if (!option_own(own, argc, argv, &i)) {
            if (argv[i][0] == '-') option_unknown(argv[i]);
            if (asked < 64) question[asked++] = argv[i];
        }
    options_without_images(&o);
    if (!name) name = out_path(&o, in_out, sizeof in_out, "search");
    snprintf(path, sizeof path, "%s.safetensors", name);
    snprintf(words, sizeof words, "%s.json", name);
    l = read_lines(c, o.data ? o.data : EXAMPLE_TEXT, o.smoke ? 200000 : 0);
    encoder = bert ? published_bert(c, n, bert, vocab, &t) : own_index(c, &o, &l, path, words, &t);
    index = bert ? index_of(c, encoder, t, &l, path) : encoder;
    stop_on_error(c);
    if (scored) score(c, encoder, t, &l);
    for (i = 0; i < asked; i++) ask(c, encoder, t, &l, index, question[i]);
    for (i = 0; i < 3 && !asked && !scored; i++) ask(c, encoder, t, &l, index, some[i]);
    free((void *)l.line);
    free(l.number);
    return finish(c);
}
