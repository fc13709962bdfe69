/* A cap on the memory of activations: the same bytes as without, or a clear refusal. */
#include "exec/tape.h"
#include "kernel/onednn/engine.h"
#include "nets.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 4, STEPS = 2 };

static struct rci_tape *tape_of(struct rc_graph *g, struct rci_tape_config o)
{
    struct rci_tape *t;
    o.batch = BATCH;
    OK(rci_tape_new(&t, g, &o));
    return t;
}

static int64_t elements(const struct rc_graph *g, rci_id v)
{
    return rci_shape_count(&g->values[v].tensor.shape) / g->values[v].tensor.shape.dim[0] * BATCH;
}

static void walk(struct rci_tape *t, const float *x, const float *d)
{
    OK(rci_tape_forward(t, (const void *const[]){x}, 5, 1));
    OK(rci_tape_backward(t, (const float *const[]){d}));
}

static void same_constants(const struct rc_graph *g, const struct rc_graph *h)
{
    for (rci_id v = 0; v < g->n_values; v++)
        if (rci_value_is_const(&g->values[v]))
            assert_memory_equal(g->values[v].tensor.data, h->values[v].tensor.data,
                                rci_tensor_bytes(&g->values[v].tensor));
}

/* Gradients and running statistics of `g`, without and with a cap; the memory with it. */
static size_t compare(const struct rc_graph *g, struct rci_tape_config o, size_t memory)
{
    const int64_t n_in = elements(g, g->inputs[0]), n_out = elements(g, g->outputs[0]);
    float *x = calloc((size_t) n_in, sizeof(*x)), *d = calloc((size_t) n_out, sizeof(*d));
    struct rc_graph *whole, *capped;
    fill_random(x, n_in, 1);
    fill_random(d, n_out, 2);
    OK(rci_graph_clone(&whole, g));
    OK(rci_graph_clone(&capped, g));
    struct rci_tape *a = tape_of(whole, o);
    o.memory = memory;
    struct rci_tape *b = tape_of(capped, o);
    const size_t bytes = rci_tape_activation_bytes(b);
    assert_true(bytes <= memory);
    assert_true(bytes < rci_tape_activation_bytes(a));
    for (int k = 0; k < STEPS; k++) {
        walk(a, x, d);
        walk(b, x, d);
        for (uint32_t i = 0; i < rci_tape_n_params(a); i++)
            assert_memory_equal(rci_tape_param_grad(a, i), rci_tape_param_grad(b, i),
                                (size_t) rci_tape_param_count(a, i) * sizeof(float));
        same_constants(whole, capped);
    }
    rci_tape_free(a);
    rci_tape_free(b);
    rci_graph_free(whole);
    rci_graph_free(capped);
    free(x);
    free(d);
    return bytes;
}

static size_t needed(struct rc_graph *g, struct rci_tape_config o)
{
    struct rci_tape *t = tape_of(g, o);
    const size_t bytes = rci_tape_activation_bytes(t);
    rci_tape_free(t);
    return bytes;
}

/* The smallest cap, from the refusal of one byte. */
static size_t least(struct rc_graph *g, struct rci_tape_config o)
{
    struct rci_tape *t;
    unsigned long long bytes = 0;
    o.batch = BATCH;
    o.memory = 1;
    assert_int_equal(rci_tape_new(&t, g, &o), RC_ERR_LIMIT);
    assert_null(t);
    const char *at = strstr(rci_error_text(), "need at least ");
    assert_non_null(at);
    bytes = strtoull(at + strlen("need at least "), NULL, 10);
    assert_true(bytes > 1);
    return (size_t) bytes;
}

static void check_net(struct rc_graph *g, struct rci_tape_config o)
{
    const size_t whole = needed(g, o), smallest = least(g, o);
    assert_true(smallest < whole);
    compare(g, o, smallest);
    const size_t half = compare(g, o, (whole + smallest) / 2);
    assert_true(half > smallest); /* no more is repeated than the cap asks for */
}

static void resnets_give_the_same_bytes(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet20", 1.0);
    check_net(g, (struct rci_tape_config){0});
    check_net(g, (struct rci_tape_config){.frozen_bn = true});
    assert_true(least(g, (struct rci_tape_config){0}) <
                needed(g, (struct rci_tape_config){0}) * 6 / 10);
    rci_graph_free(g);
}

static void bf16_gives_the_same_bytes(void **state)
{
    if (rci_cpu_check_bf16(test_cpu()) != RC_OK)
        skip();
    struct rc_graph *g = net_zoo(*state, "resnet20", 1.0);
    check_net(g, (struct rci_tape_config){.bf16 = true});
    rci_graph_free(g);
}

/* Dropout and every kind of block; a net may have nothing to repeat, then it is refused. */
static void random_nets_give_the_same_bytes(void **state)
{
    uint32_t capped = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rc_graph *g = net_random(*state, seed, seed % 2 ? NET_ALL : NET_ALL & ~NET_POOL);
        const struct rci_tape_config o = {.frozen_bn = seed % 3 == 0};
        const size_t smallest = least(g, o);
        if (smallest < needed(g, o)) {
            compare(g, o, smallest);
            capped++;
        }
        rci_graph_free(g);
    }
    assert_true(capped >= 6);
}

/* Its plain form changes the running statistics: that must not happen twice. */
static void plain_normalization_is_not_repeated(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet20", 0.25);
    const struct rci_tape_config o = {.reference_ops = true};
    assert_int_equal(least(g, o), needed(g, o));
    rci_graph_free(g);
}

static void a_large_cap_changes_nothing(void **state)
{
    struct rc_graph *g = net_random(*state, 3, NET_RESIDUAL);
    const size_t whole = needed(g, (struct rci_tape_config){0});
    assert_int_equal(needed(g, (struct rci_tape_config){.memory = whole}), whole);
    rci_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)
        CASE(resnets_give_the_same_bytes),     CASE(bf16_gives_the_same_bytes),
        CASE(random_nets_give_the_same_bytes), CASE(plain_normalization_is_not_repeated),
        CASE(a_large_cap_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
