#ifndef RC_LIB_SEARCH_WIDTHS_H
#define RC_LIB_SEARCH_WIDTHS_H
/* How wide every group of channels should be: least loss within budgets of any costs, among them
 * the time of layers on a device. Losses of a group are those of cutting it alone, and are added;
 * costs are those of whole layers, whose two sides may belong to different groups. */
#include "prune/pruner.h"
#include "search/device.h"

enum rci_width_cost {
    RC_WIDTH_MACS = 0,
    RC_WIDTH_BYTES = 1, /* of weights at `bits`, and of scales and biases */
    RC_WIDTH_MS = 2,
    RC_WIDTH_JOULES = 3,
    RC_WIDTH_COSTS = 4
};

struct rci_width_group {
    uint32_t n, least, step; /* units; kept counts are n, or multiples of step from least on */
    double *loss;            /* [n + 1] of keeping so many; loss[n] is 0 */
    double weight;           /* of the loss while widths are solved for; 1 */
    uint32_t kept;
    bool may_cut;
};

struct rci_width_layer {
    struct rci_layer l;
    uint32_t from, to;           /* groups of its channels in and out, RC_NONE: they stay */
    double cost[RC_WIDTH_COSTS]; /* at the widths of now */
};

struct rci_widths {
    struct rc_context *ctx;
    const struct rc_graph *g;       /* borrowed */
    const struct rc_device *device; /* NULL: no times */
    struct rci_width_group *group;
    struct rci_width_layer *layer;
    uint32_t n_groups, n_layers;
    bool integers;               /* layers but those that stay are timed as int8 */
    double bits;                 /* of weights */
    double cost[RC_WIDTH_COSTS]; /* of all layers at the widths of now */
};

struct rci_width_limits {
    double max_cut; /* no group loses more than this fraction */
    uint32_t round_to;
    bool trunks; /* residual trunks may be cut too */
};

/* `p` has scores. `integers` without a device's int8 times is RC_ERR_DATA. */
rc_status rci_widths_new(struct rci_widths **out, struct rc_pruner *p,
                         const struct rc_device *device, const struct rci_width_limits *limits);
void rci_widths_free(struct rci_widths *w);
/* Bits of weights and kind of kernels from now on; widths stay. */
rc_status rci_widths_set_bits(struct rci_widths *w, double bits, bool integers);
/* All groups as wide as they were, or as narrow as they may become. */
rc_status rci_widths_reset(struct rci_widths *w, bool narrow);
/* Set the widths of least loss with every cost at most its budget (0: none). false in *met: the
 * budgets cannot be met, and widths are as narrow as they may become. */
rc_status rci_widths_solve(struct rci_widths *w, const double budget[RC_WIDTH_COSTS], bool *met);
double rci_widths_loss(const struct rci_widths *w);
#endif
