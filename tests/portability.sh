#!/bin/sh
# Warnings under strict flags in gcc and clang, C99 to C++20, every setting of the switches, names that leak, a TLS
# library beside ours, two private copies in one program, C implementation in a C++ program, wrong use that must not
# compile.
cd "$(dirname "$0")/.." || exit 1
tally=build/portability.tally; mkdir -p build/port; : > $tally
. tests/lib.sh
P=build/port
CC=${CC:-cc}
long=${SSLH_TEST_LONG:-0}
jobs=$( (nproc || echo 2) 2>/dev/null)

printf '#define SSLH_IMPLEMENTATION\n#include "ssl.h"\n' > $P/impl.c
cp $P/impl.c $P/impl.cpp
printf '%s\n' '#define SSLH_STATIC' '#define SSLH_IMPLEMENTATION' '#include "ssl.h"' \
    'int used(void);' 'int used(void) { return SSLH_VERSION_MAJOR; }' > $P/static.c
cp $P/static.c $P/static.cpp
printf '#include "ssl.h"\nint used(void);\nint used(void) { return SSLH_VERSION_MAJOR; }\n' > $P/header.c
cp $P/header.c $P/header.cpp

STRICT="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wdouble-promotion -Wcast-qual -Werror"
STRICTXX="-Wall -Wextra -Wconversion -Werror"

# jobs run in the background, $jobs at a time; each writes ok or its first lines
queue=0
bg() { # bg NAME command..
    bg_name=$1; shift
    queue=$((queue + 1))
    id=$queue
    ( if "$@" > "$P/job$id.out" 2>&1; then echo ok > "$P/job$id.code"; else echo bad > "$P/job$id.code"; fi
      echo "$bg_name" > "$P/job$id.name" ) &
    [ $((queue % jobs)) = 0 ] && wait
    return 0
}
collect() {
    wait
    i=1
    while [ $i -le $queue ]; do
        if [ "$(cat "$P/job$i.code" 2>/dev/null)" = ok ]; then pass
        else head -n 12 "$P/job$i.out"; fail "$(cat "$P/job$i.name")"; fi
        rm -f "$P/job$i.code" "$P/job$i.out" "$P/job$i.name"
        i=$((i + 1))
    done
    queue=0
}

# --- warnings --------------------------------------------------------------------------------------------------------
# The instruction-set passes take most of a compiler's time: all standards check the text without them, C99 and C++11
# with them.
for compiler in gcc clang clang-19; do
    [ $compiler = clang-19 ] && [ "$long" != 1 ] && continue
    if ! have $compiler; then skip "warnings $compiler" "$compiler is not installed"; continue; fi
    stds="c99 c17"
    [ "$long" = 1 ] && stds="c99 c11 c17"
    [ $compiler = clang-19 ] && stds=c99
    for std in $stds; do
        # gcc gives some warnings only when it optimises
        if [ $compiler = gcc ] && [ $std = c99 ]; then mode="-Wc++-compat -Wformat-truncation -O2 -c -o $P/w.o"
        else mode=-fsyntax-only; fi
        [ $std = c99 ] || [ "$long" = 1 ] || mode="$mode -DSSLH_WITH_SIMD=0"
        # shellcheck disable=SC2086
        bg "warnings $compiler -std=$std" $compiler -std=$std $STRICT $mode -I. $P/impl.c
        # shellcheck disable=SC2086
        [ $std = c99 ] && bg "warnings $compiler -std=$std SSLH_STATIC" $compiler -std=$std $STRICT -fsyntax-only \
            -DSSLH_WITH_SIMD=0 -I. $P/static.c
        # shellcheck disable=SC2086
        [ $std = c99 ] && bg "warnings $compiler -std=$std header alone" $compiler -std=$std $STRICT -fsyntax-only \
            -I. $P/header.c
    done
    case $compiler in gcc) cxx=g++;; clang) cxx=clang++;; *) cxx=clang++-19;; esac
    if ! have $cxx; then skip "warnings $cxx" "$cxx is not installed"; continue; fi
    stds="c++11 c++17 c++20"
    [ $compiler = clang-19 ] && stds=c++20
    for std in $stds; do
        mode=-fsyntax-only
        [ $std = c++11 ] || [ "$long" = 1 ] || mode="$mode -DSSLH_WITH_SIMD=0"
        # shellcheck disable=SC2086
        bg "warnings $cxx -std=$std" $cxx -std=$std $STRICTXX $mode -I. $P/impl.cpp
    done
    # shellcheck disable=SC2086
    bg "warnings $cxx SSLH_STATIC" $cxx -std=c++11 $STRICTXX -fsyntax-only -DSSLH_WITH_SIMD=0 -I. $P/static.cpp
