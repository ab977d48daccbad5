/* Video: predict the next frame of clips, and tell frames in order from shuffled ones. Clips are made of images that
   come along: things that bounce in a larger frame, or windows that move over photographs; or they are read from
   folders of numbered frames. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <math.h>

/* Frames seen, predicted one from another; of a window of a film; clips in the picture. */
enum { SEEN = 4, AHEAD = 5, WINDOW = 2 * (SEEN + AHEAD), SHOWN = 3 };

typedef struct clip_options { int crops, objects, clips, side; } clip_options;

/* Clips of the images: made, each time, by this seed. */
static sslh_data make_clips(sslh_data images, const clip_options *k, int clips, float drag, uint64_t seed) {
    sslh_moving_desc d = {0};
    d.clips = clips;
    d.crops = k->crops;
    d.height = d.width = k->side;
    d.objects = k->crops ? 1 : k->objects;
    d.speed = k->crops ? 4.0f : 3.5f;
    d.zoom = k->crops ? 1.5f : 0;
    d.drag = drag;
    d.seed = seed;
    return sslh_data_moving(images, d);
}

/* Frames first .. first+n-1 of all clips of a batch: (N,n,H,W,C). */
static sslh_tensor *frames_of(sslh_ctx *c, const sslh_batch *b, int first, int n) {
    return sslh_slice(c, sslh_batch_clips(c, *b), 1, first, first + n);
}

/* PSNR in dB of the next frames of test clips, one step ahead to AHEAD: copying the last frame, then by each method. */
static void print_psnr(sslh_ctx *c, sslh_method *method, int methods, sslh_data test) {
    static const char *const names[3] = {"copy of the last frame", "L2", "L1 + gradient difference"};
    sslh_loader_desc ld = {0};
    sslh_loader *loader;
    sslh_batch b;
    double error[3][AHEAD] = {{0}}, count = 0;
    int way, t;
    ld.batch = 50, ld.in_order = 1;
    loader = sslh_loader_new(c, test, ld);
    while (sslh_next_batch(loader, &b)) {
        sslh_tensor *seen = frames_of(c, &b, 0, SEEN), *truth = frames_of(c, &b, SEEN, AHEAD);
        sslh_tensor *last = sslh_slice(c, seen, 1, SEEN - 1, SEEN);
        for (way = 0; way <= methods; way++) {
            sslh_tensor *y = way ? sslh_next_frames(&method[way - 1], seen, AHEAD)
                                 : sslh_broadcast(c, last, sslh_shape_of(truth));
            for (t = 0; t < AHEAD; t++)
                error[way][t] += b.count * (double)sslh_item(sslh_mse(c, sslh_slice(c, y, 1, t, t + 1),
                                                                      sslh_slice(c, truth, 1, t, t + 1)));
        }
        count += b.count;
    }
    stop_on_error(c);
    printf("PSNR in dB, frames ahead     1      2      3      4      5\n");
    for (way = 0; way <= methods; way++) {
        printf("%-25s", names[way]);
        for (t = 0; t < AHEAD; t++) printf(" %6.2f", -10 * log10(error[way][t] / count));
        printf("\n");
    }
}

