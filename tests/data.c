/* Data sets: what sslh_load_images finds in files and folders, views of a set, loaders and batches. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#include "harness.h"

static sslh_ctx *create(uint64_t seed) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = 2;
    d.seed = seed;
    return sslh_create(d);
}

static void put(sslh_ctx *c, const char *name, const char *text) {
    sslh_i_write_whole(c, "test", test_temporary(name), text, strlen(text));
}

/* A picture whose pixel k is first + k. */
static void put_png(sslh_ctx *c, const char *name, int first, int height, int width, int channels) {
    uint8_t p[4096];
    for (int i = 0; i < height * width * channels; i++) p[i] = (uint8_t)(first + i);
    sslh_save_png(c, test_temporary(name), p, height, width, channels);
}

static void idx_files(void) {
    static const int32_t want[6] = {3, 1, 0, 2, 3, 1};
    sslh_ctx *c = create(0);
    static const char *const names[] = {"idx/plain-images-idx3-ubyte", "idx/zipped-images-idx3-ubyte.gz"};
    for (int i = 0; i < 2; i++) {
        sslh_data d = sslh_load_images(c, test_golden(names[i]));
        CHECK_OK(c);
        CHECK(d.count == 6 && d.height == 4 && d.width == 5 && d.channels == 1 && d.classes == 4, "%s: %d images",
              names[i], (int)d.count);
        CHECK(d.labels && !memcmp(d.labels, want, sizeof want), "labels of %s", names[i]);
        char line[64] = "", last[64] = "";
        FILE *f = fopen(test_golden("expected.txt"), "rb");
        while (f && fgets(line, sizeof line, f)) memcpy(last, line, sizeof last);
        if (f) fclose(f);
        unsigned crc = 0;
        CHECK(sscanf(last, "idx %x", &crc) == 1 && d.field[0].values && sslh_i_crc32(0, d.field[0].values, 120) == crc,
              "pixels of %s", names[i]);
    }
    /* the folder holds both, which are two sets by their names */
    sslh_data d = sslh_load_images(c, test_golden("idx"));
    CHECK_ERROR(c, "more than one set of images (plain-images-idx3-ubyte and zipped-images-idx3-ubyte.gz)");
    sslh_load_images(c, test_golden("idx/plain-labels-idx1-ubyte"));
    CHECK_ERROR(c, "labels or vectors, not images");

    /* labels that do not fit */
    size_t size, before;
    uint8_t *p = sslh_i_read_whole(c, "test", test_golden(names[0]), &size);
    sslh_i_write_whole(c, "test", test_temporary("x-images-idx3-ubyte"), p, size);
    before = sslh_query(c).bytes;
    sslh_i_write_whole(c, "test", test_temporary("x-labels-idx1-ubyte"), "\0\0\10\1\0\0\0\5abcde", 13);
    sslh_load_images(c, test_temporary("x-images-idx3-ubyte"));
    CHECK_ERROR(c, "x-labels-idx1-ubyte: byte 4: 5 labels for 6 images");
    sslh_i_write_whole(c, "test", test_temporary("x-labels-idx1-ubyte"), "\0\0\10\1\0\0\0\6abcde", 13);
    sslh_load_images(c, test_temporary("x-images-idx3-ubyte"));
    CHECK_ERROR(c, "not an IDX file of labels");
    CHECK(sslh_query(c).bytes == before, "memory is left");
    (void)test_remove(test_temporary("x-labels-idx1-ubyte"));
    d = sslh_load_images(c, test_temporary("x-images-idx3-ubyte"));
    CHECK_OK(c);
    CHECK(d.count == 6 && !d.labels && d.classes == 0, "without labels");
    (void)test_remove(test_temporary("x-images-idx3-ubyte"));
    sslh_destroy(c);
}

static void cifar_files(void) {
    sslh_ctx *c = create(0);
    uint8_t *p = (uint8_t *)calloc(3, 3074);
    test_temporary_folder("cifar");
    for (int kind = 10; kind <= 100; kind += 90) {
        size_t record = kind == 10 ? 3073 : 3074, head = record - 3072;
        for (size_t i = 0; i < 3; i++) {
            p[i * record] = (uint8_t)(7 + i);
            p[i * record + head - 1] = (uint8_t)(kind == 10 ? 7 + i : 97 + i);
            for (size_t k = 0; k < 3072; k++) p[i * record + head + k] = (uint8_t)(k / 1024 * 100 + k % 32 + i);
        }
        sslh_i_write_whole(c, "test", test_temporary("cifar/test.bin"), p, record);
        sslh_i_write_whole(c, "test", test_temporary("cifar/a.bin"), p, 3 * record);
        sslh_data d = sslh_load_images(c, test_temporary("cifar"));
        CHECK_OK(c);
        CHECK(d.count == 3 && d.height == 32 && d.channels == 3 && d.classes == kind, "%d images, %d classes",
              (int)d.count, d.classes);
        const uint8_t *q = (const uint8_t *)d.field[0].values;
        CHECK(q && q[0] == 0 && q[1] == 100 && q[2] == 200 && q[3 * 31 + 2] == 231 && q[2 * 3072 + 1] == 102,
              "planar to interleaved");
        CHECK(sslh_load_images(c, test_temporary("cifar/test.bin")).count == 1, "the test file itself");
        p[0] = 20;
        sslh_i_write_whole(c, "test", test_temporary("cifar/a.bin"), p, 3 * record);
        CHECK_OK(c);
        sslh_load_images(c, test_temporary("cifar"));
        CHECK_ERROR(c, "none of the files");
    }
    free(p);
    (void)test_remove(test_temporary("cifar/a.bin"));
    sslh_data d = sslh_load_images(c, test_temporary("cifar"));
    CHECK_OK(c);
    CHECK(d.count == 1, "a folder with a test file only");
    (void)test_remove(test_temporary("cifar/test.bin"));
    sslh_load_images(c, test_temporary("cifar"));
    CHECK_ERROR(c, "holds no images; wanted");
    (void)test_remove(test_temporary("cifar"));
    sslh_destroy(c);
}

