/* QConv: integer convolution with requantization; see qlayers.h for the formula. */
#include "kernel/onednn/conv.h"
#include "op/common.h"
#include "op/quant/qlayers.h"

#include <math.h>

/* Operands are fixed by the pass that made the node; what is wrong here is a bug of that pass. */
static rc_status qconv_check(const struct rci_infer *i)
{
    const struct rci_node *n = i->node;
    RC_TRY(rci_op_check_type(i, RC_QCONV_X, "input", RC_DT(RC_U8) | RC_DT(RC_S8)));
    RC_TRY(rci_op_check_type(i, RC_QCONV_W, "weights", RC_DT(RC_S8)));
    if (!rci_op_has(n, RC_QCONV_SCALE))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": no scale", n->name);
    RC_TRY(rci_op_check_type(i, RC_QCONV_SCALE, "scale", RC_DT_F32));
    if (rci_op_has(n, RC_QCONV_BIAS))
        RC_TRY(rci_op_check_type(i, RC_QCONV_BIAS, "bias", RC_DT_F32));
    if (rci_op_has(n, RC_QCONV_RESIDUAL))
        RC_TRY(rci_op_check_type(i, RC_QCONV_RESIDUAL, "residual", RC_DT(RC_U8) | RC_DT(RC_S8)));
    return RC_OK;
}

static rc_status qconv_infer(const struct rci_infer *i)
{
    const struct rci_qconv_attrs *a = i->node->attrs;
    const struct rci_shape *x = &i->in[RC_QCONV_X].shape, *w = &i->in[RC_QCONV_W].shape;
    RC_TRY(qconv_check(i));
    /* a linear layer: a 1x1 convolution of one pixel */
    if (x->rank == 2) {
        if (w->rank != 4 || w->dim[1] != x->dim[1] || w->dim[2] != 1 || w->dim[3] != 1)
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": weights do not fit %lld inputs",
                            i->node->name, (long long) x->dim[1]);
        i->out[0].shape = RC_SHAPE(x->dim[0], w->dim[0]);
    } else {
        RC_TRY(rci_conv_infer(i));
    }
    i->out[0].dtype = a->out;
    if (rci_op_has(i->node, RC_QCONV_RESIDUAL) &&
        !rci_shape_equal(&i->in[RC_QCONV_RESIDUAL].shape, &i->out[0].shape))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": the residual has another shape", i->node->name);
    return RC_OK;
}

struct job {
    struct rci_conv_geometry g;
    const struct rci_qconv_attrs *a;
    enum rci_dtype x_type, res_type;
    const uint8_t *x, *res;
    const int8_t *w;
    const float *scale, *bias;
    int64_t n_scale;
};

static int32_t integer_at(const uint8_t *x, enum rci_dtype t, int64_t i)
{
    return t == RC_U8 ? x[i] : (int8_t) x[i];
}

/* The exact sum of products of integers. Padding is the integer 0, which is the real 0: zero points
 * are 0. */
static int64_t qconv_accumulate(const struct job *j, int64_t image, int64_t o, int64_t v, int64_t u)
{
    const struct rci_conv_geometry *g = &j->g;
    const int64_t in = g->in_channels / g->groups, first = o / (g->out_channels / g->groups) * in;
    int64_t acc = 0;
    for (int64_t i = 0; i < in; i++)
        for (int64_t p = 0; p < g->kernel[0]; p++) {
            const int64_t row = v * g->stride[0] + p * g->dilation[0] - g->pad_begin[0];
            if (row < 0 || row >= g->in[0])
                continue;
            for (int64_t q = 0; q < g->kernel[1]; q++) {
                const int64_t col = u * g->stride[1] + q * g->dilation[1] - g->pad_begin[1];
                if (col < 0 || col >= g->in[1])
                    continue;
                const int64_t at =
                    ((image * g->in_channels + first + i) * g->in[0] + row) * g->in[1] + col;
                acc += integer_at(j->x, j->x_type, at) *
                       j->w[((o * in + i) * g->kernel[0] + p) * g->kernel[1] + q];
            }
        }
    return acc;
}

