/* What the system says of paths and files: absent is only what is said to be absent, every other error of a file call
   is an error with its cause, and a call that a signal interrupted is made again. */
#include "faults.h"

#if ON_POSIX
static sslh_ctx *create(void) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.threads = 1;
    return sslh_create(d);
}
static sslh_net *small_mlp(sslh_ctx *c) {
    sslh_mlp_desc d;
    memset(&d, 0, sizeof d);
    d.in = 2, d.widths[0] = 3;
    return sslh_mlp(c, d);
}
static int load_optional(sslh_net *net, const char *path) {
    sslh_load_desc d;
    memset(&d, 0, sizeof d);
    d.optional = 1;
    return sslh_load_weights(net, path, d);
}
static void save_image(sslh_ctx *c, const char *path) {
    static const uint8_t grey[4] = {1, 2, 3, 4};
    sslh_save_png(c, path, grey, 2, 2, 1);
}

/* --- absent, or unknown ------------------------------------------------------------------------------------------- */

static void absent_or_unknown(void) {
    sslh_ctx *c = create();
    sslh_net *net = small_mlp(c);
    char longer[400];
    folder_begin();
    sslh_save_net(net, in_folder("file"));
    CHECK_OK(c);
    /* absent: no such name, a name below a file, a link to nothing */
    CHECK(load_optional(net, in_folder("none")) == 0, "absent");
    CHECK_OK(c);
    CHECK(load_optional(net, in_folder("file/none")) == 0, "below a file");
    CHECK_OK(c);
    CHECK(symlink("nothing", in_folder("dangling")) == 0 && load_optional(net, in_folder("dangling")) == 0, "dangling");
    CHECK_OK(c);
    /* unknown: a ring of links, a name that is too long, a folder that may not be searched */
    CHECK(symlink("ring", in_folder("ring")) == 0, "symlink");
    load_optional(net, in_folder("ring"));
    CHECK_ERROR(c, "cannot open");
    sslh_save_net(net, in_folder("ring"));
    CHECK_ERROR(c, strerror(ELOOP));
    memset(longer, 'n', 300);
    longer[300] = 0;
    load_optional(net, in_folder(longer));
    CHECK_ERROR(c, strerror(ENAMETOOLONG));
    sslh_load_images(c, in_folder("ring"));
    CHECK_ERROR(c, strerror(ELOOP));
    if (geteuid() != 0) {
        CHECK(mkdir(in_folder("closed"), 0700) == 0, "mkdir");
        sslh_save_net(net, in_folder("closed/file"));
        chmod(in_folder("closed"), 0);
        load_optional(net, in_folder("closed/file"));
        CHECK_ERROR(c, strerror(EACCES));
        chmod(in_folder("closed"), 0700);
    } else NOTE("a folder that may not be searched", "another user than root");
    CHECK_OK(c);
    folder_end(folder);
    sslh_destroy(c);
}

