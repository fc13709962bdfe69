/* Residual blocks that go as a whole: found by structure, removed == their branch is zero, and
 * chosen where that is cheaper than channels. */
#include "files.h"
#include "handnets.h"
#include "shared.h"
#include "tiny.h"

#include <math.h>
#include <rescomp/rescomp.h>

static struct rc_graph *load(struct rc_context *c, const char *name)
{
    struct rc_graph *g;
    char path[96];
    snprintf(path, sizeof(path), "tests/golden/pruning/%s.onnx", name);
    OK(rc_graph_load(&g, c, source_path(path)));
    return g;
}

static rc_prune_block_info block_info(rc_pruner *p, uint64_t i)
{
    rc_prune_block_info info = RC_PRUNE_BLOCK_INFO_INIT;
    OK(rc_pruner_get_block(p, i, &info));
    return info;
}

/* Blocks with a convolution in their shortcut, or that change the shape, are none. */
static void blocks_are_found_by_structure(void **state)
{
    static const struct {
        const char *name;
        uint64_t blocks;
    } row[] = {
        {"resnet18", 5}, {"resnet50", 12}, {"seresnet18", 4}, {"resnext50", 12}, {"densenet", 0}};
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        rc_graph *g = load(*state, row[i].name);
        rc_pruner *p;
        OK(rc_pruner_new(&p, g, NULL));
        if (rc_pruner_count_blocks(p) != row[i].blocks)
            fail_msg("%s has %d blocks, found %d", row[i].name, (int) row[i].blocks,
                     (int) rc_pruner_count_blocks(p));
        rc_pruner_free(&p);
        rc_graph_free(&g);
    }
}

/* Node that makes operand k of the Add. */
static const struct rci_node *made_by(const rc_graph *g, const char *add, uint32_t k)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && !strcmp(g->nodes[i].name, add))
            return &g->nodes[g->values[g->nodes[i].in[k]].producer];
    return NULL;
}

static void zero_branch(rc_graph *g, const char *add)
{
    const struct rci_node *n = made_by(g, add, 0);
    if (!n || !n->op->as_norm)
        n = made_by(g, add, 1);
    assert_true(n && n->op->as_norm);
    for (uint32_t k = 1; k < 3; k++) { /* scale and shift */
        struct rci_tensor *t = &g->values[n->in[k]].tensor;
        memset(t->data, 0, rci_tensor_bytes(t));
    }
}

/* Of every network some blocks, with channels of others cut as well. */
static void removed_is_a_branch_of_zeros(void **state)
{
    struct rc_context *c = *state;
    static const char *const names[] = {"resnet18", "resnet50", "resnext50", "cifar-option-a"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        rc_graph *g = load(c, names[i]), *zeros, *out, *cut;
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        rc_prune_result r = RC_PRUNE_RESULT_INIT;
        rc_graph_info info = RC_GRAPH_INFO_INIT;
        rc_pruner *p, *q;
        o.criterion = "l2";
        o.macs = 0.7;
        OK(rci_graph_clone(&zeros, g));
        OK(rc_pruner_new(&p, g, &o));
        const uint64_t n = rc_pruner_count_blocks(p);
        assert_true(n >= 2);
        for (uint64_t b = 0; b < n; b += 2) {
            const rc_prune_block_info before = block_info(p, b);
            assert_false(before.cut);
            zero_branch(zeros, before.add);
            OK(rc_pruner_cut_block(p, b));
            const rc_prune_block_info after = block_info(p, b);
            assert_true(after.cut && after.macs == before.macs && before.macs > 0);
            assert_true(after.parameters == before.parameters && before.parameters > 0);
        }
        REFUSED(rc_pruner_cut_block(p, 0), RC_ERR_ARG, "is cut twice");
        OK(rc_pruner_apply(&out, p, &r));
        assert_true(net_difference(zeros, out, 1) < 1e-5);
        OK(rc_graph_get_info(out, &info));
        assert_int_equal(info.macs, r.macs_after);
        assert_int_equal(info.parameters, r.parameters_after);
        assert_int_equal(r.blocks_cut, (n + 1) / 2);
        /* channels on top of that: the figures stay exact */
        OK(rc_pruner_plan(p, &r));
        OK(rc_pruner_apply(&cut, p, NULL));
        OK(rc_graph_get_info(cut, &info));
        assert_int_equal(info.macs, r.macs_after);
        assert_int_equal(info.parameters, r.parameters_after);
        assert_true((double) r.macs_after <= 0.7 * (double) r.macs_before);
        OK(rc_pruner_new(&q, cut, NULL)); /* what is left is a network like any other */
        assert_true(rc_pruner_count_blocks(q) == n - (n + 1) / 2);
        rc_pruner_free(&q);
        rc_pruner_free(&p);
        rc_graph_free(&cut);
        rc_graph_free(&out);
        rc_graph_free(&zeros);
        rc_graph_free(&g);
    }
}