static void folders(void) {
    sslh_ctx *c = create(0);
    test_temporary_folder("classes");
    test_temporary_folder("classes/dog");
    test_temporary_folder("classes/cat");
    test_temporary_folder("classes/empty");
    put_png(c, "classes/dog/b.png", 20, 2, 3, 1);
    put_png(c, "classes/dog/a.PNG", 10, 2, 3, 1);
    put_png(c, "classes/cat/z.png", 30, 2, 3, 3);
    put(c, "classes/cat/notes.txt", "not an image");
    put(c, "classes/dog/c.pgm", "P2 3 2 255 1 2 3 4 5 6\n");
    CHECK_OK(c);
    sslh_data d = sslh_load_images(c, test_temporary("classes"));
    CHECK_OK(c);
    CHECK(d.count == 4 && d.height == 2 && d.width == 3 && d.channels == 3 && d.classes == 2,
          "%d images, %d channels, %d classes", (int)d.count, d.channels, d.classes);
    if (d.count == 4) {
        const uint8_t *p = (const uint8_t *)d.field[0].values;
        CHECK(d.labels[0] == 0 && d.labels[1] == 1 && d.labels[3] == 1, "labels");
        CHECK(!strcmp(d.class_names[0], "cat") && !strcmp(d.class_names[1], "dog"), "names %s %s", d.class_names[0],
              d.class_names[1]);
        CHECK(p[0] == 30 && p[1] == 31 && p[18] == 10 && p[19] == 10 && p[20] == 10 && p[36] == 20 && p[54] == 1,
              "pixels, grey made colour");
        const int32_t last[2] = {3, 0};
        sslh_data two = sslh_data_pick(d, last, 2);
        const char *files[3] = {sslh_data_file(d, 0), sslh_data_file(two, 0), sslh_data_file(two, 1)};
        CHECK(files[0] && strstr(files[0], "classes/cat/z.png") && files[1] && strstr(files[1], "classes/dog/c.pgm") &&
              files[2] == files[0], "files %s %s", files[0] ? files[0] : "-", files[1] ? files[1] : "-");
        CHECK(!sslh_data_file(two, 2) && !sslh_data_file(d, -1), "no file outside of the set");
    }
    size_t before = sslh_query(c).bytes;
    put_png(c, "classes/dog/d.png", 0, 3, 2, 1);
    sslh_load_images(c, test_temporary("classes"));
    CHECK_ERROR(c, "classes/dog/d.png has images of 3 x 2 pixels, the files before it 2 x 3");
    CHECK(sslh_query(c).bytes == before, "memory is left");
    put(c, "classes/dog/d.png", "damaged");
    sslh_load_images(c, test_temporary("classes"));
    CHECK_ERROR(c, "d.png: byte 0: not a PNG");
    CHECK(sslh_query(c).bytes == before, "memory is left");
    (void)test_remove(test_temporary("classes/dog/d.png"));
    d = sslh_load_images(c, test_temporary("classes/dog"));
    CHECK_OK(c);
    CHECK(d.count == 3 && !d.labels && d.channels == 1, "a folder of images without classes");
    put_png(c, "classes/alpha.png", 1, 2, 2, 4);
    d = sslh_load_images(c, test_temporary("classes/alpha.png"));
    CHECK_OK(c);
    CHECK(d.count == 1 && d.channels == 3 && ((const uint8_t *)d.field[0].values)[3] == 5, "alpha is left out");
    static const char *const files[] = {
        "classes/alpha.png",     "classes/dog/a.PNG", "classes/dog/b.png", "classes/dog/c.pgm", "classes/cat/z.png",
        "classes/cat/notes.txt", "classes/dog",       "classes/cat",       "classes/empty",     "classes"};
    for (int i = 0; i < 10; i++) (void)test_remove(test_temporary(files[i]));
    sslh_load_images(c, test_temporary("classes"));
    CHECK_ERROR(c, "cannot open");
    sslh_load_images(c, NULL);
    CHECK_ERROR(c, "NULL");
    sslh_destroy(c);
}

/* Puts files of some names into a folder of its own, loads it and removes all again. A name that ends with / is a
   folder; .pgm files have one pixel, -idx3- files and .bin files have two images, -idx1- files two labels. */
static sslh_data load_names(sslh_ctx *c, const char *const *name) {
    static const char idx[] = "\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\1ab", labels[] = "\0\0\10\1\0\0\0\2\0\1";
    static char records[2 * 3073];
    char path[64];
    int n = 0;
    test_temporary_folder("names");
    for (; name[n]; n++) {
        snprintf(path, sizeof path, "names/%s", name[n]);
        size_t length = strlen(path);
        if (path[length - 1] == '/') path[length - 1] = 0, test_temporary_folder(path);
        else if (strstr(path, ".pgm")) put(c, path, "P2 1 1 255 7");
        else if (strstr(path, "idx3")) sslh_i_write_whole(c, "test", test_temporary(path), idx, sizeof idx - 1);
        else if (strstr(path, "idx1")) sslh_i_write_whole(c, "test", test_temporary(path), labels, sizeof labels - 1);
        else if (strstr(path, ".bin")) sslh_i_write_whole(c, "test", test_temporary(path), records, sizeof records);
        else put(c, path, "any");
    }
    CHECK_OK(c);
    sslh_data d = sslh_load_images(c, test_temporary("names"));
    while (n) {
        snprintf(path, sizeof path, "names/%s", name[--n]);
        if (path[strlen(path) - 1] == '/') path[strlen(path) - 1] = 0;
        (void)test_remove(test_temporary(path));
    }
    (void)test_remove(test_temporary("names"));
    return d;
}

/* Nothing that a folder holds is passed over in silence, and no test file gets into the training set. */
static void folder_contents(void) {
    static const struct {
        const char *name[8];
        int count, classes; /* or */
        const char *error;
    } cases[] = {
        {{"x-train-images-idx3-ubyte", "x-test-images-idx3-ubyte", NULL}, 2, 0, NULL},
        {{"x_test_images.idx3", "train.idx3", "t10k.idx3", "testing-idx3", NULL}, 2, 0, NULL},
        {{"latest-idx3", NULL}, 2, 0, NULL},
        {{"data_batch_1.bin", "data_batch_2.bin", "test_batch.bin", "batches.meta.txt", NULL}, 4, 1, NULL},
        {{"a-images-idx3-ubyte", "b-images-idx3-ubyte", NULL}, 0, 0, "more than one set of images (a-images"},
        {{"train-idx3", "train-idx3.gz", "train-idx3-folder/", "train-idx3-folder/train-idx3", NULL}, 2, 0, NULL},
        {{"train-idx3", "picture.pgm", NULL}, 0, 0, "names/picture.pgm: beside files of many images"},
        {{"train-idx3", "more/", "more/a.pgm", NULL}, 0, 0, "names/more: beside files of many images"},
        {{"a/", "a/1.pgm", "b/", "b/1.pgm", ".hidden", "README", "Thumbs.db", NULL}, 2, 2, NULL},
        {{"a/", "a/1.pgm", "b/", "b/notes.TXT", "c/", NULL}, 1, 1, NULL},
        {{"a/", "a/1.pgm", "a/__MACOSX/", "a/desktop.ini", "data.csv", NULL}, 1, 1, NULL},
        {{"a/", "a/1.pgm", "b/", "b/images/", "b/images/1.pgm", NULL}, 0, 0, "names/b/images: a folder in a class"},
        {{"a/", "a/1.pgm", "b/", "b/1.gif", "b/2.gif", "b/3.webp", NULL}, 0, 0, "3 files or folders that are not read"},
        {{"a/", "a/1.pgm", "b/", "b/1.gif", NULL}, 0, 0, "1 file or folder that is not read"},
        {{"a/", "a/1.pgm", "1.pgm", NULL}, 0, 0, "names/1.pgm: beside class folders"},
        {{"1.pgm", "2.heic", NULL}, 0, 0, "names/2.heic: make PNG or JPEG files of pictures"},
        {{"1.pgm", "2.pgm", "3.pgm", "empty/", NULL}, 3, 0, NULL},
        {{"data.mat", NULL}, 0, 0, "names/data.mat: make"},
        {{"notes.txt", NULL}, 0, 0, "holds no images; wanted"},
        /* "idx1" and "idx3" are words of IDX files only; endings of text are those of files, not of folders */
        {{"a_idx0.pgm", "a_idx1.pgm", "a_idx3.pgm", "a_idx10.pgm", NULL}, 4, 0, NULL},
        {{"a/", "a/1.pgm", "idx1/", "idx1/idx1.pgm", "z/", "z/1.pgm", NULL}, 3, 3, NULL},
        {{"a/", "a/1.pgm", "b.md/", "b.md/1.pgm", "c.db/", "c.db/notes.md", NULL}, 2, 2, NULL},
        {{"a/", "a/1.pgm", "a/x.txt/", "a/x.txt/1.pgm", NULL}, 0, 0, "names/a/x.txt: a folder in a class"},
        {{"train-idx3", "train-idx1", "train-idx1-copy/", "train-idx1-copy/train-idx1", NULL}, 2, 2, NULL},
        {{"train-idx3", "a_idx1.pgm", NULL}, 0, 0, "names/a_idx1.pgm: beside files of many images"},
        {{"1.pgm", "a_idx1.tif", NULL}, 0, 0, "names/a_idx1.tif: make PNG or JPEG files"},
    };
    sslh_ctx *c = create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sslh_data d = load_names(c, cases[i].name);
        if (cases[i].error) CHECK_ERROR(c, cases[i].error);
        else {
            CHECK_OK(c);
            CHECK((int)d.count == cases[i].count && d.classes == cases[i].classes, "case %d: %d images, %d classes",
                  (int)i, (int)d.count, d.classes);
            sslh_clear_error(c);
        }
    }
    if (sslh_i_kind_at("/dev/zero") == SSLH_I_PATH_OTHER) { /* has no end */
        sslh_load_images(c, "/dev/zero");
        CHECK_ERROR(c, "a device or a pipe");
    }
    sslh_destroy(c);
}

