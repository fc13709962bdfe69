#ifndef RC_LIB_PRUNE_REPAIR_H
#define RC_LIB_PRUNE_REPAIR_H
/* What is done to the weights right after a cut, without training. */
#include "base/method.h"
#include "graph/link.h"
#include <rescomp/dataset.h>

struct rci_repair_job {
    const struct rc_graph *before;
    struct rc_graph *after;      /* its weights may change; nodes and values have the same ids */
    const struct rci_links *cut; /* which indices of every row are left */
    const rc_dataset *data;      /* NULL: none given */
    uint64_t images, batch;
};

struct rci_repair {
    struct rci_method m;
    bool needs_data;
    rc_status (*run)(const void *params, const struct rci_repair_job *job);
};
extern const struct rci_method_kind rci_kind_repair;
#endif
