/* Images for the examples: what the user names, else Fashion-MNIST where Debian's package
 * dataset-fashion-mnist is installed, else stripes made on the spot. */
#ifndef EXAMPLES_IMAGES_H
#define EXAMPLES_IMAGES_H

#include <rescomp/dataset.h>

/* spec: "KIND:PATH" or NULL; split: "train", "test" or "calib". */
rc_status open_images(rc_dataset **out, rc_context *context, const char *spec, const char *split);

#endif
