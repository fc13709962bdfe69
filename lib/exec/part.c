/* How many images go through the steps together. Per image, when b images do and t threads share
 * them, in bytes of memory traffic and what takes as long:
 *     work / t + sum over nodes of a * (far(a*b/t, L2) / t + far(a*b/t, L3 / t))
 *              + (w * (far(w, L2) / 4 + far(w, L3)) + step * nodes) / b,
 * work: multiply-adds, a: activations that a node reads and writes, w: all weights, step: what
 * starting a step costs; far(x, cache) = max(0, 1 - cache / x), what of x bytes a cache cannot hold
 * until they are read again: no cliff where something is just too large, because neither has the
 * processor one. A core reads activations of the third level at the speed of memory, but all cores
 * do at once; weights are read in their order, which is fetched ahead. Times the images computed
 * for the batch, zeros in the last part included, and a little more for each of these, around which
 * images are copied, and where threads get unequal numbers. The b with the least is taken: small
 * networks may run depth first on a few images at a time, big ones keep images together because
 * weights would be read again for each part, and parts divide the batch where they can. */
#include "exec/plan.h"

#include <string.h>

enum {
    STEP = 8 << 10,    /* a microsecond at eight bytes a nanosecond ... */
    MEET = 96 << 10,   /* ... and twelve more where threads wait for each other behind it, after
                          unequal work: measured for 22 steps in parts of 4 to 32 of 128 images */
    MACS_PER_BYTE = 8, /* in f32; 64 a nanosecond and thread */
    AHEAD = 4          /* times as fast are weights from the third level */
};

/* Axis 0 is the batch and no other axis knows of it. */
static bool value_follows(const struct rci_shape *one, const struct rci_shape *two)
{
    if (one->rank == 0 || two->rank != one->rank || one->dim[0] != 2 || two->dim[0] != 3)
        return false;
    return !memcmp(one->dim + 1, two->dim + 1, (one->rank - 1) * sizeof(*one->dim));
}

static bool node_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    return n->op->separate ? n->op->separate(g, n, rank) : n->op->flags & RC_OP_SEPARATE;
}