/* --- chosen --- */

static rci_id block(struct net *n, const char *name, rci_id x)
{
    char a[32], b[32];
    snprintf(a, sizeof(a), "%s.conv1", name);
    snprintf(b, sizeof(b), "%s.conv2", name);
    const rci_id y = net_cbr(n, a, x, (struct net_conv){.out = 8, .k = 3});
    const rci_id z = net_conv(n, b, y, (struct net_conv){.out = 8, .k = 3});
    snprintf(b, sizeof(b), "%s.bn2", name);
    return net_unary(n, "Relu", net_binary(n, "Add", net_bn(n, b, z), x));
}

/* Three blocks for tiny data; the branch of the second one says next to nothing. */
static rc_graph *three_blocks(struct rc_context *c)
{
    struct net n = net_new(c);
    rci_id x = net_input(&n, TINY_CHANNELS, TINY_SIDE, TINY_SIDE);
    x = net_cbr(&n, "stem", x, (struct net_conv){.out = 8, .k = 3});
    x = block(&n, "one", x);
    x = block(&n, "two", x);
    x = block(&n, "three", x);
    net_done(&n, net_gemm(&n, "fc", net_flatten(&n, net_unary(&n, "GlobalAveragePool", x)),
                          TINY_CLASSES));
    struct rci_tensor *t = &n.g->values[rci_graph_find_value(n.g, "two.bn2.weight")].tensor;
    for (int k = 0; k < 8; k++)
        ((float *) t->data)[k] *= 1e-4f;
    return n.g;
}

static double distance(struct rc_context *c, const rc_graph *a, const rc_graph *b, rc_dataset *d)
{
    (void) c;
    enum { IMAGES = 32, PIXELS = TINY_CHANNELS * TINY_SIDE * TINY_SIDE };
    static float x[IMAGES * PIXELS];
    int32_t labels[IMAGES];
    struct rci_tensor y, z;
    OK(rc_dataset_read(d, 0, IMAGES, x, labels));
    net_run(a, IMAGES, x, &y);
    net_run(b, IMAGES, x, &z);
    double sum = 0;
    for (int i = 0; i < IMAGES * TINY_CLASSES; i++) {
        const double e = (double) ((float *) y.data)[i] - (double) ((float *) z.data)[i];
        sum += e * e;
    }
    rci_tensor_free(&y);
    rci_tensor_free(&z);
    return sum / IMAGES;
}

static void idle_blocks_go_as_a_whole(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = three_blocks(c), *with, *without;
    rc_dataset *d = tiny_dataset(c, 256);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_prune_result r = RC_PRUNE_RESULT_INIT;
    rc_pruner *p;
    o.dataset = d;
    o.macs = 0.55;
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_apply(&without, p, &r));
    assert_int_equal(r.blocks_cut, 0);
    rc_pruner_free(&p);
    o.flags = RC_PRUNE_BLOCKS;
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_apply(&with, p, &r));
    assert_int_equal(rc_pruner_count_blocks(p), 3);
    assert_true(block_info(p, 1).cut && !block_info(p, 0).cut && !block_info(p, 2).cut);
    assert_true(block_info(p, 1).error < 0.01 * block_info(p, 0).error);
    assert_int_equal(r.blocks_cut, 1);
    assert_true((double) r.macs_after <= 0.55 * (double) r.macs_before);
    assert_true(distance(c, g, with, d) < distance(c, g, without, d));
    rc_pruner_free(&p);
    /* a layer of it that is kept keeps the block */
    o.keep = (const char *const[]){"two.conv1"};
    o.keep_count = 1;
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_plan(p, NULL));
    assert_false(block_info(p, 1).cut);
    REFUSED(rc_pruner_cut_block(p, 1), RC_ERR_ARG, "may not be cut");
    rc_pruner_free(&p);
    rc_graph_free(&with);
    rc_graph_free(&without);
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

