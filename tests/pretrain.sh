#!/bin/sh
# The command line before and around a training: what is refused at once, what is said, what is kept.
#     sh tests/pretrain.sh PROGRAM FOLDER          exits with the number of failures
program=$1 out=$2/cli
rm -rf "$out"; mkdir -p "$out"
failed=0
bad() { failed=$((failed + 1)); echo "  FAIL pretrain.sh: $1"; head -n 4 "$out/said.txt"; }
run() { "$program" --threads 1 --smoke --out "$out" "$@" > "$out/said.txt" 2>&1; }
# says TEXT OPTIONS..: refuses them, with this sentence, and no step is made
says() {
    text=$1; shift
    run "$@" && bad "accepted: $*"
    grep -q -e "$text" "$out/said.txt" || bad "no sentence '$text': $*"
    grep -q 'loss ' "$out/said.txt" && bad "a step was made: $*"
    return 0
}
says '--save .*nodir/x: cannot be written' --save "$out/nodir/x"
says '--features .*nodir/x: cannot be written' --features "$out/nodir/x"
says 'there is no folder' --checkpoint "$out/nodir/x"
says 'block1' --tap nothing --knn
says '--resume needs --checkpoint' --resume
says '--force needs --checkpoint' --force
says 'only one of them' --force --resume --checkpoint "$out/x"
says 'belong to a training' --load "$out/x" --epochs 3
says '--tap needs' --tap block1
says 'leave --encoder out' --load "$out/x" --encoder vit

# --dry-run: all is said, nothing is trained
run --dry-run --method simclr --settings paper --images 128 --batch 200 --checkpoint "$out/run.safetensors" ||
    bad "dry run"
for word in '^data .* to train, .* to test, of 28 x 28 x 1' '^encoder .*convnet, [0-9]* parameters' \
    '^steps .*200 were asked for' \
    '^method .*optimizer=lars' '^estimated .* MB of memory' '^estimated .* for each epoch' '^checkpoint'; do
    grep -q "$word" "$out/said.txt" || bad "a dry run does not say '$word'"
    grep -q "$word" "$out/run.txt" || bad "run.txt does not say '$word'"
done
[ -f "$out/run.safetensors" ] && bad "a dry run wrote a checkpoint"

# a page of a run: pictures lie in it, nothing is fetched, names are text and no markup
run --method simclr --images 200 --knn --seed 3 --inside "$out/look" --report "$out/run.html" --config /dev/null ||
    bad "--inside and --report"
for picture in inside filters map_tsne map_pca neighbours views; do
    [ -s "$out/look/$picture.png" ] || bad "--inside draws no $picture.png"
done
[ "$(grep -c '<img alt=".*" src="data:image/png;base64,iVBORw0KGgo' "$out/run.html")" = 6 ] ||
    bad "pictures of --report"
grep -q '<svg viewBox' "$out/run.html" || bad "--report has no curve"
grep -q '^untrained *nearest neighbours *[0-9.]* %' "$out/run.html" || bad "--report has no results"
grep -q '^method .*temperature=0.2' "$out/run.html" || bad "--report has no settings"
grep -q 'https*://\|<script' "$out/run.html" && bad "--report would fetch or run something"
says '--report .*nodir/x: cannot be written' --report "$out/nodir/x"
mkdir -p "$out/named/<b>one" "$out/named/two"
for i in 0 1 2 3 4 5 6 7 8 9; do
    { printf 'P5 8 8 255\n'; printf '%064d' $i; } > "$out/named/<b>one/$i.pgm"
    { printf 'P5 8 8 255\n'; printf '%063d1' $i; } > "$out/named/two/$i.pgm"
done
run --method rotation --encoder mlp --data "$out/named" --inside "$out/<i>look" --report "$out/run.html" ||
    bad "--report of a set with odd names"
grep -q '<b>one\|<i>look' "$out/run.html" && bad "a name became markup in --report"
grep -q '&lt;i&gt;look' "$out/run.html" || bad "the command is not in --report"

# a run is not overwritten by mistake; its settings and losses are kept
one() { run --method rotation --encoder mlp --checkpoint "$out/run.safetensors" "$@"; }
one || bad "a run with a checkpoint"
grep -q 'epoch 1  nearest neighbours ' "$out/said.txt" || bad "no nearest neighbours while training"
grep -q '^peak memory [0-9]* MB' "$out/said.txt" || bad "no peak memory"
[ "$(wc -l < "$out/log.csv")" = 2 ] || bad "log.csv has not two lines"
grep -q '^1,16,' "$out/log.csv" || bad "log.csv has no line of epoch 1"
cp "$out/run.safetensors" "$out/before"
says 'there is a run in it' --method rotation --encoder mlp --checkpoint "$out/run.safetensors"
cmp -s "$out/before" "$out/run.safetensors" || bad "the run was overwritten"
one --force || bad "--force"
one --resume || bad "--resume"
grep -q 'this run is finished' "$out/said.txt" || bad "a finished run does not say so"
# what is no number in the log is no point of a curve
cp "$out/log.csv" "$out/log.before"
printf '2,32,inf\n3,48,0.5\n' >> "$out/log.csv"
one --resume --report "$out/run.html" || bad "--report of a finished run"
grep -q '<svg viewBox' "$out/run.html" || bad "--report of a finished run has no curve"
grep -q '<path[^>]*nan\|<circle[^>]*nan' "$out/run.html" && bad "--report draws a loss of inf"
cp "$out/log.before" "$out/log.csv"

# class folders without a test set: a tenth of each class (of 15, 25 and 20), not the last tenth, which is one class
for class in ant bee cat; do
    case $class in ant) n=15 ;; bee) n=25 ;; *) n=20 ;; esac
    mkdir -p "$out/set/$class"
    i=0
    while [ $i -lt $n ]; do
        { printf 'P5 8 8 255\n'; printf '%064d' $i; } > "$out/set/$class/$i.pgm"
        i=$((i + 1))
    done