done
collect

# --- the switches: none, all, each alone, each missing ----------------------------------------------------------------
methods=$(sed -n 's/^#ifndef SSLH_WITH_\([A-Z0-9_]*\)$/\1/p' ssl.h | grep -v -E '^(ALL|THREADS|SIMD|STDIO)$' | sort -u)
echo "   methods: $(echo $methods | tr '\n' ' ')"
for m in $(echo "$methods" | grep -v -x -E 'TOKENIZERS|CLASSIFIERS|SEGMENT|INSIDE|ROBUST|QUANTIZE'); do
    check "sslh_methods has a row of SSLH_WITH_$m" \
    [ "$(grep -c "\"SSLH_WITH_$m\", \"sslh_" ssl.h)" = 1 ]; done
ends="-DSSLH_WITH_ALL=0 -DSSLH_WITH_ALL=1 -DSSLH_WITH_ALL"
ends="$ends -DSSLH_WITH_THREADS=0 -DSSLH_WITH_SIMD=0 -DSSLH_WITH_STDIO=0"
ends="$ends -DSSLH_WITH_THREADS=0,-DSSLH_WITH_SIMD=0,-DSSLH_WITH_STDIO=0,-DSSLH_WITH_ALL=0"
alone=; missing=
for m in $methods; do alone="$alone -DSSLH_WITH_ALL=0,-DSSLH_WITH_$m=1"; missing="$missing -DSSLH_WITH_$m=0"; done
# No unused function in any. One compiler sees each method alone, and the ends with SSLH_STATIC too: clang rather than
# gcc, which needs four times as long. A function of another method that is called without its switch is found so; the
# settings that lack one method, and all of them with gcc, are for the long run.
quick=gcc; have clang && quick=clang
for compiler in gcc clang; do
    have $compiler || continue
    [ $compiler = $quick ] || [ "$long" = 1 ] || continue
    settings="$ends $alone"; [ "$long" = 1 ] && settings="$settings $missing"
    for s in $settings; do
        flags=$(echo "$s" | tr ',' ' ')
        # methods know nothing of instruction sets: without the passes this is quick
        case $s in *WITH_SIMD*|*ALL=1) ;; *) flags="$flags -DSSLH_WITH_SIMD=0";; esac
        # shellcheck disable=SC2086
        bg "switches $compiler $flags" $compiler -std=c99 -Wall -Wextra -Werror $flags -fsyntax-only -I. $P/impl.c
        case "$ends $long" in *"$s "*|*1) ;; *) continue;; esac
        # shellcheck disable=SC2086
        [ $compiler = $quick ] && bg "switches $compiler SSLH_STATIC $flags" $compiler -std=c99 -Wall -Wextra -Werror \
            $flags -fsyntax-only -I. $P/static.c
    done
done
collect
# an empty define counts as 1
printf '%s\n' '#define SSLH_WITH_ALL 0' '#define SSLH_WITH_SIMCLR' '#include "ssl.h"' \
    '#if !SSLH_WITH_SIMCLR || SSLH_WITH_VAE' '#error wrong' '#endif' > $P/empty.c
bg "an empty switch is 1" $CC -std=c99 -fsyntax-only -I. $P/empty.c
printf '%s\n' '#define SSLH_WITH_THREADS' '#define SSLH_WITH_SIMD' '#define SSLH_WITH_STDIO' \
    '#define SSLH_USE_CBLAS' '#include "ssl.h"' \
    '#if SSLH_WITH_THREADS + SSLH_WITH_SIMD + SSLH_WITH_STDIO + SSLH_USE_CBLAS != 4' '#error wrong' '#endif' \
    > $P/empty2.c
