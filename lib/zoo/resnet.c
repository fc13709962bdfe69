/* Residual networks (He et al., CVPR 2016): y = relu(F(x) + shortcut(x)). ImageNet form with the
 * stride in the 3x3 convolution of bottlenecks (version 1.5), CIFAR form with three stages. */
#include "op/attrs.h"
#include "op/layers.h"
#include "zoo/build.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a name such as "layer3.35.downsample.0". */
enum { NAME = 64 };

struct plan {
    const char *name;
    bool cifar, bottleneck;
    bool projected;    /* shortcuts of option B by default */
    int64_t blocks[4]; /* per stage; 0 ends */
    int64_t width;     /* of the first stage */
};

static const struct plan plans[] = {
    {"resnet8", true, false, true, {1, 1, 1, 0}, 16},
    {"resnet20", true, false, false, {3, 3, 3, 0}, 16},
    {"resnet32", true, false, false, {5, 5, 5, 0}, 16},
    {"resnet44", true, false, false, {7, 7, 7, 0}, 16},
    {"resnet56", true, false, false, {9, 9, 9, 0}, 16},
    {"resnet110", true, false, false, {18, 18, 18, 0}, 16},
    {"resnet18", false, false, true, {2, 2, 2, 2}, 64},
    {"resnet34", false, false, true, {3, 4, 6, 3}, 64},
    {"resnet50", false, true, true, {3, 4, 6, 3}, 64},
    {"resnet101", false, true, true, {3, 4, 23, 3}, 64},
    {"resnet152", false, true, true, {3, 8, 36, 3}, 64},
};
enum { N_PLANS = sizeof(plans) / sizeof(*plans) };

struct net {
    struct rci_build b;
    const struct plan *plan;
    bool projected;
    double multiplier;
};

static rci_id relu(struct net *n, rci_id x, const char *name)
{
    return rci_build_node(&n->b, "Relu", name, NULL, &x, 1);
}

/* No bias in the convolution: the shift of BatchNormalization is one. */
static rci_id conv_norm(struct net *n, rci_id x, const char *block, int index,
                        const struct rci_build_conv *c)
{
    char name[NAME];
    snprintf(name, sizeof(name), "%.40sconv%d", block, index);
    x = rci_build_conv(&n->b, x, name, c);
    snprintf(name, sizeof(name), "%.40sbn%d", block, index);
    return rci_build_norm(&n->b, x, name, c->out);
}

/* The block's input as it is; where shapes differ either projected by a 1x1 convolution (option B)
 * or subsampled and padded with zeros (option A). */
static rci_id shortcut(struct net *n, rci_id x, const char *block, const struct rci_build_conv *c)
{
    char name[NAME];
    if (c->stride == 1 && c->in == c->out)
        return x;
    if (!n->projected) {
        snprintf(name, sizeof(name), "%.40sshortcut", block);
        return rci_build_option_a(&n->b, x, name, c);
    }
    snprintf(name, sizeof(name), "%.40sdownsample.0", block);
    x = rci_build_conv(&n->b, x, name, c);
    snprintf(name, sizeof(name), "%.40sdownsample.1", block);
    return rci_build_norm(&n->b, x, name, c->out);
}

/* c: channels in and out of the block, its stride; kernel and pad are ignored. */
static rci_id block(struct net *n, rci_id x, const char *name, const struct rci_build_conv *c)
{
    char text[NAME];
    rci_id y = x;
    int last = 2;
    snprintf(text, sizeof(text), "%.40srelu1", name);
    if (n->plan->bottleneck) {
        const int64_t mid = c->out / 4;
        y = conv_norm(n, y, name, 1, &(struct rci_build_conv){c->in, mid, 1, 1, 0});
        y = relu(n, y, text);
        y = conv_norm(n, y, name, 2, &(struct rci_build_conv){mid, mid, 3, c->stride, 1});
        snprintf(text, sizeof(text), "%.40srelu2", name);
        y = relu(n, y, text);
        y = conv_norm(n, y, name, 3, &(struct rci_build_conv){mid, c->out, 1, 1, 0});
        last = 3;
    } else {
        y = conv_norm(n, y, name, 1, &(struct rci_build_conv){c->in, c->out, 3, c->stride, 1});
        y = relu(n, y, text);
        y = conv_norm(n, y, name, 2, &(struct rci_build_conv){c->out, c->out, 3, 1, 1});
    }
    const struct rci_build_conv s = {c->in, c->out, 1, c->stride, 0};
    const rci_id sum[2] = {y, shortcut(n, x, name, &s)};
    snprintf(text, sizeof(text), "%.40sadd", name);
    y = rci_build_node(&n->b, "Add", text, NULL, sum, 2);
    snprintf(text, sizeof(text), "%.40srelu%d", name, last);
    return relu(n, y, text);
}

/* At least one channel, however small the multiplier. */
static int64_t scaled(const struct net *n, int64_t channels)
{
    const int64_t c = llround((double) channels * n->multiplier);
    return c < 1 ? 1 : c;
}

