/* The law of cutting: a network with some channels masked (all their weights zero) computes the
 * same as the network with these channels removed, and costs what was foretold. */
#include "handnets.h"
#include "shared.h"

#include "base/rng.h"
#include "prune/budget.h"
#include <rescomp/graph.h>

struct fixture {
    struct rc_graph *masked, *cut;
    uint32_t removed;
};

static void zero_index(struct rci_tensor *t, uint32_t axis, int64_t index)
{
    int64_t inner = 1, outer = 1;
    for (uint32_t a = 0; a < t->shape.rank; a++)
        *(a < axis ? &outer : &inner) *= a == axis ? 1 : t->shape.dim[a];
    for (int64_t o = 0; o < outer; o++)
        memset((float *) t->data + (o * t->shape.dim[axis] + index) * inner, 0,
               (size_t) inner * sizeof(float));
}

/* Zero all weights of the unit, or only those that make the channel. */
static void mask_unit(const struct rci_coupling *c, uint32_t unit, struct rc_graph *g, bool readers)
{
    uint32_t n;
    const uint32_t *id = rci_unit_ids(c, unit, &n);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t row = c->links->row_of[id[i]];
        if (c->kind[row] && (readers || c->kind[row] != RC_MEMBER_IN))
            zero_index(&g->values[row / RC_MAX_DIMS].tensor, row % RC_MAX_DIMS,
                       id[i] - c->links->base[row]);
    }
}

/* Every unit of every group that may be cut goes with probability `share`; one stays. */
static void cut_some(const struct rc_graph *g, uint64_t seed, double share, bool readers,
                     struct fixture *f)
{
    struct rci_coupling *c;
    struct rci_budget *b;
    struct rci_graph_cost cost;
    struct rci_rng r = rci_rng_make(seed, 0, 0);
    OK(rci_coupling_create(&c, g));
    OK(rci_budget_create(&b, c));
    OK(rci_graph_clone(&f->masked, g));
    OK(rci_graph_clone(&f->cut, g));
    uint8_t *keep = rci_alloc(g->ctx, c->links->n_ids);
    memset(keep, 1, c->links->n_ids);
    f->removed = 0;
    for (uint32_t i = 0; i < c->n_groups; i++) {
        const struct rci_prune_group *p = &c->group[i];
        const uint32_t stays = rci_rng_below(&r, p->n_units);
        for (uint32_t u = 0; u < p->n_units; u++) {
            const bool goes = rci_rng_uniform(&r) < share;
            if (p->fixed_by != RC_NONE || u == stays || !goes)
                continue;
            uint32_t n;
            const uint32_t *id = rci_unit_ids(c, p->unit[u], &n);
            for (uint32_t k = 0; k < n; k++)
                keep[id[k]] = 0;
            mask_unit(c, p->unit[u], f->masked, readers);
            rci_budget_change(b, &p->unit[u], 1, -1);
            f->removed++;
        }
    }
    OK(rci_graph_cut(f->cut, c->links, keep));
    OK(rci_graph_cost(f->cut, &cost));
    assert_int_equal(cost.macs, b->macs);
    assert_int_equal(cost.parameters, b->parameters);
    rci_release(keep);
    rci_budget_destroy(b);
    rci_coupling_destroy(c);
}

static void fixture_done(struct fixture *f)
{
    rci_graph_destroy(f->masked);
    rci_graph_destroy(f->cut);
}

static void check_law(const struct rc_graph *g, uint32_t seeds, double tolerance, int64_t batch)
{
    for (uint64_t seed = 0; seed < seeds; seed++) {
        struct fixture f;
        cut_some(g, seed, seed % 2 ? 0.7 : 0.3, seed % 3 == 0, &f);
        assert_true(f.removed > 0);
        const double d = net_difference(f.masked, f.cut, batch);
        if (d > tolerance)
            fail_msg("seed %u: masked and removed differ by %g", (unsigned) seed, d);
        fixture_done(&f);
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
    rci_graph_destroy(n.g);
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
    rci_graph_destroy(g);
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
        cmocka_unit_test(masked_is_removed_in_golden_files),
        cmocka_unit_test(masked_is_removed_in_shared_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
