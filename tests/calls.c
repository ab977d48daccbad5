/* Calls of every public function, in sequences that a generator draws from a seed.

   hostile_calls: whatever a caller can get wrong without breaking C itself. NULL, dummies, objects of another context,
   tensors whose memory was given back, sizes and numbers that make no sense, odd texts and paths, an error that is
   already set. Nothing may crash, hang, leak or take more memory than .max_bytes; an error has a sentence that names
   the function, its result is inert; once the error is cleared the context computes as ever.

   graphs: valid operations on tensors of valid shapes, forwards and backwards: no error, the shape that the rule gives,
   finite values, gradients of the same shape, the same bits again, with two threads and without a tape. In the double
   build the gradients are compared with central differences.

   trainings: valid encoders, methods and settings: no error, finite losses, the same bits again and with two threads.

   A sequence is a function of its number alone. What fails prints the line that repeats it, SSLH_CALLS_SEED=number
   program test. SSLH_CALLS_RUNS=count sets how many are run; SSLH_TEST_LONG=1 runs many. */
#if defined(__unix__) || defined(__APPLE__)
#define _XOPEN_SOURCE 700 /* alarm, sigaction */
#include <signal.h>
#include <unistd.h>
#define CAN_WATCH 1
#else
#define CAN_WATCH 0
#endif
#include "../ssl.h"
#include "harness.h"

/* --- numbers of a sequence ---------------------------------------------------------------------------------------- */

static uint64_t dice_state;
static uint32_t dice_word(void) { /* splitmix64 */
    uint64_t z = (dice_state += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (uint32_t)(z >> 32);
}
static int dice(int n) { return (int)((uint64_t)dice_word() * (uint64_t)n >> 32); }
static void dice_seed(long number) {
    dice_state = (uint64_t)number * 0x2545f4914f6cdd1dull + 1;
    dice_word();
}

/* --- what is running, for the line that repeats it ---------------------------------------------------------------- */

static const char *running_test = "", *running_call = "";
static const char *volatile program = "build/tests/calls";
static volatile long running = -1;
static void say_running(void) {
    if (running >= 0) {
        fprintf(stderr, "  FAIL %s in %s: SSLH_CALLS_SEED=%ld %s %s\n", running_test, running_call, running, program,
                running_test);
        fflush(stderr);
    }
}
#if CAN_WATCH
static void stopped(int number) {
    fprintf(stderr, "%s\n", number == SIGALRM ? "a call does not return" : "a crash");
    say_running();
    fflush(stdout);
    signal(number, SIG_DFL);
    raise(number);
}
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifdef SANITIZED
void __asan_on_error(void); /* called by the sanitizers that have it, at each report */
void __ubsan_on_report(void);
void __asan_on_error(void) { say_running(); }
void __ubsan_on_report(void) { say_running(); }
#else
#define SANITIZED 0
#endif
static void watch(void) {
    static int done;
    if (done++) return;
#if !SANITIZED && CAN_WATCH
    signal(SIGSEGV, stopped);
    signal(SIGBUS, stopped);
    signal(SIGFPE, stopped);
    signal(SIGILL, stopped);
    signal(SIGABRT, stopped);
#endif
#if CAN_WATCH
    signal(SIGALRM, stopped);
#endif
}
/* Runs sequence number 0, 1 .. or the one that is asked for. */
static void sequences(const char *test, long small, long normal, long endless, void (*sequence)(long)) {
    const char *seed = getenv("SSLH_CALLS_SEED"), *runs = getenv("SSLH_CALLS_RUNS");
    const char *long_run = getenv("SSLH_TEST_LONG");
    int is_long = long_run && long_run[0] == '1';
    long n = runs ? atol(runs) : is_long ? endless / (test_small() ? 10 : 1) : test_small() ? small : normal, first = 0;
    if (seed) first = atol(seed), n = first + 1;
    watch();
    running_test = test;
    for (long i = first; i < n; i++) {
        int before = test_checks_failed;
        running = i;
        running_call = "the beginning";
        dice_seed(i);
#if CAN_WATCH
        alarm(120);
#endif
        sequence(i);
        if (test_checks_failed > before) {
            fflush(stdout);
            say_running();
        }
        if (test_checks_failed > 50) break;
    }
#if CAN_WATCH
    alarm(0);
#endif
    running = -1;
}

/* --- the world of a hostile sequence ------------------------------------------------------------------------------ */

enum { TENSORS = 48, NETS = 20, METHODS = 8, DATAS = 10, LOADERS = 6, OPTIMIZERS = 5, FIXED = 13 };
#define LIMIT ((size_t)12 << 20)
typedef struct world {
    sslh_ctx    *c, *other, *dead; /* the last two: an innocent bystander, and one without memory */
    test_memory  memory, others;
    sslh_tensor *tensor[TENSORS];
    int          tensors, lasting; /* the first `lasting` live as long as the context */
    sslh_net    *net[NETS];
    int          nets;
    sslh_method  method[METHODS];
    int          methods;
    sslh_data    data[DATAS];
    int          datas;
    sslh_loader *loader[LOADERS];
    int          loaders;
    sslh_optimizer *optimizer[OPTIMIZERS];
    int          optimizers;
    sslh_batch   batch;     /* of the loader; valid while batch_is */
    int          batch_is, depth, stale, over;
    char        *text;      /* 200 bytes for what a call writes */
} world;

static uint8_t pixels[64 * 8 * 8 * 4]; /* as many as any of the data sets below has */
static int32_t labels[8] = {0, 1, 0, 1, 2, 2, 0, 1};
static float reals[8192];
enum { WORDS = 12 };
static const int32_t words[WORDS] = {0, 1, 2, 1, 0, 2, 2, 1, 1, 0, 2, 0}; /* the small transformers know three */
static int32_t numbers[64];
static char long_text[5001];

static void *no_memory(void *user, size_t bytes) {
    (void)user, (void)bytes;
    return NULL;
}
static void no_release(void *user, void *p) { (void)user, (void)p; }

static sslh_ctx *make_context(test_memory *m, int threads) {
    sslh_desc d;
    memset(m, 0, sizeof *m);
    memset(&d, 0, sizeof d);
    d.threads = threads, d.seed = 5, d.max_bytes = LIMIT;
    d.alloc = test_alloc, d.release = test_release, d.user = m;
    return sslh_create(d);
}

static void add_tensor(world *w, sslh_tensor *t) {
    if (w->tensors < TENSORS) w->tensor[w->tensors++] = t;
    else w->tensor[w->lasting + dice(TENSORS - w->lasting)] = t;
}
static void add_net(world *w, sslh_net *n) { w->net[w->nets < NETS ? w->nets++ : FIXED + dice(NETS - FIXED)] = n; }
static void add_method(world *w, sslh_method m) {
    w->method[w->methods < METHODS ? w->methods++ : 4 + dice(METHODS - 4)] = m;
}
static void add_data(world *w, sslh_data d) { w->data[w->datas < DATAS ? w->datas++ : 4 + dice(DATAS - 4)] = d; }
static void add_loader(world *w, sslh_loader *l) { w->loader[w->loaders < LOADERS ? w->loaders++ : dice(LOADERS)] = l; }
static void add_optimizer(world *w, sslh_optimizer *o) {
    w->optimizer[w->optimizers < OPTIMIZERS ? w->optimizers++ : dice(OPTIMIZERS)] = o;
}

/* Tensors of a step anew, in both contexts. */
static void fresh(world *w) {
    static const int shapes[][5] = {{0}, {1, 4}, {2, 4, 3}, {2, 3, 4}, {3, 2, 3, 4}, {4, 2, 4, 4, 3}, {4, 4, 8, 8, 3},
                                    {2, 6, 1}, {4, 4, 3, 3, 3}, {2, 4, 12}, {3, 2, 5, 12}};
    w->tensors = w->lasting;
    w->stale = 0;
    for (int i = 0; i < (int)(sizeof shapes / sizeof shapes[0]); i++) {
        sslh_shape s;
        memset(&s, 0, sizeof s);
        s.ndim = shapes[i][0];
        for (int k = 0; k < s.ndim; k++) s.size[k] = shapes[i][k + 1];
        sslh_tensor *t = sslh_uniform(w->c, s, -1, 1);
        if (i % 2) sslh_requires_grad(t);
        add_tensor(w, t);
    }
    add_tensor(w, sslh_from_ints(w->c, sslh_dim1(4), labels));
    add_tensor(w, sslh_from_ints(w->c, sslh_dim2(2, 2), labels));
    add_tensor(w, sslh_from_bytes(w->c, sslh_dim4(4, 8, 8, 3), pixels));
    add_tensor(w, sslh_from_bytes(w->c, sslh_dim2(2, 5), pixels));
    add_tensor(w, sslh_full(w->c, sslh_dim2(4, 3), reals[1]));  /* NaN */
    add_tensor(w, sslh_full(w->c, sslh_dim2(3, 4), reals[2]));  /* Inf */
    add_tensor(w, sslh_full(w->other, sslh_dim2(4, 3), 1));
    add_tensor(w, sslh_requires_grad(sslh_full(w->other, sslh_dim4(4, 8, 8, 3), 1)));
}

static void constants(void) {
    for (int i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 ^ i >> 3);
    for (int i = 0; i < 8192; i++) reals[i] = (float)(i % 17) / 16;
    reals[1] = (float)(HUGE_VAL - HUGE_VAL), reals[2] = (float)HUGE_VAL;
    memset(long_text, 'x', sizeof long_text - 1);
}
static void world_begin(world *w) {
    sslh_desc dead;
    sslh_mlp_desc md;
    sslh_convnet_desc cd;
    sslh_vit_desc vd;
    sslh_transformer_desc td;
    sslh_net_desc nd;
    sslh_vae_desc ad;
    sslh_autoencoder_desc pd;
    sslh_simclr_desc sd;
    sslh_rotation_desc rd;
    sslh_mae_desc ed;
    sslh_optimizer_desc od;
    sslh_loader_desc ld;
    sslh_field clip;
    memset(w, 0, sizeof *w);
    memset(&clip, 0, sizeof clip);
    memset(&dead, 0, sizeof dead);
    memset(&md, 0, sizeof md);
    memset(&cd, 0, sizeof cd);
    memset(&vd, 0, sizeof vd);
    memset(&td, 0, sizeof td);
    memset(&nd, 0, sizeof nd);
    memset(&ad, 0, sizeof ad);
    memset(&pd, 0, sizeof pd);
    memset(&sd, 0, sizeof sd);
    memset(&rd, 0, sizeof rd);
    memset(&ed, 0, sizeof ed);
    memset(&od, 0, sizeof od);
    memset(&ld, 0, sizeof ld);
    w->text = (char *)malloc(200); /* of its own, so that a sanitizer sees a byte too far */
    dead.alloc = no_memory, dead.release = no_release;
    w->dead = sslh_create(dead);
    w->c = make_context(&w->memory, 1 + dice(2));
    w->other = make_context(&w->others, 1);
    sslh_ctx *c = w->c;
    md.in = 192, md.widths[0] = 4, md.widths[1] = 3;
    add_net(w, sslh_mlp(c, md));
    cd.channels = 3, cd.widths[0] = 4, cd.widths[1] = 4;
    add_net(w, sslh_convnet(c, cd));
    cd.map_output = 1;
    add_net(w, sslh_convnet(c, cd));
    vd.image = 8, vd.width = 12, vd.depth = 1, vd.fixed_positions = 1;
    add_net(w, sslh_vit(c, vd));
    vd.token_output = 1;
    add_net(w, sslh_vit(c, vd));
    add_net(w, sslh_net_new(c, nd));
    add_net(w, NULL);
    add_net(w, sslh_mlp(w->other, md));
    md.in = -1;
    add_net(w, sslh_mlp(c, md)); /* inert */
    CHECK_ERROR(c, "sslh_mlp");
    add_net(w, sslh_mlp(w->dead, md));
    td.kind = dice(3), td.vocabulary = 3, td.length = 5, td.width = 4, td.depth = 1, td.heads = 2;
    add_net(w, sslh_transformer(c, td));
    add_data(w, sslh_data_from_images(c, pixels, 8, 8, 8, 3, labels));
    add_data(w, sslh_data_from_images(c, pixels, 6, 8, 8, 3, NULL));
    add_data(w, sslh_data_from_images(c, pixels, 5, 4, 8, 1, labels));
    add_data(w, sslh_data_from_images(w->other, pixels, 8, 8, 8, 3, labels));
    memset(&w->data[w->datas++], 0, sizeof w->data[0]);
    clip.kind = SSLH_FIELD_CLIP, clip.type = SSLH_U8, clip.shape = sslh_dim4(6, 8, 8, 3), clip.values = pixels;
    add_data(w, sslh_data_from_fields(c, &clip, 1, 4));
    ad.height = 8, ad.width = 8, ad.channels = 3, ad.hidden = 5, ad.latent = 2;
    add_method(w, sslh_vae(c, ad));
    pd.height = 8, pd.width = 8, pd.channels = 3, pd.hidden = 5, pd.latent = 2, pd.convolutions = 1, pd.maps = 2;
    pd.noise = 2;
    add_method(w, sslh_autoencoder(c, pd));
    sd.head_hidden = 4, sd.head_out = 4;
    add_method(w, sslh_simclr(c, w->net[1], sd));
    add_method(w, sslh_rotation(c, w->net[2], rd));
    ed.decoder_width = 12, ed.decoder_depth = 1;
    add_method(w, sslh_mae(c, w->net[3], ed));
    memset(&w->method[w->methods++], 0, sizeof w->method[0]);
    CHECK_OK(c);
    rd.rotations = 3;
    add_method(w, sslh_rotation(c, w->net[1], rd)); /* of an error */
    sslh_clear_error(c);
    add_method(w, sslh_simclr(w->other, w->net[7], sd));
    add_optimizer(w, sslh_optimizer_new(c, od));
    od.kind = SSLH_ADAMW;
    add_optimizer(w, sslh_optimizer_new(c, od));
    add_optimizer(w, sslh_optimizer_new(w->other, od));
    add_optimizer(w, NULL);
    sslh_optimizer_add(w->optimizer[0], w->net[1]);
    ld.batch = 4, ld.epochs = SSLH_OFF;
    add_loader(w, sslh_loader_new(c, w->data[0], ld));
    ld.in_order = 1;
    add_loader(w, sslh_loader_new(c, w->data[1], ld));
    add_loader(w, sslh_loader_new(w->other, w->data[3], ld));
    add_loader(w, NULL);
    for (int i = 0; i < 2; i++) add_tensor(w, sslh_persist(sslh_uniform(c, sslh_dim2(6, 3 + i), -1, 1)));
    add_tensor(w, sslh_param(w->net[0], 0));
    add_tensor(w, NULL);
    add_tensor(w, sslh_zeros(w->dead, sslh_dim1(3)));
    w->lasting = w->tensors;
    CHECK_OK(c);
    CHECK_OK(w->other);
    fresh(w);
    CHECK_OK(c);
}

static void world_end(world *w) {
    sslh_destroy(w->c);
    sslh_destroy(w->other);
    sslh_destroy(w->dead);
    free(w->text);
    CHECK(w->memory.live == 0 && w->others.live == 0, "%ld and %ld blocks leak", w->memory.live, w->others.live);
}

/* --- hostile arguments -------------------------------------------------------------------------------------------- */

static int any_int(void) {
    static const int some[] = {INT32_MIN, INT32_MIN + 1, -1000, -2, -1, -1, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 8,
                               12, 16, 63, 1000, 65536, 1 << 24, INT32_MAX - 1, INT32_MAX};
    return some[dice((int)(sizeof some / sizeof some[0]))];
}
static int few(void) { /* what may be a count of work to do, or of values that the caller has */
    static const int some[] = {INT32_MIN, -1, 0, 0, 1, 1, 2, 2, 3, 4};
    return some[dice(10)];
}
static int not_above_0(int x) { return x < 0 ? x : -x; }
static int zeros_mostly(void) { return dice(3) ? 0 : any_int(); } /* a field of a descriptor */
static float any_real(void) {
    static const float some[] = {0, 0, -1, 1, 0.5f, 0.1f, 2, 1e-30f, -1e-30f, 1e30f, -1e30f, 3e-39f, 0.999999f,
                                 1.000001f, 100};
    int k = dice(18);
    return k < 15 ? some[k] : k == 15 ? reals[1] : k == 16 ? reals[2] : -reals[2];
}
static float zeros_mostly_real(void) { return dice(3) ? 0 : any_real(); }
static sslh_shape any_shape(void) {
    sslh_shape s;
    memset(&s, 0, sizeof s);
    s.ndim = dice(8) ? dice(5) : any_int();
    for (int i = 0; i < 6; i++) s.size[i] = dice(4) ? 1 + dice(5) : any_int();
    return s;
}
static const char *any_text(void) {
    static const char *const some[] = {NULL, "", "a", "%s%n%d", "encoder", "fc1.weight", "fc1.bias", "weight", "block1",
                                       "tokens", "\xc3\xa4\xff\xfe", ".", "..", "a.b", "a/b", " ", "\n", "temperature",
                                       "simclr", "rotation", "vae", "mae", "x0"};
    int k = dice(25);
    return k < 23 ? some[k] : k == 23 ? long_text : long_text + 5000 - 111;
}
static const char *any_settings(void) {
    static char text[400];
    static const char *const parts[] = {"temperature", "=", "=", ",", " ", "0.2", "-1", "1e99", "nan", "auto", "lr",
                                        "epochs", "head_out", "0", "4", "optimizer", "sgd", "views", "none", "simclr",
                                        "milestones", "0.3:0.6", ":", "\"", "\xff", "batch", "99999999999999999999",
                                        "schedule", "steps", "mask", "hidden", "height", "8", "0x10", "+1", "1.5", "==",
                                        "tap", "block1"};
    if (!dice(3)) return dice(2) ? "" : any_text();
    text[0] = 0;
    for (int n = 1 + dice(12); n > 0; n--) strcat(text, parts[dice((int)(sizeof parts / sizeof parts[0]))]);
    return text;
}
static const char *own_file(const char *name) {
    static char path[4][600];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s_%s", test_temporary("calls"), name);
    return path[turn];
}
static const char *any_path(void) {
    static const char *const files[] = {"image.png", "image.png", "net", "net", "array.npy", "run", "run", "text",
                                        "absent"};
    int k = dice(14);
    if (k < 9) return own_file(files[k]);
    return k == 9 ? NULL : k == 10 ? "" : k == 11 ? long_text : k == 12 ? test_folder : own_file("absent/x");
}
static const char *out_path(void) {
    int k = dice(8);
    return k < 4 ? own_file("out") : k == 4 ? NULL : k == 5 ? "" : k == 6 ? test_folder : own_file("absent/x");
}
static sslh_recipe any_recipe(void) {
    sslh_recipe r = dice(2) ? sslh_recipe_simclr_large() : dice(2) ? sslh_recipe_rotation() : sslh_recipe_none();
    for (int n = dice(3); n > 0; n--) switch (dice(22)) {
        case 0: r.crop_min = any_real(); break;
        case 1: r.crop_max = any_real(); break;
        case 2: r.ratio_min = any_real(); break;
        case 3: r.ratio_max = any_real(); break;
        case 4: r.crop_tries = few(); break;
        case 5: r.height = any_int(); break;
        case 6: r.width = any_int(); break;
        case 7: r.pad_crop = any_int(); break;
        case 8: r.flip = any_real(); break;
        case 9: r.rotate90 = any_int(); break;
        case 10: r.jitter = any_real(); break;
        case 11: r.brightness = any_real(); break;
        case 12: r.hue = any_real(); break;
        case 13: r.grey = any_real(); break;
        case 14: r.blur = any_real(); break;
        case 15: r.blur_min = any_real(); break;
        case 16: r.blur_max = any_real(); break;
        case 17: r.blur_kernel = any_int(); break;
        case 18: r.solarize_threshold = any_real(); break;
        case 19: r.cutout = any_int(); break;
        case 20: r.mean[dice(4)] = any_real(); break;
        default: r.std[dice(4)] = any_real();
        }
    return r;
}
#if SSLH_WITH_SEGMENT
static sslh_map_recipe any_map_recipe(void) {
    sslh_map_recipe e;
    memset(&e, 0, sizeof e);
    e.tiles = dice(2) ? 2 : zeros_mostly();
    e.height = zeros_mostly(), e.width = zeros_mostly(), e.rotate90 = dice(2);
    e.flip = zeros_mostly_real(), e.elastic = zeros_mostly_real(), e.elastic_width = zeros_mostly_real();
    e.brightness = zeros_mostly_real(), e.contrast = zeros_mostly_real();
    e.mean[0] = zeros_mostly_real(), e.std[0] = zeros_mostly_real();
    return e;
}
static sslh_tiles_desc any_tiles(void) {
    sslh_tiles_desc e;
    memset(&e, 0, sizeof e);
    e.size = dice(2) ? 5 : zeros_mostly(), e.overlap = zeros_mostly(), e.batch = zeros_mostly();
    return e;
}
#endif
/* Histories or NULL, from a text or from bytes, and what recommends by them. */
static sslh_items *any_items(sslh_ctx *c) {
    static const char *const text = "1 a 3\n1 b 2\n1 c 1\n2 a 1\n2 c 9\n2 b 1\n2 d 1\n3 a 1\n3 d 2\n";
    sslh_items_desc d;
    memset(&d, 0, sizeof d);
    if (!dice(4)) d.user = any_int();
    if (!dice(4)) d.item = any_int();
    if (!dice(3)) d.time = dice(2) ? 3 : any_int();
    if (!dice(4)) d.rating = dice(2) ? 3 : any_int();
    if (!dice(4)) d.least = any_real();
    if (!dice(4)) d.header = any_int();
    if (!dice(4)) d.min_count = dice(2) ? 2 : any_int();
    if (!dice(6)) return sslh_items_from_text(c, dice(2) ? (const char *)pixels : NULL, (size_t)dice(300), d);
    return sslh_items_from_text(c, text, strlen(text) - (size_t)(dice(3) ? 0 : dice(30)), d);
}
static sslh_recommender any_recommender(sslh_ctx *c, sslh_items *set, sslh_tensor *vectors) {
    sslh_recommender none;
    memset(&none, 0, sizeof none);
    none.ctx = dice(3) ? c : NULL;
    switch (dice(5)) {
    case 0: return none;
    case 1: return sslh_item_vectors(c, vectors);
    case 2: return sslh_item_cosine(set, dice(3));
    default: return sslh_item_popularity(set, dice(4) ? 0 : any_int());
    }
}
/* A tokenizer or NULL, from a text or from bytes as files, with settings that may make no sense. */
static sslh_tokenizer *any_tokenizer(sslh_ctx *c, int loaded) {
    sslh_tokenizer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = (sslh_tokens)(dice(8) ? dice(6) : any_int());
    if (!dice(3)) d.vocabulary = dice(2) ? 300 : any_int();
    if (!dice(3)) d.min_count = any_int();
    d.cased = dice(2), d.spaces = dice(2), d.literal = dice(2);
    if (!dice(3)) d.special = any_text();
    if (!dice(3)) d.unknown = any_text();
    d.utf8 = (sslh_utf8)(dice(3) ? 0 : dice(5) ? dice(3) : any_int());
    if (!loaded) return sslh_tokenizer_new(c, dice(6) ? long_text : NULL, (size_t)dice(300), d);
    if (dice(2)) return sslh_load_tokenizer_memory(c, dice(3) ? pixels : NULL, (size_t)dice(300), dice(3) ? pixels :
                                                   NULL, (size_t)dice(300), d);
    if (dice(2)) d.kind = dice(2) ? SSLH_TOKENS_BPE : SSLH_TOKENS_WORDPIECE;
    return sslh_load_tokenizer_memory(c, d.kind == SSLH_TOKENS_BPE ? NULL : "a\n##b\n[UNK]", 11,
                                      d.kind == SSLH_TOKENS_BPE ? "a b\nab c\n" : NULL, 9, d);
}
/* Word vectors or NULL: trained on a few words or read from a few bytes. */
static sslh_vectors *any_vectors(sslh_ctx *c, int loaded) {
    static const char text[] = "a b c a b\na c b a\nencoder a b c";
    static const char *const files[] = {"2 2\na 1 2\nb 2 1\n", "a 1 2 3\nencoder 4 5 6\nc 7 8 9", "1 1\na \1\2\3\4",
                                        "x"};
    sslh_word2vec_desc d;
    memset(&d, 0, sizeof d);
    if (loaded) {
        const char *file = files[dice(4)];
        return sslh_load_vectors_memory(c, dice(8) ? (const void *)file : dice(2) ? pixels : NULL, strlen(file));
    }
    d.dim = dice(3) ? 1 + dice(5) : any_int() % 5000, d.window = zeros_mostly(), d.cbow = dice(2);
    d.negatives = dice(3) ? 0 : any_int(), d.hierarchical = dice(2), d.sample = zeros_mostly_real();
    d.min_count = dice(6) ? 1 : any_int(), d.epochs = few(), d.lr = zeros_mostly_real();
    d.batch = dice(3) ? 1 + dice(9) : any_int();
    d.subwords = dice(2), d.ngram_min = zeros_mostly(), d.ngram_max = zeros_mostly();
    d.buckets = dice(3) ? 1 + dice(50) : zeros_mostly();
    return sslh_word2vec(c, dice(8) ? text : NULL, (size_t)dice((int)sizeof text), d);
}
static sslh_conv_desc any_conv(void) {
    sslh_conv_desc d;
    memset(&d, 0, sizeof d);
    if (dice(2)) {
        d.stride = zeros_mostly(), d.stride_w = zeros_mostly(), d.pad = zeros_mostly(), d.pad_w = zeros_mostly();
        d.dilation = zeros_mostly(), d.dilation_w = zeros_mostly(), d.groups = zeros_mostly();
        d.output_pad = zeros_mostly(), d.activation = (sslh_activation)(dice(3) ? 0 : any_int());
    }
    return d;
}
static sslh_feature_desc any_features(void) {
    sslh_feature_desc d;
    memset(&d, 0, sizeof d);
    if (!dice(3)) d.tap = any_text();
    d.max_pool = zeros_mostly(), d.pool_grid = zeros_mostly(), d.batch = zeros_mostly();
    return d;
}
static int stop_soon(const sslh_train_info *info, void *user) {
    (void)user;
    return info->step >= 3;
}
static sslh_train_desc any_training(void) {
    static float losses[64];
    sslh_train_desc d;
    memset(&d, 0, sizeof d);
    d.epochs = zeros_mostly(), d.batch = dice(2) ? 4 : zeros_mostly(), d.lr = zeros_mostly_real();
    d.optimizer.kind = (sslh_optim_kind)(dice(3) ? dice(5) : any_int());
    d.optimizer.momentum = zeros_mostly_real(), d.optimizer.clip = zeros_mostly_real();
    d.schedule = (sslh_schedule)(dice(3) ? dice(5) : any_int());
    d.warmup = zeros_mostly_real(), d.gamma = zeros_mostly_real(), d.milestones[0] = zeros_mostly_real();
    d.milestones[1] = zeros_mostly_real(), d.accumulate = zeros_mostly(), d.max_steps = dice(2) ? 0 : few();
    if (!dice(4)) d.checkpoint = dice(2) ? own_file("run") : out_path();
    d.checkpoint_every = zeros_mostly(), d.checkpoint_steps = dice(2) ? 0 : few(), d.resume = dice(2), d.quiet = 1,
    d.columns = zeros_mostly();
    d.callback = stop_soon;
    if (d.epochs <= 64 && dice(2)) d.losses = losses;
    return d;
}
static sslh_pool_desc any_pool(void) {
    sslh_pool_desc d;
    memset(&d, 0, sizeof d);
    d.kernel = dice(2) ? 1 + dice(3) : any_int(), d.kernel_w = zeros_mostly(), d.stride = zeros_mostly(),
    d.stride_w = zeros_mostly();
    d.pad = zeros_mostly(), d.pad_w = zeros_mostly(), d.ceil_mode = dice(2), d.exclude_pad = dice(2);
    return d;
}
/* last: room for two results; NULL: none are wanted. */
static sslh_recurrent_desc any_recurrent(sslh_tensor **t, sslh_tensor **last) {
    sslh_recurrent_desc d;
    memset(&d, 0, sizeof d);
    if (!dice(3)) d.h0 = t[5];
    if (!dice(3)) d.c0 = t[6];
    if (!dice(3)) d.lengths = t[7];
    if (last && dice(2)) d.h_last = &last[0];
    if (last && dice(2)) d.c_last = &last[1];
    d.reverse = dice(2), d.layers = zeros_mostly(), d.bidirectional = dice(2), d.no_bias = dice(2);
    return d;
}
static sslh_audio_recipe any_audio_recipe(void) {
    sslh_audio_recipe d;
    memset(&d, 0, sizeof d);
    d.crop = zeros_mostly(), d.shift = zeros_mostly(), d.gain = zeros_mostly_real(), d.noise = zeros_mostly_real();
    d.snr_min = zeros_mostly_real(), d.snr_max = zeros_mostly_real(), d.time_masks = zeros_mostly(),
    d.time_width = zeros_mostly();
    d.band_masks = zeros_mostly(), d.band_width = zeros_mostly();
    return d;
}
static sslh_mel_desc any_mel(void) {
    sslh_mel_desc d;
    memset(&d, 0, sizeof d);
    d.rate = zeros_mostly(), d.n_fft = dice(2) ? 8 : zeros_mostly(), d.window = zeros_mostly(),
    d.hop = zeros_mostly(), d.bands = dice(2) ? 3 : zeros_mostly();
    d.low = zeros_mostly_real(), d.high = zeros_mostly_real(), d.slaney = dice(2), d.area_norm = dice(2),
    d.no_center = dice(2);
    return d;
}
static sslh_optimizer_desc any_optimizer(void) {
    sslh_optimizer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = (sslh_optim_kind)(dice(3) ? dice(5) : any_int());
    d.momentum = zeros_mostly_real(), d.nesterov = dice(2), d.beta1 = zeros_mostly_real(),
    d.beta2 = zeros_mostly_real();
    d.eps = zeros_mostly_real(), d.weight_decay = zeros_mostly_real(), d.lars_eta = zeros_mostly_real();
    d.clip = zeros_mostly_real(), d.group_lr[dice(16)] = zeros_mostly_real(), d.constant_lr = (unsigned)zeros_mostly();
    return d;
}
/* A whole batch of a loader, one made by hand, one of zeros. */
static sslh_batch any_batch(world *w) {
    static const int32_t index[][4] = {{0, 1, 2, 3}, {4, 4, 0, 5}, {-1, 0, 1, 2}, {0, 1, 2, INT32_MAX}, {8, 0, 0, 0}};
    sslh_batch b;
    if (w->batch_is && dice(2)) return w->batch;
    memset(&b, 0, sizeof b);
    if (dice(4)) {
        b.data = w->data[dice(w->datas)];
        b.count = dice(2) ? 4 : few();
        b.index = dice(6) ? index[dice(5)] : NULL;
        b.labels = dice(2) ? labels : NULL;
        b.epoch = dice(2) ? 0 : any_int(), b.step = any_int(), b.seed = 5;
    }
    return b;
}

/* Callbacks of the caller's that do what they should. */
static int task_done;
static void good_task(void *arg, int task, int worker) {
    (void)arg, (void)worker;
    if (task == 0) task_done++;
}
static void good_trace(const sslh_trace_event *event, void *user) { (void)event, (void)user; }
static void op_forward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    (void)c, (void)in, (void)n, (void)user;
    for (size_t i = 0; i < out->count; i++) out->data[i] = 1;
}
static void op_backward(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    (void)user;
    for (int i = 0; i < n; i++) {
        sslh_real *g = sslh_grad(c, in[i]);
        if (g && in[i]->count) g[0] += out->grad[0];
    }
}
static sslh_tensor *sum_of_all(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    sslh_tensor *t = sslh_scalar(c, 0);
    (void)user;
    for (int i = 0; i < n; i++) t = sslh_add(c, t, sslh_sum(c, in[i], SSLH_ALL, 0));
    return t;
}
static sslh_tensor *null_function(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    (void)c, (void)in, (void)n, (void)user;
    return NULL;
}
static sslh_tensor *net_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    (void)self;
    if (sslh_tap(net, "x0", x)) return x;
    if (!sslh_call(net)) return NULL;
    return sslh_scale(sslh_net_ctx(net), x, 2);
}
static sslh_tensor *null_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    (void)net, (void)x, (void)self;
    return NULL;
}
static int fetch(void *user, int64_t index, void *out) {
    (void)user;
    memset(out, (int)(index & 15), 1);
    return index == 3;
}

