/* Streams: folders of images that are read while a loader goes over them (sslh_stream_images). */
#include "../ssl.h"
#include "harness.h"

enum { MOST = 1000 };
static int warnings;
static char warning[512];
static void warn(void *user, const char *text) {
    (void)user;
    warnings++;
    snprintf(warning, sizeof warning, "%s", text);
}
static sslh_ctx *create(int threads, test_memory *memory) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.seed = 7;
    d.threads = threads;
    d.warn = warn;
    if (memory) d.alloc = test_alloc, d.release = test_release, d.user = memory;
    warnings = 0;
    return sslh_create(d);
}

/* A raw PPM or PGM whose first byte is first. */
static void put(const char *name, int first, int height, int width, int channels) {
    FILE *f = fopen(test_temporary(name), "wb");
    int i;
    if (!CHECK(f != NULL, "cannot write %s", name)) return;
    fprintf(f, "P%d %d %d 255\n", channels == 1 ? 5 : 6, width, height);
    for (i = 0; i < height * width * channels; i++) fputc((first + 5 * i + i / 7) & 255, f);
    fclose(f);
}
static void put_text(const char *name, const char *text) {
    FILE *f = fopen(test_temporary(name), "wb");
    if (!CHECK(f != NULL, "cannot write %s", name)) return;
    fputs(text, f);
    fclose(f);
}
static const char *const classes[3] = {"set/ant", "set/bee", "set/cow"};
static const char *name_of(int i) {
    static char name[64];
    snprintf(name, sizeof name, "%s/%03d.ppm", classes[i % 3], i);
    return name;
}
/* n images of 12 x 12, or of several sizes, some of them grey, in three class folders; image i begins with byte i. */
static const char *make_set(int n, int same) {
    static char path[512]; /* test_temporary has four names by turns */
    int i;
    snprintf(path, sizeof path, "%s", test_temporary_folder("set"));
    for (i = 0; i < 3; i++) test_temporary_folder(classes[i]);
    for (i = 0; i < n; i++)
        put(name_of(i), i, same ? 12 : 12 + i % 5, same ? 12 : 12 + i % 7, !same && i % 4 == 3 ? 1 : 3);
    return path;
}
static void remove_set(int n) {
    int i;
    for (i = 0; i < n; i++) (void)test_remove(test_temporary(name_of(i)));
    for (i = 0; i < 3; i++) (void)test_remove(test_temporary(classes[i]));
    (void)test_remove(test_temporary("set"));
}
static sslh_stream_desc stream(int size, int skip_broken, int megabytes) {
    sslh_stream_desc d;
    memset(&d, 0, sizeof d);
    d.size = size;
    d.skip_broken = skip_broken;
    d.megabytes = megabytes;
    return d;
}
static sslh_loader *loader(sslh_ctx *c, sslh_data data, int batch, int in_order, int epochs) {
    sslh_loader_desc d;
    memset(&d, 0, sizeof d);
    d.batch = batch;
    d.in_order = in_order;
    d.epochs = epochs;
    return sslh_loader_new(c, data, d);
}
/* Numbers, labels and pixels of all batches that are left. */
static unsigned long long hash_batches(sslh_ctx *c, sslh_loader *l, int most) {
    unsigned long long h = 0;
    sslh_batch b;
    while (most-- > 0 && sslh_next_batch(l, &b)) {
        sslh_tensor *x = sslh_batch_images(c, b), *v = sslh_views(c, b, SSLH_VIEWS_SIMCLR, 1);
        h = test_hash(b.index, (size_t)b.count * sizeof *b.index, h);
        if (b.labels) h = test_hash(b.labels, (size_t)b.count * sizeof *b.labels, h);
        if (sslh_error(c)) break;
        h = test_hash(x->data, x->count * sizeof *x->data, h);
        h = test_hash(v->data, v->count * sizeof *v->data, h);
    }
    return h;
}

