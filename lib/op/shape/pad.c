/* Pad: axis k grows by begin[k] before and end[k] after (negative amounts crop). Filled with a
 * constant, the mirrored inside (reflect) or the border (edge). Amounts are attributes up to opset
 * 10 and operands from 11 on; here they are always attributes. */
#include "op/attrs.h"
#include "op/common.h"
#include "op/shape/strided.h"

#include <math.h>
#include <string.h>

/* Amounts per axis. */
struct pad_plan {
    int64_t begin[RC_MAX_DIMS], end[RC_MAX_DIMS];
};

/* Operands into attributes where they have not been moved there on import. */
static rc_status pad_get(const struct rci_node *n, const struct rci_tensor *in,
                         struct rci_pad_attrs *t)
{
    int64_t pads[2 * RC_MAX_DIMS];
    int32_t count;
    *t = *(const struct rci_pad_attrs *) n->attrs;
    if (t->bound)
        return RC_OK;
    if (!in || !rci_op_has(n, 1))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": pads are missing", n->name);
    RC_TRY(rci_op_ints(n, "pads", &in[1], pads, 2 * RC_MAX_DIMS, &count));
    t->n = count / 2;
    if (count % 2)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": pads has %d entries, must be even", n->name,
                        count);
    for (int32_t k = 0; k < t->n; k++) {
        t->begin[k] = pads[k];
        t->end[k] = pads[t->n + k];
    }
    if (rci_op_has(n, 2)) {
        if (!in[2].data || rci_shape_count(&in[2].shape) != 1)
            return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": constant_value must be one constant",
                            n->name);
        t->value = rci_op_scalar(&in[2]);
        t->type = t->value != 0 ? in[2].dtype : 0; /* 0 is ONNX's default: not written */
    }
    if (rci_op_has(n, 3)) {
        RC_TRY(rci_op_ints(n, "axes", &in[3], t->axes, RC_MAX_DIMS, &t->n_axes));
        if (t->n_axes != t->n)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": pads has %d entries for %d axes", n->name,
                            count, t->n_axes);
    }
    t->bound = 1;
    return RC_OK;
}

static rc_status pad_check_axis(const struct rci_node *n, const struct rci_pad_attrs *t, uint32_t a,
                                int64_t d, const struct pad_plan *p)
{
    const int64_t b = p->begin[a], e = p->end[a], limit = INT32_MAX;
    /* reflect needs that many elements beside the border one, edge needs a border */
    const int64_t most = t->mode == RC_PAD_CONSTANT ? limit
                         : t->mode == RC_PAD_EDGE   ? d ? limit : 0
                                                    : d - 1;
    /* sums of two amounts and a length then fit */
    if (b < -limit || e < -limit || b > most || e > most)
        return rci_fail(RC_ERR_SHAPE,
                        "node \"%s\": pads of axis %u are %lld and %lld, at most %lld", n->name, a,
                        (long long) b, (long long) e, (long long) (most < 0 ? 0 : most));
    /* an axis can be cropped from both sides, but not by more than it has */
    if (d + b + e < 0 || d + (b < 0 ? b : 0) + (e < 0 ? e : 0) < 0)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": pads %lld and %lld crop axis %u of length %lld",
                        n->name, (long long) b, (long long) e, a, (long long) d);
    return RC_OK;
}

/* Axes that are not listed grow by nothing. */
static rc_status pad_plan(const struct rci_node *n, const struct rci_pad_attrs *t,
                          const struct rci_shape *s, struct pad_plan *p)
{
    uint32_t bits, a;
    memset(p, 0, sizeof(*p));
    if (!t->n_axes && (uint32_t) t->n != s->rank)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": pads has %d entries, must be %u for rank %u",
                        n->name, 2 * t->n, 2 * s->rank, s->rank);
    RC_TRY(rci_op_axes(n, t->axes, t->n_axes, s->rank, &bits));
    for (int32_t k = 0; k < t->n; k++) {
        RC_TRY(rci_op_axis(n, t->n_axes ? t->axes[k] : k, s->rank, &a));
        p->begin[a] = t->begin[k];
        p->end[a] = t->end[k];
        RC_TRY(pad_check_axis(n, t, a, s->dim[a], p));
    }
    return RC_OK;
}

static rc_status pad_infer(const struct rci_infer *i)
{
    struct rci_pad_attrs t;
    struct pad_plan p;
    RC_TRY(rci_op_infer_same(i, RC_DT_ANY));
    RC_TRY(pad_get(i->node, i->in, &t));
    RC_TRY(pad_plan(i->node, &t, &i->in[0].shape, &p));
    for (uint32_t a = 0; a < i->in[0].shape.rank; a++)
        i->out[0].shape.dim[a] += p.begin[a] + p.end[a];
    return rci_op_check_count(i->node, &i->out[0].shape);
}

