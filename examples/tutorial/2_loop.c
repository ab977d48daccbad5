/* 2: a training loop of your own, with an encoder of your own: what sslh_train and sslh_convnet would do for you. */
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#include <stdio.h>

/* Two convolutions with batch norm, then the mean over all places. Parameters are known by number, in the order in
   which main declares them. */
static sslh_tensor *my_forward(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_conv_desc conv = { .stride = 2, .pad = 1 };
    (void)self;                                                          /* settings of your own, if you have some */
    x = sslh_layer_conv(net, 0, x, 1, conv);                             /* (N,H/2,W/2,48) */
    x = sslh_layer_batch_norm(net, 1, x, NULL, 0, SSLH_RELU);
    x = sslh_layer_conv(net, 6, x, 1, conv);                             /* (N,H/4,W/4,96) */
    x = sslh_layer_batch_norm(net, 7, x, NULL, 0, SSLH_RELU);
    return sslh_global_avg_pool(sslh_net_ctx(net), x);                   /* (N,96) */
}

int main(void) {
    sslh_ctx *c = sslh_create((sslh_desc){ .seed = 1 });
    sslh_data train = sslh_load_images(c, "examples/data/train"), test = sslh_load_images(c, "examples/data/test");

    sslh_net *encoder = sslh_net_new(c, (sslh_net_desc){ .name = "mine", .forward = my_forward, .width = 96,
                                                         .channels = train.channels });
    sslh_layer_conv_new(encoder, "conv1", train.channels, 48, 3, 1, 1);  /* parameter 0 */
    sslh_layer_batch_norm_new(encoder, "bn1", 48, 0);                    /* 1 to 5: gain, bias, mean, variance, count */
    sslh_layer_conv_new(encoder, "conv2", 48, 96, 3, 1, 1);              /* 6 */
    sslh_layer_batch_norm_new(encoder, "bn2", 96, 0);                    /* 7 to 11 */
    sslh_net *head = sslh_mlp(c, (sslh_mlp_desc){ .in = 96, .widths = { 96, 64 } });
    float before = sslh_linear_probe(c, encoder, train, test, (sslh_probe_desc){ 0 });

    sslh_optimizer *optimizer = sslh_optimizer_new(c, (sslh_optimizer_desc){ .kind = SSLH_ADAM });
    sslh_optimizer_add(optimizer, encoder);
    sslh_optimizer_add(optimizer, head);
    sslh_loader *loader = sslh_loader_new(c, train, (sslh_loader_desc){ .batch = 256, .epochs = 3 });
    sslh_batch batch;
    int64_t step = 0, steps = 3 * sslh_loader_steps(loader);
    sslh_train_mode(encoder, 1);                                         /* batch norm by the statistics of the batch */
    while (sslh_next_batch(loader, &batch)) {                            /* begins a step */
        sslh_tensor *a = sslh_views(c, batch, SSLH_VIEWS_SIMCLR, 0), *b = sslh_views(c, batch, SSLH_VIEWS_SIMCLR, 1);
        sslh_tensor *za = sslh_forward(head, sslh_forward(encoder, a));  /* (N,64) */
        sslh_tensor *zb = sslh_forward(head, sslh_forward(encoder, b));
        sslh_tensor *loss = sslh_nt_xent(c, za, zb, 0.5f);               /* SimCLR: Chen et al. 2020, equation 1 */
        sslh_backward(c, loss);
        sslh_optimizer_step(optimizer, sslh_cosine(step, steps, 10, 2e-3f));
        if (step++ % 39 == 0) printf("step %3d of %d  loss %.3f\n", (int)step, (int)steps, sslh_item(loss));
    }
    float after = sslh_linear_probe(c, encoder, train, test, (sslh_probe_desc){ 0 });
    if (sslh_error(c)) { fprintf(stderr, "%s\n", sslh_error(c)); return 1; }
    printf("linear probe %.1f %% -> %.1f %%\n", 100 * before, 100 * after);
    sslh_destroy(c);
    return 0;
}
