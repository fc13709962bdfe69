#ifndef QUANTNETS_H
#define QUANTNETS_H
/* Random calibration images, small quantizers and a hand-made network. */
#include "test.h"

#include <rescomp/rescomp.h>

#include "graph/graph.h"

enum { C = 3, H = 13, W = 11, PIXELS = C * H * W, IMAGES = 48 };

struct source {
    int64_t pixels;
    bool poison, positive; /* image 7 has a NaN; no negative values */
};
/* IMAGES images of C x h x w; `s` must live as long. */
rc_dataset *quant_dataset(struct rc_context *c, struct source *s, uint64_t h, uint64_t w);
/* Calibrated on such images and applied. */
struct rc_graph *quant_calibrated(struct rc_context *c, const struct rc_graph *g,
                                  const char *observer, uint64_t flags);
bool quant_made_by(const struct rc_graph *g, rci_id v, const char *op);
void quant_run(const struct rc_graph *g, int64_t n, const float *x, float *y, uint64_t flags);
/* Integers against their simulation on floats, and both against the network itself. */
void quant_check_values(const struct rc_graph *g, const struct rc_graph *q, int64_t pixels,
                        double tolerance);
uint32_t quant_count_steps(const struct rc_graph *g, const char *op);
rc_quantizer *quant_new(const struct rc_graph *g, const char *observer, uint64_t flags);
/* Conv(input "a: b (1)") -> Relu -> Conv, 1x1 kernels, weights and biases as given. */
struct rc_graph *quant_two_convs(struct rc_context *c, const float w[2], const float b[2]);
/* x -> stem (3x3) -> act (Relu) -> proj (1x1) -> sum (with act) -> act2 (Relu) -> head (1x1). */
struct rc_graph *quant_two_adds(struct rc_context *c);
#endif
