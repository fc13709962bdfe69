/* DequantizeLinear -> operator -> QuantizeLinear becomes one operator on integers: convolutions and
 * matrix products (with the residual Add and the Relu behind them), remaining Adds, average pools,
 * and whatever only moves values. What does not match keeps its nodes and runs on floats, with the
 * same result. Works on symmetric quantization (zero point 0). */
#include "graph/names.h"
#include "op/quant/qlayers.h"
#include "pass/insert_qdq.h"
#include "pass/pass.h"
#include "pass/qdq_match.h"

struct lower {
    struct rc_graph *g;
    struct rci_qdq q;
    uint32_t *changed;
};

/* What leaves an island: integers (type u8 or s8) or reals (f32). */
struct tail {
    rci_id value;
    enum rci_dtype type;
    float scale;
    bool relu;
};

/* A new node takes the name of the one it replaces. */
static rc_status replace_node(struct lower *l, rci_id old, const char *op, const void *attrs,
                              const rci_id *in, uint32_t n_in, const struct tail *t)
{
    struct rc_graph *g = l->g;
    rci_id node;
    RC_TRY(
        rci_graph_add_node(g, &node, rci_op_find("rescomp", op), NULL, attrs, in, n_in, NULL, 1));
    char *name = g->nodes[old].name;
    g->nodes[old].name = g->nodes[node].name;
    g->nodes[node].name = name;
    RC_TRY(rci_names_add_node(g, node));
    const rci_id out = g->nodes[node].out[0];
    g->values[out].tensor = g->values[t->value].tensor;
    RC_TRY(rci_graph_redirect(g, t->value, out));
    ++*l->changed;
    return rci_graph_sweep(g, NULL);
}

/* From value `v` on: an optional Relu, then QuantizeLinear; or the reals, when nothing follows. */
static struct tail follow_operand(const struct lower *l, rci_id v)
{
    struct tail t = {.value = v, .type = RC_F32, .scale = 1};
    const struct rci_node *next = rci_qdq_next(&l->q, v);
    if (next && rci_node_is_relu(next)) {
        t.relu = true;
        t.value = next->out[0];
    }
    struct rci_qdq_integer i;
    if (rci_qdq_quantized(&l->q, t.value, &i)) {
        t.value = i.value;
        t.type = i.type;
        t.scale = i.scale;
    }
    return t;
}

struct residual {
    struct rci_qdq_integer other; /* the shortcut */
    float mid;                    /* scale of the s8 before the sum, 0 if it is not rounded */
    struct tail tail;             /* behind the sum */
};

/* `v` -> Add with dequantized integers of the same shape -> (Relu ->) QuantizeLinear. */
static bool match_sum(const struct lower *l, rci_id v, struct residual *r)
{
    const struct rci_node *add = rci_qdq_next(&l->q, v);
    if (!add || rci_node_quant(add) != RC_QUANT_REQUANT || add->in[0] == add->in[1])
        return false;
    const rci_id other = add->in[0] == v ? add->in[1] : add->in[0];
    if (!rci_qdq_dequantized(&l->q, other, &r->other) ||
        !rci_shape_equal(&l->g->values[other].tensor.shape, &l->g->values[v].tensor.shape))
        return false;
    r->tail = follow_operand(l, add->out[0]);
    return r->tail.type != RC_F32;
}

static bool match_residual(const struct lower *l, rci_id v, struct residual *r)
{
    struct rci_qdq_integer mid;
    *r = (struct residual){0};
    if (match_sum(l, v, r))
        return true;
    if (!rci_qdq_quantized(&l->q, v, &mid) || mid.type != RC_S8)
        return false;
    const struct rci_node *real = rci_qdq_next(&l->q, mid.value);
    struct rci_qdq_integer same;
    if (!real || rci_node_quant(real) != RC_QUANT_TO_REAL ||
        !rci_qdq_dequantized(&l->q, real->out[0], &same) || same.scale != mid.scale)
        return false;
    r->mid = mid.scale;
    return match_sum(l, real->out[0], r);
}

