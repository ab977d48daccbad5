/* The core: errors, dead context, steps, scopes, memory, threads, random numbers, the tape, gradient check. */
#include "../ssl.h"
#include "harness.h"
#if defined(__linux__)
#include <sys/syscall.h>
#include <time.h>
#ifndef __cplusplus
extern long syscall(long number, ...); /* not declared under -std=c99 */
#endif
#endif

static sslh_desc desc_zero(void) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    return d;
}
static sslh_ctx *create(int threads, uint64_t seed) {
    sslh_desc d = desc_zero();
    d.threads = threads;
    d.seed = seed;
    return sslh_create(d);
}
static sslh_ctx *create_counted(test_memory *m, int threads) {
    sslh_desc d = desc_zero();
    d.threads = threads;
    d.alloc = test_alloc;
    d.release = test_release;
    d.user = m;
    return sslh_create(d);
}

/* y = b sum x^2 as an operation of the caller's own, so that these tests need nothing but the core. */
static void sq_forward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    double s = 0;
    size_t i;
    (void)c, (void)n, (void)user;
    for (i = 0; i < in[0]->count; i++) s += (double)in[0]->data[i] * (double)in[0]->data[i];
    out->data[0] = (sslh_real)(s * (double)in[1]->data[0]);
}
static void sq_backward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    sslh_real *gx = sslh_grad(c, in[0]), *gb = sslh_grad(c, in[1]), g = out->grad[0];
    size_t i;
    (void)n;
    if (user) g = g * 2; /* a wrong gradient on purpose */
    for (i = 0; gx && i < in[0]->count; i++) gx[i] += 2 * g * in[0]->data[i] * in[1]->data[0];
    for (i = 0; gb && i < in[0]->count; i++) gb[0] += g * in[0]->data[i] * in[0]->data[i];
}
static sslh_tensor *sq(sslh_ctx *c, sslh_tensor **in, void *user) {
    sslh_op_desc d;
    d.name = "sq";
    d.forward = sq_forward;
    d.backward = sq_backward;
    d.user = user;
    return sslh_custom_op(c, d, in, 2, sslh_dim0());
}
static sslh_tensor *sq_function(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    (void)n;
    return sq(c, in, user);
}

/* --- random numbers ---------------------------------------------------------------------------------------------- */

/* kat_vectors of Random123: philox4x32, 10 rounds. */
static void philox_vectors(void) {
    static const uint32_t in[3][6] = {
        {0, 0, 0, 0, 0, 0},
        {0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu},
        {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u}};
    static const uint32_t expected[3][4] = {{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u},
                                            {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu},
                                            {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}};
    int i;
    for (i = 0; i < 3; i++) {
        uint32_t out[4];
        sslh_philox(in[i], in[i] + 4, out);
        CHECK(memcmp(out, expected[i], sizeof out) == 0,
              "vector %d: %08x %08x %08x %08x", i, out[0], out[1], out[2], out[3]);
    }
}

static void random_moments(void) {
    double u = 0, u2 = 0, n = 0, n2 = 0, n4 = 0, low = 2, high = -1;
    int i, N = 40000;
    for (i = 0; i < N; i++) {
        double a = (double)sslh_random_uniform(7, 3, (uint64_t)i), b = (double)sslh_random_normal(7, 3, (uint64_t)i);
        u += a, u2 += a * a, n += b, n2 += b * b, n4 += b * b * b * b;
        low = a < low ? a : low, high = a > high ? a : high;
    }
    CHECK(low >= 0 && high < 1, "range %g %g", low, high);
    CHECK_NEAR(u / N, 0.5, 0.01);
    CHECK_NEAR(u2 / N, 1.0 / 3, 0.01);
    CHECK_NEAR(n / N, 0, 0.02);
    CHECK_NEAR(n2 / N, 1, 0.03);
    CHECK_NEAR(n4 / N, 3, 0.25);
}

static void random_below_and_permutation(void) {
    int32_t p[257], q[257];
    int seen[257], i, count[3] = {0, 0, 0};
    sslh_random_permutation(5, 6, p, 257);
    sslh_random_permutation(5, 6, q, 257);
    memset(seen, 0, sizeof seen);
    for (i = 0; i < 257; i++) {
        if (CHECK(p[i] >= 0 && p[i] < 257, "out of range %d", (int)p[i])) seen[p[i]]++;
        CHECK(p[i] == q[i], "not repeatable");
    }
    for (i = 0; i < 257; i++) CHECK(seen[i] == 1, "%d seen %d times", i, seen[i]);
    sslh_random_permutation(5, 7, q, 257);
    CHECK(memcmp(p, q, sizeof p) != 0, "another stream gives another order");
    sslh_random_permutation(5, 7, q, 1);
    sslh_random_permutation(5, 7, q, 0);
    for (i = 0; i < 3000; i++) {
        uint32_t x = sslh_random_below(1, 2, (uint64_t)i, 3);
        if (CHECK(x < 3, "below 3: %u", x)) count[x]++;
    }
    for (i = 0; i < 3; i++) CHECK(count[i] > 850 && count[i] < 1150, "count %d is %d", i, count[i]);
}

/* A tensor's values are those of the scalar functions, whatever the number of threads. */
static void random_tensors(void) {
    sslh_ctx *a = create(1, 9), *b = create(3, 9);
    sslh_tensor *x = sslh_normal(a, sslh_dim1(50001), 1.0f, 2.0f), *y = sslh_normal(b, sslh_dim1(50001), 1.0f, 2.0f);
    CHECK_OK(a);
    CHECK_OK(b);
    CHECK(memcmp(x->data, y->data, x->count * sizeof *x->data) == 0, "threads change draws");
    CHECK_NEAR(x->data[777], 1.0f + 2.0f * sslh_random_normal(9, 1, 777), 1e-6);
    x = sslh_uniform(a, sslh_dim2(3, 5), -2.0f, 4.0f);
    CHECK_NEAR(x->data[7], -2.0f + 6.0f * sslh_random_uniform(9, 2, 7), 1e-6);
    CHECK(sslh_next_stream(a) == 3, "streams are numbered one by one");
    { /* between 1 and the second number above it a quarter of the draws would be rounded up to the end */
        const float high = 1 + 2.384185791015625e-7f;
        size_t i, beyond = 0;
        x = sslh_uniform(a, sslh_dim1(1000), 1, high);
        for (i = 0; i < x->count; i++) beyond += !(x->data[i] >= 1 && x->data[i] < (sslh_real)high);
        CHECK(beyond == 0, "%d draws outside [low, high)", (int)beyond);
        CHECK_NEAR(sslh_uniform(a, sslh_dim1(3), 5, 5)->data[2], 5, 0);
        CHECK_OK(a);
    }
    sslh_uniform(a, sslh_dim1(3), 2, 1);
    CHECK_ERROR(a, "sslh_uniform: from 2 to 1");
    sslh_uniform(a, sslh_dim1(3), 0, (float)NAN);
    CHECK_ERROR(a, "sslh_uniform: from 0 to ");
    sslh_normal(a, sslh_dim1(3), 0, -1);
    CHECK_ERROR(a, "sslh_normal: mean 0, standard deviation -1");
    sslh_destroy(a);
    sslh_destroy(b);
}

