#ifndef RC_LIB_QUANT_ROUNDING_H
#define RC_LIB_QUANT_ROUNDING_H
/* How the weights of one layer become integers when it is known what the layer reads. Methods see
 * plain arrays; quant/reconstruct.c walks the graph, layer by layer, and finds scales. */
#include "base/method.h"
#include "quant/blocks.h"

struct rci_rounding_job {
    struct rc_context *ctx;
    size_t d, o;        /* inputs times taps, outputs */
    const double *w;    /* [d][o] the real weights to come close to */
    const double *xx;   /* [d][d] covariance of what the integers will be multiplied with */
    const float *scale; /* [o] */
    int32_t low, top;   /* the integers there are */
    const struct rci_quant_blocks *pairs; /* they must be safe in pairs; NULL: as they are */
    int8_t *q;                            /* [o][d] out */
};

struct rci_rounding {
    struct rci_method m;
    /* NULL: the nearest integers, one layer at a time, without images */
    rc_status (*round)(const void *params, const struct rci_rounding_job *job);
    /* Weights are fitted first to what the layer should give, from what it reads when all before it
     * are quantized; the pull to the weights that were. NULL: not fitted. */
    double (*ridge)(const void *params);
};
extern const struct rci_method_kind rci_kind_rounding;
#endif
