/* A bias for layers that have none yet, so that an affine can be folded into them. */
#include "op/bias.h"

rc_status rc_op_need_bias(struct rc_graph *g, struct rc_node *n, uint32_t channels)
{
    if (n->n_in > 2 && n->in[2] != RC_NONE)
        return RC_OK;
    struct rc_context *c = g->ctx;
    const struct rc_shape shape = RC_SHAPE((int64_t) channels);
    struct rc_tensor zeros;
    rc_id value;
    RC_TRY(rc_tensor_new(&zeros, c, RC_F32, &shape));
    char *hint = rc_format(c, "%s_bias", n->name);
    char *name = hint ? rc_graph_fresh_name(g, hint) : NULL;
    rc_status st = name ? rc_graph_add_const(g, &value, name, &zeros) : RC_ERR_MEMORY;
    rc_release(name);
    rc_release(hint);
    rc_tensor_free(&zeros);
    RC_TRY(st);
    if (n->n_in == 2)
        return rc_graph_append_input(g, (rc_id) (n - g->nodes), value);
    n->in[2] = value;
    return RC_OK;
}
