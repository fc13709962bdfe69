/* FakeQuant: x as it will be when it has become integers, by a rule with numbers of its own that
 * may be learned (op/quant/fakequant.h). Made for training; what is exported has QuantizeLinear and
 * DequantizeLinear in its place. */
#include "op/quant/fakequant.h"
#include "kernel/onednn/onednn.h"
#include "kernel/prep.h"

#include <math.h>

enum { PIECES = 256, PIECE = 1 << 13 };

/* Runs of elements that share numbers: run r belongs to channel r % channels. */
struct fake {
    const struct rci_fake_quant_attrs *a;
    int64_t runs, inner, channels, total;
    double factor; /* of gradients by the numbers */
    bool follows;
};

static void fake_open(struct fake *f, const struct rci_node *n, const struct rci_shape *s,
                      int64_t total)
{
    const struct rci_fake_quant_attrs *a = n->attrs;
    *f = (struct fake){.a = a, .total = total, .inner = total, .runs = 1, .channels = 1};
    const int64_t count = rci_shape_count(s);
    int64_t each = count / (a->batched && s->rank ? s->dim[0] : 1);
    if (a->channels) {
        f->channels = a->channels;
        f->inner = 1;
        for (uint32_t k = (uint32_t) a->axis + 1; k < s->rank; k++)
            f->inner *= s->dim[k];
        f->runs = total / f->inner;
        each = count / f->channels;
    } else {
        f->inner = (total + PIECES - 1) / PIECES;
        f->inner = f->inner < PIECE ? PIECE : f->inner;
        f->runs = (total + f->inner - 1) / f->inner;
    }
    f->factor = a->rule->per_element ? 1 / sqrt((double) each * (double) a->high) : 1;
}

static int64_t run_length(const struct fake *f, int64_t r)
{
    const int64_t left = f->total - r * f->inner;
    return left < f->inner ? left : f->inner;
}

/* Runs of one channel, or a single piece of them all. */
static struct rci_fake_quant_seen fake_look(const struct fake *f, const float *x, int64_t first,
                                            int64_t every)
{
    struct rci_fake_quant_seen seen = {0};
    int64_t count = 0;
    for (int64_t r = first; r < f->runs; r += every) {
        const float *at = x + r * f->inner;
        const int64_t n = run_length(f, r);
        float largest = 0, sum = 0, square = 0;
#pragma omp simd reduction(+ : sum, square) reduction(max : largest)
        for (int64_t i = 0; i < n; i++) {
            const float v = fabsf(at[i]);
            largest = v > largest ? v : largest;
            sum += v;
            square += v * v;
        }
        seen.largest = fmax(seen.largest, (double) largest);
        seen.mean += (double) sum;
        seen.square += (double) square;
        count += n;
    }
    seen.mean /= (double) (count ? count : 1);
    seen.square /= (double) (count ? count : 1);
    return seen;
}

static void fake_load(const struct fake *f, const float *numbers, int64_t c, float *p)
{
    for (uint32_t k = 0; k < f->a->rule->n; k++)
        p[k] = numbers[k * f->channels + c];
}

/* What holds for channel c; `seen` is looked at only where the rule wants it. */
static void fake_numbers(const struct fake *f, const float *numbers, const float *x, int64_t c,
                         float *p)
{
    fake_load(f, numbers, c, p);
    if (!f->a->rule->derive)
        return;
    const struct rci_fake_quant_seen seen =
        fake_look(f, x, f->a->channels ? c : 0, f->a->channels ? f->channels : 1);
    f->a->rule->derive(f->a, &seen, p);
}

/* Statistics in training; the numbers are the graph's own constant. */
static void fake_follow(const struct fake *f, const float *x, float *numbers)
{
    float p[RC_FAKE_QUANT_NUMBERS];
    for (int64_t c = 0; c < f->channels; c++) {
        const struct rci_fake_quant_seen seen =
            fake_look(f, x, f->a->channels ? c : 0, f->a->channels ? f->channels : 1);
        fake_load(f, numbers, c, p);
        f->a->rule->follow(f->a, &seen, p);
        for (uint32_t k = 0; k < f->a->rule->n; k++)
            numbers[k * f->channels + c] = p[k];
    }
}