/* The part of input and output that holds the same elements: its size, and where it starts. */
static void pad_common(const struct rci_call *c, const struct pad_plan *p, struct rci_strided *s,
                       int64_t *from, int64_t *to)
{
    const struct rci_shape *x = &c->in[0].shape;
    s->rank = x->rank;
    rci_row_major(x, s->from);
    rci_row_major(&c->out[0].shape, s->to);
    *from = *to = 0;
    for (uint32_t a = 0; a < x->rank; a++) {
        const int64_t b = p->begin[a], e = p->end[a];
        s->dim[a] = x->dim[a] + (b < 0 ? b : 0) + (e < 0 ? e : 0);
        *from += (b < 0 ? -b : 0) * s->from[a];
        *to += (b > 0 ? b : 0) * s->to[a];
    }
}

/* Everything is filled first and the inside is written over: one strided copy instead of a case for
 * each border. */
static void pad_fill(const struct rci_tensor *y, double value)
{
    const int64_t n = rci_shape_count(&y->shape);
    if (value == 0) {
        memset(y->data, 0, rci_tensor_bytes(y));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        rci_op_store(y, i, value);
}

/* Input element behind output element i, for reflect and edge. */
static int64_t pad_source(const struct rci_call *c, const struct pad_plan *p,
                          enum rci_pad_mode mode, int64_t i)
{
    const struct rci_shape *x = &c->in[0].shape, *y = &c->out[0].shape;
    int64_t at = 0, stride = 1;
    for (uint32_t a = x->rank; a-- > 0;) {
        int64_t k = i % y->dim[a] - p->begin[a];
        const int64_t last = x->dim[a] - 1;
        i /= y->dim[a];
        if (mode == RC_PAD_REFLECT)
            k = k < 0 ? -k : k > last ? 2 * last - k : k;
        else
            k = k < 0 ? 0 : k > last ? last : k;
        at += k * stride;
        stride *= x->dim[a];
    }
    return at;
}

static rc_status pad_forward(const struct rci_call *c)
{
    struct rci_pad_attrs t;
    struct pad_plan p;
    RC_TRY(pad_get(c->node, c->in, &t));
    RC_TRY(pad_plan(c->node, &t, &c->in[0].shape, &p));
    const size_t size = rci_dtype_size(c->in[0].dtype);
    const char *x = c->in[0].data;
    char *y = c->out[0].data;
    if (t.mode == RC_PAD_CONSTANT) {
        struct rci_strided s;
        int64_t from, to;
        pad_common(c, &p, &s, &from, &to);
        pad_fill(&c->out[0], t.value);
        rci_strided_copy(&s, size, x + from * (int64_t) size, y + to * (int64_t) size);
        return RC_OK;
    }
    const int64_t n = rci_shape_count(&c->out[0].shape);
#pragma omp parallel for schedule(static) if (n >= RC_PARALLEL_MIN)
    for (int64_t i = 0; i < n; i++)
        memcpy(y + (size_t) i * size, x + (size_t) pad_source(c, &p, t.mode, i) * size, size);
    return RC_OK;
}

static rc_status pad_backward(const struct rci_call *c)
{
    struct rci_pad_attrs t;
    struct pad_plan p;
    const float *g = c->d_out[0].data;
    float *d = c->d_in[0].data;
    if (!d)
        return RC_OK;
    RC_TRY(pad_get(c->node, c->in, &t));
    RC_TRY(pad_plan(c->node, &t, &c->in[0].shape, &p));
    memset(d, 0, (size_t) rci_shape_count(&c->in[0].shape) * sizeof(float));
    if (t.mode == RC_PAD_CONSTANT) {
        struct rci_strided s, r;
        int64_t from, to;
        pad_common(c, &p, &s, &from, &to);
        /* the copy of forward with its two sides exchanged */
        r = s;
        memcpy(r.from, s.to, sizeof(r.from));
        memcpy(r.to, s.from, sizeof(r.to));
        rci_strided_copy(&r, sizeof(float), g + to, d + from);
        return RC_OK;
    }
    for (int64_t i = 0, n = rci_shape_count(&c->out[0].shape); i < n; i++)
        d[pad_source(c, &p, t.mode, i)] += g[i];
    return RC_OK;
}

/* Channels of the result outside the input are constant zeros, which pruning may drop. With any
 * other filling they are numbers that a layer behind reads, so the axis stays whole. */
static void pad_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    const struct rci_pad_attrs *t = n->attrs;
    struct pad_plan p;
    if (!x || !t->bound || pad_plan(n, t, x, &p) != RC_OK)
        return;
    for (uint32_t a = 0; a < x->rank; a++) {
        const int64_t b = p.begin[a], e = p.end[a], d = x->dim[a];
        if (b == 0 && e == 0)
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, a));
        else if (t->mode == RC_PAD_CONSTANT && t->value == 0 && b >= 0 && e >= 0) {
            rci_link_offset(l, RC_IN(0, a), RC_OUT(0, a), b, 1);
            rci_link_zero(l, RC_OUT(0, a), 0, b);
            rci_link_zero(l, RC_OUT(0, a), b + d, e);
        }
    }
}

