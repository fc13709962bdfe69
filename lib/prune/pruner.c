#include "prune/pruner.h"
#include "pass/pass.h"
#include "prune/activation.h"
#include "prune/observe.h"
#include "prune/repair.h"
#include "prune/scope.h"

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
    if (!o->schedule)
        o->schedule = "one-shot";
}

/* Blocks compete with channels by what both lose per what both save. */
static rc_status check_blocks(const struct rc_pruner *p)
{
    if (!p->criterion->absolute || !p->o.dataset)
        return rci_fail(RC_ERR_ARG, "blocks are weighed against channels only where scores are "
                                    "losses (block-obs) and there is a data set");
    if (p->o.macs == 0 && p->o.parameters == 0)
        return rci_fail(RC_ERR_ARG, "blocks need a target of multiply-adds or parameters");
    return RC_OK;
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
    RC_TRY(pick(&m, &p->schedule_params, p->ctx, &rci_kind_schedule, o->schedule));
    p->schedule = m;
    RC_TRY(pick(&m, NULL, p->ctx, &rci_kind_reduction, o->reduction));
    p->reduction = m;
    RC_TRY(pick(&m, NULL, p->ctx, &rci_kind_normalizer, o->normalizer));
    p->normalizer = m;
    if (o->score && strcmp(p->schedule->m.name, "one-shot"))
        return rci_fail(RC_ERR_ARG,
                        "schedule %s scores what is left anew, a score callback knows "
                        "the whole network only",
                        p->schedule->m.name);
    if (o->flags & RC_PRUNE_BLOCKS)
        RC_TRY(check_blocks(p));
    if (!o->dataset && p->criterion->needs_data)
        return rci_fail(RC_ERR_ARG, "criterion %s needs a data set", p->criterion->m.name);
    if (!o->dataset && p->repair->needs_data)
        return rci_fail(RC_ERR_ARG, "repair %s needs a data set", p->repair->m.name);
    return RC_OK;
}

/* --- layers to keep --- */

static rc_status protect(struct rc_pruner *p, const char *pattern)
{
    if (!pattern)
        return rci_fail(RC_ERR_ARG, "an entry of keep is NULL");
    if (!rci_pattern_used(p->graph, pattern))
        return rci_fail(RC_ERR_ARG, "keep: \"%s\" matches no node or weight", pattern);
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        p->protect[i] |= rci_group_matches(p->coupling, i, pattern);
    return RC_OK;
}

/* --- life --- */

/* Channels of a quantized graph are scored and repaired as reals. */
static rc_status take_to_reals(struct rc_graph *g)
{
    bool any = false;
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const enum rci_quant_role role = rci_node_quant(&g->nodes[i]);
        any |= role == RC_QUANT_TO_INTEGER || role == RC_QUANT_TO_REAL;
    }
    if (!any)
        return RC_OK;
    RC_TRY(rci_pass_run(g, &rci_pass_fold_const, NULL)); /* scales that are products */
    return rci_pass_run(g, &rci_pass_drop_qdq, NULL);
}

/* Groups and what is kept of each of them, of p->graph. */
static rc_status open_groups(struct rc_pruner *p)
{
    RC_TRY(rci_graph_cost(p->graph, &p->before));
    RC_TRY(rci_coupling_new(&p->coupling, p->graph));
    RC_TRY(rci_budget_new(&p->budget, p->coupling));
    p->all_bytes = p->budget->bytes;
    const uint32_t n = p->coupling->n_groups;
    p->protect = rci_alloc_array(p->ctx, n, sizeof(*p->protect));
    p->score = rci_alloc_array(p->ctx, n, sizeof(*p->score));
    p->by_score = rci_alloc_array(p->ctx, n, sizeof(*p->by_score));
    p->kept = rci_alloc_array(p->ctx, n, sizeof(*p->kept));
    p->by_hand = rci_alloc_array(p->ctx, n, sizeof(*p->by_hand));
    p->leave = rci_alloc_array(p->ctx, n, sizeof(*p->leave));
    if (!p->leave || !p->protect || !p->score || !p->by_score || !p->kept || !p->by_hand)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < n; i++)
        p->kept[i] = p->coupling->group[i].n_units;
    return RC_OK;
}

static rc_status open_blocks(struct rc_pruner *p)
{
    RC_TRY(rci_blocks_find(&p->blocks, p->graph));
    p->block_gone = rci_alloc_array(p->ctx, p->blocks.n, sizeof(*p->block_gone));
    p->block_by_hand = rci_alloc_array(p->ctx, p->blocks.n, sizeof(*p->block_by_hand));
    p->block_error = rci_alloc_array(p->ctx, p->blocks.n, sizeof(*p->block_error));
    return p->block_gone && p->block_by_hand && p->block_error ? RC_OK : RC_ERR_MEMORY;
}

static rc_status pruner_fill(struct rc_pruner *p, const struct rc_graph *g)
{
    RC_TRY(rci_graph_clone(&p->graph, g));
    RC_TRY(take_to_reals(p->graph));
    RC_TRY(rci_graph_split_vectors(p->graph));
    RC_TRY(open_groups(p));
    RC_TRY(open_blocks(p));
    for (uint64_t i = 0; i < p->o.keep_count; i++)
        RC_TRY(protect(p, p->o.keep[i]));
    RC_TRY(rci_scopes_new(&p->scopes, p->coupling, p->protect, &p->o));
    if (p->o.macs == 0 && p->o.parameters == 0 && p->o.ratio == 0 && !p->o.bytes &&
        p->o.cost_keep == 0 && !p->scopes.has_ratio)
        p->o.macs = 0.5;
    default_choice(p);
    return pick_methods(p);
}

