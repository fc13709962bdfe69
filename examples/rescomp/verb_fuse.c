#include "tool.h"

#include <stdio.h>

static const struct option options[] = {
    {"o", "OUT", "file to write"},
    {NULL, NULL, NULL},
};

static int fuse(const struct args *a)
{
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    const char *out = tool_need(a, "o");
    if (!out)
        return EXIT_USAGE;
    rc_status st = tool_context(&context, a);
    if (st == RC_OK)
        st = rc_graph_load(&graph, context, a->positional[0]);
    if (st == RC_OK)
        st = rc_graph_fuse(graph);
    if (st == RC_OK)
        st = rc_graph_save(graph, out);
    const int code = st == RC_OK ? EXIT_DONE : tool_fail("fuse");
    rc_graph_free(&graph);
    rc_context_free(&context);
    return code;
}

const struct verb verb_fuse = {"fuse",
                               "MODEL -o OUT",
                               "folds batch normalisation and constants, drops identities",
                               1,
                               1,
                               options,
                               fuse};
