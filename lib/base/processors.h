#ifndef RC_LIB_BASE_PROCESSORS_H
#define RC_LIB_BASE_PROCESSORS_H
/* How many processors this process has: by affinity, by cores and by cgroups. */
#include <stdbool.h>
#include <stdint.h>

struct rci_processors {
    uint32_t allowed; /* logical processors that the calling thread may run on */
    uint32_t cores;   /* cores these belong to: two hyper-threads of a core count once */
    double quota;     /* processors' time by cgroup, v1 and v2, the least of all levels; 0: all */
};

/* `root` goes before every path, "" being this system's. What cannot be read limits nothing. */
void rci_processors_ask(struct rci_processors *p, const char *root);
/* The quota alone. */
double rci_processors_quota(const char *root);
/* Cores of `n` processors, by their lists of siblings. */
uint32_t rci_processors_cores(const char *root, const uint32_t *processors, uint32_t n);
/* processors[at] is the first of its core in the list. */
bool rci_processors_begins_core(const char *root, const uint32_t *processors, uint32_t at);
/* The processors that the calling thread may run on, in ascending order; their number. */
enum { RC_PROCESSORS = 4096 };
uint32_t rci_processors_allowed(uint32_t list[RC_PROCESSORS]);

/* Threads that compute best: one a core, and no more than the quota pays for, rounded to the
 * nearest number; at least 1. */
uint32_t rci_processors_threads(const struct rci_processors *p);
#endif
