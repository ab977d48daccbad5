/* Whole trainings: no allocation from the third step on, every allocation failing in turn, the same bits after resuming
   and with a probe in the callback, flat memory over a thousand nets, NaN in the middle. */
#include "../ssl.h"
#include "harness.h"
#if defined(__unix__)
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#define SIDE 8
#define OFF ((float)SSLH_OFF)
static uint8_t pixels[64 * SIDE * SIDE * 3];
static int32_t labels[64];
static uint8_t clips[64 * 7 * SIDE * SIDE * 3];
static float sound[64 * 90];
static int32_t tokens[64 * 7];
static sslh_data make_data(sslh_ctx *c, int n) {
    static int done; /* written once: a loader may be at work on them */
    sslh_field f[5];
    int i;
    for (i = done ? (int)sizeof pixels : 0; i < (int)sizeof pixels; i++)
        pixels[i] = (uint8_t)(sslh_random_below(4, 4, (uint64_t)i, 120) + (uint32_t)(i / (SIDE * SIDE * 3) % 4) * 30);
    for (i = done ? 64 : 0; i < 64; i++) labels[i] = i % 4;
    for (i = done ? 64 * 90 : 0; i < 64 * 90; i++) /* for methods that listen */
        sound[i] = sslh_random_normal(5, 5, (uint64_t)i) * (i % (2 + i / 90 % 4) ? 0.05f : 0.3f);
    for (i = done ? (int)sizeof clips : 0; i < (int)sizeof clips; i++) /* for those that watch: darker and darker */
        clips[i] = (uint8_t)(pixels[i / (7 * SIDE * SIDE * 3) * SIDE * SIDE * 3 + i % (SIDE * SIDE * 3)] *
                             (10 - i / (SIDE * SIDE * 3) % 7) / 10);
    for (i = done ? 64 * 7 : 0; i < 64 * 7; i++) tokens[i] = (int32_t)sslh_random_below(6, 6, (uint64_t)i, 10);
    done = 1;
    memset(f, 0, sizeof f);
    f[0].kind = SSLH_FIELD_IMAGE, f[0].type = SSLH_U8, f[0].shape = sslh_dim3(SIDE, SIDE, 3), f[0].values = pixels;
    f[1].kind = SSLH_FIELD_LABEL, f[1].type = SSLH_I32, f[1].values = labels;
    f[2].kind = SSLH_FIELD_AUDIO, f[2].shape = sslh_dim2(90, 1), f[2].values = sound;
    f[3].kind = SSLH_FIELD_CLIP, f[3].type = SSLH_U8, f[3].shape = sslh_dim4(7, SIDE, SIDE, 3), f[3].values = clips;
    f[4].kind = SSLH_FIELD_TOKENS, f[4].type = SSLH_I32, f[4].shape = sslh_dim1(7), f[4].values = tokens;
    return sslh_data_from_fields(c, f, 5, n);
}
static sslh_net *convnet_kind(sslh_ctx *c, int map, int norm) {
    sslh_convnet_desc d;
    memset(&d, 0, sizeof d);
    d.channels = 3, d.widths[0] = 6, d.widths[1] = 9, d.map_output = map, d.norm = norm;
    return sslh_convnet(c, d);
}
static sslh_net *convnet(sslh_ctx *c) { return convnet_kind(c, 0, 0); }
/* Settings that keep the nets of these tests small; a method that is not here takes its defaults. */
static const char *const small_settings[][2] = {
    {"simclr", "head_hidden=8,head_out=6"},
    {"mae", "decoder_width=8,decoder_depth=1,decoder_heads=2"},
    {"jepa", "predictor_width=8,predictor_depth=1,predictor_heads=2"},
    {"cpc", "steps=3,negatives=9,crop=72"},
    {"cpc2", "side=10,patch=4,steps=1,negatives=9,target=4,context_blocks=1,context_hidden=4"},
    {"autoencoder", "height=8,width=8,channels=3,hidden=11,latent=3,noise=1"},
    {"vae", "height=8,width=8,channels=3,hidden=11,latent=3"},
    {"gan", "height=8,width=8,channels=3,latent=5,generator_width=4,loss=4,critic=2"}, /* two phases every other step */
    {"jigsaw", "head_hidden=9,permutations=12"},
    {"context", "head_hidden=9"},
    {"inpainting", "decoder_width=5,discriminator_width=4,adversarial=0.1"}, /* two phases */
    {"colorization", "head_hidden=9"},
    {"next_frame", "frames=2,decoder_width=5"},
    {"frame_order", "head_hidden=9"},
    {"sentence_order", "sentences=2,sentence_end=3"},
    {"moco", "queue=96,head_hidden=8,head_out=6"},
    {"supcon", "head_hidden=8,head_out=6"},
    {"clip", "head_out=6,vocabulary=14,length=9,text_width=8,text_depth=1,drop_words=0.2"},
    {"fixmatch", "threshold=0.4,ratio=2,labels=5"},
    {"nnclr", "queue=96,head_hidden=8,head_out=6,predictor_hidden=8"},
    {"byol", "head_hidden=8,head_out=6"},
    {"simsiam", "head_out=8,predictor_hidden=4"},
    {"barlow", "head_out=8"},
    {"vicreg", "head_out=8"},
    {"dino", "outputs=12,small_views=2,head_hidden=8,bottleneck=6"},
    {"swav", "prototypes=12,small_views=2,queue=16,queue_start=0,head_hidden=8,head_out=6"},
};
/* The method number which (0 ..) of the list, of those that an encoder and images are enough for, with more settings
   than the small ones; 0 when there is none. */
static int make_method_with(sslh_ctx *c, int which, const char *more, sslh_method *m) {
    const sslh_method_info *info;
    char text[256] = "";
    sslh_net *encoder = NULL;
    sslh_data labelled; /* what a method that is made with labels is given; others get nothing */
    int i, n = 0;
    for (info = sslh_methods(NULL); info->name; info++) if (info->make && n++ == which) break;
    if (!info->name) return 0;
    if (strcmp(info->encoder, "vit") == 0) {
        sslh_vit_desc v;
        memset(&v, 0, sizeof v);
        v.image = SIDE, v.channels = 3, v.patch = 2, v.width = 12, v.depth = 1, v.heads = 2;
        encoder = sslh_vit(c, v);
    } else if (strcmp(info->encoder, "conv_gru") == 0) {
        sslh_conv_gru_desc g;
        memset(&g, 0, sizeof g);
        g.kernels[0] = 6, g.kernels[1] = 4, g.strides[0] = 3, g.strides[1] = 2, g.width = 8, g.context = 6;
        encoder = sslh_conv_gru(c, g);
    } else if (strcmp(info->encoder, "transformer") == 0) {
        sslh_transformer_desc t;
        memset(&t, 0, sizeof t);
        t.kind = strcmp(info->name, "gpt") == 0 || strcmp(info->name, "sasrec") == 0 ? SSLH_GPT2 : SSLH_BERT;
        t.vocabulary = 110, t.length = 16, t.width = 8, t.depth = 1, t.heads = 2;
        encoder = sslh_transformer(c, t);
    } else if (strcmp(info->encoder, "own") != 0)
        encoder = convnet_kind(c, strcmp(info->encoder, "map") == 0, strcmp(info->encoder, "no_batch_norm") == 0);
    for (i = 0; i < (int)(sizeof small_settings / sizeof small_settings[0]); i++)
        if (strcmp(small_settings[i][0], info->name) == 0) snprintf(text, sizeof text, "%s ", small_settings[i][1]);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s", more);
    memset(&labelled, 0, sizeof labelled);
    if (strcmp(info->input, "labelled images") == 0) labelled = make_data(c, 64);
    *m = sslh_method_make(c, info->name, encoder, labelled, text);
    return 1;
}
static int make_method(sslh_ctx *c, int which, sslh_method *m) { return make_method_with(c, which, "", m); }
static sslh_tensor *read_tokens(sslh_ctx *c, const sslh_batch *b, void *user) {
    (void)user;
    return sslh_batch_field(c, *b, 4);
}
static sslh_tensor *listen(sslh_ctx *c, const sslh_batch *b, void *user) {
    (void)user;
    return sslh_batch_audio(c, *b);
}
/* The data have images and sound; features are those of what the encoder was made for. */
static sslh_feature_desc features_for(sslh_net *encoder) {
    sslh_feature_desc f;
    memset(&f, 0, sizeof f);
    if (strcmp(sslh_net_query(encoder).name, "conv_gru") == 0) f.input = listen;
    if (strcmp(sslh_net_query(encoder).name, "transformer") == 0) f.input = read_tokens;
    return f;
}
static sslh_train_desc settings(int epochs, int batch) {
    sslh_train_desc d;
    memset(&d, 0, sizeof d);
    d.epochs = epochs;
    d.batch = batch;
    d.quiet = 1;
    d.lr = 0.02f;
    return d;
}
static sslh_ctx *create(test_memory *m, int threads) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = threads;
    d.seed = 3;
    if (m) {
        d.alloc = test_alloc;
        d.release = test_release;
        d.user = m;
    }
    return sslh_create(d);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

