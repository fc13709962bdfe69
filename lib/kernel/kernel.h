#ifndef RC_LIB_KERNEL_KERNEL_H
#define RC_LIB_KERNEL_KERNEL_H
/* The contract of a convolution kernel of our own: one constant per kernel, listed in
 * kernel/kernels.c (docs/adding-a-kernel.md). Callers know kernels by this alone. */
#include "kernel/onednn/conv.h"

struct rci_peaks;
/* Nanoseconds that the model expects a layer to take (kernel/choice/cost.h). */
typedef double rci_conv_cost(const struct rci_conv_spec *s, const struct rci_peaks *p);

struct rci_conv_kernel {
    const char *name; /* in files of choices */
    bool integers;    /* of integer layers; else of those in f32 and, in training, bf16 */
    /* Geometry, layouts, types, processor: can it, and may it pay? Nothing is allocated. */
    bool (*fits)(const struct rci_conv_spec *s);
    /* Of what fits: faster than oneDNN's, as far as a rule can tell. Decides where nothing is
     * measured. */
    bool (*likely)(const struct rci_conv_spec *s);
    rci_conv_cost *cost; /* of what fits; NULL: not known */

    /* RC_ERR_UNSUPPORTED where it does not fit; RC_ERR_MEMORY. */
    rc_status (*create)(void **state, struct rc_context *c, const struct rci_conv_spec *s);
    void (*free)(void *state);
    const char *(*text)(const void *state); /* for profiles; lives as long as the state */

    /* Packed constants belong to the caller. From plain [out][in][kh][kw], s8 where the layer has
     * integers, and [out]; every byte of `packed` is written. Sizes in bytes. Biases of integer
     * layers are in the state: bias_bytes is 0, pack_bias NULL. */
    size_t (*weights_bytes)(const void *state);
    size_t (*bias_bytes)(const void *state);
    void (*pack_weights)(const void *state, const void *plain, void *packed);
    void (*pack_bias)(const void *state, const void *plain, void *packed);

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
extern const struct rci_conv_kernel rci_winograd_kernel, rci_direct_kernel, rci_gemm_kernel,
    rci_int8_winograd_kernel, rci_int8_direct_kernel;

static inline bool rci_conv_kernel_fits(const struct rci_conv_kernel *k,
                                        const struct rci_conv_spec *s)
{
    return k->integers == (s->integers != NULL) && k->fits(s);
}
/* The first of the list that fits; NULL: none. */
const struct rci_conv_kernel *rci_conv_kernel_for(const struct rci_conv_spec *s);
#endif
