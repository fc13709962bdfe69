/* 1x1 convolutions that only move channels: option A shortcuts, alone and with what is fused behind
 * them, and the moment when new weights do more than that. */
#include "handnets.h"
#include "nets.h"
#include "test.h"

#include "exec/session.h"
#include "kernel/onednn/engine.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 3 };

static struct rc_session *compile(const struct rc_graph *g)
{
    struct rc_session *s;
    const struct rci_session_config o = {.batch = BATCH};
    OK(rci_session_new(&s, g, &o));
    return s;
}

static uint32_t moves(const struct rc_session *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < rci_session_n_steps(s); i++) {
        struct rci_step_info info;
        rci_session_step(s, i, &info);
        n += info.kernel && !strcmp(info.kernel, "move");
    }
    return n;
}

/* Largest difference to the plain operators, of the largest value. */
static double error_of(struct rc_session *s, const struct rc_graph *g)
{
    const struct rci_tensor *in = rci_session_input(s, 0), *out = rci_session_output(s, 0);
    const int64_t n = rci_shape_count(&in->shape), m = rci_shape_count(&out->shape);
    float *x = malloc((size_t) n * sizeof(*x)), *y = malloc((size_t) m * sizeof(*y));
    struct rci_tensor want;
    fill_random(x, n, 3);
    OK(rci_session_run(s, BATCH, (const void *const[]){x}, (void *const[]){y}));
    net_run(g, BATCH, x, &want);
    const double error = relative_error(y, want.data, m);
    rci_tensor_free(&want);
    free(x);
    free(y);
    return error;
}

enum tail { ALONE, SUM, SUM_RELU, RELU };

static double shortcut(struct rc_context *c, int64_t channels, int64_t pad, enum tail tail,
                       int64_t side)
{
    struct net n = net_new(c);
    const rci_id x = net_input(&n, channels, side, side - 2);
    rci_id y = net_option_a(&n, x, pad);
    if (tail == SUM || tail == SUM_RELU)
        y = net_binary(&n, "Add",
                       net_conv(&n, "c", x, (struct net_conv){channels + 2 * pad, 3, 2, 1, true}),
                       y);
    if (tail == SUM_RELU || tail == RELU)
        y = net_unary(&n, "Relu", y);
    net_done(&n, y);
    struct rc_session *s = compile(n.g);
    if (channels > 4 && test_cpu()->lanes) /* few come as planes, where oneDNN wants them so */
        assert_int_equal(moves(s), 1);
    const double error = error_of(s, n.g);
    rci_session_free(s);
    rci_graph_free(n.g);
    return error;
}

static void shortcuts_only_move(void **state)
{
    static const int64_t channels[] = {1, 3, 8, 11, 16, 24}, pads[] = {0, 1, 4, 8};
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 4; k++)
            for (int64_t side = 7; side <= 8; side++) {
                assert_true(shortcut(*state, channels[i], pads[k], ALONE, side) == 0);
                assert_true(shortcut(*state, channels[i], pads[k], RELU, side) == 0);
                assert_true(shortcut(*state, channels[i], pads[k], SUM, side) < 1e-5);
                assert_true(shortcut(*state, channels[i], pads[k], SUM_RELU, side) < 1e-5);
            }
}

/* A 1x1 convolution with weights of the caller. */
static struct net one_conv(struct rc_context *c, float **w, int64_t in, int64_t out)
{
    struct net n = net_new(c);
    const rci_id x = net_input(&n, in, 6, 6);
    const rci_id y = net_conv(&n, "c", x, (struct net_conv){out, 1, 1, 1, false});
    net_done(&n, y);
    *w = n.g->values[n.g->nodes[0].in[1]].tensor.data;
    memset(*w, 0, (size_t) (in * out) * sizeof(**w));
    return n;
}

static void other_weights_are_multiplied(void **state)
{
    enum { IN = 5, OUT = 9 };
    float *w;
    struct net n = one_conv(*state, &w, IN, OUT);
    for (int i = 0; i < IN; i++)
        w[(2 + i) * IN + i] = 1;
    struct rc_session *s = compile(n.g);
    assert_int_equal(moves(s), test_cpu()->lanes != 0);
    assert_true(error_of(s, n.g) == 0);
    w[0] = 0.25f; /* no longer a move */
    OK(rci_session_refresh(s, n.g));
    assert_int_equal(moves(s), 0);
    assert_true(error_of(s, n.g) < 1e-5);
    memset(w, 0, IN * OUT * sizeof(*w));
    for (int i = 0; i < IN; i++)
        w[(1 + i) * IN + i] = 1; /* a move to another place */
    struct rc_session *again = compile(n.g);
    assert_int_equal(moves(again), test_cpu()->lanes != 0);
    for (int i = IN; i-- > 0;) {
        w[(1 + i) * IN + i] = 0;
        w[(2 + i) * IN + i] = 1;
    }
    OK(rci_session_refresh(again, n.g));
    assert_true(error_of(again, n.g) == 0);
    rci_session_free(again);
    rci_session_free(s);
    rci_graph_free(n.g);
}

/* Scaled, swapped, one channel left out: not moves. */
static void near_misses_are_convolutions(void **state)
{
    enum { IN = 4, OUT = 4 };
    for (int k = 0; k < 3; k++) {
        float *w;
        struct net n = one_conv(*state, &w, IN, OUT);
        for (int i = 0; i < IN; i++)
            w[(k == 1 ? IN - 1 - i : i) * IN + i] = k == 0 ? 2.0f : k == 2 && i == 3 ? 0.0f : 1.0f;
        struct rc_session *s = compile(n.g);
        assert_int_equal(moves(s), 0);
        assert_true(error_of(s, n.g) < 1e-5);
        rci_session_free(s);
        rci_graph_free(n.g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shortcuts_only_move, context_setup, context_teardown),
        cmocka_unit_test_setup_teardown(other_weights_are_multiplied, context_setup,
                                        context_teardown),
        cmocka_unit_test_setup_teardown(near_misses_are_convolutions, context_setup,
                                        context_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
