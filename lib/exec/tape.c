/* Training walks over a graph. The plan works on a clone, whose constants point at the caller's,
 * so that an optimiser's step in place is seen by the next forward. */
#include "exec/tape.h"
#include "base/compute.h"
#include "exec/tape_plan.h"
#include "pass/pass.h"

#include <string.h>
#include <unistd.h>

static const struct rci_pass *const tape_passes[] = {
    &rci_pass_drop_identity_training,
    &rci_pass_shortcut_conv,
    &rci_pass_fuse_post_training,
};

static rc_status tape_run_passes(struct rc_graph *g, bool reference)
{
    const uint32_t n = reference ? 1 : sizeof(tape_passes) / sizeof(*tape_passes);
    for (uint32_t i = 0; i < n; i++)
        RC_TRY(rci_pass_run(g, tape_passes[i], NULL));
    return RC_OK;
}

static rc_status tape_add_taps(struct rc_graph *g, const struct rci_tape_config *o)
{
    const uint32_t n = g->n_outputs + o->n_taps;
    if (o->n_taps == 0)
        return RC_OK;
    rci_id *all = rci_alloc_array(g->ctx, n, sizeof(*all));
    if (!all)
        return RC_ERR_MEMORY;
    memcpy(all, g->outputs, g->n_outputs * sizeof(*all));
    memcpy(all + g->n_outputs, o->taps, o->n_taps * sizeof(*all));
    const rc_status st = rci_graph_set_outputs(g, all, n);
    rci_release(all);
    return st;
}

/* --- the clone's constants are the caller's memory --- */

static void borrow_constants(struct rci_tape *t)
{
    struct rc_graph *g = t->plan.g;
    t->borrows = true;
    for (rci_id v = 0; v < t->n_original; v++)
        if (rci_value_is_const(&g->values[v]) && rci_value_is_const(&t->graph->values[v])) {
            rci_tensor_free(&g->values[v].tensor);
            g->values[v].tensor = t->graph->values[v].tensor;
        }
}

static void return_constants(struct rci_tape *t)
{
    for (rci_id v = 0; t->borrows && v < t->n_original; v++)
        if (t->plan.g->values[v].tensor.data == t->graph->values[v].tensor.data)
            t->plan.g->values[v].tensor.data = NULL;
}

/* --- making --- */

static rc_status expose_outputs(struct rci_tape *t)
{
    struct rci_plan *p = &t->plan;
    for (uint32_t i = 0; i < p->g->n_outputs; i++) {
        t->out[i] = p->shape[p->g->outputs[i]];
        t->out[i].data = p->slots[t->out_slot[i]].data;
    }
    return RC_OK;
}

static rc_status tape_compile(struct rci_tape *t)
{
    struct rc_graph *g;
    const bool reference =
        t->o.reference_ops || (t->graph->ctx->o.flags & RC_CONTEXT_REFERENCE) != 0;
    RC_TRY(rci_graph_clone(&g, t->graph));
    t->plan.g = g;
    t->n_original = g->n_values;
    RC_TRY(tape_add_taps(g, &t->o));
    const bool plain = reference || rci_engine_trust(g->ctx) != RC_OK;
    if (plain && t->o.sync.all_reduce)
        return rci_fail(RC_ERR_UNSUPPORTED, "plain-C operators cannot train on several ranks");
    /* plain gradients know nothing of fused work */
    RC_TRY(tape_run_passes(g, plain));
    borrow_constants(t);
    t->plan.training = true;
    t->plan.frozen_bn = t->o.frozen_bn;
    t->plan.bf16 = t->o.bf16;
    t->plan.sync = t->o.sync.all_reduce ? &t->o.sync : NULL;
    RC_TRY(rci_plan_open(&t->plan, g, t->o.batch, reference));
    RC_TRY(rci_tape_find_needs(t));
    RC_TRY(rci_plan_forward(&t->plan));
    t->out_slot = rci_alloc_array(g->ctx, g->n_outputs + 1u, sizeof(*t->out_slot));
    t->out = rci_alloc_array(g->ctx, g->n_outputs + 1u, sizeof(*t->out));
    if (!t->out_slot || !t->out)
        return RC_ERR_MEMORY;
    RC_TRY(rci_plan_outputs(&t->plan, RC_AT_OWN, t->out_slot));
    t->n_forward = t->plan.n_steps;
    if (!t->o.no_grad)
        RC_TRY(rci_tape_plan_backward(t));
    if (!t->o.no_grad && t->o.memory)
        RC_TRY(rci_tape_limit_memory(t));
    RC_TRY(rci_plan_finish(&t->plan));
    if (!t->o.no_grad)
        RC_TRY(rci_tape_plan_buckets(t));
    return expose_outputs(t);
}

