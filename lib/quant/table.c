/* Calibration tables: our JSON, and the choice between it and TensorRT's text.
 *   {"format": "rescomp.calibration", "version": 1, "observer": "mse", "images": 512,
 *    "tensors": {NAME: {"type": "u8", "amax": 4.03, "scale": 0.0158, "low": 0, "high": 4.47}}} */
#include "base/json.h"
#include "quant/moments.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void write_entry(struct rci_json_writer *w, const struct rc_quantizer *q, rci_id v)
{
    const struct rci_quant_value *e = &q->plan.value[v];
    rci_json_begin_object(w, q->g->values[v].name);
    rci_json_put_text(w, "type", e->type == RC_U8 ? "u8" : "s8");
    rci_json_put_number(w, "amax", e->amax);
    rci_json_put_number(w, "scale", (double) e->scale);
    if (e->low <= e->high) {
        rci_json_put_number(w, "low", e->low);
        rci_json_put_number(w, "high", e->high);
    }
    rci_json_end_object(w);
}

static rc_status json_write(const struct rc_quantizer *q, struct rci_buffer *b)
{
    struct rci_json_writer w = rci_json_writer_make(b, false);
    rci_json_begin_object(&w, NULL);
    rci_json_put_text(&w, "format", "rescomp.calibration");
    rci_json_put_integer(&w, "version", 1);
    rci_json_put_text(&w, "observer", q->seen ? q->observer_spec : "table");
    rci_json_put_integer(&w, "images", (int64_t) q->seen);
    rci_json_begin_object(&w, "tensors");
    for (uint32_t i = 0; i < q->n_entries; i++)
        write_entry(&w, q, q->entry[i]);
    rci_json_end_object(&w);
    rci_json_end_object(&w);
    return rci_json_finish(&w);
}

rc_status rci_quantizer_save_table(const struct rc_quantizer *q, const char *path, int32_t format)
{
    if (!q->ready)
        return rci_fail(RC_ERR_STATE, "the quantizer is not calibrated and has no table");
    struct rci_buffer b = {.ctx = q->ctx};
    rc_status st = format == RC_TABLE_TENSORRT ? rci_tensorrt_write(q, &b) : json_write(q, &b);
    if (st == RC_OK)
        st = rci_file_write(q->ctx, path, b.data, b.size);
    rci_buffer_free(&b);
    return st;
}

static uint32_t table_find_entry(const struct rc_quantizer *q, const char *name)
{
    const rci_id v = rci_graph_find_value(q->g, name);
    for (uint32_t i = 0; v != RC_NONE && i < q->n_entries; i++)
        if (q->entry[i] == v)
            return i;
    return RC_NONE;
}

struct ranges { /* what a table says, by entry */
    double *amax, *low, *high;
};

static rc_status table_read_entry(const struct rc_quantizer *q, const struct rci_json_value *v,
                                  struct ranges *r)
{
    static const char *const keys[] = {"type", "amax", "scale", "low", "high", NULL};
    RC_TRY(rci_json_expect(v, RC_JSON_OBJECT, v->key));
    RC_TRY(rci_json_only_keys(v, keys, v->key));
    const uint32_t i = table_find_entry(q, v->key);
    if (i == RC_NONE)
        return rci_fail(RC_ERR_MODEL, "table: \"%s\" is not a value that this graph quantizes",
                        v->key);
    const char *type = NULL;
    double amax = -1, low = INFINITY, high = -INFINITY;
    RC_TRY(rci_json_read_text(v, "type", &type));
    RC_TRY(rci_json_read_number(v, "amax", 0, FLT_MAX, &amax));
    RC_TRY(rci_json_read_number(v, "low", -FLT_MAX, FLT_MAX, &low));
    RC_TRY(rci_json_read_number(v, "high", -FLT_MAX, FLT_MAX, &high));
    if (amax < 0 || !type || (strcmp(type, "u8") && strcmp(type, "s8")))
        return rci_fail(RC_ERR_FORMAT, "table: \"%s\" needs amax and type \"u8\" or \"s8\"",
                        v->key);
    if (low > high) { /* no range: the sign is all that is needed of it */
        low = strcmp(type, "u8") ? -amax : 0;
        high = amax;
    }
    r->amax[i] = amax;
    r->low[i] = low;
    r->high[i] = high;
    return RC_OK;
}

static rc_status json_read(const struct rc_quantizer *q, const struct rci_bytes *file,
                           const char *path, struct ranges *r)
{
    struct rci_json *j;
    RC_TRY(rci_json_parse(&j, q->ctx, (const char *) file->data, file->size, path));
    const struct rci_json_value *root = rci_json_root(j), *tensors = rci_json_get(root, "tensors");
    const char *format = "";
    int64_t version = 0;
    rc_status st = rci_json_expect(root, RC_JSON_OBJECT, "the table");
    if (st == RC_OK)
        st = rci_json_read_text(root, "format", &format);
    if (st == RC_OK && strcmp(format, "rescomp.calibration"))
        st =
            rci_fail(RC_ERR_FORMAT, "\"format\" is \"%.64s\", not \"rescomp.calibration\"", format);
    if (st == RC_OK)
        st = rci_json_read_integer(root, "version", 1, 1, &version);
    if (st == RC_OK && !tensors)
        st = rci_fail(RC_ERR_FORMAT, "the table has no \"tensors\"");
    if (st == RC_OK)
        st = rci_json_expect(tensors, RC_JSON_OBJECT, "tensors");
    for (const struct rci_json_value *v = tensors ? tensors->first : NULL; v && st == RC_OK;
         v = v->next)
        st = table_read_entry(q, v, r);
    rci_json_free(&j);
    return st;
}

static rc_status table_take(struct rc_quantizer *q, const struct ranges *r)
{
    for (uint32_t i = 0; i < q->n_entries; i++)
        if (r->amax[i] < 0)
            return rci_fail(RC_ERR_MODEL, "table: value \"%s\" is missing",
                            q->g->values[q->entry[i]].name);
    for (uint32_t i = 0; i < q->n_entries; i++) {
        struct rci_quant_value *v = &q->plan.value[q->entry[i]];
        v->amax = r->amax[i];
        v->low = r->low[i];
        v->high = r->high[i];
    }
    rci_quantizer_forget_biases(q);
    rci_quantizer_forget_moments(q);
    rci_quantizer_settle(q);
    q->seen = 0;
    return RC_OK;
}

rc_status rci_quantizer_load_table(struct rc_quantizer *q, const char *path, int32_t format)
{
    struct rci_bytes file = {0};
    RC_TRY(rci_file_read(q->ctx, path, UINT64_C(64) << 20, &file));
    const size_t n = q->n_entries;
    double *memory = rci_alloc_array(q->ctx, 3 * n, sizeof(double));
    struct ranges r = {memory, memory + n, memory + 2 * n};
    rc_status st = memory ? RC_OK : RC_ERR_MEMORY;
    for (size_t i = 0; memory && i < n; i++) {
        r.amax[i] = -1;
        r.low[i] = INFINITY; /* not known */
        r.high[i] = -INFINITY;
    }
    if (st == RC_OK && format == RC_TABLE_TENSORRT) {
        st = rci_tensorrt_read(q, (const char *) file.data, file.size, r.amax);
        if (st != RC_OK)
            st = rci_fail_prefix(st, "%s", path);
    } else if (st == RC_OK) {
        st = json_read(q, &file, path, &r);
    }
    if (st == RC_OK)
        st = table_take(q, &r);
    rci_release(memory);
    rci_release(file.data);
    return st;
}
