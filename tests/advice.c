/* Advice (.warn of sslh_desc) and messages that say what to do: each comes where it should, once, and nowhere else. */
#include "../ssl.h"
#include "harness.h"

#define SIDE 8
static uint8_t pixels[64 * SIDE * SIDE * 3];

/* What .warn has been told. */
typedef struct heard { int n; char first[512]; } heard;
static void hear(void *user, const char *text) {
    heard *h = (heard *)user;
    if (h->n++ == 0) snprintf(h->first, sizeof h->first, "%s", text);
}
static sslh_ctx *create(heard *h) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    memset(h, 0, sizeof *h);
    d.seed = 1;
    d.threads = 1;
    d.warn = hear;
    d.user = h;
    return sslh_create(d);
}
static sslh_data make_data(sslh_ctx *c) {
    int i;
    for (i = 0; i < (int)sizeof pixels; i++)
        pixels[i] = (uint8_t)(sslh_random_below(4, 4, (uint64_t)i, 120) + (uint32_t)(i / (SIDE * SIDE * 3) % 4) * 30);
    return sslh_data_from_images(c, pixels, 64, SIDE, SIDE, 3, NULL);
}
static sslh_net *convnet(sslh_ctx *c) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = 3, d.widths[0] = 6, d.widths[1] = 9;
    return sslh_convnet(c, d);
}
static sslh_net *mlp(sslh_ctx *c, int in, int out) {
    sslh_mlp_desc d;
    memset(&d, 0, sizeof d);
    d.in = in;
    d.widths[0] = out;
    return sslh_mlp(c, d);
}

/* Exactly n pieces of advice, the first with these words. */
#define CHECK_HEARD(h, count, words)                                                                                   \
    CHECK((h).n == (count) && ((count) == 0 || strstr((h).first, words)),                                              \
          "%d pieces of advice, %d expected with \"%s\": %s", (h).n, (int)(count), words, (h).n ? (h).first : "none")

/* --- parameters that nothing moves -------------------------------------------------------------------------------- */

typedef struct mine { sslh_net *head; } mine;
static void my_views(sslh_method *m, const sslh_batch *b, sslh_view_set *out) {
    sslh_view_add(out, "seen", sslh_batch_images(m->ctx, *b));
}
static sslh_tensor *my_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    const mine *s = (const mine *)m->self;
    sslh_tensor *y = sslh_forward(m->encoder, sslh_view_get(v, "seen"));
    (void)phase;
    if (s->head) y = sslh_forward(s->head, y);
    return sslh_mean(m->ctx, sslh_square(m->ctx, y), SSLH_ALL, 0);
}
static sslh_tensor *wrong_view(sslh_method *m, const sslh_view_set *v, int phase) {
    (void)phase;
    return sslh_mean(m->ctx, sslh_forward(m->encoder, sslh_view_get(v, "sen")), SSLH_ALL, 0);
}
static sslh_train_desc few(int epochs) {
    sslh_train_desc d;
    memset(&d, 0, sizeof d);
    d.epochs = epochs, d.batch = 32, d.quiet = 1, d.lr = 1e-3f, d.optimizer.kind = SSLH_SGD;
    return d;
}
/* How a head hangs: 0 none, 1 by sslh_child, 2 not at all, 3 by sslh_child and the loss does without it,
   4 frozen and not at all. */
static void heads(void) {
    int how;
    for (how = 0; how < 5; how++) {
        heard h;
        sslh_ctx *c = create(&h);
        sslh_net *encoder = convnet(c), *head = how ? mlp(c, sslh_net_query(encoder).width, 4) : NULL;
        mine self;
        sslh_method m;
        self.head = how == 3 ? NULL : head;
        m = sslh_method_new(c, "mine", encoder, &self, sizeof self);
        m.views = my_views;
        m.loss = my_loss;
        if (how == 1 || how == 3) sslh_child(m.net, "head", head);
        if (how == 4) sslh_freeze(head, 1);
        sslh_train(c, m, make_data(c), few(2));
        CHECK_OK(c);
        if (how == 2) CHECK_HEARD(h, 1, "'fc1.weight' (4,9), which the optimiser does not update");
        else if (how == 3)
            CHECK_HEARD(h, 1, "no gradient has reached 2 parameters when the first step ended, "
                              "the first of them 'fc1.weight'");
        else CHECK_HEARD(h, 0, "");
        sslh_destroy(c);
    }
}

/* No method leaves a parameter aside, whatever the encoder; the last blocks are left out only behind a tap. */
static void no_method_does(void) {
    const sslh_method_info *info;
    for (info = sslh_methods(NULL); info->name; info++) {
        heard h;
        sslh_ctx *c = create(&h);
        sslh_net *encoder = NULL;
        sslh_method m;
        sslh_train_desc d = few(1);
        if (!strcmp(info->input, "sound") || !strcmp(info->input, "text") ||
            !strcmp(info->input, "histories") || !strcmp(info->input, "captioned images") || !info->make) {
            sslh_destroy(c);
            continue;
        }
        if (!strcmp(info->encoder, "vit")) {
            sslh_vit_desc v;
            memset(&v, 0, sizeof v);
            v.image = SIDE, v.patch = 2, v.width = 8, v.depth = 1, v.heads = 2;
            encoder = sslh_vit(c, v);
        } else if (strcmp(info->encoder, "own")) {
            encoder = convnet(c);
        }
        /* a queue that is longer than the data is warned of */
        m = sslh_method_make(c, info->name, encoder, make_data(c),
                             !strcmp(info->name, "moco") || !strcmp(info->name, "nnclr") ? "queue=64" : NULL);
        d.max_steps = 1;
        sslh_train(c, m, make_data(c), d);
        /* one that wants larger images is no test */
        if (!sslh_error(c)) CHECK(h.n == 0, "%s: %s", info->name, h.first);
        sslh_destroy(c);
    }
}