/* Three rows for each of some clips: its frames, and, behind those that were seen, those predicted by each method. */
static void picture(sslh_ctx *c, sslh_method *method, int methods, sslh_data test, const char *path) {
    static const char *const names[3 * SHOWN] = {"frames", "L2", "L1 + GDL", "frames", "L2", "L1 + GDL",
                                                 "frames", "L2", "L1 + GDL"};
    static const char *const heads[SEEN + AHEAD] = {"seen", "", "", "", "to come, and predicted"};
    sslh_loader_desc ld = {0};
    sslh_grid_desc g = {0};
    sslh_batch b;
    sslh_tensor *all, *seen, *row[3 * SHOWN], *both[2];
    int i, way, rows = 0;
    ld.batch = SHOWN, ld.in_order = 1;
    if (!sslh_next_batch(sslh_loader_new(c, test, ld), &b)) return;
    all = frames_of(c, &b, 0, SEEN + AHEAD);
    for (i = 0; i < b.count; i++) {
        sslh_tensor *clip = sslh_slice(c, all, 0, i, i + 1); /* (1,9,H,W,C) */
        seen = sslh_slice(c, clip, 1, 0, SEEN);
        row[rows++] = clip;
        for (way = 0; way < methods; way++) {
            both[0] = seen, both[1] = sslh_next_frames(&method[way], seen, AHEAD);
            row[rows++] = sslh_concat(c, both, 2, 1);
        }
    }
    g.columns = SEEN + AHEAD;
    g.rows = names;
    g.heads = heads;
    g.title = "Next frames of test clips";
    all = sslh_concat(c, row, rows, 0);
    if (sslh_error(c)) return;
    sslh_picture_grid_ex(c, path, sslh_reshape(c, all, sslh_dim4(-1, all->shape[2], all->shape[3], all->shape[4])), g);
}

/* The first frame of each clip, as an image. */
static sslh_data first_frames(sslh_data clips) {
    sslh_data frames = sslh_data_frames(clips), none = {0};
    int32_t *index = (int32_t *)malloc((size_t)clips.count * sizeof *index);
    int64_t i;
    if (!index) return none;
    for (i = 0; i < clips.count; i++) index[i] = (int32_t)(i * clips.frames);
    frames = sslh_data_pick(frames, index, clips.count);
    free(index);
    return frames;
}

/* A small conv net, its map an eighth of the frame's sides. */
static sslh_net *encoder_new(sslh_ctx *c, int channels) {
    sslh_convnet_desc e = {0};
    e.channels = channels;
    e.widths[0] = 16, e.widths[1] = 32, e.widths[2] = 64;
    e.map_output = 1;
    return sslh_convnet(c, e);
}

