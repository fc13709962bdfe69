/* A cap on the memory of activations: stretches of the forward walk between two points where only
 * one activation is alive (the joins of residual blocks) are computed once more when backward gets
 * there, instead of being kept (Chen et al., "Training deep nets with sublinear memory cost",
 * 2016). Stretches are taken from the front, where activations are large and live longest, until
 * the arena fits. */
#include "exec/tape_plan.h"

#include <string.h>

struct stretch {
    struct rci_tape *t;
    uint32_t from, to; /* forward steps [from, to) */
    bool *inside;      /* [slots] root that lives within the stretch, backward aside */
    bool *wanted;      /* [slots] root that must be there again */
    bool *repeat;      /* [steps of the forward walk] */
    uint32_t *copy;    /* [slots] slot that stands for it in backward, or RC_NONE */
    uint32_t n_slots;  /* before copies were added */
};

static uint32_t root(const struct rci_plan *p, uint32_t slot)
{
    return slot == RC_NONE ? RC_NONE : rci_slot_root(p, slot);
}

static bool in_arena(const struct rci_plan *p, uint32_t r)
{
    return r != RC_NONE && p->slots[r].place == RC_AT_ARENA;
}

/* Slots that a forward step writes, except what it saves. */
static bool writes(const struct rci_plan *p, const struct rci_step *s, uint32_t r)
{
    for (uint32_t i = s->n_in; i < s->n_in + s->n_out; i++)
        if (root(p, s->ref[i]) == r)
            return true;
    return false;
}

static bool is_saved(const struct rci_step *s, uint32_t k)
{
    return k + 1 == s->n_ref;
}

/* --- where the walk can be cut --- */

/* Roots alive behind forward step `at`, what operators save aside. */
static uint32_t alive_behind(const struct rci_tape *t, const uint32_t *first, const uint32_t *last,
                             uint32_t at)
{
    uint32_t n = 0;
    for (uint32_t r = 0; r < t->plan.n_slots; r++)
        n += first[r] <= at && last[r] > at && last[r] != UINT32_MAX;
    return n;
}

/* cut[i]: at most one activation is alive between forward steps i and i + 1. */
static rc_status find_cuts(const struct rci_tape *t, bool *cut)
{
    const struct rci_plan *p = &t->plan;
    uint32_t *first = rci_alloc_array(p->ctx, 2u * p->n_slots + 1u, sizeof(*first));
    if (!first)
        return RC_ERR_MEMORY;
    uint32_t *last = first + p->n_slots;
    memset(first, 0xff, 2u * p->n_slots * sizeof(*first));
    for (uint32_t i = 0; i < t->n_forward; i++)
        for (uint32_t k = 0; k < p->steps[i].n_ref; k++) {
            const uint32_t r = root(p, p->steps[i].ref[k]);
            if (!in_arena(p, r) || is_saved(&p->steps[i], k))
                continue;
            first[r] = first[r] == UINT32_MAX ? i : first[r];
            last[r] = i;
        }
    for (uint32_t i = 0; i < t->n_forward; i++)
        cut[i] = alive_behind(t, first, last, i) <= 1;
    rci_release(first);
    return RC_OK;
}

/* --- what one stretch has to repeat --- */

/* Roots first touched in the stretch and not touched by forward steps behind it. */
static void find_inside(struct stretch *s)
{
    const struct rci_tape *t = s->t;
    const struct rci_plan *p = &t->plan;
    for (uint32_t i = 0; i < t->n_forward; i++) {
        const bool here = i >= s->from && i < s->to;
        for (uint32_t k = 0; k < p->steps[i].n_ref; k++) {
            const uint32_t r = root(p, p->steps[i].ref[k]);
            if (here && in_arena(p, r) && !is_saved(&p->steps[i], k))
                s->inside[r] = true;
        }
    }
    for (uint32_t i = 0; i < t->n_forward; i++)
        for (uint32_t k = 0; k < p->steps[i].n_ref; k++) {
            const uint32_t r = root(p, p->steps[i].ref[k]);
            if (r != RC_NONE && (i < s->from || i >= s->to || is_saved(&p->steps[i], k)))
                s->inside[r] = false;
        }
}

