/* Gradients of whole networks: against central differences, and fast against plain operators. */
#include "nets.h"
#include "test.h"

#include "exec/plan.h"
#include "exec/tape.h"

#include <math.h>
#include <stdlib.h>

enum { PIXELS = 3 * 13 * 11, CLASSES = 5, BATCH = 4 };

static struct rci_tape *tape_of(struct rc_graph *g, struct rci_tape_config o)
{
    struct rci_tape *t;
    o.batch = o.batch ? o.batch : BATCH;
    OK(rci_tape_new(&t, g, &o));
    return t;
}

static void forward(struct rci_tape *t, const float *x)
{
    OK(rci_tape_forward(t, (const void *const[]){x}, 1, 1));
}

static void backward(struct rci_tape *t, const float *d)
{
    OK(rci_tape_backward(t, (const float *const[]){d, NULL, NULL}));
}

/* A fixed linear loss sum(d * logits); its value in double. */
static double loss_of(struct rci_tape *t, const float *x, const float *d)
{
    double sum = 0;
    forward(t, x);
    const float *y = rci_tape_output(t, 0)->data;
    for (int i = 0; i < BATCH * CLASSES; i++)
        sum += (double) d[i] * y[i];
    return sum;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* Differences along random directions of one parameter each. Relu bends, so a direction may
 * disagree now and then; the median must not. */
static void check_differences(struct rc_graph *g, struct rci_tape_config o)
{
    float x[BATCH * PIXELS], d[BATCH * CLASSES];
    struct rci_tape *t = tape_of(g, o);
    fill_random(x, BATCH * PIXELS, 1);
    fill_random(d, BATCH * CLASSES, 2);
    forward(t, x);
    backward(t, d);
    const uint32_t n = rci_tape_n_params(t);
    double *error = calloc(n, sizeof(*error));
    for (uint32_t i = 0; i < n; i++) {
        const int64_t count = rci_tape_param_count(t, i);
        float *w = rci_tape_param_data(t, i);
        float *keep = calloc((size_t) count, sizeof(float)),
              *dir = calloc((size_t) count, sizeof(float));
        memcpy(keep, w, (size_t) count * sizeof(float));
        fill_random(dir, count, 50 + i);
        double want = 0, norm = 0;
        const float *grad = rci_tape_param_grad(t, i);
        for (int64_t k = 0; k < count; k++) {
            want += (double) grad[k] * dir[k];
            norm += (double) grad[k] * grad[k];
        }
        const float h = 1e-3f;
        double side[2];
        for (int s = 0; s < 2; s++) {
            for (int64_t k = 0; k < count; k++)
                w[k] = keep[k] + (s ? -h : h) * dir[k];
            side[s] = loss_of(t, x, d);
        }
        memcpy(w, keep, (size_t) count * sizeof(float));
        const double got = (side[0] - side[1]) / (2 * (double) h);
        error[i] = fabs(got - want) / (sqrt(norm) + 1e-2);
        free(keep);
        free(dir);
    }
    qsort(error, n, sizeof(*error), by_value);
    if (!(error[n / 2] < 3e-2) || !(error[n - 1] < 0.3))
        fail_msg("error of directions: median %g, largest %g", error[n / 2], error[n - 1]);
    free(error);
    rci_tape_free(t);
}

static void gradients_match_differences(void **state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct rc_graph *g = net_random(*state, seed, NET_RESIDUAL | NET_SHORTCUT);
        check_differences(g, (struct rci_tape_config){0});
        check_differences(g, (struct rci_tape_config){.reference_ops = true});
        check_differences(g, (struct rci_tape_config){.frozen_bn = true});
        rci_graph_free(g);
    }
}