/* Photographs of several sizes become images of one: the shorter side is resized, the middle of the longer one cut out.
   Alike in each third, so that the middle and the size can be told. */
static void several_sizes(void) {
    uint8_t p[30 * 90 * 3];
    sslh_ctx *c = create(0);
    sslh_images_desc desc = {0, 0};
    test_temporary_folder("sizes");
    for (int turned = 0; turned < 2; turned++) {
        int h = turned ? 90 : 30, w = turned ? 30 : 90;
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                for (int k = 0; k < 3; k++) p[(y * w + x) * 3 + k] = (uint8_t)(((turned ? y : x) / 30 + 1) * 20 + k);
        sslh_save_png(c, test_temporary(turned ? "sizes/b.png" : "sizes/a.png"), p, h, w, 3);
    }
    sslh_load_images(c, test_temporary("sizes"));
    CHECK(sslh_error_code(c) == SSLH_E_SHAPE, "the code tells that sizes differ");
    CHECK_ERROR(c, "sslh_load_images_ex with .size");
    for (desc.size = 10; desc.size <= 60; desc.size += 50) {
        sslh_data d = sslh_load_images_ex(c, test_temporary("sizes"), desc);
        CHECK_OK(c);
        CHECK(d.count == 2 && d.height == desc.size && d.width == desc.size && d.channels == 3, "%d x %d", d.height,
              d.width);
        const uint8_t *q = (const uint8_t *)d.field[0].values;
        for (int i = 0; q && i < 2; i++)
            for (int k = 0; k < 3; k++) {
                int side = desc.size, middle = (i * side * side + side / 2 * side + side / 2) * 3 + k;
                CHECK(q[middle] == 40 + k, "size %d, image %d: %d in the middle", side, i, q[middle]);
                int first = i * side * side * 3 + k; /* three pixels from the border it is the middle third still */
                int inside = first + (i ? 3 * side : 3) * 3;
                CHECK(q[inside] >= 39 + k && q[inside] <= 41 + k, "size %d, image %d: %d inside", side, i, q[inside]);
                CHECK(q[first] >= 32 && q[first] <= 46, "size %d, image %d: %d at the border", side, i, q[first]);
            }
    }
    desc.size = -3;
    sslh_load_images_ex(c, test_temporary("sizes"), desc);
    CHECK_ERROR(c, ".size is -3 (1 to 32767)");
    (void)test_remove(test_temporary("sizes/a.png"));
    (void)test_remove(test_temporary("sizes/b.png"));
    (void)test_remove(test_temporary("sizes"));
    sslh_destroy(c);
}

/* Two folders number their classes each for itself: names decide. Each class is one grey level, which raw pixels
   tell. */
static void classes_by_name(void) {
    static const char *const three[] = {"ant", "bee", "cat"}, *const two[] = {"ant", "cat"};
    static const char *const other[] = {"cat", "dog"};
    static const int32_t of_three[] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}, of_two[] = {0, 1, 1, 0, 1, 1};
    static const uint8_t grey_three[] = {10, 120, 250, 20, 130, 240, 15, 125, 245, 12, 122, 235};
    static const uint8_t grey_two[] = {14, 248, 238, 18, 242, 244};
    uint8_t p[12][4], q[6][4]; /* 2 x 2 pixels, of which two are alike in all, so that directions differ too */
    for (int i = 0; i < 12; i++) p[i][0] = p[i][3] = grey_three[i], p[i][1] = p[i][2] = 100;
    for (int i = 0; i < 6; i++) q[i][0] = q[i][3] = grey_two[i], q[i][1] = q[i][2] = 100;
    sslh_ctx *c = create(0);
    sslh_data train = sslh_data_from_images(c, p[0], 12, 2, 2, 1, of_three);
    sslh_data test = sslh_data_from_images(c, q[0], 6, 2, 2, 1, of_two), d;
    train.class_names = three;
    test.class_names = two;
    sslh_knn_desc k;
    memset(&k, 0, sizeof k);
    k.k = 1;
    sslh_probe_desc l;
    memset(&l, 0, sizeof l);
    l.l2 = 1e-5f;
    CHECK(sslh_knn(c, NULL, train, test, k) == 1, "nearest neighbours: cat is 2 in one and 1 in the other");
    CHECK(sslh_linear_probe(c, NULL, train, test, l) == 1, "linear probe");
    d = sslh_data_match_classes(test, train);
    CHECK_OK(c);
    CHECK(d.classes == 3 && d.class_names == three && d.labels[0] == 0 && d.labels[1] == 2 && d.labels[5] == 2,
          "labels by name");
    CHECK(((const int32_t *)d.field[1].values)[2] == 2 && test.labels[1] == 1,
          "the field of labels too; test unchanged");
    d = sslh_data_match_classes(train, train);
    CHECK(d.labels == train.labels, "the same names: nothing to do");
    d = sslh_data_match_classes(train, sslh_data_from_images(c, q[0], 6, 2, 2, 1, of_two));
    CHECK(d.labels == train.labels, "no names: nothing to do");
    test.class_names = other; /* dog is unknown; a part of the set without it is not */
    sslh_knn(c, NULL, train, test, k);
    CHECK_ERROR(c, "sslh_knn: the class \"dog\" is not among the 3 classes");
    sslh_linear_probe(c, NULL, train, test, l);
    CHECK_ERROR(c, "sslh_linear_probe: the class \"dog\"");
    d = sslh_data_match_classes(test, train);
    CHECK_ERROR(c, "sslh_data_match_classes: the class \"dog\"");
    static const int32_t cats[] = {0, 3};
    d = sslh_data_match_classes(sslh_data_pick(test, cats, 2), train);
    CHECK_OK(c);
    CHECK(d.count == 2 && d.labels[0] == 2 && d.labels[1] == 2, "a part without the unknown class");
    CHECK(d.classes == 3 && d.field[1].classes == 4 && !strcmp(d.field[1].names[3], "dog"), "which the field knows");
    d = sslh_data_match_classes(d, test);
    CHECK_OK(c);
    CHECK(d.count == 2 && d.labels[0] == 0 && d.labels[1] == 0 && ((const int32_t *)d.field[1].values)[1] == 1,
          "and back: cat is 0 and dog is 1 again");
    d = sslh_data_join(train, test); /* ant bee cat and cat dog */
    CHECK_OK(c);
    CHECK(d.classes == 4 && !strcmp(d.class_names[3], "dog") && !strcmp(d.class_names[1], "bee") && d.labels[11] == 2 &&
          d.labels[12] == 2 && d.labels[13] == 3, "joined by name: %d classes", d.classes);
    sslh_convnet_desc e;
    memset(&e, 0, sizeof e);
    e.channels = 1;
    sslh_finetune_desc f;
    memset(&f, 0, sizeof f);
    f.epochs = 1;
    sslh_finetune(c, sslh_convnet(c, e), train, test, f);
    CHECK_ERROR(c, "sslh_finetune: the class \"dog\"");
    sslh_destroy(c);
}

