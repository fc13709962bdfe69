/* Integer copies of graphs, for their times: ranges are those of noise. */
#include "base/rng.h"
#include "data/source.h"
#include "quant/quantizer.h"
#include "search/device.h"

enum { CALIBRATION = 16 }; /* images */

struct noise {
    size_t count;
    uint64_t seed;
};

static int32_t noise_image(void *user, uint64_t index, void *image, int32_t *label)
{
    const struct noise *n = user;
    struct rci_rng r = rci_rng_make(n->seed, index, 0x70726f66);
    *label = 0;
    for (size_t i = 0; image && i < n->count; i++)
        ((float *) image)[i] = (float) rci_rng_normal(&r);
    return 0;
}

/* Values do not matter for times, but there must be some. */
rc_status rci_device_quantize(struct rc_graph **out, const struct rc_graph *g, uint64_t seed)
{
    const struct rci_shape *s = &g->values[g->inputs[0]].tensor.shape;
    if (g->n_inputs != 1 || s->rank != 4)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "int8 can be timed for graphs with one input of images, this one has %u",
                        g->n_inputs);
    struct noise noise = {(size_t) (s->dim[1] * s->dim[2] * s->dim[3]), seed};
    const rc_dataset_source source = {.size = sizeof(source),
                                      .get = noise_image,
                                      .user = &noise,
                                      .images = CALIBRATION,
                                      .classes = 2,
                                      .channels = (uint64_t) s->dim[1],
                                      .height = (uint64_t) s->dim[2],
                                      .width = (uint64_t) s->dim[3],
                                      .type = RC_DATASET_F32};
    const rc_dataset_options options = {.size = sizeof(options)};
    const rc_quantize_options o = {.size = sizeof(o),
                                   .observer = "minmax",
                                   .images = CALIBRATION,
                                   .weight_bits = 8,
                                   .activation_bits = 8,
                                   .flags = RC_QUANTIZE_NO_BIAS_CORRECTION,
                                   .tensorrt = "8.6.1",
                                   .target = "cpu",
                                   .rounding = "nearest"};
    struct rc_dataset *data = NULL;
    struct rc_quantizer *q = NULL;
    rc_status st = rci_dataset_new_callback(&data, g->ctx, &source, &options);
    if (st == RC_OK)
        st = rci_quantizer_new(&q, g, &o);
    if (st == RC_OK)
        st = rci_quantizer_calibrate(q, data);
    if (st == RC_OK)
        st = rci_quantizer_apply(out, q);
    rci_quantizer_free(q);
    rci_dataset_free(data);
    return st;
}
