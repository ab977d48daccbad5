/* Readers and writers: round trips, files made by other programs (tests/golden/files), and hostile bytes: every
   truncation, flipped bits, absurd sizes. Data sets, their views and loaders are in tests/data.c. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#include "harness.h"
#include "samples.h"

static sslh_ctx *create(void) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = 1;
    return sslh_create(d);
}

static void checksums(void) {
    uint8_t big[20001];
    CHECK(sslh_i_crc32(0, "123456789", 9) == 0xcbf43926u, "crc32");
    CHECK(sslh_i_adler32(1, (const uint8_t *)"123456789", 9) == 0x091e01deu, "adler32");
    for (uint32_t i = 0; i < sizeof big; i++) big[i] = (uint8_t)(i * i >> 3);
    uint32_t parts = 0;
    for (size_t i = 0; i < sizeof big; i += 777)
        parts = sslh_i_crc32(parts, big + i, SSLH_I_MIN(sizeof big - i, (size_t)777));
    CHECK(parts == sslh_i_crc32(0, big, sizeof big), "the fast and the plain loop differ");
}

/* Pseudo-random bytes that do not depend on the library. */
static uint32_t dice_state = 1;
static uint32_t dice(void) {
    dice_state = dice_state * 1664525u + 1013904223u;
    return dice_state >> 8;
}

static void deflate_round_trip(void) {
    sslh_ctx *c = create();
    size_t before = sslh_query(c).bytes, cap = 300000;
    uint8_t *p = (uint8_t *)malloc(cap);
    for (int kind = 0; p && kind < 7; kind++)
        for (size_t n = 0; n <= cap; n = n < 5 ? n + 1 : n * 7 + 3) {
            size_t packed_size, size = 0;
            for (size_t i = 0; i < n; i++) {
                uint32_t r = dice();
                p[i] = (uint8_t)(kind == 0   ? 0
                                 : kind == 1 ? r
                                 : kind == 2 ? r & 3
                                 : kind == 3 ? i / 100
                                 : kind == 4 ? (i % 40000 < 300 ? r : 7)
                                 : kind == 5 ? (i > 32768 ? p[i - 32768] : r)
                                             : r % 255 * (r % 17 == 0));
            }
            uint8_t *packed = sslh_i_deflate(c, p, n, kind & 1 ? 6 : 3, &packed_size);
            uint8_t *back = packed ? sslh_inflate(c, packed, packed_size, 1, n, &size) : NULL;
            CHECK(back && size == n && !memcmp(back, p, n), "kind %d, %d bytes", kind, (int)n);
            CHECK(packed_size <= n + (n >> 11) + 128, "kind %d: %d -> %d bytes", kind, (int)n, (int)packed_size);
            if (kind == 0 && n > 100000) CHECK(packed_size < n / 500, "zeros: %d -> %d", (int)n, (int)packed_size);
            sslh_i_free(c, packed);
            sslh_i_free(c, back);
        }
    free(p);
    CHECK_OK(c);
    CHECK(sslh_query(c).bytes == before, "memory is left");
    sslh_destroy(c);
}

static void inflate_refuses(void) {
    static const struct { int format; const char *bytes; int size; const char *text; } bad[] = {
        {0, "\x07", 1, "invalid block type"},
        {0, "\x01\x05\x00\xfa\xff", 5, "ends early"},
        {0, "\x01\x05\x00\xfb\xfe" "abcde", 10, "stored block is damaged"},
        {0, "\x05\xff\xff", 3, "too many length"},
        {0, "\x03\x02", 2, "before the first byte"},
        {0, "\x04\x00\xfe\xff", 4, "not complete"},
        {1, "\x78\x9d\x03\x00\x00\x00\x00\x01", 8, "no zlib header"},
        {1, "\x78\xbb\x03\x00\x00\x00\x00\x01", 8, "preset dictionary"},
        {1, "\x78\x9c\x03\x00\x00\x00\x00\x02", 8, "Adler"},
        {1, "\x78\x9c\x03\x00\x00\x00\x00\x01x", 9, "follow the end"},
        {1, "\x78", 1, "ends early"},
        {2, "\x1f\x8b\x08\xe0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0", 20, "unknown flags"},
        {2, "\x1f\x8b\x08\x08\0\0\0\0\0\0aaaaaaaaaa", 20, "header ends early"},
        {2, "\x1f\x8b\x08\x00\0\0\0\0\0\0\x03\0\1\0\0\0\0\0\0\0", 20, "CRC-32"},
        {2, "\x1f\x8b\x08\x00\0\0\0\0\0\0\x03\0\0\0\0\0\1\0\0\0", 20, "length does not match"},
    };
    sslh_ctx *c = create();
    size_t before = sslh_query(c).bytes, size;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!sslh_inflate(c, bad[i].bytes, (size_t)bad[i].size, bad[i].format, 1000, &size) && !size,
              "case %d is accepted", (int)i);
        CHECK_ERROR(c, bad[i].text);
    }
    uint8_t *empty = sslh_inflate(c, "\x1f\x8b\x08\x00\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0", 20, 2, 1000, &size);
    CHECK(empty != NULL && size == 0, "an empty gzip file");
    sslh_i_free(c, empty);
    CHECK_OK(c);
    /* a bomb: 300 kB of zeros with a limit of 1,000 bytes */
    uint8_t *zeros = (uint8_t *)calloc(300000, 1);
    uint8_t *packed = sslh_i_deflate(c, zeros, 300000, 3, &size);
    CHECK(!sslh_inflate(c, packed, size, 1, 1000, &size), "the limit is not kept");
    CHECK_ERROR(c, "more than the expected size");
    CHECK(!sslh_inflate(c, packed, 0, 7, 1000, &size), "format 7");
    CHECK_ERROR(c, "sslh_inflate: ");
    free(zeros);
    sslh_i_free(c, packed);
    CHECK(sslh_query(c).bytes == before, "memory is left");
    sslh_destroy(c);
}

/* A block of n letters a in the codes of the block itself, in which a has the code 0 and the end 1. */
static void dynamic_block(sslh_i_deflater *d, int n, int last) {
    sslh_i_put_bits(d, (uint32_t)last | 2 << 1, 3);
    sslh_i_put_bits(d, 14 << 10, 14); /* 257 symbols, 1 distance, 18 lengths of the code that they are written in: */
    for (int i = 0; i < 18; i++) sslh_i_put_bits(d, i == 2 ? 1 : i == 3 || i == 17 ? 2 : 0, 3); /* of 18; of 0 and 1 */
    sslh_i_put_bits(d, 0 | (97 - 11) << 1, 8);  /* 18: 97 zeros; then the length 1 of a */
    sslh_i_put_bits(d, 3, 2);
    sslh_i_put_bits(d, 0 | (138 - 11) << 1, 8); /* 158 zeros; the length 1 of the end; no distance */
    sslh_i_put_bits(d, 0 | (20 - 11) << 1, 8);
    sslh_i_put_bits(d, 3, 2);
    sslh_i_put_bits(d, 1, 2);
    for (int i = 0; i < n; i++) sslh_i_put_bits(d, 0, 1);
    sslh_i_put_bits(d, 1, 1);
}
/* One of the letters in the codes that need no table. */
static void fixed_block(sslh_i_deflater *d, const char *letters, int last) {
    sslh_i_put_bits(d, (uint32_t)last | 1 << 1, 3);
    for (; *letters; letters++) {
        uint32_t code = 0x30u + (uint32_t)*letters, reversed = 0;
        for (int k = 0; k < 8; k++) reversed |= (code >> k & 1) << (7 - k);
        sslh_i_put_bits(d, reversed, 8);
    }
    sslh_i_put_bits(d, 0, 7);
}

