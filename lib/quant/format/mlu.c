/* Positions and scales of Cambricon's MLU, as cnrtCreateQuantizedParam() takes them:
 *   position = floor(log2(amax)) - (bits - 2), scale = 2^position * (2^(bits-1) - 1) / amax,
 *   q = round(x * scale / 2^position)
 * The vendor defines no file; this one is
 *   {"format": "mlu.quantized_param", "version": 1,
 *    "activations": {NAME: {"bits": 8, "position": -5, "scale": 1.02}},
 *    "weights": {NAME: {"bits": 8, "position": [...], "scale": [...]}}}
 * with one pair for a tensor or one for each output channel. */
#include "quant/format.h"

#include <math.h>
#include <string.h>

enum { LEAST = -126, MOST = 127 }; /* positions */

static int position_of(double amax, double bits)
{
    int e; /* amax = m * 2^e, 0.5 <= m < 1: floor(log2(amax)) is e - 1 */
    (void) frexp(amax, &e);
    return rci_table_amax(amax) > 0 ? e - 1 - ((int) bits - 2) : 0;
}

static double scale_of(double amax, double bits)
{
    return rci_table_amax(amax) > 0 ? exp2(position_of(amax, bits)) * (exp2(bits - 1) - 1) / amax
                                    : 1;
}

static void put_activation(struct rci_json_writer *w, const struct rci_table_value *v)
{
    rci_json_begin_object(w, v->name);
    rci_json_put_integer(w, "bits", 8);
    rci_json_put_integer(w, "position", position_of(v->amax, 8));
    rci_json_put_number(w, "scale", scale_of(v->amax, 8));
    rci_json_end_object(w);
}

/* The largest weight, unless its scale is of another range. */
static double range_of(const struct rci_table_layer *l, int64_t o, double bits)
{
    const double range = (double) l->scale[o] * (exp2(bits - 1) - 1);
    const double amax =
        (double) (l->n_scale == 1 ? rci_table_largest(l->amax, l->out) : l->amax[o]);
    return fabs(range - amax) <= 1e-6 * amax ? amax : range;
}

static void put_weight(struct rci_json_writer *w, const struct rci_table_layer *l, double bits)
{
    rci_json_begin_object(w, l->weight);
    rci_json_put_integer(w, "bits", (int64_t) bits);
    rci_json_begin_array(w, "position");
    for (int64_t o = 0; o < l->n_scale; o++)
        rci_json_put_integer(w, NULL, position_of(range_of(l, o, bits), bits));
    rci_json_end_array(w);
    rci_json_begin_array(w, "scale");
    for (int64_t o = 0; o < l->n_scale; o++)
        rci_json_put_number(w, NULL, scale_of(range_of(l, o, bits), bits));
    rci_json_end_array(w);
    rci_json_end_object(w);
}

static rc_status mlu_write(const void *params, const struct rci_table *t, struct rci_buffer *b)
{
    (void) params;
    struct rci_json_writer w = rci_json_writer_make(b, false);
    rci_json_begin_object(&w, NULL);
    rci_json_put_text(&w, "format", "mlu.quantized_param");
    rci_json_put_integer(&w, "version", 1);
    rci_json_begin_object(&w, "activations");
    for (uint32_t i = 0; i < t->n_values; i++)
        put_activation(&w, &t->value[i]);
    rci_json_end_object(&w);
    rci_json_begin_object(&w, "weights");
    for (uint32_t i = 0; i < t->n_layers; i++) {
        const struct rci_table_layer *l = &t->layer[i];
        if (rci_table_find_weight(t, l->weight, strlen(l->weight)) == i)
            put_weight(&w, l, (double) l->bits);
    }
    rci_json_end_object(&w);
    rci_json_end_object(&w);
    return rci_json_finish(&w);
}

