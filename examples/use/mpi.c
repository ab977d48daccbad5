/* SimCLR, MoCo, a VAE or BERT by several processes, on one machine or many: N ranks compute what one computes with the
   whole batch.

     mpicc -DUSE_MPI -O2 -I. examples/use/mpi.c -o mpi -lm
     mpirun -n 4 ./mpi simclr 5
     mpirun -n 4 ./mpi bert 1 256 examples/data/text/austen.txt

   The arguments are the method (simclr, moco, vae, bert), the epochs, the batch of all ranks together, a folder of
   images (for bert a text), another one to test on and, if you want one, a checkpoint. The same program runs alone when
   it is compiled without -DUSE_MPI (cc -O2 -I. examples/use/mpi.c -o mpi -lm), or with -n 1. ssl.h links no MPI: the
   three functions below are all that it needs, and those of another library would do (docs/ranks.md). */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef USE_MPI
#include <limits.h>
#include <mpi.h>

/* What a rank has handed over, and the seconds that it has waited for the others. */
typedef struct traffic { double bytes, seconds; long calls; } traffic;

/* MPI-3 counts in int: more than INT_MAX numbers go in parts. MPI_Allreduce gives every rank the same bits in the usual
   implementations, which the library needs. */
static int all_reduce(void *user, void *values, size_t count, size_t size) {
    traffic *t = (traffic *)user;
    const double start = MPI_Wtime();
    char *p = (char *)values;
    t->bytes += (double)(count * size);
    t->calls++;
    while (count > 0) {
        const int part = count > INT_MAX ? INT_MAX : (int)count;
        if (MPI_Allreduce(MPI_IN_PLACE, p, part, size == 8 ? MPI_DOUBLE : MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD)) return 1;
        p += (size_t)part * size;
        count -= (size_t)part;
    }
    t->seconds += MPI_Wtime() - start;
    return 0;
}
static int all_gather(void *user, const void *mine, size_t bytes, void *all) {
    traffic *t = (traffic *)user;
    const double start = MPI_Wtime();
    if (bytes > INT_MAX) return 1;
    if (MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD)) return 1;
    t->bytes += (double)bytes;
    t->calls++;
    t->seconds += MPI_Wtime() - start;
    return 0;
}
static int broadcast(void *user, void *data, size_t bytes, int root) { /* few: not counted */
    (void)user;
    return bytes > INT_MAX || MPI_Bcast(data, (int)bytes, MPI_BYTE, root, MPI_COMM_WORLD);
}
#endif

/* Windows of 62 words of a text, and BERT's settings for them. */
static sslh_method bert(sslh_ctx *c, const char *path, sslh_data *out) {
    size_t size = 0, count;
    char *text = sslh_load_file(c, path, &size);
    sslh_tokenizer_desc words = {0};
    sslh_transformer_desc net = {0};
    sslh_bert_desc d = {0};
    sslh_tokenizer *t;
    int32_t *tokens;
    words.kind = SSLH_TOKENS_WORDS;
    words.vocabulary = 4000;
    words.special = "[PAD] [UNK] [CLS] [SEP] [MASK]"; /* 0 to 4 */
    t = sslh_tokenizer_new(c, text, size, words);
    tokens = (int32_t *)malloc((size + 1) * sizeof *tokens); /* read until the program ends */
    count = tokens ? sslh_tokenize(t, text, size, tokens, size + 1) : 0;
    *out = sslh_data_stream(c, tokens, (int64_t)count, 62);
    net.kind = SSLH_BERT;
    net.vocabulary = sslh_tokenizer_size(t);
    net.length = 64;
    net.depth = 2;
    d.cls_token = 2, d.sep_token = 3, d.mask_token = 4; /* .pad_token is 0 */
    return sslh_bert(c, sslh_transformer(c, net), d);
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "simclr", *test_path = argc > 5 ? argv[5] : "examples/data/test";
    const int of_text = strcmp(name, "bert") == 0;
    const char *path = argc > 4 ? argv[4] : of_text ? "examples/data/text/austen.txt" : "examples/data/train";
    sslh_desc d = {0};
    sslh_train_desc t = {0};
    sslh_convnet_desc convnet = {0};
    sslh_probe_desc probe = {0};
    sslh_ctx *c;
    sslh_data train;
    sslh_method m;
    float loss;
    int failed;
    t.epochs = argc > 2 ? atoi(argv[2]) : 5;
    t.batch = argc > 3 ? atoi(argv[3]) : 256; /* a multiple of the number of ranks */
    if (t.epochs < 1 || t.batch < 1) {
        fprintf(stderr, "usage: mpi [method [epochs [batch of all ranks [data [test data [checkpoint]]]]]]\n");
        return 1;
    }
    d.seed = 1; /* of all ranks: the initial weights and the order of the samples must be the same */
#ifdef USE_MPI
    traffic sent = {0, 0, 0};
    double steps;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &d.comm.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &d.comm.ranks);
    d.comm.user = &sent;
    d.comm.all_reduce = all_reduce;
    d.comm.all_gather = all_gather;
    d.comm.broadcast = broadcast;
    d.threads = 1; /* one process for each core; on a machine of its own leave it 0 */
#endif
    c = sslh_create(d);
    if (of_text) m = bert(c, path, &train);
    else {
        train = sslh_load_images(c, path);
        convnet.channels = train.channels;
        m = sslh_method_make(c, name, strcmp(name, "vae") ? sslh_convnet(c, convnet) : NULL, train, NULL);
    }
    t.checkpoint = argc > 6 ? argv[6] : NULL; /* written by rank 0 and read by all: in a folder that all can reach */
    t.resume = 1;
    loss = sslh_train(c, m, train, t);
    if (d.comm.rank == 0 && !sslh_error(c)) printf("loss %.6f\n", (double)loss);
    if (d.comm.rank == 0 && !of_text) { /* all have the same weights, and evaluation needs no other rank */
        float accuracy = sslh_linear_probe(c, m.encoder, train, sslh_load_images(c, test_path), probe);
        if (!sslh_error(c)) printf("linear probe %.1f %%\n", 100 * (double)accuracy);
    }
    failed = sslh_error(c) != NULL;
    if (failed) fprintf(stderr, "rank %d: %s\n", d.comm.rank, sslh_error(c));
    sslh_destroy(c);
#ifdef USE_MPI
    if (failed) MPI_Abort(MPI_COMM_WORLD, 1); /* the others would wait for this rank for ever */
    steps = (double)t.epochs * (double)(train.count / t.batch);
    if (d.comm.rank == 0 && steps > 0)
        printf("each rank in each of %.0f steps: %.1f messages, %.0f bytes handed over, %.1f ms in them\n", steps,
               (double)sent.calls / steps, sent.bytes / steps, 1e3 * sent.seconds / steps);
    MPI_Finalize();
#endif
    return failed;
}
