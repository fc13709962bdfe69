#ifndef RC_LIB_ZOO_ZOO_H
#define RC_LIB_ZOO_ZOO_H
/* Standard networks with fresh weights. */
#include "graph/graph.h"

struct rci_zoo_options { /* zero: the network's own */
    int64_t classes, channels, height, width;
    double multiplier;     /* of all channel counts */
    const char *shortcuts; /* where a block changes the shape: "A" or "B" (rescomp/graph.h) */
    uint64_t seed;
};

rc_status rci_zoo_new(struct rc_graph **out, struct rc_context *c, const char *architecture,
                      const struct rci_zoo_options *o);
#endif
