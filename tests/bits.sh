#!/bin/sh
# The same-bits matrix: one small training, many builds. Set 1 (fused multiply-add): gcc and clang at all levels, C and
# C++, AVX2, AVX-512, NEON. Set 2 (portable_bits): also SSE2, plain C, tcc, musl, 32 bits, big-endian s390x.
# SSLH_TEST_LONG=1 adds the builds that take long, among them those for other processors (docs/compatibility.md);
# SSLH_TEST_BITS="ref riscv64" runs only the builds named.
cd "$(dirname "$0")/.." || exit 1
tally=build/bits.tally; mkdir -p build/bits; : > $tally
. tests/lib.sh
CC=${CC:-cc}
long=${SSLH_TEST_LONG:-0}
jobs=$( (nproc || echo 2) 2>/dev/null)
printf '#define SSLH_IMPLEMENTATION\n#include "../../tests/bits.c"\n' > build/bits/all.c
cp build/bits/all.c build/bits/all.cpp

# variant NAME TOOL COMPILER-AND-FLAGS.. : a build; a missing tool is skipped by name
list=build/bits/list; : > $list
variant() {
    name=$1; tool=$2; shift 2
    case " ${SSLH_TEST_BITS:-$name} " in *" $name "*) ;; *) return;; esac
    if ! have "$tool"; then skip "bits $name" "$tool is not installed"; return; fi
    echo "$name|$*" >> $list
}
# cross NAME PACKAGES COMPILER-AND-FLAGS..: a build for another processor; skipped when the compiler cannot link one
cross() {
    name=$1; packages=$2; shift 2
    case " ${SSLH_TEST_BITS:-$name} " in *" $name "*) ;; *) return;; esac
    if compiles "$*" ""; then variant "$name" "$1" "$@"
    else skip "bits $name" "$1 makes no program for it ($packages)"; fi
}
# run NAME SET PREFIX THREADS CPU PORTABLE: one line "name set hash" later
runs=build/bits/runs; : > $runs
add_run() { echo "$1|$2|$3|$4|$5|$6" >> $runs; }

# the first of both sets is the program of the unit stage, if it is there
variant ref "$CC" "$CC -O2"
add_run ref fma "" 1 best 0; add_run ref fma "" 3 best 0; add_run ref fma "" 2 avx2 0; add_run ref fma "" 1 avx512 0
add_run ref portable "" 1 best 1; add_run ref portable "" 3 best 1
add_run ref portable "" 2 sse2 1
# threads with the stack that macOS gives them
add_run ref fma "prlimit --stack=524288" 3 best 0
# gcc and clang from -O0 to -O3; most levels and C++ only in the long run, as every build takes a while
gcc_levels="-O0"; clang_levels="-O2"
[ "$long" = 1 ] && gcc_levels="-O0 -O1 -O2 -O3 -Os" && clang_levels="-O0 -O1 -O2 -O3"
for level in $gcc_levels; do
    variant "gcc$level" gcc "gcc $level"; add_run "gcc$level" fma "" 2 best 0; add_run "gcc$level" portable "" 2 best 1
done
for level in $clang_levels; do
    variant "clang$level" clang "clang $level"; add_run "clang$level" fma "" 7 best 0
    add_run "clang$level" portable "" 2 sse2 1
done
variant clang++ clang++ "clang++ -O0 -std=c++20 -x c++"; add_run clang++ fma "" 7 best 0
variant native gcc "gcc -O1 -march=native -ffp-contract=fast"; add_run native fma "" 1 best 0
variant tcc tcc "tcc"; add_run tcc portable "" 1 best 1
variant musl musl-gcc "musl-gcc -O0"; add_run musl fma "" 2 best 0; add_run musl portable "" 2 best 1
variant aarch64 aarch64-linux-gnu-gcc "aarch64-linux-gnu-gcc -O1 -static"; add_run aarch64 fma qemu-aarch64 2 best 0
add_run aarch64 portable qemu-aarch64 1 best 1
variant s390x s390x-linux-gnu-gcc "s390x-linux-gnu-gcc -O1 -static"; add_run s390x portable qemu-s390x 1 best 1
# WebAssembly with its SIMD instructions, run by node
echo 'int main(void) { return 0; }' > build/bits/start.c
if have node && clang-19 --target=wasm32-wasi build/bits/start.c -o build/bits/start 2> /dev/null; then
    variant wasm clang-19 "clang-19 --target=wasm32-wasi -msimd128 -O1 -Wl,-z,stack-size=1048576"
    add_run wasm portable "node --no-warnings tests/tools/wasi.mjs" 1 wasm 1
