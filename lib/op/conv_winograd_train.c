/* A 3x3 convolution of a training step, all three passes by Winograd. Weights change at every
 * step, so each pass packs its own from the plain ones. */
#include "op/conv_own.h"

#include <omp.h>

struct trained {
    struct rc_winograd *forward, *data;
    struct rc_winograd_grad *weights;
    bool bias;
    void *unwanted[2]; /* somewhere for a weights or bias gradient that nobody asked for */
};

static void destroy(void *state)
{
    struct trained *t = state;
    rc_winograd_destroy(t->forward);
    rc_winograd_destroy(t->data);
    rc_winograd_grad_destroy(t->weights);
    rc_release(t->unwanted[0]);
    rc_release(t->unwanted[1]);
    rc_release(t);
}

/* Scratch of a pass: [packed weights][packed bias][the kernel's own]. */
static size_t pass_scratch(const struct rc_winograd *w)
{
    return rc_winograd_weights_bytes(w) + rc_winograd_bias_bytes(w) + rc_winograd_scratch(w);
}

static void run_pass(const struct rc_winograd *w, void *const *in, const void *src, void *dst,
                     void *scratch, bool has_bias)
{
    float *weights = scratch;
    float *bias = (float *) ((char *) scratch + rc_winograd_weights_bytes(w));
    rc_winograd_pack_weights(w, in[1], weights);
    if (has_bias)
        rc_winograd_pack_bias(w, in[2], bias);
    const struct rc_conv_args a = {.src = src,
                                   .weights = weights,
                                   .bias = has_bias ? bias : NULL,
                                   .dst = dst,
                                   .scratch = (char *) bias + rc_winograd_bias_bytes(w)};
    rc_winograd_run(w, &a);
}

static rc_status run(const struct rc_step_io *io)
{
    const struct trained *t = io->state;
    run_pass(t->forward, io->in, io->in[0], io->out[0], io->scratch, t->bias);
    return RC_OK;
}

static rc_status run_backward(const struct rc_step_io *io)
{
    const struct trained *t = io->state;
    if (t->data && io->d_in[0])
        run_pass(t->data, io->in, io->d_out[0], io->d_in[0], io->scratch, false);
    if (!t->weights)
        return RC_OK;
    const struct rc_winograd_grad_args a = {.src = io->in[0],
                                            .d_dst = io->d_out[0],
                                            .d_weights =
                                                t->unwanted[0] ? t->unwanted[0] : io->d_in[1],
                                            .d_bias = t->unwanted[1] ? t->unwanted[1]
                                                      : t->bias      ? io->d_in[2]
                                                                     : NULL,
                                            .scratch = io->scratch};
    rc_winograd_grad_run(t->weights, &a);
    return RC_OK;
}

static rc_status create(struct trained *t, struct rc_prep *p, const struct rc_conv_spec *s)
{
    struct rc_context *c = rc_engine_context(p->engine);
    struct rc_conv_spec data = *s;
    data.bias = false;
    t->bias = s->bias;
    RC_TRY(rc_winograd_create(&t->forward, c, s));
    p->scratch = pass_scratch(t->forward);
    if (p->needs_grad[0]) {
        RC_TRY(rc_winograd_create_data(&t->data, c, &data));
        p->backward_scratch = pass_scratch(t->data);
        p->backward_reads |= 1u << 1;
    }
    if (!p->needs_grad[1] && !(s->bias && p->needs_grad[2]))
        return RC_OK;
    RC_TRY(rc_winograd_grad_create(&t->weights, c, s));
    p->backward_reads |= 1u << 0;
    p->backward_scratch = rc_larger(p->backward_scratch, rc_winograd_grad_scratch(t->weights));
    const struct rc_conv_geometry *g = s->geometry;
    if (!p->needs_grad[1] && !(t->unwanted[0] = rc_alloc_array(c, (size_t) (g->out_channels * 9),
                                                               (size_t) g->in_channels * 4)))
        return RC_ERR_MEMORY;
    if (s->bias && !p->needs_grad[2] &&
        !(t->unwanted[1] = rc_alloc_array(c, (size_t) g->out_channels, 4)))
        return RC_ERR_MEMORY;
    return RC_OK;
}

static struct rc_conv_spec spec_of(const struct rc_prep *p, const struct rc_conv_geometry *g)
{
    return (struct rc_conv_spec){.geometry = g,
                                 .src = p->want[0],
                                 .dst = p->out_md[0],
                                 .bias = p->node->n_in > 2 && p->in[2].dtype,
                                 .threads = (uint32_t) omp_get_max_threads()};
}

bool rc_conv_winograd_trains(const struct rc_prep *p, const struct rc_conv_geometry *g)
{
    const struct rc_conv_spec s = spec_of(p, g);
    return p->training && !rc_conv_winograd_told("off") && rc_winograd_grad_fits(&s);
}

rc_status rc_conv_winograd_train(struct rc_prep *p, const struct rc_conv_geometry *g)
{
    const struct rc_conv_spec s = spec_of(p, g);
    struct trained *t = RC_NEW(rc_engine_context(p->engine), struct trained);
    if (!t)
        return RC_ERR_MEMORY;
    const rc_status st = create(t, p, &s);
    if (st != RC_OK) {
        destroy(t);
        return st;
    }
    p->state = t;
    p->destroy = destroy;
    p->run = run;
    p->run_backward = run_backward;
    p->want[1] = NULL;
    p->impl = rc_winograd_name(t->forward);
    return RC_OK;
}
