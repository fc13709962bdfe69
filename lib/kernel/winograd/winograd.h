#ifndef RC_LIB_KERNEL_WINOGRAD_WINOGRAD_H
#define RC_LIB_KERNEL_WINOGRAD_WINOGRAD_H
/* 3x3 convolution, stride 1, padding 1, by Winograd's F(4x4, 3x3): 36 multiplications per channel
 * pair and 4x4 outputs instead of 144; or, where tiles are few and weights many, F(2x2, 3x3): 16
 * per 2x2 outputs instead of 36. In f32 its result differs from a direct sum by about 1e-5
 * of the largest output. Works on layouts in which channels lie together, any number of them whole
 * or in blocks. */
#include "kernel/onednn/conv.h"

/* Can it, and may it pay: geometry, layouts, processor; not few tiles with weights beyond the
 * caches. */
bool rci_winograd_fits(const struct rci_conv_spec *s);
/* It would be tiles of 2x2: on layers for which those are meant they are ahead by far. */
bool rci_winograd_small(const struct rci_conv_spec *s);

/* --- forward, and backward by data --- */

struct rci_winograd;
/* RC_ERR_UNSUPPORTED where rci_winograd_fits() says no; RC_ERR_MEMORY. */
rc_status rci_winograd_create(struct rci_winograd **out, struct rc_context *c,
                              const struct rci_conv_spec *s);
/* The gradient of the source: reads a gradient in `dst`'s layout, writes one in `src`'s. Weights
 * are packed from the same plain ones. bias, sum and relu must be unset. */
rc_status rci_winograd_create_data(struct rci_winograd **out, struct rc_context *c,
                                   const struct rci_conv_spec *s);
void rci_winograd_destroy(struct rci_winograd *w);
size_t rci_winograd_scratch(const struct rci_winograd *w); /* [bytes] */
const char *rci_winograd_name(const struct rci_winograd *w);

/* Packed constants belong to the caller, who may share and renew them. From plain [out][in][3][3]
 * and [out]; every byte of `packed` is written. */
size_t rci_winograd_weights_bytes(const struct rci_winograd *w);
size_t rci_winograd_bias_bytes(const struct rci_winograd *w);
void rci_winograd_pack_weights(const struct rci_winograd *w, const float *plain, float *packed);
void rci_winograd_pack_bias(const struct rci_winograd *w, const float *plain, float *packed);

/* The same bits for the same number of threads, and for any. */
void rci_winograd_run(const struct rci_winograd *w, const struct rci_conv_args *a);
/* The same for all threads of a parallel region to call; returns when this one has done its
 * part. */
void rci_winograd_share(const struct rci_winograd *w, const struct rci_conv_args *a);

/* --- backward by weights --- */

struct rci_winograd_grad;
/* Tiles of 4x4 only, in bf16 without a bias; then all three passes can. */
bool rci_winograd_grad_fits(const struct rci_conv_spec *s);
/* As rci_winograd_create(); `bias` asks for the bias' gradient too. */
rc_status rci_winograd_grad_create(struct rci_winograd_grad **out, struct rc_context *c,
                                   const struct rci_conv_spec *s);
void rci_winograd_grad_destroy(struct rci_winograd_grad *w);
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
