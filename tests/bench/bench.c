/* Speed, beside other libraries where they are installed (OpenBLAS, oneDNN 2, PyTorch, torchvision).

       bench [quick] [--threads N] [--cpu NAME] [--bfloat16] [PREFIX ..]

   Prints the machine's limits, then a line for each case:

       bench NAME/tTHREADS ours=.. peer=.. ratio=.. peak=..% unit=.. [by=PEER PEER=.. ..]

   and geometric means of the ratios. NAME begins with its family: matmul/ conv/ memory/ step/ loss/ augment/ text/.
   PREFIX chooses cases: "conv/3x3", or a pattern in quotes: "matmul*NT*". peak is the share of the machine's
   multiply-adds (matmul, conv, step, loss; a convolution's work is counted as it is defined, so that Winograd's may
   pass 100 %) or of its memory bandwidth (memory). --bfloat16: our side rounds operands to bfloat16, in matmul/,
   conv/, step/ and loss/; peers stay in float. matmul/bfloat16/ has some of these cases beside our own in float. Both
   thread counts, 1 and 2, are measured unless one is given; with one thread times are CPU times. Nothing fails on a
   time. */
#define _GNU_SOURCE 1
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#include "bench.h"
#include "peers.h"

static sslh_ctx *bench_ctx[2]; /* for bench.threads[0], [1] */

static sslh_ctx *make_ctx(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.seed = 1;
    d.threads = threads;
    d.cpu = bench.cpu;
    d.bfloat16 = bench.bfloat16;
    return sslh_create(d);
}
static float *make_floats(size_t n) { /* in [-1/2,1/2), 64-byte aligned; never freed by hand: see drop_floats */
    void *p = NULL;
    if (posix_memalign(&p, 64, (n + 16) * sizeof(float))) exit(1);
    float *f = (float *)p;
    for (size_t i = 0; i < n + 16; i++) f[i] = (float)((uint32_t)(i * 2654435761u) >> 8) / 16777216.0f - 0.5f;
    return f;
}

