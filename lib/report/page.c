/* Escaped text and numbers with units. */
#include "report/page.h"
#include "base/json.h"
#include "base/number.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void page_put(struct rci_page *p, const void *bytes, size_t n)
{
    if (p->failed == RC_OK)
        p->failed = rci_buffer_append(p->to, bytes, n);
}

void rci_page_raw(struct rci_page *p, const char *markup)
{
    page_put(p, markup, strlen(markup));
}

void rci_page_format(struct rci_page *p, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    rci_page_raw(p, text);
}

/* false for what XML does not allow: control characters, U+FFFE, U+FFFF. */
static bool allowed(const uint8_t *s, uint32_t n)
{
    const bool last_two = n == 3 && s[0] == 0xEF && s[1] == 0xBF && s[2] >= 0xBE;
    return n > 0 && !last_two && (s[0] >= 0x20 || s[0] == '\t' || s[0] == '\n');
}

/* Bytes that are no UTF-8, or no XML, become U+FFFD one by one: names come from untrusted files. */
void rci_page_short_text(struct rci_page *p, const char *text, uint32_t most)
{
    const uint8_t *s = (const uint8_t *) text;
    for (uint32_t i = 0; *s; i++) {
        if (i == most) {
            /* an ellipsis */
            rci_page_raw(p, "\xE2\x80\xA6");
            return;
        }
        const uint32_t n = rci_utf8_length(s, strnlen((const char *) s, 4));
        if (!allowed(s, n))
            rci_page_raw(p, "\xEF\xBF\xBD");
        else if (n == 1 && strchr("&<>\"", *s))
            rci_page_raw(p, *s == '&'   ? "&amp;"
                            : *s == '<' ? "&lt;"
                            : *s == '>' ? "&gt;"
                                        : "&quot;");
        else
            page_put(p, s, n);
        s += n ? n : 1;
    }
}

void rci_page_text(struct rci_page *p, const char *text)
{
    rci_page_short_text(p, text, UINT32_MAX);
}

void rci_page_real(struct rci_page *p, double v, int digits)
{
    char text[RC_NUMBER_TEXT];
    rci_page_raw(p, rci_number_fixed(v, digits, text));
}

/* Three significant digits. */
static void put_short(struct rci_page *p, double v)
{
    rci_page_real(p, v, v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2);
}

/* Units of a thousand; 999.5 would be rounded to "1000". */
static void put_scaled(struct rci_page *p, double v, const char *const *units)
{
    uint32_t i = 0;
    for (; v >= 999.5 && units[i + 1]; i++)
        v /= 1000;
    if (i == 0)
        rci_page_real(p, v, 0);
    else
        put_short(p, v);
    rci_page_raw(p, units[i]);
}

void rci_page_figure(struct rci_page *p, double v, enum rci_unit unit)
{
    static const char *const bytes[] = {" B", " kB", " MB", " GB", NULL};
    static const char *const counts[] = {"", " k", " M", " G", NULL};
    if (v == 0) {
        /* an en dash: not measured */
        rci_page_raw(p, "\xE2\x80\x93");
        return;
    }
    switch (unit) {
    case RC_UNIT_PERCENT:
        rci_page_real(p, v, 2);
        rci_page_raw(p, " %");
        break;
    case RC_UNIT_MS:
        rci_page_real(p, v, v < 0.0995 ? 4 : v < 9.95 ? 3 : 1);
        rci_page_raw(p, " ms");
        break;
    case RC_UNIT_SECONDS:
        rci_page_real(p, v, 1);
        rci_page_raw(p, " s");
        break;
    case RC_UNIT_BYTES:
        put_scaled(p, v, bytes);
        break;
    case RC_UNIT_COUNT:
        put_scaled(p, v, counts);
        break;
    }
}
