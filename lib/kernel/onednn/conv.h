#ifndef RC_LIB_KERNEL_ONEDNN_CONV_H
#define RC_LIB_KERNEL_ONEDNN_CONV_H
/* Convolution descriptors from a geometry, and a ready integer convolution. */
#include "kernel/onednn/onednn.h"

/* [0] is height, [1] width. */
struct rci_conv_geometry {
    int64_t batch, in_channels, out_channels, groups;
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2], pad_begin[2], pad_end[2];
};

struct rci_shape rci_conv_src_shape(const struct rci_conv_geometry *g);
struct rci_shape rci_conv_dst_shape(const struct rci_conv_geometry *g);
/* [O, I/g, kh, kw], or [g, O/g, I/g, kh, kw] as oneDNN wants it when grouped: the same bytes. */
struct rci_shape rci_conv_weights_shape(const struct rci_conv_geometry *g);

/* Where element (n, c, y, x) of an activation is whose channels lie together:
 *     n*image + (c >> shift)*block_stride + (c & ((1 << shift) - 1)) + y*row + x*pixel. */
struct rci_conv_layout {
    int64_t image, block_stride, row, pixel;
    int shift;        /* blocks of 1 << shift channels; without blocks RC_CONV_NO_BLOCKS */
    int64_t channels; /* that may be touched: whole blocks, or as many as there are */
};
enum { RC_CONV_NO_BLOCKS = 40 }; /* larger than any number of channels */
/* False where channels do not lie together, whole or in blocks. */
bool rci_conv_layout_of(const struct rci_md *md, struct rci_conv_layout *l);
/* Channels from a multiple of `unit` on, a power of two, lie side by side. */
static inline bool rci_conv_layout_in(const struct rci_conv_layout *l, int64_t unit)
{
    return ((int64_t) 1 << l->shift) % unit == 0;
}
static inline int64_t rci_conv_channel(const struct rci_conv_layout *l, int64_t c)
{
    return (c >> l->shift) * l->block_stride + (c & (((int64_t) 1 << l->shift) - 1));
}

/* One direction. NULL descriptors mean `any` (src, weights, dst) or absent (bias). */
struct rci_conv_request {
    const struct rci_conv_geometry *geometry;
    dnnl_prop_kind_t prop;
    const struct rci_md *src, *weights, *bias, *dst;
    enum rci_dtype src_type, weights_type, dst_type; /* of those that are NULL; 0: f32 */
    const_dnnl_primitive_desc_t hint;
    const_dnnl_primitive_attr_t attr;
    uint32_t skip;
};
rc_status rci_conv_describe(dnnl_primitive_desc_t *pd, struct rci_engine *e,
                            const struct rci_conv_request *r);
/* The same with *pd NULL where oneDNN has no kernel but its reference loop. */
rc_status rci_conv_describe_fast(dnnl_primitive_desc_t *pd, struct rci_engine *e,
                                 const struct rci_conv_request *r);

/* An integer layer, channels last:
 *     y = clamp(round(m((sum + bias) * scale) + res_scale * residual)) in steps of y,
 * where m rounds to multiples `mid` between -128 and 127 of them when mid > 0. */
struct rci_qkernel_set;
struct rci_conv_integers {
    enum rci_dtype src, dst, res; /* U8, S8; dst also F32; res 0: none, else dst has one byte and
                                     holds the residual */
    const int8_t *weights;        /* plain [out][in][kh][kw]: whether sums fit depends on them */
    const float *scale, *bias;    /* [out]; copied */
    float mid, res_scale;
    const struct rci_qkernel_set *set; /* vector code; NULL: the best of this processor */
};

/* What a kernel of our own is asked for. */
struct rci_conv_spec {
    const struct rci_conv_geometry *geometry;
    const struct rci_md *src, *dst; /* NULL is plain */
    bool bias, sum, relu;           /* add a bias, what dst holds; then max(., 0) */
    uint32_t threads;
    const struct rci_cpu *cpu;
    const struct rci_conv_integers *integers; /* NULL: f32 or bf16, as the layouts say; else layouts
                                                 are NULL, and bias and sum not used */
};

/* src and dst are different memory. */
struct rci_conv_args {
    const void *src;
    const void *weights; /* packed by the kernel */
    const float *bias;   /* so too; NULL where the spec has none */
    void *dst, *scratch;
};

/* Integer convolution: u8 or s8 sources, s8 weights that are already quantized (plain, packed by a
 * reorder to weights_md), f32 bias in real units kept inside. A residual is added to what dst
 * holds. A matrix product is the geometry with 1x1 everything. Described only: rci_prim_new() of
 * prim comes before the first run. */
struct rci_int8_conv_spec {
    const struct rci_conv_geometry *geometry;
    struct rci_int8_scales scales;
    enum rci_dtype src, dst; /* dst: RC_U8, RC_S8 or RC_F32 */
    const float *bias;       /* [out_channels] or NULL */
};
struct rci_int8_conv {
    struct rci_prim prim;
    const struct rci_md *src_md, *weights_md, *dst_md;
    float *bias;
};
rc_status rci_int8_conv_new(struct rci_int8_conv **out, struct rci_engine *e,
                            const struct rci_int8_conv_spec *s);
rc_status rci_int8_conv_run(struct rci_int8_conv *c, const void *src, const void *weights,
                            void *dst, void *scratch);
void rci_int8_conv_free(struct rci_int8_conv *c);
#endif
