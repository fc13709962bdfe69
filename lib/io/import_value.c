/* Graph inputs, outputs and initializers. Only axis 0 of an input may be symbolic: it is the
 * batch, and it stays free. */
#include "io/import.h"

#include <stdio.h>
#include <string.h>

/* Inputs, and outputs. */
enum { IO_MOST = 1024 };

rc_status rci_import_initializers(struct import *m)
{
    for (size_t i = 0; i < m->from->n_initializer; i++) {
        const Onnx__TensorProto *t = m->from->initializer[i];
        const char *name = rci_onnx_text(t->name);
        char what[200];
        rci_id id;
        struct rci_tensor tensor;
        if (!*name)
            return rci_fail(RC_ERR_MODEL, "initializer %zu has no name", i);
        snprintf(what, sizeof(what), "initializer \"%.150s\"", name);
        RC_TRY(rci_graph_add_value(m->g, &id, name));
        RC_TRY(rci_onnx_tensor_take(&tensor, m->arena, t, what));
        rci_graph_replace_const(m->g, id, &tensor);
        m->g->values[id].storage = rci_onnx_storage(t->data_type);
    }
    return RC_OK;
}

/* The batch axis: a name, or no word at all, means free. */
static rc_status input_batch(struct rc_graph *g, const char *name,
                             const Onnx__TensorShapeProto__Dimension *d)
{
    const char *symbol = rci_onnx_text(d->dim_param);
    if (g->dynamic_batch && strcmp(g->batch_name ? g->batch_name : "", symbol))
        return rci_fail(RC_ERR_SHAPE,
                        "input \"%s\": batch is \"%s\", that of an earlier input \"%s\"", name,
                        symbol, g->batch_name ? g->batch_name : "");
    if (!g->dynamic_batch && *symbol && !(g->batch_name = rci_strdup(g->ctx, symbol)))
        return RC_ERR_MEMORY;
    g->dynamic_batch = true;
    return RC_OK;
}

/* `given`: by the caller, -1 what the model says. */
static rc_status input_dim(struct rc_graph *g, const char *name, size_t axis,
                           const Onnx__TensorShapeProto__Dimension *d, int64_t given, int64_t *out)
{
    if (given > 0) {
        *out = given;
        return RC_OK;
    }
    if (d->has_dim_value && d->dim_param)
        return rci_fail(RC_ERR_MODEL, "input \"%s\": axis %zu has both a value and a name", name,
                        axis);
    if (!d->has_dim_value && axis > 0)
        return rci_fail(
            RC_ERR_SHAPE,
            "input \"%s\": axis %zu is symbolic (\"%s\"); only axis 0, the batch, may be: give an "
            "input shape",
            name, axis, rci_onnx_text(d->dim_param));
    if (!d->has_dim_value) {
        *out = 1;
        return input_batch(g, name, d);
    }
    if (d->dim_value < 1 || d->dim_value > INT32_MAX)
        return rci_fail(RC_ERR_SHAPE, "input \"%s\": axis %zu is %lld, allowed 1..%d", name, axis,
                        (long long) d->dim_value, INT32_MAX);
    *out = d->dim_value;
    return RC_OK;
}

static rc_status input_type(const char *name, const Onnx__ValueInfoProto *v, enum rci_dtype *d)
{
    if (!v->type)
        return rci_fail(RC_ERR_SHAPE, "input \"%s\" has no type", name);
    const Onnx__TypeProto__Tensor *t = v->type->tensor_type;
    if (!t)
        return rci_fail(RC_ERR_UNSUPPORTED, "input \"%s\" is not a tensor", name);
    *d = rci_onnx_dtype(t->elem_type);
    if (!*d || rci_dtype_narrow_bits(rci_onnx_storage(t->elem_type)))
        return rci_fail(RC_ERR_UNSUPPORTED, "input \"%s\": data type %d (%s) is not supported",
                        name, (int) t->elem_type, rci_onnx_dtype_name(t->elem_type));
    if (!t->shape)
        return rci_fail(RC_ERR_SHAPE, "input \"%s\" has no shape", name);
    if (t->shape->n_dim > RC_MAX_DIMS)
        return rci_fail(RC_ERR_SHAPE, "input \"%s\": %zu dimensions, at most %d", name,
                        t->shape->n_dim, RC_MAX_DIMS);
    return RC_OK;
}

