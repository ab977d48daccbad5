/* One command line for every method: train, resume, probe, export features and weights, draw.

     pretrain --method simclr --encoder resnet18 --data cifar10 --epochs 50 --checkpoint run.safetensors --resume
     pretrain --method simclr --settings paper --set temperature=0.1 --epochs 200 --probe
     pretrain --load encoder.safetensors --data cifar10 --probe --knn --features features.npy
     pretrain --method simclr --knn --inside out/inside --report out/run.html

   The program knows no method by name: names, fields and defaults come from sslh_methods, so a method that is added to
   ssl.h can be trained with it immediately. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include "inside.h"

static const char *const help =
    "  --method M     one of the methods below (default simclr); none: no training (the default with --load)\n"
    "  --set F=V,F=V  set fields of the method and of its training; --help M lists those of method M\n"
    "  --settings S   short: those that learn in minutes on small images (the default); paper: those of the authors\n"
    "  --methods      print the names of the methods, one on each line\n"
    "  --encoder E    convnet, dcgan, resnet18, resnet34, resnet50, convnext, nin, vit, mlp (default: vit where the\n"
    "                 method needs patches, else convnet; a method that makes its own encoder takes none)\n"
    "  --lr X         peak learning rate (default: the method's)    --epochs: default 10\n"
    "  --optimizer K  sgd, adam, adamw, lars    --weight-decay X\n"
    "  --crop X       smallest crop of the views, a share of the image from 0 to 1\n"
    "  --config F     read these options from a file, one on each line: \"lr 0.3\"; the command line overrides it\n"
    "  --checkpoint F save after every epoch, and at Ctrl-C, all that is needed to continue;  --resume  continues\n"
    "                 from the file if it exists;  --force  starts afresh although it exists\n"
    "  --dry-run      say what would be done and what it takes, and stop before the first step\n"
    "  --stream       read images from their files while training, for folders larger than the memory (with --size,\n"
    "                 where they are of several sizes);  --skip-broken  leaves out files that cannot be read\n"
    "                 (in training only: evaluations need every file)\n"
    "  --init F       start from weights of torchvision or timm (safetensors, .npz), without their classifier\n"
    "  --knn-every N  test nearest neighbours every N epochs if there are labels (default: every tenth of the run;\n"
    "                 0: never)\n"
    "  --load F       load an encoder saved with --save: to evaluate it, or to train it further with --method\n"
    "  --save F       save the encoder as safetensors (opens in PyTorch)\n"
    "  --onnx F       write the encoder as an ONNX graph, for images of the size that it was trained on\n"
    "  --features F   save the features of the test images as .npy, or as .csv with file names and labels\n"
    "  --predict F    save as .csv: file, label and predicted class of each test image, by the votes of the nearest\n"
    "                 training images\n"
    "  --probe --knn  evaluate raw pixels, the untrained and the trained encoder by a linear probe and by nearest\n"
    "                 neighbours;  --tap NAME  of an intermediate result instead of the output\n"
    "  --finetune     evaluate by training encoder and a linear classifier with labels\n"
    "  --fraction X   the share of the training labels that evaluations use (default 1)\n"
    "  --summary      print layers, shapes, parameters, multiply-adds\n"
    "  --draw         draw the views, nearest neighbours, the first filters, a map of the features and the loss, into\n"
    "                 the folder of --out\n"
    "  --inside DIR   draw into this folder what the encoder looks at: saliency, Grad-CAM or attention, occlusion;\n"
    "                 the first filters, maps of images, neighbours (docs/inside.md)\n"
    "  --report F     save the run as one HTML page: settings, curves, results, and the pictures of --inside (which\n"
    "                 go to the folder inside in that of --out unless it is given)\n";

typedef struct settings {
    const char *method, *encoder, *checkpoint, *load, *save, *onnx, *features, *tap, *init, *inside, *report;
    char set[2048]; /* the text for sslh_method_make: all of --set, then --epochs, --batch, --lr */
    int resume, probe, knn, draw, summary, force, dry_run, knn_every, finetune, stream, skip_broken;
    const char *predict;
    float crop, fraction;
    char results[4096]; /* the lines of evaluations, for --report */
} settings;

/* The row of a method in ssl.h's list, or NULL. */
static const sslh_method_info *method_info(const char *name) {
    const sslh_method_info *m;
    for (m = sslh_methods(NULL); m->name; m++) if (!strcmp(m->name, name)) return m;
    return NULL;
}

/* Learns from images or sound: for text this program has no tokenizer, for clips there is examples/images/video.c. */
static int on_files(const sslh_method_info *m) {
    return m->make && strcmp(m->input, "text") != 0 && strcmp(m->input, "histories") != 0 &&
           strcmp(m->input, "captioned images") != 0 && strcmp(m->input, "clips") != 0;
}

