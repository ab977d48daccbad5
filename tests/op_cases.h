/* What tests/ops.c and tests/shapes.c have in common: how a table of operations is run. Every entry is used for
     - the gradient check (double build: relative error under 1e-6; float build: skipped),
     - values and gradients against PyTorch (tests/golden/make_ops.py records them from this same table),
     - the same bits for 1, 2, 3 and 7 threads and for every instruction set, within a tolerance without FMA,
     - the plain versions: within a tolerance in float, to rounding in double.
   Include it behind ssl.h, harness.h and the recorded values; CASE_TESTS(table, golden) defines the five tests. */
#ifndef SSLH_TEST_OP_CASES_H
#define SSLH_TEST_OP_CASES_H

typedef struct op_case {
    const char *name;
    const char *fn;     /* what is tested; the recorder has a definition for each */
    sslh_tensor *(*build)(sslh_ctx *c, sslh_tensor **in, const float *p);
    /* "3x5 5p 4i7 -": sizes and a letter for the values, see make_input; "-" is NULL, "0" a scalar */
    const char *inputs;
    int flags;
    float p[10];
} op_case;
enum { NO_CHECK = 1, /* gradient check left out: large, or not differentiable everywhere near here */
       NO_TORCH = 2  /* random: nothing to compare with */ };

static sslh_tensor *extra[4]; /* further results that are compared with PyTorch, without gradient */
static int extras;

/* --- inputs: a generator that the recorder repeats ---------------------------------------------------------------- */

static uint32_t name_seed(const char *name, const char *kind, int index) {
    uint32_t h = 2166136261u;
    const char *s;
    for (s = name; *s; s++) h = (h ^ (uint32_t)(unsigned char)*s) * 16777619u;
    for (s = kind; *s; s++) h = (h ^ (uint32_t)(unsigned char)*s) * 16777619u;
    return (h ^ (uint32_t)index) * 16777619u;
}
static uint32_t draw20(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 12;
}
/* Odd multiples of 2^-20 in (-1,1): exact in float, never zero, hardly ever equal. */
static float draw(uint32_t *state) { return (float)((int)(2 * draw20(state) + 1) - 1048576) / 1048576.0f; }

typedef struct input_spec { sslh_shape shape; char kind; int n, none; } input_spec;
/* Reads one token and returns the rest. */
static const char *read_spec(const char *s, input_spec *spec) {
    memset(spec, 0, sizeof *spec);
    while (*s == ' ') s++;
    if (*s == 0) return NULL;
    if (*s == '-') {
        spec->none = 1;
        return s + 1;
    }
    if (*s == '0') s++;
    else
        for (;;) {
            spec->shape.size[spec->shape.ndim++] = (int)strtol(s, (char **)(uintptr_t)&s, 10);
            if (*s != 'x') break;
            s++;
        }
    if (*s && *s != ' ') spec->kind = *s++;
    if (*s >= '0' && *s <= '9') spec->n = (int)strtol(s, (char **)(uintptr_t)&s, 10);
    return s;
}
/* No letter: (-1,1). p: (0.5,2.5). k: (-1/4,1/4). l: (-4,4). Without gradient: n (-1,1), z (0,1), q (0.5,2.5), iN
   integers and uN bytes below N. */
static int wants_grad(char kind) { return kind == 0 || kind == 'p' || kind == 'k' || kind == 'l'; }
static sslh_tensor *make_input(sslh_ctx *c, const input_spec *spec, uint32_t seed) {
    static float values[1 << 20];
    static int32_t ints[1 << 16];
    static uint8_t bytes[1 << 16];
    size_t count = 1, i;
    int d;
    for (d = 0; d < spec->shape.ndim; d++) count *= (size_t)spec->shape.size[d];
    if (spec->kind == 'i' || spec->kind == 'u') {
        for (i = 0; i < count; i++) {
            ints[i] = (int32_t)(draw20(&seed) % (uint32_t)spec->n);
            bytes[i] = (uint8_t)ints[i];
        }
        return spec->kind == 'i' ? sslh_from_ints(c, spec->shape, ints) : sslh_from_bytes(c, spec->shape, bytes);
    }
    for (i = 0; i < count; i++) {
        float v = draw(&seed);
        switch (spec->kind) {
        case 'p': case 'q': v = 1.5f + v; break;
        case 'k': v = v * 0.25f; break;
        case 'l': v = v * 4; break;
        case 'z': v = (v + 1) * 0.5f; break;
        default: break;
        }
        values[i] = v;
    }
    return sslh_from(c, spec->shape, values);
}

