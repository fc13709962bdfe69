/* M[i][k] = mean of (x_i - mean_i)(x_k - mean_k) over images and output positions, x the quantized
 * inputs of a block (quant/blocks.h), a hundredth of the mean variance added to the diagonal. The
 * means count too where biases are not corrected behind. Some positions of each image are enough.
 */
#include "quant/moments.h"
#include "kernel/gram.h"
#include "kernel/onednn/conv.h"
#include "op/layers.h"
#include "pass/insert_qdq.h"
#include "quant/walk.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { SAMPLES = 16384 }; /* of a layer, about */

struct layer {
    rci_id node;
    struct rci_quant_blocks blocks;
    struct rci_conv_geometry g; /* a product of matrices: one pixel */
    const struct rci_quant_value *value;
    float *m, *mean; /* sums: [groups * count][size][size], [groups * count][size] */
    int64_t rows;
};

struct moments {
    struct rc_quantizer *q;
    struct layer *layer;
    uint32_t n;
    int64_t n_blocks; /* of all layers */
    const float **x;  /* [n] what each layer reads */
    float *room;      /* [threads][room_each]: [rows][size], [size][size] of the largest layer */
    size_t room_each;
};

bool rci_quant_blocks_at(struct rci_quant_blocks *b, const struct rc_graph *g, rci_id node)
{
    const struct rci_node *n = &g->nodes[node];
    const struct rci_shape *x = &g->values[n->in[0]].tensor.shape;
    const struct rci_shape *w = &g->values[n->in[1]].tensor.shape;
    const bool conv = w->rank > 2 && x->rank == w->rank && w->dim[1] > 0;
    if (w->rank > 2 && !conv)
        return false;
    return rci_quant_blocks_of(b, w, rci_weight_axis(g, n), conv ? x->dim[1] / w->dim[1] : 1);
}

/* Convolutions of images, and products with rows of inputs. */
static bool layer_init(struct layer *l, const struct rc_quantizer *q, rci_id node)
{
    const struct rc_graph *g = q->g;
    const struct rci_node *n = &g->nodes[node];
    const struct rci_shape *x = &g->values[n->in[0]].tensor.shape;
    const struct rci_shape *w = &g->values[n->in[1]].tensor.shape;
    *l = (struct layer){.node = node, .value = &q->plan.value[n->in[0]]};
    if (!rci_quant_blocks_at(&l->blocks, g, node) || x->rank != w->rank)
        return false;
    struct rci_weighted product;
    n->op->as_weighted(g, n, &product);
    if (!product.plain)
        return false;
    if (w->rank == 4)
        rci_conv_geometry_of(&l->g, n, x, w);
    else if (w->rank == 2 && x->dim[1] == l->blocks.in)
        l->g = (struct rci_conv_geometry){.in_channels = l->blocks.in,
                                          .groups = 1,
                                          .in = {1, 1},
                                          .out = {1, 1},
                                          .kernel = {1, 1},
                                          .stride = {1, 1},
                                          .dilation = {1, 1}};
    else
        return false;
    return true;
}

static rc_status moments_find_layers(struct moments *t)
{
    struct rc_context *c = t->q->ctx;
    const struct rc_graph *g = t->q->g;
    t->layer = rci_alloc_array(c, g->n_nodes, sizeof(*t->layer));
    if (!t->layer)
        return RC_ERR_MEMORY;
    for (rci_id i = 0; i < g->n_nodes; i++) {
        struct layer *l = &t->layer[t->n];
        if (!rci_quant_takes(&t->q->plan, g, i) || t->q->plan.layer[i].weight_bits < 8 ||
            !layer_init(l, t->q, i))
            continue;
        t->n++;
        const size_t size = (size_t) rci_quant_block_size(&l->blocks);
        const size_t count = (size_t) (l->blocks.groups * l->blocks.count);
        l->m = rci_alloc_array(c, count * size * size, sizeof(float));
        l->mean = rci_alloc_array(c, count * size, sizeof(float));
        if (!l->m || !l->mean)
            return RC_ERR_MEMORY;
    }
    return RC_OK;
}

