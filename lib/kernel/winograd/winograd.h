#ifndef RC_LIB_KERNEL_WINOGRAD_WINOGRAD_H
#define RC_LIB_KERNEL_WINOGRAD_WINOGRAD_H
/* 3x3 convolution, stride 1, padding 1, by Winograd's F(4x4, 3x3): 36 multiplications per channel
 * pair and 4x4 outputs instead of 144; or, where tiles are few and weights many, F(2x2, 3x3): 16
 * per 2x2 outputs instead of 36. In f32 its result differs from a direct sum by about 1e-5
 * of the largest output. Works on layouts in which channels lie together, any number of them whole
 * or in blocks. */
#include "kernel/kernel.h"

/* The forward pass is rci_winograd_kernel (kernel/kernel.h). It fits where geometry, layouts and
 * processor do, and not where tiles are few and weights beyond the caches. */

/* It would be tiles of 2x2: on layers for which those are meant they are ahead by far. */
bool rci_winograd_small(const struct rci_conv_spec *s);

/* The gradient of the source: a state of rci_winograd_kernel that reads a gradient in `dst`'s
 * layout and writes one in `src`'s. Weights are packed from the same plain ones. bias, sum and relu
 * must be unset. */
rc_status rci_winograd_create_data(void **out, struct rc_context *c, const struct rci_conv_spec *s);

/* --- backward by weights --- */

struct rci_winograd_grad;
/* Tiles of 4x4 only, in bf16 without a bias; then all three passes can. */
bool rci_winograd_grad_fits(const struct rci_conv_spec *s);
/* RC_ERR_UNSUPPORTED, RC_ERR_MEMORY; `bias` asks for the bias' gradient too. */
rc_status rci_winograd_grad_new(struct rci_winograd_grad **out, struct rc_context *c,
                                const struct rci_conv_spec *s);
void rci_winograd_grad_free(struct rci_winograd_grad *w);
size_t rci_winograd_grad_scratch(const struct rci_winograd_grad *w); /* [bytes] */
struct rci_winograd_grad_args {
    const void *src, *d_dst;
    float *d_weights; /* plain [out][in][3][3] */
    float *d_bias;    /* [out], or NULL where the spec has none */
    void *scratch;
};
/* The same bits for the same number of threads. */
void rci_winograd_grad_run(const struct rci_winograd_grad *w,
                           const struct rci_winograd_grad_args *a);
#endif
