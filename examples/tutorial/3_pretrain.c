/* 3: pretraining without labels, and what it is worth: the same probes on raw pixels, on the untrained encoder and on
   the trained one. The encoder is saved for program 6. */
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#include <stdio.h>

/* One line of the table; encoder NULL: the pixels themselves. 5 and 100 % of the training labels are used. */
static void row(sslh_ctx *c, const char *name, sslh_net *encoder, sslh_data train, sslh_data test) {
    float few = sslh_linear_probe(c, encoder, train, test, (sslh_probe_desc){ .fraction = 0.05f });
    float all = sslh_linear_probe(c, encoder, train, test, (sslh_probe_desc){ 0 });
    float knn = sslh_knn(c, encoder, train, test, (sslh_knn_desc){ 0 });
    printf("%-18s  %5.1f %%  %5.1f %%  %5.1f %%\n", name, 100 * few, 100 * all, 100 * knn);
}

/* Called after every step and every epoch; a value other than 0 would stop the training. */
static int each(const sslh_train_info *t, void *user) {
    (void)user;
    if (t->epoch_end) printf("epoch %d  loss %.3f  %s %.3f\n", t->epoch + 1, t->loss, t->numbers[0].name,
                             t->numbers[0].value);
    return 0;
}

int main(void) {
    sslh_ctx *c = sslh_create((sslh_desc){ .seed = 1 });
    sslh_data train = sslh_load_images(c, "examples/data/train"), test = sslh_load_images(c, "examples/data/test");
    train = sslh_data_fraction(train, 0.2, 1);                           /* 2,000 images, so that it takes seconds */
    sslh_net *encoder = sslh_convnet(c, (sslh_convnet_desc){ .channels = train.channels });
    sslh_net *untrained = sslh_clone(encoder);

    sslh_recipe views = SSLH_VIEWS_SIMCLR;                               /* crops, flips, colours: a copy to change */
    views.crop_min = 0.2f;                                               /* gentler crops, for small images */
    sslh_method simclr = sslh_simclr(c, encoder, (sslh_simclr_desc){ .views = &views });
    sslh_train(c, simclr, train, (sslh_train_desc){ .epochs = 4, .batch = 128, .callback = each, .quiet = 1 });

    char settings[1000];
    sslh_method_print(&simclr, settings, sizeof settings);
    printf("%s\n\n%-18s  5 %% of   all      nearest\n%-18s  labels   labels   neighbours\n", settings, "", "");
    row(c, "raw pixels", NULL, train, test);
    row(c, "untrained encoder", untrained, train, test);
    row(c, "SimCLR", encoder, train, test);

    sslh_tensor *f = sslh_features(c, encoder, test, (sslh_feature_desc){ 0 });               /* (2000,D) */
    printf("\n%d features, of which %.1f count (effective rank)\n", f->shape[1], sslh_effective_rank(c, f));
    sslh_save_net(encoder, "encoder.safetensors");
    if (sslh_error(c)) { fprintf(stderr, "%s\n", sslh_error(c)); return 1; }
    printf("saved as encoder.safetensors; at most %.0f MB of memory were in use\n", sslh_query(c).peak / 1e6);
    sslh_destroy(c);
    return 0;
}