static rc_status add_const(struct lower *l, rci_id *out, const char *hint,
                           const struct rci_tensor *t)
{
    char *name = rci_graph_fresh_name(l->g, hint);
    const rc_status st = name ? rci_graph_add_const(l->g, out, name, t) : RC_ERR_MEMORY;
    rci_release(name);
    return st;
}

/* Weights as [O, I, kh, kw]: a matrix gets two axes of 1 and, when it is [I, O], is turned. */
static rc_status lower_weights(struct lower *l, rci_id *out, const struct rci_qdq_constant *w,
                               uint32_t axis)
{
    if (w->q.shape.rank == 4) {
        *out = w->value;
        return RC_OK;
    }
    const int64_t o = w->q.shape.dim[axis], i = w->q.shape.dim[1 - axis];
    struct rci_tensor t;
    const struct rci_shape shape = RC_SHAPE(o, i, 1, 1);
    RC_TRY(rci_tensor_new(&t, l->g->ctx, RC_S8, &shape));
    const int8_t *from = w->q.data;
    for (int64_t k = 0; k < o * i; k++)
        ((int8_t *) t.data)[k] = axis == 0 ? from[k] : from[k % i * o + k / i];
    const rc_status st = add_const(l, out, l->g->values[w->value].name, &t);
    rci_tensor_free(&t);
    return st;
}

/* f32 [O] in real units, from f32 or from i32 with its scale. RC_NONE in: none. *ok false: a form
 * that is not understood. */
static rc_status lower_bias(struct lower *l, rci_id in, int64_t channels, rci_id *out, bool *ok)
{
    *out = in;
    *ok = true;
    if (in == RC_NONE)
        return RC_OK;
    const struct rci_tensor *f = &l->g->values[in].tensor;
    if (f->data) {
        *ok = f->dtype == RC_F32 && f->shape.rank == 1 && f->shape.dim[0] == channels;
        return RC_OK;
    }
    struct rci_qdq_constant b;
    *ok = rci_qdq_constant(&l->q, in, RC_I32, 0, &b) && b.q.shape.rank == 1 &&
          b.q.shape.dim[0] == channels;
    if (!*ok)
        return RC_OK;
    struct rci_tensor t;
    RC_TRY(rci_tensor_new(&t, l->g->ctx, RC_F32, &b.q.shape));
    const float *scale = b.scale.data;
    const bool one = rci_shape_count(&b.scale.shape) == 1;
    for (int64_t o = 0; o < channels; o++)
        ((float *) t.data)[o] =
            (float) (((const int32_t *) b.q.data)[o] * (double) scale[one ? 0 : o]);
    const rc_status st = add_const(l, out, l->g->values[b.value].name, &t);
    rci_tensor_free(&t);
    return st;
}

/* Convolutions as they are; matrix products when they are x * W + b. */
static bool weighted_form(const struct rci_node *n, const struct rci_weighted *p,
                          struct rci_qconv_attrs *a)
{
    if (p->window)
        a->conv = *p->window;
    return p->plain && (p->bias_factor == 1 || n->n_in < 3);
}

static rc_status lower_weighted(struct lower *l, rci_id id)
{
    struct rc_graph *g = l->g;
    struct rci_node *n = &g->nodes[id];
    struct rci_qconv_attrs a = {0};
    struct rci_qdq_integer x;
    struct rci_qdq_constant w;
    struct rci_weighted product;
    n->op->as_weighted(g, n, &product);
    const uint32_t axis = product.axis;
    if (!weighted_form(n, &product, &a) || !rci_qdq_dequantized(&l->q, n->in[0], &x) ||
        !rci_qdq_constant(&l->q, n->in[1], RC_S8, axis, &w))
        return RC_OK;
    const uint32_t rank = g->values[x.value].tensor.shape.rank;
    if (w.q.shape.rank != rank || rank != (product.window ? 4 : 2))
        return RC_OK;
    rci_id in[5] = {x.value, RC_NONE, RC_NONE, RC_NONE, RC_NONE};
    bool ok;
    RC_TRY(lower_bias(l, n->n_in > 2 ? n->in[2] : RC_NONE, w.q.shape.dim[axis], &in[RC_QCONV_BIAS],
                      &ok));
    if (!ok)
        return RC_OK;
    RC_TRY(lower_weights(l, &in[RC_QCONV_W], &w, axis));
    RC_TRY(add_const(l, &in[RC_QCONV_SCALE], "scale", &w.scale));
    n = &g->nodes[id];
    struct residual r;
    struct tail t;
    if (match_residual(l, n->out[0], &r)) {
        t = r.tail;
        in[RC_QCONV_RESIDUAL] = r.other.value;
        a.res_scale = r.other.scale;
        a.mid_scale = r.mid;
    } else {
        t = follow_operand(l, n->out[0]);
    }
    a.x_scale = x.scale;
    a.y_scale = t.scale;
    a.out = t.type;
    a.relu = t.relu;
    return replace_node(l, id, "QConv", &a, in, in[RC_QCONV_RESIDUAL] == RC_NONE ? 4 : 5, &t);
}

