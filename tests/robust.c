/* Attacks against PyTorch and against their definitions; what masks gradients is found out; training on attacked images
   makes nets that bear more; corruptions against their definitions. */
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"
#include "golden_net.h"

/* Three classes that are shown in two ways (after Tsipras et al. 2019): by a third of the image that is clearly
   brighter, in four of five images the right one, and by a faint pattern over all pixels, which is always right and
   which small changes of all pixels turn into that of another class. Nets trained as usual rely on the pattern. */
enum { IMAGES = 240, SIDE = 12, VALUES = SIDE * SIDE };
static uint8_t pixels[IMAGES * VALUES];
static int32_t labels[IMAGES];
static sslh_data thirds(sslh_ctx *c) {
    for (int n = 0; n < IMAGES; n++) {
        const int shown = some(31 * n + 7) < 0.8f ? n % 3 : (n + 1) % 3;
        labels[n] = n % 3;
        for (int i = 0; i < VALUES; i++) {
            const int pattern = some(411 * (VALUES * labels[n] + i) + 5) < 0.5f ? -7 : 7;
            pixels[VALUES * n + i] = (uint8_t)((i / SIDE / 4 == shown ? 126 : 90) + pattern +
                                               (int)(20 * some(977 * (VALUES * n + i))));
        }
    }
    return sslh_data_from_images(c, pixels, IMAGES, SIDE, SIDE, 1, labels);
}
static sslh_net *small_net(sslh_ctx *c) {
    NONE(sslh_mlp_desc, e);
    e.in = VALUES, e.widths[0] = 24, e.last_activation = 1;
    return sslh_with_head(c, sslh_mlp(c, e), 3);
}

/* --- attacks ------------------------------------------------------------------------------------------------------ */

