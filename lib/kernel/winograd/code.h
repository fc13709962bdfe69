#ifndef RC_LIB_KERNEL_WINOGRAD_CODE_H
#define RC_LIB_KERNEL_WINOGRAD_CODE_H
/* What winograd.c and kernel/winograd/grad.c share with the vector code. */
#include "kernel/vector/vector.h"

/* What the stages read. A block of tiles goes through them: transformed to u[positions][tiles][in],
 * multiplied to m[positions][tiles][out], transformed back. */
struct rci_winograd_job {
    struct rci_conv_layout src_layout, dst_layout;
    int64_t batch, height, width, tiles_y, tiles_x;
    int64_t side, positions;      /* of a tile: 4 and 36, or 2 and 16 */
    int64_t in_words, in_step;    /* of 32 bits: that are added up, of one tile in u */
    int64_t in_cover;             /* input channels in whole vectors */
    int64_t out_channels;         /* padded to whole vectors */
    int64_t out_first, out_count; /* the part of the output channels that is computed */
    int64_t block;                /* tiles that are worked on together */
    const float *weights;         /* [positions][vectors of out][in words][lanes] */
    const float *bias;            /* [out] or NULL; zeros behind the last channel */
    bool sum, relu;               /* add what dst holds; max(., 0) */
    bool prefetch;                /* activations may not be in L2 */
    const void *src;
    void *dst;
};

/* Which halves of words a vector of 16-bit numbers goes to: numbers of neighbouring channels of
 * its own, or those of two vectors side by side. */
enum { RC_ALL_HALVES, RC_FIRST_HALF, RC_SECOND_HALF };

/* What a stage works on: tiles from `tile` on and channels [first, end), whole vectors. */
struct rci_winograd_piece {
    int64_t tile, tiles, first, end;
};

/* Floats from one position to the next of a block of tiles. The tail keeps the positions from
 * falling into the same cache sets. */
static inline int64_t rci_winograd_step(int64_t tiles, int64_t channels)
{
    return tiles * channels + 16;
}

/* The same where neighbouring tiles share words. */
static inline int64_t rci_winograd_pairs_step(const struct rci_winograd_job *j, int64_t word,
                                              int64_t channels)
{
    return rci_winograd_step((j->block + word - 1) / word, channels);
}

/* Plain weights as they are read: tap t of the pair (o, i) is at
 *     data[o*out_step + i*in_step + t*tap_step]. */
struct rci_winograd_plain {
    const float *data;
    int64_t in, out, in_step, out_step, tap_step;
};

/* How a job is cut: blocks of tiles times parts of the output channels, equal but for a vector. */
struct rci_winograd_plan {
    struct rci_winograd_job job;
    const struct rci_vector_code *code;
    struct rci_vector_runs in;
    int64_t in_channels, out_channels; /* without padding */
    int64_t tiles, blocks, parts;
    int64_t unit; /* channels, a multiple of which every part but the last has */
    uint32_t threads;
    size_t per_thread; /* [floats] */
};
/* False where the kernel does not fit. `split`: output channels may be divided among threads.
 */
bool rci_winograd_plan_init(struct rci_winograd_plan *p, const struct rci_conv_spec *s, bool split);

/* Output channels of one part. */
struct rci_vector_runs rci_winograd_part(const struct rci_winograd_plan *p, int64_t part);

static inline int64_t rci_winograd_count(const struct rci_winograd_plan *p, int64_t block)
{
    const int64_t left = p->tiles - block * p->job.block;
    return left < p->job.block ? left : p->job.block;
}

static inline struct rci_winograd_piece
rci_winograd_piece(const struct rci_winograd_plan *p, int64_t block, const struct rci_vector_run *r)
{
    return (struct rci_winograd_piece){block * p->job.block, rci_winograd_count(p, block), r->first,
                                       r->end};
}

#endif
