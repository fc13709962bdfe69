/* The same small networks in a session with all its passes and fast paths, and on the tape: equal
 * to the plain operators one by one, and gradients equal to differences. */
#include "eval.h"
#include "opnets.h"

#include "base/rng.h"
#include "exec/session.h"
#include "exec/tape.h"
#include "op/attrs.h"

#include <math.h>

static void sessions_compute_what_plain_operators_do(void **state)
{
    (void) state;
    for (uint32_t i = 0; i < opnet_count; i++) {
        struct opnet n;
        struct rc_session *s;
        struct rci_tensor y, got;
        opnet_open(&n, &opnet_cases[i]);
        struct rci_tensor x = opnet_input(&n);
        OK(eval_graph(n.g, &x, &y));
        OK(rci_tensor_new(&got, n.ctx, RC_F32, &y.shape));
        OK(rci_session_new(&s, n.g, &(struct rci_session_config){.batch = 2}));
        OK(rci_session_run(s, 2, (const void *[]){x.data}, (void *[]){got.data}));
        for (int64_t k = 0, count = rci_shape_count(&y.shape); k < count; k++) {
            const double p = (double) ((float *) got.data)[k], q = (double) ((float *) y.data)[k];
            if (!(fabs(p - q) <= 1e-4 * (1 + fabs(q))))
                fail_msg("%s: element %lld: session %g, plain %g", opnet_cases[i].name,
                         (long long) k, p, q);
        }
        rci_session_free(s);
        rci_tensor_free(&x);
        rci_tensor_free(&y);
        rci_tensor_free(&got);
        opnet_close(&n);
    }
}

static float weight(int64_t k) /* of output k in the loss */
{
    return (float) (k % 7) / 3 - 1;
}

static double loss(const struct opnet *n, const struct rci_tensor *x)
{
    struct rci_tensor y;
    double sum = 0;
    OK(eval_graph(n->g, x, &y));
    for (int64_t k = 0, count = rci_shape_count(&y.shape); k < count; k++)
        sum += (double) ((float *) y.data)[k] * (double) weight(k);
    rci_tensor_free(&y);
    return sum;
}

/* Slope of the loss along a random direction of the first layer's weights. */
static double slope(struct opnet *n, const struct rci_tensor *x, const float *direction)
{
    const float h = 1e-3f;
    float *w = n->g->values[n->w1].tensor.data, keep[24];
    double side[2];
    memcpy(keep, w, sizeof(keep));
    for (int s = 0; s < 2; s++) {
        for (int k = 0; k < 24; k++)
            w[k] = keep[k] + (s ? h : -h) * direction[k];
        side[s] = loss(n, x);
    }
    memcpy(w, keep, sizeof(keep));
    return (side[1] - side[0]) / (2 * (double) h);
}

static double tape_slope(struct opnet *n, const struct rci_tensor *x, const float *direction)
{
    struct rci_tape *t;
    double sum = 0;
    bool found = false;
    OK(rci_tape_new(&t, n->g, &(struct rci_tape_config){.batch = 2}));
    const int64_t count = rci_shape_count(&rci_tape_output(t, 0)->shape);
    float *g = rci_alloc_array(n->ctx, (size_t) count, sizeof(*g));
    assert_non_null(g);
    for (int64_t k = 0; k < count; k++)
        g[k] = weight(k);
    OK(rci_tape_forward(t, (const void *[]){x->data}, 1, 1));
    OK(rci_tape_backward(t, (const float *[]){g}));
    for (uint32_t p = 0; p < rci_tape_n_params(t); p++)
        for (int k = 0; rci_tape_param(t, p) == n->w1 && k < 24; k++) {
            sum += (double) rci_tape_param_grad(t, p)[k] * (double) direction[k];
            found = true;
        }
    assert_true(found);
    rci_release(g);
    rci_tape_free(t);
    return sum;
}

