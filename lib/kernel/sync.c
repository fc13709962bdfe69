/* x = high + low, two floats that travel in the rank's own part of the array. */
#include "kernel/sync.h"

#include <math.h>
#include <string.h>

size_t rci_sync_room(const struct rci_sync *s, size_t n)
{
    return s->ranks * n * (sizeof(double) + 2 * sizeof(float));
}

rc_status rci_sync_gather(const struct rci_sync *s, const double *own, size_t n, void *room,
                          const double **all)
{
    const size_t count = s->ranks * n;
    double *value = room;
    float *part = (float *) (void *) (value + count), *mine = part + 2 * n * s->rank;
    memset(part, 0, 2 * count * sizeof(*part));
    for (size_t i = 0; i < n; i++) {
        const float high = (float) own[i];
        mine[2 * i] = high;
        mine[2 * i + 1] = isfinite(high) ? (float) (own[i] - (double) high) : 0;
    }
    RC_TRY(s->all_reduce(s->user, part, 2 * count));
    for (size_t i = 0; i < count; i++)
        value[i] = (double) part[2 * i] + (double) part[2 * i + 1];
    *all = value;
    return RC_OK;
}
