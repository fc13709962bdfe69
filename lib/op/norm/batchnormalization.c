/* BatchNormalization: y = (x - mean) / sqrt(var + epsilon) * scale + shift per channel. In training
 * mean and variance are the batch's; the running ones follow with momentum, the variance unbiased
 * (divided by M - 1) as every framework stores it. */
#include "op/common.h"
#include "op/layers.h"
#include "op/norm/driver.h"

#include <math.h>

static const char *const operand_names[] = {"input", "scale", "shift", "mean", "variance"};

static rc_status norm_infer(const struct rci_infer *i)
{
    const struct rci_node *n = i->node;
    const struct rci_norm_attrs *a = n->attrs;
    for (uint32_t k = 0; k < 5; k++)
        RC_TRY(rci_op_check_type(i, k, operand_names[k], RC_DT_F32));
    const struct rci_shape *x = &i->in[0].shape;
    char text[RC_SHAPE_TEXT];
    if (x->rank < 2 || rci_shape_count(x) == 0) /* nothing has no mean */
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": input has shape %s, must be [N, C, ...]",
                        n->name, rci_shape_text(x, text));
    for (uint32_t k = 1; k < 5; k++)
        if (i->in[k].shape.rank != 1 || i->in[k].shape.dim[0] != x->dim[1])
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": %s has shape %s, must be [%lld]", n->name,
                            operand_names[k], rci_shape_text(&i->in[k].shape, text),
                            (long long) x->dim[1]);
    /* further results are statistics of a training step, which inference does not take */
    for (uint32_t k = 1; k < n->n_out; k++)
        if (n->out[k] != RC_NONE)
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "node \"%s\": batch statistics as outputs (training mode) are not "
                            "supported, export for inference",
                            n->name);
    if (!(a->epsilon > 0) || !(a->momentum >= 0 && a->momentum <= 1))
        return rci_fail(RC_ERR_MODEL,
                        "node \"%s\": epsilon %g must be above 0, momentum %g in 0 to 1", n->name,
                        (double) a->epsilon, (double) a->momentum);
    i->out[0].dtype = RC_F32;
    i->out[0].shape = *x;
    return RC_OK;
}

struct extent {
    int64_t batch, channels, area;
};

static struct extent extent_of(const struct rci_shape *s)
{
    struct extent e = {s->dim[0], s->dim[1], 1};
    for (uint32_t k = 2; k < s->rank; k++)
        e.area *= s->dim[k];
    return e;
}

/* Per channel: mean and 1/sqrt(var + epsilon), kept for backward. */
static size_t norm_saved_bytes(const struct rci_node *n, const struct rci_tensor *in)
{
    (void) n;
    return (size_t) in[0].shape.dim[1] * 2 * sizeof(double);
}

/* Two passes: sum (x - mean)^2 does not cancel as sum x^2 - M mean^2 does. */
static void channel_statistics(const struct rci_call *c, const struct extent *e, int64_t k,
                               double *mean, double *variance)
{
    const float *x = c->in[0].data;
    double sum = 0, square = 0;
    for (int64_t n = 0; n < e->batch; n++)
        for (int64_t i = 0; i < e->area; i++)
            sum += (double) x[(n * e->channels + k) * e->area + i];
    *mean = sum / (double) (e->batch * e->area);
    for (int64_t n = 0; n < e->batch; n++)
        for (int64_t i = 0; i < e->area; i++) {
            const double d = (double) x[(n * e->channels + k) * e->area + i] - *mean;
            square += d * d;
        }
    *variance = square / (double) (e->batch * e->area);
}

static void update_running(const struct rci_call *c, const struct extent *e, int64_t k, double mean,
                           double variance)
{
    const struct rci_norm_attrs *a = c->node->attrs;
    const double m = (double) a->momentum, count = (double) (e->batch * e->area);
    float *running_mean = c->in[3].data, *running_var = c->in[4].data;
    const double unbiased = count > 1 ? variance * count / (count - 1) : variance;
    running_mean[k] = (float) (m * (double) running_mean[k] + (1 - m) * mean);
    running_var[k] = (float) (m * (double) running_var[k] + (1 - m) * unbiased);
}