/* --- entries ------------------------------------------------------------------------------------------------------ */

#define OP(id) static sslh_tensor *id(sslh_ctx *c, sslh_tensor **in, const float *p)
#define BODY(expression)                                                                                               \
    {                                                                                                                  \
        (void)p;                                                                                                       \
        (void)in;                                                                                                      \
        return expression;                                                                                             \
    }
#define I(k) ((int)p[k])

#define A(i) ((float)SSLH_AXIS(i))
#define ALL ((float)SSLH_ALL)
#define E(name, fn, inputs, flags, ...) {name, #fn, f_##fn, inputs, flags, {__VA_ARGS__}}

/* --- running an entry --------------------------------------------------------------------------------------------- */

#define MAX_IN 8
/* Makes the inputs; returns their number. which[k]: index of those that want a gradient, in *n_grad. */
static int make_inputs(sslh_ctx *c, const op_case *e, sslh_tensor **in, int *which, int *n_grad) {
    const char *s = e->inputs;
    int n = 0;
    *n_grad = 0;
    memset(in, 0, MAX_IN * sizeof *in);
    for (;;) {
        input_spec spec;
        s = read_spec(s, &spec);
        if (!s) return n;
        if (!spec.none) {
            in[n] = make_input(c, &spec, name_seed(e->name, "in", n));
            if (wants_grad(spec.kind)) which[(*n_grad)++] = n;
        }
        n++;
    }
}

/* The scalar: sum_i w_i y_i with fixed pseudo-random w, as an operation of our own. */
static void project_forward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    uint32_t seed = name_seed(((const op_case *)user)->name, "w", 0);
    double s = 0;
    size_t i;
    (void)c, (void)n;
    for (i = 0; i < in[0]->count; i++) s += (double)draw(&seed) * (double)in[0]->data[i];
    out->data[0] = (sslh_real)s;
}
static void project_backward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    uint32_t seed = name_seed(((const op_case *)user)->name, "w", 0);
    sslh_real *g = sslh_grad(c, in[0]);
    size_t i;
    (void)n;
    if (!g) return;
    for (i = 0; i < in[0]->count; i++) g[i] += (sslh_real)draw(&seed) * out->grad[0];
}
static sslh_tensor *project(sslh_ctx *c, sslh_tensor *y, const op_case *e) {
    sslh_op_desc d;
    d.name = "project";
    d.forward = project_forward;
    d.backward = project_backward;
    d.user = (void *)(uintptr_t)e;
    return sslh_custom_op(c, d, &y, 1, sslh_dim0());
}

/* All arrays of a run: the output, the extra outputs, the gradients. */
typedef struct op_run { int n; char label[16][8]; double *v[16]; size_t count[16]; } op_run;
static void run_add(op_run *r, const char *label, int index, const sslh_tensor *t, const sslh_real *data) {
    size_t i;
    double *v = (double *)malloc(t->count * sizeof *v);
    snprintf(r->label[r->n], sizeof r->label[0], "%s%d", label, index);
    r->count[r->n] = t->count;
    r->v[r->n++] = v;
    for (i = 0; i < t->count; i++)
        v[i] = data ? (double)data[i] : t->data ? (double)t->data[i] : t->ints ? (double)t->ints[i] :
               (double)t->bytes[i];
}
static void run_free(op_run *r) {
    while (r->n) free(r->v[--r->n]);
}
static int run_case(sslh_ctx *c, const op_case *e, op_run *r) {
    sslh_tensor *in[MAX_IN], *y;
    int which[MAX_IN], n, i;
    r->n = 0;
    sslh_begin_step(c);
    extras = 0;
    make_inputs(c, e, in, which, &n);
    for (i = 0; i < n; i++) sslh_requires_grad(in[which[i]]);
    y = e->build(c, in, e->p);
    if (!sslh_error(c)) {
        sslh_keep(y);
        run_add(r, "out", 0, y, NULL);
        for (i = 0; i < extras; i++) run_add(r, "extra", i, extra[i], NULL);
        if (n && y->type == SSLH_F32 && strcmp(e->fn, "greater") != 0) {
            sslh_backward(c, project(c, y, e));
            for (i = 0; i < n && !sslh_error(c); i++) {
                if (CHECK(in[which[i]]->grad != NULL, "%s: no gradient of input %d", e->name, which[i]))
                    run_add(r, "grad", which[i], in[which[i]], in[which[i]]->grad);
            }
        }
    }
    if (!CHECK(!sslh_error(c), "%s: %s", e->name, sslh_error(c))) {
        sslh_clear_error(c);
        run_free(r);
        return 0;
    }
    return 1;
}