typedef struct count { test_memory *m; long calls[64]; int n; } count;
static int count_callback(const sslh_train_info *t, void *user) {
    count *k = (count *)user;
    if (!t->epoch_end && k->n < 64) k->calls[k->n++] = k->m->calls;
    return 0;
}
static void no_allocation_from_third_step(void) {
    int which, threads, there, i;
    for (threads = 1; threads <= 2; threads++) {
        for (which = 0, there = 1; there; which++) {
            test_memory mem;
            count k;
            sslh_train_desc d = settings(3, 16);
            sslh_method m;
            sslh_ctx *c;
            memset(&mem, 0, sizeof mem);
            memset(&k, 0, sizeof k);
            k.m = &mem;
            c = create(&mem, threads);
            d.callback = count_callback;
            d.user = &k;
            there = make_method(c, which, &m);
            if (there) {
                sslh_train(c, m, make_data(c, 64), d);
                CHECK_OK(c);
                CHECK(k.n == 12, "%d steps", k.n);
                /* the heap is joined when step 3 begins; after it, silence */
                for (i = 3; i < k.n; i++)
                    CHECK(k.calls[i] == k.calls[2],
                          "%s: step %d allocated %ld times", m.name, i + 1, k.calls[i] - k.calls[i - 1]);
            }
            sslh_destroy(c);
            CHECK(mem.live == 0, "%ld blocks leak", mem.live);
        }
    }
}

/* A small whole training, then features and a clone: what the failing allocator runs through. */
static void story(sslh_ctx *c, int which, uint64_t *hash) {
    sslh_method m;
    sslh_data data = make_data(c, 16);
    if (!make_method(c, which, &m)) return;
    sslh_train(c, m, data, settings(2, 8));
    sslh_features(c, m.encoder, data, features_for(m.encoder));
    sslh_clone(m.encoder);
    if (!sslh_error(c)) *hash = sslh_hash(m.net);
}
static void every_allocation_fails(void) {
    int which, all;
    for (which = 0;; which++) {
        long total = 0, n, tried = 0, stride;
        uint64_t whole = 0;
        test_memory mem;
        sslh_ctx *c;
        sslh_method probe;
        memset(&mem, 0, sizeof mem);
        c = create(&mem, 1);
        if (!make_method(c, which, &probe)) {
            sslh_destroy(c);
            break;
        }
        sslh_destroy(c);
        CHECK(mem.live == 0, "leak");
        memset(&mem, 0, sizeof mem);
        c = create(&mem, 1);
        story(c, which, &whole);
        CHECK_OK(c);
        total = mem.calls;
        sslh_destroy(c);
        CHECK(mem.live == 0, "%ld blocks leak without any failure", mem.live);
        stride = test_small() ? 29 : 1;
        for (all = 0; all < 2; all++) {
            for (n = 1 + all * (stride / 2); n <= total; n += stride) {
                uint64_t hash = 0;
                memset(&mem, 0, sizeof mem);
                mem.fail_at = n;
                mem.fail_all = all;
                c = create(&mem, 1);
                story(c, which, &hash);
                CHECK(sslh_error_code(c) == SSLH_E_MEMORY,
                      "method %d, allocation %ld of %ld: %s", which, n, total,
                      sslh_error(c) ? sslh_error(c) : "no error");
                CHECK(hash == 0, "a result after an error");
                sslh_destroy(c);
                CHECK(mem.live == 0, "method %d, allocation %ld: %ld blocks leak", which, n, mem.live);
                tried++;
            }
        }
        printf("   method %d: %ld allocations, %ld runs with a failing one\n", which, total, tried);
    }
}

/* After an allocation failed in the middle the context can be cleared and used again. */
static void recovers(void) {
    test_memory mem;
    sslh_ctx *c;
    uint64_t hash = 0, again = 0;
    int64_t mark;
    memset(&mem, 0, sizeof mem);
    c = create(&mem, 1);
    mark = sslh_mark(c);
    mem.fail_at = 60;
    story(c, 0, &hash);
    CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "%s", sslh_error(c) ? sslh_error(c) : "no error");
    sslh_clear_error(c);
    sslh_rewind(c, mark);
    story(c, 0, &again);
    CHECK_OK(c);
    CHECK(again != 0, "trains after an error");
    sslh_destroy(c);
    CHECK(mem.live == 0, "%ld blocks leak", mem.live);
}

static void thousand_nets(void) {
    test_memory mem;
    sslh_ctx *c;
    sslh_data data;
    size_t bytes = 0;
    int i, rounds = test_small() ? 100 : 1000;
    memset(&mem, 0, sizeof mem);
    c = create(&mem, 1);
    data = make_data(c, 8);
    for (i = 0; i < rounds; i++) {
        int64_t mark = sslh_mark(c);
        sslh_method m;
        if (!make_method(c, i % 2, &m)) break;
        sslh_train(c, m, data, settings(1, 8));
        sslh_rewind(c, mark);
        if (i == 9) bytes = sslh_query(c).bytes;
        if (i > 9 && !CHECK(sslh_query(c).bytes <= bytes, "round %d: %.0f bytes, %.0f in round 10", i + 1,
                            (double)sslh_query(c).bytes, (double)bytes))
            break;
        if (!CHECK_OK(c)) break;
    }
    sslh_destroy(c);
    CHECK(mem.live == 0, "%ld blocks leak", mem.live);
}

/* --- the same bits ------------------------------------------------------------------------------------------------ */

