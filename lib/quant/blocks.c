#include "quant/blocks.h"

enum { SIZE = 64 }; /* inputs of a block, about */

bool rci_quant_blocks_of(struct rci_quant_blocks *b, const struct rci_shape *w, uint32_t axis,
                         int64_t groups)
{
    if (w->rank < 2 || (axis != 0 && w->rank != 2) || groups < 1 || w->dim[axis] % groups)
        return false;
    *b = (struct rci_quant_blocks){.groups = groups,
                                   .out = w->dim[axis],
                                   .in = w->dim[1 - axis],
                                   .taps = 1,
                                   .row = w->rank > 2 ? w->dim[w->rank - 1] : 1};
    for (uint32_t k = 2; k < w->rank; k++)
        b->taps *= w->dim[k];
    b->stride_out = axis == 0 ? b->in * b->taps : 1;
    b->stride_in = axis == 0 ? b->taps : b->out;
    b->channels = SIZE / b->taps / 2 * 2;
    b->channels = b->channels < 2 ? 2 : b->channels;
    b->channels = b->channels > b->in ? b->in : b->channels;
    b->count = (b->in + b->channels - 1) / b->channels;
    b->one = groups > 1 && b->in == 1;
    return true;
}