static sslh_ctx *create(int threads, const char *cpu, int portable) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    d.cpu = cpu;
    d.portable_bits = portable;
    d.seed = 5;
    return sslh_create(d);
}

/* --- (a) gradients ------------------------------------------------------------------------------------------------ */

static sslh_tensor *all_in[MAX_IN];
static int grad_at[MAX_IN];
static sslh_tensor *check_function(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    const op_case *e = (const op_case *)user;
    sslh_tensor *full[MAX_IN];
    int i;
    memcpy(full, all_in, sizeof full);
    for (i = 0; i < n; i++) full[grad_at[i]] = in[i];
    extras = 0;
    return project(c, e->build(c, full, e->p), e);
}
static void check_gradients(const op_case *table, int cases) {
    sslh_ctx *c = create(1, NULL, 0);
    double worst = 0;
    const char *where = "";
    int k, i, n;
    for (k = 0; k < cases; k++) {
        const op_case *e = &table[k];
        sslh_gradcheck_desc g;
        char report[200];
        sslh_tensor *in[MAX_IN];
        double error;
        if (!SSLH_I_DOUBLE || (e->flags & NO_CHECK)) continue;
        memset(&g, 0, sizeof g);
        g.max_checks = 60;
        g.report = report;
        g.report_size = sizeof report;
        sslh_begin_step(c);
        make_inputs(c, e, all_in, grad_at, &n);
        for (i = 0; i < n; i++) in[i] = all_in[grad_at[i]];
        error = sslh_gradcheck(c, check_function, in, n, (void *)(uintptr_t)e, g);
        CHECK(!sslh_error(c), "%s: %s; %s", e->name, sslh_error(c), report);
        CHECK(error < 1e-6, "%s: %g; %s", e->name, error, report);
        if (error > worst) worst = error, where = e->name;
        sslh_clear_error(c);
    }
    if (SSLH_I_DOUBLE) printf("   largest relative error of a gradient: %.2e (%s)\n", worst, where);
    sslh_destroy(c);
}

/* --- (b) PyTorch -------------------------------------------------------------------------------------------------- */

/* Each recorded array: its count, sum |w v|, sum w v, and four of its values. */
static void check_torch(const op_case *table, int cases, const golden_op *golden, int recorded) {
    sslh_ctx *c = create(2, NULL, 0);
    /* the recorder works in double: the double build must agree to rounding, the float build to float rounding */
    double tolerance = SSLH_I_DOUBLE ? 1e-9 : 2e-5, worst = 0;
    const char *where = "";
    int k, i, j, at = 0;
    for (k = 0; k < cases; k++) {
        const op_case *e = &table[k];
        op_run r;
        if (e->flags & NO_TORCH) continue;
        for (at = 0; at < recorded && strcmp(golden[at].name, e->name) != 0; at++) {}
        if (!CHECK(at < recorded, "%s: not recorded (tests/golden/make_ops.py)", e->name)) continue;
        if (!run_case(c, e, &r)) continue;
        for (i = 0; i < r.n; i++) {
            const golden_op *g = &golden[at + i];
            double sum = 0, size = 0, big = 0, error;
            uint32_t seed = name_seed(e->name, r.label[i], 0);
            size_t q;
            if (!CHECK(at + i < recorded && strcmp(g->name, e->name) == 0 && strcmp(g->array, r.label[i]) == 0,
                       "%s: %s is not recorded", e->name, r.label[i])) break;
            if (!CHECK((size_t)g->count == r.count[i],
                       "%s %s: %d values, %d in PyTorch", e->name, r.label[i], (int)r.count[i], g->count)) continue;
            for (q = 0; q < r.count[i]; q++) {
                double w = (double)draw(&seed), v = r.v[i][q];
                sum += w * v;
                size += fabs(w * v);
                if (fabs(v) > big) big = fabs(v);
            }
            error = fabs(sum - g->sum) / (size + g->size + 1e-3);
            CHECK(error <= tolerance,
                  "%s %s: projection %.12g, PyTorch %.12g (of %.3g)", e->name, r.label[i], sum, g->sum, g->size);
            if (error > worst) worst = error, where = e->name;
            for (j = 0; j < 4; j++) {
                double v = r.v[i][r.count[i] * (size_t)j / 4];
                error = fabs(v - g->value[j]) / (big + 1e-3);
                CHECK(error <= tolerance,
                      "%s %s: value %d is %.12g, PyTorch %.12g", e->name, r.label[i], (int)(r.count[i] * (size_t)j / 4),
                      v, g->value[j]);
            }
        }
        CHECK(at + r.n >= recorded || strcmp(golden[at + r.n].name, e->name) != 0,
              "%s: PyTorch has more results", e->name);
        run_free(&r);
    }
    printf("   largest relative distance from PyTorch: %.2e (%s)\n", worst, where);
    sslh_destroy(c);
}

