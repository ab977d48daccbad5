/* As many threads as the process may use: the processors that taskset leaves and that a container's limits grant. The
   files of the system are imitated in a folder of this test's own. */
#if defined(__linux__)
#define _XOPEN_SOURCE 700 /* mkdir, which -std=c99 hides */
#include <sys/stat.h>
#include <unistd.h>
#endif
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#include "harness.h"

#if defined(__linux__)
static char root[600];

static void is(int line, int value, int expected) {
    CHECK(value == expected, "line %d: %d processors, %d expected", line, value, expected);
}
#define IS(value, expected) is(__LINE__, value, expected)

/* Writes text to root/path and makes the folders on the way. */
static void put(const char *path, const char *text) {
    char full[1024];
    size_t i;
    FILE *f;
    snprintf(full, sizeof full, "%s%s", root, path);
    for (i = 1; full[i]; i++)
        if (full[i] == '/') {
            full[i] = 0;
            mkdir(full, 0777);
            full[i] = '/';
        }
    f = fopen(full, "wb");
    CHECK(f != NULL, "cannot write %s", full);
    if (!f) return;
    fputs(text, f);
    fclose(f);
}
static void fresh(const char *name) {
    snprintf(root, sizeof root, "%s", test_temporary(name));
}

static void allowed(void) {
    fresh("allowed");
    IS(sslh_i_processors_allowed(root), INT_MAX); /* a system without /proc */
    put("/proc/self/status", "Name:\tx\nCpus_allowed:\tff,00000003\nCpus_allowed_list:\t0-1,32-39\n");
    IS(sslh_i_processors_allowed(root), 10);
    put("/proc/thread-self/status", "Name:\tx\nCpus_allowed:\t4\n"); /* the thread's own mask goes before */
    IS(sslh_i_processors_allowed(root), 1);
    put("/proc/thread-self/status", "Name:\tx\n");
    IS(sslh_i_processors_allowed(root), INT_MAX);
}

static void granted(void) {
    fresh("groups2");
    IS(sslh_i_processors_granted(root), INT_MAX);
    put("/proc/self/cgroup", "0::/user/job\n");
    IS(sslh_i_processors_granted(root), INT_MAX);
    put("/sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
    IS(sslh_i_processors_granted(root), INT_MAX);
    put("/sys/fs/cgroup/user/cpu.max", "350000 100000\n"); /* a group above, three and a half */
    IS(sslh_i_processors_granted(root), 4);
    put("/sys/fs/cgroup/user/job/cpu.max", "50000 100000\n"); /* half of one is one */
    IS(sslh_i_processors_granted(root), 1);
    put("/proc/self/cgroup", "0::/../../not/here\n"); /* a container whose path is outside */
    IS(sslh_i_processors_granted(root), INT_MAX);
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    IS(sslh_i_processors_granted(root), 2);

    fresh("groups1");
    put("/proc/self/cgroup", "3:cpuset:/\n2:cpuacct,cpu:/docker/1\n1:name=systemd:/x\n");
    put("/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us", "100000\n");
    IS(sslh_i_processors_granted(root), INT_MAX);
    put("/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us", "300000\n");
    IS(sslh_i_processors_granted(root), 3);
    put("/proc/self/cgroup", "3:cpuset,cpuacct:/docker/1\n"); /* neither of them is cpu */
    IS(sslh_i_processors_granted(root), INT_MAX);
    put("/proc/self/cgroup", "no colon\n:\n::\n4:cpu:\n0::/docker"); /* nonsense, and no newline at the end */
    IS(sslh_i_processors_granted(root), INT_MAX);
}

static void pinned(void) { /* the process itself, on its first processor alone */
    char command[200];
    sslh_ctx *c;
    int before = sslh_i_processors();
    CHECK(before >= 1 && before <= sysconf(_SC_NPROCESSORS_ONLN), "%d processors", before);
    snprintf(command, sizeof command,
             "first=$(sed -n 's/^Cpus_allowed_list:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/%d/status); "
             "taskset -pc $first %d > /dev/null 2>&1",
             (int)getpid(), (int)getpid());
    if (system(command) != 0) {
        printf("note: no taskset here\n");
        return;
    }
    c = sslh_create((sslh_desc){ .seed = 1 });
    IS(sslh_query(c).threads, 1);
    sslh_destroy(c);
}
#endif

TESTS_BEGIN
#if defined(__linux__)
TEST(allowed)
TEST(granted)
TEST(pinned)
#endif
TESTS_END
