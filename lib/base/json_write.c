/* Values -> JSON text, indented by two spaces or compact. */
#include "base/json.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

enum { WRITE_DEPTH = sizeof(((struct rci_json_writer *) 0)->started) - 2 };

struct rci_json_writer rci_json_writer_make(struct rci_buffer *to, bool compact)
{
    return (struct rci_json_writer){.to = to, .compact = compact};
}

static void write_bytes(struct rci_json_writer *w, const char *s, size_t n)
{
    if (w->failed == RC_OK)
        w->failed = rci_buffer_append(w->to, s, n);
}

static void write_text(struct rci_json_writer *w, const char *s)
{
    write_bytes(w, s, strlen(s));
}

static void write_break(struct rci_json_writer *w)
{
    if (w->compact)
        return;
    write_text(w, "\n");
    for (uint32_t i = 0; i < w->depth; i++)
        write_text(w, "  ");
}

/* Names come from untrusted files: what is not UTF-8 becomes U+FFFD. */
static void write_quoted(struct rci_json_writer *w, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    write_text(w, "\"");
    for (const uint8_t *s = (const uint8_t *) text; *s;) {
        const size_t n = rci_utf8_length(s, strnlen((const char *) s, 4));
        const char escaped[] = {'\\', 'u', '0', '0', hex[*s >> 4], hex[*s & 15], 0};
        if (n == 0)
            write_text(w, "\xEF\xBF\xBD");
        else if (*s == '"' || *s == '\\')
            write_bytes(w, (const char[]){'\\', (char) *s}, 2);
        else if (*s < 0x20 || *s == 0x7F)
            write_text(w, escaped);
        else
            write_bytes(w, (const char *) s, n);
        s += n ? n : 1;
    }
    write_text(w, "\"");
}

/* Comma, line break and key before a value. */
static void write_lead(struct rci_json_writer *w, const char *key)
{
    if (w->started[w->depth])
        write_text(w, ",");
    w->started[w->depth] = true;
    if (w->depth > 0)
        write_break(w);
    if (!key)
        return;
    write_quoted(w, key);
    write_text(w, w->compact ? ":" : ": ");
}

static void write_open(struct rci_json_writer *w, const char *key, const char *bracket)
{
    write_lead(w, key);
    write_text(w, bracket);
    if (w->depth == WRITE_DEPTH && w->failed == RC_OK)
        w->failed = rci_fail(RC_ERR_LIMIT, "JSON is nested more than %d deep", (int) WRITE_DEPTH);
    else if (w->depth < WRITE_DEPTH)
        w->depth++;
    w->started[w->depth] = false;
}

static void write_close(struct rci_json_writer *w, const char *bracket)
{
    if (w->depth == 0) {
        if (w->failed == RC_OK)
            w->failed = rci_fail(RC_ERR_STATE, "JSON: '%s' without its opening", bracket);
        return;
    }
    const bool any = w->started[w->depth];
    w->depth--;
    if (any)
        write_break(w);
    write_text(w, bracket);
}

void rci_json_begin_object(struct rci_json_writer *w, const char *key)
{
    write_open(w, key, "{");
}
void rci_json_end_object(struct rci_json_writer *w)
{
    write_close(w, "}");
}
void rci_json_begin_array(struct rci_json_writer *w, const char *key)
{
    write_open(w, key, "[");
}
void rci_json_end_array(struct rci_json_writer *w)
{
    write_close(w, "]");
}

void rci_json_put_text(struct rci_json_writer *w, const char *key, const char *text)
{
    if (!text) {
        rci_json_put_null(w, key);
        return;
    }
    write_lead(w, key);
    write_quoted(w, text);
}

void rci_json_put_number(struct rci_json_writer *w, const char *key, double v)
{
    char text[RC_NUMBER_TEXT];
    write_lead(w, key);
    write_text(w, isfinite(v) ? rci_number_text(v, text) : "null");
}

void rci_json_put_integer(struct rci_json_writer *w, const char *key, int64_t v)
{
    write_lead(w, key);
    if (w->failed == RC_OK)
        w->failed = rci_buffer_printf(w->to, "%lld", (long long) v);
}

void rci_json_put_bool(struct rci_json_writer *w, const char *key, bool v)
{
    write_lead(w, key);
    write_text(w, v ? "true" : "false");
}

void rci_json_put_null(struct rci_json_writer *w, const char *key)
{
    write_lead(w, key);
    write_text(w, "null");
}

rc_status rci_json_finish(struct rci_json_writer *w)
{
    RC_TRY(w->failed);
    if (w->depth != 0)
        return rci_fail(RC_ERR_STATE, "JSON: %u objects or arrays are still open", w->depth);
    if (!w->compact)
        write_text(w, "\n");
    return w->failed;
}
