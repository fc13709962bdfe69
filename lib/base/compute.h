#ifndef RC_LIB_BASE_COMPUTE_H
#define RC_LIB_BASE_COMPUTE_H
/* The library's own compute: number of threads, and denormals, which are flushed to zero on every
 * thread that takes part. Callers' threads, those of OpenMP among them, keep what they had. */
#include "base/context.h"

/* Denormals of this thread, may be nested. */
void rci_flush_enter(void);
void rci_flush_leave(void);

/* Brackets compute: sets the number of threads for OpenMP and oneDNN, how they wait for each other
 * (base/load.h) and where they run if the context pins them, and flushes denormals on all of them;
 * leave() restores what the caller had. */
struct rci_compute {
    int threads;
    enum { RC_FLUSH_NONE, RC_FLUSH_THIS, RC_FLUSH_ALL } flush; /* threads that do */
    unsigned mode;                                             /* of this one, before */
    bool pinned;                                               /* this one, by enter() */
};
struct rci_compute rci_compute_enter(const struct rc_context *c,
                                     uint32_t threads /* 0: context's */);
/* For compute whose threads flush denormals and follow the pinned one (base/pin.h) themselves: two
 * parallel regions less. */
struct rci_compute rci_compute_enter_threads(const struct rc_context *c, uint32_t threads);
void rci_compute_leave(struct rci_compute saved);

/* RC_ERR_STATE in a process that was forked after the first call of this function: neither OpenMP's
 * nor oneDNN's threads survive a fork, and the next parallel loop would hang. Sessions and tapes
 * ask when created and before every run. */
rc_status rci_compute_check_fork(void);
#endif
