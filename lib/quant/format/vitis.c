/* Vitis AI's quant_info.json: fixed point, value = q * 2^-position with q of `bits` bits and a
 * sign.
 *   {"param": {NAME: [[bits, position]]}, "output": {NAME: [[bits, position]]}, "input": {...}}
 * "input" has the graph's inputs, "output" what is computed, "param" the weights, with one position
 * for all channels. Positions are the largest without overflow: 127 * 2^-position >= threshold. */
#include "quant/format.h"

#include <math.h>
#include <string.h>

enum { LEAST = -127, MOST = 149 }; /* positions */

static void put_position(struct rci_json_writer *w, const char *name, uint64_t bits, double amax)
{
    rci_json_begin_array(w, name);
    rci_json_begin_array(w, NULL);
    rci_json_put_integer(w, NULL, (int64_t) bits);
    rci_json_put_integer(w, NULL, -rci_table_exponent(amax));
    rci_json_end_array(w);
    rci_json_end_array(w);
}

static void put_values(struct rci_json_writer *w, const struct rci_table *t, bool computed)
{
    rci_json_begin_object(w, computed ? "output" : "input");
    for (uint32_t i = 0; i < t->n_values; i++)
        if (t->value[i].is_input != computed)
            put_position(w, t->value[i].name, 8, t->value[i].amax);
    rci_json_end_object(w);
}

static rc_status vitis_write(const void *params, const struct rci_table *t, struct rci_buffer *b)
{
    (void) params;
    struct rci_json_writer w = rci_json_writer_make(b, false);
    rci_json_begin_object(&w, NULL);
    rci_json_begin_object(&w, "param");
    for (uint32_t i = 0; i < t->n_layers; i++) {
        const struct rci_table_layer *l = &t->layer[i];
        const double top = exp2((double) l->bits - 1) - 1;
        const double amax = (double) rci_table_largest(l->amax, l->out);
        if (rci_table_find_weight(t, l->weight, strlen(l->weight)) == i)
            put_position(&w, l->weight, l->bits, amax * 127 / top);
    }
    rci_json_end_object(&w);
    put_values(&w, t, true);
    put_values(&w, t, false);
    rci_json_end_object(&w);
    return rci_json_finish(&w);
}

/* [[bits, position]], of older releases [bits, position]. */
static rc_status read_position(const struct rci_json_value *v, uint64_t bits, double *scale)
{
    const struct rci_json_value *pair =
        v->type == RC_JSON_ARRAY && v->first && v->first->type == RC_JSON_ARRAY ? v->first : v;
    double number[2];
    uint32_t n;
    RC_TRY(rci_table_numbers(pair, v->key, number, 2, &n));
    if (n != 2)
        return rci_fail(RC_ERR_FORMAT, "\"%s\" is not [bits, position]", v->key);
    RC_TRY(rci_table_check_bits(v->key, number[0], bits));
    if (!(number[1] >= LEAST && number[1] <= MOST) || number[1] != rint(number[1]))
        return rci_fail(RC_ERR_FORMAT, "\"%s\": the position is %g, allowed are %d to %d", v->key,
                        number[1], LEAST, MOST);
    *scale = exp2(-number[1]);
    return RC_OK;
}

static rc_status read_value(struct rci_table *t, const struct rci_json_value *v)
{
    const uint32_t i = rci_table_find_value(t, v->key, strlen(v->key));
    double scale;
    if (i == RC_TABLE_NONE)
        return RC_OK; /* Vitis lists the results of all operators */
    RC_TRY(read_position(v, 8, &scale));
    return rci_table_set(t, i, v->key, 127 * scale);
}

static rc_status vitis_read_weight(struct rci_table *t, const struct rci_json_value *v)
{
    for (uint32_t i = 0; i < t->n_layers; i++) {
        double scale;
        if (strcmp(t->layer[i].weight, v->key))
            continue; /* biases */
        RC_TRY(read_position(v, t->layer[i].bits, &scale));
        RC_TRY(rci_table_set_scales(&t->layer[i], &scale, 1));
    }
    return RC_OK;
}

static rc_status vitis_read_root(struct rci_table *t, const struct rci_json_value *root)
{
    static const char *const groups[] = {"param", "output", "input"};
    for (int k = 0; k < 3; k++) {
        const struct rci_json_value *group = rci_json_get(root, groups[k]);
        if (!group)
            return rci_fail(RC_ERR_FORMAT, "the table has no \"%s\"", groups[k]);
        RC_TRY(rci_json_expect(group, RC_JSON_OBJECT, groups[k]));
        for (const struct rci_json_value *v = group->first; v; v = v->next)
            RC_TRY(k ? read_value(t, v) : vitis_read_weight(t, v));
    }
    return RC_OK;
}

static rc_status vitis_read(const void *params, struct rci_table *t, const char *text, size_t size)
{
    (void) params;
    struct rci_json *j = NULL;
    rc_status st = rci_table_parse(&j, t, text, size);
    if (st == RC_OK)
        st = vitis_read_root(t, rci_json_root(j));
    rci_json_free(&j);
    return st;
}

const struct rci_table_format rci_table_format_vitis = {
    .m = {.name = "vitis",
          .summary = "Vitis AI's quant_info.json: bits and position of the binary point",
          .source = "Vitis AI, pytorch_nndct"},
    .write = vitis_write,
    .read = vitis_read,
};
