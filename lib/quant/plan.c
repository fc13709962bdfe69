/* Placement of quantized values. Roles come from the operators (rci_op.quant); values joined by
 * operators of role PASS form a class with one scale, found by union-find. */
#include "quant/plan.h"

#include <float.h>
#include <math.h>

bool rci_quant_takes(const struct rci_quant_plan *p, const struct rc_graph *g, rci_id node)
{
    return rci_quant_is_weighted(g, &g->nodes[node]) && !p->layer[node].skip;
}

/* Constants among the operands are not seen by calibration, so the common scale might not fit them;
 * values of both signs would take from the others the bit that u8 has more than s8. */
static bool node_passes(const struct rci_quant_plan *p, const struct rc_graph *g,
                        const struct rci_node *n)
{
    const struct rci_quant_value *first = NULL;
    if (rci_node_quant(n) != RC_QUANT_PASS || !n->n_out)
        return false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (n->in[k] == RC_NONE || g->values[n->in[k]].tensor.dtype != RC_F32)
            continue;
        const struct rci_quant_value *v = &p->value[n->in[k]];
        if (rci_value_is_const(&g->values[n->in[k]]) ||
            (first && v->non_negative != first->non_negative))
            return false;
        first = v;
    }
    return first != NULL;
}

static rci_id class_root(const struct rci_quant_plan *p, rci_id v)
{
    while (p->value[v].root != v)
        v = p->value[v].root;
    return v;
}

static void class_join(struct rci_quant_plan *p, rci_id a, rci_id b)
{
    a = class_root(p, a);
    b = class_root(p, b);
    p->value[a > b ? a : b].root = a < b ? a : b;
}

/* Integers (indices, shapes) have no say in it. */
static bool all_non_negative(const struct rci_quant_plan *p, const struct rc_graph *g,
                             const struct rci_node *n)
{
    bool any = false;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] == RC_NONE || g->values[n->in[i]].tensor.dtype != RC_F32)
            continue;
        if (!p->value[n->in[i]].non_negative)
            return false;
        any = true;
    }
    return any;
}

static bool output_non_negative(const struct rci_quant_plan *p, const struct rc_graph *g,
                                const struct rci_node *n)
{
    const enum rci_sign sign = rci_node_sign(n);
    if (sign == RC_SIGN_NON_NEGATIVE)
        return true;
    return (sign == RC_SIGN_KEEPS || node_passes(p, g, n)) && all_non_negative(p, g, n);
}

static bool constant_non_negative(const struct rci_tensor *t)
{
    const float *x = t->data;
    if (t->dtype != RC_F32)
        return false;
    for (int64_t i = 0, n = rci_shape_count(&t->shape); i < n; i++)
        if (!(x[i] >= 0))
            return false;
    return true;
}

static void find_non_negative(struct rci_quant_plan *p, const struct rc_graph *g,
                              const rci_id *order, uint32_t n_order)
{
    for (uint32_t v = 0; v < p->n; v++)
        if (rci_value_is_const(&g->values[v]))
            p->value[v].non_negative = constant_non_negative(&g->values[v].tensor);
    for (uint32_t i = 0; i < n_order; i++) {
        const struct rci_node *n = &g->nodes[order[i]];
        const bool positive = output_non_negative(p, g, n);
        for (uint32_t k = 0; k < n->n_out; k++)
            if (n->out[k] != RC_NONE)
                p->value[n->out[k]].non_negative = positive;
    }
}

static void want(struct rci_quant_plan *p, const struct rc_graph *g, rci_id v)
{
    if (rci_quant_is_variable(g, v))
        p->value[v].quantized = true;
}

/* What the next layers read of a sum: the value behind its activations. */
static void want_sum_output(struct rci_quant_plan *p, const struct rc_graph *g, rci_id v)
{
    for (rci_id next; (next = rci_graph_single_reader(g, v)) != RC_NONE;) {
        if (rci_node_quant(&g->nodes[next]) != RC_QUANT_BOUND)
            break;
        v = g->nodes[next].out[0];
    }
    if (!(g->values[v].flags & RC_VALUE_OUTPUT))
        want(p, g, v);
}

static bool from_weighted(const struct rci_quant_plan *p, const struct rc_graph *g, rci_id v)
{
    const rci_id producer = g->values[v].producer;
    return producer != RC_NONE && rci_quant_takes(p, g, producer) &&
           rci_graph_single_reader(g, v) != RC_NONE;
}

static void want_sum_operands(struct rci_quant_plan *p, const struct rc_graph *g,
                              const struct rci_node *n, uint32_t flags)
{
    bool spare = flags & RC_PLAN_SINGLE_RESIDUAL;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (spare && from_weighted(p, g, n->in[i]))
            spare = false; /* one operand may stay inside its convolution */
        else
            want(p, g, n->in[i]);
    }
}

/* Integers are averaged too, and the mean gets a scale of its own. */
static bool node_averages(const struct rci_node *n)
{
    struct rci_pooling pool = {.max = true};
    if (n->op && n->op->as_pooling)
        n->op->as_pooling(n, &pool);
    return !pool.max;
}

static bool any_quantized(const struct rci_quant_plan *p, const rci_id *v, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++)
        if (v[k] != RC_NONE && p->value[v[k]].quantized)
            return true;
    return false;
}

/* Backwards: what passes through must be an integer before as well, with the same scale; what is
 * averaged, with its own. */