/* Many names, in another order: each finds the first of its name, and new ones follow in their order. Time that grew
   with the square of their number would be minutes here. */
static void many_names(void) {
    enum { N = 200000, EXTRA = 3 };
    static const uint8_t pixels[2] = {1, 2};
    int32_t label[2] = {0, 1};
    sslh_ctx *c = create(0);
    char *text = (char *)malloc(N * 8);
    const char **one = (const char **)malloc(N * sizeof *one), **two = (const char **)malloc((N + EXTRA) * sizeof *two);
    for (int i = 0; i < N; i++) {
        snprintf(text + 8 * i, 8, "n%d", i % (N - 1)); /* the last has the name of the first */
        one[i] = text + 8 * i;
        two[N - 1 - i] = text + 8 * i;
    }
    two[N] = "x", two[N + 1] = "y", two[N + 2] = "x";
    sslh_data a = sslh_data_from_images(c, pixels, 2, 1, 1, 1, label), b = a;
    a.class_names = one, a.classes = N;
    b.class_names = two, b.classes = N + EXTRA;
    label[1] = 7;
    b = sslh_data_match_classes(b, a);
    CHECK_OK(c);
    CHECK(b.labels[0] == 0 && b.labels[1] == N - 8, "%d and %d", (int)b.labels[0], (int)b.labels[1]);
    CHECK(b.classes == N && b.field[1].classes == N + EXTRA && !strcmp(b.field[1].names[N + 1], "y") &&
              !strcmp(b.field[1].names[N + 2], "x"), "%d classes", b.field[1].classes);
    free(text);
    free((void *)one);
    free((void *)two);
    sslh_destroy(c);
}

static void sheets(void) {
    static const struct { const char *text, *error;
    } bad[] = {
        {"", "no sheet"},
        {"# only this", "no sheet"},
        {"sheet a.png columns 2 count 4", "cell HEIGHT WIDTH is missing"},
        {"cell 2\n", "a number from 1 to 32768"},
        {"cell 0 2\n", "a number from 1"},
        {"cell 2x 2\n", "a number from 1"},
        {"cell 99999 2\n", "a number from 1"},
        {"cell 2 2 2\n", "unexpected words"},
        {"cells 2 2\n", "is expected at the start"},
        {"cell 2 2\nsheet ../a.png columns 2 count 4", "not a path"},
        {"cell 2 2\nsheet /a.png columns 2 count 4", "not a path"},
        {"cell 2 2\nsheet .. columns 2 count 4", "not a path"},
        {"cell 2 2\nsheet c:a columns 2 count 4", "not a path"},
        {"cell 2 2\nsheet a.png column 2 count 4", "columns N is expected"},
        {"cell 2 2\nsheet a.png columns 2", "count N is expected"},
        {"cell 2 2\nsheet a.png columns 3 count 4", "too few"},
        {"cell 2 2\nsheet a.png columns 2 count 5", "too few"},
        {"cell 2 2\nsheet a.png columns 2 count 2147483647", "too few"},
        {"cell 2 2\nsheet b.png columns 2 count 4", "cannot open"},
        {"cell 2 2\nsheet a.png columns 2 count 4\ncell 2 2", "cell comes after"},
        {"cell 2 2\nsheet a.png columns 2 count 3\nlabels l.txt", "more labels"},
        {"cell 2 2\nsheet a.png columns 2 count 4\nsheet c.png columns 1 count 1\nlabels l.txt", "fewer labels"},
        {"cell 2 2\nsheet a.png columns 2 count 4\nsheet a.png columns 1 count 1", "the sheet 'a.png' is named twice"},
        {"cell 2 2\nsheet a.png columns 2 count 4\nlabels m.txt", "not a number from 0"},
        {"labels l.txt\nlabels l.txt", "(once) labels"},
        {"cell 2 2\nclass one\nsheet a.png columns 2 count 4\nlabels l.txt", "only 1 classes are named"},
    };
    sslh_ctx *c = create(0);
    test_temporary_folder("sheets");
    put_png(c, "sheets/a.png", 0, 4, 5, 1); /* two columns of two pixels and one that is not used */
    put_png(c, "sheets/c.png", 100, 2, 2, 3);
    put(c, "sheets/l.txt", "\xef\xbb\xbf" "0 2\r\n1\t0\n"); /* a byte order mark before either text */
    put(c, "sheets/m.txt", "0 2 x 0\n");
    put(c, "sheets/index.txt",
        "\xef\xbb\xbf# cells\r\ncell 2 2 # height width\nclass  first class \r\nclass 2nd\n  class third # not this\n\n"
        "sheet a.png columns 2 count 4\r\nlabels l.txt");
    CHECK_OK(c);
    sslh_data d = sslh_load_images(c, test_temporary("sheets"));
    CHECK_OK(c);
    CHECK(d.count == 4 && d.height == 2 && d.width == 2 && d.channels == 1 && d.classes == 3, "%d images %d classes",
          (int)d.count, d.classes);
    if (d.count == 4) {
        static const uint8_t want[16] = {0, 1, 5, 6, 2, 3, 7, 8, 10, 11, 15, 16, 12, 13, 17, 18};
        CHECK(!memcmp(d.field[0].values, want, 16), "pixels");
        CHECK(d.labels[0] == 0 && d.labels[1] == 2 && d.labels[2] == 1 && d.labels[3] == 0, "labels");
        CHECK(!strcmp(d.class_names[0], "first class") && !strcmp(d.class_names[1], "2nd") &&
                  !strcmp(d.class_names[2], "third"),
              "names");
    }
    put(c, "sheets/index.txt", "cell 2 2\nsheet a.png columns 2 count 3\nsheet c.png columns 1 count 1\n");
    d = sslh_load_images(c, test_temporary("sheets"));
    CHECK_OK(c);
    CHECK(d.count == 4 && d.channels == 3 && !d.labels && ((const uint8_t *)d.field[0].values)[3 * 12 + 1] == 101,
          "grey and colour sheets");
    size_t before = sslh_query(c).bytes;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(c, "sheets/index.txt", bad[i].text);
        sslh_load_images(c, test_temporary("sheets"));
        CHECK_ERROR(c, bad[i].error);
        CHECK(sslh_query(c).bytes == before, "case %d: memory is left", (int)i);
    }
    static const char *const files[] = {"sheets/a.png", "sheets/c.png",     "sheets/l.txt",
                                        "sheets/m.txt", "sheets/index.txt", "sheets"};
    for (int i = 0; i < 6; i++) (void)test_remove(test_temporary(files[i]));
    sslh_destroy(c);
}

