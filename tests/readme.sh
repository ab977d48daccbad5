#!/bin/sh
# The code and the commands of README.md: every ```c block with a main is compiled (and the first program run on the
# example data, shortened), fragments are compiled inside a function where they can be, every `make ..` command named
# exists. And of README and docs: they are what docs/fill.sh writes, docs/index.md leads to every page, and the links,
# files, programs and sections that they name are there.
cd "$(dirname "$0")/.." || exit 1
tally=build/readme.tally; mkdir -p build/readme; : > $tally
. tests/lib.sh
CC=${CC:-cc}; CFLAGS=${CFLAGS:--O2}; LDLIBS=${LDLIBS:--lm -lpthread}; MAKE=${MAKE:-make}
rm -f build/readme/block*
# blocks of C into build/readme/blockN.c
awk '/^```c$/ { n++; on = 1; next } /^```/ { on = 0 } on { print > ("build/readme/block" n ".c") }' README.md
programs=0
for b in build/readme/block*.c; do
    [ -f "$b" ] || continue
    if grep -q 'int main' "$b"; then
        programs=$((programs + 1))
        exe=${b%.c}
        # shellcheck disable=SC2086
        check "README $b compiles" $CC -std=c99 $CFLAGS -Wall -Wextra -I. "$b" -o "$exe" $LDLIBS
        if grep -q 'sslh_load_images' "$b"; then
            # the same program for one epoch
            sed 's/\.epochs *= *[0-9][0-9]*/.epochs = 1/' "$b" > "$exe.short.c"
            # shellcheck disable=SC2086
            check "README $b, one epoch, compiles" $CC -std=c99 $CFLAGS -w -I. "$exe.short.c" -o "$exe.short" $LDLIBS
            start=$(now)
            check "README $b runs" "$exe.short"
            echo "   $b, one epoch: $(since "$start") s"
        else
            check "README $b runs" "$exe"
        fi
    else
        # a fragment: inside a function with the names that the README uses
        names='sslh_ctx *c, sslh_net *encoder, sslh_net *head, sslh_loader *loader, sslh_optimizer *optimizer'
        names="$names, sslh_data train, sslh_data test, sslh_batch batch, int64_t step, int64_t steps, int64_t warmup"
        { echo '#include "ssl.h"'
          echo "void fragment($names);"
          echo "void fragment($names) {"
          cat "$b"
          echo '}'; } > "${b%.c}.fragment.c"
        if $CC -std=c99 -w -I. -fsyntax-only "${b%.c}.fragment.c" 2> /dev/null; then pass
        else # a declaration or a definition
            { echo '#include "ssl.h"'; cat "$b"; } > "${b%.c}.fragment.c"
            check "README $b compiles as a fragment" $CC -std=c99 -w -I. -fsyntax-only "${b%.c}.fragment.c"
        fi
    fi
done
check "README has a program" [ "$programs" -ge 1 ]
# the first program is the example, word for word
check "README's first program is examples/first.c" cmp build/readme/block1.c examples/first.c

# commands: every `make target` exists
named() { cat README.md docs/*.md | grep -o "$1" | sort -u; } # what the pages name
for target in $(named '`make [a-z][a-z-]*\|^ *make [a-z][a-z-]*' | sed 's/.*make //' | sort -u); do
    check "make $target is a target" grep -q "^$target:" Makefile
done
# what `make` alone lists are targets too
for target in $(sed -n 's/^	@echo "make \([a-z-]*\).*/\1/p' Makefile); do
    check "make $target, which make lists, is a target" grep -q "^$target:" Makefile
done

# The pages are what the script writes from recordings, sections and the list of methods.
check "README and docs are what sh docs/fill.sh writes" sh docs/fill.sh --check
# A recording names its command, commit and machine; the commit exists where the history is there.
for f in docs/printed/*.txt; do
    head=$(sed -n '1,3s/: .*//p' "$f" | tr '\n' ' ')
    check "$f begins with command, commit, machine" [ "$head" = "command commit machine " ]
    if [ "$(git rev-parse --is-shallow-repository 2>/dev/null)" = false ]; then
        commit=$(sed -n '2s/^commit: //p' "$f")
        check "$f: commit $commit exists" git cat-file -e "$commit^{commit}"
    fi
done

# Links: each relative one of README and docs leads to a file, and docs/index.md to every page.
links() { grep -o '](\([^)#]*\))' "$1" | sed 's/](\(.*\))/\1/' | grep -v '^[a-z]*:' | sort -u; }
for page in README.md docs/*.md; do
    folder=$(dirname "$page")
    for f in $(links "$page"); do check "$page links to $f" [ -e "$folder/$f" ]; done
done
links docs/index.md > build/readme/index.txt
for page in docs/*.md; do
    [ "$page" = docs/index.md ] && continue
    check "docs/index.md leads to $page" grep -qx "$(basename "$page")" build/readme/index.txt
done
check "README leads to docs/index.md" grep -q '](docs/index.md)' README.md
# Files, programs and sections that the pages name
for f in $(named '\(examples\|tests\|docs\)/[a-z0-9_/-]*\.\(c\|h\|sh\|py\|md\|txt\)'); do
    check "the pages name $f" [ -e "$f" ]
done
for p in $(named 'build/examples/[a-z0-9_]*' | sed 's/.*\///'); do
    check "the pages name the program $p" sh -c "ls examples/$p.c examples/*/$p.c 2>/dev/null | grep -q ."
done
# Sizes of what is shipped, in MB: each row of the table is right within a tenth and 0.2, and all together stay below
# 25.
mega() {
    find "$@" -type f ! -path './.git/*' ! -path './build*' ! -path './out/*' -exec cat {} + 2> /dev/null | wc -c |
        awk '{ printf "%.2f\n", $1 / 1e6 }'
}
check "the repository is smaller than 25 MB ($(mega .))" sh -c "[ $(mega . | cut -d. -f1) -lt 25 ]"
awk -F'|' '/^## Licences and sizes/ { on = 1 }
    on && $6 ~ /[0-9]/ && $3 ~ /`/ { gsub(/[`, ]+/, " ", $3); print $6, $3 }' docs/compatibility.md \
    > build/readme/sizes.txt
check "the table of licences has rows" [ "$(wc -l < build/readme/sizes.txt)" -ge 4 ]
while read -r said paths; do
    # shellcheck disable=SC2086
    check "$paths: $said MB are said, $(mega $paths) are there" \
        sh -c "echo $said $(mega $paths) | awk '{ d = \$1 - \$2; exit !(d * d <= (0.2 + 0.1 * \$2) ^ 2) }'"
done < build/readme/sizes.txt
# What the pages call pretrain with is in its help.
for o in $(cat README.md docs/*.md | grep -o 'build/examples/pretrain [^`|]*' | grep -o -e ' --[a-z-]*' | sort -u); do
    check "pretrain has $o, which the pages use" grep -q -e "\"$o\"" examples/use/pretrain.c examples/common.h
done
for tag in $(named '`>>[a-z-]*`' | tr -d '`'); do
    check "the pages name section $tag" grep -q "^/\*  *$tag " ssl.h
done
result