static void spread_through_pass(struct rci_quant_plan *p, const struct rc_graph *g,
                                const rci_id *order, uint32_t n_order)
{
    for (uint32_t i = n_order; i-- > 0;) {
        const struct rci_node *n = &g->nodes[order[i]];
        rci_id from = RC_NONE; /* an output that is an integer */
        if (node_averages(n) && any_quantized(p, n->out, n->n_out))
            want(p, g, n->in[0]);
        for (uint32_t k = 0; node_passes(p, g, n) && k < n->n_out; k++)
            if (n->out[k] != RC_NONE && p->value[n->out[k]].quantized)
                from = n->out[k];
        for (uint32_t k = 0; from != RC_NONE && k < n->n_in; k++)
            if (rci_quant_is_variable(g, n->in[k])) {
                p->value[n->in[k]].quantized = true;
                class_join(p, n->in[k], from);
            }
        for (uint32_t k = 0; from != RC_NONE && k < n->n_out; k++)
            if (n->out[k] != RC_NONE && p->value[n->out[k]].quantized)
                class_join(p, n->out[k], from);
    }
}

static void plan_find_observed(struct rci_quant_plan *p, const struct rc_graph *g)
{
    for (uint32_t v = 0; v < p->n; v++) {
        const rci_id producer = g->values[v].producer;
        p->value[v].observed = p->value[v].quantized &&
                               (producer == RC_NONE || !node_passes(p, g, &g->nodes[producer]));
    }
}

/* Bits of every class: 8, or the most that its readers with weights want. */
static void find_bits(struct rci_quant_plan *p, const struct rc_graph *g)
{
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (rci_quant_takes(p, g, i)) {
            struct rci_quant_value *root = &p->value[class_root(p, g->nodes[i].in[0])];
            const uint8_t bits = p->layer[i].activation_bits;
            root->bits = root->bits < bits ? bits : root->bits;
        }
    for (uint32_t v = 0; v < p->n; v++) {
        struct rci_quant_value *root = &p->value[class_root(p, v)];
        root->bits = root->bits ? root->bits : 8;
        p->value[v].bits = root->bits;
    }
}

rc_status rci_quant_plan_new(struct rci_quant_plan *p, const struct rc_graph *g,
                             struct rci_quant_layer *layer, uint32_t flags)
{
    rci_id *order = NULL;
    uint32_t n_order = 0;
    *p = (struct rci_quant_plan){.ctx = g->ctx, .n = g->n_values, .flags = flags, .layer = layer};
    p->value = rci_alloc_array(g->ctx, p->n, sizeof(*p->value));
    if (!p->value)
        return RC_ERR_MEMORY;
    RC_TRY(rci_graph_order(g, &order, &n_order));
    for (uint32_t v = 0; v < p->n; v++)
        p->value[v] = (struct rci_quant_value){.root = v, .low = INFINITY, .high = -INFINITY};
    find_non_negative(p, g, order, n_order);
    for (uint32_t i = 0; i < n_order; i++) {
        const struct rci_node *n = &g->nodes[order[i]];
        if (rci_quant_takes(p, g, order[i]))
            want(p, g, n->in[0]);
        if (!rci_quant_is_sum(g, n) || layer[order[i]].skip)
            continue;
        want_sum_operands(p, g, n, flags);
        want_sum_output(p, g, n->out[0]);
    }
    spread_through_pass(p, g, order, n_order);
    plan_find_observed(p, g);
    find_bits(p, g);
    rci_release(order);
    return RC_OK;
}

void rci_quant_plan_free(struct rci_quant_plan *p)
{
    rci_release(p->value);
    rci_release(p->layer);
    *p = (struct rci_quant_plan){0};
}

/* An input image may be non-negative without a node that says so; the data decide. */
static bool is_unsigned(const struct rc_graph *g, rci_id v, const struct rci_quant_value *q)
{
    return q->non_negative ||
           (g->values[v].flags & RC_VALUE_INPUT && q->low >= 0 && q->low <= q->high);
}

void rci_quant_plan_types(struct rci_quant_plan *p, const struct rc_graph *g)
{
    for (uint32_t v = 0; v < p->n; v++)
        p->value[v].type = RC_U8;
    for (uint32_t v = 0; v < p->n; v++)
        if (p->value[v].observed && (p->flags & RC_PLAN_SIGNED || !is_unsigned(g, v, &p->value[v])))
            p->value[class_root(p, v)].type = RC_S8;
    for (uint32_t v = 0; v < p->n; v++)
        p->value[v].type = p->value[class_root(p, v)].type;
}

void rci_quant_range(const struct rci_quant_value *v, int32_t *low, int32_t *high)
{
    const int32_t levels = 1 << v->bits;
    *low = v->type == RC_U8 ? 0 : -levels / 2;
    *high = v->type == RC_U8 ? levels - 1 : levels / 2 - 1;
}

float rci_quant_power_of_two(float scale)
{
    int e;
    const float m = frexpf(scale, &e); /* 0.5 <= m < 1 */
    return ldexpf(1, m == 0.5f ? e - 1 : e);
}

void rci_quant_plan_scales(struct rci_quant_plan *p)
{
    for (uint32_t v = 0; v < p->n; v++)
        p->value[v].scale = 0;
    for (uint32_t v = 0; v < p->n; v++) {
        struct rci_quant_value *root = &p->value[class_root(p, v)];
        int32_t low, high;
        rci_quant_range(root, &low, &high);
        if (p->value[v].observed)
            root->scale = fmaxf(root->scale, (float) p->value[v].amax / (float) high);
    }
    for (uint32_t v = 0; v < p->n; v++) {
        struct rci_quant_value *root = &p->value[class_root(p, v)];
        if (!(root->scale >= FLT_MIN))
            root->scale = 1; /* only zeros were seen */
        if (p->flags & RC_PLAN_POWER_OF_TWO)
            root->scale = rci_quant_power_of_two(root->scale);
        p->value[v].scale = root->scale;
    }
}
