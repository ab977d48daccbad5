/* Autoencoder: a textbook's net, 784-64-32-16-32-64-784, and its variants, beside PCA of the same width. Prints errors
   on images that were not trained on, and probes of the codes; draws rebuilt images and a map of the codes. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { SHOWN = 10, MAPPED = 1500 };

/* What is trained; the settings are those of sslh_method_make. */
typedef struct variant { const char *name, *settings; int all; /* only with --all */ } variant;
static const variant variants[] = {
    {"textbook", "", 0},
    {"denoising", "noise=1 amount=0.5", 0},
    {"two numbers", "latent=2", 0},
    {"salt and pepper", "noise=2 amount=0.25", 1},
    {"masking", "noise=3 amount=0.25", 1},
    {"sparse", "layers=1 latent=64 sparse=3 rate=0.1", 1},
    {"contractive, tied", "layers=1 latent=64 contractive=0.1 tied_weights=1", 1},
    {"convolutional", "convolutions=2", 1},
};
enum { VARIANTS = sizeof variants / sizeof *variants, TEXTBOOK = 0, DENOISING = 1, TWO = 2 };

/* PCA as an autoencoder of one linear layer, whose weights are the axes: the best that such a layer can learn. */
static sslh_method pca(sslh_ctx *c, sslh_data train, int width) {
    char settings[64];
    sslh_feature_desc f = {0};
    sslh_method m;
    sslh_tensor *x, *mean, *score, *axes, *encode, *decode, *bias;
    int i, k, values = train.height * train.width * train.channels;
    snprintf(settings, sizeof settings, "layers=1 output=3 latent=%d", width);
    m = sslh_method_make(c, "autoencoder", NULL, train, settings);
    x = sslh_features(c, NULL, train, f);      /* (n,values) */
    score = sslh_pca(c, x, width);             /* (n,width) */
    stop_on_error(c);
    mean = sslh_mean(c, x, SSLH_AXIS(0), 1);
    /* (width,values), each times the squares of its scores */
    axes = sslh_matmul_ex(c, score, sslh_sub(c, x, mean), 1, 0);
    axes = sslh_l2_normalize(c, axes, 0);
    encode = sslh_find(m.net, "encoder.fc1.weight"); /* (width,values) */
    decode = sslh_find(m.net, "decoder.fc1.weight"); /* (values,width) */
    bias = sslh_find(m.net, "encoder.fc1.bias");     /* (width) */
    stop_on_error(c);
    for (k = 0; k < width; k++) {
        double b = 0;
        for (i = 0; i < values; i++) {
            encode->data[k * values + i] = decode->data[i * width + k] = axes->data[k * values + i];
            b -= (double)axes->data[k * values + i] * (double)mean->data[i];
        }
        bias->data[k] = (sslh_real)b;
    }
    for (i = 0; i < values; i++) sslh_find(m.net, "decoder.fc1.bias")->data[i] = mean->data[i];
    return m;
}

/* A row of the table: 1000 times the squared error of a value, then what the codes are worth. m NULL: raw pixels. */
static void row(sslh_ctx *c, const char *name, sslh_method *m, int with_error, sslh_data part[3]) {
    int i;
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_knn_desc k = {{0}, 0, 0, 0, 0};
    sslh_net *encoder = m ? m->encoder : NULL;
    printf("%-20s", name);
    for (i = 0; i < 3; i++)
        if (with_error) printf(" %8.3f", 1000 * (double)sslh_autoencoder_evaluate(m, part[i]));
        else printf(" %8s", "");
    if (part[0].labels) {
        printf("   %8.1f %%", 100 * (double)sslh_linear_probe(c, encoder, part[0], part[2], p));
        printf("      %5.1f %%", 100 * (double)sslh_knn(c, encoder, part[0], part[2], k));
    }
    printf("\n");
    fflush(stdout);
}

/* Test images; with noise; that rebuilt by the net that learnt from noise; the images by the textbook's net and by
   PCA. */
