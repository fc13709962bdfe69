/* This library's own table:
 *   {"format": "rescomp.calibration", "version": 1, "observer": "mse", "images": 512,
 *    "tensors": {NAME: {"type": "u8", "amax": 4.03, "scale": 0.0158, "low": 0, "high": 4.47}}} */
#include "quant/format.h"

#include <float.h>
#include <math.h>
#include <string.h>

static rc_status json_write(const void *params, const struct rci_table *t, struct rci_buffer *b)
{
    (void) params;
    struct rci_json_writer w = rci_json_writer_make(b, false);
    rci_json_begin_object(&w, NULL);
    rci_json_put_text(&w, "format", "rescomp.calibration");
    rci_json_put_integer(&w, "version", 1);
    rci_json_put_text(&w, "observer", t->observer);
    rci_json_put_integer(&w, "images", (int64_t) t->images);
    rci_json_begin_object(&w, "tensors");
    for (uint32_t i = 0; i < t->n_values; i++) {
        const struct rci_table_value *v = &t->value[i];
        rci_json_begin_object(&w, v->name);
        rci_json_put_text(&w, "type", v->is_signed ? "s8" : "u8");
        rci_json_put_number(&w, "amax", v->amax);
        rci_json_put_number(&w, "scale", (double) v->scale);
        if (v->low <= v->high) {
            rci_json_put_number(&w, "low", v->low);
            rci_json_put_number(&w, "high", v->high);
        }
        rci_json_end_object(&w);
    }
    rci_json_end_object(&w);
    rci_json_end_object(&w);
    return rci_json_finish(&w);
}

static rc_status json_read_entry(struct rci_table *t, const struct rci_json_value *v)
{
    static const char *const keys[] = {"type", "amax", "scale", "low", "high", NULL};
    RC_TRY(rci_json_expect(v, RC_JSON_OBJECT, v->key));
    RC_TRY(rci_json_only_keys(v, keys, v->key));
    const uint32_t i = rci_table_find_value(t, v->key, strlen(v->key));
    if (i == RC_TABLE_NONE)
        return rci_fail(RC_ERR_MODEL, "\"%s\" is not a value that this graph quantizes", v->key);
    const char *type = NULL;
    double amax = -1, low = INFINITY, high = -INFINITY;
    RC_TRY(rci_json_read_text(v, "type", &type));
    RC_TRY(rci_json_read_number(v, "amax", 0, FLT_MAX, &amax));
    RC_TRY(rci_json_read_number(v, "low", -FLT_MAX, FLT_MAX, &low));
    RC_TRY(rci_json_read_number(v, "high", -FLT_MAX, FLT_MAX, &high));
    if (amax < 0 || !type || (strcmp(type, "u8") && strcmp(type, "s8")))
        return rci_fail(RC_ERR_FORMAT, "\"%s\" needs amax and type \"u8\" or \"s8\"", v->key);
    if (low > high) { /* no range: the sign is all that is needed of it */
        low = strcmp(type, "u8") ? -amax : 0;
        high = amax;
    }
    t->value[i].amax = amax;
    t->value[i].low = low;
    t->value[i].high = high;
    return RC_OK;
}

static rc_status json_read_root(struct rci_table *t, const struct rci_json_value *root)
{
    const struct rci_json_value *tensors = rci_json_get(root, "tensors");
    const char *format = "";
    int64_t version = 0;
    RC_TRY(rci_json_read_text(root, "format", &format));
    if (strcmp(format, "rescomp.calibration"))
        return rci_fail(RC_ERR_FORMAT, "\"format\" is \"%.64s\", not \"rescomp.calibration\"",
                        format);
    RC_TRY(rci_json_read_integer(root, "version", 1, 1, &version));
    if (!tensors)
        return rci_fail(RC_ERR_FORMAT, "the table has no \"tensors\"");
    RC_TRY(rci_json_expect(tensors, RC_JSON_OBJECT, "tensors"));
    for (const struct rci_json_value *v = tensors->first; v; v = v->next)
        RC_TRY(json_read_entry(t, v));
    return RC_OK;
}

static rc_status json_read(const void *params, struct rci_table *t, const char *text, size_t size)
{
    (void) params;
    struct rci_json *j = NULL;
    rc_status st = rci_table_parse(&j, t, text, size);
    if (st == RC_OK)
        st = json_read_root(t, rci_json_root(j));
    rci_json_free(&j);
    return st;
}

const struct rci_table_format rci_table_format_json = {
    .m = {.name = "json",
          .summary = "this library's own: types, ranges and thresholds",
          .source = "docs/formats.md"},
    .write = json_write,
    .read = json_read,
};
