/* C libraries that tests/bench compares with: OpenBLAS (matrix product) and oneDNN 2 (matrix product, convolution).
   Every operation is a bench_side's run(self, n) -> seconds. oneDNN chooses its own memory layouts;
   turning data into them is not counted. */
#ifndef SSLH_BENCH_PEERS_H
#define SSLH_BENCH_PEERS_H
#include "bench.h"

/* A batch of products c (M,N) = op(a) op(b), row-major; ta: a is stored (K,M), tb: b is stored (N,K). */
typedef struct bench_product { int ta, tb, m, n, k, batch, threads; float *a, *b, *c; void *peer; } bench_product;

#ifdef BENCH_OPENBLAS
#ifdef __cplusplus
extern "C" {
#endif
void openblas_set_num_threads(int n);
char *openblas_get_corename(void);
void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
                 int ldb, float beta, float *c, int ldc);
#ifdef __cplusplus
}
#endif
static double bench_openblas_run(void *self, int n) {
    const bench_product *p = (const bench_product *)self;
    const double t = bench_now(p->threads);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < p->batch; j++)
            cblas_sgemm(101, 111 + p->ta, 111 + p->tb, p->m, p->n, p->k, 1.0f,
                        p->a + (size_t)j * (size_t)p->m * (size_t)p->k, p->ta ? p->m : p->k,
                        p->b + (size_t)j * (size_t)p->k * (size_t)p->n, p->tb ? p->k : p->n, 0.0f,
                        p->c + (size_t)j * (size_t)p->m * (size_t)p->n, p->n);
    return bench_now(p->threads) - t;
}
#endif

#ifdef BENCH_ONEDNN
#include <dnnl.h>
#ifdef __cplusplus
extern "C"
#endif
void omp_set_num_threads(int n);
static dnnl_engine_t bench_engine;
static dnnl_stream_t bench_queue;
static int bench_onednn(int threads) {
    omp_set_num_threads(threads);
    if (!bench_engine && dnnl_engine_create(&bench_engine, dnnl_cpu, 0) != dnnl_success) return 0;
    return bench_queue || dnnl_stream_create(&bench_queue, bench_engine, dnnl_stream_default_flags) == dnnl_success;
}
/* A primitive and its memory, ready to run. */
typedef struct bench_primitive {
    int threads, args;
    dnnl_primitive_t p;
    dnnl_exec_arg_t arg[3];
    int own[3]; /* the memory is oneDNN's */
} bench_primitive;
static double bench_primitive_run(void *self, int n) {
    bench_primitive *p = (bench_primitive *)self;
    if (!p->p) return -1;
    const double t = bench_now(p->threads);
    for (int i = 0; i < n; i++) {
        dnnl_primitive_execute(p->p, bench_queue, p->args, p->arg);
        dnnl_stream_wait(bench_queue);
    }
    return bench_now(p->threads) - t;
}
static void bench_primitive_free(bench_primitive *p) {
    for (int i = 0; i < p->args; i++) dnnl_memory_destroy(p->arg[i].memory);
    if (p->p) dnnl_primitive_destroy(p->p);
    memset(p, 0, sizeof *p);
}
/* Memory as the primitive wants it, filled with small values; given: the caller's instead. */
static void bench_primitive_arg(bench_primitive *p, const_dnnl_primitive_desc_t pd, dnnl_query_t what, int id,
                                float *given) {
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, what, 0);
    dnnl_exec_arg_t *arg = &p->arg[p->args];
    void *data = NULL;
    arg->arg = id;
    if (dnnl_memory_create(&arg->memory, md, bench_engine, given ? (void *)given : DNNL_MEMORY_ALLOCATE) !=
        dnnl_success)
        return;
    p->args++;
    if (given || dnnl_memory_get_data_handle(arg->memory, &data) != dnnl_success) return;
    for (size_t i = 0; i < dnnl_memory_desc_get_size(md) / sizeof(float); i++)
        ((float *)data)[i] = (float)((i * 2654435761u >> 8) & 255) / 256 - 0.5f;
}
static int bench_primitive_matmul(bench_primitive *p, const bench_product *g) {
    dnnl_memory_desc_t a, b, c;
    dnnl_matmul_desc_t d;
    dnnl_primitive_desc_t pd = NULL;
    const dnnl_dim_t m = g->m, n = g->n, k = g->k;
    const dnnl_dims_t da = {g->batch, m, k}, db = {g->batch, k, n}, dc = {g->batch, m, n};
    const dnnl_dims_t sa = {m * k, g->ta ? 1 : k, g->ta ? m : 1}, sc = {m * n, n, 1};
    const dnnl_dims_t sb = {k * n, g->tb ? 1 : n, g->tb ? k : 1};
    const int skip = g->batch == 1;
    memset(p, 0, sizeof *p);
    p->threads = g->threads;
    if (!bench_onednn(g->threads)) return 0;
    dnnl_memory_desc_init_by_strides(&a, 3 - skip, da + skip, dnnl_f32, sa + skip);
    dnnl_memory_desc_init_by_strides(&b, 3 - skip, db + skip, dnnl_f32, sb + skip);
    dnnl_memory_desc_init_by_strides(&c, 3 - skip, dc + skip, dnnl_f32, sc + skip);
    if (dnnl_matmul_desc_init(&d, &a, &b, NULL, &c) != dnnl_success) return 0;
    if (dnnl_primitive_desc_create(&pd, &d, NULL, bench_engine, NULL) != dnnl_success) return 0;
    if (dnnl_primitive_create(&p->p, pd) == dnnl_success) {
        bench_primitive_arg(p, pd, dnnl_query_src_md, DNNL_ARG_SRC, g->a);
        bench_primitive_arg(p, pd, dnnl_query_weights_md, DNNL_ARG_WEIGHTS, g->b);
        bench_primitive_arg(p, pd, dnnl_query_dst_md, DNNL_ARG_DST, g->c);
    }
    dnnl_primitive_desc_destroy(pd);
    return p->p != NULL;
}
static double bench_onednn_sgemm_run(void *self, int n) {
    const bench_product *p = (const bench_product *)self;
    const double t = bench_now(p->threads);
    for (int i = 0; i < n; i++)
        dnnl_sgemm(p->ta ? 'T' : 'N', p->tb ? 'T' : 'N', p->m, p->n, p->k, 1.0f, p->a, p->ta ? p->m : p->k,
                   p->b, p->tb ? p->k : p->n, 0.0f, p->c, p->n);
    return bench_now(p->threads) - t;
}

