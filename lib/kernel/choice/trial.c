#include "kernel/choice/trial.h"
#include "base/file.h"

#include <stdatomic.h>

void rci_trial_read(const void *memory, size_t bytes)
{
    static _Atomic uint64_t kept; /* or compilers would leave out the reads */
    const uint8_t *p = memory;
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i += 64) /* once a cache line */
        sum += p[i];
    atomic_fetch_add_explicit(&kept, sum, memory_order_relaxed);
}

/* Nanoseconds that a parallel region takes to begin and end, which run() of a kernel for teams
 * includes and a network seldom pays. */
static uint64_t trial_region(void)
{
    enum { TURNS = 8 };
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < TURNS; i++) {
        static _Atomic uint64_t turns; /* keeps the region */
        const uint64_t begin = rci_clock_ns();
#pragma omp parallel
        turns++;
        const uint64_t ns = rci_clock_ns() - begin;
        best = ns < best ? ns : best;
    }
    return best;
}

/* Weights are read from a ring of copies that is larger than L2. Those that an implementation holds
 * itself are driven out by reading the ring. */
struct memory {
    char *src, *dst, *bias, *scratch, *ring;
    size_t ring_bytes, at;
    uint64_t region;
};

/* Between two runs of a network weights get no farther than L3 where they are not large. */
enum { FAR_WEIGHTS = 1 << 20 };

static rc_status trial_memory(struct memory *m, const struct rci_trial *t, struct rci_engine *e)
{
    struct rci_trial_entry most = {0};
    for (uint32_t k = 0; k < RC_TRIAL_MOST; k++) {
        most.weights = rci_larger(most.weights, t->entry[k].weights);
        most.bias = rci_larger(most.bias, t->entry[k].bias);
        most.scratch = rci_larger(most.scratch, t->entry[k].scratch);
    }
    const size_t src = rci_align_line(t->src), dst = rci_align_line(t->dst);
    const size_t bias = rci_align_line(most.bias), scratch = rci_align_line(most.scratch);
    *m = (struct memory){.ring_bytes = t->cache + rci_align_line(most.weights)};
    char *at = rci_engine_trial(e, src + dst + bias + scratch + m->ring_bytes);
    if (!at)
        return RC_ERR_MEMORY;
    m->src = at;
    m->dst = m->src + src;
    m->bias = m->dst + dst;
    m->scratch = m->bias + bias;
    m->ring = m->scratch + scratch;
    if (most.weights <= FAR_WEIGHTS)
        rci_trial_read(m->ring, m->ring_bytes);
    m->region = trial_region();
    return RC_OK;
}

static void trial_evict(const struct memory *m)
{
#pragma omp parallel
    rci_trial_read(m->ring, m->ring_bytes);
    rci_trial_read(m->src, (size_t) (m->bias - m->src));
}

static rc_status trial_time(const struct rci_trial *t, struct memory *m, uint32_t k, uint64_t *ns)
{
    const struct rci_trial_entry *e = &t->entry[k];
    if (m->at + e->weights > m->ring_bytes)
        m->at = 0;
    const struct rci_conv_args a = {m->src, m->ring + m->at,
                                    e->bias ? (const float *) (void *) m->bias : NULL, m->dst,
                                    m->scratch};
    m->at += rci_align_line(e->weights);
    if (!e->weights)
        trial_evict(m);
    const uint64_t begin = rci_clock_ns();
    RC_TRY(t->run(t->user, k, &a));
    *ns = rci_clock_ns() - begin;
    if (e->team)
        *ns -= m->region < *ns ? m->region : *ns;
    return RC_OK;
}

/* One turn of each, added to the best times. *clear: the one that was ahead of all others by a
 * fifth, or RC_TRIAL_MOST. */
static rc_status trial_turn(struct rci_trial *t, struct memory *m, uint32_t *clear)
{
    uint64_t first = UINT64_MAX, second = UINT64_MAX;
    uint32_t ahead = RC_TRIAL_MOST;
    for (uint32_t k = 0; k < RC_TRIAL_MOST; k++) {
        uint64_t ns;
        if (!(t->candidates & 1u << k))
            continue;
        RC_TRY(trial_time(t, m, k, &ns));
        t->entry[k].ns = ns < t->entry[k].ns ? ns : t->entry[k].ns;
        if (ns < first) {
            second = first;
            first = ns;
            ahead = k;
        } else if (ns < second) {
            second = ns;
        }
    }
    *clear = first < second / 6 * 5 ? ahead : RC_TRIAL_MOST;
    return RC_OK;
}

static void trial_forget(struct rci_trial *t)
{
    for (uint32_t k = 0; k < RC_TRIAL_MOST; k++)
        t->entry[k].ns = UINT64_MAX;
}

/* The best of a few turns each, after one that does not count (first touch of memory and code): the
 * machine may be busy with something else in some of them. Two that clearly say the same will do.
 */
rc_status rci_trial_fastest(struct rci_trial *t, struct rci_engine *e, uint32_t *fastest)
{
    enum { LEAST = 3, MOST = 7, ENOUGH_NS = 1000000 };
    uint32_t clear, times[RC_TRIAL_MOST + 1] = {0};
    struct memory m;
    RC_TRY(trial_memory(&m, t, e));
    trial_forget(t);
    RC_TRY(trial_turn(t, &m, &clear));
    trial_forget(t);
    const uint64_t begin = rci_clock_ns();
    for (int i = 0; i < MOST && (i < LEAST || rci_clock_ns() - begin < ENOUGH_NS); i++) {
        RC_TRY(trial_turn(t, &m, &clear));
        if (++times[clear] == 2 && clear != RC_TRIAL_MOST)
            break;
    }
    *fastest = 0;
    for (uint32_t k = 1; k < RC_TRIAL_MOST; k++)
        *fastest = t->entry[k].ns < t->entry[*fastest].ns ? k : *fastest;
    return RC_OK;
}
