/* 6: using an encoder in another program. It loads what program 3 has saved and needs neither the method nor the
   trainer: compiled with -DSSLH_WITH_ALL=0 it is the smaller for it. */
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { KNOWN = 1000, ASKED = 200 };

/* Features (count,D) of the first images of a set, each row scaled to length 1 so that products are cosines. */
static float *features(sslh_net *encoder, sslh_data d, int count) {
    int size = d.height * d.width * d.channels, width = sslh_net_query(encoder).width;
    uint8_t *pixels = (uint8_t *)calloc((size_t)count, (size_t)size);
    float *out = (float *)calloc((size_t)count, (size_t)width * sizeof *out);
    if (!pixels || !out) exit(1);
    for (int i = 0; i < count; i++) sslh_data_image(d, i * (d.count / count), pixels + (size_t)i * (size_t)size);
    sslh_embed(encoder, pixels, count, d.height, d.width, d.channels, out);  /* resized and normalised as in training */
    for (int i = 0; i < count; i++) {
        float *row = out + (size_t)i * (size_t)width, sum = 0;
        for (int k = 0; k < width; k++) sum += row[k] * row[k];
        for (int k = 0; k < width && sum > 0; k++) row[k] /= sqrtf(sum);
    }
    free(pixels);
    return out;
}

int main(void) {
    sslh_ctx *c = sslh_create((sslh_desc){ 0 });
    sslh_net *encoder = sslh_load_net(c, "encoder.safetensors");
    sslh_data train = sslh_load_images(c, "examples/data/train"), test = sslh_load_images(c, "examples/data/test");
    if (sslh_error(c)) { fprintf(stderr, "%s (3_pretrain makes the encoder)\n", sslh_error(c)); return 1; }

    sslh_net_info info = sslh_net_query(encoder);
    float *known = features(encoder, train, KNOWN), *asked = features(encoder, test, ASKED);
    int right = 0;
    printf("%s: %ld parameters, %d features\n", info.name, (long)info.params, info.width);
    for (int i = 0; i < ASKED; i++) {
        int best = 0;
        float most = -2;
        for (int j = 0; j < KNOWN; j++) {
            float cosine = 0;
            for (int k = 0; k < info.width; k++) cosine += asked[i * info.width + k] * known[j * info.width + k];
            if (cosine > most) most = cosine, best = j;
        }
        int is = test.labels[i * (test.count / ASKED)], said = train.labels[best * (train.count / KNOWN)];
        if (i % 50 == 7) printf("%-12s is most like: %-12s (cosine %.3f)\n", test.class_names[is],
                                train.class_names[said], most);
        right += is == said;
    }
    printf("%d of %d have the class of their nearest neighbour among %d images\n", right, ASKED, KNOWN);
    free(known), free(asked);
    sslh_destroy(c);
    return 0;
}
