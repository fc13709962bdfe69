/* New weights for a compiled plan: constants are packed again, kernels and buffers stay. */
#include "exec/plan.h"

#include <string.h>

static bool was_const(const struct rci_plan *p, rci_id v)
{
    return p->primary[v] != RC_NONE && p->slots[p->primary[v]].place == RC_AT_CONST;
}

static bool same_value(const struct rci_plan *p, const struct rc_graph *g, rci_id v)
{
    const struct rci_tensor *t = &g->values[v].tensor;
    if (p->primary[v] == RC_NONE)
        return true; /* no step reads it */
    if (rci_value_is_const(&g->values[v]) != was_const(p, v))
        return false;
    return !was_const(p, v) ||
           (t->dtype == p->shape[v].dtype && rci_shape_equal(&t->shape, &p->shape[v].shape));
}

/* What was decided for the node holds with the constants of `g`. */
static bool renewable(const struct rci_plan *p, const struct rc_graph *g, rci_id id)
{
    const struct rci_node *n = &p->g->nodes[id];
    const struct rci_prep *prep = p->planned[id].prep;
    if (p->planned[id].how != RC_HOW_FAST)
        return true;
    if (prep->values_at_run)
        return !prep->suits || prep->suits(prep->state, g->values[n->in[1]].tensor.data);
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] != RC_NONE && was_const(p, n->in[i]))
            return false;
    return true;
}

static bool same_ids(const rci_id *a, const rci_id *b, uint32_t n)
{
    return n == 0 || !memcmp(a, b, n * sizeof(*a));
}

static bool same_node(const struct rci_node *a, const struct rci_node *b)
{
    if (a->op != b->op || !a->op)
        return a->op == b->op;
    return a->n_in == b->n_in && a->n_out == b->n_out && a->n_post == b->n_post &&
           same_ids(a->in, b->in, a->n_in) && same_ids(a->out, b->out, a->n_out) &&
           (!a->op->attr_size || !memcmp(a->attrs, b->attrs, a->op->attr_size)) &&
           !memcmp(a->post, b->post, a->n_post * sizeof(*a->post));
}

bool rci_plan_fits(const struct rci_plan *p, const struct rc_graph *g)
{
    const struct rc_graph *h = p->g;
    if (p->training || g->n_nodes != h->n_nodes || g->n_values != h->n_values ||
        g->n_inputs != h->n_inputs || g->n_outputs != h->n_outputs ||
        !same_ids(g->inputs, h->inputs, g->n_inputs) ||
        !same_ids(g->outputs, h->outputs, g->n_outputs))
        return false;
    for (rci_id v = 0; v < g->n_values; v++)
        if (!same_value(p, g, v))
            return false;
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (!same_node(&g->nodes[i], &h->nodes[i]) || !renewable(p, g, i))
            return false;
    return true;
}

/* The slot holds a constant in packed form. */
static bool is_packed(const struct rci_plan *p, uint32_t i)
{
    const struct rci_slot *s = &p->slots[i];
    return s->root == i && s->place == RC_AT_OWN && s->value != RC_NONE && was_const(p, s->value);
}

/* Cannot fail: plain constants in their places, packed ones exchanged. Others may share those. */
static void renew_take(struct rci_plan *p, const struct rc_graph *g, void **fresh)
{
    for (uint32_t i = 0; i < p->n_slots; i++) {
        struct rci_slot *s = &p->slots[i];
        if (fresh[i]) {
            rci_release(s->data);
            s->data = fresh[i];
        } else if (s->root == i && s->place == RC_AT_CONST && s->data) {
            memcpy(s->data, g->values[s->value].tensor.data, s->bytes);
        }
    }
    rci_plan_bind(p);
}

rc_status rci_plan_renew(struct rci_plan *p, const struct rc_graph *g)
{
    void **fresh = rci_alloc_array(p->ctx, p->n_slots + 1u, sizeof(*fresh));
    rc_status st = fresh ? RC_OK : RC_ERR_MEMORY;
    for (uint32_t i = 0; st == RC_OK && i < p->n_slots; i++)
        if (is_packed(p, i))
            st = rci_slot_pack(p, i, g->values[p->slots[i].value].tensor.data, &fresh[i]);
    if (st == RC_OK)
        renew_take(p, g, fresh);
    for (uint32_t i = 0; fresh && st != RC_OK && i < p->n_slots; i++)
        rci_release(fresh[i]);
    rci_packed_trim(p->ctx);
    rci_release(fresh);
    return st;
}
