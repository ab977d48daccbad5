/* Variational autoencoder: prints the test loss and the bound with many codes; draws rebuilt images, samples, and
   images between two others. With --latent 2 it draws the plane of codes and where the test images lie in it. --iwae S
   follows the protocol of the paper on importance weighted autoencoders. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { SHOWN = 8, STEPS = 10, PLANE = 15, MAPPED = 2000 };

/* The plane of codes at equal steps of probability: the quantiles of the normal distribution for 15 points. */
static const float quantile[PLANE] = {-1.53f, -1.15f, -0.89f, -0.67f, -0.49f, -0.32f, -0.16f, 0.0f,
                                      0.16f,  0.32f,  0.49f,  0.67f,  0.89f,  1.15f,  1.53f};

typedef struct settings {
    char text[1024]; /* for sslh_method_make */
    int stages, bound, bound_images;
} settings;

static void more(settings *s, const char *name, const char *value) {
    size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof s->text - used, "%s%s ", name, value);
}

/* Burda et al. 2016: stage i of 8 has 3^i passes at the rate 10^(-3 - i/7). Returns the passes of the first stages. */
static int protocol(settings *s) {
    int i, passes = 1, done = 0, all = 0;
    char text[32];
    for (i = 0; i < s->stages; i++, passes *= 3) all += passes;
    more(s, "", "layers=2 hidden=200 latent=50 activation_tanh=1 binarize=1");
    more(s, "", "batch=20 eps=1e-4 lr=1e-3");
    if (s->stages > 1) more(s, "", "schedule=steps gamma=0.719686");
    for (i = 0, passes = 1; i + 1 < s->stages; i++, passes *= 3) {
        done += passes;
        snprintf(text, sizeof text, "%.7f", (double)done / all);
        more(s, i ? ":" : "milestones=", text);
        s->text[strlen(s->text) - 1] = 0; /* a list has no blanks */
    }
    more(s, "", "");
    return all;
}

static void settings_parse(settings *s, int argc, char **argv) {
    const own_option own[] = {{"--iwae", OPTION_COUNT, &s->stages}, {"--bound-images", OPTION_COUNT, &s->bound_images},
                              {"--bound", OPTION_NUMBER, &s->bound}, {0}};
    int i;
    const char *value;
    memset(s, 0, sizeof *s);
    s->bound = 50;
    s->bound_images = 1000;
    for (i = 1; i < argc; i++)
        if (option_own(own, argc, argv, &i)) continue;
        else if ((value = option_value(argc, argv, &i, "--latent")) != NULL) more(s, "latent=", value);
        else if ((value = option_value(argc, argv, &i, "--hidden")) != NULL) more(s, "hidden=", value);
        else if ((value = option_value(argc, argv, &i, "--set")) != NULL) more(s, "", value);
        else option_unknown(argv[i]);
    option_refused(s->stages > 8, "--iwae:", "there are 1 to 8 stages");
}

static void report(sslh_method *m, sslh_data test, const settings *s) {
    sslh_vae_score score = sslh_vae_evaluate(m, test);
    printf("test: %.2f nats per image = reconstruction %.2f + KL %.2f; %d code units active\n", (double)score.loss,
           (double)score.reconstruction, (double)score.kl, score.active_units);
    if (s->bound && !sslh_error(m->ctx)) {
        sslh_data some = some_of(test, s->bound_images, 1);
        sslh_vae_estimate e = sslh_vae_bound(m, some, s->bound);
        printf("-log p of %.0f test images by %d codes each: at most %.2f nats, standard error %.2f\n",
               (double)some.count, s->bound, (double)e.nll, (double)e.error);
    }
    fflush(stdout);
}

