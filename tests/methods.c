/* Two whole training steps of each method (views given, loss, backward, update) against PyTorch
   (tests/golden/make_methods.py), and the properties that a method keeps. `methods --list` prints parameters and draws
   for the recorder. */
#include "../ssl.h"
#include "harness.h"
#include "golden/methods.h"

static uint32_t seed_of(const char *kind, const char *name) {
    uint32_t h = 2166136261u;
    const char *s;
    for (s = kind; *s; s++) h = (h ^ (uint32_t)(unsigned char)*s) * 16777619u;
    for (s = name; *s; s++) h = (h ^ (uint32_t)(unsigned char)*s) * 16777619u;
    return h * 16777619u;
}
static uint32_t draw20(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 12;
}
static float draw(uint32_t *state) { return (float)((int)(2 * draw20(state) + 1) - 1048576) / 1048576.0f; }

static int ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}
/* Gives every parameter (and fixed positions) values that the recorder repeats from name and shape. */
static void set_values(sslh_net *net) {
    static float v[1 << 16];
    int i, n = sslh_count_tensors(net);
    for (i = 0; i < n; i++) {
        char name[256];
        int is_param = 0;
        sslh_tensor *t = sslh_tensor_at(net, i, name, sizeof name, &is_param);
        uint32_t s = seed_of("param ", name);
        size_t q;
        int fan, root = 1;
        if (!is_param && !ends_with(name, "pos_embed") && strcmp(name, "queue") != 0 &&
            strcmp(name, "bin_weight") != 0 && strcmp(name, "spectral_u") != 0) continue;
        fan = t->ndim < 2 || t->shape[0] == 1 ? 16 : (int)(t->count / (size_t)t->shape[0]);
        while (root * root < fan) root++;
        for (q = 0; q < t->count; q++) {
            float x = draw(&s);
            v[q] = t->ndim == 1 && ends_with(name, "weight") ? 1 + x * 0.25f : x / (float)root;
        }
        sslh_write(t, v, t->count);
    }
}

/* --- the cases ---------------------------------------------------------------------------------------------------- */

/* settings: what sslh_method_make needs to make the same; the rate is that of the recorded steps. */
typedef struct method_case { const char *name; float lr; const char *settings; } method_case;
static const method_case cases[] = {
    {"simclr", 0.05f, "head_hidden=12,head_out=7"},
    {"simclr_plain", 0.05f, "head_hidden = 12 head_out =7, no_head_norm=1,head_layers=2,temperature= 0.2\tdecoupled=1"},
    {"rotation", 0.05f, ""},
    {"jigsaw", 0.05f, "permutations=20 head_hidden=11"},
    {"jigsaw_4", 0.05f, "permutations=5 head_hidden=11 grid=2 no_head_norm=1 no_tile_norm=1"},
    {"context", 0.05f, "head_hidden=11"},
    {"context_one", 0.05f, "head_hidden=11 one_order=1 no_head_norm=1 projection=1"},
    {"inpainting", 0.01f, "overlap=1 decoder_width=5 channelwise=2"},
    {"inpainting_middle", 0.01f, "hole=1 adversarial=0.25 decoder_width=5 discriminator_width=4"},
    {"inpainting_blocks", 0.01f, "hole=3 overlap=0 adversarial=0.9 decoder_width=5 discriminator_width=4"},
    {"colorization", 0.01f, "head_hidden=7"},
    {"colorization_l", 0.01f, "head_hidden=7 reverse=1 cell=2 neighbours=3 sigma=8 tap=block2"},
    {"colorization_both", 0.01f, "head_hidden=7 split_brain=1 lambda=1 cell=2"},
    {"next_frame", 0.01f, "frames=2 decoder_width=5"},
    {"next_frame_edges", 0.01f, "frames=3 norm=1 gradient=0.5 residual=1 decoder_width=5"},
    {"frame_order", 0.01f, "head_hidden=11"},
    {"frame_order_arrow", 0.01f, "task=2 cells=2 head_hidden=11 no_head_norm=1"},
    {"frame_order_sort", 0.01f, "task=3 head_hidden=11 gap=1 tries=1"},
    {"autoencoder", 0.01f, "hidden=10 latent=3"},
    {"autoencoder_noisy", 0.01f, "hidden=10 latent=3 layers=2 noise=2 output=2 sparse=3 rate=0.2"},
    {"autoencoder_tied", 0.01f, "hidden=10 latent=6 layers=1 tied_weights=1 contractive=0.5 output=2"},
    {"autoencoder_conv", 0.01f, "latent=3 layers=2 hidden=7 convolutions=2 maps=4 output=3"},
    {"autoencoder_both", 0.01f, "latent=3 layers=2 hidden=7 convolutions=2 maps=4 tied_weights=1 sigmoid_code=1"},
    {"vae", 0.01f, "hidden=9,latent=3"},
    {"vae_gaussian", 0.01f, "hidden=9 latent=3 gaussian=1 activation_tanh=1 beta=2e0"},
    {"vae_sigma", 0.01f, "hidden=9 latent=3 gaussian=1 sigma=0.5 learn_sigma=1"},
    {"vae_iwae", 0.01f, "hidden=9 latent=3 layers=2 activation_tanh=1 codes=5"},
    {"vae_iwae_sigma", 0.01f, "hidden=9 latent=3 gaussian=1 sigma=2 learn_sigma=1 codes=3 beta=0.5"},
    {"vae_conv", 0.01f, "hidden=7 latent=3 convolutions=2 maps=4"},
    {"vae_iwae_conv", 0.01f, "hidden=7 latent=3 convolutions=1 maps=4 codes=2 gaussian=1 sigma=0.25"},
    {"gan", 0.01f, "latent=5 generator_width=4 average=0.75"},
    {"gan_minimax", 0.01f, "latent=5 generator_width=4 average=0.75 loss=2"},
    {"gan_hinge", 0.01f, "latent=5 generator_width=4 average=0.15 loss=3 bound=2"},
    {"gan_wasserstein", 0.01f, "latent=5 generator=2 generator_width=7 average=0 loss=4"},
    {"gan_clip", 0.01f, "latent=5 generator_width=4 average=0.75 loss=4 bound=3 clip_at=0.125 critic=1"},
    {"cpc", 0.01f, "steps=3 negatives=7 crop=48"},
    {"cpc_same", 0.01f, "steps=3 negatives=7 crop=48 from=1"},
    {"cpc_other", 0.01f, "steps=3 negatives=7 crop=48 from=2"},
    {"cpc2", 0.01f, "side=15 patch=6 steps=2 negatives=9 target=5 scale=0.5 context_blocks=2 context_hidden=4"},
    {"cpc2_same", 0.01f, "directions=2 from=1 side=15 patch=6 steps=2 negatives=9 target=5 scale=0.5 context_blocks=2 "
        "context_hidden=4 drop=0.5"},
    {"cpc2_other", 0.01f, "from=2 side=15 patch=6 steps=2 negatives=9 target=5 scale=0.5 context_blocks=2 "
        "context_hidden=4"},
    {"cpc2_all", 0.01f, "directions=1 negatives=999 side=15 patch=6 steps=2 target=5 scale=0.5 context_blocks=2 "
        "context_hidden=4"},
    {"mae", 0.01f, "decoder_width=8,decoder_depth=1,decoder_heads=2"},
    {"mae_pixels", 0.01f, "decoder_width=8,decoder_depth=1,decoder_heads=2,raw_pixels=1"},
    {"jepa", 0.01f, "targets=2 target_momentum=0.75 predictor_width=8 predictor_depth=2 predictor_heads=2"},
    {"jepa_blocks", 0.01f, "targets=2 top_blocks=2 target_momentum=0.75 predictor_width=8 predictor_depth=1 "
        "predictor_heads=2"},
    {"moco", 0.05f, "queue=16 split=2 head_hidden=12 head_out=7 key_momentum=0.75"},
    {"moco_1", 0.05f, "version=1 queue=16 split=1 head_out=7 head_hidden=12 key_momentum=0.75 symmetric=1"},
    {"moco_3", 0.05f, "version=3 queue=16 split=1 head_hidden=12 head_out=7 key_momentum=0.75"},
    {"moco_3_vit", 0.001f, "version=3 queue=16 split=1 head_hidden=12 head_out=7 key_momentum=0.75"},
    {"supcon", 0.05f, "head_hidden=12 head_out=7"},
    {"supcon_3", 0.05f, "head_hidden=12 head_out=7 head_layers=3 temperature=0.5"},
    {"clip", 0.01f, "head_out=7 vocabulary=11 length=12 text_width=8 text_depth=2"},
    {"clip_sigmoid", 0.01f, "head_out=7 vocabulary=11 length=12 text_width=8 text_depth=2 loss=2 temperature=0.5"},
    {"nnclr", 0.05f, "queue=16 head_hidden=12 head_out=7 predictor_hidden=9"},
    {"nnclr_plain", 0.05f, "queue=16 head_hidden=12 head_out=7 predictor_hidden=9 head_layers=2 temperature=0.5 "
        "no_neighbours=1"},
    {"byol", 0.05f, "head_hidden=12 head_out=7 target_momentum=0.75"},
    {"byol_collapse", 0.05f, "head_hidden=12 head_out=7 target_momentum=0.75 no_stop_gradient=1"},
    {"simsiam", 0.05f, "head_out=12 predictor_hidden=5"},
    {"simsiam_3", 0.05f, "head_layers=3 head_out=12 predictor_hidden=5 no_stop_gradient=1"},
    {"simsiam_plain", 0.05f, "head_out=12 predictor_hidden=5 no_last_norm=1"},
    {"barlow", 0.05f, "head_out=12 lambda=0.1"},
    {"vicreg", 0.05f, "head_out=12"},
    {"vicreg_weights", 0.05f, "head_out=12 head_layers=2 invariance=2 variance=3 covariance=4"},
    {"swav", 0.05f, "prototypes=9 small_views=2 queue=0 freeze=0 head_hidden=12 head_out=7"},
    {"swav_queue", 0.05f, "prototypes=9 small_views=0 queue=4 queue_start=0 temperature=0.2 epsilon=0.1 iterations=5 "
        "head_hidden=12 head_out=7"},
    {"dino", 0.01f, "outputs=9 small_views=2 freeze=0 head_hidden=12 bottleneck=7 target_momentum=0.75"},
    {"dino_rest", 0.01f, "outputs=9 small_views=0 head_hidden=12 bottleneck=7 target_momentum=0.75 temperature=0.2 "
        "teacher_temperature=0.1 centre_momentum=0.5"},
    {"gpt", 0.01f, ""},
    {"gpt_clip", 0.01f, ""},
    {"bert", 0.01f, "dropout=0"},
    {"bert_next", 0.01f, "dropout=0 next=1"},
    {"sasrec", 0.01f, "dropout=0 negatives=2"},
    {"sasrec_all", 0.01f, "dropout=0 negatives=0"},
    {"bert4rec", 0.01f, "dropout=0"},
    {"electra", 0.01f, "dropout=0"},
    {"bart", 0.01f, "dropout=0 decoder_depth=1 sentence_end=3 deleted=0.2 replaced=0.1 masked=0.1"},
    {"sentence_order", 0.01f, "dropout=0 sentences=2 sentence_end=3"},
    {"fixmatch", 0.05f, "threshold=0.3 weight=0.5 labels=3"}};
#define CASES ((int)(sizeof cases / sizeof cases[0]))
static const method_case *current;

static sslh_tensor *image_input(sslh_ctx *c, const char *what, int n, int h, int w, int ch) {
    static float v[1 << 14];
    char name[64];
    uint32_t s;
    size_t q, count = (size_t)(n * h * w * ch);
    snprintf(name, sizeof name, "%s %s", current->name, what);
    s = seed_of("input ", name);
    for (q = 0; q < count; q++) v[q] = (draw(&s) + 1) * 0.5f;
    return sslh_from(c, sslh_dim4(n, h, w, ch), v);
}
/* Methods whose .views are "view0" and "view1". */
static int two_views(const char *name) {
    static const char *const names[] = {"moco", "supcon", "nnclr", "byol", "simsiam", "barlow", "vicreg"};
    int i;
    for (i = 0; i < (int)(sizeof names / sizeof names[0]); i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0) return 1;
    return 0;
}
/* The methods of whole texts in both directions, apart from BERT. */
static int text_task(const char *name) {
    return strcmp(name, "electra") == 0 || strcmp(name, "bart") == 0 || strcmp(name, "sentence_order") == 0;
}
/* In place of a method's .views: tensors that PyTorch sees too. */
static void given_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_ctx *c = m->ctx;
    (void)batch;
    if (strncmp(current->name, "swav", 4) == 0 || strncmp(current->name, "dino", 4) == 0) {
        sslh_view_add(out, "large", image_input(c, "large", 8, 8, 8, 3));
        if (!current->name[4]) sslh_view_add(out, "small", image_input(c, "small", 8, 4, 4, 3));
    } else if (strncmp(current->name, "simclr", 6) == 0)
        sslh_view_add(out, "views", image_input(c, "views", 8, 8, 8, 3));
    else if (two_views(current->name)) {
        static const int32_t order[4] = {2, 0, 3, 1}, label[4] = {0, 1, 0, 2};
        sslh_view_add(out, "view0", image_input(c, "view0", 4, 8, 8, 3));
        sslh_view_add(out, "view1", image_input(c, "view1", 4, 8, 8, 3));
        if (strncmp(current->name, "supcon", 6) == 0)
            sslh_view_add(out, "labels", sslh_from_ints(c, sslh_dim1(4), label));
        if (strcmp(current->name, "moco") == 0) sslh_view_add(out, "order", sslh_from_ints(c, sslh_dim1(4), order));
    } else if (strcmp(current->name, "fixmatch") == 0) {
        static const int32_t label[3] = {0, 4, 2};
        sslh_view_add(out, "labelled", image_input(c, "labelled", 3, 8, 8, 3));
        sslh_view_add(out, "labels", sslh_from_ints(c, sslh_dim1(3), label));
        sslh_view_add(out, "weak", image_input(c, "weak", 5, 8, 8, 3));
        sslh_view_add(out, "strong", image_input(c, "strong", 5, 8, 8, 3));
    } else if (strcmp(current->name, "rotation") == 0) {
        int32_t label[8];
        uint32_t s = seed_of("labels ", current->name);
        int i;
        for (i = 0; i < 8; i++) label[i] = (int32_t)(draw20(&s) % 4);
        sslh_view_add(out, "images", image_input(c, "images", 8, 8, 8, 3));
        sslh_view_add(out, "labels", sslh_from_ints(c, sslh_dim1(8), label));
    } else if (strncmp(current->name, "jigsaw", 6) == 0) {
        int tiles = strcmp(current->name, "jigsaw_4") == 0 ? 4 : 9, i;
        int32_t label[6];
        uint32_t s = seed_of("labels ", current->name);
        for (i = 0; i < 6; i++) label[i] = (int32_t)(draw20(&s) % (tiles == 4 ? 5 : 20));
        sslh_view_add(out, "tiles",
                      sslh_reshape(c, image_input(c, "tiles", 6 * tiles, 6, 6, 3), sslh_dim5(6, tiles, 6, 6, 3)));
        sslh_view_add(out, "labels", sslh_from_ints(c, sslh_dim1(6), label));
    } else if (strncmp(current->name, "context", 7) == 0)
        sslh_view_add(out, "patches", image_input(c, "patches", 27, 6, 6, 3));
    else if (strncmp(current->name, "colorization", 12) == 0)
        sslh_view_add(out, "lab", sslh_rgb_to_lab(c, image_input(c, "images", 4, 8, 8, 3)));
    else if (strncmp(current->name, "inpainting", 10) == 0) {
        float mask[4 * 16 * 16];
        int side = strcmp(current->name, "inpainting_middle") == 0 ? 16 : 8, i;
        uint32_t s = seed_of("mask ", current->name);
        for (i = 0; i < 4 * side * side; i++) mask[i] = draw20(&s) % 3 == 0;
        sslh_view_add(out, "images", image_input(c, "images", 4, side, side, 3));
        sslh_view_add(out, "mask", sslh_from(c, sslh_dim4(4, side, side, 1), mask));
    } else if (strncmp(current->name, "next_frame", 10) == 0) {
        int n = current->name[10] ? 4 : 3; /* k + 1 */
        sslh_view_add(out, "frames",
                      sslh_reshape(c, image_input(c, "frames", 3 * n, 8, 8, 3), sslh_dim5(3, n, 8, 8, 3)));
    } else if (strncmp(current->name, "frame_order", 11) == 0) {
        /* tuples by letters, then whether they are in order, forwards, or where the second stands */
        static const char *const tuples[3][2] = {{"bcd1dcb1bad0deb0", "bcd1dcb1dab0bed0"}, {"bcd1dcb0", "bcd1dcb0"},
                                                 {"cbd0cdb0bcd1dcb1bdc2dbc2", "cbd0cdb0bcd1dcb1bdc2dbc2"}};
        int task = !current->name[11] ? 0 : ends_with(current->name, "_arrow") ? 1 : 2, n = task ? 3 : 5, i, k;
        int K = (int)strlen(tuples[task][0]) / 4;
        int32_t order[3 * 18], label[3 * 6];
        for (i = 0; i < 3 * K; i++) {
            const char *t = tuples[task][i / K % 2] + i % K * 4;
            for (k = 0; k < 3; k++) order[3 * i + k] = t[k] - (task ? 'b' : 'a');
            label[i] = t[3] - '0';
        }
        sslh_view_add(out, "frames",
                      sslh_reshape(c, image_input(c, "frames", 3 * n, 8, 8, 3), sslh_dim5(3, n, 8, 8, 3)));
        sslh_view_add(out, "tuples", sslh_from_ints(c, sslh_dim2(3, 3 * K), order));
        sslh_view_add(out, "labels", sslh_from_ints(c, sslh_dim1(3 * K), label));
    } else if (strncmp(current->name, "autoencoder", 11) == 0) {
        int conv = ends_with(current->name, "_conv") || ends_with(current->name, "_both"), ch = conv ? 3 : 1;
        sslh_view_add(out, "images", image_input(c, "images", 6, conv ? 8 : 5, 4, ch));
        sslh_view_add(out, "noisy", image_input(c, ends_with(current->name, "_noisy") ? "noisy" : "images", 6,
                                                conv ? 8 : 5, 4, ch));
    } else if (strncmp(current->name, "vae", 3) == 0) {
        int conv = ends_with(current->name, "_conv");
        sslh_view_add(out, "images", image_input(c, "images", 6, conv ? 8 : 5, 4, conv ? 3 : 1));
    } else if (strncmp(current->name, "gan", 3) == 0) {
        int side = ends_with(current->name, "_minimax") ? 16 : 8;
        sslh_tensor *x = image_input(c, "images", 6, side, side, 3), *z = image_input(c, "noise", 6, 5, 1, 1);
        sslh_view_add(out, "images", sslh_shift(c, sslh_scale(c, x, 2), -1));
        sslh_view_add(out, "noise", sslh_shift(c, sslh_scale(c, sslh_reshape(c, z, sslh_dim2(6, 5)), 4), -2));
    } else if (strncmp(current->name, "bert", 4) == 0 && current->name[4] != '4') {
        /* 3 texts of 7 tokens, the last of text 1 are padding */
        static const int32_t answers[3] = {1, 0, 1};
        int32_t tokens[21], segments[21], places[6], targets[6];
        uint8_t padding[21];
        uint32_t s = seed_of("tokens ", current->name);
        int i;
        for (i = 0; i < 21; i++) {
            tokens[i] = (int32_t)(draw20(&s) % 110);
            segments[i] = ends_with(current->name, "_next") && i % 7 > 3;
            padding[i] = i / 7 == 1 && i % 7 > 4;
        }
        for (i = 0; i < 6; i++) {
            places[i] = i / 2 * 7 + (i % 2 ? 4 : 1);
            targets[i] = i == 5 ? -1 : (int32_t)(draw20(&s) % 110);
        }
        sslh_view_add(out, "tokens", sslh_from_ints(c, sslh_dim2(3, 7), tokens));
        sslh_view_add(out, "segments", sslh_from_ints(c, sslh_dim2(3, 7), segments));
        sslh_view_add(out, "padding", sslh_from_bytes(c, sslh_dim2(3, 7), padding));
        sslh_view_add(out, "places", sslh_from_ints(c, sslh_dim1(6), places));
        sslh_view_add(out, "targets", sslh_from_ints(c, sslh_dim1(6), targets));
        sslh_view_add(out, "answers", sslh_from_ints(c, sslh_dim1(3), answers));
    } else if (strcmp(current->name, "bert4rec") == 0) { /* 3 histories of 7, 4 and 6 items, two gaps in each */
        static const int32_t length[3] = {7, 4, 6};
        int32_t tokens[21], positions[21], places[6], answers[6];
        uint32_t s = seed_of("tokens ", current->name);
        int i;
        for (i = 0; i < 21; i++) {
            tokens[i] = (int32_t)(draw20(&s) % 10);
            positions[i] = i % 7 >= length[i / 7] ? 11 : 12 - length[i / 7] + i % 7;
        }
        for (i = 0; i < 6; i++) {
            places[i] = i / 2 * 7 + (i % 2 ? 3 : 1);
            answers[i] = tokens[places[i]];
            tokens[places[i]] = 10;
        }
        sslh_view_add(out, "tokens", sslh_from_ints(c, sslh_dim2(3, 7), tokens));
        sslh_view_add(out, "positions", sslh_from_ints(c, sslh_dim2(3, 7), positions));
        sslh_view_add(out, "lengths", sslh_from_ints(c, sslh_dim1(3), length));
        sslh_view_add(out, "places", sslh_from_ints(c, sslh_dim1(6), places));
        sslh_view_add(out, "answers", sslh_from_ints(c, sslh_dim1(6), answers));
    } else if (strncmp(current->name, "sasrec", 6) == 0) { /* 3 histories with 6, 3, 5 answers, 2 items drawn */
        static const int32_t length[3] = {6, 3, 5};
        int32_t tokens[18], positions[18], places[14], items[42];
        uint32_t s = seed_of("tokens ", current->name);
        int i, m = 0;
        for (i = 0; i < 18; i++) {
            tokens[i] = (int32_t)(draw20(&s) % 11);
            positions[i] = i % 6 < length[i / 6] ? 12 - length[i / 6] + i % 6 : 11;
            if (i % 6 < length[i / 6]) places[m++] = i;
        }
        for (i = 0; i < 42; i++) items[i] = (int32_t)(draw20(&s) % 11);
        sslh_view_add(out, "tokens", sslh_from_ints(c, sslh_dim2(3, 6), tokens));
        sslh_view_add(out, "positions", sslh_from_ints(c, sslh_dim2(3, 6), positions));
        sslh_view_add(out, "lengths", sslh_from_ints(c, sslh_dim1(3), length));
        sslh_view_add(out, "places", sslh_from_ints(c, sslh_dim1(14), places));
        sslh_view_add(out, "items", sslh_from_ints(c, sslh_dim2(14, 3), items));
    } else if (text_task(current->name)) { /* 3 texts of 7 tokens, the last of text 1 are padding */
        static const int32_t places[6] = {1, 4, 8, 11, 15, 18}, ends[6] = {3, 6, 9, 11, 14, 20};
        static const int32_t answers[6] = {1, 0, 0, 1, -1, -1};
        int32_t tokens[21], targets[6], seen[19], inputs[18], written[18];
        float chances[6];
        uint8_t padding[21];
        uint32_t s = seed_of("tokens ", current->name);
        int i, n = 0;
        for (i = 0; i < 21; i++) {
            tokens[i] = (int32_t)(draw20(&s) % 110);
            padding[i] = i == 12 || i == 13;
            if (!padding[i]) seen[n++] = i;
        }
        for (i = 0; i < 6; i++) {
            targets[i] = (int32_t)(draw20(&s) % 110);
            chances[i] = (float)draw20(&s) / 1048576.0f;
        }
        for (i = 0; i < 18; i++) inputs[i] = (int32_t)(draw20(&s) % 110);
        for (i = 0; i < 18; i++) written[i] = i == 10 || i == 11 ? -1 : (int32_t)(draw20(&s) % 110);
        for (i = 0; i < 6 && strcmp(current->name, "electra") == 0; i++) tokens[places[i]] = 103;
        sslh_view_add(out, "tokens", sslh_from_ints(c, sslh_dim2(3, 7), tokens));
        sslh_view_add(out, "padding", sslh_from_bytes(c, sslh_dim2(3, 7), padding));
        if (strcmp(current->name, "bart") == 0) {
            sslh_view_add(out, "inputs", sslh_from_ints(c, sslh_dim2(3, 6), inputs));
            sslh_view_add(out, "targets", sslh_from_ints(c, sslh_dim2(3, 6), written));
        } else if (strcmp(current->name, "electra") == 0) {
            sslh_view_add(out, "places", sslh_from_ints(c, sslh_dim1(6), places));
            sslh_view_add(out, "targets", sslh_from_ints(c, sslh_dim1(6), targets));
            sslh_view_add(out, "chances", sslh_from(c, sslh_dim1(6), chances));
            sslh_view_add(out, "seen", sslh_from_ints(c, sslh_dim1(19), seen));
        } else {
            sslh_view_add(out, "places", sslh_from_ints(c, sslh_dim1(6), ends));
            sslh_view_add(out, "answers", sslh_from_ints(c, sslh_dim1(6), answers));
        }
    } else if (strncmp(current->name, "gpt", 3) == 0) { /* 3 texts of 7 tokens, one of which ends early */
        int32_t tokens[18], targets[18];
        uint32_t s = seed_of("tokens ", current->name);
        int i;
        for (i = 0; i < 21; i++) {
            int32_t x = (int32_t)(draw20(&s) % 11);
            if (i % 7 < 6) tokens[i / 7 * 6 + i % 7] = x;
            if (i % 7 > 0) targets[i / 7 * 6 + i % 7 - 1] = i / 7 == 1 && i % 7 > 4 ? -1 : x;
        }
        sslh_view_add(out, "tokens", sslh_from_ints(c, sslh_dim2(3, 6), tokens));
        sslh_view_add(out, "targets", sslh_from_ints(c, sslh_dim2(3, 6), targets));
    } else if (strncmp(current->name, "clip", 4) == 0) { /* 5 images, texts of 7 tokens, 0 and 3 of one caption */
        static const int32_t ends[5] = {6, 10, 20, 24, 33}, same[5] = {0, 1, 2, 0, 4};
        static const uint8_t padding[35] = {0};
        int32_t tokens[35];
        uint32_t s = seed_of("tokens ", current->name);
        int i;
        for (i = 0; i < 35; i++) tokens[i] = (int32_t)(draw20(&s) % 11);
        sslh_view_add(out, "images", image_input(c, "images", 5, 8, 8, 3));
        sslh_view_add(out, "tokens", sslh_from_ints(c, sslh_dim2(5, 7), tokens));
        sslh_view_add(out, "ends", sslh_from_ints(c, sslh_dim1(5), ends));
        sslh_view_add(out, "padding", sslh_from_bytes(c, sslh_dim2(5, 7), padding)); /* causal: not looked at */
        sslh_view_add(out, "same", sslh_from_ints(c, sslh_dim1(5), same));
    } else if (strncmp(current->name, "cpc2", 4) == 0) {
        /* 3 images of 4 x 4 patches, 9 draws, within images 9 for each */
        int rows = strcmp(current->name, "cpc2_same") == 0 ? 3 : 1, J = strcmp(current->name, "cpc2_all") ? 9 : 999, i;
        int32_t draws[999];
        uint32_t s = seed_of("draws ", current->name);
        for (i = 0; i < J * rows; i++) draws[i] = (int32_t)(draw20(&s) << 11);
        sslh_view_add(out, "patches",
                      sslh_reshape(c, image_input(c, "patches", 48, 6, 6, 3), sslh_dim6(3, 4, 4, 6, 6, 3)));
        sslh_view_add(out, "draws", sslh_from_ints(c, sslh_dim2(rows, J), draws));
    } else if (strncmp(current->name, "cpc", 3) == 0) { /* 3 clips of 48 samples, 7 draws, within clips 7 for each */
        int rows = strcmp(current->name, "cpc_same") == 0 ? 3 : 1, i;
        int32_t draws[21];
        uint32_t s = seed_of("draws ", current->name);
        for (i = 0; i < 7 * rows; i++) draws[i] = (int32_t)(draw20(&s) << 11);
        sslh_view_add(out, "sound", sslh_reshape(c, image_input(c, "sound", 3, 48, 1, 1), sslh_dim3(3, 48, 1)));
        sslh_view_add(out, "draws", sslh_from_ints(c, sslh_dim2(rows, 7), draws));
    } else if (strncmp(current->name, "jepa", 4) == 0) {
        /* 3 images of 16 patches: a context of 5 and two blocks of 3, in the order (5 p + 3 n) mod 16 */
        int32_t context[15], targets[18];
        int n, p;
        for (n = 0; n < 3; n++)
            for (p = 0; p < 11; p++) *(p < 5 ? &context[n * 5 + p] : &targets[n * 6 + p - 5]) = (5 * p + 3 * n) % 16;
        sslh_view_add(out, "images", image_input(c, "images", 3, 8, 8, 3));
        sslh_view_add(out, "context", sslh_from_ints(c, sslh_dim2(3, 5), context));
        sslh_view_add(out, "targets", sslh_from_ints(c, sslh_dim2(3, 6), targets));
    } else { /* mae: 3 images of 16 patches, 4 visible; the order of patches is (5 p + 3 n) mod 16 */
        int32_t keep[12], restore[48];
        float hidden[48];
        int n, p;
        for (n = 0; n < 3; n++)
            for (p = 0; p < 16; p++) {
                int at = (5 * p + 3 * n) % 16;
                if (p < 4) keep[n * 4 + p] = at;
                restore[n * 16 + at] = p;
                hidden[n * 16 + at] = p >= 4;
            }
        sslh_view_add(out, "images", image_input(c, "images", 3, 8, 8, 3));
        sslh_view_add(out, "keep", sslh_from_ints(c, sslh_dim2(3, 4), keep));
        sslh_view_add(out, "restore", sslh_from_ints(c, sslh_dim2(3, 16), restore));
        sslh_view_add(out, "hidden", sslh_from(c, sslh_dim2(3, 16), hidden));
    }
}

static sslh_net *convnet(sslh_ctx *c, int a, int b) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = 3, d.widths[0] = a, d.widths[1] = b;
    return sslh_convnet(c, d);
}
/* One with a map as its output, which normalises. */
static sslh_net *convnet_map(sslh_ctx *c, int a, int b) {
    static const float mean[3] = {0.25f, 0.5f, 0.625f}, std[3] = {0.25f, 0.375f, 0.125f};
    sslh_convnet_desc d;
    sslh_preprocess p;
    sslh_net *net;
    memset(&d, 0, sizeof d), memset(&p, 0, sizeof p);
    d.channels = 3, d.widths[0] = a, d.widths[1] = b, d.map_output = 1;
    net = sslh_convnet(c, d);
    memcpy(p.mean, mean, sizeof mean), memcpy(p.std, std, sizeof std);
    sslh_set_preprocess(net, p);
    return net;
}
#if SSLH_WITH_GAN
/* DCGAN's discriminator: all places of its map count. */
static sslh_net *dcgan(sslh_ctx *c, int norm) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = 3, d.widths[0] = 6, d.widths[1] = 10, d.map_output = d.dcgan = 1, d.norm = norm;
    return sslh_convnet(c, d);
}
#endif
#if SSLH_WITH_CONTEXT || SSLH_WITH_JIGSAW
static sslh_net *convnet_of(sslh_ctx *c, int channels) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = channels, d.widths[0] = 8, d.widths[1] = 16;
    return sslh_convnet(c, d);
}
#endif
/* A convnet in which samples do not meet. */
static sslh_net *convnet_alone(sslh_ctx *c, int norm) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = 3, d.widths[0] = 6, d.widths[1] = 10, d.norm = norm;
    return sslh_convnet(c, d);
}
static sslh_net *vit(sslh_ctx *c, int mean_pool) {
    sslh_vit_desc d;
    memset(&d, 0, sizeof d);
    d.image = 8, d.channels = 3, d.patch = 2, d.width = 12, d.depth = 2, d.heads = 3, d.mean_pool = mean_pool;
    return sslh_vit(c, d);
}
/* A place of z for 6 samples. */
static sslh_net *conv_gru(sslh_ctx *c, int norm) {
    sslh_conv_gru_desc d;
    memset(&d, 0, sizeof d);
    d.kernels[0] = 6, d.kernels[1] = 4, d.strides[0] = 3, d.strides[1] = 2, d.width = 8, d.context = 6, d.norm = norm;
    return sslh_conv_gru(c, d);
}
/* The encoder of a case; NULL where the method makes its own. */
static sslh_net *text_net(sslh_ctx *c, int kind, int pooler) {
    sslh_transformer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = kind, d.vocabulary = kind == SSLH_BERT ? 110 : 11, d.length = 12, d.pooler = pooler;
    d.width = 8, d.depth = 2, d.heads = 2, d.mlp = 12;
    return sslh_transformer(c, d);
}
static sslh_net *items_net(sslh_ctx *c, int causal) {
    sslh_transformer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = SSLH_SASREC, d.vocabulary = 11, d.length = 12, d.width = 8, d.heads = 2, d.mlp = 10, d.causal = causal;
    return sslh_transformer(c, d);
}
static sslh_net *encoder_for(sslh_ctx *c, const char *name) {
    if (strncmp(name, "vae", 3) == 0 || strncmp(name, "autoencoder", 11) == 0) return NULL;
    if (strncmp(name, "inpainting", 10) == 0 || strncmp(name, "next_frame", 10) == 0) return convnet_map(c, 6, 10);
    if (strcmp(name, "frame_order_arrow") == 0) return convnet_map(c, 6, 10);
#if SSLH_WITH_GAN
    if (strcmp(name, "gan_minimax") == 0) return dcgan(c, 0);
    if (strcmp(name, "gan_hinge") == 0) return dcgan(c, SSLH_OFF);
    if (strcmp(name, "gan_wasserstein") == 0) {
        sslh_mlp_desc d;
        memset(&d, 0, sizeof d);
        d.in = 192, d.widths[0] = 9, d.widths[1] = 8, d.last_activation = 1;
        return sslh_mlp(c, d);
    }
#endif
    if (strncmp(name, "mae", 3) == 0 || strncmp(name, "jepa", 4) == 0 || ends_with(name, "_vit")) return vit(c, 0);
    if (strncmp(name, "cpc2", 4) == 0)
        return convnet_alone(c, strcmp(name, "cpc2_same") == 0 ? 2 : strcmp(name, "cpc2_other") == 0 ? SSLH_OFF : 1);
    if (strcmp(name, "bert4rec") == 0) return items_net(c, SSLH_OFF);
    if (strncmp(name, "sasrec", 6) == 0) return items_net(c, 0);
    if (strncmp(name, "bert", 4) == 0) return text_net(c, SSLH_BERT, ends_with(name, "_next"));
    if (text_task(name)) return text_net(c, SSLH_BERT, 0);
    if (strncmp(name, "gpt", 3) == 0) return text_net(c, ends_with(name, "_clip") ? SSLH_CLIP_TEXT : SSLH_GPT2, 0);
    if (strncmp(name, "cpc", 3) == 0)
        return conv_gru(c, strcmp(name, "cpc_same") == 0 ? 2 : strcmp(name, "cpc_other") == 0 ? SSLH_OFF : 0);
    return convnet(c, 6, 10);
}
/* PyTorch's steps are those of the papers' optimisers; of colorization, BERT and ELECTRA (whose Adam PyTorch lacks) our
   own. */
