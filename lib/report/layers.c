/* Layers of two graphs side by side: nodes with multiply-adds, matched by name. */
#include "report/report.h"
#include <string.h>

/* Graphs list their nodes in much the same order, so the search starts behind the last hit. */
struct rci_report_layer *rci_report_find_layer(struct rc_report *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const uint32_t k = (r->last_hit + 1 + i) % r->n_layers;
        if (strcmp(r->layers[k].name, name) == 0) {
            r->last_hit = k;
            return &r->layers[k];
        }
    }
    return NULL;
}

rc_status rci_report_add_layer(struct rc_report *r, const char *name, const char *op,
                               struct rci_report_layer **out)
{
    RC_TRY(rci_grow(r->ctx, &r->layers, r->n_layers, &r->cap_layers, sizeof(**out)));
    struct rci_report_layer l = {.name = rci_strdup(r->ctx, name), .op = rci_strdup(r->ctx, op)};
    if (!l.name || !l.op) {
        rci_release(l.name);
        rci_release(l.op);
        return RC_ERR_MEMORY;
    }
    *out = &r->layers[r->n_layers];
    r->layers[r->n_layers++] = l;
    return RC_OK;
}

/* Nodes without multiply-adds (activations, shapes) would bury the layers. */
static rc_status take_node(struct rc_report *r, const struct rc_graph *g, rci_id id, uint32_t which)
{
    const struct rci_node *n = &g->nodes[id];
    struct rci_cost cost;
    RC_TRY(rci_node_cost(g, id, &cost, NULL));
    if (cost.macs == 0)
        return RC_OK;
    struct rci_report_layer *l =
        which ? rci_report_find_layer(r, n->name) : NULL; /* names are unique */
    if (!l)
        RC_TRY(rci_report_add_layer(r, n->name, n->op->name, &l));
    /* channels of an image, features of a matrix: axis 1 of both */
    const struct rci_shape *s = &g->values[n->out[0]].tensor.shape;
    l->width[which] = s->rank > 1 ? (uint32_t) s->dim[1] : 1;
    l->macs[which] = cost.macs;
    return RC_OK;
}

static rc_status take_graph(struct rc_report *r, const struct rc_graph *g, uint32_t which)
{
    rci_id *order = NULL;
    uint32_t n;
    RC_TRY(rci_graph_order(g, &order, &n));
    rc_status st = RC_OK;
    for (uint32_t i = 0; st == RC_OK && i < n; i++)
        st = take_node(r, g, order[i], which);
    rci_release(order);
    return st;
}

static void clear_layers(struct rc_report *r)
{
    for (uint32_t i = 0; i < r->n_layers; i++) {
        rci_release(r->layers[i].name);
        rci_release(r->layers[i].op);
    }
    r->n_layers = r->last_hit = 0;
    r->timed = false;
    rci_diagram_free(&r->diagram);
}

rc_status rci_report_set_layers(struct rc_report *r, const struct rc_graph *before,
                                const struct rc_graph *after)
{
    clear_layers(r);
    RC_TRY(take_graph(r, before, 0));
    RC_TRY(take_graph(r, after, 1));
    return rci_diagram_make(&r->diagram, after);
}

rc_status rci_report_set_times(struct rc_report *r, int32_t which, const struct rc_session *s)
{
    static const char rest[] = "(other)"; /* steps that are no layer: reorders, what is not fused */
    if (r->n_layers == 0)
        return rci_fail(RC_ERR_STATE, "times need layers: call rc_report_set_layers first");
    for (uint32_t i = 0; i < r->n_layers; i++)
        r->layers[i].ms[which] = 0;
    for (uint32_t i = 0; i < rci_session_n_steps(s); i++) {
        struct rci_step_info info;
        rci_session_step(s, i, &info);
        struct rci_report_layer *l = rci_report_find_layer(r, info.name);
        if (!l)
            l = rci_report_find_layer(r, rest);
        if (!l)
            RC_TRY(rci_report_add_layer(r, rest, "", &l));
        /* a step handles one part of the batch; the sum of all parts is the time of a run */
        if (info.runs)
            l->ms[which] +=
                1000 * info.seconds / (double) info.runs * (double) rci_session_parts(s);
    }
    r->timed = true;
    return RC_OK;
}