/* Blocks of all types in turn; many empty ones, whose 10 bits must not cost as much as tables of codes. */
static void inflate_blocks(void) {
    enum { EMPTY = 800000 };
    sslh_ctx *c = create();
    size_t size = 0;
    sslh_i_deflater *d = (sslh_i_deflater *)calloc(1, sizeof *d);
    d->out = (uint8_t *)malloc(EMPTY / 8 * 10 + 100);
    fixed_block(d, "x", 0);
    dynamic_block(d, 3, 0);
    fixed_block(d, "y", 0);
    fixed_block(d, "", 0);
    fixed_block(d, "z", 0);
    sslh_i_put_stored(d, (const uint8_t *)"stored", 6, 0);
    fixed_block(d, "w", 0);
    dynamic_block(d, 2, 0);
    dynamic_block(d, 1, 1);
    sslh_i_put_bits(d, 0, 7);
    uint8_t *text = sslh_inflate(c, d->out, d->at, 0, 100, &size);
    CHECK_OK(c);
    CHECK(text && size == 16 && !memcmp(text, "xaaayzstoredwaaa", 16), "%d bytes: %.*s", (int)size, (int)size,
          text ? (const char *)text : "");
    sslh_i_free(c, text);
    d->at = 0, d->hold = 0, d->count = 0;
    for (int i = 0; i <= EMPTY; i++) fixed_block(d, "", i == EMPTY);
    sslh_i_put_bits(d, 0, 7);
    const clock_t start = clock();
    text = sslh_inflate(c, d->out, d->at, 0, 100, &size);
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    CHECK(text && size == 0, "empty blocks make %d bytes", (int)size);
    if (!test_small()) CHECK(seconds < 1, "a megabyte of empty blocks takes %.1f seconds", seconds);
    sslh_i_free(c, text);
    CHECK_OK(c);
    free(d->out);
    free(d);
    sslh_destroy(c);
}

/* --- golden files ------------------------------------------------------------------------------------------------- */

static uint32_t tensor_crc(const sslh_tensor *t) {
    uint32_t crc = 0;
    for (size_t i = 0; i < t->count; i++) {
        uint8_t b[4];
        float v = t->type == SSLH_F32 ? (float)t->data[i] : 0;
        uint32_t bits = t->type == SSLH_I32 ? (uint32_t)t->ints[i] : 0;
        if (t->type == SSLH_F32) memcpy(&bits, &v, 4);
        sslh_i_put_le32(b, bits);
        crc = t->type == SSLH_U8 ? sslh_i_crc32(crc, t->bytes + i, 1) : sslh_i_crc32(crc, b, 4);
    }
    return crc;
}

static void golden_npy(sslh_ctx *c, const char *name, const char *line) {
    char kind[8], shape[64], text[64] = "";
    unsigned crc;
    CHECK(sscanf(line, "%*s %7s %63s %x", kind, shape, &crc) == 3, "expected.txt: %s", line);
    sslh_tensor *t = sslh_load_npy(c, test_golden(name));
    CHECK_OK(c);
    for (int i = 0; i < t->ndim; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), i ? ",%d" : "%d", t->shape[i]);
    CHECK(!strcmp(t->ndim ? text : "()", shape), "%s: shape %s instead of %s", name, text, shape);
    sslh_type type = kind[0] == 'f' ? SSLH_F32 : kind[0] == 'u' ? SSLH_U8 : SSLH_I32;
    CHECK(t->type == type, "%s: type %d", name, (int)t->type);
    CHECK(tensor_crc(t) == crc, "%s: values differ", name);
}

static uint32_t floats_crc(const float *x, size_t n) {
    uint32_t crc = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t b[4];
        sslh_i_put_le32(b, sslh_i_float_bits(x[i]));
        crc = sslh_i_crc32(crc, b, 4);
    }
    return crc;
}

static void golden_wav(sslh_ctx *c, const char *name, const char *line) {
    int frames, channels, rate, ch, r;
    int64_t n;
    unsigned crc;
    CHECK(sscanf(line, "%*s %d %d %d %x", &frames, &channels, &rate, &crc) == 4, "expected.txt: %s", line);
    float *p = sslh_load_wav(c, test_golden(name), &n, &ch, &r);
    CHECK_OK(c);
    CHECK(n == frames && ch == channels && r == rate, "%s: %d x %d at %d", name, (int)n, ch, r);
    if (p) CHECK(floats_crc(p, (size_t)(n * ch)) == crc, "%s: samples differ", name);
}

static void golden_files(void) {
    char line[256], name[128];
    int images = 0, arrays = 0, sounds = 0;
    sslh_ctx *c = create();
    FILE *f = fopen(test_golden("expected.txt"), "rb");
    CHECK(f != NULL, "tests/golden/files/expected.txt is not here");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "%127s", name) == 1) {
        int height, width, channels, h, w, ch;
        unsigned crc;
        if (strstr(name, ".npy") || strstr(name, ".npz")) {
            golden_npy(c, name, line);
            arrays++;
        } else if (strstr(name, ".wav")) {
            golden_wav(c, name, line);
            sounds++;
        } else if (strchr(name, '.')) {
            CHECK(sscanf(line, "%*s %d %d %d %x", &height, &width, &channels, &crc) == 4, "expected.txt: %s", line);
            uint8_t *p = sslh_load_image(c, test_golden(name), &h, &w, &ch);
            CHECK_OK(c);
            CHECK(h == height && w == width && ch == channels, "%s: %d x %d x %d instead of %d x %d x %d", name, h, w,
                  ch, height, width, channels);
            if (p) CHECK(sslh_i_crc32(0, p, (size_t)(h * w * ch)) == crc, "%s: pixels differ", name);
            sslh_clear_error(c);
            images++;
        }
    }
    if (f) fclose(f);
    CHECK(images > 50 && arrays > 15 && sounds > 5, "%d images, %d arrays, %d recordings", images, arrays, sounds);
    sslh_destroy(c);
}

static void png_round_trip(void) {
    static const int sizes[][2] = {{1, 1}, {1, 300}, {300, 1}, {7, 9}, {64, 64}, {130, 257}};
    sslh_ctx *c = create();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int channels = 1; channels <= 4; channels++)
            for (int noise = 0; noise < 3; noise++) {
                int h = sizes[i][0], w = sizes[i][1], h2, w2, ch2;
                size_t n = (size_t)(h * w * channels), size, before = sslh_query(c).bytes;
                uint8_t *p = (uint8_t *)malloc(n);
                for (size_t k = 0; k < n; k++)
                    p[k] = (uint8_t)(noise == 2 ? dice() : noise == 1 ? k / 3 + (dice() & 3) : 200);
                uint8_t *file = sslh_i_png_encode(c, "test", p, h, w, channels, &size);
                uint8_t *back = sslh_load_image_memory(c, file, size, &h2, &w2, &ch2);
                CHECK_OK(c);
                CHECK(back && h2 == h && w2 == w && ch2 == channels && !memcmp(back, p, n), "%d x %d x %d, kind %d", h,
                      w, channels, noise);
                if (noise == 0 && n > 1000) CHECK(size < n / 8, "a plain area of %d bytes takes %d", (int)n, (int)size);
                sslh_i_free(c, file);
                sslh_i_free(c, back);
                free(p);
                CHECK(sslh_query(c).bytes == before, "memory is left");
            }
    sslh_save_png(c, "x.png", NULL, 1, 1, 1);
    CHECK_ERROR(c, "sslh_save_png: 1 x 1");
    sslh_save_png(c, "x.png", (const uint8_t *)"abcde", 1, 1, 5);
    CHECK_ERROR(c, "5 channels");
    sslh_destroy(c);
}

