#ifndef RC_LIB_PRUNE_SCHEDULE_H
#define RC_LIB_PRUNE_SCHEDULE_H
/* The way to a target in several rounds: how much stays after each of them. Between rounds what is
 * left is scored anew. Every schedule's parameter struct starts with struct rci_schedule_common. */
#include "base/method.h"

struct rci_schedule_common {
    int64_t steps; /* rounds */
};

#define RC_SCHEDULE_COMMON(def)                                                \
    {                                                                          \
        "steps", "rounds; channels are scored anew before each", RC_PARAM_INT, \
            offsetof(struct rci_schedule_common, steps), def, 1, 10000         \
    }

struct rci_schedule {
    struct rci_method m;
    /* Fraction that stays when the share t of the rounds is done, (0, 1]; `keep` stays at 1. */
    double (*kept)(const void *params, double t, double keep);
    /* Instead of kept: every round takes 1 / steps of the channels that may be cut, and the first
     * one at which the target is met is the last. */
    bool until_met;
};
extern const struct rci_method_kind rci_kind_schedule;
#endif
