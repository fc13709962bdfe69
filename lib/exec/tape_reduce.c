/* Gradients of all parameters lie in one block, in the order in which the reverse walk finishes
 * them. With several ranks the block is cut into buckets, and each is summed over the ranks as soon
 * as its last gradient is there. */
#include "exec/tape_plan.h"

enum { BUCKET = 65536, ALIGN = 16 }; /* floats */

static size_t aligned_count(const struct rci_tape *t, uint32_t param)
{
    return ((size_t) rci_tape_param_count(t, param) + ALIGN - 1) / ALIGN * ALIGN;
}

rc_status rci_tape_place_gradients(struct rci_tape *t)
{
    struct rci_plan *p = &t->plan;
    size_t n = 0;
    for (uint32_t i = 0; i < t->n_params; i++)
        n += aligned_count(t, i);
    t->gradients = rci_alloc_zero(p->ctx, (n + 1) * sizeof(*t->gradients));
    if (!t->gradients)
        return RC_ERR_MEMORY;
    float *at = t->gradients;
    for (uint32_t i = t->n_params; i-- > 0;) {
        uint32_t *slot = &t->fixed[t->params[i]];
        RC_TRY(rci_slot_add_gradient(p, slot, t->params[i], NULL));
        p->slots[*slot].place = RC_AT_TAPE;
        p->slots[*slot].data = at;
        at += aligned_count(t, i);
    }
    p->own_bytes += n * sizeof(*t->gradients);
    return RC_OK;
}

/* After rci_plan_finish(), which knows the last step that writes a slot. */
rc_status rci_tape_plan_buckets(struct rci_tape *t)
{
    float *at = t->gradients;
    if (!t->o.sync.all_reduce)
        return RC_OK;
    t->buckets = rci_alloc_array(t->plan.ctx, t->n_params + 1u, sizeof(*t->buckets));
    if (!t->buckets)
        return RC_ERR_MEMORY;
    uint32_t ready = 0;
    struct rci_bucket b = {.data = at};
    for (uint32_t i = t->n_params; i-- > 0;) {
        const uint32_t last = t->plan.slots[t->fixed[t->params[i]]].last;
        ready = last > ready ? last : ready;
        b.n += aligned_count(t, i);
        if (b.n < BUCKET && i > 0)
            continue;
        b.ready = ready;
        t->buckets[t->n_buckets++] = b;
        b = (struct rci_bucket){.data = b.data + b.n};
    }
    return RC_OK;
}

rc_status rci_tape_run_backward(struct rci_tape *t)
{
    uint32_t at = t->n_forward;
    for (uint32_t i = 0; i < t->n_buckets; i++) {
        const struct rci_bucket *b = &t->buckets[i];
        if (b->ready >= at) {
            RC_TRY(rci_tape_run(t, at, b->ready + 1));
            at = b->ready + 1;
        }
        RC_TRY(t->o.sync.all_reduce(t->o.sync.user, b->data, b->n));
    }
    return rci_tape_run(t, at, t->plan.n_steps);
}
