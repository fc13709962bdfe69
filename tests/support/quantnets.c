#include "quantnets.h"
#include "nets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exec/session.h"

static int32_t get_image(void *user, uint64_t index, void *image, int32_t *label)
{
    const struct source *s = user;
    *label = (int32_t) (index % 5);
    if (!image)
        return 0;
    float *x = image;
    fill_random(x, s->pixels, 1000 + index);
    for (int64_t i = 0; i < s->pixels; i++)
        x[i] = s->positive ? fabsf(x[i]) : x[i];
    if (s->poison && index == 7)
        x[5] = NAN;
    return 0;
}

rc_dataset *quant_dataset(struct rc_context *c, struct source *s, uint64_t h, uint64_t w)
{
    rc_dataset *d;
    s->pixels = (int64_t) (C * h * w);
    rc_dataset_source o = RC_DATASET_SOURCE_INIT;
    o.get = get_image;
    o.user = s;
    o.images = IMAGES;
    o.classes = 5;
    o.channels = C;
    o.height = h;
    o.width = w;
    o.type = RC_DATASET_F32;
    rc_dataset_options p = RC_DATASET_OPTIONS_INIT;
    for (int i = 0; i < C; i++)
        p.std[i] = 1;
    OK(rc_dataset_new_callback(&d, c, &o, &p));
    return d;
}

rc_quantizer *quant_new(const struct rc_graph *g, const char *observer, uint64_t flags)
{
    rc_quantizer *q;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.observer = observer;
    o.images = IMAGES;
    o.batch = 16;
    o.flags = flags;
    OK(rc_quantizer_new(&q, g, &o));
    return q;
}

struct rc_graph *quant_two_convs(struct rc_context *c, const float w[2], const float b[2])
{
    struct rc_graph *g;
    rci_id in, v[6], node;
    const struct rci_shape x = RC_SHAPE(1, 1, 2, 2), one = RC_SHAPE(1), k = RC_SHAPE(1, 1, 1, 1);
    OK(rci_graph_new(&g, c));
    OK(rci_graph_add_input(g, &in, "a: b (1)", RC_F32, &x));
    for (int i = 0; i < 2; i++) {
        float pair[2] = {w[i], b[i]};
        OK(rci_graph_add_const(g, &v[2 * i], i ? "w1" : "w0",
                               &(struct rci_tensor){RC_F32, k, &pair[0]}));
        OK(rci_graph_add_const(g, &v[2 * i + 1], i ? "b1" : "b0",
                               &(struct rci_tensor){RC_F32, one, &pair[1]}));
    }
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Conv"), "c0", NULL,
                          (rci_id[]){in, v[0], v[1]}, 3, NULL, 1));
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Relu"), "r", NULL, g->nodes[node].out, 1,
                          NULL, 1));
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Conv"), "c1", NULL,
                          (rci_id[]){g->nodes[node].out[0], v[2], v[3]}, 3, NULL, 1));
    OK(rci_graph_set_outputs(g, g->nodes[node].out, 1));
    g->batch = 1;
    g->opset = 11;
    OK(rci_graph_infer(g));
    return g;
}

static rci_id add(struct rc_graph *g, const char *op, const char *name, rci_id a, rci_id b)
{
    rci_id node;
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, op), name, NULL, (rci_id[]){a, b},
                          b == RC_NONE ? 1 : 2, NULL, 1));
    return g->nodes[node].out[0];
}

static rci_id add_conv(struct rc_graph *g, const char *name, rci_id x, const char *weight,
                       struct rci_shape shape, const float *w)
{
    rci_id value, node;
    const struct rci_tensor t = {RC_F32, shape, (void *) (uintptr_t) w};
    OK(rci_graph_add_const(g, &value, weight, &t));
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Conv"), name, NULL, (rci_id[]){x, value}, 2,
                          NULL, 1));
    return g->nodes[node].out[0];
}

