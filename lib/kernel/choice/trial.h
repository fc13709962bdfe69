#ifndef RC_LIB_KERNEL_CHOICE_TRIAL_H
#define RC_LIB_KERNEL_CHOICE_TRIAL_H
/* Timing implementations of one layer against each other as in a network: other layers' weights
 * have driven this one's out of L2, but its activations were just written. */
#include "kernel/onednn/conv.h"

enum { RC_TRIAL_MOST = 8 };

struct rci_trial_entry {
    size_t weights, bias, scratch; /* [bytes] that a run gets; weights 0: it holds its own */
    bool team;   /* neighbours share its parallel region (kernel/prep.h), which is not charged */
    uint64_t ns; /* result */
};
struct rci_trial {
    uint32_t candidates; /* bits, of numbers below RC_TRIAL_MOST */
    struct rci_trial_entry entry[RC_TRIAL_MOST];
    size_t src, dst; /* [bytes] of activations */
    size_t cache;    /* [bytes] of L2 of all threads */
    /* Arguments hold zeros: times do not depend on values. */
    rc_status (*run)(void *user, uint32_t candidate, const struct rci_conv_args *a);
    void *user;
};
/* The one with the shortest time. */
rc_status rci_trial_fastest(struct rci_trial *t, struct rci_engine *e, uint32_t *fastest);
/* Reads once a cache line. */
void rci_trial_read(const void *memory, size_t bytes);
#endif
