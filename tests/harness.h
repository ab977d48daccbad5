/* Tiny test harness: one program per file, plain C99 that also compiles as C++.

       #include "../ssl.h"
       #include "harness.h"

       static void adds(void) {
           CHECK(1 + 1 == 2, "%d", 1 + 1);
           CHECK_NEAR(0.1 + 0.2, 0.3, 1e-12);
           if (!have_tool()) SKIP("adds", "no tool");
       }
       TESTS_BEGIN
           TEST(adds)
       TESTS_END

   The Makefile builds the implementation once and links it; a program that needs private functions defines
   SSLH_IMPLEMENTATION before the include and then carries its own. Every tests/NAME.c becomes a program of `make test`.
   One that defines TEST_SEED between the two includes gets context(threads), a new context with that seed, and
   first_batch, which asks a new loader for a batch.

   The last line is "N passed, N failed" (tests, not checks), the exit code 1 when one failed. `./program name ..` runs
   only the tests whose name contains one of the arguments. Under SSLH_TEST_STRICT=1 a SKIP is a failure; a missing data
   set is a NOTE and never a failure. */
#ifndef SSLH_TEST_HARNESS_H
#define SSLH_TEST_HARNESS_H
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32
#include <direct.h>
#define test_make_folder(path) _mkdir(path)
#define test_remove(path) (remove(path) && _rmdir(path)) /* a file, or an empty folder */
#else
#include <sys/stat.h>
#define test_make_folder(path) mkdir(path, 0777)
#define test_remove(path) remove(path)
#endif
/* As windows.h has them: a test that gives a variable such a name fails to compile here too. */
#undef near
#undef far
#undef NEAR
#undef FAR
#define near
#define far
#define NEAR near
#define FAR far

#if defined(__GNUC__) || defined(__clang__)
#define TEST_UNUSED __attribute__((unused))
#define TEST_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define TEST_UNUSED
#define TEST_PRINTF(f, a)
#endif

#ifndef TEST_SHOW
#define TEST_SHOW 20
#endif
static int test_passed, test_failed, test_skipped; /* tests */
static int test_checks_failed;                     /* checks of the running test */
static const char *test_name = "";
static char test_folder[256]; /* of test_temporary */

/* Prints the place and the message; after twenty messages a test goes on silently. */
static TEST_UNUSED TEST_PRINTF(4, 5) int test_check(int ok, const char *file, int line, const char *format, ...) {
    if (!ok && test_checks_failed++ < TEST_SHOW) {
        va_list args;
        printf("  FAIL %s: %s:%d: ", test_name, file, line);
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
        fflush(stdout);
    }
    return ok;
}

static TEST_UNUSED int test_near(double a, double b, double tolerance, int scaled, const char *file, int line,
                                 const char *text) {
    const double scale = scaled && fabs(b) > 1 ? fabs(b) : 1;
    return test_check(fabs(a - b) <= tolerance * scale, file, line, "%s = %.9g, expected %.9g %s %g", text, a, b,
                      scaled ? "within" : "+-", tolerance);
}

