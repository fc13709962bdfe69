#include "tool.h"

#include <stdio.h>

static const struct option options[] = {
    {"o", "OUT", "file to write"},
    {"opset", "N", "ONNX opset of the file, 7 to 25; default: as it was"},
    {"storage", "f32|f16|bf16", "what weights are stored as; default: as they were"},
    {"narrow", NULL, "quantized weights of few bits as INT4 (opset 21) or INT2 (opset 25)"},
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
        st = tool_load(&graph, context, a, a->positional[0]);
    if (st == RC_OK)
        st = rc_graph_fuse(graph);
    rc_graph_save_options o = RC_GRAPH_SAVE_OPTIONS_INIT;
    o.opset = args_count(a, "opset", 0, 7, 25);
    o.storage = args_text(a, "storage", NULL);
    o.flags = args_flag(a, "narrow") ? RC_SAVE_NARROW : 0;
    if (st == RC_OK)
        st = rc_graph_save_with(graph, out, &o);
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
