#!/bin/sh
# Compiler and linker flags for the peers of tests/bench that are installed: flags.sh CC
cc=${1:-cc}
dir=$(mktemp -d) || exit 0
trap 'rm -rf "$dir"' EXIT
# links NAME 'declaration' 'call' flags..
links() {
    printf '%s\nint main(void) { %s; return 0; }\n' "$1" "$2" > "$dir/t.c"
    shift 2
    $cc "$dir/t.c" -o "$dir/t" "$@" 2> /dev/null
}
links 'void openblas_set_num_threads(int);' 'openblas_set_num_threads(1)' -lopenblas &&
    printf ' -DBENCH_OPENBLAS -lopenblas'
# the interface of oneDNN 2
links '#include <dnnl.h>' 'dnnl_convolution_desc_t d; (void)d; dnnl_matmul_desc_init(0, 0, 0, 0, 0)' -ldnnl -lgomp &&
    printf ' -DBENCH_ONEDNN -ldnnl -lgomp'
echo
