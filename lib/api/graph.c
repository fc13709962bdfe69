/* The border of graphs: loading, saving, and what a caller may read of their nodes and values. */
#include "graph/graph.h"
#include "api/check.h"
#include "api/form.h"
#include "data/stored.h"

#include <math.h>
#include <rescomp/graph.h>
#include <string.h>

RC_ABI_NO_TAIL(rc_graph_info, dynamic_batch);
RC_ABI_NO_TAIL(rc_node_info, results);
RC_ABI_NO_TAIL(rc_graph_load_options, flags);
RC_ABI_NO_TAIL(rc_graph_save_options, flags);
RC_ABI_NO_TAIL(rc_stored_result, compared);

/* Input shapes that a caller may give; a model has far fewer inputs. */
enum { MAX_SHAPES = 1024 };

rc_status rc_graph_load(rc_graph **out, rc_context *context, const char *path)
{
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(path);
    return rci_onnx_load(out, context, path);
}

rc_status rc_graph_load_memory(rc_graph **out, rc_context *context, const void *data, size_t size)
{
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    if (!data && size)
        return rci_fail(RC_ERR_ARG, "data is NULL");
    return rci_onnx_load_memory(out, context, data, size);
}

rc_status rc_graph_load_with(rc_graph **out, rc_context *context, const char *path,
                             const rc_graph_load_options *options)
{
    rc_graph_load_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_graph_load_options"));
    RC_TRY(rci_abi_check_flags(o.flags, RC_LOAD_CHECK, "rc_graph_load_options"));
    /* a file, or bytes in memory */
    if (path ? o.data != NULL : !o.data && o.data_size)
        return rci_fail(RC_ERR_ARG, "either path or data must be set");
    if (o.input_shape_count > MAX_SHAPES || (o.input_shape_count && !o.input_shapes))
        return rci_fail(
            RC_ERR_ARG,
            "input_shape_count is %llu, allowed are 0 to %d, and input_shapes must be set",
            (unsigned long long) o.input_shape_count, MAX_SHAPES);
    for (uint64_t i = 0; i < o.input_shape_count; i++)
        if (!o.input_shapes[i])
            return rci_fail(RC_ERR_ARG, "input_shapes[%llu] is NULL", (unsigned long long) i);
    const struct rci_onnx_source source = {
        .path = path,
        .shapes = o.input_shapes,
        .n_shapes = (uint32_t) o.input_shape_count,
        .flags = o.flags & RC_LOAD_CHECK ? RCI_LOAD_CHECK : 0,
    };
    return rci_onnx_load_from(out, context, &source, o.data, (size_t) o.data_size);
}

static rc_status save_storage(const char *name, enum rci_dtype *out)
{
    static const enum rci_dtype known[] = {RC_F32, RC_F16, RC_BF16};
    for (size_t i = 0; name && i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(name, rci_dtype_name(known[i]))) {
            *out = known[i];
            return RC_OK;
        }
    return name ? rci_fail(RC_ERR_ARG, "storage is \"%s\", allowed are f32, f16 and bf16", name)
                : RC_OK;
}

rc_status rci_onnx_form_read(struct rci_onnx_form *out, uint64_t opset, const char *storage)
{
    if (opset && (opset < RCI_OPSET_FIRST || opset > RCI_OPSET_LAST))
        return rci_fail(RC_ERR_ARG, "opset is %llu, allowed are %d to %d",
                        (unsigned long long) opset, RCI_OPSET_FIRST, RCI_OPSET_LAST);
    out->opset = (int64_t) opset;
    return save_storage(storage, &out->storage);
}

