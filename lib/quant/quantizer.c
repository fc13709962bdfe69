/* Life of a quantizer: fold a copy of the graph, plan, and hold what calibration finds. */
#include "quant/quantizer.h"
#include "pass/pass.h"
#include "quant/moments.h"
#include "quant/reconstruct.h"
#include "quant/trainable.h"

#include <string.h>

#define MAGIC UINT64_C(0x72635f7175616e74)

static rc_status quantizer_fold(struct rc_graph *g)
{
    static const struct rci_pass *const passes[] = {
        &rci_pass_fold_const, &rci_pass_drop_qdq, &rci_pass_drop_identity,
        &rci_pass_move_transposes, /* or they part layers from their activations */
        &rci_pass_fold_affine};
    for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++)
        RC_TRY(rci_pass_run(g, passes[i], NULL));
    return RC_OK;
}

static rc_status choose_target(struct rc_quantizer *q, const char *name)
{
    const struct rci_method *m;
    RC_TRY(rci_method_find(&m, &rci_kind_target, name));
    q->target = (const struct rci_quant_target *) m;
    q->flags |= q->target->flags;
    return RC_OK;
}

static rc_status choose_observer(struct rc_quantizer *q, const char *spec)
{
    const struct rci_method *m;
    RC_TRY(rci_method_find(&m, &rci_kind_observer, spec));
    q->observer = (const struct rci_observer *) m;
    q->observer_spec = rci_strdup(q->ctx, spec);
    if (!q->observer_spec)
        return RC_ERR_MEMORY;
    return rci_method_params(&q->params, q->ctx, m, spec);
}

static rc_status choose_rounding(struct rc_quantizer *q, const char *spec)
{
    const struct rci_method *m;
    RC_TRY(rci_method_find(&m, &rci_kind_rounding, spec));
    q->rounding = (const struct rci_rounding *) m;
    q->rounding_spec = rci_strdup(q->ctx, spec);
    if (!q->rounding_spec)
        return RC_ERR_MEMORY;
    if (q->rounding->round && q->flags & RC_QUANTIZE_QAT)
        return rci_fail(RC_ERR_ARG,
                        "rounding \"%s\" makes integers, the trainable form has none: only "
                        "\"nearest\" goes with RC_QUANTIZE_QAT, which `qat` replaces",
                        m->name);
    return rci_method_params(&q->rounding_params, q->ctx, m, spec);
}

static rc_status choose_norm(struct rc_quantizer *q, const char *name)
{
    static const char *const names[] = {"batch", "frozen", "folded"};
    for (uint32_t i = 0; i < 3; i++)
        if (!strcmp(name ? name : "batch", names[i])) {
            q->norm = (enum rci_quant_norm) i;
            return RC_OK;
        }
    return rci_fail(RC_ERR_ARG, "norm is \"%s\", allowed are batch, frozen and folded", name);
}

static rc_status choose_qat(struct rc_quantizer *q, const char *spec)
{
    const struct rci_method *m;
    if (!spec)
        return RC_OK;
    RC_TRY(rci_method_find(&m, &rci_kind_qat, spec));
    q->qat = (const struct rci_qat *) m;
    q->qat_spec = rci_strdup(q->ctx, spec);
    if (!q->qat_spec)
        return RC_ERR_MEMORY;
    return rci_method_params(&q->qat_params, q->ctx, m, spec);
}

/* Observed values, producers first. */
static rc_status list_entries(struct rc_quantizer *q)
{
    const struct rc_graph *g = q->g;
    rci_id *order;
    uint32_t n_order;
    RC_TRY(rci_graph_order(g, &order, &n_order));
    q->entry = rci_alloc_array(q->ctx, g->n_values, sizeof(rci_id));
    for (uint32_t i = 0; q->entry && i < g->n_inputs; i++)
        if (q->plan.value[g->inputs[i]].observed)
            q->entry[q->n_entries++] = g->inputs[i];
    for (uint32_t i = 0; q->entry && i < n_order; i++) {
        const struct rci_node *n = &g->nodes[order[i]];
        for (uint32_t k = 0; k < n->n_out; k++)
            if (n->out[k] != RC_NONE && q->plan.value[n->out[k]].observed)
                q->entry[q->n_entries++] = n->out[k];
    }
    rci_release(order);
    if (!q->entry)
        return RC_ERR_MEMORY;
    if (!q->n_entries)
        return rci_fail(RC_ERR_MODEL,
                        "the graph has no Conv, Gemm or MatMul with constant weights, or all are "
                        "to be skipped");
    return RC_OK;
}

