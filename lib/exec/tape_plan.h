#ifndef RC_LIB_EXEC_TAPE_PLAN_H
#define RC_LIB_EXEC_TAPE_PLAN_H
/* Inside of a tape: the plan of both walks, and which slot holds whose gradient. */
#include "exec/plan.h"
#include "exec/tape.h"

#include <sys/types.h>

struct rci_tape_bn {             /* one BatchNormalization being re-estimated */
    float *mean, *var;           /* the graph's running statistics */
    double *sum, *square, *vars; /* over forwards: mean, mean^2, biased variance */
    uint32_t channels;
    double fraction; /* of a batch's statistics in one update */
    double count;    /* elements per channel and batch */
};

struct rci_bucket { /* gradients that are summed over the ranks at once */
    float *data;
    size_t n;
    uint32_t ready; /* last step that writes one of them */
};

struct rci_tape {
    struct rci_plan plan;
    struct rc_graph *graph; /* the caller's */
    struct rci_tape_config o;
    rci_id n_original;  /* values below are the caller's, constants are its memory */
    bool borrows;       /* the plan's graph points at the caller's constants */
    uint32_t n_forward; /* steps [0, n_forward) are the forward walk */
    bool *needs;        /* [n_values] */
    uint32_t *grad;     /* [n_values] slot of the gradient so far, or RC_NONE */
    uint32_t *second;   /* [n_values] one more contribution, when the producer adds it itself */
    uint32_t *fixed;    /* [n_values] slot with memory of its own (parameters, inputs) */
    float *gradients;   /* of all parameters, the last first */
    struct rci_bucket *buckets;
    uint32_t n_buckets;
    rci_id *params;
    uint32_t n_params;
    uint32_t *out_slot;
    struct rci_tensor *out;
    struct rci_tape_bn *bn; /* between rci_tape_bn_begin and _end */
    uint32_t n_bn;
    uint64_t bn_runs;
    bool forwarded;
    pid_t pid;
};

/* tape_plan.c: what needs a gradient; after the forward plan, all backward steps. */
rc_status rci_tape_find_needs(struct rci_tape *t);
rc_status rci_tape_plan_backward(struct rci_tape *t);
/* tape_memory.c: recomputation until the arena fits o.memory. RC_ERR_LIMIT when it cannot. */
rc_status rci_tape_limit_memory(struct rci_tape *t);
/* tape_reduce.c: memory of the parameters' gradients, and the reverse walk with their sums. */
rc_status rci_tape_place_gradients(struct rci_tape *t);
rc_status rci_tape_plan_buckets(struct rci_tape *t);
rc_status rci_tape_run_backward(struct rci_tape *t);
rc_status rci_tape_run(struct rci_tape *t, uint32_t from, uint32_t to); /* tape.c */
/* tape_grad.c: where gradients go. `target`: a slot in layout `md` that a step may fill with a
 * gradient of `v`; `give`: count the filled slot in. `is_private`: nobody else reads its memory. */
rc_status rci_grad_target(struct rci_tape *t, uint32_t *slot, rci_id v, const struct rci_md *md);
rc_status rci_grad_give(struct rci_tape *t, rci_id v, uint32_t slot, bool is_private);
/* Both parts of the gradient of a join, masked by where its result is above zero. */
rc_status rci_grad_mask(struct rci_tape *t, rci_id v);
void rci_grad_done(struct rci_tape *t, rci_id v); /* its producer has read it */
/* tape_bn.c */
void rci_tape_bn_before(struct rci_tape *t);
void rci_tape_bn_after(struct rci_tape *t);
void rci_tape_bn_free(struct rci_tape *t);
#endif