static void same_as_pytorch(void) {
    static const int32_t right[2] = {2, 0};
    sslh_ctx *c = context(1);
    NONE(sslh_attack_desc, d);
    sslh_net *net = golden_net(c);
    sslh_tensor *x = sslh_from(c, sslh_dim4(2, 5, 4, 2), inside_x), *y = sslh_from_ints(c, sslh_dim1(2), right);
    d.eps = 0.1f;
    d.kind = SSLH_FGSM;
    equals(sslh_attack(c, net, x, y, d), inside_fgsm, 80, 2e-6, "FGSM");
    d.kind = SSLH_PGD, d.steps = 6, d.no_random_start = 1;
    equals(sslh_attack(c, net, x, y, d), inside_pgd, 80, 2e-6, "PGD");
    d.l2 = 1, d.eps = 0.5f;
    equals(sslh_attack(c, net, x, y, d), inside_pgd_l2, 80, 2e-6, "PGD in L2");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Whatever the attack: in [0,1], in the ball, and nothing at eps 0; the loss is higher than before. */
static double loss_of(sslh_ctx *c, sslh_net *net, sslh_tensor *x, sslh_tensor *y) {
    double loss;
    sslh_train_mode(net, 0);
    sslh_no_grad(c, 1);
    loss = (double)sslh_item(sslh_cross_entropy(c, sslh_forward(net, x), y));
    sslh_no_grad(c, 0);
    return loss;
}
static void stays_in_the_ball(void) {
    static const int32_t right[4] = {2, 0, 1, 1};
    sslh_ctx *c = context(1);
    sslh_net *net = small_net(c);
    sslh_tensor *x = some_images(c, 4, SIDE, 1), *y = sslh_from_ints(c, sslh_dim1(4), right), *a;
    const double before = loss_of(c, net, x, y);
    for (int kind = SSLH_PGD; kind <= SSLH_NOISE; kind++)
        for (int l2 = 0; l2 < 2; l2++) {
            NONE(sslh_attack_desc, d);
            double most = 0, length = 0, after;
            d.kind = kind, d.l2 = l2, d.eps = l2 ? 0.7f : 0.06f;
            a = sslh_attack(c, net, x, y, d);
            CHECK_OK(c);
            for (size_t i = 0; i < a->count; i++) {
                const double v = (double)a->data[i] - (double)x->data[i];
                if (fabs(v) > most) most = fabs(v);
                if (i < VALUES) length += v * v;
                CHECK(a->data[i] >= 0 && a->data[i] <= 1, "kind %d: a pixel of %g", kind, (double)a->data[i]);
            }
            length = sqrt(length);
            if (l2) CHECK(length <= 0.7001 && length > 0.3, "kind %d: the first image moved by %g", kind, length);
            else CHECK(most <= 0.060001 && most > 0.0599, "kind %d: a pixel moved by %g", kind, most);
            after = loss_of(c, net, a, y);
            if (kind != SSLH_NOISE) CHECK(after > before, "kind %d: the loss falls from %g to %g", kind, before, after);
            d.eps = SSLH_OFF;
            a = sslh_attack(c, net, x, y, d);
            CHECK(memcmp(a->data, x->data, a->count * sizeof *a->data) == 0, "eps 0 changes the images");
        }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Random starts come from the context's streams: each call another, with the same bits for any number of threads. */
static void random_starts(void) {
    static const int32_t right[4] = {2, 0, 1, 1};
    sslh_ctx *c = context(1), *again = context(3);
    NONE(sslh_attack_desc, d);
    sslh_tensor *a[2], *b;
    sslh_net *net = small_net(c), *other = small_net(again);
    d.eps = 0.05f, d.steps = 1, d.step = 1e-6f;
    for (int i = 0; i < 2; i++)
        a[i] = sslh_attack(c, net, some_images(c, 4, SIDE, 1), sslh_from_ints(c, sslh_dim1(4), right), d);
    b = sslh_attack(again, other, some_images(again, 4, SIDE, 1), sslh_from_ints(again, sslh_dim1(4), right), d);
    CHECK_OK(c);
    CHECK_OK(again);
    CHECK(memcmp(a[0]->data, b->data, b->count * sizeof *b->data) == 0, "other bits with three threads");
    CHECK(memcmp(a[0]->data, a[1]->data, b->count * sizeof *b->data) != 0, "two calls start from the same point");
    sslh_destroy(c);
    sslh_destroy(again);
}

/* In the middle of a step: the gradients of the caller's loss, modes and running statistics do not notice. */
static void nothing_is_left_behind(void) {
    static const int32_t right[4] = {2, 0, 1, 1};
    uint64_t hash[2] = {0, 0};
    for (int way = 0; way < 2; way++) {
        sslh_ctx *c = context(1);
        NONE(sslh_convnet_desc, e);
        NONE(sslh_attack_desc, d);
        sslh_net *net;
        sslh_tensor *x = some_images(c, 4, SIDE, 1), *y = sslh_from_ints(c, sslh_dim1(4), right), *loss, *g;
        e.channels = 1, e.widths[0] = 8;
        net = sslh_with_head(c, sslh_convnet(c, e), 3);
        loss = sslh_cross_entropy(c, sslh_forward(net, x), y);
        if (way) sslh_attack(c, net, x, y, d);
        CHECK(sslh_is_training(net), "the mode");
        sslh_backward(c, loss);
        g = sslh_find(net, "head.weight");
        CHECK_OK(c);
        hash[way] = sslh_hash(net) ^ test_hash(g->grad, g->count * sizeof *g->grad, 0);
        sslh_destroy(c);
    }
    CHECK(hash[0] == hash[1], "gradients or running statistics differ");
}

/* --- accuracy ----------------------------------------------------------------------------------------------------- */

static sslh_net *trained(sslh_ctx *c, sslh_data data, float eps, int epochs) {
    NONE(sslh_supervised_desc, s);
    NONE(sslh_adversarial_desc, a);
    NONE(sslh_train_desc, t);
    sslh_net *net = small_net(c);
    sslh_method m = sslh_supervised(c, net, s);
    a.attack.eps = eps;
    if (eps > 0) m = sslh_adversarial(c, m, a);
    t.epochs = epochs, t.batch = 40, t.lr = 0.01f, t.quiet = 1;
    sslh_train(c, m, data, t);
    return net;
}

/* The stronger the attack and the larger eps, the lower the accuracy; what does not come from gradients is weakest.
   Then the same net behind a wall: scores times 1e4 leave a gradient of 0 in float for most images, so that FGSM and
   PGD fail where the images of another net do not. */
static void gradient_masking(void) {
    sslh_ctx *c = context(1);
    sslh_data data = thirds(c);
    sslh_net *net = trained(c, data, 0, 40), *other = trained(c, data, 0, 40);
    sslh_masking m;
    NONE(sslh_attack_desc, d);
    float last = 1.1f;
    d.eps = 0.06f;
    m = sslh_masking_check(c, net, other, data, d);
    CHECK_OK(c);
    CHECK(m.clean > 0.97f, "it learns: %g", (double)m.clean);
    CHECK(m.noise > m.fgsm + 0.1f, "noise %g, FGSM %g", (double)m.noise, (double)m.fgsm);
    CHECK(m.fgsm >= m.pgd, "FGSM %g, PGD %g", (double)m.fgsm, (double)m.pgd);
    CHECK(m.transfer >= m.pgd - 0.01f, "transfer %g, PGD %g", (double)m.transfer, (double)m.pgd);
    CHECK(m.unbounded < 0.05f, "unbounded %g", (double)m.unbounded);
    CHECK(m.loss[0] < m.loss[1] && m.loss[1] < m.loss[2] && m.loss[2] < m.loss[3], "losses %g %g %g %g",
          (double)m.loss[0], (double)m.loss[1], (double)m.loss[2], (double)m.loss[3]);
    CHECK(m.suspicious == 0, "%d signs", m.suspicious);
    for (int e = 0; e <= 4; e++) {
        float now;
        d.eps = sslh_or_off(0.02f * (float)e);
        now = sslh_robust_accuracy(c, net, data, d);
        CHECK(now <= last + 0.02f, "accuracy %g at %d, %g before", (double)now, e, (double)last);
        last = now;
    }
    CHECK(last < 0.4f, "%g is left at 0.08", (double)last);
    { /* the wall */
        sslh_tensor *w = sslh_find(net, "head.weight"), *b = sslh_find(net, "head.bias");
        for (size_t i = 0; i < w->count; i++) w->data[i] *= 1e4f;
        for (size_t i = 0; i < b->count; i++) b->data[i] *= 1e4f;
    }
    d.eps = 0.06f;
    d.no_random_start = 1;
    m = sslh_masking_check(c, net, other, data, d);
    CHECK_OK(c);
    CHECK(m.clean > 0.97f && m.pgd > 0.5f, "the wall: clean %g, PGD %g", (double)m.clean, (double)m.pgd);
    CHECK(m.suspicious >= 2, "%d signs of the wall", m.suspicious);
    sslh_destroy(c);
}

static void training_on_attacked_images(void) {
    sslh_ctx *c = context(1);
    sslh_data data = thirds(c);
    NONE(sslh_attack_desc, d);
    sslh_net *plain = trained(c, data, 0, 40), *hard = trained(c, data, 0.06f, 40);
    float a[2], b[2];
    d.eps = 0.06f;
    a[0] = sslh_robust_accuracy(c, plain, data, d), a[1] = sslh_robust_accuracy(c, hard, data, d);
    d.eps = SSLH_OFF;
    b[0] = sslh_robust_accuracy(c, plain, data, d), b[1] = sslh_robust_accuracy(c, hard, data, d);
    CHECK_OK(c);
    CHECK(a[1] > a[0] + 0.3f, "under attack %g, and %g after training on attacked images", (double)a[0], (double)a[1]);
    CHECK(b[1] > 0.7f && b[0] > 0.97f, "as they are %g, %g", (double)b[0], (double)b[1]);
    sslh_destroy(c);
}

#if SSLH_WITH_SIMCLR
/* SimCLR on attacked views of 64 images that crops do not hide: waves of different lengths and directions. */
static uint8_t waves[64 * VALUES];
static sslh_data waving(sslh_ctx *c) {
    for (int n = 0; n < 64; n++)
        for (int i = 0; i < VALUES; i++) {
            const double a = 0.3 + 0.25 * (n % 8), b = 0.25 * (n / 8);
            waves[VALUES * n + i] = (uint8_t)(128 + 100 * sin(a * (i % SIDE) + b * (i / SIDE)));
        }
    return sslh_data_from_images(c, waves, 64, SIDE, SIDE, 1, NULL);
}
static sslh_method contrastive(sslh_ctx *c, float clean) {
    NONE(sslh_mlp_desc, e);
    NONE(sslh_simclr_desc, s);
    NONE(sslh_adversarial_desc, a);
    e.in = VALUES, e.widths[0] = 32, e.last_activation = 1;
    s.head_out = 16, s.head_layers = 2, s.temperature = 0.5f;
    a.attack.eps = 0.03f, a.attack.steps = 2, a.clean = clean;
    return sslh_adversarial(c, sslh_simclr(c, sslh_mlp(c, e), s), a);
}
static void contrastive_learning_under_attack(void) {
    float losses[40];
    uint64_t hash[3];
    sslh_ctx *c = context(1);
    NONE(sslh_train_desc, t);
    sslh_method m = contrastive(c, 0.5f);
    t.epochs = 40, t.batch = 64, t.quiet = 1, t.losses = losses, t.lr = 0.3f;
    sslh_train(c, m, waving(c), t);
    CHECK_OK(c);
    CHECK(strcmp(m.name, "adversarial simclr") == 0 && strcmp(m.numbers[0].name, "top-1") == 0, "%s, %s", m.name,
          m.numbers[0].name);
    CHECK(losses[39] < losses[0] - 0.3f, "%g after one epoch, %g after all", (double)losses[0], (double)losses[39]);
    sslh_destroy(c);
    memset(&t, 0, sizeof t);
    for (int way = 0; way < 3; way++) { /* any number of threads; resumed in the middle */
        char path[512];
        snprintf(path, sizeof path, "%s", test_temporary("acl.safetensors"));
        c = context(way == 1 ? 3 : 1);
        m = contrastive(c, 0);
        t.epochs = 2, t.batch = 32, t.quiet = 1;
        if (way == 2) {
            t.checkpoint = path, t.resume = 1, t.max_steps = 3;
            sslh_train(c, m, waving(c), t);
            CHECK_OK(c);
            sslh_destroy(c);
            c = context(1);
            m = contrastive(c, 0);
            t.max_steps = 0;
        }
        sslh_train(c, m, waving(c), t);
        CHECK_OK(c);
        hash[way] = sslh_hash(m.net);
        sslh_destroy(c);
        test_remove(path);
    }
    CHECK(hash[0] == hash[1], "other bits with three threads");
    CHECK(hash[0] == hash[2], "other bits after a resume");
}
#endif

/* A method of images and a mask, which keeps what its loss has seen last. Its images are normalised by mean 0.4 and
   deviation 0.2 in views or, with plain, in loss. */
typedef struct seen { int plain; sslh_real image[2 * VALUES], mask[2 * VALUES]; } seen;
static seen *last_seen;
static void masked_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_tensor *x = sslh_batch_images(m->ctx, *batch), *mask = sslh_zeros(m->ctx, sslh_dim4(2, SIDE, SIDE, 1));
    if (!last_seen->plain) x = sslh_scale(m->ctx, sslh_shift(m->ctx, x, (sslh_real)-0.4f), 5);
    for (size_t i = 0; i < mask->count; i++) mask->data[i] = i % 3 == 0;
    sslh_view_add(out, "mask", mask);
    sslh_view_add(out, "images", x);
}
static sslh_tensor *masked_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    sslh_ctx *c = m->ctx;
    sslh_tensor *x = sslh_view_get(v, "images"), *mask = sslh_view_get(v, "mask"), *y;
    (void)phase;
    if (sslh_error(c)) return x;
    memcpy(last_seen->image, x->data, sizeof last_seen->image);
    memcpy(last_seen->mask, mask->data, sizeof last_seen->mask);
    y = last_seen->plain ? sslh_scale(c, sslh_shift(c, x, (sslh_real)-0.4f), 5) : x;
    y = sslh_forward(m->encoder, sslh_where(c, mask, sslh_scalar(c, 0), y));
    return sslh_mean(c, sslh_square(c, y), SSLH_ALL, 0);
}
/* Images without a label do not count; a label that the net has no score for is an error. */
static int keep_accuracy(const sslh_train_info *info, void *user) {
    *(float *)user = info->numbers[0].value;
    return 0;
}
static void labels_that_are_missing(void) {
    sslh_ctx *c = context(1);
    NONE(sslh_supervised_desc, s);
    NONE(sslh_train_desc, t);
    sslh_net *net = small_net(c);
    int32_t own[4] = {1, 0, 1, 2};
    float accuracy = 0;
    sslh_data data = sslh_data_from_images(c, pixels, 4, SIDE, SIDE, 1, own);
    CHECK_OK(c);
    own[1] = own[3] = -1;
    sslh_find(net, "head.bias")->data[1] = 100;
    t.epochs = 1, t.batch = 4, t.quiet = 1;
    t.callback = keep_accuracy, t.user = &accuracy;
    sslh_train(c, sslh_supervised(c, net, s), data, t);
    CHECK_OK(c);
    CHECK(accuracy == 1, "an accuracy of %g on the images that have a label", (double)accuracy);
    own[1] = 1 << 23;
    sslh_train(c, sslh_supervised(c, net, s), data, t);
    CHECK_ERROR(c, "label");
    sslh_destroy(c);
}

