/* SimCLR, as make demo runs it: pretrains without labels, then prints a table that compares the encoder with raw
   pixels, with the untrained encoder and with the same encoder trained with labels, for 1, 10 and 100 % of the labels,
   and draws pictures. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { MAX_EPOCHS = 1000, MAP_POINTS = 1000 };

/* A 2-D map of features, coloured by the labels that pretraining never saw. */
static void picture_map(sslh_ctx *c, sslh_net *encoder, sslh_data data, const char *path, int tsne,
                        const char *title) {
    sslh_plot_desc p = {0};
    sslh_feature_desc f = {0};
    sslh_tsne_desc t = {0};
    sslh_data some = some_of(data, MAP_POINTS, 1);
    sslh_tensor *x = sslh_features(c, encoder, some, f);
    p.title = title;
    p.x = tsne ? "t-SNE, across" : "first principal component";
    p.y = tsne ? "t-SNE, upward" : "second principal component";
    p.names = some.class_names;
    sslh_picture_scatter_ex(c, path, tsne ? sslh_tsne(c, x, t) : sslh_pca(c, x, 2), some.labels, some.classes, p);
}

static void row(sslh_ctx *c, const char *name, sslh_net *encoder, sslh_data train, sslh_data test) {
    static const float share[3] = {0.01f, 0.1f, 1.0f};
    int i;
    printf("%-22s", name);
    for (i = 0; i < 3; i++) {
        sslh_probe_desc p = {{0}, 0, 0, 0, 0};
        p.fraction = share[i];
        printf("  %5.1f %%", 100 * (double)sslh_linear_probe(c, encoder, train, test, p));
    }
    for (i = 0; i < 3; i++) {
        sslh_knn_desc k = {{0}, 0, 0, 0, 0};
        k.fraction = share[i];
        printf("  %5.1f %%", 100 * (double)sslh_knn(c, encoder, train, test, k));
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv,
                              "SimCLR (Chen et al. 2020) with a small conv net, compared with honest baselines.", NULL);
    static float losses[MAX_EPOCHS];
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_simclr_desc s = {0};
    sslh_recipe recipe = SSLH_VIEWS_SIMCLR;
    sslh_train_desc t = {0};
    sslh_plot_desc curve = {0};
    sslh_method method;
    char path[1024], text[512];
    int i;
    static const float share[3] = {0.01f, 0.1f, 1.0f};
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    recipe.crop_min = 0.3f; /* milder than the default 0.08: these images are small and what they show fills them */
    s.views = &recipe;
    method = sslh_simclr(c, encoder, s);
    picture_views(c, train, recipe, out_path(&o, path, sizeof path, "views.png"), "What SimCLR sees");

    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    if (t.epochs > MAX_EPOCHS) t.epochs = MAX_EPOCHS;
    t.batch = o.batch;
    t.losses = losses;
    t.columns = columns_told();
    method_takes(&method, &t);
    sslh_method_print(&method, text, sizeof text);
    printf("%s crops from %.1f of the image\n", text, (double)recipe.crop_min);
    printf("%d training images without labels, %d test images\n\n", (int)train.count, (int)test.count);
    fflush(stdout);
    sslh_train(c, method, train, t);
    stop_on_error(c);

    printf("\n%-22s  linear probe                 nearest neighbours\n", "");
    printf("%-22s     1 %%     10 %%    100 %%     1 %%     10 %%    100 %%  of the labels\n", "");
    row(c, "raw pixels", NULL, train, test);
    row(c, "untrained encoder", untrained, train, test);
    row(c, "SimCLR, no labels", encoder, train, test);
    printf("%-22s", "trained with labels");
    for (i = 0; i < 3; i++) {
        sslh_finetune_desc f = {0};
        f.fraction = share[i];
        f.epochs = o.smoke ? 1 : i == 0 ? 100 : i == 1 ? 40 : 12; /* about the same time for each share */
        f.batch = i == 0 ? 32 : 128;
        f.lr = 2e-3f;
        printf("  %5.1f %%", 100 * (double)sslh_finetune(c, untrained, train, test, f));
        fflush(stdout);
    }
    printf("  (the same encoder, supervised from scratch)\n");

    sslh_picture_filters(c, out_path(&o, path, sizeof path, "filters.png"), sslh_tensor_at(encoder, 0, NULL, 0, NULL),
                         0);
    picture_map(c, untrained, test, out_path(&o, path, sizeof path, "map_untrained_pca.png"), 0,
                "Features of the untrained encoder");
    picture_map(c, encoder, test, out_path(&o, path, sizeof path, "map_simclr_pca.png"), 0, "Features after SimCLR");
    picture_map(c, encoder, test, out_path(&o, path, sizeof path, "map_simclr_tsne.png"), 1, "Features after SimCLR");
    picture_neighbours(c, encoder, train, test, out_path(&o, path, sizeof path, "neighbours.png"),
                       "Neighbours after SimCLR");
    curve.title = "SimCLR";
    curve.x = "epoch";
    curve.y = "NT-Xent loss, mean of the epoch";
    sslh_picture_curves_ex(c, out_path(&o, path, sizeof path, "loss.png"), losses, 1, t.epochs, curve);
    sslh_save_net(encoder, out_path(&o, path, sizeof path, "simclr.safetensors"));
    if (!sslh_error(c))
        printf("\npictures in %s: views, neighbours, filters, map_untrained_pca, map_simclr_pca, map_simclr_tsne, "
               "loss; weights: simclr.safetensors\n", o.out);
    return finish(c);
}
