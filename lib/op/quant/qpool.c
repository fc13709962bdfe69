/* QAveragePool: y = x_scale * (sum of the window) / count, as f32 or divided by y_scale, rounded
 * and clamped. The sum is exact in i32; windows hold less than 2^23 pixels. */
#include "kernel/onednn/onednn.h"
#include "op/common.h"
#include "op/quant/qlayers.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static rc_status pool_window(struct rci_window *w, const struct rci_node *n,
                             const struct rci_shape *x)
{
    const struct rci_qpool_attrs *a = n->attrs;
    if (!a->global)
        return rci_window_resolve(w, n, &a->pool.window, x, a->pool.window.kernel,
                                  a->pool.ceil_mode != 0);
    *w = (struct rci_window){.in = {x->dim[2], x->dim[3]},
                             .out = {1, 1},
                             .kernel = {x->dim[2], x->dim[3]},
                             .stride = {1, 1},
                             .dilation = {1, 1}};
    return RC_OK;
}

static rc_status qpool_infer(const struct rci_infer *i)
{
    const struct rci_qpool_attrs *a = i->node->attrs;
    struct rci_window w;
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT(RC_U8) | RC_DT(RC_S8)));
    RC_TRY(rci_check_image(i, "pooling"));
    RC_TRY(pool_window(&w, i->node, &i->in[0].shape));
    if (w.kernel[0] * w.kernel[1] >= 1 << 23)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": window too large", i->node->name);
    i->out[0].dtype = a->max ? i->in[0].dtype : a->out;
    i->out[0].shape = RC_SHAPE(i->in[0].shape.dim[0], i->in[0].shape.dim[1], w.out[0], w.out[1]);
    return RC_OK;
}

/* Element (n, c, y, x) is at n*image + c*channel + (y*width + x)*pixel. */
struct layout {
    int64_t image, channel, pixel;
};
struct qpool_job {
    struct rci_qpool_attrs a;
    struct rci_window w;
    struct rci_shape x, y;
    struct layout in, out;
    enum rci_dtype type;
    int threads;
};

static struct layout layout_of(const struct rci_shape *s, bool channels_last)
{
    const int64_t area = s->dim[2] * s->dim[3], c = s->dim[1];
    return channels_last ? (struct layout){area * c, 1, c} : (struct layout){area * c, area, 1};
}

static void job_init(struct qpool_job *j, const struct rci_node *n, const struct rci_tensor *x,
                     const struct rci_tensor *y, bool channels_last)
{
    j->a = *(const struct rci_qpool_attrs *) n->attrs;
    (void) pool_window(&j->w, n, &x->shape); /* infer accepted it */
    j->x = x->shape;
    j->y = y->shape;
    j->in = layout_of(&x->shape, channels_last);
    j->out = layout_of(&y->shape, channels_last);
    j->type = x->dtype;
}

/* Taps [*from, *to) of output `at` along axis `a` that lie inside the input; returns how many count
 * for the mean. */
static int64_t qpool_taps(const struct qpool_job *j, int a, int64_t at, int64_t *from, int64_t *to)
{
    const struct rci_window *w = &j->w;
    const int64_t first = at * w->stride[a] - w->begin[a], d = w->dilation[a];
    const int64_t inside = w->in[a] - first, padded = inside + w->end[a];
    *from = first < 0 ? (-first + d - 1) / d : 0;
    *to = inside > 0 ? (inside + d - 1) / d : 0;
    if (*to > w->kernel[a])
        *to = w->kernel[a];
    if (*from > *to)
        *from = *to;
    if (!j->a.pool.count_include_pad)
        return *to - *from;
    const int64_t count = (padded + d - 1) / d;
    return count < w->kernel[a] ? count : w->kernel[a];
}

/* mean: real value. */
static void qpool_put(const struct qpool_job *j, void *y, int64_t at, double mean)
{
    if (j->a.out == RC_F32) {
        ((float *) y)[at] = (float) mean;
        return;
    }
    const double v = rint(mean / (double) j->a.y_scale);
    const int32_t q =
        (int32_t) fmax((double) rci_q_low(j->a.out), fmin((double) rci_q_high(j->a.out), v));
    ((uint8_t *) y)[at] = (uint8_t) q;
}

