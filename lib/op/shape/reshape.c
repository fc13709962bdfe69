/* Reshape: the same bytes under another shape. The shape operand is moved into the attributes on
 * import; an element that follows the batch becomes 0 (copy the input's dimension) or -1 (what
 * remains), so the batch stays free. */
#include "op/attrs.h"
#include "op/common.h"

/* Concrete shape for the input s. */
static rc_status reshape_dims(const struct rci_node *n, const struct rci_reshape_attrs *t,
                              const struct rci_shape *s, struct rci_shape *y)
{
    int32_t rest = -1;
    int64_t known = 1, total = rci_shape_count(s);
    char text[RC_SHAPE_TEXT];
    y->rank = (uint32_t) t->rank;
    for (int32_t k = 0; k < t->rank; k++) {
        const int64_t d = t->dims[k];
        if (d < -1 || (d == -1 && rest >= 0))
            return rci_fail(RC_ERR_MODEL,
                            "node \"%s\": shape entry %d is %lld, allowed from 0, and -1 once",
                            n->name, k, (long long) d);
        if (d == 0 && !t->allowzero && (uint32_t) k >= s->rank)
            return rci_fail(RC_ERR_MODEL,
                            "node \"%s\": shape entry %d is 0 (copy), but the input "
                            "has rank %u",
                            n->name, k, s->rank);
        y->dim[k] = d == 0 && !t->allowzero ? s->dim[k] : d;
        if (d == -1)
            rest = k;
        else if (__builtin_mul_overflow(known, y->dim[k], &known))
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": shape has too many elements", n->name);
    }
    if (rest >= 0)
        /* 0 elements leave -1 undetermined; then it is 0 */
        y->dim[rest] = known ? total / known : 0;
    if (known * (rest >= 0 ? y->dim[rest] : 1) != total)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": %s has %lld elements, the new shape %lld%s",
                        n->name, rci_shape_text(s, text), (long long) total, (long long) known,
                        rest >= 0 ? " times the free axis" : "");
    return RC_OK;
}

static rc_status reshape_get(const struct rci_node *n, const struct rci_tensor *shape,
                             struct rci_reshape_attrs *t)
{
    *t = *(const struct rci_reshape_attrs *) n->attrs;
    if (t->bound)
        return RC_OK;
    return rci_op_ints(n, "shape", shape, t->dims, RC_MAX_DIMS, &t->rank);
}

static rc_status reshape_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "data", RC_DT_ANY));
    struct rci_reshape_attrs t;
    if (!((const struct rci_reshape_attrs *) i->node->attrs)->bound)
        RC_TRY(rci_op_check_type(i, 1, "shape", RC_DT_INDEX));
    RC_TRY(reshape_get(i->node, &i->in[1], &t));
    i->out[0].dtype = i->in[0].dtype;
    return reshape_dims(i->node, &t, &i->in[0].shape, &i->out[0].shape);
}

/* Axes [i0,i1) of x and [j0,j1) of y hold the same elements. Each index of the shorter of the two
 * outermost axes owns a run of the other's, where lengths divide; what lies within stays. */
static void reshape_couple_block(struct rci_links *l, const struct rci_shape *x, uint32_t i0,
                                 uint32_t i1, const struct rci_shape *y, uint32_t j0, uint32_t j1)
{
    while (i0 < i1 && x->dim[i0] == 1)
        i0++;
    while (j0 < j1 && y->dim[j0] == 1)
        j0++;
    while (i1 > i0 && x->dim[i1 - 1] == 1)
        i1--;
    while (j1 > j0 && y->dim[j1 - 1] == 1)
        j1--;
    if (i0 == i1 || j0 == j1)
        return;
    if (y->dim[j0] >= x->dim[i0]) /* fixes both where it does not divide */
        rci_link_repeat(l, RC_IN(0, i0), RC_OUT(0, j0), y->dim[j0] / x->dim[i0]);
    else
        rci_link_repeat(l, RC_OUT(0, j0), RC_IN(0, i0), x->dim[i0] / y->dim[j0]);
    for (uint32_t a = i0 + 1; a < i1; a++)
        rci_link_fixed(l, RC_IN(0, a));
    for (uint32_t a = j0 + 1; a < j1; a++)
        rci_link_fixed(l, RC_OUT(0, a));
}

/* Both shapes are cut where the products of leading lengths agree: [2, 3, 4] and [6, 4] into {2, 3}
 * ~ {6} and {4} ~ {4}. */
