/* The forward walk: every live node in topological order becomes steps over slots. */
#include "exec/plan.h"
#include "base/compute.h"

#include <omp.h>
#include <string.h>

rc_status rci_plan_open(struct rci_plan *p, struct rc_graph *g, int64_t batch, bool reference)
{
    p->ctx = g->ctx;
    p->g = g;
    p->n_values = g->n_values;
    p->n_nodes = g->n_nodes;
    p->threads = (uint32_t) omp_get_max_threads(); /* as entering compute has set it */
    rci_team_init(&p->team, p->threads, p->ctx->cpu);
    RC_TRY(rci_compute_check_fork()); /* the next parallel loop would hang */
    if (p->bf16)
        RC_TRY(rci_cpu_check_bf16(p->ctx->cpu));
    const rc_status fit = reference ? RC_OK : rci_engine_trust(g->ctx);
    if (fit == RC_ERR_MEMORY)
        return fit;
    if (fit != RC_OK) {
        rci_log(g->ctx, RC_LOG_WARNING, "%s; running on plain C instead", rci_error_text());
        reference = true;
    }
    if (p->bf16 && reference)
        return rci_fail(RC_ERR_UNSUPPORTED, "bf16 needs oneDNN, this runs on plain C");
    if (!reference)
        RC_TRY(rci_engine_new(&p->engine, g->ctx));
    p->shape = rci_alloc_array(p->ctx, p->n_values + 1u, sizeof(*p->shape));
    p->primary = rci_alloc_array(p->ctx, p->n_values + 1u, sizeof(*p->primary));
    p->planned = rci_alloc_array(p->ctx, p->n_nodes + 1u, sizeof(*p->planned));
    if (!p->shape || !p->primary || !p->planned)
        return RC_ERR_MEMORY;
    memset(p->primary, 0xff, p->n_values * sizeof(*p->primary));
    RC_TRY(rci_graph_order(g, &p->order, &p->n_order));
    RC_TRY(rci_graph_infer_at(g, batch, p->shape));
    for (uint32_t v = 0; v < p->n_values; v++)
        p->shape[v].data = NULL;
    return RC_OK;
}

static void close_steps(struct rci_plan *p)
{
    for (uint32_t i = 0; i < p->n_steps; i++) {
        struct rci_step *s = &p->steps[i];
        rci_release(s->ref);
        rci_release(s->at);
        rci_release(s->tensor);
        if (s->reorder && !s->again)
            rci_reorder_free(s->reorder);
    }
    rci_release(p->steps);
}

void rci_plan_close(struct rci_plan *p)
{
    close_steps(p);
    for (uint32_t i = 0; i < p->n_nodes && p->planned; i++) {
        struct rci_prep *q = p->planned[i].prep;
        if (q && q->free)
            q->free(q->state);
        rci_release(q);
    }
    for (uint32_t i = 0; i < p->n_slots; i++)
        if (p->slots[i].place == RC_AT_OWN)
            rci_release(p->slots[i].data);
    if (p->ctx)
        rci_packed_trim(p->ctx);
    rci_release(p->planned);
    rci_release(p->slots);
    rci_release(p->patches);
    rci_release(p->order);
    rci_release(p->primary);
    rci_release(p->shape);
    rci_release(p->arena);
    rci_release(p->scratch);
    if (p->engine)
        rci_engine_free(p->engine);
    rci_graph_free(p->g);
    *p = (struct rci_plan){0};
}

static rc_status plan_inputs(struct rci_plan *p)
{
    for (uint32_t i = 0; i < p->g->n_inputs; i++) {
        const rci_id v = p->g->inputs[i];
        uint32_t slot;
        RC_TRY(rci_slot_add(p, &slot, v, NULL));
        p->slots[slot].place = RC_AT_CALLER;
        p->slots[slot].caller = RC_CALLER_INPUT;
        p->slots[slot].io = i;
        p->slots[slot].pending = rci_graph_count_readers(p->g, v);
        p->primary[v] = slot;
    }
    return RC_OK;
}

static bool step_has_work(const struct rci_step *s)
{
    return s->kind == RC_STEP_FAST || s->kind == RC_STEP_PLAIN;
}

/* For profiles: multiply-adds and the layout written. */
static void describe_step(struct rci_plan *p, struct rci_step *s, rci_id id)
{
    const struct rci_node *n = &p->g->nodes[id];
    s->macs = rci_node_work(p->g, n, p->shape).macs;
}

rc_status rci_plan_forward(struct rci_plan *p)
{
    RC_TRY(plan_inputs(p));
    for (uint32_t i = 0; i < p->n_order; i++) {
        RC_TRY(rci_plan_node(p, p->order[i]));
        struct rci_step *s = p->n_steps ? &p->steps[p->n_steps - 1] : NULL;
        if (s && step_has_work(s) && s->node == &p->g->nodes[p->order[i]])
            describe_step(p, s, p->order[i]);
    }
    return RC_OK;
}

/* The output can be written in its final place: plain, in the arena, all of that memory, and not
 * promised to another output. */
static bool output_direct(const struct rci_plan *p, uint32_t slot)
{
    const struct rci_slot *root = &p->slots[rci_slot_root(p, slot)];
    return root->place == RC_AT_ARENA && root->bytes == p->slots[slot].bytes;
}

static rc_status plan_output(struct rci_plan *p, uint32_t i, enum rci_place place, uint32_t *slot)
{
    const rci_id v = p->g->outputs[i];
    uint32_t from, to;
    RC_TRY(rci_slot_of(p, &from, v));
    const bool blocked = p->slots[from].md != NULL;
    if (!blocked && output_direct(p, from)) {
        to = rci_slot_root(p, from);
    } else {
        RC_TRY(rci_slot_add(p, &to, v, NULL));
        RC_TRY(blocked ? rci_move_reorder(p, from, to, v) : rci_move_copy(p, from, to));
    }
    if (place == RC_AT_OWN)
        RC_TRY(rci_slot_own(p, to));
    p->slots[to].place = place;
    p->slots[to].caller = RC_CALLER_OUTPUT;
    p->slots[to].io = i;
    *slot = to;
    return RC_OK;
}

rc_status rci_plan_outputs(struct rci_plan *p, enum rci_place place, uint32_t *slots)
{
    for (uint32_t i = 0; i < p->g->n_outputs; i++)
        RC_TRY(plan_output(p, i, place, &slots[i]));
    return RC_OK;
}