bg "an empty switch is 1, all kinds" $CC -std=c99 -fsyntax-only -I. $P/empty2.c
# linked and run: none, all, each alone
cat > $P/run.c <<'END'
#define SSLH_IMPLEMENTATION
#include "ssl.h"
int main(void) {
    sslh_desc d;
    sslh_ctx *c;
    sslh_tensor *y;
    float x[6] = {1, 2, 3, 4, 5, 6};
    int ok;
    memset(&d, 0, sizeof d);
    d.threads = 2;
    c = sslh_create(d);
    y = sslh_matmul(c, sslh_from(c, sslh_dim2(2, 3), x), sslh_from(c, sslh_dim2(3, 2), x));
    ok = !sslh_error(c) && y->data[3] == 64;
    sslh_destroy(c);
    return !ok;
}
END
cat > $P/link.sh <<'END'
# link.sh NAME COMPILER FLAGS..: builds run.c at -O0 and runs it, by qemu where the kernel does not start 32-bit
# programs
name=$1; shift
"$@" -I. build/port/run.c -o "build/port/$name" -lm -lpthread || exit 1
"build/port/$name"; code=$?
if [ $code = 126 ] && command -v qemu-i386 > /dev/null; then qemu-i386 "build/port/$name"; code=$?; fi
exit $code
END
n=0
linker="$CC -std=c99 -O0 -w"; have tcc && linker=tcc # in a twentieth of the time
for s in -DSSLH_WITH_ALL=1 -DSSLH_WITH_ALL=0 $alone -DSSLH_WITH_THREADS=0 -DSSLH_WITH_STDIO=0; do
    n=$((n + 1))
    # shellcheck disable=SC2046,SC2086
    bg "linked and run: $s" sh $P/link.sh run$n $linker -DSSLH_WITH_SIMD=0 $(echo "$s" | tr ',' ' ')
done
# shellcheck disable=SC2086
bg "linked and run with all instruction sets" sh $P/link.sh run_all $CC -std=c99 -O0 -w
# Other ways of building: the same bits (run.c ends with 0 only then).
cat > $P/bits.c <<'END'
#ifdef SHARED
#include "ssl.h"
#else
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#endif
#include <string.h>
int main(void) {
    sslh_desc d;
    sslh_ctx *c;
    int ok;
    memset(&d, 0, sizeof d);
    d.threads = 2;
    c = sslh_create(d);
    ok = sslh_bits_ok(c) && !sslh_error(c);
    sslh_destroy(c);
    return !ok;
}
END
cat > $P/shared.sh <<'END'
# shared.sh COMPILER: a shared library, and a program that finds its bits in it
"$1" -std=c99 -O0 -w -DSSLH_WITH_SIMD=0 -fPIC -shared -I. build/port/impl.c -lm -lpthread -o build/port/libsslh.so &&
    "$1" -std=c99 -O0 -w -DSHARED -I. build/port/bits.c -Lbuild/port -lsslh \
        -Wl,-rpath,"$(pwd)/build/port" -o build/port/shared && build/port/shared
END
cat > $P/way.sh <<'END'
# way.sh NAME COMPILER FLAGS..: builds bits.c and runs it
name=$1; shift
"$@" -I. build/port/bits.c -o "build/port/$name" -lm -lpthread && "build/port/$name"
END
bg "a shared library" sh $P/shared.sh "$CC"
# shellcheck disable=SC2086
bg "the declarations with -Wdeclaration-after-statement" "$CC" -std=c99 -Wdeclaration-after-statement -Werror \
    -fsyntax-only -I. $P/header.c
bg "-fno-math-errno" sh $P/way.sh errno "$CC" -std=c99 -O2 -w -fno-math-errno -DSSLH_WITH_SIMD=0
if compiles "$CC" "-flto"; then bg "-flto" sh $P/way.sh lto "$CC" -std=c99 -O2 -w -flto -DSSLH_WITH_SIMD=0
else skip "-flto" "$CC has no -flto"; fi
bg "-std=gnu99" sh $P/link.sh gnu "$CC" -std=gnu99 -O0 -w -DSSLH_WITH_SIMD=0
if have tcc; then bg "tcc" sh $P/link.sh tcc tcc; else skip tcc "tcc is not installed"; fi
if have musl-gcc; then bg "musl" sh $P/link.sh musl musl-gcc -std=c99 -O0 -w -static
else skip musl "musl-gcc is not installed"; fi
if compiles "gcc -m32" "-isystem /usr/include/x86_64-linux-gnu"; then
    bg "-m32" sh $P/link.sh m32 gcc -m32 -isystem /usr/include/x86_64-linux-gnu -std=c99 -O0 -w
    # shellcheck disable=SC2086
    bg "warnings -m32" gcc -m32 -isystem /usr/include/x86_64-linux-gnu -std=c99 $STRICT -fsyntax-only -I. $P/impl.c
