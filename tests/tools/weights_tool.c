/* Weights between ssl.h and PyTorch, called by tests/golden/check_weights.py.

     weights_tool export NET weights.safetensors input.npy output.npy
         makes a net, moves its running statistics, saves it (as weights.safetensors.npz too), and what it computes for
         a random input
     weights_tool import NET weights input.npy output.npy
         loads the weights of any format, computes the output of the input

   NET: resnet18, resnet18small (3x3 stem), resnet50, convnext, vit, vitfixed,
   vitany (made for 16 x 16 pixels, given 24 x 20); gpt2, bert, clip: tokens (2,9) below 50, of which text 1 has 6;
   clip_both, clip_hf: both encoders of CLIP, the embeddings of two images and of two texts of 9 and 6 tokens. */
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Number of a transformer of text, -1: none. */
static int text_kind(const char *name) {
    return !strcmp(name, "gpt2") ? SSLH_GPT2 : !strcmp(name, "bert") ? SSLH_BERT
                                            : !strcmp(name, "clip") ? SSLH_CLIP_TEXT : -1;
}
/* 1 for both encoders of CLIP. */
static int is_both(const char *name) { return !strncmp(name, "clip_", 5); }
static sslh_method make_both(sslh_ctx *c) {
    sslh_vit_desc v;
    sslh_transformer_desc t;
    sslh_clip_desc d;
    memset(&v, 0, sizeof v), memset(&t, 0, sizeof t), memset(&d, 0, sizeof d);
    v.clip = 1, v.image = 16, v.width = 24, v.depth = 3, v.heads = 3;
    t.kind = SSLH_CLIP_TEXT, t.vocabulary = 50, t.length = 12, t.width = 24, t.depth = 3, t.heads = 3;
    d.head_out = 10;
    return sslh_clip(c, sslh_vit(c, v), sslh_transformer(c, t), d);
}
/* The embeddings (4,10) of the images x (2,16,16,3), which are not normalised, and of two texts. */
static sslh_tensor *run_both(sslh_ctx *c, sslh_method *m, const sslh_tensor *x) {
    static int32_t tokens[18], lengths[2] = {9, 6};
    sslh_preprocess plain;
    sslh_field f[2];
    sslh_tensor *two[2];
    sslh_data data;
    int i;
    for (i = 0; i < 18; i++) tokens[i] = i * 17 % 48;
    memset(f, 0, sizeof f), memset(&plain, 0, sizeof plain);
    f[0].kind = SSLH_FIELD_IMAGE, f[0].type = SSLH_F32, f[0].shape = sslh_dim3(16, 16, 3), f[0].values = x->data;
    f[1].kind = SSLH_FIELD_TOKENS, f[1].type = SSLH_I32, f[1].shape = sslh_dim1(9), f[1].values = tokens;
    f[1].lengths = lengths;
    data = sslh_data_from_fields(c, f, 2, 2);
    sslh_set_preprocess(m->encoder, plain);
    two[0] = sslh_clip_images(m, data);
    two[1] = sslh_clip_texts(m, data, 1);
    return sslh_concat(c, two, 2, 0);
}
static sslh_net *make(sslh_ctx *c, const char *name) {
    sslh_resnet_desc r;
    sslh_vit_desc v;
    sslh_convnext_desc n;
    memset(&n, 0, sizeof n);
    memset(&r, 0, sizeof r);
    memset(&v, 0, sizeof v);
    r.imagenet_stem = strcmp(name, "resnet18small") != 0;
    r.depth = strcmp(name, "resnet50") == 0 ? 50 : 18;
    v.image = 16;
    v.width = 24;
    v.depth = 3;
    v.heads = 3;
    v.token_output = 1;
    v.fixed_positions = strcmp(name, "vitfixed") == 0;
    v.any_size = strcmp(name, "vitany") == 0;
    if (text_kind(name) >= 0) {
        sslh_transformer_desc t;
        memset(&t, 0, sizeof t);
        t.kind = text_kind(name);
        t.vocabulary = 50, t.length = 12, t.width = 24, t.depth = 3, t.heads = 3;
        t.pooler = t.kind == SSLH_BERT;
        return sslh_transformer(c, t);
    }
    return name[0] == 'v' ? sslh_vit(c, v) : name[0] == 'c' ? sslh_convnext(c, n) : sslh_resnet(c, r);
}

