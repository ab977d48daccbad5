/* Fuzzing of every reader that takes bytes from outside.

   With libFuzzer:  clang -g -O1 -fsanitize=fuzzer,address,undefined -DSSLH_LIBFUZZER -DSSLH_WITH_SIMD=0 -I. \
                        tests/fuzz_files.c -o fuzz -lm -lpthread
                    ./fuzz tests/golden/files
   Without:         a test like the others: a bounded number of mutated samples (FUZZ_RUNS in the environment, default
                    20,000), to be built with sanitizers too. PNG checksums are mended after most mutations, as
                    otherwise nearly every mutant would be refused at its first chunk. */
#define SSLH_IMPLEMENTATION
#define SSLH_MAX_PIXELS 262144u
#include "../ssl.h"

#ifdef __cplusplus
extern "C"
#endif
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A reader's results are freed; an error is cleared; nothing may be left, whatever the bytes were. */
static int settle(sslh_ctx *c, size_t before, const char *what) {
    if (sslh_query(c).bytes != before) {
        fprintf(stderr, "%s: %.0f bytes are left (%s)\n", what, (double)(sslh_query(c).bytes - before),
                sslh_error(c) ? sslh_error(c) : "no error");
        abort();
    }
    int ok = sslh_error(c) == NULL;
    sslh_clear_error(c);
    return ok;
}

static int accepted;               /* inputs that some reader took */
static int taken[SSLH_I_READERS]; /* by the row of the table */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static sslh_ctx *c;
    sslh_desc d;
    sslh_i_parts set;
    memset(&d, 0, sizeof d);
    d.threads = 1;
    d.max_bytes = (size_t)1 << 28;
    if (!c) c = sslh_create(d);
    size_t before = sslh_query(c).bytes, n;
    uint8_t *exact = (uint8_t *)malloc(size ? size : 1); /* so that one byte too far is seen */
    if (!exact) return 0;
    if (size) memcpy(exact, data, size);
    sslh_i_source s = sslh_i_source_of(c, "fuzz", "memory", exact, size);
    int took = 0;

    sslh_i_free(c, sslh_load_image_memory(c, exact, size, NULL, NULL, NULL));
    took |= settle(c, before, "image");
    for (int format = 0; format < 3; format++) {
        sslh_i_free(c, sslh_inflate(c, exact, size, format, 1 << 20, &n));
        took |= settle(c, before, "inflate");
    }
    for (int row = 0; row < SSLH_I_READERS; row++) { /* every format of the table that the bytes may be of */
        sslh_i_source one = s;
        sslh_i_found found;
        if (!sslh_i_readers[row].is(&one)) continue;
        memset(&found, 0, sizeof found);
        sslh_i_readers[row].read(&one, &found);
        sslh_i_found_free(c, &found);
        sslh_i_source_close(&one);
        int ok = settle(c, before, sslh_i_readers[row].name);
        taken[row] += ok;
        took |= ok;
    }

    memset(&set, 0, sizeof set);
    set.c = c;
    set.fn = "fuzz";
    sslh_i_load_index(&set, &s, "no folder"); /* the text; sheets and labels that it names are not there */
    sslh_i_parts_free(&set);
    settle(c, before, "index.txt");

    /* the bytes as content: what is packed comes back */
    if (size && size < 100000) {
        size_t packed_size;
        uint8_t *packed = sslh_i_deflate(c, exact, size, size & 1 ? 3 : 6, &packed_size);
        uint8_t *back = packed ? sslh_inflate(c, packed, packed_size, 1, size, &n) : NULL;
        if (!back || n != size || memcmp(back, exact, size)) {
            fprintf(stderr, "deflate and inflate differ (%s)\n", sslh_error(c) ? sslh_error(c) : "no error");
            abort();
        }
        sslh_i_free(c, packed);
        sslh_i_free(c, back);
        settle(c, before, "deflate");
    }
    free(exact);
    accepted += took;
    return 0;
}

#ifndef SSLH_LIBFUZZER
#include "harness.h"
#include "samples.h"

static uint32_t dice_state = 12345;
static uint32_t dice(uint32_t n) {
    dice_state = dice_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(dice_state >> 4) * n >> 28);
}

/* Makes the chunk checksums of a PNG right again. */
static void mend_png(uint8_t *p, size_t size) {
    for (size_t at = 8; size - at >= 12;) {
        size_t n = sslh_i_be32(p + at);
        if (n > size - at - 12) return;
        sslh_i_put_be32(p + at + 8 + n, sslh_i_crc32(0, p + at + 4, n + 4));
        at += 12 + n;
    }
}

/* One to four small changes; returns the new size, at most size + 64. */
static size_t mutate(uint8_t *p, size_t size) {
    static const uint8_t special[] = {0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 127, 128, 254, 255, '#', ' ', '9', '\n'};
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

static void mutated_golden_files(void) {
    static const char text[] = "# c\ncell 2 2\nclass a b\nsheet a.png columns 2 count 4\nlabels l.txt\n";
    static test_sample seed[256];
    const char *runs = getenv("FUZZ_RUNS");
    int seeds = test_samples(seed, 255), count = runs ? atoi(runs) : 20000;
    CHECK(seeds > 80, "%d seeds", seeds);
    seed[seeds].bytes = (uint8_t *)malloc(sizeof text);
    memcpy(seed[seeds].bytes, text, sizeof text);
    seed[seeds++].size = sizeof text - 1;
    for (int i = 0; i < seeds; i++) LLVMFuzzerTestOneInput(seed[i].bytes, seed[i].size);
    CHECK(accepted > 80, "only %d of the seeds themselves are accepted", accepted);
    for (int row = 0; row < SSLH_I_READERS; row++) CHECK(taken[row], "no seed is read as %s", sslh_i_readers[row].name);
    accepted = 0;
    memset(taken, 0, sizeof taken);
    uint8_t *p = (uint8_t *)malloc((1 << 16) + 64);
    for (int run = 0; run < count; run++) {
        uint32_t k = dice((uint32_t)seeds);
        memcpy(p, seed[k].bytes, seed[k].size);
        size_t size = mutate(p, seed[k].size);
        if (size >= 8 && !memcmp(p, sslh_i_png_magic, 8) && dice(4)) mend_png(p, size);
        LLVMFuzzerTestOneInput(p, size);
    }
    if (count >= 1000)
        CHECK(accepted > count / 100 && accepted < count, "%d of %d mutants are accepted", accepted, count);
    for (int row = 0; count >= 10000 && row < SSLH_I_READERS; row++)
        CHECK(taken[row], "no mutant is read as %s", sslh_i_readers[row].name);
    printf("note: %d mutants of %d files, %d accepted\n", count, seeds, accepted);
    free(p);
    while (seeds) free(seed[--seeds].bytes);
}

TESTS_BEGIN
    TEST(mutated_golden_files)
TESTS_END
#endif
