/* Primitives with a prebuilt argument list: create once, execute without allocating. */
#include "kernel/onednn/onednn.h"

#include <string.h>

rc_status rci_prim_describe(struct rci_prim *p, struct rci_engine *e, dnnl_primitive_desc_t pd)
{
    p->engine = e;
    p->pd = pd;
    const rci_dmd d = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    p->scratch = d ? dnnl_memory_desc_get_size(d) : 0;
    if (!p->scratch)
        return RC_OK;
    return rci_dnnl_check(
        dnnl_memory_create(&p->scratchpad, d, rci_engine_handle(e), DNNL_MEMORY_NONE),
        "scratchpad");
}

rc_status rci_prim_new(struct rci_prim *p)
{
    return p->prim ? RC_OK : rci_dnnl_check(dnnl_primitive_create(&p->prim, p->pd), "primitive");
}

rc_status rci_prim_init(struct rci_prim *p, struct rci_engine *e, dnnl_primitive_desc_t pd)
{
    RC_TRY(rci_prim_describe(p, e, pd));
    return rci_prim_new(p);
}

void rci_prim_clear(struct rci_prim *p)
{
    for (uint32_t i = 0; i < p->n_args; i++) {
        dnnl_memory_destroy(p->arg[i].memory);
        rci_release(p->owned[i]);
    }
    if (p->scratchpad)
        dnnl_memory_destroy(p->scratchpad);
    if (p->prim)
        dnnl_primitive_destroy(p->prim);
    if (p->pd)
        dnnl_primitive_desc_destroy(p->pd);
    memset(p, 0, sizeof(*p));
}

/* One place stays free for the scratchpad. */
static rc_status append(struct rci_prim *p, int arg, rci_dmd d, void *handle)
{
    if (p->n_args + 1 >= RC_PRIM_ARGS)
        return rci_fail(RC_ERR_LIMIT, "oneDNN: more than %d arguments", RC_PRIM_ARGS - 1);
    dnnl_memory_t m;
    RC_TRY(
        rci_dnnl_check(dnnl_memory_create(&m, d, rci_engine_handle(p->engine), handle), "memory"));
    p->arg[p->n_args].arg = arg;
    p->arg[p->n_args].memory = m;
    p->n_args++;
    return RC_OK;
}

rc_status rci_prim_bind(struct rci_prim *p, int arg, const struct rci_md *md)
{
    RC_TRY(append(p, arg, RC_DMD(md->d), DNNL_MEMORY_NONE));
    p->n_bound = p->n_args;
    return RC_OK;
}

rc_status rci_prim_fix(struct rci_prim *p, int arg, const float *values, int64_t count)
{
    const dnnl_dims_t dims = {count};
    dnnl_memory_desc_t d;
    const size_t bytes = (size_t) count * sizeof(float);
    float *copy = rci_alloc(rci_engine_context(p->engine), bytes);
    if (!copy)
        return RC_ERR_MEMORY;
    memcpy(copy, values, bytes);
    rc_status st = rci_dnnl_check(rci_dmd_with_tag(&d, 1, dims, dnnl_f32, dnnl_a), "descriptor");
    if (st == RC_OK) {
        st = append(p, arg, RC_DMD(d), copy);
        rci_dmd_clear(&d);
    }
    if (st == RC_OK)
        p->owned[p->n_args - 1] = copy;
    else
        rci_release(copy);
    return st;
}

rc_status rci_prim_run(struct rci_prim *p, void *const *handle, void *scratch)
{
    for (uint32_t i = 0; i < p->n_bound; i++) {
        if (p->handle[i] == handle[i])
            continue;
        const dnnl_status_t st = dnnl_memory_set_data_handle(p->arg[i].memory, handle[i]);
        if (st != dnnl_success)
            return rci_dnnl_check(st, "data handle");
        p->handle[i] = handle[i];
    }
    uint32_t n = p->n_args;
    if (p->scratchpad) {
        if (p->scratch_handle != scratch) {
            const dnnl_status_t st = dnnl_memory_set_data_handle(p->scratchpad, scratch);
            if (st != dnnl_success)
                return rci_dnnl_check(st, "scratchpad");
            p->scratch_handle = scratch;
        }
        p->arg[n].arg = DNNL_ARG_SCRATCHPAD;
        p->arg[n].memory = p->scratchpad;
        n++;
    }
    const dnnl_status_t st =
        dnnl_primitive_execute(p->prim, rci_engine_stream(p->engine), (int) n, p->arg);
    return st == dnnl_success ? RC_OK : rci_dnnl_check(st, "execution");
}

const char *rci_pd_name(const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *) &name) != dnnl_success)
        return "unknown";
    return name ? name : "unknown";
}

const char *rci_prim_name(const struct rci_prim *p)
{
    return rci_pd_name(p->pd);
}

bool rci_pd_is_reference(const_dnnl_primitive_desc_t pd)
{
    return !strncmp(rci_pd_name(pd), "ref", 3);
}
