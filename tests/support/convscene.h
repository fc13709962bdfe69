#ifndef RC_TESTS_SUPPORT_CONVSCENE_H
#define RC_TESTS_SUPPORT_CONVSCENE_H
/* One convolution with random operands, for tests of kernels, and its result as sums in double. */
#include "kernel/onednn/conv.h"
#include "test.h"

struct scene {
    struct rci_engine *engine;
    struct rc_context *ctx;
    struct rci_conv_geometry g;
    struct rci_conv_spec spec;            /* channels last, 2 threads, nothing fused */
    float *x, *weights, *bias, *residual; /* activations channels last, weights plain */
};

/* Elements of the source, or of the output. */
int64_t scene_size(const struct rci_conv_geometry *g, bool out);
float *scene_random(int64_t n, uint64_t seed);
/* 2 images of h x w; pads of `before` and `after` on both axes. */
struct rci_conv_geometry scene_geometry(int64_t c, int64_t k, int64_t h, int64_t w, int64_t kernel,
                                        int64_t stride, int64_t before, int64_t after);
void scene_open(struct scene *s, const struct rci_conv_geometry *g);
void scene_close(struct scene *s);
/* Element i of the output, channels last. */
double scene_want(const struct scene *s, int64_t i);
/* `got`, channels last, is within 3e-6 of the largest output. */
void scene_compare(const struct scene *s, const float *got);
/* Floats per vector of the kernels here; skips the test where there are none. */
int scene_lanes(void);
#endif