/* Stage k is 2^k times as wide; its first block halves the image, but for stage 0. */
static rci_id stages(struct net *n, rci_id x, int64_t *channels)
{
    const struct plan *p = n->plan;
    for (int stage = 0; stage < 4 && p->blocks[stage]; stage++) {
        const int64_t mid = scaled(n, p->width << stage);
        for (int64_t i = 0; i < p->blocks[stage]; i++) {
            char name[NAME];
            const struct rci_build_conv c = {.in = *channels,
                                             .out = p->bottleneck ? mid * 4 : mid,
                                             .stride = stage > 0 && i == 0 ? 2 : 1};
            snprintf(name, sizeof(name), "layer%d.%d.", stage + 1, (int) i);
            x = block(n, x, name, &c);
            *channels = c.out;
        }
    }
    return x;
}

static rc_status build(struct net *n, const struct rci_zoo_options *o)
{
    struct rc_graph *g = n->b.g;
    const bool cifar = n->plan->cifar;
    const int64_t side = cifar ? 32 : 224, in = o->channels ? o->channels : 3;
    const struct rci_shape shape =
        RC_SHAPE(1, in, o->height ? o->height : side, o->width ? o->width : side);
    rci_id x, node;
    RC_TRY(rci_graph_add_input(g, &x, "input", RC_F32, &shape));
    int64_t channels = scaled(n, n->plan->width);
    const struct rci_build_conv stem = {in, channels, cifar ? 3 : 7, cifar ? 1 : 2, cifar ? 1 : 3};
    x = relu(n, conv_norm(n, x, "", 1, &stem), "relu");
    if (!cifar) {
        const struct rci_pool_attrs pool = {
            .window = {
                .kernel = {3, 3}, .stride = {2, 2}, .dilation = {1, 1}, .pads = {1, 1, 1, 1}}};
        x = rci_build_node(&n->b, "MaxPool", "maxpool", &pool, &x, 1);
    }
    x = stages(n, x, &channels);
    x = rci_build_node(&n->b, "GlobalAveragePool", "avgpool", NULL, &x, 1);
    const struct rci_axis_attrs flat = {1};
    x = rci_build_node(&n->b, "Flatten", "flatten", &flat, &x, 1);
    const int64_t classes = o->classes ? o->classes : cifar ? 10 : 1000;
    x = rci_build_linear(&n->b, x, "fc", channels, classes);
    RC_TRY(n->b.st);
    node = g->values[x].producer;
    RC_TRY(rci_graph_rename_value(g, g->nodes[node].out[0], "logits"));
    RC_TRY(rci_graph_set_outputs(g, &x, 1));
    RC_TRY(rci_graph_infer(g));
    return rci_graph_verify(g);
}

/* The message lists all, as there is no other list to look them up in. */
static const struct plan *find_plan(const char *name)
{
    for (uint32_t i = 0; i < N_PLANS; i++)
        if (!strcmp(plans[i].name, name))
            return &plans[i];
    rci_fail(RC_ERR_ARG, "no network named \"%.64s\"; there are", name);
    for (uint32_t i = 0; i < N_PLANS; i++)
        rci_fail_append("%s %s", i ? "," : "", plans[i].name);
    return NULL;
}

static rc_status choose_shortcuts(struct net *n, const char *given)
{
    const char *name = given ? given : n->plan->projected ? "B" : "A";
    if (strcmp(name, "A") && strcmp(name, "B"))
        return rci_fail(RC_ERR_ARG, "shortcuts is \"%.64s\", allowed are \"A\" and \"B\"", name);
    n->projected = *name == 'B';
    if (n->plan->projected && !n->projected)
        return rci_fail(RC_ERR_ARG, "%s has shortcuts \"B\" only", n->plan->name);
    return RC_OK;
}

rc_status rci_zoo_new(struct rc_graph **out, struct rc_context *c, const char *architecture,
                      const struct rci_zoo_options *o)
{
    *out = NULL;
    struct net n = {.plan = find_plan(architecture),
                    .multiplier = o->multiplier > 0 ? o->multiplier : 1};
    if (!n.plan)
        return RC_ERR_ARG;
    RC_TRY(choose_shortcuts(&n, o->shortcuts));
    n.b.seed = o->seed;
    RC_TRY(rci_graph_new(&n.b.g, c));
    struct rc_graph *g = n.b.g;
    /* the first with scales for each channel, so that quantizing does not raise it */
    g->opset = 13;
    g->ir_version = 7;
    g->dynamic_batch = true;
    g->batch = 1;
    g->batch_name = rci_strdup(c, "N");
    g->name = rci_strdup(c, architecture);
    const rc_status st = g->batch_name && g->name ? build(&n, o) : RC_ERR_MEMORY;
    if (st != RC_OK) {
        rci_graph_free(g);
        return st;
    }
    *out = g;
    return RC_OK;
}
