#ifndef RC_LIB_EXEC_TAPE_H
#define RC_LIB_EXEC_TAPE_H
/* Reverse mode over a graph: forward in training mode (batch statistics in BatchNormalization,
 * running statistics updated in the graph), then one reverse walk. Weights are the graph's own
 * plain constants: an optimiser step changes them in place and the next forward packs them again.
 *
 * Values with several readers: the first gradient is stored, later ones are added. */
#include "graph/graph.h"
#include "kernel/sync.h"

struct rci_tape;

struct rci_tape_config {
    int64_t batch;
    uint32_t threads;   /* 0: the context's */
    bool frozen_bn;     /* BatchNormalization uses and keeps its running statistics */
    bool no_grad;       /* forward only (BN re-estimation): nothing is kept for backward */
    bool input_grads;   /* also gradients of the graph's inputs */
    bool reference_ops; /* plain-C operators only */
    bool bf16;          /* activations and their gradients; weights and their gradients stay f32 */
    size_t memory;      /* cap on activations and their gradients, reached by computing some of them
                           twice; 0: none. [bytes] */
    const rci_id *taps; /* extra values exposed as outputs after the graph's own; a gradient may be
                          given for each (feature distillation, mean activations) */
    uint32_t n_taps;
    struct rci_sync sync; /* several ranks: `batch` is one rank's part, statistics of
                            BatchNormalization and gradients of parameters are those of all */
};

/* The graph is borrowed, must outlive the tape, and its structure must not change. */
rc_status rci_tape_new(struct rci_tape **out, struct rc_graph *g, const struct rci_tape_config *o);
void rci_tape_free(struct rci_tape *t);

/* Parameters = constants with op->trainable set that are not frozen, in topological order. */
uint32_t rci_tape_n_params(const struct rci_tape *t);
rci_id rci_tape_param(const struct rci_tape *t, uint32_t i);
float *rci_tape_param_data(struct rci_tape *t, uint32_t i); /* the graph's constant */
/* Valid after backward, and may be changed before an update; NULL when the outputs do not depend on
 * the parameter. */
float *rci_tape_param_grad(const struct rci_tape *t, uint32_t i);
int64_t rci_tape_param_count(const struct rci_tape *t, uint32_t i);
/* A matrix or kernel (weight decay applies), or a vector (BN scale/shift, bias). */
bool rci_tape_param_decays(const struct rci_tape *t, uint32_t i);

uint32_t rci_tape_n_outputs(const struct rci_tape *t); /* graph outputs, then taps */
const struct rci_tensor *rci_tape_output(const struct rci_tape *t,
                                         uint32_t i); /* plain; after forward */

/* in[i]: plain arrays of `batch` images, left alone until backward is done. seed/step feed Dropout.
 */
rc_status rci_tape_forward(struct rci_tape *t, const void *const *in, uint64_t seed, uint64_t step);
/* d_out[i]: gradient of the loss by output i, plain, or NULL for zero. */
/* With several ranks parameters' gradients are summed over them in fused buckets, last layers
 * first, while the walk goes on. */
rc_status rci_tape_backward(struct rci_tape *t, const float *const *d_out);
const float *rci_tape_input_grad(const struct rci_tape *t, uint32_t i);

/* Cumulative BN re-estimation: between begin and end, running statistics become the exact average
 * over all forwards (mean of means; variance of the pooled batches, unbiased). */
rc_status rci_tape_bn_begin(struct rci_tape *t);
rc_status rci_tape_bn_end(struct rci_tape *t);

size_t rci_tape_activation_bytes(const struct rci_tape *t);
#endif
