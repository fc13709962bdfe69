/* Passes keep what a network computes, and leave as few nodes as they promise. */
#include "nets.h"
#include "test.h"

#include "op/attrs.h"
#include "pass/pass.h"
#include "zoo/build.h"

static uint32_t count_nodes(const struct rc_graph *g, const char *op)
{
    uint32_t n = 0;
    for (rci_id i = 0; i < g->n_nodes; i++)
        n += g->nodes[i].op && (!op || !strcmp(g->nodes[i].op->name, op));
    return n;
}

/* What a graph computes before and after a pass. */
static double change_by(struct rc_graph *g, const struct rci_pass *p, uint32_t *n_changed)
{
    float x[2 * 3 * 32 * 32], before[20], after[20];
    fill_random(x, 2 * 3 * 32 * 32, 4);
    run_reference(g, 2, x, before);
    OK(rci_pass_run(g, p, n_changed));
    run_reference(g, 2, x, after);
    return relative_error(after, before, 2 * g->values[g->outputs[0]].tensor.shape.dim[1]);
}

static void affine_nodes_go_into_weights(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet20", 0.5);
    uint32_t n;
    const double error = change_by(g, &rci_pass_fold_affine, &n);
    assert_int_equal(n, 19);
    assert_int_equal(count_nodes(g, "BatchNormalization"), 0);
    assert_true(error < 1e-5);
    rci_graph_free(g);
}

/* Two convolutions read one weight; only one of them is followed by BatchNormalization. */
static void shared_weights_are_copied_before_folding(void **state)
{
    struct rci_build b = {.seed = 1};
    const struct rci_build_conv c = {3, 3, 3, 1, 1};
    const struct rci_shape s = RC_SHAPE(1, 3, 8, 8);
    rci_id x;
    OK(rci_graph_new(&b.g, *state));
    b.g->dynamic_batch = true;
    OK(rci_graph_add_input(b.g, &x, "x", RC_F32, &s));
    const rci_id y = rci_build_conv(&b, x, "a", &c);
    const struct rci_node *conv = &b.g->nodes[b.g->values[y].producer];
    const rci_id w = conv->in[1];
    const rci_id in[2] = {rci_build_norm(&b, y, "n", 3), w};
    rci_id z = rci_build_node(&b, "Conv", "b", conv->attrs, in, 2);
    z = rci_build_node(&b, "GlobalAveragePool", "pool", NULL, &z, 1);
    OK(b.st);
    OK(rci_graph_set_outputs(b.g, &z, 1));
    OK(rci_graph_infer(b.g));
    net_randomize(b.g, 3);
    uint32_t n;
    assert_true(change_by(b.g, &rci_pass_fold_affine, &n) < 1e-5);
    assert_int_equal(n, 1);
    rci_graph_free(b.g);
}

static void identities_go_and_names_stay(void **state)
{
    struct rci_build b = {.seed = 1};
    const struct rci_shape s = RC_SHAPE(1, 3, 4, 4);
    const struct rci_reshape_attrs same = {.dims = {0, 3, 4, 4}, .rank = 4, .bound = 1};
    rci_id x, y;
    OK(rci_graph_new(&b.g, *state));
    b.g->dynamic_batch = true;
    OK(rci_graph_add_input(b.g, &x, "x", RC_F32, &s));
    y = rci_build_node(&b, "Identity", "i", NULL, &x, 1);
    y = rci_build_node(&b, "Reshape", "r", &same, &y, 1);
    y = rci_build_node(&b, "Relu", "relu", NULL, &y, 1);
    y = rci_build_node(&b, "Dropout", "d", NULL, &y, 1);
    OK(b.st);
    OK(rci_graph_rename_value(b.g, y, "result"));
    OK(rci_graph_set_outputs(b.g, &y, 1));
    OK(rci_graph_infer(b.g));
    uint32_t n;
    OK(rci_pass_run(b.g, &rci_pass_drop_identity_training, &n));
    assert_int_equal(n, 2);
    assert_int_equal(count_nodes(b.g, "Dropout"), 1);
    OK(rci_pass_run(b.g, &rci_pass_drop_identity, &n));
    assert_int_equal(n, 1);
    assert_int_equal(count_nodes(b.g, NULL), 1);
    assert_string_equal(b.g->values[b.g->outputs[0]].name, "result");
    assert_string_equal(b.g->values[b.g->inputs[0]].name, "x");
    rci_graph_free(b.g);
}

