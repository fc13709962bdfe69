#include "fit/linear.h"
#include "base/rng.h"

#include <string.h>

static bool f32_const(const struct rc_graph *g, const struct rci_node *n, uint32_t i, uint32_t rank)
{
    const struct rci_tensor *t = rci_const_in(g, n, i);
    return t && t->dtype == RC_F32 && t->shape.rank == rank;
}

bool rci_linear_of(struct rci_linear *l, const struct rc_graph *g, rci_id node)
{
    const struct rci_node *n = &g->nodes[node];
    *l = (struct rci_linear){.node = node, .bias = RC_NONE};
    if (!n->op || !n->op->as_weighted || n->n_post || n->n_in < 2 || n->op->max_in < 3)
        return false; /* MatMul has no place for the shift that goes with new weights */
    struct rci_weighted product;
    n->op->as_weighted(g, n, &product);
    if (!product.plain || product.bias_factor != 1)
        return false;
    l->conv = product.window != NULL;
    if (!f32_const(g, n, 1, l->conv ? 4 : 2) || rci_value_is_const(&g->values[n->in[0]]))
        return false;
    l->x = n->in[0];
    l->weight = n->in[1];
    const struct rci_shape *w = &g->values[l->weight].tensor.shape;
    l->axis = product.axis != 0;
    l->o = (size_t) w->dim[l->axis];
    l->channels = (size_t) w->dim[1 - l->axis];
    l->taps = l->positions = 1;
    if (l->conv) {
        struct rci_shape x = g->values[l->x].tensor.shape;
        x.dim[0] = 1;
        rci_conv_geometry_of(&l->g, n, &x, w);
        l->taps = (size_t) (l->g.kernel[0] * l->g.kernel[1]);
        l->positions = (size_t) (l->g.out[0] * l->g.out[1]);
        if (l->g.groups != 1)
            return false;
    }
    l->d = l->channels * l->taps;
    if (n->n_in > 2 && n->in[2] != RC_NONE) {
        l->bias = n->in[2];
        return f32_const(g, n, 2, 1) && g->values[l->bias].tensor.shape.dim[0] == w->dim[l->axis];
    }
    return true;
}

void rci_linear_sample(const struct rci_linear *l, uint64_t image, uint32_t n, uint32_t *position)
{
    struct rci_rng r = rci_rng_make(0, image, l->positions);
    for (uint32_t i = 0; i < n; i++) { /* one of every n-th part */
        const size_t from = i * l->positions / n, to = (i + 1) * l->positions / n;
        position[i] = (uint32_t) from + rci_rng_below(&r, (uint32_t) (to - from));
    }
}

static void conv_row(const struct rci_conv_geometry *g, const float *x, uint32_t position,
                     float *row)
{
    const int64_t top = position / g->out[1] * g->stride[0] - g->pad_begin[0];
    const int64_t left = position % g->out[1] * g->stride[1] - g->pad_begin[1];
    for (int64_t c = 0; c < g->in_channels; c++, x += g->in[0] * g->in[1])
        for (int64_t p = 0; p < g->kernel[0]; p++)
            for (int64_t q = 0; q < g->kernel[1]; q++) {
                const int64_t y = top + p * g->dilation[0], z = left + q * g->dilation[1];
                const bool inside = y >= 0 && y < g->in[0] && z >= 0 && z < g->in[1];
                *row++ = inside ? x[y * g->in[1] + z] : 0;
            }
}

void rci_linear_rows(const struct rci_linear *l, const float *image, const uint32_t *position,
                     uint32_t n, float *rows)
{
    if (!l->conv) {
        memcpy(rows, image, l->d * sizeof(*rows));
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        conv_row(&l->g, image, position[i], rows + i * l->d);
}

/* Where w[d][o] lies in the constant. */
static size_t linear_place(const struct rci_linear *l, size_t d, size_t o)
{
    return l->axis ? d * l->o + o : o * l->d + d;
}

void rci_linear_get(const struct rci_linear *l, const struct rc_graph *g, double *w)
{
    const float *from = g->values[l->weight].tensor.data;
    for (size_t d = 0; d < l->d; d++)
        for (size_t o = 0; o < l->o; o++)
            w[d * l->o + o] = (double) from[linear_place(l, d, o)];
}

void rci_linear_set(const struct rci_linear *l, struct rc_graph *g, const double *w)
{
    float *to = g->values[l->weight].tensor.data;
    for (size_t d = 0; d < l->d; d++)
        for (size_t o = 0; o < l->o; o++)
            to[linear_place(l, d, o)] = (float) w[d * l->o + o];
}
