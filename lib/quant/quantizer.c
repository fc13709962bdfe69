/* Life of a quantizer: fold a copy of the graph, plan, and hold what calibration finds. */
#include "quant/quantizer.h"
#include "pass/pass.h"

#include <string.h>

#define MAGIC UINT64_C(0x72635f7175616e74)

static rc_status fold(struct rc_graph *g)
{
    static const struct rc_pass *const passes[] = {&rc_pass_fold_const, &rc_pass_drop_identity,
                                                   &rc_pass_fold_affine};
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && (!strcmp(g->nodes[i].op->name, "QuantizeLinear") ||
                               !strcmp(g->nodes[i].op->name, "DequantizeLinear")))
            return rc_fail(RC_ERR_MODEL, "node \"%s\": the graph is quantized already",
                           g->nodes[i].name);
    for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++)
        RC_TRY(rc_pass_run(g, passes[i], NULL));
    return RC_OK;
}

static rc_status choose_observer(struct rc_quantizer *q, const char *spec)
{
    const struct rc_method *m;
    RC_TRY(rc_method_find(&m, &rc_kind_observer, spec));
    q->observer = (const struct rc_observer *) m;
    q->observer_spec = rc_strdup(q->ctx, spec);
    if (!q->observer_spec)
        return RC_ERR_MEMORY;
    return rc_method_params(&q->params, q->ctx, m, spec);
}

/* Observed values, producers first. */
static rc_status list_entries(struct rc_quantizer *q)
{
    const struct rc_graph *g = q->g;
    rc_id *order;
    uint32_t n_order;
    RC_TRY(rc_graph_order(g, &order, &n_order));
    q->entry = rc_alloc_array(q->ctx, g->n_values, sizeof(rc_id));
    for (uint32_t i = 0; q->entry && i < g->n_inputs; i++)
        if (q->plan.value[g->inputs[i]].observed)
            q->entry[q->n_entries++] = g->inputs[i];
    for (uint32_t i = 0; q->entry && i < n_order; i++) {
        const struct rc_node *n = &g->nodes[order[i]];
        for (uint32_t k = 0; k < n->n_out; k++)
            if (n->out[k] != RC_NONE && q->plan.value[n->out[k]].observed)
                q->entry[q->n_entries++] = n->out[k];
    }
    rc_release(order);
    if (!q->entry)
        return RC_ERR_MEMORY;
    if (!q->n_entries)
        return rc_fail(RC_ERR_MODEL, "the graph has no Conv, Gemm or MatMul with constant weights");
    return RC_OK;
}

static rc_status quantizer_init(struct rc_quantizer *q, const struct rc_graph *g,
                                const rc_quantizer_options *o)
{
    RC_TRY(choose_observer(q, o->observer));
    RC_TRY(rc_graph_clone(&q->g, g));
    RC_TRY(fold(q->g));
    const uint32_t single = o->flags & RC_QUANTIZE_SINGLE_RESIDUAL ? RC_PLAN_SINGLE_RESIDUAL : 0;
    RC_TRY(rc_quant_plan_create(&q->plan, q->g, single));
    RC_TRY(list_entries(q));
    q->bias = rc_alloc_array(q->ctx, q->g->n_nodes, sizeof(*q->bias));
    return q->bias ? RC_OK : RC_ERR_MEMORY;
}

rc_status rc_quantizer_create(struct rc_quantizer **out, const struct rc_graph *g,
                              const rc_quantizer_options *o)
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
    const rc_status st = quantizer_init(q, g, o);
    if (st == RC_OK)
        *out = q;
    else
        rc_quantizer_destroy(q);
    return st;
}

bool rc_quantizer_valid(const struct rc_quantizer *q)
{
    return q && q->magic == MAGIC;
}

void rc_quantizer_forget_biases(struct rc_quantizer *q)
{
    for (uint32_t i = 0; q->bias && i < q->g->n_nodes; i++) {
        rc_release(q->bias[i]);
        q->bias[i] = NULL;
    }
    q->corrected = false;
}

void rc_quantizer_destroy(struct rc_quantizer *q)
{
    if (!q)
        return;
    rc_quantizer_forget_biases(q);
    rc_release(q->bias);
    rc_release(q->entry);
    rc_release(q->params);
    rc_release(q->observer_spec);
    rc_quant_plan_free(&q->plan);
    rc_graph_destroy(q->g);
    q->magic = 0;
    rc_release(q);
}

void rc_quantizer_settle(struct rc_quantizer *q)
{
    rc_quant_plan_types(&q->plan, q->g);
    rc_quant_plan_scales(&q->plan);
    q->ready = true;
}