else skip -m32 "gcc -m32 does not work (gcc-12-multilib)"; fi
if have aarch64-linux-gnu-gcc && have qemu-aarch64; then
    # shellcheck disable=SC2086
    bg "warnings aarch64" aarch64-linux-gnu-gcc -std=c99 $STRICT -fsyntax-only -I. $P/impl.c
else skip aarch64 "aarch64-linux-gnu-gcc or qemu-aarch64 is not installed"; fi
if have clang-19; then # Microsoft's compiler, as far as clang can play it
    mkdir -p $P/msvc
    for h in errno malloc math setjmp stdio stdlib string windows; do echo '#include "msvc.h"' > $P/msvc/$h.h; done
    inc="-nostdinc -isystem $P/msvc -isystem tests -isystem $(clang-19 -print-resource-dir)/include -I."
    # -Wall -Wextra is what clang-cl takes -W4 for. Without GNU's attribute "unused" a function that nothing calls is
    # seen here; the passes of instruction sets leave some of portable C without a caller.
    ms="--target=x86_64-pc-windows-msvc -fms-compatibility-version=19.38 -U__clang__ -Wall -Wextra -Wconversion"
    ms="$ms -Wno-unknown-pragmas -Werror $inc -fsyntax-only"
    # shellcheck disable=SC2086
    bg "Microsoft mode" clang-19 $ms -Wno-unused-function $P/impl.c
    # shellcheck disable=SC2086
    bg "Microsoft mode, C++, no SIMD" clang-19 $ms -DSSLH_WITH_SIMD=0 -x c++ $P/impl.cpp
    # shellcheck disable=SC2086
    bg "clang-cl -W4" clang-19 --driver-mode=cl --target=x86_64-pc-windows-msvc -W4 -WX -X $(echo "$inc" |
        sed 's/-nostdinc//; s/-isystem /-imsvc /g') -Zs $P/impl.c
else skip "Microsoft mode" "clang-19 is not installed"; fi
# Apple's compiler, as far as clang can play it, with the headers of a POSIX system (musl's): nothing of Linux may be
# needed. F_FULLFSYNC is what flushes drives on macOS; Linux does not know it, and then fsync has to do.
if have clang-19 && [ -d /usr/include/x86_64-linux-musl ]; then
    inc="-nostdinc -isystem $(clang-19 -print-resource-dir)/include -isystem /usr/include/x86_64-linux-musl -I."
    for target in arm64-apple-macos11 x86_64-apple-macos11; do
        # shellcheck disable=SC2086
        bg "macOS mode, $target" clang-19 --target=$target -std=c99 $STRICT -DF_FULLFSYNC=51 $inc -fsyntax-only \
            $P/impl.c
    done
    # shellcheck disable=SC2086
    bg "macOS mode, C++" clang-19 --target=arm64-apple-macos11 -std=c++11 -x c++ $STRICTXX -DF_FULLFSYNC=51 $inc \
        -fsyntax-only $P/impl.cpp
else skip "macOS mode" "clang-19 or musl's headers (musl-tools) are not installed"; fi
cat > $P/flush.c <<'END'
#define SSLH_IMPLEMENTATION
#include "ssl.h"
int main(void) {
    sslh_desc d;
    sslh_ctx *c;
    float x[3] = {1, 2, 3};
    int ok;
    memset(&d, 0, sizeof d);
    c = sslh_create(d);
    sslh_save_npy(c, "build/port/flush.npy", sslh_dim1(3), x);
    ok = !sslh_error(c);
    sslh_destroy(c);
    return !ok;
}
END
# shellcheck disable=SC2086
bg "a file system that cannot flush the drive" sh -c "$linker -DSSLH_WITH_SIMD=0 -DF_FULLFSYNC=51 -I. $P/flush.c \
    -o $P/flush -lm -lpthread && $P/flush"
collect

# --- the other programs of the repository: they compile ---------------------------------------------------------------
mkdir -p $P/inc
echo 'static const unsigned char encoder_weights[] = {0}; static const unsigned encoder_weights_size = 1;' \
    > $P/inc/encoder_weights.h
