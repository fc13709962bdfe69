/* One operator alone: infer, forward, and its gradient against central differences. */
#include "opcheck.h"

#include "base/rng.h"
#include "op/table.h"

#include <math.h>

static void fill_random(const struct rci_tensor *t, uint64_t stream)
{
    struct rci_rng r = rci_rng_make(7, 11, stream);
    for (int64_t i = 0, n = rci_shape_count(&t->shape); i < n; i++)
        ((float *) t->data)[i] = (float) (2 * rci_rng_uniform(&r) - 1);
}

static void build(struct opcheck *c, const char *name, const void *attrs,
                  const struct rci_tensor *in, uint32_t n_in, uint32_t n_out)
{
    const struct rci_op *op = rci_op_find(NULL, name), *own = rci_op_find("rescomp", name);
    rci_id id, ids[OPCHECK_MAX];
    char label[16];
    op = op ? op : own;
    if (!op)
        fail_msg("no operator %s", name);
    assert_true(n_in <= OPCHECK_MAX && n_out <= OPCHECK_MAX);
    memset(c, 0, sizeof(*c));
    c->ctx = test_context();
    OK(rci_graph_new(&c->g, c->ctx));
    c->g->opset = 13;
    c->g->batch = 1;
    for (uint32_t i = 0; i < n_in; i++) {
        ids[i] = RC_NONE;
        c->in[i] = in[i];
        if (!in[i].dtype)
            continue;
        snprintf(label, sizeof(label), "x%u", i);
        OK(rci_graph_add_input(c->g, &ids[i], label, in[i].dtype, &in[i].shape));
        OK(rci_tensor_new(&c->in[i], c->ctx, in[i].dtype, &in[i].shape));
        if (in[i].data)
            memcpy(c->in[i].data, in[i].data, rci_tensor_bytes(&in[i]));
        else if (in[i].dtype == RC_F32)
            fill_random(&c->in[i], i);
    }
    OK(rci_graph_add_node(c->g, &id, op, "under_test", attrs, ids, n_in, NULL, n_out));
    c->node = &c->g->nodes[id];
}

static rc_status infer(struct opcheck *c)
{
    const struct rci_infer i = {c->g, c->node, c->in, c->out};
    return c->node->op->infer(&i);
}

void opcheck_open(struct opcheck *c, const char *op, const void *attrs, const struct rci_tensor *in,
                  uint32_t n_in, uint32_t n_out)
{
    build(c, op, attrs, in, n_in, n_out);
    OK(infer(c));
    for (uint32_t k = 0; k < n_out; k++) {
        const struct rci_shape s = c->out[k].shape;
        assert_true(rci_dtype_size(c->out[k].dtype) > 0);
        OK(rci_tensor_new(&c->out[k], c->ctx, c->out[k].dtype, &s));
    }
    if (c->node->op->saved_bytes) {
        c->saved = rci_alloc_zero(c->ctx, c->node->op->saved_bytes(c->node, c->in));
        assert_non_null(c->saved);
    }
}

static struct rci_call call_of(const struct opcheck *c)
{
    return (struct rci_call){.node = c->node,
                             .ctx = c->ctx,
                             .in = c->in,
                             .out = c->out,
                             .d_in = c->d_in,
                             .d_out = c->d_out,
                             .saved = c->saved,
                             .training = c->training,
                             .seed = c->seed,
                             .step = c->step};
}

void opcheck_forward(struct opcheck *c)
{
    const struct rci_call call = call_of(c);
    assert_non_null(c->node->op->forward);
    OK(c->node->op->forward(&call));
}

static void gradient_buffer(struct opcheck *c, struct rci_tensor *d, const struct rci_tensor *of)
{
    if (of->dtype && !d->data)
        OK(rci_tensor_new(d, c->ctx, RC_F32, &of->shape));
}

void opcheck_backward(struct opcheck *c)
{
    const struct rci_call call = call_of(c);
    assert_non_null(c->node->op->backward);
    for (uint32_t k = 0; k < c->node->n_out; k++) {
        gradient_buffer(c, &c->d_out[k], &c->out[k]);
        fill_random(&c->d_out[k], 100 + k);
    }
    for (uint32_t k = 0; k < c->node->n_in; k++) {
        if (c->in[k].dtype != RC_F32)
            continue;
        gradient_buffer(c, &c->d_in[k], &c->in[k]);
        /* backward must overwrite, not add */
        memset(c->d_in[k].data, 0x7f, rci_tensor_bytes(&c->d_in[k]));
    }
    OK(c->node->op->backward(&call));
}

void opcheck_close(struct opcheck *c)
{
    for (uint32_t k = 0; k < OPCHECK_MAX; k++) {
        rci_tensor_free(&c->in[k]);
        rci_tensor_free(&c->out[k]);
        rci_tensor_free(&c->d_in[k]);
        rci_tensor_free(&c->d_out[k]);
    }
    rci_release(c->saved);
    rci_graph_free(c->g);
    test_context_done(c->ctx);
}

