/* Several ranks, sslh_comm: R contexts in R threads of this program, whose callbacks meet at a barrier. They must
   compute what one context computes with the whole batch. The same file in double: ranks_double. With -DRANKS_MPI the
   ranks are the processes that mpirun has started, of which each also runs the whole batch alone (`make test-long`). */
#include "../ssl.h"
#include "harness.h"

#if SSLH_WITH_THREADS
#include <pthread.h>

/* --- the ranks: callbacks that meet ------------------------------------------------------------------------------- */

enum { MOST = 4, STEPS = 20, VALUES = 64 };

#ifdef RANKS_MPI
#include <mpi.h>
#include <signal.h>

static int world = 1, place; /* the number of processes, and that of this one */

static int all_reduce(void *user, void *values, size_t count, size_t size) {
    (void)user;
    return MPI_Allreduce(MPI_IN_PLACE, values, (int)count, size == 8 ? MPI_DOUBLE : MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}
static int all_gather(void *user, const void *mine, size_t bytes, void *all) {
    (void)user;
    return MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD);
}
static int broadcast(void *user, void *data, size_t bytes, int root) {
    (void)user;
    return MPI_Bcast(data, (int)bytes, MPI_BYTE, root, MPI_COMM_WORLD);
}
static void mpi_end(void) { MPI_Finalize(); }
/* Only the first process prints. */
static void mpi_begin(void) {
    int begun;
    MPI_Initialized(&begun);
    if (begun) return;
    MPI_Init(NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, &place);
    MPI_Comm_size(MPI_COMM_WORLD, &world);
    atexit(mpi_end);
    if (place > 0 && !freopen("/dev/null", "w", stdout)) fprintf(stderr, "rank %d prints too\n", place);
}
#endif

typedef struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t  all_here;
    int ranks, here;
    int left;       /* ranks that have ended: who waits for them gets an error, as mpirun would end it */
    long round;
    const void *mine[MOST];
    long calls;     /* of rank 0 */
    double bytes;   /* that rank 0 has handed over */
    long fail_at;   /* the call of rank 0 and all others that fails; 0: none */
} meeting;

typedef struct seat { meeting *m; int rank; long calls; } seat;

#ifndef RANKS_MPI
static int wait_for_all(meeting *m) { /* 1: a rank that is waited for has ended */
    long round;
    int missing;
    pthread_mutex_lock(&m->lock);
    round = m->round;
    if (++m->here == m->ranks) {
        m->here = 0;
        m->round++;
        pthread_cond_broadcast(&m->all_here);
    }
    while (m->round == round && !m->left) pthread_cond_wait(&m->all_here, &m->lock);
    missing = m->round == round;
    pthread_mutex_unlock(&m->lock);
    return missing;
}
static void leave(meeting *m) {
    pthread_mutex_lock(&m->lock);
    m->left++;
    pthread_cond_broadcast(&m->all_here);
    pthread_mutex_unlock(&m->lock);
}

/* Whether this call is the one that fails; counts it. */
static int fails(seat *s, double bytes) {
    if (s->rank == 0) s->m->calls++, s->m->bytes += bytes;
    return ++s->calls == s->m->fail_at;
}

static int all_reduce(void *user, void *values, size_t count, size_t size) {
    seat *s = (seat *)user;
    meeting *m = s->m;
    void *sum = malloc(count * size + 1);
    size_t i;
    int r;
    if (!sum || fails(s, (double)(count * size))) {
        free(sum);
        return 7;
    }
    m->mine[s->rank] = values;
    if (wait_for_all(m)) {
        free(sum);
        return 7;
    }
    for (i = 0; i < count; i++) {
        double d = 0;
        float f = 0;
        for (r = 0; r < m->ranks; r++) {
            if (size == 8) d += ((const double *)m->mine[r])[i];
            else f += ((const float *)m->mine[r])[i];
        }
        if (size == 8) ((double *)sum)[i] = d;
        else ((float *)sum)[i] = f;
    }
    wait_for_all(m);
    memcpy(values, sum, count * size);
    free(sum);
    return 0;
}