static void views_of_all_kinds(void) {
    for (int plain = 0; plain < 2; plain++) {
        static seen kept;
        sslh_ctx *c = context(1);
        sslh_data data = thirds(c);
        NONE(sslh_adversarial_desc, a);
        NONE(sslh_train_desc, t);
        NONE(sslh_preprocess, p);
        sslh_net *net = small_net(c);
        sslh_method m = sslh_method_new(c, "masked", net, NULL, 0);
        double most = 0;
        int32_t first[2] = {3, 4};
        last_seen = &kept;
        kept.plain = plain;
        p.mean[0] = 0.4f, p.std[0] = 0.2f;
        sslh_set_preprocess(net, p);
        m.views = masked_views, m.loss = masked_loss, m.plain_views = plain;
        a.attack.eps = 0.05f;
        data = sslh_data_pick(data, first, 2);
        t.epochs = 1, t.batch = 2, t.quiet = 1;
        sslh_train(c, sslh_adversarial(c, m, a), data, t);
        CHECK_OK(c);
        for (int i = 0; i < 2 * VALUES; i++) {
            double pixel = (double)kept.image[i], off[2];
            if (!plain) pixel = 0.4 + 0.2 * pixel;
            CHECK(kept.mask[i] == (i % 3 == 0), "the mask is no image: %g", (double)kept.mask[i]);
            CHECK(pixel >= -1e-6 && pixel <= 1 + 1e-6, "a pixel of %g", pixel);
            for (int n = 0; n < 2; n++) /* the two images may be in either order */
                off[n] = fabs(pixel - pixels[VALUES * (3 + (n + i / VALUES) % 2) + i % VALUES] / 255.0);
            if (off[0] < off[1] ? off[0] > most : off[1] > most) most = off[0] < off[1] ? off[0] : off[1];
        }
        CHECK(most <= 0.050001 && most > 0.03, "plain %d: a pixel moves by %g", plain, most);
        sslh_destroy(c);
    }
}