void opcheck_shape(const struct opcheck *c, struct rci_shape expected)
{
    char a[RC_SHAPE_TEXT], b[RC_SHAPE_TEXT];
    if (!rci_shape_equal(&c->out[0].shape, &expected))
        fail_msg("%s: result of shape %s, expected %s", c->node->op->name,
                 rci_shape_text(&c->out[0].shape, a), rci_shape_text(&expected, b));
}

static double element(const struct rci_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case RC_F32:
        return (double) ((const float *) t->data)[i];
    case RC_F64:
        return ((const double *) t->data)[i];
    case RC_I64:
        return (double) ((const int64_t *) t->data)[i];
    case RC_I32:
        return ((const int32_t *) t->data)[i];
    case RC_S8:
        return ((const int8_t *) t->data)[i];
    default:
        return ((const uint8_t *) t->data)[i];
    }
}

void opcheck_expect(struct opcheck *c, const struct rci_tensor *expected, double tolerance)
{
    const struct rci_tensor *y = &c->out[0];
    opcheck_forward(c);
    opcheck_shape(c, expected->shape);
    if (y->dtype != expected->dtype)
        fail_msg("%s: result of type %s, expected %s", c->node->op->name, rci_dtype_name(y->dtype),
                 rci_dtype_name(expected->dtype));
    for (int64_t i = 0, n = rci_shape_count(&y->shape); i < n; i++) {
        const double got = element(y, i), want = element(expected, i);
        if (!(fabs(got - want) <= tolerance * (1 + fabs(want))))
            fail_msg("%s: element %lld is %.9g, expected %.9g", c->node->op->name, (long long) i,
                     got, want);
    }
}

/* The number whose gradient is checked. */
static double loss(struct opcheck *c)
{
    double sum = 0;
    opcheck_forward(c);
    for (uint32_t k = 0; k < c->node->n_out; k++)
        for (int64_t i = 0, n = rci_shape_count(&c->out[k].shape);
             c->out[k].dtype == RC_F32 && i < n; i++)
            sum += element(&c->out[k], i) * element(&c->d_out[k], i);
    return sum;
}

static void put_back(struct opcheck *c, const struct rci_tensor *original)
{
    for (uint32_t k = 0; k < c->node->n_in; k++)
        if (c->in[k].data)
            memcpy(c->in[k].data, original[k].data, rci_tensor_bytes(&c->in[k]));
}

static void check_element(struct opcheck *c, const struct rci_tensor *original, uint32_t k,
                          int64_t i, double h[2])
{
    float *x = (float *) c->in[k].data + i;
    const float keep = *x;
    const float up = keep + (float) h[0], down = keep - (float) h[0];
    const double got = element(&c->d_in[k], i);
    *x = up;
    const double high = loss(c);
    put_back(c, original);
    *x = down;
    const double low = loss(c);
    put_back(c, original);
    const double want = (high - low) / ((double) up - (double) down);
    if (!(fabs(got - want) <= h[1] * (1 + fabs(want))))
        fail_msg("%s: gradient of operand %u, element %lld is %.7g, by differences %.7g",
                 c->node->op->name, k, (long long) i, got, want);
}

void opcheck_gradient(struct opcheck *c, double step, double tolerance, uint32_t skip)
{
    struct rci_tensor original[OPCHECK_MAX] = {{0}};
    double h[2] = {step, tolerance};
    for (uint32_t k = 0; k < c->node->n_in; k++)
        if (c->in[k].data)
            OK(rci_tensor_copy(&original[k], c->ctx, &c->in[k]));
    opcheck_forward(c);
    opcheck_backward(c);
    put_back(c, original);
    for (uint32_t k = 0; k < c->node->n_in; k++)
        for (int64_t i = 0;
             c->in[k].dtype == RC_F32 && !(skip >> k & 1) && i < rci_shape_count(&c->in[k].shape);
             i++)
            check_element(c, original, k, i, h);
    for (uint32_t k = 0; k < OPCHECK_MAX; k++)
        rci_tensor_free(&original[k]);
}

void opcheck_gradient_of(const char *op, const void *attrs, const struct rci_tensor *in,
                         uint32_t n_in, uint32_t n_out, double step, double tolerance)
{
    struct opcheck c;
    opcheck_open(&c, op, attrs, in, n_in, n_out);
    opcheck_gradient(&c, step, tolerance, 0);
    opcheck_close(&c);
}

void opcheck_refused(const char *op, const void *attrs, const struct rci_tensor *in, uint32_t n_in,
                     uint32_t n_out, rc_status status, const char *text)
{
    struct opcheck c;
    build(&c, op, attrs, in, n_in, n_out);
    for (uint32_t k = 0; k < n_in; k++)
        if (!in[k].data)
            rci_tensor_free(&c.in[k]); /* unknown values stay unknown */
    const rc_status st = infer(&c);
    const char *start = "node \"under_test\"";
    if (st != status || strncmp(rc_last_error(), start, strlen(start)) ||
        !strstr(rc_last_error(), text))
        fail_msg("%s: %s: %s; expected %s with \"%s\"", op, rc_status_name(st), rc_last_error(),
                 rc_status_name(status), text);
    opcheck_close(&c);
}
