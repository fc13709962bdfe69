/* AIMET's encodings. An integer q in 0 .. 2^bits - 1 stands for scale * (q + offset).
 *   0.6.1: {"version": "0.6.1", "activation_encodings": {NAME: [{"bitwidth": 8, "dtype": "int",
 *           "is_symmetric": "True", "min", "max", "offset": -128, "scale"}]}, "param_encodings":
 * ...} 1.0.0: lists of {"name", "dtype": "INT", "bw": 8, "enc_type": "PER_TENSOR" or "PER_CHANNEL",
 *           "is_sym": true, "scale": [...], "offset": [...]}
 * Our s8 is offset -128, u8 is offset 0. */
#include "quant/format.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct encoding { /* one tensor */
    const char *name;
    double bits, scale, offset;
    bool is_symmetric;
};

static void put_old(struct rci_json_writer *w, const struct encoding *e)
{
    rci_json_begin_object(w, NULL);
    rci_json_put_integer(w, "bitwidth", (int64_t) e->bits);
    rci_json_put_text(w, "dtype", "int");
    rci_json_put_text(w, "is_symmetric", e->is_symmetric ? "True" : "False");
    rci_json_put_number(w, "max", e->scale * (exp2(e->bits) - 1 + e->offset));
    rci_json_put_number(w, "min", e->scale * e->offset);
    rci_json_put_integer(w, "offset", (int64_t) e->offset);
    rci_json_put_number(w, "scale", e->scale);
    rci_json_end_object(w);
}

static void put_new(struct rci_json_writer *w, const struct encoding *e, const float *scale,
                    int64_t n)
{
    rci_json_begin_object(w, NULL);
    rci_json_put_text(w, "name", e->name);
    rci_json_put_text(w, "dtype", "INT");
    rci_json_put_integer(w, "bw", (int64_t) e->bits);
    rci_json_put_text(w, "enc_type", n > 1 ? "PER_CHANNEL" : "PER_TENSOR");
    rci_json_put_bool(w, "is_sym", e->is_symmetric);
    rci_json_begin_array(w, "scale");
    for (int64_t i = 0; i < n; i++)
        rci_json_put_number(w, NULL, (double) scale[i]);
    rci_json_end_array(w);
    rci_json_begin_array(w, "offset");
    for (int64_t i = 0; i < n; i++)
        rci_json_put_integer(w, NULL, (int64_t) e->offset);
    rci_json_end_array(w);
    rci_json_end_object(w);
}

static void put_encoding(struct rci_json_writer *w, bool old, struct encoding e, const float *scale,
                         int64_t n)
{
    if (!old) {
        put_new(w, &e, scale, n);
        return;
    }
    rci_json_begin_array(w, e.name);
    for (int64_t i = 0; i < n; i++) {
        e.scale = (double) scale[i];
        put_old(w, &e);
    }
    rci_json_end_array(w);
}

static void begin(struct rci_json_writer *w, bool old, const char *key)
{
    if (old)
        rci_json_begin_object(w, key);
    else
        rci_json_begin_array(w, key);
}

static void end(struct rci_json_writer *w, bool old)
{
    if (old)
        rci_json_end_object(w);
    else
        rci_json_end_array(w);
}

static bool first_of_weight(const struct rci_table *t, uint32_t i)
{
    const char *name = t->layer[i].weight;
    return rci_table_find_weight(t, name, strlen(name)) == i;
}

static rc_status encodings_write(const struct rci_table *t, struct rci_buffer *b, bool old)
{
    struct rci_json_writer w = rci_json_writer_make(b, false);
    rci_json_begin_object(&w, NULL);
    rci_json_put_text(&w, "version", old ? "0.6.1" : "1.0.0");
    begin(&w, old, "activation_encodings");
    for (uint32_t i = 0; i < t->n_values; i++) {
        const struct rci_table_value *v = &t->value[i];
        const struct encoding e = {v->name, (double) v->bits, 0,
                                   v->is_signed ? -exp2((double) v->bits - 1) : 0, v->is_signed};
        put_encoding(&w, old, e, &v->scale, 1);
    }
    end(&w, old);
    begin(&w, old, "param_encodings");
    for (uint32_t i = 0; i < t->n_layers; i++) {
        const struct rci_table_layer *l = &t->layer[i];
        const double bits = (double) l->bits;
        const struct encoding e = {l->weight, bits, 0, -exp2(bits - 1), true};
        if (first_of_weight(t, i))
            put_encoding(&w, old, e, l->scale, l->n_scale);
    }
    end(&w, old);
    rci_json_begin_array(&w, "excluded_layers");
    rci_json_end_array(&w);
    rci_json_end_object(&w);
    return rci_json_finish(&w);
}

