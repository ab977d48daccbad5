/* Fuzzing of everything that reads bytes from outside. The same targets serve two programs.

   A test like the others: a bounded number of mutants of good samples (FUZZ_RUNS in the environment, default 20,000),
   to be built with sanitizers too. Checksums are mended after most mutations, as otherwise nearly every mutant would be
   refused for them.

   libFuzzer, which the fuzz stage of tests/run.sh builds with clang:

       clang -g -O1 -fsanitize=fuzzer,address,undefined -DSSLH_LIBFUZZER -DSSLH_WITH_SIMD=0 -I. tests/fuzz_files.c \
             -o fuzz -lm -lpthread
       build/tests/fuzz_files targets                       names of the targets
       build/tests/fuzz_files samples FOLDER                writes the samples of target T as FOLDER/T/0, 1 ..
       SSLH_FUZZ=png ./fuzz FOLDER/png                      one target; without SSLH_FUZZ all */
#define SSLH_IMPLEMENTATION
#define SSLH_MAX_PIXELS 262144u
#include "../ssl.h"
#include "harness.h"
#include "samples.h"

#ifdef __cplusplus
extern "C" {
#endif
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
#ifdef __cplusplus
}
#endif

static sslh_ctx *c;
/* What the targets read into. */
static sslh_net *net;
static sslh_method method;
static sslh_optimizer *optimizer;
static sslh_data images;
static uint8_t pixels[4 * 8 * 8 * 3];

static void stop(const char *target, const char *what) {
    fprintf(stderr, "%s: %s (%s)\n", target, what, sslh_error(c) ? sslh_error(c) : "no error");
    abort();
}
/* Blocks made since the mark that are still there. The heap of steps may grow and stays,
   and so does what a net lays out at its first use. */
static int left_since(int64_t mark) {
    int n = 0;
    for (const sslh_i_block *b = c->first; b; b = b->next) n += b->serial > mark;
    return n;
}

/* --- the targets: what they read is freed; 1 when the bytes were accepted ----------------------------------------- */

