#include "op/table.h"

#include <string.h>

/* Sorted by name. Adding an operator = one file here in op/ and one line in each list. */
extern const struct rci_op rci_op_add;
extern const struct rci_op rci_op_averagepool;
extern const struct rci_op rci_op_batchnormalization;
extern const struct rci_op rci_op_cast;
extern const struct rci_op rci_op_clip;
extern const struct rci_op rci_op_concat;
extern const struct rci_op rci_op_constantofshape;
extern const struct rci_op rci_op_conv;
extern const struct rci_op rci_op_dequantizelinear;
extern const struct rci_op rci_op_div;
extern const struct rci_op rci_op_dropout;
extern const struct rci_op rci_op_expand;
extern const struct rci_op rci_op_flatten;
extern const struct rci_op rci_op_gather;
extern const struct rci_op rci_op_gemm;
extern const struct rci_op rci_op_globalaveragepool;
extern const struct rci_op rci_op_hardsigmoid;
extern const struct rci_op rci_op_hardswish;
extern const struct rci_op rci_op_identity;
extern const struct rci_op rci_op_leakyrelu;
extern const struct rci_op rci_op_matmul;
extern const struct rci_op rci_op_maxpool;
extern const struct rci_op rci_op_mul;
extern const struct rci_op rci_op_pad;
extern const struct rci_op rci_op_qadd;
extern const struct rci_op rci_op_qconv;
extern const struct rci_op rci_op_qpool;
extern const struct rci_op rci_op_quantizelinear;
extern const struct rci_op rci_op_reducemean;
extern const struct rci_op rci_op_relu;
extern const struct rci_op rci_op_reshape;
extern const struct rci_op rci_op_shape;
extern const struct rci_op rci_op_sigmoid;
extern const struct rci_op rci_op_slice;
extern const struct rci_op rci_op_softmax;
extern const struct rci_op rci_op_split;
extern const struct rci_op rci_op_squeeze;
extern const struct rci_op rci_op_sub;
extern const struct rci_op rci_op_transpose;
extern const struct rci_op rci_op_unsqueeze;

static const struct rci_op *const ops[] = {
    &rci_op_add,
    &rci_op_averagepool,
    &rci_op_batchnormalization,
    &rci_op_cast,
    &rci_op_clip,
    &rci_op_concat,
    &rci_op_constantofshape,
    &rci_op_conv,
    &rci_op_dequantizelinear,
    &rci_op_div,
    &rci_op_dropout,
    &rci_op_expand,
    &rci_op_flatten,
    &rci_op_gather,
    &rci_op_gemm,
    &rci_op_globalaveragepool,
    &rci_op_hardsigmoid,
    &rci_op_hardswish,
    &rci_op_identity,
    &rci_op_leakyrelu,
    &rci_op_matmul,
    &rci_op_maxpool,
    &rci_op_mul,
    &rci_op_pad,
    &rci_op_qadd,
    &rci_op_qconv,
    &rci_op_qpool,
    &rci_op_quantizelinear,
    &rci_op_reducemean,
    &rci_op_relu,
    &rci_op_reshape,
    &rci_op_shape,
    &rci_op_sigmoid,
    &rci_op_slice,
    &rci_op_softmax,
    &rci_op_split,
    &rci_op_squeeze,
    &rci_op_sub,
    &rci_op_transpose,
    &rci_op_unsqueeze,
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