# with the declarations alone: the implementation has been seen above, and takes most of the time
for f in examples/*.c examples/*/*.c tests/tools/*.c; do
    [ -f "$f" ] && bg "warnings $f" "$CC" -std=c99 -Wall -Wextra -Werror -DSSLH_I_IMPLEMENTED -fsyntax-only -I. \
        -I$P/inc "$f"
done
collect

# --- names ------------------------------------------------------------------------------------------------------------
# shellcheck disable=SC2086
bg "implementation compiles" $CC -std=c99 -O0 -w -I. -c $P/impl.c -o $P/impl.o
bg "SSLH_STATIC compiles" $CC -std=c99 -O0 -w -DSSLH_STATIC -DSSLH_WITH_SIMD=0 -I. -c $P/impl.c -o $P/static.o
bg "SSLH_WITH_STDIO 0 compiles" $CC -std=c99 -O0 -w -DSSLH_WITH_STDIO=0 -DSSLH_WITH_SIMD=0 -I. -c $P/impl.c \
    -o $P/silent.o
collect
if have nm; then
    nm -g --defined-only $P/impl.o | awk '{ print $3 }' | grep -v '^sslh_' > $P/leaks.txt
    check "nm: only sslh_ is exported: $(head -n 3 $P/leaks.txt | tr '\n' ' ')" [ ! -s $P/leaks.txt ]
    nm -g --defined-only $P/impl.o | awk '{ print $3 }' | grep '^sslh_i_' > $P/leaks.txt
    check "nm: no private name is exported: $(head -n 3 $P/leaks.txt | tr '\n' ' ')" [ ! -s $P/leaks.txt ]
    # writable globals: data and common symbols
    nm -f sysv $P/impl.o | awk -F'|' '$7 ~ /^\.(data|bss|tdata|tbss)$/ || $3 ~ /C/ { print $1 }' > $P/leaks.txt
    check "nm: no writable global: $(head -n 3 $P/leaks.txt | tr '\n' ' ')" [ ! -s $P/leaks.txt ]
    nm -u $P/impl.o | awk '{ print $2 }' | \
        grep -E '^(abort|exit|_exit|printf|puts|__assert_fail|getenv|setlocale|signal)(@.*)?$' > $P/leaks.txt
    check "nm: no abort, exit, printf, assert, getenv: $(tr '\n' ' ' < $P/leaks.txt)" [ ! -s $P/leaks.txt ]
    nm -g --defined-only $P/static.o | awk '{ print $3 }' | grep . > $P/leaks.txt
    check "nm: SSLH_STATIC exports nothing: $(head -n 3 $P/leaks.txt | tr '\n' ' ')" [ ! -s $P/leaks.txt ]
    # every declared function is defined
    sed -n 's/^SSLH_API .*[ *]\(sslh_[a-z0-9_]*\)(.*/\1/p' ssl.h | sort -u > $P/declared.txt
    nm -g --defined-only $P/impl.o | awk '{ print $3 }' | sort -u > $P/defined.txt
    comm -23 $P/declared.txt $P/defined.txt > $P/leaks.txt
    check "declared but not defined: $(tr '\n' ' ' < $P/leaks.txt)" [ ! -s $P/leaks.txt ]
    comm -13 $P/declared.txt $P/defined.txt > $P/leaks.txt
    check "exported but not declared: $(tr '\n' ' ' < $P/leaks.txt)" [ ! -s $P/leaks.txt ]
else skip nm "nm is not installed"; fi
# macros: only those of the system headers that are included, and SSLH_
printf '#include <stddef.h>\n#include <stdint.h>\n' > $P/system.c
$CC -std=c99 -dM -E $P/system.c | awk '{ print $2 }' | sort -u > $P/macros_before.txt
$CC -std=c99 -dM -E -I. $P/header.c | awk '{ print $2 }' | sort -u > $P/macros_after.txt
comm -13 $P/macros_before.txt $P/macros_after.txt | grep -v '^SSLH_' | grep -v '^sslh_' > $P/leaks.txt
check "macros leak: $(head -n 3 $P/leaks.txt | tr '\n' ' ')" [ ! -s $P/leaks.txt ]
# every operation is in the table of tests/ops.c or tests/shapes.c, or has tests of its own
sed -n '/^\/\*  >>api-ops /,/^\/\*  >>api-nets /p' ssl.h |
    sed -n 's/^SSLH_API .*[ *]\(sslh_[a-z0-9_]*\)(.*/\1/p' | sort -u > $P/operations.txt
missing=
while read -r f; do grep -q "BODY($f(\|= $f(\|return $f(\|: $f(" tests/ops.c tests/shapes.c tests/sequences.c \
    tests/audio.c tests/ranks.c || missing="$missing $f"; done < $P/operations.txt
