/* digraph: a box for each node with operator and output shape, an edge for each value; weights are
 * counted, not drawn. */
#include "tool.h"

#include <stdio.h>
#include <string.h>

/* A text in quotes: control characters, quotes and backslashes escaped. */
static void dot_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar((unsigned char) *text < 32 ? ' ' : *text);
    }
}

static const char *dot_color(const char *op)
{
    static const struct {
        const char *op, *color;
    } colors[] = {{"Conv", "#cfe2f3"},
                  {"Gemm", "#cfe2f3"},
                  {"MatMul", "#cfe2f3"},
                  {"Add", "#fce5cd"},
                  {"Concat", "#fce5cd"},
                  {"Mul", "#fce5cd"},
                  {"Relu", "#d9ead3"},
                  {"MaxPool", "#ead1dc"},
                  {"AveragePool", "#ead1dc"},
                  {"QuantizeLinear", "#eeeeee"},
                  {"DequantizeLinear", "#eeeeee"}};
    for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
        if (!strcmp(colors[i].op, op))
            return colors[i].color;
    return "#ffffff";
}

static rc_status dot_node(const rc_graph *g, uint64_t index)
{
    rc_node_info n = RC_NODE_INFO_INIT;
    const rc_status st = rc_graph_get_node(g, index, &n);
    if (st != RC_OK)
        return st;
    printf("  n%llu [label=\"", (unsigned long long) index);
    dot_text(n.op);
    printf("\\n");
    dot_text(n.name);
    printf("\\n");
    for (uint64_t i = 0; i < n.rank; i++)
        printf("%s%lld", i ? "x" : "", (long long) n.shape[i]);
    if (n.parameters)
        printf(", %llu weights", (unsigned long long) n.parameters);
    printf("\", fillcolor=\"%s\"];\n", dot_color(n.op));
    return RC_OK;
}

/* Values are points in between only where nothing of the graph makes them. */
static rc_status dot_edges(const rc_graph *g, uint64_t index)
{
    rc_node_info n = RC_NODE_INFO_INIT;
    rc_status st = rc_graph_get_node(g, index, &n);
    const uint64_t results = n.results, operands = n.operands;
    for (uint64_t k = 0; k < operands && st == RC_OK; k++) {
        const char *name;
        uint64_t constant;
        st = rc_graph_get_operand(g, index, k, &name, &constant);
        if (st != RC_OK || constant || !*name)
            continue;
        printf("  \"v ");
        dot_text(name);
        printf("\" -> n%llu;\n", (unsigned long long) index);
    }
    for (uint64_t k = 0; k < results && st == RC_OK; k++) {
        const char *name;
        st = rc_graph_get_result(g, index, k, &name);
        if (st != RC_OK || !*name)
            continue;
        printf("  n%llu -> \"v ", (unsigned long long) index);
        dot_text(name);
        printf("\" [arrowhead=none];\n  \"v ");
        dot_text(name);
        printf("\" [shape=point, width=0.04, label=\"\"];\n");
    }
    return st;
}

rc_status inspect_dot(const rc_graph *graph)
{
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    rc_status st = rc_graph_get_info(graph, &info);
    if (st != RC_OK)
        return st;
    printf("digraph model {\n  node [shape=box, style=\"filled,rounded\", fontname=\"Helvetica\", "
           "fontsize=10];\n  edge [arrowsize=0.6];\n");
    for (uint64_t i = 0; i < info.nodes && st == RC_OK; i++)
        st = dot_node(graph, i);
    for (uint64_t i = 0; i < info.nodes && st == RC_OK; i++)
        st = dot_edges(graph, i);
    printf("}\n");
    return st;
}