elif [ "$long" = 1 ]; then skip "bits wasm" "node, or clang-19 for wasm32-wasi, is not installed"; fi
if compiles "gcc -m32" "-isystem /usr/include/x86_64-linux-gnu"; then
    # a kernel that does not start 32-bit programs gets them by qemu
    echo 'int main(void) { return 0; }' > build/bits/start.c
    gcc -m32 build/bits/start.c -o build/bits/start && { build/bits/start 2> /dev/null || m32=qemu-i386; }
    variant m32 gcc "gcc -m32 -isystem /usr/include/x86_64-linux-gnu -O1"; add_run m32 portable "$m32" 2 best 1
else skip "bits m32" "gcc -m32 does not work (gcc-12-multilib)"; fi
if [ "$long" = 1 ]; then
    variant g++ g++ "g++ -O1 -std=c++11 -x c++"; add_run g++ fma "" 2 best 0
    variant clang-19 clang-19 "clang-19 -O3"; add_run clang-19 fma "" 2 best 0; add_run clang-19 portable "" 2 best 1
    variant m32-c99 gcc "gcc -m32 -isystem /usr/include/x86_64-linux-gnu -O2 -std=c99"
    add_run m32-c99 portable "$m32" 2 best 1
    variant m32-sse gcc "gcc -m32 -isystem /usr/include/x86_64-linux-gnu -O2 -msse2 -mfpmath=sse"
    add_run m32-sse portable "$m32" 1 best 1; [ -n "$m32" ] || add_run m32-sse fma "" 1 avx2 0
    variant no-simd gcc "gcc -O2 -DSSLH_WITH_SIMD=0"; add_run no-simd portable "" 2 best 1
    variant no-threads gcc "gcc -O2 -DSSLH_WITH_THREADS=0"; add_run no-threads fma "" 1 best 0
    # portable C in the bits of set 1, by instructions and by the function of the C library
    fused="-DSSLH_WITH_SIMD=0 -DSSLH_I_FUSED=1"
    variant cfma gcc "gcc -O2 -mavx2 -mfma $fused"; add_run cfma fma "" 2 cfma 0; add_run cfma portable "" 1 c 1
    variant tcc-cfma tcc "tcc $fused"; add_run tcc-cfma fma "" 1 cfma 0
    # processors without kernels of their own: 32 bits; 64 bits of both byte orders
    cross armhf "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross" arm-linux-gnueabihf-gcc -O1 -static
    add_run armhf portable qemu-arm 2 best 1
    add_run s390x fma qemu-s390x 2 best 0
    cross riscv64 "gcc-riscv64-linux-gnu libc6-dev-riscv64-cross" riscv64-linux-gnu-gcc -O1 -static
    add_run riscv64 fma qemu-riscv64 2 best 0; add_run riscv64 portable qemu-riscv64 1 best 1
    cross ppc64le "gcc-powerpc64le-linux-gnu libc6-dev-ppc64el-cross" powerpc64le-linux-gnu-gcc -O1 -static
    add_run ppc64le fma qemu-ppc64le 2 best 0; add_run ppc64le portable qemu-ppc64le 1 best 1
    cross ppc64 "gcc-powerpc64-linux-gnu libc6-dev-ppc64-cross" powerpc64-linux-gnu-gcc -O1 -static
    add_run ppc64 fma qemu-ppc64 2 best 0; add_run ppc64 portable qemu-ppc64 1 best 1
    # vectors whose length the program does not know: what the compiler makes of portable C, at three lengths
    cross sve "clang-19 gcc-aarch64-linux-gnu libc6-dev-arm64-cross" clang-19 --target=aarch64-linux-gnu \
        -march=armv8.2-a+sve -O3 -static "$fused"
    cross rvv "clang-19 gcc-riscv64-linux-gnu libc6-dev-riscv64-cross" clang-19 --target=riscv64-linux-gnu \
        -march=rv64gcv -O3 -static
    for bits in 128 256 512; do
        add_run sve fma "qemu-aarch64 -cpu max,sve-default-vector-length=$((bits / 8))" 1 cfma 0
        add_run rvv fma "qemu-riscv64 -cpu rv64,v=true,vext_spec=v1.0,vlen=$bits" 1 best 0
    done
    add_run sve portable "qemu-aarch64 -cpu max" 2 c 1
    add_run rvv portable "qemu-riscv64 -cpu rv64,v=true,vext_spec=v1.0,vlen=256" 2 best 1
