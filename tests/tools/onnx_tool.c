/* Nets as ONNX graphs and what they compute, called by tests/golden/check_onnx.py.

     onnx_tool names                                          the names of the nets
     onnx_tool NET SAMPLES net.onnx input.npy output.npy      a random input and what sslh_forward makes of it, both
                                                              with the channels second if they are images or maps */
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"mlp", "mlp_norms", "convnet", "convnet_groups", "convnet_map", "dcgan", "resnet18",
    "resnet18_imagenet", "resnet50", "convnext", "nin", "vit", "vit_fixed", "vit_tokens", "vit_mean", "vit_any", "gpt2",
    "bert", "clip", "sasrec", "with_head", "tapped", "local_sound", "own", "channels_last"};
enum { NAMES = sizeof names / sizeof names[0] };
static int is(const char *name, const char *text) { return strncmp(name, text, strlen(text)) == 0; }

/* Operations that the encoders above do not use. x: (N,4,6) */
static sslh_tensor *own_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_ctx *c = sslh_net_ctx(net);
    static const int order[3] = {0, 2, 1};
    sslh_tensor *y = sslh_rms_norm(c, x, sslh_param(net, 0), 0), *z, *two[2];
    (void)self;
    z = sslh_softmax(c, sslh_matmul_ex(c, y, x, 0, 1), -1);                         /* (N,4,4) */
    y = sslh_matmul(c, z, sslh_silu(c, y));                                         /* (N,4,6) */
    y = sslh_add(c, y, sslh_softplus(c, sslh_sin(c, x)));
    y = sslh_sub(c, y, sslh_clamp(c, sslh_square(c, x), 0.1f, 0.8f));
    y = sslh_div(c, y, sslh_shift(c, sslh_exp(c, sslh_neg(c, sslh_abs(c, x))), 0.5f));
    y = sslh_maximum(c, y, sslh_elu(c, x, 0.7f));
    y = sslh_add(c, y, sslh_mean(c, x, SSLH_AXIS(1), 1));
    y = sslh_mul(c, y, sslh_sigmoid(c, sslh_sum(c, sslh_tanh(c, x), SSLH_AXIS(2), 1)));
    y = sslh_add(c, y, sslh_gelu_tanh(c, sslh_pow(c, sslh_shift(c, sslh_sqrt(c, sslh_abs(c, x)), 0.1f), 1.5f)));
    y = sslh_activate(c, sslh_leaky_relu(c, y, 0.1f), SSLH_GELU_QUICK);
    two[0] = sslh_permute(c, y, order);                                             /* (N,6,4) */
    two[1] = sslh_log_softmax(c, two[0], 1);
    y = sslh_concat(c, two, 2, 2);                                                  /* (N,6,8) */
    y = sslh_slice(c, y, 1, 1, 5);                                                  /* (N,4,8) */
    return sslh_l2_normalize(c, sslh_reshape(c, y, sslh_dim2(x->shape[0], -1)), 0); /* (N,32) */
}