/* Real value of output channel o at element `at`: sum * x_scale * scale + bias, through the
 * integers of the value before a residual join (mid), then residual and ReLU. */
static double qconv_requantize(const struct job *j, int64_t acc, int64_t o, int64_t at)
{
    const struct rci_qconv_attrs *a = j->a;
    double v = (double) acc * (double) a->x_scale * (double) j->scale[j->n_scale > 1 ? o : 0];
    if (j->bias)
        v += (double) j->bias[o];
    if (a->mid_scale > 0) {
        const double mid = (double) a->mid_scale;
        v = mid * fmax(-128, fmin(127, rint(v / mid)));
    }
    if (j->res)
        v += (double) a->res_scale * integer_at(j->res, j->res_type, at);
    return a->relu && v < 0 ? 0 : v;
}

static void qconv_store(const struct rci_tensor *y, const struct rci_qconv_attrs *a, int64_t at,
                        double v)
{
    if (a->out == RC_F32) {
        ((float *) y->data)[at] = (float) v;
        return;
    }
    v = rint(v / (double) a->y_scale);
    v = fmax((double) rci_q_low(a->out), fmin((double) rci_q_high(a->out), v));
    if (a->out == RC_U8)
        ((uint8_t *) y->data)[at] = (uint8_t) v;
    else
        ((int8_t *) y->data)[at] = (int8_t) v;
}

static rc_status qconv_forward(const struct rci_call *c)
{
    const struct rci_node *n = c->node;
    struct rci_shape x = c->in[RC_QCONV_X].shape;
    if (x.rank == 2)
        x = RC_SHAPE(x.dim[0], x.dim[1], 1, 1);
    struct job j = {.a = n->attrs,
                    .x_type = c->in[RC_QCONV_X].dtype,
                    .x = c->in[RC_QCONV_X].data,
                    .w = c->in[RC_QCONV_W].data,
                    .scale = c->in[RC_QCONV_SCALE].data,
                    .n_scale = rci_shape_count(&c->in[RC_QCONV_SCALE].shape)};
    if (rci_op_has(n, RC_QCONV_BIAS))
        j.bias = c->in[RC_QCONV_BIAS].data;
    if (rci_op_has(n, RC_QCONV_RESIDUAL)) {
        j.res = c->in[RC_QCONV_RESIDUAL].data;
        j.res_type = c->in[RC_QCONV_RESIDUAL].dtype;
    }
    rci_conv_geometry_of(&j.g, n, &x, &c->in[RC_QCONV_W].shape);
    const int64_t wide = j.g.out[1], rows = j.g.batch * j.g.out_channels * j.g.out[0];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const int64_t v = r % j.g.out[0], o = r / j.g.out[0] % j.g.out_channels;
        const int64_t image = r / j.g.out[0] / j.g.out_channels;
        for (int64_t u = 0; u < wide; u++) {
            const int64_t at = r * wide + u;
            qconv_store(&c->out[0], j.a, at,
                        qconv_requantize(&j, qconv_accumulate(&j, image, o, v, u), o, at));
        }
    }
    return RC_OK;
}

static struct rci_cost qconv_cost(const struct rci_node *n, const struct rci_tensor *in,
                                  const struct rci_tensor *out)
{
    (void) n;
    const struct rci_shape *w = &in[RC_QCONV_W].shape;
    const int64_t outputs = rci_shape_count(&out[0].shape);
    return (struct rci_cost){(uint64_t) (outputs * w->dim[1] * w->dim[2] * w->dim[3]), 0};
}

const struct rci_op rci_op_qconv = {
    .name = "QConv",
    .domain = "rescomp",
    .min_in = 2, /* the bias before the scale may be absent */
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .attr_size = sizeof(struct rci_qconv_attrs),
    .flags = RC_OP_INTERNAL | RC_OP_SEPARATE,
    .infer = qconv_infer,
    .forward = qconv_forward,
    .prepare = rci_qconv_prepare,
    .cost = qconv_cost,
};
