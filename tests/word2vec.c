/* word2vec: the values of its equations against a plain copy, same bits for any number of threads, what it learns on a
   made language, n-grams of characters, files of word vectors, scores, hostile input, failures of memory; a novel for
   words that a text lacks. */
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"
#if SSLH_WITH_WORD2VEC

static sslh_word2vec_desc settings(void) {
    sslh_word2vec_desc d;
    memset(&d, 0, sizeof d);
    return d;
}

/* A language: lines of six words of one of eight topics, ten words each ("c7" is word 7 of topic c), among five words
   that stand everywhere. */
enum { LINES = 600 };
static char *language(size_t *size) {
    char *text = (char *)malloc(LINES * 12 * 4 + 1), *at = text;
    for (int line = 0; line < LINES; line++) {
        int topic = (int)sslh_random_below(3, 1, (uint64_t)line, 8);
        for (int k = 0; k < 10; k++) {
            uint64_t place = (uint64_t)(line * 10 + k);
            if (k % 5 < 3) at += sprintf(at, "%c%d ", 'a' + topic, (int)sslh_random_below(3, 2, place, 10));
            else at += sprintf(at, "x%d ", (int)sslh_random_below(3, 3, place, 5));
        }
        at[-1] = '\n';
    }
    *size = (size_t)(at - text);
    return text;
}

/* Of the words of a topic and their nearest three, how many are of the same topic. */
static double purity(sslh_vectors *v) {
    int right = 0, all = 0;
    for (int topic = 0; topic < 8; topic++)
        for (int k = 0; k < 10; k++) {
            char word[8];
            int near_words[3];
            snprintf(word, sizeof word, "%c%d", 'a' + topic, k);
            for (int i = sslh_nearest_words(v, word, 3, near_words, NULL) - 1; i >= 0; i--, all++)
                right += sslh_vectors_word(v, near_words[i])[0] == 'a' + topic;
        }
    return (double)right / (all ? all : 1);
}

/* All four ways learn the topics, chance is 0.11; and the loss falls below that of guessing. */
static void learns(void) {
    size_t size;
    char *text = language(&size);
    for (int way = 0; way < 5; way++) {
        sslh_ctx *c = context(2);
        sslh_word2vec_desc d = settings();
        d.dim = 12, d.epochs = way == 4 ? 1 : 10, d.window = 3, d.batch = 64, d.sample = 1e-2f;
        d.lr = 0.05f;
        d.cbow = way & 1, d.hierarchical = way / 2 % 2;
        if (d.hierarchical) d.negatives = SSLH_OFF;
        if (way == 4) d.lr = 1e-6f; /* hardly any training */
        sslh_vectors *v = sslh_word2vec(c, text, size, d);
        sslh_vectors_info info = sslh_vectors_query(v);
        double p = v ? purity(v) : 0;
        CHECK_OK(c);
        CHECK(info.words == 85 && info.dim == 12 && info.corpus == LINES * 10, "%d words, corpus %ld", info.words,
              (long)info.corpus);
        if (way < 4) CHECK(p > 0.8, "way %d: %.2f of the nearest words are of the same topic", way, p);
        else CHECK(p < 0.4, "untrained: %.2f", p);
        /* before training each of the six answers of negative sampling costs ln 2 (a negative that is w is left out) */
        if (way == 4)
            CHECK(info.loss > 5.5 * log(2.0) && info.loss <= 6 * log(2.0) + 1e-3, "loss %g", (double)info.loss);
        else if (way < 2) CHECK(info.loss < 6 * log(2.0) - 0.5, "way %d: loss %g", way, (double)info.loss);
        sslh_destroy(c);
    }
    free(text);
}

/* SSLH_OFF in a switch is 0. */
static void switches_are_off(void) {
    size_t size;
    char *text = language(&size);
    uint64_t hash[2] = {0, 0};
    for (int off = 0; off < 2; off++) {
        sslh_ctx *c = context(1);
        sslh_word2vec_desc d = settings();
        d.dim = 4, d.epochs = 1, d.cbow = d.hierarchical = off ? SSLH_OFF : 0;
        sslh_tensor *x = sslh_vectors_tensor(sslh_word2vec(c, text, size, d));
        CHECK_OK(c);
        for (size_t i = 0; i < x->count; i++) hash[off] = test_hash(&x->data[i], sizeof x->data[i], hash[off]);
        sslh_destroy(c);
    }
    CHECK(hash[0] == hash[1], "other vectors");
    free(text);
}

/* The same bits with one, two and five threads; others with another seed or another batch. */
static void same_bits(void) {
    size_t size;
    char *text = language(&size);
    for (int way = 0; way < 5; way++) {
        unsigned long long hash[5];
        for (int run = 0; run < 5; run++) {
            static const int threads[] = {1, 2, 5, 2, 2};
            sslh_desc cd;
            sslh_word2vec_desc d = settings();
            memset(&cd, 0, sizeof cd);
            cd.threads = threads[run], cd.seed = run == 3 ? 8 : 7;
            sslh_ctx *c = sslh_create(cd);
            d.dim = 21, d.epochs = 1, d.batch = run == 4 ? 100 : 128, d.cbow = way % 3 == 1, d.hierarchical = way == 2;
            d.subwords = way > 2, d.ngram_min = 1;
            sslh_vectors *v = sslh_word2vec(c, text, size, d);
            const sslh_tensor *x = sslh_vectors_tensor(v);
            CHECK_OK(c);
            hash[run] = test_hash(x->data, x->count * sizeof *x->data, 0);
            sslh_destroy(c);
        }
        CHECK(hash[0] == hash[1] && hash[0] == hash[2], "way %d: the bits depend on the threads", way);
        CHECK(hash[0] != hash[3] && hash[0] != hash[4], "way %d: seed or batch do not matter", way);
    }
    free(text);
}

