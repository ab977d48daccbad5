#!/bin/sh
# Puts into README.md and docs/*.md what stands somewhere else: outputs recorded by docs/record.sh, the opening comments
# of the methods' sections of ssl.h, the list of methods. Between two lines of a page
#
#     <!-- printed demo -->
#     <!-- end -->
#
# it writes a block; whatever stood there before goes. The blocks:
#
#     printed NAME [/FROM/ [/TO/]]  docs/printed/NAME.txt (from the first line that matches FROM to the next that
#                                   matches TO), and below it the command, the commit and the machine
#     source NAME                   the last line of these alone
#     program FILE                  a program, whole
#     section NAME                  the comment that opens section >>NAME of ssl.h
#     methods PREFIX                the methods as a table, from sslh_methods (tests/tools/methods_table.c); PREFIX
#                                   leads to docs, "here" for a page in docs
#     settings NAME                 fields and defaults of one method, from the same list
#     copy FILE NAME [/ROWS/]       what stands in FILE between <!-- begin NAME --> and <!-- close -->; of a table the
#                                   rows that match
#     results NAME                  the rows of docs/printed/NAME.rows, which make results writes, as a table
#                                   (docs/results_table.awk); a sentence when there are none
#     steps, means, products, convolutions, memory, bfloat16 NAME
#                                   tables of the lines of docs/printed/bench-NAME.txt (docs/bench_table.awk)
#
#     sh docs/fill.sh             writes the pages
#     sh docs/fill.sh --check     writes nothing; fails and shows the difference where a page is not what it would write
cd "$(dirname "$0")/.." || exit 1

die() { echo "fill: $*" >&2; exit 1; }
recorded() { [ -f "docs/printed/$1.txt" ] || die "docs/printed/$1.txt is not there (sh docs/record.sh $1)"; }
source_line() { # the command, the commit, the machine as one line of a page
    awk 'NR <= 3 { sub(/^[a-z]*: /, ""); head[NR] = $0 }
        END { printf "Printed by `%s` at commit %s: %s.\n", head[1], head[2], head[3] }' "docs/printed/$1.txt"
}

# The opening comment of a section: the first comment after its banner that begins a line, without its marks.
section() {
    awk -v tag=">>$1" '
        $0 ~ "^/\\*  *" tag " " { found = 1; next }
        found && !on && /^\/\* =====/ { next }
        found && !on && /^\/\* / { on = 1; sub(/^\/\* ?/, "   ") }
        on { last = sub(/ *\*\/ *$/, ""); sub(/^   /, ""); print; if (last) exit }
        END { if (!on) exit 1 }' ssl.h
}

# The list of methods: a small program over sslh_methods, compiled again when it or ssl.h has changed.
methods() {
    tool=build/docs/methods_table
    # with the compiled header of make where it is fresh, else with one of its own
    with="-DSSLH_WITH_SIMD=0"
    if [ -f build/libsslh.a ] && [ -z "$(find ssl.h -newer build/libsslh.a)" ]; then
        with="-DSSLH_I_IMPLEMENTED build/libsslh.a"
    fi
    if [ ! -x $tool ] || [ -n "$(find ssl.h tests/tools/methods_table.c -newer $tool)" ]; then
        mkdir -p build/docs
        # shellcheck disable=SC2086
        ${CC:-cc} -std=c99 -O0 -w -I. tests/tools/methods_table.c $with -o $tool ${LDLIBS:--lm -lpthread} || return 1
    fi
    "$tool" "$@"
}

if [ "$1" = --block ]; then # one block, as the pages below ask for it
    kind=$2 name=$3
    case $kind in
    printed)
        recorded "$name"
        echo '```'
        tail -n +4 "docs/printed/$name.txt" | awk -v from="$4" -v to="$5" '
            BEGIN { gsub(/^\/|\/$/, "", from); gsub(/^\/|\/$/, "", to); on = from == "" }
            !on && !done && $0 ~ from { on = 1 }
            on { print; n++ }
            on && to != "" && $0 ~ to { on = 0; done = 1 }
            END { exit n == 0 }' || die "nothing in docs/printed/$name.txt matches $4 $5"
        printf '```\n\n'
        source_line "$name" ;;
    source) recorded "$name"; source_line "$name" ;;
    program)
        [ -f "$name" ] || die "$name is not there"
        echo '```c'; cat "$name"; echo '```' ;;
    section)
        echo '```'
        section "$name" || die "ssl.h has no section >>$name that opens with a comment"
        printf '```\n\nThis comment opens section `>>%s` of [ssl.h](../ssl.h)' "$name"
        echo '; the code below it refers to the numbers.' ;;
    methods) if [ "$name" = here ]; then name=; fi; methods "$name" examples/*/*.c || die "no table of methods" ;;
    settings) methods --settings "$name" || die "no settings of $name" ;;
    copy)
        awk -v name="$4" -v rows="$5" '
            BEGIN { gsub(/^\/|\/$/, "", rows) }
            $0 == "<!-- begin " name " -->" { on = 1; next }
            on && $0 == "<!-- close -->" { exit }
            on && (rows == "" || ++line <= 2 || $0 ~ rows) { print; n++ }
            END { exit n == 0 }' "$3" || die "$3 has nothing named $4" ;;
    steps | means | products | convolutions | memory | bfloat16)
        recorded "bench-$name"
        awk -v kind="$kind" -f docs/bench_table.awk "docs/printed/bench-$name.txt" ||
            die "docs/printed/bench-$name.txt has no lines for $kind" ;;
    results)
        if [ ! -f "docs/printed/$name.rows" ]; then
            echo "No rows yet: \`make results RESULTS=docs/printed/$name.rows\` writes them."; exit 0
        fi
        awk -f docs/results_table.awk "docs/printed/$name.rows" || die "docs/printed/$name.rows has no rows" ;;
    *) die "unknown block: $kind" ;;
    esac
    exit 0
fi

check=0; [ "$1" = --check ] && check=1
code=0
mkdir -p build/docs
for page in README.md docs/*.md; do
    awk '
        /^<!-- (printed|source|program|section|methods|settings|copy|results) .*-->$/ ||
        /^<!-- (steps|means|products|convolutions|memory|bfloat16) .*-->$/ {
            print
            what = $0; sub(/^<!-- /, "", what); sub(/ -->$/, "", what)
            n = split(what, w, " "); command = "sh docs/fill.sh --block"
            for (i = 1; i <= n; i++) command = command " \047" w[i] "\047"
            while ((command | getline line) > 0) print line
            if (close(command) != 0) failed = 1
            skip = 1; next
        }
        $0 == "<!-- end -->" { skip = 0 }
        !skip { print }
        END {
            if (skip) { print "fill: a block of this page has no <!-- end -->" > "/dev/stderr"; failed = 1 }
            exit failed
        }' "$page" > build/docs/page ||
        { echo "fill: $page is left as it was"; code=1; continue; }
    cmp -s build/docs/page "$page" && continue
    if [ $check = 1 ]; then
        echo "$page is not what sh docs/fill.sh would write:"; diff "$page" build/docs/page | head -n 20; code=1
    else cp build/docs/page "$page" && echo "$page"; fi
done
exit $code