/* Arrays of an archive by name; what else is called .npz or .npy and cannot be read says why. */
static void archives(void) {
    sslh_ctx *c = create();
    size_t before = sslh_query(c).bytes, n;
    char path[512];
    uint8_t *file, *two;
    sslh_tensor *t;
    snprintf(path, sizeof path, "%s:y", test_golden("npz_several.npz"));
    t = sslh_load_npy(c, path);
    CHECK_OK(c);
    CHECK(t->ndim == 2 && t->shape[0] == 2 && t->shape[1] == 3 && t->data[4] == 4 && t->data[5] == 5, "y");
    path[strlen(path) - 1] = 'x';
    t = sslh_load_npy(c, path);
    CHECK_OK(c);
    CHECK(t->ndim == 2 && t->shape[1] == 3 && t->data[1] == 1 && t->data[3] == 3, "x");
    snprintf(path, sizeof path, "%s:labels", test_golden("npz_several.npz"));
    t = sslh_load_npy(c, path);
    CHECK_OK(c);
    CHECK(t->type == SSLH_I32 && t->count == 3 && t->ints[1] == -1 && t->ints[2] == 4, "labels");
    sslh_load_npy(c, test_golden("npz_several.npz"));
    CHECK_ERROR(c, "an archive of 3 arrays; name one behind the path and a colon, as in x.npz:labels; "
                   "it has: x, y, lab");
    snprintf(path, sizeof path, "%s:z", test_golden("npz_several.npz"));
    sslh_load_npy(c, path);
    CHECK_ERROR(c, "no array 'z' in the archive, which has: x, y, labels");
    sslh_load_npy(c, "nothing.npz:x");
    CHECK_ERROR(c, "cannot open nothing.npz");
    sslh_destroy(c);
    /* two arrays in one .npy */
    c = create();
    file = sslh_i_read_whole(c, "test", test_golden("npy_vector.npy"), &n);
    two = (uint8_t *)malloc(2 * n);
    if (file && two) {
        sslh_i_loaded found;
        sslh_i_source s = sslh_i_source_of(c, "test", "memory", two, 2 * n);
        memcpy(two, file, n);
        memcpy(two + n, file, n);
        CHECK(!sslh_i_read(&s, SSLH_I_GIVES_ARRAY, &found), "two arrays are accepted");
        CHECK_ERROR(c, "a second array follows the first");
        two[n] = 0;
        CHECK(!sslh_i_read(&s, SSLH_I_GIVES_ARRAY, &found), "bytes behind an array are accepted");
        CHECK_ERROR(c, "bytes of values instead of");
    }
    free(two);
    sslh_i_free(c, file);
    CHECK(sslh_query(c).bytes == before, "memory is left");
    sslh_destroy(c);
}

/* An archive in which n members are the same packed bytes, at the beginning of the file. */
static uint8_t *zip_of(int n, size_t count, size_t *size) {
    sslh_ctx *c = create();
    size_t bytes = sslh_i_npy_header("<f4", sslh_dim1((int)count), count, NULL), packed, at, list;
    uint8_t *npy = (uint8_t *)calloc(bytes, 1), *zip;
    sslh_i_npy_header("<f4", sslh_dim1((int)count), count, npy);
    zip = sslh_i_deflate(c, npy, bytes, 3, &packed);
    packed -= 6; /* without the head of zlib, 2 bytes, and its checksum */
    uint8_t *out = (uint8_t *)calloc(packed + 100 + 60 * (size_t)n, 1);
    memcpy(out, "PK\3\4", 4);
    memcpy(out + 30, zip + 2, packed);
    for (at = list = 30 + packed; n-- > 0; at += 51) {
        memcpy(out + at, "PK\1\2", 4);
        out[at + 10] = 8;
        sslh_i_put_le32(out + at + 16, sslh_i_crc32(0, npy, bytes));
        sslh_i_put_le32(out + at + 20, (uint32_t)packed);
        sslh_i_put_le32(out + at + 24, (uint32_t)bytes);
        out[at + 28] = 5; /* the name; that before the bytes has none */
        memcpy(out + at + 46, "a.npy", 5);
        out[at + 46] = (uint8_t)(out[at + 46] + n);
    }
    memcpy(out + at, "PK\5\6", 4);
    out[at + 10] = (uint8_t)((at - list) / 51);
    sslh_i_put_le32(out + at + 12, (uint32_t)(at - list));
    sslh_i_put_le32(out + at + 16, (uint32_t)list);
    *size = at + 22;
    free(npy);
    sslh_i_free(c, zip);
    sslh_destroy(c);
    return out;
}

/* Eight members of the same bytes would make eight times as much of a file as it can hold. */
static void overlapping_members(void) {
    const size_t count = 250000;
    for (int n = 1; n <= 8; n += 7) {
        sslh_ctx *c = create();
        size_t before = sslh_query(c).bytes, size;
        uint8_t *zip = zip_of(n, count, &size);
        sslh_i_loaded found;
        sslh_i_source s = sslh_i_source_of(c, "test", "memory", zip, size);
        sslh_i_st weights;
        s.part = "a";
        int read = sslh_i_read(&s, SSLH_I_GIVES_ARRAY, &found);
        CHECK(read == (n == 1), "%d members: read %d", n, read);
        if (n > 1) CHECK_ERROR(c, "the members of the archive overlap");
        else CHECK(found.array && found.array->count == count, "values");
        if (read) sslh_i_loaded_free(c, &found);
        read = sslh_i_st_open(&weights, c, "test", "memory", zip, size);
        CHECK(read == (n == 1) && weights.n == (n == 1), "%d members: read %d as weights", n, read);
        sslh_i_st_close(&weights);
        if (n > 1) CHECK_ERROR(c, "the members of the archive overlap");
        CHECK_OK(c);
        CHECK(sslh_query(c).bytes == before, "memory is left");
        if (n > 1)
            CHECK(sslh_query(c).peak < before + 2 * count, "%d bytes made the reader take %.0f", (int)size,
                  (double)sslh_query(c).peak);
        free(zip);
        sslh_destroy(c);
    }
}

