#ifndef RC_LIB_SEARCH_DEVICE_H
#define RC_LIB_SEARCH_DEVICE_H
/* What layers cost on a device: measured times by shape and precision, between which is
 * interpolated over channels. Made here (profile.c) or read from a file (device_file.c). */
#include "search/layer.h"
#include <rescomp/device.h>

struct rci_device_point {
    int64_t in, out;   /* channels */
    double ms, joules; /* of a run of the table's batch; joules 0: ms * watts */
};
struct rci_device_layer {
    struct rci_layer_key key;
    struct rci_device_point *point;
    uint32_t n, cap;
};
struct rc_device {
    uint64_t magic;
    struct rc_context *ctx;
    char *name, *energy; /* energy: where watts or joules are from */
    uint64_t batch, threads;
    double watts, overhead_ms; /* overhead: of a run, beside its layers */
    struct rci_device_layer *layer;
    uint32_t n, cap;
};

/* One layer's answer. */
struct rci_device_time {
    double ms, joules;
    bool exact; /* these very channels were measured */
};

rc_status rci_device_new(struct rc_device **out, struct rc_context *c, const char *name,
                         const char *energy);
void rci_device_free(struct rc_device *d);
bool rci_device_valid(const struct rc_device *d);
/* layer and point: where it went; each may be NULL. */
rc_status rci_device_add(struct rc_device *d, const struct rci_layer_key *key,
                         const struct rci_device_point *p, uint32_t *layer, uint32_t *point);
/* RC_ERR_DATA names work that the table does not have. */
rc_status rci_device_time_of(const struct rc_device *d, const struct rci_layer_key *key, int64_t in,
                             int64_t out, const char *node, struct rci_device_time *t);
rc_status rci_device_predict(const struct rc_device *d, const struct rc_graph *g,
                             rc_device_prediction *p);

/* device_file.c */
rc_status rci_device_load(struct rc_device **out, struct rc_context *c, const char *path);
rc_status rci_device_save(const struct rc_device *d, const char *path);

/* profile.c; `o` with defaults filled in */
rc_status rci_device_profile(struct rc_device **out, struct rc_context *c,
                             const struct rc_graph *const *graphs, uint32_t n,
                             const rc_device_options *o);
/* profile_int8.c: quantized as by default, calibrated on noise */
rc_status rci_device_quantize(struct rc_graph **out, const struct rc_graph *g, uint64_t seed);
#endif