/* Each class costs memory: the largest number of one is limited, in memory and in files. */
static void largest_label(void) {
    static const uint8_t pixels[2] = {1, 2};
    static const char images[] = "\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\1ab";
    static const char labels[] = "\0\0\14\1\0\0\0\2\0\0\0\0\x7f\xff\xff\xfe";
    int32_t label[2] = {0, (1 << 24) - 1};
    sslh_ctx *c = create(0);
    sslh_data d = sslh_data_from_images(c, pixels, 2, 1, 1, 1, label);
    CHECK_OK(c);
    CHECK(d.classes == 1 << 24, "%d classes", d.classes);
    label[1]++;
    d = sslh_data_from_images(c, pixels, 2, 1, 1, 1, label);
    CHECK_ERROR(c, "sslh_data_from_images: the label 16777216 of sample 1 is out of range (0 to 16777215)");
    label[1] = -1;
    d = sslh_data_from_images(c, pixels, 2, 1, 1, 1, label);
    CHECK_ERROR(c, "the label -1 of sample 1");
    label[1] = 1;
    d = sslh_data_from_images(c, pixels, 2, 1, 1, 1, label);
    sslh_field f[3] = {d.field[0], d.field[1], d.field[1]};
    sslh_data_from_fields(c, f, 3, 2);
    CHECK_ERROR(c, "sslh_data_from_fields: two label fields are called \"class\"");
    f[1].classes = INT_MAX;
    sslh_data_from_fields(c, f, 2, 2);
    CHECK_ERROR(c, "sslh_data_from_fields: field 1: .classes is above 16777216");
    sslh_i_write_whole(c, "test", test_temporary("y-images-idx3-ubyte"), images, sizeof images - 1);
    sslh_i_write_whole(c, "test", test_temporary("y-labels-idx1-ubyte"), labels, sizeof labels - 1);
    d = sslh_load_images(c, test_temporary("y-images-idx3-ubyte"));
    CHECK_ERROR(c, "the label 2147483646 of sample 1 is out of range");
    (void)test_remove(test_temporary("y-images-idx3-ubyte"));
    (void)test_remove(test_temporary("y-labels-idx1-ubyte"));
    sslh_destroy(c);
}

/* Only grey images can be made into others: two channels beside three are none of both. */
static void mixed_channels(void) {
    static const struct { int a, b, all; } rows[] = {{1, 3, 3}, {3, 1, 3}, {1, 2, 2}, {2, 2, 2}, {2, 3, 0}, {4, 2, 0},
                                                     {3, 4, 0}};
    sslh_ctx *c = create(0);
    const size_t before = sslh_query(c).bytes;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int64_t mark = sslh_mark(c);
        sslh_i_parts set;
        memset(&set, 0, sizeof set);
        set.c = c;
        set.fn = "test";
        for (int k = 0; k < 2; k++) {
            sslh_i_loaded part;
            memset(&part, 0, sizeof part);
            part.count = part.height = part.width = 1;
            part.channels = k ? rows[i].b : rows[i].a;
            part.pixels = (uint8_t *)sslh_i_alloc(c, (size_t)part.channels);
            memset(part.pixels, 7 + k, (size_t)part.channels);
            CHECK(sslh_i_parts_add(&set, "file", part), "added");
        }
        sslh_data d = sslh_i_parts_finish(&set);
        CHECK(d.channels == rows[i].all, "%d and %d make %d channels", rows[i].a, rows[i].b, d.channels);
        if (!rows[i].all) CHECK_ERROR(c, "channels cannot be one set");
        else
            for (int k = 0; k < 2 * rows[i].all; k++)
                CHECK(((const uint8_t *)d.field[0].values)[k] == 7 + k / rows[i].all, "channel %d", k);
        CHECK_OK(c);
        sslh_rewind(c, mark);
        CHECK(sslh_query(c).bytes == before, "memory is left");
    }
    sslh_destroy(c);
}

static void example_data(void) {
    sslh_ctx *c = create(0);
    const char *path = sslh_i_kind_at("examples/data/train") == SSLH_I_PATH_FOLDER ? "examples/data/train"
                                                                                : "../examples/data/train";
    sslh_data d = sslh_load_images(c, path);
    CHECK_OK(c);
    CHECK(d.count == 10000 && d.height == 28 && d.width == 28 && d.channels == 1 && d.classes == 10, "%d images",
          (int)d.count);
    int per_class[10] = {0};
    for (int64_t i = 0; i < d.count; i++) per_class[d.labels[i]]++;
    for (int k = 0; k < 10; k++) CHECK(per_class[k] == 1000, "class %d has %d", k, per_class[k]);
    CHECK(d.class_names && !strcmp(d.class_names[9], "Ankle boot"), "class names");
    float mean[4], std[4];
    sslh_data_mean_std(d, mean, std);
    CHECK_NEAR(mean[0], 0.2867, 1e-3); /* of all 60,000: 0.2860 and 0.3530 */
    CHECK_NEAR(std[0], 0.3540, 1e-3);
    sslh_destroy(c);
}

static void real_data(void) {
    sslh_ctx *c = create(0);
    float mean[4], std[4];
    const char *path = test_data("mnist/train-images-idx3-ubyte.gz");
    if (path) { /* the numbers that everyone normalises MNIST by */
        sslh_data d = sslh_load_images(c, path);
        CHECK_OK(c);
        CHECK(d.count == 60000 && d.classes == 10 && d.labels[0] == 5 && d.labels[1] == 0, "MNIST");
        sslh_data_mean_std(d, mean, std);
        CHECK_NEAR(mean[0], 0.1307, 5e-5);
        CHECK_NEAR(std[0], 0.3081, 5e-5);
    } else NOTE("MNIST", "mnist/train-images-idx3-ubyte.gz");
    path = test_data("cifar10/data_batch_1.bin");
    if (path) {
        sslh_data d = sslh_load_images(c, path);
        CHECK_OK(c);
        CHECK(d.count == 10000 && d.height == 32 && d.channels == 3 && d.classes == 10, "CIFAR-10");
        CHECK(d.labels[0] == 6 && d.labels[1] == 9, "the first labels are frog and truck");
        const uint8_t *p = (const uint8_t *)d.field[0].values;
        CHECK(p[0] == 59 && p[1] == 62 && p[2] == 63, "the first pixel is %d %d %d", p[0], p[1], p[2]);
        sslh_data_mean_std(d, mean, std); /* of all 50,000: .4914 .4822 .4465, .2470 .2435 .2616 */
        CHECK_NEAR(mean[0], 0.4914, 5e-3);
        CHECK_NEAR(mean[2], 0.4465, 5e-3);
        CHECK_NEAR(std[1], 0.2435, 5e-3);
    } else NOTE("CIFAR-10", "cifar10/data_batch_1.bin");
    sslh_destroy(c);
}