static int read_image(const uint8_t *p, size_t size) {
    uint8_t *image = sslh_load_image_memory(c, p, size, NULL, NULL, NULL);
    sslh_i_free(c, image);
    return image != NULL;
}
/* As every format of the table of readers that the bytes may be of. */
static int taken[SSLH_I_READERS]; /* by the row of the table */
static int read_row(int row, const uint8_t *p, size_t size) {
    sslh_i_source s = sslh_i_source_of(c, "fuzz", "memory", p, size);
    sslh_i_loaded found;
    if (!sslh_i_readers[row].is(&s)) return 0;
    memset(&found, 0, sizeof found);
    sslh_i_readers[row].read(&s, &found);
    sslh_i_loaded_free(c, &found);
    sslh_i_source_close(&s);
    taken[row] += !sslh_error(c);
    return !sslh_error(c);
}
static int read_inflate(const uint8_t *p, size_t size) {
    int took = 0;
    for (int format = 0; format < 3; format++) {
        size_t n;
        sslh_i_free(c, sslh_inflate(c, p, size, format, 1 << 20, &n));
        took |= !sslh_error(c);
        sslh_clear_error(c);
    }
    return took;
}
/* The bytes as content: what is packed comes back. */
static int read_deflate(const uint8_t *p, size_t size) {
    size_t packed_size, n;
    if (!size || size >= 100000) return 0;
    uint8_t *packed = sslh_i_deflate(c, p, size, size & 1 ? 3 : 6, &packed_size);
    uint8_t *back = packed ? sslh_inflate(c, packed, packed_size, 1, size, &n) : NULL;
    if (!back || n != size || memcmp(back, p, size)) stop("deflate", "what was packed does not come back");
    sslh_i_free(c, packed);
    sslh_i_free(c, back);
    return 1;
}
/* An index.txt. The sheets a.png and b.png of 4 x 2 cells of 2 x 2 pixels and the labels l.txt lie in the folder. */
static int read_index(const uint8_t *p, size_t size) {
    sslh_i_parts set;
    sslh_i_source s = sslh_i_source_of(c, "fuzz", "index.txt", p, size);
    memset(&set, 0, sizeof set);
    set.c = c;
    set.fn = "fuzz";
    sslh_i_load_index(&set, &s, test_folder);
    sslh_i_parts_free(&set);
    return !sslh_error(c);
}
/* The bytes as a file, for what is read by its path only. */
static const char *as_file(const uint8_t *p, size_t size) {
    const char *path = test_temporary("bytes");
    FILE *f;
    remove(path); /* some file systems wait for the disk when a file that is there is written anew */
    f = fopen(path, "wb");
    if (!f || fwrite(p, 1, size, f) != size) stop("bytes", "the file cannot be written");
    fclose(f);
    return path;
}
static int read_labels(const uint8_t *p, size_t size) {
    static const char index[] =
        "cell 2 2\nsheet a.png columns 4 count 3\nsheet b.png columns 4 count 5\nlabels bytes\n";
    as_file(p, size);
    return read_index((const uint8_t *)index, sizeof index - 1);
}
/* Weights into a net: all of them or none. */
static int read_weights(const uint8_t *p, size_t size) {
    static const char *const prefix[] = {NULL, "module.", ""};
    uint64_t before = sslh_hash(net);
    sslh_preprocess was = net->preprocess;
    sslh_load_desc d;
    char *report = (char *)malloc(60);
    memset(&d, 0, sizeof d);
    d.strip_prefix = prefix[size % 3], d.partial = size % 2 != 0, d.report = report, d.report_size = 60;
    sslh_load_weights(net, as_file(p, size), d);
    int ok = !sslh_error(c);
    if (!memchr(report, 0, 60)) stop("weights", "the report has no end");
    free(report);
    sslh_clear_error(c);
    if (!ok && (sslh_hash(net) != before || memcmp(&was, &net->preprocess, sizeof was)))
        stop("weights", "a part was read");
    return ok;
}
/* The same as a list of tensors with any names, each of whose values lies in the file. */
static int read_tensors(const uint8_t *p, size_t size) {
    sslh_i_st s;
    double sum = 0;
    int ok = sslh_i_st_open(&s, c, "fuzz", "memory", p, size);
    for (int i = 0; ok && i < s.n; i++) {
        const sslh_i_st_tensor *f = &s.tensor[i];
        double count = 1;
        for (int k = 0; k < f->ndim; k++) count *= (double)f->shape[k];
        if (!memchr(f->name, 0, 320)) stop("tensors", "a name without an end");
        if (sslh_i_st_types[f->dtype].bits < 8) continue;
        for (double at = 0; at < count; at += count > 1000 ? count / 100 : 1) /* the last one, too */
            sum += sslh_i_st_value(f->dtype, sslh_i_st_element(&s, f, (size_t)at));
        if (count > 0) sum += sslh_i_st_value(f->dtype, sslh_i_st_element(&s, f, (size_t)count - 1));
    }
    sslh_i_st_close(&s);
    return ok && (sum >= 0 || sum <= 0 || sum != sum);
}
/* A net by its architecture text. */
static int read_net(const uint8_t *p, size_t size) {
    sslh_net *made = sslh_load_net_memory(c, p, size);
    int ok = !sslh_error(c);
    if (ok) sslh_hash(made);
    return ok;
}
#if SSLH_WITH_CLASSIFIERS
/* A classifier of any kind: what is accepted answers without a crash, and is written as it was read. */
static int read_classifier(const uint8_t *p, size_t size) {
    static char text[4000];
    static int32_t label[4];
    sslh_classifier *k = sslh_load_classifier_memory(c, p, size);
    sslh_classifier_info info = sslh_classifier_query(k);
    if (!k) return 0;
    if (info.width <= 4096 && info.classes <= 1000)
        sslh_classifier_scores(k, sslh_normal(c, sslh_dim2(3, info.width), 0, 100));
    for (int i = 0; info.names && i < info.classes; i++) (void)strlen(info.names[i]);
    if (info.trees) sslh_forest_print(k, info.trees - 1, text, sizeof text);
    int ok = !sslh_error(c);
    sslh_classify(k, pixels, 4, 8, 8, 3, label, NULL); /* sizes may not fit: an error */
    return ok;
}
#endif
static int read_checkpoint(const uint8_t *p, size_t size) {
    uint64_t before = sslh_hash(method.net), stream = c->stream, seed = c->desc.seed;
    int64_t steps = optimizer->steps[0];
    sslh_load_checkpoint(&method, optimizer, as_file(p, size));
    int ok = !sslh_error(c);
    sslh_clear_error(c);
    if (!ok && (sslh_hash(method.net) != before || c->stream != stream || c->desc.seed != seed ||
                optimizer->steps[0] != steps))
        stop("checkpoint", "a part was read");
    return ok;
}
/* The settings of a method as text; the sum of the bytes chooses it, because to make all of them takes long. */
static int read_settings(const uint8_t *p, size_t size) {
    char *text = (char *)malloc(size + 1);
    int count, took = 0;
    unsigned sum = 0;
    const sslh_method_info *m = sslh_methods(&count);
    if (size) memcpy(text, p, size);
    text[size] = 0;
    for (size_t i = 0; i < size; i++) sum += p[i];
    if (count) {
        m += sum % (unsigned)count;
        sslh_method made = sslh_method_make(c, m->name, strcmp(m->encoder, "own") ? net : NULL, images, text);
        char line[300];
        if (!sslh_error(c)) sslh_method_print(&made, line, sizeof line), took = 1;
        sslh_clear_error(c);
    }
    free(text);
    return took;
}

