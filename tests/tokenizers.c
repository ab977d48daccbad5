/* Tokenizers: tokens of odd texts and of Wikipedia equal those of the reference (tests/golden/make_tokenizers.py), what
   was cut comes back, hostile bytes and files, failures of memory. Vectors of texts by a net. */
#include "../ssl.h"
#include "harness.h"
#if SSLH_WITH_TOKENIZERS
#include "golden/tokenizers.h"

static sslh_ctx *context(void) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = 1;
    return sslh_create(d);
}
static sslh_tokenizer_desc of_kind(sslh_tokens kind) {
    sslh_tokenizer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = kind;
    return d;
}
static unsigned long long hash_ids(const int32_t *ids, size_t n, unsigned long long h) {
    for (size_t i = 0; i < n; i++) {
        unsigned char b[4];
        for (int k = 0; k < 4; k++) b[k] = (unsigned char)((uint32_t)ids[i] >> 8 * k & 255);
        h = test_hash(b, 4, h);
    }
    return h;
}
/* A file of lines in memory, to be freed. */
static char *joined(const char *first, const char *const *line, size_t *size) {
    size_t n = strlen(first);
    for (int i = 0; line[i]; i++) n += strlen(line[i]) + 1;
    char *out = (char *)malloc(n + 1), *at = out;
    memcpy(at, first, strlen(first));
    at += strlen(first);
    for (int i = 0; line[i]; i++) {
        memcpy(at, line[i], strlen(line[i]));
        at += strlen(line[i]);
        *at++ = '\n';
    }
    *at = 0;
    *size = n;
    return out;
}
enum { SMALL_UNCASED, SMALL_CASED, SMALL_BPE, SMALL_CLIP };
/* The small vocabularies of the golden values. */
static sslh_tokenizer *small_one(sslh_ctx *c, int which, sslh_tokenizer_desc d) {
    size_t n;
    int pairs = which >= SMALL_BPE;
    char *text = joined(pairs ? "#version: 0.2\n" : "", which == SMALL_BPE ? golden_merges : which == SMALL_CLIP ?
                        golden_clip_merges : golden_pieces, &n);
    d.kind = which == SMALL_BPE ? SSLH_TOKENS_BPE : which == SMALL_CLIP ? SSLH_TOKENS_CLIP : SSLH_TOKENS_WORDPIECE;
    d.cased = which == SMALL_CASED;
    sslh_tokenizer *t = sslh_load_tokenizer_memory(c, pairs ? NULL : text, pairs ? 0 : n, pairs ? text : NULL,
                                                   pairs ? n : 0, d);
    free(text);
    return t;
}

