/* Constant subgraphs become constants. What is computed from a shape (Shape, Gather, Concat ...)
 * is evaluated at two batch sizes: equal results are constants; results that differ follow the
 * batch and are only offered to op->bind, which keeps the batch free. */
#include "pass/pass.h"

#include <string.h>

enum { FOLD_MAX_OPERANDS = 1024 };
/* Operators look at optional operands, which are absent here, behind those that the node has. */
enum { FOLD_LOOKED_AT = 8 };
/* A few bytes in a file may ask for arbitrarily large constants; past these limits a node stays.
 * What shapes are computed from is small: it is evaluated first, so that a graph whose shapes do
 * not fit is refused before anything large is made. */
struct fold_limits {
    uint64_t value;                            /* bytes of one result */
    uint64_t total, work;                      /* bytes, elements: of all results */
    uint64_t total_per_byte, work_per_element; /* so much more by the graph's own constants */
};
static const struct fold_limits fold_shapes = {.value = UINT64_C(64) << 10,
                                               .total = UINT64_C(4) << 20,
                                               .work = UINT64_C(1) << 22},
                                fold_all = {.value = UINT64_C(64) << 20,
                                            .total = UINT64_C(64) << 20,
                                            .work = UINT64_C(1) << 25,
                                            .total_per_byte = 8,
                                            .work_per_element = 64};

struct fold {
    struct rc_graph *g;
    int64_t batch[2];
    struct rci_tensor *at[2]; /* every value at both batch sizes; data set where it is known, and
                                the same pointer in both where it does not follow the batch */
    bool *mine;               /* at[0][v].data was evaluated here */
    struct rci_tensor *in[2], *out[2];
    struct fold_limits left; /* still allowed */
    uint32_t changed, n_values;
};

static void fold_gather(struct fold *f, const struct rci_node *n)
{
    for (int b = 0; b < 2; b++)
        for (uint32_t k = 0; k < n->n_in; k++)
            f->in[b][k] = n->in[k] == RC_NONE ? (struct rci_tensor){0} : f->at[b][n->in[k]];
    for (int b = 0; b < 2; b++)
        for (uint32_t k = n->n_in; k < FOLD_LOOKED_AT; k++)
            f->in[b][k] = (struct rci_tensor){0};
}

static rc_status fold_bind(struct fold *f, rci_id id)
{
    struct rci_node *n = &f->g->nodes[id];
    const uint32_t before = n->n_in;
    if (!n->op->bind)
        return RC_OK;
    RC_TRY(n->op->bind(f->g, n, f->in[0], f->in[1], f->batch));
    n = &f->g->nodes[id];
    f->changed += n->n_in != before;
    fold_gather(f, n);
    return RC_OK;
}

static rc_status fold_infer(struct fold *f, const struct rci_node *n)
{
    for (int b = 0; b < 2; b++) {
        memset(f->out[b], 0, n->n_out * sizeof(*f->out[b]));
        const struct rci_infer i = {f->g, n, f->in[b], f->out[b]};
        RC_TRY(n->op->infer(&i));
        for (uint32_t k = 0; k < n->n_out; k++)
            f->out[b][k].data = NULL;
    }
    return RC_OK;
}

/* Takes what evaluating the node costs from what is left; false: too much. */
static bool fold_afford(struct fold_limits *left, const struct rci_node *n,
                        const struct rci_tensor *in, const struct rci_tensor *out)
{
    uint64_t work = 0, total = 0;
    for (uint32_t k = 0; k < n->n_out; k++) {
        int64_t count;
        if (!out[k].dtype || !rci_shape_count_checked(&out[k].shape, &count) ||
            (uint64_t) count > left->value / rci_dtype_size(out[k].dtype))
            return false;
        work += (uint64_t) count;
        total += (uint64_t) count * rci_dtype_size(out[k].dtype);
    }
    if (n->op->cost) {
        const struct rci_cost c = n->op->cost(n, in, out);
        if (c.macs > left->work || c.elementwise > left->work)
            return false;
        work += c.macs + c.elementwise;
    }
    if (work > left->work || total > left->total)
        return false;
    left->work -= work;
    left->total -= total;
    return true;
}

static bool fold_can(const struct fold *f, const struct rci_node *n)
{
    const uint32_t never = RC_OP_INTERNAL | RC_OP_RANDOM;
    if (!n->op->forward || n->op->flags & never || n->n_post)
        return false;
    /* a number that bind may want: quantized exports write Pad's value so */
    if (n->op->flags & RC_OP_NO_FOLD && rci_shape_count(&f->out[0][0].shape) != 1)
        return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != RC_NONE && !f->in[0][k].data && !(n->op->flags & RC_OP_SHAPE_ONLY))
            return false;
    for (uint32_t k = 0; k < n->n_out; k++)
        if (n->out[k] == RC_NONE)
            return false; /* forward writes all of its results */
    return true;
}

