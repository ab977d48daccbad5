/* Calls of the file system that fail when a test wants it: every one that ssl.h makes is put behind a macro, in an
   implementation that the test carries. Use:

       #include "faults.h"                                     instead of harness.h and ssl.h
       #if ON_POSIX
       fault_begin("/stat/open/", 2, 1, EIO);                  the third call of one of them fails, and no other
       ..
       fault_begin(NULL, 0, 0, 0);                             none

   fault_begin(FAULT_ALL, ..) means all calls. fsync does not wait for the disk. */
#ifndef SSLH_TEST_FAULTS_H
#define SSLH_TEST_FAULTS_H
#if defined(__unix__) || defined(__APPLE__)
#define _XOPEN_SOURCE 700 /* symlink and mkdtemp, which -std=c99 hides */
#define _DARWIN_C_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#define ON_POSIX 1

/* Calls that are named in `call`, as in "/stat/fopen/": `spared` of them work, then `left` fail with `why`. */
static struct fault { const char *call; int spared, left, why; } fault;
/* as why: the process ends there without cleaning up; it stops until it is woken; write takes a part only */
enum { KILLED = -1, WAITS = -2, SHORT = -3 };
#define FAULT_ALL                                                                                                      \
    "/stat/access/open/write/fsync/close/rename/remove/opendir/readdir/closedir/fopen/fread/fseek/ftell/fclose"        \
    "/uname/getpriority/readlink/chmod/chown/"
static int made;               /* calls of those in fault.call */
static const char *made_call[256]; /* and the first of them by name */
static const char *fault_call; /* the one that failed last */
static int fails(const char *call) {
    const char *at = fault.call ? strstr(fault.call, call) : NULL;
    while (at && (at[-1] != '/' || at[strlen(call)] != '/')) at = strstr(at + 1, call);
    if (!at) return 0;
    if (made < 256) made_call[made] = call;
    made++;
    if (fault.spared-- > 0 || fault.left-- <= 0) return 0;
    if (fault.why == KILLED) _exit(0);
    if (fault.why == WAITS) {
        raise(SIGSTOP);
        return 0;
    }
    fault_call = call;
    if (fault.why == SHORT) return !strcmp(call, "write");
    errno = fault.why;
    return 1;
}
static int test_stat(const char *path, struct stat *s) { return fails("stat") ? -1 : stat(path, s); }
static int test_access(const char *path, int mode) { return fails("access") ? -1 : access(path, mode); }
static int test_open(const char *path, int flags, int mode) { return fails("open") ? -1 : open(path, flags, mode); }
static ssize_t test_write(int f, const void *p, size_t n) {
    return !fails("write") ? write(f, p, n) : fault.why == SHORT ? write(f, p, n / 2 ? n / 2 : n) : -1;
}
static int test_fsync(int f) {
    (void)f;
    return fails("fsync") ? -1 : 0;
}
static int test_close(int f) { return fails("close") ? (close(f), errno = fault.why, -1) : close(f); }
static int test_rename(const char *from, const char *to) { return fails("rename") ? -1 : rename(from, to); }
static int test_remove_call(const char *path) { return fails("remove") ? -1 : remove(path); }
static DIR *test_opendir(const char *path) { return fails("opendir") ? NULL : opendir(path); }
static struct dirent *test_readdir(DIR *d) { return fails("readdir") ? NULL : readdir(d); }
static int test_closedir(DIR *d) { return fails("closedir") ? (closedir(d), errno = fault.why, -1) : closedir(d); }
static FILE *test_fopen(const char *path, const char *mode) { return fails("fopen") ? NULL : fopen(path, mode); }
static int read_failed;
static size_t test_fread(void *p, size_t size, size_t n, FILE *f) {
    if (!fails("fread")) return fread(p, size, n, f);
    read_failed = 1;
    n = fread(p, size, n / 2 < 3 ? n / 2 : 3, f); /* a part arrives before the failure */
    errno = fault.why;
    return n;
}
static int test_ferror(FILE *f) { return read_failed || ferror(f); }
static void test_clearerr(FILE *f) {
    read_failed = 0;
    clearerr(f);
}
static int test_fseek(FILE *f, long at, int whence) { return fails("fseek") ? -1 : fseek(f, at, whence); }
static long test_ftell(FILE *f) { return fails("ftell") ? -1 : ftell(f); }
static int test_fclose(FILE *f) {
    read_failed = 0;
    return fails("fclose") ? (fclose(f), errno = fault.why, EOF) : fclose(f);
}
static int test_uname(struct utsname *u) { return fails("uname") ? -1 : uname(u); }
static int test_getpriority(int which, id_t who) { return fails("getpriority") ? -1 : getpriority(which, who); }
static ssize_t test_readlink(const char *path, char *to, size_t n) {
    return fails("readlink") ? -1 : readlink(path, to, n);
}
static int test_chmod(const char *path, mode_t mode) { return fails("chmod") ? -1 : chmod(path, mode); }
static int test_chown(const char *path, uid_t user, gid_t group) {
    return fails("chown") ? -1 : chown(path, user, group);
}
#define TEST_MODE_1(path, flags, mode, ...) test_open(path, flags, mode)
#define stat(path, s) test_stat(path, s)
#define access(path, mode) test_access(path, mode)
#define open(...) TEST_MODE_1(__VA_ARGS__, 0, 0)
#define write(f, p, n) test_write(f, p, n)
#define fsync(f) test_fsync(f)
#define close(f) test_close(f)
#define rename(from, to) test_rename(from, to)
#define remove(path) test_remove_call(path)
#define opendir(path) test_opendir(path)
#define readdir(d) test_readdir(d)
#define closedir(d) test_closedir(d)
#define fopen(path, mode) test_fopen(path, mode)
#define fread(p, size, n, f) test_fread(p, size, n, f)
#undef ferror
#define ferror(f) test_ferror(f)
#undef clearerr
#define clearerr(f) test_clearerr(f)
#define fseek(f, at, whence) test_fseek(f, at, whence)
#define ftell(f) test_ftell(f)
#define fclose(f) test_fclose(f)
#define uname(u) test_uname(u)
#define getpriority(which, who) test_getpriority(which, (id_t)(who))
#define readlink(path, to, n) test_readlink(path, to, n)
#define chmod(path, mode) test_chmod(path, mode)
#define chown(path, user, group) test_chown(path, user, group)
#define SSLH_IMPLEMENTATION
#include "../ssl.h"
#undef stat
#undef access
#undef open
#undef write
#undef fsync
#undef close
#undef rename
#undef remove
#undef opendir
#undef readdir
#undef closedir
#undef fopen
#undef fread
#undef ferror
#undef clearerr
#undef fseek
#undef ftell
#undef fclose
#undef uname
#undef getpriority
#undef readlink
#undef chmod
#undef chown
#else
#include "../ssl.h"
#define ON_POSIX 0
#endif
#include "harness.h"

