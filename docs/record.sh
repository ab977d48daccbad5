#!/bin/sh
# Runs one command and keeps what it printed: sh docs/record.sh NAME writes docs/printed/NAME.txt. Three lines stand
# above the output: the command, the commit of what it ran, the machine. Then sh docs/fill.sh puts it into the pages.
# Without a name it lists the names. SSLH_MACHINE overrides the processor's name where the system hides it.
cd "$(dirname "$0")/.." || exit 1
# The commands, as a reader would type them. A bench is kept for each processor, under its name.
name=$1
case $name in
first) command='cc -I. examples/first.c -o first -lm && ./first' ;;
demo) command='make demo' ;;
classify) command='build/examples/classify --images 3000' ;;
inside) command='build/examples/inside --images 1000 --epochs 1' ;;
robust) command='build/examples/robust --images 1000 --epochs 3 --test-images 100 --steps 5' ;;
tutorial-[1-6]) # program 6 takes the encoder of program 3
    for f in examples/tutorial/"${name#tutorial-}"_*.c; do command=build/examples/$(basename "$f" .c); done ;;
sizes) command='make sizes' ;;
transfer-finetune) command='build/examples/transfer finetune --seeds 2 --steps 300' ;;
transfer-*) command="build/examples/transfer ${name#transfer-}" ;;
bench-quick-*) command='make bench-quick' ;;
bench-*) command='make bench' ;;
*)
    echo "usage: sh docs/record.sh first | demo | classify | inside | robust | tutorial-1 .. tutorial-6 | sizes |"
    echo "       transfer-PART | bench-PROCESSOR | bench-quick-PROCESSOR"
    exit 2 ;;
esac

# What is printed depends on these alone; a change that is in no commit has no name that a page could give.
sources="ssl.h examples tests/bench Makefile"
# shellcheck disable=SC2086
if [ -n "$(git status --porcelain -- $sources 2>/dev/null)" ]; then
    echo "record: commit your changes to $sources first: the page names the commit"; exit 1
fi
# shellcheck disable=SC2086
commit=$(git log -1 --format=%h -- $sources 2>/dev/null)
processor=${SSLH_MACHINE:-$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1)}
cores=$( (nproc || getconf _NPROCESSORS_ONLN) 2>/dev/null)

mkdir -p docs/printed
new=docs/printed/$name.new
# a time is worth keeping when nothing else ran
busy=$(awk '{ print ($1 > 0.7) }' /proc/loadavg 2>/dev/null)
start=$(date +%s)
# make's own lines (how it compiles) are no output; progress goes to stderr
MAKEFLAGS=-s sh -c "$command" > "$new.out" || { rm -f "$new.out"; echo "record: $command failed"; exit 1; }
seconds=$(($(date +%s) - start))
{
    echo "command: $command"
    echo "commit: ${commit:-unknown}"
    took=; [ "$busy" = 0 ] && took=", took $seconds s"
    echo "machine: ${processor:-unknown processor}, ${cores:-?} cores, $(date -u +%Y-%m-%d)$took"
    cat "$new.out"
} > "$new"
rm -f "$new.out"
[ "$name" != first ] || rm -f first
mv "$new" "docs/printed/$name.txt" && echo "docs/printed/$name.txt: $seconds s"