/* Does any operand differ between the two batch sizes? */
static bool fold_follows(const struct fold *f, const struct rci_node *n)
{
    for (uint32_t k = 0; k < n->n_in; k++)
        if (f->in[0][k].data != f->in[1][k].data ||
            !rci_shape_equal(&f->in[0][k].shape, &f->in[1][k].shape))
            return true;
    return false;
}

static rc_status fold_forward(struct fold *f, const struct rci_node *n, int b)
{
    for (uint32_t k = 0; k < n->n_out; k++) {
        const struct rci_shape shape = f->out[b][k].shape;
        RC_TRY(rci_tensor_new(&f->out[b][k], f->g->ctx, f->out[b][k].dtype, &shape));
    }
    const struct rci_call c = {.node = n, .ctx = f->g->ctx, .in = f->in[b], .out = f->out[b]};
    return n->op->forward(&c);
}

static void fold_drop_scratch(struct fold *f, const struct rci_node *n)
{
    for (uint32_t k = 0; k < n->n_out; k++) {
        if (f->out[1][k].data != f->out[0][k].data)
            rci_tensor_free(&f->out[1][k]);
        f->out[1][k].data = NULL;
        rci_tensor_free(&f->out[0][k]);
    }
}

static rc_status fold_evaluate(struct fold *f, const struct rci_node *n)
{
    const bool follows = fold_follows(f, n);
    struct fold_limits left = f->left;
    if (!fold_afford(&left, n, f->in[0], f->out[0]) ||
        (follows && !fold_afford(&left, n, f->in[1], f->out[1])))
        return RC_OK;
    f->left = left;
    RC_TRY(fold_forward(f, n, 0));
    if (follows)
        RC_TRY(fold_forward(f, n, 1));
    for (uint32_t k = 0; k < n->n_out; k++) {
        struct rci_tensor *a = &f->out[0][k], *b = &f->out[1][k];
        const bool same = !follows || (rci_shape_equal(&a->shape, &b->shape) &&
                                       !memcmp(a->data, b->data, rci_tensor_bytes(a)));
        if (same && follows)
            rci_tensor_free(b);
        if (same)
            b->data = a->data;
    }
    return RC_OK;
}

static rc_status fold_node(struct fold *f, rci_id id)
{
    if (f->g->nodes[id].n_in > FOLD_MAX_OPERANDS || f->g->nodes[id].n_out > FOLD_MAX_OPERANDS)
        return rci_fail(RC_ERR_LIMIT, "node \"%s\": more than %d operands", f->g->nodes[id].name,
                        FOLD_MAX_OPERANDS);
    fold_gather(f, &f->g->nodes[id]);
    RC_TRY(fold_bind(f, id));
    const struct rci_node *n = &f->g->nodes[id];
    RC_TRY(fold_infer(f, n));
    if (fold_can(f, n)) {
        const rc_status st = fold_evaluate(f, n);
        if (st != RC_OK) {
            fold_drop_scratch(f, n);
            return st;
        }
    }
    for (uint32_t k = 0; k < n->n_out; k++) {
        const rci_id v = n->out[k];
        if (v == RC_NONE)
            continue;
        f->at[0][v] = f->out[0][k];
        f->at[1][v] = f->out[1][k];
        f->mine[v] = f->out[0][k].data != NULL;
    }
    return RC_OK;
}

/* Does the node only hand a constant on? */
static bool fold_hands_on(const struct rc_graph *g, const struct rci_node *n)
{
    return n->op->flags & (RC_OP_KEEPS | RC_OP_VIEW) && n->n_in && n->in[0] != RC_NONE &&
           rci_value_is_const(&g->values[n->in[0]]);
}

/* All results are known and the same at every batch. Graph outputs stay computed by a node; of
 * those that files have in another type a conversion is written, which this node must not become
 * part of when the file is read: it becomes one that hands a constant on. */
static bool fold_is_constant(const struct fold *f, const struct rci_node *n)
{
    if (n->op->flags & RC_OP_NO_FOLD)
        return false;
    for (uint32_t k = 0; k < n->n_out; k++) {
        const rci_id v = n->out[k];
        if (v == RC_NONE || !f->mine[v] || f->at[0][v].data != f->at[1][v].data ||
            !rci_shape_count(&f->at[0][v].shape) || /* files cannot hold those */
            (f->g->values[v].flags & RC_VALUE_OUTPUT &&
             (!f->g->values[v].storage || fold_hands_on(f->g, n))))
            return false;
    }
    return n->n_out > 0;
}

/* y = Identity(the constant) */
static rc_status fold_hand_on(struct fold *f, rci_id v)
{
    struct rc_graph *g = f->g;
    rci_id made, node;
    char *name = rci_graph_fresh_name(g, g->values[v].name);
    const rc_status st = name ? rci_graph_add_const(g, &made, name, &f->at[0][v]) : RC_ERR_MEMORY;
    rci_release(name);
    RC_TRY(st);
    return rci_graph_add_node(g, &node, rci_op_find(NULL, "Identity"), NULL, NULL, &made, 1, &v, 1);
}

