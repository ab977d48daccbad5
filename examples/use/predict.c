/* A classifier that was saved with its encoder tells what is in a picture. examples/use/classify.c --save makes one:

     build/examples/classify --save classifier.safetensors
     build/examples/predict classifier.safetensors picture.png */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include <stdio.h>

int main(int argc, char **argv) {
    sslh_desc d = {0};
    sslh_ctx *c = sslh_create(d);
    int height, width, channels;
    int32_t label = 0;
    sslh_classifier *k = sslh_load_classifier(c, argc > 1 ? argv[1] : "classifier.safetensors");
    uint8_t *pixels = sslh_load_image(c, argc > 2 ? argv[2] : "picture.png", &height, &width, &channels);
    if (pixels) sslh_classify(k, pixels, 1, height, width, channels, &label, NULL);
    if (sslh_error(c)) fprintf(stderr, "%s\nusage: %s classifier.safetensors picture.png\n", sslh_error(c), argv[0]);
    else if (sslh_classifier_query(k).names) printf("%s\n", sslh_classifier_query(k).names[label]);
    else printf("class %d\n", (int)label);
    argc = sslh_error(c) != NULL;
    sslh_destroy(c);
    return argc;
}
