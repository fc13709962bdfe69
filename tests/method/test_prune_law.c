/* The law of cutting: a network with some channels masked (all their weights zero) computes the
 * same as the network with these channels removed, and costs what was foretold. */
#include "handnets.h"
#include "masked.h"
#include "shared.h"

#include <rescomp/graph.h>
#include <rescomp/prune.h>

static void check_law(const struct rc_graph *g, uint32_t seeds, double tolerance, int64_t batch)
{
    for (uint64_t seed = 0; seed < seeds; seed++) {
        struct masked f;
        masked_cut(g, seed, seed % 2 ? 0.7 : 0.3, seed % 3 == 0, &f);
        assert_true(f.removed > 0);
        const double d = net_difference(f.masked, f.cut, batch);
        if (d > tolerance)
            fail_msg("seed %u: masked and removed differ by %g", (unsigned) seed, d);
        masked_done(&f);
    }
}

/* --- small networks by hand --- */

static rci_id head(struct net *n, rci_id x)
{
    return net_gemm(n, "fc", net_flatten(n, net_unary(n, "GlobalAveragePool", x)), 5);
}

static void check_net(rci_id (*build)(struct net *n, rci_id x))
{
    struct rc_context *c = test_context();
    struct net n = net_new(c);
    const rci_id x = net_input(&n, 3, 8, 8);
    net_done(&n, build(&n, x));
    check_law(n.g, 12, 1e-6, 2);
    rci_graph_free(n.g);
    test_context_done(c);
}

static rci_id chain(struct net *n, rci_id x)
{
    x = net_cbr(n, "a", x, (struct net_conv){.out = 6, .k = 3});
    x = net_unary(n, "Relu",
                  net_conv(n, "b", x, (struct net_conv){.out = 7, .k = 3, .bias = true}));
    return head(n, net_cbr(n, "c", x, (struct net_conv){.out = 9, .k = 1, .stride = 2}));
}

static rci_id block(struct net *n, const char *name, rci_id x, int64_t width, int64_t out)
{
    char a[32], b[32];
    snprintf(a, sizeof(a), "%s.conv1", name);
    snprintf(b, sizeof(b), "%s.conv2", name);
    const rci_id y = net_cbr(n, a, x, (struct net_conv){.out = width, .k = 3});
    const rci_id z = net_conv(n, b, y, (struct net_conv){.out = out, .k = 3});
    snprintf(b, sizeof(b), "%s.bn2", name);
    return net_unary(n, "Relu", net_binary(n, "Add", net_bn(n, b, z), x));
}

static rci_id residual(struct net *n, rci_id x)
{
    x = net_cbr(n, "stem", x, (struct net_conv){.out = 8, .k = 3});
    x = block(n, "one", x, 5, 8);
    return head(n, block(n, "two", x, 6, 8));
}

static rci_id wide_block(struct net *n, const char *name, rci_id x, int64_t out, rci_id shortcut)
{
    char a[32], b[32];
    snprintf(a, sizeof(a), "%s.conv1", name);
    snprintf(b, sizeof(b), "%s.conv2", name);
    const rci_id y = net_cbr(n, a, x, (struct net_conv){.out = out, .k = 3, .stride = 2});
    const rci_id z = net_conv(n, b, y, (struct net_conv){.out = out, .k = 3});
    snprintf(b, sizeof(b), "%s.bn2", name);
    return net_unary(n, "Relu", net_binary(n, "Add", net_bn(n, b, z), shortcut));
}

static rci_id option_a(struct net *n, rci_id x)
{
    x = net_cbr(n, "stem", x, (struct net_conv){.out = 4, .k = 3});
    x = block(n, "one", x, 5, 4);
    x = wide_block(n, "two", x, 8, net_option_a(n, x, 2));
    x = wide_block(n, "three", x, 16, net_option_a(n, x, 4));
    return head(n, block(n, "four", x, 7, 16));
}

static rci_id option_b(struct net *n, rci_id x)
{
    x = net_cbr(n, "stem", x, (struct net_conv){.out = 4, .k = 3});
    rci_id s = net_conv(n, "short", x, (struct net_conv){.out = 8, .k = 1, .stride = 2});
    x = wide_block(n, "two", x, 8, net_bn(n, "short.bn", s));
    return head(n, block(n, "three", x, 7, 8));
}

static rci_id bottleneck(struct net *n, rci_id x)
{
    x = net_cbr(n, "stem", x, (struct net_conv){.out = 8, .k = 3});
    rci_id y = net_cbr(n, "c1", x, (struct net_conv){.out = 4, .k = 1});
    y = net_cbr(n, "c2", y, (struct net_conv){.out = 5, .k = 3});
    y = net_bn(n, "b3", net_conv(n, "c3", y, (struct net_conv){.out = 8, .k = 1}));
    return head(n, net_unary(n, "Relu", net_binary(n, "Add", x, y)));
}

