/* The same bits everywhere: small training runs whose parameters and losses are hashed.
     bits                          compares numbers of threads and instruction sets within this build
     bits --hash THREADS CPU PORTABLE   prints the hash (CPU "best" or a name):
                                        tests/bits.sh compares builds, compilers, machines */
#include "../ssl.h"
#include "harness.h"

static unsigned long long hash_net(sslh_net *net, unsigned long long h) {
    int i, n = sslh_count_tensors(net);
    for (i = 0; i < n; i++) {
        char name[256];
        sslh_tensor *t = sslh_tensor_at(net, i, name, sizeof name, NULL);
        float *v = (float *)malloc(t->count * sizeof *v);
        sslh_read(t, v, t->count);
        h = test_hash(name, strlen(name), h);
        h = test_hash_floats(v, t->count, h);
        free(v);
    }
    return h;
}
static unsigned long long hash_tensor(const sslh_tensor *t, unsigned long long h) {
    float *v = (float *)malloc(t->count * sizeof *v);
    sslh_read(t, v, t->count);
    h = test_hash_floats(v, t->count, h);
    free(v);
    return h;
}

#define IMAGES 48
#define SIDE 16
static uint8_t pixels[IMAGES * SIDE * SIDE * 3];
static int32_t labels[IMAGES];
static sslh_data make_data(sslh_ctx *c) {
    int n, y, x, k;
    for (n = 0; n < IMAGES; n++) {
        labels[n] = n % 4;
        for (y = 0; y < SIDE; y++)
            for (x = 0; x < SIDE; x++)
                for (k = 0; k < 3; k++)
                    pixels[((n * SIDE + y) * SIDE + x) * 3 + k] =
                        (uint8_t)((unsigned)((x * (3 + n % 4) + y * (5 - n % 4) + k * 40) * 4) / 2u +
                                  sslh_random_below(1, 2, (uint64_t)(((n * SIDE + y) * SIDE + x) * 3 + k), 40));
    }
    return sslh_data_from_images(c, pixels, IMAGES, SIDE, SIDE, 3, labels);
}
static sslh_feature_desc no_features(void) {
    sslh_feature_desc d;
    memset(&d, 0, sizeof d);
    return d;
}
static sslh_net *small_convnet(sslh_ctx *c) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = 3;
    d.widths[0] = 8, d.widths[1] = 20;
    return sslh_convnet(c, d);
}

/* Steps of a method with an optimiser; loss and parameters into the hash. */
static unsigned long long train(sslh_ctx *c, sslh_method *m, sslh_data data, sslh_optimizer_desc od, int steps,
                                int batch, unsigned long long h) {
    sslh_optimizer *o = sslh_optimizer_new(c, od);
    sslh_loader_desc ld;
    sslh_loader *l;
    sslh_batch b;
    int i;
    memset(&ld, 0, sizeof ld);
    ld.batch = batch;
    ld.epochs = SSLH_OFF;
    sslh_optimizer_add(o, m->net);
    l = sslh_loader_new(c, data, ld);
    for (i = 0; i < steps && sslh_next_batch(l, &b); i++) {
        float loss = sslh_method_step(m, o, &b, sslh_cosine(i, steps, 1, 0.01f));
        h = test_hash_floats(&loss, 1, h);
    }
    return hash_net(m->net, h);
}

typedef struct part { const char *name; unsigned long long hash; } part;
static part parts[64];
static int n_parts;
static char error_text[512];
static void note_part(const char *name, unsigned long long h) {
    parts[n_parts].name = name;
    parts[n_parts++].hash = h;
}

