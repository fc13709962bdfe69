/* oneDNN 2.6 descriptors and 3.x primitive descriptors, side by side. */
#include "kernel/onednn/compat.h"

#include <string.h>

rc_status rci_dnnl_check(dnnl_status_t st, const char *what)
{
    switch (st) {
    case dnnl_success:
        return RC_OK;
    case dnnl_out_of_memory:
        return rci_fail(RC_ERR_MEMORY, "oneDNN: %s: out of memory", what);
    case dnnl_unimplemented:
    case dnnl_invalid_arguments: /* such as padding as wide as the window: plain loops can */
        return rci_fail(RC_ERR_UNSUPPORTED, "oneDNN has no %s for these arguments", what);
    default:
        return rci_fail(RC_ERR_BACKEND, "oneDNN: %s failed with status %d", what, (int) st);
    }
}

/* The names are the same in both versions, the numbers are not. */
static unsigned norm_flags(unsigned flags)
{
    return (flags & RC_BN_GLOBAL ? (unsigned) dnnl_use_global_stats : 0u) |
           (flags & RC_BN_SCALE ? (unsigned) dnnl_use_scale : 0u) |
           (flags & RC_BN_SHIFT ? (unsigned) dnnl_use_shift : 0u) |
           (flags & RC_BN_RELU ? (unsigned) dnnl_fuse_norm_relu : 0u);
}

#if RC_DNNL_V3
dnnl_status_t rci_dmd_with_tag(dnnl_memory_desc_t *out, int rank, const dnnl_dims_t dims,
                               dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(out, rank, dims, type, tag);
}

dnnl_status_t rci_dmd_with_strides(dnnl_memory_desc_t *out, int rank, const dnnl_dims_t dims,
                                   dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(out, rank, dims, type, strides);
}

dnnl_status_t rci_dmd_clone(dnnl_memory_desc_t *out, rci_dmd from)
{
    return dnnl_memory_desc_clone(out, from);
}

void rci_dmd_clear(dnnl_memory_desc_t *d)
{
    if (*d)
        dnnl_memory_desc_destroy(*d);
    *d = NULL;
}

static void layout_dims(rci_dmd d, dnnl_query_t what, int count, dnnl_dims_t out)
{
    const dnnl_dims_t *dims = NULL;
    if (count && dnnl_memory_desc_query(d, what, &dims) == dnnl_success && dims)
        memcpy(out, *dims, (size_t) count * sizeof(out[0]));
}

void rci_dmd_layout(rci_dmd d, struct rci_dmd_layout *out)
{
    memset(out, 0, sizeof(*out));
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    dnnl_memory_desc_query(d, dnnl_query_ndims_s32, &out->rank);
    dnnl_memory_desc_query(d, dnnl_query_data_type, &out->type);
    dnnl_memory_desc_query(d, dnnl_query_format_kind, &kind);
    layout_dims(d, dnnl_query_dims, out->rank, out->dims);
    layout_dims(d, dnnl_query_padded_dims, out->rank, out->padded);
    out->blocked = kind == dnnl_blocked;
    out->any = kind == dnnl_format_kind_any;
    if (!out->blocked)
        return;
    layout_dims(d, dnnl_query_strides, out->rank, out->strides);
    dnnl_memory_desc_query(d, dnnl_query_inner_nblks_s32, &out->inner_count);
    layout_dims(d, dnnl_query_inner_blks, out->inner_count, out->inner_block);
    layout_dims(d, dnnl_query_inner_idxs, out->inner_count, out->inner_axis);
}

static dnnl_status_t skip_implementations(dnnl_primitive_desc_t pd, uint32_t skip)
{
    dnnl_status_t st = dnnl_success;
    for (uint32_t i = 0; i < skip && st == dnnl_success; i++)
        st = dnnl_primitive_desc_next_impl(pd);
    return st == dnnl_last_impl_reached ? dnnl_unimplemented : st;
}

