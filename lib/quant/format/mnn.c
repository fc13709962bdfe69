/* MNN's compression parameters (mnnconvert --compressionParamsFile X.json), the JSON form of
 * MNN.Compression.Pipeline:
 *   {"version": "0.0.0", "algo": [{"type": "QUANTIZE", "quantParams": {"roundMode": .., "layer": [
 *     {"opName": NAME, "conv": {"inputChannel", "outputChannel", "kernelSize"},
 *      "input": [{"name", "bits", "scales", "zeroPoint", "clampMin", "clampMax"}], "output": [...],
 *      "weight": [{"name", "bits", "scales", "asymmetric"}]}]}}]}
 * Activations are s8 with the scale threshold / 127. MNN calls an operator what ONNX calls its
 * first result. Names of keys are read with underscores too, types also as numbers. */
#include "quant/format.h"

#include <string.h>

static void put_activation(struct rci_json_writer *w, const char *key, const struct rci_table *t,
                           uint32_t value)
{
    if (value == RC_TABLE_NONE)
        return;
    const struct rci_table_value *v = &t->value[value];
    rci_json_begin_array(w, key);
    rci_json_begin_object(w, NULL);
    rci_json_put_text(w, "name", v->name);
    rci_json_put_integer(w, "bits", 8);
    rci_json_begin_array(w, "scales");
    rci_json_put_number(w, NULL,
                        (double) (float) (rci_table_amax(v->amax) > 0 ? v->amax / 127 : 1));
    rci_json_end_array(w);
    rci_json_put_integer(w, "zeroPoint", 0);
    rci_json_put_integer(w, "clampMin", v->is_signed ? -127 : 0);
    rci_json_put_integer(w, "clampMax", 127);
    rci_json_end_object(w);
    rci_json_end_array(w);
}

static void put_layer(struct rci_json_writer *w, const struct rci_table *t,
                      const struct rci_table_layer *l)
{
    rci_json_begin_object(w, NULL);
    rci_json_put_text(w, "opName", l->y);
    if (l->window) {
        rci_json_begin_object(w, "conv");
        rci_json_put_integer(w, "inputChannel", l->in);
        rci_json_put_integer(w, "outputChannel", l->out);
        rci_json_begin_array(w, "kernelSize");
        rci_json_put_integer(w, NULL, l->kernel[0]);
        rci_json_put_integer(w, NULL, l->kernel[1]);
        rci_json_end_array(w);
        rci_json_end_object(w);
    }
    put_activation(w, "input", t, l->value);
    rci_json_begin_array(w, "weight");
    rci_json_begin_object(w, NULL);
    rci_json_put_text(w, "name", l->weight);
    rci_json_put_integer(w, "bits", (int64_t) l->bits);
    rci_json_put_bool(w, "asymmetric", false);
    rci_json_begin_array(w, "scales");
    for (int64_t o = 0; o < l->n_scale; o++)
        rci_json_put_number(w, NULL, (double) l->scale[o]);
    rci_json_end_array(w);
    rci_json_end_object(w);
    rci_json_end_array(w);
    put_activation(w, "output", t, l->result);
    rci_json_end_object(w);
}

static rc_status mnn_write(const void *params, const struct rci_table *t, struct rci_buffer *b)
{
    (void) params;
    struct rci_json_writer w = rci_json_writer_make(b, false);
    rci_json_begin_object(&w, NULL);
    rci_json_put_text(&w, "version", "0.0.0");
    rci_json_begin_array(&w, "algo");
    rci_json_begin_object(&w, NULL);
    rci_json_put_text(&w, "type", "QUANTIZE");
    rci_json_begin_object(&w, "quantParams");
    rci_json_begin_array(&w, "layer");
    for (uint32_t i = 0; i < t->n_layers; i++)
        if (t->layer[i].value != RC_TABLE_NONE)
            put_layer(&w, t, &t->layer[i]);
    rci_json_end_array(&w);
    rci_json_end_object(&w);
    rci_json_end_object(&w);
    rci_json_end_array(&w);
    rci_json_end_object(&w);
    return rci_json_finish(&w);
}

/* protobuf reads both spellings of a name. */
static const struct rci_json_value *either(const struct rci_json_value *v, const char *camel,
                                           const char *snake)
{
    const struct rci_json_value *m = rci_json_get(v, camel);
    return m ? m : rci_json_get(v, snake);
}

static rc_status read_bits(const struct rci_json_value *v, const char *entry, uint64_t want)
{
    const struct rci_json_value *bits = rci_json_get(v, "bits");
    if (bits && bits->type != RC_JSON_NUMBER)
        return rci_fail(RC_ERR_FORMAT, "\"%s\": \"bits\" is not a number", entry);
    return rci_table_check_bits(entry, bits ? bits->number : 8, want);
}