struct rc_graph *quant_two_adds(struct rc_context *c)
{
    static const float w0[18] = {0.5f, -0.25f, 0, 0, 0, 0.125f, 0, 0, 0, 0, 0, 0.25f, -0.1f},
                       w1[18] = {1, -0.5f, 0.25f, 2}, w2[2] = {0.75f, -1.5f};
    const struct rci_shape in = RC_SHAPE(1, 1, 6, 6);
    struct rc_graph *g;
    rci_id x;
    OK(rci_graph_new(&g, c));
    OK(rci_graph_add_input(g, &x, "x", RC_F32, &in));
    const rci_id stem = add_conv(g, "stem", x, "stem.w", RC_SHAPE(2, 1, 3, 3), w0);
    const rci_id act = add(g, "Relu", "act", stem, RC_NONE);
    const rci_id proj = add_conv(g, "proj", act, "proj.w", RC_SHAPE(2, 2, 1, 1), w1);
    const rci_id act2 = add(g, "Relu", "act2", add(g, "Add", "sum", proj, act), RC_NONE);
    const rci_id y = add_conv(g, "head", act2, "head.w", RC_SHAPE(1, 2, 1, 1), w2);
    OK(rci_graph_set_outputs(g, &y, 1));
    g->batch = 1;
    g->opset = 13;
    OK(rci_graph_infer(g));
    return g;
}

struct rc_graph *quant_calibrated(struct rc_context *c, const struct rc_graph *g,
                                  const char *observer, uint64_t flags)
{
    struct source s = {0};
    const struct rci_shape *x = &g->values[g->inputs[0]].tensor.shape;
    rc_dataset *d = quant_dataset(c, &s, (uint64_t) x->dim[2], (uint64_t) x->dim[3]);
    rc_quantizer *q = quant_new(g, observer, flags);
    struct rc_graph *out;
    OK(rc_quantizer_calibrate(q, d));
    OK(rc_quantizer_apply(&out, q));
    rc_quantizer_free(&q);
    rc_dataset_free(&d);
    return out;
}

bool quant_made_by(const struct rc_graph *g, rci_id v, const char *op)
{
    const rci_id p = g->values[v].producer;
    return p != RC_NONE && !strcmp(g->nodes[p].op->name, op);
}

void quant_run(const struct rc_graph *g, int64_t n, const float *x, float *y, uint64_t flags)
{
    struct rc_session *s;
    const struct rci_session_config o = {.batch = n, .flags = flags};
    OK(rci_session_new(&s, g, &o));
    OK(rci_session_run(s, n, (const void *const[]){x}, (void *const[]){y}));
    rci_session_free(s);
}

/* Integers against their simulation on floats, and both against the network itself. */
void quant_check_values(const struct rc_graph *g, const struct rc_graph *q, int64_t pixels,
                        double tolerance)
{
    enum { BATCH = 4 };
    const int64_t outs = rci_shape_count(&g->values[g->outputs[0]].tensor.shape) / g->batch;
    float *x = malloc((size_t) (BATCH * pixels) * sizeof(float));
    float *y = malloc((size_t) (BATCH * outs) * 3 * sizeof(float));
    fill_random(x, BATCH * pixels, 5);
    run_reference(g, BATCH, x, y);
    quant_run(q, BATCH, x, y + BATCH * outs, RC_SESSION_NO_PASSES | RC_SESSION_REFERENCE_OPS);
    quant_run(q, BATCH, x, y + 2 * BATCH * outs, 0);
    const double loss = relative_error(y + BATCH * outs, y, BATCH * outs);
    const double same = relative_error(y + 2 * BATCH * outs, y + BATCH * outs, BATCH * outs);
    if (!(loss < tolerance) || !(same < tolerance / 2))
        fail_msg("error by quantization %g, integers against simulation %g", loss, same);
    free(x);
    free(y);
}

uint32_t quant_count_steps(const struct rc_graph *g, const char *op)
{
    struct rc_session *s;
    const struct rci_session_config o = {.batch = 2};
    uint32_t count = 0;
    OK(rci_session_new(&s, g, &o));
    for (uint32_t i = 0; i < rci_session_n_steps(s); i++) {
        struct rci_step_info info;
        rci_session_step(s, i, &info);
        count += !strcmp(info.op, op);
    }
    rci_session_free(s);
    return count;
}
