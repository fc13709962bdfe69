#ifndef RC_LIB_OP_WINDOW_H
#define RC_LIB_OP_WINDOW_H
/* The sliding window of convolutions and pools over [N, C, H, W]. */
#include "graph/graph.h"
#include "wire/attr.h"

enum rci_auto_pad {
    RC_AUTO_PAD_NONE = 0, /* the pads below */
    RC_AUTO_PAD_SAME_UPPER = 1,
    RC_AUTO_PAD_SAME_LOWER = 2,
    RC_AUTO_PAD_VALID = 3
};

/* [0] height, [1] width; pads: top, left, bottom, right. A kernel of 0 is not stated (Conv: as the
 * weights), a stride or dilation of 0 means 1. */
struct rci_window_attrs {
    int64_t kernel[2], stride[2], dilation[2], pads[4];
    int32_t auto_pad, unused;
};

struct rci_window {
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2], begin[2], end[2];
};

/* kernel_shape, strides, dilations, pads, auto_pad; RC_ERR_MODEL for what is out of range. */
rc_status rci_window_read(struct rci_window_attrs *a, const struct rci_attrs *r);
rc_status rci_window_write(const struct rci_window_attrs *a, struct rci_attr_write *w);

/* Padding and output size at an input of x [N, C, H, W]. `kernel` where the attributes state none.
 * A window larger than the padded input is RC_ERR_MODEL. */
rc_status rci_window_resolve(struct rci_window *w, const struct rci_node *n,
                             const struct rci_window_attrs *a, const struct rci_shape *x,
                             const int64_t kernel[2], bool ceil_mode);

/* Zeros around x become padding of the window; false: as large as the window, or the padding is of
 * another kind. `kernel` where the attributes state none. */
bool rci_window_absorb(struct rci_window_attrs *a, const struct rci_padding *p,
                       const int64_t kernel[2]);

/* Outputs [*from, *to) whose tap at offset k*dilation falls inside the input, along axis a. */
void rci_window_valid(const struct rci_window *w, int a, int64_t k, int64_t *from, int64_t *to);

/* rank 4, or a refusal that says what is supported */
rc_status rci_check_image(const struct rci_infer *i, const char *what);
#endif