static int all_gather(void *user, const void *mine, size_t bytes, void *all) {
    seat *s = (seat *)user;
    meeting *m = s->m;
    int r;
    if (fails(s, (double)bytes)) return 7;
    m->mine[s->rank] = mine;
    if (wait_for_all(m)) return 7;
    for (r = 0; r < m->ranks; r++) memcpy((char *)all + (size_t)r * bytes, m->mine[r], bytes);
    wait_for_all(m);
    return 0;
}

static int broadcast(void *user, void *data, size_t bytes, int root) {
    seat *s = (seat *)user;
    meeting *m = s->m;
    if (fails(s, (double)bytes)) return 7;
    m->mine[s->rank] = data;
    if (wait_for_all(m)) return 7;
    if (s->rank != root) memcpy(data, m->mine[root], bytes);
    wait_for_all(m);
    return 0;
}
#endif

/* --- a run: the same function in every rank ----------------------------------------------------------------------- */

typedef struct run {
    void (*program)(struct run *r, sslh_ctx *c);
    seat here;
    int ranks, rank, variant;
    uint64_t seed;
    double losses[STEPS];
    int n;
    double features[VALUES]; /* of the trained encoder */
    uint8_t *pixels;
    char error[512];
    const char *path;
    int poison;  /* 1: the callback reports an error; in step 2 2: the loss is NaN, 3: a gradient is, 4: no loss */
    int stop_at; /* the callback of the last rank stops the run at this step; 0: never */
    int die_at;  /* the process of the last rank is killed at this step; 0: never */
    int mute;    /* 1: without a callback */
    int trained; /* 1: sslh_train has ended without an error */
    int steps;   /* of the run; 0: STEPS */
    int threads;
    long fail_alloc, allocs; /* the allocation that fails, and those so far; 0: none fails */
    double exact[STEPS]; /* the losses of this rank, not rounded to float; their mean over the ranks is that of the
                            batch */
    int taken;
    sslh_tensor *(*loss)(sslh_method *m, const sslh_view_set *v, int phase);
} run;
static pthread_key_t running; /* the run of this thread */

static void say_nothing(void *user, const char *text) { (void)user, (void)text; }

static void *counted_alloc(void *user, size_t bytes) {
    run *r = (run *)user;
    return ++r->allocs == r->fail_alloc ? NULL : malloc(bytes);
}
static void counted_release(void *user, void *p) {
    (void)user;
    free(p);
}
static void *start(void *arg) {
    run *r = (run *)arg;
    sslh_desc d;
    sslh_ctx *c;
    pthread_setspecific(running, r);
    memset(&d, 0, sizeof d);
    d.seed = r->seed;
    d.threads = r->threads;
    d.warn = say_nothing;
    if (r->fail_alloc) d.alloc = counted_alloc, d.release = counted_release, d.user = r;
    if (r->ranks > 1) {
        d.comm.rank = r->rank;
        d.comm.ranks = r->ranks;
        d.comm.user = &r->here;
        d.comm.all_reduce = all_reduce;
        d.comm.all_gather = all_gather;
        d.comm.broadcast = broadcast;
    }
    c = sslh_create(d);
    r->program(r, c);
    snprintf(r->error, sizeof r->error, "%s", sslh_error(c) ? sslh_error(c) : "");
    sslh_destroy(c);
    free(r->pixels);
#ifndef RANKS_MPI
    leave(r->here.m);
#endif
    return NULL;
}

static int threads = 1;         /* of each rank */
static long fail_alloc_of_last; /* of the last rank of the next run, see run; 0: none */

/* Runs program in R ranks; out[R] */
static meeting run_ranks(run *out, int R, void (*program)(run *, sslh_ctx *), int variant, long fail_at) {
    meeting m;
    pthread_t thread[MOST];
    int r;
    memset(&m, 0, sizeof m);
    memset(out, 0, (size_t)R * sizeof *out);
    pthread_mutex_init(&m.lock, NULL);
    pthread_cond_init(&m.all_here, NULL);
    m.ranks = R;
    m.fail_at = fail_at;
    pthread_key_create(&running, NULL);
    for (r = 0; r < R; r++) {
        out[r].program = program;
        out[r].here.m = &m;
        out[r].here.rank = out[r].rank = r;
        out[r].ranks = R;
        out[r].variant = variant;
        out[r].seed = 5;
        out[r].threads = threads;
        out[r].fail_alloc = r == R - 1 ? fail_alloc_of_last : 0;
    }
#ifdef RANKS_MPI
    (void)thread;
    r = R == 1 ? 0 : place;
    start(&out[r]);
    if (R > 1) MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, out, (int)sizeof *out, MPI_BYTE, MPI_COMM_WORLD);
