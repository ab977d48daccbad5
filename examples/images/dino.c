/* DINO: the student has to say from a part of an image what the teacher, its own average, says of the whole.
   Pretrains, then compares linear probe and nearest neighbours with raw pixels and the untrained encoder. Watch entropy
   and KL: an entropy near 0 or near ln K, with a KL of 0, is a collapse. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { DEPTH = 4, HEADS = 3, WIDTH = 192, SHOWN = 8 }; /* of the transformer; test images in its picture */

/* Where the class token of a transformer looks: its attention to the patches in the last block, a row for each
   head. */
static void picture_attention(sslh_ctx *c, sslh_net *vit, sslh_data test, const char *path) {
    static const char *const names[1 + HEADS] = {"original", "head 1", "head 2", "head 3"};
    sslh_tensor *row[1 + HEADS], *x, *a;
    sslh_loader_desc ld = {0};
    sslh_batch b;
    int h;
    ld.batch = SHOWN;
    ld.in_order = 1;
    if (!sslh_next_batch(sslh_loader_new(c, test, ld), &b)) return; /* also after an error */
    row[0] = sslh_batch_images(c, b); /* (N,H,W,C) */
    a = sslh_class_attention(c, vit, normalised(c, vit, row[0])); /* (N,h,w,heads) */
    for (h = 0; h < HEADS; h++) {
        x = sslh_slice(c, a, 3, h, h + 1);
        x = sslh_div(c, x, sslh_max(c, x, SSLH_AXIS(1) | SSLH_AXIS(2), 1)); /* the largest is white */
        x = sslh_resize_nearest(c, x, test.height, test.width);
        row[1 + h] = sslh_broadcast(c, x, sslh_dim4(b.count, test.height, test.width, test.channels));
    }
    picture_rows(c, path, row, 1 + HEADS, names, "Where the class token looks");
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "DINO (Caron et al. 2021) with a small conv net or a small transformer.",
                              "  --vit             train a small vision transformer, and draw where it looks\n"
                              "  --outputs K       number of classes to tell apart (default 256)\n"
                              "  --small N         number of small views of each image (default 4)\n"
                              "  --momentum M      momentum of the teacher at the start (default 0.98)\n"
                              "  --teacher T       temperature of the teacher (default 0.04)\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder, *untrained;
    sslh_convnet_desc e = {0};
    sslh_vit_desc w = {0};
    sslh_dino_desc d = {0};
    sslh_train_desc t = {0};
    sslh_method method;
    char path[1024];
    int vit = 0;
    const own_option own[] = {{"--vit", OPTION_FLAG, &vit}, {"--outputs", OPTION_COUNT, &d.outputs},
                              {"--small", OPTION_NUMBER_OFF, &d.small_views},
                              {"--momentum", OPTION_REAL_OFF, &d.target_momentum},
                              {"--teacher", OPTION_REAL, &d.teacher_temperature}, {0}};
    d.outputs = 256;
    d.small_views = 4;
    d.target_momentum = 0.98f;
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.channels = w.channels = train.channels;
    w.image = train.height;
    w.width = WIDTH;
    w.depth = DEPTH;
    w.heads = HEADS;
    encoder = vit ? sslh_vit(c, w) : sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_dino(c, encoder, d);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    t.callback = say_epoch;
    method_said(&method, &t, train, test);
    sslh_train(c, method, train, t);
    stop_on_error(c);
    compare(c, &o, untrained, encoder, "DINO, no labels", train, test, "dino", "Neighbours after DINO");
    if (vit) picture_attention(c, encoder, test, out_path(&o, path, sizeof path, "dino_attention.png"));
    if (!sslh_error(c)) printf("\npictures in %s: dino_neighbours%s\n", o.out, vit ? ", dino_attention" : "");
    return finish(c);
}
