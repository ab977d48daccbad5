/* CPC v2: pretrains by telling which patch lies further down, up, left or right, then probes the mean over all patches,
   and draws the patches that the method takes for the right ones. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { IMAGES = 64, QUERIES = 6, PICKS = 5 };

/* Tiles (1,side,side,C) of a row of the picture: image n down to the row of patches that the method sees, the patch
   that comes two rows further down in the middle column, a gap, and the patches with the best scores. */
static void picture_row(sslh_ctx *c, sslh_tensor *x, sslh_tensor *patches, int n, int seen, int right,
                        const int32_t *picks, sslh_tensor **row) {
    int side = x->shape[1], ch = x->shape[3], columns[PICKS + 1], i;
    sslh_tensor *flat = sslh_reshape(c, patches, sslh_dim4(-1, patches->shape[2], patches->shape[3], ch));
    sslh_tensor *top = sslh_slice(c, sslh_slice(c, x, 0, n, n + 1), 1, 0, seen);
    row[0] = sslh_pad(c, top, 1, 0, side - seen, 0.5f);
    columns[0] = right;
    for (i = 0; i < PICKS; i++) columns[1 + i] = picks[i];
    for (i = 0; i <= PICKS; i++)
        row[i ? 2 + i : 1] = sslh_resize_nearest(c, sslh_slice(c, flat, 0, columns[i], columns[i] + 1), side, side);
    row[2] = sslh_full(c, sslh_dim4(1, side, side, ch), 1);
}

/* The nets of the method by hand: z of all patches of some test images, what the context of the upper rows predicts,
   and the scores of all patches of all these images. */
static void picture_picks(sslh_ctx *c, sslh_method *m, sslh_net *encoder, sslh_patch_encoder_desc p, int target,
                          sslh_data data, const char *path) {
    static const char *const heads[PICKS + 3] = {"seen", "right", NULL, "best scores, from left to right"};
    sslh_loader_desc ld = {0};
    sslh_grid_desc g = {0};
    sslh_batch batch;
    ld.batch = IMAGES;
    ld.in_order = 1;
    if (!sslh_next_batch(sslh_loader_new(c, data, ld), &batch)) return;
    sslh_train_mode(m->net, 0);
    sslh_no_grad(c, 1);
    sslh_tensor *x = sslh_batch_images(c, batch), *z, *t, *y, *patches, *index, *rows[QUERIES];
    int q, R, S, seen, right, width = PICKS + 3;
    if (p.side) x = sslh_resize_bilinear(c, x, p.side, p.side);
    z = sslh_forward(sslh_patch_encoder(c, encoder, p), normalised(c, encoder, x)); /* (N,R,S,D) */
    if (sslh_error(c)) return;
    R = z->shape[1];
    S = z->shape[2];
    patches = sslh_unfold(c, x, p.patch, p.patch, p.stride, p.stride); /* (N,R S,p,p,C), to look at */
    t = sslh_forward(sslh_child_at(m->net, 1), sslh_reshape(c, z, sslh_dim2(-1, z->shape[3]))); /* V z: (N R S,E) */
    y = sslh_forward(sslh_child_at(m->net, 2), z); /* all W_k c of the first direction, down: (N,R,S,K E) */
    seen = R / 2 - 1; /* the lowest row that is seen; the nearest that is predicted is two further down */
    right = (seen + 2) * S + S / 2;
    y = sslh_slice(c, sslh_slice(c, sslh_slice(c, y, 1, seen, seen + 1), 2, S / 2, S / 2 + 1), 3, 0, target);
    y = sslh_matmul_ex(c, sslh_reshape(c, y, sslh_dim2(batch.count, target)), t, 0, 1); /* scores (N,N R S) */
    sslh_topk(c, y, PICKS, 1, &index);
    for (q = 0; q < QUERIES && !sslh_error(c); q++) {
        int n = q * batch.count / QUERIES;
        sslh_tensor *row[PICKS + 3];
        picture_row(c, x, patches, n, seen * p.stride + p.patch, n * R * S + right, index->ints + n * PICKS, row);
        rows[q] = sslh_concat(c, row, width, 0);
    }
    g.columns = width;
    g.zoom = 2;
    g.heads = heads;
    g.title = "Which patch lies further down? Test images";
    if (!sslh_error(c)) sslh_picture_grid_ex(c, path, sslh_concat(c, rows, QUERIES, 0), g);
    sslh_no_grad(c, 0);
}

static void row(sslh_ctx *c, const char *name, sslh_net *encoder, sslh_data train, sslh_data test) {
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    sslh_knn_desc k = {{0}, 0, 0, 0, 0};
    printf("%-38s %5.1f %%  %5.1f %%\n", name, 100 * (double)sslh_linear_probe(c, encoder, train, test, p),
           100 * (double)sslh_knn(c, encoder, train, test, k));
    fflush(stdout);
}

int main(int argc, char **argv) {
    options o = options_parse(
        &argc, argv, "CPC v2 (Henaff et al. 2020) with a small conv net on overlapping patches; linear probe.",
        "  --lr R         peak rate (default 1e-3)       --side N         resize images to N x N (default 32)\n"
        "  --directions N 1 to 4 (default 2)             --batch-norm     in the encoder, to see what fails\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_cpc2_desc d = {0};
    sslh_patch_encoder_desc p = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    char path[1024];
    int batch_norm = 0;
    const own_option own[] = {{"--side", OPTION_COUNT, &p.side}, {"--directions", OPTION_COUNT, &d.directions},
                              {"--lr", OPTION_REAL, &t.lr}, {"--batch-norm", OPTION_FLAG, &batch_norm}, {0}};
    p.side = 32;
    d.directions = 2;
    options_own(own, argc, argv);
    d.allow_batch_norm = batch_norm;
    e.norm = !batch_norm; /* of each patch by itself */
    options_load(c, &o, &train, &test);
    d.side = p.side;
    d.patch = p.patch = p.side / 4;
    d.stride = p.stride = p.side / 8; /* 7 x 7 patches that overlap by half */
    d.target = 64;
    e.channels = train.channels;
    e.widths[0] = 32;
    e.widths[1] = 64;
    e.widths[2] = 128;
    if (p.side > 32) e.widths[3] = 256; /* a patch has come down to a pixel by then */
    encoder = sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    t.batch = o.batch;
    method = sslh_cpc2(c, encoder, d);
    sslh_train(c, method, train, t);
    stop_on_error(c);
    same_images(untrained, encoder);
    printf("%d training images, %d test images\n", (int)train.count, (int)test.count);
    printf("%-38s %7s  %7s\n", "", "linear", "kNN");
    row(c, "raw pixels", NULL, train, test);
    row(c, "untrained encoder, mean of patches", sslh_patch_encoder(c, untrained, p), train, test);
    row(c, "CPC v2, mean of patches", sslh_patch_encoder(c, encoder, p), train, test);
    picture_picks(c, &method, encoder, p, d.target, some_of(test, IMAGES, o.seed),
                  out_path(&o, path, sizeof path, "cpc2_picks.png"));
    return finish(c);
}