/* What the net makes of x: of text 1 all behind the sixth token is padding. */
static sslh_tensor *run(sslh_ctx *c, sslh_net *net, sslh_tensor *x, int text) {
    int32_t ids[18], segments[18];
    uint8_t padding[18];
    sslh_forward_desc f;
    int i;
    if (text < 0) return sslh_forward(net, x);
    for (i = 0; i < 18; i++) {
        ids[i] = (int32_t)x->data[i];
        padding[i] = i >= 9 + 6;
        segments[i] = i % 9 > 3;
    }
    memset(&f, 0, sizeof f);
    f.mask = sslh_from_bytes(c, sslh_dim2(2, 9), padding);
    if (text == SSLH_BERT) f.segments = sslh_from_ints(c, sslh_dim2(2, 9), segments);
    return sslh_forward_ex(net, sslh_from_ints(c, sslh_dim2(2, 9), ids), f);
}

int main(int argc, char **argv) {
    sslh_desc d;
    sslh_ctx *c;
    sslh_net *net;
    sslh_method both;
    sslh_tensor *x, *y;
    float *values;
    char archive[1000];
    int text, two;
    if (argc != 6) {
        fprintf(stderr, "weights_tool export|import NET weights.safetensors input.npy output.npy\n");
        return 2;
    }
    memset(&d, 0, sizeof d);
    d.seed = 3;
    c = sslh_create(d);
    text = text_kind(argv[2]);
    two = is_both(argv[2]);
    if (two) both = make_both(c), net = both.net;
    else net = make(c, argv[2]);
    if (strcmp(argv[1], "export") == 0) {
        int any = strcmp(argv[2], "vitany") == 0, side = any ? 24 : argv[2][0] == 'v' || two ? 16 : 64, i, is_param;
        x = sslh_persist(text < 0 ? sslh_normal(c, sslh_dim4(2, side, any ? 20 : side, 3), 0, 1)
                                  : sslh_zeros(c, sslh_dim2(2, 9)));
        for (i = 0; text >= 0 && i < 18; i++) x->data[i] = (sslh_real)(i * 17 % 50);
        sslh_no_grad(c, 1);
        for (i = 0; text < 0 && !two && i < 2; i++)
            sslh_forward(net, sslh_normal(c, sslh_dim4(4, side, side, 3), 0.2f, 1));
        sslh_no_grad(c, 0);
        /* gamma and beta other than 1 and 0, ConvNeXt's scales other than 1e-6 */
        for (i = 0; i < sslh_count_tensors(net); i++) {
            sslh_tensor *t = sslh_tensor_at(net, i, NULL, 0, &is_param);
            size_t j;
            if (is_param && (t->ndim == 1 || t->ndim == 3))
                for (j = 0; j < t->count; j++) t->data[j] += 0.1f * sslh_random_normal(5, (uint64_t)i, j);
        }
        if (two) sslh_clip_save(&both, argv[3]);
        else {
            sslh_save_net(net, argv[3]);
            snprintf(archive, sizeof archive, "%s.npz", argv[3]);
            sslh_save_npz(net, archive);
        }
        values = (float *)malloc(x->count * sizeof *values);
        sslh_read(x, values, x->count);
        sslh_save_npy(c, argv[4], sslh_shape_of(x), values);
        free(values);
    } else {
        sslh_load_desc l;
        char report[2000];
        memset(&l, 0, sizeof l);
        l.partial = 1; /* torchvision's file has a classifier */
        l.report = report;
        l.report_size = sizeof report;
        if (two) sslh_clip_load(&both, argv[3]);
        else {
            sslh_load_weights(net, argv[3], l);
            printf("%s", report);
        }
        x = sslh_load_npy(c, argv[4]);
    }
    sslh_train_mode(net, 0);
    y = two ? run_both(c, &both, x) : run(c, net, x, text);
    values = (float *)malloc(y->count * sizeof *values);
    sslh_read(y, values, y->count);
    sslh_save_npy(c, argv[5], sslh_shape_of(y), values);
    free(values);
    if (sslh_error(c)) fprintf(stderr, "%s\n", sslh_error(c));
    return sslh_error(c) != NULL;
}