static void same_as_in_memory(void) {
    sslh_images_desc fit = {0, 0};
    const char *path = make_set(33, 0);
    unsigned long long want = 0, want_part = 0, h;
    int threads, i;
    fit.size = 10;
    for (threads = 1; threads <= 3; threads++) {
        sslh_ctx *c = create(threads, NULL);
        sslh_data s = sslh_stream_images(c, path, stream(10, 0, 0)), m = sslh_load_images_ex(c, path, fit);
        float a[2][4], b[2][4];
        uint8_t x[300], y[300];
        CHECK_OK(c);
        CHECK(s.count == 33 && s.height == 10 && s.width == 10 && s.channels == 3 && s.classes == 3, "the set");
        for (i = 0; i < 33 && !sslh_error(c); i++) {
            sslh_data_image(s, i, x);
            sslh_data_image(m, i, y);
            CHECK(!memcmp(x, y, sizeof x) && s.labels[i] == m.labels[i], "image %d", i);
            CHECK(!strcmp(sslh_data_file(s, i), sslh_data_file(m, i)), "file %d", i);
        }
        CHECK(!strcmp(s.class_names[2], "cow"), "names of classes");
        sslh_data_mean_std(s, a[0], a[1]);
        sslh_data_mean_std(m, b[0], b[1]);
        CHECK(!memcmp(a, b, sizeof a), "mean and deviation");
        h = hash_batches(c, loader(c, s, 4, 0, 3), 1000);
        if (!want) want = hash_batches(c, loader(c, m, 4, 0, 3), 1000);
        CHECK(h == want, "batches, %d threads", threads);
        h = hash_batches(c, loader(c, sslh_data_where(s, "class", "ant,cow"), 5, 1, 2), 1000);
        if (!want_part) want_part = hash_batches(c, loader(c, sslh_data_where(m, "class", "ant,cow"), 5, 1, 2), 1000);
        CHECK(h == want_part, "batches of a subset in order, %d threads", threads);
        CHECK_OK(c);
        sslh_destroy(c);
    }
    remove_set(33);
}

#if SSLH_WITH_SIMSIAM
/* A run of some steps, also one that is interrupted and resumed; a probe behind it. */
static unsigned long long train(int threads, const char *path, int streamed, int stop, const char *checkpoint) {
    sslh_ctx *c = create(threads, NULL);
    sslh_images_desc fit = {0, 0};
    sslh_convnet_desc e;
    sslh_simsiam_desc sd;
    sslh_train_desc t;
    sslh_knn_desc k;
    sslh_data data;
    sslh_method m;
    unsigned long long h;
    float accuracy;
    fit.size = 10;
    memset(&e, 0, sizeof e);
    memset(&sd, 0, sizeof sd);
    memset(&t, 0, sizeof t);
    memset(&k, 0, sizeof k);
    data = streamed ? sslh_stream_images(c, path, stream(10, 0, 0)) : sslh_load_images_ex(c, path, fit);
    e.channels = 3;
    e.widths[0] = 4, e.widths[1] = 8;
    m = sslh_simsiam(c, sslh_convnet(c, e), sd);
    t.epochs = 3;
    t.batch = 8;
    t.quiet = 1;
    t.max_steps = stop;
    t.checkpoint = checkpoint;
    t.resume = checkpoint != NULL;
    sslh_train(c, m, data, t);
    accuracy = sslh_knn(c, m.encoder, data, data, k);
    CHECK_OK(c);
    h = (unsigned long long)sslh_hash(m.net) + (unsigned long long)(accuracy * 1000);
    sslh_destroy(c);
    return h;
}
static void trains_to_the_same_bits(void) {
    const char *path = make_set(33, 0);
    char checkpoint[512], slashed[520];
    unsigned long long want = train(2, path, 0, 0, NULL);
    snprintf(slashed, sizeof slashed, "%s/", path);
    snprintf(checkpoint, sizeof checkpoint, "%s", test_temporary("run.safetensors"));
    CHECK(train(1, path, 1, 0, NULL) == want, "one thread");
    CHECK(train(3, path, 1, 0, NULL) == want, "three threads");
    train(2, path, 1, 5, checkpoint);
    CHECK(train(2, slashed, 1, 0, checkpoint) == want, "resumed, the folder given with a slash at its end");
    (void)test_remove(checkpoint);
    train(1, path, 1, 5, checkpoint);
    { /* another file in the folder is another set */
        sslh_ctx *c = create(1, NULL);
        sslh_convnet_desc e;
        sslh_simsiam_desc sd;
        sslh_train_desc t;
        memset(&e, 0, sizeof e);
        memset(&sd, 0, sizeof sd);
        memset(&t, 0, sizeof t);
        (void)rename(test_temporary(name_of(5)), test_temporary("set/cow/renamed.ppm"));
        e.channels = 3;
        e.widths[0] = 4, e.widths[1] = 8;
        t.epochs = 3;
        t.batch = 8;
        t.quiet = t.resume = 1;
        t.checkpoint = checkpoint;
        sslh_train(c, sslh_simsiam(c, sslh_convnet(c, e), sd), sslh_stream_images(c, path, stream(10, 0, 0)), t);
        CHECK_ERROR(c, "checksum");
        sslh_destroy(c);
        (void)test_remove(test_temporary("set/cow/renamed.ppm"));
    }
    (void)test_remove(checkpoint);
    remove_set(33);
}
#endif

