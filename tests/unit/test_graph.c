/* Editing, ordering, copying and verifying graphs, with an operator made up for the purpose. */
#include "test.h"

#include "graph/graph.h"

static rc_status pick_infer(const struct rci_infer *i)
{
    i->out[0] = (struct rci_tensor){i->in[0].dtype, i->in[0].shape, NULL};
    return RC_OK;
}
static const struct rci_op pick = {.name = "Pick",
                                   .min_in = 1,
                                   .max_in = 2,
                                   .min_out = 1,
                                   .max_out = 1,
                                   .attr_size = 8,
                                   .infer = pick_infer};

struct built {
    struct rc_graph *g;
    rci_id x, w, a, b;
};

/* x -> a(x, w) -> b -> output */
static struct built build(struct rc_context *c)
{
    struct built t;
    float w[3] = {1, 2, 3};
    const struct rci_tensor wt = {RC_F32, RC_SHAPE(3), w};
    const struct rci_shape s = RC_SHAPE(1, 3);
    OK(rci_graph_new(&t.g, c));
    t.g->dynamic_batch = true;
    OK(rci_graph_add_input(t.g, &t.x, "x", RC_F32, &s));
    OK(rci_graph_add_const(t.g, &t.w, "w", &wt));
    OK(rci_graph_add_node(t.g, &t.a, &pick, "a", NULL, (rci_id[]){t.x, t.w}, 2, NULL, 1));
    OK(rci_graph_add_node(t.g, &t.b, &pick, NULL, NULL, t.g->nodes[t.a].out, 1, NULL, 1));
    OK(rci_graph_set_outputs(t.g, t.g->nodes[t.b].out, 1));
    OK(rci_graph_infer(t.g));
    OK(rci_graph_verify(t.g));
    return t;
}

