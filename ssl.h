/* ssl.h 0.1.0 - self-supervised learning in one C header. Public domain or MIT-0, your choice (end of file).

   Learns representations from data without labels: rotation prediction, SimCLR, variational autoencoders, masked
   autoencoders, on tensors with reverse-mode differentiation, SIMD matrix products and convolutions, augmentations,
   encoders, optimisers, probes and pictures. Needs libc and libm, nothing else.

   Do this in exactly one .c or .cpp file:

       #define SSLH_IMPLEMENTATION
       #include "ssl.h"

   and include it without the #define wherever else it is used. Then

       cc first.c -lm                 (add -lpthread with a C library older than glibc 2.34)

   No compiler flags are needed for speed: the file carries its kernels for several instruction sets and picks at run time.
   Names begin with sslh_ and SSLH_, so that it can live beside a TLS library (see 12 below).

   ---------------------------------------------------------------------------------------------------------------------
   MANUAL
   ---------------------------------------------------------------------------------------------------------------------
     1  Quick start                              8  Threads
     2  Switches                                 9  What is deterministic
     3  Descriptors and defaults                10  The methods
     4  Context, steps, tensors, the tape       11  Writing your own: method, encoder, operation
     5  Errors                                  12  Beside a TLS library; C++; several copies
     6  Memory                                  13  Files
     7  Randomness                              14  Where things are in this file

   1  QUICK START

   A first look: values and gradients.

       sslh_ctx *c = sslh_create((sslh_desc){ .seed = 1 });
       sslh_tensor *x = sslh_requires_grad(sslh_scalar(c, 3)), *y = sslh_requires_grad(sslh_scalar(c, 2));
       sslh_tensor *z = sslh_add(c, sslh_mul(c, x, x), sslh_mul(c, x, y));      z = x^2 + x y
       sslh_backward(c, z);
       printf("%g %g %g\n", sslh_item(z), x->grad[0], y->grad[0]);              15 8 3
       sslh_destroy(c);

   Pretraining an encoder, then seeing what it is worth:

       sslh_ctx *c        = sslh_create((sslh_desc){ .seed = 1 });
       sslh_data train    = sslh_load_images(c, "examples/data/train");
       sslh_data test     = sslh_load_images(c, "examples/data/test");
       sslh_net *encoder  = sslh_convnet(c, (sslh_convnet_desc){ .channels = train.channels });
       sslh_method method = sslh_simclr(c, encoder, (sslh_simclr_desc){ .temperature = 0.5f });
       sslh_train(c, method, train, (sslh_train_desc){ .epochs = 5 });
       float accuracy     = sslh_linear_probe(c, encoder, train, test, (sslh_probe_desc){ 0 });
       sslh_save_net(encoder, "encoder.safetensors");
       if (sslh_error(c)) fprintf(stderr, "%s\n", sslh_error(c));
       sslh_destroy(c);

   The same loop by hand (examples/by_hand.c has all of it):

       while (sslh_next_batch(loader, &batch)) {
           sslh_tensor *a = sslh_views(c, batch, SSLH_VIEWS_SIMCLR, 0), *b = sslh_views(c, batch, SSLH_VIEWS_SIMCLR, 1);
           sslh_tensor *za = sslh_forward(head, sslh_forward(encoder, a)), *zb = sslh_forward(head, sslh_forward(encoder, b));
           sslh_backward(c, sslh_nt_xent(c, za, zb, 0.5f));
           sslh_optimizer_step(optimizer, sslh_cosine(step++, steps, warmup, 0.3f));
       }

   Using what was learnt, in another program (examples/embed.c compiles the weights in):

       sslh_net *encoder = sslh_load_net(c, "encoder.safetensors");
       sslh_embed(encoder, pixels, 1, height, width, channels, features);

   2  SWITCHES

   Define them before the include that has SSLH_IMPLEMENTATION (methods: before every include). An empty define counts as 1.

     switch                  default  meaning
     SSLH_WITH_ALL           1        default of every method's switch
     SSLH_WITH_ROTATION      all      rotation prediction
     SSLH_WITH_SIMCLR        all      SimCLR
     SSLH_WITH_VAE           all      variational autoencoder
     SSLH_WITH_MAE           all      masked autoencoder
     SSLH_WITH_THREADS       1        0: no thread pool (a .parallel_for of yours still works)
     SSLH_WITH_SIMD          1        0: portable C kernels only; the file then never includes itself and can be pasted
     SSLH_WITH_STDIO         1        0: no files and no progress line; functions that take a path report an error
     SSLH_USE_CBLAS          0        1: matrix products by cblas_sgemm of the cblas.h you link (outside the same-bits promise)
     SSLH_STATIC             -        all functions static: private copies, one per file if you like
     SSLH_REAL               float    double: reference kernels in double, for gradient checks
     SSLH_FILE               "ssl.h"  the name under which the file includes itself, if you renamed it
     SSLH_ALLOW_FAST_MATH    -        compile in spite of -ffast-math (NaN tests and the same-bits promise are void)
     SSL_IMPLEMENTATION      -        alias of SSLH_IMPLEMENTATION

   Methods use the core only, never one another, so any set of switches builds. A switch changes which functions exist, never
   the layout of a struct.

   3  DESCRIPTORS AND DEFAULTS

   Settings are plain structs passed by value. A field that is 0 takes the default written beside it in the declaration (the
   paper's, or its version for small images); SSLH_OFF (-1) means really zero; sslh_or_off(x) serves computed values. New fields
   are added at the end. In C: (sslh_simclr_desc){ .temperature = 0.2f }; in C++ before 20: sslh_simclr_desc d = {}; d.temperature =
   0.2f; sslh_method_print and sslh_recipe_print tell what a run uses.

   4  CONTEXT, STEPS, TENSORS, THE TAPE

   A context owns everything made with it; there are no globals. Use one per thread of yours; contexts know nothing of each
   other, and an operation on tensors of two contexts is an error. Loaded data may be read by other contexts while its owner
   lives; sslh_clone_into(other, net) moves a copy of a net, the way to infer in several threads.

   Tensors are float, contiguous, row-major, up to 6 dimensions, channels last: images N,H,W,C, tokens N,T,D, audio N,T,C. Labels
   and tokens are 32-bit integers, images and masks 8-bit. The struct is open: read t->data[i], t->shape, t->count. Element-wise
   operations broadcast as NumPy does.

   Operations compute at once and are recorded unless sslh_no_grad is on or no input wants a gradient. sslh_backward(c, loss)
   walks the record backwards and adds into .grad of what wants one: parameters of nets, and tensors marked by
   sslh_requires_grad. Control flow is plain C. Derivatives are first order.

   A step begins with sslh_next_batch or sslh_begin_step: everything that operations made since the last one is given back.
   Without a loader, call sslh_begin_step in your loop or memory grows. Copy out what must survive (sslh_read, sslh_item,
   sslh_persist). sslh_push and sslh_pop nest a scope inside a step, for an evaluation in the middle of a training; the
   trainer's callback runs in one, so that a run has the same bits with and without it.

   After sslh_backward the inner results are gone; the loss, results of sslh_forward and tensors marked by sslh_keep stay
   readable until the next step. sslh_backward_keep keeps the record for a second pass.

   A net is an architecture with named parameters and buffers. Training or evaluation mode (sslh_train_mode: batch statistics,
   stochastic depth) is apart from sslh_no_grad (recording) and sslh_freeze (which parameters collect gradients). Inner results
   have names: sslh_forward_ex(net, x, (sslh_forward_desc){ .tap = "block2" }).

   5  ERRORS

   The first failure is kept in the context as a code and a sentence that names the function, the shapes and the reason:

       sslh_matmul: (4,8) x (9,3): inner sizes 8 and 9 differ

   From then on every call does nothing and returns a valid dummy (a tensor of one zero, an inert net), never NULL, so that one
   check at the end finds the first cause. sslh_clear_error forgets it; parameters and data are as they were. Nothing here
   aborts, exits, asserts or prints, except the trainer's progress line on stderr (.quiet, SSLH_WITH_STDIO 0). NaN or Inf in a loss
   or a gradient is an error that names the step and changes no parameter; .check_nan in sslh_desc looks after every operation and
   names the first that made one. Files are treated as hostile: every size is checked before it is believed.

   6  MEMORY

   All memory comes from .alloc and .release of sslh_desc (malloc and free by default), and every failure of theirs is an
   ordinary error. sslh_destroy frees all; sslh_mark and sslh_rewind free everything made in between (sweeps, k-fold loops).

   Steps have a heap of their own: activations from one end, gradients from the other. It grows while the first step shows what
   a step needs and is then used again and again: from the third step on nothing is allocated. Each net is one block
   (parameters | gradients | buffers), so that update, EMA, clipping and saving are single loops.

   7  RANDOMNESS

   Every random number is Philox 4x32-10 of (seed, stream, index). An augmentation depends on (seed, epoch, sample, view), the
   order of an epoch on (seed, epoch), initial values on (seed, number of the parameter): on nothing that happened before, and
   not on threads. Dropout, noise and sslh_uniform / sslh_normal take the context's next stream; it is saved in checkpoints.

   8  THREADS

   A context has a pool (as many threads as processors, .threads to change it, 1 for none). Work is split inside an operation,
   over output rows, never over the mini-batch: batch statistics and in-batch negatives are those of the whole batch. Workers
   spin for some microseconds between operations and then sleep. .parallel_for hands the work to a scheduler of yours: it must
   call fn(arg, task, worker) once for every task, with worker below .threads and no worker in two calls at once.

   9  WHAT IS DETERMINISTIC

   One seed gives bit-identical training
     - for any number of threads, and with any .parallel_for,
     - after resuming from a checkpoint at any step,
     - with any compiler and optimisation level, in C and in C++,
     - on every CPU with fused multiply-add: AVX2, AVX-512, NEON give one result;
     - with .portable_bits also on CPUs without it (SSE2, plain C, 32-bit, big-endian), where none is used (slower).
   An image has the same features alone and in a batch. How: contraction is off, FMA is written where it is meant; reductions
   have one shape (16 lanes and a fixed tree) in every instruction set; work is cut by size; exp, log, tanh, erf, sin, cos are our
   own. Outside the promise: SSLH_USE_CBLAS; compilers told to break arithmetic (-ffast-math is refused; clang's
   -ffp-contract=fast and -funsafe-math-optimizations and x87 arithmetic cannot be refused: sslh_bits_ok(c) computes a known hash
   and tells). Flush-to-zero that another library has set for the process is put aside while our code runs.

   10  THE METHODS

     method      paper                                     switch              function        pure loss          example
     rotation    Gidaris et al. 2018                       SSLH_WITH_ROTATION  sslh_rotation   sslh_cross_entropy rotation.c
     SimCLR      Chen et al. 2020                          SSLH_WITH_SIMCLR    sslh_simclr     sslh_nt_xent       simclr.c
     VAE         Kingma & Welling 2014                     SSLH_WITH_VAE       sslh_vae        sslh_gaussian_kl   vae.c
     MAE         He et al. 2021                            SSLH_WITH_MAE       sslh_mae        (sslh_mae)         mae.c

   Every method's section below (>>rotation, >>simclr, >>vae, >>mae) opens with authors, title, equations, defaults and known
   traps; the code refers to the equation numbers. Beside the loss each reports a second number that tells whether it works.

   11  WRITING YOUR OWN

   A method is a struct of callbacks (examples/custom_method.c is Barlow Twins in 30 lines):

       static void my_views(sslh_method *m, const sslh_batch *b, sslh_view_set *out) {
           sslh_view_add(out, "a", sslh_views(m->ctx, *b, SSLH_VIEWS_SIMCLR, 0));
           sslh_view_add(out, "b", sslh_views(m->ctx, *b, SSLH_VIEWS_SIMCLR, 1));
       }
       static sslh_tensor *my_loss(sslh_method *m, const sslh_view_set *v, int phase) {
           sslh_tensor *a = sslh_forward(m->encoder, sslh_view_get(v, "a")), *b = sslh_forward(m->encoder, sslh_view_get(v, "b"));
           return sslh_mse(m->ctx, a, sslh_detach(m->ctx, b));
       }
       sslh_method m = sslh_method_new(c, "mine", encoder, NULL, 0);
       m.views = my_views;
       m.loss = my_loss;
       sslh_train(c, m, data, (sslh_train_desc){ .epochs = 10 });

   Put further nets into m.net with sslh_child, further parameters and states with sslh_param_new and sslh_state_new on m.net: what
   is registered there is trained, saved and resumed. .phases above 1 runs several losses a step, each with its parameter groups
   (.groups); .after runs when the parameters have moved (momentum encoders, queues).

   An encoder is a callback over declared parameters (examples/by_hand.c):

       static sslh_tensor *forward(sslh_net *net, sslh_tensor *x, const void *self) {
           return sslh_linear(sslh_net_ctx(net), x, sslh_param(net, 0), sslh_param(net, 1));
       }
       sslh_net *net = sslh_net_new(c, (sslh_net_desc){ .name = "mine", .forward = forward, .width = 64 });
       sslh_param_new(net, "weight", sslh_dim2(64, 784), SSLH_INIT_KAIMING, 0);
       sslh_param_new(net, "bias", sslh_dim1(64), SSLH_INIT_ZERO, 0);

   An operation is a forward and a backward callback (sslh_custom_op); sslh_gradcheck tells whether they agree.

   12  BESIDE A TLS LIBRARY; C++; SEVERAL COPIES

   OpenSSL's headers define over a thousand SSL_ macros and libssl exports ssl_ symbols; nothing here uses either prefix, and a
   test includes <openssl/ssl.h> before and after this file and links libssl.a. NSS installs a header that is called ssl.h too:
   put this file into a folder of your project and include it by a quoted path ("vendor/ssl.h"). If you got the other one,
   SSLH_VERSION is not defined:

       #ifndef SSLH_VERSION
       #error "this is not the ssl.h for self-supervised learning: check the include path"
       #endif

   The SIMD part includes the file again under the name SSLH_FILE ("ssl.h", found beside itself) and checks that it got itself.

   The text is C99 and C++11 to 20. An implementation compiled as C serves C++ callers and the other way round. With
   SSLH_STATIC any number of private copies can live in one program.

   13  FILES

   In: IDX (plain and .gz), CIFAR-10 and CIFAR-100 binaries, PNG of every kind, PNM, NumPy .npy; folders of class folders; PNG
   sheets with an index.txt (>>data describes it). Out: PNG, .npy, safetensors. Weights and checkpoints are safetensors with
   PyTorch's names and axis order (torchvision for ResNets, timm for ViTs) and a CRC-32 per tensor; they are written to a temporary
   file in the same folder, synced and renamed, so that a crash leaves the old file or the new one.

   14  WHERE THINGS ARE (search for the tag)

     declarations     >>config >>api-context >>api-random >>api-tensor >>api-ops >>api-nets >>api-encoders >>api-optim
                      >>api-data >>api-views >>api-methods >>api-train >>api-eval >>api-pictures
     foundations      >>platform >>core >>core-impl >>random >>kernels >>tape
     operations       >>elementwise >>reductions >>products >>conv >>norms >>shapes >>sequences >>losses
     nets             >>nets >>encoders >>optim >>weights
     data             >>files >>data >>views
     methods          >>method (shared) >>rotation >>simclr >>vae >>mae
     around them      >>eval >>train >>pictures
     end              >>history >>licence

   Shape letters, the same in every comment: N batch, H W height and width, C channels, T tokens or time, D width of a vector, K classes
   or keys, P patches, O output and I input channels, Kh Kw kernel. A buffer's comment gives its shape in them. */
#ifndef SSLH_INCLUDE_SSL_H
#define SSLH_INCLUDE_SSL_H
/* ================================================================================================================== */
/*  >>config      version, switches, linkage                                                                           */
/* ================================================================================================================== */

#define SSLH_VERSION_MAJOR 0
#define SSLH_VERSION_MINOR 1
#define SSLH_VERSION_PATCH 0
#define SSLH_VERSION "0.1.0"

#include <stddef.h>
#include <stdint.h>

/* A switch that is defined but empty (`#define SSLH_WITH_SIMCLR`, `-DSSLH_WITH_SIMCLR=`) counts as 1: x + 0 is 0 only
   when x is empty, and 1-x-1 tells an empty x (1--1 = 2) from 0 (1-0-1 = 0). */
#define SSLH_I_EMPTY(x) (x + 0 == 0 && 1 - x - 1 == 2)

#ifdef SSLH_IMPLEMENTATION
/* nothing: the implementation follows at the end of the file */
#elif defined(SSL_IMPLEMENTATION)
#define SSLH_IMPLEMENTATION
#endif

#ifndef SSLH_WITH_ALL
#define SSLH_WITH_ALL 1
#elif SSLH_I_EMPTY(SSLH_WITH_ALL)
#undef SSLH_WITH_ALL
#define SSLH_WITH_ALL 1
#endif
#ifndef SSLH_WITH_ROTATION
#define SSLH_WITH_ROTATION SSLH_WITH_ALL
#elif SSLH_I_EMPTY(SSLH_WITH_ROTATION)
#undef SSLH_WITH_ROTATION
#define SSLH_WITH_ROTATION 1
#endif
#ifndef SSLH_WITH_SIMCLR
#define SSLH_WITH_SIMCLR SSLH_WITH_ALL
#elif SSLH_I_EMPTY(SSLH_WITH_SIMCLR)
#undef SSLH_WITH_SIMCLR
#define SSLH_WITH_SIMCLR 1
#endif
#ifndef SSLH_WITH_VAE
#define SSLH_WITH_VAE SSLH_WITH_ALL
#elif SSLH_I_EMPTY(SSLH_WITH_VAE)
#undef SSLH_WITH_VAE
#define SSLH_WITH_VAE 1
#endif
#ifndef SSLH_WITH_MAE
#define SSLH_WITH_MAE SSLH_WITH_ALL
#elif SSLH_I_EMPTY(SSLH_WITH_MAE)
#undef SSLH_WITH_MAE
#define SSLH_WITH_MAE 1
#endif

#ifndef SSLH_WITH_THREADS
#define SSLH_WITH_THREADS 1
#endif
#ifndef SSLH_WITH_SIMD
#define SSLH_WITH_SIMD 1
#endif
#ifndef SSLH_WITH_STDIO
#define SSLH_WITH_STDIO 1
#endif
#ifndef SSLH_USE_CBLAS
#define SSLH_USE_CBLAS 0
#endif

/* SSLH_REAL double builds the same text in double precision with the reference kernels: for gradient checks. The
   renamed entry point makes mixing the two in one program a link error. */
#ifdef SSLH_REAL
#define SSLH_I_DOUBLE 1
typedef SSLH_REAL sslh_real;
#define sslh_create sslh_create_double
#else
#define SSLH_I_DOUBLE 0
typedef float sslh_real;
#endif

#if defined(__GNUC__) || defined(__clang__)
#define SSLH_I_UNUSED __attribute__((unused))
#define SSLH_I_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define SSLH_I_UNUSED
#define SSLH_I_PRINTF(f, a)
#endif

#ifdef SSLH_STATIC
#define SSLH_API static SSLH_I_UNUSED
#else
#define SSLH_API extern
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ================================================================================================================== */
/*  >>api-context   context, errors, steps                                                                             */
/* ================================================================================================================== */

/* In a descriptor zero means "the documented default". SSLH_OFF means "really zero". */
#define SSLH_OFF (-1)

/* x, or SSLH_OFF when x is zero: for values that a program computes, where 0 must mean 0. */
SSLH_API float sslh_or_off(float x);

typedef struct sslh_ctx sslh_ctx;             /* owns everything made with it */
typedef struct sslh_net sslh_net;             /* an architecture with named parameters and buffers */
typedef struct sslh_optimizer sslh_optimizer; /* update rule and its state */
typedef struct sslh_loader sslh_loader;       /* shuffled mini-batches */

/* A task of a parallel loop; worker is below the number of threads and names a scratch area. */
typedef void (*sslh_task_fn)(void *arg, int task, int worker);

typedef struct sslh_desc {
    uint64_t    seed;          /* used as given, 0 included */
    int         threads;       /* 0: one per processor; 1: no pool */
    const char *cpu;           /* NULL: the best this CPU has; "c", "sse2", "avx2", "avx512", "neon" lower it (tests) */
    int         portable_bits; /* 1: no fused multiply-add, the same bits on CPUs without it too (slower) */
    int         check_nan;     /* 1: look for NaN and Inf after every operation and name the first that made one */
    size_t      max_bytes;     /* 0: no limit; otherwise allocations beyond this sum fail with SSLH_E_MEMORY */
    void *(*alloc)(void *user, size_t bytes); /* NULL: malloc and free; give both or none */
    void  (*release)(void *user, void *pointer);
    void  (*parallel_for)(void *user, int tasks, sslh_task_fn fn, void *arg); /* NULL: own pool of .threads */
    void   *user;              /* passed to the callbacks above */
} sslh_desc;

/* Makes a context. Never NULL: without memory it returns a constant dead context whose sslh_error says so and on which
   every function does nothing. One context per thread of the caller's; contexts are independent of each other. */
SSLH_API sslh_ctx *sslh_create(sslh_desc desc);
/* Frees the context and everything made with it. */
SSLH_API void sslh_destroy(sslh_ctx *c);

/* Everything made since sslh_mark (nets, data, optimisers, persistent tensors) is freed by sslh_rewind. */
SSLH_API int64_t sslh_mark(sslh_ctx *c);
SSLH_API void    sslh_rewind(sslh_ctx *c, int64_t mark);

typedef enum sslh_code {
    SSLH_OK = 0,
    SSLH_E_MEMORY, /* an allocation failed */
    SSLH_E_SHAPE,  /* shapes or types that do not fit the operation */
    SSLH_E_USAGE,  /* an argument or an order of calls that makes no sense */
    SSLH_E_FILE,   /* the system could not open, read or write a file */
    SSLH_E_FORMAT, /* a file's content is not what it should be */
    SSLH_E_NAN     /* NaN or Inf in a loss, a gradient or (check_nan) an operation */
} sslh_code;

/* The first failure since creation or sslh_clear_error, as one sentence; NULL when there is none. Until it is cleared
   every other call does nothing and returns a valid dummy, so that checking once at the end is enough. */
SSLH_API const char *sslh_error(const sslh_ctx *c);
SSLH_API sslh_code   sslh_error_code(const sslh_ctx *c);
/* Forgets the error and drops the tape; parameters, data and optimisers stay as they are. */
SSLH_API void sslh_clear_error(sslh_ctx *c);
/* Records a failure (only the first is kept): for the caller's own operations, methods and encoders. */
SSLH_API void sslh_fail(sslh_ctx *c, sslh_code code, const char *format, ...) SSLH_I_PRINTF(3, 4);

/* Starts a step: the tape and all tensors made by operations since the last start are given back. */
SSLH_API void sslh_begin_step(sslh_ctx *c);
/* A nested scope: sslh_pop gives back what was made since the matching sslh_push and restores the random stream, so that
   an evaluation in the middle of training leaves no trace. */
SSLH_API void sslh_push(sslh_ctx *c);
SSLH_API void sslh_pop(sslh_ctx *c);

/* sslh_no_grad(c, 1): operations record nothing until sslh_no_grad(c, 0). Calls nest. */
SSLH_API void sslh_no_grad(sslh_ctx *c, int on);

typedef struct sslh_info {
    const char *cpu;      /* the instruction set in use */
    int         threads;  /* threads that take part in a parallel loop, the caller's included */
    size_t      bytes;    /* bytes held now */
    size_t      peak;     /* most bytes held at one time */
    int64_t     allocs;   /* calls of the allocator so far */
    int64_t     steps;    /* calls of sslh_begin_step so far */
    uint64_t    seed;
} sslh_info;
SSLH_API sslh_info sslh_query(const sslh_ctx *c);
/* 1 when this build computes the bits that every build computes (see the manual: "What is deterministic"). */
SSLH_API int sslh_bits_ok(sslh_ctx *c);

/* Runs fn(arg, task, worker) for every task below tasks, on the context's threads. */
SSLH_API void sslh_parallel(sslh_ctx *c, int tasks, sslh_task_fn fn, void *arg);

/* What sslh_trace reports after each operation. */
typedef struct sslh_trace_event {
    const char *name;                       /* operation */
    int         inputs;                     /* number of inputs */
    const struct sslh_tensor *const *input; /* the inputs */
    const struct sslh_tensor *output;
    double      mean, std;                  /* of the output */
    double      ms;                         /* time since the operation before it */
    size_t      bytes;                      /* of the output */
} sslh_trace_event;
/* Calls back after every operation; NULL stops it. For looking, not for speed. */
SSLH_API void sslh_trace(sslh_ctx *c, void (*callback)(const sslh_trace_event *event, void *user), void *user);

/* ================================================================================================================== */
/*  >>api-random    counter-based random numbers                                                                       */
/* ================================================================================================================== */
/* Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011). A value is a function of
   (seed, stream, index): nothing depends on the order of calls or on threads. */

SSLH_API void     sslh_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
SSLH_API uint32_t sslh_random_u32(uint64_t seed, uint64_t stream, uint64_t index);
/* In [0, 1), a multiple of 2^-24. */
SSLH_API float sslh_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);
/* Standard normal (Box-Muller on two uniforms of the same counter, own log, sqrt, cos). */
SSLH_API float sslh_random_normal(uint64_t seed, uint64_t stream, uint64_t index);
/* In 0 .. n-1, unbiased to 2^-32 (multiply-shift). */
SSLH_API uint32_t sslh_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint32_t n);
/* A permutation of 0 .. n-1 (Fisher-Yates). */
SSLH_API void sslh_random_permutation(uint64_t seed, uint64_t stream, int32_t *out, int32_t n);
/* A new stream number of this context; each call gives the next. Operations that draw (dropout, noise) use it. */
SSLH_API uint64_t sslh_next_stream(sslh_ctx *c);

/* ================================================================================================================== */
/*  >>api-tensor    tensors and the tape                                                                               */
/* ================================================================================================================== */
/* Row-major, contiguous, up to 6 dimensions, channels last. Shape letters used everywhere in this file:
     N batch   H W height, width   C channels   T tokens or time   D width of a vector   K classes or keys   P patches
     O output channels   I input channels   B batch of matrices   M x K times K x N matrices in matmul                    */

typedef enum sslh_type { SSLH_F32 = 0, SSLH_I32, SSLH_U8 } sslh_type; /* F32 is double under SSLH_REAL double */

#define SSLH_MAX_DIMS 6

typedef struct sslh_shape { int ndim; int size[SSLH_MAX_DIMS]; } sslh_shape;
SSLH_API sslh_shape sslh_dim0(void); /* a scalar */
SSLH_API sslh_shape sslh_dim1(int a);
SSLH_API sslh_shape sslh_dim2(int a, int b);
SSLH_API sslh_shape sslh_dim3(int a, int b, int c);
SSLH_API sslh_shape sslh_dim4(int a, int b, int c, int d);
SSLH_API sslh_shape sslh_dim5(int a, int b, int c, int d, int e);
SSLH_API sslh_shape sslh_dim6(int a, int b, int c, int d, int e, int f);

/* Open, to be read only. A tensor made by an operation lives until the next step begins; parameters and persistent
   tensors live as long as their net or context. Exactly one of data, ints, bytes is set. */
typedef struct sslh_tensor {
    sslh_real *data;                  /* SSLH_F32 */
    int32_t   *ints;                  /* SSLH_I32: labels, tokens, indices */
    uint8_t   *bytes;                 /* SSLH_U8: images, masks */
    sslh_real *grad;                  /* same shape; NULL until a backward pass reaches it */
    sslh_type  type;
    int        ndim;
    int        shape[SSLH_MAX_DIMS];
    size_t     count;                 /* number of elements */
    sslh_ctx  *ctx;
    void      *owner;                 /* private */
    unsigned   flags;                 /* private */
    unsigned   group;                 /* private: bit of the parameter group, 0 for other tensors */
} sslh_tensor;

SSLH_API sslh_tensor *sslh_zeros(sslh_ctx *c, sslh_shape shape);
SSLH_API sslh_tensor *sslh_full(sslh_ctx *c, sslh_shape shape, float value);
SSLH_API sslh_tensor *sslh_scalar(sslh_ctx *c, float value);
/* Copies count(shape) values from the caller's array. */
SSLH_API sslh_tensor *sslh_from(sslh_ctx *c, sslh_shape shape, const float *values);
SSLH_API sslh_tensor *sslh_from_ints(sslh_ctx *c, sslh_shape shape, const int32_t *values);
SSLH_API sslh_tensor *sslh_from_bytes(sslh_ctx *c, sslh_shape shape, const uint8_t *values);
/* Random tensors from the context's next stream. */
SSLH_API sslh_tensor *sslh_uniform(sslh_ctx *c, sslh_shape shape, float low, float high);
SSLH_API sslh_tensor *sslh_normal(sslh_ctx *c, sslh_shape shape, float mean, float std);
/* Marks a tensor that no operation made as one that wants a gradient; returns it. */
SSLH_API sslh_tensor *sslh_requires_grad(sslh_tensor *t);
/* Keeps a tensor's values and gradient readable after sslh_backward, until the next step; returns it. */
SSLH_API sslh_tensor *sslh_keep(sslh_tensor *t);
/* A copy that lives until sslh_rewind or sslh_destroy. */
SSLH_API sslh_tensor *sslh_persist(sslh_tensor *t);

/* Value of a tensor with one element (0 after an error). */
SSLH_API float sslh_item(const sslh_tensor *t);
/* Copy all values out or in; count must be the tensor's count. Integer tensors are converted. */
SSLH_API void sslh_read(const sslh_tensor *t, float *out, size_t count);
SSLH_API void sslh_write(sslh_tensor *t, const float *values, size_t count);
SSLH_API sslh_shape sslh_shape_of(const sslh_tensor *t);

/* Walks the tape backwards from a scalar, adds to the gradients of everything that wants one, and gives back what the
   operations had saved. NaN or Inf in the loss is an error (SSLH_E_NAN) and changes nothing. */
SSLH_API void sslh_backward(sslh_ctx *c, sslh_tensor *loss);
/* The same but keeps the tape for a second backward pass. */
SSLH_API void sslh_backward_keep(sslh_ctx *c, sslh_tensor *loss);
/* The same values without history: the papers' stop-gradient. Shares memory. */
SSLH_API sslh_tensor *sslh_detach(sslh_ctx *c, sslh_tensor *x);

/* Operation of the caller's own. forward fills out->data; backward reads out->grad and calls sslh_grad(c, in[i]) for
   each input: NULL when that input wants no gradient, otherwise an array of in[i]->count to ADD to. */
typedef struct sslh_op_desc {
    const char *name;
    void (*forward)(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user);
    void (*backward)(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user);
    void *user; /* must stay valid until the backward pass */
} sslh_op_desc;
SSLH_API sslh_tensor *sslh_custom_op(sslh_ctx *c, sslh_op_desc op, sslh_tensor **in, int n, sslh_shape out);
SSLH_API sslh_real   *sslh_grad(sslh_ctx *c, sslh_tensor *t);

/* Compares the gradients of a function with central differences. function builds a scalar from in[0..n-1]; every
   in[i] wants a gradient. Returns the largest relative error, |analytic - numeric| / max(|a|, |n|, floor). */
typedef struct sslh_gradcheck_desc {
    float step;      /* default 1e-2 in float, 1e-5 in double */
    float floor;     /* denominator never below this; default 1e-1 in float, 1e-3 in double */
    float tolerance; /* above it sslh_fail is called; default 2e-2 in float, 1e-6 in double */
    int   max_checks;/* elements tried per input, spread evenly; default 200 */
    char *report;    /* receives the worst element as text when not NULL */
    size_t report_size;
} sslh_gradcheck_desc;
typedef sslh_tensor *(*sslh_function)(sslh_ctx *c, sslh_tensor **in, int n, void *user);
SSLH_API double sslh_gradcheck(sslh_ctx *c, sslh_function function, sslh_tensor **in, int n, void *user,
                               sslh_gradcheck_desc desc);

/* ================================================================================================================== */
/*  >>api-ops       operations                                                                                         */
/* ================================================================================================================== */

/* --- element-wise; a and b broadcast as in NumPy --- */
SSLH_API sslh_tensor *sslh_add(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b);
SSLH_API sslh_tensor *sslh_sub(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b);
SSLH_API sslh_tensor *sslh_mul(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b);
SSLH_API sslh_tensor *sslh_div(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b);
SSLH_API sslh_tensor *sslh_minimum(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b); /* a tie sends half to each */
SSLH_API sslh_tensor *sslh_maximum(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b);
/* condition != 0 ? a : b, all three broadcast; no gradient to the condition (any type). */
SSLH_API sslh_tensor *sslh_where(sslh_ctx *c, sslh_tensor *condition, sslh_tensor *a, sslh_tensor *b);
/* 1 where a > b, otherwise 0; no gradient. */
SSLH_API sslh_tensor *sslh_greater(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b);
SSLH_API sslh_tensor *sslh_scale(sslh_ctx *c, sslh_tensor *x, float factor); /* x * factor */
SSLH_API sslh_tensor *sslh_shift(sslh_ctx *c, sslh_tensor *x, float addend); /* x + addend */
SSLH_API sslh_tensor *sslh_neg(sslh_ctx *c, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_exp(sslh_ctx *c, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_log(sslh_ctx *c, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_sqrt(sslh_ctx *c, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_square(sslh_ctx *c, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_abs(sslh_ctx *c, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_pow(sslh_ctx *c, sslh_tensor *x, float exponent);
SSLH_API sslh_tensor *sslh_clamp(sslh_ctx *c, sslh_tensor *x, float low, float high);
SSLH_API sslh_tensor *sslh_relu(sslh_ctx *c, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_leaky_relu(sslh_ctx *c, sslh_tensor *x, float slope);
SSLH_API sslh_tensor *sslh_elu(sslh_ctx *c, sslh_tensor *x, float alpha);
SSLH_API sslh_tensor *sslh_gelu(sslh_ctx *c, sslh_tensor *x);      /* x Phi(x), exact: erf */
SSLH_API sslh_tensor *sslh_gelu_tanh(sslh_ctx *c, sslh_tensor *x); /* the tanh approximation */
SSLH_API sslh_tensor *sslh_silu(sslh_ctx *c, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_sigmoid(sslh_ctx *c, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_tanh(sslh_ctx *c, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_softplus(sslh_ctx *c, sslh_tensor *x);

/* Activations that other operations can apply in the same pass. */
typedef enum sslh_activation {
    SSLH_LINEAR = 0, SSLH_RELU, SSLH_GELU, SSLH_GELU_TANH, SSLH_SILU, SSLH_SIGMOID, SSLH_TANH
} sslh_activation;
SSLH_API sslh_tensor *sslh_activate(sslh_ctx *c, sslh_tensor *x, sslh_activation activation);

/* --- reductions over any set of axes: SSLH_AXIS(1) | SSLH_AXIS(-1), SSLH_ALL. keep: reduced axes stay as size 1 --- */
#define SSLH_AXIS(i) ((i) >= 0 ? 1 << (i) : 1 << (15 - (i)))
#define SSLH_ALL 0x3f
SSLH_API sslh_tensor *sslh_sum(sslh_ctx *c, sslh_tensor *x, int axes, int keep);
SSLH_API sslh_tensor *sslh_mean(sslh_ctx *c, sslh_tensor *x, int axes, int keep);
/* sum (x - mean)^2 / (n - correction): correction 0 is the biased, 1 the unbiased estimate. */
SSLH_API sslh_tensor *sslh_variance(sslh_ctx *c, sslh_tensor *x, int axes, int keep, int correction);
SSLH_API sslh_tensor *sslh_max(sslh_ctx *c, sslh_tensor *x, int axes, int keep); /* first maximum gets the gradient */
SSLH_API sslh_tensor *sslh_logsumexp(sslh_ctx *c, sslh_tensor *x, int axes, int keep);
SSLH_API sslh_tensor *sslh_argmax(sslh_ctx *c, sslh_tensor *x, int axis); /* I32, axis removed, first maximum */
SSLH_API sslh_tensor *sslh_softmax(sslh_ctx *c, sslh_tensor *x, int axis);
SSLH_API sslh_tensor *sslh_log_softmax(sslh_ctx *c, sslh_tensor *x, int axis);

/* --- products --- */
/* (..,M,K) x (..,K,N) -> (..,M,N); leading axes are equal or absent in one operand. */
SSLH_API sslh_tensor *sslh_matmul(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b);
/* The same with a and / or b transposed in their last two axes. */
SSLH_API sslh_tensor *sslh_matmul_ex(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b, int transpose_a, int transpose_b);
/* x (..,I) weight (O,I) bias (O) or NULL -> activation(x weight' + bias) (..,O) */
SSLH_API sslh_tensor *sslh_linear(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias);
SSLH_API sslh_tensor *sslh_linear_ex(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias,
                                     sslh_activation activation);

typedef struct sslh_conv_desc {
    int stride, stride_w;     /* default 1; _w defaults to the other */
    int pad, pad_w;           /* zeros on both sides; default 0; pad_w = SSLH_OFF: none */
    int dilation, dilation_w; /* default 1 */
    int groups;               /* default 1; I groups = depthwise */
    int output_pad;           /* transposed only: rows and columns added at the end */
    sslh_activation activation;
} sslh_conv_desc;
/* x (N,H,W,I) weight (O,Kh,Kw,I/groups) bias (O) or NULL -> (N,H',W',O), H' = (H + 2 pad - dilation (Kh-1) - 1)/stride + 1 */
SSLH_API sslh_tensor *sslh_conv2d(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias,
                                  sslh_conv_desc desc);
/* x (N,T,I) weight (O,K,I/groups) bias (O) or NULL -> (N,T',O) */
SSLH_API sslh_tensor *sslh_conv1d(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias,
                                  sslh_conv_desc desc);
/* The gradient of sslh_conv2d with respect to its input, as an operation: x (N,H,W,I), weight (I,Kh,Kw,O/groups) as the
   convolution O -> I that it transposes -> (N,H',W',O), H' = (H-1) stride - 2 pad + dilation (Kh-1) + output_pad + 1 */
SSLH_API sslh_tensor *sslh_conv2d_transpose(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias,
                                            sslh_conv_desc desc);
SSLH_API sslh_tensor *sslh_conv1d_transpose(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias,
                                            sslh_conv_desc desc);

/* --- pooling and resizing of N,H,W,C --- */
SSLH_API sslh_tensor *sslh_max_pool2d(sslh_ctx *c, sslh_tensor *x, int kernel, int stride, int pad);
SSLH_API sslh_tensor *sslh_avg_pool2d(sslh_ctx *c, sslh_tensor *x, int kernel, int stride, int pad); /* counts padding */
SSLH_API sslh_tensor *sslh_global_avg_pool(sslh_ctx *c, sslh_tensor *x); /* N,..,C -> N,C */
SSLH_API sslh_tensor *sslh_global_max_pool(sslh_ctx *c, sslh_tensor *x); /* N,..,C -> N,C */
SSLH_API sslh_tensor *sslh_resize_nearest(sslh_ctx *c, sslh_tensor *x, int height, int width);
SSLH_API sslh_tensor *sslh_resize_bilinear(sslh_ctx *c, sslh_tensor *x, int height, int width); /* half-pixel centres */

/* --- normalisation --- */
typedef struct sslh_batch_norm_desc {
    int   training;       /* 1: statistics of this batch, running ones updated; 0: running statistics */
    float momentum;       /* of the running statistics; default 0.1 */
    float eps;            /* default 1e-5 */
    int   virtual_groups; /* split the batch into this many groups with statistics of their own (SplitBN); default 1 */
    sslh_activation activation; /* SSLH_LINEAR or SSLH_RELU, after the residual */
} sslh_batch_norm_desc;
/* x (..,C); gamma, beta (C) or NULL; running_mean, running_var (C) or NULL; residual same shape as x or NULL:
   y = activation(gamma (x - mean) / sqrt(var + eps) + beta + residual)          (Ioffe & Szegedy 2015, alg. 1)
   Normalises with the biased variance, keeps the unbiased one in running_var. */
SSLH_API sslh_tensor *sslh_batch_norm(sslh_ctx *c, sslh_tensor *x, sslh_tensor *gamma, sslh_tensor *beta,
                                      sslh_tensor *running_mean, sslh_tensor *running_var, sslh_tensor *residual,
                                      sslh_batch_norm_desc desc);
/* Over the last axis; gamma, beta (D) or NULL. Ba et al. 2016. eps default 1e-5 when 0. */
SSLH_API sslh_tensor *sslh_layer_norm(sslh_ctx *c, sslh_tensor *x, sslh_tensor *gamma, sslh_tensor *beta, float eps);
/* x (N,..,C), groups divides C; gamma, beta (C) or NULL. Wu & He 2018. */
SSLH_API sslh_tensor *sslh_group_norm(sslh_ctx *c, sslh_tensor *x, sslh_tensor *gamma, sslh_tensor *beta, int groups,
                                      float eps);
/* x / max(|x|, eps) over the last axis; eps default 1e-12. */
SSLH_API sslh_tensor *sslh_l2_normalize(sslh_ctx *c, sslh_tensor *x, float eps);
/* Each value is zeroed with probability p, the others divided by 1-p. Always active: call it in training only. */
SSLH_API sslh_tensor *sslh_dropout(sslh_ctx *c, sslh_tensor *x, float p);
/* The same for whole samples (rows of the first axis): stochastic depth, Huang et al. 2016. */
SSLH_API sslh_tensor *sslh_drop_path(sslh_ctx *c, sslh_tensor *x, float p);

/* --- shape --- */
SSLH_API sslh_tensor *sslh_reshape(sslh_ctx *c, sslh_tensor *x, sslh_shape shape); /* one size may be -1; shares memory */
SSLH_API sslh_tensor *sslh_permute(sslh_ctx *c, sslh_tensor *x, const int *order); /* out axis i is x axis order[i] */
SSLH_API sslh_tensor *sslh_transpose(sslh_ctx *c, sslh_tensor *x, int axis_a, int axis_b);
SSLH_API sslh_tensor *sslh_concat(sslh_ctx *c, sslh_tensor *const *x, int n, int axis);
SSLH_API sslh_tensor *sslh_slice(sslh_ctx *c, sslh_tensor *x, int axis, int begin, int end);
SSLH_API sslh_tensor *sslh_pad(sslh_ctx *c, sslh_tensor *x, int axis, int before, int after, float value);
SSLH_API sslh_tensor *sslh_broadcast(sslh_ctx *c, sslh_tensor *x, sslh_shape shape);
/* Rows of table (K,D) by index (any shape, I32) -> index shape + D. An index outside 0..K-1 is an error. */
SSLH_API sslh_tensor *sslh_embedding(sslh_ctx *c, sslh_tensor *table, sslh_tensor *index);
/* x (N,T,..), index (N,J) I32 -> (N,J,..): row index[n][j] of sample n, e.g. the kept tokens of each image. */
SSLH_API sslh_tensor *sslh_gather(sslh_ctx *c, sslh_tensor *x, sslh_tensor *index);
/* SSLH_U8 or SSLH_I32 to real, times scale; no gradient. */
SSLH_API sslh_tensor *sslh_to_real(sslh_ctx *c, sslh_tensor *x, float scale);

/* --- sequences --- */
typedef struct sslh_attention_desc {
    int          heads;    /* default 1; must divide D */
    int          causal;   /* 1: token t sees tokens up to t */
    float        scale;    /* default 1/sqrt(D/heads) */
    sslh_tensor *key_mask; /* (N,Tk) SSLH_U8, 1 = padding, not attended to; NULL: none */
    sslh_tensor **weights; /* receives the softmax weights (N,heads,Tq,Tk), no gradient; NULL: not kept */
} sslh_attention_desc;
/* softmax(q k' scale) v per head: q (N,Tq,D), k, v (N,Tk,D) -> (N,Tq,D). Vaswani et al. 2017, eq. 1. */
SSLH_API sslh_tensor *sslh_attention(sslh_ctx *c, sslh_tensor *q, sslh_tensor *k, sslh_tensor *v,
                                     sslh_attention_desc desc);
/* The same from one tensor (N,T,3D) that holds q, k, v side by side (timm's qkv order). */
SSLH_API sslh_tensor *sslh_self_attention(sslh_ctx *c, sslh_tensor *qkv, sslh_attention_desc desc);
/* Gated recurrent unit over x (N,T,I): w_ih (3D,I), w_hh (3D,D), b_ih, b_hh (3D), rows r,z,n; h0 (N,D) or NULL
   -> all states (N,T,D). Cho et al. 2014; PyTorch's variant, n = tanh(W x + b + r (U h + c)). */
SSLH_API sslh_tensor *sslh_gru(sslh_ctx *c, sslh_tensor *x, sslh_tensor *w_ih, sslh_tensor *w_hh, sslh_tensor *b_ih,
                               sslh_tensor *b_hh, sslh_tensor *h0);

/* --- losses: each returns one number, the mean --- */
/* logits (..,K), labels (..) I32. */
SSLH_API sslh_tensor *sslh_cross_entropy(sslh_ctx *c, sslh_tensor *logits, sslh_tensor *labels);
/* smoothing in [0,1) mixes the target with the uniform distribution; entries with label == ignore count for nothing. */
SSLH_API sslh_tensor *sslh_cross_entropy_ex(sslh_ctx *c, sslh_tensor *logits, sslh_tensor *labels, float smoothing,
                                            int ignore);
/* targets (..,K): a distribution per row; gradient to both. */
SSLH_API sslh_tensor *sslh_cross_entropy_soft(sslh_ctx *c, sslh_tensor *logits, sslh_tensor *targets);
SSLH_API sslh_tensor *sslh_bce_with_logits(sslh_ctx *c, sslh_tensor *logits, sslh_tensor *targets); /* targets: no gradient */
SSLH_API sslh_tensor *sslh_mse(sslh_ctx *c, sslh_tensor *x, sslh_tensor *target);
SSLH_API sslh_tensor *sslh_l1(sslh_ctx *c, sslh_tensor *x, sslh_tensor *target);
SSLH_API sslh_tensor *sslh_huber(sslh_ctx *c, sslh_tensor *x, sslh_tensor *target, float delta);
/* sum over the last axis of target (log target - log_prob), mean over rows; 0 log 0 = 0; target: no gradient. */
SSLH_API sslh_tensor *sslh_kl_div(sslh_ctx *c, sslh_tensor *log_prob, sslh_tensor *target);
/* NT-Xent (Chen et al. 2020, eq. 1): z0, z1 (N,D), rows are normalised inside. */
SSLH_API sslh_tensor *sslh_nt_xent(sslh_ctx *c, sslh_tensor *z0, sslh_tensor *z1, float temperature);
/* InfoNCE (van den Oord et al. 2018, eq. 4): q, k (N,D); k[i] is the positive of q[i]. negatives (K,D): the logits are
   [q.k, q.negatives']; NULL: the other rows of k are the negatives. Rows are not normalised here. */
SSLH_API sslh_tensor *sslh_info_nce(sslh_ctx *c, sslh_tensor *q, sslh_tensor *k, sslh_tensor *negatives,
                                    float temperature);

/* ================================================================================================================== */
/*  >>api-nets      nets, named parameters, layers                                                                     */
/* ================================================================================================================== */

typedef enum sslh_kind { SSLH_VECTOR = 0, SSLH_MAP, SSLH_TOKENS } sslh_kind; /* (N,D), (N,H,W,C), (N,T,D) */

/* How a net computes: fetches its parameters with sslh_param(net, i). self is constant configuration, copied when the
   net is made and shared by clones. */
typedef sslh_tensor *(*sslh_forward_fn)(sslh_net *net, sslh_tensor *x, const void *self);

typedef struct sslh_net_desc {
    const char     *name;      /* for messages and files; default "net" */
    sslh_forward_fn forward;   /* NULL: a container for children and states (methods use one) */
    const void     *self;      /* self_size bytes, copied */
    size_t          self_size;
    sslh_kind       kind;      /* of the output */
    int             width;     /* D or C of the output */
    int             channels;  /* of the input; 0: any */
    int             image;     /* height and width of the input if the net insists on them; 0: any */
} sslh_net_desc;

/* A net is made by declaring its parameters, then used. Its parameters, gradients and buffers are one block of memory,
   laid out at the first use; declaring after that is an error. */
SSLH_API sslh_net *sslh_net_new(sslh_ctx *c, sslh_net_desc desc);

typedef enum sslh_init {
    SSLH_INIT_ZERO = 0, SSLH_INIT_ONE,
    SSLH_INIT_CONSTANT,       /* scale */
    SSLH_INIT_NORMAL,         /* std = scale (default 1) */
    SSLH_INIT_TRUNC_NORMAL,   /* std = scale (default 0.02), cut at two std */
    SSLH_INIT_UNIFORM,        /* in +-scale (default 1) */
    SSLH_INIT_KAIMING,        /* normal, std = sqrt(2 / fan_in): He et al. 2015 */
    SSLH_INIT_KAIMING_OUT,    /* normal, std = sqrt(2 / fan_out) */
    SSLH_INIT_XAVIER,         /* uniform, +-scale sqrt(6 / (fan_in + fan_out)): Glorot & Bengio 2010 */
    SSLH_INIT_FAN_IN,         /* uniform, +-1/sqrt(fan_in): PyTorch's default for linear and conv layers */
    SSLH_INIT_POSITIONS       /* (1,1+G*G,D), scale = G: 2-D sine-cosine positions of a grid, row 0 zero (He et al. 2021) */
} sslh_init;

/* Declares a parameter and returns its index. shape (O,..,I): fan_in is the product of all sizes but the first, fan_out O
   times the product of the sizes between O and I (the kernel's area). scale multiplies (0 means 1, or the default above).
   Vectors get no weight decay unless sslh_param_set says so. Parameters and states share one numbering. */
SSLH_API int sslh_param_new(sslh_net *net, const char *name, sslh_shape shape, sslh_init init, float scale);
/* Declares a state: saved in checkpoints and moved by clones, not trained. Starts at zero (fill it after). */
SSLH_API int sslh_state_new(sslh_net *net, const char *name, sslh_type type, sslh_shape shape);
/* Puts a net inside this one: saved, cloned and counted with it, its names prefixed "name.". Returns child. */
SSLH_API sslh_net *sslh_child(sslh_net *net, const char *name, sslh_net *child);
/* The i-th child, in the order of sslh_child: what a forward callback over several nets must use, because its clones have
   children of their own. */
SSLH_API sslh_net *sslh_child_at(sslh_net *net, int i);

SSLH_API sslh_tensor *sslh_param(sslh_net *net, int index);
SSLH_API sslh_tensor *sslh_state(sslh_net *net, int index);
/* By full name ("layer1.0.conv1.weight"), parameters and states, children included; NULL when there is none. */
SSLH_API sslh_tensor *sslh_find(sslh_net *net, const char *name);
/* Number of parameters and states, children included, and the i-th in order of declaration (name may be NULL). */
SSLH_API int          sslh_count_tensors(sslh_net *net);
SSLH_API sslh_tensor *sslh_tensor_at(sslh_net *net, int i, char *name, size_t name_size, int *is_param);

typedef struct sslh_param_opts {
    int   group;       /* 0..15, default 0 */
    float lr_scale;    /* multiplies the learning rate; default 1 */
    float decay_scale; /* multiplies the weight decay; default 1 for matrices, 0 (SSLH_OFF) for vectors */
} sslh_param_opts;
SSLH_API void sslh_param_set(sslh_net *net, int index, sslh_param_opts opts);
/* Applies opts to every parameter, children included, whose full name contains pattern ("" = all). */
SSLH_API void sslh_param_set_matching(sslh_net *net, const char *pattern, sslh_param_opts opts);

typedef struct sslh_net_info {
    const char *name;
    sslh_kind   kind;
    int         width, channels, image;
    int64_t     params;  /* trained values, children included */
    int64_t     states;  /* values of buffers, children included */
    int         training, frozen;
} sslh_net_info;
SSLH_API sslh_net_info sslh_net_query(sslh_net *net);
SSLH_API sslh_ctx     *sslh_net_ctx(sslh_net *net);

/* Training mode (batch statistics, dropout) or evaluation mode; children included. Nets start in training mode. */
SSLH_API void sslh_train_mode(sslh_net *net, int training);
SSLH_API int  sslh_is_training(const sslh_net *net);
/* Frozen parameters collect no gradient and are not updated; running statistics still move (use sslh_train_mode). */
SSLH_API void sslh_freeze(sslh_net *net, int frozen);

/* Runs the net. Under sslh_no_grad everything but the result is given back at once. */
SSLH_API sslh_tensor *sslh_forward(sslh_net *net, sslh_tensor *x);

typedef struct sslh_forward_desc {
    const char  *tap;    /* name of an inner result ("block1", "layer3", "tokens"); NULL: the output */
    sslh_tensor *keep;   /* (N,J) I32: tokens that a transformer keeps (MAE); NULL: all */
    sslh_tensor *mask;   /* (N,T) U8: tokens replaced by the mask token or not attended to; NULL: none */
    float        drop_path; /* stochastic depth rate at the deepest block, in training mode */
} sslh_forward_desc;
SSLH_API sslh_tensor *sslh_forward_ex(sslh_net *net, sslh_tensor *x, sslh_forward_desc desc);
/* Inside a forward callback: the description of this call. */
SSLH_API const sslh_forward_desc *sslh_call(const sslh_net *net);
/* Inside a forward callback: offers x as the inner result called name; returns 1 when the caller asked for it, and then
   the callback may return x at once. */
SSLH_API int sslh_tap(sslh_net *net, const char *name, const sslh_tensor *x);

/* A deep copy with the same values (children included): a momentum encoder, a snapshot. */
SSLH_API sslh_net *sslh_clone(sslh_net *net);
SSLH_API sslh_net *sslh_clone_into(sslh_ctx *c, sslh_net *net);
/* target = m target + (1-m) source, parameters only; buffers of the target stay its own. */
SSLH_API void sslh_ema_update(sslh_net *target, sslh_net *source, float m);
/* Copies parameters and states of source, which has the same architecture. */
SSLH_API void sslh_copy_values(sslh_net *target, sslh_net *source);
SSLH_API void sslh_zero_grad(sslh_net *net);
/* Scales all gradients so that their common norm is at most max_norm; returns the norm before. */
SSLH_API float sslh_clip_grad(sslh_net *net, float max_norm);
/* A table of operations, output shapes, parameters and multiply-adds for one input of shape (1, ..), as text. */
SSLH_API size_t sslh_summary(sslh_net *net, sslh_shape input, char *out, size_t size);

/* Layers for nets of the caller's own: _new declares the parameters and returns the index of the first; the function
   without it applies them. no_bias: 1 leaves the bias out (pass the same value to both). */
SSLH_API int sslh_layer_linear_new(sslh_net *net, const char *name, int in, int out, int no_bias);
SSLH_API sslh_tensor *sslh_layer_linear(sslh_net *net, int index, sslh_tensor *x, int no_bias, sslh_activation activation);
SSLH_API int sslh_layer_conv_new(sslh_net *net, const char *name, int in, int out, int kernel, int groups, int no_bias);
SSLH_API sslh_tensor *sslh_layer_conv(sslh_net *net, int index, sslh_tensor *x, int no_bias, sslh_conv_desc desc);
/* gamma, beta, running_mean, running_var, num_batches_tracked. no_affine: 1 leaves gamma and beta out; 2 only beta. */
SSLH_API int sslh_layer_batch_norm_new(sslh_net *net, const char *name, int width, int no_affine);
SSLH_API sslh_tensor *sslh_layer_batch_norm(sslh_net *net, int index, sslh_tensor *x, sslh_tensor *residual, int no_affine,
                                            sslh_activation activation);
SSLH_API int sslh_layer_layer_norm_new(sslh_net *net, const char *name, int width);
SSLH_API sslh_tensor *sslh_layer_layer_norm(sslh_net *net, int index, sslh_tensor *x, float eps);

/* >>api-encoders --- encoders ready to use --- */

typedef struct sslh_mlp_desc {
    int in;                /* values per sample: H W C of an image; required */
    int widths[8];         /* output width of each layer, ended by 0; default 256, 256 */
    sslh_activation activation; /* between layers; default SSLH_RELU (SSLH_LINEAR, 0, means the default) */
    int batch_norm;        /* 1: after each hidden layer */
    int last_batch_norm;   /* 1: also after the last layer; 2: without shift; 3: without scale and shift */
    int last_activation;   /* 1: activation after the last layer too (an encoder); 0: none (a head) */
    int last_no_bias;
} sslh_mlp_desc;
/* A flat encoder or a head; x (N,..) is flattened. Taps: layer1, layer2, .. */
SSLH_API sslh_net *sslh_mlp(sslh_ctx *c, sslh_mlp_desc desc);

typedef struct sslh_convnet_desc {
    int channels;   /* of the input; default 3 */
    int widths[8];  /* of the blocks, ended by 0; default 32, 64, 128, 256 */
    int map_output; /* 1: (N,H,W,C) instead of the global average (N,C) */
} sslh_convnet_desc;
/* Blocks of 3x3 convolution with stride 2, batch norm, ReLU; global average pool. Taps: block1 .. */
SSLH_API sslh_net *sslh_convnet(sslh_ctx *c, sslh_convnet_desc desc);

typedef struct sslh_resnet_desc {
    int channels;      /* default 3 */
    int depth;         /* 18 or 34; default 18 */
    int imagenet_stem; /* 1: 7x7/2 and max-pool; 0: 3x3/1 for small images (SimCLR's CIFAR version) */
    int width;         /* of the first stage; default 64 */
    int map_output;
} sslh_resnet_desc;
/* He et al. 2016, basic blocks; names as in torchvision. Taps: stem, layer1 .. layer4. */
SSLH_API sslh_net *sslh_resnet(sslh_ctx *c, sslh_resnet_desc desc);

typedef struct sslh_nin_desc {
    int channels;   /* default 3 */
    int blocks;     /* 3, 4 or 5; default 4 */
    int divide;     /* widths 192/160/96/192 divided by this; default 1 */
    int map_output;
} sslh_nin_desc;
/* Network in network as RotNet uses it (Gidaris et al. 2018). Taps: block1 .. */
SSLH_API sslh_net *sslh_nin(sslh_ctx *c, sslh_nin_desc desc);

typedef struct sslh_vit_desc {
    int image;       /* side in pixels; default 32 */
    int channels;    /* default 3 */
    int patch;       /* side in pixels, divides image; default 4 */
    int width;       /* D, default 192 */
    int depth;       /* blocks, default 12 */
    int heads;       /* default 3 */
    int mlp;         /* hidden width of the MLP; default 4 D */
    int fixed_positions; /* 1: 2-D sine-cosine positions that are not trained (MAE) */
    int token_output;    /* 1: (N,1+P,D); 0: (N,D) by .pool */
    int mean_pool;       /* vector output: 1 mean of the patch tokens, 0 the class token */
} sslh_vit_desc;
/* Dosovitskiy et al. 2021, pre-norm, exact GELU, layer norm eps 1e-6; names as in timm. Taps: block1 .., tokens.
   sslh_forward_desc.keep drops all other patch tokens before the first block. */
SSLH_API sslh_net *sslh_vit(sslh_ctx *c, sslh_vit_desc desc);

/* --- files: weights --- */
typedef struct sslh_load_desc {
    const char *strip_prefix; /* removed from the names in the file, e.g. "module.encoder_q." */
    int   partial;            /* 1: missing and unexpected names are not errors */
    int   optional;           /* 1: a missing file is not an error */
    char *report;             /* receives matched / missing / unexpected / wrong shape as text */
    size_t report_size;
} sslh_load_desc;
/* safetensors (see the manual): parameters and states with PyTorch's names and axis order, a CRC-32 per tensor, the
   architecture and the preprocessing as metadata. Written to a temporary file and renamed. A parameter of three or more
   sizes whose name ends with "weight" is a convolution: (O,K..,I) in memory, (O,I,K..) in the file. */
SSLH_API void sslh_save_net(sslh_net *net, const char *path);
/* Into an existing net, all or nothing: on an error no value has changed. F32, F16, BF16, F64 and integers are converted.
   Returns the number of tensors read. */
SSLH_API int sslh_load_weights(sslh_net *net, const char *path, sslh_load_desc desc);
/* Builds the architecture named in the file, then reads it. */
SSLH_API sslh_net *sslh_load_net(sslh_ctx *c, const char *path);
SSLH_API sslh_net *sslh_load_net_memory(sslh_ctx *c, const void *bytes, size_t size);

/* Preprocessing that sslh_embed repeats; saved with the net. */
typedef struct sslh_preprocess {
    int   height, width, channels; /* that the encoder was trained on; 0: as given */
    float mean[4], std[4];         /* of values in [0,1]; std 0 means 1 */
} sslh_preprocess;
SSLH_API void sslh_set_preprocess(sslh_net *net, sslh_preprocess p);
SSLH_API sslh_preprocess sslh_get_preprocess(sslh_net *net);
/* Features of n images of 8-bit pixels (n,height,width,channels) into out (n, width of the net): resizes, normalises, runs in
   evaluation mode without a tape; allocates nothing after the first call with the same n. */
SSLH_API void sslh_embed(sslh_net *net, const uint8_t *pixels, int n, int height, int width, int channels, float *out);

/* ================================================================================================================== */
/*  >>api-optim     optimisers and schedules                                                                           */
/* ================================================================================================================== */

typedef enum sslh_optim_kind { SSLH_OPTIM_DEFAULT = 0, SSLH_SGD, SSLH_ADAM, SSLH_ADAMW, SSLH_LARS } sslh_optim_kind;
typedef struct sslh_optimizer_desc {
    sslh_optim_kind kind;  /* default SSLH_SGD */
    float momentum;        /* SGD, LARS: default 0.9; SSLH_OFF: none */
    int   nesterov;
    float beta1, beta2;    /* Adam: default 0.9, 0.999 */
    float eps;             /* Adam: default 1e-8 */
    int   no_bias_correction; /* Adam: BERT's variant */
    float weight_decay;    /* default 0. SGD and ADAM add it to the gradient, ADAMW decouples it, LARS before the ratio */
    float lars_eta;        /* trust coefficient; default 0.001 */
    int   lars_clip;       /* 1: ratio/lr at most 1 (solo-learn's variant) */
    float clip;            /* norm of all gradients is cut to this before the update; 0: no */
    float    group_lr[16]; /* multiplier of parameter group g; 0 means 1 */
    unsigned constant_lr;  /* bit g: group g uses the peak given to sslh_optimizer_peak, not the schedule */
} sslh_optimizer_desc;
/* LARS is PyTorch's family (MoCo v3, Barlow Twins): g += wd p; g *= eta |p| / |g| for tensors of more than one dimension;
   mu = momentum mu + g; p -= lr mu. Vectors get neither decay nor ratio. */
SSLH_API sslh_optimizer *sslh_optimizer_new(sslh_ctx *c, sslh_optimizer_desc desc);
/* Adds a net's parameters, children included (a net that is already there is skipped). */
SSLH_API void sslh_optimizer_add(sslh_optimizer *o, sslh_net *net);
/* One update with this learning rate; then the gradients are zero again. NaN or Inf in a gradient is an error that
   changes no parameter. Not calling it after sslh_backward accumulates gradients. */
SSLH_API void sslh_optimizer_step(sslh_optimizer *o, float lr);
/* Only parameters whose group bit is in groups are updated (adversarial phases). */
SSLH_API void sslh_optimizer_step_groups(sslh_optimizer *o, float lr, unsigned groups);
SSLH_API void sslh_optimizer_peak(sslh_optimizer *o, float lr);

/* Learning rates. warmup steps rise linearly from 0 (step 0 gets peak/warmup). */
SSLH_API float sslh_constant(int64_t step, int64_t steps, int64_t warmup, float peak);
SSLH_API float sslh_cosine(int64_t step, int64_t steps, int64_t warmup, float peak); /* half a cosine to 0 */
SSLH_API float sslh_linear_decay(int64_t step, int64_t steps, int64_t warmup, float peak);
/* peak times gamma for every milestone (a fraction of steps, ascending, ended by 0) that has passed. */
SSLH_API float sslh_steps(int64_t step, int64_t steps, int64_t warmup, float peak, const float *milestones, float gamma);

/* ================================================================================================================== */
/*  >>api-data      data, files, loaders                                                                               */
/* ================================================================================================================== */

typedef enum sslh_field_kind { SSLH_FIELD_NONE = 0, SSLH_FIELD_IMAGE, SSLH_FIELD_AUDIO, SSLH_FIELD_TOKENS, SSLH_FIELD_LABEL } sslh_field_kind;
/* One of up to four parallel fields of a data set. The memory is the caller's and must outlive the data, or the context's. */
typedef struct sslh_field {
    sslh_field_kind kind;
    sslh_type       type;    /* images U8 or F32 (in [0,1]); audio I32 as int16 is given by .int16, or F32; tokens, labels I32.
                                F32 values are float, in a double build too */
    int             int16;   /* 1: values are int16_t (audio) */
    sslh_shape      shape;   /* of one sample: (H,W,C), (T,C), (T), () */
    const void     *values;  /* count samples, or NULL with .fetch */
    const int32_t  *lengths; /* valid length per sample; NULL: all full */
    /* Serves what does not fit in memory: fills out with sample index, returns 0 on success. Called from one thread. */
    int (*fetch)(void *user, int64_t index, void *out);
    void *user;
} sslh_field;

/* A data set: passed by value, owned by its context. Labels, if any, are used by probes only, never to pretrain. */
typedef struct sslh_data {
    sslh_ctx      *ctx;
    int64_t        count;                    /* samples */
    int            height, width, channels;  /* of the first image field; 0 without one */
    int            classes;                  /* 1 + largest label; 0 without labels */
    int            fields;
    sslh_field     field[4];
    const int32_t *labels;                   /* count labels in the order of the samples, or NULL */
    const int32_t *order;                    /* private: subset, or NULL */
    const char *const *class_names;          /* classes names, or NULL */
    int64_t        total;                    /* private: samples of the whole set that order points into */
} sslh_data;

/* Loads an IDX file (also .gz; labels from the file beside it named with "labels"/"idx1"), a CIFAR-10/100 binary (fine
   labels), one PNG/PNM image, a folder of those binaries (the training files; name the test file itself for the test set), a
   folder with a sub-folder of images per class, a folder of images (no labels), or a folder of PNG sheets with an index.txt
   (>>sheets). All images have one size; alpha is left out. When nothing matches, the error states this rule. */
SSLH_API sslh_data sslh_load_images(sslh_ctx *c, const char *path);
/* 8-bit images (count,height,width,channels) in the caller's memory; labels NULL or count. */
SSLH_API sslh_data sslh_data_from_images(sslh_ctx *c, const uint8_t *pixels, int64_t count, int height, int width,
                                         int channels, const int32_t *labels);
SSLH_API sslh_data sslh_data_from_fields(sslh_ctx *c, const sslh_field *fields, int n, int64_t count);
/* Views of a data set: no copy of the samples. .labels are in the view's order; the context of the data owns the view. */
SSLH_API sslh_data sslh_data_range(sslh_data d, int64_t begin, int64_t end);
SSLH_API sslh_data sslh_data_pick(sslh_data d, const int32_t *index, int64_t n);
/* The same share of every class (at least one sample of each), drawn with seed. */
SSLH_API sslh_data sslh_data_fraction(sslh_data d, double fraction, uint64_t seed);
/* Second data set behind the first (same shapes): a copy of both. */
SSLH_API sslh_data sslh_data_join(sslh_data a, sslh_data b);
/* Mean and standard deviation per channel of values in [0,1]; 0 for channels that are not there. */
SSLH_API void sslh_data_mean_std(sslh_data d, float mean[4], float std[4]);
/* Pixels of one sample (H,W,C) as 8-bit. */
SSLH_API void sslh_data_image(sslh_data d, int64_t index, uint8_t *out);

typedef struct sslh_loader_desc {
    int batch;        /* default 256, at most count */
    int in_order;     /* 1: no shuffling, the last batch may be smaller; 0: shuffled by (seed, epoch), full batches only */
    int epochs;       /* sslh_next_batch returns 0 after so many; default 1; SSLH_OFF: for ever */
    int keep_last;    /* 1: shuffled, but with the smaller last batch too */
} sslh_loader_desc;
SSLH_API sslh_loader *sslh_loader_new(sslh_ctx *c, sslh_data data, sslh_loader_desc desc);

typedef struct sslh_batch {
    sslh_data      data;    /* the whole data set, also when the loader was given a view of it */
    int            count;   /* samples */
    int            epoch;
    int64_t        step;    /* batches before this one, over all epochs */
    uint64_t       seed;    /* of the context */
    const int32_t *index;   /* count sample numbers in .data: what is drawn for a sample depends on them */
    const int32_t *labels;  /* count labels or NULL */
} sslh_batch;
/* Starts a step (when something was computed since the last one) and gives the next batch; 0 at the end, and after an
   error. The batch is valid until the next call. Two loaders in one step: take both batches before making tensors. */
SSLH_API int     sslh_next_batch(sslh_loader *l, sslh_batch *batch);
SSLH_API int64_t sslh_loader_steps(const sslh_loader *l); /* batches per epoch */
/* Continues at batch number step, as after a resume. */
SSLH_API void    sslh_loader_seek(sslh_loader *l, int64_t step);
/* The batch as tensors: images (N,H,W,C) real in [0,1]; labels (N) I32. */
SSLH_API sslh_tensor *sslh_batch_images(sslh_ctx *c, sslh_batch b);
SSLH_API sslh_tensor *sslh_batch_labels(sslh_ctx *c, sslh_batch b);
/* Field number field: images in [0,1] and 16-bit audio in [-1,1) as real, tokens and labels as I32. */
SSLH_API sslh_tensor *sslh_batch_field(sslh_ctx *c, sslh_batch b, int field);

/* --- single files, all readers treat the content as hostile --- */
/* 8-bit pixels (height,width,channels) of a PNG or PNM file, 16 bits reduced; memory of the context. NULL on error. */
SSLH_API uint8_t *sslh_load_image(sslh_ctx *c, const char *path, int *height, int *width, int *channels);
SSLH_API uint8_t *sslh_load_image_memory(sslh_ctx *c, const void *bytes, size_t size, int *height, int *width, int *channels);
/* PNG of 8-bit pixels, 1 to 4 channels. */
SSLH_API void sslh_save_png(sslh_ctx *c, const char *path, const uint8_t *pixels, int height, int width, int channels);
/* Inflate (RFC 1951) of a raw, zlib or gzip stream; format 0 raw, 1 zlib, 2 gzip. Memory of the context, at most limit bytes. */
SSLH_API uint8_t *sslh_inflate(sslh_ctx *c, const void *bytes, size_t size, int format, size_t limit, size_t *out_size);
/* NumPy array files. sslh_load_npy gives a persistent tensor: floats (f2 f4 f8) become SSLH_F32, u1 and b1 SSLH_U8, other
   integers SSLH_I32. */
SSLH_API void         sslh_save_npy(sslh_ctx *c, const char *path, sslh_shape shape, const float *values);
SSLH_API sslh_tensor *sslh_load_npy(sslh_ctx *c, const char *path);

/* ================================================================================================================== */
/*  >>api-views     augmentation                                                                                       */
/* ================================================================================================================== */
/* A recipe says how an image becomes a view. Zero fields do nothing. What is drawn depends on (seed, epoch, sample, view)
   only. Order: crop, pad-crop, flip, rotate90, jitter, grey, blur, solarise, cutout, normalise. Without a crop the whole
   image is resized to height and width. Colour needs 3 or 4 channels: with 1 or 2 jitter changes brightness and contrast
   only, and grey does nothing. The second of 2 and the fourth of 4 channels (transparency) move but keep their values. */
typedef struct sslh_recipe {
    float crop_min, crop_max;       /* random resized crop: share of the area; 0: no crop; crop_max default 1 */
    float ratio_min, ratio_max;     /* aspect, default 3/4 to 4/3 */
    int   crop_tries;               /* default 10, then a centre crop */
    int   height, width;            /* of the view; default: of the image */
    int   bilinear;                 /* 1: bilinear instead of bicubic */
    int   no_antialias;             /* 1: no widening of the filter when shrinking */
    int   pad_crop;                 /* pads so many pixels with zeros, then crops back at a random place */
    float flip;                     /* probability of a horizontal mirror */
    int   rotate90;                 /* 1: a random multiple of 90 degrees */
    float jitter;                   /* probability of colour jitter */
    float brightness, contrast, saturation, hue; /* factors in [1-a,1+a], hue in +-h turns; order shuffled per image */
    float grey;                     /* probability */
    float blur;                     /* probability */
    float blur_min, blur_max;       /* sigma in pixels, default 0.1 to 2 */
    int   blur_kernel;              /* odd; default a tenth of the side */
    float solarize;                 /* probability; values at or over .solarize_threshold (default 0.5) are inverted */
    float solarize_threshold;
    int   cutout;                   /* side of a square of grey (0.5 before normalising) at a random place */
    float mean[4], std[4];          /* y = (x - mean) / std; std 0: no normalisation */
} sslh_recipe;

SSLH_API sslh_recipe sslh_recipe_none(void);    /* the image in [0,1] */
SSLH_API sslh_recipe sslh_recipe_simclr(void);  /* SimCLR for small images: jitter strength 0.5, no blur */
SSLH_API sslh_recipe sslh_recipe_simclr_large(void); /* SimCLR for ImageNet: strength 1, blur */
SSLH_API sslh_recipe sslh_recipe_moco(void);    /* MoCo v2 / SimSiam */
SSLH_API sslh_recipe sslh_recipe_byol0(void);   /* BYOL, first view (blur 1.0) */
SSLH_API sslh_recipe sslh_recipe_byol1(void);   /* BYOL, second view (blur 0.1, solarise 0.2) */
SSLH_API sslh_recipe sslh_recipe_mae(void);     /* crop 0.2-1 and flip */
SSLH_API sslh_recipe sslh_recipe_rotation(void);/* pad 4, crop, flip */
#define SSLH_VIEWS_NONE         sslh_recipe_none()
#define SSLH_VIEWS_SIMCLR       sslh_recipe_simclr()
#define SSLH_VIEWS_SIMCLR_LARGE sslh_recipe_simclr_large()
#define SSLH_VIEWS_MOCO         sslh_recipe_moco()
#define SSLH_VIEWS_BYOL_0       sslh_recipe_byol0()
#define SSLH_VIEWS_BYOL_1       sslh_recipe_byol1()
#define SSLH_VIEWS_MAE          sslh_recipe_mae()
#define SSLH_VIEWS_ROTATION     sslh_recipe_rotation()

/* View number view of every image of the batch: (N,height,width,C) real. */
SSLH_API sslh_tensor *sslh_views(sslh_ctx *c, sslh_batch batch, sslh_recipe recipe, int view);
/* The recipe as text; returns the length. */
SSLH_API size_t sslh_recipe_print(sslh_recipe recipe, char *out, size_t size);

/* The steps of a recipe on a batch (N,H,W,C) that the caller holds, one draw per image from (seed, stream, n). */
SSLH_API sslh_tensor *sslh_augment(sslh_ctx *c, sslh_tensor *x, sslh_recipe recipe, uint64_t stream);
/* One image: box (top, left, height, width in pixels, fractions allowed) resized to (out_h,out_w), as PIL does. */
SSLH_API void sslh_resize(sslh_ctx *c, const float *in, int height, int width, int channels, const float box[4],
                          float *out, int out_height, int out_width, int bilinear, int no_antialias);
/* (N,H,W,C) turned by quarter[n] times 90 degrees counter-clockwise (H = W), by copying only. */
SSLH_API sslh_tensor *sslh_rotate90(sslh_ctx *c, sslh_tensor *x, const int32_t *quarter);

/* ================================================================================================================== */
/*  >>api-methods   the methods                                                                                        */
/* ================================================================================================================== */

typedef struct sslh_method sslh_method;

/* What .views makes of a batch: up to 16 named tensors. */
typedef struct sslh_view_set {
    int          n;
    const char  *name[16];
    sslh_tensor *x[16];
} sslh_view_set;
SSLH_API void         sslh_view_add(sslh_view_set *v, const char *name, sslh_tensor *x);
SSLH_API sslh_tensor *sslh_view_get(const sslh_view_set *v, const char *name); /* NULL when absent */

typedef enum sslh_schedule { SSLH_SCHEDULE_DEFAULT = 0, SSLH_COSINE, SSLH_CONSTANT, SSLH_STEPS, SSLH_LINEAR_DECAY } sslh_schedule;
/* Training settings; zero means the method's default. */
typedef struct sslh_train_info sslh_train_info;
typedef struct sslh_train_desc {
    int   epochs;             /* default 10 */
    int   batch;              /* default 256 */
    sslh_optimizer_desc optimizer; /* .kind 0: the method's optimiser with the method's settings */
    float lr;                 /* peak learning rate for this batch size; default the method's base rate (times batch/256 for
                                 those that scale) */
    sslh_schedule schedule;
    float warmup;             /* epochs; default the method's; SSLH_OFF: none */
    float milestones[8];      /* SSLH_STEPS: fractions of the run, ended by 0 */
    float gamma;              /* SSLH_STEPS: factor at each; default 0.1 */
    int   accumulate;         /* batches per update; default 1 */
    int64_t max_steps;        /* stop early; 0: no */
    const char *checkpoint;   /* path of a checkpoint; NULL: none */
    int   checkpoint_every;   /* epochs between checkpoints; default 1 */
    int64_t checkpoint_steps; /* instead: steps between checkpoints */
    int   resume;             /* 1: continue from .checkpoint if it is there */
    int   quiet;              /* 1: no progress line */
    /* Called after every step, and once per epoch with info->epoch_end set; a value other than 0 stops the training. */
    int (*callback)(const sslh_train_info *info, void *user);
    void *user;
    float *losses;            /* receives the mean loss of each epoch when not NULL (epochs values) */
} sslh_train_desc;

/* What the trainer knows after a step. */
struct sslh_train_info {
    sslh_ctx *ctx;
    sslh_method *method;
    int      epoch, epochs;
    int64_t  step, steps;
    float    loss, second;          /* of this step; at epoch_end the mean of the epoch */
    const char *second_name;
    float    lr;
    double   images_per_second, seconds, seconds_left;
    int      epoch_end;
};

/* A method is callbacks over the core. Fill one in to add a method: see the manual, "Writing a method". */
struct sslh_method {
    const char *name;
    sslh_ctx   *ctx;
    sslh_net   *net;          /* container: encoder, heads, teachers, states; all of it is trained, saved and resumed */
    sslh_net   *encoder;      /* the part that is kept */
    void       *self;         /* settings of the method */
    int         phases;       /* default 1 */
    unsigned    groups[4];    /* parameter groups trained in each phase; 0: all */
    int         min_batch;    /* smaller batches are an error; default 1 */
    const char *second_name;  /* what .second is ("top-1", "accuracy", "KL") */
    float       second;       /* set by loss: shows whether the method works */
    sslh_train_desc defaults; /* optimiser, rate, schedule */
    int         lr_scales;    /* 1: the default rate is multiplied by batch / 256 */
    void         (*prepare)(sslh_method *m, sslh_data data); /* once, before training: checks, data statistics; NULL: nothing */
    void         (*views)(sslh_method *m, const sslh_batch *batch, sslh_view_set *out);
    sslh_tensor *(*loss)(sslh_method *m, const sslh_view_set *v, int phase);
    void         (*grads)(sslh_method *m, int phase);   /* after backward, before the update; NULL: nothing */
    void         (*after)(sslh_method *m);              /* after the update; NULL: nothing */
};
/* A method without callbacks but with a container that already holds the encoder. */
SSLH_API sslh_method sslh_method_new(sslh_ctx *c, const char *name, sslh_net *encoder, const void *self, size_t self_size);
/* Settings after defaults are filled in, as text; returns the length. */
SSLH_API size_t sslh_method_print(const sslh_method *m, char *out, size_t size);

#if SSLH_WITH_ROTATION
/* Rotation prediction (Gidaris, Singh, Komodakis: "Unsupervised representation learning by predicting image rotations", 2018). */
typedef struct sslh_rotation_desc {
    int   rotations;      /* 4 (default) or 2 (0 and 180 degrees) */
    int   one_per_image;  /* 1: one random rotation per image and step, the weaker variant */
    const char *tap;      /* inner result that the classifier reads; NULL: the output */
    const sslh_recipe *views;   /* default SSLH_VIEWS_ROTATION, normalised by the data's mean and std */
} sslh_rotation_desc;
SSLH_API sslh_method sslh_rotation(sslh_ctx *c, sslh_net *encoder, sslh_rotation_desc desc);
#endif

#if SSLH_WITH_SIMCLR
/* SimCLR (Chen, Kornblith, Norouzi, Hinton: "A simple framework for contrastive learning of visual representations", 2020). */
typedef struct sslh_simclr_desc {
    float temperature;    /* default 0.5 (CIFAR; ImageNet 0.1) */
    int   head_layers;    /* default 3 as released; 2 as in the paper's text */
    int   head_hidden;    /* default: width of the features */
    int   head_out;       /* default 128 */
    int   no_head_norm;   /* 1: no batch norm in the head */
    int   decoupled;      /* 1: DCL, no positive in the denominator (Yeh et al. 2022) */
    const sslh_recipe *views;   /* default SSLH_VIEWS_SIMCLR */
} sslh_simclr_desc;
SSLH_API sslh_method sslh_simclr(sslh_ctx *c, sslh_net *encoder, sslh_simclr_desc desc);
#endif

#if SSLH_WITH_VAE
/* Variational autoencoder (Kingma, Welling: "Auto-encoding variational Bayes", 2014). */
typedef struct sslh_vae_desc {
    int   height, width, channels; /* of the images; required */
    int   hidden;                  /* default 400 */
    int   latent;                  /* default 20 */
    float beta;                    /* weight of the KL term, default 1 (beta-VAE: Higgins et al. 2017) */
    int   gaussian;                /* 1: squared error / 2 (unit variance) instead of Bernoulli cross-entropy */
    int   activation_tanh;         /* 1: tanh instead of ReLU */
} sslh_vae_desc;
/* The encoder is made inside (784-400-20 as in pytorch/examples) and is .encoder: images -> posterior mean (N,latent). */
SSLH_API sslh_method  sslh_vae(sslh_ctx *c, sslh_vae_desc desc);
/* Posterior mean and log-variance (N,latent) of images (N,H,W,C) in [0,1]. */
SSLH_API void         sslh_vae_encode(sslh_method *m, sslh_tensor *x, sslh_tensor **mu, sslh_tensor **logvar);
/* Images (N,H,W,C) in [0,1] (means) from codes (N,latent). */
SSLH_API sslh_tensor *sslh_vae_decode(sslh_method *m, sslh_tensor *z);
/* mean over rows of -1/2 sum(1 + logvar - mu^2 - exp(logvar)): eq. 10 of appendix B. */
SSLH_API sslh_tensor *sslh_gaussian_kl(sslh_ctx *c, sslh_tensor *mu, sslh_tensor *logvar);
typedef struct sslh_vae_score { float loss, reconstruction, kl; int active_units; } sslh_vae_score;
/* Per-image test numbers in nats; active: units whose posterior mean varies by more than 0.01 over the data. */
SSLH_API sslh_vae_score sslh_vae_evaluate(sslh_method *m, sslh_data data);
#endif

#if SSLH_WITH_MAE
/* Masked autoencoder (He, Chen, Xie, Li, Dollar, Girshick: "Masked autoencoders are scalable vision learners", 2021). */
typedef struct sslh_mae_desc {
    float mask;             /* share of patches hidden; default 0.75 */
    int   decoder_width;    /* default 96 */
    int   decoder_depth;    /* default 4 */
    int   decoder_heads;    /* default 3 */
    int   raw_pixels;       /* 1: targets are pixels, not patch-normalised */
    const sslh_recipe *views;     /* default SSLH_VIEWS_MAE */
} sslh_mae_desc;
/* encoder: sslh_vit with any output. */
SSLH_API sslh_method  sslh_mae(sslh_ctx *c, sslh_net *encoder, sslh_mae_desc desc);
/* (N,H,W,C) -> (N,P,p*p*C), order inside a patch (row, column, channel); and back. */
SSLH_API sslh_tensor *sslh_patchify(sslh_ctx *c, sslh_tensor *x, int patch);
SSLH_API sslh_tensor *sslh_unpatchify(sslh_ctx *c, sslh_tensor *x, int patch, int height, int width);
/* For a picture: images as the encoder sees them (hidden patches grey) and with hidden patches filled in. */
SSLH_API void sslh_mae_reconstruct(sslh_method *m, sslh_tensor *x, uint64_t stream, sslh_tensor **masked, sslh_tensor **filled);
#endif

/* ================================================================================================================== */
/*  >>api-train     training                                                                                           */
/* ================================================================================================================== */

/* Trains; returns the mean loss of the last epoch. Resumed training continues bit-identically. */
SSLH_API float sslh_train(sslh_ctx *c, sslh_method method, sslh_data data, sslh_train_desc desc);
/* One step of the trainer for loops of the caller's own: views, loss, backward, update, after. Returns the loss. */
SSLH_API float sslh_method_step(sslh_method *m, sslh_optimizer *o, const sslh_batch *batch, float lr);
/* Checkpoint of everything that a continuation needs (safetensors): all of m->net as "model.NAME", the optimiser's moments
   as "optim.m.NAME" and "optim.v.NAME", counters, seed and random stream. step is the number of steps done. */
SSLH_API void sslh_save_checkpoint(sslh_method *m, sslh_optimizer *o, int64_t step, const char *path);
/* Into the same method and optimiser, made anew. Returns the step to continue with; -1 when there is no such file (no
   error) or after an error, which changes nothing. */
SSLH_API int64_t sslh_load_checkpoint(sslh_method *m, sslh_optimizer *o, const char *path);
/* 64-bit hash (FNV-1a) of all parameters and states, children included: two runs are the same or not. */
SSLH_API uint64_t sslh_hash(sslh_net *net);

/* ================================================================================================================== */
/*  >>api-eval      evaluation                                                                                         */
/* ================================================================================================================== */
/* Wherever an encoder is asked for, NULL means raw pixels. */

typedef struct sslh_feature_desc {
    const char *tap;    /* inner result; NULL: the output */
    int   max_pool;     /* maps and tokens are averaged; 1: maximum instead */
    int   pool_grid;    /* maps: average pool to g x g and flatten; default 1 */
    int   batch;        /* default 256 */
} sslh_feature_desc;
/* Features (count,D) in evaluation mode, no augmentation: persistent. */
SSLH_API sslh_tensor *sslh_features(sslh_ctx *c, sslh_net *encoder, sslh_data data, sslh_feature_desc desc);

typedef struct sslh_probe_desc {
    sslh_feature_desc features;
    float l2;         /* fixed strength; 0: chosen from 5 values on a tenth of the training set held out */
    int   iterations; /* of L-BFGS; default 200 */
    float fraction;   /* share of the labels used; default 1 */
    uint64_t seed;    /* of the draw of the fraction */
} sslh_probe_desc;
/* Linear probe: multinomial logistic regression on frozen, standardised features. Returns test accuracy in 0..1. */
SSLH_API float sslh_linear_probe(sslh_ctx *c, sslh_net *encoder, sslh_data train, sslh_data test, sslh_probe_desc desc);
/* The same on features (n,D) that the caller has. */
SSLH_API float sslh_linear_probe_features(sslh_ctx *c, sslh_tensor *train, const int32_t *train_labels, sslh_tensor *test,
                                          const int32_t *test_labels, int classes, sslh_probe_desc desc);

typedef struct sslh_knn_desc {
    sslh_feature_desc features;
    int   k;            /* default 200 (20 when fewer than 5,000 samples) */
    float temperature;  /* default 0.1 */
    float fraction;     /* share of the labels used; default 1 */
    uint64_t seed;
} sslh_knn_desc;
/* Weighted nearest neighbours: cosine similarity, votes weighted exp(s / T) (Wu et al. 2018). Returns test accuracy. */
SSLH_API float sslh_knn(sslh_ctx *c, sslh_net *encoder, sslh_data train, sslh_data test, sslh_knn_desc desc);
SSLH_API float sslh_knn_features(sslh_ctx *c, sslh_tensor *train, const int32_t *train_labels, sslh_tensor *test,
                                 const int32_t *test_labels, int classes, sslh_knn_desc desc);

typedef struct sslh_finetune_desc {
    int   epochs, batch;   /* default 10, 128 */
    float lr;              /* peak; default 1e-3 * batch/256 (AdamW) */
    float weight_decay;    /* default 0.05 */
    float layer_decay;     /* learning rate of each earlier layer is multiplied by this; default 0.75 for ViT, else 1 */
    float drop_path;       /* default 0.1 for ViT, else 0; SSLH_OFF: none */
    float smoothing;       /* of labels; default 0.1; SSLH_OFF: none */
    float warmup;          /* epochs; default 1 */
    float fraction;        /* share of the labels used; default 1 */
    uint64_t seed;
    const sslh_recipe *views;    /* default crop 0.2-1 and flip */
    int   quiet;
} sslh_finetune_desc;
/* Trains a copy of the encoder with a linear classifier on labels; the encoder itself is not changed. Returns test accuracy.
   An untrained encoder gives the supervised baseline. */
SSLH_API float sslh_finetune(sslh_ctx *c, sslh_net *encoder, sslh_data train, sslh_data test, sslh_finetune_desc desc);

/* Collapse meters over features (n,D). */
SSLH_API float sslh_feature_std(const sslh_tensor *x);      /* mean over D of the std of unit rows: 1/sqrt(D) healthy, 0 collapsed */
SSLH_API float sslh_effective_rank(sslh_ctx *c, const sslh_tensor *x); /* exp of the entropy of normalised singular values */
SSLH_API float sslh_alignment(const sslh_tensor *a, const sslh_tensor *b); /* mean squared distance of unit pairs */
SSLH_API float sslh_uniformity(sslh_ctx *c, const sslh_tensor *x);     /* log mean exp(-2 squared distance) */

/* ================================================================================================================== */
/*  >>api-pictures  pictures                                                                                           */
/* ================================================================================================================== */

/* Images (N,H,W,C) in [0,1] as a grid with columns columns, each pixel enlarged zoom times (0: chosen). */
SSLH_API void sslh_picture_grid(sslh_ctx *c, const char *path, const sslh_tensor *images, int columns, int zoom);
/* First-layer filters of a weight tensor (O,Kh,Kw,I) with I 1 or 3, or rows (O,D) of an MLP as side x side images (D or
   D/3 a square), each stretched to [0,1] for itself. */
SSLH_API void sslh_picture_filters(sslh_ctx *c, const char *path, const sslh_tensor *weight, int zoom);
/* Points (n,2) coloured by label (NULL: one colour), with a legend of names (NULL: numbers). classes 0: counted. Labels
   outside 0 .. classes-1 are pale grey; points that are not finite are left out. */
SSLH_API void sslh_picture_scatter(sslh_ctx *c, const char *path, const sslh_tensor *points, const int32_t *labels,
                                   int classes, const char *const *names);
/* One line per curve, curve i has n values at values + i n (NaN: a gap), drawn over 1 .. n; names in the legend (NULL:
   none); title above (NULL: none). */
SSLH_API void sslh_picture_curves(sslh_ctx *c, const char *path, const float *values, int curves, int n,
                                  const char *const *names, const char *title);
/* Maps of features (n,D): persistent (n,dims). PCA keeps signs fixed (largest weight positive). */
SSLH_API sslh_tensor *sslh_pca(sslh_ctx *c, const sslh_tensor *x, int dims);
typedef struct sslh_tsne_desc { float perplexity; int iterations; } sslh_tsne_desc; /* default 30, 500 */
/* van der Maaten & Hinton 2008, exact (n up to a few thousand), started from PCA: persistent (n,2). A perplexity above
   (n-1)/3 is lowered to it. */
SSLH_API sslh_tensor *sslh_tsne(sslh_ctx *c, const sslh_tensor *x, sslh_tsne_desc desc);

#ifdef __cplusplus
}
#endif
#endif /* SSLH_INCLUDE_SSL_H */

/* ################################################################################################################## */
/*                                              IMPLEMENTATION                                                        */
/* ################################################################################################################## */
#if defined(SSLH_IMPLEMENTATION) && (!defined(SSLH_I_IMPLEMENTED) || defined(SSLH_I_INNER))
#ifndef SSLH_I_INNER /* the outer text; the file includes itself once per instruction set, see >>kernels */
#define SSLH_I_IMPLEMENTED

#if defined(__FAST_MATH__) && !defined(SSLH_ALLOW_FAST_MATH)
#error "ssl.h: -ffast-math breaks the NaN tests and the same-bits promise; define SSLH_ALLOW_FAST_MATH to insist"
#endif

/* Contraction of a*b+c into a fused operation changes bits between compilers: off here, FMA is written where it is meant. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__) && !defined(__TINYC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off", "no-fast-math")
#endif

/* ================================================================================================================== */
/*  >>platform      system headers, clock, processors, threads                                                         */
/* ================================================================================================================== */

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h> /* vsnprintf; files and the terminal only with SSLH_WITH_STDIO */

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#elif defined(__unix__) || defined(__APPLE__) || defined(__wasi__) || defined(__EMSCRIPTEN__)
#define SSLH_I_POSIX 1
#include <sched.h>
#include <sys/time.h>
#include <unistd.h>
#endif
#ifndef SSLH_I_POSIX
#define SSLH_I_POSIX 0
#endif

#if SSLH_WITH_THREADS && !defined(__TINYC__) && !defined(__wasm__) && (defined(_WIN32) || SSLH_I_POSIX)
#define SSLH_I_THREADS 1
#if !defined(_WIN32)
#include <pthread.h>
#endif
#else
#define SSLH_I_THREADS 0
#endif

#if (defined(__x86_64__) || defined(_M_X64) || (defined(__i386__) && defined(__SSE__))) && !defined(__TINYC__)
#include <xmmintrin.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define SSLH_I_FN static SSLH_I_UNUSED
#ifdef SSLH_STATIC
#define SSLH_DEF static SSLH_I_UNUSED
#else
#define SSLH_DEF
#endif
#ifdef __cplusplus
#define SSLH_I_ZERO {}
#else
#define SSLH_I_ZERO {0}
#endif
/* Sanitizers blow inlined vector code up until it compiles for minutes: there it stays in functions of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SSLH_I_COVERAGE)
#define SSLH_I_KEEP_CALLS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SSLH_I_KEEP_CALLS 1
#endif
#endif
#ifdef SSLH_I_KEEP_CALLS
#define SSLH_I_RESTRICT
#define SSLH_I_INLINE static SSLH_I_UNUSED __attribute__((noinline))
#elif defined(__GNUC__) || defined(__clang__)
#define SSLH_I_RESTRICT __restrict__
#define SSLH_I_INLINE static SSLH_I_UNUSED __inline__ __attribute__((always_inline))
#elif defined(_MSC_VER)
#define SSLH_I_RESTRICT __restrict
#define SSLH_I_INLINE static __forceinline
#else
#define SSLH_I_RESTRICT
#define SSLH_I_INLINE static
#endif

/* Instruction sets that this compiler can produce for this processor family; which one runs is chosen at start (>>kernels).
   SSLH_I_SIMD 0: the portable C kernels only, and the file never includes itself. */
#define SSLH_I_X86 0
#define SSLH_I_ARM 0
#if SSLH_WITH_SIMD && !SSLH_I_DOUBLE && !defined(__TINYC__) && (defined(__GNUC__) || defined(__clang__) || defined(_MSC_VER))
#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || defined(_M_IX86)
#undef SSLH_I_X86
#define SSLH_I_X86 1
#include <immintrin.h>
#if defined(_MSC_VER)
#include <intrin.h>
#endif
#elif (defined(__aarch64__) && !defined(__AARCH64EB__)) || defined(_M_ARM64)
#undef SSLH_I_ARM
#define SSLH_I_ARM 1
#include <arm_neon.h>
#endif
#endif
#define SSLH_I_SIMD (SSLH_I_X86 || SSLH_I_ARM)
#if SSLH_USE_CBLAS && !SSLH_I_DOUBLE
#include <cblas.h>
#endif

#define SSLH_I_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SSLH_I_MAX(a, b) ((a) > (b) ? (a) : (b))
#define SSLH_I_R(x) ((sslh_real)(x)) /* a constant in the working precision */

/* Seconds on a clock that only goes forward for our purposes (progress lines, tracing). */
SSLH_I_FN double sslh_i_now(void) {
#if defined(_WIN32)
    LARGE_INTEGER f, t;
    QueryPerformanceFrequency(&f);
    QueryPerformanceCounter(&t);
    return (double)t.QuadPart / (double)f.QuadPart;
#elif SSLH_I_POSIX
    struct timeval t;
    gettimeofday(&t, NULL);
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
#else
    return 0;
#endif
}

SSLH_I_FN int sslh_i_processors(void) {
#if defined(_WIN32)
    SYSTEM_INFO s;
    GetSystemInfo(&s);
    return (int)s.dwNumberOfProcessors;
#elif SSLH_I_POSIX && defined(_SC_NPROCESSORS_ONLN)
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 1024 ? 1024 : (int)n;
#else
    return 1;
#endif
}

/* Size arithmetic: 0 on overflow of size_t, else 1 and the product in *out. */
SSLH_I_FN int sslh_i_mul(size_t a, size_t b, size_t *out) {
    if (a && b > (size_t)-1 / a) return 0;
    *out = a * b;
    return 1;
}

/* ================================================================================================================== */
/*  >>core          the context: memory, errors, scopes, pool                                                          */
/* ================================================================================================================== */

#define SSLH_I_ALIGN 64u /* bytes; a cache line and an AVX-512 register */

enum { /* sslh_tensor.flags */
    SSLH_I_NEEDS = 1,   /* wants a gradient */
    SSLH_I_KEPT = 2,    /* readable after backward */
    SSLH_I_PARAM = 4,   /* parameter of a net: gradient in the net's block */
    SSLH_I_STATE = 8,   /* buffer of a net */
    SSLH_I_LONG = 16    /* persistent: memory of the context, not of the step */
};

/* A stretch of the step heap. Tensors that share memory (reshape, detach) share one. */
typedef struct sslh_i_buf {
    char  *start;
    size_t size;
    int    refs;
    struct sslh_i_buf *next_free;
} sslh_i_buf;

typedef struct sslh_i_node sslh_i_node;
typedef void (*sslh_i_backward_fn)(sslh_ctx *c, sslh_i_node *n);
/* One recorded operation. */
struct sslh_i_node {
    const char        *name;
    sslh_i_backward_fn backward;
    sslh_tensor       *out;
    sslh_tensor      **in;       /* nin inputs; entries may be NULL */
    int                nin;
    int                nsaved;
    sslh_tensor       *saved[6]; /* extra tensors that backward reads; given back after it */
    int                i[16];    /* integers, reals and pointers that backward reads */
    sslh_real          f[8];
    const void        *p[2];
};

/* A block of persistent memory; the payload follows, aligned. */
typedef struct sslh_i_block {
    struct sslh_i_block *prev, *next;
    int64_t              serial; /* sslh_mark compares these */
    size_t               bytes;
    void                *raw;
} sslh_i_block;

typedef struct sslh_i_range { char *start; size_t size; } sslh_i_range;
typedef struct sslh_i_scope { size_t tensors, nodes; size_t record_chunk, record_used; uint64_t stream; int no_grad, dirty; } sslh_i_scope;

struct sslh_i_kernels; /* function table of one instruction set, see >>kernels */
struct sslh_i_pool;

struct sslh_ctx {
    sslh_code code;
    char      message[512];
    sslh_desc desc;
    const struct sslh_i_kernels *k;
    struct sslh_i_pool          *pool;
    int       threads;
    uint64_t  stream;      /* next stream number */
    int64_t   serial;      /* next block number */
    /* accounting */
    size_t    bytes, peak;
    int64_t   allocs, steps;
    sslh_i_block *first, *last; /* persistent blocks, oldest first */
    /* step heap: free ranges in ascending address order; activations from the low end, gradients from the high end */
    char    **chunks;
    size_t   *chunk_size;
    size_t    nchunks, chunks_cap;
    sslh_i_range *ranges;
    size_t    nranges, ranges_cap;
    /* records: tensor headers, nodes and buffer headers of the step, in chunks that are reused */
    char    **records;
    size_t    nrecords, records_cap, record_chunk, record_used;
    sslh_i_buf *free_bufs;
    sslh_tensor **tensors; /* all tensors of the step in order of creation */
    size_t    ntensors, tensors_cap;
    sslh_i_node **nodes;   /* the tape */
    size_t    nnodes, nodes_cap;
    sslh_i_scope scopes[16];
    int       depth;
    int       no_grad;
    int       dirty;       /* an operation ran since the step began */
    unsigned  groups;      /* parameter groups that collect gradients; all bits by default */
    void    (*trace)(const sslh_trace_event *event, void *user);
    void     *trace_user;
    double    trace_time;
    sslh_tensor dummy;     /* what operations return after an error */
    sslh_real  dummy_value[2];
    int32_t    dummy_int[2];
    sslh_net  *dummy_net;
};

/* What sslh_create returns without memory: constant, so every function must ask SSLH_I_BAD before it writes. */
static const sslh_ctx sslh_i_dead = SSLH_I_ZERO;
#define SSLH_I_BAD(c) ((c) == NULL || (c) == &sslh_i_dead || (c)->code != SSLH_OK)

/* --- persistent memory: zeroed, 64-byte aligned, freed by sslh_rewind or sslh_destroy; NULL (and an error) on failure */
SSLH_I_FN void *sslh_i_alloc(sslh_ctx *c, size_t bytes);
SSLH_I_FN void *sslh_i_alloc_with(sslh_ctx *c, size_t bytes, const void *owner); /* lives as long as that other block */
SSLH_I_FN void  sslh_i_free(sslh_ctx *c, void *p);
/* --- scratch of the step heap, for the duration of one operation */
SSLH_I_FN void *sslh_i_scratch(sslh_ctx *c, size_t bytes);
SSLH_I_FN void  sslh_i_unscratch(sslh_ctx *c, void *p);
/* --- tensors of the step: uninitialised values; NULL (and an error) on failure */
SSLH_I_FN sslh_tensor *sslh_i_new(sslh_ctx *c, const char *op, sslh_type type, sslh_shape shape);
/* Gives back a tensor's memory before the step ends (extra results that nobody will read). */
SSLH_I_FN void sslh_i_release(sslh_ctx *c, sslh_tensor *t);
/* A tensor with another shape on x's memory. */
SSLH_I_FN sslh_tensor *sslh_i_alias(sslh_ctx *c, sslh_tensor *x, sslh_shape shape);
SSLH_I_FN sslh_tensor *sslh_i_dummy(sslh_ctx *c);
SSLH_I_FN size_t       sslh_i_count(sslh_ctx *c, const char *op, sslh_shape s); /* product of sizes; 0 and an error if bad */
/* "(4,8)" into one of the caller's buffers, for messages. */
SSLH_I_FN const char *sslh_i_str(char *buffer, size_t size, sslh_shape s);

/* --- the life of an operation:
     in[] = {..}; if (!sslh_i_begin(c, "sslh_relu", in, 1, 1)) return sslh_i_dummy(c);    all real, same context, no error
     out = sslh_i_new(c, "sslh_relu", SSLH_F32, shape); if (!out) return sslh_i_dummy(c);
     ... compute ...
     node = sslh_i_record(c, "sslh_relu", sslh_i_relu_back, out, in, 1);    NULL when no gradient is wanted
     if (node) { node->f[0] = slope; sslh_i_save(c, node, extra); } else sslh_i_release(c, extra);
     return sslh_i_end(c, "sslh_relu", in, 1, out);                                                                     */
SSLH_I_FN int          sslh_i_begin(sslh_ctx *c, const char *op, sslh_tensor **in, int n, int all_real);
SSLH_I_FN sslh_i_node *sslh_i_record(sslh_ctx *c, const char *op, sslh_i_backward_fn fn, sslh_tensor *out, sslh_tensor **in, int n);
SSLH_I_FN void         sslh_i_save(sslh_ctx *c, sslh_i_node *n, sslh_tensor *t);
SSLH_I_FN sslh_tensor *sslh_i_end(sslh_ctx *c, const char *op, sslh_tensor **in, int n, sslh_tensor *out);
/* 1 when t wants a gradient in the pass that is being recorded or run. */
SSLH_I_FN int sslh_i_needs(sslh_ctx *c, const sslh_tensor *t);
/* Where to put the gradient of t: NULL when it wants none (or memory is out). *fresh = 1: uninitialised, overwrite it;
   0: add to it. The caller must write or add ALL of it. */
SSLH_I_FN sslh_real *sslh_i_grad(sslh_ctx *c, sslh_tensor *t, int *fresh);

/* out's gradient goes on to in unchanged: moved when last (nobody reads out->grad after this) and possible, else added */
SSLH_I_FN void sslh_i_grad_pass(sslh_ctx *c, sslh_tensor *out, sslh_tensor *in, int last);

/* --- scalar mathematics with the same bits everywhere, see >>kernels */
SSLH_I_FN sslh_real sslh_i_exp(sslh_real x);
SSLH_I_FN sslh_real sslh_i_log(sslh_real x);
SSLH_I_FN sslh_real sslh_i_cos(sslh_real x);
SSLH_I_FN sslh_real sslh_i_sin(sslh_real x);
SSLH_I_FN const char *sslh_i_kernels_name(const sslh_ctx *c);

/* --- threads: every computation runs inside sslh_i_parallel, which sets the default floating-point environment */
SSLH_I_FN void sslh_i_parallel(sslh_ctx *c, int tasks, sslh_task_fn fn, void *arg);

/* ================================================================================================================== */
/*  >>core-impl     context, memory, errors, scopes, pool: bodies                                                    */
/* ================================================================================================================== */

/* --- errors ------------------------------------------------------------------------------------------------------ */

/* The dead context's dummy tensor: one zero, read only. */
static const sslh_real sslh_i_dead_value[2] = {0, 0};

SSLH_DEF float sslh_or_off(float x) { return x != 0.0f ? x : (float)SSLH_OFF; }

SSLH_DEF const char *sslh_error(const sslh_ctx *c) {
    if (!c) return "no context (NULL)";
    if (c == &sslh_i_dead) return "sslh_create: out of memory";
    return c->code == SSLH_OK ? NULL : c->message;
}

SSLH_DEF sslh_code sslh_error_code(const sslh_ctx *c) { return !c ? SSLH_E_USAGE : c == &sslh_i_dead ? SSLH_E_MEMORY : c->code; }

SSLH_DEF void sslh_fail(sslh_ctx *c, sslh_code code, const char *format, ...) {
    va_list args;
    if (SSLH_I_BAD(c)) return; /* the first cause stays */
    va_start(args, format);
    vsnprintf(c->message, sizeof c->message, format, args);
    va_end(args);
    c->code = code == SSLH_OK ? SSLH_E_USAGE : code;
}

/* --- persistent memory ------------------------------------------------------------------------------------------- */

SSLH_I_FN void *sslh_i_raw_alloc(sslh_ctx *c, size_t bytes) {
    void *p;
    if (c->desc.max_bytes && (bytes > c->desc.max_bytes || c->bytes > c->desc.max_bytes - bytes)) {
        sslh_fail(c, SSLH_E_MEMORY, "out of memory: %.1f MB more than the limit of %.1f MB given as .max_bytes",
                  ((double)c->bytes + (double)bytes - (double)c->desc.max_bytes) / 1e6, (double)c->desc.max_bytes / 1e6);
        return NULL;
    }
    p = c->desc.alloc ? c->desc.alloc(c->desc.user, bytes) : malloc(bytes);
    if (!p) {
        sslh_fail(c, SSLH_E_MEMORY, "out of memory: %.3f MB asked for with %.1f MB in use", (double)bytes / 1e6, (double)c->bytes / 1e6);
        return NULL;
    }
    c->bytes += bytes;
    c->allocs++;
    if (c->bytes > c->peak) c->peak = c->bytes;
    return p;
}

SSLH_I_FN void sslh_i_raw_free(sslh_ctx *c, void *p, size_t bytes) {
    if (!p) return;
    c->bytes -= bytes;
    if (c->desc.release) c->desc.release(c->desc.user, p);
    else free(p);
}

SSLH_I_FN char *sslh_i_align(void *p) {
    size_t over = (size_t)((uintptr_t)p & (SSLH_I_ALIGN - 1));
    return (char *)p + (over ? SSLH_I_ALIGN - over : 0);
}

/* The header of a block lies in front of its payload, padded to whole alignment units. */
#define SSLH_I_BLOCK_HEAD ((sizeof(sslh_i_block) + SSLH_I_ALIGN - 1) / SSLH_I_ALIGN * SSLH_I_ALIGN)

SSLH_I_FN void *sslh_i_alloc(sslh_ctx *c, size_t bytes) {
    size_t total = bytes + SSLH_I_BLOCK_HEAD + SSLH_I_ALIGN;
    void *raw;
    sslh_i_block *b;
    if (SSLH_I_BAD(c)) return NULL;
    if (total < bytes) {
        sslh_fail(c, SSLH_E_MEMORY, "out of memory: a size overflows");
        return NULL;
    }
    raw = sslh_i_raw_alloc(c, total);
    if (!raw) return NULL;
    b = (sslh_i_block *)(void *)sslh_i_align(raw);
    memset(b, 0, SSLH_I_BLOCK_HEAD + bytes);
    b->raw = raw;
    b->bytes = total;
    b->serial = ++c->serial;
    b->prev = c->last;
    if (c->last) c->last->next = b;
    else c->first = b;
    c->last = b;
    return (char *)b + SSLH_I_BLOCK_HEAD;
}

/* Memory that belongs to an earlier block (a net's parameters, laid out at its first use): freed by the same rewind. */
SSLH_I_FN void *sslh_i_alloc_with(sslh_ctx *c, size_t bytes, const void *owner) {
    char *p = (char *)sslh_i_alloc(c, bytes);
    if (p) ((sslh_i_block *)(void *)(p - SSLH_I_BLOCK_HEAD))->serial = ((const sslh_i_block *)(const void *)((const char *)owner - SSLH_I_BLOCK_HEAD))->serial;
    return p;
}

SSLH_I_FN void sslh_i_free(sslh_ctx *c, void *p) {
    sslh_i_block *b;
    if (!p) return;
    b = (sslh_i_block *)(void *)((char *)p - SSLH_I_BLOCK_HEAD);
    if (b->prev) b->prev->next = b->next;
    else c->first = b->next;
    if (b->next) b->next->prev = b->prev;
    else c->last = b->prev;
    sslh_i_raw_free(c, b->raw, b->bytes);
}

SSLH_DEF int64_t sslh_mark(sslh_ctx *c) { return c ? c->serial : 0; }

/* A growing array: room for at least need elements, doubled; 0 and an error when memory is out. */
SSLH_I_FN int sslh_i_grow(sslh_ctx *c, void **array, size_t *cap, size_t need, size_t element) {
    size_t wanted = *cap ? *cap : 64, bytes;
    void *fresh;
    if (need <= *cap) return 1;
    while (wanted < need) {
        if (wanted > (size_t)-1 / 2) return 0;
        wanted *= 2;
    }
    if (!sslh_i_mul(wanted, element, &bytes)) {
        sslh_fail(c, SSLH_E_MEMORY, "out of memory: a size overflows");
        return 0;
    }
    fresh = sslh_i_raw_alloc(c, bytes);
    if (!fresh) return 0;
    if (*array) memcpy(fresh, *array, *cap * element);
    sslh_i_raw_free(c, *array, *cap * element);
    *array = fresh;
    *cap = wanted;
    return 1;
}

/* --- the step heap ----------------------------------------------------------------------------------------------- */
/* Free ranges of one or more chunks, ascending. Activations take the lowest range that fits, from its start; gradients
   and scratch the highest, from its end: the two meet in the middle, and what the backward pass frees of the one serves
   the other. While the first steps show how much a step needs, chunks are added; when the next step begins they are
   replaced by a single one of their total size, so that from the third step on nothing is allocated. */

SSLH_I_FN int sslh_i_range_insert(sslh_ctx *c, size_t at, char *start, size_t size) {
    if (!sslh_i_grow(c, (void **)(void *)&c->ranges, &c->ranges_cap, c->nranges + 1, sizeof *c->ranges)) return 0;
    memmove(c->ranges + at + 1, c->ranges + at, (c->nranges - at) * sizeof *c->ranges);
    c->ranges[at].start = start;
    c->ranges[at].size = size;
    c->nranges++;
    return 1;
}

SSLH_I_FN void sslh_i_range_remove(sslh_ctx *c, size_t at) {
    c->nranges--;
    memmove(c->ranges + at, c->ranges + at + 1, (c->nranges - at) * sizeof *c->ranges);
}

/* First range that starts after p. */
SSLH_I_FN size_t sslh_i_range_after(const sslh_ctx *c, const char *p) {
    size_t lo = 0, hi = c->nranges;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if ((uintptr_t)c->ranges[mid].start > (uintptr_t)p) hi = mid;
        else lo = mid + 1;
    }
    return lo;
}

SSLH_I_FN void sslh_i_heap_give(sslh_ctx *c, char *start, size_t size) {
    size_t at = sslh_i_range_after(c, start);
    int left = at > 0 && c->ranges[at - 1].start + c->ranges[at - 1].size == start;
    int right = at < c->nranges && start + size == c->ranges[at].start;
    if (left && right) {
        c->ranges[at - 1].size += size + c->ranges[at].size;
        sslh_i_range_remove(c, at);
    } else if (left) {
        c->ranges[at - 1].size += size;
    } else if (right) {
        c->ranges[at].start = start;
        c->ranges[at].size += size;
    } else {
        sslh_i_range_insert(c, at, start, size); /* cannot fail: sslh_i_heap_take reserves a place for it */
    }
}

/* A chunk has 64 bytes that are never used at its end, so that two chunks never look adjacent. */
SSLH_I_FN int sslh_i_chunk_add(sslh_ctx *c, size_t size) {
    size_t cap_a = c->chunks_cap, cap_b = c->chunks_cap, total = size + 2 * SSLH_I_ALIGN;
    char *raw, *start;
    if (total < size) {
        sslh_fail(c, SSLH_E_MEMORY, "out of memory: a size overflows");
        return 0;
    }
    if (c->nchunks == c->chunks_cap) {
        if (!sslh_i_grow(c, (void **)(void *)&c->chunks, &cap_a, c->nchunks + 1, sizeof *c->chunks)) return 0;
        if (!sslh_i_grow(c, (void **)(void *)&c->chunk_size, &cap_b, c->nchunks + 1, sizeof *c->chunk_size)) {
            /* keep both arrays of one length: the longer one is harmless but must be accounted with its true size */
            sslh_i_raw_free(c, c->chunks, cap_a * sizeof *c->chunks);
            c->chunks = NULL;
            c->nchunks = 0;
            return 0;
        }
        c->chunks_cap = cap_a;
    }
    raw = (char *)sslh_i_raw_alloc(c, total);
    if (!raw) return 0;
    start = sslh_i_align(raw);
    if (!sslh_i_range_insert(c, sslh_i_range_after(c, start), start, size)) {
        sslh_i_raw_free(c, raw, total);
        return 0;
    }
    c->chunks[c->nchunks] = raw;
    c->chunk_size[c->nchunks++] = total;
    return 1;
}

/* Takes size bytes (a multiple of the alignment) from the low or the high end. */
SSLH_I_FN char *sslh_i_heap_take(sslh_ctx *c, size_t size, int high) {
    int attempt;
    /* a later give may need one range more than there are now */
    if (!sslh_i_grow(c, (void **)(void *)&c->ranges, &c->ranges_cap, c->nranges + 64 + 2 * c->ntensors, sizeof *c->ranges)) return NULL;
    for (attempt = 0; attempt < 2; attempt++) {
        size_t i, n = c->nranges;
        for (i = 0; i < n; i++) {
            size_t at = high ? n - 1 - i : i;
            sslh_i_range *r = &c->ranges[at];
            char *p;
            if (r->size < size) continue;
            p = high ? r->start + (r->size - size) : r->start;
            if (!high) r->start += size;
            r->size -= size;
            if (r->size == 0) sslh_i_range_remove(c, at);
            return p;
        }
        if (attempt == 0 && !sslh_i_chunk_add(c, SSLH_I_MAX(size, (size_t)1 << 18))) return NULL;
    }
    return NULL;
}

/* Begins with one chunk as large as all chunks of the steps before together. Only when the heap is empty. */
SSLH_I_FN void sslh_i_heap_join(sslh_ctx *c) {
    size_t i, total = 0;
    if (c->nchunks < 2) return;
    for (i = 0; i < c->nchunks; i++) {
        total += c->chunk_size[i] - 2 * SSLH_I_ALIGN;
        sslh_i_raw_free(c, c->chunks[i], c->chunk_size[i]);
    }
    c->nchunks = 0;
    c->nranges = 0;
    sslh_i_chunk_add(c, total);
}

/* --- records: small things that live as long as the step --------------------------------------------------------- */

#define SSLH_I_RECORD_CHUNK ((size_t)1 << 16)

SSLH_I_FN void *sslh_i_record_alloc(sslh_ctx *c, size_t bytes) {
    char *p;
    bytes = (bytes + 15) / 16 * 16;
    if (bytes > SSLH_I_RECORD_CHUNK) {
        sslh_fail(c, SSLH_E_USAGE, "an operation with more than %d inputs", (int)(SSLH_I_RECORD_CHUNK / sizeof(void *)));
        return NULL;
    }
    if (c->nrecords && c->record_used + bytes > SSLH_I_RECORD_CHUNK) {
        c->record_chunk++;
        c->record_used = 0;
    }
    if (c->record_chunk >= c->nrecords) {
        char *fresh;
        if (!sslh_i_grow(c, (void **)(void *)&c->records, &c->records_cap, c->nrecords + 1, sizeof *c->records)) return NULL;
        fresh = (char *)sslh_i_raw_alloc(c, SSLH_I_RECORD_CHUNK);
        if (!fresh) return NULL;
        c->records[c->nrecords++] = fresh;
    }
    p = c->records[c->record_chunk] + c->record_used;
    c->record_used += bytes;
    memset(p, 0, bytes);
    return p;
}

/* --- tensors of the step ----------------------------------------------------------------------------------------- */

SSLH_I_FN const char *sslh_i_str(char *buffer, size_t size, sslh_shape s) {
    size_t used = 0;
    int i;
    if (size < 3) return "";
    buffer[used++] = '(';
    for (i = 0; i < s.ndim && i < SSLH_MAX_DIMS; i++) {
        int n = snprintf(buffer + used, size - used, i ? ",%d" : "%d", s.size[i]);
        if (n < 0 || (size_t)n >= size - used) break;
        used += (size_t)n;
    }
    if (used > size - 2) used = size - 2;
    buffer[used++] = ')';
    buffer[used] = 0;
    return buffer;
}

SSLH_DEF sslh_shape sslh_shape_of(const sslh_tensor *t) {
    sslh_shape s;
    memset(&s, 0, sizeof s);
    if (!t) return s;
    s.ndim = t->ndim;
    memcpy(s.size, t->shape, sizeof s.size);
    return s;
}

SSLH_I_FN size_t sslh_i_count(sslh_ctx *c, const char *op, sslh_shape s) {
    size_t n = 1;
    int i;
    char text[96];
    if (s.ndim < 0 || s.ndim > SSLH_MAX_DIMS) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: %d dimensions (0 to %d are possible)", op, s.ndim, SSLH_MAX_DIMS);
        return 0;
    }
    for (i = 0; i < s.ndim; i++) {
        if (s.size[i] <= 0) {
            sslh_fail(c, SSLH_E_SHAPE, "%s: shape %s: every size must be at least 1", op, sslh_i_str(text, sizeof text, s));
            return 0;
        }
        if (!sslh_i_mul(n, (size_t)s.size[i], &n) || n > (size_t)-1 / 16) {
            sslh_fail(c, SSLH_E_SHAPE, "%s: shape %s has too many elements", op, sslh_i_str(text, sizeof text, s));
            return 0;
        }
    }
    return n;
}

SSLH_I_FN sslh_tensor *sslh_i_dummy(sslh_ctx *c) {
    static const sslh_tensor dead = {(sslh_real *)(uintptr_t)sslh_i_dead_value, NULL, NULL, NULL, SSLH_F32, 0, {0, 0, 0, 0, 0, 0}, 1,
                                     (sslh_ctx *)(uintptr_t)&sslh_i_dead, NULL, 0, 0};
    sslh_tensor *d;
    if (!c || c == &sslh_i_dead) return (sslh_tensor *)(uintptr_t)&dead;
    d = &c->dummy;
    memset(d, 0, sizeof *d);
    c->dummy_value[0] = 0;
    c->dummy_int[0] = 0;
    d->data = c->dummy_value;
    d->ints = c->dummy_int;
    d->bytes = (uint8_t *)c->dummy_int;
    d->count = 1;
    d->ctx = c;
    return d;
}

SSLH_I_FN size_t sslh_i_type_size(sslh_type type) { return type == SSLH_F32 ? sizeof(sslh_real) : type == SSLH_I32 ? 4 : 1; }

SSLH_I_FN void sslh_i_set_data(sslh_tensor *t, void *p) {
    t->data = t->type == SSLH_F32 ? (sslh_real *)p : NULL;
    t->ints = t->type == SSLH_I32 ? (int32_t *)p : NULL;
    t->bytes = t->type == SSLH_U8 ? (uint8_t *)p : NULL;
}

SSLH_I_FN void *sslh_i_get_data(const sslh_tensor *t) {
    return t->type == SSLH_F32 ? (void *)t->data : t->type == SSLH_I32 ? (void *)t->ints : (void *)t->bytes;
}

SSLH_I_FN sslh_i_buf *sslh_i_buf_new(sslh_ctx *c, size_t bytes, int high) {
    sslh_i_buf *b = c->free_bufs;
    size_t size = (bytes + SSLH_I_ALIGN - 1) / SSLH_I_ALIGN * SSLH_I_ALIGN;
    if (b) c->free_bufs = b->next_free;
    else b = (sslh_i_buf *)sslh_i_record_alloc(c, sizeof *b);
    if (!b) return NULL;
    b->next_free = NULL;
    b->refs = 1;
    b->size = size;
    b->start = sslh_i_heap_take(c, size, high);
    return b->start ? b : NULL;
}

SSLH_I_FN void sslh_i_buf_drop(sslh_ctx *c, sslh_i_buf *b) {
    if (!b || --b->refs > 0) return;
    sslh_i_heap_give(c, b->start, b->size);
    b->start = NULL;
    b->next_free = c->free_bufs;
    c->free_bufs = b;
}

/* A header of the step, entered in the list by which scopes free. */
SSLH_I_FN sslh_tensor *sslh_i_header(sslh_ctx *c, sslh_type type, sslh_shape shape, size_t count) {
    sslh_tensor *t;
    if (!sslh_i_grow(c, (void **)(void *)&c->tensors, &c->tensors_cap, c->ntensors + 1, sizeof *c->tensors)) return NULL;
    t = (sslh_tensor *)sslh_i_record_alloc(c, sizeof *t);
    if (!t) return NULL;
    t->type = type;
    t->ndim = shape.ndim;
    memcpy(t->shape, shape.size, sizeof t->shape);
    t->count = count;
    t->ctx = c;
    c->tensors[c->ntensors++] = t;
    return t;
}

SSLH_I_FN sslh_tensor *sslh_i_new(sslh_ctx *c, const char *op, sslh_type type, sslh_shape shape) {
    size_t count = sslh_i_count(c, op, shape);
    sslh_tensor *t;
    sslh_i_buf *b;
    if (!count || SSLH_I_BAD(c)) return NULL;
    t = sslh_i_header(c, type, shape, count);
    if (!t) return NULL;
    b = sslh_i_buf_new(c, count * sslh_i_type_size(type), 0);
    if (!b) return NULL;
    t->owner = b;
    sslh_i_set_data(t, b->start);
    c->dirty = 1;
    return t;
}

SSLH_I_FN sslh_tensor *sslh_i_alias(sslh_ctx *c, sslh_tensor *x, sslh_shape shape) {
    sslh_tensor *t = sslh_i_header(c, x->type, shape, x->count);
    if (!t) return NULL;
    sslh_i_set_data(t, sslh_i_get_data(x));
    t->owner = x->owner;
    if (t->owner) ((sslh_i_buf *)t->owner)->refs++;
    c->dirty = 1;
    return t;
}

/* Gradients of step tensors lie in a buffer of their own whose header stands in front of them. */
#define SSLH_I_GRAD_HEAD SSLH_I_ALIGN

SSLH_I_FN void sslh_i_release_grad(sslh_ctx *c, sslh_tensor *t) {
    if (!t->grad || (t->flags & (SSLH_I_PARAM | SSLH_I_LONG))) return;
    {
        char *start = (char *)t->grad - SSLH_I_GRAD_HEAD;
        size_t size = (t->count * sizeof(sslh_real) + SSLH_I_GRAD_HEAD + SSLH_I_ALIGN - 1) / SSLH_I_ALIGN * SSLH_I_ALIGN;
        t->grad = NULL;
        sslh_i_heap_give(c, start, size);
    }
}

SSLH_I_FN void sslh_i_release(sslh_ctx *c, sslh_tensor *t) {
    if (!t || (t->flags & (SSLH_I_PARAM | SSLH_I_STATE | SSLH_I_LONG)) || t == &c->dummy) return;
    sslh_i_release_grad(c, t);
    if (!t->owner) return;
    sslh_i_buf_drop(c, (sslh_i_buf *)t->owner);
    t->owner = NULL;
    sslh_i_set_data(t, NULL); /* a use after this is an error sentence, not stale values */
}

/* A scratch area has a header with its size in front. */
SSLH_I_FN void *sslh_i_scratch(sslh_ctx *c, size_t bytes) {
    size_t size = (bytes + 2 * SSLH_I_ALIGN - 1) / SSLH_I_ALIGN * SSLH_I_ALIGN;
    char *p;
    if (SSLH_I_BAD(c)) return NULL;
    if (size < bytes) {
        sslh_fail(c, SSLH_E_MEMORY, "out of memory: a size overflows");
        return NULL;
    }
    p = sslh_i_heap_take(c, size, 1);
    if (!p) return NULL;
    memcpy(p, &size, sizeof size);
    return p + SSLH_I_ALIGN;
}

SSLH_I_FN void sslh_i_unscratch(sslh_ctx *c, void *p) {
    size_t size;
    char *start;
    if (!p) return;
    start = (char *)p - SSLH_I_ALIGN;
    memcpy(&size, start, sizeof size);
    sslh_i_heap_give(c, start, size);
}

/* --- steps and scopes -------------------------------------------------------------------------------------------- */

/* Gives back every tensor after number n and every node after number m. */
SSLH_I_FN void sslh_i_unwind(sslh_ctx *c, size_t n, size_t m) {
    while (c->ntensors > n) sslh_i_release(c, c->tensors[--c->ntensors]);
    c->nnodes = m;
}

/* Back to the records of a scope; buffer headers from after it must not be reused. */
SSLH_I_FN void sslh_i_records_back(sslh_ctx *c, size_t chunk, size_t used) {
    c->record_chunk = chunk;
    c->record_used = used;
    c->free_bufs = NULL;
}

SSLH_DEF void sslh_begin_step(sslh_ctx *c) {
    if (SSLH_I_BAD(c)) return;
    if (c->depth) {
        const sslh_i_scope *s = &c->scopes[c->depth - 1];
        sslh_i_unwind(c, s->tensors, s->nodes);
        sslh_i_records_back(c, s->record_chunk, s->record_used);
    } else {
        sslh_i_unwind(c, 0, 0);
        sslh_i_records_back(c, 0, 0);
        sslh_i_heap_join(c);
    }
    c->dirty = 0;
    c->steps++;
}

SSLH_DEF void sslh_push(sslh_ctx *c) {
    sslh_i_scope *s;
    if (!c || c == &sslh_i_dead) return; /* also after an error: every sslh_pop finds its sslh_push */
    if (c->depth == (int)(sizeof c->scopes / sizeof c->scopes[0])) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_push: more than %d nested scopes", c->depth);
        return;
    }
    s = &c->scopes[c->depth++];
    s->tensors = c->ntensors;
    s->nodes = c->nnodes;
    s->record_chunk = c->record_chunk;
    s->record_used = c->record_used;
    s->stream = c->stream;
    s->no_grad = c->no_grad;
    s->dirty = c->dirty;
    c->no_grad = 0;
    c->dirty = 0;
}

SSLH_DEF void sslh_pop(sslh_ctx *c) {
    const sslh_i_scope *s;
    if (!c || c == &sslh_i_dead) return;
    if (c->depth == 0) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_pop: no scope is open (every sslh_pop needs its sslh_push)");
        return;
    }
    s = &c->scopes[--c->depth];
    sslh_i_unwind(c, s->tensors, s->nodes);
    sslh_i_records_back(c, s->record_chunk, s->record_used);
    c->stream = s->stream;
    c->no_grad = s->no_grad;
    c->dirty = s->dirty;
}

SSLH_DEF void sslh_no_grad(sslh_ctx *c, int on) {
    if (SSLH_I_BAD(c)) return;
    c->no_grad += on ? 1 : -1;
    if (c->no_grad < 0) {
        c->no_grad = 0;
        sslh_fail(c, SSLH_E_USAGE, "sslh_no_grad(c, 0): it was not on");
    }
}

SSLH_DEF void sslh_clear_error(sslh_ctx *c) {
    if (!c || c == &sslh_i_dead) return;
    c->code = SSLH_OK;
    c->message[0] = 0;
    c->no_grad = 0;
    c->groups = ~0u;
    if (c->depth) sslh_i_unwind(c, c->scopes[c->depth - 1].tensors, c->scopes[c->depth - 1].nodes);
    else sslh_i_unwind(c, 0, 0);
    c->dirty = 1;
}

/* --- the pool ---------------------------------------------------------------------------------------------------- */
/* Workers take task numbers from a shared counter. A worker that finds nothing spins for some microseconds, because the
   next operation is usually there by then, and then sleeps, so that a busy machine is not slowed down by waiting. */

#if SSLH_I_THREADS
#if defined(_WIN32)
typedef CRITICAL_SECTION sslh_i_mutex;
typedef CONDITION_VARIABLE sslh_i_cond;
typedef HANDLE sslh_i_thread;
#define SSLH_I_LOCK(m) EnterCriticalSection(m)
#define SSLH_I_UNLOCK(m) LeaveCriticalSection(m)
#define SSLH_I_WAIT(v, m) SleepConditionVariableCS(v, m, INFINITE)
#define SSLH_I_WAKE_ALL(v) WakeAllConditionVariable(v)
#else
typedef pthread_mutex_t sslh_i_mutex;
typedef pthread_cond_t sslh_i_cond;
typedef pthread_t sslh_i_thread;
#define SSLH_I_LOCK(m) pthread_mutex_lock(m)
#define SSLH_I_UNLOCK(m) pthread_mutex_unlock(m)
#define SSLH_I_WAIT(v, m) pthread_cond_wait(v, m)
#define SSLH_I_WAKE_ALL(v) pthread_cond_broadcast(v)
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define SSLH_I_FETCH_ADD(p, v) InterlockedExchangeAdd((volatile long *)(p), (v))
#define SSLH_I_LOAD(p) InterlockedExchangeAdd((volatile long *)(p), 0)
#define SSLH_I_STORE(p, v) InterlockedExchange((volatile long *)(p), (v))
#define SSLH_I_RELAX() YieldProcessor()
#else
#define SSLH_I_FETCH_ADD(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define SSLH_I_LOAD(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define SSLH_I_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#if defined(__x86_64__) || defined(__i386__)
#define SSLH_I_RELAX() __asm__ __volatile__("pause" ::: "memory")
#elif defined(__aarch64__)
#define SSLH_I_RELAX() __asm__ __volatile__("yield" ::: "memory")
#else
#define SSLH_I_RELAX() __asm__ __volatile__("" ::: "memory")
#endif
#endif

#define SSLH_I_SPINS 4000 /* some 20 us */

typedef struct sslh_i_worker { struct sslh_i_pool *pool; int id; } sslh_i_worker;
struct sslh_i_pool {
    sslh_i_thread *threads;
    sslh_i_worker *workers;
    int   started;      /* threads running besides the caller's */
    long  process;      /* its process id: after a fork the threads are gone and are started again */
    sslh_i_mutex mutex;
    sslh_i_cond  wake;  /* a job is there, or the end */
    int   generation;   /* number of the job; 32-bit atomics */
    int   open;         /* 1 while the job takes helpers */
    int   next, tasks;  /* next task, number of tasks */
    int   active;       /* workers inside the job */
    int   sleeping;
    int   stop;
    sslh_task_fn fn;
    void *arg;
};
#endif

/* Denormal flushing and rounding modes that some other library has set would change our bits: every task runs under the
   default environment, and the caller's is put back. */
#if (defined(__x86_64__) || defined(_M_X64) || (defined(__i386__) && defined(__SSE__))) && !defined(__TINYC__)
typedef unsigned sslh_i_fpenv;
SSLH_I_INLINE sslh_i_fpenv sslh_i_fp_enter(void) {
    unsigned old = _mm_getcsr();
    if ((old & 0xffc0u) != 0x1f80u) _mm_setcsr(0x1f80u);
    return old;
}
SSLH_I_INLINE void sslh_i_fp_leave(sslh_i_fpenv old) {
    if ((old & 0xffc0u) != 0x1f80u) _mm_setcsr(old);
}
#elif defined(__aarch64__) && defined(__GNUC__)
typedef uint64_t sslh_i_fpenv;
SSLH_I_INLINE sslh_i_fpenv sslh_i_fp_enter(void) {
    uint64_t old, none = 0;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(old));
    if (old) __asm__ __volatile__("msr fpcr, %0" ::"r"(none));
    return old;
}
SSLH_I_INLINE void sslh_i_fp_leave(sslh_i_fpenv old) {
    if (old) __asm__ __volatile__("msr fpcr, %0" ::"r"(old));
}
#else
typedef int sslh_i_fpenv;
SSLH_I_INLINE sslh_i_fpenv sslh_i_fp_enter(void) { return 0; }
SSLH_I_INLINE void sslh_i_fp_leave(sslh_i_fpenv old) { (void)old; }
#endif

#if SSLH_I_THREADS
/* Tasks until none are left. */
SSLH_I_FN void sslh_i_pool_run(struct sslh_i_pool *p, int worker) {
    sslh_i_fpenv env = sslh_i_fp_enter();
    int tasks = p->tasks;
    for (;;) {
        int t = (int)SSLH_I_FETCH_ADD(&p->next, 1);
        if (t >= tasks) break;
        p->fn(p->arg, t, worker);
    }
    sslh_i_fp_leave(env);
}

#if defined(_WIN32)
static DWORD WINAPI sslh_i_pool_thread(LPVOID arg) {
#else
static void *sslh_i_pool_thread(void *arg) {
#endif
    sslh_i_worker *w = (sslh_i_worker *)arg;
    struct sslh_i_pool *p = w->pool;
    int seen = 0;
    for (;;) {
        int spins = 0;
        while ((int)SSLH_I_LOAD(&p->generation) == seen && spins < SSLH_I_SPINS) {
            SSLH_I_RELAX();
            spins++;
        }
        if ((int)SSLH_I_LOAD(&p->generation) == seen) {
            SSLH_I_LOCK(&p->mutex);
            SSLH_I_FETCH_ADD(&p->sleeping, 1);
            while ((int)SSLH_I_LOAD(&p->generation) == seen) SSLH_I_WAIT(&p->wake, &p->mutex);
            SSLH_I_FETCH_ADD(&p->sleeping, -1);
            SSLH_I_UNLOCK(&p->mutex);
        }
        seen = (int)SSLH_I_LOAD(&p->generation);
        if (SSLH_I_LOAD(&p->stop)) break;
        /* Say that we are in, then look whether the job is still open; the caller closes it, then waits for those inside. So
           nobody waits for a worker that woke up late. */
        SSLH_I_FETCH_ADD(&p->active, 1);
        if (SSLH_I_LOAD(&p->open)) sslh_i_pool_run(p, w->id);
        SSLH_I_FETCH_ADD(&p->active, -1);
    }
    return 0;
}

/* Starts what can be started; with fewer threads than asked for everything still works. */
SSLH_I_FN void sslh_i_pool_start(sslh_ctx *c) {
    struct sslh_i_pool *p = c->pool;
    int i;
    p->started = 0;
    p->generation = 0;
    p->stop = 0;
    p->sleeping = 0;
    p->open = 0;
    p->active = 0;
#if defined(_WIN32)
    p->process = (long)GetCurrentProcessId();
    InitializeCriticalSection(&p->mutex);
    InitializeConditionVariable(&p->wake);
#else
    p->process = (long)getpid();
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
#endif
    for (i = 0; i < c->threads - 1; i++) {
        p->workers[i].pool = p;
        p->workers[i].id = i + 1;
#if defined(_WIN32)
        p->threads[i] = CreateThread(NULL, 0, sslh_i_pool_thread, &p->workers[i], 0, NULL);
        if (!p->threads[i]) break;
#else
        if (pthread_create(&p->threads[i], NULL, sslh_i_pool_thread, &p->workers[i]) != 0) break;
#endif
        p->started++;
    }
}

SSLH_I_FN void sslh_i_pool_publish(struct sslh_i_pool *p) {
    /* The lock orders this with a worker that is about to sleep: it has either seen the new generation or is asleep. */
    SSLH_I_LOCK(&p->mutex);
    SSLH_I_STORE(&p->generation, p->generation + 1);
    if (SSLH_I_LOAD(&p->sleeping)) SSLH_I_WAKE_ALL(&p->wake);
    SSLH_I_UNLOCK(&p->mutex);
}

SSLH_I_FN void sslh_i_pool_stop(sslh_ctx *c) {
    struct sslh_i_pool *p = c->pool;
    int i;
    if (!p || p->process == 0) return;
#if !defined(_WIN32)
    if (p->process != (long)getpid()) return; /* a forked child: the threads are the parent's */
#endif
    SSLH_I_STORE(&p->stop, 1);
    sslh_i_pool_publish(p);
    for (i = 0; i < p->started; i++) {
#if defined(_WIN32)
        WaitForSingleObject(p->threads[i], INFINITE);
        CloseHandle(p->threads[i]);
#else
        pthread_join(p->threads[i], NULL);
#endif
    }
#if defined(_WIN32)
    DeleteCriticalSection(&p->mutex);
#else
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->wake);
#endif
}
#endif

SSLH_I_FN void sslh_i_parallel(sslh_ctx *c, int tasks, sslh_task_fn fn, void *arg) {
    sslh_i_fpenv env;
    int t;
    if (tasks <= 0) return;
    if (c->desc.parallel_for && tasks > 1) {
        c->desc.parallel_for(c->desc.user, tasks, fn, arg);
        return;
    }
#if SSLH_I_THREADS
    if (tasks > 1 && c->pool) {
        struct sslh_i_pool *p = c->pool;
        if (p->process == 0) sslh_i_pool_start(c);
#if !defined(_WIN32)
        else if (p->process != (long)getpid()) sslh_i_pool_start(c);
#endif
        if (p->started > 0) {
            p->fn = fn;
            p->arg = arg;
            p->tasks = tasks;
            SSLH_I_STORE(&p->next, 0);
            SSLH_I_STORE(&p->open, 1);
            sslh_i_pool_publish(p);
            sslh_i_pool_run(p, 0);
            SSLH_I_STORE(&p->open, 0);
            t = 0;
            while (SSLH_I_LOAD(&p->active) > 0) {
                SSLH_I_RELAX();
                if (++t > SSLH_I_SPINS) { /* a worker lost its processor: let it have ours */
#if defined(_WIN32)
                    SwitchToThread();
#else
                    sched_yield();
#endif
                }
            }
            return;
        }
    }
#endif
    env = sslh_i_fp_enter();
    for (t = 0; t < tasks; t++) fn(arg, t, 0);
    sslh_i_fp_leave(env);
}

SSLH_DEF void sslh_parallel(sslh_ctx *c, int tasks, sslh_task_fn fn, void *arg) {
    if (SSLH_I_BAD(c) || !fn) return;
    sslh_i_parallel(c, tasks, fn, arg);
}

/* --- creation ---------------------------------------------------------------------------------------------------- */

SSLH_I_FN void sslh_i_kernels_choose(sslh_ctx *c); /* >>kernels: sets c->k */

SSLH_DEF sslh_ctx *sslh_create(sslh_desc desc) {
    sslh_ctx *c;
    int pair = (desc.alloc != NULL) == (desc.release != NULL);
    if (!pair) desc.alloc = NULL, desc.release = NULL;
    c = (sslh_ctx *)(desc.alloc ? desc.alloc(desc.user, sizeof *c) : malloc(sizeof *c));
    if (!c) return (sslh_ctx *)(uintptr_t)&sslh_i_dead;
    memset(c, 0, sizeof *c);
    c->desc = desc;
    c->groups = ~0u;
    c->bytes = c->peak = sizeof *c;
    c->allocs = 1;
    c->stream = 1;
    if (!pair) sslh_fail(c, SSLH_E_USAGE, "sslh_create: .alloc and .release come together, one of them is NULL");
    c->threads = desc.threads == 0 ? sslh_i_processors() : desc.threads;
    if (c->threads < 1 || !(SSLH_I_THREADS || desc.parallel_for)) c->threads = 1;
    if (c->threads > 256) sslh_fail(c, SSLH_E_USAGE, "sslh_create: %d threads (at most 256)", c->threads);
    sslh_i_kernels_choose(c);
#if SSLH_I_THREADS
    if (c->threads > 1 && !desc.parallel_for && !SSLH_I_BAD(c)) {
        struct sslh_i_pool *p = (struct sslh_i_pool *)sslh_i_alloc(c, sizeof *p);
        if (p) {
            p->threads = (sslh_i_thread *)sslh_i_alloc(c, (size_t)c->threads * sizeof *p->threads);
            p->workers = (sslh_i_worker *)sslh_i_alloc(c, (size_t)c->threads * sizeof *p->workers);
            if (p->threads && p->workers) c->pool = p;
        }
    }
#endif
    {
        sslh_i_block *b;
        for (b = c->first; b; b = b->next) b->serial = 0; /* no rewind frees what the context itself needs */
    }
    return c;
}

SSLH_I_FN void sslh_i_free_blocks(sslh_ctx *c, int64_t mark) {
    sslh_i_block *b = c->last;
    while (b) {
        sslh_i_block *prev = b->prev;
        if (b->serial > mark) sslh_i_free(c, (char *)b + SSLH_I_BLOCK_HEAD);
        b = prev;
    }
}

SSLH_DEF void sslh_rewind(sslh_ctx *c, int64_t mark) {
    if (!c || c == &sslh_i_dead) return;
    if (mark < 0 || mark > c->serial) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_rewind: this mark is not of this context");
        return;
    }
    /* what is left of the step may refer to nets that go away */
    if (c->depth == 0) {
        sslh_i_unwind(c, 0, 0);
        sslh_i_records_back(c, 0, 0);
    }
    sslh_i_free_blocks(c, mark);
}

SSLH_DEF void sslh_destroy(sslh_ctx *c) {
    size_t i;
    sslh_desc desc;
    if (!c || c == &sslh_i_dead) return;
#if SSLH_I_THREADS
    sslh_i_pool_stop(c);
#endif
    sslh_i_free_blocks(c, -1);
    for (i = 0; i < c->nchunks; i++) sslh_i_raw_free(c, c->chunks[i], c->chunk_size[i]);
    for (i = 0; i < c->nrecords; i++) sslh_i_raw_free(c, c->records[i], SSLH_I_RECORD_CHUNK);
    sslh_i_raw_free(c, c->chunks, c->chunks_cap * sizeof *c->chunks);
    sslh_i_raw_free(c, c->chunk_size, c->chunks_cap * sizeof *c->chunk_size);
    sslh_i_raw_free(c, c->ranges, c->ranges_cap * sizeof *c->ranges);
    sslh_i_raw_free(c, c->records, c->records_cap * sizeof *c->records);
    sslh_i_raw_free(c, c->tensors, c->tensors_cap * sizeof *c->tensors);
    sslh_i_raw_free(c, c->nodes, c->nodes_cap * sizeof *c->nodes);
    desc = c->desc;
    if (desc.release) desc.release(desc.user, c);
    else free(c);
}

SSLH_DEF void sslh_trace(sslh_ctx *c, void (*callback)(const sslh_trace_event *event, void *user), void *user) {
    if (SSLH_I_BAD(c)) return;
    c->trace = callback;
    c->trace_user = user;
    c->trace_time = sslh_i_now();
}

/* ================================================================================================================== */
/*  >>random        Philox 4x32-10                                                                                   */
/* ================================================================================================================== */

SSLH_DEF void sslh_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3], k0 = key[0], k1 = key[1];
    int round;
    for (round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)0xD2511F53u * x0, q = (uint64_t)0xCD9E8D57u * x2;
        uint32_t y0 = (uint32_t)(q >> 32) ^ x1 ^ k0, y2 = (uint32_t)(p >> 32) ^ x3 ^ k1;
        x1 = (uint32_t)q;
        x3 = (uint32_t)p;
        x0 = y0;
        x2 = y2;
        k0 += 0x9E3779B9u; /* golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

/* Four values: number block of a stream. */
SSLH_I_FN void sslh_i_philox_at(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4]) {
    uint32_t counter[4], key[2];
    counter[0] = (uint32_t)block;
    counter[1] = (uint32_t)(block >> 32);
    counter[2] = (uint32_t)stream;
    counter[3] = (uint32_t)(stream >> 32);
    key[0] = (uint32_t)seed;
    key[1] = (uint32_t)(seed >> 32);
    sslh_philox(counter, key, out);
}

SSLH_DEF uint32_t sslh_random_u32(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t x[4];
    sslh_i_philox_at(seed, stream, index >> 2, x);
    return x[index & 3];
}

SSLH_I_FN float sslh_i_unit(uint32_t x) { return (float)(x >> 8) * (1.0f / 16777216.0f); } /* [0,1) */

SSLH_DEF float sslh_random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
    return sslh_i_unit(sslh_random_u32(seed, stream, index));
}

/* Box-Muller: sqrt(-2 ln u) cos(2 pi v), u in (0,1] */
SSLH_I_FN float sslh_i_box_muller(uint32_t a, uint32_t b) {
    static const float two_pi = 6.283185307179586f;
    float u = (float)((a >> 8) + 1) * (1.0f / 16777216.0f);
    float v = sslh_i_unit(b);
    float radius2 = -2.0f * (float)sslh_i_log((sslh_real)u);
    float radius = sqrtf(radius2);
    float angle = two_pi * v;
    return radius * (float)sslh_i_cos((sslh_real)angle);
}

SSLH_DEF float sslh_random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t x[4];
    int at = (int)(index & 1) * 2;
    sslh_i_philox_at(seed, stream, index >> 1, x);
    return sslh_i_box_muller(x[at], x[at + 1]);
}

SSLH_DEF uint32_t sslh_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint32_t n) {
    return (uint32_t)(((uint64_t)sslh_random_u32(seed, stream, index) * n) >> 32);
}

SSLH_DEF void sslh_random_permutation(uint64_t seed, uint64_t stream, int32_t *out, int32_t n) {
    int32_t i;
    for (i = 0; i < n; i++) out[i] = i;
    for (i = n - 1; i > 0; i--) {
        int32_t j = (int32_t)sslh_random_below(seed, stream, (uint64_t)i, (uint32_t)i + 1), t = out[i];
        out[i] = out[j];
        out[j] = t;
    }
}

SSLH_DEF uint64_t sslh_next_stream(sslh_ctx *c) {
    if (SSLH_I_BAD(c)) return 0;
    return c->stream++;
}

/* Bulk fills, threaded; value i is sslh_random_uniform / sslh_random_normal (seed, stream, i) scaled and shifted. */
typedef struct sslh_i_fill { uint64_t seed, stream; sslh_real *out; size_t n; float a, b; int normal; } sslh_i_fill;
#define SSLH_I_FILL_TASK 16384
SSLH_I_FN void sslh_i_fill_task(void *arg, int task, int worker) {
    const sslh_i_fill *f = (const sslh_i_fill *)arg;
    size_t begin = (size_t)task * SSLH_I_FILL_TASK, end = SSLH_I_MIN(f->n, begin + SSLH_I_FILL_TASK), i;
    uint32_t x[4];
    (void)worker;
    for (i = begin; i < end; i++) {
        float v;
        if (f->normal) {
            if (i == begin || (i & 1) == 0) sslh_i_philox_at(f->seed, f->stream, i >> 1, x);
            v = sslh_i_box_muller(x[(i & 1) * 2], x[(i & 1) * 2 + 1]);
        } else {
            if (i == begin || (i & 3) == 0) sslh_i_philox_at(f->seed, f->stream, i >> 2, x);
            v = sslh_i_unit(x[i & 3]);
        }
        v = v * f->b;
        v = v + f->a;
        f->out[i] = (sslh_real)v;
    }
}

/* out = a + b * draw */
SSLH_I_FN void sslh_i_random_fill(sslh_ctx *c, uint64_t stream, sslh_real *out, size_t n, int normal, float a, float b) {
    sslh_i_fill f;
    f.seed = c->desc.seed;
    f.stream = stream;
    f.out = out;
    f.n = n;
    f.a = a;
    f.b = b;
    f.normal = normal;
    sslh_i_parallel(c, (int)((n + SSLH_I_FILL_TASK - 1) / SSLH_I_FILL_TASK), sslh_i_fill_task, &f);
}

/* ================================================================================================================== */
/*  >>kernels       vector layer, reference kernels, SIMD passes, dispatch                                           */
/* ================================================================================================================== */

/* --- own elementary functions ---
   libm differs between systems, so nothing that reaches a float tensor may call it (sqrt, floor, fabs are exact and safe).
   These are plain float arithmetic, one rounding per statement, no fused operations: the same bits on every machine. The
   polynomials are minimax fits on the reduced range (exp, log, tanh, sin, cos: Moshier's Cephes; erf: Juffa). The double
   build, made for gradient checks, calls libm. */
#if SSLH_I_DOUBLE
SSLH_I_FN sslh_real sslh_i_sqrt(sslh_real x) { return (sslh_real)sqrt((double)x); }
SSLH_I_FN sslh_real sslh_i_fabs(sslh_real x) { return (sslh_real)fabs((double)x); }
SSLH_I_FN sslh_real sslh_i_floor(sslh_real x) { return (sslh_real)floor((double)x); }
SSLH_I_FN sslh_real sslh_i_exp(sslh_real x) { return (sslh_real)exp((double)x); }
SSLH_I_FN sslh_real sslh_i_log(sslh_real x) { return (sslh_real)log((double)x); }
SSLH_I_FN sslh_real sslh_i_tanh(sslh_real x) { return (sslh_real)tanh((double)x); }
SSLH_I_FN sslh_real sslh_i_erf(sslh_real x) { return (sslh_real)erf((double)x); }
SSLH_I_FN sslh_real sslh_i_sin(sslh_real x) { return (sslh_real)sin((double)x); }
SSLH_I_FN sslh_real sslh_i_cos(sslh_real x) { return (sslh_real)cos((double)x); }
SSLH_I_FN sslh_real sslh_i_pow(sslh_real x, sslh_real y) { return (sslh_real)pow((double)x, (double)y); }
#else
SSLH_I_FN float sslh_i_sqrt(float x) { return sqrtf(x); }
SSLH_I_FN float sslh_i_fabs(float x) { return fabsf(x); }
SSLH_I_FN float sslh_i_floor(float x) { return floorf(x); }

SSLH_I_FN uint32_t sslh_i_bits_of(float x) { uint32_t u; memcpy(&u, &x, sizeof u); return u; }
SSLH_I_FN float    sslh_i_of_bits(uint32_t u) { float x; memcpy(&x, &u, sizeof x); return x; }
#define SSLH_I_INF sslh_i_of_bits(0x7f800000u)
#define SSLH_I_NAN sslh_i_of_bits(0x7fc00000u)

/* a[0] x^(n-1) + .. + a[n-1], Horner, each product and sum rounded. */
SSLH_I_FN float sslh_i_poly(const float *a, int n, float x) {
    float y = a[0];
    for (int i = 1; i < n; i++) {
        float t = y * x;
        y = t + a[i];
    }
    return y;
}

/* e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2; ln 2 is subtracted in two parts. */
SSLH_I_FN float sslh_i_exp(float x) {
    static const float p[6] = { 1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                                1.6666665459e-1f, 5.0000001201e-1f };
    static const float c[5] = { 1.44269504088896341f, 0.693359375f, -2.12194440e-4f, 88.72284f, -103.9721f };
    if (x != x) return x;
    if (x > c[3]) return SSLH_I_INF;
    if (x < c[4]) return 0.0f;
    float z = x * c[0];
    z = z + 0.5f;
    float n = floorf(z);
    float t = n * c[1];
    float r = x - t;
    t = n * c[2];
    r = r - t;
    float y = sslh_i_poly(p, 6, r);
    t = r * r;
    y = y * t;
    y = y + r;
    y = y + 1.0f;
    int e = (int)n, h = e / 2; /* two factors: 2^128 and subnormal results are outside one factor's range */
    y = y * sslh_i_of_bits((uint32_t)(h + 127) << 23);
    y = y * sslh_i_of_bits((uint32_t)(e - h + 127) << 23);
    return y;
}

/* log x = e ln 2 + log m, sqrt(1/2) <= m < sqrt 2. */
SSLH_I_FN float sslh_i_log(float x) {
    static const float p[9] = { 7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                                -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f };
    static const float c[3] = { 0.693359375f, -2.12194440e-4f, 0.707106781186547524f };
    if (x != x) return x;
    if (x < 0.0f) return SSLH_I_NAN;
    if (x == 0.0f) return -SSLH_I_INF;
    if (x == SSLH_I_INF) return x;
    int e = 0;
    if (x < 1.17549435e-38f) { /* subnormal */
        x = x * 16777216.0f;
        e = -24;
    }
    uint32_t u = sslh_i_bits_of(x);
    e += (int)(u >> 23) - 126;
    float m = sslh_i_of_bits((u & 0x007fffffu) | 0x3f000000u); /* in [1/2, 1) */
    if (m < c[2]) {
        e--;
        m = m + m;
    }
    m = m - 1.0f;
    float z = m * m, fe = (float)e;
    float y = sslh_i_poly(p, 9, m);
    y = y * m;
    y = y * z;
    float t = fe * c[1];
    y = y + t;
    t = 0.5f * z;
    y = y - t;
    y = m + y;
    t = fe * c[0];
    y = y + t;
    return y;
}

SSLH_I_FN float sslh_i_tanh(float x) {
    static const float p[5] = { -5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f,
                                -3.33332819422e-1f };
    float a = fabsf(x), y;
    if (a < 0.625f) {
        float z = x * x;
        y = sslh_i_poly(p, 5, z);
        y = y * z;
        y = y * x;
        return y + x;
    }
    if (a > 9.5f) {
        y = 1.0f;
    } else { /* tanh a = 1 - 2 / (e^2a + 1); NaN comes this way and stays */
        y = sslh_i_exp(a + a);
        y = y + 1.0f;
        y = 2.0f / y;
        y = 1.0f - y;
    }
    return x < 0.0f ? -y : y;
}

SSLH_I_FN float sslh_i_erf(float x) {
    static const float p[6] = { -5.96761703e-4f, 4.99119423e-3f, -2.67681349e-2f, 1.12819925e-1f, -3.76125336e-1f,
                                1.28379166e-1f };
    static const float q[7] = { -1.72853470e-5f, 3.83197126e-4f, -3.88396438e-3f, 2.42546219e-2f, -1.06777877e-1f,
                                -6.34846687e-1f, -1.28717512e-1f };
    float a = fabsf(x), y;
    if (a <= 0.921875f) { /* erf x = x + x P(x^2) */
        float z = x * x;
        y = sslh_i_poly(p, 6, z);
        y = y * x;
        return y + x;
    }
    if (a > 4.0f) return x < 0.0f ? -1.0f : 1.0f;
    y = sslh_i_poly(q, 7, a); /* erf a = 1 - exp(a Q(a) - a) */
    y = y * a;
    y = y - a;
    y = sslh_i_exp(y);
    y = 1.0f - y;
    return x < 0.0f ? -y : y;
}

/* Octant of |x| and the rest in +-pi/4. Up to 8192 in float (three parts of pi/4), beyond in double. */
SSLH_I_FN float sslh_i_octant(float a, int *octant) {
    static const float c[4] = { 1.27323954473516f, 0.78515625f, 2.4187564849853515625e-4f, 3.77489497744594108e-8f };
    static const double d[3] = { 1.2732395447351628, 0.785398163366597145795822, 3.0851303e-11 };
    if (a <= 8192.0f) {
        float z = a * c[0];
        int j = (int)z;
        j += j & 1; /* to the nearest even octant */
        float f = (float)j;
        z = f * c[1];
        float r = a - z;
        z = f * c[2];
        r = r - z;
        z = f * c[3];
        r = r - z;
        *octant = j & 7;
        return r;
    }
    double x = (double)a, z = x * d[0];
    if (!(z < 1e15)) { /* huge, Inf or NaN: no meaningful angle is left */
        *octant = 0;
        return a - a;
    }
    int64_t j = (int64_t)z;
    j += j & 1;
    double f = (double)j, t = f * d[1];
    double r = x - t;
    t = f * d[2];
    r = r - t;
    *octant = (int)(j & 7);
    return (float)r;
}
SSLH_I_FN float sslh_i_sin_small(float r) { /* |r| <= pi/4 */
    static const float p[3] = { -1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f };
    float z = r * r;
    float y = sslh_i_poly(p, 3, z);
    y = y * z;
    y = y * r;
    return y + r;
}
SSLH_I_FN float sslh_i_cos_small(float r) {
    static const float p[3] = { 2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f };
    float z = r * r;
    float y = sslh_i_poly(p, 3, z);
    y = y * z;
    y = y * z;
    float t = 0.5f * z;
    y = y - t;
    return y + 1.0f;
}
SSLH_I_FN float sslh_i_sin(float x) {
    int j;
    float r = sslh_i_octant(fabsf(x), &j);
    float y = (j & 2) ? sslh_i_cos_small(r) : sslh_i_sin_small(r);
    if (j & 4) y = -y;
    return x < 0.0f ? -y : y;
}
SSLH_I_FN float sslh_i_cos(float x) {
    int j;
    float r = sslh_i_octant(fabsf(x), &j);
    float y = (j & 2) ? sslh_i_sin_small(r) : sslh_i_cos_small(r);
    return j == 2 || j == 4 ? -y : y;
}

/* x^y through log and exp in double: the error of y log x is multiplied by the result, float would lose seven bits. */
SSLH_I_FN float sslh_i_pow(float x, float y) {
    if (y == 0.0f || x == 1.0f) return 1.0f;
    if (x != x || y != y) return x + y;
    float sign = 1.0f;
    if (x < 0.0f) {
        if (floorf(y) != y) return SSLH_I_NAN;
        float half = y * 0.5f;
        if (floorf(half) != half) sign = -1.0f;
        x = -x;
    }
    if (x == 1.0f) return sign;
    if (x == 0.0f || x == SSLH_I_INF) return (x == 0.0f) == (y > 0.0f) ? sign * 0.0f : sign * SSLH_I_INF;
    if (y == SSLH_I_INF || y == -SSLH_I_INF) return (x < 1.0f) == (y > 0.0f) ? 0.0f : SSLH_I_INF;
    /* log m = 2 (s + s^3/3 + s^5/5 ..), s = (m-1)/(m+1) */
    int e = 0;
    if (x < 1.17549435e-38f) {
        x = x * 16777216.0f;
        e = -24;
    }
    uint32_t u = sslh_i_bits_of(x);
    e += (int)(u >> 23) - 127;
    double m = (double)sslh_i_of_bits((u & 0x007fffffu) | 0x3f800000u);
    if (m > 1.4142135) {
        m = m * 0.5;
        e++;
    }
    double a = m - 1.0, b = m + 1.0;
    double s = a / b;
    double z = s * s, l = 0.0;
    for (int i = 21; i >= 1; i -= 2) {
        double t = l * z;
        double k = 1.0 / (double)i;
        l = t + k;
    }
    l = l * s;
    l = l + l;
    a = (double)e * 0.69314718055994530942;
    l = l + a;
    l = l * (double)y;
    if (l > 89.0) return sign * SSLH_I_INF;
    if (l < -104.0) return sign * 0.0f;
    b = l * 1.44269504088896340736;
    b = b + 0.5;
    double n = floor(b);
    a = n * 0.69314718055994530942;
    double r = l - a, p = 1.0;
    for (int i = 13; i >= 1; i--) { /* Taylor series of e^r, |r| < 0.35 */
        double t = p * r;
        t = t / (double)i;
        p = t + 1.0;
    }
    p = p * (double)sign;
    int h = (int)n;
    while (h > 0) { p = p * 2.0; h--; }
    while (h < 0) { p = p * 0.5; h++; }
    return (float)p;
}
#endif

/* a b + c with two roundings, also where the compiler would keep extra bits. */
SSLH_I_INLINE sslh_real sslh_i_muladd(sslh_real a, sslh_real b, sslh_real c) {
    sslh_real t = a * b;
    return t + c;
}

#if SSLH_I_DOUBLE
#define SSLH_I_NONE (-1.0 / 0.0) /* a lower bound that is none */
#else
#define SSLH_I_NONE (-SSLH_I_INF)
#endif

/* One tile of a product, see "kernels: products" below. c[r][j] = relu(c[r][j] (if accumulate) + sum + bias[j]). */
typedef struct sslh_i_tile {
    int                     rows, cols;    /* any number of rows; at most NR columns */
    int                     segs, len;     /* rows: segments of len */
    const sslh_real *const *a;             /* rows: [segs][MR] pointers (rows <= MR when segs > 1); runs: [segs] */
    const sslh_real        *b;             /* rows: b[k bstep + j], k over all segments */
    const sslh_real *const *bs;            /* runs: [segs] */
    const int              *lens;          /* runs: [segs] */
    size_t                  astep, bstep;
    sslh_real              *c;             /* row r is c + r ldc, */
    size_t                  ldc;
    sslh_real *const       *cs;            /* or cs[r] + col */
    size_t                  col;
    const sslh_real        *bias;
    int                     accumulate, relu;
} sslh_i_tile;

#define SSLH_I_MASKED SSLH_I_R(1e30) /* minus this stands for minus infinity in attention scores */

/* --- what the element-wise and row kernels are told --- */
typedef enum sslh_i_unary_op { /* y(x; p, q). Derivatives of the first group need y only, of the second x */
    SSLH_I_U_LINEAR = 0, SSLH_I_U_RELU, SSLH_I_U_SIGMOID, SSLH_I_U_TANH, SSLH_I_U_EXP, SSLH_I_U_SQRT,
    SSLH_I_U_SCALE /* p x */, SSLH_I_U_SHIFT /* x + p */,
    SSLH_I_U_GELU, SSLH_I_U_GELU_TANH, SSLH_I_U_SILU, SSLH_I_U_SOFTPLUS, SSLH_I_U_LEAKY /* slope p */,
    SSLH_I_U_ELU /* alpha p */, SSLH_I_U_LOG, SSLH_I_U_SQUARE, SSLH_I_U_ABS, SSLH_I_U_POW /* x^p */,
    SSLH_I_U_CLAMP /* to [p,q] */
} sslh_i_unary_op;
typedef enum sslh_i_binary_op { SSLH_I_B_ADD = 0, SSLH_I_B_SUB, SSLH_I_B_MUL, SSLH_I_B_DIV, SSLH_I_B_MIN, SSLH_I_B_MAX,
                                SSLH_I_B_GREATER } sslh_i_binary_op;

typedef struct sslh_i_sgd { /* one SGD or LARS step, see the kernel */
    sslh_real lr, momentum, decay;
    sslh_real grad_scale; /* multiplies g first (clipping); 1 for none */
    sslh_real ratio;      /* multiplies g + decay p (LARS's trust ratio); 1 for SGD */
    int       nesterov, zero_grad;
} sslh_i_sgd;

typedef struct sslh_i_adam {
    sslh_real lr;             /* of this step, without bias correction */
    sslh_real beta1, beta2, eps;
    sslh_real decay;          /* Adam: added to the gradient as decay p */
    sslh_real decoupled;      /* AdamW: p is first multiplied by 1 - lr decoupled; one of the two is 0 */
    sslh_real bias1, bias2;   /* 1 - beta1^t, 1 - beta2^t; both 1 without bias correction */
    sslh_real grad_scale;
    int       zero_grad;
} sslh_i_adam;

/* Per-channel vectors (C) of a normalisation, y = (x - mean) scale + shift. */
typedef struct sslh_i_affine { const sslh_real *mean, *scale, *shift; } sslh_i_affine;

/* 1 when 2 p is a small integer, so that x^p is products and a square root */
SSLH_I_FN int sslh_i_twice(sslh_real p) { return p + p == sslh_i_floor(p + p) && p >= -16 && p <= 16; }

static const sslh_real sslh_i_iota[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

/* --- the function table of one instruction set --- */
struct sslh_i_kernels {
    const char *name;
    int         fma; /* products and sums are fused: the bits of AVX2, AVX-512, NEON; otherwise those of SSE2 and C */
    /* products and convolutions */
    int mr, nr, w; /* rows and columns of a tile, lanes of a register */
    void (*tile_rows)(const sslh_i_tile *t);
    void (*tile_runs)(const sslh_i_tile *t);
    void (*pack_n)(sslh_real *to, int step, const sslh_real *from, size_t ld, int cols, int k);
    void (*pack_t)(sslh_real *to, int step, const sslh_real *from, size_t ld, int cols, int k);
    void (*relu_bias)(const sslh_real *y, const sslh_real *dy, sslh_real *dz, sslh_real *sum, size_t rows, size_t n);
    void (*depthwise)(int taps, const sslh_real *const *p, const sslh_real *w, size_t n, sslh_real *y, const sslh_real *bias, int relu,
                      int accumulate);
    void (*madd_row)(sslh_real *y, const sslh_real *a, const sslh_real *b, sslh_real f, size_t n);
    void (*max_pixel)(int taps, const sslh_real *const *p, size_t n, sslh_real *y);
    void (*max_back)(int taps, const sslh_real *const *p, size_t n, const sslh_real *y, const sslh_real *dy, sslh_real *const *d);
    /* element-wise, norms, softmax, optimisers */
    void      (*unary)(int op, const sslh_real *x, sslh_real *y, size_t n, sslh_real p, sslh_real q);
    void (*unary_back)(int op, const sslh_real *x, const sslh_real *y, const sslh_real *dy, sslh_real *dx, size_t n,
                       sslh_real p, sslh_real q, int fresh);
    /* sa, sb: 1 for an array, 0 for one number */
    void      (*binary)(int op, const sslh_real *a, int sa, const sslh_real *b, int sb, sslh_real *y, size_t n);
    void (*binary_back)(int op, int side, const sslh_real *a, int sa, const sslh_real *b, int sb, const sslh_real *y,
                        const sslh_real *dy, sslh_real *dx, size_t n, int fresh);
    void      (*axpby)(sslh_real *y, const sslh_real *x, size_t n, sslh_real a, sslh_real b);
    void      (*sgd)(sslh_real *p, sslh_real *g, sslh_real *mu, size_t n, const sslh_i_sgd *s);
    void      (*adam)(sslh_real *p, sslh_real *g, sslh_real *m, sslh_real *v, size_t n, const sslh_i_adam *s);
    sslh_real (*sum)(const sslh_real *x, size_t n);
    sslh_real (*squares)(const sslh_real *x, const sslh_real *y, size_t n, sslh_real a, sslh_real b);
    /* rows of D */
    void      (*variance_rows)(const sslh_real *x, sslh_real *mean, sslh_real *m2, size_t rows, size_t D);
    void (*variance_back)(const sslh_real *x, const sslh_real *mean, const sslh_real *dy, int s, sslh_real *dx,
                          size_t n, sslh_real factor, int fresh);
    void      (*max_rows)(const sslh_real *x, sslh_real *y, int32_t *index, size_t rows, size_t D);
    void      (*lse_rows)(const sslh_real *x, sslh_real *y, size_t rows, size_t D);
    void (*lse_back)(const sslh_real *x, const sslh_real *lse, const sslh_real *dy, int s, sslh_real *dx, size_t n,
                     int fresh);
    void      (*softmax)(const sslh_real *x, sslh_real *y, size_t rows, size_t D, int log);
    void (*softmax_back)(const sslh_real *y, const sslh_real *dy, sslh_real *dx, size_t rows, size_t D, int log,
                         int fresh);
    void (*layer_norm)(const sslh_real *x, const sslh_real *gamma, const sslh_real *beta, sslh_real *y,
                       sslh_real *stats, size_t rows, size_t D, sslh_real eps);
    void (*layer_norm_back)(const sslh_real *x, const sslh_real *dy, const sslh_real *gamma, const sslh_real *stats,
                            sslh_real *dx, sslh_real *dgamma, sslh_real *dbeta, size_t rows, size_t D, int fresh);
    void      (*l2)(const sslh_real *x, sslh_real *y, sslh_real *norm, size_t rows, size_t D, sslh_real eps);
    void (*l2_back)(const sslh_real *y, const sslh_real *norm, const sslh_real *dy, sslh_real *dx, size_t rows,
                    size_t D, sslh_real eps, int fresh);
    /* columns: rows of C that lie ld apart */
    void      (*col_sum)(const sslh_real *x, size_t ld, size_t rows, size_t C, sslh_real *out);
    void      (*col_moments)(const sslh_real *x, size_t rows, size_t C, sslh_real *mean, sslh_real *m2);
    void (*norm)(const sslh_real *x, const sslh_real *residual, sslh_i_affine a, sslh_real *y, size_t rows, size_t C,
                 int relu);
    void      (*norm_sums)(const sslh_real *x, const sslh_real *dy, sslh_i_affine a, size_t rows, size_t C, int relu,
                           sslh_real *s1, sslh_real *s2);
    void (*norm_back)(const sslh_real *x, const sslh_real *dy, sslh_i_affine a, const sslh_real *p, const sslh_real *q,
                      const sslh_real *r, sslh_real *dx, size_t rows, size_t C, int relu, int fresh);
    void (*dropout)(uint64_t seed, uint64_t stream, size_t first, const sslh_real *x, sslh_real *y, size_t n, float p,
                    sslh_real factor, int fresh);
    /* attention, recurrent gates: one row */
    void      (*attend)(sslh_real *s, sslh_real scale, const sslh_real *bias, size_t n, sslh_real *lse, sslh_real *inverse);
    void      (*attend_back)(sslh_real *s, sslh_real scale, sslh_real *dp, const sslh_real *bias, size_t n, sslh_real lse,
                             sslh_real delta);
    void      (*gru)(const sslh_real *a, const sslh_real *u, const sslh_real *before, sslh_real *h, sslh_real *gates, size_t D);
    void      (*gru_back)(sslh_real *dh, const sslh_real *gates, const sslh_real *before, sslh_real *da, sslh_real *du, size_t D);
    sslh_real (*dot)(const sslh_real *x, const sslh_real *y, size_t n);
    sslh_real (*max)(const sslh_real *x, size_t n);
    /* views: n is a multiple of 16 */
    void      (*mix_rows)(const sslh_real *in, size_t stride, const sslh_real *w, int count, sslh_real *out, size_t n);
    void      (*scale_clip)(sslh_real *p, size_t n, sslh_real f, sslh_real rest);
    void      (*blend_clip)(sslh_real *p, const sslh_real *grey, size_t n, sslh_real f, sslh_real rest);
    void      (*luma)(const sslh_real *r, const sslh_real *g, const sslh_real *b, sslh_real *out, size_t n);
    void      (*hue)(sslh_real *r, sslh_real *g, sslh_real *b, size_t n, sslh_real turn);
    void      (*solarize)(sslh_real *p, size_t n, sslh_real threshold);
};

/* --- passes: the kernel text is compiled once per instruction set ---
   Each pass sets SSLH_I_PASS, SSLH_I_SUFFIX (appended to every name, see SSLH_I_P) and the compiler's target, and
   includes this very file again. The portable C pass needs no target and is compiled in place. Functions that inline each
   other are in the same pass (always_inline does not work across targets); constants they share are macros. */
#define SSLH_I_PASS_C 0
#define SSLH_I_PASS_SSE2 1
#define SSLH_I_PASS_AVX2 2
#define SSLH_I_PASS_AVX512 3
#define SSLH_I_PASS_NEON 4

#define SSLH_I_CAT_(a, b) a##b
#define SSLH_I_CAT(a, b) SSLH_I_CAT_(a, b)
#define SSLH_I_P(name) SSLH_I_CAT(name, SSLH_I_SUFFIX)

#ifndef SSLH_FILE
#define SSLH_FILE "ssl.h" /* this file's name, should it have been renamed */
#endif

#if SSLH_I_X86
#define SSLH_I_INNER 1

#define SSLH_I_PASS SSLH_I_PASS_SSE2
#define SSLH_I_SUFFIX sse2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("sse2"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("sse2")
#endif
#include SSLH_FILE
#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#ifndef SSLH_I_MARK
#error "ssl.h: the file includes itself, and another ssl.h was found: put this one first in the path, name it in SSLH_FILE, or define SSLH_WITH_SIMD 0"
#endif
#undef SSLH_I_MARK
#undef SSLH_I_PASS
#undef SSLH_I_SUFFIX

#define SSLH_I_PASS SSLH_I_PASS_AVX2
#define SSLH_I_SUFFIX avx2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#include SSLH_FILE
#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#undef SSLH_I_MARK
#undef SSLH_I_PASS
#undef SSLH_I_SUFFIX

#define SSLH_I_PASS SSLH_I_PASS_AVX512
#define SSLH_I_SUFFIX avx512
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif
#include SSLH_FILE
#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#undef SSLH_I_MARK
#undef SSLH_I_PASS
#undef SSLH_I_SUFFIX

#undef SSLH_I_INNER
#elif SSLH_I_ARM
#define SSLH_I_INNER 1
#define SSLH_I_PASS SSLH_I_PASS_NEON
#define SSLH_I_SUFFIX neon
#include SSLH_FILE
#ifndef SSLH_I_MARK
#error "ssl.h: the file includes itself, and another ssl.h was found: put this one first in the path, name it in SSLH_FILE, or define SSLH_WITH_SIMD 0"
#endif
#undef SSLH_I_MARK
#undef SSLH_I_PASS
#undef SSLH_I_SUFFIX
#undef SSLH_I_INNER
#endif

#define SSLH_I_PASS SSLH_I_PASS_C /* compiled in place, below */
#define SSLH_I_SUFFIX c

#endif /* SSLH_I_INNER: the kernel text below is compiled once per instruction set */

/* [kernel text] */
#define SSLH_I_MARK 1

/* --- the vector layer ---
   Two levels. N is the register of the instruction set, SSLH_I_W lanes of it: the SSLH_I_N... macros below are all that
   an instruction set has to provide. V is the virtual vector of 16 lanes (1, 2 or 4 registers, or an array in C) on which
   kernels are written: sslh_i_vadd and so on. Reductions over V have one tree, so they give the same bits everywhere.

     sslh_i_v    vload(p) vloadn(p,n) vset(x) vzero()   vstore(p,v) vstoren(p,v,n)      n of 16 values, n < 16; rest is 0
                 vadd vsub vmul vdiv vmax vmin (a > b ? a : b: the second if one is NaN)  vsqrt vneg vabs vround(|x| < 2^22)
                 vfma(a,b,c) = a b + c: one rounding in passes with FMA, two in the others
                 vsum(v) vhmax(v): one number
     sslh_i_m    vgt vge veq(a,b) vnan(a)  mand mor mnot   vselect(m,a,b) = m ? a : b
     sslh_i_vi   (float builds only) vtoint(v) truncates, vtoreal, vbits / vofbits reinterpret, viset, viadd, visub, viand,
                 vior, vishl23, vishr23: shifts by 23 bits (the exponent field), without sign                             */
#if SSLH_I_PASS == SSLH_I_PASS_AVX512

#define SSLH_I_W 16
#define SSLH_I_FMA 1
#define SSLH_I_N __m512
#define SSLH_I_NM __mmask16
#define SSLH_I_NI __m512i
#define SSLH_I_NLOAD(p) _mm512_loadu_ps(p)
#define SSLH_I_NSTORE(p, x) _mm512_storeu_ps(p, x)
#define SSLH_I_NSET(x) _mm512_set1_ps(x)
#define SSLH_I_NADD(a, b) _mm512_add_ps(a, b)
#define SSLH_I_NSUB(a, b) _mm512_sub_ps(a, b)
#define SSLH_I_NMUL(a, b) _mm512_mul_ps(a, b)
#define SSLH_I_NDIV(a, b) _mm512_div_ps(a, b)
#define SSLH_I_NFMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define SSLH_I_NMAX(a, b) _mm512_max_ps(a, b)
#define SSLH_I_NMIN(a, b) _mm512_min_ps(a, b)
#define SSLH_I_NSQRT(a) _mm512_sqrt_ps(a)
#define SSLH_I_NNEG(a) _mm512_xor_ps(a, _mm512_set1_ps(-0.0f))
#define SSLH_I_NABS(a) _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a)
#define SSLH_I_NGT(a, b) _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ)
#define SSLH_I_NGE(a, b) _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ)
#define SSLH_I_NEQ(a, b) _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ)
#define SSLH_I_NNAN(a) _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q)
#define SSLH_I_NSELECT(m, a, b) _mm512_mask_blend_ps(m, b, a)
#define SSLH_I_NMAND(a, b) ((__mmask16)((a) & (b)))
#define SSLH_I_NMOR(a, b) ((__mmask16)((a) | (b)))
#define SSLH_I_NMNOT(a) ((__mmask16)~(a))
#define SSLH_I_NTOINT(a) _mm512_cvttps_epi32(a)
#define SSLH_I_NTOREAL(a) _mm512_cvtepi32_ps(a)
#define SSLH_I_NBITS(a) _mm512_castps_si512(a)
#define SSLH_I_NOFBITS(a) _mm512_castsi512_ps(a)
#define SSLH_I_NISET(x) _mm512_set1_epi32(x)
#define SSLH_I_NIADD(a, b) _mm512_add_epi32(a, b)
#define SSLH_I_NISUB(a, b) _mm512_sub_epi32(a, b)
#define SSLH_I_NIAND(a, b) _mm512_and_si512(a, b)
#define SSLH_I_NIOR(a, b) _mm512_or_si512(a, b)
#define SSLH_I_NISHL23(a) _mm512_slli_epi32(a, 23)
#define SSLH_I_NISHR23(a) _mm512_srli_epi32(a, 23)
#define SSLH_I_NISHR8(a) _mm512_srli_epi32(a, 8)
#define SSLH_I_NIXOR(a, b) _mm512_xor_si512(a, b)

#elif SSLH_I_PASS == SSLH_I_PASS_AVX2

#define SSLH_I_W 8
#define SSLH_I_FMA 1
#define SSLH_I_N __m256
#define SSLH_I_NM __m256
#define SSLH_I_NI __m256i
#define SSLH_I_NLOAD(p) _mm256_loadu_ps(p)
#define SSLH_I_NSTORE(p, x) _mm256_storeu_ps(p, x)
#define SSLH_I_NSET(x) _mm256_set1_ps(x)
#define SSLH_I_NADD(a, b) _mm256_add_ps(a, b)
#define SSLH_I_NSUB(a, b) _mm256_sub_ps(a, b)
#define SSLH_I_NMUL(a, b) _mm256_mul_ps(a, b)
#define SSLH_I_NDIV(a, b) _mm256_div_ps(a, b)
#define SSLH_I_NFMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define SSLH_I_NMAX(a, b) _mm256_max_ps(a, b)
#define SSLH_I_NMIN(a, b) _mm256_min_ps(a, b)
#define SSLH_I_NSQRT(a) _mm256_sqrt_ps(a)
#define SSLH_I_NNEG(a) _mm256_xor_ps(a, _mm256_set1_ps(-0.0f))
#define SSLH_I_NABS(a) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a)
#define SSLH_I_NGT(a, b) _mm256_cmp_ps(a, b, _CMP_GT_OQ)
#define SSLH_I_NGE(a, b) _mm256_cmp_ps(a, b, _CMP_GE_OQ)
#define SSLH_I_NEQ(a, b) _mm256_cmp_ps(a, b, _CMP_EQ_OQ)
#define SSLH_I_NNAN(a) _mm256_cmp_ps(a, a, _CMP_UNORD_Q)
#define SSLH_I_NSELECT(m, a, b) _mm256_blendv_ps(b, a, m)
#define SSLH_I_NMAND(a, b) _mm256_and_ps(a, b)
#define SSLH_I_NMOR(a, b) _mm256_or_ps(a, b)
#define SSLH_I_NMNOT(a) _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))
#define SSLH_I_NTOINT(a) _mm256_cvttps_epi32(a)
#define SSLH_I_NTOREAL(a) _mm256_cvtepi32_ps(a)
#define SSLH_I_NBITS(a) _mm256_castps_si256(a)
#define SSLH_I_NOFBITS(a) _mm256_castsi256_ps(a)
#define SSLH_I_NISET(x) _mm256_set1_epi32(x)
#define SSLH_I_NIADD(a, b) _mm256_add_epi32(a, b)
#define SSLH_I_NISUB(a, b) _mm256_sub_epi32(a, b)
#define SSLH_I_NIAND(a, b) _mm256_and_si256(a, b)
#define SSLH_I_NIOR(a, b) _mm256_or_si256(a, b)
#define SSLH_I_NISHL23(a) _mm256_slli_epi32(a, 23)
#define SSLH_I_NISHR23(a) _mm256_srli_epi32(a, 23)
#define SSLH_I_NISHR8(a) _mm256_srli_epi32(a, 8)
#define SSLH_I_NIXOR(a, b) _mm256_xor_si256(a, b)

#elif SSLH_I_PASS == SSLH_I_PASS_SSE2

#define SSLH_I_W 4
#define SSLH_I_FMA 0
#define SSLH_I_N __m128
#define SSLH_I_NM __m128
#define SSLH_I_NI __m128i
#define SSLH_I_NLOAD(p) _mm_loadu_ps(p)
#define SSLH_I_NSTORE(p, x) _mm_storeu_ps(p, x)
#define SSLH_I_NSET(x) _mm_set1_ps(x)
#define SSLH_I_NADD(a, b) _mm_add_ps(a, b)
#define SSLH_I_NSUB(a, b) _mm_sub_ps(a, b)
#define SSLH_I_NMUL(a, b) _mm_mul_ps(a, b)
#define SSLH_I_NDIV(a, b) _mm_div_ps(a, b)
#define SSLH_I_NFMA(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
#define SSLH_I_NMAX(a, b) _mm_max_ps(a, b)
#define SSLH_I_NMIN(a, b) _mm_min_ps(a, b)
#define SSLH_I_NSQRT(a) _mm_sqrt_ps(a)
#define SSLH_I_NNEG(a) _mm_xor_ps(a, _mm_set1_ps(-0.0f))
#define SSLH_I_NABS(a) _mm_andnot_ps(_mm_set1_ps(-0.0f), a)
#define SSLH_I_NGT(a, b) _mm_cmpgt_ps(a, b)
#define SSLH_I_NGE(a, b) _mm_cmpge_ps(a, b)
#define SSLH_I_NEQ(a, b) _mm_cmpeq_ps(a, b)
#define SSLH_I_NNAN(a) _mm_cmpunord_ps(a, a)
#define SSLH_I_NSELECT(m, a, b) _mm_or_ps(_mm_and_ps(m, a), _mm_andnot_ps(m, b))
#define SSLH_I_NMAND(a, b) _mm_and_ps(a, b)
#define SSLH_I_NMOR(a, b) _mm_or_ps(a, b)
#define SSLH_I_NMNOT(a) _mm_xor_ps(a, _mm_castsi128_ps(_mm_set1_epi32(-1)))
#define SSLH_I_NTOINT(a) _mm_cvttps_epi32(a)
#define SSLH_I_NTOREAL(a) _mm_cvtepi32_ps(a)
#define SSLH_I_NBITS(a) _mm_castps_si128(a)
#define SSLH_I_NOFBITS(a) _mm_castsi128_ps(a)
#define SSLH_I_NISET(x) _mm_set1_epi32(x)
#define SSLH_I_NIADD(a, b) _mm_add_epi32(a, b)
#define SSLH_I_NISUB(a, b) _mm_sub_epi32(a, b)
#define SSLH_I_NIAND(a, b) _mm_and_si128(a, b)
#define SSLH_I_NIOR(a, b) _mm_or_si128(a, b)
#define SSLH_I_NISHL23(a) _mm_slli_epi32(a, 23)
#define SSLH_I_NISHR23(a) _mm_srli_epi32(a, 23)
#define SSLH_I_NISHR8(a) _mm_srli_epi32(a, 8)
#define SSLH_I_NIXOR(a, b) _mm_xor_si128(a, b)

#elif SSLH_I_PASS == SSLH_I_PASS_NEON

#define SSLH_I_W 4
#define SSLH_I_FMA 1
#define SSLH_I_N float32x4_t
#define SSLH_I_NM uint32x4_t
#define SSLH_I_NI int32x4_t
#define SSLH_I_NLOAD(p) vld1q_f32(p)
#define SSLH_I_NSTORE(p, x) vst1q_f32(p, x)
#define SSLH_I_NSET(x) vdupq_n_f32(x)
#define SSLH_I_NADD(a, b) vaddq_f32(a, b)
#define SSLH_I_NSUB(a, b) vsubq_f32(a, b)
#define SSLH_I_NMUL(a, b) vmulq_f32(a, b)
#define SSLH_I_NDIV(a, b) vdivq_f32(a, b)
#define SSLH_I_NFMA(a, b, c) vfmaq_f32(c, a, b)
#define SSLH_I_NMAX(a, b) vbslq_f32(vcgtq_f32(a, b), a, b) /* not vmaxq: x86 gives the second if one is NaN */
#define SSLH_I_NMIN(a, b) vbslq_f32(vcltq_f32(a, b), a, b)
#define SSLH_I_NSQRT(a) vsqrtq_f32(a)
#define SSLH_I_NNEG(a) vnegq_f32(a)
#define SSLH_I_NABS(a) vabsq_f32(a)
#define SSLH_I_NGT(a, b) vcgtq_f32(a, b)
#define SSLH_I_NGE(a, b) vcgeq_f32(a, b)
#define SSLH_I_NEQ(a, b) vceqq_f32(a, b)
#define SSLH_I_NNAN(a) vmvnq_u32(vceqq_f32(a, a))
#define SSLH_I_NSELECT(m, a, b) vbslq_f32(m, a, b)
#define SSLH_I_NMAND(a, b) vandq_u32(a, b)
#define SSLH_I_NMOR(a, b) vorrq_u32(a, b)
#define SSLH_I_NMNOT(a) vmvnq_u32(a)
#define SSLH_I_NTOINT(a) vcvtq_s32_f32(a)
#define SSLH_I_NTOREAL(a) vcvtq_f32_s32(a)
#define SSLH_I_NBITS(a) vreinterpretq_s32_f32(a)
#define SSLH_I_NOFBITS(a) vreinterpretq_f32_s32(a)
#define SSLH_I_NISET(x) vdupq_n_s32(x)
#define SSLH_I_NIADD(a, b) vaddq_s32(a, b)
#define SSLH_I_NISUB(a, b) vsubq_s32(a, b)
#define SSLH_I_NIAND(a, b) vandq_s32(a, b)
#define SSLH_I_NIOR(a, b) vorrq_s32(a, b)
#define SSLH_I_NISHL23(a) vshlq_n_s32(a, 23)
#define SSLH_I_NISHR23(a) vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), 23))
#define SSLH_I_NISHR8(a) vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), 8))
#define SSLH_I_NIXOR(a, b) veorq_s32(a, b)

#else /* portable C: one number is the register, V is an array of 16 */

#define SSLH_I_W 1
#define SSLH_I_FMA 0
#define SSLH_I_N sslh_real
#define SSLH_I_NM int
#define SSLH_I_NI int32_t
#define SSLH_I_NLOAD(p) (*(p))
#define SSLH_I_NSTORE(p, x) (*(p) = (x))
#define SSLH_I_NSET(x) (x)
#define SSLH_I_NADD(a, b) ((a) + (b))
#define SSLH_I_NSUB(a, b) ((a) - (b))
#define SSLH_I_NMUL(a, b) ((a) * (b))
#define SSLH_I_NDIV(a, b) ((a) / (b))
#define SSLH_I_NFMA(a, b, c) sslh_i_muladd(a, b, c)
#define SSLH_I_NMAX(a, b) ((a) > (b) ? (a) : (b))
#define SSLH_I_NMIN(a, b) ((a) < (b) ? (a) : (b))
#define SSLH_I_NSQRT(a) sslh_i_sqrt(a)
#define SSLH_I_NNEG(a) (-(a))
#define SSLH_I_NABS(a) sslh_i_fabs(a)
#define SSLH_I_NGT(a, b) ((a) > (b))
#define SSLH_I_NGE(a, b) ((a) >= (b))
#define SSLH_I_NEQ(a, b) ((a) == (b))
#define SSLH_I_NNAN(a) ((a) != (a))
#define SSLH_I_NSELECT(m, a, b) ((m) ? (a) : (b))
#define SSLH_I_NMAND(a, b) ((a) & (b))
#define SSLH_I_NMOR(a, b) ((a) | (b))
#define SSLH_I_NMNOT(a) (!(a))
#define SSLH_I_NTOINT(a) ((int32_t)(a))
#define SSLH_I_NTOREAL(a) ((sslh_real)(a))
#define SSLH_I_NBITS(a) ((int32_t)sslh_i_bits_of(a))
#define SSLH_I_NOFBITS(a) sslh_i_of_bits((uint32_t)(a))
#define SSLH_I_NISET(x) (x)
#define SSLH_I_NIADD(a, b) ((int32_t)((uint32_t)(a) + (uint32_t)(b)))
#define SSLH_I_NISUB(a, b) ((int32_t)((uint32_t)(a) - (uint32_t)(b)))
#define SSLH_I_NIAND(a, b) ((a) & (b))
#define SSLH_I_NIOR(a, b) ((a) | (b))
#define SSLH_I_NISHL23(a) ((int32_t)((uint32_t)(a) << 23))
#define SSLH_I_NISHR23(a) ((int32_t)((uint32_t)(a) >> 23))

#endif

#define sslh_i_v SSLH_I_P(sslh_i_v_)
#define sslh_i_m SSLH_I_P(sslh_i_m_)
#define sslh_i_vi SSLH_I_P(sslh_i_vi_)
#define sslh_i_vload SSLH_I_P(sslh_i_vload_)
#define sslh_i_vloadn SSLH_I_P(sslh_i_vloadn_)
#define sslh_i_vstore SSLH_I_P(sslh_i_vstore_)
#define sslh_i_vstoren SSLH_I_P(sslh_i_vstoren_)
#define sslh_i_vset SSLH_I_P(sslh_i_vset_)
#define sslh_i_vzero SSLH_I_P(sslh_i_vzero_)
#define sslh_i_vadd SSLH_I_P(sslh_i_vadd_)
#define sslh_i_vsub SSLH_I_P(sslh_i_vsub_)
#define sslh_i_vmul SSLH_I_P(sslh_i_vmul_)
#define sslh_i_vdiv SSLH_I_P(sslh_i_vdiv_)
#define sslh_i_vmax SSLH_I_P(sslh_i_vmax_)
#define sslh_i_vmin SSLH_I_P(sslh_i_vmin_)
#define sslh_i_vfma SSLH_I_P(sslh_i_vfma_)
#define sslh_i_vsqrt SSLH_I_P(sslh_i_vsqrt_)
#define sslh_i_vneg SSLH_I_P(sslh_i_vneg_)
#define sslh_i_vabs SSLH_I_P(sslh_i_vabs_)
#define sslh_i_vround SSLH_I_P(sslh_i_vround_)
#define sslh_i_vgt SSLH_I_P(sslh_i_vgt_)
#define sslh_i_vge SSLH_I_P(sslh_i_vge_)
#define sslh_i_veq SSLH_I_P(sslh_i_veq_)
#define sslh_i_vnan SSLH_I_P(sslh_i_vnan_)
#define sslh_i_vselect SSLH_I_P(sslh_i_vselect_)
#define sslh_i_mand SSLH_I_P(sslh_i_mand_)
#define sslh_i_mor SSLH_I_P(sslh_i_mor_)
#define sslh_i_mnot SSLH_I_P(sslh_i_mnot_)
#define sslh_i_vtoint SSLH_I_P(sslh_i_vtoint_)
#define sslh_i_vtoreal SSLH_I_P(sslh_i_vtoreal_)
#define sslh_i_vbits SSLH_I_P(sslh_i_vbits_)
#define sslh_i_vofbits SSLH_I_P(sslh_i_vofbits_)
#define sslh_i_viset SSLH_I_P(sslh_i_viset_)
#define sslh_i_viadd SSLH_I_P(sslh_i_viadd_)
#define sslh_i_visub SSLH_I_P(sslh_i_visub_)
#define sslh_i_viand SSLH_I_P(sslh_i_viand_)
#define sslh_i_vior SSLH_I_P(sslh_i_vior_)
#define sslh_i_vishl23 SSLH_I_P(sslh_i_vishl23_)
#define sslh_i_vishr23 SSLH_I_P(sslh_i_vishr23_)
#define sslh_i_vsum SSLH_I_P(sslh_i_vsum_)
#define sslh_i_vhmax SSLH_I_P(sslh_i_vhmax_)

/* V as named registers (they stay in registers in every compiler; an array inside a struct does not). SSLH_I_EACH(S, OP)
   writes S(OP, field) for every field. */
#if SSLH_I_W == 16
typedef struct { SSLH_I_N a; } sslh_i_v;
typedef struct { SSLH_I_NM a; } sslh_i_m;
typedef struct { SSLH_I_NI a; } sslh_i_vi;
#define SSLH_I_EACH(S, OP) S(OP, a)
#elif SSLH_I_W == 8
typedef struct { SSLH_I_N a, b; } sslh_i_v;
typedef struct { SSLH_I_NM a, b; } sslh_i_m;
typedef struct { SSLH_I_NI a, b; } sslh_i_vi;
#define SSLH_I_EACH(S, OP) S(OP, a) S(OP, b)
#elif SSLH_I_W == 4
typedef struct { SSLH_I_N a, b, c, d; } sslh_i_v;
typedef struct { SSLH_I_NM a, b, c, d; } sslh_i_m;
typedef struct { SSLH_I_NI a, b, c, d; } sslh_i_vi;
#define SSLH_I_EACH(S, OP) S(OP, a) S(OP, b) S(OP, c) S(OP, d)
#else
typedef struct { SSLH_I_N a[16]; } sslh_i_v;
typedef struct { SSLH_I_NM a[16]; } sslh_i_m;
typedef struct { SSLH_I_NI a[16]; } sslh_i_vi;
#define SSLH_I_EACH(S, OP) for (int q = 0; q < 16; q++) { S(OP, a[q]) }
#endif
#define SSLH_I_S0(OP, q) r.q = OP(x);
#define SSLH_I_S1(OP, q) r.q = OP(x.q);
#define SSLH_I_S2(OP, q) r.q = OP(x.q, y.q);
#define SSLH_I_S3(OP, q) r.q = OP(x.q, y.q, z.q);
#define SSLH_I_V0(R, name, X, OP) SSLH_I_INLINE R name(X x) { R r; SSLH_I_EACH(SSLH_I_S0, OP) return r; }
#define SSLH_I_V1(R, name, X, OP) SSLH_I_INLINE R name(X x) { R r; SSLH_I_EACH(SSLH_I_S1, OP) return r; }
#define SSLH_I_V2(R, name, X, OP) SSLH_I_INLINE R name(X x, X y) { R r; SSLH_I_EACH(SSLH_I_S2, OP) return r; }
#define SSLH_I_V3(R, name, X, Y, OP) SSLH_I_INLINE R name(X x, Y y, Y z) { R r; SSLH_I_EACH(SSLH_I_S3, OP) return r; }

SSLH_I_V0(sslh_i_v, sslh_i_vset, sslh_real, SSLH_I_NSET)
SSLH_I_V2(sslh_i_v, sslh_i_vadd, sslh_i_v, SSLH_I_NADD)
SSLH_I_V2(sslh_i_v, sslh_i_vsub, sslh_i_v, SSLH_I_NSUB)
SSLH_I_V2(sslh_i_v, sslh_i_vmul, sslh_i_v, SSLH_I_NMUL)
SSLH_I_V2(sslh_i_v, sslh_i_vdiv, sslh_i_v, SSLH_I_NDIV)
SSLH_I_V2(sslh_i_v, sslh_i_vmax, sslh_i_v, SSLH_I_NMAX)
SSLH_I_V2(sslh_i_v, sslh_i_vmin, sslh_i_v, SSLH_I_NMIN)
SSLH_I_V3(sslh_i_v, sslh_i_vfma, sslh_i_v, sslh_i_v, SSLH_I_NFMA)
SSLH_I_V1(sslh_i_v, sslh_i_vsqrt, sslh_i_v, SSLH_I_NSQRT)
SSLH_I_V1(sslh_i_v, sslh_i_vneg, sslh_i_v, SSLH_I_NNEG)
SSLH_I_V1(sslh_i_v, sslh_i_vabs, sslh_i_v, SSLH_I_NABS)
SSLH_I_V2(sslh_i_m, sslh_i_vgt, sslh_i_v, SSLH_I_NGT)
SSLH_I_V2(sslh_i_m, sslh_i_vge, sslh_i_v, SSLH_I_NGE)
SSLH_I_V2(sslh_i_m, sslh_i_veq, sslh_i_v, SSLH_I_NEQ)
SSLH_I_V1(sslh_i_m, sslh_i_vnan, sslh_i_v, SSLH_I_NNAN)
SSLH_I_V2(sslh_i_m, sslh_i_mand, sslh_i_m, SSLH_I_NMAND)
SSLH_I_V2(sslh_i_m, sslh_i_mor, sslh_i_m, SSLH_I_NMOR)
SSLH_I_V1(sslh_i_m, sslh_i_mnot, sslh_i_m, SSLH_I_NMNOT)
SSLH_I_V3(sslh_i_v, sslh_i_vselect, sslh_i_m, sslh_i_v, SSLH_I_NSELECT)
#if !SSLH_I_DOUBLE
SSLH_I_V1(sslh_i_vi, sslh_i_vtoint, sslh_i_v, SSLH_I_NTOINT)
SSLH_I_V1(sslh_i_v, sslh_i_vtoreal, sslh_i_vi, SSLH_I_NTOREAL)
SSLH_I_V1(sslh_i_vi, sslh_i_vbits, sslh_i_v, SSLH_I_NBITS)
SSLH_I_V1(sslh_i_v, sslh_i_vofbits, sslh_i_vi, SSLH_I_NOFBITS)
SSLH_I_V0(sslh_i_vi, sslh_i_viset, int32_t, SSLH_I_NISET)
SSLH_I_V2(sslh_i_vi, sslh_i_viadd, sslh_i_vi, SSLH_I_NIADD)
SSLH_I_V2(sslh_i_vi, sslh_i_visub, sslh_i_vi, SSLH_I_NISUB)
SSLH_I_V2(sslh_i_vi, sslh_i_viand, sslh_i_vi, SSLH_I_NIAND)
SSLH_I_V2(sslh_i_vi, sslh_i_vior, sslh_i_vi, SSLH_I_NIOR)
SSLH_I_V1(sslh_i_vi, sslh_i_vishl23, sslh_i_vi, SSLH_I_NISHL23)
SSLH_I_V1(sslh_i_vi, sslh_i_vishr23, sslh_i_vi, SSLH_I_NISHR23)
#endif
SSLH_I_INLINE sslh_i_v sslh_i_vzero(void) { return sslh_i_vset(SSLH_I_R(0)); }
/* To the nearest integer, ties to even, by adding and subtracting 1.5 2^23 (2^52 in double). */
SSLH_I_INLINE sslh_i_v sslh_i_vround(sslh_i_v x) {
    sslh_i_v big = sslh_i_vset(SSLH_I_DOUBLE ? SSLH_I_R(6755399441055744.0) : SSLH_I_R(12582912.0));
    return sslh_i_vsub(sslh_i_vadd(x, big), big);
}

#if SSLH_I_W == 1
SSLH_I_INLINE sslh_i_v sslh_i_vload(const sslh_real *p) {
    sslh_i_v r;
    memcpy(r.a, p, sizeof r.a);
    return r;
}
SSLH_I_INLINE void sslh_i_vstore(sslh_real *p, sslh_i_v x) { memcpy(p, x.a, sizeof x.a); }
#else
SSLH_I_INLINE sslh_i_v sslh_i_vload(const float *p) {
    sslh_i_v r;
    r.a = SSLH_I_NLOAD(p);
#if SSLH_I_W < 16
    r.b = SSLH_I_NLOAD(p + SSLH_I_W);
#endif
#if SSLH_I_W < 8
    r.c = SSLH_I_NLOAD(p + 8);
    r.d = SSLH_I_NLOAD(p + 12);
#endif
    return r;
}
SSLH_I_INLINE void sslh_i_vstore(float *p, sslh_i_v x) {
    SSLH_I_NSTORE(p, x.a);
#if SSLH_I_W < 16
    SSLH_I_NSTORE(p + SSLH_I_W, x.b);
#endif
#if SSLH_I_W < 8
    SSLH_I_NSTORE(p + 8, x.c);
    SSLH_I_NSTORE(p + 12, x.d);
#endif
}
#endif

#if SSLH_I_PASS == SSLH_I_PASS_AVX512
SSLH_I_INLINE sslh_i_v sslh_i_vloadn(const float *p, int n) {
    sslh_i_v r;
    r.a = _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
    return r;
}
SSLH_I_INLINE void sslh_i_vstoren(float *p, sslh_i_v x, int n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), x.a); }
#elif SSLH_I_PASS == SSLH_I_PASS_AVX2
SSLH_I_INLINE __m256i SSLH_I_P(sslh_i_first_)(int n) { /* all bits in the first n of 8 lanes */
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
SSLH_I_INLINE sslh_i_v sslh_i_vloadn(const float *p, int n) {
    sslh_i_v r;
    r.a = _mm256_maskload_ps(p, SSLH_I_P(sslh_i_first_)(n));
    r.b = n > 8 ? _mm256_maskload_ps(p + 8, SSLH_I_P(sslh_i_first_)(n - 8)) : _mm256_setzero_ps();
    return r;
}
SSLH_I_INLINE void sslh_i_vstoren(float *p, sslh_i_v x, int n) {
    _mm256_maskstore_ps(p, SSLH_I_P(sslh_i_first_)(n), x.a);
    if (n > 8) _mm256_maskstore_ps(p + 8, SSLH_I_P(sslh_i_first_)(n - 8), x.b);
}
#else
SSLH_I_INLINE sslh_i_v sslh_i_vloadn(const sslh_real *p, int n) {
    sslh_real t[16] = { 0 };
    memcpy(t, p, (size_t)n * sizeof *p);
    return sslh_i_vload(t);
}
SSLH_I_INLINE void sslh_i_vstoren(sslh_real *p, sslh_i_v x, int n) {
    sslh_real t[16];
    sslh_i_vstore(t, x);
    memcpy(p, t, (size_t)n * sizeof *p);
}
#endif

/* One tree: lanes i and i+8, then i and i+4, i+2, i+1. */
#if SSLH_I_X86 && SSLH_I_PASS != SSLH_I_PASS_C
#if SSLH_I_PASS == SSLH_I_PASS_AVX512
#define SSLH_I_FOLD(OP8, OP4) \
    __m256 h = OP8(_mm512_castps512_ps256(x.a), _mm512_extractf32x8_ps(x.a, 1)); \
    __m128 t = OP4(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
#elif SSLH_I_PASS == SSLH_I_PASS_AVX2
#define SSLH_I_FOLD(OP8, OP4) \
    __m256 h = OP8(x.a, x.b); \
    __m128 t = OP4(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
#else
#define SSLH_I_FOLD(OP8, OP4) __m128 t = OP4(OP4(x.a, x.c), OP4(x.b, x.d));
#endif
SSLH_I_INLINE float sslh_i_vsum(sslh_i_v x) {
    SSLH_I_FOLD(_mm256_add_ps, _mm_add_ps)
    t = _mm_add_ps(t, _mm_movehl_ps(t, t));
    t = _mm_add_ss(t, _mm_shuffle_ps(t, t, 1));
    return _mm_cvtss_f32(t);
}
SSLH_I_INLINE float sslh_i_vhmax(sslh_i_v x) {
    SSLH_I_FOLD(_mm256_max_ps, _mm_max_ps)
    t = _mm_max_ps(t, _mm_movehl_ps(t, t));
    t = _mm_max_ss(t, _mm_shuffle_ps(t, t, 1));
    return _mm_cvtss_f32(t);
}
#undef SSLH_I_FOLD
#else
SSLH_I_INLINE sslh_real sslh_i_vsum(sslh_i_v x) {
    sslh_real t[16];
    sslh_i_vstore(t, x);
    for (int w = 8; w > 0; w /= 2)
        for (int i = 0; i < w; i++) t[i] = t[i] + t[i + w];
    return t[0];
}
SSLH_I_INLINE sslh_real sslh_i_vhmax(sslh_i_v x) {
    sslh_real t[16];
    sslh_i_vstore(t, x);
    for (int w = 8; w > 0; w /= 2)
        for (int i = 0; i < w; i++) t[i] = t[i] > t[i + w] ? t[i] : t[i + w];
    return t[0];
}
#endif

/* --- kernels: products and convolutions ---
   Every product is made of tiles of the output held in registers while k runs: up to MR rows of two N registers (NR columns).
   Accumulators are named variables written out by macros: an array indexed in a loop ends in memory in some compilers.
   The two forms read b as rows of NR columns and differ in how they find a:
     rows   a[s MR + r][k]: a pointer per row and segment, k contiguous (matrices as they are, pixels of a convolution)
     runs   a[s][k astep + r]: rows side by side (transposed matrices, gradients of weights), each run with its own b */
#if SSLH_I_PASS == SSLH_I_PASS_AVX512
#define SSLH_I_MR 12
#elif SSLH_I_PASS == SSLH_I_PASS_NEON
#define SSLH_I_MR 12
#elif SSLH_I_PASS == SSLH_I_PASS_C
#define SSLH_I_MR 4
#else
#define SSLH_I_MR 6 /* 16 registers: 12 sums, 2 of b, 1 of a, 1 for a product */
#endif

#if SSLH_I_PASS != SSLH_I_PASS_C
#define SSLH_I_NR (2 * SSLH_I_W)
#define SSLH_I_REP1(X) X(0)
#define SSLH_I_REP2(X) SSLH_I_REP1(X) X(1)
#define SSLH_I_REP4(X) SSLH_I_REP2(X) X(2) X(3)
#define SSLH_I_REP6(X) SSLH_I_REP4(X) X(4) X(5)
#define SSLH_I_REP8(X) SSLH_I_REP6(X) X(6) X(7)
#define SSLH_I_REP12(X) SSLH_I_REP8(X) X(8) X(9) X(10) X(11)

#define SSLH_I_POINT(r) const float *p##r = a[r];
#define SSLH_I_ZERO2(r) SSLH_I_N u##r = SSLH_I_NSET(0.0f), v##r = u##r;
#define SSLH_I_ZERO1(r) SSLH_I_N u##r = SSLH_I_NSET(0.0f);
#define SSLH_I_MADD2(r, value)                                                                                           \
    {                                                                                                                    \
        SSLH_I_N x = SSLH_I_NSET(value);                                                                                 \
        u##r = SSLH_I_NFMA(x, b0, u##r);                                                                                 \
        v##r = SSLH_I_NFMA(x, b1, v##r);                                                                                 \
    }
#define SSLH_I_MADD1(r, value) u##r = SSLH_I_NFMA(SSLH_I_NSET(value), b0, u##r);
#define SSLH_I_ROW2(r) SSLH_I_MADD2(r, p##r[k])
#define SSLH_I_ROW1(r) SSLH_I_MADD1(r, p##r[k])
#define SSLH_I_RUN2(r) SSLH_I_MADD2(r, a[r])
#define SSLH_I_RUN1(r) SSLH_I_MADD1(r, a[r])
#define SSLH_I_PUT2(r)                                                                                                   \
    SSLH_I_NSTORE(y + r * SSLH_I_NR, u##r);                                                                              \
    SSLH_I_NSTORE(y + r * SSLH_I_NR + SSLH_I_W, v##r);
#define SSLH_I_PUT1(r) SSLH_I_NSTORE(y + r * SSLH_I_NR, u##r);

/* One core: R rows, two registers (2) or one (1) across. y (R,NR) receives the sums. */
#define SSLH_I_CORES(R)                                                                                                  \
    SSLH_I_FN void SSLH_I_P(sslh_i_rows2x##R##_)(const sslh_i_tile *t, const float *const *a, float *y) {                \
        SSLH_I_REP##R(SSLH_I_ZERO2)                                                                                      \
        const float *b = t->b;                                                                                           \
        const ptrdiff_t len = t->len, bstep = (ptrdiff_t)t->bstep;                                                       \
        for (int s = 0; s < t->segs; s++, a += SSLH_I_MR) {                                                              \
            SSLH_I_REP##R(SSLH_I_POINT)                                                                                  \
            for (ptrdiff_t k = 0; k < len; k++, b += bstep) {                                                            \
                SSLH_I_N b0 = SSLH_I_NLOAD(b), b1 = SSLH_I_NLOAD(b + SSLH_I_W);                                          \
                SSLH_I_REP##R(SSLH_I_ROW2)                                                                               \
            }                                                                                                            \
        }                                                                                                                \
        SSLH_I_REP##R(SSLH_I_PUT2)                                                                                       \
    }                                                                                                                    \
    SSLH_I_FN void SSLH_I_P(sslh_i_rows1x##R##_)(const sslh_i_tile *t, const float *const *a, float *y) {                \
        SSLH_I_REP##R(SSLH_I_ZERO1)                                                                                      \
        const float *b = t->b;                                                                                           \
        const ptrdiff_t len = t->len, bstep = (ptrdiff_t)t->bstep;                                                       \
        for (int s = 0; s < t->segs; s++, a += SSLH_I_MR) {                                                              \
            SSLH_I_REP##R(SSLH_I_POINT)                                                                                  \
            for (ptrdiff_t k = 0; k < len; k++, b += bstep) {                                                            \
                SSLH_I_N b0 = SSLH_I_NLOAD(b);                                                                           \
                SSLH_I_REP##R(SSLH_I_ROW1)                                                                               \
            }                                                                                                            \
        }                                                                                                                \
        SSLH_I_REP##R(SSLH_I_PUT1)                                                                                       \
    }                                                                                                                    \
    SSLH_I_FN void SSLH_I_P(sslh_i_runs2x##R##_)(const sslh_i_tile *t, int row, float *y) {                              \
        SSLH_I_REP##R(SSLH_I_ZERO2)                                                                                      \
        const ptrdiff_t astep = (ptrdiff_t)t->astep, bstep = (ptrdiff_t)t->bstep;                                        \
        for (int s = 0; s < t->segs; s++) {                                                                              \
            const float *a = t->a[s] + row, *b = t->bs[s];                                                               \
            for (int k = t->lens[s]; k > 0; k--, a += astep, b += bstep) {                                               \
                SSLH_I_N b0 = SSLH_I_NLOAD(b), b1 = SSLH_I_NLOAD(b + SSLH_I_W);                                          \
                SSLH_I_REP##R(SSLH_I_RUN2)                                                                               \
            }                                                                                                            \
        }                                                                                                                \
        SSLH_I_REP##R(SSLH_I_PUT2)                                                                                       \
    }                                                                                                                    \
    SSLH_I_FN void SSLH_I_P(sslh_i_runs1x##R##_)(const sslh_i_tile *t, int row, float *y) {                              \
        SSLH_I_REP##R(SSLH_I_ZERO1)                                                                                      \
        const ptrdiff_t astep = (ptrdiff_t)t->astep, bstep = (ptrdiff_t)t->bstep;                                        \
        for (int s = 0; s < t->segs; s++) {                                                                              \
            const float *a = t->a[s] + row, *b = t->bs[s];                                                               \
            for (int k = t->lens[s]; k > 0; k--, a += astep, b += bstep) {                                               \
                SSLH_I_N b0 = SSLH_I_NLOAD(b);                                                                           \
                SSLH_I_REP##R(SSLH_I_RUN1)                                                                               \
            }                                                                                                            \
        }                                                                                                                \
        SSLH_I_REP##R(SSLH_I_PUT1)                                                                                       \
    }
SSLH_I_CORES(1)
SSLH_I_CORES(2)
SSLH_I_CORES(4)
#if SSLH_I_MR == 6
SSLH_I_CORES(6)
#else
SSLH_I_CORES(8)
SSLH_I_CORES(12)
#endif

/* The rows that one core takes of n that are left. */
SSLH_I_INLINE int SSLH_I_P(sslh_i_core_)(int n) {
    return n >= SSLH_I_MR ? SSLH_I_MR : SSLH_I_MR > 8 && n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
}
SSLH_I_FN void SSLH_I_P(sslh_i_rows_)(const sslh_i_tile *t, int row, float *y) {
    const float *const *a = t->a + row;
    int wide = t->cols > SSLH_I_W;
    switch (SSLH_I_P(sslh_i_core_)(t->rows - row)) {
    case 1: (wide ? SSLH_I_P(sslh_i_rows2x1_) : SSLH_I_P(sslh_i_rows1x1_))(t, a, y); break;
    case 2: (wide ? SSLH_I_P(sslh_i_rows2x2_) : SSLH_I_P(sslh_i_rows1x2_))(t, a, y); break;
    case 4: (wide ? SSLH_I_P(sslh_i_rows2x4_) : SSLH_I_P(sslh_i_rows1x4_))(t, a, y); break;
#if SSLH_I_MR == 6
    default: (wide ? SSLH_I_P(sslh_i_rows2x6_) : SSLH_I_P(sslh_i_rows1x6_))(t, a, y); break;
#else
    case 8: (wide ? SSLH_I_P(sslh_i_rows2x8_) : SSLH_I_P(sslh_i_rows1x8_))(t, a, y); break;
    default: (wide ? SSLH_I_P(sslh_i_rows2x12_) : SSLH_I_P(sslh_i_rows1x12_))(t, a, y); break;
#endif
    }
}
SSLH_I_FN void SSLH_I_P(sslh_i_runs_)(const sslh_i_tile *t, int row, float *y) {
    int wide = t->cols > SSLH_I_W;
    switch (SSLH_I_P(sslh_i_core_)(t->rows - row)) {
    case 1: (wide ? SSLH_I_P(sslh_i_runs2x1_) : SSLH_I_P(sslh_i_runs1x1_))(t, row, y); break;
    case 2: (wide ? SSLH_I_P(sslh_i_runs2x2_) : SSLH_I_P(sslh_i_runs1x2_))(t, row, y); break;
    case 4: (wide ? SSLH_I_P(sslh_i_runs2x4_) : SSLH_I_P(sslh_i_runs1x4_))(t, row, y); break;
#if SSLH_I_MR == 6
    default: (wide ? SSLH_I_P(sslh_i_runs2x6_) : SSLH_I_P(sslh_i_runs1x6_))(t, row, y); break;
#else
    case 8: (wide ? SSLH_I_P(sslh_i_runs2x8_) : SSLH_I_P(sslh_i_runs1x8_))(t, row, y); break;
    default: (wide ? SSLH_I_P(sslh_i_runs2x12_) : SSLH_I_P(sslh_i_runs1x12_))(t, row, y); break;
#endif
    }
}

#else /* portable C: loops of fixed length that compilers turn into vectors of whatever the target has */

#define SSLH_I_NR 8
SSLH_I_INLINE int SSLH_I_P(sslh_i_core_)(int n) { return n >= 4 ? 4 : 1; }
SSLH_I_INLINE void SSLH_I_P(sslh_i_madd_)(sslh_real *SSLH_I_RESTRICT y, const sslh_real *SSLH_I_RESTRICT b, sslh_real x) {
    for (int j = 0; j < SSLH_I_NR; j++) {
        sslh_real t = x * b[j];
        y[j] = y[j] + t;
    }
}
SSLH_I_FN void SSLH_I_P(sslh_i_rows_)(const sslh_i_tile *t, int row, sslh_real *y) {
    const sslh_real *const *a = t->a + row, *b = t->b;
    int four = t->rows - row >= 4;
    memset(y, 0, (size_t)(four ? 4 : 1) * SSLH_I_NR * sizeof *y);
    for (int s = 0; s < t->segs; s++, a += SSLH_I_MR) {
        for (int k = 0; k < t->len; k++, b += t->bstep) {
            SSLH_I_P(sslh_i_madd_)(y, b, a[0][k]);
            if (!four) continue;
            SSLH_I_P(sslh_i_madd_)(y + SSLH_I_NR, b, a[1][k]);
            SSLH_I_P(sslh_i_madd_)(y + 2 * SSLH_I_NR, b, a[2][k]);
            SSLH_I_P(sslh_i_madd_)(y + 3 * SSLH_I_NR, b, a[3][k]);
        }
    }
}
SSLH_I_FN void SSLH_I_P(sslh_i_runs_)(const sslh_i_tile *t, int row, sslh_real *y) {
    int four = t->rows - row >= 4;
    memset(y, 0, (size_t)(four ? 4 : 1) * SSLH_I_NR * sizeof *y);
    for (int s = 0; s < t->segs; s++) {
        const sslh_real *a = t->a[s] + row, *b = t->bs[s];
        for (int k = t->lens[s]; k > 0; k--, a += t->astep, b += t->bstep) {
            SSLH_I_P(sslh_i_madd_)(y, b, a[0]);
            if (!four) continue;
            SSLH_I_P(sslh_i_madd_)(y + SSLH_I_NR, b, a[1]);
            SSLH_I_P(sslh_i_madd_)(y + 2 * SSLH_I_NR, b, a[2]);
            SSLH_I_P(sslh_i_madd_)(y + 3 * SSLH_I_NR, b, a[3]);
        }
    }
}
#endif

/* A finished tile y (rows,NR) into memory, row r to c[r]: c = relu(c + y + bias). Without a bias -0 is added and without
   relu the bound is -inf: neither changes a bit, and the loop needs no branches. max(0, x) = 0 > x ? 0 : x keeps NaN. */
SSLH_I_INLINE sslh_real *SSLH_I_P(sslh_i_row_)(const sslh_i_tile *t, int r) {
    return t->cs ? t->cs[r] + t->col : t->c + (size_t)r * t->ldc;
}
SSLH_I_INLINE void SSLH_I_P(sslh_i_put_)(const sslh_i_tile *t, int row, int rows, const sslh_real *y) {
    const sslh_real none = SSLH_I_NONE;
#if SSLH_I_PASS != SSLH_I_PASS_C
    if (t->cols == SSLH_I_NR) {
        SSLH_I_N low = SSLH_I_NSET(t->relu ? 0.0f : none), b0 = SSLH_I_NSET(-0.0f), b1 = b0;
        if (t->bias) {
            b0 = SSLH_I_NLOAD(t->bias);
            b1 = SSLH_I_NLOAD(t->bias + SSLH_I_W);
        }
        for (int r = 0; r < rows; r++, y += SSLH_I_NR) {
            float *c = SSLH_I_P(sslh_i_row_)(t, row + r);
            SSLH_I_N u = SSLH_I_NLOAD(y), v = SSLH_I_NLOAD(y + SSLH_I_W);
            if (t->accumulate) {
                u = SSLH_I_NADD(SSLH_I_NLOAD(c), u);
                v = SSLH_I_NADD(SSLH_I_NLOAD(c + SSLH_I_W), v);
            }
            SSLH_I_NSTORE(c, SSLH_I_NMAX(low, SSLH_I_NADD(u, b0)));
            SSLH_I_NSTORE(c + SSLH_I_W, SSLH_I_NMAX(low, SSLH_I_NADD(v, b1)));
        }
        return;
    }
#endif
    for (int r = 0; r < rows; r++, y += SSLH_I_NR) {
        sslh_real *c = SSLH_I_P(sslh_i_row_)(t, row + r), low = t->relu ? SSLH_I_R(0) : none;
        for (int j = 0; j < t->cols; j++) {
            sslh_real x = t->accumulate ? c[j] + y[j] : y[j];
            if (t->bias) x = x + t->bias[j];
            c[j] = low > x ? low : x;
        }
    }
}

SSLH_I_FN void SSLH_I_P(sslh_i_tile_rows_)(const sslh_i_tile *t) {
    sslh_real y[SSLH_I_MR * SSLH_I_NR];
    for (int row = 0, n; row < t->rows; row += n) {
        n = SSLH_I_P(sslh_i_core_)(t->rows - row);
        SSLH_I_P(sslh_i_rows_)(t, row, y);
        SSLH_I_P(sslh_i_put_)(t, row, n, y);
    }
}
SSLH_I_FN void SSLH_I_P(sslh_i_tile_runs_)(const sslh_i_tile *t) {
    sslh_real y[SSLH_I_MR * SSLH_I_NR];
    for (int row = 0, n; row < t->rows; row += n) {
        n = SSLH_I_P(sslh_i_core_)(t->rows - row);
        SSLH_I_P(sslh_i_runs_)(t, row, y);
        SSLH_I_P(sslh_i_put_)(t, row, n, y);
    }
}

/* dz = dy where y > 0, else 0 (y NULL: dz is not written, dy is used as it is); sum[j] = sum over rows of dz[.][j].
   y, dy, dz (rows,n); dz may be dy; sum NULL: not wanted. Columns outside, so that sums stay in a register. */
SSLH_I_FN void SSLH_I_P(sslh_i_relu_bias_)(const sslh_real *y, const sslh_real *dy, sslh_real *dz, sslh_real *sum, size_t rows, size_t n) {
    for (size_t j = 0; j < n; j += 16) {
        int part = n - j < 16 ? (int)(n - j) : 0;
        sslh_i_v s = sslh_i_vzero(), zero = sslh_i_vzero();
        for (size_t r = 0; r < rows; r++) {
            size_t i = r * n + j;
            sslh_i_v g = part ? sslh_i_vloadn(dy + i, part) : sslh_i_vload(dy + i);
            if (y) {
                g = sslh_i_vselect(sslh_i_vgt(part ? sslh_i_vloadn(y + i, part) : sslh_i_vload(y + i), zero), g, zero);
                if (part) sslh_i_vstoren(dz + i, g, part);
                else sslh_i_vstore(dz + i, g);
            }
            s = sslh_i_vadd(s, g);
        }
        if (sum && part) sslh_i_vstoren(sum + j, s, part);
        else if (sum) sslh_i_vstore(sum + j, s);
    }
}

/* Packs a panel of cols <= step columns, zeros behind them: to[k][step].
   _n: column j of row k is from[k ld + j].  _t: it is from[j ld + k]: W rows x 4 columns are transposed in registers. */
SSLH_I_FN void SSLH_I_P(sslh_i_pack_n_)(sslh_real *to, int step, const sslh_real *from, size_t ld, int cols, int k) {
    for (; k > 0; k--, to += step, from += ld) {
        int j = 0;
        for (; j + SSLH_I_W <= cols; j += SSLH_I_W) SSLH_I_NSTORE(to + j, SSLH_I_NLOAD(from + j));
        for (; j < cols; j++) to[j] = from[j];
        for (; j < step; j++) to[j] = SSLH_I_R(0);
    }
}
#if SSLH_I_PASS == SSLH_I_PASS_AVX512
#define SSLH_I_QUAD(i)                                                                                                   \
    _mm512_insertf32x4(_mm512_insertf32x4(_mm512_insertf32x4(_mm512_castps128_ps512(_mm_loadu_ps(p + (i)*ld)),           \
                                                             _mm_loadu_ps(p + (4 + (i)) * ld), 1),                       \
                                          _mm_loadu_ps(p + (8 + (i)) * ld), 2),                                          \
                       _mm_loadu_ps(p + (12 + (i)) * ld), 3)
#define SSLH_I_ZIP(a, b, hi) ((hi) ? _mm512_unpackhi_ps(a, b) : _mm512_unpacklo_ps(a, b))
#define SSLH_I_PAIR(a, b, hi) ((hi) ? _mm512_shuffle_ps(a, b, 0xee) : _mm512_shuffle_ps(a, b, 0x44))
#elif SSLH_I_PASS == SSLH_I_PASS_AVX2
#define SSLH_I_QUAD(i) _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + (i)*ld)), _mm_loadu_ps(p + (4 + (i)) * ld), 1)
#define SSLH_I_ZIP(a, b, hi) ((hi) ? _mm256_unpackhi_ps(a, b) : _mm256_unpacklo_ps(a, b))
#define SSLH_I_PAIR(a, b, hi) ((hi) ? _mm256_shuffle_ps(a, b, 0xee) : _mm256_shuffle_ps(a, b, 0x44))
#elif SSLH_I_PASS == SSLH_I_PASS_SSE2
#define SSLH_I_QUAD(i) _mm_loadu_ps(p + (i)*ld)
#define SSLH_I_ZIP(a, b, hi) ((hi) ? _mm_unpackhi_ps(a, b) : _mm_unpacklo_ps(a, b))
#define SSLH_I_PAIR(a, b, hi) ((hi) ? _mm_shuffle_ps(a, b, 0xee) : _mm_shuffle_ps(a, b, 0x44))
#elif SSLH_I_PASS == SSLH_I_PASS_NEON
#define SSLH_I_QUAD(i) vld1q_f32(p + (i)*ld)
#define SSLH_I_ZIP(a, b, hi) ((hi) ? vzip2q_f32(a, b) : vzip1q_f32(a, b))
#define SSLH_I_PAIR(a, b, hi) \
    ((hi) ? vcombine_f32(vget_high_f32(a), vget_high_f32(b)) : vcombine_f32(vget_low_f32(a), vget_low_f32(b)))
#endif
SSLH_I_FN void SSLH_I_P(sslh_i_pack_t_)(sslh_real *to, int step, const sslh_real *from, size_t ld, int cols, int kn) {
    int j = 0;
#if SSLH_I_PASS != SSLH_I_PASS_C
    for (; j + SSLH_I_W <= cols; j += SSLH_I_W) {
        const float *p = from + (size_t)j * ld;
        float *q = to + j;
        int k = 0;
        for (; k + 4 <= kn; k += 4, p += 4, q += 4 * step) {
            SSLH_I_N r0 = SSLH_I_QUAD(0), r1 = SSLH_I_QUAD(1), r2 = SSLH_I_QUAD(2), r3 = SSLH_I_QUAD(3);
            SSLH_I_N l0 = SSLH_I_ZIP(r0, r1, 0), l1 = SSLH_I_ZIP(r2, r3, 0);
            SSLH_I_N h0 = SSLH_I_ZIP(r0, r1, 1), h1 = SSLH_I_ZIP(r2, r3, 1);
            SSLH_I_NSTORE(q, SSLH_I_PAIR(l0, l1, 0));
            SSLH_I_NSTORE(q + step, SSLH_I_PAIR(l0, l1, 1));
            SSLH_I_NSTORE(q + 2 * step, SSLH_I_PAIR(h0, h1, 0));
            SSLH_I_NSTORE(q + 3 * step, SSLH_I_PAIR(h0, h1, 1));
        }
        for (; k < kn; k++, p++, q += step)
            for (int i = 0; i < SSLH_I_W; i++) q[i] = p[(size_t)i * ld];
    }
#endif
    for (; j < cols; j++)
        for (int k = 0; k < kn; k++) to[(size_t)k * (size_t)step + (size_t)j] = from[(size_t)j * ld + (size_t)k];
    for (; j < step; j++)
        for (int k = 0; k < kn; k++) to[(size_t)k * (size_t)step + (size_t)j] = SSLH_I_R(0);
}

/* One pixel of a depthwise convolution: y[c] = relu(bias[c] + sum over t of p[t][c] w[t][c]), c < n; w (taps,n). */
SSLH_I_FN void SSLH_I_P(sslh_i_depthwise_)(int taps, const sslh_real *const *p, const sslh_real *w, size_t n, sslh_real *y,
                                           const sslh_real *bias, int relu, int accumulate) {
    for (size_t j = 0; j < n; j += 16) {
        int part = n - j < 16 ? (int)(n - j) : 0;
        sslh_i_v s = sslh_i_vzero();
        for (int t = 0; t < taps; t++) {
            const sslh_real *a = p[t] + j, *b = w + (size_t)t * n + j;
            s = part ? sslh_i_vfma(sslh_i_vloadn(a, part), sslh_i_vloadn(b, part), s) : sslh_i_vfma(sslh_i_vload(a), sslh_i_vload(b), s);
        }
        if (accumulate) s = sslh_i_vadd(part ? sslh_i_vloadn(y + j, part) : sslh_i_vload(y + j), s);
        if (bias) s = sslh_i_vadd(s, part ? sslh_i_vloadn(bias + j, part) : sslh_i_vload(bias + j));
        if (relu) s = sslh_i_vmax(sslh_i_vzero(), s);
        if (part) sslh_i_vstoren(y + j, s, part);
        else sslh_i_vstore(y + j, s);
    }
}
/* y[i] += a[i] b[i] (b NULL: y[i] += f a[i]), i < n */
SSLH_I_FN void SSLH_I_P(sslh_i_madd_row_)(sslh_real *y, const sslh_real *a, const sslh_real *b, sslh_real f, size_t n) {
    sslh_i_v factor = sslh_i_vset(f);
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        sslh_i_vstore(y + i, sslh_i_vfma(sslh_i_vload(a + i), b ? sslh_i_vload(b + i) : factor, sslh_i_vload(y + i)));
    if (i < n) {
        int part = (int)(n - i);
        sslh_i_v v = sslh_i_vfma(sslh_i_vloadn(a + i, part), b ? sslh_i_vloadn(b + i, part) : factor, sslh_i_vloadn(y + i, part));
        sslh_i_vstoren(y + i, v, part);
    }
}
/* One pixel of a maximum: y[c] = max over t of p[t][c]; NaN wins. */
SSLH_I_FN void SSLH_I_P(sslh_i_max_pixel_)(int taps, const sslh_real *const *p, size_t n, sslh_real *y) {
    for (size_t j = 0; j < n; j += 16) {
        int part = n - j < 16 ? (int)(n - j) : 0;
        sslh_i_v s = part ? sslh_i_vloadn(p[0] + j, part) : sslh_i_vload(p[0] + j);
        for (int t = 1; t < taps; t++) {
            sslh_i_v x = part ? sslh_i_vloadn(p[t] + j, part) : sslh_i_vload(p[t] + j);
            s = sslh_i_vselect(sslh_i_mor(sslh_i_vgt(x, s), sslh_i_vnan(x)), x, s);
        }
        if (part) sslh_i_vstoren(y + j, s, part);
        else sslh_i_vstore(y + j, s);
    }
}
/* Its gradient: the first t with p[t][c] = y[c] receives dy[c] in d[t][c]. */
SSLH_I_FN void SSLH_I_P(sslh_i_max_back_)(int taps, const sslh_real *const *p, size_t n, const sslh_real *y, const sslh_real *dy,
                                          sslh_real *const *d) {
    for (size_t j = 0; j < n; j += 16) {
        int part = n - j < 16 ? (int)(n - j) : 0;
        sslh_i_v v = part ? sslh_i_vloadn(y + j, part) : sslh_i_vload(y + j), zero = sslh_i_vzero();
        sslh_i_v g = part ? sslh_i_vloadn(dy + j, part) : sslh_i_vload(dy + j); /* what has not found its place yet */
        for (int t = 0; t < taps; t++) {
            sslh_i_v x = part ? sslh_i_vloadn(p[t] + j, part) : sslh_i_vload(p[t] + j);
            sslh_i_v old = part ? sslh_i_vloadn(d[t] + j, part) : sslh_i_vload(d[t] + j);
            sslh_i_m here = sslh_i_veq(x, v);
            old = sslh_i_vadd(old, sslh_i_vselect(here, g, zero));
            g = sslh_i_vselect(here, zero, g);
            if (part) sslh_i_vstoren(d[t] + j, old, part);
            else sslh_i_vstore(d[t] + j, old);
        }
    }
}

/* --- kernels: element-wise, norms, softmax, optimisers --- */

/* The last part of an array: m >= 16 values left give a full vector, fewer a partial one (the other lanes are 0). */
#define sslh_i_vget SSLH_I_P(sslh_i_vget_)
#define sslh_i_vput SSLH_I_P(sslh_i_vput_)
#define sslh_i_vfirst SSLH_I_P(sslh_i_vfirst_)
SSLH_I_INLINE sslh_i_v sslh_i_vget(const sslh_real *p, size_t m) {
    return m >= 16 ? sslh_i_vload(p) : sslh_i_vloadn(p, (int)m);
}
SSLH_I_INLINE void sslh_i_vput(sslh_real *p, sslh_i_v x, size_t m) {
    if (m >= 16) sslh_i_vstore(p, x);
    else sslh_i_vstoren(p, x, (int)m);
}
/* x in the first m lanes, other in the rest. */
SSLH_I_INLINE sslh_i_v sslh_i_vfirst(sslh_i_v x, sslh_i_v other, size_t m) {
    if (m >= 16) return x;
    return sslh_i_vselect(sslh_i_vgt(sslh_i_vset((sslh_real)(int)m), sslh_i_vload(sslh_i_iota)), x, other);
}

/* Elementary functions on V: the algorithms and coefficients of the scalar ones above, with vfma. A few ulp. */
#define sslh_i_vexp SSLH_I_P(sslh_i_vexp_)
#define sslh_i_vlog SSLH_I_P(sslh_i_vlog_)
#define sslh_i_vtanh SSLH_I_P(sslh_i_vtanh_)
#define sslh_i_verf SSLH_I_P(sslh_i_verf_)
#define sslh_i_vsigmoid SSLH_I_P(sslh_i_vsigmoid_)
#define sslh_i_vsoftplus SSLH_I_P(sslh_i_vsoftplus_)
#define sslh_i_vgelu SSLH_I_P(sslh_i_vgelu_)
#define sslh_i_vgelu_slope SSLH_I_P(sslh_i_vgelu_slope_)
#define sslh_i_vgelu_inner SSLH_I_P(sslh_i_vgelu_inner_)
#define sslh_i_vpow SSLH_I_P(sslh_i_vpow_)
/* Inlined where V is registers; arrays of 16 would only make the code large and the compiler slow. */
#if SSLH_I_W > 1
#define SSLH_I_BIG SSLH_I_INLINE
#elif defined(__GNUC__)
#define SSLH_I_BIG static SSLH_I_UNUSED __attribute__((noinline))
#else
#define SSLH_I_BIG SSLH_I_FN
#endif
#define SSLH_I_K(x) sslh_i_vset(SSLH_I_R(x))
#if SSLH_I_DOUBLE
#define SSLH_I_VLIBM(name, f) \
    SSLH_I_BIG sslh_i_v name(sslh_i_v x) { \
        for (int q = 0; q < 16; q++) x.a[q] = f(x.a[q]); \
        return x; \
    }
SSLH_I_VLIBM(sslh_i_vexp, sslh_i_exp)
SSLH_I_VLIBM(sslh_i_vlog, sslh_i_log)
SSLH_I_VLIBM(sslh_i_vtanh, sslh_i_tanh)
SSLH_I_VLIBM(sslh_i_verf, sslh_i_erf)
#else
/* e^x = 2^n e^r; the limits keep the exponents in range and still give 0 and Inf. NaN stays NaN. */
SSLH_I_BIG sslh_i_v sslh_i_vexp(sslh_i_v x) {
    x = sslh_i_vmax(SSLH_I_K(-104.0f), sslh_i_vmin(SSLH_I_K(89.0f), x));
    sslh_i_v n = sslh_i_vround(sslh_i_vmul(x, SSLH_I_K(1.44269504088896341f)));
    n = sslh_i_vmax(n, SSLH_I_K(-151.0f)); /* NaN becomes a number that fits an integer */
    sslh_i_v r = sslh_i_vfma(n, SSLH_I_K(-0.693359375f), x);
    r = sslh_i_vfma(n, SSLH_I_K(2.12194440e-4f), r);
    sslh_i_v y = SSLH_I_K(1.9875691500e-4f);
    y = sslh_i_vfma(y, r, SSLH_I_K(1.3981999507e-3f));
    y = sslh_i_vfma(y, r, SSLH_I_K(8.3334519073e-3f));
    y = sslh_i_vfma(y, r, SSLH_I_K(4.1665795894e-2f));
    y = sslh_i_vfma(y, r, SSLH_I_K(1.6666665459e-1f));
    y = sslh_i_vfma(y, r, SSLH_I_K(5.0000001201e-1f));
    y = sslh_i_vfma(y, sslh_i_vmul(r, r), r);
    y = sslh_i_vadd(y, SSLH_I_K(1.0f));
    /* 2^n in two factors: subnormal results and 2^128 are outside the range of one */
    sslh_i_v h = sslh_i_vround(sslh_i_vmul(n, SSLH_I_K(0.5f)));
    sslh_i_vi one = sslh_i_viset(127);
    y = sslh_i_vmul(y, sslh_i_vofbits(sslh_i_vishl23(sslh_i_viadd(sslh_i_vtoint(h), one))));
    return sslh_i_vmul(y, sslh_i_vofbits(sslh_i_vishl23(sslh_i_viadd(sslh_i_vtoint(sslh_i_vsub(n, h)), one))));
}
/* log x = e ln 2 + log m, sqrt(1/2) <= m < sqrt 2 */
SSLH_I_BIG sslh_i_v sslh_i_vlog(sslh_i_v x) {
    sslh_i_m tiny = sslh_i_vgt(SSLH_I_K(1.17549435e-38f), x); /* subnormal (or not positive, see the end) */
    sslh_i_vi u = sslh_i_vbits(sslh_i_vselect(tiny, sslh_i_vmul(x, SSLH_I_K(16777216.0f)), x));
    sslh_i_v e = sslh_i_vtoreal(sslh_i_visub(sslh_i_vishr23(u), sslh_i_viset(126)));
    sslh_i_v m = sslh_i_vofbits(sslh_i_vior(sslh_i_viand(u, sslh_i_viset(0x007fffff)), sslh_i_viset(0x3f000000)));
    e = sslh_i_vselect(tiny, sslh_i_vsub(e, SSLH_I_K(24.0f)), e);
    sslh_i_m low = sslh_i_vgt(SSLH_I_K(0.707106781186547524f), m);
    e = sslh_i_vselect(low, sslh_i_vsub(e, SSLH_I_K(1.0f)), e);
    m = sslh_i_vselect(low, sslh_i_vadd(m, m), m);
    m = sslh_i_vsub(m, SSLH_I_K(1.0f));
    sslh_i_v z = sslh_i_vmul(m, m), y = SSLH_I_K(7.0376836292e-2f);
    y = sslh_i_vfma(y, m, SSLH_I_K(-1.1514610310e-1f));
    y = sslh_i_vfma(y, m, SSLH_I_K(1.1676998740e-1f));
    y = sslh_i_vfma(y, m, SSLH_I_K(-1.2420140846e-1f));
    y = sslh_i_vfma(y, m, SSLH_I_K(1.4249322787e-1f));
    y = sslh_i_vfma(y, m, SSLH_I_K(-1.6668057665e-1f));
    y = sslh_i_vfma(y, m, SSLH_I_K(2.0000714765e-1f));
    y = sslh_i_vfma(y, m, SSLH_I_K(-2.4999993993e-1f));
    y = sslh_i_vfma(y, m, SSLH_I_K(3.3333331174e-1f));
    y = sslh_i_vmul(sslh_i_vmul(y, m), z);
    y = sslh_i_vfma(e, SSLH_I_K(-2.12194440e-4f), y);
    y = sslh_i_vfma(z, SSLH_I_K(-0.5f), y);
    y = sslh_i_vadd(m, y);
    y = sslh_i_vfma(e, SSLH_I_K(0.693359375f), y);
    y = sslh_i_vselect(sslh_i_veq(x, SSLH_I_K(SSLH_I_INF)), x, y);
    y = sslh_i_vselect(sslh_i_veq(x, sslh_i_vzero()), SSLH_I_K(-SSLH_I_INF), y);
    return sslh_i_vselect(sslh_i_vge(x, sslh_i_vzero()), y, SSLH_I_K(SSLH_I_NAN)); /* x < 0 or NaN */
}
/* x + x^3 P(x^2) near 0, else 1 - 2 / (e^2a + 1), a = |x| */
SSLH_I_BIG sslh_i_v sslh_i_vtanh(sslh_i_v x) {
    sslh_i_v a = sslh_i_vabs(x), z = sslh_i_vmul(x, x), y = SSLH_I_K(-5.70498872745e-3f);
    y = sslh_i_vfma(y, z, SSLH_I_K(2.06390887954e-2f));
    y = sslh_i_vfma(y, z, SSLH_I_K(-5.37397155531e-2f));
    y = sslh_i_vfma(y, z, SSLH_I_K(1.33314422036e-1f));
    y = sslh_i_vfma(y, z, SSLH_I_K(-3.33332819422e-1f));
    y = sslh_i_vfma(sslh_i_vmul(y, z), x, x);
    sslh_i_v b = sslh_i_vadd(sslh_i_vexp(sslh_i_vadd(a, a)), SSLH_I_K(1.0f));
    b = sslh_i_vsub(SSLH_I_K(1.0f), sslh_i_vdiv(SSLH_I_K(2.0f), b));
    b = sslh_i_vselect(sslh_i_vgt(sslh_i_vzero(), x), sslh_i_vneg(b), b);
    return sslh_i_vselect(sslh_i_vgt(SSLH_I_K(0.625f), a), y, b);
}
/* x + x P(x^2) near 0, else 1 - exp(a Q(a) - a), a = |x|; erf 4 = 1 in float */
SSLH_I_BIG sslh_i_v sslh_i_verf(sslh_i_v x) {
    sslh_i_v a = sslh_i_vmin(SSLH_I_K(4.0f), sslh_i_vabs(x)), z = sslh_i_vmul(x, x), y = SSLH_I_K(-5.96761703e-4f);
    y = sslh_i_vfma(y, z, SSLH_I_K(4.99119423e-3f));
    y = sslh_i_vfma(y, z, SSLH_I_K(-2.67681349e-2f));
    y = sslh_i_vfma(y, z, SSLH_I_K(1.12819925e-1f));
    y = sslh_i_vfma(y, z, SSLH_I_K(-3.76125336e-1f));
    y = sslh_i_vfma(y, z, SSLH_I_K(1.28379166e-1f));
    y = sslh_i_vfma(y, x, x);
    sslh_i_v b = SSLH_I_K(-1.72853470e-5f);
    b = sslh_i_vfma(b, a, SSLH_I_K(3.83197126e-4f));
    b = sslh_i_vfma(b, a, SSLH_I_K(-3.88396438e-3f));
    b = sslh_i_vfma(b, a, SSLH_I_K(2.42546219e-2f));
    b = sslh_i_vfma(b, a, SSLH_I_K(-1.06777877e-1f));
    b = sslh_i_vfma(b, a, SSLH_I_K(-6.34846687e-1f));
    b = sslh_i_vfma(b, a, SSLH_I_K(-1.28717512e-1f));
    b = sslh_i_vfma(b, a, sslh_i_vneg(a));
    b = sslh_i_vsub(SSLH_I_K(1.0f), sslh_i_vexp(b));
    b = sslh_i_vselect(sslh_i_vgt(sslh_i_vzero(), x), sslh_i_vneg(b), b);
    return sslh_i_vselect(sslh_i_vgt(a, SSLH_I_K(0.921875f)), b, y); /* NaN: y */
}
#endif

/* 1 / (1 + e^-x) */
SSLH_I_BIG sslh_i_v sslh_i_vsigmoid(sslh_i_v x) {
    return sslh_i_vdiv(SSLH_I_K(1), sslh_i_vadd(SSLH_I_K(1), sslh_i_vexp(sslh_i_vneg(x))));
}
/* log(1 + e^x) = max(x,0) + log(1 + t), t = e^-|x|;  log(1+t) = log u + (t - (u-1)) / u with u = 1+t rounded */
SSLH_I_BIG sslh_i_v sslh_i_vsoftplus(sslh_i_v x) {
    sslh_i_v t = sslh_i_vexp(sslh_i_vneg(sslh_i_vabs(x))), u = sslh_i_vadd(t, SSLH_I_K(1));
    sslh_i_v rest = sslh_i_vdiv(sslh_i_vsub(t, sslh_i_vsub(u, SSLH_I_K(1))), u);
    return sslh_i_vadd(sslh_i_vmax(sslh_i_vzero(), x), sslh_i_vadd(sslh_i_vlog(u), rest));
}
/* x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2 */
SSLH_I_BIG sslh_i_v sslh_i_vgelu(sslh_i_v x) {
    sslh_i_v e = sslh_i_verf(sslh_i_vmul(x, SSLH_I_K(0.70710678118654752440)));
    return sslh_i_vmul(sslh_i_vmul(x, SSLH_I_K(0.5)), sslh_i_vadd(e, SSLH_I_K(1)));
}
/* Phi(x) + x phi(x), phi(x) = exp(-x^2/2) / sqrt(2 pi) */
SSLH_I_BIG sslh_i_v sslh_i_vgelu_slope(sslh_i_v x) {
    sslh_i_v e = sslh_i_verf(sslh_i_vmul(x, SSLH_I_K(0.70710678118654752440)));
    sslh_i_v d = sslh_i_vexp(sslh_i_vmul(sslh_i_vmul(x, x), SSLH_I_K(-0.5)));
    d = sslh_i_vmul(sslh_i_vmul(d, x), SSLH_I_K(0.39894228040143267794));
    return sslh_i_vfma(e, SSLH_I_K(0.5), sslh_i_vadd(d, SSLH_I_K(0.5)));
}
/* The tanh form: x (1 + tanh u) / 2, u = sqrt(2/pi) (x + 0.044715 x^3). Hendrycks & Gimpel 2016. */
SSLH_I_BIG sslh_i_v sslh_i_vgelu_inner(sslh_i_v x) {
    sslh_i_v t = sslh_i_vfma(sslh_i_vmul(x, x), SSLH_I_K(0.044715), SSLH_I_K(1));
    return sslh_i_vtanh(sslh_i_vmul(sslh_i_vmul(t, x), SSLH_I_K(0.79788456080286535588)));
}

/* x^(k/2) for small k: products and one square root */
SSLH_I_BIG sslh_i_v sslh_i_vpow(sslh_i_v x, int k) {
    sslh_i_v y = SSLH_I_K(1), b = x;
    int left = k < 0 ? -k : k, half = left & 1;
    for (left /= 2; left; left /= 2) {
        if (left & 1) y = sslh_i_vmul(y, b);
        b = sslh_i_vmul(b, b);
    }
    if (half) y = sslh_i_vmul(y, sslh_i_vsqrt(x));
    return k < 0 ? sslh_i_vdiv(SSLH_I_K(1), y) : y;
}

/* y[i] = E(x), with x the vector at i. The macros below differ in what they load: one loop each, 16 values a turn. */
#define SSLH_I_MAP(E) \
    for (size_t i = 0; i < n; i += 16) { \
        sslh_i_v v = sslh_i_vget(x + i, n - i); \
        sslh_i_vput(y + i, E, n - i); \
    }
#define sslh_i_vone SSLH_I_K(1)

SSLH_I_FN void SSLH_I_P(sslh_i_unary_)(int op, const sslh_real *x, sslh_real *y, size_t n, sslh_real p, sslh_real q) {
    sslh_i_v zero = sslh_i_vzero(), vp = sslh_i_vset(p), vq = sslh_i_vset(q);
    switch (op) {
    case SSLH_I_U_RELU: SSLH_I_MAP(sslh_i_vmax(zero, v)) break; /* NaN stays NaN */
    case SSLH_I_U_SIGMOID: SSLH_I_MAP(sslh_i_vsigmoid(v)) break;
    case SSLH_I_U_TANH: SSLH_I_MAP(sslh_i_vtanh(v)) break;
    case SSLH_I_U_EXP: SSLH_I_MAP(sslh_i_vexp(v)) break;
    case SSLH_I_U_SQRT: SSLH_I_MAP(sslh_i_vsqrt(v)) break;
    case SSLH_I_U_SCALE: SSLH_I_MAP(sslh_i_vmul(v, vp)) break;
    case SSLH_I_U_SHIFT: SSLH_I_MAP(sslh_i_vadd(v, vp)) break;
    case SSLH_I_U_GELU: SSLH_I_MAP(sslh_i_vgelu(v)) break;
    case SSLH_I_U_GELU_TANH:
        SSLH_I_MAP(sslh_i_vmul(sslh_i_vmul(v, SSLH_I_K(0.5)), sslh_i_vadd(sslh_i_vgelu_inner(v), sslh_i_vone)))
        break;
    case SSLH_I_U_SILU: SSLH_I_MAP(sslh_i_vmul(v, sslh_i_vsigmoid(v))) break;
    case SSLH_I_U_SOFTPLUS: SSLH_I_MAP(sslh_i_vsoftplus(v)) break;
    case SSLH_I_U_LEAKY: SSLH_I_MAP(sslh_i_vselect(sslh_i_vgt(v, zero), v, sslh_i_vmul(v, vp))) break;
    case SSLH_I_U_ELU: /* e^x - 1 = 2 t / (1 - t), t = tanh(x/2): no cancellation near 0 */
        for (size_t i = 0; i < n; i += 16) {
            sslh_i_v v = sslh_i_vget(x + i, n - i), t = sslh_i_vtanh(sslh_i_vmul(v, SSLH_I_K(0.5)));
            t = sslh_i_vdiv(sslh_i_vadd(t, t), sslh_i_vsub(sslh_i_vone, t));
            sslh_i_vput(y + i, sslh_i_vselect(sslh_i_vgt(v, zero), v, sslh_i_vmul(t, vp)), n - i);
        }
        break;
    case SSLH_I_U_LOG: SSLH_I_MAP(sslh_i_vlog(v)) break;
    case SSLH_I_U_SQUARE: SSLH_I_MAP(sslh_i_vmul(v, v)) break;
    case SSLH_I_U_ABS: SSLH_I_MAP(sslh_i_vabs(v)) break;
    case SSLH_I_U_POW:
        if (sslh_i_twice(p)) SSLH_I_MAP(sslh_i_vpow(v, (int)(p + p)))
        else for (size_t i = 0; i < n; i++) y[i] = sslh_i_pow(x[i], p);
        break;
    case SSLH_I_U_CLAMP: SSLH_I_MAP(sslh_i_vmin(vq, sslh_i_vmax(vp, v))) break;
    default: SSLH_I_MAP(v) break;
    }
}

/* dx = (fresh ? 0 : dx) + dy y'(x), the slope given by E from x and y: the vectors v and w; g is dy. dx may be dy. */
#define SSLH_I_MAP_BACK(E) \
    for (size_t i = 0; i < n; i += 16) { \
        sslh_i_v v = sslh_i_vget(x + i, n - i), w = sslh_i_vget(y + i, n - i), g = sslh_i_vget(dy + i, n - i); \
        (void)v, (void)w; \
        g = E; \
        if (!fresh) g = sslh_i_vadd(g, sslh_i_vget(dx + i, n - i)); \
        sslh_i_vput(dx + i, g, n - i); \
    }
SSLH_I_FN void SSLH_I_P(sslh_i_unary_back_)(int op, const sslh_real *x, const sslh_real *y, const sslh_real *dy,
                                            sslh_real *dx, size_t n, sslh_real p, sslh_real q, int fresh) {
    sslh_i_v zero = sslh_i_vzero(), vp = sslh_i_vset(p), vq = sslh_i_vset(q);
    if (!x) x = dy; /* whichever the derivative does not need may be NULL */
    if (!y) y = dy;
    switch (op) {
    case SSLH_I_U_RELU: SSLH_I_MAP_BACK(sslh_i_vselect(sslh_i_vgt(w, zero), g, zero)) break;
    case SSLH_I_U_SIGMOID: SSLH_I_MAP_BACK(sslh_i_vmul(g, sslh_i_vmul(w, sslh_i_vsub(sslh_i_vone, w)))) break;
    case SSLH_I_U_TANH: SSLH_I_MAP_BACK(sslh_i_vmul(g, sslh_i_vsub(sslh_i_vone, sslh_i_vmul(w, w)))) break;
    case SSLH_I_U_EXP: SSLH_I_MAP_BACK(sslh_i_vmul(g, w)) break;
    case SSLH_I_U_SQRT: SSLH_I_MAP_BACK(sslh_i_vdiv(g, sslh_i_vadd(w, w))) break;
    case SSLH_I_U_SCALE: SSLH_I_MAP_BACK(sslh_i_vmul(g, vp)) break;
    case SSLH_I_U_GELU: SSLH_I_MAP_BACK(sslh_i_vmul(g, sslh_i_vgelu_slope(v))) break;
    case SSLH_I_U_GELU_TANH: /* (1+t)/2 + x (1-t^2)/2 u', u' = sqrt(2/pi) (1 + 3 0.044715 x^2) */
        for (size_t i = 0; i < n; i += 16) {
            sslh_i_v v = sslh_i_vget(x + i, n - i), g = sslh_i_vget(dy + i, n - i), t = sslh_i_vgelu_inner(v);
            sslh_i_v u = sslh_i_vfma(sslh_i_vmul(v, v), SSLH_I_K(0.134145), sslh_i_vone);
            u = sslh_i_vmul(sslh_i_vmul(u, v), SSLH_I_K(0.79788456080286535588));
            u = sslh_i_vmul(u, sslh_i_vsub(sslh_i_vone, sslh_i_vmul(t, t)));
            u = sslh_i_vadd(u, sslh_i_vadd(t, sslh_i_vone));
            g = sslh_i_vmul(g, sslh_i_vmul(u, SSLH_I_K(0.5)));
            if (!fresh) g = sslh_i_vadd(g, sslh_i_vget(dx + i, n - i));
            sslh_i_vput(dx + i, g, n - i);
        }
        break;
    case SSLH_I_U_SILU: /* s (1 + x (1-s)) */
        for (size_t i = 0; i < n; i += 16) {
            sslh_i_v v = sslh_i_vget(x + i, n - i), g = sslh_i_vget(dy + i, n - i), s = sslh_i_vsigmoid(v);
            g = sslh_i_vmul(g, sslh_i_vmul(s, sslh_i_vfma(v, sslh_i_vsub(sslh_i_vone, s), sslh_i_vone)));
            if (!fresh) g = sslh_i_vadd(g, sslh_i_vget(dx + i, n - i));
            sslh_i_vput(dx + i, g, n - i);
        }
        break;
    case SSLH_I_U_SOFTPLUS: SSLH_I_MAP_BACK(sslh_i_vmul(g, sslh_i_vsigmoid(v))) break;
    case SSLH_I_U_LEAKY: SSLH_I_MAP_BACK(sslh_i_vselect(sslh_i_vgt(v, zero), g, sslh_i_vmul(g, vp))) break;
    case SSLH_I_U_ELU:
        SSLH_I_MAP_BACK(sslh_i_vselect(sslh_i_vgt(v, zero), g, sslh_i_vmul(g, sslh_i_vmul(vp, sslh_i_vexp(v)))))
        break;
    case SSLH_I_U_LOG: SSLH_I_MAP_BACK(sslh_i_vdiv(g, v)) break;
    case SSLH_I_U_SQUARE: SSLH_I_MAP_BACK(sslh_i_vmul(g, sslh_i_vadd(v, v))) break;
    case SSLH_I_U_ABS: /* the slope at 0 is 0 */
        SSLH_I_MAP_BACK(
            sslh_i_vselect(sslh_i_vgt(v, zero), g, sslh_i_vselect(sslh_i_vgt(zero, v), sslh_i_vneg(g), zero)))
        break;
    case SSLH_I_U_POW:
        if (p == 0) SSLH_I_MAP_BACK(zero)
        else if (sslh_i_twice(p)) SSLH_I_MAP_BACK(sslh_i_vmul(g, sslh_i_vmul(vp, sslh_i_vpow(v, (int)(p + p) - 2))))
        else
            for (size_t i = 0; i < n; i++) {
                sslh_real t = p * sslh_i_pow(x[i], p - 1);
                t = t * dy[i];
                dx[i] = fresh ? t : dx[i] + t;
            }
        break;
    case SSLH_I_U_CLAMP:
        SSLH_I_MAP_BACK(sslh_i_vselect(sslh_i_mand(sslh_i_vge(v, vp), sslh_i_vge(vq, v)), g, zero))
        break;
    default: SSLH_I_MAP_BACK(g) break; /* SHIFT, LINEAR */
    }
}

/* Two operands, each an array or one number. */
#define SSLH_I_MAP2(E) \
    for (size_t i = 0; i < n; i += 16) { \
        sslh_i_v v = sa ? sslh_i_vget(a + i, n - i) : a0, w = sb ? sslh_i_vget(b + i, n - i) : b0; \
        sslh_i_vput(y + i, E, n - i); \
    }
SSLH_I_FN void SSLH_I_P(sslh_i_binary_)(int op, const sslh_real *a, int sa, const sslh_real *b, int sb, sslh_real *y,
                                        size_t n) {
    sslh_i_v a0 = sslh_i_vset(a[0]), b0 = sslh_i_vset(b[0]);
    switch (op) {
    case SSLH_I_B_ADD: SSLH_I_MAP2(sslh_i_vadd(v, w)) break;
    case SSLH_I_B_SUB: SSLH_I_MAP2(sslh_i_vsub(v, w)) break;
    case SSLH_I_B_MUL: SSLH_I_MAP2(sslh_i_vmul(v, w)) break;
    case SSLH_I_B_DIV: SSLH_I_MAP2(sslh_i_vdiv(v, w)) break;
    case SSLH_I_B_MIN:
        SSLH_I_MAP2(sslh_i_vselect(sslh_i_vnan(v), v, sslh_i_vmin(v, w))) break; /* NaN of either stays */
    case SSLH_I_B_MAX: SSLH_I_MAP2(sslh_i_vselect(sslh_i_vnan(v), v, sslh_i_vmax(v, w))) break;
    default: SSLH_I_MAP2(sslh_i_vselect(sslh_i_vgt(v, w), sslh_i_vone, sslh_i_vzero())) break;
    }
}

/* dx (+)= gradient of operand side (0: a, 1: b), not yet summed over its broadcast axes. dx may be dy. */
#define SSLH_I_MAP2_BACK(E) \
    for (size_t i = 0; i < n; i += 16) { \
        sslh_i_v v = sa ? sslh_i_vget(a + i, n - i) : a0, w = sb ? sslh_i_vget(b + i, n - i) : b0; \
        sslh_i_v g = sslh_i_vget(dy + i, n - i); \
        (void)v, (void)w; \
        g = E; \
        if (!fresh) g = sslh_i_vadd(g, sslh_i_vget(dx + i, n - i)); \
        sslh_i_vput(dx + i, g, n - i); \
    }
SSLH_I_FN void SSLH_I_P(sslh_i_binary_back_)(int op, int side, const sslh_real *a, int sa, const sslh_real *b, int sb,
                                             const sslh_real *y, const sslh_real *dy, sslh_real *dx, size_t n,
                                             int fresh) {
    sslh_i_v a0 = sslh_i_vset(a[0]), b0 = sslh_i_vset(b[0]), zero = sslh_i_vzero(), half = SSLH_I_K(0.5);
    if (op == SSLH_I_B_MUL && side == 0) SSLH_I_MAP2_BACK(sslh_i_vmul(g, w))
    else if (op == SSLH_I_B_MUL) SSLH_I_MAP2_BACK(sslh_i_vmul(g, v))
    else if (op == SSLH_I_B_DIV && side == 0) SSLH_I_MAP2_BACK(sslh_i_vdiv(g, w))
    else if (op == SSLH_I_B_DIV) /* -y / b */
        SSLH_I_MAP2_BACK(sslh_i_vneg(sslh_i_vdiv(sslh_i_vmul(g, sslh_i_vget(y + i, n - i)), w)))
    else if (op == SSLH_I_B_SUB && side == 1) SSLH_I_MAP2_BACK(sslh_i_vneg(g))
    else if (op == SSLH_I_B_MIN || op == SSLH_I_B_MAX) {
        if ((op == SSLH_I_B_MAX) == (side == 0)) /* the side that is taken when a > b */
            SSLH_I_MAP2_BACK(
                sslh_i_vselect(sslh_i_veq(v, w), sslh_i_vmul(g, half), sslh_i_vselect(sslh_i_vgt(v, w), g, zero)))
        else
            SSLH_I_MAP2_BACK(
                sslh_i_vselect(sslh_i_veq(v, w), sslh_i_vmul(g, half), sslh_i_vselect(sslh_i_vgt(w, v), g, zero)))
    } else SSLH_I_MAP2_BACK(g)
}

/* y = a y + b x */
SSLH_I_FN void SSLH_I_P(sslh_i_axpby_)(sslh_real *y, const sslh_real *x, size_t n, sslh_real a, sslh_real b) {
    sslh_i_v va = sslh_i_vset(a), vb = sslh_i_vset(b);
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v t = sslh_i_vmul(sslh_i_vget(y + i, n - i), va);
        sslh_i_vput(y + i, sslh_i_vfma(sslh_i_vget(x + i, n - i), vb, t), n - i);
    }
}

/* d = ratio (scale g + decay p);  mu = momentum mu + d;  p -= lr mu, with Nesterov p -= lr (d + momentum mu).
   mu NULL: p -= lr d. Sutskever et al. 2013, PyTorch's form. */
SSLH_I_FN void SSLH_I_P(sslh_i_sgd_)(sslh_real *p, sslh_real *g, sslh_real *mu, size_t n, const sslh_i_sgd *s) {
    sslh_i_v rate = sslh_i_vset(-s->lr), momentum = sslh_i_vset(s->momentum), decay = sslh_i_vset(s->decay);
    sslh_i_v scale = sslh_i_vset(s->grad_scale), ratio = sslh_i_vset(s->ratio);
    int nesterov = s->nesterov, zero = s->zero_grad;
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v w = sslh_i_vget(p + i, n - i), d = sslh_i_vmul(sslh_i_vget(g + i, n - i), scale);
        d = sslh_i_vmul(sslh_i_vfma(w, decay, d), ratio);
        if (mu) {
            sslh_i_v t = sslh_i_vfma(sslh_i_vget(mu + i, n - i), momentum, d);
            sslh_i_vput(mu + i, t, n - i);
            d = nesterov ? sslh_i_vfma(t, momentum, d) : t;
        }
        sslh_i_vput(p + i, sslh_i_vfma(d, rate, w), n - i);
        if (zero) sslh_i_vput(g + i, sslh_i_vzero(), n - i);
    }
}

/* m = beta1 m + (1-beta1) g,  v = beta2 v + (1-beta2) g^2,  p -= lr/bias1 m / (sqrt(v) / sqrt(bias2) + eps)
   Kingma & Ba 2015, alg. 1; Loshchilov & Hutter 2019, alg. 2 for the decoupled decay. */
SSLH_I_FN void SSLH_I_P(sslh_i_adam_)(sslh_real *p, sslh_real *g, sslh_real *m, sslh_real *v, size_t n,
                                      const sslh_i_adam *s) {
    sslh_real shrink = s->lr * s->decoupled, rate = s->lr / s->bias1, root = sslh_i_sqrt(s->bias2);
    sslh_i_v beta1 = sslh_i_vset(s->beta1), beta2 = sslh_i_vset(s->beta2), eps = sslh_i_vset(s->eps);
    sslh_i_v rest1 = sslh_i_vset(1 - s->beta1), rest2 = sslh_i_vset(1 - s->beta2), decay = sslh_i_vset(s->decay);
    sslh_i_v scale = sslh_i_vset(s->grad_scale), keep = sslh_i_vset(1 - shrink), vrate = sslh_i_vset(-rate);
    sslh_i_v vroot = sslh_i_vset(root);
    int zero = s->zero_grad;
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v w = sslh_i_vget(p + i, n - i), d = sslh_i_vmul(sslh_i_vget(g + i, n - i), scale);
        d = sslh_i_vfma(w, decay, d);
        w = sslh_i_vmul(w, keep);
        sslh_i_v mm = sslh_i_vfma(d, rest1, sslh_i_vmul(sslh_i_vget(m + i, n - i), beta1));
        sslh_i_v vv = sslh_i_vfma(sslh_i_vmul(d, d), rest2, sslh_i_vmul(sslh_i_vget(v + i, n - i), beta2));
        sslh_i_vput(m + i, mm, n - i);
        sslh_i_vput(v + i, vv, n - i);
        vv = sslh_i_vadd(sslh_i_vdiv(sslh_i_vsqrt(vv), vroot), eps);
        sslh_i_vput(p + i, sslh_i_vfma(sslh_i_vdiv(mm, vv), vrate, w), n - i);
        if (zero) sslh_i_vput(g + i, sslh_i_vzero(), n - i);
    }
}

/* Sum over i in four rotating accumulators of 16 lanes, then one tree: one shape for every instruction set. t = LOAD is
   the vector at i, ADD adds it (or its square) to s0; lanes beyond the end must add 0. */
#define SSLH_I_SUM(TOTAL, LOAD, ADD) \
    { \
        sslh_i_v s0 = sslh_i_vzero(), s1 = s0, s2 = s0, s3 = s0; \
        for (size_t i = 0; i < n; i += 16) { \
            sslh_i_v t = LOAD; \
            t = ADD; \
            s0 = s1; \
            s1 = s2; \
            s2 = s3; \
            s3 = t; \
        } \
        TOTAL = sslh_i_vsum(sslh_i_vadd(sslh_i_vadd(s0, s1), sslh_i_vadd(s2, s3))); \
    }
#define sslh_i_sum_row SSLH_I_P(sslh_i_sum_row_)
#define sslh_i_spread_row SSLH_I_P(sslh_i_spread_row_)
#define sslh_i_max_row SSLH_I_P(sslh_i_max_row_)
SSLH_I_FN sslh_real sslh_i_sum_row(const sslh_real *x, size_t n) {
    sslh_real sum;
    SSLH_I_SUM(sum, sslh_i_vget(x + i, n - i), sslh_i_vadd(s0, t))
    return sum;
}
/* sum of (x - mean)^2 */
SSLH_I_FN sslh_real sslh_i_spread_row(const sslh_real *x, size_t n, sslh_real mean) {
    sslh_i_v vm = sslh_i_vset(mean), zero = sslh_i_vzero();
    sslh_real sum;
    SSLH_I_SUM(sum, sslh_i_vfirst(sslh_i_vsub(sslh_i_vget(x + i, n - i), vm), zero, n - i), sslh_i_vfma(t, t, s0))
    return sum;
}
SSLH_I_FN sslh_real sslh_i_max_row(const sslh_real *x, size_t n) {
    sslh_i_v most = sslh_i_vset(x[0]);
    size_t i;
    for (i = 0; i + 16 <= n; i += 16) most = sslh_i_vmax(sslh_i_vload(x + i), most);
    if (i < n) most = sslh_i_vmax(sslh_i_vfirst(sslh_i_vget(x + i, n - i), most, n - i), most);
    return sslh_i_vhmax(most);
}

/* sum of (a x + b y)^2; y NULL: of (a x)^2 */
SSLH_I_FN sslh_real SSLH_I_P(sslh_i_squares_)(const sslh_real *x, const sslh_real *y, size_t n, sslh_real a,
                                              sslh_real b) {
    sslh_i_v va = sslh_i_vset(a), vb = sslh_i_vset(b);
    sslh_real sum;
    if (y)
        SSLH_I_SUM(sum, sslh_i_vfma(sslh_i_vget(y + i, n - i), vb, sslh_i_vmul(sslh_i_vget(x + i, n - i), va)),
                   sslh_i_vfma(t, t, s0))
    else SSLH_I_SUM(sum, sslh_i_vmul(sslh_i_vget(x + i, n - i), va), sslh_i_vfma(t, t, s0))
    return sum;
}

/* Of each row: the mean and the sum of squared distances from it. */
SSLH_I_FN void SSLH_I_P(sslh_i_variance_rows_)(const sslh_real *x, sslh_real *mean, sslh_real *m2, size_t rows,
                                               size_t D) {
    for (size_t r = 0; r < rows; r++) {
        mean[r] = sslh_i_sum_row(x + r * D, D) / (sslh_real)D;
        m2[r] = sslh_i_spread_row(x + r * D, D, mean[r]);
    }
}
/* dx (+)= factor (x - mean) dy; s = 0: one mean and dy for all n, 1: arrays */
SSLH_I_FN void SSLH_I_P(sslh_i_variance_back_)(const sslh_real *x, const sslh_real *mean, const sslh_real *dy, int s,
                                               sslh_real *dx, size_t n, sslh_real factor, int fresh) {
    sslh_i_v vf = sslh_i_vset(factor), m0 = sslh_i_vset(mean[0]), g0 = sslh_i_vset(dy[0]);
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v m = s ? sslh_i_vget(mean + i, n - i) : m0, g = s ? sslh_i_vget(dy + i, n - i) : g0;
        sslh_i_v t = sslh_i_vmul(sslh_i_vsub(sslh_i_vget(x + i, n - i), m), sslh_i_vmul(g, vf));
        if (!fresh) t = sslh_i_vadd(t, sslh_i_vget(dx + i, n - i));
        sslh_i_vput(dx + i, t, n - i);
    }
}

/* First maximum of each row and its place; a NaN counts as the maximum. y or index may be NULL. */
SSLH_I_FN void SSLH_I_P(sslh_i_max_rows_)(const sslh_real *x, sslh_real *y, int32_t *index, size_t rows, size_t D) {
    for (size_t r = 0; r < rows; r++, x += D) {
        sslh_i_v one = SSLH_I_K(1), nan = sslh_i_vzero();
        sslh_real most = sslh_i_max_row(x, D);
        size_t at = 0;
        for (size_t i = 0; i < D; i += 16) nan = sslh_i_vselect(sslh_i_vnan(sslh_i_vget(x + i, D - i)), one, nan);
        if (sslh_i_vhmax(nan) > 0) while (x[at] == x[at]) at++;
        else while (at + 1 < D && x[at] != most) at++;
        if (y) y[r] = x[at];
        if (index) index[r] = (int32_t)at;
    }
}
/* log sum exp of each row, around its maximum */
SSLH_I_FN void SSLH_I_P(sslh_i_lse_rows_)(const sslh_real *xs, sslh_real *y, size_t rows, size_t D) {
    for (size_t r = 0; r < rows; r++) {
        const sslh_real *x = xs + r * D;
        size_t n = D;
        sslh_real most = sslh_i_max_row(x, n), sum, none = most - most;
        sslh_i_v vm = sslh_i_vset(most), zero = sslh_i_vzero();
        if (none != none) { /* Inf, -Inf or NaN */
            y[r] = most;
            continue;
        }
        SSLH_I_SUM(sum, sslh_i_vexp(sslh_i_vsub(sslh_i_vget(x + i, n - i), vm)),
                   sslh_i_vadd(s0, sslh_i_vfirst(t, zero, n - i)))
        y[r] = most + sslh_i_log(sum);
    }
}
/* dx (+)= dy exp(x - lse): the gradient of log sum exp and, with lse of a row, of cross-entropy */
SSLH_I_FN void SSLH_I_P(sslh_i_lse_back_)(const sslh_real *x, const sslh_real *lse, const sslh_real *dy, int s,
                                          sslh_real *dx, size_t n, int fresh) {
    sslh_i_v l0 = sslh_i_vset(lse[0]), g0 = sslh_i_vset(dy[0]);
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v l = s ? sslh_i_vget(lse + i, n - i) : l0, g = s ? sslh_i_vget(dy + i, n - i) : g0;
        sslh_i_v t = sslh_i_vmul(sslh_i_vexp(sslh_i_vsub(sslh_i_vget(x + i, n - i), l)), g);
        if (!fresh) t = sslh_i_vadd(t, sslh_i_vget(dx + i, n - i));
        sslh_i_vput(dx + i, t, n - i);
    }
}

/* y = exp(x - max) / sum exp(x - max), or with log: x - max - log sum. y may be x. */
SSLH_I_FN void SSLH_I_P(sslh_i_softmax_)(const sslh_real *xs, sslh_real *ys, size_t rows, size_t D, int log) {
    for (size_t r = 0; r < rows; r++) {
        const sslh_real *x = xs + r * D;
        sslh_real *y = ys + r * D, sum;
        size_t n = D;
        sslh_i_v vm = sslh_i_vset(sslh_i_max_row(x, n)), zero = sslh_i_vzero();
        if (log) {
            SSLH_I_SUM(sum, sslh_i_vexp(sslh_i_vsub(sslh_i_vget(x + i, n - i), vm)),
                       sslh_i_vadd(s0, sslh_i_vfirst(t, zero, n - i)))
            sslh_i_v l = sslh_i_vset(sslh_i_log(sum));
            SSLH_I_MAP(sslh_i_vsub(sslh_i_vsub(v, vm), l))
        } else {
            SSLH_I_SUM(sum, sslh_i_vexp(sslh_i_vsub(sslh_i_vget(x + i, n - i), vm)),
                       (sslh_i_vput(y + i, t, n - i), sslh_i_vadd(s0, sslh_i_vfirst(t, zero, n - i))))
            sslh_i_v l = sslh_i_vset(SSLH_I_R(1) / sum);
            x = y;
            SSLH_I_MAP(sslh_i_vmul(v, l))
        }
    }
}
/* softmax: dx (+)= y (dy - sum y dy);  log-softmax: dx (+)= dy - e^y sum dy.  dx may be dy. */
SSLH_I_FN void SSLH_I_P(sslh_i_softmax_back_)(const sslh_real *ys, const sslh_real *gs, sslh_real *dxs, size_t rows,
                                              size_t D, int log, int fresh) {
    for (size_t r = 0; r < rows; r++) {
        const sslh_real *y = ys + r * D, *dy = gs + r * D;
        sslh_real *dx = dxs + r * D, sum;
        size_t n = D;
        if (log) sum = sslh_i_sum_row(dy, n);
        else SSLH_I_SUM(sum, sslh_i_vget(y + i, n - i), sslh_i_vfma(t, sslh_i_vget(dy + i, n - i), s0))
        sslh_i_v s = sslh_i_vset(sum);
        for (size_t i = 0; i < n; i += 16) {
            sslh_i_v v = sslh_i_vget(y + i, n - i), g = sslh_i_vget(dy + i, n - i);
            g = log ? sslh_i_vsub(g, sslh_i_vmul(sslh_i_vexp(v), s)) : sslh_i_vmul(v, sslh_i_vsub(g, s));
            if (!fresh) g = sslh_i_vadd(g, sslh_i_vget(dx + i, n - i));
            sslh_i_vput(dx + i, g, n - i);
        }
    }
}

/* y = (x - mean) / sqrt(var + eps) gamma + beta; stats (rows,2): mean and 1 / sqrt(var + eps). Ba et al. 2016, eq. 4 */
SSLH_I_FN void SSLH_I_P(sslh_i_layer_norm_)(const sslh_real *xs, const sslh_real *gamma, const sslh_real *beta,
                                            sslh_real *ys, sslh_real *stats, size_t rows, size_t D, sslh_real eps) {
    for (size_t r = 0; r < rows; r++) {
        const sslh_real *x = xs + r * D;
        sslh_real *y = ys + r * D, mean = sslh_i_sum_row(x, D) / (sslh_real)D;
        sslh_real var = sslh_i_spread_row(x, D, mean) / (sslh_real)D, inv;
        var = var + eps;
        inv = SSLH_I_R(1) / sslh_i_sqrt(var);
        stats[2 * r] = mean;
        stats[2 * r + 1] = inv;
        sslh_i_v vm = sslh_i_vset(mean), vi = sslh_i_vset(inv);
        for (size_t i = 0; i < D; i += 16) {
            sslh_i_v t = sslh_i_vmul(sslh_i_vsub(sslh_i_vget(x + i, D - i), vm), vi);
            sslh_i_v shift = beta ? sslh_i_vget(beta + i, D - i) : sslh_i_vzero();
            t = gamma ? sslh_i_vfma(t, sslh_i_vget(gamma + i, D - i), shift) : sslh_i_vadd(t, shift);
            sslh_i_vput(y + i, t, D - i);
        }
    }
}
/* With h = (x - mean) inv, g = dy gamma:  dx = inv (g - mean(g) - h mean(g h)),  dgamma += dy h,  dbeta += dy.
   dx, dgamma, dbeta may be NULL. dx may be dy. */
SSLH_I_FN void SSLH_I_P(sslh_i_layer_norm_back_)(const sslh_real *xs, const sslh_real *gs, const sslh_real *gamma,
                                                 const sslh_real *stats, sslh_real *dxs, sslh_real *dgamma,
                                                 sslh_real *dbeta, size_t rows, size_t D, int fresh) {
    for (size_t r = 0; r < rows; r++) {
        const sslh_real *x = xs + r * D, *dy = gs + r * D;
        sslh_i_v vm = sslh_i_vset(stats[2 * r]), vi = sslh_i_vset(stats[2 * r + 1]);
        sslh_i_v s0 = sslh_i_vzero(), s1 = s0, t0 = s0, t1 = s0; /* sum g and sum g h, two accumulators each */
        for (size_t i = 0; i < D; i += 16) {
            sslh_i_v g = sslh_i_vget(dy + i, D - i), h = sslh_i_vmul(sslh_i_vsub(sslh_i_vget(x + i, D - i), vm), vi);
            if (dgamma) sslh_i_vput(dgamma + i, sslh_i_vfma(g, h, sslh_i_vget(dgamma + i, D - i)), D - i);
            if (dbeta) sslh_i_vput(dbeta + i, sslh_i_vadd(g, sslh_i_vget(dbeta + i, D - i)), D - i);
            if (gamma) g = sslh_i_vmul(g, sslh_i_vget(gamma + i, D - i));
            sslh_i_v s = sslh_i_vadd(s0, g), t = sslh_i_vfma(g, h, t0); /* g is 0 beyond the end */
            s0 = s1;
            s1 = s;
            t0 = t1;
            t1 = t;
        }
        if (!dxs) continue;
        sslh_real *dx = dxs + r * D;
        sslh_i_v a = sslh_i_vset(sslh_i_vsum(sslh_i_vadd(s0, s1)) / (sslh_real)D);
        sslh_i_v b = sslh_i_vset(-sslh_i_vsum(sslh_i_vadd(t0, t1)) / (sslh_real)D);
        for (size_t i = 0; i < D; i += 16) {
            sslh_i_v g = sslh_i_vget(dy + i, D - i), h = sslh_i_vmul(sslh_i_vsub(sslh_i_vget(x + i, D - i), vm), vi);
            if (gamma) g = sslh_i_vmul(g, sslh_i_vget(gamma + i, D - i));
            g = sslh_i_vmul(sslh_i_vfma(h, b, sslh_i_vsub(g, a)), vi);
            if (!fresh) g = sslh_i_vadd(g, sslh_i_vget(dx + i, D - i));
            sslh_i_vput(dx + i, g, D - i);
        }
    }
}

/* y = x / max(|x|, eps) by rows; norm (rows) receives |x| */
SSLH_I_FN void SSLH_I_P(sslh_i_l2_)(const sslh_real *xs, sslh_real *ys, sslh_real *norm, size_t rows, size_t D,
                                    sslh_real eps) {
    for (size_t r = 0; r < rows; r++) {
        const sslh_real *x = xs + r * D;
        sslh_real *y = ys + r * D, sum;
        size_t n = D;
        SSLH_I_SUM(sum, sslh_i_vget(x + i, n - i), sslh_i_vfma(t, t, s0))
        norm[r] = sslh_i_sqrt(sum);
        sslh_i_v k = sslh_i_vset(norm[r] > eps ? norm[r] : eps);
        SSLH_I_MAP(sslh_i_vdiv(v, k))
    }
}
/* dx (+)= (dy - y (y . dy)) / |x|, or dy / eps where |x| < eps. dx may be dy. */
SSLH_I_FN void SSLH_I_P(sslh_i_l2_back_)(const sslh_real *ys, const sslh_real *norm, const sslh_real *gs,
                                         sslh_real *dxs, size_t rows, size_t D, sslh_real eps, int fresh) {
    for (size_t r = 0; r < rows; r++) {
        const sslh_real *y = ys + r * D, *dy = gs + r * D;
        sslh_real *dx = dxs + r * D, sum;
        size_t n = D;
        SSLH_I_SUM(sum, sslh_i_vget(y + i, n - i), sslh_i_vfma(t, sslh_i_vget(dy + i, n - i), s0))
        if (norm[r] < eps) sum = 0;
        sslh_i_v s = sslh_i_vset(-sum), k = sslh_i_vset(norm[r] > eps ? norm[r] : eps);
        for (size_t i = 0; i < n; i += 16) {
            sslh_i_v g = sslh_i_vdiv(sslh_i_vfma(sslh_i_vget(y + i, n - i), s, sslh_i_vget(dy + i, n - i)), k);
            if (!fresh) g = sslh_i_vadd(g, sslh_i_vget(dx + i, n - i));
            sslh_i_vput(dx + i, g, n - i);
        }
    }
}

/* Sums over rows, one after the other: four vectors of columns at a time. */
SSLH_I_FN void SSLH_I_P(sslh_i_col_sum_)(const sslh_real *x, size_t ld, size_t rows, size_t C, sslh_real *out) {
    size_t j = 0;
    for (; j + 64 <= C; j += 64) {
        sslh_i_v a = sslh_i_vzero(), b = a, c = a, d = a;
        for (size_t r = 0; r < rows; r++) {
            const sslh_real *p = x + r * ld + j;
            a = sslh_i_vadd(a, sslh_i_vload(p));
            b = sslh_i_vadd(b, sslh_i_vload(p + 16));
            c = sslh_i_vadd(c, sslh_i_vload(p + 32));
            d = sslh_i_vadd(d, sslh_i_vload(p + 48));
        }
        sslh_i_vstore(out + j, a);
        sslh_i_vstore(out + j + 16, b);
        sslh_i_vstore(out + j + 32, c);
        sslh_i_vstore(out + j + 48, d);
    }
    for (; j < C; j += 16) {
        sslh_i_v a = sslh_i_vzero();
        for (size_t r = 0; r < rows; r++) a = sslh_i_vadd(a, sslh_i_vget(x + r * ld + j, C - j));
        sslh_i_vput(out + j, a, C - j);
    }
}

/* Column means and sums of squared distances from them, of one block of rows that fits the cache: two passes. */
SSLH_I_FN void SSLH_I_P(sslh_i_col_moments_)(const sslh_real *x, size_t rows, size_t C, sslh_real *mean,
                                             sslh_real *m2) {
    sslh_i_v count = sslh_i_vset((sslh_real)rows);
    size_t j = 0;
    SSLH_I_P(sslh_i_col_sum_)(x, C, rows, C, mean);
    for (; j + 32 <= C; j += 32) {
        sslh_i_v ma = sslh_i_vdiv(sslh_i_vload(mean + j), count), mb = sslh_i_vdiv(sslh_i_vload(mean + j + 16), count);
        sslh_i_v a = sslh_i_vzero(), b = a, t;
        for (size_t r = 0; r < rows; r++) {
            const sslh_real *p = x + r * C + j;
            t = sslh_i_vsub(sslh_i_vload(p), ma);
            a = sslh_i_vfma(t, t, a);
            t = sslh_i_vsub(sslh_i_vload(p + 16), mb);
            b = sslh_i_vfma(t, t, b);
        }
        sslh_i_vstore(mean + j, ma);
        sslh_i_vstore(mean + j + 16, mb);
        sslh_i_vstore(m2 + j, a);
        sslh_i_vstore(m2 + j + 16, b);
    }
    for (; j < C; j += 16) {
        sslh_i_v m = sslh_i_vdiv(sslh_i_vget(mean + j, C - j), count), a = sslh_i_vzero();
        for (size_t r = 0; r < rows; r++) {
            sslh_i_v t = sslh_i_vsub(sslh_i_vget(x + r * C + j, C - j), m);
            a = sslh_i_vfma(t, t, a);
        }
        sslh_i_vput(mean + j, m, C - j);
        sslh_i_vput(m2 + j, a, C - j);
    }
}

/* The value before residual and ReLU: one expression, so that the backward pass finds the same sign. */
#define sslh_i_norm_at SSLH_I_P(sslh_i_norm_at_)
SSLH_I_INLINE sslh_i_v sslh_i_norm_at(sslh_i_v x, sslh_i_affine a, size_t j, size_t m) {
    return sslh_i_vfma(sslh_i_vsub(x, sslh_i_vget(a.mean + j, m)), sslh_i_vget(a.scale + j, m),
                       sslh_i_vget(a.shift + j, m));
}
/* y = (x - mean) scale + shift (+ residual), cut at 0 with relu */
SSLH_I_FN void SSLH_I_P(sslh_i_norm_)(const sslh_real *x, const sslh_real *residual, sslh_i_affine a, sslh_real *y,
                                      size_t rows, size_t C, int relu) {
    sslh_i_v zero = sslh_i_vzero();
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < C; j += 16) {
            sslh_i_v t = sslh_i_norm_at(sslh_i_vget(x + j, C - j), a, j, C - j);
            if (residual) t = sslh_i_vadd(t, sslh_i_vget(residual + j, C - j));
            if (relu) t = sslh_i_vmax(zero, t);
            sslh_i_vput(y + j, t, C - j);
        }
        x += C;
        y += C;
        if (residual) residual += C;
    }
}
/* s1 = sum dz, s2 = sum dz (x - mean) over the rows; dz = dy, with relu dy where the output was above 0 */
SSLH_I_FN void SSLH_I_P(sslh_i_norm_sums_)(const sslh_real *x, const sslh_real *dy, sslh_i_affine a, size_t rows,
                                           size_t C, int relu, sslh_real *s1, sslh_real *s2) {
    sslh_i_v zero = sslh_i_vzero();
    size_t j = 0;
    for (; j + 32 <= C; j += 32) {
        sslh_i_v mean0 = sslh_i_vload(a.mean + j), mean1 = sslh_i_vload(a.mean + j + 16), u0 = zero, u1 = zero,
                 w0 = zero, w1 = zero;
        for (size_t r = 0; r < rows; r++) {
            const sslh_real *p = x + r * C + j, *d = dy + r * C + j;
            sslh_i_v d0 = sslh_i_vsub(sslh_i_vload(p), mean0), d1 = sslh_i_vsub(sslh_i_vload(p + 16), mean1);
            sslh_i_v g0 = sslh_i_vload(d), g1 = sslh_i_vload(d + 16);
            if (relu) {
                sslh_i_v t0 = sslh_i_vfma(d0, sslh_i_vload(a.scale + j), sslh_i_vload(a.shift + j));
                sslh_i_v t1 = sslh_i_vfma(d1, sslh_i_vload(a.scale + j + 16), sslh_i_vload(a.shift + j + 16));
                g0 = sslh_i_vselect(sslh_i_vgt(t0, zero), g0, zero);
                g1 = sslh_i_vselect(sslh_i_vgt(t1, zero), g1, zero);
            }
            u0 = sslh_i_vadd(u0, g0);
            u1 = sslh_i_vadd(u1, g1);
            w0 = sslh_i_vfma(g0, d0, w0);
            w1 = sslh_i_vfma(g1, d1, w1);
        }
        sslh_i_vstore(s1 + j, u0);
        sslh_i_vstore(s1 + j + 16, u1);
        sslh_i_vstore(s2 + j, w0);
        sslh_i_vstore(s2 + j + 16, w1);
    }
    for (; j < C; j += 16) {
        size_t m = C - j;
        sslh_i_v mean = sslh_i_vget(a.mean + j, m), scale = sslh_i_vget(a.scale + j, m),
                 shift = sslh_i_vget(a.shift + j, m);
        sslh_i_v u = zero, w = zero;
        for (size_t r = 0; r < rows; r++) {
            sslh_i_v d = sslh_i_vsub(sslh_i_vget(x + r * C + j, m), mean), g = sslh_i_vget(dy + r * C + j, m);
            if (relu) g = sslh_i_vselect(sslh_i_vgt(sslh_i_vfma(d, scale, shift), zero), g, zero);
            u = sslh_i_vadd(u, g);
            w = sslh_i_vfma(g, d, w);
        }
        sslh_i_vput(s1 + j, u, m);
        sslh_i_vput(s2 + j, w, m);
    }
}
/* dx (+)= p dz + q (x - mean) + r, vectors of C. dx may be dy. */
SSLH_I_FN void SSLH_I_P(sslh_i_norm_back_)(const sslh_real *x, const sslh_real *dy, sslh_i_affine a, const sslh_real *p,
                                           const sslh_real *q, const sslh_real *rest, sslh_real *dx, size_t rows,
                                           size_t C, int relu, int fresh) {
    sslh_i_v zero = sslh_i_vzero();
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < C; j += 16) {
            size_t m = C - j;
            sslh_i_v d = sslh_i_vsub(sslh_i_vget(x + j, m), sslh_i_vget(a.mean + j, m)), g = sslh_i_vget(dy + j, m);
            if (relu)
                g = sslh_i_vselect(
                    sslh_i_vgt(sslh_i_vfma(d, sslh_i_vget(a.scale + j, m), sslh_i_vget(a.shift + j, m)), zero), g,
                    zero);
            g = sslh_i_vfma(g, sslh_i_vget(p + j, m), sslh_i_vfma(d, sslh_i_vget(q + j, m), sslh_i_vget(rest + j, m)));
            if (!fresh) g = sslh_i_vadd(g, sslh_i_vget(dx + j, m));
            sslh_i_vput(dx + j, g, m);
        }
        x += C;
        dy += C;
        dx += C;
    }
}

/* y (+)= x factor where the draw of element first + i is at least p, else 0; first is a multiple of 64. Element i takes
   word i / 16 mod 4 of Philox block 16 (i / 64) + i mod 16, so that 16 counters in a vector give 64 elements in order.
   */
#if SSLH_I_W == 1
SSLH_I_FN void SSLH_I_P(sslh_i_dropout_)(uint64_t seed, uint64_t stream, size_t first, const sslh_real *x, sslh_real *y,
                                         size_t n, float p, sslh_real factor, int fresh) {
    for (size_t i = 0; i < n; i += 64) {
        uint32_t word[16][4];
        for (int q = 0; q < 16; q++) sslh_i_philox_at(seed, stream, (uint64_t)((first + i) / 4) + (uint64_t)q, word[q]);
        for (size_t q = 0; q < 64 && i + q < n; q++) {
            sslh_real t = sslh_i_unit(word[q % 16][q / 16]) < p ? 0 : x[i + q] * factor;
            y[i + q] = fresh ? t : y[i + q] + t;
        }
    }
}
#else
#define sslh_i_nimul SSLH_I_P(sslh_i_nimul_)
/* Low and high half of the 64-bit products. */
SSLH_I_INLINE SSLH_I_NI sslh_i_nimul(SSLH_I_NI a, SSLH_I_NI b, SSLH_I_NI *high) {
#if SSLH_I_PASS == SSLH_I_PASS_AVX512
    __m512i even = _mm512_mul_epu32(a, b), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), b);
    *high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
    return _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
#elif SSLH_I_PASS == SSLH_I_PASS_AVX2
    __m256i even = _mm256_mul_epu32(a, b), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
#elif SSLH_I_PASS == SSLH_I_PASS_SSE2
    __m128i low = _mm_set_epi32(0, -1, 0, -1), even = _mm_mul_epu32(a, b),
            odd = _mm_mul_epu32(_mm_srli_epi64(a, 32), b);
    *high = _mm_or_si128(_mm_srli_epi64(even, 32), _mm_andnot_si128(low, odd));
    return _mm_or_si128(_mm_and_si128(low, even), _mm_slli_epi64(odd, 32));
#else
    uint32x4_t u = vreinterpretq_u32_s32(a), v = vreinterpretq_u32_s32(b);
    uint32x4_t s = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(u), vget_low_u32(v)));
    uint32x4_t t = vreinterpretq_u32_u64(vmull_u32(vget_high_u32(u), vget_high_u32(v)));
    *high = vreinterpretq_s32_u32(vuzp2q_u32(s, t));
    return vreinterpretq_s32_u32(vuzp1q_u32(s, t));
#endif
}
/* One Philox round of the field q (see sslh_philox). */
#define SSLH_I_ROUND(OP, q) \
    { \
        SSLH_I_NI s_high, s = sslh_i_nimul(OP.a.q, m0, &s_high), t_high, t = sslh_i_nimul(OP.c.q, m1, &t_high); \
        OP.a.q = SSLH_I_NIXOR(SSLH_I_NIXOR(t_high, OP.b.q), k0); \
        OP.c.q = SSLH_I_NIXOR(SSLH_I_NIXOR(s_high, OP.d.q), k1); \
        OP.b.q = t; \
        OP.d.q = s; \
    }
#define SSLH_I_DRAW(OP, q) r.q = SSLH_I_NTOREAL(SSLH_I_NISHR8(OP.q));
SSLH_I_FN void SSLH_I_P(sslh_i_dropout_)(uint64_t seed, uint64_t stream, size_t first, const sslh_real *x, sslh_real *y,
                                         size_t n, float p, sslh_real factor, int fresh) {
    sslh_i_v limit = sslh_i_vset(p * 16777216.0f), vf = sslh_i_vset(factor), zero = sslh_i_vzero();
    sslh_i_vi lanes = sslh_i_vtoint(sslh_i_vload(sslh_i_iota));
    SSLH_I_NI m0 = SSLH_I_NISET((int32_t)0xD2511F53u), m1 = SSLH_I_NISET((int32_t)0xCD9E8D57u);
    for (size_t i = 0; i < n; i += 64) {
        struct { sslh_i_vi a, b, c, d; } w;
        uint64_t block = (uint64_t)((first + i) / 4);
        SSLH_I_NI k0 = SSLH_I_NISET((int32_t)(uint32_t)seed), k1 = SSLH_I_NISET((int32_t)(uint32_t)(seed >> 32));
        w.a = sslh_i_viadd(sslh_i_viset((int32_t)(uint32_t)block), lanes); /* no carry: block is a multiple of 16 */
        w.b = sslh_i_viset((int32_t)(uint32_t)(block >> 32));
        w.c = sslh_i_viset((int32_t)(uint32_t)stream);
        w.d = sslh_i_viset((int32_t)(uint32_t)(stream >> 32));
        for (int round = 0; round < 10; round++) {
            SSLH_I_EACH(SSLH_I_ROUND, w)
            k0 = SSLH_I_NIADD(k0, SSLH_I_NISET((int32_t)0x9E3779B9u));
            k1 = SSLH_I_NIADD(k1, SSLH_I_NISET((int32_t)0xBB67AE85u));
        }
        for (size_t q = 0; q < 4 && i + 16 * q < n; q++) {
            size_t at = i + 16 * q, m = n - at;
            sslh_i_vi u = q == 0 ? w.a : q == 1 ? w.b : q == 2 ? w.c : w.d;
            sslh_i_v r;
            SSLH_I_EACH(SSLH_I_DRAW, u)
            r = sslh_i_vselect(sslh_i_vge(r, limit), sslh_i_vmul(sslh_i_vget(x + at, m), vf), zero);
            if (!fresh) r = sslh_i_vadd(r, sslh_i_vget(y + at, m));
            sslh_i_vput(y + at, r, m);
        }
    }
}
#endif

/* --- kernels: attention, recurrent gates --- */

SSLH_I_FN sslh_real SSLH_I_P(sslh_i_dot_)(const sslh_real *x, const sslh_real *y, size_t n) {
    sslh_real sum;
    SSLH_I_SUM(sum, sslh_i_vget(x + i, n - i), sslh_i_vfma(t, sslh_i_vget(y + i, n - i), s0))
    return sum;
}

/* One row of attention: s = exp(scale s + bias - max), with log sum exp and 1 / sum; n is a multiple of 16. Where everything is
   masked the row becomes 0 and the log a number so large that the backward pass finds 0 as well. */
SSLH_I_FN void SSLH_I_P(sslh_i_attend_)(sslh_real *s, sslh_real scale, const sslh_real *bias, size_t n, sslh_real *lse, sslh_real *inverse) {
    sslh_i_v m = sslh_i_vset(-4 * SSLH_I_MASKED), sum = sslh_i_vzero(), k = sslh_i_vset(scale);
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v t = sslh_i_vfma(sslh_i_vload(s + i), k, sslh_i_vload(bias + i));
        sslh_i_vstore(s + i, t);
        m = sslh_i_vmax(m, t);
    }
    sslh_real most = sslh_i_vhmax(m);
    if (most < SSLH_I_R(-1e20)) {
        memset(s, 0, n * sizeof *s);
        *lse = SSLH_I_MASKED;
        *inverse = 0;
        return;
    }
    m = sslh_i_vset(most);
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v t = sslh_i_vexp(sslh_i_vsub(sslh_i_vload(s + i), m));
        sslh_i_vstore(s + i, t);
        sum = sslh_i_vadd(sum, t);
    }
    sslh_real total = sslh_i_vsum(sum);
    *lse = most + sslh_i_log(total);
    *inverse = 1 / total;
}

/* p = exp(scale s + bias - lse) in s, ds = scale p (dp - delta) in dp */
SSLH_I_FN void SSLH_I_P(sslh_i_attend_back_)(sslh_real *s, sslh_real scale, sslh_real *dp, const sslh_real *bias, size_t n, sslh_real lse,
                                            sslh_real delta) {
    sslh_i_v vl = sslh_i_vset(lse), vd = sslh_i_vset(delta), vs = sslh_i_vset(scale);
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v p = sslh_i_vexp(sslh_i_vsub(sslh_i_vfma(sslh_i_vload(s + i), vs, sslh_i_vload(bias + i)), vl));
        sslh_i_v d = sslh_i_vmul(sslh_i_vmul(p, sslh_i_vsub(sslh_i_vload(dp + i), vd)), vs);
        sslh_i_vstore(s + i, p);
        sslh_i_vstore(dp + i, d);
    }
}

/* One row of a GRU step from a = W x + b and u = U h + c, (3D) each: the new state h (D) and gates r, z, n, u_n (4D).
     r = sigmoid(a_r + u_r)   z = sigmoid(a_z + u_z)   n = tanh(a_n + r u_n)   h' = n + z (h - n)                      */
SSLH_I_FN void SSLH_I_P(sslh_i_gru_)(const sslh_real *a, const sslh_real *u, const sslh_real *before, sslh_real *h, sslh_real *gates, size_t D) {
    for (size_t i = 0; i < D; i += 16) {
        size_t m = D - i;
        sslh_i_v un = sslh_i_vget(u + 2 * D + i, m), hp = sslh_i_vget(before + i, m);
        sslh_i_v r = sslh_i_vsigmoid(sslh_i_vadd(sslh_i_vget(a + i, m), sslh_i_vget(u + i, m)));
        sslh_i_v z = sslh_i_vsigmoid(sslh_i_vadd(sslh_i_vget(a + D + i, m), sslh_i_vget(u + D + i, m)));
        sslh_i_v n = sslh_i_vtanh(sslh_i_vfma(r, un, sslh_i_vget(a + 2 * D + i, m)));
        sslh_i_vput(h + i, sslh_i_vfma(z, sslh_i_vsub(hp, n), n), m);
        sslh_i_vput(gates + i, r, m);
        sslh_i_vput(gates + D + i, z, m);
        sslh_i_vput(gates + 2 * D + i, n, m);
        sslh_i_vput(gates + 3 * D + i, un, m);
    }
}

/* Its derivative: from dh (D) the gradients of a and u (3D each); dh becomes z dh, what goes to the state before directly. */
SSLH_I_FN void SSLH_I_P(sslh_i_gru_back_)(sslh_real *dh, const sslh_real *gates, const sslh_real *before, sslh_real *da, sslh_real *du, size_t D) {
    sslh_i_v one = sslh_i_vset(1);
    for (size_t i = 0; i < D; i += 16) {
        size_t m = D - i;
        sslh_i_v g = sslh_i_vget(dh + i, m), r = sslh_i_vget(gates + i, m), z = sslh_i_vget(gates + D + i, m);
        sslh_i_v n = sslh_i_vget(gates + 2 * D + i, m), un = sslh_i_vget(gates + 3 * D + i, m);
        sslh_i_v dz = sslh_i_vmul(g, sslh_i_vsub(sslh_i_vget(before + i, m), n));
        sslh_i_v dn = sslh_i_vmul(g, sslh_i_vsub(one, z));
        dn = sslh_i_vmul(dn, sslh_i_vsub(one, sslh_i_vmul(n, n)));
        dz = sslh_i_vmul(dz, sslh_i_vmul(z, sslh_i_vsub(one, z)));
        sslh_i_v dr = sslh_i_vmul(sslh_i_vmul(dn, un), sslh_i_vmul(r, sslh_i_vsub(one, r)));
        sslh_i_vput(da + i, dr, m);
        sslh_i_vput(da + D + i, dz, m);
        sslh_i_vput(da + 2 * D + i, dn, m);
        sslh_i_vput(du + i, dr, m);
        sslh_i_vput(du + D + i, dz, m);
        sslh_i_vput(du + 2 * D + i, sslh_i_vmul(dn, r), m);
        sslh_i_vput(dh + i, sslh_i_vmul(g, z), m);
    }
}

/* --- kernels: views --- */

#define sslh_i_vclip SSLH_I_P(sslh_i_vclip_)
SSLH_I_INLINE sslh_i_v sslh_i_vclip(sslh_i_v x) { /* to [0,1]; NaN becomes 0 */
    return sslh_i_vmin(sslh_i_vmax(x, sslh_i_vzero()), sslh_i_vset(SSLH_I_R(1)));
}

/* out = sum over k of w[k] times the row in + k stride, in the order of k, products rounded: the same bits without FMA.
   Resampling and blur, down the columns (stride a row) and along a row (stride 1). */
SSLH_I_FN void SSLH_I_P(sslh_i_mix_rows_)(const sslh_real *in, size_t stride, const sslh_real *w, int count, sslh_real *out, size_t n) {
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v s = sslh_i_vmul(sslh_i_vset(w[0]), sslh_i_vload(in + i));
        for (int k = 1; k < count; k++) s = sslh_i_vadd(s, sslh_i_vmul(sslh_i_vset(w[k]), sslh_i_vload(in + (size_t)k * stride + i)));
        sslh_i_vstore(out + i, s);
    }
}

/* p = clip(f p + rest): brightness; contrast with rest = (1-f) times the mean */
SSLH_I_FN void SSLH_I_P(sslh_i_scale_clip_)(sslh_real *p, size_t n, sslh_real f, sslh_real rest) {
    sslh_i_v a = sslh_i_vset(f), b = sslh_i_vset(rest);
    for (size_t i = 0; i < n; i += 16) sslh_i_vstore(p + i, sslh_i_vclip(sslh_i_vadd(sslh_i_vmul(a, sslh_i_vload(p + i)), b)));
}

/* p = clip(f p + rest grey): saturation with rest = 1-f */
SSLH_I_FN void SSLH_I_P(sslh_i_blend_clip_)(sslh_real *p, const sslh_real *grey, size_t n, sslh_real f, sslh_real rest) {
    sslh_i_v a = sslh_i_vset(f), b = sslh_i_vset(rest);
    for (size_t i = 0; i < n; i += 16)
        sslh_i_vstore(p + i, sslh_i_vclip(sslh_i_vadd(sslh_i_vmul(a, sslh_i_vload(p + i)), sslh_i_vmul(b, sslh_i_vload(grey + i)))));
}

SSLH_I_FN void SSLH_I_P(sslh_i_luma_)(const sslh_real *r, const sslh_real *g, const sslh_real *b, sslh_real *out, size_t n) {
    sslh_i_v x = sslh_i_vset(SSLH_I_R(0.299f)), y = sslh_i_vset(SSLH_I_R(0.587f)), z = sslh_i_vset(SSLH_I_R(0.114f));
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v s = sslh_i_vadd(sslh_i_vmul(x, sslh_i_vload(r + i)), sslh_i_vmul(y, sslh_i_vload(g + i)));
        sslh_i_vstore(out + i, sslh_i_vadd(s, sslh_i_vmul(z, sslh_i_vload(b + i))));
    }
}

/* One channel from the hue h in sixths of a turn: top - chroma clip(min(k, 4 - k)), k = (offset + h) mod 6. */
#define sslh_i_hue_channel SSLH_I_P(sslh_i_hue_channel_)
SSLH_I_INLINE sslh_i_v sslh_i_hue_channel(sslh_i_v h, sslh_i_v top, sslh_i_v chroma, sslh_real offset) {
    sslh_i_v six = sslh_i_vset(SSLH_I_R(6)), k = sslh_i_vadd(h, sslh_i_vset(offset));
    k = sslh_i_vselect(sslh_i_vge(k, six), sslh_i_vsub(k, six), k);
    k = sslh_i_vclip(sslh_i_vmin(sslh_i_vsub(sslh_i_vset(SSLH_I_R(4)), k), k));
    return sslh_i_vclip(sslh_i_vsub(top, sslh_i_vmul(chroma, k)));
}

/* Turns the hue by turn sixths, 0 .. 6. Value top = max, chroma = max - min, and the hue in sixths:
   max = r: (g-b)/chroma;  max = g: 2 + (b-r)/chroma;  max = b: 4 + (r-g)/chroma. */
SSLH_I_FN void SSLH_I_P(sslh_i_hue_)(sslh_real *r, sslh_real *g, sslh_real *b, size_t n, sslh_real turn) {
    sslh_i_v zero = sslh_i_vzero(), one = sslh_i_vset(SSLH_I_R(1)), two = sslh_i_vset(SSLH_I_R(2)), four = sslh_i_vset(SSLH_I_R(4));
    sslh_i_v six = sslh_i_vset(SSLH_I_R(6)), shift = sslh_i_vset(turn);
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v x = sslh_i_vload(r + i), y = sslh_i_vload(g + i), z = sslh_i_vload(b + i);
        sslh_i_v top = sslh_i_vmax(sslh_i_vmax(x, y), z), chroma = sslh_i_vsub(top, sslh_i_vmin(sslh_i_vmin(x, y), z));
        sslh_i_m red = sslh_i_veq(top, x), green = sslh_i_veq(top, y);
        sslh_i_v h = sslh_i_vselect(red, sslh_i_vsub(y, z), sslh_i_vselect(green, sslh_i_vsub(z, x), sslh_i_vsub(x, y)));
        h = sslh_i_vdiv(h, sslh_i_vselect(sslh_i_vgt(chroma, zero), chroma, one));
        h = sslh_i_vadd(h, sslh_i_vselect(red, zero, sslh_i_vselect(green, two, four)));
        h = sslh_i_vselect(sslh_i_vgt(zero, h), sslh_i_vadd(h, six), h);
        h = sslh_i_vadd(h, shift);
        h = sslh_i_vselect(sslh_i_vge(h, six), sslh_i_vsub(h, six), h);
        sslh_i_vstore(r + i, sslh_i_hue_channel(h, top, chroma, SSLH_I_R(5)));
        sslh_i_vstore(g + i, sslh_i_hue_channel(h, top, chroma, SSLH_I_R(3)));
        sslh_i_vstore(b + i, sslh_i_hue_channel(h, top, chroma, SSLH_I_R(1)));
    }
}

SSLH_I_FN void SSLH_I_P(sslh_i_solarize_)(sslh_real *p, size_t n, sslh_real threshold) {
    sslh_i_v one = sslh_i_vset(SSLH_I_R(1)), t = sslh_i_vset(threshold);
    for (size_t i = 0; i < n; i += 16) {
        sslh_i_v v = sslh_i_vload(p + i);
        sslh_i_vstore(p + i, sslh_i_vselect(sslh_i_vge(v, t), sslh_i_vsub(one, v), v));
    }
}

/* --- the table of this pass --- */
static const struct sslh_i_kernels SSLH_I_P(sslh_i_table_) = {
#if SSLH_I_PASS == SSLH_I_PASS_AVX512
    "avx512",
#elif SSLH_I_PASS == SSLH_I_PASS_AVX2
    "avx2",
#elif SSLH_I_PASS == SSLH_I_PASS_SSE2
    "sse2",
#elif SSLH_I_PASS == SSLH_I_PASS_NEON
    "neon",
#else
    "c",
#endif
    SSLH_I_FMA,
    SSLH_I_MR, SSLH_I_NR, SSLH_I_W,
    SSLH_I_P(sslh_i_tile_rows_), SSLH_I_P(sslh_i_tile_runs_), SSLH_I_P(sslh_i_pack_n_), SSLH_I_P(sslh_i_pack_t_),
    SSLH_I_P(sslh_i_relu_bias_), SSLH_I_P(sslh_i_depthwise_), SSLH_I_P(sslh_i_madd_row_), SSLH_I_P(sslh_i_max_pixel_),
    SSLH_I_P(sslh_i_max_back_),
    SSLH_I_P(sslh_i_unary_), SSLH_I_P(sslh_i_unary_back_), SSLH_I_P(sslh_i_binary_), SSLH_I_P(sslh_i_binary_back_),
    SSLH_I_P(sslh_i_axpby_), SSLH_I_P(sslh_i_sgd_), SSLH_I_P(sslh_i_adam_), sslh_i_sum_row, SSLH_I_P(sslh_i_squares_),
    SSLH_I_P(sslh_i_variance_rows_), SSLH_I_P(sslh_i_variance_back_), SSLH_I_P(sslh_i_max_rows_), SSLH_I_P(sslh_i_lse_rows_), SSLH_I_P(sslh_i_lse_back_),
    SSLH_I_P(sslh_i_softmax_), SSLH_I_P(sslh_i_softmax_back_), SSLH_I_P(sslh_i_layer_norm_), SSLH_I_P(sslh_i_layer_norm_back_),
    SSLH_I_P(sslh_i_l2_), SSLH_I_P(sslh_i_l2_back_), SSLH_I_P(sslh_i_col_sum_), SSLH_I_P(sslh_i_col_moments_),
    SSLH_I_P(sslh_i_norm_), SSLH_I_P(sslh_i_norm_sums_), SSLH_I_P(sslh_i_norm_back_), SSLH_I_P(sslh_i_dropout_),
    SSLH_I_P(sslh_i_attend_), SSLH_I_P(sslh_i_attend_back_), SSLH_I_P(sslh_i_gru_), SSLH_I_P(sslh_i_gru_back_),
    SSLH_I_P(sslh_i_dot_), SSLH_I_P(sslh_i_max_row_),
    SSLH_I_P(sslh_i_mix_rows_), SSLH_I_P(sslh_i_scale_clip_), SSLH_I_P(sslh_i_blend_clip_), SSLH_I_P(sslh_i_luma_), SSLH_I_P(sslh_i_hue_),
    SSLH_I_P(sslh_i_solarize_)
};

/* what the next pass defines anew */
#undef SSLH_I_BIG
#undef SSLH_I_DRAW
#undef SSLH_I_CORES
#undef SSLH_I_MADD1
#undef SSLH_I_MADD2
#undef SSLH_I_MR
#undef SSLH_I_NR
#undef SSLH_I_PAIR
#undef SSLH_I_POINT
#undef SSLH_I_PUT1
#undef SSLH_I_PUT2
#undef SSLH_I_QUAD
#undef SSLH_I_REP1
#undef SSLH_I_REP12
#undef SSLH_I_REP2
#undef SSLH_I_REP4
#undef SSLH_I_REP6
#undef SSLH_I_REP8
#undef SSLH_I_ROUND
#undef SSLH_I_ROW1
#undef SSLH_I_ROW2
#undef SSLH_I_RUN1
#undef SSLH_I_RUN2
#undef SSLH_I_ZERO1
#undef SSLH_I_ZERO2
#undef SSLH_I_ZIP
#undef SSLH_I_EACH
#undef SSLH_I_FMA
#undef SSLH_I_N
#undef SSLH_I_NABS
#undef SSLH_I_NADD
#undef SSLH_I_NBITS
#undef SSLH_I_NDIV
#undef SSLH_I_NEQ
#undef SSLH_I_NFMA
#undef SSLH_I_NGE
#undef SSLH_I_NGT
#undef SSLH_I_NI
#undef SSLH_I_NIADD
#undef SSLH_I_NIAND
#undef SSLH_I_NIOR
#undef SSLH_I_NISET
#undef SSLH_I_NISHL23
#undef SSLH_I_NISHR23
#undef SSLH_I_NISHR8
#undef SSLH_I_NIXOR
#undef SSLH_I_NISUB
#undef SSLH_I_NLOAD
#undef SSLH_I_NM
#undef SSLH_I_NMAND
#undef SSLH_I_NMAX
#undef SSLH_I_NMIN
#undef SSLH_I_NMNOT
#undef SSLH_I_NMOR
#undef SSLH_I_NMUL
#undef SSLH_I_NNAN
#undef SSLH_I_NNEG
#undef SSLH_I_NOFBITS
#undef SSLH_I_NSELECT
#undef SSLH_I_NSET
#undef SSLH_I_NSQRT
#undef SSLH_I_NSTORE
#undef SSLH_I_NSUB
#undef SSLH_I_NTOINT
#undef SSLH_I_NTOREAL
#undef SSLH_I_S0
#undef SSLH_I_S1
#undef SSLH_I_S2
#undef SSLH_I_S3
#undef SSLH_I_V0
#undef SSLH_I_V1
#undef SSLH_I_V2
#undef SSLH_I_V3
#undef SSLH_I_W

#ifndef SSLH_I_INNER /* the outer text goes on */

/* --- dispatch --- */

/* The instruction sets of the running processor that the system also saves on a task switch. */
SSLH_I_FN int sslh_i_cpu_has(int pass) {
#if SSLH_I_X86 && defined(_MSC_VER)
    int r[4];
    unsigned long long xcr = 0;
    if (pass == SSLH_I_PASS_C) return 1;
    __cpuid(r, 1);
    if (pass == SSLH_I_PASS_SSE2) return (r[3] >> 26) & 1;
    int fma = (r[2] >> 12) & 1;
    if ((r[2] >> 27) & 1) xcr = _xgetbv(0);
    __cpuid(r, 0);
    if (r[0] < 7) return 0;
    __cpuidex(r, 7, 0);
    if (pass == SSLH_I_PASS_AVX2) return fma && (xcr & 6) == 6 && ((r[1] >> 5) & 1);
    return pass == SSLH_I_PASS_AVX512 && fma && (xcr & 0xe6) == 0xe6 && ((r[1] >> 16) & 1) && ((r[1] >> 17) & 1) &&
           ((r[1] >> 30) & 1) && (((unsigned)r[1] >> 31) & 1);
#elif SSLH_I_X86
    __builtin_cpu_init();
    switch (pass) {
    case SSLH_I_PASS_C: return 1;
    case SSLH_I_PASS_SSE2: return __builtin_cpu_supports("sse2") != 0;
    case SSLH_I_PASS_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case SSLH_I_PASS_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
    default: return 0;
    }
#elif SSLH_I_ARM
    return pass == SSLH_I_PASS_C || pass == SSLH_I_PASS_NEON;
#else
    return pass == SSLH_I_PASS_C;
#endif
}

SSLH_I_FN const char *sslh_i_kernels_name(const sslh_ctx *c) { return c->k ? c->k->name : "none"; }

/* Chooses the table of c->desc.cpu, or the best one; without FMA under portable_bits. An unknown name, or one that this
   processor or build lacks, is an error (and the C table, so that nothing crashes). */
SSLH_I_FN void sslh_i_kernels_choose(sslh_ctx *c) {
    static const struct { int pass; const struct sslh_i_kernels *table; } all[] = { /* best first */
#if SSLH_I_X86
        { SSLH_I_PASS_AVX512, &sslh_i_table_avx512 },
        { SSLH_I_PASS_AVX2, &sslh_i_table_avx2 },
        { SSLH_I_PASS_SSE2, &sslh_i_table_sse2 },
#elif SSLH_I_ARM
        { SSLH_I_PASS_NEON, &sslh_i_table_neon },
#endif
        { SSLH_I_PASS_C, &sslh_i_table_c }
    };
    int n = (int)(sizeof all / sizeof all[0]);
    const char *cpu = c->desc.cpu && c->desc.cpu[0] ? c->desc.cpu : NULL;
    c->k = &sslh_i_table_c;
    for (int i = 0; i < n; i++) {
        if (cpu ? strcmp(cpu, all[i].table->name) != 0 : (c->desc.portable_bits && all[i].table->fma)) continue;
        if (!sslh_i_cpu_has(all[i].pass)) {
            if (!cpu) continue;
            sslh_fail(c, SSLH_E_USAGE, "sslh_create: cpu \"%s\": this processor does not have it", cpu);
            return;
        }
        if (c->desc.portable_bits && all[i].table->fma) {
            sslh_fail(c, SSLH_E_USAGE, "sslh_create: cpu \"%s\" fuses multiply and add, which portable_bits excludes", cpu);
            return;
        }
        c->k = all[i].table;
        return;
    }
    sslh_fail(c, SSLH_E_USAGE, "sslh_create: cpu \"%s\" is unknown to this build (c%s)", cpu ? cpu : "",
              SSLH_I_X86 ? ", sse2, avx2, avx512" : SSLH_I_ARM ? ", neon" : "");
}

/* A batch of products c = [c +] op(a) op(b) [+ bias per column] [relu], row-major: op(a) is M x K (stored K x M when ta),
   op(b) is K x N (stored N x K when tb). Fill with zeros first; batch 0 means 1. split: long sums may be cut into parts
   by (M, N, K), for gradients of weights; never for results that must not depend on the batch size. */
typedef struct sslh_i_gemm_args {
    int              ta, tb, m, n, k;
    const sslh_real *a;
    size_t           lda;
    const sslh_real *b;
    size_t           ldb;
    sslh_real       *c;
    size_t           ldc;
    int              accumulate;
    const sslh_real *bias;
    int              relu, split, batch;
    size_t           stride_a, stride_b, stride_c;
} sslh_i_gemm_args;
SSLH_I_FN void sslh_i_gemm(sslh_ctx *c, const sslh_i_gemm_args *g);

/* ================================================================================================================== */
/*  >>tape          tensors, recording, backward, gradcheck                                                          */
/* ================================================================================================================== */

/* --- shapes and tensors of the caller ---------------------------------------------------------------------------- */

SSLH_I_FN sslh_shape sslh_i_dims(int n, int a, int b, int c, int d, int e, int f) {
    sslh_shape s;
    s.ndim = n;
    s.size[0] = a;
    s.size[1] = b;
    s.size[2] = c;
    s.size[3] = d;
    s.size[4] = e;
    s.size[5] = f;
    return s;
}
SSLH_DEF sslh_shape sslh_dim0(void) { return sslh_i_dims(0, 0, 0, 0, 0, 0, 0); }
SSLH_DEF sslh_shape sslh_dim1(int a) { return sslh_i_dims(1, a, 0, 0, 0, 0, 0); }
SSLH_DEF sslh_shape sslh_dim2(int a, int b) { return sslh_i_dims(2, a, b, 0, 0, 0, 0); }
SSLH_DEF sslh_shape sslh_dim3(int a, int b, int c) { return sslh_i_dims(3, a, b, c, 0, 0, 0); }
SSLH_DEF sslh_shape sslh_dim4(int a, int b, int c, int d) { return sslh_i_dims(4, a, b, c, d, 0, 0); }
SSLH_DEF sslh_shape sslh_dim5(int a, int b, int c, int d, int e) { return sslh_i_dims(5, a, b, c, d, e, 0); }
SSLH_DEF sslh_shape sslh_dim6(int a, int b, int c, int d, int e, int f) { return sslh_i_dims(6, a, b, c, d, e, f); }

SSLH_DEF sslh_tensor *sslh_full(sslh_ctx *c, sslh_shape shape, float value) {
    sslh_tensor *t = SSLH_I_BAD(c) ? NULL : sslh_i_new(c, "sslh_full", SSLH_F32, shape);
    size_t i;
    if (!t) return sslh_i_dummy(c);
    for (i = 0; i < t->count; i++) t->data[i] = (sslh_real)value;
    return t;
}
SSLH_DEF sslh_tensor *sslh_zeros(sslh_ctx *c, sslh_shape shape) { return sslh_full(c, shape, 0.0f); }
SSLH_DEF sslh_tensor *sslh_scalar(sslh_ctx *c, float value) { return sslh_full(c, sslh_dim0(), value); }

/* A tensor whose values the caller gives; values NULL is an error. */
SSLH_I_FN sslh_tensor *sslh_i_given(sslh_ctx *c, const char *op, sslh_type type, sslh_shape shape, const void *values) {
    sslh_tensor *t;
    if (SSLH_I_BAD(c)) return NULL;
    if (!values) {
        sslh_fail(c, SSLH_E_USAGE, "%s: the array of values is NULL", op);
        return NULL;
    }
    t = sslh_i_new(c, op, type, shape);
    if (t && type != SSLH_F32) memcpy(sslh_i_get_data(t), values, t->count * sslh_i_type_size(type));
    return t;
}
SSLH_DEF sslh_tensor *sslh_from(sslh_ctx *c, sslh_shape shape, const float *values) {
    sslh_tensor *t = sslh_i_given(c, "sslh_from", SSLH_F32, shape, values);
    size_t i;
    if (!t) return sslh_i_dummy(c);
    for (i = 0; i < t->count; i++) t->data[i] = (sslh_real)values[i];
    return t;
}
SSLH_DEF sslh_tensor *sslh_from_ints(sslh_ctx *c, sslh_shape shape, const int32_t *values) {
    sslh_tensor *t = sslh_i_given(c, "sslh_from_ints", SSLH_I32, shape, values);
    return t ? t : sslh_i_dummy(c);
}
SSLH_DEF sslh_tensor *sslh_from_bytes(sslh_ctx *c, sslh_shape shape, const uint8_t *values) {
    sslh_tensor *t = sslh_i_given(c, "sslh_from_bytes", SSLH_U8, shape, values);
    return t ? t : sslh_i_dummy(c);
}

SSLH_I_FN sslh_tensor *sslh_i_drawn(sslh_ctx *c, const char *op, sslh_shape shape, int normal, float a, float b) {
    sslh_tensor *t = SSLH_I_BAD(c) ? NULL : sslh_i_new(c, op, SSLH_F32, shape);
    if (!t) return sslh_i_dummy(c);
    sslh_i_random_fill(c, sslh_next_stream(c), t->data, t->count, normal, a, b);
    return t;
}
SSLH_DEF sslh_tensor *sslh_uniform(sslh_ctx *c, sslh_shape shape, float low, float high) {
    return sslh_i_drawn(c, "sslh_uniform", shape, 0, low, high - low);
}
SSLH_DEF sslh_tensor *sslh_normal(sslh_ctx *c, sslh_shape shape, float mean, float std) {
    return sslh_i_drawn(c, "sslh_normal", shape, 1, mean, std);
}

SSLH_DEF sslh_tensor *sslh_requires_grad(sslh_tensor *t) {
    if (!t || SSLH_I_BAD(t->ctx)) return t;
    if (t->type != SSLH_F32) {
        sslh_fail(t->ctx, SSLH_E_USAGE, "sslh_requires_grad: an integer tensor has no gradient");
        return t;
    }
    if ((t->flags & SSLH_I_LONG) && !t->grad) {
        t->grad = (sslh_real *)sslh_i_alloc_with(t->ctx, t->count * sizeof(sslh_real), t);
        if (!t->grad) return t;
    }
    t->flags |= SSLH_I_NEEDS | SSLH_I_KEPT;
    return t;
}

SSLH_DEF sslh_tensor *sslh_keep(sslh_tensor *t) {
    if (t && !SSLH_I_BAD(t->ctx)) t->flags |= SSLH_I_KEPT;
    return t;
}

SSLH_I_FN sslh_tensor *sslh_i_persistent(sslh_ctx *c, const char *op, sslh_type type, sslh_shape shape) {
    size_t count = SSLH_I_BAD(c) ? 0 : sslh_i_count(c, op, shape);
    sslh_tensor *t = count ? (sslh_tensor *)sslh_i_alloc(c, sizeof *t) : NULL;
    void *data = t ? sslh_i_alloc(c, count * sslh_i_type_size(type)) : NULL;
    if (!data) {
        sslh_i_free(c, t);
        return NULL;
    }
    t->type = type;
    t->ndim = shape.ndim;
    memcpy(t->shape, shape.size, sizeof t->shape);
    t->count = count;
    t->ctx = c;
    t->flags = SSLH_I_LONG;
    sslh_i_set_data(t, data);
    return t;
}

SSLH_DEF sslh_tensor *sslh_persist(sslh_tensor *x) {
    sslh_tensor *t;
    if (!x || SSLH_I_BAD(x->ctx)) return x ? sslh_i_dummy(x->ctx) : sslh_i_dummy(NULL);
    if (!sslh_i_begin(x->ctx, "sslh_persist", &x, 1, 0)) return sslh_i_dummy(x->ctx);
    t = sslh_i_persistent(x->ctx, "sslh_persist", x->type, sslh_shape_of(x));
    if (!t) return sslh_i_dummy(x->ctx);
    memcpy(sslh_i_get_data(t), sslh_i_get_data(x), x->count * sslh_i_type_size(x->type));
    return t;
}

SSLH_DEF float sslh_item(const sslh_tensor *t) {
    if (!t || SSLH_I_BAD(t->ctx)) return 0.0f;
    if (t->count != 1 || !sslh_i_get_data(t)) {
        sslh_fail(t->ctx, SSLH_E_SHAPE, "sslh_item: a tensor of one element is needed, this one has %.0f", (double)t->count);
        return 0.0f;
    }
    return t->data ? (float)t->data[0] : t->ints ? (float)t->ints[0] : (float)t->bytes[0];
}

SSLH_DEF void sslh_read(const sslh_tensor *t, float *out, size_t count) {
    size_t i;
    if (!t || !out || SSLH_I_BAD(t->ctx)) {
        if (out) memset(out, 0, count * sizeof *out); /* a dummy reads as zeros */
        return;
    }
    if (count != t->count || !sslh_i_get_data(t)) {
        sslh_fail(t->ctx, SSLH_E_SHAPE, "sslh_read: %.0f values asked for, the tensor has %.0f", (double)count, (double)t->count);
        return;
    }
    for (i = 0; i < count; i++) out[i] = t->data ? (float)t->data[i] : t->ints ? (float)t->ints[i] : (float)t->bytes[i];
}

SSLH_DEF void sslh_write(sslh_tensor *t, const float *values, size_t count) {
    size_t i;
    if (!t || !values || SSLH_I_BAD(t->ctx)) return;
    if (count != t->count || !sslh_i_get_data(t)) {
        sslh_fail(t->ctx, SSLH_E_SHAPE, "sslh_write: %.0f values given, the tensor has %.0f", (double)count, (double)t->count);
        return;
    }
    for (i = 0; i < count; i++) {
        if (t->data) t->data[i] = (sslh_real)values[i];
        else if (t->ints) t->ints[i] = (int32_t)values[i];
        else t->bytes[i] = (uint8_t)values[i];
    }
}

/* --- the life of an operation ------------------------------------------------------------------------------------ */

SSLH_I_FN int sslh_i_begin(sslh_ctx *c, const char *op, sslh_tensor **in, int n, int all_real) {
    int i;
    if (SSLH_I_BAD(c)) return 0;
    for (i = 0; i < n; i++) {
        if (!in[i]) sslh_fail(c, SSLH_E_USAGE, "%s: input %d is NULL", op, i + 1);
        else if (in[i]->ctx != c) sslh_fail(c, SSLH_E_USAGE, "%s: input %d belongs to another context", op, i + 1);
        else if (!sslh_i_get_data(in[i]))
            sslh_fail(c, SSLH_E_USAGE, "%s: the memory of input %d was given back after backward or sslh_no_grad (use sslh_keep)", op, i + 1);
        else if (all_real && in[i]->type != SSLH_F32) sslh_fail(c, SSLH_E_SHAPE, "%s: input %d is an integer tensor, real values are needed", op, i + 1);
        if (SSLH_I_BAD(c)) return 0;
    }
    return 1;
}

SSLH_I_FN int sslh_i_needs(sslh_ctx *c, const sslh_tensor *t) {
    return t && (t->flags & SSLH_I_NEEDS) && (t->group == 0 || (t->group & c->groups));
}

SSLH_I_FN sslh_i_node *sslh_i_record(sslh_ctx *c, const char *op, sslh_i_backward_fn fn, sslh_tensor *out, sslh_tensor **in, int n) {
    sslh_i_node *node;
    int i, wanted = 0;
    if (c->no_grad || SSLH_I_BAD(c)) return NULL;
    for (i = 0; i < n; i++) wanted |= sslh_i_needs(c, in[i]);
    if (!wanted) return NULL;
    if (!sslh_i_grow(c, (void **)(void *)&c->nodes, &c->nodes_cap, c->nnodes + 1, sizeof *c->nodes)) return NULL;
    node = (sslh_i_node *)sslh_i_record_alloc(c, sizeof *node);
    if (!node) return NULL;
    node->in = (sslh_tensor **)sslh_i_record_alloc(c, (size_t)n * sizeof *node->in);
    if (!node->in) return NULL;
    node->name = op;
    node->backward = fn;
    node->out = out;
    node->nin = n;
    memcpy(node->in, in, (size_t)n * sizeof *in);
    out->flags |= SSLH_I_NEEDS;
    c->nodes[c->nnodes++] = node;
    return node;
}

SSLH_I_FN void sslh_i_save(sslh_ctx *c, sslh_i_node *n, sslh_tensor *t) {
    if (!t) return;
    if (n && n->nsaved < (int)(sizeof n->saved / sizeof n->saved[0])) n->saved[n->nsaved++] = t;
    else sslh_i_release(c, t);
}

SSLH_I_FN int sslh_i_finite(const sslh_real *x, size_t n) {
    size_t i;
    sslh_real sum = 0; /* 0 * x is 0 for finite x and NaN otherwise */
    for (i = 0; i < n; i++) sum += x[i] * 0;
    return sum == 0;
}

SSLH_I_FN void sslh_i_trace_event(sslh_ctx *c, const char *op, sslh_tensor **in, int n, sslh_tensor *out) {
    sslh_trace_event e;
    size_t i;
    double now = sslh_i_now(), sum = 0, sum2 = 0;
    for (i = 0; i < out->count; i++) {
        double v = out->data ? (double)out->data[i] : out->ints ? (double)out->ints[i] : (double)out->bytes[i];
        sum += v;
        sum2 += v * v;
    }
    e.name = op;
    e.inputs = n;
    e.input = (const sslh_tensor *const *)in;
    e.output = out;
    e.mean = sum / (double)out->count;
    e.std = sqrt(SSLH_I_MAX(0.0, sum2 / (double)out->count - e.mean * e.mean));
    e.ms = 1e3 * (now - c->trace_time);
    e.bytes = out->count * sslh_i_type_size(out->type);
    c->trace(&e, c->trace_user);
    c->trace_time = sslh_i_now();
}

SSLH_I_FN sslh_tensor *sslh_i_end(sslh_ctx *c, const char *op, sslh_tensor **in, int n, sslh_tensor *out) {
    if (SSLH_I_BAD(c) || !out) return sslh_i_dummy(c);
    if (c->trace) sslh_i_trace_event(c, op, in, n, out);
    if (c->desc.check_nan && out->type == SSLH_F32 && !sslh_i_finite(out->data, out->count)) {
        char text[96];
        sslh_fail(c, SSLH_E_NAN, "%s: the result of shape %s holds NaN or Inf (step %.0f)", op,
                  sslh_i_str(text, sizeof text, sslh_shape_of(out)), (double)c->steps);
        return sslh_i_dummy(c);
    }
    return out;
}

/* --- backward ---------------------------------------------------------------------------------------------------- */

SSLH_I_FN sslh_real *sslh_i_grad(sslh_ctx *c, sslh_tensor *t, int *fresh) {
    *fresh = 0;
    if (SSLH_I_BAD(c) || !sslh_i_needs(c, t)) return NULL;
    if (!t->grad) {
        size_t bytes = (t->count * sizeof(sslh_real) + SSLH_I_GRAD_HEAD + SSLH_I_ALIGN - 1) / SSLH_I_ALIGN * SSLH_I_ALIGN;
        char *p = sslh_i_heap_take(c, bytes, 1);
        if (!p) return NULL;
        t->grad = (sslh_real *)(void *)(p + SSLH_I_GRAD_HEAD);
        *fresh = 1;
    }
    return t->grad;
}

/* The gradient of out goes on to in unchanged (reshape, the sides of an addition): moved when possible, else added. The
   mover must be the last reader of out->grad. */
SSLH_I_FN void sslh_i_grad_pass(sslh_ctx *c, sslh_tensor *out, sslh_tensor *in, int last) {
    int fresh;
    sslh_real *g;
    size_t i;
    if (!sslh_i_needs(c, in)) return;
    if (last && !in->grad && !(out->flags & SSLH_I_KEPT) && !(in->flags & (SSLH_I_PARAM | SSLH_I_LONG))) {
        in->grad = out->grad;
        out->grad = NULL;
        return;
    }
    g = sslh_i_grad(c, in, &fresh);
    if (!g) return;
    if (fresh) memcpy(g, out->grad, out->count * sizeof *g);
    else for (i = 0; i < out->count; i++) g[i] += out->grad[i];
}

SSLH_I_FN void sslh_i_backward(sslh_ctx *c, sslh_tensor *loss, int keep) {
    size_t i, base;
    int fresh;
    sslh_real *g;
    if (SSLH_I_BAD(c)) return;
    if (!sslh_i_begin(c, "sslh_backward", &loss, 1, 1)) return;
    if (loss->count != 1) {
        char text[96];
        sslh_fail(c, SSLH_E_SHAPE, "sslh_backward: the loss must be one number, this has shape %s", sslh_i_str(text, sizeof text, sslh_shape_of(loss)));
        return;
    }
    if (!sslh_i_needs(c, loss)) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_backward: the loss does not depend on anything that wants a gradient (frozen, detached or under sslh_no_grad?)");
        return;
    }
    if (!sslh_i_finite(loss->data, 1)) {
        sslh_fail(c, SSLH_E_NAN, "sslh_backward: the loss is NaN or Inf in step %.0f (set .check_nan to find the operation)", (double)c->steps);
        return;
    }
    loss->flags |= SSLH_I_KEPT;
    g = sslh_i_grad(c, loss, &fresh);
    if (!g) return;
    if (fresh) g[0] = 0;
    g[0] += 1;
    base = c->depth ? c->scopes[c->depth - 1].nodes : 0;
    for (i = c->nnodes; i-- > base;) {
        sslh_i_node *n = c->nodes[i];
        int s;
        if (n->out->grad) n->backward(c, n);
        if (SSLH_I_BAD(c)) return;
        if (n->out->grad && (keep || !(n->out->flags & SSLH_I_KEPT))) sslh_i_release_grad(c, n->out);
        if (keep) continue;
        for (s = 0; s < n->nsaved; s++) sslh_i_release(c, n->saved[s]);
        if (!(n->out->flags & SSLH_I_KEPT)) sslh_i_release(c, n->out);
    }
    if (!keep) c->nnodes = base;
}
SSLH_DEF void sslh_backward(sslh_ctx *c, sslh_tensor *loss) { sslh_i_backward(c, loss, 0); }
SSLH_DEF void sslh_backward_keep(sslh_ctx *c, sslh_tensor *loss) { sslh_i_backward(c, loss, 1); }

SSLH_DEF sslh_tensor *sslh_detach(sslh_ctx *c, sslh_tensor *x) {
    sslh_tensor *t;
    if (!sslh_i_begin(c, "sslh_detach", &x, 1, 0)) return sslh_i_dummy(c);
    t = sslh_i_alias(c, x, sslh_shape_of(x));
    return sslh_i_end(c, "sslh_detach", &x, 1, t);
}

/* --- operations of the caller's own ------------------------------------------------------------------------------ */

SSLH_DEF sslh_real *sslh_grad(sslh_ctx *c, sslh_tensor *t) {
    int fresh;
    sslh_real *g = t ? sslh_i_grad(c, t, &fresh) : NULL;
    if (g && fresh) memset(g, 0, t->count * sizeof *g);
    return g;
}

typedef struct sslh_i_custom { sslh_op_desc op; } sslh_i_custom;

SSLH_I_FN void sslh_i_custom_back(sslh_ctx *c, sslh_i_node *n) {
    const sslh_i_custom *k = (const sslh_i_custom *)n->p[0];
    k->op.backward(c, n->in, n->nin, n->out, k->op.user);
}

SSLH_DEF sslh_tensor *sslh_custom_op(sslh_ctx *c, sslh_op_desc op, sslh_tensor **in, int n, sslh_shape shape) {
    const char *name = op.name ? op.name : "sslh_custom_op";
    sslh_tensor *out;
    sslh_i_node *node;
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    if (!op.forward || n < 0 || (n > 0 && !in)) {
        sslh_fail(c, SSLH_E_USAGE, "%s: .forward or the list of inputs is missing", name);
        return sslh_i_dummy(c);
    }
    if (!sslh_i_begin(c, name, in, n, 0)) return sslh_i_dummy(c);
    out = sslh_i_new(c, name, SSLH_F32, shape);
    if (!out) return sslh_i_dummy(c);
    op.forward(c, in, n, out, op.user);
    node = op.backward ? sslh_i_record(c, name, sslh_i_custom_back, out, in, n) : NULL;
    if (node) {
        sslh_i_custom *k = (sslh_i_custom *)sslh_i_record_alloc(c, sizeof *k);
        if (!k) return sslh_i_dummy(c);
        k->op = op;
        node->p[0] = k;
    }
    return sslh_i_end(c, name, in, n, out);
}

/* --- gradient check ---------------------------------------------------------------------------------------------- */

SSLH_I_FN double sslh_i_gradcheck_value(sslh_ctx *c, sslh_function f, sslh_tensor **in, int n, void *user) {
    double value;
    sslh_push(c); /* the same random stream every time */
    sslh_no_grad(c, 1);
    {
        sslh_tensor *y = f(c, in, n, user);
        if (y && y->count != 1) sslh_fail(c, SSLH_E_SHAPE, "sslh_gradcheck: the function must give one number");
        value = y && y->data && !SSLH_I_BAD(c) ? (double)y->data[0] : 0.0;
    }
    sslh_no_grad(c, 0);
    sslh_pop(c);
    return value;
}

SSLH_DEF double sslh_gradcheck(sslh_ctx *c, sslh_function f, sslh_tensor **in, int n, void *user, sslh_gradcheck_desc d) {
    double step = d.step > 0 ? (double)d.step : SSLH_I_DOUBLE ? 1e-5 : 1e-2, worst = 0;
    double floor_ = d.floor > 0 ? (double)d.floor : SSLH_I_DOUBLE ? 1e-3 : 1e-1;
    double tolerance = d.tolerance > 0 ? (double)d.tolerance : SSLH_I_DOUBLE ? 1e-6 : 2e-2;
    size_t checks = d.max_checks > 0 ? (size_t)d.max_checks : 200;
    int i;
    if (d.report && d.report_size) d.report[0] = 0;
    if (!sslh_i_begin(c, "sslh_gradcheck", in, n, 1)) return 0;
    for (i = 0; i < n; i++) {
        sslh_requires_grad(in[i]);
        if (in[i]->flags & (SSLH_I_PARAM | SSLH_I_LONG)) memset(in[i]->grad, 0, in[i]->count * sizeof(sslh_real));
        else sslh_i_release_grad(c, in[i]);
    }
    sslh_push(c);
    sslh_backward(c, f(c, in, n, user));
    c->stream = c->scopes[c->depth - 1].stream; /* every evaluation draws the same numbers */
    for (i = 0; i < n && !SSLH_I_BAD(c); i++) {
        size_t stride = in[i]->count / checks + 1, j;
        for (j = 0; j < in[i]->count && !SSLH_I_BAD(c); j += stride) {
            sslh_real old = in[i]->data[j], up, down;
            double hi, lo, numeric, analytic = in[i]->grad ? (double)in[i]->grad[j] : 0.0, scale, error;
            up = (sslh_real)((double)old + step);
            down = (sslh_real)((double)old - step);
            in[i]->data[j] = up;
            hi = sslh_i_gradcheck_value(c, f, in, n, user);
            in[i]->data[j] = down;
            lo = sslh_i_gradcheck_value(c, f, in, n, user);
            in[i]->data[j] = old;
            numeric = (hi - lo) / ((double)up - (double)down);
            scale = SSLH_I_MAX(SSLH_I_MAX(fabs(analytic), fabs(numeric)), floor_);
            error = fabs(analytic - numeric) / scale;
            if (error != error) error = 1e30; /* NaN */
            if (error <= worst) continue;
            worst = error;
            if (d.report && d.report_size)
                snprintf(d.report, d.report_size, "input %d element %.0f: analytic %.9g, numeric %.9g, relative error %.3g", i + 1, (double)j,
                         analytic, numeric, error);
        }
    }
    for (i = 0; i < n; i++) if (in[i]) sslh_i_release_grad(c, in[i]);
    sslh_pop(c);
    if (!(worst <= tolerance)) sslh_fail(c, SSLH_E_USAGE, "sslh_gradcheck: relative error %.3g is above %.3g", worst, tolerance);
    return worst;
}

/* --- state of the context ---------------------------------------------------------------------------------------- */

SSLH_DEF sslh_info sslh_query(const sslh_ctx *c) {
    sslh_info i;
    memset(&i, 0, sizeof i);
    i.cpu = "none";
    if (!c || c == &sslh_i_dead) return i;
    i.cpu = sslh_i_kernels_name(c);
    i.threads = c->threads;
    i.bytes = c->bytes;
    i.peak = c->peak;
    i.allocs = c->allocs;
    i.steps = c->steps;
    i.seed = c->desc.seed;
    return i;
}

#define SSLH_I_BITS_FUSED 0xcc09d64aeba919d5u
#define SSLH_I_BITS_PLAIN 0xb42c18c53fb5b51fu
/* A compiler that was told to contract, reassociate or keep extra digits behind our back is found out: a small calculation
   that goes through products, elementary functions and reductions must give a known hash (FNV-1a over the bits of the
   results; one value with fused multiply-add, one without). */
SSLH_DEF int sslh_bits_ok(sslh_ctx *c) {
    uint64_t hash = 14695981039346656037u;
    sslh_tensor *a, *b, *y;
    size_t i;
    if (SSLH_I_BAD(c) || SSLH_I_DOUBLE) return 0;
    sslh_push(c);
    sslh_no_grad(c, 1);
    a = sslh_zeros(c, sslh_dim2(19, 37));
    b = sslh_zeros(c, sslh_dim2(23, 37));
    for (i = 0; i < a->count; i++) a->data[i] = (sslh_real)sslh_random_normal(1, 2, i);
    for (i = 0; i < b->count; i++) b->data[i] = (sslh_real)sslh_random_normal(1, 3, i);
    y = sslh_gelu(c, sslh_linear(c, a, b, NULL));                                                   /* (19,23) */
    y = sslh_add(c, y, sslh_log(c, sslh_shift(c, sslh_square(c, sslh_tanh(c, y)), 0.1f)));
    y = sslh_div(c, sslh_softmax(c, y, -1), sslh_sqrt(c, sslh_sum(c, sslh_square(c, y), SSLH_AXIS(0), 1))); /* (19,23) */
    for (i = 0; i < y->count && !SSLH_I_BAD(c); i++) {
        float v = (float)y->data[i];
        uint32_t u;
        memcpy(&u, &v, sizeof u);
        hash = (hash ^ u) * 1099511628211u;
    }
    sslh_no_grad(c, 0);
    sslh_pop(c);
    return !SSLH_I_BAD(c) && hash == (c->k->fma ? (uint64_t)SSLH_I_BITS_FUSED : (uint64_t)SSLH_I_BITS_PLAIN);
}

/* ================================================================================================================== */
/*  >>elementwise   element-wise operations, activations                                                             */
/* ================================================================================================================== */

/* --- flat passes: over n values without shape, cut into tasks of one fixed size, so that no result depends on the
   number of threads. Optimisers, momentum encoders and the element-wise operations run on these. */
/* Values a task: 64 KB an array, some 5 us of work; a multiple of 64 for the dropout kernel. */
#define SSLH_I_FLAT 16384u

typedef struct sslh_i_flat { /* arguments of a flat pass; which are used depends on the pass */
    const struct sslh_i_kernels *k;
    const sslh_real *x, *y, *g; /* read */
    sslh_real       *p, *w, *m, *v, *out; /* written */
    size_t           n;
    sslh_real        a, b;
    int              op, fresh;
    uint64_t         seed, stream;
    sslh_i_sgd       sgd;
    sslh_i_adam      adam;
} sslh_i_flat;

SSLH_I_FN int sslh_i_tasks(size_t n, size_t each) {
    size_t tasks = n / each + (n % each != 0);
    return tasks > (size_t)INT_MAX ? INT_MAX : (int)tasks;
}
SSLH_I_FN size_t sslh_i_flat_begin(int task) { return (size_t)task * SSLH_I_FLAT; }
SSLH_I_FN size_t sslh_i_flat_size(const sslh_i_flat *f, int task) {
    return SSLH_I_MIN(f->n - sslh_i_flat_begin(task), SSLH_I_FLAT);
}
SSLH_I_FN sslh_i_flat sslh_i_flat_of(const sslh_ctx *c, size_t n) {
    sslh_i_flat f;
    memset(&f, 0, sizeof f);
    f.k = c->k;
    f.n = n;
    return f;
}
SSLH_I_FN void sslh_i_flat_run(sslh_ctx *c, sslh_i_flat *f, sslh_task_fn fn) {
    sslh_i_parallel(c, sslh_i_tasks(f->n, SSLH_I_FLAT), fn, f);
}

/* y = op(x; p, q); y may be x */
SSLH_I_FN void sslh_i_unary_task(void *arg, int task, int worker) {
    const sslh_i_flat *f = (const sslh_i_flat *)arg;
    size_t at = sslh_i_flat_begin(task);
    (void)worker;
    f->k->unary(f->op, f->x + at, f->out + at, sslh_i_flat_size(f, task), f->a, f->b);
}
SSLH_I_FN void sslh_i_unary(sslh_ctx *c, sslh_i_unary_op op, const sslh_real *x, sslh_real *y, size_t n, sslh_real p,
                            sslh_real q) {
    sslh_i_flat f = sslh_i_flat_of(c, n);
    f.op = (int)op;
    f.x = x;
    f.out = y;
    f.a = p;
    f.b = q;
    sslh_i_flat_run(c, &f, sslh_i_unary_task);
}
/* dx = dy op'(x) when fresh, else added. x may be NULL for the ops up to SSLH_I_U_SHIFT, y for the others and LINEAR,
   SCALE, SHIFT; dx may be dy. */
SSLH_I_FN void sslh_i_unary_back_task(void *arg, int task, int worker) {
    const sslh_i_flat *f = (const sslh_i_flat *)arg;
    size_t at = sslh_i_flat_begin(task);
    (void)worker;
    f->k->unary_back(f->op, f->x ? f->x + at : NULL, f->y ? f->y + at : NULL, f->g + at, f->out + at,
                     sslh_i_flat_size(f, task), f->a, f->b, f->fresh);
}
SSLH_I_FN void sslh_i_unary_back(sslh_ctx *c, sslh_i_unary_op op, const sslh_real *x, const sslh_real *y,
                                 const sslh_real *dy, sslh_real *dx, size_t n, sslh_real p, sslh_real q, int fresh) {
    sslh_i_flat f = sslh_i_flat_of(c, n);
    f.op = (int)op;
    f.x = x;
    f.y = y;
    f.g = dy;
    f.out = dx;
    f.a = p;
    f.b = q;
    f.fresh = fresh;
    sslh_i_flat_run(c, &f, sslh_i_unary_back_task);
}

/* One optimiser step on p, g, mu: n values each; mu NULL: no momentum. */
SSLH_I_FN void sslh_i_sgd_task(void *arg, int task, int worker) {
    const sslh_i_flat *f = (const sslh_i_flat *)arg;
    size_t at = sslh_i_flat_begin(task);
    (void)worker;
    f->k->sgd(f->p + at, f->w + at, f->m ? f->m + at : NULL, sslh_i_flat_size(f, task), &f->sgd);
}
SSLH_I_FN void sslh_i_sgd_update(sslh_ctx *c, sslh_real *p, sslh_real *g, sslh_real *mu, size_t n, sslh_i_sgd s) {
    sslh_i_flat f = sslh_i_flat_of(c, n);
    f.p = p;
    f.w = g;
    f.m = mu;
    f.sgd = s;
    sslh_i_flat_run(c, &f, sslh_i_sgd_task);
}
SSLH_I_FN void sslh_i_adam_task(void *arg, int task, int worker) {
    const sslh_i_flat *f = (const sslh_i_flat *)arg;
    size_t at = sslh_i_flat_begin(task);
    (void)worker;
    f->k->adam(f->p + at, f->w + at, f->m + at, f->v + at, sslh_i_flat_size(f, task), &f->adam);
}
SSLH_I_FN void sslh_i_adam_update(sslh_ctx *c, sslh_real *p, sslh_real *g, sslh_real *m, sslh_real *v, size_t n,
                                  sslh_i_adam s) {
    sslh_i_flat f = sslh_i_flat_of(c, n);
    f.p = p;
    f.w = g;
    f.m = m;
    f.v = v;
    f.adam = s;
    sslh_i_flat_run(c, &f, sslh_i_adam_task);
}

/* y = a y + b x */
SSLH_I_FN void sslh_i_axpby_task(void *arg, int task, int worker) {
    const sslh_i_flat *f = (const sslh_i_flat *)arg;
    size_t at = sslh_i_flat_begin(task);
    (void)worker;
    f->k->axpby(f->out + at, f->x + at, sslh_i_flat_size(f, task), f->a, f->b);
}
SSLH_I_FN void sslh_i_axpby(sslh_ctx *c, sslh_real *y, const sslh_real *x, size_t n, sslh_real a, sslh_real b) {
    sslh_i_flat f = sslh_i_flat_of(c, n);
    f.out = y;
    f.x = x;
    f.a = a;
    f.b = b;
    sslh_i_flat_run(c, &f, sslh_i_axpby_task);
}
/* target = m target + (1-m) source */
SSLH_I_FN void sslh_i_ema(sslh_ctx *c, sslh_real *target, const sslh_real *source, size_t n, sslh_real m) {
    sslh_i_axpby(c, target, source, n, m, 1 - m);
}
/* x = factor x */
SSLH_I_FN void sslh_i_scale_array(sslh_ctx *c, sslh_real *x, size_t n, sslh_real factor) {
    sslh_i_unary(c, SSLH_I_U_SCALE, x, x, n, factor, 0);
}

/* sum over i of (a x_i + b y_i)^2; y may be NULL. NaN or Inf in x gives NaN or Inf. */
SSLH_I_FN void sslh_i_squares_task(void *arg, int task, int worker) {
    const sslh_i_flat *f = (const sslh_i_flat *)arg;
    size_t at = sslh_i_flat_begin(task);
    (void)worker;
    f->out[task] = f->k->squares(f->x + at, f->y ? f->y + at : NULL, sslh_i_flat_size(f, task), f->a, f->b);
}
SSLH_I_FN sslh_real sslh_i_sum_squares2(sslh_ctx *c, const sslh_real *x, const sslh_real *y, size_t n, sslh_real a,
                                        sslh_real b) {
    sslh_i_flat f = sslh_i_flat_of(c, n);
    size_t tasks = (size_t)sslh_i_tasks(n, SSLH_I_FLAT);
    sslh_real sum;
    f.x = x;
    f.y = y;
    f.a = a;
    f.b = b;
    f.out = n ? (sslh_real *)sslh_i_scratch(c, tasks * sizeof *f.out) : NULL;
    if (!f.out) return 0;
    sslh_i_flat_run(c, &f, sslh_i_squares_task);
    sum = c->k->sum(f.out, tasks);
    sslh_i_unscratch(c, f.out);
    return sum;
}
SSLH_I_FN sslh_real sslh_i_sum_squares(sslh_ctx *c, const sslh_real *x, size_t n) {
    return sslh_i_sum_squares2(c, x, NULL, n, 1, 0);
}

/* 1 when no value is NaN or Inf: 0 x is then 0, and so is the sum of its squares. */
SSLH_I_FN int sslh_i_all_finite(sslh_ctx *c, const sslh_real *x, size_t n) {
    return sslh_i_sum_squares2(c, x, NULL, n, 0, 0) == 0;
}

/* --- operations of one argument ----------------------------------------------------------------------------------- */

/* The gradient of in, written where out's was when nobody needs that any more: dx = dy, *fresh = 1. For operations that
   read dy[i] before they write dx[i], as their last reading of out->grad. */
SSLH_I_FN sslh_real *sslh_i_grad_reuse(sslh_ctx *c, sslh_tensor *out, sslh_tensor *in, const sslh_real **dy,
                                       int *fresh) {
    *dy = out->grad;
    if (sslh_i_needs(c, in) && !in->grad && in->count == out->count && !(out->flags & SSLH_I_KEPT) &&
        !(in->flags & (SSLH_I_PARAM | SSLH_I_LONG))) {
        in->grad = out->grad;
        out->grad = NULL;
        *fresh = 1;
        return in->grad;
    }
    return sslh_i_grad(c, in, fresh);
}

SSLH_I_FN void sslh_i_map_back(sslh_ctx *c, sslh_i_node *n) {
    int fresh;
    const sslh_real *dy;
    sslh_real *dx = sslh_i_grad_reuse(c, n->out, n->in[0], &dy, &fresh);
    if (dx)
        sslh_i_unary_back(c, (sslh_i_unary_op)n->i[0], n->in[0]->data, n->out->data, dy, dx, n->out->count, n->f[0],
                          n->f[1], fresh);
}

SSLH_I_FN sslh_tensor *sslh_i_map(sslh_ctx *c, const char *name, sslh_i_unary_op op, sslh_tensor *x, sslh_real p,
                                  sslh_real q) {
    sslh_tensor *out;
    sslh_i_node *node;
    if (!sslh_i_begin(c, name, &x, 1, 1)) return sslh_i_dummy(c);
    out = sslh_i_new(c, name, SSLH_F32, sslh_shape_of(x));
    if (!out) return sslh_i_dummy(c);
    sslh_i_unary(c, op, x->data, out->data, x->count, p, q);
    node = sslh_i_record(c, name, sslh_i_map_back, out, &x, 1);
    if (node) {
        node->i[0] = (int)op;
        node->f[0] = p;
        node->f[1] = q;
    }
    return sslh_i_end(c, name, &x, 1, out);
}

SSLH_DEF sslh_tensor *sslh_scale(sslh_ctx *c, sslh_tensor *x, float factor) {
    return sslh_i_map(c, "sslh_scale", SSLH_I_U_SCALE, x, (sslh_real)factor, 0);
}
SSLH_DEF sslh_tensor *sslh_shift(sslh_ctx *c, sslh_tensor *x, float addend) {
    return sslh_i_map(c, "sslh_shift", SSLH_I_U_SHIFT, x, (sslh_real)addend, 0);
}
SSLH_DEF sslh_tensor *sslh_neg(sslh_ctx *c, sslh_tensor *x) {
    return sslh_i_map(c, "sslh_neg", SSLH_I_U_SCALE, x, -1, 0);
}
SSLH_DEF sslh_tensor *sslh_exp(sslh_ctx *c, sslh_tensor *x) { return sslh_i_map(c, "sslh_exp", SSLH_I_U_EXP, x, 0, 0); }
SSLH_DEF sslh_tensor *sslh_log(sslh_ctx *c, sslh_tensor *x) { return sslh_i_map(c, "sslh_log", SSLH_I_U_LOG, x, 0, 0); }
SSLH_DEF sslh_tensor *sslh_sqrt(sslh_ctx *c, sslh_tensor *x) {
    return sslh_i_map(c, "sslh_sqrt", SSLH_I_U_SQRT, x, 0, 0);
}
SSLH_DEF sslh_tensor *sslh_square(sslh_ctx *c, sslh_tensor *x) {
    return sslh_i_map(c, "sslh_square", SSLH_I_U_SQUARE, x, 0, 0);
}
SSLH_DEF sslh_tensor *sslh_abs(sslh_ctx *c, sslh_tensor *x) { return sslh_i_map(c, "sslh_abs", SSLH_I_U_ABS, x, 0, 0); }
SSLH_DEF sslh_tensor *sslh_pow(sslh_ctx *c, sslh_tensor *x, float exponent) {
    if (exponent == 2.0f) return sslh_i_map(c, "sslh_pow", SSLH_I_U_SQUARE, x, 0, 0);
    return sslh_i_map(c, "sslh_pow", SSLH_I_U_POW, x, (sslh_real)exponent, 0);
}
SSLH_DEF sslh_tensor *sslh_clamp(sslh_ctx *c, sslh_tensor *x, float low, float high) {
    if (!(low <= high)) sslh_fail(c, SSLH_E_USAGE, "sslh_clamp: low %g is above high %g", (double)low, (double)high);
    return sslh_i_map(c, "sslh_clamp", SSLH_I_U_CLAMP, x, (sslh_real)low, (sslh_real)high);
}
SSLH_DEF sslh_tensor *sslh_relu(sslh_ctx *c, sslh_tensor *x) {
    return sslh_i_map(c, "sslh_relu", SSLH_I_U_RELU, x, 0, 0);
}
SSLH_DEF sslh_tensor *sslh_leaky_relu(sslh_ctx *c, sslh_tensor *x, float slope) {
    return sslh_i_map(c, "sslh_leaky_relu", SSLH_I_U_LEAKY, x, (sslh_real)slope, 0);
}
SSLH_DEF sslh_tensor *sslh_elu(sslh_ctx *c, sslh_tensor *x, float alpha) {
    return sslh_i_map(c, "sslh_elu", SSLH_I_U_ELU, x, (sslh_real)alpha, 0);
}
SSLH_DEF sslh_tensor *sslh_gelu(sslh_ctx *c, sslh_tensor *x) {
    return sslh_i_map(c, "sslh_gelu", SSLH_I_U_GELU, x, 0, 0);
}
SSLH_DEF sslh_tensor *sslh_gelu_tanh(sslh_ctx *c, sslh_tensor *x) {
    return sslh_i_map(c, "sslh_gelu_tanh", SSLH_I_U_GELU_TANH, x, 0, 0);
}
SSLH_DEF sslh_tensor *sslh_silu(sslh_ctx *c, sslh_tensor *x) {
    return sslh_i_map(c, "sslh_silu", SSLH_I_U_SILU, x, 0, 0);
}
SSLH_DEF sslh_tensor *sslh_sigmoid(sslh_ctx *c, sslh_tensor *x) {
    return sslh_i_map(c, "sslh_sigmoid", SSLH_I_U_SIGMOID, x, 0, 0);
}
SSLH_DEF sslh_tensor *sslh_tanh(sslh_ctx *c, sslh_tensor *x) {
    return sslh_i_map(c, "sslh_tanh", SSLH_I_U_TANH, x, 0, 0);
}
SSLH_DEF sslh_tensor *sslh_softplus(sslh_ctx *c, sslh_tensor *x) {
    return sslh_i_map(c, "sslh_softplus", SSLH_I_U_SOFTPLUS, x, 0, 0);
}

/* The kernel's number of a public activation; an unknown one is an error of op. */
SSLH_I_FN sslh_i_unary_op sslh_i_activation_op(sslh_ctx *c, const char *op, sslh_activation a) {
    switch (a) {
    case SSLH_LINEAR: return SSLH_I_U_LINEAR;
    case SSLH_RELU: return SSLH_I_U_RELU;
    case SSLH_GELU: return SSLH_I_U_GELU;
    case SSLH_GELU_TANH: return SSLH_I_U_GELU_TANH;
    case SSLH_SILU: return SSLH_I_U_SILU;
    case SSLH_SIGMOID: return SSLH_I_U_SIGMOID;
    case SSLH_TANH: return SSLH_I_U_TANH;
    default: sslh_fail(c, SSLH_E_USAGE, "%s: %d is not an activation", op, (int)a); return SSLH_I_U_LINEAR;
    }
}
SSLH_DEF sslh_tensor *sslh_activate(sslh_ctx *c, sslh_tensor *x, sslh_activation activation) {
    sslh_i_unary_op op = sslh_i_activation_op(c, "sslh_activate", activation);
    if (op == SSLH_I_U_LINEAR) return sslh_i_begin(c, "sslh_activate", &x, 1, 1) ? x : sslh_i_dummy(c);
    return sslh_i_map(c, "sslh_activate", op, x, 0, 0);
}

/* --- broadcasting ------------------------------------------------------------------------------------------------- */
/* Operands are walked as rows: the last axis (after merging axes that lie together in every operand) is one kernel
   call, in which an operand is either an array or one repeated number. */
typedef struct sslh_i_plan {
    int    nd;                          /* axes left, outermost first; at least 1 */
    size_t size[SSLH_MAX_DIMS];
    size_t step[3][SSLH_MAX_DIMS];      /* of each operand: values from one index to the next, 0 where it is repeated */
    size_t rows, n, count;              /* rows of n values */
    /* long rows are cut into pieces, short ones put together: about SSLH_I_FLAT values a task */
    size_t pieces, per_task;
    int    tasks;
} sslh_i_plan;

/* Takes one more axis on the outside, or merges it. */
SSLH_I_FN void sslh_i_plan_axis(sslh_i_plan *p, size_t size, const size_t *step) {
    int k, merge = p->nd > 0, at = p->nd - 1;
    if (size == 1) return;
    for (k = 0; k < 3 && merge; k++) merge = step[k] == p->step[k][at] * p->size[at];
    if (merge) {
        p->size[at] *= size;
        return;
    }
    at = p->nd++;
    p->size[at] = size;
    for (k = 0; k < 3; k++) p->step[k][at] = step[k];
}
/* Axes were added from the inside out: turns them around and cuts the work. */
SSLH_I_FN void sslh_i_plan_end(sslh_i_plan *p) {
    int i, j, k;
    for (i = 0, j = p->nd - 1; i < j; i++, j--) {
        size_t t = p->size[i];
        p->size[i] = p->size[j];
        p->size[j] = t;
        for (k = 0; k < 3; k++) {
            t = p->step[k][i];
            p->step[k][i] = p->step[k][j];
            p->step[k][j] = t;
        }
    }
    if (p->nd == 0) p->size[p->nd++] = 1; /* all sizes are 1: one row of one value, steps 0 */
    p->rows = 1;
    for (i = 0; i < p->nd - 1; i++) p->rows *= p->size[i];
    p->n = p->size[p->nd - 1];
    p->count = p->rows * p->n;
    p->pieces = (p->n + SSLH_I_FLAT - 1) / SSLH_I_FLAT;
    p->per_task = p->pieces > 1 ? 1 : SSLH_I_FLAT / p->n;
    p->tasks = sslh_i_tasks(p->rows * p->pieces, p->per_task);
}

/* The common shape of up to three operands by NumPy's rules; 0 and an error when there is none. */
SSLH_I_FN int sslh_i_broadcast(sslh_ctx *c, const char *op, sslh_tensor **in, int n, sslh_shape *out, sslh_i_plan *p) {
    size_t total[3] = { 1, 1, 1 };
    int k, axis;
    memset(out, 0, sizeof *out);
    memset(p, 0, sizeof *p);
    for (k = 0; k < n; k++) out->ndim = SSLH_I_MAX(out->ndim, in[k]->ndim);
    for (axis = out->ndim - 1; axis >= 0; axis--) {
        size_t step[3] = { 0, 0, 0 };
        int size = 1;
        for (k = 0; k < n; k++) {
            int at = axis - out->ndim + in[k]->ndim, s = at >= 0 ? in[k]->shape[at] : 1;
            if (s == 1) continue;
            if (size != 1 && s != size) {
                char a[96], b[96];
                sslh_fail(c, SSLH_E_SHAPE, "%s: %s and %s do not broadcast: sizes %d and %d meet in axis %d", op,
                          sslh_i_str(a, sizeof a, sslh_shape_of(in[k - 1])),
                          sslh_i_str(b, sizeof b, sslh_shape_of(in[k])), size, s, axis - out->ndim);
                return 0;
            }
            size = s;
            step[k] = total[k];
            total[k] *= (size_t)s;
        }
        out->size[axis] = size;
        sslh_i_plan_axis(p, (size_t)size, step);
    }
    sslh_i_plan_end(p);
    return 1;
}

/* Where a row begins in each operand. */
SSLH_I_FN void sslh_i_plan_row(const sslh_i_plan *p, size_t row, size_t at[3]) {
    int i;
    at[0] = at[1] = at[2] = 0;
    for (i = p->nd - 2; i >= 0; i--) {
        size_t q = row % p->size[i];
        row /= p->size[i];
        at[0] += q * p->step[0][i];
        at[1] += q * p->step[1][i];
        at[2] += q * p->step[2][i];
    }
}
/* The runs of a task, one after the other: call with *unit = 0 first. Gives the place in the operands, in the result,
   and the length; 0 at the end. */
SSLH_I_FN size_t sslh_i_plan_run(const sslh_i_plan *p, int task, size_t *unit, size_t at[3], size_t *out) {
    size_t u = (size_t)task * p->per_task + *unit, row = u / p->pieces, begin = u % p->pieces * SSLH_I_FLAT;
    int k;
    if (*unit == p->per_task || row >= p->rows) return 0;
    ++*unit;
    sslh_i_plan_row(p, row, at);
    for (k = 0; k < 3; k++) at[k] += begin * p->step[k][p->nd - 1];
    *out = row * p->n + begin;
    return SSLH_I_MIN(p->n - begin, (size_t)SSLH_I_FLAT);
}

/* --- operations of two arguments ---------------------------------------------------------------------------------- */

typedef struct sslh_i_pair {
    const struct sslh_i_kernels *k;
    const sslh_i_plan *plan;
    int op, side, fresh;
    const sslh_real *a, *b, *y, *g;
    sslh_real *out;
} sslh_i_pair;

SSLH_I_FN void sslh_i_pair_task(void *arg, int task, int worker) {
    const sslh_i_pair *f = (const sslh_i_pair *)arg;
    const sslh_i_plan *p = f->plan;
    int sa = p->step[0][p->nd - 1] != 0, sb = p->step[1][p->nd - 1] != 0;
    size_t unit = 0, at[3], to, n;
    (void)worker;
    while ((n = sslh_i_plan_run(p, task, &unit, at, &to)) > 0) {
        if (f->g)
            f->k->binary_back(f->op, f->side, f->a + at[0], sa, f->b + at[1], sb, f->y + to, f->g + to, f->out + to, n,
                              f->fresh);
        else f->k->binary(f->op, f->a + at[0], sa, f->b + at[1], sb, f->out + to, n);
    }
}

/* dst (+)= scale * the sum of x over the axes that operand k of the plan repeats, see >>reductions */
SSLH_I_FN void sslh_i_sum_repeated(sslh_ctx *c, const sslh_real *x, const sslh_i_plan *p, int k, sslh_real *dst,
                                   sslh_real scale, int fresh);

SSLH_I_FN void sslh_i_pair_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_tensor *out = n->out;
    sslh_shape shape;
    sslh_i_plan plan;
    int side;
    if (!sslh_i_broadcast(c, n->name, n->in, 2, &shape, &plan)) return;
    for (side = 1; side >= 0; side--) { /* a comes last and may take over dy's memory */
        sslh_tensor *in = n->in[side];
        int last = side == 0 || !sslh_i_needs(c, n->in[0]), fresh,
            linear = n->i[0] == SSLH_I_B_ADD || n->i[0] == SSLH_I_B_SUB;
        sslh_real sign = n->i[0] == SSLH_I_B_SUB && side == 1 ? SSLH_I_R(-1) : SSLH_I_R(1), *dx, *t = NULL;
        const sslh_real *dy = out->grad;
        sslh_i_pair f;
        if (!sslh_i_needs(c, in)) continue;
        if (linear && sign > 0 && in->count == out->count) {
            sslh_i_grad_pass(c, out, in, last);
            continue;
        }
        dx = last ? sslh_i_grad_reuse(c, out, in, &dy, &fresh) : sslh_i_grad(c, in, &fresh);
        if (!dx) return;
        if (linear && in->count != out->count) {
            sslh_i_sum_repeated(c, dy, &plan, side, dx, sign, fresh);
            continue;
        }
        if (in->count != out->count) {
            t = (sslh_real *)sslh_i_scratch(c, out->count * sizeof *t);
            if (!t) return;
        }
        f.k = c->k;
        f.plan = &plan;
        f.op = n->i[0];
        f.side = side;
        f.fresh = t ? 1 : fresh;
        f.a = n->in[0]->data;
        f.b = n->in[1]->data;
        f.y = out->data;
        f.g = dy;
        f.out = t ? t : dx;
        sslh_i_parallel(c, plan.tasks, sslh_i_pair_task, &f);
        if (t) sslh_i_sum_repeated(c, t, &plan, side, dx, 1, fresh);
        sslh_i_unscratch(c, t);
    }
}

SSLH_I_FN sslh_tensor *sslh_i_pair_op(sslh_ctx *c, const char *name, sslh_i_binary_op op, sslh_tensor *a,
                                      sslh_tensor *b) {
    sslh_tensor *in[2], *out;
    sslh_shape shape;
    sslh_i_plan plan;
    sslh_i_pair f;
    sslh_i_node *node;
    in[0] = a;
    in[1] = b;
    if (!sslh_i_begin(c, name, in, 2, 1) || !sslh_i_broadcast(c, name, in, 2, &shape, &plan)) return sslh_i_dummy(c);
    out = sslh_i_new(c, name, SSLH_F32, shape);
    if (!out) return sslh_i_dummy(c);
    memset(&f, 0, sizeof f);
    f.k = c->k;
    f.plan = &plan;
    f.op = (int)op;
    f.a = a->data;
    f.b = b->data;
    f.out = out->data;
    sslh_i_parallel(c, plan.tasks, sslh_i_pair_task, &f);
    node = op == SSLH_I_B_GREATER ? NULL : sslh_i_record(c, name, sslh_i_pair_back, out, in, 2);
    if (node) node->i[0] = (int)op;
    return sslh_i_end(c, name, in, 2, out);
}
SSLH_DEF sslh_tensor *sslh_add(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b) {
    return sslh_i_pair_op(c, "sslh_add", SSLH_I_B_ADD, a, b);
}
SSLH_DEF sslh_tensor *sslh_sub(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b) {
    return sslh_i_pair_op(c, "sslh_sub", SSLH_I_B_SUB, a, b);
}
SSLH_DEF sslh_tensor *sslh_mul(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b) {
    return sslh_i_pair_op(c, "sslh_mul", SSLH_I_B_MUL, a, b);
}
SSLH_DEF sslh_tensor *sslh_div(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b) {
    return sslh_i_pair_op(c, "sslh_div", SSLH_I_B_DIV, a, b);
}
SSLH_DEF sslh_tensor *sslh_minimum(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b) {
    return sslh_i_pair_op(c, "sslh_minimum", SSLH_I_B_MIN, a, b);
}
SSLH_DEF sslh_tensor *sslh_maximum(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b) {
    return sslh_i_pair_op(c, "sslh_maximum", SSLH_I_B_MAX, a, b);
}
SSLH_DEF sslh_tensor *sslh_greater(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b) {
    return sslh_i_pair_op(c, "sslh_greater", SSLH_I_B_GREATER, a, b);
}

/* --- where: the plan's operands are condition, a, b --- */
typedef struct sslh_i_choice {
    const sslh_i_plan *plan;
    const sslh_tensor *condition;
    const sslh_real *a, *b, *g; /* g: backward, the gradient of the side that is taken when condition is taken */
    sslh_real *out;
    int taken, fresh;
} sslh_i_choice;

SSLH_I_FN void sslh_i_where_task(void *arg, int task, int worker) {
    const sslh_i_choice *f = (const sslh_i_choice *)arg;
    const sslh_tensor *t = f->condition;
    const sslh_i_plan *p = f->plan;
    size_t s0 = p->step[0][p->nd - 1], s1 = p->step[1][p->nd - 1], s2 = p->step[2][p->nd - 1], unit = 0, at[3], to, n,
           i;
    (void)worker;
    while ((n = sslh_i_plan_run(p, task, &unit, at, &to)) > 0)
        for (i = 0; i < n; i++) {
            size_t j = at[0] + i * s0;
            int yes = t->data ? t->data[j] != 0 : t->ints ? t->ints[j] != 0 : t->bytes[j] != 0;
            if (f->g) {
                sslh_real v = yes == f->taken ? f->g[to + i] : 0;
                f->out[to + i] = f->fresh ? v : f->out[to + i] + v;
            } else f->out[to + i] = yes ? f->a[at[1] + i * s1] : f->b[at[2] + i * s2];
        }
}

SSLH_I_FN void sslh_i_where_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_shape shape;
    sslh_i_plan plan;
    int k;
    if (!sslh_i_broadcast(c, n->name, n->in, 3, &shape, &plan)) return;
    for (k = 1; k < 3; k++) {
        int fresh, full = n->in[k]->count == n->out->count;
        sslh_real *dx = sslh_i_grad(c, n->in[k], &fresh), *t = NULL;
        sslh_i_choice f;
        if (!dx) continue;
        if (!full) {
            t = (sslh_real *)sslh_i_scratch(c, n->out->count * sizeof *t);
            if (!t) return;
        }
        memset(&f, 0, sizeof f);
        f.plan = &plan;
        f.condition = n->in[0];
        f.g = n->out->grad;
        f.taken = k == 1;
        f.out = full ? dx : t;
        f.fresh = full ? fresh : 1;
        sslh_i_parallel(c, plan.tasks, sslh_i_where_task, &f);
        if (!full) sslh_i_sum_repeated(c, t, &plan, k, dx, 1, fresh);
        sslh_i_unscratch(c, t);
    }
}

SSLH_DEF sslh_tensor *sslh_where(sslh_ctx *c, sslh_tensor *condition, sslh_tensor *a, sslh_tensor *b) {
    sslh_tensor *in[3], *out;
    sslh_shape shape;
    sslh_i_plan plan;
    sslh_i_choice f;
    in[0] = condition;
    in[1] = a;
    in[2] = b;
    if (!sslh_i_begin(c, "sslh_where", in, 3, 0)) return sslh_i_dummy(c);
    if (a->type != SSLH_F32 || b->type != SSLH_F32) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_where: input %d is an integer tensor, only the condition may be one",
                  a->type != SSLH_F32 ? 2 : 3);
        return sslh_i_dummy(c);
    }
    if (!sslh_i_broadcast(c, "sslh_where", in, 3, &shape, &plan)) return sslh_i_dummy(c);
    out = sslh_i_new(c, "sslh_where", SSLH_F32, shape);
    if (!out) return sslh_i_dummy(c);
    memset(&f, 0, sizeof f);
    f.plan = &plan;
    f.condition = condition;
    f.a = a->data;
    f.b = b->data;
    f.out = out->data;
    sslh_i_parallel(c, plan.tasks, sslh_i_where_task, &f);
    if (sslh_i_needs(c, a) || sslh_i_needs(c, b)) sslh_i_record(c, "sslh_where", sslh_i_where_back, out, in, 3);
    return sslh_i_end(c, "sslh_where", in, 3, out);
}

/* ================================================================================================================== */
/*  >>reductions    reductions, softmax                                                                              */
/* ================================================================================================================== */

/* --- sums: (O,R,I) over R --------------------------------------------------------------------------------------------
   I = 1: each row by the kernel's lanes and tree, long rows in pieces of SSLH_I_FLAT. I > 1: blocks of rows added up
   column by column. Pieces and blocks depend on the shape only; their partial sums are summed in the same way. */
typedef struct sslh_i_sum3 {
    const struct sslh_i_kernels *k;
    const sslh_real *x;
    sslh_real *out;
    size_t O, R, I;
    size_t block, blocks;   /* of R */
    size_t width, widths;   /* of I */
    size_t units, per_task; /* a unit is one block of one o and one width */
} sslh_i_sum3;

SSLH_I_FN void sslh_i_sum3_task(void *arg, int task, int worker) {
    const sslh_i_sum3 *f = (const sslh_i_sum3 *)arg;
    size_t u = (size_t)task * f->per_task, end = SSLH_I_MIN(f->units, u + f->per_task);
    (void)worker;
    for (; u < end; u++) {
        size_t w = u % f->widths, b = u / f->widths % f->blocks, o = u / f->widths / f->blocks;
        size_t r = b * f->block, rows = SSLH_I_MIN(f->block, f->R - r), i = w * f->width,
               cols = SSLH_I_MIN(f->width, f->I - i);
        const sslh_real *x = f->x + (o * f->R + r) * f->I + i;
        sslh_real *out = f->out + (o * f->blocks + b) * f->I + i;
        if (f->I == 1) *out = f->k->sum(x, rows);
        else f->k->col_sum(x, f->I, rows, cols, out);
    }
}
SSLH_I_FN void sslh_i_sum_axis(sslh_ctx *c, const sslh_real *x, size_t O, size_t R, size_t I, sslh_real *out) {
    sslh_i_sum3 f;
    sslh_real *partial = NULL;
    size_t work;
    f.k = c->k;
    f.x = x;
    f.O = O;
    f.R = R;
    f.I = I;
    f.width = SSLH_I_MIN(I, (size_t)4096);
    f.widths = (I + f.width - 1) / f.width;
    f.block = SSLH_I_FLAT / f.width;
    if (I > 1) f.block = SSLH_I_MAX(SSLH_I_MAX(f.block, (size_t)16), (R + 127) / 128);
    f.block = SSLH_I_MIN(f.block, R);
    f.blocks = (R + f.block - 1) / f.block;
    f.units = O * f.blocks * f.widths;
    work = f.block * f.width;
    f.per_task = work >= SSLH_I_FLAT ? 1 : SSLH_I_FLAT / work;
    if (f.blocks > 1) {
        partial = (sslh_real *)sslh_i_scratch(c, O * f.blocks * I * sizeof *partial);
        if (!partial) return;
    }
    f.out = partial ? partial : out;
    sslh_i_parallel(c, sslh_i_tasks(f.units, f.per_task), sslh_i_sum3_task, &f);
    if (partial) sslh_i_sum_axis(c, partial, O, f.blocks, I, out);
    sslh_i_unscratch(c, partial);
}

/* out (+)= scale * sum of x over the axes with reduced[i]. x has nd axes of size[]; out has the others in their order.
   */
SSLH_I_FN void sslh_i_sum_groups(sslh_ctx *c, const sslh_real *x, int nd, const size_t *sizes, const int *flags,
                                 sslh_real *out, sslh_real scale, int fresh) {
    size_t size[SSLH_MAX_DIMS + 1], kept = 1;
    int reduced[SSLH_MAX_DIMS + 1], m = 0, i, left = 0;
    sslh_real *from = NULL, *to;
    for (i = 0; i < nd; i++) { /* neighbours of one kind become one group */
        if (m && reduced[m - 1] == flags[i]) size[m - 1] *= sizes[i];
        else {
            size[m] = sizes[i];
            reduced[m++] = flags[i];
        }
        if (!flags[i]) kept *= sizes[i];
    }
    for (i = 0; i < m; i++) left += reduced[i];
    if (!left) {
        if (fresh) sslh_i_unary(c, SSLH_I_U_SCALE, x, out, kept, scale, 0);
        else sslh_i_axpby(c, out, x, kept, 1, scale);
        return;
    }
    for (; left > 0; left--) { /* the last reduced group first */
        size_t O = 1, I = 1;
        int at = m - 1, last = left == 1;
        while (!reduced[at]) at--;
        for (i = 0; i < at; i++) O *= size[i];
        for (i = at + 1; i < m; i++) I *= size[i];
        to = last && fresh ? out : (sslh_real *)sslh_i_scratch(c, O * I * sizeof *to);
        if (to) sslh_i_sum_axis(c, from ? from : x, O, size[at], I, to);
        sslh_i_unscratch(c, from);
        if (!to) return;
        from = to;
        size[at] = 1;
        reduced[at] = 0;
    }
    if (!fresh) {
        sslh_i_axpby(c, out, from, kept, 1, scale);
        sslh_i_unscratch(c, from);
    } else if (scale != 1) sslh_i_scale_array(c, out, kept, scale);
}

SSLH_I_FN void sslh_i_sum_repeated(sslh_ctx *c, const sslh_real *x, const sslh_i_plan *p, int k, sslh_real *dst,
                                   sslh_real scale, int fresh) {
    int repeated[SSLH_MAX_DIMS], i;
    for (i = 0; i < p->nd; i++) repeated[i] = p->step[k][i] == 0 && p->size[i] > 1;
    sslh_i_sum_groups(c, x, p->nd, p->size, repeated, dst, scale, fresh);
}

/* --- what is reduced ---------------------------------------------------------------------------------------------- */

typedef struct sslh_i_axes {
    int        reduced[SSLH_MAX_DIMS];  /* flag of each axis of x */
    sslh_shape out;
    size_t     K, R;                    /* values kept; values that each of them sums up */
    int        nk, nr;                  /* axes after merging; the reduced ones may lie anywhere */
    size_t     ksize[SSLH_MAX_DIMS], kstep[SSLH_MAX_DIMS], rsize[SSLH_MAX_DIMS], rstep[SSLH_MAX_DIMS];
    int        rows;                    /* 1: x already is (K,R) */
} sslh_i_axes;

SSLH_I_FN size_t sslh_i_offset(int n, const size_t *size, const size_t *step, size_t index) {
    size_t at = 0;
    while (n-- > 0) {
        at += index % size[n] * step[n];
        index /= size[n];
    }
    return at;
}

SSLH_I_FN void sslh_i_axes_add(int *n, size_t *size, size_t *step, size_t s, size_t stride) { /* from the outside in */
    if (s == 1) return;
    if (*n && step[*n - 1] == s * stride) {
        size[*n - 1] *= s;
        step[*n - 1] = stride;
    } else {
        size[*n] = s;
        step[(*n)++] = stride;
    }
}

/* Reads a mask of axes (see SSLH_AXIS); 0 and an error when it names an axis that x has not. */
SSLH_I_FN int sslh_i_axes_of(sslh_ctx *c, const char *op, const sslh_tensor *x, int axes, int keep, sslh_i_axes *a) {
    size_t stride[SSLH_MAX_DIMS], total = 1;
    int i;
    memset(a, 0, sizeof *a);
    if (axes != SSLH_ALL && (axes & ~(0x3f | 0x3f << 16)) == 0 && axes != 0) {
        for (i = 0; i < 22; i++) {
            int axis = i < 16 ? i : x->ndim + 15 - i; /* bit 16 is axis -1 */
            if (!(axes >> i & 1)) continue;
            if (axis < 0 || axis >= x->ndim) {
                sslh_fail(c, SSLH_E_SHAPE, "%s: axis %d of a tensor of %d dimensions", op, i < 16 ? i : 15 - i,
                          x->ndim);
                return 0;
            }
            a->reduced[axis] = 1;
        }
    } else if (axes == SSLH_ALL) {
        for (i = 0; i < x->ndim; i++) a->reduced[i] = 1;
    } else {
        sslh_fail(c, SSLH_E_USAGE, "%s: %d is no set of axes (SSLH_AXIS(i) | .. or SSLH_ALL)", op, axes);
        return 0;
    }
    for (i = x->ndim - 1; i >= 0; i--) {
        stride[i] = total;
        total *= (size_t)x->shape[i];
    }
    a->K = a->R = 1;
    for (i = 0; i < x->ndim; i++) {
        size_t s = (size_t)x->shape[i];
        if (a->reduced[i]) {
            a->R *= s;
            sslh_i_axes_add(&a->nr, a->rsize, a->rstep, s, stride[i]);
            if (keep) a->out.size[a->out.ndim++] = 1;
        } else {
            a->K *= s;
            sslh_i_axes_add(&a->nk, a->ksize, a->kstep, s, stride[i]);
            a->out.size[a->out.ndim++] = x->shape[i];
        }
    }
    a->rows = a->R == 1 || a->K == 1 || (a->nr == 1 && a->nk == 1 && a->rstep[0] == 1);
    return 1;
}

SSLH_I_FN void sslh_i_sum_into(sslh_ctx *c, const sslh_tensor *x, const sslh_i_axes *a, sslh_real scale,
                               sslh_real *out) {
    size_t size[SSLH_MAX_DIMS];
    int i;
    for (i = 0; i < x->ndim; i++) size[i] = (size_t)x->shape[i];
    sslh_i_sum_groups(c, x->data, x->ndim, size, a->reduced, out, scale, 1);
}

/* Copies between x and rows (K,R) when the reduced axes do not come last. */
typedef struct sslh_i_copy_job {
    const sslh_i_axes *a;
    const sslh_real *from;
    sslh_real *to;
    size_t per_task;
    int back, fresh;
} sslh_i_copy_job;
SSLH_I_FN void sslh_i_copy_rows_task(void *arg, int task, int worker) {
    const sslh_i_copy_job *f = (const sslh_i_copy_job *)arg;
    const sslh_i_axes *a = f->a;
    size_t k = (size_t)task * f->per_task, end = SSLH_I_MIN(a->K, k + f->per_task);
    size_t n = a->nr ? a->rsize[a->nr - 1] : 1, step = a->nr ? a->rstep[a->nr - 1] : 1;
    (void)worker;
    for (; k < end; k++) {
        size_t base = sslh_i_offset(a->nk, a->ksize, a->kstep, k), r, i;
        for (r = 0; r < a->R; r += n) {
            size_t at = base + sslh_i_offset(a->nr, a->rsize, a->rstep, r), row = k * a->R + r;
            if (!f->back) for (i = 0; i < n; i++) f->to[row + i] = f->from[at + i * step];
            else if (f->fresh) for (i = 0; i < n; i++) f->to[at + i * step] = f->from[row + i];
            else for (i = 0; i < n; i++) f->to[at + i * step] += f->from[row + i];
        }
    }
}
SSLH_I_FN void sslh_i_copy_rows(sslh_ctx *c, const sslh_i_axes *a, const sslh_real *from, sslh_real *to, int back,
                                int fresh) {
    sslh_i_copy_job f;
    f.a = a;
    f.from = from;
    f.to = to;
    f.back = back;
    f.fresh = fresh;
    f.per_task = SSLH_I_MAX(SSLH_I_FLAT / a->R, (size_t)1);
    sslh_i_parallel(c, sslh_i_tasks(a->K, f.per_task), sslh_i_copy_rows_task, &f);
}
/* x as rows: itself, or a scratch copy (*copy, to be given back); NULL when memory is out. */
SSLH_I_FN const sslh_real *sslh_i_rows_of(sslh_ctx *c, const sslh_i_axes *a, const sslh_real *x, sslh_real **copy) {
    *copy = NULL;
    if (a->rows) return x;
    *copy = (sslh_real *)sslh_i_scratch(c, a->K * a->R * sizeof **copy);
    if (*copy) sslh_i_copy_rows(c, a, x, *copy, 0, 1);
    return *copy;
}

/* --- row kernels, threaded ---------------------------------------------------------------------------------------- */
enum {
    SSLH_I_R_VARIANCE = 0,
    SSLH_I_R_LSE,
    SSLH_I_R_MAX,
    SSLH_I_R_SOFTMAX,
    SSLH_I_R_SOFTMAX_BACK,
    SSLH_I_R_LAYER_NORM,
    SSLH_I_R_L2,
    SSLH_I_R_L2_BACK
};
typedef struct sslh_i_row_job {
    const struct sslh_i_kernels *k;
    int kind, log, fresh;
    size_t rows, D, per_task;
    const sslh_real *x, *g, *gamma, *beta;
    sslh_real *y, *stats;
    int32_t *index;
    sslh_real eps;
} sslh_i_row_job;

SSLH_I_FN void sslh_i_row_task(void *arg, int task, int worker) {
    const sslh_i_row_job *f = (const sslh_i_row_job *)arg;
    size_t r = (size_t)task * f->per_task, rows = SSLH_I_MIN(f->per_task, f->rows - r), D = f->D;
    (void)worker;
    switch (f->kind) {
    case SSLH_I_R_VARIANCE: f->k->variance_rows(f->x + r * D, f->y + r, f->stats + r, rows, D); break;
    case SSLH_I_R_LSE: f->k->lse_rows(f->x + r * D, f->y + r, rows, D); break;
    case SSLH_I_R_MAX:
        f->k->max_rows(f->x + r * D, f->y ? f->y + r : NULL, f->index ? f->index + r : NULL, rows, D);
        break;
    case SSLH_I_R_SOFTMAX: f->k->softmax(f->x + r * D, f->y + r * D, rows, D, f->log); break;
    case SSLH_I_R_SOFTMAX_BACK:
        f->k->softmax_back(f->x + r * D, f->g + r * D, f->y + r * D, rows, D, f->log, f->fresh);
        break;
    case SSLH_I_R_LAYER_NORM:
        f->k->layer_norm(f->x + r * D, f->gamma, f->beta, f->y + r * D, f->stats + 2 * r, rows, D, f->eps);
        break;
    case SSLH_I_R_L2: f->k->l2(f->x + r * D, f->y + r * D, f->stats + r, rows, D, f->eps); break;
    default: f->k->l2_back(f->x + r * D, f->stats + r, f->g + r * D, f->y + r * D, rows, D, f->eps, f->fresh); break;
    }
}
SSLH_I_FN sslh_i_row_job sslh_i_row_job_of(const sslh_ctx *c, int kind, size_t rows, size_t D) {
    sslh_i_row_job f;
    memset(&f, 0, sizeof f);
    f.k = c->k;
    f.kind = kind;
    f.rows = rows;
    f.D = D;
    f.per_task = SSLH_I_MAX(SSLH_I_FLAT / 2 / D, (size_t)1);
    return f;
}
SSLH_I_FN void sslh_i_row_run(sslh_ctx *c, sslh_i_row_job *f) {
    sslh_i_parallel(c, sslh_i_tasks(f->rows, f->per_task), sslh_i_row_task, f);
}

/* y = softmax or log-softmax of each row; y may be x */
SSLH_I_FN void sslh_i_softmax_rows(sslh_ctx *c, const sslh_real *x, sslh_real *y, size_t rows, size_t D, int log) {
    sslh_i_row_job f = sslh_i_row_job_of(c, SSLH_I_R_SOFTMAX, rows, D);
    f.x = x;
    f.y = y;
    f.log = log;
    sslh_i_row_run(c, &f);
}
/* dx (+)= gradient through it, from its result y */
SSLH_I_FN void sslh_i_softmax_rows_back(sslh_ctx *c, const sslh_real *y, const sslh_real *dy, sslh_real *dx,
                                        size_t rows, size_t D, int log, int fresh) {
    sslh_i_row_job f = sslh_i_row_job_of(c, SSLH_I_R_SOFTMAX_BACK, rows, D);
    f.x = y;
    f.g = dy;
    f.y = dx;
    f.log = log;
    f.fresh = fresh;
    sslh_i_row_run(c, &f);
}
/* y[r] = log sum exp of row r */
SSLH_I_FN void sslh_i_lse_rows(sslh_ctx *c, const sslh_real *x, sslh_real *y, size_t rows, size_t D) {
    sslh_i_row_job f = sslh_i_row_job_of(c, SSLH_I_R_LSE, rows, D);
    f.x = x;
    f.y = y;
    sslh_i_row_run(c, &f);
}

/* Mean and sum of squared distances of each row. Long rows in pieces that are combined (Chan et al. 1979):
   d = mean_b - mean_a,  mean = mean_a + d n_b / n,  m2 = m2_a + m2_b + d^2 n_a n_b / n */
SSLH_I_FN void sslh_i_combine(sslh_real *mean, sslh_real *m2, sslh_real na, sslh_real mean_b, sslh_real m2_b,
                              sslh_real nb) {
    sslh_real n = na + nb, share = nb / n, d = mean_b - *mean, t = d * share;
    *mean = *mean + t;
    t = t * d;
    t = t * na;
    t = t + m2_b;
    *m2 = *m2 + t;
}
SSLH_I_FN int sslh_i_column_variance(sslh_ctx *c, const sslh_real *x, size_t G, size_t M, size_t C, sslh_real *mean,
                                     sslh_real *m2); /* >>norms */

SSLH_I_FN void sslh_i_variance_rows(sslh_ctx *c, const sslh_real *x, sslh_real *mean, sslh_real *m2, size_t rows,
                                    size_t D) {
    sslh_i_row_job f = sslh_i_row_job_of(c, SSLH_I_R_VARIANCE, rows, D);
    f.x = x;
    f.y = mean;
    f.stats = m2;
    if (D < 2 * SSLH_I_FLAT) {
        sslh_i_row_run(c, &f);
    } else {
        size_t pieces = D / SSLH_I_FLAT, r, p;
        sslh_real *part = (sslh_real *)sslh_i_scratch(c, 2 * pieces * sizeof *part);
        if (!part) return;
        for (r = 0; r < rows; r++) {
            size_t rest = pieces * SSLH_I_FLAT;
            f.x = x + r * D;
            f.rows = pieces;
            f.D = SSLH_I_FLAT;
            f.per_task = 1;
            f.y = part;
            f.stats = part + pieces;
            sslh_i_row_run(c, &f);
            mean[r] = part[0];
            m2[r] = part[pieces];
            for (p = 1; p < pieces; p++)
                sslh_i_combine(mean + r, m2 + r, (sslh_real)(p * SSLH_I_FLAT), part[p], part[pieces + p],
                               (sslh_real)SSLH_I_FLAT);
            if (rest == D) continue;
            f.x = x + r * D + rest;
            f.rows = 1;
            f.D = D - rest;
            sslh_i_row_run(c, &f);
            sslh_i_combine(mean + r, m2 + r, (sslh_real)rest, part[0], part[pieces], (sslh_real)(D - rest));
        }
        sslh_i_unscratch(c, part);
    }
}

/* --- backward of reductions: dx (+)= f(x, statistics spread over the reduced axes) -------------------------------- */
typedef struct sslh_i_stat {
    const struct sslh_i_kernels *k;
    const sslh_i_plan *plan; /* operand 0: x, 1: the statistics */
    int kind, fresh;         /* -1: dx = factor dy; SSLH_I_R_VARIANCE, SSLH_I_R_LSE */
    const sslh_real *x, *stat, *g;
    sslh_real *out, factor;
} sslh_i_stat;

SSLH_I_FN void sslh_i_stat_task(void *arg, int task, int worker) {
    const sslh_i_stat *f = (const sslh_i_stat *)arg;
    const sslh_i_plan *p = f->plan;
    int s = p->step[1][p->nd - 1] != 0;
    size_t unit = 0, at[3], to, n;
    (void)worker;
    while ((n = sslh_i_plan_run(p, task, &unit, at, &to)) > 0) {
        const sslh_real *g = f->g + at[1];
        sslh_real *dx = f->out + to, one = 1, v;
        if (f->kind == SSLH_I_R_VARIANCE)
            f->k->variance_back(f->x + to, f->stat + at[1], g, s, dx, n, f->factor, f->fresh);
        else if (f->kind == SSLH_I_R_LSE) f->k->lse_back(f->x + to, f->stat + at[1], g, s, dx, n, f->fresh);
        else if (s && f->fresh) f->k->unary(SSLH_I_U_SCALE, g, dx, n, f->factor, 0);
        else if (s) f->k->axpby(dx, g, n, 1, f->factor);
        else {
            v = *g * f->factor;
            if (f->fresh) f->k->binary(SSLH_I_B_MUL, &v, 0, &one, 0, dx, n);
            else f->k->binary(SSLH_I_B_ADD, dx, 1, &v, 0, dx, n);
        }
    }
}
SSLH_I_FN void sslh_i_stat_back(sslh_ctx *c, sslh_i_node *n, int kind, const sslh_real *stat, sslh_real factor) {
    const sslh_tensor *x = n->in[0];
    size_t total = 1, kept = 1;
    sslh_i_axes a;
    sslh_i_plan plan;
    sslh_i_stat f;
    int i;
    if (!sslh_i_axes_of(c, n->name, x, n->i[0], 0, &a)) return;
    f.out = sslh_i_grad(c, n->in[0], &f.fresh);
    if (!f.out) return;
    memset(&plan, 0, sizeof plan);
    for (i = x->ndim - 1; i >= 0; i--) {
        size_t size = (size_t)x->shape[i], step[3];
        step[0] = total;
        step[1] = a.reduced[i] ? 0 : kept;
        step[2] = 0;
        total *= size;
        if (!a.reduced[i]) kept *= size;
        sslh_i_plan_axis(&plan, size, step);
    }
    sslh_i_plan_end(&plan);
    f.k = c->k;
    f.plan = &plan;
    f.kind = kind;
    f.x = x->data;
    f.stat = stat;
    f.g = n->out->grad;
    f.factor = factor;
    sslh_i_parallel(c, plan.tasks, sslh_i_stat_task, &f);
}

/* --- the operations ----------------------------------------------------------------------------------------------- */

SSLH_I_FN void sslh_i_sum_back(sslh_ctx *c, sslh_i_node *n) { sslh_i_stat_back(c, n, -1, NULL, n->f[0]); }

SSLH_I_FN sslh_tensor *sslh_i_sum_op(sslh_ctx *c, const char *name, sslh_tensor *x, int axes, int keep, int mean) {
    sslh_tensor *out;
    sslh_i_axes a;
    sslh_i_node *node;
    sslh_real scale;
    if (!sslh_i_begin(c, name, &x, 1, 1) || !sslh_i_axes_of(c, name, x, axes, keep, &a)) return sslh_i_dummy(c);
    out = sslh_i_new(c, name, SSLH_F32, a.out);
    if (!out) return sslh_i_dummy(c);
    scale = mean ? SSLH_I_R(1) / (sslh_real)a.R : SSLH_I_R(1);
    sslh_i_sum_into(c, x, &a, scale, out->data);
    node = sslh_i_record(c, name, sslh_i_sum_back, out, &x, 1);
    if (node) {
        node->i[0] = axes;
        node->f[0] = scale;
    }
    return sslh_i_end(c, name, &x, 1, out);
}
SSLH_DEF sslh_tensor *sslh_sum(sslh_ctx *c, sslh_tensor *x, int axes, int keep) {
    return sslh_i_sum_op(c, "sslh_sum", x, axes, keep, 0);
}
SSLH_DEF sslh_tensor *sslh_mean(sslh_ctx *c, sslh_tensor *x, int axes, int keep) {
    return sslh_i_sum_op(c, "sslh_mean", x, axes, keep, 1);
}

/* d var / dx = 2 (x - mean) / (n - correction) */
SSLH_I_FN void sslh_i_variance_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_i_stat_back(c, n, SSLH_I_R_VARIANCE, n->saved[0]->data, n->f[0]);
}

SSLH_DEF sslh_tensor *sslh_variance(sslh_ctx *c, sslh_tensor *x, int axes, int keep, int correction) {
    sslh_tensor *out, *mean;
    sslh_i_axes a;
    sslh_i_node *node;
    sslh_real divisor, *copy;
    const sslh_real *rows;
    if (!sslh_i_begin(c, "sslh_variance", &x, 1, 1) || !sslh_i_axes_of(c, "sslh_variance", x, axes, keep, &a))
        return sslh_i_dummy(c);
    if (correction < 0 || (size_t)correction >= a.R) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_variance: %.0f value(s) with correction %d", (double)a.R, correction);
        return sslh_i_dummy(c);
    }
    divisor = (sslh_real)(a.R - (size_t)correction);
    out = sslh_i_new(c, "sslh_variance", SSLH_F32, a.out);
    mean = out ? sslh_i_new(c, "sslh_variance", SSLH_F32, a.out) : NULL;
    if (!mean) return sslh_i_dummy(c);
    if (a.nr == 1 && a.K > 1 && a.rstep[0] > 1) { /* (O,R,I) over R, in columns */
        size_t I = a.rstep[0];
        if (!sslh_i_column_variance(c, x->data, a.K / I, a.R, I, mean->data, out->data)) return sslh_i_dummy(c);
    } else {
        rows = sslh_i_rows_of(c, &a, x->data, &copy);
        if (!rows) return sslh_i_dummy(c);
        sslh_i_variance_rows(c, rows, mean->data, out->data, a.K, a.R);
        sslh_i_unscratch(c, copy);
    }
    sslh_i_scale_array(c, out->data, out->count, SSLH_I_R(1) / divisor);
    node = sslh_i_record(c, "sslh_variance", sslh_i_variance_back, out, &x, 1);
    if (node) {
        node->i[0] = axes;
        node->f[0] = 2 / divisor;
    }
    sslh_i_save(c, node, mean);
    return sslh_i_end(c, "sslh_variance", &x, 1, out);
}

SSLH_I_FN void sslh_i_lse_back(sslh_ctx *c, sslh_i_node *n) { sslh_i_stat_back(c, n, SSLH_I_R_LSE, n->out->data, 1); }

SSLH_DEF sslh_tensor *sslh_logsumexp(sslh_ctx *c, sslh_tensor *x, int axes, int keep) {
    sslh_tensor *out;
    sslh_i_axes a;
    sslh_i_node *node;
    sslh_real *copy;
    const sslh_real *rows;
    if (!sslh_i_begin(c, "sslh_logsumexp", &x, 1, 1) || !sslh_i_axes_of(c, "sslh_logsumexp", x, axes, keep, &a))
        return sslh_i_dummy(c);
    out = sslh_i_new(c, "sslh_logsumexp", SSLH_F32, a.out);
    rows = out ? sslh_i_rows_of(c, &a, x->data, &copy) : NULL;
    if (!rows) return sslh_i_dummy(c);
    sslh_i_lse_rows(c, rows, out->data, a.K, a.R);
    sslh_i_unscratch(c, copy);
    node = sslh_i_record(c, "sslh_logsumexp", sslh_i_lse_back, out, &x, 1);
    if (node) node->i[0] = axes;
    return sslh_i_end(c, "sslh_logsumexp", &x, 1, out);
}

/* The gradient goes to the first maximum: saved[0] holds its number among the reduced values. */
SSLH_I_FN void sslh_i_max_back(sslh_ctx *c, sslh_i_node *n) {
    int fresh;
    sslh_real *dx = sslh_i_grad(c, n->in[0], &fresh);
    size_t k;
    sslh_i_axes a;
    if (!dx || !sslh_i_axes_of(c, n->name, n->in[0], n->i[0], 0, &a)) return;
    if (fresh) memset(dx, 0, n->in[0]->count * sizeof *dx);
    for (k = 0; k < a.K; k++)
        dx[sslh_i_offset(a.nk, a.ksize, a.kstep, k) +
           sslh_i_offset(a.nr, a.rsize, a.rstep, (size_t)n->saved[0]->ints[k])] += n->out->grad[k];
}
SSLH_I_FN void sslh_i_max_rows(sslh_ctx *c, const sslh_real *x, sslh_real *y, int32_t *index, size_t rows, size_t D) {
    sslh_i_row_job f = sslh_i_row_job_of(c, SSLH_I_R_MAX, rows, D);
    f.x = x;
    f.y = y;
    f.index = index;
    sslh_i_row_run(c, &f);
}
SSLH_DEF sslh_tensor *sslh_max(sslh_ctx *c, sslh_tensor *x, int axes, int keep) {
    sslh_tensor *out, *index;
    sslh_i_axes a;
    sslh_i_node *node;
    sslh_real *copy;
    const sslh_real *rows;
    if (!sslh_i_begin(c, "sslh_max", &x, 1, 1) || !sslh_i_axes_of(c, "sslh_max", x, axes, keep, &a))
        return sslh_i_dummy(c);
    if (a.R > (size_t)INT_MAX) sslh_fail(c, SSLH_E_SHAPE, "sslh_max: more than %d values in one maximum", INT_MAX);
    out = sslh_i_new(c, "sslh_max", SSLH_F32, a.out);
    index = out ? sslh_i_new(c, "sslh_max", SSLH_I32, a.out) : NULL;
    rows = index ? sslh_i_rows_of(c, &a, x->data, &copy) : NULL;
    if (!rows) return sslh_i_dummy(c);
    sslh_i_max_rows(c, rows, out->data, index->ints, a.K, a.R);
    sslh_i_unscratch(c, copy);
    node = sslh_i_record(c, "sslh_max", sslh_i_max_back, out, &x, 1);
    if (node) node->i[0] = axes;
    sslh_i_save(c, node, index);
    return sslh_i_end(c, "sslh_max", &x, 1, out);
}

/* One axis by number, negative from the end; a mask for sslh_i_axes_of, 0 and an error when there is none. */
SSLH_I_FN int sslh_i_one_axis(sslh_ctx *c, const char *op, const sslh_tensor *x, int axis) {
    if (axis >= -x->ndim && axis < x->ndim) return SSLH_AXIS(axis);
    sslh_fail(c, SSLH_E_SHAPE, "%s: axis %d of a tensor of %d dimensions", op, axis, x->ndim);
    return 0;
}

SSLH_DEF sslh_tensor *sslh_argmax(sslh_ctx *c, sslh_tensor *x, int axis) {
    sslh_tensor *out;
    sslh_i_axes a;
    sslh_real *copy;
    const sslh_real *rows;
    int mask;
    if (!sslh_i_begin(c, "sslh_argmax", &x, 1, 1)) return sslh_i_dummy(c);
    mask = sslh_i_one_axis(c, "sslh_argmax", x, axis);
    if (!mask || !sslh_i_axes_of(c, "sslh_argmax", x, mask, 0, &a)) return sslh_i_dummy(c);
    out = sslh_i_new(c, "sslh_argmax", SSLH_I32, a.out);
    rows = out ? sslh_i_rows_of(c, &a, x->data, &copy) : NULL;
    if (!rows) return sslh_i_dummy(c);
    sslh_i_max_rows(c, rows, NULL, out->ints, a.K, a.R);
    sslh_i_unscratch(c, copy);
    return sslh_i_end(c, "sslh_argmax", &x, 1, out);
}

/* --- softmax: along the last axis in place, along others on a turned copy --- */
SSLH_I_FN void sslh_i_softmax_op_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_tensor *x = n->in[0], *out = n->out;
    sslh_real *dx, *y_copy, *g_copy = NULL;
    const sslh_real *y, *dy;
    sslh_i_axes a;
    int fresh;
    if (!sslh_i_axes_of(c, n->name, x, n->i[0], 0, &a)) return;
    dx = sslh_i_grad_reuse(c, out, x, &dy, &fresh);
    if (!dx) return;
    y = sslh_i_rows_of(c, &a, out->data, &y_copy);
    dy = y ? sslh_i_rows_of(c, &a, dy, &g_copy) : NULL;
    if (!dy) {
        sslh_i_unscratch(c, y_copy);
        return;
    }
    if (a.rows) sslh_i_softmax_rows_back(c, y, dy, dx, a.K, a.R, n->i[1], fresh);
    else {
        sslh_i_softmax_rows_back(c, y, dy, g_copy, a.K, a.R, n->i[1], 1);
        sslh_i_copy_rows(c, &a, g_copy, dx, 1, fresh);
    }
    sslh_i_unscratch(c, g_copy);
    sslh_i_unscratch(c, y_copy);
}

SSLH_I_FN sslh_tensor *sslh_i_softmax_op(sslh_ctx *c, const char *name, sslh_tensor *x, int axis, int log) {
    sslh_tensor *out;
    sslh_i_axes a;
    sslh_i_node *node;
    sslh_real *copy;
    const sslh_real *rows;
    int mask;
    if (!sslh_i_begin(c, name, &x, 1, 1)) return sslh_i_dummy(c);
    mask = sslh_i_one_axis(c, name, x, axis);
    if (!mask || !sslh_i_axes_of(c, name, x, mask, 0, &a)) return sslh_i_dummy(c);
    out = sslh_i_new(c, name, SSLH_F32, sslh_shape_of(x));
    rows = out ? sslh_i_rows_of(c, &a, x->data, &copy) : NULL;
    if (!rows) return sslh_i_dummy(c);
    sslh_i_softmax_rows(c, rows, copy ? copy : out->data, a.K, a.R, log);
    if (copy) sslh_i_copy_rows(c, &a, copy, out->data, 1, 1);
    sslh_i_unscratch(c, copy);
    node = sslh_i_record(c, name, sslh_i_softmax_op_back, out, &x, 1);
    if (node) {
        node->i[0] = mask;
        node->i[1] = log;
    }
    return sslh_i_end(c, name, &x, 1, out);
}
SSLH_DEF sslh_tensor *sslh_softmax(sslh_ctx *c, sslh_tensor *x, int axis) {
    return sslh_i_softmax_op(c, "sslh_softmax", x, axis, 0);
}
SSLH_DEF sslh_tensor *sslh_log_softmax(sslh_ctx *c, sslh_tensor *x, int axis) {
    return sslh_i_softmax_op(c, "sslh_log_softmax", x, axis, 1);
}

/* ================================================================================================================== */
/*  >>products      matmul, linear                                                                                   */
/* ================================================================================================================== */

/* --- matrix product: c = [c +] op(a) op(b) [+ bias] [relu], all row-major ---
   Every element of c is summed over k in blocks of SSLH_I_KC: a chain of products inside a block, then block after block
   into c. Tiles, packing, instruction set and threads change nothing in that order, so they change no bit (FMA apart). */

enum {
    SSLH_I_KC = 256, /* k per block: a panel of b, 256 x 32 floats, stays in the first-level cache */
    SSLH_I_MC = 96,  /* most rows of a task: a block of a, 96 x 256 floats, stays in the second level; a multiple of all MR */
    SSLH_I_KPAD = 16 /* added to the stride of a copied block of a, so that its rows do not fall into the same cache set */
};

/* The same, plainly: the tests compare with it. Bit for bit equal to the passes without FMA. */
SSLH_I_FN void sslh_i_gemm_reference(const sslh_i_gemm_args *g) {
    for (int p = 0; p < g->batch; p++) {
        const sslh_real *a = g->a + (size_t)p * g->stride_a, *b = g->b + (size_t)p * g->stride_b;
        sslh_real *c = g->c + (size_t)p * g->stride_c;
        for (int i = 0; i < g->m; i++) {
            for (int j = 0; j < g->n; j++) {
                sslh_real y = g->accumulate ? c[(size_t)i * g->ldc + (size_t)j] : SSLH_I_R(0);
                for (int k0 = 0; k0 < g->k; k0 += SSLH_I_KC) {
                    sslh_real sum = SSLH_I_R(0);
                    for (int k = k0; k < g->k && k < k0 + SSLH_I_KC; k++) {
                        sslh_real x = g->ta ? a[(size_t)k * g->lda + (size_t)i] : a[(size_t)i * g->lda + (size_t)k];
                        sslh_real w = g->tb ? b[(size_t)j * g->ldb + (size_t)k] : b[(size_t)k * g->ldb + (size_t)j];
                        sum = sslh_i_muladd(x, w, sum);
                    }
                    y = k0 || g->accumulate ? y + sum : sum;
                }
                if (g->bias) y = y + g->bias[j];
                if (g->relu) y = SSLH_I_R(0) > y ? SSLH_I_R(0) : y;
                c[(size_t)i * g->ldc + (size_t)j] = y;
            }
        }
    }
}

/* How b is read: rows of b as they are; all of it packed before by everybody; or packed block by block by each task. */
enum { SSLH_I_B_PLACE, SSLH_I_B_SHARED, SSLH_I_B_LOCAL };

typedef struct sslh_i_gemm_job {
    const struct sslh_i_kernels *k;
    sslh_i_gemm_args g;          /* of one matrix of the batch; the strides lead to the others */
    int        rows, cols;       /* of a task */
    int        row_tasks, col_tasks, parts, items;
    int        part_k, k0, k1;   /* k of a part; the k range that is packed now */
    int        b_mode, copy_a;
    sslh_real *packed;           /* SSLH_I_B_SHARED: [panel][k1-k0][NR] */
    sslh_real *sums;             /* parts > 1: [part][M][N] */
    char      *work;             /* per worker: block of a, then block of b */
    size_t     work_bytes, a_reals;
} sslh_i_gemm_job;

/* Columns j .. of op(b), rows k .. k+kn, as a panel. */
SSLH_I_FN void sslh_i_gemm_pack_b(const sslh_i_gemm_job *p, const sslh_real *b, sslh_real *to, int j, int k, int kn) {
    const sslh_i_gemm_args *g = &p->g;
    int nr = p->k->nr, cols = SSLH_I_MIN(nr, g->n - j);
    if (g->tb) p->k->pack_t(to, nr, b + (size_t)j * g->ldb + (size_t)k, g->ldb, cols, kn);
    else p->k->pack_n(to, nr, b + (size_t)k * g->ldb + (size_t)j, g->ldb, cols, kn);
}

/* Rows i0..i1, columns j0..j1 of c, summed over k0..k1 (k0 a multiple of KC). first: c holds nothing yet. */
SSLH_I_FN void sslh_i_gemm_block(const sslh_i_gemm_job *p, const sslh_i_gemm_args *g, int i0, int i1, int j0, int j1, int k0, int k1,
                                 int accumulate, int last, sslh_real *work) {
    const struct sslh_i_kernels *kern = p->k;
    const int nr = kern->nr, mr = kern->mr, rows = i1 - i0;
    const sslh_real *a[SSLH_I_MC];
    sslh_real *work_b = work + p->a_reals;
    sslh_i_tile t;
    memset(&t, 0, sizeof t);
    t.ldc = g->ldc;
    t.segs = 1;
    for (int k = k0; k < k1; k += SSLH_I_KC) {
        int kn = SSLH_I_MIN(SSLH_I_KC, k1 - k), final = last && k + kn == k1;
        t.accumulate = accumulate || k > k0;
        t.relu = final && g->relu;
        if (!g->ta) { /* rows of a, in place or copied side by side (work: rows x (KC + KPAD)) */
            for (int r = 0; r < rows; r++) {
                a[r] = g->a + (size_t)(i0 + r) * g->lda + (size_t)k;
                if (p->copy_a) {
                    sslh_real *to = work + (size_t)r * (SSLH_I_KC + SSLH_I_KPAD);
                    memcpy(to, a[r], (size_t)kn * sizeof *to);
                    a[r] = to;
                }
            }
        } else if (p->copy_a) { /* panels of a: [panel][kn][MR] */
            for (int r = 0; r < rows; r += mr)
                kern->pack_n(work + (size_t)r * (size_t)kn, mr, g->a + (size_t)k * g->lda + (size_t)(i0 + r), g->lda,
                             SSLH_I_MIN(mr, rows - r), kn);
        }
        if (p->b_mode == SSLH_I_B_LOCAL)
            for (int j = j0; j < j1; j += nr)
                sslh_i_gemm_pack_b(p, g->b, work_b + (size_t)(j - j0) * (size_t)kn, j, k, kn);
        for (int j = j0; j < j1; j += nr) {
            const sslh_real *b;
            t.cols = SSLH_I_MIN(nr, j1 - j);
            t.bstep = (size_t)nr;
            if (p->b_mode == SSLH_I_B_SHARED) {
                b = p->packed + (size_t)j * (size_t)(p->k1 - p->k0) + (size_t)(k - p->k0) * (size_t)nr;
            } else if (p->b_mode == SSLH_I_B_LOCAL) {
                b = work_b + (size_t)(j - j0) * (size_t)kn;
            } else {
                b = g->b + (size_t)k * g->ldb + (size_t)j;
                t.bstep = g->ldb;
            }
            t.bias = final && g->bias ? g->bias + j : NULL;
            t.c = g->c + (size_t)i0 * g->ldc + (size_t)j;
            if (!g->ta) {
                t.rows = rows;
                t.len = kn;
                t.a = a;
                t.b = b;
                kern->tile_rows(&t);
                continue;
            }
            t.bs = &b;
            t.lens = &kn;
            t.a = a;
            if (!p->copy_a) {
                a[0] = g->a + (size_t)k * g->lda + (size_t)i0;
                t.astep = g->lda;
                t.rows = rows;
                kern->tile_runs(&t);
                continue;
            }
            t.astep = (size_t)mr;
            for (int r = 0; r < rows; r += mr) {
                a[0] = work + (size_t)r * (size_t)kn;
                t.rows = SSLH_I_MIN(mr, rows - r);
                t.c = g->c + (size_t)(i0 + r) * g->ldc + (size_t)j;
                kern->tile_runs(&t);
            }
        }
    }
}

SSLH_I_FN void sslh_i_gemm_pack_task(void *arg, int task, int worker) { /* one panel */
    const sslh_i_gemm_job *p = (const sslh_i_gemm_job *)arg;
    int j = task * p->k->nr, kn = p->k1 - p->k0;
    (void)worker;
    sslh_i_gemm_pack_b(p, p->g.b, p->packed + (size_t)j * (size_t)kn, j, p->k0, kn);
}

SSLH_I_FN void sslh_i_gemm_task(void *arg, int task, int worker) {
    const sslh_i_gemm_job *p = (const sslh_i_gemm_job *)arg;
    sslh_i_gemm_args g = p->g;
    sslh_real *work = p->work ? (sslh_real *)(void *)(p->work + (size_t)worker * p->work_bytes) : NULL;
    int tasks = p->row_tasks * p->col_tasks;
    int part = task / tasks, i0 = task % tasks / p->col_tasks * p->rows, j0 = task % p->col_tasks * p->cols;
    int i1 = SSLH_I_MIN(g.m, i0 + p->rows), j1 = SSLH_I_MIN(g.n, j0 + p->cols);
    int k0 = p->k0, k1 = p->k1;
    if (p->parts > 1) { /* a part has its own sums; they are added up in order afterwards */
        k0 = part * p->part_k;
        k1 = SSLH_I_MIN(g.k, k0 + p->part_k);
        g.c = p->sums + (size_t)part * (size_t)g.m * (size_t)g.n;
        g.ldc = (size_t)g.n;
        sslh_i_gemm_block(p, &g, i0, i1, j0, j1, k0, k1, 0, 0, work);
        return;
    }
    sslh_i_gemm_block(p, &g, i0, i1, j0, j1, k0, k1, g.accumulate || k0 > 0, k1 == g.k, work);
}

SSLH_I_FN void sslh_i_gemm_items_task(void *arg, int task, int worker) { /* some whole small matrices of a batch */
    const sslh_i_gemm_job *p = (const sslh_i_gemm_job *)arg;
    sslh_real *work = p->work ? (sslh_real *)(void *)(p->work + (size_t)worker * p->work_bytes) : NULL;
    for (int item = task * p->items; item < SSLH_I_MIN(p->g.batch, (task + 1) * p->items); item++) {
        sslh_i_gemm_args g = p->g;
        g.a += (size_t)item * g.stride_a;
        g.b += (size_t)item * g.stride_b;
        g.c += (size_t)item * g.stride_c;
        for (int i = 0; i < g.m; i += SSLH_I_MC)
            sslh_i_gemm_block(p, &g, i, SSLH_I_MIN(g.m, i + SSLH_I_MC), 0, g.n, 0, g.k, g.accumulate, 1, work);
    }
}

SSLH_I_FN void sslh_i_gemm_sum_task(void *arg, int task, int worker) { /* parts -> c, one row */
    const sslh_i_gemm_job *p = (const sslh_i_gemm_job *)arg;
    const sslh_i_gemm_args *g = &p->g;
    size_t n = (size_t)g->n, mn = (size_t)g->m * n;
    sslh_real *c = g->c + (size_t)task * g->ldc;
    const sslh_real *s = p->sums + (size_t)task * n;
    (void)worker;
    for (size_t j = 0; j < n; j++) {
        sslh_real y = g->accumulate ? c[j] + s[j] : s[j];
        for (int q = 1; q < p->parts; q++) y = y + s[(size_t)q * mn + j];
        if (g->bias) y = y + g->bias[j];
        if (g->relu) y = SSLH_I_R(0) > y ? SSLH_I_R(0) : y;
        c[j] = y;
    }
}

/* One matrix product over all threads. */
SSLH_I_FN void sslh_i_gemm_one(sslh_ctx *c, const sslh_i_gemm_args *g) {
    sslh_i_gemm_job p;
    const int nr = c->k->nr;
    const int panels = (g->n + nr - 1) / nr;
    memset(&p, 0, sizeof p);
    p.k = c->k;
    p.g = *g;
    p.k1 = g->k;
    p.parts = 1;
    /* cut c so that there is work for a dozen threads, by its size only */
    p.rows = g->m >= 4 * SSLH_I_MC ? SSLH_I_MC : g->m >= 2 * SSLH_I_MC ? SSLH_I_MC / 2 : SSLH_I_MC / 4;
    p.row_tasks = (g->m + p.rows - 1) / p.rows;
    p.cols = (g->n + 31) / 32 * 32;
    while (p.cols > 128 && p.row_tasks * ((g->n + p.cols - 1) / p.cols) < 16) p.cols = (p.cols / 2 + 31) / 32 * 32;
    p.col_tasks = (g->n + p.cols - 1) / p.cols;
    if (g->split && p.row_tasks * p.col_tasks < 16 && g->k >= 8 * SSLH_I_KC) { /* long sums into few outputs */
        int blocks = (g->k + SSLH_I_KC - 1) / SSLH_I_KC;
        int parts = SSLH_I_MIN(blocks / 4, (15 + p.row_tasks * p.col_tasks) / (p.row_tasks * p.col_tasks));
        p.part_k = (blocks + parts - 1) / parts * SSLH_I_KC;
        p.parts = (g->k + p.part_k - 1) / p.part_k;
    }
    if (!g->tb && g->n % p.k->w == 0 && (g->m <= SSLH_I_MC || (size_t)g->k * (size_t)g->n <= 16384)) p.b_mode = SSLH_I_B_PLACE;
    else if (p.parts > 1 || p.row_tasks == 1) p.b_mode = SSLH_I_B_LOCAL;
    else p.b_mode = SSLH_I_B_SHARED;
    p.copy_a = g->ta ? p.cols > nr : p.cols >= 4 * nr && g->lda >= 512;

    p.a_reals = p.copy_a ? (size_t)(p.rows + 16) * (SSLH_I_KC + SSLH_I_KPAD) : 0;
    p.work_bytes = p.a_reals + (p.b_mode == SSLH_I_B_LOCAL ? (size_t)SSLH_I_KC * (size_t)(p.cols + 32) : 0);
    p.work_bytes = (p.work_bytes * sizeof(sslh_real) + 63) / 64 * 64;
    int step_k = g->k; /* k of a round of packing: about 4 MB, which a shared cache holds */
    if (p.b_mode == SSLH_I_B_SHARED) {
        size_t most = ((size_t)1 << 20) / ((size_t)panels * (size_t)nr) / SSLH_I_KC * SSLH_I_KC;
        if ((size_t)step_k > most) step_k = (int)SSLH_I_MAX(most, (size_t)SSLH_I_KC);
    }
    if (p.work_bytes) p.work = (char *)sslh_i_scratch(c, p.work_bytes * (size_t)c->threads);
    if (p.b_mode == SSLH_I_B_SHARED)
        p.packed = (sslh_real *)sslh_i_scratch(c, (size_t)panels * (size_t)nr * (size_t)step_k * sizeof(sslh_real));
    if (p.parts > 1)
        p.sums = (sslh_real *)sslh_i_scratch(c, (size_t)p.parts * (size_t)g->m * (size_t)g->n * sizeof(sslh_real));
    if ((!p.work_bytes || p.work) && (p.b_mode != SSLH_I_B_SHARED || p.packed) && (p.parts == 1 || p.sums)) {
        if (p.b_mode == SSLH_I_B_SHARED) {
            for (p.k0 = 0; p.k0 < g->k; p.k0 = p.k1) {
                p.k1 = SSLH_I_MIN(g->k, p.k0 + step_k);
                sslh_i_parallel(c, panels, sslh_i_gemm_pack_task, &p);
                sslh_i_parallel(c, p.row_tasks * p.col_tasks, sslh_i_gemm_task, &p);
            }
        } else {
            sslh_i_parallel(c, p.row_tasks * p.col_tasks * p.parts, sslh_i_gemm_task, &p);
        }
        if (p.parts > 1) sslh_i_parallel(c, g->m, sslh_i_gemm_sum_task, &p);
    }
    if (p.sums) sslh_i_unscratch(c, p.sums);
    if (p.packed) sslh_i_unscratch(c, p.packed);
    if (p.work) sslh_i_unscratch(c, p.work);
}

/* A batch of matrices that are each too small to share: whole ones per task. */
SSLH_I_FN void sslh_i_gemm_items(sslh_ctx *c, const sslh_i_gemm_args *g) {
    sslh_i_gemm_job p;
    size_t work = (size_t)g->m * (size_t)g->n * (size_t)g->k;
    memset(&p, 0, sizeof p);
    p.k = c->k;
    p.g = *g;
    p.b_mode = !g->tb && g->n % p.k->w == 0 ? SSLH_I_B_PLACE : SSLH_I_B_LOCAL;
    p.work_bytes = p.b_mode == SSLH_I_B_LOCAL ? (size_t)SSLH_I_KC * (size_t)(g->n + 32) * sizeof(sslh_real) : 0;
    p.work_bytes = (p.work_bytes + 63) / 64 * 64;
    p.items = (int)SSLH_I_MIN((size_t)g->batch, SSLH_I_MAX((size_t)1, ((size_t)1 << 19) / work));
    if (p.work_bytes) {
        p.work = (char *)sslh_i_scratch(c, p.work_bytes * (size_t)c->threads);
        if (!p.work) return;
    }
    sslh_i_parallel(c, (g->batch + p.items - 1) / p.items, sslh_i_gemm_items_task, &p);
    if (p.work) sslh_i_unscratch(c, p.work);
}

#if SSLH_USE_CBLAS && !SSLH_I_DOUBLE
/* The product by the caller's BLAS (outside the same-bits promise); bias and relu in a second pass. */
SSLH_I_FN void sslh_i_gemm_blas(const sslh_i_gemm_args *g) {
    cblas_sgemm(CblasRowMajor, g->ta ? CblasTrans : CblasNoTrans, g->tb ? CblasTrans : CblasNoTrans, g->m, g->n, g->k, 1.0f, g->a,
                (int)g->lda, g->b, (int)g->ldb, g->accumulate ? 1.0f : 0.0f, g->c, (int)g->ldc);
    if (!g->bias && !g->relu) return;
    for (int i = 0; i < g->m; i++) {
        float *c = g->c + (size_t)i * g->ldc;
        for (int j = 0; j < g->n; j++) {
            float y = g->bias ? c[j] + g->bias[j] : c[j];
            c[j] = g->relu && 0.0f > y ? 0.0f : y;
        }
    }
}
#endif

SSLH_I_FN void sslh_i_gemm_empty_task(void *arg, int task, int worker) { /* k = 0: an empty sum */
    sslh_i_gemm_reference((const sslh_i_gemm_args *)arg);
    (void)task;
    (void)worker;
}

SSLH_I_FN void sslh_i_gemm(sslh_ctx *c, const sslh_i_gemm_args *args) {
    sslh_i_gemm_args g = *args;
    if (SSLH_I_BAD(c) || g.m <= 0 || g.n <= 0 || g.batch < 0) return;
    if (g.batch == 0) g.batch = 1;
    if (g.k <= 0) {
        sslh_i_parallel(c, 1, sslh_i_gemm_empty_task, &g);
        return;
    }
    size_t work = (size_t)g.m * (size_t)g.n * (size_t)g.k;
    int small = g.n <= 512 && work <= (g.batch > 1 ? (size_t)1 << 22 : (size_t)1 << 18);
#if SSLH_USE_CBLAS && !SSLH_I_DOUBLE
    small = 0;
#endif
    if (small) {
        sslh_i_gemm_items(c, &g);
        return;
    }
    for (int i = 0; i < args->batch || i < 1; i++) {
        g.batch = 1;
        g.a = args->a + (size_t)i * g.stride_a;
        g.b = args->b + (size_t)i * g.stride_b;
        g.c = args->c + (size_t)i * g.stride_c;
#if SSLH_USE_CBLAS && !SSLH_I_DOUBLE
        sslh_i_gemm_blas(&g);
#else
        sslh_i_gemm_one(c, &g);
#endif
    }
}

/* --- what the backward passes of linear and convolution share: the fused activation and the bias ---
   y = relu(z), z = .. + bias:   dz = dy [y > 0],   dbias = sum over rows of dz                                         */

enum { SSLH_I_BIAS_ROWS = 256 }; /* rows summed by one task; the tasks' sums are added in order */

typedef struct sslh_i_bias_job {
    const struct sslh_i_kernels *k;
    const sslh_real *y, *dy;     /* (rows,n); y NULL: no activation */
    sslh_real       *dz, *sums;  /* (rows,n), [task][n] */
    size_t           rows, n;
} sslh_i_bias_job;

SSLH_I_FN void sslh_i_bias_task(void *arg, int task, int worker) {
    const sslh_i_bias_job *p = (const sslh_i_bias_job *)arg;
    size_t r = (size_t)task * SSLH_I_BIAS_ROWS, at = r * p->n;
    (void)worker;
    p->k->relu_bias(p->y ? p->y + at : NULL, p->dy + at, p->dz ? p->dz + at : NULL, p->sums ? p->sums + (size_t)task * p->n : NULL,
                    SSLH_I_MIN(p->rows - r, (size_t)SSLH_I_BIAS_ROWS), p->n);
}

/* Returns dz (rows,n), where rows = out->count / n: out's gradient, changed in place if nobody else reads it; NULL on
   failure. Adds to the gradient of bias. *scratch is to be given back by the caller when not NULL. */
SSLH_I_FN const sslh_real *sslh_i_bias_back(sslh_ctx *c, sslh_tensor *out, int relu, sslh_tensor *bias, size_t n, sslh_real **scratch) {
    sslh_i_bias_job p;
    sslh_real *dbias = NULL;
    int fresh = 0;
    *scratch = NULL;
    memset(&p, 0, sizeof p);
    p.k = c->k;
    p.n = n;
    p.rows = out->count / n;
    p.dy = out->grad;
    if (bias) dbias = sslh_i_grad(c, bias, &fresh);
    if (!relu && !dbias) return SSLH_I_BAD(c) ? NULL : out->grad;
    size_t tasks = (p.rows + SSLH_I_BIAS_ROWS - 1) / SSLH_I_BIAS_ROWS;
    if (relu) {
        p.y = out->data;
        p.dz = out->grad;
        if (out->flags & SSLH_I_KEPT) {
            p.dz = *scratch = (sslh_real *)sslh_i_scratch(c, out->count * sizeof(sslh_real));
            if (!p.dz) return NULL;
        }
    }
    if (dbias) {
        p.sums = (sslh_real *)sslh_i_scratch(c, tasks * n * sizeof(sslh_real));
        if (!p.sums) return NULL;
    }
    sslh_i_parallel(c, (int)tasks, sslh_i_bias_task, &p);
    if (dbias) {
        for (size_t j = 0; j < n; j++) {
            sslh_real s = fresh ? p.sums[j] : dbias[j] + p.sums[j];
            for (size_t t = 1; t < tasks; t++) s = s + p.sums[t * n + j];
            dbias[j] = s;
        }
        sslh_i_unscratch(c, p.sums);
    }
    return relu ? p.dz : out->grad;
}

/* --- sslh_matmul: C = op(A) op(B); dA = dC op(B)', dB = op(A)' dC, transposed where A or B was --- */

/* node->i: 0 transpose_a, 1 transpose_b, 2 M, 3 N, 4 K, 5 batch, 6 a has the batch axes, 7 b has them */
SSLH_I_FN void sslh_i_matmul_back(sslh_ctx *c, sslh_i_node *node) {
    const int ta = node->i[0], tb = node->i[1], m = node->i[2], n = node->i[3], k = node->i[4], batch = node->i[5];
    sslh_tensor *a = node->in[0], *b = node->in[1], *out = node->out;
    for (int side = 0; side < 2; side++) {
        sslh_i_gemm_args g;
        int fresh, full = node->i[6 + side]; /* the operand has the batch axes: its own gradient for each matrix */
        sslh_real *d = sslh_i_grad(c, side ? b : a, &fresh);
        if (!d) continue;
        memset(&g, 0, sizeof g);
        const size_t sa = node->i[6] ? (size_t)m * (size_t)k : 0, sb = node->i[7] ? (size_t)k * (size_t)n : 0;
        const size_t lda = (size_t)(ta ? m : k), ldb = (size_t)(tb ? k : n), ldc = (size_t)n, sc = (size_t)m * (size_t)n;
        /* the factors of the gradient: dC and the other operand, in the order that gives the operand's own layout */
        int dc_first = side ? tb : !ta;
        const sslh_real *other = side ? a->data : b->data;
        int other_t = side ? (tb ? ta : !ta) : (ta ? tb : !tb), dc_t = side ? tb : ta;
        size_t other_ld = side ? lda : ldb, other_stride = side ? sa : sb;
        g.a = dc_first ? out->grad : other;
        g.lda = dc_first ? ldc : other_ld;
        g.stride_a = dc_first ? sc : other_stride;
        g.ta = dc_first ? dc_t : other_t;
        g.b = dc_first ? other : out->grad;
        g.ldb = dc_first ? other_ld : ldc;
        g.stride_b = dc_first ? other_stride : sc;
        g.tb = dc_first ? other_t : dc_t;
        g.m = side ? (tb ? n : k) : (ta ? k : m);
        g.n = side ? (tb ? k : n) : (ta ? m : k);
        g.k = side ? m : n;
        g.c = d;
        g.ldc = (size_t)g.n;
        g.stride_c = full ? (size_t)g.m * (size_t)g.n : 0;
        g.accumulate = !fresh;
        g.split = 1;
        if (full || batch == 1) {
            g.batch = batch;
            sslh_i_gemm(c, &g);
            continue;
        }
        for (int p = 0; p < batch; p++) { /* one operand for all: its gradients add up, in order */
            sslh_i_gemm(c, &g);
            g.a += g.stride_a;
            g.b += g.stride_b;
            g.accumulate = 1;
        }
    }
}

SSLH_DEF sslh_tensor *sslh_matmul_ex(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b, int transpose_a, int transpose_b) {
    sslh_tensor *in[2];
    sslh_i_gemm_args g;
    sslh_shape shape;
    char sa[96], sb[96];
    size_t batch = 1;
    const int ta = !!transpose_a, tb = !!transpose_b;
    in[0] = a;
    in[1] = b;
    if (!sslh_i_begin(c, "sslh_matmul", in, 2, 1)) return sslh_i_dummy(c);
    sslh_i_str(sa, sizeof sa, sslh_shape_of(a));
    sslh_i_str(sb, sizeof sb, sslh_shape_of(b));
    if (a->ndim < 2 || b->ndim < 2) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_matmul: %s x %s: both need at least two dimensions", sa, sb);
        return sslh_i_dummy(c);
    }
    memset(&g, 0, sizeof g);
    g.m = a->shape[a->ndim - 2 + ta];
    g.k = a->shape[a->ndim - 1 - ta];
    g.n = b->shape[b->ndim - 1 - tb];
    if (b->shape[b->ndim - 2 + tb] != g.k) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_matmul: %s%s x %s%s: inner sizes %d and %d differ", sa, ta ? "'" : "", sb, tb ? "'" : "", g.k,
                  b->shape[b->ndim - 2 + tb]);
        return sslh_i_dummy(c);
    }
    int fit = a->ndim == 2 || b->ndim == 2 || a->ndim == b->ndim;
    for (int i = 0; fit && a->ndim > 2 && b->ndim > 2 && i < a->ndim - 2; i++) fit = a->shape[i] == b->shape[i];
    if (!fit) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_matmul: %s x %s: the leading axes differ", sa, sb);
        return sslh_i_dummy(c);
    }
    shape = sslh_shape_of(a->ndim >= b->ndim ? a : b);
    for (int i = 0; i < shape.ndim - 2; i++) batch *= (size_t)shape.size[i];
    shape.size[shape.ndim - 2] = g.m;
    shape.size[shape.ndim - 1] = g.n;
    if (a->ndim > 2 && b->ndim == 2 && !ta && batch * (size_t)g.m <= INT_MAX) { /* one tall matrix */
        g.m = (int)(batch * (size_t)g.m);
        batch = 1;
    }
    if (batch > INT_MAX) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_matmul: %s x %s: too many matrices", sa, sb);
        return sslh_i_dummy(c);
    }
    sslh_tensor *out = sslh_i_new(c, "sslh_matmul", SSLH_F32, shape);
    if (!out) return sslh_i_dummy(c);
    const int full_a = batch > 1 && a->ndim > 2, full_b = batch > 1 && b->ndim > 2;
    g.ta = ta;
    g.tb = tb;
    g.a = a->data;
    g.b = b->data;
    g.c = out->data;
    g.lda = (size_t)(ta ? g.m : g.k);
    g.ldb = (size_t)(tb ? g.k : g.n);
    g.ldc = (size_t)g.n;
    g.batch = (int)batch;
    g.stride_a = full_a ? (size_t)g.m * (size_t)g.k : 0;
    g.stride_b = full_b ? (size_t)g.k * (size_t)g.n : 0;
    g.stride_c = (size_t)g.m * (size_t)g.n;
    sslh_i_gemm(c, &g);
    sslh_i_node *node = sslh_i_record(c, "sslh_matmul", sslh_i_matmul_back, out, in, 2);
    if (node) {
        node->i[0] = ta;
        node->i[1] = tb;
        node->i[2] = g.m;
        node->i[3] = g.n;
        node->i[4] = g.k;
        node->i[5] = g.batch;
        node->i[6] = full_a;
        node->i[7] = full_b;
    }
    return sslh_i_end(c, "sslh_matmul", in, 2, out);
}

SSLH_DEF sslh_tensor *sslh_matmul(sslh_ctx *c, sslh_tensor *a, sslh_tensor *b) { return sslh_matmul_ex(c, a, b, 0, 0); }

/* --- sslh_linear: y = act(x w' + bias), x (M,I), w (O,I); dx = dz w, dw = dz' x --- */

/* node->i: 0 relu, 1 M, 2 O, 3 I */
SSLH_I_FN void sslh_i_linear_back(sslh_ctx *c, sslh_i_node *node) {
    const int m = node->i[1], o = node->i[2], in = node->i[3];
    sslh_tensor *x = node->in[0], *w = node->in[1];
    sslh_real *scratch, *d;
    sslh_i_gemm_args g;
    int fresh;
    const sslh_real *dz = sslh_i_bias_back(c, node->out, node->i[0], node->nin > 2 ? node->in[2] : NULL, (size_t)o, &scratch);
    memset(&g, 0, sizeof g);
    g.a = dz;
    g.lda = (size_t)o;
    g.n = in;
    g.ldb = g.ldc = (size_t)in;
    if (dz && (d = sslh_i_grad(c, x, &fresh)) != NULL) { /* dx (M,I) = dz (M,O) w (O,I) */
        g.m = m;
        g.k = o;
        g.b = w->data;
        g.c = d;
        g.accumulate = !fresh;
        sslh_i_gemm(c, &g);
    }
    if (dz && (d = sslh_i_grad(c, w, &fresh)) != NULL) { /* dw (O,I) = dz' (O,M) x (M,I) */
        g.ta = 1;
        g.m = o;
        g.k = m;
        g.b = x->data;
        g.c = d;
        g.accumulate = !fresh;
        g.split = 1;
        sslh_i_gemm(c, &g);
    }
    if (scratch) sslh_i_unscratch(c, scratch);
}

SSLH_DEF sslh_tensor *sslh_linear_ex(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias, sslh_activation activation) {
    sslh_tensor *in[3];
    sslh_i_gemm_args g;
    char sx[96], sw[96], sb[96];
    in[0] = x;
    in[1] = weight;
    in[2] = bias;
    if (!sslh_i_begin(c, "sslh_linear", in, bias ? 3 : 2, 1)) return sslh_i_dummy(c);
    sslh_i_str(sx, sizeof sx, sslh_shape_of(x));
    sslh_i_str(sw, sizeof sw, sslh_shape_of(weight));
    if (weight->ndim != 2 || x->ndim < 1 || x->shape[x->ndim - 1] != weight->shape[1]) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_linear: x %s, weight %s: the weight must be (O,I) with I the last size of x", sx, sw);
        return sslh_i_dummy(c);
    }
    if (bias && (bias->ndim != 1 || bias->shape[0] != weight->shape[0])) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_linear: weight %s, bias %s: the bias must be (%d)", sw, sslh_i_str(sb, sizeof sb, sslh_shape_of(bias)),
                  weight->shape[0]);
        return sslh_i_dummy(c);
    }
    memset(&g, 0, sizeof g);
    g.n = weight->shape[0];
    g.k = weight->shape[1];
    size_t rows = x->count / (size_t)g.k;
    if (rows > INT_MAX) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_linear: x %s has too many rows", sx);
        return sslh_i_dummy(c);
    }
    sslh_shape shape = sslh_shape_of(x);
    shape.size[shape.ndim - 1] = g.n;
    sslh_tensor *out = sslh_i_new(c, "sslh_linear", SSLH_F32, shape);
    if (!out) return sslh_i_dummy(c);
    g.m = (int)rows;
    g.tb = 1;
    g.a = x->data;
    g.b = weight->data;
    g.c = out->data;
    g.lda = g.ldb = (size_t)g.k;
    g.ldc = (size_t)g.n;
    g.bias = bias ? bias->data : NULL;
    g.relu = activation == SSLH_RELU;
    sslh_i_gemm(c, &g);
    sslh_i_node *node = sslh_i_record(c, "sslh_linear", sslh_i_linear_back, out, in, bias ? 3 : 2);
    if (node) {
        node->i[0] = g.relu;
        node->i[1] = g.m;
        node->i[2] = g.n;
        node->i[3] = g.k;
    }
    out = sslh_i_end(c, "sslh_linear", in, bias ? 3 : 2, out);
    return activation == SSLH_LINEAR || activation == SSLH_RELU ? out : sslh_activate(c, out, activation);
}

SSLH_DEF sslh_tensor *sslh_linear(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias) {
    return sslh_linear_ex(c, x, weight, bias, SSLH_LINEAR);
}

/* ================================================================================================================== */
/*  >>conv          convolution, pooling, resizing                                                                   */
/* ================================================================================================================== */

/* Shape of a convolution: x (N,H,W,I) * weight (O,Kh,Kw,I/groups) -> y (N,OH,OW,O); output row i reads input rows
   i sh - ph + a dh, a < Kh. */
typedef struct sslh_i_conv {
    int n, h, w, ci, co, kh, kw, oh, ow, sh, sw, ph, pw, dh, dw, groups;
} sslh_i_conv;

/* --- reference: what the tests compare with. With G = I/groups:
     y[n,i,j,o]   = sum over a,b,g  x[n, i sh - ph + a dh, j sw - pw + b dw, g] weight[o,a,b,g]          (1)
     dx, dw: the same sum, scattered (2), (3)                                                             */
enum { SSLH_I_CONV_FORWARD, SSLH_I_CONV_DATA, SSLH_I_CONV_WEIGHT };
/* which (1): y += .., (2): x += .., (3): w += .. from the two others. The target must hold zeros or what is added to. */
SSLH_I_FN void sslh_i_conv_reference(const sslh_i_conv *s, int which, sslh_real *x, sslh_real *w, sslh_real *y) {
    const int g = s->ci / s->groups, og = s->co / s->groups;
    for (int n = 0; n < s->n; n++)
        for (int i = 0; i < s->oh; i++)
            for (int j = 0; j < s->ow; j++)
                for (int o = 0; o < s->co; o++)
                    for (int a = 0; a < s->kh; a++)
                        for (int b = 0; b < s->kw; b++) {
                            int r = i * s->sh - s->ph + a * s->dh, q = j * s->sw - s->pw + b * s->dw;
                            if (r < 0 || r >= s->h || q < 0 || q >= s->w) continue;
                            sslh_real *px = x + (((size_t)n * (size_t)s->h + (size_t)r) * (size_t)s->w + (size_t)q) * (size_t)s->ci +
                                            (size_t)(o / og * g);
                            sslh_real *pw = w + (((size_t)o * (size_t)s->kh + (size_t)a) * (size_t)s->kw + (size_t)b) * (size_t)g;
                            sslh_real *py = y + (((size_t)n * (size_t)s->oh + (size_t)i) * (size_t)s->ow + (size_t)j) * (size_t)s->co + o;
                            for (int k = 0; k < g; k++) {
                                if (which == SSLH_I_CONV_FORWARD) *py = sslh_i_muladd(px[k], pw[k], *py);
                                else if (which == SSLH_I_CONV_DATA) px[k] = sslh_i_muladd(*py, pw[k], px[k]);
                                else pw[k] = sslh_i_muladd(*py, px[k], pw[k]);
                            }
                        }
}

/* --- forward and gradient of the data: an implicit matrix product ---
   A gather describes output pixels whose values are sums over taps; a tap is a segment of `len` neighbouring numbers of the
   source, at an offset from the output's place. No image is unfolded: each tile of MR output pixels has a table of
   pointers [tap][MR], padding points to zeros, and tile_rows runs over it. Used for
     forward        taps = (a, b), source x, stride of the source sh, sw
     forward, few channels: taps = a, with b and the channels side by side in a width-padded copy of x
     gradient of x  with stride s the pixels of x fall into s x s classes with their own taps; source dy, stride 1, and
                    output rows y0, y0 + s, ..                                                                             */
typedef struct sslh_i_gather {
    const sslh_real *x;          /* source (N,xh,xw,xc) */
    int              xh, xw, xc, xg;   /* xg: channels of one group, where the next group begins */
    int              step_h, step_w;   /* of the source per output */
    int              taps, len;
    int             *off_h, *off_w;    /* [taps] */
    int              min_h, max_h, min_w, max_w; /* of the offsets */
    sslh_real       *y;          /* output (N,yh,yw,yc) */
    int              yh, yw, yc, yg;
    int              y0, x0, ys, xs;   /* first row and column of the output, and their distance */
    int              gh, gw;           /* outputs per image: gh x gw */
    int              sub, seg_len, segs, per_block; /* taps cut into sub segments of seg_len; segments per block of the sum */
    int              rows, cols;       /* of a task */
    int              row_tasks, col_tasks, first_task, panels;
    sslh_real       *packed;     /* [group][panel][taps len][NR] */
    const int       *tap;        /* [taps] which (a,b) of the weight, in the gradient of x */
} sslh_i_gather;

typedef struct sslh_i_gather_job {
    const struct sslh_i_kernels *k;
    const sslh_i_conv *s;
    sslh_i_gather     *list; /* classes */
    int                n;
    int                tasks, pack_tasks;
    const sslh_real   *weight, *bias, *zeros;
    int                relu, accumulate, back, depthwise;
    const sslh_real   *depth_weight; /* depthwise: (taps,C) */
    char              *work;
    size_t             work_bytes;
} sslh_i_gather_job;

enum { SSLH_I_SEGMENT = 512 }; /* longest chain of a sum; then it is added to y */

/* Cuts a gather into segments, blocks and tasks: by shape only. images = N. */
SSLH_I_FN void sslh_i_gather_plan(sslh_i_gather *g, int images, int groups, int nr) {
    g->sub = 1;
    while (g->len / g->sub > SSLH_I_SEGMENT || g->len % g->sub) {
        if (++g->sub > 64) { /* no fitting divisor */
            g->sub = 1;
            break;
        }
    }
    g->seg_len = g->len / g->sub;
    g->segs = g->taps * g->sub;
    int per = SSLH_I_MAX(1, SSLH_I_SEGMENT / g->seg_len);
    int blocks = (g->segs + per - 1) / per;
    g->per_block = blocks ? (g->segs + blocks - 1) / blocks : 1;
    g->min_h = g->max_h = g->taps ? g->off_h[0] : 0;
    g->min_w = g->max_w = g->taps ? g->off_w[0] : 0;
    for (int t = 1; t < g->taps; t++) {
        g->min_h = SSLH_I_MIN(g->min_h, g->off_h[t]);
        g->max_h = SSLH_I_MAX(g->max_h, g->off_h[t]);
        g->min_w = SSLH_I_MIN(g->min_w, g->off_w[t]);
        g->max_w = SSLH_I_MAX(g->max_w, g->off_w[t]);
    }
    int pixels = images * g->gh * g->gw; /* fits: checked with the output's shape */
    g->rows = pixels >= 8 * SSLH_I_MC ? SSLH_I_MC : pixels >= 2 * SSLH_I_MC ? SSLH_I_MC / 2 : SSLH_I_MC / 4;
    g->row_tasks = (pixels + g->rows - 1) / g->rows;
    g->cols = (g->yg + 31) / 32 * 32;
    while (g->cols > 64 && groups * g->row_tasks * ((g->yg + g->cols - 1) / g->cols) < 16) g->cols = (g->cols / 2 + 31) / 32 * 32;
    g->col_tasks = (g->yg + g->cols - 1) / g->cols;
    g->panels = (g->yg + nr - 1) / nr;
}

/* Pointers of `rows` output pixels from number first on, of one group: table[(r / mr segs + s) mr + r % mr] and out[r].
   at: room for the distances of the taps, [taps]. */
SSLH_I_FN void sslh_i_gather_rows(const sslh_i_gather *g, const sslh_real *zeros, int group, int first, int rows, int mr,
                                  const sslh_real **table, sslh_real **out, ptrdiff_t *at) {
    const ptrdiff_t x_pixel = g->xc, x_row = x_pixel * g->xw, y_pixel = g->yc;
    int j = first % g->gw, i = first / g->gw % g->gh, n = first / g->gw / g->gh;
    for (int t = 0; t < g->taps; t++) at[t] = g->off_h[t] * x_row + g->off_w[t] * x_pixel;
    for (int r = 0; r < rows;) { /* a row of the output, or what is left of it */
        const int end = SSLH_I_MIN(rows, r + g->gw - j), h = i * g->step_h;
        const int inside_h = h + g->min_h >= 0 && h + g->max_h < g->xh;
        /* where the window of column 0 begins; may lie before the image, so it is a number and not a pointer */
        ptrdiff_t x = ((ptrdiff_t)n * g->xh + h) * x_row + (ptrdiff_t)group * g->xg;
        sslh_real *y = g->y + (((ptrdiff_t)n * g->yh + g->y0 + (ptrdiff_t)i * g->ys) * g->yw + g->x0) * y_pixel + (ptrdiff_t)group * g->yg;
        for (; r < end; r++, j++) {
            const int w = j * g->step_w, inside = inside_h && w + g->min_w >= 0 && w + g->max_w < g->xw;
            const sslh_real **to = table + (ptrdiff_t)(r / mr) * g->segs * mr + r % mr;
            const ptrdiff_t pixel = x + w * x_pixel;
            out[r] = y + (ptrdiff_t)j * g->xs * y_pixel;
            if (inside && g->sub == 1) {
                for (int t = 0; t < g->taps; t++, to += mr) *to = g->x + (pixel + at[t]);
                continue;
            }
            for (int t = 0; t < g->taps; t++) {
                const int a = h + g->off_h[t], b = w + g->off_w[t];
                const sslh_real *p = a >= 0 && a < g->xh && b >= 0 && b < g->xw ? g->x + (pixel + at[t]) : zeros;
                for (int q = 0; q < g->sub; q++, to += mr) *to = p + (ptrdiff_t)q * g->seg_len;
            }
        }
        j = 0;
        if (++i == g->gh) {
            i = 0;
            n++;
        }
    }
}

/* The weights of one panel of output columns: forward (O,(taps len)) -> [taps len][NR], gradient of x: row (tap, o). */
SSLH_I_FN void sslh_i_gather_pack_task(void *arg, int task, int worker) {
    const sslh_i_gather_job *p = (const sslh_i_gather_job *)arg;
    const sslh_i_conv *s = p->s;
    const sslh_i_gather *g = p->list;
    const size_t nr = (size_t)p->k->nr, gi = (size_t)(s->ci / s->groups), go = (size_t)(s->co / s->groups);
    const size_t k = (size_t)s->kh * (size_t)s->kw * gi; /* length of a filter */
    (void)worker;
    while (task >= g->panels * s->groups) task -= g++->panels * s->groups;
    const size_t group = (size_t)(task / g->panels), j = (size_t)(task % g->panels) * nr;
    sslh_real *to = g->packed + (size_t)task * (size_t)g->taps * (size_t)g->len * nr;
    const int cols = SSLH_I_MIN((int)nr, g->yg - (int)j);
    if (!p->back) {
        p->k->pack_t(to, (int)nr, p->weight + (group * go + j) * k, k, cols, (int)k);
        return;
    }
    for (int t = 0; t < g->taps; t++)
        p->k->pack_n(to + (size_t)t * go * nr, (int)nr, p->weight + group * go * k + (size_t)g->tap[t] * gi + j, k, cols, (int)go);
}

SSLH_I_FN void sslh_i_gather_task(void *arg, int task, int worker) {
    const sslh_i_gather_job *p = (const sslh_i_gather_job *)arg;
    const sslh_i_gather *g = p->list;
    const int nr = p->k->nr, groups = p->s->groups;
    while (task >= g->first_task + groups * g->row_tasks * g->col_tasks) g++;
    task -= g->first_task;
    const int mr = p->depthwise ? 1 : p->k->mr;
    const int col0 = task % g->col_tasks * g->cols, group = task / g->col_tasks / g->row_tasks;
    const int first = task / g->col_tasks % g->row_tasks * g->rows, cols = SSLH_I_MIN(g->yg, col0 + g->cols);
    const int rows = SSLH_I_MIN(g->rows, p->s->n * g->gh * g->gw - first);
    const sslh_real **table = (const sslh_real **)(void *)(p->work + (size_t)worker * p->work_bytes);
    sslh_real **out = (sslh_real **)(void *)(table + (size_t)(g->rows + mr) * (size_t)g->segs);
    sslh_i_gather_rows(g, p->zeros, group, first, rows, mr, table, out, (ptrdiff_t *)(void *)(out + g->rows));
    if (p->depthwise) {
        for (int r = 0; r < rows; r++)
            p->k->depthwise(g->taps, table + (size_t)r * (size_t)g->taps, g->packed, (size_t)g->yc, out[r], p->bias, p->relu,
                            p->accumulate);
        return;
    }
    sslh_i_tile t;
    memset(&t, 0, sizeof t);
    t.len = g->seg_len;
    t.bstep = (size_t)nr;
    for (int seg = 0; seg == 0 || seg < g->segs; seg += g->per_block) {
        const int last = seg + g->per_block >= g->segs;
        t.segs = SSLH_I_MIN(g->per_block, g->segs - seg);
        t.accumulate = p->accumulate || seg > 0;
        t.relu = last && p->relu;
        for (int j = col0; j < cols; j += nr) {
            t.cols = SSLH_I_MIN(nr, cols - j);
            t.col = (size_t)j;
            t.bias = last && p->bias ? p->bias + group * g->yg + j : NULL;
            t.b = g->packed + ((size_t)(group * g->panels + j / nr) * (size_t)g->segs + (size_t)seg) * (size_t)g->seg_len * (size_t)nr;
            for (int r = 0; r < rows; r += mr) {
                t.rows = SSLH_I_MIN(mr, rows - r);
                t.a = table + ((size_t)(r / mr) * (size_t)g->segs + (size_t)seg) * (size_t)mr;
                t.cs = out + r;
                p->k->tile_rows(&t);
            }
        }
    }
}

/* Depthwise weights (C,taps) -> (taps of the class, C). */
SSLH_I_FN void sslh_i_depthwise_weights(const sslh_i_conv *s, const sslh_i_gather *g, const sslh_real *weight) {
    const size_t all = (size_t)s->kh * (size_t)s->kw, channels = (size_t)s->ci;
    for (int t = 0; t < g->taps; t++)
        for (size_t c = 0; c < channels; c++) g->packed[(size_t)t * channels + c] = weight[c * all + (size_t)g->tap[t]];
}

/* Plans, packs and runs the gathers of p->list. weight NULL: the packed depthwise weights are all `constant`. */
SSLH_I_FN void sslh_i_gather_run(sslh_ctx *c, sslh_i_gather_job *p, sslh_real constant) {
    const sslh_i_conv *s = p->s;
    size_t reals = 0, zeros = 1, largest = 0;
    p->tasks = p->pack_tasks = 0;
    for (int i = 0; i < p->n; i++) {
        sslh_i_gather *g = &p->list[i];
        int groups = p->depthwise ? 1 : s->groups;
        sslh_i_gather_plan(g, s->n, groups, p->k->nr);
        g->first_task = p->tasks;
        if (p->depthwise) { /* a pixel is a row of one column */
            g->cols = g->yg;
            g->col_tasks = 1;
            g->sub = 1;
            g->seg_len = g->len;
            g->segs = g->taps;
        }
        p->tasks += groups * g->row_tasks * g->col_tasks;
        p->pack_tasks += groups * g->panels;
        size_t need = p->depthwise ? (size_t)g->taps * (size_t)g->yc
                                   : (size_t)groups * (size_t)g->panels * (size_t)p->k->nr * (size_t)g->taps * (size_t)g->len;
        reals += (need + 15) / 16 * 16;
        zeros = SSLH_I_MAX(zeros, (size_t)g->len);
        size_t bytes = ((size_t)(g->rows + p->k->mr) * (size_t)g->segs + (size_t)g->rows) * sizeof(sslh_real *) +
                       (size_t)g->taps * sizeof(ptrdiff_t);
        largest = SSLH_I_MAX(largest, bytes);
    }
    zeros = (zeros + 15) / 16 * 16;
    p->work_bytes = (largest + 63) / 64 * 64;
    sslh_real *packed = (sslh_real *)sslh_i_scratch(c, (reals + zeros) * sizeof(sslh_real));
    p->work = packed ? (char *)sslh_i_scratch(c, p->work_bytes * (size_t)c->threads) : NULL;
    if (p->work) {
        memset(packed, 0, zeros * sizeof *packed);
        p->zeros = packed;
        sslh_real *next = packed + zeros;
        for (int i = 0; i < p->n; i++) {
            sslh_i_gather *g = &p->list[i];
            g->packed = next;
            size_t need = p->depthwise ? (size_t)g->taps * (size_t)g->yc
                                       : (size_t)s->groups * (size_t)g->panels * (size_t)p->k->nr * (size_t)g->taps * (size_t)g->len;
            next += (need + 15) / 16 * 16;
            if (!p->depthwise) continue;
            if (p->weight) sslh_i_depthwise_weights(s, g, p->weight);
            else for (size_t q = 0; q < need; q++) g->packed[q] = constant;
        }
        if (!p->depthwise) sslh_i_parallel(c, p->pack_tasks, sslh_i_gather_pack_task, p);
        sslh_i_conv one = *s; /* depthwise: all channels are one row, the task numbers know no groups */
        if (p->depthwise) {
            one.groups = 1;
            p->s = &one;
        }
        sslh_i_parallel(c, p->tasks, sslh_i_gather_task, p);
        p->s = s;
        sslh_i_unscratch(c, p->work);
    }
    if (packed) sslh_i_unscratch(c, packed);
}

SSLH_I_FN int sslh_i_conv_is_depthwise(const sslh_i_conv *s) { return s->groups > 1 && s->groups == s->ci && s->ci == s->co; }
/* A product of matrices as it stands: every pixel by itself. */
SSLH_I_FN int sslh_i_conv_is_product(const sslh_i_conv *s) {
    return s->kh == 1 && s->kw == 1 && s->sh == 1 && s->sw == 1 && !s->ph && !s->pw && s->groups == 1 &&
           (size_t)s->n * (size_t)s->h * (size_t)s->w <= INT_MAX;
}
/* Kernel rows can be read in one piece, (b, channel) side by side, in x itself or a width-padded copy of it. */
SSLH_I_FN int sslh_i_conv_row_taps(const sslh_i_conv *s) {
    return s->groups == 1 && s->dw == 1 && (s->pw == 0 || s->ci < 16);
}

typedef struct sslh_i_pad_job { const sslh_i_conv *s; const sslh_real *x; sslh_real *to; size_t zeros; } sslh_i_pad_job;
SSLH_I_FN void sslh_i_pad_task(void *arg, int task, int worker) { /* one image: (H,W,I) -> (H,W + 2 pw,I) */
    const sslh_i_pad_job *p = (const sslh_i_pad_job *)arg;
    const size_t row = (size_t)p->s->w * (size_t)p->s->ci, edge = (size_t)p->s->pw * (size_t)p->s->ci;
    const sslh_real *x = p->x + (size_t)task * (size_t)p->s->h * row;
    sslh_real *to = p->to + (size_t)task * (size_t)p->s->h * (row + 2 * edge);
    (void)worker;
    for (int h = 0; h < p->s->h; h++, x += row) {
        memset(to, 0, edge * sizeof *to);
        memcpy(to + edge, x, row * sizeof *to);
        memset(to + edge + row, 0, edge * sizeof *to);
        to += row + 2 * edge;
    }
}
/* The width-padded copy, with 16 readable numbers behind it; scratch. */
SSLH_I_FN sslh_real *sslh_i_conv_padded(sslh_ctx *c, const sslh_i_conv *s, const sslh_real *x) {
    sslh_i_pad_job p;
    size_t count = (size_t)s->n * (size_t)s->h * (size_t)(s->w + 2 * s->pw) * (size_t)s->ci;
    p.s = s;
    p.x = x;
    p.to = (sslh_real *)sslh_i_scratch(c, (count + 16) * sizeof(sslh_real));
    if (!p.to) return NULL;
    memset(p.to + count, 0, 16 * sizeof *p.to);
    sslh_i_parallel(c, s->n, sslh_i_pad_task, &p);
    return p.to;
}

/* y (N,OH,OW,O) = relu(x * weight + bias), eq. (1). One image's result does not depend on the others. weight NULL:
   depthwise with the constant (average pooling). */
SSLH_I_FN void sslh_i_conv_gather(sslh_ctx *c, const sslh_i_conv *s, const sslh_real *x, const sslh_real *weight, sslh_real constant,
                                  const sslh_real *bias, int relu, int accumulate, sslh_real *y) {
    sslh_i_gather_job p;
    sslh_i_gather g;
    sslh_real *padded = NULL;
    if (SSLH_I_BAD(c)) return;
    if (weight && sslh_i_conv_is_product(s)) {
        sslh_i_gemm_args m;
        memset(&m, 0, sizeof m);
        m.tb = 1;
        m.m = s->n * s->h * s->w;
        m.n = s->co;
        m.k = s->ci;
        m.a = x;
        m.lda = m.ldb = (size_t)s->ci;
        m.b = weight;
        m.c = y;
        m.ldc = (size_t)s->co;
        m.bias = bias;
        m.relu = relu;
        m.accumulate = accumulate;
        sslh_i_gemm(c, &m);
        return;
    }
    memset(&p, 0, sizeof p);
    memset(&g, 0, sizeof g);
    const int depthwise = !weight || sslh_i_conv_is_depthwise(s);
    const int merged = !depthwise && sslh_i_conv_row_taps(s), taps = merged ? s->kh : s->kh * s->kw;
    g.off_h = (int *)sslh_i_scratch(c, 3 * (size_t)taps * sizeof(int));
    if (!g.off_h) return;
    g.off_w = g.off_h + taps;
    g.tap = g.off_w + taps;
    g.x = x;
    g.xh = s->h;
    g.xw = s->w;
    g.xc = s->ci;
    if (merged && s->pw) {
        g.x = padded = sslh_i_conv_padded(c, s, x);
        g.xw = s->w + 2 * s->pw;
    }
    g.xg = s->ci / s->groups;
    g.len = merged ? s->kw * s->ci : g.xg;
    g.taps = taps;
    for (int t = 0; t < taps; t++) {
        g.off_h[t] = (merged ? t : t / s->kw) * s->dh - s->ph;
        g.off_w[t] = merged ? 0 : t % s->kw * s->dw - s->pw;
        g.off_w[taps + t] = t;
    }
    g.step_h = s->sh;
    g.step_w = s->sw;
    g.y = y;
    g.yh = g.gh = s->oh;
    g.yw = g.gw = s->ow;
    g.yc = s->co;
    g.yg = s->co / s->groups;
    g.ys = g.xs = 1;
    p.k = c->k;
    p.s = s;
    p.list = &g;
    p.n = 1;
    p.weight = weight;
    p.bias = bias;
    p.relu = relu;
    p.accumulate = accumulate;
    p.depthwise = depthwise;
    if (p.depthwise) g.len = g.yg = g.yc, g.xg = 0;
    if (!SSLH_I_BAD(c)) sslh_i_gather_run(c, &p, constant);
    if (padded) sslh_i_unscratch(c, padded);
    sslh_i_unscratch(c, g.off_h);
}

SSLH_I_FN void sslh_i_conv_forward(sslh_ctx *c, const sslh_i_conv *s, const sslh_real *x, const sslh_real *weight, const sslh_real *bias,
                                   int relu, int accumulate, sslh_real *y) {
    sslh_i_conv_gather(c, s, x, weight, SSLH_I_R(0), bias, relu, accumulate, y);
}

/* x (N,H,W,I) = relu([x +] dy * weight' + bias), eq. (2): the gradient of the input, and forward of a transposed
   convolution (which has a bias). weight NULL: depthwise with the constant (average pooling). */
SSLH_I_FN void sslh_i_conv_data(sslh_ctx *c, const sslh_i_conv *s, const sslh_real *dy, const sslh_real *weight, sslh_real constant,
                                const sslh_real *bias, int relu, int accumulate, sslh_real *x) {
    sslh_i_gather_job p;
    if (SSLH_I_BAD(c)) return;
    if (weight && sslh_i_conv_is_product(s)) {
        sslh_i_gemm_args m;
        memset(&m, 0, sizeof m);
        m.m = s->n * s->h * s->w;
        m.n = s->ci;
        m.k = s->co;
        m.a = dy;
        m.lda = (size_t)s->co;
        m.b = weight;
        m.ldb = m.ldc = (size_t)s->ci;
        m.c = x;
        m.bias = bias;
        m.relu = relu;
        m.accumulate = accumulate;
        sslh_i_gemm(c, &m);
        return;
    }
    memset(&p, 0, sizeof p);
    const size_t classes = (size_t)s->sh * (size_t)s->sw, taps = (size_t)s->kh * (size_t)s->kw;
    /* every tap belongs to one class, or with a dilation that shares a factor with the stride to none of some */
    p.list = (sslh_i_gather *)sslh_i_scratch(c, classes * sizeof *p.list + 3 * taps * classes * sizeof(int));
    if (!p.list) return;
    memset(p.list, 0, classes * sizeof *p.list);
    int *next = (int *)(void *)(p.list + classes);
    p.depthwise = !weight || sslh_i_conv_is_depthwise(s);
    for (int u = 0; u < SSLH_I_MIN(s->sh, s->h); u++) {
        for (int v = 0; v < SSLH_I_MIN(s->sw, s->w); v++) { /* rows u, u + sh, .. and columns v, v + sw, .. of x */
            sslh_i_gather *g = &p.list[p.n++];
            int *tap = next + 2 * taps;
            g->off_h = next;
            g->off_w = next + taps;
            g->tap = tap;
            next += 3 * taps;
            for (int a = 0; a < s->kh; a++)
                for (int b = 0; b < s->kw; b++) { /* output row i with i sh = u + (row) sh + ph - a dh */
                    int h = u + s->ph - a * s->dh, w = v + s->pw - b * s->dw;
                    if (h % s->sh || w % s->sw) continue;
                    g->off_h[g->taps] = h / s->sh;
                    g->off_w[g->taps] = w / s->sw;
                    tap[g->taps++] = a * s->kw + b;
                }
            g->x = dy;
            g->xh = s->oh;
            g->xw = s->ow;
            g->xc = s->co;
            g->xg = s->co / s->groups;
            g->len = g->xg;
            g->step_h = g->step_w = 1;
            g->y = x;
            g->yh = s->h;
            g->yw = s->w;
            g->yc = s->ci;
            g->yg = s->ci / s->groups;
            g->y0 = u;
            g->x0 = v;
            g->ys = s->sh;
            g->xs = s->sw;
            g->gh = (s->h - u + s->sh - 1) / s->sh;
            g->gw = (s->w - v + s->sw - 1) / s->sw;
            if (p.depthwise) g->len = g->yg = g->yc, g->xg = 0;
        }
    }
    p.k = c->k;
    p.s = s;
    p.weight = weight;
    p.bias = bias;
    p.relu = relu;
    p.accumulate = accumulate;
    p.back = 1;
    sslh_i_gather_run(c, &p, constant);
    sslh_i_unscratch(c, p.list);
}

SSLH_I_FN void sslh_i_conv_backward_data(sslh_ctx *c, const sslh_i_conv *s, const sslh_real *dy, const sslh_real *weight, sslh_real *dx,
                                         int accumulate) {
    sslh_i_conv_data(c, s, dy, weight, SSLH_I_R(0), NULL, 0, accumulate, dx);
}

/* --- gradient of the weights, eq. (3): dw (O,Kh,Kw,I/groups) ---
   Two ways. From 16 channels on: for each tap a product dy' x over all pixels. Blocks of images are packed so that a row of
   pixels of a whole block is one run: x -> [panel of NR channels][H][W][image][NR], dy -> [panel of MR][OH][OW][image][MR],
   the columns of x in the order (w mod sw, w / sw) so that a stride leaves runs together. The sum is one chain over a block,
   then block after block. With fewer channels: unfolded pieces of x, (pixels, Kh Kw I), as one product. */
typedef struct sslh_i_wgrad {
    const struct sslh_i_kernels *k;
    const sslh_i_conv *s;
    const sslh_real   *x, *dy;
    sslh_real         *dw;
    int                accumulate;
    int                images;          /* per block */
    int                blocks, block0;  /* packed now: blocks, the first */
    int                x_panels, y_panels; /* per group */
    sslh_real         *px, *py;         /* packed */
    char              *work;            /* per worker: run tables */
    size_t             work_bytes;
    /* unfolded */
    const sslh_real   *padded;
    int                width, piece, parts, step;
    sslh_real         *sums;
} sslh_i_wgrad;

/* Packs one panel of one block: images b0.. of (H,W,C), channels j.. of it, into to[h][w][image][step]. */
SSLH_I_FN void sslh_i_wgrad_pack(const sslh_i_wgrad *p, const sslh_real *from, int h, int w, int channels, size_t j, int cols, int b0,
                                 int images, int sw, int step, sslh_real *to) {
    const size_t image = (size_t)h * (size_t)w * (size_t)channels, slot = (size_t)images * (size_t)step;
    const sslh_real *base = from + (size_t)b0 * image + j;
    for (int a = 0; a < h; a++)
        for (int u = 0; u < sw && u < w; u++)
            for (int b = u; b < w; b += sw, to += slot)
                p->k->pack_n(to, step, base + ((size_t)a * (size_t)w + (size_t)b) * (size_t)channels, image, cols, images);
}
SSLH_I_FN void sslh_i_wgrad_pack_task(void *arg, int task, int worker) {
    const sslh_i_wgrad *p = (const sslh_i_wgrad *)arg;
    const sslh_i_conv *s = p->s;
    const int nr = p->k->nr, mr = p->k->mr, gi = s->ci / s->groups, go = s->co / s->groups;
    const int panels = (p->x_panels + p->y_panels) * s->groups, block = task / panels, b0 = (p->block0 + block) * p->images;
    const int images = SSLH_I_MIN(p->images, s->n - b0);
    int panel = task % panels;
    (void)worker;
    if (panel < p->x_panels * s->groups) {
        int group = panel / p->x_panels, j = panel % p->x_panels * nr;
        size_t size = (size_t)s->h * (size_t)s->w * (size_t)p->images * (size_t)nr;
        sslh_real *to = p->px + ((size_t)block * (size_t)(p->x_panels * s->groups) + (size_t)panel) * size;
        sslh_i_wgrad_pack(p, p->x, s->h, s->w, s->ci, (size_t)(group * gi + j), SSLH_I_MIN(nr, gi - j), b0, images, s->sw, nr, to);
    } else {
        panel -= p->x_panels * s->groups;
        int group = panel / p->y_panels, j = panel % p->y_panels * mr;
        size_t size = (size_t)s->oh * (size_t)s->ow * (size_t)p->images * (size_t)mr;
        sslh_real *to = p->py + ((size_t)block * (size_t)(p->y_panels * s->groups) + (size_t)panel) * size;
        sslh_i_wgrad_pack(p, p->dy, s->oh, s->ow, s->co, (size_t)(group * go + j), SSLH_I_MIN(mr, go - j), b0, images, 1, mr, to);
    }
}

SSLH_I_FN int sslh_i_ceil_div(int a, int b) { return a > 0 ? (a + b - 1) / b : -(-a / b); } /* b > 0 */

/* One panel of x times one of dy, all taps, all packed blocks. */
SSLH_I_FN void sslh_i_wgrad_task(void *arg, int task, int worker) {
    const sslh_i_wgrad *p = (const sslh_i_wgrad *)arg;
    const sslh_i_conv *s = p->s;
    const int nr = p->k->nr, mr = p->k->mr, gi = s->ci / s->groups, go = s->co / s->groups;
    const int group = task / (p->x_panels * p->y_panels), xp = task / p->y_panels % p->x_panels, yp = task % p->y_panels;
    const size_t k = (size_t)s->kh * (size_t)s->kw * (size_t)gi;
    const sslh_real **a = (const sslh_real **)(void *)(p->work + (size_t)worker * p->work_bytes), **b = a + s->oh;
    int *lens = (int *)(void *)(b + s->oh);
    sslh_i_tile t;
    memset(&t, 0, sizeof t);
    t.a = a;
    t.bs = b;
    t.lens = lens;
    t.astep = (size_t)mr;
    t.bstep = (size_t)nr;
    t.ldc = k;
    t.rows = SSLH_I_MIN(mr, go - yp * mr);
    t.cols = SSLH_I_MIN(nr, gi - xp * nr);
    for (int block = 0; block < p->blocks; block++) {
        const int images = SSLH_I_MIN(p->images, s->n - (p->block0 + block) * p->images);
        const sslh_real *x = p->px + ((size_t)block * (size_t)(p->x_panels * s->groups) + (size_t)(group * p->x_panels + xp)) * (size_t)s->h *
                                         (size_t)s->w * (size_t)p->images * (size_t)nr;
        const sslh_real *y = p->py + ((size_t)block * (size_t)(p->y_panels * s->groups) + (size_t)(group * p->y_panels + yp)) * (size_t)s->oh *
                                         (size_t)s->ow * (size_t)p->images * (size_t)mr;
        t.accumulate = p->accumulate || p->block0 + block > 0;
        for (int v = 0; v < s->kw; v++) {
            /* columns j of dy whose input column j sw + v dw - pw exists, and where the first of them is packed */
            const int at = v * s->dw - s->pw;
            const int j0 = SSLH_I_MAX(0, sslh_i_ceil_div(-at, s->sw)), j1 = SSLH_I_MIN(s->ow, sslh_i_ceil_div(s->w - at, s->sw));
            const int w0 = j0 * s->sw + at, u = w0 % s->sw;
            const int place = j1 > j0 ? u * (s->w / s->sw) + SSLH_I_MIN(u, s->w % s->sw) + w0 / s->sw : 0;
            for (int r = 0; r < s->kh; r++) {
                t.segs = 0;
                for (int i = 0; i < s->oh && j1 > j0; i++) {
                    const int h = i * s->sh + r * s->dh - s->ph;
                    if (h < 0 || h >= s->h) continue;
                    a[t.segs] = y + ((size_t)i * (size_t)s->ow + (size_t)j0) * (size_t)(images * mr);
                    b[t.segs] = x + ((size_t)h * (size_t)s->w + (size_t)place) * (size_t)(images * nr);
                    lens[t.segs++] = (j1 - j0) * images;
                }
                t.c = p->dw + (size_t)(group * go + yp * mr) * k + (size_t)(r * s->kw + v) * (size_t)gi + (size_t)(xp * nr);
                p->k->tile_runs(&t);
            }
        }
    }
}

/* Unfolded: part `task` sums its pieces of pixels into sums[task] (O, Kh Kw I). */
SSLH_I_FN void sslh_i_wgrad_part_task(void *arg, int task, int worker) {
    const sslh_i_wgrad *p = (const sslh_i_wgrad *)arg;
    const sslh_i_conv *s = p->s;
    const int nr = p->k->nr, k = s->kh * s->kw * s->ci, len = s->kw * s->ci;
    const int pixels = s->n * s->oh * s->ow, pieces = (pixels + p->piece - 1) / p->piece;
    const int each = (pieces + p->parts - 1) / p->parts;
    sslh_real *cols = (sslh_real *)(void *)(p->work + (size_t)worker * p->work_bytes);
    sslh_real *dw = p->sums + (size_t)task * (size_t)s->co * (size_t)k;
    if (task * each >= pieces) memset(dw, 0, (size_t)s->co * (size_t)k * sizeof *dw);
    for (int q = task * each; q < SSLH_I_MIN(pieces, (task + 1) * each); q++) {
        const int first = q * p->piece, count = SSLH_I_MIN(p->piece, pixels - first);
        int j = first % s->ow, i = first / s->ow % s->oh, n = first / s->ow / s->oh;
        sslh_real *to = cols;
        for (int m = 0; m < count; m++, to += p->step) { /* cols (count, step): the filter's window of each pixel */
            for (int r = 0; r < s->kh; r++) {
                const int h = i * s->sh - s->ph + r * s->dh;
                sslh_real *row = to + r * len;
                if (h < 0 || h >= s->h) {
                    for (int u = 0; u < len; u += 16) memset(row + u, 0, 16 * sizeof *row);
                    continue;
                }
                const sslh_real *from = p->padded +
                                        (((size_t)n * (size_t)s->h + (size_t)h) * (size_t)p->width + (size_t)(j * s->sw)) * (size_t)s->ci;
                /* whole vectors: what is too much is overwritten by the next row, or lies in columns that nobody reads */
                for (int u = 0; u < len; u += 16) memcpy(row + u, from + u, 16 * sizeof *row);
            }
            if (++j == s->ow) {
                j = 0;
                if (++i == s->oh) {
                    i = 0;
                    n++;
                }
            }
        }
        sslh_i_tile t;
        const sslh_real *a = p->dy + (size_t)first * (size_t)s->co, *b = cols;
        memset(&t, 0, sizeof t);
        t.segs = 1;
        t.a = &a;
        t.bs = &b;
        t.lens = &count;
        t.rows = s->co;
        t.astep = (size_t)s->co;
        t.bstep = (size_t)p->step;
        t.ldc = (size_t)k;
        t.accumulate = q > task * each;
        for (int u = 0; u < k; u += nr, b += nr) {
            t.cols = SSLH_I_MIN(nr, k - u);
            t.c = dw + u;
            p->k->tile_runs(&t);
        }
    }
}

/* Depthwise: part `task` of the pixels; sums[task] (taps,C) += x dy. */
SSLH_I_FN void sslh_i_wgrad_depth_task(void *arg, int task, int worker) {
    const sslh_i_wgrad *p = (const sslh_i_wgrad *)arg;
    const sslh_i_conv *s = p->s;
    const size_t channels = (size_t)s->ci, taps = (size_t)s->kh * (size_t)s->kw;
    sslh_real *sums = p->sums + (size_t)task * taps * channels;
    (void)worker;
    memset(sums, 0, taps * channels * sizeof *sums);
    for (int n = task * p->images; n < SSLH_I_MIN(s->n, (task + 1) * p->images); n++)
        for (int i = 0; i < s->oh; i++)
            for (int j = 0; j < s->ow; j++) {
                const sslh_real *dy = p->dy + (((size_t)n * (size_t)s->oh + (size_t)i) * (size_t)s->ow + (size_t)j) * channels;
                for (int r = 0; r < s->kh; r++)
                    for (int v = 0; v < s->kw; v++) {
                        const int h = i * s->sh - s->ph + r * s->dh, w = j * s->sw - s->pw + v * s->dw;
                        if (h < 0 || h >= s->h || w < 0 || w >= s->w) continue;
                        const sslh_real *x = p->x + (((size_t)n * (size_t)s->h + (size_t)h) * (size_t)s->w + (size_t)w) * channels;
                        p->k->madd_row(sums + (size_t)(r * s->kw + v) * channels, x, dy, SSLH_I_R(0), channels);
                    }
            }
}

/* dw = [dw +] the parts in order. depthwise: (taps,C) -> (C,taps). */
SSLH_I_FN void sslh_i_wgrad_sum(const sslh_i_wgrad *p, size_t count, size_t channels) {
    const size_t taps = channels ? count / channels : 0;
    for (size_t i = 0; i < count; i++) {
        size_t from = channels ? i % taps * channels + i / taps : i;
        sslh_real y = p->accumulate ? p->dw[i] + p->sums[from] : p->sums[from];
        for (int q = 1; q < p->parts; q++) y = y + p->sums[(size_t)q * count + from];
        p->dw[i] = y;
    }
}

SSLH_I_FN void sslh_i_wgrad_unfolded(sslh_ctx *c, sslh_i_wgrad *p) {
    const sslh_i_conv *s = p->s;
    const int k = s->kh * s->kw * s->ci, pixels = s->n * s->oh * s->ow;
    sslh_real *padded = sslh_i_conv_padded(c, s, p->x); /* also without padding: reads go 16 numbers beyond a row */
    if (!padded) return;
    p->padded = padded;
    p->width = s->w + 2 * s->pw;
    p->step = (k + 31) / 32 * 32;
    p->piece = SSLH_I_MAX(64, SSLH_I_MIN(1024, 32768 / p->step));
    p->parts = SSLH_I_MIN(16, (pixels + p->piece - 1) / p->piece);
    p->work_bytes = ((size_t)p->piece * (size_t)p->step + 64) * sizeof(sslh_real);
    p->work = (char *)sslh_i_scratch(c, p->work_bytes * (size_t)c->threads);
    if (p->work) p->sums = (sslh_real *)sslh_i_scratch(c, (size_t)p->parts * (size_t)s->co * (size_t)k * sizeof(sslh_real));
    if (p->sums) {
        sslh_i_parallel(c, p->parts, sslh_i_wgrad_part_task, p);
        sslh_i_wgrad_sum(p, (size_t)s->co * (size_t)k, 0);
        sslh_i_unscratch(c, p->sums);
    }
    if (p->work) sslh_i_unscratch(c, p->work);
    sslh_i_unscratch(c, padded);
}

SSLH_I_FN void sslh_i_wgrad_taps(sslh_ctx *c, sslh_i_wgrad *p) {
    const sslh_i_conv *s = p->s;
    const int nr = p->k->nr, mr = p->k->mr, pixels = s->oh * s->ow;
    p->images = 1; /* about 1024 pixels a block: a chain of that length, and runs that are not too short */
    while (p->images < 64 && p->images < s->n && p->images * 2 * pixels <= 1024) p->images *= 2;
    p->x_panels = (s->ci / s->groups + nr - 1) / nr;
    p->y_panels = (s->co / s->groups + mr - 1) / mr;
    const size_t bx = (size_t)(p->x_panels * s->groups) * (size_t)s->h * (size_t)s->w * (size_t)p->images * (size_t)nr;
    const size_t by = (size_t)(p->y_panels * s->groups) * (size_t)pixels * (size_t)p->images * (size_t)mr;
    const int blocks = (s->n + p->images - 1) / p->images;
    const int round = (int)SSLH_I_MIN((size_t)blocks, SSLH_I_MAX((size_t)1, ((size_t)1 << 20) / (bx + by))); /* about 4 MB */
    p->work_bytes = ((size_t)s->oh * (2 * sizeof(sslh_real *) + sizeof(int)) + 63) / 64 * 64;
    p->work = (char *)sslh_i_scratch(c, p->work_bytes * (size_t)c->threads);
    p->px = p->work ? (sslh_real *)sslh_i_scratch(c, (size_t)round * (bx + by) * sizeof(sslh_real)) : NULL;
    if (p->px) {
        p->py = p->px + (size_t)round * bx;
        for (p->block0 = 0; p->block0 < blocks; p->block0 += round) {
            p->blocks = SSLH_I_MIN(round, blocks - p->block0);
            sslh_i_parallel(c, p->blocks * (p->x_panels + p->y_panels) * s->groups, sslh_i_wgrad_pack_task, p);
            sslh_i_parallel(c, p->x_panels * p->y_panels * s->groups, sslh_i_wgrad_task, p);
        }
        sslh_i_unscratch(c, p->px);
    }
    if (p->work) sslh_i_unscratch(c, p->work);
}

/* The pixels that a 1 x 1 kernel with stride reads, of one image, side by side in dw. */
SSLH_I_FN void sslh_i_wgrad_used_task(void *arg, int task, int worker) {
    const sslh_i_wgrad *p = (const sslh_i_wgrad *)arg;
    const sslh_i_conv *s = p->s;
    const size_t channels = (size_t)s->ci;
    const sslh_real *x = p->x + (size_t)task * (size_t)s->h * (size_t)s->w * channels;
    sslh_real *to = p->dw + (size_t)task * (size_t)s->oh * (size_t)s->ow * channels;
    (void)worker;
    for (int i = 0; i < s->oh; i++)
        for (int j = 0; j < s->ow; j++, to += channels)
            memcpy(to, x + ((size_t)(i * s->sh) * (size_t)s->w + (size_t)(j * s->sw)) * channels, channels * sizeof *to);
}

SSLH_I_FN void sslh_i_conv_backward_weight(sslh_ctx *c, const sslh_i_conv *s, const sslh_real *x, const sslh_real *dy, sslh_real *dw,
                                           int accumulate) {
    sslh_i_wgrad p;
    if (SSLH_I_BAD(c)) return;
    memset(&p, 0, sizeof p);
    p.k = c->k;
    p.s = s;
    p.x = x;
    p.dy = dy;
    p.dw = dw;
    p.accumulate = accumulate;
    if (sslh_i_conv_is_depthwise(s)) {
        const size_t count = (size_t)s->ci * (size_t)s->kh * (size_t)s->kw;
        p.images = (s->n + 15) / 16;
        p.parts = (s->n + p.images - 1) / p.images;
        p.sums = (sslh_real *)sslh_i_scratch(c, (size_t)p.parts * count * sizeof(sslh_real));
        if (!p.sums) return;
        sslh_i_parallel(c, p.parts, sslh_i_wgrad_depth_task, &p);
        sslh_i_wgrad_sum(&p, count, (size_t)s->ci);
        sslh_i_unscratch(c, p.sums);
    } else if (s->kh == 1 && s->kw == 1 && !s->ph && !s->pw && s->groups == 1) { /* dw (O,I) = dy' x over the pixels used */
        sslh_i_gemm_args m;
        sslh_real *used = NULL;
        const int pixels = s->n * s->oh * s->ow;
        if (s->sh > 1 || s->sw > 1) {
            used = (sslh_real *)sslh_i_scratch(c, (size_t)pixels * (size_t)s->ci * sizeof(sslh_real));
            if (!used) return;
            p.dw = used;
            sslh_i_parallel(c, s->n, sslh_i_wgrad_used_task, &p);
        }
        memset(&m, 0, sizeof m);
        m.ta = 1;
        m.m = s->co;
        m.n = s->ci;
        m.k = pixels;
        m.a = dy;
        m.lda = (size_t)s->co;
        m.b = used ? used : x;
        m.ldb = m.ldc = (size_t)s->ci;
        m.c = dw;
        m.accumulate = accumulate;
        m.split = 1;
        sslh_i_gemm(c, &m);
        if (used) sslh_i_unscratch(c, used);
    } else if (s->groups == 1 && s->dw == 1 && s->ci < 16) {
        sslh_i_wgrad_unfolded(c, &p);
    } else {
        sslh_i_wgrad_taps(c, &p);
    }
}

/* --- convolution as operations: 2-D, 1-D (height 1), and transposed --- */

/* One axis of a descriptor: its own value, or the other's where it is 0; negative means really zero (padding). */
SSLH_I_FN int sslh_i_axis(int own, int other, int least) {
    int v = own ? own : other;
    return v < least ? least : v;
}

/* node->i: the sslh_i_conv; f[0] relu. in: x, weight, bias. */
SSLH_I_FN void sslh_i_conv_back(sslh_ctx *c, sslh_i_node *node) {
    sslh_i_conv s;
    sslh_real *scratch, *d;
    int fresh;
    memcpy(&s, node->i, sizeof s);
    sslh_tensor *x = node->in[0], *w = node->in[1];
    const sslh_real *dz = sslh_i_bias_back(c, node->out, node->f[0] > 0, node->nin > 2 ? node->in[2] : NULL, (size_t)s.co, &scratch);
    if (dz && (d = sslh_i_grad(c, x, &fresh)) != NULL) sslh_i_conv_backward_data(c, &s, dz, w->data, d, !fresh);
    if (dz && (d = sslh_i_grad(c, w, &fresh)) != NULL) sslh_i_conv_backward_weight(c, &s, x->data, dz, d, !fresh);
    if (scratch) sslh_i_unscratch(c, scratch);
}
/* Transposed: forward is the gradient of the data, so the gradients are forward and the gradient of the weights. */
SSLH_I_FN void sslh_i_conv_transpose_back(sslh_ctx *c, sslh_i_node *node) {
    sslh_i_conv s;
    sslh_real *scratch, *d;
    int fresh;
    memcpy(&s, node->i, sizeof s);
    sslh_tensor *x = node->in[0], *w = node->in[1];
    const sslh_real *dz = sslh_i_bias_back(c, node->out, node->f[0] > 0, node->nin > 2 ? node->in[2] : NULL, (size_t)s.ci, &scratch);
    if (dz && (d = sslh_i_grad(c, x, &fresh)) != NULL) sslh_i_conv_forward(c, &s, dz, w->data, NULL, 0, !fresh, d);
    if (dz && (d = sslh_i_grad(c, w, &fresh)) != NULL) sslh_i_conv_backward_weight(c, &s, dz, x->data, d, !fresh);
    if (scratch) sslh_i_unscratch(c, scratch);
}

/* All four public functions. dims: 1 or 2. */
SSLH_I_FN sslh_tensor *sslh_i_conv_op(sslh_ctx *c, const char *op, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias,
                                      sslh_conv_desc desc, int dims, int transposed) {
    sslh_tensor *in[3];
    sslh_i_conv s;
    char sx[96], sw[96], sb[96];
    const int nin = bias ? 3 : 2;
    in[0] = x;
    in[1] = weight;
    in[2] = bias;
    if (!sslh_i_begin(c, op, in, nin, 1)) return sslh_i_dummy(c);
    sslh_i_str(sx, sizeof sx, sslh_shape_of(x));
    sslh_i_str(sw, sizeof sw, sslh_shape_of(weight));
    if (x->ndim != dims + 2 || weight->ndim != dims + 2) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s, weight %s: x must be %s, weight %s", op, sx, sw, dims == 2 ? "(N,H,W,C)" : "(N,T,C)",
                  transposed ? (dims == 2 ? "(I,Kh,Kw,O/groups)" : "(I,K,O/groups)") : (dims == 2 ? "(O,Kh,Kw,I/groups)" : "(O,K,I/groups)"));
        return sslh_i_dummy(c);
    }
    if (desc.stride < 0 || desc.stride_w < 0 || desc.dilation < 0 || desc.dilation_w < 0 || desc.groups < 0 || desc.output_pad < 0 ||
        desc.pad < SSLH_OFF || desc.pad_w < SSLH_OFF) {
        sslh_fail(c, SSLH_E_USAGE, "%s: stride %d, pad %d, dilation %d, groups %d, output_pad %d: none of them (nor their _w) may be negative", op,
                  desc.stride, desc.pad, desc.dilation, desc.groups, desc.output_pad);
        return sslh_i_dummy(c);
    }
    const int in_h = dims == 2 ? x->shape[1] : 1, in_w = x->shape[dims], in_c = x->shape[dims + 1];
    s.n = x->shape[0];
    s.kh = dims == 2 ? weight->shape[1] : 1;
    s.kw = weight->shape[dims];
    s.sh = dims == 2 ? sslh_i_axis(desc.stride, 1, 1) : 1;
    s.sw = sslh_i_axis(desc.stride_w, sslh_i_axis(desc.stride, 1, 1), 1);
    s.ph = dims == 2 ? sslh_i_axis(desc.pad, 0, 0) : 0;
    s.pw = sslh_i_axis(desc.pad_w, desc.pad, 0);
    s.dh = dims == 2 ? sslh_i_axis(desc.dilation, 1, 1) : 1;
    s.dw = sslh_i_axis(desc.dilation_w, sslh_i_axis(desc.dilation, 1, 1), 1);
    s.groups = sslh_i_axis(desc.groups, 1, 1);
    s.co = weight->shape[0]; /* of the convolution, also when it is transposed */
    s.ci = weight->shape[dims + 1];
    if (s.ci > INT_MAX / s.groups) s.groups = 1;
    s.ci *= s.groups;
    if (in_c != (transposed ? s.co : s.ci) || s.co % s.groups) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s, weight %s, groups %d: the channels do not fit", op, sx, sw, s.groups);
        return sslh_i_dummy(c);
    }
    /* the window's extent, in 64 bits: sizes come from the caller */
    const int64_t eh = (int64_t)s.dh * (s.kh - 1) + 1, ew = (int64_t)s.dw * (s.kw - 1) + 1;
    const int extra = SSLH_I_MAX(desc.output_pad, 0);
    const int64_t oh = transposed ? (int64_t)(in_h - 1) * s.sh - 2 * (int64_t)s.ph + eh + (dims == 2 ? extra : 0)
                                  : ((int64_t)in_h + 2 * (int64_t)s.ph - eh) / s.sh + 1;
    const int64_t ow = transposed ? (int64_t)(in_w - 1) * s.sw - 2 * (int64_t)s.pw + ew + extra
                                  : ((int64_t)in_w + 2 * (int64_t)s.pw - ew) / s.sw + 1;
    const int fits = transposed ? oh >= 1 && ow >= 1 : (int64_t)in_h + 2 * (int64_t)s.ph >= eh && (int64_t)in_w + 2 * (int64_t)s.pw >= ew;
    if (!fits || oh > INT_MAX / 4 || ow > INT_MAX / 4 || (int64_t)in_w + 2 * (int64_t)s.pw > INT_MAX / 4 ||
        (int64_t)in_h + 2 * (int64_t)s.ph > INT_MAX / 4 || eh > INT_MAX / 4 || ew > INT_MAX / 4) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s, weight %s, stride %d, pad %d, dilation %d: the output would have %.0f x %.0f pixels", op, sx, sw,
                  s.sw, s.pw, s.dw, fits ? (double)oh : 0.0, fits ? (double)ow : 0.0);
        return sslh_i_dummy(c);
    }
    if (transposed && extra && (extra >= s.sw || (dims == 2 && extra >= s.sh))) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: output_pad %d must be smaller than the stride %d", op, extra, SSLH_I_MIN(s.sw, dims == 2 ? s.sh : s.sw));
        return sslh_i_dummy(c);
    }
    s.h = transposed ? (int)oh : in_h;
    s.w = transposed ? (int)ow : in_w;
    s.oh = transposed ? in_h : (int)oh;
    s.ow = transposed ? in_w : (int)ow;
    const int out_c = transposed ? s.ci : s.co;
    if (bias && (bias->ndim != 1 || bias->shape[0] != out_c)) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: weight %s, bias %s: the bias must be (%d)", op, sw, sslh_i_str(sb, sizeof sb, sslh_shape_of(bias)), out_c);
        return sslh_i_dummy(c);
    }
    if ((int64_t)oh * ow > INT_MAX / s.n || (int64_t)in_h * in_w > INT_MAX / s.n) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s, weight %s: too many pixels", op, sx, sw);
        return sslh_i_dummy(c);
    }
    sslh_tensor *out = sslh_i_new(c, op, SSLH_F32, dims == 2 ? sslh_dim4(s.n, (int)oh, (int)ow, out_c) : sslh_dim3(s.n, (int)ow, out_c));
    if (!out) return sslh_i_dummy(c);
    const int relu = desc.activation == SSLH_RELU;
    const sslh_real *b = bias ? bias->data : NULL;
    if (transposed) sslh_i_conv_data(c, &s, x->data, weight->data, SSLH_I_R(0), b, relu, 0, out->data);
    else sslh_i_conv_forward(c, &s, x->data, weight->data, b, relu, 0, out->data);
    sslh_i_node *node = sslh_i_record(c, op, transposed ? sslh_i_conv_transpose_back : sslh_i_conv_back, out, in, nin);
    if (node) {
        memcpy(node->i, &s, sizeof s);
        node->f[0] = relu ? SSLH_I_R(1) : SSLH_I_R(0);
    }
    out = sslh_i_end(c, op, in, nin, out);
    return desc.activation == SSLH_LINEAR || relu ? out : sslh_activate(c, out, desc.activation);
}

SSLH_DEF sslh_tensor *sslh_conv2d(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias, sslh_conv_desc desc) {
    return sslh_i_conv_op(c, "sslh_conv2d", x, weight, bias, desc, 2, 0);
}
SSLH_DEF sslh_tensor *sslh_conv1d(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias, sslh_conv_desc desc) {
    return sslh_i_conv_op(c, "sslh_conv1d", x, weight, bias, desc, 1, 0);
}
SSLH_DEF sslh_tensor *sslh_conv2d_transpose(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias, sslh_conv_desc desc) {
    return sslh_i_conv_op(c, "sslh_conv2d_transpose", x, weight, bias, desc, 2, 1);
}
SSLH_DEF sslh_tensor *sslh_conv1d_transpose(sslh_ctx *c, sslh_tensor *x, sslh_tensor *weight, sslh_tensor *bias, sslh_conv_desc desc) {
    return sslh_i_conv_op(c, "sslh_conv1d_transpose", x, weight, bias, desc, 1, 1);
}

/* --- pooling --- */

/* Checks a pooling of x (N,H,W,C) and describes it as a depthwise convolution; 0 after an error. */
SSLH_I_FN int sslh_i_pool_shape(sslh_ctx *c, const char *op, sslh_tensor *x, int kernel, int stride, int pad, sslh_i_conv *s) {
    char sx[96];
    if (!sslh_i_begin(c, op, &x, 1, 1)) return 0;
    sslh_i_str(sx, sizeof sx, sslh_shape_of(x));
    if (stride == 0) stride = kernel;
    if (x->ndim != 4) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s must be (N,H,W,C)", op, sx);
        return 0;
    }
    if (kernel < 1 || stride < 1 || pad < 0 || pad > kernel / 2 || kernel > 4096) {
        sslh_fail(c, SSLH_E_USAGE, "%s: kernel %d, stride %d, pad %d: the first two must be positive, pad at most half the kernel", op, kernel,
                  stride, pad);
        return 0;
    }
    if ((int64_t)x->shape[1] + 2 * pad < kernel || (int64_t)x->shape[2] + 2 * pad < kernel ||
        (int64_t)x->shape[1] * x->shape[2] > INT_MAX / 4 / x->shape[0]) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s does not hold a window of %d", op, sx, kernel);
        return 0;
    }
    s->n = x->shape[0];
    s->h = x->shape[1];
    s->w = x->shape[2];
    s->ci = s->co = s->groups = x->shape[3];
    s->kh = s->kw = kernel;
    s->sh = s->sw = stride;
    s->ph = s->pw = pad;
    s->dh = s->dw = 1;
    s->oh = (s->h + 2 * pad - kernel) / stride + 1;
    s->ow = (s->w + 2 * pad - kernel) / stride + 1;
    return 1;
}

typedef struct sslh_i_pool_job {
    const struct sslh_i_kernels *k;
    sslh_i_conv      s;
    const sslh_real *x, *y, *dy;
    sslh_real       *out, *dx; /* forward: out = y; backward: dx */
    char            *work;     /* per worker: pointers of a window */
    size_t           work_bytes;
} sslh_i_pool_job;

/* One image: y = max over the part of the window inside it, or the gradient (dx is added to). */
SSLH_I_FN void sslh_i_max_pool_task(void *arg, int task, int worker) {
    const sslh_i_pool_job *p = (const sslh_i_pool_job *)arg;
    const sslh_i_conv *s = &p->s;
    const size_t channels = (size_t)s->ci, image = (size_t)s->h * (size_t)s->w * channels * (size_t)task;
    const sslh_real **px = (const sslh_real **)(void *)(p->work + (size_t)worker * p->work_bytes);
    sslh_real **pd = (sslh_real **)(void *)(px + (size_t)s->kh * (size_t)s->kw);
    for (int i = 0; i < s->oh; i++)
        for (int j = 0; j < s->ow; j++) {
            const size_t at = (((size_t)task * (size_t)s->oh + (size_t)i) * (size_t)s->ow + (size_t)j) * channels;
            int taps = 0;
            for (int h = SSLH_I_MAX(0, i * s->sh - s->ph); h < SSLH_I_MIN(s->h, i * s->sh - s->ph + s->kh); h++)
                for (int w = SSLH_I_MAX(0, j * s->sw - s->pw); w < SSLH_I_MIN(s->w, j * s->sw - s->pw + s->kw); w++, taps++) {
                    const size_t from = image + ((size_t)h * (size_t)s->w + (size_t)w) * channels;
                    px[taps] = p->x + from;
                    if (p->dx) pd[taps] = p->dx + from;
                }
            if (p->dx) p->k->max_back(taps, px, channels, p->y + at, p->dy + at, pd);
            else p->k->max_pixel(taps, px, channels, p->out + at);
        }
}
SSLH_I_FN void sslh_i_max_pool_run(sslh_ctx *c, sslh_i_pool_job *p) {
    p->k = c->k;
    p->work_bytes = ((size_t)p->s.kh * (size_t)p->s.kw * 2 * sizeof(sslh_real *) + 63) / 64 * 64;
    p->work = (char *)sslh_i_scratch(c, p->work_bytes * (size_t)c->threads);
    if (!p->work) return;
    sslh_i_parallel(c, p->s.n, sslh_i_max_pool_task, p);
    sslh_i_unscratch(c, p->work);
}
SSLH_I_FN void sslh_i_max_pool_back(sslh_ctx *c, sslh_i_node *node) { /* node->i: the sslh_i_conv */
    sslh_i_pool_job p;
    int fresh;
    memset(&p, 0, sizeof p);
    memcpy(&p.s, node->i, sizeof p.s);
    p.dx = sslh_i_grad(c, node->in[0], &fresh);
    if (!p.dx) return;
    if (fresh) memset(p.dx, 0, node->in[0]->count * sizeof *p.dx);
    p.x = node->in[0]->data;
    p.y = node->out->data;
    p.dy = node->out->grad;
    sslh_i_max_pool_run(c, &p);
}
SSLH_I_FN sslh_tensor *sslh_i_max_pool(sslh_ctx *c, const char *op, sslh_tensor *x, const sslh_i_conv *s, sslh_shape shape) {
    sslh_i_pool_job p;
    sslh_tensor *out = sslh_i_new(c, op, SSLH_F32, shape);
    if (!out) return sslh_i_dummy(c);
    memset(&p, 0, sizeof p);
    p.s = *s;
    p.x = x->data;
    p.out = out->data;
    sslh_i_max_pool_run(c, &p);
    sslh_i_node *node = sslh_i_record(c, op, sslh_i_max_pool_back, out, &x, 1);
    if (node) memcpy(node->i, s, sizeof *s);
    return sslh_i_end(c, op, &x, 1, out);
}
SSLH_DEF sslh_tensor *sslh_max_pool2d(sslh_ctx *c, sslh_tensor *x, int kernel, int stride, int pad) {
    sslh_i_conv s;
    if (!sslh_i_pool_shape(c, "sslh_max_pool2d", x, kernel, stride, pad, &s)) return sslh_i_dummy(c);
    return sslh_i_max_pool(c, "sslh_max_pool2d", x, &s, sslh_dim4(s.n, s.oh, s.ow, s.co));
}

/* The average is a depthwise convolution with the constant 1 / kernel^2. */
SSLH_I_FN void sslh_i_avg_pool_back(sslh_ctx *c, sslh_i_node *node) { /* node->i: the sslh_i_conv */
    sslh_i_conv s;
    int fresh;
    memcpy(&s, node->i, sizeof s);
    sslh_real *dx = sslh_i_grad(c, node->in[0], &fresh);
    sslh_real share = SSLH_I_R(1) / (sslh_real)(s.kh * s.kw);
    if (dx) sslh_i_conv_data(c, &s, node->out->grad, NULL, share, NULL, 0, !fresh, dx);
}
SSLH_DEF sslh_tensor *sslh_avg_pool2d(sslh_ctx *c, sslh_tensor *x, int kernel, int stride, int pad) {
    sslh_i_conv s;
    if (!sslh_i_pool_shape(c, "sslh_avg_pool2d", x, kernel, stride, pad, &s)) return sslh_i_dummy(c);
    sslh_tensor *out = sslh_i_new(c, "sslh_avg_pool2d", SSLH_F32, sslh_dim4(s.n, s.oh, s.ow, s.co));
    if (!out) return sslh_i_dummy(c);
    sslh_i_conv_gather(c, &s, x->data, NULL, SSLH_I_R(1) / (sslh_real)(s.kh * s.kw), NULL, 0, 0, out->data);
    sslh_i_node *node = sslh_i_record(c, "sslh_avg_pool2d", sslh_i_avg_pool_back, out, &x, 1);
    if (node) memcpy(node->i, &s, sizeof s);
    return sslh_i_end(c, "sslh_avg_pool2d", &x, 1, out);
}

/* Over all places of x (N,..,C) -> (N,C): the average; image by image. */
SSLH_I_FN void sslh_i_global_avg_task(void *arg, int task, int worker) {
    const sslh_i_pool_job *p = (const sslh_i_pool_job *)arg;
    const size_t channels = (size_t)p->s.ci, places = (size_t)p->s.h, n = (size_t)task;
    const sslh_real count = (sslh_real)places;
    (void)worker;
    if (!p->dx) { /* y = sum over the places / their number */
        sslh_real *y = p->out + n * channels;
        p->k->relu_bias(NULL, p->x + n * places * channels, NULL, y, places, channels);
        for (size_t j = 0; j < channels; j++) y[j] = y[j] / count;
        return;
    }
    const sslh_real *dy = p->dy + n * channels;
    sslh_real *dx = p->dx + n * places * channels;
    for (size_t i = 0; i < places; i++, dx += channels) {
        if (p->s.sh) /* dx holds nothing yet */
            for (size_t j = 0; j < channels; j++) dx[j] = dy[j] / count;
        else
            for (size_t j = 0; j < channels; j++) {
                sslh_real g = dy[j] / count;
                dx[j] = dx[j] + g;
            }
    }
}
SSLH_I_FN void sslh_i_global_avg_back(sslh_ctx *c, sslh_i_node *node) { /* node->i: N, places, C */
    sslh_i_pool_job p;
    memset(&p, 0, sizeof p);
    p.k = c->k;
    p.dx = sslh_i_grad(c, node->in[0], &p.s.sh);
    p.s.h = node->i[1];
    p.s.ci = node->i[2];
    p.dy = node->out->grad;
    if (p.dx) sslh_i_parallel(c, node->i[0], sslh_i_global_avg_task, &p);
}
/* N, places, C of x (N,..,C); 0 after an error. */
SSLH_I_FN int sslh_i_global_shape(sslh_ctx *c, const char *op, sslh_tensor *x, sslh_i_conv *s) {
    char sx[96];
    if (!sslh_i_begin(c, op, &x, 1, 1)) return 0;
    memset(s, 0, sizeof *s);
    if (x->ndim < 2) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s must be (N,..,C)", op, sslh_i_str(sx, sizeof sx, sslh_shape_of(x)));
        return 0;
    }
    s->n = x->shape[0];
    s->ci = s->co = s->groups = x->shape[x->ndim - 1];
    size_t places = x->count / (size_t)s->n / (size_t)s->ci;
    if (places > INT_MAX) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s is too large", op, sslh_i_str(sx, sizeof sx, sslh_shape_of(x)));
        return 0;
    }
    s->h = (int)places;
    return 1;
}
SSLH_DEF sslh_tensor *sslh_global_avg_pool(sslh_ctx *c, sslh_tensor *x) {
    sslh_i_pool_job p;
    memset(&p, 0, sizeof p);
    if (!sslh_i_global_shape(c, "sslh_global_avg_pool", x, &p.s)) return sslh_i_dummy(c);
    sslh_tensor *out = sslh_i_new(c, "sslh_global_avg_pool", SSLH_F32, sslh_dim2(p.s.n, p.s.ci));
    if (!out) return sslh_i_dummy(c);
    p.k = c->k;
    p.x = x->data;
    p.out = out->data;
    sslh_i_parallel(c, p.s.n, sslh_i_global_avg_task, &p);
    sslh_i_node *node = sslh_i_record(c, "sslh_global_avg_pool", sslh_i_global_avg_back, out, &x, 1);
    if (node) {
        node->i[0] = p.s.n;
        node->i[1] = p.s.h;
        node->i[2] = p.s.ci;
    }
    return sslh_i_end(c, "sslh_global_avg_pool", &x, 1, out);
}
/* One window over all places (a column of `places` rows). */
SSLH_DEF sslh_tensor *sslh_global_max_pool(sslh_ctx *c, sslh_tensor *x) {
    sslh_i_conv s;
    if (!sslh_i_global_shape(c, "sslh_global_max_pool", x, &s)) return sslh_i_dummy(c);
    s.kh = s.h;
    s.w = s.kw = s.oh = s.ow = s.sh = s.sw = s.dh = s.dw = 1;
    return sslh_i_max_pool(c, "sslh_global_max_pool", x, &s, sslh_dim2(s.n, s.ci));
}

/* --- resizing of N,H,W,C ---
   nearest    source row floor(i H / H')                          (as torch.nn.functional.interpolate)
   bilinear   source place (i + 1/2) H / H' - 1/2, at least 0: rows lo and lo + 1 (at most H - 1) with weights 1 - f and f.
   Places are computed in integers, so they are the same everywhere. */
typedef struct sslh_i_resize_job {
    const struct sslh_i_kernels *k;
    const sslh_real *x; /* forward: source; backward: dy */
    sslh_real       *y; /* forward: result; backward: dx, added to */
    int h, w, oh, ow, bilinear, back;
    size_t channels;
} sslh_i_resize_job;

/* lo, hi and f of output place i. */
SSLH_I_FN void sslh_i_resize_place(int i, int size, int out, int bilinear, int place[2], sslh_real *f) {
    if (!bilinear) {
        place[0] = place[1] = (int)((int64_t)i * size / out);
        *f = SSLH_I_R(0);
        return;
    }
    int64_t at = (2 * (int64_t)i + 1) * size - out, unit = 2 * (int64_t)out; /* place = at / unit */
    if (at < 0) at = 0;
    place[0] = (int)(at / unit);
    place[1] = SSLH_I_MIN(place[0] + 1, size - 1);
    *f = (sslh_real)(at % unit) / (sslh_real)unit;
}
SSLH_I_FN void sslh_i_resize_task(void *arg, int task, int worker) { /* one image */
    const sslh_i_resize_job *p = (const sslh_i_resize_job *)arg;
    const size_t n = p->channels;
    const sslh_real one = SSLH_I_R(1);
    (void)worker;
    for (int i = 0; i < p->oh; i++) {
        int r[2], q[2];
        sslh_real fh, fw;
        sslh_i_resize_place(i, p->h, p->oh, p->bilinear, r, &fh);
        for (int j = 0; j < p->ow; j++) {
            sslh_i_resize_place(j, p->w, p->ow, p->bilinear, q, &fw);
            const size_t to = (((size_t)task * (size_t)p->oh + (size_t)i) * (size_t)p->ow + (size_t)j) * n;
            if (!p->back) memset(p->y + to, 0, n * sizeof *p->y);
            for (int a = 0; a < 2; a++)
                for (int b = 0; b < 2; b++) {
                    const size_t from = (((size_t)task * (size_t)p->h + (size_t)r[a]) * (size_t)p->w + (size_t)q[b]) * n;
                    sslh_real u = a ? fh : one - fh, v = b ? fw : one - fw;
                    sslh_real weight = u * v;
                    if (weight == SSLH_I_R(0)) continue;
                    if (p->back) p->k->madd_row(p->y + from, p->x + to, NULL, weight, n);
                    else p->k->madd_row(p->y + to, p->x + from, NULL, weight, n);
                }
        }
    }
}
SSLH_I_FN void sslh_i_resize_back(sslh_ctx *c, sslh_i_node *node) { /* node->i[0]: bilinear */
    sslh_i_resize_job p;
    sslh_tensor *x = node->in[0], *out = node->out;
    int fresh;
    memset(&p, 0, sizeof p);
    p.y = sslh_i_grad(c, x, &fresh);
    if (!p.y) return;
    if (fresh) memset(p.y, 0, x->count * sizeof *p.y);
    p.k = c->k;
    p.x = out->grad;
    p.h = x->shape[1];
    p.w = x->shape[2];
    p.oh = out->shape[1];
    p.ow = out->shape[2];
    p.channels = (size_t)x->shape[3];
    p.bilinear = node->i[0];
    p.back = 1;
    sslh_i_parallel(c, x->shape[0], sslh_i_resize_task, &p);
}
SSLH_I_FN sslh_tensor *sslh_i_resize_op(sslh_ctx *c, const char *op, sslh_tensor *x, int height, int width, int bilinear) {
    sslh_i_resize_job p;
    char sx[96];
    if (!sslh_i_begin(c, op, &x, 1, 1)) return sslh_i_dummy(c);
    if (x->ndim != 4 || height < 1 || width < 1) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s to %d x %d: x must be (N,H,W,C) and both sizes positive", op,
                  sslh_i_str(sx, sizeof sx, sslh_shape_of(x)), height, width);
        return sslh_i_dummy(c);
    }
    sslh_tensor *out = sslh_i_new(c, op, SSLH_F32, sslh_dim4(x->shape[0], height, width, x->shape[3]));
    if (!out) return sslh_i_dummy(c);
    memset(&p, 0, sizeof p);
    p.k = c->k;
    p.x = x->data;
    p.y = out->data;
    p.h = x->shape[1];
    p.w = x->shape[2];
    p.oh = height;
    p.ow = width;
    p.channels = (size_t)x->shape[3];
    p.bilinear = bilinear;
    sslh_i_parallel(c, x->shape[0], sslh_i_resize_task, &p);
    sslh_i_node *node = sslh_i_record(c, op, sslh_i_resize_back, out, &x, 1);
    if (node) node->i[0] = bilinear;
    return sslh_i_end(c, op, &x, 1, out);
}
SSLH_DEF sslh_tensor *sslh_resize_nearest(sslh_ctx *c, sslh_tensor *x, int height, int width) {
    return sslh_i_resize_op(c, "sslh_resize_nearest", x, height, width, 0);
}
SSLH_DEF sslh_tensor *sslh_resize_bilinear(sslh_ctx *c, sslh_tensor *x, int height, int width) {
    return sslh_i_resize_op(c, "sslh_resize_bilinear", x, height, width, 1);
}

/* ================================================================================================================== */
/*  >>norms         batch, layer, group norm, l2, dropout                                                            */
/* ================================================================================================================== */

SSLH_I_FN float sslh_i_default(float value, float fallback); /* 0: fallback, negative: 0; see >>optim */

/* --- batch and group norm: x seen as (G,M,C), statistics over M and, in group norm, over C/groups channels -----------
   batch norm: G = virtual groups, M = N/G H W.  group norm: G = N, M = H W. Forward:  y = activation((x - mean) scale +
   shift (+ residual)),  scale = gamma inv, shift = beta, inv = 1/sqrt(var + eps) Backward: dx = p dz + q (x - mean) + r
   with vectors p, q, r of C for each of the G parts. Rows are cut into blocks by shape; partial results of the blocks
   are combined in their order. */
enum { SSLH_I_N_MEAN = 0, SSLH_I_N_SCALE, SSLH_I_N_SHIFT, SSLH_I_N_INV, SSLH_I_N_P = 0, SSLH_I_N_Q, SSLH_I_N_R };
enum { SSLH_I_N_MOMENTS = 0, SSLH_I_N_APPLY, SSLH_I_N_SUMS, SSLH_I_N_BACK };
typedef struct sslh_i_norm_job {
    const struct sslh_i_kernels *k;
    int phase;
    size_t G, M, C, block, blocks, per_task;
    const sslh_real *x, *residual, *dy;
    const sslh_real *table;      /* (G,4,C): mean, scale, shift, inv */
    const sslh_real *pqr;        /* (G,3,C) */
    sslh_real *partial;          /* (G,blocks,2,C): mean and m2, or sum dz and sum dz (x - mean) */
    sslh_real *out;              /* y or dx */
    int relu, fresh;
} sslh_i_norm_job;

SSLH_I_FN void sslh_i_norm_task(void *arg, int task, int worker) {
    const sslh_i_norm_job *f = (const sslh_i_norm_job *)arg;
    size_t u = (size_t)task * f->per_task, end = SSLH_I_MIN(f->G * f->blocks, u + f->per_task), C = f->C;
    (void)worker;
    for (; u < end; u++) {
        size_t g = u / f->blocks, r = u % f->blocks * f->block, rows = SSLH_I_MIN(f->block, f->M - r),
               at = (g * f->M + r) * C;
        sslh_real *partial = f->partial + u * 2 * C;
        sslh_i_affine a;
        if (f->phase == SSLH_I_N_MOMENTS) {
            f->k->col_moments(f->x + at, rows, C, partial, partial + C);
            continue;
        }
        a.mean = f->table + g * 4 * C;
        a.scale = a.mean + C;
        a.shift = a.scale + C;
        if (f->phase == SSLH_I_N_APPLY)
            f->k->norm(f->x + at, f->residual ? f->residual + at : NULL, a, f->out + at, rows, C, f->relu);
        else if (f->phase == SSLH_I_N_SUMS)
            f->k->norm_sums(f->x + at, f->dy + at, a, rows, C, f->relu, partial, partial + C);
        else {
            const sslh_real *p = f->pqr + g * 3 * C;
            f->k->norm_back(f->x + at, f->dy + at, a, p, p + C, p + 2 * C, f->out + at, rows, C, f->relu, f->fresh);
        }
    }
}
SSLH_I_FN sslh_i_norm_job sslh_i_norm_job_of(const sslh_ctx *c, const sslh_real *x, size_t G, size_t M, size_t C) {
    sslh_i_norm_job f;
    memset(&f, 0, sizeof f);
    f.k = c->k;
    f.x = x;
    f.G = G;
    f.M = M;
    f.C = C;
    f.block = SSLH_I_MIN(M, SSLH_I_MAX(SSLH_I_MAX(SSLH_I_FLAT / C, (size_t)16), (M + 255) / 256));
    f.blocks = (M + f.block - 1) / f.block;
    f.per_task = SSLH_I_MAX(SSLH_I_FLAT / (f.block * C), (size_t)1);
    return f;
}
SSLH_I_FN void sslh_i_norm_run(sslh_ctx *c, sslh_i_norm_job *f) {
    sslh_i_parallel(c, sslh_i_tasks(f->G * f->blocks, f->per_task), sslh_i_norm_task, f);
}

/* Column means and sums of squared distances of each part, into mean and m2 at g stride + channel (see sslh_i_combine).
   */
SSLH_I_FN int sslh_i_norm_moments(sslh_ctx *c, sslh_i_norm_job *f, sslh_real *mean, sslh_real *m2, size_t stride) {
    size_t g, b, j, C = f->C;
    f->partial = (sslh_real *)sslh_i_scratch(c, f->G * f->blocks * 2 * C * sizeof *f->partial);
    if (!f->partial) return 0;
    f->phase = SSLH_I_N_MOMENTS;
    sslh_i_norm_run(c, f);
    for (g = 0; g < f->G; g++) {
        sslh_real *m = mean + g * stride, *s = m2 + g * stride;
        const sslh_real *part = f->partial + g * f->blocks * 2 * C;
        memcpy(m, part, C * sizeof *m);
        memcpy(s, part + C, C * sizeof *s);
        for (b = 1; b < f->blocks; b++) {
            sslh_real na = (sslh_real)(b * f->block), nb = (sslh_real)SSLH_I_MIN(f->block, f->M - b * f->block);
            sslh_real n = na + nb, share = nb / n, weight = na * share;
            part += 2 * C;
            for (j = 0; j < C; j++) {
                sslh_real d = part[j] - m[j], t = d * share;
                m[j] = m[j] + t;
                t = d * d;
                t = t * weight;
                t = t + part[C + j];
                s[j] = s[j] + t;
            }
        }
    }
    sslh_i_unscratch(c, f->partial);
    return 1;
}

/* The same for (G,M,C) without normalising: means and sums of squared distances (G,C). */
SSLH_I_FN int sslh_i_column_variance(sslh_ctx *c, const sslh_real *x, size_t G, size_t M, size_t C, sslh_real *mean,
                                     sslh_real *m2) {
    sslh_i_norm_job f = sslh_i_norm_job_of(c, x, G, M, C);
    return sslh_i_norm_moments(c, &f, mean, m2, C);
}

/* sums (G,2,C): sum dz and sum dz (x - mean) over M */
SSLH_I_FN int sslh_i_norm_sums(sslh_ctx *c, sslh_i_norm_job *f, sslh_real *sums) {
    f->partial =
        f->blocks > 1 ? (sslh_real *)sslh_i_scratch(c, f->G * f->blocks * 2 * f->C * sizeof *f->partial) : sums;
    if (!f->partial) return 0;
    f->phase = SSLH_I_N_SUMS;
    sslh_i_norm_run(c, f);
    if (f->blocks > 1) {
        sslh_i_sum_axis(c, f->partial, f->G, f->blocks, 2 * f->C, sums);
        sslh_i_unscratch(c, f->partial);
    }
    return !SSLH_I_BAD(c);
}

/* gamma or beta: NULL or C values. */
SSLH_I_FN int sslh_i_norm_vector(sslh_ctx *c, const char *op, const char *what, const sslh_tensor *v,
                                 const sslh_tensor *x) {
    char a[96], b[96];
    if (!v || (v->type == SSLH_F32 && v->ndim == 1 && v->shape[0] == x->shape[x->ndim - 1])) return 1;
    sslh_fail(c, SSLH_E_SHAPE, "%s: %s of shape %s for x of shape %s (the last axis counts)", op, what,
              sslh_i_str(a, sizeof a, sslh_shape_of(v)), sslh_i_str(b, sizeof b, sslh_shape_of(x)));
    return 0;
}
/* Gathers the inputs that are there and checks them. */
SSLH_I_FN int sslh_i_norm_begin(sslh_ctx *c, const char *op, sslh_tensor *x, sslh_tensor *gamma, sslh_tensor *beta,
                                sslh_tensor **in, int *n) {
    *n = 0;
    in[(*n)++] = x;
    if (gamma) in[(*n)++] = gamma;
    if (beta) in[(*n)++] = beta;
    if (!sslh_i_begin(c, op, in, *n, 1)) return 0;
    if (x->ndim < 1) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x is a single number, a last axis is needed", op);
        return 0;
    }
    return sslh_i_norm_vector(c, op, "gamma", gamma, x) && sslh_i_norm_vector(c, op, "beta", beta, x);
}
/* dst (+)= src */
SSLH_I_FN void sslh_i_give(sslh_ctx *c, sslh_tensor *t, const sslh_real *src) {
    int fresh;
    sslh_real *g = sslh_i_grad(c, t, &fresh);
    size_t i;
    if (!g) return;
    for (i = 0; i < t->count; i++) g[i] = fresh ? src[i] : g[i] + src[i];
}

/* The backward pass that batch and group norm share. in: x, gamma, beta, residual; saved[0]: the table (G,4,C);
   i: G, M, C, channels a statistic covers (1 in batch norm), 1 when the statistics were those of x, relu. */
SSLH_I_FN void sslh_i_norm_op_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_tensor *x = n->in[0], *out = n->out, *residual = n->in[3];
    size_t G = (size_t)n->i[0], M = (size_t)n->i[1], C = (size_t)n->i[2], span = (size_t)n->i[3], g, i, j;
    const sslh_real *table = n->saved[0]->data, *gamma = n->in[1] ? n->in[1]->data : NULL;
    sslh_real *work, *sums, *pqr, *dgamma, *dbeta, *dz = out->grad, *copy = NULL;
    sslh_i_norm_job f = sslh_i_norm_job_of(c, x->data, G, M, C);
    int statistics = n->i[4], need_x = sslh_i_needs(c, x), fresh;
    f.table = table;
    f.relu = n->i[5];
    if (f.relu && residual) { /* the sign is in y only: dz = dy where y > 0, in place when nobody keeps dy */
        if (out->flags & SSLH_I_KEPT) dz = copy = (sslh_real *)sslh_i_scratch(c, out->count * sizeof *copy);
        if (!dz) return;
        sslh_i_unary_back(c, SSLH_I_U_RELU, NULL, out->data, out->grad, dz, out->count, 0, 0, 1);
        f.relu = 0;
    }
    f.dy = dz;
    work = (sslh_real *)sslh_i_scratch(c, (5 * G + 2) * C * sizeof *work);
    if (!work) {
        sslh_i_unscratch(c, copy);
        return;
    }
    sums = work;
    pqr = sums + G * 2 * C;
    dgamma = pqr + G * 3 * C;
    dbeta = dgamma + C;
    if (statistics || sslh_i_needs(c, n->in[1]) || sslh_i_needs(c, n->in[2])) {
        if (!sslh_i_norm_sums(c, &f, sums)) {
            sslh_i_unscratch(c, work);
            sslh_i_unscratch(c, copy);
            return;
        }
    } else memset(sums, 0, G * 2 * C * sizeof *sums);
    memset(dgamma, 0, 2 * C * sizeof *dgamma);
    for (g = 0; g < G; g++) {
        const sslh_real *scale = table + (g * 4 + SSLH_I_N_SCALE) * C, *inv = table + (g * 4 + SSLH_I_N_INV) * C;
        const sslh_real *s1 = sums + g * 2 * C, *s2 = s1 + C;
        sslh_real *p = pqr + g * 3 * C, *q = p + C, *r = q + C, count = (sslh_real)(M * span);
        for (j = 0; j < C; j++) {
            sslh_real t = s2[j] * inv[j];
            dgamma[j] = dgamma[j] + t;
            dbeta[j] = dbeta[j] + s1[j];
            p[j] = scale[j];
        }
        /* a = sum gamma dz, b = sum gamma dz (x - mean) inv over the channels of one statistic */
        for (j = 0; j < C; j += span) {
            sslh_real a = 0, b = 0;
            for (i = j; i < j + span && statistics; i++) {
                sslh_real w = gamma ? gamma[i] : SSLH_I_R(1), t = w * s1[i];
                a = a + t;
                t = w * s2[i];
                t = t * inv[i];
                b = b + t;
            }
            a = a / count;
            b = b / count;
            for (i = j; i < j + span; i++) {
                sslh_real t = inv[i] * inv[i];
                q[i] = -(t * b);
                r[i] = -(inv[i] * a);
            }
        }
    }
    sslh_i_give(c, n->in[1], dgamma);
    sslh_i_give(c, n->in[2], dbeta);
    if (need_x) {
        const sslh_real *dy = dz;
        int reuse = !copy && !sslh_i_needs(c, residual);
        f.out = reuse ? sslh_i_grad_reuse(c, out, x, &dy, &fresh) : sslh_i_grad(c, x, &fresh);
        f.dy = dy;
        f.pqr = pqr;
        f.fresh = fresh;
        f.phase = SSLH_I_N_BACK;
        if (f.out) sslh_i_norm_run(c, &f);
    }
    sslh_i_unscratch(c, work);
    if (sslh_i_needs(c, residual) && copy) sslh_i_give(c, residual, copy);
    else if (sslh_i_needs(c, residual)) sslh_i_grad_pass(c, out, residual, 1);
    sslh_i_unscratch(c, copy);
}

/* inv and scale of a table row from its variance (in the place of inv) */
SSLH_I_FN void sslh_i_norm_table(sslh_real *table, size_t C, const sslh_real *gamma, const sslh_real *beta,
                                 sslh_real eps) {
    size_t j;
    for (j = 0; j < C; j++) {
        sslh_real v = table[SSLH_I_N_INV * C + j] + eps, inv = SSLH_I_R(1) / sslh_i_sqrt(v);
        table[SSLH_I_N_INV * C + j] = inv;
        table[SSLH_I_N_SCALE * C + j] = gamma ? gamma[j] * inv : inv;
        table[SSLH_I_N_SHIFT * C + j] = beta ? beta[j] : 0;
    }
}

/* running = (1 - momentum) running + momentum value, where value is the mean over the virtual groups */
SSLH_I_FN void sslh_i_norm_running(sslh_tensor *running, const sslh_real *values, size_t G, size_t stride,
                                   sslh_real factor, sslh_real momentum) {
    size_t g, j;
    sslh_real keep = 1 - momentum;
    if (!running) return;
    factor = factor / (sslh_real)G;
    for (j = 0; j < running->count; j++) {
        sslh_real v = 0, t;
        for (g = 0; g < G; g++) v = v + values[g * stride + j];
        v = v * factor;
        v = v * momentum;
        t = running->data[j] * keep;
        running->data[j] = t + v;
    }
}

SSLH_I_FN sslh_tensor *sslh_i_norm_finish(sslh_ctx *c, const char *op, sslh_i_norm_job *f, sslh_tensor *out,
                                          sslh_tensor *table, sslh_tensor **in, int span, int statistics,
                                          sslh_tensor **present, int n) {
    sslh_i_node *node;
    f->table = table->data;
    f->out = out->data;
    f->phase = SSLH_I_N_APPLY;
    sslh_i_norm_run(c, f);
    node = sslh_i_record(c, op, sslh_i_norm_op_back, out, in, 4);
    if (node) {
        node->i[0] = (int)f->G;
        node->i[1] = (int)f->M;
        node->i[2] = (int)f->C;
        node->i[3] = span;
        node->i[4] = statistics;
        node->i[5] = f->relu;
    }
    sslh_i_save(c, node, table);
    return sslh_i_end(c, op, present, n, out);
}

SSLH_DEF sslh_tensor *sslh_batch_norm(sslh_ctx *c, sslh_tensor *x, sslh_tensor *gamma, sslh_tensor *beta,
                                      sslh_tensor *running_mean, sslh_tensor *running_var, sslh_tensor *residual,
                                      sslh_batch_norm_desc d) {
    static const char op[] = "sslh_batch_norm";
    sslh_tensor *present[4], *in[4], *out, *table;
    sslh_i_norm_job f;
    sslh_real eps = (sslh_real)sslh_i_default(d.eps, 1e-5f), momentum = (sslh_real)sslh_i_default(d.momentum, 0.1f);
    size_t G = d.virtual_groups > 0 ? (size_t)d.virtual_groups : 1, M, C, g, j;
    int n;
    char a[96], b[96];
    if (!sslh_i_norm_begin(c, op, x, gamma, beta, present, &n) ||
        !sslh_i_norm_vector(c, op, "running_mean", running_mean, x) ||
        !sslh_i_norm_vector(c, op, "running_var", running_var, x))
        return sslh_i_dummy(c);
    if (residual) {
        present[n] = residual;
        if (!sslh_i_begin(c, op, present + n++, 1, 1)) return sslh_i_dummy(c);
        for (j = 0; j < SSLH_MAX_DIMS && residual->ndim == x->ndim; j++)
            if ((int)j < x->ndim && residual->shape[j] != x->shape[j]) break;
        if (residual->ndim != x->ndim || (int)j < x->ndim) {
            sslh_fail(c, SSLH_E_SHAPE, "%s: residual %s and x %s differ in shape", op,
                      sslh_i_str(a, sizeof a, sslh_shape_of(residual)), sslh_i_str(b, sizeof b, sslh_shape_of(x)));
            return sslh_i_dummy(c);
        }
    }
    C = (size_t)x->shape[x->ndim - 1];
    if (d.activation != SSLH_LINEAR && d.activation != SSLH_RELU)
        sslh_fail(c, SSLH_E_USAGE, "%s: .activation %d (SSLH_LINEAR and SSLH_RELU are possible)", op,
                  (int)d.activation);
    else if (!d.training && (!running_mean || !running_var))
        sslh_fail(c, SSLH_E_USAGE, "%s: without .training running_mean and running_var are needed", op);
    else if (d.training && (x->ndim < 2 || (size_t)x->shape[0] % G != 0))
        sslh_fail(c, SSLH_E_SHAPE, "%s: %d virtual groups do not divide the batch of %s", op, (int)G,
                  sslh_i_str(a, sizeof a, sslh_shape_of(x)));
    else if (d.training && x->count / C / G < 2)
        sslh_fail(c, SSLH_E_SHAPE, "%s: %s has one value per channel%s, no statistics can be taken in training", op,
                  sslh_i_str(a, sizeof a, sslh_shape_of(x)), G > 1 ? " and group" : "");
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    if (!d.training) G = 1;
    M = x->count / C / G;
    if (x->count / C > (size_t)INT_MAX) sslh_fail(c, SSLH_E_SHAPE, "%s: more than %d rows", op, INT_MAX);
    f = sslh_i_norm_job_of(c, x->data, G, M, C);
    out = sslh_i_new(c, op, SSLH_F32, sslh_shape_of(x));
    table = out ? sslh_i_new(c, op, SSLH_F32, sslh_dim3((int)G, 4, (int)C)) : NULL;
    if (!table) return sslh_i_dummy(c);
    if (d.training) { /* m2 in the place of inv becomes the unbiased variance's share, then the biased variance */
        sslh_real *m2 = table->data + SSLH_I_N_INV * C, biased = SSLH_I_R(1) / (sslh_real)M;
        if (!sslh_i_norm_moments(c, &f, table->data, m2, 4 * C)) return sslh_i_dummy(c);
        sslh_i_norm_running(running_mean, table->data, G, 4 * C, 1, momentum);
        sslh_i_norm_running(running_var, m2, G, 4 * C, SSLH_I_R(1) / (sslh_real)(M - 1), momentum);
        for (g = 0; g < G; g++) for (j = 0; j < C; j++) m2[g * 4 * C + j] = m2[g * 4 * C + j] * biased;
    } else {
        memcpy(table->data, running_mean->data, C * sizeof(sslh_real));
        memcpy(table->data + SSLH_I_N_INV * C, running_var->data, C * sizeof(sslh_real));
    }
    for (g = 0; g < G; g++)
        sslh_i_norm_table(table->data + g * 4 * C, C, gamma ? gamma->data : NULL, beta ? beta->data : NULL, eps);
    in[0] = x;
    in[1] = gamma;
    in[2] = beta;
    in[3] = residual;
    f.residual = residual ? residual->data : NULL;
    f.relu = d.activation == SSLH_RELU;
    return sslh_i_norm_finish(c, op, &f, out, table, in, 1, d.training != 0, present, n);
}

SSLH_DEF sslh_tensor *sslh_group_norm(sslh_ctx *c, sslh_tensor *x, sslh_tensor *gamma, sslh_tensor *beta, int groups,
                                      float eps) {
    static const char op[] = "sslh_group_norm";
    sslh_tensor *present[3], *in[4], *out, *table;
    sslh_i_norm_job f;
    size_t G, M, C, span, g, j, i;
    int n;
    char a[96];
    if (!sslh_i_norm_begin(c, op, x, gamma, beta, present, &n)) return sslh_i_dummy(c);
    if (x->ndim < 2 || groups < 1 || x->shape[x->ndim - 1] % groups != 0) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: %d groups do not divide the channels of %s", op, groups,
                  sslh_i_str(a, sizeof a, sslh_shape_of(x)));
        return sslh_i_dummy(c);
    }
    G = (size_t)x->shape[0];
    C = (size_t)x->shape[x->ndim - 1];
    M = x->count / G / C;
    span = C / (size_t)groups;
    if (M > (size_t)INT_MAX) sslh_fail(c, SSLH_E_SHAPE, "%s: more than %d positions", op, INT_MAX);
    f = sslh_i_norm_job_of(c, x->data, G, M, C);
    out = sslh_i_new(c, op, SSLH_F32, sslh_shape_of(x));
    table = out ? sslh_i_new(c, op, SSLH_F32, sslh_dim3((int)G, 4, (int)C)) : NULL;
    if (!table || !sslh_i_norm_moments(c, &f, table->data, table->data + SSLH_I_N_INV * C, 4 * C))
        return sslh_i_dummy(c);
    for (g = 0; g < G; g++) {
        sslh_real *mean = table->data + g * 4 * C, *m2 = mean + SSLH_I_N_INV * C;
        for (j = 0; j < C; j += span) { /* channels of a group have M values each */
            sslh_real m = mean[j], s = m2[j];
            for (i = 1; i < span; i++) sslh_i_combine(&m, &s, (sslh_real)(i * M), mean[j + i], m2[j + i], (sslh_real)M);
            s = s / (sslh_real)(M * span);
            for (i = j; i < j + span; i++) mean[i] = m, m2[i] = s;
        }
        sslh_i_norm_table(mean, C, gamma ? gamma->data : NULL, beta ? beta->data : NULL,
                          (sslh_real)sslh_i_default(eps, 1e-5f));
    }
    in[0] = x;
    in[1] = gamma;
    in[2] = beta;
    in[3] = NULL;
    return sslh_i_norm_finish(c, op, &f, out, table, in, (int)span, 1, present, n);
}

/* --- layer norm: rows of D; saved[0] (rows,2) holds mean and inv -------------------------------------------------- */
typedef struct sslh_i_layer_job {
    const struct sslh_i_kernels *k;
    const sslh_real *x, *dy, *gamma, *stats;
    sslh_real *dx, *partial; /* partial (blocks,2,D): dgamma, dbeta */
    size_t rows, D, block;
    int fresh;
} sslh_i_layer_job;
SSLH_I_FN void sslh_i_layer_back_task(void *arg, int task, int worker) {
    const sslh_i_layer_job *f = (const sslh_i_layer_job *)arg;
    size_t r = (size_t)task * f->block, rows = SSLH_I_MIN(f->block, f->rows - r), D = f->D;
    sslh_real *part = f->partial ? f->partial + (size_t)task * 2 * D : NULL;
    (void)worker;
    if (part) memset(part, 0, 2 * D * sizeof *part);
    f->k->layer_norm_back(f->x + r * D, f->dy + r * D, f->gamma, f->stats + 2 * r, f->dx ? f->dx + r * D : NULL, part,
                          part ? part + D : NULL, rows, D, f->fresh);
}
SSLH_I_FN void sslh_i_layer_norm_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_tensor *x = n->in[0];
    sslh_i_layer_job f;
    size_t blocks, D = (size_t)x->shape[x->ndim - 1];
    int affine = sslh_i_needs(c, n->in[1]) || sslh_i_needs(c, n->in[2]);
    memset(&f, 0, sizeof f);
    f.k = c->k;
    f.rows = x->count / D;
    f.D = D;
    f.block = SSLH_I_MIN(f.rows, SSLH_I_MAX(SSLH_I_MAX(SSLH_I_FLAT / D, (size_t)4), (f.rows + 63) / 64));
    blocks = (f.rows + f.block - 1) / f.block;
    f.x = x->data;
    f.gamma = n->in[1] ? n->in[1]->data : NULL;
    f.stats = n->saved[0]->data;
    if (affine) {
        /* one pair of rows more takes the sums */
        f.partial = (sslh_real *)sslh_i_scratch(c, (blocks + 1) * 2 * D * sizeof *f.partial);
        if (!f.partial) return;
    }
    f.dx = sslh_i_grad_reuse(c, n->out, x, &f.dy, &f.fresh);
    sslh_i_parallel(c, (int)blocks, sslh_i_layer_back_task, &f);
    if (affine) {
        sslh_real *sums = f.partial + blocks * 2 * D;
        sslh_i_sum_axis(c, f.partial, 1, blocks, 2 * D, sums);
        sslh_i_give(c, n->in[1], sums);
        sslh_i_give(c, n->in[2], sums + D);
    }
    sslh_i_unscratch(c, f.partial);
}
SSLH_DEF sslh_tensor *sslh_layer_norm(sslh_ctx *c, sslh_tensor *x, sslh_tensor *gamma, sslh_tensor *beta, float eps) {
    static const char op[] = "sslh_layer_norm";
    sslh_tensor *present[3], *in[3], *out, *stats;
    sslh_i_row_job f;
    size_t D;
    int n;
    if (!sslh_i_norm_begin(c, op, x, gamma, beta, present, &n)) return sslh_i_dummy(c);
    D = (size_t)x->shape[x->ndim - 1];
    if (x->count / D > (size_t)INT_MAX) sslh_fail(c, SSLH_E_SHAPE, "%s: more than %d rows", op, INT_MAX);
    out = sslh_i_new(c, op, SSLH_F32, sslh_shape_of(x));
    stats = out ? sslh_i_new(c, op, SSLH_F32, sslh_dim2((int)(x->count / D), 2)) : NULL;
    if (!stats) return sslh_i_dummy(c);
    f = sslh_i_row_job_of(c, SSLH_I_R_LAYER_NORM, x->count / D, D);
    f.x = x->data;
    f.gamma = gamma ? gamma->data : NULL;
    f.beta = beta ? beta->data : NULL;
    f.y = out->data;
    f.stats = stats->data;
    f.eps = (sslh_real)sslh_i_default(eps, 1e-5f);
    sslh_i_row_run(c, &f);
    in[0] = x;
    in[1] = gamma;
    in[2] = beta;
    sslh_i_save(c, sslh_i_record(c, op, sslh_i_layer_norm_back, out, in, 3), stats);
    return sslh_i_end(c, op, present, n, out);
}

/* --- unit rows; saved[0] (rows) holds |x| ------------------------------------------------------------------------- */
SSLH_I_FN void sslh_i_l2_back(sslh_ctx *c, sslh_i_node *n) {
    size_t D = (size_t)n->out->shape[n->out->ndim - 1];
    sslh_i_row_job f = sslh_i_row_job_of(c, SSLH_I_R_L2_BACK, n->out->count / D, D);
    f.x = n->out->data;
    f.stats = n->saved[0]->data;
    f.eps = n->f[0];
    f.y = sslh_i_grad_reuse(c, n->out, n->in[0], &f.g, &f.fresh);
    if (f.y) sslh_i_row_run(c, &f);
}
SSLH_DEF sslh_tensor *sslh_l2_normalize(sslh_ctx *c, sslh_tensor *x, float eps) {
    static const char op[] = "sslh_l2_normalize";
    sslh_tensor *out, *norm, *in[3];
    sslh_i_node *node;
    sslh_i_row_job f;
    size_t D;
    int n;
    if (!sslh_i_norm_begin(c, op, x, NULL, NULL, in, &n)) return sslh_i_dummy(c);
    D = (size_t)x->shape[x->ndim - 1];
    if (x->count / D > (size_t)INT_MAX) sslh_fail(c, SSLH_E_SHAPE, "%s: more than %d rows", op, INT_MAX);
    out = sslh_i_new(c, op, SSLH_F32, sslh_shape_of(x));
    norm = out ? sslh_i_new(c, op, SSLH_F32, sslh_dim1((int)(x->count / D))) : NULL;
    if (!norm) return sslh_i_dummy(c);
    f = sslh_i_row_job_of(c, SSLH_I_R_L2, x->count / D, D);
    f.x = x->data;
    f.y = out->data;
    f.stats = norm->data;
    f.eps = (sslh_real)sslh_i_default(eps, 1e-12f);
    sslh_i_row_run(c, &f);
    node = sslh_i_record(c, op, sslh_i_l2_back, out, &x, 1);
    if (node) node->f[0] = f.eps;
    sslh_i_save(c, node, norm);
    return sslh_i_end(c, op, &x, 1, out);
}

/* --- dropout: the mask is a function of (seed, stream, index) and is drawn again in the backward pass ------------- */
SSLH_I_FN void sslh_i_dropout_task(void *arg, int task, int worker) {
    const sslh_i_flat *f = (const sslh_i_flat *)arg;
    size_t at = sslh_i_flat_begin(task);
    (void)worker;
    f->k->dropout(f->seed, f->stream, at, f->x + at, f->out + at, sslh_i_flat_size(f, task), (float)f->a, f->b,
                  f->fresh);
}
SSLH_I_FN void sslh_i_dropout_run(sslh_ctx *c, uint64_t stream, const sslh_real *x, sslh_real *y, size_t n, sslh_real p,
                                  int fresh) {
    sslh_i_flat f = sslh_i_flat_of(c, n);
    f.seed = c->desc.seed;
    f.stream = stream;
    f.x = x;
    f.out = y;
    f.a = p;
    f.b = SSLH_I_R(1) / (1 - p);
    f.fresh = fresh;
    sslh_i_flat_run(c, &f, sslh_i_dropout_task);
}
SSLH_I_FN void sslh_i_dropout_back(sslh_ctx *c, sslh_i_node *n) {
    int fresh;
    uint64_t stream;
    const sslh_real *dy;
    sslh_real *dx = sslh_i_grad_reuse(c, n->out, n->in[0], &dy, &fresh);
    memcpy(&stream, n->i, sizeof stream);
    if (dx) sslh_i_dropout_run(c, stream, dy, dx, n->out->count, n->f[0], fresh);
}
SSLH_I_FN int sslh_i_probability(sslh_ctx *c, const char *op, float p) {
    if (p >= 0.0f && p < 1.0f) return 1;
    sslh_fail(c, SSLH_E_USAGE, "%s: p = %g is not in [0,1)", op, (double)p);
    return 0;
}
SSLH_DEF sslh_tensor *sslh_dropout(sslh_ctx *c, sslh_tensor *x, float p) {
    sslh_tensor *out;
    sslh_i_node *node;
    uint64_t stream;
    if (!sslh_i_begin(c, "sslh_dropout", &x, 1, 1) || !sslh_i_probability(c, "sslh_dropout", p)) return sslh_i_dummy(c);
    if (p == 0.0f) return x;
    out = sslh_i_new(c, "sslh_dropout", SSLH_F32, sslh_shape_of(x));
    if (!out) return sslh_i_dummy(c);
    stream = sslh_next_stream(c);
    sslh_i_dropout_run(c, stream, x->data, out->data, x->count, (sslh_real)p, 1);
    node = sslh_i_record(c, "sslh_dropout", sslh_i_dropout_back, out, &x, 1);
    if (node) {
        memcpy(node->i, &stream, sizeof stream);
        node->f[0] = (sslh_real)p;
    }
    return sslh_i_end(c, "sslh_dropout", &x, 1, out);
}
SSLH_DEF sslh_tensor *sslh_drop_path(sslh_ctx *c, sslh_tensor *x, float p) {
    sslh_tensor *mask; /* (N,1,..): 0 or 1 / (1-p) */
    sslh_shape shape;
    uint64_t stream;
    int i;
    if (!sslh_i_begin(c, "sslh_drop_path", &x, 1, 1) || !sslh_i_probability(c, "sslh_drop_path", p))
        return sslh_i_dummy(c);
    if (p == 0.0f) return x;
    shape = sslh_shape_of(x);
    for (i = 1; i < shape.ndim; i++) shape.size[i] = 1;
    mask = sslh_i_new(c, "sslh_drop_path", SSLH_F32, shape);
    if (!mask) return sslh_i_dummy(c);
    stream = sslh_next_stream(c);
    for (i = 0; i < (int)mask->count; i++)
        mask->data[i] =
            sslh_random_uniform(c->desc.seed, stream, (uint64_t)i) < p ? 0 : SSLH_I_R(1) / (1 - (sslh_real)p);
    return sslh_i_pair_op(c, "sslh_drop_path", SSLH_I_B_MUL, x, mask);
}

/* ================================================================================================================== */
/*  >>shapes        reshape, permute, concat, gather ..                                                              */
/* ================================================================================================================== */

/* Everything here moves values and computes nothing: forward copies runs of neighbouring elements, backward copies or adds
   the same runs the other way. Integer and byte tensors are moved as well, without a gradient. */

#define SSLH_I_COPY_TASK 32768 /* elements moved by one task: some 10 us */

/* An axis counted from the front (0 ..) or from the end (-1 ..) as 0 .. ndim-1; -1 and an error when there is none. */
SSLH_I_FN int sslh_i_shape_axis(sslh_ctx *c, const char *op, int axis, int ndim) {
    int a = axis < 0 ? axis + ndim : axis;
    if (a >= 0 && a < ndim) return a;
    sslh_fail(c, SSLH_E_SHAPE, "%s: axis %d of a tensor with %d dimensions", op, axis, ndim);
    return -1;
}

/* Number of elements of the axes first .. last-1. */
SSLH_I_FN size_t sslh_i_shape_span(const sslh_tensor *t, int first, int last) {
    size_t n = 1;
    int i;
    for (i = first; i < last; i++) n *= (size_t)t->shape[i];
    return n;
}

SSLH_I_FN int sslh_i_same_shape(const sslh_tensor *a, const sslh_tensor *b) {
    return a->ndim == b->ndim && memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof a->shape[0]) == 0;
}

/* --- runs at constant distances: concat, slice, pad --------------------------------------------------------------- */

/* rows runs: dst[r dst_stride .. + run] = (add: +=) src[r src_stride .. + run]; all counted in elements of size bytes */
typedef struct sslh_i_runs {
    const char *src;
    char *dst;
    size_t size, rows, run, src_stride, dst_stride, per_task;
    int add;
} sslh_i_runs;

SSLH_I_FN void sslh_i_run(char *dst, const char *src, size_t size, size_t n, int add) {
    if (!add) {
        memcpy(dst, src, n * size);
    } else {
        sslh_real *d = (sslh_real *)(void *)dst;
        const sslh_real *s = (const sslh_real *)(const void *)src;
        size_t j;
        for (j = 0; j < n; j++) d[j] += s[j];
    }
}

SSLH_I_FN void sslh_i_runs_task(void *arg, int task, int worker) {
    const sslh_i_runs *p = (const sslh_i_runs *)arg;
    size_t r = (size_t)task * p->per_task, end = SSLH_I_MIN(p->rows, r + p->per_task);
    (void)worker;
    if (p->src_stride == p->run && p->dst_stride == p->run) { /* neighbours on both sides: one long run */
        size_t at = r * p->run * p->size;
        sslh_i_run(p->dst + at, p->src + at, p->size, (end - r) * p->run, p->add);
        return;
    }
    for (; r < end; r++)
        sslh_i_run(p->dst + r * p->dst_stride * p->size, p->src + r * p->src_stride * p->size, p->size, p->run, p->add);
}

SSLH_I_FN void sslh_i_runs_copy(sslh_ctx *c, void *dst, size_t dst_stride, const void *src, size_t src_stride, size_t rows,
                                size_t run, size_t size, int add) {
    sslh_i_runs p;
    p.src = (const char *)src;
    p.dst = (char *)dst;
    p.size = size;
    p.rows = rows;
    p.run = run;
    p.src_stride = src_stride;
    p.dst_stride = dst_stride;
    p.add = add;
    if (src_stride == run && dst_stride == run) {
        p.rows = rows * run;
        p.run = p.src_stride = p.dst_stride = 1;
    }
    p.per_task = SSLH_I_COPY_TASK / p.run + 1;
    sslh_i_parallel(c, (int)((p.rows + p.per_task - 1) / p.per_task), sslh_i_runs_task, &p);
}

/* --- any strides: permute, broadcast ------------------------------------------------------------------------------ */

#define SSLH_I_STRIDED_ROWS 32

/* A contiguous dst of up to 6 axes; src is read with a stride per axis of dst (0: repeated). Work is cut into planes of
   the axis row (chosen so that src is read along its lines) and the last axis. */
typedef struct sslh_i_strided {
    const void *src;
    void *dst;
    sslh_type type;
    int add, n, row;
    size_t dim[SSLH_MAX_DIMS + 1], in[SSLH_MAX_DIMS + 1], out[SSLH_MAX_DIMS + 1]; /* sizes, strides of src and of dst */
    size_t blocks, items, per_task; /* blocks of rows in a plane, blocks in all, blocks a task takes */
} sslh_i_strided;

/* Fills n, dim, in from the axes of dst; axes of size 1 vanish, axes that lie one behind the other in both become one. */
SSLH_I_FN void sslh_i_strided_axes(sslh_i_strided *p, sslh_shape shape, const size_t *stride) {
    int i;
    p->n = 0;
    for (i = 0; i < shape.ndim; i++) {
        size_t d = (size_t)shape.size[i];
        if (d == 1) continue;
        if (p->n && p->in[p->n - 1] == stride[i] * d) {
            p->dim[p->n - 1] *= d;
            p->in[p->n - 1] = stride[i];
        } else {
            p->dim[p->n] = d;
            p->in[p->n++] = stride[i];
        }
    }
    while (p->n < 2) { /* at least a plane */
        memmove(p->dim + 1, p->dim, (size_t)p->n * sizeof *p->dim);
        memmove(p->in + 1, p->in, (size_t)p->n * sizeof *p->in);
        p->dim[0] = 1;
        p->in[0] = 0;
        p->n++;
    }
    p->out[p->n - 1] = 1;
    for (i = p->n - 1; i > 0; i--) p->out[i - 1] = p->out[i] * p->dim[i];
}

/* Tiles of 32 rows by 16 columns: the lines of src that a tile touches stay in the first cache. */
#define SSLH_I_STRIDED_TILE(T, s, d, op)                                                                       \
    for (j0 = 0; j0 < cols; j0 += 16)                                                                          \
        for (r = r0; r < r1; r++)                                                                              \
            for (j = j0; j < SSLH_I_MIN(cols, j0 + 16); j++)                                                   \
                ((T *)p->dst)[d + r * out_row + j] op ((const T *)p->src)[s + r * in_row + j * in_col]

SSLH_I_FN void sslh_i_strided_task(void *arg, int task, int worker) {
    const sslh_i_strided *p = (const sslh_i_strided *)arg;
    size_t item = (size_t)task * p->per_task, end = SSLH_I_MIN(p->items, item + p->per_task);
    size_t cols = p->dim[p->n - 1], in_col = p->in[p->n - 1], in_row = p->in[p->row], out_row = p->out[p->row];
    size_t size = sslh_i_type_size(p->type);
    (void)worker;
    for (; item < end; item++) {
        size_t r0 = item % p->blocks * SSLH_I_STRIDED_ROWS, r1 = SSLH_I_MIN(p->dim[p->row], r0 + SSLH_I_STRIDED_ROWS);
        size_t rest = item / p->blocks, s = 0, d = 0, r, j, j0;
        int i;
        for (i = p->n - 2; i >= 0; i--) {
            size_t at;
            if (i == p->row) continue;
            at = rest % p->dim[i];
            rest /= p->dim[i];
            s += at * p->in[i];
            d += at * p->out[i];
        }
        if (in_col == 1) {
            for (r = r0; r < r1; r++)
                sslh_i_run((char *)p->dst + (d + r * out_row) * size, (const char *)p->src + (s + r * in_row) * size, size, cols, p->add);
        } else if (p->add) {
            SSLH_I_STRIDED_TILE(sslh_real, s, d, +=);
        } else if (p->type == SSLH_F32) {
            SSLH_I_STRIDED_TILE(sslh_real, s, d, =);
        } else if (p->type == SSLH_I32) {
            SSLH_I_STRIDED_TILE(int32_t, s, d, =);
        } else {
            SSLH_I_STRIDED_TILE(uint8_t, s, d, =);
        }
    }
}

/* dst (contiguous, of that shape) = or += src read with these strides */
SSLH_I_FN void sslh_i_strided_copy(sslh_ctx *c, void *dst, const void *src, sslh_type type, sslh_shape shape, const size_t *stride, int add) {
    sslh_i_strided p;
    int i;
    p.src = src;
    p.dst = dst;
    p.type = type;
    p.add = add;
    sslh_i_strided_axes(&p, shape, stride);
    p.row = p.n - 2;
    if (p.in[p.n - 1] > 1) /* a transposition: rows run along src's last axis */
        for (i = 0; i < p.n - 1; i++)
            if (p.in[i] == 1) p.row = i;
    p.blocks = (p.dim[p.row] + SSLH_I_STRIDED_ROWS - 1) / SSLH_I_STRIDED_ROWS;
    p.items = p.blocks;
    for (i = 0; i < p.n - 1; i++)
        if (i != p.row) p.items *= p.dim[i];
    p.per_task = SSLH_I_COPY_TASK / (SSLH_I_MIN(p.dim[p.row], (size_t)SSLH_I_STRIDED_ROWS) * p.dim[p.n - 1]) + 1;
    sslh_i_parallel(c, (int)((p.items + p.per_task - 1) / p.per_task), sslh_i_strided_task, &p);
}

/* Sum of n values in 16 lanes and a fixed tree. */
SSLH_I_FN sslh_real sslh_i_lane_sum(const sslh_real *x, size_t n) {
    sslh_real a[16];
    size_t i, j, w;
    for (j = 0; j < 16; j++) a[j] = 0;
    for (i = 0; i + 16 <= n; i += 16)
        for (j = 0; j < 16; j++) a[j] += x[i + j];
    for (j = 0; i < n; i++, j++) a[j] += x[i];
    for (w = 8; w > 0; w /= 2)
        for (j = 0; j < w; j++) a[j] += a[j + w];
    return a[0];
}

/* The adjoint of a broadcast: src (of the large shape, contiguous) is added up into dst, where axes with stride 0 fall
   together. Tasks own slices of the longest axis that stays, so every sum is in row-major order of src. */
typedef struct sslh_i_fold { sslh_i_strided s; size_t step; } sslh_i_fold;

SSLH_I_FN void sslh_i_fold_task(void *arg, int task, int worker) {
    const sslh_i_fold *f = (const sslh_i_fold *)arg;
    const sslh_i_strided *p = &f->s;
    sslh_real *dst = (sslh_real *)p->dst;
    const sslh_real *src = (const sslh_real *)p->src;
    size_t lo[SSLH_MAX_DIMS + 1], hi[SSLH_MAX_DIMS + 1], at[SSLH_MAX_DIMS + 1], j;
    int i, last = p->n - 1;
    (void)worker;
    for (i = 0; i < p->n; i++) lo[i] = 0, hi[i] = p->dim[i];
    if (p->row >= 0) {
        lo[p->row] = (size_t)task * f->step;
        hi[p->row] = SSLH_I_MIN(p->dim[p->row], lo[p->row] + f->step);
    }
    for (i = 0; i < p->n; i++) at[i] = lo[i];
    for (;;) {
        size_t s = 0, d = 0, n = hi[last] - lo[last];
        for (i = 0; i < p->n; i++) {
            s += at[i] * p->out[i];
            d += at[i] * p->in[i];
        }
        if (p->in[last] == 0) dst[d] += sslh_i_lane_sum(src + s, n);
        else
            for (j = 0; j < n; j++) dst[d + j] += src[s + j];
        for (i = last - 1; i >= 0 && ++at[i] == hi[i]; i--) at[i] = lo[i];
        if (i < 0) break;
    }
}

SSLH_I_FN void sslh_i_fold_add(sslh_ctx *c, sslh_real *dst, const sslh_real *src, sslh_shape shape, const size_t *stride) {
    sslh_i_fold f;
    size_t total = 1, longest = 0;
    int i;
    sslh_i_strided_axes(&f.s, shape, stride);
    f.s.src = src;
    f.s.dst = dst;
    f.s.row = -1;
    for (i = 0; i < f.s.n; i++) {
        total *= f.s.dim[i];
        if (f.s.in[i] && f.s.dim[i] > longest) longest = f.s.dim[i], f.s.row = i;
    }
    if (f.s.row < 0) longest = 1;
    f.step = (SSLH_I_COPY_TASK / (total / longest + 1) + 16) / 16 * 16;
    sslh_i_parallel(c, (int)((longest + f.step - 1) / f.step), sslh_i_fold_task, &f);
}

/* --- reshape ------------------------------------------------------------------------------------------------------ */

SSLH_I_FN void sslh_i_reshape_back(sslh_ctx *c, sslh_i_node *n) { sslh_i_grad_pass(c, n->out, n->in[0], 1); }

SSLH_DEF sslh_tensor *sslh_reshape(sslh_ctx *c, sslh_tensor *x, sslh_shape shape) {
    const char *op = "sslh_reshape";
    sslh_tensor *out;
    sslh_shape given = shape;
    size_t known = 1, count;
    int i, open = -1, bad = 0;
    char a[96], b[96];
    if (!sslh_i_begin(c, op, &x, 1, 0)) return sslh_i_dummy(c);
    for (i = 0; i < shape.ndim && i < SSLH_MAX_DIMS; i++) {
        if (shape.size[i] == -1) bad |= open >= 0, open = i;
        else if (shape.size[i] > 0) bad |= !sslh_i_mul(known, (size_t)shape.size[i], &known);
    }
    if (open >= 0 && !bad && known && x->count % known == 0 && x->count / known <= INT_MAX) shape.size[open] = (int)(x->count / known);
    if (bad || (open >= 0 && shape.size[open] < 1)) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: %s to %s: %s", op, sslh_i_str(a, sizeof a, sslh_shape_of(x)), sslh_i_str(b, sizeof b, given),
                  bad ? "at most one size may be -1" : "no size fits in place of -1");
        return sslh_i_dummy(c);
    }
    count = sslh_i_count(c, op, shape);
    if (!count) return sslh_i_dummy(c);
    if (count != x->count) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: %s to %s: %.0f elements do not become %.0f", op, sslh_i_str(a, sizeof a, sslh_shape_of(x)),
                  sslh_i_str(b, sizeof b, given), (double)x->count, (double)count);
        return sslh_i_dummy(c);
    }
    out = sslh_i_alias(c, x, shape);
    if (!out) return sslh_i_dummy(c);
    sslh_i_record(c, op, sslh_i_reshape_back, out, &x, 1);
    return sslh_i_end(c, op, &x, 1, out);
}

/* --- permute ------------------------------------------------------------------------------------------------------ */

/* dst (shape of the result) = x with axis i of the result being axis order[i] of x (of shape xs) */
SSLH_I_FN void sslh_i_permute_copy(sslh_ctx *c, void *dst, const void *src, sslh_type type, sslh_shape xs, const int *order, int add) {
    size_t stride[SSLH_MAX_DIMS], permuted[SSLH_MAX_DIMS], s = 1;
    sslh_shape shape = xs;
    int i;
    for (i = xs.ndim - 1; i >= 0; i--) {
        stride[i] = s;
        s *= (size_t)xs.size[i];
    }
    for (i = 0; i < xs.ndim; i++) {
        permuted[i] = stride[order[i]];
        shape.size[i] = xs.size[order[i]];
    }
    sslh_i_strided_copy(c, dst, src, type, shape, permuted, add);
}

SSLH_I_FN void sslh_i_permute_back(sslh_ctx *c, sslh_i_node *n) {
    int inverse[SSLH_MAX_DIMS], i, fresh;
    sslh_real *g = sslh_i_grad(c, n->in[0], &fresh);
    if (!g) return;
    for (i = 0; i < n->out->ndim; i++) inverse[n->i[i]] = i;
    sslh_i_permute_copy(c, g, n->out->grad, SSLH_F32, sslh_shape_of(n->out), inverse, !fresh);
}

SSLH_I_FN sslh_tensor *sslh_i_permute(sslh_ctx *c, const char *op, sslh_tensor *x, const int *order) {
    sslh_tensor *out;
    sslh_i_node *node;
    sslh_shape shape;
    unsigned seen = 0;
    int i;
    if (!sslh_i_begin(c, op, &x, 1, 0)) return sslh_i_dummy(c);
    shape = sslh_shape_of(x);
    for (i = 0; i < x->ndim; i++) {
        if (!order || order[i] < 0 || order[i] >= x->ndim || (seen & 1u << order[i])) {
            sslh_fail(c, SSLH_E_USAGE, "%s: the order must name each of the %d axes once", op, x->ndim);
            return sslh_i_dummy(c);
        }
        seen |= 1u << order[i];
        shape.size[i] = x->shape[order[i]];
    }
    out = sslh_i_new(c, op, x->type, shape);
    if (!out) return sslh_i_dummy(c);
    sslh_i_permute_copy(c, sslh_i_get_data(out), sslh_i_get_data(x), x->type, sslh_shape_of(x), order, 0);
    node = sslh_i_record(c, op, sslh_i_permute_back, out, &x, 1);
    if (node)
        for (i = 0; i < x->ndim; i++) node->i[i] = order[i];
    return sslh_i_end(c, op, &x, 1, out);
}
SSLH_DEF sslh_tensor *sslh_permute(sslh_ctx *c, sslh_tensor *x, const int *order) { return sslh_i_permute(c, "sslh_permute", x, order); }

SSLH_DEF sslh_tensor *sslh_transpose(sslh_ctx *c, sslh_tensor *x, int axis_a, int axis_b) {
    const char *op = "sslh_transpose";
    int order[SSLH_MAX_DIMS], i, a, b;
    if (!sslh_i_begin(c, op, &x, 1, 0)) return sslh_i_dummy(c);
    a = sslh_i_shape_axis(c, op, axis_a, x->ndim);
    b = sslh_i_shape_axis(c, op, axis_b, x->ndim);
    if (a < 0 || b < 0) return sslh_i_dummy(c);
    for (i = 0; i < x->ndim; i++) order[i] = i == a ? b : i == b ? a : i;
    return sslh_i_permute(c, op, x, order);
}

/* --- concat, slice, pad: x seen as (outer, axis, inner) ----------------------------------------------------------- */

SSLH_I_FN void sslh_i_concat_back(sslh_ctx *c, sslh_i_node *n) {
    int axis = n->i[0], i;
    size_t outer = sslh_i_shape_span(n->out, 0, axis), whole = sslh_i_shape_span(n->out, axis, n->out->ndim), at = 0;
    for (i = 0; i < n->nin; i++) {
        size_t run = n->in[i]->count / outer;
        int fresh;
        sslh_real *g = sslh_i_grad(c, n->in[i], &fresh);
        if (g) sslh_i_runs_copy(c, g, run, n->out->grad + at, whole, outer, run, sizeof *g, !fresh);
        at += run;
    }
}

SSLH_DEF sslh_tensor *sslh_concat(sslh_ctx *c, sslh_tensor *const *list, int n, int axis) {
    const char *op = "sslh_concat";
    sslh_tensor **in, *out;
    sslh_i_node *node;
    sslh_shape shape;
    size_t outer, whole, at = 0;
    int i, j, sum = 0;
    char a[96], b[96];
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    if (n < 1 || !list) {
        sslh_fail(c, SSLH_E_USAGE, "%s: a list of at least one tensor is needed", op);
        return sslh_i_dummy(c);
    }
    in = (sslh_tensor **)sslh_i_record_alloc(c, (size_t)n * sizeof *in);
    if (!in) return sslh_i_dummy(c);
    memcpy(in, list, (size_t)n * sizeof *in);
    if (!sslh_i_begin(c, op, in, n, 0)) return sslh_i_dummy(c);
    axis = sslh_i_shape_axis(c, op, axis, in[0]->ndim);
    if (axis < 0) return sslh_i_dummy(c);
    shape = sslh_shape_of(in[0]);
    for (i = 0; i < n; i++) {
        int bad = in[i]->ndim != shape.ndim || in[i]->type != in[0]->type;
        for (j = 0; j < shape.ndim && !bad; j++) bad = j != axis && in[i]->shape[j] != shape.size[j];
        if (bad || in[i]->shape[axis] > INT_MAX - sum) {
            sslh_fail(c, SSLH_E_SHAPE, "%s: input %d of shape %s beside %s: type and all sizes but that of axis %d must be equal", op, i + 1,
                      sslh_i_str(a, sizeof a, sslh_shape_of(in[i])), sslh_i_str(b, sizeof b, sslh_shape_of(in[0])), axis);
            return sslh_i_dummy(c);
        }
        sum += in[i]->shape[axis];
    }
    shape.size[axis] = sum;
    out = sslh_i_new(c, op, in[0]->type, shape);
    if (!out) return sslh_i_dummy(c);
    outer = sslh_i_shape_span(out, 0, axis);
    whole = sslh_i_shape_span(out, axis, out->ndim);
    for (i = 0; i < n; i++) {
        size_t run = in[i]->count / outer, size = sslh_i_type_size(out->type);
        sslh_i_runs_copy(c, (char *)sslh_i_get_data(out) + at * size, whole, sslh_i_get_data(in[i]), run, outer, run, size, 0);
        at += run;
    }
    node = sslh_i_record(c, op, sslh_i_concat_back, out, in, n);
    if (node) node->i[0] = axis;
    return sslh_i_end(c, op, in, n, out);
}

SSLH_I_FN void sslh_i_slice_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_tensor *x = n->in[0];
    int axis = n->i[0], fresh;
    size_t outer = sslh_i_shape_span(x, 0, axis), inner = sslh_i_shape_span(x, axis + 1, x->ndim);
    size_t whole = x->count / outer, run = n->out->count / outer;
    sslh_real *g = sslh_i_grad(c, x, &fresh);
    if (!g) return;
    if (fresh) memset(g, 0, x->count * sizeof *g);
    sslh_i_runs_copy(c, g + (size_t)n->i[1] * inner, whole, n->out->grad, run, outer, run, sizeof *g, !fresh);
}

SSLH_DEF sslh_tensor *sslh_slice(sslh_ctx *c, sslh_tensor *x, int axis, int begin, int end) {
    const char *op = "sslh_slice";
    sslh_tensor *out;
    sslh_i_node *node;
    sslh_shape shape;
    size_t outer, inner, whole, run, size;
    if (!sslh_i_begin(c, op, &x, 1, 0)) return sslh_i_dummy(c);
    axis = sslh_i_shape_axis(c, op, axis, x->ndim);
    if (axis < 0) return sslh_i_dummy(c);
    if (begin < 0 || end <= begin || end > x->shape[axis]) {
        char a[96];
        sslh_fail(c, SSLH_E_SHAPE, "%s: [%d,%d) of axis %d of %s: 0 <= begin < end <= %d is needed", op, begin, end, axis,
                  sslh_i_str(a, sizeof a, sslh_shape_of(x)), x->shape[axis]);
        return sslh_i_dummy(c);
    }
    shape = sslh_shape_of(x);
    shape.size[axis] = end - begin;
    out = sslh_i_new(c, op, x->type, shape);
    if (!out) return sslh_i_dummy(c);
    outer = sslh_i_shape_span(x, 0, axis);
    inner = sslh_i_shape_span(x, axis + 1, x->ndim);
    whole = x->count / outer;
    run = out->count / outer;
    size = sslh_i_type_size(x->type);
    sslh_i_runs_copy(c, sslh_i_get_data(out), run, (const char *)sslh_i_get_data(x) + (size_t)begin * inner * size, whole, outer, run, size, 0);
    node = sslh_i_record(c, op, sslh_i_slice_back, out, &x, 1);
    if (node) {
        node->i[0] = axis;
        node->i[1] = begin;
    }
    return sslh_i_end(c, op, &x, 1, out);
}

SSLH_I_FN void sslh_i_pad_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_tensor *x = n->in[0];
    int axis = n->i[0], fresh;
    size_t outer = sslh_i_shape_span(x, 0, axis), inner = sslh_i_shape_span(x, axis + 1, x->ndim);
    size_t whole = n->out->count / outer, run = x->count / outer;
    sslh_real *g = sslh_i_grad(c, x, &fresh);
    if (g) sslh_i_runs_copy(c, g, run, n->out->grad + (size_t)n->i[1] * inner, whole, outer, run, sizeof *g, !fresh);
}

SSLH_DEF sslh_tensor *sslh_pad(sslh_ctx *c, sslh_tensor *x, int axis, int before, int after, float value) {
    const char *op = "sslh_pad";
    sslh_tensor *out;
    sslh_i_node *node;
    sslh_shape shape;
    size_t outer, inner, whole, run, r, j;
    if (!sslh_i_begin(c, op, &x, 1, 1)) return sslh_i_dummy(c);
    axis = sslh_i_shape_axis(c, op, axis, x->ndim);
    if (axis < 0) return sslh_i_dummy(c);
    if (before < 0 || after < 0 || (double)before + after + x->shape[axis] > INT_MAX) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: %d before and %d after: sizes of at least 0 are needed", op, before, after);
        return sslh_i_dummy(c);
    }
    shape = sslh_shape_of(x);
    shape.size[axis] += before + after;
    out = sslh_i_new(c, op, SSLH_F32, shape);
    if (!out) return sslh_i_dummy(c);
    outer = sslh_i_shape_span(x, 0, axis);
    inner = sslh_i_shape_span(x, axis + 1, x->ndim);
    whole = out->count / outer;
    run = x->count / outer;
    for (r = 0; r < outer; r++) {
        sslh_real *o = out->data + r * whole;
        for (j = 0; j < (size_t)before * inner; j++) o[j] = (sslh_real)value;
        for (j += run; j < whole; j++) o[j] = (sslh_real)value;
    }
    sslh_i_runs_copy(c, out->data + (size_t)before * inner, whole, x->data, run, outer, run, sizeof *x->data, 0);
    node = sslh_i_record(c, op, sslh_i_pad_back, out, &x, 1);
    if (node) {
        node->i[0] = axis;
        node->i[1] = before;
    }
    return sslh_i_end(c, op, &x, 1, out);
}

/* --- broadcast ---------------------------------------------------------------------------------------------------- */

/* Strides with which x is read as a tensor of that shape, axes aligned at the end; 0 where x repeats. 0 if it does not fit. */
SSLH_I_FN int sslh_i_broadcast_strides(const sslh_tensor *x, sslh_shape shape, size_t *stride) {
    size_t s = 1;
    int i, shift = shape.ndim - x->ndim;
    if (shift < 0) return 0;
    for (i = shape.ndim - 1; i >= 0; i--) {
        int d = i >= shift ? x->shape[i - shift] : 1;
        if (d != 1 && d != shape.size[i]) return 0;
        stride[i] = d == 1 ? 0 : s;
        s *= (size_t)d;
    }
    return 1;
}

SSLH_I_FN void sslh_i_broadcast_back(sslh_ctx *c, sslh_i_node *n) {
    size_t stride[SSLH_MAX_DIMS];
    int fresh;
    sslh_real *g = sslh_i_grad(c, n->in[0], &fresh);
    if (!g || !sslh_i_broadcast_strides(n->in[0], sslh_shape_of(n->out), stride)) return;
    if (fresh) memset(g, 0, n->in[0]->count * sizeof *g);
    sslh_i_fold_add(c, g, n->out->grad, sslh_shape_of(n->out), stride);
}

SSLH_DEF sslh_tensor *sslh_broadcast(sslh_ctx *c, sslh_tensor *x, sslh_shape shape) {
    const char *op = "sslh_broadcast";
    sslh_tensor *out;
    size_t stride[SSLH_MAX_DIMS];
    if (!sslh_i_begin(c, op, &x, 1, 0) || !sslh_i_count(c, op, shape)) return sslh_i_dummy(c);
    if (!sslh_i_broadcast_strides(x, shape, stride)) {
        char a[96], b[96];
        sslh_fail(c, SSLH_E_SHAPE, "%s: %s to %s: each size of the first, from the end, must be 1 or equal", op,
                  sslh_i_str(a, sizeof a, sslh_shape_of(x)), sslh_i_str(b, sizeof b, shape));
        return sslh_i_dummy(c);
    }
    out = sslh_i_new(c, op, x->type, shape);
    if (!out) return sslh_i_dummy(c);
    sslh_i_strided_copy(c, sslh_i_get_data(out), sslh_i_get_data(x), x->type, shape, stride, 0);
    sslh_i_record(c, op, sslh_i_broadcast_back, out, &x, 1);
    return sslh_i_end(c, op, &x, 1, out);
}

/* --- rows by index: embedding, gather ------------------------------------------------------------------------------ */

/* Every index in 0 .. limit-1, or an error that names the first that is not. */
SSLH_I_FN int sslh_i_index_ok(sslh_ctx *c, const char *op, const sslh_tensor *index, int limit) {
    size_t i;
    for (i = 0; i < index->count; i++)
        if (index->ints[i] < 0 || index->ints[i] >= limit) {
            sslh_fail(c, SSLH_E_USAGE, "%s: index %d at position %.0f is outside 0..%d", op, (int)index->ints[i], (double)i, limit - 1);
            return 0;
        }
    return 1;
}

/* samples groups of count rows of width elements: dst row (n, j) = src row (n, index[n][j]); embedding is one group,
   cut over its rows. Backward: src row += dst row in the order of j. */
typedef struct sslh_i_pick {
    const char *src; /* rows source rows a group */
    char *dst;
    const int32_t *index;
    size_t samples, rows, count, width, size, per_task;
    int fresh;
} sslh_i_pick;

SSLH_I_FN void sslh_i_pick_task(void *arg, int task, int worker) {
    const sslh_i_pick *p = (const sslh_i_pick *)arg;
    size_t j = (size_t)task * p->per_task, end = SSLH_I_MIN(p->samples * p->count, j + p->per_task), bytes = p->width * p->size;
    (void)worker;
    for (; j < end; j++) memcpy(p->dst + j * bytes, p->src + (j / p->count * p->rows + (size_t)p->index[j]) * bytes, bytes);
}

#define SSLH_I_PICK_COLUMNS 64

/* Task: one group, 64 columns. Here dst is the gradient of the source rows, src the gradient of the picked rows. */
SSLH_I_FN void sslh_i_pick_back_task(void *arg, int task, int worker) {
    const sslh_i_pick *p = (const sslh_i_pick *)arg;
    size_t slices = (p->width + SSLH_I_PICK_COLUMNS - 1) / SSLH_I_PICK_COLUMNS, n = (size_t)task / slices;
    size_t d0 = (size_t)task % slices * SSLH_I_PICK_COLUMNS, wide = SSLH_I_MIN(p->width - d0, (size_t)SSLH_I_PICK_COLUMNS), j, d;
    sslh_real *g = (sslh_real *)(void *)p->dst + n * p->rows * p->width + d0;
    const sslh_real *y = (const sslh_real *)(const void *)p->src + n * p->count * p->width + d0;
    (void)worker;
    if (p->fresh)
        for (j = 0; j < p->rows; j++) memset(g + j * p->width, 0, wide * sizeof *g);
    for (j = 0; j < p->count; j++) {
        sslh_real *to = g + (size_t)p->index[n * p->count + j] * p->width;
        for (d = 0; d < wide; d++) to[d] += y[j * p->width + d];
    }
}

SSLH_I_FN void sslh_i_pick_rows(sslh_ctx *c, sslh_i_pick *p, int back) {
    if (back) {
        sslh_i_parallel(c, (int)(p->samples * ((p->width + SSLH_I_PICK_COLUMNS - 1) / SSLH_I_PICK_COLUMNS)), sslh_i_pick_back_task, p);
    } else {
        p->per_task = SSLH_I_COPY_TASK / p->width + 1;
        sslh_i_parallel(c, (int)((p->samples * p->count + p->per_task - 1) / p->per_task), sslh_i_pick_task, p);
    }
}

SSLH_I_FN void sslh_i_pick_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_tensor *x = n->in[0], *index = n->in[1];
    int grouped = n->i[0]; /* gather: axis 0 of x is the sample */
    sslh_i_pick p;
    sslh_real *g = sslh_i_grad(c, x, &p.fresh);
    if (!g) return;
    p.samples = grouped ? (size_t)x->shape[0] : 1;
    p.rows = (size_t)x->shape[grouped];
    p.count = index->count / p.samples;
    p.width = x->count / (p.samples * p.rows);
    p.src = (const char *)n->out->grad;
    p.dst = (char *)g;
    p.size = sizeof *g;
    p.index = index->ints;
    sslh_i_pick_rows(c, &p, 1);
}

SSLH_I_FN sslh_tensor *sslh_i_pick_op(sslh_ctx *c, const char *op, sslh_tensor *x, sslh_tensor *index, sslh_shape shape, int grouped) {
    sslh_tensor *in[2], *out;
    sslh_i_node *node;
    sslh_i_pick p;
    in[0] = x;
    in[1] = index;
    if (!sslh_i_index_ok(c, op, index, x->shape[grouped])) return sslh_i_dummy(c);
    out = sslh_i_new(c, op, x->type, shape);
    if (!out) return sslh_i_dummy(c);
    p.samples = grouped ? (size_t)x->shape[0] : 1;
    p.rows = (size_t)x->shape[grouped];
    p.count = index->count / p.samples;
    p.width = x->count / (p.samples * p.rows);
    p.src = (const char *)sslh_i_get_data(x);
    p.dst = (char *)sslh_i_get_data(out);
    p.size = sslh_i_type_size(x->type);
    p.index = index->ints;
    p.fresh = 0;
    sslh_i_pick_rows(c, &p, 0);
    node = sslh_i_record(c, op, sslh_i_pick_back, out, in, 2);
    if (node) node->i[0] = grouped;
    return sslh_i_end(c, op, in, 2, out);
}

SSLH_DEF sslh_tensor *sslh_embedding(sslh_ctx *c, sslh_tensor *table, sslh_tensor *index) {
    const char *op = "sslh_embedding";
    sslh_tensor *in[2];
    sslh_shape shape;
    char a[96], b[96];
    in[0] = table;
    in[1] = index;
    if (!sslh_i_begin(c, op, in, 2, 0)) return sslh_i_dummy(c);
    if (table->ndim != 2 || table->type != SSLH_F32 || index->type != SSLH_I32 || index->ndim >= SSLH_MAX_DIMS) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: table %s, index %s: a real table (K,D) and I32 indices of at most %d dimensions are needed", op,
                  sslh_i_str(a, sizeof a, sslh_shape_of(table)), sslh_i_str(b, sizeof b, sslh_shape_of(index)), SSLH_MAX_DIMS - 1);
        return sslh_i_dummy(c);
    }
    shape = sslh_shape_of(index);
    shape.size[shape.ndim++] = table->shape[1];
    return sslh_i_pick_op(c, op, table, index, shape, 0);
}

SSLH_DEF sslh_tensor *sslh_gather(sslh_ctx *c, sslh_tensor *x, sslh_tensor *index) {
    const char *op = "sslh_gather";
    sslh_tensor *in[2];
    sslh_shape shape;
    char a[96], b[96];
    in[0] = x;
    in[1] = index;
    if (!sslh_i_begin(c, op, in, 2, 0)) return sslh_i_dummy(c);
    if (x->ndim < 2 || index->type != SSLH_I32 || index->ndim != 2 || index->shape[0] != x->shape[0]) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s, index %s: x (N,T,..) and I32 indices (N,J) are needed", op, sslh_i_str(a, sizeof a, sslh_shape_of(x)),
                  sslh_i_str(b, sizeof b, sslh_shape_of(index)));
        return sslh_i_dummy(c);
    }
    shape = sslh_shape_of(x);
    shape.size[1] = index->shape[1];
    return sslh_i_pick_op(c, op, x, index, shape, 1);
}

/* --- integers to real ---------------------------------------------------------------------------------------------- */

typedef struct sslh_i_real_arg { const sslh_tensor *x; sslh_tensor *out; sslh_real scale; } sslh_i_real_arg;

SSLH_I_FN void sslh_i_to_real_task(void *arg, int task, int worker) {
    const sslh_i_real_arg *p = (const sslh_i_real_arg *)arg;
    size_t i = (size_t)task * SSLH_I_COPY_TASK, end = SSLH_I_MIN(p->x->count, i + SSLH_I_COPY_TASK);
    sslh_real *o = p->out->data, k = p->scale;
    (void)worker;
    if (p->x->bytes)
        for (; i < end; i++) o[i] = (sslh_real)p->x->bytes[i] * k;
    else if (p->x->ints)
        for (; i < end; i++) o[i] = (sslh_real)p->x->ints[i] * k;
    else
        for (; i < end; i++) o[i] = p->x->data[i] * k;
}

SSLH_DEF sslh_tensor *sslh_to_real(sslh_ctx *c, sslh_tensor *x, float scale) {
    const char *op = "sslh_to_real";
    sslh_i_real_arg p;
    if (!sslh_i_begin(c, op, &x, 1, 0)) return sslh_i_dummy(c);
    p.x = x;
    p.scale = (sslh_real)scale;
    p.out = sslh_i_new(c, op, SSLH_F32, sslh_shape_of(x));
    if (!p.out) return sslh_i_dummy(c);
    sslh_i_parallel(c, (int)((x->count + SSLH_I_COPY_TASK - 1) / SSLH_I_COPY_TASK), sslh_i_to_real_task, &p);
    return sslh_i_end(c, op, &x, 1, p.out);
}

/* ================================================================================================================== */
/*  >>sequences     attention, GRU                                                                                   */
/* ================================================================================================================== */

/* --- products of a task's own --------------------------------------------------------------------------------------- */
/* Small products that one task computes alone, on the tiles of >>products: every sum is one chain over k. */

enum { SSLH_I_SEQ_ROWS = 48 }; /* rows of a block: a multiple of every tile height */

/* c (rows,cols) = or += a (rows,k) b (k,cols); rows <= SSLH_I_SEQ_ROWS. b is packed in panels [panel][k][NR] when ldb is 0,
   else it lies in rows that are readable up to a whole register. */
SSLH_I_FN void sslh_i_seq_product(const struct sslh_i_kernels *kern, const sslh_real *a, size_t lda, size_t rows, size_t k, const sslh_real *b,
                                  size_t ldb, sslh_real *c, size_t ldc, size_t cols, int accumulate) {
    const sslh_real *row[SSLH_I_SEQ_ROWS];
    size_t nr = (size_t)kern->nr, j;
    sslh_i_tile t;
    memset(&t, 0, sizeof t);
    for (j = 0; j < rows; j++) row[j] = a + j * lda;
    t.rows = (int)rows;
    t.segs = 1;
    t.len = (int)k;
    t.a = row;
    t.ldc = ldc;
    t.accumulate = accumulate;
    t.bstep = ldb ? ldb : nr;
    for (j = 0; j < cols; j += nr) {
        t.cols = (int)SSLH_I_MIN(nr, cols - j);
        t.b = ldb ? b + j : b + j * k;
        t.c = c + j;
        kern->tile_rows(&t);
    }
}

/* c (rows,cols) += a' b with a (k,rows), b (k,cols) in rows as above */
SSLH_I_FN void sslh_i_seq_product_t(const struct sslh_i_kernels *kern, const sslh_real *a, size_t lda, size_t rows, size_t k, const sslh_real *b,
                                    size_t ldb, sslh_real *c, size_t ldc, size_t cols) {
    const sslh_real *from = a, *panel;
    size_t nr = (size_t)kern->nr, j;
    int len = (int)k;
    sslh_i_tile t;
    memset(&t, 0, sizeof t);
    t.rows = (int)rows;
    t.segs = 1;
    t.lens = &len;
    t.a = &from;
    t.bs = &panel;
    t.astep = lda;
    t.bstep = ldb;
    t.ldc = ldc;
    t.accumulate = 1;
    for (j = 0; j < cols; j += nr) {
        t.cols = (int)SSLH_I_MIN(nr, cols - j);
        panel = b + j;
        t.c = c + j;
        kern->tile_runs(&t);
    }
}

/* x' of x (T,d) as panels of width columns in all (zeros behind T). */
SSLH_I_FN void sslh_i_seq_pack_t(const struct sslh_i_kernels *kern, sslh_real *to, const sslh_real *x, size_t ld, size_t T, size_t d, size_t width) {
    size_t nr = (size_t)kern->nr, j;
    for (j = 0; j < width; j += nr)
        kern->pack_t(to + j * d, kern->nr, x + SSLH_I_MIN(j, T - 1) * ld, ld, (int)(j < T ? SSLH_I_MIN(nr, T - j) : 0), (int)d);
}

/* --- attention ------------------------------------------------------------------------------------------------------ */
/* Vaswani et al. 2017, eq. 1, per sample and head; q (Tq,d), k, v (Tk,d), d = D / heads:
     S = scale q k'          (Tq,Tk), masked places at minus infinity                                                (1)
     P = exp(S - lse)        lse = log sum exp of each row                                                           (2)
     o = P v                                                                                                         (3)
   Backward, with P computed again from the saved lse (Dao et al. 2022):
     dP = do v',  delta = rows' sum of do * o,  dS = P * (dP - delta)                                                  (4)
     dq = scale dS k,  dk = scale dS' q,  dv = P' do                                                                 (5)
   A task takes whole heads, in blocks of 48 queries, so that no Tq x Tk matrix exists and every sum has one order. */

typedef struct sslh_i_attention {
    const struct sslh_i_kernels *kern;
    const sslh_real *q, *k, *v, *out, *dout; /* row t of sample n, head h: x + (n T + t) ld + h d */
    sslh_real *o, *dq, *dk, *dv;
    sslh_real *lse, *weights;                /* (N,heads,Tq), (N,heads,Tq,Tk) or NULL */
    const uint8_t *mask;                     /* (N,Tk) or NULL */
    size_t ldq, ldk, ldv, ldo;
    size_t N, heads, Tq, Tk, d, width, wide, per_task; /* width: Tk in whole vectors; wide: d likewise */
    int causal, fresh_q, fresh_k, fresh_v;
    sslh_real scale;
    sslh_real *work;                         /* per worker */
    size_t work_reals;
} sslh_i_attention;

/* A worker's buffers, one after the other. */
typedef struct sslh_i_head {
    sslh_real *kt, *vt;      /* panels of k', v' (d,width) */
    sslh_real *s, *dp;       /* (48,width) */
    sslh_real *bias;         /* (width): 0, or minus infinity at masked keys and behind Tk */
    sslh_real *row;          /* (48): 1 / sum, or delta */
    sslh_real *pad[4];       /* (T,wide): rows of q, k, v, do when d is not a whole number of vectors */
} sslh_i_head;

/* The buffers in work (counted when NULL); returns their size. */
SSLH_I_FN size_t sslh_i_head_layout(const sslh_i_attention *p, sslh_real *work, sslh_i_head *b) {
    size_t at = 0, panel = p->d * ((p->width + 31) / 32 * 32), T = SSLH_I_MAX(p->Tq, p->Tk);
    int i;
#define SSLH_I_TAKE(field, n) (b->field = work ? work + at : NULL, at += ((n) + 15) / 16 * 16)
    SSLH_I_TAKE(kt, panel);
    SSLH_I_TAKE(vt, panel);
    SSLH_I_TAKE(s, SSLH_I_SEQ_ROWS * p->width);
    SSLH_I_TAKE(dp, SSLH_I_SEQ_ROWS * p->width);
    SSLH_I_TAKE(bias, p->width);
    SSLH_I_TAKE(row, (size_t)SSLH_I_SEQ_ROWS);
    for (i = 0; i < 4; i++) SSLH_I_TAKE(pad[i], p->d % 16 ? T * p->wide : 0);
#undef SSLH_I_TAKE
    return at;
}

/* Rows (T,d) that a tile may read as b: in place, or copied with zeros up to whole vectors. */
SSLH_I_FN const sslh_real *sslh_i_head_rows(const sslh_i_attention *p, const sslh_real *x, size_t ld, size_t T, sslh_real *pad, size_t *ld_out) {
    size_t t;
    *ld_out = ld;
    if (p->d % 16 == 0) return x;
    *ld_out = p->wide;
    for (t = 0; t < T; t++) {
        memcpy(pad + t * p->wide, x + t * ld, p->d * sizeof *x);
        memset(pad + t * p->wide + p->d, 0, (p->wide - p->d) * sizeof *x);
    }
    return pad;
}

SSLH_I_FN void sslh_i_head_bias(const sslh_i_attention *p, size_t n, sslh_real *bias) {
    size_t j;
    for (j = 0; j < p->width; j++) bias[j] = j >= p->Tk || (p->mask && p->mask[n * p->Tk + j]) ? -SSLH_I_MASKED : SSLH_I_R(0);
}

/* q k' for the queries q0 .. q0+rows: not yet scaled, without the bias of padded keys, with the causal mask; returns the
   columns in use. */
SSLH_I_FN size_t sslh_i_head_scores(const sslh_i_attention *p, const sslh_real *q, const sslh_i_head *b, size_t q0, size_t rows, size_t *keys) {
    size_t r, j, width;
    *keys = p->causal ? SSLH_I_MIN(p->Tk, q0 + rows) : p->Tk;
    width = (*keys + 15) / 16 * 16;
    sslh_i_seq_product(p->kern, q + q0 * p->ldq, p->ldq, rows, p->d, b->kt, 0, b->s, p->width, width, 0);
    for (r = 0; r < rows; r++) {
        sslh_real *s = b->s + r * p->width;
        for (j = q0 + r + 1; p->causal && j < width; j++) s[j] = -SSLH_I_MASKED;
    }
    return width;
}

SSLH_I_FN void sslh_i_head_forward(const sslh_i_attention *p, size_t n, size_t h, const sslh_i_head *b) {
    const sslh_real *q = p->q + n * p->Tq * p->ldq + h * p->d, *k = p->k + n * p->Tk * p->ldk + h * p->d;
    const sslh_real *v = p->v + n * p->Tk * p->ldv + h * p->d;
    sslh_real *o = p->o + n * p->Tq * p->ldo + h * p->d, *lse = p->lse + (n * p->heads + h) * p->Tq;
    size_t ldv, q0, r, j, keys;
    sslh_i_seq_pack_t(p->kern, b->kt, k, p->ldk, p->Tk, p->d, p->width);
    sslh_i_head_bias(p, n, b->bias);
    v = sslh_i_head_rows(p, v, p->ldv, p->Tk, b->pad[2], &ldv);
    for (q0 = 0; q0 < p->Tq; q0 += SSLH_I_SEQ_ROWS) {
        size_t rows = SSLH_I_MIN((size_t)SSLH_I_SEQ_ROWS, p->Tq - q0), width = sslh_i_head_scores(p, q, b, q0, rows, &keys);
        for (r = 0; r < rows; r++) p->kern->attend(b->s + r * p->width, p->scale, b->bias, width, lse + q0 + r, b->row + r); /* (1), (2) */
        sslh_i_seq_product(p->kern, b->s, p->width, rows, keys, v, ldv, o + q0 * p->ldo, p->ldo, p->d, 0); /* (3) */
        for (r = 0; r < rows; r++) {
            sslh_real *to = o + (q0 + r) * p->ldo, inverse = b->row[r];
            for (j = 0; j < p->d; j++) to[j] = to[j] * inverse;
            if (!p->weights) continue;
            to = p->weights + ((n * p->heads + h) * p->Tq + q0 + r) * p->Tk;
            for (j = 0; j < p->Tk; j++) to[j] = j < keys ? b->s[r * p->width + j] * inverse : SSLH_I_R(0);
        }
    }
}

SSLH_I_FN void sslh_i_head_backward(const sslh_i_attention *p, size_t n, size_t h, const sslh_i_head *b) {
    const sslh_real *q = p->q + n * p->Tq * p->ldq + h * p->d, *k = p->k + n * p->Tk * p->ldk + h * p->d;
    const sslh_real *v = p->v + n * p->Tk * p->ldv + h * p->d, *g = p->dout + n * p->Tq * p->ldo + h * p->d;
    const sslh_real *o = p->out + n * p->Tq * p->ldo + h * p->d, *lse = p->lse + (n * p->heads + h) * p->Tq;
    sslh_real *dq = p->dq ? p->dq + n * p->Tq * p->ldq + h * p->d : NULL, *dk = p->dk ? p->dk + n * p->Tk * p->ldk + h * p->d : NULL;
    sslh_real *dv = p->dv ? p->dv + n * p->Tk * p->ldv + h * p->d : NULL;
    const sslh_real *rows_q, *rows_k, *rows_g;
    size_t ldq, ldk, ldg, q0, r, t, keys;
    sslh_i_seq_pack_t(p->kern, b->kt, k, p->ldk, p->Tk, p->d, p->width);
    sslh_i_seq_pack_t(p->kern, b->vt, v, p->ldv, p->Tk, p->d, p->width);
    sslh_i_head_bias(p, n, b->bias);
    rows_q = sslh_i_head_rows(p, q, p->ldq, p->Tq, b->pad[0], &ldq);
    rows_k = sslh_i_head_rows(p, k, p->ldk, p->Tk, b->pad[1], &ldk);
    rows_g = sslh_i_head_rows(p, g, p->ldo, p->Tq, b->pad[3], &ldg);
    for (t = 0; t < p->Tk; t++) { /* blocks of queries add to these */
        if (dk && p->fresh_k) memset(dk + t * p->ldk, 0, p->d * sizeof *dk);
        if (dv && p->fresh_v) memset(dv + t * p->ldv, 0, p->d * sizeof *dv);
    }
    for (q0 = 0; q0 < p->Tq; q0 += SSLH_I_SEQ_ROWS) {
        size_t rows = SSLH_I_MIN((size_t)SSLH_I_SEQ_ROWS, p->Tq - q0), width = sslh_i_head_scores(p, q, b, q0, rows, &keys);
        sslh_i_seq_product(p->kern, g + q0 * p->ldo, p->ldo, rows, p->d, b->vt, 0, b->dp, p->width, width, 0); /* dP */
        for (r = 0; r < rows; r++) { /* (2), (4) */
            sslh_real delta = p->kern->dot(g + (q0 + r) * p->ldo, o + (q0 + r) * p->ldo, p->d);
            p->kern->attend_back(b->s + r * p->width, p->scale, b->dp + r * p->width, b->bias, width, lse[q0 + r], delta);
        }
        if (dv) sslh_i_seq_product_t(p->kern, b->s, p->width, keys, rows, rows_g + q0 * ldg, ldg, dv, p->ldv, p->d); /* (5) */
        if (dq) sslh_i_seq_product(p->kern, b->dp, p->width, rows, keys, rows_k, ldk, dq + q0 * p->ldq, p->ldq, p->d, !p->fresh_q);
        if (dk) sslh_i_seq_product_t(p->kern, b->dp, p->width, keys, rows, rows_q + q0 * ldq, ldq, dk, p->ldk, p->d);
    }
}

SSLH_I_FN void sslh_i_attention_task(void *arg, int task, int worker) {
    const sslh_i_attention *p = (const sslh_i_attention *)arg;
    size_t i = (size_t)task * p->per_task, end = SSLH_I_MIN(p->N * p->heads, i + p->per_task);
    sslh_i_head b;
    sslh_i_head_layout(p, p->work + (size_t)worker * p->work_reals, &b);
    for (; i < end; i++) {
        if (p->dout) sslh_i_head_backward(p, i / p->heads, i % p->heads, &b);
        else sslh_i_head_forward(p, i / p->heads, i % p->heads, &b);
    }
}

SSLH_I_FN void sslh_i_attention_run(sslh_ctx *c, sslh_i_attention *p) {
    sslh_i_head b;
    size_t all = p->N * p->heads;
    p->kern = c->k;
    p->width = (p->Tk + 15) / 16 * 16;
    p->wide = (p->d + 31) / 32 * 32;
    p->work_reals = sslh_i_head_layout(p, NULL, &b);
    p->per_task = ((size_t)1 << 18) / (p->Tq * p->Tk * p->d) + 1;
    p->work = (sslh_real *)sslh_i_scratch(c, p->work_reals * (size_t)c->threads * sizeof *p->work);
    if (!p->work) return;
    sslh_i_parallel(c, (int)((all + p->per_task - 1) / p->per_task), sslh_i_attention_task, p);
    sslh_i_unscratch(c, p->work);
}

/* Sizes and places of q, k, v; in[0..2], or the three thirds of in[0] when in[1] is NULL. */
SSLH_I_FN void sslh_i_attention_inputs(sslh_i_attention *p, sslh_tensor **in, sslh_tensor *out, int heads) {
    size_t D = (size_t)out->shape[2];
    memset(p, 0, sizeof *p);
    p->N = (size_t)out->shape[0];
    p->Tq = (size_t)out->shape[1];
    p->heads = (size_t)heads;
    p->d = D / p->heads;
    p->ldo = D;
    if (in[1]) {
        p->q = in[0]->data;
        p->k = in[1]->data;
        p->v = in[2]->data;
        p->ldq = p->ldk = p->ldv = D;
        p->Tk = (size_t)in[1]->shape[1];
    } else {
        p->q = in[0]->data;
        p->k = p->q + D;
        p->v = p->k + D;
        p->ldq = p->ldk = p->ldv = 3 * D;
        p->Tk = p->Tq;
    }
    p->mask = in[3] ? in[3]->bytes : NULL;
}

SSLH_I_FN void sslh_i_attention_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_i_attention p;
    sslh_tensor **in = n->in;
    sslh_i_attention_inputs(&p, in, n->out, n->i[0]);
    p.causal = n->i[1];
    p.scale = n->f[0];
    p.lse = n->saved[0]->data;
    p.out = n->out->data;
    p.dout = n->out->grad;
    if (!in[1]) {
        p.dq = sslh_i_grad(c, in[0], &p.fresh_q);
        if (!p.dq) return;
        p.dk = p.dq + p.ldo;
        p.dv = p.dk + p.ldo;
        p.fresh_k = p.fresh_v = p.fresh_q;
    } else if (in[0] == in[1] || in[1] == in[2] || in[0] == in[2]) { /* gradients that meet in one tensor are added up */
        p.dq = sslh_grad(c, in[0]);
        p.dk = sslh_grad(c, in[1]);
        p.dv = sslh_grad(c, in[2]);
    } else {
        p.dq = sslh_i_grad(c, in[0], &p.fresh_q);
        p.dk = sslh_i_grad(c, in[1], &p.fresh_k);
        p.dv = sslh_i_grad(c, in[2], &p.fresh_v);
    }
    if (!SSLH_I_BAD(c)) sslh_i_attention_run(c, &p);
}

/* in: q, k, v, mask; or qkv, NULL, NULL, mask. Shapes have been checked but for heads and mask. */
SSLH_I_FN sslh_tensor *sslh_i_attention_op(sslh_ctx *c, const char *op, sslh_tensor **in, int D, sslh_attention_desc desc) {
    sslh_tensor *out, *lse, *weights = NULL;
    sslh_i_node *node;
    sslh_i_attention p;
    int heads = desc.heads ? desc.heads : 1, N = in[0]->shape[0], Tq = in[0]->shape[1], Tk = in[1] ? in[1]->shape[1] : Tq;
    if (heads < 1 || D % heads != 0) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: %d heads do not divide the width %d", op, heads, D);
        return sslh_i_dummy(c);
    }
    if (desc.scale < 0 || desc.scale != desc.scale) {
        sslh_fail(c, SSLH_E_USAGE, "%s: scale %g: it must be above 0 (0: the default)", op, (double)desc.scale);
        return sslh_i_dummy(c);
    }
    if (in[3] && (in[3]->type != SSLH_U8 || in[3]->ndim != 2 || in[3]->shape[0] != N || in[3]->shape[1] != Tk)) {
        char s[96];
        sslh_fail(c, SSLH_E_SHAPE, "%s: key_mask %s: an 8-bit tensor (%d,%d), samples by keys, is needed", op,
                  sslh_i_str(s, sizeof s, sslh_shape_of(in[3])), N, Tk);
        return sslh_i_dummy(c);
    }
    out = sslh_i_new(c, op, SSLH_F32, sslh_dim3(N, Tq, D));
    lse = out ? sslh_i_new(c, op, SSLH_F32, sslh_dim3(N, heads, Tq)) : NULL;
    if (lse && desc.weights) weights = sslh_i_new(c, op, SSLH_F32, sslh_dim4(N, heads, Tq, Tk));
    if (!lse || (desc.weights && !weights)) return sslh_i_dummy(c);
    sslh_i_attention_inputs(&p, in, out, heads);
    p.causal = desc.causal;
    p.scale = desc.scale != 0 ? (sslh_real)desc.scale : 1 / sslh_i_sqrt((sslh_real)(D / heads));
    p.o = out->data;
    p.lse = lse->data;
    if (weights) {
        p.weights = weights->data;
        *desc.weights = weights;
    }
    sslh_i_attention_run(c, &p);
    node = sslh_i_record(c, op, sslh_i_attention_back, out, in, 4);
    if (node) {
        node->i[0] = heads;
        node->i[1] = desc.causal;
        node->f[0] = p.scale;
    }
    sslh_i_save(c, node, lse);
    return sslh_i_end(c, op, in, in[1] ? 3 : 1, out);
}

SSLH_DEF sslh_tensor *sslh_attention(sslh_ctx *c, sslh_tensor *q, sslh_tensor *k, sslh_tensor *v, sslh_attention_desc desc) {
    const char *op = "sslh_attention";
    sslh_tensor *in[4];
    if (desc.weights) *desc.weights = sslh_i_dummy(c);
    in[0] = q;
    in[1] = k;
    in[2] = v;
    in[3] = desc.key_mask;
    if (!sslh_i_begin(c, op, in, 3, 1) || (in[3] && !sslh_i_begin(c, op, in + 3, 1, 0))) return sslh_i_dummy(c);
    if (q->ndim != 3 || k->ndim != 3 || !sslh_i_same_shape(k, v) || q->shape[0] != k->shape[0] || q->shape[2] != k->shape[2]) {
        char a[96], b[96], d[96];
        sslh_fail(c, SSLH_E_SHAPE, "%s: q %s, k %s, v %s: (N,Tq,D) and twice (N,Tk,D) are needed", op, sslh_i_str(a, sizeof a, sslh_shape_of(q)),
                  sslh_i_str(b, sizeof b, sslh_shape_of(k)), sslh_i_str(d, sizeof d, sslh_shape_of(v)));
        return sslh_i_dummy(c);
    }
    return sslh_i_attention_op(c, op, in, q->shape[2], desc);
}

SSLH_DEF sslh_tensor *sslh_self_attention(sslh_ctx *c, sslh_tensor *qkv, sslh_attention_desc desc) {
    const char *op = "sslh_self_attention";
    sslh_tensor *in[4];
    if (desc.weights) *desc.weights = sslh_i_dummy(c);
    in[0] = qkv;
    in[1] = in[2] = NULL;
    in[3] = desc.key_mask;
    if (!sslh_i_begin(c, op, in, 1, 1) || (in[3] && !sslh_i_begin(c, op, in + 3, 1, 0))) return sslh_i_dummy(c);
    if (qkv->ndim != 3 || qkv->shape[2] % 3 != 0) {
        char a[96];
        sslh_fail(c, SSLH_E_SHAPE, "%s: %s: (N,T,3D), q, k and v side by side, is needed", op, sslh_i_str(a, sizeof a, sslh_shape_of(qkv)));
        return sslh_i_dummy(c);
    }
    return sslh_i_attention_op(c, op, in, qkv->shape[2] / 3, desc);
}

/* --- gated recurrent unit ------------------------------------------------------------------------------------------- */
/* Cho et al. 2014 in PyTorch's form, rows of the weights in the order r, z, n:
     a_t = W x_t + b,  u_t = U h_(t-1) + c                                                                           (1)
     r = sigmoid(a_r + u_r)   z = sigmoid(a_z + u_z)   n = tanh(a_n + r u_n)   h_t = (1 - z) n + z h_(t-1)             (2)
   W x for all t is one product. The recurrence runs in tasks of a few samples, all steps in one task: samples do not
   meet, so nobody waits for anybody at a step. Backward likewise, then one product for each weight. */

enum { SSLH_I_GRU_ROWS = 12 }; /* samples a task: the height of a tile */

typedef struct sslh_i_gru_run {
    const struct sslh_i_kernels *kern;
    const sslh_real *panels;       /* forward: U' (D,3D); backward: U (3D,D); packed */
    const sslh_real *hidden_bias;  /* (3D) or NULL */
    const sslh_real *h0;           /* (N,D) or NULL */
    const sslh_real *zeros;        /* (D) */
    sslh_real *a, *h, *gates;      /* (N,T,3D) (N,T,D) (N,T,4D) */
    const sslh_real *dh;           /* (N,T,D) */
    sslh_real *da, *du, *dh0;      /* (N,T,3D) (N,T,3D) (N,D) or NULL */
    sslh_real *work;               /* per worker: u of a step (12,3D), or dh (12,D) */
    size_t work_reals, N, T, D;
    int fresh_h0;
} sslh_i_gru_run;

/* The state before step t of sample n. */
SSLH_I_FN const sslh_real *sslh_i_gru_before(const sslh_i_gru_run *p, size_t n, size_t t) {
    return t ? p->h + (n * p->T + t - 1) * p->D : p->h0 ? p->h0 + n * p->D : p->zeros;
}

SSLH_I_FN void sslh_i_gru_task(void *arg, int task, int worker) {
    const sslh_i_gru_run *p = (const sslh_i_gru_run *)arg;
    size_t n0 = (size_t)task * SSLH_I_GRU_ROWS, rows = SSLH_I_MIN((size_t)SSLH_I_GRU_ROWS, p->N - n0), D = p->D, t, r, j;
    sslh_real *u = p->work + (size_t)worker * p->work_reals;
    for (t = 0; t < p->T; t++) {
        const sslh_real *before = sslh_i_gru_before(p, n0, t);
        sslh_i_seq_product(p->kern, before, t ? p->T * D : p->h0 ? D : 0, rows, D, p->panels, 0, u, 3 * D, 3 * D, 0);
        for (r = 0; r < rows; r++) {
            size_t at = (n0 + r) * p->T + t;
            for (j = 0; p->hidden_bias && j < 3 * D; j++) u[r * 3 * D + j] += p->hidden_bias[j];
            p->kern->gru(p->a + at * 3 * D, u + r * 3 * D, sslh_i_gru_before(p, n0 + r, t), p->h + at * D, p->gates + at * 4 * D, D);
        }
    }
}

SSLH_I_FN void sslh_i_gru_back_task(void *arg, int task, int worker) {
    const sslh_i_gru_run *p = (const sslh_i_gru_run *)arg;
    size_t n0 = (size_t)task * SSLH_I_GRU_ROWS, rows = SSLH_I_MIN((size_t)SSLH_I_GRU_ROWS, p->N - n0), D = p->D, t, r, j;
    sslh_real *g = p->work + (size_t)worker * p->work_reals; /* gradient of h_t that comes from later steps */
    memset(g, 0, rows * D * sizeof *g);
    for (t = p->T; t-- > 0;) {
        for (r = 0; r < rows; r++) {
            size_t at = (n0 + r) * p->T + t;
            for (j = 0; j < D; j++) g[r * D + j] += p->dh[at * D + j];
            p->kern->gru_back(g + r * D, p->gates + at * 4 * D, sslh_i_gru_before(p, n0 + r, t), p->da + at * 3 * D, p->du + at * 3 * D, D);
        }
        sslh_i_seq_product(p->kern, p->du + (n0 * p->T + t) * 3 * D, p->T * 3 * D, rows, 3 * D, p->panels, 0, g, D, D, 1);
    }
    for (j = 0; p->dh0 && j < rows * D; j++) p->dh0[n0 * D + j] = p->fresh_h0 ? g[j] : p->dh0[n0 * D + j] + g[j];
}

SSLH_I_FN void sslh_i_gru_product(sslh_ctx *c, int ta, int tb, size_t m, size_t n, size_t k, const sslh_real *a, size_t lda, const sslh_real *b,
                                  size_t ldb, sslh_real *out, const sslh_real *bias, int accumulate) {
    sslh_i_gemm_args g;
    memset(&g, 0, sizeof g);
    g.ta = ta;
    g.tb = tb;
    g.m = (int)m;
    g.n = (int)n;
    g.k = (int)k;
    g.a = a;
    g.lda = lda;
    g.b = b;
    g.ldb = ldb;
    g.c = out;
    g.ldc = n;
    g.bias = bias;
    g.accumulate = accumulate;
    g.split = ta; /* weights' gradients */
    sslh_i_gemm(c, &g);
}

/* Scratch of the recurrence, both ways: panels of U, zeros, the workers' rows; NULL and an error when memory is out. */
SSLH_I_FN sslh_real *sslh_i_gru_scratch(sslh_ctx *c, sslh_i_gru_run *p, const sslh_real *U, int back) {
    size_t D = p->D, nr = (size_t)c->k->nr, cols = back ? D : 3 * D, k = back ? 3 * D : D, j;
    size_t panels = (cols + nr - 1) / nr * nr * k;
    sslh_real *s;
    p->kern = c->k;
    p->work_reals = SSLH_I_GRU_ROWS * 3 * D;
    s = (sslh_real *)sslh_i_scratch(c, (panels + D + p->work_reals * (size_t)c->threads) * sizeof *s);
    if (!s) return NULL;
    for (j = 0; j < cols; j += nr) {
        int w = (int)SSLH_I_MIN(nr, cols - j);
        if (back) c->k->pack_n(s + j * k, c->k->nr, U + j, D, w, (int)k);
        else c->k->pack_t(s + j * k, c->k->nr, U + j * D, D, w, (int)k);
    }
    memset(s + panels, 0, D * sizeof *s);
    p->panels = s;
    p->zeros = s + panels;
    p->work = s + panels + D;
    return s;
}

/* Columns' sums of x (rows,C) into the gradient of a bias, 64 columns a task. */
typedef struct sslh_i_gru_bias { const struct sslh_i_kernels *kern; const sslh_real *x; sslh_real *g; size_t rows, C; int fresh; } sslh_i_gru_bias;

SSLH_I_FN void sslh_i_gru_bias_task(void *arg, int task, int worker) {
    const sslh_i_gru_bias *p = (const sslh_i_gru_bias *)arg;
    size_t at = (size_t)task * 64, n = SSLH_I_MIN((size_t)64, p->C - at), j;
    sslh_real sum[64];
    (void)worker;
    p->kern->col_sum(p->x + at, p->C, p->rows, n, sum);
    for (j = 0; j < n; j++) p->g[at + j] = p->fresh ? sum[j] : p->g[at + j] + sum[j];
}

SSLH_I_FN void sslh_i_gru_bias_grad(sslh_ctx *c, sslh_tensor *bias, const sslh_real *x, size_t rows, size_t C) {
    sslh_i_gru_bias p;
    p.g = bias ? sslh_i_grad(c, bias, &p.fresh) : NULL;
    if (!p.g) return;
    p.kern = c->k;
    p.x = x;
    p.rows = rows;
    p.C = C;
    sslh_i_parallel(c, (int)((C + 63) / 64), sslh_i_gru_bias_task, &p);
}

SSLH_I_FN void sslh_i_gru_back(sslh_ctx *c, sslh_i_node *node) {
    sslh_tensor *x = node->in[0], *W = node->in[1], *U = node->in[2], *h0 = node->in[5];
    sslh_i_gru_run p;
    size_t N = (size_t)x->shape[0], T = (size_t)x->shape[1], I = (size_t)x->shape[2], D = (size_t)U->shape[1], n, t;
    sslh_real *s = NULL, *g, *before;
    int fresh;
    memset(&p, 0, sizeof p);
    p.N = N;
    p.T = T;
    p.D = D;
    p.h = node->out->data;
    p.h0 = h0 ? h0->data : NULL;
    p.gates = node->saved[0]->data;
    p.dh = node->out->grad;
    p.da = (sslh_real *)sslh_i_scratch(c, N * T * 3 * D * sizeof *p.da);
    p.du = p.da ? (sslh_real *)sslh_i_scratch(c, N * T * 3 * D * sizeof *p.du) : NULL;
    before = p.du ? (sslh_real *)sslh_i_scratch(c, N * T * D * sizeof *before) : NULL;
    s = before ? sslh_i_gru_scratch(c, &p, U->data, 1) : NULL;
    if (s) {
        p.dh0 = h0 ? sslh_i_grad(c, h0, &p.fresh_h0) : NULL;
        sslh_i_parallel(c, (int)((N + SSLH_I_GRU_ROWS - 1) / SSLH_I_GRU_ROWS), sslh_i_gru_back_task, &p);
        for (n = 0; n < N; n++)
            for (t = 0; t < T; t++) memcpy(before + (n * T + t) * D, sslh_i_gru_before(&p, n, t), D * sizeof *before);
        g = sslh_i_grad(c, x, &fresh); /* dx = da W */
        if (g) sslh_i_gru_product(c, 0, 0, N * T, I, 3 * D, p.da, 3 * D, W->data, I, g, NULL, !fresh);
        g = sslh_i_grad(c, W, &fresh); /* dW = da' x */
        if (g) sslh_i_gru_product(c, 1, 0, 3 * D, I, N * T, p.da, 3 * D, x->data, I, g, NULL, !fresh);
        g = sslh_i_grad(c, U, &fresh); /* dU = du' h */
        if (g) sslh_i_gru_product(c, 1, 0, 3 * D, D, N * T, p.du, 3 * D, before, D, g, NULL, !fresh);
        sslh_i_gru_bias_grad(c, node->in[3], p.da, N * T, 3 * D);
        sslh_i_gru_bias_grad(c, node->in[4], p.du, N * T, 3 * D);
    }
    sslh_i_unscratch(c, s);
    sslh_i_unscratch(c, before);
    sslh_i_unscratch(c, p.du);
    sslh_i_unscratch(c, p.da);
}

SSLH_DEF sslh_tensor *sslh_gru(sslh_ctx *c, sslh_tensor *x, sslh_tensor *w_ih, sslh_tensor *w_hh, sslh_tensor *b_ih, sslh_tensor *b_hh,
                               sslh_tensor *h0) {
    const char *op = "sslh_gru";
    sslh_tensor *in[6], *out, *gates, *a;
    sslh_i_node *node;
    sslh_i_gru_run p;
    sslh_real *s;
    int N, T, I, D, i, bad;
    in[0] = x;
    in[1] = w_ih;
    in[2] = w_hh;
    in[3] = b_ih;
    in[4] = b_hh;
    in[5] = h0;
    if (!sslh_i_begin(c, op, in, 3, 1)) return sslh_i_dummy(c);
    for (i = 3; i < 6; i++)
        if (in[i] && !sslh_i_begin(c, op, in + i, 1, 1)) return sslh_i_dummy(c);
    bad = x->ndim != 3 || w_ih->ndim != 2 || w_hh->ndim != 2;
    N = x->shape[0];
    T = x->shape[1];
    I = x->shape[2];
    D = w_hh->shape[1];
    if (!bad) bad = D > INT_MAX / 4 || w_hh->shape[0] != 3 * D || w_ih->shape[0] != 3 * D || w_ih->shape[1] != I;
    for (i = 3; i < 5; i++)
        if (!bad && in[i]) bad = in[i]->ndim != 1 || in[i]->shape[0] != 3 * D;
    if (!bad && h0) bad = h0->ndim != 2 || h0->shape[0] != N || h0->shape[1] != D;
    if (bad || (double)N * T > INT_MAX) {
        char q[96], r[96], t[96];
        sslh_fail(c, SSLH_E_SHAPE, "%s: x %s, w_ih %s, w_hh %s: x (N,T,I), w_ih (3D,I), w_hh (3D,D), biases (3D), h0 (N,D) are needed", op,
                  sslh_i_str(q, sizeof q, sslh_shape_of(x)), sslh_i_str(r, sizeof r, sslh_shape_of(w_ih)), sslh_i_str(t, sizeof t, sslh_shape_of(w_hh)));
        return sslh_i_dummy(c);
    }
    memset(&p, 0, sizeof p);
    p.N = (size_t)N;
    p.T = (size_t)T;
    p.D = (size_t)D;
    out = sslh_i_new(c, op, SSLH_F32, sslh_dim3(N, T, D));
    gates = out ? sslh_i_new(c, op, SSLH_F32, sslh_dim3(N, T, 4 * D)) : NULL;
    a = gates ? sslh_i_new(c, op, SSLH_F32, sslh_dim3(N, T, 3 * D)) : NULL;
    s = a ? sslh_i_gru_scratch(c, &p, w_hh->data, 0) : NULL;
    if (!s) return sslh_i_dummy(c);
    p.a = a->data;
    p.h = out->data;
    p.gates = gates->data;
    p.hidden_bias = b_hh ? b_hh->data : NULL;
    p.h0 = h0 ? h0->data : NULL;
    sslh_i_gru_product(c, 0, 1, p.N * p.T, 3 * p.D, (size_t)I, x->data, (size_t)I, w_ih->data, (size_t)I, p.a, b_ih ? b_ih->data : NULL, 0);
    sslh_i_parallel(c, (N + SSLH_I_GRU_ROWS - 1) / SSLH_I_GRU_ROWS, sslh_i_gru_task, &p);
    sslh_i_unscratch(c, s);
    sslh_i_release(c, a);
    node = sslh_i_record(c, op, sslh_i_gru_back, out, in, 6);
    sslh_i_save(c, node, gates);
    return sslh_i_end(c, op, in, 3, out);
}

/* ================================================================================================================== */
/*  >>losses        losses                                                                                           */
/* ================================================================================================================== */

/* Every loss is one number: terms are computed in tasks of a fixed number of rows, kept, and added up in 16 lanes and a
   fixed tree. The backward pass recomputes what is cheap (exponentials) from the saved log-sum-exp of each row. */

/* Rows per task, so that a task handles some thousand elements. */
SSLH_I_FN size_t sslh_i_loss_rows(size_t width) { return 4096 / width + 1; }

SSLH_I_FN int sslh_i_loss_tasks(size_t rows, size_t per_task) { return (int)((rows + per_task - 1) / per_task); }

/* The gradients of an operation that writes to them more than once, or whose inputs may be one tensor: zeroed when fresh. */
SSLH_I_FN sslh_real *sslh_i_loss_grad(sslh_ctx *c, sslh_tensor *t) { return t ? sslh_grad(c, t) : NULL; }

/* y += a x, product and sum rounded */
SSLH_I_FN void sslh_i_loss_axpy(sslh_real *y, sslh_real a, const sslh_real *x, size_t n) {
    size_t i;
    for (i = 0; i < n; i++) {
        sslh_real t = a * x[i];
        y[i] += t;
    }
}

/* --- cross-entropy ------------------------------------------------------------------------------------------------ */
/* With p = softmax(x) and the target distribution t of a row,
     l = -sum over k of t_k log p_k = (sum of t) lse(x) - t . x                                                      (1)
     dl/dx_k = (sum of t) p_k - t_k                                                                                  (2)
   A label y with smoothing e is t = (1 - e) onehot(y) + e / K (Szegedy et al. 2016, section 7). */

typedef struct sslh_i_xent {
    const struct sslh_i_kernels *k;
    const sslh_real *x, *t;   /* logits (rows,K); targets (rows,K) or NULL */
    const int32_t *labels;    /* (rows) or NULL */
    sslh_real *lse, *loss;    /* (rows) */
    sslh_real *dx, *dt;       /* gradients or NULL */
    sslh_real smoothing, scale; /* scale: gradient of the loss / number of rows that count */
    size_t rows, K, per_task;
    int ignore, has_ignore, fresh_x, fresh_t;
} sslh_i_xent;

SSLH_I_FN int sslh_i_xent_skips(const sslh_i_xent *p, size_t r) { return p->has_ignore && p->labels[r] == p->ignore; }

SSLH_I_FN void sslh_i_xent_task(void *arg, int task, int worker) {
    const sslh_i_xent *p = (const sslh_i_xent *)arg;
    size_t r = (size_t)task * p->per_task, end = SSLH_I_MIN(p->rows, r + p->per_task), K = p->K;
    (void)worker;
    p->k->lse_rows(p->x + r * K, p->lse + r, end - r, K);
    for (; r < end; r++) {
        const sslh_real *x = p->x + r * K;
        sslh_real loss, t;
        if (p->t) { /* (1) */
            loss = p->k->sum(p->t + r * K, K) * p->lse[r];
            loss -= p->k->dot(p->t + r * K, x, K);
        } else if (sslh_i_xent_skips(p, r)) {
            loss = 0;
        } else {
            loss = p->lse[r] - x[p->labels[r]];
            if (p->smoothing > 0) { /* (1 - e) (lse - x_y) + e (lse - mean x) */
                t = p->k->sum(x, K) / (sslh_real)K;
                t = p->lse[r] - t;
                t = p->smoothing * t;
                loss = (1 - p->smoothing) * loss;
                loss += t;
            }
        }
        p->loss[r] = loss;
    }
}

SSLH_I_FN void sslh_i_xent_back_task(void *arg, int task, int worker) {
    const sslh_i_xent *p = (const sslh_i_xent *)arg;
    size_t r = (size_t)task * p->per_task, end = SSLH_I_MIN(p->rows, r + p->per_task), K = p->K, j;
    (void)worker;
    for (; r < end; r++) {
        const sslh_real *x = p->x + r * K, *t = p->t ? p->t + r * K : NULL;
        sslh_real *dx = p->dx ? p->dx + r * K : NULL, g = p->scale, e;
        if (t) {
            g = p->scale * p->k->sum(t, K);
            if (dx) {
                p->k->lse_back(x, p->lse + r, &g, 0, dx, K, p->fresh_x);
                sslh_i_loss_axpy(dx, -p->scale, t, K);
            }
            for (j = 0; p->dt && j < K; j++) { /* dl/dt_k = lse - x_k */
                e = p->scale * (p->lse[r] - x[j]);
                p->dt[r * K + j] = p->fresh_t ? e : p->dt[r * K + j] + e;
            }
        } else if (sslh_i_xent_skips(p, r)) {
            if (p->fresh_x) memset(dx, 0, K * sizeof *dx);
        } else { /* (2) */
            p->k->lse_back(x, p->lse + r, &g, 0, dx, K, p->fresh_x);
            e = g * p->smoothing;
            dx[p->labels[r]] -= g - e;
            e = e / (sslh_real)K;
            for (j = 0; p->smoothing > 0 && j < K; j++) dx[j] -= e;
        }
    }
}

SSLH_I_FN void sslh_i_xent_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_tensor *x = n->in[0], *t = n->in[1];
    sslh_i_xent p;
    memset(&p, 0, sizeof p);
    p.k = c->k;
    p.x = x->data;
    p.t = t->data;
    p.labels = t->ints;
    p.lse = n->saved[0]->data;
    p.smoothing = n->f[0];
    p.scale = n->out->grad[0] / n->f[1];
    p.K = (size_t)x->shape[x->ndim - 1];
    p.rows = x->count / p.K;
    p.has_ignore = n->i[0];
    p.ignore = n->i[1];
    p.per_task = sslh_i_loss_rows(p.K);
    if (t == x) { /* someone's entropy: both gradients go to one place */
        p.dx = p.dt = sslh_i_loss_grad(c, x);
    } else {
        p.dx = sslh_i_grad(c, x, &p.fresh_x);
        p.dt = t->data ? sslh_i_grad(c, t, &p.fresh_t) : NULL;
    }
    if (!SSLH_I_BAD(c)) sslh_i_parallel(c, sslh_i_loss_tasks(p.rows, p.per_task), sslh_i_xent_back_task, &p);
}

/* The labels: each in 0 .. K-1 or ignored; returns how many count, 0 and an error if one is wrong or none counts. */
SSLH_I_FN size_t sslh_i_xent_labels(sslh_ctx *c, const char *op, const sslh_i_xent *p) {
    size_t r, n = 0;
    for (r = 0; r < p->rows; r++) {
        if (sslh_i_xent_skips(p, r)) continue;
        if (p->labels[r] < 0 || (size_t)p->labels[r] >= p->K) {
            sslh_fail(c, SSLH_E_USAGE, "%s: label %d at position %.0f is outside 0..%.0f", op, (int)p->labels[r], (double)r, (double)p->K - 1);
            return 0;
        }
        n++;
    }
    if (!n) sslh_fail(c, SSLH_E_USAGE, "%s: all %.0f labels are the ignored value %d, the mean of nothing is not defined", op, (double)p->rows, p->ignore);
    return n;
}

SSLH_I_FN sslh_tensor *sslh_i_xent_op(sslh_ctx *c, const char *op, sslh_tensor *x, sslh_tensor *t, float smoothing, int has_ignore, int ignore) {
    sslh_tensor *in[2], *out, *lse, *loss;
    sslh_i_node *node;
    sslh_i_xent p;
    sslh_shape lead;
    size_t valid;
    in[0] = x;
    in[1] = t;
    if (!sslh_i_begin(c, op, in, 2, 0)) return sslh_i_dummy(c);
    lead = sslh_shape_of(x);
    if (!t->data && lead.ndim > 0) lead.ndim--;
    if (x->type != SSLH_F32 || t->type == SSLH_U8 || x->ndim < 1 || t->ndim != lead.ndim ||
        memcmp(t->shape, lead.size, (size_t)lead.ndim * sizeof lead.size[0]) != 0) {
        char a[96], b[96];
        sslh_fail(c, SSLH_E_SHAPE, "%s: logits %s, %s %s: real logits (..,K) and %s are needed", op, sslh_i_str(a, sizeof a, sslh_shape_of(x)),
                  t->data ? "targets" : "labels", sslh_i_str(b, sizeof b, sslh_shape_of(t)), t->data ? "targets of the same shape" : "I32 labels (..)");
        return sslh_i_dummy(c);
    }
    if (!(smoothing >= 0 && smoothing < 1)) {
        sslh_fail(c, SSLH_E_USAGE, "%s: smoothing %g is outside [0,1)", op, (double)smoothing);
        return sslh_i_dummy(c);
    }
    memset(&p, 0, sizeof p);
    p.k = c->k;
    p.x = x->data;
    p.t = t->data;
    p.labels = t->ints;
    p.K = (size_t)x->shape[x->ndim - 1];
    p.rows = x->count / p.K;
    p.smoothing = (sslh_real)smoothing;
    p.has_ignore = has_ignore;
    p.ignore = ignore;
    p.per_task = sslh_i_loss_rows(p.K);
    valid = p.t ? p.rows : sslh_i_xent_labels(c, op, &p);
    out = valid ? sslh_i_new(c, op, SSLH_F32, sslh_dim0()) : NULL;
    lead = sslh_shape_of(x);
    lead.size[lead.ndim - 1] = 1;
    lse = out ? sslh_i_new(c, op, SSLH_F32, lead) : NULL;
    loss = lse ? sslh_i_new(c, op, SSLH_F32, lead) : NULL;
    if (!loss) return sslh_i_dummy(c);
    p.lse = lse->data;
    p.loss = loss->data;
    sslh_i_parallel(c, sslh_i_loss_tasks(p.rows, p.per_task), sslh_i_xent_task, &p);
    out->data[0] = sslh_i_lane_sum(p.loss, p.rows) / (sslh_real)valid;
    sslh_i_release(c, loss);
    node = sslh_i_record(c, op, sslh_i_xent_back, out, in, 2);
    if (node) {
        node->f[0] = p.smoothing;
        node->f[1] = (sslh_real)valid;
        node->i[0] = has_ignore;
        node->i[1] = ignore;
    }
    sslh_i_save(c, node, lse);
    return sslh_i_end(c, op, in, 2, out);
}

/* For the three public names: what the second input must be. */
SSLH_I_FN sslh_tensor *sslh_i_xent_typed(sslh_ctx *c, const char *op, sslh_tensor *x, sslh_tensor *t, sslh_type type, float smoothing,
                                         int has_ignore, int ignore) {
    if (!SSLH_I_BAD(c) && t && t->type != type && t->ctx == c) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: %s", op, type == SSLH_I32 ? "the labels must be an I32 tensor" : "the targets must be real");
        return sslh_i_dummy(c);
    }
    return sslh_i_xent_op(c, op, x, t, smoothing, has_ignore, ignore);
}
SSLH_DEF sslh_tensor *sslh_cross_entropy(sslh_ctx *c, sslh_tensor *logits, sslh_tensor *labels) {
    return sslh_i_xent_typed(c, "sslh_cross_entropy", logits, labels, SSLH_I32, 0.0f, 0, 0);
}
SSLH_DEF sslh_tensor *sslh_cross_entropy_ex(sslh_ctx *c, sslh_tensor *logits, sslh_tensor *labels, float smoothing, int ignore) {
    return sslh_i_xent_typed(c, "sslh_cross_entropy_ex", logits, labels, SSLH_I32, smoothing, 1, ignore);
}
SSLH_DEF sslh_tensor *sslh_cross_entropy_soft(sslh_ctx *c, sslh_tensor *logits, sslh_tensor *targets) {
    return sslh_i_xent_typed(c, "sslh_cross_entropy_soft", logits, targets, SSLH_F32, 0.0f, 0, 0);
}

/* --- losses that compare two tensors element by element -------------------------------------------------------------- */
/* Of an element x with target t, d = x - t:
     mse    d^2                                          slope 2 d
     l1     |d|                                          slope sign d, 0 at 0
     huber  d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2);  slope d cut to +-delta
     bce    softplus(x) - x t = -t log s - (1-t) log(1-s), s = sigmoid x;  slope s - t
     kl     t (log t - x), 0 for t = 0;  slope -t
   kl is divided by the number of rows, the others by the number of elements. */
typedef enum sslh_i_pointwise_kind { SSLH_I_POINTWISE_MSE, SSLH_I_POINTWISE_L1, SSLH_I_POINTWISE_HUBER, SSLH_I_POINTWISE_BCE, SSLH_I_POINTWISE_KL } sslh_i_pointwise_kind;

enum { SSLH_I_POINTWISE_CHUNK = 1024, SSLH_I_POINTWISE_CHUNKS = 8 }; /* elements a chunk, chunks a task */

typedef struct sslh_i_pointwise {
    const struct sslh_i_kernels *k;
    int kind, fresh_x, fresh_t;
    const sslh_real *x, *t;
    sslh_real *dx, *dt, *part; /* part: a sum per chunk */
    size_t n;
    sslh_real delta, scale;
} sslh_i_pointwise;

SSLH_I_FN void sslh_i_pointwise_values(const sslh_i_pointwise *p, const sslh_real *x, const sslh_real *t, sslh_real *v, size_t n) {
    sslh_real d, half = SSLH_I_R(0.5) * p->delta, a;
    size_t i;
    switch (p->kind) {
    case SSLH_I_POINTWISE_MSE:
        for (i = 0; i < n; i++) d = x[i] - t[i], v[i] = d * d;
        break;
    case SSLH_I_POINTWISE_L1:
        for (i = 0; i < n; i++) d = x[i] - t[i], v[i] = d < 0 ? -d : d;
        break;
    case SSLH_I_POINTWISE_HUBER:
        for (i = 0; i < n; i++) {
            d = x[i] - t[i];
            a = d < 0 ? -d : d;
            d = SSLH_I_R(0.5) * a;
            v[i] = a <= p->delta ? d * a : p->delta * (a - half);
        }
        break;
    case SSLH_I_POINTWISE_BCE:
        p->k->unary(SSLH_I_U_SOFTPLUS, x, v, n, 0, 0);
        for (i = 0; i < n; i++) d = x[i] * t[i], v[i] -= d;
        break;
    default:
        p->k->unary(SSLH_I_U_LOG, t, v, n, 0, 0);
        for (i = 0; i < n; i++) d = v[i] - x[i], v[i] = t[i] == 0 ? 0 : t[i] * d;
        break;
    }
}

SSLH_I_FN void sslh_i_pointwise_slopes(const sslh_i_pointwise *p, const sslh_real *x, const sslh_real *t, sslh_real *v, size_t n) {
    sslh_real d;
    size_t i;
    switch (p->kind) {
    case SSLH_I_POINTWISE_MSE:
        for (i = 0; i < n; i++) d = x[i] - t[i], v[i] = d + d;
        break;
    case SSLH_I_POINTWISE_L1:
        for (i = 0; i < n; i++) v[i] = x[i] > t[i] ? SSLH_I_R(1) : x[i] < t[i] ? SSLH_I_R(-1) : SSLH_I_R(0);
        break;
    case SSLH_I_POINTWISE_HUBER:
        for (i = 0; i < n; i++) d = x[i] - t[i], v[i] = d > p->delta ? p->delta : d < -p->delta ? -p->delta : d;
        break;
    case SSLH_I_POINTWISE_BCE:
        p->k->unary(SSLH_I_U_SIGMOID, x, v, n, 0, 0);
        for (i = 0; i < n; i++) v[i] -= t[i];
        break;
    default:
        for (i = 0; i < n; i++) v[i] = -t[i];
        break;
    }
}

SSLH_I_FN void sslh_i_pointwise_task(void *arg, int task, int worker) {
    const sslh_i_pointwise *p = (const sslh_i_pointwise *)arg;
    sslh_real v[SSLH_I_POINTWISE_CHUNK];
    size_t chunk = (size_t)task * SSLH_I_POINTWISE_CHUNKS, last = chunk + SSLH_I_POINTWISE_CHUNKS, i;
    (void)worker;
    for (; chunk < last && chunk * SSLH_I_POINTWISE_CHUNK < p->n; chunk++) {
        size_t at = chunk * SSLH_I_POINTWISE_CHUNK, n = SSLH_I_MIN(p->n - at, (size_t)SSLH_I_POINTWISE_CHUNK);
        if (p->part) {
            sslh_i_pointwise_values(p, p->x + at, p->t + at, v, n);
            p->part[chunk] = p->k->sum(v, n);
            continue;
        }
        sslh_i_pointwise_slopes(p, p->x + at, p->t + at, v, n);
        for (i = 0; i < n; i++) v[i] = v[i] * p->scale;
        if (p->dx && p->fresh_x) memcpy(p->dx + at, v, n * sizeof *v);
        else if (p->dx)
            for (i = 0; i < n; i++) p->dx[at + i] += v[i];
        if (!p->dt) continue;
        for (i = 0; i < n; i++) p->dt[at + i] = p->fresh_t ? -v[i] : p->dt[at + i] - v[i];
    }
}

SSLH_I_FN void sslh_i_pointwise_run(sslh_ctx *c, sslh_i_pointwise *p) {
    size_t per_task = (size_t)SSLH_I_POINTWISE_CHUNK * SSLH_I_POINTWISE_CHUNKS;
    p->k = c->k;
    sslh_i_parallel(c, (int)((p->n + per_task - 1) / per_task), sslh_i_pointwise_task, p);
}

SSLH_I_FN void sslh_i_pointwise_back(sslh_ctx *c, sslh_i_node *n) {
    sslh_tensor *x = n->in[0], *t = n->in[1];
    sslh_i_pointwise p;
    memset(&p, 0, sizeof p);
    p.kind = n->i[0];
    p.x = x->data;
    p.t = t->data;
    p.n = x->count;
    p.delta = n->f[0];
    p.scale = n->out->grad[0] / n->f[1];
    if (x == t) p.dx = sslh_i_loss_grad(c, x);
    else p.dx = sslh_i_grad(c, x, &p.fresh_x);
    if (p.kind <= SSLH_I_POINTWISE_HUBER) p.dt = x == t ? p.dx : sslh_i_grad(c, t, &p.fresh_t);
    if (!SSLH_I_BAD(c) && (p.dx || p.dt)) sslh_i_pointwise_run(c, &p);
}

SSLH_I_FN sslh_tensor *sslh_i_pointwise_loss(sslh_ctx *c, const char *op, int kind, sslh_tensor *x, sslh_tensor *t, float delta) {
    sslh_tensor *in[2], *out;
    sslh_i_node *node;
    sslh_i_pointwise p;
    sslh_real divisor;
    size_t chunks;
    in[0] = x;
    in[1] = t;
    if (!sslh_i_begin(c, op, in, 2, 1)) return sslh_i_dummy(c);
    if (!sslh_i_same_shape(x, t) || (kind == SSLH_I_POINTWISE_KL && x->ndim < 1)) {
        char a[96], b[96];
        sslh_fail(c, SSLH_E_SHAPE, "%s: %s and %s: two tensors of one shape are needed", op, sslh_i_str(a, sizeof a, sslh_shape_of(x)),
                  sslh_i_str(b, sizeof b, sslh_shape_of(t)));
        return sslh_i_dummy(c);
    }
    out = sslh_i_new(c, op, SSLH_F32, sslh_dim0());
    if (!out) return sslh_i_dummy(c);
    memset(&p, 0, sizeof p);
    p.kind = kind;
    p.x = x->data;
    p.t = t->data;
    p.n = x->count;
    p.delta = (sslh_real)delta;
    chunks = (p.n + SSLH_I_POINTWISE_CHUNK - 1) / SSLH_I_POINTWISE_CHUNK;
    p.part = (sslh_real *)sslh_i_scratch(c, chunks * sizeof *p.part);
    if (!p.part) return sslh_i_dummy(c);
    sslh_i_pointwise_run(c, &p);
    divisor = (sslh_real)(kind == SSLH_I_POINTWISE_KL ? p.n / (size_t)x->shape[x->ndim - 1] : p.n);
    out->data[0] = sslh_i_lane_sum(p.part, chunks) / divisor;
    sslh_i_unscratch(c, p.part);
    node = sslh_i_record(c, op, sslh_i_pointwise_back, out, in, kind <= SSLH_I_POINTWISE_HUBER ? 2 : 1);
    if (node) {
        node->in = (sslh_tensor **)sslh_i_record_alloc(c, sizeof in); /* bce and kl read the targets without a gradient */
        if (!node->in) return sslh_i_dummy(c);
        memcpy(node->in, in, sizeof in);
        node->nin = 2;
        node->i[0] = kind;
        node->f[0] = p.delta;
        node->f[1] = divisor;
    }
    return sslh_i_end(c, op, in, 2, out);
}

SSLH_DEF sslh_tensor *sslh_bce_with_logits(sslh_ctx *c, sslh_tensor *logits, sslh_tensor *targets) {
    return sslh_i_pointwise_loss(c, "sslh_bce_with_logits", SSLH_I_POINTWISE_BCE, logits, targets, 0.0f);
}
SSLH_DEF sslh_tensor *sslh_mse(sslh_ctx *c, sslh_tensor *x, sslh_tensor *target) {
    return sslh_i_pointwise_loss(c, "sslh_mse", SSLH_I_POINTWISE_MSE, x, target, 0.0f);
}
SSLH_DEF sslh_tensor *sslh_l1(sslh_ctx *c, sslh_tensor *x, sslh_tensor *target) {
    return sslh_i_pointwise_loss(c, "sslh_l1", SSLH_I_POINTWISE_L1, x, target, 0.0f);
}
SSLH_DEF sslh_tensor *sslh_huber(sslh_ctx *c, sslh_tensor *x, sslh_tensor *target, float delta) {
    if (!SSLH_I_BAD(c) && !(delta > 0)) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_huber: delta %g: it must be above 0", (double)delta);
        return sslh_i_dummy(c);
    }
    return sslh_i_pointwise_loss(c, "sslh_huber", SSLH_I_POINTWISE_HUBER, x, target, delta);
}
SSLH_DEF sslh_tensor *sslh_kl_div(sslh_ctx *c, sslh_tensor *log_prob, sslh_tensor *target) {
    return sslh_i_pointwise_loss(c, "sslh_kl_div", SSLH_I_POINTWISE_KL, log_prob, target, 0.0f);
}

/* --- contrastive losses --------------------------------------------------------------------------------------------- */

/* Rows of similarities computed at a time, so that a block stays within some MB: by the number of columns only. */
SSLH_I_FN int sslh_i_contrast_rows(size_t columns, size_t rows) {
    size_t n = SSLH_I_MAX(((size_t)1 << 20) / columns / 32 * 32, (size_t)32);
    return (int)SSLH_I_MIN(n, rows);
}

/* c (m,n) = or += op(a) op(b) */
SSLH_I_FN void sslh_i_contrast_product(sslh_ctx *c, int ta, int tb, size_t m, size_t n, size_t k, const sslh_real *a, size_t lda,
                                       const sslh_real *b, size_t ldb, sslh_real *out, size_t ldc, int accumulate) {
    sslh_i_gemm_args g;
    memset(&g, 0, sizeof g);
    g.ta = ta;
    g.tb = tb;
    g.m = (int)m;
    g.n = (int)n;
    g.k = (int)k;
    g.a = a;
    g.lda = lda;
    g.b = b;
    g.ldb = ldb;
    g.c = out;
    g.ldc = ldc;
    g.accumulate = accumulate;
    sslh_i_gemm(c, &g);
}

SSLH_I_FN int sslh_i_contrast_ok(sslh_ctx *c, const char *op, const sslh_tensor *a, const sslh_tensor *b, float temperature) {
    if (a->ndim != 2 || !sslh_i_same_shape(a, b) || a->shape[0] > INT_MAX / 2) {
        char s[96], t[96];
        sslh_fail(c, SSLH_E_SHAPE, "%s: %s and %s: two matrices (N,D) of one shape are needed", op, sslh_i_str(s, sizeof s, sslh_shape_of(a)),
                  sslh_i_str(t, sizeof t, sslh_shape_of(b)));
        return 0;
    }
    if (!(temperature > 0)) sslh_fail(c, SSLH_E_USAGE, "%s: temperature %g: it must be above 0", op, (double)temperature);
    return !SSLH_I_BAD(c);
}

/* NT-Xent, the loss of SimCLR (Chen et al. 2020). The 2N rows z are the N of view 0, then the N of view 1; p(i) is the row
   of the other view of i's image.
     u_i  = z_i / |z_i|,   s_ij = u_i . u_j / tau                                                                   (1)
     l_i  = -log( exp(s_ip(i)) / sum over j != i of exp(s_ij) ) = lse_i - s_ip(i)                                     (2)
     L    = mean of l over the 2N rows                                                                              (3)
   s is symmetric, so the two ways in which u_i enters (as row and as column) meet in one matrix:
     dL/du_i = 1/(2N tau) sum over j != i of h_ij u_j,  h_ij = exp(s_ij - lse_i) + exp(s_ij - lse_j) - 2 [j = p(i)]       (4)
   and through (1) dL/dz_i = (dL/du_i - u_i (u_i . dL/du_i)) / |z_i|. Decoupled (Yeh et al. 2022): j = p(i) leaves the sum
   in (2), and with it the two exponentials in (4). Blocks of rows are computed at a time; nothing of size 2N x 2N is kept. */
typedef struct sslh_i_ntx {
    const struct sslh_i_kernels *k;
    const sslh_real *z[2];  /* (N,D) */
    sslh_real *dz[2];       /* gradients or NULL */
    sslh_real *u, *norm, *lse; /* (2N,D) (2N) (2N) */
    sslh_real *s;           /* (rows of the block, 2N) */
    sslh_real *du;          /* (rows of the block, D) */
    sslh_real *loss, *hit, *ones; /* (2N) */
    sslh_real tau_inverse, scale;
    size_t N, D, first, rows, per_task;
    int decoupled;
} sslh_i_ntx;

SSLH_I_FN void sslh_i_ntx_unit_task(void *arg, int task, int worker) { /* (1): some rows of one view */
    const sslh_i_ntx *p = (const sslh_i_ntx *)arg;
    size_t per_view = (p->N + p->per_task - 1) / p->per_task, view = (size_t)task / per_view;
    size_t r = (size_t)task % per_view * p->per_task, n = SSLH_I_MIN(p->N - r, p->per_task), at = view * p->N + r;
    (void)worker;
    p->k->l2(p->z[view] + r * p->D, p->u + at * p->D, p->norm + at, n, p->D, SSLH_I_R(1e-12));
}

/* s_i of one row, self (and for the decoupled form the positive) taken out of every sum; returns s_ip */
SSLH_I_FN sslh_real sslh_i_ntx_row(const sslh_i_ntx *p, size_t i, sslh_real *s) {
    size_t pos = i < p->N ? i + p->N : i - p->N;
    sslh_real positive, none = (sslh_real)-HUGE_VAL;
    p->k->unary(SSLH_I_U_SCALE, s, s, 2 * p->N, p->tau_inverse, 0);
    positive = s[pos];
    s[i] = none;
    if (p->decoupled) s[pos] = none;
    return positive;
}

SSLH_I_FN void sslh_i_ntx_task(void *arg, int task, int worker) {
    const sslh_i_ntx *p = (const sslh_i_ntx *)arg;
    size_t r = (size_t)task * p->per_task, end = SSLH_I_MIN(p->rows, r + p->per_task), n = 2 * p->N;
    (void)worker;
    for (; r < end; r++) {
        size_t i = p->first + r, pos = i < p->N ? i + p->N : i - p->N;
        sslh_real *s = p->s + r * n, positive = sslh_i_ntx_row(p, i, s);
        p->k->lse_rows(s, p->lse + i, 1, n);
        p->loss[i] = p->lse[i] - positive; /* (2) */
        s[pos] = s[i];
        p->hit[i] = positive > p->k->max(s, n) ? SSLH_I_R(1) : SSLH_I_R(0); /* a tie, as after a collapse, is no hit */
    }
}

SSLH_I_FN void sslh_i_ntx_back_task(void *arg, int task, int worker) { /* h of (4), in place of s */
    const sslh_i_ntx *p = (const sslh_i_ntx *)arg;
    size_t r = (size_t)task * p->per_task, end = SSLH_I_MIN(p->rows, r + p->per_task), n = 2 * p->N, j;
    (void)worker;
    for (; r < end; r++) {
        size_t i = p->first + r, pos = i < p->N ? i + p->N : i - p->N;
        sslh_real *s = p->s + r * n, h[256];
        sslh_i_ntx_row(p, i, s);
        for (j = 0; j < n; j += 256) {
            size_t m = SSLH_I_MIN(n - j, (size_t)256);
            p->k->lse_back(s + j, p->lse + i, p->ones, 0, h, m, 1);
            p->k->lse_back(s + j, p->lse + j, p->ones, 1, h, m, 0);
            memcpy(s + j, h, m * sizeof *h);
        }
        s[pos] -= 2;
    }
}

SSLH_I_FN void sslh_i_ntx_unit_back_task(void *arg, int task, int worker) { /* du -> dz, some rows of the block */
    const sslh_i_ntx *p = (const sslh_i_ntx *)arg;
    size_t r = (size_t)task * p->per_task, end = SSLH_I_MIN(p->rows, r + p->per_task), j;
    (void)worker;
    for (; r < end; r++) {
        size_t i = p->first + r, view = i < p->N ? 0 : 1;
        sslh_real *du = p->du + r * p->D;
        if (!p->dz[view]) continue;
        for (j = 0; j < p->D; j++) du[j] = du[j] * p->scale;
        p->k->l2_back(p->u + i * p->D, p->norm + i, du, p->dz[view] + (i - view * p->N) * p->D, 1, p->D, SSLH_I_R(1e-12), 0);
    }
}

SSLH_I_FN void sslh_i_ntx_similarities(sslh_ctx *c, const sslh_i_ntx *p) {
    sslh_i_contrast_product(c, 0, 1, p->rows, 2 * p->N, p->D, p->u + p->first * p->D, p->D, p->u, p->D, p->s, 2 * p->N, 0);
}

SSLH_I_FN void sslh_i_ntx_back(sslh_ctx *c, sslh_i_node *node) {
    sslh_i_ntx p;
    size_t block, j;
    memset(&p, 0, sizeof p);
    p.k = c->k;
    p.N = (size_t)node->in[0]->shape[0];
    p.D = (size_t)node->in[0]->shape[1];
    p.u = node->saved[0]->data;
    p.norm = node->saved[1]->data;
    p.lse = node->saved[2]->data;
    p.tau_inverse = node->f[0];
    p.decoupled = node->i[0];
    p.scale = node->out->grad[0] * p.tau_inverse;
    p.scale = p.scale / (sslh_real)(2 * p.N);
    p.dz[0] = sslh_i_loss_grad(c, node->in[0]);
    p.dz[1] = sslh_i_loss_grad(c, node->in[1]);
    block = (size_t)sslh_i_contrast_rows(2 * p.N, 2 * p.N);
    p.s = (sslh_real *)sslh_i_scratch(c, block * 2 * p.N * sizeof *p.s);
    p.du = (sslh_real *)sslh_i_scratch(c, block * p.D * sizeof *p.du);
    p.ones = (sslh_real *)sslh_i_scratch(c, 256 * sizeof *p.ones);
    if (p.s && p.du && p.ones) {
        for (j = 0; j < 256; j++) p.ones[j] = 1;
        for (p.first = 0; p.first < 2 * p.N; p.first += block) {
            p.rows = SSLH_I_MIN(block, 2 * p.N - p.first);
            sslh_i_ntx_similarities(c, &p);
            p.per_task = sslh_i_loss_rows(2 * p.N);
            sslh_i_parallel(c, sslh_i_loss_tasks(p.rows, p.per_task), sslh_i_ntx_back_task, &p);
            sslh_i_contrast_product(c, 0, 0, p.rows, p.D, 2 * p.N, p.s, 2 * p.N, p.u, p.D, p.du, p.D, 0);
            p.per_task = sslh_i_loss_rows(p.D);
            sslh_i_parallel(c, sslh_i_loss_tasks(p.rows, p.per_task), sslh_i_ntx_unit_back_task, &p);
        }
    }
    sslh_i_unscratch(c, p.ones);
    sslh_i_unscratch(c, p.du);
    sslh_i_unscratch(c, p.s);
}

/* The loss; decoupled: DCL. top1, when not NULL, receives the share of rows that are closer to their other view than to
   every other row: the contrastive accuracy that SimCLR reports beside the loss. */
SSLH_I_FN sslh_tensor *sslh_i_nt_xent(sslh_ctx *c, sslh_tensor *z0, sslh_tensor *z1, float temperature, int decoupled, float *top1) {
    const char *op = "sslh_nt_xent";
    sslh_tensor *in[2], *out, *u, *norm, *lse;
    sslh_i_node *node;
    sslh_i_ntx p;
    size_t block;
    if (top1) *top1 = 0;
    in[0] = z0;
    in[1] = z1;
    if (!sslh_i_begin(c, op, in, 2, 1) || !sslh_i_contrast_ok(c, op, z0, z1, temperature)) return sslh_i_dummy(c);
    if (z0->shape[0] < 2) {
        sslh_fail(c, SSLH_E_USAGE, "%s: a batch of 1 has no negatives: contrastive learning needs at least 2 images, better hundreds", op);
        return sslh_i_dummy(c);
    }
    memset(&p, 0, sizeof p);
    p.k = c->k;
    p.N = (size_t)z0->shape[0];
    p.D = (size_t)z0->shape[1];
    p.z[0] = z0->data;
    p.z[1] = z1->data;
    p.tau_inverse = SSLH_I_R(1) / (sslh_real)temperature;
    p.decoupled = decoupled;
    block = (size_t)sslh_i_contrast_rows(2 * p.N, 2 * p.N);
    out = sslh_i_new(c, op, SSLH_F32, sslh_dim0());
    u = out ? sslh_i_new(c, op, SSLH_F32, sslh_dim2(2 * z0->shape[0], z0->shape[1])) : NULL;
    norm = u ? sslh_i_new(c, op, SSLH_F32, sslh_dim1(2 * z0->shape[0])) : NULL;
    lse = norm ? sslh_i_new(c, op, SSLH_F32, sslh_dim1(2 * z0->shape[0])) : NULL;
    p.s = lse ? (sslh_real *)sslh_i_scratch(c, block * 2 * p.N * sizeof *p.s) : NULL;
    p.loss = p.s ? (sslh_real *)sslh_i_scratch(c, 4 * p.N * sizeof *p.loss) : NULL;
    if (!p.loss) {
        sslh_i_unscratch(c, p.s);
        return sslh_i_dummy(c);
    }
    p.hit = p.loss + 2 * p.N;
    p.u = u->data;
    p.norm = norm->data;
    p.lse = lse->data;
    p.per_task = sslh_i_loss_rows(p.D);
    sslh_i_parallel(c, 2 * sslh_i_loss_tasks(p.N, p.per_task), sslh_i_ntx_unit_task, &p);
    p.per_task = sslh_i_loss_rows(2 * p.N);
    for (p.first = 0; p.first < 2 * p.N; p.first += block) {
        p.rows = SSLH_I_MIN(block, 2 * p.N - p.first);
        sslh_i_ntx_similarities(c, &p);
        sslh_i_parallel(c, sslh_i_loss_tasks(p.rows, p.per_task), sslh_i_ntx_task, &p);
    }
    out->data[0] = sslh_i_lane_sum(p.loss, 2 * p.N) / (sslh_real)(2 * p.N); /* (3) */
    if (top1) *top1 = (float)(sslh_i_lane_sum(p.hit, 2 * p.N) / (sslh_real)(2 * p.N));
    sslh_i_unscratch(c, p.loss);
    sslh_i_unscratch(c, p.s);
    node = sslh_i_record(c, op, sslh_i_ntx_back, out, in, 2);
    if (node) {
        node->f[0] = p.tau_inverse;
        node->i[0] = decoupled;
    }
    sslh_i_save(c, node, u);
    sslh_i_save(c, node, norm);
    sslh_i_save(c, node, lse);
    return sslh_i_end(c, op, in, 2, out);
}
SSLH_DEF sslh_tensor *sslh_nt_xent(sslh_ctx *c, sslh_tensor *z0, sslh_tensor *z1, float temperature) {
    return sslh_i_nt_xent(c, z0, z1, temperature, 0, NULL);
}

/* InfoNCE (van den Oord et al. 2018, eq. 4; the form with a queue: He et al. 2020, eq. 1). The candidates of query q_i are
   its positive k_i and either the rows of negatives or the other rows of k:
     x_i = [q_i . k_i, q_i . n_1, .., q_i . n_K] / tau   or   x_i = [q_i . k_1, .., q_i . k_N] / tau                      (1)
     L   = mean over i of lse(x_i) - x_i,positive                                                                  (2)
     G   = (softmax(x) - onehot) / (N tau);  dq = G [k_i; n],  dk_i = G_i0 q_i,  dn = G' q;  without n: dq = G k, dk = G' q   (3) */
typedef struct sslh_i_nce {
    const struct sslh_i_kernels *kern;
    const sslh_real *q, *k, *n;   /* (N,D) (N,D) (K,D) or NULL */
    sslh_real *dq, *dk;
    sslh_real *x, *lse, *loss;    /* (rows of the block, columns) (N) (N) */
    sslh_real tau_inverse, scale;
    size_t N, D, columns, first, rows, per_task;
} sslh_i_nce;

/* (1): x of a block of rows, before the division by tau; with negatives column 0 is left for the task below */
SSLH_I_FN void sslh_i_nce_products(sslh_ctx *c, const sslh_i_nce *p) {
    size_t own = p->n ? 1 : 0;
    sslh_i_contrast_product(c, 0, 1, p->rows, p->columns - own, p->D, p->q + p->first * p->D, p->D, p->n ? p->n : p->k, p->D, p->x + own, p->columns, 0);
}

SSLH_I_FN size_t sslh_i_nce_row(const sslh_i_nce *p, size_t i, sslh_real *x) { /* returns the positive's column */
    if (p->n) x[0] = p->kern->dot(p->q + i * p->D, p->k + i * p->D, p->D);
    p->kern->unary(SSLH_I_U_SCALE, x, x, p->columns, p->tau_inverse, 0);
    return p->n ? 0 : i;
}

SSLH_I_FN void sslh_i_nce_task(void *arg, int task, int worker) {
    const sslh_i_nce *p = (const sslh_i_nce *)arg;
    size_t r = (size_t)task * p->per_task, end = SSLH_I_MIN(p->rows, r + p->per_task);
    (void)worker;
    for (; r < end; r++) {
        size_t i = p->first + r;
        sslh_real *x = p->x + r * p->columns;
        size_t pos = sslh_i_nce_row(p, i, x);
        p->kern->lse_rows(x, p->lse + i, 1, p->columns);
        p->loss[i] = p->lse[i] - x[pos]; /* (2) */
    }
}

SSLH_I_FN void sslh_i_nce_back_task(void *arg, int task, int worker) { /* G of (3) in place of x, and the positives' part */
    const sslh_i_nce *p = (const sslh_i_nce *)arg;
    size_t r = (size_t)task * p->per_task, end = SSLH_I_MIN(p->rows, r + p->per_task);
    (void)worker;
    for (; r < end; r++) {
        size_t i = p->first + r;
        sslh_real *x = p->x + r * p->columns;
        size_t pos = sslh_i_nce_row(p, i, x);
        p->kern->lse_back(x, p->lse + i, &p->scale, 0, x, p->columns, 1);
        x[pos] -= p->scale;
        if (!p->n) continue;
        if (p->dq) sslh_i_loss_axpy(p->dq + i * p->D, x[0], p->k + i * p->D, p->D);
        if (p->dk) sslh_i_loss_axpy(p->dk + i * p->D, x[0], p->q + i * p->D, p->D);
    }
}

SSLH_I_FN void sslh_i_nce_back(sslh_ctx *c, sslh_i_node *node) {
    sslh_tensor *neg = node->nin > 2 ? node->in[2] : NULL;
    sslh_i_nce p;
    sslh_real *dn;
    size_t block, own = neg ? 1 : 0;
    memset(&p, 0, sizeof p);
    p.kern = c->k;
    p.q = node->in[0]->data;
    p.k = node->in[1]->data;
    p.n = neg ? neg->data : NULL;
    p.N = (size_t)node->in[0]->shape[0];
    p.D = (size_t)node->in[0]->shape[1];
    p.columns = neg ? (size_t)neg->shape[0] + 1 : p.N;
    p.lse = node->saved[0]->data;
    p.tau_inverse = node->f[0];
    p.scale = node->out->grad[0] * p.tau_inverse;
    p.scale = p.scale / (sslh_real)p.N;
    p.per_task = sslh_i_loss_rows(p.columns);
    p.dq = sslh_i_loss_grad(c, node->in[0]);
    p.dk = sslh_i_loss_grad(c, node->in[1]);
    dn = neg ? sslh_i_loss_grad(c, neg) : p.dk; /* where the columns' gradient goes */
    block = (size_t)sslh_i_contrast_rows(p.columns, p.N);
    p.x = (sslh_real *)sslh_i_scratch(c, block * p.columns * sizeof *p.x);
    if (!p.x) return;
    for (p.first = 0; p.first < p.N; p.first += block) {
        p.rows = SSLH_I_MIN(block, p.N - p.first);
        sslh_i_nce_products(c, &p);
        sslh_i_parallel(c, sslh_i_loss_tasks(p.rows, p.per_task), sslh_i_nce_back_task, &p);
        if (p.dq)
            sslh_i_contrast_product(c, 0, 0, p.rows, p.D, p.columns - own, p.x + own, p.columns, p.n ? p.n : p.k, p.D, p.dq + p.first * p.D, p.D, 1);
        if (dn)
            sslh_i_contrast_product(c, 1, 0, p.columns - own, p.D, p.rows, p.x + own, p.columns, p.q + p.first * p.D, p.D, dn, p.D, 1);
    }
    sslh_i_unscratch(c, p.x);
}

SSLH_DEF sslh_tensor *sslh_info_nce(sslh_ctx *c, sslh_tensor *q, sslh_tensor *k, sslh_tensor *negatives, float temperature) {
    const char *op = "sslh_info_nce";
    sslh_tensor *in[3], *out, *lse;
    sslh_i_node *node;
    sslh_i_nce p;
    size_t block;
    int nin = negatives ? 3 : 2;
    in[0] = q;
    in[1] = k;
    in[2] = negatives;
    if (!sslh_i_begin(c, op, in, nin, 1) || !sslh_i_contrast_ok(c, op, q, k, temperature)) return sslh_i_dummy(c);
    if (negatives && (negatives->ndim != 2 || negatives->shape[1] != q->shape[1])) {
        char a[96], b[96];
        sslh_fail(c, SSLH_E_SHAPE, "%s: queries %s, negatives %s: negatives (K,D) of the same D are needed", op,
                  sslh_i_str(a, sizeof a, sslh_shape_of(q)), sslh_i_str(b, sizeof b, sslh_shape_of(negatives)));
        return sslh_i_dummy(c);
    }
    if (!negatives && q->shape[0] < 2) {
        sslh_fail(c, SSLH_E_USAGE, "%s: a batch of 1 has no negatives: give negatives or at least 2 rows", op);
        return sslh_i_dummy(c);
    }
    memset(&p, 0, sizeof p);
    p.kern = c->k;
    p.q = q->data;
    p.k = k->data;
    p.n = negatives ? negatives->data : NULL;
    p.N = (size_t)q->shape[0];
    p.D = (size_t)q->shape[1];
    p.columns = negatives ? (size_t)negatives->shape[0] + 1 : p.N;
    p.tau_inverse = SSLH_I_R(1) / (sslh_real)temperature;
    p.per_task = sslh_i_loss_rows(p.columns);
    block = (size_t)sslh_i_contrast_rows(p.columns, p.N);
    out = sslh_i_new(c, op, SSLH_F32, sslh_dim0());
    lse = out ? sslh_i_new(c, op, SSLH_F32, sslh_dim1(q->shape[0])) : NULL;
    p.x = lse ? (sslh_real *)sslh_i_scratch(c, block * p.columns * sizeof *p.x) : NULL;
    p.loss = p.x ? (sslh_real *)sslh_i_scratch(c, p.N * sizeof *p.loss) : NULL;
    if (!p.loss) {
        sslh_i_unscratch(c, p.x);
        return sslh_i_dummy(c);
    }
    p.lse = lse->data;
    for (p.first = 0; p.first < p.N; p.first += block) {
        p.rows = SSLH_I_MIN(block, p.N - p.first);
        sslh_i_nce_products(c, &p);
        sslh_i_parallel(c, sslh_i_loss_tasks(p.rows, p.per_task), sslh_i_nce_task, &p);
    }
    out->data[0] = sslh_i_lane_sum(p.loss, p.N) / (sslh_real)p.N;
    sslh_i_unscratch(c, p.loss);
    sslh_i_unscratch(c, p.x);
    node = sslh_i_record(c, op, sslh_i_nce_back, out, in, nin);
    if (node) node->f[0] = p.tau_inverse;
    sslh_i_save(c, node, lse);
    return sslh_i_end(c, op, in, nin, out);
}

/* ================================================================================================================== */
/*  >>nets          nets, parameters, layers                                                                         */
/* ================================================================================================================== */

/* A net keeps its parameters in one block, its states behind them, and its gradients in a second block of the same layout
   as the parameters. The blocks are made at the first use ("sealing"), the gradients only when something wants them: a
   momentum encoder that runs under sslh_no_grad never has any. Every tensor begins at a multiple of 16 elements and the
   gaps hold zeros, so that update, average, clip and save are one loop over a block. */

#define SSLH_I_PAD 16      /* elements; one vector of the kernels' virtual lanes */
#define SSLH_I_MAX_NETS 64 /* nets reachable from one */

/* A parameter or a state. The header t does not move, so that tapes and callers may hold it. */
typedef struct sslh_i_entry {
    sslh_tensor t;
    char        name[112];
    int         is_param;
    sslh_init   init;
    float       scale;
    uint64_t    stream;     /* of the initial values, taken when declared: value j is a function of (seed, stream, j) */
    float       lr_scale, decay_scale;
    size_t      offset;     /* parameters: elements from the start of the block */
} sslh_i_entry;

typedef struct sslh_i_link { char name[64]; sslh_net *net; } sslh_i_link;

/* One run of sslh_forward_ex; lives on its stack, the net points to the innermost. */
typedef struct sslh_i_call {
    sslh_forward_desc desc;
    int  tapped;            /* the wanted inner result was offered */
    char offered[160];      /* names of the others, for the message when it was not */
} sslh_i_call;

struct sslh_net {
    sslh_ctx       *ctx;    /* NULL: the dead net, what functions return after an error; constant */
    char            name[64];
    char            arch[256]; /* "resnet channels=3 depth=18 ..": how sslh_load_net builds it again; empty: cannot */
    sslh_forward_fn forward;
    void           *self;
    size_t          self_size;
    sslh_kind       kind;
    int             width, channels, image;
    int             training, frozen, sealed;
    sslh_i_entry  **entry;
    int             entries, entry_cap;
    sslh_i_link    *child;
    int             children, child_cap;
    sslh_real      *values; /* parameters, then states */
    sslh_real      *grads;  /* NULL until wanted */
    size_t          nvalues; /* elements of the parameters, gaps included */
    sslh_i_call    *call;
    sslh_preprocess preprocess;
};

static const sslh_net sslh_i_dead_net = SSLH_I_ZERO;
static const sslh_forward_desc sslh_i_no_call = SSLH_I_ZERO;

SSLH_I_FN sslh_net *sslh_i_dummy_net(sslh_ctx *c) {
    (void)c;
    return (sslh_net *)(uintptr_t)&sslh_i_dead_net;
}

SSLH_I_FN int sslh_i_net_dead(const sslh_net *net) { return !net || !net->ctx; }
/* Nothing may be done with this net now. */
SSLH_I_FN int sslh_i_net_bad(const sslh_net *net) { return sslh_i_net_dead(net) || SSLH_I_BAD(net->ctx); }

/* A dead net that is used in a context without an error: the error was cleared, the net is still not there. */
SSLH_I_FN int sslh_i_net_ok(sslh_ctx *c, const char *op, const sslh_net *net) {
    if (SSLH_I_BAD(c)) return 0;
    if (sslh_i_net_dead(net)) sslh_fail(c, SSLH_E_USAGE, "%s: this net could not be made (NULL, or an error that was cleared)", op);
    return !sslh_i_net_bad(net);
}

/* --- making a net ------------------------------------------------------------------------------------------------ */

/* Room for one element more in an array that lives as long as its owner. */
SSLH_I_FN void *sslh_i_owned_grow(sslh_ctx *c, const void *owner, void *array, int n, int *cap, size_t element) {
    int wanted = *cap ? 2 * *cap : 8;
    void *fresh;
    if (n < *cap) return array;
    fresh = sslh_i_alloc_with(c, (size_t)wanted * element, owner);
    if (!fresh) return NULL;
    if (array) memcpy(fresh, array, (size_t)n * element);
    sslh_i_free(c, array);
    *cap = wanted;
    return fresh;
}

/* 0 and an error when text does not fit or is empty. */
SSLH_I_FN int sslh_i_copy_name(sslh_ctx *c, const char *op, char *out, size_t size, const char *text) {
    size_t n = text ? strlen(text) : 0;
    if (n == 0 || n >= size) {
        sslh_fail(c, SSLH_E_USAGE, "%s: a name of 1 to %d characters is needed, this has %.0f", op, (int)size - 1, (double)n);
        return 0;
    }
    memcpy(out, text, n + 1);
    return 1;
}

SSLH_DEF sslh_net *sslh_net_new(sslh_ctx *c, sslh_net_desc desc) {
    sslh_net *net;
    if (SSLH_I_BAD(c)) return sslh_i_dummy_net(c);
    net = (sslh_net *)sslh_i_alloc(c, sizeof *net);
    if (!net) return sslh_i_dummy_net(c);
    if (!sslh_i_copy_name(c, "sslh_net_new", net->name, sizeof net->name, desc.name ? desc.name : "net")) return sslh_i_dummy_net(c);
    if (desc.self && desc.self_size) {
        net->self = sslh_i_alloc_with(c, desc.self_size, net);
        if (!net->self) return sslh_i_dummy_net(c);
        memcpy(net->self, desc.self, desc.self_size);
        net->self_size = desc.self_size;
    }
    net->ctx = c;
    net->forward = desc.forward;
    net->kind = desc.kind;
    net->width = desc.width;
    net->channels = desc.channels;
    net->image = desc.image;
    net->training = 1;
    return net;
}

/* What sslh_param_new and sslh_state_new share. */
SSLH_I_FN sslh_i_entry *sslh_i_declare(sslh_net *net, const char *op, const char *name, sslh_type type, sslh_shape shape) {
    sslh_ctx *c = net->ctx;
    sslh_i_entry **array, *e;
    size_t count = sslh_i_count(c, op, shape);
    int i;
    if (!count) return NULL;
    if (net->sealed) {
        sslh_fail(c, SSLH_E_USAGE, "%s: '%s' is declared after the net '%s' was used (declare everything first)", op, name ? name : "", net->name);
        return NULL;
    }
    array = (sslh_i_entry **)sslh_i_owned_grow(c, net, net->entry, net->entries, &net->entry_cap, sizeof *array);
    if (!array) return NULL;
    net->entry = array;
    e = (sslh_i_entry *)sslh_i_alloc_with(c, sizeof *e, net);
    if (!e || !sslh_i_copy_name(c, op, e->name, sizeof e->name, name)) return NULL;
    for (i = 0; i < net->entries; i++) {
        if (strcmp(array[i]->name, name) != 0) continue;
        sslh_fail(c, SSLH_E_USAGE, "%s: the net '%s' already has a tensor '%s'", op, net->name, name);
        return NULL;
    }
    e->t.type = type;
    e->t.ndim = shape.ndim;
    memcpy(e->t.shape, shape.size, sizeof e->t.shape);
    e->t.count = count;
    e->t.ctx = c;
    array[net->entries++] = e;
    return e;
}

SSLH_DEF int sslh_param_new(sslh_net *net, const char *name, sslh_shape shape, sslh_init init, float scale) {
    sslh_i_entry *e = sslh_i_net_bad(net) ? NULL : sslh_i_declare(net, "sslh_param_new", name, SSLH_F32, shape);
    if (!e) return -1;
    e->is_param = 1;
    e->init = init;
    e->scale = scale;
    e->stream = sslh_next_stream(net->ctx);
    e->lr_scale = 1.0f;
    e->decay_scale = shape.ndim > 1 ? 1.0f : 0.0f;
    e->t.flags = SSLH_I_PARAM | SSLH_I_LONG | (net->frozen ? 0u : (unsigned)SSLH_I_NEEDS);
    e->t.group = 1u;
    return net->entries - 1;
}

/* A state with an initial value other than zero. */
SSLH_I_FN int sslh_i_state_new(sslh_net *net, const char *name, sslh_type type, sslh_shape shape, sslh_init init, float scale) {
    sslh_i_entry *e = sslh_i_net_bad(net) ? NULL : sslh_i_declare(net, "sslh_state_new", name, type, shape);
    if (!e) return -1;
    e->init = init;
    e->scale = scale;
    e->t.flags = SSLH_I_STATE | SSLH_I_LONG;
    return net->entries - 1;
}

SSLH_DEF int sslh_state_new(sslh_net *net, const char *name, sslh_type type, sslh_shape shape) {
    return sslh_i_state_new(net, name, type, shape, SSLH_INIT_ZERO, 0);
}

SSLH_DEF sslh_net *sslh_child(sslh_net *net, const char *name, sslh_net *child) {
    sslh_i_link *array;
    int i;
    if (sslh_i_net_bad(net) || !sslh_i_net_ok(net->ctx, "sslh_child", child)) return child ? child : sslh_i_dummy_net(NULL);
    if (child->ctx != net->ctx) {
        sslh_fail(net->ctx, SSLH_E_USAGE, "sslh_child: '%s' belongs to another context (sslh_clone_into moves it)", name ? name : "");
        return child;
    }
    for (i = 0; i < net->children; i++) {
        if (!name || strcmp(net->child[i].name, name) != 0) continue;
        sslh_fail(net->ctx, SSLH_E_USAGE, "sslh_child: the net '%s' already has a child '%s'", net->name, name);
        return child;
    }
    array = (sslh_i_link *)sslh_i_owned_grow(net->ctx, net, net->child, net->children, &net->child_cap, sizeof *array);
    if (!array) return child;
    net->child = array;
    if (!sslh_i_copy_name(net->ctx, "sslh_child", array[net->children].name, sizeof array[0].name, name)) return child;
    array[net->children].net = child;
    net->children++;
    return child;
}

SSLH_DEF sslh_net *sslh_child_at(sslh_net *net, int i) {
    if (sslh_i_net_dead(net)) return sslh_i_dummy_net(NULL);
    if (i < 0 || i >= net->children) {
        sslh_fail(net->ctx, SSLH_E_USAGE, "sslh_child_at: the net '%s' has %d children, number %d is asked for", net->name, net->children, i);
        return sslh_i_dummy_net(net->ctx);
    }
    return net->child[i].net;
}

/* --- initial values ---------------------------------------------------------------------------------------------- */

/* 2-D sine-cosine positions (1, 1+G G, D) of a G x G grid (MAE): row 0 is the class token's zero; of the others the first
   half of D encodes the column, the second the row, each as D/4 sines and D/4 cosines of position / 10000^(k / (D/4)). */
SSLH_I_FN void sslh_i_sincos_fill(const sslh_tensor *t, int grid) {
    int d = t->shape[2], quarter = d / 4, p, half, k;
    if (t->ndim != 3 || t->shape[1] != 1 + grid * grid || d % 4) {
        sslh_fail(t->ctx, SSLH_E_SHAPE, "SSLH_INIT_POSITIONS: the shape must be (1,1+%d*%d,D) with D a multiple of 4", grid, grid);
        return;
    }
    for (p = 0; p < grid * grid; p++) {
        sslh_real *row = t->data + (size_t)(p + 1) * (size_t)d;
        for (half = 0; half < 2; half++) {
            sslh_real position = (sslh_real)(half == 0 ? p % grid : p / grid);
            for (k = 0; k < quarter; k++) {
                sslh_real exponent = (sslh_real)k / (sslh_real)quarter, rate, angle;
                exponent = exponent * SSLH_I_R(-9.210340371976184); /* - ln 10000 */
                rate = sslh_i_exp(exponent);
                angle = position * rate;
                row[half * (d / 2) + k] = sslh_i_sin(angle);
                row[half * (d / 2) + quarter + k] = sslh_i_cos(angle);
            }
        }
    }
}

/* Normal, cut at two standard deviations: drawn again until it is inside, with further indices of the same stream. */
SSLH_I_FN void sslh_i_trunc_fill(sslh_ctx *c, const sslh_i_entry *e, float std) {
    size_t j;
    for (j = 0; j < e->t.count; j++) {
        uint64_t attempt = 0;
        float v;
        do v = sslh_random_normal(c->desc.seed, e->stream, (uint64_t)j + (attempt++ << 40));
        while (v < -2.0f || v > 2.0f);
        v = v * std;
        e->t.data[j] = (sslh_real)v;
    }
}

/* fan_in: sizes but the first; fan_out: the first times the kernel's area (the sizes between first and last). */
SSLH_I_FN void sslh_i_fans(const sslh_tensor *t, float *fan_in, float *fan_out) {
    int i;
    *fan_in = 1;
    *fan_out = t->ndim ? (float)t->shape[0] : 1.0f;
    for (i = 1; i < t->ndim; i++) {
        *fan_in *= (float)t->shape[i];
        if (i < t->ndim - 1) *fan_out *= (float)t->shape[i];
    }
}

SSLH_I_FN void sslh_i_init_fill(sslh_ctx *c, const sslh_i_entry *e) {
    float fan_in, fan_out, scale = e->scale != 0.0f ? e->scale : 1.0f, bound = 0;
    size_t j, n = e->t.count;
    sslh_real constant = e->init == SSLH_INIT_ONE ? (sslh_real)1 : (sslh_real)e->scale;
    if (e->init == SSLH_INIT_ZERO || e->t.type != SSLH_F32) return; /* blocks are made of zeros */
    sslh_i_fans(&e->t, &fan_in, &fan_out);
    if (e->init == SSLH_INIT_ONE || e->init == SSLH_INIT_CONSTANT) {
        for (j = 0; j < n; j++) e->t.data[j] = constant;
        return;
    }
    if (e->init == SSLH_INIT_POSITIONS) {
        sslh_i_sincos_fill(&e->t, (int)e->scale);
        return;
    }
    if (e->init == SSLH_INIT_TRUNC_NORMAL) {
        sslh_i_trunc_fill(c, e, e->scale != 0.0f ? e->scale : 0.02f);
        return;
    }
    if (e->init == SSLH_INIT_NORMAL || e->init == SSLH_INIT_KAIMING || e->init == SSLH_INIT_KAIMING_OUT) {
        if (e->init == SSLH_INIT_KAIMING) scale *= sqrtf(2.0f / fan_in);
        if (e->init == SSLH_INIT_KAIMING_OUT) scale *= sqrtf(2.0f / fan_out);
        sslh_i_random_fill(c, e->stream, e->t.data, n, 1, 0.0f, scale);
        return;
    }
    if (e->init == SSLH_INIT_UNIFORM) bound = scale;
    if (e->init == SSLH_INIT_XAVIER) bound = scale * sqrtf(6.0f / (fan_in + fan_out));
    if (e->init == SSLH_INIT_FAN_IN) bound = scale / sqrtf(fan_in);
    sslh_i_random_fill(c, e->stream, e->t.data, n, 0, -bound, 2.0f * bound);
}

/* --- sealing ----------------------------------------------------------------------------------------------------- */

/* Lays out parameters and states; fill = 0 leaves the initial values out (a clone copies its own). */
SSLH_I_FN int sslh_i_net_seal(sslh_net *net, int fill) {
    sslh_ctx *c = net->ctx;
    size_t params = 0, bytes, align = SSLH_I_PAD * sizeof(sslh_real);
    char *block;
    int i;
    if (net->sealed) return 1;
    if (SSLH_I_BAD(c)) return 0;
    for (i = 0; i < net->entries; i++) {
        sslh_i_entry *e = net->entry[i];
        if (!e->is_param) continue;
        e->offset = params;
        params += (e->t.count + SSLH_I_PAD - 1) / SSLH_I_PAD * SSLH_I_PAD;
        if (params > (size_t)-1 / 32) sslh_fail(c, SSLH_E_MEMORY, "the net '%s' is too large for this machine's addresses", net->name);
    }
    bytes = params * sizeof(sslh_real);
    for (i = 0; i < net->entries; i++) {
        sslh_i_entry *e = net->entry[i];
        if (e->is_param) continue;
        e->offset = bytes;
        bytes += (e->t.count * sslh_i_type_size(e->t.type) + align - 1) / align * align;
        if (bytes > (size_t)-1 / 4) sslh_fail(c, SSLH_E_MEMORY, "the net '%s' is too large for this machine's addresses", net->name);
    }
    if (SSLH_I_BAD(c)) return 0;
    block = (char *)sslh_i_alloc_with(c, bytes, net);
    if (!block) return 0;
    net->values = (sslh_real *)(void *)block;
    net->nvalues = params;
    for (i = 0; i < net->entries; i++) {
        sslh_i_entry *e = net->entry[i];
        sslh_i_set_data(&e->t, block + (e->is_param ? e->offset * sizeof(sslh_real) : e->offset));
        if (fill) sslh_i_init_fill(c, e);
    }
    net->sealed = 1;
    return 1;
}

SSLH_I_FN int sslh_i_net_grads(sslh_net *net) {
    int i;
    if (net->grads || net->nvalues == 0) return 1;
    net->grads = (sslh_real *)sslh_i_alloc_with(net->ctx, net->nvalues * sizeof(sslh_real), net);
    if (!net->grads) return 0;
    for (i = 0; i < net->entries; i++)
        if (net->entry[i]->is_param) net->entry[i]->t.grad = net->grads + net->entry[i]->offset;
    return 1;
}

/* Before a net is used: memory for what the use may need. */
SSLH_I_FN int sslh_i_net_ready(sslh_net *net) {
    if (net->sealed && (net->grads || net->frozen || net->ctx->no_grad || net->nvalues == 0)) return 1;
    if (!sslh_i_net_seal(net, 1)) return 0;
    return net->frozen || net->ctx->no_grad || sslh_i_net_grads(net);
}

/* --- all nets below one ------------------------------------------------------------------------------------------ */

/* A net and its descendants, each once (a child may be reachable on two ways), parents first. */
typedef struct sslh_i_tree {
    int         n;
    sslh_net   *net[SSLH_I_MAX_NETS];
    int         parent[SSLH_I_MAX_NETS];
    const char *name[SSLH_I_MAX_NETS]; /* under its parent */
} sslh_i_tree;

SSLH_I_FN void sslh_i_tree_add(sslh_i_tree *t, sslh_net *net, int parent, const char *name) {
    int i, me = t->n;
    for (i = 0; i < t->n; i++) if (t->net[i] == net) return;
    if (t->n == SSLH_I_MAX_NETS) {
        sslh_fail(net->ctx, SSLH_E_USAGE, "more than %d nets inside '%s'", SSLH_I_MAX_NETS, t->net[0]->name);
        return;
    }
    t->net[me] = net;
    t->parent[me] = parent;
    t->name[me] = name;
    t->n++;
    for (i = 0; i < net->children; i++) sslh_i_tree_add(t, net->child[i].net, me, net->child[i].name);
}

SSLH_I_FN void sslh_i_tree_of(sslh_i_tree *t, sslh_net *net) {
    t->n = 0;
    if (!sslh_i_net_dead(net)) sslh_i_tree_add(t, net, -1, "");
}

/* The same with memory laid out; 0 on an error. */
SSLH_I_FN int sslh_i_tree_ready(sslh_i_tree *t, sslh_net *net) {
    int i;
    sslh_i_tree_of(t, net);
    for (i = 0; i < t->n; i++) if (!sslh_i_net_seal(t->net[i], 1)) return 0;
    return t->n > 0 && !SSLH_I_BAD(net->ctx);
}

/* "encoder.layer1.0.conv1.weight" for tensor leaf of net number i; returns the length, as snprintf. */
SSLH_I_FN size_t sslh_i_full_name(const sslh_i_tree *t, int i, const char *leaf, char *out, size_t size) {
    size_t used = 0, part;
    if (t->parent[i] >= 0) {
        used = sslh_i_full_name(t, t->parent[i], "", out, size);
        part = strlen(t->name[i]);
        if (used + part + 1 < size) {
            memcpy(out + used, t->name[i], part);
            out[used + part] = '.';
        }
        used += part + 1;
    }
    part = strlen(leaf);
    if (used + part < size) memcpy(out + used, leaf, part + 1);
    else if (size) out[size - 1] = 0;
    return used + part;
}

SSLH_I_FN sslh_i_entry *sslh_i_find_entry(sslh_net *net, const char *name, sslh_net **owner) {
    int i;
    for (i = 0; i < net->entries; i++) {
        if (strcmp(net->entry[i]->name, name) != 0) continue;
        *owner = net;
        return net->entry[i];
    }
    for (i = 0; i < net->children; i++) {
        size_t n = strlen(net->child[i].name);
        sslh_i_entry *e;
        if (strncmp(net->child[i].name, name, n) != 0 || name[n] != '.') continue;
        e = sslh_i_find_entry(net->child[i].net, name + n + 1, owner);
        if (e) return e;
    }
    return NULL;
}

SSLH_DEF sslh_tensor *sslh_find(sslh_net *net, const char *name) {
    sslh_net *owner = NULL;
    sslh_i_entry *e = sslh_i_net_bad(net) || !name ? NULL : sslh_i_find_entry(net, name, &owner);
    return e && sslh_i_net_ready(owner) ? &e->t : NULL;
}

/* Parameters and states share one numbering, in order of declaration. */
SSLH_I_FN sslh_tensor *sslh_i_tensor_of(sslh_net *net, const char *op, int index, int is_param) {
    if (sslh_i_net_dead(net)) return sslh_i_dummy(NULL);
    if (index < 0 || index >= net->entries || net->entry[index]->is_param != is_param) {
        sslh_fail(net->ctx, SSLH_E_USAGE, "%s: the net '%s' has no %s number %d", op, net->name, is_param ? "parameter" : "state", index);
        return sslh_i_dummy(net->ctx);
    }
    if (!net->sealed || !SSLH_I_BAD(net->ctx)) /* after an error what is there can still be read */
        if (!sslh_i_net_ready(net)) return sslh_i_dummy(net->ctx);
    return &net->entry[index]->t;
}
SSLH_DEF sslh_tensor *sslh_param(sslh_net *net, int index) { return sslh_i_tensor_of(net, "sslh_param", index, 1); }
SSLH_DEF sslh_tensor *sslh_state(sslh_net *net, int index) { return sslh_i_tensor_of(net, "sslh_state", index, 0); }

SSLH_DEF int sslh_count_tensors(sslh_net *net) {
    sslh_i_tree t;
    int i, n = 0;
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n; i++) n += t.net[i]->entries;
    return n;
}

SSLH_DEF sslh_tensor *sslh_tensor_at(sslh_net *net, int index, char *name, size_t name_size, int *is_param) {
    sslh_i_tree t;
    int i, at = index;
    if (name && name_size) name[0] = 0;
    if (is_param) *is_param = 0;
    if (sslh_i_net_dead(net)) return sslh_i_dummy(NULL);
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n && at >= 0; i++) {
        if (at < t.net[i]->entries) {
            sslh_i_entry *e = t.net[i]->entry[at];
            if (name) sslh_i_full_name(&t, i, e->name, name, name_size);
            if (is_param) *is_param = e->is_param;
            return sslh_i_tensor_of(t.net[i], "sslh_tensor_at", at, e->is_param);
        }
        at -= t.net[i]->entries;
    }
    sslh_fail(net->ctx, SSLH_E_USAGE, "sslh_tensor_at: the net '%s' has no tensor number %d", net->name, index);
    return sslh_i_dummy(net->ctx);
}

/* --- settings ---------------------------------------------------------------------------------------------------- */

SSLH_I_FN void sslh_i_entry_set(sslh_ctx *c, const char *op, sslh_i_entry *e, sslh_param_opts o) {
    if (o.group < 0 || o.group > 15) {
        sslh_fail(c, SSLH_E_USAGE, "%s: '%s': group %d (0 to 15 are possible)", op, e->name, o.group);
        return;
    }
    e->t.group = 1u << o.group;
    e->lr_scale = o.lr_scale == 0.0f ? 1.0f : o.lr_scale < 0.0f ? 0.0f : o.lr_scale;
    e->decay_scale = o.decay_scale == 0.0f ? (e->t.ndim > 1 ? 1.0f : 0.0f) : o.decay_scale < 0.0f ? 0.0f : o.decay_scale;
}

SSLH_DEF void sslh_param_set(sslh_net *net, int index, sslh_param_opts opts) {
    if (sslh_i_net_bad(net)) return;
    if (index < 0 || index >= net->entries || !net->entry[index]->is_param)
        sslh_fail(net->ctx, SSLH_E_USAGE, "sslh_param_set: the net '%s' has no parameter number %d", net->name, index);
    else
        sslh_i_entry_set(net->ctx, "sslh_param_set", net->entry[index], opts);
}

SSLH_DEF void sslh_param_set_matching(sslh_net *net, const char *pattern, sslh_param_opts opts) {
    sslh_i_tree t;
    char name[256];
    int i, j;
    if (sslh_i_net_bad(net) || !pattern) return;
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n; i++) {
        for (j = 0; j < t.net[i]->entries; j++) {
            sslh_i_entry *e = t.net[i]->entry[j];
            sslh_i_full_name(&t, i, e->name, name, sizeof name);
            if (e->is_param && strstr(name, pattern)) sslh_i_entry_set(net->ctx, "sslh_param_set_matching", e, opts);
        }
    }
}

SSLH_DEF sslh_net_info sslh_net_query(sslh_net *net) {
    sslh_net_info info;
    sslh_i_tree t;
    int i, j;
    memset(&info, 0, sizeof info);
    info.name = "none";
    if (sslh_i_net_dead(net)) return info;
    info.name = net->name;
    info.kind = net->kind;
    info.width = net->width;
    info.channels = net->channels;
    info.image = net->image;
    info.training = net->training;
    info.frozen = net->frozen;
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n; i++) {
        for (j = 0; j < t.net[i]->entries; j++) {
            const sslh_i_entry *e = t.net[i]->entry[j];
            if (e->is_param) info.params += (int64_t)e->t.count;
            else info.states += (int64_t)e->t.count;
        }
    }
    return info;
}

SSLH_DEF sslh_ctx *sslh_net_ctx(sslh_net *net) { return sslh_i_net_dead(net) ? (sslh_ctx *)(uintptr_t)&sslh_i_dead : net->ctx; }

/* Modes can be set after an error too, so that whoever switched one can switch it back. */
SSLH_DEF void sslh_train_mode(sslh_net *net, int training) {
    sslh_i_tree t;
    int i;
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n; i++) t.net[i]->training = training != 0;
}

SSLH_DEF int sslh_is_training(const sslh_net *net) { return net ? net->training : 0; }

SSLH_DEF void sslh_freeze(sslh_net *net, int frozen) {
    sslh_i_tree t;
    int i, j;
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n; i++) {
        t.net[i]->frozen = frozen != 0;
        for (j = 0; j < t.net[i]->entries; j++) {
            sslh_tensor *p = &t.net[i]->entry[j]->t;
            if (!t.net[i]->entry[j]->is_param) continue;
            if (frozen) p->flags &= ~(unsigned)SSLH_I_NEEDS;
            else p->flags |= SSLH_I_NEEDS;
        }
    }
}

/* --- running a net ----------------------------------------------------------------------------------------------- */

SSLH_DEF const sslh_forward_desc *sslh_call(const sslh_net *net) { return net && net->call ? &net->call->desc : &sslh_i_no_call; }

SSLH_DEF int sslh_tap(sslh_net *net, const char *name, const sslh_tensor *x) {
    sslh_i_call *call = net ? net->call : NULL;
    size_t used;
    (void)x;
    if (!call || !call->desc.tap || !name) return 0;
    if (strcmp(call->desc.tap, name) == 0) {
        call->tapped = 1;
        return 1;
    }
    used = strlen(call->offered);
    snprintf(call->offered + used, sizeof call->offered - used, used ? ", %s" : "%s", name);
    return 0;
}

/* 0 and an error when the input is not what the net declared. */
SSLH_I_FN int sslh_i_check_input(sslh_ctx *c, const sslh_net *net, const sslh_tensor *x) {
    char text[96];
    int channels = x->ndim ? x->shape[x->ndim - 1] : 1;
    sslh_i_str(text, sizeof text, sslh_shape_of(x));
    if (net->channels && channels != net->channels)
        sslh_fail(c, SSLH_E_SHAPE, "sslh_forward: the net '%s' wants %d channels (the last axis), the input %s has %d", net->name, net->channels, text, channels);
    else if (net->image && (x->ndim != 4 || x->shape[1] != net->image || x->shape[2] != net->image))
        sslh_fail(c, SSLH_E_SHAPE, "sslh_forward: the net '%s' wants images of %d x %d (N,H,W,C), the input is %s", net->name, net->image, net->image, text);
    return !SSLH_I_BAD(c);
}

/* Gives back all tensors made since number first, but the result and what a callback keeps. Memory is counted by its
   users, so a result that shares memory with an inner tensor is safe. */
SSLH_I_FN void sslh_i_release_since(sslh_ctx *c, size_t first, const sslh_tensor *result) {
    size_t i, left = first;
    for (i = first; i < c->ntensors; i++) {
        sslh_tensor *t = c->tensors[i];
        if (t == result || (t->flags & SSLH_I_KEPT)) c->tensors[left++] = t;
        else sslh_i_release(c, t);
    }
    c->ntensors = left;
}

SSLH_DEF sslh_tensor *sslh_forward_ex(sslh_net *net, sslh_tensor *x, sslh_forward_desc desc) {
    sslh_ctx *c = sslh_i_net_dead(net) ? (x ? x->ctx : NULL) : net->ctx;
    sslh_i_call call, *outer;
    sslh_tensor *y;
    size_t first;
    if (!sslh_i_net_ok(c, "sslh_forward", net) || !sslh_i_begin(c, "sslh_forward", &x, 1, 0)) return sslh_i_dummy(c);
    if (!net->forward) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_forward: the net '%s' is a container without a forward function", net->name);
        return sslh_i_dummy(c);
    }
    if (!sslh_i_check_input(c, net, x) || !sslh_i_net_ready(net)) return sslh_i_dummy(c);
    memset(&call, 0, sizeof call);
    call.desc = desc;
    outer = net->call; /* a net that calls itself */
    net->call = &call;
    first = c->ntensors;
    y = net->forward(net, x, net->self);
    net->call = outer;
    if (!y) sslh_fail(c, SSLH_E_USAGE, "sslh_forward: the forward function of the net '%s' returned NULL", net->name);
    if (desc.tap && !call.tapped)
        sslh_fail(c, SSLH_E_USAGE, "sslh_forward: the net '%s' has no inner result '%s' (it has: %s)", net->name, desc.tap,
                  call.offered[0] ? call.offered : "none");
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    if (c->no_grad) sslh_i_release_since(c, first, y);
    else y->flags |= SSLH_I_KEPT;
    return y;
}

SSLH_DEF sslh_tensor *sslh_forward(sslh_net *net, sslh_tensor *x) { return sslh_forward_ex(net, x, sslh_i_no_call); }

/* --- copies and averages ----------------------------------------------------------------------------------------- */

SSLH_I_FN sslh_net *sslh_i_clone_one(sslh_ctx *c, sslh_net *net) {
    sslh_net *copy;
    sslh_net_desc d;
    int i;
    memset(&d, 0, sizeof d);
    d.name = net->name;
    d.forward = net->forward;
    d.self = net->self;
    d.self_size = net->self_size;
    d.kind = net->kind;
    d.width = net->width;
    d.channels = net->channels;
    d.image = net->image;
    copy = sslh_net_new(c, d);
    if (SSLH_I_BAD(c)) return NULL;
    memcpy(copy->arch, net->arch, sizeof copy->arch);
    copy->preprocess = net->preprocess;
    copy->training = net->training;
    copy->frozen = net->frozen;
    for (i = 0; i < net->entries; i++) {
        const sslh_i_entry *from = net->entry[i];
        sslh_i_entry *e = sslh_i_declare(copy, "sslh_clone", from->name, from->t.type, sslh_shape_of(&from->t));
        if (!e) return NULL;
        e->is_param = from->is_param;
        e->init = from->init;
        e->scale = from->scale;
        e->stream = from->stream;
        e->lr_scale = from->lr_scale;
        e->decay_scale = from->decay_scale;
        e->t.flags = from->t.flags & (unsigned)(SSLH_I_PARAM | SSLH_I_STATE | SSLH_I_LONG | SSLH_I_NEEDS);
        e->t.group = from->t.group;
    }
    if (!sslh_i_net_seal(copy, 0)) return NULL;
    for (i = 0; i < net->entries; i++) {
        const sslh_tensor *from = &net->entry[i]->t;
        memcpy(sslh_i_get_data(&copy->entry[i]->t), sslh_i_get_data(from), from->count * sslh_i_type_size(from->type));
    }
    return copy;
}

SSLH_DEF sslh_net *sslh_clone_into(sslh_ctx *c, sslh_net *net) {
    sslh_i_tree t;
    sslh_net *copy[SSLH_I_MAX_NETS];
    int i, j, k;
    if (!sslh_i_net_ok(c, "sslh_clone", net) || !sslh_i_tree_ready(&t, net)) return sslh_i_dummy_net(c);
    for (i = 0; i < t.n; i++) {
        copy[i] = sslh_i_clone_one(c, t.net[i]);
        if (!copy[i]) return sslh_i_dummy_net(c);
    }
    for (i = 0; i < t.n; i++) { /* the same links between the copies */
        for (j = 0; j < t.net[i]->children; j++) {
            for (k = 0; k < t.n; k++)
                if (t.net[k] == t.net[i]->child[j].net) sslh_child(copy[i], t.net[i]->child[j].name, copy[k]);
        }
    }
    return SSLH_I_BAD(c) ? sslh_i_dummy_net(c) : copy[0];
}

SSLH_DEF sslh_net *sslh_clone(sslh_net *net) { return sslh_clone_into(sslh_net_ctx(net), net); }

/* Both trees with memory, and the same tensors in both; 0 and an error otherwise. */
SSLH_I_FN int sslh_i_tree_pair(const char *op, sslh_net *a, sslh_net *b, sslh_i_tree *ta, sslh_i_tree *tb) {
    sslh_ctx *c = a ? a->ctx : NULL;
    int i, j;
    if (sslh_i_net_dead(a)) {
        if (!sslh_i_net_bad(b)) sslh_fail(b->ctx, SSLH_E_USAGE, "%s: the target could not be made (an error that was cleared)", op);
        return 0;
    }
    if (!sslh_i_net_ok(c, op, b) || !sslh_i_tree_ready(ta, a) || !sslh_i_tree_ready(tb, b)) return 0;
    for (i = 0; i < SSLH_I_MIN(ta->n, tb->n); i++) {
        const sslh_net *x = ta->net[i], *y = tb->net[i];
        for (j = 0; j < SSLH_I_MIN(x->entries, y->entries); j++) {
            const sslh_tensor *p = &x->entry[j]->t, *q = &y->entry[j]->t;
            if (x->entry[j]->is_param == y->entry[j]->is_param && p->type == q->type && p->ndim == q->ndim &&
                memcmp(p->shape, q->shape, (size_t)p->ndim * sizeof p->shape[0]) == 0) continue;
            sslh_fail(c, SSLH_E_SHAPE, "%s: the nets '%s' and '%s' differ in '%s' / '%s'", op, a->name, b->name, x->entry[j]->name, y->entry[j]->name);
            return 0;
        }
        if (x->entries == y->entries) continue;
        sslh_fail(c, SSLH_E_SHAPE, "%s: the nets '%s' and '%s' have %d and %d tensors", op, x->name, y->name, x->entries, y->entries);
        return 0;
    }
    if (ta->n != tb->n) sslh_fail(c, SSLH_E_SHAPE, "%s: the nets '%s' and '%s' contain %d and %d nets", op, a->name, b->name, ta->n, tb->n);
    return !SSLH_I_BAD(c);
}

SSLH_DEF void sslh_ema_update(sslh_net *target, sslh_net *source, float m) {
    sslh_i_tree a, b;
    int i;
    if (!sslh_i_tree_pair("sslh_ema_update", target, source, &a, &b)) return;
    for (i = 0; i < a.n; i++) {
        if (a.net[i] == b.net[i]) continue; /* shared: nothing to average */
        sslh_i_ema(target->ctx, a.net[i]->values, b.net[i]->values, a.net[i]->nvalues, m);
    }
}

SSLH_DEF void sslh_copy_values(sslh_net *target, sslh_net *source) {
    sslh_i_tree a, b;
    int i, j;
    if (!sslh_i_tree_pair("sslh_copy_values", target, source, &a, &b)) return;
    for (i = 0; i < a.n; i++) {
        for (j = 0; j < a.net[i]->entries; j++) {
            const sslh_tensor *from = &b.net[i]->entry[j]->t;
            memmove(sslh_i_get_data(&a.net[i]->entry[j]->t), sslh_i_get_data(from), from->count * sslh_i_type_size(from->type));
        }
    }
}

/* --- gradients --------------------------------------------------------------------------------------------------- */

SSLH_DEF void sslh_zero_grad(sslh_net *net) {
    sslh_i_tree t;
    int i;
    if (sslh_i_net_bad(net)) return;
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n; i++) if (t.net[i]->grads) memset(t.net[i]->grads, 0, t.net[i]->nvalues * sizeof(sslh_real));
}

SSLH_DEF float sslh_clip_grad(sslh_net *net, float max_norm) {
    sslh_i_tree t;
    sslh_real sum = 0, norm, factor;
    int i;
    if (sslh_i_net_bad(net)) return 0;
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n; i++) {
        sslh_real part = t.net[i]->grads ? sslh_i_sum_squares(net->ctx, t.net[i]->grads, t.net[i]->nvalues) : 0;
        sum = sum + part;
    }
    norm = (sslh_real)sqrt((double)sum);
    if (!(norm > (sslh_real)max_norm)) return (float)norm; /* also when NaN: the optimiser names the parameter */
    factor = (sslh_real)max_norm / (norm + SSLH_I_R(1e-6));
    for (i = 0; i < t.n; i++)
        if (t.net[i]->grads) sslh_i_scale_array(net->ctx, t.net[i]->grads, t.net[i]->nvalues, factor);
    return (float)norm;
}

/* --- summary ----------------------------------------------------------------------------------------------------- */

typedef struct sslh_i_summary {
    char  *out;
    size_t size, used;
    double macs;
    const sslh_tensor *seen[512]; /* parameters counted so far: a shared one counts once */
    int    nseen;
} sslh_i_summary;

/* Appends at most what fits, counts all, as snprintf. */
SSLH_I_FN void sslh_i_append(char *out, size_t size, size_t *used, const char *format, ...) SSLH_I_PRINTF(4, 5);
SSLH_I_FN void sslh_i_append(char *out, size_t size, size_t *used, const char *format, ...) {
    va_list args;
    int n;
    va_start(args, format);
    n = vsnprintf(out && *used < size ? out + *used : NULL, out && *used < size ? size - *used : 0, format, args);
    va_end(args);
    if (n > 0) *used += (size_t)n;
}

/* Multiply-adds of one operation from its shapes; 0 for those that are not products. */
SSLH_I_FN double sslh_i_macs(const sslh_trace_event *e) {
    const sslh_tensor *a = e->inputs > 0 ? e->input[0] : NULL, *b = e->inputs > 1 ? e->input[1] : NULL;
    double out = (double)e->output->count;
    if (!a) return 0;
    if (strstr(e->name, "transpose") && b && strstr(e->name, "conv")) return (double)a->count * (double)b->count / (double)b->shape[0];
    if (b && (strstr(e->name, "conv") || strstr(e->name, "linear"))) return out * (double)b->count / (double)b->shape[0];
    if (b && strstr(e->name, "matmul")) /* (M,K) x (K,N): sqrt(MK KN MN) per matrix = M K N */
        return sqrt((double)a->count * (double)b->count / (out > 0 ? out : 1)) * out;
    if (strstr(e->name, "self_attention")) return 2 * out * (double)a->shape[1];
    if (b && strstr(e->name, "attention")) return 2 * out * (double)b->shape[1];
    if (b && strstr(e->name, "gru")) return (double)(a->count / (size_t)a->shape[a->ndim - 1]) * 3 * (double)e->output->shape[e->output->ndim - 1] *
                                            (double)(a->shape[a->ndim - 1] + e->output->shape[e->output->ndim - 1]);
    return 0;
}

SSLH_I_FN void sslh_i_summary_row(const sslh_trace_event *e, void *user) {
    sslh_i_summary *s = (sslh_i_summary *)user;
    double params = 0, macs = sslh_i_macs(e);
    char text[96];
    const char *name = strncmp(e->name, "sslh_", 5) == 0 ? e->name + 5 : e->name;
    int i, j;
    for (i = 0; i < e->inputs; i++) {
        if (!e->input[i] || !(e->input[i]->flags & SSLH_I_PARAM)) continue;
        for (j = 0; j < s->nseen && s->seen[j] != e->input[i]; j++) {}
        if (j < s->nseen) continue;
        if (s->nseen < (int)(sizeof s->seen / sizeof s->seen[0])) s->seen[s->nseen++] = e->input[i];
        params += (double)e->input[i]->count;
    }
    s->macs += macs;
    sslh_i_append(s->out, s->size, &s->used, "%-20s %-20s %12.0f %12.3f\n", name, sslh_i_str(text, sizeof text, sslh_shape_of(e->output)), params, macs / 1e6);
}

SSLH_DEF size_t sslh_summary(sslh_net *net, sslh_shape input, char *out, size_t size) {
    sslh_i_summary s;
    sslh_i_tree t;
    sslh_ctx *c = sslh_net_ctx(net);
    void (*trace)(const sslh_trace_event *, void *);
    void *trace_user;
    int mode[SSLH_I_MAX_NETS], i;
    if (out && size) out[0] = 0;
    if (sslh_i_net_bad(net)) return 0;
    memset(&s, 0, sizeof s);
    s.out = out;
    s.size = size;
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n; i++) {
        mode[i] = t.net[i]->training;
        t.net[i]->training = 0; /* running statistics stay as they are */
    }
    trace = c->trace;
    trace_user = c->trace_user;
    sslh_i_append(out, size, &s.used, "%-20s %-20s %12s %12s\n", net->name, "output", "parameters", "million MAC");
    sslh_push(c);
    sslh_no_grad(c, 1);
    {
        sslh_tensor *x = sslh_zeros(c, input);
        c->trace = sslh_i_summary_row;
        c->trace_user = &s;
        sslh_forward(net, x);
    }
    c->trace = trace;
    c->trace_user = trace_user;
    sslh_no_grad(c, 0);
    sslh_pop(c);
    for (i = 0; i < t.n; i++) t.net[i]->training = mode[i];
    sslh_i_append(out, size, &s.used, "%-20s %-20s %12.0f %12.3f\n", "total", "", (double)sslh_net_query(net).params, s.macs / 1e6);
    return s.used;
}

/* --- layers ------------------------------------------------------------------------------------------------------ */

/* Declares "name.suffix"; the name may be empty. */
SSLH_I_FN int sslh_i_sub_new(sslh_net *net, const char *name, const char *suffix, int is_param, sslh_type type, sslh_shape shape,
                             sslh_init init, float scale) {
    char full[112];
    if (sslh_i_net_bad(net)) return -1;
    if (snprintf(full, sizeof full, "%s%s%s", name ? name : "", name && name[0] ? "." : "", suffix) >= (int)sizeof full) {
        sslh_fail(net->ctx, SSLH_E_USAGE, "the name '%s' is too long", name);
        return -1;
    }
    return is_param ? sslh_param_new(net, full, shape, init, scale) : sslh_i_state_new(net, full, type, shape, init, scale);
}

/* PyTorch's default: weight and bias uniform in +-1/sqrt(fan_in). */
SSLH_DEF int sslh_layer_linear_new(sslh_net *net, const char *name, int in, int out, int no_bias) {
    int first = sslh_i_sub_new(net, name, "weight", 1, SSLH_F32, sslh_dim2(out, in), SSLH_INIT_FAN_IN, 0);
    if (!no_bias && first >= 0) sslh_i_sub_new(net, name, "bias", 1, SSLH_F32, sslh_dim1(out), SSLH_INIT_UNIFORM, 1.0f / sqrtf((float)in));
    return first;
}

SSLH_DEF sslh_tensor *sslh_layer_linear(sslh_net *net, int index, sslh_tensor *x, int no_bias, sslh_activation activation) {
    return sslh_linear_ex(sslh_net_ctx(net), x, sslh_param(net, index), no_bias ? NULL : sslh_param(net, index + 1), activation);
}

SSLH_I_FN int sslh_i_conv_new(sslh_net *net, const char *name, int in, int out, int kernel, int groups, int no_bias, sslh_init init) {
    int g = groups > 0 ? groups : 1, first;
    if (sslh_i_net_bad(net)) return -1;
    if (in < 1 || in % g || out % g) {
        sslh_fail(net->ctx, SSLH_E_SHAPE, "sslh_layer_conv_new: '%s': %d groups do not divide %d input and %d output channels", name, g, in, out);
        return -1;
    }
    first = sslh_i_sub_new(net, name, "weight", 1, SSLH_F32, sslh_dim4(out, kernel, kernel, in / g), init, 0);
    if (!no_bias && first >= 0)
        sslh_i_sub_new(net, name, "bias", 1, SSLH_F32, sslh_dim1(out), SSLH_INIT_UNIFORM, 1.0f / sqrtf((float)kernel * (float)kernel * (float)(in / g)));
    return first;
}

SSLH_DEF int sslh_layer_conv_new(sslh_net *net, const char *name, int in, int out, int kernel, int groups, int no_bias) {
    return sslh_i_conv_new(net, name, in, out, kernel, groups, no_bias, SSLH_INIT_FAN_IN);
}

SSLH_DEF sslh_tensor *sslh_layer_conv(sslh_net *net, int index, sslh_tensor *x, int no_bias, sslh_conv_desc desc) {
    return sslh_conv2d(sslh_net_ctx(net), x, sslh_param(net, index), no_bias ? NULL : sslh_param(net, index + 1), desc);
}

SSLH_DEF int sslh_layer_batch_norm_new(sslh_net *net, const char *name, int width, int no_affine) {
    sslh_shape s = sslh_dim1(width);
    int first = sslh_i_net_dead(net) ? -1 : net->entries;
    if (no_affine != 1) sslh_i_sub_new(net, name, "weight", 1, SSLH_F32, s, SSLH_INIT_ONE, 0);
    if (no_affine == 0) sslh_i_sub_new(net, name, "bias", 1, SSLH_F32, s, SSLH_INIT_ZERO, 0);
    sslh_i_sub_new(net, name, "running_mean", 0, SSLH_F32, s, SSLH_INIT_ZERO, 0);
    sslh_i_sub_new(net, name, "running_var", 0, SSLH_F32, s, SSLH_INIT_ONE, 0);
    sslh_i_sub_new(net, name, "num_batches_tracked", 0, SSLH_I32, sslh_dim0(), SSLH_INIT_ZERO, 0);
    return sslh_i_net_bad(net) ? -1 : first;
}

SSLH_DEF sslh_tensor *sslh_layer_batch_norm(sslh_net *net, int index, sslh_tensor *x, sslh_tensor *residual, int no_affine,
                                            sslh_activation activation) {
    sslh_ctx *c = sslh_net_ctx(net);
    sslh_batch_norm_desc d;
    sslh_tensor *gamma = no_affine == 1 ? NULL : sslh_param(net, index), *beta = no_affine ? NULL : sslh_param(net, index + 1);
    int state = index + (no_affine == 0 ? 2 : no_affine == 2 ? 1 : 0);
    sslh_tensor *mean = sslh_state(net, state), *var = sslh_state(net, state + 1), *batches = sslh_state(net, state + 2);
    memset(&d, 0, sizeof d);
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    d.training = net->training;
    d.activation = activation;
    if (d.training && batches->ints[0] < INT_MAX) batches->ints[0]++;
    return sslh_batch_norm(c, x, gamma, beta, mean, var, residual, d);
}

SSLH_DEF int sslh_layer_layer_norm_new(sslh_net *net, const char *name, int width) {
    int first = sslh_i_sub_new(net, name, "weight", 1, SSLH_F32, sslh_dim1(width), SSLH_INIT_ONE, 0);
    if (first >= 0) sslh_i_sub_new(net, name, "bias", 1, SSLH_F32, sslh_dim1(width), SSLH_INIT_ZERO, 0);
    return first;
}

SSLH_DEF sslh_tensor *sslh_layer_layer_norm(sslh_net *net, int index, sslh_tensor *x, float eps) {
    return sslh_layer_norm(sslh_net_ctx(net), x, sslh_param(net, index), sslh_param(net, index + 1), eps);
}

/* ================================================================================================================== */
/*  >>encoders      MLP, convnet, ResNet, NIN, ViT                                                                   */
/* ================================================================================================================== */

/* An encoder declares its parameters in the order in which its forward function walks through them, so that the forward
   function needs no table: it counts. .arch records the resolved settings for sslh_load_net. */

/* A setting that must lie in low..high; 0 and an error otherwise. */
SSLH_I_FN int sslh_i_within(sslh_ctx *c, const char *op, const char *what, int value, int low, int high) {
    if (value >= low && value <= high) return 1;
    sslh_fail(c, SSLH_E_USAGE, "%s: .%s is %d (%d to %d are possible)", op, what, value, low, high);
    return 0;
}

SSLH_I_FN sslh_net *sslh_i_encoder_new(sslh_ctx *c, const char *name, sslh_forward_fn forward, const void *self, size_t self_size,
                                       sslh_kind kind, int width, int channels, int image) {
    sslh_net_desc d;
    memset(&d, 0, sizeof d);
    d.name = name;
    d.forward = forward;
    d.self = self;
    d.self_size = self_size;
    d.kind = kind;
    d.width = width;
    d.channels = channels;
    d.image = image;
    return sslh_net_new(c, d);
}

/* "32,64,128" of a list that ends with 0 or after 8. */
SSLH_I_FN const char *sslh_i_widths_text(const int *widths, char *out, size_t size) {
    size_t used = 0;
    int i;
    if (size) out[0] = 0;
    for (i = 0; i < 8 && widths[i]; i++) sslh_i_append(out, size, &used, i ? ",%d" : "%d", widths[i]);
    return out;
}

SSLH_I_FN int sslh_i_widths_count(sslh_ctx *c, const char *op, const int *widths) {
    int n = 0;
    while (n < 8 && widths[n] && sslh_i_within(c, op, "widths[]", widths[n], 1, 1 << 20)) n++;
    return n;
}

/* Both ends of an encoder with a map: the map itself, or its average over all places. */
SSLH_I_FN sslh_tensor *sslh_i_map_end(sslh_ctx *c, sslh_tensor *x, int map_output) { return map_output ? x : sslh_global_avg_pool(c, x); }

/* --- MLP --------------------------------------------------------------------------------------------------------- */

/* Kind of the batch norm after layer i of n: -1 none, else no_affine. */
SSLH_I_FN int sslh_i_mlp_norm(const sslh_mlp_desc *d, int i, int n) {
    if (i < n - 1) return d->batch_norm ? 0 : -1;
    return d->last_batch_norm == 0 ? -1 : d->last_batch_norm == 1 ? 0 : d->last_batch_norm == 2 ? 2 : 1;
}

/* A bias before a batch norm would be taken away again by its mean. */
SSLH_I_FN int sslh_i_mlp_no_bias(const sslh_mlp_desc *d, int i, int n) { return sslh_i_mlp_norm(d, i, n) >= 0 || (i == n - 1 && d->last_no_bias); }

SSLH_I_FN sslh_tensor *sslh_i_mlp_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    const sslh_mlp_desc *d = (const sslh_mlp_desc *)self;
    sslh_ctx *c = sslh_net_ctx(net);
    char tap[24], text[96];
    int n = 0, i, at = 0;
    while (n < 8 && d->widths[n]) n++;
    if (x->ndim < 1 || x->count / (size_t)x->shape[0] != (size_t)d->in) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_forward: the net '%s' wants %d values per sample, the input is %s", net->name, d->in, sslh_i_str(text, sizeof text, sslh_shape_of(x)));
        return sslh_i_dummy(c);
    }
    if (x->ndim != 2) x = sslh_reshape(c, x, sslh_dim2(x->shape[0], d->in));
    for (i = 0; i < n; i++) {
        int norm = sslh_i_mlp_norm(d, i, n), no_bias = sslh_i_mlp_no_bias(d, i, n);
        sslh_activation act = i < n - 1 || d->last_activation ? d->activation : SSLH_LINEAR;
        x = sslh_layer_linear(net, at, x, no_bias, norm < 0 ? act : SSLH_LINEAR);
        at += no_bias ? 1 : 2;
        if (norm >= 0) {
            int fused = act == SSLH_RELU || act == SSLH_LINEAR;
            x = sslh_layer_batch_norm(net, at, x, NULL, norm, fused ? act : SSLH_LINEAR);
            if (!fused) x = sslh_activate(c, x, act);
            at += norm == 0 ? 5 : norm == 2 ? 4 : 3;
        }
        snprintf(tap, sizeof tap, "layer%d", i + 1);
        if (sslh_tap(net, tap, x)) return x;
    }
    return x;
}

SSLH_DEF sslh_net *sslh_mlp(sslh_ctx *c, sslh_mlp_desc desc) {
    sslh_net *net;
    char name[24], text[96];
    int n, i, in = desc.in;
    if (SSLH_I_BAD(c)) return sslh_i_dummy_net(c);
    if (!desc.widths[0]) desc.widths[0] = desc.widths[1] = 256;
    if (desc.activation == SSLH_LINEAR) desc.activation = SSLH_RELU;
    n = sslh_i_widths_count(c, "sslh_mlp", desc.widths);
    if (SSLH_I_BAD(c) || !sslh_i_within(c, "sslh_mlp", "in", desc.in, 1, INT_MAX) ||
        !sslh_i_within(c, "sslh_mlp", "last_batch_norm", desc.last_batch_norm, 0, 3)) return sslh_i_dummy_net(c);
    net = sslh_i_encoder_new(c, "mlp", sslh_i_mlp_forward, &desc, sizeof desc, SSLH_VECTOR, desc.widths[n - 1], 0, 0);
    for (i = 0; i < n; i++) {
        int norm = sslh_i_mlp_norm(&desc, i, n);
        snprintf(name, sizeof name, "fc%d", i + 1);
        sslh_layer_linear_new(net, name, in, desc.widths[i], sslh_i_mlp_no_bias(&desc, i, n));
        snprintf(name, sizeof name, "bn%d", i + 1);
        if (norm >= 0) sslh_layer_batch_norm_new(net, name, desc.widths[i], norm);
        in = desc.widths[i];
    }
    if (sslh_i_net_bad(net)) return sslh_i_dummy_net(c);
    snprintf(net->arch, sizeof net->arch, "mlp in=%d widths=%s activation=%d batch_norm=%d last_batch_norm=%d last_activation=%d last_no_bias=%d",
             desc.in, sslh_i_widths_text(desc.widths, text, sizeof text), (int)desc.activation, desc.batch_norm, desc.last_batch_norm,
             desc.last_activation, desc.last_no_bias);
    return net;
}

/* --- small convolutional net ------------------------------------------------------------------------------------- */

SSLH_I_FN sslh_tensor *sslh_i_convnet_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    const sslh_convnet_desc *d = (const sslh_convnet_desc *)self;
    sslh_conv_desc conv;
    char tap[24];
    int i;
    memset(&conv, 0, sizeof conv);
    conv.stride = 2;
    conv.pad = 1;
    for (i = 0; i < 8 && d->widths[i]; i++) { /* (N,H,W,C) -> (N,(H+1)/2,(W+1)/2,widths[i]) */
        x = sslh_layer_conv(net, 6 * i, x, 1, conv);
        x = sslh_layer_batch_norm(net, 6 * i + 1, x, NULL, 0, SSLH_RELU);
        snprintf(tap, sizeof tap, "block%d", i + 1);
        if (sslh_tap(net, tap, x)) return x;
    }
    return sslh_i_map_end(sslh_net_ctx(net), x, d->map_output);
}

SSLH_DEF sslh_net *sslh_convnet(sslh_ctx *c, sslh_convnet_desc desc) {
    static const int widths[4] = {32, 64, 128, 256};
    sslh_net *net;
    char name[24], text[96];
    int n, i, in;
    if (SSLH_I_BAD(c)) return sslh_i_dummy_net(c);
    if (!desc.channels) desc.channels = 3;
    if (!desc.widths[0]) memcpy(desc.widths, widths, sizeof widths);
    n = sslh_i_widths_count(c, "sslh_convnet", desc.widths);
    if (SSLH_I_BAD(c) || !sslh_i_within(c, "sslh_convnet", "channels", desc.channels, 1, 1 << 20)) return sslh_i_dummy_net(c);
    net = sslh_i_encoder_new(c, "convnet", sslh_i_convnet_forward, &desc, sizeof desc, desc.map_output ? SSLH_MAP : SSLH_VECTOR,
                             desc.widths[n - 1], desc.channels, 0);
    for (i = 0, in = desc.channels; i < n; in = desc.widths[i++]) {
        snprintf(name, sizeof name, "conv%d", i + 1);
        sslh_i_conv_new(net, name, in, desc.widths[i], 3, 1, 1, SSLH_INIT_KAIMING);
        snprintf(name, sizeof name, "bn%d", i + 1);
        sslh_layer_batch_norm_new(net, name, desc.widths[i], 0);
    }
    if (sslh_i_net_bad(net)) return sslh_i_dummy_net(c);
    snprintf(net->arch, sizeof net->arch, "convnet channels=%d widths=%s map_output=%d", desc.channels, sslh_i_widths_text(desc.widths, text, sizeof text), desc.map_output);
    return net;
}

/* --- ResNet (He, Zhang, Ren, Sun: "Deep residual learning for image recognition", 2016) -------------------------- */

/* Blocks of each stage. */
SSLH_I_FN const int *sslh_i_resnet_blocks(int depth) {
    static const int r18[4] = {2, 2, 2, 2}, r34[4] = {3, 4, 6, 3};
    return depth == 34 ? r34 : r18;
}

SSLH_I_FN sslh_tensor *sslh_i_resnet_conv(sslh_net *net, int *at, sslh_tensor *x, int stride, int pad) {
    sslh_conv_desc conv;
    memset(&conv, 0, sizeof conv);
    conv.stride = stride;
    conv.pad = pad;
    x = sslh_layer_conv(net, *at, x, 1, conv);
    *at += 1;
    return x;
}

SSLH_I_FN sslh_tensor *sslh_i_resnet_norm(sslh_net *net, int *at, sslh_tensor *x, sslh_tensor *residual, sslh_activation act) {
    x = sslh_layer_batch_norm(net, *at, x, residual, 0, act);
    *at += 5;
    return x;
}

/* y = relu(bn(conv(relu(bn(conv(x))))) + shortcut), the shortcut being x or a 1x1 convolution with batch norm */
SSLH_I_FN sslh_tensor *sslh_i_basic_block(sslh_net *net, int *at, sslh_tensor *x, int stride, int project) {
    sslh_tensor *shortcut = x, *y;
    int second;
    y = sslh_i_resnet_conv(net, at, x, stride, 1);
    y = sslh_i_resnet_norm(net, at, y, NULL, SSLH_RELU);
    y = sslh_i_resnet_conv(net, at, y, 1, 1);
    second = *at;
    *at += 5;
    if (project) { /* declared after the second batch norm, needed before it */
        shortcut = sslh_i_resnet_conv(net, at, x, stride, 0);
        shortcut = sslh_i_resnet_norm(net, at, shortcut, NULL, SSLH_LINEAR);
    }
    return sslh_i_resnet_norm(net, &second, y, shortcut, SSLH_RELU);
}

SSLH_I_FN sslh_tensor *sslh_i_resnet_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    const sslh_resnet_desc *d = (const sslh_resnet_desc *)self;
    const int *blocks = sslh_i_resnet_blocks(d->depth);
    char tap[24];
    int stage, i, at = 0;
    x = sslh_i_resnet_conv(net, &at, x, d->imagenet_stem ? 2 : 1, d->imagenet_stem ? 3 : 1);
    x = sslh_i_resnet_norm(net, &at, x, NULL, SSLH_RELU);
    if (d->imagenet_stem) x = sslh_max_pool2d(sslh_net_ctx(net), x, 3, 2, 1);
    if (sslh_tap(net, "stem", x)) return x;
    for (stage = 0; stage < 4; stage++) {
        for (i = 0; i < blocks[stage]; i++) {
            int first = i == 0 && stage > 0;
            x = sslh_i_basic_block(net, &at, x, first ? 2 : 1, first);
        }
        snprintf(tap, sizeof tap, "layer%d", stage + 1);
        if (sslh_tap(net, tap, x)) return x;
    }
    return sslh_i_map_end(sslh_net_ctx(net), x, d->map_output);
}

SSLH_DEF sslh_net *sslh_resnet(sslh_ctx *c, sslh_resnet_desc desc) {
    sslh_net *net;
    const int *blocks;
    char name[48];
    int stage, i, in, out;
    if (SSLH_I_BAD(c)) return sslh_i_dummy_net(c);
    if (!desc.channels) desc.channels = 3;
    if (!desc.depth) desc.depth = 18;
    if (!desc.width) desc.width = 64;
    if (desc.depth != 18 && desc.depth != 34) sslh_fail(c, SSLH_E_USAGE, "sslh_resnet: .depth is %d (18 and 34 are possible)", desc.depth);
    if (SSLH_I_BAD(c) || !sslh_i_within(c, "sslh_resnet", "channels", desc.channels, 1, 1 << 16) ||
        !sslh_i_within(c, "sslh_resnet", "width", desc.width, 1, 1 << 16)) return sslh_i_dummy_net(c);
    blocks = sslh_i_resnet_blocks(desc.depth);
    net = sslh_i_encoder_new(c, "resnet", sslh_i_resnet_forward, &desc, sizeof desc, desc.map_output ? SSLH_MAP : SSLH_VECTOR,
                             8 * desc.width, desc.channels, 0);
    sslh_i_conv_new(net, "conv1", desc.channels, desc.width, desc.imagenet_stem ? 7 : 3, 1, 1, SSLH_INIT_KAIMING_OUT);
    sslh_layer_batch_norm_new(net, "bn1", desc.width, 0);
    for (stage = 0, in = desc.width; stage < 4; stage++) {
        out = desc.width << stage;
        for (i = 0; i < blocks[stage]; i++) {
            int used = snprintf(name, sizeof name, "layer%d.%d.", stage + 1, i);
            char *part = name + used;
            size_t room = sizeof name - (size_t)used;
            snprintf(part, room, "conv1");
            sslh_i_conv_new(net, name, in, out, 3, 1, 1, SSLH_INIT_KAIMING_OUT);
            snprintf(part, room, "bn1");
            sslh_layer_batch_norm_new(net, name, out, 0);
            snprintf(part, room, "conv2");
            sslh_i_conv_new(net, name, out, out, 3, 1, 1, SSLH_INIT_KAIMING_OUT);
            snprintf(part, room, "bn2");
            sslh_layer_batch_norm_new(net, name, out, 0);
            if (i == 0 && stage > 0) {
                snprintf(part, room, "downsample.0");
                sslh_i_conv_new(net, name, in, out, 1, 1, 1, SSLH_INIT_KAIMING_OUT);
                snprintf(part, room, "downsample.1");
                sslh_layer_batch_norm_new(net, name, out, 0);
            }
            in = out;
        }
    }
    if (sslh_i_net_bad(net)) return sslh_i_dummy_net(c);
    snprintf(net->arch, sizeof net->arch, "resnet channels=%d depth=%d imagenet_stem=%d width=%d map_output=%d", desc.channels, desc.depth,
             desc.imagenet_stem, desc.width, desc.map_output);
    return net;
}

/* --- network in network, as RotNet uses it ----------------------------------------------------------------------- */

/* Kernel and width of convolution j of block i: 5x5 in the first two blocks, 3x3 in the others, then two of 1x1. */
SSLH_I_FN void sslh_i_nin_layer(const sslh_nin_desc *d, int i, int j, int *kernel, int *width) {
    static const int first[3] = {192, 160, 96};
    *kernel = j > 0 ? 1 : i < 2 ? 5 : 3;
    *width = (i == 0 ? first[j] : 192) / d->divide;
}

SSLH_I_FN sslh_tensor *sslh_i_nin_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    const sslh_nin_desc *d = (const sslh_nin_desc *)self;
    sslh_ctx *c = sslh_net_ctx(net);
    char tap[24];
    int i, j, kernel, width, at = 0;
    for (i = 0; i < d->blocks; i++) {
        for (j = 0; j < 3; j++) {
            sslh_i_nin_layer(d, i, j, &kernel, &width);
            x = sslh_i_resnet_conv(net, &at, x, 1, (kernel - 1) / 2);
            x = sslh_i_resnet_norm(net, &at, x, NULL, SSLH_RELU);
        }
        if (i == 0) x = sslh_max_pool2d(c, x, 3, 2, 1);
        if (i == 1) x = sslh_avg_pool2d(c, x, 3, 2, 1);
        snprintf(tap, sizeof tap, "block%d", i + 1);
        if (sslh_tap(net, tap, x)) return x;
    }
    return sslh_i_map_end(c, x, d->map_output);
}

SSLH_DEF sslh_net *sslh_nin(sslh_ctx *c, sslh_nin_desc desc) {
    sslh_net *net;
    char name[40];
    int i, j, in, kernel, width;
    if (SSLH_I_BAD(c)) return sslh_i_dummy_net(c);
    if (!desc.channels) desc.channels = 3;
    if (!desc.blocks) desc.blocks = 4;
    if (!desc.divide) desc.divide = 1;
    if (!sslh_i_within(c, "sslh_nin", "blocks", desc.blocks, 3, 5) || !sslh_i_within(c, "sslh_nin", "divide", desc.divide, 1, 96) ||
        !sslh_i_within(c, "sslh_nin", "channels", desc.channels, 1, 1 << 16)) return sslh_i_dummy_net(c);
    net = sslh_i_encoder_new(c, "nin", sslh_i_nin_forward, &desc, sizeof desc, desc.map_output ? SSLH_MAP : SSLH_VECTOR, 192 / desc.divide,
                             desc.channels, 0);
    for (i = 0, in = desc.channels; i < desc.blocks; i++) {
        for (j = 0; j < 3; j++) {
            sslh_i_nin_layer(&desc, i, j, &kernel, &width);
            snprintf(name, sizeof name, "block%d.conv%d", i + 1, j + 1);
            sslh_i_conv_new(net, name, in, width, kernel, 1, 1, SSLH_INIT_KAIMING_OUT);
            snprintf(name, sizeof name, "block%d.bn%d", i + 1, j + 1);
            sslh_layer_batch_norm_new(net, name, width, 0);
            in = width;
        }
    }
    if (sslh_i_net_bad(net)) return sslh_i_dummy_net(c);
    snprintf(net->arch, sizeof net->arch, "nin channels=%d blocks=%d divide=%d map_output=%d", desc.channels, desc.blocks, desc.divide, desc.map_output);
    return net;
}

/* --- ViT (Dosovitskiy et al.: "An image is worth 16x16 words", 2021) --------------------------------------------- */

/* One pre-norm block has 12 parameters: norm1 (2), attn.qkv (2), attn.proj (2), norm2 (2), mlp.fc1 (2), mlp.fc2 (2).
   Also used by decoders: at is the index of norm1.weight.
     x = x + drop(proj(attention(norm1(x))));   x = x + drop(fc2(gelu(fc1(norm2(x)))))                                   */
SSLH_I_FN sslh_tensor *sslh_i_vit_block(sslh_net *net, int at, sslh_tensor *x, int heads, float drop, sslh_tensor *key_mask) {
    sslh_ctx *c = sslh_net_ctx(net);
    sslh_attention_desc a;
    sslh_tensor *y;
    memset(&a, 0, sizeof a);
    a.heads = heads;
    a.key_mask = key_mask;
    y = sslh_layer_layer_norm(net, at, x, 1e-6f);
    y = sslh_layer_linear(net, at + 2, y, 0, SSLH_LINEAR); /* (N,T,3D) */
    y = sslh_self_attention(c, y, a);
    y = sslh_layer_linear(net, at + 4, y, 0, SSLH_LINEAR);
    if (drop > 0.0f) y = sslh_drop_path(c, y, drop);
    x = sslh_add(c, x, y);
    y = sslh_layer_layer_norm(net, at + 6, x, 1e-6f);
    y = sslh_layer_linear(net, at + 8, y, 0, SSLH_GELU); /* (N,T,mlp) */
    y = sslh_layer_linear(net, at + 10, y, 0, SSLH_LINEAR);
    if (drop > 0.0f) y = sslh_drop_path(c, y, drop);
    return sslh_add(c, x, y);
}

/* Xavier weights and zero biases, as MAE and the ViT paper's code. */
SSLH_I_FN int sslh_i_xavier_new(sslh_net *net, const char *name, int in, int out) {
    int first = sslh_i_sub_new(net, name, "weight", 1, SSLH_F32, sslh_dim2(out, in), SSLH_INIT_XAVIER, 0);
    sslh_i_sub_new(net, name, "bias", 1, SSLH_F32, sslh_dim1(out), SSLH_INIT_ZERO, 0);
    return first;
}

/* Declares "prefix.norm1.weight" .. and returns the index of the first. */
SSLH_I_FN int sslh_i_vit_block_new(sslh_net *net, const char *prefix, int width, int mlp) {
    char name[64];
    int first = sslh_i_net_dead(net) ? -1 : net->entries;
    snprintf(name, sizeof name, "%s.norm1", prefix);
    sslh_layer_layer_norm_new(net, name, width);
    snprintf(name, sizeof name, "%s.attn.qkv", prefix);
    sslh_i_xavier_new(net, name, width, 3 * width);
    snprintf(name, sizeof name, "%s.attn.proj", prefix);
    sslh_i_xavier_new(net, name, width, width);
    snprintf(name, sizeof name, "%s.norm2", prefix);
    sslh_layer_layer_norm_new(net, name, width);
    snprintf(name, sizeof name, "%s.mlp.fc1", prefix);
    sslh_i_xavier_new(net, name, width, mlp);
    snprintf(name, sizeof name, "%s.mlp.fc2", prefix);
    sslh_i_xavier_new(net, name, mlp, width);
    return sslh_i_net_bad(net) ? -1 : first;
}

/* Position of the entries: 0 cls_token, 1 pos_embed, 2 patch_embed.proj.weight, 3 its bias, 4 + 12 i block i, then norm. */
SSLH_I_FN sslh_tensor *sslh_i_vit_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    const sslh_vit_desc *d = (const sslh_vit_desc *)self;
    const sslh_forward_desc *call = sslh_call(net);
    sslh_ctx *c = sslh_net_ctx(net);
    int n = x->shape[0], side = d->image / d->patch, patches = side * side, i;
    sslh_tensor *cls, *position, *two[2];
    sslh_conv_desc conv;
    char tap[24];
    memset(&conv, 0, sizeof conv);
    conv.stride = d->patch;
    position = d->fixed_positions ? sslh_state(net, 1) : sslh_param(net, 1); /* (1,1+P,D) */
    x = sslh_layer_conv(net, 2, x, 0, conv);                                 /* (N,side,side,D) */
    x = sslh_reshape(c, x, sslh_dim3(n, patches, d->width));
    x = sslh_add(c, x, sslh_slice(c, position, 1, 1, 1 + patches));
    if (call->keep) x = sslh_gather(c, x, call->keep);                       /* (N,J,D) */
    cls = sslh_add(c, sslh_param(net, 0), sslh_slice(c, position, 1, 0, 1)); /* (1,1,D) */
    two[0] = sslh_broadcast(c, cls, sslh_dim3(n, 1, d->width));
    two[1] = x;
    x = sslh_concat(c, two, 2, 1);                                           /* (N,1+P,D) */
    for (i = 0; i < d->depth; i++) {
        /* stochastic depth grows linearly with depth (Huang et al. 2016) */
        float drop = net->training && d->depth > 1 ? call->drop_path * (float)i / (float)(d->depth - 1) : 0.0f;
        x = sslh_i_vit_block(net, 4 + 12 * i, x, d->heads, drop, call->mask);
        snprintf(tap, sizeof tap, "block%d", i + 1);
        if (sslh_tap(net, tap, x)) return x;
    }
    x = sslh_layer_layer_norm(net, 4 + 12 * d->depth, x, 1e-6f);
    if (sslh_tap(net, "tokens", x) || d->token_output || SSLH_I_BAD(c)) return x;
    if (d->mean_pool) return sslh_mean(c, sslh_slice(c, x, 1, 1, x->shape[1]), SSLH_AXIS(1), 0);
    return sslh_reshape(c, sslh_slice(c, x, 1, 0, 1), sslh_dim2(n, d->width));
}

SSLH_DEF sslh_net *sslh_vit(sslh_ctx *c, sslh_vit_desc desc) {
    sslh_net *net;
    sslh_param_opts token;
    char name[40];
    int i, patches, flat;
    if (SSLH_I_BAD(c)) return sslh_i_dummy_net(c);
    if (!desc.image) desc.image = 32;
    if (!desc.channels) desc.channels = 3;
    if (!desc.patch) desc.patch = 4;
    if (!desc.width) desc.width = 192;
    if (!desc.depth) desc.depth = 12;
    if (!desc.heads) desc.heads = 3;
    if (!sslh_i_within(c, "sslh_vit", "image", desc.image, 1, 1 << 14) || !sslh_i_within(c, "sslh_vit", "patch", desc.patch, 1, desc.image) ||
        !sslh_i_within(c, "sslh_vit", "width", desc.width, 1, 1 << 16) || !sslh_i_within(c, "sslh_vit", "depth", desc.depth, 1, 512) ||
        !sslh_i_within(c, "sslh_vit", "heads", desc.heads, 1, desc.width) || !sslh_i_within(c, "sslh_vit", "channels", desc.channels, 1, 1 << 12))
        return sslh_i_dummy_net(c);
    if (!desc.mlp) desc.mlp = 4 * desc.width;
    if (!sslh_i_within(c, "sslh_vit", "mlp", desc.mlp, 1, 1 << 18)) return sslh_i_dummy_net(c);
    if (desc.image % desc.patch) sslh_fail(c, SSLH_E_SHAPE, "sslh_vit: patches of %d do not divide images of %d", desc.patch, desc.image);
    if (desc.width % desc.heads) sslh_fail(c, SSLH_E_SHAPE, "sslh_vit: %d heads do not divide the width %d", desc.heads, desc.width);
    if (desc.fixed_positions && desc.width % 4) sslh_fail(c, SSLH_E_SHAPE, "sslh_vit: sine-cosine positions need a width that 4 divides, this is %d", desc.width);
    patches = (desc.image / desc.patch) * (desc.image / desc.patch);
    net = sslh_i_encoder_new(c, "vit", sslh_i_vit_forward, &desc, sizeof desc, desc.token_output ? SSLH_TOKENS : SSLH_VECTOR, desc.width,
                             desc.channels, desc.image);
    sslh_param_new(net, "cls_token", sslh_dim3(1, 1, desc.width), SSLH_INIT_TRUNC_NORMAL, 0.02f);
    if (desc.fixed_positions)
        sslh_i_sub_new(net, "", "pos_embed", 0, SSLH_F32, sslh_dim3(1, 1 + patches, desc.width), SSLH_INIT_POSITIONS, (float)(desc.image / desc.patch));
    else
        sslh_param_new(net, "pos_embed", sslh_dim3(1, 1 + patches, desc.width), SSLH_INIT_TRUNC_NORMAL, 0.02f);
    /* Xavier on the projection as the matrix (D, p p C) that it is: +-sqrt(6 / (D + p p C)) */
    flat = desc.patch * desc.patch * desc.channels;
    sslh_param_new(net, "patch_embed.proj.weight", sslh_dim4(desc.width, desc.patch, desc.patch, desc.channels), SSLH_INIT_UNIFORM,
                   sqrtf(6.0f / ((float)flat + (float)desc.width)));
    sslh_param_new(net, "patch_embed.proj.bias", sslh_dim1(desc.width), SSLH_INIT_ZERO, 0);
    for (i = 0; i < desc.depth; i++) {
        snprintf(name, sizeof name, "blocks.%d", i);
        sslh_i_vit_block_new(net, name, desc.width, desc.mlp);
    }
    sslh_layer_layer_norm_new(net, "norm", desc.width);
    if (sslh_i_net_bad(net)) return sslh_i_dummy_net(c);
    memset(&token, 0, sizeof token); /* token and positions are no weights: no decay, as timm's no_weight_decay */
    token.decay_scale = (float)SSLH_OFF;
    sslh_param_set(net, 0, token);
    if (!desc.fixed_positions) sslh_param_set(net, 1, token);
    snprintf(net->arch, sizeof net->arch, "vit image=%d channels=%d patch=%d width=%d depth=%d heads=%d mlp=%d fixed_positions=%d token_output=%d mean_pool=%d",
             desc.image, desc.channels, desc.patch, desc.width, desc.depth, desc.heads, desc.mlp, desc.fixed_positions, desc.token_output, desc.mean_pool);
    return net;
}


/* ================================================================================================================== */
/*  >>optim         optimisers and schedules                                                                         */
/* ================================================================================================================== */

/* An optimiser holds, for each net, one or two arrays of the layout of the net's parameters: the momentum, or Adam's two
   moments. They are made at the first step. One pass per tensor reads the gradient, updates and clears it. */

typedef struct sslh_i_optim_net { sslh_net *net; sslh_real *m, *v; } sslh_i_optim_net;

struct sslh_optimizer {
    sslh_ctx           *ctx; /* NULL: the dead optimiser */
    sslh_optimizer_desc desc;
    sslh_i_optim_net   *net;
    int                 nets, cap;
    int64_t             steps;
    double              power1, power2; /* beta1^steps, beta2^steps */
    float               peak;
};

static const sslh_optimizer sslh_i_dead_optimizer = SSLH_I_ZERO;

SSLH_I_FN sslh_optimizer *sslh_i_dummy_optimizer(void) { return (sslh_optimizer *)(uintptr_t)&sslh_i_dead_optimizer; }

/* A setting with a default: 0 means it, SSLH_OFF means zero. */
SSLH_I_FN float sslh_i_default(float value, float fallback) { return value == 0.0f ? fallback : value < 0.0f ? 0.0f : value; }

SSLH_DEF sslh_optimizer *sslh_optimizer_new(sslh_ctx *c, sslh_optimizer_desc d) {
    sslh_optimizer *o;
    int g;
    if (SSLH_I_BAD(c)) return sslh_i_dummy_optimizer();
    if (d.kind == SSLH_OPTIM_DEFAULT) d.kind = SSLH_SGD;
    if ((int)d.kind < (int)SSLH_SGD || (int)d.kind > (int)SSLH_LARS) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_optimizer_new: .kind is %d", (int)d.kind);
        return sslh_i_dummy_optimizer();
    }
    d.momentum = sslh_i_default(d.momentum, 0.9f);
    d.beta1 = sslh_i_default(d.beta1, 0.9f);
    d.beta2 = sslh_i_default(d.beta2, 0.999f);
    d.eps = sslh_i_default(d.eps, 1e-8f);
    d.weight_decay = sslh_i_default(d.weight_decay, 0.0f);
    d.lars_eta = sslh_i_default(d.lars_eta, 0.001f);
    d.clip = sslh_i_default(d.clip, 0.0f);
    for (g = 0; g < 16; g++) d.group_lr[g] = sslh_i_default(d.group_lr[g], 1.0f);
    if (!(d.momentum < 1.0f) || !(d.beta1 < 1.0f) || !(d.beta2 < 1.0f)) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_optimizer_new: momentum and betas must be below 1");
        return sslh_i_dummy_optimizer();
    }
    o = (sslh_optimizer *)sslh_i_alloc(c, sizeof *o);
    if (!o) return sslh_i_dummy_optimizer();
    o->ctx = c;
    o->desc = d;
    o->power1 = o->power2 = 1;
    return o;
}

SSLH_I_FN int sslh_i_optimizer_ok(const sslh_optimizer *o) { return o && o->ctx && !SSLH_I_BAD(o->ctx); }

SSLH_DEF void sslh_optimizer_add(sslh_optimizer *o, sslh_net *net) {
    sslh_i_tree t;
    sslh_i_optim_net *array;
    int i, j;
    if (!sslh_i_optimizer_ok(o) || !sslh_i_net_ok(o->ctx, "sslh_optimizer_add", net)) return;
    if (net->ctx != o->ctx) {
        sslh_fail(o->ctx, SSLH_E_USAGE, "sslh_optimizer_add: the net '%s' belongs to another context", net->name);
        return;
    }
    if (!sslh_i_tree_ready(&t, net)) return;
    for (i = 0; i < t.n; i++) {
        for (j = 0; j < o->nets && o->net[j].net != t.net[i]; j++) {}
        if (j < o->nets || t.net[i]->nvalues == 0) continue;
        array = (sslh_i_optim_net *)sslh_i_owned_grow(o->ctx, o, o->net, o->nets, &o->cap, sizeof *array);
        if (!array) return;
        o->net = array;
        memset(&array[o->nets], 0, sizeof *array);
        array[o->nets++].net = t.net[i];
    }
}

/* Memory for the moments of net number i. */
SSLH_I_FN int sslh_i_optim_ready(sslh_optimizer *o, int i) {
    sslh_i_optim_net *n = &o->net[i];
    int adam = o->desc.kind == SSLH_ADAM || o->desc.kind == SSLH_ADAMW;
    size_t bytes = n->net->nvalues * sizeof(sslh_real);
    if (!n->m && (adam || o->desc.momentum > 0.0f)) {
        n->m = (sslh_real *)sslh_i_alloc_with(o->ctx, bytes, o);
        if (!n->m) return 0;
    }
    if (!n->v && adam) {
        n->v = (sslh_real *)sslh_i_alloc_with(o->ctx, bytes, o);
        if (!n->v) return 0;
    }
    return 1;
}

/* 1 when the step moves this tensor. */
SSLH_I_FN int sslh_i_optim_takes(const sslh_net *net, const sslh_i_entry *e, unsigned groups) {
    return e->is_param && net->grads && !net->frozen && (e->t.group & groups) != 0;
}

/* Norm of all gradients of the step; a NaN or Inf among them is an error that names the parameter. */
SSLH_I_FN sslh_real sslh_i_optim_norm(sslh_optimizer *o, unsigned groups) {
    sslh_real sum = 0;
    char text[256];
    int i, j;
    for (i = 0; i < o->nets; i++) {
        const sslh_net *net = o->net[i].net;
        for (j = 0; j < net->entries; j++) {
            const sslh_i_entry *e = net->entry[j];
            sslh_real part;
            if (!sslh_i_optim_takes(net, e, groups)) continue;
            part = sslh_i_sum_squares(o->ctx, e->t.grad, e->t.count);
            sum = sum + part;
            if (part - part == 0 || sslh_i_finite(e->t.grad, e->t.count)) continue; /* large but finite gradients may overflow here */
            snprintf(text, sizeof text, "%s.%s", net->name, e->name);
            sslh_fail(o->ctx, SSLH_E_NAN, "sslh_optimizer_step: the gradient of '%s' holds NaN or Inf in step %.0f; no parameter was changed", text,
                      (double)o->steps);
            return 0;
        }
    }
    return (sslh_real)sqrt((double)sum);
}

/* LARS (You, Gitman, Ginsburg 2017): eta |p| / |g + wd p|, 1 when either norm is 0. */
SSLH_I_FN sslh_real sslh_i_lars_ratio(const sslh_optimizer *o, const sslh_tensor *t, sslh_real decay, sslh_real scale, sslh_real lr) {
    sslh_real p = sslh_i_sum_squares(o->ctx, t->data, t->count);
    sslh_real g = sslh_i_sum_squares2(o->ctx, t->grad, t->data, t->count, scale, decay), ratio;
    if (!(p > 0) || !(g > 0)) return 1;
    ratio = (sslh_real)sqrt((double)p) / (sslh_real)sqrt((double)g);
    ratio = ratio * (sslh_real)o->desc.lars_eta;
    if (o->desc.lars_clip && lr > 0) {
        ratio = ratio / lr;
        if (ratio > 1) ratio = 1;
    }
    return ratio;
}

SSLH_I_FN void sslh_i_optim_tensor(sslh_optimizer *o, const sslh_i_optim_net *n, const sslh_i_entry *e, sslh_real lr, sslh_real scale) {
    const sslh_optimizer_desc *d = &o->desc;
    sslh_real decay = (sslh_real)(d->weight_decay * e->decay_scale);
    sslh_real *m = n->m ? n->m + e->offset : NULL, *v = n->v ? n->v + e->offset : NULL;
    if (v) {
        sslh_i_adam a;
        memset(&a, 0, sizeof a);
        a.lr = lr;
        a.beta1 = (sslh_real)d->beta1;
        a.beta2 = (sslh_real)d->beta2;
        a.eps = (sslh_real)d->eps;
        if (d->kind == SSLH_ADAM) a.decay = decay;
        else a.decoupled = decay;
        a.bias1 = d->no_bias_correction ? (sslh_real)1 : (sslh_real)(1 - o->power1);
        a.bias2 = d->no_bias_correction ? (sslh_real)1 : (sslh_real)(1 - o->power2);
        a.grad_scale = scale;
        a.zero_grad = 1;
        sslh_i_adam_update(o->ctx, e->t.data, e->t.grad, m, v, e->t.count, a);
    } else {
        sslh_i_sgd s;
        memset(&s, 0, sizeof s);
        s.lr = lr;
        s.momentum = (sslh_real)d->momentum; /* the first momentum is the gradient itself: the buffer starts at zero */
        s.decay = decay;
        s.grad_scale = scale;
        s.ratio = 1;
        s.nesterov = d->nesterov && d->kind == SSLH_SGD;
        s.zero_grad = 1;
        if (d->kind == SSLH_LARS) {
            if (e->t.ndim > 1) s.ratio = sslh_i_lars_ratio(o, &e->t, decay, scale, lr);
            else s.decay = 0;
        }
        sslh_i_sgd_update(o->ctx, e->t.data, e->t.grad, m, e->t.count, s);
    }
}

SSLH_DEF void sslh_optimizer_step_groups(sslh_optimizer *o, float lr, unsigned groups) {
    sslh_real norm, scale = 1;
    int i, j, g;
    if (!sslh_i_optimizer_ok(o)) return;
    if (!(lr >= 0.0f) || lr > 1e30f) {
        sslh_fail(o->ctx, SSLH_E_USAGE, "sslh_optimizer_step: the learning rate %g is no rate", (double)lr);
        return;
    }
    for (i = 0; i < o->nets; i++) if (o->net[i].net->grads && !sslh_i_optim_ready(o, i)) return;
    norm = sslh_i_optim_norm(o, groups);
    if (SSLH_I_BAD(o->ctx)) return;
    if (o->desc.clip > 0.0f && norm > (sslh_real)o->desc.clip) scale = (sslh_real)o->desc.clip / (norm + SSLH_I_R(1e-6));
    o->steps++;
    o->power1 = o->power1 * (double)o->desc.beta1;
    o->power2 = o->power2 * (double)o->desc.beta2;
    for (i = 0; i < o->nets; i++) {
        const sslh_net *net = o->net[i].net;
        for (j = 0; j < net->entries; j++) {
            const sslh_i_entry *e = net->entry[j];
            float rate;
            if (!sslh_i_optim_takes(net, e, groups)) continue;
            for (g = 0; g < 15 && !(e->t.group >> g & 1u); g++) {}
            rate = o->desc.constant_lr >> g & 1u ? o->peak : lr;
            rate = rate * o->desc.group_lr[g];
            rate = rate * e->lr_scale;
            sslh_i_optim_tensor(o, &o->net[i], e, (sslh_real)rate, scale);
        }
    }
}

SSLH_DEF void sslh_optimizer_step(sslh_optimizer *o, float lr) { sslh_optimizer_step_groups(o, lr, ~0u); }

SSLH_DEF void sslh_optimizer_peak(sslh_optimizer *o, float lr) {
    if (sslh_i_optimizer_ok(o)) o->peak = lr;
}

/* --- schedules --------------------------------------------------------------------------------------------------- */

/* Progress after the warm-up in 0..1; -1 during it, with the rate in *rate. */
SSLH_I_FN float sslh_i_schedule(int64_t step, int64_t steps, int64_t warmup, float peak, float *rate) {
    int64_t left = steps - warmup, done = step - warmup;
    *rate = peak;
    if (step < warmup) {
        *rate = (float)((double)peak * (double)(step < 0 ? 1 : step + 1) / (double)warmup);
        return -1.0f;
    }
    if (left <= 0 || done >= left) return 1.0f;
    return (float)((double)done / (double)left);
}

SSLH_DEF float sslh_constant(int64_t step, int64_t steps, int64_t warmup, float peak) {
    float rate;
    sslh_i_schedule(step, steps, warmup, peak, &rate);
    return rate;
}

/* peak (1 + cos(pi t)) / 2 (Loshchilov & Hutter 2017, eq. 5, without restarts) */
SSLH_DEF float sslh_cosine(int64_t step, int64_t steps, int64_t warmup, float peak) {
    float rate, t = sslh_i_schedule(step, steps, warmup, peak, &rate), angle;
    if (t < 0.0f) return rate;
    if (t >= 1.0f) return 0.0f;
    angle = 3.14159265358979f * t;
    rate = 1.0f + (float)sslh_i_cos((sslh_real)angle);
    rate = rate * 0.5f;
    return rate * peak;
}

SSLH_DEF float sslh_linear_decay(int64_t step, int64_t steps, int64_t warmup, float peak) {
    float rate, t = sslh_i_schedule(step, steps, warmup, peak, &rate);
    if (t < 0.0f) return rate;
    t = 1.0f - t;
    return peak * t;
}

SSLH_DEF float sslh_steps(int64_t step, int64_t steps, int64_t warmup, float peak, const float *milestones, float gamma) {
    float rate, t = sslh_i_schedule(step, steps, warmup, peak, &rate);
    int i;
    if (t < 0.0f || !milestones) return rate;
    for (i = 0; i < 64 && milestones[i] > 0.0f; i++)
        if ((double)step >= (double)milestones[i] * (double)steps) rate = rate * gamma;
    return rate;
}

/* ================================================================================================================== */
/*  >>files         inflate, PNG, PNM, IDX, CIFAR, npy                                                               */
/* ================================================================================================================== */

/* Every reader here treats its bytes as hostile: a length found in a file is compared with the bytes that remain before
   anything is allocated or read, products of sizes go through sslh_i_mul, numbers are put together by shifts, and a
   refusal is one sentence with function, file, byte offset and reason. On failure everything is freed. */

#ifndef SSLH_MAX_PIXELS
#define SSLH_MAX_PIXELS 268435456u /* width x height of an image that is read; 2^28 */
#endif

#if SSLH_WITH_STDIO
#include <errno.h>
#if SSLH_I_POSIX
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#endif
#endif

/* The bytes of one file while they are read, and what messages call it. */
typedef struct sslh_i_source {
    sslh_ctx      *c;
    const char    *fn;   /* public function, for messages */
    const char    *name; /* path, or "memory" */
    const uint8_t *p;    /* size bytes */
    size_t         size;
} sslh_i_source;

/* The end of a path that may be long, so that the reason after it still fits into the message. */
SSLH_I_FN const char *sslh_i_tail(const char *path) {
    size_t n = strlen(path);
    return n > 160 ? path + (n - 160) : path;
}

/* Fails with "function: file: byte 123: reason"; returns 0 so that a reader can return it. */
SSLH_I_FN int sslh_i_bad(const sslh_i_source *s, size_t offset, const char *format, ...) SSLH_I_PRINTF(3, 4);
SSLH_I_FN int sslh_i_bad(const sslh_i_source *s, size_t offset, const char *format, ...) {
    char why[200];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    sslh_fail(s->c, SSLH_E_FORMAT, "%s: %s: byte %.0f: %s", s->fn, sslh_i_tail(s->name), (double)offset, why);
    return 0;
}

SSLH_I_FN sslh_i_source sslh_i_source_of(sslh_ctx *c, const char *fn, const char *name, const void *p, size_t size) {
    sslh_i_source s;
    s.c = c;
    s.fn = fn;
    s.name = name;
    s.p = (const uint8_t *)p;
    s.size = size;
    return s;
}

SSLH_I_FN uint32_t sslh_i_be16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
SSLH_I_FN uint32_t sslh_i_be32(const uint8_t *p) { return sslh_i_be16(p) << 16 | sslh_i_be16(p + 2); }
SSLH_I_FN uint32_t sslh_i_le16(const uint8_t *p) { return (uint32_t)p[1] << 8 | p[0]; }
SSLH_I_FN uint32_t sslh_i_le32(const uint8_t *p) { return sslh_i_le16(p + 2) << 16 | sslh_i_le16(p); }
SSLH_I_FN uint64_t sslh_i_le64(const uint8_t *p) { return (uint64_t)sslh_i_le32(p + 4) << 32 | sslh_i_le32(p); }
SSLH_I_FN void sslh_i_put_be32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}
SSLH_I_FN void sslh_i_put_le32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}
SSLH_I_FN void sslh_i_put_le64(uint8_t *p, uint64_t v) {
    sslh_i_put_le32(p, (uint32_t)v);
    sslh_i_put_le32(p + 4, (uint32_t)(v >> 32));
}

/* CRC-32 (polynomial 0xEDB88320, as in PNG, gzip, zip): start with 0 and pass the result on to continue. Large inputs
   go four bytes at a time through tables made on the stack, since a table in the program would be a writable global. */
SSLH_I_FN uint32_t sslh_i_crc32(uint32_t crc, const void *bytes, size_t size) {
    static const uint32_t nibble[16] = {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
                                        0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                        0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
    const uint8_t *p = (const uint8_t *)bytes;
    size_t i = 0;
    crc = ~crc;
    if (size >= 8192) {
        uint32_t t[4][256]; /* t[k][b]: b followed by k zero bytes */
        for (uint32_t b = 0; b < 256; b++) {
            uint32_t v = b;
            v = nibble[v & 15] ^ v >> 4;
            t[0][b] = nibble[v & 15] ^ v >> 4;
        }
        for (int k = 1; k < 4; k++)
            for (int b = 0; b < 256; b++) t[k][b] = t[0][t[k - 1][b] & 255] ^ t[k - 1][b] >> 8;
        for (; size - i >= 4; i += 4) {
            crc ^= sslh_i_le32(p + i);
            crc = t[3][crc & 255] ^ t[2][crc >> 8 & 255] ^ t[1][crc >> 16 & 255] ^ t[0][crc >> 24];
        }
    }
    for (; i < size; i++) {
        crc ^= p[i];
        crc = nibble[crc & 15] ^ crc >> 4;
        crc = nibble[crc & 15] ^ crc >> 4;
    }
    return ~crc;
}

/* Adler-32 of zlib streams: start with 1. 5552 is the longest run that cannot overflow 32 bits. */
SSLH_I_FN uint32_t sslh_i_adler32(uint32_t adler, const uint8_t *p, size_t size) {
    uint32_t a = adler & 0xffff, b = adler >> 16;
    while (size) {
        size_t n = SSLH_I_MIN(size, (size_t)5552);
        size -= n;
        for (; n; n--) {
            a += *p++;
            b += a;
        }
        a %= 65521u;
        b %= 65521u;
    }
    return b << 16 | a;
}

/* --- whole files -------------------------------------------------------------------------------------------------- */

typedef enum sslh_i_path_kind {
    SSLH_I_PATH_NONE = 0,
    SSLH_I_PATH_FILE,
    SSLH_I_PATH_FOLDER,
    SSLH_I_PATH_OTHER
} sslh_i_path_kind;

/* Names in a folder, sorted bytewise, hidden ones left out. */
typedef struct sslh_i_dir {
    char       *text; /* all names with their zeros */
    const char **name;
    int          n;
} sslh_i_dir;

SSLH_I_FN void sslh_i_dir_free(sslh_ctx *c, sslh_i_dir *d) {
    sslh_i_free(c, d->text);
    sslh_i_free(c, (void *)d->name);
    d->text = NULL;
    d->name = NULL;
    d->n = 0;
}

#if SSLH_WITH_STDIO

/* What is at a path, links followed. */
SSLH_I_FN sslh_i_path_kind sslh_i_path(const char *path) {
#if defined(_WIN32)
    DWORD a = GetFileAttributesA(path);
    if (a == INVALID_FILE_ATTRIBUTES) return SSLH_I_PATH_NONE;
    if (a & FILE_ATTRIBUTE_DIRECTORY) return SSLH_I_PATH_FOLDER;
    return a & FILE_ATTRIBUTE_DEVICE ? SSLH_I_PATH_OTHER : SSLH_I_PATH_FILE;
#elif SSLH_I_POSIX
    struct stat s;
    if (stat(path, &s)) return errno == EOVERFLOW ? SSLH_I_PATH_FILE : SSLH_I_PATH_NONE;
    return S_ISREG(s.st_mode) ? SSLH_I_PATH_FILE : S_ISDIR(s.st_mode) ? SSLH_I_PATH_FOLDER : SSLH_I_PATH_OTHER;
#else
    FILE *f = fopen(path, "rb");
    if (!f) return SSLH_I_PATH_NONE;
    fclose(f);
    return SSLH_I_PATH_FILE;
#endif
}

/* All bytes of a file and a zero after them, to be given back with sslh_i_free; NULL and an error when it cannot be read.
   The size the system tells is a hint only: pipes have none and files may grow. */
SSLH_I_FN uint8_t *sslh_i_read_whole(sslh_ctx *c, const char *fn, const char *path, size_t *size) {
    *size = 0;
    if (SSLH_I_BAD(c)) return NULL;
    if (!path) {
        sslh_fail(c, SSLH_E_USAGE, "%s: the path is NULL", fn);
        return NULL;
    }
    if (sslh_i_path(path) == SSLH_I_PATH_FOLDER) {
        sslh_fail(c, SSLH_E_FILE, "%s: %s is a folder, not a file", fn, sslh_i_tail(path));
        return NULL;
    }
    errno = 0;
    FILE *f = fopen(path, "rb");
    if (!f) {
        sslh_fail(c, SSLH_E_FILE, "%s: cannot open %s: %s", fn, sslh_i_tail(path), strerror(errno));
        return NULL;
    }
    long hint = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : 0;
    if (hint > 0) rewind(f);
    clearerr(f);
    size_t cap = hint > 0 && hint < LONG_MAX ? (size_t)hint + 1 : 65536, n = 0;
    uint8_t *p = (uint8_t *)sslh_i_alloc(c, cap);
    while (p) {
        n += fread(p + n, 1, cap - n, f);
        if (n < cap) break; /* the last byte of the block stays free for the zero */
        uint8_t *larger = cap > (size_t)-1 / 2 ? NULL : (uint8_t *)sslh_i_alloc(c, cap * 2);
        if (larger) memcpy(larger, p, n);
        sslh_i_free(c, p);
        p = larger;
        cap *= 2;
    }
    if (p && ferror(f)) {
        sslh_fail(c, SSLH_E_FILE, "%s: %s: reading failed at byte %.0f: %s", fn, sslh_i_tail(path), (double)n,
                  strerror(errno));
        sslh_i_free(c, p);
        p = NULL;
    }
    fclose(f);
    if (!p) return NULL;
    p[n] = 0;
    *size = n;
    return p;
}

/* The bytes of a new file on its way to the disk. Returns 0, or 1 with errno set. */
SSLH_I_FN int sslh_i_write_plain(const char *path, const uint8_t *p, size_t size) {
#if defined(_WIN32)
    HANDLE f = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    if (f == INVALID_HANDLE_VALUE) return 1;
    int bad = 0;
    while (size && !bad) {
        DWORD n = (DWORD)SSLH_I_MIN(size, (size_t)1 << 26), done = 0;
        bad = !WriteFile(f, p, n, &done, NULL) || !done;
        p += done;
        size -= done;
    }
    bad = !FlushFileBuffers(f) || bad;
    return !CloseHandle(f) || bad;
#elif SSLH_I_POSIX
    int f = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (f < 0) return 1;
    int bad = 0;
    while (size && !bad) {
        ssize_t n = write(f, p, SSLH_I_MIN(size, (size_t)1 << 26));
        if (n < 0 && errno == EINTR) continue;
        bad = n <= 0;
        if (n == 0) errno = EIO; /* no progress and no reason: do not spin */
        if (n > 0) p += n, size -= (size_t)n;
    }
    if (!bad) bad = fsync(f) != 0 && errno != EINVAL && errno != ENOTSUP; /* pipes and devices cannot be flushed */
    int why = errno;
    if (close(f) && !bad) return 1;
    errno = why;
    return bad;
#else
    FILE *f = fopen(path, "wb");
    if (!f) return 1;
    size_t n = fwrite(p, 1, size, f);
    return (fclose(f) != 0) | (n != size);
#endif
}

/* Replaces a file by another of the same folder in one step and makes the new name durable. Returns 0 or 1. */
SSLH_I_FN int sslh_i_replace(const char *from, const char *to, char *folder) {
#if defined(_WIN32)
    (void)folder;
    return !MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
#else
    if (rename(from, to)) return 1;
#if SSLH_I_POSIX
    int f = open(folder, O_RDONLY); /* the name lives in the folder: flush that too. Not every file system can. */
    if (f >= 0) {
        (void)fsync(f);
        close(f);
    }
#else
    (void)folder;
#endif
    return 0;
#endif
}

/* Writes a file so that a crash at any moment leaves the old one or the new one: temporary file in the same folder,
   write, fsync, rename, fsync of the folder. Devices and pipes are written to directly. 1 on success. */
SSLH_I_FN int sslh_i_write_whole(sslh_ctx *c, const char *fn, const char *path, const void *bytes, size_t size) {
    if (SSLH_I_BAD(c)) return 0;
    if (!path) {
        sslh_fail(c, SSLH_E_USAGE, "%s: the path is NULL", fn);
        return 0;
    }
    errno = 0;
    int failed;
    sslh_i_path_kind kind = sslh_i_path(path);
    if (kind == SSLH_I_PATH_OTHER) {
        failed = sslh_i_write_plain(path, (const uint8_t *)bytes, size);
    } else if (kind == SSLH_I_PATH_FOLDER) {
        sslh_fail(c, SSLH_E_FILE, "%s: %s is a folder", fn, sslh_i_tail(path));
        return 0;
    } else {
        size_t n = strlen(path), cut = n;
        char *name = (char *)sslh_i_alloc(c, 2 * n + 64);
        if (!name) return 0;
        char *folder = name + n + 48;
        while (cut && path[cut - 1] != '/' && path[cut - 1] != '\\') cut--;
        memcpy(folder, path, cut);
        if (!cut) folder[0] = '.';
        /* process and context in the name: two writers of one path never share a temporary file */
#if defined(_WIN32)
        unsigned long self = (unsigned long)GetCurrentProcessId();
#elif SSLH_I_POSIX
        unsigned long self = (unsigned long)getpid();
#else
        unsigned long self = 0;
#endif
        snprintf(name, n + 48, "%s.%lx-%lx.tmp", path, self, (unsigned long)((uintptr_t)c >> 4 & 0xffffffffu));
        failed = sslh_i_write_plain(name, (const uint8_t *)bytes, size) || sslh_i_replace(name, path, folder);
        if (failed) {
            int why = errno;
            (void)remove(name);
            errno = why;
        }
        sslh_i_free(c, name);
    }
    if (failed)
        sslh_fail(c, SSLH_E_FILE, "%s: cannot write %s%s%s", fn, sslh_i_tail(path), errno ? ": " : "",
                  errno ? strerror(errno) : "");
    return !failed;
}

SSLH_I_FN int sslh_i_compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds a name to the text of a listing, which doubles when full. */
SSLH_I_FN int sslh_i_dir_add(sslh_ctx *c, sslh_i_dir *d, size_t *used, size_t *cap, const char *name) {
    size_t n = strlen(name) + 1;
    if (name[0] == '.' || d->n == INT_MAX) return 1;
    if (*cap - *used < n) {
        size_t larger = *cap * 2 + n;
        char *text = (char *)sslh_i_alloc(c, larger);
        if (!text) return 0;
        memcpy(text, d->text, *used);
        sslh_i_free(c, d->text);
        d->text = text;
        *cap = larger;
    }
    memcpy(d->text + *used, name, n);
    *used += n;
    d->n++;
    return 1;
}

/* Lists a folder; 1 on success. Give the result back with sslh_i_dir_free. */
SSLH_I_FN int sslh_i_list_dir(sslh_ctx *c, const char *fn, const char *path, sslh_i_dir *d) {
    size_t used = 0, cap = 4096;
    int ok = 1;
    memset(d, 0, sizeof *d);
    if (SSLH_I_BAD(c) || !(d->text = (char *)sslh_i_alloc(c, cap))) return 0;
#if defined(_WIN32)
    size_t n = strlen(path);
    char *pattern = (char *)sslh_i_alloc(c, n + 3);
    if (!pattern) ok = 0;
    else {
        WIN32_FIND_DATAA entry;
        memcpy(pattern, path, n);
        memcpy(pattern + n, "\\*", 3);
        HANDLE h = FindFirstFileA(pattern, &entry);
        sslh_i_free(c, pattern);
        if (h == INVALID_HANDLE_VALUE) {
            sslh_fail(c, SSLH_E_FILE, "%s: cannot list the folder %s", fn, sslh_i_tail(path));
            ok = 0;
        } else {
            do ok = sslh_i_dir_add(c, d, &used, &cap, entry.cFileName);
            while (ok && FindNextFileA(h, &entry));
            FindClose(h);
        }
    }
#elif SSLH_I_POSIX
    errno = 0;
    DIR *h = opendir(path);
    if (!h) {
        sslh_fail(c, SSLH_E_FILE, "%s: cannot list the folder %s: %s", fn, sslh_i_tail(path), strerror(errno));
        ok = 0;
    } else {
        for (struct dirent *e = readdir(h); ok && e; e = readdir(h)) ok = sslh_i_dir_add(c, d, &used, &cap, e->d_name);
        closedir(h);
    }
#else
    sslh_fail(c, SSLH_E_FILE, "%s: %s: folders cannot be listed on this platform", fn, sslh_i_tail(path));
    ok = 0;
#endif
    if (ok) d->name = (const char **)sslh_i_alloc(c, ((size_t)d->n + 1) * sizeof *d->name);
    if (!ok || !d->name) {
        sslh_i_dir_free(c, d);
        return 0;
    }
    const char *at = d->text;
    for (int i = 0; i < d->n; i++) {
        d->name[i] = at;
        at += strlen(at) + 1;
    }
    qsort((void *)d->name, (size_t)d->n, sizeof *d->name, sslh_i_compare_names);
    return 1;
}

#else /* without files: the path functions exist and say so */

SSLH_I_FN int sslh_i_no_files(sslh_ctx *c, const char *fn, const char *path) {
    if (!SSLH_I_BAD(c))
        sslh_fail(c, SSLH_E_FILE, "%s: %s: this program was built with SSLH_WITH_STDIO 0, without files; use memory",
                  fn, path ? sslh_i_tail(path) : "(null)");
    return 0;
}
SSLH_I_FN sslh_i_path_kind sslh_i_path(const char *path) { return path ? SSLH_I_PATH_FILE : SSLH_I_PATH_NONE; }
SSLH_I_FN uint8_t *sslh_i_read_whole(sslh_ctx *c, const char *fn, const char *path, size_t *size) {
    *size = 0;
    sslh_i_no_files(c, fn, path);
    return NULL;
}
SSLH_I_FN int sslh_i_write_whole(sslh_ctx *c, const char *fn, const char *path, const void *bytes, size_t size) {
    (void)bytes;
    (void)size;
    return sslh_i_no_files(c, fn, path);
}
SSLH_I_FN int sslh_i_list_dir(sslh_ctx *c, const char *fn, const char *path, sslh_i_dir *d) {
    memset(d, 0, sizeof *d);
    return sslh_i_no_files(c, fn, path);
}
#endif

/* The same for callers that have no public name to give. */
SSLH_I_FN uint8_t *sslh_i_read_file(sslh_ctx *c, const char *path, size_t *size) {
    return sslh_i_read_whole(c, "reading", path, size);
}
SSLH_I_FN int sslh_i_write_file(sslh_ctx *c, const char *path, const void *bytes, size_t size) {
    return sslh_i_write_whole(c, "writing", path, bytes, size);
}

/* --- inflate: RFC 1951, 1950 (zlib), 1952 (gzip) ------------------------------------------------------------------ */

#define SSLH_I_FAST_BITS 10

/* Bits are taken from the low end. Beyond the input zeros are read, and count tells when too many were used. */
typedef struct sslh_i_bits {
    const uint8_t *p;
    size_t         size, at; /* at: next byte to fetch */
    uint64_t       hold;
    int            count;    /* valid bits in hold */
} sslh_i_bits;

/* Where inflated bytes go: grows by doubling up to limit. With partial, reaching limit is success (a look at a header). */
typedef struct sslh_i_sink {
    sslh_ctx *c;
    uint8_t  *p;
    size_t    n, cap, limit;
    int       partial, full;
} sslh_i_sink;

/* A canonical Huffman code: short codes by table, long ones by counting through the lengths. */
typedef struct sslh_i_huffman {
    uint16_t fast[1 << SSLH_I_FAST_BITS]; /* symbol << 4 | length; 0: longer than the table */
    uint16_t count[16];                   /* codes of each length */
    uint16_t symbol[288];                 /* in the order of their codes */
} sslh_i_huffman;

SSLH_I_FN void sslh_i_refill(sslh_i_bits *b) {
    while (b->count <= 56 && b->at < b->size) {
        b->hold |= (uint64_t)b->p[b->at++] << b->count;
        b->count += 8;
    }
}

/* The next n <= 32 bits; *ok = 0 when the input has ended. */
SSLH_I_FN uint32_t sslh_i_take(sslh_i_bits *b, int n, int *ok) {
    if (b->count < n) sslh_i_refill(b);
    if (b->count < n) {
        *ok = 0;
        return 0;
    }
    uint32_t v = (uint32_t)(b->hold & (((uint64_t)1 << n) - 1));
    b->hold >>= n;
    b->count -= n;
    return v;
}

/* Builds the tables from n code lengths. 0: complete; positive: incomplete; negative: over-subscribed. */
SSLH_I_FN int sslh_i_huffman_build(sslh_i_huffman *h, const uint8_t *length, int n) {
    uint16_t next[16], first[16];
    int left = 1;
    memset(h, 0, sizeof *h);
    for (int i = 0; i < n; i++) h->count[length[i]]++;
    h->count[0] = 0;
    next[0] = first[0] = 0;
    uint32_t code = 0, index = 0;
    for (int bits = 1; bits < 16; bits++) {
        left = 2 * left - h->count[bits];
        if (left < 0) return left;
        code = (code + h->count[bits - 1]) << 1;
        index += h->count[bits - 1];
        next[bits] = (uint16_t)code;
        first[bits] = (uint16_t)index;
    }
    for (int i = 0; i < n; i++) {
        int bits = length[i];
        if (!bits) continue;
        h->symbol[first[bits]++] = (uint16_t)i;
        uint32_t reversed = 0, value = next[bits]++;
        for (int k = 0; k < bits; k++) reversed |= (value >> k & 1) << (bits - 1 - k);
        if (bits <= SSLH_I_FAST_BITS)
            for (uint32_t k = reversed; k < 1u << SSLH_I_FAST_BITS; k += 1u << bits)
                h->fast[k] = (uint16_t)((uint32_t)i << 4 | (uint32_t)bits);
    }
    return left;
}

/* The next symbol; -1 when the input has ended, -2 when no code matches. */
SSLH_I_FN int sslh_i_decode(sslh_i_bits *b, const sslh_i_huffman *h) {
    if (b->count < 15) sslh_i_refill(b);
    uint32_t entry = h->fast[b->hold & ((1u << SSLH_I_FAST_BITS) - 1)];
    int bits = (int)(entry & 15), symbol = (int)(entry >> 4);
    if (!entry) {
        uint32_t code = 0, first = 0, index = 0;
        for (bits = 1; bits < 16; bits++) {
            uint32_t count = h->count[bits];
            code |= (uint32_t)(b->hold >> (bits - 1) & 1);
            if (code < first + count) break;
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        if (bits > b->count) return -1; /* also when no code matched zeros after the end */
        if (bits == 16) return -2;
        symbol = h->symbol[index + code - first];
    }
    if (bits > b->count) return -1;
    b->hold >>= bits;
    b->count -= bits;
    return symbol;
}

/* Room for n more bytes. NULL, or why not. */
SSLH_I_FN const char *sslh_i_sink_room(sslh_i_sink *o, size_t n) {
    if (o->cap - o->n >= n) return NULL;
    if (o->limit - o->n < n) {
        o->full = 1;
        return "the data inflates to more than the expected size";
    }
    size_t cap = o->cap > o->limit / 2 ? o->limit : o->cap * 2;
    if (cap < o->n + n) cap = o->n + n;
    uint8_t *p = (uint8_t *)sslh_i_alloc(o->c, cap);
    if (!p) return "out of memory";
    if (o->n) memcpy(p, o->p, o->n);
    sslh_i_free(o->c, o->p);
    o->p = p;
    o->cap = cap;
    return NULL;
}

/* Bases and extra bits of the length symbols 257.. and of the distance symbols 0.. (RFC 1951, 3.2.5). */
SSLH_I_FN int sslh_i_length_base(int s) { return s == 28 ? 258 : s < 8 ? 3 + s : 3 + ((4 + (s & 3)) << (s / 4 - 1)); }
SSLH_I_FN int sslh_i_length_extra(int s) { return s == 28 || s < 8 ? 0 : s / 4 - 1; }
SSLH_I_FN int sslh_i_distance_base(int s) { return s < 4 ? 1 + s : 1 + ((2 + (s & 1)) << (s / 2 - 1)); }
SSLH_I_FN int sslh_i_distance_extra(int s) { return s < 4 ? 0 : s / 2 - 1; }

static const char sslh_i_ended[] = "the compressed data ends early";

/* Symbols of one block up to its end mark. NULL, or what is wrong. */
SSLH_I_FN const char *sslh_i_inflate_codes(sslh_i_bits *b, sslh_i_sink *o, const sslh_i_huffman *symbols,
                                           const sslh_i_huffman *distances) {
    for (;;) {
        const char *why;
        int ok = 1, s = sslh_i_decode(b, symbols);
        if (s < 0) return s == -1 ? sslh_i_ended : "invalid symbol code";
        if (s == 256) return NULL;
        if (s < 256) {
            if (o->n == o->cap && (why = sslh_i_sink_room(o, 1)) != NULL) return why;
            o->p[o->n++] = (uint8_t)s;
            continue;
        }
        if (s > 285) return "invalid length symbol";
        size_t length = (size_t)sslh_i_length_base(s - 257) + sslh_i_take(b, sslh_i_length_extra(s - 257), &ok);
        s = sslh_i_decode(b, distances);
        if (s < 0) return s == -1 ? sslh_i_ended : "invalid distance code";
        if (s > 29) return "invalid distance symbol";
        size_t distance = (size_t)sslh_i_distance_base(s) + sslh_i_take(b, sslh_i_distance_extra(s), &ok);
        if (!ok) return sslh_i_ended;
        if (distance > o->n) return "a distance reaches before the first byte";
        if ((why = sslh_i_sink_room(o, length)) != NULL) {
            if (!o->full || !o->partial) return why;
            length = o->limit - o->n; /* a look at the header: fill up to the limit and stop */
            const char *memory = sslh_i_sink_room(o, length);
            if (memory) return memory;
        }
        for (uint8_t *to = o->p + o->n, *end = to + length; to < end; to++) *to = *(to - distance);
        o->n += length;
        if (o->full) return why;
    }
}

/* The code lengths at the head of a dynamic block. NULL, or what is wrong. */
SSLH_I_FN const char *sslh_i_inflate_lengths(sslh_i_bits *b, sslh_i_huffman *symbols, sslh_i_huffman *distances) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t length[320];
    int ok = 1, nsymbols = (int)sslh_i_take(b, 5, &ok) + 257, ndistances = (int)sslh_i_take(b, 5, &ok) + 1;
    int ncodes = (int)sslh_i_take(b, 4, &ok) + 4, n = 0;
    if (nsymbols > 286 || ndistances > 30) return "too many length or distance codes";
    memset(length, 0, sizeof length);
    for (int i = 0; i < ncodes; i++) length[order[i]] = (uint8_t)sslh_i_take(b, 3, &ok);
    if (!ok) return sslh_i_ended;
    if (sslh_i_huffman_build(symbols, length, 19)) return "the code of the code lengths is not complete";
    while (n < nsymbols + ndistances) {
        int s = sslh_i_decode(b, symbols), repeat = 1;
        uint8_t value = 0;
        if (s < 0) return s == -1 ? sslh_i_ended : "invalid code length code";
        if (s < 16) value = (uint8_t)s;
        else if (s == 16) {
            if (!n) return "a repeated code length without one before it";
            value = length[n - 1];
            repeat = 3 + (int)sslh_i_take(b, 2, &ok);
        } else repeat = s == 17 ? 3 + (int)sslh_i_take(b, 3, &ok) : 11 + (int)sslh_i_take(b, 7, &ok);
        if (!ok) return sslh_i_ended;
        if (n + repeat > nsymbols + ndistances) return "too many code lengths";
        for (; repeat; repeat--) length[n++] = value;
    }
    if (!length[256]) return "no code for the end of the block";
    /* a code may be incomplete only when it is a single code of one bit */
    int left = sslh_i_huffman_build(symbols, length, nsymbols);
    int used = 0;
    for (int i = 0; i < nsymbols; i++) used += length[i] != 0;
    if (left < 0 || (left > 0 && !(used == 1 && symbols->count[1] == 1))) return "the symbol code is not complete";
    left = sslh_i_huffman_build(distances, length + nsymbols, ndistances);
    used = 0;
    for (int i = 0; i < ndistances; i++) used += length[nsymbols + i] != 0;
    if (left < 0 || (left > 0 && used && !(used == 1 && distances->count[1] == 1)))
        return "the distance code is not complete";
    return NULL;
}

/* Blocks until the last one; b is then at the first byte after it. NULL, or what is wrong. */
SSLH_I_FN const char *sslh_i_inflate_blocks(sslh_i_bits *b, sslh_i_sink *o) {
    sslh_i_huffman symbols, distances;
    const char *why = NULL;
    int last = 0;
    while (!last && !why) {
        int ok = 1;
        last = (int)sslh_i_take(b, 1, &ok);
        int type = (int)sslh_i_take(b, 2, &ok);
        if (!ok) return sslh_i_ended;
        if (type == 3) return "invalid block type";
        if (type == 0) {
            (void)sslh_i_take(b, b->count & 7, &ok);
            b->at -= (size_t)(b->count >> 3); /* give whole bytes back */
            b->hold = 0;
            b->count = 0;
            if (b->size - b->at < 4) return sslh_i_ended;
            size_t n = sslh_i_le16(b->p + b->at);
            if ((n ^ sslh_i_le16(b->p + b->at + 2)) != 0xffff) return "the length of a stored block is damaged";
            b->at += 4;
            if (b->size - b->at < n) return sslh_i_ended;
            if (o->partial) n = SSLH_I_MIN(n, o->limit - o->n);
            if ((why = sslh_i_sink_room(o, n)) != NULL) return why;
            if (n) memcpy(o->p + o->n, b->p + b->at, n);
            o->n += n;
            b->at += n;
            if (o->partial && o->n == o->limit) return "the data inflates to more than the expected size";
            continue;
        }
        if (type == 1) {
            uint8_t length[288];
            for (int i = 0; i < 288; i++) length[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
            (void)sslh_i_huffman_build(&symbols, length, 288);
            memset(length, 5, 30);
            (void)sslh_i_huffman_build(&distances, length, 30);
        } else why = sslh_i_inflate_lengths(b, &symbols, &distances);
        if (!why) why = sslh_i_inflate_codes(b, o, &symbols, &distances);
    }
    b->at -= (size_t)(b->count >> 3);
    b->hold = 0;
    b->count = 0;
    return why;
}

/* The header of a gzip member at b->at (RFC 1952, 2.3). NULL, or what is wrong. */
SSLH_I_FN const char *sslh_i_gzip_header(sslh_i_bits *b) {
    const uint8_t *p = b->p + b->at;
    size_t left = b->size - b->at, n = 10;
    if (left < 18) return "the gzip file ends early";
    if (p[0] != 0x1f || p[1] != 0x8b || p[2] != 8) return "no gzip header";
    if (p[3] & 0xe0) return "unknown flags in the gzip header";
    if (p[3] & 4) {
        size_t extra = sslh_i_le16(p + n);
        n += 2;
        if (extra > left - n) return "the gzip header ends early";
        n += extra;
    }
    for (int flag = 8; flag <= 16; flag += 8) { /* original name, comment: text up to a zero */
        if (!(p[3] & flag)) continue;
        while (n < left && p[n]) n++;
        if (n++ == left) return "the gzip header ends early";
    }
    if (p[3] & 2) n += 2;
    if (n > left) return "the gzip header ends early";
    b->at += n;
    return NULL;
}

/* Inflates a whole stream of the given format into o. NULL, or what is wrong at byte *at. The sink's memory is the caller's
   to free in both cases. A partial sink that is full is success. */
SSLH_I_FN const char *sslh_i_inflate(const uint8_t *p, size_t size, int format, sslh_i_sink *o, size_t *at) {
    sslh_i_bits b;
    const char *why = NULL;
    memset(&b, 0, sizeof b);
    b.p = p;
    b.size = size;
    *at = 0;
    if (format == 1) {
        if (size < 6) return "the zlib stream ends early";
        if ((p[0] & 15) != 8 || p[0] >> 4 > 7 || sslh_i_be16(p) % 31) return "no zlib header";
        if (p[1] & 32) return "a zlib stream with a preset dictionary";
        b.at = 2;
    }
    do {
        size_t begin = o->n;
        if (format == 2) why = sslh_i_gzip_header(&b);
        if (!why) why = sslh_i_inflate_blocks(&b, o);
        if (why && o->partial && o->n == o->limit) return NULL;
        *at = b.at;
        if (why || !format) break;
        const uint8_t *tail = p + b.at;
        if (format == 1) {
            if (size - b.at < 4) return sslh_i_ended;
            if (sslh_i_be32(tail) != sslh_i_adler32(1, o->p, o->n)) why = "the Adler-32 checksum does not match";
            b.at += 4;
        } else {
            if (size - b.at < 8) return sslh_i_ended;
            if (sslh_i_le32(tail) != sslh_i_crc32(0, o->p + begin, o->n - begin))
                why = "the CRC-32 checksum does not match";
            else if (sslh_i_le32(tail + 4) != (uint32_t)((o->n - begin) & 0xffffffffu))
                why = "the length does not match";
            b.at += 8;
            while (b.at < size && !p[b.at] && p[size - 1] == 0) b.at++; /* tapes pad with zeros */
        }
        if (!why) *at = b.at;
    } while (!why && format == 2 && b.at < size);
    return why;
}

SSLH_I_FN sslh_i_sink sslh_i_sink_of(sslh_ctx *c, size_t first, size_t limit) {
    sslh_i_sink o;
    memset(&o, 0, sizeof o);
    o.c = c;
    o.limit = limit;
    o.cap = SSLH_I_MAX(SSLH_I_MIN(first, limit), (size_t)1);
    o.p = (uint8_t *)sslh_i_alloc(c, o.cap);
    if (!o.p) o.cap = 0;
    return o;
}

SSLH_DEF uint8_t *sslh_inflate(sslh_ctx *c, const void *bytes, size_t size, int format, size_t limit,
                               size_t *out_size) {
    size_t at;
    if (out_size) *out_size = 0;
    if (SSLH_I_BAD(c)) return NULL;
    if (!bytes || !out_size || format < 0 || format > 2) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_inflate: bytes or out_size is NULL or format %d is not 0, 1 or 2", format);
        return NULL;
    }
    sslh_i_source s = sslh_i_source_of(c, "sslh_inflate", "memory", bytes, size);
    sslh_i_sink o = sslh_i_sink_of(c, size < 65536 ? 65536 : size, limit);
    if (!o.p) return NULL;
    const char *why = sslh_i_inflate(s.p, size, format, &o, &at);
    if (!why && at != size) why = "bytes follow the end of the stream";
    if (why) {
        sslh_i_bad(&s, at, "%s", why);
        sslh_i_free(c, o.p);
        return NULL;
    }
    *out_size = o.n;
    return o.p;
}

/* --- deflate: LZ77 with hash chains, then the cheapest of stored, fixed and dynamic Huffman per block -------------- */

#define SSLH_I_BLOCK 16384   /* symbols of a block */
#define SSLH_I_WINDOW 32768u /* distances that deflate can express */

typedef struct sslh_i_deflater {
    uint8_t *out;
    size_t   at;
    uint64_t hold;
    int      count;
    uint32_t token[SSLH_I_BLOCK];    /* a literal, or length << 16 | distance (length >= 3) */
    int      tokens;
    uint32_t head[SSLH_I_WINDOW];    /* 1 + last position with this hash; 0: none */
    uint32_t prev[SSLH_I_WINDOW];    /* 1 + position before, at position % window */
    uint32_t frequency[320];         /* 286 symbols, 30 distances */
    uint8_t  length[320];            /* code lengths of both */
    uint16_t code[320];              /* bit-reversed codes */
    size_t   shortest;               /* match that is used */
} sslh_i_deflater;

SSLH_I_FN void sslh_i_put_bits(sslh_i_deflater *d, uint32_t value, int n) {
    d->hold |= (uint64_t)value << d->count;
    d->count += n;
    while (d->count >= 8) {
        d->out[d->at++] = (uint8_t)(d->hold & 255);
        d->hold >>= 8;
        d->count -= 8;
    }
}

/* Huffman code lengths of at most limit bits for n <= 288 symbols (two-queue method on sorted frequencies; when a code
   gets too long the frequencies are flattened and it starts again). At least two symbols get a code. */
SSLH_I_FN void sslh_i_huffman_lengths(const uint32_t *frequency, int n, int limit, uint8_t *length) {
    uint32_t weight[576];
    int16_t parent[576], order[288];
    int shift = 0, longest;
    do {
        int leaves = 0;
        for (int i = 0; i < n; i++) {
            if (!frequency[i]) continue;
            uint32_t f = SSLH_I_MAX(frequency[i] >> shift, 1u);
            int k = leaves++;
            for (; k && weight[k - 1] > f; k--) weight[k] = weight[k - 1], order[k] = order[k - 1];
            weight[k] = f;
            order[k] = (int16_t)i;
        }
        for (int i = 0; leaves < 2; i++) { /* symbols of frequency 0 in front */
            if (leaves && order[0] == i) continue;
            if (leaves) weight[1] = weight[0], order[1] = order[0];
            weight[0] = 0;
            order[0] = (int16_t)i;
            leaves++;
        }
        /* leaves 0 .. leaves-1 and inner nodes leaves .. are two sorted queues: join the two lightest each time */
        int leaf = 0, inner = leaves, top = leaves;
        for (; top < 2 * leaves - 1; top++) {
            weight[top] = 0;
            for (int k = 0; k < 2; k++) {
                int pick = leaf < leaves && (inner >= top || weight[leaf] <= weight[inner]) ? leaf++ : inner++;
                weight[top] += weight[pick];
                parent[pick] = (int16_t)top;
            }
        }
        longest = 0;
        memset(length, 0, (size_t)n);
        weight[top - 1] = 0; /* from here on: depth */
        for (int i = top - 2; i >= 0; i--) {
            weight[i] = weight[parent[i]] + 1;
            if (i < leaves) {
                length[order[i]] = (uint8_t)weight[i];
                longest = SSLH_I_MAX(longest, (int)weight[i]);
            }
        }
        shift++;
    } while (longest > limit);
}

/* Canonical codes from lengths, with their bits reversed as deflate sends them. */
SSLH_I_FN void sslh_i_huffman_codes(const uint8_t *length, int n, uint16_t *code) {
    uint32_t next[17], count[16];
    memset(count, 0, sizeof count);
    for (int i = 0; i < n; i++) count[length[i]]++;
    count[0] = 0;
    next[0] = 0;
    for (int bits = 1; bits < 16; bits++) next[bits] = (next[bits - 1] + count[bits - 1]) << 1;
    for (int i = 0; i < n; i++) {
        uint32_t value = length[i] ? next[length[i]]++ : 0, reversed = 0;
        for (int k = 0; k < length[i]; k++) reversed |= (value >> k & 1) << (length[i] - 1 - k);
        code[i] = (uint16_t)reversed;
    }
}

/* Symbol of a match length (0 = symbol 257) and of a distance: the last one whose base does not exceed the value. */
SSLH_I_FN int sslh_i_length_symbol(int length) {
    int s = 0;
    if (length == 258) return 28;
    if (length < 11) return length - 3;
    while ((8 << s) <= length - 3) s++;
    return 4 * s + 4 + (((length - 3) >> s) & 3);
}
SSLH_I_FN int sslh_i_distance_symbol(int distance) {
    int s = 0;
    if (distance < 5) return distance - 1;
    while ((4 << s) <= distance - 1) s++;
    return 2 * s + 2 + (((distance - 1) >> s) & 1);
}

/* The lengths of both codes as run-length symbols: low 5 bits the symbol, above them the extra bits. Returns their number. */
SSLH_I_FN int sslh_i_length_runs(const uint8_t *length, int n, uint16_t *run) {
    int runs = 0;
    for (int i = 0; i < n;) {
        int same = 1, value = length[i];
        while (i + same < n && length[i + same] == value) same++;
        i += same;
        if (!value)
            while (same >= 3) {
                int k = SSLH_I_MIN(same, 138);
                run[runs++] = (uint16_t)(k < 11 ? 17 | (k - 3) << 5 : 18 | (k - 11) << 5);
                same -= k;
            }
        else if (same > 3) {
            run[runs++] = (uint16_t)value;
            same--;
            while (same >= 3) {
                int k = SSLH_I_MIN(same, 6);
                run[runs++] = (uint16_t)(16 | (k - 3) << 5);
                same -= k;
            }
        }
        for (; same; same--) run[runs++] = (uint16_t)value;
    }
    return runs;
}

/* Bits of the block's symbols under the code lengths given (286 symbols, then distances). */
SSLH_I_FN size_t sslh_i_block_bits(const sslh_i_deflater *d, const uint8_t *length) {
    size_t bits = 0;
    for (int i = 0; i < 286; i++)
        bits += (size_t)d->frequency[i] * (size_t)(length[i] + (i > 256 ? sslh_i_length_extra(i - 257) : 0));
    for (int i = 0; i < 30; i++)
        bits += (size_t)d->frequency[286 + i] * (size_t)(length[286 + i] + sslh_i_distance_extra(i));
    return bits;
}

/* Sends the collected symbols, which stand for the size bytes at in, in the cheapest of the three ways. */
SSLH_I_FN void sslh_i_flush_block(sslh_i_deflater *d, const uint8_t *in, size_t size, int last) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t fixed[320], joined[320], run_length[19];
    uint16_t run[320], run_code[19];
    uint32_t run_frequency[19];
    memset(d->frequency, 0, sizeof d->frequency);
    d->frequency[256] = 1;
    for (int i = 0; i < d->tokens; i++) {
        uint32_t t = d->token[i];
        if (t < 65536) d->frequency[t]++;
        else {
            d->frequency[257 + sslh_i_length_symbol((int)(t >> 16))]++;
            d->frequency[286 + sslh_i_distance_symbol((int)(t & 65535))]++;
        }
    }
    sslh_i_huffman_lengths(d->frequency, 286, 15, d->length);
    sslh_i_huffman_lengths(d->frequency + 286, 30, 15, d->length + 286);
    int nsymbols = 286, ndistances = 30, ncodes = 19;
    while (nsymbols > 257 && !d->length[nsymbols - 1]) nsymbols--;
    while (ndistances > 1 && !d->length[286 + ndistances - 1]) ndistances--;
    memcpy(joined, d->length, (size_t)nsymbols);
    memcpy(joined + nsymbols, d->length + 286, (size_t)ndistances);
    int runs = sslh_i_length_runs(joined, nsymbols + ndistances, run);
    memset(run_frequency, 0, sizeof run_frequency);
    for (int i = 0; i < runs; i++) run_frequency[run[i] & 31]++;
    sslh_i_huffman_lengths(run_frequency, 19, 7, run_length);
    while (ncodes > 4 && !run_length[order[ncodes - 1]]) ncodes--;

    size_t dynamic = 14 + 3 * (size_t)ncodes + sslh_i_block_bits(d, d->length);
    for (int i = 0; i < 19; i++)
        dynamic += (size_t)run_frequency[i] * (size_t)(run_length[i] + (i < 16 ? 0 : i == 16 ? 2 : i == 17 ? 3 : 7));
    for (int i = 0; i < 320; i++) fixed[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : i < 286 ? 8 : 5;
    size_t plain = sslh_i_block_bits(d, fixed);

    if (size * 8 + 32 * (size / 65535 + 1) + 7 <= SSLH_I_MIN(dynamic, plain)) {
        do {
            size_t n = SSLH_I_MIN(size, (size_t)65535);
            sslh_i_put_bits(d, (uint32_t)(last && n == size), 3);
            if (d->count) sslh_i_put_bits(d, 0, 8 - d->count);
            sslh_i_put_bits(d, (uint32_t)n, 16);
            sslh_i_put_bits(d, (uint32_t)n ^ 65535u, 16);
            if (n) memcpy(d->out + d->at, in, n);
            d->at += n;
            in += n;
            size -= n;
        } while (size);
        return;
    }
    if (plain <= dynamic) {
        memcpy(d->length, fixed, sizeof fixed);
        uint8_t all[288]; /* the fixed code counts two symbols that never occur */
        uint16_t code[288];
        for (int i = 0; i < 288; i++) all[i] = i < 286 ? fixed[i] : 8;
        sslh_i_huffman_codes(all, 288, code);
        memcpy(d->code, code, 286 * sizeof *code);
        sslh_i_put_bits(d, (uint32_t)last | 2u, 3);
    } else {
        sslh_i_huffman_codes(d->length, 286, d->code);
        sslh_i_huffman_codes(run_length, 19, run_code);
        sslh_i_put_bits(d, (uint32_t)last | 4u, 3);
        sslh_i_put_bits(d, (uint32_t)(nsymbols - 257), 5);
        sslh_i_put_bits(d, (uint32_t)(ndistances - 1), 5);
        sslh_i_put_bits(d, (uint32_t)(ncodes - 4), 4);
        for (int i = 0; i < ncodes; i++) sslh_i_put_bits(d, run_length[order[i]], 3);
        for (int i = 0; i < runs; i++) {
            int s = run[i] & 31;
            sslh_i_put_bits(d, run_code[s], run_length[s]);
            if (s >= 16) sslh_i_put_bits(d, (uint32_t)run[i] >> 5, s == 16 ? 2 : s == 17 ? 3 : 7);
        }
    }
    sslh_i_huffman_codes(d->length + 286, 30, d->code + 286);
    for (int i = 0; i < d->tokens; i++) {
        uint32_t t = d->token[i];
        if (t < 65536) {
            sslh_i_put_bits(d, d->code[t], d->length[t]);
            continue;
        }
        int length = (int)(t >> 16), distance = (int)(t & 65535);
        int s = sslh_i_length_symbol(length);
        sslh_i_put_bits(d, d->code[257 + s], d->length[257 + s]);
        sslh_i_put_bits(d, (uint32_t)(length - sslh_i_length_base(s)), sslh_i_length_extra(s));
        s = sslh_i_distance_symbol(distance);
        sslh_i_put_bits(d, d->code[286 + s], d->length[286 + s]);
        sslh_i_put_bits(d, (uint32_t)(distance - sslh_i_distance_base(s)), sslh_i_distance_extra(s));
    }
    sslh_i_put_bits(d, d->code[256], d->length[256]);
}

SSLH_I_FN uint32_t sslh_i_hash3(const uint8_t *p) {
    return (((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]) * 2654435761u) >> 17;
}

/* The longest earlier match of in[i..]; at most 128 candidates are tried. 0 when there is none of 3 bytes or more. */
SSLH_I_FN size_t sslh_i_longest_match(const sslh_i_deflater *d, const uint8_t *in, size_t n, size_t i,
                                      size_t *distance) {
    size_t best = 2, most = SSLH_I_MIN(n - i, (size_t)258);
    if (most < 3) return 0;
    uint32_t candidate = d->head[sslh_i_hash3(in + i)];
    for (int tries = 128; candidate && tries; tries--) {
        size_t at = candidate - 1, k = 0;
        if (i - at > SSLH_I_WINDOW) break;
        if (in[at + best] == in[i + best]) {
            while (k < most && in[at + k] == in[i + k]) k++;
            if (k > best) {
                best = k;
                *distance = i - at;
                if (k == most) break;
            }
        }
        uint32_t before = d->prev[at % SSLH_I_WINDOW];
        if (before >= candidate) break; /* that place now belongs to a later position */
        candidate = before;
    }
    if (best < d->shortest || (best == 3 && *distance > 4096))
        return 0; /* literals are shorter than so far a distance */
    return best;
}

SSLH_I_FN void sslh_i_remember(sslh_i_deflater *d, const uint8_t *in, size_t n, size_t i) {
    if (n - i < 3) return;
    uint32_t h = sslh_i_hash3(in + i);
    d->prev[i % SSLH_I_WINDOW] = d->head[h];
    d->head[h] = (uint32_t)i + 1;
}

/* A zlib stream of n < 2^31 bytes, to be given back with sslh_i_free; NULL when memory is out. Matches shorter than shortest
   (3 or more) are not used: noise, like the differences that filters leave, has many that only cost code space. */
SSLH_I_FN uint8_t *sslh_i_deflate(sslh_ctx *c, const uint8_t *in, size_t n, size_t shortest, size_t *size) {
    *size = 0;
    sslh_i_deflater *d = (sslh_i_deflater *)sslh_i_alloc(c, sizeof *d);
    /* no block is sent in more than its stored form: 5 bytes per 65535 and 6 per block of at least 16384 bytes */
    uint8_t *out = d ? (uint8_t *)sslh_i_alloc(c, n + (n >> 11) + 128) : NULL;
    if (!out) {
        sslh_i_free(c, d);
        return NULL;
    }
    d->shortest = shortest;
    d->out = out;
    d->out[d->at++] = 0x78;
    d->out[d->at++] = 0x9c;
    size_t i = 0, begin = 0, length = 0, distance = 0;
    int have = 0; /* the match at i is known from the look ahead */
    while (i < n) {
        size_t next = 0, next_distance = 0;
        if (!have) length = sslh_i_longest_match(d, in, n, i, &distance);
        have = 0;
        sslh_i_remember(d, in, n, i);
        if (length && length < 64 && i + 1 < n) next = sslh_i_longest_match(d, in, n, i + 1, &next_distance);
        if (!length || next > length) { /* lazy: a literal now, for the longer match that starts one later */
            d->token[d->tokens++] = in[i++];
            have = next > 0;
            length = next;
            distance = next_distance;
        } else {
            d->token[d->tokens++] = (uint32_t)(length << 16 | distance);
            for (size_t k = 1; k < length; k++) sslh_i_remember(d, in, n, i + k);
            i += length;
        }
        if (d->tokens == SSLH_I_BLOCK && i < n) {
            sslh_i_flush_block(d, in + begin, i - begin, 0);
            begin = i;
            d->tokens = 0;
        }
    }
    sslh_i_flush_block(d, in + begin, n - begin, 1);
    if (d->count) sslh_i_put_bits(d, 0, 8 - d->count);
    sslh_i_put_be32(out + d->at, sslh_i_adler32(1, in, n));
    *size = d->at + 4;
    sslh_i_free(c, d);
    return out;
}

/* --- PNG (ISO/IEC 15948) ------------------------------------------------------------------------------------------ */

typedef struct sslh_i_image {
    uint8_t *pixels; /* (H,W,C) */
    int      height, width, channels;
} sslh_i_image;

static const uint8_t sslh_i_png_magic[8] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10};

/* What the chunks before the pixels say. */
typedef struct sslh_i_png {
    uint32_t       width, height;
    int            depth, type, interlaced;
    int            samples;      /* per pixel in the file */
    const uint8_t *palette;      /* colours x 3 */
    int            colours;
    const uint8_t *transparent;  /* tRNS: transparents bytes */
    int            transparents;
    size_t         data_size;    /* of all IDAT chunks */
    size_t         data_at;      /* of the first IDAT chunk */
    int            data_chunks;
} sslh_i_png;

SSLH_I_FN int sslh_i_size_ok(const sslh_i_source *s, size_t offset, uint32_t width, uint32_t height) {
    if (!width || !height || width > 0x7fffffffu || height > 0x7fffffffu)
        return sslh_i_bad(s, offset, "an image of %lu x %lu pixels", (unsigned long)width, (unsigned long)height);
    if ((uint64_t)width * height > SSLH_MAX_PIXELS)
        return sslh_i_bad(s, offset, "%lu x %lu pixels are over the limit SSLH_MAX_PIXELS", (unsigned long)width,
                          (unsigned long)height);
    return 1;
}

SSLH_I_FN int sslh_i_png_header(const sslh_i_source *s, size_t at, size_t n, sslh_i_png *h) {
    static const uint8_t samples[7] = {1, 0, 3, 1, 2, 0, 4};
    const uint8_t *p = s->p + at;
    if (n != 13) return sslh_i_bad(s, at, "IHDR has %.0f bytes instead of 13", (double)n);
    h->width = sslh_i_be32(p);
    h->height = sslh_i_be32(p + 4);
    h->depth = p[8];
    h->type = p[9];
    h->interlaced = p[12];
    if (!sslh_i_size_ok(s, at, h->width, h->height)) return 0;
    int d = h->depth, low = d == 1 || d == 2 || d == 4;
    if (h->type > 6 || !samples[h->type] || !(low || d == 8 || d == 16) || (low && h->type != 0 && h->type != 3) ||
        (d == 16 && h->type == 3))
        return sslh_i_bad(s, at + 8, "colour type %d with %d bits", h->type, d);
    if (p[10] || p[11] || p[12] > 1)
        return sslh_i_bad(s, at + 10, "unknown compression %d, filter %d or interlace %d", p[10], p[11], p[12]);
    h->samples = samples[h->type];
    return 1;
}

/* Reads all chunks up to IEND and checks their order, lengths and, for those that are used, checksums. */
SSLH_I_FN int sslh_i_png_chunks(const sslh_i_source *s, sslh_i_png *h) {
    size_t at = 8, previous_end = 0;
    memset(h, 0, sizeof *h);
    for (;;) {
        if (s->size - at < 12) return sslh_i_bad(s, at, "the PNG file ends early, before its end mark IEND");
        const uint8_t *p = s->p + at;
        size_t n = sslh_i_be32(p);
        uint32_t tag = sslh_i_be32(p + 4);
        if (n > s->size - at - 12) return sslh_i_bad(s, at, "a chunk of %.0f bytes reaches beyond the end", (double)n);
        int ihdr = tag == 0x49484452u, plte = tag == 0x504c5445u, trns = tag == 0x74524e53u, idat = tag == 0x49444154u;
        int iend = tag == 0x49454e44u;
        if ((at == 8) != ihdr) return sslh_i_bad(s, at, ihdr ? "a second IHDR" : "the first chunk is not IHDR");
        if (!(p[4] & 32) && !ihdr && !plte && !idat && !iend)
            return sslh_i_bad(s, at + 4, "a critical chunk of unknown type");
        if ((ihdr || plte || trns || idat || iend) && sslh_i_be32(p + 8 + n) != sslh_i_crc32(0, p + 4, n + 4))
            return sslh_i_bad(s, at + 8 + n, "the checksum of a chunk does not match");
        if (ihdr && !sslh_i_png_header(s, at + 8, n, h)) return 0;
        if (plte) {
            if (h->palette || h->data_chunks || n % 3 || !n || n > 768 ||
                (h->type == 3 && n / 3 > (size_t)1 << h->depth))
                return sslh_i_bad(s, at, "a PLTE chunk of %.0f bytes is not possible here", (double)n);
            h->palette = p + 8;
            h->colours = (int)(n / 3);
        }
        if (trns) {
            if (h->transparent || h->data_chunks ||
                (h->type == 3 ? !n || n > (size_t)h->colours
                 : h->type == 0 ? n != 2
                              : n != 6) ||
                h->type == 4 || h->type == 6)
                return sslh_i_bad(s, at, "a tRNS chunk of %.0f bytes is not possible here", (double)n);
            h->transparent = p + 8;
            h->transparents = (int)n;
        }
        if (idat) {
            if (h->data_chunks && previous_end != at) return sslh_i_bad(s, at, "the IDAT chunks are not in one row");
            if (!h->data_chunks) h->data_at = at;
            h->data_chunks++;
            h->data_size += n;
            previous_end = at + 12 + n;
        }
        at += 12 + n;
        if (iend) break;
    }
    if (!h->data_chunks) return sslh_i_bad(s, at, "no IDAT chunk");
    if (h->type == 3 && !h->palette) return sslh_i_bad(s, h->data_at, "a palette image without PLTE");
    return 1;
}

/* Undoes the filter of one row in place: p has n bytes, up is the row above or NULL, step the bytes of a whole pixel. */
SSLH_I_FN int sslh_i_png_unfilter(int filter, uint8_t *p, const uint8_t *up, size_t n, size_t step) {
    for (size_t i = 0; i < n; i++) {
        int a = i < step ? 0 : p[i - step], b = up ? up[i] : 0, c = i < step || !up ? 0 : up[i - step], add;
        switch (filter) {
        case 0: return 1;
        case 1: add = a; break;
        case 2: add = b; break;
        case 3: add = (a + b) / 2; break;
        case 4: { /* Paeth: the neighbour nearest to a + b - c */
            int da = abs(b - c), db = abs(a - c), dc = abs(a + b - 2 * c);
            add = da <= db && da <= dc ? a : db <= dc ? b : c;
            break;
        }
        default: return 0;
        }
        p[i] = (uint8_t)(p[i] + add);
    }
    return filter <= 4;
}

SSLH_I_FN uint32_t sslh_i_png_sample(const uint8_t *row, size_t i, int depth) {
    if (depth == 8) return row[i];
    if (depth == 16) return sslh_i_be16(row + 2 * i);
    size_t bit = i * (size_t)depth;
    return (uint32_t)row[bit >> 3] >> (8 - depth - (int)(bit & 7)) & ((1u << depth) - 1);
}

SSLH_I_FN uint8_t sslh_i_png_to8(uint32_t v, int depth) {
    static const uint8_t scale[9] = {0, 255, 85, 0, 17, 0, 0, 0, 1};
    return (uint8_t)(depth == 16 ? (v * 255u + 32767u) / 65535u : v * scale[depth]);
}

/* One row of width pixels to 8 bits; the pixels of a pass lie step apart. 0 when a palette index is out of range. */
SSLH_I_FN int sslh_i_png_expand(const sslh_i_png *h, const uint8_t *row, size_t width, uint8_t *out, size_t step) {
    for (size_t x = 0; x < width; x++, out += step) {
        if (h->type == 3) {
            uint32_t v = sslh_i_png_sample(row, x, h->depth);
            if (v >= (uint32_t)h->colours) return 0;
            memcpy(out, h->palette + 3 * v, 3);
            if (h->transparent) out[3] = v < (uint32_t)h->transparents ? h->transparent[v] : 255;
            continue;
        }
        int k = 0, hidden = h->transparent != NULL;
        for (; k < h->samples; k++) {
            uint32_t v = sslh_i_png_sample(row, x * (size_t)h->samples + (size_t)k, h->depth);
            out[k] = sslh_i_png_to8(v, h->depth);
            if (hidden) hidden = v == sslh_i_be16(h->transparent + 2 * k);
        }
        if (h->transparent) out[k] = hidden ? 0 : 255;
    }
    return 1;
}

/* Pixels of the pass: Adam7 starts at (row0, col0) and takes every row_step-th row and col_step-th column. */
typedef struct sslh_i_pass { uint32_t row0, col0, row_step, col_step; } sslh_i_pass;

SSLH_I_FN sslh_i_pass sslh_i_png_pass(const sslh_i_png *h, int pass) {
    static const uint8_t adam7[7][4] = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                                        {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
    sslh_i_pass p = {0, 0, 1, 1};
    if (h->interlaced) {
        p.row0 = adam7[pass][0];
        p.col0 = adam7[pass][1];
        p.row_step = adam7[pass][2];
        p.col_step = adam7[pass][3];
    }
    return p;
}

/* Rows, columns and bytes of a row without its filter byte; 0 rows when the image is too small for the pass. */
SSLH_I_FN uint32_t sslh_i_png_pass_size(const sslh_i_png *h, sslh_i_pass p, uint32_t *columns, size_t *row_bytes) {
    *columns = h->width > p.col0 ? (h->width - p.col0 + p.col_step - 1) / p.col_step : 0;
    *row_bytes = (size_t)(((uint64_t)*columns * (uint64_t)(h->samples * h->depth) + 7) / 8);
    return *columns && h->height > p.row0 ? (h->height - p.row0 + p.row_step - 1) / p.row_step : 0;
}

SSLH_I_FN int sslh_i_png_pixels(const sslh_i_source *s, const sslh_i_png *h, uint8_t *raw, sslh_i_image *image) {
    size_t step = (size_t)((h->samples * h->depth + 7) / 8), channels = (size_t)image->channels;
    for (int pass = 0; pass < (h->interlaced ? 7 : 1); pass++) {
        sslh_i_pass p = sslh_i_png_pass(h, pass);
        uint32_t columns;
        size_t row_bytes;
        uint32_t rows = sslh_i_png_pass_size(h, p, &columns, &row_bytes);
        const uint8_t *up = NULL;
        for (uint32_t y = 0; y < rows; y++) {
            int filter = *raw++;
            if (!sslh_i_png_unfilter(filter, raw, up, row_bytes, step))
                return sslh_i_bad(s, h->data_at, "pixel data: unknown filter %d in row %lu", filter, (unsigned long)y);
            uint8_t *out = image->pixels + ((size_t)(p.row0 + y * p.row_step) * h->width + p.col0) * channels;
            if (!sslh_i_png_expand(h, raw, columns, out, p.col_step * channels))
                return sslh_i_bad(s, h->data_at, "pixel data: a colour beyond the palette in row %lu",
                                  (unsigned long)y);
            up = raw;
            raw += row_bytes;
        }
    }
    return 1;
}

/* All colour types and depths to 8 bits: grey 1, grey and alpha 2, colour 3, colour and alpha 4 channels; 16-bit samples
   are scaled by 255/65535 and rounded. 1 on success, then image->pixels is to be given back with sslh_i_free. */
SSLH_I_FN int sslh_i_png_decode(const sslh_i_source *s, sslh_i_image *image) {
    sslh_i_png h;
    size_t raw_size = 0, at = 0;
    memset(image, 0, sizeof *image);
    if (!sslh_i_png_chunks(s, &h)) return 0;
    for (int pass = 0; pass < (h.interlaced ? 7 : 1); pass++) {
        uint32_t columns;
        size_t row_bytes, more;
        uint32_t rows = sslh_i_png_pass_size(&h, sslh_i_png_pass(&h, pass), &columns, &row_bytes);
        if (!sslh_i_mul(rows, row_bytes + 1, &more) || raw_size > (size_t)-1 - more)
            return sslh_i_bad(s, 16, "the image is too large for this machine");
        raw_size += more;
    }
    if (raw_size / 1032 > h.data_size) /* deflate cannot do better than 1032 to 1: refused before any memory is taken */
        return sslh_i_bad(s, h.data_at, "%.0f bytes of pixel data cannot hold %lu x %lu pixels", (double)h.data_size,
                          (unsigned long)h.width, (unsigned long)h.height);
    image->height = (int)h.height;
    image->width = (int)h.width;
    image->channels = (h.type == 3 ? 3 : h.samples) + (h.transparent != NULL);
    size_t pixels;
    if (!sslh_i_mul((size_t)h.width * h.height, (size_t)image->channels, &pixels))
        return sslh_i_bad(s, 16, "the image is too large for this machine");

    /* one zlib stream runs through all IDAT chunks; a single chunk is read in place */
    uint8_t *joined = NULL;
    const uint8_t *data = s->p + h.data_at + 8;
    if (h.data_chunks > 1) {
        size_t n = 0, from = h.data_at;
        joined = (uint8_t *)sslh_i_alloc(s->c, h.data_size + 1);
        if (!joined) return 0;
        for (int k = 0; k < h.data_chunks; k++) {
            size_t size = sslh_i_be32(s->p + from);
            memcpy(joined + n, s->p + from + 8, size);
            n += size;
            from += size + 12;
        }
        data = joined;
    }
    sslh_i_sink o = sslh_i_sink_of(s->c, raw_size, raw_size);
    const char *why = o.p ? sslh_i_inflate(data, h.data_size, 1, &o, &at) : "out of memory";
    if (!why && o.n != raw_size) why = "it inflates to less than the image needs";
    sslh_i_free(s->c, joined);
    int ok = 0;
    if (why) sslh_i_bad(s, h.data_at, "pixel data, byte %.0f of it: %s", (double)at, why);
    else {
        image->pixels = (uint8_t *)sslh_i_alloc(s->c, pixels);
        ok = image->pixels && sslh_i_png_pixels(s, &h, o.p, image);
    }
    sslh_i_free(s->c, o.p);
    if (!ok) {
        sslh_i_free(s->c, image->pixels);
        memset(image, 0, sizeof *image);
    }
    return ok;
}

/* Filters all rows of (H, W C) bytes into raw (H, 1 + W C). adaptive: per row the filter with the smallest sum of absolute
   values (the heuristic of the PNG specification, 12.8); otherwise none. */
SSLH_I_FN void sslh_i_png_filter(const uint8_t *pixels, size_t rows, size_t n, size_t step, int adaptive,
                                 uint8_t *raw) {
    for (size_t y = 0; y < rows; y++, raw += n + 1) {
        const uint8_t *p = pixels + y * n, *up = y ? p - n : NULL;
        int best = 0;
        uint64_t least = (uint64_t)-1;
        for (int pass = 0; pass < 6; pass++) { /* 0..4 measure, 5 writes the best */
            int filter = pass < 5 ? pass : best;
            uint64_t sum = 0;
            if (!adaptive && pass < 5) continue;
            for (size_t i = 0; i < n; i++) {
                int a = i < step ? 0 : p[i - step], b = up ? up[i] : 0, c = i < step || !up ? 0 : up[i - step],
                    guess = 0;
                if (filter == 1) guess = a;
                else if (filter == 2) guess = b;
                else if (filter == 3) guess = (a + b) / 2;
                else if (filter == 4) {
                    int da = abs(b - c), db = abs(a - c), dc = abs(a + b - 2 * c);
                    guess = da <= db && da <= dc ? a : db <= dc ? b : c;
                }
                uint8_t v = (uint8_t)(p[i] - guess);
                if (pass == 5) raw[1 + i] = v;
                sum += v < 128 ? v : 256u - v;
            }
            if (pass < 5 && sum < least) least = sum, best = filter;
        }
        raw[0] = (uint8_t)best;
    }
}

/* A chunk at p; its n bytes are already in place behind the 8 of its head. Returns its end. */
SSLH_I_FN uint8_t *sslh_i_png_chunk(uint8_t *p, const char *tag, size_t n) {
    sslh_i_put_be32(p, (uint32_t)n);
    memcpy(p + 4, tag, 4);
    sslh_i_put_be32(p + 8 + n, sslh_i_crc32(0, p + 4, n + 4));
    return p + 12 + n;
}

/* A PNG file in memory, to be given back with sslh_i_free. Three ways are tried and the smallest file is kept: drawings do best
   without filters, photographs with filters and long matches only. */
SSLH_I_FN uint8_t *sslh_i_png_encode(sslh_ctx *c, const char *fn, const uint8_t *pixels, int height, int width,
                                     int channels, size_t *size) {
    static const uint8_t type[5] = {0, 0, 4, 2, 6};
    *size = 0;
    if (SSLH_I_BAD(c)) return NULL;
    if (!pixels || height < 1 || width < 1 || channels < 1 || channels > 4) {
        sslh_fail(c, SSLH_E_USAGE, "%s: %d x %d pixels with %d channels cannot be a PNG (1 to 4 channels)", fn, height,
                  width, channels);
        return NULL;
    }
    size_t n, raw_size;
    if (!sslh_i_mul((size_t)width, (size_t)channels, &n) || !sslh_i_mul((size_t)height, n + 1, &raw_size) ||
        raw_size > 0x7f000000u) {
        sslh_fail(c, SSLH_E_USAGE, "%s: %d x %d pixels are too many for a PNG writer", fn, height, width);
        return NULL;
    }
    uint8_t *raw = (uint8_t *)sslh_i_alloc(c, raw_size), *best = NULL, *file = NULL;
    size_t best_size = 0;
    for (int attempt = 0; raw && attempt < 3; attempt++) {
        size_t m;
        if (attempt < 2) sslh_i_png_filter(pixels, (size_t)height, n, (size_t)channels, attempt, raw);
        uint8_t *data = sslh_i_deflate(c, raw, raw_size, attempt < 2 ? 3 : 6, &m);
        if (data && (!best || m < best_size)) {
            sslh_i_free(c, best);
            best = data;
            best_size = m;
        } else sslh_i_free(c, data);
    }
    sslh_i_free(c, raw);
    if (best && !SSLH_I_BAD(c)) file = (uint8_t *)sslh_i_alloc(c, best_size + 8 + 25 + 12 + 12);
    if (file) {
        uint8_t *p = file;
        memcpy(p, sslh_i_png_magic, 8);
        sslh_i_put_be32(p + 16, (uint32_t)width);
        sslh_i_put_be32(p + 20, (uint32_t)height);
        p[24] = 8;
        p[25] = type[channels];
        p[26] = p[27] = p[28] = 0;
        p = sslh_i_png_chunk(p + 8, "IHDR", 13);
        memcpy(p + 8, best, best_size);
        p = sslh_i_png_chunk(p, "IDAT", best_size);
        p = sslh_i_png_chunk(p, "IEND", 0);
        *size = (size_t)(p - file);
    }
    sslh_i_free(c, best);
    return file;
}

SSLH_DEF void sslh_save_png(sslh_ctx *c, const char *path, const uint8_t *pixels, int height, int width, int channels) {
    size_t size;
    uint8_t *file = sslh_i_png_encode(c, "sslh_save_png", pixels, height, width, channels, &size);
    if (file) sslh_i_write_whole(c, "sslh_save_png", path, file, size);
    sslh_i_free(c, file);
}

/* --- PNM: P2 P3 (text), P5 P6 (binary) ---------------------------------------------------------------------------- */

/* A decimal number at *at, at most max; 0 when there is none or it is larger. */
SSLH_I_FN int sslh_i_read_number(const sslh_i_source *s, size_t *at, uint32_t max, uint32_t *out) {
    uint64_t v = 0;
    size_t begin = *at;
    while (*at < s->size && s->p[*at] >= '0' && s->p[*at] <= '9') {
        v = v * 10 + (uint64_t)(s->p[*at] - '0');
        if (v > max) return 0;
        (*at)++;
    }
    *out = (uint32_t)v;
    return *at > begin;
}

SSLH_I_FN int sslh_i_is_space(int c) { return c == ' ' || (c >= 9 && c <= 13); }

/* The next number of a PNM file, after white space and comments from # to the end of the line. */
SSLH_I_FN int sslh_i_pnm_number(const sslh_i_source *s, size_t *at, uint32_t max, const char *what, uint32_t *out) {
    while (*at < s->size && (sslh_i_is_space(s->p[*at]) || s->p[*at] == '#'))
        if (s->p[(*at)++] == '#')
            while (*at < s->size && s->p[*at] != '\n' && s->p[*at] != '\r') (*at)++;
    if (*at == s->size) return sslh_i_bad(s, *at, "the file ends early, before its %s", what);
    size_t begin = *at;
    if (!sslh_i_read_number(s, at, max, out))
        return sslh_i_bad(s, begin, "%s is not a number up to %lu", what, (unsigned long)max);
    return 1;
}

SSLH_I_FN int sslh_i_pnm_decode(const sslh_i_source *s, sslh_i_image *image) {
    memset(image, 0, sizeof *image);
    int kind = s->p[1] - '0', text = kind < 4;
    uint32_t width, height, top, v = 0;
    size_t at = 2, n;
    if (!sslh_i_pnm_number(s, &at, 0x7fffffffu, "width", &width)) return 0;
    if (!sslh_i_pnm_number(s, &at, 0x7fffffffu, "height", &height)) return 0;
    if (!sslh_i_pnm_number(s, &at, 65535, "largest value", &top)) return 0;
    if (!sslh_i_size_ok(s, 2, width, height)) return 0;
    if (!top) return sslh_i_bad(s, at, "the largest value is 0");
    if (at == s->size || !sslh_i_is_space(s->p[at])) return sslh_i_bad(s, at, "no white space before the pixels");
    at++; /* exactly one byte: the next one may be a pixel that looks like white space */
    int channels = kind == 3 || kind == 6 ? 3 : 1;
    size_t bytes = top > 255 ? 2 : 1;
    if (!sslh_i_mul((size_t)width * height, (size_t)channels, &n))
        return sslh_i_bad(s, 2, "the image is too large for this machine");
    if (text ? n > s->size - at : n > (s->size - at) / bytes)
        return sslh_i_bad(s, at, "%.0f bytes are too few for %lu x %lu pixels", (double)(s->size - at),
                          (unsigned long)width, (unsigned long)height);
    uint8_t *out = (uint8_t *)sslh_i_alloc(s->c, n);
    if (!out) return 0;
    for (size_t i = 0; i < n; i++) {
        size_t begin = at;
        if (text) {
            if (!sslh_i_pnm_number(s, &at, 65535, "sample", &v)) break;
        } else {
            v = bytes == 2 ? sslh_i_be16(s->p + at) : s->p[at];
            at += bytes;
        }
        if (v > top) {
            sslh_i_bad(s, begin, "the sample %lu is over the largest value %lu", (unsigned long)v, (unsigned long)top);
            break;
        }
        out[i] = (uint8_t)((v * 255u + top / 2) / top);
    }
    if (SSLH_I_BAD(s->c)) {
        sslh_i_free(s->c, out);
        return 0;
    }
    image->pixels = out;
    image->height = (int)height;
    image->width = (int)width;
    image->channels = channels;
    return 1;
}

SSLH_I_FN int sslh_i_is_png(const uint8_t *p, size_t size) { return size >= 8 && !memcmp(p, sslh_i_png_magic, 8); }
SSLH_I_FN int sslh_i_is_pnm(const uint8_t *p, size_t size) {
    return size >= 3 && p[0] == 'P' && (p[1] == '2' || p[1] == '3' || p[1] == '5' || p[1] == '6') &&
           (sslh_i_is_space(p[2]) || p[2] == '#');
}

SSLH_I_FN int sslh_i_image_decode(const sslh_i_source *s, sslh_i_image *image) {
    memset(image, 0, sizeof *image);
    if (sslh_i_is_png(s->p, s->size)) return sslh_i_png_decode(s, image);
    if (sslh_i_is_pnm(s->p, s->size)) return sslh_i_pnm_decode(s, image);
    return sslh_i_bad(s, 0, "neither a PNG nor a PNM image (P2, P3, P5, P6)");
}

SSLH_I_FN uint8_t *sslh_i_load_image(sslh_ctx *c, const char *fn, const char *name, const void *bytes, size_t size,
                                     int *height, int *width, int *channels) {
    sslh_i_image image;
    sslh_i_source s = sslh_i_source_of(c, fn, name, bytes, size);
    if (!sslh_i_image_decode(&s, &image)) return NULL;
    if (height) *height = image.height;
    if (width) *width = image.width;
    if (channels) *channels = image.channels;
    return image.pixels;
}

SSLH_I_FN void sslh_i_clear_sizes(int *height, int *width, int *channels) {
    if (height) *height = 0;
    if (width) *width = 0;
    if (channels) *channels = 0;
}

SSLH_DEF uint8_t *sslh_load_image_memory(sslh_ctx *c, const void *bytes, size_t size, int *height, int *width,
                                         int *channels) {
    sslh_i_clear_sizes(height, width, channels);
    if (SSLH_I_BAD(c)) return NULL;
    if (!bytes) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_load_image_memory: bytes is NULL");
        return NULL;
    }
    return sslh_i_load_image(c, "sslh_load_image_memory", "memory", bytes, size, height, width, channels);
}

SSLH_DEF uint8_t *sslh_load_image(sslh_ctx *c, const char *path, int *height, int *width, int *channels) {
    size_t size;
    sslh_i_clear_sizes(height, width, channels);
    uint8_t *file = sslh_i_read_whole(c, "sslh_load_image", path, &size);
    if (!file) return NULL;
    uint8_t *pixels = sslh_i_load_image(c, "sslh_load_image", path, file, size, height, width, channels);
    sslh_i_free(c, file);
    return pixels;
}

/* --- NumPy arrays (.npy) ------------------------------------------------------------------------------------------ */

/* Writes the header byte for byte as numpy does, because small parsers rely on it: the text is padded so that the data
   begin at a multiple of 64. Returns the file's size with count values of 4 bytes; out may be NULL to ask for it. */
SSLH_I_FN size_t sslh_i_npy_header(sslh_shape shape, size_t count, uint8_t *out) {
    char text[192];
    int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < shape.ndim; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%d%s", i ? ", " : "", shape.size[i],
                      shape.ndim == 1 ? "," : "");
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    size_t data = (10 + (size_t)n + 1 + 63) / 64 * 64;
    if (out) {
        memset(out, ' ', data);
        memcpy(out, "\x93NUMPY\x01\x00", 8);
        out[8] = (uint8_t)((data - 10) & 255);
        out[9] = (uint8_t)((data - 10) >> 8);
        memcpy(out + 10, text, (size_t)n);
        out[data - 1] = '\n';
    }
    return data + 4 * count;
}

SSLH_DEF void sslh_save_npy(sslh_ctx *c, const char *path, sslh_shape shape, const float *values) {
    if (SSLH_I_BAD(c)) return;
    size_t count = sslh_i_count(c, "sslh_save_npy", shape);
    if (!count) return;
    if (!values || count > ((size_t)-1 - 4096) / 4) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_save_npy: %s", values ? "too many values" : "values is NULL");
        return;
    }
    size_t size = sslh_i_npy_header(shape, count, NULL), at = size - 4 * count;
    uint8_t *file = (uint8_t *)sslh_i_alloc(c, size);
    if (!file) return;
    sslh_i_npy_header(shape, count, file);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        sslh_i_put_le32(file + at + 4 * i, bits);
    }
    sslh_i_write_whole(c, "sslh_save_npy", path, file, size);
    sslh_i_free(c, file);
}

/* What the header of an array file says. */
typedef struct sslh_i_npy {
    char       kind;    /* 'f' 'i' 'u' 'b' */
    int        bytes;   /* of one value */
    int        big;     /* big-endian */
    int        fortran; /* first index runs fastest */
    sslh_shape shape;
    size_t     data;    /* offset of the values */
} sslh_i_npy;

SSLH_I_FN void sslh_i_skip_space(const sslh_i_source *s, size_t *at, size_t end) {
    while (*at < end && sslh_i_is_space(s->p[*at])) (*at)++;
}

/* A Python string '..' or ".." at *at without escapes; its text is at *text with *n bytes. */
SSLH_I_FN int sslh_i_npy_string(const sslh_i_source *s, size_t *at, size_t end, size_t *text, size_t *n) {
    sslh_i_skip_space(s, at, end);
    if (*at >= end || (s->p[*at] != '\'' && s->p[*at] != '"'))
        return sslh_i_bad(s, *at, "a string is expected in the npy header");
    uint8_t quote = s->p[*at];
    *text = ++*at;
    while (*at < end && s->p[*at] != quote && s->p[*at] != '\\') (*at)++;
    if (*at >= end || s->p[*at] != quote) return sslh_i_bad(s, *at, "a string in the npy header does not end");
    *n = *at - *text;
    ++*at;
    return 1;
}

SSLH_I_FN int sslh_i_npy_expect(const sslh_i_source *s, size_t *at, size_t end, char c) {
    sslh_i_skip_space(s, at, end);
    if (*at >= end || s->p[*at] != (uint8_t)c) return sslh_i_bad(s, *at, "'%c' is expected in the npy header", c);
    ++*at;
    return 1;
}

SSLH_I_FN int sslh_i_npy_descr(const sslh_i_source *s, size_t *at, size_t end, sslh_i_npy *h) {
    size_t text, n;
    sslh_i_skip_space(s, at, end);
    if (*at < end && s->p[*at] == '[') return sslh_i_bad(s, *at, "structured arrays are not read");
    if (!sslh_i_npy_string(s, at, end, &text, &n)) return 0;
    const uint8_t *p = s->p + text;
    if (n == 3 && (p[0] == '<' || p[0] == '>' || p[0] == '|' || p[0] == '=')) {
        h->kind = (char)p[1];
        h->bytes = p[2] - '0';
        h->big = p[0] == '>';
        if ((h->kind == 'f' && (h->bytes == 2 || h->bytes == 4 || h->bytes == 8)) ||
            (h->kind == 'b' && h->bytes == 1) ||
            ((h->kind == 'i' || h->kind == 'u') && (h->bytes == 1 || h->bytes == 2 || h->bytes == 4 || h->bytes == 8)))
            return 1;
    }
    return sslh_i_bad(s, text, "values of type %.*s are not read (f2 f4 f8, i1 .. i8, u1 .. u8, b1 are)",
                      (int)SSLH_I_MIN(n, (size_t)16), (const char *)p);
}

SSLH_I_FN int sslh_i_npy_shape(const sslh_i_source *s, size_t *at, size_t end, sslh_i_npy *h) {
    if (!sslh_i_npy_expect(s, at, end, '(')) return 0;
    for (h->shape.ndim = 0;; h->shape.ndim++) {
        uint32_t v;
        sslh_i_skip_space(s, at, end);
        if (*at < end && s->p[*at] == ')') break;
        if (h->shape.ndim == SSLH_MAX_DIMS) return sslh_i_bad(s, *at, "more than %d dimensions", SSLH_MAX_DIMS);
        if (*at >= end || !sslh_i_read_number(s, at, 0x7fffffffu, &v) || !v)
            return sslh_i_bad(s, *at, "a size in the shape is not a number of 1 to 2^31 - 1");
        if (*at < end && s->p[*at] == 'L') ++*at; /* Python 2 */
        h->shape.size[h->shape.ndim] = (int)v;
        sslh_i_skip_space(s, at, end);
        if (*at < end && s->p[*at] == ',') ++*at;
        else if (*at >= end || s->p[*at] != ')') return sslh_i_bad(s, *at, "',' or ')' is expected in the shape");
    }
    ++*at;
    return 1;
}

/* "\x93NUMPY", version, header length, a Python dictionary with exactly three keys in any order. */
SSLH_I_FN int sslh_i_npy_parse(const sslh_i_source *s, sslh_i_npy *h) {
    memset(h, 0, sizeof *h);
    if (s->size < 12 || memcmp(s->p, "\x93NUMPY", 6)) return sslh_i_bad(s, 0, "not a NumPy array file");
    if (s->p[6] < 1 || s->p[6] > 3) return sslh_i_bad(s, 6, "npy version %d is unknown", s->p[6]);
    size_t at = s->p[6] == 1 ? 10 : 12, n = s->p[6] == 1 ? sslh_i_le16(s->p + 8) : sslh_i_le32(s->p + 8);
    if (n > 10000 || n > s->size - at) return sslh_i_bad(s, 8, "a header of %.0f bytes is too long", (double)n);
    size_t end = at + n;
    h->data = end;
    if (!sslh_i_npy_expect(s, &at, end, '{')) return 0;
    int seen = 0;
    for (;;) {
        size_t key, length, colon;
        int which;
        sslh_i_skip_space(s, &at, end);
        if (at < end && s->p[at] == '}') break;
        if (!sslh_i_npy_string(s, &at, end, &key, &length)) return 0;
        colon = at;
        if (!sslh_i_npy_expect(s, &at, end, ':')) return 0;
        if (length == 5 && !memcmp(s->p + key, "descr", 5)) {
            which = 1;
            if (!sslh_i_npy_descr(s, &at, end, h)) return 0;
        } else if (length == 5 && !memcmp(s->p + key, "shape", 5)) {
            which = 2;
            if (!sslh_i_npy_shape(s, &at, end, h)) return 0;
        } else if (length == 13 && !memcmp(s->p + key, "fortran_order", 13)) {
            which = 4;
            sslh_i_skip_space(s, &at, end);
            h->fortran = end - at >= 4 && !memcmp(s->p + at, "True", 4);
            if (!h->fortran && (end - at < 5 || memcmp(s->p + at, "False", 5)))
                return sslh_i_bad(s, at, "fortran_order is not True or False");
            at += h->fortran ? 4 : 5;
        } else return sslh_i_bad(s, key, "an unknown key in the npy header");
        if (seen & which) return sslh_i_bad(s, colon, "a key appears twice in the npy header");
        seen |= which;
        sslh_i_skip_space(s, &at, end);
        if (at < end && s->p[at] == ',') at++;
        else if (at >= end || s->p[at] != '}') return sslh_i_bad(s, at, "',' or '}' is expected in the npy header");
    }
    if (seen != 7) return sslh_i_bad(s, at, "descr, fortran_order or shape is missing in the npy header");
    return 1;
}

/* IEEE half to single: exact. */
SSLH_I_FN double sslh_i_half(uint32_t h) {
    uint32_t e = h >> 10 & 31, m = h & 1023;
    double v;
    if (e == 31) v = m ? (double)NAN : (double)INFINITY;
    else if (!e) v = (double)m / 16777216.0;
    else v = (double)(1024 + m) * (double)((uint64_t)1 << e) / 33554432.0;
    return h >> 15 ? -v : v;
}

/* Value number i of an array as a double (exact for everything but large 64-bit integers). */
SSLH_I_FN double sslh_i_npy_value(const uint8_t *p, const sslh_i_npy *h) {
    uint64_t bits = 0;
    for (int k = 0; k < h->bytes; k++) bits |= (uint64_t)p[h->big ? h->bytes - 1 - k : k] << (8 * k);
    if (h->kind == 'f') {
        if (h->bytes == 2) return sslh_i_half((uint32_t)bits);
        if (h->bytes == 8) {
            double v;
            memcpy(&v, &bits, 8);
            return v;
        }
        float v;
        uint32_t low = (uint32_t)bits;
        memcpy(&v, &low, 4);
        return (double)v;
    }
    if (h->kind == 'i' && h->bytes < 8 && bits >> (8 * h->bytes - 1))
        return (double)(int64_t)(bits | ~(uint64_t)0 << (8 * h->bytes));
    if (h->kind == 'i' && h->bytes == 8 && bits >> 63) return -(double)(~bits + 1);
    return (double)bits;
}

/* Floats become SSLH_F32, bytes and bools SSLH_U8, other integers SSLH_I32 (a value that does not fit is an error). */
SSLH_I_FN sslh_tensor *sslh_i_npy_decode(const sslh_i_source *s) {
    sslh_ctx *c = s->c;
    sslh_i_npy h;
    if (!sslh_i_npy_parse(s, &h)) return sslh_i_dummy(c);
    size_t count = sslh_i_count(c, s->fn, h.shape);
    if (!count) return sslh_i_dummy(c);
    if (count > (s->size - h.data) / (size_t)h.bytes || count * (size_t)h.bytes != s->size - h.data) {
        sslh_i_bad(s, h.data, "%.0f bytes of values instead of %.0f x %d", (double)(s->size - h.data), (double)count,
                   h.bytes);
        return sslh_i_dummy(c);
    }
    sslh_type type = h.kind == 'f' ? SSLH_F32 : h.bytes == 1 && h.kind != 'i' ? SSLH_U8 : SSLH_I32;
    sslh_tensor *t = sslh_i_persistent(c, s->fn, type, h.shape);
    if (!t) return sslh_i_dummy(c);
    int at[SSLH_MAX_DIMS] = {0};
    size_t stride[SSLH_MAX_DIMS], step = 1; /* of the file, in values */
    for (int k = 0; k < h.shape.ndim; k++) {
        int axis = h.fortran ? k : h.shape.ndim - 1 - k;
        stride[axis] = step;
        step *= (size_t)h.shape.size[axis];
    }
    for (size_t i = 0; i < count && !SSLH_I_BAD(c); i++) {
        size_t from = 0;
        for (int k = 0; k < h.shape.ndim; k++) from += (size_t)at[k] * stride[k];
        double v = sslh_i_npy_value(s->p + h.data + from * (size_t)h.bytes, &h);
        if (type == SSLH_F32) t->data[i] = (sslh_real)v;
        else if (type == SSLH_U8) t->bytes[i] = (uint8_t)v;
        else if (v < -2147483648.0 || v > 2147483647.0)
            sslh_i_bad(s, h.data + from * (size_t)h.bytes, "the value %.0f does not fit into 32 bits", v);
        else t->ints[i] = (int32_t)v;
        for (int k = h.shape.ndim - 1; k >= 0 && ++at[k] == h.shape.size[k]; k--) at[k] = 0;
    }
    if (!SSLH_I_BAD(c)) return t;
    sslh_i_free(c, sslh_i_get_data(t));
    sslh_i_free(c, t);
    return sslh_i_dummy(c);
}

SSLH_DEF sslh_tensor *sslh_load_npy(sslh_ctx *c, const char *path) {
    size_t size;
    uint8_t *file = sslh_i_read_whole(c, "sslh_load_npy", path, &size);
    if (!file) return sslh_i_dummy(c);
    sslh_i_source s = sslh_i_source_of(c, "sslh_load_npy", path, file, size);
    sslh_tensor *t = sslh_i_npy_decode(&s);
    sslh_i_free(c, file);
    return t;
}

/* ================================================================================================================== */
/*  >>weights       safetensors, weights, checkpoints, embed                                                         */
/* ================================================================================================================== */

/* safetensors: 8 bytes little-endian length N | N bytes of JSON | data. Names and axis order are PyTorch's; in memory a
   convolution's weight is (O,Kh,Kw,I), in the file (O,I,Kh,Kw). A parameter of three or more sizes whose name ends with
   "weight" is such a convolution. num_batches_tracked is a 64-bit scalar in the file.

   Beyond the format: __metadata__ holds "crc32.NAME" (CRC-32 of each tensor's bytes, 8 hexadecimal digits), "sslh.arch" and
   "sslh.preprocess", and in checkpoints the counters; every other reader ignores them. */

/* dtypes of the format; the order is the order in which the reference writes tensors. */
typedef struct sslh_i_st_type { const char *name; int bits; } sslh_i_st_type;
enum { SSLH_I_ST_I64 = 1, SSLH_I_ST_F64 = 2, SSLH_I_ST_F32 = 4, SSLH_I_ST_I32 = 6, SSLH_I_ST_BF16 = 7, SSLH_I_ST_F16 = 8, SSLH_I_ST_U8 = 16 };
static const sslh_i_st_type sslh_i_st_types[] = {
    {"U64", 64}, {"I64", 64}, {"F64", 64}, {"C64", 64}, {"F32", 32}, {"U32", 32}, {"I32", 32}, {"BF16", 16}, {"F16", 16}, {"U16", 16}, {"I16", 16},
    {"F8_E5M2FNUZ", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E8M0", 8}, {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"U8", 8}, {"I8", 8}, {"F6_E3M2", 6}, {"F6_E2M3", 6},
    {"F4", 4}, {"BOOL", 8}};
#define SSLH_I_ST_TYPES ((int)(sizeof sslh_i_st_types / sizeof sslh_i_st_types[0]))
#define SSLH_I_ST_DIMS 8
#define SSLH_I_ST_HEADER ((size_t)100000000) /* the format's own limit */

/* --- what is written and read: a list of named tensors ----------------------------------------------------------- */

typedef struct sslh_i_st_item {
    char         name[272];
    sslh_tensor *t;       /* gives type and shape in memory */
    sslh_real   *moment;  /* values of this shape instead of t's own (optimiser state); NULL: t's own */
    int          permute, dtype;
    size_t       begin, end; /* in the data of the file */
    int          found;   /* reading: number of the file's tensor, -1 */
} sslh_i_st_item;

typedef struct sslh_i_st_list { sslh_i_st_item *item; int n, cap; } sslh_i_st_list;
typedef struct sslh_i_st_meta { const char *key, *value; } sslh_i_st_meta;

SSLH_I_FN int sslh_i_has_suffix(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

SSLH_I_FN sslh_i_st_item *sslh_i_st_add(sslh_i_st_list *l, const sslh_i_tree *tree, int net, const char *prefix, sslh_i_entry *e) {
    sslh_i_st_item *it;
    size_t used = strlen(prefix);
    if (l->n == l->cap) return NULL;
    it = &l->item[l->n++];
    memcpy(it->name, prefix, used + 1);
    sslh_i_full_name(tree, net, e->name, it->name + used, sizeof it->name - used);
    it->t = &e->t;
    it->moment = NULL;
    it->permute = e->is_param && e->t.ndim >= 3 && sslh_i_has_suffix(e->name, "weight");
    it->dtype = e->t.type == SSLH_U8 ? SSLH_I_ST_U8 : e->t.type == SSLH_F32 ? (SSLH_I_DOUBLE ? SSLH_I_ST_F64 : SSLH_I_ST_F32)
                : sslh_i_has_suffix(e->name, "num_batches_tracked") ? SSLH_I_ST_I64 : SSLH_I_ST_I32;
    it->found = -1;
    return it;
}

SSLH_I_FN int sslh_i_st_list_new(sslh_ctx *c, sslh_i_st_list *l, int cap) {
    memset(l, 0, sizeof *l);
    l->item = (sslh_i_st_item *)sslh_i_alloc(c, (size_t)cap * sizeof *l->item + 1);
    l->cap = cap;
    return l->item != NULL;
}

SSLH_I_FN void sslh_i_st_add_net(sslh_i_st_list *l, sslh_net *net, const char *prefix) {
    sslh_i_tree t;
    int i, j;
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n; i++)
        for (j = 0; j < t.net[i]->entries; j++) sslh_i_st_add(l, &t, i, prefix, t.net[i]->entry[j]);
}

/* Size i of the shape in the file: (O,K..,I) in memory is (O,I,K..) there. */
SSLH_I_FN int sslh_i_st_size(const sslh_i_st_item *it, int i) {
    if (!it->permute || i == 0) return it->t->shape[i];
    return i == 1 ? it->t->shape[it->t->ndim - 1] : it->t->shape[i - 1];
}

/* Element number at in the file is element number .. in memory. area = product of the K sizes, last = I. */
SSLH_I_FN size_t sslh_i_st_place(size_t at, size_t area, size_t last) {
    size_t k = at % area, i = at / area % last, o = at / (area * last);
    return (o * area + k) * last + i;
}

SSLH_I_FN void sslh_i_st_area(const sslh_i_st_item *it, size_t *area, size_t *last) {
    int i;
    *area = *last = 1;
    if (!it->permute) return;
    *last = (size_t)it->t->shape[it->t->ndim - 1];
    for (i = 1; i < it->t->ndim - 1; i++) *area *= (size_t)it->t->shape[i];
}

SSLH_I_FN void sslh_i_put_real(uint8_t *p, sslh_real v) {
    if (SSLH_I_DOUBLE) {
        double d = (double)v;
        uint64_t u;
        memcpy(&u, &d, 8);
        sslh_i_put_le64(p, u);
    } else {
        float f = (float)v;
        uint32_t u;
        memcpy(&u, &f, 4);
        sslh_i_put_le32(p, u);
    }
}

SSLH_I_FN void sslh_i_st_put(const sslh_i_st_item *it, uint8_t *out) {
    const sslh_tensor *t = it->t;
    const sslh_real *values = it->moment ? it->moment : t->data;
    size_t area, last, i, each = (size_t)sslh_i_st_types[it->dtype].bits / 8;
    sslh_i_st_area(it, &area, &last);
    for (i = 0; i < t->count; i++) {
        size_t from = it->permute ? sslh_i_st_place(i, area, last) : i;
        uint8_t *p = out + i * each;
        if (t->type == SSLH_F32) sslh_i_put_real(p, values[from]);
        else if (t->type == SSLH_U8) p[0] = t->bytes[from];
        else if (it->dtype == SSLH_I_ST_I64) sslh_i_put_le64(p, (uint64_t)(int64_t)t->ints[from]);
        else sslh_i_put_le32(p, (uint32_t)t->ints[from]);
    }
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

SSLH_I_FN int sslh_i_st_order(const void *a, const void *b) {
    const sslh_i_st_item *x = (const sslh_i_st_item *)a, *y = (const sslh_i_st_item *)b;
    return x->dtype != y->dtype ? x->dtype - y->dtype : strcmp(x->name, y->name);
}

/* "text" with JSON's escapes. */
SSLH_I_FN void sslh_i_append_json(char *out, size_t size, size_t *used, const char *text) {
    sslh_i_append(out, size, used, "\"");
    for (; *text; text++) {
        unsigned char ch = (unsigned char)*text;
        if (ch < 0x20) sslh_i_append(out, size, used, "\\u%04x", ch);
        else if (ch == '"' || ch == '\\') sslh_i_append(out, size, used, "\\%c", ch);
        else sslh_i_append(out, size, used, "%c", ch);
    }
    sslh_i_append(out, size, used, "\"");
}

/* The JSON header, padded to a multiple of 8; data NULL: a dry run that gives the length. */
SSLH_I_FN size_t sslh_i_st_header(const sslh_i_st_list *l, const sslh_i_st_meta *meta, int nmeta, const uint8_t *data, char *out, size_t size) {
    size_t used = 0;
    char name[320];
    int i, j;
    sslh_i_append(out, size, &used, "{\"__metadata__\":{\"format\":\"pt\"");
    for (i = 0; i < nmeta; i++) {
        sslh_i_append(out, size, &used, ",");
        sslh_i_append_json(out, size, &used, meta[i].key);
        sslh_i_append(out, size, &used, ":");
        sslh_i_append_json(out, size, &used, meta[i].value);
    }
    for (i = 0; i < l->n; i++) {
        const sslh_i_st_item *it = &l->item[i];
        snprintf(name, sizeof name, "crc32.%s", it->name);
        sslh_i_append(out, size, &used, ",");
        sslh_i_append_json(out, size, &used, name);
        sslh_i_append(out, size, &used, ":\"%08lx\"", (unsigned long)(data ? sslh_i_crc32(0, data + it->begin, it->end - it->begin) : 0u));
    }
    sslh_i_append(out, size, &used, "}");
    for (i = 0; i < l->n; i++) {
        const sslh_i_st_item *it = &l->item[i];
        sslh_i_append(out, size, &used, ",");
        sslh_i_append_json(out, size, &used, it->name);
        sslh_i_append(out, size, &used, ":{\"dtype\":\"%s\",\"shape\":[", sslh_i_st_types[it->dtype].name);
        for (j = 0; j < it->t->ndim; j++) sslh_i_append(out, size, &used, j ? ",%d" : "%d", sslh_i_st_size(it, j));
        sslh_i_append(out, size, &used, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)it->begin, (unsigned long long)it->end);
    }
    sslh_i_append(out, size, &used, "}");
    while (used % 8) sslh_i_append(out, size, &used, " ");
    return used;
}

SSLH_I_FN void sslh_i_st_write(sslh_ctx *c, const char *fn, const char *path, sslh_i_st_list *l, const sslh_i_st_meta *meta, int nmeta) {
    size_t data = 0, head, total;
    uint8_t *file;
    int i;
    qsort(l->item, (size_t)l->n, sizeof *l->item, sslh_i_st_order);
    for (i = 0; i < l->n; i++) {
        sslh_i_st_item *it = &l->item[i];
        it->begin = data;
        data += it->t->count * (size_t)(sslh_i_st_types[it->dtype].bits / 8);
        it->end = data;
        if (data > (size_t)-1 / 4) sslh_fail(c, SSLH_E_MEMORY, "%s: more than this machine can address", fn);
    }
    head = sslh_i_st_header(l, meta, nmeta, NULL, NULL, 0);
    if (head > SSLH_I_ST_HEADER) sslh_fail(c, SSLH_E_USAGE, "%s: the names do not fit into a safetensors header", fn);
    total = 8 + head + data;
    file = (uint8_t *)sslh_i_alloc(c, total + 1);
    if (!file) return;
    for (i = 0; i < l->n; i++) sslh_i_st_put(&l->item[i], file + 8 + head + l->item[i].begin);
    sslh_i_put_le64(file, (uint64_t)head);
    {
        /* the header is printed with a zero at its end, which falls on the first byte of the data */
        uint8_t first = file[8 + head];
        sslh_i_st_header(l, meta, nmeta, file + 8 + head, (char *)file + 8, head + 1);
        file[8 + head] = first;
    }
    sslh_i_write_whole(c, fn, path, file, total);
    sslh_i_free(c, file);
}

/* --- reading: a hostile file ------------------------------------------------------------------------------------- */

typedef struct sslh_i_st_tensor {
    const char *name;
    int         dtype, ndim, used;
    uint64_t    shape[SSLH_I_ST_DIMS];
    size_t      begin, end;
} sslh_i_st_tensor;

typedef struct sslh_i_st {
    sslh_ctx         *c;
    const char       *fn, *file;   /* for messages */
    const char       *at, *end;    /* what is left of the JSON */
    const char       *start;
    char             *text, *pool; /* unescaped strings, each with its zero */
    sslh_i_st_tensor *tensor;
    sslh_i_st_meta   *meta;
    int               n, cap, nmeta, meta_cap, meta_seen;
    const uint8_t    *data;
    size_t            data_size;
} sslh_i_st;

SSLH_I_FN int sslh_i_st_bad(const sslh_i_st *s, const char *why) {
    sslh_fail(s->c, SSLH_E_FORMAT, "%s: %s is not a good safetensors file: %s (byte %.0f)", s->fn, s->file, why, (double)(s->at - s->start) + 8);
    return 0;
}

/* UTF-8 without overlong forms, surrogates and code points above U+10FFFF (RFC 3629). */
SSLH_I_FN int sslh_i_utf8_ok(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (i < n) {
        uint32_t b = p[i++], code, least;
        int more;
        if (b < 0x80) continue;
        if (b >= 0xc2 && b < 0xe0) more = 1, code = b & 31, least = 0x80;
        else if (b >= 0xe0 && b < 0xf0) more = 2, code = b & 15, least = 0x800;
        else if (b >= 0xf0 && b < 0xf5) more = 3, code = b & 7, least = 0x10000;
        else return 0;
        for (; more; more--) {
            if (i == n || (p[i] & 0xc0) != 0x80) return 0;
            code = code << 6 | (p[i++] & 63u);
        }
        if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
    }
    return 1;
}

SSLH_I_FN void sslh_i_json_space(sslh_i_st *s) {
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r')) s->at++;
}

/* The next character that is no space, taken when it is ch. */
SSLH_I_FN int sslh_i_json_is(sslh_i_st *s, char ch) {
    sslh_i_json_space(s);
    if (s->at == s->end || *s->at != ch) return 0;
    s->at++;
    return 1;
}

SSLH_I_FN int sslh_i_json_hex4(sslh_i_st *s, uint32_t *out) {
    int i;
    *out = 0;
    for (i = 0; i < 4; i++) {
        int ch = s->at < s->end ? *s->at++ : 0;
        int digit = ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
        if (digit < 0) return 0;
        *out = *out << 4 | (uint32_t)digit;
    }
    return 1;
}

/* \uXXXX, a surrogate pair included, as UTF-8; never longer than its escape. */
SSLH_I_FN int sslh_i_json_unicode(sslh_i_st *s) {
    uint32_t u, low;
    char *o = s->pool;
    if (!sslh_i_json_hex4(s, &u)) return 0;
    if (u >= 0xdc00 && u < 0xe000) return 0;
    if (u >= 0xd800 && u < 0xdc00) {
        if (s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u') return 0;
        s->at += 2;
        if (!sslh_i_json_hex4(s, &low) || low < 0xdc00 || low >= 0xe000) return 0;
        u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
    }
    if (u == 0) return 0; /* names are C strings */
    if (u < 0x80) *o++ = (char)u;
    else if (u < 0x800) {
        *o++ = (char)(0xc0 | u >> 6);
        *o++ = (char)(0x80 | (u & 63));
    } else if (u < 0x10000) {
        *o++ = (char)(0xe0 | u >> 12);
        *o++ = (char)(0x80 | (u >> 6 & 63));
        *o++ = (char)(0x80 | (u & 63));
    } else {
        *o++ = (char)(0xf0 | u >> 18);
        *o++ = (char)(0x80 | (u >> 12 & 63));
        *o++ = (char)(0x80 | (u >> 6 & 63));
        *o++ = (char)(0x80 | (u & 63));
    }
    s->pool = o;
    return 1;
}

/* A string, unescaped into the pool; NULL and an error when it is none. */
SSLH_I_FN const char *sslh_i_json_string(sslh_i_st *s) {
    static const char escapes[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *out = s->pool;
    int good = 1;
    if (!sslh_i_json_is(s, '"')) {
        sslh_i_st_bad(s, "a string is missing");
        return NULL;
    }
    for (;;) {
        char ch = s->at < s->end ? *s->at++ : 0;
        if (ch == '"') break;
        if ((unsigned char)ch < 0x20) good = 0;
        else if (ch != '\\') *s->pool++ = ch;
        else {
            const char *e = s->at < s->end && *s->at ? strchr(escapes, *s->at) : NULL;
            if (e) {
                *s->pool++ = values[e - escapes];
                s->at++;
            } else good = s->at < s->end && *s->at++ == 'u' && sslh_i_json_unicode(s);
        }
        if (!good) {
            sslh_i_st_bad(s, "a string is broken");
            return NULL;
        }
    }
    *s->pool++ = 0;
    return out;
}

/* A plain non-negative integer: no sign, fraction, exponent or leading zero. */
SSLH_I_FN int sslh_i_json_uint(sslh_i_st *s, uint64_t *out) {
    const char *first;
    sslh_i_json_space(s);
    first = s->at;
    *out = 0;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9') {
        uint64_t digit = (uint64_t)(*s->at - '0');
        if (*out > (UINT64_MAX - digit) / 10) return sslh_i_st_bad(s, "a number is too large");
        *out = *out * 10 + digit;
        s->at++;
    }
    if (s->at == first || (*first == '0' && s->at - first > 1) || (s->at < s->end && strchr(".eE+-", *s->at) && *s->at))
        return sslh_i_st_bad(s, "a non-negative integer is missing");
    return 1;
}

/* Jumps over a value of an unknown key without recursion; the kinds of the open brackets are bits. */
SSLH_I_FN int sslh_i_json_skip(sslh_i_st *s) {
    uint64_t kinds = 0;
    int depth = 0;
    do {
        char ch;
        sslh_i_json_space(s);
        ch = s->at < s->end ? *s->at : 0;
        if (ch == '"') {
            char *pool = s->pool;
            if (!sslh_i_json_string(s)) return 0;
            s->pool = pool;
        } else if (ch == '{' || ch == '[') {
            if (depth == 60) return sslh_i_st_bad(s, "nested too deeply");
            kinds = kinds << 1 | (ch == '{');
            depth++;
            s->at++;
        } else if (ch == '}' || ch == ']') {
            if (depth == 0 || (kinds & 1) != (uint64_t)(ch == '}')) return sslh_i_st_bad(s, "brackets do not match");
            kinds >>= 1;
            depth--;
            s->at++;
        } else if (ch && strchr("+-.0123456789aeflnrstuE", ch)) { /* a number, true, false, null */
            while (s->at < s->end && *s->at && strchr("+-.0123456789aeflnrstuE", *s->at)) s->at++;
        } else if (depth && (ch == ',' || ch == ':')) s->at++;
        else return sslh_i_st_bad(s, "a value is missing");
    } while (depth);
    return 1;
}

/* [1,2,..] of at most max numbers. */
SSLH_I_FN int sslh_i_json_uints(sslh_i_st *s, uint64_t *out, int max, int *n) {
    *n = 0;
    if (!sslh_i_json_is(s, '[')) return sslh_i_st_bad(s, "a list is missing");
    if (sslh_i_json_is(s, ']')) return 1;
    do {
        if (*n == max) return sslh_i_st_bad(s, "a list is too long");
        if (!sslh_i_json_uint(s, &out[(*n)++])) return 0;
    } while (sslh_i_json_is(s, ','));
    return sslh_i_json_is(s, ']') || sslh_i_st_bad(s, "a list does not end");
}

SSLH_I_FN int sslh_i_st_read_meta(sslh_i_st *s) {
    if (s->meta_seen++) return sslh_i_st_bad(s, "__metadata__ twice");
    if (!sslh_i_json_is(s, '{')) return sslh_i_st_bad(s, "__metadata__ is no object");
    if (sslh_i_json_is(s, '}')) return 1;
    do {
        sslh_i_st_meta *m = &s->meta[s->nmeta];
        if (s->nmeta == s->meta_cap) return sslh_i_st_bad(s, "too much metadata");
        m->key = sslh_i_json_string(s);
        if (!m->key) return 0;
        if (!sslh_i_json_is(s, ':')) return sslh_i_st_bad(s, "a colon is missing");
        m->value = sslh_i_json_string(s); /* strings only */
        if (!m->value) return 0;
        s->nmeta++;
    } while (sslh_i_json_is(s, ','));
    return sslh_i_json_is(s, '}') || sslh_i_st_bad(s, "__metadata__ does not end");
}

/* {"dtype":"F32","shape":[..],"data_offsets":[begin,end]} in any order; unknown keys are skipped. */
SSLH_I_FN int sslh_i_st_read_tensor(sslh_i_st *s, const char *name) {
    sslh_i_st_tensor *t = &s->tensor[s->n];
    uint64_t offsets[2] = {0, 0};
    int noffsets = 0, seen = 0;
    if (s->n == s->cap) return sslh_i_st_bad(s, "too many tensors");
    t->name = name;
    if (!sslh_i_json_is(s, '{')) return sslh_i_st_bad(s, "a tensor is no object");
    do {
        char *pool = s->pool;
        const char *key = sslh_i_json_string(s);
        int bit;
        if (!key) return 0;
        if (!sslh_i_json_is(s, ':')) return sslh_i_st_bad(s, "a colon is missing");
        bit = strcmp(key, "dtype") == 0 ? 1 : strcmp(key, "shape") == 0 ? 2 : strcmp(key, "data_offsets") == 0 ? 4 : 0;
        if (seen & bit) return sslh_i_st_bad(s, "a key twice");
        seen |= bit;
        if (bit == 1) {
            const char *type = sslh_i_json_string(s);
            if (!type) return 0;
            for (t->dtype = 0; t->dtype < SSLH_I_ST_TYPES && strcmp(type, sslh_i_st_types[t->dtype].name) != 0; t->dtype++) {}
            if (t->dtype == SSLH_I_ST_TYPES) return sslh_i_st_bad(s, "an unknown dtype");
        } else if (bit == 2) {
            if (!sslh_i_json_uints(s, t->shape, SSLH_I_ST_DIMS, &t->ndim)) return 0;
        } else if (bit == 4) {
            if (!sslh_i_json_uints(s, offsets, 2, &noffsets)) return 0;
            if (noffsets != 2) return sslh_i_st_bad(s, "data_offsets are not two");
        } else if (!sslh_i_json_skip(s)) return 0;
        s->pool = pool;
    } while (sslh_i_json_is(s, ','));
    if (!sslh_i_json_is(s, '}')) return sslh_i_st_bad(s, "a tensor does not end");
    if (seen != 7) return sslh_i_st_bad(s, "dtype, shape or data_offsets is missing");
    if (offsets[0] > offsets[1] || offsets[1] > (uint64_t)s->data_size) return sslh_i_st_bad(s, "data_offsets lie outside of the file");
    t->begin = (size_t)offsets[0];
    t->end = (size_t)offsets[1];
    s->n++;
    return 1;
}

SSLH_I_FN int sslh_i_st_by_place(const void *a, const void *b) {
    const sslh_i_st_tensor *x = (const sslh_i_st_tensor *)a, *y = (const sslh_i_st_tensor *)b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}
SSLH_I_FN int sslh_i_st_by_name(const void *a, const void *b) {
    return strcmp(((const sslh_i_st_tensor *)a)->name, ((const sslh_i_st_tensor *)b)->name);
}

/* The tensors fill the data without hole or overlap, and each has the size of its shape. */
SSLH_I_FN int sslh_i_st_check(sslh_i_st *s) {
    size_t at = 0;
    int i, j;
    qsort(s->tensor, (size_t)s->n, sizeof *s->tensor, sslh_i_st_by_place);
    for (i = 0; i < s->n; i++) {
        const sslh_i_st_tensor *t = &s->tensor[i];
        size_t count = 1, bits;
        int empty = 0;
        if (t->begin != at) return sslh_i_st_bad(s, "a hole or an overlap between tensors");
        at = t->end;
        for (j = 0; j < t->ndim; j++) {
            if (t->shape[j] == 0) empty = 1;
            else if (t->shape[j] > (size_t)-1 || !sslh_i_mul(count, (size_t)t->shape[j], &count)) return sslh_i_st_bad(s, "a shape overflows");
        }
        if (!sslh_i_mul(count, (size_t)sslh_i_st_types[t->dtype].bits, &bits)) return sslh_i_st_bad(s, "a shape overflows");
        if (empty) bits = 0;
        if (bits % 8 || bits / 8 != t->end - t->begin) return sslh_i_st_bad(s, "a tensor's size is not that of its shape");
    }
    if (at != s->data_size) return sslh_i_st_bad(s, "bytes after the last tensor, or too few");
    qsort(s->tensor, (size_t)s->n, sizeof *s->tensor, sslh_i_st_by_name);
    for (i = 1; i < s->n; i++)
        if (strcmp(s->tensor[i - 1].name, s->tensor[i].name) == 0) return sslh_i_st_bad(s, "a name twice");
    return 1;
}

SSLH_I_FN void sslh_i_st_close(sslh_i_st *s) {
    sslh_i_free(s->c, s->text);
    sslh_i_free(s->c, s->tensor);
    sslh_i_free(s->c, s->meta);
    s->text = NULL;
    s->tensor = NULL;
    s->meta = NULL;
}

/* Parses size bytes, which stay the caller's. 0 and an error when they are bad; sslh_i_st_close in both cases. */
SSLH_I_FN int sslh_i_st_open(sslh_i_st *s, sslh_ctx *c, const char *fn, const char *file, const uint8_t *bytes, size_t size) {
    size_t head, i, braces = 0, colons = 0;
    memset(s, 0, sizeof *s);
    s->c = c;
    s->fn = fn;
    s->file = file;
    s->start = s->at = s->end = (const char *)bytes + SSLH_I_MIN(size, (size_t)8);
    if (size < 8) return sslh_i_st_bad(s, "shorter than 8 bytes");
    if (sslh_i_le64(bytes) > (uint64_t)(size - 8)) return sslh_i_st_bad(s, "the header is longer than the file");
    head = (size_t)sslh_i_le64(bytes);
    if (head > SSLH_I_ST_HEADER) return sslh_i_st_bad(s, "a header of more than 100 MB");
    s->end = s->start + head;
    s->data = bytes + 8 + head;
    s->data_size = size - 8 - head;
    if (!sslh_i_utf8_ok(bytes + 8, head)) return sslh_i_st_bad(s, "the header is not UTF-8");
    for (i = 0; i < head; i++) {
        braces += s->start[i] == '{';
        colons += s->start[i] == ':';
    }
    /* bounds: a tensor takes 40 bytes or more and a brace, a pair of strings 5 bytes and a colon */
    s->cap = (int)SSLH_I_MIN(braces, head / 40 + 1);
    s->meta_cap = (int)SSLH_I_MIN(colons, head / 5 + 1);
    s->text = s->pool = (char *)sslh_i_alloc(c, head + 1);
    s->tensor = (sslh_i_st_tensor *)sslh_i_alloc(c, (size_t)(s->cap + 1) * sizeof *s->tensor);
    s->meta = (sslh_i_st_meta *)sslh_i_alloc(c, (size_t)(s->meta_cap + 1) * sizeof *s->meta);
    if (!s->text || !s->tensor || !s->meta) return 0;
    if (!sslh_i_json_is(s, '{')) return sslh_i_st_bad(s, "the header does not begin with {");
    if (!sslh_i_json_is(s, '}')) {
        do {
            const char *name = sslh_i_json_string(s);
            if (!name) return 0;
            if (!sslh_i_json_is(s, ':')) return sslh_i_st_bad(s, "a colon is missing");
            if (!(strcmp(name, "__metadata__") == 0 ? sslh_i_st_read_meta(s) : sslh_i_st_read_tensor(s, name))) return 0;
        } while (sslh_i_json_is(s, ','));
        if (!sslh_i_json_is(s, '}')) return sslh_i_st_bad(s, "the header does not end");
    }
    sslh_i_json_space(s);
    if (s->at != s->end) return sslh_i_st_bad(s, "text after the header");
    return sslh_i_st_check(s);
}

SSLH_I_FN const char *sslh_i_st_meta_of(const sslh_i_st *s, const char *key) {
    int i;
    for (i = 0; i < s->nmeta; i++) if (strcmp(s->meta[i].key, key) == 0) return s->meta[i].value;
    return NULL;
}

SSLH_I_FN int sslh_i_st_find(const sslh_i_st *s, const char *prefix, const char *name) {
    int lo = 0, hi = s->n;
    size_t n = strlen(prefix);
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        const char *x = s->tensor[mid].name;
        int order = strncmp(x, prefix, n);
        if (order == 0) order = strcmp(x + n, name);
        if (order == 0) return mid;
        if (order < 0) lo = mid + 1;
        else hi = mid;
    }
    return -1;
}

SSLH_I_FN int sslh_i_st_real(int dtype) { return dtype == SSLH_I_ST_F64 || dtype == SSLH_I_ST_F32 || dtype == SSLH_I_ST_BF16 || dtype == SSLH_I_ST_F16; }
SSLH_I_FN int sslh_i_st_int(int dtype) { return dtype == SSLH_I_ST_I64 || dtype == SSLH_I_ST_I32 || dtype == SSLH_I_ST_U8; }

/* Value of an element as a double; exact but for 64-bit integers above 2^53. */
SSLH_I_FN double sslh_i_st_value(int dtype, const uint8_t *p) {
    uint32_t u;
    uint64_t w;
    float f;
    double d;
    switch (dtype) {
    case SSLH_I_ST_F64:
        w = sslh_i_le64(p);
        memcpy(&d, &w, 8);
        return d;
    case SSLH_I_ST_F32: u = sslh_i_le32(p); break;
    case SSLH_I_ST_BF16: u = sslh_i_le16(p) << 16; break;
    case SSLH_I_ST_F16: return sslh_i_half(sslh_i_le16(p));
    case SSLH_I_ST_I64: return (double)(int64_t)sslh_i_le64(p);
    case SSLH_I_ST_I32: return (double)(int32_t)sslh_i_le32(p);
    default: return (double)p[0];
    }
    memcpy(&f, &u, 4);
    return (double)f;
}

/* Why file tensor f cannot fill it; NULL when it can. */
SSLH_I_FN const char *sslh_i_st_misfit(const sslh_i_st_item *it, const sslh_i_st_tensor *f) {
    int i;
    if (it->t->type == SSLH_F32 ? !sslh_i_st_real(f->dtype) && !sslh_i_st_int(f->dtype) : !sslh_i_st_int(f->dtype)) return "dtype";
    if (f->ndim != it->t->ndim) return "shape";
    for (i = 0; i < f->ndim; i++) if (f->shape[i] != (uint64_t)sslh_i_st_size(it, i)) return "shape";
    return NULL;
}

SSLH_I_FN void sslh_i_st_get(sslh_ctx *c, const sslh_i_st *s, const sslh_i_st_item *it) {
    const sslh_i_st_tensor *f = &s->tensor[it->found];
    const uint8_t *data = s->data + f->begin;
    sslh_tensor *t = it->t;
    sslh_real *values = it->moment ? it->moment : t->data;
    size_t area, last, i, each = (size_t)sslh_i_st_types[f->dtype].bits / 8;
    sslh_i_st_area(it, &area, &last);
    for (i = 0; i < t->count; i++) {
        size_t to = it->permute ? sslh_i_st_place(i, area, last) : i;
        double v = sslh_i_st_value(f->dtype, data + i * each);
        if (t->type == SSLH_F32) {
            values[to] = (sslh_real)v;
        } else if (t->type == SSLH_I32) {
            if (v < -2147483648.0 || v > 2147483647.0) {
                sslh_fail(c, SSLH_E_FORMAT, "%s: %s: '%s' holds a number beyond 32 bits", s->fn, s->file, f->name);
                return;
            }
            t->ints[to] = (int32_t)v;
        } else {
            if (v < 0 || v > 255) {
                sslh_fail(c, SSLH_E_FORMAT, "%s: %s: '%s' holds a number beyond 8 bits", s->fn, s->file, f->name);
                return;
            }
            t->bytes[to] = (uint8_t)v;
        }
    }
}

/* The CRC-32 that the file itself gives for a tensor; without one it is taken as it is. */
SSLH_I_FN int sslh_i_st_crc_ok(const sslh_i_st *s, const sslh_i_st_tensor *f) {
    char key[320], text[16];
    const char *want;
    if (snprintf(key, sizeof key, "crc32.%s", f->name) >= (int)sizeof key) return 1;
    want = sslh_i_st_meta_of(s, key);
    snprintf(text, sizeof text, "%08lx", (unsigned long)sslh_i_crc32(0, s->data + f->begin, f->end - f->begin));
    if (!want || strcmp(want, text) == 0) return 1;
    sslh_fail(s->c, SSLH_E_FORMAT, "%s: %s: the CRC-32 of '%s' does not match: the file is damaged", s->fn, s->file, f->name);
    return 0;
}

/* --- filling a list from a file ---------------------------------------------------------------------------------- */

/* "missing 2: a, b"; lists all when the text is long enough. which: 0 missing, 1 unexpected, 2 wrong. */
SSLH_I_FN int sslh_i_st_report(const sslh_i_st *s, const sslh_i_st_list *l, const char *prefix, int which, char *out, size_t size, size_t *used) {
    static const char *const titles[3] = {"missing", "unexpected", "wrong shape or type"};
    size_t n = strlen(prefix), at = *used;
    int i, j, count = 0, pass;
    char text[160];
    for (pass = 0; pass < 2; pass++) {
        int shown = 0;
        if (pass) sslh_i_append(out, size, &at, "%s %d%s", titles[which], count, count ? ": " : "");
        for (i = 0; i < (which == 1 ? s->n : l->n); i++) {
            if (which == 1) {
                if (s->tensor[i].used || strncmp(s->tensor[i].name, prefix, n) != 0) continue;
                snprintf(text, sizeof text, "%s", s->tensor[i].name + n);
            } else {
                const sslh_i_st_item *it = &l->item[i];
                size_t k = 0;
                if (which == 0 ? it->found != -1 : it->found > -2) continue;
                sslh_i_append(text, sizeof text, &k, "%.100s", it->name);
                if (which == 2) {
                    const sslh_i_st_tensor *f = &s->tensor[-2 - it->found];
                    sslh_i_append(text, sizeof text, &k, " (file %s (", sslh_i_st_types[f->dtype].name);
                    for (j = 0; j < f->ndim; j++) sslh_i_append(text, sizeof text, &k, j ? ",%.0f" : "%.0f", (double)f->shape[j]);
                    sslh_i_append(text, sizeof text, &k, "), net (");
                    for (j = 0; j < it->t->ndim; j++) sslh_i_append(text, sizeof text, &k, j ? ",%d" : "%d", sslh_i_st_size(it, j));
                    sslh_i_append(text, sizeof text, &k, "))");
                }
            }
            if (!pass) count++;
            else sslh_i_append(out, size, &at, shown++ ? ", %s" : "%s", text);
        }
    }
    sslh_i_append(out, size, &at, "\n");
    *used = at;
    return count;
}

/* Matches names, checks shapes and checksums, and only then copies; the memory of unsealed nets is made in between by
   seal. Returns the number of tensors read; on an error nothing has changed. */
SSLH_I_FN int sslh_i_st_fill(const sslh_i_st *s, sslh_i_st_list *l, sslh_load_desc d, sslh_net *seal) {
    const char *prefix = d.strip_prefix ? d.strip_prefix : "";
    char text[300];
    size_t used = 0, report = 0;
    int i, matched = 0, missing = 0, unexpected, wrong;
    for (i = 0; i < l->n; i++) {
        sslh_i_st_item *it = &l->item[i];
        int at = sslh_i_st_find(s, prefix, it->name);
        if (at < 0) {
            missing += !sslh_i_has_suffix(it->name, "num_batches_tracked"); /* files of old PyTorch versions have none */
            continue;
        }
        s->tensor[at].used = 1;
        it->found = sslh_i_st_misfit(it, &s->tensor[at]) ? -2 - at : at;
        matched += it->found >= 0;
    }
    if (d.report && d.report_size) d.report[0] = 0;
    sslh_i_append(d.report, d.report_size, &report, "matched %d\n", matched);
    sslh_i_st_report(s, l, prefix, 0, d.report, d.report_size, &report);
    unexpected = sslh_i_st_report(s, l, prefix, 1, d.report, d.report_size, &report);
    wrong = sslh_i_st_report(s, l, prefix, 2, d.report, d.report_size, &report);
    text[0] = 0;
    if (wrong) sslh_i_st_report(s, l, prefix, 2, text, sizeof text, &used);
    else if (missing && !d.partial) sslh_i_st_report(s, l, prefix, 0, text, sizeof text, &used);
    else if (unexpected && !d.partial) sslh_i_st_report(s, l, prefix, 1, text, sizeof text, &used);
    if (text[0]) {
        for (i = 0; text[i]; i++) if (text[i] == '\n') text[i] = 0;
        sslh_fail(s->c, SSLH_E_FORMAT, "%s: %s does not fit the net: %s", s->fn, s->file, text);
        return 0;
    }
    for (i = 0; i < l->n; i++) if (l->item[i].found >= 0 && !sslh_i_st_crc_ok(s, &s->tensor[l->item[i].found])) return 0;
    if (seal) {
        sslh_i_tree t;
        sslh_i_tree_of(&t, seal);
        for (i = 0; i < t.n; i++) if (!sslh_i_net_seal(t.net[i], missing > 0)) return 0; /* no draws that the file overwrites */
    }
    for (i = 0; i < l->n; i++) if (l->item[i].found >= 0) sslh_i_st_get(s->c, s, &l->item[i]);
    return SSLH_I_BAD(s->c) ? 0 : matched;
}

/* --- numbers as text, independent of the locale ------------------------------------------------------------------ */

/* Fixed point with 12 digits: exact for all values that means and deviations take. */
SSLH_I_FN void sslh_i_append_fixed(char *out, size_t size, size_t *used, float value) {
    double v = value < 0.0f ? -(double)value : (double)value, whole = floor(v);
    if (!(v < 1e6)) v = whole = 0;
    sslh_i_append(out, size, used, "%s%ld.%012.0f", value < 0.0f ? "-" : "", (long)whole, (v - whole) * 1e12);
}

/* The numbers after "key=", separated by commas; returns how many. */
SSLH_I_FN int sslh_i_text_numbers(const char *text, const char *key, double *out, int max) {
    size_t n = strlen(key);
    const char *p = text;
    int count = 0;
    while ((p = strstr(p, key)) != NULL && !((p == text || p[-1] == ' ') && p[n] == '=')) p += n;
    if (!p) return 0;
    p += n + 1;
    while (count < max) {
        double v = 0, unit = 1, sign = 1;
        const char *first;
        if (*p == '-') sign = -1, p++;
        first = p;
        for (; *p >= '0' && *p <= '9'; p++) v = v * 10 + (*p - '0');
        if (p == first) break;
        if (*p == '.') for (p++; *p >= '0' && *p <= '9'; p++) unit *= 10, v = v * 10 + (*p - '0');
        out[count++] = sign * (v / unit);
        if (*p != ',') break;
        p++;
    }
    return count;
}

SSLH_I_FN int sslh_i_text_int(const char *text, const char *key) {
    double v = 0;
    sslh_i_text_numbers(text, key, &v, 1);
    return v > -2e9 && v < 2e9 ? (int)v : 0;
}

SSLH_I_FN void sslh_i_preprocess_text(const sslh_preprocess *p, char *out, size_t size) {
    size_t used = 0;
    int i;
    sslh_i_append(out, size, &used, "height=%d width=%d channels=%d mean=", p->height, p->width, p->channels);
    for (i = 0; i < 4; i++) {
        if (i) sslh_i_append(out, size, &used, ",");
        sslh_i_append_fixed(out, size, &used, p->mean[i]);
    }
    sslh_i_append(out, size, &used, " std=");
    for (i = 0; i < 4; i++) {
        if (i) sslh_i_append(out, size, &used, ",");
        sslh_i_append_fixed(out, size, &used, p->std[i]);
    }
}

SSLH_I_FN void sslh_i_preprocess_read(sslh_preprocess *p, const char *text) {
    double mean[4] = {0, 0, 0, 0}, std[4] = {0, 0, 0, 0};
    int i;
    if (!text) return;
    memset(p, 0, sizeof *p);
    p->height = sslh_i_text_int(text, "height");
    p->width = sslh_i_text_int(text, "width");
    p->channels = sslh_i_text_int(text, "channels");
    if (p->height < 0 || p->width < 0 || p->channels < 0) p->height = p->width = p->channels = 0;
    sslh_i_text_numbers(text, "mean", mean, 4);
    sslh_i_text_numbers(text, "std", std, 4);
    for (i = 0; i < 4; i++) {
        p->mean[i] = (float)mean[i];
        p->std[i] = (float)std[i];
    }
}

/* --- nets -------------------------------------------------------------------------------------------------------- */

SSLH_DEF void sslh_save_net(sslh_net *net, const char *path) {
    sslh_ctx *c = sslh_net_ctx(net);
    sslh_i_st_list l;
    sslh_i_st_meta meta[2];
    sslh_i_tree t;
    char preprocess[256];
    int n = 0;
    if (sslh_i_net_bad(net) || !sslh_i_tree_ready(&t, net) || !sslh_i_st_list_new(c, &l, sslh_count_tensors(net))) return;
    sslh_i_st_add_net(&l, net, "");
    if (net->arch[0]) {
        meta[n].key = "sslh.arch";
        meta[n++].value = net->arch;
    }
    sslh_i_preprocess_text(&net->preprocess, preprocess, sizeof preprocess);
    meta[n].key = "sslh.preprocess";
    meta[n++].value = preprocess;
    sslh_i_st_write(c, "sslh_save_net", path, &l, meta, n);
    sslh_i_free(c, l.item);
}

/* From bytes in memory into a net. */
SSLH_I_FN int sslh_i_load_bytes(sslh_net *net, const char *fn, const char *file, const uint8_t *bytes, size_t size, sslh_load_desc d) {
    sslh_ctx *c = net->ctx;
    sslh_i_st s;
    sslh_i_st_list l;
    int read = 0;
    memset(&l, 0, sizeof l);
    if (sslh_i_st_open(&s, c, fn, file, bytes, size) && sslh_i_st_list_new(c, &l, sslh_count_tensors(net))) {
        sslh_i_st_add_net(&l, net, "");
        read = sslh_i_st_fill(&s, &l, d, net);
        if (!SSLH_I_BAD(c)) sslh_i_preprocess_read(&net->preprocess, sslh_i_st_meta_of(&s, "sslh.preprocess"));
    }
    sslh_i_free(c, l.item);
    sslh_i_st_close(&s);
    return read;
}

SSLH_DEF int sslh_load_weights(sslh_net *net, const char *path, sslh_load_desc desc) {
    uint8_t *bytes;
    size_t size;
    int read;
    if (desc.report && desc.report_size) desc.report[0] = 0;
    if (sslh_i_net_bad(net)) return 0;
    if (desc.optional && path && sslh_i_path(path) == SSLH_I_PATH_NONE) return 0;
    bytes = sslh_i_read_whole(net->ctx, "sslh_load_weights", path, &size);
    if (!bytes) return 0;
    read = sslh_i_load_bytes(net, "sslh_load_weights", sslh_i_tail(path), bytes, size, desc);
    sslh_i_free(net->ctx, bytes);
    return read;
}

/* The widths of an architecture text into eight places. */
SSLH_I_FN void sslh_i_arch_widths(const char *arch, int *widths) {
    double w[8];
    int i, n = sslh_i_text_numbers(arch, "widths", w, 8);
    for (i = 0; i < n; i++) widths[i] = w[i] < 2e9 ? (int)w[i] : INT_MAX;
}

/* Nothing is allocated for values before the file's shapes have been compared, so a lying text costs nothing. */
SSLH_I_FN sslh_net *sslh_i_net_from_arch(sslh_ctx *c, const char *a) {
    if (strncmp(a, "mlp ", 4) == 0) {
        sslh_mlp_desc d;
        int act = sslh_i_text_int(a, "activation");
        memset(&d, 0, sizeof d);
        d.in = sslh_i_text_int(a, "in");
        sslh_i_arch_widths(a, d.widths);
        d.activation = act > 0 && act <= (int)SSLH_TANH ? (sslh_activation)act : SSLH_RELU;
        d.batch_norm = sslh_i_text_int(a, "batch_norm");
        d.last_batch_norm = sslh_i_text_int(a, "last_batch_norm");
        d.last_activation = sslh_i_text_int(a, "last_activation");
        d.last_no_bias = sslh_i_text_int(a, "last_no_bias");
        return sslh_mlp(c, d);
    }
    if (strncmp(a, "convnet ", 8) == 0) {
        sslh_convnet_desc d;
        memset(&d, 0, sizeof d);
        d.channels = sslh_i_text_int(a, "channels");
        sslh_i_arch_widths(a, d.widths);
        d.map_output = sslh_i_text_int(a, "map_output");
        return sslh_convnet(c, d);
    }
    if (strncmp(a, "resnet ", 7) == 0) {
        sslh_resnet_desc d;
        memset(&d, 0, sizeof d);
        d.channels = sslh_i_text_int(a, "channels");
        d.depth = sslh_i_text_int(a, "depth");
        d.imagenet_stem = sslh_i_text_int(a, "imagenet_stem");
        d.width = sslh_i_text_int(a, "width");
        d.map_output = sslh_i_text_int(a, "map_output");
        return sslh_resnet(c, d);
    }
    if (strncmp(a, "nin ", 4) == 0) {
        sslh_nin_desc d;
        memset(&d, 0, sizeof d);
        d.channels = sslh_i_text_int(a, "channels");
        d.blocks = sslh_i_text_int(a, "blocks");
        d.divide = sslh_i_text_int(a, "divide");
        d.map_output = sslh_i_text_int(a, "map_output");
        return sslh_nin(c, d);
    }
    if (strncmp(a, "vit ", 4) == 0) {
        sslh_vit_desc d;
        memset(&d, 0, sizeof d);
        d.image = sslh_i_text_int(a, "image");
        d.channels = sslh_i_text_int(a, "channels");
        d.patch = sslh_i_text_int(a, "patch");
        d.width = sslh_i_text_int(a, "width");
        d.depth = sslh_i_text_int(a, "depth");
        d.heads = sslh_i_text_int(a, "heads");
        d.mlp = sslh_i_text_int(a, "mlp");
        d.fixed_positions = sslh_i_text_int(a, "fixed_positions");
        d.token_output = sslh_i_text_int(a, "token_output");
        d.mean_pool = sslh_i_text_int(a, "mean_pool");
        return sslh_vit(c, d);
    }
    return NULL;
}

SSLH_I_FN sslh_net *sslh_i_load_net_bytes(sslh_ctx *c, const char *fn, const char *file, const uint8_t *bytes, size_t size) {
    sslh_load_desc d;
    sslh_i_st s;
    sslh_net *net = NULL;
    memset(&d, 0, sizeof d);
    if (sslh_i_st_open(&s, c, fn, file, bytes, size)) {
        const char *arch = sslh_i_st_meta_of(&s, "sslh.arch");
        net = arch ? sslh_i_net_from_arch(c, arch) : NULL;
        if (!net) sslh_fail(c, SSLH_E_FORMAT, "%s: %s names no architecture that this program has: build the net and use sslh_load_weights", fn, file);
    }
    sslh_i_st_close(&s);
    if (!SSLH_I_BAD(c)) sslh_i_load_bytes(net, fn, file, bytes, size, d);
    return SSLH_I_BAD(c) ? sslh_i_dummy_net(c) : net;
}

SSLH_DEF sslh_net *sslh_load_net(sslh_ctx *c, const char *path) {
    uint8_t *bytes;
    size_t size;
    sslh_net *net;
    if (SSLH_I_BAD(c)) return sslh_i_dummy_net(c);
    bytes = sslh_i_read_whole(c, "sslh_load_net", path, &size);
    if (!bytes) return sslh_i_dummy_net(c);
    net = sslh_i_load_net_bytes(c, "sslh_load_net", sslh_i_tail(path), bytes, size);
    sslh_i_free(c, bytes);
    return net;
}

SSLH_DEF sslh_net *sslh_load_net_memory(sslh_ctx *c, const void *bytes, size_t size) {
    if (SSLH_I_BAD(c)) return sslh_i_dummy_net(c);
    if (!bytes) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_load_net_memory: the array of bytes is NULL");
        return sslh_i_dummy_net(c);
    }
    return sslh_i_load_net_bytes(c, "sslh_load_net_memory", "the array", (const uint8_t *)bytes, size);
}

/* FNV-1a over the little-endian bytes of all values. */
SSLH_DEF uint64_t sslh_hash(sslh_net *net) {
    uint64_t h = 14695981039346656037ull;
    sslh_i_tree t;
    int i, j, b;
    if (sslh_i_net_bad(net) || !sslh_i_tree_ready(&t, net)) return 0;
    for (i = 0; i < t.n; i++) {
        for (j = 0; j < t.net[i]->entries; j++) {
            const sslh_tensor *x = &t.net[i]->entry[j]->t;
            int each = (int)sslh_i_type_size(x->type);
            size_t k;
            for (k = 0; k < x->count; k++) {
                uint8_t bytes[8];
                if (x->type == SSLH_F32) sslh_i_put_real(bytes, x->data[k]);
                else if (x->type == SSLH_I32) sslh_i_put_le32(bytes, (uint32_t)x->ints[k]);
                else bytes[0] = x->bytes[k];
                for (b = 0; b < each; b++) h = (h ^ bytes[b]) * 1099511628211ull;
            }
        }
    }
    return h;
}

/* --- checkpoints ------------------------------------------------------------------------------------------------- */
/* "model.NAME" for everything in the method's container, "optim.m.NAME" and "optim.v.NAME" for the optimiser's moments; the
   counters are metadata. The position in the data follows from the step. */

SSLH_I_FN uint64_t sslh_i_double_bits(double d) {
    uint64_t u;
    memcpy(&u, &d, 8);
    return u;
}

/* Hexadecimal, 16 digits. */
SSLH_I_FN void sslh_i_hex64(char out[20], uint64_t v) {
    snprintf(out, 20, "%08lx%08lx", (unsigned long)(v >> 32), (unsigned long)(v & 0xffffffffu));
}

SSLH_I_FN int sslh_i_meta_hex64(const sslh_i_st *s, const char *key, uint64_t *out) {
    const char *p = sslh_i_st_meta_of(s, key);
    int i;
    *out = 0;
    for (i = 0; p && p[i]; i++) {
        int digit = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' : p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10 : -1;
        if (digit < 0 || i == 16) return 0;
        *out = *out << 4 | (uint64_t)digit;
    }
    return i == 16;
}

/* The moments of the optimiser's nets. With a file only of those nets whose moments it has. */
SSLH_I_FN void sslh_i_st_add_moments(sslh_i_st_list *l, sslh_method *m, sslh_optimizer *o, const sslh_i_st *s) {
    sslh_i_tree t;
    char name[272];
    int i, j, k;
    sslh_i_tree_of(&t, m->net);
    for (k = 0; k < o->nets; k++) {
        for (i = 0; i < t.n && t.net[i] != o->net[k].net; i++) {}
        if (i == t.n) {
            sslh_fail(o->ctx, SSLH_E_USAGE, "checkpoint: the optimiser holds the net '%s', which is not inside the method's", o->net[k].net->name);
            return;
        }
        for (j = 0; j < t.net[i]->entries && !t.net[i]->entry[j]->is_param; j++) {}
        if (s) {
            size_t bytes = o->net[k].net->nvalues * sizeof(sslh_real);
            sslh_i_full_name(&t, i, t.net[i]->entry[j]->name, name, sizeof name);
            if (sslh_i_st_find(s, "optim.m.", name) < 0) { /* not yet stepped when it was written */
                if (o->net[k].m) memset(o->net[k].m, 0, bytes);
                if (o->net[k].v) memset(o->net[k].v, 0, bytes);
                continue;
            }
            if (!sslh_i_optim_ready(o, k)) return;
        }
        for (j = 0; j < t.net[i]->entries; j++) {
            sslh_i_entry *e = t.net[i]->entry[j];
            sslh_i_st_item *it;
            if (!e->is_param) continue;
            if (o->net[k].m && (it = sslh_i_st_add(l, &t, i, "optim.m.", e)) != NULL) it->moment = o->net[k].m + e->offset;
            if (o->net[k].v && (it = sslh_i_st_add(l, &t, i, "optim.v.", e)) != NULL) it->moment = o->net[k].v + e->offset;
        }
    }
}

/* What both directions check. */
SSLH_I_FN int sslh_i_checkpoint_ok(const sslh_method *m, const sslh_optimizer *o, sslh_i_tree *t) {
    return m && o && o->ctx && !sslh_i_net_bad(m->net) && m->net->ctx == o->ctx && sslh_i_tree_ready(t, m->net);
}

#define SSLH_I_COUNTERS 9
static const char *const sslh_i_counter_names[SSLH_I_COUNTERS] = {"sslh.step", "sslh.seed", "sslh.stream", "sslh.steps", "sslh.optimizer",
                                                                  "sslh.optimizer.steps", "sslh.optimizer.power1", "sslh.optimizer.power2",
                                                                  "sslh.optimizer.peak"};

SSLH_DEF void sslh_save_checkpoint(sslh_method *m, sslh_optimizer *o, int64_t step, const char *path) {
    sslh_i_tree t;
    sslh_i_st_list l;
    sslh_i_st_meta meta[SSLH_I_COUNTERS + 4];
    sslh_method shown;
    char config[512];
    uint64_t value[SSLH_I_COUNTERS];
    char text[SSLH_I_COUNTERS][20];
    int i;
    sslh_ctx *c;
    if (!sslh_i_checkpoint_ok(m, o, &t)) return;
    c = o->ctx;
    if (!sslh_i_st_list_new(c, &l, 3 * sslh_count_tensors(m->net))) return;
    sslh_i_st_add_net(&l, m->net, "model.");
    sslh_i_st_add_moments(&l, m, o, NULL);
    value[0] = (uint64_t)step;
    value[1] = c->desc.seed;
    value[2] = c->stream;
    value[3] = (uint64_t)c->steps;
    value[4] = (uint64_t)o->desc.kind;
    value[5] = (uint64_t)o->steps;
    value[6] = sslh_i_double_bits(o->power1);
    value[7] = sslh_i_double_bits(o->power2);
    value[8] = sslh_i_double_bits((double)o->peak);
    for (i = 0; i < SSLH_I_COUNTERS; i++) {
        sslh_i_hex64(text[i], value[i]);
        meta[i].key = sslh_i_counter_names[i];
        meta[i].value = text[i];
    }
    meta[i].key = "sslh.kind";
    meta[i++].value = "checkpoint 1";
    meta[i].key = "sslh.version";
    meta[i++].value = SSLH_VERSION;
    meta[i].key = "sslh.method";
    meta[i++].value = m->name ? m->name : "";
    shown = *m;
    if (!shown.name) shown.name = "";
    if (!shown.second_name) shown.second_name = "";
    config[0] = 0;
    sslh_method_print(&shown, config, sizeof config);
    meta[i].key = "sslh.config";
    meta[i++].value = config;
    if (!SSLH_I_BAD(c)) sslh_i_st_write(c, "sslh_save_checkpoint", path, &l, meta, i);
    sslh_i_free(c, l.item);
}

SSLH_I_FN int64_t sslh_i_load_checkpoint_bytes(sslh_method *m, sslh_optimizer *o, const char *file, const uint8_t *bytes, size_t size) {
    static const char fn[] = "sslh_load_checkpoint";
    sslh_ctx *c = o->ctx;
    sslh_i_st s;
    sslh_i_st_list l;
    sslh_load_desc d;
    uint64_t value[SSLH_I_COUNTERS];
    double power;
    int i, good;
    const char *kind, *name;
    memset(&l, 0, sizeof l);
    memset(&d, 0, sizeof d);
    good = sslh_i_st_open(&s, c, fn, file, bytes, size);
    if (good) {
        kind = sslh_i_st_meta_of(&s, "sslh.kind");
        name = sslh_i_st_meta_of(&s, "sslh.method");
        good = kind && strcmp(kind, "checkpoint 1") == 0;
        for (i = 0; i < SSLH_I_COUNTERS && good; i++) good = sslh_i_meta_hex64(&s, sslh_i_counter_names[i], &value[i]);
        if (!good) sslh_fail(c, SSLH_E_FORMAT, "%s: %s is not a checkpoint", fn, file);
        else if (name && m->name && strcmp(name, m->name) != 0)
            sslh_fail(c, SSLH_E_FORMAT, "%s: %s is a checkpoint of the method '%s', not of '%s'", fn, file, name, m->name);
        else if (value[4] != (uint64_t)o->desc.kind)
            sslh_fail(c, SSLH_E_FORMAT, "%s: %s was written with another optimiser", fn, file);
        else if (value[0] > (uint64_t)INT64_MAX || value[3] > (uint64_t)INT64_MAX || value[5] > (uint64_t)INT64_MAX)
            sslh_fail(c, SSLH_E_FORMAT, "%s: %s: a counter is out of range", fn, file);
    }
    if (!SSLH_I_BAD(c) && sslh_i_st_list_new(c, &l, 3 * sslh_count_tensors(m->net))) {
        sslh_i_st_add_net(&l, m->net, "model.");
        sslh_i_st_add_moments(&l, m, o, &s);
        if (!SSLH_I_BAD(c)) sslh_i_st_fill(&s, &l, d, NULL);
    }
    sslh_i_free(c, l.item);
    sslh_i_st_close(&s);
    if (SSLH_I_BAD(c)) return 0;
    c->desc.seed = value[1];
    c->stream = value[2];
    c->steps = (int64_t)value[3];
    o->steps = (int64_t)value[5];
    memcpy(&o->power1, &value[6], 8);
    memcpy(&o->power2, &value[7], 8);
    memcpy(&power, &value[8], 8);
    o->peak = (float)power;
    return (int64_t)value[0];
}

SSLH_DEF int64_t sslh_load_checkpoint(sslh_method *m, sslh_optimizer *o, const char *path) {
    sslh_i_tree t;
    uint8_t *bytes;
    size_t size;
    int64_t step;
    if (!sslh_i_checkpoint_ok(m, o, &t)) return -1;
    if (path && sslh_i_path(path) == SSLH_I_PATH_NONE) return -1;
    bytes = sslh_i_read_whole(o->ctx, "sslh_load_checkpoint", path, &size);
    if (!bytes) return -1;
    step = sslh_i_load_checkpoint_bytes(m, o, sslh_i_tail(path), bytes, size);
    sslh_i_free(o->ctx, bytes);
    return SSLH_I_BAD(o->ctx) ? -1 : step;
}

/* --- features of 8-bit images ------------------------------------------------------------------------------------ */

SSLH_DEF void sslh_set_preprocess(sslh_net *net, sslh_preprocess p) {
    if (sslh_i_net_bad(net)) return;
    if (p.height < 0 || p.width < 0 || p.channels < 0 || p.channels > 4)
        sslh_fail(net->ctx, SSLH_E_USAGE, "sslh_set_preprocess: sizes (%d,%d,%d)", p.height, p.width, p.channels);
    else net->preprocess = p;
}

SSLH_DEF sslh_preprocess sslh_get_preprocess(sslh_net *net) {
    return sslh_i_net_dead(net) ? sslh_i_dead_net.preprocess : net->preprocess;
}

/* Images begin .. begin + n - 1 as a tensor (n,h,w,C) of (value / 255 - mean) / std. */
SSLH_I_FN sslh_tensor *sslh_i_embed_input(sslh_net *net, const uint8_t *pixels, int n, int height, int width, int channels, int h, int w) {
    sslh_ctx *c = net->ctx;
    const sslh_preprocess *p = &net->preprocess;
    size_t each = (size_t)height * (size_t)width * (size_t)channels, out_each = (size_t)h * (size_t)w * (size_t)channels, i, ch;
    int resize = h != height || w != width, k;
    float *in = resize ? (float *)sslh_i_scratch(c, (each + out_each) * sizeof *in) : NULL, *out = in ? in + each : NULL;
    sslh_tensor *x = sslh_i_new(c, "sslh_embed", SSLH_F32, sslh_dim4(n, h, w, channels));
    float box[4];
    box[0] = box[1] = 0;
    box[2] = (float)height;
    box[3] = (float)width;
    for (k = 0; x && (in || !resize) && k < n; k++) {
        const uint8_t *image = pixels + (size_t)k * each;
        sslh_real *to = x->data + (size_t)k * out_each;
        for (i = 0; resize && i < each; i++) in[i] = (float)image[i] * (1.0f / 255.0f);
        if (resize) sslh_resize(c, in, height, width, channels, box, out, h, w, 1, 0);
        for (ch = 0; ch < (size_t)channels; ch++) {
            float mean = ch < 4 ? p->mean[ch] : 0.0f, std = ch < 4 && p->std[ch] > 0.0f ? p->std[ch] : 1.0f;
            for (i = ch; i < out_each; i += (size_t)channels) {
                float v = resize ? out[i] : (float)image[i] * (1.0f / 255.0f);
                v = v - mean;
                v = v / std;
                to[i] = (sslh_real)v;
            }
        }
    }
    sslh_i_unscratch(c, in);
    return SSLH_I_BAD(c) || !x ? sslh_i_dummy(c) : x;
}

#define SSLH_I_EMBED_BATCH 64 /* images at a time: bounds the memory; an image's features do not depend on it */

SSLH_DEF void sslh_embed(sslh_net *net, const uint8_t *pixels, int n, int height, int width, int channels, float *out) {
    sslh_ctx *c = sslh_net_ctx(net);
    sslh_i_tree t;
    int mode[SSLH_I_MAX_NETS], i, begin, h, w;
    if (out && n > 0 && !sslh_i_net_dead(net)) memset(out, 0, (size_t)n * (size_t)net->width * sizeof *out);
    if (sslh_i_net_bad(net)) return;
    if (!pixels || !out || n < 1 || height < 1 || width < 1 || channels < 1) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_embed: %d images of (%d,%d,%d), or an array is NULL", n, height, width, channels);
        return;
    }
    if (net->preprocess.channels && net->preprocess.channels != channels) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_embed: the net '%s' was trained on %d channels, the images have %d", net->name, net->preprocess.channels, channels);
        return;
    }
    h = net->preprocess.height ? net->preprocess.height : net->image ? net->image : height;
    w = net->preprocess.width ? net->preprocess.width : net->image ? net->image : width;
    sslh_i_tree_of(&t, net);
    for (i = 0; i < t.n; i++) {
        mode[i] = t.net[i]->training;
        t.net[i]->training = 0;
    }
    for (begin = 0; begin < n && !SSLH_I_BAD(c); begin += SSLH_I_EMBED_BATCH) {
        int count = SSLH_I_MIN(n - begin, SSLH_I_EMBED_BATCH);
        sslh_tensor *y;
        sslh_push(c);
        sslh_no_grad(c, 1);
        y = sslh_i_embed_input(net, pixels + (size_t)begin * (size_t)height * (size_t)width * (size_t)channels, count, height, width, channels, h, w);
        y = sslh_forward(net, y);
        if (y->ndim > 2) y = sslh_global_avg_pool(c, y); /* maps and tokens: the average */
        if (!SSLH_I_BAD(c) && y->count != (size_t)count * (size_t)net->width)
            sslh_fail(c, SSLH_E_SHAPE, "sslh_embed: the net '%s' promised %d values per image and gave %.0f", net->name, net->width, (double)y->count / count);
        if (!SSLH_I_BAD(c)) sslh_read(y, out + (size_t)begin * (size_t)net->width, y->count);
        sslh_no_grad(c, 0);
        sslh_pop(c);
    }
    for (i = 0; i < t.n; i++) t.net[i]->training = mode[i];
    if (c->depth == 0 && c->ntensors == 0 && !SSLH_I_BAD(c)) sslh_i_heap_join(c); /* the next call finds one piece of memory */
}

/* ================================================================================================================== */
/*  >>data          data sets, loaders                                                                               */
/* ================================================================================================================== */

/* A subset (sslh_data_range, _pick, _fraction) has no samples of its own: .order holds the numbers of its samples in the
   whole data set, .labels their labels in the order of the subset. A batch counts in the whole set again (.data is the
   whole set, .index are numbers in it), so that what is drawn for a sample does not depend on the subset it came by. */

/* Streams of random numbers, far from those that sslh_next_stream counts up. */
#define SSLH_I_STREAM_SHUFFLE ((uint64_t)1 << 60)  /* + epoch: order of the samples */
#define SSLH_I_STREAM_FRACTION ((uint64_t)2 << 60) /* + class: which samples a fraction takes */

SSLH_I_FN sslh_data sslh_i_no_data(sslh_ctx *c) {
    sslh_data d;
    memset(&d, 0, sizeof d);
    d.ctx = c;
    return d;
}

/* Bytes of one sample of a field; 0 when its shape is impossible. */
SSLH_I_FN size_t sslh_i_field_bytes(const sslh_field *f) {
    size_t n = f->int16 ? 2 : f->type == SSLH_U8 ? 1 : 4;
    if (f->shape.ndim < 0 || f->shape.ndim > SSLH_MAX_DIMS) return 0;
    for (int i = 0; i < f->shape.ndim; i++)
        if (f->shape.size[i] < 1 || !sslh_i_mul(n, (size_t)f->shape.size[i], &n)) return 0;
    return n;
}

/* The first field of a kind, or NULL. */
SSLH_I_FN const sslh_field *sslh_i_field_of(const sslh_data *d, sslh_field_kind kind) {
    for (int i = 0; i < d->fields; i++)
        if (d->field[i].kind == kind) return &d->field[i];
    return NULL;
}

/* Number in the whole set of a data set's i-th sample. */
SSLH_I_FN int64_t sslh_i_sample(const sslh_data *d, int64_t i) { return d->order ? d->order[i] : i; }

/* The whole set that a subset was taken from. */
SSLH_I_FN sslh_data sslh_i_whole(sslh_data d) {
    const sslh_field *f = sslh_i_field_of(&d, SSLH_FIELD_LABEL);
    d.order = NULL;
    d.count = d.total;
    d.labels = f ? (const int32_t *)f->values : NULL;
    return d;
}

/* Copies sample number index of the whole set; 1 on success. For sources by callback from one thread only. */
SSLH_I_FN int sslh_i_field_get(sslh_ctx *c, const char *fn, const sslh_field *f, int64_t index, void *out) {
    size_t n = sslh_i_field_bytes(f);
    if (f->values) {
        memcpy(out, (const char *)f->values + (size_t)index * n, n);
        return 1;
    }
    if (f->fetch && f->fetch(f->user, index, out) == 0) return 1;
    sslh_fail(c, SSLH_E_FILE, "%s: the data's fetch callback failed for sample %.0f", fn, (double)index);
    return 0;
}

SSLH_I_FN int sslh_i_field_ok(sslh_ctx *c, const sslh_field *f, int number) {
    int image = f->kind == SSLH_FIELD_IMAGE, audio = f->kind == SSLH_FIELD_AUDIO, label = f->kind == SSLH_FIELD_LABEL;
    const char *why = NULL;
    if (!image && !audio && !label && f->kind != SSLH_FIELD_TOKENS) why = "unknown kind";
    else if (!f->values && (!f->fetch || label)) why = label ? "labels need .values" : "neither .values nor .fetch";
    else if (!sslh_i_field_bytes(f)) why = "impossible shape";
    else if (image && (f->int16 || (f->type != SSLH_U8 && f->type != SSLH_F32))) why = "images are SSLH_U8 or SSLH_F32";
    else if (image && (f->shape.ndim != 3 || f->shape.size[2] > 4))
        why = "an image has shape (H,W,C) with 1 to 4 channels";
    else if (audio && (f->type == SSLH_U8 || (f->type == SSLH_I32) != (f->int16 != 0)))
        why = "audio is SSLH_F32, or SSLH_I32 with .int16";
    else if (!image && !audio && (f->type != SSLH_I32 || f->int16)) why = "tokens and labels are SSLH_I32";
    else if (label && f->shape.ndim) why = "a label has shape ()";
    if (why) sslh_fail(c, SSLH_E_USAGE, "sslh_data_from_fields: field %d: %s", number, why);
    return !why;
}

SSLH_DEF sslh_data sslh_data_from_fields(sslh_ctx *c, const sslh_field *fields, int n, int64_t count) {
    sslh_data d = sslh_i_no_data(c);
    if (SSLH_I_BAD(c)) return d;
    if (!fields || n < 1 || n > 4 || count < 1 || count > INT32_MAX) {
        sslh_fail(c, SSLH_E_USAGE,
                  "sslh_data_from_fields: %d fields with %.0f samples (1 to 4 fields, 1 to 2^31 - 1 samples)", n,
                  (double)count);
        return d;
    }
    for (int i = 0; i < n; i++)
        if (!sslh_i_field_ok(c, fields + i, i)) return d;
    d.fields = n;
    for (int i = 0; i < n; i++) d.field[i] = fields[i];
    const sslh_field *image = sslh_i_field_of(&d, SSLH_FIELD_IMAGE), *label = sslh_i_field_of(&d, SSLH_FIELD_LABEL);
    if (image) {
        d.height = image->shape.size[0];
        d.width = image->shape.size[1];
        d.channels = image->shape.size[2];
    }
    if (label) {
        d.labels = (const int32_t *)label->values;
        for (int64_t i = 0; i < count; i++) {
            if (d.labels[i] < 0 || d.labels[i] == INT32_MAX) {
                sslh_fail(c, SSLH_E_USAGE, "sslh_data_from_fields: the label %d of sample %.0f is out of range",
                          (int)d.labels[i], (double)i);
                return sslh_i_no_data(c);
            }
            d.classes = SSLH_I_MAX(d.classes, d.labels[i] + 1);
        }
    }
    d.count = d.total = count;
    return d;
}

SSLH_DEF sslh_data sslh_data_from_images(sslh_ctx *c, const uint8_t *pixels, int64_t count, int height, int width,
                                         int channels, const int32_t *labels) {
    sslh_field f[2];
    memset(f, 0, sizeof f);
    f[0].kind = SSLH_FIELD_IMAGE;
    f[0].type = SSLH_U8;
    f[0].shape = sslh_dim3(height, width, channels);
    f[0].values = pixels;
    f[1].kind = SSLH_FIELD_LABEL;
    f[1].type = SSLH_I32;
    f[1].values = labels;
    return sslh_data_from_fields(c, f, labels ? 2 : 1, count);
}

/* n samples of d: those in index, or from begin on when index is NULL. */
SSLH_I_FN sslh_data sslh_i_subset(const char *fn, sslh_data d, const int32_t *index, int64_t begin, int64_t n) {
    sslh_ctx *c = d.ctx;
    if (SSLH_I_BAD(c)) return sslh_i_no_data(c);
    if (n < 1 || n > INT32_MAX) {
        sslh_fail(c, SSLH_E_USAGE, "%s: %.0f samples of %.0f", fn, (double)n, (double)d.count);
        return sslh_i_no_data(c);
    }
    int32_t *order = (int32_t *)sslh_i_alloc(c, (size_t)n * (d.labels ? 2 : 1) * sizeof *order);
    if (!order) return sslh_i_no_data(c);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = index ? index[i] : begin + i;
        if (at < 0 || at >= d.count) {
            sslh_fail(c, SSLH_E_USAGE, "%s: sample %.0f of %.0f does not exist", fn, (double)at, (double)d.count);
            sslh_i_free(c, order);
            return sslh_i_no_data(c);
        }
        order[i] = (int32_t)sslh_i_sample(&d, at);
        if (d.labels) order[n + i] = d.labels[at];
    }
    if (d.labels) d.labels = order + n;
    d.order = order;
    d.count = n;
    return d;
}

SSLH_DEF sslh_data sslh_data_range(sslh_data d, int64_t begin, int64_t end) {
    if (begin < 0 || end < begin) end = begin - 1; /* reported below as an impossible number of samples */
    return sslh_i_subset("sslh_data_range", d, NULL, begin, end - begin);
}

SSLH_DEF sslh_data sslh_data_pick(sslh_data d, const int32_t *index, int64_t n) {
    return sslh_i_subset("sslh_data_pick", d, index, 0, index ? n : -1);
}

SSLH_DEF sslh_data sslh_data_fraction(sslh_data d, double fraction, uint64_t seed) {
    sslh_ctx *c = d.ctx;
    if (SSLH_I_BAD(c)) return sslh_i_no_data(c);
    if (!(fraction > 0 && fraction <= 1) || d.count < 1) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_data_fraction: the fraction %g of %.0f samples (more than 0, at most 1)",
                  fraction, (double)d.count);
        return sslh_i_no_data(c);
    }
    size_t n = (size_t)d.count;
    int classes = d.labels ? d.classes : 1;
    /* samples sorted by class | a permutation of one class | chosen samples | where each class begins, and one past it */
    int32_t *members = (int32_t *)sslh_i_alloc(c, (3 * n + (size_t)classes + 2) * sizeof *members);
    if (!members) return sslh_i_no_data(c);
    int32_t *permutation = members + n, *chosen = permutation + n, *first = chosen + n;
    for (size_t i = 0; i < n; i++) first[(d.labels ? d.labels[i] : 0) + 2]++;
    for (int k = 0; k < classes; k++) first[k + 2] += first[k + 1];
    for (size_t i = 0; i < n; i++) members[first[(d.labels ? d.labels[i] : 0) + 1]++] = (int32_t)i;
    int64_t taken = 0;
    for (int k = 0; k < classes; k++) {
        int32_t size = first[k + 1] - first[k], wanted = (int32_t)(fraction * (double)size + 0.5);
        sslh_random_permutation(seed, SSLH_I_STREAM_FRACTION + (uint64_t)k, permutation, size);
        for (int32_t i = 0; i < size && i < SSLH_I_MAX(wanted, 1); i++) chosen[members[first[k] + permutation[i]]] = 1;
    }
    for (size_t i = 0; i < n; i++)
        if (chosen[i]) members[taken++] = (int32_t)i;
    d = sslh_i_subset("sslh_data_fraction", d, members, 0, taken);
    sslh_i_free(c, members);
    return d;
}

/* All samples of d, copied behind each other; lengths (NULL: none) likewise. */
SSLH_I_FN int sslh_i_copy_field(sslh_ctx *c, const sslh_data *d, int field, char *values, int32_t *lengths) {
    const sslh_field *f = &d->field[field];
    size_t n = sslh_i_field_bytes(f);
    int full = f->shape.ndim ? f->shape.size[0] : 1;
    for (int64_t i = 0; i < d->count; i++) {
        int64_t at = sslh_i_sample(d, i);
        if (!sslh_i_field_get(c, "sslh_data_join", f, at, values + (size_t)i * n)) return 0;
        if (lengths) lengths[i] = f->lengths ? f->lengths[at] : full;
    }
    return 1;
}

SSLH_DEF sslh_data sslh_data_join(sslh_data a, sslh_data b) {
    sslh_ctx *c = a.ctx;
    if (SSLH_I_BAD(c)) return sslh_i_no_data(c);
    sslh_field joined[4];
    int same = a.fields == b.fields && a.fields > 0 && a.count + b.count <= INT32_MAX;
    for (int i = 0; same && i < a.fields; i++) {
        const sslh_field *f = &a.field[i], *g = &b.field[i];
        same = f->kind == g->kind && f->type == g->type && f->int16 == g->int16 && f->shape.ndim == g->shape.ndim;
        for (int k = 0; same && k < f->shape.ndim; k++) same = f->shape.size[k] == g->shape.size[k];
    }
    if (!same) {
        sslh_fail(c, SSLH_E_SHAPE,
                  "sslh_data_join: the two sets do not have the same fields (images %d x %d x %d and %d x %d x %d)",
                  a.height, a.width, a.channels, b.height, b.width, b.channels);
        return sslh_i_no_data(c);
    }
    size_t n = (size_t)(a.count + b.count), bytes;
    void *made[8];
    int nmade = 0, ok = 1;
    for (int i = 0; ok && i < a.fields; i++) {
        size_t one = sslh_i_field_bytes(&a.field[i]);
        int with_lengths = a.field[i].lengths || b.field[i].lengths;
        char *values = sslh_i_mul(n, one, &bytes) ? (char *)sslh_i_alloc(c, bytes) : NULL;
        int32_t *lengths = with_lengths ? (int32_t *)sslh_i_alloc(c, n * sizeof *lengths) : NULL;
        if (values) made[nmade++] = values;
        if (lengths) made[nmade++] = lengths;
        if (!values) sslh_fail(c, SSLH_E_MEMORY, "sslh_data_join: out of memory");
        ok = values && (lengths || !with_lengths) && sslh_i_copy_field(c, &a, i, values, lengths) &&
             sslh_i_copy_field(c, &b, i, values + (size_t)a.count * one, lengths ? lengths + a.count : NULL);
        joined[i] = a.field[i];
        joined[i].values = values;
        joined[i].lengths = lengths;
        joined[i].fetch = NULL;
        joined[i].user = NULL;
    }
    while (!ok && nmade) sslh_i_free(c, made[--nmade]);
    if (!ok) return sslh_i_no_data(c);
    sslh_data d = sslh_data_from_fields(c, joined, a.fields, (int64_t)n);
    d.class_names = a.classes >= b.classes ? a.class_names : b.class_names;
    d.classes = SSLH_I_MAX(a.classes, b.classes);
    return d;
}

/* Eight-bit sums are integers and therefore exact: mean = S1 / n, std^2 = S2 / n - mean^2 (the biased estimate). */
SSLH_DEF void sslh_data_mean_std(sslh_data d, float mean[4], float std[4]) {
    sslh_ctx *c = d.ctx;
    uint64_t s1[4] = {0, 0, 0, 0}, s2[4] = {0, 0, 0, 0};
    double f1[4] = {0, 0, 0, 0}, f2[4] = {0, 0, 0, 0};
    for (int k = 0; k < 4; k++) mean[k] = std[k] = 0;
    if (SSLH_I_BAD(c)) return;
    const sslh_field *f = sslh_i_field_of(&d, SSLH_FIELD_IMAGE);
    if (!f || d.count < 1) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_data_mean_std: the data has no images");
        return;
    }
    size_t bytes = sslh_i_field_bytes(f), channels = (size_t)d.channels;
    size_t pixels = (size_t)d.height * (size_t)d.width;
    char *fetched = f->values ? NULL : (char *)sslh_i_alloc(c, bytes);
    if (!f->values && !fetched) return;
    for (int64_t i = 0; i < d.count; i++) {
        int64_t at = sslh_i_sample(&d, i);
        const char *p = fetched ? fetched : (const char *)f->values + (size_t)at * bytes;
        if (fetched && !sslh_i_field_get(c, "sslh_data_mean_std", f, at, fetched)) break;
        for (size_t k = 0; k < channels; k++) {
            uint64_t a = 0, b = 0;
            for (size_t j = k; j < pixels * channels; j += channels) {
                if (f->type == SSLH_U8) {
                    uint32_t v = (uint8_t)p[j];
                    a += v;
                    b += v * v;
                } else {
                    float v;
                    memcpy(&v, p + 4 * j, 4);
                    double w = (double)v, square = w * w;
                    f1[k] += w;
                    f2[k] += square;
                }
            }
            s1[k] += a;
            s2[k] += b;
        }
    }
    sslh_i_free(c, fetched);
    if (SSLH_I_BAD(c)) return;
    double n = (double)d.count * (double)pixels;
    for (size_t k = 0; k < channels; k++) {
        double m = f->type == SSLH_U8 ? (double)s1[k] / 255.0 / n : f1[k] / n;
        double q = f->type == SSLH_U8 ? (double)s2[k] / 65025.0 / n : f2[k] / n;
        double square = m * m;
        mean[k] = (float)m;
        std[k] = (float)sqrt(SSLH_I_MAX(q - square, 0.0));
    }
}

SSLH_DEF void sslh_data_image(sslh_data d, int64_t index, uint8_t *out) {
    sslh_ctx *c = d.ctx;
    if (SSLH_I_BAD(c)) return;
    const sslh_field *f = sslh_i_field_of(&d, SSLH_FIELD_IMAGE);
    if (!f || index < 0 || index >= d.count) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_data_image: there is no image %.0f (%.0f samples)", (double)index,
                  (double)d.count);
        return;
    }
    if (f->type == SSLH_U8) {
        sslh_i_field_get(c, "sslh_data_image", f, sslh_i_sample(&d, index), out);
        return;
    }
    size_t bytes = sslh_i_field_bytes(f);
    float *values = (float *)sslh_i_alloc(c, bytes);
    if (values && sslh_i_field_get(c, "sslh_data_image", f, sslh_i_sample(&d, index), values))
        for (size_t i = 0; i < bytes / 4; i++) {
            float v = values[i] * 255.0f + 0.5f;
            out[i] = (uint8_t)(v >= 255.0f ? 255 : v > 0.0f ? (int)v : 0);
        }
    sslh_i_free(c, values);
}

/* --- sslh_load_images: every way leads to parts (stretches of equal images), which are joined at the end ---------- */

typedef struct sslh_i_part {
    uint8_t *pixels; /* (count,H,W,C) */
    int32_t *labels; /* count, or NULL */
    int64_t  count;
    int      height, width, channels;
} sslh_i_part;

typedef struct sslh_i_parts {
    sslh_ctx    *c;
    const char  *fn;
    sslh_i_part *part;
    int          n, cap;
    const char **names;   /* of the classes, one block; NULL: none */
    int          classes; /* number of names */
} sslh_i_parts;

SSLH_I_FN void sslh_i_part_free(sslh_ctx *c, sslh_i_part *p) {
    sslh_i_free(c, p->pixels);
    sslh_i_free(c, p->labels);
    memset(p, 0, sizeof *p);
}

SSLH_I_FN void sslh_i_parts_free(sslh_i_parts *s) {
    while (s->n) sslh_i_part_free(s->c, &s->part[--s->n]);
    sslh_i_free(s->c, s->part);
    sslh_i_free(s->c, (void *)s->names);
    s->part = NULL;
    s->names = NULL;
}

/* Takes the part over (frees it on failure). All parts have one size; grey and colour may be mixed. */
SSLH_I_FN int sslh_i_parts_add(sslh_i_parts *s, const char *path, sslh_i_part p) {
    if (s->n && (p.height != s->part->height || p.width != s->part->width))
        sslh_fail(s->c, SSLH_E_FORMAT,
                  "%s: %s has images of %d x %d pixels, the files before it %d x %d (height x width)", s->fn,
                  sslh_i_tail(path), p.height, p.width, s->part->height, s->part->width);
    else if (s->n && !p.labels != !s->part->labels)
        sslh_fail(s->c, SSLH_E_FORMAT, "%s: %s has %s labels, unlike the files before it", s->fn, sslh_i_tail(path),
                  p.labels ? "" : "no");
    if (!SSLH_I_BAD(s->c) && s->n == s->cap) {
        int cap = s->cap ? s->cap > INT_MAX / 2 ? INT_MAX : 2 * s->cap : 16;
        sslh_i_part *larger = (sslh_i_part *)sslh_i_alloc(s->c, (size_t)cap * sizeof *larger);
        if (larger) {
            if (s->n) memcpy(larger, s->part, (size_t)s->n * sizeof *larger);
            sslh_i_free(s->c, s->part);
            s->part = larger;
            s->cap = cap;
        }
    }
    if (SSLH_I_BAD(s->c)) {
        sslh_i_part_free(s->c, &p);
        return 0;
    }
    s->part[s->n++] = p;
    return 1;
}

/* Names for the classes: copies n of them into one block. */
SSLH_I_FN int sslh_i_parts_names(sslh_i_parts *s, const char *const *name, const size_t *length, int n) {
    size_t bytes = (size_t)n * sizeof(char *);
    for (int i = 0; i < n; i++) bytes += length[i] + 1;
    s->names = (const char **)sslh_i_alloc(s->c, bytes);
    if (!s->names) return 0;
    char *text = (char *)(void *)(s->names + n);
    for (int i = 0; i < n; i++) {
        memcpy(text, name[i], length[i]);
        s->names[i] = text;
        text += length[i] + 1;
    }
    s->classes = n;
    return 1;
}

/* All parts as one. A single part is used as it is; grey ones become colour when there is colour. */
SSLH_I_FN int sslh_i_parts_join(sslh_i_parts *s, sslh_i_part *all) {
    *all = s->part[0];
    if (s->n == 1) {
        memset(&s->part[0], 0, sizeof *s->part);
        return 1;
    }
    all->count = 0;
    for (int i = 0; i < s->n; i++) {
        all->count += s->part[i].count;
        all->channels = SSLH_I_MAX(all->channels, s->part[i].channels);
    }
    size_t area = (size_t)all->height * (size_t)all->width, channels = (size_t)all->channels, n;
    if (all->count > INT32_MAX || !sslh_i_mul((size_t)all->count, area * channels, &n)) {
        sslh_fail(s->c, SSLH_E_FORMAT, "%s: %.0f images are too many", s->fn, (double)all->count);
        return 0;
    }
    all->pixels = (uint8_t *)sslh_i_alloc(s->c, n);
    all->labels = all->labels ? (int32_t *)sslh_i_alloc(s->c, (size_t)all->count * sizeof *all->labels) : NULL;
    if (SSLH_I_BAD(s->c)) {
        sslh_i_free(s->c, all->pixels);
        sslh_i_free(s->c, all->labels);
        return 0;
    }
    uint8_t *out = all->pixels;
    int32_t *label = all->labels;
    for (int i = 0; i < s->n; i++) {
        sslh_i_part *p = &s->part[i];
        n = (size_t)p->count * area;
        if (p->channels == all->channels) memcpy(out, p->pixels, n * channels);
        else
            for (size_t k = 0; k < n; k++) memset(out + channels * k, p->pixels[k], channels);
        if (label) memcpy(label, p->labels, (size_t)p->count * sizeof *label);
        out += n * channels;
        label = label ? label + p->count : NULL;
        sslh_i_part_free(s->c, p);
    }
    return 1;
}

SSLH_I_FN sslh_data sslh_i_parts_finish(sslh_i_parts *s) {
    sslh_i_part all;
    sslh_data d = sslh_i_no_data(s->c);
    memset(&all, 0, sizeof all);
    if (!SSLH_I_BAD(s->c) && s->n && sslh_i_parts_join(s, &all)) {
        d = sslh_data_from_images(s->c, all.pixels, all.count, all.height, all.width, all.channels, all.labels);
        if (s->names && d.classes > s->classes)
            sslh_fail(s->c, SSLH_E_FORMAT, "%s: the label %d occurs, but only %d classes are named", s->fn,
                      d.classes - 1, s->classes);
        if (SSLH_I_BAD(s->c)) {
            sslh_i_part_free(s->c, &all);
            d = sslh_i_no_data(s->c);
        } else if (s->names) {
            d.classes = all.labels ? s->classes : 0;
            d.class_names = s->names;
            s->names = NULL;
        }
    }
    sslh_i_parts_free(s);
    return d;
}

/* path/name, to be given back with sslh_i_free. */
SSLH_I_FN char *sslh_i_join_path(sslh_ctx *c, const char *path, const char *name, size_t length) {
    size_t n = strlen(path);
    char *out = (char *)sslh_i_alloc(c, n + length + 2);
    if (!out) return NULL;
    memcpy(out, path, n);
    if (n && path[n - 1] != '/') out[n++] = '/';
    memcpy(out + n, name, length);
    return out;
}

/* What is at path/name. */
SSLH_I_FN sslh_i_path_kind sslh_i_kind_in(sslh_ctx *c, const char *path, const char *name) {
    char *full = sslh_i_join_path(c, path, name, strlen(name));
    sslh_i_path_kind kind = full ? sslh_i_path(full) : SSLH_I_PATH_NONE;
    sslh_i_free(c, full);
    return kind;
}

/* Decodes an image and leaves its alpha channel out: encoders see colour. */
SSLH_I_FN int sslh_i_image_part(sslh_i_source *s, sslh_i_part *p) {
    sslh_i_image image;
    memset(p, 0, sizeof *p);
    if (!sslh_i_image_decode(s, &image)) return 0;
    size_t from = (size_t)image.channels, to = from == 2 ? 1 : from == 4 ? 3 : from;
    size_t n = (size_t)image.height * (size_t)image.width;
    for (size_t i = 1; to < from && i < n; i++) memmove(image.pixels + i * to, image.pixels + i * from, to);
    p->pixels = image.pixels;
    p->count = 1;
    p->height = image.height;
    p->width = image.width;
    p->channels = (int)to;
    return 1;
}

/* IDX: 0, 0, type, number of dimensions, sizes (big-endian), values. type 8: unsigned bytes. */
typedef struct sslh_i_idx { int type, ndim; uint32_t size[4]; size_t data, total; } sslh_i_idx;

SSLH_I_FN int sslh_i_is_idx(const uint8_t *p, size_t size) {
    return size >= 8 && !p[0] && !p[1] && p[2] >= 8 && p[2] <= 14 && p[2] != 10 && p[3] >= 1 && p[3] <= 4 &&
           size >= 4 + 4 * (size_t)p[3];
}

/* 0 when the sizes in the head overflow; total is the size the whole file must have. */
SSLH_I_FN int sslh_i_idx_head(const uint8_t *p, sslh_i_idx *h) {
    static const uint8_t bytes[7] = {1, 1, 0, 2, 4, 4, 8};
    size_t n = bytes[p[2] - 8];
    h->type = p[2];
    h->ndim = p[3];
    h->data = 4 + 4 * (size_t)h->ndim;
    for (int i = 0; i < 4; i++) {
        h->size[i] = i < h->ndim ? sslh_i_be32(p + 4 + 4 * i) : 1;
        if (!sslh_i_mul(n, h->size[i], &n)) return 0;
    }
    h->total = h->data + n;
    return h->total > n;
}

/* The bytes of an IDX file, unpacked when it is gzipped. A look at its first bytes tells how much it unpacks to, so that a
   small file cannot ask for much memory. NULL and an error on failure. */
SSLH_I_FN uint8_t *sslh_i_idx_unpack(const sslh_i_source *s, size_t *size) {
    sslh_i_idx h;
    size_t at;
    const char *why;
    sslh_i_sink head = sslh_i_sink_of(s->c, 20, 20), o;
    if (!head.p) return NULL;
    head.partial = 1;
    why = sslh_i_inflate(s->p, s->size, 2, &head, &at);
    if (!why && (!sslh_i_is_idx(head.p, head.n) || !sslh_i_idx_head(head.p, &h))) {
        at = 0;
        why = "a gzip file that does not hold an IDX file";
    }
    if (!why && h.total / 1032 > s->size) {
        at = 0;
        why = "the gzip file is too short for the sizes in the IDX file";
    }
    sslh_i_free(s->c, head.p);
    if (!why) {
        o = sslh_i_sink_of(s->c, h.total, h.total);
        if (!o.p) return NULL;
        why = sslh_i_inflate(s->p, s->size, 2, &o, &at);
        if (!why && o.n != h.total) why = "it unpacks to less than the IDX file needs";
        if (!why) {
            *size = o.n;
            return o.p;
        }
        sslh_i_free(s->c, o.p);
    }
    sslh_i_bad(s, at, "%s", why);
    return NULL;
}

/* Reads a file that may be a gzipped IDX file. */
SSLH_I_FN uint8_t *sslh_i_read_unpacked(sslh_ctx *c, const char *fn, const char *path, size_t *size) {
    uint8_t *p = sslh_i_read_whole(c, fn, path, size);
    if (!p || *size < 18 || p[0] != 0x1f || p[1] != 0x8b) return p;
    sslh_i_source s = sslh_i_source_of(c, fn, path, p, *size);
    uint8_t *unpacked = sslh_i_idx_unpack(&s, size);
    sslh_i_free(c, p);
    return unpacked;
}

/* Labels of an IDX file: count bytes or 32-bit numbers. */
SSLH_I_FN int32_t *sslh_i_idx_labels(sslh_ctx *c, const char *fn, const char *path, int64_t count) {
    size_t size;
    sslh_i_idx h;
    int32_t *labels = NULL;
    uint8_t *p = sslh_i_read_unpacked(c, fn, path, &size);
    if (!p) return NULL;
    sslh_i_source s = sslh_i_source_of(c, fn, path, p, size);
    if (!sslh_i_is_idx(p, size) || !sslh_i_idx_head(p, &h) || h.total != size || h.ndim != 1 ||
        (h.type != 8 && h.type != 12))
        sslh_i_bad(&s, 0, "not an IDX file of labels");
    else if ((int64_t)h.size[0] != count)
        sslh_i_bad(&s, 4, "%.0f labels for %.0f images", (double)h.size[0], (double)count);
    else if ((labels = (int32_t *)sslh_i_alloc(c, (size_t)count * sizeof *labels)) != NULL)
        for (size_t i = 0; i < (size_t)count; i++) {
            uint32_t v = h.type == 8 ? p[h.data + i] : sslh_i_be32(p + h.data + 4 * i);
            labels[i] = (int32_t)SSLH_I_MIN(v, 0x7fffffffu); /* 2^31 - 1 is refused with all labels out of range */
        }
    sslh_i_free(c, p);
    return labels;
}

/* The name of the labels beside a file of images: "images" becomes "labels", "idx3" (4) "idx1", with and without ".gz".
   NULL when there is no such file; to be given back with sslh_i_free. */
SSLH_I_FN char *sslh_i_labels_path(sslh_ctx *c, const char *path) {
    size_t n = strlen(path), base = n;
    int changed = 0;
    char *out = (char *)sslh_i_alloc(c, n + 4);
    if (!out) return NULL;
    memcpy(out, path, n);
    while (base && path[base - 1] != '/' && path[base - 1] != '\\') base--;
    for (size_t i = base; i < n; i++) {
        if (n - i >= 6 && !memcmp(path + i, "images", 6)) memcpy(out + i, "labels", 6), changed = 1;
        if (n - i >= 4 && (!memcmp(path + i, "idx3", 4) || !memcmp(path + i, "idx4", 4))) out[i + 3] = '1', changed = 1;
    }
    for (int attempt = 0; changed && attempt < 2; attempt++) {
        if (sslh_i_path(out) == SSLH_I_PATH_FILE) return out;
        if (n > 3 && !strcmp(out + n - 3, ".gz")) out[n - 3] = 0;
        else memcpy(out + n, ".gz", 4);
    }
    sslh_i_free(c, out);
    return NULL;
}

/* Images of an IDX file, (N,H,W) or (N,H,W,C). Takes p over: the pixels are moved to its front. */
SSLH_I_FN int sslh_i_idx_part(sslh_i_parts *set, const char *path, uint8_t *p, size_t size) {
    sslh_i_source s = sslh_i_source_of(set->c, set->fn, path, p, size);
    sslh_i_part part;
    sslh_i_idx h;
    memset(&part, 0, sizeof part);
    if (!sslh_i_idx_head(p, &h) || h.total != size)
        sslh_i_bad(&s, 4, "the sizes in the IDX file do not fit its %.0f bytes", (double)size);
    else if (h.type != 8) sslh_i_bad(&s, 2, "images of type %d instead of unsigned bytes (8)", h.type);
    else if (h.ndim < 3) sslh_i_bad(&s, 3, "%d dimensions: labels or vectors, not images", h.ndim);
    else if (!h.size[0] || h.size[0] > INT32_MAX || !h.size[3] || h.size[3] > 4)
        sslh_i_bad(&s, 4, "%.0f images of %.0f channels", (double)h.size[0], (double)h.size[3]);
    else sslh_i_size_ok(&s, 8, h.size[2], h.size[1]);
    if (SSLH_I_BAD(set->c)) {
        sslh_i_free(set->c, p);
        return 0;
    }
    memmove(p, p + h.data, size - h.data);
    part.pixels = p;
    part.count = (int64_t)h.size[0];
    part.height = (int)h.size[1];
    part.width = (int)h.size[2];
    part.channels = (int)h.size[3];
    char *labels = sslh_i_labels_path(set->c, path);
    if (labels) part.labels = sslh_i_idx_labels(set->c, set->fn, labels, part.count);
    sslh_i_free(set->c, labels);
    return sslh_i_parts_add(set, path, part);
}

/* 10 for a CIFAR-10 file (label, 1024 R, 1024 G, 1024 B), 100 for CIFAR-100 (coarse label, fine label, ..), 0 for neither: the
   size is a multiple of the record's and all labels are in range. */
SSLH_I_FN int sslh_i_is_cifar(const uint8_t *p, size_t size) {
    for (int kind = 10; kind <= 100; kind += 90) {
        size_t record = kind == 10 ? 3073 : 3074, i = 0;
        if (!size || size % record) continue;
        while (i < size && (kind == 10 ? p[i] < 10 : p[i] < 20 && p[i + 1] < 100)) i += record;
        if (i == size) return kind;
    }
    return 0;
}

/* Planar to interleaved; of CIFAR-100 the fine labels are taken. */
SSLH_I_FN int sslh_i_cifar_part(sslh_i_parts *set, const char *path, const uint8_t *p, size_t size, int kind) {
    size_t head = kind == 10 ? 1 : 2, n = size / (head + 3072);
    sslh_i_part part;
    memset(&part, 0, sizeof part);
    part.pixels = (uint8_t *)sslh_i_alloc(set->c, n * 3072);
    part.labels = (int32_t *)sslh_i_alloc(set->c, n * sizeof *part.labels);
    part.count = (int64_t)n;
    part.height = part.width = 32;
    part.channels = 3;
    for (size_t i = 0; i < n && !SSLH_I_BAD(set->c); i++) {
        const uint8_t *record = p + i * (head + 3072);
        uint8_t *out = part.pixels + i * 3072;
        part.labels[i] = record[head - 1];
        for (size_t k = 0; k < 3072; k++) out[k % 1024 * 3 + k / 1024] = record[head + k];
    }
    if (!SSLH_I_BAD(set->c)) return sslh_i_parts_add(set, path, part);
    sslh_i_part_free(set->c, &part);
    return 0;
}

/* What the user sees when nothing fits. */
SSLH_I_FN int sslh_i_no_images(sslh_i_parts *set, const char *path, const char *what) {
    sslh_fail(set->c, SSLH_E_FORMAT,
              "%s: %s %s; wanted: an IDX file (or .gz), a CIFAR-10/100 .bin, a PNG or PNM image, a folder of such "
              "binaries, of images, "
              "with a sub-folder of images per class, or with an index.txt and PNG sheets",
              set->fn, sslh_i_tail(path), what);
    return 0;
}

SSLH_I_FN int sslh_i_load_file(sslh_i_parts *set, const char *path) {
    size_t size;
    uint8_t *p = sslh_i_read_unpacked(set->c, set->fn, path, &size);
    if (!p) return 0;
    sslh_i_source s = sslh_i_source_of(set->c, set->fn, path, p, size);
    sslh_i_idx h;
    int ok = 0, idx = sslh_i_is_idx(p, size), cifar = sslh_i_is_cifar(p, size);
    if (idx && !(cifar && !(sslh_i_idx_head(p, &h) && h.total == size))) return sslh_i_idx_part(set, path, p, size);
    if (sslh_i_is_png(p, size) || sslh_i_is_pnm(p, size)) {
        sslh_i_part part;
        ok = sslh_i_image_part(&s, &part) && sslh_i_parts_add(set, path, part);
    } else if (cifar) ok = sslh_i_cifar_part(set, path, p, size, cifar);
    else ok = sslh_i_no_images(set, path, "is none of the files that are read");
    sslh_i_free(set->c, p);
    return ok;
}

SSLH_I_FN int sslh_i_ends_with(const char *name, const char *end) { /* end: lower case */
    size_t n = strlen(name), m = strlen(end);
    for (size_t i = 0; n >= m && i < m; i++) {
        char a = name[n - m + i];
        if ((a >= 'A' && a <= 'Z' ? a + 32 : a) != end[i]) return 0;
    }
    return n >= m;
}

SSLH_I_FN int sslh_i_image_name(const char *name) {
    return sslh_i_ends_with(name, ".png") || sslh_i_ends_with(name, ".ppm") || sslh_i_ends_with(name, ".pgm") ||
           sslh_i_ends_with(name, ".pnm");
}

SSLH_I_FN int sslh_i_binary_name(const char *name) {
    return sslh_i_ends_with(name, ".bin") || strstr(name, "idx3") || strstr(name, "idx4");
}

/* Test files by the names that MNIST and CIFAR use. */
SSLH_I_FN int sslh_i_test_name(const char *name) { return !strncmp(name, "test", 4) || !strncmp(name, "t10k", 4); }

/* CIFAR and IDX files of a folder. When it holds training and test files, the training files are taken; the path of the
   test file itself gives the test set. A .gz beside the unpacked file is left out. Returns the number of files. */
SSLH_I_FN int sslh_i_load_binaries(sslh_i_parts *set, const char *path, const sslh_i_dir *dir) {
    int train = 0, test = 0, loaded = 0;
    for (int i = 0; i < dir->n; i++)
        if (sslh_i_binary_name(dir->name[i])) *(sslh_i_test_name(dir->name[i]) ? &test : &train) += 1;
    for (int i = 0; i < dir->n && !SSLH_I_BAD(set->c); i++) {
        const char *name = dir->name[i];
        size_t n = strlen(name);
        if (!sslh_i_binary_name(name) || (train && sslh_i_test_name(name))) continue;
        if (i && sslh_i_ends_with(name, ".gz") && strlen(dir->name[i - 1]) == n - 3 &&
            !strncmp(name, dir->name[i - 1], n - 3))
            continue;
        char *full = sslh_i_join_path(set->c, path, name, n);
        if (full && sslh_i_load_file(set, full)) loaded++;
        sslh_i_free(set->c, full);
    }
    return loaded;
}

/* Images in the folder itself, each with this label (-1: without labels). Returns their number. */
SSLH_I_FN int sslh_i_load_folder(sslh_i_parts *set, const char *path, const sslh_i_dir *dir, int label) {
    int loaded = 0;
    for (int i = 0; i < dir->n && !SSLH_I_BAD(set->c); i++) {
        if (!sslh_i_image_name(dir->name[i])) continue;
        size_t size;
        sslh_i_part part;
        char *full = sslh_i_join_path(set->c, path, dir->name[i], strlen(dir->name[i]));
        uint8_t *p = full ? sslh_i_read_whole(set->c, set->fn, full, &size) : NULL;
        if (p) {
            sslh_i_source s = sslh_i_source_of(set->c, set->fn, full, p, size);
            if (sslh_i_image_part(&s, &part)) {
                if (label >= 0 && (part.labels = (int32_t *)sslh_i_alloc(set->c, sizeof *part.labels)) != NULL)
                    *part.labels = label;
                if (sslh_i_parts_add(set, full, part)) loaded++;
            }
        }
        sslh_i_free(set->c, p);
        sslh_i_free(set->c, full);
    }
    return loaded;
}

/* Sub-folders with images are the classes, numbered in the order of their names. Returns the number of classes. */
SSLH_I_FN int sslh_i_load_classes(sslh_i_parts *set, const char *path, const sslh_i_dir *dir) {
    sslh_ctx *c = set->c;
    int classes = 0;
    const char **name = (const char **)sslh_i_alloc(c, ((size_t)dir->n + 1) * sizeof *name);
    size_t *length = (size_t *)sslh_i_alloc(c, ((size_t)dir->n + 1) * sizeof *length);
    for (int i = 0; name && length && i < dir->n && !SSLH_I_BAD(c); i++) {
        if (sslh_i_kind_in(c, path, dir->name[i]) != SSLH_I_PATH_FOLDER) continue;
        sslh_i_dir inner;
        char *full = sslh_i_join_path(c, path, dir->name[i], strlen(dir->name[i]));
        if (full && sslh_i_list_dir(c, set->fn, full, &inner)) {
            if (sslh_i_load_folder(set, full, &inner, classes)) {
                name[classes] = dir->name[i];
                length[classes++] = strlen(dir->name[i]);
            }
            sslh_i_dir_free(c, &inner);
        }
        sslh_i_free(c, full);
    }
    if (classes && !SSLH_I_BAD(c)) sslh_i_parts_names(set, name, length, classes);
    sslh_i_free(c, (void *)name);
    sslh_i_free(c, length);
    return classes;
}

/* --- >>sheets: many small images in one PNG that a person can look at. index.txt beside them is plain text, a statement per
   line, words separated by blanks, # to the end of the line is a comment:

       cell 28 28                              height and width of one image; before the first sheet
       class T-shirt/top                       name of class 0, the next line of class 1, .. (may be left out)
       sheet train_0.png columns 50 count 2500 images row by row, 50 in each row; the rest of the sheet is not read
       labels labels.txt                       whole numbers separated by white space, one per image of all sheets
                                               (may be left out)
   Files are in the same folder. Sheets may be grey or colour; alpha is left out. */

/* The next word of the line; 0 at its end. */
SSLH_I_FN int sslh_i_word(const sslh_i_source *s, size_t *at, size_t *word, size_t *n) {
    while (*at < s->size && (s->p[*at] == ' ' || s->p[*at] == '\t' || s->p[*at] == '\r')) (*at)++;
    *word = *at;
    while (*at < s->size && !sslh_i_is_space(s->p[*at]) && s->p[*at] != '#') (*at)++;
    *n = *at - *word;
    return *n > 0;
}

SSLH_I_FN int sslh_i_word_is(const sslh_i_source *s, size_t word, size_t n, const char *text) {
    return n == strlen(text) && !memcmp(s->p + word, text, n);
}

/* A word that is a number from 1 to max. */
SSLH_I_FN int sslh_i_word_number(const sslh_i_source *s, size_t *at, uint32_t max, int *out) {
    size_t word, n, end;
    uint32_t v;
    int found = sslh_i_word(s, at, &word, &n);
    end = word;
    if (!found || !sslh_i_read_number(s, &end, max, &v) || end != *at || !v)
        return sslh_i_bad(s, word, "a number from 1 to %lu is expected", (unsigned long)max);
    *out = (int)v;
    return 1;
}

/* A word that is the name of a file in the same folder: path/name in *out, to be given back with sslh_i_free. */
SSLH_I_FN int sslh_i_word_file(const sslh_i_source *s, size_t *at, const char *path, char **out) {
    size_t word, n;
    *out = NULL;
    if (!sslh_i_word(s, at, &word, &n)) return sslh_i_bad(s, *at, "the name of a file is expected");
    for (size_t i = word; i < word + n; i++)
        if (s->p[i] == '/' || s->p[i] == '\\' || s->p[i] == ':' || !s->p[i] || s->p[word] == '.')
            return sslh_i_bad(s, i, "a file of the same folder is expected, not a path");
    *out = sslh_i_join_path(s->c, path, (const char *)s->p + word, n);
    return *out != NULL;
}

/* Cuts count cells out of a sheet. */
SSLH_I_FN int sslh_i_load_sheet(sslh_i_parts *set, const char *path, int height, int width, int columns, int count) {
    size_t size;
    sslh_i_part sheet, part;
    uint8_t *p = sslh_i_read_whole(set->c, set->fn, path, &size);
    if (!p) return 0;
    sslh_i_source s = sslh_i_source_of(set->c, set->fn, path, p, size);
    int ok = sslh_i_image_part(&s, &sheet);
    sslh_i_free(set->c, p);
    if (!ok) return 0;
    int64_t rows = ((int64_t)count + columns - 1) / columns;
    memset(&part, 0, sizeof part);
    if ((int64_t)columns * width > sheet.width || rows * height > sheet.height)
        sslh_fail(set->c, SSLH_E_FORMAT,
                  "%s: %s has %d x %d pixels, too few for %d images of %d x %d in %d columns (height x width)", set->fn,
                  sslh_i_tail(path), sheet.height, sheet.width, count, height, width, columns);
    part.count = count;
    part.height = height;
    part.width = width;
    part.channels = sheet.channels;
    size_t row = (size_t)width * (size_t)sheet.channels, pitch = (size_t)sheet.width * (size_t)sheet.channels;
    if (!SSLH_I_BAD(set->c)) part.pixels = (uint8_t *)sslh_i_alloc(set->c, (size_t)count * (size_t)height * row);
    uint8_t *out = part.pixels;
    for (int i = 0; out && i < count; i++) {
        const uint8_t *from =
            sheet.pixels + (size_t)(i / columns) * (size_t)height * pitch + (size_t)(i % columns) * row;
        for (int y = 0; y < height; y++, from += pitch, out += row) memcpy(out, from, row);
    }
    sslh_i_part_free(set->c, &sheet);
    return part.pixels && sslh_i_parts_add(set, path, part);
}

/* The file of labels, spread over the parts. */
SSLH_I_FN int sslh_i_load_labels(sslh_i_parts *set, const char *path) {
    size_t size, at = 0;
    uint8_t *p = sslh_i_read_whole(set->c, set->fn, path, &size);
    if (!p) return 0;
    sslh_i_source s = sslh_i_source_of(set->c, set->fn, path, p, size);
    for (int i = 0; i < set->n && !SSLH_I_BAD(set->c); i++) {
        sslh_i_part *part = &set->part[i];
        part->labels = (int32_t *)sslh_i_alloc(set->c, (size_t)part->count * sizeof *part->labels);
        for (int64_t k = 0; part->labels && k < part->count; k++) {
            uint32_t v;
            sslh_i_skip_space(&s, &at, size);
            if (!sslh_i_read_number(&s, &at, 999999, &v)) {
                sslh_i_bad(&s, at,
                           at == size ? "fewer labels than images" : "a label is not a number from 0 to 999999");
                break;
            }
            part->labels[k] = (int32_t)v;
        }
    }
    sslh_i_skip_space(&s, &at, size);
    if (at < size) sslh_i_bad(&s, at, "more labels than images");
    sslh_i_free(set->c, p);
    return !SSLH_I_BAD(set->c);
}

/* What the lines of an index.txt have said so far. */
typedef struct sslh_i_index {
    int          height, width; /* of a cell; 0: not yet */
    const char **name;          /* of the classes: text in the file, not ended by zeros */
    size_t      *length;
    int          classes;
    char        *labels;        /* path, or NULL */
} sslh_i_index;

/* "FILE columns N count N" after the word sheet. */
SSLH_I_FN void sslh_i_index_sheet(sslh_i_parts *set, const sslh_i_source *s, size_t *at, const char *path,
                                  const sslh_i_index *x) {
    size_t word, n;
    int columns = 0, count = 0;
    char *file;
    if (!sslh_i_word_file(s, at, path, &file)) return;
    if (!sslh_i_word(s, at, &word, &n) || !sslh_i_word_is(s, word, n, "columns"))
        sslh_i_bad(s, word, "columns N is expected");
    else if (sslh_i_word_number(s, at, 32768, &columns)) {
        if (!sslh_i_word(s, at, &word, &n) || !sslh_i_word_is(s, word, n, "count"))
            sslh_i_bad(s, word, "count N is expected");
        else if (sslh_i_word_number(s, at, 0x7fffffffu, &count))
            sslh_i_load_sheet(set, file, x->height, x->width, columns, count);
    }
    sslh_i_free(s->c, file);
}

/* One line whose first word is given; at is behind that word. */
SSLH_I_FN void sslh_i_index_line(sslh_i_parts *set, const sslh_i_source *s, size_t *at, size_t word, size_t n,
                                 const char *path, sslh_i_index *x) {
    if (sslh_i_word_is(s, word, n, "cell")) {
        if (set->n) sslh_i_bad(s, word, "cell comes after a sheet");
        else if (sslh_i_word_number(s, at, 32768, &x->height)) sslh_i_word_number(s, at, 32768, &x->width);
    } else if (sslh_i_word_is(s, word, n, "class")) { /* the rest of the line, blanks at both ends left out */
        while (*at < s->size && (s->p[*at] == ' ' || s->p[*at] == '\t')) ++*at;
        word = *at;
        while (*at < s->size && s->p[*at] != '\n' && s->p[*at] != '#') ++*at;
        n = *at - word;
        while (n && sslh_i_is_space(s->p[word + n - 1])) n--;
        x->name[x->classes] = (const char *)s->p + word;
        x->length[x->classes++] = n;
    } else if (sslh_i_word_is(s, word, n, "sheet")) {
        if (x->width) sslh_i_index_sheet(set, s, at, path, x);
        else sslh_i_bad(s, word, "the line cell HEIGHT WIDTH is missing before the first sheet");
    } else if (sslh_i_word_is(s, word, n, "labels") && !x->labels) sslh_i_word_file(s, at, path, &x->labels);
    else sslh_i_bad(s, word, "cell, class, sheet or (once) labels is expected at the start of a line");
    if (!SSLH_I_BAD(s->c) && sslh_i_word(s, at, &word, &n))
        sslh_i_bad(s, word, "unexpected words at the end of the line");
}

/* The text of an index.txt in the folder path. */
SSLH_I_FN int sslh_i_load_index(sslh_i_parts *set, const sslh_i_source *s, const char *path) {
    sslh_ctx *c = set->c;
    size_t at = 0, word, n, lines = 1;
    sslh_i_index x;
    memset(&x, 0, sizeof x);
    for (size_t i = 0; i < s->size; i++) lines += s->p[i] == '\n';
    x.name = (const char **)sslh_i_alloc(c, lines * sizeof *x.name);
    x.length = (size_t *)sslh_i_alloc(c, lines * sizeof *x.length);
    while (at < s->size && !SSLH_I_BAD(c)) {
        if (sslh_i_word(s, &at, &word, &n)) sslh_i_index_line(set, s, &at, word, n, path, &x);
        else if (at < s->size && s->p[at] == '#')
            while (at < s->size && s->p[at] != '\n') at++;
        else at++; /* the end of the line */
    }
    if (!SSLH_I_BAD(c) && !set->n) sslh_i_bad(s, at, "no sheet is named");
    if (!SSLH_I_BAD(c) && x.labels) sslh_i_load_labels(set, x.labels);
    if (!SSLH_I_BAD(c) && x.classes) sslh_i_parts_names(set, x.name, x.length, x.classes);
    sslh_i_free(c, x.labels);
    sslh_i_free(c, x.length);
    sslh_i_free(c, (void *)x.name);
    return !SSLH_I_BAD(c);
}

SSLH_I_FN int sslh_i_load_sheets(sslh_i_parts *set, const char *path) {
    size_t size = 0;
    char *index = sslh_i_join_path(set->c, path, "index.txt", 9);
    uint8_t *p = index ? sslh_i_read_whole(set->c, set->fn, index, &size) : NULL;
    if (p) {
        sslh_i_source s = sslh_i_source_of(set->c, set->fn, index, p, size);
        sslh_i_load_index(set, &s, path);
    }
    sslh_i_free(set->c, p);
    sslh_i_free(set->c, index);
    return !SSLH_I_BAD(set->c);
}

SSLH_DEF sslh_data sslh_load_images(sslh_ctx *c, const char *path) {
    sslh_i_parts set;
    sslh_i_dir dir;
    memset(&set, 0, sizeof set);
    set.c = c;
    set.fn = "sslh_load_images";
    if (SSLH_I_BAD(c)) return sslh_i_no_data(c);
    if (!path) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_load_images: the path is NULL");
        return sslh_i_no_data(c);
    }
    if (sslh_i_path(path) != SSLH_I_PATH_FOLDER) sslh_i_load_file(&set, path);
    else if (sslh_i_kind_in(c, path, "index.txt") == SSLH_I_PATH_FILE) sslh_i_load_sheets(&set, path);
    else if (sslh_i_list_dir(c, set.fn, path, &dir)) {
        if (!sslh_i_load_binaries(&set, path, &dir) && !SSLH_I_BAD(c) && !sslh_i_load_classes(&set, path, &dir) &&
            !SSLH_I_BAD(c) && !sslh_i_load_folder(&set, path, &dir, -1) && !SSLH_I_BAD(c))
            sslh_i_no_images(&set, path, "holds no images");
        sslh_i_dir_free(c, &dir);
    }
    return sslh_i_parts_finish(&set);
}

/* --- loaders ------------------------------------------------------------------------------------------------------ */

struct sslh_loader {
    sslh_ctx        *c;
    sslh_data        data;
    sslh_loader_desc desc;
    int64_t          per_epoch; /* batches */
    int64_t          step;      /* of the next batch */
    int64_t          epoch;     /* that order belongs to; -1: none yet */
    int32_t         *order;     /* data.count positions; NULL in order */
    int32_t         *index;     /* of the batch */
    int32_t         *labels;    /* of the batch, or NULL */
};

SSLH_DEF sslh_loader *sslh_loader_new(sslh_ctx *c, sslh_data data, sslh_loader_desc desc) {
    if (SSLH_I_BAD(c)) return NULL;
    if (data.count < 1 || desc.batch < 0 || desc.epochs < SSLH_OFF) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_loader_new: %.0f samples, batch %d, epochs %d", (double)data.count, desc.batch,
                  desc.epochs);
        return NULL;
    }
    if (!desc.batch) desc.batch = 256;
    if (desc.batch > data.count) desc.batch = (int)data.count;
    if (!desc.epochs) desc.epochs = 1;
    size_t batch = (size_t)desc.batch, n = desc.in_order ? 0 : (size_t)data.count;
    sslh_loader *l = (sslh_loader *)sslh_i_alloc(c, sizeof *l + (n + 2 * batch) * sizeof(int32_t));
    if (!l) return NULL;
    l->c = c;
    l->data = data;
    l->desc = desc;
    l->per_epoch = (data.count + (desc.in_order || desc.keep_last ? desc.batch - 1 : 0)) / desc.batch;
    l->epoch = -1;
    l->index = (int32_t *)(l + 1);
    l->labels = data.labels ? l->index + batch : NULL;
    l->order = desc.in_order ? NULL : l->index + 2 * batch;
    return l;
}

SSLH_DEF int sslh_next_batch(sslh_loader *l, sslh_batch *batch) {
    if (!l || !batch || SSLH_I_BAD(l->c)) return 0;
    int64_t epoch = l->step / l->per_epoch, first = l->step % l->per_epoch * l->desc.batch;
    if (l->desc.epochs != SSLH_OFF && epoch >= l->desc.epochs) return 0;
    if (l->c->dirty) sslh_begin_step(l->c);
    if (l->order && l->epoch != epoch) { /* a function of (seed, epoch): seeking costs one permutation */
        sslh_random_permutation(l->c->desc.seed, SSLH_I_STREAM_SHUFFLE + (uint64_t)epoch, l->order,
                                (int32_t)l->data.count);
        l->epoch = epoch;
    }
    int n = (int)SSLH_I_MIN((int64_t)l->desc.batch, l->data.count - first);
    for (int i = 0; i < n; i++) {
        int64_t at = l->order ? l->order[first + i] : first + i;
        l->index[i] = (int32_t)sslh_i_sample(&l->data, at);
        if (l->labels) l->labels[i] = l->data.labels[at];
    }
    batch->data = sslh_i_whole(l->data);
    batch->count = n;
    batch->epoch = (int)epoch;
    batch->step = l->step++;
    batch->seed = l->c->desc.seed;
    batch->index = l->index;
    batch->labels = l->labels;
    return 1;
}

SSLH_DEF int64_t sslh_loader_steps(const sslh_loader *l) { return l ? l->per_epoch : 0; }

SSLH_DEF void sslh_loader_seek(sslh_loader *l, int64_t step) {
    if (!l || SSLH_I_BAD(l->c)) return;
    if (step < 0) sslh_fail(l->c, SSLH_E_USAGE, "sslh_loader_seek: step %.0f", (double)step);
    else l->step = step;
}

/* A batch has samples, and each of them exists. Checked here because a batch may be filled in by hand. */
SSLH_I_FN int sslh_i_batch_ok(sslh_ctx *c, const char *fn, const sslh_batch *b) {
    if (SSLH_I_BAD(c)) return 0;
    if (b->count < 1 || !b->index) {
        sslh_fail(c, SSLH_E_USAGE, "%s: an empty batch", fn);
        return 0;
    }
    for (int i = 0; i < b->count; i++)
        if (b->index[i] < 0 || b->index[i] >= b->data.count) {
            sslh_fail(c, SSLH_E_USAGE, "%s: sample %d of %.0f does not exist", fn, (int)b->index[i],
                      (double)b->data.count);
            return 0;
        }
    return 1;
}

/* Samples of a batch on their way into a real tensor. */
typedef struct sslh_i_batch_job {
    const sslh_batch *b;
    const sslh_field *f;
    const char       *fetched; /* all samples, when the source is a callback */
    size_t            bytes, values;
    sslh_real        *out; /* (N, values) */
} sslh_i_batch_job;

/* One sample: 8-bit values over 255, 16-bit over 32768, float as it is. */
SSLH_I_FN void sslh_i_batch_task(void *arg, int task, int worker) {
    const sslh_i_batch_job *j = (const sslh_i_batch_job *)arg;
    const char *p = j->fetched
                        ? j->fetched + (size_t)task * j->bytes
                        : (const char *)j->f->values + (size_t)sslh_i_sample(&j->b->data, j->b->index[task]) * j->bytes;
    sslh_real *out = j->out + (size_t)task * j->values;
    (void)worker;
    if (j->f->type == SSLH_U8) {
        for (size_t i = 0; i < j->values; i++) out[i] = (sslh_real)(uint8_t)p[i] / SSLH_I_R(255);
    } else if (j->f->int16) {
        for (size_t i = 0; i < j->values; i++) {
            int16_t v;
            memcpy(&v, p + 2 * i, 2);
            out[i] = (sslh_real)v / SSLH_I_R(32768);
        }
    } else {
        for (size_t i = 0; i < j->values; i++) {
            float v;
            memcpy(&v, p + 4 * i, 4);
            out[i] = (sslh_real)v;
        }
    }
}

SSLH_I_FN sslh_tensor *sslh_i_batch_tensor(sslh_ctx *c, const char *fn, const sslh_batch *b, const sslh_field *f) {
    sslh_shape shape = sslh_dim1(b->count);
    size_t bytes = sslh_i_field_bytes(f), n;
    char *fetched = NULL;
    int tokens = f->kind == SSLH_FIELD_TOKENS || f->kind == SSLH_FIELD_LABEL;
    if (f->shape.ndim + 1 > SSLH_MAX_DIMS) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: samples of %d dimensions", fn, f->shape.ndim);
        return sslh_i_dummy(c);
    }
    for (int i = 0; i < f->shape.ndim; i++) shape.size[shape.ndim++] = f->shape.size[i];
    sslh_tensor *t = sslh_i_new(c, fn, tokens ? SSLH_I32 : SSLH_F32, shape);
    if (!t) return sslh_i_dummy(c);
    if (!f->values || tokens) { /* in this thread: callbacks, and copies that are too small to share out */
        if (!tokens) fetched = sslh_i_mul((size_t)b->count, bytes, &n) ? (char *)sslh_i_scratch(c, n) : NULL;
        char *out = tokens ? (char *)t->ints : fetched;
        if (!out) return sslh_i_dummy(c);
        for (int i = 0; i < b->count && !SSLH_I_BAD(c); i++)
            sslh_i_field_get(c, fn, f, sslh_i_sample(&b->data, b->index[i]), out + (size_t)i * bytes);
    }
    if (!tokens && !SSLH_I_BAD(c)) {
        sslh_i_batch_job j;
        j.b = b;
        j.f = f;
        j.fetched = fetched;
        j.bytes = bytes;
        j.values = t->count / (size_t)b->count;
        j.out = t->data;
        sslh_i_parallel(c, b->count, sslh_i_batch_task, &j);
    }
    if (fetched) sslh_i_unscratch(c, fetched);
    return SSLH_I_BAD(c) ? sslh_i_dummy(c) : t;
}

SSLH_DEF sslh_tensor *sslh_batch_field(sslh_ctx *c, sslh_batch b, int field) {
    if (!sslh_i_batch_ok(c, "sslh_batch_field", &b)) return sslh_i_dummy(c);
    if (field < 0 || field >= b.data.fields) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_batch_field: field %d of %d", field, b.data.fields);
        return sslh_i_dummy(c);
    }
    return sslh_i_batch_tensor(c, "sslh_batch_field", &b, &b.data.field[field]);
}

SSLH_DEF sslh_tensor *sslh_batch_images(sslh_ctx *c, sslh_batch b) {
    if (!sslh_i_batch_ok(c, "sslh_batch_images", &b)) return sslh_i_dummy(c);
    const sslh_field *f = sslh_i_field_of(&b.data, SSLH_FIELD_IMAGE);
    if (f) return sslh_i_batch_tensor(c, "sslh_batch_images", &b, f);
    sslh_fail(c, SSLH_E_USAGE, "sslh_batch_images: the data has no images");
    return sslh_i_dummy(c);
}

SSLH_DEF sslh_tensor *sslh_batch_labels(sslh_ctx *c, sslh_batch b) {
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    if (b.count < 1 || !b.labels) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_batch_labels: the data has no labels");
        return sslh_i_dummy(c);
    }
    return sslh_from_ints(c, sslh_dim1(b.count), b.labels);
}

/* ================================================================================================================== */
/*  >>views         augmentation                                                                                     */
/* ================================================================================================================== */

/* An image becomes a view in four movements, each on planes (C,H,W) of one image in a worker's scratch:
     1. draw    every random number of the view at once, from (seed, epoch, sample, view) alone: sslh_i_draw_view
     2. move    crop + resize + mirror in one separable pass, zero padding with a shift, quarter turns
     3. colour  jitter in the drawn order, grey, blur, solarise, cutout
     4. store   normalise and interleave to (H,W,C)
   Every draw has a fixed place in the Philox counter, so switching one step on or off does not change the draws of the
   others, and no view depends on its neighbours in the batch. The loops run over whole planes, padded to SSLH_I_LANES, and
   are kernels. */

#define SSLH_I_LANES 16
#define SSLH_I_VIEW_SIDE 32767 /* largest height or width of an image or view */
#define SSLH_I_ROUND_UP(n) (((n) + (SSLH_I_LANES - 1)) / SSLH_I_LANES * SSLH_I_LANES)

/* --- resampling -------------------------------------------------------------------------------------------------- */

/* Weights of a one-dimensional resampling: output i is the sum over k < count[i] of weight[i taps + k] times input
   start[i] + k. */
typedef struct sslh_i_taps {
    int        n;      /* outputs */
    int        taps;   /* room for each */
    int       *start;  /* n */
    int       *count;  /* n */
    sslh_real *weight; /* n x taps */
} sslh_i_taps;

/* Bytes that the taps for in -> out need. A support of 2 s (s = in/out > 1) has at most 4 s + 3 taps, otherwise 5. */
SSLH_I_FN size_t sslh_i_taps_bytes(int in, int out) {
    return (size_t)out * 2 * sizeof(int) + (4 * (size_t)in + 5 * (size_t)out + SSLH_I_LANES) * sizeof(sslh_real);
}

SSLH_I_FN void sslh_i_taps_place(sslh_i_taps *t, char *memory, int out) {
    t->n = out;
    t->start = (int *)(void *)memory;
    t->count = t->start + out;
    t->weight = (sslh_real *)(void *)(t->count + out);
}

/* Keys' cubic with a = -1/2 (PIL's BICUBIC), and the triangle; x >= 0. */
SSLH_I_FN float sslh_i_filter(float x, int bilinear) {
    float w;
    if (bilinear) return x < 1.0f ? 1.0f - x : 0.0f;
    if (x < 1.0f) { /* (a+2) x^3 - (a+3) x^2 + 1 */
        w = 1.5f * x;
        w = w - 2.5f;
        w = w * x;
        w = w * x;
        return w + 1.0f;
    }
    if (x < 2.0f) { /* a (x^3 - 5 x^2 + 8 x - 4) */
        w = x - 5.0f;
        w = w * x;
        w = w + 8.0f;
        w = w * x;
        w = w - 4.0f;
        return -0.5f * w;
    }
    return 0.0f;
}

/* The interval [begin, begin + size) of the input becomes t->n outputs; only inputs 0 .. limit-1 exist, and the weights of
   those that do are scaled to sum 1. When shrinking, the filter is widened by the factor (antialiasing). As PIL does. */
SSLH_I_FN void sslh_i_taps_fill(sslh_i_taps *t, double begin, double size, int limit, int bilinear, int no_antialias) {
    double scale = size / (double)t->n, stretch = scale < 1.0 || no_antialias ? 1.0 : scale, support;
    int i;
    support = stretch * (bilinear ? 1.0 : 2.0);
    t->taps = 2 * (int)ceil(support) + 1;
    for (i = 0; i < t->n; i++) {
        int k, lo, hi;
        sslh_real *w = t->weight + (size_t)i * (size_t)t->taps, sum = 0;
        double centre = ((double)i + 0.5) * scale;
        centre = centre + begin;
        lo = (int)(centre - support + 0.5);
        hi = (int)(centre + support + 0.5);
        if (centre - support + 0.5 < 0) lo = 0;
        if (hi > limit) hi = limit;
        if (lo >= limit) lo = limit - 1; /* cannot happen for a box inside the image; keeps a hostile one harmless */
        if (hi <= lo) hi = lo + 1;
        if (hi - lo > t->taps) hi = lo + t->taps;
        t->start[i] = lo;
        t->count[i] = hi - lo;
        for (k = 0; k < hi - lo; k++) {
            double away = fabs((double)(lo + k) + 0.5 - centre);
            away = away / stretch;
            w[k] = (sslh_real)sslh_i_filter((float)away, bilinear);
            sum = sum + w[k];
        }
        for (k = 0; k < hi - lo; k++) w[k] = sum != 0 ? w[k] / sum : (sslh_real)(k == 0);
    }
}

/* out (t->n rows) = taps applied to the rows of in; both have rows of width values, width a multiple of SSLH_I_LANES. */
SSLH_I_FN void sslh_i_taps_rows(const struct sslh_i_kernels *k, const sslh_i_taps *t, const sslh_real *in, sslh_real *out, size_t in_stride,
                                size_t out_stride, size_t width) {
    int i;
    for (i = 0; i < t->n; i++)
        k->mix_rows(in + (size_t)t->start[i] * in_stride, in_stride, t->weight + (size_t)i * (size_t)t->taps, t->count[i],
                    out + (size_t)i * out_stride, width);
}

/* out (W rows of out_stride) = transposed in (H rows of in_stride). In blocks of 8 x 8, which stay in the cache. */
SSLH_I_FN void sslh_i_transpose(const sslh_real *in, sslh_real *out, int h, int w, ptrdiff_t in_stride, size_t out_stride) {
    int y0, x0, y, x;
    for (y0 = 0; y0 < h; y0 += 8)
        for (x0 = 0; x0 < w; x0 += 8) {
            int y1 = SSLH_I_MIN(h, y0 + 8), x1 = SSLH_I_MIN(w, x0 + 8);
            for (y = y0; y < y1; y++)
                for (x = x0; x < x1; x++) out[(size_t)x * out_stride + (size_t)y] = in[(ptrdiff_t)y * in_stride + x];
        }
}

/* --- the source of an image -------------------------------------------------------------------------------------- */

/* Pixels (H,W,C): one of the three. */
typedef struct sslh_i_pixels { const uint8_t *bytes; const sslh_real *reals; const float *floats; int height, width, channels; } sslh_i_pixels;

/* Channel ch of the box (top,left,h,w) to out[y ystep + x xstep] as values in [0,1]. */
SSLH_I_FN void sslh_i_load_box(const sslh_i_pixels *s, int top, int left, int h, int w, int ch, sslh_real *out, ptrdiff_t ystep, ptrdiff_t xstep) {
    int x, y;
    size_t step = (size_t)s->channels;
    for (y = 0; y < h; y++) {
        size_t at = ((size_t)(top + y) * (size_t)s->width + (size_t)left) * step + (size_t)ch;
        sslh_real *o = out + (ptrdiff_t)y * ystep;
        if (s->bytes) {
            const uint8_t *p = s->bytes + at;
            for (x = 0; x < w; x++) o[(ptrdiff_t)x * xstep] = (sslh_real)((float)p[(size_t)x * step] / 255.0f);
        } else if (s->reals) {
            const sslh_real *p = s->reals + at;
            for (x = 0; x < w; x++) o[(ptrdiff_t)x * xstep] = p[(size_t)x * step];
        } else {
            const float *p = s->floats + at;
            for (x = 0; x < w; x++) o[(ptrdiff_t)x * xstep] = (sslh_real)p[(size_t)x * step];
        }
    }
}

/* A worker's scratch for one image. */
typedef struct sslh_i_view_work {
    const struct sslh_i_kernels *k;
    sslh_real *a;      /* the box, transposed: W rows of H values; later H rows of out_W */
    sslh_real *b;      /* out_W rows of H values; later shifted, turned or blurred planes, grey */
    sslh_real *planes; /* C x plane: the view */
    size_t     plane;  /* out_H out_W, rounded up, and room for a whole block behind the last row */
    sslh_real *row;    /* blur: the kernel, one row with its reflected ends */
    char      *taps_x, *taps_y;
} sslh_i_view_work;

/* sizes of the parts above in values */
typedef struct sslh_i_view_sizes { size_t a, b, planes, plane, row, taps, total; } sslh_i_view_sizes;

/* For images up to (h,w) and views (oh,ow); all sides are at most SSLH_I_VIEW_SIDE. 0 when it does not fit in size_t. */
SSLH_I_FN int sslh_i_view_size(sslh_i_view_sizes *s, int h, int w, int oh, int ow, int channels) {
    size_t hp = SSLH_I_ROUND_UP((size_t)h), wp = SSLH_I_ROUND_UP((size_t)ow), n, m, out;
    if (!sslh_i_mul(hp, (size_t)w, &n) || !sslh_i_mul((size_t)h, wp, &m)) return 0;
    s->a = SSLH_I_MAX(n, m);
    if (!sslh_i_mul((size_t)oh, (size_t)ow, &out) || !sslh_i_mul(hp, (size_t)ow, &n) || out > (size_t)-1 / 64) return 0;
    s->plane = SSLH_I_ROUND_UP(out) + SSLH_I_LANES;
    s->b = SSLH_I_MAX(n, 3 * s->plane); /* a blur reflects up to a side at the top and at the bottom */
    if (!sslh_i_mul(s->plane, (size_t)channels, &s->planes)) return 0;
    s->row = SSLH_I_ROUND_UP((size_t)SSLH_I_MAX(oh, ow)) * 5 + 8 * SSLH_I_LANES;
    s->taps = SSLH_I_ROUND_UP((sslh_i_taps_bytes(SSLH_I_MAX(h, w), SSLH_I_MAX(oh, ow)) + sizeof(sslh_real)) / sizeof(sslh_real));
    s->total = s->a + s->b + s->planes + s->row + 2 * s->taps;
    return s->total <= (size_t)-1 / 4096; /* 256 workers, 16 bytes */
}

SSLH_I_FN void sslh_i_view_carve(sslh_i_view_work *w, const struct sslh_i_kernels *k, const sslh_i_view_sizes *s, sslh_real *memory) {
    w->k = k;
    w->a = memory;
    w->b = w->a + s->a;
    w->planes = w->b + s->b;
    w->plane = s->plane;
    w->row = w->planes + s->planes;
    w->taps_x = (char *)(void *)(w->row + s->row);
    w->taps_y = (char *)(void *)(w->row + s->row + s->taps);
}

/* The part of the source (top,left,h,w) through the taps to the planes of the work, mirrored when mirror is set; taps
   start at the part's corner. Both passes run along rows, which vectorises; a transposition lies between them. */
SSLH_I_FN void sslh_i_resample(sslh_i_view_work *work, const sslh_i_pixels *s, int top, int left, int h, int w,
                               const sslh_i_taps *tx, const sslh_i_taps *ty, int mirror) {
    size_t hp = SSLH_I_ROUND_UP((size_t)h), ow = (size_t)tx->n, wp = SSLH_I_ROUND_UP(ow), y;
    int ch;
    for (ch = 0; ch < s->channels; ch++) {
        sslh_real *out = work->planes + (size_t)ch * work->plane;
        sslh_i_load_box(s, top, left, h, w, ch, work->a, 1, (ptrdiff_t)hp);             /* (w, hp) */
        for (y = 0; y < (size_t)w && hp > (size_t)h; y++) memset(work->a + y * hp + h, 0, (hp - (size_t)h) * sizeof(sslh_real));
        sslh_i_taps_rows(work->k, tx, work->a, work->b, hp, hp, hp);                             /* (ow, hp) */
        if (mirror) sslh_i_transpose(work->b + (ow - 1) * hp, work->a, (int)ow, h, -(ptrdiff_t)hp, wp);
        else sslh_i_transpose(work->b, work->a, (int)ow, h, (ptrdiff_t)hp, wp);         /* (h, wp) */
        for (y = 0; y < (size_t)h && wp > ow; y++) memset(work->a + y * wp + ow, 0, (wp - ow) * sizeof(sslh_real));
        /* rows lie without gaps: the zeros that a row writes behind its end are overwritten by the next row */
        sslh_i_taps_rows(work->k, ty, work->a, out, wp, ow, wp);                                 /* (oh, ow) */
    }
}

SSLH_I_FN int sslh_i_side_ok(int n) { return n >= 1 && n <= SSLH_I_VIEW_SIDE; }

SSLH_DEF void sslh_resize(sslh_ctx *c, const float *in, int height, int width, int channels, const float box[4],
                          float *out, int out_height, int out_width, int bilinear, int no_antialias) {
    double top = box ? (double)box[0] : 0, left = box ? (double)box[1] : 0;
    double h = box ? (double)box[2] : (double)height, w = box ? (double)box[3] : (double)width;
    sslh_i_view_sizes size;
    sslh_i_view_work work;
    sslh_i_pixels s;
    sslh_i_taps tx, ty;
    sslh_real *memory;
    int ch;
    size_t i, n;
    if (SSLH_I_BAD(c)) return;
    if (!in || !out || channels < 1 || channels > 64 || !sslh_i_side_ok(height) || !sslh_i_side_ok(width) ||
        !sslh_i_side_ok(out_height) || !sslh_i_side_ok(out_width)) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_resize: (%d,%d,%d) to (%d,%d): sides must be 1 to %d, channels 1 to 64, arrays not NULL", height,
                  width, channels, out_height, out_width, SSLH_I_VIEW_SIDE);
        return;
    }
    if (!(top >= 0 && left >= 0 && h > 0 && w > 0 && top + h <= (double)height && left + w <= (double)width)) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_resize: the box top %g left %g height %g width %g is not inside the image (%d,%d)", top, left, h, w,
                  height, width);
        return;
    }
    if (!sslh_i_view_size(&size, height, width, out_height, out_width, channels)) {
        sslh_fail(c, SSLH_E_MEMORY, "sslh_resize: (%d,%d,%d) is too large", height, width, channels);
        return;
    }
    memory = (sslh_real *)sslh_i_scratch(c, size.total * sizeof(sslh_real));
    if (!memory) return;
    sslh_i_view_carve(&work, c->k, &size, memory);
    memset(&s, 0, sizeof s);
    s.floats = in;
    s.height = height;
    s.width = width;
    s.channels = channels;
    sslh_i_taps_place(&tx, work.taps_x, out_width);
    sslh_i_taps_place(&ty, work.taps_y, out_height);
    sslh_i_taps_fill(&tx, left, w, width, bilinear, no_antialias);
    sslh_i_taps_fill(&ty, top, h, height, bilinear, no_antialias);
    sslh_i_resample(&work, &s, 0, 0, height, width, &tx, &ty, 0);
    n = (size_t)out_height * (size_t)out_width;
    for (ch = 0; ch < channels; ch++)
        for (i = 0; i < n; i++) out[i * (size_t)channels + (size_t)ch] = (float)work.planes[(size_t)ch * work.plane + i];
    sslh_i_unscratch(c, memory);
}

/* --- recipes ----------------------------------------------------------------------------------------------------- */

SSLH_DEF sslh_recipe sslh_recipe_none(void) {
    sslh_recipe r;
    memset(&r, 0, sizeof r);
    return r;
}

/* What the joint-embedding methods share. */
SSLH_I_FN sslh_recipe sslh_i_recipe(float crop_min, float brightness, float contrast, float saturation, float hue) {
    sslh_recipe r = sslh_recipe_none();
    r.crop_min = crop_min;
    r.crop_max = 1.0f;
    r.flip = 0.5f;
    r.jitter = 0.8f;
    r.brightness = brightness;
    r.contrast = contrast;
    r.saturation = saturation;
    r.hue = hue;
    r.grey = 0.2f;
    return r;
}

/* Chen et al. 2020: (0.8, 0.8, 0.8, 0.2) times the strength, which is 1 for ImageNet and 0.5 for CIFAR (no blur there). */
SSLH_DEF sslh_recipe sslh_recipe_simclr(void) { return sslh_i_recipe(0.08f, 0.4f, 0.4f, 0.4f, 0.1f); }
SSLH_DEF sslh_recipe sslh_recipe_simclr_large(void) {
    sslh_recipe r = sslh_i_recipe(0.08f, 0.8f, 0.8f, 0.8f, 0.2f);
    r.blur = 0.5f;
    return r;
}
/* Chen, Fan, Girshick & He 2020; torchvision's bilinear crop, as their code has it. */
SSLH_DEF sslh_recipe sslh_recipe_moco(void) {
    sslh_recipe r = sslh_i_recipe(0.2f, 0.4f, 0.4f, 0.4f, 0.1f);
    r.bilinear = 1;
    r.blur = 0.5f;
    return r;
}
/* Grill et al. 2020: the two views differ in blur and solarisation. */
SSLH_DEF sslh_recipe sslh_recipe_byol0(void) {
    sslh_recipe r = sslh_i_recipe(0.08f, 0.4f, 0.4f, 0.2f, 0.1f);
    r.blur = 1.0f;
    return r;
}
SSLH_DEF sslh_recipe sslh_recipe_byol1(void) {
    sslh_recipe r = sslh_i_recipe(0.08f, 0.4f, 0.4f, 0.2f, 0.1f);
    r.blur = 0.1f;
    r.solarize = 0.2f;
    return r;
}
/* He et al. 2022 */
SSLH_DEF sslh_recipe sslh_recipe_mae(void) {
    sslh_recipe r = sslh_recipe_none();
    r.crop_min = 0.2f;
    r.crop_max = 1.0f;
    r.flip = 0.5f;
    return r;
}
/* Gidaris et al. 2018 */
SSLH_DEF sslh_recipe sslh_recipe_rotation(void) {
    sslh_recipe r = sslh_recipe_none();
    r.pad_crop = 4;
    r.flip = 0.5f;
    return r;
}

/* Keeps the first requirement that does not hold. */
SSLH_I_FN void sslh_i_require(const char **bad, int ok, const char *requirement) {
    if (!ok && !*bad) *bad = requirement;
}

/* Defaults filled in for images (h,w); 0 and an error when the recipe makes no sense. The comparisons are written so that
   NaN fails them. */
SSLH_I_FN int sslh_i_recipe_resolve(sslh_ctx *c, const char *op, sslh_recipe *r, int h, int w, int channels) {
    const char *bad = NULL;
    float *chance[5];
    int i, side;
    chance[0] = &r->flip;
    chance[1] = &r->jitter;
    chance[2] = &r->grey;
    chance[3] = &r->blur;
    chance[4] = &r->solarize;
    if (r->height == 0) r->height = h;
    if (r->width == 0) r->width = w;
    sslh_i_require(&bad, sslh_i_side_ok(h) && sslh_i_side_ok(w) && channels >= 1 && channels <= 4, "images have 1 to 4 channels and sides up to 32767");
    sslh_i_require(&bad, sslh_i_side_ok(r->height) && sslh_i_side_ok(r->width), ".height and .width must be 1 to 32767");
    for (i = 0; i < 5; i++) {
        if (*chance[i] == (float)SSLH_OFF) *chance[i] = 0;
        sslh_i_require(&bad, *chance[i] >= 0 && *chance[i] <= 1, "every probability must be between 0 and 1");
    }
    if (r->crop_min == (float)SSLH_OFF) r->crop_min = 0;
    if (r->crop_max == 0) r->crop_max = 1;
    sslh_i_require(&bad, r->crop_min >= 0 && r->crop_min <= r->crop_max && r->crop_max <= 1, "0 <= .crop_min <= .crop_max <= 1 must hold");
    if (r->ratio_min == 0) r->ratio_min = 3.0f / 4.0f;
    if (r->ratio_max == 0) r->ratio_max = 4.0f / 3.0f;
    sslh_i_require(&bad, r->ratio_min >= 0.001f && r->ratio_min <= r->ratio_max && r->ratio_max <= 1000, "0.001 <= .ratio_min <= .ratio_max <= 1000 must hold");
    if (r->crop_tries == 0) r->crop_tries = 10;
    sslh_i_require(&bad, r->crop_tries >= 1 && r->crop_tries <= 1000, ".crop_tries must be 1 to 1000");
    side = SSLH_I_MIN(r->height, r->width);
    sslh_i_require(&bad, r->pad_crop >= 0 && r->pad_crop <= side, ".pad_crop must be at most the side of the view");
    sslh_i_require(&bad, !r->rotate90 || r->height == r->width, ".rotate90 needs square views");
    sslh_i_require(&bad, r->brightness >= 0 && r->brightness <= 100, ".brightness must be 0 to 100");
    sslh_i_require(&bad, r->contrast >= 0 && r->contrast <= 100, ".contrast must be 0 to 100");
    sslh_i_require(&bad, r->saturation >= 0 && r->saturation <= 100, ".saturation must be 0 to 100");
    sslh_i_require(&bad, r->hue >= 0 && r->hue <= 0.5f, ".hue must be 0 to 0.5 turns");
    if (r->blur_min == 0) r->blur_min = 0.1f;
    if (r->blur_max == 0) r->blur_max = SSLH_I_MAX(2.0f, r->blur_min);
    sslh_i_require(&bad, r->blur_min >= 0.001f && r->blur_min <= r->blur_max && r->blur_max <= 1000, "0.001 <= .blur_min <= .blur_max <= 1000 must hold");
    if (r->blur_kernel == 0) r->blur_kernel = SSLH_I_MAX(0, side / 10 / 2) * 2 + 1;
    sslh_i_require(&bad, r->blur_kernel >= 1 && r->blur_kernel % 2 == 1 && r->blur_kernel / 2 < side, ".blur_kernel must be odd and its half less than the side of the view");
    if (r->solarize_threshold == 0) r->solarize_threshold = 0.5f;
    if (r->solarize_threshold == (float)SSLH_OFF) r->solarize_threshold = 0;
    sslh_i_require(&bad, r->cutout >= 0, ".cutout must not be negative");
    for (i = 0; i < 4; i++) sslh_i_require(&bad, r->std[i] >= 0, ".std must not be negative");
    if (bad) sslh_fail(c, SSLH_E_USAGE, "%s: images (%d,%d,%d), views (%d,%d): %s", op, h, w, channels, r->height, r->width, bad);
    return bad == NULL;
}

/* Appends to a text of limited size; the length goes on counting. */
SSLH_I_FN void sslh_i_text(char *out, size_t size, size_t *used, const char *format, ...) SSLH_I_PRINTF(4, 5);
SSLH_I_FN void sslh_i_text(char *out, size_t size, size_t *used, const char *format, ...) {
    va_list args;
    char *at = out && *used < size ? out + *used : NULL;
    int n;
    va_start(args, format);
    n = vsnprintf(at, at ? size - *used : 0, format, args);
    va_end(args);
    if (n > 0) *used += (size_t)n;
}

/* A value with up to four digits behind the point and without trailing zeros; the point is a point in every locale. */
SSLH_I_FN const char *sslh_i_number(char buffer[32], float x) {
    int32_t v, a;
    int n, k;
    if (!(x > -200000.0f && x < 200000.0f)) {
        snprintf(buffer, 32, "%s", x != x ? "nan" : "large");
        return buffer;
    }
    v = (int32_t)(x < 0 ? x * 10000.0f - 0.5f : x * 10000.0f + 0.5f);
    a = v < 0 ? -v : v;
    n = snprintf(buffer, 32, "%s%d.%04d", v < 0 ? "-" : "", (int)(a / 10000), (int)(a % 10000));
    for (k = n - 1; k > 0 && buffer[k] == '0'; k--) buffer[k] = 0;
    if (buffer[k] == '.') buffer[k] = 0;
    return buffer;
}

SSLH_DEF size_t sslh_recipe_print(sslh_recipe r, char *out, size_t size) {
    size_t used = 0;
    char a[32], b[32], d[32], e[32], f[32];
    int i;
    if (out && size) out[0] = 0;
    if (r.crop_min > 0) {
        sslh_i_text(out, size, &used, "crop: %s to %s of the area, aspect %s to %s, %d tries, %s%s\n", sslh_i_number(a, r.crop_min),
                    sslh_i_number(b, r.crop_max > 0 ? r.crop_max : 1.0f), sslh_i_number(d, r.ratio_min > 0 ? r.ratio_min : 0.75f),
                    sslh_i_number(e, r.ratio_max > 0 ? r.ratio_max : 4.0f / 3.0f), r.crop_tries ? r.crop_tries : 10,
                    r.bilinear ? "bilinear" : "bicubic", r.no_antialias ? ", no antialiasing" : "");
    }
    if (r.height || r.width) sslh_i_text(out, size, &used, "size: %d x %d (0: of the image)\n", r.height, r.width);
    if (r.pad_crop) sslh_i_text(out, size, &used, "pad and crop: %d pixels of zeros\n", r.pad_crop);
    if (r.flip > 0) sslh_i_text(out, size, &used, "mirror: probability %s\n", sslh_i_number(a, r.flip));
    if (r.rotate90) sslh_i_text(out, size, &used, "rotation: 0, 90, 180 or 270 degrees\n");
    if (r.jitter > 0) {
        sslh_i_text(out, size, &used, "colour jitter: probability %s, brightness %s, contrast %s, saturation %s, hue %s turns, shuffled\n",
                    sslh_i_number(a, r.jitter), sslh_i_number(b, r.brightness), sslh_i_number(d, r.contrast),
                    sslh_i_number(e, r.saturation), sslh_i_number(f, r.hue));
    }
    if (r.grey > 0) sslh_i_text(out, size, &used, "grey: probability %s\n", sslh_i_number(a, r.grey));
    if (r.blur > 0) {
        sslh_i_text(out, size, &used, "blur: probability %s, sigma %s to %s, ", sslh_i_number(a, r.blur),
                    sslh_i_number(b, r.blur_min > 0 ? r.blur_min : 0.1f), sslh_i_number(d, r.blur_max > 0 ? r.blur_max : 2.0f));
        if (r.blur_kernel) sslh_i_text(out, size, &used, "kernel %d\n", r.blur_kernel);
        else sslh_i_text(out, size, &used, "kernel a tenth of the side\n");
    }
    if (r.solarize > 0) {
        sslh_i_text(out, size, &used, "solarise: probability %s, threshold %s\n", sslh_i_number(a, r.solarize),
                    sslh_i_number(b, r.solarize_threshold == 0 ? 0.5f : r.solarize_threshold < 0 ? 0.0f : r.solarize_threshold));
    }
    if (r.cutout > 0) sslh_i_text(out, size, &used, "cutout: a square of %d pixels\n", r.cutout);
    for (i = 0; i < 4; i++)
        if (r.std[i] > 0) sslh_i_text(out, size, &used, "normalise channel %d: mean %s, std %s\n", i, sslh_i_number(a, r.mean[i]), sslh_i_number(b, r.std[i]));
    if (used == 0) sslh_i_text(out, size, &used, "as it is\n");
    return used;
}

/* --- 1. draw ----------------------------------------------------------------------------------------------------- */

/* Everything random about one view. */
typedef struct sslh_i_draw {
    int   top, left, height, width; /* box of the source */
    int   dy, dx;                   /* shift of the padded crop, -pad .. pad */
    int   flip, quarter;
    int   jitter, order[4];         /* steps in the order of doing: 0 brightness, 1 contrast, 2 saturation, 3 hue */
    float factor[4];                /* the first three multiply; hue in turns */
    int   grey, solarize;
    float sigma;                    /* 0: no blur */
    int   cut_y, cut_x;             /* centre of the cutout */
} sslh_i_draw;

/* Where the draws of a view lie: block number draw of (seed, stream) counts from base. */
typedef struct sslh_i_key { uint64_t seed, stream, base; } sslh_i_key;
#define SSLH_I_KEY_VIEW ((uint64_t)0x5653 << 48)    /* "VS": view of a sample of a data set */
#define SSLH_I_KEY_AUGMENT ((uint64_t)0x4147 << 48) /* "AG": image of a caller's batch */

/* view < 2^32, fewer than 2^16 draws: no two views share a counter */
SSLH_I_FN sslh_i_key sslh_i_view_key(uint64_t seed, int epoch, int64_t sample, int view) {
    sslh_i_key k;
    k.seed = seed;
    k.stream = ((uint64_t)(uint32_t)epoch << 32) | (uint64_t)(uint32_t)sample;
    k.base = SSLH_I_KEY_VIEW | ((uint64_t)(uint32_t)view << 16);
    return k;
}

SSLH_I_FN int sslh_i_below(uint32_t x, int n) { return (int)(((uint64_t)x * (uint64_t)n) >> 32); }
SSLH_I_FN float sslh_i_between(uint32_t x, float lo, float hi) {
    float range = hi - lo, v = sslh_i_unit(x) * range;
    return lo + v;
}

/* Random resized crop as torchvision draws it: area uniform, aspect log-uniform, integer box, after .crop_tries misses
   the centre at the nearest allowed aspect. */
SSLH_I_FN void sslh_i_draw_crop(const sslh_recipe *r, const sslh_i_key *key, int h, int w, sslh_i_draw *d) {
    float area = (float)h * (float)w, log_lo = (float)sslh_i_log((sslh_real)r->ratio_min), log_hi = (float)sslh_i_log((sslh_real)r->ratio_max);
    float in_ratio = (float)w / (float)h;
    int attempt;
    for (attempt = 0; attempt < r->crop_tries; attempt++) {
        uint32_t x[4];
        float target, aspect, s, fw, fh;
        sslh_i_philox_at(key->seed, key->stream, key->base + 16 + (uint64_t)attempt, x);
        target = area * sslh_i_between(x[0], r->crop_min, r->crop_max);
        aspect = (float)sslh_i_exp((sslh_real)sslh_i_between(x[1], log_lo, log_hi));
        s = target * aspect;
        fw = sqrtf(s);
        s = target / aspect;
        fh = sqrtf(s);
        if (fw + 0.5f >= (float)w + 1.0f || fh + 0.5f >= (float)h + 1.0f) continue;
        d->width = (int)(fw + 0.5f);
        d->height = (int)(fh + 0.5f);
        if (d->width < 1 || d->height < 1) continue;
        d->top = sslh_i_below(x[2], h - d->height + 1);
        d->left = sslh_i_below(x[3], w - d->width + 1);
        return;
    }
    d->width = w;
    d->height = h;
    if (in_ratio < r->ratio_min) d->height = (int)((float)w / r->ratio_min + 0.5f);
    else if (in_ratio > r->ratio_max) d->width = (int)((float)h * r->ratio_max + 0.5f);
    d->width = SSLH_I_MAX(1, SSLH_I_MIN(w, d->width));
    d->height = SSLH_I_MAX(1, SSLH_I_MIN(h, d->height));
    d->top = (h - d->height) / 2;
    d->left = (w - d->width) / 2;
}

/* r is resolved; images (h,w). Draw blocks: 0 geometry, 1 and 2 jitter and grey, 3 the rest, 16.. crop attempts. */
SSLH_I_FN void sslh_i_draw_view(const sslh_recipe *r, const sslh_i_key *key, int h, int w, sslh_i_draw *d) {
    uint32_t x[4], y[4], z[4], u[4];
    int i, code;
    sslh_i_philox_at(key->seed, key->stream, key->base, x);
    sslh_i_philox_at(key->seed, key->stream, key->base + 1, y);
    sslh_i_philox_at(key->seed, key->stream, key->base + 2, z);
    sslh_i_philox_at(key->seed, key->stream, key->base + 3, u);
    d->top = d->left = 0;
    d->height = h;
    d->width = w;
    if (r->crop_min > 0) sslh_i_draw_crop(r, key, h, w, d);
    d->dy = sslh_i_below(x[0], 2 * r->pad_crop + 1) - r->pad_crop;
    d->dx = sslh_i_below(x[1], 2 * r->pad_crop + 1) - r->pad_crop;
    d->flip = sslh_i_unit(x[2]) < r->flip;
    d->quarter = r->rotate90 ? sslh_i_below(x[3], 4) : 0;
    d->jitter = sslh_i_unit(y[0]) < r->jitter;
    d->factor[0] = sslh_i_between(y[1], SSLH_I_MAX(0.0f, 1.0f - r->brightness), 1.0f + r->brightness);
    d->factor[1] = sslh_i_between(y[2], SSLH_I_MAX(0.0f, 1.0f - r->contrast), 1.0f + r->contrast);
    d->factor[2] = sslh_i_between(y[3], SSLH_I_MAX(0.0f, 1.0f - r->saturation), 1.0f + r->saturation);
    d->factor[3] = sslh_i_between(z[0], -r->hue, r->hue);
    /* one of the 24 orders, by Fisher-Yates with the digits of a number below 24 */
    code = sslh_i_below(z[1], 24);
    for (i = 0; i < 4; i++) d->order[i] = i;
    for (i = 3; i > 0; i--) {
        int j = code % (i + 1), t = d->order[i];
        code /= i + 1;
        d->order[i] = d->order[j];
        d->order[j] = t;
    }
    d->grey = sslh_i_unit(z[2]) < r->grey;
    d->sigma = sslh_i_unit(z[3]) < r->blur ? sslh_i_between(u[0], r->blur_min, r->blur_max) : 0.0f;
    d->solarize = sslh_i_unit(u[1]) < r->solarize;
    d->cut_y = sslh_i_below(u[2], r->height);
    d->cut_x = sslh_i_below(u[3], r->width);
}

/* --- 2. move: quarter turns and shifts ---------------------------------------------------------------------------- */

/* Source pixel of (y,x) when a square of side n is turned q times 90 degrees counter-clockwise. */
SSLH_I_FN void sslh_i_turn(int q, int n, int y, int x, int *from_y, int *from_x) {
    switch (q) {
    case 1: *from_y = x, *from_x = n - 1 - y; break;
    case 2: *from_y = n - 1 - y, *from_x = n - 1 - x; break;
    case 3: *from_y = n - 1 - x, *from_x = y; break;
    default: *from_y = y, *from_x = x; break;
    }
}

SSLH_I_FN void sslh_i_view_turn(sslh_i_view_work *w, int channels, int n, int q) {
    size_t count = (size_t)n * (size_t)n;
    int ch, y, x, fy, fx;
    for (ch = 0; ch < channels; ch++) {
        sslh_real *p = w->planes + (size_t)ch * w->plane;
        for (y = 0; y < n; y++)
            for (x = 0; x < n; x++) {
                sslh_i_turn(q, n, y, x, &fy, &fx);
                w->b[(size_t)y * (size_t)n + (size_t)x] = p[(size_t)fy * (size_t)n + (size_t)fx];
            }
        memcpy(p, w->b, count * sizeof *p);
    }
}

/* out(y,x) = in(y + dy, x + dx), zero outside: the image padded with zeros and cropped back. */
SSLH_I_FN void sslh_i_view_shift(sslh_i_view_work *w, int channels, int height, int width, int dy, int dx) {
    size_t count = (size_t)height * (size_t)width;
    int ch, y, from = SSLH_I_MAX(0, -dx), to = SSLH_I_MIN(width, width - dx);
    for (ch = 0; ch < channels; ch++) {
        sslh_real *p = w->planes + (size_t)ch * w->plane;
        memset(w->b, 0, count * sizeof *p);
        for (y = SSLH_I_MAX(0, -dy); y < SSLH_I_MIN(height, height - dy) && from < to; y++)
            memcpy(w->b + (size_t)y * (size_t)width + (size_t)from, p + (ptrdiff_t)(y + dy) * width + from + dx, (size_t)(to - from) * sizeof *p);
        memcpy(p, w->b, count * sizeof *p);
    }
}

/* --- 3. colour --------------------------------------------------------------------------------------------------- */
/* Planes of n values, n a multiple of SSLH_I_LANES (what lies behind the image is computed and ignored). Formulas of
   torchvision's tensor code, luma 0.299, 0.587, 0.114; the loops are in the kernels. */

/* Steps of the jitter: which 0 brightness (x f), 1 contrast (mix with the mean of the grey image), 2 saturation (mix with
   the grey image), 3 hue. colours 3, or 1: then only the first two do anything. count values, padded to n. */
SSLH_I_FN void sslh_i_jitter(sslh_i_view_work *w, int which, float f, int colours, size_t count, size_t n) {
    const struct sslh_i_kernels *k = w->k;
    sslh_real *p[3], mean, factor = (sslh_real)f, rest = SSLH_I_R(1) - factor;
    int i;
    for (i = 0; i < 3; i++) p[i] = w->planes + (size_t)(i < colours ? i : 0) * w->plane;
    if (which == 0) {
        for (i = 0; i < colours; i++) k->scale_clip(p[i], n, factor, 0);
    } else if (which == 1) {
        if (colours == 3) k->luma(p[0], p[1], p[2], w->b, n);
        mean = k->sum(colours == 3 ? w->b : p[0], count) / (sslh_real)count;
        rest = rest * mean;
        for (i = 0; i < colours; i++) k->scale_clip(p[i], n, factor, rest);
    } else if (which == 2 && colours == 3) {
        k->luma(p[0], p[1], p[2], w->b, n);
        for (i = 0; i < 3; i++) k->blend_clip(p[i], w->b, n, factor, rest);
    } else if (which == 3 && colours == 3) {
        k->hue(p[0], p[1], p[2], n, 6 * (factor < 0 ? factor + 1 : factor));
    }
}

/* Gaussian blur of one plane (H,W), separable: exp(-(x/sigma)^2 / 2), normalised, reflected at the edge. weight holds the
   kernel, row a padded row; tmp (H + 2 radius, W) starts radius rows above the image. Whole blocks are written, what lies
   behind a row is overwritten by the next. */
SSLH_I_FN void sslh_i_blur_plane(const struct sslh_i_kernels *k, sslh_real *p, sslh_real *tmp, sslh_real *row, const sslh_real *weight, int radius,
                                 int height, int width) {
    size_t w = (size_t)width, block = SSLH_I_ROUND_UP(w), bytes = w * sizeof *p;
    sslh_real *image = tmp + (size_t)radius * w;
    int y, x;
    for (y = 0; y < height; y++) { /* along the rows */
        const sslh_real *from = p + (size_t)y * w;
        for (x = -radius; x < 0; x++) row[x + radius] = from[-x];
        memcpy(row + radius, from, bytes);
        for (x = width; x < width + radius; x++) row[x + radius] = from[2 * (width - 1) - x];
        k->mix_rows(row, 1, weight, 2 * radius + 1, image + (size_t)y * w, block);
    }
    for (y = 1; y <= radius; y++) {
        memcpy(image - (size_t)y * w, image + (size_t)y * w, bytes);
        memcpy(image + (size_t)(height - 1 + y) * w, image + (size_t)(height - 1 - y) * w, bytes);
    }
    for (y = 0; y < height; y++) k->mix_rows(tmp + (size_t)y * w, w, weight, 2 * radius + 1, p + (size_t)y * w, block); /* down */
}

SSLH_I_FN void sslh_i_blur(sslh_i_view_work *w, int colours, int height, int width, int kernel, float sigma) {
    int radius = kernel / 2, k, ch;
    sslh_real *weight = w->row, *row = w->row + SSLH_I_ROUND_UP(kernel), sum = 0;
    if (radius < 1) return;
    for (k = 0; k < kernel; k++) {
        float x = (float)(k - radius) / sigma;
        x = x * x;
        x = -0.5f * x;
        weight[k] = x < -80.0f ? 0 : sslh_i_exp((sslh_real)x);
        sum = sum + weight[k];
    }
    for (k = 0; k < kernel; k++) weight[k] = weight[k] / sum;
    for (ch = 0; ch < colours; ch++) sslh_i_blur_plane(w->k, w->planes + (size_t)ch * w->plane, w->b, row, weight, radius, height, width);
}

/* DeVries & Taylor 2017: the centre is anywhere in the image, so the square may hang over the edge. */
SSLH_I_FN void sslh_i_cutout(sslh_i_view_work *w, int colours, int height, int width, int side, int cy, int cx) {
    int half = side / 2, y0 = SSLH_I_MAX(0, cy - half), x0 = SSLH_I_MAX(0, cx - half), ch, y, x;
    int y1 = side - half >= height - cy ? height : cy - half + side, x1 = side - half >= width - cx ? width : cx - half + side;
    for (ch = 0; ch < colours; ch++)
        for (y = y0; y < y1; y++)
            for (x = x0; x < x1; x++) w->planes[(size_t)ch * w->plane + (size_t)y * (size_t)width + (size_t)x] = SSLH_I_R(0.5);
}

/* --- 4. store, and the whole ------------------------------------------------------------------------------------- */

/* Planes to (H,W,C), y = (x - mean) / std for channels with a std. */
SSLH_I_FN void sslh_i_view_store(const sslh_i_view_work *w, const sslh_recipe *r, int channels, size_t count, sslh_real *out) {
    int ch;
    size_t i;
    for (ch = 0; ch < channels; ch++) {
        const sslh_real *p = w->planes + (size_t)ch * w->plane;
        sslh_real *o = out + ch, mean = (sslh_real)r->mean[ch], std = (sslh_real)r->std[ch];
        if (std == 0) {
            for (i = 0; i < count; i++) o[i * (size_t)channels] = p[i];
            continue;
        }
        for (i = 0; i < count; i++) {
            sslh_real v = p[i] - mean;
            o[i * (size_t)channels] = v / std;
        }
    }
}

/* All tasks of one call read this. */
typedef struct sslh_i_view_job {
    sslh_recipe       recipe;      /* resolved */
    const struct sslh_i_kernels *k;
    sslh_i_view_sizes size;
    sslh_real        *memory;      /* threads x size.total: the workers' scratch */
    sslh_i_taps      *tables;      /* taps of every crop length 1 .. length, or NULL: one table serves both axes */
    int               length;
    int               height, width, channels, n, per_task;
    uint64_t          seed, stream;
    int               epoch, view; /* of sslh_views */
    const int32_t    *index;       /* n sample numbers, or NULL: sslh_augment */
    const sslh_data  *data;
    const char       *values;      /* of the image field */
    int               source;      /* values are 0 bytes, 1 floats (fields), 2 reals (tensors) */
    int               in_order;    /* values holds the n images of the batch themselves */
    sslh_real        *out;         /* n x height x width x channels of the view */
} sslh_i_view_job;

SSLH_I_FN void sslh_i_view_image(const sslh_i_view_job *job, sslh_i_view_work *w, const sslh_i_pixels *s, const sslh_i_draw *d, sslh_real *out) {
    const sslh_recipe *r = &job->recipe;
    int h = r->height, width = r->width, channels = s->channels, colours = channels >= 3 ? 3 : 1, ch, i;
    size_t count = (size_t)h * (size_t)width, n = SSLH_I_ROUND_UP(count);
    if (d->height == h && d->width == width) {
        for (ch = 0; ch < channels; ch++) {
            sslh_real *p = w->planes + (size_t)ch * w->plane;
            sslh_i_load_box(s, d->top, d->left, h, width, ch, d->flip ? p + (width - 1) : p, width, d->flip ? -1 : 1);
        }
    } else {
        sslh_i_taps tx, ty;
        sslh_i_taps_place(&tx, w->taps_x, width);
        sslh_i_taps_place(&ty, w->taps_y, h);
        if (job->tables) tx = job->tables[d->width - 1];
        else sslh_i_taps_fill(&tx, 0.0, (double)d->width, d->width, r->bilinear, r->no_antialias);
        if (job->tables) ty = job->tables[d->height - 1];
        else sslh_i_taps_fill(&ty, 0.0, (double)d->height, d->height, r->bilinear, r->no_antialias);
        sslh_i_resample(w, s, d->top, d->left, d->height, d->width, &tx, &ty, d->flip);
        if (!r->bilinear) /* the cubic overshoots */
            for (ch = 0; ch < channels; ch++) w->k->scale_clip(w->planes + (size_t)ch * w->plane, n, 1, 0);
    }
    /* mirrored after the shift: the mirror is already done, so the shift goes the other way */
    if (d->dy || d->dx) sslh_i_view_shift(w, channels, h, width, d->dy, d->flip ? -d->dx : d->dx);
    if (d->quarter) sslh_i_view_turn(w, channels, h, d->quarter);
    for (i = 0; i < 4 && d->jitter; i++) {
        int which = d->order[i];
        float range = which == 0 ? r->brightness : which == 1 ? r->contrast : which == 2 ? r->saturation : r->hue;
        if (range > 0) sslh_i_jitter(w, which, d->factor[which], colours, count, n);
    }
    if (d->grey && colours == 3) {
        w->k->luma(w->planes, w->planes + w->plane, w->planes + 2 * w->plane, w->b, n);
        for (ch = 0; ch < 3; ch++) memcpy(w->planes + (size_t)ch * w->plane, w->b, n * sizeof *w->b);
    }
    if (d->sigma > 0) sslh_i_blur(w, colours, h, width, r->blur_kernel, d->sigma);
    for (ch = 0; ch < colours && d->solarize; ch++) w->k->solarize(w->planes + (size_t)ch * w->plane, n, (sslh_real)r->solarize_threshold);
    if (r->cutout > 0) sslh_i_cutout(w, colours, h, width, SSLH_I_MIN(r->cutout, 2 * SSLH_I_VIEW_SIDE), d->cut_y, d->cut_x);
    sslh_i_view_store(w, r, channels, count, out);
}

SSLH_I_FN void sslh_i_view_task(void *arg, int task, int worker) {
    const sslh_i_view_job *job = (const sslh_i_view_job *)arg;
    size_t pixels = (size_t)job->height * (size_t)job->width * (size_t)job->channels;
    size_t view = (size_t)job->recipe.height * (size_t)job->recipe.width * (size_t)job->channels;
    int i, begin = task * job->per_task, end = SSLH_I_MIN(job->n, begin + job->per_task);
    sslh_i_view_work w;
    sslh_i_view_carve(&w, job->k, &job->size, job->memory + (size_t)worker * job->size.total);
    for (i = begin; i < end; i++) {
        sslh_i_pixels s;
        sslh_i_draw d;
        sslh_i_key key;
        size_t at = job->in_order ? (size_t)i : (size_t)(job->data->order ? job->data->order[job->index[i]] : job->index[i]);
        memset(&s, 0, sizeof s);
        if (job->source == 0) s.bytes = (const uint8_t *)job->values + at * pixels;
        else if (job->source == 1) s.floats = (const float *)(const void *)job->values + at * pixels;
        else s.reals = (const sslh_real *)(const void *)job->values + at * pixels;
        s.height = job->height;
        s.width = job->width;
        s.channels = job->channels;
        if (job->index) {
            key = sslh_i_view_key(job->seed, job->epoch, job->index[i], job->view);
        } else {
            key.seed = job->seed;
            key.stream = job->stream;
            key.base = SSLH_I_KEY_AUGMENT | ((uint64_t)(uint32_t)i << 16);
        }
        sslh_i_draw_view(&job->recipe, &key, job->height, job->width, &d);
        sslh_i_view_image(job, &w, &s, &d, job->out + (size_t)i * view);
    }
}

#define SSLH_I_VIEW_TABLES 64 /* up to this side, the taps of all crop lengths are computed once per call */

/* Runs a job whose recipe, images and keys are set. 1 on success. */
SSLH_I_FN int sslh_i_view_run(sslh_ctx *c, const char *op, sslh_i_view_job *job) {
    const sslh_recipe *r = &job->recipe;
    size_t bytes, table_bytes = 0;
    char *tables = NULL;
    int64_t pixels = (int64_t)r->height * r->width;
    int i, longest = SSLH_I_MAX(job->height, job->width);
    if (!sslh_i_view_size(&job->size, job->height, job->width, r->height, r->width, job->channels) ||
        !sslh_i_mul(job->size.total * sizeof(sslh_real), (size_t)c->threads, &bytes)) {
        sslh_fail(c, SSLH_E_MEMORY, "%s: images (%d,%d,%d) are too large", op, job->height, job->width, job->channels);
        return 0;
    }
    job->k = c->k;
    job->memory = (sslh_real *)sslh_i_scratch(c, bytes);
    if (!job->memory) return 0;
    memset(job->memory, 0, bytes); /* what lies behind a plane is computed on too, and must be numbers */
    if (r->crop_min > 0 && r->height == r->width && longest <= SSLH_I_VIEW_TABLES && r->height <= SSLH_I_VIEW_TABLES && job->n >= 16) {
        table_bytes = (sslh_i_taps_bytes(longest, r->height) + 63) / 64 * 64;
        tables = (char *)sslh_i_scratch(c, (size_t)longest * (table_bytes + sizeof(sslh_i_taps)));
        if (tables) {
            job->tables = (sslh_i_taps *)(void *)(tables + (size_t)longest * table_bytes);
            for (i = 0; i < longest; i++) {
                sslh_i_taps_place(&job->tables[i], tables + (size_t)i * table_bytes, r->height);
                sslh_i_taps_fill(&job->tables[i], 0.0, (double)(i + 1), i + 1, r->bilinear, r->no_antialias);
            }
        }
    }
    job->per_task = (int)SSLH_I_MAX((int64_t)1, 8192 / pixels);
    if (!SSLH_I_BAD(c)) sslh_i_parallel(c, (job->n - 1) / job->per_task + 1, sslh_i_view_task, job);
    if (tables) sslh_i_unscratch(c, tables);
    sslh_i_unscratch(c, job->memory);
    return !SSLH_I_BAD(c);
}

SSLH_DEF sslh_tensor *sslh_views(sslh_ctx *c, sslh_batch batch, sslh_recipe recipe, int view) {
    sslh_i_view_job job;
    sslh_tensor *out;
    const sslh_field *field = NULL;
    char *fetched = NULL;
    int i, ok;
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    for (i = 0; i < batch.data.fields && i < 4 && !field; i++)
        if (batch.data.field[i].kind == SSLH_FIELD_IMAGE) field = &batch.data.field[i];
    if (!field || (!field->values && !field->fetch) || field->shape.ndim != 3 || (field->type != SSLH_U8 && field->type != SSLH_F32)) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_views: the batch has no image field");
        return sslh_i_dummy(c);
    }
    if (batch.count < 1 || !batch.index || view < 0) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_views: a batch of %d samples, view %d: the batch must come from a loader, the view must not be negative", batch.count, view);
        return sslh_i_dummy(c);
    }
    memset(&job, 0, sizeof job);
    job.recipe = recipe;
    job.height = field->shape.size[0];
    job.width = field->shape.size[1];
    job.channels = field->shape.size[2];
    if (!sslh_i_recipe_resolve(c, "sslh_views", &job.recipe, job.height, job.width, job.channels)) return sslh_i_dummy(c);
    for (i = 0; i < batch.count; i++)
        if (batch.index[i] < 0 || (int64_t)batch.index[i] >= batch.data.count) {
            sslh_fail(c, SSLH_E_USAGE, "sslh_views: sample %d of a data set of %.0f", (int)batch.index[i], (double)batch.data.count);
            return sslh_i_dummy(c);
        }
    out = sslh_i_new(c, "sslh_views", SSLH_F32, sslh_dim4(batch.count, job.recipe.height, job.recipe.width, job.channels));
    if (!out) return sslh_i_dummy(c);
    job.n = batch.count;
    job.seed = batch.seed;
    job.epoch = batch.epoch;
    job.view = view;
    job.index = batch.index;
    job.data = &batch.data;
    job.values = (const char *)field->values;
    job.source = field->type == SSLH_U8 ? 0 : 1;
    job.out = out->data;
    if (!field->values) { /* the callback is called from this thread only */
        size_t bytes = (size_t)job.height * (size_t)job.width * (size_t)job.channels * (field->type == SSLH_U8 ? 1 : sizeof(float)), total;
        fetched = sslh_i_mul(bytes, (size_t)job.n, &total) ? (char *)sslh_i_scratch(c, total) : NULL;
        if (!fetched) return sslh_i_dummy(c);
        for (i = 0; i < job.n; i++) {
            int64_t at = batch.data.order ? batch.data.order[batch.index[i]] : batch.index[i];
            if (field->fetch(field->user, at, fetched + (size_t)i * bytes) == 0) continue;
            sslh_fail(c, SSLH_E_FILE, "sslh_views: .fetch failed for sample %.0f", (double)at);
            sslh_i_unscratch(c, fetched);
            return sslh_i_dummy(c);
        }
        job.values = fetched;
        job.in_order = 1;
    }
    ok = sslh_i_view_run(c, "sslh_views", &job);
    if (fetched) sslh_i_unscratch(c, fetched);
    return ok ? sslh_i_end(c, "sslh_views", NULL, 0, out) : sslh_i_dummy(c);
}

SSLH_DEF sslh_tensor *sslh_augment(sslh_ctx *c, sslh_tensor *x, sslh_recipe recipe, uint64_t stream) {
    sslh_i_view_job job;
    sslh_tensor *out;
    if (!sslh_i_begin(c, "sslh_augment", &x, 1, 0)) return sslh_i_dummy(c);
    if (x->ndim != 4 || x->type == SSLH_I32) {
        char text[96];
        sslh_fail(c, SSLH_E_SHAPE, "sslh_augment: %s: images are (N,H,W,C), real or 8-bit", sslh_i_str(text, sizeof text, sslh_shape_of(x)));
        return sslh_i_dummy(c);
    }
    memset(&job, 0, sizeof job);
    job.recipe = recipe;
    job.n = x->shape[0];
    job.height = x->shape[1];
    job.width = x->shape[2];
    job.channels = x->shape[3];
    if (!sslh_i_recipe_resolve(c, "sslh_augment", &job.recipe, job.height, job.width, job.channels)) return sslh_i_dummy(c);
    out = sslh_i_new(c, "sslh_augment", SSLH_F32, sslh_dim4(job.n, job.recipe.height, job.recipe.width, job.channels));
    if (!out) return sslh_i_dummy(c);
    job.seed = c->desc.seed;
    job.stream = stream;
    job.values = (const char *)sslh_i_get_data(x);
    job.source = x->type == SSLH_U8 ? 0 : 2;
    job.in_order = 1;
    job.out = out->data;
    return sslh_i_view_run(c, "sslh_augment", &job) ? sslh_i_end(c, "sslh_augment", &x, 1, out) : sslh_i_dummy(c);
}

/* Turns of a batch: whole pixels are copied. */
typedef struct sslh_i_turn_job { const char *in; char *out; const int32_t *quarter; int side; size_t pixel; } sslh_i_turn_job;

SSLH_I_FN void sslh_i_turn_task(void *arg, int task, int worker) {
    const sslh_i_turn_job *job = (const sslh_i_turn_job *)arg;
    size_t n = (size_t)job->side, image = n * n * job->pixel, base = (size_t)task * image;
    int q = (int)((uint32_t)job->quarter[task] & 3u), y, x, fy, fx;
    (void)worker;
    if (q == 0) {
        memcpy(job->out + base, job->in + base, image);
        return;
    }
    for (y = 0; y < job->side; y++)
        for (x = 0; x < job->side; x++) {
            sslh_i_turn(q, job->side, y, x, &fy, &fx);
            memcpy(job->out + base + ((size_t)y * n + (size_t)x) * job->pixel, job->in + base + ((size_t)fy * n + (size_t)fx) * job->pixel, job->pixel);
        }
}

SSLH_DEF sslh_tensor *sslh_rotate90(sslh_ctx *c, sslh_tensor *x, const int32_t *quarter) {
    sslh_i_turn_job job;
    sslh_tensor *out;
    if (!sslh_i_begin(c, "sslh_rotate90", &x, 1, 0)) return sslh_i_dummy(c);
    if (x->ndim != 4 || x->shape[1] != x->shape[2] || !quarter) {
        char text[96];
        sslh_fail(c, SSLH_E_SHAPE, "sslh_rotate90: %s: images are (N,H,W,C) with H = W, and the list of turns must not be NULL",
                  sslh_i_str(text, sizeof text, sslh_shape_of(x)));
        return sslh_i_dummy(c);
    }
    out = sslh_i_new(c, "sslh_rotate90", x->type, sslh_shape_of(x));
    if (!out) return sslh_i_dummy(c);
    job.in = (const char *)sslh_i_get_data(x);
    job.out = (char *)sslh_i_get_data(out);
    job.quarter = quarter;
    job.side = x->shape[1];
    job.pixel = (size_t)x->shape[3] * sslh_i_type_size(x->type);
    sslh_i_parallel(c, x->shape[0], sslh_i_turn_task, &job);
    return sslh_i_end(c, "sslh_rotate90", &x, 1, out);
}

/* ================================================================================================================== */
/*  >>method        what all methods share                                                                           */
/* ================================================================================================================== */

SSLH_DEF void sslh_view_add(sslh_view_set *v, const char *name, sslh_tensor *x) {
    if (!v || !x) return;
    if (v->n == 16) {
        sslh_fail(x->ctx, SSLH_E_USAGE, "sslh_view_add: more than 16 views (\"%s\")", name);
        return;
    }
    v->name[v->n] = name;
    v->x[v->n++] = x;
}

SSLH_DEF sslh_tensor *sslh_view_get(const sslh_view_set *v, const char *name) {
    int i;
    for (i = 0; v && i < v->n; i++)
        if (strcmp(v->name[i], name) == 0) return v->x[i];
    return NULL;
}

/* Stream number of a draw that belongs to a sample: tag names the purpose, so that purposes never share numbers. */
SSLH_I_FN uint64_t sslh_i_sample_stream(int tag, int view, int epoch, int32_t sample) {
    return ((uint64_t)(0x80 | (tag & 0x7f)) << 56) | ((uint64_t)(view & 0xf) << 52) | ((uint64_t)(epoch & 0xfffff) << 32) | (uint32_t)sample;
}

SSLH_DEF sslh_method sslh_method_new(sslh_ctx *c, const char *name, sslh_net *encoder, const void *self, size_t self_size) {
    sslh_method m;
    sslh_net_desc d;
    memset(&m, 0, sizeof m);
    memset(&d, 0, sizeof d);
    m.name = name;
    m.ctx = c;
    m.phases = 1;
    m.min_batch = 1;
    m.second_name = "";
    m.encoder = encoder;
    d.name = name;
    m.net = sslh_net_new(c, d);
    if (SSLH_I_BAD(c)) return m;
    if (encoder) sslh_child(m.net, "encoder", encoder);
    if (self && self_size) {
        m.self = sslh_i_alloc(c, self_size);
        if (m.self) memcpy(m.self, self, self_size);
    }
    return m;
}

/* An encoder that a method can use: there, and of the right output kind (-1: any). */
SSLH_I_FN int sslh_i_check_encoder(sslh_ctx *c, const char *op, sslh_net *encoder, int kind) {
    static const char *const kinds[3] = {"a vector (N,D)", "a map (N,H,W,C)", "tokens (N,T,D)"};
    sslh_net_info info;
    if (SSLH_I_BAD(c)) return 0;
    if (!encoder) {
        sslh_fail(c, SSLH_E_USAGE, "%s: the encoder is NULL", op);
        return 0;
    }
    info = sslh_net_query(encoder);
    if (sslh_net_ctx(encoder) != c) sslh_fail(c, SSLH_E_USAGE, "%s: the encoder belongs to another context", op);
    else if (kind >= 0 && (int)info.kind != kind)
        sslh_fail(c, SSLH_E_SHAPE, "%s: the encoder \"%s\" gives %s, %s is needed", op, info.name, kinds[(int)info.kind], kinds[kind]);
    return !SSLH_I_BAD(c);
}

/* Mean and standard deviation of the data into a recipe, and into the encoder for everything that uses it later. */
SSLH_I_FN void sslh_i_normalise_by_data(sslh_recipe *r, sslh_net *encoder, sslh_data data) {
    sslh_preprocess p;
    memset(&p, 0, sizeof p);
    sslh_data_mean_std(data, r->mean, r->std);
    p.height = data.height;
    p.width = data.width;
    p.channels = data.channels;
    memcpy(p.mean, r->mean, sizeof p.mean);
    memcpy(p.std, r->std, sizeof p.std);
    sslh_set_preprocess(encoder, p);
}

/* Remembers the size of the images for sslh_embed, without normalisation. */
SSLH_I_FN void sslh_i_note_size(sslh_net *encoder, sslh_data data) {
    sslh_preprocess p;
    memset(&p, 0, sizeof p);
    p.height = data.height;
    p.width = data.width;
    p.channels = data.channels;
    sslh_set_preprocess(encoder, p);
}

/* Share of rows of logits (N,K) whose largest entry is the label. */
SSLH_I_FN float sslh_i_accuracy(const sslh_tensor *logits, const int32_t *labels) {
    size_t n, k, rows, width;
    int right = 0;
    if (!logits || SSLH_I_BAD(logits->ctx) || logits->ndim != 2) return 0.0f;
    rows = (size_t)logits->shape[0];
    width = (size_t)logits->shape[1];
    for (n = 0; n < rows; n++) {
        size_t best = 0;
        for (k = 1; k < width; k++)
            if (logits->data[n * width + k] > logits->data[n * width + best]) best = k;
        right += (int32_t)best == labels[n];
    }
    return (float)right / (float)rows;
}

/* (N,..,C) -> (N,C): maps and tokens are averaged, vectors stay. */
SSLH_I_FN sslh_tensor *sslh_i_pool_features(sslh_ctx *c, sslh_tensor *x) {
    if (SSLH_I_BAD(c) || x->ndim <= 2) return x;
    return sslh_global_avg_pool(c, x);
}

/* Puts the name of the public function in front of a message that came from inside it. */
SSLH_I_FN void sslh_i_context(sslh_ctx *c, const char *op) {
    char old[sizeof c->message];
    if (!c || c == &sslh_i_dead || c->code == SSLH_OK || strncmp(c->message, op, strlen(op)) == 0) return;
    memcpy(old, c->message, sizeof old);
    snprintf(c->message, sizeof c->message, "%s: %.*s", op, (int)(sizeof old - 64), old);
}

/* Width of a tap after pooling: found by running one blank image. */
SSLH_I_FN int sslh_i_tap_width(sslh_ctx *c, const char *op, sslh_net *encoder, const char *tap) {
    sslh_net_info info;
    sslh_forward_desc f;
    sslh_tensor *y;
    int side, width = 1;
    if (SSLH_I_BAD(c)) return 1;
    info = sslh_net_query(encoder);
    if (!tap) return info.width;
    side = info.image ? info.image : 32;
    memset(&f, 0, sizeof f);
    f.tap = tap;
    sslh_train_mode(encoder, 0);
    sslh_push(c);
    sslh_no_grad(c, 1);
    y = sslh_forward_ex(encoder, sslh_zeros(c, sslh_dim4(1, side, side, info.channels ? info.channels : 3)), f);
    if (!SSLH_I_BAD(c)) width = y->shape[y->ndim - 1];
    else sslh_i_context(c, op);
    sslh_no_grad(c, 0);
    sslh_pop(c);
    sslh_train_mode(encoder, info.training);
    return width;
}

/* Samples at .. at+n-1 of a data set as (n,H,W,C) in [0,1], normalised as the encoder was trained (p NULL: not). */
SSLH_I_FN sslh_tensor *sslh_i_data_tensor(sslh_ctx *c, sslh_data data, int64_t at, int n, const sslh_preprocess *p) {
    sslh_batch b;
    sslh_tensor *x;
    int32_t *index;
    int i;
    size_t j, k, ch;
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    memset(&b, 0, sizeof b);
    index = (int32_t *)sslh_i_scratch(c, (size_t)n * sizeof *index);
    if (!index) return sslh_i_dummy(c);
    for (i = 0; i < n; i++) index[i] = (int32_t)(at + i);
    b.data = data;
    b.count = n;
    b.index = index;
    x = sslh_batch_images(c, b);
    sslh_i_unscratch(c, index);
    if (SSLH_I_BAD(c) || !p) return x;
    ch = (size_t)data.channels;
    for (k = 0; k < ch && k < 4; k++) {
        sslh_real mean = (sslh_real)p->mean[k], inverse = 1 / (sslh_real)(p->std[k] != 0.0f ? p->std[k] : 1.0f);
        if (mean == 0 && inverse == 1) continue;
        for (j = k; j < x->count; j += ch) {
            sslh_real v = x->data[j] - mean;
            x->data[j] = v * inverse;
        }
    }
    return x;
}

/* --- the settings of a run ------------------------------------------------------------------------------------------ */

/* What a run uses after the caller's zeros are replaced by the method's defaults and these by the general ones. */
SSLH_I_FN sslh_train_desc sslh_i_train_resolve(const sslh_method *m, sslh_train_desc d) {
    const sslh_train_desc *b = &m->defaults;
    if (!d.epochs) d.epochs = b->epochs ? b->epochs : 10;
    if (!d.batch) d.batch = b->batch ? b->batch : 256;
    if (d.optimizer.kind == SSLH_OPTIM_DEFAULT) {
        sslh_optimizer_desc given = d.optimizer;
        d.optimizer = b->optimizer;
        if (d.optimizer.kind == SSLH_OPTIM_DEFAULT) d.optimizer.kind = SSLH_SGD;
        if (given.weight_decay != 0.0f) d.optimizer.weight_decay = given.weight_decay;
        if (given.momentum != 0.0f) d.optimizer.momentum = given.momentum;
        if (given.clip != 0.0f) d.optimizer.clip = given.clip;
    }
    if (d.lr == 0.0f) {
        d.lr = b->lr != 0.0f ? b->lr : 0.03f;
        if (m->lr_scales) d.lr = d.lr * (float)d.batch / 256.0f;
    }
    if (d.schedule == SSLH_SCHEDULE_DEFAULT) {
        d.schedule = b->schedule != SSLH_SCHEDULE_DEFAULT ? b->schedule : SSLH_COSINE;
        if (d.milestones[0] == 0.0f) memcpy(d.milestones, b->milestones, sizeof d.milestones);
        if (d.gamma == 0.0f) d.gamma = b->gamma;
    }
    if (d.gamma == 0.0f) d.gamma = 0.1f;
    if (d.warmup == 0.0f) {
        d.warmup = b->warmup;
        /* defaults of long runs: at most a tenth of a short one */
        if (d.warmup > 0.1f * (float)d.epochs) d.warmup = 0.1f * (float)d.epochs;
    }
    if (d.warmup < 0.0f) d.warmup = 0.0f;
    if (!d.accumulate) d.accumulate = 1;
    if (!d.checkpoint_every) d.checkpoint_every = 1;
    return d;
}

SSLH_I_FN float sslh_i_train_lr(const sslh_train_desc *d, int64_t step, int64_t steps, int64_t warmup) {
    switch (d->schedule) {
    case SSLH_CONSTANT: return sslh_constant(step, steps, warmup, d->lr);
    case SSLH_STEPS: return sslh_steps(step, steps, warmup, d->lr, d->milestones, d->gamma);
    case SSLH_LINEAR_DECAY: return sslh_linear_decay(step, steps, warmup, d->lr);
    case SSLH_SCHEDULE_DEFAULT:
    case SSLH_COSINE:
    default: return sslh_cosine(step, steps, warmup, d->lr);
    }
}

SSLH_DEF size_t sslh_method_print(const sslh_method *m, char *out, size_t size) {
    static const char *const optimizers[5] = {"default", "SGD", "Adam", "AdamW", "LARS"};
    static const char *const schedules[5] = {"default", "cosine", "constant", "steps", "linear decay"};
    sslh_train_desc d;
    int n;
    memset(&d, 0, sizeof d);
    if (!m || SSLH_I_BAD(m->ctx)) {
        if (size) out[0] = 0;
        return 0;
    }
    d = sslh_i_train_resolve(m, d);
    n = snprintf(out, size, "%s: encoder %s, %.0f parameters; %s rate %g, decay %g, %s, warm-up %g epochs, batch %d, second number: %s", m->name,
                 m->encoder ? sslh_net_query(m->encoder).name : "none", (double)sslh_net_query(m->net).params, optimizers[(int)d.optimizer.kind],
                 (double)d.lr, (double)d.optimizer.weight_decay, schedules[(int)d.schedule], (double)d.warmup, d.batch, m->second_name);
    return n < 0 ? 0 : (size_t)n;
}

/* ================================================================================================================== */
/*  >>rotation      rotation prediction                                                                              */
/* ================================================================================================================== */

#if SSLH_WITH_ROTATION
/* Gidaris, Singh, Komodakis: "Unsupervised representation learning by predicting image rotations", ICLR 2018.

   Learns from: an image and its three copies turned by 90, 180, 270 degrees. To tell which way is up, the encoder has to
   know what things look like.

       g(x, y)   = x turned by y quarters, y in {0,1,2,3}                                             (1)
       F(x)      = softmax( W f(x) + b ), f the encoder                                               (2)
       L         = mean over images and over all four y of -log F_y( g(x, y) )                        (3)

   Defaults: all four copies of an image in one batch (one random rotation per image is weaker); pad 4, crop, flip and the
   data's mean and std; SGD 0.1, Nesterov 0.9, decay 5e-4, rate divided by 5 at 30, 60 and 80 % of the run (the authors'
   code). ln 4 = 1.386 is the loss of knowing nothing.
   Traps: turning must copy pixels, any interpolation leaves a trace that gives the angle away (hence square images only);
   the pretext accuracy is not the quality of the features: the last block specialises on rotation, probe a middle one
   (.tap of the probe); things without a canonical pose (textures, views from above) give no signal. */

typedef struct sslh_i_rotation { sslh_rotation_desc d; sslh_recipe views; sslh_net *classifier; int given; } sslh_i_rotation;

SSLH_I_FN void sslh_i_rotation_prepare(sslh_method *m, sslh_data data) {
    sslh_i_rotation *s = (sslh_i_rotation *)m->self;
    if (data.height != data.width)
        sslh_fail(m->ctx, SSLH_E_SHAPE, "sslh_rotation: images of %d x %d; only square images can be turned without a trace (crop them)", data.height, data.width);
    if (!s->given) sslh_i_normalise_by_data(&s->views, m->encoder, data);
}

SSLH_I_FN void sslh_i_rotation_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_ctx *c = m->ctx;
    const sslh_i_rotation *s = (const sslh_i_rotation *)m->self;
    int k = s->d.one_per_image ? 1 : s->d.rotations, n = batch->count, i, r;
    sslh_tensor *x = sslh_views(c, *batch, s->views, 0); /* (N,H,W,C) */
    sslh_tensor *copies[4], *label;
    if (SSLH_I_BAD(c)) return;
    label = sslh_i_new(c, "sslh_rotation", SSLH_I32, sslh_dim1(k * n)); /* class: 0 .. rotations-1 */
    if (!label) return;
    for (r = 0; r < k; r++)
        for (i = 0; i < n; i++)
            label->ints[r * n + i] = !s->d.one_per_image ? r
                : (int32_t)sslh_random_below(c->desc.seed, sslh_i_sample_stream('R', 0, batch->epoch, batch->index[i]), 0, (uint32_t)s->d.rotations);
    for (r = 0; r < k; r++) {
        int32_t *quarter = (int32_t *)sslh_i_scratch(c, (size_t)n * sizeof *quarter);
        if (!quarter) return;
        for (i = 0; i < n; i++) quarter[i] = label->ints[r * n + i] * (4 / s->d.rotations); /* 2 classes: 0 and 180 degrees */
        copies[r] = sslh_rotate90(c, x, quarter); /* (1) */
        sslh_i_unscratch(c, quarter);
    }
    sslh_view_add(out, "images", k == 1 ? copies[0] : sslh_concat(c, copies, k, 0)); /* (kN,H,W,C) */
    sslh_view_add(out, "labels", label);                                            /* (kN) */
}

SSLH_I_FN sslh_tensor *sslh_i_rotation_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    sslh_ctx *c = m->ctx;
    const sslh_i_rotation *s = (const sslh_i_rotation *)m->self;
    sslh_tensor *label = sslh_view_get(v, "labels"), *logits;
    sslh_forward_desc f;
    (void)phase;
    memset(&f, 0, sizeof f);
    f.tap = s->d.tap;
    logits = sslh_i_pool_features(c, sslh_forward_ex(m->encoder, sslh_view_get(v, "images"), f));
    logits = sslh_forward(s->classifier, logits);    /* (2), before the softmax */
    if (!SSLH_I_BAD(c)) m->second = sslh_i_accuracy(logits, label->ints);
    return sslh_cross_entropy(c, logits, label);     /* (3) */
}

SSLH_DEF sslh_method sslh_rotation(sslh_ctx *c, sslh_net *encoder, sslh_rotation_desc d) {
    sslh_i_rotation s;
    sslh_method m;
    sslh_mlp_desc head;
    memset(&s, 0, sizeof s);
    if (!d.rotations) d.rotations = 4;
    if (d.rotations != 4 && d.rotations != 2) sslh_fail(c, SSLH_E_USAGE, "sslh_rotation: .rotations is %d (4 or 2)", d.rotations);
    sslh_i_check_encoder(c, "sslh_rotation", encoder, -1);
    s.given = d.views != NULL;
    s.views = d.views ? *d.views : sslh_recipe_rotation();
    s.d = d;
    s.d.views = NULL;
    memset(&head, 0, sizeof head);
    head.in = sslh_i_tap_width(c, "sslh_rotation", encoder, d.tap);
    head.widths[0] = d.rotations;
    s.classifier = sslh_mlp(c, head);
    m = sslh_method_new(c, "rotation", encoder, &s, sizeof s);
    sslh_child(m.net, "classifier", s.classifier);
    m.prepare = sslh_i_rotation_prepare;
    m.views = sslh_i_rotation_views;
    m.loss = sslh_i_rotation_loss;
    m.second_name = "accuracy";
    m.defaults.batch = 128;
    m.defaults.lr = 0.1f;
    m.defaults.optimizer.kind = SSLH_SGD;
    m.defaults.optimizer.nesterov = 1;
    m.defaults.optimizer.weight_decay = 5e-4f;
    m.defaults.schedule = SSLH_STEPS;
    m.defaults.milestones[0] = 0.3f;
    m.defaults.milestones[1] = 0.6f;
    m.defaults.milestones[2] = 0.8f;
    m.defaults.gamma = 0.2f;
    m.defaults.warmup = SSLH_OFF;
    return m;
}
#endif /* SSLH_WITH_ROTATION */

/* ================================================================================================================== */
/*  >>simclr        SimCLR                                                                                           */
/* ================================================================================================================== */

#if SSLH_WITH_SIMCLR
/* Chen, Kornblith, Norouzi, Hinton: "A simple framework for contrastive learning of visual representations", ICML 2020.

   Learns from: two random views of each image. The encoder has to recognise which two of the 2N views in a batch come from
   the same image, whatever crop, colour and mirror did to them.

       h = f(view), z = g(h)                       encoder f, projection head g                       (1)
       s_ij = z_i . z_j / (|z_i| |z_j|)            cosine similarity                                  (2)
       l_ij = -log( e^(s_ij/t) / sum over k != i of e^(s_ik/t) )                                      (3)
       L    = mean of l_ij over the 2N ordered pairs (i, j) of views of one image                     (4)

   Features for later use are h: the head g throws away what the views do not share (colour, say) and is thrown away.
   Defaults (the released code; CIFAR settings for small images): t = 0.5; head of 3 layers with batch norm after each, the
   last without shift; views: crop 0.08 to 1, flip, jitter (0.4, 0.4, 0.4, 0.1) with p 0.8, grey 0.2, no blur, pixels in
   [0,1]; LARS with rate 1.0 x batch / 256 (0.3 for ImageNet), momentum 0.9, decay 1e-4, warm-up of 10 epochs, cosine, made
   for hundreds of epochs: runs of minutes gain from a rate of 3. ln(2N-1) is the loss when every embedding is equal.
   Traps: the sum in (3) has 2N-1 terms, not 2N; accumulating gradients over batches does not add negatives; without
   colour jitter the histogram of colours solves the task; images of one class in a batch are false negatives. */

typedef struct sslh_i_simclr { sslh_simclr_desc d; sslh_recipe views; sslh_net *head; } sslh_i_simclr;

SSLH_I_FN void sslh_i_simclr_prepare(sslh_method *m, sslh_data data) { sslh_i_note_size(m->encoder, data); }

SSLH_I_FN void sslh_i_simclr_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    const sslh_i_simclr *s = (const sslh_i_simclr *)m->self;
    sslh_tensor *x[2];
    x[0] = sslh_views(m->ctx, *batch, s->views, 0);
    x[1] = sslh_views(m->ctx, *batch, s->views, 1);
    sslh_view_add(out, "views", sslh_concat(m->ctx, x, 2, 0)); /* (2N,H,W,C): rows n and N+n are one image */
}

SSLH_I_FN sslh_tensor *sslh_i_simclr_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    sslh_ctx *c = m->ctx;
    const sslh_i_simclr *s = (const sslh_i_simclr *)m->self;
    sslh_tensor *z, *z0, *z1;
    int n;
    (void)phase;
    /* Both views pass together, so that batch norm sees one batch of 2N ("global" batch norm). */
    z = sslh_forward(s->head, sslh_i_pool_features(c, sslh_forward(m->encoder, sslh_view_get(v, "views")))); /* (1): (2N,D) */
    if (SSLH_I_BAD(c)) return z;
    n = z->shape[0] / 2;
    z0 = sslh_slice(c, z, 0, 0, n);
    z1 = sslh_slice(c, z, 0, n, 2 * n);
    return sslh_i_nt_xent(c, z0, z1, s->d.temperature, s->d.decoupled, &m->second); /* (2), (3), (4) */
}

SSLH_DEF sslh_method sslh_simclr(sslh_ctx *c, sslh_net *encoder, sslh_simclr_desc d) {
    sslh_i_simclr s;
    sslh_method m;
    sslh_mlp_desc head;
    int i;
    memset(&s, 0, sizeof s);
    memset(&head, 0, sizeof head);
    if (d.temperature == 0.0f) d.temperature = 0.5f;
    if (!d.head_layers) d.head_layers = 3;
    if (!d.head_out) d.head_out = 128;
    if (!(d.temperature > 0.0f)) sslh_fail(c, SSLH_E_USAGE, "sslh_simclr: .temperature must be above 0");
    if (d.head_layers < 1 || d.head_layers > 7) sslh_fail(c, SSLH_E_USAGE, "sslh_simclr: .head_layers is %d (1 to 7)", d.head_layers);
    if (sslh_i_check_encoder(c, "sslh_simclr", encoder, -1) && !d.head_hidden) d.head_hidden = sslh_net_query(encoder).width;
    s.views = d.views ? *d.views : sslh_recipe_simclr();
    s.d = d;
    s.d.views = NULL;
    head.in = SSLH_I_BAD(c) ? 1 : sslh_net_query(encoder).width;
    for (i = 0; i < d.head_layers && i < 8; i++) head.widths[i] = i == d.head_layers - 1 ? d.head_out : d.head_hidden;
    head.batch_norm = !d.no_head_norm;
    head.last_batch_norm = d.no_head_norm ? 0 : 2; /* without shift */
    head.last_no_bias = !d.no_head_norm;
    s.head = sslh_mlp(c, head);
    m = sslh_method_new(c, "simclr", encoder, &s, sizeof s);
    sslh_child(m.net, "head", s.head);
    m.prepare = sslh_i_simclr_prepare;
    m.views = sslh_i_simclr_views;
    m.loss = sslh_i_simclr_loss;
    m.second_name = "top-1";
    m.min_batch = 2;
    m.defaults.batch = 256;
    m.defaults.lr = 1.0f;
    m.lr_scales = 1;
    m.defaults.optimizer.kind = SSLH_LARS;
    m.defaults.optimizer.weight_decay = 1e-4f;
    m.defaults.schedule = SSLH_COSINE;
    m.defaults.warmup = 10;
    return m;
}
#endif /* SSLH_WITH_SIMCLR */

/* ================================================================================================================== */
/*  >>vae           variational autoencoder                                                                          */
/* ================================================================================================================== */

#if SSLH_WITH_VAE
/* Kingma, Welling: "Auto-encoding variational Bayes", ICLR 2014.

   Learns from: the images themselves. The encoder gives a distribution over codes for each image; a code drawn from it must
   let the decoder rebuild the image, and the distributions together must look like a standard normal.

       q(z|x) = N(mu(x), diag(sigma^2(x))), log sigma^2 = logvar(x)                                   (1)
       z      = mu + sigma e, e ~ N(0, 1)            reparameterisation: gradients reach mu and sigma  (2)
       R      = -sum over pixels of x log y + (1-x) log(1-y), y = decoder(z)     (Bernoulli)           (3)
       KL     = -1/2 sum over j of (1 + logvar_j - mu_j^2 - e^logvar_j)         (appendix B, eq. 10)   (4)
       L      = mean over images of R + beta KL                                 = -ELBO for beta 1     (5)

   Defaults: 784-400-20-400-784, ReLU, Adam 1e-3, batch 128 (pytorch/examples); grey values serve as Bernoulli targets.
   Knowing nothing costs 784 ln 2 = 543 nats on MNIST.
   Traps: (3) is a SUM over pixels: with a mean the KL term wins and the code is ignored; numbers can be compared only with
   the same binarisation; KL at 0 is posterior collapse, hence it is the second number. */

typedef struct sslh_i_vae_net { int in, hidden, latent, activation; } sslh_i_vae_net;
typedef struct sslh_i_vae { sslh_vae_desc d; sslh_net *decoder; } sslh_i_vae;

/* fc1, fc21, fc22: (N,H,W,C) -> posterior mean (N,latent); tap "posterior": mean and log-variance (N,2 latent) */
SSLH_I_FN sslh_tensor *sslh_i_vae_encoder(sslh_net *net, sslh_tensor *x, const void *self) {
    const sslh_i_vae_net *s = (const sslh_i_vae_net *)self;
    sslh_ctx *c = sslh_net_ctx(net);
    sslh_tensor *h, *p[2], *both;
    x = sslh_reshape(c, x, sslh_dim2(-1, s->in));
    h = sslh_layer_linear(net, 0, x, 0, (sslh_activation)s->activation);
    p[0] = sslh_layer_linear(net, 2, h, 0, SSLH_LINEAR);
    if (!sslh_call(net)->tap) return p[0];
    p[1] = sslh_layer_linear(net, 4, h, 0, SSLH_LINEAR);
    both = sslh_concat(c, p, 2, 1);
    if (sslh_tap(net, "posterior", both)) return both;
    return p[0];
}

/* fc3, fc4: (N,latent) -> logits of the pixels (N,H W C) */
SSLH_I_FN sslh_tensor *sslh_i_vae_decoder(sslh_net *net, sslh_tensor *z, const void *self) {
    const sslh_i_vae_net *s = (const sslh_i_vae_net *)self;
    return sslh_layer_linear(net, 2, sslh_layer_linear(net, 0, z, 0, (sslh_activation)s->activation), 0, SSLH_LINEAR);
}

SSLH_DEF void sslh_vae_encode(sslh_method *m, sslh_tensor *x, sslh_tensor **mu, sslh_tensor **logvar) {
    const sslh_i_vae *s = (const sslh_i_vae *)m->self;
    sslh_forward_desc f;
    sslh_tensor *p;
    *mu = *logvar = sslh_i_dummy(m->ctx);
    if (SSLH_I_BAD(m->ctx)) return;
    memset(&f, 0, sizeof f);
    f.tap = "posterior";
    p = sslh_forward_ex(m->encoder, x, f);
    *mu = sslh_slice(m->ctx, p, 1, 0, s->d.latent);
    *logvar = sslh_slice(m->ctx, p, 1, s->d.latent, 2 * s->d.latent);
}

SSLH_DEF sslh_tensor *sslh_vae_decode(sslh_method *m, sslh_tensor *z) {
    const sslh_i_vae *s = (const sslh_i_vae *)m->self;
    sslh_tensor *y;
    if (SSLH_I_BAD(m->ctx)) return sslh_i_dummy(m->ctx);
    y = sslh_forward(s->decoder, z);
    if (!s->d.gaussian) y = sslh_sigmoid(m->ctx, y);
    return sslh_reshape(m->ctx, y, sslh_dim4(-1, s->d.height, s->d.width, s->d.channels));
}

SSLH_DEF sslh_tensor *sslh_gaussian_kl(sslh_ctx *c, sslh_tensor *mu, sslh_tensor *logvar) {
    sslh_tensor *t = sslh_sub(c, sslh_shift(c, logvar, 1.0f), sslh_add(c, sslh_square(c, mu), sslh_exp(c, logvar)));
    if (SSLH_I_BAD(c)) return t;
    return sslh_scale(c, sslh_sum(c, t, SSLH_ALL, 0), -0.5f / (float)(mu->count / (size_t)mu->shape[mu->ndim - 1])); /* (4), mean */
}

SSLH_I_FN void sslh_i_vae_prepare(sslh_method *m, sslh_data data) {
    const sslh_i_vae *s = (const sslh_i_vae *)m->self;
    if (data.height != s->d.height || data.width != s->d.width || data.channels != s->d.channels)
        sslh_fail(m->ctx, SSLH_E_SHAPE, "sslh_vae: made for images of %d x %d x %d, the data has %d x %d x %d", s->d.height, s->d.width, s->d.channels,
                  data.height, data.width, data.channels);
    sslh_i_note_size(m->encoder, data);
}

SSLH_I_FN void sslh_i_vae_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_view_add(out, "images", sslh_batch_images(m->ctx, *batch)); /* (N,H,W,C) in [0,1] */
}

/* The two terms of (5) for images x (N,H,W,C), per image. */
SSLH_I_FN void sslh_i_vae_terms(sslh_method *m, sslh_tensor *x, sslh_tensor **reconstruction, sslh_tensor **kl) {
    sslh_ctx *c = m->ctx;
    const sslh_i_vae *s = (const sslh_i_vae *)m->self;
    sslh_tensor *mu, *logvar, *noise, *z, *y, *flat;
    int in = s->d.height * s->d.width * s->d.channels;
    *reconstruction = *kl = sslh_i_dummy(c);
    sslh_vae_encode(m, x, &mu, &logvar); /* (1) */
    if (SSLH_I_BAD(c)) return;
    noise = sslh_normal(c, sslh_shape_of(mu), 0.0f, 1.0f);
    z = sslh_add(c, mu, sslh_mul(c, sslh_exp(c, sslh_scale(c, logvar, 0.5f)), noise)); /* (2) */
    y = sslh_forward(s->decoder, z);
    flat = sslh_reshape(c, x, sslh_dim2(-1, in));
    /* mean over N and pixels, times the number of pixels: the sum of (3), mean over images */
    *reconstruction = s->d.gaussian ? sslh_scale(c, sslh_mse(c, y, flat), 0.5f * (float)in) : sslh_scale(c, sslh_bce_with_logits(c, y, flat), (float)in);
    *kl = sslh_gaussian_kl(c, mu, logvar); /* (4) */
}

SSLH_I_FN sslh_tensor *sslh_i_vae_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    const sslh_i_vae *s = (const sslh_i_vae *)m->self;
    sslh_tensor *reconstruction, *kl;
    (void)phase;
    sslh_i_vae_terms(m, sslh_view_get(v, "images"), &reconstruction, &kl);
    m->second = sslh_item(kl);
    return sslh_add(m->ctx, reconstruction, sslh_scale(m->ctx, kl, s->d.beta)); /* (5) */
}

SSLH_DEF sslh_method sslh_vae(sslh_ctx *c, sslh_vae_desc d) {
    sslh_i_vae s;
    sslh_i_vae_net e;
    sslh_method m;
    sslh_net_desc n;
    sslh_net *encoder;
    memset(&s, 0, sizeof s);
    memset(&n, 0, sizeof n);
    if (!d.channels) d.channels = 1;
    if (!d.hidden) d.hidden = 400;
    if (!d.latent) d.latent = 20;
    if (d.beta == 0.0f) d.beta = 1.0f;
    if (d.beta < 0.0f) d.beta = 0.0f;
    if (d.height <= 0 || d.width <= 0 || d.channels < 0 || d.hidden < 0 || d.latent < 0 || d.height > 4096 || d.width > 4096 || d.channels > 16)
        sslh_fail(c, SSLH_E_USAGE, "sslh_vae: images of %d x %d x %d, .hidden %d, .latent %d: sizes must be given and positive", d.height, d.width, d.channels, d.hidden, d.latent);
    s.d = d;
    e.in = SSLH_I_BAD(c) ? 1 : d.height * d.width * d.channels;
    e.hidden = d.hidden;
    e.latent = d.latent;
    e.activation = d.activation_tanh ? SSLH_TANH : SSLH_RELU;
    n.name = "vae_encoder";
    n.forward = sslh_i_vae_encoder;
    n.self = &e;
    n.self_size = sizeof e;
    n.kind = SSLH_VECTOR;
    n.width = d.latent;
    n.channels = d.channels;
    encoder = sslh_net_new(c, n);
    sslh_layer_linear_new(encoder, "fc1", e.in, d.hidden, 0);
    sslh_layer_linear_new(encoder, "fc21", d.hidden, d.latent, 0);
    sslh_layer_linear_new(encoder, "fc22", d.hidden, d.latent, 0);
    n.name = "vae_decoder";
    n.forward = sslh_i_vae_decoder;
    n.width = e.in;
    n.channels = 0;
    s.decoder = sslh_net_new(c, n);
    sslh_layer_linear_new(s.decoder, "fc3", d.latent, d.hidden, 0);
    sslh_layer_linear_new(s.decoder, "fc4", d.hidden, e.in, 0);
    m = sslh_method_new(c, "vae", encoder, &s, sizeof s);
    sslh_child(m.net, "decoder", s.decoder);
    m.prepare = sslh_i_vae_prepare;
    m.views = sslh_i_vae_views;
    m.loss = sslh_i_vae_loss;
    m.second_name = "KL";
    m.defaults.batch = 128;
    m.defaults.lr = 1e-3f;
    m.defaults.optimizer.kind = SSLH_ADAM;
    m.defaults.schedule = SSLH_CONSTANT;
    m.defaults.warmup = SSLH_OFF;
    return m;
}

SSLH_DEF sslh_vae_score sslh_vae_evaluate(sslh_method *m, sslh_data data) {
    sslh_vae_score score;
    sslh_ctx *c = m->ctx;
    const sslh_i_vae *s = (const sslh_i_vae *)m->self;
    double r = 0, k = 0;
    int64_t at;
    int j, was_training, batch = 200;
    double *sum, *sum2;
    memset(&score, 0, sizeof score);
    if (SSLH_I_BAD(c)) return score;
    sum = (double *)sslh_i_alloc(c, 2 * (size_t)s->d.latent * sizeof *sum);
    if (!sum) return score;
    sum2 = sum + s->d.latent;
    was_training = sslh_is_training(m->net);
    sslh_train_mode(m->net, 0);
    for (at = 0; at < data.count && !SSLH_I_BAD(c); at += batch) {
        int n = (int)SSLH_I_MIN((int64_t)batch, data.count - at), i;
        sslh_tensor *x, *rt, *kt, *mu, *logvar;
        sslh_push(c);
        sslh_no_grad(c, 1);
        c->stream += (uint64_t)at; /* other noise for every batch; sslh_pop puts the stream back */
        x = sslh_i_data_tensor(c, data, at, n, NULL);
        sslh_i_vae_terms(m, x, &rt, &kt);
        r += (double)sslh_item(rt) * n;
        k += (double)sslh_item(kt) * n;
        sslh_vae_encode(m, x, &mu, &logvar);
        for (i = 0; i < n && !SSLH_I_BAD(c); i++)
            for (j = 0; j < s->d.latent; j++) {
                double v = (double)mu->data[i * s->d.latent + j];
                sum[j] += v;
                sum2[j] += v * v;
            }
        sslh_no_grad(c, 0);
        sslh_pop(c);
    }
    sslh_train_mode(m->net, was_training);
    for (j = 0; j < s->d.latent; j++) {
        double mean = sum[j] / (double)data.count;
        score.active_units += sum2[j] / (double)data.count - mean * mean > 0.01; /* Burda et al. 2016 */
    }
    score.reconstruction = (float)(r / (double)data.count);
    score.kl = (float)(k / (double)data.count);
    score.loss = (float)((r + (double)s->d.beta * k) / (double)data.count);
    sslh_i_free(c, sum);
    return score;
}
#endif /* SSLH_WITH_VAE */

/* ================================================================================================================== */
/*  >>mae           masked autoencoder                                                                               */
/* ================================================================================================================== */

#if SSLH_WITH_MAE
/* He, Chen, Xie, Li, Dollar, Girshick: "Masked autoencoders are scalable vision learners", CVPR 2022.

   Learns from: a quarter of an image's patches. The encoder sees only those, a small decoder has to paint the others.

       x_p, p = 1..P           the patches of an image, p x p x C values each                         (1)
       V = the first (1-r)P of a random order of 1..P, drawn anew for each image                      (2)
       h = encoder( {x_p + position p : p in V} )        class token included                         (3)
       y = decoder( h in their places, a learned mask token elsewhere, + positions )                  (4)
       t_p = (x_p - mean(x_p)) / sqrt(var(x_p) + 1e-6)   each patch by its own mean and variance      (5)
       L = mean over hidden patches p and their values of (y_p - t_p)^2                               (6)

   Defaults: r = 0.75; decoder 4 blocks of width 96 (the paper's 8 of 512, for small images); positions fixed sine-cosine
   in encoder (a flag of sslh_vit) and decoder; AdamW (0.9, 0.95), rate 1.5e-4 x batch / 256, decay 0.05, warm-up 40
   epochs, cosine; views: crop 0.2 to 1 and flip, normalised by the data. Predicting 0 costs (n-1)/n for n values per patch,
   because the variance in (5) is the unbiased one; the second number is 1 - L / ((n-1)/n), the share explained.
   Traps: forgetting to put tokens back in their places; a loss on visible patches; a patch of 16 on a 32-pixel image;
   pictures need the mean and deviation of (5) back; a linear probe shows little of what fine-tuning shows. */

typedef struct sslh_i_mae_net { int width, depth, heads, patches, out, norm, blocks, pred; } sslh_i_mae_net;
typedef struct sslh_i_mae { sslh_mae_desc d; sslh_recipe views; sslh_net *decoder; int patch, patches, visible, given; } sslh_i_mae;

SSLH_DEF sslh_tensor *sslh_patchify(sslh_ctx *c, sslh_tensor *x, int patch) {
    static const int order[6] = {0, 1, 3, 2, 4, 5}; /* N,gh,p,gw,p,C -> N,gh,gw,p,p,C */
    char text[96];
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    if (!x || x->ndim != 4 || patch < 1 || x->shape[1] % patch || x->shape[2] % patch) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_patchify: images (N,H,W,C) with sides divisible by the patch of %d are needed, not %s", patch,
                  x ? sslh_i_str(text, sizeof text, sslh_shape_of(x)) : "NULL");
        return sslh_i_dummy(c);
    }
    {
        int n = x->shape[0], gh = x->shape[1] / patch, gw = x->shape[2] / patch, ch = x->shape[3];
        x = sslh_permute(c, sslh_reshape(c, x, sslh_dim6(n, gh, patch, gw, patch, ch)), order);
        return sslh_reshape(c, x, sslh_dim3(n, gh * gw, patch * patch * ch)); /* (1) */
    }
}

SSLH_DEF sslh_tensor *sslh_unpatchify(sslh_ctx *c, sslh_tensor *x, int patch, int height, int width) {
    static const int order[6] = {0, 1, 3, 2, 4, 5};
    char text[96];
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    if (!x || x->ndim != 3 || patch < 1 || height < patch || width < patch || height % patch || width % patch ||
        x->shape[1] != (height / patch) * (width / patch) || x->shape[2] % (patch * patch)) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_unpatchify: %s are not the patches of %d x %d images with a patch of %d",
                  x ? sslh_i_str(text, sizeof text, sslh_shape_of(x)) : "NULL", height, width, patch);
        return sslh_i_dummy(c);
    }
    {
        int n = x->shape[0], ch = x->shape[2] / (patch * patch);
        x = sslh_permute(c, sslh_reshape(c, x, sslh_dim6(n, height / patch, width / patch, patch, patch, ch)), order);
        return sslh_reshape(c, x, sslh_dim4(n, height, width, ch));
    }
}

/* (2) for n images: keep (n,V) the visible patches in their random order, restore (n,P) where each patch went, hidden (n,P)
   1 for hidden patches. stream_of gives every image its own stream. */
SSLH_I_FN void sslh_i_mae_mask(sslh_ctx *c, const sslh_i_mae *s, const uint64_t *streams, int n, sslh_tensor **keep, sslh_tensor **restore, sslh_tensor **hidden) {
    int32_t *order;
    int i, p;
    *keep = sslh_i_new(c, "sslh_mae", SSLH_I32, sslh_dim2(n, s->visible));
    *restore = sslh_i_new(c, "sslh_mae", SSLH_I32, sslh_dim2(n, s->patches));
    *hidden = sslh_i_new(c, "sslh_mae", SSLH_F32, sslh_dim2(n, s->patches));
    order = (int32_t *)sslh_i_scratch(c, (size_t)s->patches * sizeof *order);
    if (!*keep || !*restore || !*hidden || !order) {
        *keep = *restore = *hidden = sslh_i_dummy(c);
        sslh_i_unscratch(c, order);
        return;
    }
    for (i = 0; i < n; i++) {
        sslh_random_permutation(c->desc.seed, streams[i], order, s->patches);
        for (p = 0; p < s->patches; p++) {
            if (p < s->visible) (*keep)->ints[i * s->visible + p] = order[p];
            (*restore)->ints[i * s->patches + order[p]] = p;
            (*hidden)->data[i * s->patches + order[p]] = p >= s->visible;
        }
    }
    sslh_i_unscratch(c, order);
}

/* (4): x (N,1+V,D) encoder tokens; the call's keep is restore (N,P) -> (N,P,p p C) */
SSLH_I_FN sslh_tensor *sslh_i_mae_decoder(sslh_net *net, sslh_tensor *x, const void *self) {
    const sslh_i_mae_net *s = (const sslh_i_mae_net *)self;
    sslh_ctx *c = sslh_net_ctx(net);
    sslh_tensor *part[2], *y, *class_token;
    int n, visible, i;
    y = sslh_layer_linear(net, 0, x, 0, SSLH_LINEAR); /* decoder_embed: (N,1+V,Dd) */
    if (SSLH_I_BAD(c)) return y;
    n = y->shape[0];
    visible = y->shape[1] - 1;
    class_token = sslh_slice(c, y, 1, 0, 1);
    part[0] = sslh_slice(c, y, 1, 1, 1 + visible);
    part[1] = sslh_broadcast(c, sslh_param(net, 2), sslh_dim3(n, s->patches - visible, s->width)); /* mask tokens */
    part[1] = sslh_gather(c, sslh_concat(c, part, 2, 1), sslh_call(net)->keep);                  /* back in their places */
    part[0] = class_token;
    y = sslh_add(c, sslh_concat(c, part, 2, 1), sslh_state(net, s->pred + 2)); /* + decoder_pos_embed (1,1+P,Dd) */
    for (i = 0; i < s->depth; i++) y = sslh_i_vit_block(net, s->blocks + 12 * i, y, s->heads, 0.0f, NULL);
    y = sslh_layer_layer_norm(net, s->norm, y, 1e-6f);
    y = sslh_layer_linear(net, s->pred, y, 0, SSLH_LINEAR); /* (N,1+P,p p C) */
    return sslh_slice(c, y, 1, 1, 1 + s->patches);
}

SSLH_I_FN void sslh_i_mae_prepare(sslh_method *m, sslh_data data) {
    sslh_i_mae *s = (sslh_i_mae *)m->self;
    if (!s->given) sslh_i_normalise_by_data(&s->views, m->encoder, data);
}

SSLH_I_FN void sslh_i_mae_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_ctx *c = m->ctx;
    const sslh_i_mae *s = (const sslh_i_mae *)m->self;
    sslh_tensor *keep, *restore, *hidden, *x = sslh_views(c, *batch, s->views, 0); /* (N,H,W,C) */
    uint64_t *streams = (uint64_t *)sslh_i_scratch(c, (size_t)batch->count * sizeof *streams);
    int i;
    if (!streams || SSLH_I_BAD(c)) return;
    for (i = 0; i < batch->count; i++) streams[i] = sslh_i_sample_stream('M', 0, batch->epoch, batch->index[i]);
    sslh_i_mae_mask(c, s, streams, batch->count, &keep, &restore, &hidden);
    sslh_i_unscratch(c, streams);
    sslh_view_add(out, "images", x);
    sslh_view_add(out, "keep", keep);
    sslh_view_add(out, "restore", restore);
    sslh_view_add(out, "hidden", hidden);
}

/* (3), (4): predictions for all patches (N,P,n) */
SSLH_I_FN sslh_tensor *sslh_i_mae_predict(sslh_method *m, sslh_tensor *x, sslh_tensor *keep, sslh_tensor *restore) {
    const sslh_i_mae *s = (const sslh_i_mae *)m->self;
    sslh_forward_desc f;
    sslh_tensor *tokens;
    memset(&f, 0, sizeof f);
    f.tap = "tokens";
    f.keep = keep;
    tokens = sslh_forward_ex(m->encoder, x, f); /* (N,1+V,D) */
    f.tap = NULL;
    f.keep = restore;
    return sslh_forward_ex(s->decoder, tokens, f);
}

/* (5): targets (N,P,n) of patches; mean and deviation (N,P,1) for the way back */
SSLH_I_FN sslh_tensor *sslh_i_mae_target(sslh_method *m, sslh_tensor *patches, sslh_tensor **mean, sslh_tensor **std) {
    sslh_ctx *c = m->ctx;
    const sslh_i_mae *s = (const sslh_i_mae *)m->self;
    *mean = sslh_mean(c, patches, SSLH_AXIS(-1), 1);
    *std = sslh_sqrt(c, sslh_shift(c, sslh_variance(c, patches, SSLH_AXIS(-1), 1, 1), 1e-6f));
    return s->d.raw_pixels ? patches : sslh_div(c, sslh_sub(c, patches, *mean), *std);
}

SSLH_I_FN sslh_tensor *sslh_i_mae_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    sslh_ctx *c = m->ctx;
    const sslh_i_mae *s = (const sslh_i_mae *)m->self;
    sslh_tensor *x = sslh_view_get(v, "images"), *hidden = sslh_view_get(v, "hidden"), *y, *t, *mean, *std, *per_patch, *loss;
    float values;
    (void)phase;
    y = sslh_i_mae_predict(m, x, sslh_view_get(v, "keep"), sslh_view_get(v, "restore"));
    t = sslh_i_mae_target(m, sslh_patchify(c, x, s->patch), &mean, &std);
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    per_patch = sslh_mean(c, sslh_square(c, sslh_sub(c, y, t)), SSLH_AXIS(-1), 0); /* (N,P) */
    loss = sslh_scale(c, sslh_sum(c, sslh_mul(c, per_patch, hidden), SSLH_ALL, 0),
                      1.0f / (float)(x->shape[0] * (s->patches - s->visible))); /* (6) */
    values = (float)t->shape[2];
    m->second = 1.0f - sslh_item(loss) * values / (values - 1.0f);
    return loss;
}

SSLH_DEF void sslh_mae_reconstruct(sslh_method *m, sslh_tensor *x, uint64_t stream, sslh_tensor **masked, sslh_tensor **filled) {
    sslh_ctx *c = m->ctx;
    const sslh_i_mae *s = (const sslh_i_mae *)m->self;
    sslh_tensor *keep, *restore, *hidden, *patches, *mean, *std, *y, *shown;
    uint64_t *streams;
    int i, was_training;
    *masked = *filled = sslh_i_dummy(c);
    if (SSLH_I_BAD(c) || !sslh_i_begin(c, "sslh_mae_reconstruct", &x, 1, 1)) return;
    if (x->ndim != 4) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_mae_reconstruct: images (N,H,W,C) are needed");
        return;
    }
    streams = (uint64_t *)sslh_i_scratch(c, (size_t)x->shape[0] * sizeof *streams);
    if (!streams) return;
    for (i = 0; i < x->shape[0]; i++) streams[i] = sslh_i_sample_stream('P', 0, (int)(stream & 0xfffff), i);
    sslh_i_mae_mask(c, s, streams, x->shape[0], &keep, &restore, &hidden);
    sslh_i_unscratch(c, streams);
    was_training = sslh_is_training(m->net);
    sslh_train_mode(m->net, 0);
    sslh_no_grad(c, 1);
    y = sslh_i_mae_predict(m, x, keep, restore);
    patches = sslh_patchify(c, x, s->patch);
    sslh_i_mae_target(m, patches, &mean, &std);
    if (!s->d.raw_pixels) y = sslh_add(c, sslh_mul(c, y, std), mean); /* (5) backwards */
    if (!SSLH_I_BAD(c)) {
        hidden = sslh_reshape(c, hidden, sslh_dim3(x->shape[0], s->patches, 1));
        shown = sslh_where(c, hidden, sslh_mean(c, patches, SSLH_ALL, 1), patches); /* hidden patches: the mean of all */
        *masked = sslh_unpatchify(c, shown, s->patch, x->shape[1], x->shape[2]);
        *filled = sslh_unpatchify(c, sslh_where(c, hidden, y, patches), s->patch, x->shape[1], x->shape[2]);
    }
    sslh_no_grad(c, 0);
    sslh_train_mode(m->net, was_training);
}

SSLH_DEF sslh_method sslh_mae(sslh_ctx *c, sslh_net *encoder, sslh_mae_desc d) {
    sslh_i_mae s;
    sslh_i_mae_net n;
    sslh_method m;
    sslh_net_desc nd;
    sslh_net_info info;
    const sslh_tensor *projection = NULL; /* patch_embed.proj.weight (D,p,p,C) */
    int grid = 1, i, channels = 1;
    memset(&s, 0, sizeof s);
    memset(&n, 0, sizeof n);
    memset(&nd, 0, sizeof nd);
    memset(&info, 0, sizeof info);
    if (d.mask == 0.0f) d.mask = 0.75f;
    if (!d.decoder_width) d.decoder_width = 96;
    if (!d.decoder_depth) d.decoder_depth = 4;
    if (!d.decoder_heads) d.decoder_heads = 3;
    if (sslh_i_check_encoder(c, "sslh_mae", encoder, -1)) {
        info = sslh_net_query(encoder);
        projection = sslh_find(encoder, "patch_embed.proj.weight");
        if (!projection || !info.image) sslh_fail(c, SSLH_E_USAGE, "sslh_mae: the encoder \"%s\" has no patches; a transformer on patches (sslh_vit) is needed", info.name);
    }
    s.patch = 1;
    if (!SSLH_I_BAD(c)) {
        s.patch = projection->shape[1];
        grid = info.image / s.patch;
        channels = projection->shape[3];
    }
    s.patches = grid * grid;
    s.visible = (int)((float)s.patches * (1.0f - d.mask));
    if (!SSLH_I_BAD(c) && (s.visible < 1 || s.visible >= s.patches))
        sslh_fail(c, SSLH_E_USAGE, "sslh_mae: a mask of %g leaves %d of %d patches visible; at least one must be seen and one hidden (smaller patches?)",
                  (double)d.mask, s.visible, s.patches);
    if (d.decoder_width < 4 || d.decoder_width % 4 || d.decoder_heads < 1 || d.decoder_width % d.decoder_heads || d.decoder_depth < 1)
        sslh_fail(c, SSLH_E_USAGE, "sslh_mae: decoder of width %d, %d heads, %d blocks: the width must be a multiple of 4 and of the heads", d.decoder_width,
                  d.decoder_heads, d.decoder_depth);
    s.given = d.views != NULL;
    s.views = d.views ? *d.views : sslh_recipe_mae();
    s.d = d;
    s.d.views = NULL;
    n.width = d.decoder_width;
    n.depth = d.decoder_depth;
    n.heads = d.decoder_heads;
    n.patches = s.patches;
    n.out = s.patch * s.patch * channels;
    /* declared below in this order: decoder_embed (2), mask_token, blocks (12 each), decoder_norm (2), decoder_pred (2), positions */
    n.blocks = 3;
    n.norm = n.blocks + 12 * n.depth;
    n.pred = n.norm + 2;
    nd.name = "mae_decoder";
    nd.forward = sslh_i_mae_decoder;
    nd.self = &n;
    nd.self_size = sizeof n;
    nd.kind = SSLH_TOKENS;
    nd.width = n.out;
    s.decoder = sslh_net_new(c, nd);
    if (!SSLH_I_BAD(c)) {
        sslh_i_xavier_new(s.decoder, "decoder_embed", info.width, n.width);
        sslh_param_new(s.decoder, "mask_token", sslh_dim3(1, 1, n.width), SSLH_INIT_NORMAL, 0.02f);
        for (i = 0; i < n.depth; i++) {
            char name[32];
            snprintf(name, sizeof name, "decoder_blocks.%d", i);
            sslh_i_vit_block_new(s.decoder, name, n.width, 4 * n.width);
        }
        sslh_layer_layer_norm_new(s.decoder, "decoder_norm", n.width);
        sslh_i_xavier_new(s.decoder, "decoder_pred", n.width, n.out);
        sslh_i_sub_new(s.decoder, "", "decoder_pos_embed", 0, SSLH_F32, sslh_dim3(1, 1 + s.patches, n.width), SSLH_INIT_POSITIONS, (float)grid);
    }
    m = sslh_method_new(c, "mae", encoder, &s, sizeof s);
    sslh_child(m.net, "decoder", s.decoder);
    m.prepare = sslh_i_mae_prepare;
    m.views = sslh_i_mae_views;
    m.loss = sslh_i_mae_loss;
    m.second_name = "explained";
    m.defaults.batch = 256;
    m.defaults.lr = 1.5e-4f;
    m.lr_scales = 1;
    m.defaults.optimizer.kind = SSLH_ADAMW;
    m.defaults.optimizer.beta2 = 0.95f;
    m.defaults.optimizer.weight_decay = 0.05f;
    m.defaults.schedule = SSLH_COSINE;
    m.defaults.warmup = 40;
    return m;
}
#endif /* SSLH_WITH_MAE */

/* ================================================================================================================== */
/*  >>eval          probe, kNN, fine-tuning, meters                                                                  */
/* ================================================================================================================== */

/* --- features ------------------------------------------------------------------------------------------------------- */

/* (n,H,W,C) -> (n,g,g,C) -> (n, g g C): average over a grid, for probes of early maps. */
SSLH_I_FN sslh_tensor *sslh_i_pool_grid(sslh_ctx *c, sslh_tensor *x, int grid) {
    int k;
    if (SSLH_I_BAD(c)) return x;
    k = SSLH_I_MIN(x->shape[1], x->shape[2]) / grid;
    if (k < 1) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_features: .pool_grid %d is finer than the map of %d x %d", grid, x->shape[1], x->shape[2]);
        return x;
    }
    return k == 1 ? x : sslh_avg_pool2d(c, x, k, k, 0);
}

SSLH_DEF sslh_tensor *sslh_features(sslh_ctx *c, sslh_net *encoder, sslh_data data, sslh_feature_desc d) {
    sslh_tensor *all = NULL;
    sslh_preprocess p;
    sslh_forward_desc f;
    int64_t at;
    int training = 0;
    if (SSLH_I_BAD(c)) return sslh_i_dummy(c);
    if (data.ctx == NULL || data.count < 1 || data.height < 1 || data.count > INT_MAX) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_features: the data set is empty or has no images");
        return sslh_i_dummy(c);
    }
    if (!d.batch) d.batch = 256;
    if (!d.pool_grid) d.pool_grid = 1;
    memset(&f, 0, sizeof f);
    memset(&p, 0, sizeof p);
    f.tap = d.tap;
    if (encoder) {
        p = sslh_get_preprocess(encoder);
        training = sslh_is_training(encoder);
        sslh_train_mode(encoder, 0);
    }
    for (at = 0; at < data.count && !SSLH_I_BAD(c); at += d.batch) {
        int n = (int)SSLH_I_MIN((int64_t)d.batch, data.count - at);
        sslh_tensor *x;
        sslh_push(c);
        sslh_no_grad(c, 1);
        x = sslh_i_data_tensor(c, data, at, n, encoder ? &p : NULL); /* (n,H,W,C) */
        if (encoder) {
            x = sslh_forward_ex(encoder, x, f);
            if (!SSLH_I_BAD(c) && x->ndim == 4 && d.pool_grid > 1) x = sslh_i_pool_grid(c, x, d.pool_grid);
            else if (!SSLH_I_BAD(c) && x->ndim > 2) x = d.max_pool ? sslh_global_max_pool(c, x) : sslh_global_avg_pool(c, x);
        }
        x = sslh_reshape(c, x, sslh_dim2(n, -1)); /* (n,D) */
        if (!SSLH_I_BAD(c) && !all) all = sslh_i_persistent(c, "sslh_features", SSLH_F32, sslh_dim2((int)data.count, x->shape[1]));
        if (all && !SSLH_I_BAD(c)) memcpy(all->data + (size_t)at * (size_t)all->shape[1], x->data, x->count * sizeof *x->data);
        sslh_no_grad(c, 0);
        sslh_pop(c);
    }
    if (encoder) sslh_train_mode(encoder, training);
    return all && !SSLH_I_BAD(c) ? all : sslh_i_dummy(c);
}

/* Labels of a data set, checked. */
SSLH_I_FN int sslh_i_check_labels(sslh_ctx *c, const char *op, sslh_data train, sslh_data test) {
    if (SSLH_I_BAD(c)) return 0;
    if (train.ctx == NULL || test.ctx == NULL || train.count < 1 || test.count < 1) sslh_fail(c, SSLH_E_USAGE, "%s: a data set is empty", op);
    else if (!train.labels || !test.labels) sslh_fail(c, SSLH_E_USAGE, "%s: the %s data has no labels, a probe needs them", op, train.labels ? "test" : "training");
    else if (train.height != test.height || train.width != test.width || train.channels != test.channels)
        sslh_fail(c, SSLH_E_SHAPE, "%s: training images of %d x %d x %d, test images of %d x %d x %d", op, train.height, train.width, train.channels, test.height,
                  test.width, test.channels);
    return !SSLH_I_BAD(c);
}

SSLH_I_FN sslh_data sslh_i_label_share(sslh_data d, float fraction, uint64_t seed) {
    return fraction > 0.0f && fraction < 1.0f ? sslh_data_fraction(d, (double)fraction, seed) : d;
}

/* --- linear probe --------------------------------------------------------------------------------------------------- */
/* Multinomial logistic regression on standardised features,
       L(W, b) = mean over samples of cross-entropy(W x + b, y) + l2/2 |W|^2
   minimised by L-BFGS (Nocedal 1980; two-loop recursion, 10 pairs, backtracking until the loss has fallen enough). */

typedef struct sslh_i_lbfgs { sslh_real *x, *g, *d, *x0, *g0, *s, *y; double rho[10], alpha[10]; size_t n; int pairs, newest; } sslh_i_lbfgs;

SSLH_I_FN double sslh_i_dot(const sslh_real *a, const sslh_real *b, size_t n) {
    double part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    size_t i;
    for (i = 0; i < n; i++) {
        double p = (double)a[i] * (double)b[i];
        part[i & 7] += p;
    }
    return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

/* A probe in work: data, parameters (one flat array: weight (K,D), then bias (K)), its gradient. */
typedef struct sslh_i_probe { sslh_tensor *x, *y, *weight, *bias; float l2; } sslh_i_probe;

/* Loss; the gradient goes to the tensors' .grad. */
SSLH_I_FN double sslh_i_probe_loss(sslh_ctx *c, const sslh_i_probe *p) {
    double value;
    sslh_tensor *loss;
    sslh_push(c);
    memset(p->weight->grad, 0, p->weight->count * sizeof(sslh_real));
    memset(p->bias->grad, 0, p->bias->count * sizeof(sslh_real));
    loss = sslh_cross_entropy(c, sslh_linear(c, p->x, p->weight, p->bias), p->y);
    if (p->l2 > 0.0f) loss = sslh_add(c, loss, sslh_scale(c, sslh_sum(c, sslh_square(c, p->weight), SSLH_ALL, 0), 0.5f * p->l2));
    sslh_backward(c, loss);
    value = (double)sslh_item(loss);
    sslh_pop(c);
    return value;
}

/* -H g by the two-loop recursion. */
SSLH_I_FN void sslh_i_lbfgs_direction(sslh_i_lbfgs *b) {
    int i, used = b->pairs;
    size_t j, n = b->n;
    for (j = 0; j < n; j++) b->d[j] = -b->g[j];
    for (i = 0; i < used; i++) {
        int at = (b->newest - i + 10) % 10;
        const sslh_real *s = b->s + (size_t)at * n, *y = b->y + (size_t)at * n;
        b->alpha[at] = b->rho[at] * sslh_i_dot(s, b->d, n);
        for (j = 0; j < n; j++) b->d[j] -= (sslh_real)(b->alpha[at] * (double)y[j]);
    }
    if (used) {
        const sslh_real *y = b->y + (size_t)b->newest * n;
        double gamma = 1.0 / (b->rho[b->newest] * sslh_i_dot(y, y, n));
        for (j = 0; j < n; j++) b->d[j] = (sslh_real)(gamma * (double)b->d[j]);
    }
    for (i = used - 1; i >= 0; i--) {
        int at = (b->newest - i + 10) % 10;
        const sslh_real *s = b->s + (size_t)at * n, *y = b->y + (size_t)at * n;
        double beta = b->rho[at] * sslh_i_dot(y, b->d, n);
        for (j = 0; j < n; j++) b->d[j] += (sslh_real)((b->alpha[at] - beta) * (double)s[j]);
    }
}

/* Minimises from where the parameters are; x, g point into them. */
SSLH_I_FN void sslh_i_lbfgs_run(sslh_ctx *c, sslh_i_lbfgs *b, const sslh_i_probe *p, int iterations) {
    double loss = sslh_i_probe_loss(c, p), slope, step, next;
    size_t bytes = b->n * sizeof(sslh_real), j;
    int it, tries;
    b->pairs = 0;
    b->newest = 9;
    for (it = 0; it < iterations && !SSLH_I_BAD(c); it++) {
        double before = loss, sy;
        sslh_i_lbfgs_direction(b);
        slope = sslh_i_dot(b->d, b->g, b->n);
        if (!(slope < 0)) break;
        memcpy(b->x0, b->x, bytes);
        memcpy(b->g0, b->g, bytes);
        step = b->pairs ? 1.0 : SSLH_I_MIN(1.0, 1.0 / sqrt(-slope));
        for (tries = 0; tries < 20; tries++, step *= 0.5) { /* Armijo: enough of the promised fall */
            for (j = 0; j < b->n; j++) b->x[j] = (sslh_real)((double)b->x0[j] + step * (double)b->d[j]);
            next = sslh_i_probe_loss(c, p);
            if (next <= loss + 1e-4 * step * slope) break;
        }
        if (tries == 20) {
            memcpy(b->x, b->x0, bytes);
            break;
        }
        loss = next;
        b->newest = (b->newest + 1) % 10;
        for (j = 0; j < b->n; j++) {
            b->s[(size_t)b->newest * b->n + j] = b->x[j] - b->x0[j];
            b->y[(size_t)b->newest * b->n + j] = b->g[j] - b->g0[j];
        }
        sy = sslh_i_dot(b->s + (size_t)b->newest * b->n, b->y + (size_t)b->newest * b->n, b->n);
        if (sy > 1e-12) {
            b->rho[b->newest] = 1.0 / sy;
            if (b->pairs < 10) b->pairs++;
        } else b->pairs = 0;
        if (before - loss < 1e-6 * fabs(before)) break;
    }
}

/* Accuracy of weight, bias on rows of x (n,D) with labels y. */
SSLH_I_FN float sslh_i_probe_accuracy(sslh_ctx *c, const sslh_i_probe *p, sslh_tensor *x, const int32_t *y) {
    float a;
    sslh_push(c);
    sslh_no_grad(c, 1);
    a = sslh_i_accuracy(sslh_linear(c, x, p->weight, p->bias), y);
    sslh_no_grad(c, 0);
    sslh_pop(c);
    return a;
}

/* Rows index[0..n-1] of x, persistent. */
SSLH_I_FN sslh_tensor *sslh_i_rows(sslh_ctx *c, const sslh_tensor *x, const int32_t *index, int n) {
    sslh_tensor *t = sslh_i_persistent(c, "sslh_linear_probe", SSLH_F32, sslh_dim2(n, x->shape[1]));
    size_t width = (size_t)x->shape[1];
    int i;
    for (i = 0; t && i < n; i++) memcpy(t->data + (size_t)i * width, x->data + (size_t)index[i] * width, width * sizeof *t->data);
    return t ? t : sslh_i_dummy(c);
}

SSLH_I_FN sslh_tensor *sslh_i_label_rows(sslh_ctx *c, const int32_t *labels, const int32_t *index, int n) {
    sslh_tensor *t = sslh_i_persistent(c, "sslh_linear_probe", SSLH_I32, sslh_dim1(n));
    int i;
    for (i = 0; t && i < n; i++) t->ints[i] = labels[index[i]];
    return t ? t : sslh_i_dummy(c);
}

/* Zero mean and unit variance per column, by the training rows. */
SSLH_I_FN void sslh_i_standardise(sslh_tensor *train, sslh_tensor *test) {
    size_t d, width = (size_t)train->shape[1], n = (size_t)train->shape[0], m = (size_t)test->shape[0], i;
    for (d = 0; d < width; d++) {
        double sum = 0, sum2 = 0, mean, scale;
        for (i = 0; i < n; i++) sum += (double)train->data[i * width + d];
        mean = sum / (double)n;
        for (i = 0; i < n; i++) {
            double v = (double)train->data[i * width + d] - mean;
            sum2 += v * v;
        }
        scale = sum2 > 1e-20 * (double)n ? 1.0 / sqrt(sum2 / (double)n) : 0.0;
        for (i = 0; i < n; i++) train->data[i * width + d] = (sslh_real)(((double)train->data[i * width + d] - mean) * scale);
        for (i = 0; i < m; i++) test->data[i * width + d] = (sslh_real)(((double)test->data[i * width + d] - mean) * scale);
    }
}

static const float sslh_i_probe_l2[5] = {1e-1f, 1e-2f, 1e-3f, 1e-4f, 1e-5f};

/* Trains on rows; walks the strengths from strong to weak (each start is the solution before) and stops at number last. */
SSLH_I_FN void sslh_i_probe_fit(sslh_ctx *c, sslh_i_probe *p, sslh_i_lbfgs *b, int last, int iterations, float fixed, sslh_tensor *held_x,
                                const int32_t *held_y, double *right) {
    int i;
    memset(b->x, 0, b->n * sizeof *b->x);
    if (fixed > 0.0f) {
        p->l2 = fixed;
        sslh_i_lbfgs_run(c, b, p, iterations);
        return;
    }
    for (i = 0; i <= last && !SSLH_I_BAD(c); i++) {
        p->l2 = sslh_i_probe_l2[i];
        sslh_i_lbfgs_run(c, b, p, held_x || i < last ? SSLH_I_MIN(iterations, 50) : iterations);
        if (held_x) right[i] += (double)sslh_i_probe_accuracy(c, p, held_x, held_y) * held_x->shape[0];
    }
}

SSLH_DEF float sslh_linear_probe_features(sslh_ctx *c, sslh_tensor *train, const int32_t *train_labels, sslh_tensor *test,
                                          const int32_t *test_labels, int classes, sslh_probe_desc d) {
    sslh_i_probe p;
    sslh_i_lbfgs b;
    sslh_tensor *x, *t, *in[2], parameters[2];
    sslh_real *block;
    int32_t *order;
    int64_t mark;
    double right[5] = {0, 0, 0, 0, 0};
    int n, folds, fold, i, best = 4, width;
    float result = 0.0f;
    in[0] = train;
    in[1] = test;
    if (!sslh_i_begin(c, "sslh_linear_probe", in, 2, 1)) return 0.0f;
    if (train->ndim != 2 || test->ndim != 2 || train->shape[1] != test->shape[1] || classes < 2 || !train_labels || !test_labels) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_linear_probe: features (n,D) of one width, labels and at least 2 classes are needed");
        return 0.0f;
    }
    if (!d.iterations) d.iterations = 200;
    mark = sslh_mark(c);
    n = train->shape[0];
    width = train->shape[1];
    memset(&p, 0, sizeof p);
    memset(&b, 0, sizeof b);
    b.n = (size_t)classes * (size_t)width + (size_t)classes;
    block = (sslh_real *)sslh_i_alloc(c, (5 + 20) * b.n * sizeof *block);
    order = (int32_t *)sslh_i_alloc(c, (size_t)n * sizeof *order);
    x = sslh_persist(train);
    t = sslh_persist(test);
    if (SSLH_I_BAD(c)) return 0.0f;
    sslh_i_standardise(x, t);
    b.x = block;
    b.g = block + b.n;
    b.d = block + 2 * b.n;
    b.x0 = block + 3 * b.n;
    b.g0 = block + 4 * b.n;
    b.s = block + 5 * b.n;
    b.y = block + 15 * b.n;
    memset(parameters, 0, sizeof parameters);
    for (i = 0; i < 2; i++) { /* weight (K,D) and bias (K): two windows of the flat arrays */
        sslh_tensor *w = &parameters[i];
        w->ctx = c;
        w->type = SSLH_F32;
        w->ndim = 2 - i;
        w->shape[0] = classes;
        w->shape[1] = i ? 0 : width;
        w->count = i ? (size_t)classes : (size_t)classes * (size_t)width;
        w->data = b.x + (i ? (size_t)classes * (size_t)width : 0);
        w->grad = b.g + (i ? (size_t)classes * (size_t)width : 0);
        w->flags = SSLH_I_LONG | SSLH_I_NEEDS | SSLH_I_KEPT;
    }
    p.weight = &parameters[0];
    p.bias = &parameters[1];
    if (d.l2 == 0.0f) { /* choose the strength: one tenth held out, five folds when there are few samples */
        int parts = n >= 2000 ? 10 : 5;
        folds = n >= 2000 ? 1 : 5;
        sslh_random_permutation(d.seed, 0x70726f6265u, order, n);
        for (fold = 0; fold < folds && n >= 10 && !SSLH_I_BAD(c); fold++) {
            int from = (int)((int64_t)n * fold / parts), to = (int)((int64_t)n * (fold + 1) / parts), kept = 0, held = to - from;
            int64_t inner = sslh_mark(c);
            int32_t *ids = (int32_t *)sslh_i_alloc(c, (size_t)n * sizeof *ids);
            sslh_tensor *hx, *hy;
            if (!ids) break;
            for (i = 0; i < n; i++)
                if (i < from || i >= to) ids[kept++] = order[i];
            p.x = sslh_i_rows(c, x, ids, kept);
            p.y = sslh_i_label_rows(c, train_labels, ids, kept);
            hx = sslh_i_rows(c, x, order + from, held);
            hy = sslh_i_label_rows(c, train_labels, order + from, held);
            if (!SSLH_I_BAD(c)) sslh_i_probe_fit(c, &p, &b, 4, d.iterations, 0.0f, hx, hy->ints, right);
            sslh_i_free_blocks(c, inner);
        }
        for (i = best = 0; i < 5; i++)
            if (right[i] > right[best]) best = i;
    }
    for (i = 0; i < n; i++) order[i] = i;
    p.x = x;
    p.y = sslh_i_label_rows(c, train_labels, order, n);
    if (!SSLH_I_BAD(c)) sslh_i_probe_fit(c, &p, &b, best, d.iterations, d.l2, NULL, NULL, NULL);
    if (!SSLH_I_BAD(c)) result = sslh_i_probe_accuracy(c, &p, t, test_labels);
    sslh_i_free_blocks(c, mark);
    return SSLH_I_BAD(c) ? 0.0f : result;
}

SSLH_DEF float sslh_linear_probe(sslh_ctx *c, sslh_net *encoder, sslh_data train, sslh_data test, sslh_probe_desc d) {
    int64_t mark;
    sslh_tensor *a, *b;
    float result;
    if (!sslh_i_check_labels(c, "sslh_linear_probe", train, test)) return 0.0f;
    mark = sslh_mark(c);
    train = sslh_i_label_share(train, d.fraction, d.seed);
    a = sslh_features(c, encoder, train, d.features);
    b = sslh_features(c, encoder, test, d.features);
    result = sslh_linear_probe_features(c, a, train.labels, b, test.labels, SSLH_I_MAX(train.classes, test.classes), d);
    if (!SSLH_I_BAD(c)) sslh_i_free_blocks(c, mark);
    return result;
}

/* --- nearest neighbours --------------------------------------------------------------------------------------------- */
/* Wu et al. 2018: s_i = cosine of test and training feature; the k largest vote for their class with weight e^(s_i / T). */

typedef struct sslh_i_knn_job {
    const sslh_real *similarity; /* (rows, n) */
    const int32_t *labels;
    sslh_real *best;             /* (workers, k) similarities, a min-heap */
    int32_t *who;                /* (workers, k) */
    double *votes;               /* (workers, K) */
    int32_t *answer;             /* (rows) */
    int n, k, classes;
    float temperature;
} sslh_i_knn_job;

/* One test row: the k most similar in a heap whose root is the least of them; ties go to the earlier sample. */
SSLH_I_FN void sslh_i_knn_task(void *arg, int row, int worker) {
    const sslh_i_knn_job *j = (const sslh_i_knn_job *)arg;
    const sslh_real *s = j->similarity + (size_t)row * (size_t)j->n;
    sslh_real *best = j->best + (size_t)worker * (size_t)j->k;
    int32_t *who = j->who + (size_t)worker * (size_t)j->k;
    double *votes = j->votes + (size_t)worker * (size_t)j->classes;
    int used = 0, i, k, top = 0;
    for (i = 0; i < j->n; i++) {
        int at;
        if (used == j->k && !(s[i] > best[0])) continue;
        if (used < j->k) {
            at = used++;
            while (at > 0 && best[(at - 1) / 2] > s[i]) { /* sift up */
                best[at] = best[(at - 1) / 2];
                who[at] = who[(at - 1) / 2];
                at = (at - 1) / 2;
            }
        } else {
            at = 0;
            for (;;) { /* sift down from the root */
                int child = 2 * at + 1;
                if (child >= used) break;
                if (child + 1 < used && best[child + 1] < best[child]) child++;
                if (!(best[child] < s[i])) break;
                best[at] = best[child];
                who[at] = who[child];
                at = child;
            }
        }
        best[at] = s[i];
        who[at] = i;
    }
    for (k = 0; k < j->classes; k++) votes[k] = 0;
    for (i = 0; i < used; i++) votes[j->labels[who[i]]] += (double)sslh_i_exp((best[i] - 1) / (sslh_real)j->temperature);
    for (k = 1; k < j->classes; k++)
        if (votes[k] > votes[top]) top = k;
    j->answer[row] = top;
}

SSLH_DEF float sslh_knn_features(sslh_ctx *c, sslh_tensor *train, const int32_t *train_labels, sslh_tensor *test, const int32_t *test_labels,
                                 int classes, sslh_knn_desc d) {
    sslh_tensor *in[2], *unit;
    sslh_i_knn_job j;
    int64_t mark;
    int at, right = 0, i;
    in[0] = train;
    in[1] = test;
    if (!sslh_i_begin(c, "sslh_knn", in, 2, 1)) return 0.0f;
    if (train->ndim != 2 || test->ndim != 2 || train->shape[1] != test->shape[1] || classes < 1 || !train_labels || !test_labels || d.k < 0 ||
        d.temperature < 0.0f) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_knn: features (n,D) of one width, labels, k >= 1 and a temperature above 0 are needed");
        return 0.0f;
    }
    memset(&j, 0, sizeof j);
    j.n = train->shape[0];
    j.k = d.k ? d.k : j.n >= 5000 ? 200 : 20;
    if (j.k > j.n) j.k = j.n;
    j.temperature = d.temperature > 0.0f ? d.temperature : 0.1f;
    j.classes = classes;
    j.labels = train_labels;
    for (i = 0; i < j.n; i++)
        if (train_labels[i] < 0 || train_labels[i] >= classes) {
            sslh_fail(c, SSLH_E_SHAPE, "sslh_knn: label %d of sample %d is outside 0 .. %d", (int)train_labels[i], i, classes - 1);
            return 0.0f;
        }
    mark = sslh_mark(c);
    j.best = (sslh_real *)sslh_i_alloc(c, (size_t)c->threads * (size_t)j.k * sizeof *j.best);
    j.who = (int32_t *)sslh_i_alloc(c, (size_t)c->threads * (size_t)j.k * sizeof *j.who);
    j.votes = (double *)sslh_i_alloc(c, (size_t)c->threads * (size_t)classes * sizeof *j.votes);
    j.answer = (int32_t *)sslh_i_alloc(c, 256 * sizeof *j.answer);
    sslh_push(c);
    sslh_no_grad(c, 1);
    unit = sslh_l2_normalize(c, train, 0.0f); /* (n,D) */
    for (at = 0; at < test->shape[0] && !SSLH_I_BAD(c); at += 256) {
        int rows = SSLH_I_MIN(256, test->shape[0] - at);
        sslh_tensor *s;
        sslh_push(c);
        sslh_no_grad(c, 1);
        s = sslh_matmul_ex(c, sslh_l2_normalize(c, sslh_slice(c, test, 0, at, at + rows), 0.0f), unit, 0, 1); /* (rows,n) */
        if (!SSLH_I_BAD(c)) {
            j.similarity = s->data;
            sslh_i_parallel(c, rows, sslh_i_knn_task, &j);
            for (i = 0; i < rows; i++) right += j.answer[i] == test_labels[at + i];
        }
        sslh_no_grad(c, 0);
        sslh_pop(c);
    }
    sslh_no_grad(c, 0);
    sslh_pop(c);
    if (SSLH_I_BAD(c)) return 0.0f;
    sslh_i_free_blocks(c, mark);
    return (float)right / (float)test->shape[0];
}

SSLH_DEF float sslh_knn(sslh_ctx *c, sslh_net *encoder, sslh_data train, sslh_data test, sslh_knn_desc d) {
    int64_t mark;
    sslh_tensor *a, *b;
    float result;
    if (!sslh_i_check_labels(c, "sslh_knn", train, test)) return 0.0f;
    mark = sslh_mark(c);
    train = sslh_i_label_share(train, d.fraction, d.seed);
    a = sslh_features(c, encoder, train, d.features);
    b = sslh_features(c, encoder, test, d.features);
    result = sslh_knn_features(c, a, train.labels, b, test.labels, SSLH_I_MAX(train.classes, test.classes), d);
    if (!SSLH_I_BAD(c)) sslh_i_free_blocks(c, mark);
    return result;
}

/* --- fine-tuning ---------------------------------------------------------------------------------------------------- */

/* Layer-wise decay (Clark et al. 2020, as MAE uses it): block b of a transformer of depth B learns with rate
   lr x decay^(B - b), the patch projection with decay^(B + 1), the classifier with lr. Returns 1 for a transformer. */
SSLH_I_FN int sslh_i_layer_decay(sslh_net *net, float decay) {
    char name[64];
    int depth = 0, i;
    float scale = 1.0f;
    sslh_param_opts o;
    memset(&o, 0, sizeof o);
    for (;;) {
        snprintf(name, sizeof name, "blocks.%d.norm1.weight", depth);
        if (!sslh_find(net, name)) break;
        depth++;
    }
    if (depth == 0 || decay == 1.0f) return depth > 0;
    for (i = depth - 1; i >= 0; i--) {
        scale = scale * decay;
        snprintf(name, sizeof name, "blocks.%d.", i);
        o.lr_scale = scale;
        sslh_param_set_matching(net, name, o);
    }
    o.lr_scale = scale * decay;
    sslh_param_set_matching(net, "patch_embed", o);
    sslh_param_set_matching(net, "cls_token", o);
    sslh_param_set_matching(net, "pos_embed", o);
    return 1;
}

SSLH_DEF float sslh_finetune(sslh_ctx *c, sslh_net *encoder, sslh_data train, sslh_data test, sslh_finetune_desc d) {
    sslh_net *net, *head;
    sslh_mlp_desc hd;
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_loader_desc ld;
    sslh_loader *loader;
    sslh_recipe recipe;
    sslh_forward_desc f;
    sslh_preprocess p;
    sslh_batch batch;
    int64_t mark, step = 0, steps, warmup, at;
    int transformer, classes;
    double right = 0;
    if (!sslh_i_check_labels(c, "sslh_finetune", train, test) || !sslh_i_check_encoder(c, "sslh_finetune", encoder, -1)) return 0.0f;
    mark = sslh_mark(c);
    classes = SSLH_I_MAX(train.classes, test.classes);
    train = sslh_i_label_share(train, d.fraction, d.seed);
    net = sslh_clone(encoder); /* the caller's encoder stays as it is */
    sslh_freeze(net, 0);
    transformer = sslh_find(net, "blocks.0.norm1.weight") != NULL;
    if (!d.epochs) d.epochs = 10;
    if (!d.batch) d.batch = 128;
    if (d.batch > train.count) d.batch = (int)train.count;
    if (d.lr == 0.0f) d.lr = 1e-3f * (float)d.batch / 256.0f;
    if (d.weight_decay == 0.0f) d.weight_decay = 0.05f;
    if (d.layer_decay == 0.0f) d.layer_decay = transformer ? 0.75f : 1.0f;
    if (d.drop_path == 0.0f) d.drop_path = transformer ? 0.1f : 0.0f;
    if (d.drop_path < 0.0f) d.drop_path = 0.0f;
    if (d.smoothing == 0.0f) d.smoothing = 0.1f;
    if (d.smoothing < 0.0f) d.smoothing = 0.0f;
    if (d.warmup == 0.0f) d.warmup = 1.0f;
    if (d.warmup < 0.0f) d.warmup = 0.0f;
    if (d.epochs < 1 || d.batch < 1) sslh_fail(c, SSLH_E_USAGE, "sslh_finetune: epochs %d, batch %d: both must be positive", d.epochs, d.batch);
    sslh_i_layer_decay(net, d.layer_decay);
    p = sslh_get_preprocess(encoder);
    recipe = d.views ? *d.views : sslh_recipe_mae();
    memcpy(recipe.mean, p.mean, sizeof p.mean);
    memcpy(recipe.std, p.std, sizeof p.std);
    memset(&hd, 0, sizeof hd);
    hd.in = SSLH_I_BAD(c) ? 1 : sslh_net_query(encoder).width;
    hd.widths[0] = classes;
    head = sslh_mlp(c, hd);
    memset(&od, 0, sizeof od);
    od.kind = SSLH_ADAMW;
    od.weight_decay = d.weight_decay;
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, net);
    sslh_optimizer_add(o, head);
    memset(&ld, 0, sizeof ld);
    ld.batch = d.batch;
    ld.epochs = d.epochs;
    loader = sslh_loader_new(c, train, ld);
    if (SSLH_I_BAD(c)) return 0.0f;
    steps = sslh_loader_steps(loader) * d.epochs;
    warmup = (int64_t)(d.warmup * (float)sslh_loader_steps(loader));
    memset(&f, 0, sizeof f);
    f.drop_path = d.drop_path;
    sslh_train_mode(net, 1);
    sslh_train_mode(head, 1);
    sslh_push(c); /* a caller inside a training step keeps it */
    while (sslh_next_batch(loader, &batch)) {
        sslh_tensor *x = sslh_views(c, batch, recipe, 0);
        sslh_tensor *logits = sslh_forward(head, sslh_i_pool_features(c, sslh_forward_ex(net, x, f)));
        sslh_backward(c, sslh_cross_entropy_ex(c, logits, sslh_batch_labels(c, batch), d.smoothing, -1));
        sslh_optimizer_step(o, sslh_cosine(step++, steps, warmup, d.lr));
    }
    sslh_pop(c);
    sslh_train_mode(net, 0);
    sslh_train_mode(head, 0);
    for (at = 0; at < test.count && !SSLH_I_BAD(c); at += 256) {
        int n = (int)SSLH_I_MIN((int64_t)256, test.count - at);
        sslh_push(c);
        sslh_no_grad(c, 1);
        right += n * (double)sslh_i_accuracy(sslh_forward(head, sslh_i_pool_features(c, sslh_forward(net, sslh_i_data_tensor(c, test, at, n, &p)))), test.labels + at);
        sslh_no_grad(c, 0);
        sslh_pop(c);
    }
    if (SSLH_I_BAD(c)) {
        sslh_i_context(c, "sslh_finetune");
        return 0.0f;
    }
    sslh_i_free_blocks(c, mark);
    return (float)(right / (double)test.count);
}

/* --- collapse meters ------------------------------------------------------------------------------------------------ */

SSLH_I_FN int sslh_i_check_features(const char *op, const sslh_tensor *x, int rows) {
    if (!x || SSLH_I_BAD(x->ctx)) return 0;
    if (x->ndim != 2 || x->shape[0] < rows || !x->data) {
        sslh_fail(x->ctx, SSLH_E_SHAPE, "%s: features (n,D) with at least %d rows are needed", op, rows);
        return 0;
    }
    return 1;
}

/* 1 / |row|, 0 for a row of zeros */
SSLH_I_FN double sslh_i_inverse_norm(const sslh_real *row, size_t width) {
    double n = sslh_i_dot(row, row, width);
    return n > 0 ? 1.0 / sqrt(n) : 0.0;
}

SSLH_DEF float sslh_feature_std(const sslh_tensor *x) {
    size_t n, width, i, d;
    double total = 0, *sum, *sum2;
    if (!sslh_i_check_features("sslh_feature_std", x, 2)) return 0.0f;
    n = (size_t)x->shape[0];
    width = (size_t)x->shape[1];
    sum = (double *)sslh_i_alloc(x->ctx, 2 * width * sizeof *sum);
    if (!sum) return 0.0f;
    sum2 = sum + width;
    for (i = 0; i < n; i++) {
        double inverse = sslh_i_inverse_norm(x->data + i * width, width);
        for (d = 0; d < width; d++) {
            double v = (double)x->data[i * width + d] * inverse;
            sum[d] += v;
            sum2[d] += v * v;
        }
    }
    for (d = 0; d < width; d++) {
        double mean = sum[d] / (double)n;
        total += sqrt(SSLH_I_MAX(0.0, sum2[d] / (double)n - mean * mean));
    }
    sslh_i_free(x->ctx, sum);
    return (float)(total / (double)width);
}

SSLH_DEF float sslh_alignment(const sslh_tensor *a, const sslh_tensor *b) {
    size_t n, width, i, d;
    double total = 0;
    if (!sslh_i_check_features("sslh_alignment", a, 1) || !sslh_i_check_features("sslh_alignment", b, 1)) return 0.0f;
    if (a->shape[0] != b->shape[0] || a->shape[1] != b->shape[1]) {
        sslh_fail(a->ctx, SSLH_E_SHAPE, "sslh_alignment: (%d,%d) and (%d,%d) are not pairs", a->shape[0], a->shape[1], b->shape[0], b->shape[1]);
        return 0.0f;
    }
    n = (size_t)a->shape[0];
    width = (size_t)a->shape[1];
    for (i = 0; i < n; i++) {
        double ia = sslh_i_inverse_norm(a->data + i * width, width), ib = sslh_i_inverse_norm(b->data + i * width, width);
        for (d = 0; d < width; d++) {
            double v = (double)a->data[i * width + d] * ia - (double)b->data[i * width + d] * ib;
            total += v * v;
        }
    }
    return (float)(total / (double)n);
}

/* log of the mean over pairs i < j of e^(-2 |u_i - u_j|^2), u unit rows (Wang & Isola 2020) */
SSLH_DEF float sslh_uniformity(sslh_ctx *c, const sslh_tensor *x) {
    sslh_tensor *u, *s;
    size_t n, i, j;
    double total = 0;
    float result = 0.0f;
    if (SSLH_I_BAD(c) || !sslh_i_check_features("sslh_uniformity", x, 2)) return 0.0f;
    n = (size_t)x->shape[0];
    sslh_push(c);
    sslh_no_grad(c, 1);
    u = sslh_l2_normalize(c, (sslh_tensor *)(uintptr_t)x, 0.0f);
    for (i = 0; i < n && !SSLH_I_BAD(c); i += 256) {
        size_t rows = SSLH_I_MIN((size_t)256, n - i), r;
        sslh_push(c);
        sslh_no_grad(c, 1);
        s = sslh_matmul_ex(c, sslh_slice(c, u, 0, (int)i, (int)(i + rows)), u, 0, 1); /* (rows,n) cosines */
        for (r = 0; r < rows && !SSLH_I_BAD(c); r++)
            for (j = i + r + 1; j < n; j++) total += (double)sslh_i_exp(-4 * (1 - s->data[r * n + j])); /* |u-v|^2 = 2 - 2 cos */
        sslh_no_grad(c, 0);
        sslh_pop(c);
    }
    sslh_no_grad(c, 0);
    sslh_pop(c);
    if (!SSLH_I_BAD(c)) result = (float)log(total / (0.5 * (double)n * (double)(n - 1)));
    return result;
}

/* Eigenvalues (descending) of a symmetric matrix a (n,n), which is destroyed; rows of vectors (n,n) are the eigenvectors when
   not NULL. Cyclic Jacobi rotations: slow for n in the thousands, accurate and short. */
SSLH_I_FN void sslh_i_eigen(double *a, double *vectors, double *values, int n) {
    int sweep, p, q, k;
    size_t w = (size_t)n;
    for (p = 0; vectors && p < n; p++)
        for (q = 0; q < n; q++) vectors[(size_t)p * w + (size_t)q] = p == q;
    for (sweep = 0; sweep < 30; sweep++) {
        double off = 0, diagonal = 0;
        for (p = 0; p < n; p++) {
            diagonal += a[(size_t)p * w + (size_t)p] * a[(size_t)p * w + (size_t)p];
            for (q = p + 1; q < n; q++) off += a[(size_t)p * w + (size_t)q] * a[(size_t)p * w + (size_t)q];
        }
        if (off <= 1e-22 * diagonal) break;
        for (p = 0; p < n; p++)
            for (q = p + 1; q < n; q++) {
                double *rp = a + (size_t)p * w, *rq = a + (size_t)q * w, apq = rp[q], theta, t, co, si;
                if (apq * apq <= 1e-30 * fabs(rp[p] * rq[q])) continue;
                theta = 0.5 * (rq[q] - rp[p]) / apq;
                t = (theta >= 0 ? 1.0 : -1.0) / (fabs(theta) + sqrt(theta * theta + 1.0));
                co = 1.0 / sqrt(t * t + 1.0);
                si = t * co;
                for (k = 0; k < n; k++) { /* rows */
                    double x = rp[k], y = rq[k];
                    rp[k] = co * x - si * y;
                    rq[k] = si * x + co * y;
                }
                for (k = 0; k < n; k++) { /* columns */
                    double *row = a + (size_t)k * w, x = row[p], y = row[q];
                    row[p] = co * x - si * y;
                    row[q] = si * x + co * y;
                }
                for (k = 0; vectors && k < n; k++) {
                    double x = vectors[(size_t)p * w + (size_t)k], y = vectors[(size_t)q * w + (size_t)k];
                    vectors[(size_t)p * w + (size_t)k] = co * x - si * y;
                    vectors[(size_t)q * w + (size_t)k] = si * x + co * y;
                }
            }
    }
    for (p = 0; p < n; p++) values[p] = a[(size_t)p * w + (size_t)p];
    for (p = 0; p < n; p++) { /* largest first */
        int best = p;
        for (q = p + 1; q < n; q++)
            if (values[q] > values[best]) best = q;
        if (best != p) {
            double t = values[p];
            values[p] = values[best];
            values[best] = t;
            for (k = 0; vectors && k < n; k++) {
                t = vectors[(size_t)p * w + (size_t)k];
                vectors[(size_t)p * w + (size_t)k] = vectors[(size_t)best * w + (size_t)k];
                vectors[(size_t)best * w + (size_t)k] = t;
            }
        }
    }
}

/* exp of the entropy of the normalised singular values (RankMe: Garrido et al. 2023; Roy & Vetterli 2007): between 1, collapsed to a
   line, and D. */
SSLH_DEF float sslh_effective_rank(sslh_ctx *c, const sslh_tensor *x) {
    size_t n, width, i, d, e;
    double *gram, *values, total = 0, entropy = 0;
    float result;
    if (SSLH_I_BAD(c) || !sslh_i_check_features("sslh_effective_rank", x, 2)) return 0.0f;
    n = (size_t)x->shape[0];
    width = (size_t)x->shape[1];
    gram = (double *)sslh_i_alloc(c, (width * width + width) * sizeof *gram);
    if (!gram) return 0.0f;
    values = gram + width * width;
    for (i = 0; i < n; i++)
        for (d = 0; d < width; d++) {
            double v = (double)x->data[i * width + d];
            for (e = d; e < width; e++) gram[d * width + e] += v * (double)x->data[i * width + e];
        }
    for (d = 0; d < width; d++)
        for (e = 0; e < d; e++) gram[d * width + e] = gram[e * width + d];
    sslh_i_eigen(gram, NULL, values, (int)width); /* eigenvalues of X'X: squares of the singular values */
    for (d = 0; d < width; d++) {
        values[d] = sqrt(SSLH_I_MAX(values[d], 0.0));
        total += values[d];
    }
    for (d = 0; d < width && total > 0; d++) {
        double p = values[d] / total;
        if (p > 1e-12) entropy -= p * log(p);
    }
    result = (float)exp(entropy);
    sslh_i_free(c, gram);
    return result;
}

/* ================================================================================================================== */
/*  >>train         trainer                                                                                          */
/* ================================================================================================================== */

/* --- one step ------------------------------------------------------------------------------------------------------- */

/* Views, then for each phase: loss, backward, gradients callback, update of that phase's groups. */
SSLH_I_FN float sslh_i_method_step(sslh_method *m, sslh_optimizer *o, const sslh_batch *batch, float lr, int update) {
    sslh_ctx *c = m->ctx;
    sslh_view_set v;
    float total = 0.0f;
    int phase;
    memset(&v, 0, sizeof v);
    if (SSLH_I_BAD(c)) return 0.0f;
    if (!m->views || !m->loss) {
        sslh_fail(c, SSLH_E_USAGE, "%s: a method needs .views and .loss", m->name);
        return 0.0f;
    }
    if (batch->count < m->min_batch) {
        sslh_fail(c, SSLH_E_USAGE, "%s: a batch of %d; at least %d are needed, because the other samples of the batch are the negatives", m->name,
                  batch->count, m->min_batch);
        return 0.0f;
    }
    m->views(m, batch, &v);
    for (phase = 0; phase < SSLH_I_MAX(m->phases, 1) && !SSLH_I_BAD(c); phase++) {
        unsigned groups = phase < 4 && m->groups[phase] ? m->groups[phase] : ~0u;
        sslh_tensor *loss;
        c->groups = groups; /* other parameters pass gradients on and collect none */
        loss = m->loss(m, &v, phase);
        sslh_backward(c, loss);
        total += sslh_item(loss);
        if (m->grads && !SSLH_I_BAD(c)) m->grads(m, phase);
        if (update) sslh_optimizer_step_groups(o, lr, groups);
        c->groups = ~0u;
    }
    if (update && m->after && !SSLH_I_BAD(c)) m->after(m);
    return total;
}

SSLH_DEF float sslh_method_step(sslh_method *m, sslh_optimizer *o, const sslh_batch *batch, float lr) {
    return sslh_i_method_step(m, o, batch, lr, 1);
}

/* --- progress ------------------------------------------------------------------------------------------------------- */

#if SSLH_WITH_STDIO
SSLH_I_FN int sslh_i_is_terminal(void) {
#if defined(_WIN32)
    DWORD mode;
    return GetConsoleMode(GetStdHandle(STD_ERROR_HANDLE), &mode) != 0;
#elif SSLH_I_POSIX
    return isatty(2);
#else
    return 0;
#endif
}

SSLH_I_FN void sslh_i_duration(char out[16], double seconds) {
    int s = seconds < 0 ? 0 : seconds > 359999 ? 359999 : (int)(seconds + 0.5);
    if (s >= 3600) snprintf(out, 16, "%dh%02dm", s / 3600, s / 60 % 60);
    else if (s >= 60) snprintf(out, 16, "%dm%02ds", s / 60, s % 60);
    else snprintf(out, 16, "%ds", s);
}

/* A bar that is drawn over on a terminal, a line per epoch elsewhere. */
SSLH_I_FN void sslh_i_progress(const sslh_train_info *t, int terminal) {
    char left[16], bar[25];
    int i, filled = t->steps ? (int)(24 * t->step / t->steps) : 24;
    sslh_i_duration(left, t->epoch_end && t->step == t->steps ? t->seconds : t->seconds_left);
    for (i = 0; i < 24; i++) bar[i] = i < filled ? '#' : '.';
    bar[24] = 0;
    if (terminal) fprintf(stderr, "\r\033[K%s [%s] ", t->method->name, bar);
    else fprintf(stderr, "%s ", t->method->name);
    fprintf(stderr, "epoch %d/%d  step %ld/%ld  loss %.4f", t->epoch + 1, t->epochs, (long)t->step, (long)t->steps, (double)t->loss);
    if (t->second_name[0]) fprintf(stderr, "  %s %.3f", t->second_name, (double)t->second);
    fprintf(stderr, "  %.0f images/s  %s %s", t->images_per_second, t->step == t->steps ? "took" : "left", left);
    if (!terminal || (t->epoch_end && t->step == t->steps)) fprintf(stderr, "\n");
    fflush(stderr);
}
#endif

/* --- the loop ------------------------------------------------------------------------------------------------------- */

typedef struct sslh_i_meter { double loss, second; int64_t steps; } sslh_i_meter;

/* The callback sees the run but leaves no trace in it: nested scope, own random stream, train mode put back. */
SSLH_I_FN int sslh_i_train_call(const sslh_train_desc *d, const sslh_train_info *t) {
    int stop, training;
    if (!d->callback || SSLH_I_BAD(t->ctx)) return 0;
    training = sslh_is_training(t->method->net);
    sslh_push(t->ctx);
    stop = d->callback(t, d->user);
    sslh_pop(t->ctx);
    sslh_train_mode(t->method->net, training);
    return stop;
}

SSLH_DEF float sslh_train(sslh_ctx *c, sslh_method m, sslh_data data, sslh_train_desc d) {
    sslh_loader_desc ld;
    sslh_loader *loader;
    sslh_optimizer *o;
    sslh_batch batch;
    sslh_train_info t;
    sslh_i_meter meter = {0, 0, 0};
    int64_t step = 0, per_epoch, warmup, mark, first;
    double start, shown = 0, images = 0;
    float result = 0.0f;
    int stop = 0, terminal = 0;
    if (SSLH_I_BAD(c)) return 0.0f;
    if (m.ctx != c || data.ctx != c) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_train: the method or the data belongs to another context");
        return 0.0f;
    }
    d = sslh_i_train_resolve(&m, d);
    if (d.epochs < 1 || d.batch < 1 || d.accumulate < 1 || !(d.lr > 0.0f) || d.checkpoint_every < 1) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_train: epochs %d, batch %d, accumulate %d, lr %g: all must be positive", d.epochs, d.batch, d.accumulate, (double)d.lr);
        return 0.0f;
    }
    if (m.prepare) m.prepare(&m, data);
    mark = sslh_mark(c); /* loader and optimiser go away at the end */
    memset(&ld, 0, sizeof ld);
    ld.batch = d.batch;
    ld.epochs = d.epochs;
    loader = sslh_loader_new(c, data, ld);
    o = sslh_optimizer_new(c, d.optimizer);
    sslh_optimizer_add(o, m.net);
    sslh_optimizer_peak(o, d.lr);
    sslh_train_mode(m.net, 1);
    if (d.checkpoint && d.resume) {
        step = sslh_load_checkpoint(&m, o, d.checkpoint);
        if (step < 0) step = 0; /* no file yet */
        sslh_loader_seek(loader, step);
    }
    if (SSLH_I_BAD(c)) return 0.0f;
    memset(&t, 0, sizeof t);
    per_epoch = sslh_loader_steps(loader);
    t.ctx = c;
    t.method = &m;
    t.epochs = d.epochs;
    t.steps = per_epoch * d.epochs;
    if (d.max_steps && d.max_steps < t.steps) t.steps = d.max_steps;
    t.second_name = m.second_name ? m.second_name : "";
    warmup = (int64_t)(d.warmup * (float)per_epoch + 0.5f);
    start = sslh_i_now();
    first = step;
#if SSLH_WITH_STDIO
    terminal = !d.quiet && sslh_i_is_terminal();
#endif
    while (!stop && step < t.steps && sslh_next_batch(loader, &batch)) {
        int update = (step + 1) % d.accumulate == 0 || step + 1 == t.steps;
        t.lr = sslh_i_train_lr(&d, step, per_epoch * d.epochs, warmup);
        t.loss = sslh_i_method_step(&m, o, &batch, t.lr, update);
        if (SSLH_I_BAD(c)) {
            char where[64];
            snprintf(where, sizeof where, "sslh_train: %s, step %ld", m.name, (long)step);
            sslh_i_context(c, where);
            break;
        }
        step++;
        images += batch.count;
        meter.loss += (double)t.loss;
        meter.second += (double)m.second;
        meter.steps++;
        t.step = step;
        t.epoch = batch.epoch;
        t.second = m.second;
        t.seconds = sslh_i_now() - start;
        t.images_per_second = t.seconds > 0 ? images / t.seconds : 0;
        t.seconds_left = t.seconds / (double)(step - first) * (double)(t.steps - step);
        t.epoch_end = 0;
        stop = sslh_i_train_call(&d, &t);
#if SSLH_WITH_STDIO
        if (terminal && t.seconds - shown > 0.1) {
            shown = t.seconds;
            sslh_i_progress(&t, 1);
        }
#endif
        if (step % per_epoch == 0 || step == t.steps) {
            result = (float)(meter.loss / (double)meter.steps);
            t.loss = result;
            t.second = (float)(meter.second / (double)meter.steps);
            t.epoch_end = 1;
            memset(&meter, 0, sizeof meter);
            if (d.losses) d.losses[t.epoch] = result;
#if SSLH_WITH_STDIO
            if (!d.quiet) sslh_i_progress(&t, terminal);
#endif
            stop |= sslh_i_train_call(&d, &t);
        }
        if (d.checkpoint && !SSLH_I_BAD(c) &&
            (d.checkpoint_steps ? step % d.checkpoint_steps == 0 : step % (per_epoch * d.checkpoint_every) == 0 || step == t.steps))
            sslh_save_checkpoint(&m, o, step, d.checkpoint);
    }
    (void)shown;
    (void)terminal;
    sslh_train_mode(m.net, 0); /* ready for use */
    if (c->depth == 0) sslh_rewind(c, mark);
    return result;
}

/* ================================================================================================================== */
/*  >>pictures      pictures, PCA, t-SNE                                                                             */
/* ================================================================================================================== */

/* A picture is drawn on a canvas of 8-bit RGB and written as PNG. No floating-point library function is used, so the
   same numbers give the same file everywhere. */

/* --- canvas ------------------------------------------------------------------------------------------------------- */

typedef struct sslh_i_canvas { uint8_t *rgb; int width, height; } sslh_i_canvas;

#define SSLH_I_PICTURE_SIDE 30000
#define SSLH_I_PICTURE_WIDTH 800 /* about, when the zoom is chosen */
#define SSLH_I_INK 0x333333
#define SSLH_I_FAINT 0xe4e4e4

/* A white canvas; 0 and an error when it is too large. */
SSLH_I_FN int sslh_i_canvas_new(sslh_ctx *c, const char *op, sslh_i_canvas *v, int64_t width, int64_t height) {
    size_t bytes;
    if (width < 1 || height < 1 || width > SSLH_I_PICTURE_SIDE || height > SSLH_I_PICTURE_SIDE) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: a picture of %.0f x %.0f pixels (at most %d a side)", op, (double)width, (double)height, SSLH_I_PICTURE_SIDE);
        return 0;
    }
    bytes = (size_t)width * (size_t)height * 3;
    v->width = (int)width;
    v->height = (int)height;
    v->rgb = (uint8_t *)sslh_i_alloc(c, bytes);
    if (v->rgb) memset(v->rgb, 255, bytes);
    return v->rgb != NULL;
}

SSLH_I_FN void sslh_i_canvas_save(sslh_ctx *c, const char *path, sslh_i_canvas *v) {
    sslh_save_png(c, path, v->rgb, v->height, v->width, 3);
    sslh_i_free(c, v->rgb);
}

/* Mixes colour 0xRRGGBB into a pixel; alpha 0 .. 255. */
SSLH_I_FN void sslh_i_ink(sslh_i_canvas *v, int x, int y, int colour, int alpha) {
    uint8_t *p;
    int k;
    if (x < 0 || y < 0 || x >= v->width || y >= v->height || alpha <= 0) return;
    p = v->rgb + ((size_t)y * (size_t)v->width + (size_t)x) * 3;
    for (k = 0; k < 3; k++) {
        int target = (colour >> (16 - 8 * k)) & 255;
        p[k] = (uint8_t)((p[k] * (255 - alpha) + target * alpha + 127) / 255);
    }
}

SSLH_I_FN void sslh_i_ink_bar(sslh_i_canvas *v, int x, int y, int width, int height, int colour) {
    int i, j;
    for (j = 0; j < height; j++)
        for (i = 0; i < width; i++) sslh_i_ink(v, x + i, y + j, colour, 255);
}

/* Share of a pixel at distance d from the middle of something with this half width: the edge is one pixel soft. */
SSLH_I_FN int sslh_i_cover(double d, double half) {
    double a = half + 0.5 - d;
    return a <= 0 ? 0 : a >= 1 ? 255 : (int)(a * 255.0 + 0.5);
}

SSLH_I_FN void sslh_i_ink_dot(sslh_i_canvas *v, double x, double y, double radius, int colour, int alpha) {
    int i, j, x0, y0, n = (int)ceil(2 * radius) + 2;
    if (!(x > -1e6 && x < 1e6 && y > -1e6 && y < 1e6)) return;
    x0 = (int)floor(x - radius);
    y0 = (int)floor(y - radius);
    for (j = y0; j < y0 + n; j++)
        for (i = x0; i < x0 + n; i++) {
            double dx = (double)i + 0.5 - x, dy = (double)j + 0.5 - y;
            sslh_i_ink(v, i, j, colour, sslh_i_cover(sqrt(dx * dx + dy * dy), radius) * alpha / 255);
        }
}

/* The line from a to b into a mask of the canvas's size: the larger share wins, so that joints of a polyline do not show. */
SSLH_I_FN void sslh_i_ink_line(uint8_t *mask, int width, int height, double ax, double ay, double bx, double by, double half) {
    double ux = bx - ax, uy = by - ay, length2 = ux * ux + uy * uy;
    int x0 = (int)floor(SSLH_I_MIN(ax, bx) - half) - 1, x1 = (int)ceil(SSLH_I_MAX(ax, bx) + half) + 1;
    int y0 = (int)floor(SSLH_I_MIN(ay, by) - half) - 1, y1 = (int)ceil(SSLH_I_MAX(ay, by) + half) + 1, x, y;
    for (y = SSLH_I_MAX(0, y0); y < SSLH_I_MIN(height, y1); y++)
        for (x = SSLH_I_MAX(0, x0); x < SSLH_I_MIN(width, x1); x++) {
            double px = (double)x + 0.5 - ax, py = (double)y + 0.5 - ay, t = px * ux + py * uy, dx, dy;
            int cover;
            t = length2 > 0 ? t / length2 : 0;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            dx = px - t * ux;
            dy = py - t * uy;
            cover = sslh_i_cover(sqrt(dx * dx + dy * dy), half);
            if (cover > mask[(size_t)y * (size_t)width + (size_t)x]) mask[(size_t)y * (size_t)width + (size_t)x] = (uint8_t)cover;
        }
}

/* Characters 32 .. 126, drawn for this file: 5 columns, 7 rows and 2 below the line, row by row from bit 44 down. */
static const uint64_t sslh_i_font[95] = {
    0x000000000000ull, 0x042108401000ull, 0x0a5280000000ull, 0x0a57d5f52800ull, 0x047d1c5f1000ull, 0x19c88889cc00ull,
    0x0c9511593400ull, 0x042100000000ull, 0x022210820800ull, 0x082084222000ull, 0x00255d520000ull, 0x00213e420000ull,
    0x000000063088ull, 0x00003e000000ull, 0x000000063000ull, 0x010888884000ull, 0x0e8ceb98b800ull, 0x046108423800ull,
    0x0e8844447c00ull, 0x0e884c18b800ull, 0x0232a5f10800ull, 0x1f878218b800ull, 0x06443d18b800ull, 0x1f0888442000ull,
    0x0e8c5d18b800ull, 0x0e8c5e113000ull, 0x006300c60000ull, 0x006300063088ull, 0x022220820800ull, 0x0007c1f00000ull,
    0x082082222000ull, 0x0e8844401000ull, 0x0e8deb683c00ull, 0x0e8c7f18c400ull, 0x1e8c7d18f800ull, 0x0e8c2108b800ull,
    0x1e8c6318f800ull, 0x1f843d087c00ull, 0x1f843d084000ull, 0x0e8c2f18b800ull, 0x118c7f18c400ull, 0x0e2108423800ull,
    0x071084293000ull, 0x119531494400ull, 0x108421087c00ull, 0x11dd6b18c400ull, 0x11ce6b39c400ull, 0x0e8c6318b800ull,
    0x1e8c7d084000ull, 0x0e8c63593400ull, 0x1e8c7d494400ull, 0x0f841c10f800ull, 0x1f2108421000ull, 0x118c6318b800ull,
    0x118c62a51000ull, 0x118c6b5dc400ull, 0x118a88a8c400ull, 0x118a88421000ull, 0x1f0888887c00ull, 0x0e4210843800ull,
    0x108208208400ull, 0x0e1084213800ull, 0x045440000000ull, 0x0000000003e0ull, 0x082000000000ull, 0x000382f8bc00ull,
    0x1087a318f800ull, 0x0003e1083c00ull, 0x010be318bc00ull, 0x0003a3f83c00ull, 0x064790842000ull, 0x0003e318bc2eull,
    0x1087a318c400ull, 0x040308423800ull, 0x02018421084cull, 0x1084a98a4800ull, 0x0c2108423800ull, 0x0006ab5ad400ull,
    0x0007a318c400ull, 0x0003a318b800ull, 0x0007a318fa10ull, 0x0003e318bc21ull, 0x0005b1084000ull, 0x0003e0e0f800ull,
    0x084790841800ull, 0x00046318bc00ull, 0x000462a51000ull, 0x00056b5aa800ull, 0x000454454400ull, 0x00046318bc2eull,
    0x0007c4447c00ull, 0x032110420c00ull, 0x042108421000ull, 0x182104426000ull, 0x00022a200000ull
};
#define SSLH_I_GLYPH_WIDTH 6 /* with the space behind it */
#define SSLH_I_GLYPH_HEIGHT 7

/* Characters of a text, where a UTF-8 sequence counts as one. */
SSLH_I_FN int sslh_i_text_length(const char *s) {
    int n = 0;
    for (; s && *s && n < 200; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Writes s with its upper left corner at (x,y), each dot scale pixels wide; bold: every dot one pixel wider. */
SSLH_I_FN void sslh_i_write_text(sslh_i_canvas *v, int x, int y, int scale, int bold, int colour, const char *s) {
    int row, col, n = 0;
    for (; s && *s && n < 200; s++) {
        unsigned char ch = (unsigned char)*s;
        uint64_t bits;
        if ((ch & 0xc0) == 0x80) continue;
        bits = sslh_i_font[ch >= 32 && ch < 127 ? ch - 32 : '?' - 32];
        for (row = 0; row < 9; row++)
            for (col = 0; col < 5; col++)
                if (bits >> (44 - 5 * row - col) & 1) sslh_i_ink_bar(v, x + (n * SSLH_I_GLYPH_WIDTH + col) * scale, y + row * scale, scale + bold, scale, colour);
        n++;
    }
}

/* Twenty colours that stay apart: ten strong ones, then their light relatives. */
SSLH_I_FN int sslh_i_colour(int i) {
    static const int colour[20] = {0x1f77b4, 0xff7f0e, 0x2ca02c, 0xd62728, 0x9467bd, 0x8c564b, 0xe377c2, 0x7f7f7f, 0xbcbd22, 0x17becf,
                                   0x0b3d66, 0xffc48a, 0x9be08f, 0xff9d9a, 0xcdb9e8, 0xd2a994, 0x8f1d78, 0x000000, 0x5c5f00, 0x8ee5ee};
    return colour[(unsigned)i % 20u];
}

/* --- pictures of images ------------------------------------------------------------------------------------------- */

/* 1 when a tensor can be read: of this context, with memory and real values. */
SSLH_I_FN int sslh_i_readable(sslh_ctx *c, const char *op, const sslh_tensor *t) {
    if (SSLH_I_BAD(c)) return 0;
    if (!t || t->ctx != c) sslh_fail(c, SSLH_E_USAGE, "%s: the tensor is %s", op, t ? "of another context" : "NULL");
    else if (t->type != SSLH_F32) sslh_fail(c, SSLH_E_SHAPE, "%s: an integer tensor, real values are needed", op);
    else if (!t->data) sslh_fail(c, SSLH_E_USAGE, "%s: the memory of the tensor was given back after backward or sslh_no_grad (use sslh_keep)", op);
    return !SSLH_I_BAD(c);
}

/* [0,1] to a byte; NaN is black. */
SSLH_I_FN uint8_t sslh_i_byte(double v) { return (uint8_t)(v >= 1 ? 255 : v > 0 ? (int)(v * 255.0 + 0.5) : 0); }

/* n tiles (H,W,3) of bytes in a grid. */
SSLH_I_FN void sslh_i_tiles(sslh_ctx *c, const char *op, const char *path, const uint8_t *tile, int n, int h, int w, int columns, int zoom) {
    sslh_i_canvas v;
    int64_t gap, margin, width;
    int i, x, y, rows;
    if (columns <= 0) /* about as wide as high, a little wider */
        for (columns = 1; columns < n && (double)columns * (double)columns * (double)w < 1.3 * (double)n * (double)h;) columns++;
    if (columns > n) columns = n;
    rows = (n - 1) / columns + 1;
    width = (int64_t)columns * w;
    if (zoom <= 0) zoom = (int)SSLH_I_MAX((int64_t)1, SSLH_I_MIN((int64_t)24, (SSLH_I_PICTURE_WIDTH + width / 2) / width));
    gap = 2 + zoom / 4;
    margin = 2 * gap;
    if (!sslh_i_canvas_new(c, op, &v, 2 * margin + width * zoom + (columns - 1) * gap, 2 * margin + (int64_t)rows * h * zoom + (rows - 1) * gap)) return;
    for (i = 0; i < n; i++) {
        int left = (int)(margin + (i % columns) * (w * zoom + gap)), top = (int)(margin + (i / columns) * (h * zoom + gap));
        for (y = 0; y < h * zoom; y++) {
            uint8_t *o = v.rgb + ((size_t)(top + y) * (size_t)v.width + (size_t)left) * 3;
            const uint8_t *p = tile + ((size_t)i * (size_t)h + (size_t)(y / zoom)) * (size_t)w * 3;
            for (x = 0; x < w * zoom; x++) memcpy(o + 3 * x, p + 3 * (x / zoom), 3);
        }
    }
    sslh_i_canvas_save(c, path, &v);
}

/* Memory for n tiles, each side within the largest picture. */
SSLH_I_FN uint8_t *sslh_i_tiles_new(sslh_ctx *c, const char *op, int n, int h, int w) {
    size_t bytes;
    if (h > SSLH_I_PICTURE_SIDE || w > SSLH_I_PICTURE_SIDE || !sslh_i_mul((size_t)h * (size_t)w * 3, (size_t)n, &bytes) || bytes > ((size_t)1 << 31) - 1) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: %d images of %d x %d make too large a picture", op, n, h, w);
        return NULL;
    }
    return (uint8_t *)sslh_i_alloc(c, bytes);
}

SSLH_DEF void sslh_picture_grid(sslh_ctx *c, const char *path, const sslh_tensor *images, int columns, int zoom) {
    uint8_t *tile;
    size_t i, pixels, channels;
    int k;
    char text[96];
    if (!sslh_i_readable(c, "sslh_picture_grid", images)) return;
    if (images->ndim != 4 || images->shape[3] > 4 || zoom > 1000) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_picture_grid: %s, zoom %d: images are (N,H,W,C) with 1 to 4 channels, zoom at most 1000",
                  sslh_i_str(text, sizeof text, sslh_shape_of(images)), zoom);
        return;
    }
    tile = sslh_i_tiles_new(c, "sslh_picture_grid", images->shape[0], images->shape[1], images->shape[2]);
    if (!tile) return;
    channels = (size_t)images->shape[3];
    pixels = images->count / channels;
    for (i = 0; i < pixels; i++)
        for (k = 0; k < 3; k++) tile[3 * i + (size_t)k] = sslh_i_byte((double)images->data[i * channels + (channels >= 3 ? (size_t)k : 0)]);
    sslh_i_tiles(c, "sslh_picture_grid", path, tile, images->shape[0], images->shape[1], images->shape[2], columns, zoom);
    sslh_i_free(c, tile);
}

SSLH_DEF void sslh_picture_filters(sslh_ctx *c, const char *path, const sslh_tensor *weight, int zoom) {
    uint8_t *tile;
    size_t i, o, k, values;
    int n, h = 0, w = 0, channels = 0;
    char text[96];
    if (!sslh_i_readable(c, "sslh_picture_filters", weight)) return;
    n = weight->ndim > 0 ? weight->shape[0] : 0;
    if (weight->ndim == 4) {
        h = weight->shape[1];
        w = weight->shape[2];
        channels = weight->shape[3];
    } else if (weight->ndim == 2) { /* rows of an MLP: grey if D is a square, else colour if D/3 is one */
        for (channels = 1; channels <= 3; channels += 2) {
            for (h = 1; (int64_t)h * h * channels < weight->shape[1];) h++;
            if ((int64_t)h * h * channels == weight->shape[1]) break;
        }
        w = h;
    }
    if (n < 1 || (channels != 1 && channels != 3) || zoom > 1000) {
        sslh_fail(c, SSLH_E_SHAPE, "sslh_picture_filters: %s, zoom %d: weights are (O,H,W,1), (O,H,W,3) or (O,D) with D or D/3 a square, zoom at most 1000",
                  sslh_i_str(text, sizeof text, sslh_shape_of(weight)), zoom);
        return;
    }
    tile = sslh_i_tiles_new(c, "sslh_picture_filters", n, h, w);
    if (!tile) return;
    values = (size_t)h * (size_t)w * (size_t)channels;
    for (o = 0; o < (size_t)n; o++) {
        const sslh_real *p = weight->data + o * values;
        double lo = (double)p[0], hi = lo, range;
        for (i = 1; i < values; i++) {
            if ((double)p[i] < lo) lo = (double)p[i];
            if ((double)p[i] > hi) hi = (double)p[i];
        }
        range = hi > lo ? hi - lo : 1;
        for (i = 0; i < (size_t)h * (size_t)w; i++)
            for (k = 0; k < 3; k++)
                tile[(o * (size_t)h * (size_t)w + i) * 3 + k] = sslh_i_byte(((double)p[i * (size_t)channels + (channels == 3 ? k : 0)] - lo) / range);
    }
    sslh_i_tiles(c, "sslh_picture_filters", path, tile, n, h, w, 0, zoom > 0 ? zoom : SSLH_I_MAX(1, 60 / SSLH_I_MAX(h, w)));
    sslh_i_free(c, tile);
}

/* --- scatter ------------------------------------------------------------------------------------------------------ */

/* Width in pixels of a legend column with a marker, at text scale 2. */
SSLH_I_FN int sslh_i_legend_width(const char *const *names, int n) {
    int i, longest = 2;
    for (i = 0; i < n; i++) longest = SSLH_I_MAX(longest, sslh_i_text_length(names ? names[i] : NULL));
    return 34 + SSLH_I_MIN(longest, 40) * SSLH_I_GLYPH_WIDTH * 2;
}

SSLH_I_FN int sslh_i_finite2(const sslh_real *p) { return (double)p[0] - (double)p[0] == 0 && (double)p[1] - (double)p[1] == 0; }

SSLH_DEF void sslh_picture_scatter(sslh_ctx *c, const char *path, const sslh_tensor *points, const int32_t *labels, int classes,
                                   const char *const *names) {
    enum { SIDE = 720, MARGIN = 24, LINE = 24 };
    sslh_i_canvas v;
    double lo[2] = {0, 0}, hi[2] = {0, 0}, middle[2], range, radius;
    int i, k, n, any = 0, legend, shown;
    if (!sslh_i_readable(c, "sslh_picture_scatter", points)) return;
    if (points->ndim != 2 || points->shape[1] != 2 || classes < 0) {
        char text[96];
        sslh_fail(c, SSLH_E_SHAPE, "sslh_picture_scatter: %s, %d classes: points are (n,2)", sslh_i_str(text, sizeof text, sslh_shape_of(points)), classes);
        return;
    }
    n = points->shape[0];
    for (i = 0; labels && classes == 0 && i < n; i++) any = SSLH_I_MAX(any, labels[i] < 1000 ? labels[i] + 1 : 1000);
    if (classes == 0) classes = any;
    any = 0;
    for (i = 0; i < n; i++) {
        const sslh_real *p = points->data + 2 * (size_t)i;
        if (!sslh_i_finite2(p)) continue;
        for (k = 0; k < 2; k++) {
            if (!any || (double)p[k] < lo[k]) lo[k] = (double)p[k];
            if (!any || (double)p[k] > hi[k]) hi[k] = (double)p[k];
        }
        any = 1;
    }
    /* one scale for both axes: distances are what such a map shows */
    range = SSLH_I_MAX(hi[0] - lo[0], hi[1] - lo[1]);
    if (!(range > 0)) range = 1;
    for (k = 0; k < 2; k++) middle[k] = lo[k] + (hi[k] - lo[k]) / 2;
    shown = labels ? SSLH_I_MIN(classes, SIDE / LINE) : 0;
    legend = shown ? sslh_i_legend_width(names, shown) : 0;
    if (!sslh_i_canvas_new(c, "sslh_picture_scatter", &v, SIDE + 2 * MARGIN + legend, SIDE + 2 * MARGIN)) return;
    sslh_i_ink_bar(&v, MARGIN, MARGIN, SIDE, 1, SSLH_I_FAINT);
    sslh_i_ink_bar(&v, MARGIN, MARGIN + SIDE - 1, SIDE, 1, SSLH_I_FAINT);
    sslh_i_ink_bar(&v, MARGIN, MARGIN, 1, SIDE, SSLH_I_FAINT);
    sslh_i_ink_bar(&v, MARGIN + SIDE - 1, MARGIN, 1, SIDE, SSLH_I_FAINT);
    radius = n <= 300 ? 5.0 : n <= 1000 ? 4.0 : n <= 3000 ? 3.0 : n <= 10000 ? 2.2 : 1.5;
    for (i = 0; i < n; i++) {
        const sslh_real *p = points->data + 2 * (size_t)i;
        double x = (double)MARGIN + 0.5 * SIDE, y = x, unit = (SIDE - 40) / range;
        if (!sslh_i_finite2(p)) continue;
        x = x + ((double)p[0] - middle[0]) * unit;
        y = y - ((double)p[1] - middle[1]) * unit;
        sslh_i_ink_dot(&v, x, y, radius, !labels ? sslh_i_colour(0) : labels[i] < 0 || labels[i] >= classes ? 0xb0b0b0 : sslh_i_colour(labels[i]), 205);
    }
    for (i = 0; i < shown; i++) {
        char number[32];
        int y = MARGIN + i * LINE;
        snprintf(number, sizeof number, "%d", i);
        sslh_i_ink_dot(&v, MARGIN + SIDE + 18, y + 7, 6, sslh_i_colour(i), 255);
        sslh_i_write_text(&v, MARGIN + SIDE + 32, y, 2, 0, SSLH_I_INK, names && names[i] ? names[i] : number);
    }
    sslh_i_canvas_save(c, path, &v);
}

/* --- curves ------------------------------------------------------------------------------------------------------- */

/* The next of 1, 2, 5 times a power of ten at or above x > 0. */
SSLH_I_FN double sslh_i_nice(double x) {
    double p = 1;
    int k;
    for (k = 0; k < 320 && p > x; k++) p /= 10;
    for (k = 0; k < 320 && p * 10 <= x; k++) p *= 10;
    return x <= p ? p : x <= 2 * p ? 2 * p : x <= 5 * p ? 5 * p : 10 * p;
}

/* A multiple of step as text, without the locale's point: 0.25, 1500, 2e6. */
SSLH_I_FN void sslh_i_tick(char *out, size_t size, double v, double step) {
    double a = v < 0 ? -v : v, scale = 1, whole, fraction;
    int digits = 0, power = 0, k;
    size_t used;
    if (a < step / 2) a = 0;
    if (a >= 99999.5 || (step < 9.99e-5 && a > 0)) {
        for (; a >= 9.999999 && power < 400; power++) a /= 10, step /= 10;
        for (; a < 0.9999999 && power > -400; power--) a *= 10, step *= 10;
    }
    for (; step < 0.999999 && digits < 6; digits++) step *= 10, scale *= 10;
    fraction = floor(a * scale + 0.5);
    whole = floor(fraction / scale);
    fraction = fraction - whole * scale;
    snprintf(out, size, "%s%.0f", v < 0 && a > 0 ? "-" : "", whole);
    if (digits) {
        char part[16];
        for (k = digits - 1; k >= 0; k--) {
            double tenth = floor(fraction / 10);
            part[k] = (char)('0' + (int)(fraction - 10 * tenth));
            fraction = tenth;
        }
        part[digits] = 0;
        used = strlen(out);
        if (used < size) snprintf(out + used, size - used, ".%s", part);
    }
    used = strlen(out);
    if (power && used < size) snprintf(out + used, size - used, "e%d", power);
}

SSLH_DEF void sslh_picture_curves(sslh_ctx *c, const char *path, const float *values, int curves, int n, const char *const *names, const char *title) {
    enum { WIDTH = 720, HEIGHT = 400, TOP = 28, RIGHT = 28, BOTTOM = 48 };
    sslh_i_canvas v;
    uint8_t *mask;
    double lo = 0, hi = 1, xlo = 1, xhi = n, step, tick;
    char text[48];
    int i, j, any = 0, left = 0, top, legend = names ? sslh_i_legend_width(names, SSLH_I_MAX(0, SSLH_I_MIN(curves, HEIGHT / 24))) : 0;
    size_t k;
    if (SSLH_I_BAD(c)) return;
    if (!values || curves < 1 || n < 1 || curves > 100000) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_picture_curves: %d curves of %d values: both must be at least 1 and the values not NULL", curves, n);
        return;
    }
    for (k = 0; k < (size_t)curves * (size_t)n; k++) {
        double y = (double)values[k];
        if (y - y != 0) continue; /* a gap */
        if (!any || y < lo) lo = y;
        if (!any || y > hi) hi = y;
        any = 1;
    }
    if (!any) lo = 0, hi = 1;
    if (!(hi - lo > 1e-30 + 1e-7 * (hi < 0 ? -lo : hi))) { /* flat */
        double room = hi != 0 ? 0.1 * (hi < 0 ? -hi : hi) : 1;
        lo -= room;
        hi += room;
    }
    step = sslh_i_nice((hi - lo) / 7);
    lo = floor(lo / step + 1e-9) * step;
    hi = ceil(hi / step - 1e-9) * step;
    if (n == 1) xlo = 0.5, xhi = 1.5;
    for (i = 0; i <= (int)((hi - lo) / step + 0.5); i++) {
        sslh_i_tick(text, sizeof text, lo + i * step, step);
        left = SSLH_I_MAX(left, 26 + 2 * SSLH_I_GLYPH_WIDTH * sslh_i_text_length(text));
    }
    top = TOP + (title ? 30 : 0);
    if (!sslh_i_canvas_new(c, "sslh_picture_curves", &v, left + WIDTH + RIGHT + legend, top + HEIGHT + BOTTOM)) return;
    mask = (uint8_t *)sslh_i_alloc(c, (size_t)v.width * (size_t)v.height);
    if (!mask) {
        sslh_i_free(c, v.rgb);
        return;
    }
    /* axes: faint lines across, numbers outside */
    for (i = 0; i <= (int)((hi - lo) / step + 0.5); i++) {
        int y = top + HEIGHT - (int)(i * step / (hi - lo) * HEIGHT + 0.5);
        sslh_i_ink_bar(&v, left, y, WIDTH, 1, SSLH_I_FAINT);
        sslh_i_tick(text, sizeof text, lo + i * step, step);
        sslh_i_write_text(&v, left - 10 - 2 * SSLH_I_GLYPH_WIDTH * sslh_i_text_length(text), y - 6, 2, 0, SSLH_I_INK, text);
    }
    tick = SSLH_I_MAX(1.0, sslh_i_nice((xhi - xlo) / 8));
    for (i = 0; i < 12; i++) { /* 1, then multiples of the tick */
        double x = i == 0 ? 1 : i * tick;
        int at = left + (int)((x - xlo) / (xhi - xlo) * WIDTH + 0.5);
        if (x > (double)n || (i > 0 && (x - 1) / (xhi - xlo) * WIDTH < 50)) continue; /* behind the last, too near the first */
        sslh_i_ink_bar(&v, at, top + HEIGHT, 1, 6, SSLH_I_INK);
        sslh_i_tick(text, sizeof text, x, 1);
        sslh_i_write_text(&v, at - SSLH_I_GLYPH_WIDTH * sslh_i_text_length(text) + 1, top + HEIGHT + 12, 2, 0, SSLH_I_INK, text);
    }
    sslh_i_ink_bar(&v, left, top + HEIGHT, WIDTH + 1, 1, SSLH_I_INK);
    sslh_i_ink_bar(&v, left, top, 1, HEIGHT, SSLH_I_INK);
    sslh_i_write_text(&v, left, TOP - 6, 2, 1, SSLH_I_INK, title);
    for (j = 0; j < curves; j++) {
        const float *y = values + (size_t)j * (size_t)n;
        double px = 0, py = 0;
        int pen = 0, colour = sslh_i_colour(j);
        memset(mask, 0, (size_t)v.width * (size_t)v.height);
        for (i = 0; i < n; i++) {
            double qx, qy;
            int gap = (double)y[i] - (double)y[i] != 0;
            if (gap) {
                pen = 0;
                continue;
            }
            qx = (double)left + 0.5 + ((double)i + 1 - xlo) / (xhi - xlo) * WIDTH;
            qy = (double)top + 0.5 + (hi - (double)y[i]) / (hi - lo) * HEIGHT;
            if (pen) sslh_i_ink_line(mask, v.width, v.height, px, py, qx, qy, 1.1);
            if (n <= 40) sslh_i_ink_line(mask, v.width, v.height, qx, qy, qx, qy, 3.0); /* few values: show where they are */
            else if (!pen) sslh_i_ink_line(mask, v.width, v.height, qx, qy, qx, qy, 1.1);
            px = qx;
            py = qy;
            pen = 1;
        }
        for (k = 0; k < (size_t)v.width * (size_t)v.height; k++)
            if (mask[k]) sslh_i_ink(&v, (int)(k % (size_t)v.width), (int)(k / (size_t)v.width), colour, mask[k]);
        if (!names || j >= HEIGHT / 24) continue;
        sslh_i_ink_bar(&v, left + WIDTH + 18, top + 24 * j + 5, 18, 4, colour);
        sslh_i_write_text(&v, left + WIDTH + 44, top + 24 * j, 2, 0, SSLH_I_INK, names[j]);
    }
    sslh_i_free(c, mask);
    sslh_i_canvas_save(c, path, &v);
}

/* --- principal components ------------------------------------------------------------------------------------------ */
/* Subspace iteration on the covariance C = X'X / (n-1) of the centred rows, never formed: W = X'(X Q), Rayleigh-Ritz in
   the subspace, orthonormalise, repeat. The block is wider than the components asked for, which speeds it up: component k
   converges like (lambda_block / lambda_k)^iterations. In double, summed in the order of the rows. */

typedef struct sslh_i_pca {
    const sslh_real *x; /* n x d */
    double *mean;       /* d */
    double *q, *w;      /* d x b */
    double *z;          /* n x b */
    int n, d, b;        /* b a multiple of SSLH_I_LANES */
} sslh_i_pca;

/* Z = X Q, 32 rows a task */
SSLH_I_FN void sslh_i_pca_project(void *arg, int task, int worker) {
    const sslh_i_pca *p = (const sslh_i_pca *)arg;
    int i, k, j, j0, end = SSLH_I_MIN(p->n, task * 32 + 32);
    (void)worker;
    for (i = task * 32; i < end; i++)
        for (j0 = 0; j0 < p->b; j0 += SSLH_I_LANES) {
            double acc[SSLH_I_LANES];
            for (j = 0; j < SSLH_I_LANES; j++) acc[j] = 0;
            for (k = 0; k < p->d; k++) {
                const double *q = p->q + (size_t)k * (size_t)p->b + j0;
                double x = (double)p->x[(size_t)i * (size_t)p->d + (size_t)k] - p->mean[k];
                for (j = 0; j < SSLH_I_LANES; j++) {
                    double m = x * q[j];
                    acc[j] = acc[j] + m;
                }
            }
            for (j = 0; j < SSLH_I_LANES; j++) p->z[(size_t)i * (size_t)p->b + (size_t)(j0 + j)] = acc[j];
        }
}

/* W = X'Z / (n-1), 16 rows of W a task */
SSLH_I_FN void sslh_i_pca_back(void *arg, int task, int worker) {
    const sslh_i_pca *p = (const sslh_i_pca *)arg;
    int i, k, j, j0, end = SSLH_I_MIN(p->d, task * 16 + 16);
    (void)worker;
    for (k = task * 16; k < end; k++)
        for (j0 = 0; j0 < p->b; j0 += SSLH_I_LANES) {
            double acc[SSLH_I_LANES];
            for (j = 0; j < SSLH_I_LANES; j++) acc[j] = 0;
            for (i = 0; i < p->n; i++) {
                const double *z = p->z + (size_t)i * (size_t)p->b + j0;
                double x = (double)p->x[(size_t)i * (size_t)p->d + (size_t)k] - p->mean[k];
                for (j = 0; j < SSLH_I_LANES; j++) {
                    double m = x * z[j];
                    acc[j] = acc[j] + m;
                }
            }
            for (j = 0; j < SSLH_I_LANES; j++) p->w[(size_t)k * (size_t)p->b + (size_t)(j0 + j)] = acc[j] / (double)SSLH_I_MAX(1, p->n - 1);
        }
}

/* Eigenvalues (diagonal of a) and eigenvectors (columns of v) of a symmetric n x n matrix: cyclic Jacobi rotations. */
SSLH_I_FN void sslh_i_jacobi(double *a, double *v, int n) {
    int sweep, i, p, q;
    for (i = 0; i < n * n; i++) v[i] = i % (n + 1) == 0 ? 1 : 0;
    for (sweep = 0; sweep < 30; sweep++) {
        double off = 0, diagonal = 0;
        for (p = 0; p < n; p++)
            for (q = 0; q < n; q++) *(p == q ? &diagonal : &off) += a[p * n + q] * a[p * n + q];
        if (!(off > 1e-30 * diagonal)) break;
        for (p = 0; p < n; p++)
            for (q = p + 1; q < n; q++) {
                double apq = a[p * n + q], theta, t, cs, sn;
                if (apq == 0) continue;
                theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
                t = 1 / (fabs(theta) + sqrt(theta * theta + 1));
                if (theta < 0) t = -t;
                cs = 1 / sqrt(t * t + 1);
                sn = t * cs;
                for (i = 0; i < n; i++) { /* columns p and q */
                    double x = a[i * n + p], y = a[i * n + q];
                    a[i * n + p] = cs * x - sn * y;
                    a[i * n + q] = sn * x + cs * y;
                }
                for (i = 0; i < n; i++) { /* rows p and q, and the vectors */
                    double x = a[p * n + i], y = a[q * n + i], e = v[i * n + p], f = v[i * n + q];
                    a[p * n + i] = cs * x - sn * y;
                    a[q * n + i] = sn * x + cs * y;
                    v[i * n + p] = cs * e - sn * f;
                    v[i * n + q] = sn * e + cs * f;
                }
            }
    }
}

/* Orthonormal columns of q (d x b) from left to right, by Gram-Schmidt done twice; dependent ones become 0. */
SSLH_I_FN void sslh_i_orthonormal(double *q, int d, int b) {
    int j, k, i, pass;
    for (j = 0; j < b; j++) {
        double before = 0, after = 0;
        for (i = 0; i < d; i++) before += q[(size_t)i * (size_t)b + (size_t)j] * q[(size_t)i * (size_t)b + (size_t)j];
        for (pass = 0; pass < 2; pass++)
            for (k = 0; k < j; k++) {
                double dot = 0;
                for (i = 0; i < d; i++) dot += q[(size_t)i * (size_t)b + (size_t)j] * q[(size_t)i * (size_t)b + (size_t)k];
                for (i = 0; i < d; i++) q[(size_t)i * (size_t)b + (size_t)j] -= dot * q[(size_t)i * (size_t)b + (size_t)k];
            }
        for (i = 0; i < d; i++) after += q[(size_t)i * (size_t)b + (size_t)j] * q[(size_t)i * (size_t)b + (size_t)j];
        after = after > 1e-24 * before ? 1 / sqrt(after) : 0;
        for (i = 0; i < d; i++) q[(size_t)i * (size_t)b + (size_t)j] *= after;
    }
}

/* out (n x dims) = centred rows on the first dims components. 1 on success. */
SSLH_I_FN int sslh_i_pca_run(sslh_ctx *c, const sslh_real *x, int n, int d, int dims, sslh_real *out) {
    sslh_i_pca p;
    int b = SSLH_I_ROUND_UP(dims + 8), i, j, k, round, *order;
    size_t bb = (size_t)b * (size_t)b, db = (size_t)d * (size_t)b, total = (size_t)d + 2 * db + (size_t)n * (size_t)b + 3 * bb + (size_t)b;
    double *memory, *t, *v, *line, *last;
    memory = (double *)sslh_i_alloc(c, total * sizeof(double) + (size_t)b * sizeof(int));
    if (!memory) return 0;
    p.x = x;
    p.n = n;
    p.d = d;
    p.b = b;
    p.mean = memory;
    p.q = p.mean + d;
    p.w = p.q + db;
    p.z = p.w + db;
    t = p.z + (size_t)n * (size_t)b;
    v = t + bb;
    line = v + bb;
    last = line + bb;
    order = (int *)(void *)(last + b);
    for (i = 0; i < n; i++)
        for (k = 0; k < d; k++) p.mean[k] += (double)x[(size_t)i * (size_t)d + (size_t)k];
    for (k = 0; k < d; k++) p.mean[k] /= (double)n;
    for (k = 0; k < d; k++) /* a fixed start that is orthogonal to nothing in particular */
        for (j = 0; j < SSLH_I_MIN(b, d); j++) p.q[(size_t)k * (size_t)b + (size_t)j] = (double)sslh_random_uniform(0, (uint64_t)j, (uint64_t)k) - 0.5;
    sslh_i_orthonormal(p.q, d, b);
    for (round = 0; round < 300; round++) {
        double moved = 0;
        sslh_i_parallel(c, (n - 1) / 32 + 1, sslh_i_pca_project, &p);
        sslh_i_parallel(c, (d - 1) / 16 + 1, sslh_i_pca_back, &p);
        memset(t, 0, bb * sizeof *t);
        for (k = 0; k < d; k++) /* T = Q'W, the covariance in the subspace */
            for (i = 0; i < b; i++)
                for (j = 0; j < b; j++) t[i * b + j] += p.q[(size_t)k * (size_t)b + (size_t)i] * p.w[(size_t)k * (size_t)b + (size_t)j];
        for (i = 0; i < b; i++)
            for (j = 0; j < i; j++) t[i * b + j] = t[j * b + i] = (t[i * b + j] + t[j * b + i]) / 2;
        sslh_i_jacobi(t, v, b);
        for (i = 0; i < b; i++) { /* eigenvalues in falling order */
            for (j = i; j > 0 && t[order[j - 1] * (b + 1)] < t[i * (b + 1)]; j--) order[j] = order[j - 1];
            order[j] = i;
        }
        for (k = 0; k < d; k++) { /* Q = W V, then orthonormal */
            for (j = 0; j < b; j++) line[j] = 0;
            for (i = 0; i < b; i++)
                for (j = 0; j < b; j++) line[j] += p.w[(size_t)k * (size_t)b + (size_t)i] * v[i * b + order[j]];
            memcpy(p.q + (size_t)k * (size_t)b, line, (size_t)b * sizeof *line);
        }
        sslh_i_orthonormal(p.q, d, b);
        for (j = 0; j < dims; j++) {
            double value = t[order[j] * (b + 1)];
            moved = SSLH_I_MAX(moved, fabs(value - last[j]) / (fabs(t[order[0] * (b + 1)]) + 1e-300));
            last[j] = value;
        }
        if (round > 1 && moved < 1e-13) break;
    }
    for (j = 0; j < dims; j++) { /* the largest weight of a component is positive */
        double top = 0;
        for (k = 0; k < d; k++) if (fabs(p.q[(size_t)k * (size_t)b + (size_t)j]) > fabs(top)) top = p.q[(size_t)k * (size_t)b + (size_t)j];
        for (k = 0; k < d && top < 0; k++) p.q[(size_t)k * (size_t)b + (size_t)j] = -p.q[(size_t)k * (size_t)b + (size_t)j];
    }
    sslh_i_parallel(c, (n - 1) / 32 + 1, sslh_i_pca_project, &p);
    for (i = 0; i < n; i++)
        for (j = 0; j < dims; j++) out[(size_t)i * (size_t)dims + (size_t)j] = (sslh_real)p.z[(size_t)i * (size_t)b + (size_t)j];
    sslh_i_free(c, memory);
    return 1;
}

/* Rows and width of a tensor (n,..), finite; 0 and an error otherwise. */
SSLH_I_FN int sslh_i_feature_rows(sslh_ctx *c, const char *op, const sslh_tensor *x, int *n, int *d) {
    char text[96];
    if (!sslh_i_readable(c, op, x)) return 0;
    if (x->ndim < 2 || x->count / (size_t)x->shape[0] > 1000000) {
        sslh_fail(c, SSLH_E_SHAPE, "%s: %s: features are (n,D), D at most a million", op, sslh_i_str(text, sizeof text, sslh_shape_of(x)));
        return 0;
    }
    if (!sslh_i_finite(x->data, x->count)) {
        sslh_fail(c, SSLH_E_NAN, "%s: the features hold NaN or Inf", op);
        return 0;
    }
    *n = x->shape[0];
    *d = (int)(x->count / (size_t)x->shape[0]);
    return 1;
}

SSLH_DEF sslh_tensor *sslh_pca(sslh_ctx *c, const sslh_tensor *x, int dims) {
    sslh_tensor *out;
    int n, d;
    if (!sslh_i_feature_rows(c, "sslh_pca", x, &n, &d)) return sslh_i_dummy(c);
    if (dims < 1 || dims > d || dims > 1000) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_pca: %d components of features of width %d (at most 1000)", dims, d);
        return sslh_i_dummy(c);
    }
    out = sslh_i_persistent(c, "sslh_pca", SSLH_F32, sslh_dim2(n, dims));
    if (!out || !sslh_i_pca_run(c, x->data, n, d, dims, out->data)) return sslh_i_dummy(c);
    return out;
}

/* --- t-SNE --------------------------------------------------------------------------------------------------------- */
/* van der Maaten & Hinton, "Visualizing data using t-SNE", 2008.
     p_j|i = exp(-b_i |x_i-x_j|^2) / sum over k != i, with b_i such that the entropy is log perplexity         (1)
     p_ij  = (p_j|i + p_i|j) / 2n                                                                             (2)
     q_ij  = w_ij / sum of all w,  w_ij = 1 / (1 + |y_i-y_j|^2)                                               (4)
     dC/dy_i = 4 sum over j (p_ij - q_ij) (y_i - y_j) w_ij                                                    (5)
   Gradient descent with momentum 0.5, then 0.8, and a gain per coordinate (+0.2 when the sign stays, x0.8 when it turns); p is
   exaggerated 12 times for the first quarter; learning rate n/48, at least 50; start: PCA with std 1e-4. */

typedef struct sslh_i_tsne {
    int n, np, d, dp;     /* points, rounded up; width, rounded up */
    const float *x;       /* n x dp, zeros behind d */
    float *p;             /* n x np: squared distances, then p_j|i, then p_ij */
    float *y;             /* 2 x np: coordinates; far away behind n */
    float *attract;       /* n x 2: sum of p w (y_i - y_j) */
    float *repel;         /* n x 2: sum of w^2 (y_i - y_j) */
    float *z;             /* n: sum of w */
    float log_perplexity;
} sslh_i_tsne;

#define SSLH_I_TSNE_ROWS 16 /* a task */

/* Squared distances of rows i to all later rows, into both halves. */
SSLH_I_FN void sslh_i_tsne_distances(void *arg, int task, int worker) {
    sslh_i_tsne *s = (sslh_i_tsne *)arg;
    int i, j, k, l, half, end = SSLH_I_MIN(s->n, (task + 1) * SSLH_I_TSNE_ROWS);
    (void)worker;
    for (i = task * SSLH_I_TSNE_ROWS; i < end; i++)
        for (j = i + 1; j < s->n; j++) {
            const float *a = s->x + (size_t)i * (size_t)s->dp, *b = s->x + (size_t)j * (size_t)s->dp;
            float lane[SSLH_I_LANES];
            for (l = 0; l < SSLH_I_LANES; l++) lane[l] = 0;
            for (k = 0; k < s->dp; k += SSLH_I_LANES)
                for (l = 0; l < SSLH_I_LANES; l++) {
                    float e = a[k + l] - b[k + l];
                    e = e * e;
                    lane[l] = lane[l] + e;
                }
            for (half = SSLH_I_LANES / 2; half > 0; half /= 2)
                for (l = 0; l < half; l++) lane[l] = lane[l] + lane[l + half];
            s->p[(size_t)i * (size_t)s->np + (size_t)j] = lane[0];
            s->p[(size_t)j * (size_t)s->np + (size_t)i] = lane[0];
        }
}

/* Equation (1) in place, b_i by bisection. The smallest distance is subtracted: it cancels, and nothing underflows. */
SSLH_I_FN void sslh_i_tsne_conditional(void *arg, int task, int worker) {
    sslh_i_tsne *s = (sslh_i_tsne *)arg;
    int i, j, attempt, end = SSLH_I_MIN(s->n, (task + 1) * SSLH_I_TSNE_ROWS);
    (void)worker;
    for (i = task * SSLH_I_TSNE_ROWS; i < end; i++) {
        float *p = s->p + (size_t)i * (size_t)s->np;
        float near_ = 0, mean = 0, beta, lo = 0, hi = 0, sum = 1;
        int first = 1;
        for (j = 0; j < s->n; j++) {
            if (j == i) continue;
            if (first || p[j] < near_) near_ = p[j];
            first = 0;
        }
        for (j = 0; j < s->n; j++) {
            if (j == i) continue;
            p[j] = p[j] - near_;
            mean = mean + p[j];
        }
        mean = mean / (float)s->n;
        beta = mean > 1e-30f ? 1.0f / mean : 1.0f;
        for (attempt = 0; attempt < 64; attempt++) {
            float weighted = 0, entropy;
            sum = 0;
            for (j = 0; j < s->n; j++) {
                float e = p[j] * beta, m;
                if (j == i) continue;
                e = e > 80.0f ? 0.0f : (float)sslh_i_exp((sslh_real)-e);
                sum = sum + e;
                m = p[j] * e;
                weighted = weighted + m;
            }
            entropy = beta * weighted;
            entropy = entropy / sum;
            entropy = entropy + (float)sslh_i_log((sslh_real)sum);
            entropy = entropy - s->log_perplexity;
            if (entropy < 1e-5f && entropy > -1e-5f) break;
            if (entropy > 0) {
                lo = beta;
                beta = hi > 0 ? (beta + hi) / 2 : beta * 2;
            } else {
                hi = beta;
                beta = (beta + lo) / 2;
            }
            if (!(beta < 1e30f)) break;
        }
        sum = 0; /* for the last beta */
        for (j = 0; j < s->n; j++) {
            float e = p[j] * beta;
            p[j] = j == i || e > 80.0f ? 0.0f : (float)sslh_i_exp((sslh_real)-e);
            sum = sum + p[j];
        }
        for (j = 0; j < s->n && sum > 0; j++) p[j] = p[j] / sum;
    }
}

/* Equation (2); a pair belongs to the task of its smaller index. */
SSLH_I_FN void sslh_i_tsne_symmetric(void *arg, int task, int worker) {
    sslh_i_tsne *s = (sslh_i_tsne *)arg;
    int i, j, end = SSLH_I_MIN(s->n, (task + 1) * SSLH_I_TSNE_ROWS);
    float scale = 0.5f / (float)s->n;
    (void)worker;
    for (i = task * SSLH_I_TSNE_ROWS; i < end; i++)
        for (j = i + 1; j < s->n; j++) {
            float *a = s->p + (size_t)i * (size_t)s->np + j, *b = s->p + (size_t)j * (size_t)s->np + i;
            float m = *a + *b;
            m = m * scale;
            *a = *b = m;
        }
}

/* The sums of equation (5) for some rows. */
SSLH_I_FN void sslh_i_tsne_forces(void *arg, int task, int worker) {
    sslh_i_tsne *s = (sslh_i_tsne *)arg;
    int i, j, l, half, end = SSLH_I_MIN(s->n, (task + 1) * SSLH_I_TSNE_ROWS);
    const float *yx = s->y, *yy = s->y + s->np;
    (void)worker;
    for (i = task * SSLH_I_TSNE_ROWS; i < end; i++) {
        const float *p = s->p + (size_t)i * (size_t)s->np;
        float x = yx[i], y = yy[i];
        float z[SSLH_I_LANES], ax[SSLH_I_LANES], ay[SSLH_I_LANES], rx[SSLH_I_LANES], ry[SSLH_I_LANES];
        for (l = 0; l < SSLH_I_LANES; l++) z[l] = ax[l] = ay[l] = rx[l] = ry[l] = 0;
        for (j = 0; j < s->np; j += SSLH_I_LANES)
            for (l = 0; l < SSLH_I_LANES; l++) {
                float dx = x - yx[j + l], dy = y - yy[j + l], w = dx * dx, m = dy * dy, t;
                w = w + m;
                w = w + 1.0f;
                w = 1.0f / w;
                z[l] = z[l] + w;
                m = p[j + l] * w;
                w = w * w;
                t = m * dx;
                ax[l] = ax[l] + t;
                t = m * dy;
                ay[l] = ay[l] + t;
                t = w * dx;
                rx[l] = rx[l] + t;
                t = w * dy;
                ry[l] = ry[l] + t;
            }
        for (half = SSLH_I_LANES / 2; half > 0; half /= 2)
            for (l = 0; l < half; l++) {
                z[l] = z[l] + z[l + half];
                ax[l] = ax[l] + ax[l + half];
                ay[l] = ay[l] + ay[l + half];
                rx[l] = rx[l] + rx[l + half];
                ry[l] = ry[l] + ry[l + half];
            }
        s->z[i] = z[0] - 1.0f; /* without the point itself */
        s->attract[2 * i] = ax[0];
        s->attract[2 * i + 1] = ay[0];
        s->repel[2 * i] = rx[0];
        s->repel[2 * i + 1] = ry[0];
    }
}

/* One step of the descent; velocity and gain are 2 x np like y. */
SSLH_I_FN void sslh_i_tsne_step(sslh_i_tsne *s, float *velocity, float *gain, float exaggeration, float momentum, float rate) {
    double z = 0;
    int i, k;
    for (i = 0; i < s->n; i++) z = z + (double)s->z[i];
    for (k = 0; k < 2; k++) {
        float *y = s->y + (size_t)k * (size_t)s->np, *u = velocity + (size_t)k * (size_t)s->np, *g = gain + (size_t)k * (size_t)s->np;
        double mean = 0;
        for (i = 0; i < s->n; i++) {
            float a = exaggeration * s->attract[2 * i + k], r = s->repel[2 * i + k] / (float)z, slope = a - r, m;
            slope = 4.0f * slope;
            g[i] = (slope > 0) != (u[i] > 0) ? g[i] + 0.2f : g[i] * 0.8f;
            if (g[i] < 0.01f) g[i] = 0.01f;
            m = rate * g[i];
            m = m * slope;
            u[i] = momentum * u[i];
            u[i] = u[i] - m;
            y[i] = y[i] + u[i];
            mean = mean + (double)y[i];
        }
        mean = mean / (double)s->n;
        for (i = 0; i < s->n; i++) y[i] = y[i] - (float)mean;
    }
}

SSLH_DEF sslh_tensor *sslh_tsne(sslh_ctx *c, const sslh_tensor *x, sslh_tsne_desc desc) {
    sslh_i_tsne s;
    sslh_tensor *out;
    float *memory, *velocity, *gain, perplexity = desc.perplexity == 0 ? 30.0f : desc.perplexity, rate;
    int iterations = desc.iterations == 0 ? 500 : desc.iterations, i, k, tasks;
    size_t np, floats, cells;
    double spread = 0;
    memset(&s, 0, sizeof s);
    if (!sslh_i_feature_rows(c, "sslh_tsne", x, &s.n, &s.d)) return sslh_i_dummy(c);
    if (!(perplexity >= 1 && perplexity <= 10000) || iterations < 1) {
        sslh_fail(c, SSLH_E_USAGE, "sslh_tsne: perplexity %g, %d iterations: the first must be 1 to 10000, the second at least 1", (double)perplexity, iterations);
        return sslh_i_dummy(c);
    }
    np = SSLH_I_ROUND_UP((size_t)s.n);
    s.dp = SSLH_I_ROUND_UP(s.d);
    if (!sslh_i_mul((size_t)s.n, np + (size_t)s.dp, &cells) || s.n > 46000 || cells > (size_t)-1 / 8) {
        sslh_fail(c, SSLH_E_MEMORY, "sslh_tsne: %d points: the exact method keeps n x n values, take a subset", s.n);
        return sslh_i_dummy(c);
    }
    s.np = (int)np;
    out = sslh_i_persistent(c, "sslh_tsne", SSLH_F32, sslh_dim2(s.n, 2));
    if (!out) return sslh_i_dummy(c);
    if (s.d == 1) for (i = 0; i < s.n; i++) out->data[2 * i] = x->data[i];
    else if (!sslh_i_pca_run(c, x->data, s.n, s.d, 2, out->data)) return sslh_i_dummy(c);
    if (s.n < 4) return out; /* nothing to arrange */
    floats = cells + 6 * np + 5 * (size_t)s.n;
    memory = (float *)sslh_i_alloc(c, floats * sizeof(float));
    if (!memory) return sslh_i_dummy(c);
    s.p = memory;
    s.y = s.p + (size_t)s.n * np;
    velocity = s.y + 2 * np;
    gain = velocity + 2 * np;
    s.attract = gain + 2 * np;
    s.repel = s.attract + 2 * (size_t)s.n;
    s.z = s.repel + 2 * (size_t)s.n;
    {
        float *copy = s.z + s.n;
        for (i = 0; i < s.n; i++)
            for (k = 0; k < s.d; k++) copy[(size_t)i * (size_t)s.dp + (size_t)k] = (float)x->data[(size_t)i * (size_t)s.d + (size_t)k];
        s.x = copy;
    }
    tasks = (s.n - 1) / SSLH_I_TSNE_ROWS + 1;
    if (perplexity > (float)(s.n - 1) / 3.0f) perplexity = (float)(s.n - 1) / 3.0f; /* more neighbours than there are */
    s.log_perplexity = (float)sslh_i_log((sslh_real)perplexity);
    sslh_i_parallel(c, tasks, sslh_i_tsne_distances, &s);
    sslh_i_parallel(c, tasks, sslh_i_tsne_conditional, &s);
    sslh_i_parallel(c, tasks, sslh_i_tsne_symmetric, &s);
    for (i = 0; i < s.n; i++) spread = spread + (double)out->data[2 * i] * (double)out->data[2 * i];
    spread = sqrt(spread / (double)s.n);
    for (k = 0; k < 2; k++)
        for (i = 0; i < s.np; i++) {
            double v = i < s.n && spread > 0 ? (double)out->data[2 * i + k] / spread * 1e-4 : 0;
            /* equal points get a hair's breadth, or they could never part; what is behind n is so far away that it does nothing */
            if (i < s.n) v = v + 1e-6 * ((double)sslh_random_uniform(0, (uint64_t)k, (uint64_t)i) - 0.5);
            s.y[(size_t)k * np + (size_t)i] = i < s.n ? (float)v : 1e15f;
            gain[(size_t)k * np + (size_t)i] = 1.0f;
        }
    rate = SSLH_I_MAX(50.0f, (float)s.n / 48.0f);
    for (i = 0; i < iterations; i++) {
        int early = i < iterations / 4;
        sslh_i_parallel(c, tasks, sslh_i_tsne_forces, &s);
        sslh_i_tsne_step(&s, velocity, gain, early ? 12.0f : 1.0f, early ? 0.5f : 0.8f, rate);
    }
    for (i = 0; i < s.n; i++)
        for (k = 0; k < 2; k++) out->data[2 * i + k] = (sslh_real)s.y[(size_t)k * np + (size_t)i];
    sslh_i_free(c, memory);
    return out;
}

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__) && !defined(__clang__) && !defined(__TINYC__)
#pragma GCC pop_options
#endif
#endif /* !SSLH_I_INNER */
#endif /* SSLH_IMPLEMENTATION */

/* ================================================================================================================== */
/*  >>history       what changed                                                                                       */
/* ================================================================================================================== */
/*  0.1.0  first version: core, kernels, encoders; rotation, SimCLR, VAE, MAE; probes, pictures                        */

/* ================================================================================================================== */
/*  >>licence       choose one                                                                                         */
/* ================================================================================================================== */
/*  A. Public domain (unlicense.org)
       This is free and unencumbered software released into the public domain. Anyone is free to copy, modify, publish, use,
       compile, sell, or distribute this software, either in source code form or as a compiled binary, for any purpose,
       commercial or non-commercial, and by any means. In jurisdictions that recognize copyright laws, the author or authors of
       this software dedicate any and all copyright interest in the software to the public domain. We make this dedication for
       the benefit of the public at large and to the detriment of our heirs and successors. We intend this dedication to be an
       overt act of relinquishment in perpetuity of all present and future rights to this software under copyright law. THE
       SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
       MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS BE LIABLE FOR ANY CLAIM,
       DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
       SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

    B. MIT-0 (MIT No Attribution), Copyright 2026 the ssl.h authors
       Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
       files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
       modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
       Software is furnished to do so. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING
       BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL
       THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
       OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE. */
