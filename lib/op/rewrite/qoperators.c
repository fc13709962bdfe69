/* y_q = Q(op(DQ(x_q), DQ(w_q), DQ(b_q))) as one node of ONNX or of ONNX Runtime's domain. A Relu
 * before QuantizeLinear goes where the integers are unsigned with zero point 0: they cannot be
 * negative. QLinearAdd wants one type: where some are u8, s8 becomes u8 with zero point 128, the
 * same numbers. */
#include "op/rewrite/qmaker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names --- */

static void count_readers(const struct qop_maker *m)
{
    for (size_t i = 0; i < m->n; i++)
        m->name[i].readers = 0;
    for (size_t i = 0; i < m->g->n_node; i++)
        for (size_t k = 0; m->g->node[i] && k < m->g->node[i]->n_input; k++) {
            struct qop_name *e = rci_qop_find(m, m->g->node[i]->input[k]);
            if (e)
                e->readers++;
        }
    for (size_t i = 0; i < m->g->n_output; i++) {
        struct qop_name *e = rci_qop_find(m, m->g->output[i]->name);
        if (e)
            e->readers++;
    }
}

static rc_status names_index(struct qop_maker *m)
{
    size_t room = m->g->n_initializer;
    for (size_t i = 0; i < m->g->n_node; i++)
        room += m->g->node[i]->n_output;
    m->name = rci_arena_array(m->a, room, sizeof(*m->name));
    if (!m->name)
        return m->a->status;
    for (size_t i = 0; i < m->g->n_initializer; i++)
        m->name[m->n++] =
            (struct qop_name){.text = m->g->initializer[i]->name, .initial = m->g->initializer[i]};
    for (size_t i = 0; i < m->g->n_node; i++)
        for (size_t k = 0; k < m->g->node[i]->n_output; k++)
            if (*m->g->node[i]->output[k])
                m->name[m->n++] =
                    (struct qop_name){.text = m->g->node[i]->output[k], .producer = m->g->node[i]};
    qsort(m->name, m->n, sizeof(*m->name), rci_qop_order);
    count_readers(m);
    return RC_OK;
}

/* Attributes but beta, which QGemm does not have; those of its own that others lack come after. */
static rc_status copy_attributes(const struct qop_maker *m, const Onnx__NodeProto *from,
                                 Onnx__NodeProto *to)
{
    to->attribute = rci_arena_array(m->a, from->n_attribute + 1, sizeof(*to->attribute));
    if (!to->attribute)
        return m->a->status;
    for (size_t i = 0; i < from->n_attribute; i++)
        if (strcmp(from->attribute[i]->name, "beta"))
            to->attribute[to->n_attribute++] = from->attribute[i];
    return RC_OK;
}

static rc_status node_make(const struct qop_maker *m, const Onnx__NodeProto *from, char *result,
                           const struct qop_made *what, Onnx__NodeProto **out)
{
    Onnx__NodeProto *n = rci_arena_alloc(m->a, sizeof(*n));
    char **in = rci_arena_array(m->a, what->n, sizeof(*in));
    char **results = rci_arena_alloc(m->a, sizeof(*results));
    if (!n || !in || !results)
        return m->a->status;
    onnx__node_proto__init(n);
    n->name = from->name;
    n->op_type = (char *) (uintptr_t) what->op;
    n->domain = (char *) (uintptr_t) what->domain;
    n->input = in;
    for (size_t k = 0; k < what->n; k++)
        in[n->n_input++] = (char *) (uintptr_t) what->in[k];
    results[0] = result;
    n->output = results;
    n->n_output = 1;
    RC_TRY(copy_attributes(m, from, n));
    *out = n;
    return RC_OK;
}

/* The node whose result `quantize` alone reads, or that before a Relu which is not needed. */
static const Onnx__NodeProto *before(const struct qop_maker *m, const Onnx__NodeProto *quantize)
{
    const Onnx__TensorProto *zero = rci_qop_constant(m, quantize->input[2]);
    const struct qop_name *e = rci_qop_find(m, quantize->input[0]);
    if (e && rci_qop_is(e->producer, "Relu") && e->readers == 1 && rci_qop_zero(zero) &&
        zero->data_type == ONNX_UINT8)
        e = rci_qop_find(m, e->producer->input[0]);
    return e && e->readers == 1 && e->producer && e->producer->n_output == 1 ? e->producer : NULL;
}

/* --- signed activations --- */

/* An u8 initializer of 128; swept when nobody reads it. */
static rc_status middle_add(struct qop_maker *m, Onnx__TensorProto **out)
{
    static uint8_t middle = 128;
    Onnx__GraphProto *g = m->g;
    Onnx__TensorProto **list = rci_arena_array(m->a, g->n_initializer + 1, sizeof(*list));
    Onnx__TensorProto *t = rci_arena_alloc(m->a, sizeof(*t));
    const char *name = "zero_point_128";
    char text[32];
    if (!list || !t)
        return m->a->status;
    for (unsigned k = 1; rci_qop_find(m, name); k++, name = text)
        snprintf(text, sizeof(text), "zero_point_128_%u", k);
    onnx__tensor_proto__init(t);
    t->name = rci_arena_strdup(m->a, name);
    if (!t->name)
        return m->a->status;
    t->has_data_type = 1;
    t->data_type = ONNX_UINT8;
    t->has_raw_data = 1;
    t->raw_data = (ProtobufCBinaryData){1, &middle};
    if (g->n_initializer)
        memcpy(list, g->initializer, g->n_initializer * sizeof(*list));
    list[g->n_initializer++] = t;
    g->initializer = list;
    *out = t;
    return RC_OK;
}

