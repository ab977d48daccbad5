/* Abnormal heartbeats found with 1, 3 or 10 labelled ones: CPC learns from the first part of an electrocardiogram,
   without labels; then each beat of its last part gets the likeness to the labelled abnormal ones as its score. Beside
   it the same search in the raw signal and in the untrained encoder. Between the two parts there is a minute that
   nobody sees.

       build/examples/ecg                       a made record of half an hour
       build/examples/ecg --data ecg            mitdb100_2ch_360hz.i16 and mitdb100_annotations.tsv in a folder of
                                                SSLH_DATA: record 100 of the MIT-BIH Arrhythmia Database

   The signal file has 16-bit integers, little endian, two channels by turns, 360 a second; the annotations have a
   sample number and a letter in each line, N for a normal beat. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <math.h>

/* The window of a beat has LENGTH samples, BEFORE of them before it; those of the pretraining have CUT. */
enum { RATE = 360, CHANNELS = 2, BEFORE = 216, LENGTH = 360, CUT = 2 * RATE };

typedef struct record {
    float   *x;       /* (count,CHANNELS), in millivolts or so */
    int64_t  count;
    int     *at;      /* (beats) where they are */
    int32_t *abnormal;
    int      beats;
} record;

static void add_beat(record *r, int64_t at, int abnormal) {
    if (at < BEFORE || at + LENGTH - BEFORE > r->count) return; /* its window is not complete */
    r->at[r->beats] = (int)at;
    r->abnormal[r->beats++] = abnormal;
}

/* A bump of so many samples' deviation at a place. */
static void bump(record *r, double place, double height, double width) {
    for (int64_t i = (int64_t)(place - 4 * width); i <= (int64_t)(place + 4 * width); i++)
        for (int k = 0; i >= 0 && i < r->count && k < CHANNELS; k++) {
            const double t = ((double)i - place) / width;
            r->x[i * CHANNELS + k] += (float)((k ? 0.6 : 1) * height * exp(-t * t / 2));
        }
}
/* A wave before each beat, the beat, one after it, and noise; abnormal beats come too early, and the wave before them
   is low. */
static void make_record(record *r, int seconds) {
    double at = RATE;
    r->count = (int64_t)seconds * RATE;
    r->x = (float *)malloc((size_t)r->count * CHANNELS * sizeof *r->x);
    r->at = (int *)malloc((size_t)seconds * 4 * sizeof *r->at);
    r->abnormal = (int32_t *)malloc((size_t)seconds * 4 * sizeof *r->abnormal);
    if (!r->x || !r->at || !r->abnormal) return;
    for (int64_t i = 0; i < r->count * CHANNELS; i++) r->x[i] = 0.05f * sslh_random_normal(1, 1, (uint64_t)i);
    for (uint64_t beat = 0; at < (double)r->count - RATE; beat++) {
        const int abnormal = sslh_random_uniform(1, 2, beat) < 0.02f;
        if (abnormal) at -= 0.15 * RATE;
        bump(r, at - 0.16 * RATE, abnormal ? 0.05 : 0.15, 0.02 * RATE);
        bump(r, at, 1, 0.01 * RATE);
        bump(r, at + 0.28 * RATE, 0.25, 0.05 * RATE);
        add_beat(r, (int64_t)at, abnormal);
        at += RATE * (0.8 + 0.04 * (double)sslh_random_normal(1, 3, beat));
    }
}

/* The two files; 0 when they cannot be read (the context says why). */
static int read_record(sslh_ctx *c, const char *folder, record *r) {
    char path[1200];
    size_t size = 0, lines = 1;
    uint8_t *bytes;
    char *text, *p;
    snprintf(path, sizeof path, "%s/mitdb100_2ch_360hz.i16", folder);
    bytes = (uint8_t *)sslh_load_file(c, path, &size);
    snprintf(path, sizeof path, "%s/mitdb100_annotations.tsv", folder);
    text = sslh_load_file(c, path, NULL);
    if (!bytes || !text) return 0;
    for (p = text; *p; p++) lines += *p == '\n';
    r->count = (int64_t)(size / (2 * CHANNELS));
    r->x = (float *)malloc(size * 2 + 1);
    r->at = (int *)malloc(lines * sizeof *r->at);
    r->abnormal = (int32_t *)malloc(lines * sizeof *r->abnormal);
    if (!r->x || !r->at || !r->abnormal) return 0;
    for (int64_t i = 0; i < r->count * CHANNELS; i++) {
        const int v = bytes[2 * i] | bytes[2 * i + 1] << 8;
        r->x[i] = (float)((v > 32767 ? v - 65536 : v) - 1024) / 200; /* 200 steps a millivolt around 1024 */
    }
    for (p = text; *p; p++) {
        char *letter;
        const long at = strtol(p, &letter, 10);
        const int beat = letter != p && *letter == '\t' && strchr("NAV", letter[1]) && letter[1];
        if (beat) add_beat(r, at, letter[1] != 'N');
        p = letter != p ? letter : p;
        p += strcspn(p, "\n");
        if (!*p) break;
    }
    return 1;
}