static void serial_for(void *user, int tasks, sslh_task_fn fn, void *arg) {
    int i;
    (void)user;
    for (i = tasks; i-- > 0;) fn(arg, i, i % 5);
}
static uint64_t run(int which, int threads, sslh_train_desc d, int own_loop, float *loss) {
    sslh_desc cd;
    sslh_ctx *c;
    sslh_method m;
    uint64_t h = 0;
    memset(&cd, 0, sizeof cd);
    cd.threads = threads;
    cd.seed = 3;
    if (own_loop) cd.parallel_for = serial_for;
    c = sslh_create(cd);
    if (make_method(c, which, &m)) {
        float l = sslh_train(c, m, make_data(c, 48), d);
        CHECK_OK(c);
        if (loss) *loss = l;
        h = sslh_hash(m.net);
    }
    sslh_destroy(c);
    return h;
}
static int probe_callback(const sslh_train_info *t, void *user) {
    sslh_ctx *c = t->ctx;
    (void)user;
    if (t->step % 2) {
        int64_t mark = sslh_mark(c);
        sslh_features(c, t->method->encoder, make_data(c, 20), features_for(t->method->encoder));
        sslh_normal(c, sslh_dim1(100), 0, 1);
        sslh_rewind(c, mark);
    }
    return 0;
}
static void one_result(void) {
    int which;
    for (which = 0;; which++) {
        sslh_train_desc d = settings(2, 12), p;
        float a = 0, b = 0;
        uint64_t h = run(which, 1, d, 0, &a);
        if (!h) break;
        CHECK(run(which, 3, d, 0, &b) == h, "method %d: 3 threads", which);
        CHECK(a == b, "loss %g %g", (double)a, (double)b);
        CHECK(run(which, 5, d, 1, NULL) == h, "method %d: the caller's parallel_for", which);
        p = d;
        p.callback = probe_callback;
        CHECK(run(which, 2, p, 0, NULL) == h, "method %d: a probe in the callback leaves a trace", which);
        p = d;
        p.epochs = 3;
        CHECK(run(which, 1, p, 0, NULL) != h, "method %d: the hash sees the training", which);
    }
}

/* --- checkpoints -------------------------------------------------------------------------------------------------- */

/* What a callback saw of a run, step by step and epoch by epoch, and what the run left. */
#define TRACE_STEPS 12
typedef struct trace {
    float    loss[TRACE_STEPS], number[TRACE_STEPS][8], rate[TRACE_STEPS]; /* of step number .. + 1 */
    float    epoch_loss[4], epoch_number[4][8], losses[4], result;
    int      calls;
    uint64_t hash, stream;
    int64_t  stop, fail; /* the callback stops after this step; fails after that one, as a run that is killed */
} trace;
static int trace_callback(const sslh_train_info *t, void *user) {
    trace *k = (trace *)user;
    int i;
    k->calls++;
    for (i = 0; i < 8; i++)
        *(t->epoch_end ? &k->epoch_number[t->epoch][i] : &k->number[t->step - 1][i]) = t->numbers[i].value;
    if (t->epoch_end) {
        k->epoch_loss[t->epoch] = t->loss;
        return 0;
    }
    k->loss[t->step - 1] = t->loss;
    k->rate[t->step - 1] = t->lr;
    if (t->step == k->fail) sslh_fail(t->ctx, SSLH_E_USAGE, "killed");
    return t->step == k->stop;
}
/* A run of a method from the beginning or from its checkpoint, in a context of its own. 0: no such method. */
static int traced(int which, int threads, sslh_train_desc d, trace *k) {
    sslh_ctx *c = create(NULL, threads);
    sslh_method m;
    int i, there = make_method(c, which, &m);
    for (i = 0; i < 4; i++) k->losses[i] = -1;
    d.callback = trace_callback;
    d.user = k;
    d.losses = k->losses;
    if (there) {
        k->result = sslh_train(c, m, make_data(c, 48), d);
        if (k->fail) CHECK_ERROR(c, "killed");
        CHECK_OK(c);
        k->hash = sslh_hash(m.net);
        k->stream = sslh_next_stream(c);
        CHECK(!sslh_is_training(m.net) && !sslh_is_training(m.encoder), "training mode");
    }
    sslh_destroy(c);
    return there;
}
/* The second leg of a run, from step at on, against the whole run. */
static void same_run(int which, const char *how, int at, const trace *whole, const trace *rest) {
    int i, end = TRACE_STEPS - at, epochs = TRACE_STEPS / 4;
    CHECK(rest->hash == whole->hash && rest->stream == whole->stream,
          "method %d, %s step %d: other bits", which, how, at);
    CHECK(rest->result == whole->result,
          "method %d, %s step %d: returns %.9g, whole %.9g", which, how, at, (double)rest->result,
          (double)whole->result);
    CHECK(rest->calls == end + (end + 3) / 4, "method %d, %s step %d: %d calls", which, how, at, rest->calls);
    for (i = 0; i < epochs; i++)
        CHECK(rest->losses[i] == whole->losses[i],
              "method %d, %s step %d: .losses[%d] is %.9g, whole %.9g", which, how, at, i, (double)rest->losses[i],
              (double)whole->losses[i]);
    for (i = at; i < TRACE_STEPS; i++)
        CHECK(rest->loss[i] == whole->loss[i] && rest->rate[i] == whole->rate[i] &&
                  memcmp(rest->number[i], whole->number[i], sizeof rest->number[i]) == 0,
              "method %d, %s step %d: step %d differs", which, how, at, i + 1);
    for (i = at / 4; i < epochs; i++)
        CHECK(rest->epoch_loss[i] == whole->epoch_loss[i] &&
                  memcmp(rest->epoch_number[i], whole->epoch_number[i], sizeof rest->epoch_number[i]) == 0,
              "method %d, %s step %d: the means of epoch %d are %.9g, %.9g, whole %.9g, %.9g", which, how, at, i + 1,
              (double)rest->epoch_loss[i], (double)rest->epoch_number[i][0], (double)whole->epoch_loss[i],
              (double)whole->epoch_number[i][0]);
}

/* Every method, ended at every step in three ways (by the callback, by .max_steps, killed between two checkpoints) and
   resumed: losses, further numbers, rates, means, random stream and weights are those of a run without an end. */
