#!/bin/sh
# What the header costs: seconds of compiling, bytes of a program with each method alone, start-up time and memory.
# sizes.sh [CC ..]: compilers to time (default: gcc and clang, where installed).
cd "$(dirname "$0")/../.." || exit 1
D=build/sizes; mkdir -p $D
[ $# -gt 0 ] || set -- gcc clang

# runs COMMAND..: n times; prints the least and the median wall-clock in ms, and the largest resident memory in KB
cat > $D/run.c <<'END'
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
static double now(void) {
    struct timeval t;
    gettimeofday(&t, NULL);
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec * 1e-3;
}
static int order(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
int main(int argc, char **argv) {
    double ms[100], cpu = 0;
    long most = 0;
    int n = atoi(argv[1]);
    for (int i = 0; i < n && argc > 2; i++) {
        struct rusage r;
        int status;
        double t = now();
        pid_t child = fork();
        if (child == 0) {
            if (!freopen("/dev/null", "w", stdout)) _exit(126);
            execvp(argv[2], argv + 2);
            _exit(127);
        }
        if (wait4(child, &status, 0, &r) < 0 || status != 0) { printf("failed\n"); return 1; }
        ms[i] = now() - t;
        cpu = (double)r.ru_utime.tv_sec + (double)r.ru_utime.tv_usec * 1e-6;
        if (r.ru_maxrss > most) most = r.ru_maxrss;
    }
    qsort(ms, (size_t)n, sizeof *ms, order);
    printf("least %.2f ms, median %.2f ms, user %.1f s, resident %.1f MB\n", ms[0], ms[n / 2], cpu,
           (double)most / 1024);
    return 0;
}
END
cc -O1 -w $D/run.c -o $D/run || exit 1

printf '#define SSLH_IMPLEMENTATION\n#include "ssl.h"\n' > $D/impl.c
for compiler in "$@"; do # none: no compiling
    command -v "$compiler" > /dev/null || continue
    for flags in "-O2" "-O0" "-O2 -DSSLH_WITH_SIMD=0"; do
        # shellcheck disable=SC2086
        took=$($D/run 3 "$compiler" -std=c99 $flags -I. -c $D/impl.c -o $D/impl.o)
        printf 'compile %-6s %-24s %s\n' "$compiler" "$flags" "$took"
    done
done

# a program that pretrains by each of the methods named; with none it computes features
methods=$(sed -n 's/^#ifndef SSLH_WITH_\([A-Z0-9_]*\)$/\1/p' ssl.h | grep -v -E '^(ALL|THREADS|SIMD|STDIO)$' | sort -u)
program() {
    printf '#define SSLH_IMPLEMENTATION\n#include "ssl.h"\nint main(void) {\n'
    echo 'sslh_desc cd; sslh_convnet_desc nd; sslh_vit_desc vd; sslh_train_desc td;'
    echo 'memset(&cd, 0, sizeof cd); memset(&nd, 0, sizeof nd); memset(&vd, 0, sizeof vd); memset(&td, 0, sizeof td);'
    echo 'sslh_ctx *c = sslh_create(cd); static uint8_t x[3072]; static float y[1024]; nd.channels = 3;'
    if [ $# = 0 ]; then echo 'sslh_embed(sslh_convnet(c, nd), x, 1, 32, 32, 3, y);'; fi
    for m in "$@"; do
        low=$(echo "$m" | tr '[:upper:]' '[:lower:]')
        case $m in
        MAE) net='sslh_vit(c, vd), ' ;;
        VAE) net= ;; # brings its own encoder
        *) net='sslh_convnet(c, nd), ' ;;
        esac
        echo "{ sslh_${low}_desc d; memset(&d, 0, sizeof d);"
        echo "sslh_train(c, sslh_$low(c, ${net}d), sslh_load_images(c, \"images\"), td); }"
    done
    printf '(void)x; (void)y; sslh_destroy(c); return 0; }\n'
}
build() { # build NAME FLAGS..: seconds do not matter here, -O2 as everybody uses it
    name=$1; shift
    cc -std=c99 -w -O2 -ffunction-sections -fdata-sections -Wl,--gc-sections -s "$@" -I. $D/m.c \
        -o "$D/$name" -lm -lpthread || exit 1
}
table() { # table LABEL METHOD..
    label=$1; shift
    program "$@" > $D/m.c
    with=-DSSLH_WITH_ALL=0
    for m in "$@"; do with="$with -DSSLH_WITH_$m=1"; done
    # shellcheck disable=SC2086
    build m1 $with
    # shellcheck disable=SC2086
    build m0 $with -DSSLH_WITH_SIMD=0
    printf 'size %-16s %7d bytes, without SIMD %7d\n' "$label" "$(wc -c < $D/m1)" "$(wc -c < $D/m0)"
}
table "an encoder alone"
for m in $methods; do table "$m" "$m"; done
# shellcheck disable=SC2086
table "all methods" $methods

# start: create a context, one forward pass, the end
program > $D/m.c
build start
echo "start   one forward pass: $($D/run 30 $D/start)"
if [ -d examples/data/train ]; then
    cc -std=c99 -O2 -I. examples/first.c -o $D/first -lm -lpthread || exit 1
    echo "first   examples/first.c: $($D/run 1 $D/first)"
fi
if python3 -c 'import torch' 2> /dev/null; then
    echo "import  python3 -c 'import torch': $($D/run 3 python3 -c 'import torch')"
fi
