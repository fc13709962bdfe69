/* Cast: conversion between the library's types. Floats are truncated towards zero and saturate,
 * NaN becomes 0; integers wrap; bool is x != 0. The gradient passes between f32 only.
 * CastLike: to the type of a second operand, whose values do not matter. */
#include "op/attrs.h"
#include "op/common.h"

#include <math.h>
#include <string.h>

static rc_status cast_infer(const struct rci_infer *i)
{
    const struct rci_cast_attrs *a = i->node->attrs;
    RC_TRY(rci_op_infer_same(i, RC_DT_ANY));
    /* an attribute struct of zeros, from a builder */
    if (!rci_dtype_size(a->to))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": no type to cast to", i->node->name);
    i->out[0].dtype = a->to;
    return RC_OK;
}

static rc_status castlike_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_infer_same(i, RC_DT_ANY));
    RC_TRY(rci_op_check_type(i, 1, "target type", RC_DT_ANY));
    i->out[0].dtype = i->in[1].dtype;
    return RC_OK;
}

/* C leaves the conversion of a float beyond the range undefined, ONNX too; saturating is what
 * quantization does. hi of i64 is 2^63, the double next to INT64_MAX. */
static int64_t cast_saturate(double v, enum rci_dtype to)
{
    static const double lo[] = {
        [RC_I64] = -9223372036854775808.0, [RC_I32] = -2147483648.0, [RC_U8] = 0, [RC_S8] = -128};
    static const double hi[] = {
        [RC_I64] = 9223372036854775807.0, [RC_I32] = 2147483647.0, [RC_U8] = 255, [RC_S8] = 127};
    if (isnan(v))
        return 0;
    if (v <= lo[to])
        return to == RC_I64 ? INT64_MIN : (int64_t) lo[to];
    if (v >= hi[to])
        return to == RC_I64 ? INT64_MAX : (int64_t) hi[to];
    return (int64_t) v;
}

/* Element i: the float f when `real`, else the integer n. s8 is stored as u8, which wraps alike. */
static void cast_store(void *y, int64_t i, enum rci_dtype to, bool real, double f, int64_t n)
{
    if (to == RC_F32)
        ((float *) y)[i] = real ? (float) f : (float) n;
    else if (to == RC_F64)
        ((double *) y)[i] = real ? f : (double) n;
    else if (to == RC_BOOL)
        ((uint8_t *) y)[i] = real ? f != 0 : n != 0;
    else {
        const int64_t v = real ? cast_saturate(f, to) : n;
        if (to == RC_I64)
            ((int64_t *) y)[i] = v;
        else if (to == RC_I32)
            ((int32_t *) y)[i] = (int32_t) v;
        else
            ((uint8_t *) y)[i] = (uint8_t) v;
    }
}

static rc_status cast_forward(const struct rci_call *c)
{
    const enum rci_dtype from = c->in[0].dtype, to = c->out[0].dtype;
    const void *x = c->in[0].data;
    if (from == to)
        return rci_op_forward_copy(c);
    const int64_t n = rci_shape_count(&c->in[0].shape);
#pragma omp parallel for schedule(static) if (n >= RC_PARALLEL_MIN)
    for (int64_t i = 0; i < n; i++) {
        double f = 0;
        int64_t v = 0;
        if (from == RC_F32)
            f = (double) ((const float *) x)[i];
        else if (from == RC_F64)
            f = ((const double *) x)[i];
        else if (from == RC_I64)
            v = ((const int64_t *) x)[i];
        else if (from == RC_I32)
            v = ((const int32_t *) x)[i];
        else if (from == RC_S8)
            v = ((const int8_t *) x)[i];
        else
            v = ((const uint8_t *) x)[i];
        cast_store(c->out[0].data, i, to, from == RC_F32 || from == RC_F64, f, v);
    }
    return RC_OK;
}

static rc_status cast_backward(const struct rci_call *c)
{
    if (c->out[0].dtype == RC_F32 && c->in[0].dtype == RC_F32)
        return rci_op_backward_copy(c);
    if (c->d_in[0].data)
        memset(c->d_in[0].data, 0, (size_t) rci_shape_count(&c->in[0].shape) * sizeof(float));
    return RC_OK;
}

static rc_status castlike_backward(const struct rci_call *c)
{
    if (c->d_in[1].data)
        memset(c->d_in[1].data, 0, (size_t) rci_shape_count(&c->in[1].shape) * sizeof(float));
    return cast_backward(c);
}

/* Types have names before opset 6. */
static rc_status cast_named(const struct rci_attrs *a, int64_t *to)
{
    static const char *const names[] = {"",      "FLOAT", "UINT8",  "INT8", "UINT16",  "INT16",
                                        "INT32", "INT64", "STRING", "BOOL", "FLOAT16", "DOUBLE"};
    const char *name;
    RC_TRY(rci_attr_string(a, "to", &name));
    for (*to = sizeof(names) / sizeof(names[0]) - 1; *to > 0 && strcmp(names[*to], name); --*to)
        ;
    return RC_OK;
}

static rc_status cast_read(struct rci_node *n, const struct rci_attrs *a)
{
    int64_t to, saturate;
    const char *round;
    if (rci_attrs_opset(a) < 6)
        RC_TRY(cast_named(a, &to));
    else
        RC_TRY(rci_attr_int(a, "to", 0, &to));
    RC_TRY(rci_attr_int(a, "saturate", 1, &saturate)); /* these two: float 8 only */
    RC_TRY(rci_attr_string(a, "round_mode", &round));
    const enum rci_dtype type = rci_attr_type(to);
    if (!type)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": cast to ONNX type %lld, supported are 1 2 3 6 7 9 10 11 16",
                        n->name, (long long) to);
    ((struct rci_cast_attrs *) n->attrs)->to = type;
    return RC_OK;
}

static rc_status cast_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const enum rci_dtype to = ((const struct rci_cast_attrs *) n->attrs)->to;
    return rci_put_int(w, "to", rci_attr_type_number(w, to));
}

const struct rci_op rci_op_cast = {
    .name = "Cast",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_cast_attrs),
    .flags = RC_OP_SEPARATE | RC_OP_KEEPS | RC_OP_POINTWISE,
    .infer = cast_infer,
    .forward = cast_forward,
    .backward = cast_backward,
    .couple = rci_op_couple_same,
    .read_attrs = cast_read,
    .write_attrs = cast_write,
    .cost = rci_op_cost_elementwise,
};

static rc_status castlike_read(struct rci_node *n, const struct rci_attrs *a)
{
    int64_t saturate;
    const char *mode;
    (void) n;
    RC_TRY(rci_attr_int(a, "saturate", 1, &saturate)); /* float 8 only, as the other */
    return rci_attr_string(a, "round_mode", &mode);
}

const struct rci_op rci_op_castlike = {
    .name = "CastLike",
    RC_OP_ARITY(2, 2, 1, 1),
    .since = 15,
    .flags = RC_OP_SEPARATE | RC_OP_KEEPS,
    .infer = castlike_infer,
    .forward = cast_forward,
    .backward = castlike_backward,
    .couple = rci_op_couple_same,
    .read_attrs = castlike_read,
    .cost = rci_op_cost_elementwise,
};