static void resume(void) {
    static const char *const ways[3] = {"stopped by the callback after", "max_steps", "killed after"};
    const char *path = "build/resume.safetensors";
    int which, at, way, accumulate;
    for (accumulate = 1; accumulate <= 3; accumulate += 2) {
        for (which = 0;; which++) {
            sslh_train_desc d = settings(3, 12); /* 12 steps */
            trace whole, leg, rest;
            d.accumulate = accumulate;
            memset(&whole, 0, sizeof whole);
            if (!traced(which, 1, d, &whole)) break;
            CHECK(whole.calls == TRACE_STEPS + 3 && whole.losses[2] == whole.epoch_loss[2] && whole.losses[3] == -1,
                  "%d calls", whole.calls);
            d.checkpoint = path;
            for (at = 1; at < TRACE_STEPS; at++) {
                for (way = 0; way < 3; way++) {
                    sslh_train_desc p = d;
                    if ((test_small() || accumulate > 1) && (at + way + which) % 3) continue;
                    remove(path);
                    memset(&leg, 0, sizeof leg);
                    memset(&rest, 0, sizeof rest);
                    p.checkpoint_steps = way == 2 ? 1 : at % 2 ? 100 : 0; /* 100: only the end has one */
                    if (way == 0) leg.stop = at;
                    if (way == 1) p.max_steps = at;
                    if (way == 2) leg.fail = at + 1;
                    traced(which, 2, p, &leg);
                    if (way < 2)
                        CHECK(leg.result == leg.losses[(at - 1) / 4] && leg.losses[(at - 1) / 4] > -1,
                              "the mean so far");
                    p.max_steps = 0;
                    p.resume = 1;
                    traced(which, 1, p, &rest);
                    same_run(which, ways[way], at, &whole, &rest);
                    if (at == 7 || at == 8) { /* a run that is done gives its results again */
                        trace again;
                        memset(&again, 0, sizeof again);
                        traced(which, 1, p, &again);
                        CHECK(again.calls == 0, "%d calls", again.calls);
                        again.calls = rest.calls;
                        memcpy(again.loss, rest.loss, sizeof rest.loss);
                        memcpy(again.number, rest.number, sizeof rest.number);
                        memcpy(again.rate, rest.rate, sizeof rest.rate);
                        memcpy(again.epoch_loss, rest.epoch_loss, sizeof rest.epoch_loss);
                        memcpy(again.epoch_number, rest.epoch_number, sizeof rest.epoch_number);
                        same_run(which, "again, first", at, &whole, &again);
                    }
                }
            }
            { /* without a file it starts at the beginning */
                sslh_train_desc p = d;
                remove(path);
                p.resume = 1;
                memset(&rest, 0, sizeof rest);
                traced(which, 1, p, &rest);
                same_run(which, "no file", 0, &whole, &rest);
            }
            { /* done inside an epoch: again the mean so far */
                sslh_train_desc p = d;
                remove(path);
                p.max_steps = 6, p.resume = 1;
                memset(&leg, 0, sizeof leg), memset(&rest, 0, sizeof rest);
                traced(which, 1, p, &leg);
                traced(which, 1, p, &rest);
                CHECK(rest.calls == 0 && rest.hash == leg.hash && rest.result == leg.result,
                      "method %d: max_steps again", which);
                CHECK(!memcmp(rest.losses, leg.losses, sizeof leg.losses) && leg.losses[1] > -1 && leg.losses[2] == -1,
                      "method %d: losses", which);
            }
            remove(path);
        }
    }
}

/* More epochs than the file was written for: the rates are those of the new number from where the file stands. */
static void epochs_grow(void) {
    const char *path = "build/grow.safetensors";
    sslh_train_desc d = settings(2, 12);
    trace whole, rest;
    int i;
    d.checkpoint = path;
    d.resume = 1;
    d.schedule = SSLH_CONSTANT;
    memset(&whole, 0, sizeof whole), memset(&rest, 0, sizeof rest);
    remove(path);
    if (!traced(0, 1, d, &rest)) return;
    remove(path);
    d.epochs = 3;
    traced(0, 1, d, &whole);
    remove(path);
    d.epochs = 2;
    traced(0, 1, d, &rest);
    d.epochs = 3;
    memset(&rest, 0, sizeof rest);
    traced(0, 1, d, &rest);
    same_run(0, "more epochs from", 8, &whole, &rest);
    remove(path);
    d.schedule = SSLH_COSINE;
    d.warmup = 1; /* four steps */
    d.epochs = 2;
    traced(0, 1, d, &rest);
    d.epochs = 3;
    memset(&rest, 0, sizeof rest);
    traced(0, 1, d, &rest);
    for (i = 8; i < 12; i++)
        CHECK(rest.rate[i] == sslh_cosine(i, 12, 4, d.lr), "step %d: rate %g", i + 1, (double)rest.rate[i]);
    CHECK(rest.calls == 5, "%d calls", rest.calls);
    remove(path);
}

/* What a checkpoint refuses: any other setting of the run, both values in the sentence. Nothing has changed then. */
static sslh_method method_with(sslh_ctx *c, const char *text) {
    sslh_data none;
    memset(&none, 0, sizeof none);
    return sslh_method_make(c, "simclr", convnet(c), none, text);
}
static void resume_refused(void) {
#if SSLH_WITH_SIMCLR
    static const char plain[] = "head_hidden=8,head_out=6";
    static const char *const texts[][2] = {
        {"head_hidden=8,head_out=6,temperature=0.05", "was written with temperature=0.2, this run has 0.05"},
        {"head_hidden=8,head_out=6,decoupled=1", "was written with decoupled=0, this run has 1"},
        {"head_hidden=8,head_out=6,views=moco",
         "was written with views=simclr, this run has crop: 0.2 to 1 of the area"},
        {"head_hidden=8,head_out=7", "was written with head_out=6, this run has 7"},
    };
    static const char *const fields[] = {
        "was written with batch=12, this run has 16", "was written with lr=0.02, this run has 0.5",
        "was written with schedule=cosine, this run has constant", "was written with warmup=0.2, this run has 1",
        "was written with accumulate=1, this run has 2", "was written with weight_decay=0, this run has 0.5",
        "was written with epochs=2, this run has 1: they may only become more",
        "stands at step 8, but this run ends with step 7", "was written with samples=48, this run has 40",
        "was written with values=", "was written with another optimiser", "was written with group_lr=1:1:1:",
        "was written with encoder=convnet channels=3 widths=6,9 map_output=0 norm=0, "
        "this run has convnet channels=3 widths=6,9 map_output=1 norm=0"};
    const char *path = "build/refused.safetensors";
    static uint8_t others[sizeof pixels];
    test_memory mem;
    int k, texts_n = (int)(sizeof texts / sizeof texts[0]), n = (int)(sizeof fields / sizeof fields[0]);
    sslh_ctx *c = create(NULL, 1);
    sslh_train_desc d = settings(2, 12);
    remove(path);
    d.checkpoint = path;
    sslh_train(c, method_with(c, plain), make_data(c, 48), d);
    CHECK_OK(c);
    sslh_destroy(c);
    for (k = -1; k < texts_n + n; k++) {
        sslh_train_desc p = d;
        sslh_method m;
        sslh_data data;
        uint64_t hash, stream;
        size_t bytes;
        sslh_preprocess before, after;
        float losses[2] = {-1, -1};
        int f = k - texts_n, pass;
        memset(&mem, 0, sizeof mem);
        c = create(&mem, 1);
        data = make_data(c, f == 8 ? 40 : 48);
        if (f == 9) memset(others, 7, sizeof others), data.field[0].values = others; /* other images */
        if (f == 12) {
            sslh_convnet_desc e;
            sslh_simclr_desc s;
            memset(&e, 0, sizeof e), memset(&s, 0, sizeof s);
            e.widths[0] = 6, e.widths[1] = 9, e.map_output = 1;
            s.head_hidden = 8, s.head_out = 6;
            m = sslh_simclr(c, sslh_convnet(c, e), s);
        } else m = method_with(c, f < 0 && k >= 0 ? texts[k][0] : plain);
        p.resume = 1, p.losses = losses;
        if (f == 0) p.batch = 16;
        if (f == 1) p.lr = 0.5f;
        if (f == 2) p.schedule = SSLH_CONSTANT;
        if (f == 3) p.warmup = 1;
        if (f == 4) p.accumulate = 2;
        if (f == 5) p.optimizer.weight_decay = 0.5f;
        if (f == 6) p.epochs = 1;
        if (f == 7) p.max_steps = 7;
        if (f == 10) p.optimizer.kind = SSLH_ADAM;
        if (f == 11) p.optimizer.group_lr[3] = 0.5f;
        hash = sslh_hash(m.net); /* lays out the memory, once */
        if (f == 9) sslh_set_preprocess(m.encoder, (memset(&before, 0, sizeof before), before.height = 5, before));
        before = sslh_get_preprocess(m.encoder);
        sslh_rewind(c, sslh_mark(c));
        for (pass = 0; pass < 2; pass++) { /* the second time not even buffers grow */
            bytes = sslh_query(c).bytes;
            stream = sslh_query(c).seed;
            sslh_train(c, m, data, p);
            if (k < 0) {
                CHECK_OK(c);
                break;
            }
            CHECK(sslh_error_code(c) == SSLH_E_FORMAT, "case %d", k);
            CHECK_ERROR(c, f < 0 ? texts[k][1] : fields[f]);
            CHECK(sslh_query(c).bytes == bytes || !pass,
                  "case %d: %.0f bytes, before %.0f", k, (double)sslh_query(c).bytes, (double)bytes);
            CHECK(sslh_hash(m.net) == hash && sslh_query(c).seed == stream, "case %d: something has changed", k);
            CHECK(sslh_is_training(m.net) && sslh_is_training(m.encoder), "case %d: the mode", k);
            after = sslh_get_preprocess(m.encoder);
            CHECK(memcmp(&before, &after, sizeof before) == 0, "case %d: preprocessing", k);
            CHECK(losses[0] == -1, "case %d: losses", k);
        }
        sslh_destroy(c);
        CHECK(mem.live == 0, "case %d: %ld blocks leak", k, mem.live);
    }
    remove(path);
#endif
}