check "operations that the tables do not know:$missing" [ -z "$missing" ]
check "there are operations" [ "$(wc -l < $P/operations.txt)" -gt 60 ]

# without stdio: no file and no stream is touched
streams='f?open(64)?|fread|fwrite|fputs|fputc|fprintf|vfprintf|stderr|stdout|write|read|rename|opendir'
nm -u $P/silent.o 2>/dev/null | awk '{ print $2 }' | grep -E "^($streams)(@.*)?\$" > $P/leaks.txt
check "SSLH_WITH_STDIO 0 touches no file: $(tr '\n' ' ' < $P/leaks.txt)" [ ! -s $P/leaks.txt ]

# --- beside <complex.h>, which makes I a macro, and BLAS ------------------------------------------------------------
printf '%s\n' '#include <complex.h>' '#define SSLH_IMPLEMENTATION' '#include "ssl.h"' \
    'int main(void) { double complex z = 2 + 3 * I; return !(cimag(z) == 3); }' > $P/complex.c
bg "complex.h before, I is as it was" sh -c "$CC -std=c99 -O0 -Wall -Wextra -Werror -DSSLH_WITH_SIMD=0 -I. \
    $P/complex.c -o $P/complex -lm -lpthread && $P/complex"
# --- what clang's sanitizer sees and gcc's does not: arithmetic on null pointers; floats that no integer can hold -----
if [ "$long" != 1 ]; then :
elif compiles clang "-fsanitize=pointer-overflow,float-cast-overflow"; then
    ub="-O0 -w -DSSLH_WITH_SIMD=0 -fsanitize=pointer-overflow,float-cast-overflow -fno-sanitize-recover=all"
    # shellcheck disable=SC2086
    check "clang -fsanitize=pointer-overflow,float-cast-overflow" clang -std=c99 $ub -I. -c $P/impl.c -o $P/ub.o
    for t in methods train; do
        # shellcheck disable=SC2086
        check "$t under it" clang -std=c99 $ub -DSSLH_I_IMPLEMENTED -I. -Itests tests/$t.c $P/ub.o -lm -lpthread \
            -o $P/ub_$t
        check "$t under it runs" env SSLH_TEST_SMALL=1 SSLH_TEST_STRICT=0 $P/ub_$t
    done
else skip "clang's sanitizer" "clang has no -fsanitize=pointer-overflow,float-cast-overflow"; fi

# --- beside macros with short names, as <windows.h>, <complex.h> and many programs make -------------------------------
cat > $P/macros.h <<'END'
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define near
#define far
#define small char
#define interface struct
#define ERROR 0
#define complex _Complex
END
sed 's/^#define \(m..\)(.*/#define \1 [/' $P/macros.h > $P/macros_plain.h # min and max without arguments
for l in A B C D E F G H I J K L M N O P Q R S T U V W X Y Z; do # whatever they stand for, it would not compile
    echo "#define $l ][" | tee -a $P/macros_plain.h
done >> $P/macros.h
for compiler in gcc clang tcc g++; do
    have $compiler || continue
    case $compiler in g++) std="-std=c++11 -x c++" ;; tcc) std= ;; *) std=-std=c99 ;; esac
    [ $compiler = tcc ] && quick="-c -o $P/macros_tcc.o" || quick="-fsyntax-only -Wall -Wextra -Werror"
    for m in macros macros_plain; do
        [ $m = macros_plain ] && [ $compiler = g++ ] && continue # g++'s own headers call min() and max()
        printf '#include "%s.h"\n#define SSLH_IMPLEMENTATION\n#include "ssl.h"\n' $m > $P/${m}_impl.c
        printf '#include "%s.h"\n#include "ssl.h"\n' $m > $P/${m}_header.c
        # shellcheck disable=SC2086
        bg "$compiler, $m.h before the implementation" $compiler $std $quick -DSSLH_WITH_SIMD=0 -I. $P/${m}_impl.c
        # shellcheck disable=SC2086
        bg "$compiler, $m.h before the declarations" $compiler $std $quick -I. $P/${m}_header.c
    done
done
printf '#include "macros.h"\n#define SSLH_IMPLEMENTATION\n#include "ssl.h"\n' > $P/macros_simd.c
[ "$long" = 1 ] && bg "gcc, macros.h before the implementation, all instruction sets" gcc -std=c99 -fsyntax-only \
    -I. $P/macros_simd.c
