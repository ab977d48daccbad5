/* Two whole training steps of each method (views given, loss, backward, update) against PyTorch (tests/golden/make_methods.py),
   and the properties that a method keeps. `methods --list` prints parameters and draws for the recorder. */
#include "../ssl.h"
#include "harness.h"
#include "golden/methods.h"

static uint32_t seed_of(const char *kind, const char *name) {
    uint32_t h = 2166136261u;
    const char *s;
    for (s = kind; *s; s++) h = (h ^ (uint32_t)(unsigned char)*s) * 16777619u;
    for (s = name; *s; s++) h = (h ^ (uint32_t)(unsigned char)*s) * 16777619u;
    return h * 16777619u;
}
static uint32_t draw20(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 12;
}
static float draw(uint32_t *state) { return (float)((int)(2 * draw20(state) + 1) - 1048576) / 1048576.0f; }

static int ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}
/* Gives every parameter (and fixed positions) values that the recorder repeats from name and shape. */
static void set_values(sslh_net *net) {
    static float v[1 << 16];
    int i, n = sslh_count_tensors(net);
    for (i = 0; i < n; i++) {
        char name[256];
        int is_param = 0;
        sslh_tensor *t = sslh_tensor_at(net, i, name, sizeof name, &is_param);
        uint32_t s = seed_of("param ", name);
        size_t q;
        int fan, root = 1;
        if (!is_param && !ends_with(name, "pos_embed")) continue;
        fan = t->ndim < 2 || t->shape[0] == 1 ? 16 : (int)(t->count / (size_t)t->shape[0]);
        while (root * root < fan) root++;
        for (q = 0; q < t->count; q++) {
            float x = draw(&s);
            v[q] = t->ndim == 1 && ends_with(name, "weight") ? 1 + x * 0.25f : x / (float)root;
        }
        sslh_write(t, v, t->count);
    }
}

/* --- the cases ---------------------------------------------------------------------------------------------------- */

typedef struct method_case { const char *name; float lr; } method_case;
static const method_case cases[] = {{"simclr", 0.05f}, {"simclr_plain", 0.05f}, {"rotation", 0.05f}, {"vae", 0.01f}, {"vae_gaussian", 0.01f}, {"mae", 0.01f}, {"mae_pixels", 0.01f}};
#define CASES ((int)(sizeof cases / sizeof cases[0]))
static const method_case *current;

static sslh_tensor *image_input(sslh_ctx *c, const char *what, int n, int h, int w, int ch) {
    static float v[1 << 14];
    char name[64];
    uint32_t s;
    size_t q, count = (size_t)(n * h * w * ch);
    snprintf(name, sizeof name, "%s %s", current->name, what);
    s = seed_of("input ", name);
    for (q = 0; q < count; q++) v[q] = (draw(&s) + 1) * 0.5f;
    return sslh_from(c, sslh_dim4(n, h, w, ch), v);
}
/* In place of a method's .views: tensors that PyTorch sees too. */
static void given_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_ctx *c = m->ctx;
    (void)batch;
    if (strncmp(current->name, "simclr", 6) == 0) sslh_view_add(out, "views", image_input(c, "views", 8, 8, 8, 3));
    else if (strcmp(current->name, "rotation") == 0) {
        int32_t label[8];
        uint32_t s = seed_of("labels ", current->name);
        int i;
        for (i = 0; i < 8; i++) label[i] = (int32_t)(draw20(&s) % 4);
        sslh_view_add(out, "images", image_input(c, "images", 8, 8, 8, 3));
        sslh_view_add(out, "labels", sslh_from_ints(c, sslh_dim1(8), label));
    } else if (strncmp(current->name, "vae", 3) == 0) sslh_view_add(out, "images", image_input(c, "images", 6, 5, 4, 1));
    else { /* mae: 3 images of 16 patches, 4 visible; the order of patches is (5 p + 3 n) mod 16 */
        int32_t keep[12], restore[48];
        float hidden[48];
        int n, p;
        for (n = 0; n < 3; n++)
            for (p = 0; p < 16; p++) {
                int at = (5 * p + 3 * n) % 16;
                if (p < 4) keep[n * 4 + p] = at;
                restore[n * 16 + at] = p;
                hidden[n * 16 + at] = p >= 4;
            }
        sslh_view_add(out, "images", image_input(c, "images", 3, 8, 8, 3));
        sslh_view_add(out, "keep", sslh_from_ints(c, sslh_dim2(3, 4), keep));
        sslh_view_add(out, "restore", sslh_from_ints(c, sslh_dim2(3, 16), restore));
        sslh_view_add(out, "hidden", sslh_from(c, sslh_dim2(3, 16), hidden));
    }
}