/* --methods, and --help followed by the name of a method: answered before anything else is read. */
static void answer(int argc, char **argv) {
    const sslh_method_info *m;
    int i;
    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--methods")) {
            for (m = sslh_methods(NULL); m->name; m++) if (on_files(m)) printf("%s\n", m->name);
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
            printf("%s: %s\n%s: \"%s\", %s\ninput: %s; encoder: %s; numbers beside the loss:", m->title, m->learns_by,
                   m->authors, m->paper, m->venue, m->input, m->encoder);
            for (i = 0; i < 8 && m->numbers[i]; i++) printf("%s %s", i ? "," : "", m->numbers[i]);
            printf("\n\nfields for --set: name, default, what is allowed; then those of its training\n%s", text);
            if (m->paper_training[0]) printf("\n--settings paper: %s\n", m->paper_training);
            exit(0);
        }
    }
}

/* The help above and a line for each method. */
static const char *whole_help(void) {
    static char text[8192];
    const sslh_method_info *m;
    size_t used = (size_t)snprintf(text, sizeof text, "%s", help);
    for (m = sslh_methods(NULL); m->name && used < sizeof text; m++) {
        if (!on_files(m)) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "  %-14s %s (%s %d): %s\n", m->name, m->title,
                                 m->authors, m->year, m->learns_by);
    }
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

/* Options that make no sense together are errors: one that was ignored would be believed. trains: there are settings
   of a training. */
static void check_sense(const settings *s, int trains) {
    const int none = !strcmp(s->method, "none");
    const char *why =
        s->resume && !s->checkpoint ? "--resume needs --checkpoint, the file to go on from"
        : s->force && !s->checkpoint ? "--force needs --checkpoint, the file to begin anew"
        : s->force && s->resume ? "--force begins anew and --resume goes on: only one of them"
        : s->load && s->encoder ? "--load brings its encoder: leave --encoder out"
        : s->load && s->init ? "--load and --init both bring weights: only one of them"
        : s->init && s->resume ? "--resume brings the weights of the run: leave --init out"
        : none && s->checkpoint ? "--checkpoint belongs to a training: name its --method"
        : none && trains ? "--set, --epochs, --batch and --lr belong to a training: name its --method"
        : none && s->dry_run ? "--dry-run tells of a training: name its --method"
        : none && s->init ? "--init begins a training: name its --method"
        : s->skip_broken && !s->stream ? "--skip-broken needs --stream: else every file is read at the beginning"
        : s->tap && !s->probe && !s->knn && !s->features ? "--tap needs --probe, --knn or --features" : NULL;
    if (!why) return;
    fprintf(stderr, "%s\n", why);
    exit(2);
}

/* --crop: the method's own recipe of views by its name, with another smallest crop. */
static void settings_crop(settings *s, const sslh_method_info *m) {
    char text[64];
    int i;
    if (s->crop == 0.0f) return;
    for (i = 0; m && i < m->settings_count; i++) {
        if (m->settings[i].kind != SSLH_SETTING_RECIPE || strstr(s->set, "views=")) continue;
        if (!strcmp(m->settings[i].standard, "auto")) break;
        snprintf(text, sizeof text, "%s=%s:%g", m->settings[i].name, m->settings[i].standard, (double)s->crop);
        set_more(s, "", text);
        return;
    }
    fprintf(stderr, "--crop: the views of the method %s have no name to which a crop could be added; where it has "
                    "views, name them: --set views=simclr:%g\n", s->method, (double)s->crop);
    exit(2);
}

/* --config FILE: its lines, "name value" or "--name value", become options before those of the command line; # begins a
   comment. What this makes stays until the program ends. */
static void config_read(int *argc, char ***argv) {
    static char text[65536], *all[4096];
    char *line, *next;
    const char *path = NULL;
    FILE *f;
    size_t size;
    int i, n = 1;
    for (i = 1; i < *argc && !path; i++) path = option_value(*argc, *argv, &i, "--config");
    if (!path) return;
    f = fopen(path, "rb");
    size = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (!f || !feof(f)) {
        fprintf(stderr, "--config %s: %s\n", path, f ? "more than 65535 bytes" : "this file cannot be read");
        exit(2);
    }
    fclose(f);
    text[size] = 0;
    all[0] = (*argv)[0];
    for (line = text; line && n < 2000; line = next) {
        char *name, *value;
        next = strpbrk(line, "\r\n");
        if (next) *next++ = 0;
        if (strchr(line, '#')) *strchr(line, '#') = 0;
        for (name = line + strspn(line, " \t"), value = name + strlen(name); value > name && strchr(" \t", value[-1]);)
            *--value = 0;
        if (!*name) continue;
        value = name + strcspn(name, " \t=");
        if (*value) *value++ = 0;
        value += strspn(value, " \t=");
        all[n] = (char *)malloc(strlen(name) + 3);
        if (!all[n]) exit(1);
        sprintf(all[n++], "%s%s", name[0] == '-' ? "" : "--", name);
        if (*value) all[n++] = value;
    }
    for (i = 1; i < *argc && n < 4095; i++) {
        if (option_value(*argc, *argv, &i, "--config")) continue;
        all[n++] = (*argv)[i];
    }
    *argc = n;
    *argv = all;
}

