/* One command line for every method: train, resume, probe, export features and weights, draw.

     pretrain --method simclr --encoder resnet18 --data cifar10 --epochs 50 --checkpoint run.safetensors --resume
     pretrain --method simclr --set temperature=0.2,optimizer=sgd,lr=0.3 --probe
     pretrain --load encoder.safetensors --data cifar10 --probe --knn --features features.npy

   It knows no method by name: names, fields and defaults come from sslh_methods, so a method that is added to ssl.h can
   be trained from here at once. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

static const char *const help =
    "  --method M     one of the methods below (default simclr); none: no training (the default with --load)\n"
    "  --set F=V,F=V  fields of the method and of its training; --help M lists those of method M\n"
    "  --methods      the names of the methods, a line each\n"
    "  --encoder E    convnet, resnet18, resnet34, nin, vit, mlp (default: vit where the method needs patches, else\n"
    "                 convnet; a method that makes its own encoder takes none)\n"
    "  --lr X         peak learning rate (default: the method's)    --epochs: default 10\n"
    "  --checkpoint F everything a continuation needs, after every epoch and at Ctrl-C;  --resume  continues from it if\n"
    "                 it is there\n"
    "  --load F       an encoder saved with --save: evaluate it, or train on with --method\n"
    "  --save F       the encoder as safetensors (opens in PyTorch)\n"
    "  --features F   features of the test images as .npy\n"
    "  --probe --knn  evaluate: raw pixels, untrained, trained;  --tap NAME  an inner result instead of the output\n"
    "  --summary      layers, shapes, parameters, multiply-adds\n"
    "  --draw         pictures of the views, first filters, a map of the features and the loss in --out\n";

typedef struct settings {
    const char *method, *encoder, *checkpoint, *load, *save, *features, *tap;
    char set[2048]; /* the text for sslh_method_make: all of --set, then --epochs, --batch, --lr */
    int resume, probe, knn, draw, summary;
} settings;

/* The row of a method in ssl.h's list, or NULL. */
static const sslh_method_info *method_info(const char *name) {
    const sslh_method_info *m;
    for (m = sslh_methods(NULL); m->name; m++) if (!strcmp(m->name, name)) return m;
    return NULL;
}

/* --methods, and --help with the name of a method behind it: said before anything else is read. */
static void answer(int argc, char **argv) {
    const sslh_method_info *m;
    int i;
    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--methods")) {
            for (m = sslh_methods(NULL); m->name; m++) printf("%s\n", m->name);
            exit(0);
        }
        if (!strcmp(argv[i], "--help") && i + 1 < argc && argv[i + 1][0] != '-') {
            char text[8192];
            m = method_info(argv[i + 1]);
            if (!m) {
                fprintf(stderr, "--help %s: there is no such method; --methods lists the names\n", argv[i + 1]);
                exit(2);
            }
            sslh_method_describe(m->name, text, sizeof text);
            printf("%s: %s\n%s: \"%s\", %s\ninput: %s; encoder: %s; second number: %s\n\n"
                   "fields for --set: name, default, what is allowed; then those of its training\n%s", m->title,
                   m->learns_by, m->authors, m->paper, m->venue, m->input, m->encoder, m->second, text);
            exit(0);
        }
    }
}

/* The help above and a line for each method. */
static const char *whole_help(void) {
    static char text[8192];
    const sslh_method_info *m;
    size_t used = (size_t)snprintf(text, sizeof text, "%s", help);
    for (m = sslh_methods(NULL); m->name && used < sizeof text; m++)
        used += (size_t)snprintf(text + used, sizeof text - used, "  %-14s %s (%s %d): %s\n", m->name, m->title,
                                 m->authors, m->year, m->learns_by);
    return text;
}

/* Appends "name=value" to the text for sslh_method_make, where what comes later counts. */
static void set_more(settings *s, const char *name, const char *value) {
    size_t n = strlen(s->set);
    if (n + strlen(name) + strlen(value) + 2 > sizeof s->set) {
        fprintf(stderr, "--set: too long\n");
        exit(2);
    }
    snprintf(s->set + n, sizeof s->set - n, "%s%s%s", n ? "," : "", name, value);
}
static void set_number(settings *s, const char *name, int value) {
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    set_more(s, name, text);
}