static void fake_run(const struct fake *f, const float *x, const float *numbers, float *y)
{
    const int64_t step = f->a->channels ? f->channels : f->runs;
    float all[RC_FAKE_QUANT_NUMBERS];
    if (!f->a->channels)
        fake_numbers(f, numbers, x, 0, all);
#pragma omp parallel for schedule(static) if (f->total >= RC_PARALLEL_MIN)
    for (int64_t c = 0; c < step; c++) {
        float p[RC_FAKE_QUANT_NUMBERS] = {all[0], all[1]};
        if (f->a->channels)
            fake_numbers(f, numbers, x, c, p);
        for (int64_t r = c; r < f->runs; r += step)
            f->a->rule->forward(f->a, p, x + r * f->inner, y + r * f->inner, run_length(f, r));
    }
}

/* Gradients of one run; without dx they go where nobody looks. */
static void run_back(const struct fake *f, const float *p, const float *x, const float *dy,
                     float *dx, double *dp, int64_t n)
{
    enum { ROOM = 1024 };
    float room[ROOM];
    if (dx) {
        f->a->rule->backward(f->a, p, x, dy, dx, dp, n);
        return;
    }
    for (int64_t i = 0; i < n; i += ROOM)
        f->a->rule->backward(f->a, p, x + i, dy + i, room, dp, n - i < ROOM ? n - i : ROOM);
}

/* dx and dp may be NULL. */
static void fake_back(const struct fake *f, const float *const *x_numbers_dy, float *dx, float *dp)
{
    const float *x = x_numbers_dy[0], *numbers = x_numbers_dy[1], *dy = x_numbers_dy[2];
    const int64_t step = f->a->channels ? f->channels : f->runs;
    const uint32_t n = f->a->rule->n;
    float all[RC_FAKE_QUANT_NUMBERS];
    double part[PIECES][RC_FAKE_QUANT_NUMBERS] = {{0}};
    if (!f->a->channels)
        fake_numbers(f, numbers, x, 0, all);
#pragma omp parallel for schedule(static) if (f->total >= RC_PARALLEL_MIN)
    for (int64_t c = 0; c < step; c++) {
        float p[RC_FAKE_QUANT_NUMBERS] = {all[0], all[1]};
        double sum[RC_FAKE_QUANT_NUMBERS] = {0};
        if (f->a->channels)
            fake_numbers(f, numbers, x, c, p);
        for (int64_t r = c; r < f->runs; r += step)
            run_back(f, p, x + r * f->inner, dy + r * f->inner, dx ? dx + r * f->inner : NULL, sum,
                     run_length(f, r));
        for (uint32_t k = 0; k < n; k++)
            if (!f->a->channels)
                part[c][k] = sum[k];
            else if (dp)
                dp[k * f->channels + c] = (float) (sum[k] * f->factor);
    }
    for (uint32_t k = 0; dp && !f->a->channels && k < n; k++) {
        double sum = 0;
        for (int64_t c = 0; c < step; c++)
            sum += part[c][k];
        dp[k] = (float) (sum * f->factor);
    }
}

/* --- the operator --- */

static rc_status fake_infer(const struct rci_infer *i)
{
    const struct rci_fake_quant_attrs *a = i->node->attrs;
    RC_TRY(rci_op_check_type(i, 0, "x", RC_DT_F32));
    RC_TRY(rci_op_check_type(i, 1, "numbers", RC_DT_F32));
    const int64_t channels = a->channels ? a->channels : 1;
    const bool fits = !a->channels || ((uint32_t) a->axis < i->in[0].shape.rank &&
                                       i->in[0].shape.dim[a->axis] == channels);
    if (!fits || rci_shape_count(&i->in[1].shape) != channels * a->rule->n)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": numbers are for %lld channels", i->node->name,
                        (long long) channels);
    i->out[0].shape = i->in[0].shape;
    i->out[0].dtype = RC_F32;
    return RC_OK;
}

