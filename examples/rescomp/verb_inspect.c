#include "tool.h"

#include <stdio.h>

static const struct option options[] = {
    {"groups", NULL, "channel groups and what each would save"},
    {"dot", NULL, "the graph in Graphviz's language: rescomp inspect M --dot | dot -Tsvg > M.svg"},
    {"report", "DIR", "write DIR/report.html with the graph drawn and its layers, and report.json"},
    {"stored", "PATH",
     "compare with stored inputs and outputs: a folder of input_0.pb (or .npy), output_0.pb ..., "
     "or "
     "an .npz file of arrays by name"},
    {"tolerance", "R", "of --stored: allowed difference, of the largest output (1e-4)"},
    {NULL, NULL, NULL},
};

static const char *shape_text(const rc_node_info *n, char *buf, size_t size)
{
    size_t used = 0;
    buf[0] = '\0';
    for (uint64_t i = 0; i < n->rank && used < size; i++)
        used += (size_t) snprintf(buf + used, size - used, "%s%lld", i ? "x" : "",
                                  (long long) n->shape[i]);
    return buf;
}

static void layer_json(const rc_node_info *n)
{
    json_open(NULL);
    json_text("name", n->name);
    json_text("op", n->op);
    json_list("shape");
    for (uint64_t i = 0; i < n->rank; i++)
        json_real(NULL, (double) n->shape[i]);
    json_list_close();
    json_count("parameters", n->parameters);
    json_count("macs", n->macs);
    json_count("bytes", n->bytes);
    json_close();
}

static rc_status print_layers(const rc_graph *g, const rc_graph_info *info, bool json, bool csv)
{
    rc_status st = RC_OK;
    if (json)
        json_list("layers");
    else
        printf(csv ? "%s,%s,%s,%s,%s,%s\n" : "%-44s %-20s %-16s %12s %14s %12s\n", "layer", "op",
               "shape", "parameters", "macs", "bytes");
    for (uint64_t i = 0; i < info->nodes && st == RC_OK; i++) {
        rc_node_info n = RC_NODE_INFO_INIT;
        char shape[128];
        st = rc_graph_get_node(g, i, &n);
        if (st == RC_OK && json)
            layer_json(&n);
        else if (st == RC_OK)
            printf(csv ? "%s,%s,%s,%llu,%llu,%llu\n"
                       : "%-44.44s %-20.20s %-16s %12llu %14llu %12llu\n",
                   n.name, n.op, shape_text(&n, shape, sizeof(shape)),
                   (unsigned long long) n.parameters, (unsigned long long) n.macs,
                   (unsigned long long) n.bytes);
    }
    if (json)
        json_list_close();
    return st;
}

/* --stored; a difference that is too large is printed and then fails. */
static rc_status compare_stored(const struct args *a, const rc_graph *g, bool json)
{
    rc_stored_result r = RC_STORED_RESULT_INIT;
    const char *path = args_text(a, "stored", NULL);
    if (!path)
        return RC_OK;
    const double tolerance = args_real(a, "tolerance", 1e-4, 0, 1e9);
    const rc_status st = rc_graph_compare_stored(g, path, tolerance, &r);
    if (!r.output)
        return st;
    if (!json) {
        printf(
            "stored outputs: %llu elements, largest difference %g of \"%s\" at element %llu (%g, "
            "stored %g)\n",
            (unsigned long long) r.compared, r.difference, r.output, (unsigned long long) r.element,
            r.computed, r.stored);
        return st;
    }
    json_open("stored");
    json_real("difference", r.difference);
    json_text("output", r.output);
    json_count("element", r.element);
    json_real("stored", r.stored);
    json_real("computed", r.computed);
    json_count("compared", r.compared);
    json_close();
    return st;
}

static rc_status inspect_graph(const struct args *a, rc_context *context, const rc_graph *g)
{
    const bool json = args_flag(a, "json"), csv = args_flag(a, "csv");
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    rc_status st = rc_graph_get_info(g, &info);
    if (st != RC_OK)
        return st;
    const uint64_t file_bytes = tool_file_bytes(a->positional[0]);
    if (json) {
        json_open(NULL);
        json_text("model", a->positional[0]);
        json_count("parameters", info.parameters);
        json_count("macs", info.macs);
        json_count("weight_bytes", info.weight_bytes);
        json_count("file_bytes", file_bytes);
        json_count("opset", (uint64_t) info.opset);
        json_bool("dynamic_batch", info.dynamic_batch);
    }
    st = print_layers(g, &info, json, csv);
    if (st == RC_OK && !csv && tool_is_packed(a->positional[0]))
        st = inspect_packed(a, context);
    if (json) {
        if (st == RC_OK)
            st = inspect_groups(a, g);
        if (st == RC_OK)
            st = compare_stored(a, g, true);
        json_close();
        return st;
    }
    if (!csv) {
        char p[32], m[32];
        printf("%llu nodes, %s parameters, %s multiply-adds for one image, %llu bytes of weights, "
               "%llu bytes on disk, opset %lld, batch %s\n",
               (unsigned long long) info.nodes, tool_short((double) info.parameters, p, sizeof(p)),
               tool_short((double) info.macs, m, sizeof(m)), (unsigned long long) info.weight_bytes,
               (unsigned long long) file_bytes, (long long) info.opset,
               info.dynamic_batch ? "free" : "fixed");
    }
    if (st == RC_OK && args_flag(a, "groups"))
        st = inspect_groups(a, g);
    return st == RC_OK && !csv ? compare_stored(a, g, false) : st;
}

static rc_status write_report(const struct args *a, rc_context *context, const rc_graph *g)
{
    rc_report *r = NULL;
    const char *folder = args_text(a, "report", NULL);
    if (!folder)
        return RC_OK;
    rc_status st = rc_report_new(&r, context, a->positional[0]);
    if (st == RC_OK)
        st = rc_report_set_layers(r, g, g);
    if (st == RC_OK)
        st = rc_report_save(r, folder);
    rc_report_free(&r);
    return st;
}

/* The loader's message stays the last error. */
static void survey_refused(const struct args *a, rc_context *context)
{
    char why[1024];
    rc_graph *again = NULL;
    if (tool_is_packed(a->positional[0]))
        return;
    snprintf(why, sizeof(why), "%s", rc_last_error());
    if (inspect_survey(a, context, why) == RC_OK)
        tool_load(&again, context, a, a->positional[0]);
    rc_graph_free(&again);
}

static int inspect(const struct args *a)
{
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    rc_status st = tool_context(&context, a);
    if (st == RC_OK)
        st = tool_load(&graph, context, a, a->positional[0]);
    if (st != RC_OK && context)
        survey_refused(a, context);
    if (st == RC_OK)
        st = write_report(a, context, graph);
    if (st == RC_OK)
        st = args_flag(a, "dot") ? inspect_dot(graph) : inspect_graph(a, context, graph);
    const int code = st == RC_OK ? EXIT_DONE : tool_fail("inspect");
    rc_graph_free(&graph);
    rc_context_free(&context);
    return code;
}

const struct verb verb_inspect = {
    "inspect", "MODEL", "layers, parameters, multiply-adds, channel groups", 1, 1,
    options,   inspect};
