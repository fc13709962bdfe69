/**
 * @file rescomp/prune.h
 * Structured pruning: whole channels are removed, so the result is a smaller dense model that
 * needs no sparse kernels.
 *
 *     graph -> [pruner: groups -> scores -> plan -> cut] -> smaller graph -> trainer (fine-tune)
 */
#ifndef RESCOMP_PRUNE_H
#define RESCOMP_PRUNE_H

#include <rescomp/dataset.h>
#include <rescomp/graph.h>

RC_BEGIN

/** Opaque. Has its own copy of the graph. One thread at a time. */
typedef struct rc_pruner rc_pruner;

/**
 * A criterion of the caller's own: write the scores of one group that may be cut.
 *
 * @param[out] scores **[count]** finite, higher = keep.
 * @param[in]  pruner May be asked for groups and members, but for nothing that needs scores.
 * @return 0, or anything else to fail with RC_ERR_DATA.
 */
typedef int32_t (*rc_prune_score_fn)(void *user, const rc_pruner *pruner, uint64_t group,
                                     double *scores, uint64_t count);

/**
 * What a group costs when it keeps some of its channels and all others stay as they are, in any
 * unit that adds up over groups: measured time, energy, bytes of a format. Asked when a plan is
 * made, for every group and 1..channels.
 *
 * @param[in] pruner As for rc_prune_score_fn.
 * @return Finite and not negative, else RC_ERR_DATA.
 */
typedef double (*rc_prune_cost_fn)(void *user, const rc_pruner *pruner, uint64_t group,
                                   uint64_t kept);

/** Zero means "default" for every member. Strings and lists are read during rc_pruner_new() only.
 *  Targets may be combined: all are met. Without any, and without a fraction in scopes or ratios,
 *  macs is 0.5. */
typedef struct rc_prune_options {
    size_t size;             /**< sizeof(rc_prune_options), set by the INIT macro. */
    const char *criterion;   /**< A "criterion" method; NULL: "block-obs" with a dataset, "l2"
                                  without, or where block-obs cannot score a group. */
    const char *allocation;  /**< An "allocation" method; NULL: the criterion's: "per-cost" where
                                  scores are losses (block-obs), else "global". */
    const char *reduction;   /**< A "reduction" method over coupled layers; NULL: the criterion's:
                                  "sum" where scores are losses, else "mean". */
    const char *normalizer;  /**< A "normalizer" method inside groups; NULL: the criterion's:
                                  "none" where scores are losses, else "max". */
    double macs;             /**< Keep at most this fraction of the multiply-adds, (0, 1]. */
    double parameters;       /**< Keep at most this fraction of the parameters, (0, 1]. */
    double ratio;            /**< Keep at most this fraction of the channels that may be cut
                                  (of groups inside residual blocks, unless trunk is
                                  RC_PRUNE_TRUNK_CUT), (0, 1]. */
    double max_cut;          /**< No group loses more than this fraction; 0: 0.9. Range (0, 1). */
    uint64_t round_to;       /**< Cut groups keep a multiple of this; 0: 1. Range 1..1024.
                                  [channels] */
    uint64_t min_channels;   /**< Groups keep at least this many (or all they have); 0: 1.
                                  [channels] */
    const char *const *keep; /**< Layers whose output channels all stay: names of nodes or weights,
                                  '*' and '?' match anything. A pattern must match something. */
    uint64_t keep_count;     /**< Entries of keep. */
    uint64_t trunk;          /**< Groups with several producing layers (residual trunks):
                                  RC_PRUNE_TRUNK_AUTO, _CUT or _KEEP. */
    const char *repair;      /**< A "repair" method run on the result; NULL: "least-squares" with a
                                  dataset, else "none". */
    const rc_dataset *dataset; /**< For criteria and repairs that look at data. Borrowed until the
                                  pruner is freed; NULL: none. */
    uint64_t images;           /**< How many of its images; 0: 1,024. */
    uint64_t batch;            /**< Images at a time; 0: 128, or the graph's when that is fixed. */
    uint64_t seed;             /**< Of random choices; 0: the context's. */
    uint64_t flags;            /**< RC_PRUNE_BLOCKS; 0: none. */
    rc_prune_score_fn score;   /**< Called once for every group, in order, instead of a criterion,
                                    which must be NULL then; allocation "global" and normalizer
                                    "none" are the default. NULL: none. */
    void *score_user;          /**< Its first argument. */
    const char *scope;         /**< Who competes: "global", "local" (every group loses the same
                                    fraction) or "isomorphic" (every kind of group does, groups of
                                    a kind compete); NULL: "global". */
    const char *const *scopes; /**< Scopes of your own: "PATTERN,PATTERN" compete with each other
                                    only, "PATTERN,PATTERN=F" besides keep the fraction F of their
                                    channels whatever the target. Patterns as in keep. */
    uint64_t scope_count;      /**< Entries of scopes. */
    const char *const *ratios; /**< "PATTERN=F": each group of a matching layer keeps the fraction F
                                    whatever the target; trunks too. Before scopes; of several
                                    that match the first counts. */
    uint64_t ratio_count;      /**< Entries of ratios. */
    uint64_t bytes;            /**< Weights have at most this size; 0: no such target. [bytes] */
    const char *schedule;      /**< A "schedule" method: rounds in which the plan is made. After
                                    each but the last, what is left is scored anew in the network
                                    cut and repaired so far; NULL: "one-shot". */
    rc_prune_cost_fn cost;     /**< A cost of your own, which cost_keep is a target of; NULL:
                                    none. */
    void *cost_user;           /**< Its first argument. */
    double cost_keep;          /**< Keep at most this fraction of the sum of cost over all groups,
                                    (0, 1]; 0: no such target. */
} rc_prune_options;

