#ifndef RC_LIB_TRAIN_RATE_H
#define RC_LIB_TRAIN_RATE_H
/* A learning-rate schedule: the rate in force during step t of `total`, t from 0. Every schedule's
 * parameter struct starts with struct rci_rate_common, so that linear warm-up works with all. */
#include "base/method.h"

struct rci_rate_common {
    double warmup; /* fraction of all steps */
};

#define RC_RATE_COMMON                                                                \
    {                                                                                 \
        "warmup", "share of all steps in which the rate rises linearly to its start", \
            RC_PARAM_REAL, offsetof(struct rci_rate_common, warmup), 0, 0, 0.9        \
    }

struct rci_rate {
    struct rci_method m;
    /* t in [0, total); warm-up steps are already taken off both */
    double (*at)(const void *params, double base, uint64_t t, uint64_t total);
    /* momentum that goes with the rate, negative: the optimiser's own. NULL: always its own. */
    double (*momentum)(const void *params, uint64_t t, uint64_t total);
};

extern const struct rci_method_kind rci_kind_rate;

struct rci_rate_now {
    double rate, momentum; /* momentum negative: the optimiser's own */
};
/* Step t of `total`: warm-up base (t + 1) / W over the first W = round(warmup total) steps, then
 * the method over the others. */
struct rci_rate_now rci_rate_at(const struct rci_rate *r, const void *params, double base,
                                uint64_t t, uint64_t total);
#endif
