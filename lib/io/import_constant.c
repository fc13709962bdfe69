/* Constant: the value of whichever attribute is set becomes a constant of the graph. */
#include "io/import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool rci_import_is_constant(const Onnx__NodeProto *n)
{
    return !strcmp(rci_onnx_text(n->op_type), "Constant") && rci_import_is_onnx(n->domain);
}

static rc_status constant_make(struct rci_tensor *out, struct rc_context *c, enum rci_dtype d,
                               bool scalar, const void *data, size_t n)
{
    const struct rci_shape s = scalar ? (struct rci_shape){0} : RC_SHAPE((int64_t) n);
    RC_TRY(rci_tensor_new(out, c, d, &s));
    if (n)
        memcpy(out->data, data, n * rci_dtype_size(d));
    return RC_OK;
}

/* NaN is refused in every constant, as in initializers. */
static rc_status constant_floats(struct rci_tensor *out, struct rc_context *c, const char *node,
                                 const float *v, size_t n, bool scalar)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(v[i]))
            return rci_fail(RC_ERR_MODEL, "node \"%s\": constant is NaN", node);
    return constant_make(out, c, RC_F32, scalar, v, n);
}

static rc_status constant_value(struct rci_tensor *out, struct rc_context *c, const char *node,
                                const Onnx__AttributeProto *a)
{
    const char *name = rci_onnx_text(a->name);
    char what[256];
    if (!strcmp(name, "value") && a->t) {
        snprintf(what, sizeof(what), "node \"%.200s\": value", node);
        return rci_onnx_tensor_read(out, c, a->t, what);
    }
    if (!strcmp(name, "value_float") && a->has_f)
        return constant_floats(out, c, node, &a->f, 1, true);
    if (!strcmp(name, "value_floats") && a->n_floats)
        return constant_floats(out, c, node, a->floats, a->n_floats, false);
    if (!strcmp(name, "value_int") && a->has_i)
        return constant_make(out, c, RC_I64, true, &a->i, 1);
    if (!strcmp(name, "value_ints"))
        return constant_make(out, c, RC_I64, false, a->ints, a->n_ints);
    if (!strncmp(name, "value_string", 12) || !strcmp(name, "sparse_value"))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": Constant with %s is not supported", node,
                        name);
    return rci_fail(RC_ERR_MODEL, "node \"%s\": Constant with attribute \"%s\" is malformed", node,
                    name);
}

rc_status rci_import_constant(struct import *m, const Onnx__NodeProto *n)
{
    const char *node = rci_import_node_name(n);
    struct rci_tensor t;
    rci_id id;
    if (n->n_input || n->n_output != 1 || !*n->output[0])
        return rci_fail(RC_ERR_MODEL, "node \"%s\": Constant has no operands and one result", node);
    /* the attribute's name says which kind of value it is */
    if (n->n_attribute != 1)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": Constant has %zu attributes, must have one",
                        node, n->n_attribute);
    RC_TRY(rci_graph_add_value(m->g, &id, n->output[0]));
    RC_TRY(constant_value(&t, m->g->ctx, node, n->attribute[0]));
    rci_graph_replace_const(m->g, id, &t);
    if (n->attribute[0]->t)
        m->g->values[id].storage = rci_onnx_storage(n->attribute[0]->t->data_type);
    return RC_OK;
}
