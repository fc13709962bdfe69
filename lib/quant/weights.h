#ifndef RC_LIB_QUANT_WEIGHTS_H
#define RC_LIB_QUANT_WEIGHTS_H
/* Symmetric integer weights: w[o] = scale[o] * q[o], low <= q <= top, rounded to nearest even, or
 * as quant/round.h says. */
#include "quant/blocks.h"

struct rci_quant_weight {
    struct rci_tensor q; /* s8, shape of the weight */
    float *scale;        /* [n_scale], along `axis` */
    int64_t n_scale;
    uint32_t axis;
};

struct rci_quant_weight_options {
    uint32_t axis;
    int32_t low, top; /* -127 and 127 for 8 bits, -64 and 63 for 7 ... */
    bool per_tensor, power_of_two;
    bool search;        /* scales of least error instead of those that hold the largest weight */
    const float *least; /* [channels] lower bounds of the scales, or NULL */
    const float *keep;  /* [n_scale] scales to stay with where the weights fit, or NULL */
    bool clip;          /* stay with `keep` where they do not fit too */
    /* NULL: any integers. Else safe in pairs, where `top` allows others */
    const struct rci_quant_blocks *pairs;
    const float *moments; /* of the inputs of these blocks, or NULL */
};

/* Integers of `bits` bits; of 8 the lowest is left out, so that no product of bytes is beyond 2^14
 * and a sign can change. */
static inline void rci_quant_weight_range(int64_t bits, int32_t *low, int32_t *top)
{
    *top = (1 << (bits - 1)) - 1;
    *low = bits == 8 ? -*top : -*top - 1;
}

/* A channel of zeros gets scale 1. RC_ERR_MODEL when a weight is NaN or infinite. */
rc_status rci_quant_weight_make(struct rci_quant_weight *out, struct rc_context *c,
                                const struct rci_tensor *w,
                                const struct rci_quant_weight_options *o);
void rci_quant_weight_free(struct rci_quant_weight *w);
#endif