static settings settings_parse(int argc, char **argv, const options *o) {
    settings s;
    const sslh_method_info *m;
    const char *lr = NULL;
    int i;
    const own_option own[] = {
        {"--method", OPTION_TEXT, &s.method}, {"--encoder", OPTION_TEXT, &s.encoder},
        {"--checkpoint", OPTION_TEXT, &s.checkpoint}, {"--load", OPTION_TEXT, &s.load},
        {"--save", OPTION_TEXT, &s.save}, {"--onnx", OPTION_TEXT, &s.onnx},
        {"--features", OPTION_TEXT, &s.features}, {"--tap", OPTION_TEXT, &s.tap},
        {"--lr", OPTION_TEXT, &lr}, {"--init", OPTION_TEXT, &s.init}, {"--predict", OPTION_TEXT, &s.predict},
        {"--knn-every", OPTION_NUMBER, &s.knn_every}, {"--crop", OPTION_SHARE, &s.crop},
        {"--fraction", OPTION_SHARE, &s.fraction}, {"--resume", OPTION_FLAG, &s.resume},
        {"--stream", OPTION_FLAG, &s.stream}, {"--skip-broken", OPTION_FLAG, &s.skip_broken},
        {"--force", OPTION_FLAG, &s.force}, {"--dry-run", OPTION_FLAG, &s.dry_run}, {"--probe", OPTION_FLAG, &s.probe},
        {"--knn", OPTION_FLAG, &s.knn}, {"--finetune", OPTION_FLAG, &s.finetune}, {"--draw", OPTION_FLAG, &s.draw},
        {"--summary", OPTION_FLAG, &s.summary}, {"--inside", OPTION_TEXT, &s.inside},
        {"--report", OPTION_TEXT, &s.report}, {0}};
    memset(&s, 0, sizeof s);
    s.knn_every = -1;
    if (o->smoke) set_more(&s, "", "epochs=1,batch=64");
    for (i = 1; i < argc; i++) {
        const char *v;
        if (option_own(own, argc, argv, &i)) continue;
        else if ((v = option_value(argc, argv, &i, "--set")) != NULL) set_more(&s, "", v);
        else if ((v = option_value(argc, argv, &i, "--settings")) != NULL) set_more(&s, "settings=", v);
        else if ((v = option_value(argc, argv, &i, "--optimizer")) != NULL) set_more(&s, "optimizer=", v);
        else if ((v = option_value(argc, argv, &i, "--weight-decay")) != NULL) set_more(&s, "weight_decay=", v);
        else option_unknown(argv[i]);
    }
    if (o->epochs) set_number(&s, "epochs=", o->epochs);
    if (o->batch) set_number(&s, "batch=", o->batch);
    if (lr) set_more(&s, "lr=", lr);
    if (!s.method) s.method = s.load ? "none" : "simclr";
    check_sense(&s, s.set[o->smoke ? strlen("epochs=1,batch=64") : 0] != 0);
    m = method_info(s.method);
    if (m && !strcmp(m->encoder, "own") && (s.encoder || s.load)) {
        fprintf(stderr, "--method %s makes its own encoder: leave --encoder and --load out\n", s.method);
        exit(2);
    }
    settings_crop(&s, m);
    if (!s.encoder)
        s.encoder = m && (!strcmp(m->encoder, "vit") || !strcmp(m->encoder, "conv_gru")) ? m->encoder : "convnet";
    return s;
}

/* For methods that listen: clips called LABEL_SPEAKER_NUMBER.wav, a tenth of each label for the test. */
static void load_sound(sslh_ctx *c, const options *o, sslh_data *train, sslh_data *test) {
    sslh_audio_desc a = {0};
    sslh_split_desc d = {0};
    sslh_split parts;
    sslh_data all;
    options_without_images(o);
    a.labels = "label_speaker_*";
    a.loudness = 1; /* about the size that the initial weights are made for */
    all = sslh_load_audio(c, o->data ? o->data : "examples/data/speech", a);
    stop_on_error(c);
    if (o->smoke) all = some_of(all, all.count / 3, o->seed);
    d.test = 0.1f;
    d.seed = o->seed;
    parts = sslh_data_split(all, d);
    *train = parts.train;
    *test = parts.test;
    stop_on_error(c);
    printf("%ld clips to learn from, %ld held out: a tenth of each label, drawn by --seed %lu\n", (long)train->count,
           (long)test->count, o->seed);
}

