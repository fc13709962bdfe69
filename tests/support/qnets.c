#include "qnets.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "exec/session.h"
#include "kernel/choice/choice.h"

const rc_context_options *qnet_options;
uint64_t qnet_flags;

void qnet_open(struct qnet *n)
{
    *n = (struct qnet){.rng = rci_rng_make(7, 1, 2)};
    OK(rc_context_new(&n->ctx, qnet_options));
    OK(rci_graph_new(&n->g, n->ctx));
    for (int i = 0; i < 5; i++)
        n->in[i] = RC_NONE;
}

void qnet_close(struct qnet *n)
{
    for (uint32_t i = 0; i < n->n_data; i++)
        free(n->data[i]);
    rci_graph_free(n->g);
    rci_choice_close(n->ctx);
    test_context_done(n->ctx);
}

/* Graph input of random bytes. */
void qnet_bytes(struct qnet *n, uint32_t operand, enum rci_dtype type, struct rci_shape s)
{
    char name[16];
    snprintf(name, sizeof(name), "in%u", operand);
    OK(rci_graph_add_input(n->g, &n->in[operand], name, type, &s));
    const int64_t count = rci_shape_count(&s);
    uint8_t *x = malloc((size_t) count);
    for (int64_t i = 0; i < count; i++)
        x[i] = (uint8_t) rci_rng_u32(&n->rng);
    n->data[n->n_data++] = x;
}

void qnet_weights(struct qnet *n, struct rci_shape s, int top)
{
    struct rci_tensor t;
    OK(rci_tensor_new(&t, n->ctx, RC_S8, &s));
    for (int64_t i = 0; i < rci_shape_count(&s); i++)
        ((int8_t *) t.data)[i] =
            (int8_t) ((int) rci_rng_below(&n->rng, (uint32_t) (2 * top + 1)) - top);
    OK(rci_graph_add_const(n->g, &n->in[RC_QCONV_W], "w", &t));
    rci_tensor_free(&t);
}

void qnet_floats(struct qnet *n, uint32_t operand, const char *name, int64_t count, double lo,
                 double hi)
{
    struct rci_tensor t;
    const struct rci_shape s = RC_SHAPE(count);
    OK(rci_tensor_new(&t, n->ctx, RC_F32, &s));
    for (int64_t i = 0; i < count; i++)
        ((float *) t.data)[i] = (float) (lo + (hi - lo) * rci_rng_uniform(&n->rng));
    OK(rci_graph_add_const(n->g, &n->in[operand], name, &t));
    rci_tensor_free(&t);
}

void qnet_node(struct qnet *n, const char *op, const void *attrs, uint32_t n_in)
{
    rci_id node;
    while (n_in > 0 && n->in[n_in - 1] == RC_NONE)
        n_in--;
    OK(rci_graph_add_node(n->g, &node, rci_op_find("rescomp", op), op, attrs, n->in, n_in, NULL,
                          1));
    OK(rci_graph_set_outputs(n->g, n->g->nodes[node].out, 1));
    n->g->batch = n->g->values[n->in[0]].tensor.shape.dim[0];
    OK(rci_graph_infer(n->g));
}

static struct rci_tensor run(struct qnet *n, uint64_t flags, char *kernel)
{
    struct rc_session *s;
    const struct rci_session_config config = {.batch = n->g->batch, .flags = flags};
    OK(rci_session_new(&s, n->g, &config));
    struct rci_tensor y = *rci_session_output(s, 0);
    y.data = malloc(rci_tensor_bytes(&y));
    OK(rci_session_run(s, config.batch, (const void *const *) n->data, &y.data));
    for (uint32_t i = 0; kernel && i < rci_session_n_steps(s); i++) {
        struct rci_step_info info;
        rci_session_step(s, i, &info);
        if (!strcmp(info.op, n->g->nodes[0].op->name))
            snprintf(kernel, 96, "%s", info.kernel);
    }
    rci_session_free(s);
    return y;
}

static double element(const struct rci_tensor *t, int64_t i)
{
    return t->dtype == RC_F32  ? (double) ((float *) t->data)[i]
           : t->dtype == RC_U8 ? ((uint8_t *) t->data)[i]
                               : ((int8_t *) t->data)[i];
}