static rc_status pad_resized(struct rc_graph *g, struct rci_node *n, const struct rci_links *l)
{
    (void) g;
    struct rci_pad_attrs *t = n->attrs;
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    for (int32_t k = 0; k < t->n; k++) {
        uint32_t a, count;
        RC_TRY(rci_op_axis(n, t->n_axes ? t->axes[k] : k, x->rank, &a));
        const int32_t *kept = rci_links_kept(l, RC_OUT(0, a), &count);
        if (!kept || (t->begin[k] == 0 && t->end[k] == 0))
            continue;
        const int64_t first = t->begin[k], last = first + x->dim[a];
        t->begin[k] = t->end[k] = 0;
        for (uint32_t j = 0; j < count; j++) {
            /* what is left of the zeros before and behind the input's channels */
            t->begin[k] += kept[j] < first;
            t->end[k] += kept[j] >= last;
        }
    }
    return RC_OK;
}

static rc_status pad_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_pad_attrs *t = n->attrs;
    const char *mode;
    int64_t pads[2 * RC_MAX_DIMS];
    int32_t count;
    float value = 0;
    RC_TRY(rci_attr_string(a, "mode", &mode));
    t->mode = !strcmp(mode, "reflect") ? RC_PAD_REFLECT
              : !strcmp(mode, "edge")  ? RC_PAD_EDGE
                                       : RC_PAD_CONSTANT;
    if (*mode && t->mode == RC_PAD_CONSTANT && strcmp(mode, "constant"))
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": mode is \"%s\", supported are constant, reflect, edge",
                        n->name, mode);
    /* opset 11: amounts and value are operands, which pad_bind() moves here */
    if (rci_attrs_opset(a) >= 11)
        return RC_OK;
    RC_TRY(rci_attr_ints(a, rci_attrs_opset(a) < 2 ? "paddings" : "pads", pads, 2 * RC_MAX_DIMS,
                         &count));
    RC_TRY(rci_attr_float(a, "value", 0, &value));
    if (count < 0 || count % 2)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": pads has %d entries, must be even", n->name,
                        count);
    t->n = count / 2;
    for (int32_t k = 0; k < t->n; k++) {
        t->begin[k] = pads[k];
        t->end[k] = pads[t->n + k];
    }
    t->value = (double) value;
    t->bound = 1;
    return RC_OK;
}

static rc_status pad_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                          const struct rci_tensor *alt, const int64_t batch[2])
{
    (void) batch;
    struct rci_pad_attrs t, other;
    if (((const struct rci_pad_attrs *) n->attrs)->bound)
        return RC_OK;
    for (uint32_t k = 1; k < n->n_in; k++)
        if (rci_op_has(n, k) && !known[k].data)
            return RC_OK; /* infer refuses it */
    RC_TRY(pad_get(n, known, &t));
    if (alt && alt[1].data) {
        RC_TRY(pad_get(n, alt, &other));
        if (memcmp(t.begin, other.begin, sizeof(t.begin)) ||
            memcmp(t.end, other.end, sizeof(t.end)))
            return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": pads depend on the batch", n->name);
    }
    *(struct rci_pad_attrs *) n->attrs = t;
    rci_op_drop_from(g, n, 1);
    return RC_OK;
}

static rc_status pad_write(const struct rci_node *n, struct rci_attr_write *w)
{
    static const char *const modes[] = {"constant", "reflect", "edge"};
    const struct rci_pad_attrs *t = n->attrs;
    int64_t pads[2 * RC_MAX_DIMS];
    RC_TRY(rci_put_string(w, "mode", modes[t->mode]));
    if (!t->bound)
        return RC_OK;
    for (int32_t k = 0; k < t->n; k++) {
        pads[k] = t->begin[k];
        pads[t->n + k] = t->end[k];
    }
    if (t->n_axes)
        RC_TRY(rci_attr_write_since(w, 18, "a list of axes"));
    if (rci_attr_write_opset(w) < 11) {
        RC_TRY(rci_put_ints(w, "pads", pads, 2 * (uint32_t) t->n));
        return t->value != 0 ? rci_put_float(w, "value", (float) t->value) : RC_OK;
    }
    RC_TRY(rci_op_put_i64(w, 1, "pads", pads, 2 * t->n));
    if (t->value != 0)
        RC_TRY(rci_op_put_scalar(w, 2, "value", t->value, t->type));
    return t->n_axes ? rci_op_put_i64(w, 3, "axes", t->axes, t->n_axes) : RC_OK;
}

