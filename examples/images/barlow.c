/* Barlow Twins: pretrains, then compares linear probe and nearest neighbours with raw pixels and the untrained encoder.
   Draws the matrix that the loss is about, the correlations of two views' embeddings, before and after. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { IMAGES = 256, COLUMNS = 64, PIXELS = 4 };

/* |C| of the first columns of two views' embeddings: (1,COLUMNS,COLUMNS,1), white is 1. */
static sslh_tensor *correlations(sslh_ctx *c, sslh_method *m, sslh_data data) {
    sslh_batch_norm_desc unit = {0};
    sslh_tensor *z[2], *C;
    int i;
    unit.training = 1; /* columns of mean 0 and variance 1 */
    embed_views(c, m, some_of(data, IMAGES, 1), IMAGES, SSLH_VIEWS_BYOL_0, z);
    for (i = 0; i < 2 && !sslh_error(c); i++)
        z[i] = sslh_batch_norm(c, sslh_slice(c, z[i], 1, 0, COLUMNS), NULL, NULL, NULL, NULL, NULL, unit);
    C = sslh_abs(c, sslh_scale(c, sslh_matmul_ex(c, z[0], z[1], 1, 0), 1.0f / (float)z[0]->shape[0]));
    return sslh_persist(sslh_reshape(c, C, sslh_dim4(1, COLUMNS, COLUMNS, 1)));
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "Barlow Twins (Zbontar et al. 2021) with a small conv net.",
                              "  --lambda L     weight of the correlations of different columns (default 0.0051)\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_barlow_desc b = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    sslh_tensor *seen[2];
    char path[1024];
    const own_option own[] = {{"--lambda", OPTION_REAL_OFF, &b.lambda}, {0}};
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_barlow(c, encoder, b);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    method_said(&method, &t, train, test);
    method.prepare(&method, train); /* the encoder sees normalised images before the training, too */
    seen[0] = correlations(c, &method, test);
    sslh_train(c, method, train, t);
    stop_on_error(c);
    seen[1] = correlations(c, &method, test);
    compare(c, &o, untrained, encoder, "Barlow Twins, no labels", train, test, "barlow",
            "Neighbours after Barlow Twins");
    sslh_picture_grid(c, out_path(&o, path, sizeof path, "barlow_correlations.png"),
                      sslh_resize_nearest(c, sslh_concat(c, seen, 2, 0), PIXELS * COLUMNS, PIXELS * COLUMNS), 2, 0);
    if (!sslh_error(c)) printf("\npictures in %s: barlow_correlations, barlow_neighbours\n", o.out);
    return finish(c);
}
