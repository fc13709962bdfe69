/* Products of a few thousand multiplications, as networks end with: less than what oneDNN takes to
 * begin one. Weights are [n / UNIT][k][UNIT]. */
#include "kernel/onednn/onednn.h"
#include "op/linear/product.h"

#include <string.h>

enum { UNIT = 8 };

struct small {
    struct rci_product q;
};

/* Weights and bias must be known, as they are packed once; FEW is in multiplications. */
bool rci_product_is_small(const struct rci_request *req, const struct rci_product *q)
{
    enum { FEW = 1 << 14 };
    return !req->training && !req->bf16 && q->transposed && !req->node->n_post && req->in[1].data &&
           (!q->bias || req->in[2].data) && q->m * q->n * q->k <= FEW;
}

static int64_t small_groups(const struct rci_product *q)
{
    return (q->n + UNIT - 1) / UNIT;
}

/* Rows beyond n are zeros, so the inner loop has no tail. */
static void small_pack(const void *state, const void *plain, void *packed)
{
    const struct rci_product *q = &((const struct small *) state)->q;
    const float *w = plain;
    float *to = packed;
    for (int64_t o = 0; o < small_groups(q) * UNIT; o++)
        for (int64_t i = 0; i < q->k; i++)
            to[(o / UNIT * q->k + i) * UNIT + o % UNIT] = o < q->n ? w[o * q->k + i] : 0;
}

/* A unit of work: one row of a, UNIT columns of y. */
static rc_status small_share(const struct rci_step_io *io)
{
    const struct rci_product *q = &((const struct small *) io->state)->q;
    const float *bias = q->bias ? io->in[2] : NULL;
#pragma omp for schedule(static) nowait
    for (int64_t r = 0; r < q->m * small_groups(q); r++) {
        const int64_t row = r / small_groups(q), first = r % small_groups(q) * UNIT;
        const int64_t n = q->n - first < UNIT ? q->n - first : UNIT;
        const float *a = (const float *) io->in[0] + row * q->k;
        const float *w = (const float *) io->in[1] + first * q->k;
        float sum[UNIT] = {0};
        for (int64_t i = 0; i < q->k; i++, w += UNIT)
            for (int o = 0; o < UNIT; o++)
                sum[o] += a[i] * w[o];
        for (int64_t o = 0; o < n; o++)
            sum[o] += bias ? bias[first + o] : 0;
        memcpy((float *) io->out[0] + row * q->n + first, sum, (size_t) n * sizeof(float));
    }
    return RC_OK;
}

rc_status rci_product_small(const struct rci_request *req, struct rci_prep *p,
                            const struct rci_product *q)
{
    struct small *s = RC_NEW(rci_engine_context(req->engine), struct small);
    if (!s)
        return RC_ERR_MEMORY;
    s->q = *q;
    p->packing[1] =
        (struct rci_packing){(size_t) (small_groups(q) * UNIT * q->k) * sizeof(float), small_pack};
    p->state = s;
    p->free = rci_release;
    p->values_at_run = true;
    p->run = small_share;
    p->team = true;
    p->impl = "small";
    return RC_OK;
}