/* Steps 2^position / scale into step[most]. */
static rc_status read_steps(const struct rci_json_value *v, uint64_t bits, double *step,
                            double *scale, uint32_t most, uint32_t *n)
{
    const struct rci_json_value *b = rci_json_get(v, "bits");
    uint32_t n_scale;
    RC_TRY(rci_json_expect(v, RC_JSON_OBJECT, v->key));
    RC_TRY(rci_table_check_bits(v->key, b && b->type == RC_JSON_NUMBER ? b->number : 0, bits));
    RC_TRY(rci_table_numbers(rci_json_get(v, "position"), v->key, step, most, n));
    RC_TRY(rci_table_numbers(rci_json_get(v, "scale"), v->key, scale, most, &n_scale));
    if (n_scale != *n)
        return rci_fail(RC_ERR_FORMAT, "\"%s\" has %u positions and %u scales", v->key,
                        (unsigned) *n, (unsigned) n_scale);
    for (uint32_t i = 0; i < *n; i++) {
        if (!(step[i] >= LEAST && step[i] <= MOST) || step[i] != rint(step[i]))
            return rci_fail(RC_ERR_FORMAT, "\"%s\": the position is %g, allowed are %d to %d",
                            v->key, step[i], LEAST, MOST);
        if (!(scale[i] > 0 && scale[i] <= 2))
            return rci_fail(RC_ERR_FORMAT, "\"%s\": the scale is %g, must be above 0, at most 2",
                            v->key, scale[i]);
        step[i] = exp2(step[i]) / scale[i];
    }
    return RC_OK;
}

static rc_status read_activation(struct rci_table *t, const struct rci_json_value *v)
{
    const uint32_t i = rci_table_find_value(t, v->key, strlen(v->key));
    double step, scale;
    uint32_t n;
    if (i == RC_TABLE_NONE)
        return rci_fail(RC_ERR_MODEL, "\"%s\" is not a value that this graph quantizes", v->key);
    RC_TRY(read_steps(v, 8, &step, &scale, 1, &n));
    return rci_table_set(t, i, v->key, 127 * step);
}

static rc_status mlu_read_weight(struct rci_table *t, const struct rci_json_value *v)
{
    bool known = false;
    for (uint32_t i = 0; i < t->n_layers; i++) {
        struct rci_table_layer *l = &t->layer[i];
        uint32_t n;
        if (strcmp(l->weight, v->key))
            continue;
        double *step = rci_alloc_array(t->ctx, 2 * (size_t) l->out, sizeof(*step));
        if (!step)
            return RC_ERR_MEMORY;
        rc_status st = read_steps(v, l->bits, step, step + l->out, (uint32_t) l->out, &n);
        if (st == RC_OK)
            st = rci_table_set_scales(l, step, n);
        rci_release(step);
        RC_TRY(st);
        known = true;
    }
    return known
               ? RC_OK
               : rci_fail(RC_ERR_MODEL, "\"%s\" is not a weight that this graph quantizes", v->key);
}

static rc_status mlu_read_root(struct rci_table *t, const struct rci_json_value *root)
{
    const char *format = "";
    int64_t version = 0;
    RC_TRY(rci_json_read_text(root, "format", &format));
    RC_TRY(rci_json_read_integer(root, "version", 1, 1, &version));
    if (strcmp(format, "mlu.quantized_param") || version != 1)
        return rci_fail(RC_ERR_FORMAT,
                        "\"format\" is \"%.32s\" of version %lld, must be "
                        "\"mlu.quantized_param\" of version 1",
                        format, (long long) version);
    for (int k = 0; k < 2; k++) {
        const char *key = k ? "weights" : "activations";
        const struct rci_json_value *group = rci_json_get(root, key);
        if (!group)
            return rci_fail(RC_ERR_FORMAT, "the table has no \"%s\"", key);
        RC_TRY(rci_json_expect(group, RC_JSON_OBJECT, key));
        for (const struct rci_json_value *v = group->first; v; v = v->next)
            RC_TRY(k ? mlu_read_weight(t, v) : read_activation(t, v));
    }
    return RC_OK;
}

static rc_status mlu_read(const void *params, struct rci_table *t, const char *text, size_t size)
{
    (void) params;
    struct rci_json *j = NULL;
    rc_status st = rci_table_parse(&j, t, text, size);
    if (st == RC_OK)
        st = mlu_read_root(t, rci_json_root(j));
    rci_json_free(&j);
    return st;
}

const struct rci_table_format rci_table_format_mlu = {
    .m = {.name = "mlu",
          .summary = "positions and scales of Cambricon's MLU",
          .source = "Cambricon, CNRT Developer Guide"},
    .scales = true,
    .write = mlu_write,
    .read = mlu_read,
};
