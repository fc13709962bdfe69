#ifndef RC_LIB_EXEC_ENERGY_H
#define RC_LIB_EXEC_ENERGY_H
/* Energy that the processor says it took: RAPL counters of Linux's powercap, summed over packages.
 * They are often readable by root only; where they are not there is a power to assume. */
#include "base/context.h"

enum { RC_ENERGY_ZONES = 16, RC_ENERGY_ROOM = 512 };
struct rci_energy {
    char folder[RC_ENERGY_ROOM];
    uint32_t n;                      /* packages; 0: nothing can be read */
    uint32_t zone[RC_ENERGY_ZONES];  /* numbers of intel-rapl:K */
    uint64_t last[RC_ENERGY_ZONES];  /* [uJ] */
    uint64_t range[RC_ENERGY_ZONES]; /* counters start anew behind this [uJ] */
};
/* folder NULL: /sys/class/powercap. Never fails: n says what there is. */
void rci_energy_open(struct rci_energy *e, const char *folder);
/* Since the last call, or open. [J] */
double rci_energy_since(struct rci_energy *e);

/* Power that is assumed where nothing can be read. [W for each busy thread] */
#define RC_ENERGY_ASSUMED 10.0
#endif
