/* LRN: y = x / (bias + alpha / size * sum x^2)^beta, the sum over `size` neighbouring channels of
 * the same pixel. */
#include "op/common.h"
#include "op/layers.h"

#include <math.h>

struct extent {
    int64_t batch, channels, area, before, after;
};

static struct extent extent_of(const struct rci_node *n, const struct rci_shape *s)
{
    const int64_t size = ((const struct rci_lrn_attrs *) n->attrs)->size;
    struct extent e = {s->dim[0], s->dim[1], 1, (size - 1) / 2, size / 2};
    for (uint32_t a = 2; a < s->rank; a++)
        e.area *= s->dim[a];
    return e;
}

static rc_status lrn_infer(const struct rci_infer *i)
{
    char text[RC_SHAPE_TEXT];
    RC_TRY(rci_op_infer_same(i, RC_DT_F32));
    if (i->in[0].shape.rank < 2)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": input has shape %s, must be [N, C, ...]",
                        i->node->name, rci_shape_text(&i->in[0].shape, text));
    return RC_OK;
}

/* bias + alpha / size * sum of squares around channel k; x: channel 0 of the pixel. An even size
 * has its odd neighbour behind, as ONNX says: floor((size - 1) / 2) before, ceil(...) after. */
static double base_of(const struct rci_lrn_attrs *t, const struct extent *e, const float *x,
                      int64_t k)
{
    double sum = 0;
    for (int64_t c = k - e->before; c <= k + e->after; c++)
        if (c >= 0 && c < e->channels)
            sum += (double) x[c * e->area] * (double) x[c * e->area];
    return (double) t->bias + (double) t->alpha / (double) t->size * sum;
}

static rc_status lrn_forward(const struct rci_call *c)
{
    const struct rci_lrn_attrs *t = c->node->attrs;
    const struct extent e = extent_of(c->node, &c->in[0].shape);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < e.batch * e.channels; r++) {
        const int64_t image = r / e.channels, k = r % e.channels;
        const float *x = (const float *) c->in[0].data + image * e.channels * e.area;
        float *y = (float *) c->out[0].data + r * e.area;
        for (int64_t i = 0; i < e.area; i++)
            y[i] = (float) ((double) x[k * e.area + i] *
                            pow(base_of(t, &e, x + i, k), -(double) t->beta));
    }
    return RC_OK;
}

/* dx_k = dy_k b_k^-beta - 2 alpha beta / size * x_k * sum over c with k in its window of
 * dy_c x_c b_c^-(beta+1) */
static float lrn_slope(const struct rci_lrn_attrs *t, const struct extent *e, const float *x,
                       const float *dy, int64_t k)
{
    const double beta = (double) t->beta;
    double sum = 0;
    for (int64_t c = k - e->after; c <= k + e->before; c++)
        if (c >= 0 && c < e->channels)
            sum += (double) dy[c * e->area] * (double) x[c * e->area] *
                   pow(base_of(t, e, x, c), -beta - 1);
    return (float) ((double) dy[k * e->area] * pow(base_of(t, e, x, k), -beta) -
                    2 * (double) t->alpha * beta / (double) t->size * (double) x[k * e->area] *
                        sum);
}

static rc_status lrn_backward(const struct rci_call *c)
{
    const struct rci_lrn_attrs *t = c->node->attrs;
    const struct extent e = extent_of(c->node, &c->in[0].shape);
    float *d = c->d_in[0].data;
    if (!d)
        return RC_OK;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < e.batch * e.channels; r++) {
        const int64_t first = r / e.channels * e.channels * e.area, k = r % e.channels;
        const float *x = (const float *) c->in[0].data + first;
        const float *dy = (const float *) c->d_out[0].data + first;
        for (int64_t i = 0; i < e.area; i++)
            d[r * e.area + i] = lrn_slope(t, &e, x + i, dy + i, k);
    }
    return RC_OK;
}

/* Channels are summed over, so they stay. */
static void lrn_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    (void) n;
    for (uint32_t a = 0; s && a < s->rank; a++)
        if (a != 1)
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, a));
}

static rc_status lrn_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_lrn_attrs *t = n->attrs;
    RC_TRY(rci_attr_float(a, "alpha", 0.0001f, &t->alpha));
    RC_TRY(rci_attr_float(a, "beta", 0.75f, &t->beta));
    RC_TRY(rci_attr_float(a, "bias", 1, &t->bias));
    RC_TRY(rci_attr_int(a, "size", 0, &t->size));
    /* the sum costs `size` steps per element, also where there are fewer channels */
    if (t->size < 1 || t->size > 1 << 16)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": size is %lld, allowed 1 to %d", n->name,
                        (long long) t->size, 1 << 16);
    return RC_OK;
}

static rc_status lrn_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_lrn_attrs *t = n->attrs;
    RC_TRY(rci_put_float(w, "alpha", t->alpha));
    RC_TRY(rci_put_float(w, "beta", t->beta));
    RC_TRY(rci_put_float(w, "bias", t->bias));
    return rci_put_int(w, "size", t->size);
}

static struct rci_cost lrn_cost(const struct rci_node *n, const struct rci_tensor *in,
                                const struct rci_tensor *out)
{
    const struct rci_lrn_attrs *t = n->attrs;
    (void) in;
    return (struct rci_cost){0, (uint64_t) (rci_shape_count(&out[0].shape) * t->size)};
}

const struct rci_op rci_op_lrn = {
    .name = "LRN",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_lrn_attrs),
    .flags = RC_OP_SEPARATE,
    .sign = RC_SIGN_KEEPS,
    .infer = lrn_infer,
    .forward = lrn_forward,
    .backward = lrn_backward,
    .couple = lrn_couple,
    .read_attrs = lrn_read,
    .write_attrs = lrn_write,
    .cost = lrn_cost,
};
