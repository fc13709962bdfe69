/* The gradient of 3x3 weights by Winograd: each thread sums over its blocks of tiles, then one
 * transform back of what all have summed. */
#include "kernel/winograd/code.h"
#include "kernel/winograd/winograd.h"

#include <omp.h>
#include <string.h>

/* Scratch: every thread's tiles, then every thread's sums: [36][in][out], and [out] of the bias. */
struct rci_winograd_grad {
    struct rci_winograd_plan plan;
    bool bias;
    size_t tiles, sums; /* [floats] of a thread */
};

rc_status rci_winograd_grad_new(struct rci_winograd_grad **out, struct rc_context *c,
                                const struct rci_conv_spec *s)
{
    struct rci_winograd_plan plan;
    *out = NULL;
    if (!rci_winograd_grad_fits(s) || !rci_winograd_plan_init(&plan, s, false))
        return rci_fail(RC_ERR_UNSUPPORTED, "no Winograd kernel for this convolution");
    struct rci_winograd_grad *w = RC_NEW(c, struct rci_winograd_grad);
    if (!w)
        return RC_ERR_MEMORY;
    w->plan = plan;
    w->bias = s->bias;
    w->tiles =
        (size_t) (36 *
                  (rci_winograd_pairs_step(&plan.job, plan.code->word, plan.job.in_cover) +
                   rci_winograd_pairs_step(&plan.job, plan.code->word, plan.job.out_channels)));
    w->sums = (size_t) ((36 * plan.job.in_cover + 1) * plan.job.out_channels);
    *out = w;
    return RC_OK;
}

void rci_winograd_grad_free(struct rci_winograd_grad *w)
{
    rci_release(w);
}

size_t rci_winograd_grad_scratch(const struct rci_winograd_grad *w)
{
    return w->plan.threads * (w->tiles + w->sums) * sizeof(float);
}

static float *sums_of(const struct rci_winograd_grad *w, void *scratch, uint32_t thread)
{
    return (float *) scratch + w->plan.threads * w->tiles + thread * w->sums;
}

static void sum_block(const struct rci_winograd_plan *p, const struct rci_winograd_job *j,
                      int64_t block, float *u, float *sums, float *bias_sums)
{
    const struct rci_vector_runs out = rci_winograd_part(p, 0);
    float *v = u + 36 * rci_winograd_pairs_step(j, p->code->word, j->in_cover);
    for (int i = 0; i < p->in.count; i++) {
        const struct rci_winograd_piece c = rci_winograd_piece(p, block, &p->in.run[i]);
        p->in.run[i].code->transform_pairs(j, &c, u);
    }
    for (int i = 0; i < out.count; i++) {
        const struct rci_winograd_piece k = rci_winograd_piece(p, block, &out.run[i]);
        out.run[i].code->transform_gradient(j, &k, v);
        out.run[i].code->grad_products(j, &k, u, v, sums, bias_sums);
    }
}

static void sum_blocks(const struct rci_winograd_grad *w, const struct rci_winograd_job *j,
                       void *scratch)
{
    const struct rci_winograd_plan *p = &w->plan;
#pragma omp parallel num_threads(p->threads)
    {
        const uint32_t thread = (uint32_t) omp_get_thread_num();
        float *sums = sums_of(w, scratch, thread);
        float *bias = w->bias ? sums + 36 * j->in_cover * j->out_channels : NULL;
        memset(sums, 0, w->sums * sizeof(float));
#pragma omp for schedule(static)
        for (int64_t b = 0; b < p->blocks; b++)
            sum_block(p, j, b, (float *) scratch + thread * w->tiles, sums, bias);
    }
}

/* The first thread's sums become those of all. */
static void join_threads(const struct rci_winograd_grad *w, void *scratch, uint32_t threads)
{
    float *all = sums_of(w, scratch, 0);
    for (uint32_t t = 1; t < threads; t++) {
        const float *one = sums_of(w, scratch, t);
#pragma omp parallel for schedule(static) num_threads(w->plan.threads)
        for (size_t i = 0; i < w->sums; i++)
            all[i] += one[i];
    }
}

void rci_winograd_grad_run(const struct rci_winograd_grad *w,
                           const struct rci_winograd_grad_args *a)
{
    const struct rci_winograd_plan *p = &w->plan;
    const struct rci_vector_runs out = rci_winograd_part(p, 0);
    const int64_t in = p->in_channels, k = p->job.out_channels, step = p->job.in_cover * k;
    struct rci_winograd_job j = p->job;
    j.src = a->src;
    j.dst = (float *) (uintptr_t) a->d_dst;
    sum_blocks(w, &j, a->scratch);
    join_threads(w, a->scratch, p->threads);
    const float *sums = sums_of(w, a->scratch, 0);
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int64_t i = 0; i < in; i++)
        for (int x = 0; x < out.count; x++) {
            const struct rci_vector_run *r = &out.run[x];
            for (int64_t o = r->first; o < r->end; o += r->code->lanes)
                r->code->grad_weights(sums + i * k + o, step, o, p->out_channels, 9 * in,
                                      a->d_weights + i * 9);
        }
    if (w->bias)
        memcpy(a->d_bias, sums + 36 * step, (size_t) p->out_channels * sizeof(float));
}
