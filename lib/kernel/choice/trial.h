#ifndef RC_LIB_KERNEL_CHOICE_TRIAL_H
#define RC_LIB_KERNEL_CHOICE_TRIAL_H
/* Timing implementations of one layer against each other as in a network: other layers' weights
 * have driven this one's out of the cache, but its activations were just written. */
#include "kernel/onednn/engine.h"

/* Evicted: the largest second-level cache of a core that is common. */
enum { RC_TRIAL_MOST = 5, RC_TRIAL_EVICT = 2 << 20 };

struct rci_trial {
    uint32_t candidates; /* bits, of numbers below RC_TRIAL_MOST */
    uint32_t teams;      /* those among them that share a region with neighbours (kernel/prep.h) */
    rc_status (*run)(void *user, uint32_t candidate);
    void *user;
    const void *warm[2]; /* source and destination */
    size_t warm_bytes[2];
    const void *evict; /* RC_TRIAL_EVICT bytes */
};
/* The one with the shortest time. */
rc_status rci_trial_fastest(const struct rci_trial *t, uint32_t *fastest);
/* Nanoseconds that a parallel region takes to begin and end, which run() of a kernel for teams
 * includes and a network seldom pays. */
uint64_t rci_trial_region(void);
/* Reads once a cache line. */
void rci_trial_read(const void *memory, size_t bytes);
#endif