/* ================================================================================================================== */
/*  matmul/                                                                                                           */
/* ================================================================================================================== */
/* Shapes of training steps: a (M,K), b (K,N); ta, tb: stored transposed; batch: so many small ones. */
static const struct { const char *name; int ta, tb, m, n, k, batch, quick; } shapes[] = {
    {"square", 0, 0, 32, 32, 32, 1, 1},
    {"square", 0, 0, 64, 64, 64, 1, 0},
    {"square", 0, 0, 96, 96, 96, 1, 0},
    {"square", 0, 0, 128, 128, 128, 1, 1},
    {"square", 0, 0, 256, 256, 256, 1, 0},
    {"square", 0, 0, 512, 512, 512, 1, 1},
    {"square", 0, 0, 1024, 1024, 1024, 1, 0},
    {"square", 0, 0, 2048, 2048, 2048, 1, 0},
    {"square", 0, 1, 128, 128, 128, 1, 0},
    {"square", 1, 0, 128, 128, 128, 1, 0},
    {"square", 0, 1, 512, 512, 512, 1, 0},
    {"square", 1, 0, 512, 512, 512, 1, 0},
    {"square", 0, 1, 1024, 1024, 1024, 1, 0},
    {"square", 1, 0, 1024, 1024, 1024, 1, 0},
    {"conv_s1_image", 0, 0, 64, 1024, 576, 1, 0},
    {"conv_s2_image", 0, 0, 128, 256, 1152, 1, 0},
    {"conv_s3_image", 0, 0, 256, 64, 2304, 1, 0},
    {"conv_s4_image", 0, 0, 512, 16, 4608, 1, 1},
    {"conv_s1_batch16", 0, 1, 16384, 64, 576, 1, 0},
    {"conv_s2_batch64", 0, 1, 16384, 128, 1152, 1, 0},
    {"conv_s3_batch64", 0, 1, 4096, 256, 2304, 1, 0},
    {"conv_s4_batch64", 0, 1, 1024, 512, 4608, 1, 0},
    {"conv_s1_image_dw", 0, 1, 64, 576, 1024, 1, 1},
    {"conv_s1_image_dx", 1, 0, 576, 1024, 64, 1, 0},
    {"conv_s4_batch64_dw", 1, 0, 512, 4608, 1024, 1, 0},
    {"vit_qkv", 0, 1, 4160, 576, 192, 1, 1},
    {"vit_qkv_dx", 0, 0, 4160, 192, 576, 1, 0},
    {"vit_qkv_dw", 1, 0, 576, 192, 4160, 1, 1},
    {"vit_proj", 0, 1, 4160, 192, 192, 1, 0},
    {"vit_fc1", 0, 1, 4160, 768, 192, 1, 0},
    {"vit_fc2", 0, 1, 4160, 192, 768, 1, 0},
    {"attention_qk", 0, 1, 65, 65, 64, 192, 1},
    {"attention_av", 0, 0, 65, 64, 65, 192, 0},
    {"attention_dv", 1, 0, 65, 64, 65, 192, 0},
    {"vae_fc1", 0, 1, 128, 400, 784, 1, 1},
    {"vae_fc1_dw", 1, 0, 400, 784, 128, 1, 0},
    {"vae_out", 0, 1, 128, 784, 400, 1, 0},
    {"nt_xent", 0, 1, 256, 256, 128, 1, 0},
    {"projection", 0, 1, 256, 512, 512, 1, 0},
    {"gru_step", 0, 1, 8, 768, 256, 1, 1},
};
typedef struct product { sslh_ctx *c; int threads; sslh_i_gemm_args g; } product;
static double product_run(void *self, int n) {
    const product *p = (const product *)self;
    const double t = bench_now(p->threads);
    for (int i = 0; i < n; i++) sslh_i_gemm(p->c, &p->g);
    return bench_now(p->threads) - t;
}
static void matmul_case(sslh_ctx *c, int threads, int which) {
    bench_product b;
    product ours;
    bench_side side[BENCH_SIDES];
    int sides = 1;
    char name[128];
    memset(&b, 0, sizeof b);
    memset(&ours, 0, sizeof ours);
    memset(side, 0, sizeof side);
    b.ta = shapes[which].ta, b.tb = shapes[which].tb;
    b.m = shapes[which].m, b.n = shapes[which].n, b.k = shapes[which].k;
    b.batch = shapes[which].batch;
    b.threads = threads;
    snprintf(name, sizeof name, "matmul/%s/%c%c/%dx%dx%d", shapes[which].name, b.ta ? 'T' : 'N', b.tb ? 'T' : 'N',
             b.m, b.n, b.k);
    if (b.batch > 1) snprintf(name + strlen(name), sizeof name - strlen(name), "/x%d", b.batch);
    if ((bench.quick && !shapes[which].quick) || !bench_wanted(name)) return;
    const size_t mk = (size_t)b.m * (size_t)b.k, kn = (size_t)b.k * (size_t)b.n, mn = (size_t)b.m * (size_t)b.n,
                 many = (size_t)b.batch;
    b.a = make_floats(mk * many);
    b.b = make_floats(kn * many);
    b.c = make_floats(mn * many);
    ours.c = c;
    ours.threads = threads;
    ours.g.ta = b.ta, ours.g.tb = b.tb;
    ours.g.m = b.m, ours.g.n = b.n, ours.g.k = b.k;
    ours.g.a = b.a, ours.g.lda = (size_t)(b.ta ? b.m : b.k);
    ours.g.b = b.b, ours.g.ldb = (size_t)(b.tb ? b.k : b.n);
    ours.g.c = b.c, ours.g.ldc = (size_t)b.n;
    ours.g.batch = b.batch;
    ours.g.stride_a = mk, ours.g.stride_b = kn, ours.g.stride_c = mn;
    ours.g.split = strstr(shapes[which].name, "_dw") != NULL; /* gradients of weights */
    side[0].run = product_run;
    side[0].self = &ours;
#ifdef BENCH_OPENBLAS
    openblas_set_num_threads(threads);
    side[sides].name = "openblas";
    side[sides].run = bench_openblas_run;
    side[sides++].self = &b;
#endif
#ifdef BENCH_ONEDNN
    bench_primitive primitive;
    if (bench_primitive_matmul(&primitive, &b)) {
        side[sides].name = "onednn";
        side[sides].run = bench_primitive_run;
        side[sides++].self = &primitive;
    }
    if (b.batch == 1) {
        side[sides].name = "onednn_sgemm";
        side[sides].run = bench_onednn_sgemm_run;
        side[sides++].self = &b;
    }
#endif
    bench_measure(side, sides, threads, bench.quick ? 0.002 : 0.004, bench.quick ? 5 : 11, bench.quick ? 0.02 : 0.1);
    bench_line(name, "matmul", threads, side, sides, 2.0 * (double)mn * b.k * b.batch, 1e9, bench_limit[threads].gflops,
               "GFLOP/s", NULL);
#ifdef BENCH_ONEDNN
    bench_primitive_free(&primitive);
#endif
    free(b.a), free(b.b), free(b.c);
}