/* --- one call of each function ------------------------------------------------------------------------------------ */

static void returned(world *w, const char *name, int is) { CHECK(is, "%s returned NULL", name); (void)w; }
/* A tensor that a call returned. */
static void keep(world *w, sslh_tensor *t) {
    returned(w, running_call, t != NULL);
    if (!t) return;
    if (t->data || t->ints || t->bytes) {
        size_t n = 1;
        for (int i = 0; i < t->ndim; i++) n *= (size_t)t->shape[i];
        CHECK(n == t->count && n > 0,
              "%s: %.0f elements, %.0f by its shape", running_call, (double)t->count, (double)n);
    }
    if (sslh_error(w->c) && t->ctx == w->c) return; /* what step tensors there are goes with the error */
    add_tensor(w, t);
}
static void keep_net(world *w, sslh_net *n) {
    returned(w, running_call, n != NULL);
    if (n) add_net(w, n);
}

/* in a row of the tables below: something of a type that is all zeros */
#define EMPTY(type, name) type name; memset(&name, 0, sizeof name)
#if SSLH_WITH_CLASSIFIERS
static const int32_t *some_labels(int32_t *out) {
    for (int j = 0; j < 64; j++) out[j] = dice(20) ? j % 3 : any_int();
    return out;
}
static void ask_classifier(sslh_ctx *c, sslh_classifier *k, sslh_tensor *x, const int32_t *labels, int tree) {
    static char text[200];
    int64_t mark = sslh_mark(c);
    sslh_classifier_query(k);
    sslh_forest_print(k, dice(2) ? 0 : tree, text, sizeof text);
    if (x && x->shape[0] > 64) return;
    sslh_classifier_scores(k, x);
    sslh_classifier_predict(k, x);
    sslh_classifier_accuracy(k, x, labels);
    sslh_rewind(c, mark);
}
#endif

/* Row number `row` is called; row -1 only fills in the names. Returns how many rows there are. The arguments are drawn
   first, for C leaves the order of a call's arguments open. */
static int call_row(world *w, int row, const char **names) {
    int rows = 0;
#define ROW(fn, ...)                                                                                                   \
    if (names) names[rows] = #fn;                                                                                      \
    else if (row == rows) {                                                                                            \
        running_call = #fn;                                                                                            \
        __VA_ARGS__;                                                                                                   \
        return 0;                                                                                                      \
    }                                                                                                                  \
    rows++;
/* starts a step, or ends one: tensors of the step are gone */
#define STEP(fn, ...) ROW(fn, w->stale = 1; __VA_ARGS__)
#define K(x) keep(w, x)
#define T(i) t[i]
    sslh_ctx *c = NULL;
    sslh_tensor *t[8];
    sslh_net *n[3];
    sslh_data d[2];
    sslh_batch b;
    sslh_loader *l = NULL;
    sslh_optimizer *o = NULL;
    sslh_method *m = NULL, made;
    int i[8], k[4];
    float f[4];
    sslh_shape s = sslh_dim0();
    const char *text[2], *path = NULL, *target = NULL;
    int axes = 0;
    char *out = NULL, *where = NULL;
    size_t size = 0;
    memset(d, 0, sizeof d);
    memset(&b, 0, sizeof b);
    memset(&made, 0, sizeof made);
    memset(t, 0, sizeof t);
    memset(n, 0, sizeof n);
    memset(i, 0, sizeof i);
    memset(k, 0, sizeof k);
    memset(f, 0, sizeof f);
    memset(text, 0, sizeof text);
    if (!names) {
        int at = dice(40);
        c = at == 0 ? NULL : at == 1 ? w->dead : at == 2 ? w->other : w->c;
        for (int j = 0; j < 8; j++) t[j] = w->tensor[dice(w->tensors)], i[j] = any_int();
        for (int j = 1; j < 8; j++) if (dice(2)) t[j] = t[j - 1]; /* shapes that fit, often */
        for (int j = 0; j < 4; j++) f[j] = any_real(), k[j] = few();
        for (int j = 0; j < 3; j++) n[j] = w->net[dice(w->nets)];
        for (int j = 0; j < 2; j++) d[j] = w->data[dice(w->datas)], text[j] = any_text();
        if (dice(3)) d[1] = d[0];
        b = any_batch(w);
        l = w->loader[dice(w->loaders)], o = w->optimizer[dice(w->optimizers)];
        m = dice(8) ? &w->method[dice(w->methods)] : NULL;
        s = any_shape();
        path = any_path(), target = out_path();
        size = (size_t)(dice(2) ? 200 : dice(3));
        axes = dice(4) - 2;
        axes = dice(2) ? SSLH_AXIS(axes) : any_int();
        out = w->text;
        memset(out, 'z', 200);
        where = dice(4) ? out : NULL;
        if (!where) size = 0;
    }
#define TEXT_OUT(length)                                                                                               \
    do {                                                                                                               \
        size_t length_ = (length);                                                                                     \
        CHECK(!where || !size || !length_ || memchr(out, 0, size), "no end of text");                                  \
    } while (0)

    /* context */
    ROW(sslh_or_off, sslh_or_off(f[0]))
    ROW(sslh_create, EMPTY(sslh_desc, e); e.threads = dice(2) ? 1 : k[0]; e.cpu = dice(2) ? NULL : text[0];
        e.portable_bits = dice(2); e.check_nan = dice(2); e.bfloat16 = dice(2); e.plain = dice(2);
        e.max_bytes = dice(2) ? 0 : (size_t)(1 + dice(100000)); if (!dice(5)) e.alloc = no_memory;
        if (!dice(5)) e.release = no_release; sslh_ctx *x = sslh_create(e); returned(w, "sslh_create", x != NULL);
        sslh_matmul(x, sslh_zeros(x, sslh_dim2(3, 3)), sslh_zeros(x, sslh_dim2(3, 3))); CHECK(x != NULL, "NULL");
        sslh_destroy(x))
    ROW(sslh_destroy, sslh_destroy(dice(2) ? NULL : w->dead))
    ROW(sslh_mark, CHECK(sslh_mark(c) >= 0, "a mark below 0"))
    ROW(sslh_rewind, int64_t mark = dice(4) ? any_int() : sslh_mark(c); w->over = 1; sslh_rewind(c, mark))
    ROW(sslh_error, sslh_error(c))
    ROW(sslh_error_code, sslh_error_code(c))
    STEP(sslh_clear_error, sslh_clear_error(c))
    ROW(sslh_fail, sslh_fail(c, (sslh_code)any_int(), "sslh_fail: %d %s", i[0], text[0] ? text[0] : ""))
    STEP(sslh_begin_step, sslh_begin_step(c))
    ROW(sslh_push, sslh_push(c); w->depth += c == w->c)
    STEP(sslh_pop, sslh_pop(c); w->depth -= c == w->c && w->depth > 0)
    ROW(sslh_no_grad, sslh_no_grad(c, dice(2) ? 1 : i[0]))
    ROW(sslh_query, sslh_info q = sslh_query(c); CHECK(q.bytes <= LIMIT, "%.0f bytes", (double)q.bytes))
    ROW(sslh_cpu_name, sslh_cpu_name(i[0]))
    ROW(sslh_bits_ok, if (!dice(30)) sslh_bits_ok(c))
    ROW(sslh_parallel, sslh_parallel(c, k[0], dice(4) ? good_task : NULL, NULL))
    ROW(sslh_trace, sslh_trace(c, dice(2) ? good_trace : NULL, NULL))
    /* random numbers */
    ROW(sslh_philox, uint32_t a[4] = {1, 2, 3, 4}, key[2] = {5, 6}, word[4]; sslh_philox(a, key, word))
    ROW(sslh_random_u32, sslh_random_u32((uint64_t)i[0], (uint64_t)i[1], (uint64_t)i[2]))
    ROW(sslh_random_uniform, float u = sslh_random_uniform((uint64_t)i[0], (uint64_t)i[1], (uint64_t)i[2]);
        CHECK(u >= 0 && u < 1, "%g", (double)u))
    ROW(sslh_random_normal, float u = sslh_random_normal((uint64_t)i[0], (uint64_t)i[1], (uint64_t)i[2]);
        CHECK(u > -9 && u < 9, "%g", (double)u))
    ROW(sslh_random_below, uint32_t u = sslh_random_below((uint64_t)i[0], 1, (uint64_t)i[1], (uint32_t)i[2]);
        CHECK(!i[2] || u < (uint32_t)i[2], "%u", u))
    ROW(sslh_random_permutation, sslh_random_permutation((uint64_t)i[0], 1, numbers, k[0]))
    ROW(sslh_next_stream, sslh_next_stream(c))
    /* tensors */
    ROW(sslh_dim0, s = sslh_dim0(); CHECK(s.ndim == 0, "%d", s.ndim))
    ROW(sslh_dim1, s = sslh_dim1(i[0]); CHECK(s.ndim == 1 && s.size[0] == i[0], "%d", s.ndim))
    ROW(sslh_dim2, s = sslh_dim2(i[0], i[1]); CHECK(s.ndim == 2 && s.size[1] == i[1], "%d", s.ndim))
    ROW(sslh_dim3, s = sslh_dim3(i[0], i[1], i[2]); CHECK(s.ndim == 3 && s.size[2] == i[2], "%d", s.ndim))
    ROW(sslh_dim4, s = sslh_dim4(i[0], i[1], i[2], i[3]); CHECK(s.ndim == 4 && s.size[3] == i[3], "%d", s.ndim))
    ROW(sslh_dim5, s = sslh_dim5(i[0], i[1], i[2], i[3], i[4]); CHECK(s.ndim == 5 && s.size[4] == i[4], "%d", s.ndim))
    ROW(sslh_dim6, s = sslh_dim6(i[0], i[1], i[2], i[3], i[4], i[5]);
        CHECK(s.ndim == 6 && s.size[5] == i[5], "%d", s.ndim))
    ROW(sslh_zeros, K(sslh_zeros(c, s)))
    ROW(sslh_full, K(sslh_full(c, s, f[0])))
    ROW(sslh_scalar, K(sslh_scalar(c, f[0])))
    ROW(sslh_from, size_t count = 1;
        for (int j = 0; j < s.ndim && j < 6 && count < 8192; j++)
            count *= (size_t)(s.size[j] < 1 ? 1 : s.size[j] < 8192 ? s.size[j] : 8192);
        K(sslh_from(c, s, count < 8192 && dice(4) ? reals : NULL)))
    ROW(sslh_from_ints, K(sslh_from_ints(c, sslh_dim2(dice(8), k[0]), dice(4) ? numbers : NULL)))
    ROW(sslh_from_bytes, K(sslh_from_bytes(c, sslh_dim2(dice(8), k[0]), dice(4) ? pixels : NULL)))
    ROW(sslh_uniform, K(sslh_uniform(c, s, f[0], f[1])))
    ROW(sslh_normal, K(sslh_normal(c, s, f[0], f[1])))
    ROW(sslh_requires_grad, K(sslh_requires_grad(T(0))))
    ROW(sslh_keep, K(sslh_keep(T(0))))
    ROW(sslh_persist, K(sslh_persist(T(0))))
    ROW(sslh_item, sslh_item(T(0)))
    ROW(sslh_read, size_t count = dice(2) && t[0] ? t[0]->count : (size_t)dice(4096);
        float *p = (float *)malloc(count * 4 + 1); sslh_read(T(0), dice(5) ? p : NULL, count); free(p))
    ROW(sslh_write, size_t count = dice(2) && t[0] ? t[0]->count : (size_t)i[0];
        if (t[0] != w->tensor[4]) sslh_write(T(0), dice(5) ? reals + 3 : NULL, count))
    ROW(sslh_shape_of, s = sslh_shape_of(T(0)); CHECK(s.ndim >= 0 && s.ndim <= 6, "%d", s.ndim))
    ROW(sslh_backward, sslh_backward(c, T(0)))
    ROW(sslh_backward_keep, sslh_backward_keep(c, T(0)))
    ROW(sslh_detach, K(sslh_detach(c, T(0))))
    ROW(sslh_gather_ranks, K(sslh_gather_ranks(c, T(0))))
    ROW(sslh_custom_op, EMPTY(sslh_op_desc, e); e.name = text[0]; if (dice(4)) e.forward = op_forward;
        if (dice(2)) e.backward = op_backward;
        K(sslh_custom_op(c, e, dice(5) ? t : NULL, dice(4) ? 1 + dice(3) : -dice(2), s)))
    ROW(sslh_grad, sslh_grad(c, T(0)))
    ROW(sslh_gradcheck, EMPTY(sslh_gradcheck_desc, e); e.step = zeros_mostly_real(); e.floor = zeros_mostly_real();
        e.tolerance = zeros_mostly_real(); e.max_checks = dice(2) ? 3 : few();
        if (dice(2)) e.report = out, e.report_size = size;
        sslh_gradcheck(c, dice(4) ? sum_of_all : dice(2) ? null_function : NULL, dice(6) ? t : NULL,
            dice(3) ? 1 + dice(2) : few(), NULL, e))
    /* element-wise */
#define PAIR(fn) ROW(fn, K(fn(c, T(0), T(1))))
#define SINGLE(fn) ROW(fn, K(fn(c, T(0))))
#define WITH_REAL(fn) ROW(fn, K(fn(c, T(0), f[0])))
    PAIR(sslh_add) PAIR(sslh_sub) PAIR(sslh_mul) PAIR(sslh_div) PAIR(sslh_minimum) PAIR(sslh_maximum) PAIR(sslh_greater)
    ROW(sslh_where, K(sslh_where(c, T(0), T(1), T(2))))
    WITH_REAL(sslh_scale) WITH_REAL(sslh_shift) WITH_REAL(sslh_pow) WITH_REAL(sslh_leaky_relu) WITH_REAL(sslh_elu)
    SINGLE(sslh_neg) SINGLE(sslh_exp) SINGLE(sslh_log) SINGLE(sslh_sqrt) SINGLE(sslh_square) SINGLE(sslh_abs)
    SINGLE(sslh_relu) SINGLE(sslh_gelu) SINGLE(sslh_gelu_tanh) SINGLE(sslh_silu) SINGLE(sslh_sigmoid) SINGLE(sslh_tanh)
    SINGLE(sslh_softplus) SINGLE(sslh_sin) SINGLE(sslh_cos)
    ROW(sslh_clamp, K(sslh_clamp(c, T(0), f[0], f[1])))
    ROW(sslh_activate, K(sslh_activate(c, T(0), (sslh_activation)(dice(2) ? dice(7) : i[0]))))
    /* reductions */
#define REDUCTION(fn) ROW(fn, K(fn(c, T(0), axes, k[0])))
    REDUCTION(sslh_sum) REDUCTION(sslh_mean) REDUCTION(sslh_max) REDUCTION(sslh_logsumexp)
    REDUCTION(sslh_min) REDUCTION(sslh_prod)
    ROW(sslh_argmin, K(sslh_argmin(c, T(0), dice(2) ? dice(4) - 2 : i[0])))
    ROW(sslh_cumsum, K(sslh_cumsum(c, T(0), dice(2) ? dice(4) - 2 : i[0])))
    ROW(sslh_topk, sslh_tensor *where_;
        K(sslh_topk(c, T(0), dice(2) ? 1 + dice(3) : i[1], dice(2) ? dice(4) - 2 : i[0], dice(2) ? &where_ : NULL)))
    ROW(sslh_variance, K(sslh_variance(c, T(0), axes, k[0], k[1])))
    ROW(sslh_argmax, K(sslh_argmax(c, T(0), dice(2) ? dice(4) - 2 : i[0])))
    ROW(sslh_softmax, K(sslh_softmax(c, T(0), dice(2) ? dice(4) - 2 : i[0])))
    ROW(sslh_log_softmax, K(sslh_log_softmax(c, T(0), dice(2) ? dice(4) - 2 : i[0])))
    /* products */
    PAIR(sslh_matmul)
    ROW(sslh_matmul_ex, K(sslh_matmul_ex(c, T(0), T(1), dice(2), dice(2))))
    ROW(sslh_linear, K(sslh_linear(c, T(0), T(1), dice(2) ? NULL : T(2))))
    ROW(sslh_linear_ex, K(sslh_linear_ex(c, T(0), T(1), dice(2) ? NULL : T(2),
        (sslh_activation)(dice(2) ? dice(7) : i[0]))))
#define CONVOLUTION(fn) ROW(fn, sslh_conv_desc e = any_conv(); K(fn(c, T(0), T(1), dice(2) ? NULL : T(2), e)))
    CONVOLUTION(sslh_conv2d) CONVOLUTION(sslh_conv1d) CONVOLUTION(sslh_conv2d_transpose)
    CONVOLUTION(sslh_conv1d_transpose)
    ROW(sslh_max_pool2d, K(sslh_max_pool2d(c, T(0), i[0], i[1], i[2])))
    ROW(sslh_avg_pool2d, K(sslh_avg_pool2d(c, T(0), i[0], i[1], i[2])))
#define POOL_OF(fn) ROW(fn, sslh_pool_desc e = any_pool(); K(fn(c, T(0), e)))
    POOL_OF(sslh_max_pool2d_ex) POOL_OF(sslh_avg_pool2d_ex) POOL_OF(sslh_max_pool1d) POOL_OF(sslh_avg_pool1d)
    PAIR(sslh_mean_valid)
    SINGLE(sslh_global_avg_pool) SINGLE(sslh_global_max_pool)
    ROW(sslh_resize_nearest, K(sslh_resize_nearest(c, T(0), i[0], i[1])))
    ROW(sslh_resize_bilinear, K(sslh_resize_bilinear(c, T(0), i[0], i[1])))
    ROW(sslh_interpolate, EMPTY(sslh_interpolate_desc, e); e.mode = (sslh_resize_mode)(dice(4) ? dice(3) : i[2]);
        e.antialias = dice(2); e.align_corners = dice(2);
        K(sslh_interpolate(c, T(0), dice(2) ? 1 + dice(9) : i[0], dice(2) ? 1 + dice(9) : i[1], e)))
    /* normalisation */
    ROW(sslh_batch_norm, EMPTY(sslh_batch_norm_desc, e); e.training = dice(2); e.momentum = zeros_mostly_real();
        e.eps = zeros_mostly_real(); e.virtual_groups = zeros_mostly();
        e.activation = (sslh_activation)(dice(2) ? dice(2) : i[0]);
        K(sslh_batch_norm(c, T(0), dice(2) ? NULL : T(1), dice(2) ? NULL : T(2), dice(2) ? NULL : T(3),
            dice(2) ? NULL : T(4), dice(2) ? NULL : T(5), e)))
    ROW(sslh_layer_norm, K(sslh_layer_norm(c, T(0), dice(2) ? NULL : T(1), dice(2) ? NULL : T(2), f[0])))
    ROW(sslh_rms_norm, K(sslh_rms_norm(c, T(0), dice(2) ? NULL : T(1), f[0])))
    ROW(sslh_standardize, K(sslh_standardize(c, T(0), axes, f[0])))
    ROW(sslh_group_norm, K(sslh_group_norm(c, T(0), dice(2) ? NULL : T(1), dice(2) ? NULL : T(2), i[0], f[0])))
    WITH_REAL(sslh_l2_normalize) WITH_REAL(sslh_dropout) WITH_REAL(sslh_drop_path)
    /* shapes */
    ROW(sslh_reshape, K(sslh_reshape(c, T(0), s)))
    ROW(sslh_permute, int order[6] = {1, 0, 2, 3, 4, 5}; if (dice(2)) memcpy(order, i, sizeof order);
        K(sslh_permute(c, T(0), dice(6) ? order : NULL)))
    ROW(sslh_transpose, K(sslh_transpose(c, T(0), dice(2) ? 0 : i[0], dice(2) ? 1 : i[1])))
    ROW(sslh_concat, K(sslh_concat(c, dice(6) ? t : NULL, dice(4) ? 1 + dice(4) : -dice(2), dice(2) ? 0 : i[0])))
    ROW(sslh_slice, K(sslh_slice(c, T(0), dice(2) ? 0 : i[0], i[1], i[2])))
    ROW(sslh_slice_ex, K(sslh_slice_ex(c, T(0), dice(2) ? 0 : i[0], i[1], i[2], dice(2) ? 1 + dice(3) : i[3])))
    ROW(sslh_pad, K(sslh_pad(c, T(0), dice(2) ? 0 : i[0], i[1], i[2], f[0])))
    ROW(sslh_pad_ex, K(sslh_pad_ex(c, T(0), dice(2) ? 0 : i[0], dice(2) ? dice(3) : i[1], dice(2) ? dice(3) : i[2],
        (sslh_pad_mode)(dice(4) ? dice(3) : i[3]), f[0])))
    ROW(sslh_broadcast, K(sslh_broadcast(c, T(0), s)))
    PAIR(sslh_embedding) PAIR(sslh_gather)
    ROW(sslh_gather_along, K(sslh_gather_along(c, T(0), T(1), dice(2) ? dice(4) - 2 : i[0])))
    ROW(sslh_scatter, K(sslh_scatter(c, T(0), T(1), T(2), dice(2) ? dice(4) - 2 : i[0])))
    ROW(sslh_scatter_add, K(sslh_scatter_add(c, T(0), T(1), T(2), dice(2) ? dice(4) - 2 : i[0])))
    ROW(sslh_one_hot, K(sslh_one_hot(c, T(0), dice(2) ? 9 : i[0])))
    ROW(sslh_crop, K(sslh_crop(c, T(0), T(1), dice(2) ? 1 + dice(3) : i[0], dice(2) ? 1 + dice(3) : i[1])))
    ROW(sslh_unfold, K(sslh_unfold(c, T(0), dice(2) ? 2 : i[0], dice(2) ? 2 : i[1], dice(2) ? 1 : i[2],
        dice(2) ? 1 : i[3])))
    SINGLE(sslh_rgb_to_lab) SINGLE(sslh_lab_to_rgb)
    WITH_REAL(sslh_to_real)
    /* sequences */
    ROW(sslh_attention, EMPTY(sslh_attention_desc, e); sslh_tensor *weights; e.heads = zeros_mostly();
        e.causal = dice(2); e.scale = zeros_mostly_real(); if (!dice(3)) e.key_mask = T(3);
        if (dice(2)) e.weights = &weights; K(sslh_attention(c, T(0), T(1), T(2), e)); if (e.weights) K(weights))
    ROW(sslh_self_attention, EMPTY(sslh_attention_desc, e); sslh_tensor *weights; e.heads = zeros_mostly();
        e.causal = dice(2); e.scale = zeros_mostly_real(); if (!dice(3)) e.key_mask = T(3);
        if (dice(2)) e.weights = &weights; K(sslh_self_attention(c, T(0), e)); if (e.weights) K(weights))
    ROW(sslh_gru, K(sslh_gru(c, T(0), T(1), T(2), dice(4) ? T(3) : NULL, dice(4) ? T(4) : NULL, dice(2) ? NULL : T(5))))
#define RECURRENT_OP(fn) ROW(fn, sslh_tensor *last[2]; sslh_recurrent_desc e = any_recurrent(t, last);                 \
        K(fn(c, T(0), T(1), T(2), dice(4) ? T(3) : NULL, dice(4) ? T(4) : NULL, e)); if (e.h_last) K(last[0]);         \
        if (e.c_last) K(last[1]))
    RECURRENT_OP(sslh_gru_ex) RECURRENT_OP(sslh_lstm)
    /* losses */
    PAIR(sslh_cross_entropy) PAIR(sslh_cross_entropy_soft) PAIR(sslh_bce_with_logits) PAIR(sslh_mse) PAIR(sslh_l1)
    PAIR(sslh_kl_div) PAIR(sslh_gaussian_kl)
    ROW(sslh_cross_entropy_ex, K(sslh_cross_entropy_ex(c, T(0), T(1), f[0], i[0])))
    ROW(sslh_linear_cross_entropy, K(sslh_linear_cross_entropy(c, T(0), T(1), dice(2) ? NULL : T(2), T(3), i[0])))
    ROW(sslh_cross_entropy_full, EMPTY(sslh_cross_entropy_desc, e); e.smoothing = zeros_mostly_real();
        if (!dice(3)) e.weight = T(2); e.reduction = (sslh_reduction)(dice(4) ? dice(3) : i[1]);
        K(sslh_cross_entropy_full(c, T(0), T(1), i[0], e)))
    ROW(sslh_huber, K(sslh_huber(c, T(0), T(1), f[0])))
    ROW(sslh_nt_xent, K(sslh_nt_xent(c, T(0), T(1), f[0])))
    ROW(sslh_info_nce, K(sslh_info_nce(c, T(0), T(1), dice(2) ? NULL : T(2), f[0])))
    ROW(sslh_accuracy, K(sslh_accuracy(c, T(0), T(1), dice(2) ? 1 : i[0])))
    ROW(sslh_sinkhorn, K(sslh_sinkhorn(c, T(0), dice(2) ? dice(4) : i[0] % 20, f[0])))
    PAIR(sslh_negative_cosine)
    ROW(sslh_supcon_loss, K(sslh_supcon_loss(c, T(0), T(1), f[0])))
    ROW(sslh_clip_loss, K(sslh_clip_loss(c, T(0), T(1), T(2), dice(2) ? NULL : T(3))))
    ROW(sslh_siglip_loss, K(sslh_siglip_loss(c, T(0), T(1), T(2), dice(2) ? NULL : T(3), dice(2) ? NULL : T(1))))
    ROW(sslh_distill_loss, K(sslh_distill_loss(c, T(0), T(1), f[0])))
    PAIR(sslh_rkd_distance)
    PAIR(sslh_rkd_angle)
    ROW(sslh_seed_loss, K(sslh_seed_loss(c, T(0), T(1), T(2), f[0], f[1])))
    ROW(sslh_barlow_loss, K(sslh_barlow_loss(c, T(0), T(1), f[0])))
    ROW(sslh_vicreg_loss, K(sslh_vicreg_loss(c, T(0), T(1), f[0], f[1], f[2])))
    /* nets */
    ROW(sslh_net_new, EMPTY(sslh_net_desc, e); e.name = text[0];
        e.forward = dice(2) ? net_forward : dice(2) ? NULL : null_forward;
        if (dice(2)) e.self = reals, e.self_size = (size_t)dice(100); else if (!dice(3)) e.self_size = 7;
        e.kind = (sslh_kind)zeros_mostly(); e.width = zeros_mostly(); e.channels = zeros_mostly();
        e.image = zeros_mostly(); keep_net(w, sslh_net_new(c, e)))
    ROW(sslh_param_new, sslh_param_new(n[0], text[0], s, (sslh_init)(dice(2) ? dice(11) : i[0]), f[0]))
    ROW(sslh_state_new, sslh_state_new(n[0], text[0], (sslh_type)(dice(2) ? dice(3) : i[0]), s))
    ROW(sslh_child, returned(w, "sslh_child", sslh_child(n[0], text[0], n[1]) != NULL || !n[1]))
    ROW(sslh_child_at, returned(w, "sslh_child_at", sslh_child_at(n[0], k[0]) != NULL))
    ROW(sslh_param, K(sslh_param(n[0], dice(2) ? dice(4) : i[0])))
    ROW(sslh_state, K(sslh_state(n[0], dice(2) ? dice(4) : i[0])))
    ROW(sslh_find, sslh_find(n[0], text[0]))
    ROW(sslh_count_tensors, sslh_count_tensors(n[0]))
    ROW(sslh_tensor_at, K(sslh_tensor_at(n[0], dice(2) ? dice(4) : i[0], dice(2) ? out : NULL, size,
        dice(2) ? &k[0] : NULL)))
    ROW(sslh_param_set, EMPTY(sslh_param_opts, e); e.group = zeros_mostly(); e.lr_scale = zeros_mostly_real();
        e.decay_scale = zeros_mostly_real(); sslh_param_set(n[0], dice(2) ? dice(4) : i[0], e))
    ROW(sslh_param_set_matching, EMPTY(sslh_param_opts, e); e.group = zeros_mostly(); e.lr_scale = zeros_mostly_real();
        sslh_param_set_matching(n[0], text[0], e))
    ROW(sslh_net_query, sslh_net_query(n[0]))
    ROW(sslh_net_ctx, sslh_net_ctx(n[0]))
    ROW(sslh_train_mode, sslh_train_mode(n[0], i[0]))
    ROW(sslh_is_training, sslh_is_training(n[0]))
    ROW(sslh_freeze, sslh_freeze(n[0], dice(2)))
    ROW(sslh_split_batch_norm, sslh_split_batch_norm(n[0], dice(2) ? 1 + dice(3) : i[0]))
    ROW(sslh_forward, K(sslh_forward(n[0], T(0))))
    ROW(sslh_forward_ex, EMPTY(sslh_forward_desc, e); if (dice(2)) e.tap = text[0]; if (!dice(3)) e.keep = T(1);
        if (!dice(3)) e.mask = T(2); if (!dice(3)) e.segments = T(3); e.drop_path = zeros_mostly_real();
        e.dropout = zeros_mostly_real(); K(sslh_forward_ex(n[0], T(0), e)))
    ROW(sslh_call, returned(w, "sslh_call", sslh_call(n[0]) != NULL))
    ROW(sslh_tap, sslh_tap(n[0], text[0], T(0)))
    ROW(sslh_clone, keep_net(w, sslh_clone(n[0])))
    ROW(sslh_clone_into, keep_net(w, sslh_clone_into(c, n[0])))
    ROW(sslh_ema_update, sslh_ema_update(n[0], dice(2) ? n[0] : n[1], f[0]))
    ROW(sslh_copy_values, sslh_copy_values(n[0], dice(2) ? n[0] : n[1]))
    ROW(sslh_zero_grad, sslh_zero_grad(n[0]))
    ROW(sslh_clip_grad, sslh_clip_grad(n[0], f[0]))
    ROW(sslh_summary, if (dice(2)) s = sslh_dim4(1, 8, 8, 3); TEXT_OUT(sslh_summary(n[0], s, where, size)))
    ROW(sslh_layer_linear_new, sslh_layer_linear_new(n[0], text[0], i[0], i[1], dice(2)))
    ROW(sslh_layer_linear,
        K(sslh_layer_linear(n[0], dice(2) ? dice(4) : i[0], T(0), dice(2),
        (sslh_activation)(dice(2) ? dice(7) : i[1]))))
    ROW(sslh_layer_conv_new, sslh_layer_conv_new(n[0], text[0], i[0], i[1], i[2], i[3], dice(2)))
    ROW(sslh_layer_conv, sslh_conv_desc e = any_conv();
        K(sslh_layer_conv(n[0], dice(2) ? dice(4) : i[0], T(0), dice(2), e)))
    ROW(sslh_layer_batch_norm_new, sslh_layer_batch_norm_new(n[0], text[0], i[0], k[0]))
    ROW(sslh_layer_batch_norm,
        K(sslh_layer_batch_norm(n[0], dice(2) ? dice(4) : i[0], T(0), dice(2) ? NULL : T(1), k[0],
        (sslh_activation)(dice(2) ? dice(2) : i[1]))))
    ROW(sslh_layer_layer_norm_new, sslh_layer_layer_norm_new(n[0], text[0], i[0]))
    ROW(sslh_layer_layer_norm, K(sslh_layer_layer_norm(n[0], dice(2) ? dice(4) : i[0], T(0), f[0])))
    ROW(sslh_layer_rms_norm_new, sslh_layer_rms_norm_new(n[0], text[0], i[0]))
    ROW(sslh_layer_rms_norm, K(sslh_layer_rms_norm(n[0], dice(2) ? dice(4) : i[0], T(0), f[0])))
