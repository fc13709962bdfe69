/* A cap on the memory of activations: the same bytes as without, or a clear refusal. */
#include "exec/tape.h"
#include "kernel/engine.h"
#include "nets.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 4, STEPS = 2 };

static struct rc_tape *tape_of(struct rc_graph *g, struct rc_tape_config o)
{
    struct rc_tape *t;
    o.batch = BATCH;
    OK(rc_tape_create(&t, g, &o));
    return t;
}

static int64_t elements(const struct rc_graph *g, rc_id v)
{
    return rc_shape_count(&g->values[v].tensor.shape) / g->values[v].tensor.shape.dim[0] * BATCH;
}

static void walk(struct rc_tape *t, const float *x, const float *d)
{
    OK(rc_tape_forward(t, (const void *const[]){x}, 5, 1));
    OK(rc_tape_backward(t, (const float *const[]){d}));
}

static void same_constants(const struct rc_graph *g, const struct rc_graph *h)
{
    for (rc_id v = 0; v < g->n_values; v++)
        if (rc_value_is_const(&g->values[v]))
            assert_memory_equal(g->values[v].tensor.data, h->values[v].tensor.data,
                                rc_tensor_bytes(&g->values[v].tensor));
}

/* Gradients and running statistics of `g`, without and with a cap; the memory with it. */
static size_t compare(const struct rc_graph *g, struct rc_tape_config o, size_t memory)
{
    const int64_t n_in = elements(g, g->inputs[0]), n_out = elements(g, g->outputs[0]);
    float *x = calloc((size_t) n_in, sizeof(*x)), *d = calloc((size_t) n_out, sizeof(*d));
    struct rc_graph *whole, *capped;
    fill_random(x, n_in, 1);
    fill_random(d, n_out, 2);
    OK(rc_graph_clone(&whole, g));
    OK(rc_graph_clone(&capped, g));
    struct rc_tape *a = tape_of(whole, o);
    o.memory = memory;
    struct rc_tape *b = tape_of(capped, o);
    const size_t bytes = rc_tape_activation_bytes(b);
    assert_true(bytes <= memory);
    assert_true(bytes < rc_tape_activation_bytes(a));
    for (int k = 0; k < STEPS; k++) {
        walk(a, x, d);
        walk(b, x, d);
        for (uint32_t i = 0; i < rc_tape_n_params(a); i++)
            assert_memory_equal(rc_tape_param_grad(a, i), rc_tape_param_grad(b, i),
                                (size_t) rc_tape_param_count(a, i) * sizeof(float));
        same_constants(whole, capped);
    }
    rc_tape_destroy(a);
    rc_tape_destroy(b);
    rc_graph_destroy(whole);
    rc_graph_destroy(capped);
    free(x);
    free(d);
    return bytes;
}

static size_t needed(struct rc_graph *g, struct rc_tape_config o)
{
    struct rc_tape *t = tape_of(g, o);
    const size_t bytes = rc_tape_activation_bytes(t);
    rc_tape_destroy(t);
    return bytes;
}

/* The smallest cap, from the refusal of one byte. */
static size_t least(struct rc_graph *g, struct rc_tape_config o)
{
    struct rc_tape *t;
    unsigned long long bytes = 0;
    o.batch = BATCH;
    o.memory = 1;
    assert_int_equal(rc_tape_create(&t, g, &o), RC_ERR_LIMIT);
    assert_null(t);
    const char *at = strstr(rc_error_text(), "need at least ");
    assert_non_null(at);
    bytes = strtoull(at + strlen("need at least "), NULL, 10);
    assert_true(bytes > 1);
    return (size_t) bytes;
}

static void check_net(struct rc_graph *g, struct rc_tape_config o)
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
    check_net(g, (struct rc_tape_config){0});
    check_net(g, (struct rc_tape_config){.frozen_bn = true});
    assert_true(least(g, (struct rc_tape_config){0}) <
                needed(g, (struct rc_tape_config){0}) * 6 / 10);
    rc_graph_destroy(g);
}

static void bf16_gives_the_same_bytes(void **state)
{
    if (rc_cpu_check_bf16() != RC_OK)
        skip();
    struct rc_graph *g = net_zoo(*state, "resnet20", 1.0);
    check_net(g, (struct rc_tape_config){.bf16 = true});
    rc_graph_destroy(g);
}

/* Dropout and every kind of block; a net may have nothing to repeat, then it is refused. */
static void random_nets_give_the_same_bytes(void **state)
{
    uint32_t capped = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rc_graph *g = net_random(*state, seed, seed % 2 ? NET_ALL : NET_ALL & ~NET_POOL);
        const struct rc_tape_config o = {.frozen_bn = seed % 3 == 0};
        const size_t smallest = least(g, o);
        if (smallest < needed(g, o)) {
            compare(g, o, smallest);
            capped++;
        }
        rc_graph_destroy(g);
    }
    assert_true(capped >= 6);
}

/* Its plain form changes the running statistics: that must not happen twice. */
static void plain_normalization_is_not_repeated(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet20", 0.25);
    const struct rc_tape_config o = {.reference_ops = true};
    assert_int_equal(least(g, o), needed(g, o));
    rc_graph_destroy(g);
}

static void a_large_cap_changes_nothing(void **state)
{
    struct rc_graph *g = net_random(*state, 3, NET_RESIDUAL);
    const size_t whole = needed(g, (struct rc_tape_config){0});
    assert_int_equal(needed(g, (struct rc_tape_config){.memory = whole}), whole);
    rc_graph_destroy(g);
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