/* A checkpoint that cannot be looked at: the run does not begin anew, and the file stays. */
static int64_t first_step;
static int note_first(const sslh_train_info *t, void *user) {
    (void)user;
    if (!first_step) first_step = t->step;
    return 0;
}
static sslh_ctx *run(const char *path, int epochs) { /* a training with a checkpoint; give the context back */
    static uint8_t pixels[8 * 8 * 8 * 3];
    sslh_ctx *c = create();
    sslh_convnet_desc nd;
    sslh_simclr_desc md;
    sslh_train_desc td;
    int i;
    for (i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37);
    memset(&nd, 0, sizeof nd);
    nd.channels = 3, nd.widths[0] = 4;
    memset(&md, 0, sizeof md);
    md.head_hidden = 4, md.head_out = 4;
    memset(&td, 0, sizeof td);
    td.epochs = epochs, td.batch = 4, td.quiet = 1, td.resume = 1, td.checkpoint = path, td.callback = note_first;
    first_step = 0;
    sslh_train(c, sslh_simclr(c, sslh_convnet(c, nd), md), sslh_data_from_images(c, pixels, 8, 8, 8, 3, NULL), td);
    return c;
}
static void checkpoint_not_destroyed(void) {
    static const int whys[] = {EIO, EACCES, ELOOP, ENOMEM, EINTR};
    char path[900];
    int k;
    folder_begin();
    snprintf(path, sizeof path, "%s", in_folder("run"));
    for (k = 0; k < (int)(sizeof whys / sizeof whys[0]); k++) {
        uint8_t *before, *after;
        size_t size, size_after;
        sslh_ctx *c, *files = create();
        fault_begin(NULL, 0, 0, 0);
        remove(path);
        c = run(path, 1);
        CHECK_OK(c);
        CHECK(first_step == 1, "an absent checkpoint: step %d", (int)first_step);
        sslh_destroy(c);
        before = sslh_i_read_whole(files, "test", path, &size);
        /* the folder does not answer at all */
        fault_begin("/stat/fopen/", 0, whys[k] == EINTR ? 0 : 1 << 30, whys[k]);
        if (whys[k] != EINTR) { /* which would be tried for ever */
            c = run(path, 2);
            fault_begin(NULL, 0, 0, 0);
            CHECK(first_step == 0, "a step was made: %d", (int)first_step);
            CHECK_ERROR(c, strerror(whys[k]));
            sslh_destroy(c);
            after = sslh_i_read_whole(files, "test", path, &size_after);
            CHECK(before && after && size == size_after && !memcmp(before, after, size), "the checkpoint has changed");
            sslh_i_free(files, after);
        }
        /* one stat fails, then all is well again */
        fault_begin("/stat/", 0, 1, whys[k]);
        c = run(path, 2);
        fault_begin(NULL, 0, 0, 0);
        CHECK(first_step == 0 || first_step == 3, "the run began with step %d", (int)first_step);
        CHECK(whys[k] != EINTR || first_step == 3, "after a signal");
        sslh_destroy(c);
        sslh_i_free(files, before);
        CHECK_OK(files);
        sslh_destroy(files);
    }
    folder_end(folder);
}

/* --- folders ------------------------------------------------------------------------------------------------------ */

