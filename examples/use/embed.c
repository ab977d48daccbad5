/* Inference only: an encoder whose weights of 8 bits are compiled in as a C array turns images into features. It needs
   no method, no training, and no files except the images. make examples makes the array, by small and bin2c; the array
   of a float net, by pretrain --save, runs as well.

     embed a.png b.png ..    features of images and how similar they are
     embed                   the same with images of examples/data */
#define SSLH_IMPLEMENTATION
#define SSLH_WITH_ALL 0
#define SSLH_WITH_QUANTIZE 1
#include "../../ssl.h"
#include "encoder_weights.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_IMAGES = 12, MAX_WIDTH = 4096 };

int main(int argc, char **argv) {
    static float feature[MAX_IMAGES][MAX_WIDTH];
    sslh_desc d = {0};
    sslh_ctx *c;
    sslh_net *encoder;
    int n = 0, i, j, k, width;
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        printf("Features of images from weights compiled into the program.\n"
               "usage: %s [image.png ..]   (default: images of examples/data/test)\n", argv[0]);
        return 0;
    }
    if (argc > 1 && !strcmp(argv[1], "--smoke")) argc = 1;
    c = sslh_create(d);
    encoder = sslh_load_net_memory(c, encoder_weights, sizeof encoder_weights);
    width = sslh_net_query(encoder).width;
    if (width > MAX_WIDTH)
        sslh_fail(c, SSLH_E_USAGE, "the encoder gives %d values, at most %d fit here", width, (int)MAX_WIDTH);
    for (i = 1; i < argc && n < MAX_IMAGES && !sslh_error(c); i++, n++) {
        int h, w, ch;
        const uint8_t *pixels = sslh_load_image(c, argv[i], &h, &w, &ch);
        if (pixels) sslh_embed(encoder, pixels, 1, h, w, ch, feature[n]);
    }
    if (argc == 1) {
        sslh_data test = sslh_load_images(c, "examples/data/test");
        static uint8_t pixels[256 * 256 * 4];
        if (!sslh_error(c) && test.height <= 256 && test.width <= 256)
            for (; n < MAX_IMAGES; n++) {
                sslh_data_image(test, n, pixels);
                sslh_embed(encoder, pixels, 1, test.height, test.width, test.channels, feature[n]);
            }
    }
    if (sslh_error(c)) {
        fprintf(stderr, "error: %s\n", sslh_error(c));
        sslh_destroy(c);
        return 1;
    }
    printf("%d images, %d features each; most similar other image:\n", n, width);
    for (i = 0; i < n; i++) {
        int best = -1;
        float most = -2.0f;
        for (j = 0; j < n; j++) {
            float ij = 0, ii = 0, jj = 0, cosine;
            if (j == i) continue;
            for (k = 0; k < width; k++) {
                ij += feature[i][k] * feature[j][k];
                ii += feature[i][k] * feature[i][k];
                jj += feature[j][k] * feature[j][k];
            }
            cosine = ii > 0 && jj > 0 ? ij / (sqrtf(ii) * sqrtf(jj)) : 0.0f;
            if (cosine > most) {
                most = cosine;
                best = j;
            }
        }
        printf("  %2d -> %2d  cosine %.3f   %.3f %.3f %.3f ..\n", i, best, (double)most, (double)feature[i][0],
               (double)feature[i][1], (double)feature[i][2]);
    }
    sslh_destroy(c);
    return 0;
}
