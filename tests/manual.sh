#!/bin/sh
# The code of the manual (the opening comment of ssl.h): every piece of it compiles without warnings. Pieces are the
# lines indented by 7 columns. Functions and directives stand at file scope, statements inside a function that has the
# names which the manual uses; one piece is what stands between two sentences. The last line is "N passed, N failed".
cd "$(dirname "$0")/.." || exit 1
work=build/manual; tally=build/manual.tally; rm -rf $work; mkdir -p $work; : > $tally
. tests/lib.sh
CC=${CC:-cc}
awk -v work=$work '
    /^#/ { exit }
    !match($0, /[^ ]/) { next }
    RSTART < 8 { if (inside) close(work "/" n ".txt"); inside = 0; next } # a sentence or a row of a table
    RSTART == 8 && !inside { inside = 1; n++ }
    inside { print substr($0, 8) > (work "/" n ".txt") }
    END { print n + 0 > (work "/pieces") }' ssl.h
pieces=$(cat $work/pieces)
check "the manual has code ($pieces pieces)" [ "$pieces" -ge 15 ]
names='sslh_ctx *c, sslh_net *encoder, sslh_net *head, sslh_loader *loader, sslh_optimizer *optimizer'
names="$names, sslh_method method, sslh_data train, sslh_data test, sslh_data data, sslh_batch batch, sslh_tensor *x"
names="$names, const uint8_t *pixels, int height, int width, int channels, float warmup_epochs"
names="$names, int64_t step, int64_t steps, int64_t warmup"
for t in $work/*.txt; do
    p=${t%.txt}
    case $(cat "$t") in
    "cc "*) check "the manual's command is README's: $(cat "$t")" grep -q -e "-lm" README.md; continue ;;
    esac
    { echo '#include "ssl.h"'; echo '#include <stdio.h>'; echo '#include <stdlib.h>'
      # definitions: from a line "static .. {" to the "}" below it, and directives
      awk '/^#/ && !/include "ssl.h"/ { print; next } /^static/ { on = 1 } on { print } /^}/ { on = 0 }' "$t"
      echo "void piece($names);"; echo "void piece($names) {"; echo '    {'
      awk '/^#/ { next } /^static/ { on = 1 } !on { print } /^}/ { on = 0 }' "$t"
      echo '    }'
      echo "$names" | tr ',' '\n' | sed 's/.*[ *]\([a-z_]*\)$/    (void)\1;/'; echo '}'; } > "$p.c"
    # shellcheck disable=SC2086
    check "the manual: $(head -n 1 "$t")" $CC -std=c99 -Wall -Wextra -Wno-unused -Werror -I. -fsyntax-only "$p.c"
done
result
