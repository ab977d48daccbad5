/* What the examples share: the command line, loading data, rows of tables, pictures. It is not part of ssl.h; copy what
   you like. */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H
#include "../ssl.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifdef _WIN32
#include <direct.h>
#define make_folder(path) _mkdir(path)
#ifndef S_ISDIR
#define S_ISDIR(mode) (((mode)&S_IFMT) == S_IFDIR)
#endif
#else
#define make_folder(path) mkdir(path, 0777)
#endif

#if defined(__GNUC__) || defined(__clang__)
#define SOME_EXAMPLES __attribute__((unused)) /* not every example calls this function */
#else
#define SOME_EXAMPLES
#endif

/* As windows.h has them: an example that gives something such a name fails to compile here too. */
#undef near
#undef far
#undef NEAR
#undef FAR
#define near
#define far
#define NEAR near
#define FAR far

#define EXAMPLE_TEXT "examples/data/text/austen.txt" /* three novels that are part of this repository */

typedef struct options {
    const char *data;  /* --data: a set (folder or file), or the name of one in SSLH_DATA */
    const char *test;  /* --test: its test images, when they are somewhere else */
    const char *out;   /* --out: folder for pictures and files */
    unsigned long seed;
    int threads, epochs, batch;
    int images;        /* --images: only so many training images, of all classes; 0: all */
    int size;          /* --size: images are resized and cropped to size x size; 0: as they are, if all are alike */
    int smoke;         /* --smoke: a few seconds, to see that everything runs */
    int bfloat16;      /* --bfloat16: products and convolutions of operands rounded to bfloat16 */
    int plain;         /* --plain: the plain versions of operations, to step through with a debugger */
    int stream;        /* images are read from their files while training; 2: what cannot be read is left out. Set by a
                          program that has an option for it */
} options;

static const char *const options_help =
    "  --data PATH    training images: an IDX file (.gz too), CIFAR binaries, a folder with a sub-folder of pictures\n"
    "                 (PNG, JPEG, BMP, PNM) for each class, sheets with index.txt, a folder with train and test\n"
    "                 inside, or the name of a set in $SSLH_DATA; default: Fashion-MNIST (10,000 images that are part\n"
    "                 of this repository)\n"
    "  --test PATH    test images; default: those found beside the training images, else a tenth of each class\n"
    "  --size N       resize images so that the shorter side has N pixels, and crop the N x N in the middle;\n"
    "                 default: images stay as they are, or are resized to 64 if they are of several sizes\n"
    "  --seed N       random seed (default 1)        --threads N   default: all processors\n"
    "  --epochs N     passes over the data           --batch N     images per step\n"
    "  --images N     only the first N training images; of a set in the order of its classes, as class folders are,\n"
    "                 that many of all classes\n"
    "  --out FOLDER   pictures go here (default out) --smoke       a run of a few seconds, to see that it works\n"
    "  --bfloat16     round the operands of products, which is faster on some processors (docs/bfloat16.md)\n"
    "  --plain        run every operation as plain loops: slow, to step through in a debugger (docs/core.md)\n";

/* Text after "--name" or "--name=", moving *i; NULL when argv[*i] is another option. */
static const char *option_value(int argc, char **argv, int *i, const char *name) {
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0) return NULL;
    if (argv[*i][n] == '=') return argv[*i] + n + 1;
    if (argv[*i][n] != 0) return NULL;
    if (*i + 1 < argc) return argv[++*i];
    fprintf(stderr, "%s needs a value\n", name);
    exit(2);
}

static long option_number(const char *name, const char *text) {
    char *end;
    long v = strtol(text, &end, 10);
    if (*end || end == text || v < 0 || v > 100000000) {
        fprintf(stderr, "%s: \"%s\" is not a whole number from 0 to 100000000\n", name, text);
        exit(2);
    }
    return v;
}
/* A number that is not 0, which would ask for the default. */
static int option_count(const char *name, const char *text) {
    long v = option_number(name, text);
    if (!v) {
        fprintf(stderr, "%s: at least 1 is needed\n", name);
        exit(2);
    }
    return (int)v;
}
/* A number from 0 to most, 0 itself only if zero is set; all of the text is read. */
static SOME_EXAMPLES float option_real(const char *name, const char *text, int zero, double most) {
    char *end;
    double v = strtod(text, &end);
    if (*end || end == text || !(zero ? v >= 0 : v > 0) || v > most) {
        fprintf(stderr, "%s: \"%s\" is no number %s 0", name, text, zero ? "from" : "above");
        if (most < 1e30) fprintf(stderr, ", at most %g", most);
        fprintf(stderr, "\n");
        exit(2);
    }
    return (float)v;
}

