/* The reverse walk: every node whose operands need a gradient becomes a backward step. */
#include "exec/tape_plan.h"

#include <string.h>

/* --- what needs a gradient --- */

static bool is_parameter(const struct rc_graph *g, const struct rci_node *n, uint32_t i)
{
    if (i >= 32 || !(n->op->trainable >> i & 1) || n->in[i] == RC_NONE)
        return false;
    const struct rci_value *v = &g->values[n->in[i]];
    return rci_value_is_const(v) && v->tensor.dtype == RC_F32 && !(v->flags & RC_VALUE_FROZEN);
}

static void node_needs(struct rci_tape *t, const struct rci_node *n)
{
    bool any = false;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (is_parameter(t->plan.g, n, i) && !t->needs[n->in[i]]) {
            t->needs[n->in[i]] = true;
            t->params[t->n_params++] = n->in[i];
        }
        any |= n->in[i] != RC_NONE && t->needs[n->in[i]];
    }
    for (uint32_t o = 0; any && o < n->n_out; o++) {
        const rci_id v = n->out[o];
        const enum rci_dtype d = v == RC_NONE ? 0 : t->plan.shape[v].dtype;
        /* quantized values too: QuantizeLinear passes gradients straight through */
        if (d == RC_F32 || ((d == RC_U8 || d == RC_S8) && n->op->backward))
            t->needs[v] = true;
    }
}

rc_status rci_tape_find_needs(struct rci_tape *t)
{
    struct rci_plan *p = &t->plan;
    const uint32_t n = p->n_values + 1u;
    t->needs = rci_alloc_array(p->ctx, n, sizeof(*t->needs));
    t->params = rci_alloc_array(p->ctx, n, sizeof(*t->params));
    t->grad = rci_alloc_array(p->ctx, n, sizeof(*t->grad));
    t->second = rci_alloc_array(p->ctx, n, sizeof(*t->second));
    t->fixed = rci_alloc_array(p->ctx, n, sizeof(*t->fixed));
    if (!t->needs || !t->params || !t->grad || !t->second || !t->fixed)
        return RC_ERR_MEMORY;
    memset(t->second, 0xff, n * sizeof(*t->second));
    memset(t->grad, 0xff, n * sizeof(*t->grad));
    memset(t->fixed, 0xff, n * sizeof(*t->fixed));
    for (uint32_t i = 0; t->o.input_grads && i < p->g->n_inputs; i++)
        t->needs[p->g->inputs[i]] = true;
    for (uint32_t i = 0; i < p->n_order; i++)
        node_needs(t, &p->g->nodes[p->order[i]]);
    if (t->o.no_grad) /* parameters stay listed; nothing is kept for them */
        memset(t->needs, 0, n * sizeof(*t->needs));
    p->needs = t->needs;
    p->keeps = !t->o.no_grad;
    return RC_OK;
}

static rc_status make_fixed(struct rci_tape *t, rci_id v)
{
    RC_TRY(rci_slot_add_gradient(&t->plan, &t->fixed[v], v, NULL));
    return rci_slot_own(&t->plan, t->fixed[v]);
}

/* --- operands of a backward step --- */

/* The caller's gradients of graph outputs count like one more reader. */
static rc_status seed_outputs(struct rci_tape *t, rci_id v)
{
    struct rci_plan *p = &t->plan;
    for (uint32_t i = 0; i < p->g->n_outputs; i++) {
        uint32_t from, to;
        if (p->g->outputs[i] != v)
            continue;
        RC_TRY(rci_slot_add_gradient(p, &from, v, NULL));
        p->slots[from].place = RC_AT_CALLER;
        p->slots[from].caller = RC_CALLER_D_OUT;
        p->slots[from].io = i;
        RC_TRY(rci_grad_target(t, &to, v, NULL));
        RC_TRY(rci_move_copy(p, from, to));
        RC_TRY(rci_grad_give(t, v, to, true));
    }
    return RC_OK;
}

