/* The plan for a target, in as many rounds as the schedule has: each cuts a part of the way, and
 * then what is left is scored anew in the network as it would be, cut and repaired. The cut itself
 * and its repair start from the whole network again, once. */
#include "prune/pruner.h"

#include <math.h>
#include <string.h>

/* How far a round goes. */
struct round {
    uint64_t trunk;
    double done; /* share of the rounds */
    uint32_t most;
    bool met;
    bool *fixed;   /* [n_groups] that stay as they are */
    double **cost; /* [n_groups][n_units + 1], or NULL */
};

/* --- targets of one round --- */

static double round_keep(const struct rc_pruner *p, const struct round *r, double keep)
{
    return keep > 0 && p->schedule->kept ? p->schedule->kept(p->schedule_params, r->done, keep)
                                         : keep;
}

static uint64_t round_bytes(const struct rc_pruner *p, const struct round *r)
{
    const double all = (double) p->all_bytes, asked = (double) p->o.bytes;
    if (!p->o.bytes || asked >= all)
        return p->o.bytes;
    const double now = ceil(round_keep(p, r, asked / all) * all);
    return now > asked ? (uint64_t) now : p->o.bytes;
}

static double whole_cost(const struct rc_pruner *p, const struct round *r)
{
    double sum = 0;
    for (uint32_t i = 0; r->cost && i < p->coupling->n_groups; i++)
        sum += r->cost[i][p->coupling->group[i].n_units];
    return sum;
}

static rc_status allocate_kept(struct rc_pruner *p, struct rci_allocation_group *a, struct round *r,
                               double *keep)
{
    for (uint32_t i = 0; i < p->scopes.n; i++)
        keep[i] = round_keep(p, r, p->scopes.keep[i]);
    struct rci_scopes scopes = p->scopes;
    scopes.keep = keep;
    const struct rci_allocate_config o = {.method = p->allocation,
                                          .params = p->allocation_params,
                                          .macs = round_keep(p, r, p->o.macs),
                                          .parameters = round_keep(p, r, p->o.parameters),
                                          .ratio = round_keep(p, r, p->o.ratio),
                                          .bytes = round_bytes(p, r),
                                          .all_macs = p->before.macs,
                                          .all_parameters = p->before.parameters,
                                          .scopes = &scopes,
                                          .max_cut = p->o.max_cut,
                                          .round_to = (uint32_t) p->o.round_to,
                                          .min_channels = (uint32_t) p->o.min_channels,
                                          .trunk = (enum rci_trunk) r->trunk,
                                          .protect = r->fixed,
                                          .most = r->most,
                                          .cost = (const double *const *) r->cost,
                                          .cost_goal =
                                              whole_cost(p, r) * round_keep(p, r, p->o.cost_keep)};
    return rci_allocate(a, p->budget, &o, &r->met);
}

static rc_status allocate_groups(struct rc_pruner *p, struct round *r)
{
    const uint32_t n = p->coupling->n_groups;
    for (uint32_t i = 0; i < n; i++)
        RC_TRY(rci_pruner_change_kept(p, i, p->coupling->group[i].n_units - p->by_hand[i]));
    struct rci_allocation_group *a = rci_alloc_array(p->ctx, n, sizeof(*a));
    double *keep = rci_alloc_array(p->ctx, p->scopes.n, sizeof(*keep));
    r->fixed = rci_alloc_array(p->ctx, n, sizeof(*r->fixed));
    rc_status st = RC_ERR_MEMORY;
    if (a && keep && r->fixed) {
        for (uint32_t i = 0; i < n; i++) {
            a[i].by_score = p->by_score[i];
            a[i].score = p->score[i];
            a[i].gone = p->by_hand[i];
            r->fixed[i] = p->protect[i] || rci_pruner_group_gone(p, i);
        }
        st = allocate_kept(p, a, r, keep);
        for (uint32_t i = 0; i < n; i++) /* also on failure: the budget has followed */
            p->kept[i] = a[i].kept;
    }
    rci_release(a);
    rci_release(keep);
    rci_release(r->fixed);
    return st;
}

