/* An augmentation that leaves the image alone. */
#include "data/augment/augment.h"
#include "outside.h"

static void outside_apply(const void *params, struct rci_augment_image *image, struct rci_rng *rng)
{
    (void) params, (void) image, (void) rng;
#pragma omp atomic
    outside_calls[OUTSIDE_AUGMENTATION]++;
}

const struct rci_augmentation rci_augment_outside = {
    .m = {.name = "outside", .summary = "the image as it is", .source = ""},
    .apply = outside_apply,
};
