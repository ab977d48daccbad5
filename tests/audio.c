/* Sound: WAV files in all forms and what is refused, clips with several label fields, features against PyTorch
   (tests/golden/make_audio.py), views. Golden files and hostile bytes of the WAV reader are in tests/files.c too. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#include "harness.h"

/* A case of tests/golden/make_audio.py: settings, then the values that numpy computes in double. */
typedef struct golden_audio {
    int T, rate, n_fft, window, hop, bands, low, high, slaney, area, no_center, coefficients, log_mels, top_db;
    const double *mel;
    int count;
    const double *mfcc; /* NULL without coefficients */
} golden_audio;
#include "golden/audio.h"

static sslh_ctx *create(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    return sslh_create(d);
}

/* A WAV file of n bytes of data; returns its size. order: 'f' format first, 'd' data first. */
static size_t make_wav(uint8_t *out, int format, int channels, int rate, int bits, const uint8_t *data, uint32_t n,
                       int order) {
    uint8_t *p = out + 12;
    memcpy(out, "RIFF....WAVE", 12);
    for (int k = 0; k < 2; k++) {
        if ((k == 0) == (order == 'f')) {
            memcpy(p, "fmt \x10\0\0\0", 8);
            sslh_i_put_le32(p + 8, (uint32_t)format | (uint32_t)channels << 16);
            sslh_i_put_le32(p + 12, (uint32_t)rate);
            sslh_i_put_le32(p + 16, (uint32_t)(rate * channels * bits / 8));
            sslh_i_put_le32(p + 20, (uint32_t)(channels * bits / 8) | (uint32_t)bits << 16);
            p += 24;
        } else {
            memcpy(p, "data", 4);
            sslh_i_put_le32(p + 4, n);
            if (n) memcpy(p + 8, data, n);
            p[8 + n] = 0;
            p += 8 + n + (n & 1);
        }
    }
    sslh_i_put_le32(out + 4, (uint32_t)(p - out - 8));
    return (size_t)(p - out);
}

static void wav_forms(void) {
    static const uint8_t data[6] = {0x00, 0x80, 0xff, 0x7f, 0x00, 0x40}; /* 16 bits: -1, 32767 / 32768, 0.5 */
    uint8_t file[200];
    sslh_ctx *c = create(1);
    int channels, rate;
    int64_t n;
    for (int k = 0; k < 6; k++) { /* both orders; sizes that are not known, in the four ways in which programs say so */
        size_t size = make_wav(file, 1, 1, 8000, 16, data, 6, k == 1 ? 'd' : 'f');
        if (k == 2) sslh_i_put_le32(file + 40, 0xffffffffu);
        if (k == 3) sslh_i_put_le32(file + 40, 0x7ffff000u);
        if (k == 4) sslh_i_put_le32(file + 40, 0), sslh_i_put_le32(file + 4, 0);
        if (k == 5) sslh_i_put_le32(file + 40, 0), sslh_i_put_le32(file + 4, 36);
        float *x = sslh_load_wav_memory(c, file, size, &n, &channels, &rate);
        CHECK_OK(c);
        CHECK(n == 3 && channels == 1 && rate == 8000, "form %d: %d x %d at %d", k, (int)n, channels, rate);
        if (x) CHECK(x[0] == -1.0f && x[1] == 32767.0f / 32768.0f && x[2] == 0.5f, "form %d: %g %g %g", k, (double)x[0],
                     (double)x[1], (double)x[2]);
        sslh_clear_error(c);
    }
    /* an odd number of bytes at the end of the file, with its padding and without */
    size_t size = make_wav(file, 1, 1, 8000, 8, data, 5, 'f');
    for (int cut = 0; cut < 2; cut++) {
        float *x = sslh_load_wav_memory(c, file, size - (size_t)cut, &n, NULL, NULL);
        CHECK_OK(c);
        CHECK(n == 5 && x && x[0] == -1.0f && x[1] == 0.0f && x[2] == 127.0f / 128.0f, "8 bits");
    }
    sslh_destroy(c);
}

static void wav_refuses(void) {
    static const uint8_t data[8] = {0, 0, 0xc0, 0x7f, 0, 0, 0xc0, 0x7f}; /* as IEEE numbers: NaN */
    static const struct { int format, channels, rate, bits; uint32_t n; const char *text; } bad[] = {
        {7, 1, 8000, 8, 8, "mu-law"}, {6, 1, 8000, 8, 8, "A-law"}, {2, 1, 8000, 16, 8, "ADPCM"},
        {85, 1, 8000, 16, 8, "format 85"}, {1, 1, 8000, 12, 8, "PCM samples of 12 bits"},
        {3, 1, 8000, 16, 8, "IEEE numbers of 16 bits"}, {1, 0, 8000, 16, 8, "0 channels"},
        {1, 1, 0, 16, 8, "0 samples a second"}, {1, 3, 8000, 16, 8, "no multiple"},
        {1, 1, 8000, 16, 0, "0 bytes of samples"}, {3, 1, 8000, 32, 8, "NaN or Inf"},
        {0xfffe, 1, 8000, 16, 8, "extensible"},
    };
    uint8_t file[200];
    sslh_ctx *c = create(1);
    size_t before = sslh_query(c).bytes, size;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size = make_wav(file, bad[i].format, bad[i].channels, bad[i].rate, bad[i].bits, data, bad[i].n, 'f');
        CHECK(!sslh_load_wav_memory(c, file, size, NULL, NULL, NULL), "case %d is accepted", (int)i);
        CHECK_ERROR(c, bad[i].text);
    }
    for (int k = 0; k < 8; k++) {
        static const char *const text[] = {"reaches beyond the end", "without its chunk \"data\"",
                                           "without its chunk \"fmt \"", "second chunk \"data\"", "RF64", "RIFX",
                                           "bytes for 1 samples", "reaches beyond"};
        size = make_wav(file, 1, 1, 8000, 16, data, 8, 'f');
        if (k == 0) sslh_i_put_le32(file + 40, 9);
        if (k == 1) memcpy(file + 36, "atad", 4);
        if (k == 2) memcpy(file + 12, "xmt ", 4);
        if (k == 3) { /* before the format, so that the search goes on */
            size = make_wav(file, 1, 1, 8000, 16, data, 8, 'd');
            memmove(file + 28, file + 12, size - 12);
            size += 16;
        }
        if (k == 4) memcpy(file, "RF64", 4);
        if (k == 5) memcpy(file, "RIFX", 4);
        if (k == 6) file[32] = 3;
        if (k == 7) sslh_i_put_le32(file + 16, 0xfffffff0u);
        CHECK(!sslh_load_wav_memory(c, file, size, NULL, NULL, NULL), "case %d is accepted", k);
        CHECK_ERROR(c, text[k]);
    }
    CHECK(sslh_query(c).bytes == before, "memory is left");
    CHECK(!sslh_load_wav_memory(c, "no sound", 8, NULL, NULL, NULL), "text");
    CHECK_ERROR(c, "not a WAV file");
    CHECK(!sslh_load_wav(c, "/no/such/file.wav", NULL, NULL, NULL), "no file");
    CHECK_ERROR(c, "sslh_load_wav: cannot open /no/such/file.wav");
    sslh_destroy(c);
}

