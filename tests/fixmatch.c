/* FixMatch: what is drawn and looked at, which guesses count, the loss against its definition, the same bits after a
   resume, and that guesses carry what labels say over to views that no label has. */
#include "../ssl.h"
#include "harness.h"

enum { SIDE = 8, COUNT = 120, K = 3 };
static uint8_t pixels[COUNT * SIDE * SIDE];
static int32_t labels[COUNT];
static sslh_ctx *context(int threads, uint64_t seed) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    d.seed = seed;
    return sslh_create(d);
}
/* Stripes of three directions at random places under noise. */
static sslh_data stripes(sslh_ctx *c) {
    for (int n = 0; n < COUNT; n++) {
        uint32_t shift = sslh_random_below(3, 1, (uint64_t)n, 8);
        labels[n] = n % K;
        for (int i = 0; i < SIDE * SIDE; i++) {
            uint32_t y = (uint32_t)(i / SIDE), x = (uint32_t)(i % SIDE);
            uint32_t along = n % K == 0 ? x : n % K == 1 ? y : x + y;
            pixels[n * SIDE * SIDE + i] =
                (uint8_t)(sslh_random_below(3, 2, (uint64_t)(n * SIDE * SIDE + i), 110) + (along + shift) / 2 % 2 * 90);
        }
    }
    return sslh_data_from_images(c, pixels, COUNT, SIDE, SIDE, 1, labels);
}
static sslh_net *convnet(sslh_ctx *c) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = 1, d.widths[0] = 8, d.widths[1] = 12;
    return sslh_convnet(c, d);
}
static sslh_fixmatch_desc plain(void) {
    sslh_fixmatch_desc d;
    memset(&d, 0, sizeof d);
    return d;
}
static sslh_train_desc quiet(int epochs, int batch) {
    sslh_train_desc d;
    memset(&d, 0, sizeof d);
    d.quiet = 1, d.epochs = epochs, d.batch = batch;
    return d;
}
static sslh_batch batch_of(sslh_data d, const int32_t *index, int n, int64_t step) {
    sslh_batch b;
    memset(&b, 0, sizeof b);
    b.data = d, b.index = index, b.count = n, b.step = step, b.seed = 1;
    return b;
}
/* The views that a method makes of a batch. */
static sslh_view_set views_of(sslh_method *m, sslh_batch b) {
    sslh_view_set v;
    memset(&v, 0, sizeof v);
    m->views(m, &b, &v);
    return v;
}
static sslh_recipe as_they_are(void) { return SSLH_VIEWS_NONE; }

/* Two of each class, in turn until all have been seen, with their own labels; by .ratio, but never more than there
   are. */