/* Views are part of a run, of every method that takes a recipe. */
static void other_recipes_refused(void) {
    const char *path = "build/recipes.safetensors";
    int which, i, there = 1;
    for (which = 0; there; which++) {
        sslh_ctx *c = create(NULL, 1);
        sslh_method m, other;
        there = make_method(c, which, &m);
        for (i = 0; there && i < m.info->settings_count; i++) {
            sslh_optimizer_desc od;
            sslh_optimizer *o[2];
            char more[64], want[80];
            if (m.info->settings[i].kind != SSLH_SETTING_RECIPE) continue;
            memset(&od, 0, sizeof od);
            snprintf(more, sizeof more, "%s=byol_1", m.info->settings[i].name);
            snprintf(want, sizeof want, "was written with %s=", m.info->settings[i].name);
            make_method_with(c, which, more, &other);
            o[0] = sslh_optimizer_new(c, od), o[1] = sslh_optimizer_new(c, od);
            sslh_optimizer_add(o[0], m.net), sslh_optimizer_add(o[1], other.net);
            sslh_save_checkpoint(&m, o[0], 0, path);
            CHECK_OK(c);
            sslh_load_checkpoint(&other, o[1], path);
            CHECK(sslh_error_code(c) == SSLH_E_FORMAT, "%s: %s", m.name, more);
            CHECK_ERROR(c, want);
        }
        sslh_destroy(c);
    }
    remove(path);
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static int stop_callback(const sslh_train_info *t, void *user) {
    (*(int *)user)++;
    return t->step == 3;
}
static void trainer(void) {
    sslh_ctx *c = create(NULL, 1);
    sslh_method m;
    sslh_train_desc d = settings(3, 16);
    float losses[3] = {-1, -1, -1}, loss;
    int calls = 0;
    if (!make_method(c, 0, &m)) {
        sslh_destroy(c);
        return;
    }
    d.losses = losses;
    loss = sslh_train(c, m, make_data(c, 64), d);
    CHECK_OK(c);
    CHECK(losses[0] > 0 && losses[2] == loss,
          "losses %g %g %g, returned %g", (double)losses[0], (double)losses[1], (double)losses[2], (double)loss);
    d.losses = NULL;
    d.callback = stop_callback;
    d.user = &calls;
    sslh_train(c, m, make_data(c, 64), d);
    CHECK(calls == 3, "%d calls until stopped", calls);
    calls = 0;
    d.max_steps = 2;
    sslh_train(c, m, make_data(c, 64), d);
    CHECK(calls == 3, "%d calls for two steps and an end", calls);
    CHECK_OK(c);
    d = settings(-1, 16);
    sslh_train(c, m, make_data(c, 64), d);
    CHECK_ERROR(c, "sslh_train: .epochs is -1 (at least 1)");
    sslh_destroy(c);
}

/* A run that does not fit into memory says what takes less. */
static void memory_advice(void) {
    size_t limit = 0;
    int k;
    for (k = 0; k < 2; k++) { /* without a limit, then with half of what the steps took */
        sslh_desc d;
        sslh_ctx *c;
        sslh_method m;
        memset(&d, 0, sizeof d);
        d.threads = 1;
        d.max_bytes = limit;
        c = sslh_create(d);
        if (make_method(c, 0, &m)) {
            sslh_data data = make_data(c, 64);
            sslh_hash(m.net); /* nets are laid out at their first use */
            limit = sslh_query(c).bytes;
            sslh_train(c, m, data, settings(1, 64));
            if (!k) CHECK_OK(c);
            else CHECK_ERROR(c, "step 1 (a smaller .batch, smaller images or a narrower encoder take less memory): "
                                "out of");
            limit += (sslh_query(c).peak - limit) / 10 * 7;
        }
        sslh_destroy(c);
    }
}

/* --- phases ------------------------------------------------------------------------------------------------------- */

/* Parameter k is in group k and is pulled to 3; every phase has the same loss. */
typedef struct phase_self { int parameters; } phase_self;
static void phase_views(sslh_method *m, const sslh_batch *b, sslh_view_set *out) {
    (void)b;
    sslh_view_add(out, "x", sslh_full(m->ctx, sslh_dim1(4), 3));
}
static sslh_tensor *phase_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    const phase_self *s = (const phase_self *)m->self;
    sslh_tensor *total = NULL;
    int k;
    (void)phase;
    for (k = 0; k < s->parameters; k++) {
        sslh_tensor *one = sslh_mse(m->ctx, sslh_param(m->net, k), sslh_view_get(v, "x"));
        total = total ? sslh_add(m->ctx, total, one) : one;
    }
    return total;
}
static sslh_method phase_method(sslh_ctx *c, int parameters, int phases) {
    phase_self self;
    sslh_method m;
    int k;
    self.parameters = parameters;
    m = sslh_method_new(c, "phases", NULL, &self, sizeof self);
    for (k = 0; k < parameters; k++) {
        char name[24];
        sslh_param_opts o;
        memset(&o, 0, sizeof o);
        o.group = k;
        snprintf(name, sizeof name, "w%d", k);
        sslh_param_new(m.net, name, sslh_dim1(4), SSLH_INIT_ONE, 0);
        sslh_param_set_matching(m.net, name, o);
    }
    m.views = phase_views;
    m.loss = phase_loss;
    m.phases = phases;
    return m;
}
static sslh_train_desc phase_settings(sslh_optim_kind kind, int steps) {
    sslh_train_desc d = settings(steps, 32); /* 2 steps an epoch */
    d.lr = 1e-3f;
    d.schedule = SSLH_CONSTANT;
    d.max_steps = steps;
    d.optimizer.kind = kind;
    return d;
}
static float phase_value(const sslh_method *m, int k) { return (float)sslh_param(m->net, k)->data[0]; }

