/* What every group keeps, by count or channel by channel; and the cut. */
#include "prune/pruner.h"
#include "prune/repair.h"

#include <string.h>

/* The units that go when a group keeps `kept` of them; returns how many. */
static uint32_t list_gone(const struct rc_pruner *p, uint32_t group, uint32_t kept, uint32_t *unit)
{
    const struct rci_prune_group *g = &p->coupling->group[group];
    const uint32_t n = g->n_units - kept;
    for (uint32_t i = 0; i < n; i++)
        unit[i] = g->unit[p->by_score[group][i]];
    return n;
}

rc_status rci_pruner_change_kept(struct rc_pruner *p, uint32_t group, uint32_t kept)
{
    uint32_t *unit = rci_alloc_array(p->ctx, p->coupling->group[group].n_units, sizeof(*unit));
    if (!unit)
        return RC_ERR_MEMORY;
    rci_budget_change(p->budget, unit, list_gone(p, group, p->kept[group], unit), 1);
    rci_budget_change(p->budget, unit, list_gone(p, group, kept, unit), -1);
    p->kept[group] = kept;
    rci_release(unit);
    return RC_OK;
}

static rc_status check_may_cut(const struct rc_pruner *p, uint32_t group, bool cut)
{
    if (cut && rci_pruner_group_gone(p, group))
        return rci_fail(RC_ERR_ARG, "group \"%s\" is in a block that was cut",
                        p->coupling->group[group].name);
    if (!cut || rci_pruner_may_cut(p, group))
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "group \"%s\" may not be cut: %s", p->coupling->group[group].name,
                    rci_pruner_reason(p, group));
}

/* gone: [n_units] cut by hand so far; the new ones are marked. */
static rc_status mark_channels(const struct rc_pruner *p, uint32_t group, const uint64_t *channel,
                               uint64_t n, bool *gone)
{
    const struct rci_prune_group *g = &p->coupling->group[group];
    for (uint32_t k = 0; k < p->by_hand[group]; k++)
        gone[p->by_score[group][k]] = true;
    for (uint64_t i = 0; i < n; i++) {
        if (channel[i] >= g->n_units)
            return rci_fail(RC_ERR_ARG, "group \"%s\": channel %llu, there are %u", g->name,
                            (unsigned long long) channel[i], g->n_units);
        if (gone[channel[i]])
            return rci_fail(RC_ERR_ARG, "group \"%s\": channel %llu is cut twice", g->name,
                            (unsigned long long) channel[i]);
        gone[channel[i]] = true;
    }
    if (p->by_hand[group] + n >= g->n_units)
        return rci_fail(RC_ERR_ARG, "group \"%s\": all %u channels would be cut", g->name,
                        g->n_units);
    return RC_OK;
}

/* Marked units come first, the others keep their order; returns how many units are gone then, of
 * `gone_before` at the front. */
static uint32_t bring_forward(uint32_t *by_score, uint32_t n, const bool *first, uint32_t n_first,
                              uint32_t gone_before, uint32_t *scratch)
{
    uint32_t front = 0, rest = n_first, gone = n_first;
    for (uint32_t k = 0; k < n; k++) {
        const bool marked = first[by_score[k]];
        gone += !marked && k < gone_before;
        scratch[marked ? front++ : rest++] = by_score[k];
    }
    memcpy(by_score, scratch, n * sizeof(*scratch));
    return gone;
}

rc_status rci_pruner_cut(struct rc_pruner *p, uint32_t group, const uint64_t *channel, uint64_t n)
{
    const uint32_t units = p->coupling->group[group].n_units;
    RC_TRY(check_may_cut(p, group, n > 0));
    RC_TRY(rci_pruner_order(p, group));
    bool *gone = rci_alloc_array(p->ctx, units, sizeof(*gone));
    uint32_t *scratch = rci_alloc_array(p->ctx, units, sizeof(*scratch));
    rc_status st = gone && scratch ? mark_channels(p, group, channel, n, gone) : RC_ERR_MEMORY;
    const uint32_t before = units - p->kept[group];
    if (st == RC_OK)
        st = rci_pruner_change_kept(p, group, units);
    if (st == RC_OK) {
        p->by_hand[group] += (uint32_t) n;
        uint32_t left = units - bring_forward(p->by_score[group], units, gone, p->by_hand[group],
                                              before, scratch);
        st = rci_pruner_change_kept(p, group, left ? left : 1); /* the plan gives one back */
        p->planned = true;
    }
    rci_release(gone);
    rci_release(scratch);
    return st;
}

