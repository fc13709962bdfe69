/* The border of pruning: arguments, defaults, ranges. */
#include "api/check.h"
#include "data/source.h"
#include "prune/pruner.h"

RC_ABI_NO_TAIL(rc_prune_options, cost_keep);
RC_ABI_NO_TAIL(rc_prune_group_info, parameters);
RC_ABI_NO_TAIL(rc_prune_member_info, role);
RC_ABI_NO_TAIL(rc_prune_result, blocks_cut);
RC_ABI_NO_TAIL(rc_prune_block_info, error);

/* 0 is "no such goal"; 1 allows all of it. */
static rc_status check_fraction(const char *name, double v)
{
    if (v == 0 || (v > 0 && v <= 1))
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "%s is %g, allowed is above 0 up to 1", name, v);
}

static rc_status prune_check_range(const char *name, uint64_t v, uint64_t max)
{
    if (v <= max)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "%s is %llu, allowed is up to %llu", name, (unsigned long long) v,
                    (unsigned long long) max);
}

static rc_status prune_check_options(const rc_prune_options *o)
{
    RC_TRY(check_fraction("macs", o->macs));
    RC_TRY(check_fraction("parameters", o->parameters));
    RC_TRY(check_fraction("ratio", o->ratio));
    RC_TRY(check_fraction("cost_keep", o->cost_keep));
    if (o->cost_keep > 0 && !o->cost)
        return rci_fail(RC_ERR_ARG, "cost_keep is %g, but cost is NULL", o->cost_keep);
    if (!(o->max_cut > 0 && o->max_cut < 1))
        return rci_fail(RC_ERR_ARG, "max_cut is %g, allowed is above 0 and below 1", o->max_cut);
    RC_TRY(prune_check_range("round_to", o->round_to, 1024));
    RC_TRY(prune_check_range("min_channels", o->min_channels, 1 << 20));
    RC_TRY(prune_check_range("trunk", o->trunk, RC_PRUNE_TRUNK_KEEP));
    RC_TRY(prune_check_range("batch", o->batch, 65536));
    RC_TRY(prune_check_range("keep_count", o->keep_count, 1 << 20));
    if (o->keep_count && !o->keep)
        return rci_fail(RC_ERR_ARG, "keep is NULL, but keep_count is not 0");
    RC_TRY(prune_check_range("scope_count", o->scope_count, 1 << 20));
    RC_TRY(prune_check_range("ratio_count", o->ratio_count, 1 << 20));
    if (o->scope_count && !o->scopes)
        return rci_fail(RC_ERR_ARG, "scopes is NULL, but scope_count is not 0");
    if (o->ratio_count && !o->ratios)
        return rci_fail(RC_ERR_ARG, "ratios is NULL, but ratio_count is not 0");
    RC_CHECK_OPTIONAL(dataset, o->dataset, "dataset");
    return rci_abi_check_flags(o->flags, RC_PRUNE_BLOCKS, "rc_prune_options");
}

static rc_status prune_options_read(rc_prune_options *o, const rc_prune_options *caller,
                                    const struct rc_context *c)
{
    RC_TRY(rci_abi_read(o, sizeof(*o), caller, "rc_prune_options"));
    if (o->max_cut == 0)
        o->max_cut = 0.9;
    o->round_to = o->round_to ? o->round_to : 1;
    o->min_channels = o->min_channels ? o->min_channels : 1;
    o->images = o->images ? o->images : 1024;
    o->batch = o->batch ? o->batch : 128;
    o->seed = o->seed ? o->seed : c->o.seed;
    return prune_check_options(o);
}

/* Handle first: the number of groups is in it. */
static rc_status check_group(const rc_pruner *pruner, uint64_t group)
{
    RC_CHECK(pruner, pruner);
    return rci_check_index("group", group, pruner->coupling->n_groups);
}

rc_status rc_pruner_new(rc_pruner **out, const rc_graph *graph, const rc_prune_options *options)
{
    rc_prune_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(graph, graph);
    RC_TRY(prune_options_read(&o, options, graph->ctx));
    return rci_pruner_new(out, graph, &o);
}

void rc_pruner_free(rc_pruner **pruner)
{
    RC_FREE(pruner, pruner);
}

uint64_t rc_pruner_count_groups(const rc_pruner *pruner)
{
    return rci_pruner_valid(pruner) ? pruner->coupling->n_groups : 0;
}

rc_status rc_pruner_get_group(const rc_pruner *pruner, uint64_t group, rc_prune_group_info *info)
{
    RC_CHECK_SET(info);
    RC_TRY(check_group(pruner, group));
    const uint32_t i = (uint32_t) group;
    const struct rci_prune_group *g = &pruner->coupling->group[i];
    rc_prune_group_info r = {.size = sizeof(r),
                             .name = g->name,
                             .channels = g->n_units,
                             .width = g->width,
                             .kept = rci_pruner_group_gone(pruner, i) ? 0 : pruner->kept[i],
                             .members = g->n_members,
                             .producers = g->producers,
                             .may_cut = rci_pruner_may_cut(pruner, i),
                             .reason = rci_pruner_reason(pruner, i)};
    RC_TRY(rci_pruner_channel_cost(pruner, i, &r.macs, &r.parameters));
    return rci_abi_write(info, &r, sizeof(r), "rc_prune_group_info");
}