static rc_status write_061(const void *params, const struct rci_table *t, struct rci_buffer *b)
{
    (void) params;
    return encodings_write(t, b, true);
}

static rc_status write_100(const void *params, const struct rci_table *t, struct rci_buffer *b)
{
    (void) params;
    return encodings_write(t, b, false);
}

/* --- reading --- */

struct encodings { /* of one tensor */
    const char *name;
    bool real; /* not integers */
    double bits;
    double *scale, *offset; /* [n] */
    uint32_t n, most;
};

static rc_status take_activation(struct rci_table *t, const struct encodings *e)
{
    const uint32_t i = rci_table_find_value(t, e->name, strlen(e->name));
    if (i == RC_TABLE_NONE || e->real)
        return RC_OK; /* AIMET also has what is not an integer here */
    RC_TRY(rci_table_check_bits(e->name, e->bits, t->value[i].bits));
    if (e->n != 1)
        return rci_fail(RC_ERR_UNSUPPORTED, "\"%s\": activations have one scale, this has %u",
                        e->name, (unsigned) e->n);
    const double scale = e->scale[0], offset = e->offset[0];
    const double half = exp2(e->bits - 1), most = 2 * half - 1;
    if (!(offset >= -most && offset <= 0) || offset != rint(offset))
        return rci_fail(RC_ERR_FORMAT, "\"%s\": the offset is %g, allowed are %g to 0", e->name,
                        offset, -most);
    const double low = scale * offset, high = scale * (most + offset);
    const bool is_signed = offset == -half || offset == 1 - half;
    RC_TRY(rci_table_set(t, i, e->name, is_signed ? (half - 1) * scale : fmax(-low, high)));
    t->value[i].low = low;
    t->value[i].high = high;
    return RC_OK;
}

static rc_status take_weight(struct rci_table *t, const struct encodings *e)
{
    for (uint32_t i = 0; i < t->n_layers; i++) {
        struct rci_table_layer *l = &t->layer[i];
        if (strcmp(l->weight, e->name) || e->real)
            continue;
        RC_TRY(rci_table_check_bits(e->name, e->bits, l->bits));
        for (uint32_t k = 0; k < e->n; k++) {
            const double half = exp2(e->bits - 1);
            if (e->offset[k] != -half && e->offset[k] != 1 - half)
                return rci_fail(RC_ERR_UNSUPPORTED, "\"%s\": the offset is %g, must be %g", e->name,
                                e->offset[k], -half);
        }
        RC_TRY(rci_table_set_scales(l, e->scale, e->n));
    }
    return RC_OK;
}

static rc_status read_name(const struct rci_json_value *v, const char *key, const char *entry,
                           const char **out)
{
    *out = NULL;
    RC_TRY(rci_json_read_text(v, key, out));
    if (!*out)
        return rci_fail(RC_ERR_FORMAT, "\"%s\" has no \"%s\"", entry, key);
    return RC_OK;
}

static rc_status read_number(const struct rci_json_value *v, const char *key, const char *entry,
                             double *out)
{
    const struct rci_json_value *m = rci_json_get(v, key);
    if (!m || m->type != RC_JSON_NUMBER)
        return rci_fail(RC_ERR_FORMAT, "\"%s\" has no number \"%s\"", entry, key);
    *out = m->number;
    return RC_OK;
}

/* NAME: [{...}, ...], one for all channels or one per channel. */
static rc_status read_old(const struct rci_json_value *v, struct encodings *e)
{
    e->name = v->key;
    if (v->type != RC_JSON_ARRAY || !v->count || v->count > e->most)
        return rci_fail(RC_ERR_FORMAT, "\"%s\" is not a list of 1 to %u encodings", v->key,
                        (unsigned) e->most);
    for (const struct rci_json_value *one = v->first; one; one = one->next, e->n++) {
        const char *type;
        RC_TRY(rci_json_expect(one, RC_JSON_OBJECT, v->key));
        RC_TRY(read_name(one, "dtype", e->name, &type));
        RC_TRY(read_number(one, "bitwidth", e->name, &e->bits));
        if ((e->real = strcmp(type, "int") != 0))
            return RC_OK;
        RC_TRY(read_number(one, "scale", e->name, &e->scale[e->n]));
        RC_TRY(read_number(one, "offset", e->name, &e->offset[e->n]));
    }
    return RC_OK;
}

