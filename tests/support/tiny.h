#ifndef TINY_H
#define TINY_H
/* A small classification task that needs no files: images are noise around one pattern per class,
 * and every pixel is a pure function of the index. */
#include "base/context.h"

#include <rescomp/dataset.h>
#include <rescomp/graph.h>

enum { TINY_SIDE = 8, TINY_CHANNELS = 3, TINY_CLASSES = 4 };

/* `images` images; fails the test on error. */
rc_dataset *tiny_dataset(struct rc_context *c, uint64_t images);
/* resnet8 of quarter width for it, `classes` 0: TINY_CLASSES. */
rc_graph *tiny_network(struct rc_context *c, uint64_t classes, uint64_t seed);
#endif