#if SSLH_WITH_WORD2VEC
static int read_vectors(const uint8_t *p, size_t size) {
    static const sslh_vectors_format formats[] = {SSLH_VECTORS_TEXT, SSLH_VECTORS_BINARY, SSLH_VECTORS_GLOVE};
    sslh_vectors *v = sslh_load_vectors_memory(c, p, size);
    int word[2];
    if (!v) return 0;
    sslh_nearest_words(v, sslh_vectors_word(v, 0), 1, word, NULL);
    sslh_analogies(v, (const char *)p, size, 0);
    sslh_word_pairs(v, (const char *)p, size);
    sslh_clear_error(c); /* a word with a space in it is none */
    sslh_save_vectors(v, test_temporary("bytes"), formats[size % 3]);
    return !sslh_error(c);
}
#endif
#if SSLH_WITH_TOKENIZERS
/* A tokenizer of the kind that the first byte names: vocabulary, a line with a dot, merges (those alone when the
   vocabulary is empty), a line with a dot, and a text. What is left of the text when it is short cuts it, too. */
static int read_tokens(const uint8_t *p, size_t size) {
    sslh_tokenizer_desc d;
    const uint8_t *part[3] = {p + 1, NULL, NULL};
    size_t length[3] = {size ? size - 1 : 0, 0, 0}, back, n;
    int32_t *ids;
    char *text;
    memset(&d, 0, sizeof d);
    if (!size) return 0;
    d.kind = (sslh_tokens)(p[0] % 6), d.utf8 = (sslh_utf8)(p[0] / 6 % 3), d.literal = p[0] >> 7;
    d.cased = p[0] >> 6 & 1;
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i + 3 <= length[k]; i++) {
            if (memcmp(part[k] + i, "\n.\n", 3)) continue;
            part[k + 1] = part[k] + i + 3;
            length[k + 1] = length[k] - i - 3;
            length[k] = i;
            break;
        }
    sslh_tokenizer *t = sslh_load_tokenizer_memory(c, length[0] ? part[0] : NULL, length[0], length[1] ? part[1] : NULL,
                                                   length[1], d);
    if (!t) { /* trained on the bytes themselves */
        sslh_clear_error(c);
        d.vocabulary = 300;
        t = sslh_tokenizer_new(c, (const char *)p, size, d);
    }
    n = sslh_tokenize(t, (const char *)part[2], length[2], NULL, 0);
    if (n > 3 * length[2]) stop("tokens", "more than three tokens a byte");
    ids = (int32_t *)malloc((n + 1) * sizeof *ids);
    if (sslh_tokenize(t, (const char *)part[2], length[2], ids, n) != n) stop("tokens", "another number of tokens");
    back = sslh_detokenize(t, ids, n, NULL, 0);
    text = (char *)malloc(back + 1);
    if (sslh_detokenize(t, ids, n, text, back + 1) != back) stop("tokens", "another length of the text");
    if (!sslh_error(c) && (d.kind == SSLH_TOKENS_BYTES || (d.kind == SSLH_TOKENS_BPE && d.utf8 == SSLH_UTF8_KEEP)) &&
        (back != length[2] || (back && memcmp(text, part[2], back))))
        stop("tokens", "the text does not come back");
    free(ids);
    free(text);
    return t && !sslh_error(c);
}
#endif

