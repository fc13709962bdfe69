/* Blocks against channels. The plan of channels has a price: the loss per cost of the last channel
 * that it took. A block whose rest, loss beyond what its own channels lost already, costs less per
 * what it still computes goes as a whole, if the plan anew then loses less in all. */
#include "prune/pruner.h"

#include <math.h>
#include <string.h>

enum { BLOCK_IMAGES = 256 };

/* --- the blocks of a pruner --- */

/* Is every layer that the group belongs to inside the block? */
static bool group_inside(const struct rc_pruner *p, const struct rci_block *b, uint32_t group)
{
    const struct rci_prune_group *g = &p->coupling->group[group];
    for (uint32_t m = 0; m < g->n_members; m++) {
        bool inside = false;
        for (uint32_t k = 0; k < b->n_nodes && !inside; k++)
            inside = b->node[k] == g->member[m].node;
        if (!inside)
            return false;
    }
    return g->n_members > 0;
}

bool rci_pruner_group_gone(const struct rc_pruner *p, uint32_t group)
{
    for (uint32_t i = 0; i < p->blocks.n; i++)
        if (p->block_gone[i] && group_inside(p, &p->blocks.block[i], group))
            return true;
    return false;
}

rc_status rci_pruner_drop_block(struct rc_pruner *p, uint32_t block, bool gone)
{
    const struct rci_block *b = &p->blocks.block[block];
    p->block_gone[block] = gone;
    for (uint32_t i = 0; gone && i < p->coupling->n_groups; i++) /* its channels count no more */
        if (group_inside(p, b, i))
            RC_TRY(rci_pruner_change_kept(p, i, p->coupling->group[i].n_units));
    rci_budget_drop(p->budget, b->node, b->n_nodes, gone);
    return RC_OK;
}

rc_status rci_pruner_remove_blocks(const struct rc_pruner *p, struct rc_graph *g)
{
    bool any = false;
    for (uint32_t i = 0; i < p->blocks.n; i++)
        if (p->block_gone[i]) {
            RC_TRY(rci_block_remove(&p->blocks.block[i], g));
            any = true;
        }
    return any ? rci_graph_sweep(g, NULL) : RC_OK;
}

static bool overlaps(const struct rc_pruner *p, uint32_t block)
{
    const struct rci_block *b = &p->blocks.block[block];
    for (uint32_t i = 0; i < p->blocks.n; i++) {
        const struct rci_block *other = &p->blocks.block[i];
        for (uint32_t k = 0; p->block_gone[i] && k < other->n_nodes; k++)
            for (uint32_t j = 0; j < b->n_nodes; j++)
                if (b->node[j] == other->node[k])
                    return true;
    }
    return false;
}

static bool block_may_go(const struct rc_pruner *p, uint32_t block)
{
    const struct rci_block *b = &p->blocks.block[block];
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        if (p->protect[i] && group_inside(p, b, i))
            return false;
    return !overlaps(p, block);
}

rc_status rci_pruner_cut_block(struct rc_pruner *p, uint32_t block)
{
    if (p->block_gone[block] && p->block_by_hand[block])
        return rci_fail(RC_ERR_ARG, "block \"%s\" is cut twice", p->blocks.block[block].name);
    if (!block_may_go(p, block))
        return rci_fail(RC_ERR_ARG,
                        "block \"%s\" may not be cut: a layer of it is kept by request, "
                        "or in a block that was cut",
                        p->blocks.block[block].name);
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        if (p->by_hand[i] && group_inside(p, &p->blocks.block[block], i))
            p->by_hand[i] = 0;
    if (!p->block_gone[block])
        RC_TRY(rci_pruner_drop_block(p, block, true));
    p->block_by_hand[block] = p->planned = true;
    return RC_OK;
}

/* --- which of them --- */

static double cost_now(const struct rc_pruner *p)
{
    return p->o.macs > 0 ? (double) p->budget->macs : (double) p->budget->parameters;
}

static double group_loss(const struct rc_pruner *p, uint32_t i)
{
    double sum = 0;
    for (uint32_t k = 0; p->score[i] && k < p->coupling->group[i].n_units - p->kept[i]; k++)
        sum += p->score[i][p->by_score[i][k]];
    return sum;
}

