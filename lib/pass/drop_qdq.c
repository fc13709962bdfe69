/* A quantized graph on reals again: constants behind DequantizeLinear become what their integers
 * stand for, other QuantizeLinear, DequantizeLinear and bounds of integers between them go. */
#include "op/quant/quantparams.h"
#include "pass/pass.h"

#include <string.h>

static bool is_integer(enum rci_dtype t)
{
    return t == RC_U8 || t == RC_S8 || t == RC_I32;
}

/* "w" for "w_quantized", which insertion made of it. */
static char *name_of(struct rc_graph *g, rci_id integers)
{
    static const char suffix[] = "_quantized";
    const char *have = g->values[integers].name;
    const size_t n = strlen(have), tail = sizeof(suffix) - 1;
    const bool ours = n > tail && !strcmp(have + n - tail, suffix);
    char *hint = rci_format(g->ctx, "%.*s", (int) (ours ? n - tail : n), have);
    char *name = hint ? rci_graph_fresh_name(g, hint) : NULL;
    rci_release(hint);
    return name;
}

static double integer_at(const struct rci_tensor *t, int64_t i)
{
    if (t->dtype == RC_S8)
        return ((const int8_t *) t->data)[i];
    return t->dtype == RC_U8 ? ((const uint8_t *) t->data)[i] : ((const int32_t *) t->data)[i];
}

static rc_status constant_make(struct rc_graph *g, rci_id node, rci_id *out)
{
    const struct rci_node *n = &g->nodes[node];
    const struct rci_tensor *q = rci_const_in(g, n, 0), *scale = rci_const_in(g, n, 1);
    const struct rci_tensor *zero = rci_const_in(g, n, 2);
    if (!scale || scale->dtype != RC_F32 || (n->n_in > 2 && n->in[2] != RC_NONE && !zero))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": scale or zero point is no constant",
                        n->name);
    const struct rci_tensor in[3] = {*q, *scale, zero ? *zero : (struct rci_tensor){0}};
    const struct rci_quant_rows rows = rci_quant_rows(n, in);
    struct rci_tensor real = {0};
    RC_TRY(rci_tensor_new(&real, g->ctx, RC_F32, &q->shape));
    for (int64_t i = 0; i < rows.total; i++) {
        const int64_t k = (i / rows.inner) % rows.channels;
        ((float *) real.data)[i] = (float) ((integer_at(q, i) - rci_quant_zero(&in[2], k)) *
                                            (double) ((const float *) scale->data)[k]);
    }
    char *name = name_of(g, n->in[0]);
    const rc_status st = name ? rci_graph_add_const(g, out, name, &real) : RC_ERR_MEMORY;
    rci_release(name);
    rci_tensor_free(&real);
    return st;
}

static rc_status constant_drop(struct rc_graph *g, rci_id node)
{
    const rci_id from = g->nodes[node].out[0];
    rci_id to = RC_NONE;
    RC_TRY(constant_make(g, node, &to));
    RC_TRY(rci_graph_redirect(g, from, to));
    rci_graph_kill_node(g, node);
    return RC_OK;
}

/* Integers whose least one is the zero point. */
static bool cuts_negative(const struct rc_graph *g, const struct rci_node *quantize)
{
    const struct rci_tensor *zero = rci_const_in(g, quantize, 2);
    if (rci_node_quant(quantize) != RC_QUANT_TO_INTEGER || !zero)
        return false;
    const int32_t least = zero->dtype == RC_S8 ? -128 : 0;
    return zero->dtype != RC_I32 && rci_quant_zero(zero, 0) == least;
}

/* By structure; false when that is too deep to see. */
static bool non_negative(const struct rc_graph *g, rci_id v, uint32_t depth)
{
    const rci_id p = g->values[v].producer;
    if (p == RC_NONE || depth == 0)
        return p == RC_NONE && g->values[v].flags & RC_VALUE_INPUT;
    const struct rci_node *n = &g->nodes[p];
    const enum rci_sign sign = rci_node_sign(n);
    const enum rci_quant_role role = rci_node_quant(n);
    if (sign == RC_SIGN_NON_NEGATIVE || cuts_negative(g, n))
        return true;
    if (sign != RC_SIGN_KEEPS && role != RC_QUANT_PASS)
        return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != RC_NONE && !rci_value_is_const(&g->values[n->in[k]]) &&
            !non_negative(g, n->in[k], depth - 1))
            return false;
    return true;
}

/* Rounding to such integers was the Relu, which other programs leave out then. */
static rc_status relu_insert(struct rc_graph *g, rci_id node)
{
    const rci_id x = g->nodes[node].in[0], integers = g->nodes[node].out[0];
    rci_id relu;
    RC_TRY(rci_graph_add_node(g, &relu, rci_op_find(NULL, "Relu"), NULL, NULL, &x, 1, NULL, 1));
    RC_TRY(rci_graph_redirect(g, integers, g->nodes[relu].out[0]));
    rci_graph_kill_node(g, node);
    return RC_OK;
}

static rc_status node_drop(struct rc_graph *g, rci_id node)
{
    enum { DEEP = 12 };
    const struct rci_node *n = &g->nodes[node];
    const struct rci_value *x = &g->values[n->in[0]];
    if (x->flags & RC_VALUE_INPUT && is_integer(x->tensor.dtype))
        return rci_fail(RC_ERR_UNSUPPORTED, "input \"%s\" is of integers", x->name);
    if (rci_value_is_const(x) && is_integer(x->tensor.dtype))
        return constant_drop(g, node);
    if (!rci_value_is_const(x) && cuts_negative(g, n) && !non_negative(g, n->in[0], DEEP))
        return relu_insert(g, node);
    return rci_graph_bypass(g, node);
}

static bool goes(const struct rc_graph *g, const struct rci_node *n)
{
    const enum rci_quant_role role = rci_node_quant(n);
    return role == RC_QUANT_TO_INTEGER || role == RC_QUANT_TO_REAL ||
           (role == RC_QUANT_BOUND && is_integer(g->values[n->in[0]].tensor.dtype));
}

static rc_status drop_run(struct rc_graph *g, uint32_t *n_changed)
{
    const uint32_t n_nodes = g->n_nodes;
    for (rci_id i = 0; i < n_nodes; i++) {
        if (!g->nodes[i].op || !goes(g, &g->nodes[i]))
            continue;
        RC_TRY(node_drop(g, i));
        ++*n_changed;
    }
    return rci_graph_sweep(g, NULL);
}

const struct rci_pass rci_pass_drop_qdq = {
    .name = "drop_qdq",
    .summary = "a quantized graph on reals again",
    .run = drop_run,
    .approximate = true,
};
