/* What becomes of an operator between DequantizeLinear and QuantizeLinear. */
#include "op/rewrite/qmaker.h"

#include <stdlib.h>
#include <string.h>

static const char ms[] = "com.microsoft";

int rci_qop_order(const void *a, const void *b)
{
    return strcmp(((const struct qop_name *) a)->text, ((const struct qop_name *) b)->text);
}

struct qop_name *rci_qop_find(const struct qop_maker *m, const char *text)
{
    const struct qop_name key = {.text = text};
    return text && *text ? bsearch(&key, m->name, m->n, sizeof(key), rci_qop_order) : NULL;
}

/* --- what nodes are --- */

bool rci_qop_is(const Onnx__NodeProto *n, const char *op)
{
    return n && !(n->domain && *n->domain) && !strcmp(n->op_type, op);
}

const char *rci_qop_operand(const Onnx__NodeProto *n, size_t k)
{
    return k < n->n_input ? n->input[k] : "";
}

Onnx__NodeProto *rci_qop_producer(const struct qop_maker *m, const char *text)
{
    const struct qop_name *e = rci_qop_find(m, text);
    return e ? e->producer : NULL;
}

static const Onnx__AttributeProto *attribute(const Onnx__NodeProto *n, const char *name)
{
    for (size_t i = 0; i < n->n_attribute; i++)
        if (!strcmp(n->attribute[i]->name, name))
            return n->attribute[i];
    return NULL;
}

static int64_t int_of(const Onnx__NodeProto *n, const char *name, int64_t def)
{
    const Onnx__AttributeProto *a = attribute(n, name);
    return a ? a->i : def;
}

static float float_of(const Onnx__NodeProto *n, const char *name)
{
    const Onnx__AttributeProto *a = attribute(n, name);
    return a ? a->f : 1;
}

const Onnx__TensorProto *rci_qop_constant(const struct qop_maker *m, const char *text)
{
    const struct qop_name *e = rci_qop_find(m, text);
    return e ? e->initial : NULL;
}

size_t rci_qop_count(const Onnx__TensorProto *t)
{
    size_t n = 1;
    for (size_t i = 0; i < t->n_dims; i++)
        n *= (size_t) t->dims[i];
    return n;
}

/* Element i of a tensor of floats as the exporter writes them. */
static float element(const Onnx__TensorProto *t, size_t i)
{
    float v = 0;
    if (t->has_raw_data && (i + 1) * sizeof(v) <= t->raw_data.len)
        memcpy(&v, t->raw_data.data + i * sizeof(v), sizeof(v));
    else if (i < t->n_float_data)
        v = t->float_data[i];
    return v;
}

bool rci_qop_zero(const Onnx__TensorProto *t)
{
    for (size_t i = 0; t->has_raw_data && i < t->raw_data.len; i++)
        if (t->raw_data.data[i])
            return false;
    for (size_t i = 0; i < t->n_int32_data; i++)
        if (t->int32_data[i])
            return false;
    return true;
}

/* Constant scale and zero point. */
bool rci_qop_params(const struct qop_maker *m, const Onnx__NodeProto *n)
{
    return n->n_input == 3 && rci_qop_constant(m, n->input[1]) && rci_qop_constant(m, n->input[2]);
}

/* The DequantizeLinear that makes `text`, one scale for all. */
const Onnx__NodeProto *rci_qop_real(const struct qop_maker *m, const char *text)
{
    const Onnx__NodeProto *n = rci_qop_producer(m, text);
    return rci_qop_is(n, "DequantizeLinear") && rci_qop_params(m, n) &&
                   rci_qop_count(rci_qop_constant(m, n->input[1])) == 1
               ? n
               : NULL;
}