static void forward_channel(const struct rci_call *c, const struct extent *e, int64_t k)
{
    const struct rci_norm_attrs *a = c->node->attrs;
    const float *x = c->in[0].data;
    float *y = c->out[0].data;
    double mean, variance;
    if (c->training) {
        channel_statistics(c, e, k, &mean, &variance);
        update_running(c, e, k, mean, variance);
    } else {
        mean = (double) ((const float *) c->in[3].data)[k];
        variance = (double) ((const float *) c->in[4].data)[k];
    }
    const double inverse = 1 / sqrt(variance + (double) a->epsilon);
    const double scale = (double) ((const float *) c->in[1].data)[k] * inverse;
    const double shift = (double) ((const float *) c->in[2].data)[k] - mean * scale;
    for (int64_t n = 0; n < e->batch; n++)
        for (int64_t i = 0; i < e->area; i++) {
            const int64_t at = (n * e->channels + k) * e->area + i;
            y[at] = (float) ((double) x[at] * scale + shift);
        }
    if (c->saved) {
        ((double *) c->saved)[2 * k] = mean;
        ((double *) c->saved)[2 * k + 1] = inverse;
    }
}

static rc_status norm_forward(const struct rci_call *c)
{
    const struct extent e = extent_of(&c->in[0].shape);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < e.channels; k++)
        forward_channel(c, &e, k);
    return RC_OK;
}

/* With h = (x - mean) * inverse:  dscale = sum dy*h,  dshift = sum dy,
 * dx = scale * inverse * (dy - (dshift + h * dscale) / M), without the bracket's second part when
 * the statistics are constants. */
static void backward_channel(const struct rci_call *c, const struct extent *e, int64_t k)
{
    const float *x = c->in[0].data, *dy = c->d_out[0].data;
    const double mean = ((const double *) c->saved)[2 * k];
    const double inverse = ((const double *) c->saved)[2 * k + 1];
    double d_scale = 0, d_shift = 0;
    for (int64_t n = 0; n < e->batch; n++)
        for (int64_t i = 0; i < e->area; i++) {
            const int64_t at = (n * e->channels + k) * e->area + i;
            d_scale += (double) dy[at] * ((double) x[at] - mean) * inverse;
            d_shift += (double) dy[at];
        }
    if (c->d_in[1].data)
        ((float *) c->d_in[1].data)[k] = (float) d_scale;
    if (c->d_in[2].data)
        ((float *) c->d_in[2].data)[k] = (float) d_shift;
    float *dx = c->d_in[0].data;
    if (!dx)
        return;
    const double factor = (double) ((const float *) c->in[1].data)[k] * inverse;
    const double part = c->training ? 1 / (double) (e->batch * e->area) : 0;
    for (int64_t n = 0; n < e->batch; n++)
        for (int64_t i = 0; i < e->area; i++) {
            const int64_t at = (n * e->channels + k) * e->area + i;
            const double h = ((double) x[at] - mean) * inverse;
            dx[at] = (float) (factor * ((double) dy[at] - part * (d_shift + h * d_scale)));
        }
}

static rc_status norm_backward(const struct rci_call *c)
{
    const struct extent e = extent_of(&c->in[0].shape);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < e.channels; k++)
        backward_channel(c, &e, k);
    for (uint32_t i = 3; i < 5; i++) /* running statistics are not differentiated */
        for (int64_t k = 0; c->d_in[i].data && k < e.channels; k++)
            ((float *) c->d_in[i].data)[k] = 0;
    return RC_OK;
}

/* A channel has one entry in each of the four operands. */
static void norm_couple(const struct rci_node *n, struct rci_links *l)
{
    (void) n;
    for (uint32_t i = 1; i < 5; i++)
        rci_link_same(l, RC_IN(0, 1), RC_IN(i, 0));
    rci_op_couple_same(n, l);
}

