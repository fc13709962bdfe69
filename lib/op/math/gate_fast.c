/* y[n,c,p] = x[n,c,p] * g[n,c] without leaving the layout that convolutions work in. In memory an
 * image is [N][C/b][P][b]: b = C for channels last, 8 or 16 for blocked channels (padded with
 * zeros, which stay zero). oneDNN's binary primitive covers this only for one image. */
#include "op/math/gate_fast.h"
#include "kernel/onednn/onednn.h"

enum { BLOCK_MAX = 64 }; /* channels summed together in backward */

struct gate {
    uint32_t x, g; /* operands */
    int64_t batch, blocks, pixels, block;
    int64_t g_step; /* from one image's gate to the next: 0 when all share one */
};

static void gate_free(void *state)
{
    rci_release(state);
}

static rc_status gate_run(const struct rci_step_io *io)
{
    const struct gate *s = io->state;
    const int64_t rows = s->batch * s->blocks * s->pixels, b = s->block;
    const float *restrict x = io->in[s->x], *restrict g = io->in[s->g];
    float *restrict y = io->out[0];
#pragma omp parallel for schedule(static) if (rows * b > 1 << 14)
    for (int64_t r = 0; r < rows; r++) {
        const int64_t k = r / s->pixels, n = k / s->blocks;
        const float *row = g + n * s->g_step + k % s->blocks * b;
        for (int64_t i = 0; i < b; i++)
            y[r * b + i] = x[r * b + i] * row[i];
    }
    return RC_OK;
}

/* dg[n,c] = sum over pixels (and images, when they share the gate) of dy * x */
static void gate_sum(const struct gate *s, const float *dy, const float *x, float *dg, int64_t at)
{
    const int64_t images = s->g_step ? 1 : s->batch, width = s->blocks * s->block;
    const int64_t first = at % width, n0 = at / width;
    const int64_t lane = first % s->block, left = s->block - lane;
    const int64_t count = left < BLOCK_MAX ? left : BLOCK_MAX;
    double sum[BLOCK_MAX] = {0};
    for (int64_t n = n0; n < n0 + images; n++)
        for (int64_t p = 0; p < s->pixels; p++) {
            const int64_t row = (n * s->blocks + first / s->block) * s->pixels + p;
            for (int64_t i = 0; i < count; i++)
                sum[i] +=
                    (double) dy[row * s->block + lane + i] * (double) x[row * s->block + lane + i];
        }
    for (int64_t i = 0; i < count; i++)
        dg[at + i] = (float) sum[i];
}

static rc_status gate_run_backward(const struct rci_step_io *io)
{
    const struct gate *s = io->state;
    const int64_t rows = s->batch * s->blocks * s->pixels, b = s->block;
    const int64_t per_block = (b + BLOCK_MAX - 1) / BLOCK_MAX;
    const int64_t pieces = (s->g_step ? s->batch : 1) * s->blocks * per_block;
    const float *restrict dy = io->d_out[0], *restrict g = io->in[s->g];
    const float *x = io->in[s->x];
    float *restrict dx = io->d_in[s->x], *dg = io->d_in[s->g];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < (dx ? rows : 0); r++) {
        const int64_t k = r / s->pixels, n = k / s->blocks;
        const float *row = g + n * s->g_step + k % s->blocks * b;
        for (int64_t i = 0; i < b; i++)
            dx[r * b + i] = dy[r * b + i] * row[i];
    }
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < (dg ? pieces : 0); k++)
        gate_sum(s, dy, x, dg, k / per_block * b + k % per_block * BLOCK_MAX);
    return RC_OK;
}

/* x [N, C, H, W] and g [N or 1, C, 1, 1]. One pixel alone is an ordinary product. */
static bool is_gate(const struct rci_shape *x, const struct rci_shape *g)
{
    return x->rank == 4 && g->rank == 4 && (g->dim[0] == x->dim[0] || g->dim[0] == 1) &&
           g->dim[1] == x->dim[1] && g->dim[2] == 1 && g->dim[3] == 1 && x->dim[2] * x->dim[3] > 1;
}

