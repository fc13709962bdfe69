#ifndef RC_LIB_KERNEL_VECTOR_H
#define RC_LIB_KERNEL_VECTOR_H
/* Kernels of our own in f32: one source, compiled once per instruction set by vector_*.c. */
#include "kernel/conv.h"

/* The vector code is compiled. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define RC_VECTOR_SETS 1
#else
#define RC_VECTOR_SETS 0
#endif

struct rc_winograd_job;
struct rc_winograd_plain;
struct rc_direct_job;

struct rc_vector_code {
    const char *winograd[2], *direct; /* names for profiles; [1]: tiles of 2x2 */
    int64_t lanes;
    int64_t rows; /* tiles, or pixels, of a register block */

    /* Winograd, see winograd_code.h. Tiles are [first, first + count), count <= block; scratch is
     * that of one thread, per_thread floats. */
    void (*tiles)(const struct rc_winograd_job *j, int64_t first, int64_t count, float *scratch);
    void (*small_tiles)(const struct rc_winograd_job *j, int64_t first, int64_t count,
                        float *scratch);
    /* Adds to sums[36][in][out] and, unless NULL, to bias_sums[out]; `dst` holds the output's
     * gradient and is only read. */
    void (*grad_tiles)(const struct rc_winograd_job *j, int64_t first, int64_t count,
                       float *scratch, float *sums, float *bias_sums);
    /* A vector of sums per position, `step` apart, to taps: those of output channels `first` on,
     * of `out`, lie out_step floats apart. */
    void (*grad_weights)(const float *sums, int64_t step, int64_t first, int64_t out,
                         int64_t out_step, float *plain);
    /* Input channel `in` and the vector of output channels from `first` on to a vector per
     * position, `step` floats apart; zeros behind the last channel of either. */
    void (*pack_pair)(const struct rc_winograd_plain *g, int64_t first, int64_t in, float *to,
                      int64_t step);
    void (*small_pack_pair)(const struct rc_winograd_plain *g, int64_t first, int64_t in, float *to,
                            int64_t step);

    /* Direct sums, see direct_code.h. One row of outputs from the window's first row on. */
    void (*direct_row)(const struct rc_direct_job *j, const float *from, float *to);
};
extern const struct rc_vector_code rc_vector_avx2, rc_vector_avx512, rc_vector_avx512vl;

/* Channels padded to whole vectors. */
static inline int64_t rc_vector_pad(int64_t channels, int64_t lanes)
{
    return (channels + lanes - 1) / lanes * lanes;
}

/* A bias of `channels` with zeros behind it, `bytes` in all. */
void rc_vector_pack_bias(const float *plain, int64_t channels, float *packed, size_t bytes);

/* Of this processor; `narrow`: in half of its widest vectors. NULL: there is none. */
const struct rc_vector_code *rc_vector_code_here(bool narrow);
#endif
