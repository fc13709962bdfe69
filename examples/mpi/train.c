/* Train and evaluate one network on several processes or machines.
 *
 *     mpirun -n 4 mpi_train [KIND:PATH [OUT.onnx]]
 *
 * Every process computes its part of each batch; gradients and the statistics of
 * BatchNormalization are summed by MPI, so the result is that of one process with the whole
 * batch. Set OMP_NUM_THREADS to the processors of one process. */
#include "images.h"

#include <mpi.h>
#include <rescomp/rescomp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PART = 64 }; /* images of one run in the evaluation */

static rc_status sum(void *user, float *data, size_t n)
{
    (void) user;
    return MPI_Allreduce(MPI_IN_PLACE, data, (int) n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD) ==
                   MPI_SUCCESS
               ? RC_OK
               : RC_ERR_IO;
}

static void show(void *user, const rc_train_progress *p)
{
    if (*(const int *) user == 0)
        printf("step %" PRIu64 "/%" PRIu64 " loss %.7f\n", p->step, p->steps, p->loss);
}

static rc_status create(rc_graph **out, rc_context *context, const rc_dataset *dataset)
{
    int64_t chw[3];
    rc_status status = rc_dataset_get_shape(dataset, chw);
    rc_network_options options = RC_NETWORK_OPTIONS_INIT;
    options.classes = rc_dataset_count_classes(dataset);
    options.channels = (uint64_t) chw[0];
    options.height = (uint64_t) chw[1];
    options.width = (uint64_t) chw[2];
    options.multiplier = 0.5;
    return status == RC_OK ? rc_graph_new_network(out, context, "resnet8", &options) : status;
}

static rc_status train(rc_graph *graph, rc_dataset *images, int *rank, int ranks)
{
    rc_train_options options = RC_TRAIN_OPTIONS_INIT;
    options.batch = 64; /* of all processes together */
    options.images = 1024;
    options.lr = 0.01;
    options.augmentation = "usual";
    options.progress = show;
    options.progress_user = rank;
    options.all_reduce = sum;
    options.ranks = (uint64_t) ranks;
    options.rank = (uint64_t) *rank;
    rc_trainer *trainer = NULL;
    rc_status status = rc_trainer_new(&trainer, graph, images, &options);
    if (status == RC_OK)
        status = rc_trainer_run(trainer, NULL);
    rc_trainer_free(&trainer);
    return status;
}

static uint64_t best(const float *z, uint64_t n)
{
    uint64_t k = 0;
    for (uint64_t i = 1; i < n; i++)
        k = z[i] > z[k] ? i : k;
    return k;
}

/* Right answers among this process's images: pieces rank, rank + ranks, ... */
static rc_status count_right(const rc_graph *graph, const rc_dataset *images, int rank, int ranks,
                             uint64_t *right)
{
    int64_t chw[3];
    const uint64_t all = rc_dataset_count_images(images),
                   classes = rc_dataset_count_classes(images);
    rc_session_options options = RC_SESSION_OPTIONS_INIT;
    rc_session *session = NULL;
    options.batch = PART;
    rc_status status = rc_dataset_get_shape(images, chw);
    if (status == RC_OK)
        status = rc_session_new(&session, graph, &options);
    float *x = malloc(sizeof(float) * PART * (size_t) (chw[0] * chw[1] * chw[2]));
    float *z = malloc(sizeof(float) * PART * classes);
    int32_t y[PART];
    if (status == RC_OK && (!x || !z))
        status = RC_ERR_MEMORY;
    *right = 0;
    for (uint64_t at = (uint64_t) rank * PART; status == RC_OK && at < all;
         at += (uint64_t) ranks * PART) {
        const uint64_t n = all - at < PART ? all - at : PART;
        const float *const in[] = {x};
        float *const out[] = {z};
        status = rc_dataset_read(images, at, n, x, y);
        if (status == RC_OK)
            status = rc_session_run(session, n, in, out);
        for (uint64_t i = 0; status == RC_OK && i < n; i++)
            *right += best(z + i * classes, classes) == (uint64_t) y[i];
    }
    free(x);
    free(z);
    rc_session_free(&session);
    return status;
}

static rc_status run(int rank, int ranks, const char *spec, const char *out)
{
    rc_context *context = NULL;
    rc_dataset *images = NULL, *test = NULL;
    rc_graph *graph = NULL;
    uint64_t right = 0, all = 0;
    rc_status status = rc_context_new(&context, NULL);
    if (status == RC_OK)
        status = open_images(&images, context, spec, "train");
    if (status == RC_OK)
        status = open_images(&test, context, spec, "test");
    if (status == RC_OK) /* the same seed everywhere: the same weights */
        status = create(&graph, context, images);
    if (status == RC_OK)
        status = train(graph, images, &rank, ranks);
    if (status == RC_OK)
        status = count_right(graph, test, rank, ranks, &right);
    if (status == RC_OK)
        MPI_Reduce(&right, &all, 1, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
    if (status == RC_OK && rank == 0)
        printf("test: %" PRIu64 " of %" PRIu64 " right\n", all, rc_dataset_count_images(test));
    if (status == RC_OK && rank == 0 && out)
        status = rc_graph_save(graph, out);
    rc_graph_free(&graph);
    rc_dataset_free(&test);
    rc_dataset_free(&images);
    rc_context_free(&context);
    return status;
}

int main(int argc, char **argv)
{
    int rank, ranks;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (run(rank, ranks, argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL) != RC_OK) {
        fprintf(stderr, "mpi_train: rank %d: %s\n", rank, rc_last_error());
        MPI_Abort(MPI_COMM_WORLD, 1); /* the others may be waiting for this one */
    }
    MPI_Finalize();
    return 0;
}