static void wav_round_trip(void) {
    float x[14], out;
    char path[512];
    int channels, rate;
    int64_t n;
    sslh_ctx *c = create(1);
    for (int i = 0; i < 14; i++) x[i] = (float)(i - 7) / 6.0f;
    snprintf(path, sizeof path, "%s", test_temporary("a.wav"));
    for (int ch = 1; ch <= 2; ch++) {
        sslh_save_wav(c, path, x, 14 / ch, ch, 11025);
        float *y = sslh_load_wav(c, path, &n, &channels, &rate);
        CHECK_OK(c);
        CHECK(n == 14 / ch && channels == ch && rate == 11025, "%d x %d at %d", (int)n, channels, rate);
        for (int i = 0; y && i < 14; i++) {
            out = x[i] < -1 ? -1 : x[i] > 32767.0f / 32768 ? 32767.0f / 32768 : x[i];
            CHECK_NEAR(y[i], out, 0.5001 / 32768);
        }
    }
    x[0] = 0.49999997f / 32768; /* with one half added this is 1 as a float */
    x[1] = -x[0];
    sslh_save_wav(c, path, x, 2, 1, 8000);
    float *z = sslh_load_wav(c, path, &n, &channels, &rate);
    CHECK(z && n == 2 && z[0] * 32768 == 1 && z[1] * 32768 == -1, "the float below one half is rounded otherwise");
    (void)test_remove(path);
    sslh_save_wav(c, path, x, 0, 1, 8000);
    CHECK_ERROR(c, "sslh_save_wav: 0 samples");
    sslh_save_wav(c, path, NULL, 1, 1, 8000);
    CHECK_ERROR(c, "samples is NULL");
    sslh_destroy(c);
}

/* --- clips -------------------------------------------------------------------------------------------------------- */

/* Writes NAME into the folder: n samples of level, alternating in sign, stereo when channels is 2. */
static void put_clip(sslh_ctx *c, const char *folder, const char *name, int n, float level, int channels, int rate) {
    char path[2000];
    float x[400];
    for (int i = 0; i < n * channels; i++) x[i] = (i / channels) & 1 ? -level : level;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    sslh_save_wav(c, path, x, n, channels, rate);
    CHECK_OK(c);
}
static void drop(const char *folder, const char *name) {
    char path[2000];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)test_remove(path);
}

static sslh_audio_desc audio_desc(const char *labels) {
    sslh_audio_desc d;
    memset(&d, 0, sizeof d);
    d.labels = labels;
    return d;
}

static void clips_by_name(void) {
    static const char *const names[] = {"10_bob_0.wav", "2_ann_1.wav", "2_bob_2.WAV", "7_ann_10.wav", "7_carl_9.wav"};
    static const int digit[] = {2, 0, 0, 1, 1}, speaker[] = {1, 0, 1, 0, 2}, number[] = {0, 1, 2, 4, 3};
    char folder[512];
    sslh_ctx *c = create(1);
    snprintf(folder, sizeof folder, "%s", test_temporary_folder("clips"));
    for (int i = 0; i < 5; i++) put_clip(c, folder, names[i], 10 + 10 * i, 0.125f, 1 + (i & 1), 8000);
    sslh_data d = sslh_load_audio(c, folder, audio_desc("digit_speaker_number"));
    CHECK_OK(c);
    CHECK(d.count == 5 && d.fields == 4 && d.classes == 3 && !d.height, "%d clips, %d fields, %d classes", (int)d.count,
          d.fields, d.classes);
    if (sslh_error(c)) return;
    CHECK(d.field[0].kind == SSLH_FIELD_AUDIO && d.field[0].shape.size[0] == 50 && d.field[0].rate == 8000, "sound");
    CHECK(!strcmp(d.class_names[0], "2") && !strcmp(d.class_names[1], "7") && !strcmp(d.class_names[2], "10"),
          "numbers are sorted as numbers");
    sslh_data by_speaker = sslh_data_labelled(d, "speaker"), by_number = sslh_data_labelled(d, "number");
    CHECK(by_speaker.classes == 3 && !strcmp(by_speaker.class_names[2], "carl"), "speakers");
    for (int i = 0; i < 5; i++) {
        const float *x = (const float *)d.field[0].values + 50 * i;
        int length = 10 + 10 * i;
        CHECK(d.labels[i] == digit[i] && by_speaker.labels[i] == speaker[i] && by_number.labels[i] == number[i],
              "labels of clip %d: %d %d %d", i, (int)d.labels[i], (int)by_speaker.labels[i], (int)by_number.labels[i]);
        CHECK(d.field[0].lengths[i] == length, "length %d", (int)d.field[0].lengths[i]);
        for (int t = 0; t < 50; t++) /* scaled from 0.125 to the default loudness */
            CHECK_NEAR(x[t], t >= length ? 0 : t & 1 ? -0.1 : 0.1, 1e-7);
    }
    /* subsets by speaker, then by another label: disjoint, and batches count in the whole set */
    sslh_data heard = sslh_data_where(d, "speaker", "!bob"), held = sslh_data_where(d, "speaker", "bob");
    CHECK(heard.count == 3 && held.count == 2 && held.labels[0] == 2 && held.labels[1] == 0, "disjoint speakers");
    sslh_data again = sslh_data_labelled(heard, "speaker"), third = sslh_data_where(again, "number", "9,10");
    CHECK(again.labels[0] == 0 && again.labels[2] == 2 && third.count == 2 && third.labels[1] == 2,
          "labels of a subset");
    sslh_loader_desc l;
    memset(&l, 0, sizeof l);
    l.in_order = 1;
    sslh_batch b;
    sslh_loader *loader = sslh_loader_new(c, third, l);
    CHECK(sslh_next_batch(loader, &b) && b.count == 2 && b.index[0] == 3 && b.labels[1] == 2 && b.data.count == 5 &&
              b.data.labels[4] == 2, "a batch of the subset");
    sslh_tensor *x = sslh_batch_audio(c, b), *lengths = sslh_batch_lengths(c, b, 0),
                *padding = sslh_batch_padding(c, b, 0);
    CHECK(x->ndim == 3 && x->shape[1] == 50 && x->shape[2] == 1, "a batch of sound");
    CHECK(lengths->ints[0] == 40 && lengths->ints[1] == 50, "lengths");
    for (int t = 0; t < 50; t++) CHECK(padding->bytes[t] == (t >= 40) && !padding->bytes[50 + t], "padding %d", t);
    CHECK_OK(c);
    sslh_batch_lengths(c, b, 1);
    CHECK_ERROR(c, "sslh_batch_lengths: field 1");
    sslh_batch_images(c, b);
    CHECK_ERROR(c, "no images");
    /* joined with itself the labels stay */
    sslh_data twice = sslh_data_join(again, again);
    CHECK_OK(c);
    CHECK(twice.count == 6 && twice.classes == 3 && twice.labels[5] == 2 && !strcmp(twice.class_names[2], "carl") &&
              twice.field[0].lengths[3] == 20, "joined");
    /* other options */
    sslh_audio_desc o = audio_desc("*_speaker_*");
    o.length = 25;
    o.loudness = SSLH_OFF;
    sslh_data cut = sslh_load_audio(c, folder, o);
    CHECK_OK(c);
    CHECK(cut.fields == 2 && cut.classes == 3 && cut.field[0].shape.size[0] == 25 && cut.field[0].lengths[0] == 10 &&
              cut.field[0].lengths[4] == 25, "cut to 25");
    CHECK_NEAR(((const float *)cut.field[0].values)[1], -0.125, 1e-7);
    /* errors */
    sslh_data_where(d, "speaker", "bob,dora");
    CHECK_ERROR(c, "sslh_data_where: the field \"speaker\" has no class \"dora\"");
    sslh_data_where(heard, "speaker", "bob");
    CHECK_ERROR(c, "no sample of 3 has \"speaker\" bob");
    sslh_data_where(d, "voice", "bob");
    CHECK_ERROR(c, "no label field \"voice\" (those with a name: digit, speaker, number)");
    sslh_data_labelled(d, NULL);
    CHECK_ERROR(c, "sslh_data_labelled: there is no label field");
    static const char *const patterns[] = {"digit_", "_digit", "a__b", "a*_b", "", "a_b_c_d"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        sslh_load_audio(c, folder, audio_desc(patterns[i]));
        CHECK_ERROR(c, "sslh_load_audio: .labels");
    }
    sslh_load_audio(c, folder, audio_desc("a_b-c"));
    CHECK_ERROR(c, "the file name \"10_bob_0\" has no part \"b\" by .labels \"a_b-c\"");
    put_clip(c, folder, "9_x_1.wav", 5, 0.5f, 1, 16000);
    sslh_load_audio(c, folder, audio_desc(NULL));
    CHECK_ERROR(c, "9_x_1.wav has 16000 samples a second instead of 8000");
    drop(folder, "9_x_1.wav");
    o.rate = 44100;
    sslh_load_audio(c, folder, o);
    CHECK_ERROR(c, "8000 samples a second instead of 44100");
    char noise[600];
    snprintf(noise, sizeof noise, "%s/8_y_1.wav", folder);
    FILE *f = fopen(noise, "wb");
    if (f) fputs("not a sound", f), fclose(f);
    sslh_load_audio(c, folder, audio_desc(NULL));
    CHECK_ERROR(c, "8_y_1.wav: byte 0: not a WAV file");
    drop(folder, "8_y_1.wav");
    for (int i = 0; i < 5; i++) drop(folder, names[i]);
    sslh_load_audio(c, folder, audio_desc(NULL));
    CHECK_ERROR(c, "holds no recordings; wanted: WAV files");
    (void)test_remove(folder);
    sslh_destroy(c);
}