#if SSLH_WITH_INPAINTING && SSLH_WITH_CONTEXT && SSLH_WITH_COLORIZATION && SSLH_WITH_MOCO
/* Pixels that the loss normalises itself, and views that no attack fits. */
static void methods_of_other_views(void) {
    static uint8_t colour[8 * 32 * 32 * 3];
    sslh_ctx *c = context(1);
    NONE(sslh_convnet_desc, e);
    NONE(sslh_adversarial_desc, a);
    NONE(sslh_train_desc, t);
    NONE(sslh_inpainting_desc, inpainting);
    NONE(sslh_context_desc, around);
    NONE(sslh_colorization_desc, colorization);
    NONE(sslh_moco_desc, moco);
    sslh_method m;
    sslh_data data;
    for (size_t i = 0; i < sizeof colour; i++) colour[i] = (uint8_t)(255 * some((int)i));
    data = sslh_data_from_images(c, colour, 8, 32, 32, 3, NULL);
    e.channels = 3, e.widths[0] = 8, e.widths[1] = 8;
    t.epochs = 1, t.batch = 8, t.quiet = 1;
    a.attack.steps = 1;
    e.map_output = 1;
    sslh_train(c, sslh_adversarial(c, sslh_inpainting(c, sslh_convnet(c, e), inpainting), a), data, t);
    CHECK_OK(c);
    e.map_output = 0;
    sslh_train(c, sslh_adversarial(c, sslh_context(c, sslh_convnet(c, e), around), a), data, t);
    CHECK_ERROR(c, "the view 'patches' has a pixel of ");
    sslh_train(c, sslh_adversarial(c, sslh_colorization(c, sslh_convnet(c, e), colorization), a), data, t);
    CHECK_ERROR(c, "the encoder takes another colour space than RGB");
    moco.queue = 8; /* which moves on after the update, not in the loss */
    m = sslh_adversarial(c, sslh_moco(c, sslh_convnet(c, e), moco), a);
    CHECK(!m.over_ranks, "a method for one process");
    sslh_train(c, m, data, t);
    CHECK_OK(c);
    sslh_destroy(c);
}
#endif