static const char *settings_of(const char *name) {
    return strncmp(name, "color", 5) == 0 || (strncmp(name, "bert", 4) == 0 && name[4] != '4') ||
                   strcmp(name, "electra") == 0
               ? "short"
               : "paper";
}
static sslh_data data_for(sslh_ctx *c, const char *name);
static sslh_method make_method(sslh_ctx *c, const char *name) {
    sslh_method none;
#if SSLH_WITH_CPC2
    if (strncmp(name, "cpc2", 4) == 0) {
        sslh_cpc2_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.side = 15, d.patch = 6, d.steps = 2, d.negatives = 9, d.target = 5, d.scale = 0.5f;
        d.context_blocks = 2, d.context_hidden = 4;
        if (strcmp(name, "cpc2_same") == 0) d.directions = 2, d.from = 1, d.drop = 0.5f;
        if (strcmp(name, "cpc2_other") == 0) d.from = 2;
        if (strcmp(name, "cpc2_all") == 0) d.directions = 1, d.negatives = 999;
        return sslh_cpc2(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_CPC
    if (strncmp(name, "cpc", 3) == 0 && strncmp(name, "cpc2", 4) != 0) {
        sslh_cpc_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.steps = 3, d.negatives = 7, d.crop = 48;
        d.from = strcmp(name, "cpc_same") == 0 ? 1 : strcmp(name, "cpc_other") == 0 ? 2 : 0;
        return sslh_cpc(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_GPT
    if (strncmp(name, "gpt", 3) == 0) {
        sslh_gpt_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        return sslh_gpt(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_SASREC
    if (strncmp(name, "sasrec", 6) == 0) {
        sslh_sasrec_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.dropout = SSLH_OFF, d.negatives = ends_with(name, "_all") ? SSLH_OFF : 2;
        return sslh_sasrec(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_CLIP
    if (strncmp(name, "clip", 4) == 0) {
        sslh_clip_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_out = 7, d.vocabulary = 11, d.length = 12, d.text_width = 8, d.text_depth = 2;
        if (strcmp(name, "clip_sigmoid") == 0) d.loss = SSLH_CLIP_SIGMOID, d.temperature = 0.5f;
        return sslh_clip(c, encoder_for(c, name), NULL, d);
    }
#endif
#if SSLH_WITH_BERT4REC
    if (strcmp(name, "bert4rec") == 0) {
        sslh_bert4rec_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.dropout = SSLH_OFF;
        return sslh_bert4rec(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_ELECTRA
    if (strcmp(name, "electra") == 0) {
        sslh_electra_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.dropout = SSLH_OFF;
        return sslh_electra(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_BART
    if (strcmp(name, "bart") == 0) {
        sslh_bart_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.dropout = SSLH_OFF, d.decoder_depth = 1;
        d.sentence_end = 3, d.deleted = 0.2f, d.replaced = 0.1f, d.masked = 0.1f;
        return sslh_bart(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_SENTENCE_ORDER
    if (strcmp(name, "sentence_order") == 0) {
        sslh_sentence_order_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.dropout = SSLH_OFF, d.sentences = 2, d.sentence_end = 3;
        return sslh_sentence_order(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_BERT
    if (strncmp(name, "bert", 4) == 0 && name[4] != '4') {
        sslh_bert_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.dropout = SSLH_OFF, d.next = ends_with(name, "_next");
        return sslh_bert(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_SIMCLR
    if (strncmp(name, "simclr", 6) == 0) {
        sslh_simclr_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_hidden = 12, d.head_out = 7;
        if (strcmp(name, "simclr_plain") == 0)
            d.no_head_norm = 1, d.head_layers = 2, d.temperature = 0.2f, d.decoupled = 1;
        return sslh_simclr(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_ROTATION
    if (strcmp(name, "rotation") == 0) {
        sslh_rotation_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        return sslh_rotation(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_JIGSAW
    if (strncmp(name, "jigsaw", 6) == 0) {
        sslh_jigsaw_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.permutations = 20, d.head_hidden = 11;
        if (strcmp(name, "jigsaw_4") == 0) d.grid = 2, d.permutations = 5, d.no_head_norm = 1, d.no_tile_norm = 1;
        return sslh_jigsaw(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_CONTEXT
    if (strncmp(name, "context", 7) == 0) {
        sslh_context_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_hidden = 11;
        if (strcmp(name, "context_one") == 0) d.one_order = 1, d.no_head_norm = 1, d.projection = 1;
        return sslh_context(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_INPAINTING
    if (strncmp(name, "inpainting", 10) == 0) {
        sslh_inpainting_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.decoder_width = 5;
        if (!name[10]) d.overlap = 1, d.channelwise = 2;
        else d.discriminator_width = 4, d.hole = 1, d.adversarial = 0.25f;
        if (ends_with(name, "_blocks")) d.hole = 3, d.overlap = SSLH_OFF, d.adversarial = 0.9f;
        return sslh_inpainting(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_NEXT_FRAME
    if (strncmp(name, "next_frame", 10) == 0) {
        sslh_next_frame_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.frames = 2, d.decoder_width = 5;
        if (name[10]) d.frames = 3, d.norm = 1, d.gradient = 0.5f, d.residual = 1;
        return sslh_next_frame(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_FRAME_ORDER
    if (strncmp(name, "frame_order", 11) == 0) {
        sslh_frame_order_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_hidden = 11;
        if (ends_with(name, "_arrow")) d.task = 2, d.cells = 2, d.no_head_norm = 1;
        if (ends_with(name, "_sort")) d.task = 3, d.gap = 1, d.tries = 1;
        return sslh_frame_order(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_COLORIZATION
    if (strncmp(name, "colorization", 12) == 0) {
        sslh_colorization_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_hidden = 7;
        if (ends_with(name, "_l")) d.reverse = 1, d.cell = 2, d.neighbours = 3, d.sigma = 8, d.tap = "block2";
        if (ends_with(name, "_both")) d.split_brain = 1, d.lambda = 1, d.cell = 2;
        return sslh_colorization(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_AUTOENCODER
    if (strncmp(name, "autoencoder", 11) == 0) {
        sslh_autoencoder_desc d;
        int conv = ends_with(name, "_conv") || ends_with(name, "_both");
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.height = conv ? 8 : 5, d.width = 4, d.channels = conv ? 3 : 1, d.hidden = conv ? 7 : 10, d.latent = 3;
        if (conv) d.layers = 2, d.convolutions = 2, d.maps = 4;
        if (ends_with(name, "_conv")) d.output = 3;
        if (ends_with(name, "_both")) d.tied_weights = 1, d.sigmoid_code = 1;
        if (ends_with(name, "_noisy")) d.layers = 2, d.noise = 2, d.output = 2, d.sparse = 3, d.rate = 0.2f;
        if (ends_with(name, "_tied"))
            d.layers = 1, d.latent = 6, d.tied_weights = 1, d.contractive = 0.5f, d.output = 2;
        return sslh_autoencoder(c, d);
    }
#endif
#if SSLH_WITH_VAE
    if (strncmp(name, "vae", 3) == 0) {
        sslh_vae_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.height = 5, d.width = 4, d.channels = 1, d.hidden = 9, d.latent = 3;
        if (strcmp(name, "vae_gaussian") == 0) d.gaussian = 1, d.activation_tanh = 1, d.beta = 2;
        if (strcmp(name, "vae_sigma") == 0) d.gaussian = 1, d.sigma = 0.5f, d.learn_sigma = 1;
        if (strcmp(name, "vae_iwae") == 0) d.layers = 2, d.activation_tanh = 1, d.codes = 5;
        if (strcmp(name, "vae_iwae_sigma") == 0)
            d.gaussian = 1, d.sigma = 2, d.learn_sigma = 1, d.codes = 3, d.beta = 0.5f;
        if (ends_with(name, "_conv"))
            d.height = 8, d.channels = 3, d.hidden = 7, d.maps = 4, d.convolutions = strcmp(name, "vae_conv") ? 1 : 2;
        if (strcmp(name, "vae_iwae_conv") == 0) d.codes = 2, d.gaussian = 1, d.sigma = 0.25f;
        return sslh_vae(c, d);
    }
#endif
#if SSLH_WITH_GAN
    if (strncmp(name, "gan", 3) == 0) {
        sslh_gan_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.height = d.width = ends_with(name, "_minimax") ? 16 : 8;
        d.channels = 3, d.latent = 5, d.generator_width = 4, d.average = 0.75f;
        if (ends_with(name, "_minimax")) d.loss = 2;
        if (ends_with(name, "_hinge")) d.loss = 3, d.bound = 2, d.average = 0.15f;
        if (ends_with(name, "_wasserstein"))
            d.loss = 4, d.generator = 2, d.generator_width = 7, d.average = (float)SSLH_OFF;
        if (ends_with(name, "_clip")) d.loss = 4, d.bound = 3, d.clip_at = 0.125f, d.critic = 1;
        return sslh_gan(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_MOCO
    if (strncmp(name, "moco", 4) == 0) {
        sslh_moco_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_hidden = 12, d.head_out = 7, d.key_momentum = 0.75f;
        d.version = name[4] ? name[5] - '0' : 2;
        d.symmetric = d.version == 1;
        d.queue = 16, d.split = d.version == 2 ? 2 : 1;
        return sslh_moco(c, encoder_for(c, name), d);
    }
#endif
#if SSLH_WITH_SUPCON
    if (strncmp(name, "supcon", 6) == 0) {
        sslh_supcon_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_hidden = 12, d.head_out = 7;
        if (name[6]) d.head_layers = 3, d.temperature = 0.5f;
        return sslh_supcon(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_FIXMATCH
    if (strcmp(name, "fixmatch") == 0) {
        sslh_fixmatch_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.threshold = 0.3f, d.weight = 0.5f, d.labels = 3;
        return sslh_fixmatch(c, convnet(c, 6, 10), data_for(c, name), d);
    }
#endif
#if SSLH_WITH_NNCLR
    if (strncmp(name, "nnclr", 5) == 0) {
        sslh_nnclr_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.queue = 16, d.head_hidden = 12, d.head_out = 7, d.predictor_hidden = 9;
        if (name[5]) d.head_layers = 2, d.temperature = 0.5f, d.no_neighbours = 1;
        return sslh_nnclr(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_BYOL
    if (strncmp(name, "byol", 4) == 0) {
        sslh_byol_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_hidden = 12, d.head_out = 7, d.target_momentum = 0.75f, d.no_stop_gradient = name[4] != 0;
        return sslh_byol(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_SIMSIAM
    if (strncmp(name, "simsiam", 7) == 0) {
        sslh_simsiam_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_out = 12, d.predictor_hidden = 5;
        d.no_last_norm = strcmp(name, "simsiam_plain") == 0;
        if (strcmp(name, "simsiam_3") == 0) d.head_layers = 3, d.no_stop_gradient = 1;
        return sslh_simsiam(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_BARLOW
    if (strcmp(name, "barlow") == 0) {
        sslh_barlow_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_out = 12, d.lambda = 0.1f;
        return sslh_barlow(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_VICREG
    if (strncmp(name, "vicreg", 6) == 0) {
        sslh_vicreg_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.head_out = 12;
        if (name[6]) d.head_layers = 2, d.invariance = 2, d.variance = 3, d.covariance = 4;
        return sslh_vicreg(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_SWAV
    if (strncmp(name, "swav", 4) == 0) {
        sslh_swav_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.prototypes = 9, d.head_hidden = 12, d.head_out = 7;
        if (name[4]) d.small_views = SSLH_OFF, d.queue = 4, d.queue_start = SSLH_OFF, d.temperature = 0.2f,
            d.epsilon = 0.1f, d.iterations = 5;
        else d.small_views = 2, d.queue = d.freeze = SSLH_OFF;
        return sslh_swav(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_DINO
    if (strncmp(name, "dino", 4) == 0) {
        sslh_dino_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.outputs = 9, d.head_hidden = 12, d.bottleneck = 7, d.target_momentum = 0.75f;
        if (name[4]) d.small_views = SSLH_OFF, d.temperature = 0.2f, d.teacher_temperature = 0.1f,
            d.centre_momentum = 0.5f;
        else d.small_views = 2, d.freeze = SSLH_OFF;
        return sslh_dino(c, convnet(c, 6, 10), d);
    }
#endif
#if SSLH_WITH_JEPA
    if (strncmp(name, "jepa", 4) == 0) {
        sslh_jepa_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.targets = 2, d.target_momentum = 0.75f, d.predictor_width = 8, d.predictor_heads = 2;
        d.predictor_depth = name[4] ? 1 : 2, d.top_blocks = name[4] ? 2 : 1;
        return sslh_jepa(c, vit(c, 0), d);
    }
#endif
#if SSLH_WITH_MAE
    if (strncmp(name, "mae", 3) == 0) {
        sslh_mae_desc d;
        memset(&d, 0, sizeof d), d.settings = settings_of(name);
        d.decoder_width = 8, d.decoder_depth = 1, d.decoder_heads = 2, d.raw_pixels = strcmp(name, "mae_pixels") == 0;
        return sslh_mae(c, vit(c, 0), d);
    }
#endif
    memset(&none, 0, sizeof none);
    return none;
}
static int plainly; /* contexts are made with .plain */
static sslh_ctx *create(int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    d.seed = 11;
    d.plain = plainly;
    return sslh_create(d);
}
static sslh_data data_for(sslh_ctx *c, const char *name) {
    static uint8_t pixels[40 * 8 * 8 * 3];
    static int32_t labels[40];
    static float sound[40 * 100];
    static uint8_t clips[40 * 7 * 8 * 8 * 3];
    static int32_t tokens[40 * 9], lengths[40];
    static int made; /* once: another context's workers may be reading them */
    sslh_field f[6];
    int i, vae = strncmp(name, "vae", 3) == 0 || strncmp(name, "autoencoder", 11) == 0;
    int conv = vae && (ends_with(name, "_conv") || ends_with(name, "_both"));
    if (!made) {
        for (i = 0; i < (int)sizeof pixels; i++)
            pixels[i] = (uint8_t)(sslh_random_below(4, 4, (uint64_t)i, 120) + (uint32_t)(i / 192 % 5) * 25);
        for (i = 0; i < 40; i++) labels[i] = i % 5;
        for (i = 0; i < 4000; i++) /* for methods that listen: noise of a second of five kinds */
            sound[i] = sslh_random_normal(5, 5, (uint64_t)i) * (i % (2 + i / 100 % 5) ? 0.05f : 0.3f);
        for (i = 0; i < (int)sizeof clips; i++) /* of each image, darker and darker */
            clips[i] = (uint8_t)(pixels[i / 1344 * 192 + i % 192] * (10 - i % 1344 / 192) / 10);
        for (i = 0; i < 360; i++) tokens[i] = (int32_t)sslh_random_below(6, 6, (uint64_t)i, 10);
        for (i = 0; i < 40; i++) lengths[i] = 2 + i % 8;
        made = 1;
    }
    if (vae && !conv) return sslh_data_from_images(c, pixels, 40, 5, 4, 1, labels);
    if (conv) return sslh_data_from_images(c, pixels, 40, 8, 4, 3, labels);
    if (ends_with(name, "_middle") || ends_with(name, "_minimax"))
        return sslh_data_from_images(c, pixels, 10, 16, 16, 3, labels);
    memset(f, 0, sizeof f);
    f[0].kind = SSLH_FIELD_IMAGE, f[0].type = SSLH_U8, f[0].shape = sslh_dim3(8, 8, 3), f[0].values = pixels;
    f[1].kind = SSLH_FIELD_LABEL, f[1].type = SSLH_I32, f[1].values = labels, f[1].name = "class";
    f[2].kind = SSLH_FIELD_AUDIO, f[2].shape = sslh_dim2(100, 1), f[2].values = sound;
    f[3].kind = SSLH_FIELD_CLIP, f[3].type = SSLH_U8, f[3].shape = sslh_dim4(7, 8, 8, 3), f[3].values = clips;
    f[4].kind = SSLH_FIELD_TOKENS, f[4].type = SSLH_I32, f[4].shape = sslh_dim1(9), f[4].values = tokens;
    f[4].lengths = lengths;
    if (ends_with(name, "bert_next")) { /* two texts, of 5 and 4 tokens */
        f[4].shape = sslh_dim1(5), f[4].lengths = NULL;
        f[5] = f[4], f[5].shape = sslh_dim1(4);
        return sslh_data_from_fields(c, f, 6, 40);
    }
    return sslh_data_from_fields(c, f, 5, 40);
}
static sslh_loader *loader_for(sslh_ctx *c, sslh_data data, int batch) {
    sslh_loader_desc d;
    memset(&d, 0, sizeof d);
    d.batch = batch;
    d.epochs = SSLH_OFF;
    return sslh_loader_new(c, data, d);
}

#if SSLH_WITH_INPAINTING || SSLH_WITH_AUTOENCODER || SSLH_WITH_GAN || SSLH_WITH_NEXT_FRAME
static void zero_tensor(sslh_method *m, const char *name) {
    sslh_tensor *t = sslh_find(m->net, name);
    size_t i;
    if (!CHECK(t != NULL, "no %s", name)) return;
    for (i = 0; i < t->count; i++) t->data[i] = 0;
}
#endif

/* Two steps of a case. loss and further numbers of each step; draws: the random stream used by each step. before:
   values of all
 * tensors. */
typedef struct method_run {
    sslh_ctx *c;
    sslh_method m;
    float loss[2];
    sslh_number numbers[2][8];
    int64_t stream[2];
    float *before[128];
} method_run;
static int run_case(method_run *r, const method_case *k, int threads, int fixed) {
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_loader *l;
    sslh_batch b;
    int s, i, n;
    current = k;
    memset(r, 0, sizeof *r);
    r->c = create(threads);
    r->m = make_method(r->c, k->name);
    if (!CHECK(!sslh_error(r->c), "%s: %s", k->name, sslh_error(r->c))) return 0;
    if (fixed) r->m.views = given_views;
    set_values(r->m.net);
    n = sslh_count_tensors(r->m.net);
    for (i = 0; i < n && i < 128; i++) {
        sslh_tensor *t = sslh_tensor_at(r->m.net, i, NULL, 0, NULL);
        r->before[i] = (float *)malloc(t->count * sizeof(float));
        sslh_read(t, r->before[i], t->count);
    }
    od = r->m.defaults.optimizer;
    if (od.kind == SSLH_ADAM || od.kind == SSLH_ADAMW)
        /* Gradients that are zero but for rounding stay small; those behind the batch norm of four nearly equal class
           tokens are rounded most. */
        od.eps = strcmp(k->name, "moco_3_vit") == 0 ? 1 : 1e-3f;
    o = sslh_optimizer_new(r->c, od);
    sslh_optimizer_add(o, r->m.net);
    sslh_optimizer_peak(o, k->lr);
    l = loader_for(r->c, data_for(r->c, k->name), 8);
    for (s = 0; s < 2; s++) {
        CHECK(sslh_next_batch(l, &b), "a batch");
        r->stream[s] = (int64_t)sslh_next_stream(r->c);
        r->loss[s] = sslh_method_step(&r->m, o, &b, k->lr);
        memcpy(r->numbers[s], r->m.numbers, sizeof r->numbers[s]);
    }
    return CHECK(!sslh_error(r->c), "%s: %s", k->name, sslh_error(r->c));
}
static void run_free(method_run *r) {
    int i;
    for (i = 0; i < 128; i++) free(r->before[i]);
    sslh_destroy(r->c);
}

/* Further numbers that the recorder has too: those of the inpainter, among them the losses of both phases. */
static void torch_numbers(const method_run *r, const char *method) {
    int j, step, recorded = (int)(sizeof golden_methods / sizeof golden_methods[0]), found = 0, told = 0, i;
    for (j = 0; j < recorded; j++) {
        const golden_method *g = &golden_methods[j];
        if (strcmp(g->method, method) != 0 || strncmp(g->name, "step", 4) != 0) continue;
        step = g->name[4] - '1';
        for (i = 0; i < 8 && r->numbers[step][i].name; i++) {
            if (strcmp(r->numbers[step][i].name, g->name + 6) != 0) continue;
            CHECK(fabs((double)r->numbers[step][i].value - g->sum) < 2e-5 * (1 + fabs(g->sum)),
                  "%s: %s is %.9g, PyTorch %.9g", method, g->name, (double)r->numbers[step][i].value, g->sum);
            found++;
        }
    }
    for (i = 0; i < 8 && r->numbers[0][i].name; i++) told++;
    if (strncmp(method, "inpainting", 10) == 0 || strncmp(method, "gan", 3) == 0 ||
        strncmp(method, "next_frame", 10) == 0)
        CHECK(found == 2 * told, "%s: %d of %d numbers are recorded", method, found, 2 * told);
}

static void torch_steps(void) {
    int k, i, j, recorded = (int)(sizeof golden_methods / sizeof golden_methods[0]);
    double worst = 0;
    char where[400] = "";
    for (k = 0; k < CASES; k++) {
        method_run r;
        int n;
        if (run_case(&r, &cases[k], 1 + k % 3, 1)) {
            n = sslh_count_tensors(r.m.net);
            torch_numbers(&r, cases[k].name);
            for (i = -2; i < n; i++) {
                char name[256];
                sslh_tensor *t;
                const golden_method *g = NULL;
                double sum = 0, size = 0, error;
                if (i < 0) snprintf(name, sizeof name, "loss%d", i + 3);
                else t = sslh_tensor_at(r.m.net, i, name, sizeof name, NULL);
                for (j = 0; j < recorded; j++)
                    if (strcmp(golden_methods[j].method, cases[k].name) == 0 &&
                        strcmp(golden_methods[j].name, name) == 0)
                        g = &golden_methods[j];
                if (!CHECK(g != NULL, "%s: %s is not recorded (tests/golden/make_methods.py)", cases[k].name, name))
                    continue;
                if (i < 0) {
                    /* the batch norm of four nearly equal class tokens enlarges rounding */
                    double few = ends_with(cases[k].name, "_vit") ? 1e-4 : 2e-5;
                    CHECK(fabs((double)r.loss[i + 2] - g->sum) < few * (1 + fabs(g->sum)),
                          "%s: %s is %.9g, PyTorch %.9g", cases[k].name, name, (double)r.loss[i + 2], g->sum);
                    continue;
                }
                t = sslh_tensor_at(r.m.net, i, NULL, 0, NULL);
                {
                    uint32_t s = seed_of("weight ", name);
                    float *v = (float *)malloc(t->count * sizeof *v);
                    size_t q;
                    sslh_read(t, v, t->count);
                    for (q = 0; q < t->count; q++) {
                        double w = (double)draw(&s), d = (double)v[q] - (double)r.before[i][q];
                        sum += w * d, size += fabs(w * d);
                    }
                    free(v);
                }
                /* the change in two steps; the floor is float rounding of the parameters themselves */
                error = fabs(sum - g->sum) / (g->size + 1e-4);
                CHECK(error < 2e-3, "%s: %s moved by %.9g, PyTorch %.9g (of %.3g)", cases[k].name, name, sum, g->sum,
                      g->size);
                if (error > worst) worst = error, snprintf(where, sizeof where, "%s %s", cases[k].name, name);
            }
        }
        run_free(&r);
    }
    printf("   largest relative distance from PyTorch after two steps: %.2e (%s)\n", worst, where);
}

/* A loss that a method can have; SimSiam's is a cosine, Wasserstein's a difference. */
static int likely_loss(const char *name, double loss) {
    if (strncmp(name, "gan", 3) == 0) return loss > -100 && loss < 100 && loss != 0;
    return strncmp(name, "simsiam", 7) == 0 ? loss > -1 && loss < 1 && loss != 0 : loss > 0 && loss < 1000;
}
/* With views of its own: the same bits for every number of threads, the loss and the further number sensible. */
static void threads(void) {
    int k, n;
    for (k = 0; k < CASES; k++) {
        uint64_t first = 0;
        for (n = 1; n <= 7; n += n < 3 ? 1 : 4) {
            method_run r;
            if (run_case(&r, &cases[k], n, 0)) {
                uint64_t h = sslh_hash(r.m.net);
                if (n == 1) first = h;
                CHECK(h == first, "%s: %d threads change the bits", cases[k].name, n);
                CHECK(likely_loss(cases[k].name, (double)r.loss[0]), "%s: loss %g", cases[k].name, (double)r.loss[0]);
            }
            run_free(&r);
        }
    }
}

/* Two steps of every case, with views of its own, by the plain versions: their losses are those of the fast way. What
   they leave of a parameter is compared through the second loss. */
static void plain_steps(void) {
    double worst[2] = {0, 0};
    int k, s;
    for (k = 0; k < CASES; k++) {
        method_run fast, plain;
        int ok = run_case(&fast, &cases[k], 2, 0);
        plainly = 1;
        ok = run_case(&plain, &cases[k], 2, 0) && ok;
        plainly = 0;
        for (s = 0; ok && s < 2; s++) {
            double loss = (double)fast.loss[s], d = fabs((double)plain.loss[s] - loss) / (1 + fabs(loss));
            CHECK(d < (s ? 1e-4 : 1e-5), "%s: loss %d is %.9g, plainly %.9g", cases[k].name, s + 1, loss,
                  (double)plain.loss[s]);
            CHECK(fast.stream[s] == plain.stream[s], "%s: other random streams", cases[k].name);
            if (d > worst[s]) worst[s] = d;
        }
        run_free(&fast);
        run_free(&plain);
    }
    printf("   losses of the plain versions: relative distance at most %.1e in the first step, %.1e in the second\n",
           worst[0], worst[1]);
}

/* The name and the further number are there; the printed settings name the method. */
static void printed(void) {
    int k;
    for (k = 0; k < CASES; k++) {
        sslh_ctx *c = create(1);
        sslh_method m = make_method(c, cases[k].name);
        char text[400];
        size_t n = sslh_method_print(&m, text, sizeof text);
        CHECK_OK(c);
        CHECK(n > 20 && strncmp(text, m.name, strlen(m.name)) == 0, "%s", text);
        CHECK(m.numbers[0].name && m.numbers[0].name[0], "no further number");
        CHECK(sslh_method_print(&m, text, 5) == n && strlen(text) == 4, "cut");
        sslh_destroy(c);
    }
}

#if SSLH_WITH_SIMCLR && SSLH_WITH_MOCO && SSLH_WITH_ROTATION && SSLH_WITH_VAE && SSLH_WITH_MAE
#define WRONG(text, call)                                                                                              \
    do {                                                                                                               \
        (void)(call);                                                                                                  \
        CHECK_ERROR(c, text);                                                                                          \
    } while (0)
static void wrong_use(void) {
    sslh_ctx *c = create(1), *other = create(1);
    sslh_simclr_desc sd;
    sslh_rotation_desc rd;
    sslh_vae_desc vd;
    sslh_mae_desc md;
    sslh_train_desc td;
    sslh_method m;
    int k;
    memset(&sd, 0, sizeof sd), memset(&rd, 0, sizeof rd), memset(&vd, 0, sizeof vd), memset(&md, 0, sizeof md),
        memset(&td, 0, sizeof td);
    WRONG("sslh_simclr", sslh_simclr(c, NULL, sd));
    WRONG("sslh_simclr", sslh_simclr(c, convnet(other, 4, 4), sd));
    sd.temperature = -2;
    WRONG("temperature", sslh_simclr(c, convnet(c, 4, 4), sd));
    sd.temperature = 0;
    rd.rotations = 3;
    WRONG("sslh_rotation", sslh_rotation(c, convnet(c, 4, 4), rd));
    rd.rotations = 0;
    WRONG("sslh_vae", sslh_vae(c, vd));
    WRONG("sslh_mae", sslh_mae(c, convnet(c, 4, 4), md));
    md.mask = 0.99f;
    WRONG("sslh_mae", sslh_mae(c, vit(c, 0), md));
    md.mask = 0, md.decoder_width = 10, md.decoder_heads = 3;
    WRONG("sslh_mae", sslh_mae(c, vit(c, 0), md));
    /* a batch of one for contrastive learning */
    m = sslh_simclr(c, convnet(c, 4, 4), sd);
    td.quiet = 1, td.epochs = 1, td.batch = 1;
    WRONG("batch", sslh_train(c, m, data_for(c, "simclr"), td));
    /* what belongs to one method, called with another or with one that was not made */
    for (k = 0; k < 3; k++) {
        sslh_tensor *x = sslh_zeros(c, sslh_dim4(2, 4, 4, 3)), *a = NULL, *b = NULL;
        const char *vae = k == 0 ? "'simclr' was not made by sslh_vae" : k == 1 ? "'mine'" : "could not be made";
        const char *mae = k == 0 ? "'simclr' was not made by sslh_mae" : k == 1 ? "'mine'" : "could not be made";
        int self = 1;
        if (k == 1) m = sslh_method_new(c, "mine", NULL, &self, sizeof self);
        if (k == 2) {
            m = sslh_vae(c, vd);
            sslh_clear_error(c);
        }
        WRONG(vae, (sslh_vae_encode(&m, x, &a, &b), 0));
        CHECK(a && b && a->count == 1, "no dummies");
        WRONG(vae, sslh_vae_decode(&m, sslh_zeros(c, sslh_dim2(1, 4))));
        WRONG(vae, sslh_vae_evaluate(&m, data_for(c, "vae")));
        if (k == 2) {
            md.mask = 1e30f; /* no number of patches */
            m = sslh_mae(c, vit(c, 0), md);
            CHECK_ERROR(c, "mask");
        }
        WRONG(mae, (sslh_mae_reconstruct(&m, x, 0, &a, &b), 0));
        CHECK(a && b && a->count == 1, "no dummies");
    }
    WRONG("sslh_gaussian_kl", sslh_gaussian_kl(c, sslh_scalar(c, 0), sslh_scalar(c, 0)));
    WRONG("sslh_gaussian_kl", sslh_gaussian_kl(c, NULL, sslh_scalar(c, 0)));
    /* images that are not square cannot be turned */
    td.batch = 8;
    m = sslh_rotation(c, convnet(c, 4, 4), rd);
    WRONG("square", sslh_train(c, m, data_for(c, "vae"), td));
    sslh_destroy(c);
    sslh_destroy(other);
}
#endif

/* --- methods by name
 * -------------------------------------------------------------------------------------------------- */

/* A method of the list with an encoder that it can use, and texts in which sentences end. */
static sslh_method by_name(sslh_ctx *c, const sslh_method_info *info, sslh_data data, const char *settings) {
    if (strcmp(info->name, "sentence_order") == 0) settings = "sentences=2 sentence_end=3";
    return sslh_method_make(c, info->name, encoder_for(c, info->name), data, settings);
}
static sslh_train_desc two_steps(void) {
    sslh_train_desc d;
    memset(&d, 0, sizeof d);
    d.quiet = 1, d.epochs = 2, d.batch = 8, d.max_steps = 2;
    return d;
}

/* Every row is complete; every method is made by its name, trains two steps and goes on from a checkpoint bit for bit.
 */
static void every_method(void) {
    static const char *const families[] = {
        "pretext task", "video", "generative", "contrastive", "self-distillation", "redundancy and clusters",
        "masked", "words and sequences", "items", "transfer", "semi-supervised"};
    const int n_families = (int)(sizeof families / sizeof families[0]);
    const sslh_method_info *m;
    int count = -1, rows = 0, family = 0;
    char path[512];
    snprintf(path, sizeof path, "%s", test_temporary("by_name.safetensors"));
    for (m = sslh_methods(&count); m->name; m++, rows++) {
        sslh_ctx *c = create(2);
        sslh_data data = data_for(c, "any");
        sslh_train_desc d = two_steps();
        sslh_method a;
        uint64_t before, whole;
        char text[8192], function[64];
        double loss;
        while (family < n_families && strcmp(families[family], m->family) != 0) family++;
        CHECK(family < n_families, "%s: family \"%s\" is unknown or out of order", m->name, m->family);
        CHECK(m->title[0] && m->authors[0] && strlen(m->paper) > 10 && m->learns_by[0] && m->input[0] &&
                  m->numbers[0] && m->numbers[0][0],
              "%s: an empty column", m->name);
        CHECK(m->year > 1950 && m->year < 2100 && atoi(m->venue + strlen(m->venue) - 4) == m->year, "%s: %s, %d",
              m->name, m->venue, m->year);
        CHECK(strncmp(m->switch_name, "SSLH_WITH_", 10) == 0, "%s", m->switch_name);
        snprintf(function, sizeof function, "sslh_%s", m->name);
        CHECK(strcmp(m->function, function) == 0, "%s", m->function);
        CHECK(sslh_method_describe(m->name, text, sizeof text) == strlen(text) && strlen(text) > 100,
              "%s is not described", m->name);
        CHECK(sslh_method_describe(m->name, text, 5) > 100 && strlen(text) == 4, "cut");
        if (m->make) {
            a = by_name(c, m, data, NULL);
            if (CHECK(!sslh_error(c), "%s: %s", m->name, sslh_error(c))) {
                CHECK(a.info == m && strcmp(a.name, m->name) == 0 && strcmp(a.numbers[0].name, m->numbers[0]) == 0,
                      "%s: its row", m->name);
                before = sslh_hash(a.net);
                loss = (double)sslh_train(c, a, data, d);
                CHECK(!sslh_error(c) && likely_loss(m->name, loss), "%s: loss %g, %s", m->name, loss,
                      sslh_error(c) ? sslh_error(c) : "no error");
                whole = sslh_hash(a.net);
                CHECK(whole != before, "%s: nothing moved", m->name);
                d.max_steps = 1, d.checkpoint = path;
                sslh_destroy(c);
                c = create(2), data = data_for(c, "any");
                sslh_train(c, by_name(c, m, data, ""), data, d);
                sslh_destroy(c);
                c = create(2), data = data_for(c, "any");
                d.max_steps = 2, d.resume = 1;
                a = by_name(c, m, data, " , ");
                sslh_train(c, a, data, d);
                CHECK_OK(c);
                CHECK(sslh_hash(a.net) == whole, "%s: other bits after a resume", m->name);
                test_remove(path);
            }
        } else {
            by_name(c, m, data, NULL);
            CHECK_ERROR(c, m->function); /* the sentence says what to call */
        }
        sslh_destroy(c);
    }
    CHECK(rows == count && rows >= SSLH_WITH_ROTATION + SSLH_WITH_JIGSAW + SSLH_WITH_CONTEXT + SSLH_WITH_INPAINTING +
                                     SSLH_WITH_COLORIZATION + SSLH_WITH_SIMCLR + SSLH_WITH_MOCO + SSLH_WITH_VAE +
                                     SSLH_WITH_AUTOENCODER + SSLH_WITH_MAE + SSLH_WITH_BYOL + SSLH_WITH_SIMSIAM +
                                     SSLH_WITH_BARLOW + SSLH_WITH_VICREG + SSLH_WITH_SUPCON + SSLH_WITH_NNCLR +
                                     SSLH_WITH_SWAV + SSLH_WITH_DINO + SSLH_WITH_JEPA + SSLH_WITH_NEXT_FRAME +
                                     SSLH_WITH_FRAME_ORDER,
          "%d methods, count says %d", rows, count);
}

/* The place of a field in a descriptor of 0; NULL when the method has no such field. */
static const void **pointer_field(const sslh_method_info *info, void *desc, const char *name) {
    int i;
    for (i = 0; info->make && i < info->settings_count; i++)
        if (strcmp(info->settings[i].name, name) == 0)
            return (const void **)(void *)((char *)desc + info->settings[i].offset);
    return NULL;
}
/* Probes see what training saw: the caller's mean and deviation are those of the encoder from then on, and where a
   recipe has none, nothing else is left there. Methods that normalise by themselves do it by the data. */
static void given_recipes(void) {
    static const char *const themselves = " jigsaw context inpainting colorization next_frame cpc2 ";
    static const float none[4] = {0, 0, 0, 0}, kept_mean[4] = {0.25f, 0, -3, 0};
    const sslh_method_info *info;
    int way, found = 0;
    for (info = sslh_methods(NULL); info->name; info++)
        for (way = 0; way < 2; way++) {
            sslh_ctx *c = create(1);
            sslh_data data = data_for(c, "any");
            sslh_net *encoder = encoder_for(c, info->name);
            void *desc = calloc(1, info->desc_size);
            const void **views = pointer_field(info, desc, "views");
            char word[64];
            snprintf(word, sizeof word, " %s ", info->name);
            if (views && !strstr(themselves, word)) {
                sslh_recipe r = SSLH_VIEWS_NONE;
                sslh_preprocess p = {0, 0, 0, {0, 0, 0, 0}, {0, 0, 0, 0}, 0};
                sslh_method m;
                p.mean[1] = 0.5f, p.std[1] = 0.5f;
                sslh_set_preprocess(encoder, p);
                /* the second channel has a mean and no deviation: views leave it as it is */
                if (way) r.mean[0] = 0.25f, r.mean[1] = 9, r.mean[2] = -3, r.std[0] = 0.5f, r.std[2] = 2;
                *views = &r;
                m = info->make(c, encoder, data, desc);
                m.prepare(&m, data);
                CHECK_OK(c);
                p = sslh_get_preprocess(encoder);
                CHECK(p.height == 8 && p.width == 8 && p.channels == 3, "%s: %d x %d x %d", info->name, p.height,
                      p.width, p.channels);
                CHECK(!memcmp(p.mean, way ? kept_mean : none, sizeof none) && !memcmp(p.std, r.std, sizeof none),
                      "%s: another normalisation", info->name);
                found++;
            }
            free(desc);
            sslh_destroy(c);
        }
    CHECK(found >= 2 * (SSLH_WITH_ROTATION + SSLH_WITH_FRAME_ORDER + SSLH_WITH_SIMCLR + SSLH_WITH_MOCO +
                        SSLH_WITH_SUPCON + SSLH_WITH_NNCLR + SSLH_WITH_BYOL + SSLH_WITH_SIMSIAM + SSLH_WITH_DINO +
                        SSLH_WITH_BARLOW + SSLH_WITH_VICREG + SSLH_WITH_SWAV + SSLH_WITH_MAE + SSLH_WITH_JEPA),
          "%d methods have recipes", found / 2);
}
/* A descriptor's text is the caller's and may be gone when the method runs. */
static void given_names(void) {
    const sslh_method_info *info;
    int found = 0;
    for (info = sslh_methods(NULL); info->name; info++) {
        sslh_ctx *c = create(1);
        sslh_data data = data_for(c, "any");
        void *desc = calloc(1, info->desc_size);
        const void **tap = pointer_field(info, desc, "tap");
        if (tap) {
            char name[16] = "block1", text[2000];
            sslh_method m;
            *tap = name;
            m = info->make(c, encoder_for(c, info->name), data, desc);
            memset(name, 'x', sizeof name - 1);
            sslh_train(c, m, data, two_steps());
            CHECK(!sslh_error(c), "%s: %s", info->name, sslh_error(c));
            sslh_method_print(&m, text, sizeof text);
            CHECK(strstr(text, " tap=block1"), "%s", text);
            found++;
        }
        free(desc);
        sslh_destroy(c);
    }
    CHECK(found >= SSLH_WITH_ROTATION + SSLH_WITH_JIGSAW + SSLH_WITH_CONTEXT + SSLH_WITH_INPAINTING +
                       SSLH_WITH_COLORIZATION + SSLH_WITH_NEXT_FRAME + SSLH_WITH_FRAME_ORDER,
          "%d methods have a tap", found);
}

/* Every method that could not be made, in all that can be done with one: while the error stands nothing happens, and
   when it has been cleared each call is an error of its own. */
static void methods_not_made(void) {
    const sslh_method_info *info;
    for (info = sslh_methods(NULL); info->name; info++) {
        sslh_ctx *c = create(1);
        sslh_data data = data_for(c, "any");
        sslh_optimizer_desc od;
        sslh_loader_desc ld;
        sslh_probe_desc pd;
        sslh_optimizer *o;
        sslh_loader *loader;
        sslh_batch batch;
        sslh_view_set views;
        sslh_method m;
        char text[400], path[512];
        int cleared;
        if (!info->make) {
            sslh_destroy(c);
            continue;
        }
        snprintf(path, sizeof path, "%s", test_temporary("not_made.safetensors"));
        memset(&od, 0, sizeof od), memset(&ld, 0, sizeof ld), memset(&pd, 0, sizeof pd);
        memset(&views, 0, sizeof views);
        o = sslh_optimizer_new(c, od);
        ld.batch = 8;
        loader = sslh_loader_new(c, data, ld);
        sslh_next_batch(loader, &batch);
        CHECK_OK(c);
        sslh_fail(c, SSLH_E_USAGE, "provoked");
        m = by_name(c, info, data, NULL);
#define INERT(call)                                                                                                    \
    do {                                                                                                               \
        (void)(call);                                                                                                  \
        if (cleared) CHECK_ERROR(c, "could not be made");                                                              \
        else CHECK(strcmp(sslh_error(c), "provoked") == 0, "%s: the first error stays", info->name);                   \
    } while (0)
        for (cleared = 0; cleared < 2; cleared++) {
            if (cleared) sslh_clear_error(c);
            INERT((m.prepare(&m, data), 0));
            INERT((m.views(&m, &batch, &views), 0));
            INERT(m.loss(&m, &views, 0));
            INERT(sslh_train(c, m, data, two_steps()));
            INERT(sslh_method_step(&m, o, &batch, 0.1f));
            INERT((sslh_optimizer_add(o, m.net), 0));
            INERT((sslh_save_checkpoint(&m, o, 1, path), 0));
            INERT(sslh_load_checkpoint(&m, o, path));
            INERT(sslh_linear_probe(c, m.encoder, data, data, pd));
            INERT(sslh_forward(m.encoder, sslh_zeros(c, sslh_dim1(1))));
            sslh_method_print(&m, text, sizeof text);
        }
        CHECK_OK(c);
        /* one that was made, with an optimiser or a batch that was not; and when an error comes later */
        m = by_name(c, info, data, NULL);
        CHECK_OK(c);
        cleared = 1;
        INERT(sslh_method_step(&m, NULL, &batch, 0.1f));
        INERT((sslh_save_checkpoint(&m, NULL, 1, path), 0));
        sslh_method_step(&m, o, NULL, 0.1f);
        CHECK_ERROR(c, "batch is NULL");
        sslh_fail(c, SSLH_E_USAGE, "provoked");
        m.prepare(&m, data);
        m.views(&m, &batch, &views);
        m.loss(&m, &views, 0);
        CHECK_ERROR(c, "provoked");
        m.prepare(&m, data);
        CHECK_OK(c);
        sslh_destroy(c);
    }
    { /* nothing at all in it */
        sslh_method m;
        memset(&m, 0, sizeof m);
        CHECK(sslh_method_step(&m, NULL, NULL, 0.1f) == 0 && sslh_method_step(NULL, NULL, NULL, 0.1f) == 0, "empty");
    }
}

/* A NaN in one test image is no class and no loss like any other: the image is named. */
static void nan_test_image(void) {
    static float pixels[300 * 5 * 4 * 3];
    static int32_t labels[300];
    sslh_ctx *c = create(1);
    sslh_field f;
    sslh_data train, test;
    sslh_finetune_desc fd;
    int i, bad;
    for (i = 0; i < (int)(sizeof pixels / sizeof pixels[0]); i++) pixels[i] = (float)(i * 7 % 64) / 64;
    for (i = 0; i < 300; i++) labels[i] = i % 2;
    memset(&f, 0, sizeof f), memset(&fd, 0, sizeof fd);
    f.kind = SSLH_FIELD_IMAGE, f.type = SSLH_F32, f.shape = sslh_dim3(5, 4, 3), f.values = pixels;
    train = sslh_data_from_fields(c, &f, 1, 300);
    train.labels = labels, train.classes = 2;
    test = train;
    train = sslh_data_range(train, 0, 32);
    CHECK_OK(c);
    fd.epochs = 1, fd.batch = 16;
    for (bad = 0; bad < 2; bad++) {
        if (bad) pixels[270 * 60 + 31] = (float)NAN;
        CHECK((sslh_finetune(c, convnet(c, 6, 10), train, test, fd) > 0) == !bad, "accuracy");
        if (bad) CHECK_ERROR(c, "sslh_finetune: what the net makes of test image 270 is NaN");
        else CHECK_OK(c);
#if SSLH_WITH_VAE
        {
            sslh_vae_desc d;
            sslh_vae_score score;
            sslh_method m;
            memset(&d, 0, sizeof d);
            d.height = 5, d.width = 4, d.channels = 3, d.hidden = 9, d.latent = 3;
            m = sslh_vae(c, d);
            score = sslh_vae_evaluate(&m, test);
            CHECK((score.loss > 0) == !bad && (score.reconstruction > 0) == !bad, "loss %g", (double)score.loss);
            if (bad) CHECK_ERROR(c, "sslh_vae_evaluate: the code of image 270 is NaN");
            else CHECK_OK(c);
            if (bad) continue;
            sslh_find(m.net, "decoder.fc4.bias")->data[0] = (sslh_real)NAN;
            score = sslh_vae_evaluate(&m, test);
            CHECK(score.loss == 0, "loss %g", (double)score.loss);
            CHECK_ERROR(c, "sslh_vae_evaluate: the loss of images 0 to 199 is NaN");
        }
#endif
    }
    sslh_destroy(c);
}

#if SSLH_WITH_MOCO || SSLH_WITH_NNCLR || SSLH_WITH_SWAV || SSLH_WITH_DINO
static int same_broken;
#endif
#if SSLH_WITH_MOCO || SSLH_WITH_NNCLR
/* Views in place of a method's own: the images of view 1 are those of view 0, or broken: each from another image. */
static void same_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_tensor *x = sslh_batch_images(m->ctx, *batch), *part[2];
    sslh_view_add(out, "view0", x);
    part[0] = sslh_slice(m->ctx, x, 0, 1, batch->count);
    part[1] = sslh_slice(m->ctx, x, 0, 0, 1);
    sslh_view_add(out, "view1", same_broken ? sslh_concat(m->ctx, part, 2, 0) : x);
}
#endif

#if SSLH_WITH_MOCO
static sslh_method moco_of(sslh_ctx *c, int version, int queue) {
    sslh_moco_desc d;
    memset(&d, 0, sizeof d);
    d.version = version, d.queue = queue, d.split = 1, d.head_out = 5;
    return sslh_moco(c, convnet(c, 6, 10), d);
}
/* What the method promises: a loss of ln(K+1) when all is equal, keys in the order of their coming, no gradient into
   the key encoder, and clear errors. */
static void moco(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "moco");
    sslh_method m = moco_of(c, 2, 24);
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_loader *l = loader_for(c, data, 8);
    sslh_batch b;
    sslh_tensor *queue, *place, *keys;
    sslh_moco_desc d;
    float rows[3][40], now[24 * 5], loss, hits;
    int step, i;
    memset(&od, 0, sizeof od);
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    m.views = same_views;
    queue = sslh_find(m.net, "queue");
    place = sslh_find(m.net, "queue_place");
    for (i = 0; i < 24; i++) {
        float n = 0;
        int j;
        for (j = 0; j < 5; j++) n += (float)(queue->data[5 * i + j] * queue->data[5 * i + j]);
        CHECK_NEAR(n, 1, 1e-5);
    }
    for (step = 0; step < 4; step++) { /* the fourth batch takes the place of the first */
        sslh_net *key_encoder, *key_head;
        CHECK(sslh_next_batch(l, &b), "a batch");
        key_encoder = sslh_child_at(m.net, 2), key_head = sslh_child_at(m.net, 3);
        sslh_no_grad(c, 1);
        keys = sslh_forward(key_head, sslh_global_avg_pool(c, sslh_forward(key_encoder, sslh_batch_images(c, b))));
        sslh_read(sslh_l2_normalize(c, keys, 0), rows[step % 3], 40);
        sslh_no_grad(c, 0);
        CHECK(place->ints[0] == step * 8 % 24, "place %d", (int)place->ints[0]);
        sslh_method_step(&m, o, &b, 0.1f);
        CHECK_OK(c);
        sslh_read(queue, now, 24 * 5);
        for (i = 0; i < 40; i++) CHECK_NEAR(now[step % 3 * 40 + i], rows[step % 3][i], 1e-6);
        for (i = 0; i < sslh_count_tensors(key_encoder); i++)
            CHECK(sslh_tensor_at(key_encoder, i, NULL, 0, NULL)->grad == NULL, "a gradient in the key encoder");
    }
    /* all queries, keys and the queue alike: ln(K+1) */
    for (i = 0; i < sslh_count_tensors(m.net); i++) {
        char name[128];
        sslh_tensor *t = sslh_tensor_at(m.net, i, name, sizeof name, NULL);
        size_t q;
        if (strncmp(name, "head.fc2", 8) != 0 && strncmp(name, "key_head.fc2", 12) != 0 && strcmp(name, "queue") != 0)
            continue;
        for (q = 0; q < t->count; q++) t->data[q] = ends_with(name, "weight") ? 0 : t == queue ? sqrtf(0.2f) : 1;
    }
    CHECK(sslh_next_batch(l, &b), "a batch");
    CHECK_CLOSE(sslh_method_step(&m, o, &b, 0), log(25.0), 1e-5);
    CHECK(m.numbers[0].value == 0, "a tie is no hit: %g", (double)m.numbers[0].value);
    CHECK_OK(c);

    /* breaking the positives raises the loss, and own keys are found */
    for (i = 2; i < 4; i++) {
        m = moco_of(c, i, 24);
        m.views = same_views;
        o = sslh_optimizer_new(c, od);
        sslh_optimizer_add(o, m.net);
        same_broken = 0;
        for (step = 0; i == 3 && step < 40; step++) { /* the predictor has to learn what the keys look like */
            sslh_next_batch(l, &b);
            sslh_method_step(&m, o, &b, 0.1f);
        }
        sslh_next_batch(l, &b);
        loss = sslh_method_step(&m, o, &b, 0);
        hits = m.numbers[0].value;
        CHECK(hits > (i == 3 ? 0.3f : 0.8f), "version %d: top-1 %g of equal views", i, (double)hits);
        sslh_next_batch(l, &b);
        same_broken = 1;
        CHECK(sslh_method_step(&m, o, &b, 0) > loss + 0.01f, "version %d: breaking the positives does not raise %g", i,
              (double)loss);
        CHECK(m.numbers[0].value < hits,
              "version %d: top-1 %g of broken views, %g of equal ones", i, (double)m.numbers[0].value, (double)hits);
        same_broken = 0;
    }
    CHECK_OK(c);

    m = moco_of(c, 2, 20);
    sslh_train(c, m, data, two_steps());
    CHECK_ERROR(c, "sslh_moco: a queue of 20 keys is no multiple of the 8 keys that a batch of 8 images makes: "
                   "set .queue to 16");
    memset(&d, 0, sizeof d);
    d.symmetric = 1, d.queue = 24;
    sslh_train(c, sslh_moco(c, convnet(c, 4, 4), d), data, two_steps());
    CHECK_ERROR(c, "no multiple of the 16 keys");
    d.split = 3;
    sslh_train(c, sslh_moco(c, convnet(c, 4, 4), d), data, two_steps());
    CHECK_ERROR(c, "a batch of 8 images cannot be split into 3 groups of one size");
    d.version = 4;
    sslh_moco(c, convnet(c, 4, 4), d);
    CHECK_ERROR(c, "sslh_moco: .version is 4 (1 to 3)");
    sslh_destroy(c);
}
/* The encoder's own split of batch norm is as before after a step, a failed one too. By default no group has one image
   alone, so that batch norm of vectors works with small batches. A view that only a split makes is not missed. */
static void moco_split(void) {
    static const int few[] = {8, 2, 3, 5, 6};
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "moco");
    sslh_net *encoder = convnet(c, 6, 10);
    sslh_moco_desc d;
    sslh_mlp_desc e;
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_loader *l = loader_for(c, data, 8);
    sslh_batch b;
    sslh_tensor *x, *whole, *half;
    sslh_method m;
    float rows[2][80];
    int i, k;
    memset(&d, 0, sizeof d), memset(&e, 0, sizeof e), memset(&od, 0, sizeof od);
    d.queue = 120, d.head_out = 5;
    sslh_split_batch_norm(encoder, 2);
    m = sslh_moco(c, encoder, d);
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    for (k = 0; k < 2; k++) {
        sslh_next_batch(l, &b);
        if (k) sslh_param(m.encoder, 0)->data[0] = (sslh_real)strtod("inf", NULL);
        sslh_method_step(&m, o, &b, 0.1f);
        if (k) CHECK(sslh_error_code(c) == SSLH_E_NAN, "code %d", (int)sslh_error_code(c));
        sslh_clear_error(c);
        sslh_param(m.encoder, 0)->data[0] = 0;
        sslh_next_batch(l, &b);
        sslh_no_grad(c, 1);
        x = sslh_batch_images(c, b);
        whole = sslh_forward(encoder, x); /* groups of 4 */
        sslh_read(whole, rows[0], 80);
        sslh_split_batch_norm(encoder, 1);
        half = sslh_forward(encoder, sslh_slice(c, x, 0, 0, 4));
        sslh_read(half, rows[1], 40);
        sslh_split_batch_norm(encoder, 2);
        sslh_no_grad(c, 0);
        CHECK_OK(c);
        for (i = 0; i < 40; i++) CHECK_NEAR(rows[0][i], rows[1][i], 1e-5);
    }
    e.in = 192, e.widths[0] = 10, e.widths[1] = 8, e.batch_norm = 1;
    for (i = 0; i < (int)(sizeof few / sizeof few[0]); i++) {
        m = sslh_moco(c, sslh_mlp(c, e), d);
        o = sslh_optimizer_new(c, od);
        sslh_optimizer_add(o, m.net);
        CHECK(sslh_next_batch(loader_for(c, data, few[i]), &b) && b.count == few[i], "a batch");
        sslh_method_step(&m, o, &b, 0.1f);
        CHECK(!sslh_error(c), "%d images: %s", few[i], sslh_error(c));
        sslh_clear_error(c);
    }
    d.split = 1;
    m = sslh_moco(c, convnet(c, 6, 10), d);
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    sslh_next_batch(l, &b);
    sslh_method_step(&m, o, &b, 0.1f);
    CHECK_OK(c);
    sslh_add(c, NULL, NULL);
    CHECK(sslh_error(c) && !strstr(sslh_error(c), "view"), "%s", sslh_error(c) ? sslh_error(c) : "no error");
    sslh_destroy(c);
}
/* Version 3 raises the momentum to 1: the key encoder stands still in the end. The patch projection never moves. */
/* A queue beyond the data set is warned of, once a training and to whoever wants to hear it; the training goes on. */
static void moco_warn(void *user, const char *text) {
    char *all = (char *)user;
    strncat(all, text, 1023 - strlen(all));
}
static void moco_warning(void) {
    static const struct { int version, queue, warns; } row[] = {{2, 40, 1}, {1, 48, 1}, {2, 16, 0}, {3, 48, 0}};
    static uint8_t pixels[16 * 8 * 8 * 3];
    char all[1024];
    int i;
    for (i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 % 251);
    for (i = 0; i < 4; i++) {
        sslh_desc d;
        sslh_ctx *c;
        memset(&d, 0, sizeof d);
        d.threads = 1, d.warn = moco_warn, d.user = all;
        all[0] = 0;
        c = sslh_create(d);
        sslh_train(c, moco_of(c, row[i].version, row[i].queue), sslh_data_from_images(c, pixels, 16, 8, 8, 3, NULL),
                   two_steps());
        CHECK_OK(c);
        if (row[i].warns) {
            char want[256];
            snprintf(want, sizeof want,
                     "sslh_moco: a queue of %d keys is longer than the data set of 16 images: queries meet "
                     "other keys of their own image as wrong answers; choose a smaller .queue",
                     row[i].queue);
            CHECK(!strcmp(all, want), "%s", all);
        } else CHECK(!all[0], "version %d, queue %d: %s", row[i].version, row[i].queue, all);
        sslh_destroy(c);
    }
}

static void moco_momentum(void) {
    sslh_ctx *c = create(1);
    sslh_moco_desc d;
    sslh_method m;
    sslh_net *encoder = vit(c, 0), *key;
    sslh_loader *l = loader_for(c, data_for(c, "moco"), 8);
    sslh_optimizer *o;
    sslh_batch b;
    float before[3], moved[8], w[2][12 * 12];
    sslh_tensor *p;
    int step;
    memset(&d, 0, sizeof d);
    d.version = 3, d.key_momentum = 0.5f;
    m = sslh_moco(c, encoder, d);
    o = sslh_optimizer_new(c, m.defaults.optimizer);
    sslh_optimizer_add(o, m.net);
    m.steps = 8;
    key = sslh_child_at(m.net, 3);
    p = sslh_find(key, "norm.weight");
    sslh_read(sslh_find(encoder, "patch_embed.proj.weight"), w[0], 12 * 12);
    for (step = 0; step < 8; step++) {
        float source, expected = 1 - 0.5f * 0.5f * (1 + cosf(3.14159265f * (float)(step + 1) / 8));
        CHECK(sslh_next_batch(l, &b), "a batch");
        before[0] = (float)p->data[0];
        sslh_method_step(&m, o, &b, 0.01f);
        source = (float)sslh_find(encoder, "norm.weight")->data[0];
        moved[step] = ((float)p->data[0] - source) / (before[0] - source); /* m */
        CHECK(fabsf(moved[step] - expected) < 2e-3f, "step %d: m is %g, not %g", step, (double)moved[step],
              (double)expected);
    }
    CHECK(m.step == 7, "step %ld", (long)m.step);
    sslh_read(sslh_find(encoder, "patch_embed.proj.weight"), w[1], 12 * 12);
    CHECK(memcmp(w[0], w[1], sizeof w[0]) == 0, "the patch projection moved");
    CHECK_OK(c);
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_INPAINTING
static float square_sum(const sslh_tensor *a, const sslh_tensor *b, const sslh_tensor *mask, int inside) {
    double sum = 0;
    size_t i, channels = (size_t)a->shape[3];
    for (i = 0; i < a->count; i++) {
        double d = (double)a->data[i] - (double)b->data[i];
        if ((mask->data[i / channels] != 0) == inside) sum += d * d;
    }
    return (float)sum;
}
static sslh_method inpainting_of(sslh_ctx *c, int hole, float adversarial) {
    sslh_inpainting_desc d;
    memset(&d, 0, sizeof d);
    d.hole = hole, d.adversarial = adversarial, d.decoder_width = 8, d.discriminator_width = 4;
    return sslh_inpainting(c, convnet_map(c, 8, 16), d);
}
/* 64 images of 16 x 16: each of two colours of its own, above and below. */
static sslh_data two_colours(sslh_ctx *c) {
    static uint8_t pixels[64 * 16 * 16 * 3];
    int i;
    for (i = 0; i < (int)sizeof pixels; i++) {
        int image = i / 768, lower = i % 768 / 384;
        pixels[i] = (uint8_t)(sslh_random_below(9, (uint64_t)(image * 2 + lower), (uint64_t)(i % 3), 250));
    }
    return sslh_data_from_images(c, pixels, 64, 16, 16, 3, NULL);
}

/* Holes have the size that was asked for, whatever the images' sides, and are others for each image
   but in the middle. */
static void inpainting_holes(void) {
    static const int sides[4][2] = {{8, 8}, {28, 28}, {20, 33}, {5, 3}};
    static uint8_t pixels[40 * 28 * 33];
    int hole, i, n, k;
    for (hole = 1; hole <= 4; hole++)
        for (i = 0; i < 4; i++) {
            sslh_ctx *c = create(1);
            int H = sides[i][0], W = sides[i][1], alike = 0;
            sslh_data data = sslh_data_from_images(c, pixels, 40, H, W, 1, NULL);
            sslh_inpainting_desc d;
            sslh_convnet_desc e;
            sslh_method m;
            sslh_batch batch;
            sslh_view_set views;
            sslh_tensor *mask;
            double all = 0;
            memset(&d, 0, sizeof d), memset(&e, 0, sizeof e), memset(&views, 0, sizeof views);
            e.channels = 1, e.widths[0] = 4, e.map_output = 1;
            d.hole = hole;
            m = sslh_inpainting(c, sslh_convnet(c, e), d);
            sslh_next_batch(loader_for(c, data, 40), &batch);
            m.views(&m, &batch, &views);
            CHECK_OK(c);
            mask = sslh_view_get(&views, "mask");
            for (n = 0; n < 40; n++) {
                const sslh_real *v = mask->data + n * H * W;
                int hidden = 0;
                for (k = 0; k < H * W; k++) hidden += v[k] == 1;
                all += hidden / (40.0 * H * W);
                for (k = 0; k < n; k++) alike += memcmp(v, mask->data + k * H * W, (size_t)(H * W) * sizeof *v) == 0;
                if (hole == 2) /* one pixel more where the noise is as high */
                    CHECK(hidden >= (int)(0.2 * H * W) && hidden <= 0.3 * H * W + 1,
                          "region of %d in %d x %d", hidden, H, W);
                if (hole == 3)
                    CHECK(hidden >= (int)(0.25 * H * W) && hidden < 0.45 * H * W,
                          "blocks of %d in %d x %d", hidden, H, W);
                if (hole == 1)
                    CHECK(v[H / 2 * W + W / 2] == 1 && v[0] == 0 &&
                              fabs(hidden / (double)(H * W) - 0.25) < (i == 3 ? 0.2 : 0.03),
                          "rectangle of %d in %d x %d", hidden, H, W);
            }
            if (hole == 4 && i < 3) CHECK_NEAR(all, 0.5, 0.05);
            CHECK(hole == 1 ? alike == 40 * 39 / 2 : i == 3 || alike == 0,
                  "hole %d: %d pairs of masks are alike", hole, alike);
            sslh_destroy(c);
        }
}

/* However small its share, a hole is never empty: without a pixel to paint the loss would be 0. */
static void inpainting_small_holes(void) {
    int hole;
    for (hole = 1; hole <= 4; hole++) {
        sslh_ctx *c = create(1);
        sslh_inpainting_desc d;
        sslh_method m;
        sslh_batch batch;
        sslh_view_set views;
        sslh_tensor *mask;
        size_t i, n, hidden;
        memset(&d, 0, sizeof d), memset(&views, 0, sizeof views);
        d.hole = hole, d.area = 1e-6f;
        m = sslh_inpainting(c, convnet_map(c, 4, 4), d);
        sslh_next_batch(loader_for(c, data_for(c, "any"), 20), &batch);
        m.views(&m, &batch, &views);
        CHECK_OK(c);
        mask = sslh_view_get(&views, "mask");
        for (n = 0; n < 20; n++) {
            for (i = hidden = 0; i < 64; i++) hidden += mask->data[64 * n + i] == 1;
            CHECK(hidden >= 1 && hidden <= 16, "hole %d of %d pixels", hole, (int)hidden);
        }
        sslh_destroy(c);
    }
}

static sslh_tensor *(*inpainting_loss_of)(sslh_method *m, const sslh_view_set *v, int phase);
static sslh_tensor *inpainting_second_phase(sslh_method *m, const sslh_view_set *v, int phase) {
    (void)phase;
    return inpainting_loss_of(m, v, 1);
}
/* A decoder that gives 0 and a discriminator that gives 0: every loss is known.
   What the ring weighs. Who moves when. */
static void inpainting_losses(void) {
    sslh_ctx *c = create(2);
    sslh_data data = two_colours(c);
    sslh_inpainting_desc d;
    sslh_method m = inpainting_of(c, 1, 0.25f);
    sslh_optimizer *o;
    sslh_batch batch;
    sslh_view_set views;
    sslh_tensor *x;
    sslh_real before[2];
    double want = 0, hole = 0, loss;
    int n, i, j, k, phase;
    memset(&views, 0, sizeof views), memset(&d, 0, sizeof d);
    sslh_next_batch(loader_for(c, data, 32), &batch);
    m.views(&m, &batch, &views);
    x = sslh_view_get(&views, "images");
    CHECK_OK(c);
    for (n = 0; n < 32; n++) /* a hole of 8 x 8 and a ring of 2 */
        for (i = 2; i < 14; i++)
            for (j = 2; j < 14; j++)
                for (k = 0; k < 3; k++) {
                    double t = 2 * (double)x->data[((n * 16 + i) * 16 + j) * 3 + k] - 1;
                    int inside = i >= 4 && i < 12 && j >= 4 && j < 12;
                    want += t * t * (inside ? 1 : 10);
                    if (inside) hole += t * t / 4;
                }
    want = want / (32 * 12 * 12 * 3), hole = hole / (32 * 8 * 8 * 3);
    zero_tensor(&m, "decoder.deconv2.weight");
    zero_tensor(&m, "discriminator.fc.weight");
    CHECK_CLOSE(sslh_item(m.loss(&m, &views, 0)), 2 * log(2.0), 1e-6);
    loss = (double)sslh_item(m.loss(&m, &views, 1));
    CHECK_CLOSE(loss, 0.75 * want + 0.25 * log(2.0), 1e-5);
    CHECK_CLOSE(m.numbers[0].value, -10 * log10(hole), 1e-5);
    CHECK_CLOSE(m.numbers[1].value, 2 * log(2.0), 1e-6);
    CHECK_CLOSE(m.numbers[2].value, log(2.0), 1e-6);
    CHECK(strcmp(m.numbers[0].name, "PSNR") == 0 && strcmp(m.numbers[2].name, "G loss") == 0 && !m.numbers[3].name,
          "names");
    d.hole = 1, d.overlap = SSLH_OFF; /* no ring, no discriminator: four times what PSNR counts */
    m = sslh_inpainting(c, convnet_map(c, 8, 16), d);
    zero_tensor(&m, "decoder.deconv2.weight");
    CHECK_CLOSE(sslh_item(m.loss(&m, &views, 0)), 4 * hole, 1e-5);
    CHECK(m.phases == 1 && strcmp(m.numbers[0].name, "PSNR") == 0 && !m.numbers[1].name, "one phase, one number");
    /* each phase alone: the first moves the discriminator, the second everything else */
    for (phase = 0; phase < 2; phase++) {
        static const char *const names[2] = {"discriminator.conv1.weight", "encoder.conv1.weight"};
        m = inpainting_of(c, 1, 0.5f);
        o = sslh_optimizer_new(c, m.defaults.optimizer);
        sslh_optimizer_add(o, m.net);
        m.phases = 1;
        m.groups[0] = m.groups[phase];
        inpainting_loss_of = m.loss;
        if (phase) m.loss = inpainting_second_phase;
        for (k = 0; k < 2; k++) before[k] = sslh_find(m.net, names[k])->data[0];
        sslh_method_step(&m, o, &batch, 0.01f);
        CHECK_OK(c);
        for (k = 0; k < 2; k++)
            CHECK((sslh_find(m.net, names[k])->data[0] != before[k]) == (k == phase),
                  "phase %d: %s %s", phase, names[k], k == phase ? "rested" : "moved");
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* It learns what stands around: a trained net paints better than mean colour, and worse into holes of other images. */
static void inpainting_learns(void) {
    sslh_ctx *c = create(2);
    sslh_data data = two_colours(c);
    sslh_method m = inpainting_of(c, 1, 0);
    sslh_train_desc t;
    sslh_batch batch;
    sslh_view_set views;
    sslh_tensor *x, *mask, *part[2], *other, *filled, *mean;
    uint8_t hole[16 * 16];
    float own, grey, wrong;
    int i;
    memset(&t, 0, sizeof t), memset(&views, 0, sizeof views);
    t.quiet = 1, t.batch = 16, t.epochs = 60, t.lr = 0.005f;
    sslh_train(c, m, data, t);
    sslh_next_batch(loader_for(c, data, 64), &batch);
    m.views(&m, &batch, &views);
    x = sslh_view_get(&views, "images"), mask = sslh_view_get(&views, "mask");
    filled = sslh_inpaint(&m, x, mask);
    CHECK_OK(c);
    CHECK(square_sum(filled, x, mask, 0) == 0, "what is seen has changed");
    own = square_sum(filled, x, mask, 1);
    mean = sslh_mean(c, x, SSLH_AXIS(0) | SSLH_AXIS(1) | SSLH_AXIS(2), 1);
    grey = square_sum(sslh_broadcast(c, mean, sslh_shape_of(x)), x, mask, 1);
    part[0] = sslh_slice(c, x, 0, 1, 64), part[1] = sslh_slice(c, x, 0, 0, 1);
    other = sslh_concat(c, part, 2, 0);
    wrong = square_sum(sslh_inpaint(&m, other, mask), x, mask, 1);
    CHECK(own < 0.5f * grey, "squared error %g, of the mean colour %g", (double)own, (double)grey);
    CHECK(wrong > 2 * own, "into holes of other images: %g, own ones %g", (double)wrong, (double)own);
    /* what stands in a hole is not read; forms of masks; the net's mode and the tape are as before */
    CHECK(square_sum(sslh_inpaint(&m, sslh_where(c, mask, sslh_scalar(c, 7), x), mask), filled, mask, 1) == 0,
          "it looked");
    for (i = 0; i < 256; i++) hole[i] = mask->data[i] != 0 ? 255 : 0; /* the same in all images */
    CHECK(square_sum(sslh_inpaint(&m, x, sslh_from_bytes(c, sslh_dim2(16, 16), hole)), filled, mask, 1) == 0,
          "8-bit (H,W)");
    CHECK(square_sum(sslh_inpaint(&m, x, sslh_reshape(c, mask, sslh_dim3(64, 16, 16))), filled, mask, 1) == 0,
          "(N,H,W)");
    CHECK(square_sum(sslh_inpaint(&m, x, sslh_zeros(c, sslh_dim2(16, 16))), x, mask, 1) == 0, "no hole");
    sslh_train_mode(m.net, 1);
    filled = sslh_inpaint(&m, sslh_requires_grad(x), mask);
    CHECK(sslh_is_training(m.net) && !filled->grad, "training mode, no gradient");
    CHECK_OK(c);
    sslh_destroy(c);
}

static void inpainting_errors(void) {
    sslh_ctx *c = create(1), *elsewhere = create(1);
    sslh_data data = data_for(c, "any");
    sslh_inpainting_desc d;
    sslh_method m, vae;
    sslh_vae_desc vd;
    sslh_tensor *x = sslh_persist(sslh_full(c, sslh_dim4(2, 8, 8, 3), 0.5f));
    memset(&d, 0, sizeof d), memset(&vd, 0, sizeof vd);
    sslh_inpainting(c, convnet(c, 4, 8), d);
    CHECK_ERROR(c, "gives no map that is smaller than the image; make it with .map_output, "
                   "or name an intermediate map by .tap");
    d.tap = "block1";
    m = sslh_inpainting(c, convnet(c, 4, 8), d);
    CHECK_OK(c);
    sslh_inpaint(&m, x, sslh_zeros(c, sslh_dim2(8, 7)));
    CHECK_ERROR(c, "sslh_inpaint: a mask (8,7) does not fit images (2,8,8,3)");
    sslh_inpaint(&m, x, sslh_zeros(c, sslh_dim3(3, 8, 8)));
    CHECK_ERROR(c, "does not fit");
    sslh_inpaint(&m, x, sslh_scalar(c, 1));
    CHECK_ERROR(c, "does not fit");
    sslh_inpaint(&m, sslh_zeros(c, sslh_dim4(2, 8, 8, 1)), sslh_zeros(c, sslh_dim2(8, 8)));
    CHECK_ERROR(c, "(N,H,W,3)");
    sslh_inpaint(&m, NULL, NULL);
    CHECK_ERROR(c, "sslh_inpaint");
    sslh_inpaint(&m, x, sslh_zeros(elsewhere, sslh_dim2(8, 8)));
    CHECK_ERROR(c, "another context");
    vd.height = vd.width = 8, vd.channels = 3;
    vae = sslh_vae(c, vd);
    sslh_inpaint(&vae, x, sslh_zeros(c, sslh_dim2(8, 8)));
    CHECK_ERROR(c, "'vae' was not made by sslh_inpainting");
    d.hole = 5;
    sslh_inpainting(c, convnet(c, 4, 8), d);
    CHECK_ERROR(c, "sslh_inpainting: .hole is 5 (1 to 4)");
    d.hole = 0, d.channelwise = 3;
    m = sslh_inpainting(c, convnet(c, 4, 8), d);
    sslh_train(c, m, data, two_steps());
    CHECK_ERROR(c, "the encoder makes maps of 4 x 4 of images of 8 x 8, but .channelwise is 3");
    sslh_inpaint(&m, x, sslh_zeros(c, sslh_dim2(8, 8)));
    CHECK_ERROR(c, "sslh_inpaint: sslh_inpainting: the encoder makes maps of 4 x 4");
    d.channelwise = 0, d.hole = 1, d.adversarial = 0.1f;
    m = sslh_inpainting(c, convnet(c, 4, 8), d);
    sslh_train(c, m, data, two_steps());
    CHECK_ERROR(c, "the 4 x 4 pixels that the discriminator sees are too few");
    sslh_destroy(c);
    sslh_destroy(elsewhere);
}
#endif

#if SSLH_WITH_NEXT_FRAME || SSLH_WITH_FRAME_ORDER
/* Clips (n,T,side,side,3) in memory that stays. */
static sslh_data clips_of(sslh_ctx *c, const uint8_t *values, int n, int T, int side, const int32_t *lengths) {
    sslh_field f;
    memset(&f, 0, sizeof f);
    f.kind = SSLH_FIELD_CLIP, f.type = SSLH_U8, f.shape = sslh_dim4(T, side, side, 3), f.values = values;
    f.lengths = lengths;
    return sslh_data_from_fields(c, &f, 1, n);
}
/* 64 clips of a square of one colour that moves in a frame of 16 x 16. */
static sslh_data moving_squares(sslh_ctx *c, float speed, float drag) {
    static uint8_t square[64 * 5 * 5 * 3];
    sslh_moving_desc d;
    int i;
    for (i = 0; i < (int)sizeof square; i++)
        square[i] = (uint8_t)(100 + sslh_random_below(7, (uint64_t)(i / 75), (uint64_t)(i % 3), 155));
    memset(&d, 0, sizeof d);
    d.frames = 9, d.height = d.width = 16, d.objects = 1, d.speed = speed, d.drag = drag;
    return sslh_data_moving(sslh_data_from_images(c, square, 64, 5, 5, 3, NULL), d);
}
static sslh_train_desc epochs_of(int epochs, float lr) {
    sslh_train_desc t;
    memset(&t, 0, sizeof t);
    t.quiet = 1, t.batch = 16, t.epochs = epochs, t.lr = lr;
    return t;
}
static const sslh_tensor *view_of(sslh_method *m, sslh_view_set *views, const sslh_data *data, int batch,
                                  const char *name) {
    sslh_batch b;
    memset(views, 0, sizeof *views);
    m->prepare(m, *data);
    if (sslh_next_batch(loader_for(m->ctx, *data, batch), &b)) m->views(m, &b, views);
    return sslh_view_get(views, name);
}
#endif

#if SSLH_WITH_NEXT_FRAME
static sslh_method next_frame_of(sslh_ctx *c, int norm, float gradient, int residual) {
    sslh_next_frame_desc d;
    memset(&d, 0, sizeof d);
    d.frames = 3, d.norm = norm, d.gradient = gradient, d.residual = residual, d.decoder_width = 8;
    return sslh_next_frame(c, convnet_map(c, 8, 16), d);
}

/* A decoder that says 0: its frame is grey, or with .residual the last one, copied; then both numbers are one, and on
   clips that do not move the loss is 0 and the PSNR the most there is. */
static void next_frame_copies(void) {
    static uint8_t steps[4 * 4 * 192];
    sslh_ctx *c = create(1);
    sslh_data still = moving_squares(c, (float)SSLH_OFF, 0), moving = moving_squares(c, 2, 0), data;
    sslh_view_set views;
    const sslh_tensor *x;
    double square = 0, edges = 0, sum = 0;
    int norm, i, k, n, y, z;
    for (norm = 1; norm <= 2; norm++) {
        sslh_method m = next_frame_of(c, norm, norm == 1 ? 1.0f : 0, 1);
        zero_tensor(&m, "decoder.deconv2.weight");
        view_of(&m, &views, &still, 16, "frames");
        CHECK(sslh_item(m.loss(&m, &views, 0)) == 0 && m.numbers[0].value == m.numbers[1].value, "a still clip");
        CHECK_CLOSE(m.numbers[1].value, 100, 1e-6);
        view_of(&m, &views, &moving, 16, "frames");
        CHECK(sslh_item(m.loss(&m, &views, 0)) > 0, "it moves");
        CHECK_CLOSE(m.numbers[0].value, (double)m.numbers[1].value, 1e-5);
        CHECK(m.numbers[1].value < 40, "%g dB", (double)m.numbers[1].value);
        CHECK(!strcmp(m.numbers[0].name, "PSNR") && !strcmp(m.numbers[1].name, "copy"), "names");
        CHECK_OK(c);
    }
    /* all of a frame grows by 10 of 255 from frame to frame: the copy's PSNR is known; losses by hand */
    for (i = 0; i < (int)sizeof steps; i++) steps[i] = (uint8_t)(i % 192 / 3 + 10 * (i / 192 % 4));
    data = clips_of(c, steps, 4, 4, 8, NULL);
    {
        sslh_method m = next_frame_of(c, 2, 0, 0), sharp = next_frame_of(c, 1, 0.5f, 0);
        x = view_of(&m, &views, &data, 4, "frames");
        CHECK(x->ndim == 5 && x->shape[0] == 4 && x->shape[1] == 4 && x->shape[4] == 3, "x_1 to x_k+1");
        zero_tensor(&m, "decoder.deconv2.weight");
        zero_tensor(&sharp, "decoder.deconv2.weight");
        for (n = 0; n < 4; n++)
            for (y = 0; y < 8; y++)
                for (z = 0; z < 8; z++)
                    for (k = 0; k < 3; k++) {
                        const sslh_real *at = x->data + (((n * 4 + 3) * 8 + y) * 8 + z) * 3 + k;
                        double t = 2 * (double)at[0] - 1;
                        square += t * t / 768, sum += fabs(t) / 768;
                        if (y) edges += 2 * fabs((double)at[0] - (double)at[-24]) / (768.0 * 7 / 8);
                        if (z) edges += 2 * fabs((double)at[0] - (double)at[-3]) / (768.0 * 7 / 8);
                    }
        CHECK_CLOSE(sslh_item(m.loss(&m, &views, 0)), square, 1e-5);
        CHECK_CLOSE(m.numbers[1].value, 20 * log10(25.5), 1e-4);
        CHECK_CLOSE(m.numbers[0].value, -10 * log10(square / 4), 1e-4);
        CHECK_CLOSE(sslh_item(sharp.loss(&sharp, &views, 0)), sum + 0.5 * edges, 1e-5);
        CHECK_OK(c);
    }
    sslh_destroy(c);
}

/* Two predicted frames are the first, and the first of what comes when it has been seen. */
static void next_frame_several(void) {
    sslh_ctx *c = create(2);
    sslh_data data = moving_squares(c, 2, 0);
    sslh_method m = next_frame_of(c, 2, 0, 0);
    sslh_view_set views;
    sslh_tensor *x, *two, *one, *both[2];
    view_of(&m, &views, &data, 4, "frames");
    x = sslh_slice(c, sslh_view_get(&views, "frames"), 1, 0, 4);
    sslh_train_mode(m.net, 1);
    two = sslh_next_frames(&m, x, 2);
    one = sslh_next_frames(&m, sslh_requires_grad(sslh_slice(c, x, 1, 1, 4)), 1);
    CHECK_OK(c);
    CHECK(sslh_is_training(m.net) && !one->grad, "training mode, no gradient");
    CHECK(two->ndim == 5 && two->shape[0] == 4 && two->shape[1] == 2 && two->shape[2] == 16, "shape");
    CHECK(!memcmp(sslh_slice(c, two, 1, 0, 1)->data, one->data, one->count * sizeof *one->data), "the last k are seen");
    both[0] = x, both[1] = one;
    one = sslh_next_frames(&m, sslh_concat(c, both, 2, 1), 1);
    CHECK(!memcmp(sslh_slice(c, two, 1, 1, 2)->data, one->data, one->count * sizeof *one->data), "and what was made");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* It learns to move things: better than copying, and worse when the frames that are seen stand in another order. */
static void next_frame_learns(void) {
    sslh_ctx *c = create(2);
    sslh_data data = moving_squares(c, 4, 0);
    sslh_method m = next_frame_of(c, 2, 0, 0);
    sslh_view_set views;
    sslh_tensor *x, *part[4];
    double own, wrong;
    sslh_train(c, m, data, epochs_of(60, 0.003f));
    view_of(&m, &views, &data, 64, "frames");
    x = sslh_view_get(&views, "frames");
    sslh_train_mode(m.net, 0);
    sslh_no_grad(c, 1);
    own = (double)sslh_item(m.loss(&m, &views, 0));
    CHECK(m.numbers[0].value > m.numbers[1].value + 2, "PSNR %g dB, copying %g dB", (double)m.numbers[0].value,
          (double)m.numbers[1].value);
    part[0] = sslh_slice(c, x, 1, 2, 3), part[1] = sslh_slice(c, x, 1, 1, 2), part[2] = sslh_slice(c, x, 1, 0, 1);
    part[3] = sslh_slice(c, x, 1, 3, 4);
    views.x[0] = sslh_concat(c, part, 4, 1);
    wrong = (double)sslh_item(m.loss(&m, &views, 0));
    CHECK(wrong > 1.5 * own, "backwards: loss %g, forwards %g", wrong, own);
    sslh_no_grad(c, 0);
    CHECK_OK(c);
    sslh_destroy(c);
}

static void next_frame_errors(void) {
    static uint8_t values[4 * 9 * 192];
    static const int32_t lengths[4] = {9, 9, 3, 9};
    sslh_ctx *c = create(1), *elsewhere = create(1);
    sslh_data images = sslh_data_from_images(c, values, 4, 8, 8, 3, NULL);
    sslh_next_frame_desc d;
    sslh_method m, other;
    sslh_batch batch;
    sslh_view_set views;
    memset(&d, 0, sizeof d);
    sslh_next_frame(c, convnet(c, 4, 8), d);
    CHECK_ERROR(c, "sslh_next_frame: the encoder \"convnet\" gives no map that is smaller than the image");
    d.frames = 17;
    sslh_next_frame(c, convnet_map(c, 4, 8), d);
    CHECK_ERROR(c, "sslh_next_frame: .frames is 17 (1 to 16)");
    d.frames = 0, d.norm = 3;
    sslh_next_frame(c, convnet_map(c, 4, 8), d);
    CHECK_ERROR(c, ".norm is 3 (1 or 2)");
    d.norm = 0;
    m = sslh_next_frame(c, convnet_map(c, 4, 8), d);
    CHECK_OK(c);
    sslh_train(c, m, images, two_steps());
    CHECK_ERROR(c, "sslh_next_frame: the data has no clips; sslh_load_clips reads them");
    sslh_train(c, m, clips_of(c, values, 4, 9, 8, lengths), two_steps());
    CHECK_ERROR(c, "sslh_next_frame: clip 2 has 3 frames, and 5 are needed");
    sslh_train(c, m, clips_of(c, values, 4, 4, 8, NULL), two_steps());
    CHECK_ERROR(c, "has 4 frames, and 5 are needed");
    m.prepare(&m, clips_of(c, values, 4, 9, 8, lengths)); /* clip 2 is found before the first step */
    CHECK_ERROR(c, "sslh_next_frame: clip 2 has 3 frames, and 5 are needed");
    memset(&batch, 0, sizeof batch), memset(&views, 0, sizeof views);
    batch.data = clips_of(c, values, 4, 9, 8, NULL), batch.count = -1;
    m.views(&m, &batch, &views);
    CHECK_ERROR(c, "sslh_next_frame: a batch of -1 samples: batches come from sslh_next_batch");
    sslh_next_frames(&m, sslh_zeros(c, sslh_dim5(1, 3, 8, 8, 3)), 1);
    CHECK_ERROR(c, "sslh_next_frames: clips (N,T,H,W,3) of real numbers with T at least 4");
    sslh_next_frames(&m, sslh_zeros(c, sslh_dim5(1, 4, 8, 8, 1)), 1);
    CHECK_ERROR(c, "sslh_next_frames");
    sslh_next_frames(&m, sslh_zeros(c, sslh_dim5(1, 4, 8, 8, 3)), 0);
    CHECK_ERROR(c, "a count of at least 1");
    sslh_next_frames(&m, sslh_zeros(elsewhere, sslh_dim5(1, 4, 8, 8, 3)), 1);
    CHECK_ERROR(c, "another context");
    sslh_next_frames(&m, NULL, 1);
    CHECK_ERROR(c, "sslh_next_frames");
    other = sslh_method_new(c, "mine", NULL, NULL, 0);
    sslh_next_frames(&other, sslh_zeros(c, sslh_dim5(1, 4, 8, 8, 3)), 1);
    CHECK_ERROR(c, "'mine' was not made by sslh_next_frame");
    sslh_next_frames(NULL, NULL, 1);
    sslh_destroy(elsewhere);
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_FRAME_ORDER
static sslh_method frame_order_of(sslh_ctx *c, int task, int gap, int tries) {
    sslh_frame_order_desc d;
    memset(&d, 0, sizeof d);
    d.task = task, d.gap = gap, d.tries = tries, d.cells = 2, d.head_hidden = 24;
    d.views = NULL;
    return sslh_frame_order(c, convnet_map(c, 8, 16), d);
}

/* Every frame shows its own number: a tuple is what its label says, places are apart by the gap, classes are
   balanced, and all places and both sets of wrong tuples come up. */
static void frame_order_tuples(void) {
    enum { CLIPS = 60, T = 13 };
    static uint8_t values[CLIPS * T * 192];
    static const int gaps[3] = {2, 0, 5}, frames[3] = {5, 3, 3}, apart[3] = {2, 3, 5}, tuples[3] = {4, 2, 6};
    sslh_recipe plain = sslh_recipe_none();
    int task, n, j, k, i;
    for (i = 0; i < (int)sizeof values; i++) values[i] = (uint8_t)(i / 192 % T * 10);
    for (task = 0; task < 3; task++) {
        sslh_ctx *c = create(1);
        sslh_data data = clips_of(c, values, CLIPS, T, 8, NULL);
        sslh_frame_order_desc d;
        sslh_method m;
        sslh_view_set views;
        const sslh_tensor *x, *order, *label;
        int span = (frames[task] - 1) * apart[task], seen[T] = {0}, sum = 0, outside[2] = {0, 0};
        memset(&d, 0, sizeof d);
        d.task = task + 1, d.gap = gaps[task], d.tries = 1, d.views = &plain;
        m = sslh_frame_order(c, convnet(c, 4, 6), d);
        x = view_of(&m, &views, &data, CLIPS, "frames");
        order = sslh_view_get(&views, "tuples"), label = sslh_view_get(&views, "labels");
        CHECK_OK(c);
        CHECK(x->shape[1] == frames[task] && order->shape[1] == 3 * tuples[task] &&
              (int)label->count == CLIPS * tuples[task], "shapes");
        for (n = 0; n < CLIPS; n++) {
            int at[5];
            for (j = 0; j < frames[task]; j++)
                at[j] = (int)((double)x->data[(n * frames[task] + j) * 192] * 25.5 + 0.5);
            seen[at[0]]++;
            CHECK(at[0] >= 0 && at[0] + span < T, "clip %d begins at %d", n, at[0]);
            for (j = 1; j < frames[task]; j++) CHECK(at[j] - at[j - 1] == apart[task], "clip %d: the gap", n);
            for (k = 0; k < tuples[task]; k++) {
                const int32_t *t = order->ints + (n * tuples[task] + k) * 3;
                int p = at[t[0]], q = at[t[1]], r = at[t[2]], y = label->ints[n * tuples[task] + k];
                int between = (p < q && q < r) || (p > q && q > r);
                if (task == 0) {
                    CHECK(y == between && abs(p - r) == 2 * apart[0], "clip %d: %d %d %d is %d", n, p, q, r, y);
                    if (!y) outside[p < r]++;
                } else if (task == 1) CHECK(y == (p < q && q < r) && between, "clip %d: %d %d %d is %d", n, p, q, r, y);
                else CHECK(y == (between ? 1 : (p < q) == (p < r) ? abs(p - q) < abs(p - r) ? 0 : 2 : 0),
                           "clip %d: %d %d %d is %d", n, p, q, r, y);
                sum += y;
            }
        }
        CHECK(sum == CLIPS * tuples[task] * (task == 2 ? 2 : 1) / 2, "classes: %d", sum);
        for (j = 0; j + span < T; j++) CHECK(seen[j] > 0, "no clip begins at %d", j);
        if (task == 0) CHECK(outside[0] > 30 && outside[1] > 30, "%d and %d", outside[0], outside[1]);
        sslh_destroy(c);
    }
}

/* In clips that do not move all tuples are one: whatever the net, it is right by chance, exactly. */
static void frame_order_still(void) {
    int task, trained;
    for (task = 1; task <= 3; task++) {
        sslh_ctx *c = create(2);
        sslh_data data = moving_squares(c, (float)SSLH_OFF, 0);
        sslh_method m = frame_order_of(c, task, 0, 0);
        sslh_view_set views;
        for (trained = 0; trained < 2; trained++) {
            if (trained) sslh_train(c, m, data, epochs_of(3, 0.003f));
            view_of(&m, &views, &data, 16, "frames");
            double loss = (double)sslh_item(m.loss(&m, &views, 0)), chance = log(task == 3 ? 3.0 : 2.0);
            CHECK_OK(c);
            CHECK(m.numbers[0].value == (task == 3 ? 1.0f / 3 : 0.5f), "task %d: %g", task, (double)m.numbers[0].value);
            CHECK(loss > chance - 1e-5, "task %d: loss %g, chance %g", task, loss, chance);
            CHECK_CLOSE(m.guessing, chance, 1e-6);
        }
        sslh_destroy(c);
    }
}

/* Of the places that are drawn that with the most motion: in bytes and in floats, but not of a callback. */
static int fetch_nothing(void *user, int64_t index, void *out) {
    (void)index;
    memcpy(out, user, 20 * 192);
    return 0;
}
static void frame_order_motion(void) {
    enum { CLIPS = 40, T = 20 };
    static uint8_t values[CLIPS * T * 192];
    static float reals[CLIPS * T * 192];
    int kind, i, n, moving[3];
    for (i = 0; i < (int)sizeof values; i++) { /* it jumps between frames 14 and 15 */
        values[i] = i / 192 % T > 14 ? 200 : 50;
        reals[i] = (float)values[i] / 255.0f;
    }
    for (kind = 0; kind < 3; kind++) {
        sslh_ctx *c = create(1);
        sslh_field f;
        sslh_data data;
        sslh_method m = frame_order_of(c, 2, 1, 32);
        sslh_view_set views;
        const sslh_tensor *x;
        memset(&f, 0, sizeof f);
        f.kind = SSLH_FIELD_CLIP, f.type = kind ? SSLH_F32 : SSLH_U8, f.shape = sslh_dim4(T, 8, 8, 3);
        f.values = kind ? (const void *)reals : values;
        if (kind == 2) f.type = SSLH_U8, f.values = NULL, f.fetch = fetch_nothing, f.user = values;
        data = sslh_data_from_fields(c, &f, 1, CLIPS);
        x = view_of(&m, &views, &data, CLIPS, "frames");
        CHECK_OK(c);
        for (n = moving[kind] = 0; n < CLIPS; n++) moving[kind] += x->data[n * 576] != x->data[n * 576 + 384];
        sslh_destroy(c);
    }
    CHECK(moving[0] > 35 && moving[1] == moving[0] && moving[2] < 15, "%d, %d, %d of 40", moving[0], moving[1],
          moving[2]);
}

/* The order of a moving square is learnt; its arrow only when it loses speed. */
static void frame_order_learns(void) {
    static const struct { int task; float drag; double low, high; } want[3] = {{1, 0, 0.8, 1}, {2, 0.3f, 0.8, 1},
                                                                             {2, 0, 0.35, 0.65}};
    int k;
    for (k = 0; k < 3; k++) {
        sslh_ctx *c = create(2);
        sslh_data all = moving_squares(c, k == 1 ? 6 : 3, want[k].drag), data = all;
        sslh_method m = frame_order_of(c, want[k].task, k ? 2 : 1, 1);
        sslh_view_set views;
        if (k == 2) data = sslh_data_range(all, 0, 48), all = sslh_data_range(all, 48, 64);
        sslh_train(c, m, data, epochs_of(50, 0.003f));
        view_of(&m, &views, &all, (int)all.count, "frames");
        sslh_train_mode(m.net, 0);
        m.loss(&m, &views, 0);
        CHECK_OK(c);
        printf("   task %d, drag %g: accuracy %.2f\n", want[k].task, (double)want[k].drag, (double)m.numbers[0].value);
        CHECK((double)m.numbers[0].value >= want[k].low && (double)m.numbers[0].value <= want[k].high, "accuracy %g",
              (double)m.numbers[0].value);
        sslh_destroy(c);
    }
}

/* The default of .gap is half of what fits into the shortest clip. */
static void frame_order_lengths(void) {
    static uint8_t values[4 * 20 * 192];
    static const int32_t lengths[4] = {20, 20, 9, 20};
    int shortest;
    for (shortest = 0; shortest < 2; shortest++) {
        sslh_ctx *c = create(1);
        sslh_method m = frame_order_of(c, 1, 0, 1);
        sslh_data data = clips_of(c, values, 4, 20, 8, lengths);
        sslh_batch b;
        sslh_view_set v;
        int i;
        for (i = 0; i < (int)sizeof values; i++) values[i] = (uint8_t)(i / 192 % 20); /* the number of its frame */
        if (!shortest) data = sslh_data_range(data, 0, 2);
        m.prepare(&m, data);
        sslh_next_batch(loader_for(c, data, (int)data.count), &b);
        memset(&v, 0, sizeof v);
        m.views(&m, &b, &v);
        CHECK_OK(c);
        if (!sslh_error(c)) {
            const sslh_tensor *x = sslh_view_get(&v, "frames"); /* (N,5,8,8,3), normalised */
            const sslh_preprocess p = sslh_get_preprocess(m.encoder);
            double step = (double)(x->data[192] - x->data[0]) * (double)p.std[0] * 255;
            CHECK_NEAR(step, shortest ? 1 : 2, 0.01);
        }
        sslh_destroy(c);
    }
}

static void frame_order_errors(void) {
    static uint8_t values[4 * 9 * 192];
    static const int32_t lengths[4] = {9, 9, 4, 9};
    sslh_ctx *c = create(1);
    sslh_frame_order_desc d;
    sslh_data wide;
    sslh_method m;
    sslh_batch batch;
    sslh_view_set views;
    memset(&d, 0, sizeof d);
    d.task = 4;
    sslh_frame_order(c, convnet(c, 4, 8), d);
    CHECK_ERROR(c, "sslh_frame_order: .task is 4 (1 to 3)");
    d.task = 0, d.tap = "nowhere";
    sslh_frame_order(c, convnet(c, 4, 8), d);
    CHECK_ERROR(c, "sslh_frame_order");
    d.tap = NULL;
    sslh_frame_order(c, NULL, d);
    CHECK_ERROR(c, "sslh_frame_order: the encoder is NULL");
    m = sslh_frame_order(c, convnet(c, 4, 8), d);
    CHECK_OK(c);
    sslh_train(c, m, sslh_data_from_images(c, values, 36, 8, 8, 3, NULL), two_steps());
    CHECK_ERROR(c, "sslh_frame_order: the data has no clips");
    sslh_train(c, m, clips_of(c, values, 4, 9, 8, lengths), two_steps());
    CHECK_ERROR(c, "sslh_frame_order: clip 2 has 4 frames, and 5 are needed from the first that is seen to the last "
                   "(.gap)");
    m.prepare(&m, clips_of(c, values, 4, 9, 8, lengths)); /* clip 2 is found before the first step */
    CHECK_ERROR(c, "sslh_frame_order: clip 2 has 4 frames, and 5 are needed");
    memset(&batch, 0, sizeof batch), memset(&views, 0, sizeof views);
    batch.data = clips_of(c, values, 4, 9, 8, NULL), batch.count = 2; /* without the numbers of its samples */
    m.views(&m, &batch, &views);
    CHECK_ERROR(c, "sslh_frame_order: a batch of 2 samples: batches come from sslh_next_batch");
    d.gap = 100000;
    m = sslh_frame_order(c, convnet(c, 4, 8), d);
    sslh_train(c, m, clips_of(c, values, 4, 9, 8, NULL), two_steps());
    CHECK_ERROR(c, "has 9 frames, and 400001 are needed");
    d.gap = 0, d.cells = 3;
    m = sslh_frame_order(c, convnet_map(c, 4, 8), d);
    sslh_train(c, m, clips_of(c, values, 4, 9, 8, NULL), two_steps());
    CHECK_ERROR(c, "sslh_frame_order: .cells 3 does not divide the map of 2 x 2");
    wide = clips_of(c, values, 4, 4, 8, NULL);
    wide.field[0].shape = sslh_dim4(4, 8, 16, 3), wide.width = 16; /* maps of 2 x 4 */
    d.task = 2;
    sslh_train(c, sslh_frame_order(c, convnet_map(c, 4, 8), d), wide, two_steps());
    CHECK_ERROR(c, "sslh_frame_order: .cells 3 does not divide the map of 2 x 4");
    for (d.cells = 1; d.cells <= 2; d.cells++) {
        sslh_train(c, sslh_frame_order(c, convnet_map(c, 4, 8), d), wide, two_steps());
        CHECK_OK(c);
    }
    sslh_destroy(c);
}
#endif

/* Three numbers of a method of the user's: each step's and, at the end of an epoch, its mean; unused names are "". */
static sslh_tensor *numbers_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    int i;
    (void)phase;
    for (i = 0; i < 3; i++) m->numbers[i].value = (float)((i + 1) * (m->step + 1));
    return sslh_mean(m->ctx, sslh_square(m->ctx, sslh_forward(m->encoder, sslh_view_get(v, "images"))), SSLH_ALL, 0);
}
static void numbers_views(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_view_add(out, "images", sslh_batch_images(m->ctx, *batch));
}
static int numbers_callback(const sslh_train_info *t, void *user) {
    static const char *const names[] = {"one", "two", "three", "", ""};
    int i;
    ++*(int *)user;
    for (i = 0; i < 5; i++) {
        double want = i < 3 ? (i + 1) * (double)t->step : 0;
        if (t->epoch_end && i < 3) want = (i + 1) * ((double)t->step - 2); /* mean of five steps */
        CHECK(strcmp(t->numbers[i].name, names[i]) == 0, "%s", t->numbers[i].name);
        CHECK_NEAR(t->numbers[i].value, want, 1e-5);
    }
    return 0;
}
static void named_numbers(void) {
    sslh_ctx *c = create(1);
    sslh_method m = sslh_method_new(c, "mine", convnet(c, 4, 4), NULL, 0);
    sslh_train_desc t;
    int calls = 0;
    char text[400];
    memset(&t, 0, sizeof t);
    m.views = numbers_views, m.loss = numbers_loss;
    m.numbers[0].name = "one", m.numbers[1].name = "two", m.numbers[2].name = "three", m.numbers[3].name = "",
    m.numbers[4].name = "not told";
    t.quiet = 1, t.batch = 8, t.epochs = 2, t.callback = numbers_callback, t.user = &calls;
    sslh_train(c, m, data_for(c, "any"), t);
    CHECK_OK(c);
    CHECK(calls == 12, "%d calls", calls);
    sslh_method_print(&m, text, sizeof text);
    CHECK(strstr(text, "; numbers: one, two, three;"), "%s", text);
    m.numbers[0].name = NULL;
    sslh_method_print(&m, text, sizeof text);
    CHECK(strstr(text, "; numbers: none;"), "%s", text);
    sslh_destroy(c);
}

#if SSLH_WITH_BYOL && SSLH_WITH_SIMSIAM
/* Without a stop-gradient both methods reach the least value of their loss, and the meters see what it is worth: all
   embeddings point the same way. With it they do not. */
static void collapse(void) {
    static const char *const names[2] = {"byol", "simsiam"};
    int k, way, step;
    for (k = 0; k < 2; k++)
        for (way = 0; way < 2; way++) {
            sslh_ctx *c = create(1);
            sslh_data data = data_for(c, "any");
            /* SimSiam's last batch norm would keep its projections apart */
            sslh_method m = sslh_method_make(c, names[k], convnet(c, 6, 10), data,
                                             !way ? "" : k == 0 ? "no_stop_gradient=1"
                                                                : "no_stop_gradient=1 no_last_norm=1");
            sslh_optimizer_desc od = m.defaults.optimizer;
            sslh_optimizer *o;
            sslh_loader *l = loader_for(c, data, 20);
            sslh_feature_desc fd;
            sslh_batch b;
            float loss = 0;
            double std;
            memset(&fd, 0, sizeof fd);
            od.kind = SSLH_SGD;
            o = sslh_optimizer_new(c, od);
            sslh_optimizer_add(o, m.net);
            sslh_optimizer_peak(o, 0.2f);
            m.prepare(&m, data);
            for (step = 0; step < 150; step++) {
                sslh_next_batch(l, &b);
                loss = sslh_method_step(&m, o, &b, 0.2f);
            }
            CHECK_OK(c);
            sslh_train_mode(m.net, 0);
            std = (double)sslh_feature_std(
                sslh_forward(sslh_child_at(m.net, 1), sslh_features(c, m.encoder, data, fd)));
            CHECK_OK(c);
            printf("   %s%s: loss %.4f, spread %.4f, std of unit projections %.5f\n", names[k],
                   way ? ", no stop-gradient" : "", (double)loss, (double)m.numbers[0].value, std);
            if (way) {
                CHECK(fabs((double)loss - (k ? -1.0 : 0.0)) < 0.02,
                      "%s: loss %g is no collapse", names[k], (double)loss);
                CHECK(m.numbers[0].value < 0.1f && std < 0.03,
                      "%s: spread %g, std %g", names[k], (double)m.numbers[0].value, std);
            } else {
                CHECK(m.numbers[0].value > 0.3f && std > 0.03,
                      "%s: spread %g, std %g", names[k], (double)m.numbers[0].value, std);
            }
            sslh_destroy(c);
        }
}
#endif

#if SSLH_WITH_BYOL
/* The target has no gradient, and moves by m, which rises from m_0 in the first step towards 1. */
static void byol_target(void) {
    sslh_ctx *c = create(1);
    sslh_byol_desc d;
    sslh_method m;
    sslh_net *encoder = convnet(c, 6, 10), *target;
    sslh_loader *l = loader_for(c, data_for(c, "any"), 8);
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_batch b;
    sslh_tensor *p;
    int step, i;
    memset(&d, 0, sizeof d), memset(&od, 0, sizeof od);
    d.target_momentum = 0.5f, d.head_hidden = 12, d.head_out = 7;
    m = sslh_byol(c, encoder, d);
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    m.steps = 8;
    m.prepare(&m, data_for(c, "any"));
    target = sslh_child_at(m.net, 3);
    p = sslh_find(target, "bn2.weight");
    for (step = 0; step < 8; step++) {
        float expected = 1 - 0.5f * 0.5f * (1 + cosf(3.14159265f * (float)step / 8)), before[10];
        CHECK(sslh_next_batch(l, &b), "a batch");
        sslh_read(p, before, 10);
        sslh_method_step(&m, o, &b, 0.1f);
        for (i = 0; i < 10; i++) {
            float source = (float)sslh_find(encoder, "bn2.weight")->data[i];
            CHECK_NEAR(p->data[i], expected * before[i] + (1 - expected) * source, 1e-6);
        }
        for (i = 0; i < sslh_count_tensors(target); i++)
            CHECK(sslh_tensor_at(target, i, NULL, 0, NULL)->grad == NULL, "a gradient in the target");
    }
    CHECK(fabs((double)(sslh_find(encoder, "bn2.weight")->data[0] - p->data[0])) > 1e-6, "nothing moved");
    CHECK_OK(c);
    d.target_momentum = 1;
    sslh_byol(c, encoder, d);
    CHECK_ERROR(c, "sslh_byol: .target_momentum is 1 (at least 0, below 1)");
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_SIMSIAM
/* When the schedule has come to its end the predictor still moves, and nothing else; unless it was told to follow. */
static void simsiam_rates(void) {
    int follows, i;
    for (follows = 0; follows < 2; follows++) {
        sslh_ctx *c = create(1);
        sslh_data data = data_for(c, "any");
        sslh_method m = sslh_method_make(c, "simsiam", convnet(c, 6, 10), data, follows ? "scheduled_predictor=1" : "");
        sslh_optimizer *o = sslh_optimizer_new(c, m.defaults.optimizer);
        sslh_loader *l = loader_for(c, data, 8);
        sslh_batch b;
        int moved[2] = {0, 0};
        float before[64][16];
        sslh_optimizer_add(o, m.net);
        sslh_optimizer_peak(o, 0.1f);
        for (i = 0; i < sslh_count_tensors(m.net); i++) {
            const sslh_tensor *t = sslh_tensor_at(m.net, i, NULL, 0, NULL);
            size_t q;
            for (q = 0; q < t->count && q < 16; q++) before[i][q] = t->data ? (float)t->data[q] : 0;
        }
        sslh_next_batch(l, &b);
        sslh_method_step(&m, o, &b, 0);
        for (i = 0; i < sslh_count_tensors(m.net); i++) {
            char name[128];
            int param;
            sslh_tensor *t = sslh_tensor_at(m.net, i, name, sizeof name, &param);
            size_t q;
            for (q = 0; param && q < t->count && q < 16; q++)
                moved[strncmp(name, "predictor.", 10) == 0] += (float)t->data[q] != before[i][q];
        }
        CHECK(!moved[0] && (moved[1] > 0) == !follows,
              "%d values of the rest moved, %d of the predictor", moved[0], moved[1]);
        CHECK_OK(c);
        sslh_destroy(c);
    }
}
#endif

#if SSLH_WITH_SUPCON
/* Views that say nothing are of no harm, because the classes are learnt from labels; labels that say nothing are, and
   data without labels are an error. */
static void supcon(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any"), bare;
    sslh_supcon_desc d;
    sslh_method m;
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_loader *l = loader_for(c, data, 20);
    sslh_batch b;
    int32_t other[20];
    float loss = 0, first = 0;
    int step, i;
    memset(&d, 0, sizeof d), memset(&od, 0, sizeof od);
    d.head_out = 8;
    m = sslh_supcon(c, convnet(c, 6, 10), d);
    od.kind = SSLH_ADAM;
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    m.prepare(&m, data);
    for (step = 0; step < 60; step++) {
        sslh_next_batch(l, &b);
        loss = sslh_method_step(&m, o, &b, 5e-3f);
        if (step == 0) first = loss;
    }
    CHECK_OK(c);
    CHECK_CLOSE(m.guessing, log(39.0), 1e-6);
    CHECK(loss < first - 0.2f && m.numbers[0].value > 0.35f, "loss %g -> %g, top-1 %g", (double)first, (double)loss,
          (double)m.numbers[0].value);
    sslh_next_batch(l, &b);
    loss = sslh_method_step(&m, o, &b, 0);
    for (i = 0; i < 20; i++) other[i] = b.labels[(7 * i + 3) % 20];
    b.labels = other;
    CHECK(sslh_method_step(&m, o, &b, 0) > loss + 0.1f, "breaking the labels does not raise %g", (double)loss);
    /* all embeddings equal: ln(2N-1) */
    for (i = 0; i < sslh_count_tensors(m.net); i++) {
        char name[128];
        sslh_tensor *t = sslh_tensor_at(m.net, i, name, sizeof name, NULL);
        size_t q;
        for (q = 0; strncmp(name, "head.fc2", 8) == 0 && q < t->count; q++) t->data[q] = ends_with(name, "bias");
    }
    CHECK_CLOSE(sslh_method_step(&m, o, &b, 0), log(39.0), 1e-5);
    bare = data;
    bare.labels = NULL;
    b.labels = NULL, b.data = bare;
    sslh_method_step(&m, o, &b, 0);
    CHECK_ERROR(c, "sslh_supcon: the data have no labels, from which this method learns; sslh_simclr does without");
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_NNCLR
/* In a queue longer than the data set an image finds itself, which is said unless neighbours are not looked for. */
static void nnclr_warn(void *user, const char *text) { snprintf((char *)user, 256, "%s", text); }
static void nnclr_warning(void) {
    static const struct { int queue, plain, warns; } row[] = {{41, 0, 1}, {40, 0, 0}, {41, 1, 0}};
    int i;
    for (i = 0; i < 3; i++) {
        char all[256] = "";
        sslh_nnclr_desc d;
        sslh_desc cd;
        sslh_ctx *c;
        memset(&d, 0, sizeof d), memset(&cd, 0, sizeof cd);
        cd.threads = 1, cd.warn = nnclr_warn, cd.user = all;
        c = sslh_create(cd);
        d.queue = row[i].queue, d.no_neighbours = row[i].plain;
        sslh_train(c, sslh_nnclr(c, convnet(c, 4, 4), d), data_for(c, "any"), two_steps());
        CHECK_OK(c);
        CHECK(!strncmp(all, "sslh_nnclr: a queue of 41 rows is longer than the data set of 40 images",
                       row[i].warns ? 71 : 0) && !all[0] == !row[i].warns, "queue %d: %s", row[i].queue, all);
        sslh_destroy(c);
    }
}
/* The rows that come into the queue are unit projections of view 0, whose neighbours are the positives: with a queue of
   equal rows every answer is one guess among N, and a queue that holds the projections themselves gives the loss of
   the method without neighbours. */
static void nnclr(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any");
    sslh_nnclr_desc d;
    sslh_method m;
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_loader *l = loader_for(c, data, 8);
    sslh_batch b;
    sslh_tensor *queue, *place, *z, *q;
    float rows[40], now[20 * 5], loss, hits;
    int step, i, way;
    memset(&d, 0, sizeof d), memset(&od, 0, sizeof od);
    d.queue = 20, d.head_out = 5;
    m = sslh_nnclr(c, convnet(c, 6, 10), d);
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    m.views = same_views;
    queue = sslh_find(m.net, "queue");
    place = sslh_find(m.net, "queue_place");
    for (step = 0; step < 4; step++) { /* 8 rows at a time go round a queue of 20 */
        CHECK(sslh_next_batch(l, &b), "a batch");
        sslh_no_grad(c, 1);
        sslh_read(sslh_l2_normalize(c,
            sslh_forward(sslh_child_at(m.net, 1), sslh_forward(m.encoder, sslh_batch_images(c, b))), 0),
                  rows, 40);
        sslh_no_grad(c, 0);
        CHECK(place->ints[0] == step * 8 % 20, "place %d", (int)place->ints[0]);
        sslh_method_step(&m, o, &b, 0.1f);
        CHECK_OK(c);
        sslh_read(queue, now, 100);
        for (i = 0; i < 40; i++) CHECK_NEAR(now[(step * 40 + i) % 100], rows[i], 1e-5);
    }
    CHECK_CLOSE(m.guessing, log(8.0), 1e-6);
    for (i = 0; i < 100; i++) queue->data[i] = sqrtf(0.2f);
    CHECK(sslh_next_batch(l, &b), "a batch");
    CHECK(sslh_method_step(&m, o, &b, 0) > log(8.0) - 1e-5, "one neighbour for all is less than a guess");
    for (way = 0; way < 2; way++) { /* with and without neighbours: breaking the positives raises the loss */
        d.no_neighbours = way, d.queue = 64, d.head_out = 16;
        m = sslh_nnclr(c, convnet(c, 6, 10), d);
        m.views = same_views;
        od.kind = SSLH_ADAM;
        o = sslh_optimizer_new(c, od);
        sslh_optimizer_add(o, m.net);
        for (step = 0; step < 60; step++) {
            sslh_next_batch(l, &b);
            sslh_method_step(&m, o, &b, 2e-3f);
        }
        sslh_next_batch(l, &b);
        loss = sslh_method_step(&m, o, &b, 0);
        hits = m.numbers[0].value;
        same_broken = 1;
        CHECK(sslh_method_step(&m, o, &b, 0) > loss + 0.1f, "breaking the positives does not raise %g", (double)loss);
        CHECK(m.numbers[0].value < hits && hits > 0.3f, "top-1 %g of broken views, %g of equal ones",
              (double)m.numbers[0].value, (double)hits);
        same_broken = 0;
        if (!way) { /* the batch's own projections are in the queue now, and lie nearest to themselves */
            sslh_find(m.net, "queue_place")->ints[0] = 0;
            sslh_method_step(&m, o, &b, 0);
            loss = sslh_method_step(&m, o, &b, 0);
            sslh_begin_step(c);
            z = sslh_forward(sslh_child_at(m.net, 1), sslh_forward(m.encoder, sslh_batch_images(c, b)));
            q = sslh_l2_normalize(c, sslh_forward(sslh_child_at(m.net, 2), z), 0);
            CHECK_CLOSE(loss, sslh_item(sslh_info_nce(c, sslh_l2_normalize(c, z, 0), q, NULL, 0.1f)), 1e-5);
        }
    }
    CHECK_OK(c);
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_BARLOW && SSLH_WITH_VICREG
/* Training raises the meters: views agree, columns vary. Without its variance term VICReg collapses. */
static void two_views_meters(void) {
    static const char *const run[3][2] = {{"barlow", "head_out=16"},
                                          {"vicreg", "head_out=16"},
                                          {"vicreg", "head_out=16 variance=0"}};
    int k, step;
    for (k = 0; k < 3; k++) {
        sslh_ctx *c = create(1);
        sslh_data data = data_for(c, "any");
        sslh_method m = sslh_method_make(c, run[k][0], convnet(c, 6, 10), data, run[k][1]);
        sslh_optimizer_desc od;
        sslh_optimizer *o;
        sslh_loader *l = loader_for(c, data, 20);
        sslh_batch b;
        float first = 0, second = 0, loss = 0;
        memset(&od, 0, sizeof od);
        od.kind = SSLH_ADAM;
        o = sslh_optimizer_new(c, od);
        sslh_optimizer_add(o, m.net);
        m.prepare(&m, data);
        for (step = 0; step < 150; step++) {
            sslh_next_batch(l, &b);
            loss = sslh_method_step(&m, o, &b, 5e-3f);
            if (step == 0) first = loss, second = m.numbers[0].value;
        }
        CHECK_OK(c);
        printf("   %s %s: loss %.3f -> %.3f, %s %.3f -> %.3f\n", run[k][0], run[k][1], (double)first, (double)loss,
               m.numbers[0].name, (double)second, (double)m.numbers[0].value);
        CHECK(loss < first, "%s: the loss does not fall", run[k][0]);
        if (k < 2) CHECK(m.numbers[0].value > second + 0.1f, "%s: %s does not rise", run[k][0], m.numbers[0].name);
        else CHECK(m.numbers[0].value < 0.1f,
                   "without the variance term the deviation is %g", (double)m.numbers[0].value);
        sslh_destroy(c);
    }
}
/* Any of the three terms may be off, but not all of them. */
static void vicreg_terms(void) {
    sslh_ctx *c = create(1);
    sslh_vicreg_desc d;
    memset(&d, 0, sizeof d);
    d.invariance = d.variance = SSLH_OFF;
    sslh_vicreg(c, convnet(c, 4, 4), d);
    CHECK_OK(c);
    d.covariance = SSLH_OFF;
    sslh_vicreg(c, convnet(c, 4, 4), d);
    CHECK_ERROR(c, "sslh_vicreg: .invariance, .variance and .covariance are all SSLH_OFF");
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_SWAV || SSLH_WITH_DINO
/* Four equal views of each image; broken: the second large one is of another image. */
static void crops_same(sslh_method *m, const sslh_batch *batch, sslh_view_set *out) {
    sslh_tensor *x = sslh_batch_images(m->ctx, *batch), *part[2], *both[2];
    part[0] = sslh_slice(m->ctx, x, 0, 1, batch->count);
    part[1] = sslh_slice(m->ctx, x, 0, 0, 1);
    both[0] = both[1] = x;
    sslh_view_add(out, "small", sslh_concat(m->ctx, both, 2, 0));
    if (same_broken) both[1] = sslh_concat(m->ctx, part, 2, 0);
    sslh_view_add(out, "large", sslh_concat(m->ctx, both, 2, 0));
}
#endif

#if SSLH_WITH_SWAV
/* Prototypes have length 1 and rest in the first epoch; views have the sizes and crops that were asked for; the queue
   fills from its epoch on, row by row; one prototype for all is the guess ln K; broken positives cost more. */
static void swav(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any");
    sslh_swav_desc d;
    sslh_method m;
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_loader *l = loader_for(c, data, 8);
    sslh_batch b;
    sslh_view_set views;
    sslh_tensor *p, *filled;
    float before[24 * 5], now[24 * 5], loss, hits;
    int step, i, j;
    memset(&d, 0, sizeof d), memset(&od, 0, sizeof od), memset(&views, 0, sizeof views);
    d.prototypes = 24, d.head_out = 5, d.queue = 20, d.queue_start = 1, d.small_views = 3;
    m = sslh_swav(c, convnet(c, 6, 10), d);
    od.kind = SSLH_ADAM;
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    m.prepare(&m, data);
    p = sslh_find(m.net, "prototypes.fc1.weight");
    filled = sslh_find(m.net, "queue_filled");
    sslh_read(p, before, 120);
    for (i = 0; i < 24; i++) {
        double n = 0;
        for (j = 0; j < 5; j++) n += (double)before[5 * i + j] * (double)before[5 * i + j];
        CHECK_NEAR(n, 1, 1e-5);
    }
    CHECK(sslh_next_batch(l, &b), "a batch");
    m.views(&m, &b, &views);
    CHECK(sslh_view_get(&views, "large")->shape[0] == 16 && sslh_view_get(&views, "large")->shape[1] == 8,
          "large views");
    CHECK(sslh_view_get(&views, "small")->shape[0] == 24 && sslh_view_get(&views, "small")->shape[1] == 3,
          "3/7 of 8 is 3");
    for (step = 0; step < 12; step++) { /* epochs of five batches */
        if (step) CHECK(sslh_next_batch(l, &b), "a batch");
        CHECK(filled->ints[0] == (step < 5 ? 0 : step < 8 ? 8 * (step - 5) : 20), "step %d: %d rows", step,
              (int)filled->ints[0]);
        sslh_method_step(&m, o, &b, 1e-2f);
        sslh_read(p, now, 120);
        /* rounding: brought to length 1 again */
        for (i = 0; i < 120 && step < 5; i++) CHECK_NEAR(now[i], before[i], 1e-6);
        if (step == 5) { /* the first update of Adam moves each number by the rate */
            double most = 0;
            for (i = 0; i < 120; i++) most = fmax(most, fabs((double)(now[i] - before[i])));
            CHECK_NEAR(most, 1e-2, 1e-4);
        }
    }
    CHECK_OK(c);
    CHECK(fabs((double)(now[7] - before[7])) > 1e-4, "no prototype moves");
    sslh_freeze(sslh_child_at(m.net, 2), 1); /* what the caller freezes stays frozen */
    sslh_read(p, before, 120);
    for (step = 0; step < 2; step++) {
        CHECK(sslh_next_batch(l, &b), "a batch");
        b.epoch = step; /* one in which the method lets the prototypes rest, and one in which it does not */
        sslh_method_step(&m, o, &b, 1e-2f);
        sslh_read(p, now, 120);
        for (i = 0; i < 24; i++) { /* they are brought to length 1 */
            double n = 0;
            int k;
            for (k = 0; k < 5; k++) n += (double)before[5 * i + k] * (double)before[5 * i + k];
            for (k = 0; k < 5; k++) CHECK_NEAR(now[5 * i + k], (double)before[5 * i + k] / sqrt(n), 1e-6);
        }
    }
    CHECK(sslh_net_query(sslh_child_at(m.net, 2)).frozen, "the caller's freeze is gone");
    sslh_freeze(sslh_child_at(m.net, 2), 0);
    CHECK_OK(c);
    CHECK_CLOSE(m.guessing, log(24.0), 1e-6);
    for (i = 0; i < 120; i++) p->data[i] = sqrtf(0.2f);
    sslh_next_batch(l, &b);
    CHECK_CLOSE(sslh_method_step(&m, o, &b, 0), log(24.0), 1e-5);

    d.prototypes = 16, d.head_out = 16, d.queue = SSLH_OFF, d.freeze = SSLH_OFF;
    m = sslh_swav(c, convnet(c, 6, 10), d);
    CHECK(!sslh_find(m.net, "queue"), "a queue");
    m.views = crops_same;
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    for (step = 0; step < 60; step++) {
        sslh_next_batch(l, &b);
        sslh_method_step(&m, o, &b, 5e-3f);
    }
    sslh_next_batch(l, &b);
    loss = sslh_method_step(&m, o, &b, 0);
    hits = m.numbers[0].value;
    same_broken = 1;
    CHECK(sslh_method_step(&m, o, &b, 0) > loss + 0.1f, "breaking the positives does not raise %g", (double)loss);
    CHECK(m.numbers[0].value < hits && hits > 0.3f, "top-1 %g of broken views, %g of equal ones",
          (double)m.numbers[0].value,
          (double)hits);
    same_broken = 0;
    CHECK(loss < log(16.0) - 0.3, "the loss is %g", (double)loss);
    CHECK_OK(c);
    d.small_views = 15;
    sslh_swav(c, convnet(c, 6, 10), d);
    CHECK_ERROR(c, "sslh_swav: .small_views is 15 (0 to 14)");
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_DINO
/* The last layer rests in the first epoch; the centre follows the teacher, and the teacher, which has no gradient, the
   student; the temperature and the decay rise; equal answers cost ln K, with an entropy of ln K; broken positives cost
   more. */
static void dino(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any");
    sslh_dino_desc d;
    sslh_method m;
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_loader *l = loader_for(c, data, 8);
    sslh_batch b;
    sslh_net *target;
    sslh_tensor *last, *follows, *leads, *centre;
    float before[12 * 5], now[12 * 5], old[10], loss, kl;
    int step, i;
    memset(&d, 0, sizeof d), memset(&od, 0, sizeof od);
    d.outputs = 12, d.bottleneck = 5, d.small_views = 3, d.target_momentum = 0.5f;
    m = sslh_dino(c, convnet(c, 6, 10), d);
    od.kind = SSLH_ADAM;
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    m.prepare(&m, data);
    m.steps = 8;
    last = sslh_find(m.net, "last.fc1.weight");
    target = sslh_child_at(m.net, 3);
    follows = sslh_find(target, "bn2.weight"), leads = sslh_find(m.encoder, "bn2.weight");
    sslh_read(last, before, 60);
    for (step = 0; step < 8; step++) { /* epochs of five batches */
        float momentum = 1 - 0.5f * 0.5f * (1 + cosf(3.14159265f * (float)step / 8));
        CHECK(sslh_next_batch(l, &b), "a batch");
        sslh_read(follows, old, 10);
        loss = sslh_method_step(&m, o, &b, 1e-2f);
        CHECK_CLOSE(m.numbers[0].value + m.numbers[1].value, loss, 1e-5);
        CHECK(m.numbers[0].value > 0 && m.numbers[0].value < log(12.0) + 1e-4, "entropy %g",
              (double)m.numbers[0].value);
        for (i = 0; i < 10; i++)
            CHECK_NEAR(follows->data[i], momentum * old[i] + (1 - momentum) * (float)leads->data[i], 1e-6);
        for (i = 0; i < sslh_count_tensors(target); i++)
            CHECK(sslh_tensor_at(target, i, NULL, 0, NULL)->grad == NULL, "a gradient in the teacher");
        sslh_read(last, now, 60);
        if (step < 5)
            CHECK(memcmp(now, before, sizeof now) == 0, "step %d: the last layer moved in the first epoch", step);
        if (step == 5) { /* the first update of Adam moves each number by the rate */
            double most = 0;
            for (i = 0; i < 60; i++) most = fmax(most, fabs((double)(now[i] - before[i])));
            CHECK_NEAR(most, 1e-2, 1e-4);
        }
    }
    CHECK_OK(c);
    CHECK(memcmp(now, before, sizeof now) != 0, "the last layer does not move");
    sslh_freeze(sslh_child_at(m.net, 2), 1); /* what the caller freezes stays frozen */
    sslh_read(last, before, 60);
    for (step = 0; step < 2; step++) {
        CHECK(sslh_next_batch(l, &b), "a batch");
        b.epoch = step; /* one in which the method lets the layer rest, and one in which it does not */
        sslh_method_step(&m, o, &b, 1e-2f);
        sslh_read(last, now, 60);
        CHECK(memcmp(now, before, sizeof now) == 0, "the caller's freeze is gone");
    }
    sslh_freeze(sslh_child_at(m.net, 2), 0);
    CHECK_OK(c);
    CHECK_CLOSE(m.guessing, log(12.0), 1e-6);
    /* all outputs equal */
    last = sslh_find(m.net, "target_last.fc1.weight");
    for (i = 0; i < 60; i++) last->data[i] = sslh_find(m.net, "last.fc1.weight")->data[i] = 1;
    centre = sslh_find(m.net, "centre");
    for (i = 0; i < 12; i++) centre->data[i] = 0;
    sslh_next_batch(l, &b);
    CHECK_CLOSE(sslh_method_step(&m, o, &b, 0), log(12.0), 1e-5);
    CHECK_CLOSE(m.numbers[0].value, log(12.0), 1e-5);
    CHECK_NEAR(m.numbers[1].value, 0, 1e-5);
    for (i = 1; i < 12; i++)
        CHECK(fabs((double)(centre->data[i] - centre->data[0])) < 1e-6 && centre->data[0] != 0, "the centre");
    /* a centre far away makes one class win: the other collapse */
    centre->data[3] = -100;
    sslh_method_step(&m, o, &b, 0);
    CHECK_NEAR(m.numbers[0].value, 0, 1e-5);

    d.outputs = 16, d.bottleneck = 16, d.freeze = SSLH_OFF, d.target_momentum = 0.9f;
    m = sslh_dino(c, convnet(c, 6, 10), d);
    m.views = crops_same;
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    for (step = 0; step < 60; step++) {
        sslh_next_batch(l, &b);
        sslh_method_step(&m, o, &b, 2e-3f);
    }
    sslh_next_batch(l, &b);
    loss = sslh_method_step(&m, o, &b, 0);
    kl = m.numbers[1].value;
    same_broken = 1;
    CHECK(sslh_method_step(&m, o, &b, 0) > loss + 0.01f && m.numbers[1].value > kl,
          "breaking the positives does not raise %g",
          (double)loss);
    same_broken = 0;
    CHECK_OK(c);
    d.last_temperature = -0.5f;
    sslh_dino(c, convnet(c, 6, 10), d);
    CHECK_ERROR(c, "sslh_dino: .last_temperature");
    sslh_destroy(c);
}
#if SSLH_WITH_JEPA
/* Context and targets of a batch: in the grid, the context of every image of one size and without any target, each
   target a rectangle; another epoch has other ones. */
static void jepa_masks(sslh_ctx *c, sslh_method *m, sslh_loader *l) {
    sslh_view_set v;
    sslh_batch b;
    sslh_tensor *context, *targets;
    int32_t first = -1;
    int epoch, n, i, j, k, varies = 0;
    for (epoch = 0; epoch < 40; epoch++) {
        memset(&v, 0, sizeof v);
        CHECK(sslh_next_batch(l, &b), "a batch");
        m->views(m, &b, &v);
        context = sslh_view_get(&v, "context"), targets = sslh_view_get(&v, "targets");
        if (!CHECK(!sslh_error(c), "%s", sslh_error(c))) return;
        CHECK(context->shape[1] >= 2 && targets->shape[1] % 4 == 0, "sizes");
        for (n = 0; n < b.count; n++) {
            const int32_t *seen = context->ints + n * context->shape[1];
            const int32_t *hidden = targets->ints + n * targets->shape[1];
            for (i = 0; i < context->shape[1]; i++) {
                CHECK(seen[i] >= 0 && seen[i] < 16, "in the grid");
                for (j = 0; j < i; j++) CHECK(seen[j] != seen[i], "a patch twice");
                for (j = 0; j < targets->shape[1]; j++) CHECK(hidden[j] != seen[i], "a target in the context");
            }
            for (k = 0; k < 4; k++) { /* rows and columns of each block follow one another */
                const int32_t *block = hidden + k * (targets->shape[1] / 4);
                int T = targets->shape[1] / 4, wide = 1;
                while (wide < T && block[wide] == block[wide - 1] + 1 && block[wide] % 4) wide++;
                for (j = 0; j < T; j++)
                    CHECK(block[j] == block[0] + j / wide * 4 + j % wide && block[j] < 16, "not a rectangle");
            }
        }
        varies |= first >= 0 && targets->ints[0] != first;
        first = targets->ints[0];
    }
    CHECK(varies, "always the same targets");
}
static float jepa_steps(sslh_method *m, sslh_optimizer *o, sslh_loader *l, int steps, float lr) {
    sslh_batch b;
    float loss = 0;
    int step;
    for (step = 0; step < steps; step++)
        if (sslh_next_batch(l, &b)) loss = sslh_method_step(m, o, &b, lr);
    return loss;
}
/* What the encoder does not see is grey; filled differs from the image in targets only, by patches of other images. */
static void jepa_pictures(sslh_ctx *c, sslh_method *m) {
    sslh_tensor *x = sslh_normal(c, sslh_dim4(3, 8, 8, 3), 0, 1), *masked, *filled, *again;
    int n, a, b, k, grey = 0, changed = 0;
    sslh_jepa_show(m, x, 5, &masked, &filled);
    sslh_jepa_show(m, x, 5, NULL, &again);
    CHECK_OK(c);
    CHECK(memcmp(filled->data, again->data, x->count * sizeof *x->data) == 0, "the same stream, another picture");
    for (n = 0; n < 3; n++)
        for (a = 0; a < 16; a++) { /* the first pixel of each patch of 2 x 2 */
            const sslh_real *p = x->data + ((n * 8 + a / 4 * 2) * 8 + a % 4 * 2) * 3;
            const sslh_real *seen = masked->data + (p - x->data), *painted = filled->data + (p - x->data);
            int from = -1;
            grey += memcmp(p, seen, 3 * sizeof *p) != 0;
            if (memcmp(p, painted, 3 * sizeof *p) == 0) continue;
            changed++;
            for (k = 0; k < 3; k++)
                for (b = 0; b < 16; b++)
                    if (memcmp(painted, x->data + ((k * 8 + b / 4 * 2) * 8 + b % 4 * 2) * 3, 3 * sizeof *p) == 0)
                        from = k;
            CHECK(from >= 0 && from != n, "a patch of image %d", from);
        }
    CHECK(grey > 3 && changed > 3 && changed <= grey, "%d grey, %d filled", grey, changed);
    sslh_jepa_show(m, sslh_slice(c, x, 0, 0, 1), 5, &masked, NULL);
    CHECK_ERROR(c, "sslh_jepa_show: two or more images");
    sslh_jepa_show(m, sslh_zeros(c, sslh_dim4(2, 4, 4, 3)), 5, &masked, NULL);
    CHECK_ERROR(c, "sslh_jepa_show: sslh_forward: the net 'vit' wants images of");
}
/* The target encoder follows and has no gradient; equal tokens have no deviation and explain nothing; without positions
   the predictor is worse. */
static void jepa(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any");
    sslh_jepa_desc d;
    sslh_method m;
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_loader *l;
    sslh_net *target;
    sslh_tensor *follows, *leads, *positions, *gain;
    float old[12], loss;
    int i, k;
    memset(&d, 0, sizeof d), memset(&od, 0, sizeof od);
    d.target_momentum = 0.5f, d.predictor_width = 8, d.predictor_heads = 2, d.predictor_depth = 2;
    m = sslh_jepa(c, vit(c, 0), d);
    od.kind = SSLH_ADAM;
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    m.prepare(&m, data);
    jepa_masks(c, &m, loader_for(c, data, 8));
    l = loader_for(c, data, 8);
    m.steps = 4;
    target = sslh_child_at(m.net, 2);
    follows = sslh_find(target, "norm.weight"), leads = sslh_find(m.encoder, "norm.weight");
    for (k = 0; k < 4; k++) {
        float momentum = 0.5f + 0.5f * (float)k / 4;
        sslh_read(follows, old, 12);
        jepa_steps(&m, o, l, 1, 1e-2f);
        for (i = 0; i < 12; i++)
            CHECK_NEAR(follows->data[i], momentum * old[i] + (1 - momentum) * (float)leads->data[i], 1e-6);
        for (i = 0; i < sslh_count_tensors(target); i++)
            CHECK(sslh_tensor_at(target, i, NULL, 0, NULL)->grad == NULL, "a gradient in the target encoder");
    }
    m.steps = 0;
    loss = jepa_steps(&m, o, l, 150, 3e-3f);
    CHECK(m.numbers[0].value > 0.2f && m.numbers[1].value > 0.1f, "explained %g, deviation %g",
          (double)m.numbers[0].value, (double)m.numbers[1].value);
    positions = sslh_find(m.net, "predictor.predictor_pos_embed");
    for (i = 0; i < (int)positions->count; i++) positions->data[i] = 0;
    CHECK(jepa_steps(&m, o, l, 1, 0) > loss, "positions mean nothing to the predictor");
    jepa_pictures(c, &m);
    for (k = 0; k < 2; k++) { /* the last norm gives all tokens its shift */
        gain = k ? follows : leads;
        for (i = 0; i < 12; i++) gain->data[i] = 0;
    }
    jepa_steps(&m, o, l, 1, 0);
    CHECK_NEAR(m.numbers[1].value, 0, 1e-4);
    CHECK_NEAR(m.numbers[0].value, 0, 1e-4);
    CHECK_OK(c);
    d.target_min = 0.5f, d.target_max = 0.4f;
    sslh_jepa(c, vit(c, 0), d);
    CHECK_ERROR(c, "sslh_jepa: .target_max is 0.4, below .target_min, 0.5");
    d.target_min = d.target_max = 0;
    d.top_blocks = 3;
    sslh_jepa(c, vit(c, 0), d);
    CHECK_ERROR(c, "sslh_jepa: .top_blocks is 3, but the encoder has 2 blocks");
    sslh_jepa(c, convnet(c, 6, 10), d);
    CHECK_ERROR(c, "sslh_jepa: the encoder \"convnet\" has no patches");
    d.top_blocks = 1;
    d.targets = 16, d.target_min = d.target_max = 0.6f;
    m = sslh_jepa(c, vit(c, 0), d);
    m.prepare(&m, data);
    jepa_steps(&m, o, l, 1, 0);
    CHECK_ERROR(c, "leave too little of a context");
    sslh_destroy(c);
}
/* Without the stop-gradient the targets collapse. */
static void jepa_collapse(void) {
    float deviation[2];
    int k;
    for (k = 0; k < 2; k++) {
        sslh_ctx *c = create(1);
        sslh_data data = data_for(c, "any");
        sslh_jepa_desc d;
        sslh_method m;
        sslh_optimizer_desc od;
        sslh_optimizer *o;
        memset(&d, 0, sizeof d), memset(&od, 0, sizeof od);
        d.target_momentum = 0.5f, d.predictor_width = 8, d.predictor_heads = 2, d.predictor_depth = 2;
        d.no_stop_gradient = k;
        od.kind = SSLH_ADAM;
        m = sslh_jepa(c, vit(c, 0), d);
        o = sslh_optimizer_new(c, od);
        sslh_optimizer_add(o, m.net);
        m.prepare(&m, data);
        jepa_steps(&m, o, loader_for(c, data, 8), 300, 3e-3f);
        deviation[k] = m.numbers[1].value;
        CHECK_OK(c);
        sslh_destroy(c);
    }
    CHECK(deviation[1] < 0.3f * deviation[0], "deviation %g, without the stop-gradient %g", (double)deviation[0],
          (double)deviation[1]);
}
#endif
/* The decay of the last step is nearly ten times that of the first: without a rate and a gradient only decay moves. */
static void dino_decay(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any");
    sslh_method m = sslh_method_make(c, "dino", convnet(c, 6, 10), data, "outputs=12 bottleneck=5 small_views=0");
    sslh_optimizer_desc od = m.defaults.optimizer;
    sslh_optimizer *o;
    sslh_loader *l = loader_for(c, data, 8);
    sslh_batch b;
    double moved[2] = {0, 0};
    int step;
    od.weight_decay = 1e5f; /* beside which the step of Adam, at most the rate, is nothing */
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    m.prepare(&m, data);
    m.steps = 9;
    for (step = 0; step < 9; step++) {
        sslh_tensor *w = sslh_find(m.net, "head.fc2.weight");
        double before = (double)w->data[0];
        sslh_next_batch(l, &b);
        sslh_method_step(&m, o, &b, 1e-8f);
        if (step == 0 || step == 8) moved[step == 8] = 1 - (double)w->data[0] / before;
    }
    CHECK_OK(c);
    /* 1e-8 * 1e5 = 0.001, times 10 - 9 (1 + cos(8 pi / 9)) / 2 in the last */
    CHECK_NEAR(moved[0], 0.001, 3e-5);
    CHECK_NEAR(moved[1], 0.001 * (10 - 4.5 * (1 + cos(8 * 3.14159265 / 9))), 3e-5);
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_MAE
/* The second number of one step on 32 images with a decoder that gives the number always; *loss its loss. */
static double mae_second(sslh_ctx *c, sslh_data data, const sslh_recipe *recipe, int patch, int raw, float always,
                         double *loss) {
    sslh_vit_desc v;
    sslh_mae_desc d;
    sslh_method m;
    sslh_batch batch;
    sslh_view_set views;
    sslh_tensor *t;
    size_t i;
    memset(&v, 0, sizeof v), memset(&d, 0, sizeof d), memset(&views, 0, sizeof views);
    v.image = data.height, v.channels = data.channels, v.patch = patch, v.width = 12, v.depth = 1, v.heads = 3;
    d.decoder_width = 8, d.decoder_depth = 1, d.decoder_heads = 2, d.raw_pixels = raw, d.views = recipe;
    m = sslh_mae(c, sslh_vit(c, v), d);
    CHECK_OK(c);
    sslh_next_batch(loader_for(c, data, 32), &batch);
    m.prepare(&m, data);
    m.views(&m, &batch, &views);
    t = sslh_find(m.net, "decoder.decoder_pred.weight");
    for (i = 0; i < t->count; i++) t->data[i] = 0;
    t = sslh_find(m.net, "decoder.decoder_pred.bias");
    for (i = 0; i < t->count; i++) t->data[i] = (sslh_real)always;
    *loss = (double)sslh_item(m.loss(&m, &views, 0));
    CHECK_OK(c);
    return (double)m.numbers[0].value;
}

/* What a decoder explains that has learnt nothing is nothing: on images with flat patches, on others, on black ones. */
static void mae_explained(void) {
    static uint8_t black[32 * 8 * 8 * 3], grey[32 * 4 * 4];
    static const char *const folders[2] = {"examples/data/train", "../examples/data/train"};
    sslh_ctx *c = create(1);
    sslh_data shipped, random, none = sslh_data_from_images(c, black, 32, 8, 8, 3, NULL), small;
    sslh_vit_desc v;
    sslh_mae_desc d;
    sslh_train_desc td = two_steps();
    sslh_recipe recipe;
    sslh_method m;
    sslh_tensor *a, *b;
    double loss, second;
    int patch, raw, i;
    FILE *there = fopen("examples/data/train/index.txt", "rb");
    shipped = sslh_data_range(sslh_load_images(c, folders[there == NULL]), 0, 32);
    if (there) fclose(there);
    random = sslh_data_range(data_for(c, "any"), 0, 32);
    CHECK_OK(c);
    for (raw = 0; raw < 2; raw++) {
        for (patch = 1; patch <= 7; patch++) { /* 1: the images that have no flat patches, with patches of 2 */
            const sslh_data data = patch == 1 ? random : shipped;
            const int size = patch == 1 ? 2 : patch;
            double half, loss_half, mean, variance;
            if (data.height % size) continue;
            second = mae_second(c, data, NULL, size, raw, 0, &loss);
            half = mae_second(c, data, NULL, size, raw, 0.5f, &loss_half);
            /* a decoder that always gives b has the loss variance + (b - mean)^2 */
            mean = 0.25 - (loss_half - loss);
            variance = loss - mean * mean;
            CHECK(variance > 0.5, "patch %d: variance %g", size, variance);
            CHECK_NEAR(second, 1 - loss / variance, 1e-4);
            CHECK_NEAR(half, 1 - loss_half / variance, 1e-4);
            if (!raw) CHECK_NEAR(second, 0, 1e-4); /* patches of mean 0; of raw pixels crops choose the mean */
        }
        CHECK_NEAR(mae_second(c, none, NULL, 2, raw, 0, &loss), 0, 0);
        CHECK_NEAR(loss, 0, 0);
        CHECK_NEAR(mae_second(c, none, NULL, 2, raw, 0.5f, &loss), 0, 0);
        CHECK_NEAR(loss, 0.25, 1e-6);
    }
    memset(&recipe, 0, sizeof recipe);
    memset(black, 77, sizeof black); /* a grey whose patches rounding does not leave quite flat */
    CHECK_NEAR(mae_second(c, none, &recipe, 2, 0, 0.5f, &loss), 0, 0);
    /* patches of one value: pixels can be painted, but not normalised by their variance */
    for (i = 0; i < (int)sizeof grey; i++) grey[i] = (uint8_t)(i * 37);
    small = sslh_data_from_images(c, grey, 32, 4, 4, 1, NULL);
    memset(&v, 0, sizeof v), memset(&d, 0, sizeof d);
    v.image = 4, v.channels = 1, v.patch = 1, v.width = 24, v.depth = 1, v.heads = 3;
    d.decoder_width = 12, d.decoder_depth = 1;
    sslh_mae(c, sslh_vit(c, v), d);
    CHECK_ERROR(c, "sslh_mae: patches of one value");
    d.raw_pixels = 1;
    m = sslh_mae(c, sslh_vit(c, v), d);
    loss = (double)sslh_train(c, m, small, td);
    CHECK(loss > 0.1 && loss < 10, "loss %g", loss);
    sslh_mae_reconstruct(&m, sslh_zeros(c, sslh_dim4(2, 4, 4, 1)), 0, &a, &b);
    CHECK(a->count == 32 && b->count == 32, "%d and %d values", (int)a->count, (int)b->count);
    CHECK_OK(c);
    sslh_destroy(c);
}
#endif

/* --- puzzles and patches ------------------------------------------------------------------------------------------ */

#if SSLH_WITH_JIGSAW || SSLH_WITH_CONTEXT
/* n images of side x side that say where a pixel is: channel 0 its row, 1 its column, 2 both, as multiples of 1/256. */
static sslh_data places(sslh_ctx *c, int n, int side) {
    static uint8_t pixels[64 * 32 * 32 * 3];
    int i, row, col;
    uint8_t *p = pixels;
    for (i = 0; i < n; i++)
        for (row = 0; row < side; row++)
            for (col = 0; col < side; col++, p += 3)
                p[0] = (uint8_t)(5 * row), p[1] = (uint8_t)(5 * col), p[2] = (uint8_t)(3 * row + 4 * col);
    return sslh_data_from_images(c, pixels, n, side, side, 3, NULL);
}
#endif

#if SSLH_WITH_JIGSAW
/* The set of permutations: different ones, far from each other, by the seed alone. */
static void jigsaw_set(void) {
    static const struct { int grid, count, least; double mean; } wanted[] = {
        {3, 100, 7, 8.07}, {3, 504, 7, 8.01}, {3, 701, 6, 8.0}, {3, 1000, 6, 8.0}, {3, 1512, 6, 8.0}, {3, 9, 8, 8.7},
        {2, 24, 2, 3.0},   {2, 4, 4, 4},      {2, 0, 2, 3.0},   {3, 0, 7, 8.07}};
    int w, i, j, k;
    for (w = 0; w < (int)(sizeof wanted / sizeof wanted[0]); w++) {
        sslh_ctx *c = create(1);
        sslh_jigsaw_desc d;
        sslh_method m, again;
        const sslh_tensor *set, *other;
        double sum = 0, pairs = 0;
        int least = 99, count = wanted[w].count ? wanted[w].count : wanted[w].grid == 2 ? 24 : 100;
        int tiles = wanted[w].grid * wanted[w].grid;
        memset(&d, 0, sizeof d);
        d.grid = wanted[w].grid, d.permutations = wanted[w].count, d.head_hidden = 4;
        m = sslh_jigsaw(c, convnet(c, 4, 4), d);
        CHECK_OK(c);
        set = sslh_find(m.net, "permutations");
        if (!CHECK(set && set->type == SSLH_I32 && set->shape[0] == count && set->shape[1] == tiles, "the set"))
            continue;
        for (i = 0; i < count; i++) {
            unsigned seen = 0;
            for (k = 0; k < tiles; k++) seen |= 1u << set->ints[i * tiles + k];
            CHECK(seen == (1u << tiles) - 1, "row %d is no permutation", i);
            for (j = 0; j < i; j++) {
                int distance = 0;
                for (k = 0; k < tiles; k++) distance += set->ints[i * tiles + k] != set->ints[j * tiles + k];
                sum += distance, pairs++;
                if (distance < least) least = distance;
            }
        }
        if (count == 100) printf("   100 of our 504 permutations: mean distance %.2f, least %d\n", sum / pairs, least);
        CHECK(least >= wanted[w].least && sum / pairs >= wanted[w].mean - 1e-9,
              "%d of %d tiles: least distance %d, mean %g", count, tiles, least, sum / pairs);
        again = sslh_jigsaw(c, convnet(c, 4, 4), d); /* later streams, the same seed */
        other = sslh_find(again.net, "permutations");
        CHECK(memcmp(set->ints, other->ints, set->count * sizeof *set->ints) == 0,
              "the set depends on more than the seed");
        if (count < 24) {
            sslh_desc cd;
            sslh_ctx *seeded;
            memset(&cd, 0, sizeof cd);
            cd.seed = 12, cd.threads = 1;
            seeded = sslh_create(cd);
            again = sslh_jigsaw(seeded, convnet(seeded, 4, 4), d);
            other = sslh_find(again.net, "permutations");
            CHECK(memcmp(set->ints, other->ints, set->count * sizeof *set->ints) != 0,
                  "the set does not know the seed");
            sslh_destroy(seeded);
        }
        sslh_destroy(c);
    }
}

/* The authors' way over all 9! permutations, for the page: nearest 1 takes of equally distant ones the one whose
   nearest chosen one is farthest. Our set is as far apart on average, and its least distance is larger. */
static void jigsaw_all(void) {
    enum { ALL = 362880, COUNT = 100 };
    int8_t *all = (int8_t *)malloc(9 * ALL), *least = (int8_t *)malloc(ALL);
    int *sum = (int *)malloc(ALL * sizeof *sum), nearest, i, k, chosen, distance;
    for (nearest = 0; nearest < 2; nearest++) {
        double total = 0;
        int best = 0, closest = 9;
        for (k = 0; k < 9; k++) all[k] = (int8_t)k;
        for (i = 1; i < ALL; i++) { /* the next one in the order of the dictionary */
            int8_t *p = all + 9 * i, t;
            int from, to, end;
            memcpy(p, p - 9, 9);
            for (from = 7; p[from] > p[from + 1]; from--) {}
            for (to = 8; p[to] < p[from]; to--) {}
            t = p[from], p[from] = p[to], p[to] = t;
            for (from++, end = 8; from < end; from++, end--) t = p[from], p[from] = p[end], p[end] = t;
        }
        for (i = 0; i < ALL; i++) sum[i] = 0, least[i] = 9;
        for (chosen = 0; chosen < COUNT; chosen++) {
            const int taken = best;
            if (chosen) total += sum[taken], closest = least[taken] < closest ? least[taken] : closest;
            sum[taken] = -1;
            for (i = 0, best = -1; i < ALL; i++) {
                if (sum[i] < 0) continue;
                for (k = distance = 0; k < 9; k++) distance += all[9 * i + k] != all[9 * taken + k];
                sum[i] += distance;
                if (distance < least[i]) least[i] = (int8_t)distance;
                if (best < 0 || sum[i] > sum[best] || (nearest && sum[i] == sum[best] && least[i] > least[best]))
                    best = i;
            }
        }
        total /= COUNT * (COUNT - 1) / 2;
        printf("   %d of all %d permutations, ties %s: mean distance %.2f, least %d\n", COUNT, ALL,
               nearest ? "by the nearest" : "the first", total, closest);
        CHECK(fabs(total - 8.08) < 0.005 && closest < 7, "mean %g, least %d", total, closest);
    }
    free(all), free(least), free(sum);
}

static sslh_tensor *as_it_is(sslh_net *net, sslh_tensor *x, const void *self) {
    (void)net, (void)self;
    return x;
}
/* A channel that never changes, such as alpha, stays as it is, for training, probes and sslh_embed alike. */
static void constant_channel(void) {
    static uint8_t pixels[16 * 24 * 24 * 4];
    static float embedded[16 * 4];
    sslh_ctx *c = create(1);
    sslh_jigsaw_desc d;
    sslh_net_desc n;
    sslh_feature_desc fd;
    sslh_loader_desc ld;
    sslh_recipe r = SSLH_VIEWS_NONE;
    sslh_view_set views;
    sslh_batch batch;
    sslh_preprocess p;
    sslh_data data;
    sslh_method m;
    sslh_net *net;
    sslh_tensor *x, *f;
    size_t i;
    memset(&d, 0, sizeof d), memset(&n, 0, sizeof n), memset(&fd, 0, sizeof fd), memset(&views, 0, sizeof views);
    memset(&ld, 0, sizeof ld);
    for (i = 0; i < sizeof pixels; i++)
        pixels[i] = i % 4 == 3 ? 255 : i % 4 == 1 ? 51 : (uint8_t)sslh_random_below(7, 7, (uint64_t)i, 256);
    data = sslh_data_from_images(c, pixels, 16, 24, 24, 4, NULL);
    ld.in_order = 1;
    sslh_next_batch(sslh_loader_new(c, data, ld), &batch);
    d.no_tile_norm = 1, d.grey = d.channel_shift = SSLH_OFF;
    m = sslh_jigsaw(c, convnet_of(c, 4), d);
    m.prepare(&m, data);
    m.views(&m, &batch, &views);
    x = sslh_view_get(&views, "tiles");
    for (i = 0; i < x->count; i += 4)
        CHECK(fabs((double)x->data[i + 1] - 0.2) < 1e-6 && x->data[i + 3] == 1, "a tile has %g and %g",
              (double)x->data[i + 1], (double)x->data[i + 3]);
    p = sslh_get_preprocess(m.encoder);
    CHECK(p.std[1] == 0 && p.std[3] == 0 && p.mean[3] == 1, "mean %g, deviation %g", (double)p.mean[3],
          (double)p.std[3]);
    n.name = "as_it_is", n.forward = as_it_is, n.kind = SSLH_MAP, n.width = 4;
    net = sslh_net_new(c, n);
    sslh_set_preprocess(net, p);
    f = sslh_features(c, net, data, fd);
    sslh_embed(net, pixels, 16, 24, 24, 4, embedded);
    memcpy(r.mean, p.mean, sizeof r.mean), memcpy(r.std, p.std, sizeof r.std);
    for (i = 0; i < 64; i++) {
        CHECK_NEAR(f->data[i], embedded[i], 1e-5);
        if (i % 4 == 1) CHECK_NEAR(f->data[i], 0.2, 1e-5);
        if (i % 4 == 3) CHECK_NEAR(f->data[i], 1, 1e-5);
    }
    CHECK_OK(c);
    x = sslh_global_avg_pool(c, sslh_views(c, batch, r, 0)); /* as methods see them */
    for (i = 0; i < 64; i++) CHECK_NEAR(f->data[i], x->data[i], 1e-5);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* What the views hold: each tile comes from the cell that the permutation of its label says, every place in the cell
   occurs, channels move apart but stay in the cell, grey puzzles are grey, tiles are normalised one by one. */
static void jigsaw_views(void) {
    sslh_ctx *c = create(1);
    sslh_data data = places(c, 64, 32);
    sslh_jigsaw_desc d;
    sslh_batch batch;
    sslh_preprocess p;
    sslh_tensor *tiles, *label;
    const sslh_tensor *set;
    sslh_view_set views;
    sslh_method m;
    int way, n, k, i, ch, seen_apart = 0, places_seen[2][3], labels_seen[24], different = 0;
    memset(places_seen, 0, sizeof places_seen), memset(labels_seen, 0, sizeof labels_seen);
    sslh_next_batch(loader_for(c, data, 64), &batch);
    for (way = 0; way < 5; way++) {
        double worst = 0;
        memset(&d, 0, sizeof d), memset(&views, 0, sizeof views);
        d.no_tile_norm = way != 3, d.project = way == 4 ? 1.0f : 0, d.channel_shift = way == 1 ? 2 : SSLH_OFF,
        d.grey = way == 2 ? 1.0f : SSLH_OFF;
        if (way == 0) d.grid = 2, d.tile = 14; /* cells of 16: the grid fills the image */
        m = sslh_jigsaw(c, convnet(c, 4, 4), d);
        m.prepare(&m, data);
        m.views(&m, &batch, &views);
        CHECK_OK(c);
        tiles = sslh_view_get(&views, "tiles"), label = sslh_view_get(&views, "labels");
        set = sslh_find(m.net, "permutations");
        p = sslh_get_preprocess(m.encoder);
        {
            int K = tiles->shape[1], t = tiles->shape[2], g = way ? 3 : 2, cell = 32 / g, room = cell - t;
            CHECK(tiles->ndim == 5 && tiles->shape[0] == 64 && K == g * g && t == (way ? 8 : 14) &&
                      tiles->shape[3] == t,
                  "tiles of %d", t);
            for (n = 0; n < 64; n++) {
                int corner[2] = {0, 0}; /* of the grid, where known */
                CHECK(label->ints[n] >= 0 && label->ints[n] < set->shape[0], "label %d", label->ints[n]);
                if (way == 0) labels_seen[label->ints[n]]++;
                for (k = 0; k < K; k++) {
                    const sslh_real *v = tiles->data + (n * K + k) * t * t * 3;
                    int from = set->ints[label->ints[n] * K + k], at[2];
                    for (i = 0; i < 2 && way < 2; i++) { /* channel i says row or column */
                        const double level = (double)(v[i] * (sslh_real)p.std[i] + (sslh_real)p.mean[i]) * 255;
                        at[i] = (int)floor(level / 5 + 0.5) - (i ? from % g : from / g) * cell;
                        if (way == 0) {
                            CHECK(at[i] >= corner[i] && at[i] <= corner[i] + room, "tile at %d of its cell", at[i]);
                            places_seen[i][at[i]]++;
                        } else CHECK(at[i] >= 0 && at[i] <= 2 + room, "tile at %d of its cell", at[i]);
                    }
                    if (way < 2)
                        for (i = 0; i < t * t; i++)
                            for (ch = 0; ch < 3; ch++) {
                                double x = (double)(v[i * 3 + ch] * (sslh_real)p.std[ch] + (sslh_real)p.mean[ch]) * 255;
                                double row = at[0] + (from / g) * cell + i / t, col = at[1] + (from % g) * cell + i % t;
                                double off = x - (ch == 0 ? 5 * row : ch == 1 ? 5 * col : 3 * row + 4 * col);
                                if (way == 0 || ch < 2) worst = fabs(off) > worst ? fabs(off) : worst;
                                else seen_apart += fabs(off) > 0.5;
                            }
                    if (way == 2)
                        for (i = 0; i < t * t; i++) {
                            double x[3];
                            for (ch = 0; ch < 3; ch++)
                                x[ch] = (double)v[i * 3 + ch] * (double)p.std[ch] + (double)p.mean[ch];
                            worst = fmax(worst, fabs(x[0] - x[1]) + fabs(x[1] - x[2]));
                        }
                    for (i = 0; i < t * t && way == 4; i++) { /* green against magenta is gone */
                        double x[3], a;
                        for (ch = 0; ch < 3; ch++)
                            x[ch] = (double)v[i * 3 + ch] * (double)p.std[ch] + (double)p.mean[ch];
                        a = fabs(2 * x[1] - x[0] - x[2]);
                        worst = a > worst ? a : worst;
                    }
                    for (ch = 0; ch < 3 && way == 3; ch++) {
                        double s = 0, s2 = 0;
                        for (i = 0; i < t * t; i++)
                            s += (double)v[i * 3 + ch], s2 += (double)v[i * 3 + ch] * (double)v[i * 3 + ch];
                        s /= t * t, s2 /= t * t;
                        worst = fabs(s) + fabs(s2 - 1) > worst ? fabs(s) + fabs(s2 - 1) : worst;
                    }
                }
                if (n)
                    different += memcmp(tiles->data, tiles->data + n * K * t * t * 3,
                                        (size_t)(K * t * t * 3) * sizeof(sslh_real)) != 0;
            }
        }
        CHECK(worst < (way < 2 ? 0.01 : way == 3 ? 0.2 : 1e-5), "way %d: %g", way, worst);
    }
    for (i = 0; i < 2; i++)
        for (k = 0; k < 3; k++)
            CHECK(places_seen[i][k] > 30, "place %d of a cell came %d times of 256", k, places_seen[i][k]);
    for (i = n = 0; i < 24; i++) n += labels_seen[i] > 0;
    CHECK(n > 15, "%d of 24 permutations in 64 puzzles", n);
    CHECK(seen_apart > 1000, "channels were apart in %d pixels", seen_apart);
    CHECK(different > 4 * 60, "%d puzzles differ from the first", different);
    sslh_destroy(c);
}

/* A head that knows nothing has the loss ln P; one that has learnt loses by wrong labels; and the picture of a solved
   puzzle is the image. */
static void jigsaw_learns(void) {
    sslh_ctx *c = create(1);
    sslh_data data = places(c, 64, 32);
    sslh_jigsaw_desc d;
    sslh_train_desc t;
    sslh_batch batch;
    sslh_view_set views;
    sslh_tensor *x, *w, *puzzle, *solved;
    sslh_method m;
    float right = 0;
    double loss, wrong;
    size_t i;
    int n, k, in_place = 0;
    memset(&d, 0, sizeof d), memset(&t, 0, sizeof t), memset(&views, 0, sizeof views);
    /* the tiles' means tell where they are: this is the shortcut that normalising them closes */
    d.grid = 2, d.no_tile_norm = 1, d.grey = SSLH_OFF, d.head_hidden = 64;
    m = sslh_jigsaw(c, convnet(c, 8, 16), d);
    w = sslh_find(m.net, "head.fc2.weight");
    {
        float *zero = (float *)calloc(w->count, sizeof *zero);
        sslh_write(w, zero, w->count);
        sslh_write(sslh_find(m.net, "head.fc2.bias"), zero, 24);
        free(zero);
    }
    t.quiet = 1, t.batch = 32, t.epochs = 60, t.lr = 0.1f, t.max_steps = 1;
    loss = (double)sslh_train(c, m, data, t);
    CHECK_NEAR(loss, log(24.0), 1e-5);
    t.max_steps = 0;
    sslh_train(c, m, data, t);
    sslh_next_batch(loader_for(c, data, 64), &batch);
    m.views(&m, &batch, &views);
    loss = (double)sslh_item(m.loss(&m, &views, 0));
    CHECK(loss < 1 && m.numbers[0].value > 0.7f, "loss %g, accuracy %g", loss, (double)m.numbers[0].value);
    x = sslh_view_get(&views, "labels");
    for (i = 0; i < x->count; i++) x->ints[i] = (x->ints[i] + 1) % 24;
    wrong = (double)sslh_item(m.loss(&m, &views, 0));
    CHECK(wrong > loss + 1 && wrong > log(24.0) && m.numbers[0].value < 0.2f,
          "wrong labels: %g, right ones %g", wrong, loss);
    sslh_jigsaw_solve(&m, sslh_batch_images(c, batch), 1, &puzzle, &solved, &right);
    CHECK_OK(c);
    CHECK(right > 0.7f && solved->shape[0] == 64 && solved->shape[1] == 32 && puzzle->count == solved->count,
          "solved %g", (double)right);
    for (n = 0; n < 64; n++) {
        int ok = 1;
        /* the middle of each cell: the middle of that cell of the image, but for the jitter */
        for (k = 0; k < 4; k++) {
            int row = k / 2 * 16 + 8, col = k % 2 * 16 + 8;
            const sslh_real *v = solved->data + ((n * 32 + row) * 32 + col) * 3;
            ok &= fabs((double)v[0] * 255 / 5 - row) <= 5 && fabs((double)v[1] * 255 / 5 - col) <= 5;
        }
        in_place += ok;
    }
    CHECK(in_place == (int)(right * 64 + 0.5f), "%d images are whole, %g puzzles solved", in_place, (double)right * 64);
    sslh_destroy(c);
}

static void jigsaw_errors(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any");
    sslh_tensor *a = NULL, *b = NULL;
    sslh_jigsaw_desc d;
    sslh_method m;
    memset(&d, 0, sizeof d);
    d.grid = 2, d.permutations = 25;
    sslh_jigsaw(c, convnet(c, 4, 4), d);
    CHECK_ERROR(c, "sslh_jigsaw: .permutations is 25, but 4 tiles (.grid 2) have 24");
    d.grid = 4, d.permutations = 0;
    sslh_jigsaw(c, convnet(c, 4, 4), d);
    CHECK_ERROR(c, "sslh_jigsaw: .grid is 4 (3 or 2)");
    d.grid = 0, d.permutations = 1513;
    sslh_jigsaw(c, convnet(c, 4, 4), d);
    CHECK_ERROR(c, "sslh_jigsaw: .permutations is 1513 (2 to 1512)");
    d.permutations = 0, d.tile = 3;
    m = sslh_jigsaw(c, convnet(c, 4, 4), d);
    sslh_train(c, m, data, two_steps());
    CHECK_ERROR(c, "sslh_jigsaw: tiles of 3 pixels do not fit into 3 x 3 cells of 2 pixels (images of 8 x 8)");
    d.tile = 0;
    sslh_train(c, sslh_jigsaw(c, vit(c, 0), d), data, two_steps());
    CHECK_ERROR(c, "sslh_jigsaw: tiles of 8 pixels do not fit");
    d.tile = 2;
    sslh_train(c, sslh_jigsaw(c, vit(c, 0), d), data, two_steps());
    CHECK_ERROR(c, "sslh_jigsaw: tiles of 2 pixels, but the encoder takes images of 8 only");
    d.tile = 1;
    sslh_train(c, sslh_jigsaw(c, convnet(c, 4, 4), d), data, two_steps());
    CHECK_ERROR(c, "sslh_jigsaw: tiles of one pixel (images of 8 x 8) have no variance");
    d.tile = 0;
    sslh_jigsaw(c, NULL, d);
    CHECK_ERROR(c, "sslh_jigsaw: the encoder is NULL");
    m = sslh_jigsaw(c, convnet(c, 4, 4), d);
    sslh_jigsaw_solve(&m, sslh_zeros(c, sslh_dim2(3, 3)), 0, &a, &b, NULL);
    CHECK_ERROR(c, "sslh_jigsaw_solve: images (N,H,W,C) are needed");
    CHECK(a && b && a->count == 1, "no dummies");
    sslh_jigsaw_solve(&m, sslh_zeros(c, sslh_dim4(2, 2, 8, 3)), 0, &a, &b, NULL);
    CHECK_ERROR(c, "do not fit");
    sslh_jigsaw_solve(&m, sslh_zeros(c, sslh_dim4(2, 8, 8, 5)), 0, &a, &b, NULL);
    CHECK_ERROR(c, "sslh_jigsaw_solve: sslh_jigsaw: images of 5 channels; 1 to 4 are possible");
    sslh_jigsaw_solve(&m, sslh_zeros(c, sslh_dim4(2, 8, 8, 1)), 0, &a, &b, NULL);
    CHECK_ERROR(c, "sslh_jigsaw_solve: sslh_forward: the net 'convnet' wants 3 channels");
    /* one image is one row for the head */
    sslh_train(c, m, sslh_data_range(data, 0, 1), two_steps());
    CHECK_ERROR(c, "jigsaw: a batch of 1; at least 2 are needed");
    d.no_head_norm = 1;
    sslh_train(c, sslh_jigsaw(c, convnet(c, 4, 4), d), sslh_data_range(data, 0, 1), two_steps());
    CHECK_OK(c);
    sslh_jigsaw_solve(NULL, NULL, 0, &a, &b, NULL);
    m = sslh_method_new(c, "mine", NULL, NULL, 0);
    sslh_jigsaw_solve(&m, sslh_zeros(c, sslh_dim4(2, 8, 8, 3)), 0, &a, &b, NULL);
    CHECK_ERROR(c, "'mine' was not made by sslh_jigsaw");
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_CPC2
static sslh_method cpc2(sslh_ctx *c, int norm, int directions, int negatives, int from) {
    sslh_cpc2_desc d;
    memset(&d, 0, sizeof d);
    d.side = 15, d.patch = 6, d.steps = 2, d.target = 8, d.scale = 1, d.context_blocks = 2, d.context_hidden = 8;
    d.directions = directions, d.negatives = negatives, d.from = from;
    return sslh_cpc2(c, convnet_alone(c, norm), d);
}
static double cpc2_loss(sslh_method *m, sslh_tensor *patches, int draws) {
    sslh_ctx *c = m->ctx;
    sslh_view_set v;
    int32_t drawn[999];
    int i;
    memset(&v, 0, sizeof v);
    for (i = 0; i < draws; i++) drawn[i] = (int32_t)(sslh_random_u32(3, 3, (uint64_t)i) >> 1);
    sslh_view_add(&v, "patches", patches);
    sslh_view_add(&v, "draws", sslh_from_ints(c, sslh_dim2(1, draws), drawn));
    return (double)sslh_item(m->loss(m, &v, 0));
}

/* All patches equal: ln of the number of places; the loss of a batch whose patches say which belong together
   falls, and rises when the lower rows are exchanged with those of other images. */
static void cpc2_collapse_and_learning(void) {
    sslh_ctx *c = create(2);
    sslh_method m = cpc2(c, 1, 2, 999, 0);
    sslh_optimizer_desc od;
    sslh_optimizer *o;
    sslh_tensor *x, *half[2], *other[2];
    float *v = (float *)malloc(3 * 16 * 108 * sizeof *v);
    int i, step;
    double loss = 0, first = 0;
    for (i = 0; i < 3 * 16 * 108; i++) v[i] = 0.25f;
    x = sslh_from(c, sslh_dim6(3, 4, 4, 6, 6, 3), v);
    CHECK(fabs(cpc2_loss(&m, x, 999) - log(48.0)) < 1e-4, "%g", cpc2_loss(&m, x, 999));
    /* ties, decided by rounding */
    CHECK(m.numbers[0].value < 0.5f, "hits among equals: %g", (double)m.numbers[0].value);
    memset(&od, 0, sizeof od);
    od.kind = SSLH_ADAM;
    o = sslh_optimizer_new(c, od);
    sslh_optimizer_add(o, m.net);
    for (i = 0; i < 3 * 16 * 108; i++) { /* image n has the colour n and noise */
        int n = i / (16 * 108), ch = i % 3;
        v[i] = (ch == n ? 1.0f : 0.0f) + 0.3f * sslh_random_normal(1, 1, (uint64_t)i);
    }
    for (step = 0; step < 120; step++) {
        sslh_view_set views;
        int32_t draws[60];
        sslh_begin_step(c);
        memset(&views, 0, sizeof views);
        for (i = 0; i < 60; i++) draws[i] = i;
        sslh_view_add(&views, "patches", sslh_from(c, sslh_dim6(3, 4, 4, 6, 6, 3), v));
        sslh_view_add(&views, "draws", sslh_from_ints(c, sslh_dim2(1, 60), draws));
        x = m.loss(&m, &views, 0);
        loss = (double)sslh_item(x);
        if (!step) first = loss;
        sslh_backward(c, x);
        sslh_optimizer_step(o, 0.01f);
    }
    CHECK(first > 3.0 && loss < first - 0.8, "the loss went from %g to %g", first, loss); /* ln 16 apart at the best */
    sslh_begin_step(c);
    x = sslh_from(c, sslh_dim6(3, 4, 4, 6, 6, 3), v);
    half[0] = sslh_slice(c, x, 1, 0, 2);
    half[1] = sslh_slice(c, x, 1, 2, 4);
    other[0] = sslh_slice(c, half[1], 0, 1, 3);
    other[1] = sslh_slice(c, half[1], 0, 0, 1);
    half[1] = sslh_concat(c, other, 2, 0);
    CHECK(cpc2_loss(&m, sslh_concat(c, half, 2, 1), 60) > cpc2_loss(&m, x, 60) + 0.8,
          "exchanging what is predicted does not raise the loss");
    CHECK_OK(c);
    free(v);
    sslh_destroy(c);
}

/* All patches equal: the loss is that of guessing among the answers that there are, fewer than .negatives says where a
   negative is the positive, or of the same sample, and where there are no more places. */
static void cpc2_guessing(void) {
    static const struct { int from, draws; double answers; } ways[] = {{0, 999, 48}, {2, 999, 33}, {1, 999, 16},
                                                                       {0, 9, 0}, {2, 9, 0}, {1, 9, 0}};
    sslh_ctx *c = create(1);
    sslh_method m;
    for (int i = 0; i < 6; i++) {
        sslh_view_set v;
        const int rows = ways[i].from == 1 ? 3 : 1;
        static int32_t drawn[3 * 999];
        double loss;
        memset(&v, 0, sizeof v);
        m = cpc2(c, 1, 2, ways[i].draws, ways[i].from);
        for (int k = 0; k < rows * ways[i].draws; k++) drawn[k] = (int32_t)(sslh_random_u32(3, 3, (uint64_t)k) >> 1);
        sslh_view_add(&v, "patches", sslh_full(c, sslh_dim6(3, 4, 4, 6, 6, 3), 0.25f));
        sslh_view_add(&v, "draws", sslh_from_ints(c, sslh_dim2(rows, ways[i].draws), drawn));
        loss = (double)sslh_item(m.loss(&m, &v, 0));
        CHECK_OK(c);
        CHECK_CLOSE(m.guessing, loss, 1e-5);
        if (ways[i].answers > 0) CHECK_CLOSE(m.guessing, log(ways[i].answers), 1e-6);
        else CHECK((double)m.guessing < log(10.0) && (double)m.guessing > log(3.0), "guessing %g", (double)m.guessing);
    }
    sslh_destroy(c);
}

/* What is predicted cannot be seen: new pixels in all that row 2 covers leave the context of row 0 as it was, and those
   below the patches of row 1 that of rows 0 and 1. In every direction, on the turned grid. */
static void cpc2_context_sees_no_target(void) {
    sslh_ctx *c = create(1);
    sslh_method m = cpc2(c, 1, 4, 9, 0);
    int way, row, i;
    for (row = 0; row < 2; row++) {
        sslh_tensor *context[2];
        double before = 0, behind = 0;
        size_t k, n;
        for (way = 0; way < 2; way++) {
            float pixels[15 * 15 * 3];
            sslh_forward_desc f;
            sslh_tensor *x;
            memset(&f, 0, sizeof f);
            f.tap = "c";
            for (i = 0; i < 15 * 15 * 3; i++)
                pixels[i] = sslh_random_normal(7, way && i / 45 >= 3 * row + 6 ? 2 : 1, (uint64_t)i);
            x = sslh_unfold(c, sslh_from(c, sslh_dim4(1, 15, 15, 3), pixels), 6, 6, 3, 3);
            x = sslh_forward(m.encoder, sslh_reshape(c, x, sslh_dim4(16, 6, 6, 3)));
            context[way] = sslh_forward_ex(sslh_child_at(m.net, 2), sslh_reshape(c, x, sslh_dim4(1, 4, 4, -1)), f);
        }
        n = context[0]->count / 4; /* of a row */
        CHECK_OK(c);
        for (k = 0; k < context[0]->count; k++) {
            double d = fabs((double)context[0]->data[k] - (double)context[1]->data[k]);
            if (k < n * (size_t)(row + 1)) before += d;
            else behind += d;
        }
        CHECK(before == 0 && behind > 0.01, "row %d: %g before, %g behind", row, before, behind);
    }
    sslh_destroy(c);
}

static void cpc2_errors(void) {
    sslh_ctx *c = create(1);
    sslh_cpc2_desc d;
    sslh_train_desc t;
    sslh_recipe larger;
    sslh_method m;
    memset(&d, 0, sizeof d);
    memset(&t, 0, sizeof t);
    t.epochs = 1, t.quiet = 1, t.batch = 8;
    sslh_cpc2(c, convnet(c, 6, 10), d);
    CHECK_ERROR(c, "sslh_cpc2: the encoder \"convnet\" has batch norm (bn1.running_mean): by the mean");
    d.allow_batch_norm = 1;
    sslh_cpc2(c, convnet(c, 6, 10), d);
    CHECK_OK(c);
    sslh_train(c, cpc2(c, 1, 4, 9, 0), data_for(c, "cpc2"), t);
    CHECK_OK(c);
    d.side = 15, d.patch = 6;
    m = sslh_cpc2(c, convnet(c, 6, 10), d);
    sslh_train(c, m, data_for(c, "cpc2"), t);
    CHECK_ERROR(c, "sslh_cpc2: a grid of 4 x 4 patches has no rows at a distance of 4 (.first 2, .steps 3)");
    d.patch = 16;
    m = sslh_cpc2(c, convnet(c, 6, 10), d);
    sslh_train(c, m, data_for(c, "cpc2"), t);
    CHECK_ERROR(c, "sslh_cpc2: patches of 16 pixels do not fit into images of 15 x 15");
    d.patch = 6;
    sslh_train(c, sslh_cpc2(c, vit(c, 0), d), data_for(c, "cpc2"), t);
    CHECK_ERROR(c, "sslh_cpc2: patches of 6 pixels, but the encoder takes images of 8 only");
    /* patches of 3 in a grid of 5 x 5, shown larger: the nearest row without a common pixel is still the third */
    larger = sslh_recipe_none();
    larger.height = larger.width = 8;
    d.side = 7, d.patch = 3, d.stride = 1, d.steps = 2, d.patch_views = &larger;
    sslh_train(c, sslh_cpc2(c, convnet(c, 6, 10), d), data_for(c, "cpc2"), t);
    CHECK_OK(c);
    t.batch = 1;
    sslh_train(c, cpc2(c, 1, 1, 9, 2), data_for(c, "cpc2"), t);
    CHECK_ERROR(c, "batch");
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_CONTEXT
/* One channel of each patch is left, or no green against magenta; patches come from where they should. */
static void context_views(void) {
    sslh_ctx *c = create(1);
    sslh_data data = places(c, 64, 32);
    sslh_context_desc d;
    sslh_batch batch;
    sslh_view_set views;
    sslh_tensor *x;
    sslh_method m;
    int way, n, i, k, ch, kept[3], moved[3], images = 64, different = 0;
    memset(kept, 0, sizeof kept), memset(moved, 0, sizeof moved);
    sslh_next_batch(loader_for(c, data, images), &batch);
    for (way = 0; way < 3; way++) { /* one channel; projected; as they are */
        double worst = 0;
        memset(&d, 0, sizeof d), memset(&views, 0, sizeof views);
        d.projection = way == 1, d.keep_colour = way == 2;
        m = sslh_context(c, convnet(c, 4, 4), d);
        m.prepare(&m, data);
        m.views(&m, &batch, &views);
        CHECK_OK(c);
        x = sslh_view_get(&views, "patches");
        if (!CHECK(x->ndim == 4 && x->shape[0] == 9 * images && x->shape[1] == 8 && x->shape[3] == 3, "patches")) break;
        for (n = 0; n < 9 * images; n++) {
            const sslh_real *v = x->data + n * 192;
            double sum[3] = {0, 0, 0}, square[3] = {0, 0, 0}, least = 1e9, all;
            int strong = 0;
            for (i = 0; i < 64; i++)
                for (ch = 0; ch < 3; ch++)
                    sum[ch] += (double)v[i * 3 + ch], square[ch] += (double)(v[i * 3 + ch] * v[i * 3 + ch]);
            for (ch = 0; ch < 3; ch++) strong += square[ch] > 64 * 0.5, least = square[ch] < least ? square[ch] : least;
            all = (square[0] + square[1] + square[2]) / 192;
            CHECK(fabs(all - 1) < 0.02, "mean square %g", all);
            for (ch = 0; ch < 3; ch++) {
                if (square[ch] > 64 * 0.5) CHECK(fabs(sum[ch]) < 1, "sum %g", sum[ch]);
                if (way == 0) kept[ch] += square[ch] > 64 * 2;
            }
            if (way == 0) /* noise of half a level beside a ramp of 5 levels a pixel */
                CHECK(strong == 1 && least > 64 * 1e-5 && least < 64 * 1e-2,
                      "%d channels, least %g", strong, least / 64);
            if (way == 1) { /* nothing along (-1,2,-1) is left */
                for (i = 0; i < 64; i++) {
                    double a = 2 * (double)v[i * 3 + 1] - (double)v[i * 3] - (double)v[i * 3 + 2];
                    worst = fabs(a) > worst ? fabs(a) : worst;
                }
            }
            if (n) different += memcmp(x->data, v, 192 * sizeof *v) != 0;
        }
        CHECK(worst < 1e-4, "%g is left", worst);
    }
    for (ch = 0; ch < 3; ch++) CHECK(kept[ch] > 140, "channel %d was kept in %d patches of 576", ch, kept[ch]);
    CHECK(different > 3 * 500, "%d patches differ from the first", different);
    /* where they come from: no two pieces of noise are alike, whatever their mean and contrast */
    {
        static uint8_t pixels[16 * 40 * 40];
        sslh_data noise;
        int row, col, at[9][2], seen = 0;
        for (n = 0; n < 16; n++)
            for (row = 0; row < 40; row++)
                for (col = 0; col < 40; col++)
                    pixels[(n * 40 + row) * 40 + col] =
                        (uint8_t)sslh_random_below(1, (uint64_t)n, (uint64_t)(row * 40 + col), 256);
        noise = sslh_data_from_images(c, pixels, 16, 40, 40, 1, NULL);
        memset(&d, 0, sizeof d), memset(&views, 0, sizeof views);
        d.patch = 8, d.gap = 0.5f, d.jitter = 0.25f; /* 24 + 8 + 4 of 40 */
        m = sslh_context(c, convnet_of(c, 1), d);
        sslh_next_batch(loader_for(c, noise, 16), &batch);
        m.prepare(&m, noise);
        m.views(&m, &batch, &views);
        CHECK_OK(c);
        x = sslh_view_get(&views, "patches");
        for (n = 0; n < 16; n++) {
            for (i = 0; i < 9; i++) { /* the place at which the image, normalised alike, is this patch */
                const sslh_real *v = x->data + (n * 9 + i) * 64;
                const uint8_t *from = pixels + batch.index[n] * 1600;
                double best = 1e9;
                for (row = 0; row <= 32; row++)
                    for (col = 0; col <= 32; col++) {
                        double mean = 0, square = 0, off = 0, y[64];
                        for (k = 0; k < 64; k++) mean += y[k] = from[(row + k / 8) * 40 + col + k % 8] / 255.0;
                        for (k = 0; k < 64; k++) y[k] -= mean / 64, square += y[k] * y[k];
                        for (k = 0; k < 64; k++) off += fabs(y[k] / sqrt(square / 64 + 1e-5) - (double)v[k]);
                        if (off < best) best = off, at[i][0] = row, at[i][1] = col;
                    }
                CHECK(best < 0.01, "patch %d of image %d is no piece of it: %g", i, n, best);
            }
            for (i = 0; i < 9; i++)
                for (k = 0; k < 2; k++) {
                    int apart = at[i][k] - at[4][k] - ((k ? i % 3 : i / 3) - 1) * 12; /* both may have moved by 2 */
                    CHECK(abs(apart) <= 4, "patch %d is %d pixels from its place", i, apart);
                    seen |= i != 4 && apart ? 1 << (apart + 4) : 0;
                }
        }
        CHECK((seen & 0x1ef) == 0x1ef, "the jitter takes not every value: %x", (unsigned)seen);
    }
    sslh_destroy(c);
}

/* A head that knows nothing has the loss ln 8; one that has learnt loses when the patches of an image change places;
   the pairs of one order are part of those of both. */
static void context_learns(void) {
    static uint8_t curved[64 * 32 * 32];
    sslh_ctx *c = create(1);
    sslh_data data;
    sslh_context_desc d;
    sslh_train_desc t;
    sslh_batch batch;
    sslh_view_set views;
    sslh_tensor *x, *w;
    sslh_method m;
    double loss, wrong;
    float accuracy;
    int n, i, row, col;
    float *zero;
    for (n = 0; n < 64; n++) /* a bowl: the slope tells the place */
        for (row = 0; row < 32; row++)
            for (col = 0; col < 32; col++) {
                int y = row - 15 - n % 2, z = col - 15 - n / 2 % 2;
                curved[(n * 32 + row) * 32 + col] = (uint8_t)((y * y + z * z) / 2);
            }
    data = sslh_data_from_images(c, curved, 64, 32, 32, 1, NULL);
    memset(&d, 0, sizeof d), memset(&t, 0, sizeof t), memset(&views, 0, sizeof views);
    d.head_hidden = 32;
    m = sslh_context(c, convnet_of(c, 1), d);
    w = sslh_find(m.net, "head.fc2.weight");
    zero = (float *)calloc(w->count, sizeof *zero);
    sslh_write(w, zero, w->count);
    sslh_write(sslh_find(m.net, "head.fc2.bias"), zero, 8);
    free(zero);
    t.quiet = 1, t.batch = 32, t.epochs = 30, t.lr = 0.1f, t.max_steps = 1;
    loss = (double)sslh_train(c, m, data, t);
    CHECK_NEAR(loss, log(8.0), 1e-5);
    t.max_steps = 0;
    sslh_train(c, m, data, t);
    sslh_next_batch(loader_for(c, data, 64), &batch);
    m.views(&m, &batch, &views);
    loss = (double)sslh_item(m.loss(&m, &views, 0));
    accuracy = m.numbers[0].value;
    CHECK(loss < 0.7 && accuracy > 0.7f, "loss %g, accuracy %g", loss, (double)accuracy);
    x = sslh_view_get(&views, "patches");
    for (n = 0; n < 64; n++) /* what lay above lies below: patch i becomes patch 8 - i */
        for (i = 0; i < 4 * 64; i++) {
            sslh_real *a = x->data + n * 576 + i, *b = x->data + n * 576 + (8 - i / 64) * 64 + i % 64, keep = *a;
            *a = *b, *b = keep;
        }
    wrong = (double)sslh_item(m.loss(&m, &views, 0));
    CHECK(wrong > loss + 1 && wrong > log(8.0) && m.numbers[0].value < 0.2f,
          "wrong places: %g, right ones %g", wrong, loss);
    CHECK_OK(c);
    sslh_destroy(c);
}

static void context_errors(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any");
    sslh_context_desc d;
    memset(&d, 0, sizeof d);
    d.patch = 3;
    sslh_train(c, sslh_context(c, convnet(c, 4, 4), d), data, two_steps());
    CHECK_ERROR(c, "sslh_context: three patches of 3 pixels with gaps of 1 and a jitter of 0 need 11 pixels, "
                   "the images have 8 x 8");
    d.patch = 2, d.jitter = 0.5f;
    sslh_train(c, sslh_context(c, convnet(c, 4, 4), d), data, two_steps());
    CHECK_ERROR(c, "sslh_context: with gaps of 0 and a jitter of 1 pixels patches could overlap");
    d.patch = 1, d.jitter = 0;
    sslh_train(c, sslh_context(c, convnet(c, 4, 4), d), data, two_steps());
    CHECK_ERROR(c, "sslh_context: patches of 1 pixels (images of 8 x 8) have no contrast");
    d.patch = 2;
    sslh_train(c, sslh_context(c, vit(c, 0), d), data, two_steps());
    CHECK_ERROR(c, "sslh_context: patches of 2 pixels, but the encoder takes images of 8 only");
    d.gap = -2;
    sslh_context(c, convnet(c, 4, 4), d);
    CHECK_ERROR(c, "sslh_context: .gap is -2 (0 to 4)");
    d.gap = 0;
    sslh_context(c, NULL, d);
    CHECK_ERROR(c, "sslh_context: the encoder is NULL");
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_COLORIZATION
/* n images of side x side pixels in cells of 4: one of four colours, which the lightness gives away;
   the last is rare. */
static sslh_data painted(sslh_ctx *c, int n) {
    static const uint8_t colour[4][3] = {{90, 20, 20}, {40, 110, 40}, {90, 140, 220}, {240, 220, 120}};
    static uint8_t pixels[64 * 16 * 16 * 3];
    int i, p, k;
    for (i = 0; i < n; i++)
        for (p = 0; p < 256; p++)
            for (k = 0; k < 3; k++) {
                int kind = (int)sslh_random_below(6, (uint64_t)i, (uint64_t)(p / 64 * 4 + p % 16 / 4), 24);
                pixels[(i * 256 + p) * 3 + k] = colour[kind == 23 ? 3 : kind % 3][k];
            }
    return sslh_data_from_images(c, pixels, n, 16, 16, 3, NULL);
}
static sslh_net *net_of(sslh_ctx *c, int channels) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = channels, d.widths[0] = 8, d.widths[1] = 16;
    return sslh_convnet(c, d);
}

/* The table of bins has as many as the colours of 8-bit sRGB reach. Those of the surface of the cube are enough: what
   lies inside has the a and b of something on it. */
static void colorization_bins(void) {
    static char seen[41][41];
    static float v[256 * 3];
    sslh_ctx *c = create(1);
    sslh_colorization_desc d;
    sslh_method m;
    int face, i, j, k, found = 0;
    memset(&d, 0, sizeof d);
    for (face = 0; face < 6; face++)
        for (i = 0; i < 256; i++) {
            sslh_tensor *lab;
            sslh_begin_step(c);
            for (j = 0; j < 256; j++)
                for (k = 0; k < 3; k++)
                    v[j * 3 + k] = k == face % 3 ? (float)(face / 3) : (float)(k == (face + 1) % 3 ? i : j) / 255;
            lab = sslh_rgb_to_lab(c, sslh_from(c, sslh_dim2(256, 3), v));
            for (j = 0; j < 256; j++) {
                char *at = &seen[20 + (int)floor((double)lab->data[j * 3 + 1] / 10 + 0.5)]
                                [20 + (int)floor((double)lab->data[j * 3 + 2] / 10 + 0.5)];
                found += !*at;
                *at = 1;
            }
        }
    m = sslh_colorization(c, net_of(c, 1), d);
    CHECK_OK(c);
    CHECK(found == 261 && sslh_find(m.net, "head.out.weight")->shape[0] == found, "%d bins", found);
    d.reverse = 1;
    m = sslh_colorization(c, net_of(c, 2), d);
    CHECK(sslh_find(m.net, "head.out.weight")->shape[0] == 21 && !sslh_find(m.net, "bin_weight"), "bins of L");
    sslh_destroy(c);
}

/* A head that knows nothing has the loss ln 261; one that has learnt paints the colours that it is not shown, and loses
   when they are others. Rare colours weigh more. */
static void colorization_learns(void) {
    sslh_ctx *c = create(1);
    sslh_data data = painted(c, 64);
    sslh_colorization_desc d;
    sslh_train_desc t;
    sslh_batch batch;
    sslh_view_set views;
    sslh_tensor *x, *y, *lab, *w;
    sslh_method m;
    double loss, wrong, off = 0, lightness = 0, least = 1e9, most = 0;
    float error;
    size_t i;
    int way;
    memset(&d, 0, sizeof d), memset(&t, 0, sizeof t), memset(&views, 0, sizeof views);
    t.quiet = 1, t.batch = 32, t.max_steps = 1, t.epochs = 40, t.lr = 0.02f;
    d.head_hidden = 16;
    for (way = 0; way < 2; way++) { /* rebalanced; all alike */
        d.lambda = way ? 1 : 0;
        m = sslh_colorization(c, net_of(c, 1), d);
        sslh_train_mode(m.net, 1);
        w = sslh_find(m.net, "head.out.weight");
        memset(w->data, 0, w->count * sizeof *w->data);
        w = sslh_find(m.net, "head.out.bias");
        memset(w->data, 0, w->count * sizeof *w->data);
        loss = (double)sslh_train(c, m, data, t);
        if (way) CHECK_NEAR(loss, log(261.0), 1e-4);
        else
            CHECK(loss > 0.1 * log(261.0) && loss < 1.25 * log(261.0), "loss %g", loss); /* common colours weigh less */
        if (way) continue;
        w = sslh_find(m.net, "bin_weight");
        for (i = 0; i < w->count; i++) {
            least = (double)w->data[i] < least ? (double)w->data[i] : least;
            most = (double)w->data[i] > most ? (double)w->data[i] : most;
        }
        CHECK(least > 0 && most / least > 20, "weights %g to %g", least, most);
    }
    t.max_steps = 0;
    sslh_train(c, m, data, t);
    sslh_next_batch(loader_for(c, data, 64), &batch);
    m.views(&m, &batch, &views);
    loss = (double)sslh_item(m.loss(&m, &views, 0));
    error = m.numbers[0].value;
    CHECK_OK(c);
    CHECK(loss < 2 && error < 0.3f, "loss %g, error %g", loss, (double)error);
    lab = sslh_view_get(&views, "lab");
    x = sslh_batch_images(c, batch);
    y = sslh_rgb_to_lab(c, sslh_colorize(&m, sslh_mean(c, x, SSLH_AXIS(3), 1))); /* of grey images of other lightness */
    CHECK(y->ndim == 4 && y->shape[3] == 3, "colours");
    y = sslh_rgb_to_lab(c, sslh_colorize(&m, x));
    for (i = 0; i < y->count; i += 3) {
        double a = (double)(y->data[i + 1] - lab->data[i + 1]), b = (double)(y->data[i + 2] - lab->data[i + 2]);
        off += sqrt(a * a + b * b) / (double)(y->count / 3);
        lightness += fabs((double)(y->data[i] - lab->data[i])) / (double)(y->count / 3);
    }
    /* between cells the colours are mixed; grey is 44 from the truth */
    CHECK(off < 20 && lightness < 3, "%g from the true colours, %g from the lightness", off, lightness);
    for (i = 0; i < lab->count; i++) if (i % 3) lab->data[i] = -lab->data[i]; /* the colours opposite */
    wrong = (double)sslh_item(m.loss(&m, &views, 0));
    CHECK(wrong > loss + 2 && m.numbers[0].value > 1.5f, "opposite colours: %g, right ones %g", wrong, loss);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Probes, sslh_embed, fine-tuning and a file give an encoder what it has seen in training, and nothing of what it has
   not. */
static void colorization_input(void) {
    static float own[64 * 16], embedded[64 * 16];
    sslh_ctx *c = create(1);
    sslh_data data = painted(c, 32);
    sslh_colorization_desc d;
    sslh_finetune_desc fd;
    sslh_feature_desc none;
    sslh_method m;
    sslh_batch batch;
    sslh_tensor *x, *f, *lab, *part;
    sslh_net *again;
    static int32_t labels[32], index[32];
    int way, i, k;
    char path[512];
    snprintf(path, sizeof path, "%s", test_temporary("colour.safetensors"));
    memset(&none, 0, sizeof none), memset(&fd, 0, sizeof fd), memset(&batch, 0, sizeof batch);
    for (i = 0; i < 32; i++) labels[i] = i % 2, index[i] = i;
    data.labels = labels, data.classes = 2;
    batch.data = data, batch.count = 32, batch.index = index;
    fd.epochs = 1, fd.batch = 16;
    for (way = 0; way < 5; way++) { /* L; (a,b); L of 3; (a,b) of 3; both */
        static const int channels[5] = {1, 2, 3, 3, 3};
        sslh_net *encoder = net_of(c, channels[way]);
        memset(&d, 0, sizeof d);
        d.head_hidden = 4, d.reverse = way == 1 || way == 3, d.split_brain = way == 4;
        m = sslh_colorization(c, encoder, d);
        sslh_train(c, m, data, two_steps());
        f = sslh_features(c, m.encoder, data, none);
        CHECK_OK(c);
        CHECK(f->shape[1] == (way == 4 ? 32 : 16), "%d features", f->shape[1]);
        sslh_embed(m.encoder, (const uint8_t *)data.field[0].values, 32, 16, 16, 3, way == 4 ? own : embedded);
        lab = sslh_rgb_to_lab(c, sslh_batch_images(c, batch)); /* by hand */
        for (i = 0; i < (int)lab->count; i++)
            lab->data[i] = (lab->data[i] - (i % 3 ? 0 : 50)) / (i % 3 ? 15 : 25);
        for (k = 0; k < (way == 4 ? 2 : 1); k++) {
            int from_l = way == 0 || way == 2 || (way == 4 && k == 0);
            part = from_l ? sslh_slice(c, lab, 3, 0, 1) : sslh_slice(c, lab, 3, 1, 3);
            if (way >= 2) part = sslh_pad(c, part, 3, from_l ? 0 : 1, from_l ? 2 : 0, 0);
            x = sslh_forward(way == 4 ? sslh_child_at(m.encoder, k) : encoder, part);
            for (i = 0; i < 32 * 16; i++) {
                double want = (double)x->data[i], got = (double)f->data[i / 16 * f->shape[1] + k * 16 + i % 16];
                CHECK(fabs(want - got) < 1e-4 * (1 + fabs(want)), "way %d: feature %g, by hand %g", way, got, want);
                if (way < 4) CHECK(fabs((double)embedded[i] - got) < 1e-5 * (1 + fabs(got)), "embedded");
            }
        }
        sslh_finetune(c, m.encoder, data, data, fd);
        CHECK_OK(c);
        if (way == 4) continue;
        sslh_save_net(m.encoder, path);
        again = sslh_load_net(c, path);
        CHECK_OK(c);
        CHECK(sslh_get_preprocess(again).colour == way + 1 + (way >= 2),
              "colour %d", sslh_get_preprocess(again).colour);
        sslh_embed(again, (const uint8_t *)data.field[0].values, 32, 16, 16, 3, own);
        CHECK(memcmp(own, embedded, 32 * 16 * sizeof *own) == 0, "way %d: other features from the file", way);
        if (way == 0) sslh_embed(again, (const uint8_t *)data.field[0].values, 2, 16, 16, 1, own); /* grey ones too */
        CHECK_OK(c);
        test_remove(path);
    }
    sslh_destroy(c);
}

/* The weights of colours are those of the data that training goes over: the other images of the set, of which it is a
   part, change nothing. */
static void colorization_subset(void) {
    static uint8_t other[32 * 768];
    uint64_t hash[3];
    for (int i = 0; i < 3; i++) { /* a part of one set, of another, and by itself */
        sslh_ctx *c = create(1);
        sslh_data data = painted(c, 32);
        sslh_colorization_desc d;
        sslh_method m;
        memset(&d, 0, sizeof d);
        d.head_hidden = 4;
        memcpy(other, data.field[0].values, sizeof other);
        for (size_t k = sizeof other / 2; k < sizeof other; k++) other[k] = (uint8_t)(k % 3 * 100); /* blue */
        if (i) data = sslh_data_from_images(c, other, i == 1 ? 32 : 16, 16, 16, 3, NULL);
        m = sslh_colorization(c, net_of(c, 1), d);
        sslh_train(c, m, sslh_data_range(data, 0, 16), two_steps());
        CHECK_OK(c);
        hash[i] = sslh_hash(m.net);
        sslh_destroy(c);
    }
    CHECK(hash[0] == hash[2] && hash[1] == hash[2], "training depends on images that it was not given");
}

static void colorization_errors(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any"), grey;
    static uint8_t pixels[8 * 8 * 8 * 3];
    sslh_colorization_desc d;
    sslh_mlp_desc mlp;
    sslh_recipe larger;
    sslh_method m;
    int i;
    memset(&d, 0, sizeof d), memset(&mlp, 0, sizeof mlp);
    d.cell = 3;
    sslh_train(c, sslh_colorization(c, convnet(c, 4, 4), d), data, two_steps());
    CHECK_ERROR(c, "sslh_colorization: images of 8 x 8 are no whole cells of 3 pixels");
    d.cell = 0;
    sslh_colorization(c, NULL, d);
    CHECK_ERROR(c, "sslh_colorization: the encoder is NULL");
    sslh_colorization(c, net_of(c, 2), d);
    CHECK_ERROR(c, "takes 2 channels; 1 (L) or 3");
    d.reverse = 1;
    sslh_colorization(c, net_of(c, 1), d);
    CHECK_ERROR(c, "takes 1 channels; 2 (a and b) or 3");
    d.split_brain = 1;
    sslh_colorization(c, net_of(c, 3), d);
    CHECK_ERROR(c, "leave .reverse out");
    d.reverse = 0;
    sslh_colorization(c, net_of(c, 1), d);
    CHECK_ERROR(c, "takes 1 channels; 3");
    d.split_brain = 0, d.lambda = 2;
    sslh_colorization(c, net_of(c, 1), d);
    CHECK_ERROR(c, "sslh_colorization: .lambda is 2 (above 0, at most 1)");
    d.lambda = 0, d.tap = "nowhere";
    sslh_colorization(c, net_of(c, 1), d);
    CHECK_ERROR(c, "sslh_colorization: sslh_forward: the net 'convnet' has no intermediate result 'nowhere'");
    d.tap = NULL;
    mlp.in = 32 * 32 * 3;
    sslh_colorization(c, sslh_mlp(c, mlp), d);
    CHECK_ERROR(c, "gives a vector and has no intermediate map");
    grey = sslh_data_from_images(c, pixels, 8, 8, 8, 3, NULL);
    sslh_train(c, sslh_colorization(c, net_of(c, 1), d), grey, two_steps());
    CHECK_ERROR(c, "sslh_colorization: no image has a colour");
    d.lambda = 1; /* without weights of the bins */
    sslh_train(c, sslh_colorization(c, net_of(c, 1), d), grey, two_steps());
    CHECK_ERROR(c, "sslh_colorization: no image has a colour");
    d.lambda = 0, d.reverse = 1;
    sslh_train(c, sslh_colorization(c, net_of(c, 3), d), grey, two_steps());
    CHECK_ERROR(c, "sslh_colorization: no image has a colour");
    d.reverse = 0;
    /* images of 3 x 3, smaller than a cell, that the recipe enlarges */
    for (i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 % 251);
    larger = sslh_recipe_none();
    larger.height = larger.width = 8, d.views = &larger;
    grey = sslh_data_from_images(c, pixels, 8, 3, 3, 3, NULL);
    sslh_train(c, sslh_colorization(c, net_of(c, 1), d), grey, two_steps());
    CHECK_OK(c);
    d.views = NULL;
    grey = sslh_data_from_images(c, pixels, 8, 8, 8, 1, NULL);
    sslh_train(c, sslh_colorization(c, net_of(c, 1), d), grey, two_steps());
    CHECK_ERROR(c, "sslh_colorization: images of 1 channels have no colours");
    m = sslh_colorization(c, net_of(c, 1), d);
    CHECK_OK(c);
    sslh_colorize(&m, sslh_zeros(c, sslh_dim3(8, 8, 3)));
    CHECK_ERROR(c, "sslh_colorize: images (N,H,W,C)");
    sslh_colorize(NULL, NULL);
    CHECK(sslh_colorize(&m, sslh_zeros(c, sslh_dim4(1, 13, 9, 1)))->shape[1] == 13, "any size");
    CHECK_OK(c);
    m = sslh_method_new(c, "mine", NULL, NULL, 0);
    sslh_colorize(&m, sslh_zeros(c, sslh_dim4(1, 8, 8, 3)));
    CHECK_ERROR(c, "sslh_colorize: the method 'mine' was not made by sslh_colorization");
    /* tokens are a map too, without the class token */
    m = sslh_colorization(c, vit(c, 0), d);
    sslh_train(c, m, data, two_steps());
    CHECK(sslh_colorize(&m, sslh_zeros(c, sslh_dim4(1, 16, 16, 1)))->shape[2] == 16, "resized for the transformer");
    CHECK_OK(c);
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_GAN
static sslh_method gan_of(sslh_ctx *c, sslh_net *encoder, sslh_gan_desc d) {
    d.height = d.width = 8, d.channels = 3;
    if (!d.latent) d.latent = 6;
    if (!d.generator_width) d.generator_width = 4;
    return sslh_gan(c, encoder, d);
}
/* 64 images of 8 x 8, each of one colour. */
static sslh_data one_colour(sslh_ctx *c) {
    static uint8_t pixels[64 * 8 * 8 * 3];
    int i;
    for (i = 0; i < (int)sizeof pixels; i++) {
        int dim = (int)sslh_random_below(9, (uint64_t)(i / 192), 0, 2);
        pixels[i] = (uint8_t)(i % 3 == 0 ? 220 : dim ? 60 : 120);
    }
    return sslh_data_from_images(c, pixels, 64, 8, 8, 3, NULL);
}
static float gan_sum(const sslh_method *m, const char *name) {
    const sslh_tensor *t = sslh_find(m->net, name);
    double sum = 0;
    size_t i;
    if (!CHECK(t != NULL, "no %s", name)) return 0;
    for (i = 0; i < t->count; i++) sum += (double)t->data[i] * (double)(i % 7 + 1);
    return (float)sum;
}

/* What the losses are when D says 0 of everything, and about that before training; each phase moves its own player. */
static void gan_losses(void) {
    static const double d_loss[4] = {1.3862943611, 1.3862943611, 2, 0}, g_loss[4] = {0.6931471806, -0.6931471806, 0, 0};
    static const char *const names[2] = {"encoder.conv1.weight", "generator.fc.weight"};
    sslh_ctx *c = create(2);
    sslh_data data = one_colour(c);
    sslh_batch batch;
    float after = 0;
    int loss, phase, k;
    sslh_next_batch(loader_for(c, data, 32), &batch);
    for (loss = 1; loss <= 4; loss++) {
        sslh_gan_desc d;
        sslh_view_set views;
        sslh_method m;
        memset(&d, 0, sizeof d);
        d.loss = loss;
        for (phase = 0; phase < 2; phase++) { /* as it is made, and with a head that says 0 */
            memset(&views, 0, sizeof views);
            m = gan_of(c, dcgan(c, loss > 2 ? SSLH_OFF : 0), d);
            m.views(&m, &batch, &views);
            if (phase) zero_tensor(&m, "head.fc.weight");
            CHECK_NEAR((double)sslh_item(m.loss(&m, &views, 0)), d_loss[loss - 1], phase ? 1e-6 : 0.2);
            CHECK_NEAR((double)m.numbers[0].value, d_loss[loss - 1], phase ? 1e-6 : 0.2);
            CHECK_NEAR((double)m.numbers[1].value, g_loss[loss - 1], phase ? 1e-6 : 0.2);
            CHECK_NEAR((double)sslh_item(m.loss(&m, &views, 1)), g_loss[loss - 1], phase ? 1e-6 : 0.2);
            CHECK(!m.numbers[2].name == (loss == 4), "the share that is told");
            CHECK_OK(c);
        }
    }
    sslh_destroy(c);
    for (phase = 0; phase < 2; phase++) { /* the first phase alone, and both */
        sslh_gan_desc d;
        sslh_optimizer *o;
        sslh_method m;
        float before[2];
        c = create(1);
        memset(&d, 0, sizeof d);
        d.critic = 2 - phase;
        m = gan_of(c, dcgan(c, 0), d);
        o = sslh_optimizer_new(c, m.defaults.optimizer);
        sslh_optimizer_add(o, m.net);
        for (k = 0; k < 2; k++) before[k] = gan_sum(&m, names[k]);
        CHECK(sslh_next_batch(loader_for(c, one_colour(c), 32), &batch), "a batch");
        sslh_method_step(&m, o, &batch, 0.01f);
        CHECK_OK(c);
        for (k = 0; k < 2; k++)
            CHECK((gan_sum(&m, names[k]) != before[k]) == (k <= phase), "phase %d, %s", phase, names[k]);
        if (phase) CHECK(gan_sum(&m, names[0]) == after, "the second phase moves the discriminator");
        after = gan_sum(&m, names[0]);
        sslh_destroy(c);
    }
}

/* .critic counts updates, not batches: with 2 batches an update the generator moves in every second update. */
static int gan_moves(const sslh_train_info *t, void *user) {
    static const char *const names[2] = {"encoder.conv1.weight", "generator.fc.weight"};
    float *state = (float *)user; /* of both: the sum, and how often it has changed */
    int k;
    for (k = 0; k < 2 && !t->epoch_end; k++) {
        float now = gan_sum(t->method, names[k]);
        if (now != state[k]) state[2 + k] += 1;
        state[k] = now;
    }
    return 0;
}
static void gan_accumulates(void) {
    static const struct { int accumulate, critic, d, g; } want[5] = {
        {1, 1, 16, 16}, {1, 2, 16, 8}, {2, 1, 8, 8}, {2, 2, 8, 4}, {4, 2, 4, 2}};
    int i, k;
    for (i = 0; i < 5; i++) {
        sslh_ctx *c = create(1);
        sslh_gan_desc d;
        sslh_train_desc t;
        sslh_method m;
        float state[4] = {0};
        memset(&d, 0, sizeof d), memset(&t, 0, sizeof t);
        d.critic = want[i].critic;
        m = gan_of(c, dcgan(c, 0), d);
        state[0] = gan_sum(&m, "encoder.conv1.weight"), state[1] = gan_sum(&m, "generator.fc.weight");
        t.batch = 8, t.epochs = 2, t.quiet = 1, t.accumulate = want[i].accumulate; /* 16 batches */
        t.callback = gan_moves, t.user = state;
        sslh_train(c, m, one_colour(c), t);
        CHECK_OK(c);
        for (k = 0; k < 2; k++)
            CHECK((int)state[2 + k] == (k ? want[i].g : want[i].d), "accumulate %d, critic %d: %s moved %d times",
                  want[i].accumulate, want[i].critic, k ? "G" : "D", (int)state[2 + k]);
        sslh_destroy(c);
    }
}

/* The largest singular value of a weight (O,..) as (O,K), by 3,000 steps of the power iteration in double. */
static double spectral_norm(const sslh_tensor *w) {
    size_t O = (size_t)w->shape[0], K = w->count / O, o, k;
    double u[64], v[256], norm = 0;
    int step;
    for (o = 0; o < O; o++) u[o] = 1 + 0.1 * (double)o;
    for (step = 0; step < 3000; step++) {
        for (k = 0, norm = 0; k < K; k++) {
            for (v[k] = 0, o = 0; o < O; o++) v[k] += u[o] * (double)w->data[o * K + k];
            norm += v[k] * v[k];
        }
        for (k = 0; k < K; k++) v[k] /= sqrt(norm);
        for (o = 0, norm = 0; o < O; o++) {
            for (u[o] = 0, k = 0; k < K; k++) u[o] += v[k] * (double)w->data[o * K + k];
            norm += u[o] * u[o];
        }
        for (o = 0; o < O; o++) u[o] /= sqrt(norm);
    }
    return sqrt(norm);
}
/* So many first phases, each of which takes a step of the iteration and leaves nothing else; the last loss. */
static double passes(sslh_method *m, const sslh_view_set *views, int n) {
    double loss = 0;
    for (; n > 0; n--) {
        sslh_push(m->ctx);
        loss = (double)m->loss(m, views, 0)->data[0];
        sslh_pop(m->ctx);
    }
    return loss;
}
/* Spectral normalisation: all weights of D, and no other, have norm 1 after some passes, and nearly have it after
   training; what a step leaves of the gradient is that of a function which does not see the size of a weight. */
static void gan_spectral(void) {
    static const char *const bound[3] = {"encoder.conv1.weight", "encoder.conv2.weight", "head.fc.weight"};
    sslh_ctx *c = create(2);
    sslh_data data = one_colour(c);
    sslh_gan_desc d;
    sslh_view_set views;
    sslh_train_desc t;
    sslh_batch batch;
    sslh_method m;
    double difference = 0;
    int k;
    memset(&d, 0, sizeof d), memset(&views, 0, sizeof views), memset(&t, 0, sizeof t);
    d.loss = 3, d.bound = 2;
    m = gan_of(c, dcgan(c, SSLH_OFF), d);
    sslh_next_batch(loader_for(c, data, 32), &batch);
    m.views(&m, &batch, &views);
    passes(&m, &views, 300);
    CHECK_OK(c);
    for (k = 0; k < 3; k++) CHECK_NEAR(spectral_norm(sslh_find(m.net, bound[k])), 1, 1e-3);
    CHECK(fabs(spectral_norm(sslh_find(m.net, "generator.fc.weight")) - 1) > 0.01, "the generator is bound too");
    /* the gradient of L(W / |W|): orthogonal to W, and the slope of the loss along W's entries */
    sslh_zero_grad(m.net);
    sslh_backward(c, m.loss(&m, &views, 0));
    m.grads(&m, 0);
    for (k = 0; k < 3; k++) {
        const sslh_tensor *w = sslh_find(m.net, bound[k]);
        double inner = 0, length = 0;
        size_t q;
        for (q = 0; q < w->count; q++) {
            inner += (double)w->data[q] * (double)w->grad[q];
            length += (double)w->grad[q] * (double)w->grad[q];
        }
        CHECK(length > 0 && fabs(inner) < 1e-4 * sqrt(length) + 1e-7, "%s: %g of %g", bound[k], inner, sqrt(length));
        for (q = 0; q < w->count; q += w->count / 5) { /* each loss brings W back to norm 1, in some 40 steps exactly */
            double slope = 0, step = sizeof(sslh_real) == 8 ? 1e-5 : 1e-2, g = (double)w->grad[q];
            sslh_real was[1024];
            int sign;
            memcpy(was, w->data, w->count * sizeof *was);
            for (sign = -1; sign <= 1; sign += 2) {
                memcpy(w->data, was, w->count * sizeof *was);
                w->data[q] += (sslh_real)(sign * step);
                slope += sign * passes(&m, &views, 40) / (2 * step);
            }
            memcpy(w->data, was, w->count * sizeof *was);
            passes(&m, &views, 40);
            difference = fmax(difference, fabs(slope - g) / (0.1 * sqrt(length) + fabs(g)));
        }
    }
    printf("   gradient through the norm: relative error %.1e\n", difference);
    CHECK(difference < (sizeof(sslh_real) == 8 ? 1e-5 : 3e-2), "slope: %g", difference);
    t.quiet = 1, t.batch = 16, t.epochs = 10;
    sslh_train(c, m, data, t);
    CHECK_OK(c);
    for (k = 0; k < 3; k++) CHECK_NEAR(spectral_norm(sslh_find(m.net, bound[k])), 1, 0.05);
    sslh_destroy(c);
}

/* Clipping holds for every parameter of D at every end of a run, and the generator moves in every fifth step only. */
static void gan_clips(void) {
    sslh_ctx *c = create(1);
    sslh_data data = one_colour(c);
    sslh_gan_desc d;
    sslh_train_desc t;
    int steps, i;
    memset(&d, 0, sizeof d), memset(&t, 0, sizeof t);
    d.bound = 3, d.loss = 4;
    for (steps = 3; steps <= 5; steps++) {
        sslh_method m = gan_of(c, convnet(c, 6, 10), d);
        float before = gan_sum(&m, "generator.fc.weight"), average = gan_sum(&m, "average.fc.weight");
        t.quiet = 1, t.batch = 16, t.epochs = 2, t.max_steps = steps;
        sslh_train(c, m, data, t);
        CHECK_OK(c);
        CHECK((gan_sum(&m, "generator.fc.weight") != before) == (steps == 5), "%d steps: generator", steps);
        CHECK((gan_sum(&m, "average.fc.weight") != average) == (steps == 5), "%d steps: average", steps);
        for (i = 0; i < sslh_count_tensors(m.net); i++) {
            char name[256];
            int is_param;
            const sslh_tensor *p = sslh_tensor_at(m.net, i, name, sizeof name, &is_param);
            size_t q;
            double most = 0;
            if (!is_param || strncmp(name, "generator", 9) == 0 || strncmp(name, "average", 7) == 0) continue;
            for (q = 0; q < p->count; q++) most = fmax(most, fabs((double)p->data[q]));
            CHECK(most <= 0.01f && (most > 0 || ends_with(name, "bias")), "%s: %g", name, most);
        }
    }
    sslh_destroy(c);
}

/* The average is what the formula says, running statistics included; D's are those of real images. */
static void gan_averages(void) {
    static const char *const tracked[3] = {"fc.weight", "bn0.weight", "bn0.running_var"};
    sslh_ctx *c = create(2);
    sslh_data data = one_colour(c);
    sslh_gan_desc d;
    sslh_method m;
    sslh_optimizer *o;
    sslh_loader *l = loader_for(c, data, 32);
    sslh_batch batch;
    sslh_net *twin;
    sslh_tensor *x;
    double want[3];
    char name[64];
    int step, k;
    memset(&d, 0, sizeof d);
    d.average = 0.2f;
    m = gan_of(c, convnet(c, 6, 10), d);
    o = sslh_optimizer_new(c, m.defaults.optimizer);
    sslh_optimizer_add(o, m.net);
    for (k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "generator.%s", tracked[k]);
        want[k] = (double)sslh_find(m.net, name)->data[1];
    }
    for (step = 0; step < 4; step++) {
        double a = fmin(0.2, (1.0 + step) / (10 + step));
        sslh_next_batch(l, &batch);
        if (step == 0) {
            sslh_tensor *mine, *other;
            twin = sslh_clone(m.encoder);
            x = sslh_shift(c, sslh_scale(c, sslh_batch_images(c, batch), 2), -1);
            sslh_no_grad(c, 1);
            sslh_forward(twin, x);
            sslh_no_grad(c, 0);
            sslh_method_step(&m, o, &batch, 0.01f);
            mine = sslh_find(m.encoder, "bn2.running_mean"), other = sslh_find(twin, "bn2.running_mean");
            CHECK(memcmp(mine->data, other->data, mine->count * sizeof *mine->data) == 0, "made-up images");
        } else sslh_method_step(&m, o, &batch, 0.01f);
        CHECK_OK(c);
        for (k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "generator.%s", tracked[k]);
            want[k] = a * want[k] + (1 - a) * (double)sslh_find(m.net, name)->data[1];
            snprintf(name, sizeof name, "average.%s", tracked[k]);
            CHECK_CLOSE((double)sslh_find(m.net, name)->data[1], want[k], 2e-6);
        }
    }
    sslh_destroy(c);
}

/* Samples: every size, the same for any number of threads and for a part of them, others for another seed. */
static void gan_samples(void) {
    static const int sides[5][3] = {{28, 28, 1}, {32, 32, 3}, {64, 64, 3}, {9, 7, 1}, {12, 20, 2}};
    sslh_real *kept = NULL;
    int threads, i;
    for (threads = 1; threads <= 5; threads += 2) {
        sslh_ctx *c = create(threads);
        sslh_method m;
        sslh_tensor *x, *y, *z;
        sslh_gan_desc d;
        sslh_train_desc t = two_steps();
        memset(&d, 0, sizeof d);
        m = gan_of(c, dcgan(c, 0), d);
        t.epochs = 1;
        sslh_train(c, m, one_colour(c), t);
        x = sslh_gan_sample(&m, 8, 5);
        CHECK_OK(c);
        if (!kept) {
            kept = (sslh_real *)malloc(x->count * sizeof *kept);
            memcpy(kept, x->data, x->count * sizeof *kept);
        }
        CHECK(memcmp(kept, x->data, x->count * sizeof *kept) == 0, "%d threads: other samples", threads);
        y = sslh_gan_sample(&m, 3, 5);
        CHECK(memcmp(y->data, x->data, y->count * sizeof *kept) == 0, "three of eight");
        y = sslh_gan_sample(&m, 3, 6);
        CHECK(memcmp(y->data, x->data, y->count * sizeof *kept) != 0, "another seed");
        CHECK(!y->grad && y->shape[0] == 3 && y->shape[1] == 8 && y->shape[2] == 8 && y->shape[3] == 3, "shape");
        z = sslh_requires_grad(sslh_normal(c, sslh_dim2(2, 6), 0, 1));
        sslh_backward(c, sslh_sum(c, sslh_gan_generate(&m, z), SSLH_ALL, 0));
        for (i = 0; i < 12; i++) CHECK(z->grad[i] != 0, "no gradient to the noise");
        CHECK_OK(c);
        sslh_destroy(c);
    }
    free(kept);
    for (i = 0; i < 10; i++) {
        sslh_ctx *c = create(1);
        sslh_convnet_desc e;
        sslh_gan_desc d;
        sslh_method m;
        sslh_tensor *x;
        size_t q;
        memset(&d, 0, sizeof d), memset(&e, 0, sizeof e);
        d.height = sides[i / 2][0], d.width = sides[i / 2][1], d.channels = e.channels = sides[i / 2][2];
        d.generator = i % 2 + 1, d.generator_width = 4, e.widths[0] = 4, e.map_output = 1;
        m = sslh_gan(c, sslh_convnet(c, e), d);
        x = sslh_gan_sample(&m, 2, 1);
        CHECK_OK(c);
        CHECK(x->shape[1] == d.height && x->shape[2] == d.width && x->shape[3] == d.channels, "size");
        for (q = 0; q < x->count; q++) CHECK(x->data[q] >= 0 && x->data[q] <= 1, "%g", (double)x->data[q]);
        sslh_destroy(c);
    }
}

/* It learns: the colours of its samples come near to those of the images, by their distance. */
static void gan_learns(void) {
    sslh_ctx *c = create(2);
    sslh_data data = one_colour(c);
    sslh_train_desc t;
    sslh_gan_desc d;
    sslh_method m;
    sslh_batch batch;
    sslh_tensor *real;
    float before, after;
    memset(&t, 0, sizeof t), memset(&d, 0, sizeof d);
    sslh_next_batch(loader_for(c, data, 64), &batch);
    real = sslh_persist(sslh_global_avg_pool(c, sslh_batch_images(c, batch))); /* (64,3) */
    d.average = 0.9f;
    m = gan_of(c, dcgan(c, 0), d);
    before = sslh_frechet(c, real, sslh_global_avg_pool(c, sslh_gan_sample(&m, 64, 1)));
    t.quiet = 1, t.batch = 16, t.epochs = 60, t.lr = 2e-3f;
    sslh_train(c, m, data, t);
    after = sslh_frechet(c, real, sslh_global_avg_pool(c, sslh_gan_sample(&m, 64, 1)));
    CHECK_OK(c);
    printf("   distance %.4f, untrained %.4f\n", (double)after, (double)before);
    CHECK(after < 0.3f * before, "distance %g, before %g", (double)after, (double)before);
    sslh_destroy(c);
}

static void gan_errors(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any");
    sslh_gan_desc d;
    sslh_method m;
    sslh_net *encoder = convnet(c, 4, 8);
    sslh_param_opts group;
    memset(&group, 0, sizeof group);
    memset(&d, 0, sizeof d);
    sslh_gan(c, encoder, d);
    CHECK_ERROR(c, "sslh_gan: .height must be given (1 to 4096)");
    sslh_gan(c, NULL, d);
    CHECK_ERROR(c, "sslh_gan: the encoder is NULL");
    d.height = d.width = 8, d.channels = 1;
    sslh_gan(c, encoder, d);
    CHECK_ERROR(c, "sslh_gan: .channels is 1, the encoder \"convnet\" takes images of 3");
    d.channels = 0, d.loss = 5;
    m = sslh_gan(c, encoder, d);
    CHECK_ERROR(c, "sslh_gan: .loss is 5 (1 to 4)");
    sslh_gan_sample(&m, 2, 1);
    CHECK_ERROR(c, "sslh_gan_sample: this method could not be made");
    d.loss = 0, d.height = 16;
    sslh_gan(c, vit(c, 0), d);
    CHECK_ERROR(c, "sslh_gan: images of 16 x 8, the encoder \"vit\" takes those of 8 x 8");
    m = sslh_gan(c, encoder, d);
    sslh_train(c, m, data, two_steps());
    CHECK_ERROR(c, "sslh_gan: made for images of 16 x 8 x 3, the data has 8 x 8 x 3");
    sslh_gan_sample(&m, 0, 1);
    CHECK_ERROR(c, "sslh_gan_sample: n is 0 (at least 1)");
    sslh_gan_generate(&m, sslh_zeros(c, sslh_dim2(2, 7)));
    CHECK_ERROR(c, "sslh_gan_generate: noise (N,100) is needed");
    sslh_gan_generate(&m, NULL);
    CHECK_ERROR(c, "sslh_gan_generate");
    m = sslh_method_new(c, "mine", NULL, NULL, 0);
    sslh_gan_sample(&m, 1, 1);
    CHECK_ERROR(c, "sslh_gan_sample: the method 'mine' was not made by sslh_gan");
    CHECK(sslh_gan_sample(NULL, 1, 1)->count == 1, "no dummy");
    sslh_adversarial_loss(c, NULL, sslh_zeros(c, sslh_dim1(3)), (sslh_adversary)5);
    CHECK_ERROR(c, "sslh_adversarial_loss: there is no kind 5 (1 to 4)");
    sslh_adversarial_loss(c, sslh_zeros(c, sslh_dim1(3)), NULL, SSLH_HINGE);
    CHECK_ERROR(c, "sslh_adversarial_loss: input 1 is NULL");
    d.height = d.width = 4094, d.generator_width = 65536;
    sslh_gan(c, encoder, d);
    CHECK_ERROR(c, "sslh_gan: the generator's first map would have more than 2147483647 values");
    d.height = d.width = 8, d.generator_width = 0;
    group.group = 1;
    sslh_param_set(encoder, 0, group);
    sslh_gan(c, encoder, d);
    CHECK_ERROR(c, "sslh_gan: the encoder's parameter 'conv1.weight' is in group 1, which is the generator's");
    d.height = d.width = 0; /* a transformer has one size */
    m = sslh_gan(c, vit(c, 0), d);
    CHECK(sslh_gan_sample(&m, 1, 1)->shape[1] == 8, "its size");
    CHECK_OK(c);
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_AUTOENCODER
static sslh_method autoencoder_of(sslh_ctx *c, int latent, sslh_autoencoder_desc d) {
    d.height = 4, d.width = 3, d.channels = 1, d.layers = 1, d.latent = latent;
    return sslh_autoencoder(c, d);
}
/* 60 images of 12 values that lie near a plane of 3 dimensions. */
static sslh_data near_a_plane(sslh_ctx *c) {
    static float v[60 * 12];
    sslh_field f;
    int n, i, k;
    for (n = 0; n < 60; n++)
        for (i = 0; i < 12; i++) {
            v[n * 12 + i] = 0.5f + 0.03f * sslh_random_normal(1, 1, (uint64_t)(n * 12 + i));
            for (k = 0; k < 3; k++)
                v[n * 12 + i] += 0.1f * sslh_random_normal(2, (uint64_t)k, (uint64_t)n) *
                                 sslh_random_normal(3, (uint64_t)k, (uint64_t)i);
        }
    memset(&f, 0, sizeof f);
    f.kind = SSLH_FIELD_IMAGE, f.type = SSLH_F32, f.shape = sslh_dim3(4, 3, 1), f.values = v;
    return sslh_data_from_fields(c, &f, 1, 60);
}

/* One linear layer has PCA's error: with PCA's axes as weights it has exactly that, and no gradient; trained from its
   initial weights it comes down to it and not below, with tied weights too. */
static void autoencoder_is_pca(void) {
    sslh_ctx *c = create(1);
    sslh_data data = near_a_plane(c);
    sslh_autoencoder_desc d;
    sslh_feature_desc fd;
    sslh_tensor *x, *mean, *centred, *score, *axes;
    sslh_method m;
    sslh_view_set views;
    sslh_batch batch;
    double pca, error;
    int tied, i, k;
    memset(&d, 0, sizeof d), memset(&fd, 0, sizeof fd), memset(&views, 0, sizeof views);
    d.output = 3;
    x = sslh_features(c, NULL, data, fd); /* (60,12) */
    mean = sslh_mean(c, x, SSLH_AXIS(0), 1);
    centred = sslh_persist(sslh_sub(c, x, mean));
    mean = sslh_persist(mean);
    score = sslh_pca(c, x, 3); /* (60,3) */
    axes = sslh_matmul_ex(c, score, centred, 1, 0); /* (3,12), each times the sum of its squared scores */
    axes = sslh_persist(sslh_div(c, axes,
        sslh_reshape(c, sslh_sum(c, sslh_square(c, score), SSLH_AXIS(0), 0), sslh_dim2(3, 1))));
    pca = (double)sslh_item(sslh_sum(c, sslh_square(c, centred), SSLH_ALL, 0)) -
          (double)sslh_item(sslh_sum(c, sslh_square(c, score), SSLH_ALL, 0));
    pca /= 60 * 12;
    CHECK_OK(c);
    m = autoencoder_of(c, 3, d);
    for (k = 0; k < 3; k++) {
        double b = 0;
        for (i = 0; i < 12; i++) {
            sslh_find(m.net, "encoder.fc1.weight")->data[k * 12 + i] = axes->data[k * 12 + i];
            sslh_find(m.net, "decoder.fc1.weight")->data[i * 3 + k] = axes->data[k * 12 + i];
            b -= (double)axes->data[k * 12 + i] * (double)mean->data[i];
        }
        sslh_find(m.net, "encoder.fc1.bias")->data[k] = (sslh_real)b;
    }
    for (i = 0; i < 12; i++) sslh_find(m.net, "decoder.fc1.bias")->data[i] = mean->data[i];
    CHECK_CLOSE((double)sslh_autoencoder_evaluate(&m, data), pca, 1e-4);
    sslh_next_batch(loader_for(c, data, 60), &batch);
    m.views(&m, &batch, &views);
    sslh_backward(c, m.loss(&m, &views, 0));
    CHECK_CLOSE((double)m.numbers[0].value, pca, 1e-4);
    CHECK(!m.numbers[1].name, "no penalty, no number of it");
    for (i = 0; i < sslh_count_tensors(m.net); i++) {
        const sslh_tensor *p = sslh_tensor_at(m.net, i, NULL, 0, NULL);
        size_t q;
        for (q = 0; q < p->count; q++) CHECK_NEAR((double)p->grad[q], 0, 1e-4);
    }
    for (tied = 0; tied < 2; tied++) {
        sslh_train_desc t;
        memset(&t, 0, sizeof t);
        t.quiet = 1, t.batch = 60, t.epochs = 10000, t.lr = 0.02f, t.schedule = SSLH_COSINE;
        d.tied_weights = tied;
        m = autoencoder_of(c, 3, d);
        CHECK((sslh_find(m.net, "decoder.fc1.weight") == NULL) == tied, "tied");
        sslh_train(c, m, data, t);
        error = (double)sslh_autoencoder_evaluate(&m, data);
        CHECK_OK(c);
        printf("   linear, %s: %.8f, PCA %.8f\n", tied ? "tied" : "not tied", error, pca);
        CHECK(error > pca * 0.9999 && error < pca * 1.001, "linear %.9g, PCA %.9g", error, pca);
    }
    sslh_destroy(c);
}

/* The loss where the net knows nothing: weights of the decoder 0, so that y = 1/2; and both penalties where they can be
   counted by hand. */
static void autoencoder_values(void) {
    sslh_ctx *c = create(1);
    sslh_autoencoder_desc d;
    sslh_data data = near_a_plane(c);
    sslh_view_set views;
    sslh_batch batch;
    sslh_tensor *x;
    double square = 0, weights = 0, loss;
    size_t q;
    int output, i;
    memset(&d, 0, sizeof d), memset(&views, 0, sizeof views);
    sslh_next_batch(loader_for(c, data, 60), &batch);
    x = sslh_persist(sslh_batch_images(c, batch));
    sslh_view_add(&views, "images", x), sslh_view_add(&views, "noisy", x);
    for (q = 0; q < x->count; q++) square += pow((double)x->data[q] - 0.5, 2) / 60;
    for (output = 1; output <= 2; output++) {
        sslh_method m;
        d.output = output, d.sparse = 2, d.contractive = 3, d.rate = 0.125f;
        m = autoencoder_of(c, 5, d);
        zero_tensor(&m, "decoder.fc1.weight"), zero_tensor(&m, "decoder.fc1.bias");
        zero_tensor(&m, "encoder.fc1.weight");
        for (i = 0; i < 5; i++) sslh_find(m.net, "encoder.fc1.bias")->data[i] = (sslh_real)-log(7.0); /* h = 1/8 */
        loss = (double)sslh_item(m.loss(&m, &views, 0));
        CHECK_CLOSE(loss, output == 2 ? 12 * log(2.0) : square / 2, 2e-5);
        CHECK_NEAR((double)m.numbers[1].value, 0, 1e-5);
        CHECK_CLOSE((double)m.numbers[0].value, square / 12, 1e-5);
        zero_tensor(&m, "encoder.fc1.bias"); /* h = 1/2 */
        CHECK_CLOSE((double)sslh_item(m.loss(&m, &views, 0)) - loss,
                    2 * 5 * (0.125 * log(0.25) + 0.875 * log(1.75)), 1e-4);
    }
    d.sparse = 0; /* h = 1/2 + little: J = |W|^2 / 16 */
    {
        sslh_method m = autoencoder_of(c, 5, d);
        const sslh_tensor *w = sslh_find(m.net, "encoder.fc1.weight");
        zero_tensor(&m, "encoder.fc1.bias");
        for (q = 0; q < w->count; q++)
            w->data[q] *= (sslh_real)0.01, weights += (double)w->data[q] * (double)w->data[q];
        m.loss(&m, &views, 0);
        CHECK_CLOSE((double)m.numbers[1].value, 3 * weights / 16, 1e-4);
        CHECK(strcmp(m.numbers[1].name, "penalty") == 0 && !m.numbers[2].name, "names");
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Each kind of noise does what it says, to each image by its own numbers, whatever batch it is in. */
static void autoencoder_noise(void) {
    static uint8_t pixels[40 * 28 * 28];
    sslh_ctx *c = create(1);
    int kind, i;
    for (i = 0; i < (int)sizeof pixels; i++) pixels[i] = 51; /* 0.2 */
    for (kind = 0; kind <= 3; kind++) {
        sslh_data data = sslh_data_from_images(c, pixels, 40, 28, 28, 1, NULL);
        sslh_autoencoder_desc d;
        sslh_view_set views[2];
        sslh_batch batch;
        sslh_method m;
        sslh_tensor *x, *y[2];
        double low = 0, high = 0, sum = 0, square = 0, n = 40 * 784;
        size_t q;
        memset(&d, 0, sizeof d), memset(views, 0, sizeof views);
        d.height = d.width = 28, d.noise = kind, d.amount = 0.3f;
        m = sslh_autoencoder(c, d);
        for (i = 0; i < 2; i++) {
            sslh_next_batch(loader_for(c, data, i ? 10 : 40), &batch);
            m.views(&m, &batch, &views[i]);
            y[i] = sslh_persist(sslh_view_get(&views[i], "noisy"));
        }
        CHECK(memcmp(y[0]->data, y[1]->data, y[1]->count * sizeof *y[1]->data) == 0, "noise depends on the batch");
        CHECK((memcmp(y[0]->data, y[0]->data + 784, 784 * sizeof *y[0]->data) == 0) == !kind, "all images alike");
        x = sslh_full(c, sslh_shape_of(y[0]), 0.2f);
        y[0] = sslh_autoencoder_noisy(&m, x, 7);
        CHECK_OK(c);
        for (q = 0; q < y[0]->count; q++) {
            double v = (double)y[0]->data[q];
            low += v == 0, high += v == 1, sum += (v - 0.2) / n, square += pow(v - 0.2, 2) / n;
        }
        if (kind == 0) CHECK(square < 1e-12, "noise without noise");
        if (kind == 1) CHECK(fabs(sum) < 0.01 && fabs(sqrt(square) - 0.3) < 0.01, "%g %g", sum, sqrt(square));
        if (kind == 2) CHECK(fabs(low / n - 0.15) < 0.01 && fabs(high / n - 0.15) < 0.01, "%g %g", low / n, high / n);
        if (kind == 3) CHECK(fabs(low / n - 0.3) < 0.01 && high == 0, "%g %g", low / n, high / n);
    }
    sslh_destroy(c);
}

static void autoencoder_errors(void) {
    sslh_ctx *c = create(1);
    sslh_autoencoder_desc d;
    sslh_data data = near_a_plane(c);
    sslh_train_desc t = two_steps();
    sslh_method m, mine;
    sslh_data bad = data;
    memset(&d, 0, sizeof d);
    sslh_autoencoder(c, d);
    CHECK_ERROR(c, "sslh_autoencoder: .height must be given");
    d.height = 10, d.width = 8, d.contractive = 0.1f;
    sslh_autoencoder(c, d);
    CHECK_ERROR(c, "needs .layers = 1 and no .convolutions");
    d.contractive = 0, d.convolutions = 2;
    sslh_autoencoder(c, d);
    CHECK_ERROR(c, "images of 10 x 8 cannot be halved 2 times");
    d.convolutions = 1, d.maps = 3;
    m = sslh_autoencoder(c, d);
    CHECK(sslh_find(m.net, "encoder.fc1.weight")->shape[1] == 5 * 4 * 3 && !sslh_find(m.net, "encoder.fc2.weight"),
          "one linear layer behind convolutions");
    sslh_train(c, m, data, t);
    CHECK_ERROR(c, "sslh_autoencoder: made for images of 10 x 8 x 1, the data has 4 x 3 x 1");
    sslh_autoencoder_decode(&m, sslh_zeros(c, sslh_dim2(2, 5)));
    CHECK_ERROR(c, "sslh_autoencoder_decode: sslh_linear");
    sslh_autoencoder_rebuild(&m, sslh_zeros(c, sslh_dim2(2, 5)));
    CHECK_ERROR(c, "sslh_autoencoder_rebuild: sslh_forward: the net 'autoencoder_encoder' wants 1 channels");
    sslh_autoencoder_rebuild(&m, sslh_zeros(c, sslh_dim4(2, 5, 8, 1))); /* two halves of an image */
    CHECK_ERROR(c, "wants images of 10 x 8 with 80 values, the input is (2,5,8,1)");
    sslh_autoencoder_evaluate(&m, data);
    CHECK_ERROR(c, "sslh_autoencoder_evaluate: made for images of 10 x 8 x 1, the data has 4 x 3 x 1");
    sslh_autoencoder_noisy(&m, sslh_zeros(c, sslh_dim2(2, 5)), 0);
    CHECK_ERROR(c, "images (N,H,W,C) are needed");
    bad.count = 0;
    sslh_autoencoder_evaluate(&m, bad);
    CHECK_ERROR(c, "the data set is empty");
    mine = sslh_method_new(c, "mine", NULL, NULL, 0);
    sslh_autoencoder_evaluate(&mine, data);
    CHECK_ERROR(c, "'mine' was not made by sslh_autoencoder");
    m = autoencoder_of(c, 2, d);
    CHECK_ERROR(c, "images of 4 x 3 cannot");
    d.convolutions = 0;
    m = autoencoder_of(c, 2, d);
    sslh_find(m.net, "decoder.fc1.bias")->data[0] = (sslh_real)NAN;
    sslh_autoencoder_evaluate(&m, data);
    CHECK_ERROR(c, "sslh_autoencoder_evaluate: the error of images 0 to 59 is NaN");
    sslh_destroy(c);
}
#endif

#if SSLH_WITH_VAE
/* Images of 4 x 3 values about 0.5. */
static sslh_data vae_data(sslh_ctx *c, int n) {
    static float v[1000 * 12];
    sslh_field f;
    int i;
    for (i = 0; i < n * 12; i++) v[i] = 0.5f + 0.7f * sslh_random_normal(1, 7, (uint64_t)i);
    memset(&f, 0, sizeof f);
    f.kind = SSLH_FIELD_IMAGE, f.type = SSLH_F32, f.shape = sslh_dim3(4, 3, 1), f.values = v;
    return sslh_data_from_fields(c, &f, 1, n);
}
static sslh_method vae_of(sslh_ctx *c, int hidden, int latent, sslh_vae_desc d) {
    d.height = 4, d.width = 3, d.channels = 1, d.hidden = hidden, d.latent = latent;
    return sslh_vae(c, d);
}
static void fill_tensor(sslh_method *m, const char *name, const double *v) {
    sslh_tensor *t = sslh_find(m->net, name);
    size_t i;
    if (!CHECK(t != NULL, "no %s", name)) return;
    for (i = 0; i < t->count; i++) t->data[i] = v ? (sslh_real)v[i] : 0;
}

/* A model whose likelihood is known: y = W z + 1/2 with orthogonal columns of W and the deviation s of a pixel. ReLU
   lets v and -v pass side by side, so that both halves are linear. The encoder gives the true posterior, N(mean, var),
   or one that is moved by so many of its deviations and has so many times its variance. */
static const double vae_s = 0.5;
static double vae_w(int i, int j) { return j ? (i / 2 % 2 ? 0.2 : -0.2) : i % 2 ? 0.3 : -0.3; }
static sslh_method vae_linear(sslh_ctx *c, double moved, double wider, int codes) {
    double fc1[4][12], b1[4], fc21[2][4], b21[2], b22[2], fc3[4][2], fc4[12][4], b4[12];
    sslh_vae_desc d;
    sslh_method m;
    int i, j;
    memset(&d, 0, sizeof d), memset(fc21, 0, sizeof fc21), memset(fc3, 0, sizeof fc3);
    d.gaussian = 1, d.sigma = (float)vae_s, d.codes = codes;
    m = vae_of(c, 4, 2, d);
    for (j = 0; j < 2; j++) {
        double size = 0, var, sum = 0;
        for (i = 0; i < 12; i++) size += vae_w(i, j) * vae_w(i, j);
        var = 1 / (1 + size / (vae_s * vae_s));
        for (i = 0; i < 12; i++) {
            fc1[j][i] = vae_w(i, j) * var / (vae_s * vae_s), fc1[2 + j][i] = -fc1[j][i], sum += fc1[j][i] * 0.5;
            fc4[i][j] = vae_w(i, j), fc4[i][2 + j] = -vae_w(i, j), b4[i] = 0.5;
        }
        b1[j] = -sum, b1[2 + j] = sum;
        fc21[j][j] = fc3[j][j] = 1, fc21[j][2 + j] = fc3[2 + j][j] = -1;
        b21[j] = moved * sqrt(var), b22[j] = log(var * wider);
    }
    fill_tensor(&m, "encoder.fc1.weight", fc1[0]), fill_tensor(&m, "encoder.fc1.bias", b1);
    fill_tensor(&m, "encoder.fc21.weight", fc21[0]), fill_tensor(&m, "encoder.fc21.bias", b21);
    fill_tensor(&m, "encoder.fc22.weight", NULL), fill_tensor(&m, "encoder.fc22.bias", b22);
    fill_tensor(&m, "decoder.fc3.weight", fc3[0]), fill_tensor(&m, "decoder.fc3.bias", NULL);
    fill_tensor(&m, "decoder.fc4.weight", fc4[0]), fill_tensor(&m, "decoder.fc4.bias", b4);
    return m;
}
/* -log p(x) = -log N(x; 1/2, W W' + s^2 1), mean over the images, and its standard error. */
static double vae_exact(sslh_data data, double *error) {
    sslh_feature_desc f;
    sslh_tensor *x;
    double sum = 0, square = 0, s2 = vae_s * vae_s, mean;
    int n, i, j, count = (int)data.count;
    memset(&f, 0, sizeof f);
    x = sslh_features(data.ctx, NULL, data, f); /* (N,12) */
    for (n = 0; n < count; n++) {
        double v = 6 * log(2 * 3.14159265358979) + 5 * log(s2);
        for (i = 0; i < 12; i++) v += pow((double)x->data[n * 12 + i] - 0.5, 2) / s2 / 2;
        for (j = 0; j < 2; j++) {
            double size = 0, along = 0;
            for (i = 0; i < 12; i++) {
                size += vae_w(i, j) * vae_w(i, j);
                along += vae_w(i, j) * ((double)x->data[n * 12 + i] - 0.5);
            }
            v += log(s2 + size) / 2 - along * along / (s2 * (s2 + size)) / 2;
        }
        sum += v, square += v * v;
    }
    mean = sum / count;
    *error = sqrt((square / count - mean * mean) / (count - 1));
    return mean;
}

/* With the true posterior all weights are alike: every bound is the likelihood. With another one the bound by one code
   is off by KL(q || posterior), as the loss is; more codes come nearer, many reach it. */
static void vae_bounds(void) {
    sslh_ctx *c = create(2);
    sslh_data data = vae_data(c, 1000);
    static const int codes[] = {1, 3, 50, 1500};
    double error, few_error, exact = vae_exact(data, &error);
    double few = vae_exact(sslh_data_range(data, 0, 100), &few_error);
    double gap = 2 * 0.5 * (2 + 1 - 1 - log(2.0)), last;
    sslh_method m = vae_linear(c, 0, 1, 1);
    sslh_vae_estimate e;
    sslh_vae_score score;
    int i;
    CHECK_OK(c);
    for (i = 0; i < 4; i++) {
        e = sslh_vae_bound(&m, i < 3 ? data : sslh_data_range(data, 0, 100), codes[i]);
        CHECK_CLOSE((double)e.nll, i < 3 ? exact : few, 1e-5);
        CHECK_CLOSE((double)e.error, i < 3 ? error : few_error, 1e-4);
    }
    m = vae_linear(c, 1, 2, 1);
    score = sslh_vae_evaluate(&m, data);
    CHECK_NEAR((double)score.loss, exact + gap, 0.2);
    CHECK_NEAR((double)score.reconstruction + (double)score.kl, (double)score.loss, 1e-4);
    last = (double)(e = sslh_vae_bound(&m, data, 1)).nll;
    CHECK_NEAR(last, exact + gap, 0.2);
    CHECK_NEAR(last, (double)score.loss, 0.2);
    printf("   -log p %.4f; codes and bound: 1 %.4f", exact, last);
    for (i = 5; i <= 50; i += 45) {
        e = sslh_vae_bound(&m, data, i);
        CHECK((double)e.nll < last - 0.02 && (double)e.nll > exact - 0.05, "%d codes: %g, fewer %g, exact %g", i,
              (double)e.nll, last, exact);
        last = (double)e.nll;
        printf(", %d %.4f", i, last);
    }
    e = sslh_vae_bound(&m, sslh_data_range(data, 0, 100), 2500);
    CHECK_NEAR((double)e.nll, few, 0.02);
    printf("; of 100 images -log p %.4f, 2500 %.4f\n", few, (double)e.nll);
    CHECK_OK(c);
    sslh_destroy(c);
}
/* The loss of training by k codes is on average the bound by k codes. */
static void vae_trains_the_bound(void) {
    sslh_ctx *c = create(1);
    sslh_data data = vae_data(c, 1000);
    sslh_method m = vae_linear(c, 1, 2, 5);
    sslh_view_set views;
    sslh_batch batch;
    memset(&views, 0, sizeof views);
    sslh_next_batch(loader_for(c, data, 1000), &batch);
    m.views(&m, &batch, &views);
    CHECK_NEAR((double)sslh_item(m.loss(&m, &views, 0)), (double)sslh_vae_bound(&m, data, 5).nll, 0.2);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* The loss of a net that knows nothing: posterior and prior are one, and pixels do not depend on the code. */
static void vae_values(void) {
    sslh_ctx *c = create(1);
    sslh_data data = vae_data(c, 60);
    sslh_vae_desc d;
    sslh_view_set views;
    sslh_batch batch;
    sslh_tensor *x;
    double square = 0;
    size_t q;
    int codes;
    memset(&d, 0, sizeof d), memset(&views, 0, sizeof views);
    sslh_next_batch(loader_for(c, data, 60), &batch);
    x = sslh_persist(sslh_batch_images(c, batch));
    sslh_view_add(&views, "images", x);
    for (q = 0; q < x->count; q++) square += pow((double)x->data[q], 2) / 60;
    for (codes = 1; codes <= 50; codes += 49)
        for (d.gaussian = 0; d.gaussian <= 1; d.gaussian++) {
            sslh_method m;
            double loss;
            d.codes = codes, d.sigma = 0.5f;
            m = vae_of(c, 5, 3, d);
            fill_tensor(&m, "decoder.fc4.weight", NULL), fill_tensor(&m, "decoder.fc4.bias", NULL);
            fill_tensor(&m, "encoder.fc21.weight", NULL), fill_tensor(&m, "encoder.fc21.bias", NULL);
            fill_tensor(&m, "encoder.fc22.weight", NULL), fill_tensor(&m, "encoder.fc22.bias", NULL);
            loss = (double)sslh_item(m.loss(&m, &views, 0));
            CHECK_CLOSE(loss, d.gaussian ? square / 0.5 + 12 * (log(0.5) + 0.918938533) : 12 * log(2.0), 1e-5);
            CHECK_NEAR((double)m.numbers[0].value, 0, 1e-6);
            CHECK(!m.numbers[1].name, "a deviation that is not learnt is no number");
            fill_tensor(&m, "decoder.fc4.bias", NULL); /* codes that lie elsewhere cost nothing but the KL term */
            sslh_find(m.net, "encoder.fc21.bias")->data[1] = 2;
            if (codes == 1) CHECK_CLOSE((double)sslh_item(m.loss(&m, &views, 0)), loss + 2, 1e-5);
            else CHECK((double)sslh_item(m.loss(&m, &views, 0)) < loss + 1, "50 codes bridge most of it");
            CHECK_NEAR((double)m.numbers[0].value, 2, 1e-5);
        }
    CHECK_OK(c);
    sslh_destroy(c);
}

/* A learned deviation comes to the root of the mean squared error, where (4) is least. */
static void vae_sigma(void) {
    sslh_ctx *c = create(1);
    sslh_data data = vae_data(c, 200);
    sslh_vae_desc d;
    sslh_train_desc t;
    sslh_vae_score score;
    sslh_method m;
    double log_sigma;
    memset(&d, 0, sizeof d), memset(&t, 0, sizeof t);
    d.gaussian = 1, d.learn_sigma = 1, d.sigma = 2;
    m = vae_of(c, 6, 1, d);
    CHECK(strcmp(m.numbers[1].name, "deviation") == 0 && !m.numbers[2].name, "names");
    t.quiet = 1, t.batch = 50, t.epochs = 150, t.lr = 0.02f, t.schedule = SSLH_COSINE;
    sslh_train(c, m, data, t);
    log_sigma = (double)sslh_find(m.net, "decoder.log_sigma")->data[0];
    score = sslh_vae_evaluate(&m, data);
    printf("   deviation learnt: %.4f\n", exp(log_sigma));
    CHECK_NEAR((double)score.reconstruction, 12 * (0.5 + log_sigma + 0.918938533), 0.3);
    CHECK(exp(log_sigma) < 0.75 && exp(log_sigma) > 0.5, "%g", exp(log_sigma));
    CHECK_OK(c);
    sslh_destroy(c);
}

/* Pixels are drawn anew in each epoch, each image by its own numbers, whatever batch it is in; evaluations see the same
   draw every time. */
static void vae_binarize(void) {
    static uint8_t pixels[40 * 28 * 28];
    sslh_ctx *c = create(1);
    sslh_data data;
    sslh_vae_desc d;
    sslh_tensor *x[3], *w;
    sslh_method m;
    double sum = 0, n = 40 * 784, first;
    size_t q;
    int i;
    memset(&d, 0, sizeof d);
    for (i = 0; i < (int)sizeof pixels; i++) pixels[i] = 51; /* 0.2 */
    data = sslh_data_from_images(c, pixels, 40, 28, 28, 1, NULL);
    d.height = d.width = 28, d.binarize = 1, d.hidden = 5, d.latent = 2;
    m = sslh_vae(c, d);
    for (i = 0; i < 3; i++) {
        sslh_view_set views;
        sslh_batch batch;
        memset(&views, 0, sizeof views);
        sslh_next_batch(loader_for(c, data, i == 1 ? 10 : 40), &batch);
        if (i == 2) batch.epoch = 1;
        m.views(&m, &batch, &views);
        x[i] = sslh_persist(sslh_view_get(&views, "images"));
    }
    CHECK_OK(c);
    CHECK(memcmp(x[0]->data, x[1]->data, x[1]->count * sizeof *x[1]->data) == 0, "pixels depend on the batch");
    CHECK(memcmp(x[0]->data, x[2]->data, x[2]->count * sizeof *x[2]->data) != 0, "the next epoch has the same pixels");
    CHECK(memcmp(x[0]->data, x[0]->data + 784, 784 * sizeof *x[0]->data) != 0, "all images alike");
    for (q = 0; q < x[0]->count; q++) {
        double v = (double)x[0]->data[q];
        CHECK(v == 0 || v == 1, "%g", v);
        sum += v / n;
    }
    CHECK_NEAR(sum, 0.2, 0.01);
    first = (double)sslh_vae_evaluate(&m, data).loss;
    CHECK((double)sslh_vae_evaluate(&m, data).loss == first && first > 0, "another test set");
    CHECK(sslh_vae_bound(&m, data, 2).nll == sslh_vae_bound(&m, data, 2).nll, "another bound");
    /* whatever subset an image is in: from a decoder that gives its biases, its error depends on its pixels alone */
    w = sslh_find(m.net, "decoder.fc4.weight");
    for (q = 0; q < w->count; q++) w->data[q] = 0;
    w = sslh_find(m.net, "decoder.fc4.bias");
    for (q = 0; q < w->count; q++) w->data[q] = (sslh_real)(q * 37 % 64) / 8 - 4;
    first = (double)sslh_vae_evaluate(&m, data).reconstruction;
    for (i = 0, sum = 0; i < 40; i++)
        sum += (double)sslh_vae_evaluate(&m, sslh_data_range(sslh_data_range(data, i / 2, 40), i - i / 2,
                                                             i - i / 2 + 1)).reconstruction / 40;
    CHECK_CLOSE(sum, first, 1e-5);
    sslh_destroy(c);
}

/* Every kind of encoder, and decoders for both sizes; what samples and interpolations are. */
static void vae_nets(void) {
    static uint8_t pixels[8 * 32 * 32 * 3];
    sslh_ctx *c = create(1);
    int kind, i;
    for (i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)sslh_random_below(4, 4, (uint64_t)i, 255);
    for (kind = 0; kind < 6; kind++) {
        int side = kind == 1 ? 28 : kind < 3 ? 32 : 8, channels = kind == 1 ? 1 : 3;
        sslh_data data = sslh_data_from_images(c, pixels, 8, side, side, channels, NULL);
        sslh_tensor *x, *y, *mu, *logvar, *same;
        sslh_train_desc t = two_steps();
        sslh_vae_desc d;
        sslh_method m;
        sslh_net *given = NULL;
        sslh_batch batch;
        double loss;
        memset(&d, 0, sizeof d);
        d.height = d.width = side, d.channels = channels, d.convolutions = kind == 0 ? 5 : kind == 2 ? 0 : 2;
        d.maps = 4, d.hidden = 16, d.latent = 5, d.activation_tanh = kind == 1;
        if (kind >= 3) given = kind == 3 ? convnet(c, 4, 6) : kind == 4 ? convnet_map(c, 4, 6) : vit(c, 0);
        m = given ? sslh_vae_on(c, given, d) : sslh_vae(c, d);
        if (!CHECK(!sslh_error(c), "%d: %s", kind, sslh_error(c))) break;
        CHECK((m.encoder == given) == (kind >= 3), "a given encoder stays the encoder");
        CHECK((sslh_find(m.net, "posterior.fc22.bias") != NULL) == (kind >= 3), "the posterior on it");
        t.batch = 8;
        loss = (double)sslh_train(c, m, data, t);
        CHECK_NEAR(loss, side * side * channels * log(2.0), 0.03 * side * side * channels);
        sslh_next_batch(loader_for(c, data, 4), &batch);
        x = sslh_batch_images(c, batch);
        sslh_train_mode(m.net, 0);
        sslh_vae_encode(&m, x, &mu, &logvar);
        CHECK(mu->shape[0] == 4 && mu->shape[1] == 5 && logvar->shape[1] == 5, "codes");
        y = sslh_vae_sample(&m, 3);
        CHECK(y->ndim == 4 && y->shape[0] == 3 && y->shape[1] == side && y->shape[2] == side &&
                  y->shape[3] == channels, "samples");
        y = sslh_vae_interpolate(&m, x, sslh_slice_ex(c, x, 0, 3, -1, -1), 3);
        CHECK(y->ndim == 4 && y->shape[0] == 12, "between");
        CHECK_OK(c);
        same = sslh_vae_decode(&m, mu);
        for (i = 0; i < side; i++) { /* pair 0: image 0, between, image 3; pair 3 the other way round */
            size_t one = y->count / 12;
            CHECK_NEAR(y->data[i], same->data[i], 1e-5);
            CHECK_NEAR(y->data[2 * one + (size_t)i], same->data[3 * one + (size_t)i], 1e-5);
            CHECK_NEAR(y->data[one + (size_t)i], y->data[10 * one + (size_t)i], 1e-5);
        }
    }
    CHECK_OK(c);
    sslh_destroy(c);
}

static void vae_errors(void) {
    sslh_ctx *c = create(1), *other = create(1);
    sslh_data data = vae_data(c, 40), bad = data;
    sslh_vae_desc d;
    sslh_method m, mine;
    sslh_tensor *mu = NULL;
    memset(&d, 0, sizeof d);
    d.height = 10, d.width = 8, d.convolutions = 2;
    sslh_vae(c, d);
    CHECK_ERROR(c, "sslh_vae: the sides of images of 10 x 8 cannot be halved 2 times");
    sslh_vae_on(c, convnet(c, 4, 6), d);
    CHECK_ERROR(c, "sslh_vae_on: the sides of images of 10 x 8 cannot be halved 2 times");
    d.convolutions = 0;
    sslh_vae_on(c, convnet(other, 4, 6), d);
    CHECK_ERROR(c, "sslh_vae_on: the encoder belongs to another context");
    sslh_vae_on(c, NULL, d);
    CHECK_ERROR(c, "sslh_vae_on: the encoder is NULL");
    d.codes = 1001;
    sslh_vae(c, d);
    CHECK_ERROR(c, "sslh_vae: .codes is 1001 (1 to 1000)");
    d.codes = 0, d.sigma = -1;
    sslh_vae(c, d);
    CHECK_ERROR(c, "sslh_vae: .sigma is -1 (0.001 to 1000)");
    d.sigma = 0;
    m = vae_of(c, 5, 3, d);
    sslh_vae_bound(&m, data, 0);
    CHECK_ERROR(c, "sslh_vae_bound: .codes is 0 (1 to 1000000)");
    bad.count = 0;
    CHECK(sslh_vae_bound(&m, bad, 1).nll == 0, "of nothing");
    CHECK_ERROR(c, "sslh_vae_bound: the data set is empty");
    sslh_vae_sample(&m, 0);
    CHECK_ERROR(c, "sslh_vae_sample: .n is 0");
    sslh_vae_interpolate(&m, sslh_zeros(c, sslh_dim4(2, 4, 3, 1)), sslh_zeros(c, sslh_dim4(2, 4, 3, 1)), 1);
    CHECK_ERROR(c, "sslh_vae_interpolate: .steps is 1");
    sslh_vae_interpolate(&m, sslh_zeros(c, sslh_dim4(2, 4, 3, 1)), sslh_zeros(c, sslh_dim4(1, 4, 3, 1)), 3);
    CHECK_ERROR(c, "a and b must be the same number of images");
    mine = sslh_method_new(c, "mine", NULL, NULL, 0);
    sslh_vae_bound(&mine, data, 1);
    CHECK_ERROR(c, "sslh_vae_bound: the method 'mine' was not made by sslh_vae");
    /* images of another size would become another number of rows: five of 4 x 3 are three of 5 x 4 */
    d.height = 5, d.width = 4;
    mine = sslh_vae(c, d);
    CHECK(sslh_vae_evaluate(&mine, data).loss == 0, "another size");
    CHECK_ERROR(c, "sslh_vae_evaluate: made for images of 5 x 4 x 1, the data has 4 x 3 x 1");
    CHECK(sslh_vae_bound(&mine, data, 2).nll == 0, "another size");
    CHECK_ERROR(c, "sslh_vae_bound: made for images of 5 x 4 x 1, the data has 4 x 3 x 1");
    CHECK(sslh_forward(mine.encoder, sslh_zeros(c, sslh_dim4(5, 4, 3, 1)))->count == 1, "a dummy");
    CHECK_ERROR(c, "the net 'vae_encoder' wants images of 5 x 4 with 20 values, the input is (5,4,3,1)");
    sslh_vae_encode(&mine, sslh_zeros(c, sslh_dim4(2, 4, 5, 1)), &mu, NULL); /* as many values, other sides */
    CHECK_ERROR(c, "sslh_vae_encode: sslh_forward: the net 'vae_encoder' wants images of 5 x 4");
    CHECK(mu->count == 1, "a dummy");
    sslh_vae_decode(&mine, sslh_zeros(c, sslh_dim2(2, 7)));
    CHECK_ERROR(c, "sslh_vae_decode: sslh_linear");
    d.height = 10, d.width = 8;
    sslh_vae_on(c, convnet(c, 4, 6), d);
    CHECK_ERROR(c, "sslh_vae_on: .channels is 1, the encoder \"convnet\" takes images of 3");
    d.channels = 3;
    sslh_vae_on(c, vit(c, 0), d);
    CHECK_ERROR(c, "sslh_vae_on: images of 10 x 8, the encoder \"vit\" takes those of 8 x 8");
    sslh_find(m.net, "decoder.fc4.bias")->data[0] = (sslh_real)NAN;
    CHECK(sslh_vae_bound(&m, data, 3).nll == 0, "NaN");
    CHECK_ERROR(c, "sslh_vae_bound: the bound of image 0 is NaN");
    sslh_destroy(other);
    sslh_destroy(c);
}
#endif

/* What text says is what a descriptor says: the same printed settings, the same bits after two steps. */
static void text_is_a_descriptor(void) {
    int k;
    for (k = 0; k < CASES; k++) {
        uint64_t hash[2];
        char text[2][600];
        int way;
        for (way = 0; way < 2; way++) {
            sslh_ctx *c = create(1);
            sslh_data data = data_for(c, cases[k].name);
            const sslh_method_info *m = sslh_methods(NULL);
            sslh_method a;
            for (; m->name; m++) { /* the case is called as its method, or so with more behind an underscore */
                size_t n = strlen(m->name);
                if (!strncmp(m->name, cases[k].name, n) && (!cases[k].name[n] || cases[k].name[n] == '_')) break;
            }
            if (m->name) {
                char settings[300];
                snprintf(settings, sizeof settings, "settings=%s %s", settings_of(m->name), cases[k].settings);
                a = way ? sslh_method_make(c, m->name, encoder_for(c, cases[k].name), data, settings)
                        : make_method(c, cases[k].name);
                sslh_method_print(&a, text[way], sizeof text[way]);
                sslh_train(c, a, data, two_steps());
                hash[way] = sslh_hash(a.net);
                CHECK_OK(c);
                if (way)
                    CHECK(hash[0] == hash[1] && strcmp(text[0], text[1]) == 0, "%s:\n%s\n%s", cases[k].name, text[0],
                          text[1]);
            }
            sslh_destroy(c);
        }
    }
}

#if SSLH_WITH_SIMCLR && SSLH_WITH_MOCO && SSLH_WITH_ROTATION && SSLH_WITH_VAE && SSLH_WITH_MAE
static void text_training(void) {
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any");
    sslh_method m =
        sslh_method_make(c, "simclr", convnet(c, 4, 4), data, "momentum=0 lr=0.3 batch=64 optimizer=sgd epochs=7");
    CHECK(m.defaults.optimizer.kind == SSLH_SGD && m.defaults.optimizer.momentum == SSLH_OFF &&
              m.defaults.optimizer.weight_decay == 0,
          "SGD");
    CHECK(m.defaults.lr == 0.3f && !m.lr_scales && m.defaults.batch == 64 && m.defaults.epochs == 7,
          "rate, batch, epochs");
    m = sslh_method_make(c, "simclr", convnet(c, 4, 4), data, "settings=paper lr=2 lr_scales=1 warmup=0");
    CHECK(m.defaults.optimizer.kind == SSLH_LARS && m.defaults.optimizer.weight_decay == 1e-4f && m.lr_scales &&
              m.defaults.warmup == 0,
          "LARS");
    m = sslh_method_make(c, "rotation", convnet(c, 4, 4), data,
                         "optimizer=sgd,milestones=0.25:0.5,gamma=0.5,schedule=linear_decay");
    CHECK(m.defaults.optimizer.nesterov == 1 && m.defaults.schedule == SSLH_LINEAR_DECAY && m.defaults.gamma == 0.5f,
          "the same optimiser keeps its numbers");
    CHECK(m.defaults.milestones[0] == 0.25f && m.defaults.milestones[1] == 0.5f && m.defaults.milestones[2] == 0,
          "milestones");
    m = sslh_method_make(c, "rotation", convnet(c, 4, 4), data, "milestones=none lr=auto");
    CHECK(m.defaults.milestones[0] == 0 && m.defaults.lr == 0.1f, "none, auto");
    CHECK_OK(c);
    sslh_destroy(c);
}

static void refused(sslh_ctx *c, const char *name, const char *settings, const char *sentence) {
    sslh_data data = data_for(c, "any");
    sslh_method_make(c, name, strcmp(name, "vae") == 0 ? NULL : convnet(c, 4, 4), data, settings);
    CHECK_ERROR(c, sentence);
}
static void text_errors(void) {
    sslh_ctx *c = create(1);
    char text[4096];
    int i, n;
    refused(c, "simsalabim", "", "no method \"simsalabim\" in this build; there are: rotation, jigsaw, context, "
            "inpainting, colorization, next_frame, frame_order, autoencoder, vae, gan, simclr, moco, supcon, nnclr, "
            "cpc, cpc2, clip, byol, simsiam, dino, barlow, vicreg, swav, mae, jepa");
    sslh_method_make(c, NULL, NULL, data_for(c, "any"), NULL);
    CHECK_ERROR(c, "the name is NULL");
    refused(c, "simclr", "heat=1",
            "sslh_method_make: simclr has no field \"heat\"; it has temperature, head_layers, head_hidden, head_out, "
            "no_head_norm, decoupled, views, settings; of its training epochs, batch, lr");
    refused(c, "simclr", "head_layers=9",
            "sslh_method_make: simclr: head_layers=9 is not allowed: it must be a whole number from 1 to 7");
    refused(c, "simclr", "head_layers=2.5", "head_layers=2.5 is not allowed: it must be a whole number from 1 to 7");
    refused(c, "simclr", "head_layers=0", "head_layers=0 is not allowed: it must be a whole number from 1 to 7");
    refused(c, "simclr", "head_out=99999999999",
            "head_out=99999999999 is not allowed: it must be a whole number from 1 to 1048576");
    refused(c, "simclr", "temperature=warm", "temperature=warm is not allowed: it must be a number above 0");
    refused(c, "simclr", "temperature=-1", "temperature=-1 is not allowed: it must be a number above 0");
    refused(c, "simclr", "temperature=1e60", "temperature=1e60 is not allowed: it must be a number above 0");
    refused(c, "simclr", "temperature=1e-60", "temperature=1e-60 is not allowed: it must be a number above 0");
    refused(c, "simclr", "temperature=nan", "temperature=nan is not allowed: it must be a number above 0");
    refused(c, "simclr", "decoupled=yes", "decoupled=yes is not allowed: it must be 0 or 1");
    refused(c, "simclr", "decoupled=2", "decoupled=2 is not allowed: it must be 0 or 1");
    refused(c, "simclr", "views=loud",
            "views=loud is not allowed: it must be one of none, simclr, simclr_large, moco, byol_0, byol_1, mae, "
            "rotation");
    refused(c, "simclr", "optimizer=magic", "optimizer=magic is not allowed: it must be one of sgd, adam, adamw, lars");
    refused(c, "simclr", "schedule=weekly",
            "schedule=weekly is not allowed: it must be one of cosine, constant, steps, linear_decay");
    refused(c, "simclr",
            "milestones=0.5:",
            "milestones=0.5: is not allowed: it must be up to 7 ascending numbers with colons between them, "
            "each above 0 and below 1");
    refused(c, "simclr", "momentum=1", "momentum=1 is not allowed: it must be a number of at least 0 and below 1");
    refused(c, "simclr", "temperature", "simclr: \"temperature\" is not name=value");
    refused(c, "simclr", "temperature=,head_out=3", "simclr: no value after \"temperature=\"");
    refused(c, "simclr", "=3", "simclr: no name before \"=3\"");
    refused(c, "rotation", "rotations=3", "rotations=3 is not allowed: it must be 4 or 2");
    refused(c, "rotation", "tap=nowhere", "nowhere");
    /* any bytes, any length: an error of less than 512 characters that is plain text, or none */
    for (i = 0; i < 3000; i++) {
        static const char *const parts[] = {"temperature", "lr", "=", ",", " ",    "views", "milestones",
                                            "0.5",         "1e", "-", ":", "auto", ".",     "99999999999999999999",
                                            "head_out",    "e+5"};
        size_t used = 0, at;
        int pieces = (int)sslh_random_below(1, (uint64_t)i, 0, i % 50 == 0 ? 400 : 12);
        for (n = 0; n < pieces; n++) {
            uint32_t r = sslh_random_u32(1, (uint64_t)i, (uint64_t)n + 1);
            if (r % 8 == 0) text[used++] = (char)(1 + (r >> 8) % 255);
            else used += (size_t)snprintf(text + used, sizeof text - used, "%s", parts[(r >> 8) % 16]);
            if (used > sizeof text - 64) break;
        }
        text[used] = 0;
        {
            int64_t mark = sslh_mark(c);
            sslh_method_make(c, i % 2 ? "vae" : "mae", NULL, data_for(c, "any"), text);
            if (sslh_error(c))
                for (at = 0; sslh_error(c)[at]; at++)
                    CHECK(sslh_error(c)[at] >= 32 && sslh_error(c)[at] < 127 && at < 511,
                          "a byte of the text in the error");
            sslh_clear_error(c);
            sslh_rewind(c, mark);
        }
    }
    sslh_destroy(c);
}

/* Numbers are read as the compiler reads them, and printed with as few digits as bring them back. */
static void text_numbers(void) {
    static const char *const hard[] = {"0.1",
                                       "1.5e-4",
                                       "0.0001",
                                       "1e-8",
                                       "16777217",
                                       "3.4028234e38",
                                       "1e-37",
                                       "00.5",
                                       "5.e-1",
                                       "+.25",
                                       "123456789012345678901234567890",
                                       "0.000000000000000000000000000001",
                                       "0",
                                       "1e-60"};
    sslh_ctx *c = create(1);
    sslh_data data = data_for(c, "any");
    int i, wrong = 0;
    for (i = 0; i < (test_small() ? 60 : 400); i++) {
        int64_t mark = sslh_mark(c);
        char text[80], shown[600], *at;
        float x;
        sslh_method m;
        if (i < (int)(sizeof hard / sizeof hard[0])) snprintf(text, sizeof text, "beta=%s", hard[i]);
        else {
            union { uint32_t u; float f; } v;
            v.u = sslh_random_u32(2, (uint64_t)i, 0) & 0x7fffffffu;
            if (!(v.f > 1e-36f && v.f < 1e36f)) v.f = (float)i * 0.37f;
            snprintf(text, sizeof text, "beta=%.9g", (double)v.f);
        }
        x = (float)strtod(text + 5, NULL);
        strcat(text, ",hidden=1,latent=1");
        m = sslh_method_make(c, "vae", NULL, data, text);
        sslh_method_print(&m, shown, sizeof shown);
        at = strstr(shown, "beta=");
        if (!CHECK(!sslh_error(c) && at, "%s: %s", text, sslh_error(c) ? sslh_error(c) : shown)) sslh_clear_error(c);
        else if ((float)strtod(at + 5, NULL) != x && ++wrong < 5) CHECK(0, "%s became %.20s", text, at);
        sslh_rewind(c, mark);
    }
    sslh_destroy(c);
}
#endif

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        int k, i, d;
        for (k = 0; k < CASES; k++) {
            method_run r;
            run_case(&r, &cases[k], 1, 1);
            printf("case|%s|%.9g|%.0f|%.0f\n", cases[k].name, (double)cases[k].lr, (double)r.stream[0],
                   (double)r.stream[1]);
            for (i = 0; i < sslh_count_tensors(r.m.net); i++) {
                char name[256];
                int is_param;
                sslh_tensor *t = sslh_tensor_at(r.m.net, i, name, sizeof name, &is_param);
                printf("tensor|%s|%d|", name, is_param);
                for (d = 0; d < t->ndim; d++) printf("%s%d", d ? "," : "", t->shape[d]);
                printf("\n");
            }
            run_free(&r);
        }
        return 0;
    }
    TEST(torch_steps)
    TEST(threads)
    TEST(plain_steps)
    TEST(printed)
    TEST(every_method)
    TEST(given_recipes)
    TEST(given_names)
    TEST(methods_not_made)
    TEST(nan_test_image)
#if SSLH_WITH_MOCO
    TEST(moco)
    TEST(moco_split)
    TEST(moco_momentum)
    TEST(moco_warning)
#endif
#if SSLH_WITH_SUPCON
    TEST(supcon)
#endif
#if SSLH_WITH_NNCLR
    TEST(nnclr)
    TEST(nnclr_warning)
#endif
#if SSLH_WITH_BYOL && SSLH_WITH_SIMSIAM
    TEST_LEARNS(collapse)
#endif
#if SSLH_WITH_BYOL
    TEST(byol_target)
#endif
#if SSLH_WITH_SIMSIAM
    TEST(simsiam_rates)
#endif
#if SSLH_WITH_BARLOW && SSLH_WITH_VICREG
    TEST(two_views_meters)
    TEST(vicreg_terms)
#endif
#if SSLH_WITH_SWAV
    TEST(swav)
#endif
#if SSLH_WITH_DINO
    TEST(dino)
    TEST(dino_decay)
#endif
#if SSLH_WITH_JEPA
    TEST(jepa)
    TEST_LEARNS(jepa_collapse)
#endif
#if SSLH_WITH_MAE
    TEST_LEARNS(mae_explained)
#endif
    TEST(named_numbers)
#if SSLH_WITH_INPAINTING
    TEST(inpainting_holes)
    TEST(inpainting_small_holes)
    TEST(inpainting_losses)
    TEST_LEARNS(inpainting_learns)
#if SSLH_WITH_VAE
    TEST(inpainting_errors)
#endif
#if SSLH_WITH_NEXT_FRAME
    TEST(next_frame_copies)
    TEST(next_frame_several)
    TEST_LEARNS(next_frame_learns)
    TEST(next_frame_errors)
#endif
#if SSLH_WITH_FRAME_ORDER
    TEST(frame_order_tuples)
    TEST(frame_order_still)
    TEST(frame_order_motion)
    TEST_LEARNS(frame_order_learns)
    TEST(frame_order_lengths)
    TEST(frame_order_errors)
#endif
#endif
#if SSLH_WITH_AUTOENCODER
    TEST_LEARNS(autoencoder_is_pca)
    TEST(autoencoder_values)
    TEST(autoencoder_noise)
    TEST(autoencoder_errors)
#endif
#if SSLH_WITH_VAE
    TEST(vae_bounds)
    TEST(vae_trains_the_bound)
    TEST(vae_values)
    TEST(vae_sigma)
    TEST(vae_binarize)
    TEST(vae_nets)
    TEST(vae_errors)
#endif
#if SSLH_WITH_GAN
    TEST(gan_losses)
    TEST(gan_accumulates)
    TEST(gan_spectral)
    TEST(gan_clips)
    TEST(gan_averages)
    TEST(gan_samples)
    TEST_LEARNS(gan_learns)
    TEST(gan_errors)
#endif
#if SSLH_WITH_JIGSAW
    TEST(jigsaw_set)
    if (getenv("SSLH_TEST_LONG") && getenv("SSLH_TEST_LONG")[0] == '1') TEST(jigsaw_all)
    TEST(constant_channel)
    TEST(jigsaw_views)
    TEST_LEARNS(jigsaw_learns)
    TEST(jigsaw_errors)
#endif
#if SSLH_WITH_CPC2
    TEST_LEARNS(cpc2_collapse_and_learning)
    TEST(cpc2_guessing)
    TEST(cpc2_context_sees_no_target)
    TEST(cpc2_errors)
#endif
#if SSLH_WITH_CONTEXT
    TEST(context_views)
    TEST_LEARNS(context_learns)
    TEST(context_errors)
#endif
#if SSLH_WITH_COLORIZATION
    TEST(colorization_bins)
    TEST_LEARNS(colorization_learns)
    TEST(colorization_input)
    TEST(colorization_subset)
    TEST(colorization_errors)
#endif
    TEST(text_is_a_descriptor)
#if SSLH_WITH_SIMCLR && SSLH_WITH_MOCO && SSLH_WITH_ROTATION && SSLH_WITH_VAE && SSLH_WITH_MAE
    TEST(wrong_use)
    TEST(text_training)
    TEST(text_errors)
    TEST(text_numbers)
#endif
    return test_end();
}