/* --- a loss that stands still ------------------------------------------------------------------------------------- */

static void no_better(void) {
    static const float rate[2] = {1000.0f, 0.05f};
    int i;
    for (i = 0; i < 2; i++) {
        heard h;
        sslh_ctx *c = create(&h);
        sslh_rotation_desc r;
        sslh_simclr_desc s;
        sslh_train_desc d = few(12); /* 24 steps */
        float loss;
        memset(&r, 0, sizeof r);
        memset(&s, 0, sizeof s);
        d.lr = rate[i];
        s.temperature = 0.5f; /* begins near ln 63 */
        loss = sslh_train(c, sslh_simclr(c, convnet(c), s), make_data(c), d);
        CHECK_OK(c);
        if (i == 0) CHECK_HEARD(h, 1, "guessing at random costs 4.143"); /* ln 63 */
        else CHECK(h.n == 0 && loss < 0.995f * 4.143f, "loss %g, advice: %s", (double)loss, h.first);
        sslh_destroy(c);
    }
}

/* --- a loop without steps ----------------------------------------------------------------------------------------- */

static void endless_step(void) {
    int how, i;
    for (how = 0; how < 3; how++) { /* 0: no step ever begins, 1: one each time, 2: in scopes */
        heard h;
        sslh_ctx *c = create(&h);
        sslh_net *net = convnet(c);
        for (i = 0; i < 700; i++) {
            if (how == 1) sslh_begin_step(c);
            if (how == 2) sslh_push(c);
            sslh_forward(net, sslh_zeros(c, sslh_dim4(1, SIDE, SIDE, 3)));
            if (how == 2) sslh_pop(c);
            if (i == 298) CHECK_HEARD(h, 0, "");
        }
        CHECK_OK(c);
        CHECK_HEARD(h, how == 0 ? 1 : 0, "sslh_forward: 300 calls since the step began");
        sslh_destroy(c);
    }
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static void views_by_name(void) {
    heard h;
    sslh_ctx *c = create(&h);
    mine self = {NULL};
    sslh_method m = sslh_method_new(c, "mine", convnet(c), &self, sizeof self);
    m.views = my_views;
    m.loss = wrong_view;
    sslh_train(c, m, make_data(c), few(1));
    CHECK_ERROR(c, "input 1 is NULL (sslh_view_get: there is no view 'sen', there are 'seen')");
    sslh_begin_step(c);
    sslh_relu(c, NULL);
    CHECK(sslh_error(c) && !strstr(sslh_error(c), "sslh_view_get"), "%s", sslh_error(c));
    sslh_clear_error(c);
    sslh_destroy(c);
}

/* What would have kept a tensor depends on what took its memory. */
static void kept_by_what(void) {
    heard h;
    sslh_ctx *c = create(&h);
    sslh_tensor *x = sslh_requires_grad(sslh_scalar(c, 3)), *y, *z;
    y = sslh_mul(c, x, x);
    z = sslh_mul(c, y, x);
    sslh_backward(c, z);
    sslh_relu(c, y);
    CHECK_ERROR(c, "given back by sslh_backward or, under sslh_no_grad, by sslh_forward (sslh_keep");
    { /* and so say those that only read or write */
        float one = 5;
        sslh_begin_step(c);
        x = sslh_requires_grad(sslh_scalar(c, 3));
        y = sslh_mul(c, x, x);
        sslh_backward(c, sslh_mul(c, y, x));
        sslh_read(y, &one, 1);
        CHECK(one == 0, "%g instead of 0 after an error", (double)one);
        CHECK_ERROR(c, "sslh_read: the memory of the tensor was given back by sslh_backward");
        sslh_item(y);
        CHECK_ERROR(c, "sslh_item: the memory of the tensor was given back");
        sslh_write(y, &one, 1);
        CHECK_ERROR(c, "sslh_write: the memory of the tensor was given back");
    }
    sslh_begin_step(c);
    y = sslh_scalar(c, 2);
    sslh_begin_step(c);
    sslh_relu(c, y);
    CHECK_ERROR(c, "given back when its step or scope ended (keep a copy by sslh_persist)");
    sslh_begin_step(c);
    sslh_push(c);
    y = sslh_scalar(c, 2);
    sslh_pop(c);
    sslh_picture_grid(c, "no.png", y, 1, 1);
    CHECK_ERROR(c, "sslh_picture_grid: the memory of the tensor was given back when its step or scope ended");
    sslh_destroy(c);
}

static void null_pixels(void) {
    heard h;
    sslh_ctx *c = create(&h);
    float out[9];
    int32_t label = -1;
    sslh_data_from_images(c, NULL, 1, SIDE, SIDE, 3, NULL);
    CHECK_ERROR(c, "sslh_data_from_images: the array of pixels is NULL");
    sslh_data_from_images(c, pixels, 1, SIDE, SIDE, 3, &label);
    CHECK_ERROR(c, "sslh_data_from_images: the label -1 of sample 0");
    sslh_embed(convnet(c), NULL, 1, SIDE, SIDE, 3, out);
    CHECK_ERROR(c, "sslh_embed: the array of pixels is NULL");
    sslh_embed(convnet(c), pixels, 1, SIDE, SIDE, 3, NULL);
    CHECK_ERROR(c, "sslh_embed: the array of results is NULL");
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(heads)
    TEST(no_method_does)
    TEST(no_better)
    TEST(endless_step)
    TEST(views_by_name)
    TEST(kept_by_what)
    TEST(null_pixels)
TESTS_END