/* The options of one program: a table of names, kinds, and places for the values, that ends with {0}. */
typedef enum option_kind {
    OPTION_FLAG,       /* int: 1 when it is given */
    OPTION_TEXT,       /* const char * */
    OPTION_COUNT,      /* int, at least 1 */
    OPTION_NUMBER,     /* int, at least 0 */
    OPTION_NUMBER_OFF, /* likewise, where 0 means none and not the default: it becomes SSLH_OFF */
    OPTION_REAL,       /* float above 0 */
    OPTION_REAL_OFF,   /* float, at least 0, which becomes SSLH_OFF */
    OPTION_SHARE       /* float above 0, at most 1 */
} option_kind;
typedef struct own_option { const char *name; option_kind kind; void *to; } own_option;

/* 1 when argv[*i] was one of the table. */
static SOME_EXAMPLES int option_own(const own_option *own, int argc, char **argv, int *i) {
    const char *v;
    for (; own->name; own++) {
        if (own->kind == OPTION_FLAG && !strcmp(argv[*i], own->name)) {
            *(int *)own->to = 1;
            return 1;
        }
        if (own->kind == OPTION_FLAG || (v = option_value(argc, argv, i, own->name)) == NULL) continue;
        if (own->kind == OPTION_TEXT) *(const char **)own->to = v;
        else if (own->kind == OPTION_COUNT) *(int *)own->to = option_count(own->name, v);
        else if (own->kind == OPTION_NUMBER) *(int *)own->to = (int)option_number(own->name, v);
        else if (own->kind == OPTION_NUMBER_OFF) *(int *)own->to = (int)sslh_or_off((float)option_number(own->name, v));
        else if (own->kind == OPTION_REAL) *(float *)own->to = option_real(own->name, v, 0, 1e30);
        else if (own->kind == OPTION_REAL_OFF) *(float *)own->to = sslh_or_off(option_real(own->name, v, 1, 1e30));
        else *(float *)own->to = option_real(own->name, v, 0, 1);
        return 1;
    }
    return 0;
}
static void option_unknown(const char *text) {
    fprintf(stderr, "%s: unknown option (try --help)\n", text);
    exit(2);
}
/* What options_parse has left has to be of the table. */
static SOME_EXAMPLES void options_own(const own_option *own, int argc, char **argv) {
    int i;
    for (i = 1; i < argc; i++)
        if (!option_own(own, argc, argv, &i)) option_unknown(argv[i]);
}

/* An option that a run has no use for is an error: one that was ignored would be believed. */
static SOME_EXAMPLES void option_refused(int given, const char *name, const char *why) {
    if (!given) return;
    fprintf(stderr, "%s %s\n", name, why);
    exit(2);
}
static SOME_EXAMPLES void options_without_images(const options *o) {
    static const char why[] = "is an option for images, and there are none here";
    option_refused(o->test != NULL, "--test", why);
    option_refused(o->size, "--size", why);
    option_refused(o->images, "--images", why);
}

/* Takes the options above out of argv; what is left is an error unless extra is not NULL (the caller's own options). */
static options options_parse(int *argc, char **argv, const char *about, const char *extra) {
    options o;
    int i, left = 1;
    memset(&o, 0, sizeof o);
    o.seed = 1;
    o.out = "out";
    for (i = 1; i < *argc; i++) {
        const char *v;
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            printf("%s\n\nusage: %s [options]\n%s%s", about, argv[0], options_help, extra ? extra : "");
            exit(0);
        }
        if (!strcmp(argv[i], "--smoke")) o.smoke = 1;
        else if (!strcmp(argv[i], "--bfloat16")) o.bfloat16 = 1;
        else if (!strcmp(argv[i], "--plain")) o.plain = 1;
        else if ((v = option_value(*argc, argv, &i, "--data")) != NULL) o.data = v;
        else if ((v = option_value(*argc, argv, &i, "--test")) != NULL) o.test = v;
        else if ((v = option_value(*argc, argv, &i, "--out")) != NULL) o.out = v;
        else if ((v = option_value(*argc, argv, &i, "--seed")) != NULL)
            o.seed = (unsigned long)option_number("--seed", v);
        else if ((v = option_value(*argc, argv, &i, "--threads")) != NULL)
            o.threads = (int)option_number("--threads", v);
        else if ((v = option_value(*argc, argv, &i, "--epochs")) != NULL) o.epochs = option_count("--epochs", v);
        else if ((v = option_value(*argc, argv, &i, "--batch")) != NULL) o.batch = option_count("--batch", v);
        else if ((v = option_value(*argc, argv, &i, "--images")) != NULL)
            o.images = (int)option_number("--images", v);
        else if ((v = option_value(*argc, argv, &i, "--size")) != NULL) o.size = (int)option_number("--size", v);
        else if (extra) argv[left++] = argv[i];
        else option_unknown(argv[i]);
    }
    *argc = left;
    make_folder(o.out); /* it may be there already; if it cannot be made, options_load says so */
    return o;
}