/* With constant statistics it is y = x s + t per channel, which a layer before it can absorb. */
static bool norm_is_affine(const struct rc_graph *g, const struct rci_node *n)
{
    for (uint32_t i = 1; i < 5; i++)
        if (!rci_const_in(g, n, i))
            return false;
    return true;
}

static rc_status norm_as_affine(const struct rc_graph *g, const struct rci_node *n,
                                struct rci_affine *out)
{
    const struct rci_norm_attrs *a = n->attrs;
    const float *v[5] = {0};
    for (uint32_t i = 1; i < 5; i++)
        v[i] = rci_const_in(g, n, i)->data;
    const uint32_t channels = (uint32_t) rci_const_in(g, n, 1)->shape.dim[0];
    *out = (struct rci_affine){.channels = channels};
    out->scale = rci_alloc_array(g->ctx, channels, sizeof(float));
    out->shift = rci_alloc_array(g->ctx, channels, sizeof(float));
    if (!out->scale || !out->shift) {
        rci_release(out->scale);
        rci_release(out->shift);
        *out = (struct rci_affine){0};
        return RC_ERR_MEMORY;
    }
    for (uint32_t k = 0; k < channels; k++) {
        const double s = (double) v[1][k] / sqrt((double) v[4][k] + (double) a->epsilon);
        out->scale[k] = (float) s;
        out->shift[k] = (float) ((double) v[2][k] - (double) v[3][k] * s);
    }
    return RC_OK;
}

static rc_status norm_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_norm_attrs *t = n->attrs;
    int64_t spatial, training;
    RC_TRY(rci_attr_float(a, "epsilon", 1e-5f, &t->epsilon));
    RC_TRY(rci_attr_float(a, "momentum", 0.9f, &t->momentum));
    RC_TRY(rci_attr_int(a, "spatial", 1, &spatial)); /* MXNet writes 0 and means 1 */
    RC_TRY(rci_attr_int(a, "training_mode", 0, &training));
    /* a file that would change its weights while it is run */
    if (training)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": training_mode is %lld, export for inference (0)", n->name,
                        (long long) training);
    return RC_OK;
}

/* Nothing to move; a variance that is no variance is refused while the file is still at hand. */
static rc_status norm_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                           const struct rci_tensor *alt, const int64_t batch[2])
{
    (void) g;
    (void) alt;
    (void) batch;
    const float *v = n->n_in > 4 && known[4].dtype == RC_F32 ? known[4].data : NULL;
    for (int64_t k = 0, count = v ? rci_shape_count(&known[4].shape) : 0; k < count; k++)
        if (!(v[k] >= 0))
            return rci_fail(RC_ERR_MODEL,
                            "node \"%s\": variance of channel %lld is %g, must be 0 "
                            "or more",
                            n->name, (long long) k, (double) v[k]);
    return RC_OK;
}

static rc_status norm_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_norm_attrs *t = n->attrs;
    RC_TRY(rci_put_float(w, "epsilon", t->epsilon));
    return rci_put_float(w, "momentum", t->momentum);
}

static void norm_as_norm(const struct rci_node *n, struct rci_norm *out)
{
    const struct rci_norm_attrs *a = n->attrs;
    *out = (struct rci_norm){1, 2, 3, 4, a->epsilon, a->momentum};
}

const struct rci_op rci_op_batchnormalization = {
    .name = "BatchNormalization",
    RC_OP_ARITY(5, 5, 1, 5),
    .attr_size = sizeof(struct rci_norm_attrs),
    .flags = RC_OP_POSTS | RC_OP_BF16 | RC_OP_SEPARATE | RC_OP_UPDATES | RC_OP_RELU,
    .trainable = 1 << 1 | 1 << 2,
    .infer = norm_infer,
    .forward = norm_forward,
    .backward = norm_backward,
    .saved_bytes = norm_saved_bytes,
    .prepare = rci_norm_prepare,
    .as_norm = norm_as_norm,
    .couple = norm_couple,
    .is_affine = norm_is_affine,
    .as_affine = norm_as_affine,
    .read_attrs = norm_read,
    .bind = norm_bind,
    .write_attrs = norm_write,
    .cost = rci_op_cost_elementwise,
};
