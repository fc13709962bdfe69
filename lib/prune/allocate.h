#ifndef RC_LIB_PRUNE_ALLOCATE_H
#define RC_LIB_PRUNE_ALLOCATE_H
/* How many channels each group loses: one greedy walk that takes the cheapest step until the target
 * is met, where a method says how cheap a step is; or all widths of all groups at once, where it
 * chooses between them. */
#include "base/method.h"
#include "prune/budget.h"
#include "prune/scope.h"

/* One possible step: the units of a group that go next. */
struct rci_cut_step {
    double score;            /* mean score of these units */
    double units;            /* how many */
    double fraction;         /* of the group's units gone after the step */
    double macs, parameters; /* fraction of the whole graph's that the step saves now */
    double saved;            /* the same of what the target counts */
};

/* The widths that one group may have, from the present one down. */
struct rci_allocation_curve {
    uint32_t n;
    double *error; /* [n] loss that comes with the width, 0 at first */
    double
        *saved; /* [n] what it saves of the target's cost, 0 at first; may fall as well (latency) */
    uint32_t pick; /* out: which */
};

struct rci_allocation {
    struct rci_method m;
    /* Lowest goes first. Must not fall while other groups are cut. */
    double (*price)(const void *params, const struct rci_cut_step *s);
    /* Instead of price: pick widths that together save `needed` or more, with a small sum of
     * errors; what saves most, if nothing saves that much. */
    rc_status (*choose)(const void *params, struct rc_context *ctx, struct rci_allocation_curve *c,
                        uint32_t n, double needed);
};
extern const struct rci_method_kind rci_kind_allocation;

enum rci_trunk { RC_TRUNK_AUTO = 0, RC_TRUNK_CUT = 1, RC_TRUNK_KEEP = 2 };

struct rci_allocate_config {
    const struct rci_allocation *method;
    const void *params;
    double macs, parameters, ratio;    /* fractions to keep at most; 0: no such target */
    uint64_t bytes;                    /* of weights, at most; 0: no such target */
    uint64_t all_macs, all_parameters; /* of the whole graph, before anything was cut */
    const struct rci_scopes *scopes;
    double max_cut; /* largest fraction that a group may lose */
    uint32_t round_to, min_channels;
    enum rci_trunk trunk;
    const bool *protect; /* [n_groups] */
    uint32_t most;       /* units that go at most, targets met or not; 0: any number */
    /* Any other cost that adds up over groups (time): [n_groups][n_units + 1] by how many units the
     * group keeps, and the sum to come down to. NULL: no such target. */
    const double *const *cost;
    double cost_goal;
};

/* What one group may give and has given. The caller fills the two arrays and gone. */
struct rci_allocation_group {
    const uint32_t *by_score; /* [n_units] units of the group, cheapest first */
    const double *score;      /* [n_units] by unit */
    const double *loss; /* [n_units + 1] by how many are kept, instead of the sum of the scores of
                           those that go; NULL: that sum */
    uint32_t n_units, kept;
    uint32_t gone;      /* cut before, the first ones of by_score */
    uint32_t step, min; /* kept counts are multiples of step (once cut), at least min */
    bool allowed;
};

/* Sets kept of every group and leaves `b` at the cost of that plan. Targets that cannot be reached:
 * RC_ERR_GOAL says what can. *met: false when `most` ended it before the targets were met. */
rc_status rci_allocate(struct rci_allocation_group *g, struct rci_budget *b,
                       const struct rci_allocate_config *o, bool *met);
#endif
