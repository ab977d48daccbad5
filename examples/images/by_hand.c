/* A training loop written by hand, with an encoder of your own: what sslh_train and sslh_convnet would do for you. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

typedef struct my_encoder { int width; } my_encoder;

/* Two convolutions, batch norm, global average: parameters by number, in the order of declaration below. */
static sslh_tensor *my_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_ctx *c = sslh_net_ctx(net);
    sslh_conv_desc conv = {0};
    (void)self;
    conv.stride = 2;
    conv.pad = 1;
    x = sslh_layer_conv(net, 0, x, 1, conv);                            /* (N,H/2,W/2,D) */
    x = sslh_layer_batch_norm(net, 1, x, NULL, 0, SSLH_RELU);
    x = sslh_layer_conv(net, 6, x, 1, conv);                            /* (N,H/4,W/4,2D) */
    x = sslh_layer_batch_norm(net, 7, x, NULL, 0, SSLH_RELU);
    return sslh_global_avg_pool(c, x);                                  /* (N,2D) */
}

static sslh_net *my_net(sslh_ctx *c, int channels, int width) {
    my_encoder self;
    sslh_net_desc d = {0};
    sslh_net *net;
    self.width = width;
    d.name = "my_encoder";
    d.forward = my_forward;
    d.self = &self;
    d.self_size = sizeof self;
    d.width = 2 * width;
    d.channels = channels;
    net = sslh_net_new(c, d);
    sslh_layer_conv_new(net, "conv1", channels, width, 3, 1, 1);        /* number 0 */
    sslh_layer_batch_norm_new(net, "bn1", width, 0); /* 1 to 5: gamma, beta, running mean, variance, count */
    sslh_layer_conv_new(net, "conv2", width, 2 * width, 3, 1, 1);       /* 6 */
    sslh_layer_batch_norm_new(net, "bn2", 2 * width, 0);                /* 7 to 11 */
    return net;
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "A SimCLR training loop by hand, with an encoder of the user's own.", NULL);
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *head;
    sslh_mlp_desc h = {0};
    sslh_optimizer_desc od = {0};
    sslh_loader_desc ld = {0};
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_optimizer *optimizer;
    sslh_loader *loader;
    sslh_batch batch;
    int64_t step = 0, steps;
    double before, after;
    o.out = NULL; /* nothing is written */
    options_load(c, &o, &train, &test);
    encoder = my_net(c, train.channels, 48);
    before = (double)sslh_linear_probe(c, encoder, train, test, p);
    h.in = 96;
    h.widths[0] = 96;
    h.widths[1] = 64;
    head = sslh_mlp(c, h);
    od.kind = SSLH_ADAM;
    optimizer = sslh_optimizer_new(c, od);
    sslh_optimizer_add(optimizer, encoder);
    sslh_optimizer_add(optimizer, head);
    ld.batch = o.batch ? o.batch : 256;
    ld.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    loader = sslh_loader_new(c, train, ld);
    steps = sslh_loader_steps(loader) * ld.epochs;
    sslh_train_mode(encoder, 1);

    while (sslh_next_batch(loader, &batch)) {                       /* begins a step: the tape starts afresh */
        sslh_tensor *a = sslh_views(c, batch, SSLH_VIEWS_SIMCLR, 0), *b = sslh_views(c, batch, SSLH_VIEWS_SIMCLR, 1);
        sslh_tensor *za = sslh_forward(head, sslh_forward(encoder, a));         /* N x D */
        sslh_tensor *zb = sslh_forward(head, sslh_forward(encoder, b));
        sslh_tensor *loss = sslh_nt_xent(c, za, zb, 0.5f);                      /* Chen et al. 2020, eq. 1 */
        sslh_backward(c, loss);
        sslh_optimizer_step(optimizer, sslh_cosine(step, steps, 20, 2e-3f));
        if (step++ % 20 == 0) printf("step %4ld  loss %.4f\n", (long)step - 1, (double)sslh_item(loss));
    }
    after = (double)sslh_linear_probe(c, encoder, train, test, p);
    stop_on_error(c);
    printf("linear probe %.1f %% -> %.1f %%\n", 100 * before, 100 * after);
    return finish(c);
}