/* Size number k of a tensor in an archive (.npz), or from the header of a safetensors file; 0: there is none. */
static int size_in_file(sslh_ctx *c, const char *path, const char *name, int k) {
    static char head[1 << 20];
    size_t n = strlen(path), i;
    char key[80], full[1200], *at;
    FILE *f;
    if (n > 4 && !strcmp(path + n - 4, ".npz") && !sslh_error(c)) {
        sslh_tensor *t;
        snprintf(full, sizeof full, "%s:%s", path, name);
        t = sslh_load_npy(c, full);
        i = (size_t)(!sslh_error(c) && k < t->ndim ? t->shape[k] : 0);
        sslh_clear_error(c); /* no such array, or no archive, which loading will say */
        return (int)i;
    }
    f = fopen(path, "rb");
    n = f ? fread(head, 1, sizeof head - 1, f) : 0;
    if (f) fclose(f);
    head[n] = 0;
    for (i = 0; i < n; i++) if (!head[i]) head[i] = ' '; /* the length before it, numbers behind it */
    snprintf(key, sizeof key, "\"%s\"", name);
    at = strstr(head, key);
    at = at ? strstr(at, "\"shape\":") : NULL;
    at = at ? strchr(at, '[') : NULL;
    for (; at && k > 0; k--) at = strpbrk(at + 1, ",]");
    return at ? (int)strtol(at + 1, NULL, 10) : 0;
}