/* Six images in two classes: whichever call fails, either all of them are there or there is an error with the cause. */
static void folders_whole(void) {
    static const char *const calls[] = {"/stat/", "/opendir/", "/readdir/", "/fopen/", "/fread/"};
    char all[300];
    int i, k, total[5], whole = 0, refused = 0;
    sslh_ctx *c = create();
    folder_begin();
    CHECK(mkdir(in_folder("a"), 0777) == 0 && mkdir(in_folder("b"), 0777) == 0, "mkdir");
    for (i = 0; i < 6; i++) {
        char name[16];
        snprintf(name, sizeof name, "%c/%d.png", i < 2 ? 'a' : 'b', i);
        save_image(c, in_folder(name));
    }
    snprintf(all, sizeof all, "%s", folder);
    CHECK_OK(c);
    for (k = 0; k < 5; k++) {
        fault_begin(calls[k], 0, 0, 0);
        sslh_load_images(c, all);
        total[k] = made;
        CHECK(made >= (k == 1 ? 3 : 6), "%d calls %s", made, calls[k]);
    }
    for (k = 0; k < 5; k++)
        for (i = 0; i < total[k]; i++) {
            sslh_data d;
            fault_begin(calls[k], i, 1, EIO);
            d = sslh_load_images(c, all);
            fault.call = NULL;
            CHECK(sslh_error(c) || (d.count == 6 && d.classes == 2), "%s number %d fails: %d images of %d classes",
                  calls[k], i, (int)d.count, d.classes);
            if (!sslh_error(c)) whole++;
            else {
                refused++;
                CHECK_ERROR(c, strerror(EIO));
            }
        }
    CHECK(refused >= 20, "%d refused, %d whole", refused, whole);
    for (k = 0; k < 5; k++) /* signals: all images, always. readdir has none in POSIX */
        for (i = 0; i < total[k] && k != 2; i++) {
            sslh_data d;
            fault_begin(calls[k], i, 3, EINTR);
            d = sslh_load_images(c, all);
            fault.call = NULL;
            CHECK(d.count == 6 && d.classes == 2, "%s number %d, a signal: %d images", calls[k], i, (int)d.count);
            CHECK_OK(c);
        }
    /* index.txt and class folders that cannot be looked at */
    CHECK(symlink("index.txt", in_folder("index.txt")) == 0, "symlink");
    sslh_load_images(c, all);
    CHECK_ERROR(c, "index.txt");
    remove(in_folder("index.txt"));
    CHECK(symlink("c", in_folder("c")) == 0, "symlink");
    sslh_load_images(c, all);
    CHECK_ERROR(c, strerror(ELOOP));
    folder_end(folder);
    sslh_destroy(c);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Every call of a save fails in turn: an error with the cause and the old file, or the new file; no other file. */
static void saves_whole(void) {
    static const char *const calls[] = {"/stat/", "/open/", "/write/", "/fsync/", "/close/", "/rename/", "/readlink/",
                                        "/chmod/"};
    sslh_ctx *c = create();
    sslh_net *old = small_mlp(c), *other = small_mlp(c), *read = small_mlp(c);
    char path[900];
    int i, k, total[8], refused = 0;
    folder_begin();
    snprintf(path, sizeof path, "%s", in_folder("net"));
    sslh_save_net(old, path);
    for (k = 0; k < 8; k++) {
        fault_begin(calls[k], 0, 0, 0);
        sslh_save_net(other, path);
        total[k] = made;
        CHECK(made >= 1, "no call %s", calls[k]);
    }
    for (k = 0; k < 8; k++)
        for (i = 0; i < total[k]; i++) {
            int signal_came;
            for (signal_came = 0; signal_came < 2; signal_came++) {
                sslh_load_desc none;
                char why[400] = "";
                if (signal_came && k == 5) continue; /* rename is not interrupted */
                memset(&none, 0, sizeof none);
                sslh_save_net(old, path);
                CHECK_OK(c);
                fault_begin(calls[k], i, signal_came ? 3 : 1, signal_came ? EINTR : EIO);
                sslh_save_net(other, path);
                fault.call = NULL;
                if (sslh_error(c)) {
                    snprintf(why, sizeof why, "%s", sslh_error(c));
                    refused++;
                    CHECK(!signal_came && strstr(why, path) && strstr(why, strerror(EIO)), "%s %d: %s", calls[k], i,
                          why);
                }
                sslh_clear_error(c);
                sslh_load_weights(read, path, none);
                CHECK_OK(c);
                CHECK(sslh_hash(read) == sslh_hash(why[0] ? old : other), "%s %d: another file", calls[k], i);
                CHECK(files_in(folder, "") == 1, "%s %d: %d files", calls[k], i, files_in(folder, ""));
            }
        }
    CHECK(refused >= 7, "%d refused", refused);
    folder_end(folder);
    sslh_destroy(c);
}
/* --- what killed saves leave -------------------------------------------------------------------------------------- */

/* A child process saves to path and is killed (or stopped) at the call. Returns its number. */
static pid_t save_in_child(const char *path, const char *call, int why) {
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        sslh_ctx *c = create();
        fault_begin(call, 0, 1, why);
        sslh_save_net(small_mlp(c), path);
        _exit(1);
    }
    return child;
}
static void killed_saves(void) {
    static const char *const names[] = {"net", "a.net.1-2-3.tmp",
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789",
        "\u00e4\u00f6\u00fc"};
    sslh_ctx *c = create();
    char path[900];
    int i, k, status;
    folder_begin();
    for (k = 0; k < (int)(sizeof names / sizeof names[0]); k++) {
        snprintf(path, sizeof path, "%s", in_folder(names[k]));
        for (i = 0; i < 8; i++) {
            pid_t child = save_in_child(path, i % 2 ? "/fsync/" : "/rename/", KILLED);
            CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child was not killed: %d",
                  status);
            CHECK(files_in(folder, ".tmp") - files_in(folder, "1-2-3.tmp") <= 1 || k == 1, "temporary files pile up");
        }
        CHECK(files_in(folder, "") == k + 1, "%d files after kills and none saved", files_in(folder, ""));
        sslh_save_net(small_mlp(c), path);
        CHECK_OK(c);
        CHECK(files_in(folder, "") == k + 1, "%s: %d files", names[k], files_in(folder, ""));
    }
    folder_end(folder);
    sslh_destroy(c);
}

