#ifndef RC_LIB_TRAIN_TRAINER_H
#define RC_LIB_TRAIN_TRAINER_H
/* Gradient descent on a graph, with hooks through which other layers act inside a step. */
#include "data/batches.h"
#include "exec/tape.h"

#include <rescomp/train.h>

/* A value inside the graph that hooks read and whose gradient they give. */
struct rci_train_tap {
    const struct rci_tensor *value; /* plain f32, after the forward */
    float *grad;                    /* as value; zeros before on_logits, which may add to it */
};

/* What a hook sees of the running step. */
struct rci_train_step {
    struct rc_graph *graph;
    struct rci_tape *tape;
    uint64_t epoch, step, steps; /* both count from 0; `step` over all epochs */
    uint64_t pass, index;        /* the data's own epoch (see replays) and batch within it */
    uint32_t n, classes;
    const float *x;        /* [n, C, H, W] normalised, augmented */
    const int32_t *labels; /* [n] */
    const float *target;   /* [n, classes] shares of the labels in mixed images; NULL: one each */
    const uint32_t *ids;   /* [n] image indices in the split */
    const float *logits;   /* [n, classes]; from on_logits on */
    float *grad;           /* [n, classes] d loss / d logits; on_logits writes it */
    const struct rci_train_tap *taps; /* of rci_trainer_add_taps() */
    double loss, rate;
};

/* Memory of a hook that a resumed run needs: part of the checkpoint. */
struct rci_train_memory {
    float *data;
    size_t n;
};

/* NULL: nothing to do there. A failure ends the run. Gradients of parameters may be changed in
 * place through rci_tape_param_grad(), weights through rci_tape_param_data(). */
struct rci_train_hook {
    void *user;
    const char *identity; /* what it does, in one line without changing parts: a checkpoint resumes
                             only under the same hooks. Copied. */
    /* before the forward; may lower s->rate */
    rc_status (*on_batch)(void *user, struct rci_train_step *s);
    /* replaces the trainer's loss: write s->grad, and the mean loss to s->loss */
    rc_status (*on_logits)(void *user, struct rci_train_step *s);
    rc_status (*on_gradients)(void *user, struct rci_train_step *s); /* before the update */
    rc_status (*on_step)(void *user, struct rci_train_step *s);      /* after the update */
    rc_status (*on_epoch)(void *user, struct rci_train_step *s);     /* after its last step */
    const struct rci_train_memory *memory; /* copied, the floats are borrowed */
    uint32_t n_memory;
};
enum { RC_MAX_TRAIN_HOOKS = 8 };

/* Facts that hooks need before the run. */
struct rci_train_plan {
    const struct rc_graph *graph;
    const struct rci_tape *tape; /* of now; adding taps makes another with the same parameters */
    int64_t batch, chw[3];
    uint32_t classes, threads; /* threads 0: the context's */
    uint32_t ranks;
    uint64_t images, per_epoch, steps;
    uint64_t replays; /* 0: the data never repeats */
    bool augmented, bf16;
};

/* `o` as the caller gave it: zeros are resolved here. */
rc_status rci_trainer_new(struct rc_trainer **out, struct rc_graph *g, const struct rc_dataset *d,
                          const rc_train_options *o);
void rci_trainer_free(struct rc_trainer *t);
rc_status rci_trainer_add_hook(struct rc_trainer *t, const struct rci_train_hook *h);
/* Values of the graph that become taps; once, before the run. */
rc_status rci_trainer_add_taps(struct rc_trainer *t, const rci_id *values, uint32_t n);
/* One step of the trainer's optimiser, at the running step's rate, on parameters of a hook. */
struct rci_train_update {
    float *w;
    float *grad;     /* may be overwritten */
    float *state[2]; /* zeros before the first */
    size_t n;
    bool decays;
};
void rci_trainer_update(const struct rc_trainer *t, const struct rci_train_update *u);
/* The optimiser forgets all steps before. */
void rci_trainer_forget(struct rc_trainer *t);
void rci_trainer_get_plan(const struct rc_trainer *t, struct rci_train_plan *out);
rc_status rci_trainer_run(struct rc_trainer *t, rc_train_result *result);
rc_status rci_trainer_find_rate(struct rc_trainer *t, const rc_rate_test *o,
                                rc_rate_test_result *out, double *rates, double *losses);

/* Exact BatchNormalization statistics from training images; see rc_graph_reestimate_bn(). */
rc_status rci_bn_reestimate(struct rc_graph *g, const struct rc_dataset *d, uint64_t images,
                            uint64_t batch, uint32_t threads);
#endif