/* An archive with every number in its wide form, as one of more than 4 GB has them: "a.npy" with the values 1 and 2. */
enum { WIDE_SIZE = 35 + 136 + 79 + 56 + 20 + 22, WIDE_LIST = 35 + 136, WIDE_END = WIDE_LIST + 79 };
static void wide_zip(uint8_t out[WIDE_SIZE]) {
    const uint8_t largest[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    uint8_t *list = out + WIDE_LIST, *end = out + WIDE_END;
    memset(out, 0, WIDE_SIZE);
    memcpy(out, "PK\3\4", 4);
    out[26] = 5;
    memcpy(out + 30, "a.npy", 5);
    sslh_i_npy_header("<f4", sslh_dim1(2), 2, out + 35);
    sslh_i_put_le32(out + 35 + 128, sslh_i_float_bits(1));
    sslh_i_put_le32(out + 35 + 132, sslh_i_float_bits(2));
    memcpy(list, "PK\1\2", 4);
    sslh_i_put_le32(list + 16, sslh_i_crc32(0, out + 35, 136));
    memcpy(list + 20, largest, 8);
    list[28] = 5, list[30] = 28;
    memcpy(list + 42, largest, 4);
    memcpy(list + 46, "a.npy\1\0\30\0", 9);
    list[55] = list[63] = 136; /* size, packed, and 0: where the member is */
    memcpy(end, "PK\6\6", 4);
    end[32] = 1, end[48] = WIDE_LIST;
    memcpy(end + 56, "PK\6\7", 4);
    end[64] = WIDE_END;
    memcpy(end + 76, "PK\5\6", 4);
    memcpy(end + 76 + 10, largest, 2);
    memcpy(end + 76 + 12, largest, 8);
}
/* Wide numbers are read, and refused where they lie. */
static void wide_archives(void) {
    static const struct { int at; uint8_t byte; const char *text; } lies[] = {
        {0, 'P', NULL},
        {WIDE_LIST + 51, 2, "a member of more than 4 GB whose sizes are missing"},
        {WIDE_LIST + 53, 16, "a member of more than 4 GB whose sizes are missing"},
        {WIDE_LIST + 53, 25, "a member of more than 4 GB whose sizes are missing"},
        {WIDE_LIST + 62, 0x80, "'a' is too large for this machine"},
        {WIDE_LIST + 62, 0x10, "a stored array has two sizes"},
        {WIDE_LIST + 70, 0x80, "'a' ends early"},
        {WIDE_LIST + 78, 0xff, "'a' is not where the list says"},
        {WIDE_END + 39, 0x80, "the list of the archive ends early"},
        {WIDE_END + 32, 2, "the list of the archive ends early"},
        {WIDE_END + 55, 0x80, "the list of the archive lies outside of it"},
        {WIDE_END + 71, 0x80, "the second end of the archive is not where the first one says"},
        {WIDE_END + 64, WIDE_END + 1, "the second end of the archive is not where the first one says"},
        {WIDE_LIST + 46, 27, "no array 'x' in the archive, which has: ?"}, /* what terminals would obey */
        {WIDE_END + 58, 0, "the list of the archive lies outside of it"}};
    size_t i;
    for (i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        sslh_ctx *c = create();
        size_t before = sslh_query(c).bytes;
        uint8_t *zip = (uint8_t *)malloc(WIDE_SIZE); /* of its own size, so that sanitizers see what reads beyond it */
        sslh_i_loaded found;
        sslh_i_source s = sslh_i_source_of(c, "test", "memory", zip, WIDE_SIZE);
        wide_zip(zip);
        zip[lies[i].at] = lies[i].byte;
        if (lies[i].byte == 27) s.part = "x";
        CHECK(sslh_i_read(&s, SSLH_I_GIVES_ARRAY, &found) == !lies[i].text, "lie %d", (int)i);
        if (lies[i].text) CHECK_ERROR(c, lies[i].text);
        else {
            CHECK(found.array && found.array->count == 2 && found.array->data[1] == 2, "values");
            sslh_i_loaded_free(c, &found);
        }
        CHECK(sslh_query(c).bytes == before, "memory is left");
        free(zip);
        sslh_destroy(c);
    }
}

static void npy_round_trip(void) {
    static const float values[24] = {0, 1, -1, 0.5f, 1e-30f, 3e38f, 7};
    sslh_ctx *c = create();
    char path[512];
    for (int ndim = 0; ndim <= 4; ndim++) {
        sslh_shape s = ndim == 0   ? sslh_dim0()
                       : ndim == 1 ? sslh_dim1(24)
                       : ndim == 2 ? sslh_dim2(4, 6)
                       : ndim == 3 ? sslh_dim3(2, 3, 4)
                                   : sslh_dim4(1, 2, 3, 4);
        snprintf(path, sizeof path, "%s", test_temporary("a.npy"));
        sslh_save_npy(c, path, s, values);
        sslh_tensor *t = sslh_load_npy(c, path);
        CHECK_OK(c);
        CHECK(t->ndim == ndim && t->count == (ndim ? 24u : 1u), "%d dimensions", t->ndim);
        for (size_t i = 0; i < t->count; i++) CHECK((float)t->data[i] == values[i], "value %d", (int)i);
    }
    (void)test_remove(path);
    /* numpy's own text, byte for byte */
    uint8_t head[128];
    CHECK(sslh_i_npy_header("<f4", sslh_dim2(3, 5), 15, head) == 128 + 60, "header size");
    CHECK(!memcmp(head, "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), }   ", 71),
          "header text");
    CHECK(head[127] == '\n', "end of the header");
    sslh_destroy(c);
}

/* --- hostile bytes ------------------------------------------------------------------------------------------------ */

/* Reads bytes as whatever they look like; what is made is freed again. 1 when they were accepted. */
static int read_any(sslh_ctx *c, const char *name, const uint8_t *bytes, size_t size) {
    /* an exact copy on the heap: reading one byte too far is found by the sanitizer */
    uint8_t *p = (uint8_t *)malloc(size ? size : 1);
    memcpy(p, bytes, size);
    sslh_i_source s = sslh_i_source_of(c, "test", name, p, size);
    sslh_i_loaded found;
    if (sslh_i_read(&s, ~0, &found)) sslh_i_loaded_free(c, &found);
    sslh_i_source_close(&s);
    free(p);
    int ok = sslh_error(c) == NULL;
    if (!ok) {
        sslh_code code = sslh_error_code(c);
        CHECK(code == SSLH_E_FORMAT || code == SSLH_E_SHAPE, "%s: code %d: %s", name, (int)code, sslh_error(c));
        sslh_clear_error(c);
    }
    return ok;
}

/* Every row of the table recognises a sample that no other row does, and messages name it. */
static void every_format(void) {
    static test_sample sample[256];
    int met[SSLH_I_READERS] = {0}, n = test_samples(sample, 256);
    sslh_ctx *c = create();
    char nothing[512];
    snprintf(nothing, sizeof nothing, "%s", test_temporary("nothing.txt"));
    CHECK(sslh_i_write_whole(c, "test", nothing, "nothing", 7), "write");
    for (int i = 0; i < n; i++) {
        sslh_i_source s = sslh_i_source_of(c, "test", sample[i].name, sample[i].bytes, sample[i].size);
        int rows = 0;
        for (int k = 0; k < SSLH_I_READERS; k++)
            if (sslh_i_readers[k].is(&s)) rows++, met[k]++;
        CHECK(rows == 1, "%s is of %d formats", sample[i].name, rows);
        free(sample[i].bytes);
    }
    for (int k = 0; k < SSLH_I_READERS; k++) {
        const sslh_i_reader *r = &sslh_i_readers[k];
        CHECK(met[k] > 0, "no sample of the format %s", r->name);
        sslh_load_images(c, nothing);
        if (r->gives & (SSLH_I_GIVES_IMAGE | SSLH_I_GIVES_IMAGES)) CHECK_ERROR(c, r->name);
        sslh_clear_error(c);
        if (r->gives == SSLH_I_GIVES_IMAGE) sslh_load_image(c, nothing, NULL, NULL, NULL);
        else if (r->gives == SSLH_I_GIVES_ARRAY) sslh_load_npy(c, nothing);
        else if (r->gives == SSLH_I_GIVES_SOUND) sslh_load_wav(c, nothing, NULL, NULL, NULL);
        else continue;
        CHECK_ERROR(c, r->name);
    }
    CHECK(sslh_i_reader_named("a.PNG", SSLH_I_GIVES_IMAGE) && !sslh_i_reader_named("a.PNG", SSLH_I_GIVES_IMAGES),
          "endings in capitals");
    CHECK(sslh_i_reader_named("train-images-idx3-ubyte.gz", SSLH_I_GIVES_IMAGES), "a word inside the name");
    CHECK(!sslh_i_reader_named("png", ~0) && !sslh_i_reader_named("notes.txt", ~0) && !sslh_i_reader_named("", ~0),
          "other names");
    (void)test_remove(nothing);
    sslh_destroy(c);
}

/* Every sample: all prefixes are refused, flipped bits are refused or accepted, and nothing stays in memory. */
static void truncation_and_flips(void) {
    static test_sample sample[256];
    int files = test_samples(sample, 256);
    sslh_ctx *c = create();
    size_t before = sslh_query(c).bytes;
    CHECK(files > 80, "%d files", files);
    for (int i = 0; i < files; i++) {
        const char *name = sample[i].name;
        uint8_t *p = sample[i].bytes;
        size_t size = sample[i].size;
        CHECK(read_any(c, name, p, size), "%s itself is refused", name);
        int text = !strcmp(name, "p2.pgm") || !strcmp(name, "p3.ppm"); /* without its last digit a number is a number */
        for (size_t n = 0; n + (size_t)text < size; n++)
            CHECK(!read_any(c, name, p, n), "%s is accepted when cut to %d of %d bytes", name, (int)n, (int)size);
        for (size_t bit = 0; bit < size * 8; bit += size > 400 ? 7 : 1) {
            p[bit / 8] = (uint8_t)(p[bit / 8] ^ 1 << (bit & 7));
            read_any(c, name, p, size);
            p[bit / 8] = (uint8_t)(p[bit / 8] ^ 1 << (bit & 7));
        }
        free(p);
        CHECK(sslh_query(c).bytes == before, "%s: %d bytes are left", name, (int)(sslh_query(c).bytes - before));
    }
    sslh_destroy(c);
}

/* A PNG whose chunks have correct checksums: text before the pixels may be replaced. */
static size_t small_png(uint8_t *out, uint32_t width, uint32_t height, int depth, int type, int interlace,
                        const char *tag, int tag_size) {
    static const uint8_t data[] = {0x78, 0x9c, 0x63, 0x60, 0x00, 0x00, 0x00, 0x02, 0x00, 0x01};
    uint8_t *p = out + 8;
    memcpy(out, sslh_i_png_magic, 8);
    sslh_i_put_be32(p + 8, width);
    sslh_i_put_be32(p + 12, height);
    p[16] = (uint8_t)depth;
    p[17] = (uint8_t)type;
    p[18] = p[19] = 0;
    p[20] = (uint8_t)interlace;
    p = sslh_i_png_chunk(p, "IHDR", 13);
    if (tag) {
        memset(p + 8, 0, (size_t)tag_size);
        p = sslh_i_png_chunk(p, tag, (size_t)tag_size);
    }
    memcpy(p + 8, data, sizeof data);
    p = sslh_i_png_chunk(p, "IDAT", sizeof data);
    p = sslh_i_png_chunk(p, "IEND", 0);
    return (size_t)(p - out);
}

static void png_refuses(void) {
    static const struct {
        uint32_t width, height;
        int depth, type, interlace;
        const char *tag;
        int tag_size;
        const char *text;
    } bad[] = {
        {0, 1, 8, 0, 0, NULL, 0, "0 x 1 pixels"},
        {1, 0x80000000u, 8, 0, 0, NULL, 0, "1 x 2147483648"},
        {0x7fffffff, 0x7fffffff, 16, 6, 1, NULL, 0, "SSLH_MAX_PIXELS"},
        {16384, 16384, 16, 6, 0, NULL, 0, "cannot hold"},
        {1, 1, 3, 0, 0, NULL, 0, "colour type 0 with 3 bits"},
        {1, 1, 16, 3, 0, NULL, 0, "colour type 3 with 16 bits"},
        {1, 1, 4, 2, 0, NULL, 0, "colour type 2 with 4 bits"},
        {1, 1, 8, 5, 0, NULL, 0, "colour type 5"},
        {1, 1, 8, 7, 0, NULL, 0, "colour type 7"},
        {1, 1, 8, 0, 2, NULL, 0, "interlace 2"},
        {1, 1, 8, 3, 0, NULL, 0, "without PLTE"},
        {1, 1, 8, 3, 0, "PLTE", 10, "PLTE chunk of 10"},
        {1, 1, 8, 3, 0, "PLTE", 0, "PLTE chunk of 0"},
        {1, 1, 8, 3, 0, "PLTE", 771, "PLTE chunk of 771"},
        {1, 1, 8, 0, 0, "IHDR", 13, "second IHDR"},
        {1, 1, 8, 0, 0, "ABCD", 3, "critical chunk"},
        {1, 2, 8, 0, 0, NULL, 0, "less than the image needs"},
    };
    uint8_t file[1024];
    size_t size = small_png(file, 1, 1, 8, 0, 0, NULL, 0);
    sslh_ctx *c = create();
    size_t before = sslh_query(c).bytes;
    CHECK(read_any(c, "small", file, size), "the file that the others are made of is refused");
    size = small_png(file, 1, 1, 8, 0, 0, "abCD", 3);
    CHECK(read_any(c, "small", file, size), "an unknown chunk that may be skipped is refused");
    size = small_png(file, 1, 1, 8, 0, 0, NULL, 0); /* a wrong checksum of the pixels in a chunk whose own is right */
    file[size - 17] = (uint8_t)(file[size - 17] ^ 1);
    sslh_i_png_chunk(file + size - 34, "IDAT", 10);
    CHECK(!read_any(c, "Adler", file, size), "a wrong Adler-32 is accepted");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size = small_png(file, bad[i].width, bad[i].height, bad[i].depth, bad[i].type, bad[i].interlace, bad[i].tag,
                         bad[i].tag_size);
        CHECK(!sslh_load_image_memory(c, file, size, NULL, NULL, NULL), "case %d is accepted", (int)i);
        CHECK_ERROR(c, bad[i].text);
    }
    CHECK(sslh_query(c).bytes == before, "memory is left");
    CHECK(sslh_query(c).peak < before + (1u << 20), "a small file made the reader take %.0f bytes",
          (double)sslh_query(c).peak);
    sslh_destroy(c);
}

