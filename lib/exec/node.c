/* One node of the forward walk: ask the operator to prepare; where it has no fast path, run its
 * plain loop, over the layout the operands already have when the operator does not mind. */
#include "exec/plan.h"

#include <stdlib.h>
#include <string.h>

static bool is_const(const struct rci_plan *p, rci_id v)
{
    return rci_value_is_const(&p->g->values[v]);
}

static const struct rci_tensor *tensor_of(const struct rci_plan *p, rci_id v)
{
    static const struct rci_tensor absent = {0};
    if (v == RC_NONE)
        return &absent;
    return is_const(p, v) ? &p->g->values[v].tensor : &p->shape[v];
}

/* --- memory shared between values --- */

static uint32_t readers_left(const struct rci_plan *p, rci_id v)
{
    return rci_graph_count_readers(p->g, v);
}

static rc_status out_new(struct rci_plan *p, rci_id v, const struct rci_md *md)
{
    uint32_t slot;
    RC_TRY(rci_slot_add(p, &slot, v, md));
    p->slots[slot].pending = readers_left(p, v);
    p->primary[v] = slot;
    return RC_OK;
}

/* Output `v` lives in the memory of `slot`. */
static rc_status out_share(struct rci_plan *p, rci_id v, const struct rci_md *md, uint32_t slot)
{
    RC_TRY(out_new(p, v, md));
    const uint32_t root = rci_slot_root(p, slot);
    p->slots[p->primary[v]].root = root;
    p->slots[root].pending += p->slots[p->primary[v]].pending;
    return RC_OK;
}

/* This node has taken its operands: one reader less for each. */
static void operands_done(struct rci_plan *p, const struct rci_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] != RC_NONE && p->primary[n->in[i]] != RC_NONE && !is_const(p, n->in[i]))
            p->slots[rci_slot_root(p, p->primary[n->in[i]])].pending--;
}

/* Nobody reads this memory after the node being planned, so it may be overwritten. */
static bool dies_here(const struct rci_plan *p, rci_id v, uint32_t slot)
{
    const struct rci_slot *a = &p->slots[rci_slot_root(p, p->primary[v])];
    const struct rci_slot *b = &p->slots[rci_slot_root(p, slot)];
    return !is_const(p, v) && a->pending == 0 && b->pending == 0 && !b->kept &&
           b->place == RC_AT_ARENA;
}

/* --- the four ways --- */

void rci_step_tensors(struct rci_plan *p, struct rci_step *s, bool flat)
{
    const struct rci_node *n = s->node;
    const uint32_t half = n->n_in + n->n_out;
    for (uint32_t i = 0; i + 1 < s->n_ref; i++) {
        if (s->ref[i] == RC_NONE)
            continue;
        /* in, out, then the other way round: d_out, d_in */
        const uint32_t k = i < half ? i : (i - half + n->n_in) % half;
        s->tensor[i] = *tensor_of(p, k < n->n_in ? n->in[k] : n->out[k - n->n_in]);
        s->tensor[i].data = NULL;
        if (i >= half)
            s->tensor[i].dtype = RC_F32; /* also of integers behind QuantizeLinear */
        const size_t size = rci_dtype_size(s->tensor[i].dtype);
        if (flat)
            s->tensor[i].shape = RC_SHAPE((int64_t) (p->slots[s->ref[i]].bytes / size));
    }
    s->call = (struct rci_call){.node = n,
                                .ctx = p->ctx,
                                .in = s->tensor,
                                .out = s->tensor + n->n_in,
                                .training = p->training && !p->frozen_bn};
    if (s->backward) {
        s->call.d_out = s->tensor + half;
        s->call.d_in = s->tensor + half + n->n_out;
    }
}

static rc_status saved_add(struct rci_plan *p, struct rci_planned *k, struct rci_step *s,
                           size_t bytes)
{
    k->saved = RC_NONE;
    if (bytes == 0)
        return RC_OK;
    RC_TRY(rci_slot_add_bytes(p, &k->saved, bytes));
    s->ref[s->n_ref - 1] = k->saved;
    return RC_OK;
}

static void keep(struct rci_plan *p, uint32_t slot)
{
    if (slot != RC_NONE && p->keeps)
        p->slots[rci_slot_root(p, slot)].kept = true;
}

