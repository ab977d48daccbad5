/* Every default of the recipes and methods is the number that the paper or its code gives, and every known pitfall is
   an error that says why. */
#include "../ssl.h"
#include "harness.h"

static sslh_ctx *create(uint64_t seed) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = 1;
    d.seed = seed;
    return sslh_create(d);
}

/* n square noise images of one side, labels n % 3 */
static sslh_data noise(sslh_ctx *c, int n, int height, int width, int channels) {
    static uint8_t pixels[64 * 32 * 32 * 3];
    static int32_t labels[64];
    size_t i, size = (size_t)n * (size_t)height * (size_t)width * (size_t)channels;
    for (i = 0; i < size; i++) pixels[i] = (uint8_t)sslh_random_below(5, 1, i, 256);
    for (i = 0; i < (size_t)n; i++) labels[i] = (int32_t)(i % 3);
    return sslh_data_from_images(c, pixels, n, height, width, channels, labels);
}

static sslh_net *small(sslh_ctx *c, int channels) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = channels;
    d.widths[0] = 4;
    d.widths[1] = 8;
    return sslh_convnet(c, d);
}

static sslh_train_desc quiet(int batch) {
    sslh_train_desc d;
    memset(&d, 0, sizeof d);
    d.quiet = 1;
    d.epochs = 1;
    d.batch = batch;
    return d;
}

static void recipe_numbers(void) {
    sslh_recipe r = sslh_recipe_simclr();
    CHECK_NEAR(r.crop_min, 0.08, 1e-6);
    CHECK_NEAR(r.flip, 0.5, 0);
    CHECK_NEAR(r.jitter, 0.8, 1e-6);
    CHECK_NEAR(r.brightness, 0.4, 1e-6); /* 0.8 s, s = 0.5 */
    CHECK_NEAR(r.contrast, 0.4, 1e-6);
    CHECK_NEAR(r.saturation, 0.4, 1e-6);
    CHECK_NEAR(r.hue, 0.1, 1e-6);
    CHECK_NEAR(r.grey, 0.2, 1e-6);
    CHECK_NEAR(r.blur, 0, 0);
    CHECK_NEAR(r.std[0], 0, 0); /* pixels stay in [0,1] */
    r = sslh_recipe_simclr_large();
    CHECK_NEAR(r.brightness, 0.8, 1e-6);
    CHECK_NEAR(r.hue, 0.2, 1e-6);
    CHECK_NEAR(r.blur, 0.5, 0);
    r = sslh_recipe_moco();
    CHECK_NEAR(r.crop_min, 0.2, 1e-6);
    CHECK_NEAR(r.brightness, 0.4, 1e-6);
    CHECK_NEAR(r.hue, 0.1, 1e-6);
    CHECK_NEAR(r.blur, 0.5, 0);
    r = sslh_recipe_byol0();
    CHECK_NEAR(r.blur, 1, 0);
    CHECK_NEAR(r.solarize, 0, 0);
    CHECK_NEAR(r.saturation, 0.2, 1e-6);
    r = sslh_recipe_byol1();
    CHECK_NEAR(r.blur, 0.1, 1e-6);
    CHECK_NEAR(r.solarize, 0.2, 1e-6);
    r = sslh_recipe_mae();
    CHECK_NEAR(r.crop_min, 0.2, 1e-6);
    CHECK_NEAR(r.flip, 0.5, 0);
    CHECK_NEAR(r.jitter, 0, 0); /* colour jitter hurts here */
    r = sslh_recipe_rotation();
    CHECK(r.pad_crop == 4, "pad %d", r.pad_crop);
    CHECK_NEAR(r.flip, 0.5, 0);
}

static void has_widths(const sslh_method *m, const char *name, int rows, int columns) {
    const sslh_tensor *w = sslh_find(m->net, name);
    CHECK(w && w->shape[0] == rows && w->shape[1] == columns, "%s: %s is not (%d,%d)", m->name, name, rows, columns);
}
/* BYOL, SimSiam, Barlow Twins and VICReg behind 8 features. */
static void two_view_numbers(sslh_ctx *c) {
    sslh_data data = noise(c, 4, 16, 16, 3);
    sslh_method m = sslh_method_make(c, "byol", small(c, 3), data, "settings=paper");
    CHECK(m.defaults.optimizer.kind == SSLH_LARS && m.lr_scales && m.defaults.warmup == 10 && m.min_batch == 2, "BYOL");
    CHECK(m.defaults.lr == 0.3f && m.defaults.optimizer.weight_decay == 1e-6f, "300 epochs");
    has_widths(&m, "head.fc1.weight", 16, 8);
    has_widths(&m, "head.fc2.weight", 256, 16);
    has_widths(&m, "predictor.fc1.weight", 16, 256);
    has_widths(&m, "predictor.fc2.weight", 256, 16);
    CHECK(sslh_find(m.net, "head.bn1.weight") && !sslh_find(m.net, "head.bn2.running_mean") &&
          !sslh_find(m.net, "head.fc2.bias") && sslh_find(m.net, "target_encoder.conv1.weight"), "BYOL's heads");
    m = sslh_method_make(c, "simsiam", small(c, 3), data, "settings=paper");
    CHECK(m.defaults.optimizer.kind == SSLH_SGD && m.lr_scales && m.defaults.batch == 512 && m.defaults.warmup == 0 &&
          m.defaults.lr == 0.03f && m.defaults.optimizer.weight_decay == 5e-4f, "SimSiam's CIFAR recipe");
    CHECK(m.defaults.optimizer.constant_lr == 2, "the predictor's rate");
    has_widths(&m, "head.fc1.weight", 32, 8);
    has_widths(&m, "head.fc2.weight", 32, 32);
    has_widths(&m, "predictor.fc1.weight", 8, 32);
    has_widths(&m, "predictor.fc2.weight", 32, 8);
    CHECK(sslh_find(m.net, "head.bn2.running_mean") && !sslh_find(m.net, "head.bn2.weight") &&
          !sslh_find(m.net, "head.fc2.bias") && sslh_find(m.net, "predictor.bn1.weight") &&
          !sslh_find(m.net, "predictor.bn2.running_mean") && sslh_find(m.net, "predictor.fc2.bias"), "SimSiam's heads");
    m = sslh_method_make(c, "barlow", small(c, 3), data, "settings=paper");
    CHECK(m.defaults.optimizer.kind == SSLH_LARS && m.lr_scales && m.defaults.warmup == 10 && m.defaults.lr == 0.2f &&
          m.defaults.optimizer.weight_decay == 1e-6f, "Barlow Twins");
    has_widths(&m, "head.fc1.weight", 32, 8);
    has_widths(&m, "head.fc3.weight", 32, 32);
    CHECK(!sslh_find(m.net, "head.fc3.bias") && !sslh_find(m.net, "head.fc4.weight"), "its projector");
    m = sslh_method_make(c, "vicreg", small(c, 3), data, "settings=paper");
    CHECK(m.defaults.optimizer.kind == SSLH_LARS && m.lr_scales && m.defaults.warmup == 10 && m.defaults.lr == 0.2f &&
          m.defaults.optimizer.weight_decay == 1e-6f, "VICReg");
    has_widths(&m, "head.fc3.weight", 32, 32);
    CHECK(!sslh_find(m.net, "head.fc3.bias") && !sslh_find(m.net, "head.fc4.weight"), "its expander");
    CHECK_OK(c);
}