/* Where the content of the segment with this marker begins, from byte at on; 0: there is none. */
static size_t jpeg_segment(const uint8_t *p, size_t size, size_t at, int marker) {
    for (; at + 4 < size; at++)
        if (p[at] == 0xff && p[at + 1] == marker) return at + 4;
    return 0;
}

static void jpeg_refuses(void) {
    static const struct {
        const char *file;
        int marker, offset, value; /* byte at offset of the segment; -3 is its marker */
        const char *text;
    } bad[] = {
        {"pil_444_q95.jpg", 0xc0, 0, 12, "12 bits a sample"},
        {"pil_444_q95.jpg", 0xc0, -3, 0xc3, "(lossless)"},
        {"pil_444_q95.jpg", 0xc0, -3, 0xc5, "(hierarchical)"},
        {"pil_444_q95.jpg", 0xc0, -3, 0xc9, "(arithmetic codes)"},
        {"pil_444_q95.jpg", 0xc0, -3, 0xf7, "(lossless)"},
        {"pil_444_q95.jpg", 0xc0, -3, 0xfe, "a scan before the frame"},
        {"pil_444_q95.jpg", 0xc0, 2, 0, "13 x 0 pixels"},
        {"pil_444_q95.jpg", 0xc0, 1, 0xff, "cannot hold"},
        {"pil_444_q95.jpg", 0xc0, 5, 4, "the frame has"},
        {"pil_444_q95.jpg", 0xc0, 7, 0x10, "sampling 1 x 0"},
        {"pil_444_q95.jpg", 0xc0, 7, 0x51, "sampling 5 x 1"},
        {"pil_444_q95.jpg", 0xc0, 8, 4, "the table 4"},
        {"pil_444_q95.jpg", 0xc0, 8, 3, "quantisation table that is not there"},
        {"pil_444_q95.jpg", 0xdb, 0, 0x24, "quantisation table is damaged"},
        {"pil_444_q95.jpg", 0xdb, -3, 0xfe, "quantisation table that is not there"},
        {"pil_444_q95.jpg", 0xc4, 0, 0x05, "Huffman table is damaged"},
        {"pil_444_q95.jpg", 0xc4, 1, 3, "Huffman table is damaged"},
        {"pil_444_q95.jpg", 0xc4, 16, 255, "Huffman table is damaged"},
        {"pil_444_q95.jpg", 0xc4, -3, 0xfe, "Huffman table that is not there"},
        {"pil_444_q95.jpg", 0xda, 0, 2, "head of a scan is damaged"},
        {"pil_444_q95.jpg", 0xda, 1, 9, "names a component"},
        {"pil_444_q95.jpg", 0xda, 3, 1, "one twice"},
        {"cjpeg_restart.jpg", 0xd0, -3, 0xd3, "restart 0 is expected"},
        {"cjpeg_separate.jpg", 0xda, -3, 0xfe, "component 0 has no data"},
        {"cjpeg_third.jpg", 0xc0, 10, 0x21, "the sampling 2 x 1 of 3 x 1"},
        {"pil_grey_progressive.jpg", 0xda, 3, 1, "coefficients 1 to 0"},
        {"pil_grey_progressive.jpg", 0xda, 4, 5, "coefficients 0 to 5"},
        {"pil_grey_progressive.jpg", 0xda, 5, 0x0e, "bits 14"},
        {"pil_grey_progressive.jpg", 0xda, 5, 0x31, "bits 1 to 3"},
    };
    static const uint8_t cmyk[] = {0xff, 0xd8, 0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11,
                                   0, 3, 0x11, 0, 4, 0x11, 0, 0xff, 0xd9};
    static const uint8_t empty[] = {0xff, 0xd8, 0xff, 0xd9};
    static test_sample sample[256];
    int n = test_samples(sample, 256);
    sslh_ctx *c = create();
    size_t before = sslh_query(c).bytes;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int k = 0; k < n; k++) {
            if (strcmp(sample[k].name, bad[i].file)) continue;
            size_t at = jpeg_segment(sample[k].bytes, sample[k].size, 2, bad[i].marker);
            CHECK(at > 0, "case %d: no such segment", (int)i);
            uint8_t *p = sample[k].bytes + (at + (size_t)(bad[i].offset + 16)) - 16, old = *p;
            *p = (uint8_t)bad[i].value;
            CHECK(!sslh_load_image_memory(c, sample[k].bytes, sample[k].size, NULL, NULL, NULL), "case %d is accepted",
                  (int)i);
            CHECK_ERROR(c, bad[i].text);
            *p = old;
        }
    CHECK(!sslh_load_image_memory(c, cmyk, sizeof cmyk, NULL, NULL, NULL), "CMYK is accepted");
    CHECK_ERROR(c, "in CMYK or YCCK");
    CHECK(!sslh_load_image_memory(c, empty, sizeof empty, NULL, NULL, NULL), "nothing is accepted");
    CHECK_ERROR(c, "without an image");
    for (int k = 0; k < n; k++) {
        uint8_t *p = sample[k].bytes;
        size_t size = sample[k].size;
        if (strcmp(sample[k].name, "pil_grey_progressive.jpg")) continue;
        size_t from = jpeg_segment(p, size, 2, 0xda) - 4, end = jpeg_segment(p, size, from, 0xc4) - 4;
        size_t scan = end - from;
        uint8_t *many = (uint8_t *)malloc(size + 200 * scan + 5);
        /* the first scan, again and again; bytes after the end */
        for (size_t copies = 1; copies <= 200; copies += 199) {
            memcpy(many, p, end);
            for (size_t m = 0; m < copies; m++) memcpy(many + end + m * scan, p + from, scan);
            memcpy(many + end + copies * scan, p + end, size - end);
            memcpy(many + size + copies * scan, "after", 5);
            sslh_i_free(c, sslh_load_image_memory(c, many, size + copies * scan + 5, NULL, NULL, NULL));
            if (copies == 1) CHECK_OK(c);
        }
        CHECK_ERROR(c, "more than 100 scans");
        size_t at = jpeg_segment(p, size, 2, 0xc2) - 4; /* the frame again */
        memcpy(many, p, size);
        memmove(many + at + 13, many + at, size - at);
        CHECK(!sslh_load_image_memory(c, many, size + 13, NULL, NULL, NULL), "two frames");
        CHECK_ERROR(c, "a second frame");
        free(many);
    }
    CHECK(sslh_query(c).bytes == before, "memory is left");
    CHECK(sslh_query(c).peak < before + (1u << 20), "a small file made the reader take %.0f bytes",
          (double)sslh_query(c).peak);
    while (n) free(sample[--n].bytes);
    sslh_destroy(c);
}

