/* x -> QuantizeLinear -> DequantizeLinear for activations, with Clip of the integers between them
 * where they have fewer bits than their type; DequantizeLinear of an s8 constant for
 * weights; DequantizeLinear of an i32 constant at scale s_x*s_w for biases. */
#include "pass/insert_qdq.h"
#include "op/attrs.h"

#include <math.h>
#include <string.h>

struct qdq { /* one insertion */
    struct rc_graph *g;
    const struct rci_op *quantize, *dequantize;
    uint32_t n_nodes, n_values;           /* of the graph before */
    const struct rci_qdq_weight **weight; /* [n_values] by value, NULL where none */
};

static rc_status add_named_const(struct qdq *q, rci_id *out, const char *base, const char *what,
                                 const struct rci_tensor *t)
{
    char *hint = rci_format(q->g->ctx, "%s_%s", base, what);
    char *name = hint ? rci_graph_fresh_name(q->g, hint) : NULL;
    const rc_status st = name ? rci_graph_add_const(q->g, out, name, t) : RC_ERR_MEMORY;
    rci_release(hint);
    rci_release(name);
    if (st == RC_OK)
        q->g->values[*out].flags |= RC_VALUE_FROZEN;
    return st;
}

struct scales {
    const float *scale;
    int64_t n; /* 1: a scalar */
    int32_t zero;
};

static rc_status add_scale_zero(struct qdq *q, rci_id out[2], const char *base,
                                const struct scales *of, enum rci_dtype type)
{
    struct rci_tensor t = {.dtype = RC_F32, .data = (void *) (uintptr_t) of->scale};
    if (of->n > 1)
        t.shape = RC_SHAPE(of->n);
    RC_TRY(add_named_const(q, &out[0], base, "scale", &t));
    struct rci_tensor zero = {.dtype = type, .shape = t.shape};
    RC_TRY(rci_tensor_new(&zero, q->g->ctx, type, &t.shape));
    if (of->zero) /* u8 and s8 alone have one */
        memset(zero.data, (int) (uint8_t) of->zero, (size_t) rci_shape_count(&zero.shape));
    const rc_status st = add_named_const(q, &out[1], base, "zero_point", &zero);
    rci_tensor_free(&zero);
    return st;
}

/* Scale [n] (n = 1: a scalar) and zero points of 0. */
static rc_status add_scale(struct qdq *q, rci_id out[2], const char *base, const float *scale,
                           int64_t n, enum rci_dtype type)
{
    return add_scale_zero(q, out, base, &(struct scales){scale, n, 0}, type);
}

/* A node `op` named "<base>_<op>" with output "<base>_<result>". */
static rc_status add_linear(struct qdq *q, rci_id *out, const struct rci_op *op, const char *base,
                            const rci_id ins[3], int64_t axis)
{
    struct rc_graph *g = q->g;
    const char *result = op == q->quantize ? "quantized" : "dequantized";
    struct rci_quantize_attrs attrs = {.axis = axis};
    rci_id node, value = RC_NONE;
    char *hint = rci_format(g->ctx, "%s_%s", base, result);
    char *name = hint ? rci_graph_fresh_name(g, hint) : NULL;
    char *node_hint = rci_format(g->ctx, "%s_%s", base, op->name);
    char *node_name = node_hint ? rci_graph_fresh_name(g, node_hint) : NULL;
    rc_status st = name && node_name ? rci_graph_add_value(g, &value, name) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rci_graph_add_node(g, &node, op, node_name, &attrs, ins, 3, &value, 1);
    rci_release(hint);
    rci_release(name);
    rci_release(node_hint);
    rci_release(node_name);
    *out = value;
    return st;
}

/* The interface keeps its names: nodes read `to`, graph outputs still are `from`. */
static void redirect_nodes(struct rc_graph *g, uint32_t n_nodes, rci_id from, rci_id to)
{
    for (uint32_t i = 0; i < n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] == from)
                g->nodes[i].in[k] = to;
}

