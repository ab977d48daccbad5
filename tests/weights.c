/* Weights files, checkpoints, features of 8-bit images. Files are written to the current folder as weights_*.tmp. */
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#include "harness.h"

static sslh_ctx *context(void) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.seed = 11;
    d.threads = 2;
    return sslh_create(d);
}

static uint8_t *slurp(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    uint8_t *p = (uint8_t *)malloc(1 << 22);
    *size = f ? fread(p, 1, 1 << 22, f) : 0;
    if (f) fclose(f);
    return p;
}

static void spill(const char *path, const uint8_t *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    if (f) fwrite(bytes, 1, size, f), fclose(f);
}

/* One byte in place: a file that is cut to nothing and written anew may be sent to the disk each time. */
static void poke(const char *path, size_t at, int byte) {
    FILE *f = fopen(path, "r+b");
    if (f) fseek(f, (long)at, SEEK_SET), fputc(byte, f), fclose(f);
}

static sslh_net *small_resnet(sslh_ctx *c) {
    sslh_resnet_desc d;
    memset(&d, 0, sizeof d);
    d.width = 4;
    return sslh_resnet(c, d);
}

static sslh_net *small_mlp(sslh_ctx *c) {
    sslh_mlp_desc d;
    memset(&d, 0, sizeof d);
    d.in = 6;
    d.widths[0] = 5;
    d.widths[1] = 3;
    d.batch_norm = 1;
    return sslh_mlp(c, d);
}

/* --- round trips -------------------------------------------------------------------------------------------------- */

static void same_again(sslh_ctx *c, sslh_net *net, const char *what) {
    sslh_net *again;
    sslh_preprocess p;
    uint8_t *bytes;
    size_t size;
    memset(&p, 0, sizeof p);
    p.height = 32;
    p.width = 31;
    p.channels = 3;
    p.mean[0] = 0.4914f;
    p.mean[1] = -0.25f;
    p.std[0] = 0.1307f;
    p.std[2] = 1e-3f;
    sslh_set_preprocess(net, p);
    sslh_save_net(net, "weights_a.tmp");
    again = sslh_load_net(c, "weights_a.tmp");
    CHECK_OK(c);
    CHECK(sslh_hash(again) == sslh_hash(net), "%s: the same values", what);
    CHECK(memcmp(&again->preprocess, &p, sizeof p) == 0, "%s: preprocessing", what);
    CHECK(strcmp(again->arch, net->arch) == 0, "%s: %s / %s", what, again->arch, net->arch);
    CHECK(!sslh_is_training(again), "%s: loaded in training mode", what);
    bytes = slurp("weights_a.tmp", &size);
    CHECK(sslh_hash(sslh_load_net_memory(c, bytes, size)) == sslh_hash(net), "%s: from memory", what);
    free(bytes);
}

/* The file of a method's container keeps what its encoder is to be given; it goes to the encoder alone, and to that of
   another container. A file that tells nothing takes nothing away. */
static void preprocessing_inside(void) {
    sslh_ctx *c = context();
    sslh_net *box[2], *inner[2], *alone = small_mlp(c);
    sslh_load_desc d;
    sslh_preprocess p, q, none;
    int i;
    memset(&d, 0, sizeof d), memset(&p, 0, sizeof p), memset(&none, 0, sizeof none);
    for (i = 0; i < 2; i++) {
        box[i] = sslh_method_new(c, "box", NULL, NULL, 0).net;
        sslh_child(box[i], "encoder", inner[i] = small_mlp(c));
        sslh_child(box[i], "head", small_mlp(c));
    }
    p.height = 32, p.width = 31, p.channels = 3, p.mean[1] = 0.25f, p.std[1] = 0.5f, p.colour = SSLH_COLOUR_LAB;
    sslh_set_preprocess(inner[0], p);
    sslh_save_net(box[0], "weights_a.tmp");
    sslh_load_weights(box[1], "weights_a.tmp", d);
    CHECK(memcmp(&inner[1]->preprocess, &p, sizeof p) == 0, "an encoder in another container");
    CHECK(memcmp(&box[1]->preprocess, &none, sizeof none) == 0, "the container itself");
    d.strip_prefix = "encoder.";
    d.partial = 1;
    sslh_load_weights(alone, "weights_a.tmp", d);
    CHECK_OK(c);
    CHECK(memcmp(&alone->preprocess, &p, sizeof p) == 0, "an encoder alone");
    CHECK(sslh_hash(alone) == sslh_hash(inner[0]), "the values");
    q = p;
    q.height = 7;
    sslh_set_preprocess(alone, q);
    d.strip_prefix = "head.";
    sslh_load_weights(alone, "weights_a.tmp", d);
    CHECK(memcmp(&alone->preprocess, &q, sizeof q) == 0, "a head has none: what was there stays");
    sslh_set_preprocess(inner[0], none);
    sslh_save_net(box[0], "weights_a.tmp");
    memset(&d, 0, sizeof d);
    sslh_load_weights(box[1], "weights_a.tmp", d);
    CHECK_OK(c);
    CHECK(memcmp(&inner[1]->preprocess, &p, sizeof p) == 0, "a file that tells nothing");
    sslh_destroy(c);
    remove("weights_a.tmp");
}

/* Mean and std come back as the same floats, whatever they are; what is no number is not written. */
static void preprocessing_exact(void) {
    static const float edges[8] = {0, 1e6f, 1.5e7f, 3.40282347e38f, 1.17549435e-38f, 1.4e-45f, 9.9999e-5f, -123456.7f};
    sslh_ctx *c = context();
    sslh_net *net = small_mlp(c);
    sslh_preprocess p, q;
    char text[256];
    int i, k, n = test_small() ? 200 : 3000;
    for (i = 0; i < n; i++) {
        memset(&p, 0, sizeof p);
        p.height = p.width = 1999999999, p.channels = 4, p.colour = SSLH_COLOUR_AB_OF_3;
        for (k = 0; k < 4; k++) {
            p.mean[k] = i ? sslh_i_float_of(sslh_random_u32(3, 1, (uint64_t)(4 * i + k))) : edges[k];
            p.std[k] = i ? sslh_i_float_of(sslh_random_u32(3, 2, (uint64_t)(4 * i + k))) : edges[k + 4];
            if (!(p.mean[k] - p.mean[k] == 0)) p.mean[k] = 0.5f;
            if (!(p.std[k] - p.std[k] == 0)) p.std[k] = 0.25f;
        }
        sslh_i_preprocess_text(&p, text, sizeof text);
        sslh_i_preprocess_read(&q, text);
        CHECK(strlen(text) < sizeof text - 1 && !memcmp(&p, &q, sizeof p), "%s", text);
    }
    sslh_i_preprocess_read(&q, "height=1 width=1 channels=1 mean=1e39,-1e300,1e400,2 std=3,3.4028236e38,1,1");
    CHECK(q.mean[0] == 0 && q.mean[1] == 0 && q.mean[2] == 0 && q.mean[3] == 2 && q.std[0] == 3 && q.std[1] == 0 &&
              q.std[3] == 1, "beyond floats: %g %g %g, %g", (double)q.mean[0], (double)q.mean[1], (double)q.mean[2],
          (double)q.std[1]);
    remove("weights_a.tmp");
    net->preprocess = p;
    net->preprocess.std[1] = (float)HUGE_VAL;
    sslh_save_net(net, "weights_a.tmp");
    CHECK_ERROR(c, "sslh_save_net: mean or std of channel 1 in the preprocessing of 'mlp' is NaN or Inf");
    CHECK(sslh_i_kind_at("weights_a.tmp") == SSLH_I_PATH_NONE, "a file was written");
    sslh_destroy(c);
}

/* Names that a file could not give back are refused before anything is written; all others come back. */
static sslh_net *named(sslh_ctx *c, const char *own, const char *child, const char *inner) {
    sslh_net_desc nd;
    sslh_net *net, *below;
    memset(&nd, 0, sizeof nd);
    net = sslh_net_new(c, nd);
    sslh_param_new(net, own, sslh_dim1(2), SSLH_INIT_UNIFORM, 1);
    if (!child) return net;
    below = sslh_net_new(c, nd);
    sslh_state_new(below, inner, SSLH_U8, sslh_dim1(3)); /* another type, so another place in the file */
    sslh_child(net, child, below);
    return net;
}
static void names_in_files(void) {
    static const struct { const char *own, *child, *inner, *error; } rows[] = {
        {"w\xff", NULL, NULL, "sslh_save_net: the name 'w?' is not UTF-8: the file could not be read back"},
        {"w", "\xe2\x82", "b", "the name '??.b' is not UTF-8"},
        {"__metadata__", NULL, NULL, "the name '__metadata__' belongs to the format"},
        {"a.b", "a", "b", "the name 'a.b' is that of two tensors"},
        {"w\xc3\xa9 \"\\\n", "a.b", "c", NULL}};
    sslh_load_desc d;
    sslh_net *net = NULL, *below = NULL, *again;
    sslh_ctx *c = context();
    char name[500], cut[100], leaf[28];
    int i, depth, is_param;
    memset(&d, 0, sizeof d);
    remove("weights_n.tmp");
    for (i = 0; i < (int)(sizeof rows / sizeof rows[0]); i++) {
        sslh_save_net(named(c, rows[i].own, rows[i].child, rows[i].inner), "weights_n.tmp");
        if (rows[i].error) {
            CHECK_ERROR(c, rows[i].error);
            CHECK(sslh_i_kind_at("weights_n.tmp") == SSLH_I_PATH_NONE, "row %d: a file was written", i);
        } else {
            net = named(c, rows[i].own, rows[i].child, rows[i].inner);
            CHECK(sslh_load_weights(net, "weights_n.tmp", d) == 2, "row %d", i);
            CHECK_OK(c);
        }
        remove("weights_n.tmp");
    }
    /* nets in nets: a full name of 270 characters fits, one of 271 does not */
    for (i = 26; i <= 27; i++) {
        sslh_param_opts half;
        memset(&half, 0, sizeof half);
        half.lr_scale = 0.5f;
        memset(leaf, 'l', sizeof leaf), leaf[i] = 0;
        below = again = named(c, leaf, NULL, NULL);
        for (depth = 0; depth < 4; depth++) {
            char word[61];
            memset(word, 'a' + depth, 60), word[60] = 0;
            net = sslh_method_new(c, "box", NULL, NULL, 0).net;
            sslh_child(net, word, again);
            again = net;
        }
        CHECK(sslh_tensor_at(net, 0, name, sizeof name, &is_param)->count == 2 && (int)strlen(name) == 244 + i &&
                  name[0] == 'd' && name[60] == '.' && !strcmp(name + 244, leaf), "%s", name);
        sslh_tensor_at(net, 0, cut, sizeof cut, NULL);
        CHECK(strlen(cut) == sizeof cut - 1 && !memcmp(cut, name, sizeof cut - 1), "%s", cut);
        sslh_param_set_matching(net, leaf, half);
        CHECK(below->entry[0]->lr_scale == 0.5f, "a pattern at the end of a long name");
        sslh_save_net(net, "weights_n.tmp");
        if (i == 26) {
            uint64_t before = sslh_hash(net);
            sslh_param(below, 0)->data[1] = 7;
            CHECK(sslh_load_weights(net, "weights_n.tmp", d) == 1 && sslh_hash(net) == before, "a long name");
            CHECK_OK(c);
            remove("weights_n.tmp");
        } else CHECK_ERROR(c, "is too long: the file could not be read back; give the tensor, or a net around it, ");
    }
    CHECK(sslh_i_kind_at("weights_n.tmp") == SSLH_I_PATH_NONE, "a file was written");
    sslh_destroy(c);
}