/* What may be missing or too much: the pixels stay the same. */
static void jpeg_tolerates(void) {
    static const struct {
        const char *file;
        int marker; /* of the segment that becomes a comment, or 0: .. */
        const char *more;
        int size, behind; /* .. bytes that are put in behind so many bytes, from the end when negative */
    } odd[] = {
        {"pil_444_q95.jpg", 0xe0, NULL, 0, 0},     /* without JFIF the names 1, 2, 3 are Y, Cb, Cr */
        {"cjpeg_rgb.jpg", 0xee, NULL, 0, 0},       /* without Adobe's mark the names R, G, B tell */
        {"pil_grey.jpg", 0, "abc", 3, -2},         /* bytes before the end mark */
        {"pil_grey.jpg", 0, "\xff\xff", 2, 2},     /* a marker may begin with several FF */
        {"cjpeg_restart.jpg", 0, "\xff\xff", 2, -2},
    };
    static test_sample sample[256];
    int n = test_samples(sample, 256), met = 0;
    sslh_ctx *c = create();
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        for (int k = 0; k < n; k++) {
            size_t size = sample[k].size, at, bytes;
            int h, w, ch, h2, w2, ch2;
            if (strcmp(sample[k].name, odd[i].file)) continue;
            uint8_t *q = (uint8_t *)malloc(size + 8);
            memcpy(q, sample[k].bytes, size);
            if (odd[i].marker) q[jpeg_segment(q, size, 2, odd[i].marker) - 3] = 0xfe;
            else {
                at = odd[i].behind < 0 ? size - (size_t)-odd[i].behind : (size_t)odd[i].behind;
                memmove(q + at + odd[i].size, q + at, size - at);
                memcpy(q + at, odd[i].more, (size_t)odd[i].size);
            }
            uint8_t *a = sslh_load_image_memory(c, sample[k].bytes, size, &h, &w, &ch);
            uint8_t *b = sslh_load_image_memory(c, q, size + (size_t)odd[i].size, &h2, &w2, &ch2);
            CHECK_OK(c);
            bytes = (size_t)h * (size_t)w * (size_t)ch;
            CHECK(a && b && h == h2 && w == w2 && ch == ch2 && !memcmp(a, b, bytes), "case %d", (int)i);
            sslh_clear_error(c);
            free(q);
            met++;
        }
    CHECK(met == 5, "%d cases", met);
    while (n) free(sample[--n].bytes);
    sslh_destroy(c);
}