static sslh_tensor *counting_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    sslh_tensor *calls = sslh_state(m->net, 0);
    if (!sslh_error(m->ctx)) calls->data[0] += 1;
    return masked_loss(m, v, phase);
}
static void wrong_methods(void) {
    sslh_ctx *c = context(1);
    sslh_data data = thirds(c);
    NONE(sslh_adversarial_desc, a);
    NONE(sslh_supervised_desc, s);
    NONE(sslh_attack_desc, d);
    NONE(sslh_train_desc, t);
    sslh_method none, m;
    sslh_net *net = small_net(c);
    sslh_tensor *x = some_images(c, 2, SIDE, 1);
    memset(&none, 0, sizeof none);
    t.epochs = 1, t.quiet = 1, t.batch = 40;
    sslh_adversarial(c, none, a);
    CHECK_ERROR(c, "sslh_adversarial: a method of this context");
    a.clean = 1.5f;
    sslh_adversarial(c, sslh_supervised(c, net, s), a);
    CHECK_ERROR(c, "sslh_adversarial: .clean is 1.5 (0 to 1)");
    a.clean = 0, a.attack.eps = 2;
    m = sslh_adversarial(c, sslh_supervised(c, net, s), a);
    CHECK_ERROR(c, "sslh_adversarial: .eps is 2 (above 0, at most 1)");
    sslh_train(c, m, data, t);
    CHECK_ERROR(c, "could not be made");
    a.attack.eps = 0;
    m = sslh_supervised(c, net, s);
    m.phases = 2;
    sslh_adversarial(c, m, a);
    CHECK_ERROR(c, "sslh_adversarial: 'supervised' has 2 phases");
    {
        static seen kept;
        static const int32_t two[2] = {0, 1};
        last_seen = &kept;
        kept.plain = 1;
        m = sslh_method_new(c, "counting", net, NULL, 0);
        sslh_state_new(m.net, "calls", SSLH_F32, sslh_dim1(1));
        m.views = masked_views, m.loss = counting_loss;
        m = sslh_adversarial(c, m, a);
        t.batch = 2;
        sslh_train(c, m, sslh_data_pick(data, two, 2), t);
        CHECK_ERROR(c, "adversarial counting: the loss of this method changes its states");
        t.batch = 40;
    }
    s.smoothing = 1;
    sslh_supervised(c, net, s);
    CHECK_ERROR(c, "sslh_supervised: .smoothing is 1 (at least 0, below 1)");
    s.smoothing = 0;
    for (int n = 0; n < IMAGES; n++) labels[n] = 1 << 23; /* a class far beyond what the net gives */
    sslh_train(c, sslh_supervised(c, net, s), sslh_data_from_images(c, pixels, IMAGES, SIDE, SIDE, 1, labels), t);
    CHECK_ERROR(c, "sslh_cross_entropy_ex: label 8388608");
    data = thirds(c);
    d.kind = 4;
    x = some_images(c, 2, SIDE, 1);
    sslh_attack(c, net, x, sslh_from_ints(c, sslh_dim1(2), labels), d);
    CHECK_ERROR(c, "sslh_attack: .kind is 4 (1 to 3)");
    d.kind = 0;
    x = some_images(c, 2, SIDE, 1);
    sslh_attack(c, net, x, sslh_from_ints(c, sslh_dim1(1), labels), d);
    CHECK_ERROR(c, "sslh_attack: images (N,H,W,C), real, C up to 4, and labels (N)");
    x = some_images(c, 2, SIDE, 1);
    sslh_attack(c, NULL, x, sslh_from_ints(c, sslh_dim1(2), labels), d);
    CHECK_ERROR(c, "sslh_attack: the net is NULL");
    { /* a net that takes normalised images */
        NONE(sslh_preprocess, p);
        NONE(sslh_mlp_desc, e);
        sslh_net *other;
        e.in = VALUES, e.widths[0] = 3;
        other = sslh_mlp(c, e);
        p.std[0] = 0.2f;
        sslh_set_preprocess(other, p);
        x = some_images(c, 2, SIDE, 1);
        sslh_attack(c, other, x, sslh_from_ints(c, sslh_dim1(2), labels), d);
        CHECK_ERROR(c, "sslh_attack: the net takes images that are normalised by its preprocessing: pass sslh_with");
        sslh_corrupted_accuracy(c, other, data, SSLH_JPEG, 1);
        CHECK_ERROR(c, "sslh_corrupted_accuracy: the net takes images that are normalised");
        d.source = other;
        sslh_robust_accuracy(c, net, data, d);
        CHECK_ERROR(c, "sslh_robust_accuracy: the net takes images that are normalised");
        d.source = NULL;
        sslh_robust_accuracy(c, sslh_with_head(c, other, 0), data, d);
        CHECK_OK(c);
    }
    data.labels = NULL;
    sslh_robust_accuracy(c, net, data, d);
    CHECK_ERROR(c, "sslh_robust_accuracy: the training data has no labels");
    sslh_corrupt(c, sslh_zeros(c, sslh_dim4(1, 4, 4, 2)), SSLH_JPEG, 1, 0);
    CHECK_ERROR(c, "sslh_corrupt: images (N,H,W,1 or 3)");
    sslh_corrupt(c, sslh_zeros(c, sslh_dim4(1, 4, 4, 1)), SSLH_CORRUPTIONS, 1, 0);
    CHECK_ERROR(c, "sslh_corrupt: ");
    sslh_corrupt(c, sslh_zeros(c, sslh_dim4(1, 4, 4, 1)), 0, 6, 0);
    CHECK_ERROR(c, "sslh_corrupt: ");
    CHECK(sslh_corruption_name(SSLH_CORRUPTIONS) == NULL && sslh_corruption_name(-1) == NULL, "no name");
    sslh_destroy(c);
}