enum { CHUNK = 256 }; /* channels summed together */

static void add_pixel(int32_t *sum, const uint8_t *x, enum rci_dtype t, int64_t step, int64_t n)
{
    const int8_t *q = (const int8_t *) x;
    if (t == RC_U8)
        for (int64_t c = 0; c < n; c++)
            sum[c] += x[c * step];
    else
        for (int64_t c = 0; c < n; c++)
            sum[c] += q[c * step];
}

static void max_pixel(int32_t *most, const uint8_t *x, enum rci_dtype t, int64_t step, int64_t n)
{
    const int8_t *q = (const int8_t *) x;
    if (t == RC_U8)
        for (int64_t c = 0; c < n; c++)
            most[c] = most[c] > x[c * step] ? most[c] : x[c * step];
    else
        for (int64_t c = 0; c < n; c++)
            most[c] = most[c] > q[c * step] ? most[c] : q[c * step];
}

static void qpool_pixel(const struct qpool_job *j, const uint8_t *x, void *y, int64_t pixel,
                        int64_t channel)
{
    const int64_t v = pixel / j->y.dim[3] % j->y.dim[2], u = pixel % j->y.dim[3];
    const int64_t image = pixel / j->y.dim[3] / j->y.dim[2];
    const int64_t left = j->x.dim[1] - channel, n = left < CHUNK ? left : CHUNK;
    int64_t p0, p1, q0, q1;
    const int64_t count = qpool_taps(j, 0, v, &p0, &p1) * qpool_taps(j, 1, u, &q0, &q1);
    int32_t sum[CHUNK];
    for (int64_t c = 0; c < n; c++)
        sum[c] = j->a.max ? (int32_t) rci_q_low(j->type) : 0;
    for (int64_t p = p0; p < p1; p++)
        for (int64_t q = q0; q < q1; q++) {
            const int64_t row = v * j->w.stride[0] - j->w.begin[0] + p * j->w.dilation[0];
            const int64_t col = u * j->w.stride[1] - j->w.begin[1] + q * j->w.dilation[1];
            const uint8_t *tap = x + image * j->in.image + channel * j->in.channel +
                                 (row * j->x.dim[3] + col) * j->in.pixel;
            (j->a.max ? max_pixel : add_pixel)(sum, tap, j->type, j->in.channel, n);
        }
    const double scale = count > 0 ? (double) j->a.x_scale / (double) count : 0;
    for (int64_t c = 0; c < n; c++) {
        const int64_t at = image * j->out.image + (channel + c) * j->out.channel +
                           (v * j->y.dim[3] + u) * j->out.pixel;
        if (j->a.max)
            ((uint8_t *) y)[at] = (uint8_t) sum[c];
        else
            qpool_put(j, y, at, sum[c] * scale);
    }
}

static void qpool_run(const struct qpool_job *j, const void *x, void *y)
{
    const int64_t chunks = (j->x.dim[1] + CHUNK - 1) / CHUNK;
    const int64_t tasks = j->y.dim[0] * j->y.dim[2] * j->y.dim[3] * chunks;
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < tasks; t++)
        qpool_pixel(j, x, y, t / chunks, t % chunks * CHUNK);
}

static rc_status qpool_forward(const struct rci_call *c)
{
    struct qpool_job j;
    job_init(&j, c->node, &c->in[0], &c->out[0], false);
    qpool_run(&j, c->in[0].data, c->out[0].data);
    return RC_OK;
}

static rc_status qpool_step(const struct rci_step_io *io)
{
    qpool_run(io->state, io->in[0], io->out[0]);
    return RC_OK;
}

/* --- the largest, channels last: down the columns of a row of windows, then along it --- */

static void larger_u8(uint8_t *restrict most, const uint8_t *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        most[i] = most[i] > x[i] ? most[i] : x[i];
}

static void larger_s8(int8_t *restrict most, const int8_t *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        most[i] = most[i] > x[i] ? most[i] : x[i];
}