static void reshape_couple(const struct rci_node *n, struct rci_links *l)
{
    (void) n;
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    const struct rci_shape *y = rci_links_shape(l, RC_OUT(0, 0).operand);
    uint32_t i = 0, j = 0;
    while (x && y && i < x->rank && j < y->rank) {
        const uint32_t i0 = i, j0 = j;
        int64_t p = x->dim[i++], q = y->dim[j++];
        while (p != q) {
            if (p < q && i < x->rank)
                p *= x->dim[i++];
            else if (j < y->rank)
                q *= y->dim[j++];
            else
                break;
        }
        reshape_couple_block(l, x, i0, i, y, j0, j);
    }
}

/* -1 and 0 follow by themselves; a literal that was a channel count is what is left. */
static rc_status reshape_resized(struct rc_graph *g, struct rci_node *n, const struct rci_links *l)
{
    (void) g;
    struct rci_reshape_attrs *t = n->attrs;
    for (int32_t k = 0; k < t->rank; k++) {
        uint32_t count;
        if (rci_links_kept(l, RC_OUT(0, k), &count) && t->dims[k] > 0)
            t->dims[k] = count;
    }
    return RC_OK;
}

static rc_status reshape_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_reshape_attrs *t = n->attrs;
    int64_t zero = 0;
    /* opset 1 to 4 had the shape as an attribute */
    if (rci_attrs_opset(a) < 5 && rci_attrs_has(a, "shape")) {
        RC_TRY(rci_attr_ints(a, "shape", t->dims, RC_MAX_DIMS, &t->rank));
        t->bound = 1;
    }
    if (rci_attrs_opset(a) >= 14)
        RC_TRY(rci_attr_int(a, "allowzero", 0, &zero));
    t->allowzero = zero != 0;
    return RC_OK;
}

/* known and alt hold the shape at two batch sizes. An entry that differs follows the batch: 0 where
 * it is axis 0 and equal to the batch, else -1, of which there can be one. */
static rc_status reshape_bind(struct rc_graph *g, struct rci_node *n,
                              const struct rci_tensor *known, const struct rci_tensor *alt,
                              const int64_t batch[2])
{
    struct rci_reshape_attrs *t = n->attrs;
    int64_t second[RC_MAX_DIMS];
    int32_t count;
    if (t->bound || !rci_op_has(n, 1) || !known[1].data)
        return RC_OK;
    RC_TRY(rci_op_ints(n, "shape", &known[1], t->dims, RC_MAX_DIMS, &t->rank));
    const struct rci_tensor *other = alt && alt[1].data ? &alt[1] : &known[1];
    RC_TRY(rci_op_ints(n, "shape", other, second, RC_MAX_DIMS, &count));
    bool follows = false;
    int32_t rest = 0;
    for (int32_t k = 0; k < t->rank && k < count; k++) {
        if (t->dims[k] != second[k]) {
            const bool copy = k == 0 && t->dims[k] == batch[0] && second[k] == batch[1];
            t->dims[k] = copy ? 0 : -1;
            follows = true;
        }
        rest += t->dims[k] == -1;
    }
    if (follows && rest > 1)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": more than one shape entry follows the batch", n->name);
    if (follows) /* a batch that is copied cannot also be a literal zero */
        t->allowzero = 0;
    t->bound = 1;
    rci_op_drop_from(g, n, 1);
    return RC_OK;
}

static rc_status reshape_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_reshape_attrs *t = n->attrs;
    if (t->allowzero)
        RC_TRY(rci_attr_write_since(w, 14, "allowzero"));
    if (t->allowzero)
        RC_TRY(rci_put_int(w, "allowzero", 1));
    return t->bound ? rci_op_put_i64(w, 1, "shape", t->dims, t->rank) : RC_OK;
}

const struct rci_op rci_op_reshape = {
    .name = "Reshape",
    RC_OP_ARITY(1, 2, 1, 1),
    .attr_size = sizeof(struct rci_reshape_attrs),
    .flags = RC_OP_VIEW | RC_OP_SEPARATE,
    .quant = RC_QUANT_PASS,
    .infer = reshape_infer,
    .forward = rci_op_forward_copy,
    .backward = rci_op_backward_copy,
    .couple = reshape_couple,
    .resized = reshape_resized,
    .read_attrs = reshape_read,
    .bind = reshape_bind,
    .write_attrs = reshape_write,
};
