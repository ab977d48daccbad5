# Shared by the shell stages: counting in the file $tally, one "passed failed" line each.
tally=${tally:-build/tally}
pass() { echo "1 0" >> "$tally"; }
fail() { echo "0 1" >> "$tally"; echo "FAILED $*"; }
add() { printf '%s\n' "$1" | awk '{ print $1, $3 }' >> "$tally"; } # "N passed, N failed"
# check NAME command..: passes when the command does; its output is shown when it does not
check() {
    check_name=$1; shift
    if "$@" > build/check.$$ 2>&1; then pass; else head -n 20 build/check.$$; fail "$check_name"; fi
    rm -f build/check.$$
}
skip() {
    echo "skipped $1: $2"
    [ -z "$skips" ] || echo 1 >> "$skips" # of a script of its own the stage counts the lines
    if [ "${SSLH_TEST_STRICT:-0}" = 1 ]; then fail "$1 is skipped and SSLH_TEST_STRICT is 1"; fi
}
have() { command -v "$1" > /dev/null 2>&1; }
now() { date +%s; }
since() { echo $(($(date +%s) - $1)); }
# compiles CC FLAGS: an empty program can be built with them (and run when $3 is not given)
compiles() {
    mkdir -p build/probe
    echo 'int main(void) { return 0; }' > build/probe/p.c
    # shellcheck disable=SC2086
    $1 $2 build/probe/p.c -o build/probe/p > /dev/null 2>&1
}
result() { # the last line of a script of its own
    p=$(awk '{ p += $1 } END { print p + 0 }' "$tally"); f=$(awk '{ f += $2 } END { print f + 0 }' "$tally")
    echo "$p passed, $f failed"
    [ "$f" = 0 ]
}
