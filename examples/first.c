#define SSLH_IMPLEMENTATION                     /* in exactly one .c or .cpp file */
#include "ssl.h"
#include <stdio.h>

int main(void) {
    sslh_ctx *c      = sslh_create((sslh_desc){ .seed = 1 });
    sslh_data train  = sslh_load_images(c, "examples/data/train");   /* labels, if any, are not used to pretrain */
    sslh_data test   = sslh_load_images(c, "examples/data/test");
    sslh_net *encoder = sslh_convnet(c, (sslh_convnet_desc){ .channels = train.channels });
    float before     = sslh_linear_probe(c, encoder, train, test, (sslh_probe_desc){ 0 });

    sslh_method simclr = sslh_simclr(c, encoder, (sslh_simclr_desc){ .temperature = 0.2f });
    sslh_train(c, simclr, train, (sslh_train_desc){ .epochs = 5, .batch = 256, .lr = 0.3f,
                                                    .optimizer = { .kind = SSLH_SGD } });

    float after = sslh_linear_probe(c, encoder, train, test, (sslh_probe_desc){ 0 });
    if (sslh_error(c)) { fprintf(stderr, "%s\n", sslh_error(c)); return 1; }   /* one check, first cause */
    printf("linear probe %.1f%% -> %.1f%%\n", 100 * before, 100 * after);
    sslh_destroy(c);
    return 0;
}