static rc_status add_clip(struct qdq *q, rci_id *integers, const struct rci_qdq_activation *a)
{
    const struct rci_clip_attrs attrs = {
        .lo = a->low, .hi = a->high, .n_bounds = 2, .type = a->type};
    const rci_id in = *integers;
    rci_id node;
    char *hint = rci_format(q->g->ctx, "%s_clipped", q->g->values[a->value].name);
    char *name = hint ? rci_graph_fresh_name(q->g, hint) : NULL;
    rc_status st = name ? rci_graph_add_value(q->g, integers, name) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rci_graph_add_node(q->g, &node, rci_op_find(NULL, "Clip"), name, &attrs, &in, 1,
                                integers, 1);
    rci_release(hint);
    rci_release(name);
    return st;
}

static rc_status insert_activation(struct qdq *q, const struct rci_qdq_activation *a)
{
    const char *base = q->g->values[a->value].name;
    rci_id scale[2], integers, real;
    RC_TRY(add_scale_zero(q, scale, base, &(struct scales){&a->scale, 1, a->zero}, a->type));
    RC_TRY(
        add_linear(q, &integers, q->quantize, base, (rci_id[]){a->value, scale[0], scale[1]}, 1));
    if (a->low < a->high)
        RC_TRY(add_clip(q, &integers, a));
    RC_TRY(add_linear(q, &real, q->dequantize, base, (rci_id[]){integers, scale[0], scale[1]}, 1));
    redirect_nodes(q->g, q->n_nodes, a->value, real);
    return RC_OK;
}

static rc_status insert_weight(struct qdq *q, const struct rci_qdq_weight *w)
{
    const char *base = q->g->values[w->value].name;
    const int64_t axis = w->n_scale > 1 ? w->axis : 1;
    rci_id scale[2], integers, real;
    RC_TRY(add_scale(q, scale, base, w->scale, w->n_scale, RC_S8));
    if (w->q) {
        struct rci_tensor t = q->g->values[w->value].tensor;
        t.dtype = RC_S8;
        t.data = (void *) (uintptr_t) w->q;
        RC_TRY(add_named_const(q, &integers, base, "quantized", &t));
    } else {
        RC_TRY(add_linear(q, &integers, q->quantize, base, (rci_id[]){w->value, scale[0], scale[1]},
                          axis));
    }
    RC_TRY(
        add_linear(q, &real, q->dequantize, base, (rci_id[]){integers, scale[0], scale[1]}, axis));
    redirect_nodes(q->g, q->n_nodes, w->value, real);
    return RC_OK;
}

static bool bias_fits(const struct rci_tensor *bias, const struct rci_qdq_weight *w, float x_scale,
                      float *scale, int32_t *integers)
{
    const int64_t n = rci_shape_count(&bias->shape);
    const float *b = bias->data;
    for (int64_t o = 0; o < n; o++) {
        scale[o] = x_scale * w->scale[w->n_scale > 1 ? o : 0];
        const double v = rint((double) b[o] / (double) scale[o]);
        if (!(scale[o] > 0) || !(fabs(v) < 2147483648.0))
            return false;
        integers[o] = (int32_t) v;
    }
    return true;
}

/* Scale of the integers that DequantizeLinear made `v` from; 0 when it was not made so. */
static float dequantized_scale(const struct qdq *q, rci_id v)
{
    const struct rci_node *n = rci_graph_quant_producer(q->g, v, RC_QUANT_TO_REAL);
    if (!n)
        return 0;
    const struct rci_tensor *s = rci_const_in(q->g, n, 1);
    return s && s->dtype == RC_F32 && rci_shape_count(&s->shape) == 1 ? *(const float *) s->data
                                                                      : 0;
}

/* Operand 2 of a weighted node; shared biases get a copy each, for every x_scale differs. A bias
 * that i32 cannot hold at its scale stays f32. */