/* Histories; the first byte chooses the columns. */
static int read_items(const uint8_t *p, size_t size) {
    sslh_items_desc d;
    sslh_ranking_desc rd;
    sslh_items *set;
    memset(&d, 0, sizeof d), memset(&rd, 0, sizeof rd);
    if (!size) return 0;
    if (p[0] & 1) d.time = 3;
    if (p[0] & 2) d.rating = 4, d.least = 2;
    if (p[0] & 4) d.min_count = 2;
    if (p[0] & 8) d.user = 2, d.item = 1;
    d.header = p[0] >> 6;
    set = sslh_items_from_text(c, (const char *)p + 1, size - 1, d);
    if (!set) return 0;
    for (int i = 0; i < sslh_items_query(set).items; i++)
        if (sslh_items_find(set, sslh_items_name(set, i)) != i) stop("items", "a name is not found");
    sslh_items_data(set, 3, 1);
    sslh_clear_error(c); /* no user with two items */
    rd.negatives = 3;
    sslh_rank_items(sslh_item_cosine(set, 1), set, rd);
    sslh_clear_error(c); /* none with three */
    return 1;
}

typedef int (*reader)(const uint8_t *p, size_t size);
static const struct target { const char *name; reader read; } targets[] = {
    {"image", read_image}, {"inflate", read_inflate}, {"deflate", read_deflate}, {"index", read_index},
    {"labels", read_labels}, {"weights", read_weights}, {"tensors", read_tensors}, {"net", read_net},
    {"checkpoint", read_checkpoint},
#if SSLH_WITH_TOKENIZERS
    {"tokens", read_tokens},
#endif
#if SSLH_WITH_WORD2VEC
    {"vectors", read_vectors},
#endif
#if SSLH_WITH_CLASSIFIERS
    {"classifier", read_classifier},
#endif
    {"items", read_items}, {"settings", read_settings}};
enum { OTHERS = sizeof targets / sizeof targets[0], TARGETS = OTHERS + SSLH_I_READERS };
/* The rows of the table come behind: "png" for the row "PNG". */
static const char *target_name(int t) {
    static char name[40];
    size_t n = 0;
    if (t < OTHERS) return targets[t].name;
    for (const char *at = sslh_i_readers[t - OTHERS].name; *at && *at != '(' && n < sizeof name - 1; at++)
        if (*at != ' ' && *at != '-') name[n++] = (char)(*at >= 'A' && *at <= 'Z' ? *at + 'a' - 'A' : *at);
    name[n] = 0;
    return name;
}

static void begin(void) {
    sslh_desc d;
    sslh_vit_desc vd;
    sslh_simclr_desc sd;
    sslh_optimizer_desc od;
    static uint8_t sheet[4 * 8];
    memset(&d, 0, sizeof d);
    memset(&vd, 0, sizeof vd);
    memset(&sd, 0, sizeof sd);
    memset(&od, 0, sizeof od);
    d.threads = 1;
    d.max_bytes = (size_t)1 << 28;
    c = sslh_create(d);
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37);
    images = sslh_data_from_images(c, pixels, 4, 8, 8, 3, NULL);
    vd.image = 8, vd.width = 4, vd.heads = 1, vd.depth = 1, vd.mlp = 3;
    net = sslh_vit(c, vd);
    sd.head_layers = 1, sd.head_out = 3;
    method = sslh_simclr(c, sslh_clone(net), sd);
    od.kind = SSLH_ADAMW;
    optimizer = sslh_optimizer_new(c, od);
    sslh_optimizer_add(optimizer, method.net);
    sslh_hash(method.net);
    sslh_optimizer_step(optimizer, 0.01f);
    sslh_save_png(c, test_temporary("a.png"), sheet, 4, 8, 1);
    sslh_save_png(c, test_temporary("b.png"), sheet, 4, 8, 1);
    FILE *f = fopen(test_temporary("l.txt"), "wb");
    if (f) fputs("0 1 2 0 1 2 0 1\n", f), fclose(f);
    if (!f || sslh_error(c)) stop("begin", "the samples cannot be made");
}
static void end(void) {
    sslh_destroy(c);
    c = NULL;
    remove(test_temporary("a.png"));
    remove(test_temporary("b.png"));
    remove(test_temporary("l.txt"));
    remove(test_temporary("bytes"));
}

