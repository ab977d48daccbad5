/* Nets as ONNX graphs: the file that sslh_export_onnx writes is parsed here as Protocol Buffers. That other programs
   compute the same from it is checked by tests/golden/check_onnx.py, where they are installed. */
#include "../ssl.h"
#include "harness.h"

typedef struct span { const uint8_t *p; size_t n; } span;
/* What a file holds. */
enum { MOST = 600 };
typedef struct graph {
    span names[MOST]; /* of the input, constants and results so far */
    int  count, nodes, constants, inputs, outputs;
    char ops[MOST * 12];
    double values;    /* numbers in all constants */
    int  bad;
} graph;

static uint64_t varint(span *s) {
    uint64_t v = 0;
    int shift = 0;
    while (s->n && shift < 64) {
        const uint8_t byte = *s->p++;
        s->n--;
        v |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return v;
        shift += 7;
    }
    return v;
}
/* The next field: its number, its value for kind 0, its bytes for kind 2. 0 at the end or when it is broken. */
static int field(span *s, uint64_t *value, span *bytes, graph *g) {
    uint64_t key;
    if (!s->n) return 0;
    key = varint(s);
    *value = 0;
    memset(bytes, 0, sizeof *bytes);
    if ((key & 7) == 0) *value = varint(s);
    else {
        const size_t n = (key & 7) == 2 ? (size_t)varint(s) : (key & 7) == 5 ? 4 : (size_t)-1;
        if (n > s->n) {
            g->bad = 1;
            return 0;
        }
        bytes->p = s->p;
        bytes->n = n;
        s->p += n;
        s->n -= n;
    }
    return (int)(key >> 3);
}
static int same(span a, span b) { return a.n == b.n && !memcmp(a.p, b.p, a.n); }
static int known(const graph *g, span name) {
    int i;
    for (i = 0; i < g->count; i++) if (same(g->names[i], name)) return 1;
    return 0;
}
static int called(const graph *g, const char *text) {
    span name;
    name.p = (const uint8_t *)text;
    name.n = strlen(text);
    return known(g, name);
}
/* Is a text UTF-8? Its characters here have one or two bytes. */
static int utf8(span s) {
    size_t i;
    for (i = 0; i < s.n; i++)
        if (s.p[i] > 127 && (s.p[i] < 0xc2 || s.p[i] > 0xdf || ++i == s.n || (s.p[i] & 0xc0) != 0x80)) return 0;
    return 1;
}
static void learn(graph *g, span name) {
    CHECK(utf8(name), "a name that is not UTF-8");
    CHECK(!known(g, name), "the name '%.*s' twice", (int)name.n, (const char *)name.p);
    if (g->count < MOST) g->names[g->count++] = name;
}

