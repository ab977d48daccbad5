/* What all cases of tests/bench share: clocks, interleaved medians, the machine's limits, children, printed lines.

   A side is one way to do a piece of work: run(self, n) does it n times and returns the seconds. Sides of a case run in
   turn in short blocks; the median of each is printed, so that a drift of the machine meets all alike. With one thread,
   seconds are the thread's CPU time (other processes then matter little); with more they are wall-clock time. */
#ifndef SSLH_BENCH_H
#define SSLH_BENCH_H
#include <fcntl.h>
#include <fnmatch.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* --- what the command line says ----------------------------------------------------------------------------------- */
typedef struct bench_options {
    int         quick;      /* few cases, short */
    int         threads[2]; /* thread counts to measure; 0: none */
    const char *cpu;        /* instruction set for everybody; NULL: the best */
    int         bfloat16;   /* --bfloat16 */
    char      **filter;     /* prefixes or patterns of names */
    int         filters;
    const char *self;       /* path of this program */
    double      start;      /* bench_wall() */
    int         late;       /* cases that quick left out, because time was up */
} bench_options;
static bench_options bench;

/* Whether any name of a family may be wanted. */
static int bench_family(const char *family) {
    if (!bench.filters) return 1;
    for (int i = 0; i < bench.filters; i++)
        if (strpbrk(bench.filter[i], "*?[") || !strncmp(family, bench.filter[i], strlen(family)) ||
            !strncmp(bench.filter[i], family, strlen(bench.filter[i])))
            return 1;
    return 0;
}