#else
    for (r = 0; r < R; r++) pthread_create(&thread[r], NULL, start, &out[r]);
    for (r = 0; r < R; r++) pthread_join(thread[r], NULL);
#endif
    pthread_key_delete(running);
    pthread_mutex_destroy(&m.lock);
    pthread_cond_destroy(&m.all_here);
    return m;
}

static int note_loss(const sslh_train_info *t, void *user) {
    run *r = (run *)user;
    if (!t->epoch_end && r->n < STEPS) r->losses[r->n++] = (double)t->loss;
#ifdef RANKS_MPI
    if (r->die_at && r->rank == r->ranks - 1 && t->step == r->die_at) raise(SIGKILL);
#endif
    if (r->poison == 1 && t->step == 2)
        sslh_fail(t->ctx, SSLH_E_USAGE, "mine: another of the 2 ranks has failed: this one");
    return r->stop_at && r->rank == r->ranks - 1 && t->step == r->stop_at;
}

/* What the encoder makes of the first 8 samples in evaluation mode: of its weights and running statistics. */
static void note_features(run *r, sslh_ctx *c, sslh_net *encoder, sslh_data data) {
    sslh_feature_desc d;
    sslh_tensor *f;
    size_t i;
    memset(&d, 0, sizeof d);
    f = sslh_features(c, encoder, sslh_data_range(data, 0, 8), d);
    for (i = 0; i < f->count && i < VALUES && !sslh_error(c); i++) r->features[i] = (double)f->data[i];
}

/* n images of 16 x 16 x 3, smooth and different. */
static sslh_data images(run *r, sslh_ctx *c, int n) {
    int i;
    r->pixels = (uint8_t *)malloc((size_t)n * 16 * 16 * 3);
    for (i = 0; i < n * 16 * 16 * 3; i++) {
        const int image = i / 768, y = i % 768 / 48, x = i % 48 / 3, k = i % 3;
        r->pixels[i] = (uint8_t)(127.5 + 120 * sin(0.7 * image + (0.2 + 0.05 * (image % 5)) * x + 0.13 * k * y));
    }
    return sslh_data_from_images(c, r->pixels, n, 16, 16, 3, NULL);
}
static run *current(void) { return (run *)pthread_getspecific(running); }
/* The method's loss, which is noted, or made NaN. */
static sslh_tensor *noted_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    run *r = current();
    sslh_tensor *loss = r->loss(m, v, phase);
    if (sslh_error(m->ctx) || r->taken >= STEPS) return loss;
    if (r->poison == 2 && r->taken == 1) loss = sslh_log(m->ctx, sslh_shift(m->ctx, sslh_scale(m->ctx, loss, 0), -1));
    r->exact[r->taken++] = (double)loss->data[0];
    if (r->poison == 4 && r->taken == 2) return NULL;
    return loss;
}
static void nan_grads(sslh_method *m, int phase) {
    (void)phase;
    if (current()->taken == 2) sslh_param(m->encoder, 0)->grad[0] = (sslh_real)NAN;
}
static void train(run *r, sslh_ctx *c, sslh_method m, sslh_data data, int batch) {
    sslh_train_desc t;
    memset(&t, 0, sizeof t);
    r->loss = m.loss;
    m.loss = noted_loss;
    if (r->poison == 3) m.grads = nan_grads;
    t.batch = batch;
    t.epochs = 40;
    t.max_steps = r->steps ? r->steps : STEPS;
    t.quiet = 1;
    t.callback = r->mute ? NULL : note_loss;
    t.user = r;
    t.checkpoint = r->path;
    t.resume = 1;
    sslh_train(c, m, data, t);
    r->trained = !sslh_error(c);
    if (!sslh_error(c)) note_features(r, c, m.encoder, data);
}

/* --- rows of all ranks -------------------------------------------------------------------------------------------- */

enum { ROWS = 3, WIDE = 2, OWN = ROWS * WIDE };
/* x (ROWS,WIDE) holds 100 rank + 0, 1, 2 ..; the loss is the sum of 1 y_0 + 2 y_1 + .. over the rows y of all ranks.
   The results come first in .features, then the gradient of x. */