static rc_status node_view(struct rci_plan *p, rci_id id)
{
    const struct rci_node *n = &p->g->nodes[id];
    const bool same = rci_shape_equal(&tensor_of(p, n->in[0])->shape, &p->shape[n->out[0]].shape);
    uint32_t slot;
    RC_TRY(rci_slot_of(p, &slot, n->in[0]));
    const struct rci_md *md = same ? p->slots[slot].md : NULL;
    RC_TRY(rci_slot_in(p, &slot, n->in[0], md));
    operands_done(p, n);
    p->planned[id] = (struct rci_planned){.how = RC_HOW_VIEW, .step = RC_NONE, .saved = RC_NONE};
    return out_share(p, n->out[0], md, slot);
}

/* Plain loop, every operand in layout `md` (NULL: plain). */
static rc_status node_plain(struct rci_plan *p, rci_id id, enum rci_how how,
                            const struct rci_md *md)
{
    const struct rci_node *n = &p->g->nodes[id];
    struct rci_planned *k = &p->planned[id];
    uint32_t *ref = rci_alloc_array(p->ctx, n->n_in + 1u, sizeof(*ref));
    rc_status st = ref ? RC_OK : RC_ERR_MEMORY;
    for (uint32_t i = 0; st == RC_OK && i < n->n_in; i++) {
        ref[i] = RC_NONE;
        if (n->in[i] != RC_NONE)
            st = rci_slot_in(p, &ref[i], n->in[i], md);
    }
    struct rci_step *s = NULL;
    if (st == RC_OK)
        st = rci_step_add(p, &s, RC_STEP_PLAIN, n->n_in, n->n_out, false);
    if (st == RC_OK)
        memcpy(s->ref, ref, n->n_in * sizeof(*ref));
    rci_release(ref);
    RC_TRY(st);
    k->how = how;
    k->step = p->n_steps - 1;
    s->node = n;
    s->plain = n->op->forward;
    s->impl = "plain C";
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o] != RC_NONE) {
            RC_TRY(out_new(p, n->out[o], md));
            s->ref[n->n_in + o] = p->primary[n->out[o]];
        }
    operands_done(p, n);
    for (uint32_t i = 0; i < n->n_in + n->n_out; i++)
        keep(p, s->ref[i]);
    rci_step_tensors(p, s, how == RC_HOW_FREE);
    const bool saves = p->training && n->op->saved_bytes;
    return saved_add(p, k, s, saves ? n->op->saved_bytes(n, s->tensor) : 0);
}

/* Another operand lives in the same memory: y = x + conv(x) must not overwrite x while reading it.
 */
static bool read_besides(const struct rci_plan *p, const struct rci_node *n,
                         const uint32_t *in_slot, int32_t place)
{
    const uint32_t root = rci_slot_root(p, in_slot[place]);
    for (uint32_t i = 0; i < n->n_in; i++)
        if ((int32_t) i != place && in_slot[i] != RC_NONE && rci_slot_root(p, in_slot[i]) == root)
            return true;
    return false;
}

static rc_status fast_outputs(struct rci_plan *p, rci_id id, const uint32_t *in_slot)
{
    const struct rci_node *n = &p->g->nodes[id];
    const struct rci_prep *q = p->planned[id].prep;
    operands_done(p, n);
    for (uint32_t i = 0; i < n->n_in; i++)
        if (q->backward_reads >> i & 1)
            keep(p, in_slot[i]);
    for (uint32_t o = 0; o < n->n_out; o++) {
        const int32_t place = o == 0 ? q->in_place : -1;
        if (n->out[o] == RC_NONE)
            continue;
        if (place >= 0 && dies_here(p, n->in[place], in_slot[place]) &&
            !read_besides(p, n, in_slot, place)) {
            RC_TRY(out_share(p, n->out[o], q->out_md[o], in_slot[place]));
        } else {
            RC_TRY(out_new(p, n->out[o], q->out_md[o]));
            if (place >= 0)
                RC_TRY(rci_move_copy(p, in_slot[place], p->primary[n->out[o]]));
        }
        if (q->backward_reads >> (16 + o) & 1)
            keep(p, p->primary[n->out[o]]);
    }
    return RC_OK;
}

/* Packed and read by nobody else: not kept until the end, which would double the peak. */
static void drop_packed(struct rci_plan *p, const struct rci_node *n, const uint32_t *in_slot)
{
    for (uint32_t i = 0; i < n->n_in && !p->training; i++) {
        const rci_id v = n->in[i];
        if (v == RC_NONE || !is_const(p, v) || in_slot[i] == p->primary[v] ||
            rci_graph_count_readers(p->g, v) > 1)
            continue;
        rci_tensor_free(&p->g->values[v].tensor);
        p->slots[p->primary[v]].data = NULL;
    }
}

