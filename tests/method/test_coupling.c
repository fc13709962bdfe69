/* Channel groups against torch-pruning's, as sets of (weight, axis, index); and by hand. */
#include "handnets.h"
#include "shared.h"

#include "base/json.h"
#include "prune/coupling.h"
#include <rescomp/graph.h>

struct loaded {
    struct rc_context *ctx;
    struct rc_graph *g;
    struct rci_coupling *c;
    struct rci_json *json;
};

static struct loaded load(const char *name)
{
    struct loaded l = {.ctx = test_context()};
    char path[96];
    snprintf(path, sizeof(path), "tests/golden/pruning/%s.onnx", name);
    OK(rc_graph_load(&l.g, l.ctx, source_path(path)));
    OK(rci_coupling_new(&l.c, l.g));
    snprintf(path, sizeof(path), "tests/golden/pruning/%s.json", name);
    OK(rci_json_load(&l.json, l.ctx, source_path(path)));
    return l;
}

static void unload(struct loaded *l)
{
    rci_json_free(&l->json);
    rci_coupling_free(l->c);
    rci_graph_free(l->g);
    test_context_done(l->ctx);
}

static uint32_t index_at(const struct rci_json_value *list, uint32_t i)
{
    if (list->type == RC_JSON_ARRAY)
        return (uint32_t) rci_json_at(list, 0)->number + i;
    return (uint32_t) rci_json_at(rci_json_get(list, "list"), i)->number;
}

static uint32_t index_count(const struct rci_json_value *list)
{
    if (list->type == RC_JSON_ARRAY)
        return (uint32_t) rci_json_at(list, 1)->number;
    return rci_json_get(list, "list")->count;
}

/* First id of the member's row; false where our weights have no such axis: the input side of a
 * depthwise convolution. Grouped convolutions list inputs of one block only. */
static bool member_row(const struct loaded *l, const struct rci_json_value *m, uint32_t *base,
                       uint32_t *length)
{
    char name[128];
    snprintf(name, sizeof(name), "%s.weight", rci_json_get(m, "layer")->text);
    const rci_id v = rci_graph_find_value(l->g, name);
    assert_true(v != RC_NONE);
    const uint32_t axis = !strcmp(rci_json_get(m, "side")->text, "in");
    *base = l->c->links->base[v * RC_MAX_DIMS + axis];
    *length = (uint32_t) l->g->values[v].tensor.shape.dim[axis];
    return !(axis && *length == 1);
}

static bool scored(const struct rci_coupling *c, uint32_t id)
{
    const uint8_t kind = c->kind[c->links->row_of[id]];
    return kind && kind != RC_MEMBER_OTHER;
}

/* Every golden id carries the group's mark; units that they belong to have no others. */
static void check_group(struct loaded *l, const struct rci_json_value *group, uint8_t *mark)
{
    const struct rci_json_value *members = rci_json_get(group, "members");
    memset(mark, 0, l->c->links->n_ids);
    for (const struct rci_json_value *m = members->first; m; m = m->next) {
        uint32_t base, length;
        if (!member_row(l, m, &base, &length))
            continue;
        for (uint32_t i = 0; i < index_count(rci_json_get(m, "index")); i++)
            mark[base + index_at(rci_json_get(m, "index"), i) % length] = 1;
    }
    for (uint32_t i = 0; i < l->c->links->n_ids; i++) {
        if (mark[i] != 1)
            continue;
        uint32_t n;
        const uint32_t *id = rci_unit_ids(l->c, rci_links_find(l->c->links, i), &n);
        for (uint32_t k = 0; k < n; k++) {
            if (scored(l->c, id[k]) && !mark[id[k]])
                fail_msg("group %s: \"%s\" is not in it", rci_json_get(group, "root")->text,
                         l->g->values[l->c->links->row_of[id[k]] / RC_MAX_DIMS].name);
        }
    }
}

/* Position by position: what the golden map pairs is one unit here. */
static void check_pairs(struct loaded *l, const struct rci_json_value *group, uint32_t channels)
{
    uint32_t *unit = rci_alloc_array(l->ctx, channels, sizeof(*unit));
    for (uint32_t i = 0; i < channels; i++)
        unit[i] = UINT32_MAX;
    for (const struct rci_json_value *m = rci_json_get(group, "members")->first; m; m = m->next) {
        const struct rci_json_value *index = rci_json_get(m, "index"),
                                    *root = rci_json_get(m, "root");
        uint32_t base, length;
        if (!member_row(l, m, &base, &length))
            continue;
        for (uint32_t i = 0; i < index_count(index); i++) {
            const uint32_t u = rci_links_find(l->c->links, base + index_at(index, i) % length);
            const uint32_t r = index_at(root, i);
            if (unit[r] == UINT32_MAX)
                unit[r] = u;
            if (unit[r] != u)
                fail_msg("group %s, channel %u: \"%s\" is apart", rci_json_get(group, "root")->text,
                         r, rci_json_get(m, "layer")->text);
        }
    }
    rci_release(unit);
}

static uint32_t cuttable(const struct rci_coupling *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_groups; i++)
        n += c->group[i].fixed_by == RC_NONE;
    return n;
}