static rc_status fake_forward(const struct rci_call *c)
{
    struct fake f;
    fake_open(&f, c->node, &c->in[0].shape, rci_shape_count(&c->in[0].shape));
    if (c->training && f.a->rule->follow)
        fake_follow(&f, c->in[0].data, c->in[1].data);
    fake_run(&f, c->in[0].data, c->in[1].data, c->out[0].data);
    return RC_OK;
}

static rc_status fake_backward(const struct rci_call *c)
{
    struct fake f;
    fake_open(&f, c->node, &c->in[0].shape, rci_shape_count(&c->in[0].shape));
    const float *const from[] = {c->in[0].data, c->in[1].data, c->d_out[0].data};
    fake_back(&f, from, c->d_in[0].data, c->d_in[1].data);
    return RC_OK;
}

static rc_status fake_step_again(const struct rci_step_io *io)
{
    fake_run(io->state, io->in[0], io->in[1], io->out[0]);
    return RC_OK;
}

static rc_status fake_step(const struct rci_step_io *io)
{
    const struct fake *f = io->state;
    if (f->follows)
        fake_follow(f, io->in[0], io->in[1]);
    return fake_step_again(io);
}

static rc_status fake_step_back(const struct rci_step_io *io)
{
    const float *const from[] = {io->in[0], io->in[1], io->d_out[0]};
    fake_back(io->state, from, io->d_in[0], io->d_in[1]);
    return RC_OK;
}

/* One set of numbers for all: in whatever layout x arrives, whose padding is 0 and stays 0. */
static rc_status fake_prepare(const struct rci_request *req, struct rci_prep *p)
{
    const struct rci_fake_quant_attrs *a = req->node->attrs;
    if (!req->training || a->channels || !req->have[0] || rci_md_is_bf16(req->have[0]))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": the plain loop does", req->node->name);
    struct fake *f = RC_NEW(rci_engine_context(req->engine), struct fake);
    if (!f)
        return RC_ERR_MEMORY;
    fake_open(f, req->node, &req->in[0].shape,
              (int64_t) (rci_md_bytes(req->have[0]) / sizeof(float)));
    f->follows = a->rule->follow && !req->frozen_stats;
    p->want[0] = p->out_md[0] = p->d_in_md[0] = p->d_out_md[0] = req->have[0];
    p->backward_reads = 1u << 0 | 1u << 1;
    p->impl = "fake quantization";
    p->run = fake_step;
    p->run_again = fake_step_again;
    p->run_backward = fake_step_back;
    p->state = f;
    p->free = rci_release;
    return RC_OK;
}

const struct rci_op rci_op_fakequant = {
    .name = "FakeQuant",
    .domain = "rescomp",
    RC_OP_ARITY(2, 2, 1, 1),
    .attr_size = sizeof(struct rci_fake_quant_attrs),
    .flags = RC_OP_INTERNAL | RC_OP_UPDATES,
    .trainable = 1 << 0 | 1 << 1, /* weights are its operand 0 */
    .infer = fake_infer,
    .forward = fake_forward,
    .backward = fake_backward,
    .prepare = fake_prepare,
    .cost = rci_op_cost_elementwise,
};

/* --- for those who make and end such graphs --- */

static void fake_of(struct fake *f, const struct rci_fake_quant_attrs *a,
                    const struct rci_tensor *x)
{
    const struct rci_node n = {.attrs = (void *) (uintptr_t) a};
    fake_open(f, &n, &x->shape, rci_shape_count(&x->shape));
}

void rci_fake_quant_numbers(const struct rci_fake_quant_attrs *a, const struct rci_tensor *x,
                            const struct rci_tensor *numbers, int64_t c, float *p)
{
    struct fake f;
    fake_of(&f, a, x);
    fake_numbers(&f, numbers->data, x->data, c, p);
}

void rci_fake_quant_apply(const struct rci_fake_quant_attrs *a, const struct rci_tensor *x,
                          const struct rci_tensor *numbers, float *y)
{
    struct fake f;
    fake_of(&f, a, x);
    fake_run(&f, x->data, numbers->data, y);
}
