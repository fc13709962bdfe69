/* Layers with weights, in topological order, each with the other work behind it: an operator that
 * has no weights belongs to the deepest layer whose result it reads, for that one runs last. */
#include "search/layer.h"

#include "op/layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const rci_precision_name[RC_PRECISIONS] = {"f32", "bf16", "int8"};

/* Layers under construction; owner and depth are of values. */
struct survey {
    const struct rc_graph *g;
    rci_id *order;
    uint32_t n_order, n;
    struct rci_layer *layer;
    uint32_t *owner, *depth; /* [n_values] layer, RC_NONE: none; layers on the longest way to it */
};

static bool layer_is(const struct rc_graph *g, const struct rci_node *n)
{
    if (!n->op->as_weighted || n->n_in < 2 || n->in[0] == RC_NONE || n->in[1] == RC_NONE)
        return false;
    return g->values[n->in[0]].tensor.shape.rank >= 2 && g->values[n->in[1]].tensor.shape.rank >= 2;
}

/* What takes time of its own in a session: no activation that is fused, no affine map that is
 * folded, no view, nothing that only changes types. */
static bool layer_is_work(const struct rci_node *n)
{
    const enum rci_quant_role role = rci_node_quant(n);
    if (role == RC_QUANT_TO_INTEGER || role == RC_QUANT_TO_REAL || n->op->as_norm || n->op->as_post)
        return false;
    return !rci_node_has(n, RC_OP_VIEW) && !rci_node_has(n, RC_OP_KEEPS);
}

static enum rci_precision layer_precision(const struct rc_graph *g, const struct rci_node *n)
{
    const bool integers = rci_graph_quant_producer(g, n->in[0], RC_QUANT_TO_REAL) != NULL;
    return integers ? RC_PRECISION_INT8 : RC_PRECISION_F32;
}

static void layer_fill(const struct rc_graph *g, const struct rci_node *n, struct rci_layer *l)
{
    struct rci_weighted w = {0};
    const struct rci_shape *x = &g->values[n->in[0]].tensor.shape;
    const struct rci_shape *k = &g->values[n->in[1]].tensor.shape;
    struct rci_layer_key *key = &l->key;
    n->op->as_weighted(g, n, &w);
    snprintf(key->op, sizeof(key->op), "%s", n->op->name);
    key->kernel[0] = key->kernel[1] = key->stride[0] = key->stride[1] = 1;
    key->input[0] = key->input[1] = key->groups = 1;
    key->precision = layer_precision(g, n);
    l->out = k->dim[w.axis < k->rank ? w.axis : 0];
    if (!w.window) {
        l->in = x->dim[x->rank - 1];
        key->input[1] = rci_shape_count(x) / (l->in * g->batch);
        return;
    }
    l->in = x->dim[1];
    for (uint32_t a = 0; a < 2; a++) {
        const bool has = a + 2 < x->rank && a + 2 < k->rank;
        key->kernel[a] = has ? k->dim[2 + a] : 1;
        key->input[a] = has ? x->dim[2 + a] : 1;
        key->stride[a] = w.window->window.stride[a] ? w.window->window.stride[a] : 1;
    }
    const int64_t groups = w.window->group ? w.window->group : 1;
    key->groups = groups > 1 && groups == l->in ? 0 : groups;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Names in order, as far as there is room. */
static void layer_write_tail(struct survey *s, uint32_t layer, const uint32_t *owner_of_node)
{
    enum { MOST = 16 };
    const char *name[MOST];
    uint32_t n = 0;
    size_t used = 0;
    struct rci_layer_key *key = &s->layer[layer].key;
    for (uint32_t i = 0; i < s->n_order && n < MOST; i++)
        if (owner_of_node[i] == layer)
            name[n++] = s->g->nodes[s->order[i]].op->name;
    qsort(name, n, sizeof(*name), by_name);
    for (uint32_t i = 0; i < n; i++) {
        const size_t room = sizeof(key->tail) - used;
        if (strlen(name[i]) + 2 > room)
            break;
        used += (size_t) snprintf(key->tail + used, room, "%s%s", i ? "," : "", name[i]);
    }
}

static uint32_t layer_deepest(const struct survey *s, const struct rci_node *n, uint32_t *depth)
{
    uint32_t owner = RC_NONE;
    *depth = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const rci_id v = n->in[k];
        if (v == RC_NONE || s->owner[v] == RC_NONE || s->depth[v] <= *depth)
            continue;
        *depth = s->depth[v];
        owner = s->owner[v];
    }
    return owner;
}