#define RECURRENT_NEW(fn) ROW(fn, sslh_recurrent_desc e = any_recurrent(t, NULL);                                      \
        fn(n[0], text[0], dice(2) ? 2 : i[0], dice(2) ? 3 : i[1], e))
#define RECURRENT_LAYER(fn) ROW(fn, sslh_tensor *last[2]; sslh_recurrent_desc e = any_recurrent(t, last);              \
        K(fn(n[0], dice(2) ? dice(4) : i[0], T(0), e)); if (e.h_last) K(last[0]); if (e.c_last) K(last[1]))
    RECURRENT_NEW(sslh_layer_gru_new) RECURRENT_NEW(sslh_layer_lstm_new)
    RECURRENT_LAYER(sslh_layer_gru) RECURRENT_LAYER(sslh_layer_lstm)
    /* encoders */
    ROW(sslh_mlp, EMPTY(sslh_mlp_desc, e); e.in = i[0]; e.widths[0] = zeros_mostly(); e.widths[1] = zeros_mostly();
        e.activation = (sslh_activation)(dice(2) ? dice(7) : i[1]); e.batch_norm = dice(2); e.last_batch_norm = k[0];
        e.last_activation = k[1]; keep_net(w, sslh_mlp(c, e)))
    ROW(sslh_convnet, EMPTY(sslh_convnet_desc, e); e.channels = zeros_mostly(); e.widths[0] = i[0]; e.widths[1] = i[1];
        e.map_output = k[0]; e.norm = dice(2) ? dice(3) - 1 : zeros_mostly(); e.dcgan = dice(4) ? dice(2) : k[1];
        if (!dice(3)) e.strides[0] = e.strides[1] = 1; if (!dice(8)) e.strides[1] = i[2];
        keep_net(w, sslh_convnet(c, e)))
    ROW(sslh_resnet, EMPTY(sslh_resnet_desc, e); e.channels = zeros_mostly(); e.depth = zeros_mostly(); e.width = i[0];
        e.imagenet_stem = k[0]; keep_net(w, sslh_resnet(c, e)))
    ROW(sslh_convnext, EMPTY(sslh_convnext_desc, e); e.channels = zeros_mostly(); e.stem = zeros_mostly();
        e.map_output = k[0]; e.depths[0] = 1; e.depths[1] = zeros_mostly(); e.widths[0] = i[0];
        e.widths[1] = zeros_mostly(); keep_net(w, sslh_convnext(c, e)))
    ROW(sslh_nin, EMPTY(sslh_nin_desc, e); e.channels = zeros_mostly(); e.blocks = zeros_mostly(); e.divide = i[0];
        keep_net(w, sslh_nin(c, e)))
    ROW(sslh_vit, EMPTY(sslh_vit_desc, e); e.image = zeros_mostly(); e.channels = zeros_mostly();
        e.patch = zeros_mostly(); e.width = zeros_mostly(); e.depth = i[0]; e.heads = zeros_mostly();
        e.mlp = zeros_mostly(); e.fixed_positions = dice(2); e.any_size = dice(2);
        e.clip = dice(2) ? dice(2) : zeros_mostly(); e.activation = zeros_mostly(); keep_net(w, sslh_vit(c, e)))
    ROW(sslh_transformer, EMPTY(sslh_transformer_desc, e); e.kind = zeros_mostly(); e.vocabulary = i[0];
        e.length = zeros_mostly(); e.width = dice(2) ? 4 : zeros_mostly(); e.depth = dice(2) ? 1 : zeros_mostly();
        e.heads = dice(2) ? 2 : zeros_mostly(); e.mlp = zeros_mostly(); e.causal = zeros_mostly();
        e.segments = zeros_mostly(); e.pooler = zeros_mostly(); e.activation = (sslh_activation)zeros_mostly();
        keep_net(w, sslh_transformer(c, e)))
    ROW(sslh_transformer_scores, K(sslh_transformer_scores(n[0], T(0))))
    ROW(sslh_conv_gru, EMPTY(sslh_conv_gru_desc, e); e.channels = zeros_mostly();
        e.width = dice(2) ? 4 : zeros_mostly(); e.context = dice(2) ? 4 : zeros_mostly(); e.norm = zeros_mostly();
        for (int j = 0; j < 8 && !dice(3); j++) e.kernels[j] = zeros_mostly(), e.strides[j] = zeros_mostly();
        keep_net(w, sslh_conv_gru(c, e)))
    /* weights */
    ROW(sslh_save_net, sslh_save_net(n[0], dice(2) ? own_file("net") : target))
    ROW(sslh_save_npz, sslh_save_npz(n[0], dice(2) ? own_file("net") : target))
    ROW(sslh_export_onnx, EMPTY(sslh_onnx_desc, e); if (dice(2)) e.input = dice(2) ? s : sslh_dim4(1, 8, 8, 3);
        e.tap = dice(3) ? NULL : text[0]; e.head = dice(3) ? NULL : n[1]; e.channels_last = dice(2);
        sslh_export_onnx(n[0], dice(2) ? own_file("net") : target, e))
    ROW(sslh_load_weights, EMPTY(sslh_load_desc, e); e.strip_prefix = dice(2) ? NULL : text[0]; e.partial = dice(2);
        e.optional = dice(2); if (dice(2)) e.report = out, e.report_size = size; sslh_load_weights(n[0], path, e))
    ROW(sslh_load_net, keep_net(w, sslh_load_net(c, path)))
    ROW(sslh_load_net_memory,
        keep_net(w, sslh_load_net_memory(c, dice(3) ? (const void *)pixels : NULL, (size_t)dice(500))))
    ROW(sslh_set_preprocess, EMPTY(sslh_preprocess, e); e.height = zeros_mostly(); e.width = zeros_mostly();
        e.channels = zeros_mostly(); e.mean[0] = zeros_mostly_real(); e.std[0] = zeros_mostly_real();
        e.colour = zeros_mostly(); sslh_set_preprocess(n[0], e))
    ROW(sslh_get_preprocess, sslh_get_preprocess(n[0]))
    ROW(sslh_embed, static const int side[] = {-1, 0, 4, 8, 8, 8}; int h = side[dice(6)]; int x = side[dice(6)];
        int count = dice(4) - 1; int width = sslh_net_query(n[0]).width;
        float *p = (float *)malloc((size_t)(width > 0 && width < 100000 ? width : 1) * 12);
        sslh_embed(n[0], dice(6) ? pixels : NULL, count, h, x, dice(2) ? 3 : k[0],
            width < 100000 && dice(6) ? p : NULL);
        free(p))
    /* optimisers */
    ROW(sslh_optimizer_new, sslh_optimizer_desc e = any_optimizer(); add_optimizer(w, sslh_optimizer_new(c, e)))
    ROW(sslh_optimizer_add, sslh_optimizer_add(o, n[0]))
    ROW(sslh_optimizer_step, sslh_optimizer_step(o, f[0]))
    ROW(sslh_optimizer_step_groups, sslh_optimizer_step_groups(o, f[0], (unsigned)i[0]))
    ROW(sslh_optimizer_peak, sslh_optimizer_peak(o, f[0]))
    ROW(sslh_constant, sslh_constant(i[0], i[1], i[2], f[0]))
    ROW(sslh_cosine, sslh_cosine(i[0], i[1], i[2], f[0]))
    ROW(sslh_linear_decay, sslh_linear_decay(i[0], i[1], i[2], f[0]))
    ROW(sslh_steps, float marks[3] = {f[1], f[2], 0}; sslh_steps(i[0], i[1], i[2], f[0], dice(4) ? marks : NULL, f[3]))
    /* data */
    ROW(sslh_load_images, add_data(w, sslh_load_images(c, path)))
    ROW(sslh_data_from_images,
        add_data(w, sslh_data_from_images(c, dice(6) ? pixels : NULL, dice(2) ? 4 : k[0], dice(2) ? 8 : k[1],
        dice(2) ? 8 : k[2], dice(2) ? 3 : k[3], dice(2) ? labels : dice(2) ? NULL : numbers)))
    ROW(sslh_data_from_fields, sslh_field e[4]; memset(e, 0, sizeof e);
        for (int j = 0; j < 4; j++) {
            e[j].kind = (sslh_field_kind)(dice(5) ? dice(6) : i[j]); e[j].type = (sslh_type)(dice(5) ? dice(3) : i[j]);
            e[j].int16 = !dice(3); e[j].shape.ndim = dice(5) ? dice(5) : any_int();
            for (int x = 0; x < 6; x++) e[j].shape.size[x] = dice(5) ? 1 + dice(4) : -dice(2);
            if (dice(5)) e[j].values = dice(2) ? (const void *)reals : (const void *)numbers;
            else if (dice(2)) e[j].fetch = fetch;
            if (e[j].values == (const void *)numbers) e[j].shape.ndim = 0;
            if (!dice(4)) e[j].lengths = numbers;
        }
        add_data(w, sslh_data_from_fields(c, dice(8) ? e : NULL, dice(3) ? 1 + dice(4) : few(), dice(3) ? 4 : few())))
    ROW(sslh_data_range, add_data(w, sslh_data_range(d[0], dice(2) ? 0 : i[0], dice(2) ? 3 : i[1])))
    ROW(sslh_load_images_ex, EMPTY(sslh_images_desc, e); e.size = zeros_mostly(); e.bilinear = zeros_mostly();
        add_data(w, sslh_load_images_ex(c, path, e)))
    ROW(sslh_stream_images, EMPTY(sslh_stream_desc, e); e.size = zeros_mostly(); e.bilinear = zeros_mostly();
        e.channels = zeros_mostly(); e.skip_broken = zeros_mostly(); e.megabytes = zeros_mostly();
        add_data(w, sslh_stream_images(c, path, e)))
    ROW(sslh_load_audio, EMPTY(sslh_audio_desc, e); e.length = zeros_mostly(); e.rate = zeros_mostly();
        e.loudness = zeros_mostly_real(); if (dice(2)) e.labels = text[0]; add_data(w, sslh_load_audio(c, path, e)))
    ROW(sslh_load_clips, EMPTY(sslh_clips_desc, e); e.length = zeros_mostly(); e.size = zeros_mostly();
        e.bilinear = dice(2); add_data(w, sslh_load_clips(c, path, e)))
    ROW(sslh_data_moving, EMPTY(sslh_moving_desc, e); e.clips = dice(4) ? 3 : i[0]; e.frames = dice(4) ? 5 : i[1];
        e.crops = dice(2); e.height = dice(3) ? e.crops ? 8 : 16 : i[2]; e.width = dice(3) ? e.crops ? 5 : 16 : i[3];
        e.objects = dice(4) ? 1 : i[4]; e.speed = zeros_mostly_real(); e.drag = zeros_mostly_real();
        e.zoom = zeros_mostly_real(); e.zooms_in = dice(2); add_data(w, sslh_data_moving(d[0], e)))
    ROW(sslh_data_frames, add_data(w, sslh_data_frames(d[0])))
    ROW(sslh_load_wav, int h; int64_t count; sslh_load_wav(c, path, dice(2) ? &count : NULL, dice(2) ? &h : NULL, &h))
    ROW(sslh_load_wav_memory, int h; int64_t count;
        sslh_load_wav_memory(c, dice(2) ? pixels : NULL, (size_t)dice(1000), &count, &h, NULL))
    ROW(sslh_save_wav, sslh_save_wav(c, dice(2) ? own_file("sound.wav") : target, dice(5) ? reals : NULL,
        dice(2) ? 8 : k[0], dice(2) ? 1 : k[1], dice(2) ? 8000 : i[0]))
    ROW(sslh_data_labelled, add_data(w, sslh_data_labelled(d[0], text[0])))
    ROW(sslh_data_where, add_data(w, sslh_data_where(d[0], text[0], text[1])))
    ROW(sslh_data_windows, add_data(w, sslh_data_windows(d[0], text[0], dice(2) ? 2 : i[0], dice(2) ? 1 : i[1])))
    ROW(sslh_data_stream, add_data(w, sslh_data_stream(c, dice(6) ? words : NULL, dice(3) ? WORDS : dice(WORDS + 1),
        dice(2) ? 1 + dice(4) : i[0])))
    ROW(sslh_data_pick, for (int j = 0; j < 4; j++) numbers[j] = dice(3) ? dice(5) : any_int();
        add_data(w, sslh_data_pick(d[0], dice(6) ? numbers : NULL, k[0])); memset(numbers, 0, 16))
    ROW(sslh_data_fraction, add_data(w, sslh_data_fraction(d[0], (double)f[0], 1)))
    ROW(sslh_data_match_classes, add_data(w, sslh_data_match_classes(d[0], d[1])))
    ROW(sslh_data_join, add_data(w, sslh_data_join(d[0], d[1])))
    ROW(sslh_data_mean_std, float mean[4]; float std[4];
        sslh_data_mean_std(d[0], dice(5) ? mean : NULL, dice(5) ? std : NULL))
    ROW(sslh_data_file, sslh_data_file(d[0], dice(2) ? 0 : i[0]))
    ROW(sslh_data_image, uint8_t *p = (uint8_t *)malloc(8 * 8 * 4);
        sslh_data_image(d[0], dice(2) ? 1 : i[0], dice(5) ? p : NULL); free(p))
    ROW(sslh_loader_new, EMPTY(sslh_loader_desc, e); e.batch = i[0]; e.in_order = dice(2); e.epochs = zeros_mostly();
        e.keep_last = dice(2); e.no_ahead = dice(2); add_loader(w, sslh_loader_new(c, d[0], e)))
    STEP(sslh_next_batch, w->batch_is = 0;
        if (sslh_next_batch(l, dice(8) ? &b : NULL) && b.count) w->batch = b, w->batch_is = b.data.ctx == w->c)
    ROW(sslh_loader_steps, sslh_loader_steps(l))
    ROW(sslh_loader_seek, w->batch_is = 0; sslh_loader_seek(l, dice(2) ? i[0] : (int64_t)i[0] * 0x100000000))
    ROW(sslh_batch_images, K(sslh_batch_images(c, b)))
    ROW(sslh_batch_audio, K(sslh_batch_audio(c, b)))
    ROW(sslh_batch_clips, K(sslh_batch_clips(c, b)))
    ROW(sslh_batch_lengths, K(sslh_batch_lengths(c, b, dice(2) ? 0 : i[0])))
    ROW(sslh_batch_padding, K(sslh_batch_padding(c, b, dice(2) ? 0 : i[0])))
    ROW(sslh_batch_labels, K(sslh_batch_labels(c, b)))
    ROW(sslh_batch_field, K(sslh_batch_field(c, b, dice(2) ? 0 : i[0])))
    ROW(sslh_load_image, int h; sslh_load_image(c, path, dice(2) ? &h : NULL, &h, dice(2) ? &h : NULL))
    ROW(sslh_load_image_memory, int h;
        sslh_load_image_memory(c, dice(2) ? pixels : NULL, (size_t)dice(1000), &h, NULL, &h))
    ROW(sslh_save_png, sslh_save_png(c, target, dice(5) ? pixels : NULL, dice(2) ? 8 : k[0], dice(2) ? 8 : k[1],
        dice(2) ? 3 : k[2]))
    ROW(sslh_inflate, size_t got; sslh_inflate(c, dice(4) ? pixels : NULL, (size_t)dice(1000), dice(2) ? dice(3) : i[0],
        dice(2) ? 1000 : (size_t)i[1], dice(3) ? &got : NULL))
    ROW(sslh_save_npy, sslh_save_npy(c, dice(2) ? own_file("array.npy") : target, sslh_dim2(dice(5), k[0]),
        dice(5) ? reals : NULL))
    ROW(sslh_load_npy, K(sslh_load_npy(c, path)))
    ROW(sslh_load_file, size_t got; sslh_load_file(c, path, dice(2) ? &got : NULL))
    /* word vectors */
    ROW(sslh_word2vec, any_vectors(c, 0))
    ROW(sslh_phrases, size_t got; sslh_phrases(c, dice(6) ? "a b c a b\na b\n a b" : NULL, (size_t)dice(16), few(),
        any_real(), dice(2) ? &got : NULL))
    ROW(sslh_load_vectors, sslh_load_vectors(c, path))
    ROW(sslh_load_vectors_memory, any_vectors(c, 1))
    ROW(sslh_save_vectors, sslh_save_vectors(any_vectors(c, dice(2)), target,
        (sslh_vectors_format)(dice(4) ? dice(3) : any_int())))
    ROW(sslh_vectors_query, sslh_vectors_query(any_vectors(c, 0)))
    ROW(sslh_vectors_tensor, K(sslh_vectors_tensor(any_vectors(c, 1))))
    ROW(sslh_vectors_word, sslh_vectors_word(any_vectors(c, 1), i[0]))
    ROW(sslh_vectors_find, sslh_vectors_find(any_vectors(c, 1), text[0]))
    ROW(sslh_vectors_count, sslh_vectors_count(any_vectors(c, 0), i[0]))
    ROW(sslh_word_vector, float out[5000]; sslh_word_vector(any_vectors(c, dice(2)), dice(4) ? "ab" : text[0],
        dice(6) ? out : NULL))
    ROW(sslh_vectors_parts, K(sslh_vectors_parts(any_vectors(c, dice(2)))))
    ROW(sslh_word_parts, int row[3]; sslh_word_parts(any_vectors(c, 0), dice(4) ? "ab" : text[0], dice(2) ? row : NULL,
        dice(2) ? 3 : not_above_0(i[0])))
    ROW(sslh_nearest_words, int word[5]; float cosine[5]; int count = dice(2) ? 1 + dice(5) : few();
        sslh_nearest_words(any_vectors(c, dice(2)), dice(2) ? "a - b" : text[0], count, dice(8) ? word : NULL,
            dice(2) ? cosine : NULL))
    ROW(sslh_analogies, sslh_analogies(any_vectors(c, dice(2)), dice(4) ? "a b b a\n: x\nb a a b\n" : NULL,
        (size_t)dice(20), few()))
    ROW(sslh_word_pairs, sslh_word_pairs(any_vectors(c, dice(2)), dice(4) ? "a b 1\nb a 2\nb b x\n" : NULL,
        (size_t)dice(18)))
    /* tokenizers */
    ROW(sslh_tokenizer_new, any_tokenizer(c, 0))
    ROW(sslh_load_tokenizer, EMPTY(sslh_tokenizer_desc, e); e.kind = (sslh_tokens)dice(6);
        sslh_load_tokenizer(c, path, dice(2) ? path : NULL, e))
    ROW(sslh_load_tokenizer_memory, any_tokenizer(c, 1))
    ROW(sslh_save_tokenizer, sslh_save_tokenizer(any_tokenizer(c, dice(2)), target, dice(2) ? target : NULL))
    ROW(sslh_tokenize, sslh_tokenizer *t = any_tokenizer(c, dice(2)); int32_t ids[8];
        sslh_tokenize(t, dice(6) ? (const char *)pixels : NULL, (size_t)dice(400), dice(3) ? ids : NULL,
            (size_t)dice(8)))
    ROW(sslh_detokenize, sslh_tokenizer *t = any_tokenizer(c, dice(2)); int32_t ids[3] = {dice(4), 0, i[0]};
        char back[9]; sslh_detokenize(t, dice(6) ? ids : NULL, (size_t)dice(4), dice(3) ? back : NULL, (size_t)dice(9)))
    ROW(sslh_tokenizer_size, sslh_tokenizer_size(any_tokenizer(c, 0)))
    ROW(sslh_token_id, sslh_token_id(any_tokenizer(c, 0), text[0]))
    ROW(sslh_token_name, sslh_token_name(any_tokenizer(c, 1), i[0]))
    ROW(sslh_token_count, sslh_token_count(any_tokenizer(c, 0), i[0]))
    ROW(sslh_embed_text, float *p = (float *)malloc(sizeof(float) * 100000);
        if (sslh_net_query(n[0]).width <= 100000) sslh_embed_text(n[0], any_tokenizer(c, dice(2)),
            dice(3) ? "a b ab" : text[0], dice(6) ? p : NULL);
        free(p))
    ROW(sslh_embed_texts, float *p = (float *)malloc(sizeof(float) * 300000); EMPTY(sslh_embed_text_desc, e);
        const char *some[3] = {"a b", text[0], ""}; e.pooling = zeros_mostly(); e.normalize = dice(2);
        e.window = dice(2) ? zeros_mostly() : dice(6); e.overlap = dice(2) ? zeros_mostly() : dice(3);
        e.bare = dice(2); e.tap = dice(3) ? NULL : text[0];
        if (sslh_net_query(n[0]).width <= 100000) sslh_embed_texts(n[0], any_tokenizer(c, dice(2)),
            dice(6) ? some : NULL, dice(4) ? 1 + dice(3) : not_above_0(i[0]), dice(6) ? p : NULL, e);
        free(p))
    /* histories */
    ROW(sslh_load_items, EMPTY(sslh_items_desc, e); sslh_load_items(c, path, e))
    ROW(sslh_items_from_text, any_items(c))
    ROW(sslh_items_query, sslh_items_query(any_items(c)))
    ROW(sslh_items_name, sslh_items_name(any_items(c), i[0]))
    ROW(sslh_items_find, sslh_items_find(any_items(c), text[0]))
    ROW(sslh_items_history, int count; sslh_items_history(any_items(c), dice(2) ? dice(3) : i[0],
        dice(3) ? &count : NULL))
    ROW(sslh_items_data, sslh_items_data(any_items(c), dice(3) ? 2 + dice(4) : i[0], dice(3) ? dice(3) : i[1]))
    ROW(sslh_item_popularity, sslh_item_popularity(any_items(c), dice(3) ? dice(3) : i[0]))
    ROW(sslh_item_cosine, sslh_item_cosine(any_items(c), dice(3) ? dice(3) : i[0]))
    ROW(sslh_item_vectors, sslh_item_vectors(c, T(0)))
    ROW(sslh_item2vec, EMPTY(sslh_word2vec_desc, e); e.dim = dice(3) ? 3 : i[0]; e.epochs = 1;
        e.window = zeros_mostly(); e.min_count = zeros_mostly(); e.cbow = dice(2); e.subwords = !dice(9);
        K(sslh_item2vec(any_items(c), dice(3), e)))
    ROW(sslh_recommend, int32_t best[3]; float likely[3]; sslh_recommender r = any_recommender(c, any_items(c), T(0));
        sslh_recommend(r, dice(6) ? words : NULL, dice(3) ? 1 + dice(WORDS) : not_above_0(i[0]),
                       dice(4) ? 1 + dice(3) : not_above_0(i[1]), dice(6) ? best : NULL, dice(2) ? likely : NULL))
    ROW(sslh_rank_items, sslh_items *set = any_items(c); EMPTY(sslh_ranking_desc, e); e.k = zeros_mostly();
        e.negatives = dice(2) ? 3 : dice(2) ? SSLH_OFF : zeros_mostly(); e.users = zeros_mostly();
        e.validation = dice(2); sslh_rank_items(any_recommender(c, set, T(0)), dice(8) ? set : NULL, e))
    /* views */