/* CHECK(condition, format, ...): the message is printed when the condition is false. */
#define CHECK(cond, ...) test_check(!!(cond), __FILE__, __LINE__, __VA_ARGS__)
/* |a - b| at most tolerance (NaN fails). Arguments are evaluated once: they may be calls that draw random numbers. */
#define CHECK_NEAR(a, b, tolerance)                                                                                    \
    test_near((double)(a), (double)(b), (double)(tolerance), 0, __FILE__, __LINE__, #a)
/* |a - b| at most tolerance times max(1, |b|). */
#define CHECK_CLOSE(a, b, tolerance)                                                                                   \
    test_near((double)(a), (double)(b), (double)(tolerance), 1, __FILE__, __LINE__, #a)
/* How large an angle may be for libm's sin and cos to serve as reference: some (Windows') take pi from 66 bits. */
static TEST_UNUSED double test_largest_angle(void) {
    volatile double x = 1e22;
    return fabs(sin(x) + 0.8522008497671888) < 1e-15 ? HUGE_VAL : 65536;
}
/* The context has no error. */
#define CHECK_OK(c)                                                                                                    \
    test_check(sslh_error(c) == NULL, __FILE__, __LINE__, "error: %s", sslh_error(c) ? sslh_error(c) : "")
/* The context has an error whose sentence contains text; clears it. */
#define CHECK_ERROR(c, text)                                                                                           \
    do {                                                                                                               \
        const char *test_e_ = sslh_error(c);                                                                           \
        test_check(test_e_ && strstr(test_e_, text), __FILE__, __LINE__, "error is \"%s\", expected \"..%s..\"",       \
                   test_e_ ? test_e_ : "none", text);                                                                  \
        sslh_clear_error(c);                                                                                           \
    } while (0)
/* A tool is missing: by name; a failure under SSLH_TEST_STRICT=1. */
#define SKIP(name, why) test_skip(name, why)
/* Something optional (real data) is not there: a line, nothing more. */
#define NOTE(name, why) printf("note: %s needs %s\n", name, why)

static TEST_UNUSED void test_skip(const char *name, const char *why) {
    const char *strict = getenv("SSLH_TEST_STRICT");
    test_skipped++;
    printf("skipped %s: %s\n", name, why);
    if (strict && strict[0] == '1') test_checks_failed++;
}

static TEST_UNUSED void test_run(const char *name, void (*fn)(void), int argc, char **argv) {
    int i, wanted = argc < 2;
    for (i = 1; i < argc; i++) if (strstr(name, argv[i])) wanted = 1;
    if (!wanted) return;
    test_name = name;
    test_checks_failed = 0;
    fn();
    if (test_checks_failed) {
        printf("FAILED %s (%d checks)\n", name, test_checks_failed);
        test_failed++;
    } else {
        test_passed++;
    }
    fflush(stdout);
}

static TEST_UNUSED int test_end(void) {
    if (test_folder[0]) (void)test_remove(test_folder);
    printf("%d passed, %d failed\n", test_passed, test_failed);
    return test_failed != 0;
}

#define TESTS_BEGIN int main(int argc, char **argv) {
#define TEST(fn) test_run(#fn, fn, argc, argv);
/* Hundreds of steps, to see that something is learnt; not under sanitizers, which see the same code in other tests. */
#define TEST_LEARNS(fn)                                                                                                \
    if (!test_small()) TEST(fn)
#define TESTS_END                                                                                                      \
    return test_end();                                                                                                 \
    }

/* 1 under SSLH_TEST_SMALL=1 (sanitizers, valgrind): tests choose smaller sizes. */
static TEST_UNUSED int test_small(void) {
    const char *small = getenv("SSLH_TEST_SMALL");
    return small && small[0] == '1';
}

/* A variable that is all zeros, as descriptors begin. */
#define NONE(type, name)                                                                                               \
    type name;                                                                                                         \
    memset(&name, 0, sizeof name)

#ifdef TEST_SEED
static TEST_UNUSED sslh_ctx *context(int threads) {
    NONE(sslh_desc, d);
    d.threads = threads;
    d.seed = TEST_SEED;
    return sslh_create(d);
}
static TEST_UNUSED sslh_batch first_batch(sslh_ctx *c, sslh_data data, int n) {
    NONE(sslh_loader_desc, l);
    NONE(sslh_batch, b);
    l.batch = n;
    sslh_next_batch(sslh_loader_new(c, data, l), &b);
    return b;
}
#endif

/* Folder of real data: $SSLH_DATA, else ../shared/data; NULL when file is not in it. Returns a static buffer. */
static TEST_UNUSED const char *test_data(const char *file) {
    static char path[1024];
    const char *root = getenv("SSLH_DATA");
    FILE *f;
    if (snprintf(path, sizeof path, "%s/%s", root ? root : "../shared/data", file) >= (int)sizeof path) return NULL;
    f = fopen(path, "rb");
    if (!f) return NULL;
    fclose(f);
    return path;
}

/* tests/golden/files/NAME, from the top of the repository or from tests/. Returns a static buffer. */
static TEST_UNUSED const char *test_golden(const char *name) {
    static char path[512];
    FILE *f = fopen("tests/golden/files/expected.txt", "rb");
    snprintf(path, sizeof path, "%s/%s", f ? "tests/golden/files" : "golden/files", name);
    if (f) fclose(f);
    return path;
}

/* NAME in a folder of this run, for files that are written. Returns one of four static buffers by turns. */
static TEST_UNUSED const char *test_temporary(const char *name) {
    static char path[4][512];
    static int turn;
    char *out = path[turn++ & 3];
    if (!test_folder[0]) {
        const char *root = getenv("TMPDIR");
        if (!root) root = getenv("TEMP"); /* Windows */
        snprintf(test_folder, sizeof test_folder, "%s/sslh_%lx_%lx", root ? root : "/tmp",
                 (unsigned long)(size_t)(void *)&path, (unsigned long)time(NULL));
        (void)test_make_folder(test_folder);
    }
    snprintf(out, 512, "%s/%s", test_folder, name);
    return out;
}
/* NAME in it as a folder. */
static TEST_UNUSED const char *test_temporary_folder(const char *name) {
    const char *path = test_temporary(name);
    (void)test_make_folder(path);
    return path;
}

/* --- an allocator that counts and can fail ------------------------------------------------------------------------ */

typedef struct test_memory {
    long   calls;     /* allocations so far */
    long   live;      /* blocks not released */
    long   fail_at;   /* the fail_at-th allocation fails (1 = the first); 0: none */
    int    fail_all;  /* 1: all later ones fail too */
    double bytes;     /* asked for so far */
} test_memory;

static TEST_UNUSED void *test_alloc(void *user, size_t bytes) {
    test_memory *m = (test_memory *)user;
    void *p;
    m->calls++;
    if (m->fail_at && (m->calls == m->fail_at || (m->fail_all && m->calls > m->fail_at))) return NULL;
    p = malloc(bytes ? bytes : 1);
    if (p) m->live++, m->bytes += (double)bytes;
    return p;
}
static TEST_UNUSED void test_release(void *user, void *p) {
    test_memory *m = (test_memory *)user;
    if (p) m->live--;
    free(p);
}

/* FNV-1a, for comparing bits. */
static TEST_UNUSED unsigned long long test_hash(const void *bytes, size_t n, unsigned long long h) {
    const unsigned char *p = (const unsigned char *)bytes;
    size_t i;
    if (!h) h = 14695981039346656037ull;
    for (i = 0; i < n; i++) h = (h ^ p[i]) * 1099511628211ull;
    return h;
}
/* Of floats, independent of the byte order. */
static TEST_UNUSED unsigned long long test_hash_floats(const float *x, size_t n, unsigned long long h) {
    size_t i;
    for (i = 0; i < n; i++) {
        unsigned char b[4];
        unsigned u;
        memcpy(&u, &x[i], 4);
        b[0] = (unsigned char)(u & 255);
        b[1] = (unsigned char)(u >> 8 & 255);
        b[2] = (unsigned char)(u >> 16 & 255);
        b[3] = (unsigned char)(u >> 24 & 255);
        h = test_hash(b, 4, h);
    }
    return h;
}

#endif
