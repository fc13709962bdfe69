#ifndef RC_LIB_PRUNE_PRUNER_H
#define RC_LIB_PRUNE_PRUNER_H
/* Owns groups, scores and plan; the methods only see arrays. */
#include "prune/allocate.h"
#include "prune/blocks.h"
#include "prune/schedule.h"
#include "prune/scope.h"
#include "prune/score.h"
#include <rescomp/prune.h>

struct rc_pruner {
    uint64_t magic;
    struct rc_context *ctx;
    struct rc_graph *graph; /* own copy */
    struct rci_coupling *coupling;
    struct rci_budget *budget; /* at the current plan */
    struct rci_graph_cost before;
    bool *protect;       /* [n_groups] */
    double **score;      /* [n_groups][n_units]; all NULL before the first use */
    uint32_t **by_score; /* [n_groups][n_units] units, lowest score first */
    uint32_t *kept;      /* [n_groups] */
    uint32_t *by_hand;   /* [n_groups] cut channel by channel: the first ones of by_score */
    struct rci_scopes scopes;
    bool scored, planned, scoring;
    bool scored_inner;  /* groups outside of trunks have scores */
    bool rescored;      /* some scores are of a cut network */
    bool *leave;        /* [n_groups] that score() skips: trunks at first, later what has scores */
    rc_prune_options o; /* defaults filled in; strings belong to the caller of new */
    const struct rci_criterion *criterion;
    const struct rci_reduction *reduction;
    const struct rci_normalizer *normalizer;
    const struct rci_allocation *allocation;
    const struct rci_repair *repair;
    const struct rci_schedule *schedule;
    void *criterion_params, *allocation_params, *repair_params, *schedule_params;
    uint64_t all_bytes; /* of weights, before anything was cut */
    struct rci_blocks blocks;
    bool *block_gone, *block_by_hand; /* [blocks.n]; those by hand are gone too */
    double *block_error;              /* [blocks.n] of rci_blocks_measure() */
    bool blocks_measured;
    bool lent; /* methods' parameters are those of another pruner */
};

bool rci_pruner_valid(const struct rc_pruner *p);
rc_status rci_pruner_new(struct rc_pruner **out, const struct rc_graph *g,
                         const rc_prune_options *o);
void rci_pruner_free(struct rc_pruner *p);
rc_status rci_pruner_score(struct rc_pruner *p);
/* The same, but residual trunks may be left out where their scores would cost much. */
rc_status rci_pruner_score_inner(struct rc_pruner *p);
/* by_score[group] in some order, when nobody has asked for scores yet. */
rc_status rci_pruner_order(struct rc_pruner *p, uint32_t group);
/* Of the groups that are not in `leave`. */
rc_status rci_pruner_score_groups(struct rc_pruner *p);
/* Scores of what the plan leaves, in the network as it would be cut and repaired now; the order of
 * what is gone stays. Of groups whose scores were asked for so far. */
rc_status rci_pruner_rescore(struct rc_pruner *p);
/* A pruner of another graph with the methods of `like`, which must outlive it; takes over g. */
rc_status rci_pruner_new_like(struct rc_pruner **out, const struct rc_pruner *like,
                              struct rc_graph *g);
/* The graph cut by the current plan and repaired. cut: which indices of every row are left, free it
 * with rci_links_free(); NULL: not wanted. */
rc_status rci_pruner_cut_clone(struct rc_graph **out, struct rci_links **cut, struct rc_pruner *p);
/* Groups whose scores can be had later: trunks that no fraction is asked of. */
bool rci_pruner_can_wait(const struct rc_pruner *p, uint32_t group);
/* by_score[group] from unit `from` on in the order of the scores. */
void rci_pruner_sort(struct rc_pruner *p, uint32_t group, uint32_t from);
rc_status rci_pruner_plan(struct rc_pruner *p);
/* Without any check. */
rc_status rci_pruner_change_kept(struct rc_pruner *p, uint32_t group, uint32_t kept);
/* depth.c: whole blocks. A group all of whose layers are in blocks that are gone: */
bool rci_pruner_group_gone(const struct rc_pruner *p, uint32_t group);
rc_status rci_pruner_drop_block(struct rc_pruner *p, uint32_t block, bool gone);
rc_status rci_pruner_cut_block(struct rc_pruner *p, uint32_t block);
/* Out of the cut graph; ids stay. */
rc_status rci_pruner_remove_blocks(const struct rc_pruner *p, struct rc_graph *g);
/* Blocks that go because that is cheaper than channels; plan: of channels with the blocks that are
 * gone now. */
typedef rc_status (*rci_plan_channels)(struct rc_pruner *p);
rc_status rci_pruner_plan_blocks(struct rc_pruner *p, rci_plan_channels plan);
rc_status rci_pruner_set_kept(struct rc_pruner *p, uint32_t group, uint32_t kept);
/* Take these channels out, besides those that the plan takes out. */
rc_status rci_pruner_cut(struct rc_pruner *p, uint32_t group, const uint64_t *channel, uint64_t n);
/* Nothing is cut, as in the beginning. */
rc_status rci_pruner_restore(struct rc_pruner *p);
rc_status rci_pruner_save_history(const struct rc_pruner *p, const char *path);
rc_status rci_pruner_replay_history(struct rc_pruner *p, const char *path);
rc_status rci_pruner_apply(struct rc_graph **out, struct rc_pruner *p);
void rci_pruner_result(const struct rc_pruner *p, rc_prune_result *out);
/* Why a group may not be cut, or "". */
const char *rci_pruner_reason(const struct rc_pruner *p, uint32_t group);
bool rci_pruner_may_cut(const struct rc_pruner *p, uint32_t group);
/* Cost of one channel of the uncut graph. */
rc_status rci_pruner_channel_cost(const struct rc_pruner *p, uint32_t group, uint64_t *macs,
                                  uint64_t *parameters);
#endif