/* A thousand images that take 12 MB, by a loader that may take one. */
static void stays_below_its_limit(void) {
    char name[64], path[512];
    int i, threads;
    snprintf(path, sizeof path, "%s", test_temporary_folder("many"));
    for (i = 0; i < MOST; i++) {
        snprintf(name, sizeof name, "many/%04d.ppm", i);
        put(name, i, 64, 64, 3);
    }
    for (threads = 1; threads <= 3; threads++) {
        sslh_ctx *c = create(threads, NULL);
        sslh_data s;
        sslh_batch b;
        sslh_loader *l;
        size_t before, list, peak;
        int64_t allocs = 0;
        int seen = 0;
        s = sslh_stream_images(c, path, stream(0, 0, 1));
        CHECK_OK(c);
        before = sslh_query(c).bytes;
        list = sslh_query(c).peak;
        l = loader(c, s, 20, 0, 1);
        while (sslh_next_batch(l, &b)) {
            sslh_tensor *x;
            size_t at = sslh_query(c).peak;
            if (b.step == 2) allocs = sslh_query(c).allocs;
            if (b.step > 2) CHECK(sslh_query(c).allocs == allocs, "step %d allocates", (int)b.step);
            if (b.step == 0) CHECK(at - before <= 1000000 || at == list, "a loader took %.2f MB",
                                   (double)(at - before) / 1e6);
            x = sslh_batch_images(c, b);
            for (i = 0; i < b.count; i++)
                seen += fabs((double)x->data[(size_t)i * 64 * 64 * 3] * 255 - (b.index[i] & 255)) < 1e-3;
        }
        CHECK_OK(c);
        CHECK(seen == MOST, "%d images of %d threads have their pixels", seen, threads);
        peak = sslh_query(c).peak;
        CHECK(list < 1400000, "listing took %.2f MB", (double)list / 1e6);
        CHECK(peak < 4500000, "in all %.2f MB", (double)peak / 1e6); /* with the tensors of the steps */
        loader(c, s, 100, 0, 1);
        sslh_next_batch(loader(c, s, 100, 0, 1), &b);
        CHECK_ERROR(c, "the images of a batch take 2.5 MB, and .megabytes is 1: give more, or use a smaller .size");
        sslh_load_images(c, path);
        CHECK(sslh_query(c).peak > 12000000, "the set is smaller than the limit"); /* else the test shows nothing */
        sslh_destroy(c);
    }
    for (i = 0; i < MOST; i++) {
        snprintf(name, sizeof name, "many/%04d.ppm", i);
        (void)test_remove(test_temporary(name));
    }
    (void)test_remove(path);
}

