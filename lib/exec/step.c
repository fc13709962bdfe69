/* Running steps: a function pointer and prebuilt arguments each. */
#include "base/compute.h"
#include "base/file.h"
#include "base/load.h"
#include "base/pin.h"
#include "exec/plan.h"
#include "kernel/bf16.h"

#include <omp.h>
#include <string.h>

enum { PARALLEL_BYTES = 1 << 17 }; /* below this a second thread costs more than it saves */

static void run_add(const struct rci_cpu *cpu, const struct rci_step *s)
{
    if (s->bf16) {
        rci_bf16_add(cpu, s->at[0], s->at[1], s->bytes / 2, s->at[2]);
        return;
    }
    const float *a = s->at[0], *b = s->at[1];
    float *to = s->at[2];
    const int64_t n = (int64_t) (s->bytes / sizeof(float));
#pragma omp parallel for simd schedule(static) if (s->bytes > PARALLEL_BYTES)
    for (int64_t i = 0; i < n; i++)
        to[i] = a[i] + b[i];
}

static void run_join(const struct rci_cpu *cpu, const struct rci_step *s)
{
    if (s->bf16) {
        rci_bf16_join(cpu, s->at[0], s->at[1], s->bytes / 2, s->at[2]);
        return;
    }
    const float *a = s->at[0], *b = s->at[1];
    float *to = s->at[2];
    const int64_t n = (int64_t) (s->bytes / sizeof(float));
#pragma omp parallel for simd schedule(static) if (s->bytes > PARALLEL_BYTES)
    for (int64_t i = 0; i < n; i++) {
        const float x = b ? a[i] + b[i] : a[i];
        to[i] = x < 0 ? 0 : x; /* NaN stays */
    }
}

static void run_mask(const struct rci_cpu *cpu, const struct rci_step *s)
{
    if (s->bf16) {
        rci_bf16_mask(cpu, (const uint16_t *const[]){s->at[0], s->at[1], s->at[2]}, s->bytes / 2,
                      s->at[3]);
        return;
    }
    const float *a = s->at[0], *b = s->at[1], *y = s->at[2];
    float *to = s->at[3];
    const int64_t n = (int64_t) (s->bytes / sizeof(float));
#pragma omp parallel for simd schedule(static) if (s->bytes > PARALLEL_BYTES)
    for (int64_t i = 0; i < n; i++) {
        const float g = b ? a[i] + b[i] : a[i];
        to[i] = y[i] > 0 ? g : 0;
    }
}

static rc_status run_plain(struct rci_plan *p, struct rci_step *s)
{
    /* a stream of random numbers per node and run */
    s->call.seed = p->seed + UINT64_C(0x9e3779b97f4a7c15) * (uint64_t) (s->node - p->g->nodes + 1);
    s->call.step = p->step_number;
    RC_TRY(s->plain(&s->call));
    return s->node->n_post && !s->backward ? rci_post_plain(&s->call) : RC_OK;
}

static rc_status run_step(struct rci_plan *p, struct rci_step *s)
{
    switch (s->kind) {
    case RC_STEP_FAST:
        return s->fast(&s->io);
    case RC_STEP_PLAIN:
        return run_plain(p, s);
    case RC_STEP_REORDER:
        return rci_reorder_run(s->reorder, s->at[0], s->at[1], p->scratch);
    case RC_STEP_COPY:
        if (s->at[0])
            memcpy(s->at[1], s->at[0], s->bytes);
        else
            memset(s->at[1], 0, s->bytes);
        return RC_OK;
    case RC_STEP_ADD:
        run_add(p->ctx->cpu, s);
        return RC_OK;
    case RC_STEP_JOIN:
        run_join(p->ctx->cpu, s);
        return RC_OK;
    case RC_STEP_MASK:
        run_mask(p->ctx->cpu, s);
        return RC_OK;
    }
    return RC_OK;
}

bool rci_plan_is_teams(const struct rci_plan *p)
{
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (!p->steps[i].team && p->steps[i].kind != RC_STEP_COPY)
            return false;
    return true;
}

/* The first step from `from` on that is not for a team, or `to`. */
static uint32_t team_end(const struct rci_plan *p, uint32_t from, uint32_t to)
{
    while (from < to && p->steps[from].team)
        from++;
    return from;
}

static void run_shared(struct rci_plan *p, uint32_t from, uint32_t to)
{
    rci_flush_enter();
    for (uint32_t i = from; i < to; i++) {
        p->steps[i].fast(&p->steps[i].io);
        if (i + 1 < to)
            rci_team_wait(&p->team);
    }
    rci_load_note();
    rci_flush_leave();
}

/* A team of one would ask the system at every barrier to wake the others: as much as a barrier of
 * two costs. In a parallel region of the caller's, "omp for" would take its threads. */
static void run_team(struct rci_plan *p, uint32_t from, uint32_t to)
{
    if ((p->serial || omp_get_max_threads() == 1) && !omp_in_parallel()) {
        run_shared(p, from, to);
        return;
    }
    const struct rci_pin *pin = rci_pin_here();
    rci_team_follow(&p->team);
#pragma omp parallel
    {
        rci_pin_follow(pin, (uint32_t) omp_get_thread_num());
        run_shared(p, from, to);
    }
}

rc_status rci_plan_run(struct rci_plan *p, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        struct rci_step *s = &p->steps[i];
        const uint64_t start = p->profile ? rci_clock_ns() : 0;
        rc_status st = RC_OK;
        if (s->team) {
            const uint32_t end = p->profile ? i + 1 : team_end(p, i, to);
            run_team(p, i, end);
            i = end - 1;
        } else {
            st = run_step(p, s);
        }
        if (st != RC_OK)
            return rci_fail_prefix(st, "node \"%s\"", s->node ? s->node->name : "reorder");
        if (p->profile) {
            s->ns += rci_clock_ns() - start;
            s->runs++;
        }
    }
    return RC_OK;
}