/* Gradient of output `v` in layout `md`; zeros when nobody contributed. */
static rc_status grad_in(struct rci_tape *t, uint32_t *slot, rci_id v, const struct rci_md *md)
{
    struct rci_plan *p = &t->plan;
    *slot = t->grad[v];
    if (*slot != RC_NONE && rci_md_same(p->slots[*slot].md, md))
        return RC_OK;
    RC_TRY(rci_slot_add_gradient(p, slot, v, md));
    if (t->grad[v] == RC_NONE)
        return rci_move_copy(p, RC_NONE, *slot);
    return rci_move_reorder(p, t->grad[v], *slot, v);
}

/* Layouts of one node's backward; md[i] for operand i. */
static const struct rci_md *d_in_md(const struct rci_planned *k, uint32_t i,
                                    const struct rci_md *free)
{
    if (k->how != RC_HOW_FAST)
        return free;
    return k->prep->d_in_md[i] ? k->prep->d_in_md[i] : k->prep->want[i];
}

static const struct rci_md *d_out_md(const struct rci_planned *k, uint32_t o,
                                     const struct rci_md *free)
{
    if (k->how != RC_HOW_FAST)
        return free;
    return k->prep->d_out_md[o] ? k->prep->d_out_md[o] : k->prep->out_md[o];
}

/* Forward operand i as backward wants it; RC_NONE when it is not read again. */
static rc_status operand_again(struct rci_tape *t, uint32_t *slot, const struct rci_node *n,
                               const struct rci_planned *k, uint32_t i)
{
    struct rci_plan *p = &t->plan;
    *slot = p->steps[k->step].ref[i];
    if (k->how != RC_HOW_FAST || *slot == RC_NONE)
        return RC_OK;
    const struct rci_prep *q = k->prep;
    if (q->want_backward[i])
        return rci_slot_in(p, slot, n->in[i], q->want_backward[i]);
    const bool free_of_cost = p->slots[rci_slot_root(p, *slot)].place == RC_AT_CONST;
    if (!(q->backward_reads >> i & 1) && !free_of_cost)
        *slot = RC_NONE;
    return RC_OK;
}

/* A plain operator knows nothing of the Relu behind it. */
static rc_status mask_relu(struct rci_tape *t, uint32_t *d_out, rci_id v, uint32_t y)
{
    uint32_t to;
    RC_TRY(rci_slot_add(&t->plan, &to, v, t->plan.slots[y].md));
    RC_TRY(rci_move_mask(&t->plan, *d_out, RC_NONE, y, to));
    *d_out = to;
    return RC_OK;
}

/* Slots of a backward step: in, out, d_out, d_in. */
static rc_status gather_needs(struct rci_tape *t, const struct rci_node *n,
                              const struct rci_planned *k, uint32_t *ref)
{
    struct rci_plan *p = &t->plan;
    uint32_t *out = ref + n->n_in, *d_out = out + n->n_out, *d_in = d_out + n->n_out;
    const uint32_t first = p->steps[k->step].ref[0];
    const struct rci_md *free =
        k->how == RC_HOW_FREE && first != RC_NONE ? p->slots[first].md : NULL;
    memset(ref, 0xff, 2u * (n->n_in + n->n_out) * sizeof(*ref));
    for (uint32_t i = 0; i < n->n_in; i++)
        RC_TRY(operand_again(t, &ref[i], n, k, i));
    for (uint32_t o = 0; o < n->n_out; o++) {
        if (n->out[o] == RC_NONE)
            continue;
        if (k->how != RC_HOW_FAST || (k->prep->backward_reads >> (16 + o) & 1))
            out[o] = p->steps[k->step].ref[n->n_in + o];
        RC_TRY(grad_in(t, &d_out[o], n->out[o], d_out_md(k, o, free)));
        if (o == 0 && n->n_post && k->how != RC_HOW_FAST)
            RC_TRY(mask_relu(t, &d_out[o], n->out[o], out[o]));
    }
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] != RC_NONE && t->needs[n->in[i]])
            RC_TRY(rci_grad_target(t, &d_in[i], n->in[i], d_in_md(k, i, free)));
    return RC_OK;
}