/* Products of parts of a shape, as Flatten and Concat form them, cannot overflow either. */
static void a_length_of_zero_does_not_hide_absurd_ones(void **state)
{
    (void) state;
    static const struct {
        struct rci_shape shape;
        int64_t count; /* -1: refused */
    } cases[] = {{{3, {3, 0, 5}}, 0},          {{2, {INT32_MAX, 1}}, INT32_MAX},
                 {{3, {0, INT64_MAX, 2}}, -1}, {{3, {1 << 20, 1 << 20, 0}}, -1},
                 {{2, {2, -1}}, -1},           {{0, {0}}, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t count = -1;
        assert_int_equal(rci_shape_count_checked(&cases[i].shape, &count), cases[i].count >= 0);
        assert_int_equal(count, cases[i].count);
    }
}

static void shapes_follow_the_batch(void **state)
{
    struct built t = build(*state);
    struct rci_tensor shapes[8];
    OK(rci_graph_infer_at(t.g, 5, shapes));
    assert_int_equal(shapes[t.g->outputs[0]].shape.dim[0], 5);
    assert_int_equal(t.g->values[t.g->outputs[0]].tensor.shape.dim[0], 1);
    t.g->dynamic_batch = false;
    REFUSED(rci_graph_infer_at(t.g, 5, shapes), RC_ERR_SHAPE,
            "batch is 5, the model allows only 1");
    rci_graph_free(t.g);
}

static void names_are_unique_and_found(void **state)
{
    struct built t = build(*state);
    rci_id v;
    assert_int_equal(rci_graph_find_value(t.g, "w"), t.w);
    assert_int_equal(rci_graph_find_node(t.g, "a"), t.a);
    assert_int_equal(rci_graph_find_value(t.g, "nope"), RC_NONE);
    REFUSED(rci_graph_add_value(t.g, &v, "w"), RC_ERR_MODEL, "name \"w\" defined twice");
    OK(rci_graph_rename_value(t.g, t.w, "weight"));
    assert_int_equal(rci_graph_find_value(t.g, "w"), RC_NONE);
    assert_int_equal(rci_graph_find_value(t.g, "weight"), t.w);
    REFUSED(rci_graph_rename_value(t.g, t.w, "x"), RC_ERR_MODEL, "defined twice");
    OK(rci_graph_add_value(t.g, &v, NULL));
    assert_int_equal(rci_graph_find_value(t.g, t.g->values[v].name), v);
    rci_graph_free(t.g);
}

static void bypassing_keeps_the_names_of_outputs(void **state)
{
    struct built t = build(*state);
    char keep[64];
    strcpy(keep, t.g->values[t.g->outputs[0]].name);
    OK(rci_graph_bypass(t.g, t.b));
    OK(rci_graph_verify(t.g));
    assert_string_equal(t.g->values[t.g->outputs[0]].name, keep);
    assert_int_equal(t.g->values[t.g->outputs[0]].producer, t.a);
    assert_int_equal(rci_graph_find_value(t.g, keep), t.g->outputs[0]);
    rci_graph_free(t.g);
}

static void sweeping_removes_what_reaches_no_output(void **state)
{
    struct built t = build(*state);
    rci_id spare;
    uint32_t n;
    OK(rci_graph_add_node(t.g, &spare, &pick, "spare", NULL, &t.x, 1, NULL, 1));
    rci_graph_drop_input(t.g, t.a, 1); /* w is now without a reader */
    OK(rci_graph_sweep(t.g, &n));
    assert_int_equal(n, 1);
    assert_int_equal(rci_graph_find_node(t.g, "spare"), RC_NONE);
    assert_int_equal(rci_graph_find_value(t.g, "w"), RC_NONE);
    OK(rci_graph_verify(t.g));
    rci_graph_free(t.g);
}

static void a_copy_is_independent_and_equal(void **state)
{
    struct built t = build(*state);
    struct rc_graph *copy;
    OK(rci_graph_set_metadata(t.g, "key", "value"));
    OK(rci_graph_clone(&copy, t.g));
    ((float *) t.g->values[t.w].tensor.data)[0] = 9;
    assert_true(((float *) copy->values[t.w].tensor.data)[0] == 1);
    rci_graph_free(t.g);
    OK(rci_graph_verify(copy));
    assert_string_equal(rci_graph_get_metadata(copy, "key"), "value");
    OK(rci_graph_set_metadata(copy, "key", NULL));
    assert_null(rci_graph_get_metadata(copy, "key"));
    rci_graph_free(copy);
}

static void cycles_and_undefined_operands_are_refused(void **state)
{
    struct built t = build(*state);
    t.g->nodes[t.a].in[0] = t.g->nodes[t.b].out[0];
    REFUSED(rci_graph_verify(t.g), RC_ERR_MODEL, "on a cycle");
    rci_id v;
    OK(rci_graph_add_value(t.g, &v, "ghost"));
    t.g->nodes[t.a].in[0] = v;
    REFUSED(rci_graph_verify(t.g), RC_ERR_MODEL, "operand 0 \"ghost\" is not defined");
    t.g->nodes[t.a].in[0] = RC_NONE;
    REFUSED(rci_graph_verify(t.g), RC_ERR_MODEL, "operand 0 is required");
    rci_graph_free(t.g);
}

static void readers_and_order_agree(void **state)
{
    struct built t = build(*state);
    struct rci_readers r;
    rci_id *order;
    uint32_t n;
    OK(rci_graph_order(t.g, &order, &n));
    assert_int_equal(n, 2);
    assert_int_equal(order[0], t.a);
    rci_release(order);
    OK(rci_graph_readers(t.g, &r));
    assert_int_equal(r.start[t.x + 1] - r.start[t.x], 1);
    assert_int_equal(r.node[r.start[t.w]], t.a);
    assert_int_equal(r.operand[r.start[t.w]], 1);
    rci_readers_free(&r);
    assert_int_equal(rci_graph_single_reader(t.g, t.x), t.a);
    assert_int_equal(rci_graph_single_reader(t.g, t.g->outputs[0]), RC_NONE);
    rci_graph_free(t.g);
}

static void many_names_stay_fast_and_correct(void **state)
{
    struct rc_graph *g;
    OK(rci_graph_new(&g, *state));
    char name[16];
    rci_id v;
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "v%d", i);
        OK(rci_graph_add_value(g, &v, name));
    }
    assert_int_equal(rci_graph_find_value(g, "v12345"), 12345);
    rci_graph_free(g);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_length_of_zero_does_not_hide_absurd_ones),
        TEST(shapes_follow_the_batch),
        TEST(names_are_unique_and_found),
        TEST(bypassing_keeps_the_names_of_outputs),
        TEST(sweeping_removes_what_reaches_no_output),
        TEST(a_copy_is_independent_and_equal),
        TEST(cycles_and_undefined_operands_are_refused),
        TEST(readers_and_order_agree),
        TEST(many_names_stay_fast_and_correct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