static void goes_on_at_any_step(void) {
    const char *path = make_set(33, 1);
    int threads;
    for (threads = 1; threads <= 2; threads++) {
        sslh_ctx *c = create(threads, NULL);
        sslh_data s = sslh_stream_images(c, path, stream(0, 0, 0));
        sslh_loader *l = loader(c, s, 4, 0, 4);
        unsigned long long end;
        hash_batches(c, l, 13);
        end = hash_batches(c, l, 1000);
        sslh_loader_seek(l, 13);
        CHECK(hash_batches(c, l, 1000) == end, "again from step 13");
        hash_batches(c, (sslh_loader_seek(l, 2), l), 2);
        sslh_loader_seek(l, 13);
        CHECK(hash_batches(c, l, 1000) == end, "to step 13 while another batch is read ahead");
        l = loader(c, s, 4, 0, 4);
        sslh_loader_seek(l, 13);
        CHECK(hash_batches(c, l, 1000) == end, "a new loader at step 13");
        CHECK_OK(c);
        sslh_destroy(c);
    }
    remove_set(33);
}

static void files_that_vanish_or_break(void) {
    const char *path = make_set(33, 1);
    unsigned long long want = 0, h;
    int threads, i;
    for (threads = 1; threads <= 3; threads++) {
        sslh_ctx *c = create(threads, NULL);
        sslh_data s = sslh_stream_images(c, path, stream(0, 0, 0)), t = sslh_stream_images(c, path, stream(0, 1, 0));
        sslh_loader *l = loader(c, s, 4, 0, 20), *k;
        sslh_batch b;
        int32_t gone = -1;
        float mean[4], std[4];
        uint8_t pixels[12 * 12 * 3];
        CHECK(sslh_next_batch(l, &b), "a batch");
        (void)test_remove(test_temporary(name_of(4)));
        put_text(name_of(8), "P6 12 12 255 short");
        while (sslh_next_batch(l, &b)) sslh_views(c, b, SSLH_VIEWS_SIMCLR, 0);
        CHECK(sslh_error(c) && (strstr(sslh_error(c), "/set/bee/004.ppm") || strstr(sslh_error(c), "/set/cow/008.ppm")),
              "%s", sslh_error(c) ? sslh_error(c) : "no error");
        sslh_clear_error(c);
        for (i = 0; i < 33; i++)
            if (strstr(sslh_data_file(t, i), "bee/004.ppm")) gone = i;
        CHECK(gone >= 0, "the number of the file");
        k = loader(c, t, 4, 0, 4);
        while (sslh_next_batch(k, &b))
            for (i = 0; i < b.count; i++) {
                int j;
                CHECK(b.index[i] != gone && b.labels[i] == t.labels[b.index[i]], "number and label");
                for (j = 0; j < i; j++) CHECK(b.index[j] != b.index[i], "image %d twice in a batch", (int)b.index[i]);
            }
        CHECK_OK(c);
        CHECK(warnings == 1 && strstr(warning, "it is left out, and so are others"), "%d warnings: %s", warnings,
              warning);
        h = hash_batches(c, loader(c, t, 4, 0, 4), 1000);
        CHECK(want == 0 || h == want, "batches with %d threads", threads);
        want = h;
        sslh_data_mean_std(t, mean, std);
        CHECK_OK(c);
        while (sslh_next_batch(k = loader(c, t, 33, 1, 1), &b)) {}
        CHECK(sslh_error(c) != NULL, "in order nothing is left out");
        sslh_clear_error(c);
        sslh_data_image(t, gone, pixels);
        CHECK_ERROR(c, "bee/004.ppm");
        put(name_of(4), 4, 12, 12, 3); /* they are there again */
        put(name_of(8), 8, 12, 12, 3);
        hash_batches(c, loader(c, s, 4, 0, 2), 1000);
        CHECK_OK(c);
        k = loader(c, t, 4, 0, 4);
        CHECK(sslh_next_batch(k, &b), "a batch");
        for (i = 0; i < 33; i++) (void)test_remove(test_temporary(name_of(i)));
        while (sslh_next_batch(k, &b)) {}
        CHECK_ERROR(c, "is the disk still there?");
        for (i = 0; i < 33; i++) put(name_of(i), i, 12, 12, 3);
        sslh_destroy(c);
    }
    remove_set(33);
}