/* A context with the options' seed and threads; SSLH_CPU=avx2, sse2, c.. lowers the instruction set. */
static sslh_ctx *options_create(const options *o) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.seed = o->seed;
    d.threads = o->threads;
    d.bfloat16 = o->bfloat16;
    d.plain = o->plain;
    d.cpu = getenv("SSLH_CPU");
    return sslh_create(d);
}

/* The end of every example: 0, or the error sentence and 1. */
static int finish(sslh_ctx *c) {
    const char *error = sslh_error(c);
    int code = error != NULL;
    if (error) fprintf(stderr, "error: %s\n", error);
    sslh_destroy(c);
    return code;
}

/* After loading and after training: without this a program goes on with dummies and prints zeros before it names the
   cause. */
static void stop_on_error(sslh_ctx *c) {
    if (sslh_error(c)) exit(finish(c));
}

/* Ctrl-C in a training with a checkpoint. The first one lets the step come to its end, writes one more checkpoint and
   ends the training; the second one kills the program. */
static volatile sig_atomic_t interrupts;
static void on_interrupt(int number) {
    interrupts = 1;
    signal(number, SIG_DFL);
}
static int stop_at_interrupt(const sslh_train_info *info, void *user) {
    (void)info;
    (void)user;
    return interrupts;
}
/* Columns of the terminal when the variable COLUMNS tells them, else 0. */
static SOME_EXAMPLES int columns_told(void) {
    const char *text = getenv("COLUMNS");
    long v = text ? strtol(text, NULL, 10) : 0;
    return v > 0 && v < 10000 ? (int)v : 0;
}
/* sslh_train with it, where the settings have a .checkpoint; a .callback of the caller's returns interrupts itself.
   When it was interrupted, the program ends here. */
static SOME_EXAMPLES float train_interruptible(sslh_ctx *c, sslh_method m, sslh_data data, sslh_train_desc d) {
    void (*before)(int) = SIG_DFL;
    float loss;
    d.columns = columns_told();
    if (d.checkpoint) {
        if (!d.callback) d.callback = stop_at_interrupt;
        before = signal(SIGINT, on_interrupt);
    }
    loss = sslh_train(c, m, data, d);
    if (d.checkpoint && !interrupts) signal(SIGINT, before);
    if (interrupts) {
        if (!sslh_error(c))
            fprintf(stderr, "\ninterrupted; %s holds the run, which --resume continues\n", d.checkpoint);
        exit(finish(c));
    }
    return loss;
}

/* .callback that prints a line for each epoch: the loss and the method's numbers. */
static SOME_EXAMPLES int say_epoch(const sslh_train_info *t, void *user) {
    int i;
    (void)user;
    if (!t->epoch_end) return 0;
    printf("epoch %3d: loss %.3f", t->epoch + 1, (double)t->loss);
    for (i = 0; i < 8 && t->numbers[i].name[0]; i++)
        printf(", %s %.3f", t->numbers[i].name, (double)t->numbers[i].value);
    printf("\n");
    fflush(stdout);
    return 0;
}

/* Settings of a run become the method's own, so that what sslh_method_print says is what sslh_train does with them. */
static SOME_EXAMPLES void method_takes(sslh_method *m, const sslh_train_desc *t) {
    if (t->optimizer.kind) { /* of the method's numbers only those of parts of its net apply then */
        sslh_optimizer_desc own = m->defaults.optimizer;
        m->defaults.optimizer = t->optimizer;
        memcpy(m->defaults.optimizer.group_lr, own.group_lr, sizeof own.group_lr);
        m->defaults.optimizer.constant_lr = own.constant_lr;
    }
    if (t->epochs) m->defaults.epochs = t->epochs;
    if (t->batch) m->defaults.batch = t->batch;
    if (t->lr != 0) {
        m->defaults.lr = t->lr;
        m->lr_scales = 0;
    }
}