/* What a process still writes stays, and so do files that only look similar. */
static void living_saves(void) {
    static const char *const others[] = {"net.1", "net.tmp", "net.1-2.tmp", "net.7fffffff-1-1.tmp", "net..tmp",
        "net.7fffffff-0x1-1.tmp", "net.7fffffff- 1-1.tmp", "net.7fffffff-1-1.tmpx", "network.7fffffff-1-1.tmp"};
    sslh_ctx *c = create();
    char path[900];
    pid_t child;
    int i, n = (int)(sizeof others / sizeof others[0]), status;
    folder_begin();
    snprintf(path, sizeof path, "%s", in_folder("net"));
    for (i = 0; i < n; i++) {
        FILE *f = fopen(in_folder(others[i]), "wb");
        CHECK(f != NULL, "%s", others[i]);
        if (f) fclose(f);
    }
    child = save_in_child(path, "/rename/", WAITS);
    CHECK(child > 0 && waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "the child does not wait");
    CHECK(files_in(folder, "") == n + 1, "%d files", files_in(folder, ""));
    sslh_save_net(small_mlp(c), path);
    CHECK_OK(c);
    CHECK(files_in(folder, "") == n + 2, "a file of a process that lives is gone: %d files", files_in(folder, ""));
    kill(child, SIGCONT);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 1,
          "the child did not end");
    CHECK(files_in(folder, "") == n + 1, "its save did not end: %d files", files_in(folder, ""));
    child = save_in_child(path, "/rename/", WAITS);
    CHECK(waitpid(child, &status, WUNTRACED) == child && files_in(folder, "") == n + 2, "no second child");
    kill(child, SIGKILL);
    CHECK(waitpid(child, &status, 0) == child, "the child was not killed");
    sslh_save_net(small_mlp(c), path);
    CHECK_OK(c);
    CHECK(files_in(folder, "") == n + 1, "%d files", files_in(folder, ""));
    folder_end(folder);
    sslh_destroy(c);
}

/* Names up to what the file system takes; a file that nobody may write to stays as it is. */
static void names_and_modes(void) {
    static const int lengths[] = {1, 99, 100, 101, 239, 240, 255};
    sslh_ctx *c = create();
    sslh_net *net = small_mlp(c), *other = small_mlp(c), *read = small_mlp(c);
    sslh_load_desc d;
    char name[300], path[900];
    int i, k;
    folder_begin();
    memset(&d, 0, sizeof d);
    for (k = 0; k < 2; k++) /* one byte a letter, and two */
        for (i = 0; i < (int)(sizeof lengths / sizeof lengths[0]); i++) {
            int n, length = lengths[i];
            for (n = 0; n < length; n++)
                name[n] = (char)(k == 0 || (n == 0 && length % 2) ? 'x' : (n + length) % 2 ? 0xa4 : 0xc3);
            name[length] = 0;
            snprintf(path, sizeof path, "%s", in_folder(name));
            sslh_save_net(net, path);
            CHECK_OK(c);
            sslh_load_weights(read, path, d);
            CHECK_OK(c);
            CHECK(files_in(folder, "") == 1, "%d files", files_in(folder, ""));
            remove(path);
        }
    snprintf(path, sizeof path, "%s", in_folder("kept"));
    sslh_save_net(net, path);
    CHECK(chmod(path, 0444) == 0, "chmod");
    sslh_save_net(other, path);
    CHECK_ERROR(c, "kept is read-only and is not replaced");
    save_image(c, path);
    CHECK_ERROR(c, "read-only");
    sslh_load_weights(read, path, d);
    CHECK(sslh_hash(read) == sslh_hash(net), "the file was replaced");
    chmod(path, 0644);
    sslh_save_net(other, path);
    sslh_load_weights(read, path, d);
    CHECK_OK(c);
    CHECK(sslh_hash(read) == sslh_hash(other), "the file was not replaced");
    folder_end(folder);
    sslh_destroy(c);
}