static rc_status read_new(const struct rci_json_value *v, struct encodings *e)
{
    const char *type, *encoding;
    uint32_t offsets;
    RC_TRY(rci_json_expect(v, RC_JSON_OBJECT, "an encoding"));
    RC_TRY(read_name(v, "name", "an encoding", &e->name));
    RC_TRY(read_name(v, "dtype", e->name, &type));
    RC_TRY(read_number(v, "bw", e->name, &e->bits));
    if ((e->real = strcmp(type, "INT") != 0))
        return RC_OK;
    RC_TRY(read_name(v, "enc_type", e->name, &encoding));
    if (strcmp(encoding, "PER_TENSOR") && strcmp(encoding, "PER_CHANNEL"))
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "\"%s\": enc_type is \"%.32s\", allowed are PER_TENSOR and PER_CHANNEL",
                        e->name, encoding);
    RC_TRY(rci_table_numbers(rci_json_get(v, "scale"), e->name, e->scale, e->most, &e->n));
    RC_TRY(rci_table_numbers(rci_json_get(v, "offset"), e->name, e->offset, e->most, &offsets));
    if (offsets != e->n)
        return rci_fail(RC_ERR_FORMAT, "\"%s\" has %u scales and %u offsets", e->name,
                        (unsigned) e->n, (unsigned) offsets);
    return RC_OK;
}

static rc_status read_group(struct rci_table *t, const struct rci_json_value *root, const char *key,
                            bool old, struct encodings *e)
{
    const struct rci_json_value *group = rci_json_get(root, key);
    const bool weights = key[0] == 'p';
    if (!group)
        return rci_fail(RC_ERR_FORMAT, "the table has no \"%s\"", key);
    RC_TRY(rci_json_expect(group, old ? RC_JSON_OBJECT : RC_JSON_ARRAY, key));
    for (const struct rci_json_value *v = group->first; v; v = v->next) {
        e->n = 0;
        RC_TRY(old ? read_old(v, e) : read_new(v, e));
        RC_TRY(weights ? take_weight(t, e) : take_activation(t, e));
    }
    return RC_OK;
}

static rc_status aimet_read_root(struct rci_table *t, const struct rci_json_value *root, bool old,
                                 struct encodings *e)
{
    const char *version = "", *want = old ? "0.6.1" : "1.0.0";
    RC_TRY(rci_json_read_text(root, "version", &version));
    if (strcmp(version, want))
        return rci_fail(RC_ERR_FORMAT, "\"version\" is \"%.32s\", must be \"%s\"", version, want);
    RC_TRY(read_group(t, root, "activation_encodings", old, e));
    return read_group(t, root, "param_encodings", old, e);
}

static rc_status encodings_read(struct rci_table *t, const char *text, size_t size, bool old)
{
    struct encodings e = {.most = 65536}; /* channels; biases too */
    struct rci_json *j = NULL;
    e.scale = rci_alloc_array(t->ctx, 2 * (size_t) e.most, sizeof(double));
    if (!e.scale)
        return RC_ERR_MEMORY;
    e.offset = e.scale + e.most;
    rc_status st = rci_table_parse(&j, t, text, size);
    if (st == RC_OK)
        st = aimet_read_root(t, rci_json_root(j), old, &e);
    rci_json_free(&j);
    rci_release(e.scale);
    return st;
}

static rc_status read_061(const void *params, struct rci_table *t, const char *text, size_t size)
{
    (void) params;
    return encodings_read(t, text, size, true);
}

static rc_status read_100(const void *params, struct rci_table *t, const char *text, size_t size)
{
    (void) params;
    return encodings_read(t, text, size, false);
}

const struct rci_table_format rci_table_format_061 = {
    .m = {.name = "aimet-0.6.1",
          .summary = "AIMET's encodings, version 0.6.1",
          .source = "AIMET, Quantization Simulation Encoding Specification"},
    .partial = true,
    .scales = true,
    .write = write_061,
    .read = read_061,
};

const struct rci_table_format rci_table_format_100 = {
    .m = {.name = "aimet-1.0.0",
          .summary = "AIMET's encodings, version 1.0.0",
          .source = "AIMET, Quantization Simulation Encoding Specification"},
    .partial = true,
    .scales = true,
    .write = write_100,
    .read = read_100,
};