static void rows(run *r, sslh_ctx *c) {
    float own[OWN], weights[OWN * MOST];
    sslh_tensor *x, *y;
    int i, all = OWN * r->ranks;
    for (i = 0; i < OWN; i++) own[i] = (float)(100 * r->rank + i);
    for (i = 0; i < all; i++) weights[i] = (float)(i + 1);
    x = sslh_requires_grad(sslh_from(c, sslh_dim2(ROWS, WIDE), own));
    y = sslh_gather_ranks(c, x);
    for (i = 0; i < all && !sslh_error(c); i++) r->features[i] = (double)y->data[i];
    sslh_backward(c, sslh_sum(c, sslh_mul(c, y, sslh_from(c, sslh_dim2(ROWS * r->ranks, WIDE), weights)), SSLH_ALL, 0));
    for (i = 0; i < OWN && !sslh_error(c); i++) r->features[all + i] = (double)x->grad[i];
    if (r->variant) sslh_gather_ranks(c, sslh_scalar(c, 1));
}
static void rows_of_all(void) {
    static run all[MOST];
    int R = 2, r, i;
#ifdef RANKS_MPI
    mpi_begin();
    R = world;
#endif
    run_ranks(all, R, rows, 0, 0);
    for (r = 0; r < R; r++) {
        const double *got = all[r].features;
        CHECK(!all[r].error[0], "rank %d: %s", r, all[r].error);
        for (i = 0; i < OWN * R; i++) CHECK(got[i] == 100 * (i / OWN) + i % OWN, "rank %d: %g at %d", r, got[i], i);
        for (i = 0; i < OWN; i++) /* the average over the ranks has to be the gradient of the one loss */
            CHECK(got[OWN * R + i] == R * (r * OWN + i + 1), "rank %d: gradient %g at %d", r, got[OWN * R + i], i);
    }
    if (R == 1) return;
    run_ranks(all, R, rows, 1, 0);
    for (r = 0; r < R; r++)
        CHECK(strstr(all[r].error, "sslh_gather_ranks: one number has no rows") != NULL, "rank %d: %s", r,
              all[r].error);
}

/* --- exact: what R ranks compute is what one computes ------------------------------------------------------------- */

/* Runs program with one rank and with 2 and 4; losses and features agree. */
static void same_as_one(const char *name, void (*program)(run *, sslh_ctx *), int variant) {
    static run one[1], all[MOST];
    const double tolerance = sizeof(sslh_real) == 8 ? 1e-9 : 1e-5;
    int R, r, i, least = 2, most = MOST;
#ifdef RANKS_MPI
    mpi_begin();
    least = most = world;
#endif
    run_ranks(one, 1, program, variant, 0);
    CHECK(!one[0].error[0], "%s, one rank: %s", name, one[0].error);
    CHECK(one[0].n == STEPS, "%d steps", one[0].n);
    for (R = least; R <= most; R *= 2) {
        run_ranks(all, R, program, variant, 0);
        /* In float the runs part with the rounding errors, so only their beginning is compared. */
        for (i = 0; i < (sizeof(sslh_real) == 8 ? STEPS : 1); i++) {
            double mean = 0;
            for (r = 0; r < R; r++) mean += all[r].exact[i] / R;
            CHECK(fabs(mean - one[0].exact[i]) <= tolerance * (1 + fabs(one[0].exact[i])),
                  "%s, %d ranks, step %d: mean loss %.15f, one rank %.15f", name, R, i + 1, mean, one[0].exact[i]);
        }
        for (r = 0; r < R; r++) {
            CHECK(!all[r].error[0], "%s, rank %d of %d: %s", name, r, R, all[r].error);
            /* What the callback sees is a float: half a unit of its last place more. */
            for (i = 0; i < (sizeof(sslh_real) == 8 ? STEPS : 1) && !all[r].error[0]; i++)
                CHECK(fabs(all[r].losses[i] - one[0].losses[i]) <= (tolerance + 1e-7) * (1 + fabs(one[0].losses[i])),
                      "%s, rank %d of %d, step %d: loss %.12f, one rank %.12f", name, r, R, i + 1, all[r].losses[i],
                      one[0].losses[i]);
            for (i = 0; i < VALUES && !all[r].error[0]; i++) {
                CHECK(all[r].features[i] == all[0].features[i], "%s: features of ranks 0 and %d of %d differ", name, r,
                      R);
                if (sizeof(sslh_real) == 8)
                    CHECK(fabs(all[r].features[i] - one[0].features[i]) <= 1e-7 * (1 + fabs(one[0].features[i])),
                          "%s, rank %d of %d: feature %d is %.12f, one rank %.12f", name, r, R, i, all[r].features[i],
                          one[0].features[i]);
            }
        }
    }
}