/* Every writer. */
enum { WRITERS = 9 };
static void save_by(sslh_ctx *c, int writer, const char *path) {
    static const float values[4] = {0, 1, 2, 3};
    sslh_convnet_desc nd;
    sslh_method m;
    switch (writer) {
    case 0: save_image(c, path); break;
    case 1: sslh_save_npy(c, path, sslh_dim1(4), values); break;
    case 2: sslh_save_wav(c, path, values, 4, 1, 8000); break;
    case 3: sslh_save_net(small_mlp(c), path); break;
    case 4: sslh_picture_curves(c, path, values, 1, 4, NULL, "curve"); break;
    case 5: sslh_picture_grid(c, path, sslh_zeros(c, sslh_dim4(1, 4, 4, 1)), 1, 0); break;
    case 6: sslh_save_npz(small_mlp(c), path); break;
    case 7: {
        sslh_onnx_desc none;
        memset(&none, 0, sizeof none);
        sslh_export_onnx(small_mlp(c), path, none);
        break;
    }
    default: {
        sslh_optimizer_desc od;
        sslh_optimizer *o;
        memset(&nd, 0, sizeof nd);
        memset(&od, 0, sizeof od);
        nd.widths[0] = 4;
        m = sslh_method_new(c, "none", sslh_convnet(c, nd), NULL, 0);
        o = sslh_optimizer_new(c, od);
        sslh_optimizer_add(o, m.net);
        sslh_save_checkpoint(&m, o, 1, path);
    }
    }
}

/* A link stays, and what it leads to is replaced or made; a file keeps its rights (and owner, where we may give files
   away); what is no file, or open already, is written to. */
static void links_and_rights(void) {
    static const int modes[] = {0600, 0640, 0644, 0666, 0755, 0200 | 04000};
    sslh_ctx *c = create();
    struct stat s;
    char target[900], link[900], second[900];
    int w, i;
    folder_begin();
    CHECK(mkdir(in_folder("far"), 0700) == 0, "mkdir");
    snprintf(target, sizeof target, "%s", in_folder("far/file"));
    snprintf(link, sizeof link, "%s", in_folder("link"));
    snprintf(second, sizeof second, "%s", in_folder("far/second"));
    CHECK(symlink("far/second", link) == 0 && symlink(target, second) == 0, "symlink"); /* relative, then absolute */
    for (w = 0; w < WRITERS; w++) {
        FILE *f;
        save_by(c, w, link); /* leads to nothing yet */
        CHECK_OK(c);
        CHECK(lstat(target, &s) == 0 && S_ISREG(s.st_mode) && s.st_size > 4, "writer %d made no file", w);
        f = fopen(target, "wb");
        if (f) fputs("old", f), fclose(f);
        CHECK(chmod(target, 0600) == 0, "chmod");
        save_by(c, w, link);
        CHECK_OK(c);
        CHECK(lstat(link, &s) == 0 && S_ISLNK(s.st_mode), "writer %d replaced the link", w);
        CHECK(lstat(second, &s) == 0 && S_ISLNK(s.st_mode), "writer %d replaced the second link", w);
        CHECK(lstat(target, &s) == 0 && s.st_size > 4 && (s.st_mode & 07777) == 0600, "writer %d: %ld bytes, mode %o",
              w, (long)s.st_size, (unsigned)(s.st_mode & 07777));
        CHECK(files_in(folder, "") == 2 && files_in(in_folder("far"), "") == 2, "writer %d left another file", w);
        remove(target);
    }
    for (i = 0; i < (int)(sizeof modes / sizeof modes[0]); i++) {
        save_image(c, target);
        CHECK(chmod(target, (mode_t)modes[i]) == 0, "chmod");
        save_image(c, target);
        CHECK_OK(c);
        CHECK(stat(target, &s) == 0 && (int)(s.st_mode & 07777) == modes[i], "mode %o became %o", (unsigned)modes[i],
              (unsigned)(s.st_mode & 07777));
    }
    if (geteuid() == 0 && chown(target, 12, 34) == 0) {
        chmod(target, 0640);
        save_image(c, target);
        CHECK_OK(c);
        CHECK(stat(target, &s) == 0 && s.st_uid == 12 && s.st_gid == 34 && (s.st_mode & 07777) == 0640,
              "owner %d:%d, mode %o", (int)s.st_uid, (int)s.st_gid, (unsigned)(s.st_mode & 07777));
    } else NOTE("a file of somebody else's", "root");
    /* the system refuses the owner: the file is not readable for another group than before */
    chmod(target, 0640);
    fault_begin("/chown/", 0, 2, EPERM);
    save_image(c, target);
    fault_begin(NULL, 0, 0, 0);
    CHECK_OK(c);
    CHECK(stat(target, &s) == 0 && (s.st_mode & 07777) == 0600, "mode %o", (unsigned)(s.st_mode & 07777));
    folder_end(folder);
    sslh_destroy(c);
}

