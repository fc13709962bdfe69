#ifndef RC_LIB_KERNEL_DIRECT_DIRECT_H
#define RC_LIB_KERNEL_DIRECT_DIRECT_H
/* Direct convolution of one group with few channels, channels last: for the layers of small and of
 * pruned networks, in which the vectors of oneDNN's kernels stay partly empty. */
#include "kernel/onednn/conv.h"

struct rci_direct;
/* Geometry, layouts, processor; weights that fit the cache; not what rci_winograd_fits(). The
 * source of up to 4 channels may be plain, as images come. */
bool rci_direct_fits(const struct rci_conv_spec *s);
/* RC_ERR_UNSUPPORTED where it does not fit; RC_ERR_MEMORY. */
rc_status rci_direct_create(struct rci_direct **out, struct rc_context *c,
                            const struct rci_conv_spec *s);
void rci_direct_destroy(struct rci_direct *d);
size_t rci_direct_scratch(const struct rci_direct *d); /* [bytes] */
const char *rci_direct_name(const struct rci_direct *d);
bool rci_direct_planes(const struct rci_direct *d); /* the source is plain */

/* Packed constants belong to the caller. From plain [out][in][kh][kw] and [out]; every byte of
 * `packed` is written. */
size_t rci_direct_weights_bytes(const struct rci_direct *d);
size_t rci_direct_bias_bytes(const struct rci_direct *d);
void rci_direct_pack_weights(const struct rci_direct *d, const float *plain, float *packed);
void rci_direct_pack_bias(const struct rci_direct *d, const float *plain, float *packed);

/* The same bits for any number of threads. */
void rci_direct_run(const struct rci_direct *d, const struct rci_conv_args *a);
/* The same for all threads of a parallel region to call; returns when this one has done its
 * part. */
void rci_direct_share(const struct rci_direct *d, const struct rci_conv_args *a);
#endif
