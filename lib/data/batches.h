#ifndef RC_LIB_DATA_BATCHES_H
#define RC_LIB_DATA_BATCHES_H
/* Data sets and the batches drawn from them. Images are u8 or f32 [C,H,W]; batches are normalised
 * f32 [N,C,H,W] plus labels. Which image comes when, and how it is augmented, depends only on
 * (seed, epoch, position): not on threads, and a resumed run continues identically. */
#include "tensor/tensor.h"
#include <rescomp/dataset.h>

uint64_t rci_dataset_images(const struct rc_dataset *d); /* of the split */
uint32_t rci_dataset_classes(const struct rc_dataset *d);
void rci_dataset_image_shape(const struct rc_dataset *d, int64_t chw[3]); /* as delivered */
/* JSON for metadata_props "rescomp.preprocess". */
const char *rci_dataset_preprocess_text(const struct rc_dataset *d);

struct rci_batches;
struct rci_batches_config {
    uint32_t batch;
    bool shuffle;
    bool augment;       /* with the data set's usual chain, unless `augmentation` says which */
    bool drop_last;     /* else the last batch may be short */
    bool prefetch;      /* a thread prepares the batch after the one that was asked for */
    bool channels_last; /* x gets [N,H,W,C] */
    uint64_t seed;
    uint64_t limit;           /* use only the first `limit` images of the split; 0: all */
    uint32_t ranks, rank;     /* `batch` images of every `ranks` times as many, part `rank`; needs
                                 drop_last; 0: one rank */
    const char *augmentation; /* chain as "crop:pad=4+flip"; NULL or "": see `augment` */
};
rc_status rci_batches_new(struct rci_batches **out, const struct rc_dataset *d,
                          const struct rci_batches_config *o);
void rci_batches_free(struct rci_batches *b);
uint64_t rci_batches_per_epoch(const struct rci_batches *b);
/* Whether the augmentation mixes images, so that there are shares of classes. */
bool rci_batches_mix(const struct rci_batches *b);
/* Batch `index` of `epoch`: x gets [n,C,H,W] f32, y n labels, id (may be NULL) the image indices.
 * Pure function of its arguments and the configuration. */
rc_status rci_batches_get(struct rci_batches *b, uint64_t epoch, uint64_t index, float *x,
                          int32_t *y, uint32_t *id, uint32_t *n);
struct rci_batch {
    float *x, *target; /* target may be NULL: images are then not mixed; else it gets the shares of
                          the classes, [n, classes], and y the class with the largest one */
    int32_t *y;
    uint32_t *id; /* may be NULL */
    uint32_t n;
};
rc_status rci_batches_fill(struct rci_batches *b, uint64_t epoch, uint64_t index,
                           struct rci_batch *to);
#endif