static void qpool_larger(const struct qpool_job *j, uint8_t *most, const uint8_t *x, int64_t n)
{
    if (j->type == RC_U8)
        larger_u8(most, x, n);
    else
        larger_s8((int8_t *) most, (const int8_t *) x, n);
}

/* The largest of x[k * step], 0 <= k < count; the smallest integer when there is none. */
static void qpool_largest(const struct qpool_job *j, uint8_t *most, const uint8_t *x, int64_t step,
                          int64_t count, int64_t n)
{
    if (count > 0)
        memcpy(most, x, (size_t) n);
    else
        memset(most, j->type == RC_U8 ? 0 : 0x80, (size_t) n);
    for (int64_t k = 1; k < count; k++)
        qpool_larger(j, most, x + k * step, n);
}

/* Row v of windows: the largest of each column of its rows first, into `column` [W, C], then along
 * the row; each element of x is compared kernel height + width times instead of height * width. */
static void max_row(const struct qpool_job *j, const uint8_t *x, uint8_t *y, int64_t row,
                    uint8_t *column)
{
    const struct rci_window *w = &j->w;
    const int64_t c = j->x.dim[1], wide = j->x.dim[3] * c, out_wide = j->y.dim[3] * c;
    const int64_t image = row / j->y.dim[2], v = row % j->y.dim[2];
    int64_t from, to;
    qpool_taps(j, 0, v, &from, &to);
    const int64_t top = v * w->stride[0] - w->begin[0] + from * w->dilation[0];
    qpool_largest(j, column, x + image * j->in.image + top * wide, w->dilation[0] * wide, to - from,
                  wide);
    for (int64_t u = 0; u < j->y.dim[3]; u++) {
        qpool_taps(j, 1, u, &from, &to);
        const int64_t left = u * w->stride[1] - w->begin[1] + from * w->dilation[1];
        qpool_largest(j, y + row * out_wide + u * c, column + left * c, w->dilation[1] * c,
                      to - from, c);
    }
}

static rc_status qpool_step_max(const struct rci_step_io *io)
{
    const struct qpool_job *j = io->state;
    const int64_t wide = j->x.dim[1] * j->x.dim[3], rows = j->y.dim[0] * j->y.dim[2];
#pragma omp parallel for schedule(static) num_threads(j->threads)
    for (int64_t r = 0; r < rows; r++)
        max_row(j, io->in[0], io->out[0], r, (uint8_t *) io->scratch + omp_get_thread_num() * wide);
    return RC_OK;
}

static rc_status channels_last(const struct rci_request *req, const struct rci_tensor *t,
                               const struct rci_md **out)
{
    return rci_md_channels_last(req->engine, t->dtype, &t->shape, out);
}

static rc_status qpool_prepare(const struct rci_request *req, struct rci_prep *p)
{
    if (req->training)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": inference only", req->node->name);
    struct qpool_job *j = RC_NEW(req->g->ctx, struct qpool_job);
    if (!j)
        return RC_ERR_MEMORY;
    p->state = j;
    p->free = rci_release;
    job_init(j, req->node, &req->in[0], &req->out[0], req->have[0] != NULL);
    p->run = qpool_step;
    p->impl = j->a.max ? "int8 max" : "int8 average";
    if (!req->have[0])
        return RC_OK;
    rc_status st = channels_last(req, &req->in[0], &p->want[0]);
    if (st == RC_OK && j->y.dim[2] * j->y.dim[3] > 1) /* one pixel: plain is channels-last */
        st = channels_last(req, &req->out[0], &p->out_md[0]);
    if (st != RC_OK) {
        rci_release(j);
        p->state = NULL;
        return st;
    }
    if (j->a.max) {
        j->threads = (int) req->threads;
        p->scratch = (size_t) (j->threads * j->x.dim[1] * j->x.dim[3]);
        p->run = qpool_step_max;
    }
    return RC_OK;
}

const struct rci_op rci_op_qpool = {
    .name = "QPool",
    .domain = "rescomp",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_qpool_attrs),
    .flags = RC_OP_INTERNAL | RC_OP_SEPARATE,
    .infer = qpool_infer,
    .forward = qpool_forward,
    .prepare = qpool_prepare,
    .cost = rci_op_cost_elementwise,
};
