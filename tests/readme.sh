#!/bin/sh
# The code and the commands of README.md: every ```c block with a main is compiled (and the first program run on the example
# data, shortened), fragments are compiled inside a function where they can be, every `make ..` command named exists.
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
        { echo '#include "ssl.h"'
          echo 'void fragment(sslh_ctx *c, sslh_net *encoder, sslh_net *head, sslh_loader *loader, sslh_optimizer *optimizer, sslh_data train, sslh_data test, sslh_batch batch, int64_t step, int64_t steps, int64_t warmup);'
          echo 'void fragment(sslh_ctx *c, sslh_net *encoder, sslh_net *head, sslh_loader *loader, sslh_optimizer *optimizer, sslh_data train, sslh_data test, sslh_batch batch, int64_t step, int64_t steps, int64_t warmup) {'
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
if [ -f examples/first.c ] && [ -f build/readme/block1.c ]; then
    for line in sslh_simclr sslh_train sslh_linear_probe; do check "README and examples/first.c both use $line" grep -q "$line" examples/first.c; done
fi
# commands: every `make target` exists
for target in $(grep -o 'make [a-z][a-z-]*' README.md docs/*.md 2>/dev/null | sed 's/.*make //' | sort -u); do
    case $target in a|the|it|sure|no|an|one|this|them|use|its) continue;; esac
    if grep -q "^$target:" Makefile; then pass
    elif grep -q "\`make $target" README.md docs/*.md 2>/dev/null || grep -q "^ *make $target" README.md; then fail "README: make $target is not a target"
    fi
done
# files and links
for f in $(grep -o '](\([^)#]*\))' README.md | sed 's/](\(.*\))/\1/' | grep -v '^[a-z]*:' | sort -u); do check "README links to $f" [ -e "$f" ]; done
result
