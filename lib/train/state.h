#ifndef RC_LIB_TRAIN_STATE_H
#define RC_LIB_TRAIN_STATE_H
/* Everything of a run that is not a pure function of its options: what a checkpoint holds. */
#include "exec/tape.h"
#include "train/optim.h"

enum { RC_TRAIN_EXTRAS = 64 };

struct rci_train_state {
    struct rc_graph *graph;
    /* all f32 constants of the graph, in order of id: weights and running statistics */
    rci_id *values;
    uint32_t n_values;
    size_t n_floats;
    /* per trained parameter, in the tape's order */
    size_t *offset; /* [n_params + 1] */
    uint32_t n_params;
    float *optim[RC_OPTIM_STATES]; /* [offset[n_params]] each; NULL when not used */
    float *ema;                    /* the same; NULL when not used */
    float *best;                   /* [n_floats] constants of the best epoch; NULL when not used */
    struct rci_train_extra {
        float *data; /* of hooks, borrowed */
        size_t n;
    } extra[RC_TRAIN_EXTRAS];
    uint32_t n_extra;
    float *kept; /* [n_floats] room for the constants during a validation */
    struct rci_train_count {
        uint64_t step;    /* steps done */
        uint64_t closed;  /* epochs done, validation included */
        uint64_t correct; /* right answers in the running epoch */
        uint64_t best_epoch;
        double loss_sum; /* over the steps of the running epoch */
        double best_top1, last_top1;
        double epoch_loss, epoch_top1; /* of the last closed epoch */
    } count;
};

rc_status rci_train_state_open(struct rci_train_state *s, struct rc_graph *g, struct rci_tape *t,
                               uint32_t n_optim, bool ema, bool best);
void rci_train_state_close(struct rci_train_state *s);
void rci_train_state_save(const struct rci_train_state *s, float *to);   /* graph -> array */
void rci_train_state_load(struct rci_train_state *s, const float *from); /* array -> graph */

/* Checkpoint file. `identity` names model, options and hooks; a file with another one is refused.
 */
rc_status rci_checkpoint_write(const struct rci_train_state *s, const char *path,
                               const char *identity);
/* *found false when there is no such file; the state is then untouched. */
rc_status rci_checkpoint_read(struct rci_train_state *s, const char *path, const char *identity,
                              bool *found);
#endif
