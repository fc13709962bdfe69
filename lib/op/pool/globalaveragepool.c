/* GlobalAveragePool: y[n,c] = mean of x[n,c,...] over all spatial axes, which become 1. */
#include "op/common.h"
#include "op/pool/fast.h"
#include "op/pool/pool.h"

/* infer has refused inputs without elements, so neither planes nor area is 0. */
static rc_status gap_forward(const struct rci_call *c)
{
    const int64_t planes = c->in[0].shape.dim[0] * c->in[0].shape.dim[1];
    const int64_t area = rci_shape_count(&c->in[0].shape) / planes;
    float *y = c->out[0].data;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < planes; k++) {
        const float *x = (const float *) c->in[0].data + k * area;
        double sum = 0;
        for (int64_t i = 0; i < area; i++)
            sum += (double) x[i];
        y[k] = (float) (sum / (double) area);
    }
    return RC_OK;
}

static rc_status gap_backward(const struct rci_call *c)
{
    if (!c->d_in[0].data)
        return RC_OK;
    const int64_t planes = c->in[0].shape.dim[0] * c->in[0].shape.dim[1];
    const int64_t area = rci_shape_count(&c->in[0].shape) / planes;
    const float *dy = c->d_out[0].data;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < planes; k++) {
        float *dx = (float *) c->d_in[0].data + k * area;
        const float part = dy[k] / (float) area;
        for (int64_t i = 0; i < area; i++)
            dx[i] = part;
    }
    return RC_OK;
}

/* As a window of the size of the image; more or fewer spatial axes keep the loop above. */
static rc_status gap_prepare(const struct rci_request *req, struct rci_prep *p)
{
    const struct rci_shape *x = &req->in[0].shape;
    if (x->rank != 4)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": not an image", req->node->name);
    const struct rci_window w = {.in = {x->dim[2], x->dim[3]},
                                 .out = {1, 1},
                                 .kernel = {x->dim[2], x->dim[3]},
                                 .stride = {1, 1},
                                 .dilation = {1, 1}};
    return rci_pool_prepare(req, p, &w, RC_POOL_AVERAGE);
}

static struct rci_cost gap_cost(const struct rci_node *n, const struct rci_tensor *in,
                                const struct rci_tensor *out)
{
    (void) n;
    (void) out;
    return (struct rci_cost){0, (uint64_t) rci_shape_count(&in[0].shape)};
}

/* No window: the whole plane, whatever its size at run time. */
static void gap_as_pooling(const struct rci_node *n, struct rci_pooling *out)
{
    (void) n;
    *out = (struct rci_pooling){.window = NULL};
}

/* Of planes of one pixel. */
static bool gap_keeps_elements(const struct rci_node *n)
{
    (void) n;
    return true;
}

const struct rci_op rci_op_globalaveragepool = {
    .name = "GlobalAveragePool",
    RC_OP_ARITY(1, 1, 1, 1),
    .flags = RC_OP_BF16 | RC_OP_SEPARATE,
    .sign = RC_SIGN_KEEPS,
    .infer = rci_pool_global_infer,
    .keeps_elements = gap_keeps_elements,
    .forward = gap_forward,
    .backward = gap_backward,
    .prepare = gap_prepare,
    .as_pooling = gap_as_pooling,
    .couple = rci_pool_couple,
    .cost = gap_cost,
};