/* Fast against plain; the kernel's name in `kernel`. */
void qnet_compare(struct qnet *n, char *kernel)
{
    struct rci_tensor fast = run(n, RC_SESSION_NO_PASSES | qnet_flags, kernel);
    struct rci_tensor plain = run(n, RC_SESSION_NO_PASSES | RC_SESSION_REFERENCE_OPS, NULL);
    const int64_t count = rci_shape_count(&fast.shape);
    int64_t different = 0;
    assert_true(rci_shape_equal(&fast.shape, &plain.shape));
    for (int64_t i = 0; i < count; i++) {
        const double a = element(&fast, i), b = element(&plain, i);
        if (fast.dtype == RC_F32 ? fabs(a - b) <= 1e-5 * fmax(fabs(b), 1) : a == b)
            continue;
        different++;
        if (fast.dtype == RC_F32 || fabs(a - b) > 1)
            fail_msg("%s: element %lld is %g, expected %g", kernel, (long long) i, a, b);
    }
    if (different > 1 + count / 1000)
        fail_msg("%s: %lld of %lld elements are off by one", kernel, (long long) different,
                 (long long) count);
    free(fast.data);
    free(plain.data);
}

/* Neighbouring input channels add up to 128 or -128. */
static void pair_weights(struct qnet *n, int64_t in, int64_t taps)
{
    int8_t *w = n->g->values[n->in[RC_QCONV_W]].tensor.data;
    const int64_t count = rci_shape_count(&n->g->values[n->in[RC_QCONV_W]].tensor.shape);
    for (int64_t i = 0; i < count; i++) {
        const int64_t o = i / (in * taps), c = i / taps % in;
        const int first = (int) (1 + (o * 37 + i % taps * 11 + c / 2 * 53) % 127);
        const int magnitude = c % 2 ? 128 - first : first;
        w[i] = (int8_t) (o % 2 ? -magnitude : magnitude);
    }
    for (int64_t i = 0; i < rci_shape_count(&n->g->values[n->in[RC_QCONV_X]].tensor.shape); i++)
        if (i % 7)
            ((uint8_t *) n->data[0])[i] = 255;
}

void qnet_conv(struct qnet *n, const struct conv_case *t)
{
    qnet_open(n);
    const int64_t k = t->kernel, d = t->dilation ? t->dilation : 1;
    const int64_t out = (t->size + 2 * t->pad - (k - 1) * d - 1) / t->stride + 1;
    const struct rci_qconv_attrs a = {.conv = {.window = {.kernel = {k, k},
                                                          .stride = {t->stride, t->stride},
                                                          .dilation = {d, d},
                                                          .pads = {t->pad, t->pad, t->pad, t->pad}},
                                               .group = t->groups},
                                      .x_scale = 0.0213f,
                                      .y_scale = 0.0371f,
                                      .res_scale = t->residual ? 0.01937f : 0,
                                      .mid_scale = t->mid ? 0.02911f : 0,
                                      .out = t->y,
                                      .relu = t->relu};
    qnet_bytes(n, RC_QCONV_X, t->x, RC_SHAPE(2, t->in, t->size, t->size));
    qnet_weights(n, RC_SHAPE(t->out, t->in / t->groups, k, k), t->top ? t->top : 127);
    if (t->pairs)
        pair_weights(n, t->in / t->groups, k * k);
    qnet_floats(n, RC_QCONV_BIAS, "b", t->out, -2, 2);
    const double spread = 1.0 / sqrt((double) (t->in / t->groups * k * k));
    qnet_floats(n, RC_QCONV_SCALE, "s", t->out, 0.007 * spread, 0.013 * spread);
    if (t->residual)
        qnet_bytes(n, RC_QCONV_RESIDUAL, t->residual, RC_SHAPE(2, t->out, out, out));
    qnet_node(n, "QConv", &a, 5);
}

void qnet_check_conv(const struct conv_case *t, char *kernel)
{
    struct qnet n;
    qnet_conv(&n, t);
    qnet_compare(&n, kernel);
    qnet_close(&n);
}
