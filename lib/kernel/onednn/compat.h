#ifndef RC_LIB_KERNEL_ONEDNN_COMPAT_H
#define RC_LIB_KERNEL_ONEDNN_COMPAT_H
/* oneDNN 2.6 and 3.x under one face, shaped like 3.x. Their enum numbers differ, so the choice is
 * made when compiling; nothing outside kernel/ and op/ includes this file. */
#include "base/error.h"
#include <oneapi/dnnl/dnnl.h>

#define RC_DNNL_V3 (DNNL_VERSION_MAJOR >= 3)
#define RC_DNNL_AT_LEAST(major, minor) \
    (DNNL_VERSION_MAJOR > (major) ||   \
     (DNNL_VERSION_MAJOR == (major) && DNNL_VERSION_MINOR >= (minor)))

/* rci_dmd: a borrowed descriptor. dnnl_memory_desc_t is a struct in 2.x and a handle in 3.x;
 * RC_DMD borrows from an owned one. */
#if RC_DNNL_V3
typedef const_dnnl_memory_desc_t rci_dmd;
#define RC_DMD(owned) (owned)
#else
typedef const dnnl_memory_desc_t *rci_dmd;
#define RC_DMD(owned) (&(owned))
#endif

/* RC_OK, or rci_fail() naming `what`: unimplemented or refused gives RC_ERR_UNSUPPORTED, out of
 * memory RC_ERR_MEMORY, everything else RC_ERR_BACKEND. */
rc_status rci_dnnl_check(dnnl_status_t st, const char *what);

dnnl_status_t rci_dmd_with_tag(dnnl_memory_desc_t *out, int rank, const dnnl_dims_t dims,
                               dnnl_data_type_t type, dnnl_format_tag_t tag);
dnnl_status_t rci_dmd_with_strides(dnnl_memory_desc_t *out, int rank, const dnnl_dims_t dims,
                                   dnnl_data_type_t type, const dnnl_dims_t strides);
dnnl_status_t rci_dmd_clone(dnnl_memory_desc_t *out, rci_dmd from);
void rci_dmd_clear(dnnl_memory_desc_t *d);

/* What a descriptor says of itself. `blocked`: strides and inner blocks are meaningful. */
struct rci_dmd_layout {
    int rank, inner_count;
    bool blocked, any;
    dnnl_data_type_t type;
    dnnl_dims_t dims, padded, strides, inner_block, inner_axis;
};
void rci_dmd_layout(rci_dmd d, struct rci_dmd_layout *out);

/* One struct per primitive; which of its descriptors are diffs follows from `prop`, as in 3.x.
 * NULL descriptors are absent operands. `hint` is the forward primitive descriptor (backward
 * only). `skip` walks past that many implementations. */
struct rci_dnnl_conv {
    dnnl_prop_kind_t prop;
    rci_dmd src, weights, bias, dst;
    dnnl_dims_t strides, dilates, pad_l, pad_r; /* dilates: 0 means dense */
    uint32_t skip;
};
struct rci_dnnl_pool {
    dnnl_prop_kind_t prop;
    dnnl_alg_kind_t alg;
    rci_dmd src, dst;
    dnnl_dims_t strides, kernel, dilates, pad_l, pad_r;
};
enum { RC_BN_GLOBAL = 1, RC_BN_SCALE = 2, RC_BN_SHIFT = 4, RC_BN_RELU = 8 };
struct rci_dnnl_norm {
    dnnl_prop_kind_t prop;
    rci_dmd src, diff; /* diff: forward NULL, backward the layout of d_src and d_dst */
    float epsilon;
    unsigned flags; /* RC_BN_* */
};
struct rci_dnnl_product {
    dnnl_prop_kind_t prop;
    rci_dmd src, weights, bias, dst;
};

rc_status rci_dnnl_conv(dnnl_primitive_desc_t *out, dnnl_engine_t e, const struct rci_dnnl_conv *d,
                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr);
rc_status rci_dnnl_pool(dnnl_primitive_desc_t *out, dnnl_engine_t e, const struct rci_dnnl_pool *d,
                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr);
rc_status rci_dnnl_norm(dnnl_primitive_desc_t *out, dnnl_engine_t e, const struct rci_dnnl_norm *d,
                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr);
/* Inner product. */
rc_status rci_dnnl_product(dnnl_primitive_desc_t *out, dnnl_engine_t e,
                           const struct rci_dnnl_product *d, const_dnnl_primitive_desc_t hint,
                           const_dnnl_primitive_attr_t attr);
rc_status rci_dnnl_matmul(dnnl_primitive_desc_t *out, dnnl_engine_t e, rci_dmd src, rci_dmd weights,
                          rci_dmd dst, const_dnnl_primitive_attr_t attr);
rc_status rci_dnnl_binary(dnnl_primitive_desc_t *out, dnnl_engine_t e, dnnl_alg_kind_t alg,
                          const rci_dmd operands[3], const_dnnl_primitive_attr_t attr);
/* `dst` NULL: the library chooses. At most RC_DNNL_MAX_CONCAT sources. */
enum { RC_DNNL_MAX_CONCAT = 16 };
struct rci_dnnl_concat {
    uint32_t count;
    int axis;
    const rci_dmd *src;
    rci_dmd dst;
};
rc_status rci_dnnl_concat(dnnl_primitive_desc_t *out, dnnl_engine_t e,
                          const struct rci_dnnl_concat *d, const_dnnl_primitive_attr_t attr);
rc_status rci_dnnl_reorder(dnnl_primitive_desc_t *out, dnnl_engine_t e, rci_dmd from, rci_dmd to,
                           const_dnnl_primitive_attr_t attr);

dnnl_status_t rci_dnnl_append_sum(dnnl_post_ops_t po, float scale, dnnl_data_type_t type);
dnnl_status_t rci_dnnl_append_eltwise(dnnl_post_ops_t po, dnnl_alg_kind_t alg, float a, float b);
/* Pooling algorithm. */
dnnl_alg_kind_t rci_dnnl_average(bool include_pad);
#endif
