/* Engine, the pool of memory descriptors, and reorders. */
#include "kernel/choice/trial.h"
#include "kernel/onednn/kept.h"

#include <stdio.h>
#include <string.h>

struct kept {
    struct kept *next;
    dnnl_primitive_desc_t pd;
    size_t size;
    unsigned char key[RC_KEPT_KEY];
};

struct rci_engine {
    struct rc_context *ctx;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct rci_md *pool;
    struct kept *kept;
    void *trial;
    size_t trial_bytes;
};

rc_status rci_engine_new(struct rci_engine **out, struct rc_context *c)
{
    *out = NULL;
    struct rci_engine *e = RC_NEW(c, struct rci_engine);
    if (!e)
        return RC_ERR_MEMORY;
    e->ctx = c;
    rc_status st = rci_dnnl_check(dnnl_engine_create(&e->engine, dnnl_cpu, 0), "engine");
    if (st == RC_OK)
        st = rci_dnnl_check(dnnl_stream_create(&e->stream, e->engine, dnnl_stream_default_flags),
                            "stream");
    if (st != RC_OK) {
        rci_engine_free(e);
        return st;
    }
    *out = e;
    return RC_OK;
}

void rci_engine_free(struct rci_engine *e)
{
    if (!e)
        return;
    rci_engine_settle(e);
    while (e->pool) {
        struct rci_md *md = e->pool;
        e->pool = md->next;
        rci_dmd_clear(&md->d);
        rci_release(md);
    }
    if (e->stream)
        dnnl_stream_destroy(e->stream);
    if (e->engine)
        dnnl_engine_destroy(e->engine);
    rci_release(e);
}

static void engine_end_trials(struct rci_engine *e)
{
    rci_release(e->trial);
    e->trial = NULL;
    e->trial_bytes = 0;
}

void rci_engine_settle(struct rci_engine *e)
{
    engine_end_trials(e);
    while (e->kept) {
        struct kept *k = e->kept;
        e->kept = k->next;
        dnnl_primitive_desc_destroy(k->pd);
        rci_release(k);
    }
}

rc_status rci_engine_kept(const struct rci_engine *e, const void *key, size_t size,
                          dnnl_primitive_desc_t *pd)
{
    *pd = NULL;
    for (const struct kept *k = e->kept; k; k = k->next)
        if (k->size == size && !memcmp(k->key, key, size))
            return rci_dnnl_check(dnnl_primitive_desc_clone(pd, k->pd), "descriptor");
    return RC_OK;
}

rc_status rci_engine_keep(struct rci_engine *e, const void *key, size_t size,
                          const_dnnl_primitive_desc_t pd)
{
    if (size > RC_KEPT_KEY)
        return RC_OK;
    struct kept *k = RC_NEW(e->ctx, struct kept);
    if (!k)
        return RC_ERR_MEMORY;
    const rc_status st = rci_dnnl_check(dnnl_primitive_desc_clone(&k->pd, pd), "descriptor");
    if (st != RC_OK) {
        rci_release(k);
        return st;
    }
    memcpy(k->key, key, size);
    k->size = size;
    k->next = e->kept;
    e->kept = k;
    return RC_OK;
}

void *rci_engine_trial(struct rci_engine *e, size_t bytes)
{
    enum { TRIAL_STEP = 1 << 20 }; /* the next layer may ask for a little more */
    if (bytes <= e->trial_bytes)
        return e->trial;
    engine_end_trials(e);
    bytes = (bytes + TRIAL_STEP - 1) / TRIAL_STEP * TRIAL_STEP;
    e->trial = rci_alloc_zero(e->ctx, bytes);
    e->trial_bytes = e->trial ? bytes : 0;
    /* what was only written may have gone around the caches; weights in a network were read before
     * and are somewhere in them */
    rci_trial_read(e->trial, e->trial_bytes);
    return e->trial;
}

dnnl_engine_t rci_engine_handle(const struct rci_engine *e)
{
    return e->engine;
}

struct rc_context *rci_engine_context(const struct rci_engine *e)
{
    return e->ctx;
}

dnnl_stream_t rci_engine_stream(const struct rci_engine *e)
{
    return e->stream;
}

static bool dtype_to_dnnl(enum rci_dtype d, dnnl_data_type_t *out)
{
    switch (d) {
    case RC_F32:
        *out = dnnl_f32;
        return true;
    case RC_I32:
        *out = dnnl_s32;
        return true;
    case RC_U8:
        *out = dnnl_u8;
        return true;
    case RC_S8:
        *out = dnnl_s8;
        return true;
    case RC_BF16:
        *out = dnnl_bf16;
        return true;
    default:
        return false;
    }
}

static enum rci_dtype dtype_from_dnnl(dnnl_data_type_t d)
{
    switch (d) {
    case dnnl_s32:
        return RC_I32;
    case dnnl_u8:
        return RC_U8;
    case dnnl_s8:
        return RC_S8;
    case dnnl_bf16:
        return RC_BF16;
    default:
        return RC_F32;
    }
}

