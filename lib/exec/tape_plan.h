#ifndef RC_LIB_EXEC_TAPE_PLAN_H
#define RC_LIB_EXEC_TAPE_PLAN_H
/* Inside of a tape: the plan of both walks, and which slot holds whose gradient. */
#include "exec/plan.h"
#include "exec/tape.h"

#include <sys/types.h>

struct rc_tape_bn {              /* one BatchNormalization being re-estimated */
    float *mean, *var;           /* the graph's running statistics */
    double *sum, *square, *vars; /* over forwards: mean, mean^2, biased variance */
    uint32_t channels;
    double fraction; /* of a batch's statistics in one update */
    double count;    /* elements per channel and batch */
};

struct rc_bucket { /* gradients that are summed over the ranks at once */
    float *data;
    size_t n;
    uint32_t ready; /* last step that writes one of them */
};

struct rc_tape {
    struct rc_plan plan;
    struct rc_graph *graph; /* the caller's */
    struct rc_tape_config o;
    rc_id n_original;   /* values below are the caller's, constants are its memory */
    bool borrows;       /* the plan's graph points at the caller's constants */
    uint32_t n_forward; /* steps [0, n_forward) are the forward walk */
    bool *needs;        /* [n_values] */
    uint32_t *grad;     /* [n_values] slot of the gradient so far, or RC_NONE */
    uint32_t *second;   /* [n_values] one more contribution, when the producer adds it itself */
    uint32_t *fixed;    /* [n_values] slot with memory of its own (parameters, inputs) */
    float *gradients;   /* of all parameters, the last first */
    struct rc_bucket *buckets;
    uint32_t n_buckets;
    rc_id *params;
    uint32_t n_params;
    uint32_t *out_slot;
    struct rc_tensor *out;
    struct rc_tape_bn *bn; /* between rc_tape_bn_begin and _end */
    uint32_t n_bn;
    uint64_t bn_runs;
    bool forwarded;
    pid_t pid;
};

/* tape_plan.c: what needs a gradient; after the forward plan, all backward steps. */
rc_status rc_tape_find_needs(struct rc_tape *t);
rc_status rc_tape_plan_backward(struct rc_tape *t);
/* tape_memory.c: recomputation until the arena fits o.memory. RC_ERR_LIMIT when it cannot. */
rc_status rc_tape_limit_memory(struct rc_tape *t);
/* tape_reduce.c: memory of the parameters' gradients, and the reverse walk with their sums. */
rc_status rc_tape_place_gradients(struct rc_tape *t);
rc_status rc_tape_plan_buckets(struct rc_tape *t);
rc_status rc_tape_run_backward(struct rc_tape *t);
rc_status rc_tape_run(struct rc_tape *t, uint32_t from, uint32_t to); /* tape.c */
/* tape_grad.c: where gradients go. `target`: a slot in layout `md` that a step may fill with a
 * gradient of `v`; `give`: count the filled slot in. `is_private`: nobody else reads its memory. */
rc_status rc_grad_target(struct rc_tape *t, uint32_t *slot, rc_id v, const struct rc_md *md);
rc_status rc_grad_give(struct rc_tape *t, rc_id v, uint32_t slot, bool is_private);
/* Both parts of the gradient of a join, masked by where its result is above zero. */
rc_status rc_grad_mask(struct rc_tape *t, rc_id v);
void rc_grad_done(struct rc_tape *t, rc_id v); /* its producer has read it */
/* tape_bn.c */
void rc_tape_bn_before(struct rc_tape *t);
void rc_tape_bn_after(struct rc_tape *t);
void rc_tape_bn_free(struct rc_tape *t);
#endif
