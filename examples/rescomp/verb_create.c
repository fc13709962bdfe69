#include "tool.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    {"o", "OUT", "file to write"},
    NETWORK_OPTIONS,
    {NULL, NULL, NULL},
};

int network_options(const struct args *a, rc_network_options *o)
{
    o->classes = args_count(a, "classes", 0, 1, 1000000);
    o->multiplier = args_real(a, "width", 0, 0.01, 64);
    o->seed = args_count(a, "seed", 0, 0, UINT64_MAX);
    const char *input = args_text(a, "input", NULL);
    o->shortcuts = args_text(a, "shortcuts", NULL);
    unsigned long long c, h, w;
    char extra;
    if (input) {
        if (sscanf(input, "%llu,%llu,%llu%c", &c, &h, &w, &extra) != 3 || !c || !h || !w)
            return tool_usage(a, "--input is \"%s\", expected C,H,W such as 3,32,32", input);
        o->channels = c;
        o->height = h;
        o->width = w;
    }
    if (o->shortcuts && strcmp(o->shortcuts, "A") && strcmp(o->shortcuts, "B"))
        return tool_usage(a, "--shortcuts is \"%s\", allowed are A and B", o->shortcuts);
    return EXIT_DONE;
}

static int create(const struct args *a)
{
    rc_network_options o = RC_NETWORK_OPTIONS_INIT;
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    const char *out = tool_need(a, "o");
    int code = out ? network_options(a, &o) : EXIT_USAGE;
    if (code != EXIT_DONE)
        return code;
    rc_status st = tool_context(&context, a);
    if (st == RC_OK)
        st = rc_graph_new_network(&graph, context, a->positional[0], &o);
    if (st == RC_OK)
        st = rc_graph_save(graph, out);
    if (st != RC_OK)
        code = st == RC_ERR_ARG ? (tool_fail("create"), EXIT_USAGE) : tool_fail("create");
    rc_graph_free(&graph);
    rc_context_free(&context);
    return code;
}

const struct verb verb_create = {
    "create", "ARCH -o OUT", "a standard network with fresh weights", 1, 1, options, create,
    "resnet8 resnet18 resnet20 resnet32 resnet34 resnet44 resnet50 resnet56 resnet101 resnet110 "
    "resnet152"};
