/* Concat: operands one after another along an axis. */
#include "kernel/onednn/onednn.h"
#include "op/common.h"
#include "op/layers.h"

#include <string.h>

static int64_t concat_attr(const struct rci_node *n)
{
    return ((const struct rci_concat_attrs *) n->attrs)->axis;
}

static uint32_t concat_axis(const struct rci_node *n, uint32_t rank)
{
    const int64_t axis = concat_attr(n);
    return (uint32_t) (axis < 0 ? axis + (int64_t) rank : axis);
}

/* ONNX wants one type and one rank; only the length along the axis may differ. */
static rc_status concat_check(const struct rci_infer *i, uint32_t k, uint32_t axis)
{
    const struct rci_shape *a = &i->in[0].shape, *b = &i->in[k].shape;
    char ta[RC_SHAPE_TEXT], tb[RC_SHAPE_TEXT];
    RC_TRY(rci_op_check_type(i, k, "operand", RC_DT(i->in[0].dtype)));
    bool fits = a->rank == b->rank;
    for (uint32_t d = 0; fits && d < a->rank; d++)
        fits = d == axis || a->dim[d] == b->dim[d];
    if (!fits)
        return rci_fail(RC_ERR_SHAPE,
                        "node \"%s\": operand %u has shape %s, must match %s except on axis %u",
                        i->node->name, k, rci_shape_text(b, tb), rci_shape_text(a, ta), axis);
    return RC_OK;
}

static rc_status concat_infer(const struct rci_infer *i)
{
    uint32_t axis;
    RC_TRY(rci_op_check_type(i, 0, "operand", RC_DT_ANY));
    RC_TRY(rci_op_axis(i->node, concat_attr(i->node), i->in[0].shape.rank, &axis));
    i->out[0].dtype = i->in[0].dtype;
    i->out[0].shape = i->in[0].shape;
    for (uint32_t k = 1; k < i->node->n_in; k++) {
        RC_TRY(concat_check(i, k, axis));
        i->out[0].shape.dim[axis] += i->in[k].shape.dim[axis];
    }
    return rci_op_check_count(i->node, &i->out[0].shape);
}

/* Copy between the operand's rows and its part of the whole; a row is everything from the axis on.
 * An axis of length 0 before it leaves no rows, and nothing to copy. */
static void concat_move(const struct rci_tensor *whole, const struct rci_tensor *part,
                        uint32_t axis, size_t *offset, bool gather)
{
    int64_t rows = 1;
    for (uint32_t d = 0; d < axis; d++)
        rows *= part->shape.dim[d];
    if (!rows)
        return;
    const size_t whole_row = rci_tensor_bytes(whole) / (size_t) rows;
    const size_t row = rci_tensor_bytes(part) / (size_t) rows;
    for (int64_t r = 0; part->data && r < rows; r++) {
        char *w = (char *) whole->data + (size_t) r * whole_row + *offset;
        char *p = (char *) part->data + (size_t) r * row;
        memcpy(gather ? w : p, gather ? p : w, row);
    }
    *offset += row;
}

static rc_status concat_forward(const struct rci_call *c)
{
    const uint32_t axis = concat_axis(c->node, c->out[0].shape.rank);
    size_t offset = 0;
    for (uint32_t k = 0; k < c->node->n_in; k++)
        concat_move(&c->out[0], &c->in[k], axis, &offset, true);
    return RC_OK;
}

static rc_status concat_backward(const struct rci_call *c)
{
    const uint32_t axis = concat_axis(c->node, c->out[0].shape.rank);
    size_t offset = 0;
    for (uint32_t k = 0; k < c->node->n_in; k++) {
        struct rci_tensor part = c->in[k];
        part.data = c->d_in[k].data;
        concat_move(&c->d_out[0], &part, axis, &offset, false);
    }
    return RC_OK;
}

struct concat_state {
    struct rci_prim prim;
    uint32_t count;
};

static void concat_state_free(void *state)
{
    struct concat_state *s = state;
    rci_prim_clear(&s->prim);
    rci_release(s);
}

static rc_status concat_run(const struct rci_step_io *io)
{
    struct concat_state *s = io->state;
    void *handle[RC_PREP_MAX + 1];
    for (uint32_t k = 0; k < s->count; k++)
        handle[k] = io->in[k];
    handle[s->count] = io->out[0];
    return rci_prim_run(&s->prim, handle, io->scratch);
}