rc_status rci_tape_new(struct rci_tape **out, struct rc_graph *g, const struct rci_tape_config *o)
{
    *out = NULL;
    struct rci_tape *t = RC_NEW(g->ctx, struct rci_tape);
    if (!t)
        return RC_ERR_MEMORY;
    t->graph = g;
    t->o = *o;
    t->pid = getpid();
    const struct rci_compute saved = rci_compute_enter(g->ctx, o->threads);
    const rc_status st = tape_compile(t);
    rci_compute_leave(saved);
    t->o.taps = NULL; /* the caller's, for this call only */
    if (st != RC_OK) {
        rci_tape_free(t);
        return st;
    }
    *out = t;
    return RC_OK;
}

void rci_tape_free(struct rci_tape *t)
{
    if (!t)
        return;
    rci_tape_bn_free(t);
    return_constants(t);
    rci_plan_close(&t->plan);
    rci_release(t->needs);
    rci_release(t->grad);
    rci_release(t->second);
    rci_release(t->fixed);
    rci_release(t->gradients);
    rci_release(t->buckets);
    rci_release(t->params);
    rci_release(t->out_slot);
    rci_release(t->out);
    rci_release(t);
}

/* --- running --- */

rc_status rci_tape_run(struct rci_tape *t, uint32_t from, uint32_t to)
{
    if (getpid() != t->pid)
        return rci_fail(RC_ERR_STATE, "tape was made before fork(); make it in the new process");
    const struct rci_compute saved = rci_compute_enter(t->plan.ctx, t->o.threads);
    const rc_status st = rci_plan_run(&t->plan, from, to);
    rci_compute_leave(saved);
    return st;
}

rc_status rci_tape_forward(struct rci_tape *t, const void *const *in, uint64_t seed, uint64_t step)
{
    t->forwarded = false;
    t->plan.seed = seed;
    t->plan.step_number = step;
    for (uint32_t i = 0; i < t->plan.g->n_inputs; i++)
        rci_plan_patch(&t->plan, RC_CALLER_INPUT, i, in[i]);
    rci_tape_bn_before(t);
    RC_TRY(rci_tape_run(t, 0, t->n_forward));
    rci_tape_bn_after(t);
    t->forwarded = true;
    return RC_OK;
}

rc_status rci_tape_backward(struct rci_tape *t, const float *const *d_out)
{
    if (t->o.no_grad)
        return rci_fail(RC_ERR_STATE, "the tape was made without gradients");
    if (!t->forwarded)
        return rci_fail(RC_ERR_STATE, "backward needs a forward before it");
    t->forwarded = false;
    for (uint32_t i = 0; i < t->plan.g->n_outputs; i++)
        rci_plan_patch(&t->plan, RC_CALLER_D_OUT, i, d_out[i]);
    return rci_tape_run_backward(t);
}

/* --- questions --- */

uint32_t rci_tape_n_params(const struct rci_tape *t)
{
    return t->n_params;
}

rci_id rci_tape_param(const struct rci_tape *t, uint32_t i)
{
    return t->params[i];
}

float *rci_tape_param_data(struct rci_tape *t, uint32_t i)
{
    return t->graph->values[t->params[i]].tensor.data;
}

float *rci_tape_param_grad(const struct rci_tape *t, uint32_t i)
{
    const uint32_t slot = t->fixed[t->params[i]];
    return slot == RC_NONE ? NULL : t->plan.slots[slot].data;
}

int64_t rci_tape_param_count(const struct rci_tape *t, uint32_t i)
{
    return rci_shape_count(&t->graph->values[t->params[i]].tensor.shape);
}

bool rci_tape_param_decays(const struct rci_tape *t, uint32_t i)
{
    return t->graph->values[t->params[i]].tensor.shape.rank > 1;
}

uint32_t rci_tape_n_outputs(const struct rci_tape *t)
{
    return t->plan.g->n_outputs;
}

const struct rci_tensor *rci_tape_output(const struct rci_tape *t, uint32_t i)
{
    return &t->out[i];
}

const float *rci_tape_input_grad(const struct rci_tape *t, uint32_t i)
{
    const uint32_t slot = t->fixed[t->plan.g->inputs[i]];
    return slot == RC_NONE ? NULL : t->plan.slots[slot].data;
}

size_t rci_tape_activation_bytes(const struct rci_tape *t)
{
    return t->plan.arena_bytes;
}

struct rci_plan *rci_tape_plan(struct rci_tape *t)
{
    return &t->plan;
}
