/* Word vectors: trains skip-gram or CBOW on a text, then prints the words nearest to some words and draws a map of
   frequent words, out/word2vec_map.png. If you have the files, it also prints how well the vectors agree with people's
   judgements and answer analogies.

       build/examples/word2vec
       build/examples/word2vec --subwords --near "carriageless"           (a word that the text lacks)
       build/examples/word2vec --data wiki.txt --scores wordeval          (files as listed in docs/word2vec.md)
       build/examples/word2vec --vectors glove.txt --near "king - man + woman"

   The text is put into lower case, and everything but letters and ends of lines becomes a space, as in word2vec's
   scripts. Without --data the text is three novels of Jane Austen, on which 20 passes are made; that is little for word
   vectors, but enough to see people, rooms, times and feelings gather. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

/* a-z stay, A-Z become small, line breaks stay; in place. */
static void plain_letters(char *text, size_t size) {
    size_t i;
    for (i = 0; i < size; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z') text[i] = (char)(text[i] + 32);
        else if ((text[i] < 'a' || text[i] > 'z') && text[i] != '\n') text[i] = ' ';
    }
}

static void nearest(sslh_vectors *v, const char *expression) {
    int word[8], i, n = sslh_vectors_query(v).words;
    float cosine[8];
    if (strchr(expression, ' ') == NULL && !sslh_word_parts(v, expression, NULL, 0)) return;
    n = sslh_nearest_words(v, expression, n < 8 ? n : 8, word, cosine);
    printf("  %s:", expression);
    for (i = 0; i < n; i++) printf(" %s %.2f", sslh_vectors_word(v, word[i]), (double)cosine[i]);
    printf("\n");
}

/* What the files in a folder say of the vectors; files that are not there are left out. */
static void score(sslh_ctx *c, sslh_vectors *v, const char *folder) {
    static const char *const names[] = {"EN-WS-353-ALL.txt", "EN-SIMLEX-999.txt", "EN-MEN-TR-3k.txt", "EN-RG-65.txt"};
    char path[1100];
    size_t size, i;
    char *text;
    FILE *f;
    for (i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, i < 4 ? names[i] : "questions-words.txt");
        f = fopen(path, "rb");
        if (!f) continue;
        fclose(f);
        text = sslh_load_file(c, path, &size);
        if (i < 4) {
            sslh_pair_score s = sslh_word_pairs(v, text, size);
            printf("  %-20s Spearman %.3f on %d pairs, %d skipped\n", names[i], (double)s.spearman, s.pairs, s.skipped);
        } else {
            sslh_analogy_score s = sslh_analogies(v, text, size, 30000);
            printf("  analogies            %.1f %% of %d, %d skipped (30,000 words)\n", 100 * (double)s.accuracy,
                   s.questions, s.skipped);
        }
    }
}

/* A map of frequent words by t-SNE of their unit vectors. The most frequent ones are left out: small words that stand
   everywhere. */
static void map_of_words(sslh_ctx *c, sslh_vectors *v, const char *path, int smoke) {
    enum { FIRST = 100, WORDS = 400 };
    sslh_tensor *x;
    const char *words[WORDS];
    sslh_tsne_desc d;
    sslh_plot_desc p;
    int n = sslh_vectors_query(v).words - FIRST, i;
    if (sslh_error(c) || n < 10) return;
    if (n > WORDS) n = WORDS;
    memset(&d, 0, sizeof d), memset(&p, 0, sizeof p);
    d.iterations = smoke ? 50 : 1000;
    for (i = 0; i < n; i++) words[i] = sslh_vectors_word(v, FIRST + i);
    p.words = words;
    p.title = "frequent words, t-SNE of their vectors";
    x = sslh_l2_normalize(c, sslh_slice(c, sslh_vectors_tensor(v), 0, FIRST, FIRST + n), 0); /* (n,D) */
    sslh_picture_scatter_ex(c, path, sslh_tsne(c, x, d), NULL, 0, p);
    if (!sslh_error(c)) printf("  a map of %d words: %s\n", n, path);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "Word vectors (Mikolov et al. 2013).\n"
                              "--data: a file of text, default three novels; options for images are errors.",
                              "  --vectors FILE load vectors instead of training them\n"
                              "  --scores FOLDER word pairs and analogies to test with (docs/word2vec.md)\n"
                              "  --near TEXT    print the words nearest to a sum: \"king - man + woman\"\n"
                              "  --cbow         CBOW instead of skip-gram      --hierarchical  softmax by a tree\n"
                              "  --subwords     with n-grams of characters, as in fastText\n"
                              "  --dim N        numbers in a vector (default 100)\n"
                              "  --save FILE    save the vectors as text\n");
    static const char *const some[] = {"king", "music", "river", "war", "king - man + woman", "marriage", "captain",
                                       "sister", "carriage", "unmarriageable"};
    const char *vectors = NULL, *scores = NULL, *near_to = NULL, *save = NULL;
    sslh_ctx *c = options_create(&o);
    sslh_word2vec_desc d;
    sslh_vectors_info info;
    char path[1024];
    sslh_vectors *v;
    size_t size = 0, i;
    int cbow = 0, hierarchical = 0, subwords = 0;
    const own_option own[] = {{"--vectors", OPTION_TEXT, &vectors}, {"--scores", OPTION_TEXT, &scores},
                              {"--near", OPTION_TEXT, &near_to}, {"--save", OPTION_TEXT, &save},
                              {"--dim", OPTION_COUNT, &d.dim}, {"--cbow", OPTION_FLAG, &cbow},
                              {"--hierarchical", OPTION_FLAG, &hierarchical}, {"--subwords", OPTION_FLAG, &subwords},
                              {0}};
    memset(&d, 0, sizeof d);
    d.epochs = o.epochs ? o.epochs : o.smoke ? 1 : o.data ? 0 : 20; /* a small text needs more passes */
    d.batch = o.batch;
    options_own(own, argc, argv);
    options_without_images(&o);
    d.cbow = cbow;
    d.hierarchical = hierarchical;
    d.subwords = subwords;
    if (hierarchical) d.negatives = SSLH_OFF;
    if (vectors) v = sslh_load_vectors(c, vectors);
    else {
        char *text = sslh_load_file(c, o.data ? o.data : EXAMPLE_TEXT, &size);
        stop_on_error(c);
        if (o.smoke && size > 300000) size = 300000;
        plain_letters(text, size);
        v = sslh_word2vec(c, text, size, d);
    }
    stop_on_error(c);
    info = sslh_vectors_query(v);
    printf("%d words of %d numbers", info.words, info.dim);
    if (info.corpus) printf(" from %.0f words of text; loss %.3f nats", (double)info.corpus, (double)info.loss);
    if (info.ngrams) printf("; %d n-grams", info.ngrams);
    printf("\n");
    if (near_to) nearest(v, near_to);
    for (i = 0; !near_to && i < sizeof some / sizeof some[0]; i++)
        if (strcmp(some[i], "king - man + woman") != 0 || (sslh_vectors_find(v, "king") >= 0 &&
            sslh_vectors_find(v, "man") >= 0 && sslh_vectors_find(v, "woman") >= 0))
            nearest(v, some[i]);
    if (scores) score(c, v, scores);
    if (!near_to) map_of_words(c, v, out_path(&o, path, sizeof path, "word2vec_map.png"), o.smoke);
    if (save) sslh_save_vectors(v, save, SSLH_VECTORS_TEXT);
    return finish(c);
}
