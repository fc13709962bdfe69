#ifndef RC_LIB_ZOO_BUILD_H
#define RC_LIB_ZOO_BUILD_H
/* Layers with fresh weights, appended to a graph under the names PyTorch's modules would have. */
#include "zoo/zoo.h"

/* State of a network under construction. A failure sticks in `st`; everything after it does
 * nothing, so that builders read like the network. */
struct rci_build {
    struct rc_graph *g;
    rc_status st;
    uint64_t seed;
    uint64_t layer; /* counts weights: each has its own random stream */
};

struct rci_build_conv {
    int64_t in, out, kernel, stride, pad;
};

/* Each returns the id of its output value, RC_NONE after a failure. `name` as in "layer1.0". */
rci_id rci_build_conv(struct rci_build *b, rci_id x, const char *name,
                      const struct rci_build_conv *c);
rci_id rci_build_norm(struct rci_build *b, rci_id x, const char *name, int64_t channels);
rci_id rci_build_node(struct rci_build *b, const char *op, const char *name, const void *attrs,
                      const rci_id *in, uint32_t n_in);
rci_id rci_build_linear(struct rci_build *b, rci_id x, const char *name, int64_t in, int64_t out);
/* x[:, :, ::stride, ::stride] with channels of zeros before and after. */
rci_id rci_build_option_a(struct rci_build *b, rci_id x, const char *name,
                          const struct rci_build_conv *c);
#endif