/* SupCon, NNCLR, SwAV and DINO behind 8 features. */
static void contrastive_numbers(sslh_ctx *c) {
    sslh_data data = noise(c, 4, 16, 16, 3);
    sslh_method m = sslh_method_make(c, "supcon", small(c, 3), data, "settings=paper");
    CHECK(m.defaults.optimizer.kind == SSLH_SGD && m.lr_scales && m.defaults.warmup == 10 && m.defaults.lr == 0.125f &&
          m.defaults.optimizer.weight_decay == 1e-4f && m.defaults.batch == 256, "SupCon: 0.5 for a batch of 1024");
    has_widths(&m, "head.fc1.weight", 8, 8);
    has_widths(&m, "head.fc2.weight", 128, 8);
    CHECK(sslh_find(m.net, "head.fc2.bias") && !sslh_find(m.net, "head.bn1.weight"), "its head");
    m = sslh_method_make(c, "fixmatch", small(c, 3), data, "settings=paper");
    CHECK(m.defaults.optimizer.kind == SSLH_SGD && m.defaults.optimizer.nesterov && !m.lr_scales &&
          m.defaults.lr == 0.03f && m.defaults.optimizer.weight_decay == 5e-4f && m.defaults.batch == 448,
          "FixMatch: 64 labelled images and 7 times as many others");
    has_widths(&m, "head.fc1.weight", 3, 8);
    m = sslh_method_make(c, "nnclr", small(c, 3), data, "settings=paper");
    CHECK(m.defaults.optimizer.kind == SSLH_LARS && m.lr_scales && m.defaults.warmup == 10 && m.defaults.lr == 0.3f &&
          m.defaults.optimizer.weight_decay == 1e-6f, "NNCLR");
    has_widths(&m, "queue", 4096, 256);
    has_widths(&m, "head.fc1.weight", 8, 8);
    has_widths(&m, "head.fc3.weight", 256, 8);
    has_widths(&m, "predictor.fc1.weight", 16, 256);
    has_widths(&m, "predictor.fc2.weight", 256, 16);
    CHECK(sslh_find(m.net, "head.bn3.weight") && !sslh_find(m.net, "predictor.bn2.weight"), "NNCLR's heads");
    m = sslh_method_make(c, "swav", small(c, 3), data, "settings=paper");
    CHECK(m.defaults.optimizer.kind == SSLH_LARS && m.lr_scales && m.defaults.warmup == 0 && m.defaults.lr == 0.6f &&
          m.defaults.optimizer.weight_decay == 1e-6f, "SwAV: the recipe for batches of 256");
    has_widths(&m, "queue", 3840, 256); /* two views side by side */
    has_widths(&m, "head.fc1.weight", 8, 8);
    has_widths(&m, "head.fc2.weight", 128, 8);
    has_widths(&m, "prototypes.fc1.weight", 512, 128);
    CHECK(sslh_find(m.net, "head.bn1.weight") && sslh_find(m.net, "head.fc2.bias") &&
          !sslh_find(m.net, "head.bn2.weight") &&
          !sslh_find(m.net, "prototypes.fc1.bias"), "SwAV's heads");
    m = sslh_method_make(c, "dino", small(c, 3), data, "settings=paper");
    CHECK(m.defaults.optimizer.kind == SSLH_ADAMW && m.lr_scales && m.defaults.warmup == 10 && m.defaults.lr == 5e-4f &&
          m.defaults.optimizer.weight_decay == 0.04f && m.defaults.optimizer.clip == 3, "DINO");
    has_widths(&m, "head.fc1.weight", 32, 8);
    has_widths(&m, "head.fc2.weight", 32, 32);
    has_widths(&m, "head.fc3.weight", 256, 32);
    has_widths(&m, "last.fc1.weight", 4096, 256);
    CHECK(!sslh_find(m.net, "last.fc1.bias") && !sslh_find(m.net, "head.bn1.weight") &&
          sslh_find(m.net, "target_last.fc1.weight"),
          "DINO's head");
    CHECK_OK(c);
}