static settings settings_parse(int argc, char **argv, const options *o) {
    settings s;
    const sslh_method_info *m;
    const char *lr = NULL;
    int i;
    memset(&s, 0, sizeof s);
    if (o->smoke) set_more(&s, "", "epochs=1,batch=64");
    for (i = 1; i < argc; i++) {
        const char *v;
        if ((v = option_value(argc, argv, &i, "--method")) != NULL) s.method = v;
        else if ((v = option_value(argc, argv, &i, "--encoder")) != NULL) s.encoder = v;
        else if ((v = option_value(argc, argv, &i, "--checkpoint")) != NULL) s.checkpoint = v;
        else if ((v = option_value(argc, argv, &i, "--load")) != NULL) s.load = v;
        else if ((v = option_value(argc, argv, &i, "--save")) != NULL) s.save = v;
        else if ((v = option_value(argc, argv, &i, "--features")) != NULL) s.features = v;
        else if ((v = option_value(argc, argv, &i, "--tap")) != NULL) s.tap = v;
        else if ((v = option_value(argc, argv, &i, "--lr")) != NULL) lr = v;
        else if ((v = option_value(argc, argv, &i, "--set")) != NULL) set_more(&s, "", v);
        else if (!strcmp(argv[i], "--resume")) s.resume = 1;
        else if (!strcmp(argv[i], "--probe")) s.probe = 1;
        else if (!strcmp(argv[i], "--knn")) s.knn = 1;
        else if (!strcmp(argv[i], "--draw")) s.draw = 1;
        else if (!strcmp(argv[i], "--summary")) s.summary = 1;
        else {
            fprintf(stderr, "%s: unknown option (try --help)\n", argv[i]);
            exit(2);
        }
    }
    if (o->epochs) set_number(&s, "epochs=", o->epochs);
    if (o->batch) set_number(&s, "batch=", o->batch);
    if (lr) set_more(&s, "lr=", lr);
    if (s.resume && !s.checkpoint) {
        fprintf(stderr, "--resume needs --checkpoint, the file to go on from\n");
        exit(2);
    }
    if (!s.method) s.method = s.load ? "none" : "simclr";
    m = method_info(s.method);
    if (m && !strcmp(m->encoder, "own") && (s.encoder || s.load)) {
        fprintf(stderr, "--method %s makes its own encoder: leave --encoder and --load out\n", s.method);
        exit(2);
    }
    if (!s.encoder) s.encoder = m && strcmp(m->encoder, "any") && strcmp(m->encoder, "own") ? m->encoder : "convnet";
    return s;
}

/* For methods that listen: clips called LABEL_SPEAKER_NUMBER.wav, every tenth of them for the test. */
static void load_sound(sslh_ctx *c, const options *o, sslh_data *train, sslh_data *test) {
    sslh_audio_desc a = {0};
    sslh_data all;
    int32_t *index;
    int part, n, i;
    a.labels = "label_speaker_*";
    a.loudness = 1; /* about the size that the initial weights are made for */
    all = sslh_load_audio(c, o->data ? o->data : "examples/data/speech", a);
    stop_on_error(c);
    index = (int32_t *)calloc((size_t)all.count, sizeof *index);
    for (part = 0; part < 2 && index; part++) {
        int step = o->smoke ? 3 : 1; /* of all labels and speakers */
        for (i = n = 0; i < all.count; i += step)
            if ((i / step % 10 == 9) == part) index[n++] = i;
        *(part ? test : train) = sslh_data_pick(all, index, n);
    }
    free(index);
    stop_on_error(c);
}

static sslh_net *make_encoder(sslh_ctx *c, const char *name, sslh_data data, int smoke) {
    if (!strcmp(name, "convnet")) {
        sslh_convnet_desc d = {0};
        d.channels = data.channels;
        return sslh_convnet(c, d);
    }
    if (!strcmp(name, "resnet18") || !strcmp(name, "resnet34")) {
        sslh_resnet_desc d = {0};
        d.channels = data.channels;
        d.depth = name[6] == '3' ? 34 : 18;
        d.width = smoke ? 16 : 64;
        return sslh_resnet(c, d);
    }
    if (!strcmp(name, "nin")) {
        sslh_nin_desc d = {0};
        d.channels = data.channels;
        d.divide = smoke ? 4 : 1;
        return sslh_nin(c, d);
    }
    if (!strcmp(name, "vit")) {
        sslh_vit_desc d = {0};
        d.channels = data.channels;
        d.image = data.height;
        d.width = smoke ? 48 : 96;
        d.depth = smoke ? 2 : 6;
        d.fixed_positions = 1;
        d.mean_pool = 1;
        return sslh_vit(c, d);
    }
    if (!strcmp(name, "mlp")) {
        sslh_mlp_desc d = {0};
        d.in = data.height * data.width * data.channels;
        d.widths[0] = 512;
        d.widths[1] = 256;
        d.batch_norm = 1;
        d.last_activation = 1;
        return sslh_mlp(c, d);
    }
    if (!strcmp(name, "conv_gru")) {
        sslh_conv_gru_desc d = {0};
        d.width = d.context = smoke ? 16 : 128;
        return sslh_conv_gru(c, d);
    }
    sslh_fail(c, SSLH_E_USAGE, "--encoder %s: convnet, resnet18, resnet34, nin, vit, mlp or, for sound, conv_gru", name);
    return NULL;
}

static void evaluate(sslh_ctx *c, const settings *s, const char *name, sslh_net *encoder, sslh_data train,
                     sslh_data test) {
    stop_on_error(c); /* no numbers after an error */
    printf("%-12s", name);
    if (s->probe) {
        sslh_probe_desc p = {{0}, 0, 0, 0, 0};
        p.features.tap = encoder ? s->tap : NULL;
        printf("  linear probe %5.1f %%", 100 * (double)sslh_linear_probe(c, encoder, train, test, p));
    }
    if (s->knn) {
        sslh_knn_desc k = {{0}, 0, 0, 0, 0};
        k.features.tap = encoder ? s->tap : NULL;
        printf("  nearest neighbours %5.1f %%", 100 * (double)sslh_knn(c, encoder, train, test, k));
    }
    printf("\n");
    fflush(stdout);
}

