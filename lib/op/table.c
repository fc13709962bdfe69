#include "op/table.h"

#include <string.h>

/* Sorted by name. Adding an operator = one file here in op/ and one line in each list. */
extern const struct rc_op rc_op_add;
extern const struct rc_op rc_op_averagepool;
extern const struct rc_op rc_op_batchnormalization;
extern const struct rc_op rc_op_cast;
extern const struct rc_op rc_op_clip;
extern const struct rc_op rc_op_concat;
extern const struct rc_op rc_op_constantofshape;
extern const struct rc_op rc_op_conv;
extern const struct rc_op rc_op_dequantizelinear;
extern const struct rc_op rc_op_div;
extern const struct rc_op rc_op_dropout;
extern const struct rc_op rc_op_expand;
extern const struct rc_op rc_op_flatten;
extern const struct rc_op rc_op_gather;
extern const struct rc_op rc_op_gemm;
extern const struct rc_op rc_op_globalaveragepool;
extern const struct rc_op rc_op_hardsigmoid;
extern const struct rc_op rc_op_hardswish;
extern const struct rc_op rc_op_identity;
extern const struct rc_op rc_op_leakyrelu;
extern const struct rc_op rc_op_matmul;
extern const struct rc_op rc_op_maxpool;
extern const struct rc_op rc_op_mul;
extern const struct rc_op rc_op_pad;
extern const struct rc_op rc_op_qadd;
extern const struct rc_op rc_op_qconv;
extern const struct rc_op rc_op_qpool;
extern const struct rc_op rc_op_quantizelinear;
extern const struct rc_op rc_op_reducemean;
extern const struct rc_op rc_op_relu;
extern const struct rc_op rc_op_reshape;
extern const struct rc_op rc_op_shape;
extern const struct rc_op rc_op_sigmoid;
extern const struct rc_op rc_op_slice;
extern const struct rc_op rc_op_softmax;
extern const struct rc_op rc_op_split;
extern const struct rc_op rc_op_squeeze;
extern const struct rc_op rc_op_sub;
extern const struct rc_op rc_op_transpose;
extern const struct rc_op rc_op_unsqueeze;

static const struct rc_op *const ops[] = {
    &rc_op_add,
    &rc_op_averagepool,
    &rc_op_batchnormalization,
    &rc_op_cast,
    &rc_op_clip,
    &rc_op_concat,
    &rc_op_constantofshape,
    &rc_op_conv,
    &rc_op_dequantizelinear,
    &rc_op_div,
    &rc_op_dropout,
    &rc_op_expand,
    &rc_op_flatten,
    &rc_op_gather,
    &rc_op_gemm,
    &rc_op_globalaveragepool,
    &rc_op_hardsigmoid,
    &rc_op_hardswish,
    &rc_op_identity,
    &rc_op_leakyrelu,
    &rc_op_matmul,
    &rc_op_maxpool,
    &rc_op_mul,
    &rc_op_pad,
    &rc_op_qadd,
    &rc_op_qconv,
    &rc_op_qpool,
    &rc_op_quantizelinear,
    &rc_op_reducemean,
    &rc_op_relu,
    &rc_op_reshape,
    &rc_op_shape,
    &rc_op_sigmoid,
    &rc_op_slice,
    &rc_op_softmax,
    &rc_op_split,
    &rc_op_squeeze,
    &rc_op_sub,
    &rc_op_transpose,
    &rc_op_unsqueeze,
};

uint32_t rc_op_count(void)
{
    return (uint32_t) (sizeof(ops) / sizeof(ops[0]));
}

const struct rc_op *rc_op_at(uint32_t i)
{
    return i < rc_op_count() ? ops[i] : NULL;
}

static bool same_domain(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

const struct rc_op *rc_op_find(const char *domain, const char *name)
{
    for (uint32_t i = 0; i < rc_op_count(); i++)
        if (!strcmp(ops[i]->name, name) && same_domain(ops[i]->domain, domain))
            return ops[i];
    return NULL;
}
