#!/bin/sh
# All stages of `make test`, one after the other; `sh tests/run.sh long` adds the slow ones, `sh tests/run.sh STAGE ..`
# runs only the stages named. Prints the seconds of each stage and, as the last line, "N passed, N failed".
# A missing tool is skipped by name; under SSLH_TEST_STRICT=1 that is a failure.
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-cc}; CFLAGS=${CFLAGS:--O2}; LDLIBS=${LDLIBS:--lm -lpthread}; MAKE=${MAKE:-make}
export CC CFLAGS LDLIBS MAKE
unset MAKEFLAGS MFLAGS MAKELEVEL
jobs=$( (nproc || echo 2) 2>/dev/null)
all="order unit examples pytorch onnx asan coverage fuzz tsan msan valgrind portability windows bits ranks web readme"
long=0
stages=
for a in "$@"; do
    if [ "$a" = long ]; then long=1; else stages="$stages $a"; fi
done
[ -n "$stages" ] || stages=$all
SSLH_TEST_LONG=$long; export SSLH_TEST_LONG
mkdir -p build
total_passed=0; total_failed=0
tally=build/tally; skips=build/skips; : > $skips

. tests/lib.sh

# make with the variables of a configuration: build_config folder cc cflags target..
build_config() {
    folder=$1; cc=$2; flags=$3; shift 3
    $MAKE -s -j"$jobs" B="$folder" CC="$cc" CFLAGS="$flags" LDLIBS="$LDLIBS" "$@" > "$folder.log" 2>&1
    code=$?
    if [ $code != 0 ]; then tail -n 30 "$folder.log"; fail "build of $folder"; fi
    return $code
}

# report LABEL FILE CODE SECONDS: adds the last line of a program's output to the tally; shows the output when something
# failed
report() {
    last=$(tail -n 1 "$2")
    grep -E '^(note|skipped)' "$2"
    grep -c '^skipped' "$2" >> $skips
    case $last in
    *" passed, "*" failed")
        add "$last"
        if [ "$3" != 0 ]; then grep -v -E '^(note|skipped)' "$2" | tail -n 60; fi
        case $last in *" 0 failed") [ "$3" = 0 ] || fail "$1: exit code $3";; esac ;;
    *) tail -n 60 "$2"; fail "$1: exit code $3, no result line" ;;
    esac
    printf '   %-28s %s  %s s\n' "$1" "$last" "$4"
}
program() { # program LABEL COMMAND..: runs it
    label=$1; shift
    program_start=$(now)
    "$@" > build/output.txt 2>&1
    report "$label" build/output.txt $? "$(since "$program_start")"
}
# every PREFIX FOLDER NAMES COMMAND..: COMMAND FOLDER/NAME for all names, as many at a time as there are processors; the
# largest sources, which run longest, come first, after the readers' mutants
every() {
    prefix=$1; folder=$2; list=$3; shift 3
    rm -rf build/every; mkdir -p build/every
    # shellcheck disable=SC2016
    for t in $list; do echo "$(wc -c < "tests/$(source_of "$t").c") $t"; done |
        sed 's/.* fuzz_files$/9999999 fuzz_files/' | sort -rn | cut -d ' ' -f 2 |
        xargs -P "$jobs" -I '{}' sh -c 'name=$1; shift; begin=$(date +%s); "$@" > "build/every/$name.txt" 2>&1
            echo "$? $(($(date +%s) - begin))" > "build/every/$name.end"' sh '{}' "$@" "$folder/{}"
    for t in $list; do
        read -r code seconds < "build/every/$t.end"
        report "$prefix$t" "build/every/$t.txt" "$code" "$seconds"
    done
}
source_of() { t=${1%_double}; echo "${t%_c}"; }

names() { $MAKE -s test-names; }

stage_order() { program order sh tests/order.sh; }

stage_unit() {
    build_config build "$CC" "$CFLAGS" programs || return
    every "" build/tests "$(names)" env
}