static bool layout_is_row_major(const struct rci_dmd_layout *l)
{
    if (!l->blocked || l->inner_count)
        return false;
    dnnl_dim_t stride = 1;
    for (int i = l->rank - 1; i >= 0; i--) {
        if (l->padded[i] != l->dims[i] || (l->dims[i] != 1 && l->strides[i] != stride))
            return false;
        stride *= l->dims[i];
    }
    return true;
}

rc_status rci_md_intern(struct rci_engine *e, rci_dmd d, const struct rci_md **out)
{
    *out = NULL;
    for (struct rci_md *m = e->pool; m; m = m->next)
        if (dnnl_memory_desc_equal(RC_DMD(m->d), d)) {
            *out = m;
            return RC_OK;
        }
    struct rci_md *m = RC_NEW(e->ctx, struct rci_md);
    if (!m)
        return RC_ERR_MEMORY;
    const rc_status st = rci_dnnl_check(rci_dmd_clone(&m->d, d), "memory descriptor");
    if (st != RC_OK) {
        rci_release(m);
        return st;
    }
    struct rci_dmd_layout l;
    rci_dmd_layout(d, &l);
    m->dtype = dtype_from_dnnl(l.type);
    m->shape.rank = (uint32_t) l.rank;
    for (int i = 0; i < l.rank && i < RC_MAX_DIMS; i++)
        m->shape.dim[i] = l.dims[i];
    m->any = l.any;
    m->plain = layout_is_row_major(&l) && m->dtype != RC_BF16; /* plain values are not bf16 */
    m->bytes = l.any ? 0 : dnnl_memory_desc_get_size(RC_DMD(m->d));
    m->next = e->pool;
    e->pool = m;
    *out = m;
    return RC_OK;
}

/* oneDNN has no rank 0: a scalar is one element of rank 1. */
static rc_status dims_of(enum rci_dtype d, const struct rci_shape *s, dnnl_dims_t dims, int *rank,
                         dnnl_data_type_t *type)
{
    if (!dtype_to_dnnl(d, type))
        return rci_fail(RC_ERR_UNSUPPORTED, "oneDNN has no data type %s", rci_dtype_name(d));
    *rank = s->rank ? (int) s->rank : 1;
    dims[0] = 1;
    for (uint32_t i = 0; i < s->rank; i++)
        dims[i] = s->dim[i];
    return RC_OK;
}

static rc_status intern_owned(struct rci_engine *e, dnnl_status_t made, dnnl_memory_desc_t *d,
                              const struct rci_md **out)
{
    RC_TRY(rci_dnnl_check(made, "memory descriptor"));
    const rc_status st = rci_md_intern(e, RC_DMD(*d), out);
    rci_dmd_clear(d);
    return st;
}

rc_status rci_md_strided(struct rci_engine *e, enum rci_dtype d, const struct rci_shape *s,
                         const int64_t *strides, const struct rci_md **out)
{
    *out = NULL;
    dnnl_dims_t dims, st = {1};
    dnnl_data_type_t type = dnnl_f32;
    int rank = 0;
    RC_TRY(dims_of(d, s, dims, &rank, &type));
    for (uint32_t i = 0; i < s->rank; i++)
        st[i] = strides[i];
    dnnl_memory_desc_t md;
    return intern_owned(e, rci_dmd_with_strides(&md, rank, dims, type, st), &md, out);
}

rc_status rci_md_plain(struct rci_engine *e, enum rci_dtype d, const struct rci_shape *s,
                       const struct rci_md **out)
{
    int64_t strides[RC_MAX_DIMS], stride = 1;
    for (uint32_t i = s->rank; i-- > 0;) {
        strides[i] = stride;
        stride *= s->dim[i];
    }
    return rci_md_strided(e, d, s, strides, out);
}

rc_status rci_md_channels_last(struct rci_engine *e, enum rci_dtype d, const struct rci_shape *s,
                               const struct rci_md **out)
{
    const int64_t c = s->dim[1], h = s->dim[2], w = s->dim[3];
    const int64_t strides[4] = {h * w * c, 1, w * c, c};
    return rci_md_strided(e, d, s, strides, out);
}

rc_status rci_md_tagged(struct rci_engine *e, enum rci_dtype d, const struct rci_shape *s,
                        dnnl_format_tag_t tag, const struct rci_md **out)
{
    *out = NULL;
    dnnl_dims_t dims;
    dnnl_data_type_t type = dnnl_f32;
    int rank = 0;
    RC_TRY(dims_of(d, s, dims, &rank, &type));
    dnnl_memory_desc_t md;
    return intern_owned(e, rci_dmd_with_tag(&md, rank, dims, type, tag), &md, out);
}