static void wrong_folders(void) {
    sslh_ctx *c = create(2, NULL);
    sslh_stream_desc d = stream(0, 0, 0);
    sslh_batch b;
    char path[512];
    size_t before = sslh_query(c).bytes;
    snprintf(path, sizeof path, "%s", make_set(6, 1));
    sslh_stream_images(c, NULL, d);
    CHECK_ERROR(c, "sslh_stream_images: the path is NULL");
    sslh_stream_images(c, test_temporary("nothing"), d);
    CHECK_ERROR(c, "cannot open");
    sslh_stream_images(c, test_temporary(name_of(0)), d);
    CHECK_ERROR(c, "is no folder: give a folder of images or of class folders");
    d.channels = 2;
    sslh_stream_images(c, path, d);
    CHECK_ERROR(c, ".channels is 2");
    d.channels = 1;
    sslh_next_batch(loader(c, sslh_stream_images(c, path, d), 6, 0, 1), &b);
    CHECK_ERROR(c, "is in colour, and .channels is 1: set .channels to 3");
    put(name_of(0), 0, 12, 12, 1);
    d.channels = 0;
    sslh_next_batch(loader(c, sslh_stream_images(c, path, d), 6, 0, 1), &b);
    CHECK_ERROR(c, "is in colour, the first image is grey: set .channels to 3");
    put(name_of(0), 0, 12, 12, 3);
    { /* one of two images is broken: the other takes its place, even in the same batch */
        sslh_stream_desc all = stream(12, 1, 0);
        sslh_data two;
        int32_t both[2] = {0, 1};
        two = sslh_data_pick(sslh_stream_images(c, path, all), both, 2);
        put_text(name_of(0), "P6 12 12 255 short");
        CHECK(sslh_next_batch(loader(c, two, 2, 0, 1), &b) && b.index[0] == b.index[1] && b.index[0] == 1, "the other");
        CHECK_OK(c);
        warnings = 0;
        put(name_of(0), 0, 12, 12, 3);
    }
    d.channels = 0;
    put(name_of(4), 0, 14, 12, 3);
    sslh_next_batch(loader(c, sslh_stream_images(c, path, d), 6, 0, 1), &b);
    CHECK_ERROR(c, "004.ppm has 14 x 12 pixels, the first image 12 x 12 (height x width): give .size");
    put(name_of(4), 0, 700, 600, 3); /* 1.3 MB of pixels */
    d.megabytes = 1;
    d.size = 12;
    sslh_next_batch(loader(c, sslh_stream_images(c, path, d), 6, 0, 1), &b);
    CHECK_ERROR(c, "004.ppm takes more than");
    d.skip_broken = 1;
    CHECK(sslh_next_batch(loader(c, sslh_stream_images(c, path, d), 6, 0, 1), &b), "left out as too large");
    CHECK_OK(c);
    CHECK(warnings == 1 && strstr(warning, "004.ppm takes more than"), "%d warnings: %s", warnings, warning);
    d.megabytes = 50;
    CHECK(sslh_next_batch(loader(c, sslh_stream_images(c, path, d), 6, 0, 1), &b) && warnings == 1, "read with more");
    put_text("set/list.idx3", "IDX");
    sslh_stream_images(c, path, d);
    CHECK_ERROR(c, "list.idx3: beside class folders");
    (void)test_remove(test_temporary("set/list.idx3"));
    put_text("set/index.txt", "cell 1 1\n");
    sslh_stream_images(c, path, d);
    CHECK_ERROR(c, "has an index.txt, so its pictures are sheets of many images: load it with sslh_load_images");
    (void)test_remove(test_temporary("set/index.txt"));
    remove_set(6);
    test_temporary_folder("set");
    sslh_stream_images(c, path, d);
    CHECK_ERROR(c, "holds no images: give a folder");
    (void)test_remove(path);
    sslh_rewind(c, 0);
    CHECK(sslh_query(c).bytes < before + 2000000, "memory is left"); /* the heap of the steps stays */
    sslh_destroy(c);
}