/** Residual blocks may go as a whole (only their shortcut stays) where that loses less per
 *  multiply-add (or parameter) than more channels. Needs a criterion whose scores are losses
 *  (block-obs), a dataset, and a target of multiply-adds or parameters. @since 0.1 */
#define RC_PRUNE_BLOCKS UINT64_C(1)

/** Cut trunks only when the rest cannot reach the target. */
#define RC_PRUNE_TRUNK_AUTO UINT64_C(0)
/** Trunks compete with all other groups. */
#define RC_PRUNE_TRUNK_CUT UINT64_C(1)
/** Trunks stay whole. */
#define RC_PRUNE_TRUNK_KEEP UINT64_C(2)

#define RC_PRUNE_OPTIONS_INIT                                                                    \
    {                                                                                            \
        sizeof(rc_prune_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                                         \
    }

/**
 * Find the groups of channels of @p graph that must be cut together.
 *
 * @param[out] out     New pruner; NULL on failure. Release with rc_pruner_free().
 * @param[in]  graph   Copied; unchanged. A quantized graph is taken back to reals first, its
 *                     weights to what their integers stand for: quantize what is left again.
 * @param[in]  options NULL for defaults.
 * @return RC_OK; RC_ERR_ARG unknown method, value out of range, keep pattern without a match;
 *         RC_ERR_LIMIT; RC_ERR_ABI; RC_ERR_MEMORY.
 * Thread safety: the graph must not change during the call. Cost: no model runs.
 * Source: Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023. @since 0.1
 */
RC_API rc_status rc_pruner_new(rc_pruner **out, const rc_graph *graph,
                               const rc_prune_options *options);

/** Release; accepts NULL, sets *pruner to NULL. @since 0.1 */
RC_API void rc_pruner_free(rc_pruner **pruner);

/** Number of groups, also of those that may not be cut; 0 for NULL. @since 0.1 */
RC_API uint64_t rc_pruner_count_groups(const rc_pruner *pruner);

/** One group of coupled channels. Strings are borrowed from the pruner. */
typedef struct rc_prune_group_info {
    size_t size;         /**< sizeof(rc_prune_group_info), set by the caller. */
    const char *name;    /**< Node of the first layer that makes these channels. */
    uint64_t channels;   /**< How many can be chosen one by one. */
    uint64_t width;      /**< Channels of that layer behind each: above 1 in grouped convolutions,
                              where position k of all blocks goes at once. */
    uint64_t kept;       /**< Left by the current plan; channels before there is one. */
    uint64_t members;    /**< Weights that are cut along, see rc_pruner_get_member(). */
    uint64_t producers;  /**< Layers that make these channels; above 1: a residual trunk. */
    uint64_t may_cut;    /**< 1, or 0: see reason. */
    const char *reason;  /**< Why it may not be cut: the node that needs all of it, "graph input
                              or output", or "kept by request"; "" when it may. */
    uint64_t macs;       /**< Saved by cutting one channel from the whole graph. [multiply-adds] */
    uint64_t parameters; /**< Saved by cutting one channel from the whole graph. */
} rc_prune_group_info;

#define RC_PRUNE_GROUP_INFO_INIT                                  \
    {                                                             \
        sizeof(rc_prune_group_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/** @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_pruner_get_group(const rc_pruner *pruner, uint64_t group,
                                     rc_prune_group_info *info);

/** One weight of a group. Strings are borrowed from the pruner. */
typedef struct rc_prune_member_info {
    size_t size;        /**< sizeof(rc_prune_member_info), set by the caller. */
    const char *node;   /**< Node that uses the weight. */
    const char *weight; /**< Name of the weight. */
    uint64_t axis;      /**< Axis of the weight that is cut. */
    uint64_t role;      /**< RC_PRUNE_MAKES, _SCALES, _READS or _FOLLOWS. */
} rc_prune_member_info;

#define RC_PRUNE_MAKES UINT64_C(1)   /**< Output side of a convolution or matrix. */
#define RC_PRUNE_SCALES UINT64_C(2)  /**< Scale of a BatchNormalization. */
#define RC_PRUNE_READS UINT64_C(3)   /**< Input side of a convolution or matrix. */
#define RC_PRUNE_FOLLOWS UINT64_C(4) /**< Bias, shift, statistics. */

#define RC_PRUNE_MEMBER_INFO_INIT                \
    {                                            \
        sizeof(rc_prune_member_info), 0, 0, 0, 0 \
    }

/** @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_pruner_get_member(const rc_pruner *pruner, uint64_t group, uint64_t member,
                                      rc_prune_member_info *info);

/**
 * Scores of a group's channels: higher = keep. Computed at the first call, for all groups. After a
 * plan in several rounds those of the last round, of channels that went before those at that time.
 *
 * @param[out] scores **[channels]**, borrowed until the pruner is freed.
 * @param[out] count  channels of the group. May be NULL.
 * @return RC_OK; RC_ERR_ARG the criterion has nothing to look at in a group that may be cut, or
 *         needs a data set; RC_ERR_DATA; RC_ERR_CANCELLED; RC_ERR_MEMORY. @since 0.1
 */
RC_API rc_status rc_pruner_get_scores(rc_pruner *pruner, uint64_t group, const double **scores,
                                      uint64_t *count);

/** What a plan or a cut gains. */
typedef struct rc_prune_result {
    size_t size;                /**< sizeof(rc_prune_result), set by the caller. */
    uint64_t macs_before;       /**< Multiply-adds for one image. */
    uint64_t macs_after;        /**< Exact, not estimated. */
    uint64_t parameters_before; /**< Elements of all weights. */
    uint64_t parameters_after;  /**< Exact, not estimated. */
    uint64_t channels_before;   /**< Over all groups that may be cut, trunks included. */
    uint64_t channels_after;    /**< Over the same groups. */
    uint64_t groups_cut;        /**< Groups that lose channels. */
    uint64_t blocks_cut;        /**< Residual blocks that go as a whole. */
} rc_prune_result;

#define RC_PRUNE_RESULT_INIT                         \
    {                                                \
        sizeof(rc_prune_result), 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/**
 * Choose what every group keeps, without cutting.
 *
 * @param[out] result May be NULL.
 * @return RC_OK; RC_ERR_GOAL a target cannot be reached within the limits: the message says how
 *         far it goes, and the plan is the smallest one, which rc_pruner_apply() then cuts and
 *         @p result is of; else as rc_pruner_get_scores(). @since 0.1
 */
RC_API rc_status rc_pruner_plan(rc_pruner *pruner, rc_prune_result *result);

/**
 * Change the plan by hand: group @p group keeps its @p kept best channels.
 *
 * @param[in] kept 1..channels.
 * @return RC_OK; RC_ERR_ARG out of range, or a group that may not be cut; else as
 *         rc_pruner_get_scores(). @since 0.1
 */
RC_API rc_status rc_pruner_set_kept(rc_pruner *pruner, uint64_t group, uint64_t kept);

/**
 * Change the plan by hand: these channels of group @p group go, besides those that the plan takes
 * from it. May be called again; a plan made afterwards starts from there. No scores are needed.
 *
 * @param[in] channels **[count]** distinct, 0..channels-1 of the group.
 * @return RC_OK; RC_ERR_ARG out of range, one that went before, none would be left, or a group
 *         that may not be cut; RC_ERR_MEMORY. Nothing has changed then. @since 0.1
 */
RC_API rc_status rc_pruner_cut(rc_pruner *pruner, uint64_t group, const uint64_t *channels,
                               uint64_t count);

/** Residual blocks whose shortcut is their input as it is; 0 for NULL. @since 0.1 */
RC_API uint64_t rc_pruner_count_blocks(const rc_pruner *pruner);

/** One residual block. Strings are borrowed from the pruner. */
typedef struct rc_prune_block_info {
    size_t size;         /**< sizeof(rc_prune_block_info), set by the caller. */
    const char *name;    /**< Its first layer. */
    const char *add;     /**< The node that adds the shortcut. */
    uint64_t cut;        /**< 1: the current plan takes it out. */
    uint64_t macs;       /**< Saved by that, from the network as planned otherwise; of a block that
                              is cut, what it would add. [multiply-adds] */
    uint64_t parameters; /**< The same of parameters. */
    double error;        /**< Mean squared distance of the answers when its branch gives its mean
                              over images; 0: not measured (see RC_PRUNE_BLOCKS). */
} rc_prune_block_info;

#define RC_PRUNE_BLOCK_INFO_INIT                     \
    {                                                \
        sizeof(rc_prune_block_info), 0, 0, 0, 0, 0, 0 \
    }

/** @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_pruner_get_block(rc_pruner *pruner, uint64_t block, rc_prune_block_info *info);

/**
 * Change the plan by hand: this block goes as a whole. A plan made afterwards starts from there.
 *
 * @return RC_OK; RC_ERR_ARG out of range, cut already, or a layer of it is kept by request.
 * @since 0.1
 */
RC_API rc_status rc_pruner_cut_block(rc_pruner *pruner, uint64_t block);

/**
 * Write which channels the current plan cuts as JSON, with a checksum of the model.
 *
 * @return RC_OK; RC_ERR_ARG; RC_ERR_STATE there is no plan; RC_ERR_PATH; RC_ERR_IO;
 *         RC_ERR_MEMORY. @since 0.1
 */
RC_API rc_status rc_pruner_save_history(const rc_pruner *pruner, const char *path);

/**
 * Make the plan that a history describes, instead of the present one. rc_pruner_apply() then gives
 * the same bytes as where it was written, if repair, its images and options are the same.
 *
 * @return RC_OK; RC_ERR_ARG history of another model; RC_ERR_FORMAT; RC_ERR_PATH; RC_ERR_IO;
 *         RC_ERR_MEMORY. Then the plan is as it was, or nothing is cut. @since 0.1
 */
RC_API rc_status rc_pruner_replay_history(rc_pruner *pruner, const char *path);

/**
 * Cut by the current plan (made now, if there is none) and repair.
 *
 * @param[out] out    New, smaller graph; NULL on failure. Release with rc_graph_free().
 * @param[out] result May be NULL.
 * @return RC_OK; RC_ERR_GOAL the plan was made by this call and misses a target: *out is the
 *         smallest graph there is; else as rc_pruner_plan(); RC_ERR_SHAPE, RC_ERR_UNSUPPORTED an
 *         operator cannot follow the cut. May be called again, also after other plans. @since 0.1
 */
RC_API rc_status rc_pruner_apply(rc_graph **out, rc_pruner *pruner, rc_prune_result *result);

RC_END
#endif