static rc_status add_step(struct rci_tape *t, const struct rci_node *n, const struct rci_planned *k,
                          const uint32_t *ref)
{
    struct rci_plan *p = &t->plan;
    struct rci_step *s;
    const bool fast = k->how == RC_HOW_FAST;
    if (fast ? !k->prep->run_backward : !n->op->backward)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": operator %s has no gradient", n->name,
                        n->op->name);
    if (!fast && n->n_post)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": work fused behind it has no gradient",
                        n->name);
    RC_TRY(rci_step_add(p, &s, fast ? RC_STEP_FAST : RC_STEP_PLAIN, n->n_in, n->n_out, true));
    memcpy(s->ref, ref, 2u * (n->n_in + n->n_out) * sizeof(*ref));
    s->ref[s->n_ref - 1] = k->saved;
    s->node = n;
    s->impl = p->steps[k->step].impl;
    if (fast) {
        s->fast = k->prep->run_backward;
        s->io.state = k->prep->state;
        s->scratch = k->prep->backward_scratch;
    } else {
        s->plain = n->op->backward;
        rci_step_tensors(p, s, k->how == RC_HOW_FREE);
    }
    return RC_OK;
}

static rc_status back_step(struct rci_tape *t, const struct rci_node *n,
                           const struct rci_planned *k)
{
    const uint32_t half = n->n_in + n->n_out;
    uint32_t *ref = rci_alloc_array(t->plan.ctx, 2u * half + 1u, sizeof(*ref));
    rc_status st = ref ? gather_needs(t, n, k, ref) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = add_step(t, n, k, ref);
    for (uint32_t i = 0; st == RC_OK && i < n->n_in; i++)
        if (ref[half + n->n_out + i] != RC_NONE)
            st = rci_grad_give(t, n->in[i], ref[half + n->n_out + i], true);
    rci_release(ref);
    return st;
}

/* Both operands of an addition without broadcasting get the very gradient of the sum. */
static bool passes_gradient(const struct rci_tape *t, const struct rci_node *n)
{
    if (!rci_node_has(n, RC_OP_SUM) || n->n_in != 2 || n->n_post)
        return false;
    const struct rci_shape *s = &t->plan.shape[n->out[0]].shape;
    for (uint32_t i = 0; i < 2; i++) {
        const struct rci_value *v = &t->plan.g->values[n->in[i]];
        const struct rci_tensor *x = rci_value_is_const(v) ? &v->tensor : &t->plan.shape[n->in[i]];
        if (x->dtype != RC_F32 || !rci_shape_equal(&x->shape, s))
            return false;
    }
    return true;
}

static rc_status pass_gradient(struct rci_tape *t, const struct rci_node *n, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (t->needs[n->in[i]])
            RC_TRY(rci_grad_give(t, n->in[i], t->grad[n->out[0]], false));
    return RC_OK;
}

static rc_status back_node(struct rci_tape *t, rci_id id)
{
    const struct rci_node *n = &t->plan.g->nodes[id];
    const struct rci_planned *k = &t->plan.planned[id];
    bool wanted = false, given = false;
    for (uint32_t i = 0; i < n->n_in; i++)
        wanted |= n->in[i] != RC_NONE && t->needs[n->in[i]];
    for (uint32_t o = 0; wanted && o < n->n_out; o++) {
        if (n->out[o] == RC_NONE)
            continue;
        RC_TRY(seed_outputs(t, n->out[o]));
        given |= t->grad[n->out[o]] != RC_NONE;
    }
    if (!wanted || !given)
        return RC_OK;
    if (k->how == RC_HOW_JOIN)
        RC_TRY(rci_grad_mask(t, n->out[0]));
    if (k->how == RC_HOW_JOIN)
        RC_TRY(pass_gradient(t, n, n->n_in));
    else if (k->how == RC_HOW_VIEW)
        RC_TRY(pass_gradient(t, n, 1));
    else if (passes_gradient(t, n))
        RC_TRY(pass_gradient(t, n, 2));
    else
        RC_TRY(back_step(t, n, k));
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o] != RC_NONE)
            rci_grad_done(t, n->out[o]);
    return RC_OK;
}

rc_status rci_tape_plan_backward(struct rci_tape *t)
{
    struct rci_plan *p = &t->plan;
    RC_TRY(rci_tape_place_gradients(t));
    for (uint32_t i = 0; t->o.input_grads && i < p->g->n_inputs; i++)
        RC_TRY(make_fixed(t, p->g->inputs[i]));
    for (uint32_t i = p->n_order; i-- > 0;)
        RC_TRY(back_node(t, p->order[i]));
    return RC_OK;
}
