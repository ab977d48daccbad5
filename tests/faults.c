/* Every call of the file system fails in turn, with each of several reasons, while files are saved and loaded: the
   result is whole or there is an error with the cause, what was there before stays, nothing is left behind, the program
   goes on, and the same call made again succeeds. Five hundred processes are killed while they save. Every allocation
   of a run that trains, saves, resumes and evaluates fails in turn. */
#include "faults.h"

#if ON_POSIX
static uint8_t pixels[12 * 8 * 8 * 3];
static int32_t labels[12];

static sslh_ctx *create(test_memory *m) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = 1;
    d.seed = 4;
    if (m) d.alloc = test_alloc, d.release = test_release, d.user = m;
    return sslh_create(d);
}
/* Two nets of one architecture with other values. */
static sslh_net *make_net(sslh_ctx *c, int which) {
    sslh_mlp_desc d;
    memset(&d, 0, sizeof d);
    d.in = 3, d.widths[0] = 4, d.widths[1] = 2, d.batch_norm = 1;
    sslh_net *net = sslh_mlp(c, d);
    for (int i = 0; which && i < which; i++) net = sslh_mlp(c, d);
    return net;
}
static uint64_t hash_bytes(const void *p, size_t n) { return p ? test_hash(p, n, 0) : 0; }
static uint64_t file_hash(const char *path) {
    FILE *f = fopen(path, "rb");
    unsigned char b[4096];
    unsigned long long h = 0;
    size_t n;
    while (f && (n = fread(b, 1, sizeof b, f)) > 0) h = test_hash(b, n, h);
    if (f) fclose(f);
    return h;
}

/* --- what is done under faults ------------------------------------------------------------------------------------ */
/* Each returns a number that tells its result: equal numbers, equal results. */

static uint64_t data_hash(sslh_data d) {
    static uint8_t one[32 * 32 * 4];
    unsigned long long h = 0;
    for (int64_t i = 0; i < d.count; i++) {
        sslh_data_image(d, i, one);
        h = test_hash(one, (size_t)(d.height * d.width * d.channels), h);
        if (d.labels) h = test_hash(&d.labels[i], sizeof d.labels[i], h);
    }
    return d.count ? h : 0;
}
static sslh_method make_method(sslh_ctx *c, sslh_data *data) {
    sslh_convnet_desc nd;
    sslh_simclr_desc md;
    memset(&nd, 0, sizeof nd);
    memset(&md, 0, sizeof md);
    nd.channels = 3, nd.widths[0] = 2;
    md.head_hidden = 2, md.head_out = 2;
    *data = sslh_data_from_images(c, pixels, 12, 8, 8, 3, labels);
    return sslh_simclr(c, sslh_convnet(c, nd), md);
}
static sslh_train_desc make_training(const char *path, int epochs) {
    sslh_train_desc d;
    memset(&d, 0, sizeof d);
    d.epochs = 3, d.batch = 4, d.lr = 0.05f, d.optimizer.kind = SSLH_ADAM, d.quiet = 1, d.resume = 1,
    d.checkpoint = path;
    d.max_steps = 3 * epochs;
    return d;
}
static uint64_t train(sslh_ctx *c, int epochs) {
    sslh_data data;
    sslh_method m = make_method(c, &data);
    sslh_train(c, m, data, make_training(in_folder("run"), epochs));
    return sslh_hash(m.net);
}

