/* Training walks over a graph. The plan works on a clone, whose constants point at the caller's,
 * so that an optimiser's step in place is seen by the next forward. */
#include "exec/tape.h"
#include "base/compute.h"
#include "exec/tape_plan.h"
#include "pass/pass.h"

#include <string.h>
#include <unistd.h>

static const struct rc_pass *const tape_passes[] = {
    &rc_pass_drop_identity_training,
    &rc_pass_shortcut_conv,
    &rc_pass_fuse_post_training,
};

static rc_status run_passes(struct rc_graph *g, bool reference)
{
    const uint32_t n = reference ? 1 : sizeof(tape_passes) / sizeof(*tape_passes);
    for (uint32_t i = 0; i < n; i++)
        RC_TRY(rc_pass_run(g, tape_passes[i], NULL));
    return RC_OK;
}

static rc_status add_taps(struct rc_graph *g, const struct rc_tape_config *o)
{
    const uint32_t n = g->n_outputs + o->n_taps;
    if (o->n_taps == 0)
        return RC_OK;
    rc_id *all = rc_alloc_array(g->ctx, n, sizeof(*all));
    if (!all)
        return RC_ERR_MEMORY;
    memcpy(all, g->outputs, g->n_outputs * sizeof(*all));
    memcpy(all + g->n_outputs, o->taps, o->n_taps * sizeof(*all));
    const rc_status st = rc_graph_set_outputs(g, all, n);
    rc_release(all);
    return st;
}

/* --- the clone's constants are the caller's memory --- */

static void borrow_constants(struct rc_tape *t)
{
    struct rc_graph *g = t->plan.g;
    t->borrows = true;
    for (rc_id v = 0; v < t->n_original; v++)
        if (rc_value_is_const(&g->values[v]) && rc_value_is_const(&t->graph->values[v])) {
            rc_tensor_free(&g->values[v].tensor);
            g->values[v].tensor = t->graph->values[v].tensor;
        }
}

static void return_constants(struct rc_tape *t)
{
    for (rc_id v = 0; t->borrows && v < t->n_original; v++)
        if (t->plan.g->values[v].tensor.data == t->graph->values[v].tensor.data)
            t->plan.g->values[v].tensor.data = NULL;
}

/* --- making --- */

static rc_status expose_outputs(struct rc_tape *t)
{
    struct rc_plan *p = &t->plan;
    for (uint32_t i = 0; i < p->g->n_outputs; i++) {
        t->out[i] = p->shape[p->g->outputs[i]];
        t->out[i].data = p->slots[t->out_slot[i]].data;
    }
    return RC_OK;
}

static rc_status compile(struct rc_tape *t)
{
    struct rc_graph *g;
    const bool reference =
        t->o.reference_ops || (t->graph->ctx->o.flags & RC_CONTEXT_REFERENCE) != 0;
    RC_TRY(rc_graph_clone(&g, t->graph));
    t->plan.g = g;
    t->n_original = g->n_values;
    RC_TRY(add_taps(g, &t->o));
    const bool plain = reference || rc_engine_trust(g->ctx) != RC_OK;
    if (plain && t->o.sync.all_reduce)
        return rc_fail(RC_ERR_UNSUPPORTED, "plain-C operators cannot train on several ranks");
    /* plain gradients know nothing of fused work */
    RC_TRY(run_passes(g, plain));
    borrow_constants(t);
    t->plan.training = true;
    t->plan.frozen_bn = t->o.frozen_bn;
    t->plan.bf16 = t->o.bf16;
    t->plan.sync = t->o.sync.all_reduce ? &t->o.sync : NULL;
    RC_TRY(rc_plan_open(&t->plan, g, t->o.batch, reference));
    RC_TRY(rc_tape_find_needs(t));
    RC_TRY(rc_plan_forward(&t->plan));
    t->out_slot = rc_alloc_array(g->ctx, g->n_outputs + 1u, sizeof(*t->out_slot));
    t->out = rc_alloc_array(g->ctx, g->n_outputs + 1u, sizeof(*t->out));
    if (!t->out_slot || !t->out)
        return RC_ERR_MEMORY;
    RC_TRY(rc_plan_outputs(&t->plan, RC_AT_OWN, t->out_slot));
    t->n_forward = t->plan.n_steps;
    if (!t->o.no_grad)
        RC_TRY(rc_tape_plan_backward(t));
    if (!t->o.no_grad && t->o.memory)
        RC_TRY(rc_tape_limit_memory(t));
    RC_TRY(rc_plan_finish(&t->plan));
    if (!t->o.no_grad)
        RC_TRY(rc_tape_plan_buckets(t));
    return expose_outputs(t);
}

