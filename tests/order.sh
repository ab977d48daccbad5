#!/bin/sh
# The order of ssl.h: the contents (end of the manual) name every section in the order of the file; sections open with a
# box of three lines; the four parts follow each other; the manual and the first steps keep to their size; lines, those
# of tests, examples and scripts too, have at most 120 columns; the top folder holds nothing else. Everything is derived
# from the file, so that a new section needs no line here. `sh tests/order.sh FILE` checks another copy of ssl.h;
# `sh tests/order.sh contents` prints what the contents should be, to be put into the manual. The last line is
# "N passed, N failed".
cd "$(dirname "$0")/.." || exit 1
if [ "$1" = contents ]; then
    awk 'function row() { if (out != "") print out; out = "" }
        function part(name) { row(); out = sprintf("     %-16s", name) }
        BEGIN { part("declarations") }
        /^\/\* +IMPLEMENTATION +\*\/$/ { part("foundations") }
        /^\/\*  PART [IVX]+ / {
            number = $3; $1 = $2 = $3 = $NF = ""; sub(/^ +/, ""); sub(/ +$/, "")
            part(sprintf("%-4s %s", number, tolower($0)))
        }
        /^#endif \/\* SSLH_IMPLEMENTATION/ { part("end") }
        /^\/\*  >>[a-z]/ {
            if (length(out) + 1 + length($2) > 120) { row(); out = sprintf("%21s", "") }
            out = out " " $2
        }
        END { row() }' "${2:-ssl.h}"
    exit
fi
file=${1:-ssl.h}
work=build/order; tally=build/order.tally; mkdir -p $work; : > $tally
. tests/lib.sh
LC_ALL=C; export LC_ALL
# holds NAME FILE: passes when the file is empty, else its first lines say what is wrong
holds() { if [ -s "$2" ]; then head -n 12 "$2"; fail "$1 ($(wc -l < "$2") places)"; else pass; fi; }

# --- contents and banners: the same tags in the same order, each once ---
awk '/^ +[0-9]+  WHERE THINGS ARE/ { on = 1; next } on && /Shape letters/ { exit }
    on {
        while (match($0, />>[a-z][a-z0-9-]*/)) {
            print substr($0, RSTART + 2, RLENGTH - 2)
            $0 = substr($0, RSTART + RLENGTH)
        }
    }' \
    "$file" > $work/contents
# a title is a comment that opens with a tag; "line tag" for those in a box of 120 columns, the others are bad
awk -v bad=$work/boxes '
    function title(s) { return s ~ /^\/\*[- ]*>>[a-z]/ }
    function bar(s, mark) { return length(s) == 120 && s ~ ("^/\\* [" mark "]+ \\*/$") }
    { line[NR] = $0 }
    END { printf "" > bad
        for (n = 2; n < NR; n++) {
            if (!title(line[n])) continue
            tag = line[n]; sub(/^\/\*[- ]*>>/, "", tag); sub(/[^a-z0-9-].*/, "", tag)
            print n, tag
            if (!bar(line[n - 1], "=") || !bar(line[n + 1], "=") || line[n] !~ /^\/\*  >>[a-z][a-z0-9-]* +[^ ].* \*\/$/)
                print "line " n ": >>" tag " is no box of three lines" > bad
        } }' "$file" > $work/titles
cut -d' ' -f2 $work/titles > $work/banners
check "the contents name sections" [ "$(wc -l < $work/contents)" -ge 30 ]
sort $work/contents | uniq -d > $work/twice; holds "a tag is named once in the contents" $work/twice
sort $work/banners | uniq -d > $work/twice; holds "a tag has one section" $work/twice
sort -u $work/contents > $work/a; sort -u $work/banners > $work/b
comm -23 $work/a $work/b > $work/only; holds "every tag of the contents has a section" $work/only
comm -13 $work/a $work/b > $work/only; holds "every section is in the contents" $work/only
diff $work/contents $work/banners > $work/only; holds "the contents (<) are in the order of the file (>)" $work/only
holds "every section opens with a box" $work/boxes

# the part that the contents give each tag, and the part in which it stands
awk '/^ +[0-9]+  WHERE THINGS ARE/ { on = 1; next } on && /Shape letters/ { exit }
    on {
        if ($1 !~ /^>>/) { part = $1 }
        while (match($0, />>[a-z][a-z0-9-]*/)) {
            print part, substr($0, RSTART + 2, RLENGTH - 2)
            $0 = substr($0, RSTART + RLENGTH)
        }
    }' \
    "$file" > $work/a
