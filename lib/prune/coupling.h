#ifndef RC_LIB_PRUNE_COUPLING_H
#define RC_LIB_PRUNE_COUPLING_H
/* Pruning groups. A unit is a set of indices that are cut together (one channel with all its
 * copies, or position k of all blocks of a grouped convolution); a group is all units that lie in
 * the same rows, so its members and costs are the same for each of its units. */
#include "graph/link.h"

enum rci_member_kind { /* what a constant is to the channel; the order of members in a group */
                       RC_MEMBER_OUT =
                           1, /* weights that make it: output side of Conv, Gemm; depthwise Conv */
                       RC_MEMBER_SCALE = 2, /* one factor per channel: BatchNormalization */
                       RC_MEMBER_IN = 3,    /* weights that read it: input side of Conv, Gemm */
                       RC_MEMBER_OTHER =
                           4 /* bias, shift, statistics: cut with it, say nothing of its use */
};

struct rci_member {
    enum rci_member_kind kind;
    rci_id node, value; /* first reader in execution order; the constant */
    uint32_t axis;
};

struct rci_prune_group {
    const char *name; /* of the node of the first member; borrowed from the graph */
    uint32_t *unit;   /* [n_units] representative ids, by index in the first member */
    struct rci_member *member;
    uint32_t n_units, n_members;
    uint32_t width;     /* indices that one unit has in the first member (blocks; else 1) */
    uint32_t producers; /* layers that make it; more than one: a residual trunk or a gate */
    rci_id fixed_by;    /* node that needs all of it (RC_LINK_INTERFACE: graph input or output),
                          or RC_NONE: may be cut */
};

struct rci_coupling {
    struct rci_links *links;
    uint32_t *start;    /* [n_ids + 1] ids of the unit with representative r: */
    uint32_t *id;       /* id[start[r] .. start[r + 1]), ascending */
    uint8_t *kind;      /* [n_rows] enum rci_member_kind of a constant's axis, 0: not linked */
    rci_id *reader;     /* [n_rows] node of that member */
    uint32_t *position; /* [n_nodes] place of a node in execution order */
    struct rci_prune_group *group;
    uint32_t n_groups;
};

/* Groups in execution order of their first member. The graph is borrowed. */
rc_status rci_coupling_new(struct rci_coupling **out, const struct rc_graph *g);
void rci_coupling_free(struct rci_coupling *c);
static inline const uint32_t *rci_unit_ids(const struct rci_coupling *c, uint32_t unit, uint32_t *n)
{
    *n = c->start[unit + 1] - c->start[unit];
    return c->id + c->start[unit];
}
#endif
