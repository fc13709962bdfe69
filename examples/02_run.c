/* Run a model on an array, check the fast kernels against plain C, and time it.
 *
 *     02_run [MODEL.onnx [X.npy [Y.npy]]]      X: [N, C, H, W]; without files: a ResNet-8 on noise
 */
#include <rescomp/rescomp.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t elements(const int64_t *dims, uint64_t rank)
{
    uint64_t n = 1;
    for (uint64_t d = 0; d < rank; d++)
        n *= (uint64_t) dims[d];
    return n;
}

/* The images of a NumPy file, or two of noise shaped for the model. Sets dims[0]. */
static float *load_images(rc_context *context, const char *path, int64_t *dims, uint64_t rank)
{
    int64_t stored[8] = {2};
    uint64_t stored_rank = rank;
    if (path && rc_npy_read_shape(context, path, stored, &stored_rank) != RC_OK)
        return NULL;
    dims[0] = stored[0];
    const uint64_t n = elements(dims, rank);
    float *x = malloc(n * sizeof(*x));
    if (x && path && rc_npy_read(context, path, x, n) != RC_OK) { /* checks the count as well */
        free(x);
        return NULL;
    }
    for (uint64_t i = 0; x && !path && i < n; i++)
        x[i] = sinf((float) (i * i % 1009));
    return x;
}

/* Compile for dims[0] images and run; the caller frees *y. */
static rc_status run(const rc_graph *graph, const float *x, uint64_t images, uint64_t flags,
                     float **y, rc_session_io_info *out)
{
    rc_session *session = NULL;
    rc_session_options options = RC_SESSION_OPTIONS_INIT;
    options.batch = images;
    options.flags = flags;
    rc_status status = rc_session_new(&session, graph, &options);
    if (status == RC_OK)
        status = rc_session_get_output(session, 0, out);
    if (status == RC_OK && !(*y = malloc(elements(out->shape, out->rank) * sizeof(**y))))
        status = RC_ERR_MEMORY;
    if (status == RC_OK)
        status = rc_session_run(session, images, &x, y); /* allocates nothing */
    rc_session_free(&session);
    return status;
}

static rc_status time_it(rc_context *context, rc_session *one)
{
    rc_latency_options options = RC_LATENCY_OPTIONS_INIT;
    options.seconds = 0.2;
    rc_latency latency = RC_LATENCY_INIT;
    rc_status status = rc_measure_latency(context, &one, 1, &options, &latency);
    if (status == RC_OK)
        printf("one image: median %.3f ms, 90th percentile %.3f ms\n", latency.median_ms,
               latency.p90_ms);
    return status;
}

int main(int argc, char **argv)
{
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    rc_session *one = NULL;
    float *x = NULL, *y = NULL, *plain = NULL;
    rc_session_io_info in = RC_SESSION_IO_INFO_INIT, out = RC_SESSION_IO_INFO_INIT;
    rc_status status = rc_context_new(&context, NULL);
    if (status == RC_OK)
        status = argc > 1 ? rc_graph_load(&graph, context, argv[1])
                          : rc_graph_new_network(&graph, context, "resnet8", NULL);
    if (status == RC_OK)
        status = rc_session_new(&one, graph, NULL); /* for one image */
    if (status == RC_OK)
        status = rc_session_get_input(one, 0, &in);
    if (status == RC_OK &&
        !(x = load_images(context, argc > 2 ? argv[2] : NULL, in.shape, in.rank)))
        status = RC_ERR_DATA;
    const uint64_t images = status == RC_OK ? (uint64_t) in.shape[0] : 0;
    if (status == RC_OK)
        status = run(graph, x, images, 0, &y, &out);
    if (status == RC_OK)
        status = run(graph, x, images, RC_SESSION_REFERENCE, &plain, &out);
    const uint64_t classes = status == RC_OK ? elements(out.shape, out.rank) / images : 0;
    double worst = 0;
    for (uint64_t i = 0; i < images * classes; i++)
        worst = fmax(worst, fabs((double) y[i] - plain[i]));
    for (uint64_t i = 0; i < images * classes; i += classes) {
        uint64_t best = 0;
        for (uint64_t k = 1; k < classes; k++)
            best = y[i + k] > y[i + best] ? k : best;
        printf("image %" PRIu64 ": class %" PRIu64 "\n", i / classes, best);
    }
    if (status == RC_OK) {
        printf("largest difference from plain C: %.2g\n", worst);
        status = time_it(context, one);
    }
    if (status == RC_OK && argc > 3)
        status = rc_npy_write(context, argv[3], y, out.shape, out.rank);
    if (status != RC_OK)
        fprintf(stderr, "02_run: %s\n", rc_last_error());
    free(x);
    free(y);
    free(plain);
    rc_session_free(&one);
    rc_graph_free(&graph);
    rc_context_free(&context);
    return status != RC_OK || worst > 1e-2;
}