static rc_status node_fast(struct rci_plan *p, rci_id id)
{
    const struct rci_node *n = &p->g->nodes[id];
    struct rci_planned *k = &p->planned[id];
    const struct rci_prep *q = k->prep;
    uint32_t in_slot[RC_PREP_MAX];
    for (uint32_t i = 0; i < n->n_in; i++) {
        in_slot[i] = RC_NONE;
        if (n->in[i] == RC_NONE)
            continue;
        if (q->packing[i].bytes)
            RC_TRY(rci_slot_packed(p, &in_slot[i], n->in[i], &q->packing[i], q->state));
        else
            RC_TRY(rci_slot_in(p, &in_slot[i], n->in[i], q->want[i]));
    }
    RC_TRY(fast_outputs(p, id, in_slot));
    struct rci_step *s;
    RC_TRY(rci_step_add(p, &s, RC_STEP_FAST, n->n_in, n->n_out, false));
    memcpy(s->ref, in_slot, n->n_in * sizeof(*in_slot));
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o] != RC_NONE)
            s->ref[n->n_in + o] = p->primary[n->out[o]];
    k->how = RC_HOW_FAST;
    k->step = p->n_steps - 1;
    s->node = n;
    s->fast = q->run;
    s->team = q->team;
    s->io.state = q->state;
    s->impl = q->impl ? q->impl : "oneDNN";
    s->scratch = q->scratch;
    drop_packed(p, n, in_slot);
    return saved_add(p, k, s, p->training ? q->saved : 0);
}

/* Relu, or an addition with Relu behind it: backward needs nothing but the result, so the result
 * may overwrite an operand. */
static bool is_join(const struct rci_plan *p, const struct rci_node *n)
{
    const struct rci_tensor *o = &p->shape[n->out[0]];
    if (!p->training || !p->engine || o->dtype != RC_F32)
        return false;
    if (rci_node_is_relu(n))
        return true;
    if (!rci_node_has(n, RC_OP_SUM) || n->n_post != 1 || n->post[0].kind != RC_POST_RELU)
        return false;
    return rci_shape_equal(&tensor_of(p, n->in[0])->shape, &o->shape) &&
           rci_shape_equal(&tensor_of(p, n->in[1])->shape, &o->shape);
}

static rc_status node_join(struct rci_plan *p, rci_id id)
{
    const struct rci_node *n = &p->g->nodes[id];
    const struct rci_md *md = p->slots[p->primary[n->in[0]]].md;
    uint32_t in[2] = {RC_NONE, RC_NONE}, place = RC_NONE;
    for (uint32_t i = 0; i < n->n_in; i++)
        RC_TRY(rci_slot_in(p, &in[i], n->in[i], md));
    operands_done(p, n);
    for (uint32_t i = 0; i < n->n_in && place == RC_NONE; i++)
        if (dies_here(p, n->in[i], in[i]))
            place = in[i];
    if (place == RC_NONE)
        RC_TRY(out_new(p, n->out[0], md));
    else
        RC_TRY(out_share(p, n->out[0], md, place));
    struct rci_step *s;
    RC_TRY(rci_step_add(p, &s, RC_STEP_JOIN, 2, 1, false));
    s->ref[0] = in[0];
    s->ref[1] = in[1];
    s->ref[2] = p->primary[n->out[0]];
    s->bytes = p->slots[s->ref[2]].bytes;
    s->bf16 = rci_md_is_bf16(md);
    s->node = n;
    s->impl = "join";
    keep(p, s->ref[2]);
    p->planned[id] =
        (struct rci_planned){.how = RC_HOW_JOIN, .step = p->n_steps - 1, .saved = RC_NONE};
    return RC_OK;
}

/* Element by element with f(0) = 0 and equal shapes: any layout will do. */
static bool layout_free(const struct rci_plan *p, const struct rci_node *n)
{
    if (!(n->op->flags & RC_OP_LAYOUT_FREE) || !p->engine || n->n_in == 0 || n->n_out != 1)
        return false;
    const struct rci_tensor *o = &p->shape[n->out[0]];
    for (uint32_t i = 0; i < n->n_in; i++) {
        const struct rci_tensor *t = tensor_of(p, n->in[i]);
        if (n->in[i] == RC_NONE || t->dtype != o->dtype || !rci_shape_equal(&t->shape, &o->shape))
            return false;
    }
    return true;
}

