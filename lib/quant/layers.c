/* Bits of every layer. First and last layers are found by walking from the inputs and the outputs
 * of the graph to the nearest layers with weights; sums of computed values end the walk, so that
 * a network that ends in a residual sum has no last layer. */
#include "quant/layers.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

bool rci_quant_is_variable(const struct rc_graph *g, rci_id v)
{
    return v != RC_NONE && !rci_value_is_const(&g->values[v]) &&
           g->values[v].tensor.dtype == RC_F32;
}

bool rci_quant_is_weighted(const struct rc_graph *g, const struct rci_node *n)
{
    if (rci_node_quant(n) != RC_QUANT_WEIGHTED || n->n_in < 2)
        return false;
    struct rci_weighted product;
    const struct rci_tensor *w = rci_const_in(g, n, 1);
    n->op->as_weighted(g, n, &product);
    return w && w->dtype == RC_F32 && (product.window ? w->shape.rank > 2 : w->shape.rank == 2) &&
           rci_quant_is_variable(g, n->in[0]);
}

bool rci_quant_is_sum(const struct rc_graph *g, const struct rci_node *n)
{
    if (rci_node_quant(n) != RC_QUANT_REQUANT)
        return false;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (!rci_quant_is_variable(g, n->in[i]))
            return false;
    return true;
}

/* --- first and last --- */

static bool any_of(const bool *mark, const rci_id *v, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++)
        if (v[k] != RC_NONE && mark[v[k]])
            return true;
    return false;
}

/* mark: [values] reached so far. */
static void step_over(const struct rc_graph *g, rci_id node, bool *mark, bool forward,
                      struct rci_quant_layer *layer)
{
    const struct rci_node *n = &g->nodes[node];
    if (!any_of(mark, forward ? n->in : n->out, forward ? n->n_in : n->n_out))
        return;
    if (rci_quant_is_weighted(g, n)) {
        layer[node].edge = true;
        return;
    }
    if (rci_quant_is_sum(g, n))
        return;
    for (uint32_t k = 0; k < (forward ? n->n_out : n->n_in); k++)
        if ((forward ? n->out : n->in)[k] != RC_NONE)
            mark[(forward ? n->out : n->in)[k]] = true;
}

static rc_status find_edges(struct rci_quant_layer *layer, const struct rc_graph *g)
{
    rci_id *order;
    uint32_t n;
    RC_TRY(rci_graph_order(g, &order, &n));
    bool *from = rci_alloc_array(g->ctx, g->n_values, sizeof(bool));
    bool *to = rci_alloc_array(g->ctx, g->n_values, sizeof(bool));
    for (uint32_t i = 0; from && i < g->n_inputs; i++)
        from[g->inputs[i]] = true;
    for (uint32_t i = 0; to && i < g->n_outputs; i++)
        to[g->outputs[i]] = true;
    for (uint32_t i = 0; from && to && i < n; i++) {
        step_over(g, order[i], from, true, layer);
        step_over(g, order[n - 1 - i], to, false, layer);
    }
    const rc_status st = from && to ? RC_OK : RC_ERR_MEMORY;
    rci_release(from);
    rci_release(to);
    rci_release(order);
    return st;
}

/* --- by name --- */

/* Of a node or of its weights. */
static bool layer_matches(const struct rc_graph *g, rci_id node, const char *pattern)
{
    const struct rci_node *n = &g->nodes[node];
    if (!n->op || !(rci_quant_is_weighted(g, n) || rci_quant_is_sum(g, n)))
        return false;
    return !fnmatch(pattern, n->name, 0) ||
           (rci_quant_is_weighted(g, n) && !fnmatch(pattern, g->values[n->in[1]].name, 0));
}

