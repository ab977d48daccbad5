/* One training of a method in pieces that PyTorch can take part in, for the scripts of tests/torch that compare:

       method_run train METHOD DATA SEED EPOCHS FOLDER [steps [threads]]
           trains by sslh_train; writes FOLDER/init.safetensors and FOLDER/ours.safetensors, the method's nets before
           the first step and after the last; prints "step of-steps epoch lr loss" for every step.
       method_run views METHOD DATA SEED EPOCHS FOLDER [steps [threads]]
           streams what that training sees, batch by batch, with its bits: a line "batch N" and N tensors, each a line
           "NAME TYPE SIZE .." (f32 or i32) and its values in the machine's byte order.
       method_run probe METHOD DATA FILE
           loads the encoder of such a file, whoever trained it, and prints what it is worth: "linear X knn Y ..".

   METHOD moco, byol, barlow, dino: DATA is the folder of CIFAR-10, of which the first 10,000 images are learnt from;
   sslh_convnet. METHOD cpc: DATA is the folder of recordings of the Free Spoken Digit Dataset, divided as in
   examples/audio/cpc.c; sslh_conv_gru. METHOD autoencoder: DATA is the folder of MNIST, all 60,000 and 10,000 images;
   its probe tells 1000 times the squared error of a test image's value too. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All else is the default. */
static const struct { const char *method, *settings; } with_convnet[] = {
    {"moco", "version=2 queue=4096 lr=0.1"},
    {"byol", "target_momentum=0.95 lr=0.1"},
    {"barlow", "lr=1e-3"},
    {"dino", "outputs=256 small_views=4 target_momentum=0.98 lr=1e-3"}, /* as examples/images/dino.c */
};
static const char *const cpc_settings = "steps=6 batch=16 lr=1e-3";

typedef struct run {
    sslh_method m;
    sslh_data train;  /* what is learnt from */
    /* training and test images; cpc: clips of heard speakers to fit a probe on, to test it on, of unheard ones, and the
       first two with the speaker as label */
    sslh_data set[5];
} run;

static sslh_data images(sslh_ctx *c, const char *folder, const char *file) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return sslh_load_images(c, path);
}

/* "a,b": every n-th class name of a label field, the first of them number from; with "!" before it all others. */
static const char *every(sslh_data d, const char *field, int n, int from, int others, char *out, size_t size) {
    sslh_data by = sslh_data_labelled(d, field);
    size_t used = 0;
    out[0] = 0;
    for (int k = from; k < by.classes && used + 40 < size; k += n)
        used += (size_t)snprintf(out + used, size - used, "%s%.30s", used ? "," : others ? "!" : "", by.class_names[k]);
    return out;
}

static void sounds(sslh_ctx *c, run *r, const char *folder) {
    char text[4096];
    sslh_audio_desc a;
    sslh_data all, heard;
    memset(&a, 0, sizeof a);
    a.labels = "digit_speaker_number";
    all = sslh_load_audio(c, folder, a);
    if (sslh_error(c)) return;
    heard = sslh_data_where(all, "speaker", every(all, "speaker", 3, 1, 1, text, sizeof text));
    r->set[2] = sslh_data_where(all, "speaker", every(all, "speaker", 3, 1, 0, text, sizeof text));
    r->set[0] = sslh_data_where(heard, "number", every(heard, "number", 5, 4, 1, text, sizeof text));
    r->set[1] = sslh_data_where(heard, "number", every(heard, "number", 5, 4, 0, text, sizeof text));
    r->set[3] = sslh_data_labelled(r->set[0], "speaker");
    r->set[4] = sslh_data_labelled(r->set[1], "speaker");
    r->train = sslh_data_windows(r->set[0], "speaker", 4096, 1024);
}

static run run_new(sslh_ctx *c, const char *method, const char *folder) {
    const int known = (int)(sizeof with_convnet / sizeof *with_convnet);
    int which = 0;
    run r;
    memset(&r, 0, sizeof r);
    while (which < known && strcmp(with_convnet[which].method, method)) which++;
    if (which < known) {
        sslh_convnet_desc e;
        memset(&e, 0, sizeof e);
        r.train = r.set[0] = images(c, folder, "data_batch_1.bin");
        r.set[1] = images(c, folder, "test_5000.bin");
        r.m = sslh_method_make(c, method, sslh_convnet(c, e), r.train, with_convnet[which].settings);
    } else if (!strcmp(method, "cpc")) {
        static const int kernels[4] = {10, 8, 4, 4}, strides[4] = {5, 4, 2, 2};
        sslh_conv_gru_desc e;
        memset(&e, 0, sizeof e);
        memcpy(e.kernels, kernels, sizeof kernels);
        memcpy(e.strides, strides, sizeof strides);
        e.width = e.context = 64;
        sounds(c, &r, folder);
        r.m = sslh_method_make(c, "cpc", sslh_conv_gru(c, e), r.train, cpc_settings);
    } else if (!strcmp(method, "autoencoder")) {
        r.train = r.set[0] = images(c, folder, "train-images-idx3-ubyte.gz");
        r.set[1] = images(c, folder, "t10k-images-idx3-ubyte.gz");
        r.m = sslh_method_make(c, "autoencoder", NULL, r.train, NULL);
    } else
        sslh_fail(c, SSLH_E_USAGE, "method_run: there are moco, byol, barlow, dino, cpc and autoencoder, not %s",
                  method);
    return r;
}