#define RECIPE(fn) ROW(fn, sslh_recipe e = fn(); TEXT_OUT(sslh_recipe_print(e, where, size)))
    RECIPE(sslh_recipe_none) RECIPE(sslh_recipe_simclr) RECIPE(sslh_recipe_simclr_large) RECIPE(sslh_recipe_moco)
    RECIPE(sslh_recipe_byol0) RECIPE(sslh_recipe_byol1) RECIPE(sslh_recipe_mae) RECIPE(sslh_recipe_rotation)
    ROW(sslh_views, sslh_recipe e = any_recipe(); K(sslh_views(c, b, e, dice(2) ? 0 : i[0])))
    ROW(sslh_text_views, EMPTY(sslh_text_recipe, e); e.shuffle = zeros_mostly_real(); e.sentence_end = zeros_mostly();
        e.spans = dice(2) ? 0.5f : zeros_mostly_real(); e.span = zeros_mostly_real();
        e.deleted = dice(2) ? 0.5f : zeros_mostly_real(); e.swapped = zeros_mostly_real();
        e.replaced = zeros_mostly_real(); e.masked = dice(2) ? 0.5f : zeros_mostly_real();
        e.mask_token = zeros_mostly(); e.first_word = zeros_mostly(); e.vocabulary = dice(2) ? 3 : zeros_mostly();
        e.ends = dice(3); e.cls_token = zeros_mostly(); e.sep_token = zeros_mostly();
        K(sslh_text_views(c, b, e, dice(2) ? 0 : i[0]).tokens))
    ROW(sslh_clip_views, sslh_recipe e = any_recipe(); for (int j = 0; j < 64; j++) numbers[j] = dice(40) ? 0 : i[1];
        K(sslh_clip_views(c, b, e, dice(2) ? 0 : i[0], dice(2) ? numbers : NULL, few()));
        memset(numbers, 0, sizeof numbers))
    ROW(sslh_recipe_print, sslh_recipe e = any_recipe(); TEXT_OUT(sslh_recipe_print(e, where, size)))
    ROW(sslh_augment, sslh_recipe e = any_recipe(); K(sslh_augment(c, T(0), e, (uint64_t)i[0])))
    /* sound */
    ROW(sslh_audio_views, sslh_audio_recipe e = any_audio_recipe(); K(sslh_audio_views(c, b, e, dice(2) ? 0 : i[0])))
    ROW(sslh_audio_augment, sslh_audio_recipe e = any_audio_recipe(); K(sslh_audio_augment(c, T(0), e, (uint64_t)i[0])))
    ROW(sslh_mask_spectrogram, sslh_audio_recipe e = any_audio_recipe();
        K(sslh_mask_spectrogram(c, T(0), e, (uint64_t)i[0])))
    ROW(sslh_mel_views, sslh_audio_recipe e = any_audio_recipe(); sslh_mel_desc g = any_mel();
        K(sslh_mel_views(c, b, e, g, dice(2) ? 0 : i[0])))
    ROW(sslh_mel_spectrogram, sslh_mel_desc g = any_mel(); K(sslh_mel_spectrogram(c, T(0), g)))
    ROW(sslh_log_mel, sslh_mel_desc g = any_mel(); K(sslh_log_mel(c, T(0), g)))
    WITH_REAL(sslh_power_to_db)
    ROW(sslh_mfcc, EMPTY(sslh_mfcc_desc, e); e.mel = any_mel(); e.coefficients = zeros_mostly(); e.log_mels = dice(2);
        e.top_db = zeros_mostly_real(); K(sslh_mfcc(c, T(0), e)))
    ROW(sslh_resize, static const int side[] = {-1, 0, 1, 3, 8, 8}; float box[4];
        for (int j = 0; j < 4; j++) box[j] = dice(2) ? (float)(j < 2 ? 0 : 2) : f[j];
        sslh_resize(c, dice(5) ? reals : NULL, side[dice(6)], side[dice(6)], dice(3) ? 3 : k[0], dice(5) ? box : NULL,
            dice(5) ? reals + 4096 : NULL, side[dice(6)], side[dice(6)], dice(2), dice(2)))
    ROW(sslh_rotate90, for (int j = 0; j < 4; j++) numbers[j] = i[j];
        K(sslh_rotate90(c, T(0), dice(5) ? numbers : NULL)); memset(numbers, 0, 16))
    /* methods */
    ROW(sslh_view_add, EMPTY(sslh_view_set, e); for (int j = dice(20); j >= 0; j--) sslh_view_add(&e, text[0], T(0));
        sslh_view_add(NULL, "a", T(0)))
    ROW(sslh_view_get, EMPTY(sslh_view_set, e); sslh_view_add(&e, "a", T(0));
        sslh_view_get(dice(4) ? &e : NULL, text[0]))
    ROW(sslh_method_new, add_method(w, sslh_method_new(c, text[0], n[0], dice(2) ? reals : NULL, (size_t)dice(20))))
    ROW(sslh_method_print, TEXT_OUT(sslh_method_print(m, where, size)))
    ROW(sslh_methods, sslh_methods(dice(2) ? &k[0] : NULL))
    ROW(sslh_method_make, static const char *const which[] = {"simclr", "rotation", "vae", "mae", "autoencoder",
        "gan"}; add_method(w, sslh_method_make(c, dice(4) ? which[dice(6)] : text[0], n[0], d[0], any_settings())))
    ROW(sslh_method_describe, TEXT_OUT(sslh_method_describe(dice(2) ? "mae" : text[0], where, size)))
    ROW(sslh_rotation, EMPTY(sslh_rotation_desc, e); e.rotations = zeros_mostly(); e.one_per_image = dice(2);
        if (!dice(3)) e.tap = text[0]; sslh_recipe r = any_recipe(); if (dice(2)) e.views = &r;
        add_method(w, sslh_rotation(c, n[0], e)))
    ROW(sslh_autoencoder, EMPTY(sslh_autoencoder_desc, e); e.height = dice(2) ? 8 : i[0]; e.width = dice(2) ? 8 : i[1];
        e.channels = dice(2) ? 3 : i[2]; e.layers = zeros_mostly(); e.hidden = dice(2) ? 4 : i[3];
        e.latent = dice(2) ? 2 : i[4]; e.convolutions = dice(4); e.maps = zeros_mostly(); e.output = dice(4);
        e.noise = dice(4); e.amount = zeros_mostly_real(); e.sparse = zeros_mostly_real(); e.rate = zeros_mostly_real();
        e.contractive = zeros_mostly_real(); e.sigmoid_code = dice(2); e.tied_weights = dice(2);
        add_method(w, sslh_autoencoder(c, e)))
    ROW(sslh_autoencoder_rebuild, K(sslh_autoencoder_rebuild(m, T(0))))
    ROW(sslh_autoencoder_decode, K(sslh_autoencoder_decode(m, T(0))))
    ROW(sslh_autoencoder_noisy, K(sslh_autoencoder_noisy(m, T(0), (uint64_t)i[0])))
    ROW(sslh_autoencoder_evaluate, sslh_autoencoder_evaluate(m, d[0]))