/* The s8 integers of `quantize` and of all that read them. */
static void make_unsigned(const struct qop_maker *m, Onnx__NodeProto *quantize, char *zero)
{
    const Onnx__GraphProto *g = m->g;
    if (rci_qop_constant(m, quantize->input[0])) /* a trainable weight */
        return;
    if (rci_qop_type(m, quantize) != ONNX_INT8 ||
        !rci_qop_zero(rci_qop_constant(m, quantize->input[2])))
        return;
    for (int change = 0; change < 2; change++)
        for (size_t i = 0; i < g->n_node; i++) {
            const Onnx__NodeProto *n = g->node[i];
            for (size_t k = 0; k < n->n_input; k++) {
                if (strcmp(n->input[k], quantize->output[0]))
                    continue;
                if (!rci_qop_is(n, "DequantizeLinear") || !rci_qop_params(m, n))
                    return;
                if (change)
                    n->input[2] = zero;
            }
        }
    quantize->input[2] = zero;
}

/* Where some activations are u8, all are. */
static void make_one_type(const struct qop_maker *m, char *zero)
{
    const Onnx__GraphProto *g = m->g;
    bool any = false;
    for (size_t i = 0; i < g->n_node; i++)
        any |= rci_qop_is(g->node[i], "QuantizeLinear") && rci_qop_params(m, g->node[i]) &&
               rci_qop_type(m, g->node[i]) == ONNX_UINT8;
    for (size_t i = 0; i < g->n_node && any; i++)
        if (rci_qop_is(g->node[i], "QuantizeLinear") && rci_qop_params(m, g->node[i]))
            make_unsigned(m, g->node[i], zero);
}

/* The slot of the QuantizeLinear (of a Gemm: its own) gets the new node. */
static rc_status slot_make(const struct qop_maker *m, size_t i)
{
    const Onnx__NodeProto *n = m->g->node[i];
    struct qop_made what;
    if (rci_qop_is(n, "QuantizeLinear") && rci_qop_params(m, n) &&
        rci_qop_count(rci_qop_constant(m, n->input[1])) == 1) {
        const Onnx__NodeProto *p = before(m, n);
        if (p && rci_qop_apply(m, p, n, &what))
            return node_make(m, p, n->output[0], &what, &m->g->node[i]);
    }
    return RC_OK;
}

/* What is left: a Gemm whose result stays real. */
static rc_status last_make(const struct qop_maker *m, size_t i)
{
    const Onnx__NodeProto *n = m->g->node[i];
    struct qop_made what;
    if (rci_qop_is(n, "Gemm") && rci_qop_apply(m, n, NULL, &what))
        return node_make(m, n, n->output[0], &what, &m->g->node[i]);
    return RC_OK;
}

static bool is_read(const struct qop_maker *m, const Onnx__NodeProto *n)
{
    for (size_t k = 0; k < n->n_output; k++) {
        const struct qop_name *e = rci_qop_find(m, n->output[k]);
        if (e && e->readers)
            return true;
    }
    return false;
}

/* Consumers come behind their producers: one walk from the end. */
static void sweep(const struct qop_maker *m)
{
    Onnx__GraphProto *g = m->g;
    size_t n = 0;
    count_readers(m);
    for (size_t i = g->n_node; i-- > 0;) {
        if (is_read(m, g->node[i]))
            continue;
        for (size_t k = 0; k < g->node[i]->n_input; k++) {
            struct qop_name *e = rci_qop_find(m, g->node[i]->input[k]);
            if (e)
                e->readers--;
        }
        g->node[i] = NULL;
    }
    for (size_t i = 0; i < g->n_node; i++)
        if (g->node[i])
            g->node[n++] = g->node[i];
    g->n_node = n;
    n = 0;
    for (size_t i = 0; i < g->n_initializer; i++)
        if (rci_qop_find(m, g->initializer[i]->name)->readers)
            g->initializer[n++] = g->initializer[i];
    g->n_initializer = n;
}

rc_status rci_qoperators_make(Onnx__GraphProto *g, struct rci_arena *a)
{
    struct qop_maker m = {.g = g, .a = a};
    Onnx__TensorProto *middle = NULL;
    RC_TRY(names_index(&m));
    RC_TRY(middle_add(&m, &middle));
    m.n = 0; /* with it */
    RC_TRY(names_index(&m));
    make_one_type(&m, middle->name);
    for (size_t i = 0; i < g->n_node; i++)
        RC_TRY(slot_make(&m, i));
    sweep(&m);
    for (size_t i = 0; i < g->n_node; i++)
        RC_TRY(last_make(&m, i));
    sweep(&m);
    return RC_OK;
}
