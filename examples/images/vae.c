/* Variational autoencoder: test loss, reconstructions, samples; with --latent 2 the map of the code plane. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

/* Decodes a grid of the 2-D code plane at equal steps of probability: the quantiles of the normal distribution,
   tabulated for 15 points. */
static const float quantile[15] = {-1.53f, -1.15f, -0.89f, -0.67f, -0.49f, -0.32f, -0.16f, 0.0f,
                                   0.16f,  0.32f,  0.49f,  0.67f,  0.89f,  1.15f,  1.53f};

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "Variational autoencoder (Kingma & Welling 2014), 784-400-20-400-784.",
                              "  --latent N     width of the code (default 20); 2 draws the code plane\n"
                              "  --hidden N     width of the hidden layer (default 400)\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_vae_desc v = {0};
    sslh_train_desc t = {0};
    sslh_method vae;
    sslh_vae_score score;
    sslh_tensor *x, *y, *mu, *logvar, *both[2];
    sslh_loader_desc ld = {0};
    sslh_loader *loader;
    sslh_batch batch;
    char path[1024];
    int i;
    for (i = 1; i < argc; i++) {
        const char *value;
        if ((value = option_value(argc, argv, &i, "--latent")) != NULL)
            v.latent = (int)option_number("--latent", value);
        else if ((value = option_value(argc, argv, &i, "--hidden")) != NULL)
            v.hidden = (int)option_number("--hidden", value);
        else {
            fprintf(stderr, "%s: unknown option (try --help)\n", argv[i]);
            return 2;
        }
    }
    options_load(c, &o, &train, &test);
    v.height = train.height;
    v.width = train.width;
    v.channels = train.channels;
    vae = sslh_vae(c, v);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    t.batch = o.batch;
    sslh_train(c, vae, train, t);
    stop_on_error(c);
    score = sslh_vae_evaluate(&vae, test);
    printf("test: %.2f nats per image = reconstruction %.2f + KL %.2f; %d code units active\n", (double)score.loss,
           (double)score.reconstruction, (double)score.kl, score.active_units);

    ld.batch = 8;
    ld.in_order = 1;
    loader = sslh_loader_new(c, test, ld);
    if (sslh_next_batch(loader, &batch)) {
        static const char *const names[2] = {"original", "rebuilt"};
        sslh_grid_desc g = {0};
        sslh_no_grad(c, 1);
        x = sslh_batch_images(c, batch);
        sslh_vae_encode(&vae, x, &mu, &logvar);
        y = sslh_vae_decode(&vae, mu);
        both[0] = x;
        both[1] = y;
        picture_rows(c, out_path(&o, path, sizeof path, "vae_reconstructions.png"), both, 2, names,
                     "VAE: test images");
        if (v.latent == 2) {
            float plane[15 * 15][2];
            for (i = 0; i < 15 * 15; i++) {
                plane[i][0] = quantile[i % 15];
                plane[i][1] = quantile[i / 15];
            }
            y = sslh_vae_decode(&vae, sslh_from(c, sslh_dim2(15 * 15, 2), plane[0]));
            g.columns = 15;
            g.title = "VAE: the plane of codes";
            sslh_picture_grid_ex(c, out_path(&o, path, sizeof path, "vae_manifold.png"), y, g);
        } else {
            y = sslh_vae_decode(&vae, sslh_normal(c, sslh_dim2(64, mu->shape[1]), 0.0f, 1.0f));
            g.columns = 8;
            g.title = "VAE: images of random codes";
            sslh_picture_grid_ex(c, out_path(&o, path, sizeof path, "vae_samples.png"), y, g);
        }
        sslh_no_grad(c, 0);
    }
    if (!sslh_error(c))
        printf("pictures in %s: vae_reconstructions, %s\n", o.out, v.latent == 2 ? "vae_manifold" : "vae_samples");
    return finish(c);
}
