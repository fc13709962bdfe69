/* Tile: y[i] = x[i mod length] along each axis, `repeats` times as long. */
#include "op/attrs.h"
#include "op/common.h"
#include "op/shape/strided.h"

#include <string.h>

static rc_status tile_repeats(const struct rci_node *n, const struct rci_tensor *in,
                              struct rci_tile_attrs *t)
{
    *t = *(const struct rci_tile_attrs *) n->attrs;
    if (t->bound)
        return RC_OK;
    return rci_op_ints(n, "repeats", &in[1], t->repeats, RC_MAX_DIMS, &t->n);
}

static rc_status tile_infer(const struct rci_infer *i)
{
    const struct rci_shape *x = &i->in[0].shape;
    struct rci_tile_attrs t;
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_ANY));
    RC_TRY(tile_repeats(i->node, i->in, &t));
    if (t.n != (int32_t) x->rank)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": %d repeats for an input of rank %u",
                        i->node->name, t.n, x->rank);
    i->out[0].dtype = i->in[0].dtype;
    i->out[0].shape.rank = x->rank;
    for (uint32_t a = 0; a < x->rank; a++)
        if (t.repeats[a] < 0 ||
            __builtin_mul_overflow(x->dim[a], t.repeats[a], &i->out[0].shape.dim[a]))
            return rci_fail(RC_ERR_MODEL, "node \"%s\": repeats[%u] is %lld, must be 0 or more",
                            i->node->name, a, (long long) t.repeats[a]);
    return rci_op_check_count(i->node, &i->out[0].shape);
}

/* Both sides as [repeat, length] per axis, so that a copy is one strided loop; axes that repeat
 * once take one place. */
static bool tile_plan(const struct rci_call *c, struct rci_strided *s)
{
    const struct rci_shape *x = &c->in[0].shape, *y = &c->out[0].shape;
    int64_t from[RC_MAX_DIMS], to[RC_MAX_DIMS];
    uint32_t need = 0;
    rci_row_major(x, from);
    rci_row_major(y, to);
    for (uint32_t a = 0; a < x->rank; a++)
        need += y->dim[a] == x->dim[a] ? 1 : 2;
    if (need > RC_MAX_DIMS)
        return false;
    *s = (struct rci_strided){0};
    for (uint32_t a = 0; a < x->rank; a++) {
        if (y->dim[a] != x->dim[a]) {
            s->dim[s->rank] = x->dim[a] ? y->dim[a] / x->dim[a] : 0;
            s->to[s->rank++] = x->dim[a] * to[a];
        }
        s->dim[s->rank] = x->dim[a];
        s->from[s->rank] = from[a];
        s->to[s->rank++] = to[a];
    }
    return true;
}

/* The element of x behind element i of y. Only ranks so high that tile_plan() has no room for its
 * axes come here, and the gradient, which sums. */
static int64_t tile_from(const struct rci_shape *x, const struct rci_shape *y, int64_t i)
{
    int64_t at = 0, step = 1;
    for (uint32_t a = x->rank; a-- > 0; i /= y->dim[a]) {
        at += i % y->dim[a] % x->dim[a] * step;
        step *= x->dim[a];
    }
    return at;
}

static rc_status tile_forward(const struct rci_call *c)
{
    const size_t size = rci_dtype_size(c->in[0].dtype);
    struct rci_strided s;
    if (tile_plan(c, &s)) {
        rci_strided_copy(&s, size, c->in[0].data, c->out[0].data);
        return RC_OK;
    }
    for (int64_t i = 0, n = rci_shape_count(&c->out[0].shape); i < n; i++)
        memcpy((char *) c->out[0].data + (size_t) i * size,
               (const char *) c->in[0].data +
                   (size_t) tile_from(&c->in[0].shape, &c->out[0].shape, i) * size,
               size);
    return RC_OK;
}

static rc_status tile_backward(const struct rci_call *c)
{
    float *d = c->d_in[0].data;
    const float *g = c->d_out[0].data;
    if (!d)
        return RC_OK;
    memset(d, 0, (size_t) rci_shape_count(&c->in[0].shape) * sizeof(float));
    for (int64_t i = 0, n = rci_shape_count(&c->out[0].shape); i < n; i++)
        d[tile_from(&c->in[0].shape, &c->out[0].shape, i)] += g[i];
    return RC_OK;
}

/* Repeats that follow the batch stay an operand: they have no number. */
static rc_status tile_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                           const struct rci_tensor *alt, const int64_t batch[2])
{
    struct rci_tile_attrs *t = n->attrs;
    (void) batch;
    if (t->bound || !rci_op_has(n, 1) || !known[1].data || (alt && alt[1].data != known[1].data))
        return RC_OK;
    RC_TRY(rci_op_ints(n, "repeats", &known[1], t->repeats, RC_MAX_DIMS, &t->n));
    t->bound = 1;
    rci_op_drop_from(g, n, 1);
    return RC_OK;
}

static rc_status tile_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_tile_attrs *t = n->attrs;
    return t->bound ? rci_op_put_i64(w, 1, "repeats", t->repeats, t->n) : RC_OK;
}

/* Axes that are not repeated go through. */
static void tile_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_tile_attrs *t = n->attrs;
    for (int32_t a = 0; t->bound && a < t->n; a++)
        if (t->repeats[a] == 1)
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, a));
}

static bool tile_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    const struct rci_tile_attrs *t = n->attrs;
    (void) g;
    (void) rank;
    return t->bound && t->n && t->repeats[0] == 1;
}

const struct rci_op rci_op_tile = {
    .name = "Tile",
    RC_OP_ARITY(1, 2, 1, 1),
    .attr_size = sizeof(struct rci_tile_attrs),
    .quant = RC_QUANT_PASS,
    .sign = RC_SIGN_KEEPS,
    .infer = tile_infer,
    .forward = tile_forward,
    .backward = tile_backward,
    .separate = tile_separate,
    .couple = tile_couple,
    .bind = tile_bind,
    .write_attrs = tile_write,
    .cost = rci_op_cost_elementwise,
};