/* --- (c) bits ----------------------------------------------------------------------------------------------------- */

static double distance(const op_run *a, const op_run *b, int *same) {
    double worst = 0;
    int i;
    size_t q;
    *same = 1;
    for (i = 0; i < a->n; i++) {
        double big = 1e-3;
        for (q = 0; q < a->count[i]; q++) if (fabs(a->v[i][q]) > big) big = fabs(a->v[i][q]);
        for (q = 0; q < a->count[i]; q++) {
            double d = fabs(a->v[i][q] - b->v[i][q]);
            if (memcmp(&a->v[i][q], &b->v[i][q], sizeof(double)) != 0 && !(a->v[i][q] == b->v[i][q])) *same = 0;
            if (d != d) return 1e30;
            if (d / big > worst) worst = d / big;
        }
    }
    return worst;
}
/* Runs the whole table in two contexts. must: the bits must be the same; in any case no value is off by more than
   tolerance times the largest of its array. */
static void compare(const op_case *table, int cases, sslh_ctx *a, sslh_ctx *b, int must, double tolerance,
                    const char *what) {
    double worst = 0;
    const char *where = "";
    int k;
    for (k = 0; k < cases; k++) {
        op_run ra, rb;
        int same;
        if (!run_case(a, &table[k], &ra)) continue;
        if (run_case(b, &table[k], &rb)) {
            double d = distance(&ra, &rb, &same);
            if (must) CHECK(same, "%s: %s changes the bits (by %.2g)", table[k].name, what, d);
            CHECK(d < tolerance, "%s: %s differs by %.2g", table[k].name, what, d);
            if (d > worst) worst = d, where = table[k].name;
            run_free(&rb);
        }
        run_free(&ra);
    }
    if (!must) printf("   %s: largest relative distance %.2e (%s)\n", what, worst, where);
}
static void check_threads(const op_case *table, int cases) {
    static const int n[3] = {2, 3, 7};
    int i;
    for (i = test_small() ? 1 : 0; i < (test_small() ? 2 : 3); i++) {
        sslh_ctx *a = create(1, NULL, 0), *b = create(n[i], NULL, 0);
        char what[40];
        snprintf(what, sizeof what, "%d threads", n[i]);
        compare(table, cases, a, b, 1, 1e-4, what);
        sslh_destroy(a);
        sslh_destroy(b);
    }
}
/* Lowered instruction sets against the best of this processor. */
static void check_instruction_sets(const op_case *table, int cases) {
    int i, portable;
    char what[80];
    if (SSLH_I_DOUBLE) return;
    for (portable = 0; portable < (test_small() ? 1 : 2); portable++) {
        for (i = 0; sslh_cpu_name(i); i++) {
            sslh_ctx *best = create(1, NULL, portable); /* anew: the random streams of both begin at the same number */
            sslh_ctx *b = create(1, sslh_cpu_name(i), portable), *plain = create(1, sslh_cpu_name(i), 1);
            const int fused = sslh_error(plain) != NULL; /* multiply and add, which portable_bits excludes */
            sslh_destroy(plain);
            if (sslh_error(b) || strcmp(sslh_query(b).cpu, sslh_query(best).cpu) == 0) { /* not on this processor */
                sslh_destroy(b);
                sslh_destroy(best);
                continue;
            }
            CHECK(strcmp(sslh_query(b).cpu, sslh_cpu_name(i)) == 0, "%s for %s", sslh_query(b).cpu, sslh_cpu_name(i));
            snprintf(what, sizeof what, "%s instead of %s%s", sslh_query(b).cpu, sslh_query(best).cpu,
                     portable ? " with portable_bits" : "");
            compare(table, cases, best, b, portable || fused, 1e-4, what);
            sslh_destroy(b);
            sslh_destroy(best);
        }
    }
}

