#include "op/table.h"

#include <string.h>

/* Sorted by name. Adding an operator = one file here in op/ and one line in each list. */
extern const struct rci_op rci_op_abs;
extern const struct rci_op rci_op_add;
extern const struct rci_op rci_op_and;
extern const struct rci_op rci_op_argmax;
extern const struct rci_op rci_op_argmin;
extern const struct rci_op rci_op_averagepool;
extern const struct rci_op rci_op_batchnormalization;
extern const struct rci_op rci_op_cast;
extern const struct rci_op rci_op_castlike;
extern const struct rci_op rci_op_ceil;
extern const struct rci_op rci_op_celu;
extern const struct rci_op rci_op_clip;
extern const struct rci_op rci_op_concat;
extern const struct rci_op rci_op_constantofshape;
extern const struct rci_op rci_op_conv;
extern const struct rci_op rci_op_convtranspose;
extern const struct rci_op rci_op_dequantizelinear;
extern const struct rci_op rci_op_div;
extern const struct rci_op rci_op_dropout;
extern const struct rci_op rci_op_dynamicquantizelinear;
extern const struct rci_op rci_op_elu;
extern const struct rci_op rci_op_equal;
extern const struct rci_op rci_op_erf;
extern const struct rci_op rci_op_exp;
extern const struct rci_op rci_op_expand;
extern const struct rci_op rci_op_eyelike;
extern const struct rci_op rci_op_fakequant;
extern const struct rci_op rci_op_flatten;
extern const struct rci_op rci_op_floor;
extern const struct rci_op rci_op_gather;
extern const struct rci_op rci_op_gelu;
extern const struct rci_op rci_op_gemm;
extern const struct rci_op rci_op_globalaveragepool;
extern const struct rci_op rci_op_globallppool;
extern const struct rci_op rci_op_globalmaxpool;
extern const struct rci_op rci_op_greater;
extern const struct rci_op rci_op_greaterorequal;
extern const struct rci_op rci_op_groupnormalization;
extern const struct rci_op rci_op_hardsigmoid;
extern const struct rci_op rci_op_hardswish;
extern const struct rci_op rci_op_identity;
extern const struct rci_op rci_op_instancenormalization;
extern const struct rci_op rci_op_layernormalization;
extern const struct rci_op rci_op_leakyrelu;
extern const struct rci_op rci_op_less;
extern const struct rci_op rci_op_lessorequal;
extern const struct rci_op rci_op_log;
extern const struct rci_op rci_op_logsoftmax;
extern const struct rci_op rci_op_lppool;
extern const struct rci_op rci_op_lrn;
extern const struct rci_op rci_op_matmul;
extern const struct rci_op rci_op_max;
extern const struct rci_op rci_op_maxpool;
extern const struct rci_op rci_op_min;
extern const struct rci_op rci_op_mish;
extern const struct rci_op rci_op_mul;
extern const struct rci_op rci_op_neg;
extern const struct rci_op rci_op_not;
extern const struct rci_op rci_op_or;
extern const struct rci_op rci_op_pad;
extern const struct rci_op rci_op_pow;
extern const struct rci_op rci_op_prelu;
extern const struct rci_op rci_op_qadd;
extern const struct rci_op rci_op_qconv;
extern const struct rci_op rci_op_qpool;
extern const struct rci_op rci_op_quantizelinear;
extern const struct rci_op rci_op_range;
extern const struct rci_op rci_op_reciprocal;
extern const struct rci_op rci_op_reducel1;
extern const struct rci_op rci_op_reducel2;
extern const struct rci_op rci_op_reducelogsum;
extern const struct rci_op rci_op_reducelogsumexp;
extern const struct rci_op rci_op_reducemax;
extern const struct rci_op rci_op_reducemean;
extern const struct rci_op rci_op_reducemin;
extern const struct rci_op rci_op_reduceprod;
extern const struct rci_op rci_op_reducesum;
extern const struct rci_op rci_op_reducesumsquare;
extern const struct rci_op rci_op_relu;
extern const struct rci_op rci_op_reshape;
extern const struct rci_op rci_op_resize;
extern const struct rci_op rci_op_round;
extern const struct rci_op rci_op_selu;
extern const struct rci_op rci_op_shape;
extern const struct rci_op rci_op_sigmoid;
extern const struct rci_op rci_op_sign;
extern const struct rci_op rci_op_slice;
extern const struct rci_op rci_op_softmax;
extern const struct rci_op rci_op_softplus;
extern const struct rci_op rci_op_softsign;
extern const struct rci_op rci_op_split;
extern const struct rci_op rci_op_sqrt;
extern const struct rci_op rci_op_squeeze;
extern const struct rci_op rci_op_sub;
extern const struct rci_op rci_op_tanh;
extern const struct rci_op rci_op_thresholdedrelu;
extern const struct rci_op rci_op_tile;
extern const struct rci_op rci_op_topk;
extern const struct rci_op rci_op_transpose;
extern const struct rci_op rci_op_unsqueeze;
extern const struct rci_op rci_op_upsample;
extern const struct rci_op rci_op_where;
extern const struct rci_op rci_op_xor;

