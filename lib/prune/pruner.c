#include "prune/pruner.h"
#include "prune/activation.h"
#include "prune/observe.h"
#include "prune/repair.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC = 0x70727572 };

bool rci_pruner_valid(const struct rc_pruner *p)
{
    return p && p->magic == MAGIC;
}

/* --- methods --- */

static rc_status pick(const void **out, void **params, struct rc_context *ctx,
                      const struct rci_method_kind *kind, const char *spec)
{
    const struct rci_method *m;
    RC_TRY(rci_method_find(&m, kind, spec));
    *out = m; /* each vtable starts with its struct rci_method */
    if (params)
        return rci_method_params(params, ctx, m, spec);
    void *none;
    RC_TRY(rci_method_params(&none, ctx, m, spec));
    rci_release(none);
    return RC_OK;
}

/* The best there is: with data what a loss of channels costs the answers, and weights fitted anew
 * to make up for it. Measured in docs/methods/pruning.md. */
static void default_choice(struct rc_pruner *p)
{
    rc_prune_options *o = &p->o;
    if (!o->criterion && !o->score) {
        const bool covered = o->dataset && rci_readings_cover(p->coupling, p->protect);
        o->criterion = covered ? "block-obs" : "l2";
        rci_log(p->ctx, RC_LOG_INFO, "channels are chosen by %s%s", o->criterion,
                covered       ? ""
                : !o->dataset ? ": there is no data set"
                              : ": block-obs cannot score every group of this network");
    }
    if (!o->repair) {
        o->repair = o->dataset ? "least-squares" : "none";
        rci_log(p->ctx, RC_LOG_INFO, "repair: %s%s", o->repair,
                o->dataset ? "" : ", there is no data set");
    }
}

/* Scores by callback: already one number per channel, and the caller knows what they mean. */
static const struct rci_criterion callers_own = {.m = {.name = "of the caller"}};

/* Scores that are losses are added and compared as they are. */
static void default_methods(rc_prune_options *o, const struct rci_criterion *c)
{
    if (!o->allocation)
        o->allocation = c->absolute ? "per-cost" : "global";
    if (!o->reduction)
        o->reduction = c->absolute ? "sum" : "mean";
    if (!o->normalizer)
        o->normalizer = c->absolute || o->score ? "none" : "max";
}

static rc_status pick_methods(struct rc_pruner *p)
{
    rc_prune_options *o = &p->o;
    const void *m;
    if (o->score && o->criterion)
        return rci_fail(RC_ERR_ARG, "criterion is \"%s\", but there is a score callback too",
                        o->criterion);
    if (o->score) {
        p->criterion = &callers_own;
    } else {
        RC_TRY(pick(&m, &p->criterion_params, p->ctx, &rci_kind_criterion, o->criterion));
        p->criterion = m;
    }
    default_methods(o, p->criterion);
    RC_TRY(pick(&m, &p->allocation_params, p->ctx, &rci_kind_allocation, o->allocation));
    p->allocation = m;
    RC_TRY(pick(&m, &p->repair_params, p->ctx, &rci_kind_repair, o->repair));
    p->repair = m;
    RC_TRY(pick(&m, NULL, p->ctx, &rci_kind_reduction, o->reduction));
    p->reduction = m;
    RC_TRY(pick(&m, NULL, p->ctx, &rci_kind_normalizer, o->normalizer));
    p->normalizer = m;
    if (!o->dataset && p->criterion->needs_data)
        return rci_fail(RC_ERR_ARG, "criterion %s needs a data set", p->criterion->m.name);
    if (!o->dataset && p->repair->needs_data)
        return rci_fail(RC_ERR_ARG, "repair %s needs a data set", p->repair->m.name);
    return RC_OK;
}

/* --- layers to keep --- */

static bool matches(const struct rc_graph *g, const struct rci_member *m, const char *pattern)
{
    return !fnmatch(pattern, g->nodes[m->node].name, 0) ||
           !fnmatch(pattern, g->values[m->value].name, 0);
}

