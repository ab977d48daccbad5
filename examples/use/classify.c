/* What is done with features: classifiers and clusters on raw pixels, on an untrained encoder and on one that was
   trained for a few epochs without labels; how sure they are and what they mix up; neighbours; copies in the data; a
   classifier for predict.c.

     classify                                       the images of examples/data
     classify --data cifar10 --images 10000         another set
     classify --load encoder.safetensors --save classifier.safetensors --kind forest
     classify --data photos --duplicates            copies in a folder of your own, and nothing else */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <math.h>

static const char *const help =
    "  --load F        an encoder (pretrain --save); else a small conv net is trained by SimCLR (--epochs, default 5)\n"
    "  --save F        the encoder and a classifier as one file, for predict.c\n"
    "  --kind K        which: svm (the default), logistic, forest\n"
    "  --neighbours F  .csv: each test image with the five training images that are most similar, as files or numbers\n"
    "  --duplicates    only tells which images are there twice: equal ones, and those whose thumbnails are alike\n"
    "  --threshold X   cosine from which thumbnails are alike (default 0.98)\n";

typedef struct settings { const char *load, *save, *kind, *neighbours; int duplicates; float threshold; } settings;

static settings settings_parse(int argc, char **argv) {
    settings s;
    const own_option own[] = {{"--load", OPTION_TEXT, &s.load}, {"--save", OPTION_TEXT, &s.save},
                              {"--kind", OPTION_TEXT, &s.kind}, {"--neighbours", OPTION_TEXT, &s.neighbours},
                              {"--threshold", OPTION_REAL, &s.threshold},
                              {"--duplicates", OPTION_FLAG, &s.duplicates}, {0}};
    memset(&s, 0, sizeof s);
    s.kind = "svm";
    s.threshold = 0.98f;
    options_own(own, argc, argv);
    if (strcmp(s.kind, "svm") && strcmp(s.kind, "logistic") && strcmp(s.kind, "forest")) {
        fprintf(stderr, "--kind %s: svm, logistic or forest\n", s.kind);
        exit(2);
    }
    return s;
}

/* --- copies ------------------------------------------------------------------------------------------------------- */

enum { MOST = 200, SHOWN = 12 };