static void clips_in_folders(void) {
    char folder[512], inner[2][600];
    sslh_ctx *c = create(1);
    snprintf(folder, sizeof folder, "%s", test_temporary_folder("words"));
    for (int k = 0; k < 2; k++) {
        snprintf(inner[k], sizeof inner[k], "%s/%s", folder, k ? "yes" : "no");
        (void)test_make_folder(inner[k]);
        put_clip(c, inner[k], "b-1.wav", 20, 0.5f, 1, 16000);
        put_clip(c, inner[k], "a-2.wav", 20, 0.0f, 1, 16000);
    }
    sslh_data d = sslh_load_audio(c, folder, audio_desc("speaker-*"));
    CHECK_OK(c);
    CHECK(d.count == 4 && d.fields == 3 && d.classes == 2 && d.labels[1] == 0 && d.labels[2] == 1,
          "classes of folders");
    if (!sslh_error(c)) {
        CHECK(!strcmp(d.class_names[1], "yes") && sslh_data_where(d, "speaker", "a").count == 2,
              "speakers beside classes");
        CHECK(((const float *)d.field[0].values)[0] == 0.0f, "silence stays silence");
        CHECK_NEAR(((const float *)d.field[0].values)[20], 0.1, 1e-7);
    }
    sslh_load_audio(c, folder, audio_desc("a-b.c"));
    CHECK_ERROR(c, "has no part \"b\"");
    /* labels by the names of classes: in every field when joined, in that of .labels when matched */
    sslh_data some = sslh_data_join(sslh_data_where(sslh_load_audio(c, inner[1], audio_desc("speaker-number")),
                                                    "speaker", "b"),
                                    sslh_load_audio(c, inner[0], audio_desc("speaker-number")));
    CHECK_OK(c);
    CHECK(some.count == 3 && some.classes == 2 && some.labels[0] == 1 && some.labels[1] == 0, "joined");
    char alone[700];
    snprintf(alone, sizeof alone, "%s/b-1.wav", inner[0]);
    sslh_data b = sslh_load_audio(c, alone, audio_desc("speaker-number")); /* b is 0 and 1 is 0 */
    sslh_data both = sslh_data_join(b, some), like = sslh_data_match_classes(b, some);
    CHECK_OK(c);
    CHECK(both.count == 4 && both.classes == 2 && !strcmp(both.class_names[0], "b") && both.labels[0] == 0 &&
              both.labels[1] == 0 && both.labels[2] == 1, "joined by the names of speakers");
    both = sslh_data_labelled(both, "number");
    CHECK(both.classes == 2 && !strcmp(both.class_names[1], "2") && both.labels[1] == 0 && both.labels[2] == 1,
          "and by those of numbers");
    CHECK(like.labels[0] == 1 && like.classes == 2 && sslh_data_labelled(like, "number").classes == 1 &&
              sslh_data_labelled(like, "speaker").labels[0] == 1, "matched: the speaker only");
    /* what cannot be read is told, but for text */
    char text[700];
    for (int k = 0; k < 3; k++) {
        snprintf(text, sizeof text, "%s/%s", k == 2 ? folder : inner[1], k == 0 ? "notes.txt" : "c-3.flac");
        FILE *f = fopen(text, "wb");
        if (f) fputs("fLaC", f), fclose(f);
        sslh_load_audio(c, folder, audio_desc(NULL));
        if (k == 0) CHECK_OK(c);
        else CHECK_ERROR(c, k == 1 ? "1 file or folder that is not read, " : "c-3.flac: beside class folders");
        (void)test_remove(text);
    }
    char one[700];
    snprintf(one, sizeof one, "%s/b-1.wav", inner[0]);
    sslh_data single = sslh_load_audio(c, one, audio_desc("speaker-number"));
    CHECK_OK(c);
    CHECK(single.count == 1 && single.fields == 3 && single.classes == 1, "a single file");
    sslh_load_audio(c, NULL, audio_desc(NULL));
    CHECK_ERROR(c, "the path is NULL");
    sslh_audio_desc o = audio_desc(NULL);
    o.length = -2;
    sslh_load_audio(c, folder, o);
    CHECK_ERROR(c, "sslh_load_audio: .length is -2 (at least 1)");
    /* two labels of one name: sslh_data_where would only ever see the first */
    sslh_load_audio(c, folder, audio_desc("class-number"));
    CHECK_ERROR(c, "sslh_load_audio: two label fields are called \"class\", as that of class folders is");
    sslh_load_audio(c, inner[0], audio_desc("speaker-speaker"));
    CHECK_ERROR(c, "sslh_load_audio: two label fields are called \"speaker\"");
    for (int k = 0; k < 2; k++) {
        drop(inner[k], "b-1.wav");
        drop(inner[k], "a-2.wav");
        (void)test_remove(inner[k]);
    }
    (void)test_remove(folder);
    sslh_destroy(c);
}

/* Every allocation fails once: an error of memory, nothing left. */
static void clips_without_memory(void) {
    static const char *const names[] = {"1_a.wav", "2_b.wav"};
    char folder[512];
    test_memory m;
    sslh_desc desc;
    memset(&m, 0, sizeof m);
    memset(&desc, 0, sizeof desc);
    desc.threads = 1;
    desc.alloc = test_alloc;
    desc.release = test_release;
    desc.user = &m;
    sslh_ctx *c = sslh_create(desc);
    snprintf(folder, sizeof folder, "%s", test_temporary_folder("memory"));
    for (int i = 0; i < 2; i++) put_clip(c, folder, names[i], 20, 0.5f, 2, 8000);
    int64_t mark = sslh_mark(c);
    for (long k = 1; k < 200; k++) {
        long live = m.live;
        m.calls = 0;
        m.fail_at = k;
        sslh_data d = sslh_load_audio(c, folder, audio_desc("digit_speaker"));
        m.fail_at = 0;
        int done = !sslh_error(c);
        if (!done) {
            CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "%s", sslh_error(c));
            CHECK(m.live == live, "%ld blocks are left after failure %ld", m.live - live, k);
        } else CHECK(d.count == 2 && k > 20, "done after %ld", k);
        sslh_clear_error(c);
        sslh_rewind(c, mark);
        CHECK(m.live == live, "%ld blocks are left after sslh_rewind", m.live - live);
        if (done) break;
    }
    for (int i = 0; i < 2; i++) drop(folder, names[i]);
    (void)test_remove(folder);
    sslh_destroy(c);
    CHECK(m.live == 0, "%ld blocks", m.live);
}

/* The shipped clips: ten digits, ten voices, five manners. */
static void shipped_speech(void) {
    FILE *f = fopen("examples/data/README.md", "rb"); /* from the top of the repository or from tests/ */
    const char *path = f ? "examples/data/speech" : "../examples/data/speech";
    sslh_ctx *c = create(1);
    if (f) fclose(f);
    sslh_data d = sslh_load_audio(c, path, audio_desc("digit_speaker_manner"));
    CHECK_OK(c);
    CHECK(d.count == 500 && d.fields == 4 && d.classes == 10 && d.field[2].classes == 10 && d.field[3].classes == 5 &&
              d.field[0].rate == 8000, "%d clips, %d classes", (int)d.count, d.classes);
    if (!sslh_error(c)) {
        int counts[10] = {0};
        for (int i = 0; i < 500; i++) counts[d.labels[i]]++;
        for (int k = 0; k < 10; k++)
            CHECK(counts[k] == 50 && d.class_names[k][0] == '0' + k, "digit %d: %d clips", k, counts[k]);
        CHECK(sslh_data_where(d, "speaker", "!anna,fred").count == 400, "eight voices");
    }
    sslh_destroy(c);
}