static bool matches_any(const struct rc_graph *g, const char *pattern)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && !fnmatch(pattern, g->nodes[i].name, 0))
            return true;
    for (uint32_t v = 0; v < g->n_values; v++)
        if (!(g->values[v].flags & RC_VALUE_DEAD) && !fnmatch(pattern, g->values[v].name, 0))
            return true;
    return false;
}

static rc_status protect(struct rc_pruner *p, const char *pattern)
{
    if (!pattern)
        return rci_fail(RC_ERR_ARG, "an entry of keep is NULL");
    if (!matches_any(p->graph, pattern))
        return rci_fail(RC_ERR_ARG, "keep: \"%s\" matches no node or weight", pattern);
    for (uint32_t i = 0; i < p->coupling->n_groups; i++) {
        const struct rci_prune_group *g = &p->coupling->group[i];
        for (uint32_t m = 0; m < g->n_members && g->member[m].kind <= RC_MEMBER_SCALE; m++)
            if (matches(p->graph, &g->member[m], pattern))
                p->protect[i] = true;
    }
    return RC_OK;
}

/* --- life --- */

static rc_status pruner_fill(struct rc_pruner *p, const struct rc_graph *g)
{
    RC_TRY(rci_graph_clone(&p->graph, g));
    RC_TRY(rci_graph_cost(p->graph, &p->before));
    RC_TRY(rci_coupling_create(&p->coupling, p->graph));
    RC_TRY(rci_budget_create(&p->budget, p->coupling));
    const uint32_t n = p->coupling->n_groups;
    p->protect = rci_alloc_array(p->ctx, n, sizeof(*p->protect));
    p->score = rci_alloc_array(p->ctx, n, sizeof(*p->score));
    p->by_score = rci_alloc_array(p->ctx, n, sizeof(*p->by_score));
    p->kept = rci_alloc_array(p->ctx, n, sizeof(*p->kept));
    if (!p->protect || !p->score || !p->by_score || !p->kept)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < n; i++)
        p->kept[i] = p->coupling->group[i].n_units;
    for (uint64_t i = 0; i < p->o.keep_count; i++)
        RC_TRY(protect(p, p->o.keep[i]));
    default_choice(p);
    return pick_methods(p);
}

rc_status rci_pruner_create(struct rc_pruner **out, const struct rc_graph *g,
                            const rc_prune_options *o)
{
    *out = NULL;
    struct rc_pruner *p = RC_NEW(g->ctx, struct rc_pruner);
    if (!p)
        return RC_ERR_MEMORY;
    p->magic = MAGIC;
    p->ctx = g->ctx;
    p->o = *o;
    const rc_status st = pruner_fill(p, g);
    if (st != RC_OK) {
        rci_pruner_destroy(p);
        return st;
    }
    *out = p;
    return RC_OK;
}

void rci_pruner_destroy(struct rc_pruner *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; p->coupling && i < p->coupling->n_groups; i++) {
        rci_release(p->score ? p->score[i] : NULL);
        rci_release(p->by_score ? p->by_score[i] : NULL);
    }
    rci_budget_destroy(p->budget);
    rci_coupling_destroy(p->coupling);
    rci_graph_destroy(p->graph);
    rci_release(p->protect);
    rci_release(p->score);
    rci_release(p->by_score);
    rci_release(p->kept);
    rci_release(p->criterion_params);
    rci_release(p->allocation_params);
    rci_release(p->repair_params);
    p->magic = 0;
    rci_release(p);
}

/* --- questions --- */

bool rci_pruner_may_cut(const struct rc_pruner *p, uint32_t group)
{
    return p->coupling->group[group].fixed_by == RC_NONE && !p->protect[group];
}

const char *rci_pruner_reason(const struct rc_pruner *p, uint32_t group)
{
    const rci_id by = p->coupling->group[group].fixed_by;
    if (by == RC_LINK_INTERFACE)
        return "graph input or output";
    if (by != RC_NONE)
        return p->graph->nodes[by].name;
    return p->protect[group] ? "kept by request" : "";
}