rc_status rc_graph_save_with(const rc_graph *graph, const char *path,
                             const rc_graph_save_options *options)
{
    rc_graph_save_options o;
    struct rci_onnx_form form = {0};
    RC_CHECK(graph, graph);
    RC_CHECK_SET(path);
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_graph_save_options"));
    RC_TRY(rci_abi_check_flags(o.flags, RC_SAVE_NARROW, "rc_graph_save_options"));
    RC_TRY(rci_onnx_form_read(&form, o.opset, o.storage));
    if (o.form && strcmp(o.form, "qdq") && strcmp(o.form, "qoperator"))
        return rci_fail(RC_ERR_ARG, "form is \"%.32s\", allowed are qdq and qoperator", o.form);
    form.qoperators = o.form && !strcmp(o.form, "qoperator");
    form.narrow = o.flags & RC_SAVE_NARROW;
    return rci_onnx_save_as(graph, path, &form);
}

rc_status rc_graph_save(const rc_graph *graph, const char *path)
{
    RC_CHECK(graph, graph);
    RC_CHECK_SET(path);
    return rci_onnx_save(graph, path);
}

rc_status rc_graph_clone(rc_graph **out, const rc_graph *graph)
{
    RC_CHECK_OUT(out);
    RC_CHECK(graph, graph);
    return rci_graph_clone(out, graph);
}

void rc_graph_free(rc_graph **graph)
{
    RC_FREE(graph, graph);
}

rc_status rc_graph_get_info(const rc_graph *graph, rc_graph_info *info)
{
    struct rci_graph_cost cost;
    RC_CHECK(graph, graph);
    RC_CHECK_SET(info);
    RC_TRY(rci_graph_cost(graph, &cost));
    rc_graph_info r = {sizeof(r)};
    /* removed nodes keep their place, without an operator */
    for (rci_id i = 0; i < graph->n_nodes; i++)
        r.nodes += graph->nodes[i].op != NULL;
    r.parameters = cost.parameters;
    r.macs = cost.macs;
    r.weight_bytes = cost.weight_bytes;
    r.inputs = graph->n_inputs;
    r.outputs = graph->n_outputs;
    r.opset = graph->opset;
    r.dynamic_batch = graph->dynamic_batch;
    return rci_abi_write(info, &r, sizeof(r), "rc_graph_info");
}

/* Nodes are numbered in the order in which they run, so gaps left by passes do not show. O(nodes)
 * for each call. */
static rc_status node_at(const struct rc_graph *g, uint64_t index, rci_id *out)
{
    rci_id *order;
    uint32_t n;
    RC_TRY(rci_graph_order(g, &order, &n));
    if (index < n)
        *out = order[index];
    rci_release(order);
    if (index < n)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "node %llu does not exist, there are %u",
                    (unsigned long long) index, n);
}

/* Constants that are weights, not the integers that steer an operator. */
static uint64_t node_weight_bytes(const struct rc_graph *g, const struct rci_node *n)
{
    uint64_t bytes = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const struct rci_tensor *t = rci_const_in(g, n, k);
        if (t && t->dtype != RC_I64 && t->dtype != RC_BOOL && t->shape.rank)
            bytes += rci_value_stored_bytes(&g->values[n->in[k]]);
    }
    return bytes;
}

rc_status rc_graph_get_node(const rc_graph *graph, uint64_t index, rc_node_info *info)
{
    rci_id id = RC_NONE;
    struct rci_cost cost;
    rc_node_info r = {sizeof(r)};
    RC_CHECK(graph, graph);
    RC_CHECK_SET(info);
    RC_TRY(node_at(graph, index, &id));
    const struct rci_node *n = &graph->nodes[id];
    RC_TRY(rci_node_cost(graph, id, &cost, &r.parameters));
    r.name = n->name;
    r.op = n->op->name;
    if (n->n_out && n->out[0] != RC_NONE) {
        const struct rci_shape *s = &graph->values[n->out[0]].tensor.shape;
        r.rank = s->rank;
        memcpy(r.shape, s->dim, sizeof(r.shape));
        r.output = graph->values[n->out[0]].name;
    }
    r.macs = cost.macs;
    r.bytes = node_weight_bytes(graph, n);
    r.operands = n->n_in;
    r.results = n->n_out;
    return rci_abi_write(info, &r, sizeof(r), "rc_node_info");
}