/* --- scores of what is left --- */

struct place {
    uint32_t group, unit; /* RC_NONE: none */
};

/* where: [n_ids] of the whole network; of representatives. */
static void list_places(const struct rc_pruner *p, struct place *where)
{
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        for (uint32_t k = 0; k < p->coupling->group[i].n_units; k++)
            where[p->coupling->group[i].unit[k]] = (struct place){i, k};
}

/* A unit of the cut network in the whole one. */
static struct place place_of(const struct rc_pruner *p, const struct rc_pruner *now,
                             const struct rci_links *cut, const struct place *where, uint32_t unit)
{
    const struct rci_links *l = now->coupling->links;
    const uint32_t row = l->row_of[unit], k = unit - l->base[row];
    const uint32_t was = cut->kept[row] ? (uint32_t) cut->kept[row][k] : k;
    return where[rci_links_find(p->coupling->links, p->coupling->links->base[row] + was)];
}

static rc_status take_scores(struct rc_pruner *p, struct rc_pruner *now,
                             const struct rci_links *cut, const struct place *where)
{
    const struct rci_coupling *c = now->coupling;
    for (uint32_t i = 0; i < c->n_groups; i++) {
        const uint32_t of = place_of(p, now, cut, where, c->group[i].unit[0]).group;
        now->protect[i] = p->protect[of];
        now->leave[i] = !p->scored && rci_pruner_can_wait(p, of);
    }
    RC_TRY(rci_pruner_score_groups(now));
    for (uint32_t i = 0; i < c->n_groups; i++)
        for (uint32_t k = 0; !now->leave[i] && k < c->group[i].n_units; k++) {
            const struct place at = place_of(p, now, cut, where, c->group[i].unit[k]);
            p->score[at.group][at.unit] = now->score[i][k];
        }
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        rci_pruner_sort(p, i, p->coupling->group[i].n_units - p->kept[i]);
    return RC_OK;
}

rc_status rci_pruner_rescore(struct rc_pruner *p)
{
    struct rc_graph *g;
    struct rci_links *cut;
    struct rc_pruner *now = NULL;
    struct place *where = rci_alloc_array(p->ctx, p->coupling->links->n_ids, sizeof(*where));
    if (!where)
        return RC_ERR_MEMORY;
    list_places(p, where);
    rc_status st = rci_pruner_cut_clone(&g, &cut, p);
    if (st == RC_OK) {
        st = rci_pruner_new_like(&now, p, g);
        if (st == RC_OK)
            st = take_scores(p, now, cut, where);
        rci_pruner_free(now);
        rci_links_free(cut);
        p->rescored = true;
    }
    rci_release(where);
    return st;
}

/* --- rounds --- */

static uint32_t count_units(const struct rc_pruner *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        n += rci_pruner_may_cut(p, i) ? p->coupling->group[i].n_units : 0;
    return n;
}

static rc_status run_rounds(struct rc_pruner *p, struct round *r)
{
    const struct rci_schedule_common *common = p->schedule_params;
    const bool until_met = p->schedule->until_met;
    const uint64_t steps = p->schedule->m.n_params ? (uint64_t) common->steps : 1;
    if (until_met)
        r->most = (uint32_t) ((count_units(p) + steps - 1) / steps);
    for (uint64_t k = 1;; k++) {
        r->done = until_met ? 1 : (double) k / (double) steps;
        RC_TRY(allocate_groups(p, r));
        rci_log(p->ctx, RC_LOG_INFO, "round %llu: %.4f of the multiply-adds are left",
                (unsigned long long) k, (double) p->budget->macs / (double) p->before.macs);
        if (until_met ? r->met : k == steps)
            return RC_OK;
        for (uint32_t i = 0; i < p->coupling->n_groups; i++)
            p->by_hand[i] = p->coupling->group[i].n_units - p->kept[i];
        RC_TRY(rci_pruner_rescore(p));
    }
}

