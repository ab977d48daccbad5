/* Contrastive predictive coding on speech: pretrains on the joined clips of each speaker, without labels, then asks a
   linear probe for the digit and for the speaker. The same probe is given MFCC, the classical features of speech, and
   the untrained encoder. Digits are tested on held-out clips, of speakers that training heard and of others.

       build/examples/cpc                                  the synthetic voices that come with this repository
       build/examples/cpc --data fsdd/recordings --epochs 5      real speakers: the Free Spoken Digit Dataset */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

/* "a,b": every n-th class name of a label field, the first of them number from; with "!" before it all others. */
static const char *every(sslh_data d, const char *field, int n, int from, int others, char *out, size_t size) {
    sslh_data by = sslh_data_labelled(d, field);
    size_t used = 0;
    int k;
    out[0] = 0;
    for (k = from; k < by.classes && used + 40 < size; k += n)
        used += (size_t)snprintf(out + used, size - used, "%s%.30s", used ? "," : others ? "!" : "", by.class_names[k]);
    return out;
}

/* Mean and deviation of each cepstral coefficient over the clip: (N,40). */
static sslh_tensor *cepstra(sslh_ctx *c, const sslh_batch *b, void *user) {
    sslh_mfcc_desc d = {0};
    sslh_tensor *x, *lengths = sslh_batch_lengths(c, *b, 0), *both[2];
    int n;
    (void)user;
    d.mel.rate = b->data.field[0].rate;
    d.mel.n_fft = 256;
    d.mel.bands = 40;
    d.coefficients = 20;
    x = sslh_mfcc(c, sslh_batch_audio(c, *b), d); /* (N,F,20) */
    if (sslh_error(c)) return x;
    for (n = 0; n < b->count; n++) lengths->ints[n] = lengths->ints[n] / 128 + 1; /* frames: half of n_fft apart */
    both[0] = sslh_mean_valid(c, x, lengths);
    both[1] = sslh_mean_valid(c, sslh_square(c, x), lengths);
    both[1] = sslh_sqrt(c, sslh_shift(c, sslh_sub(c, both[1], sslh_square(c, both[0])), 1e-3f));
    return sslh_concat(c, both, 2, 1);
}

/* A row of the table: digits of held-out clips, digits of unheard speakers, speakers. */
static void row(sslh_ctx *c, const char *name, sslh_net *encoder, sslh_probe_desc p, const sslh_data set[5]) {
    double digit = (double)sslh_linear_probe(c, encoder, set[0], set[1], p);
    double unheard = (double)sslh_linear_probe(c, encoder, set[0], set[2], p);
    double speaker = (double)sslh_linear_probe(c, encoder, set[3], set[4], p);
    stop_on_error(c);
    printf("  %-22s %5.1f %%     %5.1f %%     %5.1f %%\n", name, 100 * digit, 100 * unheard, 100 * speaker);
    fflush(stdout);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "Contrastive predictive coding (van den Oord et al. 2018) of speech.\n"
                              "--data: a folder of recordings DIGIT_SPEAKER_NUMBER.wav, default examples/data/speech; "
                              "options for images are errors.", NULL);
    static const int kernels[4] = {10, 8, 4, 4}, strides[4] = {5, 4, 2, 2}; /* a place for 80 samples: 10 ms */
    sslh_ctx *c = options_create(&o);
    sslh_audio_desc a = {0};
    sslh_conv_gru_desc e = {0};
    sslh_cpc_desc d = {0};
    sslh_train_desc t = {0};
    sslh_probe_desc p = {{0}, 0, 0, 0, 0}, mfcc = {{0}, 0, 0, 0, 0};
    sslh_data all, heard, windows, set[5];
    sslh_net *encoder, *untrained;
    sslh_method method;
    char text[4096];
    options_without_images(&o);
    a.labels = "digit_speaker_number";
    all = sslh_load_audio(c, o.data ? o.data : "examples/data/speech", a);
    stop_on_error(c);
    heard = sslh_data_where(all, "speaker", every(all, "speaker", 3, 1, 1, text, sizeof text));
    set[2] = sslh_data_where(all, "speaker", every(all, "speaker", 3, 1, 0, text, sizeof text));
    set[0] = sslh_data_where(heard, "number", every(heard, "number", 5, 4, 1, text, sizeof text)); /* four fifths */
    set[1] = sslh_data_where(heard, "number", every(heard, "number", 5, 4, 0, text, sizeof text));
    set[3] = sslh_data_labelled(set[0], "speaker");
    set[4] = sslh_data_labelled(set[1], "speaker");
    windows = sslh_data_windows(set[0], "speaker", 4096, 1024); /* half a second, each sound in four of them */
    stop_on_error(c);
    memcpy(e.kernels, kernels, sizeof kernels);
    memcpy(e.strides, strides, sizeof strides);
    e.width = e.context = o.smoke ? 16 : 64;
    encoder = sslh_conv_gru(c, e);
    untrained = sslh_clone(encoder);
    printf("%d clips to learn from in %d windows, %d held out, %d of unheard speakers\n", (int)set[0].count,
           (int)windows.count, (int)set[1].count, (int)set[2].count);
    mfcc.features.input = cepstra;
    printf("  linear probe           digits      unheard     speakers\n");
    row(c, "MFCC", NULL, mfcc, set);
    row(c, "untrained encoder", untrained, p, set);
    d.steps = 6; /* 60 ms: the clips are short */
    method = sslh_cpc(c, encoder, d);
    t.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 10;
    t.batch = o.batch;
    sslh_train(c, method, windows, t);
    stop_on_error(c);
    row(c, "CPC", encoder, p, set);
    p.features.tap = "z";
    row(c, "CPC, before the GRU", encoder, p, set);
    return finish(c);
}
