/* Threads, their floating-point mode, and forks. */
#include "base/compute.h"
#include "base/load.h"
#include "base/pin.h"

#include <omp.h>
#include <stdatomic.h>
#include <unistd.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

/* --- denormals --- */

static unsigned mode_here(void)
{
#if defined(__SSE__)
    return _mm_getcsr();
#else
    return 0;
#endif
}

static void set_mode(unsigned mode)
{
#if defined(__SSE__)
    _mm_setcsr(mode);
#else
    (void) mode;
#endif
}

static _Thread_local struct {
    unsigned mode, depth; /* that of the caller, and calls since */
} flush;

void rci_flush_enter(void)
{
    enum { FLUSH = 0x8040 }; /* results and operands */
    if (flush.depth++ > 0)
        return;
    flush.mode = mode_here();
    set_mode(flush.mode | FLUSH);
}

void rci_flush_leave(void)
{
    if (--flush.depth == 0)
        set_mode(flush.mode);
}

/* --- forks --- */

static _Atomic long first_pid;

static bool forked(void)
{
    const long seen = atomic_load(&first_pid);
    return seen && seen != (long) getpid();
}

rc_status rci_compute_check_fork(void)
{
    const long me = (long) getpid();
    long seen = 0;
    if (atomic_compare_exchange_strong(&first_pid, &seen, me) || seen == me)
        return RC_OK;
    return rci_fail(RC_ERR_STATE,
                    "process %ld was forked from %ld after the library was used; threads do not "
                    "survive a fork: start a new process (spawn) instead",
                    me, seen);
}

/* --- both --- */

/* Elsewhere a region would hang, or be this thread alone. */
static bool on_all_threads(void)
{
    return omp_get_max_threads() > 1 && !omp_in_parallel() && !forked();
}

struct rci_compute rci_compute_enter_threads(const struct rc_context *c, uint32_t threads)
{
    struct rci_compute saved = {.threads = omp_get_max_threads(), .mode = mode_here()};
    const int wanted = (int) (threads ? threads : rci_context_threads(c));
    if (wanted != saved.threads)
        omp_set_num_threads(wanted);
    if (wanted > 1)
        rci_load_follow((uint32_t) wanted);
    if (c->o.flags & RC_CONTEXT_PIN)
        (void) rci_pin_begin((uint32_t) wanted, &saved.pinned);
    return saved;
}

struct rci_compute rci_compute_enter(const struct rc_context *c, uint32_t threads)
{
    struct rci_compute saved = rci_compute_enter_threads(c, threads);
    saved.flush = on_all_threads() ? RC_FLUSH_ALL : RC_FLUSH_THIS;
    if (saved.flush == RC_FLUSH_THIS)
        rci_flush_enter();
    else {
        const struct rci_pin *pin = rci_pin_here();
#pragma omp parallel
        {
            rci_pin_follow(pin, (uint32_t) omp_get_thread_num());
            rci_flush_enter();
            rci_load_note();
        }
    }
    return saved;
}

void rci_compute_leave(struct rci_compute saved)
{
    if (saved.flush == RC_FLUSH_THIS)
        rci_flush_leave();
    else if (saved.flush == RC_FLUSH_ALL) {
#pragma omp parallel
        if (flush.depth)
            rci_flush_leave();
        else /* made meanwhile, with the mode of the one that made it */
            set_mode(saved.mode);
    }
    if (omp_get_max_threads() != saved.threads)
        omp_set_num_threads(saved.threads);
    if (saved.pinned)
        rci_pin_follow(NULL, 0);
}