#if SSLH_WITH_SIMCLR || SSLH_WITH_MOCO
static sslh_net *small_convnet(sslh_ctx *c) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.widths[0] = 8;
    d.widths[1] = 16;
    return sslh_convnet(c, d);
}
#endif

#if SSLH_WITH_SIMCLR
static void simclr(run *r, sslh_ctx *c) {
    sslh_simclr_desc d;
    memset(&d, 0, sizeof d);
    d.head_out = 16;
    d.decoupled = r->variant;
    train(r, c, sslh_simclr(c, small_convnet(c), d), images(r, c, 40), 16);
}
static void simclr_as_one_rank(void) {
    same_as_one("simclr", simclr, 0);
    same_as_one("simclr, decoupled", simclr, 1);
}
#endif

#if SSLH_WITH_VAE
static void vae(run *r, sslh_ctx *c) {
    sslh_vae_desc d;
    memset(&d, 0, sizeof d);
    d.height = d.width = 16;
    d.channels = 3;
    d.hidden = 24;
    d.latent = 5; /* with 4 rows of 5 in a rank, draws begin within a block of the generator */
    d.binarize = r->variant == 1;
    d.codes = r->variant == 2 ? 3 : 1;
    train(r, c, sslh_vae(c, d), images(r, c, 40), 16);
}
static void vae_as_one_rank(void) {
    same_as_one("vae", vae, 0);
    same_as_one("vae, binarized", vae, 1);
    same_as_one("vae, 3 codes", vae, 2);
}
#endif

#if SSLH_WITH_MOCO
static void moco(run *r, sslh_ctx *c) {
    sslh_moco_desc d;
    memset(&d, 0, sizeof d);
    d.version = r->variant == 3 ? 3 : 2;
    d.queue = 64;
    d.head_out = 16;
    d.head_hidden = 24;
    d.split = r->variant == 1 ? 4 : r->variant == 2 ? 1 : 0;
    d.symmetric = r->variant == 1;
    train(r, c, sslh_moco(c, small_convnet(c), d), images(r, c, 40), 16);
}
static void moco_as_one_rank(void) {
    same_as_one("moco, 8 groups", moco, 0);
    same_as_one("moco, symmetric, 4 groups", moco, 1);
    same_as_one("moco, one group", moco, 2);
    same_as_one("moco v3", moco, 3);
}
#endif

#if SSLH_WITH_BERT
enum { WORDS = 11, TEXTS = 40 };
static int32_t words[TEXTS * WORDS], lengths[TEXTS];
/* Texts of 2 to 11 tokens, so that ranks predict different numbers of them. */
static sslh_data texts(sslh_ctx *c) {
    sslh_field f;
    memset(&f, 0, sizeof f);
    f.name = "text";
    f.kind = SSLH_FIELD_TOKENS;
    f.type = SSLH_I32;
    f.shape = sslh_dim1(WORDS);
    f.values = words;
    f.lengths = lengths;
    return sslh_data_from_fields(c, &f, 1, TEXTS);
}
static void bert(run *r, sslh_ctx *c) {
    sslh_transformer_desc t;
    sslh_bert_desc d;
    memset(&t, 0, sizeof t);
    memset(&d, 0, sizeof d);
    t.kind = SSLH_BERT;
    t.vocabulary = 40;
    t.length = WORDS + 2;
    t.width = 16; /* 4 rows of 13 tokens of 16 values are 13 blocks of 64 */
    t.depth = 2;
    t.heads = 4;
    d.mask = 0.3f;
    d.cls_token = 36, d.sep_token = 37, d.mask_token = 38, d.pad_token = 39;
    d.dropout = r->variant ? SSLH_OFF : 0;
    train(r, c, sslh_bert(c, sslh_transformer(c, t), d), texts(c), 16);
}
static void bert_as_one_rank(void) {
    int i;
    for (i = 0; i < TEXTS * WORDS; i++) words[i] = (i * 7 + i / WORDS * 5) % 36;
    for (i = 0; i < TEXTS; i++) lengths[i] = 2 + i * 3 % 10;
    same_as_one("bert, no dropout", bert, 1);
    same_as_one("bert", bert, 0);
}
#endif