static void method_numbers(void) {
    sslh_ctx *c = create(1);
    sslh_rotation_desc rd;
    sslh_simclr_desc sd;
    sslh_autoencoder_desc ad;
    sslh_vae_desc vd;
    sslh_mae_desc md;
    sslh_vit_desc td;
    sslh_jigsaw_desc jd;
    sslh_context_desc cd;
    sslh_inpainting_desc id;
    sslh_colorization_desc ld;
    sslh_gan_desc gd;
    sslh_next_frame_desc nd;
    sslh_frame_order_desc od;
    sslh_method m;
    sslh_net *vit;
    int i;
    memset(&ad, 0, sizeof ad);
    memset(&id, 0, sizeof id);
    memset(&gd, 0, sizeof gd);
    memset(&jd, 0, sizeof jd);
    memset(&cd, 0, sizeof cd);
    memset(&ld, 0, sizeof ld);
    memset(&rd, 0, sizeof rd);
    memset(&sd, 0, sizeof sd);
    memset(&vd, 0, sizeof vd);
    memset(&md, 0, sizeof md);
    memset(&td, 0, sizeof td);
    rd.settings = jd.settings = cd.settings = id.settings = "paper";
    ld.settings = sd.settings = vd.settings = md.settings = "paper";
    m = sslh_rotation(c, small(c, 3), rd);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_SGD && m.defaults.optimizer.nesterov && m.defaults.batch == 128,
          "rotation's optimiser");
    CHECK_NEAR(m.defaults.lr, 0.1, 1e-7);
    CHECK_NEAR(m.defaults.optimizer.weight_decay, 5e-4, 1e-9);
    CHECK_NEAR(m.defaults.milestones[0], 60.0 / 200, 1e-6);
    CHECK_NEAR(m.defaults.milestones[1], 120.0 / 200, 1e-6);
    CHECK_NEAR(m.defaults.milestones[2], 160.0 / 200, 1e-6);
    CHECK_NEAR(m.defaults.gamma, 0.2, 1e-7); /* 0.1, 0.02, 0.004, 0.0008 */
    m = sslh_jigsaw(c, small(c, 3), jd);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_SGD && m.defaults.batch == 256 && m.defaults.schedule == SSLH_STEPS,
          "jigsaw's optimiser");
    CHECK_NEAR(m.defaults.lr, 0.01, 1e-8);
    CHECK_NEAR(m.defaults.optimizer.weight_decay, 5e-4, 1e-9);
    for (i = 0; i < 3; i++) CHECK_NEAR(m.defaults.milestones[i], (i + 1) * 100.0 / 350, 1e-4); /* thousand steps */
    CHECK_NEAR(m.defaults.gamma, 0.1, 1e-8);
    CHECK(sslh_find(m.net, "permutations")->shape[0] == 100 && sslh_find(m.net, "permutations")->shape[1] == 9,
          "100 permutations of 9 tiles");
    CHECK(sslh_find(m.net, "head.fc1.weight")->shape[1] == 9 * 8 &&
              sslh_find(m.net, "head.fc2.weight")->shape[0] == 100,
          "the head reads 9 features");
    m = sslh_context(c, small(c, 3), cd);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_SGD && m.defaults.batch == 512 && m.lr_scales && m.defaults.warmup == 5,
          "context's optimiser");
    CHECK_NEAR(m.defaults.lr * 512 / 256, 0.2, 1e-7);
    CHECK_NEAR(m.defaults.optimizer.weight_decay, 1e-4, 1e-9);
    CHECK_NEAR(m.defaults.milestones[0], 30.0 / 70, 1e-4);
    CHECK_NEAR(m.defaults.milestones[1], 50.0 / 70, 1e-4);
    CHECK(sslh_find(m.net, "head.fc1.weight")->shape[1] == 2 * 8 && sslh_find(m.net, "head.fc2.weight")->shape[0] == 8,
          "the head reads 2 features");
    id.tap = "block1";
    m = sslh_inpainting(c, small(c, 3), id);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_ADAM && m.defaults.batch == 64 && m.phases == 1, "inpainting's optimiser");
    CHECK_NEAR(m.defaults.lr, 10 * 2e-4, 1e-9);
    CHECK_NEAR(m.defaults.optimizer.beta1, 0.5, 0);
    id.adversarial = 0.001f;
    m = sslh_inpainting(c, small(c, 3), id);
    CHECK_NEAR(m.defaults.optimizer.group_lr[1] * m.defaults.lr, 2e-4, 1e-9); /* the discriminator's */
    CHECK(m.phases == 2 && m.groups[0] == 2 && m.groups[1] == ~2u, "the discriminator first");
    CHECK(sslh_find(m.net, "discriminator.fc.weight")->shape[1] == 4 * 32, "as wide as it is");
    memset(&nd, 0, sizeof nd), memset(&od, 0, sizeof od);
    nd.tap = "block1";
    m = sslh_next_frame(c, small(c, 3), nd);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_ADAM && m.defaults.batch == 32 && m.defaults.schedule == SSLH_COSINE &&
          m.phases == 1, "next_frame's optimiser");
    CHECK_NEAR(m.defaults.lr, 1e-3, 1e-9);
    CHECK_NEAR(m.defaults.optimizer.beta1, 0.5, 0);
    CHECK(sslh_find(m.net, "decoder.mix.weight")->shape[3] == 4 * sslh_find(m.net, "decoder.mix.weight")->shape[0],
          "the maps of 4 frames");
    m = sslh_frame_order(c, small(c, 3), od);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_ADAM && m.defaults.batch == 64 && !m.lr_scales, "frame_order's optimiser");
    CHECK_NEAR(m.defaults.lr, 1e-3, 1e-9);
    CHECK_NEAR(m.defaults.optimizer.weight_decay, 1e-4, 1e-9);
    has_widths(&m, "head.fc1.weight", 128, 3 * 8);
    has_widths(&m, "head.fc2.weight", 2, 128);
    gd.settings = "paper", gd.height = 64, gd.width = 28;
    m = sslh_gan(c, small(c, 3), gd); /* DCGAN's training */
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_ADAM && m.defaults.batch == 128 && m.phases == 2 && !m.lr_scales, "GAN");
    CHECK_NEAR(m.defaults.lr, 2e-4, 1e-9);
    CHECK_NEAR(m.defaults.optimizer.beta1, 0.5, 0);
    CHECK(m.defaults.schedule == SSLH_CONSTANT && m.groups[1] == 2 && !(m.groups[0] & 2), "the discriminator first");
    CHECK(sslh_find(m.net, "generator.fc.weight")->shape[0] == 16 * 7 * 64 && /* halved twice */
              sslh_find(m.net, "generator.deconv2.weight")->shape[0] == 32 &&
              sslh_find(m.net, "generator.fc.weight")->shape[1] == 100 && !sslh_find(m.net, "generator.deconv3.weight"),
          "the generator");
    m = sslh_colorization(c, small(c, 3), ld);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_ADAM && m.defaults.batch == 40, "colorization's optimiser");
    CHECK_NEAR(m.defaults.lr, 3e-5, 1e-10);
    CHECK_NEAR(m.defaults.optimizer.beta2, 0.99, 1e-7);
    CHECK_NEAR(m.defaults.optimizer.weight_decay, 1e-3, 1e-9);
    CHECK(sslh_find(m.net, "head.conv1.weight")->shape[0] == 128 &&
              sslh_find(m.net, "head.out.weight")->shape[0] == 261,
          "128 channels, 261 bins");
    m = sslh_simclr(c, small(c, 3), sd);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_LARS && m.lr_scales && m.min_batch == 2, "SimCLR's optimiser");
    CHECK_NEAR(m.defaults.lr, 1.0, 1e-7); /* the authors' CIFAR recipe: 1.0 x batch / 256, decay 1e-4 */
    CHECK_NEAR(m.defaults.optimizer.weight_decay, 1e-4, 1e-9);
    CHECK_NEAR(m.defaults.warmup, 10, 0);
    { /* the released head: hidden = width of the features, 3 layers, output 128, last batch norm without shift, last
         layer without bias */
        const sslh_tensor *last = NULL;
        char name[96];
        int i, n = sslh_count_tensors(m.net), param, shifts = 0, weights = 0;
        for (i = 0; i < n; i++) {
            sslh_tensor *t = sslh_tensor_at(m.net, i, name, sizeof name, &param);
            if (strncmp(name, "head.", 5) != 0 || !param) continue;
            if (t->ndim == 2) {
                last = t;
                weights++;
            } else shifts++;
        }
        CHECK(weights == 3, "%d layers in the head", weights);
        CHECK(last && last->shape[0] == 128 && last->shape[1] == 8, "last layer");
        CHECK(shifts >= 5, "%d vectors in the head", shifts);
    }
    two_view_numbers(c);
    ad.height = ad.width = 28;
    m = sslh_autoencoder(c, ad);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_ADAM && m.defaults.batch == 256 && m.defaults.epochs == 50 &&
              m.defaults.schedule == SSLH_CONSTANT && m.defaults.warmup == 0, "the autoencoder's training");
    CHECK_NEAR(m.defaults.lr, 1e-3, 1e-9);
    CHECK(sslh_net_query(m.net).params == 2 * (784 * 64 + 64 * 32 + 32 * 16) + 2 * (64 + 32) + 16 + 784,
          "784-64-32-16-32-64-784 has %d parameters", (int)sslh_net_query(m.net).params);
    contrastive_numbers(c);
    vd.height = vd.width = 28;
    m = sslh_vae(c, vd);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_ADAM && m.defaults.batch == 128 && m.defaults.schedule == SSLH_CONSTANT,
          "VAE's optimiser");
    CHECK_NEAR(m.defaults.lr, 1e-3, 1e-9);
    CHECK(sslh_net_query(m.net).params == 784 * 400 + 400 + 2 * (400 * 20 + 20) + 20 * 400 + 400 + 400 * 784 + 784,
          "784-400-20-400-784 has %d parameters", (int)sslh_net_query(m.net).params);
    td.image = 16;
    td.width = 24;
    td.depth = 1;
    vit = sslh_vit(c, td);
    m = sslh_mae(c, vit, md);
    CHECK_OK(c);
    CHECK(m.defaults.optimizer.kind == SSLH_ADAMW && m.lr_scales, "MAE's optimiser");
    CHECK_NEAR(m.defaults.lr, 1.5e-4, 1e-9);
    CHECK_NEAR(m.defaults.optimizer.beta2, 0.95, 1e-7);
    CHECK_NEAR(m.defaults.optimizer.weight_decay, 0.05, 1e-8);
    CHECK_NEAR(m.defaults.warmup, 40, 0);
    CHECK(sslh_find(m.net, "decoder.decoder_blocks.3.norm1.weight") &&
              !sslh_find(m.net, "decoder.decoder_blocks.4.norm1.weight"),
          "4 decoder blocks");
    sslh_destroy(c);
}

