/* Makes examples/data from Fashion-MNIST: the first 1,000 training and 200 test images of each class, in the order of
   the original files, as grey PNG sheets with index.txt and labels.txt (the format is described in ssl.h, >>sheets).

       cc -O2 tests/tools/make_example_data.c -o make_example_data -lm -lpthread
       ./make_example_data [FOLDER [OUT]]

   FOLDER holds the four .gz files, by default where Debian's package dataset-fashion-mnist puts them. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const class_names[10] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                            "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};

/* count images of one sheet, columns in a row. */
static void write_sheet(sslh_ctx *c, sslh_data d, int64_t first, int count, int columns, const char *path) {
    int h = d.height, w = d.width, rows = (count + columns - 1) / columns;
    size_t pitch = (size_t)columns * (size_t)w;
    uint8_t *sheet = (uint8_t *)calloc((size_t)rows * (size_t)h, pitch),
            *cell = (uint8_t *)malloc((size_t)h * (size_t)w);
    if (sheet && cell) {
        for (int i = 0; i < count; i++) {
            sslh_data_image(d, first + i, cell);
            for (int y = 0; y < h; y++)
                memcpy(sheet + (size_t)(i / columns * h + y) * pitch + (size_t)(i % columns * w), cell + y * w,
                       (size_t)w);
        }
        sslh_save_png(c, path, sheet, rows * h, columns * w, 1);
    } else sslh_fail(c, SSLH_E_MEMORY, "out of memory");
    free(sheet);
    free(cell);
}

/* The first per_class images of each class, in sheets of at most per_sheet. */
static void make_set(sslh_ctx *c, const char *source, const char *out, const char *name, int per_class, int per_sheet) {
    char path[1024];
    int seen[10] = {0}, n = 0;
    sslh_data all = sslh_load_images(c, source);
    int32_t *pick = (int32_t *)malloc((size_t)per_class * 10 * sizeof *pick);
    for (int64_t i = 0; pick && all.labels && i < all.count; i++)
        if (seen[all.labels[i]]++ < per_class) pick[n++] = (int32_t)i;
    sslh_data d = sslh_data_pick(all, pick, n);
    free(pick);
    if (sslh_error(c)) return;

    snprintf(path, sizeof path, "%s/%s", out, name);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/labels.txt", out, name);
    FILE *labels = fopen(path, "wb");
    snprintf(path, sizeof path, "%s/%s/index.txt", out, name);
    FILE *index = fopen(path, "wb");
    if (!labels || !index) {
        sslh_fail(c, SSLH_E_FILE, "cannot write into %s/%s", out, name);
        if (labels) fclose(labels);
        if (index) fclose(index);
        return;
    }
    fprintf(index, "# Fashion-MNIST, %d %s images; see ../README.md\ncell %d %d\n", n, name, d.height, d.width);
    for (int k = 0; k < 10; k++) fprintf(index, "class %s\n", class_names[k]);
    for (int first = 0, k = 0; first < n; first += per_sheet, k++) {
        int count = n - first < per_sheet ? n - first : per_sheet;
        snprintf(path, sizeof path, "%s/%s/%s_%d.png", out, name, name, k);
        write_sheet(c, d, first, count, 50, path);
        fprintf(index, "sheet %s_%d.png columns 50 count %d\n", name, k, count);
    }
    fprintf(index, "labels labels.txt\n");
    for (int i = 0; i < n; i++) fprintf(labels, "%d%c", (int)d.labels[i], i % 50 == 49 ? '\n' : ' ');
    fclose(labels);
    fclose(index);
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
    const char *out = argc > 2 ? argv[2] : "examples/data";
    char path[1024];
    sslh_desc desc;
    memset(&desc, 0, sizeof desc);
    sslh_ctx *c = sslh_create(desc);
    (void)mkdir(out, 0777);
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte.gz", folder);
    make_set(c, path, out, "train", 1000, 2500);
    snprintf(path, sizeof path, "%s/t10k-images-idx3-ubyte.gz", folder);
    make_set(c, path, out, "test", 200, 2000);
    int failed = sslh_error(c) != NULL;
    if (failed) fprintf(stderr, "%s\n", sslh_error(c));
    sslh_destroy(c);
    return failed;
}
