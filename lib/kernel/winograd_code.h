#ifndef RC_LIB_KERNEL_WINOGRAD_CODE_H
#define RC_LIB_KERNEL_WINOGRAD_CODE_H
/* What winograd.c and winograd_grad.c share with the vector code. */
#include "kernel/winograd.h"

/* The vector code is compiled. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define RC_WINOGRAD_SETS 1
#else
#define RC_WINOGRAD_SETS 0
#endif

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
    int64_t in_channels, out_channels;
    int64_t out_first, out_count; /* the part of the output channels that is computed */
    int64_t block;                /* tiles that are worked on together */
    const float *weights;         /* [36][out/LANES][in][LANES] */
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

/* Floats from one position to the next of a block of tiles. The tail keeps the 36 positions from
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

/* One instruction set. Tiles are [first, first + count), count <= block; scratch is that of one
 * thread, per_thread floats. */
struct rc_winograd_code {
    const char *name;
    int64_t lanes;
    int64_t rows; /* tiles of a register block */
    void (*tiles)(const struct rc_winograd_job *j, int64_t first, int64_t count, float *scratch);
    /* Adds to sums[36][in][out] and, unless NULL, to bias_sums[out]; `dst` holds the output's
     * gradient and is only read. */
    void (*grad_tiles)(const struct rc_winograd_job *j, int64_t first, int64_t count,
                       float *scratch, float *sums, float *bias_sums);
    /* A vector of sums per position, `step` apart, to taps: those of output channels `first` on,
     * of `out`, lie out_step floats apart. */
    void (*grad_weights)(const float *sums, int64_t step, int64_t first, int64_t out,
                         int64_t out_step, float *plain);
    /* Input channel `in` and the vector of output channels from `first` on to 36 vectors `step`
     * floats apart; zeros behind the last channel of either. */
    void (*pack_pair)(const struct rc_winograd_plain *g, int64_t first, int64_t in, float *to,
                      int64_t step);
};
extern const struct rc_winograd_code rc_winograd_avx2, rc_winograd_avx512, rc_winograd_avx512vl;

/* How a job is cut: blocks of tiles times parts of the output channels, equal but for a vector. */
struct rc_winograd_plan {
    struct rc_winograd_job job;
    const struct rc_winograd_code *code;
    int64_t tiles, blocks, parts;
    int64_t in_channels, out_channels; /* without padding */
    uint32_t threads;
    size_t per_thread; /* [floats] */
};
/* False where rc_winograd_fits() says no. `split`: output channels may be divided among threads. */
bool rc_winograd_plan_init(struct rc_winograd_plan *p, const struct rc_winograd_spec *s,
                           bool split);

static inline int64_t rc_winograd_count(const struct rc_winograd_plan *p, int64_t block)
{
    const int64_t left = p->tiles - block * p->job.block;
    return left < p->job.block ? left : p->job.block;
}
#endif