#if defined RANKS_MPI && SSLH_WITH_SIMCLR
/* The last process is killed in the middle of a run: mpirun has to end the others, and says why. */
static void dies(run *r, sslh_ctx *c) {
    r->die_at = 3;
    simclr(r, c);
}
static void killed(void) {
    static run all[MOST];
    mpi_begin();
    run_ranks(all, world, dies, 0, 0);
    CHECK(0, "nobody has died");
}
#endif

#ifndef RANKS_MPI
#if SSLH_WITH_SIMCLR
/* A run of 2 ranks, stopped by one of them, goes on with 4 and with 1 as if it had been one run. */
static const char *checkpoint_path;
static void simclr_stops(run *r, sslh_ctx *c) {
    r->stop_at = 7;
    r->path = checkpoint_path;
    simclr(r, c);
}
static void simclr_resumes(run *r, sslh_ctx *c) {
    r->path = checkpoint_path;
    simclr(r, c);
}
static void checkpoints(void) {
    static run one[1], all[MOST];
    char path[400];
    int i, r, R;
    snprintf(path, sizeof path, "%s", test_temporary("ranks.safetensors"));
    checkpoint_path = path;
    run_ranks(one, 1, simclr, 0, 0);
    for (R = 1; R <= 4; R += 3) {
        run_ranks(all, 2, simclr_stops, 0, 0);
        for (r = 0; r < 2; r++)
            CHECK(!all[r].error[0] && all[r].n == 7, "rank %d: %d steps, %s", r, all[r].n, all[r].error);
        run_ranks(all, R, simclr_resumes, 0, 0);
        for (r = 0; r < R; r++)
            CHECK(!all[r].error[0] && all[r].n == STEPS - 7, "rank %d: %d steps, %s", r, all[r].n, all[r].error);
        for (i = 0; i < all[0].n && sizeof(sslh_real) == 8; i++)
            CHECK_NEAR(all[0].losses[i], one[0].losses[7 + i], 1e-5); /* the file has float values */
        remove(path);
    }
}
#endif

/* --- what is refused ---------------------------------------------------------------------------------------------- */

