/* A graph run by its plain operators on random numbers, node by node, and compared with another by
 * the names of values: what a pass has changed must not change what is computed. */
#include "pass/check.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

static const double tolerance = 1e-4; /* of the largest number of the value */

/* The same numbers for the same name and shape. */
static rc_status check_input(const struct rc_graph *g, rci_id v, struct rci_tensor *out)
{
    const struct rci_value *x = &g->values[v];
    uint64_t stream = 14695981039346656037u;
    for (const char *c = x->name; *c; c++)
        stream = (stream ^ (unsigned char) *c) * 1099511628211u;
    struct rci_rng r = rci_rng_make(g->ctx->o.seed, stream, 0);
    RC_TRY(rci_tensor_new(out, g->ctx, x->tensor.dtype, &x->tensor.shape));
    const int64_t n = rci_shape_count(&out->shape);
    for (int64_t i = 0; i < n; i++) {
        const double normal = rci_rng_normal(&r);
        if (out->dtype == RC_F32)
            ((float *) out->data)[i] = (float) normal;
        else if (rci_dtype_size(out->dtype) == 1)
            ((uint8_t *) out->data)[i] =
                out->dtype == RC_BOOL ? normal > 0 : (uint8_t) (normal * 40);
    }
    return RC_OK;
}

static rc_status check_node(const struct rc_graph *g, const struct rci_node *n,
                            struct rci_tensor *value)
{
    struct rci_tensor in[RC_AROUND_MOST] = {0}, out[RC_AROUND_MOST] = {0};
    if (n->n_in > RC_AROUND_MOST || n->n_out > RC_AROUND_MOST || !n->op->forward)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\" cannot be checked", n->name);
    rci_node_operands(g, n, value, in);
    const struct rci_infer infer = {g, n, in, out};
    RC_TRY(n->op->infer(&infer));
    rc_status st = RC_OK;
    for (uint32_t k = 0; k < n->n_out && st == RC_OK; k++) {
        const struct rci_shape shape = out[k].shape;
        st = rci_tensor_new(&out[k], g->ctx, out[k].dtype, &shape);
    }
    const struct rci_call call = {.node = n, .ctx = g->ctx, .in = in, .out = out};
    if (st == RC_OK)
        st = n->op->forward(&call);
    for (uint32_t k = 0; k < n->n_out; k++) {
        if (n->out[k] != RC_NONE)
            value[n->out[k]] = out[k];
        else
            rci_tensor_free(&out[k]);
    }
    return st;
}

rc_status rci_check_start(struct rci_check *c, const struct rc_graph *g)
{
    return rci_check_start_on(c, g, NULL);
}

rc_status rci_check_start_on(struct rci_check *c, const struct rc_graph *g,
                             const struct rci_tensor *inputs)
{
    rci_id *order = NULL;
    uint32_t n = 0;
    *c = (struct rci_check){g, rci_alloc_array(g->ctx, g->n_values + 1u, sizeof(*c->value))};
    rc_status st = c->value ? rci_graph_order(g, &order, &n) : RC_ERR_MEMORY;
    for (rci_id v = 0; v < g->n_values && st == RC_OK; v++)
        if (rci_value_is_const(&g->values[v]))
            c->value[v] = g->values[v].tensor;
    for (uint32_t i = 0; i < g->n_inputs && st == RC_OK; i++) {
        struct rci_tensor *to = &c->value[g->inputs[i]];
        st = inputs ? rci_tensor_copy(to, g->ctx, &inputs[i]) : check_input(g, g->inputs[i], to);
    }
    for (uint32_t i = 0; i < n && st == RC_OK; i++) {
        st = rci_check_cancel(g->ctx);
        if (st == RC_OK)
            st = check_node(g, &g->nodes[order[i]], c->value);
    }
    rci_release(order);
    if (st != RC_OK)
        rci_check_end(c);
    return st;
}

void rci_check_end(struct rci_check *c)
{
    for (rci_id v = 0; c->value && v < c->g->n_values; v++)
        if (!rci_value_is_const(&c->g->values[v]))
            rci_tensor_free(&c->value[v]);
    rci_release(c->value);
    c->value = NULL;
}

/* Relative to the largest number; infinity where shapes, types or integers differ. */
double rci_check_difference(const struct rci_tensor *a, const struct rci_tensor *b)
{
    double worst = 0, scale = 0;
    if (a->dtype != b->dtype || !rci_shape_equal(&a->shape, &b->shape))
        return INFINITY;
    if (a->dtype != RC_F32)
        return memcmp(a->data, b->data, rci_tensor_bytes(a)) ? INFINITY : 0;
    const float *x = a->data, *y = b->data;
    for (int64_t i = 0, n = rci_shape_count(&a->shape); i < n; i++) {
        if (isnan(x[i]) != isnan(y[i]))
            return INFINITY;
        if (isnan(x[i]) || x[i] == y[i])
            continue;
        worst = fmax(worst, fabs((double) x[i] - (double) y[i]));
        scale = fmax(scale, fabs((double) x[i]));
    }
    return worst > 0 ? worst / fmax(scale, 1e-30) : 0;
}

/* 0 where one of the two has no such value. */
static double check_value(const struct rci_check *c, const struct rci_check *d, rci_id v)
{
    const rci_id w = rci_graph_find_value(d->g, c->g->values[v].name);
    if (w == RC_NONE || !c->value[v].data || !d->value[w].data ||
        rci_value_is_const(&c->g->values[v]))
        return 0;
    return rci_check_difference(&c->value[v], &d->value[w]);
}

/* Values in between may change their meaning (a convolution that took a normalisation in), so they
 * are looked at only when an output differs. */
static rc_status check_first(const struct rci_check *c, const struct rci_check *d, const char *what)
{
    rci_id *order = NULL;
    uint32_t n = 0;
    RC_TRY(rci_graph_order(c->g, &order, &n));
    rc_status st = RC_OK;
    for (uint32_t i = 0; i < n && st == RC_OK; i++) {
        const struct rci_node *node = &c->g->nodes[order[i]];
        for (uint32_t k = 0; k < node->n_out && st == RC_OK; k++) {
            const double worst = node->out[k] == RC_NONE ? 0 : check_value(c, d, node->out[k]);
            if (worst > tolerance)
                st =
                    rci_fail(RC_ERR_STATE,
                             "%s: value \"%s\" is the first to differ, by %g of its largest number",
                             what, c->g->values[node->out[k]].name, worst);
        }
    }
    rci_release(order);
    return st;
}

rc_status rci_check_compare(const struct rci_check *c, const struct rc_graph *other,
                            const char *what)
{
    struct rci_check d;
    rc_status st = RC_OK;
    if (c->g->n_outputs != other->n_outputs)
        return rci_fail(RC_ERR_STATE, "%s: %u outputs, there were %u", what, other->n_outputs,
                        c->g->n_outputs);
    RC_TRY(rci_check_start(&d, other));
    for (uint32_t i = 0; i < other->n_outputs && st == RC_OK; i++) {
        const rci_id v = c->g->outputs[i];
        if (strcmp(c->g->values[v].name, other->values[other->outputs[i]].name) != 0)
            st = rci_fail(RC_ERR_STATE, "%s: output \"%s\" became \"%s\"", what,
                          c->g->values[v].name, other->values[other->outputs[i]].name);
        else if (check_value(c, &d, v) > tolerance)
            st = check_first(c, &d, what);
    }
    rci_check_end(&d);
    return st;
}