/* --- time --------------------------------------------------------------------------------------------------------- */
static double bench_seconds(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static double bench_wall(void) { return bench_seconds(CLOCK_MONOTONIC); }
static double bench_now(int threads) { return bench_seconds(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC); }

/* Whether to run the cases of this name: given "conv/3x3" or a pattern with * and ?.
   quick ends in time on a busy machine too. */
static int bench_wanted(const char *name) {
    if (bench.quick && bench_wall() > bench.start + 85) return bench.late++, 0;
    if (!bench.filters) return 1;
    for (int i = 0; i < bench.filters; i++)
        if (!strncmp(name, bench.filter[i], strlen(bench.filter[i])) || fnmatch(bench.filter[i], name, 0) == 0)
            return 1;
    return 0;
}
#define BENCH_SIDES 5
#define BENCH_SAMPLES 64
typedef struct bench_side {
    const char *name; /* of the library; NULL in the first: ours */
    double    (*run)(void *self, int n);
    void       *self;
    int         reps, n;
    double      sample[BENCH_SAMPLES], median; /* seconds a run; median 0: nothing measured */
} bench_side;

static int bench_ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double bench_median(const double *sample, int n) {
    double sorted[BENCH_SAMPLES];
    if (!n) return 0;
    memcpy(sorted, sample, (size_t)n * sizeof *sample);
    qsort(sorted, (size_t)n, sizeof *sorted, bench_ascending);
    return n % 2 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}
/* Worker threads of the side before spin on (OpenMP's for 10 to 20 ms here) and shall not disturb the next: waits until
   this process uses no processor, or for a tenth of a second. What a running thread used is added at clock ticks
   of 1 to 10 ms. */
static void bench_settle(int threads) {
    const struct timespec nap = {0, 11000000};
    const double end = bench_wall() + 0.1;
    double used = 1;
    while (threads > 1 && used > 2e-4 && bench_wall() < end) {
        used = -bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        nanosleep(&nap, NULL);
        used += bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    }
}
/* Runs the sides in turn: blocks of at least `block` seconds, at least `rounds` of them, and `budget` seconds for each
   side. Several threads run 20 ms before they are timed: so long the kernel may keep two of them on one processor after
   a pause. A side whose run fails (negative seconds) drops out. On a busy machine the rounds end by wall-clock time. */
static void bench_measure(bench_side *side, int sides, int threads, double block, int rounds, double budget) {
    double used = 0;
    const double end = bench_wall() + 0.5 + 4 * budget * sides;
    for (int s = 0; s < sides; s++) {
        side[s].n = 0;
        side[s].median = 0;
        bench_settle(threads);
        double t = side[s].run(side[s].self, 1); /* memory, code, threads */
        for (int reps = 1; t >= 0 && reps < 1 << 20; reps *= 2) { /* how many make a block */
            t = side[s].run(side[s].self, reps);
            side[s].reps = t > 0 ? (int)ceil(block * reps / t) : reps;
            if (t > block / 4 || bench_wall() > end) break;
        }
        if (t < 0) side[s].reps = 0;
    }
    for (int round = 0; round < BENCH_SAMPLES && (round < rounds || used < budget * sides); round++) {
        if (round && bench_wall() > end) break;
        for (int s = 0; s < sides; s++) {
            if (!side[s].reps) continue;
            bench_settle(threads);
            if (block < 0.1) side[s].run(side[s].self, 1);
            for (double warm = bench_wall() + 0.02; threads > 1 && block < 0.1 && bench_wall() < warm;)
                side[s].run(side[s].self, 1);
            const double t = side[s].run(side[s].self, side[s].reps);
            if (t <= 0) side[s].reps = 0;
            if (t <= 0) continue;
            side[s].sample[side[s].n++] = t / side[s].reps;
            used += t;
        }
    }
    for (int s = 0; s < sides; s++) side[s].median = side[s].reps ? bench_median(side[s].sample, side[s].n) : 0;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */
/* Geometric means of ratios by group, printed at the end. */
typedef struct bench_mean { char group[64]; double logs, least; int n; char which[96]; } bench_mean;
static bench_mean bench_means[64];
static int        bench_mean_count;

static void bench_ratio(const char *group, int threads, const char *name, double ratio) {
    char key[64];
    int i = 0;
    snprintf(key, sizeof key, "%s/t%d", group, threads);
    while (i < bench_mean_count && strcmp(bench_means[i].group, key)) i++;
    if (i == 64) return;
    bench_mean *m = &bench_means[i];
    if (i == bench_mean_count) {
        memset(m, 0, sizeof *m);
        snprintf(m->group, sizeof m->group, "%s", key);
        bench_mean_count++;
    }
    if (!m->n || ratio < m->least) {
        m->least = ratio;
        snprintf(m->which, sizeof m->which, "%s", name);
    }
    m->logs += log(ratio);
    m->n++;
}
static void bench_print_means(void) {
    for (int i = 0; i < bench_mean_count; i++)
        printf("mean %s ratio=%.2f least=%.2f at=%s cases=%d\n", bench_means[i].group,
               exp(bench_means[i].logs / bench_means[i].n), bench_means[i].least, bench_means[i].which,
               bench_means[i].n);
}

/* One case: ours first, then peers, of which the fastest is `peer`; work units a run (FLOP, bytes, images) divided by
   scale make the unit. limit: the machine's, in the same unit; 0: none known. group NULL: not in the means.
   more: further key=value. */
static void bench_line(const char *name, const char *group, int threads, const bench_side *side, int sides, double work,
                       double scale, double limit, const char *unit, const char *more) {
    const double ours = side[0].median > 0 ? work / scale / side[0].median : 0;
    double peer = 0;
    const char *by = NULL;
    for (int s = 1; s < sides; s++) {
        const double p = side[s].median > 0 ? work / scale / side[s].median : 0;
        if (p > peer) peer = p, by = side[s].name;
    }
    printf("bench %s/t%d ours=%.*f", name, threads, ours < 100 ? 1 : 0, ours);
    if (peer > 0) printf(" peer=%.*f ratio=%.2f", peer < 100 ? 1 : 0, peer, ours / peer);
    else printf(" peer=skipped ratio=-");
    if (limit > 0) printf(" peak=%.0f%%", 100 * ours / limit);
    else printf(" peak=-");
    printf(" unit=%s", unit);
    if (by) printf(" by=%s", by);
    for (int s = 1; s < sides && sides > 2; s++)
        if (side[s].median > 0)
            printf(" %s=%.*f", side[s].name, work / scale / side[s].median < 100 ? 1 : 0,
                   work / scale / side[s].median);
    printf("%s%s\n", more && *more ? " " : "", more ? more : "");
    fflush(stdout);
    if (group && peer > 0 && ours > 0) bench_ratio(group, threads, name, ours / peer);
}

/* --- the machine's limits ----------------------------------------------------------------------------------------- */
/* GFLOP/s of fused multiply-adds; GB/s of reading, copying, updating in place more than the caches hold;
   [1]: one thread .. */
typedef struct bench_limits { double gflops, read, copy, update; } bench_limits;
static bench_limits bench_limit[65];

static volatile float bench_sink;
/* n rounds of 12 independent (and different) chains, which fit 16 registers: returns the number of operations. */
#define BENCH_CHAINS(T, SET, FMA)                                                                                      \
    T a0 = SET(0.0f), a1 = SET(0.1f), a2 = SET(0.2f), a3 = SET(0.3f), a4 = SET(0.4f), a5 = SET(0.5f), a6 = SET(0.6f);  \
    T a7 = SET(0.7f), a8 = SET(0.8f), a9 = SET(0.9f), aa = SET(1.0f), ab = SET(1.1f);                                  \
    const T m = SET(bench_sink), s = SET(bench_sink + 0.25f);                                                          \
    for (long i = 0; i < n; i++) {                                                                                     \
        a0 = FMA(a0, m, s), a1 = FMA(a1, m, s), a2 = FMA(a2, m, s), a3 = FMA(a3, m, s);                                \
        a4 = FMA(a4, m, s), a5 = FMA(a5, m, s), a6 = FMA(a6, m, s), a7 = FMA(a7, m, s);                                \
        a8 = FMA(a8, m, s), a9 = FMA(a9, m, s), aa = FMA(aa, m, s), ab = FMA(ab, m, s);                                \
    }                                                                                                                  \
    const T sum[12] = {a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, aa, ab};                                                \
    float out = 0;                                                                                                     \
    for (int i = 0; i < 12; i++) out += *(const float *)(const void *)&sum[i];                                         \
    bench_sink = out > 1e30f ? 1.0f : 0.0f;                                                                            \
    return 24.0 * (double)n * (double)(sizeof(T) / sizeof(float))
#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("avx512f"))) static double bench_fma_avx512(long n) {
    BENCH_CHAINS(__m512, _mm512_set1_ps, _mm512_fmadd_ps);
}
__attribute__((target("avx2,fma"))) static double bench_fma_avx2(long n) {
    BENCH_CHAINS(__m256, _mm256_set1_ps, _mm256_fmadd_ps);
}
#define BENCH_MULTIPLY_ADD(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
static double bench_fma_basic(long n) { BENCH_CHAINS(__m128, _mm_set1_ps, BENCH_MULTIPLY_ADD); }
#elif defined(__aarch64__)
#define BENCH_MULTIPLY_ADD(a, b, c) vfmaq_f32(c, a, b)
static double bench_fma_basic(long n) { BENCH_CHAINS(float32x4_t, vdupq_n_f32, BENCH_MULTIPLY_ADD); }
#else
#define BENCH_MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#define BENCH_SCALAR(x) (x)
static double bench_fma_basic(long n) { BENCH_CHAINS(float, BENCH_SCALAR, BENCH_MULTIPLY_ADD); }
#endif
static double (*bench_fma)(long n) = bench_fma_basic;

typedef struct bench_stream { sslh_ctx *c; int threads, what; float *a, *b; size_t n; double flop[64]; } bench_stream;
enum { BENCH_FMA, BENCH_READ, BENCH_COPY, BENCH_UPDATE };
static void bench_stream_task(void *arg, int task, int worker) { /* one share of the arrays for each thread */
    bench_stream *p = (bench_stream *)arg;
    const size_t share = p->n / (size_t)p->threads & ~(size_t)63;
    const float *a = p->a + (size_t)task * share;
    float *b = p->b + (size_t)task * share;
    (void)worker;
    if (p->what == BENCH_FMA) {
        p->flop[task] = bench_fma(4000000);
    } else if (p->what == BENCH_COPY) {
        /* a loop, so that it is not replaced by memcpy with its non-temporal stores */
        for (size_t i = 0; i < share; i += 8) {
            for (int j = 0; j < 8; j++) b[i + (size_t)j] = a[i + (size_t)j];
#if defined(__GNUC__)
            __asm__ volatile("" ::: "memory");
#endif
        }
    } else if (p->what == BENCH_UPDATE) {
        for (size_t i = 0; i < share; i++) b[i] = b[i] * 0.5f + 0.25f;
    } else {
        float s[64] = {0};
        for (size_t i = 0; i < share; i += 64)
            for (int j = 0; j < 64; j++) s[j] += a[i + (size_t)j];
        for (int j = 1; j < 64; j++) s[0] += s[j];
        if (s[0] > 1e30f) b[0] = s[0];
    }
}
static double bench_stream_run(void *self, int n) {
    bench_stream *p = (bench_stream *)self;
    const double t = bench_now(p->threads);
    for (int i = 0; i < n; i++) sslh_parallel(p->c, p->threads, bench_stream_task, p);
    return bench_now(p->threads) - t;
}
static double bench_stream_best(bench_stream *p, int what) { /* seconds of the best of some runs */
    double best = 1e9;
    p->what = what;
    for (int i = 0; i < (bench.quick ? 4 : 10); i++) {
        const double t = bench_stream_run(p, 1);
        if (t < best) best = t;
    }
    return best;
}
/* Arrays of 160 MB, several times the last cache, for all streams; kept until bench_close_streams. */
static bench_stream bench_streams[3]; /* read, copy, update */
static int bench_open_streams(sslh_ctx *c, int threads) {
    static const int what[3] = {BENCH_READ, BENCH_COPY, BENCH_UPDATE};
    const size_t n = (size_t)40 << 20;
    float *a = (float *)malloc(n * sizeof(float)), *b = (float *)malloc(n * sizeof(float));
    if (a) memset(a, 0, n * sizeof(float));
    if (b) memset(b, 0, n * sizeof(float));
    for (int i = 0; i < 3; i++) {
        memset(&bench_streams[i], 0, sizeof bench_streams[i]);
        bench_streams[i].c = c;
        bench_streams[i].threads = threads;
        bench_streams[i].what = what[i];
        bench_streams[i].a = a;
        bench_streams[i].b = b;
        bench_streams[i].n = n;
    }
    return a && b;
}
static void bench_close_streams(void) {
    free(bench_streams[0].a);
    free(bench_streams[0].b);
    memset(bench_streams, 0, sizeof bench_streams);
}
static void bench_set_bandwidth(int threads, double read, double copy, double update) { /* seconds of the three */
    const double bytes = 4e-9 * (double)bench_streams[0].n;
    if (read <= 0 || copy <= 0 || update <= 0) return;
    bench_limit[threads].read = bytes / read;
    bench_limit[threads].copy = 2 * bytes / copy;
    bench_limit[threads].update = 2 * bytes / update;
}
/* Bandwidth changes with what the machine's neighbours do: the streams are sides of the case that is compared with
   them, in the same rounds, and medians are compared with medians. */
static void bench_measure_beside_streams(bench_side *side, int sides, int threads, double block, int rounds,
                                         double budget) {
    for (int i = 0; i < 3; i++) {
        side[sides + i].name = "stream";
        side[sides + i].run = bench_stream_run;
        side[sides + i].self = &bench_streams[i];
    }
    bench_measure(side, sides + 3, threads, block, rounds, budget);
    bench_set_bandwidth(threads, side[sides].median, side[sides + 1].median, side[sides + 2].median);
}
/* Two threads write the same line in turn. What one costs there and back tells how far apart the processors are:
   virtual machines move theirs between a common last-level cache and separate ones. */
enum { BENCH_PASSES = 4000 };
typedef struct bench_pass { int turn, lost; double seconds; } bench_pass;
static void bench_pass_task(void *arg, int task, int worker) {
    bench_pass *p = (bench_pass *)arg;
    const double t = bench_wall();
    (void)worker;
    for (int i = 0; i < BENCH_PASSES; i++) {
        long spins = 0;
        while (__atomic_load_n(&p->turn, __ATOMIC_ACQUIRE) != 2 * i + task)
            if (++spins > 1000000 || p->lost) { /* nobody is there: one thread had both tasks */
                p->lost = 1;
                return;
            }
        __atomic_store_n(&p->turn, 2 * i + task + 1, __ATOMIC_RELEASE);
    }
    if (task == 0) p->seconds = bench_wall() - t;
}
static double bench_pass_ns(sslh_ctx *c) { /* the median of some runs; 0: not known */
    double ns[9];
    int n = 0;
    for (int i = 0; i < 30 && n < 9; i++) {
        bench_pass *p = (bench_pass *)aligned_alloc(256, 256);
        if (!p) break;
        memset(p, 0, sizeof *p);
        sslh_parallel(c, 2, bench_pass_task, p);
        if (!p->lost) ns[n++] = 1e9 * p->seconds / BENCH_PASSES;
        free(p);
    }
    qsort(ns, (size_t)n, sizeof *ns, bench_ascending);
    return n ? ns[n / 2] : 0;
}
static void bench_find_limits(sslh_ctx *c, int threads) {
    bench_stream p;
    bench_limits *l = &bench_limit[threads];
    const char *cpu = sslh_query(c).cpu;
    memset(&p, 0, sizeof p);
    p.c = c;
    p.threads = threads;
#if defined(__x86_64__) && defined(__GNUC__)
    if (!strcmp(cpu, "avx512")) bench_fma = bench_fma_avx512;
    if (!strcmp(cpu, "avx2")) bench_fma = bench_fma_avx2;
#endif
    double seconds = bench_stream_best(&p, BENCH_FMA), flop = 0;
    for (int i = 0; i < threads; i++) flop += p.flop[i];
    l->gflops = 1e-9 * flop / seconds;
    double best[3] = {0};
    if (bench_open_streams(c, threads))
        for (int i = 0; i < 3; i++) best[i] = bench_stream_best(&bench_streams[i], bench_streams[i].what);
    bench_set_bandwidth(threads, best[0], best[1], best[2]);
    const size_t bytes = bench_streams[0].n * sizeof(float);
    bench_close_streams();
    printf("machine threads=%d cpu=%s fma=%.0f GFLOP/s read=%.1f GB/s copy=%.1f GB/s update=%.1f GB/s (%.0f MB arrays; "
           "copy and update count both directions)",
           threads, cpu, l->gflops, l->read, l->copy, l->update, 1e-6 * (double)bytes);
    if (threads == 2) printf(" line=%.0f ns (written by both in turn, there and back)", bench_pass_ns(c));
    printf("\n");
    fflush(stdout);
}
/* Least seconds for so many bytes read and written at the measured rates. Writing elsewhere costs what a copied byte
   costs beyond its reading (the line is fetched first), writing in place what an updated byte costs beyond it. */
static double bench_bytes_time(int threads, double read, double written, int in_place) {
    const bench_limits *l = &bench_limit[threads];
    const double r = 1 / l->read, w = 2 / (in_place ? l->update : l->copy) - r;
    return 1e-9 * (read * r + written * (w > 0 ? w : 0));
}

/* Most memory this process ever held, in kB: of this program alone, which getrusage's figure after an exec is not. */
static long bench_peak_memory(void) {
    char line[256];
    long kb = 0;
    struct rusage usage;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld", &kb) == 1) break;
    if (f) fclose(f);
    if (kb) return kb;
    getrusage(RUSAGE_SELF, &usage);
    return (long)usage.ru_maxrss;
}

/* --- children: another process that runs cases by name. It reads "NAME N" and answers "wall cpu kB" --------------- */
typedef struct bench_child { pid_t pid; FILE *to, *from; int threads; double rss; const char *ask; } bench_child;

/* set: NAME, value, .. NULL */
static int bench_start(bench_child *b, int threads, char *const *argv, char *const *set) {
    int down[2], up[2];
    memset(b, 0, sizeof *b);
    b->threads = threads;
    if (pipe(down)) return 0;
    if (pipe(up)) {
        close(down[0]), close(down[1]);
        return 0;
    }
    fcntl(down[1], F_SETFD, FD_CLOEXEC); /* not for later children: ours would then never see the end of its input */
    fcntl(up[0], F_SETFD, FD_CLOEXEC);
    fflush(stdout);
    b->pid = fork();
    if (b->pid == 0) {
        dup2(down[0], 0), dup2(up[1], 1);
        close(down[0]), close(down[1]), close(up[0]), close(up[1]);
        for (; set && set[0]; set += 2) setenv(set[0], set[1], 1);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(down[0]), close(up[1]);
    b->to = fdopen(down[1], "w");
    b->from = fdopen(up[0], "r");
    return b->pid > 0 && b->to && b->from;
}
static void bench_stop(bench_child *b) {
    if (!b->pid) return;
    if (b->to) fclose(b->to);
    if (b->from) fclose(b->from);
    if (b->pid > 0) waitpid(b->pid, NULL, 0);
    memset(b, 0, sizeof *b);
}
static int bench_child_ask(bench_child *b, const char *what, int n) {
    return fprintf(b->to, "%s %d\n", what, n) > 0 && fflush(b->to) == 0;
}
static int bench_child_answer(bench_child *b, double *wall, double *cpu) {
    char answer[256];
    return fgets(answer, sizeof answer, b->from) && sscanf(answer, "%lf %lf %lf", wall, cpu, &b->rss) == 3;
}
static double bench_child_run(void *self, int n) {
    bench_child *b = (bench_child *)self;
    const struct timespec spin = {0, 25000000};
    double wall, cpu;
    if (!b->pid || !bench_child_ask(b, b->ask, n) || !bench_child_answer(b, &wall, &cpu)) return -1;
    if (b->threads > 1) nanosleep(&spin, NULL); /* its OpenMP threads spin on, which bench_settle does not see */
    return b->threads == 1 ? cpu : wall;
}
/* Two children of one thread each at the same moment, who share nothing: what this machine's processors give together.
   Seconds a run of either, n runs each. */
static double bench_pair_run(void *self, int n) {
    bench_child *pair = (bench_child *)self;
    double wall[2], cpu;
    for (int i = 0; i < 2; i++)
        if (!pair[i].pid || !bench_child_ask(&pair[i], pair[i].ask, n)) return -1;
    for (int i = 0; i < 2; i++)
        if (!bench_child_answer(&pair[i], &wall[i], &cpu)) return -1;
    return wall[0] * wall[1] / (wall[0] + wall[1]);
}

/* A Python with PyTorch, or NULL. Looked for once. */
static const char *bench_python(void) {
    static const char *found = NULL;
    static int looked = 0;
    const char *try_these[3] = {getenv("PYTHON"), "python3", "/usr/bin/python3"};
    char command[512];
    if (looked) return found;
    looked = 1;
    for (int i = 0; i < 3 && !found; i++) {
        if (!try_these[i]) continue;
        snprintf(command, sizeof command,
                 "%s -c 'import importlib.util as u, sys; sys.exit(not u.find_spec(\"torch\"))' 2>/dev/null",
                 try_these[i]);
        if (system(command) == 0) found = try_these[i];
    }
    if (!found) printf("skipped: PyTorch (no Python with torch)\n");
    return found;
}
/* PyTorch in its fastest settings: BLAS for this CPU, an OpenMP BLAS beside its OpenMP, memory kept by malloc. */
static int bench_start_torch(bench_child *b, int threads, int plain) {
    char count[16];
    const char *blas = "/usr/lib/x86_64-linux-gnu/openblas-openmp"; /* Debian's libopenblas0-openmp */
    snprintf(count, sizeof count, "%d", threads);
    char name[18][32] = {"OMP_NUM_THREADS", "", "OPENBLAS_NUM_THREADS", "", "MALLOC_MMAP_MAX_", "0",
                         "MALLOC_TRIM_THRESHOLD_", "1000000000000", "MALLOC_TOP_PAD_", "268435456"};
    char *set[20], *argv[6];
    int n = 0;
    memset(b, 0, sizeof *b);
    const char *python = bench_python();
    if (!python) return 0;
    for (int i = 0; i < (plain ? 4 : 10); i += 2) {
        set[n++] = name[i];
        set[n++] = i < 4 ? count : name[i + 1];
    }
    if (!plain && !bench.cpu && bench_fma != bench_fma_basic) {
        const int wide = !strcmp(getenv("OPENBLAS_CORETYPE") ? getenv("OPENBLAS_CORETYPE") : "", "SkylakeX");
        set[n++] = (char *)"ATEN_CPU_CAPABILITY";
        set[n++] = (char *)(wide ? "avx512" : "avx2");
        if (access(blas, R_OK) == 0) {
            set[n++] = (char *)"LD_LIBRARY_PATH";
            set[n++] = (char *)blas;
        }
    }
    set[n] = NULL;
    argv[0] = (char *)python;
    argv[1] = (char *)"tests/bench/torch_steps.py";
    argv[2] = count;
    argv[3] = plain ? (char *)"plain" : NULL;
    argv[4] = NULL;
    return bench_start(b, threads, argv, set);
}
#endif
