/* Run once on arrays: --input [NAME=]X.npy, --output [NAME=]Y.npy; or on images (run_images.c). */
#include "data.h"
#include "run_images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
    {"input", "[NAME=]X.npy", "array [N, ...] of an input; repeatable"},
    {"output", "[NAME=]Y.npy", "where an output goes; repeatable"},
    {"image", "FILE", "PNG or JPEG to classify; repeatable"},
    {"top", "N", "answers for an image; default: 5"},
    {"labels", "FILE", "names of classes, one per line; default: the model's metadata"},
    PREPROCESS_OPTIONS,
    {"reference", NULL, "plain C instead of oneDNN"},
    {NULL, NULL, NULL},
};

enum { MAX_IO = 16 };

struct job {
    const struct args *a;
    rc_context *context;
    rc_graph *graph;
    rc_session *session;
    uint64_t images;
    float *in[MAX_IO], *out[MAX_IO];
};

static uint64_t count_of(const int64_t *dims, uint64_t rank)
{
    uint64_t n = 1;
    for (uint64_t i = 0; i < rank; i++)
        n *= (uint64_t) dims[i];
    return n;
}

/* The file given for input or output `name`, or for its position when no name was given. */
static const char *file_for(const struct args *a, const char *option, const char *name,
                            uint64_t index)
{
    const size_t n = strlen(name);
    for (unsigned k = 0;; k++) {
        const char *v = args_nth(a, option, k);
        if (!v)
            return NULL;
        const char *equals = strchr(v, '=');
        if (equals && (size_t) (equals - v) == n && !strncmp(v, name, n))
            return equals + 1;
        if (!equals && k == index)
            return v;
    }
}

static int read_input(struct job *j, uint64_t i)
{
    rc_session_io_info io = RC_SESSION_IO_INFO_INIT;
    int64_t dims[8];
    uint64_t got;
    if (rc_session_get_input(j->session, i, &io) != RC_OK)
        return tool_fail("run");
    const char *file = file_for(j->a, "input", io.name, i);
    if (!file)
        return tool_usage(j->a, "--input %s=FILE.npy is required", io.name);
    if (rc_npy_read_shape(j->context, file, dims, &got) != RC_OK)
        return tool_fail(file);
    bool fits = got == io.rank;
    for (uint64_t k = 1; k < io.rank && fits; k++)
        fits = dims[k] == io.shape[k];
    if (!fits || dims[0] < 1 || (uint64_t) dims[0] != j->images) {
        fprintf(stderr, "rescomp run: %s does not have the shape of input %s, [%llu", file, io.name,
                (unsigned long long) j->images);
        for (uint64_t k = 1; k < io.rank; k++)
            fprintf(stderr, ", %lld", (long long) io.shape[k]);
        fprintf(stderr, "]\n");
        return EXIT_FAILED;
    }
    const uint64_t n = count_of(dims, got);
    j->in[i] = malloc(n * sizeof(float));
    if (!j->in[i] || rc_npy_read(j->context, file, j->in[i], n) != RC_OK)
        return tool_fail(file);
    return EXIT_DONE;
}

static int write_output(struct job *j, uint64_t i)
{
    rc_session_io_info io = RC_SESSION_IO_INFO_INIT;
    if (rc_session_get_output(j->session, i, &io) != RC_OK)
        return tool_fail("run");
    const char *file = file_for(j->a, "output", io.name, i);
    if (file)
        return rc_npy_write(j->context, file, j->out[i], io.shape, io.rank) == RC_OK
                   ? EXIT_DONE
                   : tool_fail(file);
    const uint64_t n = count_of(io.shape, io.rank);
    printf("%s:", io.name);
    for (uint64_t k = 0; k < n && k < 16; k++)
        printf(" %.6g", (double) j->out[i][k]);
    printf(n > 16 ? " ... (%llu numbers; --output %s=FILE.npy writes all)\n" : "\n",
           (unsigned long long) n, io.name);
    return EXIT_DONE;
}

/* The number of images is the first array's length. */
static int find_images(struct job *j)
{
    const char *first = args_nth(j->a, "input", 0);
    int64_t dims[8];
    uint64_t rank;
    if (!first)
        return tool_usage(j->a, "--input or --image is required");
    const char *equals = strchr(first, '=');
    if (rc_npy_read_shape(j->context, equals ? equals + 1 : first, dims, &rank) != RC_OK)
        return tool_fail("run");
    if (!rank || dims[0] < 1)
        return tool_usage(j->a, "%s has no images", first);
    j->images = (uint64_t) dims[0];
    return EXIT_DONE;
}

static int run_all(struct job *j)
{
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    o.batch = j->images;
    o.flags = args_flag(j->a, "reference") ? RC_SESSION_REFERENCE : 0;
    if (tool_load(&j->graph, j->context, j->a, j->a->positional[0]) != RC_OK ||
        rc_session_new(&j->session, j->graph, &o) != RC_OK)
        return tool_fail("run");
    const uint64_t n_in = rc_session_count_inputs(j->session);
    const uint64_t n_out = rc_session_count_outputs(j->session);
    if (n_in > MAX_IO || n_out > MAX_IO)
        return tool_usage(j->a, "models of more than %d inputs or outputs are not for this verb",
                          MAX_IO);
    int code = EXIT_DONE;
    for (uint64_t i = 0; i < n_in && code == EXIT_DONE; i++)
        code = read_input(j, i);
    for (uint64_t i = 0; i < n_out && code == EXIT_DONE; i++) {
        rc_session_io_info io = RC_SESSION_IO_INFO_INIT;
        if (rc_session_get_output(j->session, i, &io) != RC_OK)
            return tool_fail("run");
        j->out[i] = malloc(count_of(io.shape, io.rank) * sizeof(float));
    }
    if (code == EXIT_DONE &&
        rc_session_run(j->session, j->images, (const float *const *) j->in, j->out) != RC_OK)
        return tool_fail("run");
    for (uint64_t i = 0; i < n_out && code == EXIT_DONE; i++)
        code = write_output(j, i);
    return code;
}

static int run(const struct args *a)
{
    struct job j = {.a = a};
    int code = tool_context(&j.context, a) == RC_OK ? EXIT_DONE : tool_fail("run");
    if (code == EXIT_DONE && args_flag(a, "image")) {
        code = args_flag(a, "input") ? tool_usage(a, "--image and --input exclude each other")
                                     : run_images(a, j.context);
    } else {
        if (code == EXIT_DONE)
            code = find_images(&j);
        if (code == EXIT_DONE)
            code = run_all(&j);
    }
    for (int i = 0; i < MAX_IO; i++) {
        free(j.in[i]);
        free(j.out[i]);
    }
    rc_session_free(&j.session);
    rc_graph_free(&j.graph);
    rc_context_free(&j.context);
    return code;
}

const struct verb verb_run = {
    "run", "MODEL --image FILE|--input X.npy", "runs once, on images or arrays", 1, 1, options,
    run};