rc_status rci_dnnl_conv(dnnl_primitive_desc_t *out, dnnl_engine_t e, const struct rci_dnnl_conv *d,
                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    dnnl_status_t st;
    if (d->prop == dnnl_backward_data)
        st = dnnl_convolution_backward_data_primitive_desc_create(
            out, e, dnnl_convolution_direct, d->src, d->weights, d->dst, d->strides, d->dilates,
            d->pad_l, d->pad_r, hint, attr);
    else if (d->prop == dnnl_backward_weights)
        st = dnnl_convolution_backward_weights_primitive_desc_create(
            out, e, dnnl_convolution_direct, d->src, d->weights, d->bias, d->dst, d->strides,
            d->dilates, d->pad_l, d->pad_r, hint, attr);
    else
        st = dnnl_convolution_forward_primitive_desc_create(
            out, e, d->prop, dnnl_convolution_direct, d->src, d->weights, d->bias, d->dst,
            d->strides, d->dilates, d->pad_l, d->pad_r, attr);
    if (st == dnnl_success && (st = skip_implementations(*out, d->skip)) != dnnl_success) {
        dnnl_primitive_desc_destroy(*out);
        *out = NULL;
    }
    return rci_dnnl_check(st, "convolution");
}

rc_status rci_dnnl_pool(dnnl_primitive_desc_t *out, dnnl_engine_t e, const struct rci_dnnl_pool *d,
                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    const dnnl_status_t st =
        d->prop == dnnl_backward
            ? dnnl_pooling_backward_primitive_desc_create(out, e, d->alg, d->src, d->dst,
                                                          d->strides, d->kernel, d->dilates,
                                                          d->pad_l, d->pad_r, hint, attr)
            : dnnl_pooling_forward_primitive_desc_create(out, e, d->prop, d->alg, d->src, d->dst,
                                                         d->strides, d->kernel, d->dilates,
                                                         d->pad_l, d->pad_r, attr);
    return rci_dnnl_check(st, "pooling");
}

rc_status rci_dnnl_norm(dnnl_primitive_desc_t *out, dnnl_engine_t e, const struct rci_dnnl_norm *d,
                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    const dnnl_status_t st =
        d->diff ? dnnl_batch_normalization_backward_primitive_desc_create(
                      out, e, d->prop, d->diff, d->diff, d->src, d->epsilon, norm_flags(d->flags),
                      hint, attr)
                : dnnl_batch_normalization_forward_primitive_desc_create(
                      out, e, d->prop, d->src, d->src, d->epsilon, norm_flags(d->flags), attr);
    return rci_dnnl_check(st, "batch normalization");
}

rc_status rci_dnnl_product(dnnl_primitive_desc_t *out, dnnl_engine_t e,
                           const struct rci_dnnl_product *d, const_dnnl_primitive_desc_t hint,
                           const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    dnnl_status_t st;
    if (d->prop == dnnl_backward_data)
        st = dnnl_inner_product_backward_data_primitive_desc_create(out, e, d->src, d->weights,
                                                                    d->dst, hint, attr);
    else if (d->prop == dnnl_backward_weights)
        st = dnnl_inner_product_backward_weights_primitive_desc_create(out, e, d->src, d->weights,
                                                                       d->bias, d->dst, hint, attr);
    else
        st = dnnl_inner_product_forward_primitive_desc_create(out, e, d->prop, d->src, d->weights,
                                                              d->bias, d->dst, attr);
    return rci_dnnl_check(st, "inner product");
}

rc_status rci_dnnl_matmul(dnnl_primitive_desc_t *out, dnnl_engine_t e, rci_dmd src, rci_dmd weights,
                          rci_dmd dst, const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    return rci_dnnl_check(dnnl_matmul_primitive_desc_create(out, e, src, weights, NULL, dst, attr),
                          "matmul");
}

rc_status rci_dnnl_binary(dnnl_primitive_desc_t *out, dnnl_engine_t e, dnnl_alg_kind_t alg,
                          const rci_dmd operands[3], const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    return rci_dnnl_check(
        dnnl_binary_primitive_desc_create(out, e, alg, operands[0], operands[1], operands[2], attr),
        "binary");
}

rc_status rci_dnnl_concat(dnnl_primitive_desc_t *out, dnnl_engine_t e,
                          const struct rci_dnnl_concat *d, const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    return rci_dnnl_check(
        dnnl_concat_primitive_desc_create(out, e, d->dst, (int) d->count, d->axis, d->src, attr),
        "concat");
}

dnnl_status_t rci_dnnl_append_sum(dnnl_post_ops_t po, float scale, dnnl_data_type_t type)
{
    return dnnl_post_ops_append_sum(po, scale, 0, type);
}

dnnl_status_t rci_dnnl_append_eltwise(dnnl_post_ops_t po, dnnl_alg_kind_t alg, float a, float b)
{
    return dnnl_post_ops_append_eltwise(po, alg, a, b);
}

#else /* 2.6 */

