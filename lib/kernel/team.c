/* A barrier that spins and then sleeps. */
#include "kernel/team.h"
#include "base/load.h"
#include "kernel/cpu_threads.h"

#include <limits.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <strings.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Looks at the turn, of some 12 ns each: as long as layers of small networks differ; as long as
 * waking a sleeper takes; and what follows that, of 1 us or more each. */
enum { SHORT = 2000, LONG = 4000, YIELDS = 1000 };

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Returns at once where *at is not `value`, and may return for no reason. */
static void sleep_while(atomic_uint *at, unsigned value)
{
#if defined(__linux__)
    syscall(SYS_futex, at, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
#else
    (void) at;
    (void) value;
    sched_yield();
#endif
}

static void wake_all(atomic_uint *at)
{
#if defined(__linux__)
    syscall(SYS_futex, at, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#else
    (void) at;
#endif
}

void rci_team_init(struct rci_team *t, uint32_t threads, const struct rci_cpu *cpu)
{
    const char *policy = getenv("OMP_WAIT_POLICY");
    const bool passive = policy && !strcasecmp(policy, "passive");
    t->spins = rci_cpu_runs(cpu, threads) && !passive;
    t->hurries = !t->spins;
    t->looks = passive ? 0 : SHORT;
    atomic_init(&t->arrived, 0);
    atomic_init(&t->turn, 0);
    atomic_init(&t->sleepers, 0);
}

void rci_team_follow(struct rci_team *t)
{
    t->hurries = !t->spins || rci_load_is_busy();
}

static bool comes_soon(const struct rci_team *t, unsigned now)
{
    const uint32_t looks = t->hurries ? t->looks : LONG;
    for (uint32_t i = 0; i < looks; i++) {
        if (atomic_load_explicit(&t->turn, memory_order_acquire) != now)
            return true;
        relax();
    }
    /* put aside by the system, maybe for this one */
    for (int i = 0; !t->hurries && i < YIELDS; i++) {
        if (atomic_load_explicit(&t->turn, memory_order_acquire) != now)
            return true;
        sched_yield();
    }
    return false;
}

void rci_team_wait(struct rci_team *t)
{
    const unsigned threads = (unsigned) omp_get_num_threads();
    if (threads == 1)
        return;
    const unsigned now = atomic_load_explicit(&t->turn, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&t->arrived, 1, memory_order_acq_rel) + 1 < threads) {
        if (comes_soon(t, now))
            return;
        atomic_fetch_add(&t->sleepers, 1); /* before the turn is looked at again */
        while (atomic_load(&t->turn) == now)
            sleep_while(&t->turn, now);
        atomic_fetch_sub(&t->sleepers, 1);
        return;
    }
    atomic_store_explicit(&t->arrived, 0, memory_order_relaxed);
    atomic_store(&t->turn, now + 1); /* before sleepers are looked for */
    if (atomic_load(&t->sleepers))
        wake_all(&t->turn);
}