/* An inner result that the encoder does not have is an error here already. */
static void check_tap(sslh_ctx *c, const settings *s, sslh_net *encoder, sslh_data data) {
    sslh_feature_desc f = {0};
    f.tap = s->tap;
    if (s->tap) {
        sslh_push(c);
        sslh_features(c, encoder, sslh_data_range(data, 0, 1), f);
        sslh_pop(c);
    }
}

static void draw(sslh_ctx *c, const options *o, sslh_net *encoder, sslh_data train, sslh_data test, const float *losses,
                 int epochs) {
    char path[1024];
    sslh_feature_desc f = {0};
    sslh_data some = sslh_data_range(test, 0, test.count < 1000 ? test.count : 1000);
    sslh_tensor *first = sslh_tensor_at(encoder, 0, NULL, 0, NULL), *x = sslh_features(c, encoder, some, f);
    sslh_loader_desc ld = {0};
    sslh_batch batch;
    ld.batch = 32;
    ld.in_order = 1;
    if (train.height && sslh_next_batch(sslh_loader_new(c, train, ld), &batch))
        sslh_picture_grid(c, out_path(o, path, sizeof path, "views.png"),
                          sslh_views(c, batch, SSLH_VIEWS_SIMCLR, 0), 8, 0);
    if (!sslh_error(c) && first->ndim == 4 && (first->shape[3] == 1 || first->shape[3] == 3))
        sslh_picture_filters(c, out_path(o, path, sizeof path, "filters.png"), first, 0);
    sslh_picture_scatter(c, out_path(o, path, sizeof path, "map_pca.png"), sslh_pca(c, x, 2), some.labels, some.classes,
                         NULL);
    if (epochs > 1)
        sslh_picture_curves(c, out_path(o, path, sizeof path, "loss.png"), losses, 1, epochs, NULL, "loss by epoch");
}

int main(int argc, char **argv) {
    options o;
    settings s;
    sslh_ctx *c;
    const sslh_method_info *info;
    float *losses = NULL;
    sslh_data train, test;
    sslh_net *encoder = NULL, *untrained = NULL;
    sslh_train_desc t = {0};
    char text[16384];
    int run;
    answer(argc, argv);
    o = options_parse(&argc, argv, "Pretraining without labels: train, resume, probe, export, draw.", whole_help());
    s = settings_parse(argc, argv, &o);
    c = options_create(&o);
    run = strcmp(s.method, "none") != 0;
    info = method_info(s.method);
    if (s.load) encoder = sslh_load_net(c, s.load);
    if (info && !strcmp(info->input, "colour images") && !o.data) o.data = "examples/data/colour";
    stop_on_error(c);
    if (info ? !strcmp(info->input, "sound") : encoder && !strcmp(sslh_net_query(encoder).name, "conv_gru"))
        load_sound(c, &o, &train, &test);
    else options_load(c, &o, &train, &test);
    if (!encoder && run && (!info || strcmp(info->encoder, "own") != 0))
        encoder = make_encoder(c, s.encoder, train, o.smoke);
    if (!encoder && !run) sslh_fail(c, SSLH_E_USAGE, "--method none needs --load");
    if (run && !sslh_error(c)) {
        sslh_method m = sslh_method_make(c, s.method, encoder, train, s.set);
        if (!sslh_error(c)) {
            encoder = m.encoder;
            untrained = sslh_clone(encoder);
            check_tap(c, &s, encoder, train); /* before the training, not after it */
            stop_on_error(c);
            sslh_method_print(&m, text, sizeof text);
            printf("%s\n", text);
            fflush(stdout);
            t.epochs = m.defaults.epochs ? m.defaults.epochs : 10;
            t.checkpoint = s.checkpoint;
            t.resume = s.resume;
            t.losses = losses = (float *)calloc((size_t)t.epochs, sizeof *losses);
            train_interruptible(c, m, train, t);
        }
    }
    stop_on_error(c);
    if (s.summary) {
        sslh_summary(encoder, train.height ? sslh_dim4(1, train.height, train.width, train.channels)
                                           : sslh_dim3(1, train.field[0].shape.size[0], 1), text, sizeof text);
        printf("%s", text);
    }
    if (s.probe || s.knn) {
        evaluate(c, &s, "raw pixels", NULL, train, test);
        if (untrained) evaluate(c, &s, "untrained", untrained, train, test);
        evaluate(c, &s, run ? s.method : "loaded", encoder, train, test);
    }
    if (s.features) {
        sslh_feature_desc f = {0};
        sslh_tensor *x;
        f.tap = s.tap;
        x = sslh_features(c, encoder, test, f);
        sslh_save_npy(c, s.features, sslh_shape_of(x), x->data);
    }
    if (s.save) sslh_save_net(encoder, s.save);
    if (s.draw) draw(c, &o, encoder, train, test, losses, run ? t.epochs : 0);
    free(losses);
    return finish(c);
}