/* --- corruptions -------------------------------------------------------------------------------------------------- */

static double distance(const sslh_tensor *a, const sslh_tensor *b) {
    double sum = 0;
    for (size_t i = 0; i < a->count; i++) {
        const double d = (double)a->data[i] - (double)b->data[i];
        sum += d * d;
    }
    return sqrt(sum / (double)a->count);
}
/* Smooth colour images, on which all corruptions show. */
static sslh_tensor *photographs(sslh_ctx *c, int n, int side, int channels) {
    sslh_tensor *x = sslh_zeros(c, sslh_dim4(n, side, side, channels));
    for (size_t i = 0; i < x->count; i++) {
        const int k = (int)(i % (size_t)channels), at = (int)(i / (size_t)channels), col = at % side,
                  row = at / side % side;
        x->data[i] = (sslh_real)(0.5 + 0.3 * sin(0.4 * col + k + at / side / side) * cos(0.3 * row - k));
    }
    return x;
}

/* Every kind: in [0,1], more the stronger it is (for the pixels' borders about so), the same again, other images with
   another stream where it draws; every number of threads has the same bits. */
static void corruptions_grow(void) {
    sslh_ctx *c = context(1), *again = context(3);
    for (int kind = 0; kind < SSLH_CORRUPTIONS; kind++) {
        const int grows = kind != SSLH_SATURATE; /* first less colour, then more */
        double last = 0;
        for (int strength = 1; strength <= 5; strength++) {
            sslh_tensor *x, *y, *z;
            double now;
            sslh_begin_step(c);
            sslh_begin_step(again);
            x = photographs(c, 4, 30, 3);
            y = sslh_corrupt(c, x, kind, strength, 5);
            z = sslh_corrupt(again, photographs(again, 4, 30, 3), kind, strength, 5);
            CHECK_OK(c);
            CHECK_OK(again);
            for (size_t i = 0; i < y->count; i++)
                CHECK(y->data[i] >= 0 && y->data[i] <= 1, "%s: %g", sslh_corruption_name(kind), (double)y->data[i]);
            CHECK(memcmp(y->data, z->data, y->count * sizeof *y->data) == 0, "%s: other bits with three threads",
                  sslh_corruption_name(kind));
            now = distance(x, y);
            CHECK(now > (kind == SSLH_PIXELATE ? 0.9 : 1) * last || !grows, "%s, strength %d: %g after %g",
                  sslh_corruption_name(kind), strength, now, last);
            CHECK(now > 0.002 && now < 0.3, "%s, strength %d: %g", sslh_corruption_name(kind), strength, now);
            if (grows) last = now;
            z = sslh_corrupt(c, x, kind, strength, 6);
            CHECK((memcmp(y->data, z->data, y->count * sizeof *y->data) != 0) == (kind <= SSLH_IMPULSE_NOISE),
                  "%s: another stream", sslh_corruption_name(kind));
        }
    }
    sslh_destroy(c);
    sslh_destroy(again);
}