/* Products of operands rounded to bfloat16, beside ours in float; quick shapes of the table above. */
static void bfloat16_case(int threads, int which) {
    bench_side side[BENCH_SIDES];
    product run[2];
    char name[128];
    sslh_desc d;
    memset(side, 0, sizeof side);
    memset(run, 0, sizeof run);
    memset(&d, 0, sizeof d);
    const int ta = shapes[which].ta, tb = shapes[which].tb, m = shapes[which].m, n = shapes[which].n,
              k = shapes[which].k;
    snprintf(name, sizeof name, "matmul/bfloat16/%s/%c%c/%dx%dx%d", shapes[which].name, ta ? 'T' : 'N', tb ? 'T' : 'N',
             m, n, k);
    if (shapes[which].batch > 1 || n < 32 || !bench_wanted(name)) return;
    float *a = make_floats((size_t)m * (size_t)k), *b = make_floats((size_t)k * (size_t)n),
          *c = make_floats((size_t)m * (size_t)n);
    d.threads = threads;
    d.cpu = bench.cpu;
    for (int i = 0; i < 2; i++) {
        sslh_i_gemm_args *g = &run[i].g;
        d.bfloat16 = !i;
        run[i].c = sslh_create(d);
        run[i].threads = threads;
        g->ta = ta, g->tb = tb;
        g->m = m, g->n = n, g->k = k;
        g->a = a, g->lda = (size_t)(ta ? m : k);
        g->b = b, g->ldb = (size_t)(tb ? k : n);
        g->c = c, g->ldc = (size_t)n;
        g->split = strstr(shapes[which].name, "_dw") != NULL;
        side[i].run = product_run;
        side[i].self = &run[i];
    }
    side[1].name = "float";
    bench_measure(side, 2, threads, bench.quick ? 0.002 : 0.004, bench.quick ? 5 : 11, bench.quick ? 0.02 : 0.1);
    bench_line(name, "matmul/bfloat16", threads, side, 2, 2.0 * m * (double)n * k, 1e9, 0, "GFLOP/s", NULL);
    for (int i = 0; i < 2; i++) sslh_destroy(run[i].c);
    free(a), free(b), free(c);
}

/* ================================================================================================================== */
/*  conv/                                                                                                             */
/* ================================================================================================================== */
/* n images (h,w,ci), filters kh x kw. transposed: the case is the transposed convolution co -> ci, whose forward pass
   is this one's data gradient; then h, w is the larger side. */
