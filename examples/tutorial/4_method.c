/* 4: a method of your own: Barlow Twins (Zbontar et al. 2021) as callbacks. ssl.h has this method (sslh_barlow); here
   it is written as you would write a new one, with public functions only. */
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#include <stdio.h>

/* Two views of each image, one under the other: (2N,H,W,C). */
static void barlow_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_tensor *x[2];
    for (int i = 0; i < 2; i++) x[i] = sslh_views(m->ctx, *batch, SSLH_VIEWS_SIMCLR, i);
    sslh_view_add(out, "views", sslh_concat(m->ctx, x, 2, 0));
}

/* C = A' B / N, with A and B the embeddings of the views, each column of mean 0 and variance 1
   L = sum over i of (1 - C_ii)^2 + 0.0051 sum over i != j of C_ij^2                                   */
static sslh_tensor *barlow_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    sslh_ctx *c = m->ctx;
    sslh_net *head = *(sslh_net **)m->self;
    sslh_tensor *z = sslh_forward(head, sslh_forward(m->encoder, sslh_view_get(v, "views")));    /* (2N,D) */
    (void)phase;                                                         /* one loss a step: always 0 */
    if (sslh_error(c)) return z;
    int n = z->shape[0] / 2, d = z->shape[1];
    z = sslh_batch_norm(c, z, NULL, NULL, NULL, NULL, NULL,              /* statistics of each view by itself */
                        (sslh_batch_norm_desc){ .training = 1, .virtual_groups = 2 });
    sslh_tensor *corr = sslh_scale(c, sslh_matmul_ex(c, sslh_slice(c, z, 0, 0, n), sslh_slice(c, z, 0, n, 2 * n), 1, 0),
                                   1.0f / (float)n);                     /* (D,D) */
    sslh_tensor *eye = sslh_zeros(c, sslh_dim2(d, d)), *weight = sslh_full(c, sslh_dim2(d, d), 0.0051f);
    if (sslh_error(c)) return corr;
    for (int i = 0; i < d; i++) eye->data[i * d + i] = weight->data[i * d + i] = 1;
    m->numbers[0].value = sslh_item(sslh_mean(c, sslh_mul(c, corr, eye), SSLH_ALL, 0)) * (float)d;  /* 1 is ideal */
    return sslh_sum(c, sslh_mul(c, weight, sslh_square(c, sslh_sub(c, corr, eye))), SSLH_ALL, 0);
}

static sslh_method barlow_twins(sslh_ctx *c, sslh_net *encoder) {
    sslh_net *head = sslh_mlp(c, (sslh_mlp_desc){ .in = sslh_net_query(encoder).width, .widths = { 256, 256, 256 },
                                                  .batch_norm = 1, .last_no_bias = 1 });
    sslh_method m = sslh_method_new(c, "barlow twins", encoder, &head, sizeof head);
    sslh_child(m.net, "head", head);                                     /* registered: trained, saved, resumed */
    m.views = barlow_views;
    m.loss = barlow_loss;
    m.numbers[0].name = "diagonal";
    m.min_batch = 2;
    m.defaults.optimizer.kind = SSLH_ADAM;
    m.defaults.lr = 2e-3f;
    return m;
}

int main(void) {
    sslh_ctx *c = sslh_create((sslh_desc){ .seed = 1 });
    sslh_data train = sslh_load_images(c, "examples/data/train"), test = sslh_load_images(c, "examples/data/test");
    sslh_net *encoder = sslh_convnet(c, (sslh_convnet_desc){ .channels = train.channels });
    float before = sslh_knn(c, encoder, train, test, (sslh_knn_desc){ 0 });
    float loss = sslh_train(c, barlow_twins(c, encoder), train, (sslh_train_desc){ .epochs = 3 });
    float after = sslh_knn(c, encoder, train, test, (sslh_knn_desc){ 0 });
    if (sslh_error(c)) { fprintf(stderr, "%s\n", sslh_error(c)); return 1; }
    printf("loss %.2f, nearest neighbours %.1f %% -> %.1f %%\n", loss, 100 * before, 100 * after);
    sslh_destroy(c);
    return 0;
}
