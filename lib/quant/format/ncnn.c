/* ncnn's int8 table, which ncnn2table writes and ncnn2int8 reads. Scales are steps per unit, the
 * reciprocal of the usual ones:
 *   NAME_param_0 s_0 s_1 ...    of the weights, s = 127 / max |w| per output channel, and
 *                               31 / max |w| for 3x3 windows of stride 1 and dilation 1: ncnn
 *                               computes them as F(4, 3), whose transformed weights must fit
 *   NAME s                      of the input, s = 127 / threshold
 * First all weights, then all inputs. '#' before a line leaves the layer f32; an empty line ends
 * the table. ncnn quantizes inputs of layers only: sums stay f32. */
#include "base/number.h"
#include "quant/format.h"

#include <math.h>
#include <string.h>

enum { LONGEST_KEY = 255 };
#define MOST 8.5e37 /* 1 / MOST is a normal float */

static bool by_winograd(const struct rci_table_layer *l)
{
    for (int k = 0; k < 2; k++)
        if (l->kernel[k] != 3 || l->stride[k] != 1 || l->dilation[k] != 1)
            return false;
    return l->window && !l->depthwise;
}

static rc_status put_number(struct rci_buffer *b, double v)
{
    char text[RC_NUMBER_TEXT];
    const char *number = v < 0.1 ? rci_number_text(v, text) : rci_number_fixed(v, 6, text);
    return rci_buffer_printf(b, " %s", number);
}

static rc_status write_layer(const struct rci_table_layer *l, struct rci_buffer *b)
{
    const double top = by_winograd(l) ? 31 : 127;
    if (!l->name[0] || l->name[0] == '#' || strpbrk(l->name, " \t\r\n"))
        return rci_fail(RC_ERR_UNSUPPORTED, "ncnn's table cannot name the layer \"%s\"", l->name);
    if (strlen(l->name) + strlen("_param_0") > LONGEST_KEY)
        return rci_fail(RC_ERR_UNSUPPORTED, "the name of layer \"%s\" is too long for ncnn's table",
                        l->name);
    RC_TRY(rci_buffer_printf(b, "%s_param_0", l->name));
    for (int64_t o = 0; o < l->out; o++)
        RC_TRY(
            put_number(b, rci_table_amax((double) l->amax[o]) > 0 ? top / (double) l->amax[o] : 1));
    return rci_buffer_printf(b, "\n");
}

static rc_status ncnn_write(const void *params, const struct rci_table *t, struct rci_buffer *b)
{
    (void) params;
    for (uint32_t i = 0; i < t->n_layers; i++)
        if (t->layer[i].value != RC_TABLE_NONE)
            RC_TRY(write_layer(&t->layer[i], b));
    for (uint32_t i = 0; i < t->n_layers; i++) {
        const uint32_t v = t->layer[i].value;
        if (v == RC_TABLE_NONE)
            continue;
        RC_TRY(rci_buffer_printf(b, "%s", t->layer[i].name));
        RC_TRY(put_number(b, rci_table_amax(t->value[v].amax) > 0 ? 127 / t->value[v].amax : 1));
        RC_TRY(rci_buffer_printf(b, "\n"));
    }
    return RC_OK;
}

/* One number from *at on, of which `end` is behind. */
static bool next_number(const char **at, const char *end, double *out)
{
    while (*at < end && (**at == ' ' || **at == '\t'))
        ++*at;
    char text[RC_NUMBER_TEXT], *rest;
    size_t n = 0;
    for (; *at + n < end && (*at)[n] != ' ' && (*at)[n] != '\t'; n++)
        if (n + 1 < sizeof(text))
            text[n] = (*at)[n];
    if (!n || n >= sizeof(text))
        return false;
    text[n] = '\0';
    *out = rci_number_parse(text, &rest);
    if (rest != text + n)
        return false;
    *at += n;
    return true;
}

static bool only_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at == end;
}

static rc_status read_weights(struct rci_table_layer *l, const char *at, const char *end)
{
    double v;
    uint32_t n = 0;
    for (; next_number(&at, end, &v); n++) {
        if ((int64_t) n >= l->out)
            return rci_fail(RC_ERR_MODEL, "\"%s_param_0\" has more scales than the layer channels",
                            l->name);
        if (!(v > 0 && v <= MOST))
            return rci_fail(RC_ERR_FORMAT, "\"%s_param_0\": scale %u is %g, must be above 0",
                            l->name, (unsigned) n, v);
        l->scale[n] = (float) (1 / v);
    }
    if (!only_blanks(at, end) || !n)
        return rci_fail(RC_ERR_FORMAT, "\"%s_param_0\": scale %u is not a number", l->name,
                        (unsigned) n);
    if (n != 1 && (int64_t) n != l->out)
        return rci_fail(RC_ERR_MODEL, "\"%s_param_0\" has %u scales, must be 1 or %lld", l->name,
                        (unsigned) n, (long long) l->out);
    l->n_scale = n;
    return RC_OK;
}

static rc_status read_input(struct rci_table *t, const struct rci_table_layer *l, const char *at,
                            const char *end)
{
    double v;
    if (!next_number(&at, end, &v) || !only_blanks(at, end))
        return rci_fail(RC_ERR_FORMAT, "\"%s\" needs one number", l->name);
    if (!(v > 0 && v <= MOST))
        return rci_fail(RC_ERR_FORMAT, "\"%s\": the scale is %g, must be above 0", l->name, v);
    if (l->value == RC_TABLE_NONE)
        return RC_OK;
    return rci_table_set(t, l->value, l->name, 127 / v);
}

static rc_status read_line(struct rci_table *t, const char *line, size_t n)
{
    static const char suffix[] = "_param_0";
    const size_t tail = sizeof(suffix) - 1;
    size_t key = 0;
    while (key < n && line[key] != ' ' && line[key] != '\t')
        key++;
    if (line[0] == '#')
        return RC_OK;
    const bool weights = key > tail && !memcmp(line + key - tail, suffix, tail);
    const uint32_t i = rci_table_find_layer(t, line, weights ? key - tail : key);
    if (i == RC_TABLE_NONE)
        return rci_fail(RC_ERR_MODEL, "\"%.*s\" is not a layer of this graph", (int) key, line);
    return weights ? read_weights(&t->layer[i], line + key, line + n)
                   : read_input(t, &t->layer[i], line + key, line + n);
}

static rc_status ncnn_read(const void *params, struct rci_table *t, const char *text, size_t size)
{
    (void) params;
    const char *line;
    size_t at = 0, n;
    while (rci_table_line(text, size, &at, &line, &n) && n)
        RC_TRY(read_line(t, line, n));
    for (uint32_t i = 0; i < t->n_layers; i++) {
        const struct rci_table_layer *l = &t->layer[i];
        if (l->n_scale && l->value != RC_TABLE_NONE && t->value[l->value].amax < 0)
            return rci_fail(RC_ERR_FORMAT,
                            "layer \"%s\" has scales of its weights and none of its input: the "
                            "table is cut off",
                            l->name);
    }
    return RC_OK;
}

const struct rci_table_format rci_table_format_ncnn = {
    .m = {.name = "ncnn",
          .summary = "ncnn's int8 table: scales of weights and of layers' inputs",
          .source = "ncnn, tools/quantize"},
    .partial = true,
    .write = ncnn_write,
    .read = ncnn_read,
};
