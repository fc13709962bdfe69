#ifndef RC_TESTS_SUPPORT_CONVSCENE_H
#define RC_TESTS_SUPPORT_CONVSCENE_H
/* One convolution with random operands, for tests of kernels, and its result as sums in double. */
#include "kernel/kernel.h"
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
/* Runs the state of a kernel: packs constants (`bias` NULL: none), adds to what `dst` holds where
 * the state does. Exactly as much memory as the kernel asks for: a sanitizer sees what lies behind
 * it. */
struct scene_run {
    const struct rci_conv_kernel *kernel;
    const void *state;
    const void *weights;
    const float *bias; /* both plain */
    const void *src;
    void *dst;
};
void scene_run(const struct scene_run *r);
/* The same for a new state of the scene's spec. */
void scene_run_kernel(const struct scene *s, const struct rci_conv_kernel *k, const void *src,
                      void *dst);
/* Activations in blocks of a vector of channels from now on. */
void scene_in_blocks(struct scene *s);
/* The output of a new state, channels last, run in the layouts of the spec; to be freed. */
float *scene_output(const struct scene *s, const struct rci_conv_kernel *k);
/* Floats per vector of the kernels here; skips the test where there are none. */
int scene_lanes(void);
#endif
