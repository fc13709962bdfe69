/* Every group by itself: argmin over its widths of error - lambda saved, with the smallest lambda
 * at which the savings suffice; then widths go back where that is for free. */
#include "prune/allocate.h"

#include <math.h>

static double pick_all(struct rci_allocation_curve *c, uint32_t n, double lambda)
{
    double saved = 0;
    for (uint32_t i = 0; i < n; i++) {
        double best = INFINITY;
        for (uint32_t j = 0; j < c[i].n; j++) {
            const double value = c[i].error[j] - lambda * c[i].saved[j];
            if (value < best) {
                best = value;
                c[i].pick = j;
            }
        }
        saved += c[i].saved[c[i].pick];
    }
    return saved;
}

static void pick_most(struct rci_allocation_curve *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < c[i].n; j++)
            if (c[i].saved[j] > c[i].saved[c[i].pick])
                c[i].pick = j;
}

/* Between two widths that lambda can tell apart there are others: take back what is not needed. */
static void give_back(struct rci_allocation_curve *c, uint32_t n, double saved, double needed)
{
    for (;;) {
        double best = 0;
        uint32_t which = n, to = 0;
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < c[i].n; j++) {
                const double gain = c[i].error[c[i].pick] - c[i].error[j];
                if (gain > best && saved + c[i].saved[j] - c[i].saved[c[i].pick] >= needed) {
                    best = gain;
                    which = i;
                    to = j;
                }
            }
        if (which == n)
            return;
        saved += c[which].saved[to] - c[which].saved[c[which].pick];
        c[which].pick = to;
    }
}

static rc_status lagrangian_choose(const void *params, struct rc_context *ctx,
                                   struct rci_allocation_curve *c, uint32_t n, double needed)
{
    enum { DOUBLINGS = 200, HALVINGS = 60 };
    double low = 0, high = 1e-12, saved = pick_all(c, n, high);
    (void) params, (void) ctx;
    for (int i = 0; i < DOUBLINGS && saved < needed; i++) {
        low = high;
        high *= 2;
        saved = pick_all(c, n, high);
    }
    if (saved < needed) {
        pick_most(c, n);
        return RC_OK;
    }
    for (int i = 0; i < HALVINGS; i++) {
        const double middle = (low + high) / 2;
        if (pick_all(c, n, middle) >= needed)
            high = middle;
        else
            low = middle;
    }
    give_back(c, n, pick_all(c, n, high), needed);
    return RC_OK;
}

const struct rci_allocation rci_allocation_lagrangian = {
    .m = {.name = "lagrangian",
          .summary = "one price of the cost for all groups, found by bisection",
          .source =
              "Shoham and Gersho, Efficient Bit Allocation for an Arbitrary Set of "
              "Quantizers, IEEE Transactions on Acoustics, Speech and Signal Processing 1988"},
    .choose = lagrangian_choose,
};
