#ifndef DATA_H
#define DATA_H
#include "tool.h"
/* The data options, shared by all verbs that read images. */
#define DATA_OPTIONS                                                                              \
    { "data", "KIND:PATH", "cifar10:DIR cifar100:DIR idx:DIR folder:DIR image:PATH npz:FILE" },   \
    PREPROCESS_OPTIONS
#define PREPROCESS_OPTIONS                                                                        \
    { "mean", "A,B,C", "per channel, of pixel/255; default: the model's metadata" },              \
    { "std", "A,B,C", "per channel" },                                                            \
    { "resize", "N", "shorter side" },                                                            \
    { "crop", "N", "centre crop" },                                                               \
    { "channels", "ORDER", "rgb or bgr", "rgb bgr" }
/* Only of verbs that look at one set of images; the others use every split for its purpose. */
#define SPLIT_OPTION                                                                \
    {                                                                               \
        "split", "NAME", "train, test or calib (held out of train); default: test", \
            "train test calib"                                                      \
    }

/* Open `split`; with DATA_SPLIT_OPTION an explicit --split wins. DATA_HOLDOUT: train without the
 * images of calib. Returns an exit code; *out is NULL without --data unless DATA_REQUIRED. */
enum { DATA_OPTIONAL = 0, DATA_REQUIRED = 1, DATA_HOLDOUT = 2, DATA_SPLIT_OPTION = 4 };
int data_open(rc_dataset **out, rc_context *context, const struct args *a, const rc_graph *graph,
              const char *split, unsigned how);
/* `spec` as the preprocessing options and the model's metadata say; where these do not lead to
 * side x side pixels, cropped to them from 8/7 of the side, as ImageNet's 256 to 224. */
int data_open_spec(rc_dataset **out, rc_context *context, const struct args *a,
                   const rc_graph *graph, const char *spec, uint64_t side);
/* Images [C, H, W] as rc_dataset_read() gives them become [H, W, C] where the session's input has
 * its channels last. */
rc_status data_fit(const rc_session *session, const rc_dataset *dataset, float *x, uint64_t images);
/* Remember preprocessing and class names (a line each) in the model's metadata. */
#define LABELS_KEY "rescomp.labels"
rc_status data_describe(rc_graph *graph, const rc_dataset *dataset);
#endif
