#ifndef RC_LIB_BASE_RNG_H
#define RC_LIB_BASE_RNG_H
/* Counter-based random numbers (Philox 4x32-10, Salmon et al., SC 2011): number i of
 * stream (seed, key) is a pure function, so results do not depend on thread count or order. */
#include <stdint.h>

struct rci_rng {
    uint64_t seed, stream, counter;
    uint32_t buffer[4];
    uint32_t used; /* words of buffer already handed out; 4 = empty */
};

/* `a`, `b` name the purpose, for example (epoch, image index). */
struct rci_rng rci_rng_make(uint64_t seed, uint64_t a, uint64_t b);
uint32_t rci_rng_u32(struct rci_rng *r);
uint32_t rci_rng_below(struct rci_rng *r, uint32_t n); /* uniform in [0, n), n > 0, unbiased */
double rci_rng_uniform(struct rci_rng *r);             /* [0, 1) with 53 bits */
double rci_rng_normal(struct rci_rng *r);              /* mean 0, deviation 1 */
double rci_rng_gamma(struct rci_rng *r, double shape); /* scale 1; Beta and Dirichlet follow */
/* Beta(a, a), in [0, 1]. */
double rci_rng_beta(struct rci_rng *r, double a);
void rci_rng_shuffle(struct rci_rng *r, uint32_t *items, uint32_t n); /* Fisher-Yates */
#endif
