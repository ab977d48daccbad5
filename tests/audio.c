/* Sound: WAV files in all forms and what is refused, clips with several label fields, features against PyTorch
   (tests/golden/make_audio.py), views. Golden files and hostile bytes of the WAV reader are in tests/files.c too. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#include "harness.h"

static sslh_ctx *create(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    return sslh_create(d);
}

/* A WAV file of n bytes of data; returns its size. order: 'f' format first, 'd' data first. */
static size_t make_wav(uint8_t *out, int format, int channels, int rate, int bits, const uint8_t *data, uint32_t n, int order) {
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
        {7, 1, 8000, 8, 8, "mu-law"}, {6, 1, 8000, 8, 8, "A-law"}, {2, 1, 8000, 16, 8, "ADPCM"}, {85, 1, 8000, 16, 8, "format 85"},
        {1, 1, 8000, 12, 8, "PCM samples of 12 bits"}, {3, 1, 8000, 16, 8, "IEEE numbers of 16 bits"}, {1, 0, 8000, 16, 8, "0 channels"},
        {1, 1, 0, 16, 8, "0 samples a second"}, {1, 3, 8000, 16, 8, "no multiple"}, {1, 1, 8000, 16, 0, "0 bytes of samples"},
        {3, 1, 8000, 32, 8, "NaN or Inf"}, {0xfffe, 1, 8000, 16, 8, "extensible"},
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
        static const char *const text[] = {"reaches beyond the end", "without its chunk \"data\"", "without its chunk \"fmt \"",
                                           "second chunk \"data\"",  "RF64", "RIFX", "bytes for 1 samples", "reaches beyond"};
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
    char path[600];
    float x[400];
    for (int i = 0; i < n * channels; i++) x[i] = (i / channels) & 1 ? -level : level;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    sslh_save_wav(c, path, x, n, channels, rate);
    CHECK_OK(c);
}
static void drop(const char *folder, const char *name) {
    char path[600];
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
    CHECK(again.labels[0] == 0 && again.labels[2] == 2 && third.count == 2 && third.labels[1] == 2, "labels of a subset");
    sslh_loader_desc l;
    memset(&l, 0, sizeof l);
    l.in_order = 1;
    sslh_batch b;
    sslh_loader *loader = sslh_loader_new(c, third, l);
    CHECK(sslh_next_batch(loader, &b) && b.count == 2 && b.index[0] == 3 && b.labels[1] == 2 && b.data.count == 5 &&
              b.data.labels[4] == 2, "a batch of the subset");
    sslh_tensor *x = sslh_batch_audio(c, b), *lengths = sslh_batch_lengths(c, b, 0), *padding = sslh_batch_padding(c, b, 0);
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
    CHECK(d.count == 4 && d.fields == 3 && d.classes == 2 && d.labels[1] == 0 && d.labels[2] == 1, "classes of folders");
    if (!sslh_error(c)) {
        CHECK(!strcmp(d.class_names[1], "yes") && sslh_data_where(d, "speaker", "a").count == 2, "speakers beside classes");
        CHECK(((const float *)d.field[0].values)[0] == 0.0f, "silence stays silence");
        CHECK_NEAR(((const float *)d.field[0].values)[20], 0.1, 1e-7);
    }
    sslh_load_audio(c, folder, audio_desc("a-b.c"));
    CHECK_ERROR(c, "has no part \"b\"");
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
    CHECK_ERROR(c, ".length -2");
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
    CHECK(d.count == 2700 && d.classes == 10 && d.field[0].rate == 8000, "%d clips, %d classes", (int)d.count, d.classes);
    if (!sslh_error(c)) {
        sslh_data s = sslh_data_labelled(d, "speaker"), test = sslh_data_where(d, "index", "5,6,7,8,9");
        CHECK(s.classes == 6 && !strcmp(s.class_names[0], "george"), "%d speakers", s.classes);
        CHECK(sslh_data_where(d, "speaker", "george").count == 450 && sslh_data_where(d, "speaker", "!george").count == 2250,
              "speakers");
        CHECK(test.count == 300, "%d clips", (int)test.count);
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(wav_forms)
    TEST(wav_refuses)
    TEST(wav_round_trip)
    TEST(clips_by_name)
    TEST(clips_in_folders)
    TEST(clips_without_memory)
    TEST(spoken_digits)
TESTS_END