/* shape: at batch 2, then at batch 3. */
static bool images_separate(const struct rc_graph *g, const struct rci_tensor *shape,
                            const rci_id *order, uint32_t n_order)
{
    const struct rci_tensor *other = shape + g->n_values;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (!value_follows(&shape[g->inputs[i]].shape, &other[g->inputs[i]].shape))
            return false;
    for (uint32_t i = 0; i < n_order; i++) {
        const struct rci_node *n = &g->nodes[order[i]];
        if (n->n_out == 0 || n->out[0] == RC_NONE ||
            !node_separate(g, n, shape[n->out[0]].shape.rank))
            return false;
        for (uint32_t o = 0; o < n->n_out; o++)
            if (n->out[o] != RC_NONE &&
                !value_follows(&shape[n->out[o]].shape, &other[n->out[o]].shape))
                return false;
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (rci_value_is_const(&g->values[g->outputs[i]]))
            return false;
    return true;
}

struct load {
    double *activations; /* [n] bytes per image and node */
    uint32_t n;
    double work, weights, l2, l3, threads; /* caches: what activations may use */
};

/* Of one element, while the session computes. */
static double element_bytes(const struct rci_tensor *t, bool bf16)
{
    return bf16 && t->dtype == RC_F32 ? 2 : (double) rci_dtype_size(t->dtype);
}

/* shape: at batch 2. Narrow types are multiplied as much faster as they are narrower. */
static double node_work(const struct rc_graph *g, const struct rci_node *n,
                        const struct rci_tensor *shape, bool bf16)
{
    const double macs = (double) rci_node_work(g, n, shape).macs / 2;
    if (n->n_in == 0 || n->in[0] == RC_NONE)
        return 0;
    return macs / MACS_PER_BYTE * element_bytes(&shape[n->in[0]], bf16) / sizeof(float);
}

static void load_fill(struct load *l, const struct rc_graph *g, const struct rci_tensor *shape,
                      const rci_id *order, bool bf16)
{
    l->l2 = 0.5 * (double) g->ctx->cpu->l2; /* weights and scratch use them too */
    l->l3 = 0.5 * (double) g->ctx->cpu->l3;
    l->l3 = l->l3 > l->l2 ? l->l3 : l->l2;
    for (uint32_t v = 0; v < g->n_values; v++) {
        const struct rci_tensor *t = &g->values[v].tensor;
        if (rci_value_is_const(&g->values[v]))
            l->weights += (double) rci_shape_count(&t->shape) * element_bytes(t, bf16);
    }
    for (uint32_t i = 0; i < l->n; i++) {
        const struct rci_node *n = &g->nodes[order[i]];
        l->work += node_work(g, n, shape, bf16);
        for (uint32_t k = 0; k < n->n_in + n->n_out; k++) {
            const rci_id v = k < n->n_in ? n->in[k] : n->out[k - n->n_in];
            if (v != RC_NONE && !rci_value_is_const(&g->values[v]))
                l->activations[i] +=
                    (double) rci_shape_count(&shape[v].shape) / 2 * element_bytes(&shape[v], bf16);
        }
    }
}

static double far(double bytes, double cache)
{
    return bytes > cache ? 1 - cache / bytes : 0;
}

/* Bytes per image when `images` go together. */
static double per_image(const struct load *l, int64_t images)
{
    const double b = (double) images, w = l->weights, l3 = l->l3 / l->threads;
    const double step = l->threads > 1 ? STEP + MEET : STEP;
    double sum = w * (far(w, l->l2) / AHEAD + far(w, l->l3)) + step * l->n;
    sum = sum / b + l->work / l->threads;
    for (uint32_t i = 0; i < l->n; i++) {
        const double a = l->activations[i], mine = a * b / l->threads;
        sum += a * (far(mine, l->l2) / l->threads + far(mine, l3 > l->l2 ? l3 : l->l2));
    }
    return sum;
}

static double cost(const struct load *l, int64_t batch, int64_t part)
{
    const int64_t threads = (int64_t) l->threads, parts = (batch + part - 1) / part;
    const int64_t idle = (threads - part % threads) % threads;
    const double images = (double) part + (double) idle / 4;
    const double zeros = (double) (parts * part - batch);
    return ((double) parts * images + zeros / 2) * per_image(l, part);
}

static int64_t choose(const struct load *l, int64_t batch)
{
    int64_t best = batch;
    double least = cost(l, batch, batch);
    for (int64_t b = batch - 1; b >= 1; b--) {
        const double t = cost(l, batch, b);
        if (t < least) {
            least = t;
            best = b;
        }
    }
    return best;
}

rc_status rci_part_choose(int64_t *part, const struct rc_graph *g, const struct rci_part_wish *w)
{
    *part = w->batch;
    if (!g->dynamic_batch || w->batch < 2 || w->part >= w->batch)
        return RC_OK;
    struct load l = {.threads = w->threads};
    rci_id *order = NULL;
    struct rci_tensor *shape = rci_alloc_array(g->ctx, 2u * (size_t) g->n_values, sizeof(*shape));
    rc_status st = shape ? rci_graph_order(g, &order, &l.n) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rci_graph_infer_at(g, 2, shape);
    if (st == RC_OK)
        st = rci_graph_infer_at(g, 3, shape + g->n_values);
    if (st == RC_OK && !(l.activations = rci_alloc_array(g->ctx, l.n, sizeof(double))))
        st = RC_ERR_MEMORY;
    if (st == RC_OK && images_separate(g, shape, order, l.n)) {
        load_fill(&l, g, shape, order, w->bf16);
        *part = w->part ? w->part : choose(&l, w->batch);
    }
    rci_release(l.activations);
    rci_release(order);
    rci_release(shape);
    return st;
}