/* A group's Adam counts its own updates: two groups in two phases move as one group does alone. */
static void phase_counts(void) {
    sslh_ctx *c = create(NULL, 1);
    sslh_method m = phase_method(c, 1, 1), two = phase_method(c, 2, 2);
    int steps;
    two.groups[0] = 1, two.groups[1] = 2;
    for (steps = 1; steps < 4; steps++) {
        sslh_train_desc d = phase_settings(SSLH_ADAM, steps);
        float was = phase_value(&m, 0);
        sslh_train(c, m, make_data(c, 64), d);
        sslh_train(c, two, make_data(c, 64), d);
        CHECK_OK(c);
        if (steps == 1) CHECK_NEAR(phase_value(&m, 0) - was, 1e-3, 1e-7); /* Adam's first step is the rate */
        CHECK(phase_value(&two, 0) == phase_value(&m, 0) && phase_value(&two, 1) == phase_value(&m, 0),
              "%d steps: %.9g, in phases %.9g and %.9g", steps, (double)phase_value(&m, 0),
              (double)phase_value(&two, 0), (double)phase_value(&two, 1));
    }
    sslh_destroy(c);
}

/* Each phase moves its groups only, up to the eighth; more of them have no room and are an error. */
static void phase_number(void) {
    sslh_ctx *c = create(NULL, 1);
    sslh_method m = phase_method(c, 2, 8);
    sslh_train_desc d = phase_settings(SSLH_SGD, 1);
    int k;
    d.optimizer.momentum = OFF;
    for (k = 0; k < 8; k++) m.groups[k] = k < 7 ? 1u : 2u;
    sslh_train(c, m, make_data(c, 64), d);
    CHECK_OK(c);
    CHECK_NEAR(phase_value(&m, 1), 1 + 1e-3, 1e-7); /* the mean over 4 values: a slope of 2 (1 - 3) / 4 = -1 */
    CHECK_NEAR(phase_value(&m, 0), 3 - 2 * pow(1 - 1e-3 / 2, 7), 1e-6);
    m.phases = 9;
    sslh_train(c, m, make_data(c, 64), d);
    CHECK_ERROR(c, ".phases is 9; a step has at most 8");
    sslh_destroy(c);
}

/* A run of two phases whose groups have unequal counts goes on from a checkpoint bit for bit. */
static void phase_checkpoint(void) {
    const char *path = "build/phases.safetensors";
    float whole[2];
    int resumed, k;
    for (resumed = 0; resumed < 2; resumed++) {
        sslh_ctx *c = create(NULL, 1);
        sslh_method m = phase_method(c, 2, 2);
        sslh_train_desc d = phase_settings(SSLH_ADAM, 3);
        m.groups[0] = 3, m.groups[1] = 2;
        if (!resumed) {
            d.max_steps = 6, d.epochs = 3;
            sslh_train(c, m, make_data(c, 64), d);
            for (k = 0; k < 2; k++) whole[k] = phase_value(&m, k);
        } else {
            d.epochs = 3, d.checkpoint = path;
            remove(path);
            sslh_train(c, m, make_data(c, 64), d);
            CHECK_OK(c);
            m = phase_method(c, 2, 2);
            m.groups[0] = 3, m.groups[1] = 2;
            d.max_steps = 6, d.resume = 1;
            sslh_train(c, m, make_data(c, 64), d);
            for (k = 0; k < 2; k++)
                CHECK(phase_value(&m, k) == whole[k],
                      "group %d: %.9g, without stopping %.9g", k, (double)phase_value(&m, k), (double)whole[k]);
        }
        CHECK_OK(c);
        sslh_destroy(c);
    }
    remove(path);
}

/* What rests and what keeps its rate is part of the method: an optimiser that the user names replaces only numbers. */
static void structure_stays(void) {
    sslh_ctx *c = create(NULL, 1);
    sslh_method m = phase_method(c, 3, 1);
    sslh_train_desc d = phase_settings(SSLH_SGD, 2);
    m.defaults.optimizer.kind = SSLH_ADAM;
    m.defaults.optimizer.group_lr[1] = OFF;
    m.defaults.optimizer.weight_decay = 0.5f;
    m.defaults.optimizer.constant_lr = 1u << 2;
    d.epochs = 1, d.schedule = SSLH_LINEAR_DECAY, d.optimizer.momentum = OFF;
    sslh_train(c, m, make_data(c, 64), d);
    CHECK_OK(c);
    CHECK(phase_value(&m, 1) == 1, "the group that rests moved to %.9g", (double)phase_value(&m, 1));
    CHECK_NEAR(phase_value(&m, 0), 1 + 1e-3 + 0.5e-3 * (1 - 0.5e-3), 1e-6); /* rates 1e-3 and half of it, no decay */
    CHECK_NEAR(phase_value(&m, 2), 1 + 1e-3 + 1e-3 * (1 - 0.5e-3), 1e-6);   /* both at the peak */
    d.optimizer.group_lr[1] = 1;
    sslh_train(c, m, make_data(c, 64), d);
    CHECK(phase_value(&m, 1) > 1, "a rate of the user's own was not taken");
    sslh_destroy(c);
}

static sslh_tensor *poison_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    sslh_tensor *x = sslh_view_get(v, "x"), *w = sslh_param(m->net, 0);
    (void)phase;
    /* log of a negative number in step 3 */
    return sslh_mean(m->ctx, sslh_log(m->ctx, sslh_mul(m->ctx, x, w)), SSLH_ALL, 0);
}
static int64_t poison_step;
static void poison_views(sslh_method *m, const sslh_batch *b, sslh_view_set *out) {
    sslh_view_add(out, "x", sslh_full(m->ctx, sslh_dim1(4), b->step == poison_step ? -1.0f : 1.0f));
}
static void nan_in_the_middle(void) {
    int check;
    for (check = 0; check < 2; check++) {
        sslh_desc cd;
        sslh_ctx *c;
        sslh_method m;
        const char *said;
        memset(&cd, 0, sizeof cd);
        cd.check_nan = check;
        cd.threads = 1;
        c = sslh_create(cd);
        sslh_begin_step(c);
        sslh_begin_step(c);
        m = sslh_method_new(c, "poison", NULL, NULL, 0);
        sslh_param_new(m.net, "w", sslh_dim1(4), SSLH_INIT_ONE, 0);
        m.views = poison_views;
        m.loss = poison_loss;
        poison_step = 2;
        sslh_train(c, m, make_data(c, 64), settings(1, 8));
        CHECK(sslh_error_code(c) == SSLH_E_NAN, "%s", sslh_error(c) ? sslh_error(c) : "no error");
        CHECK(strstr(sslh_error(c) ? sslh_error(c) : "", check ? "sslh_log" : "sslh_backward") != NULL,
              "%s", sslh_error(c));
        /* one step is named, that of the run, although the context has made others */
        said = sslh_error(c) ? strstr(sslh_error(c), "poison, step 3: ") : NULL;
        CHECK(said && !strstr(said + 14, " step ") && !strstr(said + 14, "step 3"), "%s", sslh_error(c));
        sslh_clear_error(c);
        CHECK((double)sslh_param(m.net, 0)->data[0] != 0 &&
                  sslh_param(m.net, 0)->data[0] == sslh_param(m.net, 0)->data[0],
              "the parameter is a number");
        sslh_destroy(c);
    }
}

/* A step that fails leaves no trace: parameters, gradients, running statistics and their counter, and a state that the
   method's loss has moved. First a pixel that is NaN, then a gradient that is NaN beside a finite loss, then memory
   that runs out, then a shape error after the forward pass; in the trainer, in sslh_method_step and in a loop of
   one's own. */