dnnl_status_t rci_dmd_with_tag(dnnl_memory_desc_t *out, int rank, const dnnl_dims_t dims,
                               dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(out, rank, dims, type, tag);
}

dnnl_status_t rci_dmd_with_strides(dnnl_memory_desc_t *out, int rank, const dnnl_dims_t dims,
                                   dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_init_by_strides(out, rank, dims, type, strides);
}

dnnl_status_t rci_dmd_clone(dnnl_memory_desc_t *out, rci_dmd from)
{
    *out = *from;
    return dnnl_success;
}

void rci_dmd_clear(dnnl_memory_desc_t *d)
{
    memset(d, 0, sizeof(*d));
}

void rci_dmd_layout(rci_dmd d, struct rci_dmd_layout *out)
{
    memset(out, 0, sizeof(*out));
    out->rank = d->ndims;
    out->type = d->data_type;
    memcpy(out->dims, d->dims, sizeof(out->dims));
    memcpy(out->padded, d->padded_dims, sizeof(out->padded));
    out->blocked = d->format_kind == dnnl_blocked;
    out->any = d->format_kind == dnnl_format_kind_any;
    if (!out->blocked)
        return;
    const dnnl_blocking_desc_t *b = &d->format_desc.blocking;
    out->inner_count = b->inner_nblks;
    memcpy(out->strides, b->strides, sizeof(out->strides));
    memcpy(out->inner_block, b->inner_blks, sizeof(out->inner_block));
    memcpy(out->inner_axis, b->inner_idxs, sizeof(out->inner_axis));
}

/* 2.x reaches later implementations only through an iterator. */
static dnnl_status_t create_nth(dnnl_primitive_desc_t *out, const_dnnl_op_desc_t d,
                                const_dnnl_primitive_attr_t attr, dnnl_engine_t e,
                                const_dnnl_primitive_desc_t hint, uint32_t skip)
{
    dnnl_primitive_desc_iterator_t it = NULL;
    dnnl_status_t st = dnnl_primitive_desc_iterator_create(&it, d, attr, e, hint);
    for (uint32_t i = 0; i < skip && st == dnnl_success; i++)
        st = dnnl_primitive_desc_iterator_next(it);
    if (st == dnnl_success) {
        *out = dnnl_primitive_desc_iterator_fetch(it);
        st = *out ? dnnl_success : dnnl_out_of_memory;
    }
    if (it)
        dnnl_primitive_desc_iterator_destroy(it);
    return st == dnnl_iterator_ends ? dnnl_unimplemented : st;
}

rc_status rci_dnnl_conv(dnnl_primitive_desc_t *out, dnnl_engine_t e, const struct rci_dnnl_conv *d,
                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    dnnl_convolution_desc_t desc;
    dnnl_status_t st;
    if (d->prop == dnnl_backward_data)
        st = dnnl_dilated_convolution_backward_data_desc_init(
            &desc, dnnl_convolution_direct, d->src, d->weights, d->dst, d->strides, d->dilates,
            d->pad_l, d->pad_r);
    else if (d->prop == dnnl_backward_weights)
        st = dnnl_dilated_convolution_backward_weights_desc_init(
            &desc, dnnl_convolution_direct, d->src, d->weights, d->bias, d->dst, d->strides,
            d->dilates, d->pad_l, d->pad_r);
    else
        st = dnnl_dilated_convolution_forward_desc_init(&desc, d->prop, dnnl_convolution_direct,
                                                        d->src, d->weights, d->bias, d->dst,
                                                        d->strides, d->dilates, d->pad_l, d->pad_r);
    if (st == dnnl_success)
        st = create_nth(out, &desc, attr, e, hint, d->skip);
    return rci_dnnl_check(st, "convolution");
}

rc_status rci_dnnl_pool(dnnl_primitive_desc_t *out, dnnl_engine_t e, const struct rci_dnnl_pool *d,
                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    dnnl_pooling_v2_desc_t desc;
    dnnl_status_t st =
        d->prop == dnnl_backward
            ? dnnl_pooling_v2_backward_desc_init(&desc, d->alg, d->src, d->dst, d->strides,
                                                 d->kernel, d->dilates, d->pad_l, d->pad_r)
            : dnnl_pooling_v2_forward_desc_init(&desc, d->prop, d->alg, d->src, d->dst, d->strides,
                                                d->kernel, d->dilates, d->pad_l, d->pad_r);
    if (st == dnnl_success)
        st = dnnl_primitive_desc_create(out, &desc, attr, e, hint);
    return rci_dnnl_check(st, "pooling");
}

