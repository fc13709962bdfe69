#ifndef RC_LIB_FIT_LINEAR_H
#define RC_LIB_FIT_LINEAR_H
/* Layers that are one matrix per output position: Conv without groups and Gemm, seen as
 * t[o] = sum over d of x[d] w[d][o] with d counting channel by channel, each with its taps. */
#include "graph/graph.h"
#include "kernel/onednn/conv.h"
#include "op/layers.h"

struct rci_linear {
    rci_id node, x, weight, bias; /* values; bias may be RC_NONE */
    bool conv;
    struct rci_conv_geometry g; /* conv; of one image */
    uint32_t axis;              /* of the outputs in the weight */
    size_t channels, taps;      /* d = channels * taps */
    size_t d, o, positions;     /* positions: of one image */
};

/* false: the node is no such layer, or its weight is no constant. */
bool rci_linear_of(struct rci_linear *l, const struct rc_graph *g, rci_id node);

/* Which positions of image `image` of a walk are looked at: `n` of them, spread over the output,
 * a function of the arguments alone. */
void rci_linear_sample(const struct rci_linear *l, uint64_t image, uint32_t n, uint32_t *position);
/* rows: [n][d] of what the layer sees at these positions of one image. */
void rci_linear_rows(const struct rci_linear *l, const float *image, const uint32_t *position,
                     uint32_t n, float *rows);

/* The constant as w[d][o] and back. */
void rci_linear_get(const struct rci_linear *l, const struct rc_graph *g, double *w);
void rci_linear_set(const struct rci_linear *l, struct rc_graph *g, const double *w);
#endif