/* --- views -------------------------------------------------------------------------------------------------------- */

enum { N = 23 };
static uint8_t pixels[N * 12]; /* (N,2,2,3), value 10 n + position */
static int32_t labels[N];
static sslh_data small_set(sslh_ctx *c) {
    for (int i = 0; i < N * 12; i++) pixels[i] = (uint8_t)(i / 12 * 10 + i % 12);
    for (int i = 0; i < N; i++) labels[i] = i < 2 ? 2 : i % 2;
    return sslh_data_from_images(c, pixels, N, 2, 2, 3, labels);
}

static void views_of_data(void) {
    sslh_ctx *c = create(5);
    sslh_data d = small_set(c);
    static const int32_t pick[5] = {4, 0, 4, 2, 1};
    uint8_t image[12];
    CHECK(d.count == N && d.classes == 3 && d.fields == 2, "whole");
    sslh_data r = sslh_data_range(d, 5, 15), p = sslh_data_pick(r, pick, 5), e;
    CHECK_OK(c);
    CHECK(r.count == 10 && r.classes == 3 && r.labels[0] == labels[5] && r.labels[9] == labels[14], "range");
    for (int i = 0; i < 5; i++) {
        CHECK(p.labels[i] == labels[5 + pick[i]], "label %d of a view of a view", i);
        sslh_data_image(p, i, image);
        CHECK(image[3] == pixels[12 * (5 + pick[i]) + 3], "image %d of a view of a view", i);
    }
    e = sslh_i_whole_set(p);
    CHECK(e.count == N && !e.order && e.labels == labels, "the whole set again");

    sslh_data f = sslh_data_fraction(d, 0.3, 1), g = sslh_data_fraction(d, 0.3, 1), h = sslh_data_fraction(d, 0.3, 2);
    int per_class[3] = {0, 0, 0}, same = 1, other = 0;
    for (int i = 0; i < f.count; i++) {
        per_class[f.labels[i]]++;
        same &= f.order[i] == g.order[i];
        other |= f.order[i] != h.order[i];
        if (i) CHECK(f.order[i] > f.order[i - 1], "ascending");
    }
    CHECK(per_class[0] == 3 && per_class[1] == 3 && per_class[2] == 1, "%d %d %d", per_class[0], per_class[1],
          per_class[2]);
    CHECK(same && other, "a function of the seed");
    CHECK(sslh_data_fraction(d, 1, 9).count == N, "all of it");
    CHECK(sslh_data_fraction(r, 1e-9, 9).count == 2, "at least one of each class that is there");

    sslh_data j = sslh_data_join(p, r);
    CHECK_OK(c);
    CHECK(j.count == 15 && !j.order && j.labels[1] == p.labels[1] && j.labels[5 + 9] == r.labels[9], "join");
    sslh_data_image(j, 6, image);
    CHECK(image[0] == pixels[12 * 6], "image of a joined set");

    float mean[4], std[4], m2[4], s2[4];
    sslh_data_mean_std(r, mean, std);
    for (int k = 0; k < 3; k++) {
        double s = 0, q = 0;
        for (int i = 5; i < 15; i++)
            for (int t = k; t < 12; t += 3)
                s += pixels[12 * i + t] / 255.0, q += pixels[12 * i + t] / 255.0 * pixels[12 * i + t] / 255.0;
        CHECK_NEAR(mean[k], s / 40, 1e-6);
        CHECK_NEAR(std[k], sqrt(q / 40 - s / 40 * s / 40), 1e-6);
    }
    float values[N * 12];
    for (int i = 0; i < N * 12; i++) values[i] = (float)pixels[i] / 255.0f;
    sslh_field field;
    memset(&field, 0, sizeof field);
    field.kind = SSLH_FIELD_IMAGE;
    field.shape = sslh_dim3(2, 2, 3);
    field.values = values;
    sslh_data real = sslh_data_from_fields(c, &field, 1, N);
    sslh_data_mean_std(sslh_data_range(real, 5, 15), m2, s2);
    for (int k = 0; k < 4; k++) {
        CHECK_NEAR(m2[k], mean[k], 1e-6);
        CHECK_NEAR(s2[k], std[k], 1e-6);
    }
    sslh_data_image(real, 3, image);
    CHECK(!memcmp(image, pixels + 36, 12), "8 bits of a real image");
    CHECK_OK(c);

    size_t before = sslh_query(c).bytes;
    sslh_data_range(d, 5, 24);
    CHECK_ERROR(c, "sslh_data_range: sample 23 of 23");
    sslh_data_range(d, 5, 5);
    CHECK_ERROR(c, "sslh_data_range: 0 samples");
    sslh_data_range(d, 6, 5);
    CHECK_ERROR(c, "sslh_data_range: -1 samples");
    sslh_data_pick(d, NULL, 3);
    CHECK_ERROR(c, "sslh_data_pick");
    sslh_data_fraction(d, 0, 1);
    CHECK_ERROR(c, "sslh_data_fraction: the fraction 0");
    sslh_data_fraction(d, (double)NAN, 1);
    CHECK_ERROR(c, "sslh_data_fraction");
    sslh_data_join(d, real);
    CHECK_ERROR(c, "do not have the same fields");
    sslh_data_image(d, 23, image);
    CHECK_ERROR(c, "no image 23");
    labels[7] = -1;
    sslh_data_from_images(c, pixels, N, 2, 2, 3, labels);
    CHECK_ERROR(c, "the label -1 of sample 7");
    sslh_data_from_images(c, pixels, N, 2, 2, 5, NULL);
    CHECK_ERROR(c, "1 to 4 channels");
    sslh_data_from_images(c, NULL, N, 2, 2, 3, NULL);
    CHECK_ERROR(c, "sslh_data_from_images: the array of pixels is NULL");
    sslh_data_from_images(c, pixels, 0, 2, 2, 3, NULL);
    CHECK_ERROR(c, "0 samples");
    CHECK(sslh_query(c).bytes == before, "memory is left");
    sslh_destroy(c);
}

/* --- loaders ------------------------------------------------------------------------------------------------------ */

static sslh_loader_desc loader_desc(int batch, int in_order, int epochs, int keep_last) {
    sslh_loader_desc d;
    memset(&d, 0, sizeof d);
    d.batch = batch;
    d.in_order = in_order;
    d.epochs = epochs;
    d.keep_last = keep_last;
    return d;
}