static uint64_t save_net(sslh_ctx *c) {
    sslh_save_net(make_net(c, 1), in_folder("net"));
    return file_hash(in_folder("net"));
}
static uint64_t save_new(sslh_ctx *c) {
    sslh_save_net(make_net(c, 1), in_folder("new"));
    return file_hash(in_folder("new"));
}
static uint64_t save_png(sslh_ctx *c) {
    sslh_save_png(c, in_folder("a.png"), pixels + 100, 8, 8, 3);
    return file_hash(in_folder("a.png"));
}
static uint64_t save_npy(sslh_ctx *c) {
    static const float values[6] = {9, 8, 7, 6, 5, 4};
    sslh_save_npy(c, in_folder("a.npy"), sslh_dim2(2, 3), values);
    return file_hash(in_folder("a.npy"));
}
static uint64_t draw(sslh_ctx *c) {
    sslh_picture_grid(c, in_folder("a.png"), sslh_uniform(c, sslh_dim4(2, 4, 4, 1), 0, 1), 2, 2);
    return file_hash(in_folder("a.png"));
}
static uint64_t save_checkpoint(sslh_ctx *c) {
    sslh_data data;
    sslh_method m = make_method(c, &data);
    sslh_optimizer_desc d;
    memset(&d, 0, sizeof d);
    sslh_save_checkpoint(&m, sslh_optimizer_new(c, d), 5, in_folder("run"));
    return file_hash(in_folder("run"));
}
static uint64_t train_on(sslh_ctx *c) { return train(c, 3); }
static uint64_t train_anew(sslh_ctx *c) {
    if (!sslh_error(c)) remove(in_folder("other"));
    sslh_data data;
    sslh_method m = make_method(c, &data);
    sslh_train(c, m, data, make_training(in_folder("other"), 2));
    return sslh_hash(m.net);
}
static uint64_t load_weights(sslh_ctx *c) {
    sslh_load_desc d;
    sslh_net *net = make_net(c, 2);
    memset(&d, 0, sizeof d);
    d.optional = 1;
    int n = sslh_load_weights(net, in_folder("net"), d);
    CHECK(n || sslh_error(c), "a file that is there counts as absent");
    return sslh_hash(net);
}
static uint64_t load_net(sslh_ctx *c) { return sslh_hash(sslh_load_net(c, in_folder("net"))); }
static uint64_t load_image(sslh_ctx *c) {
    int h = 0, w = 0, channels = 0;
    uint8_t *p = sslh_load_image(c, in_folder("a.png"), &h, &w, &channels);
    return hash_bytes(p, (size_t)(h * w * channels));
}
static uint64_t load_npy(sslh_ctx *c) {
    sslh_tensor *t = sslh_load_npy(c, in_folder("a.npy"));
    return hash_bytes(t->data, t->count * sizeof *t->data);
}
static uint64_t load_classes(sslh_ctx *c) { return data_hash(sslh_load_images(c, in_folder("classes"))); }
static uint64_t load_sheets(sslh_ctx *c) { return data_hash(sslh_load_images(c, in_folder("sheets"))); }
static uint64_t load_idx(sslh_ctx *c) { return data_hash(sslh_load_images(c, in_folder("x-images-idx3-ubyte"))); }
static uint64_t load_binaries(sslh_ctx *c) { return data_hash(sslh_load_images(c, in_folder("cifar"))); }

static const struct deed {
    const char *name;
    uint64_t (*act)(sslh_ctx *c);
    const char *writes; /* the file that it writes; NULL: none */
    int least;          /* calls of the file system that it makes at least */
} deeds[] = {{"save_net", save_net, "net", 8}, {"save_new", save_new, "new", 8}, {"save_png", save_png, "a.png", 8},
    {"save_npy", save_npy, "a.npy", 8}, {"picture", draw, "a.png", 8}, {"save_checkpoint", save_checkpoint, "run", 8},
    {"train_on", train_on, "run", 20}, {"train_anew", train_anew, "other", 20}, {"load_weights", load_weights, NULL, 4},
    {"load_net", load_net, NULL, 4}, {"load_image", load_image, NULL, 4}, {"load_npy", load_npy, NULL, 4},
    {"load_classes", load_classes, NULL, 20}, {"load_sheets", load_sheets, NULL, 10}, {"load_idx", load_idx, NULL, 8},
    {"load_binaries", load_binaries, NULL, 8}};

