/* out = m in + (1 - m) sum_k w_k chain_k(in), w ~ Dirichlet(a, ...), m ~ Beta(a, a), each chain one
 * to three random operations of small magnitude. */
#include "data/augment/operation.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { WIDTH_MAX = 8, DEPTH_MAX = 3, BINS = 10 };

struct params {
    int64_t severity, width, depth, bilinear;
    double alpha;
};

/* Shear .. equalize: all but identity and invert. */
static enum rci_operation draw_operation(struct rci_rng *rng)
{
    return (enum rci_operation)(1 + rci_rng_below(rng, RC_OPERATION_INVERT - 1));
}

/* The image through one chain; work->data has the result. */
static void run_chain(const struct params *p, const uint8_t *from, struct rci_augment_image *work,
                      struct rci_rng *rng)
{
    struct rci_operation_range range = rci_operation_usual_range(work);
    const int64_t depth = p->depth ? p->depth : 1 + rci_rng_below(rng, DEPTH_MAX);
    range.translate_x = work->width / 3.0;
    range.translate_y = work->height / 3.0;
    range.bits = range.fewer = 4;
    memcpy(work->data, from, rci_augment_plane(work) * work->channels);
    for (int64_t i = 0; i < depth; i++) {
        const enum rci_operation op = draw_operation(rng);
        const uint32_t bin[2] = {rci_rng_below(rng, (uint32_t) p->severity), BINS};
        rci_operation_random(work, &range, op, bin, p->bilinear, rng);
    }
}

static void aug_mix_apply(const void *params, struct rci_augment_image *image, struct rci_rng *rng)
{
    const struct params *p = params;
    const size_t n = rci_augment_plane(image) * image->channels;
    float *sum = (float *) (void *) image->room; /* the room of four images */
    struct rci_augment_image work = *image;
    double w[WIDTH_MAX], all = 0;
    work.data = image->room + n * sizeof(float);
    const double changed = rci_rng_beta(rng, p->alpha);
    for (int64_t k = 0; k < p->width; k++)
        all += w[k] = rci_rng_gamma(rng, p->alpha) + 1e-300;
    for (size_t i = 0; i < n; i++)
        sum[i] = (float) (1 - changed) * image->data[i];
    for (int64_t k = 0; k < p->width; k++) {
        const float share = (float) (changed * w[k] / all);
        run_chain(p, image->data, &work, rng);
        for (size_t i = 0; i < n; i++)
            sum[i] += share * work.data[i];
    }
    for (size_t i = 0; i < n; i++)
        image->data[i] = sum[i] < 255 ? (uint8_t) lroundf(sum[i]) : 255;
}

static const struct rci_param table[] = {
    {"severity", "operations have one of so many magnitudes of 10, from none", RC_PARAM_INT,
     offsetof(struct params, severity), 3, 1, BINS},
    {"width", "chains that are mixed", RC_PARAM_INT, offsetof(struct params, width), 3, 1,
     WIDTH_MAX},
    {"depth", "operations per chain; 0: one to three", RC_PARAM_INT, offsetof(struct params, depth),
     0, 0, 10},
    {"alpha", "of the distributions of weights", RC_PARAM_REAL, offsetof(struct params, alpha), 1,
     0.01, 100},
    {"bilinear", "interpolate when shearing and rotating; else the nearest pixel", RC_PARAM_BOOL,
     offsetof(struct params, bilinear), 1, 0, 1},
};

const struct rci_augmentation rci_augment_aug_mix = {
    .m = {.name = "aug-mix",
          .summary = "the image mixed with chains of operations on it",
          .source = "Hendrycks et al., AugMix, ICLR 2020",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 5},
    .apply = aug_mix_apply,
    .flags = RC_AUGMENT_U8,
    .room = 5,
};