static rci_id dense(struct net *n, rci_id x)
{
    rci_id all[3] = {net_cbr(n, "stem", x, (struct net_conv){.out = 6, .k = 3})};
    all[1] = net_conv(n, "d1", all[0], (struct net_conv){.out = 4, .k = 3});
    rci_id y = net_unary(n, "Relu", net_bn(n, "n2", net_concat(n, all, 2)));
    all[2] = net_conv(n, "d2", y, (struct net_conv){.out = 5, .k = 3});
    return head(n, net_unary(n, "Relu", net_bn(n, "n3", net_concat(n, all, 3))));
}

static rci_id split(struct net *n, rci_id x)
{
    rci_id part[3];
    x = net_cbr(n, "stem", x, (struct net_conv){.out = 12, .k = 3});
    net_split(n, x, (int64_t[]){4, 3, 5}, 3, part);
    part[0] = net_cbr(n, "p0", part[0], (struct net_conv){.out = 4, .k = 3});
    part[2] = net_cbr(n, "p2", part[2], (struct net_conv){.out = 6, .k = 1});
    return head(n, net_cbr(n, "join", net_concat(n, part, 3), (struct net_conv){.out = 7, .k = 1}));
}

static rci_id sliced(struct net *n, rci_id x)
{
    x = net_cbr(n, "stem", x, (struct net_conv){.out = 10, .k = 3});
    const rci_id y = net_cbr(n, "y", net_slice(n, x, 2, 7), (struct net_conv){.out = 6, .k = 3});
    const rci_id z = net_cbr(n, "z", x, (struct net_conv){.out = 6, .k = 3});
    return head(n, net_binary(n, "Add", y, z));
}

static rci_id depthwise(struct net *n, rci_id x)
{
    x = net_cbr(n, "expand", x, (struct net_conv){.out = 8, .k = 1});
    x = net_cbr(n, "dw", x, (struct net_conv){.out = 8, .k = 3, .group = 8});
    x = net_cbr(n, "twice", x, (struct net_conv){.out = 16, .k = 3, .group = 8});
    return head(n, net_cbr(n, "project", x, (struct net_conv){.out = 6, .k = 1}));
}

static rci_id grouped(struct net *n, rci_id x)
{
    x = net_cbr(n, "c1", x, (struct net_conv){.out = 12, .k = 1});
    x = net_cbr(n, "c2", x, (struct net_conv){.out = 18, .k = 3, .group = 3, .bias = true});
    return head(n, net_cbr(n, "c3", x, (struct net_conv){.out = 6, .k = 1}));
}

static rci_id gate(struct net *n, rci_id x)
{
    x = net_cbr(n, "stem", x, (struct net_conv){.out = 8, .k = 3});
    rci_id y = net_bn(n, "bn", net_conv(n, "body", x, (struct net_conv){.out = 8, .k = 3}));
    rci_id s = net_unary(n, "GlobalAveragePool", y);
    s = net_conv(n, "fc1", s, (struct net_conv){.out = 4, .k = 1, .bias = true});
    s = net_conv(n, "fc2", net_unary(n, "Relu", s),
                 (struct net_conv){.out = 8, .k = 1, .bias = true});
    y = net_binary(n, "Mul", y, net_unary(n, "Sigmoid", s));
    return head(n, net_unary(n, "Relu", net_binary(n, "Add", y, x)));
}

static rci_id flat(struct net *n, rci_id x)
{
    x = net_cbr(n, "a", x, (struct net_conv){.out = 6, .k = 3, .stride = 2});
    x = net_gemm(n, "fc1", net_flatten(n, x), 10);
    return net_gemm(n, "fc2", net_unary(n, "Relu", x), 5);
}

#define LAW(name, build)           \
    static void name(void **state) \
    {                              \
        (void) state;              \
        check_net(build);          \
    }
LAW(masked_is_removed_in_a_chain, chain)
LAW(masked_is_removed_in_a_residual_stage, residual)
LAW(masked_is_removed_with_padded_shortcuts, option_a)
LAW(masked_is_removed_with_projected_shortcuts, option_b)
LAW(masked_is_removed_in_a_bottleneck, bottleneck)
LAW(masked_is_removed_through_concat, dense)
LAW(masked_is_removed_through_split, split)
LAW(masked_is_removed_through_slice, sliced)
LAW(masked_is_removed_in_depthwise_layers, depthwise)
LAW(masked_is_removed_in_grouped_layers, grouped)
LAW(masked_is_removed_with_a_gate, gate)
LAW(masked_is_removed_through_flatten, flat)

/* --- real files --- */

static void check_file(const char *path, uint32_t seeds)
{
    struct rc_context *c = test_context();
    struct rc_graph *g;
    OK(rc_graph_load(&g, c, path));
    check_law(g, seeds, 1e-5, 1);
    rci_graph_free(g);
    test_context_done(c);
}