/* A constant has as many bytes as its sizes say. */
static void read_constant(graph *g, span s) {
    double count = 1, bytes = 0, each = 4;
    uint64_t v;
    span b, name;
    int f;
    memset(&name, 0, sizeof name);
    while ((f = field(&s, &v, &b, g)) != 0) {
        if (f == 1) count *= (double)v;
        if (f == 2) each = v == 1 ? 4 : 8;
        if (f == 8) name = b;
        if (f == 9) bytes = (double)b.n;
    }
    CHECK(count * each == bytes, "'%.*s': %.0f numbers in %.0f bytes", (int)name.n, (const char *)name.p, count, bytes);
    learn(g, name);
    g->constants++;
    g->values += count;
}
static void read_node(graph *g, span s) {
    uint64_t v;
    span b;
    int f;
    while ((f = field(&s, &v, &b, g)) != 0) {
        if (f == 1) CHECK(known(g, b), "'%.*s' is read before it is there", (int)b.n, (const char *)b.p);
        if (f == 2) learn(g, b);
        if (f == 4) {
            const size_t used = strlen(g->ops);
            snprintf(g->ops + used, sizeof g->ops - used, "%.*s ", (int)b.n, (const char *)b.p);
        }
    }
    g->nodes++;
}
/* Constants and the input come before the nodes, whatever their order in the file. */
static void read_graph(graph *g, span s) {
    int pass, f;
    for (pass = 0; pass < 2; pass++) {
        span rest = s, b;
        uint64_t v;
        while ((f = field(&rest, &v, &b, g)) != 0) {
            if (f == 2) CHECK(utf8(b), "the name of the graph is not UTF-8");
            if (!pass && f == 5) read_constant(g, b);
            if (!pass && (f == 11 || f == 12)) {
                span name;
                uint64_t w;
                if (field(&b, &w, &name, g) == 1 && f == 11) learn(g, name);
                g->inputs += f == 11, g->outputs += f == 12;
            }
            if (pass && f == 1) read_node(g, b);
        }
    }
}
static graph *read_file(const char *path) {
    static graph g;
    static uint8_t *bytes;
    FILE *file = fopen(path, "rb");
    span s, b;
    uint64_t v, version = 0, opset = 0;
    int f;
    memset(&g, 0, sizeof g);
    free(bytes);
    bytes = (uint8_t *)malloc(1 << 24);
    s.p = bytes;
    s.n = file ? fread(bytes, 1, 1 << 24, file) : 0;
    if (file) fclose(file);
    while ((f = field(&s, &v, &b, &g)) != 0) {
        if (f == 1) version = v;
        if (f == 7) read_graph(&g, b);
        if (f == 8) {
            span set = b, x;
            while ((f = field(&set, &v, &x, &g)) != 0) if (f == 2) opset = v;
        }
    }
    CHECK(!g.bad && version == 8 && opset == 17, "IR version %d, opset %d", (int)version, (int)opset);
    CHECK(g.inputs == 1 && g.outputs == 1 && called(&g, "input") && called(&g, "output"), "input and output");
    return &g;
}

static sslh_ctx *context(void) {
    sslh_desc d;
    memset(&d, 0, sizeof d);
    d.seed = 4;
    d.threads = 1;
    return sslh_create(d);
}
static sslh_net *small_resnet(sslh_ctx *c) {
    sslh_resnet_desc d;
    memset(&d, 0, sizeof d);
    d.width = 4;
    return sslh_resnet(c, d);
}

/* A ResNet becomes its 20 convolutions and no more: no change of the order of axes, all weights under their names. */
static void resnet_graph(void) {
    sslh_ctx *c = context();
    sslh_net *net = small_resnet(c);
    const char *path = test_temporary("net.onnx"), *op;
    sslh_onnx_desc d;
    graph *g;
    int convs = 0;
    memset(&d, 0, sizeof d);
    sslh_export_onnx(net, path, d);
    CHECK_OK(c);
    g = read_file(path);
    for (op = g->ops; (op = strstr(op, "Conv ")) != NULL; op++) convs++;
    CHECK(convs == 20, "%d convolutions", convs);
    CHECK(!strstr(g->ops, "Transpose"), "transposes: %s", g->ops);
    CHECK(called(g, "layer4.1.conv2.weight") && called(g, "bn1.running_var"), "names of parameters");
    CHECK(g->constants == 20 * 5, "%d constants", g->constants);
    { /* every number of the net, but for the 20 counters of batches */
        const sslh_net_info info = sslh_net_query(net);
        CHECK(g->values == (double)(info.params + info.states - 20), "%.0f numbers", g->values);
    }
    (void)test_remove(path);
    sslh_destroy(c);
}

/* A ViT's class token and positions are constants; a GPT's mask is one. */
static void transformer_graphs(void) {
    sslh_ctx *c = context();
    const char *path = test_temporary("net.onnx");
    sslh_onnx_desc d;
    sslh_vit_desc v;
    sslh_transformer_desc t;
    graph *g;
    memset(&d, 0, sizeof d), memset(&v, 0, sizeof v), memset(&t, 0, sizeof t);
    v.image = 16, v.width = 12, v.depth = 2;
    sslh_export_onnx(sslh_vit(c, v), path, d);
    CHECK_OK(c);
    g = read_file(path);
    CHECK(strstr(g->ops, "Expand") && strstr(g->ops, "LayerNormalization") && strstr(g->ops, "Erf"), "%s", g->ops);
    CHECK(called(g, "batch_size") && called(g, "blocks.1.attn.qkv.weight.transposed"), "names");
    CHECK(!called(g, "pos_embed"), "positions that nothing reads as they are");
    t.vocabulary = 30, t.length = 8, t.width = 12, t.depth = 1, t.heads = 2;
    sslh_export_onnx(sslh_transformer(c, t), path, d);
    CHECK_OK(c);
    g = read_file(path);
    CHECK(!strncmp(g->ops, "Gather Add ", 11) && called(g, "wte.weight"), "%s", g->ops);
    (void)test_remove(path);
    sslh_destroy(c);
}