/* Settings of a run become the method's own, and are told in a line, with the data in another. */
static SOME_EXAMPLES void method_said(sslh_method *m, const sslh_train_desc *t, sslh_data train, sslh_data test) {
    char text[1024];
    method_takes(m, t);
    sslh_method_print(m, text, sizeof text);
    printf("%s\n%d training and %d test images\n\n", text, (int)train.count, (int)test.count);
    fflush(stdout);
}

/* "out/name" in a buffer of the caller's. */
static const char *out_path(const options *o, char *buffer, size_t size, const char *name) {
    snprintf(buffer, size, "%s/%s", o->out, name);
    return buffer;
}

static int file_exists(const char *path) {
    FILE *f = fopen(path, "rb");
    if (f) fclose(f);
    return f != NULL;
}

/* The first of "folder/name", "folder/name.gz" that is there. */
static int file_find(char *out, size_t size, const char *folder, const char *name) {
    snprintf(out, size, "%s/%s", folder, name);
    if (file_exists(out)) return 1;
    snprintf(out, size, "%s/%s.gz", folder, name);
    return file_exists(out);
}

static int folder_exists(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* Images at a path, of *size x *size pixels if that is not 0. Photographs are of several sizes: a line says what is
   done with them, and *size is set so that the same is done with the test images. Those of a stream are read later. */
static sslh_data load_at(sslh_ctx *c, const options *o, const char *path, int *size) {
    sslh_images_desc desc = {0, 0};
    sslh_data d;
    if (o->stream) {
        sslh_stream_desc s = {0};
        s.size = *size;
        s.skip_broken = o->stream > 1;
        return sslh_stream_images(c, path, s);
    }
    desc.size = *size;
    d = sslh_load_images_ex(c, path, desc);
    if (!*size && sslh_error_code(c) == SSLH_E_SHAPE) {
        sslh_clear_error(c);
        *size = desc.size = 64;
        printf("%s: images of several sizes: the shorter side of each is resized to %d pixels, and the middle is cut "
               "out (--size)\n", path, *size);
        d = sslh_load_images_ex(c, path, desc);
    }
    return d;
}

/* A sample with a random key, to be sorted. */
typedef struct split_key { int32_t label; uint32_t key; int32_t index; } split_key;
static int split_order(const void *a, const void *b) {
    const split_key *x = (const split_key *)a, *y = (const split_key *)b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}
/* A tenth of every class for the test, drawn by the seed; without labels a tenth of all. The last tenth of class
   folders would be one class. A class of fewer than 5 gives none, one of 5 gives 1. */
static void split_tenth(sslh_ctx *c, unsigned long seed, sslh_data *train, sslh_data *test) {
    sslh_data all = *train;
    int64_t i, j, n = all.count, k[2] = {0, 0};
    split_key *key = (split_key *)malloc((size_t)(n + 1) * sizeof *key);
    int32_t *index[2];
    char *taken = (char *)calloc((size_t)n + 1, 1);
    index[0] = (int32_t *)malloc((size_t)(n + 1) * sizeof(int32_t));
    index[1] = (int32_t *)malloc((size_t)(n + 1) * sizeof(int32_t));
    if (!key || !taken || !index[0] || !index[1]) sslh_fail(c, SSLH_E_MEMORY, "out of memory: the split of the data");
    if (!sslh_error(c)) {
        for (i = 0; i < n; i++) {
            key[i].label = all.labels ? all.labels[i] : 0;
            key[i].key = sslh_random_u32(seed, 0x73706c6974u, (uint64_t)i); /* a stream of its own: "split" */
            key[i].index = (int32_t)i;
        }
        qsort(key, (size_t)n, sizeof *key, split_order);
        for (i = 0; i < n; i = j) {
            for (j = i; j < n && key[j].label == key[i].label; j++) {}
            {
                int64_t part = (j - i + 5) / 10, at;
                for (at = i; at < i + part; at++) taken[key[at].index] = 1;
            }
        }
        for (i = 0; i < n; i++) {
            int t = taken[i];
            index[t][k[t]++] = (int32_t)i;
        }
        if (!k[1])
            sslh_fail(c, SSLH_E_USAGE, "%d images are too few to keep some of them for a test: give --test", (int)n);
        else {
            *train = sslh_data_pick(all, index[0], k[0]);
            *test = sslh_data_pick(all, index[1], k[1]);
            printf("no test set: %s, drawn by --seed %lu, is kept for it (%d of %d)\n",
                   all.labels ? "a tenth of each class" : "a tenth", seed, (int)k[1], (int)n);
        }
    }
    free(key);
    free(taken);
    free(index[0]);
    free(index[1]);
}

/* At most some n samples of a set: the first n, or, where the set stands in the order of its classes, the same share of
   each class, because the first ones would be of a few. */
static SOME_EXAMPLES sslh_data some_of(sslh_data d, int64_t n, unsigned long seed) {
    int64_t i, changes = 0;
    if (d.count <= n) return d;
    for (i = 1; d.labels && i < d.count; i++) changes += d.labels[i] != d.labels[i - 1];
    if (!d.labels || d.classes < 2 || 4 * changes >= d.count) return sslh_data_range(d, 0, n);
    return sslh_data_fraction(d, (double)n / (double)d.count, seed);
}

/* A file can be written there: asked before the training, not found out after it. */
static void check_output(sslh_ctx *c, const char *option, const char *path) {
    int was = path && file_exists(path);
    FILE *f = path ? fopen(path, "ab") : NULL;
    if (f) {
        fclose(f);
        if (!was) remove(path);
    } else if (path) sslh_fail(c, SSLH_E_FILE, "%s %s: cannot be written: %s", option, path, strerror(errno));
}

/* What was loaded, in a line: sizes, split, classes. */
static void data_said(sslh_data train, sslh_data test, int held_out) {
    int i;
    printf("%ld training and %ld test images%s, %d x %d, %s", (long)train.count, (long)test.count,
           held_out ? " (held out)" : "", train.height, train.width, train.channels == 1 ? "grey" : "colour");
    if (!train.labels) printf(", no labels");
    else printf(", %d classes", train.classes);
    for (i = 0; train.class_names && i < train.classes && i < 10; i++)
        printf("%s%s", i ? ", " : ": ", train.class_names[i]);
    printf("%s\n", train.class_names && train.classes > 10 ? " .." : "");
    fflush(stdout);
}

/* Loads training and test images as --data and --test say, their classes numbered alike; pictures can be written. */
static SOME_EXAMPLES void options_load(sslh_ctx *c, const options *o, sslh_data *train, sslh_data *test) {
    char folder[1024], path[1200];
    const char *root = getenv("SSLH_DATA");
    int size = o->size, held_out = 0;
    const char *data = o->data ? o->data : "examples/data";
    snprintf(folder, sizeof folder, "%s", data);
    if (o->data && !strpbrk(data, "/\\") && !folder_exists(data) && !file_exists(data)) { /* a set in SSLH_DATA */
        if (root) snprintf(folder, sizeof folder, "%s/%s", root, data);
        if (!root || (!folder_exists(folder) && !file_exists(folder)))
            sslh_fail(c, SSLH_E_FILE, "--data %s: there is no such folder or file here, and %s", data,
                      root ? "no set of this name in the folder that SSLH_DATA names"
                           : "the variable SSLH_DATA names no folder of sets");
    }
    if (o->out) check_output(c, "--out: file", out_path(o, path, sizeof path, "written")); /* else nothing is written */
    stop_on_error(c);
    memset(test, 0, sizeof *test);
    snprintf(path, sizeof path, "%s/train", folder);
    if (folder_exists(path)) { /* sheets, or class folders */
        *train = load_at(c, o, path, &size);
        snprintf(path, sizeof path, "%s/test", folder);
        if (folder_exists(path)) *test = load_at(c, o, path, &size);
    } else if (file_find(path, sizeof path, folder, "train-images-idx3-ubyte")) { /* MNIST and its relatives */
        *train = load_at(c, o, path, &size);
        if (file_find(path, sizeof path, folder, "t10k-images-idx3-ubyte")) *test = load_at(c, o, path, &size);
    } else { /* of CIFAR-10 the five training files; the test file may be a copy of its first half */
        *train = load_at(c, o, folder, &size);
        if (file_find(path, sizeof path, folder, "test_batch.bin") ||
            file_find(path, sizeof path, folder, "test_5000.bin"))
            *test = load_at(c, o, path, &size);
    }
    if (o->test) *test = load_at(c, o, o->test, &size);
    if (!test->count && !sslh_error(c)) { /* none given */
        held_out = 1;
        split_tenth(c, o->seed, train, test);
    }
    stop_on_error(c);
    *test = sslh_data_match_classes(*test, *train);
    if (o->smoke) {
        *train = some_of(*train, 1024, o->seed);
        *test = some_of(*test, 256, o->seed);
    }
    if (o->images) *train = some_of(*train, o->images, o->seed);
    stop_on_error(c);
    if (o->data) data_said(*train, *test, held_out);
}

/* --- evaluation ------------------------------------------------------------------------------------------------- */

/* Images as an encoder takes them, and back. */
static SOME_EXAMPLES sslh_tensor *normalised(sslh_ctx *c, sslh_net *encoder, sslh_tensor *x) {
    sslh_preprocess p = sslh_get_preprocess(encoder);
    int C = sslh_error(c) ? 1 : x->shape[3], i;
    for (i = 0; i < 4; i++) if (p.std[i] == 0) p.mean[i] = 0, p.std[i] = 1; /* a channel that stays as it is */
    x = sslh_sub(c, x, sslh_from(c, sslh_dim1(C), p.mean));
    return sslh_div(c, x, sslh_from(c, sslh_dim1(C), p.std));
}
static SOME_EXAMPLES sslh_tensor *as_pixels(sslh_ctx *c, sslh_net *encoder, sslh_tensor *x) {
    sslh_preprocess p = sslh_get_preprocess(encoder);
    int C = sslh_error(c) ? 1 : x->shape[3], i;
    for (i = 0; i < 4; i++) if (p.std[i] == 0) p.mean[i] = 0, p.std[i] = 1;
    x = sslh_mul(c, x, sslh_from(c, sslh_dim1(C), p.std));
    return sslh_clamp(c, sslh_add(c, x, sslh_from(c, sslh_dim1(C), p.mean)), 0.0f, 1.0f);
}

/* The untrained encoder is a copy that was made before the training, and most methods find out the mean and deviation
   of their images when the training begins. Probes give both encoders the same images, so that only the training makes
   a difference. */
static SOME_EXAMPLES void same_images(sslh_net *untrained, sslh_net *trained) {
    sslh_set_preprocess(untrained, sslh_get_preprocess(trained));
}

/* Mean of the method's first number over images that training has not seen, the nets in evaluation mode. batch 0: the
   default; whole: only batches of this size count, if there is one, because contrast depends on it. */
static SOME_EXAMPLES double test_number(sslh_ctx *c, sslh_method *m, sslh_data test, int batch, int whole) {
    sslh_loader_desc ld = {0};
    sslh_loader *loader;
    sslh_batch b;
    double sum = 0, n = 0;
    int phase;
    ld.batch = batch;
    ld.in_order = 1;
    loader = sslh_loader_new(c, test, ld);
    sslh_train_mode(m->net, 0);
    sslh_no_grad(c, 1);
    while (sslh_next_batch(loader, &b)) {
        sslh_view_set views = {0, {0}, {0}};
        if (whole && b.count < batch && n > 0) break;
        m->views(m, &b, &views);
        for (phase = 0; phase < (m->phases > 1 ? m->phases : 1); phase++) m->loss(m, &views, phase); /* sets .numbers */
        sum += b.count * (double)m->numbers[0].value;
        n += b.count;
    }
    sslh_no_grad(c, 0);
    return n > 0 ? sum / n : 0;
}

/* A row of the table that most examples end with: what an encoder (NULL: raw pixels) is worth. */
static SOME_EXAMPLES void probe_row(sslh_ctx *c, const char *name, sslh_net *encoder, sslh_data train, sslh_data test) {
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_knn_desc k = {{0}, 0, 0, 0, 0};
    double linear = (double)sslh_linear_probe(c, encoder, train, test, p);
    double knn = (double)sslh_knn(c, encoder, train, test, k);
    stop_on_error(c); /* no numbers after an error */
    if (!encoder) printf("%-22s  linear probe   nearest neighbours\n", "");
    printf("%-22s  %5.1f %%        %5.1f %%\n", name, 100 * linear, 100 * knn);
    fflush(stdout);
}

/* Linear probe and nearest neighbours of n encoders (NULL: raw pixels, in the first of n columns), maps averaged in
   grid x grid cells; apart is the room of a number that follows another. */
static SOME_EXAMPLES void probe_rows(sslh_ctx *c, const char *name, sslh_net **encoder, int n, const char *tap,
                                     int grid, int apart, sslh_data train, sslh_data test) {
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_knn_desc k = {{0}, 0, 0, 0, 0};
    int i, way;
    p.features.tap = k.features.tap = tap;
    p.features.pool_grid = k.features.pool_grid = grid;
    printf("%-18s", name);
    for (way = 0; way < 2; way++)
        for (i = 0; i < (encoder ? n : 1); i++) {
            sslh_net *net = encoder ? encoder[i] : NULL;
            double share = (double)(way ? sslh_knn(c, net, train, test, k)
                                        : sslh_linear_probe(c, net, train, test, p));
            stop_on_error(c); /* no numbers after an error */
            printf("  %*.1f %%", i ? apart : 7, 100 * share);
            if (!encoder && !way) printf("%*s", (n - 1) * (apart + 4), "");
        }
    printf("\n");
    fflush(stdout);
}

/* Embeddings of two views of the first n images: z[0], z[1] (n,D), by a method whose net has the encoder and then the
   head as children (BYOL, SimSiam, Barlow Twins, VICReg). Evaluation mode, no gradient. */
static SOME_EXAMPLES void embed_views(sslh_ctx *c, sslh_method *m, sslh_data data, int n, sslh_recipe recipe,
                                      sslh_tensor *z[2]) {
    sslh_loader_desc ld = {0};
    sslh_loader *loader;
    sslh_preprocess p = sslh_get_preprocess(m->encoder);
    sslh_batch batch;
    int i;
    ld.batch = n;
    ld.in_order = 1;
    loader = sslh_loader_new(c, data, ld);
    memcpy(recipe.mean, p.mean, sizeof recipe.mean);
    memcpy(recipe.std, p.std, sizeof recipe.std);
    z[0] = z[1] = sslh_scalar(c, 0);
    if (!sslh_next_batch(loader, &batch)) return;
    sslh_train_mode(m->net, 0);
    sslh_no_grad(c, 1);
    for (i = 0; i < 2; i++)
        z[i] = sslh_forward(sslh_child_at(m->net, 1), sslh_forward(m->encoder, sslh_views(c, batch, recipe, i)));
    sslh_no_grad(c, 0);
    sslh_train_mode(m->net, 1);
}

/* A name in quotes, with quotes doubled because names may hold anything; without a name the number. */
static SOME_EXAMPLES void csv_name(FILE *f, const char *name, long number) {
    if (!name) {
        fprintf(f, "%ld", number);
        return;
    }
    for (fputc('"', f); *name; name++) {
        if (*name == '"') fputc('"', f);
        fputc(*name, f);
    }
    fputc('"', f);
}
/* What stands in the first columns of a table: the file, or the number of the image, and its class. */
static SOME_EXAMPLES void csv_begin(FILE *f, sslh_data d, int64_t i) {
    csv_name(f, sslh_data_file(d, i), (long)i);
    fputc(',', f);
    if (d.labels) csv_name(f, d.class_names ? d.class_names[d.labels[i]] : NULL, (long)d.labels[i]);
}
static SOME_EXAMPLES FILE *csv_open(sslh_ctx *c, const char *path) {
    FILE *f = sslh_error(c) ? NULL : fopen(path, "w");
    if (!f) sslh_fail(c, SSLH_E_FILE, "%s: this file cannot be written", path);
    return f;
}
static SOME_EXAMPLES void csv_close(sslh_ctx *c, const char *path, FILE *f) {
    int bad = ferror(f);
    if (fclose(f) || bad) sslh_fail(c, SSLH_E_FILE, "%s: not all could be written", path);
}

/* A sheet of neighbours: test images, each with the training images that have the most similar features (cosine) and,
   in the row below, the most similar pixels: what the features add is what the first row shows and the second does
   not. The test images are spread over the whole set. */
enum { ASKED = 5, NEIGHBOURS = 8 };
static SOME_EXAMPLES void picture_neighbours(sslh_ctx *c, sslh_net *encoder, sslh_data train, sslh_data test,
                                             const char *path, const char *title) {
    static const char *const rows[2 * ASKED] = {"features", "pixels", "features", "pixels", "features",
                                                "pixels",   "features", "pixels", "features", "pixels"};
    static const char *const heads[1 + NEIGHBOURS] = {"original",
                                                      "most similar of the training set, from left to right"};
    sslh_grid_desc g = {0};
    sslh_feature_desc f = {0};
    int32_t chosen[ASKED];
    sslh_tensor *q[2], *image[1 + NEIGHBOURS], *row[2 * ASKED];
    sslh_data asked;
    sslh_batch b;
    int i, k, way, n = (int)(test.count < ASKED ? test.count : ASKED);
    int shown = (int)(train.count < NEIGHBOURS ? train.count : NEIGHBOURS);
    if (sslh_error(c)) return;
    for (i = 0; i < n; i++) chosen[i] = (int32_t)(i * test.count / n);
    asked = sslh_data_pick(test, chosen, n);
    for (way = 0; way < 2; way++) {
        sslh_net *net = way ? NULL : encoder; /* NULL: raw pixels */
        sslh_tensor *known = sslh_l2_normalize(c, sslh_features(c, net, train, f), 0); /* (count,D) */
        /* (n,count) */
        q[way] = sslh_matmul_ex(c, sslh_l2_normalize(c, sslh_features(c, net, asked, f), 0), known, 0, 1);
    }
    memset(&b, 0, sizeof b);
    for (i = 0; i < 2 * n && !sslh_error(c); i++) {
        int32_t at = i / 2;
        float *s = (float *)q[i % 2]->data + (size_t)at * (size_t)train.count;
        b.index = &at;
        b.count = 1;
        b.data = asked;
        image[0] = sslh_batch_images(c, b); /* (1,H,W,C) */
        b.data = train;
        for (k = 1; k <= shown; k++) {
            int64_t j;
            at = 0;
            for (j = 1; j < train.count; j++)
                if (s[j] > s[at]) at = (int32_t)j;
            s[at] = -2; /* taken */
            image[k] = sslh_batch_images(c, b);
        }
        row[i] = sslh_concat(c, image, 1 + shown, 0); /* (9,H,W,C) */
    }
    g.columns = 1 + shown;
    g.originals = 1;
    g.title = title;
    g.rows = rows;
    g.heads = heads;
    sslh_picture_grid_ex(c, path, sslh_concat(c, row, 2 * n, 0), g);
}

/* A sheet of views: each row an image and seven views of it. */
static SOME_EXAMPLES void picture_views(sslh_ctx *c, sslh_data data, sslh_recipe recipe, const char *path,
                                        const char *title) {
    static const char *const heads[8] = {"original", "views of it, as the method sees them"};
    static const int by_image[5] = {1, 0, 2, 3, 4};
    sslh_grid_desc g = {0};
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    sslh_tensor *column[8], *grid;
    int v;
    ld.batch = (int)(data.count < 8 ? data.count : 8);
    ld.in_order = 1;
    if (!sslh_next_batch(sslh_loader_new(c, data, ld), &batch)) return;
    column[0] = sslh_batch_images(c, batch);
    for (v = 1; v < 8; v++) column[v] = sslh_views(c, batch, recipe, v);
    grid = sslh_concat(c, column, 8, 0); /* (8 views, n images, ..) -> images first */
    grid = sslh_reshape(c, grid, sslh_dim5(8, batch.count, data.height, data.width, data.channels));
    grid = sslh_permute(c, grid, by_image);
    g.columns = 8;
    g.originals = 1;
    g.title = title;
    g.heads = heads;
    sslh_picture_grid_ex(c, path, sslh_reshape(c, grid, sslh_dim4(8 * batch.count, data.height, data.width,
                                                                  data.channels)), g);
}

/* The end of a pretraining: probes of raw pixels, of the encoder as it was and as it is, and the neighbours as a sheet
   "NAME_neighbours.png". */
static SOME_EXAMPLES void compare(sslh_ctx *c, const options *o, sslh_net *untrained, sslh_net *encoder,
                                  const char *label, sslh_data train, sslh_data test, const char *name,
                                  const char *title) {
    char path[1024];
    same_images(untrained, encoder);
    printf("\n");
    probe_row(c, "raw pixels", NULL, train, test);
    probe_row(c, "untrained encoder", untrained, train, test);
    probe_row(c, label, encoder, train, test);
    snprintf(path, sizeof path, "%s/%s_neighbours.png", o->out, name);
    picture_neighbours(c, encoder, train, test, path, title);
}

/* A sheet whose rows have names, one column for each image of a batch: every sheet of the examples has the order
   original, seen, rebuilt. */
static SOME_EXAMPLES void picture_rows(sslh_ctx *c, const char *path, sslh_tensor **row, int rows,
                                       const char *const *names, const char *title) {
    sslh_grid_desc g = {0};
    if (sslh_error(c)) return;
    g.columns = row[0]->shape[0];
    g.rows = names;
    g.title = title;
    sslh_picture_grid_ex(c, path, sslh_concat(c, row, rows, 0), g);
}

#endif