static rc_status insert_bias(struct qdq *q, rci_id node, float x_scale,
                             const struct rci_qdq_weight *w)
{
    struct rc_graph *g = q->g;
    const rci_id id = g->nodes[node].in[2];
    const struct rci_tensor bias = g->values[id].tensor;
    if (bias.dtype != RC_F32 || bias.shape.rank != 1 ||
        (w->n_scale > 1 && w->n_scale != bias.shape.dim[0]))
        return RC_OK;
    const size_t n = (size_t) bias.shape.dim[0];
    rc_status st = RC_ERR_MEMORY;
    rci_id scales[2], integers, real;
    struct rci_tensor t = {.dtype = RC_I32, .shape = bias.shape};
    float *scale = rci_alloc_array(g->ctx, n, sizeof(float));
    t.data = rci_alloc_array(g->ctx, n, sizeof(int32_t));
    if (!scale || !t.data)
        goto out;
    st = RC_OK;
    if (!bias_fits(&bias, w, x_scale, scale, t.data))
        goto out;
    const char *base = g->values[id].name;
    RC_TRY_OUT(st, add_scale(q, scales, base, scale, (int64_t) n, RC_I32));
    RC_TRY_OUT(st, add_named_const(q, &integers, base, "quantized", &t));
    RC_TRY_OUT(st, add_linear(q, &real, q->dequantize, base,
                              (rci_id[]){integers, scales[0], scales[1]}, n > 1 ? 0 : 1));
    g->nodes[node].in[2] = real;
out:
    rci_release(scale);
    rci_release(t.data);
    return st;
}

static rc_status insert_biases(struct qdq *q)
{
    struct rc_graph *g = q->g;
    for (rci_id i = 0; i < q->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        if (rci_node_quant(n) != RC_QUANT_WEIGHTED || n->n_in < 3 || !rci_const_in(g, n, 2))
            continue;
        const float x_scale = dequantized_scale(q, n->in[0]);
        const struct rci_qdq_weight *w = n->in[1] < q->n_values ? q->weight[n->in[1]] : NULL;
        if (x_scale > 0 && w && w->q)
            RC_TRY(insert_bias(q, i, x_scale, w));
    }
    return RC_OK;
}

static rc_status index_table(struct qdq *q, const struct rci_qdq_table *t)
{
    q->weight = rci_alloc_array(q->g->ctx, q->n_values, sizeof(*q->weight));
    if (!q->weight)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < t->n_weights; i++)
        q->weight[t->weight[i].value] = &t->weight[i];
    return RC_OK;
}

static rc_status insert_all(struct qdq *q, const struct rci_qdq_table *t)
{
    for (uint32_t i = 0; i < t->n_activations; i++)
        RC_TRY(insert_activation(q, &t->activation[i]));
    if (!t->float_bias) /* between: needs the scales of both operands, weights still by value */
        RC_TRY(insert_biases(q));
    for (uint32_t i = 0; i < t->n_weights; i++)
        RC_TRY(insert_weight(q, &t->weight[i]));
    return RC_OK;
}

rc_status rci_insert_qdq(struct rc_graph *g, const struct rci_qdq_table *t)
{
    struct qdq q = {.g = g, .n_nodes = g->n_nodes, .n_values = g->n_values};
    q.quantize = rci_op_find(NULL, "QuantizeLinear");
    q.dequantize = rci_op_find(NULL, "DequantizeLinear");
    if (!q.quantize || !q.dequantize)
        return rci_fail(RC_ERR_UNSUPPORTED, "this build has no QuantizeLinear");
    rc_status st = index_table(&q, t);
    if (st == RC_OK)
        st = insert_all(&q, t);
    rci_release(q.weight);
    RC_TRY(st);
    if (g->opset < 13)
        g->opset = 13;
    if (g->ir_version < 7)
        g->ir_version = 7;
    RC_TRY(rci_graph_sweep(g, NULL));
    RC_TRY(rci_graph_infer(g));
    return rci_graph_verify(g);
}

uint32_t rci_weight_axis(const struct rc_graph *g, const struct rci_node *n)
{
    struct rci_weighted product;
    n->op->as_weighted(g, n, &product);
    return product.axis;
}