/* pass 0: forward, 1: gradient of the data, 2: of the weights; s as in the header, (N,H,W,C) there,
   oneDNN's choice here. */
static int bench_primitive_conv(bench_primitive *p, const sslh_i_conv *s, int pass, int winograd, int threads) {
    dnnl_memory_desc_t x, w, y;
    dnnl_convolution_desc_t f, b;
    dnnl_primitive_desc_t fpd = NULL, pd = NULL;
    const int grouped = s->groups > 1;
    const dnnl_dims_t dx = {s->n, s->ci, s->h, s->w}, dy = {s->n, s->co, s->oh, s->ow};
    const dnnl_dims_t dw = {s->groups, s->co / s->groups, s->ci / s->groups, s->kh, s->kw};
    const dnnl_dims_t strides = {s->sh, s->sw}, before = {s->ph, s->pw};
    const dnnl_dims_t after = {(s->oh - 1) * s->sh + s->kh - s->h - s->ph, (s->ow - 1) * s->sw + s->kw - s->w - s->pw};
    const dnnl_alg_kind_t alg = winograd ? dnnl_convolution_winograd : dnnl_convolution_direct;
    dnnl_status_t ok;
    memset(p, 0, sizeof *p);
    p->threads = threads;
    if (!bench_onednn(threads)) return 0;
    dnnl_memory_desc_init_by_tag(&x, 4, dx, dnnl_f32, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&y, 4, dy, dnnl_f32, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&w, grouped ? 5 : 4, grouped ? dw : dw + 1, dnnl_f32, dnnl_format_tag_any);
    if (dnnl_convolution_forward_desc_init(&f, dnnl_forward_training, alg, &x, &w, NULL, &y, strides, before, after) !=
        dnnl_success)
        return 0;
    if (dnnl_primitive_desc_create(&fpd, &f, NULL, bench_engine, NULL) != dnnl_success) return 0;
    if (pass == 0) {
        pd = fpd;
    } else {
        ok = pass == 1 ? dnnl_convolution_backward_data_desc_init(&b, alg, &x, &w, &y, strides, before, after)
                       : dnnl_convolution_backward_weights_desc_init(&b, alg, &x, &w, NULL, &y, strides, before, after);
        if (ok == dnnl_success) ok = dnnl_primitive_desc_create(&pd, &b, NULL, bench_engine, fpd);
        if (ok != dnnl_success) pd = NULL;
    }
    if (pd && dnnl_primitive_create(&p->p, pd) == dnnl_success) {
        static const int data[3] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_SRC, DNNL_ARG_SRC};
        static const int weights[3] = {DNNL_ARG_WEIGHTS, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_WEIGHTS};
        static const int result[3] = {DNNL_ARG_DST, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_DST};
        bench_primitive_arg(p, pd, pass == 1 ? dnnl_query_diff_src_md : dnnl_query_src_md, data[pass], NULL);
        bench_primitive_arg(p, pd, pass == 2 ? dnnl_query_diff_weights_md : dnnl_query_weights_md, weights[pass], NULL);
        bench_primitive_arg(p, pd, pass == 0 ? dnnl_query_dst_md : dnnl_query_diff_dst_md, result[pass], NULL);
    }
    if (pd && pd != fpd) dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_desc_destroy(fpd);
    return p->p != NULL;
}
#endif
#endif
