#ifndef OPNETS_H
#define OPNETS_H
/* Small networks, one per way that channels travel: a layer, operators between, another layer. */
#include "graph/graph.h"
#include "test.h"

struct opnet {
    struct rc_context *ctx;
    struct rc_graph *g; /* x [2, 3, 4, 4] -> ... -> output; inferred and verified */
    rci_id x, w1;       /* input, and the first layer's weights [8, 3, 1, 1] */
    rci_id at;          /* value reached so far; the output in the end */
    uint32_t seed;
};
struct opnet_case {
    const char *name;
    void (*between)(struct opnet *n); /* from [2, 8, 4, 4] */
    bool smooth;                      /* deterministic and differentiable almost everywhere */
};
extern const struct opnet_case opnet_cases[];
extern const uint32_t opnet_count;

void opnet_open(struct opnet *n, const struct opnet_case *c);
void opnet_close(struct opnet *n); /* also checks for leaks */
/* For `between` functions: put a node behind n->at, or a 1x1 convolution. */
void opnet_add(struct opnet *n, const char *op, const void *attrs, const rci_id *in, uint32_t n_in);
void opnet_conv(struct opnet *n, int64_t from, int64_t to);
/* Normal random numbers of the input's shape, with rci_tensor_new. */
struct rci_tensor opnet_input(const struct opnet *n);
#endif