static int accepted[TARGETS];
/* One target; -1: all. */
static void run_target(int t, const uint8_t *data, size_t size) {
    uint8_t *exact = (uint8_t *)malloc(size ? size : 1); /* so that one byte too far is seen */
    if (size) memcpy(exact, data, size);
    for (int k = t < 0 ? 0 : t; k < (t < 0 ? TARGETS : t + 1); k++) {
        int64_t mark = sslh_mark(c);
        int ok = k < OTHERS ? targets[k].read(exact, size) : read_row(k - OTHERS, exact, size);
        sslh_clear_error(c);
        /* what was made goes with the mark; readers and writers free what they took */
        if (k < OTHERS && (targets[k].read == read_net || targets[k].read == read_settings ||
                           !strcmp(targets[k].name, "tokens") || !strcmp(targets[k].name, "vectors") ||
                           !strcmp(targets[k].name, "classifier") || !strcmp(targets[k].name, "items")))
            sslh_rewind(c, mark);
        if (left_since(mark)) stop(target_name(k), "memory is left");
        accepted[k] += ok;
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int chosen = -2;
    if (chosen == -2) {
        const char *name = getenv("SSLH_FUZZ");
        chosen = -1;
        for (int t = 0; name && t < TARGETS; t++)
            if (!strcmp(target_name(t), name)) chosen = t;
        if (name && chosen < 0) {
            fprintf(stderr, "no target %s\n", name);
            exit(1);
        }
        begin();
    }
    run_target(chosen, data, size);
    return 0;
}

/* Makes the checksums of an archive's members right, as far as its list can be read. */
static void mend_zip(uint8_t *p, size_t size) {
    for (size_t at = 0; at + 46 <= size; at++) {
        if (memcmp(p + at, "PK\1\2", 4)) continue;
        const size_t n = sslh_i_le32(p + at + 20), head = sslh_i_le32(p + at + 42);
        if (head > size - 30 || sslh_i_le16(p + at + 10)) continue;
        const size_t from = head + 30 + sslh_i_le16(p + head + 26) + sslh_i_le16(p + head + 28);
        if (from <= size && n <= size - from) sslh_i_put_le32(p + at + 16, sslh_i_crc32(0, p + from, n));
    }
}
/* Makes the checksums right again: of the chunks of a PNG, of a whole file of weights, of an archive. */
static void mend(uint8_t *p, size_t size) {
    static const char key[] = "\"" SSLH_I_ST_CRC "\":\"";
    size_t n = sizeof key - 1;
    if (size >= 8 && !memcmp(p, sslh_i_png_magic, 8)) {
        for (size_t at = 8; size - at >= 12;) {
            size_t length = sslh_i_be32(p + at);
            if (length > size - at - 12) return;
            sslh_i_put_be32(p + at + 8 + length, sslh_i_crc32(0, p + at + 4, length + 4));
            at += 12 + length;
        }
        return;
    }
    if (size >= 22 && !memcmp(p, "PK\3\4", 4)) mend_zip(p, size);
    for (size_t at = 0; at + n + 8 <= size && at < 200; at++)
        if (!memcmp(p + at, key, n)) {
            char digits[12];
            sslh_i_st_whole_crc(digits, p, size, at + n);
            memcpy(p + at + n, digits, 8);
            return;
        }
}

#ifdef SSLH_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed) {
    size = LLVMFuzzerMutate(data, size, most);
    if (seed % 8) mend(data, size);
    return size;
}
#else