static void loader_order(void) {
    sslh_ctx *c = create(5);
    sslh_data d = small_set(c);
    sslh_batch b;
    int32_t first[2][N], n = 0;
    for (int keep = 0; keep < 2; keep++) {
        sslh_loader *l = sslh_loader_new(c, d, loader_desc(5, 0, 3, keep));
        CHECK(sslh_loader_steps(l) == (keep ? 5 : 4), "steps");
        int seen[3][N] = {{0}}, steps = 0;
        while (sslh_next_batch(l, &b)) {
            CHECK(b.step == steps && b.epoch == steps / (keep ? 5 : 4) && b.seed == 5, "step %d epoch %d", (int)b.step,
                  b.epoch);
            CHECK(b.count == (keep && steps % 5 == 4 ? 3 : 5), "%d samples", b.count);
            for (int i = 0; i < b.count; i++) {
                seen[b.epoch][b.index[i]]++;
                CHECK(b.labels[i] == labels[b.index[i]], "labels follow");
                if (b.epoch < 2 && keep) first[b.epoch][(b.step % 5) * 5 + i] = b.index[i];
            }
            steps++;
        }
        CHECK(steps == (keep ? 15 : 12), "%d steps", steps);
        for (int e = 0; e < 3; e++)
            for (n = 0; n < N && seen[e][n] == 1; n++) {}
        if (keep) CHECK(n == N, "every sample once");
    }
    CHECK(memcmp(first[0], first[1], sizeof first[0]) != 0, "two epochs have one order");
    /* seeking gives the same batches */
    sslh_loader *l = sslh_loader_new(c, d, loader_desc(5, 0, SSLH_OFF, 1));
    for (int step = 9; step >= 0; step--) {
        sslh_loader_seek(l, step);
        CHECK(sslh_next_batch(l, &b) && b.step == step, "seek %d", step);
        CHECK(!memcmp(b.index, first[step / 5] + step % 5 * 5, (size_t)b.count * 4), "batch %d after a seek", step);
    }
    sslh_loader_seek(l, 1000000000000);
    CHECK(sslh_next_batch(l, &b), "for ever");
    sslh_loader_seek(l, -1);
    CHECK_ERROR(c, "sslh_loader_seek");
    /* in order, of a view: indices count in the whole set, so does the batch's data */
    sslh_data r = sslh_data_range(d, 20, 23);
    l = sslh_loader_new(c, r, loader_desc(2, 1, 0, 0));
    CHECK(sslh_next_batch(l, &b) && b.count == 2 && b.index[0] == 20 && b.index[1] == 21 && b.labels[1] == labels[21],
          "first");
    CHECK(b.data.count == N && !b.data.order, "the whole set");
    CHECK(sslh_next_batch(l, &b) && b.count == 1 && b.index[0] == 22, "last");
    CHECK(!sslh_next_batch(l, &b), "end");
    /* larger than the data; no data; no context */
    l = sslh_loader_new(c, d, loader_desc(0, 0, 0, 0));
    CHECK(sslh_next_batch(l, &b) && b.count == N && !sslh_next_batch(l, &b), "batch of all");
    CHECK_OK(c);
    memset(&r, 0, sizeof r);
    CHECK(!sslh_loader_new(c, r, loader_desc(0, 0, 0, 0)), "no data");
    CHECK_ERROR(c, "sslh_loader_new: 0 samples");
    CHECK(!sslh_next_batch(NULL, &b) && sslh_loader_steps(NULL) == 0, "no loader");
    sslh_destroy(c);
}

static int fetch_calls;
static int fetch_image(void *user, int64_t index, void *out) {
    fetch_calls++;
    if (index == 13) return 1;
    memcpy(out, (const uint8_t *)user + 12 * index, 12);
    return 0;
}

/* Rounded once, on an x87 too. */
static sslh_real scaled(int v, int top) {
    volatile sslh_real r = (sslh_real)v / (sslh_real)top;
    return r;
}

static void batch_tensors(void) {
    sslh_ctx *c = create(5);
    sslh_data d = small_set(c);
    sslh_batch b;
    sslh_loader *l = sslh_loader_new(c, sslh_data_range(d, 3, 20), loader_desc(6, 0, SSLH_OFF, 0));
    int64_t allocs = 0, steps = 0;
    for (int step = 0; step < 20 && sslh_next_batch(l, &b); step++) {
        sslh_tensor *x = sslh_batch_images(c, b), *y = sslh_batch_labels(c, b);
        CHECK(x->ndim == 4 && x->shape[0] == 6 && x->shape[1] == 2 && x->shape[3] == 3 && x->type == SSLH_F32, "shape");
        CHECK(y->ndim == 1 && y->shape[0] == 6 && y->type == SSLH_I32, "labels");
        for (int i = 0; i < 6; i++) {
            CHECK(y->ints[i] == labels[b.index[i]], "label");
            for (int k = 0; k < 12; k++)
                CHECK(x->data[12 * i + k] == scaled(pixels[12 * b.index[i] + k], 255), "pixel");
        }
        if (step == 3) allocs = sslh_query(c).allocs, steps = sslh_query(c).steps;
    }
    CHECK(sslh_query(c).allocs == allocs, "batches allocate");
    CHECK(sslh_query(c).steps == steps + 16, "a step per batch");
    /* nothing was computed since: no new step */
    sslh_next_batch(l, &b);
    steps = sslh_query(c).steps;
    sslh_next_batch(l, &b);
    CHECK(sslh_query(c).steps == steps, "a step began without need");

    /* by callback, one that fails, and the other kinds of fields */
    static int16_t sound[N * 4];
    static int32_t words[N * 3];
    for (int i = 0; i < N * 4; i++) sound[i] = (int16_t)(i == 0 ? -32768 : i * 100);
    for (int i = 0; i < N * 3; i++) words[i] = i;
    sslh_field f[4];
    memset(f, 0, sizeof f);
    f[0].kind = SSLH_FIELD_IMAGE;
    f[0].type = SSLH_U8;
    f[0].shape = sslh_dim3(2, 2, 3);
    f[0].fetch = fetch_image;
    f[0].user = pixels;
    f[1].kind = SSLH_FIELD_AUDIO;
    f[1].type = SSLH_I32;
    f[1].int16 = 1;
    f[1].shape = sslh_dim2(4, 1);
    f[1].values = sound;
    f[2].kind = SSLH_FIELD_TOKENS;
    f[2].type = SSLH_I32;
    f[2].shape = sslh_dim1(3);
    f[2].values = words;
    f[3].kind = SSLH_FIELD_LABEL;
    f[3].type = SSLH_I32;
    f[3].values = labels;
    sslh_data m = sslh_data_from_fields(c, f, 4, N);
    CHECK_OK(c);
    l = sslh_loader_new(c, m, loader_desc(6, 1, 1, 0));
    CHECK(sslh_next_batch(l, &b), "batch");
    sslh_tensor *x = sslh_batch_images(c, b), *s = sslh_batch_field(c, b, 1), *w = sslh_batch_field(c, b, 2),
                *y = sslh_batch_field(c, b, 3);
    CHECK_OK(c);
    CHECK(fetch_calls == 6 && x->data[12 * 5 + 7] == scaled(pixels[67], 255), "fetched %d", fetch_calls);
    CHECK(s->ndim == 3 && s->data[0] == -1 && s->data[1] == scaled(100, 32768), "audio");
    CHECK(w->ndim == 2 && w->type == SSLH_I32 && w->ints[17] == 17, "tokens");
    CHECK(y->ndim == 1 && y->ints[1] == 2, "labels");
    sslh_batch_field(c, b, 4);
    CHECK_ERROR(c, "sslh_batch_field: field 4 of 4");
    float mean[4], std[4];
    sslh_data_mean_std(m, mean, std);
    CHECK_ERROR(c, "fetch callback failed for sample 13");
    sslh_data_mean_std(sslh_data_range(m, 0, 10), mean, std);
    CHECK_OK(c);
    sslh_next_batch(l, &b);
    sslh_next_batch(l, &b);
    sslh_batch_images(c, b);
    CHECK_ERROR(c, "sslh_batch_images: the data's fetch callback failed for sample 13");
    int32_t wrong[1] = {23};
    b.index = wrong;
    b.count = 1;
    sslh_batch_images(c, b);
    CHECK_ERROR(c, "sample 23 of 23 does not exist");
    f[0].values = NULL;
    sslh_data audio = sslh_data_from_fields(c, f + 1, 1, N);
    l = sslh_loader_new(c, audio, loader_desc(6, 1, 1, 0));
    sslh_next_batch(l, &b);
    sslh_batch_images(c, b);
    CHECK_ERROR(c, "has no images");
    sslh_batch_labels(c, b);
    CHECK_ERROR(c, "has no labels");
    f[1].int16 = 0;
    sslh_data_from_fields(c, f + 1, 1, N);
    CHECK_ERROR(c, "field 0: audio");
    f[2].type = SSLH_F32;
    sslh_data_from_fields(c, f + 2, 1, N);
    CHECK_ERROR(c, "tokens and labels are SSLH_I32");
    sslh_destroy(c);
}

