#ifndef RC_LIB_PRUNE_REGULARIZER_H
#define RC_LIB_PRUNE_REGULARIZER_H
/* Training that makes channels removable. At every step a method sees the units of one group (a
 * channel with all weights that go with it) and says how hard each is pulled to zero. */
#include "base/method.h"

struct rci_regular_group {
    uint32_t n;              /* units */
    uint64_t step, steps;    /* of the run, from 0 */
    size_t weights;          /* of one unit, of the kinds that the method acts on */
    const double *square;    /* [n] sum of the squares of these weights */
    const double *magnitude; /* [n] sum of |w| of the weights that make the channel */
    float *memory;           /* [n] kept from step to step; 0 before the first */
    double *factor;          /* [n] out: times the weight is added to its gradient (shrink: the
                                weight is multiplied by it). 0 (shrink: 1) on entry */
    double *against;         /* [n] out: how hard the unit's filter is turned away from the filters
                                of the units where this is 0; 0 on entry */
};

struct rci_regularizer {
    struct rci_method m;
    uint32_t acts_on; /* kinds of weights: RC_SLICE_OUT, _SCALE, _IN of prune/criterion.h */
    bool by_member;   /* one weight (array) of a group at a time, not all together */
    /* Before every update. NULL: nothing to do there. */
    void (*pull)(const void *params, const struct rci_regular_group *g);
    /* After every epoch; NULL: nothing to do there. */
    void (*shrink)(const void *params, const struct rci_regular_group *g);
};
extern const struct rci_method_kind rci_kind_regularizer;

/* Marks in memory: which units are to go, chosen once. */
#define RC_UNIT_STAYS 1.0f
#define RC_UNIT_GOES 2.0f
/* If nothing is marked yet: of the group's units the fraction `ratio` with the smallest magnitude
 * goes, rounded down; at least one stays. */
void rci_regular_mark(const struct rci_regular_group *g, double ratio);
#endif
