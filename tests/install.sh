#!/bin/sh
# What docs/installing.md says: make install, pkg-config, and its recipes for CMake and Meson, which are taken out of
# the page. A tool that is missing is skipped by name. `sh tests/install.sh release` checks the version of ssl.h and
# prints its size and digest. The last line is "N passed, N failed".
cd "$(dirname "$0")/.." || exit 1
top=$PWD
tally=build/install.tally; mkdir -p build; : > $tally
. tests/lib.sh
CC=${CC:-cc}; MAKE=${MAKE:-make}

# --- one version everywhere: title, macros, the newest entry of the history; LICENSE is there ---
version=$(sed -n 's/^#define SSLH_VERSION "\(.*\)"/\1/p' ssl.h)
numbers=$(awk '/^#define SSLH_VERSION_(MAJOR|MINOR|PATCH) / { printf "%s%s", n++ ? "." : "", $3 }' ssl.h)
title=$(awk 'NR == 1 { print $3 }' ssl.h)
newest=$(awk '/^\/\*  >>history / { on = 1; next } on && /^\/\*  [0-9]/ { print $2; exit }' ssl.h)
check "SSLH_VERSION is a version" sh -c "echo '$version' | grep -qx '[0-9]*\.[0-9]*\.[0-9]*'"
check "the numbers $numbers are those of SSLH_VERSION $version" [ "$numbers" = "$version" ]
check "the title says $title, the macro $version" [ "$title" = "$version" ]
check "the history begins with $newest, the macro says $version" [ "$newest" = "$version" ]
check "docs/installing.md names $version" grep -q "\"version\": \"$version\"" docs/installing.md
digest() { (sha256sum "$1" || shasum -a 256 "$1") 2> /dev/null | cut -d' ' -f1; }
if [ "$1" = release ]; then
    if [ -n "$(git status --porcelain 2> /dev/null)" ]; then echo "note: there are changes that are not committed"; fi
    echo "ssl.h $version: $(wc -l < ssl.h) lines, $(wc -c < ssl.h) bytes, SHA-256 $(digest ssl.h)"
    result
    exit
fi

# --- make install, and a program that finds it by pkg-config ---
work=$top/build/install; rm -rf "$work"; mkdir -p "$work"
cat > "$work/app.c" << 'END'
#include "ssl.h"
#include <stdio.h>
int main(void) {
    sslh_desc d = { 0 };
    sslh_ctx *c = sslh_create(d);
    printf("%s %g\n", SSLH_VERSION, sslh_item(sslh_square(c, sslh_scalar(c, 3))));
    sslh_destroy(c);
    return 0;
}
END
quick="-DSSLH_WITH_SIMD=0 -O0" # seconds of compiling instead of a minute
says() { [ "$("$@")" = "$version 9" ]; }
check "make install" $MAKE -s install PREFIX=/usr DESTDIR="$work/package"
for f in include/sslh/ssl.h lib/pkgconfig/sslh.pc share/doc/sslh/LICENSE share/doc/sslh/docs/index.md; do
    check "make install puts $f" [ -s "$work/package/usr/$f" ]
done
check "the header is installed as it is" cmp ssl.h "$work/package/usr/include/sslh/ssl.h"
check "no path of DESTDIR is in the file for pkg-config" \
    sh -c '! grep -q "$1" "$1/package/usr/lib/pkgconfig/sslh.pc"' sh "$work"
if have pkg-config; then
    local="$work/it's local" # a path with odd characters
    check "make install for pkg-config" $MAKE -s install PREFIX="$local"
    PKG_CONFIG_PATH=$local/lib/pkgconfig; export PKG_CONFIG_PATH
    check "pkg-config knows $version" [ "$(pkg-config --modversion sslh)" = "$version" ]
    { echo '#define SSLH_IMPLEMENTATION'; awk '/^```/ { on = $0 == "```installed"; next } on' docs/installing.md
      grep -v '^#include "ssl.h"' "$work/app.c"; } > "$work/installed.c"
    # pkg-config writes its paths as a shell reads them
    check "a program by pkg-config" sh -c "$CC -std=c99 $quick \"\$0.c\" $(pkg-config --cflags sslh) -o \"\$0\" \
        $(pkg-config --libs sslh)" "$work/installed"
    check "it runs" says "$work/installed"
    echo 'of another' > "$local/share/doc/sslh/docs/another.txt"
    check "make uninstall" $MAKE -s uninstall PREFIX="$local"
    check "make uninstall leaves a file of another, and no other" \
        [ "$(find "$local" -type f)" = "$local/share/doc/sslh/docs/another.txt" ]
    for d in include/sslh share/doc/sslh/docs/img; do
        check "make uninstall removes $d" [ ! -e "$local/$d" ]
    done
else skip "pkg-config" "it is not installed"; fi

# --- recipes of the page ---
block() { awk -v name="$1" '/^```/ { on = $0 == "```" name; next } on' docs/installing.md; }
project() { # a folder with the program, the header and its one source file
    mkdir -p "$1/vendor"
    cp "$work/app.c" "$1/app.c"
    cp ssl.h "$1/vendor/"
    printf '#define SSLH_IMPLEMENTATION\n#include "ssl.h"\n' > "$1/vendor/sslh.c"
}
if have cmake; then
    project "$work/cmake"
    block cmake > "$work/cmake/CMakeLists.txt"
    check "the page has a recipe for CMake" [ -s "$work/cmake/CMakeLists.txt" ]
    check "cmake configures" \
        cmake -S "$work/cmake" -B "$work/cmake/out" -DCMAKE_C_COMPILER="$CC" -DCMAKE_C_FLAGS="$quick"
    check "cmake builds" cmake --build "$work/cmake/out"
    check "its program runs" says "$work/cmake/out/app"
else skip "the recipe for CMake" "cmake is not installed"; fi
if have meson && have ninja; then
    project "$work/meson"
    block meson > "$work/meson/meson.build"
    check "the page has a recipe for Meson" [ -s "$work/meson/meson.build" ]
    check "meson configures" \
        env CC="$CC" meson setup --buildtype=plain -Dc_args="$quick" "$work/meson/out" "$work/meson"
    check "ninja builds" ninja -C "$work/meson/out"
    check "its program runs" says "$work/meson/out/app"
    if git rev-parse HEAD > /dev/null 2>&1; then # as a subproject, from the last commit of this repository
        files=$work/wrap/subprojects/packagefiles/sslh
        mkdir -p "$files"
        cp "$work/app.c" "$work/wrap/app.c"
        block subproject > "$files/meson.build"
        printf '#define SSLH_IMPLEMENTATION\n#include "ssl.h"\n' > "$files/sslh.c"
        block wrap | sed -e "s|^url = URL|url = file://$top|" -e "s|REVISION|$(git rev-parse HEAD)|" -e '/^depth/d' \
            > "$work/wrap/subprojects/sslh.wrap"
        { echo "project('app', 'c', default_options: ['c_std=c99'])"
          grep -o "executable('app', 'app.c', dependencies: dependency('sslh'))" docs/installing.md; } \
            > "$work/wrap/meson.build"
        check "meson fetches the subproject" env CC="$CC" meson setup --buildtype=plain -Dc_args="$quick" \
            -Dsslh:c_args="$quick" "$work/wrap/out" "$work/wrap"
        check "ninja builds it" ninja -C "$work/wrap/out"
        check "the program of the wrap runs" says "$work/wrap/out/app"
    else skip "Meson's subproject" "this is no git repository"; fi
else skip "the recipes for Meson" "meson or ninja is not installed"; fi
result