static void round_trips(void) {
    sslh_ctx *c = context();
    sslh_convnet_desc conv;
    sslh_vit_desc vit;
    sslh_nin_desc nin;
    sslh_convnext_desc next;
    sslh_conv_gru_desc gru;
    sslh_transformer_desc text;
    memset(&conv, 0, sizeof conv);
    memset(&next, 0, sizeof next);
    memset(&gru, 0, sizeof gru);
    memset(&vit, 0, sizeof vit);
    memset(&nin, 0, sizeof nin);
    same_again(c, small_resnet(c), "resnet");
    same_again(c, small_mlp(c), "mlp");
    conv.channels = 1;
    conv.widths[0] = 4;
    conv.widths[1] = 6;
    conv.map_output = 1;
    same_again(c, sslh_convnet(c, conv), "convnet");
    conv.norm = 1;
    same_again(c, sslh_convnet(c, conv), "convnet with a layer norm");
    conv.norm = SSLH_OFF;
    same_again(c, sslh_convnet(c, conv), "convnet without a norm");
    conv.dcgan = 1, conv.norm = 0;
    same_again(c, sslh_convnet(c, conv), "DCGAN's discriminator");
    vit.image = 8;
    vit.width = 12;
    vit.depth = 2;
    same_again(c, sslh_vit(c, vit), "vit");
    vit.fixed_positions = 1;
    vit.token_output = 1;
    same_again(c, sslh_vit(c, vit), "vit with fixed positions");
    vit.any_size = 1;
    same_again(c, sslh_vit(c, vit), "vit of any size");
    next.depths[0] = next.depths[1] = 1;
    next.widths[0] = 4;
    next.widths[1] = 6;
    next.stem = 1;
    same_again(c, sslh_convnext(c, next), "convnext");
    nin.divide = 16;
    nin.blocks = 3;
    same_again(c, sslh_nin(c, nin), "nin");
#if SSLH_WITH_AUTOENCODER
    {
        sslh_autoencoder_desc ad;
        memset(&ad, 0, sizeof ad);
        ad.height = 4, ad.width = 8, ad.channels = 2, ad.latent = 3, ad.layers = 2, ad.hidden = 5;
        ad.convolutions = 2, ad.maps = 3, ad.sparse = 1;
        same_again(c, sslh_autoencoder(c, ad).encoder, "the encoder of an autoencoder");
    }
#endif
#if SSLH_WITH_VAE
    {
        sslh_vae_desc vae;
        sslh_net *again;
        sslh_tensor *x = sslh_persist(sslh_normal(c, sslh_dim4(2, 5, 4, 2), 0, 1)), *a, *b;
        sslh_method m;
        memset(&vae, 0, sizeof vae);
        vae.height = 5, vae.width = 4, vae.channels = 2, vae.hidden = 6, vae.latent = 3, vae.activation_tanh = 1;
        m = sslh_vae(c, vae);
        same_again(c, m.encoder, "the encoder of a VAE");
        again = sslh_load_net(c, "weights_a.tmp");
        a = sslh_forward(m.encoder, x), b = sslh_forward(again, x);
        CHECK(a->count == 6 && memcmp(a->data, b->data, 6 * sizeof *a->data) == 0, "the same codes");
        CHECK_OK(c);
        vae.height = 4, vae.width = 8, vae.convolutions = 2, vae.maps = 3, vae.layers = 2;
        m = sslh_vae(c, vae);
        same_again(c, m.encoder, "the convolutional encoder of a VAE");
        again = sslh_load_net(c, "weights_a.tmp");
        x = sslh_persist(sslh_normal(c, sslh_dim4(2, 4, 8, 2), 0, 1));
        a = sslh_forward(m.encoder, x), b = sslh_forward(again, x);
        CHECK(a->count == 6 && memcmp(a->data, b->data, 6 * sizeof *a->data) == 0, "the same codes of convolutions");
        CHECK_OK(c);
    }
#endif
    gru.kernels[0] = 5;
    gru.strides[0] = 3;
    gru.width = 6;
    gru.context = 4;
    gru.norm = SSLH_OFF;
    same_again(c, sslh_conv_gru(c, gru), "conv_gru");
    memset(&text, 0, sizeof text);
    text.vocabulary = 7, text.length = 5, text.width = 6, text.depth = 2, text.heads = 2;
    same_again(c, sslh_transformer(c, text), "GPT-2");
    text.kind = SSLH_BERT, text.pooler = 1, text.mlp = 5;
    same_again(c, sslh_transformer(c, text), "BERT");
    text.kind = SSLH_CLIP_TEXT, text.pooler = 0, text.causal = SSLH_OFF, text.segments = 3;
    same_again(c, sslh_transformer(c, text), "CLIP");
    remove("weights_a.tmp");
    sslh_destroy(c);
}

static void reports(void) {
    sslh_ctx *c = context();
    sslh_net *a = small_mlp(c), *b, *box;
    sslh_net_desc bd;
    sslh_mlp_desc m;
    sslh_load_desc d;
    char report[400];
    uint64_t before;
    memset(&m, 0, sizeof m);
    memset(&d, 0, sizeof d);
    memset(&bd, 0, sizeof bd);
    box = sslh_net_new(c, bd);
    sslh_child(box, "encoder", a);
    sslh_save_net(box, "weights_b.tmp");
    m.in = 6;
    m.widths[0] = 5;
    m.widths[1] = 4;
    m.widths[2] = 2;
    b = sslh_mlp(c, m); /* fc1 fits (with a bias that the file lacks), fc2 has another width, fc3 is new */
    before = sslh_hash(b);
    d.report = report;
    d.report_size = sizeof report;
    CHECK(sslh_load_weights(b, "weights_b.tmp", d) == 0, "names have a prefix");
    CHECK_ERROR(c, "does not fit the net: missing 6: fc1.weight");
    /* a prefix that no name has, a net that no name is of: partial does not mean nothing */
    d.partial = 1;
    CHECK(sslh_load_weights(b, "weights_b.tmp", d) == 0, "no name is of this net");
    CHECK_ERROR(c, "no tensor of weights_b.tmp is of this net: "
                   "the file has 'encoder.bn1.bias' .., the net 'fc1.weight'");
    d.strip_prefix = "module.encoder_q.";
    CHECK(sslh_load_weights(b, "weights_b.tmp", d) == 0, "no name has this prefix");
    CHECK_ERROR(c, "is of this net behind the prefix 'module.encoder_q.': the file has 'encoder.bn1.bias'");
    CHECK(sslh_hash(b) == before, "nothing changed");
    d.partial = 0;
    d.strip_prefix = "encoder.";
    CHECK(sslh_load_weights(b, "weights_b.tmp", d) == 0, "strict");
    CHECK_ERROR(c, "wrong shape or type 2: fc2.weight (file F32 (3,5), net (4,5)), fc2.bias (file F32 (3), net (4))");
    CHECK(strstr(report, "matched 1\n") && strstr(report, "missing 3: fc1.bias, fc3.weight, fc3.bias\n") &&
              strstr(report, "unexpected 5: bn1."),
          "%s", report);
    CHECK(sslh_hash(b) == before, "nothing changed");
    m.widths[2] = 0;
    m.widths[1] = 3;
    b = sslh_mlp(c, m);
    d.partial = 1;
    CHECK(sslh_load_weights(b, "weights_b.tmp", d) == 3, "partial");
    CHECK_OK(c);
    CHECK(sslh_find(b, "fc2.weight")->data[3] == sslh_find(a, "fc2.weight")->data[3], "values");
    b = small_mlp(c);
    d.partial = 0;
    CHECK(sslh_load_weights(b, "weights_b.tmp", d) == 8 && sslh_hash(b) == sslh_hash(a), "all");
    CHECK(sslh_load_weights(b, "weights_none.tmp", d) == 0, "no file");
    CHECK_ERROR(c, "cannot open weights_none.tmp");
    d.optional = 1;
    CHECK(sslh_load_weights(b, "weights_none.tmp", d) == 0, "no file");
    CHECK_OK(c);
    sslh_load_net(c, "weights_b.tmp");
    CHECK_ERROR(c, "names no architecture");
    remove("weights_b.tmp");
    sslh_destroy(c);
}

/* --- hostile files ------------------------------------------------------------------------------------------------ */

/* A header and n bytes of data after it. */
static size_t craft(uint8_t *out, const char *json, size_t n) {
    size_t head = strlen(json), i;
    for (i = 0; i < 8; i++) out[i] = (uint8_t)((uint64_t)head >> (8 * i));
    memcpy(out + 8, json, head);
    memset(out + 8 + head, 0, n);
    return 8 + head + n;
}

static int parses(sslh_ctx *c, const uint8_t *bytes, size_t size) {
    sslh_i_st s;
    uint8_t *exact = (uint8_t *)malloc(size ? size : 1); /* so that a sanitizer sees a byte too far */
    int ok;
    memcpy(exact, bytes, size);
    ok = sslh_i_st_open(&s, c, "test", "crafted", exact, size);
    sslh_i_st_close(&s);
    free(exact);
    return ok;
}

#define TENSOR(name, type, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(type, shape, offsets) "{" TENSOR("x", type, shape, offsets) "}"