static sslh_net *make(sslh_ctx *c, const char *name, sslh_onnx_desc *o, sslh_shape *input) {
    *input = sslh_dim4(1, 32, 32, 3);
    if (is(name, "mlp")) {
        sslh_mlp_desc d;
        memset(&d, 0, sizeof d);
        d.in = 20, d.widths[0] = 16, d.widths[1] = 9;
        d.batch_norm = d.last_batch_norm = !strcmp(name, "mlp_norms");
        d.activation = d.batch_norm ? SSLH_TANH : SSLH_GELU;
        if (d.batch_norm) d.last_batch_norm = 3;
        *input = sslh_dim2(1, 20);
        return sslh_mlp(c, d);
    }
    if (is(name, "convnet") || is(name, "dcgan") || is(name, "with_head") || is(name, "channels_last")) {
        sslh_convnet_desc d;
        memset(&d, 0, sizeof d);
        d.widths[0] = 8, d.widths[1] = 16, d.widths[2] = 24;
        d.norm = !strcmp(name, "convnet_groups") ? 4 : 0;
        d.map_output = !strcmp(name, "convnet_map") || !strcmp(name, "channels_last");
        d.dcgan = !strcmp(name, "dcgan");
        if (is(name, "with_head")) {
            sslh_mlp_desc h;
            memset(&h, 0, sizeof h);
            h.in = 24, h.widths[0] = 12, h.widths[1] = 5;
            o->head = sslh_mlp(c, h);
        }
        o->channels_last = is(name, "channels_last");
        *input = sslh_dim4(1, 32, 20, 3);
        o->input = *input;
        return sslh_convnet(c, d);
    }
    if (is(name, "resnet") || is(name, "tapped")) {
        sslh_resnet_desc d;
        memset(&d, 0, sizeof d);
        d.width = 8, d.depth = is(name, "resnet50") ? 50 : 18;
        d.imagenet_stem = strstr(name, "imagenet") != NULL;
        if (d.imagenet_stem) *input = o->input = sslh_dim4(1, 64, 64, 3);
        if (is(name, "tapped")) o->tap = "layer2";
        return sslh_resnet(c, d);
    }
    if (is(name, "convnext")) {
        sslh_convnext_desc d;
        memset(&d, 0, sizeof d);
        d.stem = 2, d.depths[0] = 2, d.depths[1] = 1, d.widths[0] = 8, d.widths[1] = 16;
        return sslh_convnext(c, d);
    }
    if (is(name, "nin")) {
        sslh_nin_desc d;
        memset(&d, 0, sizeof d);
        d.divide = 8;
        return sslh_nin(c, d);
    }
    if (is(name, "vit")) {
        sslh_vit_desc d;
        memset(&d, 0, sizeof d);
        d.image = 16, d.width = 24, d.depth = 2, d.heads = 3;
        d.fixed_positions = !strcmp(name, "vit_fixed");
        d.token_output = !strcmp(name, "vit_tokens");
        d.mean_pool = !strcmp(name, "vit_mean");
        d.any_size = !strcmp(name, "vit_any");
        *input = sslh_dim4(1, 16, 16, 3);
        if (d.any_size) *input = o->input = sslh_dim4(1, 24, 20, 3);
        return sslh_vit(c, d);
    }
    if (is(name, "local_sound")) { /* convolutions along time with group norm: the local half of sslh_conv_gru */
        sslh_conv_gru_desc d;
        memset(&d, 0, sizeof d);
        d.kernels[0] = 8, d.strides[0] = 4, d.kernels[1] = 4, d.strides[1] = 2, d.width = 12, d.norm = 1;
        *input = o->input = sslh_dim3(1, 64, 1);
        return sslh_child_at(sslh_conv_gru(c, d), 0);
    }
    if (is(name, "own")) {
        sslh_net_desc d;
        sslh_net *net;
        memset(&d, 0, sizeof d);
        d.name = "own", d.forward = own_forward, d.width = 32;
        net = sslh_net_new(c, d);
        sslh_param_new(net, "input", sslh_dim1(6), SSLH_INIT_UNIFORM, 2); /* a name that the graph has already */
        *input = o->input = sslh_dim3(1, 4, 6);
        return net;
    }
    {
        sslh_transformer_desc d;
        memset(&d, 0, sizeof d);
        d.kind = is(name, "bert") ? SSLH_BERT : is(name, "clip") ? SSLH_CLIP_TEXT : is(name, "sasrec") ? SSLH_SASREC
                                                                                                  : SSLH_GPT2;
        d.vocabulary = 50, d.length = 12, d.width = 24, d.depth = 2, d.heads = 3;
        *input = sslh_dim2(1, 12);
        return sslh_transformer(c, d);
    }
}

/* Writes a tensor; of four sizes with the channels second, unless they shall be last. */
static void save(sslh_ctx *c, const char *path, sslh_tensor *t, int last) {
    static const int second[4] = {0, 3, 1, 2};
    float *values = (float *)malloc(t->count * sizeof *values);
    if (t->ndim == 4 && !last) t = sslh_permute(c, t, second);
    sslh_read(t, values, t->count);
    sslh_save_npy(c, path, sslh_shape_of(t), values);
    free(values);
}

int main(int argc, char **argv) {
    sslh_desc d;
    sslh_ctx *c;
    sslh_net *net;
    sslh_shape input;
    sslh_onnx_desc o;
    sslh_forward_desc f;
    sslh_tensor *x, *y;
    int i, j, is_param, samples;
    if (argc == 2 && !strcmp(argv[1], "names")) {
        for (i = 0; i < NAMES; i++) puts(names[i]);
        return 0;
    }
    if (argc != 6) {
        fprintf(stderr, "onnx_tool names | NET SAMPLES net.onnx input.npy output.npy\n");
        return 2;
    }
    memset(&d, 0, sizeof d);
    memset(&o, 0, sizeof o);
    memset(&f, 0, sizeof f);
    d.seed = 3;
    c = sslh_create(d);
    net = make(c, argv[1], &o, &input);
    samples = atoi(argv[2]);
    input.size[0] = samples;
    /* norms that scale and shift, statistics that are not 0 and 1 */
    for (i = 0; i < sslh_count_tensors(net); i++) {
        sslh_tensor *t = sslh_tensor_at(net, i, NULL, 0, &is_param);
        size_t k;
        for (k = 0; t->data && t->ndim == 1 && k < t->count; k++)
            t->data[k] += 0.1f + 0.2f * sslh_random_uniform(5, (uint64_t)i, k);
    }
    sslh_export_onnx(net, argv[3], o);
    sslh_train_mode(net, 0);
    if (o.head) sslh_train_mode(o.head, 0);
    x = sslh_persist(sslh_normal(c, input, 0.2f, 1));
    save(c, argv[4], x, o.channels_last);
    y = x;
    if (input.ndim == 2 && sslh_net_query(net).kind == SSLH_TOKENS) { /* tokens */
        int32_t ids[12 * 64];
        for (j = 0; j < samples * 12; j++) x->data[j] = (sslh_real)(ids[j] = j * 17 % 50);
        save(c, argv[4], x, 1);
        y = sslh_from_ints(c, input, ids);
    }
    f.tap = o.tap;
    y = sslh_forward_ex(net, y, f);
    if (o.head) y = sslh_forward(o.head, y);
    save(c, argv[5], y, o.channels_last);
    if (sslh_error(c)) fprintf(stderr, "%s: %s\n", argv[1], sslh_error(c));
    return sslh_error(c) != NULL;
}
