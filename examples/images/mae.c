/* Masked autoencoder: a small vision transformer learns to paint the hidden three quarters of an image. Then it is
   fine-tuned with few labels, beside the same transformer trained from scratch. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

int main(int argc, char **argv) {
    options o = options_parse(
        &argc, argv, "Masked autoencoder (He et al. 2022) with a small vision transformer.",
        "  --labels P     per cent of the labels for fine-tuning (default 10)\n"
        "  --tune N       epochs of fine-tuning (default 20)\n"
        "  --lr R         peak rate of pretraining (default 1e-3)\n"
        "  --tune-lr R    peak rate of fine-tuning (default 1e-3)\n"
        "  --width N --depth N --decoder N   size of the transformer (96, 6) and depth of the decoder (4)\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_vit_desc e = {0};
    sslh_mae_desc d = {0};
    sslh_train_desc t = {0};
    sslh_finetune_desc f = {0};
    sslh_net *encoder, *untrained;
    sslh_method mae;
    sslh_loader_desc ld = {0};
    sslh_loader *loader;
    sslh_batch batch;
    char path[1024];
    int i, labels = 10;
    double scratch, tuned;
    const own_option own[] = {{"--labels", OPTION_COUNT, &labels}, {"--tune", OPTION_COUNT, &f.epochs},
                              {"--tune-lr", OPTION_REAL, &f.lr}, {"--lr", OPTION_REAL, &t.lr},
                              {"--width", OPTION_COUNT, &e.width}, {"--depth", OPTION_COUNT, &e.depth},
                              {"--decoder", OPTION_COUNT, &d.decoder_depth}, {0}};
    f.epochs = o.smoke ? 1 : 20;
    options_own(own, argc, argv);
    option_refused(labels > 100, "--labels", "is a per cent: 1 to 100");
    f.fraction = (float)labels / 100.0f;
    options_load(c, &o, &train, &test);
    e.image = train.height;
    e.channels = train.channels;
    e.patch = 4;
    if (!e.width) e.width = o.smoke ? 48 : 96;
    if (!e.depth) e.depth = o.smoke ? 2 : 6;
    e.heads = 3;
    e.fixed_positions = 1;
    e.mean_pool = 1;
    encoder = sslh_vit(c, e);
    untrained = sslh_clone(encoder);
    mae = sslh_mae(c, encoder, d);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 20;
    t.batch = o.batch;
    sslh_train(c, mae, train, t);
    stop_on_error(c);
    same_images(untrained, encoder);
    f.batch = 64;
    if (f.lr == 0.0f) f.lr = 1e-3f;
    f.seed = o.seed;
    f.layer_decay = 1.0f; /* smaller rates for early layers suit a pretrained net only */
    scratch = 100 * (double)sslh_finetune(c, untrained, train, test, f);
    f.layer_decay = 0.75f;
    tuned = 100 * (double)sslh_finetune(c, encoder, train, test, f);
    printf("%.0f %% of the labels, %d epochs:  from scratch %.2f %%   from MAE %.2f %%\n", 100 * (double)f.fraction,
           f.epochs, scratch, tuned);

    ld.batch = 8;
    ld.in_order = 1;
    loader = sslh_loader_new(c, test, ld);
    if (sslh_next_batch(loader, &batch)) {
        static const char *const names[3] = {"original", "seen", "rebuilt"};
        sslh_tensor *rows[3];
        rows[0] = normalised(c, encoder, sslh_batch_images(c, batch));
        sslh_mae_reconstruct(&mae, rows[0], 0, &rows[1], &rows[2]);
        for (i = 0; i < 3; i++) rows[i] = as_pixels(c, encoder, rows[i]);
        picture_rows(c, out_path(&o, path, sizeof path, "mae_reconstructions.png"), rows, 3, names,
                     "MAE: test images");
    }
    if (!sslh_error(c)) printf("picture: %s/mae_reconstructions.png (original, seen, rebuilt)\n", o.out);
    return finish(c);
}
