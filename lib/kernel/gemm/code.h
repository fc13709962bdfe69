#ifndef RC_LIB_KERNEL_GEMM_CODE_H
#define RC_LIB_KERNEL_GEMM_CODE_H
/* What gemm.c shares with the vector code. */
#include "kernel/vector/vector.h"

/* A register block: `rows` pixels of the output times one or two vectors of its channels, summed
 * over `groups` of LANES input channels at one tap each. */
struct rci_gemm_block {
    const float *pixels;  /* packed: [groups][rows][LANES] */
    const float *weights; /* packed: [groups][LANES][vectors][LANES] */
    int64_t groups;
    const float *bias; /* [vectors][LANES], or NULL; where sums begin if `first` */
    float *sums;       /* [rows][vectors][LANES]: where they begin if not `first`, and end if
                          not `last` */
    bool first, last;
    float *const *to;   /* [rows]: channel 0 of a pixel of the output, where they end if `last` */
    int64_t vector[2];  /* floats from there to the vectors */
    int64_t lanes_left; /* lanes of the last vector that the output has */
    bool sum, relu;     /* at the end: add what `to` holds; max(., 0) */
};

/* Input channels of `rows` pixels at one tap, [groups][rows][LANES]. */
struct rci_gemm_pack {
    const float *const *from; /* [rows]: a pixel's first channel; NULL: padding */
    int64_t advance;          /* floats from a group of LANES channels to the next */
    int64_t channels;         /* behind the last are zeros */
};
#endif
