/* SimCLR by several processes, on one machine or many: N ranks compute what one computes with the whole batch.

     mpicc -DUSE_MPI -O2 -I. examples/use/mpi.c -o mpi -lm
     mpirun -n 4 ./mpi examples/data/train examples/data/test 5

   The arguments are two folders of images, the epochs and, if you want one, a checkpoint. Without -DUSE_MPI, or with
   -n 1, the same program runs alone. ssl.h links no MPI: the three functions below are all that it needs, and those of
   another library would do (docs/ranks.md). */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include <stdio.h>
#include <stdlib.h>

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
static int broadcast(void *user, void *data, size_t bytes, int root) {
    (void)user;
    return bytes > INT_MAX || MPI_Bcast(data, (int)bytes, MPI_BYTE, root, MPI_COMM_WORLD);
}
#endif

int main(int argc, char **argv) {
    const char *train_path = argc > 1 ? argv[1] : "examples/data/train";
    const char *test_path = argc > 2 ? argv[2] : "examples/data/test";
    sslh_desc d = {0};
    sslh_train_desc t = {0};
    sslh_convnet_desc convnet = {0};
    sslh_simclr_desc simclr = {0};
    sslh_probe_desc probe = {0};
    sslh_ctx *c;
    sslh_data train, test;
    sslh_net *encoder;
    float loss, accuracy = 0;
    int failed;
    d.seed = 1; /* of all ranks: the initial weights and the order of the images must be the same */
#ifdef USE_MPI
    traffic sent = {0, 0, 0};
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
    train = sslh_load_images(c, train_path);
    test = sslh_load_images(c, test_path);
    convnet.channels = train.channels;
    encoder = sslh_convnet(c, convnet);
    t.epochs = argc > 3 ? atoi(argv[3]) : 5;
    t.batch = 256; /* of all ranks together: a multiple of their number */
    t.checkpoint = argc > 4 ? argv[4] : NULL; /* written by rank 0 and read by all: in a folder that all can reach */
    t.resume = 1;
    loss = sslh_train(c, sslh_simclr(c, encoder, simclr), train, t);
    if (d.comm.rank == 0) { /* all have the same weights, and evaluation needs no other rank */
        accuracy = sslh_linear_probe(c, encoder, train, test, probe);
        if (!sslh_error(c)) printf("loss %.6f, linear probe %.1f %%\n", (double)loss, 100 * (double)accuracy);
    }
    failed = sslh_error(c) != NULL;
    if (failed) fprintf(stderr, "rank %d: %s\n", d.comm.rank, sslh_error(c));
    sslh_destroy(c);
#ifdef USE_MPI
    if (failed) MPI_Abort(MPI_COMM_WORLD, 1); /* the others would wait for this rank for ever */
    if (d.comm.rank == 0)
        printf("each rank: %ld messages, %.1f MB handed over, %.2f s in them\n", sent.calls, sent.bytes / 1e6,
               sent.seconds);
    MPI_Finalize();
#endif
    return failed;
}
