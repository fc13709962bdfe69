/* Calibration tables: our JSON, and the choice between it and TensorRT's text.
 *   {"format": "rescomp.calibration", "version": 1, "observer": "mse", "images": 512,
 *    "tensors": {NAME: {"type": "u8", "amax": 4.03, "scale": 0.0158, "low": 0, "high": 4.47}}} */
#include "base/json.h"
#include "quant/quantizer.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void write_entry(struct rc_json_writer *w, const struct rc_quantizer *q, rc_id v)
{
    const struct rc_quant_value *e = &q->plan.value[v];
    rc_json_begin_object(w, q->g->values[v].name);
    rc_json_put_text(w, "type", e->type == RC_U8 ? "u8" : "s8");
    rc_json_put_number(w, "amax", e->amax);
    rc_json_put_number(w, "scale", (double) e->scale);
    if (e->low <= e->high) {
        rc_json_put_number(w, "low", e->low);
        rc_json_put_number(w, "high", e->high);
    }
    rc_json_end_object(w);
}

static rc_status json_write(const struct rc_quantizer *q, struct rc_buffer *b)
{
    struct rc_json_writer w = rc_json_writer_make(b, false);
    rc_json_begin_object(&w, NULL);
    rc_json_put_text(&w, "format", "rescomp.calibration");
    rc_json_put_integer(&w, "version", 1);
    rc_json_put_text(&w, "observer", q->seen ? q->observer_spec : "table");
    rc_json_put_integer(&w, "images", (int64_t) q->seen);
    rc_json_begin_object(&w, "tensors");
    for (uint32_t i = 0; i < q->n_entries; i++)
        write_entry(&w, q, q->entry[i]);
    rc_json_end_object(&w);
    rc_json_end_object(&w);
    return rc_json_finish(&w);
}

rc_status rc_quantizer_write_table(const struct rc_quantizer *q, const char *path, int32_t format)
{
    if (!q->ready)
        return rc_fail(RC_ERR_STATE, "the quantizer is not calibrated and has no table");
    struct rc_buffer b = {.ctx = q->ctx};
    rc_status st = format == RC_TABLE_TENSORRT ? rc_tensorrt_write(q, &b) : json_write(q, &b);
    if (st == RC_OK)
        st = rc_file_write(q->ctx, path, b.data, b.size);
    rc_buffer_free(&b);
    return st;
}

static uint32_t find_entry(const struct rc_quantizer *q, const char *name)
{
    const rc_id v = rc_graph_find_value(q->g, name);
    for (uint32_t i = 0; v != RC_NONE && i < q->n_entries; i++)
        if (q->entry[i] == v)
            return i;
    return RC_NONE;
}

struct ranges { /* what a table says, by entry */
    double *amax, *low, *high;
};

static rc_status read_entry(const struct rc_quantizer *q, const struct rc_json_value *v,
                            struct ranges *r)
{
    static const char *const keys[] = {"type", "amax", "scale", "low", "high", NULL};
    RC_TRY(rc_json_expect(v, RC_JSON_OBJECT, v->key));
    RC_TRY(rc_json_only_keys(v, keys, v->key));
    const uint32_t i = find_entry(q, v->key);
    if (i == RC_NONE)
        return rc_fail(RC_ERR_MODEL, "table: \"%s\" is not a value that this graph quantizes",
                       v->key);
    const char *type = NULL;
    double amax = -1, low = INFINITY, high = -INFINITY;
    RC_TRY(rc_json_read_text(v, "type", &type));
    RC_TRY(rc_json_read_number(v, "amax", 0, FLT_MAX, &amax));
    RC_TRY(rc_json_read_number(v, "low", -FLT_MAX, FLT_MAX, &low));
    RC_TRY(rc_json_read_number(v, "high", -FLT_MAX, FLT_MAX, &high));
    if (amax < 0 || !type || (strcmp(type, "u8") && strcmp(type, "s8")))
        return rc_fail(RC_ERR_FORMAT, "table: \"%s\" needs amax and type \"u8\" or \"s8\"", v->key);
    if (low > high) { /* no range: the sign is all that is needed of it */
        low = strcmp(type, "u8") ? -amax : 0;
        high = amax;
    }
    r->amax[i] = amax;
    r->low[i] = low;
    r->high[i] = high;
    return RC_OK;
}

static rc_status json_read(const struct rc_quantizer *q, const struct rc_bytes *file,
                           const char *path, struct ranges *r)
{
    struct rc_json *j;
    RC_TRY(rc_json_parse(&j, q->ctx, (const char *) file->data, file->size, path));
    const struct rc_json_value *root = rc_json_root(j), *tensors = rc_json_get(root, "tensors");
    const char *format = "";
    int64_t version = 0;
    rc_status st = rc_json_expect(root, RC_JSON_OBJECT, "the table");
    if (st == RC_OK)
        st = rc_json_read_text(root, "format", &format);
    if (st == RC_OK && strcmp(format, "rescomp.calibration"))
        st = rc_fail(RC_ERR_FORMAT, "\"format\" is \"%.64s\", not \"rescomp.calibration\"", format);
    if (st == RC_OK)
        st = rc_json_read_integer(root, "version", 1, 1, &version);
    if (st == RC_OK && !tensors)
        st = rc_fail(RC_ERR_FORMAT, "the table has no \"tensors\"");
    if (st == RC_OK)
        st = rc_json_expect(tensors, RC_JSON_OBJECT, "tensors");
    for (const struct rc_json_value *v = tensors ? tensors->first : NULL; v && st == RC_OK;
         v = v->next)
        st = read_entry(q, v, r);
    rc_json_free(&j);
    return st;
}

static rc_status table_take(struct rc_quantizer *q, const struct ranges *r)
{
    for (uint32_t i = 0; i < q->n_entries; i++)
        if (r->amax[i] < 0)
            return rc_fail(RC_ERR_MODEL, "table: value \"%s\" is missing",
                           q->g->values[q->entry[i]].name);
    for (uint32_t i = 0; i < q->n_entries; i++) {
        struct rc_quant_value *v = &q->plan.value[q->entry[i]];
        v->amax = r->amax[i];
        v->low = r->low[i];
        v->high = r->high[i];
    }
    rc_quantizer_forget_biases(q);
    rc_quantizer_settle(q);
    q->seen = 0;
    return RC_OK;
}

rc_status rc_quantizer_read_table(struct rc_quantizer *q, const char *path, int32_t format)
{
    struct rc_bytes file = {0};
    RC_TRY(rc_file_read(q->ctx, path, UINT64_C(64) << 20, &file));
    const size_t n = q->n_entries;
    double *memory = rc_alloc_array(q->ctx, 3 * n, sizeof(double));
    struct ranges r = {memory, memory + n, memory + 2 * n};
    rc_status st = memory ? RC_OK : RC_ERR_MEMORY;
    for (size_t i = 0; memory && i < n; i++) {
        r.amax[i] = -1;
        r.low[i] = INFINITY; /* not known */
        r.high[i] = -INFINITY;
    }
    if (st == RC_OK && format == RC_TABLE_TENSORRT) {
        st = rc_tensorrt_read(q, (const char *) file.data, file.size, r.amax);
        if (st != RC_OK)
            st = rc_fail_prefix(st, "%s", path);
    } else if (st == RC_OK) {
        st = json_read(q, &file, path, &r);
    }
    if (st == RC_OK)
        st = table_take(q, &r);
    rc_release(memory);
    rc_release(file.data);
    return st;
}
