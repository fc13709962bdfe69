/* A bias for layers that have none yet, so that an affine can be folded into them. */
#include "op/bias.h"

rc_status rci_op_need_bias(struct rc_graph *g, struct rci_node *n, uint32_t channels)
{
    if (n->n_in > 2 && n->in[2] != RC_NONE)
        return RC_OK;
    struct rc_context *c = g->ctx;
    const struct rci_shape shape = RC_SHAPE((int64_t) channels);
    struct rci_tensor zeros;
    rci_id value;
    RC_TRY(rci_tensor_new(&zeros, c, RC_F32, &shape));
    char *hint = rci_format(c, "%s_bias", n->name);
    char *name = hint ? rci_graph_fresh_name(g, hint) : NULL;
    rc_status st = name ? rci_graph_add_const(g, &value, name, &zeros) : RC_ERR_MEMORY;
    rci_release(name);
    rci_release(hint);
    rci_tensor_free(&zeros);
    RC_TRY(st);
    if (n->n_in == 2)
        return rci_graph_append_input(g, (rci_id) (n - g->nodes), value);
    n->in[2] = value;
    return RC_OK;
}