#define ANY_VAE EMPTY(sslh_vae_desc, e); e.height = dice(2) ? 8 : i[0]; e.width = dice(2) ? 8 : i[1]; \
    e.channels = dice(2) ? 3 : i[2]; e.hidden = dice(2) ? 4 : i[3]; e.latent = dice(2) ? 2 : i[4]; \
    e.layers = zeros_mostly(); e.convolutions = dice(4); e.maps = zeros_mostly(); e.beta = zeros_mostly_real(); \
    e.codes = zeros_mostly(); e.gaussian = dice(2); e.sigma = zeros_mostly_real(); e.learn_sigma = dice(2); \
    e.binarize = dice(2);
    ROW(sslh_vae, ANY_VAE add_method(w, sslh_vae(c, e)))
    ROW(sslh_vae_on, ANY_VAE add_method(w, sslh_vae_on(c, n[0], e)))
    ROW(sslh_gan, EMPTY(sslh_gan_desc, e); e.height = dice(2) ? 8 : i[0]; e.width = dice(2) ? 8 : i[1];
        e.channels = dice(2) ? 3 : i[2]; e.loss = dice(6); e.bound = dice(5); e.clip_at = zeros_mostly_real();
        e.critic = zeros_mostly(); e.latent = dice(2) ? 3 : i[3]; e.generator = dice(4);
        e.generator_width = dice(2) ? 4 : zeros_mostly(); e.average = zeros_mostly_real();
        add_method(w, sslh_gan(c, n[0], e)))
    ROW(sslh_gan_sample, K(sslh_gan_sample(m, dice(4) ? dice(5) : i[0], (uint64_t)i[1])))
    ROW(sslh_gan_generate, K(sslh_gan_generate(m, T(0))))
    ROW(sslh_vae_encode, sslh_tensor *mu; sslh_tensor *logvar;
        sslh_vae_encode(m, T(0), dice(5) ? &mu : NULL, dice(5) ? &logvar : NULL))
    ROW(sslh_vae_decode, K(sslh_vae_decode(m, T(0))))
    ROW(sslh_vae_sample, K(sslh_vae_sample(m, dice(2) ? 3 : i[0])))
    ROW(sslh_vae_interpolate, K(sslh_vae_interpolate(m, T(0), dice(2) ? T(0) : T(1), dice(2) ? 3 : i[0])))
    ROW(sslh_vae_evaluate, sslh_vae_evaluate(m, d[0]))
    ROW(sslh_vae_bound, sslh_vae_bound(m, d[0], dice(4) ? 1 + dice(5) : dice(2) ? 1 : not_above_0(i[0])))
    ROW(sslh_jigsaw, EMPTY(sslh_jigsaw_desc, e); e.grid = zeros_mostly(); e.permutations = zeros_mostly();
        e.tile = zeros_mostly(); e.channel_shift = zeros_mostly(); e.grey = zeros_mostly_real();
        e.project = zeros_mostly_real(); e.no_tile_norm = dice(2); e.head_hidden = zeros_mostly();
        if (!dice(3)) e.tap = text[0]; add_method(w, sslh_jigsaw(c, n[0], e)))
    ROW(sslh_jigsaw_solve, sslh_tensor *puzzle; sslh_tensor *solved;
        sslh_jigsaw_solve(m, T(0), 1, dice(5) ? &puzzle : NULL, dice(5) ? &solved : NULL, dice(2) ? f : NULL))
    ROW(sslh_context, EMPTY(sslh_context_desc, e); e.patch = zeros_mostly(); e.gap = zeros_mostly_real();
        e.jitter = zeros_mostly_real(); e.pixelate = zeros_mostly_real(); e.head_hidden = zeros_mostly();
        if (!dice(3)) e.tap = text[0]; add_method(w, sslh_context(c, n[0], e)))
    ROW(sslh_inpainting, EMPTY(sslh_inpainting_desc, e); e.hole = dice(6); e.area = zeros_mostly_real();
        e.overlap = zeros_mostly(); e.ring_weight = zeros_mostly_real(); e.adversarial = zeros_mostly_real();
        e.channelwise = dice(4) ? 0 : i[0]; e.decoder_width = dice(2) ? 4 : zeros_mostly();
        e.discriminator_width = dice(2) ? 4 : zeros_mostly(); if (!dice(3)) e.tap = text[0];
        add_method(w, sslh_inpainting(c, n[0], e)))
    ROW(sslh_inpaint, K(sslh_inpaint(m, T(0), T(1))))
    ROW(sslh_next_frame, EMPTY(sslh_next_frame_desc, e); e.frames = dice(2) ? 2 : zeros_mostly();
        e.step = zeros_mostly(); e.norm = dice(4); e.gradient = zeros_mostly_real(); e.residual = dice(2);
        e.decoder_width = dice(2) ? 4 : zeros_mostly(); if (!dice(3)) e.tap = text[0];
        add_method(w, sslh_next_frame(c, n[0], e)))
    ROW(sslh_next_frames, K(sslh_next_frames(m, dice(2) ? T(0) : sslh_batch_clips(c, b), few())))
    ROW(sslh_frame_order, EMPTY(sslh_frame_order_desc, e); e.task = dice(5); e.gap = zeros_mostly();
        e.tries = zeros_mostly(); e.cells = dice(2) ? 2 : zeros_mostly(); e.head_hidden = dice(2) ? 4 : zeros_mostly();
        e.no_head_norm = dice(2); if (!dice(3)) e.tap = text[0]; add_method(w, sslh_frame_order(c, n[0], e)))
    ROW(sslh_colorization, EMPTY(sslh_colorization_desc, e); e.reverse = dice(2); e.split_brain = !dice(3);
        e.cell = zeros_mostly(); e.neighbours = zeros_mostly(); e.sigma = zeros_mostly_real();
        e.lambda = zeros_mostly_real(); e.temperature = zeros_mostly_real();
        e.head_hidden = dice(2) ? 4 : zeros_mostly(); if (!dice(3)) e.tap = text[0];
        add_method(w, sslh_colorization(c, n[0], e)))
    ROW(sslh_colorize, K(sslh_colorize(m, T(0))))
    ROW(sslh_moco, EMPTY(sslh_moco_desc, e); e.version = dice(2) ? dice(4) : zeros_mostly();
        e.temperature = zeros_mostly_real(); e.queue = dice(2) ? 8 : zeros_mostly();
        e.key_momentum = zeros_mostly_real(); e.symmetric = dice(2); e.split = dice(2) ? 1 : zeros_mostly();
        e.head_hidden = zeros_mostly(); e.head_out = zeros_mostly(); add_method(w, sslh_moco(c, n[0], e)))
    ROW(sslh_cpc, EMPTY(sslh_cpc_desc, e); e.steps = zeros_mostly(); e.negatives = zeros_mostly(); e.from = dice(4);
        e.crop = zeros_mostly(); add_method(w, sslh_cpc(c, n[0], e)))
    ROW(sslh_cpc2, EMPTY(sslh_cpc2_desc, e); e.side = dice(2) ? 8 : zeros_mostly();
        e.patch = dice(2) ? 4 : zeros_mostly(); e.stride = zeros_mostly();
        e.directions = dice(2) ? dice(5) : zeros_mostly(); e.first = zeros_mostly();
        e.steps = dice(2) ? 1 : zeros_mostly(); e.negatives = zeros_mostly(); e.from = dice(4);
        e.target = dice(2) ? 4 : zeros_mostly(); e.scale = zeros_mostly_real();
        e.context_blocks = dice(2) ? 1 : zeros_mostly(); e.context_hidden = dice(2) ? 4 : zeros_mostly();
        e.drop = zeros_mostly_real(); e.allow_batch_norm = dice(2); sslh_recipe r = any_recipe();
        if (!dice(3)) e.patch_views = &r; add_method(w, sslh_cpc2(c, n[0], e)))
    ROW(sslh_patch_encoder, EMPTY(sslh_patch_encoder_desc, e); e.side = dice(2) ? 8 : zeros_mostly();
        e.patch = dice(2) ? 4 : zeros_mostly(); e.stride = zeros_mostly(); keep_net(w, sslh_patch_encoder(c, n[0], e)))
    ROW(sslh_chain, keep_net(w, sslh_chain(c, n[0], n[1])))
    ROW(sslh_distill, EMPTY(sslh_distill_desc, e); e.kind = dice(2) ? dice(6) : i[0];
        e.temperature = zeros_mostly_real(); e.labels = zeros_mostly_real(); e.fraction = zeros_mostly_real();
        e.fraction_seed = zeros_mostly(); e.distance = zeros_mostly_real(); e.angle = zeros_mostly_real();
        e.student_temperature = zeros_mostly_real(); e.teacher_temperature = zeros_mostly_real();
        e.queue = dice(2) ? 8 : zeros_mostly(); e.head_layers = zeros_mostly();
        e.head_hidden = dice(2) ? 4 : i[1]; if (!dice(3)) e.tap = text[0]; if (!dice(3)) e.teacher_tap = text[0];
        add_method(w, sslh_distill(c, n[0], n[1], e)))
    ROW(sslh_distill_classifier, keep_net(w, sslh_distill_classifier(dice(8) ? m : NULL)))
    ROW(sslh_net_widen, EMPTY(sslh_widen_desc, e); e.layer = dice(2) ? dice(4) : i[0];
        e.width = dice(2) ? 4 + dice(9) : zeros_mostly(); e.noise = zeros_mostly_real();
        keep_net(w, sslh_net_widen(n[0], e)))
    ROW(sslh_net_deepen, EMPTY(sslh_deepen_desc, e); e.layer = dice(2) ? dice(4) : i[0];
        if (!dice(3)) e.sample = T(0); keep_net(w, sslh_net_deepen(n[0], e)))
    ROW(sslh_net_prune_filters, EMPTY(sslh_prune_desc, e); e.share = dice(3) ? 0.4f : f[0];
        e.layer = dice(3) ? 0 : i[0]; e.kind = dice(2) ? dice(4) : i[1];
        keep_net(w, sslh_net_prune_filters(n[0], e)))
    ROW(sslh_quantize, EMPTY(sslh_quantize_desc, e); e.min_count = dice(3) ? SSLH_OFF : zeros_mostly();
        if (!dice(3)) e.keep = text[0]; keep_net(w, sslh_quantize(n[0], e)))
    ROW(sslh_fold_batch_norm, keep_net(w, sslh_fold_batch_norm(n[0], dice(2) ? T(0) : NULL)))
    ROW(sslh_net_low_rank, EMPTY(sslh_low_rank_desc, e); if (dice(2)) e.rank = dice(3) ? 1 + dice(3) : i[0];
        else e.energy = dice(3) ? 0.4f : f[0]; if (!dice(3)) e.keep = text[0]; keep_net(w, sslh_net_low_rank(n[0], e)))
    ROW(sslh_prune_magnitude, sslh_prune_magnitude(n[0], dice(3) ? 0.4f : f[0]))
    ROW(sslh_net_bytes, sslh_net_bytes(n[0]))
    ROW(sslh_simclr, EMPTY(sslh_simclr_desc, e); e.temperature = zeros_mostly_real(); e.head_layers = zeros_mostly();
        e.head_hidden = dice(2) ? 4 : i[0]; e.head_out = dice(2) ? 4 : i[1]; e.no_head_norm = dice(2);
        e.decoupled = dice(2); add_method(w, sslh_simclr(c, n[0], e)))
    ROW(sslh_supcon, EMPTY(sslh_supcon_desc, e); e.temperature = zeros_mostly_real(); e.head_layers = zeros_mostly();
        e.head_hidden = dice(2) ? 4 : i[0]; e.head_out = dice(2) ? 4 : i[1]; add_method(w, sslh_supcon(c, n[0], e)))
    ROW(sslh_nnclr, EMPTY(sslh_nnclr_desc, e); e.temperature = zeros_mostly_real();
        e.queue = dice(2) ? 16 : zeros_mostly(); e.head_layers = zeros_mostly(); e.head_hidden = dice(2) ? 4 : i[0];
        e.head_out = dice(2) ? 4 : i[1]; e.predictor_hidden = zeros_mostly(); e.no_neighbours = dice(2);
        add_method(w, sslh_nnclr(c, n[0], e)))
    ROW(sslh_byol, EMPTY(sslh_byol_desc, e); e.target_momentum = zeros_mostly_real();
        e.head_hidden = dice(2) ? 4 : zeros_mostly(); e.head_out = dice(2) ? 4 : i[0]; e.no_stop_gradient = dice(2);
        add_method(w, sslh_byol(c, n[0], e)))
    ROW(sslh_simsiam, EMPTY(sslh_simsiam_desc, e); e.head_layers = zeros_mostly(); e.head_out = dice(2) ? 4 : i[0];
        e.predictor_hidden = dice(2) ? 4 : zeros_mostly(); e.scheduled_predictor = dice(2); e.no_last_norm = dice(2);
        e.no_stop_gradient = dice(2); add_method(w, sslh_simsiam(c, n[0], e)))
    ROW(sslh_barlow, EMPTY(sslh_barlow_desc, e); e.lambda = zeros_mostly_real(); e.scale = zeros_mostly_real();
        e.head_layers = zeros_mostly(); e.head_out = dice(2) ? 4 : i[0]; add_method(w, sslh_barlow(c, n[0], e)))
    ROW(sslh_vicreg, EMPTY(sslh_vicreg_desc, e); e.invariance = zeros_mostly_real(); e.variance = zeros_mostly_real();
        e.covariance = zeros_mostly_real(); e.head_layers = zeros_mostly(); e.head_out = dice(2) ? 4 : i[0];
        add_method(w, sslh_vicreg(c, n[0], e)))
    ROW(sslh_dino, EMPTY(sslh_dino_desc, e); e.temperature = zeros_mostly_real();
        e.teacher_temperature = zeros_mostly_real(); e.last_temperature = zeros_mostly_real();
        e.temperature_rise = zeros_mostly(); e.centre_momentum = zeros_mostly_real();
        e.target_momentum = zeros_mostly_real(); e.decay_rise = zeros_mostly_real();
        e.outputs = dice(2) ? 6 : zeros_mostly(); e.small_views = dice(2) ? dice(4) : zeros_mostly();
        e.small_side = zeros_mostly(); e.freeze = zeros_mostly(); e.head_hidden = dice(2) ? 4 : i[0];
        e.bottleneck = dice(2) ? 4 : i[1]; e.drop_path = zeros_mostly_real(); add_method(w, sslh_dino(c, n[0], e)))
    ROW(sslh_swav, EMPTY(sslh_swav_desc, e); e.temperature = zeros_mostly_real(); e.epsilon = zeros_mostly_real();
        e.iterations = zeros_mostly(); e.prototypes = dice(2) ? 6 : zeros_mostly();
        e.small_views = dice(2) ? dice(4) : zeros_mostly(); e.small_side = zeros_mostly();
        e.queue = dice(2) ? 16 : zeros_mostly(); e.queue_start = dice(2) ? SSLH_OFF : zeros_mostly();
        e.freeze = zeros_mostly(); e.head_hidden = dice(2) ? 4 : i[0]; e.head_out = dice(2) ? 4 : i[1];
        add_method(w, sslh_swav(c, n[0], e)))
    ROW(sslh_mae, EMPTY(sslh_mae_desc, e); e.mask = zeros_mostly_real(); e.decoder_width = zeros_mostly();
        e.decoder_depth = zeros_mostly(); e.decoder_heads = zeros_mostly(); e.raw_pixels = dice(2);
        add_method(w, sslh_mae(c, n[0], e)))
    ROW(sslh_jepa, EMPTY(sslh_jepa_desc, e); e.targets = zeros_mostly(); e.target_min = zeros_mostly_real();
        e.target_max = zeros_mostly_real(); e.context_min = zeros_mostly_real(); e.top_blocks = zeros_mostly();
        e.target_momentum = zeros_mostly_real(); e.decay_rise = zeros_mostly_real();
        e.predictor_width = zeros_mostly(); e.predictor_depth = zeros_mostly(); e.predictor_heads = zeros_mostly();
        e.no_stop_gradient = dice(2); add_method(w, sslh_jepa(c, n[0], e)))
    ROW(sslh_jepa_show, sslh_tensor *masked; sslh_tensor *filled;
        sslh_jepa_show(m, T(0), 1, dice(5) ? &masked : NULL, dice(5) ? &filled : NULL))
    ROW(sslh_gpt, EMPTY(sslh_gpt_desc, e); e.dropout = zeros_mostly_real(); e.settings = text[0];
        add_method(w, sslh_gpt(c, n[0], e)))
    ROW(sslh_bert, EMPTY(sslh_bert_desc, e); e.mask = zeros_mostly_real(); e.hidden = zeros_mostly_real();
        e.replaced = zeros_mostly_real(); e.next = zeros_mostly(); e.cls_token = dice(2) ? 1 : zeros_mostly();
        e.sep_token = dice(2) ? 2 : zeros_mostly(); e.mask_token = dice(2) ? 1 : zeros_mostly();
        e.pad_token = zeros_mostly(); e.dropout = zeros_mostly_real(); e.settings = text[0];
        add_method(w, sslh_bert(c, n[0], e)))
    ROW(sslh_sasrec, EMPTY(sslh_sasrec_desc, e); e.negatives = zeros_mostly(); e.dropout = zeros_mostly_real();
        e.settings = text[0]; add_method(w, sslh_sasrec(c, n[0], e)))
    ROW(sslh_sasrec_recommender, int32_t best[3]; sslh_recommend(sslh_sasrec_recommender(dice(8) ? m : NULL), words,
        1 + dice(WORDS), 3, best, NULL))
    ROW(sslh_bert4rec, EMPTY(sslh_bert4rec_desc, e); e.mask = zeros_mostly_real(); e.last = zeros_mostly_real();
        e.dropout = zeros_mostly_real(); e.settings = text[0]; add_method(w, sslh_bert4rec(c, n[0], e)))
    ROW(sslh_bert4rec_recommender, int32_t best[3]; sslh_recommend(sslh_bert4rec_recommender(dice(8) ? m : NULL),
        words, 1 + dice(WORDS), 3, best, NULL))
    ROW(sslh_clip, EMPTY(sslh_clip_desc, e); e.loss = zeros_mostly(); e.equal = zeros_mostly();
        e.temperature = zeros_mostly_real(); e.most = zeros_mostly_real(); e.head_out = dice(2) ? 4 : i[0];
        e.drop_words = zeros_mostly_real(); e.start_token = zeros_mostly(); e.end_token = zeros_mostly();
        e.vocabulary = dice(2) ? 12 : zeros_mostly(); e.length = zeros_mostly(); e.text_width = 8;
        e.text_depth = 1; e.settings = text[0]; add_method(w, sslh_clip(c, n[0], dice(2) ? NULL : n[1], e)))
    ROW(sslh_clip_images, K(sslh_clip_images(m, d[0])))
    ROW(sslh_clip_texts, K(sslh_clip_texts(m, d[0], dice(2) ? dice(4) : i[0])))
    ROW(sslh_clip_classes, const char *names[2]; const char *prompts[2]; names[0] = text[0]; names[1] = "cat";
        prompts[0] = "a {}"; prompts[1] = dice(3) ? "{}" : text[1];
        K(sslh_clip_classes(m, any_tokenizer(c, dice(2)), dice(6) ? names : NULL, dice(3) ? 2 : not_above_0(i[0]),
                            dice(3) ? prompts : NULL, dice(3) ? 2 : not_above_0(i[1]))))
    ROW(sslh_clip_zero_shot, int32_t found[64]; sslh_clip_zero_shot(m, T(0), d[0], d[0].count > 64 ? NULL : found))
    ROW(sslh_clip_load, sslh_clip_load(m, path))
    ROW(sslh_clip_save, sslh_clip_save(m, dice(2) ? own_file("clip") : target))
    ROW(sslh_electra, EMPTY(sslh_electra_desc, e); e.mask = zeros_mostly_real(); e.weight = zeros_mostly_real();
        e.generator_heads = zeros_mostly(); e.unigram = zeros_mostly();
        e.cls_token = dice(2) ? SSLH_OFF : zeros_mostly(); e.sep_token = dice(2) ? 2 : zeros_mostly();
        e.mask_token = dice(2) ? 1 : zeros_mostly(); e.pad_token = zeros_mostly(); e.dropout = zeros_mostly_real();
        e.settings = text[0]; add_method(w, sslh_electra(c, n[0], e)))
    ROW(sslh_bart, EMPTY(sslh_bart_desc, e); e.spans = zeros_mostly_real(); e.span = zeros_mostly_real();
        e.sentence_end = zeros_mostly(); e.deleted = zeros_mostly_real(); e.replaced = zeros_mostly_real();
        e.masked = zeros_mostly_real(); e.decoder_depth = dice(2) ? 1 : zeros_mostly();
        e.cls_token = dice(2) ? SSLH_OFF : zeros_mostly(); e.sep_token = dice(2) ? 2 : zeros_mostly();
        e.mask_token = dice(2) ? 1 : zeros_mostly(); e.pad_token = zeros_mostly(); e.dropout = zeros_mostly_real();
        e.settings = text[0]; add_method(w, sslh_bart(c, n[0], e)))
    ROW(sslh_sentence_order, EMPTY(sslh_sentence_order_desc, e); e.sentences = dice(2) ? 2 : zeros_mostly();
        e.sentence_end = dice(2) ? 1 : zeros_mostly(); e.cls_token = dice(2) ? SSLH_OFF : zeros_mostly();
        e.sep_token = dice(2) ? 2 : zeros_mostly(); e.pad_token = zeros_mostly(); e.dropout = zeros_mostly_real();
        e.settings = text[0]; add_method(w, sslh_sentence_order(c, n[0], e)))
    ROW(sslh_bart_evaluate, returned(w, "sslh_bart_evaluate", !isnan((double)sslh_bart_evaluate(m, d[0]))))
    ROW(sslh_bart_rebuild, int32_t said[8];
        sslh_bart_rebuild(m, dice(8) ? words : NULL, dice(3) ? 1 + dice(WORDS) : not_above_0(i[0]),
                          dice(8) ? said : NULL, dice(3) ? 1 + dice(8) : not_above_0(i[1])))
    ROW(sslh_fixmatch, EMPTY(sslh_fixmatch_desc, e); e.threshold = zeros_mostly_real(); e.weight = zeros_mostly_real();
        e.ratio = zeros_mostly(); e.labels = zeros_mostly(); sslh_recipe r = any_recipe(); if (!dice(3)) e.weak = &r;
        if (!dice(3)) e.strong = &r; add_method(w, sslh_fixmatch(c, n[0], d[0], e)))
    ROW(sslh_fixmatch_classify, K(sslh_fixmatch_classify(m, T(0))))
    ROW(sslh_fixmatch_evaluate, sslh_fixmatch_evaluate(m, d[0]))
    ROW(sslh_bert_evaluate, returned(w, "sslh_bert_evaluate", !isnan((double)sslh_bert_evaluate(m, d[0]))))
    ROW(sslh_bert_load, sslh_bert_load(m, path))
    ROW(sslh_fill_mask, int32_t best[3]; float likely[3];
        sslh_fill_mask(m, dice(6) ? words : NULL, dice(3) ? 1 + dice(WORDS) : not_above_0(i[0]),
                       dice(4) ? 1 + dice(3) : not_above_0(i[1]), dice(6) ? best : NULL, dice(6) ? likely : NULL))
    ROW(sslh_gpt_evaluate, returned(w, "sslh_gpt_evaluate", !isnan((double)sslh_gpt_evaluate(n[0], d[0]))))
    ROW(sslh_gpt_generate, int32_t more[5]; EMPTY(sslh_generate_desc, e); e.temperature = zeros_mostly_real();
        e.top_k = zeros_mostly(); e.top_p = zeros_mostly_real(); e.stops = dice(2); e.stop = i[1]; e.no_cache = dice(2);
        sslh_gpt_generate(n[0], dice(6) ? words : NULL, dice(3) ? 1 + dice(WORDS) : dice(2) ? 0 : not_above_0(i[0]),
                          dice(6) ? more : NULL, dice(6), e))
    ROW(sslh_patchify, K(sslh_patchify(c, T(0), i[0])))
    ROW(sslh_unpatchify, K(sslh_unpatchify(c, T(0), i[0], i[1], i[2])))
    ROW(sslh_mae_reconstruct, sslh_tensor *masked; sslh_tensor *filled;
        sslh_mae_reconstruct(m, T(0), 1, dice(5) ? &masked : NULL, dice(5) ? &filled : NULL))
    /* training */
    STEP(sslh_train, sslh_train_desc e = any_training(); EMPTY(sslh_method, copy); if (m) copy = *m; w->batch_is = 0;
        sslh_train(c, copy, d[0], e))
    ROW(sslh_method_step, sslh_method_step(m, o, dice(6) ? &b : NULL, f[0]))
    ROW(sslh_save_checkpoint, sslh_save_checkpoint(m, o, i[0], dice(2) ? own_file("run") : target))
    ROW(sslh_load_checkpoint, sslh_load_checkpoint(m, o, path))
    ROW(sslh_hash, sslh_hash(n[0]))
    /* evaluation */
    ROW(sslh_features, sslh_feature_desc e = any_features(); K(sslh_features(c, n[0], d[0], e)))
    ROW(sslh_linear_probe, EMPTY(sslh_probe_desc, e); e.features = any_features(); e.l2 = dice(2) ? 0.01f : f[0];
        e.iterations = dice(2) ? 3 : k[0]; e.fraction = zeros_mostly_real(); sslh_linear_probe(c, n[0], d[0], d[1], e))
    ROW(sslh_linear_probe_features, EMPTY(sslh_probe_desc, e); e.l2 = dice(2) ? 0.01f : f[0];
        e.iterations = dice(2) ? 3 : k[0]; const int32_t *a = dice(6) ? numbers : NULL;
        for (int j = 0; j < 64; j++) numbers[j] = dice(20) ? j % 3 : any_int();
        if (t[0] && t[0]->shape[0] <= 64 && t[1] && t[1]->shape[0] <= 64)
            sslh_linear_probe_features(c, T(0), a, T(1), a, dice(2) ? 3 : i[0], e);
        memset(numbers, 0, sizeof numbers))
    ROW(sslh_knn, EMPTY(sslh_knn_desc, e); e.features = any_features(); e.k = zeros_mostly();
        e.temperature = zeros_mostly_real(); e.fraction = zeros_mostly_real(); sslh_knn(c, n[0], d[0], d[1], e))
    ROW(sslh_knn_features, EMPTY(sslh_knn_desc, e); e.k = zeros_mostly(); e.temperature = zeros_mostly_real();
        const int32_t *a = dice(6) ? numbers : NULL;
        for (int j = 0; j < 64; j++) numbers[j] = dice(20) ? j % 3 : any_int();
        if (t[0] && t[0]->shape[0] <= 64 && t[1] && t[1]->shape[0] <= 64)
            sslh_knn_features(c, T(0), a, T(1), a, dice(2) ? 3 : i[0], e);
        memset(numbers, 0, sizeof numbers))
    ROW(sslh_finetune, EMPTY(sslh_finetune_desc, e); e.epochs = dice(2) ? 1 : k[0]; if (!e.epochs) e.epochs = 1;
        e.batch = i[0]; e.lr = zeros_mostly_real(); e.weight_decay = zeros_mostly_real();
        e.layer_decay = zeros_mostly_real(); e.drop_path = zeros_mostly_real(); e.smoothing = zeros_mostly_real();
        e.warmup = zeros_mostly_real(); e.fraction = zeros_mostly_real(); sslh_recipe r = any_recipe();
        e.freeze = dice(2) ? dice(4) : zeros_mostly(); e.head_lr = zeros_mostly_real();
        if (!dice(3)) e.views = &r; sslh_finetune(c, n[0], d[0], d[1], e))
    ROW(sslh_net_accuracy, sslh_net_accuracy(c, n[0], d[0]))
    ROW(sslh_data_split, EMPTY(sslh_split_desc, e); e.test = zeros_mostly_real(); e.validation = zeros_mostly_real();
        e.any_class = dice(2); e.group = dice(3) ? NULL : text[0]; sslh_data_split(d[0], e))
    ROW(sslh_data_twins, sslh_twins q[3]; sslh_data_twins(d[0], d[1], dice(5) ? q : NULL, dice(3)))
    ROW(sslh_nearest, K(sslh_nearest(c, T(0), T(1), dice(2) ? 1 : i[0]).index))
    ROW(sslh_retrieval, const int32_t *a = dice(6) ? numbers : NULL;
        if ((!t[0] || t[0]->shape[0] <= 64) && (!t[1] || t[1]->shape[0] <= 64))
            sslh_retrieval(c, T(0), a, T(1), a, dice(2) ? 1 : i[0]))
    ROW(sslh_average_precision, float q[64]; for (int j = 0; j < 64; j++) q[j] = any_real();
        for (int j = 0; j < 64; j++) numbers[j] = dice(4) == 0;
        sslh_average_precision(c, dice(6) ? q : NULL, dice(6) ? numbers : NULL, dice(3) ? dice(65) : not_above_0(i[0]));
        memset(numbers, 0, sizeof numbers))
    ROW(sslh_near_twins, sslh_twins q[3]; sslh_near_twins(c, T(0), T(1), f[0], dice(5) ? q : NULL, dice(3)))
    ROW(sslh_thumbnails, K(sslh_thumbnails(c, d[0], dice(2) ? 4 : i[0])))
    ROW(sslh_zca_fit, K(sslh_zca_fit(c, T(0), zeros_mostly_real()).matrix))
    ROW(sslh_with_head, keep_net(w, sslh_with_head(c, n[0], dice(2) ? 3 : i[0])))
    ROW(sslh_probe_keep, EMPTY(sslh_probe_desc, e); e.iterations = 2; e.features.batch = zeros_mostly();
        if (d[0].count <= 64) keep_net(w, sslh_probe_keep(c, n[0], d[0], e)))
