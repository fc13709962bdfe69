/* oneDNN's kernel or one of ours for a convolution in f32. */
#include "kernel/choice/cost.h"
#include "op/conv/ways.h"

#include <string.h>

bool rci_conv_posts_fit(const struct rci_node *n, struct rci_conv_spec *s)
{
    uint32_t i = 0;
    if (i < n->n_post && n->post[i].kind == RC_POST_ADD) {
        s->sum = true;
        i++;
    }
    if (i < n->n_post && n->post[i].kind == RC_POST_RELU) {
        s->relu = true;
        i++;
    }
    return i == n->n_post;
}

/* oneDNN's primitive, and the reorder in front of it where the source comes in another layout.
 * Scratch: [source in oneDNN's layout][primitive and reorder]. */
struct onednn {
    struct rci_prim *prim;
    const struct rci_md *arriving;
    const struct rci_conv_layouts *l;
    struct rci_reorder *move; /* or NULL */
    size_t moved;             /* [bytes] */
};

static rc_status onednn_make(void *user, size_t *weights, size_t *scratch)
{
    struct onednn *o = user;
    RC_TRY(rci_prim_new(o->prim));
    *weights = rci_md_bytes(o->l->weights);
    *scratch = o->prim->scratch;
    if (rci_md_equal(o->arriving, o->l->src))
        return RC_OK;
    RC_TRY(rci_reorder_new(&o->move, o->prim->engine, o->arriving, o->l->src));
    o->moved = rci_align_line(rci_md_bytes(o->l->src));
    *scratch = o->moved + rci_larger(o->prim->scratch, rci_reorder_scratch(o->move));
    return RC_OK;
}

static rc_status onednn_run(void *user, const struct rci_conv_args *a)
{
    const struct onednn *o = user;
    void *const scratch = (char *) a->scratch + o->moved;
    void *handle[4] = {(void *) (uintptr_t) a->src, (void *) (uintptr_t) a->weights, a->dst,
                       (void *) (uintptr_t) a->bias};
    if (o->move) {
        handle[0] = a->scratch;
        RC_TRY(rci_reorder_run(o->move, a->src, a->scratch, scratch));
    }
    return rci_prim_run(o->prim, handle, scratch);
}

/* Images that arrive plain need no reorder in front of a kernel that reads them so. */
static rc_status read_planes(const struct rci_request *req, struct rci_conv_spec *s)
{
    struct rci_conv_spec plain = *s;
    if (req->have[0])
        return RC_OK;
    RC_TRY(rci_md_plain(req->engine, RC_F32, &req->in[0].shape, &plain.src));
    if (rci_direct_kernel.fits(&plain))
        *s = plain;
    return RC_OK;
}

static bool told_is(const struct rci_request *req, const char *what)
{
    return req->winograd && !strcmp(req->winograd, what);
}

rc_status rci_conv_choose_own(struct rci_conv_chosen *out, const struct rci_request *req,
                              struct rci_conv_spec *s, const struct rci_conv_layouts *l,
                              struct rci_prim *onednn)
{
    /* oneDNN, unless something below is better */
    *out = (struct rci_conv_chosen){NULL, NULL, 0};
    RC_TRY(read_planes(req, s));
    /* kernels pack weights once, so they must be constants */
    if (!req->in[1].data || (l->bias && !req->in[2].data) || !rci_conv_posts_fit(req->node, s))
        return RC_OK;
    const char *winograd = rci_winograd_kernel.name;
    struct onednn o = {.prim = onednn, .arriving = s->src, .l = l};
    struct rci_conv_question q = {.engine = req->engine,
                                  .spec = s,
                                  .told = told_is(req, "on") ? winograd : NULL,
                                  .never = told_is(req, "off") ? winograd : NULL,
                                  .fixed = req->repeatable,
                                  .src = rci_md_bytes(s->src),
                                  .dst = rci_md_bytes(l->dst)};
    q.other[0] = (struct rci_conv_other){.word = "onednn",
                                         .cost = rci_onednn_conv_cost,
                                         .user = &o,
                                         .make = onednn_make,
                                         .run = onednn_run};
    const rc_status st = rci_conv_choose(out, &q);
    rci_reorder_free(o.move);
    return st;
}