/* Padding with anything but zero mixes a number into the values that were moved. */
static enum rci_quant_role pad_quant_of(const struct rci_node *n)
{
    const struct rci_pad_attrs *a = n->attrs;
    return a->mode != RC_PAD_CONSTANT || a->value == 0 ? RC_QUANT_PASS : RC_QUANT_KEEP_F32;
}

static bool pad_keeps_elements(const struct rci_node *n)
{
    const struct rci_pad_attrs *a = n->attrs;
    for (int32_t i = 0; i < a->n; i++)
        if (a->begin[i] || a->end[i])
            return false;
    return a->bound;
}

/* Zeros around the channels, and nowhere else. */
static bool pad_as_placement(const struct rc_graph *g, const struct rci_node *n,
                             struct rci_placement *out)
{
    const struct rci_pad_attrs *a = n->attrs;
    *out = (struct rci_placement){.stride = {1, 1}};
    if (!a->bound || n->n_in != 1 || a->mode != RC_PAD_CONSTANT || a->value != 0 ||
        g->values[n->in[0]].tensor.shape.rank != 4)
        return false;
    for (int32_t i = 0; i < a->n; i++) {
        const int64_t axis = a->n_axes ? a->axes[i] : i;
        const bool channel = axis == 1 || axis == -3;
        if (a->begin[i] < 0 || a->end[i] < 0 || (!channel && (a->begin[i] || a->end[i])))
            return false;
        out->begin += channel ? a->begin[i] : 0;
        out->end += channel ? a->end[i] : 0;
    }
    return true;
}

/* Zeros around the planes, and nowhere else. */
static bool pad_as_padding(const struct rc_graph *g, const struct rci_node *n,
                           struct rci_padding *out)
{
    const struct rci_pad_attrs *a = n->attrs;
    const struct rci_shape *x = &g->values[n->in[0]].tensor.shape;
    struct pad_plan p;
    if (!a->bound || n->n_in != 1 || a->mode != RC_PAD_CONSTANT || a->value != 0 || x->rank != 4 ||
        pad_plan(n, a, x, &p) != RC_OK || p.begin[0] || p.end[0] || p.begin[1] || p.end[1])
        return false;
    *out = (struct rci_padding){{p.begin[2], p.begin[3], p.end[2], p.end[3]}};
    for (int k = 0; k < 4; k++)
        if (out->pads[k] < 0)
            return false;
    return true;
}

static bool pad_permute(struct rci_node *n, uint32_t *rank, const uint32_t *perm, uint32_t *out)
{
    struct rci_pad_attrs *t = n->attrs;
    if (!t->bound || n->n_in != 1)
        return false;
    for (int32_t k = 0; k < t->n; k++) {
        const int64_t axis = t->n_axes ? t->axes[k] : k;
        t->axes[k] = perm[axis < 0 ? axis + *rank : axis];
    }
    if (!t->n_axes) { /* each axis has an entry: in their order again, as every opset wants it */
        const struct rci_pad_attrs was = *t;
        for (int32_t k = 0; k < t->n; k++) {
            t->begin[was.axes[k]] = was.begin[k];
            t->end[was.axes[k]] = was.end[k];
        }
        memset(t->axes, 0, sizeof(t->axes));
    }
    memcpy(out, perm, *rank * sizeof(*out));
    return true;
}

const struct rci_op rci_op_pad = {
    .name = "Pad",
    RC_OP_ARITY(1, 4, 1, 1),
    .attr_size = sizeof(struct rci_pad_attrs),
    .flags = RC_OP_SEPARATE,
    .quant = RC_QUANT_PASS,
    .infer = pad_infer,
    .forward = pad_forward,
    .backward = pad_backward,
    .quant_of = pad_quant_of,
    .keeps_elements = pad_keeps_elements,
    .as_placement = pad_as_placement,
    .as_padding = pad_as_padding,
    .permute = pad_permute,
    .couple = pad_couple,
    .resized = pad_resized,
    .read_attrs = pad_read,
    .bind = pad_bind,
    .write_attrs = pad_write,
    .cost = rci_op_cost_elementwise,
};