static void free_costs(const struct rc_pruner *p, double **cost)
{
    for (uint32_t i = 0; cost && i < p->coupling->n_groups; i++)
        rci_release(cost[i]);
    rci_release(cost);
}

/* cost[i][kept], [0] of no use. */
static rc_status ask_costs(struct rc_pruner *p, double **cost)
{
    for (uint32_t i = 0; i < p->coupling->n_groups; i++) {
        const struct rci_prune_group *g = &p->coupling->group[i];
        cost[i] = rci_alloc_array(p->ctx, (size_t) g->n_units + 1, sizeof(double));
        if (!cost[i])
            return RC_ERR_MEMORY;
        for (uint32_t k = 1; rci_pruner_may_cut(p, i) && k <= g->n_units; k++) {
            cost[i][k] = p->o.cost(p->o.cost_user, p, i, k);
            if (!(cost[i][k] >= 0 && isfinite(cost[i][k])))
                return rci_fail(RC_ERR_DATA,
                                "group \"%s\": the cost callback says %g for %u channels", g->name,
                                cost[i][k], k);
        }
    }
    return RC_OK;
}

static rc_status open_costs(struct rc_pruner *p, struct round *r)
{
    if (p->o.cost_keep == 0)
        return RC_OK;
    r->cost = rci_alloc_array(p->ctx, p->coupling->n_groups, sizeof(*r->cost));
    return r->cost ? ask_costs(p, r->cost) : RC_ERR_MEMORY;
}

/* What went in earlier rounds stays gone; only what went by hand before is so afterwards. */
static rc_status plan_rounds(struct rc_pruner *p, uint64_t trunk)
{
    const uint32_t n = p->coupling->n_groups;
    uint32_t *hand = rci_alloc_array(p->ctx, n, sizeof(*hand));
    if (!hand)
        return RC_ERR_MEMORY;
    memcpy(hand, p->by_hand, n * sizeof(*hand));
    struct round r = {.trunk = trunk};
    rc_status st = open_costs(p, &r);
    if (st == RC_OK)
        st = run_rounds(p, &r);
    free_costs(p, r.cost);
    memcpy(p->by_hand, hand, n * sizeof(*hand));
    rci_release(hand);
    p->planned = st == RC_OK || st == RC_ERR_GOAL;
    return st;
}

/* At once, by the scores that there are. */
static rc_status plan_once(struct rc_pruner *p)
{
    struct round r = {.trunk = p->scored ? p->o.trunk : RC_PRUNE_TRUNK_KEEP, .done = 1};
    rc_status st = open_costs(p, &r);
    if (st == RC_OK)
        st = allocate_groups(p, &r);
    free_costs(p, r.cost);
    return st;
}

/* Scores of the whole network, again if a plan has replaced them. */
static rc_status score_whole(struct rc_pruner *p, bool trunks)
{
    if (p->rescored)
        p->scored = p->scored_inner = p->rescored = false;
    return trunks ? rci_pruner_score(p) : rci_pruner_score_inner(p);
}

rc_status rci_pruner_plan(struct rc_pruner *p)
{
    RC_TRY(score_whole(p, p->o.trunk == RC_PRUNE_TRUNK_CUT));
    if (p->o.flags & RC_PRUNE_BLOCKS)
        RC_TRY(rci_pruner_plan_blocks(p, plan_once));
    if (p->scored)
        return plan_rounds(p, p->o.trunk);
    const rc_status st = plan_rounds(p, RC_PRUNE_TRUNK_KEEP);
    if (st != RC_ERR_GOAL || p->o.trunk == RC_PRUNE_TRUNK_KEEP)
        return st;
    RC_TRY(score_whole(p, true));
    return plan_rounds(p, p->o.trunk);
}
