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
    int i;
    double scratch, tuned;
    f.fraction = 0.1f;
    f.epochs = o.smoke ? 1 : 20;
    for (i = 1; i < argc; i++) {
        const char *value;
        if ((value = option_value(argc, argv, &i, "--labels")) != NULL)
            f.fraction = (float)option_number("--labels", value) / 100.0f;
        else if ((value = option_value(argc, argv, &i, "--tune")) != NULL)
            f.epochs = (int)option_number("--tune", value);
        else if ((value = option_value(argc, argv, &i, "--tune-lr")) != NULL) f.lr = (float)atof(value);
        else if ((value = option_value(argc, argv, &i, "--lr")) != NULL) t.lr = (float)atof(value);
        else if ((value = option_value(argc, argv, &i, "--width")) != NULL)
            e.width = (int)option_number("--width", value);
        else if ((value = option_value(argc, argv, &i, "--depth")) != NULL)
            e.depth = (int)option_number("--depth", value);
        else if ((value = option_value(argc, argv, &i, "--decoder")) != NULL)
            d.decoder_depth = (int)option_number("--decoder", value);
        else {
            fprintf(stderr, "%s: unknown option (try --help)\n", argv[i]);
            return 2;
        }
    }
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
    sslh_set_preprocess(untrained, sslh_get_preprocess(encoder));

    ld.batch = 8;
    ld.in_order = 1;
    loader = sslh_loader_new(c, test, ld);
    if (sslh_next_batch(loader, &batch)) {
        static const char *const names[3] = {"original", "seen", "rebuilt"};
        sslh_preprocess p = sslh_get_preprocess(encoder);
        sslh_recipe r = sslh_recipe_none();
        sslh_tensor *rows[3], *mean, *std;
        memcpy(r.mean, p.mean, sizeof r.mean);
        memcpy(r.std, p.std, sizeof r.std);
        rows[0] = sslh_views(c, batch, r, 0);
        sslh_mae_reconstruct(&mae, rows[0], 0, &rows[1], &rows[2]);
        mean = sslh_from(c, sslh_dim1(train.channels), p.mean);
        std = sslh_from(c, sslh_dim1(train.channels), p.std);
        for (i = 0; i < 3; i++) rows[i] = sslh_clamp(c, sslh_add(c, sslh_mul(c, rows[i], std), mean), 0.0f, 1.0f);
        picture_rows(c, out_path(&o, path, sizeof path, "mae_reconstructions.png"), rows, 3, names,
                     "MAE: test images");
    }
    f.batch = 64;
    if (f.lr == 0.0f) f.lr = 1e-3f;
    f.seed = o.seed;
    f.layer_decay = 1.0f; /* smaller rates for early layers suit a pretrained net only */
    scratch = 100 * (double)sslh_finetune(c, untrained, train, test, f);
    f.layer_decay = 0.75f;
    tuned = 100 * (double)sslh_finetune(c, encoder, train, test, f);
    printf("%.0f %% of the labels, %d epochs:  from scratch %.2f %%   from MAE %.2f %%\n", 100 * (double)f.fraction,
           f.epochs, scratch, tuned);
    if (!sslh_error(c)) printf("picture: %s/mae_reconstructions.png (original, seen, rebuilt)\n", o.out);
    return finish(c);
}
