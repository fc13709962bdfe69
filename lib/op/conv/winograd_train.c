/* A 3x3 convolution of a training step, all three passes by Winograd. Weights change at every
 * step, so each pass packs its own from the plain ones. */
#include "kernel/winograd/winograd.h"
#include "op/conv/ways.h"

#include <string.h>

struct trained {
    void *forward, *data; /* states of rci_winograd_kernel */
    struct rci_winograd_grad *weights;
    bool bias;
    void *unwanted[2]; /* somewhere for a weights or bias gradient that nobody asked for */
};

static void trained_free(void *state)
{
    struct trained *t = state;
    rci_winograd_kernel.free(t->forward);
    rci_winograd_kernel.free(t->data);
    rci_winograd_grad_free(t->weights);
    rci_release(t->unwanted[0]);
    rci_release(t->unwanted[1]);
    rci_release(t);
}

/* Scratch of a pass: [packed weights][packed bias][the kernel's own]. */
static size_t trained_scratch(const void *w)
{
    const struct rci_conv_kernel *k = &rci_winograd_kernel;
    return k->weights_bytes(w) + k->bias_bytes(w) + k->scratch(w);
}

static void trained_run_pass(const void *w, void *const *in, const void *src, void *dst,
                             void *scratch, bool has_bias)
{
    const struct rci_conv_kernel *k = &rci_winograd_kernel;
    float *weights = scratch;
    float *bias = (float *) ((char *) scratch + k->weights_bytes(w));
    k->pack_weights(w, in[1], weights);
    if (has_bias)
        k->pack_bias(w, in[2], bias);
    const struct rci_conv_args a = {.src = src,
                                    .weights = weights,
                                    .bias = has_bias ? bias : NULL,
                                    .dst = dst,
                                    .scratch = (char *) bias + k->bias_bytes(w)};
    k->run(w, &a);
}

static rc_status trained_run(const struct rci_step_io *io)
{
    const struct trained *t = io->state;
    trained_run_pass(t->forward, io->in, io->in[0], io->out[0], io->scratch, t->bias);
    return RC_OK;
}

static rc_status trained_run_backward(const struct rci_step_io *io)
{
    const struct trained *t = io->state;
    if (t->data && io->d_in[0])
        trained_run_pass(t->data, io->in, io->d_out[0], io->d_in[0], io->scratch, false);
    if (!t->weights)
        return RC_OK;
    const struct rci_winograd_grad_args a = {.src = io->in[0],
                                             .d_dst = io->d_out[0],
                                             .d_weights =
                                                 t->unwanted[0] ? t->unwanted[0] : io->d_in[1],
                                             .d_bias = t->unwanted[1] ? t->unwanted[1]
                                                       : t->bias      ? io->d_in[2]
                                                                      : NULL,
                                             .scratch = io->scratch};
    rci_winograd_grad_run(t->weights, &a);
    return RC_OK;
}

static rc_status trained_new(struct trained *t, const struct rci_request *req, struct rci_prep *p,
                             const struct rci_conv_spec *s)
{
    struct rc_context *c = rci_engine_context(req->engine);
    /* dx = dy * rotated weights is a 3x3 convolution again, without a bias */
    struct rci_conv_spec data = *s;
    data.bias = false;
    t->bias = s->bias;
    RC_TRY(rci_winograd_kernel.create(&t->forward, c, s));
    p->scratch = trained_scratch(t->forward);
    if (req->needs_grad[0]) {
        RC_TRY(rci_winograd_create_data(&t->data, c, &data));
        p->backward_scratch = trained_scratch(t->data);
        p->backward_reads |= 1u << 1;
    }
    if (!req->needs_grad[1] && !(s->bias && req->needs_grad[2]))
        return RC_OK;
    RC_TRY(rci_winograd_grad_new(&t->weights, c, s));
    p->backward_reads |= 1u << 0;
    p->backward_scratch = rci_larger(p->backward_scratch, rci_winograd_grad_scratch(t->weights));
    const struct rci_conv_geometry *g = s->geometry;
    if (!req->needs_grad[1] && !(t->unwanted[0] = rci_alloc_array(c, (size_t) (g->out_channels * 9),
                                                                  (size_t) g->in_channels * 4)))
        return RC_ERR_MEMORY;
    if (s->bias && !req->needs_grad[2] &&
        !(t->unwanted[1] = rci_alloc_array(c, (size_t) g->out_channels, 4)))
        return RC_ERR_MEMORY;
    return RC_OK;
}

bool rci_conv_winograd_trains(const struct rci_request *req, const struct rci_conv_spec *s)
{
    return req->training && !(req->winograd && !strcmp(req->winograd, "off")) &&
           rci_winograd_grad_fits(s);
}

rc_status rci_conv_winograd_train(const struct rci_request *req, struct rci_prep *p,
                                  const struct rci_conv_spec *s)
{
    struct trained *t = RC_NEW(rci_engine_context(req->engine), struct trained);
    if (!t)
        return RC_ERR_MEMORY;
    const rc_status st = trained_new(t, req, p, s);
    if (st != RC_OK) {
        trained_free(t);
        return st;
    }
    p->state = t;
    p->free = trained_free;
    p->run = trained_run;
    p->run_backward = trained_run_backward;
    p->want[1] = NULL;
    p->impl = rci_winograd_kernel.text(t->forward);
    return RC_OK;
}