static void tapes_give_the_slope_of_the_loss(void **state)
{
    (void) state;
    for (uint32_t i = 0; i < opnet_count; i++) {
        struct opnet n;
        float direction[24];
        if (!opnet_cases[i].smooth)
            continue;
        opnet_open(&n, &opnet_cases[i]);
        struct rci_tensor x = opnet_input(&n);
        struct rci_rng r = rci_rng_make(1, 2, 3);
        for (int k = 0; k < 24; k++)
            direction[k] = (float) rci_rng_normal(&r);
        const double want = slope(&n, &x, direction), got = tape_slope(&n, &x, direction);
        if (!(fabs(want - got) <= 5e-3 * (1 + fabs(want))))
            fail_msg("%s: slope on the tape %g, by differences %g", opnet_cases[i].name, got, want);
        rci_tensor_free(&x);
        opnet_close(&n);
    }
}

/* A layer, `between`, another layer; the slope of the loss on the tape. */
static double slope_through(void (*between)(struct opnet *n))
{
    const struct opnet_case c = {"", between, true};
    struct opnet n;
    float direction[24];
    opnet_open(&n, &c);
    struct rci_tensor x = opnet_input(&n);
    for (int k = 0; k < 24; k++)
        direction[k] = (float) (k % 5) - 2;
    const double s = tape_slope(&n, &x, direction);
    rci_tensor_free(&x);
    opnet_close(&n);
    return s;
}

/* Integers of 6 bits in 8: cut where Clip cuts the reals. */
static void fake_quantize_less(struct opnet *n)
{
    const struct rci_tensor scale = {RC_F32, {0, {0}}, (float[]){0.04f}};
    const struct rci_tensor zero = {RC_S8, {0, {0}}, (int8_t[]){0}};
    const struct rci_clip_attrs a = {.lo = -32, .hi = 31, .n_bounds = 2, .type = RC_S8};
    rci_id s, z;
    OK(rci_graph_add_const(n->g, &s, "scale", &scale));
    OK(rci_graph_add_const(n->g, &z, "zero", &zero));
    opnet_add(n, "QuantizeLinear", NULL, (rci_id[]){n->at, s, z}, 3);
    opnet_add(n, "Clip", &a, &n->at, 1);
    opnet_add(n, "DequantizeLinear", NULL, (rci_id[]){n->at, s, z}, 3);
    opnet_conv(n, 8, 3);
}

static void clip_less(struct opnet *n)
{
    const struct rci_clip_attrs a = {.lo = -1.3, .hi = 1.26, .n_bounds = 2};
    opnet_add(n, "Clip", &a, &n->at, 1);
    opnet_conv(n, 8, 3);
}

static void fake_quantize(struct opnet *n)
{
    const struct rci_tensor scale = {RC_F32, {0, {0}}, (float[]){0.01f}};
    const struct rci_tensor zero = {RC_U8, {0, {0}}, (uint8_t[]){128}};
    rci_id s, z;
    OK(rci_graph_add_const(n->g, &s, "scale", &scale));
    OK(rci_graph_add_const(n->g, &z, "zero", &zero));
    opnet_add(n, "QuantizeLinear", NULL, (rci_id[]){n->at, s, z}, 3);
    opnet_add(n, "DequantizeLinear", NULL, (rci_id[]){n->at, s, z}, 3);
    opnet_conv(n, 8, 3);
}

static void clip(struct opnet *n)
{
    const struct rci_clip_attrs a = {.lo = -1.285, .hi = 1.275, .n_bounds = 2};
    opnet_add(n, "Clip", &a, &n->at, 1);
    opnet_conv(n, 8, 3);
}

static void quantization_trains_straight_through(void **state)
{
    (void) state;
    const double a = slope_through(fake_quantize), b = slope_through(clip);
    assert_true(fabs(b) > 0.1);
    if (fabs(a - b) > 1e-4 * fabs(b))
        fail_msg("slope behind Q and DQ %g, behind Clip %g", a, b);
    const double few = slope_through(fake_quantize_less), cut = slope_through(clip_less);
    if (fabs(cut) < 0.1 || fabs(few - cut) > 1e-4 * fabs(cut))
        fail_msg("slope behind 6 bits %g, behind Clip %g", few, cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_compute_what_plain_operators_do),
        cmocka_unit_test(tapes_give_the_slope_of_the_loss),
        cmocka_unit_test(quantization_trains_straight_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
