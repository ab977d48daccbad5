/* Classifiers, clusters and measures on features: against scikit-learn on data made by a formula (golden/
   classifiers.h), exact cases, the same bits for any number of threads, errors, failures of memory. */
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"
#if SSLH_WITH_CLASSIFIERS
#include "golden/classifiers.h"

/* --- the data of golden/make_classifiers.py ----------------------------------------------------------------------- */

enum { TRAIN = 400, TESTS = 1000, CLASSES = 4, WIDTH = 8 };
static int32_t labels[TRAIN + TESTS];
static uint32_t mix(uint32_t v) {
    v ^= v >> 16;
    v *= 0x7feb352du;
    v ^= v >> 15;
    v *= 0x846ca68bu;
    return v ^ v >> 16;
}
static sslh_tensor *rows(sslh_ctx *c, int first, int n) {
    sslh_tensor *x = sslh_persist(sslh_zeros(c, sslh_dim2(n, WIDTH)));
    int i, d, k;
    for (i = 0; i < n; i++) {
        labels[first + i] = (first + i) % CLASSES;
        for (d = 0; d < WIDTH; d++) {
            double centre = ((int)(mix((uint32_t)(1000 + 31 * labels[first + i] + d)) & 255) - 128) / 128.0, sum = -1.5;
            for (k = 0; k < 3; k++) sum += (mix((uint32_t)((first + i) * 64 + d * 4 + k)) & 65535) / 65536.0;
            x->data[i * WIDTH + d] = (sslh_real)((0.75 * centre + sum) * (1 << (d % 4)));
        }
    }
    return x;
}
static sslh_tensor *from(sslh_ctx *c, int n, int d, const float *values) {
    sslh_tensor *x = sslh_persist(sslh_zeros(c, sslh_dim2(n, d)));
    for (int i = 0; i < n * d; i++) x->data[i] = (sslh_real)values[i];
    return x;
}

/* --- linear ------------------------------------------------------------------------------------------------------- */

/* The weights by what the classifier says of the mean of all rows and of one deviation to each side. */
static void compare_planes(sslh_ctx *c, sslh_classifier *k, const sslh_tensor *x, const double *golden) {
    double mean[WIDTH], deviation[WIDTH];
    sslh_tensor *asked = sslh_persist(sslh_zeros(c, sslh_dim2(1 + WIDTH, WIDTH))), *z;
    for (int d = 0; d < WIDTH; d++) {
        mean[d] = deviation[d] = 0;
        for (int i = 0; i < TRAIN; i++) mean[d] += (double)x->data[i * WIDTH + d] / TRAIN;
        for (int i = 0; i < TRAIN; i++) deviation[d] += pow((double)x->data[i * WIDTH + d] - mean[d], 2) / TRAIN;
        deviation[d] = sqrt(deviation[d]);
    }
    for (int i = 0; i <= WIDTH; i++)
        for (int d = 0; d < WIDTH; d++)
            asked->data[i * WIDTH + d] = (sslh_real)(mean[d] + (d == i - 1 ? deviation[d] : 0));
    z = sslh_classifier_scores(k, asked);
    CHECK_OK(c);
    for (int kind = 0; kind < CLASSES; kind++) {
        const double *w = golden + kind * (WIDTH + 1);
        CHECK_NEAR(z->data[kind], w[WIDTH], 1e-3);
        for (int d = 0; d < WIDTH; d++)
            CHECK_NEAR(z->data[(1 + d) * CLASSES + kind] - z->data[kind], w[d], 1e-3);
    }
}

static void svm_is_solved(void) {
    sslh_ctx *c = context(2);
    sslh_tensor *x = rows(c, 0, TRAIN), *t = rows(c, TRAIN, TESTS);
    NONE(sslh_svm_desc, d);
    d.tolerance = 1e-5f;
    sslh_classifier *k = sslh_svm(c, x, labels, CLASSES, d);
    sslh_classifier_info info = sslh_classifier_query(k);
    CHECK_OK(c);
    CHECK(!strcmp(info.kind, "svm") && info.classes == CLASSES && info.width == WIDTH, "%s", info.kind);
    CHECK_CLOSE(info.objective, golden_svm_objective, 1e-6);
    CHECK(info.gradient <= 1e-4f && info.iterations < 50, "gradient %g after %d", (double)info.gradient,
          info.iterations);
    CHECK_NEAR(sslh_classifier_accuracy(k, t, labels + TRAIN), golden_svm_accuracy, 0.0015);
    compare_planes(c, k, x, golden_svm);
    memset(&d, 0, sizeof d); /* and so does the default */
    CHECK_NEAR(sslh_classifier_accuracy(sslh_svm(c, x, labels, CLASSES, d), t, labels + TRAIN), golden_svm_accuracy,
               0.003);
    CHECK_OK(c);
    sslh_destroy(c);
}

