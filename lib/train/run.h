#ifndef RC_LIB_TRAIN_RUN_H
#define RC_LIB_TRAIN_RUN_H
/* The inside of a trainer, shared by trainer.c (make), step.c (one step) and run.c (epochs). */
#include "kernel/sync.h"
#include "train/events.h"
#include "train/fit.h"
#include "train/loss.h"
#include "train/rate.h"
#include "train/state.h"
#include "train/trainer.h"

enum { RC_TRAIN_MAX_EPOCHS = 100000, RC_TRAIN_TIMED_EPOCHS = 1000 };

/* A run of consecutive elements of one parameter: the unit that threads share. */
struct rci_piece {
    uint32_t param;
    uint32_t n;
    size_t from;
    double norm[3], trust; /* of the running update: sums of squares, see rci_optim_norms */
};

struct rc_trainer {
    uint64_t magic;
    struct rc_context *ctx;
    struct rc_graph *graph;           /* borrowed */
    const struct rc_dataset *dataset; /* borrowed */
    rc_train_options o;               /* resolved; its strings are not used after creation */
    char *checkpoint;                 /* path, or NULL */
    char *identity;                   /* model, options and hooks, as text */
    struct rci_fit fit;
    struct rci_sync sync; /* all_reduce NULL: one process */
    void *sync_room;
    uint64_t batch; /* images of a step over all ranks; fit.batch of them are here */
    bool cancelled; /* on some rank */
    uint64_t per_epoch, steps;
    bool ran, augmented;

    struct rci_tape *tape;
    struct rci_batches *batches;
    struct rci_evaluator *validator; /* from the first validation on */
    struct rci_train_state state;
    const struct rci_loss *loss;
    const struct rci_optimizer *optimizer;
    const struct rci_rate *rate;
    void *loss_params, *optimizer_params, *rate_params;
    struct rci_piece *pieces;
    uint32_t n_pieces;
    struct rci_train_hook hooks[RC_MAX_TRAIN_HOOKS];
    uint32_t n_hooks;

    struct rci_train_tap *taps; /* [n_taps], or NULL */
    const float **gradients;    /* [1 + n_taps] of the logits, then of the taps */
    uint32_t n_taps;
    struct rci_rate_now now; /* of the running step */
    double fixed_rate;       /* of a range test, instead of the schedule's; 0: none */
    double gradient_norm;    /* of the last update, before clipping; 0: not measured */

    double *factor;            /* [n_params] of the rate, 0 freezes; NULL: all 1 */
    float *sums;               /* [offset[n_params]] gradients of an update's batches, or NULL */
    struct rci_events *events; /* NULL: none */

    float *x, *grad; /* [batch, C, H, W], [batch, classes] */
    float *target;   /* [batch, classes], where augmentation mixes images; else NULL */
    int32_t *labels;
    uint32_t *ids;
    uint64_t started_ns, step_ns, steps_here; /* of this call */
};

bool rci_trainer_valid(const struct rc_trainer *t); /* magic */

/* The tape with `n` taps, in place of the one before. */
rc_status rci_trainer_open_tape(struct rc_trainer *t, const rci_id *taps, uint32_t n);

/* One step: data, forward, loss, backward, update. `s` is filled. */
rc_status rci_trainer_step(struct rc_trainer *t, struct rci_train_step *s);

/* update.c: the gradients of batch `index` of the epoch become weights, or are kept for the
 * update's last batch. */
rc_status rci_trainer_update_weights(struct rc_trainer *t, uint64_t index);
/* Updates done before step `step`. */
uint64_t rci_train_updates(const struct rc_trainer *t, uint64_t step);
/* At the end of an epoch, counted from 0: its weights into the equal average. */
void rci_train_average_epoch(struct rc_trainer *t, uint64_t epoch);
/* trial.c: `steps` before the run, and all that it changed put back. */
rc_status rci_trainer_try(struct rc_trainer *t, rc_status (*steps)(struct rc_trainer *t, void *),
                          void *user);
/* layer_rates.c: t->factor from the options. */
rc_status rci_train_layer_rates(struct rc_trainer *t);

/* ranks.c: checked options; the same run on all ranks; after `own` is known on all, values[0..n-1],
 * at most 3, become sums over the ranks, or the failure of one is everyone's. */
rc_status rci_ranks_open(struct rc_trainer *t);
rc_status rci_ranks_agree(const struct rc_trainer *t);
rc_status rci_ranks_exchange(struct rc_trainer *t, rc_status own, double *values, uint32_t n);
/* FNV-1a, continued from h. */
#define RC_TRAIN_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t rci_train_hash(uint64_t h, const void *data, size_t n);
uint64_t rci_train_model_hash(const struct rci_train_state *s); /* names and shapes of constants */

enum rci_hook_point {
    RC_HOOK_BATCH,
    RC_HOOK_LOGITS,
    RC_HOOK_GRADIENTS,
    RC_HOOK_STEP,
    RC_HOOK_EPOCH
};
rc_status rci_trainer_call_hooks(struct rc_trainer *t, enum rci_hook_point p,
                                 struct rci_train_step *s);
#endif
