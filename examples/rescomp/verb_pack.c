/* pack and unpack: a model as a packed file, and back. */
#include "tool.h"

#include <stdio.h>

static const struct option pack_options[] = {
    {"o", "OUT", "file to write, usually NAME.rcz"},
    {"coding", "auto|fields|raw", "auto: the shortest; fields: no entropy coding; raw: as in ONNX"},
    {"opset", "N", "ONNX opset of the graph inside, 7 to 25; default: as it was"},
    {"storage", "f32|f16|bf16", "what weights are stored as; default: as they were"},
    {"narrow", NULL, "quantized weights of few bits as INT4 (opset 21) or INT2 (opset 25)"},
    {NULL, NULL, NULL},
};

static const struct option unpack_options[] = {
    {"o", "OUT", "ONNX file to write"},
    {NULL, NULL, NULL},
};

static void tell(const struct args *a, const char *out)
{
    const uint64_t before = tool_file_bytes(a->positional[0]), after = tool_file_bytes(out);
    const double ratio = after ? (double) before / (double) after : 0;
    if (!args_flag(a, "json")) {
        printf("%s: %llu bytes, %s: %llu (1/%.2f)\n", a->positional[0], (unsigned long long) before,
               out, (unsigned long long) after, ratio);
        return;
    }
    json_open(NULL);
    json_text("model", a->positional[0]);
    json_text("out", out);
    json_count("before_bytes", before);
    json_count("after_bytes", after);
    json_real("ratio", ratio);
    json_close();
}

static int pack(const struct args *a)
{
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    rc_pack_options o = RC_PACK_OPTIONS_INIT;
    const char *out = tool_need(a, "o");
    if (!out)
        return EXIT_USAGE;
    o.coding = args_text(a, "coding", NULL);
    o.opset = args_count(a, "opset", 0, 7, 25);
    o.storage = args_text(a, "storage", NULL);
    o.flags = args_flag(a, "narrow") ? RC_SAVE_NARROW : 0;
    rc_status st = tool_context(&context, a);
    if (st == RC_OK)
        st = tool_load(&graph, context, a, a->positional[0]);
    if (st == RC_OK)
        st = rc_graph_save_packed(graph, out, &o);
    const int code = st == RC_OK ? EXIT_DONE : tool_fail("pack");
    rc_graph_free(&graph);
    rc_context_free(&context);
    if (code == EXIT_DONE)
        tell(a, out);
    return code;
}

static int unpack(const struct args *a)
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
        st = rc_graph_save(graph, out);
    const int code = st == RC_OK ? EXIT_DONE : tool_fail("unpack");
    rc_graph_free(&graph);
    rc_context_free(&context);
    if (code == EXIT_DONE)
        tell(a, out);
    return code;
}

const struct verb verb_pack = {
    "pack", "MODEL -o OUT", "the model as a packed file (.rcz), without loss", 1, 1, pack_options,
    pack};
const struct verb verb_unpack = {
    "unpack", "MODEL -o OUT", "a packed file as ONNX, bit for bit", 1, 1, unpack_options, unpack};
