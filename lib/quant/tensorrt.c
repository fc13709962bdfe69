/* TensorRT's calibration cache (text). Line 1 "TRT-<version>-<algorithm>", then one line per tensor
 * "<name>: <hex>": the bits of a f32 scale = amax / 127, most significant first. Names may contain
 * spaces, colons and parentheses: the last ':' separates. Fewer than 8 digits are accepted. */
#include "quant/quantizer.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

/* A number and the dot behind it, if there is one; false: no number, or above `most`. */
static bool version_part(const char **text, unsigned long most, unsigned long *out)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    *out = strtoul(*text, &end, 10);
    *text = *end == '.' ? end + 1 : end;
    return *out <= most && (*end == '.' || !*end);
}

/* NV_TENSORRT_VERSION: major * 1000 + minor * 100 + patch up to 9, major * 10000 from 10 on. */
rc_status rci_tensorrt_version(uint32_t *version, const char *text)
{
    unsigned long major = 0, minor = 0, patch = 0;
    const char *at = text;
    const bool ok = version_part(&at, 10, &major) && major >= 2 &&
                    version_part(&at, major < 10 ? 9 : 99, &minor) &&
                    version_part(&at, 99, &patch) && !*at;
    *version = (uint32_t) (major * (major < 10 ? 1000 : 10000) + minor * 100 + patch);
    if (ok)
        return RC_OK;
    return rci_fail(RC_ERR_ARG,
                    "tensorrt is \"%s\", allowed are releases such as 8.6.1, from 2 to 10: later "
                    "ones have no calibration caches",
                    text);
}

rc_status rci_tensorrt_write(const struct rc_quantizer *q, struct rci_buffer *b)
{
    const char *algorithm = q->observer->tensorrt ? q->observer->tensorrt : "MinMaxCalibration";
    RC_TRY(rci_buffer_printf(b, "TRT-%u-%s\n", (unsigned) q->tensorrt, algorithm));
    for (uint32_t i = 0; i < q->n_entries; i++) {
        const char *name = q->g->values[q->entry[i]].name;
        const double amax = q->plan.value[q->entry[i]].amax;
        float scale = (float) (amax / 127);
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

static uint32_t entry_named(const struct rc_quantizer *q, const char *name, size_t n)
{
    for (uint32_t i = 0; i < q->n_entries; i++) {
        const char *have = q->g->values[q->entry[i]].name;
        if (strlen(have) == n && !memcmp(have, name, n))
            return i;
    }
    return RC_NONE;
}

static rc_status read_line(struct rc_quantizer *q, const char *line, size_t n, uint32_t number,
                           double *amax)
{
    size_t colon = n;
    while (colon && line[colon - 1] != ':')
        colon--;
    float scale;
    if (colon < 2 || !parse_bits(line + colon, n - colon, &scale))
        return rci_fail(RC_ERR_FORMAT, "line %u is not \"name: hex\"", number);
    const uint32_t i = entry_named(q, line, colon - 1);
    const double most = 127.0 * (double) scale;
    if (!(most >= 0 && most <= FLT_MAX) || (i != RC_NONE && most == 0))
        return rci_fail(RC_ERR_FORMAT, "line %u: the scale is %g, must be finite and above 0",
                        number, (double) scale);
    if (i != RC_NONE)
        amax[i] = most;
    return RC_OK;
}

rc_status rci_tensorrt_read(struct rc_quantizer *q, const char *text, size_t size, double *amax)
{
    if (size < 4 || memcmp(text, "TRT-", 4))
        return rci_fail(RC_ERR_FORMAT, "does not start with \"TRT-<version>-<algorithm>\"");
    uint32_t number = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = end ? (size_t) (end - (text + at)) : size - at;
        const char *line = text + at;
        at += n + 1;
        number++;
        if (n && line[n - 1] == '\r')
            n--;
        if (number > 1 && n)
            RC_TRY(read_line(q, line, n, number, amax));
    }
    return RC_OK;
}