#if SSLH_WITH_INSIDE
    ROW(sslh_saliency, K(sslh_saliency(c, n[0], T(0), dice(2) ? NULL : T(1))))
    ROW(sslh_smooth_grad, EMPTY(sslh_inside_desc, e); e.samples = dice(2) ? 2 : zeros_mostly() % 9;
        e.noise = zeros_mostly_real(); if (e.samples) K(sslh_smooth_grad(c, n[0], T(0), dice(2) ? NULL : T(1), e)))
    ROW(sslh_integrated_gradients, EMPTY(sslh_inside_desc, e); e.samples = dice(2) ? 2 : -1;
        e.baseline = dice(2) ? NULL : T(1); K(sslh_integrated_gradients(c, n[0], T(0), dice(2) ? NULL : T(2), e)))
    ROW(sslh_grad_cam, EMPTY(sslh_inside_desc, e); e.tap = dice(2) ? NULL : text[0];
        K(sslh_grad_cam(c, n[0], T(0), dice(2) ? NULL : T(1), e)))
    ROW(sslh_occlusion, EMPTY(sslh_inside_desc, e); e.window = zeros_mostly(); e.stride = dice(2) ? 4 : k[0];
        e.fill = zeros_mostly_real();
        if (!t[0] || t[0]->count < 400) K(sslh_occlusion(c, n[0], T(0), dice(2) ? NULL : T(1), e)))
    ROW(sslh_activation_map, EMPTY(sslh_inside_desc, e); e.tap = dice(2) ? NULL : text[0]; e.power = zeros_mostly();
        K(sslh_activation_map(c, n[0], T(0), e)))
    ROW(sslh_class_attention, K(sslh_class_attention(c, n[0], T(0))))
    ROW(sslh_attention_rollout, K(sslh_attention_rollout(c, n[0], T(0))))
    ROW(sslh_cka, sslh_cka(c, T(0), T(1)))
    ROW(sslh_heat, K(sslh_heat(c, T(0), T(1))))
    ROW(sslh_inside_picture, EMPTY(sslh_inside_desc, e); e.samples = 1;
        if (!t[0] || t[0]->count < 1000) sslh_inside_picture(c, target, n[0], T(0), NULL, e))
    ROW(sslh_picture_thumbnails, EMPTY(sslh_plot_desc, e); e.title = text[0];
        if (!t[0] || t[0]->shape[0] <= 64) sslh_picture_thumbnails(c, target, T(0), T(1), NULL, e))
#endif
#if SSLH_WITH_ROBUST
    ROW(sslh_attack, EMPTY(sslh_attack_desc, e); e.kind = dice(4); e.l2 = dice(2); e.eps = zeros_mostly_real();
        e.steps = dice(2) ? 2 : zeros_mostly() % 9; if (e.steps) K(sslh_attack(c, n[0], T(0), T(1), e)))
    ROW(sslh_robust_accuracy, EMPTY(sslh_attack_desc, e); e.steps = 1; e.batch = zeros_mostly();
        e.source = dice(2) ? NULL : n[1]; if (d[0].count <= 64) sslh_robust_accuracy(c, n[0], d[0], e))
    ROW(sslh_masking_check, EMPTY(sslh_attack_desc, e); e.steps = 1;
        if (d[0].count <= 16) sslh_masking_check(c, n[0], dice(2) ? NULL : n[1], d[0], e))
    ROW(sslh_supervised, EMPTY(sslh_supervised_desc, e); e.smoothing = zeros_mostly_real();
        made = sslh_supervised(c, n[0], e); returned(w, running_call, made.loss != NULL))
    ROW(sslh_adversarial, EMPTY(sslh_adversarial_desc, e); e.clean = zeros_mostly_real(); e.attack.eps = f[0];
        if (m) { made = sslh_adversarial(c, *m, e); returned(w, running_call, made.loss != NULL); })
    ROW(sslh_corrupt, K(sslh_corrupt(c, T(0), dice(2) ? dice(9) : i[0], dice(2) ? 3 : i[1], 1)))
    ROW(sslh_corruption_name, sslh_corruption_name(i[0]))
    ROW(sslh_corrupted_accuracy, if (d[0].count <= 64) sslh_corrupted_accuracy(c, n[0], d[0], dice(9), k[0]))
#endif
    ROW(sslh_zca, sslh_whitening q; q.mean = T(1); q.matrix = T(2); K(sslh_zca(c, q, T(0))))
#if SSLH_WITH_CLASSIFIERS
    ROW(sslh_forest, EMPTY(sslh_forest_desc, e); e.trees = dice(2) ? 3 : zeros_mostly() % 20;
        e.features = zeros_mostly();
        e.max_depth = zeros_mostly(); e.min_leaf = zeros_mostly(); e.no_bootstrap = dice(2);
        const int32_t *a = some_labels(numbers);
        if (t[0] && t[0]->shape[0] <= 64)
            ask_classifier(c, sslh_forest(c, T(0), dice(6) ? a : NULL, dice(2) ? 3 : i[0], e), T(1), a, i[1]);
        memset(numbers, 0, sizeof numbers))
    ROW(sslh_svm, EMPTY(sslh_svm_desc, e); e.cost = zeros_mostly_real(); e.tolerance = zeros_mostly_real();
        e.iterations = dice(2) ? 3 : k[0]; e.no_standardise = dice(2); const int32_t *a = some_labels(numbers);
        if (t[0] && t[0]->shape[0] <= 64)
            ask_classifier(c, sslh_svm(c, T(0), dice(6) ? a : NULL, dice(2) ? 3 : i[0], e), T(1), a, i[1]);
        memset(numbers, 0, sizeof numbers))
    ROW(sslh_logistic, EMPTY(sslh_logistic_desc, e); e.l2 = zeros_mostly_real(); e.tolerance = zeros_mostly_real();
        e.iterations = dice(2) ? 3 : k[0]; e.no_standardise = dice(2); const int32_t *a = some_labels(numbers);
        if (t[0] && t[0]->shape[0] <= 64)
            ask_classifier(c, sslh_logistic(c, T(0), dice(6) ? a : NULL, dice(2) ? 3 : i[0], e), T(1), a, i[1]);
        memset(numbers, 0, sizeof numbers))
    ROW(sslh_classifier_scores, K(sslh_classifier_scores(NULL, T(0))))
    ROW(sslh_classifier_predict, K(sslh_classifier_predict(NULL, T(0))))
    ROW(sslh_classifier_accuracy, sslh_classifier_accuracy(NULL, T(0), NULL))
    ROW(sslh_classifier_query, sslh_classifier_query(NULL))
    ROW(sslh_forest_print, sslh_forest_print(NULL, i[0], NULL, 9))
    ROW(sslh_kmeans, EMPTY(sslh_kmeans_desc, e); e.clusters = dice(2) ? 1 + dice(3) : i[0];
        e.starts = dice(2) ? 2 : zeros_mostly() % 9; e.iterations = dice(2) ? 3 : k[0];
        K(sslh_kmeans(c, T(0), e).centres))
    ROW(sslh_nearest_centres, K(sslh_nearest_centres(c, T(0), T(1))))
    ROW(sslh_cluster_agreement, const int32_t *a = some_labels(numbers);
        sslh_cluster_agreement(c, dice(6) ? a : NULL, a, dice(2) ? 64 : i[0] < 64 ? i[0] : 1);
        memset(numbers, 0, sizeof numbers))
    ROW(sslh_confusion, const int32_t *a = some_labels(numbers);
        sslh_tensor *q = sslh_confusion(c, dice(6) ? a : NULL, a, dice(2) ? 8 : i[0] < 64 ? i[0] : 1,
                                        dice(2) ? 3 : i[1]);
        K(q); if (!sslh_error(c) && q->count < 100) sslh_picture_confusion(c, target, q, NULL, text[0]);
        sslh_confusion_measures(q, NULL, NULL, NULL); memset(numbers, 0, sizeof numbers))
    ROW(sslh_save_classifier, sslh_save_classifier(NULL, n[0], NULL, target))
    ROW(sslh_load_classifier, sslh_load_classifier(c, path))
    ROW(sslh_load_classifier_memory,
        sslh_load_classifier_memory(c, dice(3) ? (const void *)pixels : NULL, (size_t)dice(500)))
    ROW(sslh_classifier_net, keep_net(w, sslh_classifier_net(NULL, n[0])))
    ROW(sslh_classify, sslh_classify(NULL, pixels, 1, 4, 4, 1, NULL, NULL))
    ROW(sslh_finetune_keep, EMPTY(sslh_finetune_desc, e); e.epochs = 1; e.batch = i[0]; e.lr = zeros_mostly_real();
        e.fraction = zeros_mostly_real(); const int32_t *a = some_labels(numbers); EMPTY(sslh_svm_desc, v);
        sslh_classifier *q = dice(2) ? sslh_finetune_keep(c, n[0], d[0], e) : NULL;
        if (!q && t[0] && t[0]->shape[0] <= 64) q = sslh_svm(c, T(0), a, 3, v);
        sslh_save_classifier(q, dice(2) ? n[0] : NULL, NULL, target);
        keep_net(w, sslh_classifier_net(q, dice(2) ? n[0] : NULL));
        sslh_classify(q, pixels, dice(2) ? 1 : i[1] < 3 ? i[1] : 1, dice(2) ? 4 : 2, 4, 1 + dice(2),
                      dice(6) ? numbers : NULL, NULL);
        memset(numbers, 0, sizeof numbers))
    ROW(sslh_confusion_measures, sslh_confusion_measures(T(0), NULL, NULL, NULL))
    ROW(sslh_picture_confusion, sslh_picture_confusion(c, target, T(0), NULL, text[0]))
    ROW(sslh_calibration_error, const int32_t *a = some_labels(numbers);
        if (!t[0] || t[0]->shape[0] <= 64)
            sslh_calibration_error(c, T(0), dice(6) ? a : NULL, dice(2) ? 5 : i[0], NULL, NULL, NULL);
        memset(numbers, 0, sizeof numbers))
#endif
#if SSLH_WITH_SEGMENT
    ROW(sslh_data_with_maps, int32_t grey[40]; for (int j = 0; j < 40; j++) grey[j] = dice(20) ? 3 * j : any_int();
        add_data(w, sslh_data_with_maps(d[0], d[1], dice(3) ? grey : NULL, dice(2) ? 3 : i[0])))
    ROW(sslh_map_views, sslh_tensor *x; sslh_tensor *map; sslh_map_recipe e = any_map_recipe();
        sslh_map_views(c, b, e, dice(2) ? 0 : i[0], dice(6) ? &x : NULL, dice(6) ? &map : NULL))
    ROW(sslh_unet, EMPTY(sslh_unet_desc, e); e.classes = dice(2) ? 2 : i[0]; e.width = dice(2) ? 2 : zeros_mostly();
        keep_net(w, sslh_unet(c, n[0], e)))
    ROW(sslh_dice_loss, K(sslh_dice_loss(c, T(0), T(1), i[0])))
    ROW(sslh_segment, EMPTY(sslh_segment_desc, e); e.dice = zeros_mostly_real(); float q[32];
        for (int j = 0; j < 32; j++) q[j] = dice(20) ? 1.0f : any_real();
        if (!dice(3)) e.weights = q; sslh_map_recipe r = any_map_recipe(); if (dice(2)) e.views = &r;
        add_method(w, sslh_segment(c, n[0], e)))
    ROW(sslh_segment_image, sslh_tiles_desc e = any_tiles();
        K(sslh_segment_image(c, n[0], d[0], dice(2) ? 0 : i[0], e)))
    ROW(sslh_segment_map, uint8_t *p = t[0] ? (uint8_t *)malloc(t[0]->count + 1) : NULL;
        sslh_segment_map(T(0), dice(6) ? p : NULL); free(p))
    ROW(sslh_map_compare, uint8_t q[16]; for (int j = 0; j < 16; j++) q[j] = (uint8_t)(dice(20) ? dice(3) : dice(256));
        sslh_map_compare(c, dice(6) ? q : NULL, dice(6) ? q : NULL, (size_t)dice(17), dice(2) ? 3 : i[0]))
    ROW(sslh_segment_evaluate, sslh_tiles_desc e = any_tiles(); sslh_segment_evaluate(c, n[0], d[0], e))
    ROW(sslh_picture_overlay, sslh_picture_overlay(c, target, d[0], dice(2) ? 0 : i[0], NULL))
#endif
    ROW(sslh_feature_std, sslh_feature_std(T(0)))
    ROW(sslh_effective_rank, sslh_effective_rank(c, T(0)))
    ROW(sslh_adversarial_loss, K(sslh_adversarial_loss(c, dice(3) ? T(0) : NULL, T(1), (sslh_adversary)dice(6))))
    ROW(sslh_frechet, sslh_frechet(c, T(0), T(1)))
    ROW(sslh_alignment, sslh_alignment(T(0), T(1)))
    ROW(sslh_uniformity, sslh_uniformity(c, T(0)))
    /* pictures */
    ROW(sslh_picture_grid, sslh_picture_grid(c, target, T(0), i[0], k[0]))
    ROW(sslh_picture_grid_ex, const char *const named[3] = {"a", NULL, long_text}; EMPTY(sslh_grid_desc, e);
        e.columns = i[0]; e.zoom = i[1] % 9; e.originals = i[2] % 4; e.title = text[0];
        if (e.columns >= 1 && e.columns <= 3) e.heads = dice(3) ? named : NULL;
        if (t[0] && e.columns >= 1 && t[0]->shape[0] <= 3) e.rows = dice(3) ? named : NULL;
        sslh_picture_grid_ex(c, target, T(0), e))
    ROW(sslh_picture_filters, sslh_picture_filters(c, target, T(0), dice(2) ? 0 : i[0]))
    ROW(sslh_picture_scatter, const char *const labelled[3] = {"a", NULL, long_text};
        sslh_picture_scatter(c, target, T(0), t[0] && t[0]->shape[0] <= 8 && dice(3) ? labels : NULL,
            dice(2) ? 0 : dice(2) ? 3 : i[0] > 3 ? 3 : i[0], dice(2) ? labelled : NULL))
    ROW(sslh_picture_scatter_ex, EMPTY(sslh_plot_desc, e); e.title = text[0]; e.x = text[0]; e.y = long_text;
        const char *beside[8] = {"a", NULL, long_text, "", "b", "c", text[0], "d"};
        e.words = t[0] && t[0]->ndim && t[0]->shape[0] <= 8 && dice(2) ? beside : NULL;
        sslh_picture_scatter_ex(c, target, T(0), NULL, dice(2) ? 0 : i[0], e))
    ROW(sslh_picture_curves_ex, EMPTY(sslh_plot_desc, e); e.y = text[0]; e.x = long_text;
        sslh_picture_curves_ex(c, target, dice(6) ? reals : NULL, k[0], k[1], e))
    ROW(sslh_picture_curves, const char *const labelled[4] = {"a", NULL, long_text, ""};
        sslh_picture_curves(c, target, dice(6) ? reals : NULL, k[0], k[1], dice(2) ? labelled : NULL, text[0]))
    ROW(sslh_pca, K(sslh_pca(c, T(0), dice(2) ? 2 : i[0])))
    ROW(sslh_tsne, EMPTY(sslh_tsne_desc, e); e.perplexity = zeros_mostly_real(); e.iterations = dice(2) ? 3 : few();
        if (!e.iterations) e.iterations = 2; K(sslh_tsne(c, T(0), e)))
    return rows;
}

/* --- hostile sequences -------------------------------------------------------------------------------------------- */

static void known(sslh_ctx *c) { /* z = x x + x y */
    sslh_fail(c, SSLH_E_USAGE, "sslh_fail"); /* a sslh_no_grad that is on ends when the error is cleared */
    sslh_clear_error(c);
    sslh_tensor *x = sslh_requires_grad(sslh_scalar(c, 3)), *y = sslh_requires_grad(sslh_scalar(c, 2));
    sslh_tensor *z = sslh_add(c, sslh_mul(c, x, x), sslh_mul(c, x, y));
    sslh_backward(c, z);
    CHECK(!sslh_error(c) && sslh_item(z) == 15 && x->grad && x->grad[0] == 8 && y->grad && y->grad[0] == 3,
          "after %s the context computes %g (%s)", running_call, (double)sslh_item(z),
          sslh_error(c) ? sslh_error(c) : "no error");
}

/* The files that any_path names. */
static void make_files(void) {
    test_memory m;
    sslh_ctx *c = make_context(&m, 1);
    sslh_convnet_desc cd;
    sslh_simclr_desc sd;
    sslh_optimizer_desc od;
    memset(&cd, 0, sizeof cd);
    memset(&sd, 0, sizeof sd);
    memset(&od, 0, sizeof od);
    cd.channels = 3, cd.widths[0] = 4, cd.widths[1] = 4;
    sd.head_hidden = 4, sd.head_out = 4;
    sslh_net *net = sslh_convnet(c, cd);
    sslh_method method = sslh_simclr(c, net, sd);
    sslh_save_png(c, own_file("image.png"), pixels, 8, 8, 3);
    sslh_save_net(net, own_file("net"));
    sslh_save_npy(c, own_file("array.npy"), sslh_dim2(4, 3), reals + 3);
    sslh_save_checkpoint(&method, sslh_optimizer_new(c, od), 3, own_file("run"));
    FILE *f = fopen(own_file("text"), "wb");
    if (f) fputs("cell 2 2\nsheet image.png\n", f), fclose(f);
    CHECK_OK(c);
    sslh_destroy(c);
}
static void remove_files(void) {
    static const char *const names[] = {"image.png", "net", "array.npy", "run", "text", "out"};
    for (int i = 0; i < 6; i++) remove(own_file(names[i]));
}

/* Functions that act after an error too. */
static int acts_after_error(const char *name) {
    static const char *const some[] = {"sslh_clear_error", "sslh_rewind", "sslh_push", "sslh_pop", "sslh_create"};
    for (int i = 0; i < 5; i++) if (!strcmp(name, some[i])) return 1;
    return 0;
}

static void error_is_clear(sslh_ctx *c) {
    const char *e = sslh_error(c);
    if (!e) return;
    CHECK(sslh_error_code(c) != SSLH_OK && e[0], "an error without a code or a sentence");
    CHECK(strstr(e, "sslh_") || strstr(e, ": ") || !strcmp(running_call, "sslh_custom_op") ||
              sslh_error_code(c) == SSLH_E_MEMORY,
          "%s: the error names no function: %s", running_call, e);
    sslh_clear_error(c);
}

enum { ROWS = 640, CALLS = 60 };
static const char *row_name[ROWS];
static long row_calls[ROWS], row_worked[ROWS];
static int row_count;

static void hostile_sequence(long number) {
    static world w;
    (void)number;
    world_begin(&w);
    known(w.c);
    fresh(&w);
    for (int k = 0; k < CALLS && !w.over; k++) {
        int row = dice(row_count), before = dice(8) == 0 && !acts_after_error(row_name[row]);
        sslh_info q;
        if (before) sslh_fail(w.c, SSLH_E_USAGE, "before");
        q = sslh_query(w.c);
        call_row(&w, row, NULL);
        row_calls[row]++;
        if (before) {
            sslh_info now = sslh_query(w.c);
            CHECK(sslh_error(w.c) && !strcmp(sslh_error(w.c), "before"), "%s changed the error to %s", row_name[row],
                  sslh_error(w.c) ? sslh_error(w.c) : "none");
            CHECK(now.bytes == q.bytes && now.allocs == q.allocs && now.steps == q.steps,
                  "%s did something after an error", row_name[row]);
            sslh_clear_error(w.c);
            w.stale = 1;
        } else if (!sslh_error(w.c)) row_worked[row]++;
        if (sslh_error(w.c) || sslh_error(w.other)) {
            error_is_clear(w.c);
            error_is_clear(w.other);
            known(w.c);
            known(w.other);
            w.stale = 1;
        }
        if (w.over) break; /* after sslh_rewind nothing that was made may be used */
        if (w.stale) {
            sslh_trace(w.c, NULL, NULL);
            fresh(&w);
            CHECK(!sslh_error(w.c), "after %s: %s", row_name[row], sslh_error(w.c));
            sslh_clear_error(w.c);
        }
    }
    known(w.c);
    world_end(&w);
}
static TEST_UNUSED void hostile_calls(void) {
    const char *show = getenv("SSLH_CALLS_SHOW");
    row_count = call_row(NULL, -1, row_name);
    CHECK(row_count < ROWS, "%d functions", row_count);
    constants();
    make_files();
    sequences("hostile_calls", 80, 300, 20000, hostile_sequence);
    remove_files();
    for (int i = 0; i < row_count && show; i++)
        printf("   %-28s %6ld calls, %6ld worked\n", row_name[i], row_calls[i], row_worked[i]);
}

/* --- graphs: valid operations ------------------------------------------------------------------------------------- */

enum { LEAVES = 40, STEPS = 10 };
typedef struct graph {
    sslh_ctx    *c;
    sslh_tensor *leaf[LEAVES]; /* tensors that no operation made, in the order in which they were asked for */
    int          leaves, given; /* given: they are there already */
    int          unchecked;    /* the gradient is not that of the values: sslh_detach, and what jumps */
    uint64_t     salt;         /* of the leaves' values */
    sslh_shape   want;         /* what the rule of the operation gives */
} graph;

static sslh_shape shape_of(const sslh_tensor *t) { return sslh_shape_of(t); }
static int same_shape(sslh_shape a, sslh_shape b) {
    int same = a.ndim == b.ndim;
    for (int i = 0; same && i < a.ndim; i++) same = a.size[i] == b.size[i];
    return same;
}
/* Values in (-1,1), which are a function of salt and number and nothing else. */
static sslh_tensor *drawn(graph *g, sslh_shape s, int number) {
    sslh_tensor *t = sslh_zeros(g->c, s);
    float *v = (float *)malloc(t->count * sizeof *v);
    for (size_t i = 0; i < t->count; i++) v[i] = sslh_random_uniform(g->salt, (uint64_t)number, i) * 1.9f - 0.95f;
    sslh_write(t, v, t->count);
    free(v);
    return t;
}
static sslh_tensor *constant(graph *g, sslh_shape s) { return drawn(g, s, 1000); }
/* A new input; the first wants a gradient, and so do most. */
static sslh_tensor *leaf(graph *g, sslh_shape s) {
    int wants = dice(4) != 0 || !g->leaves;
    if (g->leaves == LEAVES) return constant(g, s);
    if (!g->given) {
        sslh_tensor *t = drawn(g, s, g->leaves);
        g->leaf[g->leaves] = wants ? sslh_requires_grad(t) : t;
    }
    return g->leaf[g->leaves++];
}
/* The same values in so many dimensions, by divisors that are drawn. */
static sslh_tensor *view(graph *g, sslh_tensor *x, int ndim) {
    sslh_shape s;
    int left = (int)x->count;
    memset(&s, 0, sizeof s);
    s.ndim = ndim;
    for (int i = 0; i < ndim; i++) {
        int d = i == ndim - 1 ? left : 1 + dice(left < 8 ? left : 8);
        while (left % d) d--;
        s.size[i] = d;
        left /= d;
    }
    for (int k = ndim - 1; k > 0; k--) { /* the large one is not always the last */
        int j = dice(k + 1), size = s.size[k];
        s.size[k] = s.size[j], s.size[j] = size;
    }
    return sslh_reshape(g->c, x, s);
}
/* A leaf that broadcasts to s. */
static sslh_tensor *partner(graph *g, sslh_shape s) {
    sslh_shape p = s;
    int drop = dice(2) ? 0 : dice(s.ndim + 1);
    p.ndim = s.ndim - drop;
    for (int i = 0; i < p.ndim; i++) p.size[i] = dice(3) ? s.size[i + drop] : 1;
    return leaf(g, p);
}
/* Above 0, away from it. */
static sslh_tensor *positive(graph *g, sslh_tensor *x) { return sslh_shift(g->c, sslh_square(g->c, x), 0.5f); }
static sslh_tensor *index_below(graph *g, sslh_shape s, int n) {
    int32_t v[64];
    size_t count = 1;
    for (int i = 0; i < s.ndim; i++) count *= (size_t)s.size[i];
    if (count > 64) return NULL;
    for (size_t i = 0; i < count; i++) v[i] = dice(n);
    return sslh_from_ints(g->c, s, v);
}
/* At most so many rows, and so many columns. */
static sslh_tensor *at_most(graph *g, sslh_tensor *x, int axis, int n) {
    return x->shape[axis] > n ? sslh_slice(g->c, x, axis, 0, n) : x;
}
static int window(int size, int pad, int dilation, int kernel, int stride) {
    int reach = dilation * (kernel - 1) + 1;
    return size + 2 * pad < reach ? 0 : (size + 2 * pad - reach) / stride + 1;
}
static sslh_shape reduced(sslh_shape s, int axes, int keep) {
    sslh_shape r = s;
    r.ndim = 0;
    for (int i = 0; i < s.ndim; i++)
        if (!(axes & 1 << i)) r.size[r.ndim++] = s.size[i];
        else if (keep) r.size[r.ndim++] = 1;
    return r;
}
static void cube(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    (void)c, (void)n, (void)user;
    for (size_t i = 0; i < out->count; i++) out->data[i] = in[0]->data[i] * in[0]->data[i] * in[0]->data[i];
}
static void cube_back(sslh_ctx *c, sslh_tensor **in, int n, sslh_tensor *out, void *user) {
    sslh_real *dx = sslh_grad(c, in[0]);
    (void)n, (void)user;
    for (size_t i = 0; dx && i < out->count; i++) dx[i] += 3 * in[0]->data[i] * in[0]->data[i] * out->grad[i];
}