static uint32_t dice_state = 12345;
static uint32_t dice(uint32_t n) {
    dice_state = dice_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(dice_state >> 4) * n >> 28);
}

/* One to four small changes; returns the new size, at most size + 64. */
static size_t mutate(uint8_t *p, size_t size) {
    static const uint8_t special[] = {0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 127, 128, 254, 255, '#', ' ', '9', '\n', '"',
                                      '-', ',', '='};
    for (uint32_t k = 1 + dice(4); k && size; k--) {
        size_t at = dice((uint32_t)size), n = 1 + dice(8);
        switch (dice(8)) {
        case 0: p[at] = (uint8_t)(p[at] ^ 1 << dice(8)); break;
        case 1: p[at] = special[dice(sizeof special)]; break;
        case 2: p[at] = (uint8_t)dice(256); break;
        case 3:
            p[dice((uint32_t)SSLH_I_MIN(size, (size_t)64))] = special[dice(sizeof special)];
            break; /* heads matter most */
        case 4: /* leave some bytes out */
            n = SSLH_I_MIN(n, size - at);
            memmove(p + at, p + at + n, size - at - n);
            size -= n;
            break;
        case 5: /* double some bytes */
            n = SSLH_I_MIN(n, size - at);
            memmove(p + at + n, p + at, size - at);
            size += n;
            break;
        case 6: size = at; break;
        default: /* a large number */
            for (size_t i = at; i < SSLH_I_MIN(size, at + 4); i++) p[i] = (uint8_t)(i == at ? 127 : 255);
        }
    }
    return size;
}

/* --- samples ------------------------------------------------------------------------------------------------------ */

