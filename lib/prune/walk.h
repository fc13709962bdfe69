#ifndef RC_LIB_PRUNE_WALK_H
#define RC_LIB_PRUNE_WALK_H
/* The state of an allocation, shared by allocate.c (targets, limits, step by step) and curves.c
 * (all widths at once). */
#include "prune/allocate.h"

enum rci_target { /* what a plan may be asked to bring down */
                  RC_TARGET_COST,
                  RC_TARGET_MACS,
                  RC_TARGET_PARAMETERS,
                  RC_TARGET_BYTES,
                  RC_TARGET_RATIO,
                  RC_TARGETS
};

struct rci_walk {
    struct rci_allocation_group *g;
    struct rci_budget *b;
    const struct rci_allocate_config *o;
    uint32_t n;
    uint64_t macs, parameters;          /* of the whole graph */
    uint64_t units, kept;               /* over the groups that may be cut */
    uint32_t *scope_units, *scope_kept; /* [scopes] the same for each scope */
    double *price;                      /* [n] of the next step when last asked; INFINITY: none */
    uint32_t *unit;                     /* scratch: units of one step */
    uint32_t taken;                     /* units so far */
};

/* The next smaller count that a group may have; its present one when there is none. */
uint32_t rci_walk_next(const struct rci_allocation_group *g);
/* w->unit: what goes when group i keeps `next`; returns how many. */
uint32_t rci_walk_units(const struct rci_walk *w, uint32_t i, uint32_t next);
/* Group i keeps `next`. */
void rci_walk_take(struct rci_walk *w, uint32_t i, uint32_t next);
/* What the target counts, now, and what is asked for; 0: nothing. */
double rci_walk_now(const struct rci_walk *w, enum rci_target t);
double rci_walk_goal(const struct rci_walk *w, enum rci_target t);
/* Loss of group i when it keeps that many, up to a constant. */
double rci_walk_loss(const struct rci_walk *w, uint32_t i, uint32_t kept);

/* For methods with `choose`: until the scope (RC_NONE: every target) has what it asks for, or
 * nothing is left. */
rc_status rci_walk_choose(struct rci_walk *w, uint32_t scope);
#endif
