#ifndef RC_LIB_KERNEL_WINOGRAD_CODE_H
#define RC_LIB_KERNEL_WINOGRAD_CODE_H
/* What winograd.c and winograd_grad.c share with the vector code. */
#include "kernel/vector.h"
#include "kernel/winograd.h"

/* Element (n, c, y, x) of an activation is at
 *     n*image + (c / block)*block_stride + c % block + y*row + x*pixel. */
struct rc_winograd_layout {
    int64_t image, block, block_stride, row, pixel;
    int64_t channels; /* that may be touched: whole blocks, or as many as there are */
};

/* What the tiles' code reads. Channels are padded to whole vectors. */
struct rc_winograd_job {
    struct rc_winograd_layout src_layout, dst_layout;
    int64_t batch, height, width, tiles_y, tiles_x;
    int64_t side, positions; /* of a tile: 4 and 36, or 2 and 16 */
    int64_t in_channels, out_channels;
    int64_t out_first, out_count; /* the part of the output channels that is computed */
    int64_t block;                /* tiles that are worked on together */
    const float *weights;         /* [positions][out/LANES][in][LANES] */
    const float *bias;            /* [out] or NULL; zeros behind the last channel */
    bool sum, relu;               /* add what dst holds; max(., 0) */
    bool foresee;                 /* activations may be farther away than the second-level cache */
    const float *src;
    float *dst;
};

static inline int64_t rc_winograd_channel(const struct rc_winograd_layout *l, int64_t c)
{
    return c / l->block * l->block_stride + c % l->block;
}

/* Floats from one position to the next of a block of tiles. The tail keeps the positions from
 * falling into the same cache sets. */
static inline int64_t rc_winograd_step(int64_t tiles, int64_t channels)
{
    return tiles * channels + 16;
}

/* Plain weights as they are read: tap t of the pair (o, i) is at
 *     data[o*out_step + i*in_step + t*tap_step]. */
struct rc_winograd_plain {
    const float *data;
    int64_t in, out, in_step, out_step, tap_step;
};

/* How a job is cut: blocks of tiles times parts of the output channels, equal but for a vector. */
struct rc_winograd_plan {
    struct rc_winograd_job job;
    const struct rc_vector_code *code;
    int64_t tiles, blocks, parts;
    int64_t in_channels, out_channels; /* without padding */
    uint32_t threads;
    size_t per_thread; /* [floats] */
};
/* False where rc_winograd_fits() says no. `split`: output channels may be divided among threads. */
bool rc_winograd_plan_init(struct rc_winograd_plan *p, const struct rc_conv_spec *s, bool split);

static inline int64_t rc_winograd_count(const struct rc_winograd_plan *p, int64_t block)
{
    const int64_t left = p->tiles - block * p->job.block;
    return left < p->job.block ? left : p->job.block;
}
#endif
