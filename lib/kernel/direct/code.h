#ifndef RC_LIB_KERNEL_DIRECT_CODE_H
#define RC_LIB_KERNEL_DIRECT_CODE_H
/* What direct.c shares with the vector code. A window's row is one piece of kw * channels floats,
 * because channels lie together and so do pixels; rows of input have their padding beside them.
 * With channels in blocks, a row of input is as many such rows behind each other. */
#include "kernel/vector/vector.h"

struct rci_direct_job {
    int64_t window;  /* floats of a window's row */
    int64_t windows; /* rows of it, of each block of channels */
    int64_t line;    /* floats from a row of input to the next */
    int64_t step;    /* floats from a window to that of the next output */
    int64_t out_w;
    struct rci_conv_layout dst;
    const float *weights; /* [vectors of out][windows][window][lanes] */
    const float *bias;    /* [out] or NULL; zeros behind the last channel */
    bool sum, relu;
};
#endif