/* map: its output is a map, where it can be; alone: no batch norm, for methods in which samples must not meet. */
static sslh_net *make_encoder(sslh_ctx *c, const char *name, sslh_data data, int smoke, int map, int alone,
                              int stem) {
    if (!strcmp(name, "convnet")) {
        sslh_convnet_desc d = {0};
        d.channels = data.channels;
        d.map_output = map;
        d.norm = alone;
        return sslh_convnet(c, d);
    }
    if (!strcmp(name, "dcgan")) { /* its discriminator, judging all places of the last map */
        sslh_convnet_desc d = {0};
        int i, side = data.height < data.width ? data.height : data.width;
        d.channels = data.channels;
        for (i = 0; i < 5 && side >= 8; i++, side /= 2) d.widths[i] = 32 << i;
        d.dcgan = 1;
        d.map_output = 1;
        return sslh_convnet(c, d);
    }
    if (!strcmp(name, "resnet18") || !strcmp(name, "resnet34") || !strcmp(name, "resnet50")) {
        sslh_resnet_desc d = {0};
        d.channels = data.channels;
        d.depth = atoi(name + 6);
        d.width = smoke ? 16 : 64;
        d.map_output = map;
        d.imagenet_stem = stem == 7;
        return sslh_resnet(c, d);
    }
    if (!strcmp(name, "convnext")) { /* tiny, or a small one that sees small images at half their side */
        sslh_convnext_desc d = {0};
        d.channels = data.channels;
        d.stem = data.height < 96 ? 2 : 4;
        d.map_output = map;
        if (smoke) d.depths[0] = d.depths[1] = 1, d.widths[0] = 16, d.widths[1] = 32;
        return sslh_convnext(c, d);
    }
    if (!strcmp(name, "nin")) {
        sslh_nin_desc d = {0};
        d.channels = data.channels;
        d.divide = smoke ? 4 : 1;
        d.map_output = map;
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
    sslh_fail(c, SSLH_E_USAGE,
              "--encoder %s: convnet, dcgan, resnet18, resnet34, resnet50, convnext, nin, vit, mlp or, for sound, "
              "conv_gru", name);
    return NULL;
}

/* Adds to the line of an evaluation, which --report keeps too. */
static void say_result(settings *s, const char *format, const char *text, double number) {
    const size_t n = strlen(s->results);
    snprintf(s->results + n, sizeof s->results - n, format, text, number);
    printf("%s", s->results + n);
    fflush(stdout);
}
static void evaluate(sslh_ctx *c, settings *s, const char *name, sslh_net *encoder, sslh_data train, sslh_data test) {
    stop_on_error(c); /* no numbers after an error */
    say_result(s, "%-12s", name, 0);
    if (s->probe) {
        sslh_probe_desc p = {{0}, 0, 0, 0, 0};
        p.features.tap = encoder ? s->tap : NULL;
        p.fraction = s->fraction;
        say_result(s, "  %s %5.1f %%", "linear probe", 100 * (double)sslh_linear_probe(c, encoder, train, test, p));
    }
    if (s->knn) {
        sslh_knn_desc k = {{0}, 0, 0, 0, 0};
        k.features.tap = encoder ? s->tap : NULL;
        k.fraction = s->fraction;
        say_result(s, "  %s %5.1f %%", "nearest neighbours", 100 * (double)sslh_knn(c, encoder, train, test, k));
    }
    if (s->finetune && encoder) {
        sslh_finetune_desc f = {0};
        f.fraction = s->fraction;
        say_result(s, "  %s %5.1f %%", "fine-tuned", 100 * (double)sslh_finetune(c, encoder, train, test, f));
    }
    say_result(s, "%s\n", "", 0);
}

/* An intermediate result that the encoder does not have is an error already here. */
static void check_tap(sslh_ctx *c, const settings *s, sslh_net *encoder, sslh_data data) {
    sslh_feature_desc f = {0};
    f.tap = s->tap;
    if (s->tap) {
        sslh_push(c);
        sslh_features(c, encoder, sslh_data_range(data, 0, 1), f);
        sslh_pop(c);
    }
}

/* --features FILE: .npy, or a table with a line for each test image. */
static void save_features(sslh_ctx *c, const settings *s, sslh_net *encoder, sslh_data test) {
    size_t n = strlen(s->features), i, k;
    sslh_feature_desc d = {0};
    sslh_tensor *x;
    FILE *f;
    d.tap = s->tap;
    x = sslh_features(c, encoder, test, d); /* (count,D) */
    if (n < 4 || strcmp(s->features + n - 4, ".csv") != 0) {
        sslh_save_npy(c, s->features, sslh_shape_of(x), x->data);
        return;
    }
    if ((f = csv_open(c, s->features)) == NULL) return;
    fprintf(f, "file,label");
    for (k = 0; k < (size_t)x->shape[1]; k++) fprintf(f, ",f%d", (int)k);
    for (i = 0; i < (size_t)test.count; i++) {
        fprintf(f, "\n");
        csv_begin(f, test, (int64_t)i);
        for (k = 0; k < (size_t)x->shape[1]; k++) fprintf(f, ",%.9g", (double)x->data[i * (size_t)x->shape[1] + k]);
    }
    fprintf(f, "\n");
    csv_close(c, s->features, f);
}

/* --predict FILE: each test image gets the class for which its nearest training images vote (equally; of the classes
   with most votes that of the nearest). */
static void save_predictions(sslh_ctx *c, const settings *s, sslh_net *encoder, sslh_data train, sslh_data test) {
    enum { VOTES = 20 };
    sslh_feature_desc d = {0};
    sslh_tensor *known, *asked, *cosine;
    int64_t i, j, right = 0;
    int v, best, votes[VOTES], voters = (int)(train.count < VOTES ? train.count : VOTES);
    FILE *f;
    if (!train.labels)
        sslh_fail(c, SSLH_E_USAGE, "--predict needs training images with labels: a folder for each class");
    d.tap = s->tap;
    known = sslh_l2_normalize(c, sslh_features(c, encoder, train, d), 0); /* (count,D) */
    asked = sslh_l2_normalize(c, sslh_features(c, encoder, test, d), 0);  /* (count,D) */
    if ((f = csv_open(c, s->predict)) == NULL) return;
    fprintf(f, "file,label,predicted,votes\n");
    for (i = 0; i < test.count && !sslh_error(c); i++) {
        int top = 0;
        sslh_push(c);
        cosine = sslh_matmul_ex(c, sslh_slice(c, asked, 0, (int)i, (int)i + 1), known, 0, 1); /* (1,count) */
        for (v = 0; v < voters && !sslh_error(c); v++) {
            for (best = 0, j = 1; j < train.count; j++)
                if (cosine->data[j] > cosine->data[best]) best = (int)j;
            cosine->data[best] = -2; /* taken */
            votes[v] = (int)train.labels[best];
        }
        sslh_pop(c);
        for (best = 0, v = 0; v < voters; v++) {
            int same = 0, k;
            for (k = 0; k < voters; k++) same += votes[k] == votes[v];
            if (same > top) top = same, best = votes[v];
        }
        csv_begin(f, test, i);
        fputc(',', f);
        csv_name(f, train.class_names ? train.class_names[best] : NULL, best);
        fprintf(f, ",%d\n", top);
        right += test.labels && (int)test.labels[i] == best;
    }
    csv_close(c, s->predict, f);
    if (test.labels && !sslh_error(c))
        printf("%s: %.1f %% of %ld test images\n", s->predict, 100 * (double)right / (double)test.count,
               (long)test.count);
}

static void draw(sslh_ctx *c, const options *o, sslh_net *encoder, sslh_data train, sslh_data test, const float *losses,
                 int epochs) {
    char path[1024];
    sslh_feature_desc f = {0};
    sslh_data some = some_of(test, 1000, o->seed);
    sslh_tensor *first = sslh_tensor_at(encoder, 0, NULL, 0, NULL), *x = sslh_features(c, encoder, some, f);
    sslh_plot_desc map = {0}, curve = {0};
    if (train.height) {
        picture_views(c, train, SSLH_VIEWS_SIMCLR, out_path(o, path, sizeof path, "views.png"), "Images and views");
        picture_neighbours(c, encoder, train, test, out_path(o, path, sizeof path, "neighbours.png"), "Neighbours");
    }
    if (!sslh_error(c) && first->ndim == 4 && (first->shape[3] == 1 || first->shape[3] == 3))
        sslh_picture_filters(c, out_path(o, path, sizeof path, "filters.png"), first, 0);
    map.title = "Features of test images";
    map.x = "first principal component";
    map.y = "second principal component";
    map.names = some.class_names;
    sslh_picture_scatter_ex(c, out_path(o, path, sizeof path, "map_pca.png"), sslh_pca(c, x, 2), some.labels,
                            some.classes, map);
    curve.title = "Pretraining";
    curve.x = "epoch";
    curve.y = "loss, mean of the epoch";
    if (epochs > 1) sslh_picture_curves_ex(c, out_path(o, path, sizeof path, "loss.png"), losses, 1, epochs, curve);
}

/* --inside and --report. */
static void look_inside(sslh_ctx *c, const options *o, const settings *s, sslh_net *encoder, sslh_data train,
                        sslh_data test, int trained) {
    char path[1024];
    const char *folder = s->inside ? s->inside : out_path(o, path, sizeof path, "inside");
    if (train.height) draw_inside(c, folder, encoder, train, test, o->seed);
    if (s->report && !sslh_error(c)) /* of sound there are no pictures, but another run may have left some */
        write_report(c, s->report, trained ? o->out : NULL, train.height ? folder : NULL, s->results);
}

/* --- before the first step ---------------------------------------------------------------------------------------- */

/* Whatever will be written can be written, and no run is overwritten by mistake. */
static void check_outputs(sslh_ctx *c, const options *o, const settings *s) {
    char path[1024];
    check_output(c, "--save", s->save);
    check_output(c, "--onnx", s->onnx);
    check_output(c, "--features", s->features);
    check_output(c, "--report", s->report);
    check_output(c, "--out: file", out_path(o, path, sizeof path, "log.csv"));
    if (s->checkpoint && file_exists(s->checkpoint) && !s->resume && !s->force)
        sslh_fail(c, SSLH_E_USAGE, "--checkpoint %s: there is a run in it: --resume goes on with it, --force begins "
                  "anew", s->checkpoint);
}

/* --init: every tensor of the encoder has to be in the file; of what else is there, only a classifier is left out. A
   classifier of 1,000 classes, or a name with imagenet or in1k in it, says ImageNet, whose mean and deviation such nets
   were made with. */
static void init_encoder(sslh_ctx *c, const settings *s, sslh_net *encoder) {
    static const char *const heads[] = {"fc.", "head.", "classifier."};
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    static char report[1 << 16];
    char *at, *name;
    int imagenet = strstr(s->init, "imagenet") || strstr(s->init, "IMAGENET") || strstr(s->init, "in1k");
    int k, read, left = 0;
    sslh_load_desc d = {0};
    d.partial = 1;
    d.report = report;
    d.report_size = sizeof report;
    read = sslh_load_weights(encoder, s->init, d);
    stop_on_error(c);
    at = strstr(report, "missing ");
    if (at && strtol(at + 8, NULL, 10) != 0) {
        sslh_fail(c, SSLH_E_FORMAT, "--init %s: not the weights of this encoder: %.200s", s->init, at);
        return;
    }
    at = strstr(report, "unexpected ");
    at = at ? strchr(at, ':') : NULL;
    for (name = at && strchr(at, '\n') ? strtok(at + 1, ", \n") : NULL; name; name = strtok(NULL, ", \n")) {
        char full[80];
        if (!strcmp(name, "wrong")) break; /* the next line of the report */
        for (k = 0; k < 3 && strncmp(name, heads[k], strlen(heads[k])) != 0; k++) {}
        if (k == 3) {
            sslh_fail(c, SSLH_E_FORMAT, "--init %s: '%.100s' is no part of this encoder (--encoder)", s->init, name);
            return;
        }
        snprintf(full, sizeof full, "%sweight", heads[k]);
        if (size_in_file(c, s->init, full, 0) == 1000) imagenet = 1;
        left++;
    }
    printf("--init %s: %d tensors read", s->init, read);
    if (left) printf(", %d of a classifier left out", left);
    if (imagenet && sslh_net_query(encoder).channels == 3) {
        sslh_preprocess p = sslh_get_preprocess(encoder);
        memcpy(p.mean, mean, sizeof mean);
        memcpy(p.std, std, sizeof std);
        sslh_set_preprocess(encoder, p);
        printf("; mean and deviation of ImageNet");
    }
    printf("\n");
}

/* What a step takes: a few of them, made in a context of their own, so that the run has the same bits with it and
   without. */
enum { TRIED = 3 };
typedef struct cost { double seconds, first; size_t bytes; } cost;
static int note_cost(const sslh_train_info *t, void *user) {
    cost *k = (cost *)user;
    if (t->epoch_end) return 0;
    if (t->step == 1) k->first = t->seconds; /* memory grows in it */
    else k->seconds = (t->seconds - k->first) / (double)(t->step - 1);
    return 0;
}
static cost try_steps(const options *o, const settings *s, sslh_net *encoder, sslh_data data, int batch) {
    sslh_ctx *c = options_create(o);
    sslh_train_desc t = {0};
    sslh_net *net = encoder ? sslh_clone_into(c, encoder) : NULL;
    sslh_method m;
    cost k = {0, 0, 0};
    sslh_data few = data;
    few.ctx = c; /* the values are only read */
    m = sslh_method_make(c, s->method, net, few, s->set);
    t.epochs = 4;
    t.max_steps = TRIED;
    t.batch = batch;
    t.quiet = 1;
    t.no_ahead = 1;
    t.callback = note_cost;
    t.user = &k;
    sslh_train(c, m, few, t);
    k.bytes = sslh_error(c) ? 0 : sslh_query(c).peak;
    if (k.seconds <= 0) k.seconds = k.first;
    sslh_destroy(c);
    return k;
}

static void say_time(FILE *f, double seconds) {
    if (seconds < 120) fprintf(f, "%.0f s", seconds);
    else if (seconds < 7200) fprintf(f, "%.0f min", seconds / 60);
    else fprintf(f, "%.1f h", seconds / 3600);
}

/* What will really be done: on the screen, and in out/run.txt with the command. */
static void say_run(FILE *f, const options *o, const settings *s, const sslh_method *m, sslh_data train, sslh_data test,
                    const cost *k, int epochs, int batch, const char *text) {
    const double held = (double)sslh_query(m->ctx).bytes;
    int64_t steps = train.count / batch;
    if (steps < 1) steps = 1;
    fprintf(f, "data       %ld to train, %ld to test", (long)train.count, (long)test.count);
    if (train.height) fprintf(f, ", of %d x %d x %d", train.height, train.width, train.channels);
    else fprintf(f, ", of %d samples of sound", train.field[0].shape.size[0]);
    if (train.labels) fprintf(f, "; %d classes, which training does not see", train.classes);
    fprintf(f, "\nencoder    %s, %ld parameters; with what the method adds %ld\n", sslh_net_query(m->encoder).name,
            (long)sslh_net_query(m->encoder).params, (long)sslh_net_query(m->net).params);
    fprintf(f, "steps      %ld = %d epochs of %ld, batches of %d", (long)(steps * epochs), epochs, (long)steps,
            (int)(batch < train.count ? batch : train.count));
    if (batch > train.count) fprintf(f, " (%d were asked for, there are no more)", batch);
    fprintf(f, "\nmethod     %s\n", text);
    if (k->bytes) {
        fprintf(f, "estimated  %.0f MB of memory (measured: %.0f MB for steps, %.0f MB for data and nets)\n",
                ((double)k->bytes + held) / 1e6, (double)k->bytes / 1e6, held / 1e6);
        fprintf(f, "estimated  ");
        say_time(f, k->seconds * (double)steps);
        fprintf(f, " for each epoch, ");
        say_time(f, k->seconds * (double)(steps * epochs));
        fprintf(f, " in all (measured: %d steps, with %d threads)\n", TRIED, sslh_query(m->ctx).threads);
    }
    fprintf(f, "seed       %lu\n", o->seed);
    if (s->checkpoint) fprintf(f, "checkpoint %s\n", s->checkpoint);
}
static void before_training(const options *o, const settings *s, const sslh_method *m, sslh_data train, sslh_data test,
                            int argc, char **argv) {
    const int epochs = m->defaults.epochs ? m->defaults.epochs : 10;
    const int batch = m->defaults.batch ? m->defaults.batch : 256;
    cost k = try_steps(o, s, !strcmp(m->info->encoder, "own") ? NULL : m->encoder, train, batch);
    char path[1024], text[8192];
    FILE *f;
    int i;
    sslh_method_print(m, text, sizeof text);
    say_run(stdout, o, s, m, train, test, &k, epochs, batch, text);
    fflush(stdout);
    f = fopen(out_path(o, path, sizeof path, "run.txt"), "w");
    if (!f) return; /* check_outputs has looked */
    fprintf(f, "command   ");
    for (i = 0; i < argc; i++) fprintf(f, " %s", argv[i]);
    fprintf(f, "\nssl.h      %s, %s\n", SSLH_VERSION, sslh_query(m->ctx).cpu);
    say_run(f, o, s, m, train, test, &k, epochs, batch, text);
    fclose(f);
}

/* --- while it trains ---------------------------------------------------------------------------------------------- */

/* out/log.csv has a line for each epoch. Every few epochs the nearest neighbours of some test images among some
   training images tell whether the features become better. */
typedef struct watch { FILE *log; sslh_data train, test; int every; } watch;
static int watch_epoch(const sslh_train_info *t, void *user) {
    watch *w = (watch *)user;
    float knn = -1;
    int i;
    if (!t->epoch_end) return interrupts;
    if (w->every && w->train.labels && w->test.labels && (t->epoch + 1) % w->every == 0) {
        sslh_knn_desc k = {{0}, 0, 0, 0, 0};
        knn = sslh_knn(t->ctx, t->method->encoder, w->train, w->test, k);
        fprintf(stderr, "%sepoch %d  nearest neighbours %.1f %% of %d\n", t->step == t->steps ? "" : "\n", t->epoch + 1,
                100 * (double)knn, (int)w->test.count);
    }
    if (w->log) {
        fprintf(w->log, "%d,%ld,%.6g,", t->epoch + 1, (long)t->step, (double)t->loss);
        for (i = 0; i < 8 && t->numbers[i].name[0]; i++) fprintf(w->log, "%.6g,", (double)t->numbers[i].value);
        fprintf(w->log, "%.6g,%.1f,", (double)t->lr, t->seconds);
        if (knn >= 0) fprintf(w->log, "%.4f", (double)knn);
        fprintf(w->log, "\n");
        fflush(w->log);
    }
    return interrupts;
}
static void train_watched(sslh_ctx *c, const options *o, const settings *s, sslh_method m, sslh_data train,
                          sslh_data test, sslh_train_desc t) {
    watch w;
    char path[1024], text[8192];
    int fresh, i;
    /* an evaluation leaves nothing out: it would end a run that may */
    w.every = s->knn_every >= 0 ? s->knn_every : s->skip_broken ? 0 : (t.epochs + 9) / 10;
    w.train = some_of(train, 5000, o->seed);
    w.test = some_of(test, 1000, o->seed);
    out_path(o, path, sizeof path, "log.csv");
    fresh = !s->resume || !file_exists(path);
    w.log = fopen(path, fresh ? "w" : "a");
    if (w.log && fresh) {
        fprintf(w.log, "epoch,step,loss,");
        for (i = 0; i < 8 && m.numbers[i].name && m.numbers[i].name[0]; i++) fprintf(w.log, "%s,", m.numbers[i].name);
        fprintf(w.log, "rate,seconds,nearest_neighbours\n");
    }
    t.callback = watch_epoch;
    t.user = &w;
    train_interruptible(c, m, train, t);
    if (w.log) fclose(w.log);
    stop_on_error(c);
    sslh_method_print(&m, text, sizeof text);
    printf("trained with %s, --seed %lu\npeak memory %.0f MB\n", text, o->seed, (double)sslh_query(c).peak / 1e6);
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
    int run, all = argc;
    char **words = (char **)malloc((size_t)argc * sizeof *words);
    if (!words) return 1;
    memcpy(words, argv, (size_t)argc * sizeof *words); /* for run.txt: options are taken out of argv */
    answer(argc, argv);
    config_read(&argc, &argv);
    o = options_parse(&argc, argv, "Pretraining without labels: train, resume, probe, export, draw.", whole_help());
    s = settings_parse(argc, argv, &o);
    o.stream = s.stream + s.skip_broken;
    c = options_create(&o);
    run = strcmp(s.method, "none") != 0;
    info = method_info(s.method);
    check_outputs(c, &o, &s);
    if (s.load) encoder = sslh_load_net(c, s.load);
    if (info && !strcmp(info->input, "colour images") && !o.data) o.data = "examples/data/colour";
    stop_on_error(c);
    if (info ? !strcmp(info->input, "sound") : encoder && !strcmp(sslh_net_query(encoder).name, "conv_gru"))
        load_sound(c, &o, &train, &test);
    else options_load(c, &o, &train, &test);
    if (!encoder && run && (!info || strcmp(info->encoder, "own") != 0))
        encoder = make_encoder(c, s.encoder, train, o.smoke && !s.init, info && !strcmp(info->encoder, "map"),
                               info && !strcmp(info->encoder, "no_batch_norm"),
                               s.init ? size_in_file(c, s.init, "conv1.weight", 3) : 0);
    if (s.init && encoder && !sslh_error(c)) init_encoder(c, &s, encoder);
    if (!encoder && !run) sslh_fail(c, SSLH_E_USAGE, "--method none needs --load");
    if (run && !sslh_error(c)) {
        sslh_method m = sslh_method_make(c, s.method, encoder, train, s.set);
        if (!sslh_error(c)) {
            encoder = m.encoder;
            untrained = sslh_clone(encoder);
            check_tap(c, &s, encoder, train); /* before the training, not after it */
            stop_on_error(c);
            before_training(&o, &s, &m, train, test, all, words);
            if (s.dry_run) {
                free(words);
                return finish(c);
            }
            t.epochs = m.defaults.epochs ? m.defaults.epochs : 10;
            t.checkpoint = s.checkpoint;
            t.resume = s.resume;
            t.losses = losses = (float *)calloc((size_t)t.epochs, sizeof *losses);
            train_watched(c, &o, &s, m, train, test, t);
            same_images(untrained, encoder);
        }
    }
    stop_on_error(c);
    if (s.summary) {
        sslh_summary(encoder, train.height ? sslh_dim4(1, train.height, train.width, train.channels)
                                           : sslh_dim3(1, train.field[0].shape.size[0], 1), text, sizeof text);
        printf("%s", text);
    }
    if (s.probe || s.knn || s.finetune) {
        if (s.probe || s.knn) evaluate(c, &s, "raw pixels", NULL, train, test);
        if (untrained) evaluate(c, &s, "untrained", untrained, train, test);
        evaluate(c, &s, run ? s.method : "loaded", encoder, train, test);
    }
    if (s.features) save_features(c, &s, encoder, test);
    if (s.predict) save_predictions(c, &s, encoder, train, test);
    if (s.save) sslh_save_net(encoder, s.save);
    if (s.onnx) sslh_export_onnx(encoder, s.onnx, (sslh_onnx_desc){ 0 });
    if (s.draw) draw(c, &o, encoder, train, test, losses, run ? t.epochs : 0);
    if (s.inside || s.report) look_inside(c, &o, &s, encoder, train, test, run);
    free(losses);
    free(words);
    return finish(c);
}