/* Windows of LENGTH samples around beats from..to-1, each channel less its mean: sound of two channels. */
static sslh_data windows(sslh_ctx *c, const record *r, int from, int to) {
    const size_t one = (size_t)LENGTH * CHANNELS;
    float *x = (float *)malloc((size_t)(to - from) * one * sizeof *x);
    sslh_field f;
    memset(&f, 0, sizeof f);
    for (int n = from; x && n < to; n++)
        for (int k = 0; k < CHANNELS; k++) {
            const float *source = r->x + (r->at[n] - BEFORE) * CHANNELS + k;
            float *out = x + (size_t)(n - from) * one + k, mean = 0;
            for (int i = 0; i < LENGTH; i++) mean += source[i * CHANNELS] / LENGTH;
            for (int i = 0; i < LENGTH; i++) out[i * CHANNELS] = source[i * CHANNELS] - mean;
        }
    if (!x) sslh_fail(c, SSLH_E_MEMORY, "no memory for %d beats", to - from);
    f.kind = SSLH_FIELD_AUDIO;
    f.shape = sslh_dim2(LENGTH, CHANNELS);
    f.values = x;
    f.rate = RATE;
    return sslh_data_from_fields(c, &f, 1, to - from);
}

/* The encoder's output at all places of a window, side by side: where something happens matters. */
static sslh_tensor *all_places(sslh_ctx *c, const sslh_batch *b, void *user) {
    sslh_net *encoder = (sslh_net *)user;
    sslh_tensor *x = sslh_batch_audio(c, *b);
    if (encoder) {
        sslh_train_mode(encoder, 0);
        x = sslh_forward(encoder, x); /* (N,T,D) */
    }
    return sslh_reshape(c, x, sslh_dim2(b->count, -1));
}

/* Standardises columns by the mean and deviation of the first rows, then makes every row of length 1. */
static void unit_rows(float *x, int rows, int first, int width) {
    for (int k = 0; k < width; k++) {
        double sum = 0, square = 0;
        for (int i = 0; i < first; i++) sum += (double)x[i * width + k];
        for (int i = 0; i < first; i++) square += pow((double)x[i * width + k] - sum / first, 2);
        square = sqrt(square / first) + 1e-6;
        for (int i = 0; i < rows; i++) x[i * width + k] = (float)(((double)x[i * width + k] - sum / first) / square);
    }
    for (int i = 0; i < rows; i++) {
        double length = 1e-12;
        for (int k = 0; k < width; k++) length += (double)x[i * width + k] * (double)x[i * width + k];
        for (int k = 0; k < width; k++) x[i * width + k] = (float)((double)x[i * width + k] / sqrt(length));
    }
}

