/* Pattern matching around quantized values. */
#include "pass/qdq_match.h"
#include "op/attrs.h"

bool rci_qdq_init(struct rci_qdq *q, const struct rc_graph *g)
{
    *q = (struct rci_qdq){g};
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (rci_node_quant(&g->nodes[i]) == RC_QUANT_TO_REAL)
            return true;
    return false;
}

/* Zero point absent or all zero. */
static bool symmetric(const struct rci_qdq *q, const struct rci_node *n)
{
    if (n->n_in < 3 || n->in[2] == RC_NONE)
        return true;
    const struct rci_tensor *z = rci_const_in(q->g, n, 2);
    const uint8_t *bytes = z ? z->data : NULL;
    for (size_t i = 0; bytes && i < rci_tensor_bytes(z); i++)
        if (bytes[i])
            return false;
    return bytes != NULL;
}

static bool one_scale(const struct rci_qdq *q, const struct rci_node *n, float *scale)
{
    const struct rci_tensor *s = rci_const_in(q->g, n, 1);
    if (!s || s->dtype != RC_F32 || rci_shape_count(&s->shape) != 1 || !symmetric(q, n))
        return false;
    *scale = *(const float *) s->data;
    return true;
}

static bool is_byte(enum rci_dtype t)
{
    return t == RC_U8 || t == RC_S8;
}

bool rci_qdq_dequantized(const struct rci_qdq *q, rci_id v, struct rci_qdq_integer *out)
{
    const struct rci_node *n = rci_graph_quant_producer(q->g, v, RC_QUANT_TO_REAL);
    if (!n || !one_scale(q, n, &out->scale))
        return false;
    const struct rci_tensor *t = &q->g->values[n->in[0]].tensor;
    out->value = n->in[0];
    out->type = t->dtype;
    return !t->data && is_byte(t->dtype);
}

bool rci_qdq_quantized(const struct rci_qdq *q, rci_id v, struct rci_qdq_integer *out)
{
    const rci_id reader = rci_graph_single_reader(q->g, v);
    const struct rci_node *n = reader == RC_NONE ? NULL : &q->g->nodes[reader];
    if (!n || rci_node_quant(n) != RC_QUANT_TO_INTEGER || n->in[0] != v ||
        !one_scale(q, n, &out->scale))
        return false;
    out->value = n->out[0];
    out->type = q->g->values[n->out[0]].tensor.dtype;
    return is_byte(out->type);
}

bool rci_qdq_constant(const struct rci_qdq *q, rci_id v, enum rci_dtype type, uint32_t axis,
                      struct rci_qdq_constant *out)
{
    const struct rci_node *n = rci_graph_quant_producer(q->g, v, RC_QUANT_TO_REAL);
    if (!n || !symmetric(q, n))
        return false;
    const struct rci_tensor *t = rci_const_in(q->g, n, 0), *scale = rci_const_in(q->g, n, 1);
    if (!t || !scale || t->dtype != type || scale->dtype != RC_F32)
        return false;
    *out = (struct rci_qdq_constant){n->in[0], *t, *scale};
    const int64_t n_scale = rci_shape_count(&out->scale.shape);
    if (n_scale == 1)
        return true;
    const struct rci_quantize_attrs *a = n->attrs;
    const int64_t at = a->axis < 0 ? a->axis + out->q.shape.rank : a->axis;
    return at == axis && axis < out->q.shape.rank && n_scale == out->q.shape.dim[axis];
}

const struct rci_node *rci_qdq_next(const struct rci_qdq *q, rci_id v)
{
    const rci_id reader = rci_graph_single_reader(q->g, v);
    if (reader == RC_NONE)
        return NULL;
    const struct rci_node *n = &q->g->nodes[reader];
    return n->n_post ? NULL : n;
}