/* The values that text gives are those that a compiler makes of the same digits. */
static void training_bits(void) {
    sslh_ctx *c = create(1);
    sslh_data data = noise(c, 4, 16, 16, 3);
    sslh_vit_desc vd;
    sslh_method m;
    memset(&vd, 0, sizeof vd);
    vd.image = 16, vd.width = 24, vd.depth = 1;
    m = sslh_method_make(c, "rotation", small(c, 3), data, NULL);
    CHECK(m.defaults.lr == 0.1f && m.defaults.optimizer.weight_decay == 5e-4f && m.defaults.gamma == 0.2f, "rotation");
    CHECK(m.defaults.milestones[0] == 0.3f && m.defaults.milestones[1] == 0.6f && m.defaults.milestones[2] == 0.8f &&
          m.defaults.milestones[3] == 0, "rotation's milestones");
    m = sslh_method_make(c, "simclr", small(c, 3), data, "settings=paper");
    CHECK(m.defaults.lr == 1.0f && m.defaults.optimizer.weight_decay == 1e-4f && m.defaults.warmup == 10, "simclr");
    m = sslh_method_make(c, "vae", NULL, data, NULL);
    CHECK(m.defaults.lr == 1e-3f && m.defaults.warmup == 0 && m.defaults.optimizer.weight_decay == 0, "vae");
    m = sslh_method_make(c, "mae", sslh_vit(c, vd), data, "settings=paper");
    CHECK(m.defaults.lr == 1.5e-4f && m.defaults.optimizer.beta2 == 0.95f && m.defaults.optimizer.weight_decay == 0.05f,
          "mae");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* --- the comments at the declarations against the tables that the code reads
 * ------------------------------------------ */

static char *header; /* ssl.h */
static int header_load(void) {
    FILE *f = fopen("ssl.h", "rb");
    long n;
    if (!f) f = fopen("../ssl.h", "rb");
    if (!f) return 0;
    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    header = (char *)calloc((size_t)n + 1, 1);
    n = header ? (long)fread(header, 1, (size_t)n, f) : 0;
    fclose(f);
    return n > 0;
}
/* The text between the braces of "typedef struct NAME_desc {": malloced, NULL when there is none. */
static char *struct_body(const char *name) {
    char open[96], *at, *end, *body;
    snprintf(open, sizeof open, "typedef struct %s_desc {", name);
    at = strstr(header, open);
    snprintf(open, sizeof open, "} %s_desc;", name);
    end = at ? strstr(at, open) : NULL;
    if (!at || !end) return NULL;
    at = strchr(at, '{') + 1;
    body = (char *)calloc((size_t)(end - at) + 1, 1);
    memcpy(body, at, (size_t)(end - at));
    return body;
}
static int in_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
/* The comment behind the declaration of a field, on one line, into out; 0 when there is no such field or comment. */
static int field_comment(const char *body, const char *field, char *out, size_t size) {
    size_t n = strlen(field), used = 0;
    const char *at = body, *end;
    for (;; at += n) {
        at = strstr(at, field);
        if (!at) return 0;
        if (at > body && !in_word(at[-1]) && (at[n] == ';' || at[n] == '[')) break;
    }
    at = strstr(at, "/*");
    end = at ? strstr(at, "*/") : NULL;
    if (!end) return 0;
    for (at += 2; at < end && used + 1 < size; at++)
        if ((*at != ' ' && *at != '\n') || (used && out[used - 1] != ' ')) out[used++] = *at == '\n' ? ' ' : *at;
    out[used] = 0;
    return 1;
}
/* The word behind "default ", SSLH_VIEWS_SIMCLR as simclr. */
static const char *comment_default(const char *comment) {
    static char word[64];
    const char *at = strstr(comment, "default ");
    size_t n = 0;
    if (!at) return "nothing";
    at += strlen("default ");
    if (strncmp(at, "SSLH_VIEWS_", 11) == 0) at += 11;
    while (n + 1 < sizeof word && (in_word(*at) || *at == '-' || (*at == '.' && in_word(at[1])))) {
        word[n++] = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
        at++;
    }
    word[n] = 0;
    return word;
}
/* The second word of the line of text that begins with name. */
static const char *described(const char *text, const char *name) {
    static char word[64];
    char line[64];
    const char *at;
    snprintf(line, sizeof line, "\n%s ", name);
    at = strstr(text, line);
    word[0] = 0;
    if (at) sscanf(at + strlen(line), "%63s", word);
    return word;
}

/* The comment at the function says "Training: .. Paper: .." as the table does, line breaks aside. */
static void said_training(const sslh_method_info *m) {
    char open[96], text[4096], want[640];
    const char *at, *end;
    size_t used = 0;
    snprintf(open, sizeof open, "} %s_desc;", m->function);
    at = strstr(header, open);
    snprintf(open, sizeof open, "%s(sslh_ctx *c,", m->function);
    end = at ? strstr(at, open) : NULL;
    if (!CHECK(end != NULL, "%s is not declared behind its descriptor", m->function)) return;
    for (; at < end && used + 1 < sizeof text; at++)
        if ((*at != ' ' && *at != '\n') || (used && text[used - 1] != ' ')) text[used++] = *at == '\n' ? ' ' : *at;
    text[used] = 0;
    snprintf(want, sizeof want, "Training: %s. Paper: %s. */", m->training,
             m->paper_training[0] ? m->paper_training : "the same");
    CHECK(strstr(text, want) != NULL, "%s: the comment does not say \"%s\"", m->function, want);
}
/* Section 13 of the manual has its name in the row of its family. */
static void in_the_manual(const sslh_method_info *m) {
    const char *at = strstr(header, "\n   13  THE METHODS"), *end = at ? strstr(at, "\n   14  ") : NULL, *from;
    char family[64], word[64], line[256] = "";
    int found = 0;
    snprintf(family, sizeof family, "\n     %s  ", m->family);
    snprintf(word, sizeof word, " %s", m->name);
    at = at ? strstr(at, family) : NULL;
    if (at && at < end) snprintf(line, sizeof line, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
    for (from = line; !found && (from = strstr(from, word)) != NULL;) {
        from += strlen(word);
        found = strchr(", ", *from) != NULL; /* the end of the line too */
    }
    CHECK(found, "%s is not in its family's row of section 13 of the manual", m->name);
}

static void comments_say_the_defaults(void) {
    static const char *const general[] = {"epochs", "batch",      "lr",    "schedule",
                                          "warmup", "milestones", "gamma", "optimizer"};
    static const char *const defaults[] = {"10", "256", "0.03", "cosine", "0", "none", "0.1", "sgd"};
    const sslh_method_info *m;
    char comment[1024], text[8192], *body;
    int i, fields;
    if (!CHECK(header_load(), "ssl.h is not here")) return;
    for (m = sslh_methods(NULL); m->name; m++) {
        const char *at;
        text[0] = '\n';
        sslh_method_describe(m->name, text + 1, sizeof text - 1);
        body = struct_body(m->function);
        if (!CHECK(body != NULL, "%s has no descriptor", m->function)) continue;
        for (i = 0; i < m->settings_count; i++) {
            const sslh_setting *s = &m->settings[i];
            const char *said;
            if (!CHECK(field_comment(body, s->name, comment, sizeof comment), "%s: .%s has no comment", m->name,
                       s->name))
                continue;
            said = comment_default(comment);
            CHECK(strcmp(said, s->standard) == 0, "%s: .%s: the comment says default %s, the table %s", m->name,
                  s->name, said, s->standard);
            CHECK(strcmp(described(text, s->name), s->standard) == 0, "%s: .%s: described as %s", m->name, s->name,
                  described(text, s->name));
            if ((s->kind == SSLH_SETTING_INT || s->kind == SSLH_SETTING_REAL) && strncmp(s->range, "at least ", 9) != 0)
                CHECK(strstr(comment, s->range) != NULL, "%s: .%s: the comment does not say \"%s\"", m->name, s->name,
                      s->range);
        }
        /* no field is missing in the table: semicolons outside of comments */
        for (fields = 0, at = body; *at; at++) {
            if (at[0] == '/' && at[1] == '*') at = strstr(at, "*/") + 1;
            else fields += *at == ';';
        }
        CHECK(fields == m->settings_count, "%s: %d fields, %d in the table", m->name, fields, m->settings_count);
        free(body);
        said_training(m);
        in_the_manual(m);
    }
    /* The general defaults of training: a method of the user's says what a run uses that nobody told anything. */
    body = struct_body("sslh_train");
    if (CHECK(body != NULL, "sslh_train_desc")) {
        sslh_ctx *c = create(1);
        sslh_method own = sslh_method_new(c, "own", small(c, 3), NULL, 0);
        sslh_method_print(&own, text, sizeof text);
        for (i = 0; i < (int)(sizeof general / sizeof general[0]); i++) {
            CHECK(field_comment(body, general[i], comment, sizeof comment), "sslh_train_desc.%s", general[i]);
            CHECK(strcmp(comment_default(comment), defaults[i]) == 0, "sslh_train_desc.%s: default %s", general[i],
                  comment_default(comment));
        }
        CHECK(strstr(text, "; epochs=10 batch=256 lr=0.03 schedule=cosine warmup=0 optimizer=sgd weight_decay=0"), "%s",
              text);
        sslh_destroy(c);
    }
#if SSLH_WITH_VAE /* it leaves these to the general table */
    text[0] = '\n';
    sslh_method_describe("vae", text + 1, sizeof text - 1);
    CHECK(strcmp(described(text, "epochs"), "10") == 0 && strcmp(described(text, "gamma"), "0.1") == 0 &&
          strcmp(described(text, "milestones"), "none") == 0, "%s", text);
#endif
    free(body);
    free(header);
}

static void settings_are_printed(void) {
    sslh_ctx *c = create(1);
    sslh_simclr_desc sd;
    sslh_method m;
    char text[512];
    memset(&sd, 0, sizeof sd);
    m = sslh_simclr(c, small(c, 3), sd);
    sslh_method_print(&m, text, sizeof text);
    CHECK(strstr(text, "simclr: encoder convnet, ") == text &&
              strstr(text, "; numbers: top-1; epochs=10 batch=256 lr=0.3 schedule=cosine warmup=1 optimizer=sgd "
                           "weight_decay=0 temperature=0.2 head_layers=3 head_hidden=8 head_out=128 "),
          "%s", text);
    CHECK(sslh_method_print(&m, NULL, 100) == strlen(text) && sslh_method_print(&m, text, 0) == strlen(text),
          "nowhere to print to");
    sslh_recipe_print(SSLH_VIEWS_SIMCLR, text, sizeof text);
    CHECK(strstr(text, "0.08"), "%s", text);
    sslh_destroy(c);
}

#if SSLH_WITH_SIMCLR && SSLH_WITH_ROTATION && SSLH_WITH_VAE && SSLH_WITH_MAE
static sslh_net *one_block(sslh_ctx *c) {
    sslh_vit_desc d;
    memset(&d, 0, sizeof d);
    d.image = 16, d.width = 24, d.depth = 1;
    return sslh_vit(c, d);
}
static sslh_net *encoder_of(sslh_ctx *c, const char *name) {
    sslh_conv_gru_desc g;
    sslh_transformer_desc t;
    memset(&g, 0, sizeof g), memset(&t, 0, sizeof t);
    g.width = g.context = 8;
    t.kind = SSLH_BERT, t.vocabulary = 110, t.width = 8, t.depth = 1;
    return strcmp(name, "electra") == 0 ? sslh_transformer(c, t)
           : strcmp(name, "vae") == 0 || strcmp(name, "autoencoder") == 0 ? NULL
           : strcmp(name, "mae") == 0 || strcmp(name, "jepa") == 0 ? one_block(c)
           : strcmp(name, "cpc") == 0 ? sslh_conv_gru(c, g)
                                      : small(c, 3);
}
static sslh_method made(sslh_ctx *c, const char *name, const char *settings) {
    return sslh_method_make(c, name, encoder_of(c, name), noise(c, 8, 16, 16, 3), settings);
}

/* SSLH_OFF in a switch of a method is 0: the method prints the same as without it. */
static void switches_are_off(void) {
    int n, i, k, j, turn, tried = 0;
    const sslh_method_info *all = sslh_methods(&n);
    for (i = 0; i < n; i++)
        for (k = 0; k < all[i].settings_count; k++) {
            const sslh_setting *s = all[i].settings;
            char text[2][600];
            if (s[k].kind != SSLH_SETTING_FLAG || !all[i].make || strcmp(all[i].name, "cpc2") == 0) continue;
            for (turn = 0; turn < 2; turn++) {
                union { double aligned; const char *text; char bytes[1024]; } desc;
                sslh_ctx *c = create(1);
                sslh_method m;
                memset(&desc, 0, sizeof desc);
                for (j = 0; j < all[i].settings_count; j++) /* of the encoder's maps the last is too small */
                    if (strcmp(all[i].encoder, "map") == 0 && strcmp(s[j].name, "tap") == 0)
                        *(const char **)(void *)(desc.bytes + s[j].offset) = "block1";
                if (turn) *(int *)(void *)(desc.bytes + s[k].offset) = SSLH_OFF;
                m = all[i].make(c, encoder_of(c, all[i].name), noise(c, 8, 16, 16, 3), desc.bytes);
                sslh_method_print(&m, text[turn], sizeof text[turn]);
                CHECK(all[i].desc_size <= sizeof desc, "a larger descriptor");
                CHECK_OK(c);
                sslh_destroy(c);
            }
            tried++;
            CHECK(strcmp(text[0], text[1]) == 0, "%s, .%s:\n%s\n%s", all[i].name, s[k].name, text[0], text[1]);
        }
    CHECK(tried > 20, "%d switches", tried);
}

/* The printed line is text for the method: what is made of it prints the same line. */
static void a_line_is_read_back(void) {
    static const char *const settings[][2] = {
        {"simclr", ""},
        {"simclr", "optimizer=sgd lr=0.3 momentum=0 clip=2 temperature=0.2 batch=64 epochs=3 warmup=7"},
        {"rotation", ""},
        {"rotation", "tap=block1,schedule=steps milestones=none"},
        {"jigsaw", ""},
        {"context", ""},
        {"context", "gap=0 jitter=0 pixelate=0.5 patch=4 projection=1"},
        {"jigsaw", "grid=2 tile=5 channel_shift=0 grey=0 permutations=10"},
        {"inpainting", "tap=block1 hole=1 overlap=0 adversarial=0.5"},
        {"inpainting", "tap=block1 hole=4 ring_weight=1 lr=1e-4 channelwise=3"},
        {"colorization", ""},
        {"colorization", "reverse=1 cell=2 neighbours=10 sigma=3 lambda=1 temperature=1 head_hidden=5 tap=block1"},
        {"autoencoder", "noise=3 amount=0.5 sparse=1 layers=2 hidden=9 latent=3 tied_weights=1"},
        {"vae", "beta=0 gaussian=1 hidden=9 latent=3"},
        {"vae", "gaussian=1 sigma=0.1 learn_sigma=1 codes=50 layers=2 convolutions=1 maps=3 binarize=1"},
        {"gan", "loss=3 bound=3 clip_at=0.5 critic=2 latent=7 generator=2 generator_width=9 average=0"},
        {"cpc", "steps=4 from=2 negatives=10 lr=0.001"},
        {"cpc2", "allow_batch_norm=1"},
        {"cpc2", "allow_batch_norm=1 directions=2 side=24 patch=8 stride=4 first=1 steps=2 from=1 drop=0.5 scale=1"},
        {"jepa", "targets=2 target_max=0.5 decay_rise=1 predictor_depth=1 views=mae"},
        {"mae", "mask=0.5 weight_decay=0 batch=100"},
        {"next_frame", "tap=block1 frames=2 step=3 norm=1 gradient=0.5 residual=1"},
        {"frame_order", "task=2 gap=3 tries=1 cells=2 head_hidden=7 no_head_norm=1"}};
    int i;
    for (i = 0; i < (int)(sizeof settings / sizeof settings[0]); i++) {
        sslh_ctx *c = create(1);
        sslh_method m = made(c, settings[i][0], settings[i][1]);
        char first[600], again[600];
        sslh_method_print(&m, first, sizeof first);
        m = made(c, settings[i][0], strrchr(first, ';') + 1);
        sslh_method_print(&m, again, sizeof again);
        CHECK_OK(c);
        CHECK(strcmp(first, again) == 0, "\n%s\n%s", first, again);
        CHECK(!!strstr(first, "milestones=") == (i >= 2 && i <= 7), "%s", first);
        sslh_destroy(c);
    }
}

/* .settings of the descriptor and of text: the paper's numbers for fields that are 0 and for the training; what is
   given counts more. */
static void named_settings(void) {
    static const char refused[] = "sslh_simclr: .settings is \"long\" (short, paper)";
    sslh_ctx *c = create(1);
    sslh_simclr_desc d;
    sslh_moco_desc mo;
    sslh_method m, of_text;
    char text[600], again[600];
    memset(&d, 0, sizeof d);
    m = sslh_simclr(c, small(c, 3), d);
    CHECK(m.defaults.optimizer.kind == SSLH_SGD && m.defaults.lr == 0.3f, "the default is short");
    d.settings = "short";
    m = sslh_simclr(c, small(c, 3), d);
    CHECK(m.defaults.optimizer.kind == SSLH_SGD && m.defaults.lr == 0.3f, "short");
    d.settings = "paper";
    m = sslh_simclr(c, small(c, 3), d);
    of_text = made(c, "simclr", "settings=short,settings=paper");
    sslh_method_print(&m, text, sizeof text);
    sslh_method_print(&of_text, again, sizeof again);
    CHECK(strcmp(text, again) == 0 && strstr(text, "lr=1 ") && strstr(text, "optimizer=lars") &&
              strstr(text, "temperature=0.5") && strstr(text, "settings=paper"), "%s\n%s", text, again);
    d.temperature = 0.1f;
    m = sslh_simclr(c, small(c, 3), d);
    sslh_method_print(&m, text, sizeof text);
    CHECK(strstr(text, "temperature=0.1 ") != NULL, "given: %s", text);
    m = made(c, "simclr", "lr=0.7,settings=paper");
    CHECK(m.defaults.lr == 0.7f && !m.lr_scales && m.defaults.optimizer.kind == SSLH_LARS, "a rate of one's own");
    memset(&mo, 0, sizeof mo);
    mo.version = 3;
    m = sslh_moco(c, small(c, 3), mo);
    CHECK(m.defaults.optimizer.kind == SSLH_SGD && m.defaults.warmup == 10, "MoCo v3, short");
    mo.settings = "paper";
    m = sslh_moco(c, small(c, 3), mo);
    CHECK(m.defaults.optimizer.kind == SSLH_LARS && m.defaults.lr == 0.6f && m.lr_scales, "MoCo v3, paper");
    CHECK_OK(c);
    d.settings = "long";
    sslh_simclr(c, small(c, 3), d);
    CHECK(sslh_error(c) && strcmp(sslh_error(c), refused) == 0, "%s", sslh_error(c));
    sslh_clear_error(c);
    made(c, "simclr", "settings=long");
    CHECK(sslh_error(c) && strstr(sslh_error(c), "settings=long is not allowed: it must be one of short, paper"), "%s",
          sslh_error(c));
    sslh_destroy(c);
}

/* Of a field that is given twice the last value counts, and auto is the method's own. */
static void the_last_value_counts(void) {
    sslh_ctx *c = create(1);
    sslh_method m = made(c, "simclr", "settings=paper,lr=0.3,lr=auto,optimizer=sgd,optimizer=lars,warmup=3,warmup=auto,"
                               "batch=8,batch=9");
    CHECK(m.defaults.lr == 1 && m.lr_scales == 1, "lr");
    CHECK(m.defaults.warmup == 10 && m.defaults.batch == 9, "warmup, batch");
    CHECK(m.defaults.optimizer.kind == SSLH_LARS && m.defaults.optimizer.weight_decay == 1e-4f, "LARS");
    m = made(c, "simclr", "settings=paper,optimizer=sgd,optimizer=auto,lr_scales=1,lr_scales=auto,lr=0.5");
    CHECK(m.defaults.optimizer.kind == SSLH_LARS && m.defaults.optimizer.weight_decay == 1e-4f && !m.lr_scales, "auto");
    m = made(c, "simclr", "weight_decay=3,weight_decay=auto,optimizer=adam");
    CHECK(m.defaults.optimizer.kind == SSLH_ADAM && m.defaults.optimizer.weight_decay == 0, "Adam");
    m = made(c, "rotation", "milestones=0.1:0.2,milestones=auto");
    CHECK(m.defaults.milestones[0] == 0.3f && m.defaults.milestones[2] == 0.8f, "milestones");
    made(c, "simclr", "views=moco,views=moco,views=moco,views=moco,views=moco,views=none");
    made(c, "rotation", "tap=block1,tap=block2,tap=auto,tap=block1");
    CHECK_OK(c);
    m = made(c, "vae", "channels=data,hidden=3,latent=2");
    CHECK(sslh_net_query(m.encoder).channels == 3, "the data's channels");
    CHECK_OK(c);
    sslh_destroy(c);
}

static void sentences_about_text(void) {
    static const char *const wrong[][3] = {
        {"mae", "decoder_depth=2147483647",
         "decoder_depth=2147483647 is not allowed: it must be a whole number from 1 to 256"},
        {"mae", "decoder_width=65540", "from 4 to 65536"},
        {"mae", "decoder_heads=65537", "from 1 to 65536"},
        {"vae", "hidden=1048577", "from 1 to 1048576"},
        {"vae", "latent=2147483647", "from 1 to 1048576"},
        {"vae", "codes=1001", "from 1 to 1000"},
        {"vae", "sigma=0", "from 0.001 to 1000"},
        {"simclr", "head_hidden=2147483647", "from 1 to 1048576"},
        {"simclr", "head_out=2147483648",
         "head_out=2147483648 is not allowed: it must be a whole number from 1 to 1048576"},
        {"simclr", "temperature=0",
         "sslh_method_make: simclr: temperature=0 is not allowed: it must be a number above 0"},
        {"simclr", "views=nope", "views=nope is not allowed: it must be one of none, simclr, "},
        {"simclr", "views=simclr:2", "views=simclr:2 is not allowed"},
        {"simclr", "views=simclr:", "views=simclr: is not allowed"},
        {"simclr", "views=:0.3", "views=:0.3 is not allowed"},
        {"simclr", "temperature=", "no value after \"temperature=\""},
        {"simclr", "=3", "no name before \"=3\""},
        {"simclr", "temperature=0,2", "numbers take a decimal point"},
        {"simclr", "lr=0,3", "\"3\" is not name=value (commas separate settings: numbers take a decimal point"},
        {"simclr", "milestones=0.3,0.6", "\"0.6\" is not name=value (commas separate settings"},
        {"simclr", "milestones=0.6:0.3",
         "up to 7 ascending numbers with colons between them, each above 0 and below 1"},
        {"simclr", "milestones=0.3:0.3", "ascending"},
        {"simclr", "milestones=0.3:1e-60", "ascending"},
        {"simclr", "milestones=1e-60", "above 0"},
        {"simclr", "milestones=0.99999999999", "below 1"},
        {"simclr", "schedule=steps", "schedule=steps needs the places of the steps: give milestones"},
        {"rotation", "tap=no\001where", "no intermediate result 'no?where' (it has: block1, block2"}};
    sslh_ctx *c = create(1);
    sslh_train_desc t = quiet(4);
    sslh_data none;
    char *big = (char *)calloc(3000001, 1);
    int i;
    for (i = 0; i < (int)(sizeof wrong / sizeof wrong[0]); i++) {
        made(c, wrong[i][0], wrong[i][1]);
        CHECK_ERROR(c, wrong[i][2]);
    }
    memset(big, 'x', 3000000);
    memcpy(big, "tap=", 4);
    made(c, "rotation", big);
    CHECK_ERROR(c, "xxx...' (it has: block1, block2");
    free(big);
    sslh_method_make(c, NULL, NULL, noise(c, 8, 16, 16, 3), NULL);
    CHECK_ERROR(c, "the name is NULL");
    sslh_method_make(c, "vae", small(c, 3), noise(c, 8, 16, 16, 3), NULL);
    CHECK_ERROR(c, "vae makes its own encoder");
    memset(&none, 0, sizeof none);
    sslh_train(c, made(c, "simclr", ""), none, t);
    CHECK_ERROR(c, "sslh_train: the data set is empty");
    sslh_destroy(c);
}
#endif

/* Loss at the start, when nothing is known yet: methods.md 0.1. */
static void losses_at_the_start(void) {
    sslh_ctx *c = create(3);
    sslh_data data = noise(c, 64, 16, 16, 3);
    sslh_rotation_desc rd;
    sslh_jigsaw_desc jd;
    sslh_context_desc cd;
    sslh_colorization_desc ld;
    sslh_simclr_desc sd;
    sslh_vae_desc vd;
    sslh_train_desc t = quiet(32);
    memset(&jd, 0, sizeof jd);
    memset(&cd, 0, sizeof cd);
    memset(&ld, 0, sizeof ld);
    memset(&rd, 0, sizeof rd);
    memset(&sd, 0, sizeof sd);
    memset(&vd, 0, sizeof vd);
    t.max_steps = 1;
    CHECK_NEAR(sslh_train(c, sslh_rotation(c, small(c, 3), rd), data, t), log(4.0), 0.4);
    CHECK_NEAR(sslh_train(c, sslh_jigsaw(c, small(c, 3), jd), data, t), log(100.0), 0.6);
    CHECK_NEAR(sslh_train(c, sslh_context(c, small(c, 3), cd), data, t), log(8.0), 0.4);
    ld.lambda = 1;
    CHECK_NEAR(sslh_train(c, sslh_colorization(c, small(c, 3), ld), data, t), log(261.0), 0.6);
    sd.temperature = 0.5f; /* a lower one punishes what is alike by chance */
    CHECK_NEAR(sslh_train(c, sslh_simclr(c, small(c, 3), sd), data, t), log(2.0 * 32 - 1), 0.6);
    vd.height = vd.width = 16;
    vd.channels = 3;
    CHECK_NEAR(sslh_train(c, sslh_vae(c, vd), data, t), 16 * 16 * 3 * log(2.0), 40);
    CHECK_OK(c);
    sslh_destroy(c);
}

static void pitfalls_are_errors(void) {
    sslh_ctx *c = create(1);
    sslh_rotation_desc rd;
    sslh_simclr_desc sd;
    sslh_vae_desc vd;
    sslh_mae_desc md;
    sslh_vit_desc td;
    memset(&rd, 0, sizeof rd);
    memset(&sd, 0, sizeof sd);
    memset(&vd, 0, sizeof vd);
    memset(&md, 0, sizeof md);
    memset(&td, 0, sizeof td);

    sslh_train(c, sslh_rotation(c, small(c, 3), rd), noise(c, 8, 16, 20, 3), quiet(4));
    CHECK_ERROR(c, "only square images");
    rd.rotations = 3;
    sslh_rotation(c, small(c, 3), rd);
    CHECK_ERROR(c, "(4 or 2)");
    rd.rotations = 0;
    sslh_rotation(c, NULL, rd);
    CHECK_ERROR(c, "the encoder is NULL");
    rd.tap = "nowhere";
    sslh_rotation(c, small(c, 3), rd);
    CHECK_ERROR(c, "nowhere");

    sslh_train(c, sslh_simclr(c, small(c, 3), sd), noise(c, 8, 16, 16, 3), quiet(1));
    CHECK_ERROR(c, "the other samples of the batch are the negatives");
    {
        sslh_method own = sslh_simclr(c, small(c, 3), sd);
        own.info = NULL, own.min_batch = 3;
        sslh_train(c, own, noise(c, 8, 16, 16, 3), quiet(2));
        CHECK_ERROR(c, "a batch of 2; at least 3 are needed (.min_batch)");
    }
#if SSLH_WITH_BARLOW
    {
        sslh_barlow_desc bd;
        memset(&bd, 0, sizeof bd);
        sslh_train(c, sslh_barlow(c, small(c, 3), bd), noise(c, 8, 16, 16, 3), quiet(1));
        CHECK_ERROR(c, "a batch of 1; at least 2 are needed, because a single sample has no statistics of a batch");
    }
#endif
    sd.temperature = -1.0f;
    sslh_simclr(c, small(c, 3), sd);
    CHECK_ERROR(c, "sslh_simclr: .temperature is -1 (above 0)");
    sd.temperature = 0;
    sd.head_layers = 9;
    sslh_simclr(c, small(c, 3), sd);
    CHECK_ERROR(c, "sslh_simclr: .head_layers is 9 (1 to 7)");

    sslh_vae(c, vd);
    CHECK_ERROR(c, ".height must be given (1 to 4096)");
    vd.height = vd.width = 8;
    sslh_train(c, sslh_vae(c, vd), noise(c, 8, 16, 16, 3), quiet(4));
    CHECK_ERROR(c, "made for images of 8 x 8 x 1, the data has 16 x 16 x 3");

    sslh_mae(c, small(c, 3), md);
    CHECK_ERROR(c, "has no patches");
    td.image = td.patch = 16;
    td.width = 24;
    td.depth = 1;
    sslh_mae(c, sslh_vit(c, td), md);
    CHECK_ERROR(c, "leaves 0 of 1 patches visible");
    td.patch = 5;
    sslh_vit(c, td);
    CHECK_ERROR(c, "do not divide");
    sslh_destroy(c);
}

/* The trainer and the probes refuse nonsense by name and leave the net as it was. */
static void misuse_of_the_trainer(void) {
    sslh_ctx *c = create(1), *other = create(2);
    sslh_simclr_desc sd;
    sslh_train_desc t = quiet(4);
    sslh_probe_desc p;
    sslh_net *net;
    sslh_method m;
    uint64_t before;
    memset(&sd, 0, sizeof sd);
    memset(&p, 0, sizeof p);
    net = small(c, 3);
    m = sslh_simclr(c, net, sd);
    before = sslh_hash(net);
    sslh_train(c, m, noise(other, 8, 16, 16, 3), t);
    CHECK_ERROR(c, "the data set belongs to another context");
    sslh_train(other, m, noise(other, 8, 16, 16, 3), t);
    CHECK_ERROR(other, "the method belongs to another context");
    t.epochs = -2;
    sslh_train(c, m, noise(c, 8, 16, 16, 3), t);
    CHECK_ERROR(c, "sslh_train: .epochs is -2 (at least 1)");
    sslh_train(c, m, noise(c, 8, 16, 16, 1), quiet(4));
    CHECK(sslh_error(c) != NULL, "one-channel images for a three-channel encoder");
    sslh_clear_error(c);
    CHECK(sslh_hash(net) == before, "a failed run changed the net");
    {
        sslh_data d = noise(c, 8, 16, 16, 3);
        d.labels = NULL;
        sslh_linear_probe(c, net, d, d, p);
        CHECK_ERROR(c, "no labels");
    }
    sslh_destroy(c);
    sslh_destroy(other);
}

/* The Frechet distance of sets whose means and covariances are known: points mean +- each axis, so that the covariance
   of n = 2 D points is 2 / (n-1) times the sum of the axes' outer products. */
static void frechet(void) {
    static const float axes[3][2][2] = {{{2, 0}, {0, 3}}, {{1, 0}, {0, 5}}, {{3, 1}, {-1, 2}}};
    sslh_ctx *c = create(1);
    sslh_tensor *x[3], *other, *far_off;
    int i, j, k, pair;
    for (i = 0; i < 3; i++) {
        x[i] = sslh_zeros(c, sslh_dim2(4, 2));
        for (j = 0; j < 4; j++)
            for (k = 0; k < 2; k++)
                x[i]->data[j * 2 + k] = ((float)(i * (k + 1)) + (j % 2 ? -1.0f : 1.0f) * axes[i][j / 2][k]);
    }
    /* diagonal: the square distance of means, and of deviations, sqrt(2/3) times 2, 3 and 1, 5 */
    CHECK_CLOSE(sslh_frechet(c, x[0], x[1]), 1 + 4 + 2.0 / 3 * (1 + 4), 1e-6);
    CHECK_CLOSE(sslh_frechet(c, x[1], x[0]), 1 + 4 + 2.0 / 3 * (1 + 4), 1e-6);
    for (pair = 0; pair < 2; pair++) { /* any 2 x 2: tr (S S')^(1/2) = sqrt(tr S S' + 2 sqrt(det S det S')) */
        double s[2][2][2] = {{{0}}}, cross = 0, det = 1, trace = 0, means = pair ? 1 + 4 : 4 + 16;
        for (i = 0; i < 2; i++) {
            for (j = 0; j < 4; j++)
                for (k = 0; k < 2; k++)
                    s[i][j / 2][j % 2] += 2.0 / 3 * (double)axes[i ? 2 : pair][k][j / 2] *
                                          (double)axes[i ? 2 : pair][k][j % 2];
            det *= s[i][0][0] * s[i][1][1] - s[i][0][1] * s[i][1][0];
            trace += s[i][0][0] + s[i][1][1];
        }
        for (j = 0; j < 4; j++) cross += s[0][j / 2][j % 2] * s[1][j % 2][j / 2];
        CHECK_CLOSE(sslh_frechet(c, x[pair], x[2]), means + trace - 2 * sqrt(cross + 2 * sqrt(det)), 1e-6);
    }
    other = sslh_normal(c, sslh_dim2(300, 20), 1, 2);
    CHECK_NEAR(sslh_frechet(c, other, other), 0, 1e-5);
    far_off = sslh_shift(c, other, 3); /* moved as a whole */
    CHECK_CLOSE(sslh_frechet(c, other, far_off), 20 * 9, 1e-5);
    CHECK_CLOSE(sslh_frechet(c, sslh_scale(c, sslh_normal(c, sslh_dim2(20000, 4), 0, 1), 2),
                             sslh_normal(c, sslh_dim2(20000, 4), 0, 1)), 4, 0.05);
    CHECK(sslh_frechet(c, sslh_full(c, sslh_dim2(5, 3), 2), sslh_full(c, sslh_dim2(9, 3), 2)) == 0, "constants");
    CHECK_OK(c);
    sslh_frechet(c, other, x[0]);
    CHECK_ERROR(c, "sslh_frechet: features of width 20 and 2");
    sslh_frechet(c, NULL, x[0]);
    CHECK_ERROR(c, "sslh_frechet: features a are NULL");
    sslh_frechet(c, sslh_zeros(c, sslh_dim2(1, 2)), x[0]);
    CHECK_ERROR(c, "sslh_frechet: features (n,D) with at least 2 rows are needed");
    sslh_destroy(c);
}

/* Collapse meters at known values. */
static void meters(void) {
    sslh_ctx *c = create(1);
    sslh_tensor *same = sslh_full(c, sslh_dim2(64, 8), 0.5f), *normal = sslh_normal(c, sslh_dim2(4096, 8), 0.0f, 1.0f);
    CHECK_NEAR(sslh_feature_std(same), 0, 1e-6);
    CHECK_NEAR(sslh_feature_std(normal), 1 / sqrt(8.0), 0.01);
    CHECK_NEAR(sslh_effective_rank(c, same), 1, 1e-3);
    CHECK_NEAR(sslh_effective_rank(c, normal), 8, 0.05);
    CHECK_NEAR(sslh_alignment(normal, normal), 0, 1e-9);
    CHECK_NEAR(sslh_frechet(c, same, same), 0, 0);
    CHECK_NEAR(sslh_frechet(c, normal, normal), 0, 1e-5);
    CHECK_NEAR(sslh_alignment(same, sslh_scale(c, same, -3.0f)), 4, 1e-5); /* opposite unit vectors */
    CHECK_NEAR(sslh_uniformity(c, same), 0, 1e-5);
    CHECK(sslh_uniformity(c, sslh_slice(c, normal, 0, 0, 500)) < -2.0f, "uniformity of a normal");
    CHECK_OK(c);
    sslh_destroy(c);
}

/* The meters and votes of features x (64,8), whose rows belong to four classes: number which. */
#define MEASURES 9
static double measure(sslh_ctx *c, int which, sslh_tensor *x, sslh_tensor *y) {
    static int32_t label[64];
    sslh_knn_desc k;
    sslh_probe_desc p;
    int i;
    memset(&k, 0, sizeof k), memset(&p, 0, sizeof p);
    for (i = 0; i < 64; i++) label[i] = i % 4;
    k.k = 5, p.l2 = 1e-3f;
    switch (which) {
    case 0: return (double)sslh_feature_std(x);
    case 1: return (double)sslh_effective_rank(c, x);
    case 2: return (double)sslh_alignment(x, y);
    case 3: return (double)sslh_alignment(y, x);
    case 4: return (double)sslh_uniformity(c, x);
    case 5: return (double)sslh_knn_features(c, x, label, y, label, 4, k);
    case 6: return (double)sslh_knn_features(c, y, label, x, label, 4, k);
    case 7: return (double)sslh_linear_probe_features(c, x, label, y, label, 4, p);
    default: return (double)sslh_linear_probe_features(c, y, label, x, label, 4, p);
    }
}

/* A feature that is no number never becomes a plausible measure: the row is named. Rows far from 1 are measured like
   any others, and rows of zeros coincide. */
static void features_far_from_one(void) {
    static const float bad[3] = {(float)NAN, (float)HUGE_VAL, (float)-HUGE_VAL};
    static int32_t label[64];
    sslh_ctx *c = create(2);
    sslh_tensor *x = sslh_persist(sslh_normal(c, sslh_dim2(64, 8), 0.2f, 1.0f)),
                *y = sslh_persist(sslh_normal(c, sslh_dim2(64, 8), 0.2f, 1.0f)), *z, *zero, *one;
    sslh_knn_desc k;
    double plain[MEASURES];
    int which, i;
    memset(&k, 0, sizeof k);
    for (which = 0; which < MEASURES; which++) plain[which] = measure(c, which, x, y);
    CHECK_OK(c);
    for (i = 0; i < 3; i++) {
        z = sslh_persist(x);
        z->data[43 * 8 + 5] = (sslh_real)bad[i];
        for (which = 0; which < MEASURES; which++) {
            CHECK(measure(c, which, z, y) == 0, "measure %d", which);
            CHECK_ERROR(c, "row 43 of the ");
        }
        sslh_pca(c, z, 2);
        CHECK_ERROR(c, "sslh_pca: row 43 of the ");
    }
    for (i = -1; i <= 1; i += 2) { /* a power of two: every digit stays; 2^83 is about 1e25 */
        z = sslh_persist(sslh_scale(c, x, (float)ldexp(1, i * 83)));
        for (which = 0; which < MEASURES; which++) {
            double is = measure(c, which, z, y);
            if (which < 7) /* the probe's columns of 2^-83 count as constant */
                CHECK(is == plain[which], "measure %d of rows times 2^%d: %.9g, not %.9g", which, i * 83, is,
                      plain[which]);
        }
        CHECK_OK(c);
    }
    zero = sslh_persist(sslh_zeros(c, sslh_dim2(64, 8)));
    one = sslh_persist(sslh_full(c, sslh_dim2(64, 8), 3));
    CHECK_NEAR(sslh_feature_std(zero), 0, 0);
    CHECK_NEAR(sslh_effective_rank(c, zero), 1, 1e-6);
    CHECK_NEAR(sslh_alignment(zero, zero), 0, 0);
    CHECK_NEAR(sslh_alignment(zero, one), 1, 1e-6);
    CHECK_NEAR(sslh_uniformity(c, zero), 0, 0);
    for (i = 0; i < 64; i++) { /* one half zeros, one half equal: two points at the distance 1 */
        label[i] = i < 32;
        for (which = 0; which < 8; which++) one->data[i * 8 + which] = i < 32 ? 0 : 3;
    }
    CHECK_NEAR(sslh_uniformity(c, one), log((2 * 496 + 1024 * exp(-2.0)) / 2016), 1e-5);
    k.k = 5;
    CHECK_NEAR(sslh_knn_features(c, one, label, one, label, 2, k), 1, 0);
    for (i = 0; i < 64; i++) label[i] = i >= 32; /* the zeros' class is no longer that of a tie */
    CHECK_NEAR(sslh_knn_features(c, one, label, one, label, 2, k), 1, 0);
    for (i = 0; i < 64 * 8; i++) one->data[i] = i / 8 < 32 ? 3 : 0; /* and they come last */
    CHECK_NEAR(sslh_knn_features(c, one, label, one, label, 2, k), 1, 0);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* The nearest neighbours decide, however small the temperature and however far off they all are. */
static void knn_at_low_temperatures(void) {
    static const float known[2][3][2] = {{{0.5f, 0.8660254f}, {0.8f, 0.6f}, {0.6f, 0.8f}},
                                         {{-0.8f, 0.6f}, {-0.5f, 0.8660254f}, {-0.6f, -0.8f}}};
    static const float asked[2] = {1, 0}, temperature[4] = {1, 0.01f, 1e-3f, 1e-6f};
    static const int32_t label[3] = {0, 2, 1}, nearest = 2;
    sslh_ctx *c = create(1);
    sslh_knn_desc k;
    memset(&k, 0, sizeof k);
    for (int side = 0; side < 2; side++) /* cosines 0.5, 0.8, 0.6 and -0.8, -0.5, -0.6 */
        for (int i = 0; i < 4; i++) {
            k.k = 3, k.temperature = temperature[i];
            CHECK(sslh_knn_features(c, sslh_from(c, sslh_dim2(3, 2), known[side][0]), label,
                                    sslh_from(c, sslh_dim2(1, 2), asked), &nearest, 3, k) == 1,
                  "side %d, temperature %g: another class than the nearest", side, (double)temperature[i]);
        }
    CHECK_OK(c);
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(knn_at_low_temperatures)
    TEST(recipe_numbers)
    TEST(method_numbers)
    TEST(training_bits)
    TEST(comments_say_the_defaults)
    TEST(settings_are_printed)
#if SSLH_WITH_SIMCLR && SSLH_WITH_ROTATION && SSLH_WITH_VAE && SSLH_WITH_MAE
    TEST(a_line_is_read_back)
    TEST(switches_are_off)
    TEST(named_settings)
    TEST(the_last_value_counts)
    TEST(sentences_about_text)
#endif
    TEST(losses_at_the_start)
    TEST(pitfalls_are_errors)
    TEST(misuse_of_the_trainer)
    TEST(meters)
    TEST(frechet)
    TEST(features_far_from_one)
TESTS_END
