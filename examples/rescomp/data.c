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
    o.resize = args_count(a, "resize", 0, 1, 4096);
    o.crop = args_count(a, "crop", 0, 1, 4096);
    o.channels = args_text(a, "channels", NULL);
    if (args_flag(a, "mean") != args_flag(a, "std"))
        return tool_usage(a, "--mean and --std belong together");
    int code = read_list(a, "mean", o.mean);
    if (code == EXIT_DONE)
        code = read_list(a, "std", o.std);
    if (code != EXIT_DONE)
        return code;
    if (graph && rc_graph_get_metadata(graph, "rescomp.preprocess", &o.preprocess) != RC_OK)
        return tool_fail("metadata");
    const rc_status st = rc_dataset_open(out, context, spec, &o);
    if (st == RC_ERR_ARG) {
        fprintf(stderr, "rescomp %s: %s\n", a->verb->name, rc_last_error());
        return EXIT_USAGE;
    }
    return st == RC_OK ? EXIT_DONE : tool_fail(spec);
}

rc_status data_describe(rc_graph *graph, const rc_dataset *dataset)
{
    const char *text = rc_dataset_get_preprocess(dataset);
    return text ? rc_graph_set_metadata(graph, "rescomp.preprocess", text) : RC_OK;
}