/* --- errors ------------------------------------------------------------------------------------------------------ */

static void sticky_error(void) {
    sslh_ctx *c = create(1, 0);
    sslh_tensor *x = sslh_full(c, sslh_dim1(4), 2.0f), *d;
    float two[2], four[4] = {9, 9, 9, 9};
    CHECK_OK(c);
    CHECK(sslh_error_code(c) == SSLH_OK, "code");
    sslh_read(x, two, 2);
    CHECK(sslh_error_code(c) == SSLH_E_SHAPE, "code %d", (int)sslh_error_code(c));
    CHECK(strstr(sslh_error(c), "sslh_read: 2") != NULL, "%s", sslh_error(c));
    sslh_fail(c, SSLH_E_USAGE, "second");
    CHECK(strstr(sslh_error(c), "second") == NULL, "the first cause stays");
    d = sslh_full(c, sslh_dim2(3, 3), 1.0f); /* does nothing */
    CHECK(d != NULL && d->count == 1 && d->data != NULL, "dummy");
    CHECK_NEAR(sslh_item(d), 0, 0);
    sslh_read(d, four, 4);
    CHECK_NEAR(four[3], 0, 0);
    d = sslh_from_ints(c, sslh_dim1(1), NULL);
    CHECK(d != NULL, "dummy");
    sslh_backward(c, d);
    sslh_begin_step(c);
    sslh_no_grad(c, 1);
    sslh_parallel(c, 3, NULL, NULL);
    CHECK(sslh_mark(c) >= 0, "mark");
    sslh_clear_error(c);
    CHECK_OK(c);
    x = sslh_full(c, sslh_dim1(4), 2.0f);
    sslh_read(x, four, 4);
    CHECK_NEAR(four[3], 2, 0);
    CHECK_OK(c);
    sslh_fail(c, SSLH_OK, "%s %d", "code", 7);
    CHECK(sslh_error_code(c) == SSLH_E_USAGE, "a failure has a code");
    CHECK_ERROR(c, "code 7");
    sslh_destroy(c);
}

static void long_message(void) {
    sslh_ctx *c = create(1, 0);
    char big[3000];
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = 0;
    sslh_fail(c, SSLH_E_USAGE, "%s", big);
    CHECK(strlen(sslh_error(c)) < 1000, "cut");
    sslh_destroy(c);
}

static void *no_memory(void *user, size_t bytes) {
    (void)user, (void)bytes;
    return NULL;
}
static void no_release(void *user, void *p) { (void)user, (void)p; }

/* Without memory sslh_create gives the dead context, which every function recognises. */
static void dead_context(void) {
    sslh_desc d = desc_zero();
    sslh_ctx *c;
    sslh_tensor *t, *in[2];
    float v[3] = {1, 2, 3};
    uint8_t bytes[3] = {1, 2, 3};
    int32_t ints[3] = {1, 2, 3};
    sslh_gradcheck_desc g;
    memset(&g, 0, sizeof g);
    d.alloc = no_memory;
    d.release = no_release;
    c = sslh_create(d);
    CHECK(c != NULL, "never NULL");
    CHECK(sslh_error(c) && strstr(sslh_error(c), "memory"), "says so");
    CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "code");
    sslh_clear_error(c);
    CHECK(sslh_error(c) != NULL, "stays dead");
    sslh_fail(c, SSLH_E_USAGE, "x");
    sslh_begin_step(c);
    sslh_push(c);
    sslh_pop(c);
    sslh_no_grad(c, 1);
    t = sslh_zeros(c, sslh_dim1(3));
    CHECK(t && t->count == 1, "dummy");
    t = sslh_from(c, sslh_dim1(3), v);
    t = sslh_from_ints(c, sslh_dim1(3), ints);
    t = sslh_from_bytes(c, sslh_dim1(3), bytes);
    t = sslh_uniform(c, sslh_dim1(3), 0, 1);
    t = sslh_normal(c, sslh_dim1(3), 0, 1);
    t = sslh_requires_grad(sslh_scalar(c, 1));
    t = sslh_keep(t);
    t = sslh_persist(t);
    CHECK_NEAR(sslh_item(t), 0, 0);
    sslh_read(t, v, 3);
    CHECK_NEAR(v[2], 0, 0);
    sslh_write(t, v, 3);
    in[0] = in[1] = t;
    t = sq(c, in, NULL);
    sslh_backward(c, t);
    sslh_backward_keep(c, t);
    t = sslh_detach(c, t);
    CHECK(t != NULL, "dummy");
    CHECK_NEAR(sslh_gradcheck(c, sq_function, in, 2, NULL, g), 0, 0);
    sslh_trace(c, NULL, NULL);
    CHECK(sslh_next_stream(c) == 0, "stream");
    sslh_parallel(c, 3, NULL, NULL);
    CHECK(sslh_query(c).bytes == 0, "query");
    sslh_rewind(c, sslh_mark(c));
    sslh_destroy(c);
    sslh_destroy(NULL);
    CHECK(sslh_error(NULL) != NULL, "NULL context");
}