/* All runs in one context; 0 after an error. */
static unsigned long long run(int threads, const char *cpu, int portable) {
    sslh_desc d;
    sslh_ctx *c;
    sslh_data data;
    sslh_optimizer_desc adam, sgd;
    unsigned long long h = 0;
    int i;
    memset(&d, 0, sizeof d);
    memset(&adam, 0, sizeof adam);
    memset(&sgd, 0, sizeof sgd);
    adam.kind = SSLH_ADAM;
    adam.weight_decay = 1e-4f;
    sgd.kind = SSLH_SGD;
    sgd.clip = 1;
    d.threads = threads;
    d.cpu = cpu;
    d.portable_bits = portable;
    d.seed = 42;
    n_parts = 0;
    error_text[0] = 0;
    c = sslh_create(d);
    data = make_data(c);
    sslh_begin_step(c);
    note_part("random", hash_tensor(sslh_normal(c, sslh_dim1(1000), 0, 1), 0));
    {   /* views: every kind of augmentation */
        sslh_loader_desc ld;
        sslh_loader *l;
        sslh_batch b;
        memset(&ld, 0, sizeof ld);
        ld.batch = 12;
        l = sslh_loader_new(c, data, ld);
        if (sslh_next_batch(l, &b)) {
            h = hash_tensor(sslh_views(c, b, SSLH_VIEWS_SIMCLR_LARGE, 0), 0);
            h = hash_tensor(sslh_views(c, b, SSLH_VIEWS_BYOL_1, 1), h);
            h = hash_tensor(sslh_views(c, b, SSLH_VIEWS_ROTATION, 0), h);
        }
        note_part("views", h);
    }
#if SSLH_WITH_SIMCLR
    {
        sslh_simclr_desc sd;
        sslh_method m;
        memset(&sd, 0, sizeof sd);
        sd.head_hidden = 24, sd.head_out = 12;
        m = sslh_simclr(c, small_convnet(c), sd);
        note_part("simclr", train(c, &m, data, adam, 4, 16, 0));
        if (!sslh_error(c)) note_part("features", hash_tensor(sslh_features(c, m.encoder, data, no_features()), 0));
    }
#endif
#if SSLH_WITH_ROTATION
    {
        sslh_rotation_desc rd;
        sslh_method m;
        memset(&rd, 0, sizeof rd);
        m = sslh_rotation(c, small_convnet(c), rd);
        note_part("rotation", train(c, &m, data, sgd, 3, 12, 0));
    }
#endif
#if SSLH_WITH_AUTOENCODER
    {
        sslh_autoencoder_desc ad;
        sslh_method m;
        memset(&ad, 0, sizeof ad);
        ad.height = ad.width = SIDE, ad.channels = 3, ad.latent = 5, ad.convolutions = 1, ad.maps = 6;
        ad.noise = 1, ad.sparse = 3;
        m = sslh_autoencoder(c, ad);
        note_part("autoencoder", train(c, &m, data, adam, 3, 12, 0));
    }
#endif
#if SSLH_WITH_VAE
    {
        sslh_vae_desc vd;
        sslh_method m;
        memset(&vd, 0, sizeof vd);
        vd.height = vd.width = SIDE, vd.channels = 3, vd.hidden = 33, vd.latent = 5;
        m = sslh_vae(c, vd);
        note_part("vae", train(c, &m, data, adam, 3, 12, 0));
    }
#endif
#if SSLH_WITH_MAE
    {
        sslh_vit_desc td;
        sslh_mae_desc md;
        sslh_method m;
        memset(&td, 0, sizeof td);
        memset(&md, 0, sizeof md);
        td.image = SIDE, td.channels = 3, td.patch = 4, td.width = 24, td.depth = 2, td.heads = 3;
        md.decoder_width = 16, md.decoder_depth = 1, md.decoder_heads = 2;
        m = sslh_mae(c, sslh_vit(c, td), md);
        note_part("mae", train(c, &m, data, adam, 2, 8, 0));
    }
#endif
#if SSLH_WITH_CLIP
    {   /* captions that are drawn and lose words, both losses */
        static int32_t captions[24 * 5];
        sslh_field f[2];
        sslh_vit_desc td;
        sslh_clip_desc cd;
        sslh_data pairs;
        sslh_method m;
        int i, loss;
        for (i = 0; i < 24 * 5; i++) captions[i] = (int32_t)sslh_random_below(3, 5, (uint64_t)i, 9);
        memset(f, 0, sizeof f), memset(&td, 0, sizeof td), memset(&cd, 0, sizeof cd);
        f[0] = data.field[0];
        f[1].kind = SSLH_FIELD_TOKENS, f[1].type = SSLH_I32, f[1].shape = sslh_dim1(5), f[1].values = captions;
        pairs = sslh_data_from_fields(c, f, 2, 24);
        td.image = SIDE, td.clip = 1, td.patch = 4, td.width = 24, td.depth = 2, td.heads = 3;
        cd.vocabulary = 12, cd.length = 7, cd.text_width = 24, cd.text_depth = 1, cd.head_out = 10;
        cd.drop_words = 0.2f, cd.dropout = 0.1f;
        for (loss = 1; loss <= 2; loss++) {
            cd.loss = loss;
            m = sslh_clip(c, sslh_vit(c, td), NULL, cd);
            note_part(loss == 1 ? "clip" : "siglip", train(c, &m, pairs, adam, 3, 8, 0));
        }
    }
#endif
#if SSLH_WITH_GPT || SSLH_WITH_BERT
    {   /* dropout, the softmax over many classes, and what is drawn */
        static int32_t text[400];
        sslh_transformer_desc td;
        sslh_data tokens;
        sslh_method m;
        int i;
        for (i = 1; i < 400; i++) text[i] = (text[i - 1] * 5 + (int)sslh_random_below(3, 3, (uint64_t)i, 3)) % 37;
        tokens = sslh_data_stream(c, text, 400, 12);
        memset(&td, 0, sizeof td);
        td.vocabulary = 40, td.length = 14, td.width = 24, td.depth = 2, td.heads = 3;
#if SSLH_WITH_GPT
        {
            sslh_gpt_desc gd;
            sslh_generate_desc how;
            int32_t more[30];
            sslh_tensor *drawn;
            memset(&gd, 0, sizeof gd), memset(&how, 0, sizeof how);
            gd.dropout = 0.1f;
            m = sslh_gpt(c, sslh_transformer(c, td), gd);
            note_part("gpt", train(c, &m, tokens, adam, 3, 8, 0));
            how.top_p = 0.9f, how.stream = 4;
            if (sslh_gpt_generate(m.encoder, text, 5, more, 30, how) == 30) {
                drawn = sslh_to_real(c, sslh_from_ints(c, sslh_dim1(30), more), 1);
                note_part("drawn", hash_tensor(drawn, 0));
            }
        }
#endif
#if SSLH_WITH_BERT
        {
            sslh_bert_desc bd;
            memset(&bd, 0, sizeof bd);
            bd.cls_token = 36, bd.sep_token = 37, bd.mask_token = 38, bd.pad_token = 39;
            td.kind = SSLH_BERT;
            m = sslh_bert(c, sslh_transformer(c, td), bd);
            note_part("bert", train(c, &m, tokens, adam, 3, 8, 0));
        }
#endif
    }
#endif
#if SSLH_WITH_JIGSAW
    {
        sslh_jigsaw_desc jd;
        sslh_method m;
        memset(&jd, 0, sizeof jd);
        jd.head_hidden = 24;
        m = sslh_jigsaw(c, small_convnet(c), jd);
        note_part("jigsaw", train(c, &m, data, sgd, 3, 12, 0));
    }
#endif
#if SSLH_WITH_CONTEXT
    {
        sslh_context_desc cd;
        sslh_method m;
        memset(&cd, 0, sizeof cd);
        cd.head_hidden = 24;
        m = sslh_context(c, small_convnet(c), cd);
        note_part("context", train(c, &m, data, sgd, 3, 12, 0));
    }
#endif
#if SSLH_WITH_INPAINTING
    {   /* two phases */
        sslh_convnet_desc ed;
        sslh_inpainting_desc id;
        sslh_method m;
        memset(&ed, 0, sizeof ed);
        memset(&id, 0, sizeof id);
        ed.channels = 3, ed.widths[0] = 8, ed.widths[1] = 12, ed.map_output = 1;
        id.decoder_width = 6, id.discriminator_width = 4, id.adversarial = 0.1f;
        m = sslh_inpainting(c, sslh_convnet(c, ed), id);
        note_part("inpainting", train(c, &m, data, adam, 2, 8, 0));
    }
#endif
#if SSLH_WITH_GAN
    {   /* two phases, the power iteration, the average's statistics */
        sslh_convnet_desc ed;
        sslh_gan_desc gd;
        sslh_method m;
        memset(&ed, 0, sizeof ed);
        memset(&gd, 0, sizeof gd);
        ed.channels = 3, ed.widths[0] = 8, ed.widths[1] = 12, ed.map_output = ed.dcgan = 1;
        gd.height = data.height, gd.width = data.width, gd.latent = 7, gd.generator_width = 6, gd.bound = 2;
        m = sslh_gan(c, sslh_convnet(c, ed), gd);
        note_part("gan", train(c, &m, data, adam, 2, 8, 0));
    }
#endif
#if SSLH_WITH_COLORIZATION
    {
        sslh_colorization_desc cd;
        sslh_method m;
        memset(&cd, 0, sizeof cd);
        cd.head_hidden = 12;
        m = sslh_colorization(c, small_convnet(c), cd);
        note_part("colorization", train(c, &m, data, sgd, 3, 12, 0));
    }
#endif
#if SSLH_WITH_NEXT_FRAME && SSLH_WITH_FRAME_ORDER
    {   /* clips made of the images, their views, both methods */
        sslh_recipe views = SSLH_VIEWS_SIMCLR;
        sslh_convnet_desc ed;
        sslh_moving_desc md;
        sslh_next_frame_desc nd;
        sslh_frame_order_desc od;
        sslh_method m;
        sslh_data clips;
        memset(&ed, 0, sizeof ed), memset(&md, 0, sizeof md), memset(&nd, 0, sizeof nd), memset(&od, 0, sizeof od);
        md.clips = 12, md.frames = 6, md.crops = 1, md.zoom = 1.5f, md.drag = 0.1f;
        clips = sslh_data_moving(data, md);
        ed.channels = 3, ed.widths[0] = 8, ed.widths[1] = 12, ed.map_output = 1;
        nd.frames = 2, nd.norm = 1, nd.gradient = 1, nd.decoder_width = 6;
        m = sslh_next_frame(c, sslh_convnet(c, ed), nd);
        note_part("next_frame", train(c, &m, clips, adam, 2, 6, 0));
        od.cells = 2, od.head_hidden = 12, od.views = &views;
        m = sslh_frame_order(c, sslh_convnet(c, ed), od);
        note_part("frame_order", train(c, &m, clips, adam, 2, 6, 0));
    }
#endif
    {   /* a gated recurrent unit over tokens with cross-entropy */
        sslh_net_desc nd;
        sslh_net *net;
        sslh_optimizer *o;
        int s, t;
        memset(&nd, 0, sizeof nd);
        net = sslh_net_new(c, nd);
        sslh_param_new(net, "table", sslh_dim2(11, 9), SSLH_INIT_NORMAL, 0.5f);
        sslh_param_new(net, "w_ih", sslh_dim2(3 * 13, 9), SSLH_INIT_FAN_IN, 0);
        sslh_param_new(net, "w_hh", sslh_dim2(3 * 13, 13), SSLH_INIT_XAVIER, 0);
        sslh_param_new(net, "b_ih", sslh_dim1(3 * 13), SSLH_INIT_ZERO, 0);
        sslh_param_new(net, "b_hh", sslh_dim1(3 * 13), SSLH_INIT_UNIFORM, 0.1f);
        sslh_param_new(net, "out", sslh_dim2(11, 13), SSLH_INIT_TRUNC_NORMAL, 0.1f);
        o = sslh_optimizer_new(c, adam);
        sslh_optimizer_add(o, net);
        for (s = 0; s < 3; s++) {
            int32_t token[5 * 8], next[5 * 8];
            sslh_tensor *x;
            sslh_begin_step(c);
            for (t = 0; t < 40; t++)
                token[t] = (int32_t)sslh_random_below(3, 4, (uint64_t)(s * 40 + t), 11),
                next[t] = (token[t] * 3 + 1) % 11;
            x = sslh_embedding(c, sslh_param(net, 0), sslh_from_ints(c, sslh_dim2(5, 8), token));
            x = sslh_gru(c, x, sslh_param(net, 1), sslh_param(net, 2), sslh_param(net, 3), sslh_param(net, 4), NULL);
            x = sslh_linear(c, sslh_silu(c, x), sslh_param(net, 5), NULL);
            sslh_backward(c, sslh_cross_entropy(c, x, sslh_from_ints(c, sslh_dim2(5, 8), next)));
            sslh_optimizer_step(o, 0.01f);
        }
        note_part("gru", hash_net(net, 0));
    }
    {   /* sequences of different lengths: an LSTM both ways, attention with a learned bias and a mask, products that
           broadcast, weights of classes */
        sslh_net_desc nd;
        sslh_net *net;
        sslh_optimizer *o;
        sslh_recurrent_desc r;
        int s, t;
        memset(&nd, 0, sizeof nd);
        memset(&r, 0, sizeof r);
        net = sslh_net_new(c, nd);
        r.bidirectional = 1;
        sslh_layer_lstm_new(net, "lstm", 9, 18, r);
        sslh_layer_rms_norm_new(net, "norm", 36);
        sslh_param_new(net, "bias", sslh_dim3(3, 55, 55), SSLH_INIT_NORMAL, 0.3f);
        sslh_param_new(net, "out", sslh_dim3(2, 24, 5), SSLH_INIT_TRUNC_NORMAL, 0.2f);
        o = sslh_optimizer_new(c, adam);
        sslh_optimizer_add(o, net);
        for (s = 0; s < 3; s++) {
            static float v[17 * 55 * 9];
            static uint8_t masked[55 * 55];
            int32_t length[17], label[2 * 17 * 55];
            sslh_attention_desc a;
            sslh_cross_entropy_desc e;
            sslh_tensor *x;
            for (t = 0; t < (int)(sizeof v / sizeof v[0]); t++) v[t] = sslh_random_normal(6, (uint64_t)s, (uint64_t)t);
            for (t = 0; t < 17; t++) length[t] = 1 + (int32_t)sslh_random_below(6, 7, (uint64_t)(s * 17 + t), 55);
            for (t = 0; t < 55 * 55; t++) masked[t] = t % 7 == 3;
            for (t = 0; t < 2 * 17 * 55; t++) label[t] = (t * 3 + 1) % 5;
            sslh_begin_step(c);
            r.lengths = sslh_from_ints(c, sslh_dim1(17), length);
            x = sslh_layer_lstm(net, 0, sslh_from(c, sslh_dim3(17, 55, 9), v), r);
            x = sslh_layer_rms_norm(net, 8, x, 0);
            memset(&a, 0, sizeof a);
            a.heads = 3, a.bias = sslh_param(net, 9), a.mask = sslh_from_bytes(c, sslh_dim2(55, 55), masked);
            x = sslh_attention(c, x, x, sslh_slice(c, x, 2, 0, 24), a);
            x = sslh_matmul(c, sslh_reshape(c, x, sslh_dim4(17, 1, 55, 24)), sslh_param(net, 10));
            memset(&e, 0, sizeof e);
            e.weight = sslh_exp(c, sslh_slice(c, sslh_detach(c, sslh_reshape(c, x, sslh_dim1(-1))), 0, 0, 5));
            e.smoothing = 0.1f;
            sslh_backward(c, sslh_cross_entropy_full(c, x, sslh_from_ints(c, sslh_dim3(17, 2, 55), label), 4, e));
            sslh_optimizer_step(o, 0.01f);
        }
        note_part("sequences", hash_net(net, 0));
    }
    {   /* convolutions of every kind, of odd sizes: few channels, Winograd's, stride, groups, depthwise */
        sslh_net_desc nd;
        sslh_net *net;
        sslh_optimizer *o;
        int s;
        memset(&nd, 0, sizeof nd);
        net = sslh_net_new(c, nd);
        sslh_param_new(net, "a", sslh_dim4(20, 3, 3, 3), SSLH_INIT_KAIMING, 0);
        sslh_param_new(net, "b", sslh_dim4(38, 3, 3, 20), SSLH_INIT_KAIMING, 0);
        sslh_param_new(net, "c", sslh_dim4(38, 3, 3, 1), SSLH_INIT_KAIMING, 0);
        sslh_param_new(net, "d", sslh_dim4(36, 3, 3, 19), SSLH_INIT_KAIMING, 0);
        sslh_param_new(net, "e", sslh_dim4(17, 3, 3, 36), SSLH_INIT_KAIMING, 0);
        o = sslh_optimizer_new(c, adam);
        sslh_optimizer_add(o, net);
        for (s = 0; s < 2; s++) {
            float v[3 * 26 * 21 * 3];
            sslh_conv_desc d;
            sslh_tensor *x;
            int t;
            for (t = 0; t < (int)(sizeof v / sizeof v[0]); t++) v[t] = sslh_random_normal(5, (uint64_t)s, (uint64_t)t);
            sslh_begin_step(c);
            memset(&d, 0, sizeof d);
            d.pad = 1;
            x = sslh_from(c, sslh_dim4(3, 26, 21, 3), v);
            x = sslh_relu(c, sslh_conv2d(c, x, sslh_param(net, 0), NULL, d));
            x = sslh_relu(c, sslh_conv2d(c, x, sslh_param(net, 1), NULL, d));
            d.groups = 38;
            x = sslh_relu(c, sslh_conv2d(c, x, sslh_param(net, 2), NULL, d));
            d.groups = 2;
            d.stride = 2;
            x = sslh_relu(c, sslh_conv2d(c, x, sslh_param(net, 3), NULL, d));
            memset(&d, 0, sizeof d);
            x = sslh_conv2d(c, x, sslh_param(net, 4), NULL, d);
            sslh_backward(c, sslh_mean(c, sslh_square(c, x), SSLH_ALL, 0));
            sslh_optimizer_step(o, 0.01f);
        }
        note_part("convolutions", hash_net(net, 0));
    }
    {   /* what goes through double and integers: large angles, resizing, products, running sums; uneven windows */
        float v[2 * 11 * 13 * 5];
        sslh_interpolate_desc d;
        sslh_pool_desc p;
        sslh_tensor *x, *y, *list[4];
        unsigned long long hash = 0;
        int t;
        for (t = 0; t < (int)(sizeof v / sizeof v[0]); t++) v[t] = sslh_random_normal(7, 0, (uint64_t)t);
        for (t = 0; t < (int)(sizeof v / sizeof v[0]); t += 3)
            v[t] = v[t] * (t % 2 ? 1048576.0f : 1152921504606846976.0f);
        sslh_begin_step(c);
        x = sslh_requires_grad(sslh_from(c, sslh_dim4(2, 11, 13, 5), v));
        memset(&d, 0, sizeof d);
        memset(&p, 0, sizeof p);
        d.mode = SSLH_BICUBIC, d.antialias = 1;
        p.kernel = 3, p.kernel_w = 4, p.stride = 2, p.pad = 1, p.ceil_mode = 1, p.exclude_pad = 1;
        y = sslh_keep(sslh_add(c, sslh_sin(c, x), sslh_cos(c, x)));
        list[0] = sslh_interpolate(c, y, 4, 20, d);
        d.antialias = 0, d.align_corners = 1;
        list[1] = sslh_interpolate(c, y, 5, 6, d);
        list[2] = sslh_prod(c, sslh_avg_pool2d_ex(c, y, p), SSLH_AXIS(1), 0);
        list[3] = sslh_topk(c, sslh_cumsum(c, sslh_pad_ex(c, y, 2, 3, 2, SSLH_PAD_REFLECT, 0), 2), 4, 2, NULL);
        for (t = 0; t < 4; t++) {
            hash = hash_tensor(list[t], hash);
            list[t] = sslh_sum(c, sslh_square(c, list[t]), SSLH_ALL, 0);
        }
        sslh_backward(c, sslh_add(c, sslh_add(c, list[0], list[1]), sslh_add(c, list[2], list[3])));
        hash = hash_tensor(y, hash);
        if (!sslh_error(c)) hash = hash_tensor(sslh_from(c, sslh_dim1((int)x->count), (const float *)x->grad), hash);
        note_part("shapes", hash);
    }
#if SSLH_WITH_ELECTRA && SSLH_WITH_BART && SSLH_WITH_SENTENCE_ORDER
    {   /* texts: what is drawn, words drawn from a softmax, a decoder, dropout */
        static int32_t text[24 * 12], ends[24];
        sslh_transformer_desc td;
        sslh_electra_desc ed;
        sslh_bart_desc bd;
        sslh_sentence_order_desc od;
        sslh_field f;
        sslh_data set;
        sslh_method m;
        int i;
        for (i = 0; i < 24 * 12; i++)
            text[i] = i % 4 == 3 ? 1 : 5 + (i / 12 + i % 12 * 3) % 40 + (int)sslh_random_below(3, 4, (uint64_t)i, 3);
        for (i = 0; i < 24; i++) ends[i] = 5 + i % 8;
        memset(&f, 0, sizeof f), memset(&td, 0, sizeof td);
        memset(&ed, 0, sizeof ed), memset(&bd, 0, sizeof bd), memset(&od, 0, sizeof od);
        f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(12), f.values = text, f.lengths = ends;
        set = sslh_data_from_fields(c, &f, 1, 24);
        td.kind = SSLH_BERT, td.vocabulary = 50, td.length = 16, td.width = 24, td.depth = 2, td.heads = 2;
        ed.cls_token = bd.cls_token = od.cls_token = 2, ed.sep_token = bd.sep_token = od.sep_token = 3;
        ed.mask_token = bd.mask_token = 4, bd.sentence_end = od.sentence_end = 1, od.sentences = 3;
        m = sslh_electra(c, sslh_transformer(c, td), ed);
        note_part("electra", train(c, &m, set, adam, 3, 8, 0));
        bd.deleted = 0.1f, bd.replaced = 0.1f;
        m = sslh_bart(c, sslh_transformer(c, td), bd);
        note_part("bart", train(c, &m, set, adam, 3, 8, 0));
        m = sslh_sentence_order(c, sslh_transformer(c, td), od);
        note_part("sentence order", train(c, &m, set, adam, 3, 8, 0));
    }
#endif
#if SSLH_WITH_TRANSFER
    {   /* a student, and nets of another shape */
        sslh_convnet_desc nd;
        sslh_distill_desc dd;
        sslh_widen_desc wd;
        sslh_deepen_desc deep;
        sslh_prune_desc pd;
        sslh_net *teacher, *student;
        sslh_method m;
        int kind;
        memset(&nd, 0, sizeof nd), memset(&wd, 0, sizeof wd), memset(&deep, 0, sizeof deep);
        memset(&pd, 0, sizeof pd);
        nd.channels = data.channels, nd.widths[0] = 5, nd.widths[1] = 8;
        teacher = sslh_convnet(c, nd);
        wd.layer = deep.layer = 1, pd.share = 0.3f;
        teacher = sslh_net_widen(teacher, wd);
        note_part("wider", sslh_hash(teacher));
        teacher = sslh_net_deepen(teacher, deep);
        teacher = sslh_net_prune_filters(teacher, pd);
        note_part("deeper, narrower", sslh_hash(teacher));
        for (kind = 1; kind <= 5; kind++) {
            memset(&dd, 0, sizeof dd);
            dd.kind = kind, dd.queue = 16;
            student = sslh_convnet(c, nd);
            m = sslh_distill(c, student, teacher, dd);
            note_part("distill", train(c, &m, data, adam, 3, 8, 0));
        }
    }
#endif
#if SSLH_WITH_SASREC || SSLH_WITH_BERT4REC
    {   /* histories: what is drawn, dropout of the weights of the attention, scores */
        static char lines[1600];
        sslh_transformer_desc td;
        sslh_items_desc id;
        sslh_items *set;
        sslh_method m;
        size_t used = 0;
        int i;
        for (i = 0; i < 160; i++)
            used += (size_t)snprintf(lines + used, sizeof lines - used, "%d %d\n", i / 8,
                                     (i / 8 + i % 8) * 5 % 31 + (int)sslh_random_below(3, 4, (uint64_t)i, 3));
        memset(&td, 0, sizeof td), memset(&id, 0, sizeof id);
        set = sslh_items_from_text(c, lines, used, id);
        td.kind = SSLH_SASREC, td.length = 9, td.width = 24, td.heads = 2;
#if SSLH_WITH_SASREC
        {
            sslh_sasrec_desc sd;
            int32_t best[5];
            float score[5];
            memset(&sd, 0, sizeof sd);
            td.vocabulary = sslh_items_query(set).items;
            m = sslh_sasrec(c, sslh_transformer(c, td), sd);
            note_part("sasrec", train(c, &m, sslh_items_data(set, 9, 1), adam, 3, 8, 0));
            if (sslh_recommend(sslh_sasrec_recommender(&m), sslh_items_history(set, 2, NULL), 8, 5, best, score) == 5)
                note_part("recommended", hash_tensor(sslh_from(c, sslh_dim1(5), score), 0));
        }
#endif
#if SSLH_WITH_BERT4REC
        {
            sslh_bert4rec_desc bd;
            memset(&bd, 0, sizeof bd);
            td.vocabulary = sslh_items_query(set).items + 1, td.causal = SSLH_OFF;
            m = sslh_bert4rec(c, sslh_transformer(c, td), bd);
            note_part("bert4rec", train(c, &m, sslh_items_data(set, 9, 1), adam, 3, 8, 0));
        }
#endif
    }
#endif
#if SSLH_WITH_WORD2VEC
    {   /* words: what is drawn, and sums of n-grams in the order of the text */
        static const char text[] = "the sailor sails a ship\nthe painter paints a painting\nsailing ships are shipped\n"
                                   "a painted ship sails\nthe sailors painted the paintings\n";
        sslh_word2vec_desc wd;
        memset(&wd, 0, sizeof wd);
        wd.dim = 19, wd.min_count = 1, wd.batch = 16, wd.sample = (float)SSLH_OFF, wd.subwords = 1;
        note_part("n-grams", hash_tensor(sslh_vectors_parts(sslh_word2vec(c, text, sizeof text - 1, wd)), 0));
    }
#endif
#if SSLH_WITH_TOKENIZERS
    {   /* vectors of texts in windows of several lengths */
        static const char *const texts[3] = {"a text of several windows", "short", ""};
        sslh_transformer_desc td;
        sslh_tokenizer_desc kd;
        sslh_embed_text_desc ed;
        float rows[3 * 24];
        memset(&td, 0, sizeof td), memset(&kd, 0, sizeof kd), memset(&ed, 0, sizeof ed);
        td.vocabulary = 256, td.length = 11, td.width = 24, td.depth = 1, td.heads = 3;
        ed.normalize = 1;
        sslh_embed_texts(sslh_transformer(c, td), sslh_tokenizer_new(c, NULL, 0, kd), texts, 3, rows, ed);
        note_part("texts", hash_tensor(sslh_from(c, sslh_dim1(3 * 24), rows), 0));
    }
#endif
#if SSLH_WITH_FIXMATCH
    {   /* guesses that are kept or not, and labelled images in turn */
        static uint8_t few[24 * 12 * 12];
        static int32_t which[24];
        sslh_convnet_desc e;
        sslh_fixmatch_desc fd;
        sslh_method m;
        sslh_data images;
        int i;
        memset(&e, 0, sizeof e), memset(&fd, 0, sizeof fd);
        for (i = 0; i < (int)sizeof few; i++) few[i] = (uint8_t)sslh_random_below(3, 5, (uint64_t)i, 256);
        for (i = 0; i < 24; i++) which[i] = i % 3;
        images = sslh_data_from_images(c, few, 24, 12, 12, 1, which);
        e.channels = 1, e.widths[0] = 6, e.widths[1] = 8;
        fd.threshold = 0.36f, fd.labels = 3, fd.ratio = 3;
        m = sslh_fixmatch(c, sslh_convnet(c, e), images, fd);
        m.prepare(&m, images);
        note_part("fixmatch", train(c, &m, images, adam, 3, 12, 0));
    }
#endif
#if SSLH_WITH_QUANTIZE
    {   /* weights of 8 bits in convolutions and linear layers; the smallest ones gone; batch norms folded, low rank */
        sslh_quantize_desc q;
        sslh_vit_desc v;
        sslh_tensor *x = sslh_uniform(c, sslh_dim4(5, SIDE, SIDE, 3), 0, 1);
        sslh_net *net = small_convnet(c), *vit, *folded, *low;
        sslh_low_rank_desc r;
        memset(&q, 0, sizeof q), memset(&v, 0, sizeof v), memset(&r, 0, sizeof r);
        q.min_count = SSLH_OFF;
        v.image = SIDE, v.patch = 4, v.width = 36, v.heads = 2, v.depth = 2;
        vit = sslh_vit(c, v);
        sslh_prune_magnitude(net, 0.3f);
        r.rank = 3;
        folded = sslh_fold_batch_norm(net, NULL), low = sslh_net_low_rank(vit, r);
        sslh_no_grad(c, 1);
        note_part("folded, low rank", hash_tensor(sslh_forward(folded, x), hash_tensor(sslh_forward(low, x),
                                                                                       hash_net(low, 0))));
        sslh_no_grad(c, 0);
        net = sslh_quantize(net, q), vit = sslh_quantize(vit, q);
        sslh_no_grad(c, 1);
        note_part("8 bits", hash_tensor(sslh_forward(net, x), hash_tensor(sslh_forward(vit, x), hash_net(net, 0))));
        sslh_no_grad(c, 0);
    }
#endif
#if SSLH_WITH_SEGMENT
    {   /* images and maps that are bent, U-Net, Dice loss, blended tiles */
        static uint8_t image[2 * 23 * 31], map[2 * 23 * 31];
        sslh_convnet_desc e;
        sslh_unet_desc u;
        sslh_segment_desc sd;
        sslh_map_recipe r;
        sslh_tiles_desc td;
        sslh_net *net;
        sslh_data images;
        sslh_method m;
        int i;
        memset(&e, 0, sizeof e), memset(&u, 0, sizeof u), memset(&sd, 0, sizeof sd), memset(&r, 0, sizeof r);
        memset(&td, 0, sizeof td);
        for (i = 0; i < (int)sizeof image; i++) {
            image[i] = (uint8_t)sslh_random_below(3, 6, (uint64_t)i, 256);
            map[i] = (uint8_t)(image[i] % 7 ? i / 31 % 3 : SSLH_UNKNOWN);
        }
        images = sslh_data_with_maps(sslh_data_from_images(c, image, 2, 23, 31, 1, NULL),
                                     sslh_data_from_images(c, map, 2, 23, 31, 1, NULL), NULL, 3);
        e.channels = 1, e.widths[0] = 6, e.widths[1] = 8;
        u.classes = 3, u.width = 4;
        r.tiles = 2, r.height = r.width = 18, r.flip = 0.5f, r.rotate90 = 1, r.elastic = 2, r.elastic_width = 3;
        r.brightness = r.contrast = 0.3f;
        sd.views = &r;
        net = sslh_unet(c, sslh_convnet(c, e), u);
        m = sslh_segment(c, net, sd);
        m.prepare(&m, images);
        note_part("segment", train(c, &m, images, adam, 3, 2, 0));
        td.size = 16;
        note_part("tiles", hash_tensor(sslh_segment_image(c, net, images, 1, td), 0));
    }
#endif
#if SSLH_WITH_INSIDE
    {   /* what a net looks at */
        sslh_net *net = sslh_with_head(c, small_convnet(c), 3);
        sslh_inside_desc d;
        sslh_tensor *x = sslh_uniform(c, sslh_dim4(3, SIDE, SIDE, 3), 0, 1);
        memset(&d, 0, sizeof d);
        d.samples = 2;
        note_part("inside", hash_tensor(sslh_smooth_grad(c, net, x, NULL, d),
                                        hash_tensor(sslh_integrated_gradients(c, net, x, NULL, d),
                                                    hash_tensor(sslh_grad_cam(c, net, x, NULL, d), 0))));
    }
#endif
#if SSLH_WITH_ROBUST
    {   /* corruptions; training with labels on attacked images */
        sslh_supervised_desc s;
        sslh_adversarial_desc a;
        sslh_method m;
        sslh_tensor *x = sslh_uniform(c, sslh_dim4(2, SIDE, SIDE, 3), 0, 1);
        unsigned long long hash = 0;
        int k;
        memset(&s, 0, sizeof s), memset(&a, 0, sizeof a);
        for (k = 0; k < SSLH_CORRUPTIONS; k++) hash = hash_tensor(sslh_corrupt(c, x, k, 1 + k % 5, 3), hash);
        note_part("corruptions", hash);
        a.attack.steps = 2, a.clean = 0.5f;
        m = sslh_adversarial(c, sslh_supervised(c, sslh_with_head(c, small_convnet(c), 4), s), a);
        note_part("adversarial", train(c, &m, data, adam, 3, 12, 0));
        a.attack.l2 = 1;
        m = sslh_adversarial(c, sslh_supervised(c, sslh_with_head(c, small_convnet(c), 4), s), a);
        note_part("adversarial_l2", train(c, &m, data, adam, 3, 12, 0));
    }
#endif
    if (sslh_error(c)) snprintf(error_text, sizeof error_text, "%s", sslh_error(c));
    sslh_destroy(c);
    h = 0;
    for (i = 0; i < n_parts; i++) h = (h ^ parts[i].hash) * 1099511628211ull;
    return error_text[0] ? 0 : h;
}

