#ifndef RC_LIB_KERNEL_KERNEL_H
#define RC_LIB_KERNEL_KERNEL_H
/* The contract of a convolution kernel of our own: one constant per kernel, listed in
 * kernel/kernels.c (docs/adding-a-kernel.md). Callers know kernels by this alone. */
#include "kernel/onednn/conv.h"

struct rci_conv_kernel {
    const char *name;
    /* Geometry, layouts, types, processor: can it, and may it pay? Nothing is allocated. */
    bool (*fits)(const struct rci_conv_spec *s);
    /* Of what fits: faster than oneDNN's, as far as a rule can tell. Decides where nothing is
     * measured. */
    bool (*likely)(const struct rci_conv_spec *s);
    /* Of what fits: so much faster, and so slow to measure, that it is not; NULL: never. */
    bool (*certain)(const struct rci_conv_spec *s);

    /* RC_ERR_UNSUPPORTED where it does not fit; RC_ERR_MEMORY. */
    rc_status (*create)(void **state, struct rc_context *c, const struct rci_conv_spec *s);
    void (*destroy)(void *state);
    const char *(*text)(const void *state); /* for profiles; lives as long as the process */

    /* Packed constants belong to the caller. From plain [out][in][kh][kw] and [out]; every byte of
     * `packed` is written. Sizes in bytes. */
    size_t (*weights_bytes)(const void *state);
    size_t (*bias_bytes)(const void *state);
    void (*pack_weights)(const void *state, const float *plain, float *packed);
    void (*pack_bias)(const void *state, const float *plain, float *packed);

    size_t (*scratch)(const void *state); /* [bytes] for all threads */
    bool (*planes)(const void *state);    /* the source is wanted plain; NULL: never */
    /* The same bits for any number of threads. */
    void (*run)(const void *state, const struct rci_conv_args *a);
    /* The same for all threads of a parallel region to call; returns when this one has done its
     * part. */
    void (*share)(const void *state, const struct rci_conv_args *a);
};

/* All, NULL behind the last; of several that fit the first is expected to be the fastest. */
extern const struct rci_conv_kernel *const rci_conv_kernels[];
extern const struct rci_conv_kernel rci_winograd_kernel, rci_direct_kernel, rci_gemm_kernel;
#endif