/* Every kind of block: the fast and the plain walk give the same gradients. */
static void fast_gradients_equal_plain_ones(void **state)
{
    float x[BATCH * PIXELS], d[BATCH * CLASSES];
    fill_random(x, BATCH * PIXELS, 1);
    fill_random(d, BATCH * CLASSES, 2);
    for (uint64_t seed = 1; seed <= 18; seed++) {
        struct rc_graph *g = net_random(*state, seed, seed % 2 ? NET_ALL : NET_ALL & ~NET_POOL);
        struct rc_graph *h;
        OK(rci_graph_clone(&h, g));
        const struct rci_tape_config o = {.input_grads = true, .frozen_bn = seed % 3 == 0};
        struct rci_tape_config plain = o;
        plain.reference_ops = true;
        struct rci_tape *a = tape_of(g, o), *b = tape_of(h, plain);
        forward(a, x);
        forward(b, x);
        double e = relative_error(rci_tape_output(a, 0)->data, rci_tape_output(b, 0)->data,
                                  BATCH * CLASSES);
        if (!(e < 1e-4))
            fail_msg("seed %d: outputs differ by %g", (int) seed, e);
        backward(a, d);
        backward(b, d);
        assert_int_equal(rci_tape_n_params(a), rci_tape_n_params(b));
        for (uint32_t i = 0; i < rci_tape_n_params(a); i++) {
            const char *name = g->values[rci_tape_param(a, i)].name;
            assert_int_equal(rci_tape_param(a, i), rci_tape_param(b, i));
            const int64_t n = rci_tape_param_count(a, i);
            e = relative_error(rci_tape_param_grad(a, i), rci_tape_param_grad(b, i), n);
            /* a few Relu signs flip; biases before BatchNormalization have no true gradient */
            if (!(e < 2e-3))
                fail_msg("seed %d: gradient of %s differs by %g", (int) seed, name, e);
        }
        e = relative_error(rci_tape_input_grad(a, 0), rci_tape_input_grad(b, 0), BATCH * PIXELS);
        assert_true(e < 2e-3);
        /* running statistics moved alike */
        for (rci_id v = 0; v < g->n_values; v++)
            if (rci_value_is_const(&g->values[v]) && g->values[v].tensor.dtype == RC_F32)
                assert_true(relative_error(g->values[v].tensor.data, h->values[v].tensor.data,
                                           rci_shape_count(&g->values[v].tensor.shape)) < 1e-4);
        rci_tape_free(a);
        rci_tape_free(b);
        rci_graph_free(g);
        rci_graph_free(h);
    }
}

static void same_seed_gives_same_bytes(void **state)
{
    float x[BATCH * PIXELS], d[BATCH * CLASSES];
    struct rc_graph *g = net_random(*state, 6, NET_ALL);
    fill_random(x, BATCH * PIXELS, 1);
    fill_random(d, BATCH * CLASSES, 2);
    struct rci_tape *a = tape_of(g, (struct rci_tape_config){0});
    struct rci_tape *b = tape_of(g, (struct rci_tape_config){0});
    for (int k = 0; k < 2; k++) {
        forward(a, x);
        backward(a, d);
        forward(b, x);
        backward(b, d);
        for (uint32_t i = 0; i < rci_tape_n_params(a); i++)
            assert_memory_equal(rci_tape_param_grad(a, i), rci_tape_param_grad(b, i),
                                (size_t) rci_tape_param_count(a, i) * sizeof(float));
    }
    rci_tape_free(a);
    rci_tape_free(b);
    rci_graph_free(g);
}

/* A gradient given at a tap adds to what the loss gives. */
static void taps_take_gradients(void **state)
{
    float x[BATCH * PIXELS], d[BATCH * CLASSES] = {0};
    struct rc_graph *g = net_random(*state, 2, NET_RESIDUAL);
    const rci_id stem = g->nodes[rci_graph_find_node(g, "n2")].out[0]; /* Relu of the stem */
    struct rci_tape *t = tape_of(g, (struct rci_tape_config){.taps = &stem, .n_taps = 1});
    assert_int_equal(rci_tape_n_outputs(t), 2);
    const struct rci_tensor *tap = rci_tape_output(t, 1);
    const int64_t n = rci_shape_count(&tap->shape);
    float *ones = calloc((size_t) n, sizeof(float));
    fill_random(x, BATCH * PIXELS, 1);
    forward(t, x);
    double positive = 0;
    for (int64_t i = 0; i < n; i++) {
        assert_true(((float *) tap->data)[i] >= 0);
        positive += ((float *) tap->data)[i] > 0;
        ones[i] = 1;
    }
    OK(rci_tape_backward(t, (const float *const[]){d, ones}));
    double shift = 0;
    for (uint32_t i = 0; i < rci_tape_n_params(t); i++)
        if (!strcmp(g->values[rci_tape_param(t, i)].name, "n1.bias"))
            for (int64_t k = 0; k < rci_tape_param_count(t, i); k++)
                shift += rci_tape_param_grad(t, i)[k];
    assert_true(fabs(shift - positive) < 1e-3 * positive);
    OK((forward(t, x), rci_tape_backward(t, (const float *const[]){d, NULL})));
    for (uint32_t i = 0; i < rci_tape_n_params(t); i++)
        for (int64_t k = 0; k < rci_tape_param_count(t, i); k++)
            assert_true(rci_tape_param_grad(t, i)[k] == 0);
    free(ones);
    rci_tape_free(t);
    rci_graph_free(g);
}