/* Block length of a layout that is [N][C/b][H][W][b], or 0. */
static int64_t block_of(const struct rci_md *md)
{
    struct rci_dmd_layout l;
    rci_dmd_layout(rci_md_dnnl(md), &l);
    if (!l.blocked || l.rank != 4)
        return 0;
    const bool last = !l.inner_count;
    if (!last && (l.inner_count != 1 || l.inner_axis[0] != 1))
        return 0;
    const int64_t b = last ? l.dims[1] : l.inner_block[0];
    const int64_t area = l.dims[2] * l.dims[3];
    const bool fits = (l.dims[3] == 1 || l.strides[3] == b) &&
                      (l.dims[2] == 1 || l.strides[2] == b * l.dims[3]) &&
                      (l.padded[1] == b || l.strides[1] == (last ? 1 : b * area)) &&
                      (l.dims[0] == 1 || l.strides[0] == l.padded[1] * area);
    return fits && (!last || l.dims[1] == 1 || l.strides[1] == 1) ? b : 0;
}

/* One number per channel, padded like the image. */
static rc_status gate_layout(const struct rci_request *req, uint32_t operand, int64_t block,
                             const struct rci_md **out)
{
    const struct rci_shape *s = &req->in[operand].shape;
    *out = NULL;
    if (block == s->dim[1])
        return RC_OK; /* row-major is just that */
    const struct rci_shape gate = RC_SHAPE(s->dim[0], s->dim[1], 1, 1);
    const dnnl_format_tag_t tag = block == 4   ? dnnl_aBcd4b
                                  : block == 8 ? dnnl_aBcd8b
                                               : dnnl_aBcd16b;
    return rci_md_tagged(req->engine, RC_F32, &gate, tag, out);
}

/* A gradient by one operand needs the other. */
static rc_status gate_answer(const struct rci_request *req, struct rci_prep *p,
                             const struct gate *s, const struct rci_md *x)
{
    p->want[s->x] = p->out_md[0] = x;
    RC_TRY(gate_layout(req, s->g, s->block, &p->want[s->g]));
    p->run = gate_run;
    p->run_backward = gate_run_backward;
    p->d_in_md[s->x] = p->d_out_md[0] = x;
    p->d_in_md[s->g] = p->want[s->g];
    p->backward_reads =
        (req->needs_grad[s->g] ? 1u << s->x : 0) | (req->needs_grad[s->x] ? 1u << s->g : 0);
    p->impl = "gate";
    return RC_OK;
}

rc_status rci_gate_prepare(const struct rci_request *req, struct rci_prep *p)
{
    const bool swapped = is_gate(&req->in[1].shape, &req->in[0].shape);
    const struct rci_md *x = req->have[swapped ? 1 : 0];
    const struct rci_shape *shape = &req->in[swapped ? 1 : 0].shape;
    const int64_t b = x && req->out[0].dtype == RC_F32 ? block_of(x) : 0;
    if (req->node->n_post || (!swapped && !is_gate(&req->in[0].shape, &req->in[1].shape)) ||
        (b != shape->dim[1] && b != 4 && b != 8 && b != 16))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": not a gate in channel layout",
                        req->node->name);
    struct gate *s = RC_NEW(rci_engine_context(req->engine), struct gate);
    if (!s)
        return RC_ERR_MEMORY;
    s->x = swapped ? 1 : 0;
    s->g = 1 - s->x;
    s->batch = shape->dim[0];
    s->block = b;
    s->blocks = (shape->dim[1] + b - 1) / b;
    s->pixels = shape->dim[2] * shape->dim[3];
    s->g_step = req->in[s->g].shape.dim[0] == s->batch && s->batch > 1 ? s->blocks * b : 0;
    const rc_status st = gate_answer(req, p, s, x);
    if (st != RC_OK) {
        rci_release(s);
        return st;
    }
    p->state = s;
    p->free = gate_free;
    return RC_OK;
}