static void an_identity_between_input_and_output_stays(void **state)
{
    struct rci_build b = {.seed = 1};
    const struct rci_shape s = RC_SHAPE(1, 3);
    rci_id x;
    OK(rci_graph_new(&b.g, *state));
    OK(rci_graph_add_input(b.g, &x, "x", RC_F32, &s));
    const rci_id y = rci_build_node(&b, "Identity", "i", NULL, &x, 1);
    OK(rci_graph_set_outputs(b.g, &y, 1));
    OK(rci_graph_infer(b.g));
    uint32_t n;
    OK(rci_pass_run(b.g, &rci_pass_drop_identity, &n));
    assert_int_equal(n, 0);
    rci_graph_free(b.g);
}

static void option_a_shortcuts_become_exact_convolutions(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet20", 0.3); /* odd channel counts */
    uint32_t n;
    const double error = change_by(g, &rci_pass_shortcut_conv, &n);
    assert_int_equal(n, 2);
    assert_int_equal(count_nodes(g, "Slice") + count_nodes(g, "Pad"), 0);
    assert_int_equal(count_nodes(g, "Conv"), 21);
    assert_true(error == 0);
    rci_graph_free(g);
}

static void a_cropping_slice_is_not_a_convolution(void **state)
{
    struct rci_build b = {.seed = 1};
    const struct rci_shape s = RC_SHAPE(1, 3, 9, 9);
    const struct rci_slice_attrs crop = {
        .ends = {5}, .axes = {2}, .steps = {2}, .n = 1, .bound = 1};
    rci_id x;
    OK(rci_graph_new(&b.g, *state));
    OK(rci_graph_add_input(b.g, &x, "x", RC_F32, &s));
    const rci_id y = rci_build_node(&b, "Slice", "s", &crop, &x, 1);
    OK(rci_graph_set_outputs(b.g, &y, 1));
    OK(rci_graph_infer(b.g));
    uint32_t n;
    OK(rci_pass_run(b.g, &rci_pass_shortcut_conv, &n));
    assert_int_equal(n, 0);
    rci_graph_free(b.g);
}

static void activations_and_additions_go_behind_convolutions(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet18", 0.125);
    OK(rci_pass_run(g, &rci_pass_fold_affine, NULL));
    uint32_t n;
    OK(rci_pass_run(g, &rci_pass_fuse_post, &n));
    assert_int_equal(n, 17 + 8); /* Relu, Add */
    assert_int_equal(count_nodes(g, "Relu") + count_nodes(g, "Add"), 0);
    for (rci_id i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_post; k++)
            if (g->nodes[i].post[k].kind == RC_POST_ADD)
                assert_int_equal(g->nodes[i].post[k].operand, g->nodes[i].op->max_in);
    rci_graph_free(g);
}

static void training_fuses_relu_with_what_is_before_it(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet20", 0.25);
    uint32_t n;
    OK(rci_pass_run(g, &rci_pass_fuse_post_training, &n));
    assert_int_equal(n, 19); /* ten behind BatchNormalization, nine behind Add */
    assert_int_equal(count_nodes(g, "Add"), 9);
    rci_graph_free(g);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(affine_nodes_go_into_weights),
        CASE(shared_weights_are_copied_before_folding),
        CASE(identities_go_and_names_stay),
        CASE(an_identity_between_input_and_output_stays),
        CASE(option_a_shortcuts_become_exact_convolutions),
        CASE(a_cropping_slice_is_not_a_convolution),
        CASE(activations_and_additions_go_behind_convolutions),
        CASE(training_fuses_relu_with_what_is_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