static rc_status fold_replace(struct fold *f, rci_id id)
{
    struct rci_node *n = &f->g->nodes[id];
    /* elements that files hold as float16 are float16 behind a Cast to f32 too */
    const bool keeps = n->op->flags & RC_OP_KEEPS && n->n_in && n->in[0] != RC_NONE;
    for (uint32_t k = 0; k < n->n_out; k++) {
        const rci_id v = n->out[k];
        if (keeps && f->at[0][v].dtype == RC_F32 &&
            !rci_dtype_narrow_bits(f->g->values[n->in[0]].storage))
            f->g->values[v].storage = f->g->values[n->in[0]].storage;
        f->g->values[v].producer = RC_NONE;
        f->g->values[v].producer_out = 0;
        n->out[k] = RC_NONE;
        if (f->g->values[v].flags & RC_VALUE_OUTPUT) {
            RC_TRY(fold_hand_on(f, v));
            n = &f->g->nodes[id];
            continue;
        }
        rci_graph_replace_const(f->g, v, &f->at[0][v]);
        f->mine[v] = false;
    }
    rci_graph_kill_node(f->g, id);
    f->changed++;
    return RC_OK;
}

static void fold_allow_more(struct fold *f)
{
    const struct rc_graph *g = f->g;
    for (rci_id v = 0; v < g->n_values; v++) {
        const struct rci_tensor *t = &g->values[v].tensor;
        if (!rci_value_is_const(&g->values[v]))
            continue;
        f->left.total += rci_tensor_bytes(t) * f->left.total_per_byte;
        f->left.work += (uint64_t) rci_shape_count(&t->shape) * f->left.work_per_element;
    }
}

/* Operands or results of the largest node. */
static uint32_t fold_widest(const struct rc_graph *g)
{
    uint32_t n = FOLD_LOOKED_AT;
    for (rci_id i = 0; i < g->n_nodes; i++) {
        n = g->nodes[i].n_in > n ? g->nodes[i].n_in : n;
        n = g->nodes[i].n_out > n ? g->nodes[i].n_out : n;
    }
    return n;
}

static rc_status fold_start(struct fold *f)
{
    struct rc_graph *g = f->g;
    const uint32_t widest = fold_widest(g);
    fold_allow_more(f);
    f->n_values = g->n_values;
    f->mine = rci_alloc_array(g->ctx, g->n_values, sizeof(*f->mine));
    for (int b = 0; b < 2; b++) {
        f->batch[b] = g->dynamic_batch ? 2 + b : g->batch;
        f->at[b] = rci_alloc_array(g->ctx, g->n_values, sizeof(*f->at[b]));
        f->in[b] = rci_alloc_array(g->ctx, widest, sizeof(*f->in[b]));
        f->out[b] = rci_alloc_array(g->ctx, widest, sizeof(*f->out[b]));
        if (!f->mine || !f->at[b] || !f->in[b] || !f->out[b])
            return RC_ERR_MEMORY;
        for (rci_id v = 0; v < g->n_values; v++)
            f->at[b][v] = g->values[v].tensor;
        for (uint32_t k = 0; k < g->n_inputs && g->dynamic_batch; k++)
            if (f->at[b][g->inputs[k]].shape.rank)
                f->at[b][g->inputs[k]].shape.dim[0] = f->batch[b];
    }
    return RC_OK;
}

static void fold_end(struct fold *f)
{
    for (rci_id v = 0; f->at[1] && f->mine && v < f->n_values; v++) {
        if (!f->mine[v])
            continue;
        if (f->at[1][v].data != f->at[0][v].data)
            rci_tensor_free(&f->at[1][v]);
        rci_tensor_free(&f->at[0][v]);
    }
    for (int b = 0; b < 2; b++) {
        rci_release(f->at[b]);
        rci_release(f->in[b]);
        rci_release(f->out[b]);
    }
    rci_release(f->mine);
}

static rc_status fold_within(struct rc_graph *g, const struct fold_limits *limits,
                             uint32_t *n_changed)
{
    struct fold f = {.g = g, .left = *limits};
    rci_id *order = NULL;
    uint32_t n = 0;
    rc_status st = fold_start(&f);
    if (st == RC_OK)
        st = rci_graph_order(g, &order, &n);
    for (uint32_t i = 0; i < n && st == RC_OK; i++)
        st = fold_node(&f, order[i]);
    for (uint32_t i = 0; i < n && st == RC_OK; i++)
        if (fold_is_constant(&f, &g->nodes[order[i]]))
            st = fold_replace(&f, order[i]);
    fold_end(&f);
    rci_release(order);
    RC_TRY(st);
    *n_changed += f.changed;
    return rci_graph_sweep(g, NULL);
}

static rc_status fold_run(struct rc_graph *g, uint32_t *n_changed)
{
    *n_changed = 0;
    RC_TRY(fold_within(g, &fold_shapes, n_changed));
    RC_TRY(rci_graph_infer(g)); /* all shapes fit */
    return fold_within(g, &fold_all, n_changed);
}

const struct rci_pass rci_pass_fold_const = {
    .name = "fold_const",
    .summary = "evaluate constant subgraphs and shape chains, bind constant operands",
    .run = fold_run,
};
