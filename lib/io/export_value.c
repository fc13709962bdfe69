/* Inputs and outputs with their shapes; a free batch keeps its name. */
#include "io/export.h"

#include <string.h>

static int32_t value_type(const struct export *e, rci_id v, enum rci_dtype computed)
{
    return rci_onnx_dtype_number(rci_export_type(e, v, computed));
}

/* `alt`: the shape at another batch size. An axis that differs is free; it has the batch's name
 * when it is axis 0 and follows the batch exactly. */
static rc_status value_write(struct export *e, const char *name, int32_t type_number,
                             const struct rci_shape *t, const struct rci_shape *alt, bool named,
                             Onnx__ValueInfoProto **out)
{
    Onnx__ValueInfoProto *v = rci_arena_alloc(e->arena, sizeof(*v));
    Onnx__TypeProto *type = rci_arena_alloc(e->arena, sizeof(*type));
    Onnx__TypeProto__Tensor *tensor = rci_arena_alloc(e->arena, sizeof(*tensor));
    Onnx__TensorShapeProto *shape = rci_arena_alloc(e->arena, sizeof(*shape));
    const uint32_t rank = t->rank;
    Onnx__TensorShapeProto__Dimension *dim = rci_arena_array(e->arena, rank, sizeof(*dim));
    Onnx__TensorShapeProto__Dimension **dims = rci_arena_array(e->arena, rank, sizeof(*dims));
    if (!v || !type || !tensor || !shape || !dim || !dims)
        return e->arena->status;
    onnx__value_info_proto__init(v);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    v->name = (char *) name;
    v->type = type;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = type_number;
    tensor->shape = shape;
    shape->n_dim = rank;
    shape->dim = dims;
    /* an axis that is neither a number nor named is unknown to readers */
    for (uint32_t i = 0; i < rank; i++) {
        onnx__tensor_shape_proto__dimension__init(&dim[i]);
        dims[i] = &dim[i];
        if (alt && alt->dim[i] != t->dim[i]) {
            if (i == 0 && named)
                dim[i].dim_param = e->g->batch_name ? e->g->batch_name : (char *) "N";
            continue;
        }
        dim[i].has_dim_value = 1;
        dim[i].dim_value = t->dim[i];
    }
    *out = v;
    return RC_OK;
}

/* Files of IR version 3 must list their initializers among the inputs. */
static rc_status inputs_of_initializers(struct export *e, Onnx__GraphProto *to)
{
    for (size_t i = 0; i < to->n_initializer; i++) {
        const Onnx__TensorProto *p = to->initializer[i];
        const struct rci_shape s = rci_shape_make((uint32_t) p->n_dims, p->dims);
        RC_TRY(value_write(e, p->name, p->data_type, &s, NULL, false, &to->input[to->n_input]));
        to->n_input++;
    }
    return RC_OK;
}

rc_status rci_export_inputs(struct export *e, Onnx__GraphProto *to)
{
    const struct rc_graph *g = e->g;
    const bool old = e->ir_version < 4;
    to->input =
        rci_arena_array(e->arena, g->n_inputs + (old ? to->n_initializer : 0), sizeof(*to->input));
    if (!to->input)
        return e->arena->status;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const struct rci_value *v = &g->values[g->inputs[i]];
        struct rci_shape alt = v->tensor.shape;
        if (g->dynamic_batch && alt.rank)
            alt.dim[0]++;
        RC_TRY(value_write(e, v->name, value_type(e, g->inputs[i], v->tensor.dtype),
                           &v->tensor.shape, &alt, true, &to->input[i]));
        to->n_input++;
    }
    return old ? inputs_of_initializers(e, to) : RC_OK;
}

rc_status rci_export_outputs(struct export *e, Onnx__GraphProto *to)
{
    const struct rc_graph *g = e->g;
    rc_status st = RC_ERR_MEMORY;
    const int64_t batch = g->dynamic_batch ? 2 : g->batch;
    struct rci_tensor *at = rci_alloc_array(g->ctx, g->n_values, sizeof(*at));
    struct rci_tensor *alt = rci_alloc_array(g->ctx, g->n_values, sizeof(*alt));
    if (!at || !alt)
        goto out;
    RC_TRY_OUT(st, rci_graph_infer_at(g, batch, at));
    RC_TRY_OUT(st, rci_graph_infer_at(g, g->dynamic_batch ? batch + 1 : batch, alt));
    to->output = rci_arena_array(e->arena, g->n_outputs, sizeof(*to->output));
    if (!to->output) {
        st = e->arena->status;
        goto out;
    }
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        const rci_id v = g->outputs[i];
        const bool follows = at[v].shape.rank && at[v].shape.dim[0] == batch;
        RC_TRY_OUT(st, value_write(e, g->values[v].name, value_type(e, v, at[v].dtype),
                                   &at[v].shape, &alt[v].shape, follows, &to->output[i]));
    }
    to->n_output = g->n_outputs;
out:
    rci_release(alt);
    rci_release(at);
    return st;
}
