#ifndef RC_LIB_KERNEL_GEMM_GEMM_H
#define RC_LIB_KERNEL_GEMM_GEMM_H
/* Convolution of any window, stride and dilation as a product of matrices: pixels of the output by
 * its channels, summed over taps and input channels. Pixels are packed one tile at a time (im2col
 * of a tile, which stays in L2), weights once. Needs layouts in which a vector of channels lies
 * together: channels last, or in blocks of one vector. */
#include "kernel/onednn/conv.h"

struct rci_gemm;
/* Geometry, layouts, processor; enough channels for whole vectors. */
bool rci_gemm_fits(const struct rci_conv_spec *s);
/* RC_ERR_UNSUPPORTED where it does not fit; RC_ERR_MEMORY. */
rc_status rci_gemm_create(struct rci_gemm **out, struct rc_context *c,
                          const struct rci_conv_spec *s);
void rci_gemm_destroy(struct rci_gemm *k);
size_t rci_gemm_scratch(const struct rci_gemm *k); /* [bytes] */
const char *rci_gemm_name(const struct rci_gemm *k);

/* Packed constants belong to the caller. From plain [out][in][kh][kw] and [out]; every byte of
 * `packed` is written. */
size_t rci_gemm_weights_bytes(const struct rci_gemm *k);
size_t rci_gemm_bias_bytes(const struct rci_gemm *k);
void rci_gemm_pack_weights(const struct rci_gemm *k, const float *plain, float *packed);
void rci_gemm_pack_bias(const struct rci_gemm *k, const float *plain, float *packed);

/* The same bits for any number of threads. */
void rci_gemm_run(const struct rci_gemm *k, const struct rci_conv_args *a);
/* The same for all threads of a parallel region to call; returns when this one has done its
 * part. */
void rci_gemm_share(const struct rci_gemm *k, const struct rci_conv_args *a);
#endif