static sslh_tensor *moving_loss(sslh_method *m, const sslh_view_set *v, int phase) {
    sslh_tensor *queue = sslh_state(m->net, 1), *x = sslh_view_get(v, "x"), *y;
    size_t i;
    (void)phase;
    for (i = 0; i < queue->count; i++) queue->data[i] += 1 + x->data[0]; /* before anybody knows whether it is NaN */
    y = sslh_layer_batch_norm(m->net, 2, sslh_mul(m->ctx, x, sslh_param(m->net, 0)), NULL, 0, SSLH_LINEAR);
    if (poison_step < 0) y = sslh_sqrt(m->ctx, sslh_sub(m->ctx, y, y)); /* 0, of slope infinity */
    if (poison_step < -1) sslh_add(m->ctx, y, sslh_zeros(m->ctx, sslh_dim1(5)));
    return sslh_mean(m->ctx, sslh_square(m->ctx, sslh_shift(m->ctx, y, 1)), SSLH_ALL, 0);
}
static void moving_views(sslh_method *m, const sslh_batch *b, sslh_view_set *out) {
    sslh_tensor *x = sslh_normal(m->ctx, sslh_dim2(8, 4), 0, 1);
    if (b->step == poison_step) x->data[0] = (sslh_real)strtod("nan", NULL);
    sslh_view_add(out, "x", x);
}
static uint64_t whole_state(sslh_net *net) { /* of values and gradients */
    uint64_t h = 0;
    int i;
    for (i = 0; i < sslh_count_tensors(net); i++) {
        sslh_tensor *t = sslh_tensor_at(net, i, NULL, 0, NULL);
        if (t->data) h = test_hash(t->data, t->count * sizeof *t->data, h);
        if (t->ints) h = test_hash(t->ints, t->count * sizeof *t->ints, h);
        if (t->grad) h = test_hash(t->grad, t->count * sizeof *t->grad, h);
    }
    return h;
}
static void failed_steps_leave_no_trace(void) {
    int way, how;
    for (way = 0; way < 3; way++)
        for (how = 0; how < 4; how++) {
            sslh_desc cd;
            sslh_optimizer_desc od;
            sslh_ctx *c;
            sslh_method m;
            sslh_optimizer *o;
            sslh_loader_desc ld;
            sslh_loader *l;
            sslh_batch b;
            sslh_data data;
            test_memory memory;
            uint64_t before, counted;
            int i;
            memset(&cd, 0, sizeof cd);
            memset(&od, 0, sizeof od);
            memset(&ld, 0, sizeof ld);
            memset(&memory, 0, sizeof memory);
            cd.threads = 1;
            cd.alloc = test_alloc, cd.release = test_release, cd.user = &memory;
            ld.batch = 8, ld.epochs = SSLH_OFF;
            c = sslh_create(cd);
            m = sslh_method_new(c, "moving", NULL, NULL, 0);
            sslh_param_new(m.net, "w", sslh_dim1(4), SSLH_INIT_ONE, 0);
            sslh_state_new(m.net, "queue", SSLH_F32, sslh_dim2(300, 5));
            sslh_layer_batch_norm_new(m.net, "bn", 4, 0);
            m.views = moving_views;
            m.loss = moving_loss;
            data = make_data(c, 64);
            poison_step = 1000;
            sslh_train(c, m, data, settings(1, 8)); /* eight steps that pass */
            sslh_train_mode(m.net, 1);
            o = sslh_optimizer_new(c, od);
            sslh_optimizer_add(o, m.net);
            l = sslh_loader_new(c, data, ld);
            CHECK_OK(c);
            CHECK(sslh_state(m.net, 1)->data[7] > 0 && sslh_state(m.net, 6)->ints[0] == 8,
                  "states of a run that passed stay: %d", (int)sslh_state(m.net, 6)->ints[0]);
            before = whole_state(m.net);
            poison_step = how == 0 ? 0 : how == 1 ? -1 : how == 2 ? 1000 : -2;
            if (way == 0 && how != 2) sslh_train(c, m, data, settings(1, 8));
            else if (sslh_next_batch(l, &b)) {
                if (how == 2) { /* a step of a size that needs memory, and there is none */
                    sslh_tensor *x = sslh_normal(c, sslh_dim2(4000, 4), 0, 1);
                    memory.fail_at = memory.calls + 1, memory.fail_all = 1;
                    sslh_state(m.net, 1)->data[3] = 77;
                    sslh_mul(c, sslh_broadcast(c, sslh_layer_batch_norm(m.net, 2, x, NULL, 0, SSLH_LINEAR),
                                               sslh_dim3(60, 4000, 4)), x);
                    memory.fail_at = memory.fail_all = 0;
                } else if (way == 1) sslh_method_step(&m, o, &b, 0.1f);
                else {
                    sslh_view_set v;
                    memset(&v, 0, sizeof v);
                    moving_views(&m, &b, &v);
                    sslh_backward(c, moving_loss(&m, &v, 0));
                    sslh_optimizer_step(o, 0.1f);
                }
            }
            CHECK(sslh_error_code(c) == (how == 2 ? SSLH_E_MEMORY : how == 3 ? SSLH_E_SHAPE : SSLH_E_NAN),
                  "%s", sslh_error(c) ? sslh_error(c) : "no error");
            if (!sslh_error(c)) sslh_fail(c, SSLH_E_USAGE, "none");
            if (how == 1) CHECK(strstr(sslh_error(c), "the gradient of") != NULL, "%s", sslh_error(c));
            if (way == 2) { /* the gradients belong to who wrote the loop */
                sslh_code code = sslh_error_code(c);
                char text[300];
                snprintf(text, sizeof text, "%s", sslh_error(c));
                sslh_clear_error(c);
                sslh_zero_grad(m.net);
                sslh_fail(c, code, "%s", text);
            }
            CHECK(whole_state(m.net) == before, "way %d: after \"%s\" something has changed", way, sslh_error(c));
            sslh_clear_error(c);
            poison_step = 1000;
            sslh_train_mode(m.net, 1);
            for (i = 0; i < 2 && sslh_next_batch(l, &b); i++) sslh_method_step(&m, o, &b, 0.1f); /* goes on */
            CHECK_OK(c);
            CHECK(whole_state(m.net) != before && sslh_state(m.net, 6)->ints[0] == 10,
                  "two steps counted as %d", (int)sslh_state(m.net, 6)->ints[0] - 8);
            /* outside of steps of training an error takes nothing back */
            sslh_state(m.net, 1)->data[0] = 5;
            counted = whole_state(m.net);
            sslh_fail(c, SSLH_E_FILE, "a file is missing");
            CHECK(whole_state(m.net) == counted, "an error outside of a step took a state back");
            sslh_clear_error(c);
            sslh_destroy(c);
        }
}

