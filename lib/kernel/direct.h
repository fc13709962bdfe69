#ifndef RC_LIB_KERNEL_DIRECT_H
#define RC_LIB_KERNEL_DIRECT_H
/* Direct convolution of one group with few channels, channels last: for the layers of small and of
 * pruned networks, in which the vectors of oneDNN's kernels stay partly empty. */
#include "kernel/conv.h"

struct rc_direct;
/* Geometry, layouts, processor; weights that fit the cache; not what rc_winograd_fits(). The source
 * of up to 4 channels may be plain, as images come. */
bool rc_direct_fits(const struct rc_conv_spec *s);
/* RC_ERR_UNSUPPORTED where it does not fit; RC_ERR_MEMORY. */
rc_status rc_direct_create(struct rc_direct **out, struct rc_context *c,
                           const struct rc_conv_spec *s);
void rc_direct_destroy(struct rc_direct *d);
size_t rc_direct_scratch(const struct rc_direct *d); /* [bytes] */
const char *rc_direct_name(const struct rc_direct *d);
bool rc_direct_planes(const struct rc_direct *d); /* the source is plain */

/* Packed constants belong to the caller. From plain [out][in][kh][kw] and [out]; every byte of
 * `packed` is written. */
size_t rc_direct_weights_bytes(const struct rc_direct *d);
size_t rc_direct_bias_bytes(const struct rc_direct *d);
void rc_direct_pack_weights(const struct rc_direct *d, const float *plain, float *packed);
void rc_direct_pack_bias(const struct rc_direct *d, const float *plain, float *packed);

/* The same bits for any number of threads. */
void rc_direct_run(const struct rc_direct *d, const struct rc_conv_args *a);
/* The same for all threads of a parallel region to call; returns when this one has done its
 * part. */
void rc_direct_share(const struct rc_direct *d, const struct rc_conv_args *a);
#endif