/* Of a weight: one scale, or one for each index of `axis`; zero points are 0. */
static const Onnx__NodeProto *real_weight(const struct qop_maker *m, const char *text, int64_t axis)
{
    const Onnx__NodeProto *n = rci_qop_producer(m, text);
    if (!rci_qop_is(n, "DequantizeLinear") || !rci_qop_params(m, n) ||
        !rci_qop_zero(rci_qop_constant(m, n->input[2])))
        return NULL;
    const Onnx__TensorProto *w = rci_qop_constant(m, n->input[0]);
    const bool one = rci_qop_count(rci_qop_constant(m, n->input[1])) == 1;
    return w && (one || int_of(n, "axis", 1) == axis) ? n : NULL;
}

/* The i32 bias at scale x * w; NULL: another. */
static const Onnx__NodeProto *real_bias(const struct qop_maker *m, const char *text,
                                        const Onnx__NodeProto *x, const Onnx__NodeProto *w)
{
    const Onnx__NodeProto *n = rci_qop_producer(m, text);
    if (!rci_qop_is(n, "DequantizeLinear") || !rci_qop_params(m, n) ||
        !rci_qop_constant(m, n->input[0]))
        return NULL;
    const Onnx__TensorProto *s = rci_qop_constant(m, n->input[1]),
                            *ws = rci_qop_constant(m, w->input[1]);
    const float xs = element(rci_qop_constant(m, x->input[1]), 0);
    const size_t one = rci_qop_count(ws) == 1;
    for (size_t i = 0; i < rci_qop_count(s); i++)
        if (element(s, i) != xs * element(ws, one ? 0 : i))
            return NULL;
    return n;
}

int32_t rci_qop_type(const struct qop_maker *m, const Onnx__NodeProto *quantize)
{
    return quantize ? rci_qop_constant(m, quantize->input[2])->data_type : 0;
}

/* --- rules --- */

static void push(struct qop_made *to, const char *name)
{
    to->in[to->n++] = name;
}

/* Integers, scale and zero point of a QuantizeLinear's result or a DequantizeLinear's operand. */
static void push_real(struct qop_made *to, const Onnx__NodeProto *real)
{
    for (size_t k = 0; k < 3; k++)
        push(to, real->input[k]);
}

static void push_params(struct qop_made *to, const Onnx__NodeProto *quantize)
{
    push(to, quantize->input[1]);
    push(to, quantize->input[2]);
}

static bool conv_rule(const struct qop_maker *m, const Onnx__NodeProto *p, const Onnx__NodeProto *q,
                      struct qop_made *to)
{
    const Onnx__NodeProto *x = rci_qop_real(m, rci_qop_operand(p, 0)),
                          *w = real_weight(m, rci_qop_operand(p, 1), 0);
    const Onnx__NodeProto *b = x && w ? real_bias(m, rci_qop_operand(p, 2), x, w) : NULL;
    if (!x || !w || !q || (*rci_qop_operand(p, 2) && !b))
        return false;
    to->op = "QLinearConv";
    push_real(to, x);
    push_real(to, w);
    push_params(to, q);
    if (b)
        push(to, b->input[0]);
    return true;
}

/* Without QuantizeLinear the result is real. */
static bool gemm_rule(const struct qop_maker *m, const Onnx__NodeProto *p, const Onnx__NodeProto *q,
                      struct qop_made *to)
{
    const int64_t across = int_of(p, "transB", 0);
    const Onnx__NodeProto *x = rci_qop_real(m, rci_qop_operand(p, 0)),
                          *w = real_weight(m, rci_qop_operand(p, 1), !across);
    const Onnx__NodeProto *b = x && w ? real_bias(m, rci_qop_operand(p, 2), x, w) : NULL;
    if (!x || !w || (*rci_qop_operand(p, 2) && !b) || float_of(p, "alpha") != 1 ||
        float_of(p, "beta") != 1)
        return false;
    to->op = "QGemm";
    to->domain = ms;
    push_real(to, x);
    push_real(to, w);
    push(to, b ? b->input[0] : "");
    if (q)
        push_params(to, q);
    return true;
}

static bool matmul_rule(const struct qop_maker *m, const Onnx__NodeProto *p,
                        const Onnx__NodeProto *q, struct qop_made *to)
{
    const Onnx__NodeProto *x = rci_qop_real(m, rci_qop_operand(p, 0)),
                          *w = real_weight(m, rci_qop_operand(p, 1), 1);
    if (!x || !w || !q)
        return false;
    to->op = "QLinearMatMul";
    push_real(to, x);
    push_real(to, w);
    push_params(to, q);
    return true;
}

