#ifndef RUN_IMAGES_H
#define RUN_IMAGES_H
#include "tool.h"
/* The model's first answers for each --image; an exit code. */
int run_images(const struct args *a, rc_context *context);
#endif
