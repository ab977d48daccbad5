#!/bin/sh
# wine.sh PROGRAM ARGUMENTS..: runs PROGRAM.exe; the lines that it prints end as ours do.
program=$1; shift
WINEDEBUG=-all wine "$program.exe" "$@" > "$program.out" 2>&1
code=$?
tr -d '\r' < "$program.out"
exit $code
