#ifndef RC_LIB_KERNEL_WINOGRAD_H
#define RC_LIB_KERNEL_WINOGRAD_H
/* 3x3 convolution, stride 1, padding 1, by Winograd's F(4x4, 3x3): 36 multiplications per channel
 * pair and 4x4 outputs instead of 144. In f32 its result differs from a direct sum by about 1e-5
 * of the largest output. Works on layouts in which channels lie together, whole or in blocks. */
#include "kernel/conv.h"

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
};

/* What the tiles' code reads. Channels are padded to the layouts' blocks. */
struct rc_winograd_job {
    struct rc_winograd_layout src_layout, dst_layout;
    int64_t batch, height, width, tiles_y, tiles_x;
    int64_t in_channels, out_channels;
    int64_t block;        /* tiles that are worked on together */
    const float *weights; /* [36][out/LANES][in][LANES] */
    const float *bias;    /* [out] or NULL; zeros behind the last channel */
    bool sum, relu;       /* add what dst holds; max(., 0) */
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

/* Tiles [first, first + count), count <= block; scratch as rc_winograd_scratch says, for one
 * thread. Only on processors that have the set. */
void rc_winograd_tiles_avx512(const struct rc_winograd_job *j, int64_t first, int64_t count,
                              float *scratch);
void rc_winograd_tiles_avx2(const struct rc_winograd_job *j, int64_t first, int64_t count,
                            float *scratch);

/* Can it, and may it pay: geometry, layouts (NULL is plain), processor; not few tiles with weights
 * beyond 1 MiB. `threads` that will run it. */
struct rc_winograd_spec {
    const struct rc_conv_geometry *geometry;
    const struct rc_md *src, *dst;
    bool bias, sum, relu;
    uint32_t threads;
};
bool rc_winograd_fits(const struct rc_winograd_spec *s);

struct rc_winograd;
/* RC_ERR_UNSUPPORTED where rc_winograd_fits() says no; RC_ERR_MEMORY. */
rc_status rc_winograd_create(struct rc_winograd **out, struct rc_context *c,
                             const struct rc_winograd_spec *s);
void rc_winograd_destroy(struct rc_winograd *w);
size_t rc_winograd_scratch(const struct rc_winograd *w); /* [bytes] */
const char *rc_winograd_name(const struct rc_winograd *w);

/* Packed constants belong to the caller, who may share and renew them. From plain [out][in][3][3]
 * and [out]; every byte of `packed` is written. */
size_t rc_winograd_weights_bytes(const struct rc_winograd *w);
size_t rc_winograd_bias_bytes(const struct rc_winograd *w);
void rc_winograd_pack_weights(const struct rc_winograd *w, const float *plain, float *packed);
void rc_winograd_pack_bias(const struct rc_winograd *w, const float *plain, float *packed);

struct rc_winograd_args {
    const void *src;
    const float *weights, *bias; /* packed; bias is NULL where the spec has none */
    void *dst, *scratch;
};
/* The same bits for the same number of threads, and for any. */
void rc_winograd_run(const struct rc_winograd *w, const struct rc_winograd_args *a);
#endif
