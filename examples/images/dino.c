/* DINO: the student has to say from a part of an image what the teacher, its own average, says of the whole. Pretrain, then
   probe and neighbours beside raw pixels and the untrained encoder. Watch entropy and KL: an entropy near 0 or near ln K,
   with a KL of 0, is a collapse. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

static int each(const sslh_train_info *t, void *user) {
    (void)user;
    if (t->epoch_end)
        printf("epoch %3d: loss %.3f = entropy %.3f + KL %.3f\n", t->epoch + 1, (double)t->loss,
               (double)t->numbers[0].value, (double)t->numbers[1].value);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "DINO (Caron et al. 2021) with a small conv net or a small transformer.",
                              "  --vit             a small vision transformer, whose small views are enlarged\n"
                              "  --outputs K       (default 256)\n"
                              "  --small N         small views of each image (default 4)\n"
                              "  --momentum M      of the teacher at the start (default 0.98, for short runs)\n"
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
    const char *v;
    int i, vit = 0;
    d.outputs = 256;
    d.small_views = 4;
    d.target_momentum = 0.98f;
    for (i = 1; i < argc; i++) {
        if ((v = option_value(argc, argv, &i, "--outputs")) != NULL) d.outputs = atoi(v);
        else if ((v = option_value(argc, argv, &i, "--small")) != NULL) d.small_views = atoi(v) ? atoi(v) : SSLH_OFF;
        else if ((v = option_value(argc, argv, &i, "--momentum")) != NULL) d.target_momentum = sslh_or_off((float)atof(v));
        else if ((v = option_value(argc, argv, &i, "--teacher")) != NULL) d.teacher_temperature = (float)atof(v);
        else if (!strcmp(argv[i], "--vit")) vit = 1;
        else {
            fprintf(stderr, "%s: unknown option (try --help)\n", argv[i]);
            return 2;
        }
    }
    options_load(c, &o, &train, &test);
    e.channels = w.channels = train.channels;
    w.image = train.height;
    w.depth = 4;
    encoder = vit ? sslh_vit(c, w) : sslh_convnet(c, e);
    untrained = sslh_clone(encoder);
    method = sslh_dino(c, encoder, d);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 30;
    t.batch = o.batch;
    t.lr = 1e-3f; /* short run, not scaled by the batch */
    t.callback = each;
    method_said(&method, &t, train, test);
    sslh_train(c, method, train, t);
    stop_on_error(c);
    printf("\n");
    probe_row(c, "raw pixels", NULL, train, test);
    probe_row(c, "untrained encoder", untrained, train, test);
    probe_row(c, "DINO, no labels", encoder, train, test);
    picture_neighbours(c, encoder, train, test, out_path(&o, path, sizeof path, "dino_neighbours.png"),
                       "Neighbours after DINO");
    if (!sslh_error(c)) printf("\npicture in %s: dino_neighbours\n", o.out);
    return finish(c);
}