/* Every scan counts its blocks, and there is a limit to all of them: 2^27. */
static void jpeg_work(void) {
    static const struct { const char *file; int blocks; /* of each component, padded to units in scans of several */ }
    rows[] = {{"pil_grey_progressive.jpg", 1}, {"pil_444_q95.jpg", 3}};
    static test_sample sample[256];
    int n = test_samples(sample, 256), met = 0;
    sslh_ctx *c = create();
    size_t before = sslh_query(c).bytes;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < n; k++) {
            if (strcmp(sample[k].name, rows[i].file)) continue;
            sslh_i_source s = sslh_i_source_of(c, "test", "memory", sample[k].bytes, sample[k].size);
            uint64_t blocks = 0;
            for (uint64_t spare = 2; spare-- > 0;) { /* more than enough the first time, then one block too few */
                sslh_i_jpeg *j = (sslh_i_jpeg *)calloc(1, sizeof *j);
                j->adobe = -1;
                if (!spare) j->blocks = SSLH_I_JPEG_BLOCKS - blocks + 1;
                CHECK(sslh_i_jpeg_segments(&s, j) == (int)spare, "%s", rows[i].file);
                if (spare) {
                    CHECK_OK(c);
                    blocks = j->blocks;
                    const int each = (j->width + 7) / 8 * ((j->height + 7) / 8) * rows[i].blocks;
                    CHECK(blocks == (uint64_t)(each * j->scans), "%s: %d blocks in %d scans of %d", rows[i].file,
                          (int)blocks, j->scans, each);
                } else CHECK_ERROR(c, "blocks, more than 2^27");
                for (int m = 0; m < 3; m++) sslh_i_free(c, j->component[m].coef);
                free(j);
            }
            met++;
        }
    CHECK(met == 2 && sslh_query(c).bytes == before, "%d files", met);
    while (n) free(sample[--n].bytes);
    sslh_destroy(c);
}

static void bmp_refuses(void) {
    static const struct { int at, value; const char *text; } bad[] = {
        {18, 0, "0 x 20 pixels"},
        {21, 0x7f, "SSLH_MAX_PIXELS"},
        {22, 200, "too short for"},
        {28, 2, "a BMP of 2 bits"},
        {30, 1, "packed by run lengths"},
        {30, 3, "packed in way 3"},
        {30, 5, "packed in way 5"},
        {10, 20, "too short"},
        {13, 0x7f, "too short"},
        {14, 124, "too short"}, /* a longer head: the pixels would lie in it */
    };
    static test_sample sample[256];
    int n = test_samples(sample, 256);
    sslh_ctx *c = create();
    size_t before = sslh_query(c).bytes;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int k = 0; k < n; k++) {
            uint8_t *p = sample[k].bytes + bad[i].at, old = *p;
            if (strcmp(sample[k].name, "pil_rgb.bmp")) continue;
            *p = (uint8_t)bad[i].value;
            CHECK(!sslh_load_image_memory(c, sample[k].bytes, sample[k].size, NULL, NULL, NULL), "case %d is accepted",
                  (int)i);
            CHECK_ERROR(c, bad[i].text);
            *p = old;
        }
    CHECK(sslh_query(c).bytes == before && sslh_query(c).peak < before + (1u << 20), "memory");
    while (n) free(sample[--n].bytes);
    sslh_destroy(c);
}

static void others_refuse(void) {
    static const struct { const char *bytes; int size; const char *text;
    } images[] = {
        {"", 0, "not a PNG, JPEG, BMP or PNM"},
        {"P4 1 1 \1", 8, "a PBM, which is not read; make a PNG"},
        {"GIF89a", 6, "a GIF, which is not read; make a PNG"},
        {"RIFF1234WEBPVP8 ", 16, "a WebP, which"},
        {"\0\0\0\x18" "ftypheic", 12, "a HEIC, an AVIF"},
        {"II*\0", 4, "a TIFF, which"},
        {"PK\3\4", 4, "unpack it"},
        {"P5", 2, "not a PNG"},
        {"P5 99999999999 1 255 a", 22, "width is not a number"},
        {"P5 -1 1 255 a", 13, "width is not a number"},
        {"P5 0 1 255 a", 12, "0 x 1 pixels"},
        {"P5 1 1 0 a", 10, "largest value is 0"},
        {"P5 1 1 65536 a", 14, "largest value is not"},
        {"P6 40000 40000 255 a", 20, "SSLH_MAX_PIXELS"},
        {"P6 4000 4000 255 a", 18, "too few"},
        {"P5 1 1 255", 10, "no white space"},
        {"P5 1 1 255#", 11, "no white space"},
        {"P5 2 1 7 \7\10", 11, "over the largest"},
        {"P2 1 1 7 8", 10, "over the largest"},
        {"P2 2 1 255 1 ", 13, "ends early"},
        {"P2 1 1 255 x", 12, "sample is not a number"},
        {"P5 # never ends", 15, "ends early"},
    };
    static const struct { const char *text, *why;
    } arrays[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647, 2147483647, 2147483647), }",
         "too many elements"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (200000000,), }", "bytes of values"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }", "a size in the shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }", "a size in the shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1), }", "more than 6"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "|O are not read"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "<c8 are not read"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "structured"},
        {"{'descr': '<f4', 'fortran_order': False, }", "is missing"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }", "twice"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", "True or False"},
        {"{'other': 1}", "unknown key"},
        {"[]", "'{' is expected"},
        {"{'descr': '<f4", "does not end"},
        {"{", "a string is expected"},
        {"{'descr' '<f4'", "':' is expected"},
    };
    sslh_ctx *c = create();
    size_t before = sslh_query(c).bytes;
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        CHECK(!sslh_load_image_memory(c, images[i].bytes, (size_t)images[i].size, NULL, NULL, NULL),
              "case %d is accepted", (int)i);
        CHECK_ERROR(c, images[i].text);
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        uint8_t file[256];
        size_t n = strlen(arrays[i].text);
        memcpy(file, "\x93NUMPY\x01\x00", 8);
        file[8] = (uint8_t)n;
        file[9] = 0;
        memcpy(file + 10, arrays[i].text, n);
        memset(file + 10 + n, 0, 4);
        sslh_i_source s = sslh_i_source_of(c, "sslh_load_npy", "memory", file, n + 14);
        sslh_i_loaded found;
        CHECK(!sslh_i_read(&s, SSLH_I_GIVES_ARRAY, &found), "case %d is accepted", (int)i);
        CHECK_ERROR(c, arrays[i].why);
    }
    /* 2^31 x 2^31 x 2^31 images; a type that is no image; labels instead of images */
    static const uint8_t idx[4][24] = {{0, 0, 8, 3, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0x80, 0, 0, 0},
                                       {0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1},
                                       {0, 0, 13, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0},
                                       {0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4}};
    static const int idx_size[4] = {16, 16, 20, 12};
    for (int i = 0; i < 4; i++) CHECK(!read_any(c, "idx", idx[i], (size_t)idx_size[i]), "idx case %d is accepted", i);
    CHECK(sslh_query(c).bytes == before, "memory is left");
    CHECK(sslh_query(c).peak < before + (1u << 20), "a small file made a reader take %.0f bytes",
          (double)sslh_query(c).peak);
    sslh_destroy(c);
}

/* --- whole files -------------------------------------------------------------------------------------------------- */