/* Every allocation fails once: an error, nothing lost, and the next try works. */
static void without_memory(void) {
    const char *path = make_set(9, 0);
    test_memory memory;
    long at, most = 100000;
    for (at = 1; at < most; at++) {
        sslh_ctx *c;
        sslh_loader *l;
        sslh_batch b;
        int n = 0;
        memset(&memory, 0, sizeof memory);
        memory.fail_at = at;
        c = create(at % 2 ? 1 : 2, &memory);
        l = loader(c, sslh_stream_images(c, path, stream(10, 0, 0)), 4, 0, 2);
        while (sslh_next_batch(l, &b)) n += sslh_views(c, b, SSLH_VIEWS_SIMCLR, 0)->ndim == 4;
        if (memory.calls < at) most = at; /* it works without failures: the end */
        if (at < most) CHECK(!sslh_error(c) || sslh_error_code(c) == SSLH_E_MEMORY, "%ld: %s", at, sslh_error(c));
        else CHECK(n == 4 && !sslh_error(c), "%d batches", n);
        if (sslh_error(c) && l) { /* the loader goes on where it was */
            sslh_clear_error(c);
            memory.fail_at = 0;
            while (sslh_next_batch(l, &b)) n += sslh_views(c, b, SSLH_VIEWS_SIMCLR, 0)->ndim == 4;
            CHECK_OK(c);
            CHECK(n >= 3, "%d batches after all", n);
        }
        sslh_destroy(c);
        CHECK(memory.live == 0, "%ld blocks are left", memory.live);
    }
    CHECK(at > 10 && at < 1000, "%ld allocations", at);
    remove_set(9);
}

/* Two contexts read one list, the second while the first reads ahead; a scheduler of the caller's. */
static void backwards(void *user, int tasks, sslh_task_fn fn, void *arg) {
    int i;
    (void)user;
    for (i = tasks - 1; i >= 0; i--) fn(arg, i, i % 3);
}
static void in_other_contexts(void) {
    const char *path = make_set(33, 0);
    sslh_ctx *c = create(2, NULL), *other = create(3, NULL), *own;
    sslh_data s = sslh_stream_images(c, path, stream(10, 0, 0)), t = s;
    sslh_loader *l = loader(c, s, 4, 0, 3), *k;
    unsigned long long want = hash_batches(c, loader(c, s, 4, 0, 3), 1000);
    sslh_desc d;
    sslh_batch b;
    memset(&d, 0, sizeof d);
    d.seed = 7;
    d.threads = 3;
    d.parallel_for = backwards;
    own = sslh_create(d);
    CHECK(sslh_next_batch(l, &b), "a batch");
    t.ctx = other;
    k = loader(other, t, 4, 0, 3);
    CHECK(hash_batches(other, k, 1000) == want, "another context");
    CHECK(sslh_next_batch(l, &b), "the next batch");
    t.ctx = own;
    CHECK(hash_batches(own, loader(own, t, 4, 0, 3), 1000) == want, "a scheduler of the caller's");
    CHECK_OK(own);
    sslh_destroy(own);
    CHECK_OK(other);
    sslh_destroy(other);
    CHECK_OK(c);
    sslh_destroy(c);
    remove_set(33);
}

TESTS_BEGIN
    TEST(same_as_in_memory)
#if SSLH_WITH_SIMSIAM
    TEST(trains_to_the_same_bits)
#endif
    TEST(stays_below_its_limit)
    TEST(goes_on_at_any_step)
    TEST(files_that_vanish_or_break)
    TEST(wrong_folders)
    TEST(without_memory)
    TEST(in_other_contexts)
TESTS_END
