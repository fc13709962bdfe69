#ifndef RC_LIB_BASE_PIN_H
#define RC_LIB_BASE_PIN_H
/* Threads of compute held to one processor each, so that the system does not move them. A thread
 * that calls the library has places for itself and those that OpenMP gives it, which differ from
 * those of other callers as long as there are enough. */
#include <stdbool.h>
#include <stdint.h>

struct rci_pin; /* what a calling thread's places are and where it could run before */

/* The i-th processor for pinned threads, of those the process was allowed when it first asked: one
 * of each core first, then their hyper-threads, then from the beginning again. */
uint32_t rci_pin_processor(uint32_t i);

/* The calling thread takes the first of `threads` places of its own. *pinned: it was not there
 * already. NULL: the system does not say where it may run. Lives as long as the thread. */
const struct rci_pin *rci_pin_begin(uint32_t threads, bool *pinned);
/* The calling thread, number i of OpenMP's, takes place i of a caller's; NULL: none, it runs again
 * where it could before. Costs nothing where it is there already. */
void rci_pin_follow(const struct rci_pin *caller, uint32_t i);
/* The calling thread, which a thread made that had rci_pin_here() then, may run where that one
 * could before it was pinned; NULL: nothing. */
void rci_pin_leave(const struct rci_pin *maker);
/* The calling thread's, if it is pinned now. */
const struct rci_pin *rci_pin_here(void);
#endif