awk 'BEGIN { part = "declarations" }
    /^\/\* +IMPLEMENTATION +\*\/$/ { part = "foundations" }
    /^\/\*  PART [IVX]+ / { part = $3 }
    /^#endif \/\* SSLH_IMPLEMENTATION/ { part = "end" }
    /^\/\*  >>[a-z]/ { print part, substr($2, 3) }' "$file" > $work/b
diff $work/a $work/b > $work/only; holds "the contents (<) give each section its part (>)" $work/only

# --- every tag that is mentioned is there ---
{ echo "$file"; find README.md docs examples tests -name '*.md' -o -name '*.[ch]' -o -name '*.sh' -o -name '*.py'; } |
    sort -u > $work/files
while read -r f; do
    awk -v f="$f" 'function ends(s) { return s == "" || index(" (`\"*/'"'"',", substr(s, length(s))) }
        { s = $0; before = ""
          while (match(s, />>[a-z][a-z0-9-]*/)) {
              if (ends(before substr(s, 1, RSTART - 1))) print substr(s, RSTART + 2, RLENGTH - 2), f ":" FNR
              before = substr(s, 1, RSTART + RLENGTH - 1); s = substr(s, RSTART + RLENGTH) } }' "$f"
done < $work/files > $work/mentions
check "tags are mentioned" [ "$(wc -l < $work/mentions)" -ge 50 ]
sort -u $work/banners > $work/b
awk 'NR == FNR { there[$1] = 1; next } !($1 in there) { print ">>" $1 " is no section: " $2 }' $work/b \
    $work/mentions > $work/only
holds "every tag that is mentioned exists" $work/only

# --- the parts ---
awk 'function bar(s) { return length(s) == 120 && s ~ /^\/\* #+ \*\/$/ }
    { line[NR] = $0 }
    END {
        for (n = 2; n < NR; n++)
            if (line[n] ~ /^\/\*  PART [IVX]+ / && bar(line[n - 1]) && bar(line[n + 1])) {
                split(line[n], w, " ")
                print w[3]
            }
    }' \
    "$file" > $work/parts
parts=$(tr '\n' ' ' < $work/parts)
check "parts I, II, III, IV in this order: $parts" [ "$parts" = "I II III IV " ]
awk '/^\/\* +IMPLEMENTATION +\*\/$/ { begin = NR } /^\/\*  >>rotation / { first = NR }
    END { if (!begin || !first || first < begin) print "no implementation or no >>rotation in it"
          else if ((first - begin) * 10 > NR - begin)
              print "line " first ": " first - begin " of " NR - begin " lines of the implementation stand before it"
    }' \
    "$file" > $work/only
holds "the first method (>>rotation) stands in the first tenth of the implementation" $work/only
awk '/^#if/ { depth++; at[depth] = NR; what[depth] = $0 }
    /^\/\*  (>>[a-z]|PART )/ {
        for (i = 1; i <= depth; i++)
            if (what[i] !~ /SSLH_INCLUDE_SSL_H|SSLH_IMPLEMENTATION|SSLH_I_INNER/ && NR - at[i] > 4)
                print "line " NR ": " $2 " is inside line " at[i] ": " what[i] }
    /^#endif/ { depth-- }' "$file" > $work/only
holds "no section is inside an #if of another" $work/only

# --- sizes ---
manual=$(awk '/^#/ { print NR - 1; exit }' "$file")
steps=$(awk '/^ +-+$/ { print NR - 1; exit } /^#/ { exit }' "$file")
check "the manual has at most 600 lines ($manual)" [ "$manual" -le 600 ]
check "title and first steps have at most 25 lines (${steps:-none})" [ "${steps:-99}" -le 25 ]
# lines: of ssl.h, tests, examples and scripts, but not of files that a script wrote, which their first line says
{ echo "$file"; grep -E '\.(c|h|sh)$' $work/files; } | sort -u | while read -r f; do
    awk -v f="$f" 'FNR == 1 && /^\/\* (Made|Written) by tests\/[^ ]*\.py/ { exit }
        length($0) > 120 { print f ":" FNR ": " length($0) " columns" }
        f ~ /ssl\.h$/ && /[^ -~]/ { print f ":" FNR ": a character outside of ASCII, or a tab" }' "$f"
done > $work/only
holds "lines have at most 120 columns, and those of ssl.h are ASCII" $work/only
check "files are looked at for long lines" [ "$(grep -c -E '\.(c|h|sh)$' $work/files)" -ge 60 ]
if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then git ls-files | cut -d/ -f1 | sort -u
else for f in *; do [ "$f" = build ] || [ "$f" = out ] || echo "$f"; done; fi |
    grep -v -x -E 'ssl\.h|examples|tests|docs|Makefile|README\.md|LICENSE|\..*' > $work/only
holds "nothing else at the top" $work/only
result