static void odd_texts(void) {
    static const int *const rows[] = {golden_uncased, golden_cased, golden_bpe, golden_clip};
    for (int which = 0; which < 4; which++) {
        sslh_ctx *c = context();
        sslh_tokenizer *t = small_one(c, which, of_kind(SSLH_TOKENS_BYTES));
        const int *row = rows[which];
        CHECK_OK(c);
        /* twice: the second time short words are remembered */
        for (int again = 0; again < 2; again++, row = rows[which])
            for (int i = 0; golden_texts[i]; row += 1 + row[0], i++) {
                int32_t ids[600];
                size_t bytes = (size_t)golden_text_bytes[i], n = sslh_tokenize(t, golden_texts[i], bytes, ids, 600);
                int same = n == (size_t)row[0];
                for (int k = 0; same && k < row[0]; k++) same = ids[k] == row[1 + k];
                CHECK(same, "kind %d, text %d: %d tokens, %d expected; the first %d, %d", which, i, (int)n, row[0],
                      n ? ids[0] : -1, row[0] ? row[1] : -1);
                CHECK(sslh_tokenize(t, golden_texts[i], bytes, NULL, 0) == n, "counting gives another number");
                /* an output that is too short has the beginning of the whole text */
                char whole[4000], part[4000];
                size_t m = sslh_detokenize(t, ids, n, whole, sizeof whole);
                for (size_t room = 1; room < m + 3 && room < sizeof part && !again; room += 1 + m / 16) {
                    size_t fits = m < room ? m : room - 1;
                    CHECK(sslh_detokenize(t, ids, n, part, room) == m && !part[fits] && !memcmp(part, whole, fits),
                          "kind %d, text %d: room for %d of %d bytes", which, i, (int)room, (int)m);
                }
                if (which == SMALL_BPE) {
                    CHECK(m == bytes && memcmp(whole, golden_texts[i], m) == 0, "text %d does not come back", i);
                }
            }
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

/* Bytes: any bytes come back. */
static void bytes_come_back(void) {
    static const sslh_tokens kinds[] = {SSLH_TOKENS_BYTES, SSLH_TOKENS_BPE};
    for (int k = 0; k < 2; k++) {
        sslh_ctx *c = context();
        sslh_tokenizer_desc d = of_kind(kinds[k]);
        unsigned char text[700];
        int32_t ids[700];
        char back[701];
        d.utf8 = SSLH_UTF8_KEEP;
        sslh_tokenizer *t = k ? small_one(c, SMALL_BPE, d) : sslh_tokenizer_new(c, NULL, 0, d);
        for (uint64_t seed = 0; seed < 200; seed++) {
            size_t size = sslh_random_below(seed, 1, 0, 700);
            for (size_t i = 0; i < size; i++) {
                uint32_t x = sslh_random_u32(seed, 2, i);
                text[i] = (unsigned char)(x & 256 ? x & 255 : x & 512 ? ' ' + x % 90 : 0x80 + x % 100);
            }
            size_t n = sslh_tokenize(t, (const char *)text, size, ids, 700);
            size_t m = sslh_detokenize(t, ids, n, back, sizeof back);
            CHECK(m == size && memcmp(back, text, size) == 0, "seed %d: %d bytes, %d come back", (int)seed, (int)size,
                  (int)m);
            CHECK(kinds[k] != SSLH_TOKENS_BYTES || n == size, "%d tokens of %d bytes", (int)n, (int)size);
        }
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

/* The merges that training finds, and that they are in no order but this. */
static void training(void) {
    sslh_ctx *c = context();
    sslh_tokenizer_desc d = of_kind(SSLH_TOKENS_BPE);
    size_t size;
    char *expected = joined("#version: 0.2\n", golden_merges, &size), *merges;
    const char *v = test_temporary("vocab.json"), *m = test_temporary("merges.txt");
    int n = 0;
    while (golden_merges[n]) n++;
    d.vocabulary = 401;
    sslh_tokenizer *t = sslh_tokenizer_new(c, golden_sample, sizeof golden_sample - 1, d);
    CHECK(sslh_tokenizer_size(t) == 257 + n, "%d tokens", sslh_tokenizer_size(t));
    CHECK(sslh_token_id(t, "<|endoftext|>") == 256 + n, "the special token is not the last");
    sslh_save_tokenizer(t, v, m);
    merges = sslh_load_file(c, m, NULL);
    CHECK(merges && strcmp(merges, expected) == 0, "other merges than the reference has");
    /* the files give the same tokenizer again */
    sslh_tokenizer *again = sslh_load_tokenizer(c, v, m, of_kind(SSLH_TOKENS_BPE));
    sslh_tokenizer *bare = sslh_load_tokenizer(c, NULL, m, of_kind(SSLH_TOKENS_BPE));
    CHECK_OK(c);
    for (int i = 0; golden_texts[i]; i++) {
        int32_t a[600], b[600], e[600];
        size_t bytes = (size_t)golden_text_bytes[i], k = sslh_tokenize(t, golden_texts[i], bytes, a, 600);
        CHECK(sslh_tokenize(again, golden_texts[i], bytes, b, 600) == k && !memcmp(a, b, k * sizeof *a),
              "text %d: the saved tokenizer gives others", i);
        CHECK(sslh_tokenize(bare, golden_texts[i], bytes, e, 600) == k && !memcmp(a, e, k * sizeof *a),
              "text %d: the merges alone give others", i);
    }
    for (int i = 0; i < sslh_tokenizer_size(t); i++)
        CHECK(!strcmp(sslh_token_name(t, i), sslh_token_name(again, i)) && sslh_token_id(t, sslh_token_name(t, i)) == i,
              "token %d has another name", i);
    free(expected);
    remove(v), remove(m);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Special tokens in the text that a tokenizer is made from are not text: it is as if each document stood alone. */
static void specials_are_no_text(void) {
    static const char end[] = "<|endoftext|>", document[] = "the cat sat on the mat";
    static char with[40 * (sizeof end + sizeof document)], without[sizeof with];
    sslh_ctx *c = context();
    size_t n = 0, m = 0;
    for (int i = 0; i < 40; i++) {
        n += (size_t)snprintf(with + n, sizeof with - n, "%s%s", document, end);
        m += (size_t)snprintf(without + m, sizeof without - m, "%s\n", document);
    }
    for (int literal = 0; literal < 2; literal++) {
        sslh_tokenizer_desc d = of_kind(SSLH_TOKENS_BPE);
        int marks = 0;
        d.literal = literal;
        sslh_tokenizer *t = sslh_tokenizer_new(c, with, n, d), *u = sslh_tokenizer_new(c, without, m, d);
        CHECK_OK(c);
        for (int i = 256; i < sslh_tokenizer_size(t) - 1; i++) marks += strpbrk(sslh_token_name(t, i), "<|>") != NULL;
        CHECK((marks > 0) == literal, "%d tokens of pieces of the mark", marks);
        CHECK((sslh_tokenizer_size(t) == sslh_tokenizer_size(u)) == !literal, "%d and %d tokens",
              sslh_tokenizer_size(t), sslh_tokenizer_size(u));
        for (int i = 0; !literal && i < sslh_tokenizer_size(t) && i < sslh_tokenizer_size(u); i++)
            CHECK(!strcmp(sslh_token_name(t, i), sslh_token_name(u, i)), "token %d", i);
    }
    for (int kind = 0; kind < 2; kind++) {
        sslh_tokenizer_desc d = of_kind(kind ? SSLH_TOKENS_WORDS : SSLH_TOKENS_CHARACTERS);
        d.special = "<|end <|endoftext|>"; /* the longer name counts */
        sslh_tokenizer *t = sslh_tokenizer_new(c, with, n, d);
        CHECK_OK(c);
        CHECK(sslh_token_id(t, "|") == -1 && sslh_token_id(t, "<") == -1, "kind %d: a piece of the mark", kind);
        CHECK(sslh_token_count(t, sslh_token_id(t, kind ? "the" : "h")) == 80, "kind %d: counts", kind);
    }
    sslh_destroy(c);
}

static void words_and_characters(void) {
    static const char text[] = "The cat, the Cat and the d\xc3\xa9j\xc3\xa0 vu. The end";
    static const char other[] = "the dog, the end";
    sslh_ctx *c = context();
    sslh_tokenizer_desc d = of_kind(SSLH_TOKENS_WORDS);
    int32_t ids[64];
    char back[100];
    sslh_tokenizer *t = sslh_tokenizer_new(c, text, sizeof text - 1, d);
    CHECK(!strcmp(sslh_token_name(t, 0), "the") && sslh_token_count(t, 0) == 4, "the first word is %s",
          sslh_token_name(t, 0));
    CHECK(sslh_token_id(t, "deja") > 0 && sslh_token_id(t, "[UNK]") == sslh_tokenizer_size(t) - 1, "no deja or [UNK]");
    size_t n = sslh_tokenize(t, other, sizeof other - 1, ids, 64);
    sslh_detokenize(t, ids, n, back, sizeof back);
    CHECK(n == 5 && !strcmp(back, "the [UNK] , the end"), "%d: %s", (int)n, back);
    CHECK(sslh_detokenize(t, ids, n, back, 5) == 19 && !strcmp(back, "the "), "cut off: \"%s\"", back);
    d.cased = d.spaces = 1, d.min_count = 2, d.special = "<s> </s>", d.unknown = "<unk>";
    t = sslh_tokenizer_new(c, text, sizeof text - 1, d);
    CHECK(sslh_tokenizer_size(t) == 5 && sslh_token_id(t, "The") == 0 && sslh_token_id(t, "the") == 1 &&
          sslh_token_id(t, "<s>") == 2 && sslh_token_id(t, "<unk>") == 4, "%d words", sslh_tokenizer_size(t));
    n = sslh_tokenize(t, "<s>the cat,</s>", 15, ids, 64);
    CHECK(n == 4 && ids[0] == 2 && ids[1] == 1 && ids[2] == 4 && ids[3] == 3, "special tokens: %d", (int)n);
    d.literal = 1;
    t = sslh_tokenizer_new(c, text, sizeof text - 1, d);
    n = sslh_tokenize(t, "<s>the cat,</s>", 15, ids, 64);
    CHECK(n == 2 && ids[0] == 4 && ids[1] == 4, "special tokens in text from strangers: %d", (int)n);
    /* the rarer words of a vocabulary that is cut off are unknown */
    d = of_kind(SSLH_TOKENS_WORDS), d.vocabulary = 3;
    t = sslh_tokenizer_new(c, text, sizeof text - 1, d);
    CHECK(sslh_tokenizer_size(t) == 3 && sslh_token_id(t, "cat") == 1, "%d words", sslh_tokenizer_size(t));
    t = sslh_tokenizer_new(c, text, sizeof text - 1, of_kind(SSLH_TOKENS_CHARACTERS));
    CHECK(!strcmp(sslh_token_name(t, 0), " ") && sslh_token_count(t, 0) == 9, "the first character");
    n = sslh_tokenize(t, text, sizeof text - 1, ids, 64);
    CHECK(n == sizeof text - 3 && sslh_detokenize(t, ids, n, back, sizeof back) == sizeof text - 1 &&
          !strcmp(back, text), "characters: %d, %s", (int)n, back);
    n = sslh_tokenize(t, "thz", 3, ids, 64);
    CHECK(n == 3 && ids[2] == sslh_token_id(t, "[UNK]"), "an unknown character");
    /* saved and read again */
    const char *v = test_temporary("characters.json");
    sslh_save_tokenizer(t, v, NULL);
    sslh_tokenizer *again = sslh_load_tokenizer(c, v, NULL, of_kind(SSLH_TOKENS_CHARACTERS));
    CHECK(sslh_tokenizer_size(again) == sslh_tokenizer_size(t) && sslh_tokenize(again, "thz", 3, ids, 64) == 3 &&
          ids[2] == sslh_token_id(t, "[UNK]"), "the saved characters");
    remove(v);
    t = small_one(c, SMALL_UNCASED, d);
    v = test_temporary("vocab.txt");
    sslh_save_tokenizer(t, v, NULL);
    again = sslh_load_tokenizer(c, v, NULL, of_kind(SSLH_TOKENS_WORDPIECE));
    CHECK(sslh_tokenizer_size(again) == sslh_tokenizer_size(t), "the saved pieces");
    n = sslh_tokenize(again, "unaffable, Hello", 16, ids, 64);
    sslh_detokenize(again, ids, n, back, sizeof back);
    CHECK(n == 5 && !strcmp(back, "unaffable , hello"), "%d: %s", (int)n, back);
    remove(v);
    CHECK_OK(c);
    sslh_destroy(c);
}

static void hostile_text(void) {
    /* of each what the pieces are that could have begun a character, as Unicode's table 3-8 has it */
    static const struct { const char *bytes, *mended; } rows[] = {
        {"a\xff" "b", "a\xef\xbf\xbd" "b"}, {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe2\x82", "\xef\xbf\xbd"}, {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x90\x80q", "\xef\xbf\xbdq"}, {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\x80\xc2", "\xef\xbf\xbd\xef\xbf\xbd"}, {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41",
                                                   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x41"}};
    sslh_ctx *c = context();
    sslh_tokenizer_desc d = of_kind(SSLH_TOKENS_BPE);
    int32_t a[64], b[64];
    sslh_tokenizer *t = small_one(c, SMALL_BPE, d), *strict;
    d.utf8 = SSLH_UTF8_STRICT;
    strict = small_one(c, SMALL_BPE, d);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = sslh_tokenize(t, rows[i].bytes, strlen(rows[i].bytes), a, 64);
        size_t m = sslh_tokenize(strict, rows[i].mended, strlen(rows[i].mended), b, 64);
        CHECK_OK(c);
        CHECK(n == m && !memcmp(a, b, n * sizeof *a), "row %d is not mended as it should be", (int)i);
        CHECK(sslh_tokenize(strict, rows[i].bytes, strlen(rows[i].bytes), a, 64) == 0, "tokens after an error");
        CHECK_ERROR(c, "begins no character of UTF-8");
    }
    sslh_tokenize(t, NULL, 3, a, 64);
    CHECK_ERROR(c, "the text is NULL");
    a[0] = 100000;
    sslh_detokenize(t, a, 1, NULL, 0);
    CHECK_ERROR(c, "token 0 is 100000");
    sslh_detokenize(t, NULL, 1, NULL, 0);
    CHECK_ERROR(c, "the tokens are NULL");
    CHECK(sslh_tokenize(NULL, "a", 1, a, 64) == 0 && sslh_tokenizer_size(NULL) == 0 && sslh_token_id(NULL, "a") == -1 &&
          !sslh_token_name(NULL, 0) && !sslh_token_name(t, -1) && !sslh_token_count(NULL, 0), "NULL is taken");
    /* words as long as the text, of each kind */
    size_t size = 200000;
    char *text = (char *)malloc(size + 1);
    for (int fill = 0; fill < 3; fill++) {
        for (size_t i = 0; i + 1 < size; i += 2) memcpy(text + i, fill == 0 ? "aa" : fill == 1 ? "\xcc\x81" : i % 4 ?
                                                        "\xcc\xa3" : "\xcc\x81", 2);
        for (int which = 0; which < 4; which++) {
            sslh_tokenizer *one = small_one(c, which, of_kind(SSLH_TOKENS_BYTES));
            sslh_tokenize(one, text, size, NULL, 0);
        }
    }
    d = of_kind(SSLH_TOKENS_BPE), d.vocabulary = 300;
    t = sslh_tokenizer_new(c, text, size, d);
    CHECK(sslh_tokenizer_size(t) > 257 && sslh_tokenizer_size(t) <= 300, "%d tokens of one long word",
          sslh_tokenizer_size(t));
    free(text);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* The byte order mark that some editors put before a text is no part of its first token. */
static void byte_order_marks(void) {
#define MARK "\xef\xbb\xbf"
    static const struct { sslh_tokens kind; const char *vocabulary, *merges; } rows[] = {
        {SSLH_TOKENS_WORDPIECE, MARK "[PAD]\n[UNK]\nx\n", NULL},
        {SSLH_TOKENS_WORDS, MARK "{\"<unk>\":0,\"x\":1}", NULL},
        {SSLH_TOKENS_BPE, NULL, MARK "x y\nxy x\n"},
        {SSLH_TOKENS_BPE, NULL, MARK "#version: 0.2\nx y\nxy x\n"}};
    sslh_ctx *c = context();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *v = rows[i].vocabulary, *m = rows[i].merges, *bare[2] = {v ? v + 3 : NULL, m ? m + 3 : NULL};
        sslh_tokenizer *t = sslh_load_tokenizer_memory(c, v, v ? strlen(v) : 0, m, m ? strlen(m) : 0,
                                                       of_kind(rows[i].kind));
        sslh_tokenizer *u = sslh_load_tokenizer_memory(c, bare[0], v ? strlen(bare[0]) : 0, bare[1],
                                                       m ? strlen(bare[1]) : 0, of_kind(rows[i].kind));
        CHECK_OK(c);
        CHECK(sslh_tokenizer_size(t) == sslh_tokenizer_size(u), "row %d: %d tokens instead of %d", (int)i,
              sslh_tokenizer_size(t), sslh_tokenizer_size(u));
        for (int k = 0; k < sslh_tokenizer_size(u); k++)
            CHECK(!strcmp(sslh_token_name(t, k), sslh_token_name(u, k)), "row %d: token %d", (int)i, k);
    }
    sslh_destroy(c);
}

/* Wrong files and settings: one error that says what is wrong, and nothing left. */
static void refused(void) {
    static const struct { sslh_tokens kind; const char *vocabulary, *merges, *error; } rows[] = {
        {SSLH_TOKENS_WORDPIECE, "", NULL, "without a token"},
        {SSLH_TOKENS_WORDPIECE, "a\n\nb\n", NULL, "line 2 is empty"},
        {SSLH_TOKENS_WORDPIECE, "a\nb\na\n", NULL, "is there already"},
        {SSLH_TOKENS_WORDPIECE, "a\n\xff\n", NULL, "not UTF-8"}, {SSLH_TOKENS_WORDPIECE, "a", "b c", "has no merges"},
        {SSLH_TOKENS_WORDS, "[1]", NULL, "does not begin with {"}, {SSLH_TOKENS_WORDS, "{}", NULL, "no token"},
        {SSLH_TOKENS_WORDS, "{\"a\":0,\"b\":2}", NULL, "leave gaps"},
        {SSLH_TOKENS_WORDS, "{\"a\":0,\"b\":0}", NULL, "stand twice"},
        {SSLH_TOKENS_WORDS, "{\"a\":0,\"a\":1}", NULL, "there already"},
        {SSLH_TOKENS_WORDS, "{\"\":0}", NULL, "is empty"}, {SSLH_TOKENS_WORDS, "{\"a\":-1}", NULL, "integer"},
        {SSLH_TOKENS_WORDS, "{\"a\":0", NULL, "does not end"},
        {SSLH_TOKENS_WORDS, "{\"a\":0}x", NULL, "behind the end"},
        {SSLH_TOKENS_BPE, "{\"a\":0}", "a b", "no token for the byte"},
        {SSLH_TOKENS_BPE, NULL, NULL, "need a file of merges"},
        {SSLH_TOKENS_BPE, NULL, "a b c", "two tokens with a space"}, {SSLH_TOKENS_BPE, NULL, "ab c", "is no token"},
        {SSLH_TOKENS_BPE, NULL, "a b\nab", "line 2"}, {SSLH_TOKENS_CLIP, NULL, "a b</w\n", "is no token"},
        {SSLH_TOKENS_BYTES, "x", NULL, "need no file"}, {(sslh_tokens)9, "x", NULL, ".kind is 9"}};
    sslh_ctx *c = context();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *v = rows[i].vocabulary, *m = rows[i].merges;
        sslh_tokenizer *t = sslh_load_tokenizer_memory(c, v, v ? strlen(v) : 0, m, m ? strlen(m) : 0,
                                                       of_kind(rows[i].kind));
        CHECK(!t, "row %d is accepted", (int)i);
        CHECK_ERROR(c, rows[i].error);
    }
    sslh_tokenizer_desc d = of_kind(SSLH_TOKENS_WORDS);
    d.utf8 = SSLH_UTF8_KEEP;
    CHECK(!sslh_tokenizer_new(c, "a", 1, d), "KEEP is accepted for words");
    CHECK_ERROR(c, "SSLH_UTF8_KEEP");
    d = of_kind(SSLH_TOKENS_BPE), d.vocabulary = 256;
    CHECK(!sslh_tokenizer_new(c, "a", 1, d), "no room for the special token");
    CHECK_ERROR(c, "byte pairs need 257");
    d.vocabulary = -1;
    CHECK(!sslh_tokenizer_new(c, "a", 1, d), "a negative vocabulary");
    CHECK_ERROR(c, ".vocabulary is -1");
    CHECK(!sslh_tokenizer_new(c, NULL, 0, of_kind(SSLH_TOKENS_WORDS)), "no text");
    CHECK_ERROR(c, "the text is NULL");
    CHECK(!sslh_tokenizer_new(c, "a", 1, of_kind(SSLH_TOKENS_CLIP)), "CLIP is not trained");
    CHECK_ERROR(c, "sslh_load_tokenizer");
    CHECK(!sslh_load_tokenizer(c, "no such file", NULL, of_kind(SSLH_TOKENS_WORDPIECE)), "a file that is not there");
    CHECK_ERROR(c, "no such file");
    CHECK(!sslh_load_file(c, "no such file", NULL), "a file that is not there");
    CHECK_ERROR(c, "sslh_load_file");
    sslh_tokenizer *t = sslh_load_tokenizer_memory(c, "a\nb", 3, NULL, 0, of_kind(SSLH_TOKENS_WORDPIECE));
    CHECK(sslh_tokenize(t, "a c", 3, NULL, 0) == 0, "an unknown word without a token for it");
    CHECK_ERROR(c, "neither \"c\" nor");
    sslh_save_tokenizer(t, test_temporary("x"), test_temporary("y"));
    CHECK_ERROR(c, "has no merges");
    t = sslh_tokenizer_new(c, NULL, 0, of_kind(SSLH_TOKENS_BYTES));
    sslh_save_tokenizer(t, test_temporary("x"), NULL);
    CHECK_ERROR(c, "bytes need no file");
    /* names that the files could not give back */
    d = of_kind(SSLH_TOKENS_WORDS), d.special = "<\xff>";
    sslh_save_tokenizer(sslh_tokenizer_new(c, "a b", 3, d), test_temporary("x"), NULL);
    CHECK_ERROR(c, "sslh_save_tokenizer: the token 2, '<?>', is not UTF-8: the file could not be read back");
    t = sslh_load_tokenizer_memory(c, "a\r\r\nb", 5, NULL, 0, of_kind(SSLH_TOKENS_WORDPIECE));
    CHECK_OK(c);
    sslh_save_tokenizer(t, test_temporary("x"), NULL);
    CHECK_ERROR(c, "sslh_save_tokenizer: the token 0, 'a?', is not UTF-8, or more than a line");
    FILE *f = fopen(test_temporary("x"), "rb");
    CHECK(!f, "a file was written");
    if (f) fclose(f);
    sslh_destroy(c);
}

/* Every allocation of a life fails once: one error, nothing is left, the context goes on. */
static void failing_memory(void) {
    for (int which = 0; which < 6; which++) {
        long calls = 1;
        for (long at = 1; at <= calls; at++) {
            test_memory memory;
            sslh_desc d;
            int32_t ids[200];
            memset(&memory, 0, sizeof memory);
            memset(&d, 0, sizeof d);
            d.threads = 1, d.alloc = test_alloc, d.release = test_release, d.user = &memory;
            sslh_ctx *c = sslh_create(d);
            long live = memory.live, before = memory.calls;
            int64_t mark = sslh_mark(c);
            memory.fail_at = before + at;
            sslh_tokenizer_desc td = of_kind(which == 4 ? SSLH_TOKENS_WORDS : SSLH_TOKENS_BPE);
            td.vocabulary = 300;
            sslh_tokenizer *t = which < 4 ? small_one(c, which, of_kind(SSLH_TOKENS_BYTES))
                                : sslh_tokenizer_new(c, golden_sample, sizeof golden_sample - 1, td);
            for (int i = 5; i < 20; i++) sslh_tokenize(t, golden_texts[i], (size_t)golden_text_bytes[i], ids, 200);
            if (memory.calls - before >= at) {
                CHECK_ERROR(c, "out of memory");
                calls = at + 1;
            } else CHECK_OK(c);
            sslh_rewind(c, mark);
            live = memory.live - live; /* the context keeps the tables of Unicode, two blocks */
            CHECK(live == 0 || live == 2, "kind %d, allocation %ld: %ld blocks are left", which, at, live);
            sslh_destroy(c);
            CHECK(memory.live == 0, "kind %d, allocation %ld: %ld blocks leak", which, at, memory.live);
        }
        CHECK(calls > 8, "kind %d: only %ld allocations", which, calls);
    }
}

/* A small transformer of D 8 that reads bytes, or the words of a tokenizer. */
enum { D = 8 };
static sslh_net *reader(sslh_ctx *c, int kind, int vocabulary, int length) {
    sslh_transformer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = kind, d.vocabulary = vocabulary, d.length = length, d.width = D, d.depth = 1, d.heads = 2, d.pooler = 1;
    return sslh_transformer(c, d);
}
static sslh_embed_text_desc embedding(void) {
    sslh_embed_text_desc d;
    memset(&d, 0, sizeof d);
    return d;
}
/* The output (T,D) for tokens, by hand. */
static const sslh_real *read_by_hand(sslh_net *net, const int32_t *ids, int T, const char *tap) {
    sslh_ctx *c = sslh_net_ctx(net);
    sslh_forward_desc f;
    memset(&f, 0, sizeof f);
    f.tap = tap;
    sslh_train_mode(net, 0);
    return sslh_forward_ex(net, sslh_from_ints(c, sslh_dim2(1, T), ids), f)->data;
}

/* A text that fits into a window: the vectors of its tokens by hand, with [CLS] and [SEP] around them, and each kind of
   pooling; length 1; the pooled tap. The net stays in training mode. */
static void a_vector_is_the_pooled_output(void) {
    static const char text[] = "[PAD] [UNK] [CLS] [SEP] one two three";
    const char *one[1] = {"two three two"};
    sslh_ctx *c = context();
    sslh_tokenizer_desc td = of_kind(SSLH_TOKENS_WORDS);
    td.special = "[PAD] [UNK] [CLS] [SEP]";
    sslh_tokenizer *t = sslh_tokenizer_new(c, text + 24, sizeof text - 25, td);
    sslh_net *net = reader(c, SSLH_BERT, sslh_tokenizer_size(t), 16);
    const int two = sslh_token_id(t, "two"), three = sslh_token_id(t, "three");
    const int32_t ids[5] = {sslh_token_id(t, "[CLS]"), two, three, two, sslh_token_id(t, "[SEP]")};
    float out[D];
    CHECK_OK(c);
    for (int bare = 0; bare < 2; bare++) {
        const int T = bare ? 3 : 5;
        const sslh_real *y = read_by_hand(net, ids + bare, T, NULL);
        sslh_embed_text_desc d = embedding();
        d.bare = bare;
        for (d.pooling = 0; d.pooling < 4; d.pooling++)
            for (d.normalize = 0; d.normalize < 2; d.normalize++) {
                double want[D], norm = 0;
                sslh_train_mode(net, 1);
                sslh_embed_texts(net, t, one, 1, out, d);
                CHECK(sslh_net_query(net).training, "still in training mode");
                for (int k = 0; k < D; k++) {
                    want[k] = d.pooling == SSLH_POOL_LAST ? (double)y[(T - 1) * D + k] : (double)y[k];
                    for (int i = 1; i < T && d.pooling != SSLH_POOL_FIRST && d.pooling != SSLH_POOL_LAST; i++) {
                        const double v = (double)y[i * D + k];
                        want[k] = d.pooling == SSLH_POOL_MEAN ? want[k] + v : v > want[k] ? v : want[k];
                    }
                    if (d.pooling == SSLH_POOL_MEAN) want[k] /= T;
                    norm += want[k] * want[k];
                }
                for (int k = 0; k < D; k++) CHECK_NEAR(out[k], d.normalize ? want[k] / sqrt(norm) : want[k], 1e-5);
            }
    }
    sslh_embed_text_desc d = embedding();
    d.tap = "pooled";
    sslh_embed_texts(net, t, one, 1, out, d);
    const sslh_real *y = read_by_hand(net, ids, 5, "pooled");
    for (int k = 0; k < D; k++) CHECK((float)y[k] == out[k], "a vector by itself needs no pooling");
    float again[D];
    d.tap = NULL;
    sslh_embed_texts(net, t, one, 1, out, d);
    sslh_embed_text(net, t, one[0], again);
    CHECK(memcmp(out, again, sizeof out) == 0, "the short form");
    sslh_embed_text(net, t, "", out);
    y = read_by_hand(net, ids, 1, NULL); /* [CLS] is not alone: [SEP] follows */
    CHECK((double)out[0] - (double)out[0] == 0 && out[0] != (float)y[0], "an empty text between [CLS] and [SEP]");
    d.bare = 1;
    one[0] = "";
    sslh_embed_texts(net, t, one, 1, out, d);
    for (int k = 0; k < D; k++) CHECK(out[k] == 0, "no tokens, no vector");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* A long text is the mean of its windows in proportion to their tokens: ten bytes in windows of four are the windows
   abcd efgh ij with weights 4, 4, 2; with one shared byte abcd defg ghij with equal ones. */
static void long_texts_are_averaged(void) {
    static const char *const whole[1] = {"abcdefghij"};
    static const char *const part[2][3] = {{"abcd", "efgh", "ij"}, {"abcd", "defg", "ghij"}};
    static const double weight[2][3] = {{0.4, 0.4, 0.2}, {1.0 / 3, 1.0 / 3, 1.0 / 3}};
    sslh_ctx *c = context();
    sslh_tokenizer *t = sslh_tokenizer_new(c, NULL, 0, of_kind(SSLH_TOKENS_BYTES));
    for (int own = 0; own < 2; own++) { /* the net's own length, or a window */
        sslh_net *net = reader(c, SSLH_GPT2, 256, own ? 4 : 64);
        for (int overlap = 0; overlap < 2; overlap++) {
            sslh_embed_text_desc d = embedding();
            float out[D], parts[3][D];
            d.window = own ? 0 : 4, d.overlap = overlap;
            sslh_embed_texts(net, t, whole, 1, out, d);
            sslh_embed_texts(net, t, part[overlap], 3, parts[0], d);
            CHECK_OK(c);
            for (int k = 0; k < D; k++) {
                double want = 0;
                for (int i = 0; i < 3; i++) want += weight[overlap][i] * (double)parts[i][k];
                CHECK_NEAR(out[k], want, 1e-6);
            }
        }
    }
    sslh_destroy(c);
}

/* A text has the same bits alone, among 700 others of all lengths, and with any number of threads. */
static void texts_do_not_disturb_each_other(void) {
    enum { MANY = 700 };
    static char text[MANY][60];
    static const char *texts[MANY];
    static float out[MANY * D], again[MANY * D];
    for (int i = 0; i < MANY; i++) {
        const int n = (int)sslh_random_below(1, 2, (uint64_t)i, 60);
        for (int k = 0; k < n; k++) text[i][k] = (char)('a' + sslh_random_below(1, 3, (uint64_t)(60 * i + k), 26));
        texts[i] = text[i];
    }
    for (int threads = 1; threads < 4; threads++) {
        sslh_desc cd;
        memset(&cd, 0, sizeof cd);
        cd.threads = threads;
        sslh_ctx *c = sslh_create(cd);
        sslh_tokenizer *t = sslh_tokenizer_new(c, NULL, 0, of_kind(SSLH_TOKENS_BYTES));
        sslh_net *net = reader(c, SSLH_GPT2, 256, 25);
        sslh_embed_texts(net, t, texts, MANY, threads == 1 ? out : again, embedding());
        CHECK_OK(c);
        CHECK(threads == 1 || memcmp(out, again, sizeof out) == 0, "other bits by %d threads", threads);
        for (int i = 0; i < MANY; i += 37) {
            sslh_embed_text(net, t, texts[i], again);
            CHECK(memcmp(again, out + i * D, D * sizeof *out) == 0, "text %d of %d bytes", i, (int)strlen(texts[i]));
        }
        sslh_destroy(c);
    }
}

static void embedding_refused(void) {
    const char *texts[2] = {"ab", NULL};
    float out[2 * D];
    sslh_ctx *c = context(), *other = context();
    sslh_tokenizer *t = sslh_tokenizer_new(c, NULL, 0, of_kind(SSLH_TOKENS_BYTES)), *strict;
    sslh_tokenizer *foreign = sslh_tokenizer_new(other, NULL, 0, of_kind(SSLH_TOKENS_BYTES));
    sslh_net *net = reader(c, SSLH_GPT2, 256, 16);
    sslh_mlp_desc md;
    sslh_embed_text_desc d = embedding();
    CHECK_OK(c);
    memset(&md, 0, sizeof md);
    out[0] = 1;
    sslh_embed_texts(net, t, texts, 2, out, d);
    CHECK_ERROR(c, "sslh_embed_texts: a text is NULL");
    for (int k = 0; k < 2 * D; k++) CHECK(out[k] == 0, "zeros after an error");
    sslh_embed_text(net, NULL, "a", out);
    CHECK_ERROR(c, "sslh_embed_text: the tokenizer is NULL");
    sslh_embed_texts(net, t, NULL, 1, out, d);
    CHECK_ERROR(c, "the array of texts is NULL");
    sslh_embed_text(net, t, "a", NULL);
    CHECK_ERROR(c, "the array of results is NULL");
    sslh_embed_texts(net, t, texts, 0, out, d);
    CHECK_ERROR(c, "0 texts: at least 1 is needed");
    sslh_embed_text(net, foreign, "a", out);
    CHECK_ERROR(c, "the net 'transformer' and the tokenizer are of two contexts");
    sslh_embed_text(reader(c, SSLH_GPT2, 255, 16), t, "a", out);
    CHECK_ERROR(c, "the tokenizer has 256 tokens, the net 'transformer' knows 255 (.vocabulary)");
    d.pooling = 4;
    sslh_embed_texts(net, t, texts, 1, out, d);
    CHECK_ERROR(c, "pooling");
    d.pooling = 0, d.window = 17;
    sslh_embed_texts(net, t, texts, 1, out, d);
    CHECK_ERROR(c, "window");
    d.window = 3, d.overlap = 3;
    sslh_embed_texts(net, t, texts, 1, out, d);
    CHECK_ERROR(c, "a window of 3 tokens holds 3 of the text, and .overlap is 3");
    d.overlap = 0, d.tap = "nothing";
    sslh_embed_texts(net, t, texts, 1, out, d);
    CHECK_ERROR(c, "no intermediate result 'nothing'");
    md.in = 2, md.widths[0] = D;
    sslh_embed_text(sslh_mlp(c, md), t, "ab", out);
    CHECK(sslh_error(c) != NULL, "a net that wants no tokens");
    sslh_clear_error(c);
    sslh_tokenizer_desc td = of_kind(SSLH_TOKENS_CHARACTERS);
    td.utf8 = SSLH_UTF8_STRICT;
    strict = sslh_tokenizer_new(c, "abc", 3, td);
    sslh_embed_text(net, strict, "ab\xff", out);
    CHECK_ERROR(c, "UTF-8");
    CHECK(out[0] == 0, "zeros");
    sslh_embed_text(net, t, "ab", out);
    CHECK_OK(c);
    CHECK(out[0] != 0, "and all is well again");
    sslh_destroy(other);
    sslh_destroy(c);
}

static void embedding_without_memory(void) {
    const char *texts[3] = {"abcdefghij", "", "abc"};
    long calls = 1;
    for (long at = 1; at <= calls; at++) {
        test_memory memory;
        sslh_desc cd;
        float out[3 * D];
        memset(&memory, 0, sizeof memory);
        memset(&cd, 0, sizeof cd);
        cd.threads = 1, cd.alloc = test_alloc, cd.release = test_release, cd.user = &memory;
        sslh_ctx *c = sslh_create(cd);
        sslh_tokenizer *t = sslh_tokenizer_new(c, NULL, 0, of_kind(SSLH_TOKENS_BYTES));
        sslh_net *net = reader(c, SSLH_GPT2, 256, 4);
        long before = memory.calls;
        memory.fail_at = before + at;
        sslh_embed_texts(net, t, texts, 3, out, embedding());
        if (memory.calls - before >= at) {
            CHECK_ERROR(c, "out of memory");
            calls = at + 1;
            CHECK(out[0] == 0 && out[2 * D] == 0, "zeros");
        } else CHECK_OK(c);
        sslh_destroy(c);
        CHECK(memory.live == 0, "allocation %ld: %ld blocks leak", at, memory.live);
    }
    CHECK(calls > 3, "only %ld allocations", calls);
}

/* Wikipedia, with the vocabularies that lie beside the repository. */
static void wikipedia(void) {
    static const char *const names[] = {"uncased", "cased", "bpe", "clip"};
    char bert[1024] = "", clip[1024] = "", play[1024] = "";
    const char *p;
    if ((p = test_data("weights/bert_vocab_30522.txt")) != NULL) snprintf(bert, sizeof bert, "%s", p);
    if ((p = test_data("weights/clip_bpe_simple_vocab_16e6.txt.gz")) != NULL) snprintf(clip, sizeof clip, "%s", p);
    if ((p = test_data("text/tinyshakespeare.txt")) != NULL) snprintf(play, sizeof play, "%s", p);
    p = test_data("text/wiki_train.txt");
    if (!p || !*bert || !*clip || !*play) {
        NOTE("wikipedia", "text and weights of the real data (SSLH_DATA)");
        return;
    }
    sslh_ctx *c = context();
    size_t size, play_size;
    char *text = sslh_load_file(c, p, &size), *drama = sslh_load_file(c, play, &play_size);
    int lines = test_small() ? 300 : 10000;
    for (int which = 0; which < 4 && text && drama; which++) {
        sslh_tokenizer_desc d = of_kind(which < 2 ? SSLH_TOKENS_WORDPIECE : which == 2 ? SSLH_TOKENS_BPE :
                                        SSLH_TOKENS_CLIP);
        sslh_tokenizer *t;
        unsigned long long h = 0;
        size_t total = 0;
        d.cased = which == 1;
        d.vocabulary = which == 2 ? 2048 : 0;
        t = which == 2 ? sslh_tokenizer_new(c, drama, play_size, d) : which == 3 ? sslh_load_tokenizer(c, NULL, clip, d)
            : sslh_load_tokenizer(c, bert, NULL, d);
        CHECK_OK(c);
        const char *at = text;
        for (int i = 0; i < lines; i++) {
            const char *end = (const char *)memchr(at, '\n', (size_t)(text + size - at));
            size_t n = (size_t)((end ? end : text + size) - at);
            int32_t *ids = (int32_t *)malloc((3 * n + 1) * sizeof *ids);
            size_t count = sslh_tokenize(t, at, n, ids, 3 * n + 1);
            h = count ? hash_ids(ids, count, h) : h;
            total += count;
            if (which == 2) {
                char *back = (char *)malloc(n + 1);
                CHECK(sslh_detokenize(t, ids, count, back, n + 1) == n && !memcmp(back, at, n),
                      "line %d does not come back", i + 1);
                free(back);
            }
            free(ids);
            if (!end) break;
            at = end + 1;
        }
        CHECK_OK(c);
        CHECK(!strcmp(golden_wiki[which].name, names[which]), "the golden values are in another order");
        CHECK(lines < 10000 || ((long)total == golden_wiki[which].tokens && h == golden_wiki[which].hash),
              "%s: %ld tokens with the hash %llx, expected %ld and %llx", names[which], (long)total, h,
              golden_wiki[which].tokens, golden_wiki[which].hash);
        printf("note: %s: %ld tokens of %d lines\n", names[which], (long)total, lines);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}
#endif

TESTS_BEGIN
#if SSLH_WITH_TOKENIZERS
    TEST(odd_texts)
    TEST(bytes_come_back)
    TEST(training)
    TEST(specials_are_no_text)
    TEST(words_and_characters)
    TEST(hostile_text)
    TEST(byte_order_marks)
    TEST(refused)
    TEST(failing_memory)
    TEST(a_vector_is_the_pooled_output)
    TEST(long_texts_are_averaged)
    TEST(texts_do_not_disturb_each_other)
    TEST(embedding_refused)
    TEST(embedding_without_memory)
    TEST(wikipedia)
#endif
TESTS_END
