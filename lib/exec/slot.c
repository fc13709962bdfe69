/* Buffers of a plan and moves between them: a value lives in one slot per memory layout. */
#include "exec/plan.h"

#include <string.h>

const struct rci_md *rci_md_normal(const struct rci_md *md)
{
    return md && !rci_md_is_plain(md) ? md : NULL;
}

bool rci_md_same(const struct rci_md *a, const struct rci_md *b)
{
    a = rci_md_normal(a);
    b = rci_md_normal(b);
    if (!a || !b)
        return a == b;
    return a == b || rci_md_equal(a, b);
}

static const struct rci_tensor *slot_shape(const struct rci_plan *p, rci_id value)
{
    const struct rci_tensor *t = &p->g->values[value].tensor;
    return t->data ? t : &p->shape[value];
}

rc_status rci_slot_add_bytes(struct rci_plan *p, uint32_t *out, size_t bytes)
{
    RC_TRY(rci_grow(p->ctx, &p->slots, p->n_slots, &p->cap_slots, sizeof(*p->slots)));
    const uint32_t at = p->n_slots++;
    p->slots[at] = (struct rci_slot){.bytes = bytes ? bytes : 1,
                                     .value = RC_NONE,
                                     .root = at,
                                     .next_copy = RC_NONE,
                                     .first = UINT32_MAX};
    *out = at;
    return RC_OK;
}

rc_status rci_slot_add(struct rci_plan *p, uint32_t *out, rci_id value, const struct rci_md *md)
{
    md = rci_md_normal(md);
    RC_TRY(
        rci_slot_add_bytes(p, out, md ? rci_md_bytes(md) : rci_tensor_bytes(slot_shape(p, value))));
    p->slots[*out].md = md;
    p->slots[*out].value = value;
    return RC_OK;
}

rc_status rci_slot_add_gradient(struct rci_plan *p, uint32_t *out, rci_id value,
                                const struct rci_md *md)
{
    md = rci_md_normal(md);
    const size_t count = (size_t) rci_shape_count(&slot_shape(p, value)->shape);
    RC_TRY(rci_slot_add_bytes(p, out, md ? rci_md_bytes(md) : count * sizeof(float)));
    p->slots[*out].md = md;
    p->slots[*out].value = value;
    return RC_OK;
}

uint32_t rci_slot_root(const struct rci_plan *p, uint32_t slot)
{
    while (p->slots[slot].root != slot)
        slot = p->slots[slot].root;
    return slot;
}

rc_status rci_slot_own(struct rci_plan *p, uint32_t slot)
{
    struct rci_slot *s = &p->slots[slot];
    s->data = rci_alloc_zero(p->ctx, s->bytes);
    if (!s->data)
        return RC_ERR_MEMORY;
    s->place = RC_AT_OWN;
    p->own_bytes += s->bytes;
    return RC_OK;
}

rc_status rci_slot_of(struct rci_plan *p, uint32_t *out, rci_id value)
{
    if (p->primary[value] == RC_NONE) {
        const struct rci_value *v = &p->g->values[value];
        if (!rci_value_is_const(v))
            return rci_fail(RC_ERR_MODEL, "value \"%s\" is read before it is computed", v->name);
        uint32_t slot;
        RC_TRY(rci_slot_add(p, &slot, value, NULL));
        p->slots[slot].place = RC_AT_CONST;
        p->slots[slot].data = v->tensor.data;
        p->primary[value] = slot;
    }
    *out = p->primary[value];
    return RC_OK;
}

rc_status rci_step_add(struct rci_plan *p, struct rci_step **out, enum rci_step_kind kind,
                       uint32_t n_in, uint32_t n_out, bool backward)
{
    RC_TRY(rci_grow(p->ctx, &p->steps, p->n_steps, &p->cap_steps, sizeof(*p->steps)));
    struct rci_step *s = &p->steps[p->n_steps];
    memset(s, 0, sizeof(*s));
    s->kind = kind;
    s->backward = backward;
    s->n_in = n_in;
    s->n_out = n_out;
    s->n_ref = (n_in + n_out) * (backward ? 2 : 1) + 1;
    s->ref = rci_alloc_array(p->ctx, s->n_ref, sizeof(*s->ref));
    s->at = rci_alloc_array(p->ctx, s->n_ref, sizeof(*s->at));
    if (kind == RC_STEP_PLAIN)
        s->tensor = rci_alloc_array(p->ctx, s->n_ref, sizeof(*s->tensor));
    p->n_steps++; /* counted at once so that closing the plan frees it */
    if (!s->ref || !s->at || (kind == RC_STEP_PLAIN && !s->tensor))
        return RC_ERR_MEMORY;
    memset(s->ref, 0xff, s->n_ref * sizeof(*s->ref));
    *out = s;
    return RC_OK;
}

static rc_status move_add(struct rci_plan *p, struct rci_step **out, enum rci_step_kind kind,
                          uint32_t from, uint32_t to)
{
    RC_TRY(rci_step_add(p, out, kind, 1, 1, false));
    (*out)->ref[0] = from;
    (*out)->ref[1] = to;
    (*out)->bytes = p->slots[to].bytes;
    return RC_OK;
}

