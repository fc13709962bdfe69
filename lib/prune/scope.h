#ifndef RC_LIB_PRUNE_SCOPE_H
#define RC_LIB_PRUNE_SCOPE_H
/* Which groups compete with each other. Inside a scope channels go by score; between scopes the one
 * that has lost the smallest fraction goes next. */
#include "prune/coupling.h"
#include <rescomp/prune.h>

struct rci_scopes {
    uint32_t *of; /* [n_groups] number of the group's scope */
    uint32_t n;
    double *keep;   /* [n] fraction that stays at most, whatever the target; 0: none given */
    bool has_ratio; /* one of them is given */
};

/* From options->scope, scopes and ratios. */
rc_status rci_scopes_new(struct rci_scopes *s, const struct rci_coupling *c, const bool *protect,
                         const rc_prune_options *o);
void rci_scopes_free(struct rci_scopes *s);

/* '*' and '?' match anything; of nodes and weights that make or scale the group's channels. */
bool rci_group_matches(const struct rci_coupling *c, uint32_t group, const char *pattern);
/* Does it match any node or weight? */
bool rci_pattern_used(const struct rc_graph *g, const char *pattern);
#endif