static const struct {
    const char *name;
    int n, h, w, ci, co, kh, kw, stride, pad_h, pad_w, groups, transposed, quick;
} convs[] = {
    {"3x3_s1", 64, 32, 32, 64, 64, 3, 3, 1, 1, 1, 1, 0, 1},
    {"3x3_s1", 64, 16, 16, 128, 128, 3, 3, 1, 1, 1, 1, 0, 0},
    {"3x3_s1", 64, 8, 8, 256, 256, 3, 3, 1, 1, 1, 1, 0, 0},
    {"3x3_s1", 64, 4, 4, 512, 512, 3, 3, 1, 1, 1, 1, 0, 1},
    {"first_3x3_s1", 64, 32, 32, 3, 64, 3, 3, 1, 1, 1, 1, 0, 1},
    {"first_3x3_s2", 64, 32, 32, 3, 32, 3, 3, 2, 1, 1, 1, 0, 0},
    {"first_1ch_3x3_s1", 64, 28, 28, 1, 32, 3, 3, 1, 1, 1, 1, 0, 0},
    {"first_7x7_s2", 16, 112, 112, 3, 64, 7, 7, 2, 3, 3, 1, 0, 0},
    {"3x3_s2", 64, 16, 16, 32, 64, 3, 3, 2, 1, 1, 1, 0, 1},
    {"3x3_s2", 64, 8, 8, 64, 128, 3, 3, 2, 1, 1, 1, 0, 0},
    {"3x3_s2", 64, 4, 4, 128, 256, 3, 3, 2, 1, 1, 1, 0, 0},
    {"3x3_s2", 64, 32, 32, 64, 128, 3, 3, 2, 1, 1, 1, 0, 0},
    {"3x3_s2", 64, 16, 16, 128, 256, 3, 3, 2, 1, 1, 1, 0, 0},
    {"3x3_s2", 64, 8, 8, 256, 512, 3, 3, 2, 1, 1, 1, 0, 0},
    {"1x1_s1", 64, 16, 16, 64, 64, 1, 1, 1, 0, 0, 1, 0, 0},
    {"1x1_s1", 64, 16, 16, 64, 256, 1, 1, 1, 0, 0, 1, 0, 0},
    {"1x1_s2", 64, 32, 32, 64, 128, 1, 1, 2, 0, 0, 1, 0, 1},
    {"1x1_s2", 64, 8, 8, 256, 512, 1, 1, 2, 0, 0, 1, 0, 0},
    {"depthwise_3x3_s1", 64, 32, 32, 64, 64, 3, 3, 1, 1, 1, 64, 0, 1},
    {"depthwise_3x3_s2", 64, 16, 16, 128, 128, 3, 3, 2, 1, 1, 128, 0, 0},
    {"depthwise_5x5_s1", 64, 16, 16, 96, 96, 5, 5, 1, 2, 2, 96, 0, 0},
    {"grouped32_3x3_s1", 64, 16, 16, 128, 128, 3, 3, 1, 1, 1, 4, 0, 0},
    {"grouped16_3x3_s1", 64, 16, 16, 64, 64, 3, 3, 1, 1, 1, 4, 0, 0},
    {"grouped4_3x3_s1", 64, 16, 16, 64, 64, 3, 3, 1, 1, 1, 16, 0, 0},
    {"grouped8_3x3_s2", 64, 16, 16, 64, 128, 3, 3, 2, 1, 1, 8, 0, 0},
    {"transposed_4x4_s2", 64, 16, 16, 64, 128, 4, 4, 2, 1, 1, 1, 1, 0},
    {"transposed_4x4_s2", 64, 28, 28, 1, 64, 4, 4, 2, 1, 1, 1, 1, 0},
    {"1d_10_s5", 16, 1, 20480, 1, 128, 1, 10, 5, 0, 3, 1, 0, 0},
    {"1d_8_s4", 16, 1, 4096, 128, 128, 1, 8, 4, 0, 2, 1, 0, 1},
    {"1d_4_s2", 16, 1, 1024, 128, 128, 1, 4, 2, 0, 1, 1, 0, 0},
    {"odd_3x3_s1", 64, 15, 17, 33, 47, 3, 3, 1, 1, 1, 1, 0, 1},
    {"odd_3x3_s2", 64, 15, 17, 33, 47, 3, 3, 2, 1, 1, 1, 0, 0},
    {"odd_5x5_s1", 64, 13, 11, 17, 31, 5, 5, 1, 2, 2, 1, 0, 0},
    {"odd_1x1_s1", 64, 15, 17, 33, 47, 1, 1, 1, 0, 0, 1, 0, 0},
};
typedef struct conv { sslh_ctx *c; int threads, pass; sslh_i_conv s; float *x, *w, *y; } conv;
static double conv_run(void *self, int n) {
    conv *p = (conv *)self;
    const double t = bench_now(p->threads);
    for (int i = 0; i < n; i++) {
        if (p->pass == 0) sslh_i_conv_forward(p->c, &p->s, p->x, p->w, sslh_i_epilogue_of(NULL, 0, 0), p->y);
        if (p->pass == 1) sslh_i_conv_backward_data(p->c, &p->s, p->y, p->w, p->x, 0);
        if (p->pass == 2) sslh_i_conv_backward_weight(p->c, &p->s, p->x, p->y, p->w, 0);
    }
    return bench_now(p->threads) - t;
}
static void conv_case(sslh_ctx *c, int threads, int which, int pass) {
    static const char *const pass_name[3] = {"forward", "data", "weight"};
    bench_side side[BENCH_SIDES];
    conv p;
    int sides = 1;
    char name[128], group[64], more[96] = "";
    memset(side, 0, sizeof side);
    memset(&p, 0, sizeof p);
    p.c = c;
    p.threads = threads;
    p.pass = convs[which].transposed && pass < 2 ? 1 - pass : pass;
    sslh_i_conv *s = &p.s;
    s->n = convs[which].n, s->h = convs[which].h, s->w = convs[which].w, s->ci = convs[which].ci,
    s->co = convs[which].co;
    s->kh = convs[which].kh, s->kw = convs[which].kw, s->ph = convs[which].pad_h, s->pw = convs[which].pad_w;
    s->sh = s->h == 1 ? 1 : convs[which].stride;
    s->sw = convs[which].stride;
    s->dh = s->dw = 1;
    s->groups = convs[which].groups;
    s->oh = (s->h + 2 * s->ph - s->kh) / s->sh + 1;
    s->ow = (s->w + 2 * s->pw - s->kw) / s->sw + 1;
    snprintf(name, sizeof name, "conv/%s/%d-%d/%dx%d/b%d/%s", convs[which].name,
             convs[which].transposed ? s->co : s->ci, convs[which].transposed ? s->ci : s->co,
             convs[which].transposed ? s->oh : s->h, convs[which].transposed ? s->ow : s->w, s->n, pass_name[pass]);
    if ((bench.quick && !convs[which].quick) || !bench_wanted(name)) return;
    const size_t nx = (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->ci,
                 ny = (size_t)s->n * (size_t)s->oh * (size_t)s->ow * (size_t)s->co;
    const size_t nw = (size_t)s->co * (size_t)s->kh * (size_t)s->kw * (size_t)(s->ci / s->groups);
    const double flop = 2.0 * (double)ny * (double)(nw / (size_t)s->co);
    p.x = make_floats(nx);
    p.w = make_floats(nw);
    p.y = make_floats(ny);
    side[0].run = conv_run;
    side[0].self = &p;
#ifdef BENCH_ONEDNN
    bench_primitive direct, winograd;
    const int square = s->kh == 3 && s->kw == 3 && s->sw == 1 && s->groups == 1;
    memset(&winograd, 0, sizeof winograd);
    if (bench_primitive_conv(&direct, s, p.pass, 0, threads)) {
        side[sides].name = "onednn";
        side[sides].run = bench_primitive_run;
        side[sides++].self = &direct;
        if (square && bench_primitive_conv(&winograd, s, p.pass, 1, threads)) {
            side[sides].name = "winograd";
            side[sides].run = bench_primitive_run;
            side[sides++].self = &winograd;
        }
    }
#endif
    bench_measure(side, sides, threads, bench.quick ? 0.002 : 0.004, bench.quick ? 4 : 9, bench.quick ? 0.02 : 0.15);
    if (sides == 3 && side[2].median > 0 && side[0].median > 0) { /* the ratio stays that of the direct algorithm */
        snprintf(more, sizeof more, "winograd=%.0f winograd_ratio=%.2f", 1e-9 * flop / side[2].median,
                 side[2].median / side[0].median);
        if (!strncmp(convs[which].name, "3x3_s1", 6))
            bench_ratio("conv/3x3_s1_over_winograd", threads, name, side[2].median / side[0].median);
    }
    snprintf(group, sizeof group, "conv/%s", strncmp(convs[which].name, "3x3_s1", 6) ? "others" : "3x3_s1");
    bench_line(name, group, threads, side, sides > 2 ? 2 : sides, flop, 1e9, bench_limit[threads].gflops, "GFLOP/s",
               more);
#ifdef BENCH_ONEDNN
    bench_primitive_free(&direct);
    bench_primitive_free(&winograd);
#endif
    free(p.x), free(p.w), free(p.y);
}

#include "steps.h"
#include "text.h"

static int usage(void) {
    fprintf(stderr, "usage: bench [quick] [--threads N] [--cpu NAME] [--bfloat16] [PREFIX ..]\n"
                    "       PREFIX: of the names of cases (conv/3x3_s1) or a pattern (\"matmul/*NT*\")\n");
    return 2;
}

int main(int argc, char **argv) {
    char **filter = (char **)malloc((size_t)(argc + 1) * sizeof *filter);
    int serve = 0;
    if (!filter) return 1;
    bench.self = "/proc/self/exe";
    if (access(bench.self, X_OK)) bench.self = argv[0];
    bench.filter = filter;
    bench.threads[0] = 1;
    bench.threads[1] = 2;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "quick")) bench.quick = 1;
        else if (!strcmp(argv[i], "--threads") && i + 1 < argc)
            bench.threads[0] = atoi(argv[++i]), bench.threads[1] = 0;
        else if (!strcmp(argv[i], "--cpu") && i + 1 < argc) bench.cpu = argv[++i];
        else if (!strcmp(argv[i], "--bfloat16")) bench.bfloat16 = 1;
        else if (!strcmp(argv[i], "--serve")) serve = 1; /* a child: cases by name on standard input, see steps.h */
        else if (argv[i][0] == '-') return usage();
        else filter[bench.filters++] = argv[i];
    }
    if (bench.threads[0] < 1 || bench.threads[0] > 64) return usage();
    if (serve) return serve_steps(bench.threads[0]);
    signal(SIGPIPE, SIG_IGN);
    bench.start = bench_wall();

    sslh_ctx *c = make_ctx(1);
    if (sslh_error(c)) {
        fprintf(stderr, "%s\n", sslh_error(c));
        return 1;
    }
    /* OpenBLAS and oneDNN read these when they are loaded: set them and start again. */
    const char *cpu = sslh_query(c).cpu;
    const int wide = !strcmp(cpu, "avx512"), narrow = !strcmp(cpu, "sse2");
    if (!getenv("SSLH_BENCH_AGAIN") && (wide || narrow || !strcmp(cpu, "avx2"))) {
        setenv("SSLH_BENCH_AGAIN", "1", 1);
        setenv("OPENBLAS_CORETYPE", wide ? "SkylakeX" : narrow ? "Core2" : "Haswell", 1);
        if (!wide) setenv("DNNL_MAX_CPU_ISA", narrow ? "SSE41" : "AVX2", 1);
        setenv("OPENBLAS_THREAD_TIMEOUT", "20", 0); /* workers rest after 2^20 cycles: the sides of a case take turns */
        execv(bench.self, argv);
    }
    sslh_destroy(c);

    for (int i = 0; i < 2 && bench.threads[i]; i++) {
        bench_ctx[i] = make_ctx(bench.threads[i]);
        bench_find_limits(bench_ctx[i], bench.threads[i]);
    }
    /* other programs run: OpenMP's peers crawl then */
    if (bench.threads[1] && bench_limit[2].gflops < 1.6 * bench_limit[1].gflops) {
        printf("machine busy: two threads have no two processors%s\n",
               bench.quick ? ", only one is measured" : ", their figures mean little");
        if (bench.quick) bench.threads[1] = 0;
    }