static void put(const char *path, const void *bytes, size_t n) {
    FILE *f;
    remove(path); /* some file systems wait for the disk when a file that is there is written anew */
    f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n, "%s cannot be written", path);
    if (f) fclose(f);
}
/* The files that the deeds find: the same each time. */
static void make_files(void) {
    static const uint8_t idx[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8},
                         more[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
    static const char index[] = "cell 2 2\nclass a\nclass b\nsheet s.png columns 2 count 4\nlabels l.txt\n";
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    static const char *const folders[] = {"classes", "classes/a", "classes/b", "sheets", "cifar"};
    sslh_ctx *c = create(NULL);
    char name[40];
    uint8_t *record = (uint8_t *)calloc(3073, 2);
    for (int i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 ^ i >> 4);
    for (int i = 0; i < 12; i++) labels[i] = i % 2;
    for (int i = 0; i < 5; i++) mkdir(in_folder(folders[i]), 0777);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "classes/%c/%d.png", "ab"[i % 2], i);
        sslh_save_png(c, in_folder(name), pixels + i, 4, 4, 3);
    }
    sslh_save_png(c, in_folder("sheets/s.png"), pixels, 4, 4, 3);
    put(in_folder("sheets/index.txt"), index, sizeof index - 1);
    put(in_folder("sheets/l.txt"), "0 1 1 0\n", 8);
    put(in_folder("x-images-idx3-ubyte"), idx, sizeof idx);
    put(in_folder("x-labels-idx1-ubyte"), more, sizeof more);
    record[0] = 3;
    put(in_folder("cifar/data_batch_1.bin"), record, 3073);
    put(in_folder("cifar/data_batch_2.bin"), record, 2 * 3073);
    free(record);
    sslh_save_net(make_net(c, 0), in_folder("net"));
    sslh_save_png(c, in_folder("a.png"), pixels, 8, 8, 3);
    sslh_save_npy(c, in_folder("a.npy"), sslh_dim2(2, 3), values);
    remove(in_folder("new"));
    remove(in_folder("other"));
    CHECK_OK(c);
    sslh_destroy(c);
}
static uint8_t first_run[1 << 16]; /* a checkpoint after the first epoch */
static size_t first_size;
static void make_first_run(void) {
    sslh_ctx *c = create(NULL);
    remove(in_folder("run"));
    train(c, 1);
    CHECK_OK(c);
    sslh_destroy(c);
    FILE *f = fopen(in_folder("run"), "rb");
    first_size = f ? fread(first_run, 1, sizeof first_run, f) : 0;
    if (f) fclose(f);
    CHECK(first_size > 500 && first_size < sizeof first_run, "a checkpoint of %d bytes", (int)first_size);
}
/* The one file that a deed writes, as it was. */
static void put_back(const struct deed *d) {
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    sslh_ctx *c;
    if (!d->writes) return;
    if (!strcmp(d->writes, "run")) put(in_folder("run"), first_run, first_size);
    else if (!strcmp(d->writes, "new") || !strcmp(d->writes, "other")) remove(in_folder(d->writes));
    else {
        c = create(NULL);
        if (!strcmp(d->writes, "net")) sslh_save_net(make_net(c, 0), in_folder("net"));
        else if (!strcmp(d->writes, "a.png")) sslh_save_png(c, in_folder("a.png"), pixels, 8, 8, 3);
        else sslh_save_npy(c, in_folder("a.npy"), sslh_dim2(2, 3), values);
        CHECK_OK(c);
        sslh_destroy(c);
    }
}
static int files_open(void) {
    int n = 0;
    for (int i = 0; i < 200; i++) n += fcntl(i, F_GETFD) != -1;
    return n;
}

