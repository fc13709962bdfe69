#ifndef RC_LIB_QUANT_FORMAT_H
#define RC_LIB_QUANT_FORMAT_H
/* Formats of calibration tables. A format sees names, thresholds and scales as plain arrays and
 * text: never the graph, never files. quant/table.c fills the arrays before a format writes, and
 * takes over what a format has read. */
#include "base/file.h"
#include "base/json.h"
#include "base/method.h"

#define RC_TABLE_NONE UINT32_MAX

/* A quantized activation. */
struct rci_table_value {
    const char *name;
    double low, high; /* seen; low > high: not known */
    double amax;      /* threshold; reading: below 0 until a format sets it */
    float scale;      /* of one integer step, writing only */
    uint32_t bits;    /* of its integers */
    bool is_signed;   /* s8, else u8; writing only */
    bool is_input;    /* of the graph */
};

/* A Conv, Gemm or MatMul with constant weights. */
struct rci_table_layer {
    const char *name, *weight, *x, *y; /* of the node, its weights, its input and its result */
    /* The activations that give x its scale, and what the layer gives behind its Relu;
     * RC_TABLE_NONE: f32. */
    uint32_t value, result;
    uint32_t bits;          /* of its weights */
    bool window, depthwise; /* a convolution; one of single channels */
    int64_t out, in;        /* channels; `in` of one group */
    int64_t kernel[2], stride[2], dilation[2];
    const float *amax; /* [out] largest |w| of each output channel */
    float *scale;      /* [n_scale]; reading: n_scale is 0 until a format sets them */
    int64_t n_scale;   /* out or 1 */
};

struct rci_table {
    struct rc_context *ctx;
    const char *observer, *calibrator; /* of the thresholds; as TensorRT names it */
    uint64_t images;
    uint32_t tensorrt; /* version that caches are written for */
    struct rci_table_value *value;
    struct rci_table_layer *layer;
    uint32_t n_values, n_layers;
};

struct rci_table_format {
    struct rci_method m;
    bool partial; /* values that a table does not name stay f32; else they are missing */
    bool scales;  /* writes scales of weights: the table needs them */
    rc_status (*write)(const void *params, const struct rci_table *t, struct rci_buffer *b);
    rc_status (*read)(const void *params, struct rci_table *t, const char *text, size_t size);
};

extern const struct rci_method_kind rci_kind_table_format;

/* --- for readers --- */
/* Index of the value, layer or weight of that name; RC_TABLE_NONE: there is none. */
uint32_t rci_table_find_value(const struct rci_table *t, const char *name, size_t n);
uint32_t rci_table_find_layer(const struct rci_table *t, const char *name, size_t n);
uint32_t rci_table_find_weight(const struct rci_table *t, const char *name, size_t n);
/* RC_ERR_FORMAT naming `entry` unless `amax` is positive and finite. Keeps the larger of two. */
rc_status rci_table_set(struct rci_table *t, uint32_t value, const char *entry, double amax);
/* Scales of a layer's weights, one or one per output channel. RC_ERR_MODEL for another number,
 * RC_ERR_FORMAT for one that is not positive and finite, both naming the layer. */
rc_status rci_table_set_scales(struct rci_table_layer *l, const double *scale, uint32_t n);
/* RC_ERR_FORMAT naming `entry` unless there are `want` bits. */
rc_status rci_table_check_bits(const char *entry, double bits, uint64_t want);
/* The next line without its end, from *at on; false at the end of the text. */
bool rci_table_line(const char *text, size_t size, size_t *at, const char **line, size_t *n);

/* --- for formats in JSON --- */
/* Numbers of an array (or a number alone) into out[most]; RC_ERR_FORMAT naming `entry` when there
 * are none, more, or others than numbers. */
rc_status rci_table_numbers(const struct rci_json_value *v, const char *entry, double *out,
                            uint32_t most, uint32_t *n);
/* rci_json_parse(), and the root is an object. Release *j also after a failure. */
rc_status rci_table_parse(struct rci_json **j, const struct rci_table *t, const char *text,
                          size_t size);

/* --- fixed point --- */
/* 0 for thresholds whose step would not be a normal float: only zeros were seen. */
double rci_table_amax(double amax);
/* Least integer e with 127 * 2^e >= amax; 0 for 0. */
int rci_table_exponent(double amax);
/* The largest of n numbers. */
float rci_table_largest(const float *x, int64_t n);
#endif