/* A sweep that makes views and loaders between mark and rewind stays flat. */
static void flat_memory(void) {
    sslh_ctx *c = create(1);
    sslh_data d = small_set(c);
    sslh_batch b;
    size_t bytes = 0;
    for (int round = 0; round < 100; round++) {
        int64_t mark = sslh_mark(c);
        sslh_loader *l = sslh_loader_new(c, sslh_data_fraction(d, 0.5, (uint64_t)round), loader_desc(4, 0, 2, 0));
        while (sslh_next_batch(l, &b)) sslh_batch_images(c, b);
        sslh_rewind(c, mark);
        if (round == 3) bytes = sslh_query(c).bytes;
    }
    CHECK_OK(c);
    CHECK(sslh_query(c).bytes == bytes, "%d bytes, then %d", (int)bytes, (int)sslh_query(c).bytes);
    sslh_destroy(c);
}

/* Every allocation fails once: the error says so, and all memory comes back. */
typedef struct { long left, live; } counter;
static void *counting_alloc(void *user, size_t n) {
    counter *k = (counter *)user;
    if (k->left-- == 0) return NULL;
    k->live++;
    return malloc(n);
}
static void counting_free(void *user, void *p) {
    if (p) ((counter *)user)->live--;
    free(p);
}

static void no_memory(void) {
    sslh_ctx *w = create(0);
    test_temporary_folder("few");
    test_temporary_folder("few/x");
    test_temporary_folder("few/y");
    put_png(w, "few/x/a.png", 1, 2, 2, 1);
    put_png(w, "few/y/b.png", 2, 2, 2, 3);
    test_temporary_folder("sheet");
    put_png(w, "sheet/a.png", 1, 4, 4, 1);
    put_png(w, "sheet/b.png", 1, 2, 2, 1);
    put(w, "sheet/l.txt", "0 1 0 1 1");
    put(w, "sheet/index.txt",
        "class a\nclass b\ncell 2 2\nsheet a.png columns 2 count 4\nsheet b.png columns 1 count 1\nlabels l.txt\n");
    CHECK_OK(w);
    sslh_destroy(w);
    for (int work = 0; work < 6; work++)
        for (long fail = 0, done = 0; !done; fail++) {
            counter k = {-1, 0};
            sslh_desc desc;
            sslh_batch b;
            memset(&desc, 0, sizeof desc);
            desc.threads = 1;
            desc.alloc = counting_alloc;
            desc.release = counting_free;
            desc.user = &k;
            sslh_ctx *c = sslh_create(desc);
            sslh_data d = small_set(c);
            size_t before = sslh_query(c).bytes;
            k.left = fail;
            if (work == 0) sslh_load_images(c, test_temporary("few"));
            else if (work == 1) sslh_load_images(c, test_temporary("sheet"));
            else if (work == 2) sslh_data_join(sslh_data_fraction(d, 0.5, 1), sslh_data_range(d, 1, 3));
            else if (work == 3) {
                sslh_images_desc five = {5, 0};
                sslh_load_images_ex(c, test_temporary("few"), five);
            } else if (work == 4) { /* as many names as small_set may have classes */
                static const char *const one[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
                static const char *const two[] = {"z", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"};
                sslh_data e = d;
                CHECK(d.classes > 0 && d.classes < 12, "%d classes", d.classes);
                e.class_names = one;
                d.class_names = two;
                d.classes = 12;
                sslh_data_match_classes(e, d);
                d.classes = e.classes;
                sslh_data_join(d, e);
            } else {
                sslh_loader *l = sslh_loader_new(c, d, loader_desc(4, 0, 1, 0));
                while (sslh_next_batch(l, &b)) sslh_batch_images(c, b), sslh_batch_labels(c, b);
            }
            done = k.left >= 0;
            if (done) CHECK_OK(c);
            else
                CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "work %d, allocation %ld: %s", work, fail,
                      sslh_error(c) ? sslh_error(c) : "no error");
            if (!done && work < 2)
                CHECK(sslh_query(c).bytes == before, "work %d, allocation %ld: memory is left", work, fail);
            sslh_destroy(c);
            CHECK(k.live == 0, "%ld blocks are left", k.live);
        }
    static const char *const files[] = {"few/x/a.png", "few/y/b.png", "few/x",           "few/y", "few",
                                        "sheet/a.png", "sheet/b.png", "sheet/l.txt", "sheet/index.txt", "sheet"};
    for (int i = 0; i < 10; i++) (void)test_remove(test_temporary(files[i]));
}

TESTS_BEGIN
    TEST(idx_files)
    TEST(cifar_files)
    TEST(folders)
    TEST(folder_contents)
    TEST(several_sizes)
    TEST(classes_by_name)
    TEST(many_names)
    TEST(sheets)
    TEST(largest_label)
    TEST(mixed_channels)
    TEST(example_data)
    TEST(real_data)
    TEST(views_of_data)
    TEST(loader_order)
    TEST(batch_tensors)
    TEST(flat_memory)
    TEST(no_memory)
TESTS_END