static void save(const run *r, const char *folder, const char *file) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    sslh_save_net(r->m.net, path);
}

static int tell(const sslh_train_info *t, void *user) {
    (void)user;
    if (!t->epoch_end) /* of all epochs, which .max_steps does not shorten */
        printf("%ld %ld %d %.9g %.9g\n", (long)t->step, (long)t->method->steps, t->epoch, (double)t->lr,
               (double)t->loss);
    return 0;
}

static void train(sslh_ctx *c, run *r, int epochs, int64_t steps, const char *folder) {
    sslh_train_desc t;
    memset(&t, 0, sizeof t);
    t.epochs = epochs;
    t.max_steps = steps;
    t.quiet = 1;
    t.callback = tell;
    save(r, folder, "init.safetensors");
    sslh_train(c, r->m, r->train, t);
    save(r, folder, "ours.safetensors");
}

static int stream(const char *name, const sslh_tensor *x) {
    int i;
    printf("%s %s", name, x->ints ? "i32" : "f32");
    for (i = 0; i < x->ndim; i++) printf(" %d", x->shape[i]);
    printf("\n");
    return fwrite(x->ints ? (const void *)x->ints : (const void *)x->data, 4, x->count, stdout) == x->count;
}

static void views(sslh_ctx *c, run *r, int epochs, int64_t steps) {
    sslh_loader_desc d;
    sslh_loader *loader;
    sslh_batch batch;
    int ok = 1;
    if (sslh_error(c)) return;
    memset(&d, 0, sizeof d);
    d.batch = r->m.defaults.batch;
    d.epochs = epochs;
    if (r->m.prepare) r->m.prepare(&r->m, r->train);
    loader = sslh_loader_new(c, r->train, d);
    while (ok && sslh_next_batch(loader, &batch) && !(steps && batch.step >= steps)) {
        sslh_view_set v;
        memset(&v, 0, sizeof v);
        r->m.views(&r->m, &batch, &v);
        if (sslh_error(c)) return;
        printf("batch %d\n", v.n);
        for (int i = 0; i < v.n && ok; i++) ok = stream(v.name[i], v.x[i]);
    }
    printf("batch 0\n");
}

static void probe(sslh_ctx *c, run *r, const char *file) {
    sslh_load_desc l;
    sslh_probe_desc p;
    sslh_knn_desc k;
    if (sslh_error(c)) return;
    memset(&l, 0, sizeof l);
    memset(&p, 0, sizeof p);
    memset(&k, 0, sizeof k);
    l.strip_prefix = "encoder.";
    l.partial = 1; /* heads, key encoder, queue are in the file too */
    sslh_load_weights(r->m.encoder, file, l);
    if (!strcmp(r->m.name, "autoencoder")) {
        l.strip_prefix = NULL;
        l.partial = 0;
        sslh_load_weights(r->m.net, file, l);
        printf("error %.4f ", 1000 * (double)sslh_autoencoder_evaluate(&r->m, r->set[1]));
    }
    /* how images are normalised: a file may say otherwise, or nothing */
    if (r->m.prepare) r->m.prepare(&r->m, r->train);
    if (r->train.height) {
        const double linear = 100 * (double)sslh_linear_probe(c, r->m.encoder, r->set[0], r->set[1], p);
        const double knn = 100 * (double)sslh_knn(c, r->m.encoder, r->set[0], r->set[1], k);
        if (!sslh_error(c)) printf("linear %.2f knn %.2f\n", linear, knn);
    } else {
        const double digits = 100 * (double)sslh_linear_probe(c, r->m.encoder, r->set[0], r->set[1], p);
        const double unheard = 100 * (double)sslh_linear_probe(c, r->m.encoder, r->set[0], r->set[2], p);
        const double speakers = 100 * (double)sslh_linear_probe(c, r->m.encoder, r->set[3], r->set[4], p);
        if (!sslh_error(c)) printf("digits %.2f unheard %.2f speakers %.2f\n", digits, unheard, speakers);
    }
}

int main(int argc, char **argv) {
    const int probing = argc == 5 && !strcmp(argv[1], "probe");
    if (!probing && (argc < 7 || argc > 9 || (strcmp(argv[1], "train") && strcmp(argv[1], "views")))) {
        fprintf(stderr, "usage: method_run train | views METHOD DATA SEED EPOCHS FOLDER [steps [threads]]\n"
                        "       method_run probe METHOD DATA FILE\n");
        return 2;
    }
    sslh_desc d;
    memset(&d, 0, sizeof d);
    if (!probing) d.seed = strtoull(argv[4], NULL, 10);
    if (argc > 8) d.threads = atoi(argv[8]);
    sslh_ctx *c = sslh_create(d);
    run r = run_new(c, argv[2], argv[3]);
    const int64_t steps = argc > 7 ? atoi(argv[7]) : 0;
    if (probing) probe(c, &r, argv[4]);
    else if (!strcmp(argv[1], "train")) train(c, &r, atoi(argv[5]), steps, argv[6]);
    else views(c, &r, atoi(argv[5]), steps);
    const int bad = sslh_error(c) != NULL;
    if (bad) fprintf(stderr, "%s\n", sslh_error(c));
    sslh_destroy(c);
    return bad;
}