/* The real recordings: the counts of the manifest, speakers disjoint, the split of the set's own authors. */
static void spoken_digits(void) {
    char path[1024];
    const char *index = test_data("fsdd/index.tsv");
    if (!index) {
        NOTE("spoken_digits", "the Free Spoken Digit Dataset");
        return;
    }
    snprintf(path, sizeof path, "%.*srecordings", (int)(strlen(index) - strlen("index.tsv")), index);
    sslh_ctx *c = create(1);
    sslh_audio_desc o = audio_desc("digit_speaker_index");
    o.length = 8000;
    sslh_data d = sslh_load_audio(c, path, o);
    CHECK_OK(c);
    CHECK(d.count == 2700 && d.classes == 10 && d.field[0].rate == 8000,
          "%d clips, %d classes", (int)d.count, d.classes);
    if (!sslh_error(c)) {
        sslh_data s = sslh_data_labelled(d, "speaker"), test = sslh_data_where(d, "index", "5,6,7,8,9");
        CHECK(s.classes == 6 && !strcmp(s.class_names[0], "george"), "%d speakers", s.classes);
        CHECK(sslh_data_where(d, "speaker", "george").count == 450 &&
                  sslh_data_where(d, "speaker", "!george").count == 2250,
              "speakers");
        CHECK(test.count == 300, "%d clips", (int)test.count);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- features ----------------------------------------------------------------------------------------------------- */

/* Noise and a chirp of saw teeth, as tests/golden/make_audio.py makes it: all numbers are exact. */
static void make_sound(float *x, int n, uint32_t seed) {
    for (int t = 0; t < n; t++) {
        seed = seed * 1664525u + 1013904223u;
        x[t] = (float)((2.0 * (double)(seed >> 12) + 1 - 1048576) / 16777216 + (double)(t * t / 8 % 512 - 256) / 512);
    }
}

static void golden_features(void) {
    static float x[2 * 1200];
    sslh_ctx *c = create(2);
    for (int i = 0; i < (int)(sizeof golden_cases / sizeof *golden_cases); i++) {
        const golden_audio *g = &golden_cases[i];
        sslh_mfcc_desc d;
        memset(&d, 0, sizeof d);
        if (i) { /* the first case is made of defaults */
            d.mel.rate = g->rate;
            d.mel.n_fft = g->n_fft;
            d.mel.window = g->window;
            d.mel.hop = g->hop;
            d.mel.bands = g->bands;
            d.mel.low = (float)g->low;
            d.mel.high = (float)g->high;
            d.mel.slaney = g->slaney;
            d.mel.area_norm = g->area;
            d.mel.no_center = g->no_center;
        }
        d.coefficients = g->coefficients;
        d.log_mels = g->log_mels;
        d.top_db = g->top_db ? (float)g->top_db : SSLH_OFF;
        make_sound(x, g->T, 77); /* another clip first: clips do not touch one another */
        make_sound(x + g->T, g->T, (uint32_t)i + 1);
        sslh_begin_step(c);
        sslh_tensor *sound = sslh_from(c, sslh_dim3(2, g->T, 1), x), *m = sslh_mel_spectrogram(c, sound, d.mel);
        sslh_tensor *alone = sslh_mel_spectrogram(c, sslh_from(c, sslh_dim2(1, g->T), x + g->T), d.mel);
        CHECK_OK(c);
        CHECK(m->ndim == 3 && m->shape[2] == g->bands && (int)m->count == 2 * g->count, "case %d: shape", i);
        if (sslh_error(c) || (int)m->count != 2 * g->count) break;
        CHECK(!memcmp(alone->data, m->data + g->count, (size_t)g->count * sizeof *m->data),
              "case %d: alone and in a batch", i);
        double worst = 0;
        for (int k = 0; k < g->count; k++) {
            double want = g->mel[k], off = fabs((double)m->data[g->count + k] - want);
            if (want == 0 ? off != 0 : off > 1e-6 * want) CHECK(0, "case %d, value %d: %.9g, expected %.9g", i, k,
                                                                (double)m->data[g->count + k], want);
            if (want > 0 && off / want > worst) worst = off / want;
        }
        if (!g->mfcc) continue;
        int count = g->count / g->bands * g->coefficients;
        sslh_tensor *f = sslh_mfcc(c, sound, d);
        CHECK_OK(c);
        CHECK((int)f->count == 2 * count, "case %d: %d coefficients", i, (int)f->count);
        for (int k = 0; k < count && (int)f->count == 2 * count; k++)
            CHECK_NEAR(f->data[count + k], g->mfcc[k], 2e-4);
    }
    sslh_destroy(c);
}

/* What holds for every sound: a tone lies in its band, twice the sound has four times the power and 6.02 dB more, and
   the same bits for all threads. */
static void properties_of_features(void) {
    static float x[4000];
    sslh_ctx *c = create(1), *four = create(4);
    sslh_mel_desc d;
    memset(&d, 0, sizeof d);
    d.rate = 8000;
    d.bands = 40;
    for (int t = 0; t < 4000; t++) x[t] = (float)sin(2 * 3.14159265358979 * 1000 * t / 8000);
    sslh_tensor *m = sslh_mel_spectrogram(c, sslh_from(c, sslh_dim2(1, 4000), x), d);
    int best = 0;
    for (int b = 0; b < 40; b++)
        if (m->data[10 * 40 + b] > m->data[10 * 40 + best]) best = b;
    double step = 2595 * log10(1 + 4000 / 700.0) / 41, middle = step * (best + 1), mel = 2595 * log10(1 + 1000 / 700.0);
    CHECK(fabs(middle - mel) <= step, "1000 Hz lie in band %d, %g mel instead of %g", best, middle, mel);
    make_sound(x, 4000, 5);
    sslh_tensor *one = sslh_from(c, sslh_dim2(2, 2000), x), *two = sslh_scale(c, one, 2);
    sslh_tensor *a = sslh_mel_spectrogram(c, one, d), *b = sslh_mel_spectrogram(c, two, d);
    sslh_tensor *db = sslh_power_to_db(c, a, 0), *db2 = sslh_power_to_db(c, b, 0), *cut = sslh_power_to_db(c, a, 10);
    sslh_tensor *e = sslh_mel_spectrogram(four, sslh_from(four, sslh_dim2(2, 2000), x), d);
    CHECK_OK(c);
    CHECK_OK(four);
    for (size_t i = 0; i < a->count; i++) {
        sslh_real most = -1000;
        for (size_t k = i / (a->count / 2) * (a->count / 2), n = 0; n < a->count / 2; n++)
            if (db->data[k + n] > most) most = db->data[k + n];
        CHECK(b->data[i] == 4 * a->data[i] && a->data[i] == e->data[i], "value %d", (int)i);
        CHECK_NEAR(db2->data[i] - db->data[i], 20 * log10(2.0), 1e-4);
        CHECK_NEAR(cut->data[i], db->data[i] > most - 10 ? db->data[i] : most - 10, 1e-5);
    }
    /* wrong use */
    sslh_mel_spectrogram(c, sslh_zeros(c, sslh_dim3(1, 500, 2)), d);
    CHECK_ERROR(c, "sslh_mel_spectrogram: (1,500,2): sound of one channel");
    sslh_log_mel(c, sslh_zeros(c, sslh_dim2(1, 200)), d);
    CHECK_ERROR(c, "sslh_log_mel: sound of 200 samples is too short for .n_fft 400");
    d.window = 500;
    sslh_mel_spectrogram(c, sslh_zeros(c, sslh_dim2(1, 900)), d);
    CHECK_ERROR(c, ".window is 500 (1 to 400)");
    sslh_mfcc_desc f;
    memset(&f, 0, sizeof f);
    f.coefficients = 200;
    sslh_mfcc(c, sslh_zeros(c, sslh_dim2(1, 900)), f);
    CHECK_ERROR(c, "sslh_mfcc: 200 coefficients of 128 bands");
    {
        const float powers[3] = {(float)NAN, 0, 1};
        sslh_tensor *all = sslh_power_to_db(c, sslh_from(c, sslh_dim2(1, 3), powers), 0);
        CHECK(all->data[0] != all->data[0], "a NaN becomes %g dB", (double)all->data[0]);
        CHECK_NEAR(all->data[1], -100, 1e-5);
        CHECK_NEAR(all->data[2], 0, 0);
    }
    sslh_power_to_db(c, sslh_zeros(c, sslh_dim2(1, 900)), -1);
    CHECK_ERROR(c, "sslh_power_to_db");
    sslh_destroy(c);
    sslh_destroy(four);
}

/* --- views -------------------------------------------------------------------------------------------------------- */

/* Twelve clips of a ramp, clip n of length 40 + n, two channels: sample t of channel k is t + 1 + 1000 k. */
static sslh_data ramps(sslh_ctx *c, float *values, int32_t *lengths) {
    sslh_field f;
    for (int n = 0; n < 12; n++) {
        lengths[n] = 40 + n;
        for (int t = 0; t < 60; t++)
            for (int k = 0; k < 2; k++)
                values[(n * 60 + t) * 2 + k] = t < lengths[n] ? (float)(t + 1 + 1000 * k) : 0.0f;
    }
    memset(&f, 0, sizeof f);
    f.kind = SSLH_FIELD_AUDIO;
    f.type = SSLH_F32;
    f.shape = sslh_dim2(60, 2);
    f.values = values;
    f.lengths = lengths;
    return sslh_data_from_fields(c, &f, 1, 12);
}

static void views_of_sound(void) {
    static float values[12 * 60 * 2];
    int32_t lengths[12];
    sslh_ctx *c = create(2);
    sslh_data d = ramps(c, values, lengths);
    sslh_loader_desc l;
    sslh_audio_recipe r;
    sslh_batch b;
    memset(&l, 0, sizeof l);
    l.batch = 12;
    l.in_order = 1;
    l.epochs = 2;
    sslh_loader *loader = sslh_loader_new(c, d, l);
    CHECK(sslh_next_batch(loader, &b), "a batch");
    memset(&r, 0, sizeof r);
    sslh_tensor *same = sslh_audio_views(c, b, r, 0);
    CHECK_OK(c);
    CHECK(same->count == 12 * 120 && !memcmp(same->data, values, sizeof values), "nothing is done by default");
    /* crops lie inside the valid part, at different places; shorter clips are followed by zeros */
    r.crop = 45;
    sslh_tensor *x = sslh_audio_views(c, b, r, 0), *again = sslh_audio_views(c, b, r, 0),
                *other = sslh_audio_views(c, b, r, 1);
    CHECK_OK(c);
    CHECK(x->shape[1] == 45 && x->shape[2] == 2, "shape of a crop");
    CHECK(!memcmp(x->data, again->data, x->count * sizeof *x->data), "views of one number are equal");
    CHECK(memcmp(x->data, other->data, x->count * sizeof *x->data) != 0, "views of two numbers differ");
    for (int n = 0; n < 12; n++) {
        const sslh_real *p = x->data + n * 90;
        int length = 40 + n, from = (int)p[0] - 1;
        CHECK(length > 45 ? from >= 0 && from + 45 <= length : from == 0, "clip %d begins at %d", n, from);
        for (int t = 0; t < 45; t++)
            CHECK(p[2 * t] == (from + t < length ? from + t + 1 : 0) &&
                  p[2 * t + 1] == (from + t < length ? from + t + 1001 : 0),
                  "clip %d, sample %d", n, t);
    }
    /* a subset and another order draw the same for a sample */
    int32_t pick[2] = {11, 9};
    sslh_loader *few = sslh_loader_new(c, sslh_data_pick(d, pick, 2), l);
    sslh_batch small;
    sslh_real kept[2][90];
    memcpy(kept[0], x->data + 11 * 90, sizeof kept[0]);
    memcpy(kept[1], x->data + 9 * 90, sizeof kept[1]);
    CHECK(sslh_next_batch(few, &small), "a batch");
    CHECK(!memcmp(sslh_audio_views(c, small, r, 0)->data, kept, sizeof kept), "a subset");
    CHECK(sslh_next_batch(loader, &b) && b.epoch == 1, "the second epoch");
    CHECK(memcmp(sslh_audio_views(c, b, r, 0)->data + 11 * 90, kept[0], sizeof kept[0]) != 0, "epochs differ");
    /* shifts: the ramp moves, zeros come in, over many draws both ways */
    memset(&r, 0, sizeof r);
    r.shift = 7;
    int met[15] = {0};
    for (int view = 0; view < 16; view++) {
        x = sslh_audio_views(c, b, r, view);
        for (int n = 0; n < 12; n++) {
            const sslh_real *p = x->data + n * 120;
            int shift = p[0] > 0 ? 1 - (int)p[0] : 0;
            while (p[2 * shift < 0 ? 0 : 2 * shift] == 0 && shift < 8) shift++;
            CHECK(shift >= -7 && shift <= 7, "shift by %d", shift);
            if (shift >= -7 && shift <= 7) met[shift + 7]++;
            for (int t = 0; t < 60; t++) {
                int from = t - shift, valid = from >= 0 && from < 40 + n;
                CHECK(p[2 * t] == (valid ? from + 1 : 0),
                      "clip %d shifted by %d, sample %d: %g", n, shift, t, (double)p[2 * t]);
            }
        }
    }
    for (int k = 0; k < 15; k++) CHECK(met[k] > 0, "no shift by %d", k - 7);
    /* gain and noise on a caller's tensor: decibels keep to their range, the ratio is the one asked for */
    sslh_tensor *tone = sslh_zeros(c, sslh_dim2(64, 400));
    for (size_t i = 0; i < tone->count; i++) tone->data[i] = i & 1 ? -1 : 1;
    memset(&r, 0, sizeof r);
    r.gain = 6;
    x = sslh_audio_augment(c, tone, r, 3);
    double low = 100, high = -100;
    for (int n = 0; n < 64; n++) {
        double decibels = 20 * log10(fabs((double)x->data[n * 400]));
        if (decibels < low) low = decibels;
        if (decibels > high) high = decibels;
        CHECK(x->data[n * 400 + 399] == -x->data[n * 400], "one factor for a clip");
    }
    CHECK(low < -4.5 && low >= -6.0001 && high > 4.5 && high <= 6.0001, "gains from %g to %g dB", low, high);
    memset(&r, 0, sizeof r);
    r.noise = 0.5f;
    r.snr_min = r.snr_max = 20;
    x = sslh_audio_augment(c, tone, r, 4);
    int noisy = 0;
    double power = 0;
    for (int n = 0; n < 64; n++) {
        double sum = 0;
        for (int t = 0; t < 400; t++) sum += pow((double)(x->data[n * 400 + t] - tone->data[n * 400 + t]), 2) / 400;
        if (sum > 0) noisy++, power += sum;
    }
    CHECK(noisy > 20 && noisy < 44, "%d of 64 are noisy", noisy);
    CHECK_NEAR(10 * log10(power / noisy), -20, 0.3);
    CHECK_OK(c);
    r.gain = -1;
    sslh_audio_augment(c, sslh_zeros(c, sslh_dim2(1, 9)), r, 0);
    CHECK_ERROR(c, "sslh_audio_augment: .gain is -1 (above 0, at most 100)");
    sslh_audio_views(c, b, r, -1);
    CHECK_ERROR(c, "sslh_audio_views: view -1");
    sslh_mel_desc mel;
    memset(&mel, 0, sizeof mel);
    memset(&r, 0, sizeof r);
    sslh_mel_views(c, b, r, mel, 0);
    CHECK_ERROR(c, "sslh_mel_views: (12,60,2): sound of one channel");
    sslh_destroy(c);
}

static void masks(void) {
    sslh_ctx *c = create(1);
    sslh_audio_recipe r;
    memset(&r, 0, sizeof r);
    r.time_masks = 2;
    r.time_width = 5;
    sslh_tensor *x = sslh_uniform(c, sslh_dim3(50, 20, 8), 1, 2);
    int widest = 0, counts[11] = {0};
    for (int bands = 0; bands < 2; bands++) {
        sslh_tensor *y = sslh_mask_spectrogram(c, x, r, 9);
        CHECK_OK(c);
        for (int n = 0; n < 50; n++) {
            double mean = 0;
            int masked = 0;
            for (int i = 0; i < 160; i++) mean += (double)x->data[n * 160 + i] / 160;
            for (int line = 0; line < (bands ? 8 : 20); line++) { /* all of a line or nothing of it */
                int changed = 0, across = bands ? 20 : 8;
                for (int k = 0; k < across; k++) {
                    int at = n * 160 + (bands ? k * 8 + line : line * 8 + k);
                    if (y->data[at] == x->data[at]) continue;
                    changed++;
                    CHECK_NEAR(y->data[at], mean, 1e-5);
                }
                CHECK(changed == 0 || changed == across, "%d of %d values of a line", changed, across);
                masked += changed > 0;
            }
            CHECK(masked <= (bands ? 3 : 10), "%d lines are masked", masked);
            if (masked > widest) widest = masked;
            if (masked <= 10) counts[masked]++;
        }
        CHECK(widest >= (bands ? 3 : 7) && counts[0] < 50, "at most %d lines are masked", widest);
        memset(&r, 0, sizeof r);
        r.band_masks = 1;
        r.band_width = 3;
        widest = 0;
    }
    sslh_mask_spectrogram(c, sslh_zeros(c, sslh_dim2(3, 4)), r, 0);
    CHECK_ERROR(c, "spectrograms are (N,F,M)");
    /* a batch: views of sound, log mel, masks in one call equal the steps, but for the masks */
    static float values[3 * 900];
    make_sound(values, 2700, 1);
    sslh_field f;
    memset(&f, 0, sizeof f);
    f.kind = SSLH_FIELD_AUDIO;
    f.shape = sslh_dim2(900, 1);
    f.values = values;
    sslh_data d = sslh_data_from_fields(c, &f, 1, 3);
    sslh_loader_desc l;
    memset(&l, 0, sizeof l);
    sslh_batch b;
    CHECK(sslh_next_batch(sslh_loader_new(c, d, l), &b), "a batch");
    sslh_mel_desc mel;
    memset(&mel, 0, sizeof mel);
    mel.bands = 20;
    r.crop = 600;
    sslh_tensor *all = sslh_mel_views(c, b, r, mel, 1), *steps = sslh_log_mel(c, sslh_audio_views(c, b, r, 1), mel);
    CHECK_OK(c);
    int differ = 0;
    for (size_t i = 0; i < all->count; i++) differ += all->data[i] != steps->data[i];
    CHECK(all->shape[1] == 4 && all->count == steps->count && differ > 0 && differ <= 3 * 3 * 4,
          "%d values are masked", differ);
    sslh_destroy(c);
}

/* --- evaluation --------------------------------------------------------------------------------------------------- */

static sslh_tensor *mean_of_two(sslh_ctx *c, sslh_tensor **in, int n, void *user) {
    static const int32_t lengths[2] = {1, 3};
    (void)n, (void)user;
    sslh_tensor *y = sslh_mean_valid(c, in[0], sslh_from_ints(c, sslh_dim1(2), lengths));
    return sslh_sum(c, sslh_square(c, y), SSLH_ALL, 0);
}

static void means_over_valid_places(void) {
    static const int32_t bad[2] = {1, 5};
    sslh_ctx *c = create(1);
    sslh_gradcheck_desc g;
    memset(&g, 0, sizeof g);
    sslh_tensor *x = sslh_normal(c, sslh_dim3(2, 4, 3), 0, 1), *in[1];
    in[0] = x;
    CHECK(sslh_gradcheck(c, mean_of_two, in, 1, NULL, g) < 2e-2, "gradient");
    CHECK_OK(c);
    double want = 0;
    for (int d = 0; d < 3; d++) {
        double one = (double)x->data[d], three = (double)(x->data[12 + d] + x->data[15 + d] + x->data[18 + d]) / 3;
        want += one * one + three * three;
    }
    CHECK_CLOSE(sslh_item(mean_of_two(c, in, 1, NULL)), want, 1e-5);
    /* what is after the lengths is not read */
    for (int d = 0; d < 3; d++) x->data[3 + d] = (sslh_real)NAN, x->data[21 + d] = (sslh_real)INFINITY;
    sslh_tensor *mean = mean_of_two(c, in, 1, NULL);
    CHECK_CLOSE(sslh_item(mean), want, 1e-5);
    sslh_backward(c, mean);
    CHECK_OK(c);
    CHECK_CLOSE(x->grad[1], 2 * x->data[1], 1e-6);
    CHECK(x->grad[4] == 0 && x->grad[22] == 0, "gradients %g, %g", (double)x->grad[4], (double)x->grad[22]);
    sslh_mean_valid(c, x, sslh_from_ints(c, sslh_dim1(2), bad));
    CHECK_ERROR(c, "sslh_mean_valid: the length 5 of sample 1");
    sslh_tensor *y = sslh_zeros(c, sslh_dim2(2, 3));
    sslh_mean_valid(c, y, sslh_from_ints(c, sslh_dim1(2), bad));
    CHECK_ERROR(c, "sslh_mean_valid: x (2,3)");
    sslh_destroy(c);
}

/* Windows: of each clip alone with all its labels; of the joined clips of a speaker, in order and without a gap. */
static void windows_of_sound(void) {
    static float values[6 * 10];
    static const int32_t lengths[6] = {10, 7, 3, 10, 0, 8}, speaker[6] = {1, 0, 1, 0, 0, 1},
                         digit[6] = {5, 4, 3, 2, 1, 0};
    sslh_ctx *c = create(1);
    sslh_field f[3];
    memset(f, 0, sizeof f);
    for (int i = 0; i < 60; i++) values[i] = (float)(i / 10 * 100 + i % 10);
    f[0].kind = SSLH_FIELD_AUDIO, f[0].shape = sslh_dim2(10, 1), f[0].values = values, f[0].lengths = lengths,
    f[0].rate = 8;
    f[1].kind = SSLH_FIELD_LABEL, f[1].type = SSLH_I32, f[1].values = digit, f[1].name = "digit";
    f[2].kind = SSLH_FIELD_LABEL, f[2].type = SSLH_I32, f[2].values = speaker, f[2].name = "speaker";
    sslh_data d = sslh_data_labelled(sslh_data_from_fields(c, f, 3, 6), "speaker");
    sslh_data w = sslh_data_windows(d, NULL, 4, 3);
    CHECK_OK(c);
    /* 3 windows of the clips of 10, 2 of those of 7 and 8 */
    CHECK(w.count == 10 && w.fields == 3 && w.classes == 2 && w.field[0].shape.size[0] == 4 && w.field[0].rate == 8 &&
              !w.field[0].lengths, "%d windows", (int)w.count);
    if (w.count == 10) {
        const float *x = (const float *)w.field[0].values;
        const int32_t *first = (const int32_t *)w.field[1].values;
        CHECK(x[0] == 0 && x[4] == 3 && x[11] == 9 && x[12] == 100 && x[39] == 506, "%g %g %g %g %g", (double)x[0],
              (double)x[4], (double)x[11], (double)x[12], (double)x[39]);
        CHECK(first[0] == 5 && first[3] == 4 && first[9] == 0 && w.labels[0] == 1 && w.labels[3] == 0, "labels");
    }
    w = sslh_data_windows(sslh_data_range(d, 0, 4), "speaker", 5, 5); /* speaker 0: 7 + 10 moments, speaker 1: 10 + 3 */
    CHECK_OK(c);
    CHECK(w.count == 5 && w.fields == 2 && !strcmp(w.field[1].name, "speaker"), "%d windows", (int)w.count);
    if (w.count == 5) {
        const float *x = (const float *)w.field[0].values;
        CHECK(x[0] == 100 && x[6] == 106 && x[7] == 300 && x[15] == 0 && x[24] == 9,
              "%g %g %g %g", (double)x[6], (double)x[7], (double)x[15], (double)x[24]);
        CHECK(w.labels[2] == 0 && w.labels[3] == 1, "speakers");
    }
    /* as many label fields as there can be: each is kept, and so is the choice of the last */
    static const char *const names[5] = {"a", "b", "c", "d", "e"};
    int32_t label[5][6];
    sslh_field more[6];
    more[0] = f[0];
    for (int k = 0; k < 5; k++) {
        for (int i = 0; i < 6; i++) label[k][i] = (i + k) % (k + 2);
        more[k + 1] = f[1], more[k + 1].values = label[k], more[k + 1].name = names[k];
    }
    w = sslh_data_windows(sslh_data_labelled(sslh_data_from_fields(c, more, 6, 6), "e"), NULL, 7, 7);
    CHECK_OK(c);
    CHECK(w.count == 4 && w.fields == 6 && w.classes == 6, "%d windows of %d fields", (int)w.count, w.fields);
    for (int k = 0; k < 5 && w.fields == 6; k++) {
        static const int32_t sample[4] = {0, 1, 3, 5};
        CHECK(!strcmp(w.field[k + 1].name, names[k]), "field %d is %s", k + 1, w.field[k + 1].name);
        for (int i = 0; i < 4; i++)
            CHECK(((const int32_t *)w.field[k + 1].values)[i] == label[k][sample[i]], "window %d, field %d", i, k + 1);
        for (int i = 0; k == 4 && i < 4; i++) CHECK(w.labels[i] == label[4][sample[i]], "label %d", i);
    }
    sslh_data_windows(d, NULL, 11, 1);
    CHECK_ERROR(c, "sslh_data_windows: 0 windows of 11; the longest recording has 10");
    sslh_data_windows(d, NULL, 0, 1);
    CHECK_ERROR(c, "length 0");
    sslh_data_windows(d, "voice", 5, 1);
    CHECK_ERROR(c, "no label field");
    sslh_destroy(c);
}

/* Places of z, what knows the future, names, wrong settings; values are those of PyTorch in tests/methods.c. */
static void encoder_of_sound(void) {
    static float x[2][1600];
    sslh_ctx *c = create(1);
    sslh_conv_gru_desc d;
    sslh_forward_desc tap;
    memset(&d, 0, sizeof d);
    memset(&tap, 0, sizeof tap);
    d.width = 8;
    d.context = 6;
    sslh_net *net = sslh_conv_gru(c, d);
    make_sound(x[0], 1600, 9);
    memcpy(x[1], x[0], sizeof x[0]);
    for (int t = 1000; t < 1600; t++) x[1][t] = 0; /* the same past, another future */
    tap.tap = "z";
    sslh_tensor *in = sslh_from(c, sslh_dim3(2, 1600, 1), x[0]), *z = sslh_forward_ex(net, in, tap),
                *y = sslh_forward(net, in);
    CHECK_OK(c);
    CHECK(z->shape[1] == 10 && z->shape[2] == 8 && y->shape[1] == 10 && y->shape[2] == 6, "%d places", z->shape[1]);
    /* place t hears 465 samples around 160 t + 80: to 1000 up to t = 4 */
    for (int t = 0; t < 10 && !sslh_error(c); t++) {
        int same = !memcmp(y->data + t * 6, y->data + 60 + t * 6, 6 * sizeof *y->data);
        CHECK(t > 4 || same, "place %d knows the future", t);
        CHECK(t < 7 || !same, "place %d does not hear", t);
    }
    CHECK(sslh_find(net, "local.conv2.weight")->shape[1] == 8 && sslh_find(net, "context.weight_hh_l0")->shape[0] == 18,
          "names");
    CHECK(sslh_forward(net, sslh_from(c, sslh_dim2(1, 1600), x[0]))->shape[1] == 10, "sound (N,T)");
    CHECK_OK(c);
    d.kernels[0] = 3;
    d.strides[0] = 4;
    sslh_conv_gru(c, d);
    CHECK_ERROR(c, "sslh_conv_gru: .kernels[0] is 3, .strides[0] is 4");
    d.strides[0] = 3;
    d.norm = 9;
    sslh_conv_gru(c, d);
    CHECK_ERROR(c, "sslh_conv_gru: .norm is 9");
    sslh_destroy(c);
}

#if SSLH_WITH_CPC
/* What a listener can foresee is learnt: clips of two tones that alternate by a fixed rule. Wrong use is an error. */
static void cpc_learns(void) {
    static float values[24 * 480];
    sslh_ctx *c = create(1);
    sslh_conv_gru_desc e;
    sslh_cpc_desc d;
    sslh_train_desc t;
    sslh_field f;
    memset(&e, 0, sizeof e), memset(&d, 0, sizeof d), memset(&t, 0, sizeof t), memset(&f, 0, sizeof f);
    for (int n = 0; n < 24; n++) /* every 24 samples another of six notes, in one order, from a place of its own */
        for (int i = 0; i < 480; i++)
            values[n * 480 + i] = (float)(0.14 * sin(i * (0.2 + 0.25 * ((i / 24 + n) % 6))) +
                                          0.02 * (double)sslh_random_normal(1, 9, (uint64_t)(n * 480 + i)));
    f.kind = SSLH_FIELD_AUDIO, f.shape = sslh_dim2(480, 1), f.values = values;
    sslh_data data = sslh_data_from_fields(c, &f, 1, 24);
    e.kernels[0] = 8, e.kernels[1] = 6, e.strides[0] = 4, e.strides[1] = 6, e.width = 16, e.context = 16;
    d.steps = 2, d.negatives = 30;
    t.quiet = 1, t.epochs = 1, t.batch = 8, t.lr = 0.01f;
    sslh_method m = sslh_cpc(c, sslh_conv_gru(c, e), d);
    double first = (double)sslh_train(c, m, data, t);
    t.epochs = 30;
    double last = (double)sslh_train(c, m, data, t);
    CHECK_OK(c);
    CHECK(fabs(first - log(31.0)) < 1 && last < first - 0.7, "loss %g, then %g", first, last);
    d.steps = 20;
    sslh_train(c, sslh_cpc(c, sslh_conv_gru(c, e), d), data, t);
    CHECK_ERROR(c, "sslh_cpc: the clips have 20 places of z, more than .steps = 20 are needed");
    sslh_convnet_desc image;
    memset(&image, 0, sizeof image);
    d.steps = 2;
    sslh_cpc(c, sslh_convnet(c, image), d);
    CHECK_ERROR(c, "sslh_cpc: the encoder \"convnet\" gives a vector");
    sslh_vit_desc vit;
    memset(&vit, 0, sizeof vit);
    vit.depth = 1, vit.token_output = 1;
    sslh_cpc(c, sslh_vit(c, vit), d);
    CHECK_ERROR(c, "sslh_cpc: the encoder \"vit\" has 0 children");
    uint8_t pixels[4] = {1, 2, 3, 4};
    sslh_train(c, sslh_cpc(c, sslh_conv_gru(c, e), d), sslh_data_from_images(c, pixels, 4, 1, 1, 1, NULL), t);
    CHECK_ERROR(c, "sslh_cpc: the data have no audio field");
    sslh_destroy(c);
}
#endif

static sslh_tensor *itself(sslh_net *net, sslh_tensor *x, const void *self) {
    (void)net, (void)self;
    return x;
}
static sslh_tensor *doubled(sslh_ctx *c, const sslh_batch *b, void *user) {
    *(int *)user += b->count;
    return sslh_scale(c, sslh_batch_audio(c, *b), 2);
}
static sslh_tensor *wrong(sslh_ctx *c, const sslh_batch *b, void *user) {
    (void)b, (void)user;
    return sslh_zeros(c, sslh_dim2(1, 3));
}
/* Of another width in the first batch of 5 than in the others, or integers. */
static sslh_tensor *uneven(sslh_ctx *c, const sslh_batch *b, void *user) {
    const int how = *(const int *)user, first = b->index[0] == 0;
    static int32_t ints[5 * 3];
    return how == 2 ? sslh_from_ints(c, sslh_dim2(b->count, 3), ints)
                    : sslh_full(c, sslh_dim2(b->count, first == (how == 1) ? 9 : 4), 1);
}

static void features_of_sound(void) {
    static float values[12 * 60 * 2];
    int32_t lengths[12], seen = 0;
    sslh_ctx *c = create(1);
    sslh_data d = ramps(c, values, lengths);
    sslh_feature_desc f;
    sslh_net_desc n;
    memset(&f, 0, sizeof f);
    memset(&n, 0, sizeof n);
    sslh_tensor *raw = sslh_features(c, NULL, d, f);
    CHECK_OK(c);
    CHECK(raw->shape[0] == 12 && raw->shape[1] == 120 && !memcmp(raw->data, values, sizeof values), "raw sound");
    n.name = "itself";
    n.forward = itself;
    n.width = 2;
    sslh_net *net = sslh_net_new(c, n);
    f.batch = 5;
    sslh_tensor *mean = sslh_features(c, net, d, f); /* of the valid part of a ramp: the mean of 1 .. length */
    CHECK_OK(c);
    for (int i = 0; i < 12; i++) {
        CHECK_CLOSE(mean->data[2 * i], (lengths[i] + 1) / 2.0, 1e-6);
        CHECK_CLOSE(mean->data[2 * i + 1], 1000 + (lengths[i] + 1) / 2.0, 1e-6);
    }
    f.max_pool = 1;
    CHECK(sslh_features(c, net, d, f)->data[23] == 1051, "the maximum");
    f.max_pool = 0;
    f.input = doubled;
    f.user = &seen;
    sslh_tensor *twice = sslh_features(c, net, d, f);
    CHECK_OK(c);
    CHECK(seen == 12, "%d samples", (int)seen);
    for (int i = 0; i < 24; i++) CHECK(twice->data[i] == 2 * mean->data[i], "value %d", i);
    f.input = wrong;
    sslh_features(c, net, d, f);
    CHECK_ERROR(c, ".input must give a row of floats for each of the 5 samples");
    for (int how = 0; how < 3; how++) { /* the second batch is wider, the second is narrower, integers */
        f.input = uneven;
        f.user = &how;
        sslh_features(c, NULL, d, f);
        CHECK_ERROR(c, how == 0 ? "sample 5 has 9 features, those before it have 4: .input must give equally many"
                       : how == 1 ? "sample 5 has 4 features, those before it have 9"
                       : "a row of floats for each of the 5 samples");
    }
    sslh_destroy(c);
}

/* The mean of each coefficient over a clip and its deviation: the classical description of a voice. */
static sslh_tensor *cepstra(sslh_ctx *c, const sslh_batch *b, void *user) {
    sslh_mfcc_desc d;
    (void)user;
    memset(&d, 0, sizeof d);
    d.mel.rate = 8000;
    d.mel.n_fft = 256;
    d.mel.bands = 40;
    d.coefficients = 20;
    sslh_tensor *f = sslh_mfcc(c, sslh_batch_audio(c, *b), d), *lengths = sslh_batch_lengths(c, *b, 0), *both[2];
    for (int n = 0; n < b->count; n++) lengths->ints[n] = lengths->ints[n] / 128 + 1;
    both[0] = sslh_mean_valid(c, f, lengths);
    both[1] = sslh_mean_valid(c, sslh_square(c, f), lengths);
    both[1] = sslh_sqrt(c, sslh_shift(c, sslh_sub(c, both[1], sslh_square(c, both[0])), 1e-3f));
    return sslh_concat(c, both, 2, 1);
}

/* On real recordings a probe of cepstra knows speakers it has heard nearly always, digits mostly, and digits of
   speakers that it has never heard more rarely. */
static void probes_of_speech(void) {
    char path[1024];
    const char *index = test_data("fsdd/index.tsv");
    if (!index || test_small()) {
        if (!index) NOTE("probes_of_speech", "the Free Spoken Digit Dataset");
        return;
    }
    snprintf(path, sizeof path, "%.*srecordings", (int)(strlen(index) - strlen("index.tsv")), index);
    sslh_ctx *c = create(0);
    sslh_audio_desc o = audio_desc("digit_speaker_index");
    sslh_probe_desc p;
    memset(&p, 0, sizeof p);
    p.features.input = cepstra;
    o.length = 8000;
    sslh_data all = sslh_load_audio(c, path, o);
    sslh_data train = sslh_data_where(all, "index", "!5,6,7,8,9"), test = sslh_data_where(all, "index", "5,6,7,8,9");
    float digit = sslh_linear_probe(c, NULL, train, test, p);
    float speaker = sslh_linear_probe(c, NULL, sslh_data_labelled(train, "speaker"),
                                      sslh_data_labelled(test, "speaker"), p);
    float unheard = sslh_linear_probe(c, NULL, sslh_data_where(all, "speaker", "!george,nicolas"),
                                      sslh_data_where(all, "speaker", "george,nicolas"), p);
    CHECK_OK(c);
    printf("note: MFCC probe: digits %.3f, of unheard speakers %.3f, speakers %.3f\n", (double)digit, (double)unheard,
           (double)speaker);
    CHECK(speaker > 0.95f && digit > 0.8f && unheard > 0.3f && unheard < digit, "accuracies");
    sslh_destroy(c);
}

/* Nothing in this part depends on the compiler, the processor or libm: one hash everywhere. */
static void bits_of_sound(void) {
    static float x[2 * 1500];
    unsigned long long h = 0;
    sslh_ctx *c = create(3);
    sslh_audio_recipe r;
    sslh_mfcc_desc d;
    memset(&r, 0, sizeof r);
    memset(&d, 0, sizeof d);
    make_sound(x, 3000, 3);
    r.crop = 1300;
    r.shift = 50;
    r.gain = 6;
    r.noise = 1;
    r.time_masks = r.band_masks = 2;
    r.time_width = r.band_width = 4;
    sslh_tensor *view = sslh_audio_augment(c, sslh_from(c, sslh_dim2(2, 1500), x), r, 1);
    for (int k = 0; k < 3; k++) {
        sslh_tensor *y = k == 0 ? view : k == 1 ? sslh_mfcc(c, view, d) :
                         sslh_mask_spectrogram(c, sslh_log_mel(c, view, d.mel), r, 2);
        for (size_t i = 0; i < y->count; i++) {
            float v = (float)y->data[i];
            h = test_hash_floats(&v, 1, h);
        }
        d.mel.slaney = d.mel.area_norm = 1;
    }
    CHECK_OK(c);
    CHECK(h == 0x8cb9c723af9e0defull, "hash %016llx", h);
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(wav_forms)
    TEST(wav_refuses)
    TEST(wav_round_trip)
    TEST(clips_by_name)
    TEST(clips_in_folders)
    TEST(clips_without_memory)
    TEST(shipped_speech)
    TEST(spoken_digits)
    TEST(golden_features)
    TEST(properties_of_features)
    TEST(views_of_sound)
    TEST(masks)
    TEST(bits_of_sound)
    TEST(means_over_valid_places)
    TEST(features_of_sound)
    TEST(probes_of_speech)
    TEST(windows_of_sound)
    TEST(encoder_of_sound)
#if SSLH_WITH_CPC
    TEST(cpc_learns)
#endif
TESTS_END
