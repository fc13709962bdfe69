#ifndef RC_LIB_BASE_LOAD_H
#define RC_LIB_BASE_LOAD_H
/* Is this machine ours? Threads of compute note how long the system let them wait for a processor;
 * what they find is kept for the process, and decides how threads wait for each other: where
 * nobody else wants the processors by spinning, else by sleeping. docs/threading.md says why. */
#include <stdbool.h>
#include <stdint.h>

/* What a thread was given since it began. [ns] */
struct rci_load_times {
    uint64_t ran, waited; /* on a processor; ready to run, without one */
};

/* What is known of one thread. Zero: nothing. */
struct rci_load_seen {
    uint64_t look_ns;           /* not before this time again */
    uint64_t from_ns;           /* when `from` was read */
    struct rci_load_times from; /* at the beginning of the stretch that is judged next */
    uint32_t late;              /* stretches in a row in which it was held up */
    uint64_t counted;           /* in the busy time that began then. [ns] */
};

/* The process's judgement. Zero: calm. */
struct rci_load {
    _Atomic uint64_t busy_until; /* [ns] of rci_clock_ns() */
    _Atomic uint64_t began;      /* when it last became busy */
    _Atomic uint32_t late;       /* threads that were held up since */
    _Atomic uint64_t hold_ns;    /* how long that lasts after the last sign */
};

/* Judges a thread at `now`, given what it was given until then. A stretch is 50 ms of running and
 * waiting together, in which it did not sleep most of the time; two in a row with more than a fifth
 * of waiting make the process busy, one with a tenth keeps it so. It is calm again a second after
 * the last sign, and up to 4 s where it became busy each time shortly after. */
void rci_load_judge(struct rci_load *l, struct rci_load_seen *s, uint64_t now,
                    struct rci_load_times t);
bool rci_load_is_busy_at(const struct rci_load *l, uint64_t now);
/* How many of `threads` to compute with: while it is busy those that were held up are left out,
 * but for the last. */
uint32_t rci_load_threads_at(const struct rci_load *l, uint64_t now, uint32_t threads);

/* The same for the calling thread and this process, by the clock and /proc; costs a look at the
 * clock, and once in 10 ms 5 us. Threads that compute call it between their steps. */
void rci_load_note(void);
bool rci_load_is_busy(void);
uint32_t rci_load_threads(uint32_t threads);

/* OpenMP's threads wait as is right now: before a region of `threads` threads of the calling one.
 * Where OMP_WAIT_POLICY or GOMP_SPINCOUNT is set the user has decided, and nothing is done. */
void rci_load_follow(uint32_t threads);
/* More threads than `most` processors (0: any number) are short of them, whatever was seen. */
void rci_load_limit(double most);

/* --- callers of this process that compute at once --- */

/* Brackets what a caller computes with up to `threads` threads; enter() says with how many of them
 * when `cores` processors are shared among all who compute: at least 1. Fewer follow at once when
 * another caller comes, more a while after one has gone. */
uint32_t rci_crowd_enter(uint32_t threads, uint32_t cores);
void rci_crowd_leave(void);

/* --- park.c --- */

/* libgomp lets waiting threads spin for milliseconds, but hardly at all while it has more threads
 * than the process had processors when it began, and has no function to change that. So `idle` > 0
 * threads more, asleep until end(), make all wait by sleeping. false: the system gives no thread.
 * Both are cheap where nothing changes. Thread safe. */
bool rci_park_begin(uint32_t idle);
void rci_park_end(void);
#endif