static void same(const char *what, int threads, const char *cpu, int portable, const part *first, int n) {
    int i;
    run(threads, cpu, portable);
    if (!CHECK(!error_text[0], "%s: %s", what, error_text)) return;
    for (i = 0; i < n; i++) CHECK(parts[i].hash == first[i].hash, "%s: other bits in %s", what, first[i].name);
}
static const char *cpu_in_use(const char *cpu) {
    static char name[32];
    sslh_desc d;
    sslh_ctx *c;
    memset(&d, 0, sizeof d);
    d.cpu = cpu;
    d.threads = 1;
    c = sslh_create(d);
    snprintf(name, sizeof name, "%s", sslh_error(c) ? "" : sslh_query(c).cpu);
    sslh_destroy(c);
    return name;
}
static int fused(const char *cpu) { /* multiply and add: portable_bits excludes it */
    sslh_desc d;
    sslh_ctx *c;
    int refused;
    memset(&d, 0, sizeof d);
    d.cpu = cpu;
    d.threads = 1;
    d.portable_bits = 1;
    c = sslh_create(d);
    refused = sslh_error(c) != NULL;
    sslh_destroy(c);
    return refused;
}
static void one_result(void) {
    static const int threads[3] = {2, 3, 7};
    part first[sizeof parts / sizeof parts[0]];
    char best[32], what[80];
    int portable, i, n;
    snprintf(best, sizeof best, "%s", cpu_in_use(NULL));
    for (portable = 0; portable < 2; portable++) {
        run(1, NULL, portable);
        if (!CHECK(!error_text[0], "%s", error_text)) return;
        n = n_parts;
        memcpy(first, parts, sizeof first);
        for (i = 0; i < 3; i++) {
            if (portable && threads[i] != 3) continue;
            snprintf(what, sizeof what, "%d threads%s", threads[i], portable ? ", portable" : "");
            same(what, threads[i], NULL, portable, first, n);
        }
        for (i = 0; sslh_cpu_name(i); i++) {
            const char *cpu = sslh_cpu_name(i);
            if (strcmp(cpu_in_use(cpu), cpu) != 0 || strcmp(cpu, best) == 0) continue; /* not on this processor */
            if (portable ? fused(cpu) : fused(best) != fused(cpu)) continue;
            snprintf(what, sizeof what, "%s instead of %s%s", cpu, best, portable ? ", portable" : "");
            same(what, 1, cpu, portable, first, n);
        }
    }
}
/* The same seed twice gives the same, another seed something else: the hash sees the training. */
static void sees(void) {
    unsigned long long a = run(1, NULL, 0), b = run(1, NULL, 0);
    int i, j;
    CHECK(a != 0 && a == b, "%s", error_text);
    for (i = 0; i < n_parts; i++)
        for (j = 0; j < i; j++)
            CHECK(parts[i].hash != parts[j].hash, "%s and %s have one hash", parts[i].name, parts[j].name);
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "--hash") == 0) {
        unsigned long long h = run(atoi(argv[2]), strcmp(argv[3], "best") == 0 ? NULL : argv[3], atoi(argv[4]));
        int i;
        if (error_text[0]) printf("error: %s\n", error_text);
        for (i = 0; i < n_parts; i++)
            printf("%s=%08lx%08lx ", parts[i].name, (unsigned long)(parts[i].hash >> 32),
                   (unsigned long)(parts[i].hash & 0xffffffffu));
        printf("all=%08lx%08lx\n", (unsigned long)(h >> 32), (unsigned long)(h & 0xffffffffu));
        return error_text[0] != 0;
    }
    TEST(one_result)
    TEST(sees)
    return test_end();
}
