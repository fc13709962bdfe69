#ifndef RC_LIB_DISTILL_HINT_H
#define RC_LIB_DISTILL_HINT_H
/* Which value of a student is compared with which value of its teacher. */
#include "distill/loss.h"
#include "graph/graph.h"

struct rci_hint {
    rci_id student, teacher;
};

/* `text`: "student=teacher,..." of value names or patterns (* ? [...]), whose matches are paired in
 * order; NULL: found by `place`, at equal height and width. *out from rci_alloc, at least one pair;
 * RC_ERR_ARG, RC_ERR_SHAPE say what is there. */
rc_status rci_hints_find(struct rci_hint **out, uint32_t *n, const struct rc_graph *student,
                         const struct rc_graph *teacher, const char *text,
                         enum rci_hint_place place);
#endif
