#include "tiny.h"
#include "base/rng.h"
#include "test.h"

static int32_t tiny_image(void *user, uint64_t index, void *image, int32_t *label)
{
    (void) user;
    struct rci_rng noise = rci_rng_make(7, 1, index);
    *label = (int32_t) rci_rng_below(&noise, TINY_CLASSES);
    struct rci_rng pattern = rci_rng_make(7, 2, (uint64_t) *label);
    float *x = image;
    for (int i = 0; x && i < TINY_CHANNELS * TINY_SIDE * TINY_SIDE; i++)
        x[i] = (float) (rci_rng_normal(&pattern) + 1.5 * rci_rng_normal(&noise));
    return 0;
}

rc_dataset *tiny_dataset(struct rc_context *c, uint64_t images)
{
    const rc_dataset_source source = {.size = sizeof(source),
                                      .get = tiny_image,
                                      .images = images,
                                      .classes = TINY_CLASSES,
                                      .channels = TINY_CHANNELS,
                                      .height = TINY_SIDE,
                                      .width = TINY_SIDE,
                                      .type = RC_DATASET_F32};
    rc_dataset_options options = RC_DATASET_OPTIONS_INIT;
    options.std[0] = 1;
    rc_dataset *d;
    OK(rc_dataset_new_callback(&d, c, &source, &options));
    return d;
}

rc_graph *tiny_network(struct rc_context *c, uint64_t classes, uint64_t seed)
{
    rc_network_options options = RC_NETWORK_OPTIONS_INIT;
    options.classes = classes ? classes : TINY_CLASSES;
    options.channels = TINY_CHANNELS;
    options.height = options.width = TINY_SIDE;
    options.multiplier = 0.5;
    options.seed = seed;
    rc_graph *g;
    OK(rc_graph_new_network(&g, c, "resnet8", &options));
    return g;
}
