/* Where slots live. A slot is alive from the first to the last step that touches it; slots that
 * are never alive together may share bytes. Largest first, each at the lowest offset that fits
 * ("greedy by size", Pisarchyk and Lee, 2020). */
#include "exec/plan.h"
#include "kernel/choice/choice.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

static void find_lifetimes(struct rci_plan *p)
{
    for (uint32_t i = 0; i < p->n_slots; i++) {
        p->slots[i].first = UINT32_MAX;
        p->slots[i].last = 0;
    }
    for (uint32_t i = 0; i < p->n_steps; i++)
        for (uint32_t k = 0; k < p->steps[i].n_ref; k++) {
            if (p->steps[i].ref[k] == RC_NONE)
                continue;
            struct rci_slot *s = &p->slots[rci_slot_root(p, p->steps[i].ref[k])];
            s->first = s->first < i ? s->first : i;
            s->last = s->last > i ? s->last : i;
        }
}

struct placed {
    size_t bytes;
    uint32_t slot;
};

static int by_size(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->slot < y->slot ? -1 : 1;
}

/* Lowest offset where `s` overlaps none of the slots placed so far (sorted by offset). */
static size_t find_offset(const struct rci_plan *p, const uint32_t *sorted, uint32_t n,
                          const struct rci_slot *s, size_t bytes)
{
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct rci_slot *o = &p->slots[sorted[i]];
        if (o->last < s->first || s->last < o->first)
            continue;
        if (o->offset >= at + bytes)
            break;
        const size_t end = (o->offset + o->bytes + ALIGN - 1) / ALIGN * ALIGN;
        at = end > at ? end : at;
    }
    return at;
}

static void place_all(struct rci_plan *p, const struct placed *items, uint32_t n, uint32_t *sorted)
{
    for (uint32_t i = 0; i < n; i++) {
        struct rci_slot *s = &p->slots[items[i].slot];
        s->offset = find_offset(p, sorted, i, s, s->bytes);
        uint32_t k = i;
        for (; k > 0 && p->slots[sorted[k - 1]].offset > s->offset; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = items[i].slot;
        const size_t end = s->offset + s->bytes;
        p->arena_bytes = end > p->arena_bytes ? end : p->arena_bytes;
    }
}

static rc_status plan_arena(struct rci_plan *p)
{
    struct placed *items = rci_alloc_array(p->ctx, p->n_slots + 1u, sizeof(*items));
    uint32_t *sorted = rci_alloc_array(p->ctx, p->n_slots + 1u, sizeof(*sorted));
    uint32_t n = 0;
    if (items && sorted) {
        for (uint32_t i = 0; i < p->n_slots; i++) {
            const struct rci_slot *s = &p->slots[i];
            if (s->root == i && s->place == RC_AT_ARENA && s->first != UINT32_MAX)
                items[n++] = (struct placed){s->bytes, i};
        }
        qsort(items, n, sizeof(*items), by_size);
        place_all(p, items, n, sorted);
    }
    const bool ok = items && sorted;
    rci_release(items);
    rci_release(sorted);
    return ok ? RC_OK : RC_ERR_MEMORY;
}

rc_status rci_plan_place(struct rci_plan *p)
{
    p->arena_bytes = 0;
    find_lifetimes(p);
    return plan_arena(p);
}

static rc_status allocate(struct rci_plan *p)
{
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].scratch > p->scratch_bytes)
            p->scratch_bytes = p->steps[i].scratch;
    /* zeroed, so that no step ever reads bytes nobody wrote (padding of blocked layouts) */
    p->arena = rci_alloc_zero(p->ctx, p->arena_bytes);
    p->scratch = rci_alloc_zero(p->ctx, p->scratch_bytes);
    if (!p->arena || !p->scratch)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < p->n_slots; i++)
        if (p->slots[i].root == i && p->slots[i].place == RC_AT_ARENA)
            p->slots[i].data = p->arena + p->slots[i].offset;
    return RC_OK;
}

static void bind_step(struct rci_plan *p, struct rci_step *s)
{
    for (uint32_t k = 0; k < s->n_ref; k++) {
        void *data = s->ref[k] == RC_NONE ? NULL : p->slots[rci_slot_root(p, s->ref[k])].data;
        s->at[k] = data;
        if (s->tensor)
            s->tensor[k].data = data;
    }
    const uint32_t half = s->n_in + s->n_out;
    const uint32_t result = s->n_out ? s->ref[s->n_in] : RC_NONE;
    const struct rci_md *md = result == RC_NONE ? NULL : p->slots[result].md;
    if (md)
        rci_md_text(md, s->layout);
    else
        memcpy(s->layout, "plain", sizeof("plain"));
    s->io.in = s->at;
    s->io.out = s->at + s->n_in;
    s->io.saved = s->call.saved = s->at[s->n_ref - 1];
    s->io.scratch = p->scratch;
    if (s->backward) {
        s->io.d_out = s->at + half;
        s->io.d_in = s->at + half + s->n_out;
    }
}

void rci_plan_bind(struct rci_plan *p)
{
    for (uint32_t i = 0; i < p->n_steps; i++)
        bind_step(p, &p->steps[i]);
}

/* All places that hold the address of a caller's array. */
static uint32_t collect_patches(struct rci_plan *p, struct rci_patch *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        struct rci_step *s = &p->steps[i];
        for (uint32_t k = 0; k < s->n_ref; k++) {
            if (s->ref[k] == RC_NONE)
                continue;
            const struct rci_slot *r = &p->slots[rci_slot_root(p, s->ref[k])];
            if (r->place != RC_AT_CALLER)
                continue;
            if (out)
                out[n] = (struct rci_patch){s->tensor ? &s->tensor[k].data : &s->at[k], r->caller,
                                            r->io};
            n++;
        }
    }
    return n;
}

/* What was measured is of use without the file. */
static void save_choices(struct rci_plan *p)
{
    if (rci_choice_save(p->ctx) != RC_OK)
        rci_log(p->ctx, RC_LOG_WARNING, "choices are not kept: %s", rci_error_text());
}

rc_status rci_plan_finish(struct rci_plan *p)
{
    RC_TRY(rci_plan_place(p));
    RC_TRY(allocate(p));
    rci_plan_bind(p);
    p->n_patches = collect_patches(p, NULL);
    p->patches = rci_alloc_array(p->ctx, p->n_patches + 1u, sizeof(*p->patches));
    if (!p->patches)
        return RC_ERR_MEMORY;
    collect_patches(p, p->patches);
    if (p->engine)
        rci_engine_settle(p->engine);
    save_choices(p);
    return RC_OK;
}

void rci_plan_patch(struct rci_plan *p, enum rci_caller kind, uint32_t io, const void *array)
{
    for (uint32_t i = 0; i < p->n_patches; i++)
        if (p->patches[i].caller == kind && p->patches[i].io == io)
            *p->patches[i].at = (void *) array;
}