int main(int argc, char **argv) {
    options o = options_parse(
        &argc, argv, "Video: next-frame prediction (Mathieu et al. 2016), order of frames (Misra et al. 2016).",
        "  --clips N      clips to train on (default 1000)   --objects N  things in a clip (default 2)\n"
        "  --crops        windows that move over the images instead of images that bounce\n"
        "  --side N       sides of a frame (default 64)      --film PATH  clips from folders of numbered frames\n"
        "  --residual     predict what is added to the last frame       --no-order     next frames only\n");
    sslh_ctx *c = options_create(&o);
    clip_options k = {0, 0, 0, 0};
    sslh_data train, test, images[2] = {{0}};
    sslh_net *encoder, *own[3];
    sslh_next_frame_desc nd = {0};
    sslh_frame_order_desc od = {0};
    sslh_train_desc t = {0};
    sslh_method next[2], order;
    char path[1024];
    int i, no_order = 0;
    const char *film = NULL;
    const own_option mine[] = {{"--clips", OPTION_COUNT, &k.clips}, {"--side", OPTION_COUNT, &k.side},
                               {"--objects", OPTION_COUNT, &k.objects}, {"--film", OPTION_TEXT, &film},
                               {"--crops", OPTION_FLAG, &k.crops}, {"--residual", OPTION_FLAG, &nd.residual},
                               {"--no-order", OPTION_FLAG, &no_order}, {0}};
    options_own(mine, argc, argv);
    if (film) {
        static const char why[] = "is for clips that are made of images: leave it out beside --film";
        option_refused(o.data != NULL, "--data", why);
        option_refused(o.test != NULL, "--test", why);
        option_refused(o.images, "--images", why);
        option_refused(k.clips, "--clips", why);
        option_refused(k.objects, "--objects", why);
        option_refused(k.side, "--side", why);
        option_refused(k.crops, "--crops", why);
    }
    if (!k.objects) k.objects = 2;
    if (!k.clips) k.clips = 1000;
    if (!k.side) k.side = 64;
    if (o.smoke && k.clips > 64) k.clips = 64;
    if (film) { /* windows of each clip; the last fifth of them is the test */
        sslh_clips_desc cd = {0};
        int64_t begin, shared = (WINDOW - 1) / SEEN; /* windows before the test that have frames in common with it */
        check_output(c, "--out: file", out_path(&o, path, sizeof path, "video.png"));
        cd.size = o.size;
        train = sslh_data_windows(sslh_load_clips(c, film, cd), NULL, WINDOW, SEEN);
        stop_on_error(c);
        begin = train.count - train.count / 5;
        if (begin == train.count || begin <= shared)
            sslh_fail(c, SSLH_E_USAGE, "--film %s: %d windows of %d frames, every %d frames, are too few to keep some "
                      "of them for a test: give longer films", film, (int)train.count, WINDOW, SEEN);
        stop_on_error(c);
        test = sslh_data_range(train, begin, train.count);
        train = sslh_data_range(train, 0, begin - shared);
    } else {
        options_load(c, &o, &images[0], &images[1]);
        train = make_clips(images[0], &k, k.clips, 0, 1);
        test = make_clips(images[1], &k, k.clips / 5 + 1, 0, 2);
    }
    stop_on_error(c);
    printf("%d clips of %d frames, %d x %d x %d; %d test clips\n", (int)train.count, train.frames, train.height,
           train.width, train.channels, (int)test.count);
    encoder = encoder_new(c, train.channels);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 20;
    t.batch = o.batch;
    nd.frames = SEEN;
    nd.decoder_width = 16;
    for (i = 0; i < 2; i++) { /* L2, then L1 and edges, from the same encoder */
        if (i) nd.norm = 1, nd.gradient = 1;
        own[i] = sslh_clone(encoder);
        next[i] = sslh_next_frame(c, own[i], nd);
        sslh_train(c, next[i], train, t);
    }
    stop_on_error(c);
    print_psnr(c, next, 2, test);
    picture(c, next, 2, test, out_path(&o, path, sizeof path, "video.png"));
    stop_on_error(c);
    if (no_order) return finish(c);
    own[2] = sslh_clone(encoder);
    order = sslh_frame_order(c, own[2], od);
    sslh_train(c, order, train, t);
    printf("order of three frames: %.1f %% of the tuples of test clips (chance 50 %%)\n",
           100 * test_number(c, &order, test, 50, 0));
    for (i = 0; i < 2 && !film; i++) { /* a motion that loses speed has an arrow, one that does not has none */
        float drag = i ? 0.1f : 0;
        od.task = 2;
        order = sslh_frame_order(c, sslh_clone(encoder), od);
        sslh_train(c, order, make_clips(images[0], &k, k.clips, drag, 3), t);
        printf("arrow of time, %s: %.1f %% (chance 50 %%)\n",
               i ? "a tenth of the speed lost from frame to frame" : "no speed lost",
               100 * test_number(c, &order, make_clips(images[1], &k, k.clips / 5 + 1, drag, 4), 50, 0));
    }
    stop_on_error(c);
    if (!film && images[0].labels && !k.crops) { /* a single frame with one thing somewhere: what is it? */
        sslh_data one, other;
        k.objects = 1;
        one = first_frames(make_clips(images[0], &k, 2 * k.clips, 0, 0));
        other = first_frames(make_clips(images[1], &k, k.clips, 0, 5));
        printf("\nwhich of %d classes a single frame shows, anywhere in it\n", one.classes);
        same_images(encoder, own[0]);
        probe_row(c, "raw pixels", NULL, one, other);
        probe_row(c, "untrained encoder", encoder, one, other);
        probe_row(c, "next frame, L2", own[0], one, other);
        probe_row(c, "next frame, L1 + GDL", own[1], one, other);
        probe_row(c, "frame order", own[2], one, other);
    }
    return finish(c);
}
