#ifndef RC_LIB_SEARCH_SEARCHER_H
#define RC_LIB_SEARCH_SEARCHER_H
/* Searchers propose policies, points of the unit cube, and are told their scores. A proposal is a
 * pure function of the trials so far and of random numbers by their count: trials that were written
 * to a file go on to the same proposals, on any machine. */
#include "base/method.h"
#include "base/rng.h"

struct rci_trials {
    struct rc_context *ctx;
    uint64_t seed;
    uint32_t n;          /* numbers of a policy */
    uint32_t count, cap; /* trials that were told */
    double *x;           /* [count][n], 0..1 */
    double *score;       /* [count], higher is better */
};

struct rci_searcher {
    struct rci_method m;
    /* Trial number t->count; `r` is its own stream. The first trial is always the middle. */
    void (*propose)(const void *params, const struct rci_trials *t, struct rci_rng *r, double *x);
};
extern const struct rci_method_kind rci_kind_searcher;

rc_status rci_trials_open(struct rci_trials *t, struct rc_context *c, uint32_t n, uint64_t seed);
void rci_trials_close(struct rci_trials *t);
void rci_trials_propose(const struct rci_trials *t, const struct rci_searcher *s,
                        const void *params, double *x);
rc_status rci_trials_tell(struct rci_trials *t, const double *x, double score);
/* The best trial, the first of equal ones; UINT32_MAX without any. */
uint32_t rci_trials_best(const struct rci_trials *t);
static inline const double *rci_trials_at(const struct rci_trials *t, uint32_t k)
{
    return t->x + (size_t) k * t->n;
}
/* `ties`: what the trials belong to (model, goals, searcher), refused when it differs. */
rc_status rci_trials_save(const struct rci_trials *t, const char *path, const char *ties);
/* A file that is not there leaves no trials. */
rc_status rci_trials_load(struct rci_trials *t, const char *path, const char *ties);

static inline double rci_unit(double v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}
#endif