rc_status rc_graph_get_operand(const rc_graph *graph, uint64_t index, uint64_t operand,
                               const char **name, uint64_t *constant)
{
    rci_id id = RC_NONE;
    RC_CHECK(graph, graph);
    RC_CHECK_SET(name);
    RC_TRY(node_at(graph, index, &id));
    RC_TRY(rci_check_index("operand", operand, graph->nodes[id].n_in));
    const rci_id v = graph->nodes[id].in[operand];
    *name = v == RC_NONE ? "" : graph->values[v].name;
    if (constant)
        *constant = v != RC_NONE && rci_value_is_const(&graph->values[v]);
    return RC_OK;
}

rc_status rc_graph_get_result(const rc_graph *graph, uint64_t index, uint64_t result,
                              const char **name)
{
    rci_id id = RC_NONE;
    RC_CHECK(graph, graph);
    RC_CHECK_SET(name);
    RC_TRY(node_at(graph, index, &id));
    RC_TRY(rci_check_index("result", result, graph->nodes[id].n_out));
    const rci_id v = graph->nodes[id].out[result];
    *name = v == RC_NONE ? "" : graph->values[v].name;
    return RC_OK;
}

rc_status rc_graph_get_weight(const rc_graph *graph, const char *name, const float **data,
                              int64_t *dims, uint64_t *rank)
{
    RC_CHECK(graph, graph);
    RC_CHECK_SET(name);
    RC_CHECK_SET(data);
    RC_CHECK_SET(dims);
    RC_CHECK_SET(rank);
    *data = NULL;
    *rank = 0;
    const rci_id id = rci_graph_find_value(graph, name);
    if (id == RC_NONE)
        return rci_fail(RC_ERR_ARG, "no value named \"%s\"", name);
    const struct rci_tensor *t = &graph->values[id].tensor;
    if (t->dtype == RC_F32)
        *data = t->data;
    *rank = t->shape.rank;
    memset(dims, 0, RC_MAX_DIMS * sizeof(*dims));
    memcpy(dims, t->shape.dim, t->shape.rank * sizeof(*dims));
    return RC_OK;
}

rc_status rc_graph_get_metadata(const rc_graph *graph, const char *key, const char **value)
{
    RC_CHECK(graph, graph);
    RC_CHECK_SET(key);
    RC_CHECK_SET(value);
    *value = rci_graph_get_metadata(graph, key);
    return RC_OK;
}

rc_status rc_graph_set_metadata(rc_graph *graph, const char *key, const char *value)
{
    RC_CHECK(graph, graph);
    if (!key || !*key)
        return rci_fail(RC_ERR_ARG, "key is NULL or empty");
    return rci_graph_set_metadata(graph, key, value);
}

rc_status rc_graph_compare_stored(const rc_graph *graph, const char *path, double tolerance,
                                  rc_stored_result *result)
{
    struct rci_stored stored;
    struct rci_stored_result r;
    RC_CHECK(graph, graph);
    RC_CHECK_SET(path);
    if (!(tolerance >= 0) || isinf(tolerance))
        return rci_fail(RC_ERR_ARG, "tolerance is %g, must be finite and at least 0", tolerance);
    RC_TRY(rci_stored_read(&stored, graph, path));
    const rc_status st = rci_stored_compare(&r, &stored, graph);
    rci_stored_free(&stored);
    RC_TRY(st);
    const rc_stored_result out = {sizeof(out),          r.difference, r.output,
                                  (uint64_t) r.at,      r.stored,     r.computed,
                                  (uint64_t) r.compared};
    if (result)
        RC_TRY(rci_abi_write(result, &out, sizeof(out), "rc_stored_result"));
    if (r.difference <= (tolerance > 0 ? tolerance : 1e-4))
        return RC_OK;
    return rci_fail(RC_ERR_STATE,
                    "output \"%s\" differs by %g of its largest number: element %lld is %g, stored "
                    "is %g",
                    r.output, r.difference, (long long) r.at, r.computed, r.stored);
}
