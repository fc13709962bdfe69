#ifndef NOISE_H
#define NOISE_H
/* Images of normal noise, float, three classes in turn. */
#include "test.h"
#include <rescomp/dataset.h>

void noise_image(uint64_t index, float *pixels, uint64_t count);
rc_dataset *noise_images(struct rc_context *c, uint64_t images, uint64_t channels, uint64_t side);
#endif