static bool add_rule(const struct qop_maker *m, const Onnx__NodeProto *p, const Onnx__NodeProto *q,
                     struct qop_made *to)
{
    const Onnx__NodeProto *a = rci_qop_real(m, rci_qop_operand(p, 0)),
                          *b = rci_qop_real(m, rci_qop_operand(p, 1));
    if (!a || !b || !q || rci_qop_type(m, a) != rci_qop_type(m, q) ||
        rci_qop_type(m, b) != rci_qop_type(m, q))
        return false;
    to->op = "QLinearAdd";
    to->domain = ms;
    push_real(to, a);
    push_real(to, b);
    push_params(to, q);
    return true;
}

static bool average_rule(const struct qop_maker *m, const Onnx__NodeProto *p,
                         const Onnx__NodeProto *q, struct qop_made *to)
{
    const Onnx__NodeProto *x = rci_qop_real(m, rci_qop_operand(p, 0));
    if (!x || !q)
        return false;
    to->op = rci_qop_is(p, "AveragePool") ? "QLinearAveragePool" : "QLinearGlobalAveragePool";
    to->domain = ms;
    push_real(to, x);
    push_params(to, q);
    return true;
}

static bool concat_rule(const struct qop_maker *m, const Onnx__NodeProto *p,
                        const Onnx__NodeProto *q, struct qop_made *to)
{
    if (!q || 2 + 3 * p->n_input > QOP_MOST_OPERANDS)
        return false;
    to->op = "QLinearConcat";
    to->domain = ms;
    push_params(to, q);
    for (size_t k = 0; k < p->n_input; k++) {
        const Onnx__NodeProto *x = rci_qop_real(m, p->input[k]);
        if (!x)
            return false;
        push_real(to, x);
    }
    return true;
}

/* Integers move as reals do where the scale stays. */
static bool move_rule(const struct qop_maker *m, const Onnx__NodeProto *p, const Onnx__NodeProto *q,
                      struct qop_made *to)
{
    const Onnx__NodeProto *x = rci_qop_real(m, rci_qop_operand(p, 0));
    if (!x || !q)
        return false;
    const Onnx__TensorProto *zero[2] = {rci_qop_constant(m, x->input[2]),
                                        rci_qop_constant(m, q->input[2])};
    const bool same = zero[0] == zero[1] || (rci_qop_type(m, x) == rci_qop_type(m, q) &&
                                             rci_qop_zero(zero[0]) && rci_qop_zero(zero[1]));
    if (!same || element(rci_qop_constant(m, x->input[1]), 0) !=
                     element(rci_qop_constant(m, q->input[1]), 0))
        return false;
    to->op = p->op_type;
    push(to, x->input[0]);
    for (size_t k = 1; k < p->n_input; k++)
        push(to, p->input[k]);
    return true;
}

static const struct {
    const char *op;
    bool (*make)(const struct qop_maker *m, const Onnx__NodeProto *p, const Onnx__NodeProto *q,
                 struct qop_made *to);
} rules[] = {
    {"Conv", conv_rule},
    {"Gemm", gemm_rule},
    {"MatMul", matmul_rule},
    {"Add", add_rule},
    {"GlobalAveragePool", average_rule},
    {"AveragePool", average_rule},
    {"Concat", concat_rule},
    {"MaxPool", move_rule},
    {"Flatten", move_rule},
    {"Reshape", move_rule},
    {"Squeeze", move_rule},
    {"Transpose", move_rule},
    {"Unsqueeze", move_rule},
};

bool rci_qop_apply(const struct qop_maker *m, const Onnx__NodeProto *p, const Onnx__NodeProto *q,
                   struct qop_made *to)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rci_qop_is(p, rules[i].op)) {
            *to = (struct qop_made){.domain = NULL};
            return rules[i].make(m, p, q, to);
        }
    return false;
}