/* extra: groups that we tell apart beyond the golden ones */
static void compare(const char *name, uint32_t extra)
{
    struct loaded l = load(name);
    const struct rci_json_value *groups = rci_json_get(rci_json_root(l.json), "groups");
    uint8_t *mark = rci_alloc(l.ctx, l.c->links->n_ids);
    for (const struct rci_json_value *g = groups->first; g; g = g->next) {
        check_group(&l, g, mark);
        check_pairs(&l, g, (uint32_t) rci_json_get(g, "channels")->number);
    }
    assert_int_equal(cuttable(l.c), groups->count + extra);
    rci_release(mark);
    unload(&l);
}

static void groups_of_resnet18_match(void **state)
{
    (void) state;
    compare("resnet18", 0);
}

static void groups_of_resnet50_match(void **state)
{
    (void) state;
    compare("resnet50", 0);
}

static void groups_of_resnext50_match(void **state)
{
    (void) state;
    compare("resnext50", 0);
}

static void groups_of_seresnet18_match(void **state)
{
    (void) state;
    compare("seresnet18", 0);
}

static void groups_of_densenet_match(void **state)
{
    (void) state;
    compare("densenet", 0);
}

/* The trunk falls into three: channels of all stages, of stages 2 and 3, of stage 3 alone. */
static void groups_of_option_a_match(void **state)
{
    (void) state;
    compare("cifar-option-a", 2);
}

/* Blocks of a grouped convolution lose the same positions. */
static void grouped_convolution_cuts_all_blocks_alike(void **state)
{
    (void) state;
    struct loaded l = load("resnext50");
    uint32_t seen = 0;
    for (uint32_t i = 0; i < l.c->n_groups; i++) {
        const struct rci_prune_group *p = &l.c->group[i];
        const char *weight = l.g->values[p->member[0].value].name;
        if (strcmp(weight, "layer3.1.conv2.weight"))
            continue;
        seen++;
        assert_int_equal(p->width, 4);
        assert_int_equal(p->n_units * 4, l.g->values[p->member[0].value].tensor.shape.dim[0]);
    }
    assert_int_equal(seen, 1);
    unload(&l);
}

static const struct rci_prune_group *group_of(const struct rci_coupling *c, const char *name)
{
    for (uint32_t i = 0; i < c->n_groups; i++)
        if (!strcmp(c->group[i].name, name))
            return &c->group[i];
    fail_msg("no group \"%s\"", name);
    return NULL;
}

static void outputs_and_softmax_axes_stay_whole(void **state)
{
    (void) state;
    struct rc_context *ctx = test_context();
    struct net n = net_new(ctx);
    rci_id x = net_input(&n, 3, 8, 8);
    x = net_cbr(&n, "free", x, (struct net_conv){.out = 6, .k = 3});
    x = net_conv(&n, "attention", x, (struct net_conv){.out = 4, .k = 1});
    x = net_softmax(&n, x);
    net_done(&n, net_conv(&n, "last", x, (struct net_conv){.out = 5, .k = 1}));
    struct rci_coupling *c;
    OK(rci_coupling_new(&c, n.g));
    assert_int_equal(c->n_groups, 3);
    assert_true(group_of(c, "free")->fixed_by == RC_NONE);
    assert_int_equal(group_of(c, "free")->n_members, 6);
    assert_int_equal(group_of(c, "free")->member[0].kind, RC_MEMBER_OUT);
    assert_int_equal(group_of(c, "free")->member[1].kind, RC_MEMBER_SCALE);
    assert_int_equal(group_of(c, "free")->member[2].kind, RC_MEMBER_IN);
    const rci_id by = group_of(c, "attention")->fixed_by;
    assert_true(by != RC_NONE);
    assert_string_equal(n.g->nodes[by].op->name, "Softmax");
    assert_true(group_of(c, "last")->fixed_by == RC_LINK_INTERFACE);
    rci_coupling_free(c);
    rci_graph_free(n.g);
    test_context_done(ctx);
}

/* An operator without a rule keeps its neighbours whole, whatever it does. */
static void operator_without_rule_fixes_its_neighbours(void **state)
{
    (void) state;
    struct rc_context *ctx = test_context();
    struct net n = net_new(ctx);
    rci_id x = net_input(&n, 3, 8, 8);
    x = net_conv(&n, "a", x, (struct net_conv){.out = 6, .k = 3});
    x = net_unary(&n, "Relu", x);
    const rci_id node = n.g->values[x].producer;
    net_done(&n, net_conv(&n, "b", x, (struct net_conv){.out = 5, .k = 1}));
    struct rci_op mute = *n.g->nodes[node].op;
    mute.couple = NULL;
    n.g->nodes[node].op = &mute;
    struct rci_coupling *c;
    OK(rci_coupling_new(&c, n.g));
    assert_true(group_of(c, "a")->fixed_by == node);
    rci_coupling_free(c);
    rci_graph_free(n.g);
    test_context_done(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_of_resnet18_match),
        cmocka_unit_test(groups_of_resnet50_match),
        cmocka_unit_test(groups_of_resnext50_match),
        cmocka_unit_test(groups_of_seresnet18_match),
        cmocka_unit_test(groups_of_densenet_match),
        cmocka_unit_test(groups_of_option_a_match),
        cmocka_unit_test(grouped_convolution_cuts_all_blocks_alike),
        cmocka_unit_test(outputs_and_softmax_axes_stay_whole),
        cmocka_unit_test(operator_without_rule_fixes_its_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