static rc_status read_activation(struct rci_table *t, const struct rci_json_value *list,
                                 uint32_t value, const char *entry)
{
    const struct rci_json_value *v = list ? list->first : NULL;
    double scale, zero = 0;
    uint32_t n;
    if (!v || value == RC_TABLE_NONE)
        return RC_OK;
    RC_TRY(read_bits(v, entry, 8));
    RC_TRY(rci_table_numbers(rci_json_get(v, "scales"), entry, &scale, 1, &n));
    const struct rci_json_value *z = either(v, "zeroPoint", "zero_point");
    if (z)
        RC_TRY(rci_table_numbers(z, entry, &zero, 1, &n));
    if (zero != 0)
        return rci_fail(RC_ERR_UNSUPPORTED, "\"%s\": the zero point is %g, must be 0", entry, zero);
    return rci_table_set(t, value, entry, 127 * scale);
}

static rc_status mnn_read_weight(struct rci_table *t, struct rci_table_layer *l,
                                 const struct rci_json_value *list)
{
    const struct rci_json_value *v = list ? list->first : NULL;
    const struct rci_json_value *scales = v ? rci_json_get(v, "scales") : NULL;
    bool asymmetric = false;
    uint32_t n;
    if (!v)
        return RC_OK;
    RC_TRY(read_bits(v, l->name, l->bits));
    RC_TRY(rci_json_read_bool(v, "asymmetric", &asymmetric));
    if (asymmetric)
        return rci_fail(RC_ERR_UNSUPPORTED, "\"%s\": weights are asymmetric, must be symmetric",
                        l->name);
    if (!scales || (scales->type == RC_JSON_ARRAY && !scales->count))
        return RC_OK; /* chosen here */
    double *number = rci_alloc_array(t->ctx, (size_t) l->out, sizeof(*number));
    if (!number)
        return RC_ERR_MEMORY;
    rc_status st = rci_table_numbers(scales, l->name, number, (uint32_t) l->out, &n);
    if (st == RC_OK)
        st = rci_table_set_scales(l, number, n);
    rci_release(number);
    return st;
}

static rc_status read_layer(struct rci_table *t, const struct rci_json_value *v)
{
    RC_TRY(rci_json_expect(v, RC_JSON_OBJECT, "layer"));
    const struct rci_json_value *op = either(v, "opName", "op_name");
    if (!op || op->type != RC_JSON_STRING)
        return rci_fail(RC_ERR_FORMAT, "a layer has no \"opName\"");
    for (uint32_t i = 0; i < t->n_layers; i++) {
        struct rci_table_layer *l = &t->layer[i];
        if (strcmp(op->text, l->y) && strcmp(op->text, l->name))
            continue;
        RC_TRY(read_activation(t, rci_json_get(v, "input"), l->value, op->text));
        RC_TRY(mnn_read_weight(t, l, rci_json_get(v, "weight")));
        return read_activation(t, rci_json_get(v, "output"), l->result, op->text);
    }
    return rci_fail(RC_ERR_MODEL, "\"%s\" is not a layer of this graph", op->text);
}

static rc_status read_algo(struct rci_table *t, const struct rci_json_value *v)
{
    const struct rci_json_value *type = rci_json_get(v, "type");
    const struct rci_json_value *quant = either(v, "quantParams", "quant_params");
    const struct rci_json_value *layers = rci_json_get(quant, "layer");
    if (type && !(type->type == RC_JSON_STRING ? !strcmp(type->text, "QUANTIZE")
                                               : type->type == RC_JSON_NUMBER && !type->number))
        return RC_OK; /* PRUNE */
    if (!layers)
        return rci_fail(RC_ERR_FORMAT, "\"algo\" has no \"quantParams\" with a \"layer\"");
    RC_TRY(rci_json_expect(layers, RC_JSON_ARRAY, "layer"));
    for (const struct rci_json_value *l = layers->first; l; l = l->next)
        RC_TRY(read_layer(t, l));
    return RC_OK;
}

static rc_status mnn_read_root(struct rci_table *t, const struct rci_json_value *root)
{
    const char *version = "";
    if (rci_json_get(root, "pipeline"))
        root = rci_json_get(root, "pipeline");
    const struct rci_json_value *algo = rci_json_get(root, "algo");
    RC_TRY(rci_json_read_text(root, "version", &version));
    if (!version[0] || version[0] < '0' || version[0] > '9' || !algo)
        return rci_fail(RC_ERR_FORMAT,
                        "the table needs \"version\" and \"algo\"; the version is "
                        "\"%.32s\"",
                        version);
    RC_TRY(rci_json_expect(algo, RC_JSON_ARRAY, "algo"));
    for (const struct rci_json_value *v = algo->first; v; v = v->next)
        RC_TRY(read_algo(t, v));
    return RC_OK;
}

static rc_status mnn_read(const void *params, struct rci_table *t, const char *text, size_t size)
{
    (void) params;
    struct rci_json *j = NULL;
    rc_status st = rci_table_parse(&j, t, text, size);
    if (st == RC_OK)
        st = mnn_read_root(t, rci_json_root(j));
    rci_json_free(&j);
    return st;
}

const struct rci_table_format rci_table_format_mnn = {
    .m = {.name = "mnn",
          .summary = "MNN's compression parameters in JSON",
          .source = "MNN, tools/converter/source/compression"},
    .partial = true,
    .scales = true,
    .write = mnn_write,
    .read = mnn_read,
};