/* One prediction against equations (1) to (4), with the draws that skip-gram made told by what moved. A text of two
   words, of which the first line has both: word a predicts b and b predicts a, each with one negative that is the other
   word or left out. */
static void one_step(void) {
    static const char text[] = "a b\n";
    sslh_ctx *c = context(1);
    sslh_word2vec_desc d = settings();
    d.dim = 4, d.epochs = 1, d.min_count = 1, d.negatives = 1, d.sample = SSLH_OFF, d.lr = 0.5f, d.window = 1;
    sslh_vectors *v = sslh_word2vec(c, text, sizeof text - 1, d);
    CHECK_OK(c);
    CHECK(sslh_vectors_query(v).predictions == 2, "%ld predictions", (long)sslh_vectors_query(v).predictions);
    /* v starts at 0, so both predictions of the only batch are 1/2, e is 0 and u stays within 1/2 over D */
    const sslh_tensor *x = sslh_vectors_tensor(v);
    for (size_t i = 0; i < x->count; i++)
        CHECK(fabs((double)x->data[i]) <= 0.125, "u starts at %g", (double)x->data[i]);
    double loss = (double)sslh_vectors_query(v).loss;
    CHECK(loss >= log(2.0) - 1e-5 && loss <= 2 * log(2.0) + 1e-5, "loss %g", loss);
    /* with a batch of one prediction the second one sees what the first one changed */
    sslh_real u[2][4], w[2][4] = {{0}}, e[4];
    for (int i = 0; i < 8; i++) u[i / 4][i % 4] = x->data[i];
    sslh_destroy(c);
    c = context(1);
    d.batch = 1, d.hierarchical = 1, d.negatives = SSLH_OFF; /* one fork: b (the rarer or later) goes left, y = 1 */
    v = sslh_word2vec(c, text, sizeof text - 1, d);
    x = sslh_vectors_tensor(v);
    for (int step = 0; step < 2; step++) { /* the centre is a, then b; its neighbour is the input */
        int input = step == 0, label = step == 1;
        double f = 0, p, rate = 0.5 * (1 - 2.0 / 3);
        for (int k = 0; k < 4; k++) f += (double)u[input][k] * (double)w[0][k];
        p = 1 / (1 + exp(-f));
        for (int k = 0; k < 4; k++) {
            e[k] = (sslh_real)(rate * (label - p) * (double)w[0][k]);
            w[0][k] += (sslh_real)(rate * (label - p) * (double)u[input][k]);
        }
        for (int k = 0; k < 4; k++) u[input][k] += e[k];
    }
    CHECK_OK(c);
    for (int i = 0; i < 8; i++) CHECK_NEAR(x->data[i], u[i / 4][i % 4], 1e-6);
    sslh_destroy(c);
}

/* Files in all formats come back; and what others write. */
/* The rows of the parts of a word, -1 behind them. */
static int parts_of(sslh_vectors *v, const char *word, int row[40]) {
    int n = sslh_word_parts(v, word, row, 40);
    for (int i = n; i < 40; i++) row[i] = -1;
    return n;
}

/* The n-grams of "<king>" of 3 to 6 characters, of words of two letters of UTF-8 each, of one character without the
   signs alone; rows are shared where pieces are. The expected numbers are counted by hand. */