/* A link that somebody has put where the temporary file is going to be: its target is not touched, and the save goes
   on. */
static void planted_links(void) {
    sslh_ctx *c = create();
    char target[900], path[900], text[16] = "";
    sslh_i_temp_file a;
    FILE *f;
    folder_begin();
    snprintf(path, sizeof path, "%s", in_folder("file"));
    snprintf(target, sizeof target, "%s", in_folder("precious"));
    f = fopen(target, "wb");
    if (f) fputs("precious", f), fclose(f);
    CHECK(sslh_i_temp_begin(c, &a, path), "names");
    sslh_i_temp_name(&a, a.process, (unsigned long)((uintptr_t)c >> 4 & 0xffffffffu));
    CHECK(symlink(target, a.name) == 0, "symlink");
    save_image(c, path);
    CHECK_OK(c);
    f = fopen(target, "rb");
    CHECK(f && fread(text, 1, 15, f) == 8 && !strcmp(text, "precious"), "the target became \"%s\"", text);
    if (f) fclose(f);
    CHECK(files_in(folder, "") == 2 && sslh_i_kind_at(path) == SSLH_I_PATH_FILE, "%d files", files_in(folder, ""));
    sslh_i_free(c, a.name);
    folder_end(folder);
    sslh_destroy(c);
}

static void devices_written_to(void) {
    static const char before[] = "said before\n";
    sslh_ctx *c = create();
    struct stat s;
    char link[900], log[900], text[64] = "";
    int ends[2], keep, device = stat("/dev/null", &s) == 0 && S_ISCHR(s.st_mode);
    FILE *f;
    folder_begin();
    snprintf(link, sizeof link, "%s", in_folder("null"));
    if (device) { /* not where somebody ran, as root, a linker that replaces its output: tcc -o /dev/null */
        CHECK(symlink("/dev/null", link) == 0, "symlink");
        save_image(c, link);
        CHECK_OK(c);
        CHECK(lstat(link, &s) == 0 && S_ISLNK(s.st_mode), "the link was replaced: mode %o", (unsigned)s.st_mode);
        CHECK(stat("/dev/null", &s) == 0 && S_ISCHR(s.st_mode), "/dev/null was replaced: mode %o", (unsigned)s.st_mode);
    } else NOTE("/dev/null", "a system where it is a device");
    /* a pipe with a name: the reader gets the bytes */
    CHECK(mkfifo(in_folder("pipe"), 0600) == 0, "mkfifo");
    keep = open(in_folder("pipe"), O_RDWR);
    save_image(c, in_folder("pipe"));
    CHECK_OK(c);
    CHECK(read(keep, text, 8) == 8 && !memcmp(text, "\x89PNG", 4), "the pipe has no picture");
    CHECK(stat(in_folder("pipe"), &s) == 0 && S_ISFIFO(s.st_mode), "the pipe was replaced");
    close(keep);
    /* standard output: a file that is open, then a pipe */
    if (stat("/dev/stdout", &s) == 0 && stat("/proc/self/fd", &s) == 0) {
        snprintf(log, sizeof log, "%s", in_folder("log"));
        fflush(stdout);
        keep = dup(1);
        f = fopen(log, "wb");
        CHECK(f && fputs(before, f) >= 0 && fflush(f) == 0 && dup2(fileno(f), 1) == 1, "%s", log);
        save_image(c, "/dev/stdout");
        dup2(keep, 1);
        if (f) fclose(f);
        CHECK_OK(c);
        f = fopen(log, "rb");
        CHECK(f && fread(text, 1, sizeof text - 1, f) > 20 && !memcmp(text, before, strlen(before)) &&
              !memcmp(text + strlen(before), "\x89PNG", 4), "the log was replaced");
        if (f) fclose(f);
        CHECK(files_in(folder, "") == 2 + device, "%d files", files_in(folder, ""));
        CHECK(pipe(ends) == 0 && dup2(ends[1], 1) == 1, "pipe");
        save_image(c, "/dev/stdout");
        dup2(keep, 1);
        close(keep);
        CHECK_OK(c);
        CHECK(read(ends[0], text, 8) == 8 && !memcmp(text, "\x89PNG", 4), "the pipe has no picture");
        close(ends[0]);
        close(ends[1]);
        CHECK(lstat("/dev/stdout", &s) == 0 && S_ISLNK(s.st_mode), "/dev/stdout was replaced");
    } else NOTE("/dev/stdout", "a system with /proc/self/fd");
    folder_end(folder);
    sslh_destroy(c);
}