static void say_image(sslh_data d, const char *set, int32_t at) {
    const char *file = sslh_data_file(d, at);
    if (file) printf("%s", file);
    else printf("%s image %d", set, (int)at);
}
static void say_pairs(sslh_data a, const char *name_a, sslh_data b, const char *name_b, const sslh_twins *t, long n) {
    long i;
    for (i = 0; i < n && i < SHOWN; i++) {
        printf("  %.4f  ", (double)t[i].cosine);
        say_image(a, name_a, t[i].a);
        printf("  =  ");
        say_image(b, name_b, t[i].b);
        printf("\n");
    }
    if (n > SHOWN) printf("  .. and %ld more\n", n - SHOWN);
}
/* Inside both parts and between them; a sheet of those that are alike and not equal. */
static void duplicates(sslh_ctx *c, const options *o, const settings *s, sslh_data train, sslh_data test) {
    static sslh_twins t[MOST];
    static const char *const heads[2] = {"one", "the other"};
    sslh_data none;
    sslh_tensor *x = sslh_thumbnails(c, train, 16), *y = sslh_thumbnails(c, test, 16), *row[2 * SHOWN];
    long n;
    int i, way, rows = 0;
    memset(&none, 0, sizeof none);
    for (way = 0; way < 3 && !sslh_error(c); way++) {
        const sslh_data a = way == 1 ? test : train, b = way == 0 ? train : test;
        const char *name_a = way == 1 ? "test" : "training", *name_b = way == 0 ? "training" : "test";
        n = (long)sslh_data_twins(a, way == 2 ? b : none, t, MOST);
        printf("%s: %ld pairs of equal images\n", way == 0 ? "training" : way == 1 ? "test" : "training and test", n);
        say_pairs(a, name_a, b, name_b, t, n < MOST ? n : MOST);
        n = (long)sslh_near_twins(c, way == 1 ? y : x, way == 2 ? y : NULL, s->threshold, t, MOST);
        printf("%s: %ld pairs with thumbnails alike (cosine at least %.3f), equal ones among them\n",
               way == 0 ? "training" : way == 1 ? "test" : "training and test", n, (double)s->threshold);
        say_pairs(a, name_a, b, name_b, t, n < MOST ? n : MOST);
        for (i = 0; i < n && i < MOST && i < 4 && !sslh_error(c); i++) {
            sslh_batch p;
            memset(&p, 0, sizeof p);
            p.count = 1;
            p.data = a;
            p.index = &t[i].a;
            row[rows++] = sslh_batch_images(c, p);
            p.data = b;
            p.index = &t[i].b;
            row[rows++] = sslh_batch_images(c, p);
        }
    }
    if (rows && !sslh_error(c)) {
        char path[1024];
        sslh_grid_desc g = {0};
        g.columns = 2;
        g.heads = heads;
        g.title = "Images that are there twice";
        sslh_picture_grid_ex(c, out_path(o, path, sizeof path, "duplicates.png"), sslh_concat(c, row, rows, 0), g);
    }
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

/* One of each kind, with the default settings. */
static sslh_classifier *fit(sslh_ctx *c, const char *kind, sslh_tensor *x, sslh_data train, unsigned long seed) {
    sslh_svm_desc s = {0};
    sslh_logistic_desc l = {0};
    sslh_forest_desc f = {0};
    f.seed = seed;
    if (!strcmp(kind, "svm")) return sslh_svm(c, x, train.labels, train.classes, s);
    if (!strcmp(kind, "logistic")) return sslh_logistic(c, x, train.labels, train.classes, l);
    return sslh_forest(c, x, train.labels, train.classes, f);
}

static void table_row(sslh_ctx *c, const options *o, const char *name, sslh_net *net, sslh_data train,
                      sslh_data test) {
    static const char *const kinds[3] = {"logistic", "svm", "forest"};
    sslh_feature_desc fd = {0};
    sslh_knn_desc kd = {{0}, 0, 0, 0, 0};
    sslh_kmeans_desc md = {0};
    sslh_agreement a;
    sslh_retrieval_score r;
    int64_t mark = sslh_mark(c);
    sslh_tensor *x = sslh_features(c, net, train, fd), *y = sslh_features(c, net, test, fd);
    int i, k = train.count > 10 ? 10 : 1;
    if (!net)
        printf("%-20s logistic     SVM  forest (out of bag)     kNN   k-means: acc.   NMI   ARI   found: P@%d   mAP\n",
               "", k);
    printf("%-20s", name);
    fflush(stdout);
    for (i = 0; i < 3; i++) {
        sslh_classifier *m = fit(c, kinds[i], x, train, o->seed);
        printf("   %5.1f", 100 * (double)sslh_classifier_accuracy(m, y, test.labels));
        if (i == 2) printf("      (%5.1f)", 100 * (double)sslh_classifier_query(m).out_of_bag);
        fflush(stdout);
    }
    printf("     %5.1f", 100 * (double)sslh_knn_features(c, x, train.labels, y, test.labels, train.classes, kd));
    md.clusters = train.classes;
    md.seed = o->seed;
    x = sslh_persist(sslh_l2_normalize(c, x, 0)); /* unit rows: cosines are what an encoder is trained for */
    a = sslh_cluster_agreement(c, sslh_kmeans(c, x, md).member->ints, train.labels, (int)train.count);
    r = sslh_retrieval(c, x, train.labels, y, test.labels, k);
    printf("           %5.1f  %.3f %.3f            %5.1f %5.1f\n", 100 * (double)a.accuracy, (double)a.nmi,
           (double)a.ari, 100 * (double)r.precision, 100 * (double)r.map);
    fflush(stdout);
    if (!sslh_error(c)) sslh_rewind(c, mark);
}

/* Precision, recall and F1 of each class, the picture of what is mixed up, calibration with its bins. */
static void look_closer(sslh_ctx *c, const options *o, const char *kind, sslh_classifier *m, sslh_tensor *y,
                        sslh_data test) {
    enum { BINS = 10 };
    float precision[1000], recall[1000], f1[1000], bins[2][BINS];
    static const char *const lines[2] = {"confidence", "accuracy"};
    const int K = sslh_classifier_query(m).classes;
    sslh_tensor *confusion = sslh_confusion(c, test.labels, sslh_classifier_predict(m, y)->ints, (int)test.count, K);
    sslh_class_measures all;
    sslh_plot_desc d = {0};
    int32_t rows[BINS];
    char path[1024], name[64];
    int i;
    if (sslh_error(c) || K > 1000) return;
    all = sslh_confusion_measures(confusion, precision, recall, f1);
    printf("\n%s: accuracy %.1f %%, macro averages: precision %.1f, recall %.1f, F1 %.1f\n", kind,
           100 * (double)all.accuracy, 100 * (double)all.precision, 100 * (double)all.recall, 100 * (double)all.f1);
    for (i = 0; i < K && i < 10; i++) {
        snprintf(name, sizeof name, "%d", i);
        printf("  %-12.12s precision %5.1f  recall %5.1f  F1 %5.1f\n", test.class_names ? test.class_names[i] : name,
               100 * (double)precision[i], 100 * (double)recall[i], 100 * (double)f1[i]);
    }
    snprintf(name, sizeof name, "confusion_%s.png", kind);
    if (K <= 100)
        sslh_picture_confusion(c, out_path(o, path, sizeof path, name), confusion, test.class_names, kind);
    if (!strcmp(kind, "svm")) return; /* its scores are no probabilities */
    printf("  calibration error %.1f %%; test images by confidence:",
           100 * (double)sslh_calibration_error(c, sslh_classifier_scores(m, y), test.labels, BINS, bins[0], bins[1],
                                                rows));
    for (i = 0; i < BINS; i++) printf(" %d", (int)rows[i]);
    printf("\n");
    for (i = 0; i < BINS; i++) if (!rows[i]) bins[0][i] = bins[1][i] = (float)NAN;
    d.title = kind;
    d.x = "bin of confidence";
    d.names = lines;
    snprintf(name, sizeof name, "reliability_%s.png", kind);
    sslh_picture_curves_ex(c, out_path(o, path, sizeof path, name), bins[0], 2, BINS, d);
}

/* --neighbours FILE. */
static void list_neighbours(sslh_ctx *c, const char *path, sslh_tensor *x, sslh_tensor *y, sslh_data train,
                            sslh_data test) {
    const int k = train.count < 5 ? (int)train.count : 5;
    sslh_neighbours found = sslh_nearest(c, x, y, k);
    int64_t i;
    int j;
    FILE *f = csv_open(c, path);
    if (!f) return;
    fprintf(f, "file,label,rank,neighbour,its label,cosine\n");
    for (i = 0; i < test.count; i++)
        for (j = 0; j < k; j++) {
            csv_begin(f, test, i);
            fprintf(f, ",%d,", j + 1);
            csv_begin(f, train, found.index->ints[i * k + j]);
            fprintf(f, ",%.6f\n", (double)found.cosine->data[i * k + j]);
        }
    csv_close(c, path, f);
    printf("%s: the %d nearest training images of each test image\n", path, k);
}

/* A small conv net, trained by SimCLR for a few epochs; *before is a copy of it as it was. */
static sslh_net *trained(sslh_ctx *c, const options *o, sslh_data train, sslh_net **before) {
    sslh_convnet_desc e = {0};
    sslh_recipe recipe = SSLH_VIEWS_SIMCLR;
    sslh_simclr_desc s = {0};
    sslh_train_desc t = {0};
    sslh_net *net;
    e.channels = train.channels;
    net = sslh_convnet(c, e);
    *before = sslh_clone(net);
    recipe.crop_min = 0.3f;
    s.views = &recipe;
    t.epochs = o->epochs ? o->epochs : o->smoke ? 1 : 5;
    sslh_train(c, sslh_simclr(c, net, s), train, t);
    same_images(*before, net);
    return net;
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "Classifiers, clusters, neighbours and copies: what is done with features.",
                              help);
    settings s = settings_parse(argc, argv);
    sslh_ctx *c = options_create(&o);
    static const char *const kinds[3] = {"svm", "logistic", "forest"};
    sslh_feature_desc f = {0};
    sslh_data train, test;
    sslh_net *net, *before = NULL;
    sslh_tensor *x, *y;
    int i;
    options_load(c, &o, &train, &test);
    if (s.duplicates) {
        duplicates(c, &o, &s, train, test);
        return finish(c);
    }
    if (!train.labels) sslh_fail(c, SSLH_E_USAGE, "--data: these images have no labels, which classifiers need");
    stop_on_error(c);
    check_output(c, "--save", s.save);
    check_output(c, "--neighbours", s.neighbours);
    net = s.load ? sslh_load_net(c, s.load) : trained(c, &o, train, &before);
    stop_on_error(c);
    printf("\n%% of the test images\n");
    table_row(c, &o, "raw pixels", NULL, train, test);
    if (before) table_row(c, &o, "untrained encoder", before, train, test);
    table_row(c, &o, s.load ? "the encoder" : "SimCLR, no labels", net, train, test);
    stop_on_error(c);
    x = sslh_features(c, net, train, f);
    y = sslh_features(c, net, test, f);
    for (i = 0; i < 3 && !sslh_error(c); i++) {
        sslh_classifier *m = fit(c, kinds[i], x, train, o.seed);
        look_closer(c, &o, kinds[i], m, y, test);
        if (s.save && !strcmp(kinds[i], s.kind)) sslh_save_classifier(m, net, train.class_names, s.save);
    }
    if (s.neighbours) list_neighbours(c, s.neighbours, x, y, train, test);
    return finish(c);
}