rc_status rci_pruner_new(struct rc_pruner **out, const struct rc_graph *g,
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
        rci_pruner_free(p);
        return st;
    }
    *out = p;
    return RC_OK;
}

rc_status rci_pruner_new_like(struct rc_pruner **out, const struct rc_pruner *like,
                              struct rc_graph *g)
{
    *out = NULL;
    struct rc_pruner *p = RC_NEW(g->ctx, struct rc_pruner);
    if (!p) {
        rci_graph_free(g);
        return RC_ERR_MEMORY;
    }
    *p = (struct rc_pruner){.magic = MAGIC,
                            .ctx = g->ctx,
                            .graph = g,
                            .o = like->o,
                            .lent = true,
                            .criterion = like->criterion,
                            .criterion_params = like->criterion_params,
                            .reduction = like->reduction,
                            .normalizer = like->normalizer};
    const rc_status st = open_groups(p);
    if (st != RC_OK) {
        rci_pruner_free(p);
        return st;
    }
    *out = p;
    return RC_OK;
}

void rci_pruner_free(struct rc_pruner *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; p->coupling && i < p->coupling->n_groups; i++) {
        rci_release(p->score ? p->score[i] : NULL);
        rci_release(p->by_score ? p->by_score[i] : NULL);
    }
    rci_budget_free(p->budget);
    rci_coupling_free(p->coupling);
    rci_graph_free(p->graph);
    rci_release(p->protect);
    rci_release(p->score);
    rci_release(p->by_score);
    rci_release(p->kept);
    rci_release(p->by_hand);
    rci_release(p->leave);
    rci_scopes_free(&p->scopes);
    rci_blocks_free(&p->blocks);
    rci_release(p->block_gone);
    rci_release(p->block_by_hand);
    rci_release(p->block_error);
    if (!p->lent) {
        rci_release(p->criterion_params);
        rci_release(p->allocation_params);
        rci_release(p->repair_params);
        rci_release(p->schedule_params);
    }
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
    RC_TRY(rci_budget_new(&b, p->coupling));
    *macs = b->macs;
    *parameters = b->parameters;
    rci_budget_change(b, p->coupling->group[group].unit, 1, -1);
    *macs -= b->macs;
    *parameters -= b->parameters;
    rci_budget_free(b);
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
        const bool gone = rci_pruner_group_gone(p, i);
        out->channels_after += gone ? 0 : p->kept[i];
        out->groups_cut += gone || p->kept[i] < p->coupling->group[i].n_units;
    }
    for (uint32_t i = 0; i < p->blocks.n; i++)
        out->blocks_cut += p->block_gone[i];
}

/* --- scores --- */

rc_status rci_pruner_order(struct rc_pruner *p, uint32_t group)
{
    const uint32_t n = p->coupling->group[group].n_units;
    if (p->by_score[group])
        return RC_OK;
    p->by_score[group] = rci_alloc_array(p->ctx, n, sizeof(uint32_t));
    for (uint32_t u = 0; p->by_score[group] && u < n; u++)
        p->by_score[group][u] = u;
    return p->by_score[group] ? RC_OK : RC_ERR_MEMORY;
}

static int compare_scores(const void *a, const void *b, void *score)
{
    const uint32_t i = *(const uint32_t *) a, j = *(const uint32_t *) b;
    const double x = ((const double *) score)[i], y = ((const double *) score)[j];
    if (x != y)
        return x < y ? -1 : 1;
    return i < j ? 1 : i > j ? -1 : 0; /* of equals, the later one goes first */
}

void rci_pruner_sort(struct rc_pruner *p, uint32_t group, uint32_t from)
{
    const uint32_t n = p->coupling->group[group].n_units;
    qsort_r(p->by_score[group] + from, n - from, sizeof(uint32_t), compare_scores, p->score[group]);
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
    if (!p->score[i])
        return RC_ERR_MEMORY;
    RC_TRY(rci_pruner_order(p, i));
    if (p->leave[i])
        return RC_OK;
    if (rci_pruner_may_cut(p, i) && p->o.score)
        RC_TRY(ask_caller(p, i));
    else if (rci_pruner_may_cut(p, i))
        RC_TRY(rci_score_group(s, i, p->score[i]));
    rci_pruner_sort(p, i, p->by_hand[i]);
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
        RC_TRY(rci_readings_new(&readings, p->coupling, &o, p->leave, p->o.seed));
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
    rci_readings_free(readings);
    rci_activity_free(activity, p->coupling);
    rci_observed_free(observed, p->coupling);
    return st;
}

rc_status rci_pruner_score_groups(struct rc_pruner *p)
{
    if (p->scoring)
        return rci_fail(RC_ERR_STATE, "scores are asked for while the score callback runs");
    p->scoring = true;
    const rc_status st = score_all(p);
    p->scoring = false;
    return st;
}

bool rci_pruner_can_wait(const struct rc_pruner *p, uint32_t i)
{
    return p->coupling->group[i].producers > 1 && p->scopes.keep[p->scopes.of[i]] == 0;
}

rc_status rci_pruner_score(struct rc_pruner *p)
{
    if (p->scored)
        return RC_OK;
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        p->leave[i] = p->scored_inner && !rci_pruner_can_wait(p, i);
    RC_TRY(rci_pruner_score_groups(p));
    p->scored = true;
    return RC_OK;
}

rc_status rci_pruner_score_inner(struct rc_pruner *p)
{
    if (p->scored || p->scored_inner)
        return RC_OK;
    if (!p->criterion->eliminate)
        return rci_pruner_score(p);
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        p->leave[i] = rci_pruner_can_wait(p, i);
    RC_TRY(rci_pruner_score_groups(p));
    p->scored_inner = true;
    return RC_OK;
}
