/* Values inside the graph that hooks read, with gradients that they give. */
#include "train/run.h"

rc_status rci_trainer_add_taps(struct rc_trainer *t, const rci_id *values, uint32_t n)
{
    if (t->ran || t->n_taps)
        return rci_fail(RC_ERR_STATE, "the trainer %s",
                        t->ran ? "ran already" : "has taps already");
    RC_TRY(rci_trainer_open_tape(t, values, n));
    t->taps = rci_alloc_array(t->ctx, n, sizeof(*t->taps));
    t->gradients = rci_alloc_array(t->ctx, n + 1u, sizeof(*t->gradients));
    if (!t->taps || !t->gradients)
        return RC_ERR_MEMORY;
    t->n_taps = n;
    for (uint32_t i = 0; i < n; i++) {
        t->taps[i].value = rci_tape_output(t->tape, 1 + i);
        t->taps[i].grad = rci_alloc_array(
            t->ctx, (size_t) rci_shape_count(&t->taps[i].value->shape), sizeof(float));
        if (!t->taps[i].grad)
            return RC_ERR_MEMORY;
        t->gradients[1 + i] = t->taps[i].grad;
    }
    return RC_OK;
}