static rc_status input_add(struct import *m, const char *name, const Onnx__ValueInfoProto *v)
{
    struct rc_graph *g = m->g;
    enum rci_dtype d = RC_F32;
    struct rci_shape s = {0};
    int64_t count;
    rci_id id;
    RC_TRY(input_type(name, v, &d));
    const Onnx__TensorShapeProto *from = v->type->tensor_type->shape;
    s.rank = (uint32_t) from->n_dim;
    const bool dynamic_before = g->dynamic_batch;
    int64_t given[RC_MAX_DIMS];
    uint32_t n_given;
    RC_TRY(rci_import_given_shape(m, name, given, &n_given));
    if (n_given && n_given != s.rank)
        return rci_fail(RC_ERR_SHAPE, "input \"%s\": a shape of %u axes is given, the model has %u",
                        name, n_given, s.rank);
    for (uint32_t i = 0; i < s.rank; i++)
        RC_TRY(input_dim(g, name, i, from->dim[i], n_given ? given[i] : -1, &s.dim[i]));
    if (!rci_shape_count_checked(&s, &count))
        return rci_fail(RC_ERR_SHAPE, "input \"%s\" has too many elements", name);
    const bool dynamic = s.rank && !from->dim[0]->has_dim_value && !(n_given && given[0] > 0);
    if (g->n_inputs && dynamic != dynamic_before)
        return rci_fail(RC_ERR_SHAPE, "input \"%s\": the batch is %s, that of \"%s\" is not", name,
                        dynamic ? "free" : "fixed", g->values[g->inputs[0]].name);
    if (!g->n_inputs && s.rank)
        g->batch = s.dim[0];
    if (g->n_inputs == IO_MOST)
        return rci_fail(RC_ERR_LIMIT, "more than %d inputs", IO_MOST);
    RC_TRY(rci_graph_add_input(g, &id, name, d, &s));
    g->values[id].storage = rci_onnx_storage(v->type->tensor_type->elem_type);
    return RC_OK;
}

/* Files of IR version 3 list their initializers as inputs too; those are constants. */
rc_status rci_import_inputs(struct import *m)
{
    for (size_t i = 0; i < m->from->n_input; i++) {
        const Onnx__ValueInfoProto *v = m->from->input[i];
        const char *name = rci_onnx_text(v->name);
        if (!*name)
            return rci_fail(RC_ERR_MODEL, "input %zu has no name", i);
        const rci_id known = rci_graph_find_value(m->g, name);
        if (known != RC_NONE && rci_value_is_const(&m->g->values[known]))
            continue;
        RC_TRY(input_add(m, name, v));
    }
    if (!m->g->n_inputs)
        return rci_fail(RC_ERR_MODEL, "the graph has no inputs");
    return RC_OK;
}

rc_status rci_import_outputs(struct import *m)
{
    const size_t n = m->from->n_output;
    if (n == 0)
        return rci_fail(RC_ERR_MODEL, "the graph has no outputs");
    if (n > IO_MOST)
        return rci_fail(RC_ERR_LIMIT, "%zu outputs, at most %d", n, IO_MOST);
    rci_id id[IO_MOST];
    for (size_t i = 0; i < n; i++) {
        const char *name = rci_onnx_text(m->from->output[i]->name);
        id[i] = *name ? rci_graph_find_value(m->g, name) : RC_NONE;
        if (id[i] == RC_NONE)
            return rci_fail(RC_ERR_MODEL, "graph output \"%s\" is not defined", name);
        for (size_t k = 0; k < i; k++)
            if (id[k] == id[i])
                return rci_fail(RC_ERR_MODEL, "graph output \"%s\" is given twice", name);
    }
    for (size_t i = 0; i < n; i++) {
        const Onnx__TypeProto *type = m->from->output[i]->type;
        if (type && type->tensor_type && !rci_value_is_const(&m->g->values[id[i]]))
            m->g->values[id[i]].storage = rci_onnx_storage(type->tensor_type->elem_type);
    }
    return rci_graph_set_outputs(m->g, id, (uint32_t) n);
}
