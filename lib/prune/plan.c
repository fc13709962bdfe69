/* What every group keeps: chosen for a target, by count or channel by channel; and the cut. */
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

static rc_status change_kept(struct rc_pruner *p, uint32_t group, uint32_t kept)
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
        st = change_kept(p, group, units);
    if (st == RC_OK) {
        p->by_hand[group] += (uint32_t) n;
        uint32_t left = units - bring_forward(p->by_score[group], units, gone, p->by_hand[group],
                                              before, scratch);
        st = change_kept(p, group, left ? left : 1); /* the plan gives one back */
        p->planned = true;
    }
    rci_release(gone);
    rci_release(scratch);
    return st;
}

rc_status rci_pruner_restore(struct rc_pruner *p)
{
    for (uint32_t i = 0; i < p->coupling->n_groups; i++) {
        RC_TRY(change_kept(p, i, p->coupling->group[i].n_units));
        p->by_hand[i] = 0;
        rci_release(p->by_score[i]); /* the order of scores is lost */
        p->by_score[i] = NULL;
    }
    p->scored = p->scored_inner = p->planned = false;
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
    RC_TRY(change_kept(p, group, kept));
    p->planned = true;
    return RC_OK;
}

static rc_status allocate_groups(struct rc_pruner *p, uint64_t trunk)
{
    const uint32_t n = p->coupling->n_groups;
    for (uint32_t i = 0; i < n; i++)
        RC_TRY(change_kept(p, i, p->coupling->group[i].n_units - p->by_hand[i]));
    struct rci_allocation_group *a = rci_alloc_array(p->ctx, n, sizeof(*a));
    if (!a)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < n; i++) {
        a[i].by_score = p->by_score[i];
        a[i].score = p->score[i];
        a[i].gone = p->by_hand[i];
    }
    const struct rci_allocate_config o = {.method = p->allocation,
                                          .params = p->allocation_params,
                                          .macs = p->o.macs,
                                          .parameters = p->o.parameters,
                                          .ratio = p->o.ratio,
                                          .bytes = p->o.bytes,
                                          .all_macs = p->before.macs,
                                          .all_parameters = p->before.parameters,
                                          .scopes = &p->scopes,
                                          .max_cut = p->o.max_cut,
                                          .round_to = (uint32_t) p->o.round_to,
                                          .min_channels = (uint32_t) p->o.min_channels,
                                          .trunk = (enum rci_trunk) trunk,
                                          .protect = p->protect};
    const rc_status st = rci_allocate(a, p->budget, &o);
    for (uint32_t i = 0; i < n; i++) /* also on failure: the budget has followed */
        p->kept[i] = a[i].kept;
    rci_release(a);
    p->planned = st == RC_OK || st == RC_ERR_GOAL;
    return st;
}

rc_status rci_pruner_plan(struct rc_pruner *p)
{
    if (p->o.trunk == RC_PRUNE_TRUNK_CUT)
        RC_TRY(rci_pruner_score(p));
    else
        RC_TRY(rci_pruner_score_inner(p));
    if (p->scored)
        return allocate_groups(p, p->o.trunk);
    const rc_status st = allocate_groups(p, RC_PRUNE_TRUNK_KEEP);
    if (st != RC_ERR_GOAL || p->o.trunk == RC_PRUNE_TRUNK_KEEP)
        return st;
    RC_TRY(rci_pruner_score(p));
    return allocate_groups(p, p->o.trunk);
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

static rc_status cut_clone(struct rc_pruner *p, struct rc_graph *g, const uint8_t *keep)
{
    struct rci_links *l;
    RC_TRY(rci_links_new(&l, g)); /* the same ids: a clone keeps all numbers */
    rc_status st = rci_graph_cut(g, l, keep);
    const struct rci_repair_job job = {.before = p->graph,
                                       .after = g,
                                       .cut = l,
                                       .data = p->o.dataset,
                                       .images = p->o.images,
                                       .batch = p->o.batch};
    if (st == RC_OK)
        st = p->repair->run(p->repair_params, &job);
    rci_links_free(l);
    return st;
}

rc_status rci_pruner_apply(struct rc_graph **out, struct rc_pruner *p)
{
    rc_status st, planned = RC_OK;
    struct rc_graph *g = NULL;
    *out = NULL;
    if (!p->planned)
        planned = rci_pruner_plan(p);
    if (planned != RC_OK && planned != RC_ERR_GOAL)
        return planned;
    uint8_t *keep = rci_alloc(p->ctx, p->coupling->links->n_ids);
    if (!keep)
        return RC_ERR_MEMORY;
    list_keep(p, keep);
    RC_TRY_OUT(st, rci_graph_clone(&g, p->graph));
    RC_TRY_OUT(st, cut_clone(p, g, keep));
    *out = g;
    g = NULL;
out:
    rci_graph_free(g);
    rci_release(keep);
    return st == RC_OK ? planned : st;
}
