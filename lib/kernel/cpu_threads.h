#ifndef RC_LIB_KERNEL_CPU_THREADS_H
#define RC_LIB_KERNEL_CPU_THREADS_H
/* How many threads this processor is given. RESCOMP_CPU=siblings=2,quota=1.5 gives hyper-threads of
 * a core, and processors' time that cgroups leave (0: all), for what the system says. */
#include "base/processors.h"
#include "kernel/cpu.h"

/* Of a description that rci_cpu_find() gave; lives as long as it. */
const struct rci_processors *rci_cpu_processors(const struct rci_cpu *cpu);
/* `threads` threads can all run at once, so that waiting by spinning takes nothing from another. */
bool rci_cpu_runs(const struct rci_cpu *cpu, uint32_t threads);
/* Threads of a context that was told none: as rci_processors_threads() says, unless OMP_NUM_THREADS
 * or the program's omp_set_num_threads() says how many. */
void rci_cpu_default_threads(struct rc_context *c);
#endif
