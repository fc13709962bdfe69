/* Files of before opset 7. Their operators say which operands may share memory (consumed_inputs),
 * whether they train (is_test), and where a shorter operand lies along the axes of a longer one
 * (broadcast, axis). */
#include "io/import.h"

#include <string.h>

/* First opsets without broadcast and axis, and without consumed_inputs. */
enum { ALIGNED_BELOW = 7, CONSUMED_BELOW = 9 };

static const Onnx__AttributeProto *legacy_find(const Onnx__NodeProto *n, const char *name,
                                               bool *used)
{
    for (size_t i = 0; i < n->n_attribute; i++)
        if (!strcmp(rci_onnx_text(n->attribute[i]->name), name)) {
            used[i] = true;
            return n->attribute[i];
        }
    return NULL;
}

/* Without an axis the last axes correspond, as they do since opset 7. */
static rc_status legacy_axis(struct import *m, const Onnx__NodeProto *n, rci_id node, bool *used)
{
    const Onnx__AttributeProto *broadcast = legacy_find(n, "broadcast", used);
    const Onnx__AttributeProto *axis = broadcast ? legacy_find(n, "axis", used) : NULL;
    if (!axis || !broadcast->i)
        return RC_OK;
    RC_TRY(rci_grow(m->g->ctx, &m->aligned, m->n_aligned, &m->cap_aligned, sizeof(*m->aligned)));
    m->aligned[m->n_aligned++] = (struct import_aligned){node, axis->i};
    return RC_OK;
}

rc_status rci_import_legacy(struct import *m, const Onnx__NodeProto *n, rci_id node, bool *used)
{
    if (m->opset < CONSUMED_BELOW)
        legacy_find(n, "consumed_inputs", used);
    if (m->opset >= ALIGNED_BELOW)
        return RC_OK;
    legacy_find(n, "is_test", used);
    return legacy_axis(m, n, node, used);
}

/* [C] along axis 1 of [N, C, H, W] becomes [C, 1, 1]. */
static rc_status align(struct import *m, const struct import_aligned *a,
                       const struct rci_tensor *shapes)
{
    struct rci_node *n = &m->g->nodes[a->node];
    const struct rci_tensor *b = rci_const_in(m->g, n, 1);
    const uint32_t rank = shapes[n->in[0]].shape.rank;
    if (!b)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": operand 1 with axis %lld is no constant",
                        n->name, (long long) a->axis);
    const int64_t axis = a->axis < 0 ? a->axis + rank : a->axis;
    if (axis < 0 || axis + b->shape.rank > rank)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": axis is %lld, operands have rank %u and %u",
                        n->name, (long long) a->axis, rank, b->shape.rank);
    struct rci_tensor t = *b;
    while (axis + t.shape.rank < rank)
        t.shape.dim[t.shape.rank++] = 1;
    char *name = rci_graph_fresh_name(m->g, m->g->values[n->in[1]].name);
    if (!name)
        return RC_ERR_MEMORY;
    rci_id id = RC_NONE;
    const rc_status st = rci_graph_add_const(m->g, &id, name, &t);
    rci_release(name);
    m->g->nodes[a->node].in[1] = id;
    return st;
}

/* Shapes must be known in front of each node that is aligned, and its own are needed behind it:
 * inference goes along, in order. */
static rc_status align_all(struct import *m, const rci_id *order, uint32_t n_order,
                           struct rci_tensor *shapes, uint32_t n_shapes)
{
    uint32_t left = m->n_aligned;
    for (uint32_t i = 0; i < n_order && left; i++) {
        for (uint32_t k = 0; k < m->n_aligned; k++)
            if (m->aligned[k].node == order[i]) {
                RC_TRY(align(m, &m->aligned[k], shapes));
                left--;
            }
        const struct rci_node *n = &m->g->nodes[order[i]];
        struct rci_tensor in[RC_AROUND_MOST] = {0}, out[RC_AROUND_MOST] = {0};
        if (n->n_in > RC_AROUND_MOST || n->n_out > RC_AROUND_MOST)
            return rci_fail(RC_ERR_LIMIT, "node \"%s\": more than %d operands", n->name,
                            RC_AROUND_MOST);
        for (uint32_t k = 0; k < n->n_in; k++) /* aligned operands are newer than `shapes` */
            in[k] = n->in[k] == RC_NONE   ? (struct rci_tensor){0}
                    : n->in[k] < n_shapes ? shapes[n->in[k]]
                                          : m->g->values[n->in[k]].tensor;
        const struct rci_infer infer = {m->g, n, in, out};
        RC_TRY(n->op->infer(&infer));
        for (uint32_t k = 0; k < n->n_out; k++)
            if (n->out[k] != RC_NONE) {
                shapes[n->out[k]] = out[k];
                shapes[n->out[k]].data = NULL;
            }
    }
    return RC_OK;
}

rc_status rci_import_align(struct import *m)
{
    rci_id *order = NULL;
    uint32_t n = 0;
    if (!m->n_aligned)
        return RC_OK;
    const uint32_t n_values = m->g->n_values;
    struct rci_tensor *shapes = rci_alloc_array(m->g->ctx, n_values, sizeof(*shapes));
    rc_status st = shapes ? rci_graph_order(m->g, &order, &n) : RC_ERR_MEMORY;
    for (rci_id v = 0; st == RC_OK && v < n_values; v++)
        shapes[v] = m->g->values[v].tensor;
    if (st == RC_OK)
        st = align_all(m, order, n, shapes, n_values);
    rci_release(order);
    rci_release(shapes);
    return st;
}