enum { SAMPLES = 256 };
static test_sample sample[SAMPLES];
static int sample_target[SAMPLES]; /* -1: a file for the image and array readers, each of which is tried */
static int samples;
static void add_sample(int target, const void *bytes, size_t size) {
    test_sample *s = &sample[samples];
    if (samples == SAMPLES) return;
    s->bytes = (uint8_t *)malloc(size ? size : 1);
    if (size) memcpy(s->bytes, bytes, size);
    s->size = size;
    sample_target[samples++] = target;
}
static int target_of(const char *name) {
    for (int t = 0; t < TARGETS; t++)
        if (!strcmp(target_name(t), name)) return t;
    stop(name, "no such target");
    return 0;
}
static void add_text(const char *target, const char *text) { add_sample(target_of(target), text, strlen(text)); }
/* A file that was written, and the same without checksums of single tensors: their names are changed. */
static void add_file(const char *target, const char *path) {
    size_t size;
    uint8_t *p = sslh_i_read_whole(c, "test", path, &size);
    if (!p) stop(target, "the sample is not there");
    add_sample(target_of(target), p, size);
    for (size_t i = 0; i + 6 < size; i++)
        if (!memcmp(p + i, "crc32.", 6)) p[i + 4] = '3';
    mend(p, size);
    add_sample(target_of(target), p, size);
    sslh_i_free(c, p);
    remove(path);
}
static void make_samples(void) {
    static const char *const settings[] = {"", "temperature=0.2, head_out=64 lr=0.3",
                                           "optimizer=sgd schedule=steps milestones=0.3:0.6:0.8",
                                           "rotations=2 one_per_image=1 views=none",
                                           "height=8 width=8 channels=3 hidden=4 latent=2 beta=0",
                                           "mask=0.5 decoder_depth=1 views=auto"};
    begin();
    samples = test_samples(sample, SAMPLES - 40);
    for (int i = 0; i < samples; i++) sample_target[i] = -1;
    add_text("index", "# c\ncell 2 2\nclass a b\nclass c\nclass d\nsheet a.png columns 4 count 8\nlabels l.txt\n");
    add_text("index", "cell 1 1\nsheet a.png columns 1 count 1\n");
    add_text("labels", "0 1 2 0 1 2 0 1\n");
    add_text("labels", "999999 1 1 1\n1\t1\r\n1 1");
    for (int i = 0; i < 6; i++) add_text("settings", settings[i]);
    add_text("items", "\x41u,i,t\n1,a,3\n1,b,2e1\n2,a,-1\n1,c,5\n2,b,7\n2,d,.5\n");
    add_text("items", "\x0a" "a\tu v\t1\t3\nb\tu v\t2\t2\nc\tu v\t2\t1.5\nd\tw\t2\t4\n");
    add_text("items", "\x04" "1::x::1\n1::y::2\n2::x::3\n2::y::4\n1::z::5\n1::x::1");
    add_text("items", "\x20 1 2\r\n1  3\r\n\r\n 1 4\r\n7 2\r\n");
#if SSLH_WITH_WORD2VEC
    add_text("vectors", "3 2\nthe 0.5 -1\nof 1 2\nand 2e-1 -3.25\n");
    add_text("vectors", "the 0.5 -1 1\nof 1 2 3\n. . 1 2 3\n");
    add_sample(target_of("vectors"), "2 2\nthe \0\0\x80?\0\0\0@\nof \0\0\0@\0\0\x80?\n", 29);
#endif
#if SSLH_WITH_TOKENIZERS
    static const char *const tokens[] = {
        "\x05[UNK]\nun\n##aff\n##able\nth\n##e\n.\n\n.\nUnaffable the [UNK]\xc3\xa9 \xe4\xb8\xad",
        "\x02{\"the\": 0, \"[UNK]\": 1, \"\\u00e9\": 2}\n.\n\n.\nThe \xc3\xa9 x",
        "\x01{\"t\": 0, \"h\": 1, \"[UNK]\": 2}\n.\n\n.\nthe th",
        "\x03\n.\n#version: 0.2\nt h\nth e\n\xc4\xa0 the\n.\nthe the  the\n\n1 2's <|endoftext|>\xff",
        "\x0f\n.\nt h\nth e\n\xc4\xa0 the\n.\nthe the\xff\xc3 the'll",
        "\x04\n.\n#version: 0.2\nt h\nth e</w>\n.\nThe THE e\xcc\x81\xcc\xa3 12",
        "\x40Words of a text.\n.\n\n.\nof Words"};
    for (int i = 0; i < 7; i++) add_text("tokens", tokens[i]);
#endif
#if SSLH_WITH_CLASSIFIERS
    static const int32_t kinds[4] = {0, 1, 2, 1};
    static const char *const kind_names[3] = {"a", "b", "c"};
    sslh_feature_desc none;
    sslh_forest_desc fd;
    sslh_svm_desc svm;
    memset(&none, 0, sizeof none), memset(&fd, 0, sizeof fd), memset(&svm, 0, sizeof svm);
    fd.trees = 3, fd.min_leaf = 2;
    sslh_save_classifier(sslh_forest(c, sslh_features(c, net, images, none), kinds, 3, fd), net, kind_names,
                         test_temporary("k"));
    add_file("classifier", test_temporary("k"));
    sslh_save_classifier(sslh_svm(c, sslh_slice(c, sslh_features(c, NULL, images, none), 1, 0, 5), kinds, 3, svm), NULL,
                         NULL, test_temporary("k"));
    add_file("classifier", test_temporary("k"));
#endif
    sslh_save_net(net, test_temporary("net"));
    add_file("weights", test_temporary("net"));
    sslh_save_net(net, test_temporary("net"));
    add_file("net", test_temporary("net"));
#if SSLH_WITH_QUANTIZE
    sslh_quantize_desc eight;
    memset(&eight, 0, sizeof eight);
    eight.min_count = SSLH_OFF;
    sslh_save_net(sslh_quantize(net, eight), test_temporary("net"));
    add_file("net", test_temporary("net"));
    {
        sslh_mlp_desc mlp;
        sslh_low_rank_desc low;
        memset(&mlp, 0, sizeof mlp), memset(&low, 0, sizeof low);
        mlp.in = 9, mlp.widths[0] = 8, mlp.widths[1] = 6, mlp.batch_norm = 1;
        low.rank = 2;
        sslh_save_net(sslh_fold_batch_norm(sslh_net_low_rank(sslh_mlp(c, mlp), low), NULL), test_temporary("net"));
        add_file("net", test_temporary("net"));
    }
#endif
    sslh_save_npz(net, test_temporary("net"));
    add_file("tensors", test_temporary("net"));
    for (int i = 0; i < 6; i++) {
        static const char *const pt[6] = {"plain", "old", "protocol4", "run", "views", "types"};
        char name[40];
        size_t size;
        snprintf(name, sizeof name, "../pt/%s.pt", pt[i]);
        uint8_t *p = sslh_i_read_whole(c, "test", test_golden(name), &size);
        if (!p) stop("tensors", "the sample is not there");
        add_sample(target_of("tensors"), p, size);
        sslh_i_free(c, p);
    }
    sslh_save_checkpoint(&method, optimizer, 7, test_temporary("net"));
    add_file("checkpoint", test_temporary("net"));
    if (sslh_error(c)) stop("samples", "cannot be made");
}
static void free_samples(void) {
    while (samples) free(sample[--samples].bytes);
    end();
}