/* attr and layout belong to the caller. */
static rc_status concat_prepare_with(const struct rci_request *req, struct rci_prep *p,
                                     struct concat_state *s, const struct rci_md *layout,
                                     const_dnnl_primitive_attr_t attr)
{
    rci_dmd src[RC_PREP_MAX];
    for (uint32_t k = 0; k < s->count; k++) {
        /* each operand as it arrives: oneDNN copies between layouts */
        p->want[k] = req->have[k];
        if (!p->want[k])
            RC_TRY(rci_md_plain(req->engine, req->in[k].dtype, &req->in[k].shape, &p->want[k]));
        src[k] = rci_md_dnnl(p->want[k]);
    }
    const struct rci_dnnl_concat d = {
        s->count, (int) concat_axis(req->node, req->out[0].shape.rank), src, rci_md_dnnl(layout)};
    dnnl_primitive_desc_t pd;
    RC_TRY(rci_dnnl_concat(&pd, rci_engine_handle(req->engine), &d, attr));
    RC_TRY(rci_prim_init(&s->prim, req->engine, pd));
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_dst_md, 0, &p->out_md[0]));
    for (uint32_t k = 0; k < s->count; k++)
        RC_TRY(rci_prim_bind(&s->prim, DNNL_ARG_MULTIPLE_SRC + (int) k, p->want[k]));
    RC_TRY(rci_prim_bind(&s->prim, DNNL_ARG_DST, p->out_md[0]));
    p->scratch = s->prim.scratch;
    p->impl = rci_prim_name(&s->prim);
    return RC_OK;
}

/* Worth it where operands arrive blocked; plain ones are copied just as well by the loop above. */
static bool concat_any_blocked(const struct rci_request *req)
{
    for (uint32_t k = 0; k < req->node->n_in; k++)
        if (req->have[k] && !rci_md_is_plain(req->have[k]))
            return true;
    return false;
}

static rc_status concat_prepare(const struct rci_request *req, struct rci_prep *p)
{
    const enum rci_dtype type = req->out[0].dtype;
    /* the types that oneDNN moves; everything else is copied by concat_forward() */
    const bool known = type == RC_F32 || type == RC_U8 || type == RC_S8;
    if (req->training || !known || req->node->n_in > RC_DNNL_MAX_CONCAT || !concat_any_blocked(req))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": plain copies are as good",
                        req->node->name);
    struct concat_state *s = RC_NEW(rci_engine_context(req->engine), struct concat_state);
    if (!s)
        return RC_ERR_MEMORY;
    s->count = req->node->n_in;
    p->state = s;
    p->free = concat_state_free;
    p->run = concat_run;
    dnnl_primitive_attr_t attr;
    const struct rci_md *layout;
    rc_status st = rci_attr_new(&attr);
    if (st == RC_OK) {
        st = rci_md_any(req->engine, type, &req->out[0].shape, &layout);
        if (st == RC_OK)
            st = concat_prepare_with(req, p, s, layout, attr);
        dnnl_primitive_attr_destroy(attr);
    }
    if (st != RC_OK) {
        concat_state_free(s);
        p->state = NULL;
    }
    return st;
}

/* Channels of operand k are those of the result behind all operands before it. */
static void concat_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *y = rci_links_shape(l, RC_OUT(0, 0).operand);
    if (!y)
        return;
    const uint32_t axis = concat_axis(n, y->rank);
    int64_t offset = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        for (uint32_t d = 0; d < y->rank; d++)
            if (d != axis)
                rci_link_same(l, RC_IN(k, d), RC_OUT(0, d));
        rci_link_offset(l, RC_IN(k, axis), RC_OUT(0, axis), offset, 1);
        const struct rci_shape *x = rci_links_shape(l, RC_IN(k, 0).operand);
        offset += x ? x->dim[axis] : 0;
    }
}

static bool concat_as_concat(const struct rci_node *n, uint32_t rank, uint32_t *axis)
{
    *axis = concat_axis(n, rank);
    return true;
}

/* Of one operand, as a loop over layers leaves it. */
static bool concat_keeps_elements(const struct rci_node *n)
{
    return n->n_in == 1;
}

static bool concat_permute(struct rci_node *n, uint32_t *rank, const uint32_t *perm, uint32_t *out)
{
    ((struct rci_concat_attrs *) n->attrs)->axis = perm[concat_axis(n, *rank)];
    memcpy(out, perm, *rank * sizeof(*out));
    return true;
}

static rc_status concat_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_concat_attrs *t = n->attrs;
    /* opset 1 had a default of 1 */
    if (rci_attrs_opset(a) >= 4 && !rci_attrs_has(a, "axis"))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": attribute axis is missing", n->name);
    return rci_attr_int(a, "axis", 1, &t->axis);
}

static rc_status concat_write(const struct rci_node *n, struct rci_attr_write *w)
{
    return rci_put_int(w, "axis", concat_attr(n));
}

const struct rci_op rci_op_concat = {
    .name = "Concat",
    RC_OP_ARITY(1, RC_VARIADIC, 1, 1),
    .attr_size = sizeof(struct rci_concat_attrs),
    .flags = RC_OP_SEPARATE,
    .quant = RC_QUANT_PASS,
    .sign = RC_SIGN_KEEPS,
    .infer = concat_infer,
    .forward = concat_forward,
    .backward = concat_backward,
    .prepare = concat_prepare,
    .keeps_elements = concat_keeps_elements,
    .as_concat = concat_as_concat,
    .permute = concat_permute,
    .couple = concat_couple,
    .read_attrs = concat_read,
    .write_attrs = concat_write,
    .cost = rci_op_cost_elementwise,
};
