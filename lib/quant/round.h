#ifndef RC_LIB_QUANT_ROUND_H
#define RC_LIB_QUANT_ROUND_H
/* Rounding of weights so that no pair of neighbours saturates vpmaddubsw (kernel/int8/pairs.h). */
#include "base/context.h"
#include "quant/blocks.h"

struct rci_round {
    const struct rci_quant_blocks *blocks;
    const float *moments; /* [groups][count][size][size] of the inputs; NULL: as if independent */
    const float *w;
    int32_t top; /* largest magnitude of an integer */
    bool per_tensor;
    bool keep; /* the scales stay: else that of a channel with unsafe pairs may grow */
};

/* What the partners of input `i` of one output with the integers q leave to it: [-range[0],
 * range[1]], within `top`. */
void rci_round_limits(const struct rci_quant_blocks *b, int32_t top, const int8_t *q, int64_t i,
                      int range[2]);

/* scale: [out] or [1], in and out; q as the weight. */
rc_status rci_round_pairs(const struct rci_round *r, struct rc_context *c, float *scale, int8_t *q);
#endif