static void logistic_is_solved(void) {
    sslh_ctx *c = context(2);
    sslh_tensor *x = rows(c, 0, TRAIN), *t = rows(c, TRAIN, TESTS), *p;
    NONE(sslh_logistic_desc, d);
    d.l2 = 1e-2f;
    d.tolerance = 1e-5f;
    sslh_classifier *k = sslh_logistic(c, x, labels, CLASSES, d);
    sslh_classifier_info info = sslh_classifier_query(k);
    CHECK_OK(c);
    CHECK_CLOSE(info.objective, golden_logistic_objective, 1e-5);
    CHECK(info.gradient <= 1e-4f, "gradient %g after %d", (double)info.gradient, info.iterations);
    CHECK_NEAR(sslh_classifier_accuracy(k, t, labels + TRAIN), golden_logistic_accuracy, 0.0015);
    p = sslh_classifier_scores(k, t);
    for (int i = 0; i < TESTS; i++) {
        double sum = 0;
        for (int kind = 0; kind < CLASSES; kind++) sum += (double)p->data[i * CLASSES + kind];
        CHECK_NEAR(sum, 1, 1e-5);
    }
    /* the probe's number for the same strength: it may stop earlier */
    NONE(sslh_probe_desc, pd);
    pd.l2 = d.l2;
    CHECK_NEAR(sslh_linear_probe_features(c, x, labels, t, labels + TRAIN, CLASSES, pd), golden_logistic_accuracy,
               0.006);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Log odds of a row are differences of its scores, so the planes of logistic regression can be read off p. */
static void logistic_planes(void) {
    sslh_ctx *c = context(1);
    sslh_tensor *x = rows(c, 0, TRAIN), *p;
    NONE(sslh_logistic_desc, d);
    d.l2 = 1e-2f;
    d.tolerance = 1e-6f;
    sslh_classifier *k = sslh_logistic(c, x, labels, CLASSES, d);
    p = sslh_classifier_scores(k, x);
    CHECK_OK(c);
    double mean[WIDTH], scale[WIDTH];
    for (int f = 0; f < WIDTH; f++) {
        double s = 0, q = 0;
        for (int i = 0; i < TRAIN; i++) s += (double)x->data[i * WIDTH + f];
        mean[f] = s / TRAIN;
        for (int i = 0; i < TRAIN; i++) q += pow((double)x->data[i * WIDTH + f] - mean[f], 2);
        scale[f] = 1 / sqrt(q / TRAIN);
    }
    for (int i = 0; i < TRAIN; i += 7)
        for (int kind = 1; kind < CLASSES; kind++) {
            double z = 0;
            for (int f = 0; f <= WIDTH; f++) {
                double w = golden_logistic[kind * (WIDTH + 1) + f] - golden_logistic[f];
                z += f < WIDTH ? w * ((double)x->data[i * WIDTH + f] - mean[f]) * scale[f] : w;
            }
            CHECK_NEAR(log((double)p->data[i * CLASSES + kind] / (double)p->data[i * CLASSES]), z, 5e-3);
        }
    sslh_destroy(c);
}

/* Two rows on a line, standardised or not: |w|^2 / 2 + 2 C max(0, 1 - w - ..)^2 by hand. Without standardising, x = -1
   and 1, C = 1: both margins are 1 - w with b = 0, f = w^2 / 2 + 2 (1 - w)^2, w = 4/5, f = 0.4 for each class. */
static void svm_by_hand(void) {
    static const float x[2] = {-1, 1};
    static const int32_t y[2] = {0, 1};
    sslh_ctx *c = context(1);
    NONE(sslh_svm_desc, d);
    d.no_standardise = 1;
    d.tolerance = 1e-6f;
    sslh_classifier *k = sslh_svm(c, from(c, 2, 1, x), y, 2, d);
    sslh_tensor *z = sslh_classifier_scores(k, from(c, 2, 1, x));
    CHECK_OK(c);
    CHECK_NEAR(sslh_classifier_query(k).objective, 0.8, 1e-5);
    CHECK_NEAR(z->data[0], 0.8, 1e-5);
    CHECK_NEAR(z->data[1], -0.8, 1e-5);
    CHECK_NEAR(z->data[3], 0.8, 1e-5);
    sslh_destroy(c);
}

/* --- forest ------------------------------------------------------------------------------------------------------- */

static sslh_forest_desc one_tree(void) {
    NONE(sslh_forest_desc, d);
    d.trees = 1;
    d.no_bootstrap = 1;
    return d;
}

/* A tree by hand. Class 1 where x0 > 2, else class 0 where x1 <= 1.5, else class 2; x2 says nothing. Splitting x0 first
   leaves S = 4^2/4 + (4^2 + 3^2)/7, x1 first (6^2 + 1)/7.. less: the order is the only one. */
static void tree_by_hand(void) {
    static const float x[11 * 3] = {0, 0, 5, 1, 1, 5, 0, 1, 5, 1, 0, 5, /* class 0 */
                                    3, 0, 5, 4, 1, 5, 3, 2, 5, 4, 3, 5, /* class 1 */
                                    1, 2, 5, 0, 3, 5, 1, 3, 5}; /* class 2 */
    static const int32_t y[11] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2};
    sslh_ctx *c = context(1);
    sslh_forest_desc d = one_tree();
    char text[400];
    d.features = 3;
    sslh_classifier *k = sslh_forest(c, from(c, 11, 3, x), y, 3, d);
    size_t n = sslh_forest_print(k, 0, text, sizeof text);
    CHECK_OK(c);
    CHECK(n == strlen(text) && !strcmp(text, "x[0] <= 2\n  x[1] <= 1.5\n    class 0\n    class 2\n  class 1\n"), "%s",
          text);
    CHECK(sslh_forest_print(k, 0, NULL, 0) == n, "the length without text");
    CHECK_NEAR(sslh_classifier_accuracy(k, from(c, 11, 3, x), y), 1, 0);
    CHECK(sslh_classifier_query(k).importance[2] == 0, "a constant feature counts");
    /* S before 41/11, after the first split 4 + 25/7, at the end 11 */
    CHECK_NEAR(sslh_classifier_query(k).importance[0], (4 + 25.0 / 7 - 41.0 / 11) / (11 - 41.0 / 11), 1e-6);
    /* a threshold lies where a row on it goes left */
    static const float on[3] = {2, 1.5f, 0};
    CHECK(sslh_classifier_predict(k, from(c, 1, 3, on))->ints[0] == 0, "x on the threshold goes left");
    /* what cannot be told apart is a leaf of shares */
    static const float same[3] = {1, 1, 1};
    static const int32_t mixed[3] = {0, 1, 1};
    k = sslh_forest(c, from(c, 3, 1, same), mixed, 2, one_tree());
    sslh_tensor *z = sslh_classifier_scores(k, from(c, 1, 1, same));
    CHECK_NEAR(z->data[0], 1.0 / 3, 1e-6);
    CHECK_NEAR(z->data[1], 2.0 / 3, 1e-6);
    sslh_forest_print(k, 0, text, sizeof text);
    CHECK(!strcmp(text, "shares 0.333 0.667\n"), "%s", text);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* x-or: no split helps at first, and still the tree is grown to purity. */
static void tree_of_xor(void) {
    static const float x[8] = {0, 0, 0, 1, 1, 0, 1, 1};
    static const int32_t y[4] = {0, 1, 1, 0};
    sslh_ctx *c = context(1);
    sslh_classifier *k = sslh_forest(c, from(c, 4, 2, x), y, 2, one_tree());
    CHECK_NEAR(sslh_classifier_accuracy(k, from(c, 4, 2, x), y), 1, 0);
    CHECK(sslh_classifier_query(k).nodes == 7, "%d nodes", (int)sslh_classifier_query(k).nodes);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* A whole tree has scikit-learn's size, a small one its leaves. */
static void trees_of_scikit(void) {
    sslh_ctx *c = context(2);
    sslh_tensor *x = rows(c, 0, TRAIN), *t = rows(c, TRAIN, TESTS), *z;
    sslh_forest_desc d = one_tree();
    d.features = WIDTH;
    CHECK_NEAR(sslh_classifier_query(sslh_forest(c, x, labels, CLASSES, d)).nodes, golden_tree_nodes, 6);
    d.max_depth = 3, d.min_leaf = 20;
    sslh_classifier *k = sslh_forest(c, x, labels, CLASSES, d);
    CHECK_NEAR(sslh_classifier_query(k).nodes, golden_small_tree_nodes, 0);
    CHECK_NEAR(sslh_classifier_accuracy(k, t, labels + TRAIN), golden_small_tree_accuracy, 1e-6);
    z = sslh_classifier_scores(k, t);
    for (int i = 4; i < 16; i++) CHECK_NEAR(z->data[i], golden_small_tree_first[i], 1e-6); /* row 0: by a tie */
    CHECK_OK(c);
    sslh_destroy(c);
}

static void forest_of_scikit(void) {
    enum { SEEDS = 5 };
    sslh_ctx *c = context(2);
    sslh_tensor *x = rows(c, 0, TRAIN), *t = rows(c, TRAIN, TESTS);
    double accuracy = 0, out_of_bag = 0, nodes = 0, importance[WIDTH] = {0};
    for (int seed = 0; seed < SEEDS; seed++) {
        NONE(sslh_forest_desc, d);
        d.seed = (uint64_t)seed;
        sslh_classifier *k = sslh_forest(c, x, labels, CLASSES, d);
        sslh_classifier_info info = sslh_classifier_query(k);
        accuracy += (double)sslh_classifier_accuracy(k, t, labels + TRAIN) / SEEDS;
        out_of_bag += (double)info.out_of_bag / SEEDS;
        nodes += (double)info.nodes / SEEDS;
        for (int f = 0; f < WIDTH && info.importance; f++) importance[f] += (double)info.importance[f] / SEEDS;
    }
    CHECK_OK(c);
    CHECK_NEAR(accuracy, golden_forest_accuracy, 0.01);
    CHECK_NEAR(out_of_bag, golden_forest_out_of_bag, 0.015);
    CHECK_CLOSE(nodes, golden_forest_nodes, 0.01);
    for (int f = 0; f < WIDTH; f++) CHECK_NEAR(importance[f], golden_forest_importance[f], 0.008);
    sslh_destroy(c);
}

/* --- k-means ------------------------------------------------------------------------------------------------------ */

static void kmeans_exact(void) {
    static const float x[12] = {0, 0, 0, 2, 10, 0, 10, 2, 100, 50, 102, 50};
    sslh_ctx *c = context(1);
    NONE(sslh_kmeans_desc, d);
    d.clusters = 3;
    sslh_clusters k = sslh_kmeans(c, from(c, 6, 2, x), d);
    CHECK_OK(c);
    CHECK_NEAR(k.inertia, 6, 1e-9);
    const int32_t *m = k.member->ints;
    CHECK(m[0] == m[1] && m[2] == m[3] && m[4] == m[5] && m[0] != m[2] && m[2] != m[4] && m[0] != m[4], "members");
    CHECK_NEAR(k.centres->data[2 * m[4]], 101, 1e-5);
    CHECK_NEAR(k.centres->data[2 * m[4] + 1], 50, 1e-5);
    sslh_tensor *again = sslh_nearest_centres(c, from(c, 6, 2, x), k.centres);
    for (int i = 0; i < 6; i++) CHECK(again->ints[i] == m[i], "row %d", i);
    d.clusters = 6; /* each row its own, and with equal rows clusters that would be empty */
    CHECK_NEAR(sslh_kmeans(c, from(c, 6, 2, x), d).inertia, 0, 1e-9);
    d.clusters = 4;
    CHECK_NEAR(sslh_kmeans(c, sslh_full(c, sslh_dim2(9, 3), 2), d).inertia, 0, 1e-9);
    d.clusters = 1;
    k = sslh_kmeans(c, from(c, 6, 2, x), d);
    CHECK_NEAR(k.centres->data[0], 37, 1e-5);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Every row goes to its nearest centre, on a context of .bfloat16 too. */
static void kmeans_in_float(void) {
    enum { N = 2000, D = 64, K = 40 };
    NONE(sslh_desc, cd);
    NONE(sslh_kmeans_desc, d);
    cd.threads = 1, cd.seed = 7, cd.bfloat16 = 1;
    sslh_ctx *c = sslh_create(cd);
    if (!sslh_error(c)) { /* a build in double has no bfloat16 */
        sslh_tensor *x = sslh_persist(sslh_normal(c, sslh_dim2(N, D), 0, 1)), *near_;
        d.clusters = K, d.starts = d.iterations = 1; /* many rows still lie between two centres */
        sslh_clusters s = sslh_kmeans(c, x, d);
        near_ = sslh_nearest_centres(c, x, s.centres);
        CHECK_OK(c);
        for (int i = 0; i < N && !sslh_error(c); i++) {
            double least = 1e30, of[K];
            for (int k = 0; k < K; k++) {
                of[k] = 0;
                for (int j = 0; j < D; j++) {
                    double e = (double)x->data[i * D + j] - (double)s.centres->data[k * D + j];
                    of[k] += e * e;
                }
                least = of[k] < least ? of[k] : least;
            }
            CHECK(of[s.member->ints[i]] <= least + 1e-4, "row %d: %g, the nearest %g", i, of[s.member->ints[i]], least);
            CHECK(of[near_->ints[i]] <= least + 1e-4, "row %d: %g, the nearest %g", i, of[near_->ints[i]], least);
        }
    }
    sslh_destroy(c);
}

static void kmeans_of_scikit(void) {
    sslh_ctx *c = context(2);
    sslh_tensor *x = rows(c, 0, TRAIN);
    NONE(sslh_kmeans_desc, d);
    d.clusters = 4;
    CHECK_CLOSE(sslh_kmeans(c, x, d).inertia, golden_kmeans_inertia, 0.005);
    d.clusters = 7;
    CHECK_CLOSE(sslh_kmeans(c, x, d).inertia, golden_kmeans7_inertia, 0.01);
    CHECK_OK(c);
    sslh_destroy(c);
}

static void agreement(void) {
    static const int32_t a[6] = {0, 0, 1, 1, 2, 2}, b[6] = {2, 2, 0, 0, 1, 1}, one[6] = {0, 0, 0, 0, 0, 0};
    sslh_ctx *c = context(1);
    static int32_t cluster[TRAIN];
    rows(c, 0, TRAIN);
    for (int i = 0; i < TRAIN; i++)
        cluster[i] = mix((uint32_t)(i + 7000)) & 1 ? (int32_t)(mix((uint32_t)i) % 5) : labels[i];
    sslh_agreement s = sslh_cluster_agreement(c, cluster, labels, TRAIN);
    CHECK_NEAR(s.accuracy, golden_cluster_accuracy, 1e-6);
    CHECK_NEAR(s.nmi, golden_cluster_nmi, 1e-6);
    CHECK_NEAR(s.ari, golden_cluster_ari, 1e-6);
    s = sslh_cluster_agreement(c, a, b, 6); /* the same but for the names */
    CHECK(s.accuracy == 1 && fabs((double)s.nmi - 1) < 1e-6 && s.ari == 1, "%g %g %g", (double)s.accuracy,
          (double)s.nmi, (double)s.ari);
    s = sslh_cluster_agreement(c, one, a, 6);
    CHECK_NEAR(s.accuracy, 2.0 / 6, 1e-6);
    CHECK_NEAR(s.nmi, 0, 1e-6);
    CHECK_NEAR(s.ari, 0, 1e-6);
    s = sslh_cluster_agreement(c, one, one, 6);
    CHECK(s.accuracy == 1 && s.nmi == 1 && s.ari == 1, "one group twice");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- measures ----------------------------------------------------------------------------------------------------- */

static void confusion_of_scikit(void) {
    sslh_ctx *c = context(2);
    sslh_tensor *x = rows(c, 0, TRAIN), *t = rows(c, TRAIN, TESTS), *m;
    float precision[CLASSES], recall[CLASSES], f1[CLASSES];
    double mean[3] = {0, 0, 0};
    int i;
    NONE(sslh_svm_desc, d);
    d.tolerance = 1e-5f;
    m = sslh_confusion(c, labels + TRAIN, sslh_classifier_predict(sslh_svm(c, x, labels, CLASSES, d), t)->ints, TESTS,
                       CLASSES);
    CHECK_OK(c);
    for (i = 0; i < CLASSES * CLASSES; i++) CHECK_NEAR(m->ints[i], golden_confusion[i], 1);
    for (i = 0; i < CLASSES * CLASSES; i++) m->ints[i] = golden_confusion[i];
    sslh_class_measures s = sslh_confusion_measures(m, precision, recall, f1);
    for (i = 0; i < CLASSES; i++) {
        CHECK_NEAR(precision[i], golden_precision[i], 1e-6);
        CHECK_NEAR(recall[i], golden_recall[i], 1e-6);
        CHECK_NEAR(f1[i], golden_f1[i], 1e-6);
        mean[0] += golden_precision[i] / CLASSES, mean[1] += golden_recall[i] / CLASSES;
        mean[2] += golden_f1[i] / CLASSES;
    }
    CHECK_NEAR(s.precision, mean[0], 1e-6);
    CHECK_NEAR(s.recall, mean[1], 1e-6);
    CHECK_NEAR(s.f1, mean[2], 1e-6);
    CHECK_NEAR(s.accuracy, golden_svm_accuracy, 1e-6);
    CHECK_NEAR(sslh_confusion_measures(m, NULL, NULL, NULL).f1, s.f1, 0);
    sslh_picture_confusion(c, test_temporary("a.png"), m, NULL, "a title");
    sslh_picture_confusion(c, test_temporary("a.png"), m, NULL, NULL);
    int h = 0, w = 0, channels = 0;
    CHECK(sslh_load_image(c, test_temporary("a.png"), &h, &w, &channels) && h > 100 && w > 100, "%d x %d", h, w);
    test_remove(test_temporary("a.png"));
    CHECK_OK(c);
    sslh_destroy(c);
}

static void measures_by_hand(void) {
    static const int32_t label[4] = {0, 0, 1, 1}, said[4] = {0, 1, 1, 1};
    static const float p[8] = {0.75f, 0.25f, 0.25f, 0.75f, 0.1f, 0.9f, 0, 1};
    sslh_ctx *c = context(1);
    float precision[3], confidence[4], accuracy[4];
    int32_t count[4];
    sslh_tensor *m = sslh_confusion(c, label, said, 4, 3); /* nobody of class 2, which does not count */
    sslh_class_measures s = sslh_confusion_measures(m, precision, NULL, NULL);
    CHECK_NEAR(precision[1], 2.0 / 3, 1e-6);
    CHECK_NEAR(precision[2], 0, 0);
    CHECK_NEAR(s.recall, 0.75, 1e-6);
    CHECK_NEAR(s.f1, (2.0 / 3 + 0.8) / 2, 1e-6);
    CHECK_NEAR(s.accuracy, 0.75, 1e-6);
    /* two of 0.75, one right; two above, both right: (2 |0.75 - 0.5| + 2 |0.95 - 1|) / 4 */
    CHECK_NEAR(sslh_calibration_error(c, from(c, 4, 2, p), label, 4, confidence, accuracy, count), 0.15, 1e-6);
    CHECK(count[0] == 0 && count[1] == 0 && count[2] == 2 && count[3] == 2, "bins");
    CHECK_NEAR(confidence[3], 0.95, 1e-6);
    CHECK_NEAR(accuracy[2], 0.5, 0);
    CHECK_OK(c);
    CHECK(sslh_confusion(c, label, said, 4, 1)->ndim == 0, "a dummy");
    CHECK_ERROR(c, "sslh_confusion: row 1 is of class 0 and was said to be of class 1, outside 0 .. 0");
    sslh_confusion_measures(from(c, 2, 2, p), NULL, NULL, NULL);
    CHECK_ERROR(c, "sslh_confusion_measures: a matrix (K,K)");
    sslh_calibration_error(c, sslh_full(c, sslh_dim2(4, 2), 2), label, 4, NULL, NULL, NULL);
    CHECK_ERROR(c, "sslh_calibration_error: row 0 holds 2, which is no probability");
    for (int i = 0; i < 2; i++) { /* which would count as wrong, whatever the classifier says */
        static const int32_t wrong[2][2] = {{0, 2}, {0, -1}};
        sslh_calibration_error(c, sslh_full(c, sslh_dim2(2, 2), 0.5f), wrong[i], 4, NULL, NULL, NULL);
        CHECK_ERROR(c, i ? "label -1 of row 1 is outside 0 .. 1" : "label 2 of row 1 is outside 0 .. 1");
    }
    sslh_picture_confusion(c, "no/such/folder/a.png", m, NULL, NULL);
    CHECK(sslh_error(c) != NULL, "no folder");
    sslh_clear_error(c);
    sslh_destroy(c);
}

static void calibration_of_scikit(void) {
    sslh_ctx *c = context(2);
    sslh_tensor *x = rows(c, 0, TRAIN), *t = rows(c, TRAIN, TESTS);
    NONE(sslh_logistic_desc, d);
    d.l2 = 1e-2f;
    CHECK_NEAR(sslh_calibration_error(c, sslh_classifier_scores(sslh_logistic(c, x, labels, CLASSES, d), t),
                                      labels + TRAIN, 15, NULL, NULL, NULL), golden_calibration, 0.004);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- files ------------------------------------------------------------------------------------------------------- */

static const char *const animals[CLASSES] = {"cat", "dog\tor \"fox\"", "m\xc3\xb6we", ""};
static uint8_t pixels[40 * 8 * 8 * 3];
static int32_t classes[40];
/* Images whose mean colour tells the class. */
static sslh_data images(sslh_ctx *c) {
    for (int i = 0; i < 40; i++) {
        classes[i] = i % CLASSES;
        for (int j = 0; j < 8 * 8 * 3; j++)
            pixels[i * 192 + j] = (uint8_t)((mix((uint32_t)(i * 192 + j)) & 63) + 60 * (j % 3 == classes[i]));
    }
    return sslh_data_from_images(c, pixels, 40, 8, 8, 3, classes);
}
static sslh_net *small_net(sslh_ctx *c) {
    NONE(sslh_convnet_desc, d);
    NONE(sslh_preprocess, p);
    d.channels = 3, d.widths[0] = 6, d.widths[1] = 8;
    sslh_net *net = sslh_convnet(c, d);
    p.height = p.width = 8, p.channels = 3, p.mean[0] = 0.25f, p.std[0] = p.std[1] = p.std[2] = 0.5f;
    sslh_set_preprocess(net, p);
    sslh_train_mode(net, 0);
    return net;
}
static sslh_classifier *make(sslh_ctx *c, int kind, sslh_tensor *x) {
    NONE(sslh_forest_desc, fd);
    NONE(sslh_svm_desc, sd);
    NONE(sslh_logistic_desc, ld);
    fd.trees = 7, fd.min_leaf = 3;
    return kind == 0 ? sslh_forest(c, x, classes, CLASSES, fd) : kind == 1 ? sslh_svm(c, x, classes, CLASSES, sd) :
        sslh_logistic(c, x, classes, CLASSES, ld);
}

/* Saved with and without an encoder, read in another context: the same answers, bit for bit. */
static void files(void) {
    for (int way = 0; way < 6; way++) {
        sslh_ctx *c = context(2), *other = context(1);
        static float scores[2][40 * CLASSES];
        static int32_t said[2][40];
        const char *path = test_temporary("k.safetensors");
        sslh_data d = images(c);
        sslh_net *net = way < 3 ? small_net(c) : NULL;
        NONE(sslh_feature_desc, f);
        sslh_tensor *x = sslh_features(c, net, d, f);
        sslh_classifier *k = make(c, way % 3, x);
        sslh_save_classifier(k, net, way % 2 ? animals : NULL, path);
        CHECK_OK(c);
        sslh_classifier *again = sslh_load_classifier(other, path);
        CHECK_OK(other);
        sslh_classifier_info info = sslh_classifier_query(again), was = sslh_classifier_query(k);
        CHECK(!strcmp(info.kind, was.kind) && info.classes == CLASSES && info.width == was.width &&
                  info.trees == was.trees && info.nodes == was.nodes && !info.encoder == !net, "%s", info.kind);
        for (int i = 0; i < CLASSES; i++)
            CHECK(way % 2 ? info.names && !strcmp(info.names[i], animals[i]) : !info.names, "name %d", i);
        sslh_tensor *y = sslh_persist(sslh_zeros(other, sslh_dim2(40, x->shape[1]))), *z[2];
        memcpy(y->data, x->data, x->count * sizeof *x->data);
        z[0] = sslh_classifier_scores(k, x), z[1] = sslh_classifier_scores(again, y);
        CHECK(!memcmp(z[0]->data, z[1]->data, z[0]->count * sizeof *z[0]->data), "scores of way %d", way);
        /* pixels to classes: twice the same, and what the features say but for their last digits */
        sslh_classify(again, pixels, 40, 8, 8, 3, said[0], scores[0]);
        sslh_save_classifier(again, NULL, NULL, path); /* it keeps its encoder and names */
        CHECK_OK(other);
        again = sslh_load_classifier(c, path);
        sslh_classify(again, pixels, 40, 8, 8, 3, said[1], scores[1]);
        CHECK_OK(c);
        CHECK(!memcmp(said[0], said[1], sizeof said[0]) && !memcmp(scores[0], scores[1], sizeof scores[0]), "%d", way);
        int differ = 0, right = 0;
        sslh_tensor *p = sslh_classifier_predict(k, x);
        for (int i = 0; i < 40; i++) differ += said[0][i] != p->ints[i], right += said[0][i] == classes[i];
        CHECK(differ <= 1 && right > 25, "way %d: %d differ, %d right", way, differ, right);
        sslh_classify(again, pixels + 192, 1, 8, 8, 3, said[1], scores[1]);
        CHECK(said[1][0] == said[0][1] && !memcmp(scores[1], scores[0] + CLASSES, CLASSES * sizeof(float)), "alone");
        if (net) sslh_classify(again, pixels, 1, 16, 12, 3, said[1], NULL); /* resized */
        CHECK_OK(c);
        if (!net) {
            sslh_classify(again, pixels, 1, 16, 12, 3, said[1], NULL);
            CHECK_ERROR(c, "sslh_classify: images of (16,12,3): the classifier has no encoder and takes 192 values");
        }
        sslh_destroy(c);
        sslh_destroy(other);
        remove(path);
    }
}

static unsigned char *slurp(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    unsigned char *bytes = (unsigned char *)malloc(1 << 20);
    *size = f ? fread(bytes, 1, 1 << 20, f) : 0;
    if (f) fclose(f);
    return bytes;
}

/* Files that were cut or changed are refused, each with one sentence. (Those whose checksum was made to fit again are
   tried by tests/fuzz_files.c.) */
static void damaged_files(void) {
    sslh_ctx *c = context(1);
    const char *path = test_temporary("k.safetensors");
    size_t size, step = test_small() ? 97 : 7;
    NONE(sslh_feature_desc, f);
    sslh_net *net = small_net(c);
    sslh_save_classifier(make(c, 0, sslh_features(c, net, images(c), f)), net, animals, path);
    unsigned char *bytes = slurp(path, &size);
    CHECK(size > 2000, "%d bytes", (int)size);
    CHECK(sslh_load_classifier_memory(c, bytes, size) != NULL, "whole");
    CHECK_OK(c);
    int64_t mark = sslh_mark(c);
    for (size_t i = 0; i < size; i += step) {
        unsigned char *copy = (unsigned char *)malloc(i + 1);
        memcpy(copy, bytes, i);
        CHECK(!sslh_load_classifier_memory(c, copy, i) && sslh_error_code(c) == SSLH_E_FORMAT, "cut at %d", (int)i);
        sslh_clear_error(c);
        free(copy);
        bytes[i] ^= 0x11;
        CHECK(!sslh_load_classifier_memory(c, bytes, size) && sslh_error_code(c) == SSLH_E_FORMAT, "byte %d", (int)i);
        sslh_clear_error(c);
        bytes[i] ^= 0x11;
        sslh_rewind(c, mark);
    }
    free(bytes);
    sslh_save_net(net, path);
    CHECK(!sslh_load_classifier(c, path), "a net");
    CHECK_ERROR(c, "k.safetensors holds no classifier: files of sslh_save_classifier do");
    CHECK(!sslh_load_classifier(c, "no such file"), "no file");
    CHECK(sslh_error_code(c) == SSLH_E_FILE, "%s", sslh_error(c));
    sslh_clear_error(c);
    sslh_save_classifier(make(c, 1, sslh_full(c, sslh_dim2(40, 9), 1)), net, NULL, path);
    CHECK_ERROR(c, "sslh_save_classifier: the encoder gives 8 values, the classifier takes 9");
    {
        NONE(sslh_net_desc, no_net);
        no_net.width = -1;
        net = sslh_net_new(c, no_net);
        sslh_clear_error(c);
        sslh_save_classifier(make(c, 1, sslh_full(c, sslh_dim2(40, 8), 1)), net, NULL, path);
        CHECK_ERROR(c, "sslh_save_classifier: this net could not be made");
    }
    remove(path);
    sslh_destroy(c);
}

/* Encoder and head trained together: the classifier that is kept answers as the nets whose accuracy sslh_finetune
   gives, and a file keeps it. Both draw the head's initial values, so each call has a context of its own with the same
   seed. views: NULL or a recipe of the caller's, which normalises the images in training, in the test and later. */
static void finetuned_with(const sslh_recipe *views) {
    const char *path = test_temporary("k.safetensors");
    static int32_t said[2][40];
    NONE(sslh_finetune_desc, fd);
    fd.epochs = 30, fd.batch = 20, fd.lr = 0.01f, fd.views = views;
    sslh_ctx *c = context(2);
    sslh_data d = images(c);
    double accuracy = (double)sslh_finetune(c, small_net(c), d, d, fd);
    CHECK_OK(c);
    sslh_destroy(c);

    c = context(2);
    d = images(c);
    sslh_net *net = small_net(c);
    sslh_preprocess p, own = sslh_get_preprocess(net);
    uint64_t before = sslh_hash(net);
    sslh_classifier *k = sslh_finetune_keep(c, net, d, fd);
    CHECK_OK(c);
    p = sslh_get_preprocess(net);
    CHECK(!memcmp(&p, &own, sizeof p) && sslh_hash(net) == before, "the encoder has changed");
    sslh_classify(k, pixels, 40, 8, 8, 3, said[0], NULL);
    int right = 0;
    for (int i = 0; i < 40; i++) right += said[0][i] == classes[i];
    CHECK_NEAR(right / 40.0, accuracy, 1e-6);
    CHECK(right > 30, "%d of 40", right);
    p = sslh_get_preprocess(sslh_classifier_query(k).encoder);
    if (views) CHECK(!memcmp(p.mean, views->mean, sizeof p.mean) && !memcmp(p.std, views->std, sizeof p.std), "views");
    else CHECK(!memcmp(&p, &own, sizeof p), "its normalisation is the encoder's");
    sslh_save_classifier(k, NULL, NULL, path);
    sslh_classify(sslh_load_classifier(c, path), pixels, 40, 8, 8, 3, said[1], NULL);
    CHECK_OK(c);
    CHECK(!memcmp(said[0], said[1], sizeof said[0]), "read again");
    sslh_finetune_keep(c, NULL, d, fd);
    CHECK(sslh_error(c) && strstr(sslh_error(c), "sslh_finetune_keep"), "no encoder");
    sslh_clear_error(c);
    remove(path);
    sslh_destroy(c);
}
static void finetuned(void) {
    sslh_recipe r = SSLH_VIEWS_NONE;
    r.mean[0] = 0.5f, r.mean[2] = -2, r.std[0] = 0.01f, r.std[2] = 3;
    finetuned_with(NULL);
    finetuned_with(&r);
}

/* The names of the classes are copied: the classifier outlives those of the data. */
static void names_outlive_data(void) {
    sslh_ctx *c = context(1);
    static char name[2][4] = {"cat", "dog"};
    const char *names[2];
    static uint8_t dots[8 * 8 * 8 * 3];
    static const int32_t label[8] = {0, 1, 0, 1, 0, 1, 0, 1};
    sslh_field f[2];
    NONE(sslh_finetune_desc, fd);
    memset(f, 0, sizeof f);
    for (int i = 0; i < 8 * 8 * 8 * 3; i++) dots[i] = (uint8_t)(7 * i);
    names[0] = name[0], names[1] = name[1];
    f[0].kind = SSLH_FIELD_IMAGE, f[0].type = SSLH_U8, f[0].shape = sslh_dim3(8, 8, 3), f[0].values = dots;
    f[1].kind = SSLH_FIELD_LABEL, f[1].type = SSLH_I32, f[1].values = label, f[1].names = names, f[1].classes = 2;
    fd.epochs = 1;
    sslh_classifier *k = sslh_finetune_keep(c, small_net(c), sslh_data_from_fields(c, f, 2, 8), fd);
    CHECK_OK(c);
    name[1][0] = 'f', names[0] = NULL;
    CHECK(!strcmp(sslh_classifier_query(k).names[0], "cat") && !strcmp(sslh_classifier_query(k).names[1], "dog"),
          "the names have changed with those of the data");
    sslh_destroy(c);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static unsigned long long everything(int threads, int portable) {
    sslh_desc cd;
    memset(&cd, 0, sizeof cd);
    cd.threads = threads;
    cd.portable_bits = portable;
    sslh_ctx *c = sslh_create(cd);
    sslh_tensor *x = rows(c, 0, TRAIN), *t = rows(c, TRAIN, TESTS);
    NONE(sslh_forest_desc, fd);
    NONE(sslh_svm_desc, sd);
    NONE(sslh_logistic_desc, ld);
    NONE(sslh_kmeans_desc, kd);
    unsigned long long h = 0;
    fd.trees = 13;
    kd.clusters = 5;
    kd.starts = 3;
    sslh_classifier *k[3];
    k[0] = sslh_forest(c, x, labels, CLASSES, fd);
    k[1] = sslh_svm(c, x, labels, CLASSES, sd);
    k[2] = sslh_logistic(c, x, labels, CLASSES, ld);
    for (int i = 0; i < 3; i++) {
        sslh_tensor *z = sslh_classifier_scores(k[i], t);
        h = test_hash(z->data, z->count * sizeof *z->data, h);
    }
    float bag = sslh_classifier_query(k[0]).out_of_bag;
    h = test_hash(&bag, sizeof bag, h);
    sslh_clusters s = sslh_kmeans(c, x, kd);
    h = test_hash(s.centres->data, s.centres->count * sizeof *s.centres->data, h);
    h = test_hash(s.member->ints, s.member->count * sizeof *s.member->ints, h);
    CHECK_OK(c);
    sslh_destroy(c);
    return h;
}
static void same_for_any_threads(void) {
    unsigned long long one = everything(1, 0);
    for (int threads = 2; threads < 6; threads++) CHECK(everything(threads, 0) == one, "%d threads", threads);
}

/* After an error: nothing is lost, one sentence, and the next call works. */
static void mistakes(void) {
    static const int32_t wrong[3] = {0, 1, 2};
    static const float values[6] = {0, 1, 2, 3, 4, 5};
    sslh_ctx *c = context(1), *other = context(1);
    sslh_tensor *x = from(c, 3, 2, values), *bad = from(c, 3, 2, values);
    NONE(sslh_forest_desc, fd);
    NONE(sslh_svm_desc, sd);
    NONE(sslh_logistic_desc, ld);
    NONE(sslh_kmeans_desc, kd);
    bad->data[3] = (sslh_real)NAN;
    CHECK(!sslh_forest(c, x, wrong, 2, fd), "a label beyond");
    CHECK_ERROR(c, "sslh_forest: label 2 of sample 2 is outside 0 .. 1");
    CHECK(!sslh_svm(c, x, NULL, 3, sd), "no labels");
    CHECK_ERROR(c, "sslh_svm: features (n,D), a label for each row");
    CHECK(!sslh_logistic(c, x, wrong, 1, ld), "one class");
    CHECK_ERROR(c, "sslh_logistic: features (n,D), a label for each row");
    CHECK(!sslh_svm(c, bad, wrong, 3, sd), "NaN");
    CHECK_ERROR(c, "sslh_svm: row 1 of the features holds NaN or Inf");
    CHECK(!sslh_forest(other, x, wrong, 3, fd), "another context");
    CHECK_ERROR(other, "sslh_forest: input 1 belongs to another context");
    fd.features = 3;
    CHECK(!sslh_forest(c, x, wrong, 3, fd), "too many features");
    CHECK_ERROR(c, "sslh_forest: .features is 3, the rows have 2");
    sd.cost = -1;
    CHECK(!sslh_svm(c, x, wrong, 3, sd), "cost");
    CHECK_ERROR(c, "sslh_svm: .cost is -1");
    sslh_kmeans(c, x, kd);
    CHECK_ERROR(c, "sslh_kmeans: .clusters is 0, 1 to the number of rows, 3, is allowed");
    kd.clusters = 4;
    CHECK(sslh_kmeans(c, x, kd).member->ndim == 0, "a dummy");
    CHECK_ERROR(c, "sslh_kmeans: .clusters is 4");
    sslh_nearest_centres(c, x, from(c, 2, 3, values));
    CHECK_ERROR(c, "sslh_nearest_centres: rows of width 2, centres of width 3");
    sslh_cluster_agreement(c, wrong, wrong, 0);
    CHECK_ERROR(c, "sslh_cluster_agreement");
    sslh_classifier_scores(NULL, x);
    CHECK_ERROR(c, "sslh_classifier_scores: the classifier is NULL");
    memset(&sd, 0, sizeof sd);
    sslh_classifier *k = sslh_svm(c, x, wrong, 3, sd);
    CHECK_OK(c);
    sslh_classifier_predict(k, from(c, 2, 3, values));
    CHECK_ERROR(c, "sslh_classifier_predict: features (n,2) are needed");
    sslh_forest_print(k, 0, NULL, 0);
    CHECK_ERROR(c, "sslh_forest_print: there is no tree 0");
    CHECK_NEAR(sslh_classifier_accuracy(k, x, wrong), 1, 0);
    CHECK(sslh_classifier_query(NULL).classes == 0, "no classifier");
    CHECK_OK(c);
    sslh_destroy(other);
    sslh_destroy(c);
}

/* Every allocation fails in turn: one error, and nothing leaks. */
static void failing_memory(void) {
    for (int which = 0; which < 4; which++) {
        long calls = 1;
        for (long at = 1; at <= calls; at++) {
            NONE(test_memory, m);
            NONE(sslh_desc, cd);
            NONE(sslh_forest_desc, fd);
            NONE(sslh_svm_desc, sd);
            NONE(sslh_logistic_desc, ld);
            NONE(sslh_kmeans_desc, kd);
            cd.threads = 1, cd.alloc = test_alloc, cd.release = test_release, cd.user = &m;
            sslh_ctx *c = sslh_create(cd);
            sslh_tensor *x = rows(c, 0, 60);
            sslh_classifier *k = NULL;
            long live = m.live, before = m.calls;
            int64_t mark = sslh_mark(c);
            m.fail_at = before + at;
            fd.trees = 5, kd.clusters = 3, kd.starts = 1;
            if (which == 0) k = sslh_forest(c, x, labels, CLASSES, fd);
            else if (which == 1) k = sslh_svm(c, x, labels, CLASSES, sd);
            else if (which == 2) k = sslh_logistic(c, x, labels, CLASSES, ld);
            else sslh_kmeans(c, x, kd);
            sslh_classifier_predict(k, k ? x : NULL);
            sslh_save_classifier(k, NULL, animals, test_temporary("m"));
            if (k) sslh_load_classifier(c, test_temporary("m"));
            sslh_cluster_agreement(c, labels, labels, 60);
            if (m.calls - before >= at) {
                CHECK_ERROR(c, "out of memory");
                calls = at + 1;
            } else CHECK_OK(c);
            sslh_rewind(c, mark);
            CHECK(m.live <= live + 4, "allocation %ld: %ld blocks are left", at, m.live - live);
            sslh_destroy(c);
            CHECK(m.live == 0, "allocation %ld: %ld blocks leak", at, m.live);
        }
        CHECK(calls > 8, "only %ld allocations", calls);
        remove(test_temporary("m"));
    }
}
#endif

TESTS_BEGIN
#if SSLH_WITH_CLASSIFIERS
    TEST(svm_is_solved)
    TEST(logistic_is_solved)
    TEST(logistic_planes)
    TEST(svm_by_hand)
    TEST(tree_by_hand)
    TEST(tree_of_xor)
    TEST(trees_of_scikit)
    TEST(forest_of_scikit)
    TEST(kmeans_exact)
    TEST(kmeans_of_scikit)
    TEST(kmeans_in_float)
    TEST(agreement)
    TEST(confusion_of_scikit)
    TEST(measures_by_hand)
    TEST(calibration_of_scikit)
    TEST(files)
    TEST(damaged_files)
    TEST(finetuned)
    TEST(names_outlive_data)
    TEST(same_for_any_threads)
    TEST(mistakes)
    TEST(failing_memory)
#endif
TESTS_END
