/* What one net hands on to another: the losses of distillation against PyTorch and their limits, the method, nets made
   wider and deeper that compute the same, filters that go, fine-tuning by blocks. */
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"
#include "golden/transfer.h"

/* n images of 8 x 8 x 3 with labels i % classes; each class has its own pattern under the noise */
static sslh_data images(sslh_ctx *c, int n, int classes) {
    static uint8_t pixels[512 * 192];
    static int32_t labels[512];
    int i, k;
    for (i = 0; i < n; i++) {
        labels[i] = i % classes;
        for (k = 0; k < 192; k++) {
            const uint32_t noise = sslh_random_below(5, 1, (uint64_t)(i * 192 + k), 120);
            const uint32_t pattern = sslh_random_below(5, 2, (uint64_t)(i % classes * 192 + k), 2) * 130;
            pixels[i * 192 + k] = (uint8_t)(noise + pattern);
        }
    }
    return sslh_data_from_images(c, pixels, n, 8, 8, 3, labels);
}
static sslh_net *convnet(sslh_ctx *c, int a, int b, int norm) {
    NONE(sslh_convnet_desc, d);
    d.widths[0] = a, d.widths[1] = b, d.widths[2] = 6;
    d.norm = norm;
    return sslh_convnet(c, d);
}
static sslh_net *mlp(sslh_ctx *c, int norm) {
    NONE(sslh_mlp_desc, d);
    d.in = 192, d.widths[0] = 9, d.widths[1] = 7, d.widths[2] = 5, d.batch_norm = norm;
    return sslh_mlp(c, d);
}
static sslh_net *linear(sslh_ctx *c, int in, int out) {
    NONE(sslh_mlp_desc, d);
    d.in = in, d.widths[0] = out;
    return sslh_mlp(c, d);
}
static sslh_train_desc quiet(int epochs, int batch) {
    NONE(sslh_train_desc, d);
    d.quiet = 1, d.epochs = epochs, d.batch = batch;
    return d;
}
/* Running statistics, gains and shifts that are not 0 and 1, so that a mistake with them shows. */
static void stir(sslh_net *net) {
    int i, n = sslh_count_tensors(net);
    size_t k;
    for (i = 0; i < n; i++) {
        char name[128];
        sslh_tensor *t = sslh_tensor_at(net, i, name, sizeof name, NULL);
        if (t->ndim != 1) continue;
        for (k = 0; k < t->count; k++) {
            const float u = sslh_random_uniform(3, (uint64_t)i, k);
            if (strstr(name, "running_var") || strstr(name, "bn")) t->data[k] = (sslh_real)(0.5f + u);
            else t->data[k] = (sslh_real)(0.4f * u - 0.2f);
        }
    }
}
/* The largest difference of what two nets make of x (N,..), in evaluation or training mode, over the largest value. */
static double differ(sslh_ctx *c, sslh_net *a, sslh_net *b, sslh_tensor *x, int training) {
    double most = 0, size = 1e-9;
    sslh_tensor *p, *q;
    size_t i;
    sslh_train_mode(a, training), sslh_train_mode(b, training);
    sslh_no_grad(c, 1);
    p = sslh_forward(a, x), q = sslh_forward(b, x);
    sslh_no_grad(c, 0);
    if (sslh_error(c) || p->count != q->count) return HUGE_VAL;
    for (i = 0; i < p->count; i++) {
        const double d = fabs((double)p->data[i] - (double)q->data[i]);
        most = d > most ? d : most;
        size = fabs((double)p->data[i]) > size ? fabs((double)p->data[i]) : size;
    }
    return most / size;
}
static sslh_tensor *pictures(sslh_ctx *c, int n) { return sslh_uniform(c, sslh_dim4(n, 8, 8, 3), 0, 1); }

/* --- the losses --------------------------------------------------------------------------------------------------- */

static sslh_tensor *of(sslh_ctx *c, int rows, int columns, const double *v) {
    sslh_tensor *x = sslh_zeros(c, sslh_dim2(rows, columns));
    size_t i;
    for (i = 0; i < x->count; i++) x->data[i] = (sslh_real)v[i];
    return x;
}
/* golden: the value, then the gradient to x */
static void like_golden(sslh_ctx *c, const char *name, sslh_tensor *x, sslh_tensor *loss, const double *golden) {
    size_t i;
    double worst = 0, size = 0;
    CHECK_OK(c);
    CHECK(fabs((double)sslh_item(loss) - golden[0]) <= 2e-6 * (1 + fabs(golden[0])), "%s: %.9g, expected %.9g", name,
          (double)sslh_item(loss), golden[0]);
    sslh_backward(c, loss);
    CHECK_OK(c);
    for (i = 0; i < x->count; i++) {
        worst = fmax(worst, fabs((double)x->grad[i] - golden[1 + i]));
        size = fmax(size, fabs(golden[1 + i]));
    }
    CHECK(worst <= 2e-5 * size, "%s: gradients differ by %g of %g", name, worst, size);
}
static void as_pytorch(void) {
    static const char *const names[5] = {"T = 1", "T = 4", "distances", "angles", "similarity"};
    static const double *const golden[5] = {golden_hinton_1, golden_hinton_4, golden_distance, golden_angle,
                                            golden_seed};
    int i;
    for (i = 0; i < 5; i++) {
        sslh_ctx *c = context(1);
        sslh_tensor *student = of(c, GOLDEN_N, GOLDEN_K, golden_student);
        sslh_tensor *teacher = of(c, GOLDEN_N, GOLDEN_K, golden_teacher);
        sslh_tensor *small = of(c, GOLDEN_N, GOLDEN_D, golden_small);
        sslh_tensor *large = of(c, GOLDEN_N, GOLDEN_E, golden_large);
        sslh_tensor *queue = of(c, GOLDEN_Q, GOLDEN_K, golden_queue), *x = sslh_requires_grad(i == 2 || i == 3 ? small
            : student), *loss;
        sslh_requires_grad(teacher), sslh_requires_grad(large); /* and yet they get no gradient */
        loss = i == 0 ? sslh_distill_loss(c, x, teacher, 1) : i == 1 ? sslh_distill_loss(c, x, teacher, 4)
             : i == 2 ? sslh_rkd_distance(c, x, large) : i == 3 ? sslh_rkd_angle(c, x, large)
                      : sslh_seed_loss(c, x, teacher, queue, 0.2f, 0.05f);
        like_golden(c, names[i], x, loss, golden[i]);
        sslh_destroy(c);
    }
}

