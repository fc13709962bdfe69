/* TensorRT's calibration cache (text). Line 1 "TRT-<version>-<algorithm>", then one line per tensor
 * "<name>: <hex>": the bits of a f32 scale = amax / 127, most significant first. Names may contain
 * spaces, colons and parentheses: the last ':' separates. Fewer than 8 digits are accepted. */
#include "quant/format.h"

#include <float.h>
#include <string.h>

static rc_status tensorrt_write(const void *params, const struct rci_table *t, struct rci_buffer *b)
{
    (void) params;
    RC_TRY(rci_buffer_printf(b, "TRT-%u-%s\n", (unsigned) t->tensorrt, t->calibrator));
    for (uint32_t i = 0; i < t->n_values; i++) {
        const char *name = t->value[i].name;
        float scale = (float) (t->value[i].amax / 127);
        uint32_t bits;
        if (!(scale >= FLT_MIN))
            scale = 1; /* only zeros were seen */
        memcpy(&bits, &scale, sizeof(bits));
        if (strchr(name, '\n'))
            return rci_fail(RC_ERR_UNSUPPORTED, "value name \"%s\" has a line break", name);
        RC_TRY(rci_buffer_printf(b, "%s: %08x\n", name, bits));
    }
    return RC_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 1 to 8 hex digits, blanks around them. */
static bool parse_bits(const char *s, size_t n, float *out)
{
    uint32_t bits = 0, digits = 0;
    while (n && (s[0] == ' ' || s[0] == '\t'))
        s++, n--;
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
        n--;
    for (; n; s++, n--, digits++) {
        const int d = hex_digit(*s);
        if (d < 0 || digits == 8)
            return false;
        bits = bits << 4 | (uint32_t) d;
    }
    memcpy(out, &bits, sizeof(bits));
    return digits > 0;
}

static rc_status read_line(struct rci_table *t, const char *line, size_t n, uint32_t number)
{
    size_t colon = n;
    while (colon && line[colon - 1] != ':')
        colon--;
    float scale;
    if (colon < 2 || !parse_bits(line + colon, n - colon, &scale))
        return rci_fail(RC_ERR_FORMAT, "line %u is not \"name: hex\"", number);
    const uint32_t i = rci_table_find_value(t, line, colon - 1);
    const double most = 127.0 * (double) scale;
    if (!(most >= 0 && most <= FLT_MAX) || (i != RC_TABLE_NONE && most == 0))
        return rci_fail(RC_ERR_FORMAT,
                        "line %u: the scale is %g, must be finite and above 0, of \"%.*s\"", number,
                        (double) scale, (int) (colon - 1), line);
    if (i != RC_TABLE_NONE)
        t->value[i].amax = most;
    return RC_OK;
}

/* TRT-<digits>-<letters and digits>, such as TRT-8601-EntropyCalibration2. */
static bool is_header(const char *line, size_t n)
{
    size_t i = 4, digits;
    if (n < 4 || memcmp(line, "TRT-", 4))
        return false;
    for (digits = i; i < n && line[i] >= '0' && line[i] <= '9';)
        i++;
    return i > digits && i + 1 < n && line[i] == '-';
}

static rc_status tensorrt_read(const void *params, struct rci_table *t, const char *text,
                               size_t size)
{
    (void) params;
    const char *line;
    size_t at = 0, n;
    uint32_t number = 1;
    if (!rci_table_line(text, size, &at, &line, &n) || !is_header(line, n))
        return rci_fail(RC_ERR_FORMAT, "does not start with \"TRT-<version>-<algorithm>\"");
    while (rci_table_line(text, size, &at, &line, &n)) {
        number++;
        if (n)
            RC_TRY(read_line(t, line, n, number));
    }
    return RC_OK;
}

const struct rci_table_format rci_table_format_tensorrt = {
    .m = {.name = "tensorrt",
          .summary = "TensorRT's calibration cache (text), releases up to 10",
          .source = "NVIDIA, TensorRT Developer Guide"},
    .write = tensorrt_write,
    .read = tensorrt_read,
};
