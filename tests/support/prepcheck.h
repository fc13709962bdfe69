#ifndef PREPCHECK_H
#define PREPCHECK_H
/* The fast path of one operator against its own plain loops: a one-node graph, prepare() called
 * with hand-made operands, layouts converted on the way in and out, results compared. */
#include "graph/graph.h"
#include "test.h"

/* Operand with random contents, as an initializer. */
#define T_F32(...)                          \
    {                                       \
        RC_F32, RC_SHAPE(__VA_ARGS__), NULL \
    }

enum prepcheck_layout { PREPCHECK_PLAIN, PREPCHECK_LAST, PREPCHECK_BLOCK8, PREPCHECK_BLOCK16 };

struct prepcheck {
    const char *op;
    const void *attrs;
    struct rci_tensor in[8]; /* shape and type; dtype 0: absent. Contents are random in [-1, 1] */
    uint32_t n_in;
    /* Operand with random contents, as an initializer. */
#define T_F32(...)                          \
    {                                       \
        RC_F32, RC_SHAPE(__VA_ARGS__), NULL \
    }

    enum prepcheck_layout arrive; /* layout in which operand 0 arrives if it has rank 4 */
    bool all_arrive;              /* the other operands too */
    bool training, frozen_stats;
    uint32_t positive; /* bit i: operand i is in [0.5, 1.5] (variances) */
    uint32_t no_grad;  /* bit i: operand i needs no gradient */
    struct rci_post post[RC_MAX_POST];
    uint32_t n_post;
    double tolerance; /* of the largest value; 0: 1e-5 */
};

/* RC_OK when everything agrees (the test fails otherwise), RC_ERR_UNSUPPORTED when there is no
 * fast path. `impl` (may be NULL, >= 64 bytes) receives the implementation's name. */
rc_status prepcheck_run(const struct prepcheck *c, char *impl);

/* prepare() with the first, the second, ... allocation failing, until none fails: it must say
 * RC_ERR_MEMORY and leave nothing behind. */
void prepcheck_starved(const struct prepcheck *c);
#endif