# gcc's analyser within bounds that let it come to an end. It does not follow arrays that a loop of a fixed length
# fills, and takes their elements for uninitialised (valgrind is asked about these); all else that it says is an error.
printf '#define SSLH_IMPLEMENTATION\n#include "ssl.h"\n' > $P/analyzed.c
if [ "$long" = 1 ] && compiles gcc -fanalyzer; then
    bg "gcc -fanalyzer" gcc -std=c99 -O1 -fanalyzer -Werror -Wno-analyzer-use-of-uninitialized-value \
        --param analyzer-bb-explosion-factor=1 --param analyzer-max-enodes-per-program-point=2 \
        --param analyzer-max-recursion-depth=0 -DSSLH_WITH_SIMD=0 -I. -c $P/analyzed.c -o $P/analyzed.o
fi
printf '%s\n' '#define N 7' '#define T(x) ((x) + N)' '#define SSLH_IMPLEMENTATION' '#include "ssl.h"' '#ifdef C' \
    '#error C' '#endif' 'typedef char back[T(1) == 8 ? 1 : -1];' > $P/back.c
bg "macros of single letters are put back" "$CC" -std=c99 -fsyntax-only -DSSLH_WITH_SIMD=0 -I. $P/back.c
collect
blas=
for l in -lopenblas -lblas; do
    [ -z "$blas" ] && printf '#include <cblas.h>\nint main(void) { cblas_sgemm; return 0; }\n' > $P/blas.c &&
        $CC -w $P/blas.c -o $P/blas $l > /dev/null 2>&1 && blas=$l
done
if [ -n "$blas" ]; then
    check "SSLH_USE_CBLAS" $CC -std=c99 -O0 -Wall -Wextra -Werror -DSSLH_WITH_SIMD=0 -DSSLH_USE_CBLAS -I. -c $P/impl.c \
        -o $P/cblas.o
    check "SSLH_USE_CBLAS, operations" $CC -std=c99 -O0 -w -I. -Itests tests/ops.c $P/cblas.o -o $P/ops_cblas $blas \
        -lm -lpthread
    check "SSLH_USE_CBLAS, operations agree with PyTorch" env SSLH_TEST_SMALL=1 $P/ops_cblas
else skip cblas "no cblas.h with a library (libopenblas-dev)"; fi

# --- beside a TLS library ---------------------------------------------------------------------------------------------
if echo '#include <openssl/ssl.h>' | $CC -E - > /dev/null 2>&1; then
    cat > $P/tls.c <<'END'
#if ORDER == 1
#include <openssl/ssl.h>
#endif
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#if ORDER == 2
#include <openssl/ssl.h>
#endif
int main(void) {
    sslh_desc d;
    sslh_ctx *c;
    SSL_CTX *s = SSL_CTX_new(TLS_method());
    int ok;
    memset(&d, 0, sizeof d);
    c = sslh_create(d);
    ok = s != NULL && !sslh_error(c) && (double)sslh_item(sslh_scalar(c, 3)) == 3;
    sslh_destroy(c);
    SSL_CTX_free(s);
    return !ok;
}
END
    for order in 1 2; do
        bg "openssl/ssl.h, order $order" sh -c "$CC -std=c99 -O0 -w -DSSLH_WITH_SIMD=$((order - 1)) -DORDER=$order \
            -I. $P/tls.c -o $P/tls$order -lssl -lcrypto -lm -lpthread && $P/tls$order"
    done
    lib=$($CC -print-file-name=libssl.a)
    if [ -f "$lib" ]; then
        bg "static libssl" sh -c "$CC -std=c99 -O0 -w -DSSLH_WITH_SIMD=0 -DORDER=1 -I. $P/tls.c -o $P/tls3 $lib \
            $($CC -print-file-name=libcrypto.a) -lm -lpthread -ldl && $P/tls3"
        nm "$lib" 2>/dev/null | awk '$2 ~ /^[TDBR]$/ { print $3 }' | sort -u > $P/tls_names.txt
        comm -12 $P/tls_names.txt $P/defined.txt > $P/leaks.txt
        check "names shared with libssl.a: $(tr '\n' ' ' < $P/leaks.txt)" [ ! -s $P/leaks.txt ]
    else skip "static libssl" "libssl.a is not installed"; fi
else skip openssl "openssl/ssl.h is not installed (libssl-dev)"; fi