static void bad_descriptions(void) {
    sslh_desc d = desc_zero();
    sslh_ctx *c;
    int i;
    d.alloc = test_alloc; /* without .release */
    c = sslh_create(d);
    CHECK(sslh_error(c) && strstr(sslh_error(c), ".release"), "%s", sslh_error(c) ? sslh_error(c) : "no error");
    sslh_destroy(c);
    d = desc_zero();
    d.threads = 100000;
    c = sslh_create(d);
    CHECK(sslh_error(c) && strstr(sslh_error(c), "threads"), "%s", sslh_error(c) ? sslh_error(c) : "no error");
    sslh_destroy(c);
    d = desc_zero();
    d.cpu = "z80";
    c = sslh_create(d);
    CHECK(sslh_error(c) && strstr(sslh_error(c), "z80"), "%s", sslh_error(c) ? sslh_error(c) : "no error");
    for (i = 0; sslh_cpu_name(i) && sslh_error(c); i++)
        CHECK(strstr(sslh_error(c), sslh_cpu_name(i)), "%s is not offered: %s", sslh_cpu_name(i), sslh_error(c));
    sslh_destroy(c);
}
/* Every name is taken, or refused because the processor lacks it; the last that is taken is chosen by itself. */
static void instruction_sets(void) {
    const char *best = "";
    sslh_desc d = desc_zero();
    sslh_ctx *c;
    int i, j;
    for (i = 0; sslh_cpu_name(i); i++) {
        for (j = 0; j < i; j++) CHECK(strcmp(sslh_cpu_name(i), sslh_cpu_name(j)) != 0, "%s twice", sslh_cpu_name(i));
        d.cpu = sslh_cpu_name(i);
        c = sslh_create(d);
        if (!sslh_error(c)) best = sslh_query(c).cpu;
        if (!sslh_error(c)) CHECK(strcmp(best, sslh_cpu_name(i)) == 0, "%s for %s", best, sslh_cpu_name(i));
        else CHECK(strstr(sslh_error(c), "this processor does not have it"), "%s", sslh_error(c));
        sslh_destroy(c);
    }
    CHECK(i > 0 && sslh_cpu_name(-1) == NULL && sslh_cpu_name(i + 1) == NULL, "%d instruction sets", i);
    c = create(1, 0);
    CHECK(strcmp(sslh_query(c).cpu, best) == 0, "%s is chosen, %s is there", sslh_query(c).cpu, best);
    sslh_destroy(c);
}