#if SSLH_WITH_SIMCLR
/* Every run of R ranks ends with an error that contains text, in all of them. */
static void refused(void (*program)(run *, sslh_ctx *), int variant, long fail_at, const char *text) {
    static run all[MOST];
    int r;
    run_ranks(all, 2, program, variant, fail_at);
    for (r = 0; r < 2; r++)
        CHECK(strstr(all[r].error, text), "rank %d: \"%s\", expected \"%s\"", r, all[r].error, text);
}
static void odd_batch(run *r, sslh_ctx *c) {
    sslh_simclr_desc d;
    memset(&d, 0, sizeof d);
    train(r, c, sslh_simclr(c, small_convnet(c), d), images(r, c, 40), 15);
}
static void other_weights(run *r, sslh_ctx *c) {
    sslh_simclr_desc d;
    sslh_net *net = small_convnet(c);
    memset(&d, 0, sizeof d);
    if (r->rank == 1 && !sslh_error(c)) sslh_param(net, 0)->data[0] += 1;
    train(r, c, sslh_simclr(c, net, d), images(r, c, 40), 16);
}
#if SSLH_WITH_BYOL
static void byol(run *r, sslh_ctx *c) {
    sslh_byol_desc d;
    memset(&d, 0, sizeof d);
    train(r, c, sslh_byol(c, small_convnet(c), d), images(r, c, 40), 16);
}
#endif
#if SSLH_WITH_MOCO
static void moco_split(run *r, sslh_ctx *c) {
    sslh_moco_desc d;
    memset(&d, 0, sizeof d);
    d.queue = 60;
    d.split = r->variant;
    train(r, c, sslh_moco(c, small_convnet(c), d), images(r, c, 42), 6);
}
#endif
#if SSLH_WITH_CLASSIFIERS
static void finetune(run *r, sslh_ctx *c) {
    sslh_finetune_desc d;
    sslh_net *net = small_convnet(c);
    sslh_data data = images(r, c, 40);
    static const int32_t labels[40] = {1};
    memset(&d, 0, sizeof d);
    data.labels = labels, data.classes = 2;
    if (r->variant) sslh_finetune_keep(c, net, data, d);
    else sslh_finetune(c, net, data, data, d);
    if (sslh_error(c)) snprintf(r->error, sizeof r->error, "%s", sslh_error(c));
}
#endif
/* The callback, loss or gradient of one rank fails: all fail in the same step. */
static void one_fails(run *r, sslh_ctx *c) {
    if (r->rank == 1) r->poison = r->variant;
    simclr(r, c);
}
/* The last rank differs from the others. */
static void different(run *r, sslh_ctx *c) {
    sslh_simclr_desc d;
    const int last = r->rank == r->ranks - 1;
    memset(&d, 0, sizeof d);
    d.temperature = last && r->variant == 0 ? 0.2f : 0.1f;
    if (last && r->variant == 1) r->steps = STEPS - 1;
    if (last && r->variant == 2) r->path = checkpoint_path;
    if (last && r->variant == 3) sslh_next_stream(c);
    train(r, c, sslh_simclr(c, small_convnet(c), d), images(r, c, last && r->variant == 4 ? 48 : 40), 16);
}
/* It has failed before training begins. */
static void fails_before(run *r, sslh_ctx *c) {
    if (r->rank == 1) sslh_fail(c, SSLH_E_FILE, "mine: another of the 2 ranks has failed: this one has no images");
    simclr(r, c);
}
/* Only the last rank has a callback, which stops all of them. */
static void one_asks(run *r, sslh_ctx *c) {
    r->stop_at = 5;
    r->mute = r->rank < r->ranks - 1;
    simclr(r, c);
}
/* Rank 0 alone writes; where the others would is not looked at. */
static void one_writes(run *r, sslh_ctx *c) {
    r->path = r->rank ? "no folder/of this/name" : checkpoint_path;
    simclr(r, c);
}
static void only_one(void) {
    static run all[MOST];
    char path[400];
    int r;
    snprintf(path, sizeof path, "%s", test_temporary("ranks.safetensors"));
    checkpoint_path = path;
    run_ranks(all, 2, one_asks, 0, 0);
    for (r = 0; r < 2; r++)
        CHECK(!all[r].error[0] && all[r].taken == 5, "rank %d: %d steps, %s", r, all[r].taken, all[r].error);
    run_ranks(all, 2, one_writes, 0, 0);
    for (r = 0; r < 2; r++)
        CHECK(!all[r].error[0] && all[r].taken == STEPS, "rank %d: %d steps, %s", r, all[r].taken, all[r].error);
    CHECK(remove(path) == 0, "rank 0 has written no checkpoint");
}
/* An allocation fails in one rank, each of one epoch in turn. When that is within a step, the other rank waits until
   the run is ended from outside; otherwise both have an error, because all ask each other before and after the
   steps. */
