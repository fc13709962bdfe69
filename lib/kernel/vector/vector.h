#ifndef RC_LIB_KERNEL_VECTOR_VECTOR_H
#define RC_LIB_KERNEL_VECTOR_VECTOR_H
/* Kernels of our own in f32, and Winograd's in bf16: one source, compiled once per instruction set
 * by vector_*.c. */
#include "kernel/onednn/conv.h"

/* The vector code is compiled. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define RC_VECTOR_SETS 1
#else
#define RC_VECTOR_SETS 0
#endif

struct rci_winograd_job;
struct rci_winograd_piece;
struct rci_winograd_plain;
struct rci_direct_job;
struct rci_gemm_block;
struct rci_gemm_pack;

/* Names in the order of the code that has two forms: Winograd's tiles of 4x4, of 2x2. */
struct rci_vector_code {
    const char *winograd[2], *direct, *gemm_name; /* for profiles */
    int64_t lanes;
    int64_t rows, rows_1;               /* tiles, or pixels, of a register block of two vectors of
                                           output channels, and of one */
    int64_t word;                       /* numbers in 32 bits of what is multiplied */
    const struct rci_vector_code *half; /* the same processor's half vectors, or NULL */

    /* Winograd's stages, see kernel/winograd/code.h. */
    void (*transform_in[2])(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                            float *u);
    void (*products)(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                     const float *u, float *m);
    void (*transform_out[2])(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                             const float *m);
    /* Numbers of neighbouring tiles share words. `dst` holds the output's gradient and is only
     * read. */
    void (*transform_pairs)(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                            float *u);
    void (*transform_gradient)(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                               float *v);
    /* Adds to sums[36][in][out] and, unless NULL, to bias_sums[out]: of whole words only. */
    void (*grad_products)(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                          const float *u, const float *v, float *sums, float *bias_sums);
    /* A vector of sums per position, `step` apart, to taps: those of output channels `first` on,
     * of `out`, lie out_step floats apart. */
    void (*grad_weights)(const float *sums, int64_t step, int64_t first, int64_t out,
                         int64_t out_step, float *plain);
    /* Input channels of a word, from `in` on, and the vector of output channels from `first` on to
     * a vector per position, `step` floats apart; zeros behind the last channel of the output. */
    void (*pack_pair[2])(const struct rci_winograd_plain *g, int64_t first, int64_t in, float *to,
                         int64_t step);

    /* Direct sums, see kernel/direct/code.h: channels [first, end) of one row of outputs, from the
     * window's first row on. */
    void (*direct_row)(const struct rci_direct_job *j, int64_t first, int64_t end,
                       const float *from, float *to);
    /* A register block of one or two vectors and up to rows_1 or rows pixels, see
     * gemm/code.h. */
    void (*gemm[2])(const struct rci_gemm_block *b, int64_t rows);
    void (*gemm_pack)(const struct rci_gemm_pack *p, int64_t rows, float *to);
};
extern const struct rci_vector_code rci_vector_avx2, rci_vector_avx512, rci_vector_avx512vl,
    rci_vector_bf16;

/* Channels padded to whole vectors. */
static inline int64_t rci_vector_pad(int64_t channels, int64_t lanes)
{
    return (channels + lanes - 1) / lanes * lanes;
}

/* A bias of `channels` with zeros behind it, `bytes` in all. */
void rci_vector_pack_bias(const float *plain, int64_t channels, float *packed, size_t bytes);

/* Channels [first, end) that one build computes: a multiple of its vector width, so the last vector
 * may hold channels that the layer does not have. */
struct rci_vector_run {
    const struct rci_vector_code *code;
    int64_t first, end;
};
struct rci_vector_runs {
    struct rci_vector_run run[2];
    int count;
};
/* Channels [first, end) in whole vectors, and what is left in a half one where it fits. */
struct rci_vector_runs rci_vector_runs(const struct rci_vector_code *code, int64_t first,
                                       int64_t end);
/* Where the last of them ends. */
static inline int64_t rci_vector_runs_end(const struct rci_vector_runs *r)
{
    return r->run[r->count - 1].end;
}

/* Of this processor, for activations in f32 or bf16. NULL: there is none. */
const struct rci_vector_code *rci_vector_code_here(const struct rci_cpu *cpu, enum rci_dtype type);
#endif