/* Layers behind a block that is gone make up for it. */
static void what_follows_is_fitted_anew(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = three_blocks(c), *plain, *fitted;
    rc_dataset *d = tiny_dataset(c, 512);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.dataset = d;
    o.images = 512;
    for (int drift = 0; drift < 2; drift++) {
        rc_pruner *p;
        o.repair = "none";
        OK(rc_pruner_new(&p, g, &o));
        OK(rc_pruner_cut_block(p, 0));
        OK(rc_pruner_apply(&plain, p, NULL));
        rc_pruner_free(&p);
        o.repair = drift ? "least-squares" : "least-squares:drift=0";
        OK(rc_pruner_new(&p, g, &o));
        OK(rc_pruner_cut_block(p, 0));
        OK(rc_pruner_apply(&fitted, p, NULL));
        const double before = distance(c, g, plain, d), after = distance(c, g, fitted, d);
        if (!(after < 0.5 * before))
            fail_msg("drift %d: %g repaired, %g before", drift, after, before);
        rc_pruner_free(&p);
        rc_graph_free(&plain);
        rc_graph_free(&fitted);
    }
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

static void same_files(struct rc_context *c, const char *folder, rc_graph *a, rc_graph *b)
{
    (void) c;
    (void) folder;
    for (uint32_t v = 0; v < a->n_values; v++)
        if (a->values[v].name && rci_value_is_const(&a->values[v]))
            assert_memory_equal(a->values[v].tensor.data, b->values[v].tensor.data,
                                rci_tensor_bytes(&a->values[v].tensor));
}

static void histories_and_schedules_know_blocks(void **state)
{
    struct rc_context *c = *state;
    const char *folder = scratch_folder(), *path = scratch_path(folder, "history.json");
    rc_graph *g = three_blocks(c), *once, *again;
    rc_dataset *d = tiny_dataset(c, 256);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_prune_result r = RC_PRUNE_RESULT_INIT;
    rc_pruner *p;
    o.dataset = d;
    o.macs = 0.5;
    o.flags = RC_PRUNE_BLOCKS;
    o.schedule = "linear:steps=2";
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_apply(&once, p, &r));
    assert_true(r.blocks_cut >= 1 && (double) r.macs_after <= 0.5 * (double) r.macs_before);
    OK(rc_pruner_save_history(p, path));
    rc_pruner_free(&p);
    o.schedule = NULL;
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_replay_history(p, path));
    OK(rc_pruner_apply(&again, p, NULL));
    same_files(c, folder, once, again);
    rc_pruner_free(&p);
    rc_graph_free(&once);
    rc_graph_free(&again);
    rc_graph_free(&g);
    rc_dataset_free(&d);
    scratch_remove(folder);
}

static void blocks_need_losses(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = three_blocks(c);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    o.flags = RC_PRUNE_BLOCKS;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "only where scores are losses");
    rc_dataset *d = tiny_dataset(c, 64);
    o.dataset = d;
    o.ratio = 0.5;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "need a target of multiply-adds");
    o.flags = 2;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ABI, "");
    OK(rc_pruner_new(&p, g, NULL));
    REFUSED(rc_pruner_cut_block(p, 3), RC_ERR_ARG, "block 3 does not exist");
    rc_pruner_free(&p);
    rc_dataset_free(&d);
    rc_graph_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_found_by_structure),
        cmocka_unit_test(removed_is_a_branch_of_zeros),
        cmocka_unit_test(idle_blocks_go_as_a_whole),
        cmocka_unit_test(what_follows_is_fitted_anew),
        cmocka_unit_test(histories_and_schedules_know_blocks),
        cmocka_unit_test(blocks_need_losses),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