/* The first backward step that reads something of the stretch; marks all that are read. */
static uint32_t find_wanted(struct stretch *s)
{
    const struct rci_plan *p = &s->t->plan;
    uint32_t at = UINT32_MAX;
    for (uint32_t i = s->t->n_forward; i < p->n_steps; i++)
        for (uint32_t k = 0; k < p->steps[i].n_ref; k++) {
            const uint32_t r = root(p, p->steps[i].ref[k]);
            if (r == RC_NONE || r >= s->n_slots || !s->inside[r])
                continue;
            s->wanted[r] = true;
            at = i < at ? i : at;
        }
    return at;
}

static bool repeatable(const struct rci_plan *p, const struct rci_step *s)
{
    return s->kind != RC_STEP_PLAIN || !p->training || p->frozen_bn ||
           !(s->node->op->flags & RC_OP_UPDATES);
}

/* Walks the stretch backwards from what is wanted. False: it cannot be repeated. */
static bool find_repeats(struct stretch *s)
{
    const struct rci_plan *p = &s->t->plan;
    for (uint32_t i = s->to; i-- > s->from;) {
        const struct rci_step *step = &p->steps[i];
        bool needed = false, outside = false;
        for (uint32_t k = step->n_in; k < step->n_in + step->n_out; k++) {
            const uint32_t r = root(p, step->ref[k]);
            needed |= r != RC_NONE && s->wanted[r];
            outside |= r != RC_NONE && !s->inside[r];
        }
        if (!needed)
            continue;
        if (outside || !repeatable(p, step))
            return false;
        s->repeat[i] = true;
        for (uint32_t k = 0; k < step->n_in; k++) {
            const uint32_t r = root(p, step->ref[k]);
            if (r != RC_NONE && s->inside[r])
                s->wanted[r] = true;
        }
    }
    return true;
}

/* What comes from before the stretch must still hold the same when it is read again at `at`. */
static bool operands_stay(const struct stretch *s, uint32_t at)
{
    const struct rci_plan *p = &s->t->plan;
    for (uint32_t i = s->from; i < s->to; i++) {
        const struct rci_step *step = &p->steps[i];
        for (uint32_t k = 0; s->repeat[i] && k < step->n_in; k++) {
            const uint32_t r = root(p, step->ref[k]);
            if (!in_arena(p, r) || s->inside[r])
                continue;
            for (uint32_t j = i; j < at; j++)
                if (writes(p, &p->steps[j], r))
                    return false;
        }
    }
    return true;
}

/* --- repeating --- */

static rc_status copy_of(struct stretch *s, uint32_t slot, uint32_t *out)
{
    struct rci_plan *p = &s->t->plan;
    *out = slot;
    if (slot == RC_NONE || slot >= s->n_slots || !s->inside[rci_slot_root(p, slot)])
        return RC_OK;
    if (s->copy[slot] == RC_NONE) {
        const uint32_t old = rci_slot_root(p, slot);
        uint32_t at, base;
        RC_TRY(rci_slot_add_bytes(p, &at, p->slots[slot].bytes));
        p->slots[at].md = p->slots[slot].md;
        p->slots[at].value = p->slots[slot].value;
        s->copy[slot] = at;
        if (old != slot) {
            RC_TRY(copy_of(s, old, &base));
            p->slots[at].root = base;
        }
    }
    *out = s->copy[slot];
    return RC_OK;
}

/* Appends forward step `from` once more, on the copies. */
static rc_status step_again(struct stretch *s, uint32_t from)
{
    struct rci_plan *p = &s->t->plan;
    struct rci_step *to;
    const struct rci_step *now = &p->steps[from];
    RC_TRY(rci_step_add(p, &to, now->kind, now->n_in, now->n_out, false));
    now = &p->steps[from]; /* the array may have moved */
    uint32_t *const ref = to->ref;
    void **const at = to->at;
    struct rci_tensor *const tensor = to->tensor;
    *to = *now;
    to->ref = ref;
    to->at = at;
    to->tensor = tensor;
    to->again = true;
    if (tensor) {
        memcpy(tensor, now->tensor, now->n_ref * sizeof(*tensor));
        to->call.in = tensor;
        to->call.out = tensor + now->n_in;
    }
    if (to->kind == RC_STEP_FAST) {
        const struct rci_prep *q = p->planned[to->node - p->g->nodes].prep;
        to->fast = q->run_again ? q->run_again : q->run;
    }
    for (uint32_t k = 0; k < to->n_ref; k++)
        RC_TRY(copy_of(s, now->ref[k], &ref[k]));
    return RC_OK;
}