rc_status rc_pruner_get_member(const rc_pruner *pruner, uint64_t group, uint64_t member,
                               rc_prune_member_info *info)
{
    RC_CHECK_SET(info);
    RC_TRY(check_group(pruner, group));
    const struct rci_prune_group *g = &pruner->coupling->group[group];
    if (member >= g->n_members)
        return rci_fail(RC_ERR_ARG, "member is %llu, group \"%s\" has %u",
                        (unsigned long long) member, g->name, g->n_members);
    const struct rci_member *m = &g->member[member];
    const rc_prune_member_info r = {sizeof(r), pruner->graph->nodes[m->node].name,
                                    pruner->graph->values[m->value].name, m->axis, m->kind};
    return rci_abi_write(info, &r, sizeof(r), "rc_prune_member_info");
}

rc_status rc_pruner_get_scores(rc_pruner *pruner, uint64_t group, const double **scores,
                               uint64_t *count)
{
    RC_CHECK_OUT(scores);
    RC_TRY(check_group(pruner, group));
    RC_TRY(rci_pruner_score(pruner));
    *scores = pruner->score[group];
    if (count)
        *count = pruner->coupling->group[group].n_units;
    return RC_OK;
}

uint64_t rc_pruner_count_blocks(const rc_pruner *pruner)
{
    return rci_pruner_valid(pruner) ? pruner->blocks.n : 0;
}

static rc_status check_block(const rc_pruner *pruner, uint64_t block)
{
    RC_CHECK(pruner, pruner);
    return rci_check_index("block", block, pruner->blocks.n);
}

rc_status rc_pruner_get_block(rc_pruner *pruner, uint64_t block, rc_prune_block_info *info)
{
    RC_CHECK_SET(info);
    RC_TRY(check_block(pruner, block));
    const struct rci_block *b = &pruner->blocks.block[block];
    const bool gone = pruner->block_gone[block];
    struct rci_budget *now = pruner->budget;
    const uint64_t macs = now->macs, parameters = now->parameters;
    rci_budget_drop(now, b->node, b->n_nodes, !gone);
    const rc_prune_block_info r = {sizeof(r),
                                   b->name,
                                   pruner->graph->nodes[b->add].name,
                                   gone,
                                   gone ? now->macs - macs : macs - now->macs,
                                   gone ? now->parameters - parameters
                                        : parameters - now->parameters,
                                   pruner->block_error[block]};
    rci_budget_drop(now, b->node, b->n_nodes, gone);
    return rci_abi_write(info, &r, sizeof(r), "rc_prune_block_info");
}

rc_status rc_pruner_cut_block(rc_pruner *pruner, uint64_t block)
{
    RC_TRY(check_block(pruner, block));
    return rci_pruner_cut_block(pruner, (uint32_t) block);
}

static void prune_write_result(const rc_pruner *p, rc_prune_result *result)
{
    rc_prune_result r;
    if (!result)
        return;
    rci_pruner_result(p, &r);
    rci_abi_write(result, &r, sizeof(r), "rc_prune_result"); /* its size is checked */
}

rc_status rc_pruner_plan(rc_pruner *pruner, rc_prune_result *result)
{
    RC_CHECK(pruner, pruner);
    if (result)
        RC_TRY(rci_abi_clear(result, "rc_prune_result"));
    const rc_status st = rci_pruner_plan(pruner);
    /* a plan that misses its goal is a plan all the same */
    if (st == RC_OK || st == RC_ERR_GOAL)
        prune_write_result(pruner, result);
    return st;
}

rc_status rc_pruner_set_kept(rc_pruner *pruner, uint64_t group, uint64_t kept)
{
    RC_TRY(check_group(pruner, group));
    RC_TRY(prune_check_range("kept", kept, UINT32_MAX));
    return rci_pruner_set_kept(pruner, (uint32_t) group, (uint32_t) kept);
}

rc_status rc_pruner_cut(rc_pruner *pruner, uint64_t group, const uint64_t *channels, uint64_t count)
{
    RC_TRY(check_group(pruner, group));
    RC_TRY(prune_check_range("count", count, UINT32_MAX));
    if (count && !channels)
        return rci_fail(RC_ERR_ARG, "channels is NULL");
    return rci_pruner_cut(pruner, (uint32_t) group, channels, count);
}

rc_status rc_pruner_save_history(const rc_pruner *pruner, const char *path)
{
    RC_CHECK(pruner, pruner);
    if (!path)
        return rci_fail(RC_ERR_ARG, "path is NULL");
    if (!pruner->planned)
        return rci_fail(RC_ERR_STATE, "there is no plan yet");
    return rci_pruner_save_history(pruner, path);
}

rc_status rc_pruner_replay_history(rc_pruner *pruner, const char *path)
{
    RC_CHECK(pruner, pruner);
    if (!path)
        return rci_fail(RC_ERR_ARG, "path is NULL");
    return rci_pruner_replay_history(pruner, path);
}

rc_status rc_pruner_apply(rc_graph **out, rc_pruner *pruner, rc_prune_result *result)
{
    RC_CHECK_OUT(out);
    RC_CHECK(pruner, pruner);
    if (result)
        RC_TRY(rci_abi_clear(result, "rc_prune_result"));
    const rc_status st = rci_pruner_apply(out, pruner);
    /* also with RC_ERR_GOAL, which gives the smallest graph there is */
    if (*out)
        prune_write_result(pruner, result);
    return st;
}