static void ngrams_are_counted(void) {
    static const char text[] = "king kin n\xc3\xa9 king kin n\xc3\xa9\n";
    sslh_ctx *c = context(1);
    sslh_word2vec_desc d = settings();
    d.dim = 3, d.epochs = 1, d.min_count = 1, d.sample = SSLH_OFF, d.subwords = 1;
    sslh_vectors *v = sslh_word2vec(c, text, sizeof text - 1, d);
    int king[40], kin[40], other[40];
    CHECK_OK(c);
    CHECK(parts_of(v, "king", king) == 1 + 4 + 3 + 2 + 1, "<ki kin ing ng> <kin king ing> <king king> <king>");
    CHECK(parts_of(v, "kin", kin) == 1 + 3 + 2 + 1, "<ki kin in> <kin kin> <kin>");
    CHECK(parts_of(v, "n\xc3\xa9", other) == 1 + 2 + 1, "<n(e) n(e)> <n(e)>: a character of two bytes is one");
    CHECK(sslh_vectors_query(v).ngrams == 10 + 6 - 3 + 3, "%d vectors; <ki kin <kin are shared",
          sslh_vectors_query(v).ngrams);
    CHECK(sslh_vectors_parts(v)->shape[0] == 3 + 16, "a row for each word and each n-gram");
    int shared = 0;
    for (int i = 1; i < 11; i++)
        for (int k = 1; k < 7; k++) shared += king[i] == kin[k];
    CHECK(shared == 3, "%d n-grams are shared", shared);
    CHECK(parts_of(v, "kings", other) == 3 + 2 + 1, "<ki kin ing <kin king <king are known of an unknown word");
    CHECK(parts_of(v, "zzz", other) == 0, "nothing is known of it");
    d.ngram_min = d.ngram_max = 1;
    v = sslh_word2vec(c, text, sizeof text - 1, d);
    CHECK(parts_of(v, "king", other) == 1 + 4 && sslh_vectors_query(v).ngrams == 5, "k i n g \xc3\xa9; no sign alone");
    d.buckets = 1;
    v = sslh_word2vec(c, text, sizeof text - 1, d);
    CHECK(sslh_vectors_query(v).ngrams == 1, "all share one bucket");
    CHECK(parts_of(v, "zzz", other) == 3 && other[0] == 3 && other[2] == 3, "so that nothing is unknown");
    d.subwords = 0;
    v = sslh_word2vec(c, text, sizeof text - 1, d);
    CHECK(parts_of(v, "king", other) == 1 && parts_of(v, "kings", kin) == 0, "without n-grams");
    CHECK(sslh_vectors_parts(v) == sslh_vectors_tensor(v) && !sslh_vectors_query(v).ngrams, "no other rows");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* The vector of every word, known or not, is the mean (6) of its parts to the last bit; a file keeps the words. */
static void a_word_is_the_mean_of_its_parts(void) {
    static const char *const strange[] = {"a99", "b3c4", "7", "x"};
    size_t size;
    char *text = language(&size);
    for (int way = 0; way < 2; way++) {
        sslh_ctx *c = context(1);
        sslh_word2vec_desc d = settings();
        d.dim = 7, d.epochs = 1, d.subwords = 1, d.ngram_min = 2, d.cbow = way;
        sslh_vectors *v = sslh_word2vec(c, text, size, d);
        const sslh_tensor *x = sslh_vectors_tensor(v), *parts = sslh_vectors_parts(v);
        const int words = sslh_vectors_query(v).words;
        CHECK_OK(c);
        for (int w = 0; w < words + 4; w++) {
            const char *word = w < words ? sslh_vectors_word(v, w) : strange[w - words];
            int row[40], n = parts_of(v, word, row);
            float out[7];
            CHECK(sslh_word_vector(v, word, out) == n && n > 0 && (w >= words || row[0] == w), "%s: %d parts", word, n);
            for (int k = 0; k < 7; k++) {
                sslh_real sum = 0;
                const sslh_real share = 1 / (sslh_real)n;
                for (int i = 0; i < n; i++) sum = sum + parts->data[row[i] * 7 + k];
                sum = sum * share;
                CHECK((float)sum == out[k], "%s: %.9g, the mean is %.9g", word, (double)out[k], (double)sum);
                CHECK(w >= words || x->data[w * 7 + k] == sum, "%s: another row in the table", word);
            }
        }
        static const char pairs[] = "a99 b3c4 1\na0 a1 2\nzzz a1 3\nb0 a99 1\n";
        const sslh_pair_score s = sslh_word_pairs(v, pairs, sizeof pairs - 1);
        int best[2];
        CHECK(s.pairs == 3 && s.skipped == 1, "unknown words have vectors, but not zzz: %d, %d", s.pairs, s.skipped);
        CHECK(sslh_nearest_words(v, "a99 - b3c4", 2, best, NULL) == 2, "and stand in expressions");
        sslh_save_vectors(v, test_temporary("parts.txt"), SSLH_VECTORS_TEXT);
        sslh_vectors *again = sslh_load_vectors(c, test_temporary("parts.txt"));
        CHECK_OK(c);
        CHECK(memcmp(sslh_vectors_tensor(again)->data, x->data, x->count * sizeof *x->data) == 0, "other vectors");
        CHECK(sslh_vectors_parts(again) == sslh_vectors_tensor(again), "a file has no n-grams");
        CHECK(remove(test_temporary("parts.txt")) == 0, "the file");
        sslh_destroy(c);
    }
    free(text);
}

/* The trainer against (1) to (4) and (6) in a plain copy: "ab" and "cab" with n-grams of three characters, which share
   "ab>"; hierarchical, where the only fork tells the two words apart. Its first run, of one batch, moves nothing (v is
   0) and so tells where the parts start. */
static void one_step_of_ngrams(void) {
    static const char text[] = "ab cab\n";
    for (int cbow = 0; cbow < 2; cbow++) {
        sslh_word2vec_desc d = settings();
        sslh_real z[6][4], w[4] = {0}, e[4], h[4];
        d.dim = 4, d.epochs = 1, d.min_count = 1, d.sample = SSLH_OFF, d.lr = 0.5f, d.window = 1, d.cbow = cbow;
        d.hierarchical = 1, d.negatives = SSLH_OFF, d.subwords = 1, d.ngram_max = 3;
        for (int run = 0; run < 2; run++) {
            sslh_ctx *c = context(1);
            d.batch = run ? 1 : 2;
            sslh_vectors *v = sslh_word2vec(c, text, sizeof text - 1, d);
            const sslh_tensor *parts = sslh_vectors_parts(v);
            int row[2][40], n[2];
            n[0] = parts_of(v, "ab", row[0]), n[1] = parts_of(v, "cab", row[1]);
            CHECK_OK(c);
            CHECK(n[0] == 3 && n[1] == 4 && parts->shape[0] == 6, "<ab ab>, <ca cab ab>");
            CHECK(row[0][2] == row[1][3], "the piece that both have");
            for (int i = 0; i < 24 && !run; i++) z[i / 4][i % 4] = parts->data[i];
            for (int step = 0; step < 2 && run; step++) { /* the centre is ab, then cab; the other is the input */
                const int input = step == 0, label = step == 1;
                double f = 0, p, rate = 0.5 * (1 - 2.0 / 3);
                for (int k = 0; k < 4; k++) {
                    double sum = 0;
                    for (int i = 0; i < n[input]; i++) sum += (double)z[row[input][i]][k];
                    h[k] = (sslh_real)(sum / n[input]);
                    f += (double)h[k] * (double)w[k];
                }
                p = 1 / (1 + exp(-f));
                for (int k = 0; k < 4; k++) {
                    e[k] = (sslh_real)(rate * (label - p) * (double)w[k]);
                    w[k] += (sslh_real)(rate * (label - p) * (double)h[k]);
                    for (int i = 0; i < n[input]; i++) z[row[input][i]][k] += e[k];
                }
            }
            for (int i = 0; i < 24; i++) CHECK_NEAR(parts->data[i], z[i / 4][i % 4], 1e-6);
            sslh_destroy(c);
        }
    }
}

/* Inflections that are too rare in a novel to have vectors, such as those in "-ing", "-ed" and "-ly": among all words
   their stem is one of the ten nearest for most of them; without n-grams nothing is known of any. */
static void unknown_inflections_lie_near_their_stems(void) {
    static const char *const suffix[] = {"ing", "ed", "ly", "ness", "s"};
    sslh_ctx *c = context(2);
    sslh_word2vec_desc d = settings();
    FILE *f = fopen("examples/data/text/austen.txt", "rb"); /* from the top of the repository or from tests/ */
    size_t size;
    char *text = sslh_load_file(c, f ? "examples/data/text/austen.txt" : "../examples/data/text/austen.txt", &size);
    if (f) fclose(f);
    CHECK_OK(c);
    size = size > 500000 ? 500000 : size;
    for (size_t i = 0; i < size; i++) {
        const char x = text[i];
        text[i] = (char)(x >= 'A' && x <= 'Z' ? x + 32 : (x < 'a' || x > 'z') && x != '\n' ? ' ' : x);
    }
    d.dim = 24, d.epochs = 1, d.window = 3, d.subwords = 1;
    sslh_vectors *v = sslh_word2vec(c, text, size, d);
    d.dim = 4, d.window = 1, d.subwords = 0, d.min_count = 1;
    sslh_vectors *all = sslh_word2vec(c, text, size, d); /* for its vocabulary: every word of the text */
    CHECK_OK(c);
    int unknown = 0, found = 0;
    for (int w = 0; w < sslh_vectors_query(v).words; w++) {
        const char *stem = sslh_vectors_word(v, w);
        for (int k = 0; k < 5 && strlen(stem) > 4 && strlen(stem) < 20; k++) {
            char word[32];
            int best[10];
            snprintf(word, sizeof word, "%s%s", stem, suffix[k]);
            if (sslh_vectors_find(v, word) >= 0 || sslh_vectors_find(all, word) < 0) continue;
            unknown++;
            for (int i = sslh_nearest_words(v, word, 10, best, NULL) - 1; i >= 0; i--) found += best[i] == w;
        }
    }
    CHECK_OK(c);
    printf("   %d of %d unknown words have their stem among the ten nearest of %d\n", found, unknown,
           sslh_vectors_query(v).words);
    CHECK(unknown >= 50 && found >= unknown / 2, "%d of %d", found, unknown);
    int word;
    CHECK(sslh_nearest_words(all, "carriagely", 1, &word, NULL) == 0, "unknown");
    CHECK_ERROR(c, "\"carriagely\" is not in the vocabulary");
    sslh_destroy(c);
}

static void files(void) {
    static const sslh_vectors_format formats[] = {SSLH_VECTORS_TEXT, SSLH_VECTORS_BINARY, SSLH_VECTORS_GLOVE};
    static const char others[][80] = {
        "2 3\nthe 0.5 -1 2e-1 \nof 1 2 3 \n",     /* fastText: a space at the end */
        "the 0.5 -1 2e-1\nof 1 2 3\n",            /* GloVe */
        "the 0.5 -1 2e-1\n. . . 1 2 3\n",         /* a word with spaces */
        "2 3\r\nthe 0.5 -1 2e-1\r\nof 1 2 3\r\n", /* Windows */
        "2 3\nthe 0.5 -1 2e-1\nof 1 2 3"};
    size_t size;
    char *text = language(&size);
    sslh_ctx *c = context(1);
    sslh_word2vec_desc d = settings();
    d.dim = 5, d.epochs = 1;
    sslh_vectors *v = sslh_word2vec(c, text, size, d);
    const sslh_tensor *x = sslh_vectors_tensor(v);
    x->data[0] = (sslh_real)1e-38f, x->data[1] = (sslh_real)-3e38f, x->data[2] = 0, x->data[3] = 1, x->data[4] = 999999;
    for (int i = 0; i < 3; i++) {
        const char *path = test_temporary("vectors");
        sslh_save_vectors(v, path, formats[i]);
        sslh_vectors *again = sslh_load_vectors(c, path);
        CHECK_OK(c);
        const sslh_tensor *y = sslh_vectors_tensor(again);
        CHECK(y->count == x->count && sslh_vectors_query(again).words == 85, "format %d: another size", i);
        for (size_t k = 0; k < x->count && k < y->count; k++)
            CHECK((float)x->data[k] == (float)y->data[k], "format %d: %.9g became %.9g", i, (double)x->data[k],
                  (double)y->data[k]);
        for (int k = 0; k < 85; k++)
            CHECK(!strcmp(sslh_vectors_word(v, k), sslh_vectors_word(again, k)), "format %d: word %d", i, k);
        CHECK(sslh_vectors_find(again, sslh_vectors_word(v, 84)) == 84 && sslh_vectors_find(again, "none") == -1 &&
                  sslh_vectors_count(v, 0) > 100 && sslh_vectors_count(again, 0) == 0,
              "words are found");
        remove(path);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        sslh_vectors *o = sslh_load_vectors_memory(c, others[i], strlen(others[i]));
        CHECK_OK(c);
        const sslh_tensor *y = sslh_vectors_tensor(o);
        CHECK(y->count == 6 && y->data[1] == -1 && (float)y->data[2] == 0.2f && y->data[5] == 3 &&
                  !strcmp(sslh_vectors_word(o, 1), i == 2 ? ". . ." : "of"),
              "file %d", (int)i);
    }
    /* binary without a line break behind the rows, as gensim writes it */
    static const unsigned char plain[] = "2 1\na \0\0\x80?bc \0\0\0@";
    sslh_vectors *o = sslh_load_vectors_memory(c, plain, sizeof plain - 1);
    CHECK_OK(c);
    CHECK(sslh_vectors_tensor(o)->data[1] == 2 && sslh_vectors_find(o, "bc") == 1, "binary without line breaks");
    free(text);
    sslh_destroy(c);
}

/* A word or number that a format cannot give back is refused, and nothing is written; other formats take it. */
static void words_in_files(void) {
    static const struct { const char *bytes; size_t n; const char *error[3]; } rows[] = { /* of text, binary, GloVe */
        {". . 1 2\nb 3 4\n", 14, {NULL, "the word '. .' has a space, which ends a word in binary files", NULL}},
        {"2 2\nat 5 1 2\nb 3 4\n", 19, {NULL, "the word 'at 5' has a space", "has a number in the first row"}},
        {"2 1\n5 0\nb 1\n", 12, {NULL, NULL, "the word '5' has a number in the first row"}},
        {"2 1\n\xef\xbb\xbfx 0\nb 1\n", 15, {NULL, NULL, "begins with a byte order mark"}},
        {"2 1\nx\ny \0\0\x80?c \0\0\0@", 18, {"the word 'x?y' has a line break", NULL, "has a line break"}},
        {"2 1\na \0\0\x80?c\t \0\0\0@", 17, {"the word 'c?' ends with white space", NULL, "with white space"}}};
    static const sslh_vectors_format formats[] = {SSLH_VECTORS_TEXT, SSLH_VECTORS_BINARY, SSLH_VECTORS_GLOVE};
    sslh_ctx *c = context(1);
    const char *path = test_temporary("words");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sslh_vectors *v = sslh_load_vectors_memory(c, rows[i].bytes, rows[i].n), *again;
        CHECK_OK(c);
        for (int k = 0; k < 3 && v; k++) {
            sslh_save_vectors(v, path, formats[k]);
            FILE *f = fopen(path, "rb");
            CHECK(!f == !!rows[i].error[k], "file %d, format %d", (int)i, k);
            if (f) fclose(f);
            if (rows[i].error[k]) CHECK_ERROR(c, rows[i].error[k]);
            if (!f) continue;
            again = sslh_load_vectors(c, path);
            CHECK_OK(c);
            CHECK(again && sslh_vectors_query(again).words == 2 &&
                      !memcmp(sslh_vectors_tensor(again)->data, sslh_vectors_tensor(v)->data,
                              sslh_vectors_tensor(v)->count * sizeof(sslh_real)), "file %d, format %d", (int)i, k);
            for (int j = 0; j < 2; j++)
                CHECK(!strcmp(sslh_vectors_word(again, j), sslh_vectors_word(v, j)), "file %d, format %d: '%s'", (int)i,
                      k, sslh_vectors_word(again, j));
            remove(path);
        }
        sslh_vectors_tensor(v)->data[0] = (sslh_real)HUGE_VAL;
        for (int k = 0; k < 3; k++) {
            sslh_save_vectors(v, path, formats[k]);
            CHECK_ERROR(c, "has NaN or Inf in its vector");
        }
    }
    sslh_destroy(c);
}