# Every example for a few seconds; what it says of a set that is not there and of an option that it does not know.
stage_examples() {
    build_config build "$CC" "$CFLAGS" examples || return
    for f in examples/*.c examples/*/*.c; do
        e=$(basename "$f" .c)
        case $e in
        bin2c) continue ;; # made the weights of embed
        first) continue ;; # the README's program: the readme stage
        [1-6]_*) continue ;; # they have no options; see tutorial
        embed) check "embed" build/examples/embed; continue ;;
        predict) continue ;; # behind the loop, of what classify has made
        mpi) # with mpirun: the stage ranks
            check "mpi alone" build/examples/mpi simclr 1 64 examples/data/test
            check "mpi names the methods" sh -c "! build/examples/mpi nothing > build/refused.txt 2>&1 &&
                grep -q 'no method .nothing. in this build; there are: rotation' build/refused.txt"
            continue ;;
        results_cifar) set -- --data examples/data; rm -f build/smoke/results.rows ;;
        *) set -- ;;
        esac
        start_example=$(now)
        check "$e --help" build/examples/"$e" --help
        check "$e --smoke" build/examples/"$e" --smoke --seed 2 --threads 2 --epochs 1 --out build/smoke "$@"
        check "$e says that a set is not there" sh -c "
            ! build/examples/$e --data build/nothing.here > build/refused.txt 2>&1 &&
            grep -q 'error: sslh_load_[a-z]*: cannot open build/nothing.here' build/refused.txt &&
            [ \$(wc -l < build/refused.txt) = 1 ]"
        check "$e refuses an unknown option" sh -c "
            ! build/examples/$e --no-such-option > build/refused.txt 2>&1 &&
            grep -q 'try --help' build/refused.txt"
        echo "   $e $(since "$start_example") s"
    done
    check "classify saves a classifier" build/examples/classify --smoke --seed 2 --epochs 1 --out build/smoke \
        --save build/smoke/classifier.safetensors --kind forest --neighbours build/smoke/neighbours.csv
    check "predict takes it" sh -c "build/examples/predict build/smoke/classifier.safetensors \
        examples/data/colour/fig.jpg 2>&1 | grep -q 'trained on 1 channels, the images have 3'"
    check "classify finds copies" sh -c "build/examples/classify --smoke --duplicates --out build/smoke |
        grep -q '^training and test: [0-9]* pairs of equal images'"
    check "vae: the plane, by convolutions and importance weights" build/examples/vae --smoke --seed 2 --threads 2 \
        --latent 2 --set "convolutions=2 maps=4 hidden=32 codes=3 binarize=1" --out build/smoke
    check "vae: the protocol of IWAE, a learned deviation" build/examples/vae --smoke --seed 2 --threads 2 --iwae 2 \
        --set "gaussian=1 learn_sigma=1" --out build/smoke
    # a row of the results that is there is not made again; another seed is another row, and so is whatever else changes
    # the numbers
    check "results_cifar leaves out what is there" sh -c "
        build/examples/results_cifar --smoke --seed 2 --epochs 1 --out build/smoke \
        --data examples/data | grep -q 'has this row'"
    check "results_cifar adds a row" build/examples/results_cifar --smoke --method raw --out build/smoke \
        --data examples/data
    for option in "--epochs 2" "--batch 64" --bfloat16; do
        # shellcheck disable=SC2086
        check "results_cifar $option is another row" sh -c "build/examples/results_cifar --smoke --seed 2 \
            --out build/smoke --data examples/data --method autoencoder $option | grep -q '^row '"
    done
    check "results_cifar: what trains nothing has no epochs" sh -c "
        build/examples/results_cifar --smoke --epochs 2 --batch 64 --method raw --out build/smoke \
        --data examples/data | grep -q 'has this row'"
    check "results_cifar wrote five rows" \
        [ "$(grep -c '^row data=examples/data .* linear=' build/smoke/results.rows)" = 5 ]
    check "the rows make a table" \
        sh -c "awk -f docs/results_table.awk build/smoke/results.rows | grep -q '^| simclr | 1 | '"
    check "pictures are there" [ "$(find build/smoke -name '*.png' | wc -l)" -ge 8 ]
    # train, interrupt, resume, probe, export, draw
    rm -rf build/smoke/p; mkdir -p build/smoke/p
    methods=$(build/examples/pretrain --methods)
    check "pretrain --methods names some" [ "$(echo "$methods" | wc -w)" -ge 4 ]
    for m in $methods; do
        check "pretrain --help $m" sh -c "build/examples/pretrain --help $m | grep -q '^weight_decay '"
        check "pretrain --method $m" build/examples/pretrain --smoke --method $m --out build/smoke/p --probe --knn \
            --draw --summary \
            --save build/smoke/p/$m.safetensors --features build/smoke/p/$m.npy
        check "pretrain --method $m: weights" [ -s build/smoke/p/$m.safetensors ]
        check "pretrain --method $m: features" [ -s build/smoke/p/$m.npy ]
    done
    check "pretrain --set" build/examples/pretrain --smoke --method simclr --set "temperature=0.2, head_out=64" \
        --set optimizer=sgd \
        --out build/smoke/p
    check "pretrain --set names the fields there are" sh -c "
        ! build/examples/pretrain --smoke --method simclr --set heat=1 \
        > build/refused.txt 2>&1 && grep -q 'has no field \"heat\"; it has temperature, ' build/refused.txt"
    for m in $methods; do
        check "pretrain loads what it saved of $m" build/examples/pretrain --smoke --load build/smoke/p/$m.safetensors \
            --knn --out build/smoke/p
    done
    # Ctrl-C: one more checkpoint, an orderly end; the continued run has the weights of one that nobody interrupted
    set -- build/examples/pretrain --smoke --method vae --epochs 80 --threads 1 --out build/smoke/p
    check "pretrain, 80 epochs" "$@" --save build/smoke/p/whole.safetensors
    "$@" --checkpoint build/smoke/p/run.safetensors --probe > build/smoke/interrupted.txt 2>&1 &
    i=0; until [ -s build/smoke/p/run.safetensors ] || [ $i = 600 ]; do sleep 0.1; i=$((i + 1)); done
    kill -INT $!
    check "interrupted: a clean end" wait $!
    check "interrupted: it says so" grep -q 'interrupted; build/smoke/p/run.safetensors holds the run' \
        build/smoke/interrupted.txt
    check "interrupted: no evaluation" sh -c '! grep -q "linear probe" build/smoke/interrupted.txt'
    check "interrupted: resumed" sh -c '"$@" > build/smoke/resumed.txt 2>&1' - "$@" \
        --checkpoint build/smoke/p/run.safetensors --resume \
        --save build/smoke/p/rest.safetensors
    check "resumed: it says where" grep -q 'vae: resumed at step [0-9]* of 1280' build/smoke/resumed.txt
    check "interrupted: the same weights" cmp build/smoke/p/whole.safetensors build/smoke/p/rest.safetensors
    check "resumed: the log goes on" [ "$(wc -l < build/smoke/p/log.csv)" = 81 ]
    "$@" --checkpoint build/smoke/p/run.safetensors --resume > build/smoke/finished.txt 2>&1
    check "a finished run says so" grep -q 'vae: this run is finished, at step 1280 of 1280' build/smoke/finished.txt
    sh tests/pretrain.sh build/examples/pretrain build/smoke
    pretrain=$?
    check "pretrain.sh" [ $pretrain = 0 ]
    check "the demo prints what it does" \
        sh -c "build/examples/simclr --smoke --epochs 1 --out build/smoke | grep -q 'lr=0.3 .*optimizer=sgd '"
    same_protocol
    small_sets
    refusals
    own_pictures
    tutorial
}