/* The rate of the first and of the last step of a run. */
static float first_rate, last_rate;
static int note_rates(const sslh_train_info *t, void *user) {
    (void)user;
    if (t->step == 1) first_rate = t->lr;
    last_rate = t->lr;
    return 0;
}
/* A default rate belongs to the batch that is used; seven milestones are seven, and eight an error. */
static void rates(void) {
#if SSLH_WITH_SIMCLR
    const char *const small = "head_hidden=8,head_out=6";
    sslh_ctx *c = create(NULL, 1);
    sslh_train_desc d = settings(1, 0);
    int i;
    d.lr = 0, d.schedule = SSLH_CONSTANT, d.warmup = SSLH_OFF, d.callback = note_rates;
    for (i = 0; i < 3; i++) { /* 20 images: by default, with a batch of 200, and of 10 */
        d.batch = i == 0 ? 0 : i == 1 ? 200 : 10;
        sslh_train(c, method_with(c, small), make_data(c, 20), d);
        CHECK_OK(c);
        CHECK_NEAR(first_rate, 0.3 * (i < 2 ? 20 : 10) / 256, 1e-8);
    }
    d.schedule = SSLH_STEPS, d.epochs = 10, d.batch = 20, d.lr = 1, d.gamma = 0.5f;
    for (i = 0; i < 8; i++) {
        d.milestones[i] = 0.05f + 0.1f * (float)i;
        sslh_train(c, method_with(c, small), make_data(c, 20), d);
        if (i == 7) CHECK_ERROR(c, "sslh_train: .milestones has 8 numbers: 7 are possible");
        CHECK_OK(c);
        CHECK_NEAR(first_rate, 1, 0);
        CHECK_NEAR(last_rate, pow(0.5, i < 7 ? i + 1 : 7), 0);
    }
    sslh_destroy(c);
#endif
}

/* More steps of warm-up than a 64-bit integer counts: the rate rises, hardly. */
static float steepest;
static int note_rate(const sslh_train_info *t, void *user) {
    (void)user;
    if (t->lr > steepest) steepest = t->lr;
    return 0;
}
static void endless_warmup(void) {
    sslh_ctx *c = create(NULL, 1);
    sslh_train_desc d = settings(1, 16);
    sslh_method m;
    CHECK(make_method(c, 0, &m), "no method");
    d.warmup = 1e30f;
    d.callback = note_rate;
    steepest = 0;
    sslh_train(c, m, make_data(c, 64), d);
    CHECK_OK(c);
    CHECK(steepest > 0 && (double)steepest < 1e-9, "the rate reaches %g", (double)steepest);
    sslh_destroy(c);
}

/* Memory of a ResNet-18 (He et al. 2016, CIFAR stem) against a count by hand, in float:
     P  parameters, once as values, and in training once as gradients and once as momentum;
     A  values per image of all convolutions' outputs: 5 maps of 64 x 32 x 32 in the first stage, then a half,
        a quarter, an eighth of that: 614,400. Batch norm with ReLU makes as many again.
   Training keeps all 2 A, and while it walks back about 3 of the largest maps (64 x 32 x 32) as gradients. Evaluation
   and a momentum encoder keep P and 3 of the largest maps: a block's input, what is read and what is written. In
   evaluation the packed weights of the last stage may weigh more than its maps. 10 % and 4 MB (narrow net: 12) are left
   for workspaces. PyTorch 1.13 on the same net and batch of 32: 409 MB in training, 114 MB in evaluation above what
   importing it takes (resident, channels last); ours: 317, 71. */
static void resnet_memory(void) {
    int kind, batch = 32, width = test_small() ? 8 : 64;
    double share = width / 64.0, layer = 512.0 * 512 * 9 * share * share;
    for (kind = 0; kind < 3; kind++) {
        sslh_desc cd;
        sslh_resnet_desc rd;
        sslh_optimizer_desc od;
        sslh_ctx *c;
        sslh_net *net, *runs;
        sslh_optimizer *o;
        double params, map = 65536 * share * batch, all = 614400 * share * batch, want, got;
        int step;
        memset(&cd, 0, sizeof cd);
        memset(&rd, 0, sizeof rd);
        memset(&od, 0, sizeof od);
        cd.threads = 2;
        c = sslh_create(cd);
        rd.width = width;
        net = runs = sslh_resnet(c, rd);
        params = (double)sslh_net_query(net).params;
        o = sslh_optimizer_new(c, od); /* SGD with momentum */
        if (kind == 2) {               /* a frozen copy beside the net that it follows */
            runs = sslh_clone(net);
            sslh_freeze(runs, 1);
        }
        if (kind == 0) sslh_optimizer_add(o, net);
        else sslh_train_mode(runs, 0);
        for (step = 0; step < 3; step++) {
            sslh_tensor *x, *y;
            sslh_begin_step(c);
            x = sslh_normal(c, sslh_dim4(batch, 32, 32, 3), 0, 1);
            if (kind) sslh_no_grad(c, 1);
            y = sslh_forward(runs, x);
            if (kind == 0) {
                sslh_backward(c, sslh_mean(c, sslh_square(c, y), SSLH_ALL, 0));
                sslh_optimizer_step(o, 0.01f);
            } else sslh_no_grad(c, 0);
        }
        CHECK_OK(c);
        want = 4 * (kind == 0 ? 3 * params + 2 * all + 3 * map
                              : kind * params + (3 * map > map / 2 + 2 * layer ? 3 * map : map / 2 + 2 * layer));
        /* the narrow net of the sanitizers and valgrind: the first step lies in more pieces where malloc's
           addresses fall */
        want = 1.1 * want + (test_small() ? 12e6 : 4e6);
        got = (double)sslh_query(c).peak;
        CHECK(got < want,
              "%s: %.1f MB, by hand at most %.1f MB",
              kind == 0 ? "training" : kind == 1 ? "evaluation" : "momentum encoder", got / 1e6, want / 1e6);
        printf("note: ResNet-18 of width %d, batch %d, %s: %.1f MB (by hand with workspaces %.1f MB)\n", width, batch,
               kind == 0 ? "training" : kind == 1 ? "evaluation" : "with a momentum encoder", got / 1e6, want / 1e6);
        sslh_destroy(c);
    }
}

/* The pool's threads do not live on in a forked child: it starts its own. */
static void fork_child(void) {
#if defined(__unix__)
    sslh_ctx *c = create(NULL, 3);
    float want;
    pid_t child;
    int status = -1;
    want = sslh_item(sslh_mean(c, sslh_exp(c, sslh_normal(c, sslh_dim1(200000), 0, 1)), SSLH_ALL, 0));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        float got;
        sslh_ctx *own = create(NULL, 3);
        got = sslh_item(sslh_mean(own, sslh_exp(own, sslh_normal(own, sslh_dim1(200000), 0, 1)), SSLH_ALL, 0));
        sslh_normal(c, sslh_dim1(200000), 0, 1); /* the parent's context, its pool started again */
        /* reachable at the end, for valgrind; ThreadSanitizer cannot end threads in a child */
        static sslh_ctx *volatile kept[2];
        kept[0] = own, kept[1] = c;
        _exit(kept[0] && kept[1] && got == want && !sslh_error(c) ? 0 : 1);
    }
    if (CHECK(child > 0, "fork")) waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
    CHECK_OK(c);
    sslh_destroy(c);
#endif
}

TESTS_BEGIN
    TEST(no_allocation_from_third_step)
    TEST(every_allocation_fails)
    TEST(recovers)
    TEST(thousand_nets)
    TEST(one_result)
    TEST(resume)
    TEST(epochs_grow)
    TEST(resume_refused)
    TEST(other_recipes_refused)
    TEST(trainer)
    TEST(memory_advice)
    TEST(phase_counts)
    TEST(phase_number)
    TEST(phase_checkpoint)
    TEST(structure_stays)
    TEST(nan_in_the_middle)
    TEST(failed_steps_leave_no_trace)
    TEST(rates)
    TEST(endless_warmup)
    TEST(resnet_memory)
    TEST(fork_child)
TESTS_END
