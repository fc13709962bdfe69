#ifndef RC_LIB_QUANT_OBSERVER_H
#define RC_LIB_QUANT_OBSERVER_H
/* Observers turn what was seen of a value during calibration into the clipping threshold amax of
 * its symmetric quantization. They see plain ranges and histograms, never the graph. */
#include "base/method.h"

enum { RC_HISTOGRAM_BINS = 2048 };

/* Counts of |x| in equal bins [k*width, (k+1)*width). The first non-zero batch fixes the width at
 * its max/2048; a larger value later appends bins of the same width. */
struct rci_histogram {
    struct rc_context *ctx;
    double width; /* 0: only zeros so far, counted in `zeros` */
    uint32_t n, capacity;
    uint64_t *count; /* [n] */
    uint64_t zeros;  /* exact zeros seen before the width was known */
};

/* Everything kept of one value. */
struct rci_observation {
    double low, high;         /* over all batches */
    double ema_low, ema_high; /* moving averages, for observers with an update() */
    uint64_t batches;
    struct rci_histogram h;
};

struct rci_observer {
    struct rci_method m;
    bool histogram;       /* needs observation.h */
    const char *tensorrt; /* the calibrator that its cache names; NULL: MinMaxCalibration */
    /* Range of one batch; NULL: only the running minimum and maximum are kept. */
    void (*update)(const void *params, struct rci_observation *o, double low, double high);
    /* `top`: largest integer, 127 for s8 and 255 for u8. */
    rc_status (*clip)(const void *params, const struct rci_observation *o, uint32_t top,
                      double *amax);
};

extern const struct rci_method_kind rci_kind_observer;

void rci_observation_init(struct rci_observation *o, struct rc_context *c);
void rci_observation_free(struct rci_observation *o);
/* One batch of a value. RC_ERR_DATA when an element is NaN or infinite. */
rc_status rci_observation_add(struct rci_observation *o, const struct rci_observer *ob,
                              const void *params, const float *x, size_t n);
/* Threshold; 0 when only zeros were seen, never NaN. */
rc_status rci_observation_clip(const struct rci_observation *o, const struct rci_observer *ob,
                               const void *params, uint32_t top, double *amax);

/* Count one batch whose largest |x| is `max`. */
rc_status rci_histogram_add(struct rci_histogram *h, const float *x, size_t n, double max);
#endif