static void labelled_images(void) {
    static const int32_t index[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    sslh_ctx *c = context(1, 1);
    sslh_data data = stripes(c);
    sslh_fixmatch_desc d = plain();
    sslh_recipe r = as_they_are();
    sslh_view_set all;
    sslh_method m;
    int seen[COUNT] = {0}, each[K] = {0}, kinds = 0, wrong = 0;
    d.labels = 2, d.ratio = 4, d.weak = d.strong = &r;
    m = sslh_fixmatch(c, convnet(c), data, d);
    m.prepare(&m, data);
    for (int step = 0; step < 4; step++) { /* 3 of 6: two rounds */
        sslh_view_set v = views_of(&m, batch_of(data, index, 12, step));
        sslh_tensor *x, *y;
        CHECK_OK(c);
        x = sslh_view_get(&v, "labelled"), y = sslh_view_get(&v, "labels");
        CHECK(x->shape[0] == 3 && y->count == 3 && sslh_view_get(&v, "strong")->shape[0] == 12, "3 for 12");
        for (int i = 0; i < 3 && x->shape[0] == 3; i++)
            for (int n = 0; n < COUNT; n++) {
                int same = 0;
                for (int q = 0; q < SIDE * SIDE; q++)
                    same += fabs((double)x->data[i * SIDE * SIDE + q] * 255 - pixels[n * SIDE * SIDE + q]) < 0.01;
                if (same < SIDE * SIDE) continue;
                seen[n]++, wrong += y->ints[i] != labels[n];
            }
    }
    for (int n = 0; n < COUNT; n++)
        if (seen[n]) kinds++, each[labels[n]]++, wrong += seen[n] != 2;
    CHECK(kinds == 6 && !wrong && each[0] == 2 && each[1] == 2 && each[2] == 2, "%d images, %d wrong", kinds, wrong);
    d.labels = 1, d.ratio = 1;
    m = sslh_fixmatch(c, convnet(c), data, d);
    m.prepare(&m, data);
    all = views_of(&m, batch_of(data, index, 12, 0));
    CHECK(sslh_view_get(&all, "labelled")->shape[0] == 3, "no more than there are");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* The labels of the other images have no part in the training, those of the labelled ones have. */
static void looks_at_no_other_label(void) {
    uint64_t hash[3];
    for (int way = 0; way < 3; way++) {
        sslh_ctx *c = context(1, 1);
        sslh_data data = stripes(c), known = sslh_data_range(data, 0, 9);
        static int32_t other[COUNT];
        sslh_method m;
        for (int i = 0; i < COUNT; i++) other[i] = way == 2 && i < 9 ? (labels[i] + 1) % K : 0;
        if (way) data = sslh_data_from_images(c, pixels, COUNT, SIDE, SIDE, 1, other);
        if (way == 2) known = sslh_data_range(data, 0, 9);
        m = sslh_fixmatch(c, convnet(c), known, plain());
        sslh_train(c, m, data, quiet(1, 40));
        CHECK_OK(c);
        hash[way] = sslh_hash(m.net);
        sslh_destroy(c);
    }
    CHECK(hash[0] == hash[1], "labels of unlabelled images were looked at");
    CHECK(hash[0] != hash[2], "labels of labelled images were not looked at");
}

/* softmax(z)[k] */
static double share(const sslh_real *z, int k) {
    double sum = 0;
    for (int j = 0; j < K; j++) sum += exp((double)z[j]);
    return exp((double)z[k]) / sum;
}
/* The loss of three labelled and five other images from the logits themselves, with every guess, some and none. */
static void loss_by_definition(void) {
    static const float thresholds[3] = {SSLH_OFF, 0.36f, 1};
    static const int32_t index[5] = {20, 31, 42, 53, 64};
    sslh_ctx *c = context(1, 1);
    sslh_data data = stripes(c);
    for (int t = 0; t < 3; t++) {
        sslh_fixmatch_desc d = plain();
        sslh_recipe weak = as_they_are(), strong = as_they_are();
        sslh_method m;
        sslh_view_set v;
        sslh_tensor *x[3], *z, *y;
        double known = 0, guessed = 0, loss;
        int kept = 0;
        strong.flip = 1;
        d.threshold = thresholds[t], d.weight = 2, d.ratio = 2, d.weak = &weak, d.strong = &strong;
        m = sslh_fixmatch(c, convnet(c), sslh_data_range(data, 0, 9), d);
        m.prepare(&m, data);
        sslh_train_mode(m.net, 0); /* so that the images do not change each other */
        v = views_of(&m, batch_of(data, index, 5, 0));
        loss = (double)sslh_item(m.loss(&m, &v, 0));
        CHECK_OK(c);
        x[0] = sslh_view_get(&v, "labelled"), x[1] = sslh_view_get(&v, "weak"), x[2] = sslh_view_get(&v, "strong");
        y = sslh_view_get(&v, "labels");
        z = sslh_forward(sslh_child_at(m.net, 1), sslh_forward(m.encoder, sslh_concat(c, x, 3, 0)));
        CHECK(z->shape[0] == 3 + 5 + 5 && z->shape[1] == K, "logits");
        for (int i = 0; i < 3; i++) known -= log(share(z->data + i * K, y->ints[i])) / 3;
        for (int i = 0; i < 5; i++) {
            const sslh_real *w = z->data + (3 + i) * K;
            int best = 0;
            for (int k = 1; k < K; k++) best = w[k] > w[best] ? k : best;
            if (share(w, best) < (double)fmaxf(thresholds[t], 0)) continue;
            kept++;
            guessed -= log(share(z->data + (8 + i) * K, best)) / 5;
        }
        CHECK_CLOSE(loss, known + 2 * guessed, 1e-5);
        CHECK_NEAR(m.numbers[1].value, kept / 5.0, 1e-6);
        CHECK(t == 0 ? kept == 5 : t == 2 ? kept == 0 : 1, "%d kept", kept);
        CHECK_NEAR(m.guessing, log((double)K), 1e-6);
        sslh_begin_step(c);
    }
    sslh_destroy(c);
}

/* Where no guess is kept, and no batch norm mixes the images, those without a label change nothing. */
static void none_kept_is_labels_only(void) {
    uint64_t hash[2];
    for (int way = 0; way < 2; way++) {
        sslh_ctx *c = context(1, 1);
        sslh_data data = stripes(c);
        sslh_fixmatch_desc d = plain();
        sslh_recipe r = as_they_are();
        sslh_method m;
        sslh_convnet_desc e;
        memset(&e, 0, sizeof e);
        e.channels = 1, e.widths[0] = 6, e.norm = 1; /* no batch norm, by which images see each other */
        d.weak = d.strong = &r, d.labels = 4;
        d.threshold = 1, d.weight = way ? (float)SSLH_OFF : 1;
        m = sslh_fixmatch(c, sslh_convnet(c, e), data, d);
        sslh_train(c, m, data, quiet(2, 40));
        CHECK_OK(c);
        hash[way] = sslh_hash(m.net);
        CHECK_NEAR(m.numbers[1].value, 0, 0);
        sslh_destroy(c);
    }
    CHECK(hash[0] == hash[1], "guesses that are not kept change the net");
}

static void same_bits(void) {
    const char *path = test_temporary("fixmatch.safetensors");
    uint64_t hash[3];
    for (int i = 0; i < 3; i++) {
        sslh_ctx *c = context(i == 1 ? 3 : 1, 1);
        sslh_data data = stripes(c);
        sslh_fixmatch_desc d = plain();
        sslh_train_desc t = quiet(2, 40);
        sslh_method m;
        d.labels = 5, d.threshold = 0.4f;
        if (i == 2) t.max_steps = 4, t.checkpoint = path;
        m = sslh_fixmatch(c, convnet(c), data, d);
        sslh_train(c, m, data, t);
        if (i == 2) {
            sslh_destroy(c);
            c = context(1, 1), data = stripes(c);
            t.max_steps = 0, t.resume = 1;
            m = sslh_fixmatch(c, convnet(c), data, d);
            sslh_train(c, m, data, t);
        }
        CHECK_OK(c);
        hash[i] = sslh_hash(m.net);
        sslh_destroy(c);
    }
    test_remove(path);
    CHECK(hash[0] == hash[1], "three threads");
    CHECK(hash[0] == hash[2], "a resumed run");
}

/* Strong views are mirrored, which makes other stripes of the third class: only guesses, not labels, say that they are
   of this class too. */
static void guesses_carry_over(void) {
    static uint8_t mirrored[60 * SIDE * SIDE];
    float accuracy[2];
    for (int way = 0; way < 2; way++) {
        sslh_ctx *c = context(1, 1);
        sslh_data data = stripes(c), test;
        sslh_fixmatch_desc d = plain();
        sslh_recipe weak = as_they_are(), strong = as_they_are();
        sslh_train_desc t = quiet(60, 30);
        sslh_method m;
        sslh_tensor *p;
        static const int32_t index[2] = {60, 61};
        for (int i = 0; i < 60 * SIDE * SIDE; i++)
            mirrored[i] = pixels[60 * SIDE * SIDE + i / SIDE * SIDE + SIDE - 1 - i % SIDE];
        test = sslh_data_from_images(c, mirrored, 60, SIDE, SIDE, 1, labels + 60);
        strong.flip = 1;
        d.threshold = 0.8f, d.ratio = 2, d.weak = &weak, d.strong = &strong, d.weight = way ? 1 : (float)SSLH_OFF;
        m = sslh_fixmatch(c, convnet(c), sslh_data_range(data, 0, 60), d);
        sslh_train(c, m, sslh_data_range(data, 0, 60), t);
        accuracy[way] = sslh_fixmatch_evaluate(&m, test);
        CHECK(sslh_fixmatch_evaluate(&m, sslh_data_range(data, 60, 120)) > 0.8f, "as they are");
        p = sslh_fixmatch_classify(&m, sslh_batch_images(c, batch_of(data, index, 2, 0)));
        CHECK(p->shape[0] == 2 && p->shape[1] == K, "probabilities");
        CHECK_NEAR((double)p->data[0] + (double)p->data[1] + (double)p->data[2], 1, 1e-5);
        CHECK_OK(c);
        sslh_destroy(c);
    }
    CHECK(accuracy[1] > accuracy[0] + 0.1f, "mirrored: %.3f with guesses, %.3f without", (double)accuracy[1],
          (double)accuracy[0]);
}

/* Strong views of the caller, as "strong=simclr" gives them, are normalised as the weak ones unless they have a .std of
   their own. */
static void strong_views(void) {
    static const int32_t index[4] = {0, 1, 2, 3};
    for (int way = 0; way < 2; way++) {
        sslh_ctx *c = context(1, 1);
        sslh_data data = stripes(c);
        sslh_fixmatch_desc d = plain();
        sslh_recipe r = as_they_are();
        sslh_method m;
        sslh_view_set v;
        float mean[4], std[4];
        double worst = 0;
        if (way) r.mean[0] = 0.25f, r.std[0] = 2;
        d.strong = &r;
        m = sslh_fixmatch(c, convnet(c), sslh_data_range(data, 0, 9), d);
        m.prepare(&m, data);
        m.prepare(&m, data); /* as in a second run */
        v = views_of(&m, batch_of(data, index, 4, 0));
        sslh_data_mean_std(data, mean, std);
        if (way) mean[0] = 0.25f, std[0] = 2;
        CHECK_OK(c);
        for (int i = 0; i < 4 * SIDE * SIDE; i++)
            worst = fmax(worst, fabs((double)sslh_view_get(&v, "strong")->data[i] -
                                     (pixels[i] / 255.0 - (double)mean[0]) / (double)std[0]));
        CHECK(worst < 1e-4, "way %d: off by %g", way, worst);
        sslh_destroy(c);
    }
}

/* Strong views that nobody gives are the caller's weak ones with other colours and a cutout: of the same size, and not
   mirrored when the weak ones are not. */
static void strong_views_follow_the_weak(void) {
    enum { N = 40, HALF = SIDE / 2 };
    int32_t index[N];
    sslh_ctx *c = context(1, 1);
    sslh_data data;
    sslh_fixmatch_desc d = plain();
    sslh_recipe r = as_they_are();
    const sslh_tensor *x;
    sslh_method m;
    sslh_view_set v;
    int mirrored = 0;
    stripes(c); /* for the labels */
    for (int i = 0; i < COUNT * SIDE * SIDE; i++) pixels[i] = (uint8_t)(i % SIDE * 30);
    data = sslh_data_from_images(c, pixels, COUNT, SIDE, SIDE, 1, labels);
    for (int i = 0; i < N; i++) index[i] = i;
    r.height = r.width = HALF, d.weak = &r;
    m = sslh_fixmatch(c, convnet(c), sslh_data_range(data, 0, 9), d);
    m.prepare(&m, data);
    v = views_of(&m, batch_of(data, index, N, 0));
    CHECK_OK(c);
    x = sslh_view_get(&v, "strong");
    CHECK(x && x->shape[0] == N && x->shape[1] == HALF && x->shape[2] == HALF, "the size of the weak views");
    for (int i = 0; i < N && !sslh_error(c); i++) {
        double ascent = 0;
        for (int k = 0; k < HALF; k++) {
            const sslh_real *row = x->data + (i * HALF + k) * HALF;
            ascent += (double)row[HALF - 1] - (double)row[0];
        }
        mirrored += ascent < 0;
    }
    CHECK(mirrored < N / 4, "%d of %d are mirrored", mirrored, N);
    m.loss(&m, &v, 0);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* A frozen encoder that was set to evaluation is in evaluation after the accuracy was asked for. */
static void modes_stay(void) {
    sslh_ctx *c = context(1, 1);
    sslh_data data = stripes(c);
    sslh_method m = sslh_fixmatch(c, convnet(c), sslh_data_range(data, 0, 9), plain());
    sslh_train_mode(m.net, 1);
    sslh_train_mode(m.encoder, 0);
    sslh_fixmatch_evaluate(&m, data);
    CHECK(sslh_is_training(m.net) && !sslh_is_training(m.encoder), "method %d, encoder %d", sslh_is_training(m.net),
          sslh_is_training(m.encoder));
    CHECK_OK(c);
    sslh_destroy(c);
}

static void errors(void) {
    sslh_ctx *c = context(1, 1), *other = context(1, 1);
    sslh_data data = stripes(c), none = sslh_data_from_images(c, pixels, COUNT, SIDE, SIDE, 1, NULL);
    sslh_data small = sslh_data_from_images(c, pixels, COUNT, SIDE, SIDE / 2, 1, labels);
    sslh_fixmatch_desc d = plain();
    sslh_method m;
    sslh_fixmatch(c, convnet(c), none, d);
    CHECK_ERROR(c, "sslh_fixmatch: labelled must be images with labels of at least two classes (120 samples, 0 cl");
    sslh_fixmatch(c, convnet(c), sslh_data_from_images(other, pixels, COUNT, SIDE, SIDE, 1, labels), d);
    CHECK_ERROR(c, "sslh_fixmatch: the labelled images belong to another context");
    sslh_train(c, sslh_fixmatch(c, convnet(c), small, d), data, quiet(1, 40));
    CHECK_ERROR(c, "sslh_fixmatch: the labelled images are (8,4,1), the others (8,8,1)");
    d.threshold = 1.5f;
    sslh_fixmatch(c, convnet(c), data, d);
    CHECK_ERROR(c, "sslh_fixmatch: .threshold is 1.5 (0 to 1)");
    d = plain(), d.ratio = 65;
    sslh_fixmatch(c, convnet(c), data, d);
    CHECK_ERROR(c, ".ratio is 65 (1 to 64)");
    m = sslh_fixmatch(c, convnet(c), data, plain());
    sslh_fixmatch_evaluate(&m, none);
    CHECK_ERROR(c, "sslh_fixmatch_evaluate: the test set has no images with labels");
    m = sslh_method_new(c, "mine", convnet(c), NULL, 0);
    sslh_fixmatch_evaluate(&m, data);
    CHECK_ERROR(c, "sslh_fixmatch_evaluate: the method 'mine' was not made by sslh_fixmatch");
    sslh_destroy(other);
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(labelled_images)
    TEST(looks_at_no_other_label)
    TEST(loss_by_definition)
    TEST(none_kept_is_labels_only)
    TEST(same_bits)
    TEST_LEARNS(guesses_carry_over)
    TEST(strong_views)
    TEST(strong_views_follow_the_weak)
    TEST(modes_stay)
    TEST(errors)
TESTS_END
