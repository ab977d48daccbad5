#!/bin/sh
# Puts into README.md and docs/*.md what stands somewhere else: outputs recorded by docs/record.sh, the opening comments of the
# methods' sections of ssl.h, the list of methods. Between two lines of a page
#
#     <!-- printed demo -->
#     <!-- end -->
#
# it writes a block; whatever stood there before goes. The blocks:
#
#     printed NAME [/FROM/ [/TO/]]  docs/printed/NAME.txt (from the first line that matches FROM to the next that matches TO),
#                                   and below it the command, the commit and the machine
#     source NAME                   the last line of these alone
#     section NAME                  the comment that opens section >>NAME of ssl.h
#     methods PREFIX                the methods as a table, from sslh_methods (tests/tools/methods_table.c); PREFIX leads to docs
#     copy FILE NAME [/ROWS/]       what stands in FILE between <!-- begin NAME --> and <!-- close -->; of a table the rows that match
#     steps, means, products, convolutions, memory, bfloat16 NAME
#                                    tables of the lines of docs/printed/bench-NAME.txt
#
#     sh docs/fill.sh             writes the pages
#     sh docs/fill.sh --check     writes nothing; fails and shows the difference where a page is not what it would write
cd "$(dirname "$0")/.." || exit 1

die() { echo "fill: $*" >&2; exit 1; }
recorded() { [ -f "docs/printed/$1.txt" ] || die "docs/printed/$1.txt is not there (sh docs/record.sh $1)"; }
source_line() { # the command, the commit, the machine as one line of a page
    awk 'NR == 1 { sub(/^command: /, ""); c = $0 } NR == 2 { sub(/^commit: /, ""); k = $0 } NR == 3 { sub(/^machine: /, ""); m = $0 }
        END { printf "Printed by `%s` at commit %s: %s.\n", c, k, m }' "docs/printed/$1.txt"
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

# --- tables of a bench run: lines "bench FAMILY/CASE/tN ours=.. peer=.. ratio=.." and "mean FAMILY/tN ratio=.." ---
bench_table() { # bench_table KIND NAME
    awk -v kind="$1" '
        function field(name,   i) { for (i = 3; i <= NF; i++) if (index($i, name "=") == 1) return substr($i, length(name) + 2); return "" }
        function plain(x,   s) { # 45998 -> 45,998
            s = x; if (s !~ /^[0-9]+$/ || length(s) < 5) return s
            return substr(s, 1, length(s) - 3) "," substr(s, length(s) - 2) }
        function row(key) { if (!(key in known)) { known[key] = ++rows; order[rows] = key } return key }
        function group(s) {
            if (s == "square") return "squares, 32 to 2048"
            if (s ~ /_dw$/) return "gradients of weights"
            if (s ~ /_image/) return "convolutions of one image as products"
            if (s ~ /^conv_/) return "convolutions of a batch as products"
            if (s ~ /^vit_/) return "vision transformer, 4160 rows"
            if (s ~ /^attention_/) return "attention, 65 tokens"
            return "small layers: NT-Xent, projection, VAE, GRU"
        }
        function layers(s) {
            if (s == "3x3_s1") return "3x3, stride 1"
            if (s ~ /^first/) return "first layers, 1 or 3 channels"
            if (s == "3x3_s2") return "3x3, stride 2"
            if (s ~ /^1x1/) return "1x1"
            if (s ~ /^depthwise/) return "depthwise"
            if (s ~ /^grouped/) return "in groups"
            if (s ~ /^transposed/) return "transposed"
            if (s ~ /^1d/) return "one-dimensional"
            return "odd channels and sizes"
        }
        function geo(k, q, t) { return cnt[k, q, t] ? sprintf("%.2f", exp(sum[k, q, t] / cnt[k, q, t])) : "" }
        BEGIN {
            n["simclr_small"] = "SimCLR, small conv net, batch 128"; n["rotnet_small"] = "rotation, small conv net, batch 128"
            n["mae_vit_tiny"] = "MAE, ViT-tiny, batch 64"; n["vae_mlp"] = "VAE, MLP, batch 128"
            n["cpc_audio"] = "audio encoder and GRU, batch 16"; n["simclr_resnet18"] = "SimCLR, ResNet-18, batch 64"
            n["mlp_784_500_10"] = "MLP 784-500-10, batch 100"
        }
        $1 != "bench" && $1 != "mean" { next }
        { parts = split($2, p, "/"); t = p[parts]; path = $2; sub("/" t "$", "", path) }
        kind == "steps" && $1 == "bench" && p[1] == "step" && p[2] != "scaling" && parts == 3 {
            k = row(p[2]); ours[k, t] = plain(field("ours")); peer[k, t] = plain(field("peer")); ratio[k, t] = field("ratio")
            rss[k] = field("rss"); peer_rss[k] = field("peer_rss"); sub(/MB/, "", rss[k]); sub(/MB/, "", peer_rss[k])
        }
        kind == "steps" && $1 == "bench" && p[1] == "step" && p[2] == "scaling" { over[p[3]] = field("ratio"); limit[p[3]] = field("limit") }
        kind == "means" && $1 == "mean" { k = row(path); ratio[k, t] = field("ratio"); least[k, t] = field("least"); at[k, t] = field("at"); cases[k] = field("cases") }
        kind == "products" && $1 == "bench" && p[1] == "matmul" && p[2] != "bfloat16" {
            # groups of shapes: geometric mean of the ratios, least and most share of the peak
            k = row(group(p[2]))
            sum[k, t] += log(field("ratio")); cnt[k, t]++
            s = field("peak") + 0; if (!((k, t) in lo) || s < lo[k, t]) lo[k, t] = s; if (s > hi[k, t]) hi[k, t] = s
            count[k] = cnt[k, t]
        }
        kind == "bfloat16" && $1 == "bench" && p[1] == "matmul" && p[2] == "bfloat16" {
            k = row(p[3] (p[5] ~ /x/ ? ", " p[5] : "")); value[k, t] = field("ours") " / " field("peer"); ratio[k, t] = field("ratio")
        }
        kind == "convolutions" && $1 == "bench" && p[1] == "conv" && field("ratio") != "-" { # geometric means by kind of layer and pass
            k = row(layers(p[2])); q = p[parts - 1]; sum[k, q, t] += log(field("ratio")); cnt[k, q, t]++
            if (q == "forward" && t == "t1") count[k]++
        }
        kind == "memory" && $1 == "bench" && p[1] == "memory" {
            k = p[2]; pass = parts == 4 ? p[3] : "update"; row(k)
            value[k, pass, t] = field("ours") " " field("unit") " (" field("ratio") ")"
        }
        END {
            if (!rows) exit 1
            if (kind == "steps") {
                print "| images/s with the update | 1 thread: ssl.h / PyTorch | ratio | 2 threads: ssl.h / PyTorch | ratio | 2 threads over 1 | two processes over one | memory, MB |"
                print "|---|---|---|---|---|---|---|---|"
                for (i = 1; i <= rows; i++) { k = order[i]
                    printf "| %s | %s / %s | %s | %s / %s | %s | %s | %s | %s / %s |\n", k in n ? n[k] : k, ours[k, "t1"], peer[k, "t1"], ratio[k, "t1"],
                        ours[k, "t2"], peer[k, "t2"], ratio[k, "t2"], over[k], limit[k], rss[k], peer_rss[k] }
            } else if (kind == "means") {
                print "| family | cases | 1 thread: mean ratio | least | 2 threads: mean ratio | least |"
                print "|---|---|---|---|---|---|"
                for (i = 1; i <= rows; i++) { k = order[i]
                    printf "| %s | %s | %s | %s | %s | %s |\n", k, cases[k], ratio[k, "t1"], least[k, "t1"], ratio[k, "t2"], least[k, "t2"] }
            } else if (kind == "products") {
                print "| shapes | cases | 1 thread: ratio | share of the peak | 2 threads: ratio | share of the peak |"
                print "|---|---|---|---|---|---|"
                for (i = 1; i <= rows; i++) { k = order[i]
                    printf "| %s | %d | %.2f | %s | %.2f | %s |\n", k, count[k], exp(sum[k, "t1"] / cnt[k, "t1"]), span(lo[k, "t1"], hi[k, "t1"]),
                        exp(sum[k, "t2"] / cnt[k, "t2"]), span(lo[k, "t2"], hi[k, "t2"]) }
            } else if (kind == "convolutions") {
                print "| layers | cases | 1 thread: forward | data | weights | 2 threads: forward | data | weights |"
                print "|---|---|---|---|---|---|---|---|"
                for (i = 1; i <= rows; i++) { k = order[i]
                    printf "| %s | %d | %s | %s | %s | %s | %s | %s |\n", k, count[k], geo(k, "forward", "t1"), geo(k, "data", "t1"), geo(k, "weight", "t1"),
                        geo(k, "forward", "t2"), geo(k, "data", "t2"), geo(k, "weight", "t2") }
            } else if (kind == "bfloat16") {
                print "| product | 1 thread: bfloat16 / float, GFLOP/s | ratio | 2 threads | ratio |"
                print "|---|---|---|---|---|"
                for (i = 1; i <= rows; i++) { k = order[i]; printf "| %s | %s | %s | %s | %s |\n", k, value[k, "t1"], ratio[k, "t1"], value[k, "t2"], ratio[k, "t2"] }
            } else if (kind == "memory") {
                print "| operation | 1 thread: forward | backward | 2 threads: forward | backward |"
                print "|---|---|---|---|---|"
                for (i = 1; i <= rows; i++) { k = order[i]; q = (k, "update", "t1") in value ? "update" : "forward"
                    printf "| %s | %s | %s | %s | %s |\n", k, value[k, q, "t1"], value[k, "backward", "t1"], value[k, q, "t2"], value[k, "backward", "t2"] }
            }
        }
        function span(a, b) { return a == b ? a " %" : a " to " b " %" }' "docs/printed/bench-$2.txt"
}

# The list of methods: a small program over sslh_methods, compiled again when it or ssl.h has changed.
methods() {
    tool=build/docs/methods_table
    # with the compiled header of make where it is fresh, else with one of its own
    with="-DSSLH_WITH_SIMD=0"
    if [ -f build/libsslh.a ] && [ -z "$(find ssl.h -newer build/libsslh.a)" ]; then with="-DSSLH_I_IMPLEMENTED build/libsslh.a"; fi
    if [ ! -x $tool ] || [ -n "$(find ssl.h tests/tools/methods_table.c -newer $tool)" ]; then
        mkdir -p build/docs
        # shellcheck disable=SC2086
        ${CC:-cc} -std=c99 -O0 -w -I. tests/tools/methods_table.c $with -o $tool ${LDLIBS:--lm -lpthread} || return 1
    fi
    $tool "$1" examples/*/*.c
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
    section)
        echo '```'
        section "$name" || die "ssl.h has no section >>$name that opens with a comment"
        printf '```\n\nThis comment opens section `>>%s` of [ssl.h](../ssl.h); the code below it refers to the numbers.\n' "$name" ;;
    methods) if [ "$name" = here ]; then name=; fi; methods "$name" || die "no table of methods" ;;
    copy)
        awk -v name="$4" -v rows="$5" '
            BEGIN { gsub(/^\/|\/$/, "", rows) }
            $0 == "<!-- begin " name " -->" { on = 1; next }
            on && $0 == "<!-- close -->" { exit }
            on && (rows == "" || ++line <= 2 || $0 ~ rows) { print; n++ }
            END { exit n == 0 }' "$3" || die "$3 has nothing named $4" ;;
    steps | means | products | convolutions | memory | bfloat16)
        recorded "bench-$name"
        bench_table "$kind" "$name" || die "docs/printed/bench-$name.txt has no lines for $kind" ;;
    *) die "unknown block: $kind" ;;
    esac
    exit 0
fi

check=0; [ "$1" = --check ] && check=1
code=0
mkdir -p build/docs
for page in README.md docs/*.md; do
    awk '
        /^<!-- (printed|source|section|methods|copy|steps|means|products|convolutions|memory|bfloat16) .*-->$/ {
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
        END { if (skip) { print "fill: a block of this page has no <!-- end -->" > "/dev/stderr"; failed = 1 } exit failed }' "$page" > build/docs/page ||
        { echo "fill: $page is left as it was"; code=1; continue; }
    cmp -s build/docs/page "$page" && continue
    if [ $check = 1 ]; then echo "$page is not what sh docs/fill.sh would write:"; diff "$page" build/docs/page | head -n 20; code=1
    else cp build/docs/page "$page" && echo "$page"; fi
done
exit $code