static void whole_files(void) {
    sslh_ctx *c = create();
    size_t size, before = sslh_query(c).bytes;
    char path[512], folder[512];
    sslh_i_dir dir;
    snprintf(path, sizeof path, "%s", test_temporary("whole.bin"));
    snprintf(folder, sizeof folder, "%s", test_temporary(""));
    for (int round = 0; round < 3; round++) { /* written anew over the old one */
        char text[64];
        int n = snprintf(text, sizeof text, "%.*s", round * 20, "the same bytes come back, also the shorter ones");
        CHECK(sslh_i_write_whole(c, "test", path, text, (size_t)n), "write");
        uint8_t *p = sslh_i_read_whole(c, "test", path, &size);
        CHECK(p && size == (size_t)n && !memcmp(p, text, size) && p[size] == 0, "round %d", round);
        sslh_i_free(c, p);
    }
    CHECK(sslh_i_list_dir(c, "test", folder, &dir), "list");
    for (int i = 0; i < dir.n; i++) {
        CHECK(!strstr(dir.name[i], ".tmp"), "%s is left behind", dir.name[i]);
        if (i) CHECK(strcmp(dir.name[i - 1], dir.name[i]) < 0, "not sorted");
    }
    sslh_i_dir_free(c, &dir);
    CHECK_OK(c);
    CHECK(!sslh_i_read_whole(c, "test", test_temporary("missing"), &size), "a file that is not there");
    CHECK_ERROR(c, "cannot open");
    CHECK(!sslh_i_read_whole(c, "test", folder, &size), "a folder is not a file");
    CHECK_ERROR(c, "is a folder");
    CHECK(!sslh_i_write_whole(c, "test", test_temporary("no/folder/here"), "x", 1), "no folder");
    CHECK_ERROR(c, "cannot write");
    CHECK(!sslh_i_write_whole(c, "test", folder, "x", 1), "onto a folder");
    CHECK_ERROR(c, "folder");
    CHECK(!sslh_i_list_dir(c, "test", test_temporary("missing"), &dir), "list of nothing");
    CHECK_ERROR(c, "cannot list");
    CHECK(!sslh_load_image(c, NULL, NULL, NULL, NULL), "no path");
    CHECK_ERROR(c, "NULL");
    if (sslh_i_kind_at("/dev/full") == SSLH_I_PATH_OTHER) { /* a disk that is full; devices are not renamed over */
        CHECK(!sslh_i_write_whole(c, "test", "/dev/full", "x", 1), "a full disk");
        CHECK_ERROR(c, "cannot write /dev/full");
        CHECK(sslh_i_kind_at("/dev/full") == SSLH_I_PATH_OTHER, "the device was replaced");
    }
    (void)test_remove(path);
    CHECK(sslh_query(c).bytes == before, "memory is left");
    sslh_destroy(c);
}

/* Names are UTF-8 on every system, in paths, in folders and on the disk. */
static void names_in_utf8(void) {
    static const char *const names[] = {"\xce\xb4\xce\xad\xce\xbb\xcf\x84\xce\xb1.bin", /* Greek */
                                        "\xf0\x9f\xa6\x8a.bin"};                           /* a fox, beyond 16 bits */
    sslh_ctx *c = create();
    char folder[512], path[600];
    sslh_i_dir dir;
    size_t size;
    snprintf(folder, sizeof folder, "%s", test_temporary("\xd0\xb6\xc3\xa9"));
#if defined(_WIN32)
    wchar_t wide[SSLH_I_WIDE];
    CHECK(CreateDirectoryW(sslh_i_wide(folder, wide), NULL), "no folder");
#else
    CHECK(test_make_folder(folder) == 0, "no folder");
#endif
    CHECK(sslh_i_kind_at(folder) == SSLH_I_PATH_FOLDER, "the folder is not found");
    for (int round = 0; round < 2; round++) /* the second time over the files that are there */
        for (int i = 0; i < 2; i++) {
            snprintf(path, sizeof path, "%s/%s", folder, names[i]);
            CHECK(sslh_i_can_write(c, "test", path) && sslh_i_write_whole(c, "test", path, path, 5), "written");
            uint8_t *p = sslh_i_read_whole(c, "test", path, &size);
            CHECK(p && size == 5 && !memcmp(p, path, 5), "read");
            sslh_i_free(c, p);
        }
    CHECK(sslh_i_list_dir(c, "test", folder, &dir), "listed");
    CHECK_OK(c);
    CHECK(dir.n == 2, "%d files", dir.n);
    for (int i = 0; i < dir.n && i < 2; i++)
        CHECK(!strcmp(dir.name[i], names[i]), "%s instead of %s", dir.name[i], names[i]);
    sslh_i_dir_free(c, &dir);
#if defined(_WIN32)
    /* an argument of main: the folder in the code page, if that has its letters, before a name in UTF-8 */
    char page[64];
    BOOL lost = 0;
    snprintf(path, sizeof path, "%s", test_temporary("\xc3\xa9t\xc3\xa9"));
    CHECK(CreateDirectoryW(sslh_i_wide(path, wide), NULL), "no folder");
    if (WideCharToMultiByte(CP_ACP, 0, L"\x00e9t\x00e9", -1, page, 64, NULL, &lost) && !lost && strlen(page) == 3) {
        snprintf(path, sizeof path, "%s/%s", test_temporary(page), names[0]);
        CHECK(sslh_i_write_whole(c, "test", path, "page", 4), "written");
        snprintf(path, sizeof path, "%s/%s", test_temporary("\xc3\xa9t\xc3\xa9"), names[0]);
        CHECK(sslh_i_kind_at(path) == SSLH_I_PATH_FILE, "the folder in the code page is another");
        sslh_i_remove(path);
    } else NOTE("a path in the code page", "a code page with accents");
    CHECK(RemoveDirectoryW(sslh_i_wide(test_temporary("\xc3\xa9t\xc3\xa9"), wide)), "not empty");
#endif
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        sslh_i_remove(path);
    }
#if defined(_WIN32)
    CHECK(RemoveDirectoryW(sslh_i_wide(folder, wide)), "not empty");
#else
    CHECK(test_remove(folder) == 0, "not empty");
#endif
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- every allocation fails once ---------------------------------------------------------------------------------- */

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
    static const char *const work[] = {"png_t6_d16_adam7.png", "p3.ppm", "pil_420_q5.jpg", "d16.bmp", "npy_f8.npy",
                                       "npz_deflated.npz", "idx/zipped-images-idx3-ubyte.gz", "write"};
    for (size_t w = 0; w < sizeof work / sizeof *work; w++)
        for (long fail = 0;; fail++) {
            counter k = {-1, 0};
            char path[512];
            sslh_desc d;
            memset(&d, 0, sizeof d);
            d.threads = 1;
            d.alloc = counting_alloc;
            d.release = counting_free;
            d.user = &k;
            sslh_ctx *c = sslh_create(d);
            size_t before = sslh_query(c).bytes;
            k.left = fail;
            snprintf(path, sizeof path, "%s", test_golden(work[w]));
            if (strstr(work[w], ".np")) sslh_load_npy(c, path);
            else if (strstr(work[w], "idx")) sslh_load_images(c, path);
            else if (!strcmp(work[w], "write")) {
                snprintf(path, sizeof path, "%s", test_temporary("memory.png"));
                sslh_save_png(c, path, (const uint8_t *)"abcdefgh", 2, 4, 1);
                (void)test_remove(path);
            } else sslh_load_image(c, path, NULL, NULL, NULL);
            int done = k.left >= 0;
            if (!done) {
                CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "%s, allocation %ld: %s", work[w], fail,
                      sslh_error(c) ? sslh_error(c) : "no error");
                CHECK(sslh_query(c).bytes == before, "%s, allocation %ld: memory is left", work[w], fail);
            } else CHECK_OK(c);
            sslh_destroy(c);
            CHECK(k.live == 0, "%ld blocks are left", k.live);
            if (done) {
                CHECK(fail > 1, "%s makes only %ld allocations", work[w], fail);
                break;
            }
        }
}

TESTS_BEGIN
    TEST(checksums)
    TEST(deflate_round_trip)
    TEST(inflate_refuses)
    TEST(inflate_blocks)
    TEST(golden_files)
    TEST(png_round_trip)
    TEST(archives)
    TEST(overlapping_members)
    TEST(wide_archives)
    TEST(npy_round_trip)
    TEST(every_format)
    TEST(truncation_and_flips)
    TEST(png_refuses)
    TEST(jpeg_refuses)
    TEST(jpeg_tolerates)
    TEST(jpeg_work)
    TEST(bmp_refuses)
    TEST(others_refuse)
    TEST(whole_files)
    TEST(names_in_utf8)
    TEST(no_memory)
TESTS_END
