/* I-JEPA: a small vision transformer predicts the features of blocks cut out of an image. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

#define BANK 64   /* test images whose patches compete */
#define COLUMNS 8 /* of them in the picture */

/* The images as the encoder sees them, and with every target replaced by the patch that comes nearest. */
static void draw(sslh_ctx *c, sslh_method *m, sslh_data test, const options *o) {
    static const char *const names[3] = {"original", "seen", "nearest"};
    sslh_tensor *rows[3];
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    char path[1024];
    int i;
    test = some_of(test, BANK, o->seed);
    ld.batch = BANK;
    ld.in_order = 1;
    if (!sslh_next_batch(sslh_loader_new(c, test, ld), &batch)) return;
    rows[0] = normalised(c, m->encoder, sslh_batch_images(c, batch));
    sslh_jepa_show(m, rows[0], 0, &rows[1], &rows[2]);
    for (i = 0; i < 3; i++)
        rows[i] = as_pixels(c, m->encoder, sslh_slice(c, rows[i], 0, 0, batch.count < COLUMNS ? batch.count : COLUMNS));
    picture_rows(c, out_path(o, path, sizeof path, "jepa_nearest.png"), rows, 3, names, "I-JEPA: test images");
}

int main(int argc, char **argv) {
    options o = options_parse(
        &argc, argv, "I-JEPA (Assran et al. 2023) with a small vision transformer.",
        "  --top K        targets are the mean of the last K blocks, as in data2vec (default 1: the output)\n"
        "  --momentum M   momentum of the target encoder at the start (default 0.996)\n"
        "  --lr R         peak rate (default 1e-3)\n"
        "  --width N --depth N   size of the transformer (default 96, 4)\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_vit_desc e = {0};
    sslh_jepa_desc d = {0};
    sslh_train_desc t = {0};
    sslh_net *encoder, *untrained;
    sslh_method m;
    const own_option own[] = {{"--top", OPTION_COUNT, &d.top_blocks}, {"--lr", OPTION_REAL, &t.lr},
                              {"--momentum", OPTION_REAL_OFF, &d.target_momentum},
                              {"--width", OPTION_COUNT, &e.width}, {"--depth", OPTION_COUNT, &e.depth}, {0}};
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.image = train.height;
    e.channels = train.channels;
    e.patch = 4;
    if (!e.width) e.width = o.smoke ? 48 : 96;
    if (!e.depth) e.depth = o.smoke ? 2 : 4;
    e.heads = 3;
    e.fixed_positions = 1;
    e.mean_pool = 1;
    encoder = sslh_vit(c, e);
    untrained = sslh_clone(encoder);
    m = sslh_jepa(c, encoder, d);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    t.batch = o.batch;
    method_said(&m, &t, train, test);
    sslh_train(c, m, train, t);
    stop_on_error(c);
    compare(c, &o, untrained, encoder, "I-JEPA, no labels", train, test, "jepa", "Neighbours after I-JEPA");
    draw(c, &m, test, &o);
    if (!sslh_error(c)) printf("\npictures in %s: jepa_nearest, jepa_neighbours\n", o.out);
    return finish(c);
}
