#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "a,b,c" into up to four numbers; a single one is used for all channels. */
static int read_list(const struct args *a, const char *name, double out[4])
{
    const char *text = args_text(a, name, NULL);
    int n = 0;
    while (text && *text && n < 4) {
        char *end;
        out[n++] = strtod(text, &end);
        if (end == text || (*end && *end != ','))
            return tool_usage(a, "--%s is \"%s\", expected numbers such as 0.5,0.5,0.5", name,
                              args_text(a, name, ""));
        text = *end ? end + 1 : end;
    }
    for (int i = n; n == 1 && i < 4; i++)
        out[i] = out[0];
    return EXIT_DONE;
}

/* What the preprocessing options say. */
static int read_preprocess(const struct args *a, rc_dataset_options *o, const rc_graph *graph)
{
    o->resize = args_count(a, "resize", 0, 1, 4096);
    o->crop = args_count(a, "crop", 0, 1, 4096);
    o->channels = args_text(a, "channels", NULL);
    if (args_flag(a, "mean") != args_flag(a, "std"))
        return tool_usage(a, "--mean and --std belong together");
    int code = read_list(a, "mean", o->mean);
    if (code == EXIT_DONE)
        code = read_list(a, "std", o->std);
    if (code != EXIT_DONE)
        return code;
    if (graph && rc_graph_get_metadata(graph, "rescomp.preprocess", &o->preprocess) != RC_OK)
        return tool_fail("metadata");
    return EXIT_DONE;
}

static int open_spec(rc_dataset **out, rc_context *context, const struct args *a, const char *spec,
                     const rc_dataset_options *o)
{
    const rc_status st = rc_dataset_open(out, context, spec, o);
    if (st == RC_ERR_ARG) {
        fprintf(stderr, "rescomp %s: %s\n", a->verb->name, rc_last_error());
        return EXIT_USAGE;
    }
    return st == RC_OK ? EXIT_DONE : tool_fail(""); /* the message names the path */
}

int data_open(rc_dataset **out, rc_context *context, const struct args *a, const rc_graph *graph,
              const char *split, unsigned how)
{
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    *out = NULL;
    const char *spec = args_text(a, "data", NULL);
    if (!spec)
        return how & DATA_REQUIRED ? tool_usage(a, "--data is required") : EXIT_DONE;
    o.split = how & DATA_SPLIT_OPTION ? args_text(a, "split", split) : split;
    o.holdout = (how & DATA_HOLDOUT) != 0;
    const int code = read_preprocess(a, &o, graph);
    return code == EXIT_DONE ? open_spec(out, context, a, spec, &o) : code;
}

int data_open_spec(rc_dataset **out, rc_context *context, const struct args *a,
                   const rc_graph *graph, const char *spec, uint64_t side)
{
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    int64_t chw[3];
    *out = NULL;
    const int code = read_preprocess(a, &o, graph);
    if (code != EXIT_DONE)
        return code;
    if (o.resize || o.crop)
        return open_spec(out, context, a, spec, &o);
    if (rc_dataset_open(out, context, spec, &o) == RC_OK &&
        rc_dataset_get_shape(*out, chw) == RC_OK && chw[1] == (int64_t) side)
        return EXIT_DONE;
    rc_dataset_free(out);
    o.crop = side;
    o.resize = side < 64 ? side : (side * 8 + 6) / 7;
    return open_spec(out, context, a, spec, &o);
}

/* Names of all classes, a line each; nothing where one is not known or has a newline. */
static rc_status describe_labels(rc_graph *graph, const rc_dataset *dataset)
{
    const uint64_t n = rc_dataset_count_classes(dataset);
    size_t size = 1;
    for (uint64_t i = 0; i < n; i++) {
        const char *name = rc_dataset_get_class_name(dataset, i);
        if (!name || strchr(name, '\n'))
            return RC_OK;
        size += strlen(name) + 1;
    }
    char *text = calloc(1, size), *at = text;
    if (!text || !n) {
        free(text);
        return RC_OK;
    }
    for (uint64_t i = 0; i < n; i++)
        at += sprintf(at, "%s%s", i ? "\n" : "", rc_dataset_get_class_name(dataset, i));
    const rc_status st = rc_graph_set_metadata(graph, LABELS_KEY, text);
    free(text);
    return st;
}

rc_status data_describe(rc_graph *graph, const rc_dataset *dataset)
{
    const char *text = rc_dataset_get_preprocess(dataset);
    const rc_status st = text ? rc_graph_set_metadata(graph, "rescomp.preprocess", text) : RC_OK;
    return st == RC_OK ? describe_labels(graph, dataset) : st;
}

rc_status data_fit(const rc_session *session, const rc_dataset *dataset, float *x, uint64_t images)
{
    rc_session_io_info io = RC_SESSION_IO_INFO_INIT;
    int64_t chw[3];
    rc_status st = rc_dataset_get_shape(dataset, chw);
    if (st == RC_OK)
        st = rc_session_get_input(session, 0, &io);
    const int64_t hwc[3] = {chw[1], chw[2], chw[0]}, pixels = chw[1] * chw[2];
    if (st != RC_OK || io.rank != 4 || memcmp(io.shape + 1, hwc, sizeof(hwc)) != 0 ||
        memcmp(io.shape + 1, chw, sizeof(chw)) == 0)
        return st;
    const size_t size = (size_t) (pixels * chw[0]);
    float *one = malloc(size * sizeof(*one));
    if (!one)
        return RC_ERR_MEMORY;
    for (uint64_t i = 0; i < images; i++, x += size) {
        memcpy(one, x, size * sizeof(*one));
        for (int64_t p = 0; p < pixels; p++)
            for (int64_t c = 0; c < chw[0]; c++)
                x[p * chw[0] + c] = one[c * pixels + p];
    }
    free(one);
    return RC_OK;
}