static void picture(sslh_ctx *c, const options *o, sslh_method *clean, sslh_method *denoising, sslh_method *linear,
                    sslh_data test) {
    static const char *const names[5] = {"original", "noisy", "rebuilt from it", "rebuilt", "by PCA"};
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    sslh_tensor *r[5];
    char path[1024];
    ld.batch = SHOWN;
    ld.in_order = 1;
    if (!sslh_next_batch(sslh_loader_new(c, test, ld), &batch)) return;
    r[0] = sslh_batch_images(c, batch);
    r[1] = sslh_autoencoder_noisy(denoising, r[0], 0);
    r[2] = sslh_autoencoder_rebuild(denoising, r[1]);
    r[3] = sslh_autoencoder_rebuild(clean, r[0]);
    r[4] = sslh_autoencoder_rebuild(linear, r[0]);
    picture_rows(c, out_path(o, path, sizeof path, "autoencoder.png"), r, 5, names, "Autoencoder: test images");
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv,
                              "Autoencoder (Hinton & Salakhutdinov 2006), 784-64-32-16-32-64-784, and its variants.\n"
                              "A tenth of the training images, drawn by --seed, is the validation set.",
                              "  --all          sparse, contractive, convolutional and other noisy variants, too\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test, part[3], shown;
    sslh_feature_desc f = {0};
    sslh_train_desc t = {0};
    sslh_plot_desc plot = {0};
    sslh_method m[VARIANTS], linear, untrained;
    char path[1024];
    int i, all = 0;
    const own_option own[] = {{"--all", OPTION_FLAG, &all}, {0}};
    sslh_split_desc sd = {0};
    sslh_split parts;
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    memset(m, 0, sizeof m);
    memset(&untrained, 0, sizeof untrained);
    sd.validation = 0.1f;
    sd.test = SSLH_OFF;
    sd.seed = o.seed;
    parts = sslh_data_split(train, sd);
    part[0] = parts.train;
    part[1] = parts.validation;
    part[2] = test;
    stop_on_error(c);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 0; /* the method's 50 */
    t.batch = o.batch ? o.batch : o.smoke ? 64 : 0;
    sslh_no_grad(c, 1);
    linear = pca(c, part[0], 16);
    sslh_no_grad(c, 0);
    for (i = 0; i < VARIANTS; i++) {
        if (variants[i].all && !all) continue;
        m[i] = sslh_method_make(c, "autoencoder", NULL, part[0], variants[i].settings);
        if (i == TEXTBOOK) {
            untrained = sslh_method_make(c, "autoencoder", NULL, part[0], "");
            stop_on_error(c);
            method_said(&m[i], &t, part[0], part[2]);
        }
        sslh_train(c, m[i], part[0], t);
        stop_on_error(c);
    }
    printf("                     1000 x squared error of a value      what the codes are worth\n"
           "                     training    valid.     test   linear probe   nearest neighbours\n");
    row(c, "raw pixels", NULL, 0, part);
    row(c, "PCA, 16 numbers", &linear, 1, part);
    row(c, "untrained", &untrained, 1, part);
    for (i = 0; i < VARIANTS; i++)
        if (!variants[i].all || all) row(c, variants[i].name, &m[i], 1, part);
    sslh_no_grad(c, 1);
    picture(c, &o, &m[TEXTBOOK], &m[DENOISING], &linear, part[2]);
    shown = some_of(test, MAPPED, o.seed);
    plot.title = "Autoencoder: codes of two numbers, test images";
    plot.names = shown.class_names;
    sslh_picture_scatter_ex(c, out_path(&o, path, sizeof path, "autoencoder_map.png"),
                            sslh_features(c, m[TWO].encoder, shown, f), shown.labels, shown.classes, plot);
    sslh_no_grad(c, 0);
    if (!sslh_error(c)) printf("pictures in %s: autoencoder, autoencoder_map\n", o.out);
    return finish(c);
}