/* Padding stays zero only if zeros map to zero; bounds and slopes may say otherwise. */
static bool zero_stays_zero(const struct rci_plan *p, const struct rci_node *n)
{
    float zero[4][4] = {{0}}, result[4] = {0};
    const enum rci_dtype type = p->shape[n->out[0]].dtype;
    struct rci_tensor in[4], out = {type, RC_SHAPE(4), result};
    if (n->n_in > 4 || (type != RC_F32 && type != RC_U8 && type != RC_S8))
        return false;
    for (uint32_t i = 0; i < n->n_in; i++)
        in[i] = (struct rci_tensor){type, RC_SHAPE(4), zero[i]};
    const struct rci_call c = {.node = n, .ctx = p->ctx, .in = in, .out = &out};
    if (n->op->forward(&c) != RC_OK)
        return false;
    for (uint32_t i = 0; i < 4; i++)
        if (result[i] != 0)
            return false;
    return true;
}

/* An operator that knows f32 only reads such a value after a reorder. */
static const struct rci_md *layout_shown(const struct rci_op *op, const struct rci_md *md)
{
    return rci_md_is_bf16(md) && !(op->flags & RC_OP_BF16) ? NULL : md;
}

/* RC_ERR_UNSUPPORTED when the operator has no fast path for this node. */
static rc_status node_prepare(struct rci_plan *p, rci_id id)
{
    const struct rci_node *n = &p->g->nodes[id];
    if (!p->engine || !n->op->prepare || n->n_in > RC_PREP_MAX || n->n_out > RC_PREP_MAX)
        return RC_ERR_UNSUPPORTED;
    struct rci_tensor in[RC_PREP_MAX], out[RC_PREP_MAX];
    const struct rci_md *have[RC_PREP_MAX] = {0};
    bool needs[RC_PREP_MAX] = {0};
    for (uint32_t i = 0; i < n->n_in; i++) {
        const rci_id v = n->in[i];
        in[i] = *tensor_of(p, v);
        if (v == RC_NONE)
            continue;
        needs[i] = p->needs && p->needs[v];
        if (!is_const(p, v))
            have[i] = layout_shown(n->op, p->slots[p->primary[v]].md);
    }
    for (uint32_t o = 0; o < n->n_out; o++)
        out[o] = *tensor_of(p, n->out[o]);
    const struct rci_request asked = {.engine = p->engine,
                                      .g = p->g,
                                      .node = n,
                                      .in = in,
                                      .out = out,
                                      .have = have,
                                      .training = p->training,
                                      .frozen_stats = p->frozen_bn,
                                      .bf16 = p->bf16,
                                      .repeatable = p->repeatable,
                                      .mixed = p->mixed,
                                      .threads = p->threads,
                                      .cpu = p->ctx->cpu,
                                      .winograd = getenv("RESCOMP_WINOGRAD"),
                                      .int8_kernel = getenv("RESCOMP_INT8_KERNEL"),
                                      .needs_grad = needs,
                                      .sync = p->sync};
    struct rci_prep *q = RC_NEW(p->ctx, struct rci_prep);
    if (!q)
        return RC_ERR_MEMORY;
    q->in_place = -1;
    const rc_status st = n->op->prepare(&asked, q);
    if (st == RC_OK)
        p->planned[id].prep = q;
    else
        rci_release(q);
    return st;
}

rc_status rci_plan_node(struct rci_plan *p, rci_id id)
{
    const struct rci_node *n = &p->g->nodes[id];
    for (uint32_t i = 0; i < n->n_in; i++) {
        uint32_t slot;
        if (n->in[i] != RC_NONE)
            RC_TRY(rci_slot_of(p, &slot, n->in[i]));
    }
    if ((n->op->flags & RC_OP_VIEW) && n->n_post == 0 && n->n_out == 1)
        return node_view(p, id);
    if (is_join(p, n))
        return node_join(p, id);
    const rc_status st = node_prepare(p, id);
    if (st == RC_OK)
        return node_fast(p, id);
    if (st != RC_ERR_UNSUPPORTED)
        return rci_fail_prefix(st, "node \"%s\"", n->name);
    if (!n->op->forward)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": operator %s cannot run", n->name,
                        n->op->name);
    if (layout_free(p, n) && n->n_post == 0 && zero_stays_zero(p, n))
        return node_plain(p, id, RC_HOW_FREE,
                          layout_shown(n->op, p->slots[p->primary[n->in[0]]].md));
    return node_plain(p, id, RC_HOW_PLAIN, NULL);
}
