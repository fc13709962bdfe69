/* x[:, :, ::s, ::t] with channels of zeros around it, as the option-A shortcuts of CIFAR networks
 * have, is a 1x1 convolution of stride (s, t) with weights W[begin + i][i] = 1 and 0 elsewhere.
 * Exact, and everything stays in the memory layout of convolutions. */
#include "op/quant/qlayers.h"
#include "pass/pass.h"

static const struct rci_shape *placement_shape(const struct rc_graph *g, rci_id v)
{
    return &g->values[v].tensor.shape;
}

static bool does_nothing(const struct rci_placement *s)
{
    return s->stride[0] == 1 && s->stride[1] == 1 && s->begin == 0 && s->end == 0;
}

/* Does the node belong to a shortcut? Then *s also counts what it does. */
static bool match(const struct rc_graph *g, rci_id id, struct rci_placement *s)
{
    const struct rci_node *n = id == RC_NONE ? NULL : &g->nodes[id];
    struct rci_placement more;
    if (!n || !n->op || !n->op->as_placement || n->n_in == 0 || n->n_post ||
        placement_shape(g, n->in[0])->rank != 4 || rci_value_is_const(&g->values[n->in[0]]))
        return false;
    const enum rci_dtype type = g->values[n->in[0]].tensor.dtype;
    if (type != RC_F32 && type != RC_U8 && type != RC_S8)
        return false;
    if (!n->op->as_placement(g, n, &more))
        return false;
    s->stride[0] *= more.stride[0];
    s->stride[1] *= more.stride[1];
    s->begin += more.begin;
    s->end += more.end;
    return true;
}

/* Integer networks move their shortcut as integers. */
static bool comes_from_integers(const struct rc_graph *g, rci_id v)
{
    return rci_graph_quant_producer(g, v, RC_QUANT_TO_REAL) != NULL;
}

static rc_status add_copy_weights(struct rc_graph *g, rci_id *out, const struct rci_placement *s,
                                  int64_t channels, const char *hint, enum rci_dtype type)
{
    const int64_t rows = s->begin + channels + s->end;
    struct rci_tensor w;
    const struct rci_shape shape = RC_SHAPE(rows, channels, 1, 1);
    RC_TRY(rci_tensor_new(&w, g->ctx, type, &shape));
    for (int64_t i = 0; i < channels; i++) {
        const int64_t at = (s->begin + i) * channels + i;
        if (type == RC_F32)
            ((float *) w.data)[at] = 1;
        else
            ((int8_t *) w.data)[at] = 1;
    }
    char *name = rci_graph_fresh_name(g, hint);
    const rc_status st = name ? rci_graph_add_const(g, out, name, &w) : RC_ERR_MEMORY;
    rci_release(name);
    rci_tensor_free(&w);
    RC_TRY(st);
    g->values[*out].flags |= RC_VALUE_FROZEN;
    return RC_OK;
}

static rc_status add_copy_conv(struct rc_graph *g, rci_id *conv, rci_id x, const char *name,
                               const struct rci_placement *s)
{
    const struct rci_conv_attrs attrs = {
        .window = {.kernel = {1, 1}, .stride = {s->stride[0], s->stride[1]}}, .group = 1};
    rci_id in[4] = {x, RC_NONE, RC_NONE, RC_NONE};
    const enum rci_dtype type = g->values[x].tensor.dtype;
    RC_TRY(add_copy_weights(g, &in[1], s, placement_shape(g, x)->dim[1], name,
                            type == RC_F32 ? type : RC_S8));
    if (type == RC_F32)
        return rci_graph_add_node(g, conv, rci_op_find(NULL, "Conv"), name, &attrs, in, 2, NULL, 1);
    float one = 1;
    const struct rci_tensor scale = {RC_F32, {0}, &one};
    const struct rci_qconv_attrs integer = {.conv = attrs, .x_scale = 1, .y_scale = 1, .out = type};
    char *hint = rci_graph_fresh_name(g, "scale");
    const rc_status st =
        hint ? rci_graph_add_const(g, &in[RC_QCONV_SCALE], hint, &scale) : RC_ERR_MEMORY;
    rci_release(hint);
    RC_TRY(st);
    return rci_graph_add_node(g, conv, rci_op_find("rescomp", "QConv"), name, &integer, in, 4, NULL,
                              1);
}

/* Nodes first..last become one convolution named after the last one. */
static rc_status replace_placement(struct rc_graph *g, rci_id first, rci_id last,
                                   const struct rci_placement *s)
{
    rci_id conv;
    char *name = rci_graph_fresh_name(g, g->nodes[last].name);
    const rc_status st =
        name ? add_copy_conv(g, &conv, g->nodes[first].in[0], name, s) : RC_ERR_MEMORY;
    rci_release(name);
    RC_TRY(st);
    const rci_id to = g->nodes[conv].out[0];
    g->values[to].tensor = g->values[g->nodes[last].out[0]].tensor;
    RC_TRY(rci_graph_redirect(g, g->nodes[last].out[0], to));
    for (rci_id at = last, before; at != RC_NONE; at = before) {
        before = at == first ? RC_NONE : g->values[g->nodes[at].in[0]].producer;
        rci_graph_kill_node(g, at);
    }
    return RC_OK;
}

static rc_status shortcut_conv_run(struct rc_graph *g, uint32_t *n_changed)
{
    rci_id *order;
    uint32_t n;
    RC_TRY(rci_graph_order(g, &order, &n));
    rc_status st = RC_OK;
    for (uint32_t i = 0; st == RC_OK && i < n; i++) {
        struct rci_placement s = {{1, 1}, 0, 0};
        rci_id last = order[i];
        if (!match(g, last, &s) || comes_from_integers(g, g->nodes[last].in[0]))
            continue;
        rci_id next = rci_graph_single_reader(g, g->nodes[last].out[0]);
        while (match(g, next, &s)) {
            last = next;
            next = rci_graph_single_reader(g, g->nodes[last].out[0]);
        }
        if (does_nothing(&s))
            continue;
        st = replace_placement(g, order[i], last, &s);
        ++*n_changed;
    }
    rci_release(order);
    return st;
}

const struct rci_pass rci_pass_shortcut_conv = {
    "shortcut_conv", "strided Slice and channel Pad as one 1x1 convolution", shortcut_conv_run};
