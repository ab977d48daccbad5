/* A method of your own: Barlow Twins (Zbontar et al. 2021) as callbacks over the core. ssl.h has this method
   too (sslh_barlow, barlow.c); here it is written as you would write it, with public functions only. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

/* Two views of each image, one under the other: (2N,H,W,C). */
static void barlow_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_tensor *x[2];
    x[0] = sslh_views(m->ctx, *batch, SSLH_VIEWS_SIMCLR, 0);
    x[1] = sslh_views(m->ctx, *batch, SSLH_VIEWS_SIMCLR, 1);
    sslh_view_add(out, "views", sslh_concat(m->ctx, x, 2, 0));
}

/* C = A' B / N, A and B the embeddings of the views, each column with mean 0 and variance 1
   L = sum over i of (1 - C_ii)^2 + 0.0051 sum over i != j of C_ij^2                                   */
static sslh_tensor *barlow_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    sslh_ctx *c = m->ctx;
    sslh_net *head = *(sslh_net **)m->self;
    sslh_tensor *z = sslh_forward(head, sslh_forward(m->encoder, sslh_view_get(v, "views")));
    sslh_batch_norm_desc bn = {0};
    sslh_tensor *corr, *eye, *weight, *loss;
    int n = z->shape[0] / 2, d = z->shape[1], i;
    (void)phase;
    if (sslh_error(c)) return z;
    bn.training = 1;
    bn.virtual_groups = 2; /* statistics of each view by itself */
    z = sslh_batch_norm(c, z, NULL, NULL, NULL, NULL, NULL, bn);
    corr = sslh_scale(c, sslh_matmul_ex(c, sslh_slice(c, z, 0, 0, n), sslh_slice(c, z, 0, n, 2 * n), 1, 0),
                      1.0f / (float)n);
    eye = sslh_zeros(c, sslh_dim2(d, d));
    weight = sslh_full(c, sslh_dim2(d, d), 0.0051f);
    if (sslh_error(c)) return corr;
    for (i = 0; i < d; i++) eye->data[i * d + i] = weight->data[i * d + i] = 1;
    loss = sslh_sum(c, sslh_mul(c, weight, sslh_square(c, sslh_sub(c, corr, eye))), SSLH_ALL, 0);
    /* mean of the diagonal: 1 is ideal */
    m->numbers[0].value = sslh_item(sslh_mean(c, sslh_mul(c, corr, eye), SSLH_ALL, 0)) * (float)d;
    return loss;
}

static sslh_method barlow_twins(sslh_ctx *c, sslh_net *encoder) {
    sslh_mlp_desc h = {0};
    sslh_net *head;
    sslh_method m;
    h.in = sslh_net_query(encoder).width;
    h.widths[0] = h.widths[1] = h.widths[2] = 256;
    h.batch_norm = 1;
    h.last_no_bias = 1;
    head = sslh_mlp(c, h);
    m = sslh_method_new(c, "barlow twins", encoder, &head, sizeof head);
    sslh_child(m.net, "head", head); /* registered: trained, saved and resumed with the method */
    m.views = barlow_views;
    m.loss = barlow_loss;
    m.numbers[0].name = "diagonal";
    m.min_batch = 2;
    m.defaults.optimizer.kind = SSLH_ADAM;
    m.defaults.lr = 2e-3f;
    m.defaults.warmup = 1;
    return m;
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "A method of the user's own: Barlow Twins.", NULL);
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_convnet_desc e = {0};
    sslh_train_desc t = {0};
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_net *encoder;
    double before, after;
    o.out = NULL; /* nothing is written */
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder = sslh_convnet(c, e);
    before = (double)sslh_linear_probe(c, encoder, train, test, p);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    t.batch = o.batch;
    sslh_train(c, barlow_twins(c, encoder), train, t);
    after = (double)sslh_linear_probe(c, encoder, train, test, p);
    stop_on_error(c);
    printf("linear probe %.1f %% -> %.1f %%\n", 100 * before, 100 * after);
    return finish(c);
}
