/* One SimCLR run for tests/torch/simclr_compare.py, and the probe that both sides are judged by.

       simclr_run train TRAIN TEST SEED EPOCHS BATCH LR TEMPERATURE OUT [threads]
           trains sslh_convnet (32-64-128-256) by sslh_simclr with plain SGD (momentum 0.9, decay 1e-4 on matrices, one
           epoch of warm-up, cosine to 0); writes OUT/init.safetensors (encoder and head before the first step),
           OUT/train.npy and OUT/test.npy (features), OUT/train_labels.npy, OUT/test_labels.npy; prints the mean loss of
           every epoch.
       simclr_run probe FOLDER
           reads the four .npy files of a folder and prints "linear X knn Y" (accuracy in percent). */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *join(char *out, size_t size, const char *folder, const char *name) {
    snprintf(out, size, "%s/%s", folder, name);
    return out;
}

static void save_labels(sslh_ctx *c, const char *path, const int32_t *labels, int64_t n) {
    float *v = (float *)malloc((size_t)n * sizeof(float));
    if (!v) return;
    for (int64_t i = 0; i < n; i++) v[i] = (float)labels[i];
    sslh_save_npy(c, path, sslh_dim1((int)n), v);
    free(v);
}

static void save_features(sslh_ctx *c, sslh_net *encoder, sslh_data data, const char *folder, const char *set) {
    char path[1024], file[64];
    sslh_feature_desc desc;
    memset(&desc, 0, sizeof desc);
    sslh_tensor *x = sslh_features(c, encoder, data, desc);
    snprintf(file, sizeof file, "%s.npy", set);
    sslh_save_npy(c, join(path, sizeof path, folder, file), sslh_shape_of(x), x->data);
    snprintf(file, sizeof file, "%s_labels.npy", set);
    save_labels(c, join(path, sizeof path, folder, file), data.labels, data.count);
}

static int train(sslh_ctx *c, char **argv) {
    char path[1024];
    sslh_data data = sslh_load_images(c, argv[2]), test = sslh_load_images(c, argv[3]);
    sslh_convnet_desc net;
    memset(&net, 0, sizeof net);
    sslh_net *encoder = sslh_convnet(c, net);
    sslh_simclr_desc simclr;
    memset(&simclr, 0, sizeof simclr);
    simclr.temperature = (float)atof(argv[8]);
    sslh_method method = sslh_simclr(c, encoder, simclr);
    sslh_save_net(method.net, join(path, sizeof path, argv[9], "init.safetensors"));

    float losses[1000];
    sslh_train_desc t;
    memset(&t, 0, sizeof t);
    t.epochs = atoi(argv[5]);
    t.batch = atoi(argv[6]);
    t.lr = (float)atof(argv[7]);
    t.optimizer.kind = SSLH_SGD;
    t.optimizer.momentum = 0.9f;
    t.optimizer.weight_decay = 1e-4f;
    t.schedule = SSLH_COSINE;
    t.warmup = 1;
    t.quiet = 1;
    t.losses = losses;
    if (t.epochs > 1000) sslh_fail(c, SSLH_E_USAGE, "simclr_run: at most 1000 epochs");
    sslh_train(c, method, data, t);
    for (int i = 0; i < t.epochs && !sslh_error(c); i++) printf("epoch %d loss %.4f\n", i, (double)losses[i]);
    save_features(c, encoder, data, argv[9], "train");
    save_features(c, encoder, test, argv[9], "test");
    return 0;
}

static int32_t *read_labels(sslh_ctx *c, const char *path, int64_t n) {
    sslh_tensor *t = sslh_load_npy(c, path);
    int32_t *out = (int32_t *)calloc((size_t)n + 1, sizeof(int32_t));
    for (int64_t i = 0; out && t->data && (size_t)n == t->count && i < n; i++) out[i] = (int32_t)t->data[i];
    return out;
}

static int probe(sslh_ctx *c, char **argv) {
    char path[1024];
    sslh_tensor *a = sslh_load_npy(c, join(path, sizeof path, argv[2], "train.npy"));
    sslh_tensor *b = sslh_load_npy(c, join(path, sizeof path, argv[2], "test.npy"));
    int32_t *la = read_labels(c, join(path, sizeof path, argv[2], "train_labels.npy"), a->shape[0]);
    int32_t *lb = read_labels(c, join(path, sizeof path, argv[2], "test_labels.npy"), b->shape[0]);
    sslh_probe_desc p;
    sslh_knn_desc k;
    memset(&p, 0, sizeof p);
    memset(&k, 0, sizeof k);
    float linear = sslh_linear_probe_features(c, a, la, b, lb, 10, p);
    float knn = sslh_knn_features(c, a, la, b, lb, 10, k);
    printf("linear %.2f knn %.2f\n", 100 * (double)linear, 100 * (double)knn);
    free(la);
    free(lb);
    return 0;
}

int main(int argc, char **argv) {
    int training = argc >= 10 && !strcmp(argv[1], "train");
    if (!training && !(argc == 3 && !strcmp(argv[1], "probe"))) {
        fprintf(stderr, "usage: simclr_run train TRAIN TEST SEED EPOCHS BATCH LR TEMPERATURE OUT [threads]\n"
                        "       simclr_run probe FOLDER\n");
        return 2;
    }
    sslh_desc desc;
    memset(&desc, 0, sizeof desc);
    if (training) desc.seed = strtoull(argv[4], NULL, 10);
    if (argc > 10) desc.threads = atoi(argv[10]);
    sslh_ctx *c = sslh_create(desc);
    if (training) train(c, argv);
    else probe(c, argv);
    int bad = sslh_error(c) != NULL;
    if (bad) fprintf(stderr, "%s\n", sslh_error(c));
    sslh_destroy(c);
    return bad;
}