static rc_status reorder_make(struct rci_plan *p, struct rci_reorder **out, uint32_t from,
                              uint32_t to, rci_id value)
{
    const struct rci_tensor *t = slot_shape(p, value);
    const struct rci_md *plain, *a = p->slots[from].md, *b = p->slots[to].md;
    RC_TRY(rci_md_plain(p->engine, t->dtype, &t->shape, &plain));
    return rci_reorder_new(out, p->engine, a ? a : plain, b ? b : plain);
}

rc_status rci_move_reorder(struct rci_plan *p, uint32_t from, uint32_t to, rci_id value)
{
    struct rci_step *s;
    RC_TRY(move_add(p, &s, RC_STEP_REORDER, from, to));
    RC_TRY(reorder_make(p, &s->reorder, from, to, value));
    s->scratch = rci_reorder_scratch(s->reorder);
    return RC_OK;
}

rc_status rci_move_copy(struct rci_plan *p, uint32_t from, uint32_t to)
{
    struct rci_step *s;
    return move_add(p, &s, RC_STEP_COPY, from, to);
}

rc_status rci_move_add(struct rci_plan *p, uint32_t a, uint32_t b, uint32_t to)
{
    struct rci_step *s;
    RC_TRY(rci_step_add(p, &s, RC_STEP_ADD, 2, 1, false));
    s->ref[0] = a;
    s->ref[1] = b;
    s->ref[2] = to;
    s->bytes = p->slots[to].bytes;
    s->bf16 = rci_md_is_bf16(p->slots[to].md);
    return RC_OK;
}

rc_status rci_move_mask(struct rci_plan *p, uint32_t a, uint32_t b, uint32_t y, uint32_t to)
{
    struct rci_step *s;
    RC_TRY(rci_step_add(p, &s, RC_STEP_MASK, 3, 1, false));
    s->ref[0] = a;
    s->ref[1] = b;
    s->ref[2] = y;
    s->ref[3] = to;
    s->bytes = p->slots[to].bytes;
    s->bf16 = rci_md_is_bf16(p->slots[to].md);
    return RC_OK;
}

/* By a reorder. Only a layout with padding has bytes that it does not write. */
static rc_status reorder_now(struct rci_plan *p, uint32_t to, const void *plain, void *packed)
{
    const struct rci_slot *s = &p->slots[to];
    const uint32_t from = p->primary[s->value];
    struct rci_reorder *r;
    if (s->bytes != p->slots[from].bytes || rci_md_is_bf16(s->md))
        memset(packed, 0, s->bytes);
    RC_TRY(reorder_make(p, &r, from, to, s->value));
    void *scratch = rci_alloc(p->ctx, rci_reorder_scratch(r));
    const rc_status st = scratch ? rci_reorder_run(r, plain, packed, scratch) : RC_ERR_MEMORY;
    rci_release(scratch);
    rci_reorder_free(r);
    return st;
}

rc_status rci_slot_pack(struct rci_plan *p, uint32_t slot, const void *plain, void **packed)
{
    const struct rci_slot *s = &p->slots[slot];
    void *data = rci_alloc(p->ctx, s->bytes);
    rc_status st = data ? RC_OK : RC_ERR_MEMORY;
    if (st == RC_OK && s->how)
        s->how->pack(s->state, plain, data);
    else if (st == RC_OK)
        st = reorder_now(p, slot, plain, data);
    if (st == RC_OK)
        st = rci_packed_share(p->ctx, &data, s->bytes);
    if (st == RC_OK)
        *packed = data;
    else
        rci_release(data);
    return st;
}

/* A session's constants are packed while compiling. */
static rc_status pack_now(struct rci_plan *p, uint32_t from, uint32_t to)
{
    struct rci_slot *s = &p->slots[to];
    RC_TRY(rci_slot_pack(p, to, p->slots[from].data, &s->data));
    s->place = RC_AT_OWN;
    p->own_bytes += s->bytes;
    return RC_OK;
}

rc_status rci_slot_packed(struct rci_plan *p, uint32_t *out, rci_id value,
                          const struct rci_packing *how, const void *state)
{
    uint32_t from = RC_NONE;
    RC_TRY(rci_slot_of(p, &from, value));
    RC_TRY(rci_slot_add_bytes(p, out, how->bytes));
    p->slots[*out].value = value;
    p->slots[*out].how = how;
    p->slots[*out].state = state;
    return pack_now(p, from, *out);
}

rc_status rci_slot_in(struct rci_plan *p, uint32_t *out, rci_id value, const struct rci_md *md)
{
    uint32_t from, to;
    md = rci_md_normal(md);
    RC_TRY(rci_slot_of(p, &from, value));
    for (uint32_t s = from; s != RC_NONE; s = p->slots[s].next_copy)
        if (rci_md_same(p->slots[s].md, md)) {
            *out = s;
            return RC_OK;
        }
    RC_TRY(rci_slot_add(p, &to, value, md));
    p->slots[to].next_copy = p->slots[from].next_copy;
    p->slots[from].next_copy = to;
    *out = to;
    if (p->slots[from].place == RC_AT_CONST && !p->training)
        return pack_now(p, from, to);
    return rci_move_reorder(p, from, to, value);
}