static rc_status skip_layers(struct rci_quant_layer *layer, const struct rc_graph *g,
                             const char *pattern)
{
    bool found = false;
    if (!pattern)
        return rci_fail(RC_ERR_ARG, "an entry of skip is NULL");
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (layer_matches(g, i, pattern))
            layer[i].skip = found = true;
    return found ? RC_OK
                 : rci_fail(RC_ERR_ARG, "skip: \"%s\" matches no layer that is quantized", pattern);
}

/* What stands before "=": one of the two keys. */
static uint8_t *key_of(struct rci_quant_layer *l, const char *text)
{
    if (!strncmp(text, "weights=", 8))
        return &l->weight_bits;
    return strncmp(text, "acts=", 5) ? NULL : &l->activation_bits;
}

static rc_status read_settings(struct rci_quant_layer *l, const char *text, const char *all)
{
    do {
        uint8_t *to = key_of(l, text);
        const char *equals = strchr(text, '=');
        char *end = NULL;
        errno = 0;
        const long bits = to ? strtol(equals + 1, &end, 10) : 0;
        if (!to || errno || end == equals + 1 || (*end && *end != ',') || bits < 2 || bits > 8)
            return rci_fail(RC_ERR_ARG,
                            "overrides: \"%s\": expected PATTERN:weights=B,acts=B with 2 to 8 bits",
                            all);
        *to = (uint8_t) bits;
        text = *end ? end + 1 : NULL;
    } while (text);
    return RC_OK;
}

/* Names may have colons themselves: a pattern ends before ":weights=" or ":acts=". */
static rc_status override_layers(struct rci_quant_layer *layer, const struct rc_graph *g,
                                 const char *text)
{
    struct rci_quant_layer set = {0};
    bool found = false;
    if (!text)
        return rci_fail(RC_ERR_ARG, "an entry of overrides is NULL");
    const char *colon = strchr(text, ':');
    while (colon && !key_of(&set, colon + 1))
        colon = strchr(colon + 1, ':');
    RC_TRY(read_settings(&set, colon ? colon + 1 : "", text));
    char *pattern = rci_format(g->ctx, "%.*s", (int) (colon - text), text);
    if (!pattern)
        return RC_ERR_MEMORY;
    for (rci_id i = 0; i < g->n_nodes; i++) {
        if (!layer_matches(g, i, pattern) || !rci_quant_is_weighted(g, &g->nodes[i]))
            continue;
        found = true;
        if (set.weight_bits)
            layer[i].weight_bits = set.weight_bits;
        if (set.activation_bits)
            layer[i].activation_bits = set.activation_bits;
    }
    const rc_status st =
        found ? RC_OK
              : rci_fail(RC_ERR_ARG, "overrides: \"%s\" matches no layer with weights", pattern);
    rci_release(pattern);
    return st;
}

static rc_status fill_layers(struct rci_quant_layer *layer, const struct rc_graph *g,
                             const rc_quantize_options *o)
{
    RC_TRY(find_edges(layer, g));
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const bool whole = layer[i].edge && !(o->flags & RC_QUANTIZE_SAME_EDGES);
        layer[i].weight_bits = whole ? 8 : (uint8_t) o->weight_bits;
        layer[i].activation_bits = whole ? 8 : (uint8_t) o->activation_bits;
    }
    for (uint64_t i = 0; i < o->override_count; i++)
        RC_TRY(override_layers(layer, g, o->overrides[i]));
    for (uint64_t i = 0; i < o->skip_count; i++)
        RC_TRY(skip_layers(layer, g, o->skip[i]));
    return RC_OK;
}

rc_status rci_quant_layers_new(struct rci_quant_layer **layer, const struct rc_graph *g,
                               const rc_quantize_options *o)
{
    *layer = rci_alloc_array(g->ctx, g->n_nodes, sizeof(**layer));
    if (!*layer)
        return RC_ERR_MEMORY;
    const rc_status st = fill_layers(*layer, g, o);
    if (st != RC_OK) {
        rci_release(*layer);
        *layer = NULL;
    }
    return st;
}