static rc_status lower_add(struct lower *l, rci_id id)
{
    const struct rci_node *n = &l->g->nodes[id];
    struct rci_qdq_integer x, b;
    if (!rci_qdq_dequantized(&l->q, n->in[0], &x) || !rci_qdq_dequantized(&l->q, n->in[1], &b) ||
        !rci_shape_equal(&l->g->values[x.value].tensor.shape, &l->g->values[b.value].tensor.shape))
        return RC_OK;
    const struct tail t = follow_operand(l, n->out[0]);
    if (t.type == RC_F32)
        return RC_OK;
    const struct rci_qadd_attrs a = {x.scale, b.scale, t.scale, t.type, t.relu};
    const rci_id in[2] = {x.value, b.value};
    return replace_node(l, id, "QAdd", &a, in, 2, &t);
}

static rc_status lower_average(struct lower *l, rci_id id, const struct rci_pooling *pool)
{
    const struct rci_node *n = &l->g->nodes[id];
    struct rci_qdq_integer x, y;
    if (!rci_qdq_dequantized(&l->q, n->in[0], &x) || l->g->values[x.value].tensor.shape.rank != 4)
        return RC_OK;
    struct rci_qpool_attrs a = {.x_scale = x.scale, .y_scale = 1, .out = RC_F32};
    if (pool->window)
        a.pool = *pool->window;
    a.global = !pool->window;
    struct tail t = {.value = n->out[0], .type = RC_F32};
    if (rci_qdq_quantized(&l->q, n->out[0], &y)) {
        t.value = y.value;
        a.y_scale = y.scale;
        a.out = y.type;
    }
    return replace_node(l, id, "QPool", &a, &x.value, 1, &t);
}

/* The integers stay as they are, so both sides must have one scale. */
static rc_status lower_max(struct lower *l, rci_id id, const struct rci_pooling *pool)
{
    const struct rci_node *n = &l->g->nodes[id];
    struct rci_qdq_integer x, y;
    if (!rci_qdq_dequantized(&l->q, n->in[0], &x) || !rci_qdq_quantized(&l->q, n->out[0], &y) ||
        !pool->window || x.scale != y.scale || x.type != y.type ||
        l->g->values[x.value].tensor.shape.rank != 4 || n->n_out > 1)
        return RC_OK;
    const struct rci_qpool_attrs a = {
        .pool = *pool->window, .x_scale = x.scale, .y_scale = x.scale, .out = x.type, .max = 1};
    const struct tail t = {.value = y.value, .type = y.type};
    return replace_node(l, id, "QPool", &a, &x.value, 1, &t);
}

/* Would the operator take operands of another type? */
static bool takes_type(const struct lower *l, const struct rci_node *n, enum rci_dtype type)
{
    struct rci_around a;
    if (!n->op->forward || !rci_node_around(l->g, n, NULL, &a))
        return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != RC_NONE && !a.in[k].data)
            a.in[k].dtype = type;
    const struct rci_infer i = {l->g, n, a.in, a.out};
    return n->op->infer(&i) == RC_OK && a.out[0].dtype == type;
}