/* --- (d) plain versions ------------------------------------------------------------------------------------------- */

/* The fast way against the equations in loops (.plain): within 2e-5 in float, and to rounding
   in double. */
static void check_plain(const op_case *table, int cases) {
    sslh_ctx *fast = create(2, NULL, 0), *plain;
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = 2, d.seed = 5, d.plain = 1;
    plain = sslh_create(d);
    CHECK(strcmp(sslh_query(plain).cpu, "plain") == 0, "%s", sslh_query(plain).cpu);
    compare(table, cases, fast, plain, 0, SSLH_I_DOUBLE ? 1e-12 : 2e-5, "the plain version");
    sslh_destroy(plain);
    sslh_destroy(fast);
}

/* --- (e) error sentences ------------------------------------------------------------------------------------------ */

static sslh_ctx *bad; /* the context of the calls below */
static sslh_tensor *T(int n, int a, int b, int d, int e) {
    sslh_shape s;
    memset(&s, 0, sizeof s);
    s.ndim = n, s.size[0] = a, s.size[1] = b, s.size[2] = d, s.size[3] = e;
    return sslh_zeros(bad, s);
}
static sslh_tensor *ints(int n, int a, int b, int value) {
    int32_t v[64];
    int i;
    for (i = 0; i < 64; i++) v[i] = value;
    return sslh_from_ints(bad, n == 1 ? sslh_dim1(a) : sslh_dim2(a, b), v);
}
#define BAD(fn, call)                                                                                                  \
    do {                                                                                                               \
        const char *message_;                                                                                          \
        sslh_begin_step(bad);                                                                                          \
        {                                                                                                              \
            sslh_tensor *y_ = call;                                                                                    \
            CHECK(y_ != NULL && y_->count >= 1, "%s: no dummy", #call);                                                \
        }                                                                                                              \
        message_ = sslh_error(bad);                                                                                    \
        CHECK(message_ && strncmp(message_, fn ":", strlen(fn) + 1) == 0, "%s gives \"%s\"", #call,                    \
              message_ ? message_ : "no error");                                                                       \
        sslh_clear_error(bad);                                                                                         \
    } while (0)

/* `PROGRAM --list` prints the table for the recorder: name|function|inputs|flags|parameters.
   1 when it was asked for. */
static int list_cases(const op_case *table, int cases, int argc, char **argv) {
    int i, k;
    if (argc < 2 || strcmp(argv[1], "--list") != 0) return 0;
    for (k = 0; k < cases; k++) {
        printf("%s|%s|%s|%d|", table[k].name, table[k].fn, table[k].inputs, table[k].flags);
        for (i = 0; i < 10; i++) printf("%s%.17g", i ? "," : "", (double)table[k].p[i]);
        printf("\n");
    }
    return 1;
}

#define CASE_TESTS(table, golden)                                                                                      \
    static void gradients(void) { check_gradients(table, (int)(sizeof table / sizeof table[0])); }                     \
    static void torch_values(void) {                                                                                   \
        check_torch(table, (int)(sizeof table / sizeof table[0]), golden, (int)(sizeof golden / sizeof golden[0]));    \
    }                                                                                                                  \
    static void threads(void) { check_threads(table, (int)(sizeof table / sizeof table[0])); }                         \
    static void plain_versions(void) { check_plain(table, (int)(sizeof table / sizeof table[0])); }                    \
    static void instruction_sets(void) { check_instruction_sets(table, (int)(sizeof table / sizeof table[0])); }       \
    static int listed(int argc, char **argv) {                                                                         \
        return list_cases(table, (int)(sizeof table / sizeof table[0]), argc, argv);                                   \
    }

#endif
