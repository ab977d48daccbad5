/* SwAV: from one view of an image the group of another is predicted. Pretrains, then compares linear probe and nearest
   neighbours with raw pixels and the untrained encoder, and draws test images sorted by the prototype that each is
   nearest to; nobody has named these groups. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

/* Each row shows the eight test images that score highest for one prototype, for the prototypes that most images are
   nearest to. */
enum { ROWS = 6, SHOWN = 8 };
static void picture_groups(sslh_ctx *c, sslh_method *m, sslh_data test, const char *path) {
    sslh_feature_desc f = {0};
    sslh_grid_desc g = {0};
    sslh_tensor *z, *score, *nearest, *image[ROWS * SHOWN];
    sslh_batch b;
    int32_t at;
    int i, j, k, row, K, rows = 0, *members;
    sslh_train_mode(m->net, 0);
    z = sslh_l2_normalize(c, sslh_forward(sslh_child_at(m->net, 1), sslh_features(c, m->encoder, test, f)), 0);
    score = sslh_forward(sslh_child_at(m->net, 2), z); /* (count,K) */
    sslh_train_mode(m->net, 1);
    nearest = sslh_argmax(c, score, 1); /* (count) */
    stop_on_error(c);
    K = score->shape[1];
    members = (int *)calloc((size_t)K, sizeof *members);
    if (!members) return;
    for (i = 0; i < (int)test.count; i++) members[nearest->ints[i]]++;
    memset(&b, 0, sizeof b);
    b.data = test;
    b.index = &at;
    b.count = 1;
    for (row = 0; row < ROWS; row++) {
        int largest = 0;
        for (k = 1; k < K; k++) if (members[k] > members[largest]) largest = k;
        if (members[largest] < SHOWN) break;
        members[largest] = 0;
        for (j = 0; j < SHOWN; j++) {
            at = 0;
            for (i = 1; i < (int)test.count; i++)
                if (score->data[i * K + largest] > score->data[at * K + largest]) at = i;
            score->data[at * K + largest] = -2; /* taken */
            image[rows * SHOWN + j] = sslh_batch_images(c, b);
        }
        rows++;
    }
    free(members);
    if (!rows) return;
    g.columns = SHOWN;
    g.title = "Test images by their prototype, a row for each";
    sslh_picture_grid_ex(c, path, sslh_concat(c, image, rows * SHOWN, 0), g);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "SwAV (Caron et al. 2020) with a small conv net.",
                              "  --prototypes K    number of groups (default 128)\n"
                              "  --small N         number of small views of each image (default 4)\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_swav_desc d = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    char path[1024];
    const own_option own[] = {{"--prototypes", OPTION_COUNT, &d.prototypes},
                              {"--small", OPTION_NUMBER_OFF, &d.small_views}, {0}};
    d.prototypes = 128;
    d.small_views = 4;
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_swav(c, encoder, d);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    t.callback = say_epoch;
    method_said(&method, &t, train, test);
    sslh_train(c, method, train, t);
    stop_on_error(c);
    compare(c, &o, untrained, encoder, "SwAV, no labels", train, test, "swav", "Neighbours after SwAV");
    picture_groups(c, &method, test, out_path(&o, path, sizeof path, "swav_groups.png"));
    if (!sslh_error(c)) printf("\npictures in %s: swav_neighbours, swav_groups\n", o.out);
    return finish(c);
}