/* The net stays as it was: weights, mode, gradients, random numbers; and no memory is kept. */
static void leaves_no_trace(void) {
    sslh_ctx *c = context(), *other = context();
    sslh_net *net = small_resnet(c), *frozen = small_resnet(c);
    const char *path = test_temporary("net.onnx");
    sslh_onnx_desc d;
    uint64_t before, stream;
    size_t bytes;
    memset(&d, 0, sizeof d);
    sslh_freeze(frozen, 1);
    sslh_export_onnx(net, path, d); /* the heap of steps has its size from now on */
    before = sslh_hash(net);
    bytes = sslh_query(c).bytes;
    stream = sslh_next_stream(c);
    sslh_export_onnx(net, path, d);
    sslh_no_grad(c, 1);
    sslh_export_onnx(net, path, d);
    sslh_no_grad(c, 0);
    CHECK_OK(c);
    CHECK(sslh_next_stream(c) == stream + 1, "random streams were used up");
    CHECK(sslh_hash(net) == before && sslh_is_training(net), "weights or mode");
    CHECK(sslh_query(c).bytes == bytes, "%.0f bytes are left", (double)(sslh_query(c).bytes - bytes));
    sslh_hash(frozen);
    bytes = sslh_query(c).bytes;
    sslh_export_onnx(frozen, path, d);
    CHECK(sslh_net_query(frozen).frozen && sslh_query(c).bytes == bytes, "a frozen net");
    d.head = small_resnet(other);
    sslh_export_onnx(net, path, d);
    CHECK_ERROR(c, "sslh_export_onnx: .head belongs to another context");
    (void)test_remove(path);
    sslh_destroy(other);
    sslh_destroy(c);
}

/* What has no form in ONNX is an error that names it, and writes no file. */
static sslh_tensor *by_value(sslh_net *net, sslh_tensor *x, const void *self) {
    sslh_ctx *c = sslh_net_ctx(net);
    const int kind = *(const int *)self;
    sslh_tensor *y = sslh_mul(c, x, sslh_param(net, 0)), *gate;
    if (kind == 0) return sslh_cumsum(c, y, 1);
    if (kind == 1) { /* a mask that depends on the input by an operation without a gradient */
        gate = sslh_greater(c, x, sslh_scalar(c, 0.4f));
        return sslh_mul(c, y, gate);
    }
    if (kind == 2) return sslh_slice(c, y, 0, 0, 1); /* the first sample only */
    if (kind == 3) return x->shape[0] == 2 ? sslh_relu(c, y) : sslh_tanh(c, y);
    return sslh_param(net, 0);
}
static void refusals(void) {
    static const char *const why[] = {"sslh_cumsum: this operation cannot be exported",
                                      "it reads a value that depends on the input by an operation without a gradient",
                                      "has not a row for each sample", "takes other steps for 2 samples than for 3",
                                      "does not depend on its input"};
    sslh_ctx *c = context();
    const char *path = test_temporary("none.onnx");
    sslh_onnx_desc d;
    sslh_conv_gru_desc g;
    int kind;
    memset(&d, 0, sizeof d), memset(&g, 0, sizeof g);
    for (kind = 0; kind < 5; kind++) {
        sslh_net_desc n;
        sslh_net *net;
        FILE *f;
        memset(&n, 0, sizeof n);
        n.name = "mine", n.forward = by_value, n.self = &kind, n.self_size = sizeof kind, n.width = 3;
        net = sslh_net_new(c, n);
        sslh_param_new(net, "gain", sslh_dim1(3), SSLH_INIT_ONE, 0);
        d.input = sslh_dim2(1, 3);
        sslh_export_onnx(net, path, d);
        CHECK_ERROR(c, why[kind]);
        f = fopen(path, "rb");
        CHECK(!f, "a file was written");
        if (f) fclose(f);
        memset(&d, 0, sizeof d);
        sslh_export_onnx(net, path, d);
        CHECK_ERROR(c, "the net 'mine' does not say what it takes: give .input");
    }
    sslh_export_onnx(sslh_conv_gru(c, g), path, d);
    CHECK_ERROR(c, "give .input");
    d.input = sslh_dim3(1, 400, 1);
    sslh_export_onnx(sslh_conv_gru(c, g), path, d);
    CHECK_ERROR(c, "this operation cannot be exported");
    d.input = sslh_dim4(1, 32, -1, 3);
    sslh_export_onnx(small_resnet(c), path, d);
    CHECK_ERROR(c, "sslh_export_onnx: .input");
    memset(&d, 0, sizeof d);
    d.tap = "layer9";
    sslh_export_onnx(small_resnet(c), path, d);
    CHECK_ERROR(c, "sslh_export_onnx: sslh_forward: the net 'resnet' has no intermediate result 'layer9'");
    d.tap = NULL;
    sslh_export_onnx(small_resnet(c), "nowhere/net.onnx", d);
    CHECK_ERROR(c, "sslh_export_onnx");
    sslh_destroy(c);
}

