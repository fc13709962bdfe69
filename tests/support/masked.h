#ifndef MASKED_H
#define MASKED_H
/* The same channels of a network set to zero, and removed. */
#include "graph/graph.h"
#include "test.h"

struct masked {
    struct rc_graph *masked, *cut;
    uint32_t removed; /* units */
};

/* Every unit of every group that may be cut goes with probability `share`; one of a group stays.
 * readers: the weights that read a channel are zero too, else only those that make it. Also checks
 * that the multiply-adds and parameters left are those that the budget foretells. */
void masked_cut(const struct rc_graph *g, uint64_t seed, double share, bool readers,
                struct masked *f);
void masked_done(struct masked *f);
#endif