static void sizes(void) {
    sslh_ctx *c = create(1, 0);
    sslh_shape s = sslh_dim3(2, 3, 4);
    sslh_tensor *t = sslh_zeros(c, s);
    CHECK(t->ndim == 3 && t->count == 24 && t->shape[2] == 4, "shape");
    CHECK(sslh_shape_of(t).size[1] == 3, "shape of");
    CHECK(sslh_shape_of(NULL).ndim == 0, "shape of NULL");
    t = sslh_zeros(c, sslh_dim0());
    CHECK(t->ndim == 0 && t->count == 1, "scalar");
    sslh_zeros(c, sslh_dim2(0, 3));
    CHECK_ERROR(c, "sslh_full: shape (0,3)");
    sslh_zeros(c, sslh_dim2(4, -1));
    CHECK_ERROR(c, "(4,-1)");
    sslh_zeros(c, sslh_dim6(0x7fffffff, 0x7fffffff, 0x7fffffff, 2, 2, 2));
    CHECK_ERROR(c, "too many elements");
    sslh_zeros(c, sslh_dim3(0x7fffffff, 0x7fffffff, 0x7fffffff));
    CHECK_ERROR(c, "too many elements");
    s.ndim = 9;
    sslh_zeros(c, s);
    CHECK_ERROR(c, "9 dimensions");
    s.ndim = -2;
    sslh_zeros(c, s);
    CHECK_ERROR(c, "-2 dimensions");
    /* huge but representable: the allocator says no (or the overcommit of the system would be tried out) */
    if (sizeof(size_t) == 8) {
        sslh_zeros(c, sslh_dim3(0x7fffffff, 0x7fffffff / 16, 8));
        CHECK(sslh_error(c) != NULL, "an exabyte");
        sslh_clear_error(c);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

static void values(void) {
    sslh_ctx *c = create(1, 0);
    float v[6] = {1, 2, 3, 4, 5, 6}, r[6];
    int32_t iv[3] = {-7, 8, 9};
    uint8_t bv[2] = {0, 255};
    sslh_tensor *x = sslh_from(c, sslh_dim2(2, 3), v), *i = sslh_from_ints(c, sslh_dim1(3), iv),
                *b = sslh_from_bytes(c, sslh_dim1(2), bv), *p;
    sslh_read(x, r, 6);
    CHECK(memcmp(v, r, sizeof v) == 0, "round trip");
    sslh_read(i, r, 3);
    CHECK(r[0] == -7.0f && r[2] == 9.0f, "ints");
    sslh_read(b, r, 2);
    CHECK(r[1] == 255.0f, "bytes");
    v[0] = 12.0f;
    sslh_write(x, v, 6);
    CHECK_NEAR(x->data[0], 12, 0);
    sslh_write(i, v, 3);
    CHECK(i->ints[0] == 12, "ints written");
    sslh_write(b, v, 2);
    CHECK(b->bytes[0] == 12, "bytes written");
    { /* what the type does not have is an error, and nothing is written */
        const float wrong[5][3] = {{1, (float)NAN, 2}, {1, 2147483648.0f, 2}, {1, -2147483904.0f, 2}, {1, 256, 0},
                                   {1, -1, 0}};
        const float ends[3] = {-2147483648.0f, 2147483520.0f, -0.5f};
        sslh_tensor *kept = sslh_persist(x);
        int k;
        i = sslh_persist(i), b = sslh_persist(b); /* an error ends the step */
        for (k = 0; k < 5; k++) {
            sslh_write(k < 3 ? i : b, wrong[k], k < 3 ? 3 : 2);
            CHECK_ERROR(c, k < 3 ? "sslh_write: value 1 is " : "SSLH_U8");
            CHECK(i->ints[0] == 12 && b->bytes[0] == 12, "case %d wrote a part", k);
        }
        sslh_write(i, ends, 3);
        CHECK_OK(c);
        CHECK(i->ints[0] == -2147483647 - 1 && i->ints[1] == 2147483520 && i->ints[2] == 0, "the ends of the type");
        x = kept;
    }
    p = sslh_persist(x);
    sslh_begin_step(c);
    CHECK_NEAR(p->data[5], 6, 0);
    CHECK_OK(c);
    sslh_item(p);
    CHECK_ERROR(c, "sslh_item");
    sslh_read(p, r, 5);
    CHECK_ERROR(c, "sslh_read: 5");
    CHECK(r[0] == 0 && r[4] == 0, "zeros after an error");
    sslh_write(p, v, 5);
    CHECK_ERROR(c, "sslh_write: 5");
    sslh_requires_grad(sslh_from_ints(c, sslh_dim1(3), iv));
    CHECK_ERROR(c, "sslh_requires_grad");
    sslh_from(c, sslh_dim1(3), NULL);
    CHECK_ERROR(c, "sslh_from: ");
    CHECK(sslh_or_off(0.0f) == (float)SSLH_OFF && sslh_or_off(0.25f) == 0.25f, "or_off");
    sslh_destroy(c);
}

static void mixing_contexts(void) {
    sslh_ctx *a = create(1, 0), *b = create(1, 0);
    sslh_tensor *in[2];
    in[0] = sslh_requires_grad(sslh_zeros(a, sslh_dim1(3)));
    in[1] = sslh_scalar(b, 1);
    sq(a, in, NULL);
    CHECK_ERROR(a, "sq: input 2 belongs to another context");
    CHECK_OK(b);
    in[0] = sslh_zeros(a, sslh_dim1(3));
    in[1] = NULL;
    sq(a, in, NULL);
    CHECK_ERROR(a, "sq: input 2 is NULL");
    sslh_destroy(a);
    sslh_destroy(b);
}

/* --- the tape ---------------------------------------------------------------------------------------------------- */

static void backward_by_hand(void) {
    sslh_ctx *c = create(1, 0);
    float v[3] = {1, -2, 3};
    sslh_tensor *in[2], *y;
    in[0] = sslh_requires_grad(sslh_from(c, sslh_dim1(3), v));
    in[1] = sslh_requires_grad(sslh_scalar(c, 2));
    y = sq(c, in, NULL);
    CHECK_NEAR(sslh_item(y), 28, 1e-6);
    sslh_backward_keep(c, y);
    CHECK_OK(c);
    CHECK_NEAR(in[0]->grad[1], -8, 1e-6);
    CHECK_NEAR(in[1]->grad[0], 14, 1e-6);
    sslh_backward(c, y); /* adds */
    CHECK_OK(c);
    CHECK_NEAR(in[0]->grad[1], -16, 1e-6);
    CHECK_NEAR(in[1]->grad[0], 28, 1e-6);
    CHECK_NEAR(sslh_item(y), 28, 1e-6); /* the loss stays readable */
    /* detach stops */
    sslh_begin_step(c);
    in[0] = sslh_requires_grad(sslh_from(c, sslh_dim1(3), v));
    in[1] = sslh_requires_grad(sslh_scalar(c, 2));
    {
        sslh_tensor *in2[2];
        in2[0] = sslh_detach(c, in[0]);
        in2[1] = in[1];
        CHECK(in2[0]->data == in[0]->data, "shares memory");
        sslh_backward(c, sq(c, in2, NULL));
        CHECK(in[0]->grad == NULL && in[1]->grad != NULL, "stop-gradient");
    }
    CHECK_OK(c);
    /* errors */
    sslh_backward(c, in[0]);
    CHECK_ERROR(c, "sslh_backward: the loss must be one number");
    sslh_backward(c, sslh_scalar(c, 1));
    CHECK_ERROR(c, "does not depend");
    in[0] = sslh_requires_grad(sslh_from(c, sslh_dim1(3), v));
    in[1] = sslh_scalar(c, 2);
    sslh_no_grad(c, 1);
    sslh_no_grad(c, 1);
    y = sq(c, in, NULL);
    sslh_no_grad(c, 0);
    sslh_no_grad(c, 0);
    sslh_backward(c, y);
    CHECK_ERROR(c, "does not depend");
    sslh_no_grad(c, 0);
    CHECK_ERROR(c, "sslh_no_grad");
    sslh_destroy(c);
}

/* What reads h in the second loss, in each of the ways in which an operation passes a gradient on. */
static sslh_tensor *reader(sslh_ctx *c, sslh_tensor *h, int way) {
    sslh_tensor *in[2];
    if (way == 0) return sslh_sum(c, h, SSLH_ALL, 0);
    if (way == 1) return sslh_sum(c, sslh_reshape(c, h, sslh_dim2(3, 1)), SSLH_ALL, 0);
    if (way == 2) return sslh_sum(c, sslh_tanh(c, h), SSLH_ALL, 0);
    in[0] = h, in[1] = sslh_scalar(c, 1);
    return sq(c, in, NULL);
}
/* A second loss on a kept result: an error where its gradient could not get past the result; with sslh_backward_keep,
   or as a sum of both losses, the same gradient. */
static void second_loss(void) {
    sslh_ctx *c = create(1, 0);
    float v[3] = {1, -2, 3}, sum[3];
    int way, k, i;
    for (way = 0; way < 4; way++) {
        for (k = 0; k < 3; k++) {
            sslh_tensor *w, *h, *first;
            sslh_begin_step(c);
            w = sslh_requires_grad(sslh_from(c, sslh_dim1(3), v));
            h = sslh_keep(sslh_scale(c, w, 2));
            first = sslh_sum(c, sslh_square(c, h), SSLH_ALL, 0);
            if (k == 0) {
                sslh_backward(c, sslh_add(c, first, reader(c, h, way)));
                memcpy(sum, w->grad, sizeof sum);
            } else if (k == 1) {
                sslh_backward_keep(c, first);
                CHECK(h->grad == NULL, "a pass that keeps the tape keeps no gradients of results");
                sslh_backward(c, reader(c, h, way));
                CHECK_NEAR(h->grad[1], way < 2 ? 1 : way == 2 ? 0.0013409 : -8, 1e-5); /* of the last pass alone */
                for (i = 0; i < 3; i++) CHECK_CLOSE(w->grad[i], sum[i], 1e-6);
            } else {
                sslh_backward(c, first);
                first = reader(c, h, way); /* the values are there */
                CHECK_OK(c);
                CHECK_CLOSE(w->grad[1], 8 * v[1], 1e-6);
                sslh_backward(c, first);
                CHECK_ERROR(c, "sslh_backward: the gradient reaches a result of shape (3) whose record");
                continue;
            }
            CHECK_OK(c);
        }
    }
    { /* a loss a second time; what hangs on a detached copy, and a scope's own tape, are no part of the spent one */
        sslh_tensor *w, *h, *loss;
        sslh_begin_step(c);
        w = sslh_requires_grad(sslh_from(c, sslh_dim1(3), v));
        h = sslh_keep(sslh_scale(c, w, 2));
        loss = sslh_sum(c, h, SSLH_ALL, 0);
        sslh_push(c);
        sslh_backward(c, sslh_sum(c, sslh_square(c, h), SSLH_ALL, 0));
        CHECK_CLOSE(h->grad[2], 4 * v[2], 1e-6);
        CHECK(w->grad == NULL, "the scope's pass ends at its beginning");
        sslh_pop(c);
        CHECK(h->grad == NULL, "the scope leaves no gradient in what was made outside");
        sslh_backward(c, loss);
        CHECK_OK(c);
        for (i = 0; i < 3; i++) CHECK_NEAR(w->grad[i], 2, 0);
        loss = sslh_sum(c, sslh_mul(c, sslh_detach(c, h), w), SSLH_ALL, 0);
        sslh_backward(c, loss);
        CHECK_OK(c);
        CHECK_CLOSE(w->grad[2], 2 + 2 * v[2], 1e-6);
        sslh_backward(c, loss);
        CHECK_ERROR(c, "sslh_backward: the gradient reaches a result of shape ()");
    }
    sslh_destroy(c);
}
/* The textbook's two losses of a GAN: the generator's pass comes after one that ends at a detached copy. The second
   time all is preceded by a pass that fails half-way, whose gradients sslh_zero_grad clears. */
static void second_net(void) {
    float grads[2][24];
    int k, i, n;
    for (k = 0; k < 2; k++) {
        sslh_ctx *c = create(1, 0);
        sslh_mlp_desc d;
        sslh_net *net[2]; /* generator, discriminator */
        sslh_tensor *fake;
        memset(&d, 0, sizeof d);
        d.in = 3, d.widths[0] = 3;
        net[0] = sslh_mlp(c, d);
        net[1] = sslh_mlp(c, d);
        fake = sslh_forward(net[0], sslh_full(c, sslh_dim2(4, 3), 1));
        if (k) {
            sslh_backward(c, sslh_sum(c, sslh_square(c, sslh_forward(net[1], sslh_detach(c, fake))), SSLH_ALL, 0));
            CHECK_OK(c);
            sslh_backward(c, sslh_sum(c, sslh_square(c, sslh_forward(net[1], fake)), SSLH_ALL, 0));
            CHECK_ERROR(c, "sslh_backward_keep");
            sslh_zero_grad(net[0]), sslh_zero_grad(net[1]);
            fake = sslh_forward(net[0], sslh_full(c, sslh_dim2(4, 3), 1));
        }
        sslh_backward_keep(c, sslh_sum(c, sslh_square(c, sslh_forward(net[1], sslh_detach(c, fake))), SSLH_ALL, 0));
        sslh_backward(c, sslh_sum(c, sslh_square(c, sslh_forward(net[1], fake)), SSLH_ALL, 0));
        CHECK_OK(c);
        for (n = i = 0; i < 4; i++) {
            const sslh_tensor *t = sslh_param(net[i / 2], i % 2);
            if (!CHECK(t->grad && n + (int)t->count <= 24, "parameter %d has no gradient", i)) continue;
            memcpy(grads[k] + n, t->grad, t->count * sizeof *t->grad);
            n += (int)t->count;
        }
        CHECK(n == 24 && fabs((double)grads[k][0]) > 0, "%d gradients, the first is %g", n, (double)grads[k][0]);
        sslh_destroy(c);
    }
    CHECK(memcmp(grads[0], grads[1], sizeof grads[0]) == 0, "something of the failed pass is left");
}
/* The gradient of a persistent tensor is there at once and adds up over the steps, until it is cleared. */
static void persistent_gradient(void) {
    sslh_ctx *c = create(1, 0);
    sslh_tensor *p = sslh_requires_grad(sslh_persist(sslh_full(c, sslh_dim1(3), 5)));
    int step;
    CHECK(p->grad && p->grad[2] == 0, "zeros at first");
    for (step = 1; step <= 3; step++) {
        sslh_begin_step(c);
        sslh_backward(c, sslh_sum(c, sslh_square(c, p), SSLH_ALL, 0));
        CHECK_NEAR(p->grad[2], 10 * (step < 3 ? step : 1), 0);
        if (step == 2) memset(p->grad, 0, p->count * sizeof *p->grad);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}
/* sslh_clear_error ends sslh_no_grad; the 0 of the section that failed finds nothing to end, one more is an error. */
static void no_grad_and_errors(void) {
    sslh_ctx *c = create(1, 0);
    sslh_no_grad(c, 1);
    sslh_matmul(c, sslh_zeros(c, sslh_dim1(2)), sslh_zeros(c, sslh_dim1(2)));
    CHECK(sslh_error(c) != NULL, "an error");
    sslh_clear_error(c);
    sslh_no_grad(c, 1); /* once more, and this time without an error */
    sslh_no_grad(c, 0);
    sslh_no_grad(c, 0);
    CHECK_OK(c);
    sslh_no_grad(c, 0);
    CHECK_ERROR(c, "sslh_no_grad");
    sslh_destroy(c);
}

static void nan_loss(void) {
    sslh_desc d = desc_zero();
    sslh_ctx *c;
    int k;
    for (k = 0; k < 2; k++) {
        float v[2] = {1e30f, 1e30f};
        sslh_tensor *in[2];
        d.check_nan = k;
        c = sslh_create(d);
        sslh_begin_step(c);
        v[0] = (float)strtod(k ? "nan" : "inf", NULL);
        in[0] = sslh_requires_grad(sslh_from(c, sslh_dim1(2), v));
        in[1] = sslh_scalar(c, 1);
        sslh_backward(c, sq(c, in, NULL));
        CHECK(sslh_error_code(c) == SSLH_E_NAN, "code");
        CHECK(in[0]->grad == NULL, "nothing changed");
        CHECK_ERROR(c, k ? "sq: the result" : "step 1");
        sslh_destroy(c);
    }
}

static void gradcheck_finds_errors(void) {
    sslh_ctx *c = create(1, 3);
    sslh_gradcheck_desc g;
    char report[200];
    sslh_tensor *in[2];
    double e;
    int wrong = 1;
    memset(&g, 0, sizeof g);
    g.report = report;
    g.report_size = sizeof report;
    in[0] = sslh_normal(c, sslh_dim2(5, 7), 0, 1);
    in[1] = sslh_scalar(c, 3);
    e = sslh_gradcheck(c, sq_function, in, 2, NULL, g);
    CHECK_OK(c);
    CHECK(e < 2e-2, "%s", report);
    e = sslh_gradcheck(c, sq_function, in, 2, &wrong, g);
    CHECK_NEAR(e, 0.5, 0.05);
    CHECK(strstr(report, "input ") != NULL, "%s", report);
    CHECK_ERROR(c, "sslh_gradcheck: relative error");
    sslh_gradcheck(c, NULL, in, 2, NULL, g);
    CHECK_ERROR(c, "sslh_gradcheck: the function or the list of inputs is missing");
    sslh_gradcheck(c, sq_function, NULL, 2, NULL, g);
    CHECK_ERROR(c, "sslh_gradcheck: the function or the list of inputs is missing");
    sslh_destroy(c);
}

static int traced;
static void trace_callback(const sslh_trace_event *e, void *user) {
    CHECK(user == &traced && strcmp(e->name, "sq") == 0 && e->inputs == 2 && e->output->count == 1,
          "event %s", e->name);
    CHECK_NEAR(e->mean, 8, 1e-6);
    traced++;
}
static void trace(void) {
    sslh_ctx *c = create(1, 0);
    sslh_tensor *in[2];
    in[0] = sslh_full(c, sslh_dim1(2), 2);
    in[1] = sslh_scalar(c, 1);
    sslh_trace(c, trace_callback, &traced);
    sq(c, in, NULL);
    sslh_trace(c, NULL, NULL);
    sq(c, in, NULL);
    CHECK(traced == 1, "%d events", traced);
    sslh_destroy(c);
}

/* --- steps, scopes, memory --------------------------------------------------------------------------------------- */

static void scopes(void) {
    sslh_ctx *c = create(1, 4);
    sslh_tensor *in[2], *y;
    float before, after;
    int i;
    in[0] = sslh_requires_grad(sslh_full(c, sslh_dim1(1000), 0.5f));
    in[1] = sslh_scalar(c, 1);
    y = sq(c, in, NULL);
    sslh_no_grad(c, 1);
    sslh_push(c);
    {
        sslh_tensor *in2[2];
        before = sslh_normal(c, sslh_dim1(1), 0, 1)->data[0];
        for (i = 0; i < 5; i++) { /* steps inside a scope leave the outer one alone */
            sslh_begin_step(c);
            in2[0] = sslh_requires_grad(sslh_normal(c, sslh_dim1(100000), 0, 1));
            in2[1] = sslh_scalar(c, 1);
            sslh_backward(c, sq(c, in2, NULL));
            CHECK(in2[0]->grad != NULL, "no_grad does not reach into a scope");
        }
    }
    sslh_pop(c);
    after = sslh_normal(c, sslh_dim1(1), 0, 1)->data[0];
    CHECK(before == after, "the random stream is restored");
    sslh_no_grad(c, 0);
    sslh_backward(c, y);
    CHECK_NEAR(in[0]->grad[999], 1, 1e-6);
    CHECK_OK(c);
    for (i = 0; i < 16; i++) sslh_push(c);
    CHECK_OK(c);
    sslh_push(c);
    CHECK_ERROR(c, "sslh_push");
    { /* the scope for which there was no room is closed by its own sslh_pop: the sixteen others keep theirs */
        float inside = sslh_normal(c, sslh_dim1(1), 0, 1)->data[0];
        sslh_pop(c);
        sslh_begin_step(c);
        CHECK(sslh_normal(c, sslh_dim1(1), 0, 1)->data[0] != inside, "the seventeenth sslh_pop closed a scope");
    }
    for (i = 0; i < 16; i++) sslh_pop(c);
    CHECK_OK(c);
    sslh_pop(c);
    CHECK_ERROR(c, "sslh_pop");
    sslh_destroy(c);
}

/* What returns a tensor returns one, also of NULL: its fields can be read, and operations refuse it. */
static void null_tensors(void) {
    sslh_ctx *c = create(1, 5);
    sslh_tensor *t[3];
    int i;
    t[0] = sslh_requires_grad(NULL);
    t[1] = sslh_keep(NULL);
    t[2] = sslh_persist(NULL);
    for (i = 0; i < 3; i++) {
        if (!CHECK(t[i] != NULL, "number %d is NULL", i)) continue;
        CHECK(t[i]->count == 1 && sslh_item(t[i]) == 0, "number %d", i);
        sslh_requires_grad(t[i]);
        sslh_keep(t[i]);
        sslh_neg(c, t[i]);
        CHECK_ERROR(c, "another context");
    }
    sslh_destroy(c);
}

/* One step of some hundred tensors of changing sizes with a backward pass. */
static void busy_step(sslh_ctx *c, int scale) {
    sslh_tensor *x[20], *loss = NULL, *in[2];
    int i;
    sslh_begin_step(c);
    for (i = 0; i < 20; i++) {
        x[i] = sslh_requires_grad(sslh_normal(c, sslh_dim2(1 + i * scale, 37), 0, 1));
        in[0] = x[i];
        in[1] = loss ? loss : sslh_scalar(c, 0.01f);
        loss = sq(c, in, NULL);
        in[0] = loss;
        in[1] = sslh_scalar(c, 1e-6f); /* keeps the chain finite */
        loss = sq(c, in, NULL);
        (void)sslh_detach(c, x[i]);
    }
    sslh_backward(c, loss);
}

static void no_allocation_from_third_step(void) {
    test_memory m;
    sslh_ctx *c;
    int i, threads;
    for (threads = 1; threads <= 3; threads += 2) {
        long calls = 0;
        size_t bytes = 0;
        memset(&m, 0, sizeof m);
        c = create_counted(&m, threads);
        for (i = 1; i <= 8; i++) {
            busy_step(c, 3);
            if (i == 2) calls = m.calls, bytes = sslh_query(c).bytes;
        }
        CHECK_OK(c);
        CHECK(m.calls - calls <= 1, "%ld allocations after the second step", m.calls - calls);
        CHECK(sslh_query(c).bytes <= bytes + 8192, "bytes %.0f then %.0f", (double)bytes, (double)sslh_query(c).bytes);
        calls = m.calls;
        for (i = 0; i < 20; i++) busy_step(c, 3);
        CHECK(m.calls == calls, "%ld allocations in steps 9 to 28", m.calls - calls);
        CHECK(sslh_query(c).allocs == (int64_t)m.calls, "query counts %.0f", (double)sslh_query(c).allocs);
        CHECK(sslh_query(c).steps == 28, "steps");
        sslh_destroy(c);
        CHECK(m.live == 0, "%ld blocks leak", m.live);
    }
}

static void mark_rewind_flat(void) {
    test_memory m;
    sslh_ctx *c;
    size_t bytes = 0, kept;
    sslh_tensor *outer;
    int i;
    memset(&m, 0, sizeof m);
    c = create_counted(&m, 1);
    outer = sslh_persist(sslh_full(c, sslh_dim1(10), 4));
    for (i = 0; i < (test_small() ? 300 : 1000); i++) {
        int64_t mark = sslh_mark(c);
        sslh_tensor *p = sslh_persist(sslh_full(c, sslh_dim2(30, 1 + i % 7), (float)i));
        sslh_requires_grad(p);
        if (i % 100 == 0) busy_step(c, 1);
        CHECK_NEAR(p->data[29], i, 0);
        sslh_rewind(c, mark);
        if (i == 10) bytes = sslh_query(c).bytes;
        if (i > 10) {
            kept = sslh_query(c).bytes;
            if (i % 100 != 0)
                CHECK(kept == bytes || i > 100, "round %d: %.0f bytes, %.0f before", i, (double)kept, (double)bytes);
        }
        if (i == 101) bytes = sslh_query(c).bytes;
        if (i > 101)
            CHECK(sslh_query(c).bytes <= bytes,
                  "round %d: %.0f bytes, %.0f before", i, (double)sslh_query(c).bytes, (double)bytes);
    }
    CHECK_OK(c);
    CHECK_NEAR(outer->data[9], 4, 0);
    sslh_rewind(c, sslh_mark(c) + 1000);
    CHECK_ERROR(c, "sslh_rewind");
    sslh_destroy(c);
    CHECK(m.live == 0, "%ld blocks leak", m.live);
}

static void limit_of_bytes(void) {
    sslh_desc d = desc_zero();
    sslh_ctx *c;
    d.max_bytes = 4000000;
    d.threads = 1;
    c = sslh_create(d);
    sslh_zeros(c, sslh_dim1(100000));
    CHECK_OK(c);
    sslh_zeros(c, sslh_dim1(2000000));
    CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "code");
    CHECK_ERROR(c, ".max_bytes");
    sslh_begin_step(c);
    sslh_zeros(c, sslh_dim1(100000));
    CHECK_OK(c);
    CHECK(sslh_query(c).peak <= 4000000, "peak %.0f", (double)sslh_query(c).peak);
    sslh_destroy(c);
}
/* A step that fits once fits always, also where the limit leaves no room for a heap with a reserve. */
static void every_step_fits(void) {
    static const size_t limit[2] = {21000000, 23000000};
    int k, step, i;
    for (k = 0; k < 2; k++) {
        sslh_desc d = desc_zero();
        sslh_ctx *c;
        d.max_bytes = limit[k];
        d.threads = 1;
        c = sslh_create(d);
        for (step = 0; step < 4; step++) {
            sslh_begin_step(c);
            for (i = 0; i < 2; i++) sslh_zeros(c, sslh_dim1((int)(10000000 / sizeof(sslh_real))));
            CHECK(sslh_error(c) == NULL, "case %d, step %d: %s", k, step, sslh_error(c) ? sslh_error(c) : "");
        }
        CHECK(sslh_query(c).peak <= limit[k], "peak %.0f", (double)sslh_query(c).peak);
        sslh_destroy(c);
    }
}

/* Every allocation of a run of the core fails in turn, alone and with all later ones. */
static void every_allocation_fails(void) {
    int all;
    for (all = 0; all < 2; all++) {
        long n, last = 1000000;
        for (n = 1; n <= last; n++) {
            test_memory m;
            sslh_ctx *c;
            int failed, i;
            memset(&m, 0, sizeof m);
            m.fail_at = n;
            m.fail_all = all;
            c = create_counted(&m, 2);
            for (i = 0; i < 3; i++) busy_step(c, test_small() ? 15 : 40);
            sslh_persist(sslh_zeros(c, sslh_dim1(77)));
            sslh_push(c);
            busy_step(c, test_small() ? 25 : 60);
            sslh_pop(c);
            sslh_rewind(c, 0);
            failed = m.calls >= n;
            /* the pool may start with fewer threads when its memory is out: an error all the same */
            if (failed)
                CHECK(sslh_error_code(c) == SSLH_E_MEMORY,
                      "allocation %ld of the run: %s", n, sslh_error(c) ? sslh_error(c) : "no error");
            else CHECK_OK(c);
            if (failed && !all && n > 1) { /* the context can be used again */
                m.fail_at = 0;
                sslh_clear_error(c);
                sslh_begin_step(c);
                busy_step(c, 2);
                CHECK_OK(c);
            }
            sslh_destroy(c);
            CHECK(m.live == 0, "allocation %ld: %ld blocks leak", n, m.live);
            if (!failed) last = n;
        }
        CHECK(n > 8 && n < 10000, "%ld allocations", n);
    }
}

/* --- threads ----------------------------------------------------------------------------------------------------- */

static void square_task(void *arg, int task, int worker) {
    (void)worker;
    ((int *)arg)[task] += task * task;
}
static int for_calls;
static void user_for(void *user, int tasks, sslh_task_fn fn, void *arg) {
    int i;
    (void)user;
    for_calls++;
    for (i = tasks; i-- > 0;) fn(arg, i, i % 3);
}

/* Threads that flush subnormal numbers and round towards zero. */
#if (defined(__x86_64__) || defined(_M_X64)) && !defined(__TINYC__)
#include <xmmintrin.h>
static int left_as_it_was;
static void rough_for(void *user, int tasks, sslh_task_fn fn, void *arg) {
    const unsigned old = _mm_getcsr();
    unsigned rough;
    (void)user;
    _mm_setcsr(old | 0xe040u);
    rough = _mm_getcsr(); /* valgrind has the rounding only */
    for (int i = tasks; i-- > 0;) fn(arg, i, i % 3);
    left_as_it_was = ((_mm_getcsr() ^ rough) & 0xffc0u) == 0;
    _mm_setcsr(old);
}
static void rough_threads(void) {
    sslh_desc d = desc_zero();
    sslh_ctx *c[2];
    sslh_tensor *x[2];
    d.threads = 3;
    for (int i = 0; i < 2; i++) {
        d.parallel_for = i ? rough_for : NULL;
        c[i] = sslh_create(d);
        x[i] = sslh_normal(c[i], sslh_dim2(300, 300), 0, 1);
        x[i] = sslh_tanh(c[i], sslh_scale(c[i], sslh_matmul(c[i], x[i], x[i]), 0.03f));
        x[i] = sslh_mul(c[i], x[i], sslh_full(c[i], sslh_dim2(300, 300), 1.2e-38f)); /* subnormal */
        CHECK_OK(c[i]);
    }
    CHECK(x[0]->data[7] != 0 && memcmp(x[0]->data, x[1]->data, x[0]->count * sizeof *x[0]->data) == 0,
          "tasks round as the thread does that runs them");
    CHECK(left_as_it_was, "the thread's own environment is put back");
    for (int i = 0; i < 2; i++) sslh_destroy(c[i]);
}
#else
static void rough_threads(void) {}
#endif

static void parallel(void) {
    int threads, i, r, rounds = test_small() ? 20 : 200;
    static int result[1000];
    for (threads = 1; threads <= 7; threads += 2) {
        sslh_ctx *c = create(threads, 0);
        memset(result, 0, sizeof result);
        for (r = 0; r < rounds; r++) sslh_parallel(c, r % 2 ? 1000 : 3, square_task, result);
        for (i = 0; i < 1000; i++) if (result[i] != (i < 3 ? rounds : rounds / 2) * i * i) break;
        CHECK(i == 1000, "threads %d: task %d ran wrongly", threads, i);
        CHECK(sslh_query(c).threads >= 1 && sslh_query(c).threads <= threads, "threads");
        sslh_parallel(c, 0, square_task, result);
        sslh_parallel(c, -5, square_task, result);
        sslh_destroy(c);
    }
    {
        sslh_desc d = desc_zero();
        sslh_ctx *c;
        d.parallel_for = user_for;
        d.threads = 3;
        d.seed = 9;
        c = sslh_create(d);
        memset(result, 0, sizeof result);
        sslh_parallel(c, 1000, square_task, result);
        CHECK(for_calls == 1 && result[999] == 999 * 999, "the caller's own loop");
        {
            sslh_ctx *one = create(1, 9);
            sslh_tensor *x = sslh_normal(c, sslh_dim1(40000), 0, 1), *y = sslh_normal(one, sslh_dim1(40000), 0, 1);
            CHECK(for_calls > 1, "used for work");
            CHECK(memcmp(x->data, y->data, x->count * sizeof *x->data) == 0, "same bits");
            sslh_destroy(one);
        }
        sslh_destroy(c);
    }
}

/* A worker is woken elsewhere than its caller runs; what processors it may use is its own again when a task runs. */
#if defined(__linux__)
static unsigned long task_mask[4][16];
static int wrong_masks;
static void mask_task(void *arg, int task, int worker) {
    unsigned long mask[16] = {0};
    (void)arg, (void)task;
    if (syscall(SYS_sched_getaffinity, 0, sizeof mask, mask) < 0) return;
    memcpy(task_mask[worker], mask, sizeof mask);
}
#endif
static void affinity(void) {
#if defined(__linux__)
    sslh_ctx *c = create(4, 0);
    unsigned long own[16] = {0};
    if (syscall(SYS_sched_getaffinity, 0, sizeof own, own) > 0)
        for (int r = 0; r < (test_small() ? 10 : 50); r++) {
            /* the workers fall asleep */
            for (const clock_t start = clock(); clock() - start < CLOCKS_PER_SEC / 2000;) {}
            for (int w = 0; w < 4; w++) memcpy(task_mask[w], own, sizeof own);
            sslh_parallel(c, 64, mask_task, NULL);
            for (int w = 0; w < 4; w++) wrong_masks += memcmp(task_mask[w], own, sizeof own) != 0;
        }
    CHECK(wrong_masks == 0, "%d tasks ran under another set of processors than their program's", wrong_masks);
    CHECK_OK(c);
    sslh_destroy(c);
#endif
}

static void same_bits_self_test(void) {
    sslh_ctx *c = create(1, 0);
    sslh_desc d = desc_zero();
    CHECK(sslh_bits_ok(c) == 1, "sslh_bits_ok: this build computes other bits (cpu %s)", sslh_query(c).cpu);
    CHECK_OK(c);
    sslh_destroy(c);
    d.plain = 1; /* promises no bits */
    c = sslh_create(d);
    CHECK(sslh_bits_ok(c) == 0 && strcmp(sslh_query(c).cpu, "plain") == 0, "plain: cpu %s", sslh_query(c).cpu);
    CHECK_OK(c);
    sslh_destroy(c);
    d.max_bytes = 1000; /* no room for the table of the plain versions */
    c = sslh_create(d);
    CHECK_ERROR(c, "max_bytes");
    sslh_relu(c, sslh_scalar(c, 1));
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(philox_vectors)
    TEST(random_moments)
    TEST(random_below_and_permutation)
    TEST(random_tensors)
    TEST(sticky_error)
    TEST(long_message)
    TEST(dead_context)
    TEST(bad_descriptions)
    TEST(instruction_sets)
    TEST(sizes)
    TEST(values)
    TEST(mixing_contexts)
    TEST(backward_by_hand)
    TEST(second_loss)
    TEST(second_net)
    TEST(persistent_gradient)
    TEST(no_grad_and_errors)
    TEST(nan_loss)
    TEST(gradcheck_finds_errors)
    TEST(trace)
    TEST(scopes)
    TEST(null_tensors)
    TEST(no_allocation_from_third_step)
    TEST(mark_rewind_flat)
    TEST(limit_of_bytes)
    TEST(every_step_fits)
    TEST(every_allocation_fails)
    TEST(parallel)
    TEST(rough_threads)
    TEST(affinity)
    TEST(same_bits_self_test)
TESTS_END