static int refuses_all(void) {
    for (int t = 0; t < TARGETS; t++)
        if (!accepted[t]) return 1;
    return 0;
}
static void mutated_samples(void) {
    const char *runs = getenv("FUZZ_RUNS");
    int count = runs ? atoi(runs) : test_small() ? 4000 : 20000;
    make_samples();
    CHECK(samples > 90, "%d samples", samples);
    for (int i = 0; i < samples; i++) run_target(sample_target[i], sample[i].bytes, sample[i].size);
    for (int t = 0; t < TARGETS; t++) CHECK(accepted[t], "no sample is accepted by %s", target_name(t));
    for (int row = 0; row < SSLH_I_READERS; row++)
        CHECK(taken[row], "no sample is read as %s", sslh_i_readers[row].name);
    memset(accepted, 0, sizeof accepted);
    uint8_t *p = (uint8_t *)malloc((1 << 16) + 64);
    /* and more of them while a reader has refused all: a checksum lets few through */
    for (int run = 0; run < count || (count >= 10000 && run < 5 * count && refuses_all()); run++) {
        /* half of them are files of images, the others texts and weights */
        int files = 0;
        while (sample_target[files] < 0) files++;
        int k = run % 2 ? (int)dice((uint32_t)files) : files + (int)dice((uint32_t)(samples - files));
        memcpy(p, sample[k].bytes, sample[k].size);
        size_t size = mutate(p, sample[k].size);
        if (dice(4)) mend(p, size);
        run_target(sample_target[k], p, size);
    }
    for (int t = 0; count >= 10000 && t < TARGETS; t++)
        CHECK(accepted[t], "no mutant is accepted by %s", target_name(t));
    printf("note: %d mutants of %d samples\n", count, samples);
    free(p);
    free_samples();
}

/* "targets" and "samples FOLDER", for the fuzz stage. */
static int serve(int argc, char **argv) {
    char path[1000];
    if (argc == 2 && !strcmp(argv[1], "targets")) {
        for (int t = 0; t < TARGETS; t++) printf("%s\n", target_name(t));
        return 1;
    }
    if (argc != 3 || strcmp(argv[1], "samples")) return 0;
    make_samples();
    for (int t = 0; t < TARGETS; t++) {
        snprintf(path, sizeof path, "%s/%s", argv[2], target_name(t));
        (void)test_make_folder(path);
        for (int i = 0; i < samples; i++) {
            if (sample_target[i] != t && !(sample_target[i] < 0 && (t >= OTHERS || targets[t].read == read_image ||
                targets[t].read == read_inflate || targets[t].read == read_deflate))) continue;
            snprintf(path, sizeof path, "%s/%s/%d", argv[2], target_name(t), i);
            FILE *f = fopen(path, "wb");
            if (f) fwrite(sample[i].bytes, 1, sample[i].size, f), fclose(f);
        }
    }
    free_samples();
    if (test_folder[0]) (void)test_remove(test_folder);
    return 1;
}

TESTS_BEGIN
    if (serve(argc, argv)) return 0;
    TEST(mutated_samples)
TESTS_END
#endif
