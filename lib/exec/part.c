/* How many images go through the steps together. Bytes that leave the second-level cache, per
 * image, when b images do and t threads share them:
 *     sum over nodes of a * [a * b / t > cache] + (w * t + step * nodes) / b,
 * a: activations that a node reads and writes, w: all weights, step: what starting a step costs.
 * The b with the least is taken. Small networks then run depth first on a few images at a time;
 * big ones keep images together, because weights would be read again for each part. */
#include "exec/plan.h"
#include "op/attrs.h"
#include "op/layers.h"

#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_CACHE = 512 << 10, /* where the system does not say */
    STEP = 16 << 10            /* two microseconds at eight bytes a nanosecond */
};

/* Operators whose result for an image depends on that image alone, wherever axis 0 keeps being the
 * batch. */
static const char *const separate[] = {
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Conv",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Mul",
    "Pad",
    "QAdd",
    "QConv",
    "QPool",
    "QuantizeLinear",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
};

static bool axis_is_first(int64_t axis, uint32_t rank)
{
    return axis == 0 || axis == -(int64_t) rank;
}

/* Slice may turn the batch round, Softmax sum over it, and both keep its size. */
static bool node_separate(const struct rc_graph *g, const struct rc_node *n,
                          const struct rc_tensor *shape)
{
    const uint32_t rank = shape[n->out[0]].shape.rank;
    bool known = false;
    for (size_t i = 0; i < sizeof(separate) / sizeof(*separate); i++)
        known |= !strcmp(n->op->name, separate[i]);
    if (!strcmp(n->op->name, "Softmax"))
        return !axis_is_first(((const struct rc_softmax_attrs *) n->attrs)->axis, rank);
    if (!strcmp(n->op->name, "MatMul"))
        return rc_value_is_const(&g->values[n->in[1]]);
    if (!strcmp(n->op->name, "Gemm"))
        return !((const struct rc_gemm_attrs *) n->attrs)->trans_a;
    if (!strcmp(n->op->name, "Slice")) {
        const struct rc_slice_attrs *a = n->attrs;
        known = a->bound;
        for (int32_t i = 0; known && i < a->n; i++)
            known = !axis_is_first(a->axes[i], rank);
    }
    return known;
}

/* Axis 0 is the batch and no other axis knows of it. */
static bool value_follows(const struct rc_shape *one, const struct rc_shape *two)
{
    if (one->rank == 0 || two->rank != one->rank || one->dim[0] != 2 || two->dim[0] != 3)
        return false;
    return !memcmp(one->dim + 1, two->dim + 1, (one->rank - 1) * sizeof(*one->dim));
}

/* shape: at batch 2, then at batch 3. */
static bool images_separate(const struct rc_graph *g, const struct rc_tensor *shape,
                            const rc_id *order, uint32_t n_order)
{
    const struct rc_tensor *other = shape + g->n_values;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (!value_follows(&shape[g->inputs[i]].shape, &other[g->inputs[i]].shape))
            return false;
    for (uint32_t i = 0; i < n_order; i++) {
        const struct rc_node *n = &g->nodes[order[i]];
        if (n->n_out == 0 || n->out[0] == RC_NONE || !node_separate(g, n, shape))
            return false;
        for (uint32_t o = 0; o < n->n_out; o++)
            if (n->out[o] != RC_NONE &&
                !value_follows(&shape[n->out[o]].shape, &other[n->out[o]].shape))
                return false;
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (rc_value_is_const(&g->values[g->outputs[i]]))
            return false;
    return true;
}

struct load {
    double *activations; /* [n] bytes per image and node */
    uint32_t n;
    double weights, cache, threads;
};

static void load_fill(struct load *l, const struct rc_graph *g, const struct rc_tensor *shape,
                      const rc_id *order)
{
    const long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    l->cache = 0.75 * (double) (cache > 0 ? cache : DEFAULT_CACHE);
    for (uint32_t v = 0; v < g->n_values; v++)
        if (rc_value_is_const(&g->values[v]))
            l->weights += (double) rc_tensor_bytes(&g->values[v].tensor);
    for (uint32_t i = 0; i < l->n; i++) {
        const struct rc_node *n = &g->nodes[order[i]];
        for (uint32_t k = 0; k < n->n_in + n->n_out; k++) {
            const rc_id v = k < n->n_in ? n->in[k] : n->out[k - n->n_in];
            if (v != RC_NONE && !rc_value_is_const(&g->values[v]))
                l->activations[i] += (double) rc_tensor_bytes(&shape[v]) / 2;
        }
    }
}

static double traffic(const struct load *l, int64_t images)
{
    const double b = (double) images;
    double sum = (l->weights * l->threads + (double) STEP * l->n) / b;
    for (uint32_t i = 0; i < l->n; i++)
        if (l->activations[i] * b / l->threads > l->cache)
            sum += l->activations[i];
    return sum;
}

/* Images computed for a whole batch, the zeros behind the last one included. */
static int64_t padded(int64_t batch, int64_t part)
{
    return (batch + part - 1) / part * part;
}

static int64_t choose(const struct load *l, int64_t batch)
{
    const int64_t threads = (int64_t) l->threads;
    int64_t best = batch, tidy;
    double least = traffic(l, batch);
    for (int64_t b = threads; b < batch; b *= 2) {
        const double t = traffic(l, b);
        if (t < least) {
            least = t;
            best = b;
        }
    }
    tidy = best;
    for (int64_t b = best; best < batch && b >= threads && 2 * b > best; b -= threads)
        if (padded(batch, b) < padded(batch, tidy))
            tidy = b;
    return tidy;
}

rc_status rc_part_choose(int64_t *part, const struct rc_graph *g, int64_t batch, uint32_t threads,
                         int64_t wanted)
{
    *part = batch;
    if (!g->dynamic_batch || batch < 2 || wanted >= batch)
        return RC_OK;
    struct load l = {.threads = threads ? threads : 1};
    rc_id *order = NULL;
    struct rc_tensor *shape = rc_alloc_array(g->ctx, 2u * (size_t) g->n_values, sizeof(*shape));
    rc_status st = shape ? rc_graph_order(g, &order, &l.n) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rc_graph_infer_at(g, 2, shape);
    if (st == RC_OK)
        st = rc_graph_infer_at(g, 3, shape + g->n_values);
    if (st == RC_OK && !(l.activations = rc_alloc_array(g->ctx, l.n, sizeof(double))))
        st = RC_ERR_MEMORY;
    if (st == RC_OK && images_separate(g, shape, order, l.n)) {
        load_fill(&l, g, shape, order);
        *part = wanted ? wanted : choose(&l, batch);
    }
    rc_release(l.activations);
    rc_release(order);
    rc_release(shape);
    return st;
}
