/* How long threads waited for a processor, and what follows. */
#include "base/load.h"
#include "base/file.h"

#include <fcntl.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

/* --- judging --- */

bool rci_load_is_busy_at(const struct rci_load *l, uint64_t now)
{
    return now < atomic_load_explicit(&l->busy_until, memory_order_relaxed);
}

uint32_t rci_load_threads_at(const struct rci_load *l, uint64_t now, uint32_t threads)
{
    if (threads < 2 || !rci_load_is_busy_at(l, now))
        return threads;
    const uint32_t late = atomic_load_explicit(&l->late, memory_order_relaxed);
    return late < threads ? threads - late : 1;
}

/* A sign at `now` from a stretch of `took`: signs may come that far apart. */
static void judge_busy(struct rci_load *l, uint64_t now, uint64_t took)
{
    const uint64_t shortest = 1000 * MS, longest = 4000 * MS, soon = 2000 * MS;
    uint64_t hold = atomic_load(&l->hold_ns);
    const uint64_t until = atomic_load(&l->busy_until);
    if (now >= until) {
        hold = until && now - until < soon ? 2 * hold : shortest;
        hold = hold > longest ? longest : hold;
        atomic_store(&l->hold_ns, hold);
        atomic_store(&l->began, now);
        atomic_store(&l->late, 0);
    }
    if (hold < 4 * took)
        hold = 4 * took < longest ? 4 * took : longest;
    if (now + hold > until)
        atomic_store(&l->busy_until, now + hold);
}

void rci_load_judge(struct rci_load *l, struct rci_load_seen *s, uint64_t now,
                    struct rci_load_times t)
{
    const uint64_t stretch = 50 * MS, waited = t.waited - s->from.waited;
    const uint64_t wanted = t.ran - s->from.ran + waited;
    if (s->from_ns && wanted < stretch)
        return;
    const bool idle = !s->from_ns || now - s->from_ns > 8 * wanted;
    s->from_ns = now;
    s->from = t;
    const bool late = !idle && waited * 5 > wanted, lateish = !idle && waited * 10 > wanted;
    s->late = late ? s->late + 1 : 0;
    if (s->late > 1 || (lateish && rci_load_is_busy_at(l, now)))
        judge_busy(l, now, wanted);
    if (s->late > 1 && s->counted != atomic_load(&l->began)) {
        s->counted = atomic_load(&l->began);
        atomic_fetch_add(&l->late, 1);
    }
}

/* --- this process --- */

static struct rci_load here;
static _Thread_local struct rci_load_seen seen;

/* "time on a processor, time waiting for one, turns" of the calling thread */
static bool read_times(struct rci_load_times *t)
{
    char text[96], *end;
    const int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    t->ran = strtoull(text, &end, 10);
    t->waited = strtoull(end, NULL, 10);
    return t->ran > 0;
}

void rci_load_note(void)
{
    const uint64_t pause = 10 * MS, never = UINT64_MAX, now = rci_clock_ns();
    struct rci_load_times t;
    if (now < seen.look_ns)
        return;
    seen.look_ns = now + pause;
    if (read_times(&t))
        rci_load_judge(&here, &seen, now, t);
    else
        seen.look_ns = never;
}

bool rci_load_is_busy(void)
{
    return rci_load_is_busy_at(&here, rci_clock_ns());
}

uint32_t rci_load_threads(uint32_t threads)
{
    return rci_load_threads_at(&here, rci_clock_ns(), threads);
}

/* --- OpenMP's threads --- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t processors; /* as OpenMP counted them */
static bool decided;        /* by the user */

static void ask_openmp(void)
{
    const int procs = omp_get_num_procs();
    processors = procs > 0 ? (uint32_t) procs : 1;
    decided = getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT");
}

static _Atomic double limit;

void rci_load_limit(double most)
{
    limit = most;
}

void rci_load_follow(uint32_t threads)
{
    enum { MOST = 64 };
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static _Atomic uint32_t parked;
    pthread_once(&once, ask_openmp);
    if (decided)
        return;
    const double most = limit;
    const bool busy = (most > 0 && threads > most) || rci_load_is_busy();
    const uint32_t more = processors >= threads ? processors - threads + 1 : 1;
    if (busy ? threads < 2 || more > MOST || parked >= more : !parked)
        return;
    if (pthread_mutex_trylock(&lock))
        return; /* another thread is at it */
    if (busy) {
        if (rci_park_begin(more))
            parked = more;
    } else {
        rci_park_end();
        parked = 0;
    }
    pthread_mutex_unlock(&lock);
}

/* --- callers that compute at once --- */

static _Atomic uint32_t computing, crowd;
static _Atomic uint64_t crowd_until;

uint32_t rci_crowd_enter(uint32_t threads, uint32_t cores)
{
    const uint64_t a_while = 50 * MS;
    const uint32_t n = atomic_fetch_add(&computing, 1) + 1;
    if (threads < 2)
        return threads;
    const uint64_t now = rci_clock_ns();
    if (n >= crowd || now > crowd_until) {
        crowd = n;
        crowd_until = now + a_while;
    }
    const uint32_t most = crowd, share = cores / (most ? most : 1);
    return share >= threads ? threads : share ? share : 1;
}

void rci_crowd_leave(void)
{
    atomic_fetch_sub(&computing, 1);
}
