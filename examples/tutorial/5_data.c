/* 5: data of your own: pixels in memory, which this program draws, or a folder that is named on the command line,
   with a sub-folder of pictures for each class. */
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#include <stdio.h>

enum { COUNT = 3000, SIDE = 24 };
static uint8_t pixels[COUNT][SIDE][SIDE];                                /* (N,H,W,1), 8-bit grey */
static int32_t labels[COUNT];

/* A disc, a square or a cross, somewhere, of some size and brightness. Any (seed, stream, index) is a random number. */
static void draw(int i) {
    double cx = 7 + 10 * sslh_random_uniform(1, 0, i), cy = 7 + 10 * sslh_random_uniform(1, 1, i);
    double r = 3 + 4 * sslh_random_uniform(1, 2, i), grey = 90 + 160 * sslh_random_uniform(1, 3, i);
    labels[i] = i % 3;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double dx = x - cx, dy = y - cy;
            int in = labels[i] == 0 ? dx * dx + dy * dy < r * r : dx * dx < r * r && dy * dy < r * r;
            if (labels[i] == 2) in = in && (dx * dx < r * r / 9 || dy * dy < r * r / 9);
            pixels[i][y][x] = (uint8_t)(in ? grey : 20 + 20 * sslh_random_uniform(1, 4 + i, y * SIDE + x)); /* noise */
        }
}

int main(int argc, char **argv) {
    sslh_ctx *c = sslh_create((sslh_desc){ .seed = 1 });
    sslh_data all;
    for (int i = 0; i < COUNT; i++) draw(i);
    if (argc > 1) all = sslh_stream_images(c, argv[1], (sslh_stream_desc){ .size = 32 });  /* of any number of files */
    else all = sslh_data_from_images(c, pixels[0][0], COUNT, SIDE, SIDE, 1, labels);       /* nothing is copied */

    sslh_split part = sslh_data_split(all, (sslh_split_desc){ .test = 0.2f, .seed = 1 });  /* of each class a fifth */
    printf("%d images of %d x %d x %d in %d classes: %d to train, %d to test\n", (int)all.count, all.height, all.width,
           all.channels, all.classes, (int)part.train.count, (int)part.test.count);

    sslh_recipe views = SSLH_VIEWS_SIMCLR;
    views.crop_min = 0.3f;                                               /* a small crop of a cross is no cross */
    sslh_batch batch;                                                    /* what the method will see, as a picture */
    if (sslh_next_batch(sslh_loader_new(c, part.train, (sslh_loader_desc){ .batch = 32 }), &batch))
        sslh_picture_grid(c, "views.png", sslh_views(c, batch, views, 0), 8, 0);

    sslh_probe_desc few = { .fraction = 0.05f };                         /* the labels that a probe may use */
    sslh_net *encoder = sslh_convnet(c, (sslh_convnet_desc){ .channels = all.channels });
    float before = sslh_linear_probe(c, encoder, part.train, part.test, few);
    sslh_method simclr = sslh_simclr(c, encoder, (sslh_simclr_desc){ .views = &views });
    sslh_train(c, simclr, part.train, (sslh_train_desc){ .epochs = 5, .batch = 128 });
    float after = sslh_linear_probe(c, encoder, part.train, part.test, few);
    if (sslh_error(c)) { fprintf(stderr, "%s\n", sslh_error(c)); return 1; }
    printf("linear probe with 5 %% of the labels: %.1f %% -> %.1f %%\n", 100 * before, 100 * after);
    sslh_destroy(c);
    return 0;
}