/* 0.2 tanh x (N,D) with rows that lie so far apart that no column is nearly constant. */
static sslh_tensor *rows_apart(sslh_ctx *c, sslh_tensor *x, float step) {
    sslh_tensor *offset = sslh_zeros(c, shape_of(x));
    if (sslh_error(c)) return x;
    for (int n = 0; n < x->shape[0]; n++)
        for (int d = 0; d < x->shape[1]; d++)
            offset->data[n * x->shape[1] + d] = (sslh_real)(step * (float)(d % 3 ? n : -n));
    return sslh_add(c, sslh_scale(c, sslh_tanh(c, x), 0.2f), offset);
}

/* Applies operation number row to x; sets g->want. Row -1 fills in the names. Returns NULL when x does not suit. */
static int graph_rows;
static sslh_tensor *graph_row(graph *g, int row, sslh_tensor *x, const char **names) {
    int rows = 0;
#define OP(fn, ...)                                                                                                    \
    if (names) names[rows] = #fn;                                                                                      \
    else if (row == rows) {                                                                                            \
        running_call = #fn;                                                                                            \
        __VA_ARGS__;                                                                                                   \
    }                                                                                                                  \
    rows++;
#define SAME(fn, ...) OP(fn, g->want = s; return __VA_ARGS__)
    sslh_ctx *c = g ? g->c : NULL;
    sslh_shape s = shape_of(x);
    int axis = 0, axes = 0, keep = 0, j = 0, stride = 0, pad = 0, kernel = 0, groups = 0;
    float f = 0;
    sslh_tensor *a = NULL, *b = NULL;
    sslh_conv_desc cd;
    memset(&cd, 0, sizeof cd);
    if (g) {
        axis = s.ndim ? dice(s.ndim) : 0, axes = dice(64) & ((1 << s.ndim) - 1), keep = dice(2),
        f = (float)(1 + dice(9)) / 10;
        stride = 1 + dice(2), pad = dice(2), kernel = 1 + dice(3), groups = 1 + dice(2);
    }
    SAME(sslh_add, sslh_add(c, x, partner(g, s)))
    SAME(sslh_sub, sslh_sub(c, partner(g, s), x))
    SAME(sslh_mul, sslh_mul(c, x, partner(g, s)))
    SAME(sslh_div, sslh_div(c, x, positive(g, partner(g, s))))
    SAME(sslh_minimum, sslh_minimum(c, x, partner(g, s)))
    SAME(sslh_maximum, sslh_maximum(c, partner(g, s), x))
    OP(sslh_where, g->want = s; g->unchecked = 1; a = partner(g, s); b = sslh_greater(c, sslh_detach(c, x), a);
        return sslh_where(c, b, x, a))
    OP(sslh_greater, g->want = s; g->unchecked = 1; return sslh_mul(c, x, sslh_greater(c, x, partner(g, s))))
    SAME(sslh_scale, sslh_scale(c, x, f))
    SAME(sslh_shift, sslh_shift(c, x, f))
    SAME(sslh_neg, sslh_neg(c, x))
    SAME(sslh_exp, sslh_exp(c, sslh_tanh(c, x)))
    SAME(sslh_log, sslh_log(c, positive(g, x)))
    SAME(sslh_sqrt, sslh_sqrt(c, positive(g, x)))
    SAME(sslh_square, sslh_square(c, sslh_tanh(c, x)))
    SAME(sslh_abs, sslh_abs(c, x))
    SAME(sslh_pow, sslh_pow(c, positive(g, sslh_tanh(c, x)), 2 * f - 1))
    SAME(sslh_clamp, sslh_clamp(c, x, -f, f))
    SAME(sslh_relu, sslh_relu(c, x))
    SAME(sslh_gather_ranks, sslh_gather_ranks(c, x))
    SAME(sslh_leaky_relu, sslh_leaky_relu(c, x, f))
    SAME(sslh_elu, sslh_elu(c, x, f))
    SAME(sslh_gelu, sslh_gelu(c, x))
    SAME(sslh_gelu_tanh, sslh_gelu_tanh(c, x))
    SAME(sslh_silu, sslh_silu(c, x))
    SAME(sslh_sigmoid, sslh_sigmoid(c, x))
    SAME(sslh_tanh, sslh_tanh(c, x))
    SAME(sslh_softplus, sslh_softplus(c, x))
    SAME(sslh_sin, sslh_sin(c, x))
    SAME(sslh_cos, sslh_cos(c, x))
    SAME(sslh_activate, sslh_activate(c, x, (sslh_activation)dice(7)))
#define REDUCE(fn) OP(fn, if (!axes) return NULL; g->want = reduced(s, axes, keep); return fn(c, x, axes, keep))
    REDUCE(sslh_sum) REDUCE(sslh_mean) REDUCE(sslh_max) REDUCE(sslh_logsumexp)
    REDUCE(sslh_min)
    OP(sslh_prod, if (!axes) return NULL; g->want = reduced(s, axes, keep);
        return sslh_prod(c, sslh_tanh(c, x), axes, keep))
    OP(sslh_argmin, if (!s.ndim) return NULL; g->unchecked = 1; g->want = reduced(s, 1 << axis, 0);
        a = sslh_argmin(c, x, axis - keep * s.ndim);
        return sslh_add(c, sslh_mean(c, x, 1 << axis, 0), sslh_to_real(c, a, 0.1f)))
    OP(sslh_topk, if (!s.ndim) return NULL; g->want = s; g->want.size[axis] = 1 + dice(s.size[axis]);
        return sslh_topk(c, x, g->want.size[axis], axis - keep * s.ndim, dice(2) ? &a : NULL))
    OP(sslh_cumsum, if (!s.ndim) return NULL; g->want = s; return sslh_cumsum(c, x, axis - keep * s.ndim))
    OP(sslh_variance, for (j = 1, axis = 0; axis < s.ndim; axis++) if (axes & 1 << axis) j *= s.size[axis];
        if (!axes) return NULL; g->want = reduced(s, axes, keep);
        return sslh_variance(c, x, axes, keep, j > 1 ? dice(2) : 0))
    OP(sslh_argmax, if (!s.ndim) return NULL; g->unchecked = 1; g->want = reduced(s, 1 << axis, 0);
        a = sslh_argmax(c, x, axis - keep * s.ndim);
        return sslh_add(c, sslh_mean(c, x, 1 << axis, 0), sslh_to_real(c, a, 0.1f)))
    OP(sslh_softmax, if (!s.ndim) return NULL; g->want = s; return sslh_softmax(c, x, axis - keep * s.ndim))
    OP(sslh_log_softmax, if (!s.ndim) return NULL; g->want = s; return sslh_log_softmax(c, x, axis - keep * s.ndim))
    OP(sslh_matmul, x = view(g, x, 2 + dice(2)); s = shape_of(x); j = 1 + dice(6); g->want = s;
        g->want.size[s.ndim - 1] = j;
        a = s.ndim == 3 && dice(2) ? leaf(g, sslh_dim3(s.size[0], s.size[2], j)) :
            leaf(g, sslh_dim2(s.size[s.ndim - 1], j));
        return sslh_matmul(c, x, a))
    OP(sslh_matmul_ex, x = view(g, x, 2 + dice(2)); g->want = s = shape_of(x); axis = dice(2); j = 1 + dice(6);
        int rows_of = s.size[s.ndim - 2 + axis]; int inner = s.size[s.ndim - 1 - axis];
        g->want.size[s.ndim - 2] = rows_of; g->want.size[s.ndim - 1] = j;
        a = keep ? leaf(g, sslh_dim2(j, inner)) : leaf(g, sslh_dim2(inner, j));
        return sslh_matmul_ex(c, x, a, axis, keep))
    OP(sslh_linear, if (!s.ndim) return NULL; j = 1 + dice(6); g->want = s; g->want.size[s.ndim - 1] = j;
        a = leaf(g, sslh_dim2(j, s.size[s.ndim - 1])); return sslh_linear(c, x, a, keep ? leaf(g, sslh_dim1(j)) : NULL))
    OP(sslh_linear_ex, if (!s.ndim) return NULL; j = 1 + dice(6); g->want = s; g->want.size[s.ndim - 1] = j;
        a = leaf(g, sslh_dim2(j, s.size[s.ndim - 1]));
        return sslh_linear_ex(c, x, a, keep ? leaf(g, sslh_dim1(j)) : NULL, (sslh_activation)dice(7)))
    OP(sslh_conv2d, x = view(g, x, 4); s = shape_of(x); if (s.size[3] % groups) groups = 1; j = groups * (1 + dice(3));
        cd.stride = stride; cd.pad = pad; cd.dilation = 1 + dice(2); cd.groups = groups;
        cd.activation = (sslh_activation)dice(7); g->want = s; g->want.size[3] = j;
        g->want.size[1] = window(s.size[1], pad, cd.dilation, kernel, stride);
        g->want.size[2] = window(s.size[2], pad, cd.dilation, kernel, stride);
        if (!g->want.size[1] || !g->want.size[2]) return NULL;
        a = leaf(g, sslh_dim4(j, kernel, kernel, s.size[3] / groups));
        return sslh_conv2d(c, x, a, keep ? leaf(g, sslh_dim1(j)) : NULL, cd))
    OP(sslh_conv1d, x = view(g, x, 3); s = shape_of(x); if (s.size[2] % groups) groups = 1; j = groups * (1 + dice(3));
        cd.stride = stride; cd.pad = pad; cd.groups = groups; g->want = s; g->want.size[2] = j;
        g->want.size[1] = window(s.size[1], pad, 1, kernel, stride); if (!g->want.size[1]) return NULL;
        a = leaf(g, sslh_dim3(j, kernel, s.size[2] / groups));
        return sslh_conv1d(c, x, a, keep ? leaf(g, sslh_dim1(j)) : NULL, cd))
    OP(sslh_conv2d_transpose, x = view(g, x, 4); s = shape_of(x); if (s.size[3] % groups) groups = 1;
        j = groups * (1 + dice(3)); cd.stride = stride; cd.pad = pad; cd.groups = groups; cd.output_pad = dice(stride);
        g->want = s; g->want.size[3] = j;
        for (axis = 1; axis < 3; axis++)
            g->want.size[axis] = (s.size[axis] - 1) * stride - 2 * pad + kernel - 1 + cd.output_pad + 1;
        if (g->want.size[1] < 1 || g->want.size[2] < 1) return NULL;
        a = leaf(g, sslh_dim4(s.size[3], kernel, kernel, j / groups));
        return sslh_conv2d_transpose(c, x, a, keep ? leaf(g, sslh_dim1(j)) : NULL, cd))
    OP(sslh_conv1d_transpose, x = view(g, x, 3); s = shape_of(x); j = 1 + dice(3); cd.stride = stride; cd.pad = pad;
        g->want = s; g->want.size[2] = j; g->want.size[1] = (s.size[1] - 1) * stride - 2 * pad + kernel;
        if (g->want.size[1] < 1) return NULL; a = leaf(g, sslh_dim3(s.size[2], kernel, j));
        return sslh_conv1d_transpose(c, x, a, keep ? leaf(g, sslh_dim1(j)) : NULL, cd))
#define POOL(fn) OP(fn, x = view(g, x, 4); s = shape_of(x); if (pad > kernel / 2) pad = 0; g->want = s;                \
        for (axis = 1; axis < 3; axis++) g->want.size[axis] = window(s.size[axis], pad, 1, kernel, stride);            \
        if (!g->want.size[1] || !g->want.size[2]) return NULL; return fn(c, x, kernel, stride, pad))
    POOL(sslh_max_pool2d) POOL(sslh_avg_pool2d)
#define POOL_2(fn) OP(fn, x = view(g, x, 4); s = shape_of(x); EMPTY(sslh_pool_desc, e); e.kernel = kernel;             \
        e.kernel_w = 1 + dice(3); e.stride = stride; e.stride_w = 1 + dice(2); e.exclude_pad = keep; g->want = s;      \
        g->want.size[1] = window(s.size[1], 0, 1, kernel, stride);                                                     \
        g->want.size[2] = window(s.size[2], 0, 1, e.kernel_w, e.stride_w);                                             \
        if (!g->want.size[1] || !g->want.size[2]) return NULL; return fn(c, x, e))
    POOL_2(sslh_max_pool2d_ex) POOL_2(sslh_avg_pool2d_ex)
#define POOL_1(fn) OP(fn, x = view(g, x, 3); s = shape_of(x); EMPTY(sslh_pool_desc, e); e.kernel = kernel;             \
        e.stride = stride; e.pad = pad > kernel / 2 ? 0 : pad; g->want = s;                                            \
        g->want.size[1] = window(s.size[1], e.pad, 1, kernel, stride); if (!g->want.size[1]) return NULL;              \
        return fn(c, x, e))
    POOL_1(sslh_max_pool1d) POOL_1(sslh_avg_pool1d)
    OP(sslh_mean_valid, x = at_most(g, view(g, x, 3), 0, 30); s = shape_of(x);
        a = index_below(g, sslh_dim1(s.size[0]), s.size[1]); for (j = 0; j < s.size[0]; j++) a->ints[j]++;
        g->want = sslh_dim2(s.size[0], s.size[2]); return sslh_mean_valid(c, x, a))
    OP(sslh_interpolate, x = view(g, x, 4); g->want = shape_of(x); g->want.size[1] = 1 + dice(7);
        g->want.size[2] = 1 + dice(7); EMPTY(sslh_interpolate_desc, e); e.mode = (sslh_resize_mode)dice(3);
        if (e.mode != SSLH_NEAREST) e.antialias = dice(2), e.align_corners = !e.antialias && dice(2);
        return sslh_interpolate(c, x, g->want.size[1], g->want.size[2], e))
    OP(sslh_global_avg_pool, x = view(g, x, 3 + dice(2)); g->want = sslh_dim2(x->shape[0], x->shape[x->ndim - 1]);
        return sslh_global_avg_pool(c, x))
    OP(sslh_global_max_pool, x = view(g, x, 3 + dice(2)); g->want = sslh_dim2(x->shape[0], x->shape[x->ndim - 1]);
        return sslh_global_max_pool(c, x))
    OP(sslh_resize_nearest, x = view(g, x, 4); g->want = shape_of(x); g->want.size[1] = 1 + dice(7);
        g->want.size[2] = 1 + dice(7); return sslh_resize_nearest(c, x, g->want.size[1], g->want.size[2]))
    OP(sslh_resize_bilinear, x = view(g, x, 4); g->want = shape_of(x); g->want.size[1] = 1 + dice(7);
        g->want.size[2] = 1 + dice(7); return sslh_resize_bilinear(c, x, g->want.size[1], g->want.size[2]))
    OP(sslh_batch_norm, if (s.ndim < 2 || x->count == (size_t)s.size[s.ndim - 1]) return NULL; j = s.size[s.ndim - 1];
        EMPTY(sslh_batch_norm_desc, e); e.training = dice(3) != 0; e.eps = 0.1f;
        e.activation = (sslh_activation)dice(2); g->want = s; sslh_tensor *mean = sslh_zeros(c, sslh_dim1(j));
        sslh_tensor *var = sslh_full(c, sslh_dim1(j), 1); a = dice(2) ? leaf(g, sslh_dim1(j)) : NULL;
        b = dice(2) ? leaf(g, sslh_dim1(j)) : NULL; sslh_tensor *rest = dice(2) ? leaf(g, s) : NULL;
        return sslh_batch_norm(c, x, a, b, mean, var, rest, e))
    OP(sslh_layer_norm, if (!s.ndim) return NULL; j = s.size[s.ndim - 1]; g->want = s;
        a = dice(2) ? leaf(g, sslh_dim1(j)) : NULL;
        return sslh_layer_norm(c, x, a, keep ? leaf(g, sslh_dim1(j)) : NULL, 0.1f))
    OP(sslh_rms_norm, if (!s.ndim) return NULL; g->want = s;
        return sslh_rms_norm(c, x, keep ? leaf(g, sslh_dim1(s.size[s.ndim - 1])) : NULL, 0.1f))
    OP(sslh_standardize, if (!axes) return NULL; g->want = s; return sslh_standardize(c, x, axes, 0.1f))
    OP(sslh_group_norm, x = view(g, x, 3 + dice(2)); s = shape_of(x); j = s.size[s.ndim - 1]; g->want = s;
        if (j % groups) groups = 1; a = dice(2) ? leaf(g, sslh_dim1(j)) : NULL;
        return sslh_group_norm(c, x, a, keep ? leaf(g, sslh_dim1(j)) : NULL, groups, 0.1f))
    OP(sslh_l2_normalize, if (!s.ndim) return NULL; g->want = s;
        return sslh_l2_normalize(c, sslh_shift(c, sslh_tanh(c, x), 1.5f), 0))
    SAME(sslh_dropout, sslh_dropout(c, x, f * 0.9f))
    OP(sslh_drop_path, if (!s.ndim) return NULL; g->want = s; return sslh_drop_path(c, x, f * 0.9f))
    OP(sslh_reshape, x = view(g, x, 1 + dice(6)); g->want = shape_of(x); return x)
    OP(sslh_permute, int order[6]; for (j = 0; j < 6; j++) order[j] = j;
        for (j = s.ndim - 1; j > 0; j--) { axis = dice(j + 1); kernel = order[j]; order[j] = order[axis];
        order[axis] = kernel; } g->want = s; for (j = 0; j < s.ndim; j++) g->want.size[j] = s.size[order[j]];
        return sslh_permute(c, x, order))
    OP(sslh_transpose, if (s.ndim < 2) return NULL; j = dice(s.ndim); g->want = s; g->want.size[axis] = s.size[j];
        g->want.size[j] = s.size[axis]; return sslh_transpose(c, x, axis - keep * s.ndim, j))
    OP(sslh_concat, if (!s.ndim) return NULL; sslh_tensor *all[3]; sslh_shape one = s; one.size[axis] = 1 + dice(3);
        all[0] = x; all[1] = leaf(g, one); all[2] = x; g->want = s;
        g->want.size[axis] = 2 * s.size[axis] + one.size[axis]; return sslh_concat(c, all, 3, axis))
    OP(sslh_slice, if (!s.ndim) return NULL; j = dice(s.size[axis]); kernel = j + 1 + dice(s.size[axis] - j);
        g->want = s; g->want.size[axis] = kernel - j; return sslh_slice(c, x, axis - keep * s.ndim, j, kernel))
    OP(sslh_slice_ex, if (!s.ndim) return NULL; j = dice(s.size[axis]); kernel = j + 1 + dice(s.size[axis] - j);
        g->want = s; g->want.size[axis] = (kernel - j + stride - 1) / stride;
        return sslh_slice_ex(c, x, axis - keep * s.ndim, j, kernel, stride))
    OP(sslh_pad, if (!s.ndim) return NULL; g->want = s; g->want.size[axis] += kernel + pad;
        return sslh_pad(c, x, axis, kernel, pad, f))
    OP(sslh_pad_ex, if (!s.ndim) return NULL; if (kernel >= s.size[axis]) kernel = 0; if (pad >= s.size[axis]) pad = 0;
        g->want = s; g->want.size[axis] += kernel + pad;
        return sslh_pad_ex(c, x, axis, kernel, pad, (sslh_pad_mode)dice(3), f))
    OP(sslh_broadcast, if (s.ndim > 4) return NULL; g->want.ndim = s.ndim + 1; g->want.size[0] = 1 + dice(3);
        for (j = 0; j < s.ndim; j++) g->want.size[j + 1] = s.size[j] == 1 ? 1 + dice(3) : s.size[j];
        return sslh_broadcast(c, x, g->want))
    OP(sslh_embedding, x = view(g, x, 1 + dice(4)); s = shape_of(x);
        a = index_below(g, sslh_dim2(2, kernel), s.size[0]); g->want = sslh_dim2(2, kernel);
        for (j = 1; j < s.ndim; j++) g->want.size[g->want.ndim++] = s.size[j]; return sslh_embedding(c, x, a))
    OP(sslh_gather, x = at_most(g, view(g, x, 2 + dice(3)), 0, 20); s = shape_of(x);
        a = index_below(g, sslh_dim2(s.size[0], kernel), s.size[1]); g->want = s; g->want.size[1] = kernel;
        return sslh_gather(c, x, a))
    OP(sslh_gather_along, if (!s.ndim) return NULL; a = index_below(g, sslh_dim1(kernel), s.size[axis]); g->want = s;
        g->want.size[axis] = kernel; return sslh_gather_along(c, x, a, axis - keep * s.ndim))
#define SCATTER(fn) OP(fn, if (!s.ndim) return NULL; a = index_below(g, sslh_dim1(kernel), s.size[axis]);              \
        sslh_shape one = s; one.size[axis] = kernel; g->want = s;                                                      \
        return fn(c, x, a, leaf(g, one), axis - keep * s.ndim))
    SCATTER(sslh_scatter) SCATTER(sslh_scatter_add)
    OP(sslh_one_hot, if (s.ndim > 4) return NULL; g->want = s; g->want.size[g->want.ndim++] = 5; sslh_shape one = s;
        one.size[one.ndim++] = 1;
        return sslh_mul(c, sslh_reshape(c, x, one), sslh_one_hot(c, sslh_from_ints(c, sslh_dim0(), &kernel), 5)))
    OP(sslh_crop, x = at_most(g, view(g, x, 4), 0, 10); s = shape_of(x); j = 1 + dice(s.size[1]);
        int wide = 1 + dice(s.size[2]); int32_t places[40];
        for (axis = 0; axis < s.size[0] * 2; axis++)
            places[2 * axis] = dice(s.size[1] - j + 1), places[2 * axis + 1] = dice(s.size[2] - wide + 1);
        g->want = sslh_dim5(s.size[0], 2, j, wide, s.size[3]);
        return sslh_crop(c, x, sslh_from_ints(c, sslh_dim3(s.size[0], 2, 2), places), j, wide))
    OP(sslh_unfold, x = view(g, x, 4); s = shape_of(x); j = 1 + dice(s.size[1]); int wide = 1 + dice(s.size[2]);
        g->want = sslh_dim5(s.size[0], ((s.size[1] - j) / stride + 1) * ((s.size[2] - wide) / 2 + 1), j, wide,
            s.size[3]);
        return sslh_unfold(c, x, j, wide, stride, 2))
#define COLOURS(fn, scale) OP(fn, if (s.ndim > 4) return NULL; g->unchecked = 1; g->want = s;                          \
        g->want.size[g->want.ndim++] = 3; sslh_shape one = s; one.size[one.ndim++] = 1;                                \
        return fn(c, sslh_broadcast(c, sslh_reshape(c, sslh_scale(c, sslh_sigmoid(c, x), scale), one), g->want)))
    COLOURS(sslh_rgb_to_lab, 1) COLOURS(sslh_lab_to_rgb, 60)
    SAME(sslh_to_real, sslh_add(c, x, sslh_to_real(c, sslh_from_bytes(c, sslh_dim0(), pixels + 7), 0.01f)))
    OP(sslh_attention, x = at_most(g, view(g, x, 3), 1, 30); s = shape_of(x); j = 1 + dice(5);
        EMPTY(sslh_attention_desc, e); sslh_tensor *weights = NULL; if (s.size[2] % 2 == 0) e.heads = 2;
        e.causal = dice(2); e.scale = f; if (dice(2)) e.weights = &weights; if (e.causal) j = s.size[1];
        a = leaf(g, sslh_dim3(s.size[0], j, s.size[2])); b = leaf(g, sslh_dim3(s.size[0], j, s.size[2])); g->want = s;
        return sslh_attention(c, x, a, b, e))
    OP(sslh_self_attention, x = at_most(g, view(g, x, 3), 1, 30); s = shape_of(x); EMPTY(sslh_attention_desc, e);
        e.causal = dice(2); if (s.size[2] % 2 == 0) e.heads = 2; g->want = s;
        return sslh_self_attention(c, sslh_linear(c, x, leaf(g, sslh_dim2(3 * s.size[2], s.size[2])), NULL), e))
    OP(sslh_gru, x = at_most(g, view(g, x, 3), 1, 6); s = shape_of(x); j = 1 + dice(4); g->want = s;
        g->want.size[2] = j; sslh_tensor *w_ih = leaf(g, sslh_dim2(3 * j, s.size[2]));
        sslh_tensor *w_hh = leaf(g, sslh_dim2(3 * j, j)); a = leaf(g, sslh_dim1(3 * j)); b = leaf(g, sslh_dim1(3 * j));
        return sslh_gru(c, x, w_ih, w_hh, a, b, keep ? leaf(g, sslh_dim2(s.size[0], j)) : NULL))
#define RECURRENT(fn, gates) OP(fn, x = at_most(g, at_most(g, view(g, x, 3), 1, 6), 0, 20); s = shape_of(x);           \
        j = 1 + dice(4); g->want = s; g->want.size[2] = j;                                                             \
        sslh_tensor *w_ih = leaf(g, sslh_dim2(gates * j, s.size[2]));                                                  \
        sslh_tensor *w_hh = leaf(g, sslh_dim2(gates * j, j)); EMPTY(sslh_recurrent_desc, e); e.reverse = dice(2);      \
        if (dice(2)) e.h0 = leaf(g, sslh_dim2(s.size[0], j));                                                          \
        if (dice(2)) { e.lengths = index_below(g, sslh_dim1(s.size[0]), s.size[1]);                                    \
        for (axis = 0; axis < s.size[0]; axis++) e.lengths->ints[axis]++; }                                            \
        return fn(c, x, w_ih, w_hh, keep ? leaf(g, sslh_dim1(gates * j)) : NULL, NULL, e))
    RECURRENT(sslh_gru_ex, 3) RECURRENT(sslh_lstm, 4)
