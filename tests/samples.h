/* The small files that the tests of readers begin with: those that tests/golden/files/expected.txt names, the IDX files
   beside them, and the formats whose files are made here because they are plain. Every row of the table of readers in
   ssl.h must be met by one of them; tests/files.c and tests/fuzz_files.c check that. Needs harness.h. */
#ifndef SSLH_TEST_SAMPLES_H
#define SSLH_TEST_SAMPLES_H

typedef struct test_sample {
    char     name[128];
    uint8_t *bytes; /* size of them, to be freed */
    size_t   size;
} test_sample;

/* One CIFAR record with so many labels. The first of two is no label of CIFAR-10, so that no prefix is such a file. */
static size_t test_cifar(uint8_t *out, size_t labels) {
    size_t k;
    for (k = 0; k < labels + 3072; k++) out[k] = (uint8_t)(k < labels ? (labels == 1 ? 7 : 17 + k) : k * k >> 4);
    return labels + 3072;
}

/* Fills in at most max samples and returns their number. */
static int test_samples(test_sample *sample, int max) {
    static const char *const more[] = {"idx/plain-images-idx3-ubyte", "idx/zipped-images-idx3-ubyte.gz", "CIFAR-10",
                                       "CIFAR-100"};
    char line[256];
    int n = 0, extra = 0;
    FILE *list = fopen(test_golden("expected.txt"), "rb");
    while (list && n < max) {
        test_sample *s = &sample[n];
        if (fgets(line, sizeof line, list)) {
            if (sscanf(line, "%127s", s->name) != 1 || !strchr(s->name, '.')) continue;
        } else if (extra < 4) snprintf(s->name, sizeof s->name, "%s", more[extra++]);
        else break;
        s->bytes = (uint8_t *)malloc(1 << 16);
        if (!s->bytes) break;
        if (!strncmp(s->name, "CIFAR", 5)) s->size = test_cifar(s->bytes, strcmp(s->name, "CIFAR-10") ? 2 : 1);
        else {
            FILE *f = fopen(test_golden(s->name), "rb");
            s->size = f ? fread(s->bytes, 1, 1 << 16, f) : 0;
            if (f) fclose(f);
        }
        n++;
    }
    if (list) fclose(list);
    return n;
}
#endif