static void one_epoch(run *r, sslh_ctx *c) {
    r->mute = 1, r->steps = 2, r->path = checkpoint_path;
    simclr(r, c);
}
static void memory_of_one(void) {
    static run all[MOST];
    char path[400];
    long n;
    int asked = 0, in_step = 0;
    snprintf(path, sizeof path, "%s", test_temporary("ranks.safetensors"));
    checkpoint_path = path;
    for (n = 2; n < 2000; n++) { /* 1 is the context, without which a rank says nothing */
        remove(path);
        fail_alloc_of_last = n;
        run_ranks(all, 2, one_epoch, 0, 0);
        fail_alloc_of_last = 0;
        if (all[1].trained) break;
        if (strstr(all[1].error, "step ")) in_step++;
        else asked += strstr(all[0].error, "another of the 2 ranks has failed") != NULL;
        CHECK(all[0].error[0] && (strstr(all[1].error, "step ") || strstr(all[0].error, "another of the 2 ranks")),
              "allocation %ld of %ld calls: \"%s\", the other rank \"%s\"", n, all[1].here.calls, all[1].error,
              all[0].error);
    }
    CHECK(n > 20 && n < 2000 && asked > 10 && in_step > 10, "%ld allocations, %d, %d", n, asked, in_step);
    remove(path);
}
/* The number of threads of a rank changes no bit. */
static void any_number_of_threads(void) {
    static run one[MOST], three[MOST];
    int r, i;
    run_ranks(one, 2, simclr, 0, 0);
    threads = 3;
    run_ranks(three, 2, simclr, 0, 0);
    threads = 1;
    for (r = 0; r < 2; r++) {
        CHECK(!one[r].error[0] && !three[r].error[0], "rank %d: %s%s", r, one[r].error, three[r].error);
        for (i = 0; i < STEPS; i++)
            CHECK(one[r].exact[i] == three[r].exact[i], "rank %d, step %d: %.9g, with three threads %.9g", r, i + 1,
                  one[r].exact[i], three[r].exact[i]);
        for (i = 0; i < VALUES; i++) CHECK(one[r].features[i] == three[r].features[i], "rank %d: features", r);
    }
}
static void no_callbacks(void) {
    sslh_desc d;
    sslh_ctx *c;
    memset(&d, 0, sizeof d);
    d.comm.ranks = 2;
    c = sslh_create(d);
    CHECK_ERROR(c, ".all_gather and .broadcast are needed");
    sslh_destroy(c);
    d.comm.all_reduce = all_reduce, d.comm.all_gather = all_gather, d.comm.broadcast = broadcast;
    d.comm.rank = 2;
    c = sslh_create(d);
    CHECK_ERROR(c, "rank 2 of 2");
    sslh_destroy(c);
    d.comm.ranks = 0;
    c = sslh_create(d);
    CHECK_ERROR(c, "rank 2 of 0");
    sslh_destroy(c);
}
static void refusals(void) {
    long n;
    int i;
    char path[400];
    snprintf(path, sizeof path, "%s", test_temporary("ranks.safetensors"));
    checkpoint_path = path;
    for (i = 0; i < 5; i++) refused(different, i, 0, "the 2 ranks have different settings or data");
    refused(fails_before, 0, 0, "another of the 2 ranks has failed");
    refused(one_fails, 2, 0, "the loss is NaN or Inf");
    refused(one_fails, 3, 0, "holds NaN or Inf");
    refused(one_fails, 4, 0, "sslh_train: simclr, step 2");
#if SSLH_WITH_BYOL
    refused(byol, 0, 0, "byol: not yet right on 2 ranks");
#endif
#if SSLH_WITH_MOCO
    refused(moco_split, 3, 0, "3 virtual groups cannot be dealt to 2 ranks");
#endif
#if SSLH_WITH_CLASSIFIERS
    refused(finetune, 0, 0, "sslh_finetune: not yet right on 2 ranks");
    refused(finetune, 1, 0, "sslh_finetune_keep: not yet right on 2 ranks");
#endif
    refused(one_fails, 1, 0, "another of the 2 ranks has failed");
    refused(odd_batch, 0, 0, "a batch of 15 cannot be dealt to 2 ranks");
    refused(other_weights, 0, 0, "different weights");
    for (n = 1; n < 40; n++) refused(simclr, 0, n, "of .comm returned 7"); /* every call of the first step, and more */
}
#endif
#endif /* RANKS_MPI */

#endif /* SSLH_WITH_THREADS */

TESTS_BEGIN
#if SSLH_WITH_THREADS
    TEST(rows_of_all)
#if SSLH_WITH_SIMCLR
    TEST(simclr_as_one_rank)
#ifdef RANKS_MPI
    if (getenv("RANKS_DIE")) TEST(killed)
#else
    TEST(checkpoints)
    TEST(no_callbacks)
    TEST(refusals)
    TEST(only_one)
    TEST(memory_of_one)
    TEST(any_number_of_threads)
#endif
#endif
#if SSLH_WITH_MOCO
    TEST(moco_as_one_rank)
#endif
#if SSLH_WITH_BERT
    TEST(bert_as_one_rank)
#endif
#if SSLH_WITH_VAE
    TEST(vae_as_one_rank)
#endif
#endif
TESTS_END