fi

# build all, $jobs at a time
build_one() {
    source=build/bits/all.c; link="-lm -lpthread"
    case $2 in *c++*) source=build/bits/all.cpp;; *wasm*) link=-lm;; esac
    # shellcheck disable=SC2086
    $2 -w -I. -Itests $source -o "build/bits/$1" $link > "build/bits/$1.log" 2>&1 || echo 1 > "build/bits/$1.failed"
}
rm -f build/bits/*.failed
n=0
while IFS='|' read -r name command; do
    rm -f "build/bits/$name"
    if [ "$name" = ref ] && [ build/tests/bits -nt ssl.h ]; then cp build/tests/bits build/bits/ref; continue; fi
    build_one "$name" "$command" &
    n=$((n + 1))
    [ $((n % jobs)) = 0 ] && wait
done < $list
wait
# vectors NAME DISASSEMBLER PATTERN: the compiler has made vectors, or the run would show nothing
vectors() {
    grep -q "^$1|" $list && [ ! -f "build/bits/$1.failed" ] || return 0
    if ! have "$2"; then skip "bits $1: instructions" "$2 is not installed"; return; fi
    check "bits $1: vectors of the instruction set" sh -c "[ \$($2 -d build/bits/$1 | grep -c -E '$3') -gt 1000 ]"
}
if [ "$long" = 1 ]; then
    vectors sve aarch64-linux-gnu-objdump '[[:space:]]z[0-9]+\.s'
    # vector instructions on floats; Debian's disassembler does not know their names, which show the opcode
    vectors rvv riscv64-linux-gnu-objdump '[[:space:]](vf[a-z]+\.v[vf]|\.4byte[[:space:]]0x.{4}[159d].[5d]7$)'
fi
# run all, $jobs at a time: the emulated ones take a minute each
n=0
while IFS='|' read -r name set emulator threads cpu portable; do
    n=$((n + 1))
    [ -f "build/bits/$name" ] || continue
    # shellcheck disable=SC2086
    $emulator "build/bits/$name" --hash "$threads" "$cpu" "$portable" > build/bits/out$n.txt 2>&1 < /dev/null &
    [ $((n % jobs)) = 0 ] && wait
done < $runs
wait
ref_fma=; ref_portable=
n=0
while IFS='|' read -r name set emulator threads cpu portable; do
    n=$((n + 1))
    grep -q "^$name|" $list || continue
    label="$name threads=$threads cpu=$cpu portable_bits=$portable"
    if [ -f "build/bits/$name.failed" ]; then
        tail -n 5 "build/bits/$name.log"; fail "bits $label: does not build"; continue
    fi
    if [ -n "$emulator" ] && ! have "${emulator%% *}"; then skip "bits $name" "$emulator is not installed"; continue; fi
    out=$(tail -n 3 build/bits/out$n.txt)
    case $out in
    *"decode_save_opc: Assertion"*) # qemu before 8.1 stops at conversions of vectors to 16 bits; not our program
        skip "bits $name" "this $emulator stops at an instruction that it knows (qemu's issue 1441)"; continue ;;
    # an instruction set that is not here
    error:*cpu*|*"not available"*) echo "   $label: not on this processor"; continue ;;
    *all=*) ;;
    *) fail "bits $label: $out"; continue ;;
    esac
    line=$(printf '%s\n' "$out" | tail -n 1)
    eval "ref=\$ref_$set"
    if [ -z "$ref" ]; then eval "ref_$set=\$line"; ref=$line; echo "   $set: $line"; fi
    if [ "$line" = "$ref" ]; then pass; else
        fail "bits $label: other bits than the first of set $set"
        for part in $line; do case " $ref " in *" $part "*) ;; *) echo "      $part";; esac; done
    fi
done < $runs
result
