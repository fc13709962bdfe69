#ifndef RC_LIB_KERNEL_INT8_QKERNEL_H
#define RC_LIB_KERNEL_INT8_QKERNEL_H
/* Integer convolutions of ours, exact on every processor they run on, channels last.
 *
 * Direct: a slab of input rows with its padding, then dot products over whole runs of kw*C bytes;
 * few channels waste nothing, unlike kernels that pad channels. 8-bit products with VNNI, and
 * without it for weights that are safe in pairs (kernel/int8/pairs.h); else 16-bit ones, whose sums
 * of two fit 32 bits: nothing saturates.
 *
 * Winograd: F(4x4, 3x3) in integers. B'dB of 8-bit pixels fits 16 bits (10 * 10 * 255), and so do
 * the weights when G's rows are scaled to integers. Sums are kept modulo 2^32, where the scale of
 * the result, 24 * 24 = 9 * 64, is undone exactly: 9 has an inverse, and 64 is left in the float
 * scale. That needs |64 * sum| < 2^31 for the weights at hand, which is checked. */
#include "kernel/onednn/conv.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define RC_QKERNEL_SETS 1
#else
#define RC_QKERNEL_SETS 0
#endif
/* The compiler knows AVX-VNNI: vpdpbusd of 256 bits without AVX-512. */
#if RC_QKERNEL_SETS && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define RC_QKERNEL_AVX_VNNI 1
#else
#define RC_QKERNEL_AVX_VNNI 0
#endif

enum rci_qkernel_kind { RC_QKERNEL_DIRECT, RC_QKERNEL_WINOGRAD };

/* What the vector code reads. */
struct rci_qkernel_job {
    const uint8_t *src;
    uint8_t *dst;
    int64_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
    int64_t kernel_h, stride_y, stride_x, dilation_y, pad_y, pad_x;
    int64_t unit;         /* bytes of an element of the slab: 1, or 2 for 16-bit products */
    int64_t run_dwords;   /* of a row of the window */
    int64_t slab_row;     /* [bytes] */
    bool in_place;        /* the source is the slab */
    bool rows_first;      /* all outputs of a row together: the weights stay in cache */
    const void *weights;  /* direct: [out / lanes][kh * run_dwords][lanes] groups of 4 bytes;
                             Winograd: [out / (2 * lanes)][36][2][channels / 2][lanes] pairs */
    int64_t weights_vec;  /* [bytes] of a vector of outputs, of one position */
    const int32_t *start; /* [out] of every sum; NULL: 0 */
    const float *scale, *bias;
    float mid, res_scale, low, high;
    enum rci_dtype src_type, dst_type, res_type;
    bool relu;
    int64_t tiles_y, tiles_x, channels; /* Winograd: channels padded to 16 */
    int64_t u_step, m_step;             /* [bytes] from one position to the next */
};

/* One set of vector code. Ranges of outputs are in channels, multiples of 2 * lanes but the end. */
struct rci_qkernel_set {
    const char *name;
    int lanes, tiles; /* of a register block of Winograd's */
    bool dot8;        /* `direct` multiplies bytes */
    void (*direct)(const struct rci_qkernel_job *j, int64_t image, const int64_t rows[2],
                   const int64_t out[2], void *slab);
    void (*tile_in)(const struct rci_qkernel_job *j, int64_t tile, void *u);
    void (*tiles_out)(const struct rci_qkernel_job *j, const int64_t tiles[2], const int64_t out[2],
                      const void *u, void *m);
    /* Around sums in f32 (qreal.h): elements [first, end) of the source as floats, pixels of sums
     * to the destination. Both may read or write a vector at a time, not behind the last element
     * but for `sums`. NULL, as Winograd's, in sets for `direct` alone. */
    void (*real_in)(const struct rci_qkernel_job *j, int64_t first, int64_t end, float *to);
    void (*real_out)(const struct rci_qkernel_job *j, const int64_t pixels[2], const float *sums);
};
extern const struct rci_qkernel_set rci_qkernel_avx2, rci_qkernel_avx2_pairs, rci_qkernel_avx_vnni,
    rci_qkernel_avx512, rci_qkernel_avx512_pairs, rci_qkernel_vnni;
/* Of this processor, whole. NULL: there is none. */
const struct rci_qkernel_set *rci_qkernel_set_here(const struct rci_cpu *cpu);
/* The one for a kernel: for direct ones without VNNI the weights decide. */
const struct rci_qkernel_set *rci_qkernel_set_for(enum rci_qkernel_kind kind,
                                                  const struct rci_conv_spec *s);

/* Which code direct kernels of a layer run, for keys: "plain" where there is none. */
const char *rci_qkernel_code_name(const struct rci_conv_spec *s);

/* Geometry, types and requantization of a job. */
void rci_qkernel_fill_job(struct rci_qkernel_job *j, const struct rci_conv_spec *s);
/* Scales over `times` and biases times it, a power of two, padded to pairs of vectors of `lanes`;
 * sets the job's. A block to be released; NULL: no memory. */
float *rci_qkernel_scales(struct rci_qkernel_job *j, struct rc_context *c,
                          const struct rci_conv_spec *s, int lanes, float times);
#endif