/* Names of parameters that the graph uses itself, or that are not UTF-8, are replaced. */
static sslh_tensor *times_all(sslh_net *net, sslh_tensor *x, const void *self) {
    int i;
    (void)self;
    for (i = 0; i < 5; i++) x = sslh_scale(sslh_net_ctx(net), sslh_mul(sslh_net_ctx(net), x, sslh_param(net, i)), 2);
    return x;
}
static void odd_names(void) {
    static const char *const odd[5] = {"x:4", "c:8", "\xff\xfe", "input", "plain \xc3\xa9"};
    sslh_ctx *c = context();
    const char *path = test_temporary("net.onnx");
    sslh_onnx_desc d;
    sslh_net_desc n;
    sslh_net *net;
    graph *g;
    int i;
    memset(&d, 0, sizeof d), memset(&n, 0, sizeof n);
    n.name = "\xe9t\xe9", n.forward = times_all, n.width = 3;
    net = sslh_net_new(c, n);
    for (i = 0; i < 5; i++) sslh_param_new(net, odd[i], sslh_dim1(3), SSLH_INIT_ONE, 0);
    d.input = sslh_dim2(1, 3);
    sslh_export_onnx(net, path, d);
    CHECK_OK(c);
    g = read_file(path);
    CHECK(g->constants == 10 && g->nodes == 11 && called(g, odd[4]), "%d constants, %d nodes", g->constants, g->nodes);
    (void)test_remove(path);
    sslh_destroy(c);
}

/* Without memory there is an error, whichever allocation fails, and the next export succeeds. */
static void no_memory(void) {
    test_memory m;
    sslh_desc d;
    sslh_onnx_desc o;
    sslh_convnet_desc n;
    const char *path = test_temporary("net.onnx");
    sslh_ctx *c;
    sslh_net *net;
    long fail, tried = 0;
    memset(&m, 0, sizeof m), memset(&d, 0, sizeof d), memset(&o, 0, sizeof o), memset(&n, 0, sizeof n);
    d.threads = 1, d.alloc = test_alloc, d.release = test_release, d.user = &m;
    n.widths[0] = 4, n.widths[1] = 4;
    c = sslh_create(d);
    net = sslh_convnet(c, n);
    sslh_hash(net);
    for (fail = 1; fail < 4000; fail++) {
        int failed;
        m.fail_at = m.calls + fail;
        sslh_export_onnx(net, path, o);
        failed = sslh_error(c) != NULL;
        m.fail_at = 0;
        sslh_clear_error(c);
        if (!failed) break;
        tried++;
        CHECK(sslh_is_training(net), "allocation %ld: the mode", fail);
    }
    CHECK(tried > 10 && fail < 4000, "%ld allocations failed", tried);
    (void)test_remove(path);
    sslh_destroy(c);
    CHECK(m.live == 0, "%ld blocks are left", m.live);
}

TESTS_BEGIN
    TEST(resnet_graph)
    TEST(transformer_graphs)
    TEST(leaves_no_trace)
    TEST(refusals)
    TEST(odd_names)
    TEST(no_memory)
TESTS_END