# Probes give the untrained encoder the images that they give the trained one: after a training that changes nothing
# both have the same numbers.
same_protocol() {
    check "a training that changes nothing: pretrain" sh -c "
        build/examples/pretrain --smoke --method simsiam --encoder vit --lr 1e-30 --probe --knn --out build/smoke |
        awk '/^untrained / { \$1 = \"\"; a = \$0 } /^simsiam / { \$1 = \"\"; b = \$0 }
            END { exit a == \"\" || a != b }'"
    check "a training that changes nothing: the table of the examples" sh -c "
        build/examples/jepa --smoke --lr 1e-30 --out build/smoke |
        awk '/^untrained encoder / { a = \$3 \" \" \$5 } /^I-JEPA, no labels / { b = \$4 \" \" \$6 }
            END { exit a == \"\" || a != b }'"
    check "results_cifar normalises for the untrained encoder" sh -c "
        rm -f build/smoke/untrained.rows
        for m in untrained untrained_normalised; do
            build/examples/results_cifar --smoke --method \$m --results build/smoke/untrained.rows --out build/smoke \
                --data examples/data
        done
        [ \$(sed 's/.* linear=//' build/smoke/untrained.rows | sort -u | wc -l) = 2 ]"
}

# A set of three classes in order, dark, grey and bright, whose test set lacks the first; one of few images; a film.
small_sets() {
    sets=build/smoke/sets; rm -rf $sets; mkdir -p $sets/film/one
    for class in a b c; do
        case $class in a) digits=0-9 ;; b) digits=P-Y ;; *) digits='\240-\251' ;; esac
        for part in train test; do
            [ $part$class = testa ] && continue
            mkdir -p $sets/three/$part/$class
            for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
                { printf 'P5 16 16 255\n'; printf '%0256d' $((i * i * i)) | tr 0-9 "$digits"; } \
                    > $sets/three/$part/$class/$i.pgm
            done
        done
    done
    check "gan: classes of both sets by name" sh -c "
        build/examples/gan --data $sets/three --smoke --epochs 1 --out build/smoke |
        grep -q 'raw pixels 100.0 %, untrained discriminator 100.0 %'"
    check "autoencoder: the test images stay what they are" sh -c "
        build/examples/autoencoder --data $sets/three --smoke --out build/smoke |
        grep -q '^54 training and 40 test images'"
    check "--images of a set in the order of its classes" sh -c "
        build/examples/pretrain --data $sets/three --images 21 --method vae --epochs 1 --probe --out build/smoke |
        grep -q 'raw pixels *linear probe 100.0 %'"
    check "jepa with few test images" sh -c "
        build/examples/jepa --data $sets/three/test --smoke --out build/smoke > build/few.txt 2>&1 &&
        grep -q '^I-JEPA, no labels *[0-9]' build/few.txt"
    for e in autoencoder barlow byol classify context cpc2 dino gan inpainting jigsaw mae nnclr rotation \
        simclr simsiam supcon swav vae vicreg; do
        check "$e with few test images" build/examples/$e --data $sets/three/test --smoke --out build/smoke
    done
    # 24 windows: the last four are the test; the four before them, which have frames in common with it, are left out
    i=0
    while [ $i -lt 110 ]; do
        { printf 'P5 16 16 255\n'; printf '%0256d' $((i * i * i)); } > "$sets/film/one/$(printf '%03d' $i).pgm"
        i=$((i + 1))
    done
    check "video: no frame is in the training and in the test" sh -c "
        build/examples/video --film $sets/film --smoke --no-order --out build/smoke |
        grep -q '^16 clips of 18 frames, .*; 4 test clips'"
    check "a tenth of each label is the test of sound" sh -c "
        build/examples/pretrain --method cpc --dry-run --out build/smoke |
        grep -q '^450 clips to learn from, 50 held out: a tenth of each label'"
}