/* --- sums --- */

/* What the taps of one block see from one output position; `x` is the image. */
static void fill_patch(const struct layer *l, const float *x, int64_t channel, int64_t channels,
                       int64_t position, float *to)
{
    const struct rci_conv_geometry *g = &l->g;
    int32_t low, high;
    rci_quant_range(l->value, &low, &high);
    const float scale = l->value->scale, lo = (float) low, hi = (float) high;
    const int64_t y0 = position / g->out[1] * g->stride[0] - g->pad_begin[0];
    const int64_t x0 = position % g->out[1] * g->stride[1] - g->pad_begin[1];
    for (int64_t c = channel; c < channel + channels; c++)
        for (int64_t t = 0; t < l->blocks.taps; t++) {
            const int64_t row = y0 + t / g->kernel[1] * g->dilation[0];
            const int64_t col = x0 + t % g->kernel[1] * g->dilation[1];
            const bool inside = row >= 0 && row < g->in[0] && col >= 0 && col < g->in[1];
            const float v = inside ? x[(c * g->in[0] + row) * g->in[1] + col] : 0;
            *to++ = scale * fmaxf(lo, fminf(hi, rintf(v / scale)));
        }
}

/* Positions of an image that are looked at. */
static int64_t each_image(const struct layer *l, uint64_t images)
{
    const int64_t area = l->g.out[0] * l->g.out[1], each = (int64_t) (SAMPLES / images) + 1;
    return each < area ? each : area;
}

/* Block `index` of a layer that reads x: [images][C][H][W]. */
static rc_status add_block(struct moments *t, struct layer *l, const float *x, uint32_t images,
                           int64_t index)
{
    const struct rci_quant_blocks *b = &l->blocks;
    const int64_t size = rci_quant_block_size(b), area = l->g.out[0] * l->g.out[1];
    const int64_t first = index % b->count * b->channels, each = each_image(l, t->q->images);
    const int64_t channels = b->in - first < b->channels ? b->in - first : b->channels;
    const int64_t n = channels * b->taps, rows = images * each;
    const int64_t image = l->g.in_channels * l->g.in[0] * l->g.in[1];
    float *patches = t->room + (size_t) omp_get_thread_num() * t->room_each;
    float *product = patches + rows * n, *m = l->m + index * size * size;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t position = (r % each * area / each + r / each * 7919) % area;
        fill_patch(l, x + r / each * image, index / b->count * b->in + first, channels, position,
                   patches + r * n);
    }
    RC_TRY(rci_gram(t->q->ctx, patches, (size_t) n, patches, (size_t) n, (size_t) rows, product));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++)
            m[i * size + k] += product[i * n + k];
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i++)
            l->mean[index * size + i] += patches[r * n + i];
    return RC_OK;
}

/* Blocks of all layers are shared out; `x` of every layer. */
static rc_status add_blocks(struct moments *t, const float *const *x, uint32_t images)
{
    rc_status failed = RC_OK;
#pragma omp parallel for schedule(dynamic)
    for (int64_t k = 0; k < t->n_blocks; k++) {
        int64_t index = k;
        uint32_t i = 0;
        for (; index >= t->layer[i].blocks.groups * t->layer[i].blocks.count; i++)
            index -= t->layer[i].blocks.groups * t->layer[i].blocks.count;
        const rc_status st = add_block(t, &t->layer[i], x[i], images, index);
        if (st != RC_OK) {
#pragma omp critical
            failed = st;
        }
    }
    for (uint32_t i = 0; i < t->n; i++)
        t->layer[i].rows += images * each_image(&t->layer[i], t->q->images);
    return failed == RC_OK ? RC_OK : rci_fail(failed, "moments of activations failed");
}

