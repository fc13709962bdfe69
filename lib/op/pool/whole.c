/* The mean of whole planes, as networks end with: a few microseconds that oneDNN would begin a
 * parallel region of its own for. */
#include "kernel/onednn/conv.h"
#include "op/pool/fast.h"

enum { UNIT = 8 }; /* channels that lie together in every layout */

struct whole {
    struct rci_conv_layout x;
    int64_t batch, channels, high, wide;
};

static bool layout_fits(const struct rci_md *md, struct rci_conv_layout *l)
{
    return md && md->dtype == RC_F32 && rci_conv_layout_of(md, l) && rci_conv_layout_in(l, UNIT);
}

/* A dilation is 1 or idle, and no padding: then the mean is over all pixels, whatever
 * count_include_pad says. Training is left to oneDNN, which has the gradient. */
bool rci_pool_whole_fits(const struct rci_request *req, const struct rci_window *w)
{
    struct rci_conv_layout l;
    bool fits = !req->training && layout_fits(req->have[0], &l);
    for (int i = 0; i < 2; i++)
        fits = fits && w->out[i] == 1 && w->kernel[i] == w->in[i] && w->begin[i] == 0 &&
               (w->dilation[i] == 1 || w->in[i] == 1);
    return fits;
}

/* The mean of n <= UNIT channels of one image. n is a constant for whole groups, so that the inner
 * loops become vectors. Even and odd pixels have sums of their own: an addition takes several
 * cycles, and would otherwise wait for the one before it. */
static inline __attribute__((always_inline)) void mean(const struct whole *s, const float *x,
                                                       float *y, const int64_t n)
{
    float even[UNIT] = {0}, odd[UNIT] = {0};
    for (int64_t v = 0; v < s->high; v++, x += s->x.row) {
        const float *pixel = x;
        int64_t u = 0;
        for (; u + 2 <= s->wide; u += 2, pixel += 2 * s->x.pixel)
            for (int64_t i = 0; i < n; i++) {
                even[i] += pixel[i];
                odd[i] += pixel[s->x.pixel + i];
            }
        for (int64_t i = 0; u < s->wide && i < n; i++)
            even[i] += pixel[i];
    }
    const float scale = 1.0f / (float) (s->high * s->wide);
    for (int64_t i = 0; i < n; i++)
        y[i] = (even[i] + odd[i]) * scale;
}

/* Channels beyond the last whole group (left < UNIT) are summed with a variable length. */
static rc_status whole_share(const struct rci_step_io *io)
{
    const struct whole *s = io->state;
    /* a unit of work: one image, UNIT channels */
    const int64_t groups = (s->channels + UNIT - 1) / UNIT;
#pragma omp for schedule(static) nowait
    for (int64_t r = 0; r < s->batch * groups; r++) {
        const int64_t image = r / groups, c = r % groups * UNIT, left = s->channels - c;
        const float *x =
            (const float *) io->in[0] + image * s->x.image + rci_conv_channel(&s->x, c);
        float *y = (float *) io->out[0] + image * s->channels + c;
        if (left < UNIT)
            mean(s, x, y, left);
        else
            mean(s, x, y, UNIT);
    }
    return RC_OK;
}

rc_status rci_pool_whole(const struct rci_request *req, struct rci_prep *p)
{
    struct whole *s = RC_NEW(rci_engine_context(req->engine), struct whole);
    if (!s)
        return RC_ERR_MEMORY;
    const struct rci_shape *x = &req->in[0].shape;
    layout_fits(req->have[0], &s->x);
    s->batch = x->dim[0];
    s->channels = x->dim[1];
    s->high = x->dim[2];
    s->wide = x->dim[3];
    p->want[0] = req->have[0];
    p->state = s;
    p->free = rci_release;
    p->run = whole_share;
    p->team = true;
    p->impl = "mean";
    return RC_OK;
}