rc_status rci_pruner_channel_cost(const struct rc_pruner *p, uint32_t group, uint64_t *macs,
                                  uint64_t *parameters)
{
    struct rci_budget *b;
    *macs = *parameters = 0;
    RC_TRY(rci_budget_create(&b, p->coupling));
    *macs = b->macs;
    *parameters = b->parameters;
    rci_budget_change(b, p->coupling->group[group].unit, 1, -1);
    *macs -= b->macs;
    *parameters -= b->parameters;
    rci_budget_destroy(b);
    return RC_OK;
}

void rci_pruner_result(const struct rc_pruner *p, rc_prune_result *out)
{
    *out = (rc_prune_result){.size = sizeof(*out)};
    out->macs_before = p->before.macs;
    out->parameters_before = p->before.parameters;
    out->macs_after = p->budget->macs;
    out->parameters_after = p->budget->parameters;
    for (uint32_t i = 0; i < p->coupling->n_groups; i++) {
        if (!rci_pruner_may_cut(p, i))
            continue;
        out->channels_before += p->coupling->group[i].n_units;
        out->channels_after += p->kept[i];
        out->groups_cut += p->kept[i] < p->coupling->group[i].n_units;
    }
}

/* --- scores --- */

static int compare_scores(const void *a, const void *b, void *score)
{
    const uint32_t i = *(const uint32_t *) a, j = *(const uint32_t *) b;
    const double x = ((const double *) score)[i], y = ((const double *) score)[j];
    if (x != y)
        return x < y ? -1 : 1;
    return i < j ? 1 : i > j ? -1 : 0; /* of equals, the later one goes first */
}

static rc_status ask_caller(struct rc_pruner *p, uint32_t i)
{
    const struct rci_prune_group *g = &p->coupling->group[i];
    double *scratch = rci_alloc_array(p->ctx, g->n_units, sizeof(double));
    if (!scratch)
        return RC_ERR_MEMORY;
    rc_status st = RC_OK;
    const int32_t r = p->o.score(p->o.score_user, p, i, p->score[i], g->n_units);
    if (r)
        st =
            rci_fail(RC_ERR_DATA, "group \"%s\": the score callback returned %d", g->name, (int) r);
    for (uint32_t k = 0; st == RC_OK && k < g->n_units; k++)
        if (!isfinite(p->score[i][k]))
            st = rci_fail(RC_ERR_DATA, "group \"%s\": score %u of the callback is not finite",
                          g->name, k);
    if (st == RC_OK)
        p->normalizer->normalize(p->score[i], g->n_units, scratch);
    rci_release(scratch);
    return st;
}

static rc_status score_group(struct rc_pruner *p, const struct rci_scoring *s, uint32_t i)
{
    const uint32_t n = p->coupling->group[i].n_units;
    if (!p->score[i])
        p->score[i] = rci_alloc_array(p->ctx, n, sizeof(double));
    if (!p->by_score[i])
        p->by_score[i] = rci_alloc_array(p->ctx, n, sizeof(uint32_t));
    if (!p->score[i] || !p->by_score[i])
        return RC_ERR_MEMORY;
    if (rci_pruner_may_cut(p, i) && p->o.score)
        RC_TRY(ask_caller(p, i));
    else if (rci_pruner_may_cut(p, i))
        RC_TRY(rci_score_group(s, i, p->score[i]));
    for (uint32_t u = 0; u < n; u++)
        p->by_score[i][u] = u;
    qsort_r(p->by_score[i], n, sizeof(uint32_t), compare_scores, p->score[i]);
    return RC_OK;
}