/* Rebuilt, between, drawn; of codes of two numbers their plane instead, and a map of the test images. */
static void pictures(sslh_ctx *c, const options *o, sslh_method *m, sslh_data test) {
    static const char *const names[2] = {"original", "rebuilt"};
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    sslh_tensor *x, *mu, *both[2];
    sslh_grid_desc g = {0};
    char path[1024];
    int i, plane, shown;
    ld.batch = 2 * SHOWN;
    ld.in_order = 1;
    if (!sslh_next_batch(sslh_loader_new(c, test, ld), &batch)) return;
    x = sslh_batch_images(c, batch);
    shown = batch.count / 2; /* there may be few test images */
    if (!shown) return;
    both[0] = sslh_slice(c, x, 0, 0, shown);
    sslh_vae_encode(m, both[0], &mu, NULL);
    both[1] = sslh_vae_decode(m, mu);
    picture_rows(c, out_path(o, path, sizeof path, "vae_reconstructions.png"), both, 2, names, "VAE: test images");
    g.columns = STEPS;
    g.title = "VAE: from one test image to another";
    sslh_picture_grid_ex(c, out_path(o, path, sizeof path, "vae_between.png"),
                         sslh_vae_interpolate(m, both[0], sslh_slice(c, x, 0, shown, 2 * shown), STEPS), g);
    plane = mu->shape[1] == 2;
    if (plane) {
        float codes[PLANE * PLANE][2];
        sslh_feature_desc f = {0};
        sslh_plot_desc plot = {0};
        for (i = 0; i < PLANE * PLANE; i++) {
            codes[i][0] = quantile[i % PLANE];
            codes[i][1] = quantile[i / PLANE];
        }
        g.columns = PLANE;
        g.title = "VAE: the plane of codes";
        sslh_picture_grid_ex(c, out_path(o, path, sizeof path, "vae_manifold.png"),
                             sslh_vae_decode(m, sslh_from(c, sslh_dim2(PLANE * PLANE, 2), codes[0])), g);
        test = some_of(test, MAPPED, 1);
        plot.title = "VAE: codes of two numbers, test images";
        plot.names = test.class_names;
        sslh_picture_scatter_ex(c, out_path(o, path, sizeof path, "vae_map.png"),
                                sslh_features(c, m->encoder, test, f), test.labels, test.classes, plot);
    } else {
        g.columns = 8;
        g.title = "VAE: images of random codes";
        sslh_picture_grid_ex(c, out_path(o, path, sizeof path, "vae_samples.png"), sslh_vae_sample(m, 64), g);
    }
    if (!sslh_error(c))
        printf("pictures in %s: vae_reconstructions, vae_between, %s\n", o->out,
               plane ? "vae_manifold, vae_map" : "vae_samples");
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "Variational autoencoder (Kingma & Welling 2014), 784-400-20-400-784.",
                              "  --latent N     numbers in a code (default 20); with 2, the plane of codes is drawn\n"
                              "  --hidden N     width of the hidden layer (default 400)\n"
                              "  --set TEXT     more settings, as sslh_method_make reads them: \"convolutions=2\",\n"
                              "                 \"codes=5 binarize=1\", \"gaussian=1 learn_sigma=1\", \"beta=4\"\n"
                              "  --iwae S       net and first S of 8 stages of Burda et al. 2016, 3^0 + .. + 3^(S-1)\n"
                              "                 epochs; with --set codes=50 their bound by 50 codes\n"
                              "  --bound K      codes for each image in the test of -log p (default 50; 0: no test)\n"
                              "  --bound-images N  number of test images for that (default 1000)\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_train_desc t = {0};
    sslh_method vae;
    settings s, given;
    settings_parse(&given, argc, argv);
    s = given;
    options_load(c, &o, &train, &test);
    t.epochs = 10;
    if (s.stages) { /* what the caller sets counts more */
        s.text[0] = 0;
        t.epochs = protocol(&s);
        more(&s, "", given.text);
    }
    if (o.smoke) {
        t.epochs = 1;
        s.bound = 5;
        s.bound_images = 100;
    }
    if (o.epochs) t.epochs = o.epochs;
    t.batch = o.batch;
    vae = sslh_method_make(c, "vae", NULL, train, s.text);
    stop_on_error(c);
    method_said(&vae, &t, train, test);
    sslh_train(c, vae, train, t);
    stop_on_error(c);
    report(&vae, test, &s);
    sslh_no_grad(c, 1);
    pictures(c, &o, &vae, test);
    sslh_no_grad(c, 0);
    return finish(c);
}
