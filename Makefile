# make              this help
# make test         all tests that need no more than a few minutes
# make test-long    the slow ones too
# Variables: CC, CFLAGS, LDLIBS; B is the folder of objects and programs.
CC     ?= cc
CFLAGS ?= -O2
LDLIBS ?= -lm -lpthread
B      ?= build
AR     ?= ar

TESTS    := $(patsubst tests/%.c,%,$(wildcard tests/*.c))
# examples/*.c and, in folders by field, examples/*/*.c; their programs all lie in build/examples
EXAMPLES := $(wildcard examples/*.c examples/*/*.c)
STD      := -std=c99

help:
	@echo "make test           unit, gradient, golden, sanitizer, portability tests (needs a C compiler; the rest is skipped by name)"
	@echo "make test-long      the slow stages too"
	@echo "make demo           SimCLR on the images in examples/data: a table against honest baselines, pictures in out/ (3 minutes)"
	@echo "make results        the table of methods on CIFAR-10: all rows, or one with METHOD=moco (some minutes each);"
	@echo "                    SEED=1 DATA=cifar10 BUDGET=1000000 (images through the encoder) OUT=out RESULTS=out/results.rows"
	@echo "make examples       builds all examples into build/examples"
	@echo "make web            build/web: trains in the browser (clang-19, lld-19, wasi-libc, libclang-rt-19-dev-wasm32)"
	@echo "make shared         the library as build/libsslh.so, for other languages"
	@echo "make bench          speed, beside OpenBLAS, oneDNN and PyTorch where they are installed (about 20 minutes)"
	@echo "make bench-quick    speed, a few cases (2 minutes)"
	@echo "make sizes          seconds of compiling, bytes of a program per method, start-up time and memory (6 minutes)"
	@echo "make docs           fills README and docs from ssl.h and from recorded outputs (docs/fill.sh)"
	@echo "make record         runs a command and keeps its output for the pages: make record NAME=demo, first, sizes, bench-PROCESSOR"
	@echo "make docs-pictures  draws the pictures of the pages anew"
	@echo "make install        ssl.h, a file for pkg-config and the pages, below PREFIX=/usr/local (DESTDIR= for packagers)"
	@echo "make release        checks that ssl.h tells one version everywhere, prints its size and digest"
	@echo "make clean"

# --- the library: ssl.h compiled once ------------------------------------------------------------------------------
$(B)/impl.c:
	@mkdir -p $(B)
	@printf '#define SSLH_IMPLEMENTATION\n#include "ssl.h"\n' > $@
$(B)/impl.o: ssl.h $(B)/impl.c
	$(CC) $(STD) $(CFLAGS) -I. -c $(B)/impl.c -o $@
$(B)/libsslh.a: $(B)/impl.o
	@rm -f $@
	$(AR) rcs $@ $(B)/impl.o
# The same as a shared library, for programs in other languages.
$(B)/libsslh.so: ssl.h $(B)/impl.c
	$(CC) $(STD) $(CFLAGS) -fPIC -shared -I. $(B)/impl.c $(LDLIBS) -o $@
shared: $(B)/libsslh.so
# A private, separate build of the same text in double precision.
$(B)/impl_double.o: ssl.h $(B)/impl.c
	$(CC) $(STD) $(CFLAGS) -DSSLH_REAL=double -I. -c $(B)/impl.c -o $@
$(B)/libsslh_double.a: $(B)/impl_double.o
	@rm -f $@
	$(AR) rcs $@ $(B)/impl_double.o

# --- the browser: build/web is a folder of static files; `python3 -m http.server -d build/web` shows it ---------------
WASMCC ?= clang-19 --target=wasm32-wasi
WEB    := $(B)/web
WEB_PAGE := $(wildcard docs/web/*.html docs/web/*.js)
web: $(WEB)/web.wasm $(WEB)/data/files.txt $(WEB_PAGE)
	cp $(WEB_PAGE) $(WEB)
$(WEB)/web.wasm: docs/web/web.c ssl.h
	@mkdir -p $(WEB)
	$(WASMCC) -mexec-model=reactor -msimd128 -O2 -Wl,-z,stack-size=1048576 -I. docs/web/web.c -o $@ -lm
$(WEB)/data/files.txt: examples/data/train/index.txt examples/data/test/index.txt
	@mkdir -p $(WEB)/data
	cp -r examples/data/train examples/data/test examples/data/LICENSE.txt $(WEB)/data
	cd $(WEB)/data && find train test -type f | sort > files.txt
# The same program for this machine, which the test compares with the browser.
$(WEB)/native: docs/web/web.c ssl.h
	@mkdir -p $(WEB)
	$(CC) $(STD) $(CFLAGS) -DWEB_NATIVE -I. docs/web/web.c $(LDLIBS) -o $@

# --- tests: tests/NAME.c becomes build/tests/NAME -------------------------------------------------------------------
# The library is an archive: a program that carries its own implementation does not pull it in. Those that do so for functions
# without instruction sets of their own are spared the SIMD passes, which take most of the compiler's time.
PLAIN := processors files paths faults weights views data losses nets pictures audio fuzz_files calls video
$(PLAIN:%=$(B)/tests/%): PLAIN_FLAGS = -DSSLH_WITH_SIMD=0 -O0
$(B)/tests/pictures $(B)/tests/views: PLAIN_FLAGS = -DSSLH_WITH_SIMD=0 $(subst -O2,-O1,$(filter -O%,$(CFLAGS)))
$(B)/tests/%: tests/%.c tests/harness.h ssl.h $(B)/libsslh.a
	@mkdir -p $(B)/tests
	$(CC) $(STD) $(CFLAGS) $(PLAIN_FLAGS) -I. -Itests $< $(B)/libsslh.a $(LDLIBS) -o $@
$(B)/tests/ops $(B)/tests/ops_double: tests/golden/ops.h
$(B)/tests/shapes $(B)/tests/shapes_double: tests/golden/shapes.h
$(B)/tests/ops $(B)/tests/ops_double $(B)/tests/shapes $(B)/tests/shapes_double: tests/op_cases.h
$(B)/tests/audio: tests/golden/audio.h
$(B)/tests/methods: tests/golden/methods.h
$(B)/tests/optim: tests/golden/optim.h
$(B)/tests/transfer: tests/golden/transfer.h
$(B)/tests/classifiers: tests/golden/classifiers.h
$(B)/tests/inside $(B)/tests/robust: tests/golden/inside.h tests/golden_net.h
$(B)/tests/tokenizers: tests/golden/tokenizers.h
$(B)/tests/files $(B)/tests/fuzz_files: tests/samples.h
$(B)/tests/paths $(B)/tests/faults: tests/faults.h
$(B)/tests/%_double: tests/%.c tests/harness.h ssl.h $(B)/libsslh_double.a
	@mkdir -p $(B)/tests
	$(CC) $(STD) $(CFLAGS) -DSSLH_REAL=double -I. -Itests $< $(B)/libsslh_double.a $(LDLIBS) -o $@
# Ranks that are processes: `mpirun -n 4 build/tests/ranks_mpi`.
MPICC ?= mpicc
$(B)/tests/ranks_mpi: tests/ranks.c tests/harness.h ssl.h $(B)/libsslh.a
	@mkdir -p $(B)/tests
	$(MPICC) $(STD) $(CFLAGS) -DRANKS_MPI -I. -Itests $< $(B)/libsslh.a $(LDLIBS) -o $@
$(B)/tests/ranks_mpi_double: tests/ranks.c tests/harness.h ssl.h $(B)/libsslh_double.a
	@mkdir -p $(B)/tests
	$(MPICC) $(STD) $(CFLAGS) -DSSLH_REAL=double -DRANKS_MPI -I. -Itests $< $(B)/libsslh_double.a $(LDLIBS) -o $@
# The portable C kernels, which a build for 64-bit x86 leaves out.
$(B)/tests/kernels_c: tests/kernels.c tests/harness.h ssl.h
	@mkdir -p $(B)/tests
	$(CC) $(STD) $(CFLAGS) -DSSLH_WITH_SIMD=0 -I. -Itests $< $(LDLIBS) -o $@
DOUBLES := ops_double shapes_double calls_double ranks_double
programs: $(TESTS:%=$(B)/tests/%) $(DOUBLES:%=$(B)/tests/%) $(B)/tests/kernels_c
test-names:
	@echo $(TESTS) $(DOUBLES) kernels_c

test:
	@CC="$(CC)" CFLAGS="$(CFLAGS)" LDLIBS="$(LDLIBS)" MAKE="$(MAKE)" sh tests/run.sh
test-long:
	@CC="$(CC)" CFLAGS="$(CFLAGS)" LDLIBS="$(LDLIBS)" MAKE="$(MAKE)" sh tests/run.sh long

# --- examples, speed, pictures --------------------------------------------------------------------------------------
# Every example is complete (cc -I. examples/images/NAME.c -lm works); here they share one compiled copy of the header,
# which saves minutes. One rule for each folder.
ONCE := -DSSLH_I_IMPLEMENTED
define example_folder
$(B)/examples/%: $(1)%.c examples/common.h $(wildcard $(1)*.h) ssl.h $(B)/libsslh.a
	@mkdir -p $(B)/examples
	$$(CC) $(STD) $$(CFLAGS) $(ONCE) -I. $$< $(B)/libsslh.a $$(LDLIBS) -o $$@
endef
$(foreach folder,$(sort $(dir $(EXAMPLES))),$(eval $(call example_folder,$(folder))))
$(B)/examples/mpi_ranks: examples/use/mpi.c ssl.h $(B)/libsslh.a
	@mkdir -p $(B)/examples
	$(MPICC) $(STD) $(CFLAGS) $(ONCE) -DUSE_MPI -I. $< $(B)/libsslh.a $(LDLIBS) -o $@
examples: $(patsubst %.c,$(B)/examples/%,$(notdir $(EXAMPLES)))
# the encoder that examples/use/embed.c carries: trained briefly on examples/data, of 8 bits, turned into a C array
$(B)/examples/encoder_weights.h: $(B)/examples/small $(B)/examples/bin2c
	$(B)/examples/small --epochs 3 --out $(B)/out
	$(B)/examples/bin2c $(B)/out/small.safetensors encoder_weights > $@
$(B)/examples/embed: examples/use/embed.c ssl.h $(B)/examples/encoder_weights.h
	$(CC) $(STD) $(CFLAGS) $(ONCE) -I. -I$(B)/examples $< $(B)/libsslh.a $(LDLIBS) -o $@
demo: $(B)/examples/simclr
	$(B)/examples/simclr --out out

# Rows that the file has are left out, a row that was broken off goes on. For the pages: RESULTS=docs/printed/results.rows
METHOD ?= all
SEED ?= 1
DATA ?= cifar10
BUDGET ?= 1000000
OUT ?= out
RESULTS ?= $(OUT)/results.rows
results: $(B)/examples/results_cifar
	@$(B)/examples/results_cifar --method $(METHOD) --seed $(SEED) --data $(DATA) --budget $(BUDGET) --out $(OUT) \
		--results $(RESULTS) --commit "$$(git log -1 --format=%h -- ssl.h examples 2>/dev/null || echo unknown)" $(RESULTS_FLAGS)

# Small programs that scripts under tests/ call.
$(B)/tools/%: tests/tools/%.c ssl.h $(B)/libsslh.a
	@mkdir -p $(B)/tools
	$(CC) $(STD) $(CFLAGS) $(ONCE) -I. $< $(B)/libsslh.a $(LDLIBS) -o $@
tools: $(B)/tools/weights_tool $(B)/tools/onnx_tool $(B)/tools/export_views $(B)/tools/simclr_run $(B)/tools/method_run

# One program, tests/bench/bench.c, with an implementation of its own: it times private kernels.
#   build/bench/bench [quick] [--threads N] [--cpu avx2] [conv/3x3_s1 ..]
BENCH_FLAGS = $(shell sh tests/bench/flags.sh "$(CC)" 2>/dev/null)
$(B)/bench/bench: tests/bench/bench.c $(wildcard tests/bench/*.h) tests/bench/flags.sh ssl.h
	@mkdir -p $(B)/bench
	$(CC) $(STD) $(CFLAGS) -I. $< $(BENCH_FLAGS) $(LDLIBS) -o $@
bench: $(B)/bench/bench
	@$(B)/bench/bench
bench-quick: $(B)/bench/bench
	@$(B)/bench/bench quick
sizes:
	@sh tests/bench/sizes.sh

docs:
	@sh docs/fill.sh
record:
	@sh docs/record.sh $(NAME)
docs-pictures: examples
	@sh docs/pictures.sh $(B)/examples

# --- installing: the header in a folder of its own, because other libraries have an ssl.h too (docs/installing.md) ----
PREFIX     ?= /usr/local
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR     ?= $(PREFIX)/lib
DOCDIR     ?= $(PREFIX)/share/doc/sslh
VERSION     = $(shell sed -n 's/^\#define SSLH_VERSION "\(.*\)"/\1/p' ssl.h)
install:
	install -d "$(DESTDIR)$(INCLUDEDIR)/sslh" "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(DOCDIR)/docs/img"
	install -m 644 ssl.h "$(DESTDIR)$(INCLUDEDIR)/sslh/ssl.h"
	printf '%s\n' 'Name: sslh' 'Description: self-supervised learning in one C header' 'Version: $(VERSION)' \
		"Cflags: -I\"$(INCLUDEDIR)\"" 'Libs: -lm -lpthread' > "$(DESTDIR)$(LIBDIR)/pkgconfig/sslh.pc"
	install -m 644 README.md LICENSE "$(DESTDIR)$(DOCDIR)"
	install -m 644 docs/*.md "$(DESTDIR)$(DOCDIR)/docs"
	install -m 644 docs/img/* "$(DESTDIR)$(DOCDIR)/docs/img"
# Removes what `make install` wrote, and folders that are empty then: DOCDIR may hold files of others.
uninstall:
	rm -f "$(DESTDIR)$(INCLUDEDIR)/sslh/ssl.h" "$(DESTDIR)$(LIBDIR)/pkgconfig/sslh.pc"
	for f in README.md LICENSE docs/*.md docs/img/*; do rm -f "$(DESTDIR)$(DOCDIR)/$$f"; done
	for d in "$(INCLUDEDIR)/sslh" "$(DOCDIR)/docs/img" "$(DOCDIR)/docs" "$(DOCDIR)"; do \
		rmdir "$(DESTDIR)$$d" 2> /dev/null || :; done
release:
	@sh tests/install.sh release

clean:
	rm -rf build

.PHONY: help shared web programs test-names test test-long examples demo results bench bench-quick sizes docs record \
	docs-pictures install uninstall release clean
.SECONDARY:
