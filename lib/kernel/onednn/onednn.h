#ifndef RC_LIB_KERNEL_ONEDNN_ONEDNN_H
#define RC_LIB_KERNEL_ONEDNN_ONEDNN_H
/* For kernel/ and op/ only: descriptors of the engine's pool as oneDNN sees them, primitives that
 * run without allocating, and attributes (post-ops, integer scales). */
#include "kernel/onednn/compat.h"
#include "kernel/onednn/engine.h"
#include "kernel/prep.h"

struct rci_md {
    dnnl_memory_desc_t d;
    enum rci_dtype dtype;
    struct rci_shape shape;
    bool any, plain;
    size_t bytes;
    struct rci_md *next; /* in the pool */
};

dnnl_engine_t rci_engine_handle(const struct rci_engine *e);
dnnl_stream_t rci_engine_stream(const struct rci_engine *e);
struct rc_context *rci_engine_context(const struct rci_engine *e);
/* At least `bytes` of memory for timing layers, zero unless a trial has written to it; good until
 * the next call. Kept from layer to layer; rci_engine_settle() (engine.h) releases it. */
void *rci_engine_trial(struct rci_engine *e, size_t bytes);

/* NULL stays NULL. */
static inline rci_dmd rci_md_dnnl(const struct rci_md *md)
{
    return md ? RC_DMD(md->d) : NULL;
}

/* Pool entry equal to `d`. */
rc_status rci_md_intern(struct rci_engine *e, rci_dmd d, const struct rci_md **out);
/* Pool entry of what a primitive descriptor wants (dnnl_query_src_md and so on). */
rc_status rci_md_query(struct rci_engine *e, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                       int index, const struct rci_md **out);
/* A layout by its name, such as dnnl_nChw16c. */
rc_status rci_md_tagged(struct rci_engine *e, enum rci_dtype d, const struct rci_shape *s,
                        dnnl_format_tag_t tag, const struct rci_md **out);
rc_status rci_md_strided(struct rci_engine *e, enum rci_dtype d, const struct rci_shape *s,
                         const int64_t *strides, const struct rci_md **out);
/* Of an [N, C, H, W] shape. */
rc_status rci_md_channels_last(struct rci_engine *e, enum rci_dtype d, const struct rci_shape *s,
                               const struct rci_md **out);

/* --- primitives --- */
enum { RC_PRIM_ARGS = 24 };

/* A primitive with its argument list prebuilt. Handles are set again only when they changed: in
 * 2.x setting one may write the zero padding, and sessions keep their buffers. Fixed arguments
 * (scales) come after the bound ones and keep their own storage. */
struct rci_prim {
    struct rci_engine *engine;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t prim;
    uint32_t n_bound, n_args;
    dnnl_exec_arg_t arg[RC_PRIM_ARGS];
    void *handle[RC_PRIM_ARGS];
    void *owned[RC_PRIM_ARGS]; /* storage of fixed arguments */
    dnnl_memory_t scratchpad;
    void *scratch_handle;
    size_t scratch; /* [bytes] */
};

/* Takes over `pd` (also on failure). `p` must be zeroed; rci_prim_clear accepts half-built ones. */
rc_status rci_prim_init(struct rci_prim *p, struct rci_engine *e, dnnl_primitive_desc_t pd);
/* The same in two steps: creating compiles the kernel, a primitive that will not run needs none.
 * Creating twice does nothing. */
rc_status rci_prim_describe(struct rci_prim *p, struct rci_engine *e, dnnl_primitive_desc_t pd);
rc_status rci_prim_new(struct rci_prim *p);
void rci_prim_clear(struct rci_prim *p);
/* Append an argument; rci_prim_run() takes handles in the order of these calls. */
rc_status rci_prim_bind(struct rci_prim *p, int arg, const struct rci_md *md);
/* An argument with constant contents: `count` floats, copied. After all rci_prim_bind calls. */
rc_status rci_prim_fix(struct rci_prim *p, int arg, const float *values, int64_t count);
/* handle[n_bound]; scratch of p->scratch bytes. Allocates nothing. */
rc_status rci_prim_run(struct rci_prim *p, void *const *handle, void *scratch);
/* Implementation name such as "jit:avx512_core"; lives as long as `p`. */
const char *rci_prim_name(const struct rci_prim *p);
const char *rci_pd_name(const_dnnl_primitive_desc_t pd);
/* True for oneDNN's own slow fallback. */
bool rci_pd_is_reference(const_dnnl_primitive_desc_t pd);

/* --- attributes --- */
/* User scratchpad mode, deterministic where the version knows it. Destroy with
 * dnnl_primitive_attr_destroy(). */
rc_status rci_attr_new(dnnl_primitive_attr_t *out);
/* node->post as post-ops. ADD becomes `sum` into the destination, which is of type `sum`, and its
 * operand is put in *in_place (at most one; -1 when there is none). RC_ERR_UNSUPPORTED for what
 * cannot be fused. */
rc_status rci_attr_posts(dnnl_primitive_attr_t attr, const struct rci_request *req,
                         enum rci_dtype sum, int32_t *in_place);

/* Integer convolution and inner product, symmetric (zero points 0):
 *     real = relu( src*wei[o] * acc + bias[o] + sum*res ),   stored = round(real / dst)
 * With `mid`, what comes before the sum is an s8 of its own scale first:
 *     mid * clamp(round(( src*wei[o] * acc + bias[o] ) / mid), -128, 127). */
struct rci_int8_scales {
    float src, dst;   /* dst 1 when the destination is f32 */
    const float *wei; /* [n_wei] per output channel, or one */
    int64_t n_wei;
    bool grouped; /* weights have a leading group axis */
    bool sum;     /* a residual is added */
    float res;    /* its scale */
    enum rci_dtype res_type;
    bool relu;
    float mid; /* 0: no rounding before the sum */
};
rc_status rci_attr_int8(dnnl_primitive_attr_t attr, const struct rci_int8_scales *s);
/* Scale arguments that 3.x takes at execution (nothing on 2.x). After the binds. */
rc_status rci_prim_fix_int8(struct rci_prim *p, const struct rci_int8_scales *s);
/* The bias as the version wants it: 2.x adds it before the output scale, 3.x after. */
void rci_int8_bias(float *out, const float *bias, int64_t n, const struct rci_int8_scales *s);
#endif
