/* Pattern matching around quantized values. */
#include "pass/qdq_match.h"
#include "op/attrs.h"

#include <string.h>

bool rc_qdq_init(struct rc_qdq *q, const struct rc_graph *g)
{
    *q = (struct rc_qdq){g, rc_op_find(NULL, "QuantizeLinear"),
                         rc_op_find(NULL, "DequantizeLinear")};
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && g->nodes[i].op == q->dequantize)
            return true;
    return false;
}

static const struct rc_node *producer(const struct rc_qdq *q, rc_id v, const struct rc_op *op)
{
    if (v == RC_NONE || q->g->values[v].producer == RC_NONE)
        return NULL;
    const struct rc_node *n = &q->g->nodes[q->g->values[v].producer];
    return n->op == op ? n : NULL;
}

/* Zero point absent or all zero. */
static bool symmetric(const struct rc_qdq *q, const struct rc_node *n)
{
    if (n->n_in < 3 || n->in[2] == RC_NONE)
        return true;
    const struct rc_tensor *z = rc_const_in(q->g, n, 2);
    const uint8_t *bytes = z ? z->data : NULL;
    for (size_t i = 0; bytes && i < rc_tensor_bytes(z); i++)
        if (bytes[i])
            return false;
    return bytes != NULL;
}

static bool one_scale(const struct rc_qdq *q, const struct rc_node *n, float *scale)
{
    const struct rc_tensor *s = rc_const_in(q->g, n, 1);
    if (!s || s->dtype != RC_F32 || rc_shape_count(&s->shape) != 1 || !symmetric(q, n))
        return false;
    *scale = *(const float *) s->data;
    return true;
}

static bool is_byte(enum rc_dtype t)
{
    return t == RC_U8 || t == RC_S8;
}

bool rc_qdq_dequantized(const struct rc_qdq *q, rc_id v, struct rc_qdq_integer *out)
{
    const struct rc_node *n = producer(q, v, q->dequantize);
    if (!n || !one_scale(q, n, &out->scale))
        return false;
    const struct rc_tensor *t = &q->g->values[n->in[0]].tensor;
    out->value = n->in[0];
    out->type = t->dtype;
    return !t->data && is_byte(t->dtype);
}

bool rc_qdq_quantized(const struct rc_qdq *q, rc_id v, struct rc_qdq_integer *out)
{
    const rc_id reader = rc_graph_single_reader(q->g, v);
    const struct rc_node *n = reader == RC_NONE ? NULL : &q->g->nodes[reader];
    if (!n || n->op != q->quantize || n->in[0] != v || !one_scale(q, n, &out->scale))
        return false;
    out->value = n->out[0];
    out->type = q->g->values[n->out[0]].tensor.dtype;
    return is_byte(out->type);
}

bool rc_qdq_constant(const struct rc_qdq *q, rc_id v, enum rc_dtype type, uint32_t axis,
                     struct rc_qdq_constant *out)
{
    const struct rc_node *n = producer(q, v, q->dequantize);
    if (!n || !symmetric(q, n))
        return false;
    const struct rc_tensor *t = rc_const_in(q->g, n, 0), *scale = rc_const_in(q->g, n, 1);
    if (!t || !scale || t->dtype != type || scale->dtype != RC_F32)
        return false;
    *out = (struct rc_qdq_constant){n->in[0], *t, *scale};
    const int64_t n_scale = rc_shape_count(&out->scale.shape);
    if (n_scale == 1)
        return true;
    const struct rc_quantize_attrs *a = n->attrs;
    const int64_t at = a->axis < 0 ? a->axis + out->q.shape.rank : a->axis;
    return at == axis && axis < out->q.shape.rank && n_scale == out->q.shape.dim[axis];
}

const struct rc_node *rc_qdq_next(const struct rc_qdq *q, rc_id v, const char *op)
{
    const rc_id reader = rc_graph_single_reader(q->g, v);
    if (reader == RC_NONE)
        return NULL;
    const struct rc_node *n = &q->g->nodes[reader];
    return !n->op->domain && !n->n_post && !strcmp(n->op->name, op) ? n : NULL;
}