static rc_status quantizer_init(struct rc_quantizer *q, const struct rc_graph *g,
                                const rc_quantize_options *o)
{
    RC_TRY(choose_target(q, o->target));
    RC_TRY(choose_observer(q, o->observer));
    RC_TRY(choose_rounding(q, o->rounding));
    RC_TRY(choose_qat(q, o->qat));
    RC_TRY(choose_norm(q, o->norm));
    RC_TRY(rci_graph_clone(&q->g, g));
    RC_TRY(quantizer_fold(q->g));
    const uint32_t rules = (q->flags & RC_QUANTIZE_SINGLE_RESIDUAL ? RC_PLAN_SINGLE_RESIDUAL : 0) |
                           (q->flags & RC_QUANTIZE_SIGNED ? RC_PLAN_SIGNED : 0) |
                           (q->flags & RC_QUANTIZE_POWER_OF_TWO ? RC_PLAN_POWER_OF_TWO : 0);
    struct rci_quant_layer *layer;
    RC_TRY(rci_quant_layers_new(&layer, q->g, o));
    RC_TRY(rci_quant_plan_new(&q->plan, q->g, layer, rules));
    RC_TRY(list_entries(q));
    q->bias = rci_alloc_array(q->ctx, q->g->n_nodes, sizeof(*q->bias));
    q->moments = rci_alloc_array(q->ctx, q->g->n_nodes, sizeof(*q->moments));
    q->rounded = rci_alloc_array(q->ctx, q->g->n_nodes, sizeof(*q->rounded));
    q->statistics = rci_alloc_array(q->ctx, q->g->n_nodes, sizeof(*q->statistics));
    return q->bias && q->moments && q->rounded && q->statistics ? RC_OK : RC_ERR_MEMORY;
}

rc_status rci_quantizer_new(struct rc_quantizer **out, const struct rc_graph *g,
                            const rc_quantize_options *o)
{
    *out = NULL;
    struct rc_quantizer *q = RC_NEW(g->ctx, struct rc_quantizer);
    if (!q)
        return RC_ERR_MEMORY;
    q->magic = MAGIC;
    q->ctx = g->ctx;
    q->images = o->images;
    q->batch = o->batch;
    q->flags = o->flags;
    q->weight_bits = o->weight_bits;
    q->activation_bits = o->activation_bits;
    (void) rci_tensorrt_version(&q->tensorrt, o->tensorrt); /* checked with the options */
    const rc_status st = quantizer_init(q, g, o);
    if (st == RC_OK)
        *out = q;
    else
        rci_quantizer_free(q);
    return st;
}

bool rci_quantizer_valid(const struct rc_quantizer *q)
{
    return q && q->magic == MAGIC;
}

void rci_quantizer_forget_biases(struct rc_quantizer *q)
{
    for (uint32_t i = 0; q->bias && i < q->g->n_nodes; i++) {
        rci_release(q->bias[i]);
        q->bias[i] = NULL;
    }
    q->corrected = false;
}

void rci_quant_kept_free(struct rci_quant_kept *kept, uint32_t n)
{
    for (uint32_t i = 0; kept && i < n; i++)
        rci_release(kept[i].scale);
    rci_release(kept);
}

void rci_quantizer_free(struct rc_quantizer *q)
{
    if (!q)
        return;
    rci_quantizer_forget_biases(q);
    rci_release(q->bias);
    rci_quantizer_forget_moments(q);
    rci_release(q->moments);
    rci_quantizer_forget_rounded(q);
    rci_release(q->rounded);
    rci_qat_hook_free(q->hook);
    rci_quantizer_forget_statistics(q);
    rci_release(q->statistics);
    rci_release(q->qat_params);
    rci_release(q->qat_spec);
    rci_release(q->rounding_params);
    rci_release(q->rounding_spec);
    if (q->g)
        rci_quant_kept_free(q->kept, q->g->n_nodes);
    rci_release(q->entry);
    rci_release(q->params);
    rci_release(q->observer_spec);
    rci_quant_plan_free(&q->plan);
    rci_graph_free(q->g);
    q->magic = 0;
    rci_release(q);
}

void rci_quantizer_settle(struct rc_quantizer *q)
{
    rci_quant_plan_types(&q->plan, q->g);
    rci_quant_plan_scales(&q->plan);
    q->ready = true;
}