static void corruptions_by_definition(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *grey = sslh_full(c, sslh_dim4(2, 20, 20, 1), 0.5f), *x = photographs(c, 1, 16, 3), *y;
    double mean = 0, square = 0, pure[3] = {0, 0, 0};
    y = sslh_corrupt(c, grey, SSLH_GAUSSIAN_NOISE, 5, 1);
    for (size_t i = 0; i < y->count; i++) {
        const double v = (double)y->data[i] - 0.5;
        mean += v / 800, square += v * v / 800;
    }
    CHECK_NEAR(mean, 0, 0.012);
    CHECK_NEAR(sqrt(square), 0.10, 0.01);
    y = sslh_corrupt(c, sslh_full(c, sslh_dim4(4, 50, 50, 1), 0.5f), SSLH_IMPULSE_NOISE, 5, 1);
    for (size_t i = 0; i < y->count; i++) pure[y->data[i] == 0 ? 0 : y->data[i] == 1 ? 1 : 2] += 1e-4;
    CHECK_NEAR(pure[0], 0.035, 0.008);
    CHECK_NEAR(pure[1], 0.035, 0.008);
    y = sslh_corrupt(c, x, SSLH_CONTRAST, 2, 0); /* the mean of each channel stays, distances from it are halved */
    for (int k = 0; k < 3; k++) {
        mean = 0;
        for (int i = 0; i < 256; i++) mean += (double)x->data[3 * i + k] / 256;
        for (int i = 0; i < 256; i++)
            CHECK_NEAR(y->data[3 * i + k], 0.5 * ((double)x->data[3 * i + k] + mean), 1e-6);
    }
    y = sslh_corrupt(c, x, SSLH_BRIGHTNESS, 1, 0);
    for (int i = 0; i < 256; i++) { /* the largest channel rises by 0.05, the others in proportion */
        const sslh_real *a = x->data + 3 * i, *b = y->data + 3 * i;
        const int m = a[0] >= a[1] && a[0] >= a[2] ? 0 : a[1] >= a[2] ? 1 : 2;
        CHECK_NEAR(b[m], a[m] + 0.05f, 1e-6);
        for (int k = 0; k < 3; k++) CHECK_NEAR(b[k] * a[m], a[k] * b[m], 1e-6);
    }
    y = sslh_corrupt(c, x, SSLH_SATURATE, 1, 0); /* differences from the largest channel become 0.3 of themselves */
    for (int i = 0; i < 256; i++) {
        const sslh_real *a = x->data + 3 * i, *b = y->data + 3 * i;
        const sslh_real high = a[0] > a[1] ? a[0] > a[2] ? a[0] : a[2] : a[1] > a[2] ? a[1] : a[2];
        for (int k = 0; k < 3; k++) CHECK_NEAR(high - b[k], 0.3f * (high - a[k]), 1e-6);
    }
    y = sslh_corrupt(c, sslh_full(c, sslh_dim4(1, 9, 9, 1), 0.25f), SSLH_SATURATE, 5, 0);
    for (int i = 0; i < 81; i++) CHECK_NEAR(y->data[i], 0.25f, 1e-6);
    y = sslh_corrupt(c, photographs(c, 1, 20, 1), SSLH_PIXELATE, 5, 0); /* 13 x 13 values in 20 x 20 pixels */
    for (int i = 0; i < 20; i++) {
        int changes = 0;
        for (int j = 1; j < 20; j++) changes += y->data[20 * i + j] != y->data[20 * i + j - 1];
        CHECK(changes <= 12, "row %d has %d values", i, changes + 1);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* A flat image survives JPEG but for rounding to 255ths and the step of the mean; the blocks are independent: a change
   within one reaches no pixel of another. */
static void jpeg_by_blocks(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *flat = sslh_full(c, sslh_dim4(1, 16, 20, 3), 0.5f), *x = photographs(c, 1, 24, 3), *y, *z;
    y = sslh_corrupt(c, flat, SSLH_JPEG, 5, 0);
    for (size_t i = 0; i < y->count; i++) CHECK_NEAR(y->data[i], 0.5, 0.02);
    y = sslh_corrupt(c, x, SSLH_JPEG, 1, 0);
    CHECK(distance(x, y) < 0.02, "quality 80 is off by %g", distance(x, y));
    x->data[(9 * 24 + 10) * 3] = 1; /* in the block of rows and columns 8 to 15 */
    z = sslh_corrupt(c, x, SSLH_JPEG, 1, 0);
    for (int i = 0; i < 24 * 24; i++) {
        const int within = i / 24 / 8 == 1 && i % 24 / 8 == 1;
        if (!within)
            for (int k = 0; k < 3; k++) CHECK(y->data[3 * i + k] == z->data[3 * i + k], "pixel %d", i);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

static void accuracy_under_corruption(void) {
    sslh_ctx *c = context(1);
    sslh_data data = thirds(c);
    sslh_net *net = trained(c, data, 0, 40);
    const float weak = sslh_corrupted_accuracy(c, net, data, SSLH_CONTRAST, 1),
                strong = sslh_corrupted_accuracy(c, net, data, SSLH_CONTRAST, 5);
    CHECK_OK(c);
    CHECK(weak > strong && weak > 0.5f, "contrast of strength 1: %g, 5: %g", (double)weak, (double)strong);
    sslh_corrupted_accuracy(c, net, data, SSLH_CONTRAST, 0);
    CHECK_ERROR(c, "sslh_corrupted_accuracy: ");
    sslh_destroy(c);
}

/* Each allocation in turn fails: one clear error, nothing leaks. */
static void memory_runs_out(void) {
    for (int way = 0; way < 3; way++) {
        NONE(test_memory, m);
        NONE(sslh_desc, desc);
        NONE(sslh_attack_desc, d);
        sslh_ctx *c;
        sslh_net *net;
        long at;
        desc.threads = 1, desc.alloc = test_alloc, desc.release = test_release, desc.user = &m;
        c = sslh_create(desc);
        net = small_net(c);
        d.steps = 1;
        for (at = 1; at < 200; at++) {
            sslh_tensor *x;
            sslh_begin_step(c);
            x = some_images(c, 2, SIDE, 1);
            CHECK_OK(c);
            m.fail_at = m.calls + at;
            if (way == 0) sslh_attack(c, net, x, sslh_from_ints(c, sslh_dim1(2), labels), d);
            if (way == 1) sslh_corrupt(c, x, SSLH_JPEG, 1, 0);
            if (way == 2) {
                NONE(sslh_supervised_desc, s);
                NONE(sslh_adversarial_desc, a);
                sslh_adversarial(c, sslh_supervised(c, net, s), a);
            }
            m.fail_at = 0;
            if (!sslh_error(c)) break;
            CHECK_ERROR(c, "out of memory");
        }
        CHECK(at < 200, "way %d: nothing but failures", way);
        sslh_destroy(c);
        CHECK(m.live == 0, "way %d: %ld blocks leak", way, m.live);
    }
}

TESTS_BEGIN
    TEST(same_as_pytorch) TEST(stays_in_the_ball) TEST(random_starts) TEST(nothing_is_left_behind)
    TEST_LEARNS(gradient_masking) TEST_LEARNS(training_on_attacked_images)
#if SSLH_WITH_SIMCLR
    TEST_LEARNS(contrastive_learning_under_attack)
#endif
    TEST(labels_that_are_missing) TEST(views_of_all_kinds)
#if SSLH_WITH_INPAINTING && SSLH_WITH_CONTEXT && SSLH_WITH_COLORIZATION && SSLH_WITH_MOCO
    TEST(methods_of_other_views)
#endif
    TEST(wrong_methods)
    TEST(corruptions_grow) TEST(corruptions_by_definition) TEST(jpeg_by_blocks)
    TEST_LEARNS(accuracy_under_corruption)
    TEST(memory_runs_out)
TESTS_END
