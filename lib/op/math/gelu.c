/* Gelu: y = x * Phi(x), Phi the normal distribution, by erf or by its approximation
 * y = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) (opset 20). */
#include "op/attrs.h"
#include "op/math/map.h"

#include <math.h>
#include <string.h>

/* 1 / sqrt(2), sqrt(2 / pi), and the coefficient of Hendrycks and Gimpel (2016). */
static const float root_half = 0.70710678118654752f, root_2_pi = 0.79788456080286536f,
                   cubic = 0.044715f;

static bool gelu_by_tanh(const struct rci_node *n)
{
    return ((const struct rci_gelu_attrs *) n->attrs)->by_tanh != 0;
}

static void gelu_map(const struct rci_call *c, int64_t from, int64_t to)
{
    const float *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    if (gelu_by_tanh(c->node))
        for (int64_t i = from; i < to; i++)
            y[i] = 0.5f * x[i] * (1 + tanhf(root_2_pi * (x[i] + cubic * x[i] * x[i] * x[i])));
    else
        for (int64_t i = from; i < to; i++)
            y[i] = 0.5f * x[i] * (1 + erff(x[i] * root_half));
}

static rc_status gelu_forward(const struct rci_call *c)
{
    return rci_map_run(c, gelu_map);
}

static float gelu_slope(bool by_tanh, float x)
{
    if (!by_tanh) /* Phi + x * Phi' */
        return 0.5f * (1 + erff(x * root_half)) + x * 0.39894228040143268f * expf(-0.5f * x * x);
    const float t = tanhf(root_2_pi * (x + cubic * x * x * x));
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * root_2_pi * (1 + 3 * cubic * x * x);
}

static void gelu_grad(const struct rci_call *c, int64_t from, int64_t to)
{
    const bool by_tanh = gelu_by_tanh(c->node);
    const float *restrict x = c->in[0].data, *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++)
        d[i] = g[i] * gelu_slope(by_tanh, x[i]);
}

static rc_status gelu_backward(const struct rci_call *c)
{
    return c->d_in[0].data ? rci_map_run(c, gelu_grad) : RC_OK;
}

static rc_status gelu_read(struct rci_node *n, const struct rci_attrs *a)
{
    const char *text;
    RC_TRY(rci_attr_string(a, "approximate", &text));
    if (*text && strcmp(text, "none") && strcmp(text, "tanh"))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": approximate is \"%.32s\", allowed none tanh",
                        n->name, text);
    ((struct rci_gelu_attrs *) n->attrs)->by_tanh = !strcmp(text, "tanh");
    return RC_OK;
}

static rc_status gelu_write(const struct rci_node *n, struct rci_attr_write *w)
{
    return gelu_by_tanh(n) ? rci_put_string(w, "approximate", "tanh") : RC_OK;
}

const struct rci_op rci_op_gelu = {
    .name = "Gelu",
    RC_OP_ARITY(1, 1, 1, 1),
    .since = 20,
    .attr_size = sizeof(struct rci_gelu_attrs),
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE,
    .infer = rci_map_infer_f32,
    .forward = gelu_forward,
    .backward = gelu_backward,
    .couple = rci_op_couple_same,
    .read_attrs = gelu_read,
    .write_attrs = gelu_write,
    .cost = rci_op_cost_elementwise,
};