#ifdef BENCH_OPENBLAS
    printf("peer openblas core=%s\n", openblas_get_corename());
#else
    printf("skipped: OpenBLAS (not installed)\n");
#endif
#ifdef BENCH_ONEDNN
    printf("peer onednn version=%d.%d.%d\n", dnnl_version()->major, dnnl_version()->minor, dnnl_version()->patch);
#else
    printf("skipped: oneDNN 2 (not installed)\n");
#endif
    if (bench_family("step/") || bench_family("loss/")) step_cases();
    if (bench_family("augment/")) augment_cases();
    for (int t = 0; t < 2 && bench.threads[t] && !bench.quick; t++)
        if (bench_wanted("augment/in_simclr_step")) fed_case(bench.threads[t]);
    for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes) && bench_family("matmul/"); i++)
        for (int t = 0; t < 2 && bench.threads[t]; t++) matmul_case(bench_ctx[t], bench.threads[t], i);
    for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes) && bench_family("matmul/") && !bench.bfloat16; i++)
        for (int t = 0; t < 2 && bench.threads[t] && (shapes[i].quick || strstr(shapes[i].name, "vit")); t++)
            bfloat16_case(bench.threads[t], i);
    for (int i = 0; i < 3 * (int)(sizeof convs / sizeof *convs) && bench_family("conv/"); i++)
        for (int t = 0; t < 2 && bench.threads[t]; t++) conv_case(bench_ctx[t], bench.threads[t], i / 3, i % 3);
    if (bench_family("text/")) text_cases(), word2vec_cases();
    if (bench_family("memory/")) memory_cases();
    if (bench.late) printf("skipped: %d cases, time was up (make bench runs them all)\n", bench.late);
    bench_print_means();
    for (int i = 0; i < 2; i++) {
        if (!bench_ctx[i]) continue;
        if (sslh_error(bench_ctx[i])) fprintf(stderr, "%s\n", sslh_error(bench_ctx[i]));
        sslh_destroy(bench_ctx[i]);
    }
    free(filter);
    return 0;
}
