/* Steps that leave no trace: the run afterwards gives the bytes that it gives without them. */
#include "train/run.h"

#include <string.h>

static size_t extra_floats(const struct rci_train_state *s)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->n_extra; i++)
        n += s->extra[i].n;
    return n;
}

static void copy_extras(struct rci_train_state *s, float *kept, bool back)
{
    for (uint32_t i = 0; i < s->n_extra; kept += s->extra[i++].n)
        memcpy(back ? s->extra[i].data : kept, back ? kept : s->extra[i].data,
               s->extra[i].n * sizeof(float));
}

/* As before the first step: weights, optimiser, averages, what hooks remember, counts. */
static void undo_steps(struct rc_trainer *t, float *extras)
{
    struct rci_train_state *s = &t->state;
    const size_t n = s->offset[s->n_params];
    rci_train_state_load(s, s->kept);
    copy_extras(s, extras, true);
    for (uint32_t k = 0; k < RC_OPTIM_STATES; k++)
        if (s->optim[k])
            memset(s->optim[k], 0, n * sizeof(float));
    for (uint32_t i = 0; s->ema && i < s->n_params; i++)
        memcpy(s->ema + s->offset[i], rci_tape_param_data(t->tape, i),
               (s->offset[i + 1] - s->offset[i]) * sizeof(float));
    s->count = (struct rci_train_count){0};
    t->step_ns = t->steps_here = 0;
    t->gradient_norm = 0;
}

rc_status rci_trainer_try(struct rc_trainer *t, rc_status (*steps)(struct rc_trainer *t, void *),
                          void *user)
{
    float *extras = rci_alloc_array(t->ctx, extra_floats(&t->state) + 1, sizeof(float));
    if (!extras)
        return RC_ERR_MEMORY;
    rci_train_state_save(&t->state, t->state.kept);
    copy_extras(&t->state, extras, false);
    const rc_status st = steps(t, user);
    undo_steps(t, extras);
    rci_release(extras);
    return st;
}