/* All data operands dequantized with one scale, and the result quantized with the same. */
static rc_status lower_pass(struct lower *l, rci_id id)
{
    struct rci_node *n = &l->g->nodes[id];
    struct rci_qdq_integer first = {.value = RC_NONE}, x, y;
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (n->in[k] == RC_NONE || rci_value_is_const(&l->g->values[n->in[k]]))
            continue;
        if (!rci_qdq_dequantized(&l->q, n->in[k], &x) ||
            (first.value != RC_NONE && (x.scale != first.scale || x.type != first.type)))
            return RC_OK;
        first = x;
    }
    if (first.value == RC_NONE || n->n_out != 1 || !rci_qdq_quantized(&l->q, n->out[0], &y) ||
        y.scale != first.scale || y.type != first.type || !takes_type(l, n, y.type))
        return RC_OK;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != RC_NONE && rci_qdq_dequantized(&l->q, n->in[k], &x))
            n->in[k] = x.value;
    l->g->values[n->out[0]].tensor.dtype = y.type;
    RC_TRY(rci_graph_redirect(l->g, y.value, n->out[0]));
    ++*l->changed;
    return rci_graph_sweep(l->g, NULL);
}

static rc_status lower_node(struct lower *l, rci_id id)
{
    const struct rci_node *n = &l->g->nodes[id];
    const enum rci_quant_role role = rci_node_quant(n);
    struct rci_pooling pool;
    if (!n->op || (n->op->flags & RC_OP_INTERNAL) || n->n_post)
        return RC_OK;
    if (role == RC_QUANT_WEIGHTED)
        return lower_weighted(l, id);
    if (role == RC_QUANT_REQUANT)
        return lower_add(l, id);
    if (n->op->as_pooling) {
        n->op->as_pooling(n, &pool);
        return pool.max ? lower_max(l, id, &pool) : lower_average(l, id, &pool);
    }
    return role == RC_QUANT_PASS ? lower_pass(l, id) : RC_OK;
}

/* Weights of layers that run on floats: dequantize once, not at every run. */
static rc_status fold_constant(struct lower *l, rci_id id)
{
    const struct rci_node *n = &l->g->nodes[id];
    struct rci_tensor in[3] = {{0}}, out = {0};
    if (rci_node_quant(n) != RC_QUANT_TO_REAL)
        return RC_OK;
    for (uint32_t k = 0; k < n->n_in && k < 3; k++) {
        if (n->in[k] == RC_NONE)
            continue;
        in[k] = l->g->values[n->in[k]].tensor;
        if (!in[k].data)
            return RC_OK;
    }
    RC_TRY(rci_tensor_new(&out, l->g->ctx, RC_F32, &in[0].shape));
    const struct rci_call c = {.node = n, .ctx = l->g->ctx, .in = in, .out = &out};
    rci_id value;
    rc_status st = n->op->forward(&c);
    if (st == RC_OK)
        st = add_const(l, &value, l->g->values[n->out[0]].name, &out);
    rci_tensor_free(&out);
    RC_TRY(st);
    ++*l->changed;
    return rci_graph_redirect(l->g, l->g->nodes[id].out[0], value);
}

static rc_status lower_int8_run(struct rc_graph *g, uint32_t *n_changed)
{
    struct lower l = {.g = g, .changed = n_changed};
    rci_id *order;
    uint32_t n;
    if (!rci_qdq_init(&l.q, g))
        return RC_OK;
    RC_TRY(rci_graph_order(g, &order, &n));
    rc_status st = RC_OK;
    for (uint32_t i = 0; i < n && st == RC_OK; i++)
        st = lower_node(&l, order[i]);
    for (uint32_t i = 0; i < n && st == RC_OK; i++)
        if (g->nodes[order[i]].op)
            st = fold_constant(&l, order[i]);
    rci_release(order);
    return st == RC_OK ? rci_graph_sweep(g, NULL) : st;
}

const struct rci_pass rci_pass_lower_int8 = {
    .name = "lower-int8",
    .summary = "run quantized layers on integers",
    .run = lower_int8_run,
    .approximate = true,
};
