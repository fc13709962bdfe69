#ifndef RC_LIB_KERNEL_TEAM_H
#define RC_LIB_KERNEL_TEAM_H
/* Where the threads of a parallel region wait for each other. OpenMP's barrier asks the system at
 * every turn to wake sleepers, which takes as long as a small layer even when nobody sleeps. Here
 * threads spin first and then sleep: soon where others want the processors (base/load.h), because
 * the one that is waited for may need this one. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rci_cpu;

struct rci_team {
    bool spins;     /* each thread has a processor, and is not told to sleep */
    bool hurries;   /* the thread that waits sleeps soon; set between regions */
    uint32_t looks; /* at `turn` before sleeping where it hurries */
    _Alignas(64) atomic_uint arrived;
    _Alignas(64) atomic_uint turn;
    _Alignas(64) atomic_uint sleepers;
};

/* For regions of `threads` threads: they spin long where each has a processor and OMP_WAIT_POLICY
 * does not say passive. */
void rci_team_init(struct rci_team *t, uint32_t threads, const struct rci_cpu *cpu);
/* Before a region: waits as is right now. */
void rci_team_follow(struct rci_team *t);
/* All threads of the region call it; everything they wrote before is seen by all behind it. */
void rci_team_wait(struct rci_team *t);
#endif