static sslh_net *convnet(sslh_ctx *c, int a, int b) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = 3, d.widths[0] = a, d.widths[1] = b;
    return sslh_convnet(c, d);
}
static sslh_net *vit(sslh_ctx *c, int mean_pool) {
    sslh_vit_desc d;
    memset(&d, 0, sizeof d);
    d.image = 8, d.channels = 3, d.patch = 2, d.width = 12, d.depth = 2, d.heads = 3, d.mean_pool = mean_pool;
    return sslh_vit(c, d);
}
static sslh_method make_method(sslh_ctx *c, const char *name) {
    sslh_method none;
#if SSLH_WITH_SIMCLR
    if (strncmp(name, "simclr", 6) == 0) {
        sslh_simclr_desc d;
        memset(&d, 0, sizeof d);
        d.head_hidden = 12, d.head_out = 7;
        if (strcmp(name, "simclr_plain") == 0) d.no_head_norm = 1, d.head_layers = 2, d.temperature = 0.2f, d.decoupled = 1;
        return sslh_simclr(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_ROTATION
    if (strcmp(name, "rotation") == 0) {
        sslh_rotation_desc d;
        memset(&d, 0, sizeof d);
        return sslh_rotation(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_VAE
    if (strncmp(name, "vae", 3) == 0) {
        sslh_vae_desc d;
        memset(&d, 0, sizeof d);
        d.height = 5, d.width = 4, d.channels = 1, d.hidden = 9, d.latent = 3;
        if (strcmp(name, "vae_gaussian") == 0) d.gaussian = 1, d.activation_tanh = 1, d.beta = 2;
        return sslh_vae(c, d);
    }
#endif
#if SSLH_WITH_MAE
    if (strncmp(name, "mae", 3) == 0) {
        sslh_mae_desc d;
        memset(&d, 0, sizeof d);
        d.decoder_width = 8, d.decoder_depth = 1, d.decoder_heads = 2, d.raw_pixels = strcmp(name, "mae_pixels") == 0;
        return sslh_mae(c, vit(c, 0), d);
    }
#endif
    memset(&none, 0, sizeof none);
    return none;
}
static sslh_ctx *create(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    d.seed = 11;
    return sslh_create(d);
}
static sslh_data data_for(sslh_ctx *c, const char *name) {
    static uint8_t pixels[40 * 8 * 8 * 3];
    static int32_t labels[40];
    int i, vae = strncmp(name, "vae", 3) == 0;
    for (i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)(sslh_random_below(4, 4, (uint64_t)i, 120) + (uint32_t)(i / 192 % 5) * 25);
    for (i = 0; i < 40; i++) labels[i] = i % 5;
    return vae ? sslh_data_from_images(c, pixels, 40, 5, 4, 1, labels) : sslh_data_from_images(c, pixels, 40, 8, 8, 3, labels);
}
static sslh_loader *loader_for(sslh_ctx *c, sslh_data data, int batch) {
    sslh_loader_desc d;
    memset(&d, 0, sizeof d);
    d.batch = batch;
    d.epochs = SSLH_OFF;
    return sslh_loader_new(c, data, d);
}

/* Two steps of a case. loss and second of each step; draws: the random stream used by each step. before: values of all tensors. */
typedef struct method_run { sslh_ctx *c; sslh_method m; float loss[2], second[2]; int64_t stream[2]; float *before[128]; } method_run;
static int run_case(method_run *r, const method_case *k, int threads, int fixed) {
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_loader *l;
    sslh_batch b;
    int s, i, n;
    current = k;
    memset(r, 0, sizeof *r);
    r->c = create(threads);
    r->m = make_method(r->c, k->name);
    if (!CHECK(!sslh_error(r->c), "%s: %s", k->name, sslh_error(r->c))) return 0;
    if (fixed) r->m.views = given_views;
    set_values(r->m.net);
    n = sslh_count_tensors(r->m.net);
    for (i = 0; i < n && i < 128; i++) {
        sslh_tensor *t = sslh_tensor_at(r->m.net, i, NULL, 0, NULL);
        r->before[i] = (float *)malloc(t->count * sizeof(float));
        sslh_read(t, r->before[i], t->count);
    }
    od = r->m.defaults.optimizer;
    if (od.kind == SSLH_ADAM || od.kind == SSLH_ADAMW) od.eps = 1e-3f; /* gradients that are zero but for rounding stay small */
    o = sslh_optimizer_new(r->c, od);
    sslh_optimizer_add(o, r->m.net);
    l = loader_for(r->c, data_for(r->c, k->name), 8);
    for (s = 0; s < 2; s++) {
        CHECK(sslh_next_batch(l, &b), "a batch");
        r->stream[s] = (int64_t)sslh_next_stream(r->c);
        r->loss[s] = sslh_method_step(&r->m, o, &b, k->lr);
        r->second[s] = r->m.second;
    }
    return CHECK(!sslh_error(r->c), "%s: %s", k->name, sslh_error(r->c));
}
static void run_free(method_run *r) {
    int i;
    for (i = 0; i < 128; i++) free(r->before[i]);
    sslh_destroy(r->c);
}

static void torch_steps(void) {
    int k, i, j, recorded = (int)(sizeof golden_methods / sizeof golden_methods[0]);
    double worst = 0;
    char where[400] = "";
    for (k = 0; k < CASES; k++) {
        method_run r;
        int n;
        if (run_case(&r, &cases[k], 1 + k % 3, 1)) {
            n = sslh_count_tensors(r.m.net);
            for (i = -2; i < n; i++) {
                char name[256];
                sslh_tensor *t;
                const golden_method *g = NULL;
                double sum = 0, size = 0, error;
                if (i < 0) snprintf(name, sizeof name, "loss%d", i + 3);
                else t = sslh_tensor_at(r.m.net, i, name, sizeof name, NULL);
                for (j = 0; j < recorded; j++)
                    if (strcmp(golden_methods[j].method, cases[k].name) == 0 && strcmp(golden_methods[j].name, name) == 0) g = &golden_methods[j];
                if (!CHECK(g != NULL, "%s: %s is not recorded (tests/golden/make_methods.py)", cases[k].name, name)) continue;
                if (i < 0) {
                    CHECK(fabs((double)r.loss[i + 2] - g->sum) < 2e-5 * (1 + fabs(g->sum)), "%s: %s is %.9g, PyTorch %.9g", cases[k].name, name, (double)r.loss[i + 2], g->sum);
                    continue;
                }
                t = sslh_tensor_at(r.m.net, i, NULL, 0, NULL);
                {
                    uint32_t s = seed_of("weight ", name);
                    float *v = (float *)malloc(t->count * sizeof *v);
                    size_t q;
                    sslh_read(t, v, t->count);
                    for (q = 0; q < t->count; q++) {
                        double w = (double)draw(&s), d = (double)v[q] - (double)r.before[i][q];
                        sum += w * d, size += fabs(w * d);
                    }
                    free(v);
                }
                /* the change in two steps; the floor is float rounding of the parameters themselves */
                error = fabs(sum - g->sum) / (g->size + 1e-4);
                CHECK(error < 2e-3, "%s: %s moved by %.9g, PyTorch %.9g (of %.3g)", cases[k].name, name, sum, g->sum, g->size);
                if (error > worst) worst = error, snprintf(where, sizeof where, "%s %s", cases[k].name, name);
            }
        }
        run_free(&r);
    }
    printf("   largest relative distance from PyTorch after two steps: %.2e (%s)\n", worst, where);
}

/* With views of its own: the same bits for every number of threads, the loss and the second number sensible. */
static void threads(void) {
    int k, n;
    for (k = 0; k < CASES; k++) {
        uint64_t first = 0;
        for (n = 1; n <= 7; n += n < 3 ? 1 : 4) {
            method_run r;
            if (run_case(&r, &cases[k], n, 0)) {
                uint64_t h = sslh_hash(r.m.net);
                if (n == 1) first = h;
                CHECK(h == first, "%s: %d threads change the bits", cases[k].name, n);
                CHECK(r.loss[0] > 0 && r.loss[0] < 1000, "%s: loss %g", cases[k].name, (double)r.loss[0]);
            }
            run_free(&r);
        }
    }
}

/* The name and the second number are there; the printed settings name the method. */
static void printed(void) {
    int k;
    for (k = 0; k < CASES; k++) {
        sslh_ctx *c = create(1);
        sslh_method m = make_method(c, cases[k].name);
        char text[400];
        size_t n = sslh_method_print(&m, text, sizeof text);
        CHECK_OK(c);
        CHECK(n > 20 && strncmp(text, m.name, strlen(m.name)) == 0, "%s", text);
        CHECK(m.second_name && m.second_name[0], "second number");
        CHECK(sslh_method_print(&m, text, 5) == n && strlen(text) == 4, "cut");
        sslh_destroy(c);
    }
}

#if SSLH_WITH_SIMCLR && SSLH_WITH_ROTATION && SSLH_WITH_VAE && SSLH_WITH_MAE
#define WRONG(text, call)                                                                                                \
    do {                                                                                                                 \
        (void)(call);                                                                                                    \
        CHECK_ERROR(c, text);                                                                                            \
    } while (0)
static void wrong_use(void) {
    sslh_ctx *c = create(1), *other = create(1);
    sslh_simclr_desc sd;
    sslh_rotation_desc rd;
    sslh_vae_desc vd;
    sslh_mae_desc md;
    sslh_train_desc td;
    sslh_method m;
    memset(&sd, 0, sizeof sd), memset(&rd, 0, sizeof rd), memset(&vd, 0, sizeof vd), memset(&md, 0, sizeof md), memset(&td, 0, sizeof td);
    WRONG("sslh_simclr", sslh_simclr(c, NULL, sd));
    WRONG("sslh_simclr", sslh_simclr(c, convnet(other, 4, 4), sd));
    sd.temperature = -2;
    WRONG("temperature", sslh_simclr(c, convnet(c, 4, 4), sd));
    sd.temperature = 0;
    rd.rotations = 3;
    WRONG("sslh_rotation", sslh_rotation(c, convnet(c, 4, 4), rd));
    rd.rotations = 0;
    WRONG("sslh_vae", sslh_vae(c, vd));
    WRONG("sslh_mae", sslh_mae(c, convnet(c, 4, 4), md));
    md.mask = 0.99f;
    WRONG("sslh_mae", sslh_mae(c, vit(c, 0), md));
    md.mask = 0, md.decoder_width = 10, md.decoder_heads = 3;
    WRONG("sslh_mae", sslh_mae(c, vit(c, 0), md));
    /* a batch of one for contrastive learning */
    m = sslh_simclr(c, convnet(c, 4, 4), sd);
    td.quiet = 1, td.epochs = 1, td.batch = 1;
    WRONG("batch", sslh_train(c, m, data_for(c, "simclr"), td));
    /* images that are not square cannot be turned */
    td.batch = 8;
    m = sslh_rotation(c, convnet(c, 4, 4), rd);
    WRONG("square", sslh_train(c, m, data_for(c, "vae"), td));
    sslh_destroy(c);
    sslh_destroy(other);
}
#endif

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        int k, i, d;
        for (k = 0; k < CASES; k++) {
            method_run r;
            run_case(&r, &cases[k], 1, 1);
            printf("case|%s|%.9g|%.0f|%.0f\n", cases[k].name, (double)cases[k].lr, (double)r.stream[0], (double)r.stream[1]);
            for (i = 0; i < sslh_count_tensors(r.m.net); i++) {
                char name[256];
                int is_param;
                sslh_tensor *t = sslh_tensor_at(r.m.net, i, name, sizeof name, &is_param);
                printf("tensor|%s|%d|", name, is_param);
                for (d = 0; d < t->ndim; d++) printf("%s%d", d ? "," : "", t->shape[d]);
                printf("\n");
            }
            run_free(&r);
        }
        return 0;
    }
    TEST(torch_steps)
    TEST(threads)
    TEST(printed)
#if SSLH_WITH_SIMCLR && SSLH_WITH_ROTATION && SSLH_WITH_VAE && SSLH_WITH_MAE
    TEST(wrong_use)
#endif
    return test_end();
}
