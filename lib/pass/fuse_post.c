/* y = act(op(x) + r): activations and residual additions become posts of the node before them,
 * done while its result is still in registers. Only inside sessions and tapes. */
#include "pass/pass.h"

/* The node that makes `v`, if work can be put behind it without anyone noticing. */
static rci_id host_of(const struct rc_graph *g, rci_id v)
{
    if (v == RC_NONE || g->values[v].tensor.dtype != RC_F32 ||
        rci_graph_single_reader(g, v) == RC_NONE)
        return RC_NONE;
    const rci_id p = g->values[v].producer;
    if (p == RC_NONE || g->values[v].producer_out != 0)
        return RC_NONE;
    const struct rci_node *n = &g->nodes[p];
    return (n->op->flags & RC_OP_POSTS) && n->n_post < RC_MAX_POST ? p : RC_NONE;
}

/* Readers of `node` read the host's output; node goes. */
static rc_status replace_by(struct rc_graph *g, rci_id node, rci_id host)
{
    RC_TRY(rci_graph_redirect(g, g->nodes[node].out[0], g->nodes[host].out[0]));
    rci_graph_kill_node(g, node);
    return RC_OK;
}

static rc_status fuse_activation(struct rc_graph *g, rci_id id, uint32_t *n_changed)
{
    struct rci_post post;
    const struct rci_node *n = &g->nodes[id];
    if (n->n_in == 0 || !rci_node_post(n, &post))
        return RC_OK;
    const rci_id host = host_of(g, n->in[0]);
    if (host == RC_NONE)
        return RC_OK;
    g->nodes[host].post[g->nodes[host].n_post++] = post;
    ++*n_changed;
    return replace_by(g, id, host);
}

/* Operands of posts start behind all the operator could have. */
static rc_status append_operand(struct rc_graph *g, rci_id host, rci_id value)
{
    while (g->nodes[host].n_in < g->nodes[host].op->max_in)
        RC_TRY(rci_graph_append_input(g, host, RC_NONE));
    struct rci_node *h = &g->nodes[host];
    h->post[h->n_post++] = (struct rci_post){.kind = RC_POST_ADD, .operand = h->n_in};
    return rci_graph_append_input(g, host, value);
}

static bool can_add(const struct rc_graph *g, rci_id host)
{
    return host != RC_NONE && g->nodes[host].n_post == 0 &&
           g->nodes[host].op->max_in != RC_VARIADIC && !rci_node_has(&g->nodes[host], RC_OP_SUM);
}

/* The later of the two producers adds the other operand, which is then certainly there. */
static rc_status fuse_add(struct rc_graph *g, rci_id id, uint32_t *place, uint32_t *n_changed)
{
    const struct rci_node *n = &g->nodes[id];
    if (!rci_node_has(n, RC_OP_SUM) || n->n_in != 2 || n->n_post || n->in[0] == n->in[1])
        return RC_OK;
    const struct rci_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    if (!rci_shape_equal(&a->tensor.shape, &b->tensor.shape) || rci_value_is_const(a) ||
        rci_value_is_const(b))
        return RC_OK;
    rci_id host[2] = {host_of(g, n->in[0]), host_of(g, n->in[1])};
    for (uint32_t k = 0; k < 2; k++)
        if (!can_add(g, host[k]))
            host[k] = RC_NONE;
    uint32_t k = host[0] == RC_NONE;
    if (host[0] != RC_NONE && host[1] != RC_NONE)
        k = place[host[1]] > place[host[0]];
    if (host[k] == RC_NONE)
        return RC_OK;
    const rci_id other = n->in[1 - k], producer = g->values[other].producer;
    if (producer != RC_NONE && place[producer] > place[host[k]])
        place[host[k]] = place[producer];
    RC_TRY(append_operand(g, host[k], other));
    ++*n_changed;
    return replace_by(g, id, host[k]);
}

static rc_status fuse_post_run(struct rc_graph *g, uint32_t *n_changed)
{
    rci_id *order;
    uint32_t n;
    RC_TRY(rci_graph_order(g, &order, &n));
    uint32_t *place = rci_alloc_array(g->ctx, g->n_nodes + 1u, sizeof(*place));
    rc_status st = place ? RC_OK : RC_ERR_MEMORY;
    for (uint32_t i = 0; st == RC_OK && i < n; i++)
        place[order[i]] = i;
    for (uint32_t i = 0; st == RC_OK && i < n; i++) {
        st = fuse_add(g, order[i], place, n_changed);
        if (st == RC_OK && g->nodes[order[i]].op)
            st = fuse_activation(g, order[i], n_changed);
    }
    rci_release(place);
    rci_release(order);
    return st;
}

/* In training a Relu may sit behind an operator whose fast path does it (RC_OP_RELU), and behind an
 * addition without broadcasting, which a tape runs as one step. */
static rci_id training_host(const struct rc_graph *g, rci_id v)
{
    const rci_id host = host_of(g, v), p = g->values[v].producer;
    if (host != RC_NONE)
        return rci_node_has(&g->nodes[host], RC_OP_RELU) ? host : RC_NONE;
    if (p == RC_NONE || rci_graph_single_reader(g, v) == RC_NONE)
        return RC_NONE;
    const struct rci_node *n = &g->nodes[p];
    if (!rci_node_has(n, RC_OP_SUM) || n->n_post || g->values[v].tensor.dtype != RC_F32)
        return RC_NONE;
    for (uint32_t i = 0; i < 2; i++)
        if (!rci_shape_equal(&g->values[n->in[i]].tensor.shape, &g->values[v].tensor.shape))
            return RC_NONE;
    return p;
}

static rc_status fuse_post_run_training(struct rc_graph *g, uint32_t *n_changed)
{
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        if (!rci_node_is_relu(n))
            continue;
        const rci_id host = training_host(g, n->in[0]);
        if (host == RC_NONE)
            continue;
        g->nodes[host].post[g->nodes[host].n_post++] = (struct rci_post){.kind = RC_POST_RELU};
        ++*n_changed;
        RC_TRY(replace_by(g, i, host));
    }
    return RC_OK;
}

const struct rci_pass rci_pass_fuse_post = {
    "fuse_post", "put activations and residual additions behind the node before them",
    fuse_post_run, true};
const struct rci_pass rci_pass_fuse_post_training = {
    "fuse_post_training", "Relu as one with BatchNormalization or a residual addition",
    fuse_post_run_training, true};