/* A checkpoint that can be written nowhere is refused before the first step, not after the first epoch. */
static void checkpoint_refused_at_once(void) {
    char path[900];
    sslh_ctx *maker = create();
    int k;
    folder_begin();
    CHECK(mkdir(in_folder("there"), 0777) == 0, "mkdir");
    save_image(maker, in_folder("kept"));
    sslh_destroy(maker);
    chmod(in_folder("kept"), 0444);
    CHECK(symlink("nowhere/run", in_folder("away")) == 0, "symlink");
    for (k = 0; k < 5; k++) {
        static const char *const names[] = {"none/run", "there", "kept/run", "away", "there/run"};
        static const char *const whys[] = {"there is no folder", "is a folder", "there is no folder",
                                           "there is no folder", NULL};
        sslh_ctx *c;
        snprintf(path, sizeof path, "%s", in_folder(names[k]));
        c = run(path, 1);
        if (whys[k]) {
            CHECK(first_step == 0, "%s: a step was made", names[k]);
            CHECK(sslh_error(c) && strstr(sslh_error(c), "sslh_train: .checkpoint: "), "%s", names[k]);
            CHECK_ERROR(c, whys[k]);
        } else {
            CHECK_OK(c);
            CHECK(first_step == 1 && files_in(in_folder("there"), "") == 1, "no checkpoint");
        }
        sslh_destroy(c);
    }
    folder_end(folder);
}
#define PATH_TEST(name)
#else
#define PATH_TEST(name) static void name(void) { NOTE(#name, "a POSIX system"); }
#endif
PATH_TEST(absent_or_unknown)
PATH_TEST(checkpoint_not_destroyed)
PATH_TEST(folders_whole)
PATH_TEST(saves_whole)
PATH_TEST(killed_saves)
PATH_TEST(living_saves)
PATH_TEST(names_and_modes)
PATH_TEST(links_and_rights)
PATH_TEST(planted_links)
PATH_TEST(devices_written_to)
PATH_TEST(checkpoint_refused_at_once)

TESTS_BEGIN
    TEST(absent_or_unknown)
    TEST(checkpoint_not_destroyed)
    TEST(folders_whole)
    TEST(saves_whole)
    TEST(killed_saves)
    TEST(living_saves)
    TEST(names_and_modes)
    TEST(links_and_rights)
    TEST(planted_links)
    TEST(devices_written_to)
    TEST(checkpoint_refused_at_once)
TESTS_END