/* A student that says what its teacher says has nothing to learn; a constant added to a row of logits says nothing. */
static void nothing_left_to_learn(void) {
    sslh_ctx *c = context(1);
    int i;
    for (i = 0; i < 4; i++) {
        sslh_tensor *t = sslh_normal(c, sslh_dim2(7, 5), 0, 2), *queue = sslh_normal(c, sslh_dim2(9, 5), 0, 1);
        sslh_tensor *x, *loss;
        double worst = 0;
        size_t k;
        x = sslh_requires_grad(sslh_shift(c, t, i == 0 ? 3.0f : 0.0f)); /* distances and angles do not mind it either */
        loss = i == 0 ? sslh_distill_loss(c, x, t, 3) : i == 1 ? sslh_rkd_distance(c, x, t)
             : i == 2 ? sslh_rkd_angle(c, x, t) : sslh_seed_loss(c, x, t, queue, 0.1f, 0.1f);
        CHECK(fabs((double)sslh_item(loss)) < 3e-6, "loss %d: %g", i, (double)sslh_item(loss));
        sslh_backward(c, loss);
        for (k = 0; k < x->count && x->grad; k++) worst = fmax(worst, fabs((double)x->grad[k]));
        CHECK(worst < 3e-6, "loss %d: gradient %g", i, worst);
        sslh_begin_step(c);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* For large T the loss is half the variance over the classes of the difference of the logits, and comes the nearer to
   it the larger T is; without the factor T^2 it would vanish. */
static void large_temperatures(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *s = sslh_normal(c, sslh_dim2(40, 6), 0, 1), *t = sslh_normal(c, sslh_dim2(40, 6), 0, 1);
    const double limit = 0.5 * (double)sslh_item(sslh_mean(c, sslh_variance(c, sslh_sub(c, s, t), SSLH_AXIS(1), 0, 0),
                                                           SSLH_ALL, 0));
    double before = HUGE_VAL;
    float T;
    for (T = 2; T < 40; T *= 2) {
        const double off = fabs((double)sslh_item(sslh_distill_loss(c, s, t, T)) / limit - 1);
        CHECK(off < before, "T = %g: %g is no nearer than %g", (double)T, off, before);
        before = off;
    }
    CHECK(before < 0.01, "T = 32: %g off the limit", before);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Relations do not change when all rows are turned, shifted and scaled together; they do when one axis is stretched. */
static void relations_are_kept(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *t = sslh_normal(c, sslh_dim2(9, 2), 0, 1), *x = sslh_zeros(c, sslh_dim2(9, 2));
    int i, way;
    for (way = 0; way < 2; way++) {
        double distance, angle;
        for (i = 0; i < 9; i++) { /* by 36.87 degrees, 2.5 times as large */
            const float a = (float)t->data[2 * i], b = (float)t->data[2 * i + 1] * (way ? 3 : 1);
            x->data[2 * i] = (sslh_real)(2.5f * (0.8f * a - 0.6f * b) + 4);
            x->data[2 * i + 1] = (sslh_real)(2.5f * (0.6f * a + 0.8f * b) - 1);
        }
        distance = (double)sslh_item(sslh_rkd_distance(c, x, t));
        angle = (double)sslh_item(sslh_rkd_angle(c, x, t));
        if (!way) CHECK(distance < 1e-9 && angle < 1e-9, "%g, %g after a turn", distance, angle);
        else CHECK(distance > 1e-3 && angle > 1e-3, "%g, %g after a stretch", distance, angle);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}
/* Equal rows have finite gradients, and a row is at distance 0 from itself. */
static void equal_rows(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *x = sslh_requires_grad(sslh_full(c, sslh_dim2(4, 3), 1)), *t = sslh_normal(c, sslh_dim2(4, 3), 0, 1);
    size_t i;
    sslh_backward(c, sslh_add(c, sslh_rkd_distance(c, x, t), sslh_rkd_angle(c, x, t)));
    CHECK_OK(c);
    for (i = 0; i < x->count; i++) CHECK(fabs((double)x->grad[i]) < 1e9, "gradient %g", (double)x->grad[i]);
    sslh_destroy(c);
}
static void wrong_losses(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *a = sslh_persist(sslh_zeros(c, sslh_dim2(3, 4)));
    sslh_tensor *b = sslh_persist(sslh_zeros(c, sslh_dim2(2, 4)));
    sslh_distill_loss(c, a, b, 4);
    CHECK_ERROR(c, "sslh_distill_loss: (3,4) and (2,4): two matrices (N,D) of one shape are needed");
    sslh_distill_loss(c, a, a, 0);
    CHECK_ERROR(c, "sslh_distill_loss: temperature 0: it must be above 0 and at most 1000");
    sslh_distill_loss(c, a, a, NAN);
    CHECK_ERROR(c, "sslh_distill_loss: temperature");
    sslh_distill_loss(c, NULL, a, 1);
    CHECK_ERROR(c, "sslh_distill_loss: input 1 is NULL");
    sslh_rkd_distance(c, a, b);
    CHECK_ERROR(c, "sslh_rkd_distance: (3,4) and (2,4): (N,D) and (N,E) with at least two rows are needed");
    b = sslh_zeros(c, sslh_dim2(1, 4));
    sslh_rkd_angle(c, b, b);
    CHECK_ERROR(c, "sslh_rkd_angle: (1,4) and (1,4)");
    sslh_seed_loss(c, a, a, sslh_zeros(c, sslh_dim2(5, 3)), 1, 1);
    CHECK_ERROR(c, "sslh_seed_loss: the queue is (5,3): (K,4) is needed");
    sslh_seed_loss(c, a, a, a, 1, -1);
    CHECK_ERROR(c, "sslh_seed_loss: temperature -1");
    sslh_destroy(c);
}

/* --- an encoder with a head --------------------------------------------------------------------------------------- */

static void chains(void) {
    sslh_ctx *c = context(1);
    sslh_net *encoder = convnet(c, 4, 5, 0), *head = linear(c, 6, 3), *net = sslh_chain(c, encoder, head), *copy;
    sslh_tensor *x = pictures(c, 4), *a, *b;
    NONE(sslh_forward_desc, f);
    sslh_train_mode(net, 0);
    sslh_no_grad(c, 1);
    a = sslh_forward(net, x), b = sslh_forward(head, sslh_forward(encoder, x));
    CHECK(memcmp(a->data, b->data, a->count * sizeof *a->data) == 0, "head after encoder");
    f.tap = "features";
    a = sslh_forward_ex(net, x, f), b = sslh_forward(encoder, x);
    CHECK(memcmp(a->data, b->data, a->count * sizeof *a->data) == 0, "features");
    copy = sslh_clone(net);
    CHECK(differ(c, copy, net, x, 0) == 0, "a clone");
    CHECK(sslh_net_query(net).width == 3 && sslh_find(net, "encoder.conv1.weight") && sslh_find(net, "head.fc1.bias"),
          "its parts");
    sslh_no_grad(c, 0);
    CHECK_OK(c);
    sslh_chain(c, encoder, NULL);
    CHECK_ERROR(c, "sslh_chain: this net could not be made");
    sslh_chain(c, NULL, head);
    CHECK_ERROR(c, "sslh_chain: the encoder is NULL");
    sslh_chain(c, encoder, encoder);
    CHECK_ERROR(c, "sslh_chain: the head wants 3 values, and the encoder gives 6");
    sslh_destroy(c);
}

#if SSLH_WITH_CLASSIFIERS
/* The net of a classifier says of images what the classifier says of their features, standardised or not. */
static void nets_of_classifiers(void) {
    sslh_ctx *c = context(1);
    sslh_data data = images(c, 60, 3);
    sslh_net *encoder = convnet(c, 4, 5, 0), *net;
    NONE(sslh_feature_desc, fd);
    NONE(sslh_logistic_desc, ld);
    NONE(sslh_forest_desc, forest);
    NONE(sslh_finetune_desc, tune);
    sslh_tensor *x = sslh_features(c, encoder, data, fd);
    sslh_classifier *k = sslh_logistic(c, x, data.labels, 3, ld);
    double right = (double)sslh_classifier_accuracy(k, x, data.labels);
    net = sslh_classifier_net(k, encoder);
    CHECK(right > 0.5 && right == (double)sslh_net_accuracy(c, net, data), "%g, the net %g", right,
          (double)sslh_net_accuracy(c, net, data));
    tune.epochs = 3;
    k = sslh_finetune_keep(c, encoder, data, tune);
    net = sslh_classifier_net(k, NULL);
    x = sslh_features(c, sslh_classifier_query(k).encoder, data, fd);
    right = (double)sslh_classifier_accuracy(k, x, data.labels);
    CHECK_NEAR(sslh_net_accuracy(c, net, data), right, 1e-6);
    CHECK_OK(c);
    sslh_classifier_net(sslh_forest(c, x, data.labels, 3, forest), encoder);
    CHECK_ERROR(c, "sslh_classifier_net: a forest has no gradient");
    sslh_classifier_net(sslh_logistic(c, x, data.labels, 3, ld), linear(c, 192, 4));
    CHECK_ERROR(c, "sslh_classifier_net: the encoder gives 4 features, the classifier was fitted to 6");
    sslh_classifier_net(sslh_logistic(c, x, data.labels, 3, ld), NULL);
    CHECK_ERROR(c, "sslh_classifier_net: the encoder is NULL");
    CHECK(sslh_net_query(sslh_classifier_net(NULL, encoder)).params == 0, "no classifier");
    sslh_net_accuracy(c, linear(c, 192, 2), data);
    CHECK_ERROR(c, "sslh_net_accuracy: the net \"mlp\" gives 2 values, and the data have 3 classes");
    sslh_destroy(c);
}
#endif

/* --- distillation as a method ------------------------------------------------------------------------------------- */

static sslh_net *teacher_of(sslh_ctx *c, int kind) {
    sslh_net *encoder = convnet(c, 8, 8, 0);
    return kind == SSLH_DISTILL_LOGITS ? sslh_chain(c, encoder, linear(c, 6, 3)) : encoder;
}
static float agreement;
static int note_agreement(const sslh_train_info *t, void *user) {
    (void)user;
    agreement = t->numbers[0].value;
    return 0;
}
/* Every kind: the loss falls, the student comes to agree, and the teacher is not touched, whatever its mode. */
static void students_learn(void) {
    int kind;
    for (kind = 1; kind <= 5; kind++) {
        sslh_ctx *c = context(1);
        sslh_data data = images(c, 128, 3);
        sslh_net *teacher = teacher_of(c, kind);
        uint64_t before;
        float losses[8], first;
        sslh_method m;
        sslh_train_desc d = quiet(1, 32);
        sslh_recipe as_they_are = SSLH_VIEWS_NONE;
        NONE(sslh_distill_desc, dd);
        dd.kind = kind, dd.queue = 64, dd.views = &as_they_are;
        m = sslh_distill(c, convnet(c, 4, 6, 0), teacher, dd);
        stir(teacher);
        sslh_train_mode(teacher, 1);
        before = sslh_hash(teacher);
        d.lr = 0.01f, d.callback = note_agreement, d.losses = losses;
        sslh_train(c, m, data, d);
        first = agreement;
        d.epochs = 8;
        sslh_train(c, m, data, d);
        CHECK_OK(c);
        CHECK(losses[7] < losses[0] && losses[7] >= 0, "kind %d: losses %g to %g", kind, (double)losses[0],
              (double)losses[7]);
        if (kind == SSLH_DISTILL_RELATIONS || kind == SSLH_DISTILL_SIMILARITY)
            CHECK(agreement >= 0 && agreement <= 1, "kind %d: agreement %g", kind, (double)agreement);
        else CHECK(agreement > first && agreement <= 1, "kind %d: agreement %g, then %g", kind, (double)first,
                   (double)agreement);
        CHECK(sslh_hash(teacher) == before && sslh_is_training(teacher), "kind %d: the teacher has changed", kind);
        sslh_destroy(c);
    }
}
/* A student that is a copy of its teacher, both without batch statistics: the loss is 0 and nothing moves. */
static void copies_rest(void) {
    sslh_ctx *c = context(1);
    sslh_data data = images(c, 32, 3);
    sslh_net *teacher = convnet(c, 4, 6, SSLH_OFF), *student = sslh_clone(teacher);
    sslh_train_desc d = quiet(1, 16);
    sslh_method m;
    float loss;
    double moved;
    NONE(sslh_distill_desc, dd);
    dd.kind = SSLH_DISTILL_RELATIONS;
    m = sslh_distill(c, student, teacher, dd);
    m.prepare(&m, data); /* the student's normalisation */
    sslh_set_preprocess(teacher, sslh_get_preprocess(student));
    d.optimizer.kind = SSLH_SGD, d.lr = 0.1f;
    loss = sslh_train(c, m, data, d);
    CHECK_OK(c);
    moved = differ(c, student, teacher, pictures(c, 8), 0);
    CHECK(loss < 1e-10f && moved < 1e-6, "loss %g, moved by %g", (double)loss, moved);
    sslh_destroy(c);
}
/* The method's loss from its parts: logits with labels, hints at each place of two maps and, where the sides differ,
   between their averages. */
static void losses_by_hand(void) {
    static const char *const tap[3] = {NULL, "block1", "block1"}, *const teacher_tap[3] = {NULL, "block1", "block2"};
    static const int32_t label[6] = {0, 2, -1, 1, -1, 2};
    int i;
    for (i = 0; i < 3; i++) {
        sslh_ctx *c = context(1);
        sslh_data data = images(c, 12, 3);
        sslh_net *teacher = i ? convnet(c, 8, 9, SSLH_OFF) : sslh_chain(c, convnet(c, 8, 9, SSLH_OFF), linear(c, 6, 3));
        sslh_net *student = convnet(c, 4, 6, SSLH_OFF), *head;
        sslh_tensor *x, *s, *t, *want, *labels;
        sslh_method m;
        sslh_view_set v;
        NONE(sslh_distill_desc, d);
        NONE(sslh_forward_desc, f);
        d.kind = i ? SSLH_DISTILL_HINT : SSLH_DISTILL_LOGITS;
        d.tap = tap[i], d.teacher_tap = teacher_tap[i];
        if (!i) d.labels = 0.25f, d.temperature = 2;
        m = sslh_distill(c, student, teacher, d);
        m.prepare(&m, data);
        sslh_set_preprocess(teacher, sslh_get_preprocess(student));
        head = sslh_child_at(m.net, 1);
        x = pictures(c, 6), labels = sslh_from_ints(c, sslh_dim1(6), label);
        memset(&v, 0, sizeof v);
        sslh_view_add(&v, "images", x);
        if (!i) sslh_view_add(&v, "labels", labels);
        want = m.loss(&m, &v, 0);
        {
            const sslh_preprocess p = sslh_get_preprocess(student);
            int k;
            sslh_tensor *mean = sslh_zeros(c, sslh_dim1(3)), *std = sslh_zeros(c, sslh_dim1(3));
            for (k = 0; k < 3; k++) mean->data[k] = (sslh_real)p.mean[k], std->data[k] = (sslh_real)p.std[k];
            x = sslh_div(c, sslh_sub(c, x, mean), std);
        }
        f.tap = tap[i], s = sslh_forward_ex(student, x, f);
        f.tap = teacher_tap[i], t = sslh_forward_ex(teacher, x, f);
        if (i == 2) s = sslh_global_avg_pool(c, s), t = sslh_global_avg_pool(c, t);
        s = sslh_forward(head, sslh_reshape(c, s, sslh_dim2(-1, s->shape[s->ndim - 1])));
        t = sslh_reshape(c, t, sslh_dim2(-1, t->shape[t->ndim - 1]));
        s = i ? sslh_mse(c, s, sslh_standardize(c, t, SSLH_AXIS(0), 0))
              : sslh_add(c, sslh_scale(c, sslh_distill_loss(c, s, t, 2), 0.75f),
                         sslh_scale(c, sslh_cross_entropy_ex(c, s, labels, 0, -1), 0.25f));
        CHECK_OK(c);
        CHECK(fabs((double)sslh_item(s) - (double)sslh_item(want)) < 1e-5 * (double)sslh_item(want) &&
              sslh_item(want) > 0, "way %d: %g, by hand %g", i, (double)sslh_item(want), (double)sslh_item(s));
        if (i) CHECK(fabs((double)m.numbers[0].value - (1 - (double)sslh_item(want))) < 1e-5, "explained");
        sslh_destroy(c);
    }
}
/* The samples whose labels are used are those of sslh_data_fraction, with which sslh_finetune draws, in subsets too. */
static void the_same_labels(void) {
    sslh_ctx *c = context(1);
    sslh_data all = images(c, 90, 3), data = sslh_data_range(all, 10, 80), part = sslh_data_fraction(data, 0.2, 3);
    sslh_method m;
    sslh_loader *loader;
    sslh_batch batch;
    sslh_view_set v;
    int used[90], i, n = 0;
    NONE(sslh_loader_desc, ld);
    NONE(sslh_distill_desc, dd);
    memset(used, 0, sizeof used);
    dd.labels = 0.3f, dd.fraction = 0.2f, dd.fraction_seed = 3;
    m = sslh_distill(c, convnet(c, 4, 6, 0), teacher_of(c, SSLH_DISTILL_LOGITS), dd);
    m.prepare(&m, data);
    ld.batch = 7;
    loader = sslh_loader_new(c, data, ld);
    while (sslh_next_batch(loader, &batch)) {
        sslh_tensor *labels;
        memset(&v, 0, sizeof v);
        m.views(&m, &batch, &v);
        labels = sslh_view_get(&v, "labels");
        for (i = 0; i < batch.count; i++)
            if (labels->ints[i] >= 0) {
                used[batch.index[i]]++, n++;
                CHECK(labels->ints[i] == batch.labels[i], "another label");
            }
        CHECK(sslh_item(m.loss(&m, &v, 0)) > 0, "a loss with some labels or none");
    }
    CHECK_OK(c);
    CHECK(n == part.count && n == 15, "%d labels of %d", n, (int)part.count);
    ld.in_order = 1;
    loader = sslh_loader_new(c, part, ld);
    while (sslh_next_batch(loader, &batch))
        for (i = 0; i < batch.count; i++) CHECK(used[batch.index[i]] == 1, "sample %d", (int)batch.index[i]);
    CHECK_OK(c);
    sslh_destroy(c);
}
/* Interrupted and resumed: the same bits, for one thread and three. */
static void resumed(void) {
    int kind, turn;
    for (kind = 1; kind <= 5; kind += 3) { /* with labels; with a queue */
        char path[512];
        uint64_t whole[3];
        snprintf(path, sizeof path, "%s", test_temporary("distill.safetensors"));
        for (turn = 0; turn < 3; turn++) {
            sslh_ctx *c = context(turn == 1 ? 3 : 1);
            sslh_data data = images(c, 64, 3);
            sslh_train_desc d = quiet(2, 16);
            sslh_method m;
            NONE(sslh_distill_desc, dd);
            dd.kind = kind, dd.queue = 32, dd.fraction = 0.5f;
            if (kind == 1) dd.labels = 0.5f;
            if (turn == 2) d.checkpoint = path, d.max_steps = 3;
            m = sslh_distill(c, convnet(c, 4, 6, 0), teacher_of(c, kind), dd);
            sslh_train(c, m, data, d);
            if (turn == 2) {
                CHECK_OK(c);
                sslh_destroy(c);
                c = context(1), data = images(c, 64, 3);
                d.max_steps = 0, d.resume = 1;
                m = sslh_distill(c, convnet(c, 4, 6, 0), teacher_of(c, kind), dd);
                sslh_train(c, m, data, d);
            }
            CHECK_OK(c);
            whole[turn] = sslh_hash(m.net);
            sslh_destroy(c);
        }
        CHECK(whole[0] == whole[1] && whole[0] == whole[2], "kind %d: other bits", kind);
        test_remove(path);
    }
}
/* A net that is asked keeps the mode of each of its parts: here the encoder is in evaluation, the chain around it in
   training mode. */
static void modes_stay(void) {
    sslh_ctx *c = context(1);
    sslh_data data = images(c, 24, 3);
    sslh_net *encoder = convnet(c, 4, 6, 0), *teacher = sslh_chain(c, encoder, linear(c, 6, 3));
    NONE(sslh_distill_desc, d);
    NONE(sslh_feature_desc, f);
    NONE(sslh_deepen_desc, deeper);
    int what;
    for (what = 0; what < 4; what++) {
        sslh_train_mode(teacher, 1);
        sslh_train_mode(encoder, 0);
        if (what == 0) sslh_features(c, teacher, data, f);
        if (what == 1) sslh_net_accuracy(c, teacher, data);
        if (what == 2) sslh_train(c, sslh_distill(c, convnet(c, 4, 5, 0), teacher, d), data, quiet(1, 8));
        if (what == 3) f.tap = "nowhere", sslh_features(c, teacher, data, f);
        CHECK(sslh_is_training(teacher) && !sslh_is_training(encoder), "call %d: chain %d, encoder %d", what,
              sslh_is_training(teacher), sslh_is_training(encoder));
        if (what < 3) CHECK_OK(c);
        sslh_clear_error(c);
    }
    deeper.layer = 1, deeper.sample = pictures(c, 4);
    sslh_train_mode(encoder, 1);
    sslh_net_deepen(encoder, deeper);
    CHECK(sslh_is_training(encoder), "the net that was deepened");
    CHECK_OK(c);
    sslh_destroy(c);
}
/* A net that gives fewer values, or fewer rows, than it declares: an error, and nothing is read that is not there. */
static sslh_tensor *liar(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_ctx *c = sslh_net_ctx(net);
    x = sslh_reshape(c, x, sslh_dim2(x->shape[0], -1));
    return *(const int *)self ? sslh_slice(c, sslh_slice(c, x, 0, 0, 1), 1, 0, 5) : sslh_slice(c, x, 1, 0, 2);
}
static void less_than_declared(void) {
    int way;
    for (way = 0; way < 2; way++) {
        sslh_ctx *c = context(1);
        NONE(sslh_net_desc, d);
        d.name = "liar", d.forward = liar, d.self = &way, d.self_size = sizeof way, d.width = 5;
        sslh_net_accuracy(c, sslh_net_new(c, d), images(c, 12, 5));
        CHECK_ERROR(c, way ? "sslh_net_accuracy: the net gives (1,5) for 12 images: 12 rows of at least 5 values"
                           : "sslh_net_accuracy: the net gives (12,2) for 12 images");
        sslh_destroy(c);
    }
}
/* The samples whose labels are used belong to the method: a rewind behind it takes them as little as the method. */
static void labels_after_a_rewind(void) {
    uint64_t hash[2];
    int way;
    for (way = 0; way < 2; way++) {
        sslh_ctx *c = context(1);
        sslh_data data = images(c, 64, 3);
        sslh_method m;
        sslh_tensor *other;
        int64_t mark;
        size_t i;
        NONE(sslh_distill_desc, d);
        d.labels = 0.5f, d.fraction = 0.5f;
        m = sslh_distill(c, convnet(c, 4, 6, 0), teacher_of(c, 1), d);
        mark = sslh_mark(c);
        m.prepare(&m, data);
        if (way) sslh_rewind(c, mark);
        other = sslh_persist(sslh_full(c, sslh_dim1(4096), 1)); /* what takes the place of freed memory */
        for (i = 0; i < other->count; i++) other->data[i] = (sslh_real)i;
        sslh_train(c, m, data, quiet(1, 16));
        CHECK_OK(c);
        hash[way] = sslh_hash(m.net);
        sslh_destroy(c);
    }
    CHECK(hash[0] == hash[1], "the rewind has changed the training");
}
static void wrong_teachers(void) {
    sslh_ctx *c = context(1), *other = context(1);
    sslh_data data = images(c, 12, 4), bare = data;
    sslh_net *student = convnet(c, 4, 6, 0), *teacher = teacher_of(c, 1);
    sslh_method m;
    NONE(sslh_distill_desc, d);
    NONE(sslh_convnet_desc, map);
    sslh_distill(c, student, NULL, d);
    CHECK_ERROR(c, "sslh_distill: the teacher could not be made (NULL");
    sslh_distill(c, NULL, teacher, d);
    CHECK_ERROR(c, "sslh_distill: the encoder is NULL");
    sslh_distill(c, student, student, d);
    CHECK_ERROR(c, "sslh_distill: student and teacher are one net");
    sslh_distill(c, student, sslh_chain(c, student, linear(c, 6, 3)), d);
    CHECK_ERROR(c, "sslh_distill: student and teacher share the net \"convnet\"");
    sslh_distill(c, sslh_chain(c, teacher, linear(c, 3, 3)), teacher, d);
    CHECK_ERROR(c, "sslh_distill: student and teacher share the net");
    sslh_distill(c, student, convnet(other, 4, 6, 0), d);
    CHECK_ERROR(c, "sslh_distill: the teacher belongs to another context");
    map.map_output = 1;
    sslh_distill(c, student, sslh_convnet(c, map), d);
    CHECK_ERROR(c, "sslh_distill: the teacher \"convnet\" gives no logits (N,K)");
    d.teacher_tap = "nowhere";
    sslh_distill(c, student, teacher, d);
    CHECK_ERROR(c, "no intermediate result 'nowhere'");
    d.teacher_tap = NULL, d.kind = 6;
    sslh_distill(c, student, teacher, d);
    CHECK_ERROR(c, "sslh_distill: .kind is 6 (1 to 5)");
    d.kind = SSLH_DISTILL_HINT, d.labels = 0.5f;
    sslh_distill(c, student, teacher, d);
    CHECK_ERROR(c, "sslh_distill: .labels is 0.5, which only .kind 1 (logits) has");
    d.kind = SSLH_DISTILL_RELATIONS, d.labels = 0, d.distance = d.angle = SSLH_OFF;
    sslh_distill(c, student, teacher, d);
    CHECK_ERROR(c, "sslh_distill: .distance and .angle are both off");
    d.distance = d.angle = 0, d.labels = 0.5f;
    d.kind = 1;
    m = sslh_distill(c, student, teacher, d);
    sslh_train(c, m, data, quiet(1, 4));
    CHECK_ERROR(c, "sslh_distill: the data have 4 classes, and the teacher knows 3");
    bare.labels = NULL, bare.classes = 0;
    sslh_train(c, m, bare, quiet(1, 4));
    CHECK_ERROR(c, "sslh_distill: .labels is 0.5, and the data have no labels");
    sslh_train(c, m, data, quiet(1, 1));
    CHECK(sslh_error(c) != NULL, "a batch of one");
    sslh_clear_error(c);
    d.kind = SSLH_DISTILL_REGRESSION, d.labels = 0;
    m = sslh_distill(c, student, teacher, d);
    sslh_distill_classifier(&m);
    CHECK_ERROR(c, "sslh_distill_classifier: a student of logits");
    sslh_distill_classifier(NULL);
    sslh_method_make(c, "distill", student, data, NULL);
    CHECK_ERROR(c, "sslh_distill");
    sslh_destroy(c), sslh_destroy(other);
}
/* From a teacher that knows the classes, without a label, a smaller student learns to tell them. */
static void classes_without_labels(void) {
    sslh_ctx *c = context(1);
    sslh_data data = images(c, 256, 4);
    sslh_method m;
    sslh_train_desc d = quiet(12, 32);
    double right;
    sslh_recipe as_they_are = SSLH_VIEWS_NONE; /* the patterns survive no crop */
    NONE(sslh_finetune_desc, tune);
    NONE(sslh_distill_desc, dd);
#if SSLH_WITH_CLASSIFIERS
    tune.lr = 0.01f, tune.batch = 32, tune.views = dd.views = &as_they_are;
    m = sslh_distill(c, convnet(c, 4, 6, 0), sslh_classifier_net(sslh_finetune_keep(c, convnet(c, 8, 8, 0), data,
                     tune), NULL), dd);
    data.labels = NULL, data.classes = 0;
    d.lr = 0.01f;
    sslh_train(c, m, data, d);
    CHECK_OK(c);
    right = (double)sslh_net_accuracy(c, sslh_distill_classifier(&m), images(c, 256, 4));
    CHECK(right > 0.6, "%.3f", right); /* 0.25 by chance */
    CHECK_OK(c);
#else
    (void)as_they_are, (void)tune, (void)dd, (void)m, (void)d, (void)right, (void)data;
#endif
    sslh_destroy(c);
}

/* --- wider, deeper, narrower -------------------------------------------------------------------------------------- */

enum { MLP, MLP_NORM, CONVNET, CONVNET_PLAIN, VIT, CONVNEXT, NETS };
static const char *const net_name[NETS] = {"MLP", "MLP with batch norm", "convnet", "convnet without norm", "ViT",
                                           "ConvNeXt"};
static sslh_net *a_net(sslh_ctx *c, int which) {
    NONE(sslh_vit_desc, v);
    NONE(sslh_convnext_desc, n);
    v.image = 8, v.patch = 4, v.width = 12, v.depth = 2;
    n.stem = 1, n.depths[0] = 2, n.depths[1] = 1, n.widths[0] = 4, n.widths[1] = 8;
    if (which == MLP || which == MLP_NORM) return mlp(c, which == MLP_NORM);
    if (which == VIT) return sslh_vit(c, v);
    if (which == CONVNEXT) return sslh_convnext(c, n);
    return convnet(c, 5, 7, which == CONVNET ? 0 : SSLH_OFF);
}
/* The same function, to rounding, in both modes; each copy of a unit, however the shares are drawn; the old net is left
   as it was; the new one can be saved. */
static void wider_is_the_same(void) {
    int which, layer, noise;
    for (which = MLP; which <= CONVNET_PLAIN; which++)
        for (layer = 1; layer <= 2; layer++)
            for (noise = 0; noise < 2; noise++) {
                sslh_ctx *c = context(1);
                sslh_net *net = a_net(c, which), *wide;
                sslh_tensor *x = pictures(c, 6);
                uint64_t before;
                char path[512];
                NONE(sslh_widen_desc, d);
                stir(net);
                before = sslh_hash(net);
                d.layer = layer, d.width = layer == 1 ? 0 : 23, d.seed = 5; /* three of some and more */
                if (noise) d.noise = SSLH_OFF;
                wide = sslh_net_widen(net, d);
                CHECK_OK(c);
                CHECK(sslh_hash(net) == before, "%s: the old net has changed", net_name[which]);
                CHECK(differ(c, net, wide, x, 0) < 2e-6, "%s, layer %d: off by %g", net_name[which], layer,
                      differ(c, net, wide, x, 0));
                CHECK(differ(c, net, wide, x, 1) < 2e-5, "%s, layer %d, training: off by %g", net_name[which], layer,
                      differ(c, net, wide, x, 1));
                CHECK(sslh_net_query(wide).params > sslh_net_query(net).params && sslh_net_query(wide).width ==
                      sslh_net_query(net).width, "sizes");
                snprintf(path, sizeof path, "%s", test_temporary("wide.safetensors"));
                sslh_save_net(wide, path);
                CHECK(differ(c, wide, sslh_load_net(c, path), x, 0) == 0, "%s: saved and loaded", net_name[which]);
                CHECK_OK(c);
                test_remove(path);
                sslh_destroy(c);
            }
}
/* Equal shares: a unit and its copy have the same gradient, and will for ever; unequal ones part. */
static void copies_part(void) {
    int noise;
    for (noise = 0; noise < 2; noise++) {
        sslh_ctx *c = context(1);
        sslh_net *wide;
        sslh_tensor *w, *x = pictures(c, 6);
        double same = 0, size = 0;
        int i, j;
        NONE(sslh_widen_desc, d);
        d.layer = 1, d.width = 10;
        if (noise) d.noise = SSLH_OFF;
        wide = sslh_net_widen(mlp(c, 0), d); /* 9 units, and a copy of one of them */
        sslh_backward(c, sslh_mean(c, sslh_square(c, sslh_forward(wide, x)), SSLH_ALL, 0));
        w = sslh_find(wide, "fc1.weight");
        for (j = 0; j < 9; j++)
            if (memcmp(w->data + j * 192, w->data + 9 * 192, 192 * sizeof *w->data) == 0) break;
        CHECK(j < 9, "no unit has a copy");
        for (i = 0; j < 9 && i < 192; i++) {
            same = fmax(same, fabs((double)w->grad[j * 192 + i] - (double)w->grad[9 * 192 + i]));
            size = fmax(size, fabs((double)w->grad[j * 192 + i]));
        }
        CHECK(size > 0 && (noise ? same < 1e-6 * size : same > 1e-3 * size), "gradients differ by %g of %g", same,
              size);
        CHECK_OK(c);
        sslh_destroy(c);
    }
}
/* One more layer at every place: the same function in evaluation mode, in training mode nearly, where a sample has told
   the new norm what to expect, and where there is no batch norm exactly. */
static void deeper_is_the_same(void) {
    int which, layer, sample;
    for (which = 0; which < NETS; which++)
        for (layer = 1; layer <= 3; layer++)
            for (sample = 0; sample < 2; sample++) {
                sslh_ctx *c = context(1);
                sslh_net *net = a_net(c, which), *deep;
                sslh_tensor *x = pictures(c, 64);
                const int norm = which == MLP_NORM || which == CONVNET;
                double off;
                char path[512];
                NONE(sslh_deepen_desc, d);
                if ((which <= MLP_NORM || which == VIT) && layer == 3) { sslh_destroy(c); continue; }
                if (!norm) stir(net);
                else { /* running statistics that belong to the images: the mean of a few steps */
                    int i;
                    sslh_train_mode(net, 1);
                    sslh_no_grad(c, 1);
                    for (i = 0; i < 80; i++) sslh_forward(net, x);
                    sslh_no_grad(c, 0);
                }
                d.layer = layer;
                if (sample) d.sample = x;
                deep = sslh_net_deepen(net, d);
                CHECK_OK(c);
                off = differ(c, net, deep, x, 0);
                CHECK(off < 3e-6, "%s, layer %d: off by %g", net_name[which], layer, off);
                off = differ(c, net, deep, x, 1);
                if (!norm) CHECK(off < 3e-6, "%s, layer %d, training: off by %g", net_name[which], layer, off);
                else if (sample) CHECK(off < 0.03, "%s, layer %d, training: off by %g", net_name[which], layer, off);
                else CHECK(off > 0.1, "%s, layer %d: statistics are not needed?", net_name[which], layer);
                CHECK(sslh_net_query(deep).params > sslh_net_query(net).params, "sizes");
                snprintf(path, sizeof path, "%s", test_temporary("deep.safetensors"));
                sslh_save_net(deep, path);
                CHECK(differ(c, deep, sslh_load_net(c, path), x, 0) == 0, "%s: saved and loaded", net_name[which]);
                CHECK_OK(c);
                test_remove(path);
                sslh_destroy(c);
            }
}
/* What was added takes part in the training from the first step on. */
static void additions_learn(void) {
    static const char *const at[NETS] = {"fc2.weight", "fc2.weight", "conv2.weight", "conv2.weight",
                                         "blocks.1.mlp.fc2.weight", "features.1.1.layer_scale"};
    int which;
    for (which = 0; which < NETS; which++) {
        sslh_ctx *c = context(1);
        sslh_net *deep;
        const sslh_tensor *w;
        double size = 0;
        size_t i;
        NONE(sslh_deepen_desc, d);
        d.layer = 1;
        deep = sslh_net_deepen(a_net(c, which), d);
        sslh_backward(c, sslh_mean(c, sslh_square(c, sslh_forward(deep, pictures(c, 6))), SSLH_ALL, 0));
        w = sslh_find(deep, at[which]);
        if (CHECK(w != NULL, "%s has no %s", net_name[which], at[which]))
            for (i = 0; i < w->count; i++) size = fmax(size, fabs((double)w->grad[i]));
        CHECK(size > 0, "%s: no gradient", net_name[which]);
        CHECK_OK(c);
        sslh_destroy(c);
    }
}
/* Filters whose results nobody reads are the weakest: without them the function is the same, and the others keep their
   order. */
static void the_idle_go(void) {
    int which, kind;
    for (which = MLP; which <= CONVNET_PLAIN; which++)
        for (kind = 1; kind <= 2; kind++) {
            static const int idle[3] = {0, 2, 4};
            sslh_ctx *c = context(1);
            sslh_net *net = a_net(c, which), *small;
            sslh_tensor *x = pictures(c, 6), *first, *second, *gain;
            const int conv = which >= CONVNET, norm = which == MLP_NORM || which == CONVNET;
            int i, o, width;
            size_t each, k, places;
            NONE(sslh_prune_desc, d);
            if (kind == SSLH_PRUNE_GAMMA && !norm) { sslh_destroy(c); continue; }
            stir(net);
            first = sslh_find(net, conv ? "conv1.weight" : "fc1.weight");
            second = sslh_find(net, conv ? "conv2.weight" : "fc2.weight");
            gain = norm ? sslh_find(net, "bn1.weight") : NULL;
            width = first->shape[0];
            each = first->count / (size_t)width;
            places = second->count / (size_t)second->shape[0] / (size_t)width;
            for (i = 0; i < 3; i++) {
                for (k = 0; k < each; k++) first->data[(size_t)idle[i] * each + k] *= 0.001f;
                if (gain) gain->data[idle[i]] = -1e-4f;
                for (o = 0; o < second->shape[0]; o++)
                    for (k = 0; k < places; k++)
                        second->data[((size_t)o * places + k) * (size_t)width + (size_t)idle[i]] = 0;
            }
            d.share = 3.0f / (float)width, d.layer = 1, d.kind = kind;
            small = sslh_net_prune_filters(net, d);
            CHECK_OK(c);
            CHECK(sslh_find(small, conv ? "conv1.weight" : "fc1.weight")->shape[0] == width - 3, "width");
            CHECK(differ(c, net, small, x, 0) < 2e-6 && differ(c, net, small, x, 1) < 2e-5, "%s: off by %g",
                  net_name[which], differ(c, net, small, x, 0));
            first = sslh_find(net, conv ? "conv1.weight" : "fc1.weight");
            second = sslh_find(small, conv ? "conv1.weight" : "fc1.weight");
            CHECK(memcmp(first->data + each, second->data, each * sizeof *first->data) == 0 &&
                  memcmp(first->data + 3 * each, second->data + each, each * sizeof *first->data) == 0, "order");
            sslh_destroy(c);
        }
}
/* All layers but the last lose their share; chance takes others than the norm; the seed decides. */
static void shares(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = convnet(c, 10, 20, 0), *a, *b, *random;
    NONE(sslh_prune_desc, d);
    d.share = 0.3f;
    a = sslh_net_prune_filters(net, d);
    CHECK(sslh_find(a, "conv1.weight")->shape[0] == 7 && sslh_find(a, "conv2.weight")->shape[0] == 14 &&
          sslh_find(a, "conv2.weight")->shape[3] == 7 && sslh_find(a, "conv3.weight")->shape[0] == 6, "widths");
    d.kind = SSLH_PRUNE_RANDOM, d.seed = 1;
    random = sslh_net_prune_filters(net, d);
    b = sslh_net_prune_filters(net, d);
    CHECK(sslh_hash(random) == sslh_hash(b) && sslh_hash(random) != sslh_hash(a), "drawn");
    d.seed = 2;
    CHECK(sslh_hash(sslh_net_prune_filters(net, d)) != sslh_hash(random), "another seed");
    d.share = 0.999f;
    CHECK(sslh_find(sslh_net_prune_filters(net, d), "conv2.weight")->shape[0] == 1, "one stays");
    CHECK_OK(c);
    sslh_destroy(c);
}
/* Mode, freezing, normalisation and the rates of parameters go along. */
static void what_goes_along(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = convnet(c, 5, 7, 0), *made[3];
    NONE(sslh_widen_desc, w);
    NONE(sslh_deepen_desc, d);
    NONE(sslh_prune_desc, p);
    NONE(sslh_preprocess, prep);
    int i;
    prep.mean[0] = 0.25f, prep.std[0] = 0.5f;
    sslh_set_preprocess(net, prep);
    sslh_train_mode(net, 0);
    sslh_freeze(net, 1);
    w.layer = d.layer = 1, p.share = 0.3f;
    made[0] = sslh_net_widen(net, w), made[1] = sslh_net_deepen(net, d), made[2] = sslh_net_prune_filters(net, p);
    for (i = 0; i < 3; i++)
        CHECK(sslh_get_preprocess(made[i]).mean[0] == 0.25f && !sslh_is_training(made[i]) &&
              sslh_net_query(made[i]).frozen, "net %d", i);
    CHECK_OK(c);
    sslh_destroy(c);
}
/* The groups of a split batch norm go along as well: in training mode the function is still the same. */
static void groups_go_along(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = convnet(c, 5, 7, 0);
    NONE(sslh_widen_desc, w);
    w.layer = 1;
    sslh_split_batch_norm(net, 2);
    CHECK(differ(c, net, sslh_net_widen(net, w), pictures(c, 6), 1) < 2e-5, "two groups have become one");
    CHECK_OK(c);
    sslh_destroy(c);
}
/* A net that could not be made leaves no memory behind, neither its own nor scratch memory of the step. */
static void failures_leave_nothing(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = convnet(c, 300, 7, 0);
    size_t held[3] = {0, 0, 0};
    NONE(sslh_deepen_desc, d);
    NONE(sslh_prune_desc, p);
    int i;
    d.layer = 1, p.share = 0.5f;
    sslh_param(net, 0)->data[5] = NAN;
    for (i = 0; i < 3; i++) {
        sslh_begin_step(c);
        sslh_net_prune_filters(net, p);
        CHECK_ERROR(c, "sslh_net_prune_filters: unit 1 of layer 1 holds NaN or Inf");
        d.sample = sslh_zeros(c, sslh_dim2(2, 2)); /* no images */
        sslh_net_deepen(net, d);
        CHECK_ERROR(c, "sslh_net_deepen: .sample: sslh_forward: the net 'convnet' wants 3 channels");
        sslh_begin_step(c);
        held[i] = sslh_query(c).bytes;
    }
    CHECK(held[1] == held[2], "%d bytes more after each failure", (int)(held[2] - held[1]));
    sslh_destroy(c);
}
#if SSLH_WITH_QUANTIZE
/* Nets of 8-bit weights have other types under the same names. */
static void eight_bits(void) {
    sslh_ctx *c = context(1);
    int which;
    for (which = 0; which < NETS; which++) {
        sslh_net *net;
        NONE(sslh_quantize_desc, q);
        NONE(sslh_widen_desc, w);
        NONE(sslh_deepen_desc, d);
        NONE(sslh_prune_desc, p);
        q.min_count = SSLH_OFF, w.layer = d.layer = 1, p.share = 0.5f;
        net = sslh_quantize(a_net(c, which), q);
        CHECK_OK(c);
        sslh_net_deepen(net, d);
        CHECK_ERROR(c, "sslh_net_deepen: the weights of the net");
        sslh_net_widen(net, w);
        CHECK_ERROR(c, "have 8 bits (sslh_quantize): change the float net and quantize the result");
        sslh_net_prune_filters(net, p);
        CHECK_ERROR(c, "sslh_net_prune_filters: the weights of the net");
    }
    sslh_destroy(c);
}
#endif
static void wrong_structures(void) {
    sslh_ctx *c = context(1);
    sslh_net *net = convnet(c, 5, 7, 0), *group = convnet(c, 6, 6, 2), *one = linear(c, 192, 3), *dead;
    sslh_net *eight, *tanh;
    NONE(sslh_widen_desc, w);
    NONE(sslh_deepen_desc, d);
    NONE(sslh_prune_desc, p);
    NONE(sslh_resnet_desc, rd);
    NONE(sslh_convnet_desc, cd);
    NONE(sslh_mlp_desc, md);
    int i;
    sslh_net_widen(net, w);
    CHECK_ERROR(c, "sslh_net_widen: .layer is 0: give one from 1 to 2 (the net \"convnet\" has a last layer, whose "
                   "width is that of the output)");
    w.layer = 3;
    sslh_net_widen(net, w);
    CHECK_ERROR(c, "sslh_net_widen: .layer is 3");
    w.layer = 1, w.width = 4;
    sslh_net_widen(net, w);
    CHECK_ERROR(c, "sslh_net_widen: .width is 4 (5 to 1048576)");
    w.width = 6, w.noise = 1;
    sslh_net_widen(net, w);
    CHECK_ERROR(c, "sslh_net_widen: .noise is 1 (at least 0, below 1)");
    w.noise = 0;
    sslh_net_widen(group, w);
    CHECK_ERROR(c, "sslh_net_widen: the groups of a group norm");
    sslh_net_widen(one, w);
    CHECK_ERROR(c, "sslh_net_widen: the net \"mlp\" has one layer, whose width is that of the output");
    sslh_net_widen(sslh_resnet(c, rd), w);
    CHECK_ERROR(c, "sslh_net_widen: the net \"resnet\" is none that can be changed");
    sslh_net_deepen(sslh_resnet(c, rd), d);
    CHECK_ERROR(c, "sslh_net_deepen: the net \"resnet\" is none that can be changed");
    d.layer = 4;
    sslh_net_deepen(net, d);
    CHECK_ERROR(c, "sslh_net_deepen: .layer is 4: give one from 1 to 3 (the net \"convnet\" has no more blocks)");
    d.layer = 3;
    sslh_net_deepen(a_net(c, VIT), d);
    CHECK_ERROR(c, "sslh_net_deepen: .layer is 3: give one from 1 to 2");
    d.layer = 0;
    sslh_net_deepen(a_net(c, CONVNEXT), d);
    CHECK_ERROR(c, "sslh_net_deepen: .layer is 0: give one from 1 to 3");
    d.layer = 1;
    sslh_net_deepen(one, d);
    CHECK_ERROR(c, "sslh_net_deepen: the net \"mlp\" has one layer without ReLU behind it");
    sslh_net_deepen(group, d);
    CHECK_ERROR(c, "sslh_net_deepen: a group norm normalises each sample by itself");
    md.in = 192, md.widths[0] = md.widths[1] = 4, md.activation = SSLH_TANH;
    tanh = sslh_mlp(c, md);
    sslh_net_deepen(tanh, d);
    CHECK_ERROR(c, "sslh_net_deepen: the activation has to be ReLU");
    for (i = 0; i < 8; i++) md.widths[i] = 3;
    md.activation = SSLH_RELU;
    eight = sslh_mlp(c, md);
    sslh_net_deepen(eight, d);
    CHECK_ERROR(c, "sslh_net_deepen: the net \"mlp\" has 8 layers, and there is room for no more");
    d.sample = sslh_zeros(c, sslh_dim2(2, 2));
    sslh_net_deepen(net, d);
    CHECK_ERROR(c, "channels");
    sslh_net_prune_filters(net, p);
    CHECK_ERROR(c, "sslh_net_prune_filters: .share is 0 (above 0, below 1)");
    p.share = NAN;
    sslh_net_prune_filters(net, p);
    CHECK_ERROR(c, "sslh_net_prune_filters: .share is NaN");
    p.share = 0.5f, p.kind = 4;
    sslh_net_prune_filters(net, p);
    CHECK_ERROR(c, "sslh_net_prune_filters: .kind is 4 (1 to 3)");
    p.kind = SSLH_PRUNE_GAMMA;
    sslh_net_prune_filters(mlp(c, 0), p);
    CHECK_ERROR(c, "sslh_net_prune_filters: layer 1 has no batch norm");
    p.kind = 0;
    one = mlp(c, 0);
    sslh_forward(one, sslh_zeros(c, sslh_dim2(1, 192)));
    sslh_param(one, 0)->data[192 + 5] = (sslh_real)NAN;
    sslh_net_prune_filters(one, p);
    CHECK_ERROR(c, "sslh_net_prune_filters: unit 2 of layer 1 holds NaN or Inf");
    p.layer = 3;
    sslh_net_prune_filters(net, p);
    CHECK_ERROR(c, "sslh_net_prune_filters: .layer is 3");
    sslh_net_prune_filters(group, p);
    CHECK_ERROR(c, "sslh_net_prune_filters: the groups of a group norm would be torn apart");
    cd.strides[0] = 1;
    sslh_convnet(c, cd);
    CHECK_ERROR(c, "sslh_convnet: 1 .strides for 4 .widths: give as many, or none");
    for (i = 0; i < 4; i++) cd.strides[i] = 1;
    cd.dcgan = 1;
    sslh_convnet(c, cd);
    CHECK_ERROR(c, "sslh_convnet: blocks of .dcgan halve the sides");
    cd.strides[3] = 3;
    sslh_convnet(c, cd);
    CHECK_ERROR(c, "sslh_convnet: .strides[] is 3 (1 to 2)");
    sslh_fail(c, SSLH_E_USAGE, "provoked");
    dead = sslh_net_widen(net, w);
    CHECK_ERROR(c, "provoked");
    sslh_net_deepen(dead, d);
    sslh_net_prune_filters(NULL, p);
    sslh_destroy(c);
}
/* When any allocation fails, there is an error, nothing is overrun, and the old net is as it was. */
static void no_memory(void) {
    int which;
    long left;
    for (which = 0; which < 3; which++)
        for (left = 0; left < 400; left += 1 + left / 20) {
            test_memory memory;
            sslh_ctx *c;
            sslh_net *net;
            uint64_t before;
            NONE(sslh_desc, desc);
            NONE(sslh_widen_desc, w);
            NONE(sslh_deepen_desc, d);
            NONE(sslh_prune_desc, p);
            memset(&memory, 0, sizeof memory);
            desc.alloc = test_alloc, desc.release = test_release, desc.user = &memory, desc.threads = 1;
            c = sslh_create(desc);
            net = convnet(c, 4, 5, 0);
            before = sslh_hash(net);
            w.layer = d.layer = 1, p.share = 0.5f;
            d.sample = pictures(c, 4);
            CHECK_OK(c);
            memory.fail_at = memory.calls + 1 + left;
            if (which == 0) sslh_net_widen(net, w);
            else if (which == 1) sslh_net_deepen(net, d);
            else sslh_net_prune_filters(net, p);
            if (!sslh_error(c)) left = 1000; /* enough for all */
            memory.fail_at = 0;
            sslh_clear_error(c);
            CHECK(sslh_hash(net) == before, "the old net has changed");
            sslh_destroy(c);
            CHECK(memory.live == 0, "%ld blocks are left", memory.live);
        }
}

/* --- fine-tuning by blocks ---------------------------------------------------------------------------------------- */

#if SSLH_WITH_CLASSIFIERS
/* How far the parameters whose names begin with `part` have moved at most, in one step. */
static double moved(sslh_net *before, sslh_net *after, const char *part) {
    int i, is_param, n = sslh_count_tensors(before);
    double most = -1;
    size_t k;
    for (i = 0; i < n; i++) {
        char name[128];
        const sslh_tensor *a = sslh_tensor_at(before, i, name, sizeof name, &is_param);
        const sslh_tensor *b = sslh_find(after, name);
        if (!is_param || strncmp(name, part, strlen(part)) != 0 || !b) continue;
        for (k = 0; k < a->count; k++) most = fmax(most, fabs((double)a->data[k] - (double)b->data[k]));
    }
    return most;
}
/* AdamW's first step moves each value that has a gradient by its rate. */
static void rates_of_blocks(void) {
    static const struct { int which, blocks; const char *part[6]; } want[] = {
        {CONVNET, 3, {"conv1", "conv2", "conv3"}}, {CONVNET, 3, {"bn1", "bn2", "bn3"}},
        {MLP, 3, {"fc1", "fc2", "fc3"}}, {VIT, 3, {"patch_embed", "blocks.0.", "blocks.1."}},
        {VIT, 3, {"pos_embed", "blocks.0.attn", "blocks.1.mlp"}},
        {CONVNEXT, 4, {"features.0.", "features.1.", "features.2.", "features.3."}}};
    int i, k, freeze;
    for (i = 0; i < (int)(sizeof want / sizeof want[0]); i++)
        for (freeze = 0; freeze < 2; freeze++) {
            sslh_ctx *c = context(1);
            sslh_data data = images(c, 12, 3);
            sslh_net *net = a_net(c, want[i].which), *after;
            NONE(sslh_finetune_desc, d);
            d.epochs = 1, d.batch = 12, d.lr = 0.01f, d.warmup = d.weight_decay = d.drop_path = SSLH_OFF;
            d.layer_decay = 0.5f, d.freeze = freeze ? 2 : 0;
            after = sslh_classifier_query(sslh_finetune_keep(c, net, data, d)).encoder;
            CHECK_OK(c);
            for (k = 0; k < want[i].blocks; k++) {
                const double rate = freeze && k < 2 ? 0 : 0.01 * pow(0.5, want[i].blocks - k);
                const double by = moved(net, after, want[i].part[k]);
                CHECK(fabs(by - rate) <= 0.02 * rate, "%s, %s: %g, expected %g", net_name[want[i].which],
                      want[i].part[k], by, rate);
            }
            sslh_destroy(c);
        }
}
/* All blocks frozen: only the classifier learns, and decay moves nothing either. Its own rate counts. */
static void frozen_encoders(void) {
    sslh_ctx *c = context(1);
    sslh_data data = images(c, 60, 3);
    sslh_net *net = convnet(c, 5, 7, 0), *after;
    sslh_recipe as_they_are = SSLH_VIEWS_NONE;
    float slow, fast;
    NONE(sslh_finetune_desc, d);
    d.epochs = 8, d.freeze = 3, d.batch = 10, d.views = &as_they_are;
    after = sslh_classifier_query(sslh_finetune_keep(c, net, data, d)).encoder;
    CHECK(moved(net, after, "") == 0, "moved by %g", moved(net, after, ""));
    CHECK(!sslh_net_query(after).frozen && !sslh_net_query(net).frozen, "nothing stays frozen");
    d.head_lr = 1e-4f;
    slow = sslh_finetune(c, net, data, data, d);
    d.head_lr = 300;
    fast = sslh_finetune(c, net, data, data, d);
    CHECK(fast > slow + 0.1f, "a rate of almost 0: %g; a high one: %g", (double)slow, (double)fast);
    CHECK_OK(c);
    d.freeze = 4;
    sslh_finetune(c, net, data, data, d);
    CHECK_ERROR(c, "sslh_finetune: .freeze is 4, and the encoder \"convnet\" has 3 blocks");
    sslh_finetune_keep(c, net, data, d);
    CHECK_ERROR(c, "sslh_finetune_keep: .freeze is 4");
    d.freeze = 0, d.head_lr = -2;
    sslh_finetune(c, net, data, data, d);
    CHECK_ERROR(c, "sslh_finetune: .head_lr is -2 (above 0)");
    sslh_destroy(c);
}
/* A net that was kept is trained further like any other, in the blocks that were frozen and at full rates. */
static void kept_nets_learn(void) {
    sslh_ctx *c = context(1);
    sslh_data data = images(c, 12, 3);
    sslh_net *kept, *after;
    NONE(sslh_finetune_desc, d);
    d.epochs = 1, d.batch = 12, d.lr = 0.01f, d.warmup = d.weight_decay = SSLH_OFF;
    d.freeze = 2, d.layer_decay = 0.5f;
    kept = sslh_classifier_query(sslh_finetune_keep(c, convnet(c, 5, 7, 0), data, d)).encoder;
    d.freeze = 0, d.layer_decay = 1;
    after = sslh_classifier_query(sslh_finetune_keep(c, kept, data, d)).encoder;
    CHECK_OK(c);
    CHECK_CLOSE(moved(kept, after, "conv1") / 0.01, 1, 0.02);
    CHECK_CLOSE(moved(kept, after, "conv3") / 0.01, 1, 0.02);
    sslh_destroy(c);
}
static void blocks_are_counted(void) {
    static const struct { const char *name, *blocks; } want[3] = {{"resnet", "5 blocks"}, {"nin", "4 blocks"},
                                                                   {"vit", "4 blocks"}};
    int i;
    for (i = 0; i < 3; i++) {
        sslh_ctx *c = context(1);
        sslh_data data = images(c, 12, 3);
        NONE(sslh_resnet_desc, r);
        NONE(sslh_nin_desc, n);
        NONE(sslh_vit_desc, v);
        NONE(sslh_finetune_desc, d);
        r.width = 2, n.divide = 48, v.image = 8, v.width = 12, v.depth = 3;
        d.freeze = 99;
        sslh_finetune(c, i == 0 ? sslh_resnet(c, r) : i == 1 ? sslh_nin(c, n) : sslh_vit(c, v), data, data, d);
        CHECK_ERROR(c, want[i].blocks);
        sslh_destroy(c);
    }
}
#endif

TESTS_BEGIN
    TEST(as_pytorch)
    TEST(nothing_left_to_learn)
    TEST(large_temperatures)
    TEST(relations_are_kept)
    TEST(equal_rows)
    TEST(wrong_losses)
    TEST(chains)
#if SSLH_WITH_CLASSIFIERS
    TEST(nets_of_classifiers)
#endif
    TEST(students_learn)
    TEST(copies_rest)
    TEST(losses_by_hand)
    TEST(the_same_labels)
    TEST(resumed)
    TEST(modes_stay)
    TEST(less_than_declared)
    TEST(labels_after_a_rewind)
    TEST(wrong_teachers)
    TEST_LEARNS(classes_without_labels)
    TEST(wider_is_the_same)
    TEST(copies_part)
    TEST(deeper_is_the_same)
    TEST(additions_learn)
    TEST(the_idle_go)
    TEST(shares)
    TEST(what_goes_along)
    TEST(groups_go_along)
    TEST(failures_leave_nothing)
#if SSLH_WITH_QUANTIZE
    TEST(eight_bits)
#endif
    TEST(wrong_structures)
    TEST(no_memory)
#if SSLH_WITH_CLASSIFIERS
    TEST(rates_of_blocks)
    TEST(frozen_encoders)
    TEST(kept_nets_learn)
    TEST(blocks_are_counted)
#endif
TESTS_END
