#ifndef RC_LIB_KERNEL_INT8_PAIRS_H
#define RC_LIB_KERNEL_INT8_PAIRS_H
/* Weights for processors without VNNI. vpmaddubsw adds the products of two neighbouring unsigned
 * activations and signed weights in 16 bits and saturates. The sum is exact for all activations if
 * and only if the positive weights of the pair add up to at most 128 and the negative ones to at
 * least -128: 255 * 128 <= 32767 < 255 * 129.
 *
 * Which weights are neighbours depends on the kernel. Weights of an output channel in the order
 * [tap][input channel] are paired (0, 1), (2, 3) .. anew in every run of `run` weights:
 *     one tap             oneDNN, and so OpenVINO: channels are padded behind every tap
 *     one row of taps     the direct kernels here
 *     the whole window    ONNX Runtime: a product of matrices
 * With an even number of input channels it is all the same. */
#include <stdbool.h>
#include <stdint.h>

/* Largest sum of the positive, and of the negative weights of a pair. */
#define RC_PAIR_MOST 128

static inline bool rci_pair_fits(int a, int b)
{
    const int up = (a > 0 ? a : 0) + (b > 0 ? b : 0), down = (a < 0 ? -a : 0) + (b < 0 ? -b : 0);
    return up <= RC_PAIR_MOST && down <= RC_PAIR_MOST;
}

/* Whether all do. w: [out][in][taps]; `run` is in, in * (taps of a row) or in * taps. */
bool rci_pairs_fit(const int8_t *w, int64_t out, int64_t in, int64_t taps, int64_t run);
#endif