static void hostile_headers(void) {
    static const struct { const char *json; size_t data; const char *error; } cases[] = {
        {"{}", 0, NULL},
        {"  {}  \n", 0, NULL},
        {ONE("F32", "[2,3]", "[0,24]"), 24, NULL},
        {ONE("F32", "[]", "[0,4]"), 4, NULL},
        {ONE("F32", "[2,0]", "[0,0]"), 0, NULL},
        {"{\"__metadata__\":{\"format\":\"pt\",\"\\u00e9\\ud83d\\ude00\":\"\\n\"},"
         "\"x\":{\"more\":[1,{\"a\":null}],\"shape\":[1],\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, NULL},
        {"{" TENSOR("b", "U8", "[1]", "[1,2]") "," TENSOR("a", "U8", "[1]", "[0,1]") "}", 2, NULL},
        {"", 0, "does not begin with {"},
        {"{", 0, "string is missing"},
        {"[]", 0, "does not begin with {"},
        {"{}x", 0, "text after the header"},
        {"{}", 1, "bytes after the last tensor"},
        {ONE("F32", "[2,3]", "[0,24]"), 25, "bytes after the last tensor"},
        {ONE("F32", "[2,3]", "[0,24]"), 23, "outside of the file"},
        {ONE("F32", "[2,3]", "[0,20]"), 20, "not that of its shape"},
        {ONE("F32", "[2,3]", "[24,0]"), 24, "outside of the file"},
        {ONE("F32", "[1]", "[4,8]"), 8, "hole or an overlap"},
        {ONE("F4", "[1]", "[0,0]"), 0, "not that of its shape"},
        {ONE("X9", "[1]", "[0,4]"), 4, "unknown dtype"},
        {ONE("F32", "[-1]", "[0,4]"), 4, "non-negative integer"},
        {ONE("F32", "[1.0]", "[0,4]"), 4, "non-negative integer"},
        {ONE("F32", "[1e0]", "[0,4]"), 4, "non-negative integer"},
        {ONE("F32", "[01]", "[0,4]"), 4, "non-negative integer"},
        {ONE("F32", "[1,]", "[0,4]"), 4, "non-negative integer"},
        {ONE("F32", "[99999999999999999999]", "[0,4]"), 4, "too large"},
        {ONE("I32", "[2,18446744073709551614]", "[0,4]"), 4, "overflows"},
        {ONE("I32", "[2,9223372036854775807]", "[0,4]"), 4, "overflows"},
        {ONE("I32", "[0,9223372036854775807,8]", "[0,0]"), 0, "overflows"},
        {ONE("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "too long"},
        {ONE("F32", "[1]", "[0,4,8]"), 4, "too long"},
        {ONE("F32", "[1]", "[4]"), 4, "not two"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "is missing"},
        {"{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "key twice"},
        {"{" TENSOR("x", "U8", "[1]", "[0,1]") "," TENSOR("x", "U8", "[1]", "[1,2]") "}", 2, "the name 'x' twice"},
        {"{" TENSOR("x", "U8", "[1]", "[0,1]") "," TENSOR("y", "U8", "[1]", "[0,1]") "}", 1, "overlap"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "string is missing"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice"},
        {"{\"a\\u0000b\":{}}", 0, "string is broken"},
        {"{\"a\\ud800\":{}}", 0, "string is broken"},
        {"{\"a\\x\":{}}", 0, "string is broken"},
        {"{\"a\nb\":{}}", 0, "string is broken"},
        {"{\"\xff\":{}}", 0, "not UTF-8"},
        {"{\"\xc0\x80\":{}}", 0, "not UTF-8"},
        {"{\"\xed\xa0\x80\":{}}", 0, "not UTF-8"},
        {"{\"x\":{\"a\":[}]}}", 0, "brackets do not match"},
        {"{\"x\":{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, "nested too deeply"}};
    sslh_ctx *c = context();
    uint8_t bytes[1024];
    size_t i, size, held = sslh_query(c).bytes;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int ok;
        size = craft(bytes, cases[i].json, cases[i].data);
        ok = parses(c, bytes, size);
        if (!cases[i].error) CHECK(ok && !sslh_error(c), "case %d %s: %s", (int)i, cases[i].json, sslh_error(c));
        else {
            CHECK(!ok && sslh_error(c) && strstr(sslh_error(c), cases[i].error),
                  "case %d %s: %s", (int)i, cases[i].json, sslh_error(c) ? sslh_error(c) : "accepted");
            CHECK(sslh_error_code(c) == SSLH_E_FORMAT, "code");
        }
        sslh_clear_error(c);
    }
    CHECK(!parses(c, bytes, 0) && !parses((sslh_clear_error(c), c), bytes, 7), "short files");
    sslh_clear_error(c);
    craft(bytes, "{}", 0);
    bytes[7] = 0xff;
    CHECK(!parses(c, bytes, 10), "length beyond the file");
    CHECK_ERROR(c, "header is longer than the file");
    CHECK(sslh_query(c).bytes == held, "everything is given back");
    sslh_destroy(c);
}

/* Which tensor a wrong checksum belongs to is only searched while that is quick: the names times the metadata. */
static void wrong_checksum(void) {
    sslh_ctx *c = context();
    for (int n = 100; n <= 10001; n += 9901) {
        size_t room = (size_t)n * 100 + 100, used = 0, size;
        char *json = (char *)malloc(room);
        uint8_t *bytes = (uint8_t *)malloc(room + 8);
        sslh_i_append(json, room, &used, "{\"__metadata__\":{\"sslh.crc32\":\"00000000\"");
        for (int i = 1; i < n; i++) sslh_i_append(json, room, &used, ",\"k%d\":\"\"", i);
        sslh_i_append(json, room, &used, "}");
        for (int i = 0; i < n; i++)
            sslh_i_append(json, room, &used, ",\"%d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", i);
        sslh_i_append(json, room, &used, "}");
        size = craft(bytes, json, 0);
        CHECK(!parses(c, bytes, size), "%d tensors", n);
        CHECK_ERROR(c, n == 100 ? "the CRC-32 of its header does not match: the file is damaged"
                                : "the CRC-32 of the file does not match: it is damaged");
        free(json);
        free(bytes);
    }
    sslh_destroy(c);
}

/* Sizes in the text of a file that no int has. */
static void absurd_sizes(void) {
    sslh_ctx *c = context();
    sslh_mlp_desc d;
    memset(&d, 0, sizeof d);
    sslh_i_arch_read("mlp in=-1e300 widths=-1e300,1e300,-7,64", sslh_i_mlp_settings, &d);
    CHECK(d.in == 0 && d.widths[0] == INT_MAX && d.widths[1] == INT_MAX && d.widths[2] == -7 && d.widths[3] == 64,
          "%d, %d %d %d %d", d.in, d.widths[0], d.widths[1], d.widths[2], d.widths[3]);
    sslh_i_net_from_arch(c, "mlp in=4 widths=-1e300");
    CHECK_ERROR(c, "sslh_mlp");
    sslh_destroy(c);
}

/* A file cut at every byte, and with every byte changed: an error, never anything else. */
static void damaged_files(void) {
    sslh_ctx *c = context();
    sslh_net *net = small_mlp(c);
    uint8_t *bytes, *copy;
    size_t size, i, head;
    uint64_t hash = sslh_hash(net);
    int64_t mark;
    int accepted = 0, caught = 0;
    sslh_save_net(net, "weights_c.tmp");
    bytes = slurp("weights_c.tmp", &size);
    CHECK(size > 500, "size %d", (int)size);
    for (i = 0; i < size; i++) {
        mark = sslh_mark(c);
        copy = (uint8_t *)malloc(i ? i : 1);
        memcpy(copy, bytes, i);
        sslh_load_net_memory(c, copy, i);
        CHECK(sslh_error_code(c) == SSLH_E_FORMAT, "cut at %d", (int)i);
        sslh_clear_error(c);
        sslh_rewind(c, mark);
        free(copy);
    }
    head = 8 + (size_t)bytes[0] + 256 * (size_t)bytes[1];
    for (i = 0; i < head; i++) {
        static const uint8_t flips[4] = {1, 0x20, 0x80, 0xff};
        int k;
        for (k = 0; k < 4; k++) {
            sslh_net *other;
            mark = sslh_mark(c);
            bytes[i] ^= flips[k];
            other = sslh_load_net_memory(c, bytes, size);
            if (!sslh_error(c)) accepted++, sslh_hash(other);
            sslh_clear_error(c);
            sslh_rewind(c, mark);
            bytes[i] ^= flips[k];
        }
    }
    CHECK(accepted == 0, "%d changes of the header were accepted", accepted);
    for (i = head; i < size; i++) { /* a changed value is found by its checksum */
        mark = sslh_mark(c);
        bytes[i] ^= 4;
        sslh_load_net_memory(c, bytes, size);
        if (sslh_error(c) && strstr(sslh_error(c), "CRC-32")) caught++;
        sslh_clear_error(c);
        sslh_rewind(c, mark);
        bytes[i] ^= 4;
    }
    CHECK(caught == (int)(size - head), "%d of %d caught", caught, (int)(size - head));
    CHECK(sslh_hash(sslh_load_net_memory(c, bytes, size)) == hash, "and the file itself is good");
    CHECK_OK(c);
    free(bytes);
    remove("weights_c.tmp");
    sslh_destroy(c);
}

/* Every allocation of a load fails in turn: nothing is left, and the streams of random numbers stand
   where they stood. */
static void no_memory(void) {
    sslh_desc d;
    sslh_ctx *c = context();
    uint8_t *bytes;
    size_t size;
    long k;
    int worked = 0;
    sslh_save_net(small_mlp(c), "weights_d.tmp");
    sslh_destroy(c);
    bytes = slurp("weights_d.tmp", &size);
    for (k = 2; k < 400 && !worked; k++) {
        test_memory m;
        long live;
        uint64_t stream;
        memset(&m, 0, sizeof m);
        memset(&d, 0, sizeof d);
        d.alloc = test_alloc;
        d.release = test_release;
        d.user = &m;
        d.threads = 1;
        c = sslh_create(d);
        m.fail_at = m.calls + k - 1;
        live = m.live, stream = c->stream;
        sslh_hash(sslh_load_net_memory(c, bytes, size));
        worked = sslh_error(c) == NULL;
        if (!worked) {
            CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "%s", sslh_error(c));
            CHECK(m.live == live && c->stream == stream,
                  "%ld blocks, before %ld; stream %d, before %d", m.live, live, (int)c->stream, (int)stream);
        }
        sslh_destroy(c);
        CHECK(m.live == 0, "%ld blocks left", m.live);
    }
    CHECK(worked && k > 10, "%ld allocations", k);
    free(bytes);
    remove("weights_d.tmp");
}

/* Which bits of a header are tried: all under SSLH_TEST_LONG=1, otherwise some in every region. */
static size_t flip_stride(size_t few) {
    const char *all = getenv("SSLH_TEST_LONG");
    return all && all[0] == '1' ? 1 : test_small() ? 13 * few : few;
}

/* Every bit of a weights file's header: refused, whatever it says then. */
static void flipped_weights(void) {
    sslh_ctx *c = context();
    uint8_t *bytes;
    size_t size, head, bit, held;
    int accepted = 0, tried = 0;
    sslh_save_net(small_mlp(c), "weights_g.tmp");
    bytes = slurp("weights_g.tmp", &size);
    head = 8 + (size_t)bytes[0] + 256 * (size_t)bytes[1];
    sslh_load_net_memory(c, bytes, size);
    CHECK_OK(c);
    held = sslh_query(c).bytes;
    for (bit = 0; bit < 8 * head; bit += flip_stride(3), tried++) {
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1 << bit % 8);
        sslh_load_net_memory(c, bytes, size);
        accepted += sslh_error_code(c) != SSLH_E_FORMAT;
        sslh_clear_error(c);
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    CHECK(accepted == 0 && tried > 100, "%d of %d changes were accepted", accepted, tried);
    CHECK(sslh_query(c).bytes == held, "what was refused was given back");
    free(bytes);
    remove("weights_g.tmp");
    sslh_destroy(c);
}

/* Files of others, which have no checksum, and of version 0.1.0, which had one for each tensor only. */
static void other_files(void) {
    sslh_ctx *c = context();
    sslh_net *net = small_mlp(c);
    sslh_load_desc d;
    uint8_t *bytes;
    size_t size, i;
    uint64_t hash = sslh_hash(net);
    memset(&d, 0, sizeof d);
    sslh_save_net(net, "weights_h.tmp");
    bytes = slurp("weights_h.tmp", &size);
    for (i = 8; i + 10 < size && memcmp(bytes + i, "sslh.crc32", 10) != 0; i++) {}
    memcpy(bytes + i, "some.crc32", 10);
    spill("weights_h.tmp", bytes, size);
    sslh_load_weights(net, "weights_h.tmp", d);
    CHECK_ERROR(c, "weights_h.tmp has no checksum of the whole file: it was written by version 0.1.0 of ssl.h");
    sslh_load_net(c, "weights_h.tmp");
    CHECK_ERROR(c, "version 0.1.0");
    for (i = 8; i + 5 < size; i++) if (!memcmp(bytes + i, "\"sslh.", 6)) memcpy(bytes + i, "\"else.", 6);
    spill("weights_h.tmp", bytes, size);
    CHECK(sslh_load_weights(small_mlp(c), "weights_h.tmp", d) == 8, "no key of ours: a file like any other");
    CHECK_OK(c);
    CHECK(sslh_hash(net) == hash, "nothing has changed");
    free(bytes);
    remove("weights_h.tmp");
    sslh_destroy(c);
}

/* --- all or nothing ----------------------------------------------------------------------------------------------- */

/* Integers that do not fit come behind tensors that do: nothing may have been copied when they are met. */
#define BEHIND_W(type, offsets) "{" TENSOR("w", "F32", "[2]", "[0,8]") "," TENSOR("x", type, "[1]", offsets) "}"
static void beyond_bits(void) {
    static const struct { sslh_type type; const char *json; int byte, value; const char *error; } cases[] = {
        {SSLH_I32, BEHIND_W("I64", "[8,16]"), 12, 1, "beyond 32 bits"},
        {SSLH_U8, BEHIND_W("I32", "[8,12]"), 9, 1, "beyond 8 bits"},
        {SSLH_U8, BEHIND_W("I32", "[8,12]"), 11, 255, "beyond 8 bits"}};
    int i, used, partial;
    for (i = 0; i < 3; i++)
        for (used = 0; used < 2; used++)
            for (partial = 0; partial < 2; partial++) {
                sslh_ctx *c = context();
                sslh_net_desc nd;
                sslh_net *net, *twin;
                sslh_load_desc d;
                uint8_t bytes[400];
                size_t size = craft(bytes, cases[i].json, i ? 12 : 16);
                memset(&nd, 0, sizeof nd), memset(&d, 0, sizeof d);
                d.partial = partial;
                bytes[size - (i ? 12 : 16) + (size_t)cases[i].byte] = (uint8_t)cases[i].value;
                spill("weights_i.tmp", bytes, size);
                net = sslh_net_new(c, nd);
                sslh_param_new(net, "w", sslh_dim1(2), SSLH_INIT_UNIFORM, 0);
                sslh_state_new(net, "x", cases[i].type, sslh_dim1(1));
                if (partial) sslh_param_new(net, "more", sslh_dim1(3), SSLH_INIT_UNIFORM, 0);
                twin = used ? sslh_clone(net) : NULL;
                CHECK(sslh_load_weights(net, "weights_i.tmp", d) == 0, "case %d", i);
                CHECK_ERROR(c, cases[i].error);
                CHECK(net->sealed == used, "memory of a net that nobody has used");
                if (used) CHECK(sslh_hash(net) == sslh_hash(twin), "case %d: something was copied", i);
                CHECK(sslh_param(net, 0)->data[0] != 0, "initial values are drawn, before or after");
                sslh_destroy(c);
            }
    remove("weights_i.tmp");
}

/* Memory runs out while a load lays a net out: its initial values are drawn later, as if nothing had happened. */
static void unsealed_again(void) {
    long k;
    int worked = 0;
    uint64_t fresh = 0;
    for (k = 0; k < 60 && !worked; k++) { /* k = 0: no load at all */
        test_memory m;
        sslh_desc d;
        sslh_ctx *c;
        sslh_net_desc nd;
        sslh_net *box;
        sslh_load_desc ld;
        memset(&m, 0, sizeof m), memset(&d, 0, sizeof d), memset(&nd, 0, sizeof nd), memset(&ld, 0, sizeof ld);
        d.alloc = test_alloc, d.release = test_release, d.user = &m, d.threads = 1;
        c = sslh_create(d);
        box = sslh_net_new(c, nd);
        sslh_child(box, "a", small_mlp(c));
        sslh_child(box, "b", small_mlp(c));
        if (!k) {
            sslh_net *other = sslh_clone(box);
            fresh = sslh_hash(box);
            sslh_find(other, "a.fc1.weight")->data[0] = 5;
            sslh_save_net(other, "weights_j.tmp");
            CHECK_OK(c);
        } else {
            long live = m.live;
            m.fail_at = m.calls + k;
            worked = sslh_load_weights(box, "weights_j.tmp", ld) == 16;
            if (!worked) {
                CHECK(m.live == live, "allocation %ld: %ld blocks, before %ld", k, m.live, live);
                m.fail_at = 0;
                CHECK_ERROR(c, "out of memory");
                CHECK(sslh_hash(box) == fresh, "allocation %ld: other initial values", k);
            }
        }
        sslh_destroy(c);
        CHECK(m.live == 0, "%ld blocks left", m.live);
    }
    CHECK(worked && k > 4, "%ld allocations", k);
    remove("weights_j.tmp");
}

/* --- other number types ------------------------------------------------------------------------------------------- */

static void number_types(void) {
    static const struct { const char *json; size_t n; uint8_t data[24]; } cases[] = {
        {ONE("F32", "[2]", "[0,8]"), 8, {0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0}},
        {ONE("BF16", "[2]", "[0,4]"), 4, {0x80, 0x3f, 0x20, 0xc0}},
        {ONE("F16", "[2]", "[0,4]"), 4, {0x00, 0x3c, 0x00, 0xc1}},
        {ONE("F64", "[2]", "[0,16]"), 16, {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0x04, 0xc0}}};
    sslh_ctx *c = context();
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sslh_net_desc nd;
        sslh_net *net;
        sslh_load_desc d;
        uint8_t bytes[256];
        size_t size = craft(bytes, cases[i].json, cases[i].n);
        FILE *f = fopen("weights_e.tmp", "wb");
        memset(&nd, 0, sizeof nd);
        memset(&d, 0, sizeof d);
        net = sslh_net_new(c, nd);
        sslh_param_new(net, "x", sslh_dim1(2), SSLH_INIT_ZERO, 0);
        memcpy(bytes + size - cases[i].n, cases[i].data, cases[i].n);
        if (f) fwrite(bytes, 1, size, f), fclose(f);
        CHECK(sslh_load_weights(net, "weights_e.tmp", d) == 1, "case %d", (int)i);
        CHECK(sslh_param(net, 0)->data[0] == 1 && sslh_param(net, 0)->data[1] == -2.5f,
              "case %d: %g", (int)i, (double)sslh_param(net, 0)->data[1]);
        CHECK_OK(c);
    }
    remove("weights_e.tmp");
    sslh_destroy(c);
}

/* Every integer type, into numbers and into integers; num_batches_tracked as any type and as an array of one. */
static void integer_types(void) {
    static const struct { const char *type; int bytes; double most; } types[] = {
        {"U64", 8, 3}, {"I64", 8, 3}, {"U32", 4, 3}, {"I32", 4, 3}, {"U16", 2, 3}, {"I16", 2, 3}, {"U8", 1, 3},
        {"I8", 1, 3}, {"BOOL", 1, 1}};
    static const struct { const char *json; int n; uint8_t data[8]; int want; } tracked[] = {
        {"I64\",\"shape\":[]", 8, {7}, 7}, {"I64\",\"shape\":[1]", 8, {7}, 7}, {"I32\",\"shape\":[1,1]", 4, {7}, 7},
        {"U8\",\"shape\":[]", 1, {7}, 7}, {"F32\",\"shape\":[]", 4, {0, 0, 0xe0, 0x40}, 7},
        {"F16\",\"shape\":[1]", 2, {0, 0x47}, 7}, {"BF16\",\"shape\":[]", 2, {0xe0, 0x40}, 7},
        {"F64\",\"shape\":[]", 8, {0, 0, 0, 0, 0, 0, 0x1c, 0x40}, 7}};
    sslh_ctx *c = context();
    sslh_load_desc d;
    sslh_net_desc nd;
    sslh_net *net;
    char json[200];
    uint8_t bytes[300];
    size_t size;
    int i, k;
    memset(&d, 0, sizeof d);
    memset(&nd, 0, sizeof nd);
    for (i = 0; i < (int)(sizeof types / sizeof types[0]); i++)
        for (k = 0; k < 2; k++) { /* a parameter, a state of integers */
            sslh_tensor *x;
            int each = types[i].bytes;
            snprintf(json, sizeof json, "{\"x\":{\"dtype\":\"%s\",\"shape\":[2],\"data_offsets\":[0,%d]}}",
                     types[i].type, 2 * each);
            size = craft(bytes, json, (size_t)(2 * each));
            bytes[size - 2 * (size_t)each] = 1;
            bytes[size - (size_t)each] = (uint8_t)types[i].most;
            if (types[i].type[0] == 'I') memset(bytes + size - each, 255, (size_t)each); /* -1 */
            spill("weights_k.tmp", bytes, size);
            net = sslh_net_new(c, nd);
            if (k) sslh_state_new(net, "x", SSLH_I32, sslh_dim1(2));
            else sslh_param_new(net, "x", sslh_dim1(2), SSLH_INIT_ZERO, 0);
            CHECK(sslh_load_weights(net, "weights_k.tmp", d) == 1, "%s", types[i].type);
            CHECK_OK(c);
            x = sslh_find(net, "x");
            if (k) CHECK(x->ints[0] == 1 && x->ints[1] == (types[i].type[0] == 'I' ? -1 : (int)types[i].most), "%s",
                         types[i].type);
            else CHECK(x->data[0] == 1 && (double)x->data[1] == (types[i].type[0] == 'I' ? -1 : types[i].most), "%s",
                       types[i].type);
        }
    for (i = 0; i < (int)(sizeof tracked / sizeof tracked[0]); i++) {
        snprintf(json, sizeof json, "{\"num_batches_tracked\":{\"dtype\":\"%s,\"data_offsets\":[0,%d]}}",
                 tracked[i].json, tracked[i].n);
        size = craft(bytes, json, (size_t)tracked[i].n);
        memcpy(bytes + size - tracked[i].n, tracked[i].data, (size_t)tracked[i].n);
        spill("weights_k.tmp", bytes, size);
        net = sslh_net_new(c, nd);
        sslh_state_new(net, "num_batches_tracked", SSLH_I32, sslh_dim0());
        CHECK(sslh_load_weights(net, "weights_k.tmp", d) == 1, "%s", tracked[i].json);
        CHECK_OK(c);
        CHECK(sslh_find(net, "num_batches_tracked")->ints[0] == 7, "%s", tracked[i].json);
        if (tracked[i].json[0] == 'F' && tracked[i].n == 4) { /* NaN is no count */
            memset(bytes + size - 4, 255, 4);
            spill("weights_k.tmp", bytes, size);
            CHECK(sslh_load_weights(net, "weights_k.tmp", d) == 0, "NaN");
            CHECK_ERROR(c, "beyond 32 bits");
        }
    }
    remove("weights_k.tmp");
    sslh_destroy(c);
}

/* Archives of NumPy's, whose arrays have the names; files that are no weights say what they are and what to do. */
static void strangers(void) {
    static const struct { const char *bytes; size_t n; const char *text; } files[] = {
        {"\x80\2\x8a\nl\xfc\x9c" "F\xf9 j\xa8P\x19.", 14,
         "weights_l.tmp: byte 0: a pickle of Python, but not one that torch.save wrote"},
        {"\x93NUMPY\1\0v\0{", 11, "one NumPy array; weights have names"},
        {"\x89HDF\r\n\x1a\n\0", 9, "is an HDF5 file"},
        {"{\"__metadata__\":null}", 0, NULL}};
    static const char twice[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                                "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}";
    sslh_ctx *c = context();
    sslh_net_desc nd;
    sslh_net *net;
    sslh_load_desc d;
    uint8_t bytes[300], *pt;
    size_t size;
    int i, k;
    memset(&nd, 0, sizeof nd);
    memset(&d, 0, sizeof d);
    net = sslh_net_new(c, nd);
    sslh_param_new(net, "x", sslh_dim2(2, 3), SSLH_INIT_ZERO, 0);
    sslh_param_new(net, "y", sslh_dim2(2, 3), SSLH_INIT_ZERO, 0);
    sslh_state_new(net, "labels", SSLH_I32, sslh_dim1(3));
    CHECK(sslh_load_weights(net, test_golden("npz_several.npz"), d) == 3, "three arrays");
    CHECK_OK(c);
    CHECK(sslh_find(net, "x")->data[1] == 1 && sslh_find(net, "x")->data[3] == 3, "x: big-endian");
    CHECK(sslh_find(net, "y")->data[1] == 1 && sslh_find(net, "y")->data[3] == 3, "y: halves, first index fastest");
    CHECK(sslh_find(net, "labels")->ints[1] == -1 && sslh_find(net, "labels")->ints[2] == 4, "labels");
    pt = slurp(test_golden("npz_several.npz"), &size);
    for (i = 0; i < (int)size; i++) { /* cut anywhere, it is refused */
        spill("weights_l.tmp", pt, (size_t)i);
        CHECK(sslh_load_weights(net, "weights_l.tmp", d) == 0 && sslh_error(c), "cut to %d bytes", i);
        sslh_clear_error(c);
    }
    for (k = 1; k < 3; k++) {
        static const char names[3][11] = {"labels.npy", "lab\0ls.npy", "a/data.pkl"};
        for (i = 0; i + 10 <= (int)size; i++) if (!memcmp(pt + i, names[k - 1], 10)) memcpy(pt + i, names[k], 10);
        spill("weights_l.tmp", pt, size);
        CHECK(sslh_load_weights(net, "weights_l.tmp", d) == 0, "%s", names[k]);
        CHECK_ERROR(c, k == 1 ? "a name with a zero byte in it" : "'a/data.pkl' is packed, which PyTorch does not do");
    }
    free(pt);
    for (i = 0; i < (int)(sizeof files / sizeof files[0]); i++) {
        size = files[i].n;
        if (size) memcpy(bytes, files[i].bytes, size);
        else size = craft(bytes, files[i].bytes, 0);
        if (!files[i].text) CHECK(parses(c, bytes, size), "%s", files[i].bytes);
        spill("weights_l.tmp", bytes, size);
        sslh_load_weights(net, "weights_l.tmp", d);
        if (files[i].text) CHECK_ERROR(c, files[i].text);
        sslh_clear_error(c);
    }
    CHECK(!parses(c, bytes, craft(bytes, twice, 2)), "a name twice");
    CHECK_ERROR(c, "the name 'a' twice");
    remove("weights_l.tmp");
    sslh_destroy(c);
}

/* A file that PyTorch wrote: names, shapes, and the order of a convolution's axes. */
static void file_from_pytorch(void) {
    const char *path = test_data("weights/burn_mnist.safetensors");
    sslh_ctx *c;
    sslh_net_desc nd;
    sslh_net *net;
    sslh_load_desc d;
    char report[600];
    sslh_i_st s;
    uint8_t *bytes;
    size_t size;
    int conv3, at, o, y, x, i;
    if (!path) {
        NOTE("file_from_pytorch", "weights/burn_mnist.safetensors");
        return;
    }
    c = context();
    memset(&nd, 0, sizeof nd);
    memset(&d, 0, sizeof d);
    net = sslh_net_new(c, nd);
    sslh_layer_conv_new(net, "conv1", 1, 8, 3, 1, 0);
    sslh_layer_conv_new(net, "conv2", 8, 16, 3, 1, 0);
    conv3 = sslh_layer_conv_new(net, "conv3", 16, 24, 3, 1, 0);
    sslh_layer_batch_norm_new(net, "norm1", 24, 0);
    sslh_layer_linear_new(net, "fc1", 11616, 32, 0);
    sslh_layer_linear_new(net, "fc2", 32, 10, 0);
    sslh_layer_batch_norm_new(net, "norm2", 10, 0);
    d.report = report;
    d.report_size = sizeof report;
    CHECK(sslh_load_weights(net, path, d) == 20, "%s", report);
    CHECK_OK(c);
    bytes = slurp(path, &size);
    CHECK(sslh_i_st_open(&s, c, "test", path, bytes, size), "parses");
    at = sslh_i_st_find(&s, "", "conv3.weight");
    for (o = 0; o < 24; o += 5)
        for (y = 0; y < 3; y++)
            for (x = 0; x < 3; x++)
                for (i = 0; i < 16; i += 3) {
                    double v = sslh_i_st_value(SSLH_I_ST_F32,
                                               s.data + s.tensor[at].begin + 4 * (((o * 16 + i) * 3 + y) * 3 + x));
                    CHECK((double)sslh_param(net, conv3)->data[((o * 3 + y) * 3 + x) * 16 + i] == v,
                          "conv3[%d,%d,%d,%d]", o, i, y, x);
                }
    CHECK(sslh_find(net, "norm1.num_batches_tracked")->ints[0] > 0, "counter");
    sslh_i_st_close(&s);
    free(bytes);
    sslh_destroy(c);
}

/* --- files of PyTorch --------------------------------------------------------------------------------------------- */

/* Value number i of tensor number k of tests/golden/make_pt.py. */
static double pt_value(int k, size_t i) { return (double)((int)(7 * i % 31 + (size_t)(5 * k)) % 31 - 9); }
/* The net whose weights the script saves. */
static sslh_net *pt_net(sslh_ctx *c) {
    sslh_net_desc nd;
    sslh_net *net;
    memset(&nd, 0, sizeof nd);
    net = sslh_net_new(c, nd);
    sslh_layer_conv_new(net, "c", 2, 3, 3, 1, 0);
    sslh_layer_batch_norm_new(net, "b", 3, 0);
    sslh_layer_linear_new(net, "f", 4, 5, 0);
    return net;
}
static const char *pt_file(const char *name) {
    static char path[600];
    snprintf(path, sizeof path, "%s", test_golden("../pt/"));
    snprintf(path + strlen(path), sizeof path - strlen(path), "%s", name);
    return path;
}
static void pt_filled(sslh_net *net, const char *file) {
    static const char *const names[] = {"c.weight", "c.bias", "b.weight", "b.bias", "b.running_mean", "b.running_var",
                                        "f.weight", "f.bias"};
    int k;
    size_t i;
    for (k = 0; k < 8; k++) {
        const sslh_tensor *t = sslh_find(net, names[k]);
        for (i = 0; i < t->count; i++) { /* a convolution is (O,I,Kh,Kw) in the file */
            const size_t at = k ? i : i / 18 * 18 + i % 9 * 2 + i / 9 % 2;
            CHECK((double)t->data[at] == pt_value(k, i), "%s: %s[%d]", file, names[k], (int)i);
        }
    }
    CHECK(sslh_find(net, "b.num_batches_tracked")->ints[0] == 8, "%s: counter", file);
}

/* Archives and the old format, protocols 2 and 4, state dictionaries alone and in the file of a run. */
static void reads_pytorch(void) {
    static const char *const files[] = {"plain.pt", "old.pt", "protocol4.pt", "run.pt"};
    sslh_ctx *c = context();
    sslh_net_desc nd;
    sslh_net *net, *teacher;
    sslh_load_desc d;
    int i;
    memset(&d, 0, sizeof d);
    for (i = 0; i < 4; i++) {
        net = pt_net(c);
        d.partial = i == 3; /* the teacher is not in the net */
        CHECK(sslh_load_weights(net, pt_file(files[i]), d) == 9, "%s: nine tensors", files[i]);
        CHECK_OK(c);
        pt_filled(net, files[i]);
    }
    { /* tensors by the name that they had until 2018 */
        static const char name[] = "_rebuild_tensor_v2";
        const size_t n = sizeof name - 1;
        size_t size, at;
        uint8_t *bytes = slurp(pt_file("old.pt"), &size);
        for (at = 0; at + n < size && memcmp(bytes + at, name, n) != 0;) at++;
        memmove(bytes + at + n - 3, bytes + at + n, size - at - n);
        spill("weights_pt.tmp", bytes, size - 3);
        free(bytes);
        net = pt_net(c);
        d.partial = 0;
        CHECK(sslh_load_weights(net, "weights_pt.tmp", d) == 9, "nine tensors of an old file");
        CHECK_OK(c);
        pt_filled(net, "an old file");
        remove("weights_pt.tmp");
        d.partial = 1;
    }
    memset(&nd, 0, sizeof nd);
    teacher = sslh_net_new(c, nd);
    sslh_param_new(teacher, "w", sslh_dim2(2, 3), SSLH_INIT_ZERO, 0);
    d.strip_prefix = "teacher.";
    CHECK(sslh_load_weights(teacher, pt_file("run.pt"), d) == 1 &&
          (double)sslh_find(teacher, "w")->data[5] == pt_value(1, 5), "another dictionary's weights");
    CHECK_OK(c);
    sslh_load_weights(pt_net(c), pt_file("trap.pt"), d);
    CHECK_ERROR(c, "which weights do not need; save them alone: torch.save(model.state_dict(), FILE)");
    sslh_load_npy(c, pt_file("plain.pt"));
    CHECK_ERROR(c, "a file of PyTorch, which holds weights: sslh_load_weights reads it into a net");
    sslh_destroy(c);
}

/* Strides, offsets and shared storages give the values that Python shows; every type is converted. */
static void pytorch_views(void) {
    static const char *const types[] = {"float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64",
                                        "uint8", "bool"};
    sslh_ctx *c = context();
    sslh_net_desc nd;
    sslh_net *net;
    sslh_load_desc d;
    int i, k;
    memset(&nd, 0, sizeof nd);
    memset(&d, 0, sizeof d);
    net = sslh_net_new(c, nd);
    sslh_param_new(net, "transposed", sslh_dim2(4, 6), SSLH_INIT_ZERO, 0);
    sslh_param_new(net, "rows", sslh_dim2(2, 4), SSLH_INIT_ZERO, 0);
    sslh_param_new(net, "every_other", sslh_dim2(3, 2), SSLH_INIT_ZERO, 0);
    sslh_param_new(net, "again", sslh_dim2(6, 4), SSLH_INIT_ZERO, 0);
    sslh_param_new(net, "repeated", sslh_dim2(3, 4), SSLH_INIT_ZERO, 0);
    sslh_param_new(net, "scalar", sslh_dim0(), SSLH_INIT_ZERO, 0);
    sslh_param_new(net, "parameter", sslh_dim2(2, 2), SSLH_INIT_ZERO, 0);
    sslh_param_new(net, "tied.deep.er", sslh_dim2(6, 4), SSLH_INIT_ZERO, 0);
    d.partial = 1; /* the empty tensor */
    CHECK(sslh_load_weights(net, pt_file("views.pt"), d) == 8, "eight views");
    CHECK_OK(c);
    for (i = 0; i < 24; i++) {
        CHECK((double)sslh_find(net, "transposed")->data[i] == pt_value(0, (size_t)(i % 6 * 4 + i / 6)), "t %d", i);
        CHECK((double)sslh_find(net, "again")->data[i] == pt_value(0, (size_t)i), "again %d", i);
        CHECK((double)sslh_find(net, "tied.deep.er")->data[i] == pt_value(0, (size_t)i), "tied %d", i);
        if (i < 8) CHECK((double)sslh_find(net, "rows")->data[i] == pt_value(0, (size_t)i + 8), "rows %d", i);
        if (i < 6)
            CHECK((double)sslh_find(net, "every_other")->data[i] == pt_value(0, (size_t)(i / 2 * 8 + i % 2 * 2 + 1)),
                  "every_other %d", i);
        if (i < 12) CHECK((double)sslh_find(net, "repeated")->data[i] == pt_value(1, (size_t)i / 4), "repeated %d", i);
        if (i < 4) CHECK((double)sslh_find(net, "parameter")->data[i] == pt_value(2, (size_t)i), "parameter %d", i);
    }
    CHECK((double)sslh_find(net, "scalar")->data[0] == pt_value(0, 5), "scalar");
    net = sslh_net_new(c, nd);
    for (k = 0; k < 10; k++) sslh_param_new(net, types[k], sslh_dim2(2, 3), SSLH_INIT_ZERO, 0);
    d.partial = 0;
    CHECK(sslh_load_weights(net, pt_file("types.pt"), d) == 10, "ten types");
    CHECK_OK(c);
    for (k = 0; k < 10; k++)
        for (i = 0; i < 6; i++) {
            const double v = pt_value(3, (size_t)i);
            CHECK((double)sslh_find(net, types[k])->data[i] == (k < 8 ? v : k == 8 ? fabs(v) : v > 0), "%s %d",
                  types[k], i);
        }
    sslh_destroy(c);
}

/* A pickle between the frame of an archive and a net that nothing may change. */
static void hostile_pickles(void) {
    static const struct { const char *bytes; size_t n; const char *text; } pickles[] = {
        {"\x80\2.", 3, "takes a value from an empty stack"},
        {"\x80\2", 2, "the pickle ends early"},
        {"\x80\2}", 3, "the pickle ends early"},
        {"N.", 2, "holds no dictionary of weights"},
        {"cos\nsystem\n(X\4\0\0\0echotR.", 23, "the file asks for os.system, which weights do not need"},
        {"cbuiltins\neval\n.", 16, "the file asks for builtins.eval"},
        {"X\2\0\0\0osX\6\0\0\0system\x93.", 20, "the file asks for os.system"},
        {"Vtext\n.", 7, "the instruction 0x56 of the pickle is none that files of weights have"},
        {"}(K\1u.", 6, "a key without a value"},
        {"(K\1K\2s.", 8, "fills a list or dictionary that is not there"},
        {"K\1K\2K\3s.", 8, "fills what is no list or dictionary"},
        {"tN.", 3, "has no mark on its stack"},
        {"K\1\x87.", 4, "takes a value from an empty stack"},
        {"Nr\377\377\377\377.", 7, "memo is longer than the pickle"},
        {"Nh\0.", 4, "recalls what it did not remember"},
        {"X\377\377\377\377.", 6, "the pickle ends early"},
        {"NQ.", 3, "a storage is no tuple of five values"},
        {"ctorch\nFloatStorage\n)R.", 23, "calls a storage"},
        {"K\1)R.", 5, "calls what is no class"},
        {"}X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n)Rs.", 44, "'a' is no tensor with sizes and strides"},
        {"}X\1\0\0\0actorch.nn.parameter\nParameter\nctorch._utils\n_rebuild_tensor\n)R\x85R(\x88\x89Ntbs.", 79,
         "'a' is no tensor with sizes and strides"},
        {"}q\0X\1\0\0\0ah\0s.", 13, NULL}, /* a dictionary inside itself: no tensors */
        {"\x80\2}.", 4, NULL}};
    sslh_ctx *c = context();
    sslh_i_source s;
    size_t i;
    for (i = 0; i < sizeof pickles / sizeof pickles[0]; i++) {
        sslh_i_st st;
        sslh_i_pt pt;
        int ok;
        memset(&st, 0, sizeof st);
        memset(&pt, 0, sizeof pt);
        st.c = c;
        st.fn = st.file = "test";
        st.start = st.at = "";
        s = sslh_i_source_of(c, "test", "file", pickles[i].bytes, pickles[i].n);
        pt.st = &st;
        pt.file = s;
        pt.root = sslh_i_pickle_run(&pt.object, &s, 0);
        ok = pt.root >= 0 && sslh_i_pt_list(&pt);
        CHECK(ok == (pickles[i].text == NULL), "pickle %d: %s", (int)i, sslh_error(c) ? sslh_error(c) : "no error");
        if (pickles[i].text) CHECK_ERROR(c, pickles[i].text);
        sslh_i_pickle_close(&pt.object);
        sslh_i_st_close(&st);
    }
    sslh_destroy(c);
}

/* What this machine cannot hold is an error when a graph is written, and not left out. */
static void too_large_a_graph(void) {
    sslh_ctx *c = context();
    sslh_i_bytes b;
    memset(&b, 0, sizeof b);
    b.c = c;
    sslh_i_bytes_add(&b, "", (size_t)-1 / 2);
    CHECK_ERROR(c, "sslh_export_onnx: the net is too large for the memory of this machine");
    sslh_destroy(c);
}

/* Cut anywhere, or with a byte changed in what is read, a file is refused and the net stays as it was. */
static void damaged_pytorch(void) {
    static const char *const files[] = {"plain.pt", "old.pt"};
    sslh_ctx *c = context();
    sslh_net *net = pt_net(c);
    sslh_load_desc d;
    uint64_t before;
    int k, refused = 0;
    size_t i;
    memset(&d, 0, sizeof d);
    sslh_load_weights(net, pt_file("plain.pt"), d);
    before = sslh_hash(net);
    for (k = 0; k < 2; k++) {
        size_t size;
        uint8_t *bytes = slurp(pt_file(files[k]), &size);
        for (i = 0; i < size; i += test_small() ? 7 : 1) {
            sslh_i_st s;
            uint8_t *part = (uint8_t *)malloc(i + 1);
            memcpy(part, bytes, i);
            CHECK(!sslh_i_st_open(&s, c, "test", "cut", part, i), "%s cut to %d bytes", files[k], (int)i);
            CHECK(sslh_error(c), "%s cut to %d bytes: no error", files[k], (int)i);
            sslh_i_st_close(&s);
            free(part);
            sslh_clear_error(c);
        }
        for (i = 0; i < size; i += test_small() ? 13 : 3) {
            bytes[i] ^= 0x15;
            spill("weights_pt.tmp", bytes, size);
            sslh_load_weights(net, "weights_pt.tmp", d);
            if (sslh_error(c)) {
                refused++;
                sslh_clear_error(c);
                CHECK(sslh_hash(net) == before, "%s: with byte %d changed a part was read", files[k], (int)i);
            } else sslh_load_weights(net, pt_file("plain.pt"), d);
            bytes[i] ^= 0x15;
        }
        free(bytes);
    }
    CHECK(refused > 100, "%d changed files refused", refused);
    remove("weights_pt.tmp");
    sslh_destroy(c);
}

/* A real file of PyTorch 2; the numbers are those that Python shows. */
static void real_pytorch(void) {
    const char *path = test_data("weights/burn_mnist.pt");
    sslh_ctx *c;
    sslh_net *net;
    sslh_load_desc d;
    sslh_net_desc nd;
    if (!path) {
        NOTE("real_pytorch", "weights/burn_mnist.pt");
        return;
    }
    c = context();
    memset(&nd, 0, sizeof nd);
    memset(&d, 0, sizeof d);
    net = sslh_net_new(c, nd);
    sslh_layer_conv_new(net, "conv1", 1, 8, 3, 1, 0);
    sslh_layer_conv_new(net, "conv2", 8, 16, 3, 1, 0);
    sslh_layer_conv_new(net, "conv3", 16, 24, 3, 1, 0);
    sslh_layer_batch_norm_new(net, "norm1", 24, 0);
    sslh_layer_linear_new(net, "fc1", 11616, 32, 0);
    sslh_layer_linear_new(net, "fc2", 32, 10, 0);
    sslh_layer_batch_norm_new(net, "norm2", 10, 0);
    CHECK(sslh_load_weights(net, path, d) == 20, "twenty tensors");
    CHECK_OK(c);
    CHECK_NEAR(sslh_find(net, "conv1.weight")->data[0], 0.16227688, 1e-8);
    CHECK_NEAR(sslh_find(net, "conv1.weight")->data[3], 0.18840016, 1e-8);
    CHECK_NEAR(sslh_find(net, "fc1.weight")->data[1], -0.01161496, 1e-8);
    CHECK_NEAR(sslh_find(net, "norm1.weight")->data[0], 0.88824326, 1e-8);
    sslh_destroy(c);
}

/* NumPy's archives: what is written is read, and two saves are the same bytes. */
static void writes_npz(void) {
    sslh_ctx *c = context();
    sslh_net *net = small_resnet(c), *back;
    sslh_load_desc d;
    const char *path = test_temporary("net.npz"), *again = test_temporary("again.npz");
    uint8_t *p, *q;
    size_t n, m;
    memset(&d, 0, sizeof d);
    sslh_find(net, "bn1.num_batches_tracked")->ints[0] = 5;
    sslh_save_npz(net, path);
    sslh_save_npz(net, again);
    CHECK_OK(c);
    p = slurp(path, &n);
    q = slurp(again, &m);
    CHECK(n == m && !memcmp(p, q, n), "two saves differ");
    free(p);
    free(q);
    back = small_resnet(c);
    CHECK(sslh_hash(back) != sslh_hash(net), "equal before");
    CHECK(sslh_load_weights(back, path, d) == sslh_count_tensors(net), "all tensors");
    CHECK_OK(c);
    CHECK(sslh_hash(back) == sslh_hash(net), "what was written does not come back");
    {
        char part[600];
        sslh_tensor *w;
        snprintf(part, sizeof part, "%s:layer1.0.conv1.weight", path);
        w = sslh_load_npy(c, part);
        CHECK(w->ndim == 4 && w->shape[1] == 4 && w->shape[2] == 3, "an array by its name, (O,I,Kh,Kw)");
        CHECK_OK(c);
    }
    (void)test_remove(path);
    (void)test_remove(again);
    sslh_save_npz(net, "nowhere/net.npz");
    CHECK_ERROR(c, "sslh_save_npz");
    sslh_destroy(c);
}

/* --- checkpoints -------------------------------------------------------------------------------------------------- */

/* A step with gradients that depend on the parameters and on the random stream. */
static void fake_step(sslh_ctx *c, sslh_net *net, sslh_optimizer *o, int64_t step) {
    int i, n = sslh_count_tensors(net), is_param;
    for (i = 0; i < n; i++) {
        sslh_tensor *t = sslh_tensor_at(net, i, NULL, 0, &is_param);
        uint64_t stream = sslh_next_stream(c);
        size_t j;
        for (j = 0; j < t->count; j++) {
            float r = sslh_random_normal(sslh_query(c).seed, stream, j);
            if (is_param) t->grad[j] = t->data[j] * (sslh_real)0.1f + (sslh_real)r;
            else if (t->data) t->data[j] = (sslh_real)r;
            else t->ints[j]++;
        }
    }
    sslh_optimizer_step(o, sslh_cosine(step, 20, 3, 0.1f));
}

static void resumes(void) {
    static const sslh_optim_kind kinds[3] = {SSLH_SGD, SSLH_ADAMW, SSLH_LARS};
    int k;
    for (k = 0; k < 3; k++) {
        uint64_t straight = 0;
        int run;
        for (run = 0; run < 2; run++) { /* 12 steps; 5, a new context, and 7 */
            sslh_ctx *c = context();
            sslh_optimizer_desc od;
            sslh_method m;
            sslh_net_desc nd;
            sslh_optimizer *o;
            int64_t step;
            memset(&od, 0, sizeof od);
            memset(&m, 0, sizeof m);
            memset(&nd, 0, sizeof nd);
            od.kind = kinds[k];
            od.weight_decay = 0.01f;
            m.name = "test";
            m.ctx = c;
            m.net = sslh_net_new(c, nd);
            sslh_child(m.net, "encoder", small_resnet(c));
            sslh_child(m.net, "head", small_mlp(c));
            o = sslh_optimizer_new(c, od);
            sslh_optimizer_add(o, m.net);
            for (step = 0; step < (run ? 5 : 12); step++) fake_step(c, m.net, o, step);
            if (run) {
                sslh_desc cd;
                sslh_save_checkpoint(&m, o, step, "weights_f.tmp");
                CHECK_OK(c);
                sslh_destroy(c);
                memset(&cd, 0, sizeof cd);
                cd.seed = 999; /* restored from the file */
                c = sslh_create(cd);
                m.net = sslh_net_new(c, nd);
                m.ctx = c;
                sslh_child(m.net, "encoder", small_resnet(c));
                sslh_child(m.net, "head", small_mlp(c));
                o = sslh_optimizer_new(c, od);
                sslh_optimizer_add(o, m.net);
                CHECK(sslh_load_checkpoint(&m, o, "weights_none.tmp") == -1 && !sslh_error(c), "no file yet");
                step = sslh_load_checkpoint(&m, o, "weights_f.tmp");
                CHECK(step == 5, "step %d", (int)step);
                for (; step < 12; step++) fake_step(c, m.net, o, step);
                CHECK(sslh_hash(m.net) == straight, "optimiser %d: the continued run has the same bits", k);
                od.kind = SSLH_ADAM;
                CHECK(sslh_load_checkpoint(&m, sslh_optimizer_new(c, od), "weights_f.tmp") == -1, "another optimiser");
                CHECK_ERROR(c, "another optimiser");
                m.name = "other";
                CHECK(sslh_load_checkpoint(&m, o, "weights_f.tmp") == -1, "another method");
                CHECK_ERROR(c, "a checkpoint of the method 'test'");
            } else straight = sslh_hash(m.net);
            CHECK_OK(c);
            sslh_destroy(c);
        }
    }
    remove("weights_f.tmp");
}

/* A method with a net, an optimiser that has made some steps, and their checkpoint in path. */
typedef struct kept { sslh_ctx *c; sslh_method m; sslh_optimizer *o; } kept;
static kept make_kept(test_memory *memory, sslh_optim_kind kind, int steps) {
    kept k;
    sslh_desc d;
    sslh_optimizer_desc od;
    sslh_net_desc nd;
    sslh_tensor *y;
    int i;
    memset(&d, 0, sizeof d), memset(&od, 0, sizeof od), memset(&nd, 0, sizeof nd), memset(&k.m, 0, sizeof k.m);
    d.seed = 11, d.threads = 1;
    if (memory) d.alloc = test_alloc, d.release = test_release, d.user = memory;
    k.c = sslh_create(d);
    k.m.name = "test", k.m.ctx = k.c;
    k.m.net = sslh_net_new(k.c, nd);
    sslh_child(k.m.net, "encoder", small_mlp(k.c));
    od.kind = kind;
    k.o = sslh_optimizer_new(k.c, od);
    sslh_optimizer_add(k.o, k.m.net);
    sslh_zero_grad(k.m.net);
    for (i = 0; i < steps; i++) {
        sslh_begin_step(k.c);
        y = sslh_forward(sslh_child_at(k.m.net, 0), sslh_normal(k.c, sslh_dim2(4, 6), 0, 1));
        sslh_backward(k.c, sslh_mean(k.c, sslh_square(k.c, y), SSLH_ALL, 0));
        if (i + 1 < steps) sslh_optimizer_step(k.o, 0.1f); /* the last gradients wait */
    }
    CHECK_OK(k.c);
    return k;
}
/* All that a checkpoint of it would hold. */
static uint64_t state_of(kept *k) {
    uint8_t *bytes;
    size_t size;
    uint64_t h;
    sslh_save_checkpoint(&k->m, k->o, 7, "weights_state.tmp");
    CHECK_OK(k->c);
    bytes = slurp("weights_state.tmp", &size);
    h = test_hash(bytes, size, 0);
    free(bytes);
    remove("weights_state.tmp");
    return h;
}

/* The digits of a counter in a checkpoint's header, or NULL. */
static uint8_t *digits_of(uint8_t *bytes, size_t size, const char *key) {
    char text[64];
    size_t i, n = (size_t)snprintf(text, sizeof text, "\"%s\":\"", key);
    for (i = 8; i + n < size; i++) if (!memcmp(bytes + i, text, n)) return bytes + i + n;
    CHECK(0, "no %s in the file", key);
    return NULL;
}
/* Makes the checksum right again. */
static void sign(uint8_t *bytes, size_t size) {
    uint8_t *at = digits_of(bytes, size, SSLH_I_ST_CRC);
    char crc[12];
    if (!at) return;
    sslh_i_st_whole_crc(crc, bytes, size, (size_t)(at - bytes));
    memcpy(at, crc, 8);
}

/* Every bit of a checkpoint's header, and damaged or lying files whose checksum is right: refused, and net, optimiser,
   waiting gradients and random stream are as before. */
static void refused_checkpoints(void) {
    static const struct { const char *key, *digits, *error; } lies[] = {
        {"sslh.step", "8000000000000000", "a counter is out of range"},
        {"sslh.steps", "ffffffffffffffff", "a counter is out of range"},
        {"sslh.optimizer.steps", "8000000000000000", "a counter is out of range"},
        {"sslh.optimizer.power1", "7ff8000000000000", "a counter is out of range"}, /* NaN */
        {"sslh.optimizer.power2", "3ff0000000000001", "a counter is out of range"}, /* above 1 */
        {"sslh.optimizer.peak", "7ff0000000000000", "a counter is out of range"},   /* Inf */
        {"sslh.seed", "00000000000000g1", "is not a checkpoint"},
        {"sslh.optimizer", "0000000000000001", "written with another optimiser"},
        {"sslh.method", "rest", "a checkpoint of the method 'rest', not of 'test'"},
        {"sslh.kind", "checkpoint 9",
         "was written by version 0.2.0 of ssl.h, whose checkpoints version 0.2.0 does not read"},
        {"sslh.kind", "checkpaint", "is not a checkpoint"},
        {"sslh.config", "encoder=nine", "was written with encoder=nine, this run has none"}};
    kept k = make_kept(NULL, SSLH_ADAM, 3), other;
    uint8_t *bytes, *copy;
    size_t size, head, bit, held;
    uint64_t before;
    int i, accepted = 0, tried = 0, kind;
    sslh_save_checkpoint(&k.m, k.o, 3, "weights_k.tmp");
    CHECK_OK(k.c);
    bytes = slurp("weights_k.tmp", &size);
    copy = (uint8_t *)malloc(size);
    head = 8 + (size_t)bytes[0] + 256 * (size_t)bytes[1];
    for (kind = 0; kind < 2; kind++) { /* into one that has made other steps, and into a new one */
        other = make_kept(NULL, SSLH_ADAM, kind ? 0 : 2);
        before = state_of(&other);
        held = sslh_query(other.c).bytes;
        for (bit = 0; bit < 8 * head; bit += flip_stride(61), tried++) {
            poke("weights_k.tmp", bit / 8, bytes[bit / 8] ^ 1 << bit % 8);
            accepted += sslh_load_checkpoint(&other.m, other.o, "weights_k.tmp") != -1 ||
                        sslh_error_code(other.c) != SSLH_E_FORMAT;
            sslh_clear_error(other.c);
            poke("weights_k.tmp", bit / 8, bytes[bit / 8]);
        }
        CHECK(accepted == 0, "%d of %d changes were accepted", accepted, tried);
        for (i = 0; i < (int)(sizeof lies / sizeof lies[0]); i++) {
            uint8_t *at;
            memcpy(copy, bytes, size);
            at = digits_of(copy, size, lies[i].key);
            if (at) memcpy(at, lies[i].digits, strlen(lies[i].digits));
            sign(copy, size);
            spill("weights_k.tmp", copy, size);
            CHECK(sslh_load_checkpoint(&other.m, other.o, "weights_k.tmp") == -1, "case %d", i);
            CHECK_ERROR(other.c, lies[i].error);
        }
        { /* a tensor behind many that fit: the last in the file is a 64-bit number of batches */
            uint8_t *at;
            memcpy(copy, bytes, size);
            for (at = copy + head; at + 8 <= copy + size && at[0] != 3; at += 8) {}
            at[5] = 1;
            sign(copy, size);
            spill("weights_k.tmp", copy, size);
            CHECK(sslh_load_checkpoint(&other.m, other.o, "weights_k.tmp") == -1, "beyond 32 bits");
            CHECK_ERROR(other.c, "beyond 32 bits");
        }
        CHECK(sslh_query(other.c).bytes == held,
              "%.0f bytes, before %.0f", (double)sslh_query(other.c).bytes, (double)held);
        CHECK(state_of(&other) == before, "something has changed");
        spill("weights_k.tmp", bytes, size);
        CHECK(sslh_load_checkpoint(&other.m, other.o, "weights_k.tmp") == 3, "the file itself is good");
        CHECK(state_of(&other) == state_of(&k), "and all of it comes back, gradients that wait too");
        CHECK_OK(other.c);
        sslh_destroy(other.c);
    }
    { /* of a net that waits for nothing no gradients are kept, and its own go */
        other = make_kept(NULL, SSLH_ADAM, 2);
        sslh_optimizer_step(other.o, 0.1f);
        sslh_save_checkpoint(&other.m, other.o, 2, "weights_k.tmp");
        CHECK(sslh_load_checkpoint(&k.m, k.o, "weights_k.tmp") == 2 && state_of(&k) == state_of(&other), "gradients");
        sslh_destroy(other.c);
    }
    sslh_save_checkpoint(&k.m, k.o, -1, "weights_k.tmp");
    CHECK_ERROR(k.c, "sslh_save_checkpoint: step -1");
    free(bytes);
    free(copy);
    remove("weights_k.tmp");
    sslh_destroy(k.c);
}

/* Every allocation of a checkpoint's load fails in turn. */
static void checkpoint_memory(void) {
    kept k = make_kept(NULL, SSLH_ADAM, 3);
    long n;
    int worked = 0, steps;
    sslh_save_checkpoint(&k.m, k.o, 3, "weights_l.tmp");
    for (steps = 0; steps < 3; steps += 2) {
        for (n = 1, worked = 0; n < 60 && !worked; n++) {
            test_memory m;
            kept other;
            uint64_t before;
            memset(&m, 0, sizeof m);
            other = make_kept(&m, SSLH_ADAM, steps);
            before = sslh_hash(other.m.net);
            m.fail_at = m.calls + n;
            worked = sslh_load_checkpoint(&other.m, other.o, "weights_l.tmp") == 3;
            if (!worked) {
                CHECK(sslh_error_code(other.c) == SSLH_E_MEMORY, "allocation %ld", n);
                sslh_clear_error(other.c);
                m.fail_at = 0;
                CHECK(sslh_hash(other.m.net) == before && other.o->steps[0] == (steps ? 1 : 0),
                      "allocation %ld: something has changed", n);
                CHECK(sslh_load_checkpoint(&other.m, other.o, "weights_l.tmp") == 3 && state_of(&other) == state_of(&k),
                      "allocation %ld: and again", n);
            }
            sslh_destroy(other.c);
            CHECK(m.live == 0, "%ld blocks left", m.live);
        }
        CHECK(worked && n > 4, "%ld allocations", n);
    }
    remove("weights_l.tmp");
    sslh_destroy(k.c);
}

/* Files of sslh_train that lie about the run, with a right checksum; and those of a loop of the caller's. */
static sslh_tensor *pull_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    (void)v, (void)phase;
    sslh_tensor *y = sslh_forward(sslh_child_at(m->net, 0), sslh_full(m->ctx, sslh_dim2(2, 6), 1));
    return sslh_mean(m->ctx, sslh_square(m->ctx, y), SSLH_ALL, 0);
}
static void pull_views(sslh_method *m, const sslh_batch *b, sslh_view_set *out) { (void)m, (void)b, (void)out; }
static void refused_runs(void) {
    static const struct { const char *key, *digits, *error; } lies[] = {
        {"sslh.step", "0000000000000006",
         "the counters contradict each other: step 6 of 4 epochs of 4 steps, 1 of them done and 3 steps of the next"},
        {"sslh.step", "000000000000000b", "contradict"}, {"sslh.step", "4000000000000007", "contradict"},
        {"sslh.step", "0000000000000000", "contradict"},
        {"sslh.optimizer.steps", "0000000000000008", "contradict"},
        {"sslh.meter", "00000000000000x0", "has no meters"}, {"sslh.losses", "40x", "has no meters"}};
    static uint8_t pixels[32 * 16];
    uint8_t *bytes = NULL, *copy = NULL;
    size_t size = 0;
    int i, n = (int)(sizeof lies / sizeof lies[0]);
    for (i = -3; i < n; i++) { /* -3: writes the file; -2: it is good; -1: of a loop of the caller's */
        kept k = make_kept(NULL, SSLH_ADAM, 0);
        sslh_train_desc d;
        sslh_data data = sslh_data_from_images(k.c, pixels, 32, 4, 4, 1, NULL);
        uint64_t before;
        memset(&d, 0, sizeof d);
        d.epochs = 4, d.batch = 8, d.quiet = 1, d.optimizer.kind = SSLH_ADAM, d.checkpoint = "weights_m.tmp";
        d.max_steps = i == -3 ? 7 : 0, d.resume = i > -3;
        k.m.loss = pull_loss, k.m.views = pull_views;
        if (i >= 0) {
            uint8_t *at;
            memcpy(copy, bytes, size);
            at = digits_of(copy, size, lies[i].key);
            if (at) memcpy(at, lies[i].digits, strlen(lies[i].digits));
            sign(copy, size);
            spill("weights_m.tmp", copy, size);
        } else if (i == -1) sslh_save_checkpoint(&k.m, k.o, 1, "weights_m.tmp");
        before = sslh_hash(k.m.net);
        sslh_train(k.c, k.m, data, d);
        if (i == -3) {
            CHECK_OK(k.c);
            bytes = slurp("weights_m.tmp", &size);
            copy = (uint8_t *)malloc(size);
        } else if (i == -2) CHECK_OK(k.c);
        else {
            CHECK_ERROR(k.c, i == -1 ? "does not contain samples: it was not written by a run of this kind"
                                     : lies[i].error);
            CHECK(sslh_hash(k.m.net) == before && sslh_is_training(k.m.net), "case %d: something has changed", i);
        }
        if (i == -2) { /* the other way round: a loop of the caller's may go on from a file of sslh_train */
            sslh_optimizer_desc od;
            memset(&od, 0, sizeof od);
            od.kind = SSLH_ADAM;
            k.o = sslh_optimizer_new(k.c, od);
            sslh_optimizer_add(k.o, k.m.net);
            CHECK(sslh_load_checkpoint(&k.m, k.o, "weights_m.tmp") == 16 && k.o->steps[0] == 16, "step");
            CHECK_OK(k.c);
        }
        sslh_destroy(k.c);
    }
    free(bytes);
    free(copy);
    remove("weights_m.tmp");
}

/* A run whose checkpoints could not be read back is refused before its first step. */
static void unreadable_runs(void) {
    static uint8_t pixels[32 * 16];
    int i;
    for (i = 0; i < 2; i++) {
        kept k = make_kept(NULL, SSLH_ADAM, 0);
        sslh_train_desc d;
        uint64_t before;
        memset(&d, 0, sizeof d);
        d.epochs = 1, d.batch = 8, d.quiet = 1, d.checkpoint = "weights_m.tmp";
        k.m.loss = pull_loss, k.m.views = pull_views;
        if (i) sslh_child(k.m.net, "\xff", small_mlp(k.c));
        else k.m.name = "te\xffst";
        before = sslh_hash(k.m.net);
        sslh_train(k.c, k.m, sslh_data_from_images(k.c, pixels, 32, 4, 4, 1, NULL), d);
        CHECK_ERROR(k.c, i ? "sslh_train: .checkpoint: the name 'optim.g.?.bn1.bias' is not UTF-8"
                           : "sslh_train: .checkpoint: 'sslh.method' has text that is not UTF-8");
        CHECK(sslh_hash(k.m.net) == before, "a step was made");
        sslh_save_checkpoint(&k.m, k.o, 1, "weights_m.tmp");
        CHECK_ERROR(k.c, i ? "sslh_save_checkpoint: the name 'model.?.bn1.bias' is not UTF-8"
                           : "sslh_save_checkpoint: 'sslh.method' has text that is not UTF-8");
        CHECK(sslh_i_kind_at("weights_m.tmp") == SSLH_I_PATH_NONE, "a file was written");
        sslh_destroy(k.c);
    }
}

/* --- embed -------------------------------------------------------------------------------------------------------- */

static void embedding(void) {
    sslh_ctx *c = context();
    sslh_net *net = small_resnet(c);
    static uint8_t pixels[70 * 20 * 24 * 3];
    static float all[70 * 32], one[32], again[70 * 32];
    sslh_preprocess p;
    size_t i;
    int64_t allocs;
    double sum = 0;
    for (i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)sslh_random_u32(1, 2, i);
    memset(&p, 0, sizeof p);
    p.height = p.width = 16;
    p.channels = 3;
    p.mean[0] = p.mean[1] = p.mean[2] = 0.5f;
    p.std[0] = p.std[1] = p.std[2] = 0.25f;
    sslh_set_preprocess(net, p);
    sslh_embed(net, pixels, 70, 20, 24, 3, all);
    CHECK_OK(c);
    CHECK(sslh_is_training(net), "the mode is restored");
    allocs = sslh_query(c).allocs;
    sslh_embed(net, pixels, 70, 20, 24, 3, again);
    CHECK(sslh_query(c).allocs == allocs, "%d allocations in the second call", (int)(sslh_query(c).allocs - allocs));
    CHECK(memcmp(all, again, sizeof all) == 0, "the same again");
    sslh_embed(net, pixels + 66 * 20 * 24 * 3, 1, 20, 24, 3, one);
    CHECK(memcmp(one, all + 66 * 32, sizeof one) == 0, "an image alone and in a batch");
    for (i = 0; i < 32; i++) sum += fabs((double)one[i]);
    CHECK(sum > 1e-3, "not all zero");
    sslh_embed(net, NULL, 1, 20, 24, 3, one);
    CHECK_ERROR(c, "sslh_embed: the array of pixels is NULL");
    sslh_destroy(c);
}

/* Alpha that the net was trained without is left out, grey stands for three equal colours: the same bits as of such an
   image, resized and as it is. Other numbers of channels are errors. */
static void embedding_channels(void) {
    enum { SIDE = 12, PLACES = SIDE * SIDE, WIDTH = 16 };
    static uint8_t image[5][PLACES * 4]; /* of 1, 2, 3 (colours), 4, 3 (equal) channels */
    sslh_ctx *c = context();
    sslh_net *net[2];
    float one[WIDTH], other[WIDTH];
    int i, k, size;
    for (i = 0; i < PLACES; i++) {
        uint8_t v[4];
        for (k = 0; k < 4; k++) v[k] = (uint8_t)sslh_random_u32(1, 3, (uint64_t)(4 * i + k));
        image[0][i] = image[1][2 * i] = v[0];
        image[1][2 * i + 1] = v[3];
        for (k = 0; k < 3; k++) image[2][3 * i + k] = image[3][4 * i + k] = v[k], image[4][3 * i + k] = v[0];
        image[3][4 * i + 3] = v[3];
    }
    for (k = 0; k < 2; k++) {
        sslh_convnet_desc d = {0};
        d.channels = k ? 3 : 1;
        d.widths[0] = WIDTH;
        net[k] = sslh_convnet(c, d);
    }
    for (size = 8; size <= SIDE; size += SIDE - 8) {
        sslh_preprocess p;
        memset(&p, 0, sizeof p);
        p.height = p.width = size;
        for (k = 0; k < 3; k++) p.mean[k] = 0.1f * (float)(k + 1), p.std[k] = 0.2f + 0.1f * (float)k;
        for (k = 0; k < 2; k++) p.channels = k ? 3 : 1, sslh_set_preprocess(net[k], p);
        sslh_embed(net[0], image[0], 1, SIDE, SIDE, 1, one);
        sslh_embed(net[0], image[1], 1, SIDE, SIDE, 2, other);
        CHECK(memcmp(one, other, sizeof one) == 0, "%d: grey and alpha", size);
        sslh_embed(net[1], image[2], 1, SIDE, SIDE, 3, one);
        sslh_embed(net[1], image[3], 1, SIDE, SIDE, 4, other);
        CHECK(memcmp(one, other, sizeof one) == 0, "%d: colour and alpha", size);
        sslh_embed(net[1], image[4], 1, SIDE, SIDE, 3, one);
        sslh_embed(net[1], image[0], 1, SIDE, SIDE, 1, other);
        CHECK(memcmp(one, other, sizeof one) == 0, "%d: grey for a net trained on colour", size);
        sslh_embed(net[1], image[1], 1, SIDE, SIDE, 2, other);
        CHECK(memcmp(one, other, sizeof one) == 0, "%d: grey and alpha for a net trained on colour", size);
        CHECK_OK(c);
        for (k = 3; k <= 4; k++) {
            sslh_embed(net[0], image[2], 1, SIDE, SIDE, k, one);
            CHECK_ERROR(c, "trained on 1 channels, the images have");
        }
        p.height = 40000, p.channels = 3; /* as a file may have it: the error names what was called */
        sslh_set_preprocess(net[1], p);
        sslh_embed(net[1], image[2], 1, SIDE, SIDE, 3, one);
        CHECK(!strncmp(sslh_error(c) ? sslh_error(c) : "", "sslh_embed: sslh_resize: ", 25), "%s", sslh_error(c));
        sslh_clear_error(c);
    }
    sslh_destroy(c);
}

#if SSLH_WITH_CLASSIFIERS
/* A forest in which two nodes lead to the same one is refused: from 36 nodes sslh_forest_print would make gigabytes. */
static void nodes_that_meet(void) {
    sslh_ctx *c = context();
    const char *path = "weights_meet.tmp";
    sslh_classifier *k;
    sslh_tensor *x = sslh_zeros(c, sslh_dim2(100, 1));
    static int32_t y[100];
    sslh_forest_desc d;
    memset(&d, 0, sizeof d);
    for (int i = 0; i < 100; i++) x->data[i] = (float)i, y[i] = i & 1;
    d.trees = d.no_bootstrap = 1;
    k = sslh_forest(c, x, y, 2, d);
    CHECK(k->info.nodes == 199, "%d nodes", (int)k->info.nodes);
    sslh_save_classifier(k, NULL, NULL, path);
    CHECK(sslh_load_classifier(c, path) != NULL, "as it has grown");
    for (int i = 0; i < 199; i++) {
        k->node[i].feature = i < 36 ? 0 : -1;
        k->node[i].next = i < 36 ? i + 1 : 0;
    }
    sslh_save_classifier(k, NULL, NULL, path);
    CHECK_OK(c);
    CHECK(!sslh_load_classifier(c, path), "each node leads to the next two");
    CHECK_ERROR(c, "holds no classifier that works: a node to which two others lead");
    remove(path);
    sslh_destroy(c);
}
#endif

TESTS_BEGIN
    TEST(round_trips)
    TEST(preprocessing_inside)
    TEST(preprocessing_exact)
    TEST(names_in_files)
    TEST(reports)
    TEST(hostile_headers)
    TEST(wrong_checksum)
    TEST(absurd_sizes)
    TEST(damaged_files)
    TEST(no_memory)
    TEST(flipped_weights)
    TEST(other_files)
    TEST(beyond_bits)
    TEST(unsealed_again)
    TEST(number_types)
    TEST(integer_types)
    TEST(strangers)
    TEST(file_from_pytorch)
    TEST(reads_pytorch)
    TEST(pytorch_views)
    TEST(hostile_pickles)
    TEST(too_large_a_graph)
    TEST(damaged_pytorch)
    TEST(real_pytorch)
    TEST(writes_npz)
    TEST(resumes)
    TEST(refused_checkpoints)
    TEST(checkpoint_memory)
    TEST(refused_runs)
    TEST(unreadable_runs)
    TEST(embedding)
    TEST(embedding_channels)
#if SSLH_WITH_CLASSIFIERS
    TEST(nodes_that_meet)
#endif
TESTS_END