rc_status rci_md_any(struct rci_engine *e, enum rci_dtype d, const struct rci_shape *s,
                     const struct rci_md **out)
{
    return rci_md_tagged(e, d, s, dnnl_format_tag_any, out);
}

rc_status rci_md_query(struct rci_engine *e, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                       int index, const struct rci_md **out)
{
    *out = NULL;
    const rci_dmd d = dnnl_primitive_desc_query_md(pd, what, index);
    if (!d)
        return rci_fail(RC_ERR_BACKEND, "oneDNN: no descriptor for query %d", (int) what);
    return rci_md_intern(e, d, out);
}

bool rci_md_equal(const struct rci_md *a, const struct rci_md *b)
{
    return a == b || (a && b && dnnl_memory_desc_equal(RC_DMD(a->d), RC_DMD(b->d)));
}

size_t rci_md_bytes(const struct rci_md *md)
{
    return md->bytes;
}

bool rci_md_is_plain(const struct rci_md *md)
{
    return md->plain;
}

bool rci_md_is_bf16(const struct rci_md *md)
{
    return md && md->dtype == RC_BF16;
}

static bool axis_is_blocked(const struct rci_dmd_layout *l, int axis)
{
    for (int i = 0; i < l->inner_count; i++)
        if (l->inner_axis[i] == axis)
            return true;
    return false;
}

/* oneDNN's own notation: axes from the outermost, capitals where an inner block follows. */
const char *rci_md_text(const struct rci_md *md, char *buf)
{
    struct rci_dmd_layout l;
    rci_dmd_layout(RC_DMD(md->d), &l);
    if (!l.blocked) {
        snprintf(buf, 64, md->any ? "any" : "opaque");
        return buf;
    }
    int order[DNNL_MAX_NDIMS];
    for (int i = 0; i < l.rank; i++) {
        int k = i; /* insertion sort by falling stride; equal strides keep axis order */
        for (; k > 0 && l.strides[order[k - 1]] < l.strides[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    int at = l.type == dnnl_bf16 ? snprintf(buf, 64, "bf16 ") : 0;
    for (int i = 0; i < l.rank; i++)
        buf[at++] = (char) ((axis_is_blocked(&l, order[i]) ? 'A' : 'a') + order[i]);
    buf[at] = '\0';
    for (int i = 0; i < l.inner_count && at < 48; i++)
        at += snprintf(buf + at, (size_t) (64 - at), "%d%c", (int) l.inner_block[i],
                       'a' + (int) l.inner_axis[i]);
    return buf;
}

struct rci_reorder {
    struct rci_prim prim;
};

/* Grouped weights carry a fifth axis inside oneDNN: see the plain side in the other's shape. */
static rc_status same_shape(struct rci_engine *e, const struct rci_md **from,
                            const struct rci_md **to)
{
    if (rci_shape_equal(&(*from)->shape, &(*to)->shape))
        return RC_OK;
    if (rci_shape_count(&(*from)->shape) != rci_shape_count(&(*to)->shape))
        return rci_fail(RC_ERR_SHAPE, "reorder: %lld elements into %lld",
                        (long long) rci_shape_count(&(*from)->shape),
                        (long long) rci_shape_count(&(*to)->shape));
    if ((*from)->plain)
        return rci_md_plain(e, (*from)->dtype, &(*to)->shape, from);
    return rci_md_plain(e, (*to)->dtype, &(*from)->shape, to);
}

rc_status rci_reorder_new(struct rci_reorder **out, struct rci_engine *e, const struct rci_md *from,
                          const struct rci_md *to)
{
    *out = NULL;
    struct rci_reorder *r = RC_NEW(e->ctx, struct rci_reorder);
    if (!r)
        return RC_ERR_MEMORY;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd;
    rc_status st;
    RC_TRY_OUT(st, same_shape(e, &from, &to));
    RC_TRY_OUT(st, rci_attr_new(&attr));
    RC_TRY_OUT(st, rci_dnnl_reorder(&pd, e->engine, RC_DMD(from->d), RC_DMD(to->d), attr));
    RC_TRY_OUT(st, rci_prim_init(&r->prim, e, pd));
    RC_TRY_OUT(st, rci_prim_bind(&r->prim, DNNL_ARG_FROM, from));
    RC_TRY_OUT(st, rci_prim_bind(&r->prim, DNNL_ARG_TO, to));
out:
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (st == RC_OK)
        *out = r;
    else
        rci_reorder_free(r);
    return st;
}

size_t rci_reorder_scratch(const struct rci_reorder *r)
{
    return r->prim.scratch;
}

rc_status rci_reorder_run(struct rci_reorder *r, const void *from, void *to, void *scratch)
{
    void *const handle[2] = {(void *) (uintptr_t) from, to};
    return rci_prim_run(&r->prim, handle, scratch);
}

void rci_reorder_free(struct rci_reorder *r)
{
    if (!r)
        return;
    rci_prim_clear(&r->prim);
    rci_release(r);
}