# --- two private copies, C and C++ in one program ---------------------------------------------------------------------
for k in 1 2; do
    cat > $P/copy$k.c <<END
#define SSLH_STATIC
#define SSLH_IMPLEMENTATION
#include "ssl.h"
float copy$k(void);
float copy$k(void) {
    sslh_desc d;
    sslh_ctx *c;
    float v;
    memset(&d, 0, sizeof d);
    d.seed = $k;
    c = sslh_create(d);
    v = sslh_item(sslh_mean(c, sslh_relu(c, sslh_normal(c, sslh_dim1(1000), 0, 1)), SSLH_ALL, 0));
    if (sslh_error(c)) v = -1;
    sslh_destroy(c);
    return v;
}
END
done
cat > $P/copies.c <<'END'
float copy1(void);
float copy2(void);
int main(void) { return !(copy1() > 0.3f && copy2() > 0.3f && copy1() != copy2()); }
END
bg "two private copies" sh -c "$CC -std=c99 -O0 -w -DSSLH_WITH_SIMD=0 -I. $P/copy1.c $P/copy2.c $P/copies.c \
    -o $P/copies -lm -lpthread && $P/copies"
if have g++; then
    cat > $P/user.cpp <<'END'
#include "ssl.h"
#include <cstdio>
int main() {
    sslh_desc d = {};
    sslh_ctx *c = sslh_create(d);
    sslh_convnet_desc cd = {};
    cd.channels = 1;
    cd.widths[0] = 4;
    sslh_net *net = sslh_convnet(c, cd);
    sslh_tensor *y = sslh_forward(net, sslh_zeros(c, sslh_dim4(2, 8, 8, 1)));
    if (sslh_error(c)) { std::printf("%s\n", sslh_error(c)); return 1; }
    int ok = y->shape[1] == 4;
    sslh_destroy(c);
    return !ok;
}
END
    check "C implementation, C++11 program" g++ -std=c++11 -Wall -Wextra -Werror -I. $P/user.cpp $P/impl.o -o $P/user \
        -lm -lpthread
    check "C implementation, C++11 program runs" $P/user
    printf '%s\n' '#include "ssl.h"' \
        'int main() { sslh_ctx *c = sslh_create({.seed = 1, .threads = 1}); bool ok = !sslh_error(c);' \
        'sslh_destroy(c); return !ok; }' \
        > $P/braces.cpp
    check "C++20 braces" g++ -std=c++20 -I. $P/braces.cpp $P/impl.o -o $P/braces -lm -lpthread
    check "C++20 braces run" $P/braces
else skip "C++ program" "g++ is not installed"; fi

# --- what must not compile or link ------------------------------------------------------------------------------------
refused() { name=$1; shift; if "$@" > $P/refused.txt 2>&1; then fail "$name"; else pass; fi; }
refused "-ffast-math is an error" $CC -std=c99 -w -O1 -DSSLH_WITH_SIMD=0 -ffast-math -fsyntax-only -I. $P/impl.c
check "its message says what to do" grep -q SSLH_ALLOW_FAST_MATH $P/refused.txt
printf '%s\n' '#define SSLH_REAL double' '#include "ssl.h"' \
    'int main(void) { sslh_desc d = {0}; return sslh_create(d) == 0; }' > $P/mixed.c
refused "mixing float and double is a link error" $CC -std=c99 -w -I. $P/mixed.c $P/impl.o -o $P/mixed -lm -lpthread
# the alias of the implementation macro; included again after the implementation; a path with a folder; -include
printf '#define SSL_IMPLEMENTATION\n#include "ssl.h"\n#include "ssl.h"\nint main(void) { return 0; }\n' > $P/alias.c
bg "SSL_IMPLEMENTATION is an alias" $CC -std=c99 -O0 -w -DSSLH_WITH_SIMD=0 -I. $P/alias.c -o $P/alias -lm -lpthread
mkdir -p $P/vendor; cp ssl.h $P/vendor/ssl.h
printf '%s\n' '#define SSLH_IMPLEMENTATION' '#include "vendor/ssl.h"' \
    'int main(void) { sslh_desc d = {0}; sslh_ctx *c = sslh_create(d); int bad = sslh_error(c) != 0;' \
    'sslh_destroy(c); return bad; }' \
    > $P/vendored.c
bg "vendored in a folder" sh -c "$CC -std=c99 -O0 -w $P/vendored.c -o $P/vendored -lm -lpthread && $P/vendored"
collect
result