static void say(void *user, const char *text) {
    char *out = (char *)user;
    snprintf(out, 200, "%s%s", out[0] ? "again: " : "", text);
}

/* Published files repeat words: the first row of each counts. */
static void repeated_words(void) {
    static const struct { const char *bytes; size_t size; const char *warning; } rows[] = {
        {"a 1 2\nb 3 4\na 5 6\nc 7 8\n", 24, "already: 1; the first row"}, /* GloVe */
        {"6 2\na 1 2\nb 3 4\na 5 6\nc 7 8\nb 9 9\na 9 9\n", 40, "already: 3; the first row"},
        {"4 2\na \0\0\x80?\0\0\0@b \0\0\0@\0\0\0@a \0\0\0@\0\0\0@c \0\0\x80?\0\0\x80?", 44,
         "already: 1; the first row"},
        {"\xef\xbb\xbf" "a 1 2\nb 3 4\nc 7 8\n", 21, NULL}, /* after the byte order mark of an editor */
        {"\xef\xbb\xbf" "3 2\na 1 2\nb 3 4\nc 7 8\n", 25, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char said[200] = "";
        sslh_desc cd;
        memset(&cd, 0, sizeof cd);
        cd.threads = 1;
        cd.warn = say;
        cd.user = said;
        sslh_ctx *c = sslh_create(cd);
        sslh_vectors *v = sslh_load_vectors_memory(c, rows[i].bytes, rows[i].size);
        CHECK_OK(c);
        const sslh_tensor *x = sslh_vectors_tensor(v);
        CHECK(sslh_vectors_query(v).words == 3 && x->shape[0] == 3 && x->count == 6, "file %d: %d words", (int)i,
              sslh_vectors_query(v).words);
        for (int k = 0; k < 3; k++) {
            const char name[2] = {(char)('a' + k), 0};
            CHECK(sslh_vectors_find(v, name) == k && !strcmp(sslh_vectors_word(v, k), name), "file %d: word %d", (int)i,
                  k);
        }
        CHECK(x->data[0] == 1 && x->data[1] == 2 && x->data[2] == (i == 2 ? 2 : 3) && x->data[4] == (i == 2 ? 1 : 7),
              "file %d: %g %g %g %g", (int)i, (double)x->data[0], (double)x->data[1], (double)x->data[2],
              (double)x->data[4]);
        CHECK(rows[i].warning ? strstr(said, rows[i].warning) && !strstr(said, "again: ") : !said[0],
              "file %d warns: %s", (int)i, said);
        sslh_destroy(c);
    }
}

static void scores(void) {
    static const char vectors[] = "6 3\nman 1 0 0\nwoman 1 1 0\nking 1 0 1\nqueen 1 1 1\nfar 0 -1 -1\nNear 1 0.1 0\n";
    static const char questions[] = ": family\nman woman king queen\nMan Woman King Queen\nman king woman far\n"
                                    "man woman king none\n\nonly three words\n";
    static const char pairs[] = "# a comment\nman\twoman\t5\nman king 5\nking queen 8\nman far 1\nman none 3\n"
                                "man man x\n";
    sslh_ctx *c = context(1);
    sslh_vectors *v = sslh_load_vectors_memory(c, vectors, sizeof vectors - 1);
    int word[5];
    float cosine[5];
    CHECK(sslh_nearest_words(v, "king - man + woman", 2, word, cosine) == 2 && word[0] == 3, "king - man + woman is %s",
          sslh_vectors_word(v, word[0]));
    CHECK(sslh_nearest_words(v, "man", 5, word, cosine) == 5 && word[0] == 5 && word[4] == 4, "the nearest of man");
    CHECK_NEAR(cosine[0], 1 / sqrt(1.01), 1e-6);
    CHECK_NEAR(cosine[4], 0, 1e-6);
    sslh_analogy_score a = sslh_analogies(v, questions, sizeof questions - 1, 0);
    CHECK(a.questions == 3 && a.skipped == 1 && a.right == 2, "%d questions, %d right, %d skipped", a.questions,
          a.right, a.skipped);
    CHECK_NEAR(a.accuracy, 2.0 / 3, 1e-6);
    a = sslh_analogies(v, questions, sizeof questions - 1, 3);
    CHECK(a.questions == 0 && a.skipped == 4, "among three words %d questions", a.questions);
    /* people: 5 5 8 1, cosines .707 .707 .816 0: the ranks agree */
    sslh_pair_score p = sslh_word_pairs(v, pairs, sizeof pairs - 1);
    CHECK(p.pairs == 4 && p.skipped == 1, "%d pairs, %d skipped", p.pairs, p.skipped);
    CHECK_NEAR(p.spearman, 1, 1e-6);
    /* ranks 3 0.5 0.5 2 against 0 1.5 1.5 3 */
    static const char against[] = "man far 9\nman woman 5\nman king 5\nking queen 7\n";
    p = sslh_word_pairs(v, against, sizeof against - 1);
    CHECK_NEAR(p.spearman, (-1.5 * 1.5 - 0.0 + 1.5 * 0.5) / 4.5, 1e-6);
    { /* NaN, which the caller has put into a vector, is equal to nothing and still has a rank */
        sslh_vectors *own = sslh_load_vectors_memory(c, vectors, sizeof vectors - 1);
        sslh_vectors_tensor(own)->data[0] = (sslh_real)NAN;
        CHECK(sslh_word_pairs(own, pairs, sizeof pairs - 1).pairs == 4, "four pairs");
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* "new york" stands together each time, 6 of 30 words: (6 - 2) 30 / (6 6) = 3.3; "is a": (4 - 2) 30 / (8 5) = 1.5. */
static void phrases(void) {
    static const char text[] = "new york is a b\nnew york is c d\nnew  york is a e\nnew york is f is\n"
                               "new york a is a is\nnew york\nis a\n";
    static const char want[] = "new_york is a b\nnew_york is c d\nnew_york is a e\nnew_york is f is\n"
                               "new_york a is a is\nnew_york\nis a";
    sslh_ctx *c = context(1);
    size_t n = 0, m = 0;
    char *out = sslh_phrases(c, text, sizeof text - 1, 2, 3, &n), *more;
    CHECK_OK(c);
    CHECK(n == sizeof want - 1 && !strcmp(out, want), "%d: %s", (int)n, out ? out : "NULL");
    /* again: of three words in a row only two are joined at a time */
    more = sslh_phrases(c, out, n, 2, 0.9f, &m);
    CHECK(more && strstr(more, "new_york_is") && !strstr(more, "new_york_is_a"), "%s", more ? more : "NULL");
    CHECK(!sslh_phrases(c, NULL, 0, 0, 0, NULL), "no text");
    CHECK_ERROR(c, "the text is NULL");
    CHECK(!sslh_phrases(c, "a b", 3, -1, 0, NULL), "a negative count");
    CHECK_ERROR(c, "min_count is negative");
    out = sslh_phrases(c, "", 0, 0, 0, &n);
    CHECK(out && n == 0, "an empty text");
    CHECK_OK(c);
    sslh_destroy(c);
}

static void refused(void) {
    static const struct { const char *bytes, *error; } rows[] = {
        {"", "no words"}, {"2 3\na 1 2 3\n", "1 rows, but the first line says 2"}, {"0 3\n", "no words"},
        {"1 3\na 1 2\n", "do not fit"}, {"1 3\na 1 2 x\n", "do not fit"},
        {"a 1 2\nb 3\n", "is not followed by 2 numbers"}, {"a 1 2\nb 3 4e99\n", "is no number"},
        {"a 0.1000000000000000000000000000000000000000000000000e-3 2\nb 3 4\n", "has 54 characters (at most 47)"},
        {"a b c\n", "no words"},
        {"1 2\na 1 2\nb 1 2\n", "2 rows, but the first line says 1"}, {"99999999 3\na \1\2\3\4", "do not fit"},
        {"1 1\na \377\377\377\177", "NaN"}, {"1 2\n1 2 3 4 5 6 7 8 9\n", NULL}};
    sslh_ctx *c = context(1);
    sslh_word2vec_desc d = settings();
    int word[3];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sslh_vectors *v = sslh_load_vectors_memory(c, rows[i].bytes, strlen(rows[i].bytes));
        CHECK(!v == (rows[i].error != NULL), "row %d is accepted or not", (int)i);
        if (rows[i].error) CHECK_ERROR(c, rows[i].error);
    }
    d.min_count = 1, d.sample = 1, d.dim = 4;
    CHECK(sslh_vectors_query(sslh_word2vec(c, "\xef\xbb\xbf" "a b a b\n", 11, d)).words == 2, "a byte order mark");
    CHECK_OK(c);
    d = settings();
    CHECK(!sslh_word2vec(c, NULL, 0, d), "no text");
    CHECK_ERROR(c, "the text is NULL");
    CHECK(!sslh_word2vec(c, "a b c", 5, d), "rare words");
    CHECK_ERROR(c, "0 words stand in the text at least 5 times");
    d.negatives = SSLH_OFF;
    CHECK(!sslh_word2vec(c, "a b c", 5, d), "nothing to predict with");
    CHECK_ERROR(c, "one of them must be on");
    d = settings(), d.min_count = 1;
    CHECK(!sslh_word2vec(c, "a\nb\na\nb\nc\n", 10, d), "a word a line");
    CHECK_ERROR(c, "sslh_word2vec: no line has two words that are read, so nothing is predicted (.min_count, .sample)");
    d = settings(), d.min_count = 1, d.sample = 1, d.lr = 1e25f, d.epochs = 5, d.batch = 8;
    CHECK(!sslh_word2vec(c, "a b c d e f g a b c d e f g a b", 31, d), "a finite loss of vectors that are not");
    CHECK_ERROR(c, "sslh_word2vec: the loss or a vector is NaN or Inf");
    d = settings(), d.subwords = 1, d.ngram_min = 5, d.ngram_max = 4;
    CHECK(!sslh_word2vec(c, "a b c", 5, d), "no n-gram");
    CHECK_ERROR(c, "sslh_word2vec: .ngram_max is 4, below .ngram_min, which is 5");
    d = settings(), d.subwords = 1, d.cbow = 1, d.batch = 8, d.window = 2, d.ngram_min = 1, d.ngram_max = 16;
    d.min_count = 1, d.sample = SSLH_OFF;
    static char junk[4000]; /* a word of 3,990 bytes, all of which continue a character that never began, and another */
    memset(junk, 0x80, sizeof junk);
    memcpy(junk + 3990, " a\n", 4);
    CHECK(sslh_word2vec(c, junk, 3993, d) != NULL, "a long word of junk has few n-grams: %s", sslh_error(c));
    memset(junk, 'a', 3990);
    CHECK(sslh_word_parts(sslh_word2vec(c, junk, 3993, d), "a", NULL, 0) == 1 + 4, "a <a a> <a> behind a long word");
    d.batch = 65536, d.window = 100;
    CHECK(!sslh_word2vec(c, junk, 3993, d), "a huge batch");
    CHECK_ERROR(c, "sslh_word2vec: a batch or the vectors are larger than this machine addresses");
    d = settings(), d.dim = -3;
    CHECK(!sslh_word2vec(c, "a b c", 5, d), "negative dim");
    CHECK_ERROR(c, "1 to 4096");
    sslh_vectors *v = sslh_load_vectors_memory(c, "a 1 2\nb 2 1\n", 12);
    CHECK(sslh_nearest_words(v, "a nothing", 1, word, NULL) == 0, "an unknown word");
    CHECK_ERROR(c, "\"nothing\" is not in the vocabulary");
    sslh_nearest_words(v, " ", 1, word, NULL);
    CHECK_ERROR(c, "no word is given");
    sslh_nearest_words(v, "a", 3, word, NULL);
    CHECK_ERROR(c, "k is not");
    CHECK(sslh_nearest_words(v, "a", 2, word, NULL) == 1, "only one other word");
    sslh_analogies(v, NULL, 3, 0);
    CHECK_ERROR(c, "the text is NULL");
    sslh_word_pairs(v, NULL, 3);
    CHECK_ERROR(c, "the text is NULL");
    sslh_save_vectors(v, test_temporary("x"), (sslh_vectors_format)7);
    CHECK_ERROR(c, "the format is 7");
    sslh_load_vectors(c, "no such file");
    CHECK_ERROR(c, "no such file");
    CHECK(!sslh_vectors_word(NULL, 0) && sslh_vectors_find(NULL, "a") == -1 && !sslh_vectors_query(NULL).words &&
              !sslh_nearest_words(NULL, "a", 1, word, NULL) && sslh_vectors_tensor(NULL) &&
              !sslh_vectors_count(NULL, 0) && !sslh_word_vector(NULL, "a", NULL) && sslh_vectors_parts(NULL) &&
              !sslh_word_parts(NULL, "a", word, 3) && !sslh_word_parts(v, NULL, word, 3),
          "NULL is taken");
    sslh_word_vector(v, NULL, NULL);
    CHECK_ERROR(c, "sslh_word_vector: the word is NULL");
    sslh_word_vector(v, "a", NULL);
    CHECK_ERROR(c, "sslh_word_vector: the array of results is NULL");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* A sign in an expression is a sign even if the vocabulary has it as a word. */
static void signs(void) {
    static const char plain[] = "a 1 2 0\nb 2 1 1\nc 0 1 3\nd 3 1 -1\n";
    static const char with[] = "a 1 2 0\nb 2 1 1\nc 0 1 3\nd 3 1 -1\n- 5 -4 2\n+ 1 1 1\n";
    static const char *const expression[] = {"a - b", "a - b + c", "- a", " a +\tb "};
    sslh_ctx *c = context(1);
    sslh_vectors *v = sslh_load_vectors_memory(c, plain, sizeof plain - 1);
    sslh_vectors *w = sslh_load_vectors_memory(c, with, sizeof with - 1);
    int one[4], two[6];
    float x[4], y[6];
    CHECK_OK(c);
    for (int i = 0; i < 4; i++) {
        int n = sslh_nearest_words(v, expression[i], 4, one, x), m = sslh_nearest_words(w, expression[i], 6, two, y);
        CHECK(n > 0 && m == n + 2, "%s: %d and %d", expression[i], n, m);
        for (int k = 0, at = 0; k < m; k++) {
            if (two[k] > 3) continue; /* the signs themselves are words that may be near */
            CHECK(at < n && one[at] == two[k] && x[at] == y[k], "%s: place %d", expression[i], k);
            at++;
        }
    }
    CHECK(sslh_nearest_words(w, " - ", 6, two, NULL) == 5, "the word alone");
    CHECK(sslh_nearest_words(w, "a - -", 6, two, NULL) == 4, "a less the word");
    CHECK_OK(c);
    CHECK(sslh_nearest_words(w, "a -", 6, two, NULL) == 0, "nothing follows");
    CHECK_ERROR(c, "sslh_nearest_words: no word follows the last -");
    sslh_nearest_words(v, "a + +", 4, one, NULL);
    CHECK_ERROR(c, "\"+\" is not in the vocabulary");
    sslh_destroy(c);
}

static void failing_memory(void) {
    size_t size;
    char *text = language(&size);
    long calls = 1;
    size = 4000;
    for (long at = 1; at <= calls; at++) {
        test_memory memory;
        sslh_desc cd;
        sslh_word2vec_desc d = settings();
        int word[2];
        memset(&memory, 0, sizeof memory);
        memset(&cd, 0, sizeof cd);
        cd.threads = 1, cd.alloc = test_alloc, cd.release = test_release, cd.user = &memory;
        sslh_ctx *c = sslh_create(cd);
        long live = memory.live, before = memory.calls;
        int64_t mark = sslh_mark(c);
        memory.fail_at = before + at;
        d.dim = 4, d.epochs = 1, d.hierarchical = 1, d.min_count = 1, d.subwords = 1;
        float out[4];
        sslh_vectors *v = sslh_word2vec(c, text, size, d);
        sslh_nearest_words(v, "a1", 2, word, NULL);
        sslh_word_vector(v, "a77", out);
        sslh_analogies(v, "a1 a2 b1 b2\n", 12, 0);
        sslh_word_pairs(v, "a1 a2 3\nb1 b2 4\n", 16);
        sslh_load_vectors_memory(c, "a 1 2\nb 2 1\n", 12);
        if (memory.calls - before >= at) {
            CHECK_ERROR(c, "out of memory");
            calls = at + 1;
        } else CHECK_OK(c);
        sslh_rewind(c, mark);
        /* the heap of steps may have grown by a product's scratch */
        CHECK(memory.live <= live + 4, "allocation %ld: %ld blocks are left", at, memory.live - live);
        sslh_destroy(c);
        CHECK(memory.live == 0, "allocation %ld: %ld blocks leak", at, memory.live);
    }
    CHECK(calls > 15, "only %ld allocations", calls);
    free(text);
}
#endif

TESTS_BEGIN
#if SSLH_WITH_WORD2VEC
    TEST(one_step)
    TEST(learns)
    TEST(switches_are_off)
    TEST(same_bits)
    TEST(ngrams_are_counted)
    TEST(a_word_is_the_mean_of_its_parts)
    TEST(one_step_of_ngrams)
    TEST(unknown_inflections_lie_near_their_stems)
    TEST(files)
    TEST(words_in_files)
    TEST(repeated_words)
    TEST(scores)
    TEST(signs)
    TEST(phrases)
    TEST(refused)
    TEST(failing_memory)
#endif
TESTS_END