/* Mean and deviation, over draws of the labelled beats, of the average precision on the test beats. */
static void row(sslh_ctx *c, const char *name, sslh_net *encoder, const record *r, int train, int test, int draws,
                uint64_t seed) {
    static const int labelled[3] = {1, 3, 10};
    sslh_feature_desc fd = {0};
    sslh_tensor *f[2];
    float *x, *score;
    int width, rows = r->beats - test, all = train + rows, pool = 0;
    int32_t *member = (int32_t *)malloc((size_t)train * 2 * sizeof *member), *order = member + train;
    fd.input = all_places;
    fd.user = encoder;
    f[0] = sslh_features(c, NULL, windows(c, r, 0, train), fd);
    f[1] = sslh_features(c, NULL, windows(c, r, test, r->beats), fd);
    stop_on_error(c);
    width = f[0]->shape[1];
    x = (float *)malloc((size_t)all * (size_t)width * sizeof *x);
    score = (float *)malloc((size_t)rows * sizeof *score);
    if (!x || !score || !member) exit(1);
    sslh_read(f[0], x, f[0]->count);
    sslh_read(f[1], x + f[0]->count, f[1]->count);
    unit_rows(x, all, train, width);
    for (int i = 0; i < train; i++)
        if (r->abnormal[i]) member[pool++] = i;
    printf("  %-28s", name);
    for (int k = 0; k < 3; k++) {
        double sum = 0, square = 0;
        if (labelled[k] > pool) continue;
        for (int d = 0; d < draws; d++) {
            double ap;
            sslh_random_permutation(seed, (uint64_t)(1000 * k + d), order, pool);
            for (int i = 0; i < rows; i++) { /* likeness to the most similar labelled one */
                score[i] = -2;
                for (int j = 0; j < labelled[k]; j++) {
                    const float *a = x + (size_t)(train + i) * (size_t)width;
                    const float *b = x + (size_t)member[order[j]] * (size_t)width;
                    float cosine = 0;
                    for (int q = 0; q < width; q++) cosine += a[q] * b[q];
                    if (cosine > score[i]) score[i] = cosine;
                }
            }
            ap = (double)sslh_average_precision(c, score, r->abnormal + test, rows);
            sum += ap;
            square += ap * ap;
        }
        square = square / draws - sum / draws * sum / draws;
        printf("   %.3f +- %.3f", sum / draws, sqrt(square > 0 ? square : 0));
    }
    printf("\n");
    fflush(stdout);
    free(x), free(score), free(member);
    stop_on_error(c);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "CPC (van den Oord et al. 2018) of an electrocardiogram.\n--data: a folder "
                              "with mitdb100_2ch_360hz.i16 and mitdb100_annotations.tsv.", NULL);
    static const int kernels[3] = {8, 6, 4}, strides[3] = {3, 3, 2}; /* a place for 18 samples: 50 ms */
    const char *root = getenv("SSLH_DATA");
    sslh_ctx *c = options_create(&o);
    sslh_conv_gru_desc e = {0};
    sslh_cpc_desc d = {0};
    sslh_train_desc t = {0};
    sslh_net *encoder, *untrained;
    sslh_field f;
    sslh_data cuts;
    record r;
    char folder[1024];
    int train = 0, test = 0, abnormal[2] = {0, 0};
    int64_t end;
    memset(&r, 0, sizeof r), memset(&f, 0, sizeof f);
    options_without_images(&o);
    if (o.data) {
        snprintf(folder, sizeof folder, "%s", o.data);
        if (root && !strpbrk(o.data, "/\\") && !folder_exists(folder))
            snprintf(folder, sizeof folder, "%s/%s", root, o.data);
        read_record(c, folder, &r);
    } else make_record(&r, o.smoke ? 400 : 1800);
    stop_on_error(c);
    if (!r.x || !r.at || !r.abnormal) {
        fprintf(stderr, "no memory for the record\n");
        return 1;
    }
    end = r.count * 17 / 30; /* 17 minutes of 30, a minute's gap, the rest */
    while (train < r.beats && r.at[train] < end) abnormal[0] += r.abnormal[train++] != 0;
    for (test = train; test < r.beats && r.at[test] < end + 60 * RATE;) test++;
    for (int i = test; i < r.beats; i++) abnormal[1] += r.abnormal[i] != 0;
    printf("%d beats, %d of them abnormal, for training; %d, of them %d, for the test\n", train, abnormal[0],
           r.beats - test, abnormal[1]);
    option_refused(!abnormal[0] || !abnormal[1], "--data", "has no abnormal beats in one of the two parts");
    memcpy(e.kernels, kernels, sizeof kernels);
    memcpy(e.strides, strides, sizeof strides);
    e.channels = CHANNELS;
    e.width = 48;
    e.context = 48;
    encoder = sslh_conv_gru(c, e);
    untrained = sslh_clone(encoder);
    f.kind = SSLH_FIELD_AUDIO;
    f.shape = sslh_dim2((int)end, CHANNELS);
    f.values = r.x;
    f.rate = RATE;
    cuts = sslh_data_windows(sslh_data_from_fields(c, &f, 1, 1), NULL, CUT, CUT / 2);
    d.steps = 6;
    d.crop = CUT;
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 20;
    t.batch = o.batch ? o.batch : 32;
    train_interruptible(c, sslh_cpc(c, encoder, d), cuts, t);
    stop_on_error(c);
    printf("average precision with 1, 3, 10 labelled beats, %d draws (guessing: %.3f); CPC %d epochs\n",
           o.smoke ? 5 : 50, (double)abnormal[1] / (r.beats - test), t.epochs);
    row(c, "raw signal", NULL, &r, train, test, o.smoke ? 5 : 50, o.seed);
    row(c, "untrained encoder", untrained, &r, train, test, o.smoke ? 5 : 50, o.seed);
    row(c, "CPC", encoder, &r, train, test, o.smoke ? 5 : 50, o.seed);
    free(r.x), free(r.at), free(r.abnormal);
    return finish(c);
}
