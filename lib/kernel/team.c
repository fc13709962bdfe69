/* A barrier that spins. */
#include "kernel/team.h"
#include "kernel/cpu.h"

#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <strings.h>

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

void rci_team_init(struct rci_team *t, uint32_t threads, const struct rci_cpu *cpu)
{
    const char *policy = getenv("OMP_WAIT_POLICY");
    t->spins = threads <= cpu->cores && !(policy && !strcasecmp(policy, "passive"));
    atomic_init(&t->arrived, 0);
    atomic_init(&t->turn, 0);
}

/* A thread that does not come for long was put aside by the system, maybe for this one. */
static void spin_while(const atomic_uint *turn, unsigned now)
{
    enum { LONG = 4000 }; /* some 50 us */
    for (int i = 0; atomic_load_explicit(turn, memory_order_acquire) == now; i++)
        if (i < LONG)
            relax();
        else
            sched_yield();
}

void rci_team_wait(struct rci_team *t)
{
    const unsigned threads = (unsigned) omp_get_num_threads();
    if (threads == 1)
        return;
    if (!t->spins) {
#pragma omp barrier
        return;
    }
    const unsigned now = atomic_load_explicit(&t->turn, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&t->arrived, 1, memory_order_acq_rel) + 1 < threads) {
        spin_while(&t->turn, now);
        return;
    }
    atomic_store_explicit(&t->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&t->turn, now + 1, memory_order_release);
}
