/* Jigsaw puzzles: pretrains by putting shuffled tiles in order, with tiles that are normalised one by one and, to show
   the shortcut, with tiles that are not; then probes every block. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

enum { COLUMNS = 8 };

/* Test images above, the puzzles cut from them in the middle, and what the encoder puts together below. */
static void picture_puzzles(sslh_ctx *c, sslh_method *m, sslh_data data, const char *path) {
    static const char *const names[3] = {"original", "seen", "rebuilt"};
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    ld.batch = COLUMNS;
    ld.in_order = 1;
    if (sslh_next_batch(sslh_loader_new(c, data, ld), &batch)) {
        sslh_tensor *x = sslh_batch_images(c, batch), *rows[3];
        sslh_jigsaw_solve(m, x, 0, &rows[1], &rows[2], NULL);
        if (sslh_error(c)) return;
        /* puzzles are a little smaller when the side is no multiple of the grid */
        rows[0] = sslh_slice(c, sslh_slice(c, x, 1, 0, rows[1]->shape[1]), 2, 0, rows[1]->shape[2]);
        picture_rows(c, path, rows, 3, names, "Jigsaw puzzles of test images");
    }
}

/* Share of the puzzles of images that training has not seen, one puzzle an image. */
static double solved(sslh_ctx *c, sslh_method *m, sslh_data data) {
    sslh_loader_desc ld = {0};
    sslh_loader *loader;
    sslh_batch batch;
    double right = 0;
    ld.in_order = 1;
    loader = sslh_loader_new(c, data, ld);
    while (sslh_next_batch(loader, &batch)) {
        sslh_tensor *puzzle, *whole;
        float share;
        sslh_jigsaw_solve(m, sslh_batch_images(c, batch), (uint64_t)batch.step, &puzzle, &whole, &share);
        right += (double)share * batch.count;
    }
    return right / (double)data.count;
}

int main(int argc, char **argv) {
    options o = options_parse(
        &argc, argv, "Jigsaw puzzles (Noroozi & Favaro 2016) with a small conv net; linear probe of every block.",
        "  --grid N       3 or 2 cells in a row          --permutations N   number of orders, the classes\n"
        "  --lr R         peak rate (default 0.1)\n");
    sslh_ctx *c = options_create(&o);
    sslh_data train, test;
    sslh_net *encoder[3]; /* untrained; tiles normalised one by one; tiles normalised by the data */
    sslh_convnet_desc e = {0};
    sslh_jigsaw_desc j = {0};
    sslh_train_desc t = {0};
    char path[1024];
    double right[2];
    int block, way;
    const own_option own[] = {{"--grid", OPTION_COUNT, &j.grid}, {"--permutations", OPTION_COUNT, &j.permutations},
                              {"--lr", OPTION_REAL, &t.lr}, {0}};
    options_own(own, argc, argv);
    options_load(c, &o, &train, &test);
    e.channels = train.channels;
    encoder[0] = sslh_convnet(c, e);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    t.batch = o.batch;
    for (way = 0; way < 2; way++) {
        sslh_method method;
        encoder[1 + way] = sslh_clone(encoder[0]);
        j.no_tile_norm = way;
        method = sslh_jigsaw(c, encoder[1 + way], j);
        sslh_train(c, method, train, t);
        right[way] = 100 * solved(c, &method, test);
        stop_on_error(c);
        if (!way) picture_puzzles(c, &method, test, out_path(&o, path, sizeof path, "jigsaw_puzzles.png"));
    }
    same_images(encoder[0], encoder[1]);
    printf("%d training images, %d test images\n", (int)train.count, (int)test.count);
    printf("tiles normalised               one by one  by the data\n");
    printf("puzzles of test images solved     %5.1f %%      %5.1f %%\n", right[0], right[1]);
    printf("                    linear probe                          nearest neighbours\n");
    printf("                    untrained   one by one  by the data   untrained   one by one  by the data\n");
    probe_rows(c, "raw pixels", NULL, 3, NULL, 1, 9, train, test);
    for (block = 1; block <= 4; block++) {
        char tap[16];
        snprintf(tap, sizeof tap, "block%d", block);
        probe_rows(c, tap, encoder, 3, tap, 1, 9, train, test);
    }
    if ((train.height + 7) / 8 % 2 == 0 && (train.width + 7) / 8 % 2 == 0) /* the map of block 3 can be halved */
        probe_rows(c, "block3, 2x2 cells", encoder, 3, "block3", 2, 9, train, test);
    return finish(c);
}