static double plan_loss(const struct rc_pruner *p)
{
    double sum = 0;
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        sum += group_loss(p, i);
    for (uint32_t i = 0; i < p->blocks.n; i++)
        sum += p->block_gone[i] ? p->block_error[i] : 0;
    return sum;
}

/* Loss of the last channel of a group per what it saved; the largest of all groups. */
static rc_status plan_price(struct rc_pruner *p, double *price)
{
    *price = 0;
    for (uint32_t i = 0; i < p->coupling->n_groups; i++) {
        const uint32_t kept = p->kept[i], n = p->coupling->group[i].n_units;
        if (kept == n || !p->score[i])
            continue;
        const double now = cost_now(p), score = p->score[i][p->by_score[i][n - kept - 1]];
        RC_TRY(rci_pruner_change_kept(p, i, kept + 1));
        const double saved = cost_now(p) - now;
        RC_TRY(rci_pruner_change_kept(p, i, kept));
        if (saved > 0)
            *price = fmax(*price, score / saved);
    }
    return RC_OK;
}

/* What the rest of the block loses per what it saves. */
static rc_status block_price(struct rc_pruner *p, uint32_t block, double *price)
{
    const struct rci_block *b = &p->blocks.block[block];
    double lost = 0;
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        lost += group_inside(p, b, i) ? group_loss(p, i) : 0;
    const double now = cost_now(p);
    rci_budget_drop(p->budget, b->node, b->n_nodes, true);
    const double saved = now - cost_now(p);
    rci_budget_drop(p->budget, b->node, b->n_nodes, false);
    *price = saved > 0 ? fmax(p->block_error[block] - lost, 0) / saved : INFINITY;
    return RC_OK;
}

static rc_status measure_blocks(struct rc_pruner *p)
{
    const struct rci_observation o = {.data = p->o.dataset,
                                      .images =
                                          p->o.images < BLOCK_IMAGES ? p->o.images : BLOCK_IMAGES,
                                      .batch = p->o.batch};
    bool *wanted = rci_alloc_array(p->ctx, p->blocks.n, sizeof(*wanted));
    if (!wanted)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < p->blocks.n; i++)
        wanted[i] = block_may_go(p, i);
    const rc_status st = rci_blocks_measure(&p->blocks, p->graph, &o, wanted, p->block_error);
    rci_release(wanted);
    p->blocks_measured = st == RC_OK;
    return st;
}

/* One more block, if that is cheaper; *more: it was. */
static rc_status next_block(struct rc_pruner *p, rci_plan_channels plan, bool *more)
{
    double least = INFINITY, price, limit;
    uint32_t best = RC_NONE;
    const double before = plan_loss(p);
    *more = false;
    RC_TRY(plan_price(p, &limit));
    for (uint32_t i = 0; i < p->blocks.n; i++) {
        if (p->block_gone[i] || !block_may_go(p, i))
            continue;
        RC_TRY(block_price(p, i, &price));
        if (price < least) {
            least = price;
            best = i;
        }
    }
    if (best == RC_NONE || least >= limit)
        return RC_OK;
    RC_TRY(rci_pruner_drop_block(p, best, true));
    rc_status st = plan(p);
    if (st == RC_OK && plan_loss(p) < before) {
        rci_log(p->ctx, RC_LOG_INFO, "block \"%s\" goes as a whole", p->blocks.block[best].name);
        *more = true;
        return RC_OK;
    }
    RC_TRY(rci_pruner_drop_block(p, best, false));
    return st == RC_ERR_GOAL || st == RC_OK ? plan(p) : st;
}

rc_status rci_pruner_plan_blocks(struct rc_pruner *p, rci_plan_channels plan)
{
    bool more = true;
    for (uint32_t i = 0; i < p->blocks.n; i++)
        if (p->block_gone[i] && !p->block_by_hand[i])
            RC_TRY(rci_pruner_drop_block(p, i, false));
    if (!p->blocks.n)
        return RC_OK;
    if (!p->blocks_measured)
        RC_TRY(measure_blocks(p));
    rc_status st = plan(p);
    while (st == RC_OK && more)
        st = next_block(p, plan, &more);
    return st == RC_ERR_GOAL ? RC_OK : st; /* the plan that follows says so */
}