# What is no number, what would be ignored, and what cannot be written is refused before the training.
refusals() {
    # refuses SENTENCE PROGRAM OPTIONS..
    refuses() {
        sentence=$1 program=$2; shift 2
        check "$program $* is refused" sh -c '
            program=$1 sentence=$2; shift 2
            ! "$program" --smoke "$@" > build/refused.txt 2>&1 && grep -q -e "$sentence" build/refused.txt &&
            ! grep -q "loss " build/refused.txt' - build/examples/$program "$sentence" "$@"
    }
    refuses '"0,1" is no number above 0' jigsaw --lr 0,1
    refuses '"abc" is no number above 0' nnclr --temperature abc
    refuses '"0" is no number above 0' mae --lr 0
    refuses '"1e3" is not a whole number' supcon --few 1e3
    refuses 'at least 1' mae --labels 0
    refuses '1 to 100' mae --labels 101
    refuses 'at least 1' byol --epochs 0
    refuses '"2" is no number above 0, at most 1' gpt --top-p 2
    refuses '--images is an option for images' gpt --images 3
    refuses '--size is an option for images' fill_mask --size 3
    refuses '--test is an option for images' pretrain --method cpc --test examples/data/speech
    refuses '--crops is for clips' video --film build/smoke/sets/film --crops
    refuses 'too few to keep some' video --film build/smoke/sets/three/train
    for e in autoencoder barlow byol classify colorization context cpc2 dino gan inpainting inside jepa jigsaw mae \
        moco nnclr pretrain results_cifar robust rotation simclr simsiam supcon swav vae vicreg video; do
        refuses '--out: file build/smoke/nodir/x/.*: cannot be written' $e --data examples/data \
            --out build/smoke/nodir/x
    done
}

