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
rc_quantizer *quant_new(const struct rc_graph *g, const char *observer, uint64_t flags);
/* Conv(input "a: b (1)") -> Relu -> Conv, 1x1 kernels, weights and biases as given. */
struct rc_graph *quant_two_convs(struct rc_context *c, const float w[2], const float b[2]);
#endif
