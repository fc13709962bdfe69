/* ONNX Runtime's calibration as JSON: what its calibrators save, and what it writes for its
 * TensorRT provider:
 *   {NAME: [low, high], ...}
 *   {"CLS": "TensorsData", "calibration_method": ..., "data": {NAME: {"CLS": "TensorData",
 *    "lowest": RANGE, "highest": RANGE, ...}}}
 * a RANGE is a number or {"CLS": "numpy.array", "data": number or [number], "dtype": ...}. Written
 * is the first, with thresholds in place of what was seen: [-amax, amax], or [0, amax]. */
#include "quant/format.h"

#include <float.h>
#include <math.h>
#include <string.h>

static rc_status ort_write(const void *params, const struct rci_table *t, struct rci_buffer *b)
{
    (void) params;
    struct rci_json_writer w = rci_json_writer_make(b, false);
    rci_json_begin_object(&w, NULL);
    for (uint32_t i = 0; i < t->n_values; i++) {
        const struct rci_table_value *v = &t->value[i];
        rci_json_begin_array(&w, v->name);
        rci_json_put_number(&w, NULL, v->is_signed ? -v->amax : 0);
        rci_json_put_number(&w, NULL, v->amax);
        rci_json_end_array(&w);
    }
    rci_json_end_object(&w);
    return rci_json_finish(&w);
}

static rc_status read_bound(const struct rci_json_value *v, const char *entry, double *out)
{
    uint32_t n;
    if (v && v->type == RC_JSON_OBJECT)
        v = rci_json_get(v, "data");
    return rci_table_numbers(v, entry, out, 1, &n);
}

static rc_status ort_read_entry(struct rci_table *t, const struct rci_json_value *v)
{
    const uint32_t i = rci_table_find_value(t, v->key, strlen(v->key));
    double range[2];
    uint32_t n = 2;
    if (v->type == RC_JSON_OBJECT) {
        RC_TRY(read_bound(rci_json_get(v, "lowest"), v->key, &range[0]));
        RC_TRY(read_bound(rci_json_get(v, "highest"), v->key, &range[1]));
    } else {
        RC_TRY(rci_table_numbers(v, v->key, range, 2, &n));
    }
    if (n != 2 || !(range[0] <= range[1]) || !(fabs(range[0]) <= FLT_MAX) ||
        !(fabs(range[1]) <= FLT_MAX))
        return rci_fail(RC_ERR_FORMAT, "\"%s\" is not a range [low, high] of finite numbers",
                        v->key);
    if (i == RC_TABLE_NONE)
        return RC_OK; /* ONNX Runtime lists every activation */
    t->value[i].amax = fmax(fabs(range[0]), fabs(range[1]));
    t->value[i].low = range[0];
    t->value[i].high = range[1];
    return RC_OK;
}

static rc_status ort_read_root(struct rci_table *t, const struct rci_json_value *root)
{
    if (rci_json_get(root, "CLS")) {
        root = rci_json_get(root, "data");
        if (!root)
            return rci_fail(RC_ERR_FORMAT, "the table has no \"data\"");
        RC_TRY(rci_json_expect(root, RC_JSON_OBJECT, "data"));
    }
    for (const struct rci_json_value *v = root->first; v; v = v->next)
        RC_TRY(ort_read_entry(t, v));
    return RC_OK;
}

static rc_status ort_read(const void *params, struct rci_table *t, const char *text, size_t size)
{
    (void) params;
    struct rci_json *j = NULL;
    rc_status st = rci_table_parse(&j, t, text, size);
    if (st == RC_OK)
        st = ort_read_root(t, rci_json_root(j));
    rci_json_free(&j);
    return st;
}

const struct rci_table_format rci_table_format_ort = {
    .m = {.name = "ort",
          .summary = "ONNX Runtime's calibration.json: a range for every tensor",
          .source = "onnxruntime.quantization, write_calibration_table"},
    .write = ort_write,
    .read = ort_read,
};