/* Moves the steps from `added` on in front of step `at`. */
static rc_status move_steps(struct rci_plan *p, uint32_t at, uint32_t added)
{
    const uint32_t n = p->n_steps - added;
    struct rci_step *tail = rci_alloc_array(p->ctx, n + 1u, sizeof(*tail));
    if (!tail)
        return RC_ERR_MEMORY;
    memcpy(tail, p->steps + added, n * sizeof(*tail));
    memmove(p->steps + at + n, p->steps + at, (added - at) * sizeof(*tail));
    memcpy(p->steps + at, tail, n * sizeof(*tail));
    rci_release(tail);
    return RC_OK;
}

static rc_status repeat(struct stretch *s, uint32_t at)
{
    struct rci_plan *p = &s->t->plan;
    const uint32_t before = p->n_steps;
    for (uint32_t i = s->from; i < s->to; i++)
        if (s->repeat[i])
            RC_TRY(step_again(s, i));
    const uint32_t added = p->n_steps - before;
    RC_TRY(move_steps(p, at, before));
    for (uint32_t i = at + added; i < p->n_steps; i++)
        for (uint32_t k = 0; k < p->steps[i].n_ref; k++)
            RC_TRY(copy_of(s, p->steps[i].ref[k], &p->steps[i].ref[k]));
    return RC_OK;
}

static rc_status open_stretch(struct stretch *s)
{
    struct rc_context *c = s->t->plan.ctx;
    s->n_slots = s->t->plan.n_slots;
    s->inside = rci_alloc_array(c, s->n_slots + 1u, sizeof(bool));
    s->wanted = rci_alloc_array(c, s->n_slots + 1u, sizeof(bool));
    s->repeat = rci_alloc_array(c, s->t->n_forward + 1u, sizeof(bool));
    s->copy = rci_alloc_array(c, s->n_slots + 1u, sizeof(*s->copy));
    if (!s->inside || !s->wanted || !s->repeat || !s->copy)
        return RC_ERR_MEMORY;
    memset(s->copy, 0xff, s->n_slots * sizeof(*s->copy));
    return RC_OK;
}

static void close_stretch(struct stretch *s)
{
    rci_release(s->inside);
    rci_release(s->wanted);
    rci_release(s->repeat);
    rci_release(s->copy);
}

/* Stretches that cannot be repeated stay as they are. */
static rc_status recompute(struct rci_tape *t, uint32_t from, uint32_t to)
{
    struct stretch s = {.t = t, .from = from, .to = to};
    rc_status st = open_stretch(&s);
    if (st == RC_OK) {
        find_inside(&s);
        const uint32_t at = find_wanted(&s);
        if (at != UINT32_MAX && find_repeats(&s) && operands_stay(&s, at))
            st = repeat(&s, at);
    }
    close_stretch(&s);
    return st;
}

static rc_status shrink_batch(struct rci_tape *t, const bool *cut)
{
    struct rci_plan *p = &t->plan;
    uint32_t from = 0;
    RC_TRY(rci_plan_place(p));
    const size_t whole = p->arena_bytes;
    for (uint32_t i = 0; i + 1 < t->n_forward && p->arena_bytes > t->o.memory; i++) {
        if (!cut[i])
            continue;
        RC_TRY(recompute(t, from, i + 1));
        from = i + 1;
        RC_TRY(rci_plan_place(p));
    }
    if (p->arena_bytes > t->o.memory)
        return rci_fail(RC_ERR_LIMIT,
                        "activations of %lld images need at least %llu bytes, %llu are allowed; "
                        "without recomputation they need %llu",
                        (long long) t->o.batch, (unsigned long long) p->arena_bytes,
                        (unsigned long long) t->o.memory, (unsigned long long) whole);
    return RC_OK;
}

rc_status rci_tape_limit_memory(struct rci_tape *t)
{
    bool *cut = rci_alloc_array(t->plan.ctx, t->n_forward + 1u, sizeof(*cut));
    rc_status st = cut ? find_cuts(t, cut) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = shrink_batch(t, cut);
    rci_release(cut);
    return st;
}