#define LOSS(fn, ...) OP(fn, g->want = sslh_dim0(); __VA_ARGS__)
    LOSS(sslh_cross_entropy, x = at_most(g, view(g, x, 2), 0, 60);
        return sslh_cross_entropy(c, x, index_below(g, sslh_dim1(x->shape[0]), x->shape[1])))
    LOSS(sslh_cross_entropy_ex, x = at_most(g, view(g, x, 2), 0, 60);
        a = index_below(g, sslh_dim1(x->shape[0]), x->shape[1]); j = (a->ints[0] + 1) % x->shape[1];
        return sslh_cross_entropy_ex(c, x, a, f * 0.9f, x->shape[1] > 1 ? j : -1))
    LOSS(sslh_cross_entropy_soft, x = view(g, x, 2); a = sslh_softmax(c, leaf(g, shape_of(x)), 1);
        return sslh_cross_entropy_soft(c, x, a))
    OP(sslh_linear_cross_entropy, x = at_most(g, view(g, x, 2), 0, 60); s = shape_of(x); j = 1 + dice(5);
        a = index_below(g, sslh_dim1(s.size[0]), j); b = leaf(g, sslh_dim2(j, s.size[1])); g->want = sslh_dim0();
        return sslh_linear_cross_entropy(c, x, b, dice(2) ? leaf(g, sslh_dim1(j)) : NULL, a, -1))
    OP(sslh_cross_entropy_full, x = at_most(g, view(g, x, 2), 0, 60); s = shape_of(x);
        a = index_below(g, sslh_dim1(s.size[0]), s.size[1]); EMPTY(sslh_cross_entropy_desc, e); e.smoothing = f * 0.9f;
        e.weight = dice(2) ? sslh_full(c, sslh_dim1(s.size[1]), 0.5f) : NULL; e.reduction = (sslh_reduction)dice(3);
        g->want = e.reduction == SSLH_REDUCE_NONE ? sslh_dim1(s.size[0]) : sslh_dim0();
        return sslh_cross_entropy_full(c, x, a, -1, e))
    LOSS(sslh_bce_with_logits, a = sslh_sigmoid(c, constant(g, s)); return sslh_bce_with_logits(c, x, a))
    LOSS(sslh_mse, return sslh_mse(c, x, leaf(g, s)))
    LOSS(sslh_l1, return sslh_l1(c, x, leaf(g, s)))
    LOSS(sslh_huber, return sslh_huber(c, x, leaf(g, s), f))
    LOSS(sslh_adversarial_loss, a = dice(2) ? leaf(g, s) : NULL;
        return sslh_adversarial_loss(c, a, x, (sslh_adversary)(1 + dice(4))))
    LOSS(sslh_kl_div, x = view(g, x, 2); a = sslh_softmax(c, constant(g, shape_of(x)), 1);
        return sslh_kl_div(c, sslh_log_softmax(c, x, 1), a))
    LOSS(sslh_nt_xent, x = view(g, x, 2); if (x->shape[0] < 2) return NULL; x = sslh_shift(c, sslh_tanh(c, x), 1.2f);
        return sslh_nt_xent(c, x, leaf(g, shape_of(x)), f))
    LOSS(sslh_info_nce, x = sslh_tanh(c, view(g, x, 2)); if (x->shape[0] < 2) return NULL; a = leaf(g, shape_of(x));
        return sslh_info_nce(c, x, a,
            !keep ? NULL : leaf(g, dice(2) ? sslh_dim2(3, x->shape[1]) : sslh_dim3(x->shape[0], 3, x->shape[1])), f))
    LOSS(sslh_supcon_loss, x = sslh_shift(c, sslh_tanh(c, at_most(g, view(g, x, 2), 0, 60)), 1.2f);
        if (x->shape[0] < 3) return NULL; a = index_below(g, sslh_dim1(x->shape[0]), 2);
        return sslh_supcon_loss(c, x, a, f))
    LOSS(sslh_clip_loss, x = sslh_shift(c, sslh_tanh(c, at_most(g, view(g, x, 2), 0, 60)), 1.2f);
        if (x->shape[0] < 2) return NULL; a = dice(2) ? NULL : index_below(g, sslh_dim1(x->shape[0]), 2);
        return sslh_clip_loss(c, x, sslh_shift(c, sslh_tanh(c, leaf(g, shape_of(x))), 1.2f),
                              sslh_tanh(c, leaf(g, sslh_dim0())), a))
    LOSS(sslh_siglip_loss, x = sslh_shift(c, sslh_tanh(c, at_most(g, view(g, x, 2), 0, 60)), 1.2f);
        if (x->shape[0] < 2) return NULL; a = dice(2) ? NULL : index_below(g, sslh_dim1(x->shape[0]), 2);
        return sslh_siglip_loss(c, x, sslh_shift(c, sslh_tanh(c, leaf(g, shape_of(x))), 1.2f),
                                sslh_tanh(c, leaf(g, sslh_dim0())), leaf(g, sslh_dim0()), a))
    LOSS(sslh_distill_loss, x = view(g, x, 2); return sslh_distill_loss(c, x, constant(g, shape_of(x)), 1 + f))
    LOSS(sslh_rkd_distance, x = at_most(g, view(g, x, 2), 0, 9); if (x->shape[0] < 2) return NULL;
        a = constant(g, shape_of(x)); return sslh_rkd_distance(c, rows_apart(c, x, 2), rows_apart(c, a, 3)))
    LOSS(sslh_rkd_angle, x = at_most(g, view(g, x, 2), 0, 9); if (x->shape[0] < 2) return NULL;
        a = constant(g, shape_of(x)); return sslh_rkd_angle(c, rows_apart(c, x, 2), rows_apart(c, a, 3)))
    LOSS(sslh_seed_loss, x = sslh_shift(c, sslh_tanh(c, view(g, x, 2)), 1.2f); a = constant(g, shape_of(x));
        return sslh_seed_loss(c, x, a, constant(g, sslh_dim2(3, x->shape[1])), 0.5f + f, 0.5f))
    LOSS(sslh_accuracy, x = at_most(g, view(g, x, 2), 0, 60); a = index_below(g, sslh_dim1(x->shape[0]), x->shape[1]);
        g->unchecked = 1; return sslh_mul(c, sslh_mean(c, x, SSLH_ALL, 0), sslh_accuracy(c, x, a, 1)))
    OP(sslh_sinkhorn, x = view(g, x, 2); g->want = shape_of(x); g->unchecked = 1;
        return sslh_mul(c, x, sslh_sinkhorn(c, sslh_tanh(c, x), 2, 0.5f)))
    LOSS(sslh_negative_cosine, x = sslh_shift(c, sslh_tanh(c, view(g, x, 2)), 1.2f);
        return sslh_negative_cosine(c, x, leaf(g, shape_of(x))))
    LOSS(sslh_barlow_loss, x = view(g, x, 2); if (x->shape[0] < 2) return NULL; a = leaf(g, shape_of(x));
        return sslh_barlow_loss(c, rows_apart(c, x, 2), rows_apart(c, a, 2), f))
    LOSS(sslh_vicreg_loss, x = view(g, x, 2); if (x->shape[0] < 2) return NULL; a = leaf(g, shape_of(x));
        return sslh_vicreg_loss(c, rows_apart(c, x, 0.6f), rows_apart(c, a, 0.6f), f, f, 0.5f))
    /* not of >>api-ops, but operations too */
    LOSS(sslh_gaussian_kl, x = sslh_tanh(c, view(g, x, 2)); return sslh_gaussian_kl(c, x, leaf(g, shape_of(x))))
    OP(sslh_patchify, x = sslh_resize_nearest(c, view(g, x, 4), 2, 4); s = shape_of(x);
        g->want = sslh_dim3(s.size[0], 2, 4 * s.size[3]); return sslh_patchify(c, x, 2))
    OP(sslh_unpatchify, x = sslh_resize_nearest(c, view(g, x, 4), 2, 4); s = shape_of(x); g->want = s;
        return sslh_unpatchify(c, sslh_patchify(c, x, 2), 2, 2, 4))
    OP(sslh_detach, g->want = s; g->unchecked = 1; return sslh_add(c, x, sslh_detach(c, x)))
    OP(sslh_custom_op, g->want = s; EMPTY(sslh_op_desc, e); e.name = "cube"; e.forward = cube; e.backward = cube_back;
        a = sslh_tanh(c, x); return sslh_custom_op(c, e, &a, 1, s))
    graph_rows = rows;
    return NULL;
}

static int is_finite(const sslh_tensor *t) {
    for (size_t i = 0; t->data && i < t->count; i++)
        if (!(t->data[i] - t->data[i] == 0)) return 0;
    return 1;
}
static unsigned long long hash_of(const sslh_real *x, size_t n, unsigned long long h) {
    return x ? test_hash(x, n * sizeof *x, h) : h;
}
/* The graph with this number; *hash, unless NULL, is that of every value on the way. Returns the loss. */
static long graph_calls[ROWS];
static sslh_tensor *build(graph *g, long number, unsigned long long *hash) {
    sslh_shape s;
    memset(&s, 0, sizeof s);
    dice_seed(number);
    s.ndim = dice(5);
    for (int i = 0; i < s.ndim; i++) s.size[i] = 1 + dice(5);
    sslh_tensor *x = leaf(g, s);
    for (int n = 1 + dice(STEPS); n > 0; n--) {
        sslh_tensor *y = NULL;
        int row = 0;
        if (x->count > 400) x = sslh_slice(g->c, sslh_reshape(g->c, x, sslh_dim1(-1)), 0, 0, 200);
        while (!y || (y->count == 1 && n > 1 && dice(4))) /* seldom down to one number before the end */
            y = graph_row(g, row = dice(graph_rows), x, NULL);
        if (hash) {
            char got[80], wanted[80];
            size_t a = 0, b = 0;
            for (int i = 0; i < y->ndim; i++) a += (size_t)snprintf(got + a, sizeof got - a, " %d", y->shape[i]);
            for (int i = 0; i < g->want.ndim; i++)
                b += (size_t)snprintf(wanted + b, sizeof wanted - b, " %d", g->want.size[i]);
            got[a] = wanted[b] = 0;
            CHECK(same_shape(shape_of(y), g->want), "%s gives%s instead of%s", running_call, got, wanted);
            CHECK(is_finite(y), "%s gives NaN or Inf", running_call);
            *hash = hash_of(y->data, y->count, *hash);
            graph_calls[row]++;
        }
        if (sslh_error(g->c)) break;
        x = y;
        switch (dice(5)) { /* the numbers stay small */
        case 0: case 1: x = sslh_scale(g->c, x, 0.3f); break;
        case 2: x = sslh_tanh(g->c, x);
        }
    }
    running_call = "the end";
    x = sslh_mul(g->c, x, leaf(g, shape_of(x)));
    return dice(2) ? sslh_mean(g->c, x, SSLH_ALL, 0) : sslh_sum(g->c, x, SSLH_ALL, 0);
}
static sslh_ctx *graph_context(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.seed = 3, d.threads = threads;
    return sslh_create(d);
}
/* Forwards, and with backward: 1 backwards. Returns the hash of all values and gradients. */
static unsigned long long run_graph(long number, int threads, int backward, unsigned long long *values) {
    graph g;
    unsigned long long hash = 0;
    memset(&g, 0, sizeof g);
    g.c = graph_context(threads), g.salt = 1;
    if (!backward) sslh_no_grad(g.c, 1);
    sslh_tensor *loss = build(&g, number, &hash);
    hash = hash_of(loss->data, 1, hash);
    *values = hash;
    if (backward) {
        sslh_backward(g.c, loss);
        for (int i = 0; i < g.leaves && !sslh_error(g.c); i++) {
            sslh_tensor *t = g.leaf[i];
            if (t->grad) hash = hash_of(t->grad, t->count, hash);
            for (size_t j = 0; t->grad && j < t->count; j++)
                if (!(t->grad[j] - t->grad[j] == 0)) {
                    CHECK(0, "the gradient of input %d is NaN or Inf", i);
                    break;
                }
        }
        CHECK(sslh_error(g.c) || g.leaf[0]->grad, "the first input has no gradient");
    }
    CHECK(!sslh_error(g.c), "%s: %s", running_call, sslh_error(g.c) ? sslh_error(g.c) : "");
    sslh_destroy(g.c);
    return hash;
}
#ifdef SSLH_REAL
static sslh_tensor *given_graph(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    graph g = *(const graph *)user;
    g.c = c, g.given = n, g.leaves = 0;
    memcpy(g.leaf, in, (size_t)n * sizeof *in);
    return build(&g, running, NULL);
}
/* The gradient by differences; 1 when they agree, or when there is nothing to compare. */
static int differences(long number, uint64_t salt, char report[200]) {
    graph g;
    sslh_gradcheck_desc d;
    int ok = 1;
    memset(&g, 0, sizeof g);
    memset(&d, 0, sizeof d);
    g.c = graph_context(1), g.salt = salt;
    build(&g, number, NULL);
    d.max_checks = 8, d.tolerance = 1e-4f, d.report = report, d.report_size = 200;
    if (!g.unchecked) {
        sslh_gradcheck(g.c, given_graph, g.leaf, g.leaves, &g, d);
        ok = !sslh_error(g.c);
    }
    sslh_destroy(g.c);
    return ok;
}
#endif
static void graph_sequence(long number) {
    unsigned long long values, again, plain, hash = run_graph(number, 1, 1, &values);
    CHECK(run_graph(number, 1, 1, &again) == hash, "another result in the second run");
    CHECK(run_graph(number, 3, 1, &again) == hash, "another result with three threads");
    run_graph(number, 1, 0, &plain);
    CHECK(plain == values, "another result without a tape");
#ifdef SSLH_REAL
    char report[200] = "", second[200] = "";
    /* relu and its like have kinks, which some values happen to lie on: a wrong gradient is wrong for others too */
    CHECK(differences(number, 1, report) || differences(number, 2, second), "gradients differ: %s; %s", report, second);
#endif
}
static const char *graph_name[ROWS];
static void graphs(void) {
    const char *show = getenv("SSLH_CALLS_SHOW");
    constants();
    graph_row(NULL, -1, NULL, graph_name);
    sequences("graphs", 150, 600, 50000, graph_sequence);
    for (int i = 0; i < graph_rows && show; i++) printf("   %-28s %6ld calls\n", graph_name[i], graph_calls[i]);
}

/* --- trainings: valid settings ------------------------------------------------------------------------------------ */

enum { SIDE = 8, SAMPLES = 12 };
/* The encoder and the method with this number, of the same draws each time. */
static sslh_method draw_method(sslh_ctx *c, int *channels) {
    sslh_mlp_desc md;
    sslh_convnet_desc cd;
    sslh_resnet_desc rd;
    sslh_nin_desc nd;
    sslh_vit_desc vd;
    sslh_net *net = NULL;
    int which = dice(4), kind = which == 3 ? 4 : dice(5);
    memset(&md, 0, sizeof md);
    memset(&cd, 0, sizeof cd);
    memset(&rd, 0, sizeof rd);
    memset(&nd, 0, sizeof nd);
    memset(&vd, 0, sizeof vd);
    *channels = dice(2) ? 3 : 1;
    if (which == 1) { /* makes its own encoder */
        sslh_vae_desc d;
        memset(&d, 0, sizeof d);
        d.height = SIDE, d.width = SIDE, d.channels = *channels, d.hidden = 1 + dice(8), d.latent = 1 + dice(4);
        d.gaussian = dice(2), d.activation_tanh = dice(2), d.beta = dice(2) ? 0 : dice(2) ? SSLH_OFF : 0.5f;
        d.learn_sigma = dice(2), d.binarize = dice(2), d.codes = dice(2) ? 0 : 1 + dice(3);
        d.convolutions = dice(2), d.maps = 1 + dice(4);
        return sslh_vae(c, d);
    }
    switch (kind) {
    case 0:
        md.in = SIDE * SIDE * *channels, md.widths[0] = 1 + dice(8), md.widths[1] = dice(2) ? 2 + dice(6) : 0;
        md.activation = (sslh_activation)dice(7), md.batch_norm = dice(2), md.last_batch_norm = dice(4);
        md.last_activation = dice(2);
        net = sslh_mlp(c, md);
        break;
    case 1:
        cd.channels = *channels, cd.widths[0] = 1 + dice(6), cd.widths[1] = 2 + dice(6), cd.map_output = dice(2);
        net = sslh_convnet(c, cd);
        break;
    case 2:
        rd.channels = *channels, rd.width = 1 + dice(3), rd.map_output = dice(2), rd.imagenet_stem = !dice(4);
        net = sslh_resnet(c, rd);
        break;
    case 3:
        nd.channels = *channels, nd.divide = 48, nd.blocks = 3 + dice(3), nd.map_output = dice(2);
        net = sslh_nin(c, nd);
        break;
    default:
        vd.channels = *channels, vd.image = SIDE, vd.patch = dice(2) ? 2 : 4, vd.heads = 1 + dice(2),
        vd.depth = 1 + dice(2);
        vd.width = 4 * vd.heads, vd.mlp = 3 + dice(6), vd.fixed_positions = dice(2);
        vd.token_output = dice(2), vd.mean_pool = dice(2);
        net = sslh_vit(c, vd);
    }
    if (which == 0) {
        sslh_rotation_desc d;
        memset(&d, 0, sizeof d);
        d.rotations = dice(2) ? 2 : 4, d.one_per_image = dice(2);
        return sslh_rotation(c, net, d);
    }
    if (which == 2) {
        sslh_simclr_desc d;
        memset(&d, 0, sizeof d);
        d.temperature = dice(2) ? 0 : 0.2f, d.head_layers = 1 + dice(3), d.head_hidden = 1 + dice(6),
        d.head_out = 2 + dice(4);
        d.no_head_norm = dice(2), d.decoupled = dice(2);
        return sslh_simclr(c, net, d);
    }
    sslh_mae_desc d;
    memset(&d, 0, sizeof d);
    d.mask = 0.5f, d.decoder_heads = 1 + dice(2), d.decoder_width = 4 * d.decoder_heads, d.decoder_depth = 1 + dice(2);
    d.raw_pixels = dice(2);
    return sslh_mae(c, net, d);
}
typedef struct training { uint64_t hash; float loss; int64_t steps; } training;
static int64_t stop_at; /* 0: never */
static int count_steps(const sslh_train_info *info, void *user) {
    ((training *)user)->steps = info->step;
    return stop_at && info->step == stop_at && !info->epoch_end;
}
/* Trains; with a path it resumes from what is there and leaves a checkpoint after every step.
   examined: looks at the result. */
static training run_training(long number, int threads, const char *path, int examined) {
    training r;
    sslh_train_desc d;
    sslh_ctx *c = graph_context(threads);
    int channels;
    memset(&r, 0, sizeof r);
    memset(&d, 0, sizeof d);
    dice_seed(number);
    sslh_method m = draw_method(c, &channels);
    sslh_data data = sslh_data_from_images(c, pixels, SAMPLES - dice(4), SIDE, SIDE, channels, NULL);
    d.epochs = 1 + dice(2), d.batch = 3 + dice(3), d.lr = 0.01f, d.warmup = dice(2) ? 0 : dice(2) ? SSLH_OFF : 0.5f;
    d.schedule = (sslh_schedule)dice(5), d.milestones[0] = 0.5f, d.optimizer.kind = (sslh_optim_kind)dice(5);
    d.optimizer.weight_decay = dice(2) ? 0 : 0.01f, d.optimizer.clip = dice(2) ? 0 : 1.0f;
    d.accumulate = path ? 1 : dice(3) == 0 ? 2 : 1;
    d.quiet = 1, d.callback = count_steps, d.user = &r;
    if (path) d.checkpoint = path, d.checkpoint_steps = 1, d.resume = 1;
    running_call = m.name ? m.name : "none";
    r.loss = sslh_train(c, m, data, d);
    CHECK(!sslh_error(c), "%s: %s", running_call, sslh_error(c) ? sslh_error(c) : "");
    r.hash = sslh_error(c) ? 0 : sslh_hash(m.net);
    if (examined && !sslh_error(c)) {
        sslh_feature_desc fd;
        sslh_net *encoder = m.encoder;
        float *all, *one;
        memset(&fd, 0, sizeof fd);
        int width = sslh_net_query(encoder).width, n = 3;
        sslh_tensor *f = sslh_features(c, encoder, data, fd);
        CHECK(f->ndim == 2 && f->shape[0] == data.count && is_finite(f), "features");
        CHECK(sslh_hash(sslh_clone(encoder)) == sslh_hash(encoder), "a clone differs");
        all = (float *)malloc((size_t)(n * width) * sizeof *all);
        one = (float *)malloc((size_t)width * sizeof *one);
        sslh_embed(encoder, pixels, n, SIDE, SIDE, channels, all);
        sslh_embed(encoder, pixels + SIDE * SIDE * channels, 1, SIDE, SIDE, channels, one);
        CHECK(!memcmp(all + width, one, (size_t)width * sizeof *one), "an image has other features in a batch");
        free(all);
        free(one);
        CHECK(!sslh_error(c), "%s: %s", running_call, sslh_error(c) ? sslh_error(c) : "");
    }
    sslh_destroy(c);
    return r;
}
static void training_sequence(long number) {
    const char *path = own_file("resumed");
    training whole = run_training(number, 1, NULL, 1), two = run_training(number, 2, NULL, 0);
    CHECK(whole.loss - whole.loss == 0 && whole.steps > 0,
          "loss %g after %d steps", (double)whole.loss, (int)whole.steps);
    CHECK(whole.hash == two.hash, "another result with two threads");
    remove(path);
    whole = run_training(number, 1, path, 0);
    remove(path);
    stop_at = 1 + number % whole.steps;
    run_training(number, 2, path, 0);
    stop_at = 0;
    training resumed = run_training(number, 1, path, 0);
    CHECK(resumed.hash == whole.hash,
          "another result when stopped after step %d of %d", (int)(1 + number % whole.steps), (int)whole.steps);
    remove(path);
}
static TEST_UNUSED void trainings(void) {
    constants();
    sequences("trainings", 10, 60, 4000, training_sequence);
}

/* --- the tables are complete -------------------------------------------------------------------------------------- */

/* The names of the functions that ssl.h declares between two lines that contain begin and end. */
static int declared(const char *begin, const char *end, char (*name)[64], int most) {
    FILE *f = fopen("ssl.h", "rb");
    char line[400];
    int n = 0, on = 0, waits = 0; /* waits: SSLH_API was read, its function's name not yet */
    if (!f) f = fopen("../ssl.h", "rb");
    while (f && fgets(line, sizeof line, f)) {
        if (on && strstr(line, end)) break;
        if (strstr(line, begin)) on = 1;
        if (!on) continue;
        if (!strncmp(line, "SSLH_API ", 9)) waits = 1;
        for (char *at = line; waits && (at = strstr(at, "sslh_")) != NULL;) {
            size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
            if (at[length] == '(' && length < 64 && n < most) {
                memcpy(name[n], at, length);
                name[n++][length] = 0;
                waits = 0;
            }
            at += length;
        }
    }
    if (f) fclose(f);
    return n;
}
static void compare(const char *what, const char *const *row, int rows, char (*name)[64], int names, int both) {
    for (int i = 0; i < names; i++) {
        int there = 0;
        for (int k = 0; k < rows; k++) there += !strcmp(row[k], name[i]);
        CHECK(there == 1, "%s has %d rows in the table of %s", name[i], there, what);
    }
    for (int k = 0; k < rows && both; k++) {
        int there = 0;
        for (int i = 0; i < names; i++) there += !strcmp(row[k], name[i]);
        CHECK(there, "%s stands in the table of %s, but is not declared", row[k], what);
    }
}
static void tables_are_complete(void) {
    static char name[ROWS][64];
    int n = declared("/*  >>api-context", "#endif /* SSLH_INCLUDE_SSL_H", name, ROWS);
    row_count = call_row(NULL, -1, row_name);
    CHECK(n > 200 && n < ROWS, "%d declarations found", n);
    compare("hostile calls", row_name, row_count, name, n, 1);
    n = declared("/*  >>api-ops", "/*  >>api-nets", name, ROWS);
    graph_row(NULL, -1, NULL, graph_name);
    CHECK(n > 70, "only %d operations found", n);
    compare("graphs", graph_name, graph_rows, name, n, 0);
}

TESTS_BEGIN
    program = argv[0];
    TEST(tables_are_complete)
#ifndef SSLH_REAL
    TEST(hostile_calls)
#endif
    TEST(graphs)
#ifndef SSLH_REAL
    TEST(trainings)
#endif
TESTS_END
