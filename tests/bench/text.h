/* Tokenizers and word2vec: megabytes and words of text a second on one thread. The text is Wikipedia from the folder of
   real data, else ssl.h. Byte pairs are trained on it; WordPiece and CLIP are those of that folder, and are skipped
   without it. */
#ifndef SSLH_BENCH_TEXT_H
#define SSLH_BENCH_TEXT_H

typedef struct text_case {
    sslh_ctx       *c;
    sslh_tokenizer *t;
    const char     *text;
    size_t          size, n;
} text_case;
static double text_run(void *self, int n) {
    text_case *p = (text_case *)self;
    const double t = bench_now(1);
    for (int i = 0; i < n; i++) p->n = sslh_tokenize(p->t, p->text, p->size, NULL, 0);
    return bench_now(1) - t;
}
/* What real data is called in its folder, or NULL when it is not there; two may be asked for. */
static const char *text_data(const char *file) {
    static char path[2][1024];
    static int turn;
    const char *root = getenv("SSLH_DATA");
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", root ? root : "../shared/data", file);
    return access(path[turn], R_OK) ? NULL : path[turn];
}
static void text_cases(void) {
    static const struct { const char *name, *vocabulary, *merges; sslh_tokens kind; } rows[] = {
        {"text/bpe", NULL, NULL, SSLH_TOKENS_BPE},
        {"text/wordpiece", "weights/bert_vocab_30522.txt", NULL, SSLH_TOKENS_WORDPIECE},
        {"text/clip", NULL, "weights/clip_bpe_simple_vocab_16e6.txt.gz", SSLH_TOKENS_CLIP}};
    const char *path = text_data("text/wiki_train.txt");
    for (int i = 0; i < 3; i++) {
        bench_side side[BENCH_SIDES];
        text_case p;
        sslh_tokenizer_desc d;
        if ((bench.quick && i) || !bench_wanted(rows[i].name)) continue;
        memset(side, 0, sizeof side);
        memset(&p, 0, sizeof p);
        memset(&d, 0, sizeof d);
        d.kind = rows[i].kind;
        const char *v = rows[i].vocabulary ? text_data(rows[i].vocabulary) : NULL;
        const char *m = rows[i].merges ? text_data(rows[i].merges) : NULL;
        if ((rows[i].vocabulary && !v) || (rows[i].merges && !m)) {
            printf("skipped: %s (its files are not there)\n", rows[i].name);
            continue;
        }
        p.c = make_ctx(1);
        p.text = sslh_load_file(p.c, path ? path : "ssl.h", &p.size);
        if (p.size > 8000000) p.size = 8000000;
        p.t = v || m ? sslh_load_tokenizer(p.c, v, m, d) : sslh_tokenizer_new(p.c, p.text, p.size, d);
        side[0].run = text_run;
        side[0].self = &p;
        bench_measure(side, 1, 1, 0.3, bench.quick ? 3 : 7, bench.quick ? 0.5 : 2);
        bench_line(rows[i].name, "text", 1, side, 1, (double)p.size, 1e6, 0, "MB/s", NULL);
        if (sslh_error(p.c)) fprintf(stderr, "%s: %s\n", rows[i].name, sslh_error(p.c));
        sslh_destroy(p.c);
    }
}

typedef struct words_case { sslh_ctx *c; const char *text; size_t size; int64_t words; int cbow; } words_case;
static double words_run(void *self, int n) {
    words_case *p = (words_case *)self;
    const double t = bench_now(1);
    for (int i = 0; i < n; i++) {
        int64_t mark = sslh_mark(p->c);
        sslh_word2vec_desc d;
        memset(&d, 0, sizeof d);
        d.epochs = 1, d.cbow = p->cbow;
        p->words = sslh_vectors_query(sslh_word2vec(p->c, p->text, p->size, d)).corpus;
        sslh_rewind(p->c, mark);
    }
    return bench_now(1) - t;
}
/* Words a second of a pass of word2vec over the text, on one thread, counting and reading included. */
static void word2vec_cases(void) {
    static const char *const names[] = {"text/word2vec", "text/word2vec_cbow"};
    const char *path = text_data("text/wiki_train.txt");
    for (int i = 0; i < 2; i++) {
        bench_side side[BENCH_SIDES];
        words_case p;
        if ((bench.quick && i) || !bench_wanted(names[i])) continue;
        memset(side, 0, sizeof side);
        memset(&p, 0, sizeof p);
        p.c = make_ctx(1);
        p.cbow = i;
        p.text = sslh_load_file(p.c, path ? path : "ssl.h", &p.size);
        if (p.size > 4000000) p.size = 4000000;
        side[0].run = words_run;
        side[0].self = &p;
        bench_measure(side, 1, 1, 2, 3, bench.quick ? 1 : 5);
        bench_line(names[i], "text", 1, side, 1, (double)p.words, 1, 0, "words/s", NULL);
        if (sslh_error(p.c)) fprintf(stderr, "%s: %s\n", names[i], sslh_error(p.c));
        sslh_destroy(p.c);
    }
}
#endif