/* The deed with its call number n failing (all right when n is beyond the last). Returns the number of calls. */
static int try_deed(const struct deed *d, int n, int why, uint64_t right, int everything, int *refused) {
    static const char *const no_error_is_due[] = {"rename", "readdir"}; /* calls that no signal interrupts */
    test_memory mem;
    memset(&mem, 0, sizeof mem);
    sslh_ctx *c = create(&mem);
    uint64_t before = d->writes ? file_hash(in_folder(d->writes)) : 0, result, after;
    int open_before = files_open(), calls, says, excused = 0;
    char message[512] = "";
    const char *call;
    fault_begin(FAULT_ALL, n, 1, why);
    result = d->act(c);
    calls = made;
    call = fault_call;
    fault.call = NULL;
    if (sslh_error(c)) snprintf(message, sizeof message, "%s", sslh_error(c));
    after = d->writes ? file_hash(in_folder(d->writes)) : 0;
    if (message[0]) {
        ++*refused;
        for (int i = 0; i < 2; i++) excused |= !strcmp(call, no_error_is_due[i]);
        CHECK((why != EINTR || excused) && why != SHORT, "%s, call %d (%s) interrupted: %s", d->name, n, call, message);
        says = strstr(message, strerror(why)) || (why == EACCES && strstr(message, "read-only")) ||
               (!strcmp(call, "stat") && strstr(message, strerror(ENOENT)));
        CHECK(strstr(message, "sslh_") && says,
              "%s, call %d (%s): the message does not say \"%s\": %s", d->name, n, call, strerror(why), message);
        if (d->writes && strncmp(d->name, "train", 5)) /* a training may have written more than once */
            CHECK(after == before, "%s, call %d (%s): an error, and the file is another", d->name, n, call);
    } else CHECK(result == right, "%s, call %d (%s), %s: another result and no error", d->name, n, call,
                 strerror(why > 0 ? why : 0));
    CHECK(files_in(folder, "") == everything || (d->writes && files_in(folder, "") == everything - 1 && !after),
          "%s, call %d (%s): %d files, %d expected", d->name, n, call, files_in(folder, ""), everything);
    CHECK(files_in(folder, ".tmp") == 0, "%s, call %d (%s): a temporary file is left", d->name, n, call);
    CHECK(files_open() == open_before, "%s, call %d (%s): a file is left open", d->name, n, call);
    /* again, in the same context */
    sslh_clear_error(c);
    if (message[0]) {
        const int anew = !strncmp(d->name, "train", 5) || !strncmp(d->name, "save", 4) || !strcmp(d->name, "picture");
        sslh_ctx *again = anew ? create(NULL) : c;
        if (!strcmp(d->name, "train_anew")) { /* from the checkpoint that there is, if any */
            sslh_data data;
            sslh_method m = make_method(again, &data);
            sslh_train(again, m, data, make_training(in_folder("other"), 2));
            result = sslh_hash(m.net);
        } else result = d->act(again);
        CHECK(!sslh_error(again) && result == right, "%s, call %d (%s): again: %s", d->name, n, call,
              sslh_error(again) ? sslh_error(again) : "another result");
        if (again != c) sslh_destroy(again);
    }
    sslh_destroy(c);
    CHECK(mem.live == 0, "%s, call %d (%s): %ld blocks leak", d->name, n, call, mem.live);
    put_back(d);
    return calls;
}
static void every_call_fails(void) {
    static const int whys[] = {EIO, ENOSPC, EACCES, ESTALE, EINTR, EMFILE, ENOMEM, SHORT};
    const char *long_run = getenv("SSLH_TEST_LONG");
    int is_long = long_run && long_run[0] == '1', refused = 0, tried = 0;
    folder_begin();
    make_files();
    make_first_run();
    for (int k = 0; k < (int)(sizeof deeds / sizeof deeds[0]); k++) {
        const struct deed *d = &deeds[k];
        uint64_t right;
        int everything, calls, n;
        sslh_ctx *c = create(NULL);
        right = d->act(c);
        CHECK_OK(c);
        CHECK(right, "%s gives nothing", d->name);
        sslh_destroy(c);
        everything = files_in(folder, "");
        put_back(d);
        calls = try_deed(d, 1 << 30, EIO, right, everything, &refused);
        CHECK(calls >= d->least, "%s makes %d calls", d->name, calls);
        const char *name[256];
        memcpy(name, made_call, sizeof name);
        CHECK(calls <= 256, "%s makes %d calls", d->name, calls);
        for (n = 0; n < calls; n++)
            for (int why = 0; why < (int)(sizeof whys / sizeof whys[0]); why++) {
                if (whys[why] == SHORT && strcmp(name[n], "write")) continue;
                /* every call with a failing disk and a signal; the other reasons in turn */
                if (!is_long && why > 0 && whys[why] != SHORT && whys[why] != EINTR && (n + why) % 5) continue;
                try_deed(d, n, whys[why], right, everything, &refused);
                tried++;
                if (test_checks_failed > 40) break;
            }
        if (d->writes && (!strcmp(d->writes, "new") || !strcmp(d->writes, "other"))) remove(in_folder(d->writes));
    }
    CHECK(refused > tried / 8 && refused < tried, "%d of %d refused", refused, tried);
    printf("note: %d calls that fail, %d errors\n", tried, refused);
    folder_end(folder);
}

