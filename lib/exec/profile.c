/* What the steps of a session are and how long they took. */
#include "exec/plan.h"
#include "exec/session.h"

uint32_t rci_session_n_steps(const struct rc_session *s)
{
    return rci_session_plan(s)->n_steps;
}

static const char *move_name(const struct rci_step *t)
{
    switch (t->kind) {
    case RC_STEP_REORDER:
        return "reorder";
    case RC_STEP_ADD:
        return "add";
    case RC_STEP_MASK:
        return "mask";
    default:
        return "copy";
    }
}

void rci_plan_step(const struct rci_plan *p, uint32_t i, struct rci_step_info *out)
{
    const struct rci_step *t = &p->steps[i];
    const char *move = move_name(t);
    *out = (struct rci_step_info){.name = t->node ? t->node->name : move,
                                  .op = t->node ? t->node->op->name : move,
                                  .layout = t->layout,
                                  .kernel = t->node ? t->impl : move,
                                  .seconds = (double) t->ns * 1e-9,
                                  .runs = t->runs,
                                  .macs = t->macs};
    for (uint32_t k = 0; k + 1 < t->n_ref; k++)
        if (t->ref[k] != RC_NONE)
            out->bytes += p->slots[t->ref[k]].bytes;
}

void rci_session_step(const struct rc_session *s, uint32_t i, struct rci_step_info *out)
{
    rci_plan_step(rci_session_plan(s), i, out);
}

void rci_plan_profile(struct rci_plan *p, bool on)
{
    for (uint32_t i = 0; on && i < p->n_steps; i++)
        p->steps[i].ns = p->steps[i].runs = 0;
    p->profile = on;
}

void rci_session_profile(struct rc_session *s, bool on)
{
    rci_plan_profile(rci_session_plan(s), on);
}

size_t rci_session_arena_bytes(const struct rc_session *s)
{
    return rci_session_plan(s)->arena_bytes;
}

size_t rci_session_weight_bytes(const struct rc_session *s)
{
    return rci_session_plan(s)->own_bytes;
}
