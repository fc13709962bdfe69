/* Sums of gradients. A value's gradient has the layout of the value; the first contribution is
 * stored (or shares the memory it came from), later ones are added. */
#include "exec/tape_plan.h"

static const struct rci_md *layout(const struct rci_tape *t, rci_id v)
{
    const struct rci_plan *p = &t->plan;
    if (t->fixed[v] != RC_NONE || p->primary[v] == RC_NONE)
        return NULL;
    return p->slots[p->primary[v]].md;
}

static struct rci_slot *root_of(struct rci_tape *t, uint32_t slot)
{
    return &t->plan.slots[rci_slot_root(&t->plan, slot)];
}

/* `pending` of a root counts the gradients that live there and are still to be read. */
static void hold(struct rci_tape *t, rci_id v, uint32_t slot)
{
    if (t->grad[v] != RC_NONE)
        root_of(t, t->grad[v])->pending--;
    t->grad[v] = slot;
    root_of(t, slot)->pending++;
}

void rci_grad_done(struct rci_tape *t, rci_id v)
{
    if (t->grad[v] != RC_NONE)
        root_of(t, t->grad[v])->pending--;
}

/* A join adds two contributions while it masks them. */
static bool producer_adds(const struct rci_tape *t, rci_id v)
{
    const rci_id p = t->plan.g->values[v].producer;
    return p != RC_NONE && t->plan.planned[p].how == RC_HOW_JOIN;
}

static rc_status make(struct rci_tape *t, rci_id v)
{
    uint32_t slot = t->fixed[v];
    if (slot == RC_NONE)
        RC_TRY(rci_slot_add_gradient(&t->plan, &slot, v, layout(t, v)));
    hold(t, v, slot);
    return RC_OK;
}

rc_status rci_grad_target(struct rci_tape *t, uint32_t *slot, rci_id v, const struct rci_md *md)
{
    if (t->grad[v] == RC_NONE && rci_md_same(md, layout(t, v))) {
        RC_TRY(make(t, v));
        *slot = t->grad[v];
        return RC_OK;
    }
    return rci_slot_add_gradient(&t->plan, slot, v, md);
}

static rc_status first(struct rci_tape *t, rci_id v, uint32_t slot, bool is_private)
{
    if (t->fixed[v] != RC_NONE) {
        RC_TRY(make(t, v));
        return rci_move_copy(&t->plan, slot, t->grad[v]);
    }
    if (!is_private) {
        uint32_t alias;
        RC_TRY(rci_slot_add_gradient(&t->plan, &alias, v, layout(t, v)));
        t->plan.slots[alias].root = rci_slot_root(&t->plan, slot);
        slot = alias;
    }
    hold(t, v, slot);
    return RC_OK;
}

rc_status rci_grad_give(struct rci_tape *t, rci_id v, uint32_t slot, bool is_private)
{
    struct rci_plan *p = &t->plan;
    if (slot == t->grad[v])
        return RC_OK;
    if (!rci_md_same(p->slots[slot].md, layout(t, v))) {
        uint32_t to;
        RC_TRY(rci_grad_target(t, &to, v, layout(t, v)));
        RC_TRY(rci_move_reorder(p, slot, to, v));
        if (to == t->grad[v])
            return RC_OK;
        slot = to;
        is_private = true;
    }
    const uint32_t have = t->grad[v];
    if (have == RC_NONE)
        return first(t, v, slot, is_private);
    if (t->second[v] == RC_NONE && producer_adds(t, v)) {
        t->second[v] = slot;
        root_of(t, slot)->pending++;
        return RC_OK;
    }
    if (t->fixed[v] != RC_NONE || root_of(t, have)->pending == 1)
        return rci_move_add(p, have, slot, have);
    /* the sum so far shares memory with another gradient: leave that alone */
    uint32_t to = slot;
    if (!is_private)
        RC_TRY(rci_slot_add_gradient(p, &to, v, layout(t, v)));
    RC_TRY(rci_move_add(p, have, slot, to));
    hold(t, v, to);
    return RC_OK;
}

rc_status rci_grad_mask(struct rci_tape *t, rci_id v)
{
    struct rci_plan *p = &t->plan;
    const uint32_t a = t->grad[v], b = t->second[v];
    uint32_t to = RC_NONE;
    if (root_of(t, a)->pending == 1)
        to = a;
    else if (b != RC_NONE && root_of(t, b)->pending == 1)
        to = b;
    else
        RC_TRY(rci_slot_add(p, &to, v, layout(t, v)));
    RC_TRY(rci_move_mask(p, a, b, p->primary[v], to));
    hold(t, v, to);
    if (b != RC_NONE)
        root_of(t, b)->pending--;
    t->second[v] = RC_NONE;
    return RC_OK;
}
