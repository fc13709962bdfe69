#ifndef RC_LIB_QUANT_BLOCKS_H
#define RC_LIB_QUANT_BLOCKS_H
/* The inputs of a layer's outputs, as rounding sees them: input channels of a group times taps, cut
 * into blocks of neighbouring channels whose second moments are known. */
#include "tensor/tensor.h"

struct rci_quant_blocks {
    int64_t groups, out, in, taps; /* outputs of all groups, inputs of one */
    int64_t row;                   /* taps of a row of the window */
    int64_t stride_out, stride_in; /* of the weight; taps lie side by side */
    int64_t channels, count;       /* of a block, even or all; blocks of a group */
    bool one;                      /* depthwise: no kernel pairs its taps */
};

/* Of a weight with the output channels along `axis`: [O, I, taps...], [O, I] or [I, O]. False: of
 * another form. */
bool rci_quant_blocks_of(struct rci_quant_blocks *b, const struct rci_shape *w, uint32_t axis,
                         int64_t groups);

static inline int64_t rci_quant_block_size(const struct rci_quant_blocks *b)
{
    return b->channels * b->taps;
}
#endif