rc_status rci_dnnl_norm(dnnl_primitive_desc_t *out, dnnl_engine_t e, const struct rci_dnnl_norm *d,
                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    dnnl_batch_normalization_desc_t desc;
    dnnl_status_t st =
        d->diff ? dnnl_batch_normalization_backward_desc_init(&desc, d->prop, d->diff, d->src,
                                                              d->epsilon, norm_flags(d->flags))
                : dnnl_batch_normalization_forward_desc_init(&desc, d->prop, d->src, d->epsilon,
                                                             norm_flags(d->flags));
    if (st == dnnl_success)
        st = dnnl_primitive_desc_create(out, &desc, attr, e, hint);
    return rci_dnnl_check(st, "batch normalization");
}

rc_status rci_dnnl_product(dnnl_primitive_desc_t *out, dnnl_engine_t e,
                           const struct rci_dnnl_product *d, const_dnnl_primitive_desc_t hint,
                           const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    dnnl_inner_product_desc_t desc;
    dnnl_status_t st;
    if (d->prop == dnnl_backward_data)
        st = dnnl_inner_product_backward_data_desc_init(&desc, d->src, d->weights, d->dst);
    else if (d->prop == dnnl_backward_weights)
        st = dnnl_inner_product_backward_weights_desc_init(&desc, d->src, d->weights, d->bias,
                                                           d->dst);
    else
        st = dnnl_inner_product_forward_desc_init(&desc, d->prop, d->src, d->weights, d->bias,
                                                  d->dst);
    if (st == dnnl_success)
        st = dnnl_primitive_desc_create(out, &desc, attr, e, hint);
    return rci_dnnl_check(st, "inner product");
}

rc_status rci_dnnl_matmul(dnnl_primitive_desc_t *out, dnnl_engine_t e, rci_dmd src, rci_dmd weights,
                          rci_dmd dst, const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    dnnl_matmul_desc_t desc;
    dnnl_status_t st = dnnl_matmul_desc_init(&desc, src, weights, NULL, dst);
    if (st == dnnl_success)
        st = dnnl_primitive_desc_create(out, &desc, attr, e, NULL);
    return rci_dnnl_check(st, "matmul");
}

rc_status rci_dnnl_binary(dnnl_primitive_desc_t *out, dnnl_engine_t e, dnnl_alg_kind_t alg,
                          const rci_dmd operands[3], const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    dnnl_binary_desc_t desc;
    dnnl_status_t st = dnnl_binary_desc_init(&desc, alg, operands[0], operands[1], operands[2]);
    if (st == dnnl_success)
        st = dnnl_primitive_desc_create(out, &desc, attr, e, NULL);
    return rci_dnnl_check(st, "binary");
}

rc_status rci_dnnl_concat(dnnl_primitive_desc_t *out, dnnl_engine_t e,
                          const struct rci_dnnl_concat *d, const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    dnnl_memory_desc_t src[RC_DNNL_MAX_CONCAT];
    for (uint32_t i = 0; i < d->count; i++)
        src[i] = *d->src[i];
    return rci_dnnl_check(
        dnnl_concat_primitive_desc_create(out, d->dst, (int) d->count, d->axis, src, attr, e),
        "concat");
}

dnnl_status_t rci_dnnl_append_sum(dnnl_post_ops_t po, float scale, dnnl_data_type_t type)
{
    /* inner products refuse a stated type even when it is the destination's */
    const bool stated = type != dnnl_f32 && type != dnnl_bf16;
    return dnnl_post_ops_append_sum_v2(po, scale, stated ? type : dnnl_data_type_undef);
}

dnnl_status_t rci_dnnl_append_eltwise(dnnl_post_ops_t po, dnnl_alg_kind_t alg, float a, float b)
{
    return dnnl_post_ops_append_eltwise(po, 1.0f, alg, a, b);
}
#endif

rc_status rci_dnnl_reorder(dnnl_primitive_desc_t *out, dnnl_engine_t e, rci_dmd from, rci_dmd to,
                           const_dnnl_primitive_attr_t attr)
{
    *out = NULL;
    return rci_dnnl_check(dnnl_reorder_primitive_desc_create(out, from, e, to, e, attr), "reorder");
}

dnnl_alg_kind_t rci_dnnl_average(bool include_pad)
{
    return include_pad ? dnnl_pooling_avg_include_padding : dnnl_pooling_avg_exclude_padding;
}
