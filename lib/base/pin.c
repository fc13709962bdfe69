/* Pinning, by sched_setaffinity(2). */
#include "base/pin.h"
#include "base/processors.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

/* --- the order of processors --- */

static struct {
    pthread_once_t once;
    uint32_t n, list[RC_PROCESSORS];
} order = {.once = PTHREAD_ONCE_INIT};

/* Those that begin a core, in their order, before the others in theirs. */
static void find_order(void)
{
    static uint32_t all[RC_PROCESSORS];
    const uint32_t n = rci_processors_allowed(all);
    for (int first = 1; first >= 0; first--)
        for (uint32_t i = 0; i < n; i++)
            if (rci_processors_begins_core("", all, i) == first)
                order.list[order.n++] = all[i];
}

uint32_t rci_pin_processor(uint32_t i)
{
    pthread_once(&order.once, find_order);
    return order.n ? order.list[i % order.n] : 0;
}

/* --- threads --- */

struct rci_pin {
    bool has_base, pinned;
    uint32_t base, at;
    cpu_set_t before; /* of 1024 processors */
};
static _Thread_local struct rci_pin mine;

static void pin_to(uint32_t at)
{
    cpu_set_t one;
    if (at >= CPU_SETSIZE || !CPU_ISSET(at, &mine.before) || (mine.pinned && mine.at == at))
        return;
    CPU_ZERO(&one);
    CPU_SET(at, &one);
    mine.pinned = !sched_setaffinity(0, sizeof(one), &one) || mine.pinned;
    mine.at = at;
}

const struct rci_pin *rci_pin_begin(uint32_t threads, bool *pinned)
{
    static _Atomic uint32_t next;
    *pinned = false;
    if (mine.pinned)
        return &mine;
    if (sched_getaffinity(0, sizeof(mine.before), &mine.before))
        return NULL;
    if (!mine.has_base)
        mine.base = atomic_fetch_add(&next, threads);
    mine.has_base = true;
    pin_to(rci_pin_processor(mine.base));
    *pinned = mine.pinned;
    return &mine;
}

/* A thread that was made by a pinned one may run there only, so where it could before is what its
 * caller could. */
void rci_pin_follow(const struct rci_pin *caller, uint32_t i)
{
    if (caller == &mine)
        return;
    if (caller) {
        mine.before = caller->before;
        pin_to(rci_pin_processor(caller->base + i));
    } else if (mine.pinned) {
        mine.pinned = false;
        (void) sched_setaffinity(0, sizeof(mine.before), &mine.before);
    }
}

void rci_pin_leave(const struct rci_pin *maker)
{
    if (maker)
        (void) sched_setaffinity(0, sizeof(maker->before), &maker->before);
}

const struct rci_pin *rci_pin_here(void)
{
    return mine.pinned ? &mine : NULL;
}