/* Statistics of three batches at once are those of one batch three times as large. */
static void re_estimated_statistics_are_exact(void **state)
{
    enum { PARTS = 3 };
    float x[PARTS * BATCH * PIXELS];
    struct rc_graph *g = net_random(*state, 2, NET_RESIDUAL), *h;
    OK(rci_graph_clone(&h, g));
    fill_random(x, PARTS * BATCH * PIXELS, 1);
    struct rci_tape *a = tape_of(g, (struct rci_tape_config){.no_grad = true});
    struct rci_tape *b =
        tape_of(h, (struct rci_tape_config){.no_grad = true, .batch = PARTS * BATCH});
    OK(rci_tape_bn_begin(a));
    for (int k = 0; k < PARTS; k++)
        forward(a, x + k * BATCH * PIXELS);
    OK(rci_tape_bn_end(a));
    OK(rci_tape_bn_begin(b));
    forward(b, x);
    OK(rci_tape_bn_end(b));
    for (uint32_t i = 0; i < rci_tape_plan(a)->n_steps; i++)
        if (rci_tape_plan(a)->steps[i].node) /* forward alone keeps its fast path */
            assert_string_not_equal(rci_tape_plan(a)->steps[i].impl, "plain C");
    const struct rci_node *n = &g->nodes[rci_graph_find_node(g, "n1")]; /* the stem's: same input */
    for (uint32_t k = 3; k < 5; k++) {
        const struct rci_tensor *p = &g->values[n->in[k]].tensor, *q = &h->values[n->in[k]].tensor;
        assert_true(relative_error(p->data, q->data, p->shape.dim[0]) < 1e-5);
    }
    rci_tape_free(a);
    rci_tape_free(b);
    rci_graph_free(g);
    rci_graph_free(h);
}

static void frozen_statistics_do_not_move(void **state)
{
    float x[BATCH * PIXELS], d[BATCH * CLASSES];
    struct rc_graph *g = net_random(*state, 2, NET_RESIDUAL);
    const struct rci_tensor *mean = &g->values[g->nodes[rci_graph_find_node(g, "n1")].in[3]].tensor;
    float before[64];
    memcpy(before, mean->data, rci_tensor_bytes(mean));
    fill_random(x, BATCH * PIXELS, 1);
    fill_random(d, BATCH * CLASSES, 1);
    struct rci_tape *t = tape_of(g, (struct rci_tape_config){.frozen_bn = true});
    forward(t, x);
    backward(t, d);
    assert_memory_equal(before, mean->data, rci_tensor_bytes(mean));
    rci_tape_free(t);
    rci_graph_free(g);
}

static void frozen_constants_are_no_parameters(void **state)
{
    struct rc_graph *g = net_random(*state, 2, NET_RESIDUAL);
    struct rci_tape *t = tape_of(g, (struct rci_tape_config){0});
    const uint32_t n = rci_tape_n_params(t);
    g->values[rci_tape_param(t, 0)].flags |= RC_VALUE_FROZEN;
    rci_tape_free(t);
    t = tape_of(g, (struct rci_tape_config){0});
    assert_int_equal(rci_tape_n_params(t), n - 1);
    rci_tape_free(t);
    rci_graph_free(g);
}

static void walks_out_of_order_are_refused(void **state)
{
    float x[BATCH * PIXELS] = {0}, d[BATCH * CLASSES] = {0};
    struct rc_graph *g = net_random(*state, 2, NET_RESIDUAL);
    struct rci_tape *t = tape_of(g, (struct rci_tape_config){0});
    REFUSED(rci_tape_backward(t, (const float *const[]){d}), RC_ERR_STATE, "needs a forward");
    forward(t, x);
    backward(t, d);
    REFUSED(rci_tape_backward(t, (const float *const[]){d}), RC_ERR_STATE, "needs a forward");
    rci_tape_free(t);
    rci_graph_free(g);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(gradients_match_differences),        CASE(fast_gradients_equal_plain_ones),
        CASE(same_seed_gives_same_bytes),         CASE(taps_take_gradients),
        CASE(re_estimated_statistics_are_exact),  CASE(frozen_statistics_do_not_move),
        CASE(frozen_constants_are_no_parameters), CASE(walks_out_of_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