# The programs of docs/tutorial.md, in their order: short, and they print what the page shows, but for numbers, which
# differ from processor to processor, and for the neighbours that depend on them.
tutorial() {
    rm -rf build/tutorial; mkdir -p build/tutorial; ln -s ../../examples build/tutorial/examples
    words='s/[0-9][0-9.]*/0/g; s/  */ /g; /is most like/d'
    for f in examples/tutorial/*.c; do
        e=$(basename "$f" .c) number=$(basename "$f" | cut -d_ -f1)
        check "tutorial $e has at most 60 lines" [ "$(wc -l < "$f")" -le 60 ]
        check "tutorial $e" sh -c "cd build/tutorial && ../examples/$e > $e.txt 2> $e.err"
        sed "$words" "build/tutorial/$e.txt" > build/tutorial/is.txt
        tail -n +4 "docs/printed/tutorial-$number.txt" | sed "$words" > build/tutorial/shown.txt
        check "tutorial $e prints what the page shows" diff build/tutorial/shown.txt build/tutorial/is.txt
    done
    check "6_deploy names the program that makes its encoder" sh -c "
        cd build/tutorial && rm -f encoder.safetensors && ! ../examples/6_deploy 2> said.txt &&
        grep -q '(3_pretrain makes the encoder)' said.txt"
    check "5_data takes a folder of one's own" sh -c "
        cd build/tutorial && ../examples/5_data ../smoke/sets/three/train 2> said.txt |
        grep -q 'in 3 classes: 48 to train'"
}

# pretrain on a folder of one's own: pictures of several sizes, class folders with odd names, eight images, a bare name.
own_pictures() {
    own=build/smoke/own; rm -rf $own; mkdir -p $own/pets/ant "$own/pets/bee, \"wild\"" $own/few
    i=0
    for f in build/smoke/*.png build/smoke/p/*.png; do
        i=$((i + 1)); class=ant; [ $((i % 2)) = 0 ] && class='bee, "wild"'
        [ $i -le 12 ] && cp "$f" "$own/pets/$class/a $i.png"
        [ $i -le 8 ] && cp "$f" $own/few/$i.png
    done
    cat > $own/run.cfg <<'END'
# the settings of a run
data pets
size 16
epochs=1
--optimizer sgd
lr 0.05   # its rate
crop 0.5
END
    run=$(pwd)/build/examples/pretrain
    # shellcheck disable=SC2016
    check "pretrain on own pictures" sh -c 'cd "$0" &&
        "$1" --config run.cfg --weight-decay 0.001 --knn --probe --finetune --fraction 0.5 --draw \
        --features f.csv --predict p.csv --out out > said.txt 2>&1' $own "$run"
    check "own pictures: what was loaded is said" \
        grep -q 'training and .* test images (held out), 16 x 16, .*, 2 classes: ant, bee, "wild"$' $own/said.txt
    check "own pictures: the file of settings counts" \
        grep -q 'epochs=1 .*lr=0.05 .*optimizer=sgd .*weight_decay=0.001' $own/said.txt
    check "own pictures: fine-tuned" grep -q 'fine-tuned .* %' $own/said.txt
    check "own pictures: features" grep -q '^file,label,f0,f1,' $own/f.csv
    check "own pictures: names in quotes" grep -q '^"pets/bee, ""wild""/a [0-9]*.png","bee, ""wild""",[0-9]' $own/f.csv
    check "own pictures: predictions" grep -q '^"pets/bee, ""wild""/a [0-9]*.png","bee, ""wild""",".*",[0-9]*$' \
        $own/p.csv
    check "own pictures: neighbours are drawn" [ -s $own/out/neighbours.png ]
    for m in simclr mae rotation; do
        check "eight images: $m" sh -c "cd $own && '$run' --data few --size 16 --method $m --epochs 1 --draw --out out"
    done
    check "eight images: a queue that is too long" sh -c "
        ! '$run' --data $own/few --size 16 --method moco > build/refused.txt 2>&1 &&
        grep -q 'set .queue to' build/refused.txt"
    rm -f $own/few/[4-8].png
    check "three images are too few" sh -c "
        ! '$run' --data $own/few --size 16 > build/refused.txt 2>&1 &&
        grep -q ' [1-3] images are too few' build/refused.txt"
    check "a name that is nowhere" sh -c "! '$run' --data nowhere > build/refused.txt 2>&1 &&
        grep -q 'error: --data nowhere: there is no such' build/refused.txt && ! grep -q shared build/refused.txt"
    check "--crop without views" sh -c "
        ! '$run' --method vae --crop 0.5 > build/refused.txt 2>&1 &&
        grep -q -e '--set views=simclr:0.5' build/refused.txt"
    check "--config that is not there" sh -c "
        ! '$run' --config nowhere > build/refused.txt 2>&1 &&
        grep -q 'nowhere: this file cannot be read' build/refused.txt"
}

# AddressSanitizer, UndefinedBehaviorSanitizer and leaks
stage_asan() {
    flags="-O0 -g -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer"
    if ! compiles "$CC" "$flags"; then skip asan "$CC has no -fsanitize=address,undefined"; return; fi
    list=
    for t in $(names); do # in the long run all; those left out take half of the time and share most code with others
        case $t in
        train|bits|pictures|kernels_c|*_double) [ $long = 1 ] || continue ;;
        esac
        list="$list $t"
    done
    # shellcheck disable=SC2046
    build_config build/asan "$CC" "$flags" $(for t in $list; do echo "build/asan/tests/$t"; done) || return
    every "asan " build/asan/tests "$list" env SSLH_TEST_SMALL=1
}

# libFuzzer on every reader, seconds each; the samples are those of tests/fuzz_files.c.
stage_fuzz() {
    fuzz_flags="-std=c99 -g -O0 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all"
    fuzz_flags="$fuzz_flags -DSSLH_LIBFUZZER -DSSLH_WITH_SIMD=0"
    rm -rf build/fuzz; mkdir -p build/fuzz/tmp
    echo 'int LLVMFuzzerTestOneInput(const unsigned char *p, unsigned long n) { return p == 0 && n; }' \
        > build/fuzz/has.c
    if ! have clang || ! clang -fsanitize=fuzzer,address,undefined build/fuzz/has.c -o build/fuzz/has 2>/dev/null; then
        skip fuzz "clang is not installed, or without libFuzzer"; return
    fi
    build_config build "$CC" "$CFLAGS" build/tests/fuzz_files || return
    # shellcheck disable=SC2086
    if ! clang $fuzz_flags -I. -Itests tests/fuzz_files.c -o build/fuzz/fuzz $LDLIBS > build/fuzz/build.log 2>&1; then
        tail -n 12 build/fuzz/build.log; fail "build of the fuzzer"; return
    fi
    build/tests/fuzz_files samples build/fuzz
    seconds=2; [ $long = 1 ] && seconds=30
    n=0
    fuzz_targets=$(build/tests/fuzz_files targets)
    for t in $fuzz_targets; do
        ( SSLH_FUZZ=$t TMPDIR=build/fuzz/tmp build/fuzz/fuzz build/fuzz/"$t" \
            -max_total_time=$seconds -seed=1 -max_len=20000 -timeout=60 \
            -artifact_prefix=build/fuzz/"$t"- > build/fuzz/"$t".log 2>&1; echo $? > build/fuzz/"$t".code ) &
        n=$((n + 1))
        [ $((n % jobs)) = 0 ] && wait
    done
    wait
    for t in $fuzz_targets; do
        if [ "$(cat build/fuzz/"$t".code)" = 0 ] && grep -q '^Done [1-9]' build/fuzz/"$t".log; then pass
        else tail -n 30 build/fuzz/"$t".log; fail "fuzz $t (input: build/fuzz/$t-*)"; fi
    done
    runs=$(cat build/fuzz/*.log | awk '/^Done/ { n += $2 } END { print n + 0 }')
    echo "   $(echo "$fuzz_targets" | wc -w) targets, $runs runs"
}

stage_tsan() {
    flags="-O0 -g -fsanitize=thread"
    if ! compiles "$CC" "$flags"; then skip tsan "$CC has no -fsanitize=thread"; return; fi
    list=
    for t in $(names); do # what computes with threads
        case $t in
        core|ops|train|methods|bits|optim) ;;
        fuzz_files|files|paths|faults|processors|pictures|terminal|*_double) continue ;; # run in one
        *) [ $long = 1 ] || continue ;;
        esac
        list="$list $t"
    done
    # shellcheck disable=SC2046
    build_config build/tsan "$CC" "$flags" $(for t in $list; do echo "build/tsan/tests/$t"; done) || return
    every "tsan " build/tsan/tests "$list" env SSLH_TEST_LONG=0 \
        TSAN_OPTIONS="halt_on_error=1 die_after_fork=0 $TSAN_OPTIONS" SSLH_TEST_SMALL=1
}

# What valgrind runs within minutes.
quick_under_valgrind="ops core nets shapes sequences audio views losses weights data defaults advice terminal"
# Values that nobody has set, in all other programs, with the portable kernels: what valgrind finds, several times as
# fast.
stage_msan() {
    flags="-O1 -g -fsanitize=memory -fno-sanitize-recover=all -DSSLH_WITH_SIMD=0"
    [ $long = 1 ] || return
    if ! have clang || ! compiles clang "$flags"; then skip msan "no clang with -fsanitize=memory"; return; fi
    list=
    for t in $(names); do
        case " $quick_under_valgrind " in *" $t "*) ;; *) list="$list $t" ;; esac
    done
    # shellcheck disable=SC2046
    build_config build/msan clang "$flags" $(for t in $list; do echo "build/msan/tests/$t"; done) || return
    every "msan " build/msan/tests "$list" env SSLH_TEST_LONG=0 SSLH_TEST_SMALL=1
}

# The kernels of this processor. Of all programs only those that it runs within minutes.
stage_valgrind() {
    if ! have valgrind; then skip valgrind "valgrind is not installed"; return; fi
    build_config build "$CC" "$CFLAGS" programs || return
    list="ops core"
    [ $long = 1 ] && list=$quick_under_valgrind
    every "valgrind " build/tests "$list" env SSLH_TEST_LONG=0 SSLH_TEST_SMALL=1 valgrind -q --error-exitcode=9 \
        --leak-check=full --errors-for-leak-kinds=definite
}

# Share of the statements of ssl.h that the programs run, the double build included: a line counts as run when one build
# of it ran (the SIMD passes compile the same lines several times). Beside a sanitizer the counters, which all threads
# write, would make it three times as slow.
stage_coverage() {
    [ $long = 1 ] || return
    if ! have gcov || ! compiles gcc "-O0 --coverage"; then skip coverage "gcc or gcov is not installed"; return; fi
    find build/coverage -name '*.gcda' -exec rm -f {} + 2>/dev/null
    build_config build/coverage gcc "-O0 -g --coverage" programs || return
    every "coverage " build/coverage/tests "$(names)" env SSLH_TEST_LONG=0 SSLH_TEST_SMALL=1
    find build/coverage -name '*.gcda' | while read -r o; do gcov -t -o "$(dirname "$o")" "$o" 2>/dev/null; done |
        awk -F: '$2 + 0 == 0 && $3 == "Source" { ours = $4 ~ /(^|\/)ssl\.h$/ }
            ours && $2 + 0 > 0 {
                n = $2 + 0; s = $1; gsub(/[ *]/, "", s)
                if (s != "-") { seen[n] = 1; if (s !~ /^[#=]/) run[n] = 1 }
            }
            END { for (n in seen) print n, n in run }' | sort -n > build/coverage.txt
    awk '!$2 { print $1 }' build/coverage.txt > build/missed.txt # the lines that did not run
    percent=$(awk '{ r += $2 } END { printf "%.2f", NR ? 100 * r / NR : 0 }' build/coverage.txt)
    missed=$(wc -l < build/missed.txt)
    echo "   statement coverage of ssl.h: $percent % ($missed of $(wc -l < build/coverage.txt) lines were not run)"
    if [ "$(echo "$percent" | awk '{ print ($1 >= 90) }')" = 1 ]; then pass
    else fail "statement coverage $percent % is below 90 %"; fi
}

stage_portability() { program portability sh tests/portability.sh; }
# The branches for Windows, in narrow registers (gcc) under wine; in the long run every program.
stage_windows() {
    win=x86_64-w64-mingw32-gcc-posix
    if ! have $win || ! have wine; then skip windows "$win or wine is not installed"; return; fi
    list="bits core data files"
    [ $long = 1 ] && list=$(names)
    # shellcheck disable=SC2046
    (LDLIBS=-lm; build_config build/windows $win "$CFLAGS" $(for t in $list; do echo "build/windows/tests/$t"; done)) ||
        return
    WINEDEBUG=-all wine cmd /c exit > /dev/null 2>&1 # its first start makes a folder, before several start at once
    every "windows " build/windows/tests "$list" env SSLH_TEST_SMALL=1 sh tests/wine.sh
}
stage_bits() { program bits sh tests/bits.sh; }
# Ranks that are processes, on this one machine: what several compute is what one computes.
stage_ranks() {
    [ $long = 1 ] || return
    for tool in mpicc mpirun; do
        have $tool || { skip ranks "$tool is not installed (libopenmpi-dev, openmpi-bin)"; return; }
    done
    build_config build "$CC" "$CFLAGS" build/tests/ranks_mpi build/tests/ranks_mpi_double build/examples/mpi_ranks \
        build/examples/mpi || return
    # as root, and with more ranks than processors
    OMPI_ALLOW_RUN_AS_ROOT=1; OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; OMPI_MCA_rmaps_base_oversubscribe=1
    export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe
    for n in 1 2 4; do
        program "float, $n ranks" mpirun -n $n build/tests/ranks_mpi
        program "double, $n ranks" mpirun -n $n build/tests/ranks_mpi_double
    done
    RANKS_DIE=1 timeout 60 mpirun -n 2 build/tests/ranks_mpi killed > build/killed.txt 2>&1
    killed=$?
    case $killed in 0 | 124) fail "a rank that was killed: mpirun's code is $killed" ;; *) pass ;; esac
    check "mpirun says that it was killed" grep -q "signal 9" build/killed.txt
    few=examples/data/test # of the images, and of the text
    head -c 100000 examples/data/text/austen.txt > build/few.txt
    check "examples/use/mpi.c alone" sh -c "build/examples/mpi vae 1 256 $few | grep -q 'linear probe'"
    for m in simclr moco vae bert; do
        [ $m = bert ] && few=build/few.txt
        check "examples/use/mpi.c, $m" sh -c "
            mpirun -n 2 build/examples/mpi_ranks $m 1 64 $few | grep -q 'each rank in each'"
    done
    timeout 60 mpirun -n 3 build/examples/mpi_ranks vae 1 > build/dealt.txt 2>&1
    dealt=$?
    check "a batch that cannot be dealt ends all (code $dealt)" [ $dealt = 1 ]
    check "and says so" grep -q "a batch of 256 cannot be dealt to 3 ranks" build/dealt.txt
}
# The page that trains in the browser, in a headless one.
stage_web() {
    [ $long = 1 ] || return
    echo 'int main(void) { return 0; }' > build/wasm.c
    if ! clang-19 --target=wasm32-wasi build/wasm.c -o build/wasm.wasm 2> /dev/null; then
        skip web "no clang-19 for wasm32-wasi (clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32)"; return
    fi
    for tool in node chromium; do have $tool || { skip web "$tool is not installed"; return; }; done
    build_config build "$CC" "$CFLAGS" web build/web/native || return
    program "training in the browser" node tests/web.mjs build/web build/web/native
    # what the browser saved is a file like any other
    build_config build "$CC" "$CFLAGS" build/examples/pretrain || return
    check "a program loads what the browser saved" sh -c "
        build/examples/pretrain --smoke --load build/web/simclr.safetensors --knn --out build/smoke | grep -q kNN"
}
# Weights to torchvision and back.
stage_pytorch() {
    py=
    for p in python3 /usr/bin/python3; do "$p" -c 'import torch, torchvision' 2>/dev/null && py=$p && break; done
    if [ -z "$py" ]; then skip pytorch "no Python with torch and torchvision"; return; fi
    build_config build "$CC" "$CFLAGS" build/tools/weights_tool || return
    program "weights to PyTorch and back" "$py" tests/golden/check_weights.py build/tools/weights_tool
}
# ONNX graphs by the package onnx and by ONNX Runtime.
stage_onnx() {
    py=
    for p in python3 /usr/bin/python3; do "$p" -c 'import numpy, onnx' 2>/dev/null && py=$p && break; done
    if [ -z "$py" ]; then skip onnx "no Python with numpy and onnx"; return; fi
    build_config build "$CC" "$CFLAGS" build/tools/onnx_tool || return
    program "ONNX graphs" "$py" tests/golden/check_onnx.py build/tools/onnx_tool
}
stage_readme() {
    program manual sh tests/manual.sh
    program install sh tests/install.sh
    if [ -f README.md ]; then program readme sh tests/readme.sh; fi
}

whole=$(now)
for s in $stages; do
    : > $tally
    start=$(now)
    echo "== $s"
    "stage_$s"
    p=$(awk '{ p += $1 } END { print p + 0 }' $tally); f=$(awk '{ f += $2 } END { print f + 0 }' $tally)
    total_passed=$((total_passed + p)); total_failed=$((total_failed + f))
    echo "== $s: $p passed, $f failed, $(since "$start") s"
done
seconds=$(since "$whole")
skipped=$(awk '{ n += $1 } END { print n + 0 }' $skips)
echo "== all: $((seconds / 60)) min $((seconds % 60)) s," \
    "$skipped skipped (named above; failures under SSLH_TEST_STRICT=1)"
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" = 0 ]