static rc_status score_all(struct rc_pruner *p)
{
    rc_status st = RC_OK;
    struct rci_activity *activity = NULL;
    struct rci_readings *readings = NULL;
    double **observed = NULL;
    const struct rci_observation o = {.c = p->coupling,
                                      .criterion = p->criterion,
                                      .params = p->criterion_params,
                                      .data = p->o.dataset,
                                      .images = p->o.images,
                                      .batch = p->o.batch};
    if (p->criterion->eliminate)
        RC_TRY(rci_readings_create(&readings, p->coupling, &o, p->o.seed));
    else if (p->criterion->map)
        RC_TRY(rci_observe_maps(&observed, &o));
    else if (p->criterion->needs_gradient)
        RC_TRY(rci_observe_gradients(&observed, &o));
    else if (p->criterion->needs_data)
        RC_TRY(rci_activity_observe(&activity, p->coupling, p->o.dataset, p->o.images, p->o.batch));
    const struct rci_scoring s = {.c = p->coupling,
                                  .criterion = p->criterion,
                                  .params = p->criterion_params,
                                  .reduction = p->reduction,
                                  .normalizer = p->normalizer,
                                  .seed = p->o.seed,
                                  .activity = activity,
                                  .readings = readings,
                                  .observed = observed};
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        RC_TRY_OUT(st, score_group(p, &s, i));
out:
    rci_readings_destroy(readings);
    rci_activity_free(activity, p->coupling);
    rci_observed_free(observed, p->coupling);
    return st;
}

rc_status rci_pruner_score(struct rc_pruner *p)
{
    if (p->scored)
        return RC_OK;
    if (p->scoring)
        return rci_fail(RC_ERR_STATE, "scores are asked for while the score callback runs");
    p->scoring = true;
    const rc_status st = score_all(p);
    p->scoring = false;
    p->scored = st == RC_OK;
    return st;
}

/* --- plan --- */

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

rc_status rci_pruner_set_kept(struct rc_pruner *p, uint32_t group, uint32_t kept)
{
    const struct rci_prune_group *g = &p->coupling->group[group];
    if (kept < 1 || kept > g->n_units)
        return rci_fail(RC_ERR_ARG, "group \"%s\": kept is %u, allowed is 1 to %u", g->name, kept,
                        g->n_units);
    if (kept < g->n_units && !rci_pruner_may_cut(p, group))
        return rci_fail(RC_ERR_ARG, "group \"%s\" may not be cut: %s", g->name,
                        rci_pruner_reason(p, group));
    RC_TRY(rci_pruner_score(p));
    RC_TRY(change_kept(p, group, kept));
    p->planned = true;
    return RC_OK;
}

rc_status rci_pruner_plan(struct rc_pruner *p)
{
    RC_TRY(rci_pruner_score(p));
    const uint32_t n = p->coupling->n_groups;
    for (uint32_t i = 0; i < n; i++)
        RC_TRY(change_kept(p, i, p->coupling->group[i].n_units));
    struct rci_allocation_group *a = rci_alloc_array(p->ctx, n, sizeof(*a));
    if (!a)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < n; i++) {
        a[i].by_score = p->by_score[i];
        a[i].score = p->score[i];
        a[i].kept = p->kept[i];
    }
    const struct rci_allocate_config o = {.method = p->allocation,
                                          .params = p->allocation_params,
                                          .macs = p->o.macs,
                                          .parameters = p->o.parameters,
                                          .ratio = p->o.ratio,
                                          .max_cut = p->o.max_cut,
                                          .round_to = (uint32_t) p->o.round_to,
                                          .min_channels = (uint32_t) p->o.min_channels,
                                          .trunk = (enum rci_trunk) p->o.trunk,
                                          .protect = p->protect};
    const rc_status st = rci_allocate(a, p->budget, &o);
    for (uint32_t i = 0; i < n; i++) /* also on failure: the budget has followed */
        p->kept[i] = a[i].kept;
    rci_release(a);
    p->planned = st == RC_OK || st == RC_ERR_GOAL;
    return st;
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
    RC_TRY(rci_links_create(&l, g)); /* the same ids: a clone keeps all numbers */
    rc_status st = rci_graph_cut(g, l, keep);
    const struct rci_repair_job job = {.before = p->graph,
                                       .after = g,
                                       .cut = l,
                                       .data = p->o.dataset,
                                       .images = p->o.images,
                                       .batch = p->o.batch};
    if (st == RC_OK)
        st = p->repair->run(p->repair_params, &job);
    rci_links_destroy(l);
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
    rci_graph_destroy(g);
    rci_release(keep);
    return st == RC_OK ? planned : st;
}
