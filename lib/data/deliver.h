#ifndef RC_LIB_DATA_DELIVER_H
#define RC_LIB_DATA_DELIVER_H
/* The one place where stored images become network input: fetch, augment, normalise. */
#include "data/augment/augment.h"
#include "data/source.h"

struct rci_delivery {
    const struct rc_dataset *dataset;
    const uint32_t *order; /* images of the split by position; NULL: position is the image */
    uint64_t first;        /* position of the first */
    uint32_t count, threads;
    float *x;
    int32_t *y;    /* may be NULL */
    uint32_t *id;  /* may be NULL: gets the images' numbers in the split */
    float *target; /* may be NULL: gets the shares of the classes, [count, classes], when the chain
                      mixes images; y then has the class with the largest share */
    uint32_t positions;                      /* of an epoch: what is mixed in is one of them */
    const struct rci_augment_chain *augment; /* or NULL */
    uint64_t seed, epoch;                    /* with the position: the augmentation's stream */
};

/* The first failure by position is the one that is reported, whatever the threads did. */
rc_status rci_deliver(const struct rci_delivery *job);
#endif