/* --- kills -------------------------------------------------------------------------------------------------------- */

/* A child saves one net and the other by turns; it ends at call number `at` of the file system, or, for at below 0,
   when it is killed after so many microseconds. */
static void kill_one(int at, long microseconds) {
    int status = 0;
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        sslh_ctx *c = create(NULL);
        sslh_net *one = make_net(c, 0), *two = make_net(c, 1);
        if (at >= 0) fault_begin(FAULT_ALL, at, 1, KILLED);
        for (int i = 0; i < 100000 && !sslh_error(c); i++) sslh_save_net(i % 2 ? two : one, in_folder("net"));
        _exit(7);
    }
    if (at < 0) {
        struct timespec t;
        t.tv_sec = 0, t.tv_nsec = microseconds * 1000;
        nanosleep(&t, NULL);
        kill(child, SIGKILL);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child, "no child");
    CHECK(at >= 0 ? status == 0 : WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
          "the child ended by itself: %d", status);
}
static void killed_while_saving(void) {
    const char *long_run = getenv("SSLH_TEST_LONG");
    int count = long_run && long_run[0] == '1' ? 500 : 60;
    sslh_ctx *c = create(NULL);
    sslh_net *one = make_net(c, 0), *two = make_net(c, 1), *read = make_net(c, 2);
    sslh_load_desc none;
    int times[2] = {0, 0};
    memset(&none, 0, sizeof none);
    folder_begin();
    sslh_save_net(one, in_folder("net"));
    for (int i = 0; i < count && test_checks_failed < 10; i++) {
        if (i % 2) kill_one(i / 2 % 40, 0);
        else kill_one(-1, 1000 + (long)i * 7919 % 20000);
        sslh_load_weights(read, in_folder("net"), none);
        CHECK(!sslh_error(c), "after kill %d: %s", i, sslh_error(c) ? sslh_error(c) : "");
        sslh_clear_error(c);
        int which = sslh_hash(read) == sslh_hash(two);
        CHECK(which || sslh_hash(read) == sslh_hash(one), "after kill %d the file is neither the one nor the other", i);
        times[which]++;
        CHECK(files_in(folder, "") <= 2, "after kill %d: %d files", i, files_in(folder, ""));
    }
    CHECK(times[0] > count / 10 && times[1] > count / 10, "%d times the one, %d times the other", times[0], times[1]);
    sslh_save_net(one, in_folder("net"));
    CHECK_OK(c);
    CHECK(files_in(folder, "") == 1, "%d files after a whole save", files_in(folder, ""));
    folder_end(folder);
    sslh_destroy(c);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Nets with weights of 8 bits, a convolutional one with folded batch norms and one of linear layers with two factors:
   made, used, saved, loaded. */
#if SSLH_WITH_QUANTIZE
static sslh_net *low_rank(sslh_ctx *c) {
    sslh_mlp_desc d;
    sslh_low_rank_desc r;
    memset(&d, 0, sizeof d), memset(&r, 0, sizeof r);
    d.in = 9, d.widths[0] = 8, d.widths[1] = 7;
    r.rank = 2;
    return sslh_net_low_rank(sslh_mlp(c, d), r);
}
#endif
static void eight_bits(sslh_ctx *c) {
#if SSLH_WITH_QUANTIZE
    sslh_quantize_desc d;
    sslh_load_desc none;
    sslh_data data;
    sslh_method m = make_method(c, &data);
    sslh_net *net;
    memset(&d, 0, sizeof d), memset(&none, 0, sizeof none);
    d.min_count = SSLH_OFF;
    sslh_prune_magnitude(m.encoder, 0.5f);
    net = sslh_quantize(m.encoder, d);
    sslh_no_grad(c, 1);
    sslh_forward(net, sslh_uniform(c, sslh_dim4(2, 8, 8, 3), 0, 1));
    sslh_forward(sslh_quantize(make_net(c, 1), d), sslh_uniform(c, sslh_dim2(7, 3), 0, 1));
    sslh_forward(low_rank(c), sslh_uniform(c, sslh_dim2(7, 9), 0, 1));
    sslh_no_grad(c, 0);
    sslh_save_net(low_rank(c), in_folder("eight"));
    sslh_load_net(c, in_folder("eight"));
    sslh_save_net(net, in_folder("eight"));
    sslh_load_net(c, in_folder("eight"));
    remove(in_folder("eight"));
#else
    (void)c;
#endif
}
/* One epoch with a checkpoint, the second resumed by a new method, features judged.
   Returns the hash of what was trained, 0 after an error. */
static uint64_t story(sslh_ctx *c) {
    sslh_data data;
    sslh_probe_desc pd;
    sslh_knn_desc kd;
    memset(&pd, 0, sizeof pd);
    memset(&kd, 0, sizeof kd);
    pd.l2 = 0.01f, pd.iterations = 3;
    train(c, 1);
    uint64_t trained = train(c, 2);
    sslh_method m = make_method(c, &data);
    float a = sslh_linear_probe(c, m.encoder, data, data, pd), b = sslh_knn(c, m.encoder, data, data, kd);
    sslh_load_net(c, in_folder("net"));
    eight_bits(c);
    return sslh_error(c) || !(a + b >= 0) ? 0 : trained;
}
static void every_allocation_fails(void) {
    test_memory m;
    sslh_ctx *c;
    uint64_t right;
    long total, stride;
    folder_begin();
    make_files();
    memset(&m, 0, sizeof m);
    c = create(&m);
    remove(in_folder("run"));
    right = story(c);
    CHECK_OK(c);
    sslh_destroy(c);
    total = m.calls;
    CHECK(m.live == 0, "%ld blocks leak", m.live);
    CHECK(total > 100, "%ld allocations", total);
    stride = test_small() ? total / 40 + 1 : 1;
    for (int all = 0; all < 2; all++)
        for (long n = 1 + all * (stride / 2); n <= total && test_checks_failed < 10; n += stride) {
            uint64_t result;
            memset(&m, 0, sizeof m);
            m.fail_at = n, m.fail_all = all;
            c = create(&m);
            remove(in_folder("run"));
            result = story(c);
            CHECK(result == 0 && sslh_error_code(c) == SSLH_E_MEMORY, "allocation %ld of %ld: %s", n, total,
                  sslh_error(c) ? sslh_error(c) : "no error");
            CHECK(files_in(folder, ".tmp") == 0, "allocation %ld: a temporary file is left", n);
            m.fail_at = 0;
            sslh_clear_error(c);
            if (n > 1) { /* another context goes on from the checkpoint, if there is one, and this one can begin anew */
                sslh_ctx *other = create(NULL);
                result = train(other, 2);
                CHECK(result == right,
                      "allocation %ld: resumed: %s", n, sslh_error(other) ? sslh_error(other) : "another result");
                sslh_destroy(other);
                remove(in_folder("run"));
                CHECK(story(c), "allocation %ld: again: %s", n, sslh_error(c));
            }
            sslh_destroy(c);
            CHECK(m.live == 0, "allocation %ld: %ld blocks leak", n, m.live);
        }
    printf("note: %ld allocations\n", total);
    folder_end(folder);
}

#define FAULT_TEST(name)
#else
#define FAULT_TEST(name) static void name(void) { NOTE(#name, "a POSIX system"); }
#endif
FAULT_TEST(every_call_fails)
FAULT_TEST(killed_while_saving)
FAULT_TEST(every_allocation_fails)

TESTS_BEGIN
    TEST(every_call_fails)
    TEST(killed_while_saving)
    TEST(every_allocation_fails)
TESTS_END
