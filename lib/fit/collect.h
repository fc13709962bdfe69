#ifndef RC_LIB_FIT_COLLECT_H
#define RC_LIB_FIT_COLLECT_H
/* What a layer reads in a changed network and what it should give to be like the unchanged one. */
#include "fit/frontier.h"
#include "fit/linear.h"
#include "fit/moments.h"

struct rci_collect {
    const struct rci_linear *layer;
    rci_id target;          /* in `before`: what the layer's results should be */
    rci_id x, other;        /* in `after`: what it reads; what is added behind it, or RC_NONE */
    const int32_t *kept;    /* of the target's channels, those the layer still has; NULL: all */
    size_t target_channels; /* before */
    uint32_t positions;     /* looked at per image, at most */
    struct rci_frontier *before, *after; /* both moved to the layer */
};

/* Moments of (x, target - other), finished. Free them with rci_moments_free(), also on failure. */
rc_status rci_collect_moments(struct rci_moments *m, const struct rci_collect *c);
#endif