#if ON_POSIX
static TEST_UNUSED void fault_begin(const char *call, int spared, int left, int why) {
    fault.call = call, fault.spared = spared, fault.left = left, fault.why = why;
    made = 0;
    read_failed = 0;
    fault_call = "none";
}

/* --- a folder of the test's own ----------------------------------------------------------------------------------- */

/* folder/name; a static buffer, one of four in turn. */
static char folder[300];
static TEST_UNUSED const char *in_folder(const char *name) {
    static char path[4][900];
    static int k;
    k = (k + 1) % 4;
    snprintf(path[k], sizeof path[k], "%s/%s", folder, name);
    return path[k];
}
static TEST_UNUSED void folder_begin(void) {
    snprintf(folder, sizeof folder, "%s/ssl_paths_XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(folder)) folder[0] = 0;
    CHECK(folder[0], "no temporary folder");
}
static TEST_UNUSED int files_in(const char *path, const char *part) { /* names that contain part */
    DIR *d = opendir(path);
    struct dirent *e;
    int n = 0;
    while (d && (e = readdir(d)) != NULL) n += e->d_name[0] != '.' && strstr(e->d_name, part) != NULL;
    if (d) closedir(d);
    return n;
}
static TEST_UNUSED void folder_end(const char *path) {
    DIR *d = opendir(path);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        char full[900];
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        snprintf(full, sizeof full, "%s/%s", path, e->d_name);
        if (unlink(full)) folder_end(full);
    }
    if (d) closedir(d);
    CHECK(rmdir(path) == 0, "%s is not empty", path);
}
#endif
#endif