static rc_status layer_walk(struct survey *s)
{
    uint32_t *of_node = rci_alloc_array(s->g->ctx, s->n_order + 1, sizeof(*of_node));
    if (!of_node)
        return RC_ERR_MEMORY;
    memset(s->owner, 0xFF, s->g->n_values * sizeof(*s->owner));
    for (uint32_t i = 0; i < s->n_order; i++) {
        const struct rci_node *n = &s->g->nodes[s->order[i]];
        uint32_t depth, owner = layer_deepest(s, n, &depth);
        of_node[i] = owner != RC_NONE && layer_is_work(n) ? owner : RC_NONE;
        if (layer_is(s->g, n)) {
            layer_fill(s->g, n, &s->layer[s->n]);
            s->layer[s->n].node = s->order[i];
            owner = s->n++;
            depth++;
            of_node[i] = RC_NONE;
        }
        for (uint32_t k = 0; k < n->n_out; k++)
            if (n->out[k] != RC_NONE) {
                s->owner[n->out[k]] = owner;
                s->depth[n->out[k]] = depth;
            }
    }
    for (uint32_t l = 0; l < s->n; l++)
        layer_write_tail(s, l, of_node);
    rci_release(of_node);
    return RC_OK;
}

rc_status rci_layers_of(struct rci_layer **out, uint32_t *n, const struct rc_graph *g)
{
    struct survey s = {.g = g};
    *out = NULL;
    *n = 0;
    RC_TRY(rci_graph_order(g, &s.order, &s.n_order));
    s.layer = rci_alloc_array(g->ctx, s.n_order + 1, sizeof(*s.layer));
    s.owner = rci_alloc_array(g->ctx, g->n_values + 1, sizeof(*s.owner));
    s.depth = rci_alloc_array(g->ctx, g->n_values + 1, sizeof(*s.depth));
    rc_status st = s.layer && s.owner && s.depth ? RC_OK : RC_ERR_MEMORY;
    if (st == RC_OK) {
        memset(s.layer, 0, (s.n_order + 1) * sizeof(*s.layer));
        st = layer_walk(&s);
    }
    rci_release(s.order);
    rci_release(s.owner);
    rci_release(s.depth);
    if (st != RC_OK) {
        rci_release(s.layer);
        return st;
    }
    *out = s.layer;
    *n = s.n;
    return RC_OK;
}

bool rci_layer_same_work(const struct rci_layer_key *a, const struct rci_layer_key *b)
{
    return a->precision == b->precision && a->groups == b->groups && !strcmp(a->op, b->op) &&
           !memcmp(a->kernel, b->kernel, sizeof(a->kernel)) &&
           !memcmp(a->stride, b->stride, sizeof(a->stride)) &&
           !memcmp(a->input, b->input, sizeof(a->input));
}

bool rci_layer_same(const struct rci_layer_key *a, const struct rci_layer_key *b)
{
    return rci_layer_same_work(a, b) && !strcmp(a->tail, b->tail);
}

void rci_layer_describe(const struct rci_layer_key *k, char *text, size_t size)
{
    const char *depthwise = k->groups ? "" : " depthwise";
    snprintf(text, size, "%s%s %lldx%lld, stride %lld, at %lldx%lld, %s", k->op, depthwise,
             (long long) k->kernel[0], (long long) k->kernel[1], (long long) k->stride[0],
             (long long) k->input[0], (long long) k->input[1], rci_precision_name[k->precision]);
}
