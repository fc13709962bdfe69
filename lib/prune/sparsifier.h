#ifndef RC_LIB_PRUNE_SPARSIFIER_H
#define RC_LIB_PRUNE_SPARSIFIER_H
/* A regulariser in a training run: walks over the groups of the trained graph at every step. */
#include "prune/coupling.h"
#include "prune/regularizer.h"
#include "train/trainer.h"

#include <rescomp/sparsify.h>

/* One weight of a group: element (o, c, i) of [outer][channels][inner] belongs to unit[c]. */
struct rci_sparse_member {
    uint32_t param; /* on the tape */
    uint32_t kind;  /* RC_SLICE_* */
    size_t outer, inner;
    uint32_t channels;
    uint32_t *unit; /* [channels], RC_NONE: none */
};

struct rci_sparse_group {
    struct rci_sparse_member *member;
    uint32_t n_members, n_units;
    size_t first; /* of its units in the arrays over all groups */
};

struct rc_sparsifier {
    uint64_t magic;
    struct rc_context *ctx;
    const struct rci_regularizer *method;
    void *params;
    struct rci_sparse_group *group;
    uint32_t n_groups;
    size_t n_units;                                /* of all groups */
    float *memory;                                 /* [n_units] */
    double *square, *magnitude, *factor, *against; /* [largest group] */
};

bool rci_sparsifier_valid(const struct rc_sparsifier *s); /* magic */
rc_status rci_sparsifier_new(struct rc_sparsifier **out, struct rc_trainer *t,
                             const rc_sparsify_options *o);
void rci_sparsifier_free(struct rc_sparsifier *s);
#endif