static void masked_is_removed_in_golden_files(void **state)
{
    (void) state;
    static const char *const name[] = {"resnet18",   "resnet50", "resnext50",
                                       "seresnet18", "densenet", "cifar-option-a"};
    for (uint32_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        char path[96];
        snprintf(path, sizeof(path), "tests/golden/pruning/%s.onnx", name[i]);
        check_file(source_path(path), 6);
    }
}

/* Two convolutions read one tensor of weights: a channel goes in both or in neither. */
static rci_id tied(struct net *n, rci_id x)
{
    x = net_cbr(n, "a", x, (struct net_conv){.out = 16, .k = 3});
    const rci_id y = net_conv(n, "b", x, (struct net_conv){.out = 16, .k = 3, .bias = true});
    const rci_id z = net_conv(n, "c", net_unary(n, "Relu", y),
                              (struct net_conv){.out = 16, .k = 3, .bias = true});
    n->g->nodes[n->g->values[z].producer].in[1] = n->g->nodes[n->g->values[y].producer].in[1];
    return head(n, net_unary(n, "Relu", z));
}

static void masked_is_removed_with_tied_weights(void **state)
{
    (void) state;
    check_net(tied);
}

/* Channels of the groups that the layers b and c make. */
static void widths_after_pruning(struct rc_context *c, const rc_graph *g, int64_t *b, int64_t *w)
{
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p = NULL;
    rc_graph *cut = NULL;
    const char *keep[] = {"a", "c"};
    o.ratio = 0.5;
    o.keep = keep;
    o.keep_count = 2;
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_apply(&cut, p, NULL));
    (void) c;
    for (rci_id i = 0; i < cut->n_nodes; i++)
        if (cut->nodes[i].op && cut->nodes[i].n_out == 1 && cut->nodes[i].name[1] == 0 &&
            (cut->nodes[i].name[0] == 'b' || cut->nodes[i].name[0] == 'c'))
            *(cut->nodes[i].name[0] == 'b' ? b : w) =
                cut->values[cut->nodes[i].out[0]].tensor.shape.dim[1];
    rc_pruner_free(&p);
    rc_graph_free(&cut);
}

/* A bias that only happens to be the same is stored once; cutting one layer leaves the other. */
static void a_shared_bias_does_not_couple_layers(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct net n = net_new(c);
    int64_t b = 0, w = 0;
    rci_id x = net_cbr(&n, "a", net_input(&n, 3, 8, 8), (struct net_conv){.out = 6, .k = 3});
    const rci_id y = net_conv(&n, "b", x, (struct net_conv){.out = 8, .k = 3, .bias = true});
    const rci_id z = net_conv(&n, "c", net_unary(&n, "Relu", y),
                              (struct net_conv){.out = 8, .k = 3, .bias = true});
    n.g->nodes[n.g->values[z].producer].in[2] = n.g->nodes[n.g->values[y].producer].in[2];
    net_done(&n, head(&n, net_unary(&n, "Relu", z)));
    widths_after_pruning(c, n.g, &b, &w);
    assert_int_equal(b, 4);
    assert_int_equal(w, 8);
    /* the graph that was pruned is as it was */
    assert_int_equal(n.g->nodes[n.g->values[z].producer].in[2],
                     n.g->nodes[n.g->values[y].producer].in[2]);
    rci_graph_free(n.g);
    test_context_done(c);
}

static void masked_is_removed_in_shared_models(void **state)
{
    (void) state;
    static const char *const name[] = {"resnet20-cifar10", "resnet20-cifar10-folded",
                                       "resnet20-cifar100", "resnet32-cifar100-folded",
                                       "resnet56-cifar10"};
    for (uint32_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        char relative[64];
        snprintf(relative, sizeof(relative), "models/%s.onnx", name[i]);
        const char *path = shared_path(relative);
        if (!path)
            skip();
        check_file(path, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_is_removed_in_a_chain),
        cmocka_unit_test(masked_is_removed_in_a_residual_stage),
        cmocka_unit_test(masked_is_removed_with_padded_shortcuts),
        cmocka_unit_test(masked_is_removed_with_projected_shortcuts),
        cmocka_unit_test(masked_is_removed_in_a_bottleneck),
        cmocka_unit_test(masked_is_removed_through_concat),
        cmocka_unit_test(masked_is_removed_through_split),
        cmocka_unit_test(masked_is_removed_through_slice),
        cmocka_unit_test(masked_is_removed_in_depthwise_layers),
        cmocka_unit_test(masked_is_removed_in_grouped_layers),
        cmocka_unit_test(masked_is_removed_with_a_gate),
        cmocka_unit_test(masked_is_removed_through_flatten),
        cmocka_unit_test(masked_is_removed_with_tied_weights),
        cmocka_unit_test(a_shared_bias_does_not_couple_layers),
        cmocka_unit_test(masked_is_removed_in_golden_files),
        cmocka_unit_test(masked_is_removed_in_shared_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
