/* What formats of tables have in common: names, checks, lines, numbers. */
#include "quant/format.h"

#include <float.h>
#include <math.h>
#include <string.h>

static bool same_name(const char *have, const char *name, size_t n)
{
    return strlen(have) == n && !memcmp(have, name, n);
}

uint32_t rci_table_find_value(const struct rci_table *t, const char *name, size_t n)
{
    for (uint32_t i = 0; i < t->n_values; i++)
        if (same_name(t->value[i].name, name, n))
            return i;
    return RC_TABLE_NONE;
}

uint32_t rci_table_find_layer(const struct rci_table *t, const char *name, size_t n)
{
    for (uint32_t i = 0; i < t->n_layers; i++)
        if (same_name(t->layer[i].name, name, n))
            return i;
    return RC_TABLE_NONE;
}

uint32_t rci_table_find_weight(const struct rci_table *t, const char *name, size_t n)
{
    for (uint32_t i = 0; i < t->n_layers; i++)
        if (same_name(t->layer[i].weight, name, n))
            return i;
    return RC_TABLE_NONE;
}

rc_status rci_table_set(struct rci_table *t, uint32_t value, const char *entry, double amax)
{
    if (!(amax > 0 && amax <= FLT_MAX * (1 + 1e-6)))
        return rci_fail(RC_ERR_FORMAT, "\"%s\": the threshold is %g, must be finite and above 0",
                        entry, amax + 0.0); /* -0 is 0 */
    t->value[value].amax = fmax(t->value[value].amax, fmin(amax, FLT_MAX));
    return RC_OK;
}

rc_status rci_table_set_scales(struct rci_table_layer *l, const double *scale, uint32_t n)
{
    if (n != 1 && (int64_t) n != l->out)
        return rci_fail(RC_ERR_MODEL,
                        "\"%s\" has %u scales of weights, must be 1 or %lld, its output channels",
                        l->name, (unsigned) n, (long long) l->out);
    for (uint32_t i = 0; i < n; i++) {
        if (!(scale[i] >= (double) FLT_MIN && scale[i] <= FLT_MAX))
            return rci_fail(RC_ERR_FORMAT,
                            "\"%s\": scale %u of its weights is %g, must be finite and above 0",
                            l->name, (unsigned) i, scale[i]);
        l->scale[i] = (float) scale[i];
    }
    l->n_scale = n;
    return RC_OK;
}

rc_status rci_table_check_bits(const char *entry, double bits, uint64_t want)
{
    if (bits == (double) want)
        return RC_OK;
    return rci_fail(RC_ERR_FORMAT, "\"%s\" has %.15g bits, must be %llu", entry, bits,
                    (unsigned long long) want);
}

bool rci_table_line(const char *text, size_t size, size_t *at, const char **line, size_t *n)
{
    if (*at >= size)
        return false;
    const char *end = memchr(text + *at, '\n', size - *at);
    *line = text + *at;
    *n = end ? (size_t) (end - *line) : size - *at;
    *at += *n + 1;
    if (*n && (*line)[*n - 1] == '\r')
        --*n;
    return true;
}

rc_status rci_table_numbers(const struct rci_json_value *v, const char *entry, double *out,
                            uint32_t most, uint32_t *n)
{
    const bool one = v && v->type == RC_JSON_NUMBER;
    if (!v || (!one && v->type != RC_JSON_ARRAY))
        return rci_fail(RC_ERR_FORMAT, "\"%s\" has no number or array of numbers where one is due",
                        entry);
    const uint32_t count = one ? 1 : v->count;
    if (count < 1 || count > most)
        return rci_fail(RC_ERR_FORMAT, "\"%s\" has %u numbers, allowed are 1 to %u", entry,
                        (unsigned) count, (unsigned) most);
    *n = 0;
    for (const struct rci_json_value *e = one ? v : v->first; *n < count; e = e->next) {
        if (e->type != RC_JSON_NUMBER)
            return rci_fail(RC_ERR_FORMAT, "\"%s\" has %s among its numbers", entry,
                            rci_json_type_name(e->type));
        out[(*n)++] = e->number;
    }
    return RC_OK;
}

rc_status rci_table_parse(struct rci_json **j, const struct rci_table *t, const char *text,
                          size_t size)
{
    RC_TRY(rci_json_parse(j, t->ctx, text, size, "JSON"));
    return rci_json_expect(rci_json_root(*j), RC_JSON_OBJECT, "the table");
}

double rci_table_amax(double amax)
{
    return amax / 127 >= (double) FLT_MIN ? amax : 0;
}

int rci_table_exponent(double amax)
{
    enum { MOST = 121 }; /* 127 * 2^e is a float */
    int e;
    if (!(rci_table_amax(amax) > 0))
        return 0;
    const double m = frexp(amax / 127, &e); /* 0.5 <= m < 1, amax = 127 * m * 2^e */
    e -= m == 0.5;
    return e < MOST ? e : MOST;
}

float rci_table_largest(const float *x, int64_t n)
{
    float most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmaxf(most, x[i]);
    return most;
}