rc_status rc_tape_create(struct rc_tape **out, struct rc_graph *g, const struct rc_tape_config *o)
{
    *out = NULL;
    struct rc_tape *t = RC_NEW(g->ctx, struct rc_tape);
    if (!t)
        return RC_ERR_MEMORY;
    t->graph = g;
    t->o = *o;
    t->pid = getpid();
    const struct rc_compute saved = rc_compute_enter(g->ctx, o->threads);
    const rc_status st = compile(t);
    rc_compute_leave(saved);
    t->o.taps = NULL; /* the caller's, for this call only */
    if (st != RC_OK) {
        rc_tape_destroy(t);
        return st;
    }
    *out = t;
    return RC_OK;
}

void rc_tape_destroy(struct rc_tape *t)
{
    if (!t)
        return;
    rc_tape_bn_free(t);
    return_constants(t);
    rc_plan_close(&t->plan);
    rc_release(t->needs);
    rc_release(t->grad);
    rc_release(t->second);
    rc_release(t->fixed);
    rc_release(t->gradients);
    rc_release(t->buckets);
    rc_release(t->params);
    rc_release(t->out_slot);
    rc_release(t->out);
    rc_release(t);
}

/* --- running --- */

rc_status rc_tape_run(struct rc_tape *t, uint32_t from, uint32_t to)
{
    if (getpid() != t->pid)
        return rc_fail(RC_ERR_STATE, "tape was made before fork(); make it in the new process");
    const struct rc_compute saved = rc_compute_enter(t->plan.ctx, t->o.threads);
    const rc_status st = rc_plan_run(&t->plan, from, to);
    rc_compute_leave(saved);
    return st;
}

rc_status rc_tape_forward(struct rc_tape *t, const void *const *in, uint64_t seed, uint64_t step)
{
    t->forwarded = false;
    t->plan.seed = seed;
    t->plan.step_number = step;
    for (uint32_t i = 0; i < t->plan.g->n_inputs; i++)
        rc_plan_patch(&t->plan, RC_CALLER_INPUT, i, in[i]);
    rc_tape_bn_before(t);
    RC_TRY(rc_tape_run(t, 0, t->n_forward));
    rc_tape_bn_after(t);
    t->forwarded = true;
    return RC_OK;
}

rc_status rc_tape_backward(struct rc_tape *t, const float *const *d_out)
{
    if (t->o.no_grad)
        return rc_fail(RC_ERR_STATE, "the tape was made without gradients");
    if (!t->forwarded)
        return rc_fail(RC_ERR_STATE, "backward needs a forward before it");
    t->forwarded = false;
    for (uint32_t i = 0; i < t->plan.g->n_outputs; i++)
        rc_plan_patch(&t->plan, RC_CALLER_D_OUT, i, d_out[i]);
    return rc_tape_run_backward(t);
}

/* --- questions --- */

uint32_t rc_tape_n_params(const struct rc_tape *t)
{
    return t->n_params;
}

rc_id rc_tape_param(const struct rc_tape *t, uint32_t i)
{
    return t->params[i];
}

float *rc_tape_param_data(struct rc_tape *t, uint32_t i)
{
    return t->graph->values[t->params[i]].tensor.data;
}

float *rc_tape_param_grad(const struct rc_tape *t, uint32_t i)
{
    const uint32_t slot = t->fixed[t->params[i]];
    return slot == RC_NONE ? NULL : t->plan.slots[slot].data;
}

int64_t rc_tape_param_count(const struct rc_tape *t, uint32_t i)
{
    return rc_shape_count(&t->graph->values[t->params[i]].tensor.shape);
}

bool rc_tape_param_decays(const struct rc_tape *t, uint32_t i)
{
    return t->graph->values[t->params[i]].tensor.shape.rank > 1;
}

uint32_t rc_tape_n_outputs(const struct rc_tape *t)
{
    return t->plan.g->n_outputs;
}

const struct rc_tensor *rc_tape_output(const struct rc_tape *t, uint32_t i)
{
    return &t->out[i];
}

const float *rc_tape_input_grad(const struct rc_tape *t, uint32_t i)
{
    const uint32_t slot = t->fixed[t->plan.g->inputs[i]];
    return slot == RC_NONE ? NULL : t->plan.slots[slot].data;
}

size_t rc_tape_activation_bytes(const struct rc_tape *t)
{
    return t->plan.arena_bytes;
}

struct rc_plan *rc_tape_plan(struct rc_tape *t)
{
    return &t->plan;
}