rc_status rci_pruner_restore(struct rc_pruner *p)
{
    for (uint32_t i = 0; i < p->blocks.n; i++) {
        p->block_by_hand[i] = false;
        if (p->block_gone[i])
            RC_TRY(rci_pruner_drop_block(p, i, false));
    }
    for (uint32_t i = 0; i < p->coupling->n_groups; i++) {
        RC_TRY(rci_pruner_change_kept(p, i, p->coupling->group[i].n_units));
        p->by_hand[i] = 0;
        rci_release(p->by_score[i]); /* the order of scores is lost */
        p->by_score[i] = NULL;
    }
    p->scored = p->scored_inner = p->rescored = p->planned = false;
    return RC_OK;
}

rc_status rci_pruner_set_kept(struct rc_pruner *p, uint32_t group, uint32_t kept)
{
    const struct rci_prune_group *g = &p->coupling->group[group];
    if (kept < 1 || kept > g->n_units)
        return rci_fail(RC_ERR_ARG, "group \"%s\": kept is %u, allowed is 1 to %u", g->name, kept,
                        g->n_units);
    RC_TRY(check_may_cut(p, group, kept < g->n_units));
    if (kept > g->n_units - p->by_hand[group])
        return rci_fail(RC_ERR_ARG, "group \"%s\": kept is %u, but %u of %u channels were cut",
                        g->name, kept, p->by_hand[group], g->n_units);
    RC_TRY(rci_pruner_score(p));
    RC_TRY(rci_pruner_change_kept(p, group, kept));
    p->planned = true;
    return RC_OK;
}

/* --- cut --- */

static void list_keep(const struct rc_pruner *p, uint8_t *keep)
{
    memset(keep, 1, p->coupling->links->n_ids);
    for (uint32_t i = 0; i < p->coupling->n_groups; i++) {
        const struct rci_prune_group *group = &p->coupling->group[i];
        for (uint32_t k = 0; k < group->n_units - p->kept[i]; k++) {
            uint32_t n;
            const uint32_t *id = rci_unit_ids(p->coupling, group->unit[p->by_score[i][k]], &n);
            for (uint32_t j = 0; j < n; j++)
                keep[id[j]] = 0;
        }
    }
}

static rc_status cut_and_repair(struct rc_pruner *p, struct rc_graph *g, const uint8_t *keep,
                                struct rci_links **cut)
{
    RC_TRY(rci_links_new(cut, g)); /* the same ids: a clone keeps all numbers */
    RC_TRY(rci_graph_cut(g, *cut, keep));
    RC_TRY(rci_pruner_remove_blocks(p, g));
    const struct rci_repair_job job = {.before = p->graph,
                                       .after = g,
                                       .cut = *cut,
                                       .data = p->o.dataset,
                                       .images = p->o.images,
                                       .batch = p->o.batch};
    return p->repair->run(p->repair_params, &job);
}

rc_status rci_pruner_cut_clone(struct rc_graph **out, struct rci_links **cut, struct rc_pruner *p)
{
    struct rci_links *l = NULL;
    struct rc_graph *g = NULL;
    *out = NULL;
    uint8_t *keep = rci_alloc(p->ctx, p->coupling->links->n_ids);
    if (!keep)
        return RC_ERR_MEMORY;
    list_keep(p, keep);
    rc_status st = rci_graph_clone(&g, p->graph);
    if (st == RC_OK)
        st = cut_and_repair(p, g, keep, &l);
    rci_release(keep);
    if (st != RC_OK) {
        rci_links_free(l);
        rci_graph_free(g);
        return st;
    }
    *out = g;
    if (cut)
        *cut = l;
    else
        rci_links_free(l);
    return RC_OK;
}

rc_status rci_pruner_apply(struct rc_graph **out, struct rc_pruner *p)
{
    rc_status planned = RC_OK;
    *out = NULL;
    if (!p->planned)
        planned = rci_pruner_plan(p);
    if (planned != RC_OK && planned != RC_ERR_GOAL)
        return planned;
    RC_TRY(rci_pruner_cut_clone(out, NULL, p));
    return planned;
}