static const struct rci_op *const ops[] = {
    &rci_op_abs,
    &rci_op_add,
    &rci_op_and,
    &rci_op_argmax,
    &rci_op_argmin,
    &rci_op_averagepool,
    &rci_op_batchnormalization,
    &rci_op_cast,
    &rci_op_castlike,
    &rci_op_ceil,
    &rci_op_celu,
    &rci_op_clip,
    &rci_op_concat,
    &rci_op_constantofshape,
    &rci_op_conv,
    &rci_op_convtranspose,
    &rci_op_dequantizelinear,
    &rci_op_div,
    &rci_op_dropout,
    &rci_op_dynamicquantizelinear,
    &rci_op_elu,
    &rci_op_equal,
    &rci_op_erf,
    &rci_op_exp,
    &rci_op_expand,
    &rci_op_eyelike,
    &rci_op_fakequant,
    &rci_op_flatten,
    &rci_op_floor,
    &rci_op_gather,
    &rci_op_gelu,
    &rci_op_gemm,
    &rci_op_globalaveragepool,
    &rci_op_globallppool,
    &rci_op_globalmaxpool,
    &rci_op_greater,
    &rci_op_greaterorequal,
    &rci_op_groupnormalization,
    &rci_op_hardsigmoid,
    &rci_op_hardswish,
    &rci_op_identity,
    &rci_op_instancenormalization,
    &rci_op_layernormalization,
    &rci_op_leakyrelu,
    &rci_op_less,
    &rci_op_lessorequal,
    &rci_op_log,
    &rci_op_logsoftmax,
    &rci_op_lppool,
    &rci_op_lrn,
    &rci_op_matmul,
    &rci_op_max,
    &rci_op_maxpool,
    &rci_op_min,
    &rci_op_mish,
    &rci_op_mul,
    &rci_op_neg,
    &rci_op_not,
    &rci_op_or,
    &rci_op_pad,
    &rci_op_pow,
    &rci_op_prelu,
    &rci_op_qadd,
    &rci_op_qconv,
    &rci_op_qpool,
    &rci_op_quantizelinear,
    &rci_op_range,
    &rci_op_reciprocal,
    &rci_op_reducel1,
    &rci_op_reducel2,
    &rci_op_reducelogsum,
    &rci_op_reducelogsumexp,
    &rci_op_reducemax,
    &rci_op_reducemean,
    &rci_op_reducemin,
    &rci_op_reduceprod,
    &rci_op_reducesum,
    &rci_op_reducesumsquare,
    &rci_op_relu,
    &rci_op_reshape,
    &rci_op_resize,
    &rci_op_round,
    &rci_op_selu,
    &rci_op_shape,
    &rci_op_sigmoid,
    &rci_op_sign,
    &rci_op_slice,
    &rci_op_softmax,
    &rci_op_softplus,
    &rci_op_softsign,
    &rci_op_split,
    &rci_op_sqrt,
    &rci_op_squeeze,
    &rci_op_sub,
    &rci_op_tanh,
    &rci_op_thresholdedrelu,
    &rci_op_tile,
    &rci_op_topk,
    &rci_op_transpose,
    &rci_op_unsqueeze,
    &rci_op_upsample,
    &rci_op_where,
    &rci_op_xor,
};

uint32_t rci_op_count(void)
{
    return (uint32_t) (sizeof(ops) / sizeof(ops[0]));
}

const struct rci_op *rci_op_at(uint32_t i)
{
    return i < rci_op_count() ? ops[i] : NULL;
}

static bool same_domain(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

const struct rci_op *rci_op_find(const char *domain, const char *name)
{
    for (uint32_t i = 0; i < rci_op_count(); i++)
        if (!strcmp(ops[i]->name, name) && same_domain(ops[i]->domain, domain))
            return ops[i];
    return NULL;
}