done
run --dry-run --data "$out/set" || bad "class folders"
grep -q 'a tenth of each class, drawn by --seed 1, is kept for it (7 of 60)' "$out/said.txt" ||
    bad "the split is not said"
grep -q '53 to train, 7 to test, of 8 x 8 x 1; 3 classes' "$out/said.txt" || bad "the split is another"

# the same images read from their files: the same run; a file that cannot be read is named, or left out with one warning
pets() { run --method rotation --encoder mlp --data "$out/set" --save "$out/$1.safetensors" --batch 16; }
pets loaded || bad "class folders, loaded"
pets() { run --method rotation --encoder mlp --data "$out/set" --stream --save "$out/$1.safetensors" --batch 16 $2; }
pets streamed || bad "class folders, --stream"
cmp -s "$out/loaded.safetensors" "$out/streamed.safetensors" || bad "--stream is another run"
grep -q '^trained with rotation: .* batch=16 ' "$out/said.txt" || bad "the settings are not said at the end"
echo damaged > "$out/set/bee/3.pgm"
says 'bee/3.pgm: byte 0: not a ' --method rotation --encoder mlp --data "$out/set" --stream --batch 16
pets streamed --skip-broken || bad "--skip-broken"
[ "$(grep -c '^warning: .*bee/3.pgm.* it is left out' "$out/said.txt")" -ge 1 ] || bad "what is left out is not said"
says '--skip-broken needs --stream' --skip-broken

# --init: weights of another program, with a classifier
if command -v python3 > "$out/which.txt"; then
    run --method rotation --encoder mlp --save "$out/ours.safetensors" || bad "--save"
    cat > "$out/others.py" <<'END'
import json, struct, sys
out = sys.argv[1]
b = open(out + "/ours.safetensors", "rb").read()
n = struct.unpack("<Q", b[:8])[0]
head, data = json.loads(b[8:8 + n]), b[8 + n:]
del head["__metadata__"]
def write(name, more):
    h, d = dict(head), data
    for key, shape in more:
        count = 1
        for v in shape: count *= v
        h[key] = {"dtype": "F32", "shape": shape, "data_offsets": [len(d), len(d) + 4 * count]}
        d += bytes(4 * count)
    j = json.dumps(h).encode()
    open(out + "/" + name + ".safetensors", "wb").write(struct.pack("<Q", len(j)) + j + d)
write("plain", [])
write("head", [("fc.weight", [1000, 256]), ("fc.bias", [1000])])
write("other", [("neck.weight", [3, 3])])
head.pop("fc1.weight")
END
    python3 "$out/others.py" "$out" || bad "others.py"
    run --dry-run --method rotation --encoder mlp --init "$out/plain.safetensors" || bad "--init"
    grep -q -- '--init .*: [0-9]* tensors read$' "$out/said.txt" || bad "--init does not say what was read"
    run --dry-run --method rotation --encoder mlp --init "$out/head.safetensors" || bad "--init with a classifier"
    grep -q -- 'tensors read, 2 of a classifier left out' "$out/said.txt" || bad "--init does not say what was left out"
    says "'neck.weight' is no part of this encoder" --method rotation --encoder mlp --init "$out/other.safetensors"
    says "does not fit the net\|no tensor of .* is of this net" --method rotation --encoder convnet \
        --init "$out/plain.safetensors"
fi
exit $failed
