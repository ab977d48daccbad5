/* Turns a file into a C array: bin2c weights.safetensors encoder_weights > encoder_weights.h */
#include <stdio.h>

int main(int argc, char **argv) {
    FILE *f = argc == 3 ? fopen(argv[1], "rb") : NULL;
    int byte, n = 0;
    if (!f) {
        fprintf(stderr, "usage: %s FILE NAME > NAME.h\n", argv[0]);
        return 1;
    }
    printf("static const unsigned char %s[] = {", argv[2]);
    while ((byte = getc(f)) != EOF) printf("%s%d,", n++ % 24 ? "" : "\n", byte);
    printf("\n};\n");
    fclose(f);
    return 0;
}
