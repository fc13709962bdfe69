/* QAdd: y = clamp(round((a_scale * a + b_scale * b) / y_scale)) on integers of one shape: the
 * residual join where it could not be put inside a convolution. */
#include "kernel/onednn/onednn.h"
#include "op/common.h"
#include "op/quant/qlayers.h"

static rc_status qadd_infer(const struct rci_infer *i)
{
    const struct rci_qadd_attrs *a = i->node->attrs;
    for (uint32_t k = 0; k < 2; k++)
        RC_TRY(rci_op_check_type(i, k, "operand", RC_DT(RC_U8) | RC_DT(RC_S8)));
    if (!rci_shape_equal(&i->in[0].shape, &i->in[1].shape))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": operands of different shape", i->node->name);
    i->out[0].shape = i->in[0].shape;
    i->out[0].dtype = a->out;
    return RC_OK;
}

/* Elements whose sums are kept in f32 at once: 16 kB, which stay in L1. */
enum { BLOCK = 4096 };

struct qadd_job {
    struct rci_qadd_attrs a;
    enum rci_dtype type[2];
};

static void add_scaled(float *acc, const uint8_t *x, enum rci_dtype t, float scale, int64_t n)
{
    const int8_t *q = (const int8_t *) x;
    if (t == RC_U8)
        for (int64_t i = 0; i < n; i++)
            acc[i] += scale * (float) x[i];
    else
        for (int64_t i = 0; i < n; i++)
            acc[i] += scale * (float) q[i];
}

/* y = round((a_scale a + b_scale b) / y_scale); with a ReLU nothing below 0. */
static void qadd_block(const struct qadd_job *j, const uint8_t *x, const uint8_t *b, uint8_t *y,
                       int64_t n)
{
    float acc[BLOCK];
    const float lo = j->a.relu ? 0 : rci_q_low(j->a.out), hi = rci_q_high(j->a.out);
    const float inverse = 1.0f / j->a.y_scale;
    for (int64_t i = 0; i < n; i++)
        acc[i] = 0;
    add_scaled(acc, x, j->type[0], j->a.a_scale, n);
    add_scaled(acc, b, j->type[1], j->a.b_scale, n);
    for (int64_t i = 0; i < n; i++) /* the low byte is right for s8 too */
        y[i] = (uint8_t) (int32_t) rci_q_round(rci_q_clamp(acc[i] * inverse, lo, hi));
}

static void qadd_run(const struct qadd_job *j, const void *x, const void *b, void *y, int64_t n)
{
    const int64_t blocks = (n + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static) if (n > RC_PARALLEL_MIN)
    for (int64_t k = 0; k < blocks; k++) {
        const int64_t at = k * BLOCK, left = n - at;
        qadd_block(j, (const uint8_t *) x + at, (const uint8_t *) b + at, (uint8_t *) y + at,
                   left < BLOCK ? left : BLOCK);
    }
}

static rc_status qadd_forward(const struct rci_call *c)
{
    const struct qadd_job j = {*(const struct rci_qadd_attrs *) c->node->attrs,
                               {c->in[0].dtype, c->in[1].dtype}};
    qadd_run(&j, c->in[0].data, c->in[1].data, c->out[0].data, rci_shape_count(&c->out[0].shape));
    return RC_OK;
}

struct qadd_state {
    struct qadd_job job;
    int64_t n;
};

static rc_status qadd_step(const struct rci_step_io *io)
{
    const struct qadd_state *s = io->state;
    qadd_run(&s->job, io->in[0], io->in[1], io->out[0], s->n);
    return RC_OK;
}

/* Both operands in the layout of the first that has one. */
static rc_status qadd_prepare(const struct rci_request *req, struct rci_prep *p)
{
    const struct rci_md *have = req->have[0] ? req->have[0] : req->have[1];
    struct rci_dmd_layout l = {0};
    if (have)
        rci_dmd_layout(rci_md_dnnl(have), &l);
    /* channels blocked by 8 or 16 would have padding between them */
    if (req->training || (have && (!l.blocked || l.inner_count)))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": blocked layout", req->node->name);
    if (have)
        for (uint32_t k = 0; k < 2; k++)
            RC_TRY(rci_md_strided(req->engine, req->in[k].dtype, &req->in[k].shape, l.strides,
                                  &p->want[k]));
    if (have)
        RC_TRY(rci_md_strided(req->engine, req->out[0].dtype, &req->out[0].shape, l.strides,
                              &p->out_md[0]));
    struct qadd_state *s = RC_NEW(req->g->ctx, struct qadd_state);
    if (!s)
        return RC_ERR_MEMORY;
    *s = (struct qadd_state){
        {*(const struct rci_qadd_attrs *) req->node->attrs, {req->in[0].dtype, req->in[1].dtype}},
        rci_shape_count(&req->out[0].shape)};
    p->state = s;
    p->free = rci_release;
    p->run = qadd_step;
    p->impl = "int8 add";
    return RC_OK;
}

const struct rci_op rci_op_qadd = {
    .name = "QAdd",
    .domain = "rescomp",
    RC_OP_ARITY(2, 2, 1, 1),
    .attr_size = sizeof(struct rci_qadd_attrs),
    .flags = RC_OP_INTERNAL | RC_OP_SEPARATE,
    .infer = qadd_infer,
    .forward = qadd_forward,
    .prepare = qadd_prepare,
    .cost = rci_op_cost_elementwise,
};