static rc_status make_room(struct moments *t, uint32_t batch)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const size_t rows = (size_t) each_image(&t->layer[i], t->q->images) * batch;
        const size_t size = (size_t) rci_quant_block_size(&t->layer[i].blocks);
        const size_t each = (rows + size) * size;
        t->room_each = each > t->room_each ? each : t->room_each;
        t->n_blocks += t->layer[i].blocks.groups * t->layer[i].blocks.count;
    }
    t->room =
        rci_alloc_array(t->q->ctx, t->room_each * (size_t) omp_get_max_threads(), sizeof(float));
    t->x = rci_alloc_array(t->q->ctx, t->n, sizeof(*t->x));
    return t->room && t->x ? RC_OK : RC_ERR_MEMORY;
}

static rc_status walk_all(struct moments *t, struct rci_quant_walk *w, uint32_t given)
{
    const struct rc_graph *g = t->q->g;
    rc_status st;
    uint32_t n;
    while ((st = rci_quant_walk_next(w, &n)) == RC_OK && n) {
        uint32_t seen = given;
        for (uint32_t i = 0; i < t->n; i++) {
            const rci_id v = g->nodes[t->layer[i].node].in[0];
            t->x[i] = g->values[v].flags & RC_VALUE_INPUT ? w->feed.x : w->out[seen++];
        }
        RC_TRY(add_blocks(t, t->x, n));
    }
    return st;
}

static rc_status take_sums(struct moments *t, const struct rc_dataset *d)
{
    const struct rc_graph *g = t->q->g;
    struct rci_quant_walk w;
    rci_id *observe = rci_alloc_array(g->ctx, t->n, sizeof(rci_id));
    if (!observe)
        return RC_ERR_MEMORY;
    uint32_t seen = 0; /* a layer that reads the graph's input sees the batch itself */
    for (uint32_t i = 0; i < t->n; i++)
        if (!(g->values[g->nodes[t->layer[i].node].in[0]].flags & RC_VALUE_INPUT))
            observe[seen++] = g->nodes[t->layer[i].node].in[0];
    rc_status st = rci_quant_walk_start(&w, t->q, d, g, observe, seen);
    rci_release(observe);
    RC_TRY(st);
    st = make_room(t, w.feed.batch);
    if (st == RC_OK)
        st = walk_all(t, &w, w.n_out - seen);
    rci_quant_walk_end(&w);
    return st;
}

/* --- moments --- */

static void moments_finish(struct layer *l, bool centred)
{
    const int64_t size = rci_quant_block_size(&l->blocks);
    const float n = (float) (l->rows ? l->rows : 1);
    for (int64_t k = 0; k < l->blocks.groups * l->blocks.count; k++) {
        float *m = l->m + k * size * size, *mean = l->mean + k * size;
        float trace = 0;
        for (int64_t i = 0; i < size; i++)
            mean[i] /= n;
        for (int64_t i = 0; i < size; i++)
            for (int64_t j = 0; j < size; j++)
                m[i * size + j] = m[i * size + j] / n - (centred ? mean[i] * mean[j] : 0);
        for (int64_t i = 0; i < size; i++)
            trace += m[i * size + i];
        for (int64_t i = 0; i < size; i++)
            m[i * size + i] += 0.01f * trace / (float) size;
    }
}

rc_status rci_quantizer_take_moments(struct rc_quantizer *q, const struct rc_dataset *d)
{
    struct moments t = {.q = q};
    rci_quantizer_forget_moments(q);
    rc_status st = moments_find_layers(&t);
    if (st == RC_OK && t.n)
        st = take_sums(&t, d);
    for (uint32_t i = 0; i < t.n; i++) {
        if (st == RC_OK) {
            moments_finish(&t.layer[i], !(q->flags & RC_QUANTIZE_NO_BIAS_CORRECTION));
            q->moments[t.layer[i].node] = t.layer[i].m;
        } else {
            rci_release(t.layer[i].m);
        }
        rci_release(t.layer[i].mean);
    }
    rci_release(t.layer);
    rci_release(t.x);
    rci_release(t.room);
    return st;
}

void rci_quantizer_forget_moments(struct rc_quantizer *q)
{
    for (uint32_t i = 0; q->moments && i < q->g->n_nodes; i++) {
        rci_release(q->moments[i]);
        q->moments[i] = NULL;
    }
}
