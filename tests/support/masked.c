#include "masked.h"

#include "base/rng.h"
#include "prune/budget.h"

static void zero_index(struct rci_tensor *t, uint32_t axis, int64_t index)
{
    int64_t inner = 1, outer = 1;
    for (uint32_t a = 0; a < t->shape.rank; a++)
        *(a < axis ? &outer : &inner) *= a == axis ? 1 : t->shape.dim[a];
    for (int64_t o = 0; o < outer; o++)
        memset((float *) t->data + (o * t->shape.dim[axis] + index) * inner, 0,
               (size_t) inner * sizeof(float));
}

/* Zero all weights of the unit, or only those that make the channel. */
static void mask_unit(const struct rci_coupling *c, uint32_t unit, struct rc_graph *g, bool readers)
{
    uint32_t n;
    const uint32_t *id = rci_unit_ids(c, unit, &n);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t row = c->links->row_of[id[i]];
        if (c->kind[row] && (readers || c->kind[row] != RC_MEMBER_IN))
            zero_index(&g->values[row / RC_MAX_DIMS].tensor, row % RC_MAX_DIMS,
                       id[i] - c->links->base[row]);
    }
}

void masked_cut(const struct rc_graph *g, uint64_t seed, double share, bool readers,
                struct masked *f)
{
    struct rci_coupling *c;
    struct rci_budget *b;
    struct rci_graph_cost cost;
    struct rci_rng r = rci_rng_make(seed, 0, 0);
    OK(rci_coupling_new(&c, g));
    OK(rci_budget_new(&b, c));
    OK(rci_graph_clone(&f->masked, g));
    OK(rci_graph_clone(&f->cut, g));
    uint8_t *keep = rci_alloc(g->ctx, c->links->n_ids);
    memset(keep, 1, c->links->n_ids);
    f->removed = 0;
    for (uint32_t i = 0; i < c->n_groups; i++) {
        const struct rci_prune_group *p = &c->group[i];
        const uint32_t stays = rci_rng_below(&r, p->n_units);
        for (uint32_t u = 0; u < p->n_units; u++) {
            const bool goes = rci_rng_uniform(&r) < share;
            if (p->fixed_by != RC_NONE || u == stays || !goes)
                continue;
            uint32_t n;
            const uint32_t *id = rci_unit_ids(c, p->unit[u], &n);
            for (uint32_t k = 0; k < n; k++)
                keep[id[k]] = 0;
            mask_unit(c, p->unit[u], f->masked, readers);
            rci_budget_change(b, &p->unit[u], 1, -1);
            f->removed++;
        }
    }
    OK(rci_graph_cut(f->cut, c->links, keep));
    OK(rci_graph_cost(f->cut, &cost));
    assert_int_equal(cost.macs, b->macs);
    assert_int_equal(cost.parameters, b->parameters);
    rci_release(keep);
    rci_budget_free(b);
    rci_coupling_free(c);
}

void masked_done(struct masked *f)
{
    rci_graph_free(f->masked);
    rci_graph_free(f->cut);
}
