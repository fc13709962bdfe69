/* JSON text -> tree of values. One block for all values (their number is bounded by counting
 * separators first) and one for all strings (decoded text is never longer than its source). */
#include "base/json.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

enum { DEPTH_MAX = 64, VALUES_MAX = 4 << 20, TEXT_MAX = 64 << 20, NUMBER_MAX = 64 };
/* Finding duplicates compares each key with those before it: bounded, as files are untrusted. */
enum { KEY_COMPARISONS_MAX = 200000000 };

struct rci_json {
    struct rci_json_value *values;
    char *strings;
    uint32_t n_values;
};

struct parser {
    const char *what;
    const uint8_t *text;
    size_t size, at, strings_used;
    struct rci_json *json;
    uint32_t depth, capacity;
    uint64_t comparisons;
};

static rc_status json_parse_value(struct parser *p, struct rci_json_value **out);

static rc_status parse_fail(const struct parser *p, const char *message)
{
    uint32_t line = 1, column = 1;
    for (size_t i = 0; i < p->at && i < p->size; i++) {
        column = p->text[i] == '\n' ? 1 : column + 1;
        line += p->text[i] == '\n';
    }
    return rci_fail(RC_ERR_FORMAT, "%s: line %u, column %u: %s", p->what, line, column, message);
}

static int peek(const struct parser *p)
{
    return p->at < p->size ? p->text[p->at] : -1;
}

static void skip_space(struct parser *p)
{
    while (p->at < p->size && memchr(" \t\r\n", p->text[p->at], 4))
        p->at++;
}

static int hex_value(int ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch |= 0x20;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* The four digits after "\u"; -1 when they are not there. */
static int32_t parse_hex4(struct parser *p)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        const int digit = hex_value(peek(p));
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

static void put_utf8(struct parser *p, uint32_t code)
{
    char *s = p->json->strings + p->strings_used;
    if (code < 0x80) {
        s[0] = (char) code;
        p->strings_used += 1;
        return;
    }
    const uint32_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[4] = {0, 0xC0, 0xE0, 0xF0};
    s[0] = (char) (lead[more] | code >> (6 * more));
    for (uint32_t i = 1; i <= more; i++)
        s[i] = (char) (0x80 | (code >> (6 * (more - i)) & 0x3F));
    p->strings_used += more + 1;
}

static rc_status parse_unicode_escape(struct parser *p)
{
    int32_t code = parse_hex4(p);
    if (code <= 0)
        return parse_fail(p, code ? "\\u needs four hexadecimal digits" : "\\u0000 is refused");
    if (code >= 0xDC00 && code <= 0xDFFF)
        return parse_fail(p, "second half of a surrogate pair without the first");
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (p->at + 1 >= p->size || p->text[p->at] != '\\' || p->text[p->at + 1] != 'u')
            return parse_fail(p, "first half of a surrogate pair without the second");
        p->at += 2;
        const int32_t low = parse_hex4(p);
        if (low < 0xDC00 || low > 0xDFFF)
            return parse_fail(p, "first half of a surrogate pair without the second");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    put_utf8(p, (uint32_t) code);
    return RC_OK;
}

static rc_status parse_escape(struct parser *p)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const int ch = peek(p);
    p->at++;
    if (ch == 'u')
        return parse_unicode_escape(p);
    const char *hit = ch > 0 ? strchr(from, ch) : NULL;
    if (!hit)
        return parse_fail(p, "unknown escape in a string");
    p->json->strings[p->strings_used++] = to[hit - from];
    return RC_OK;
}

/* Unicode table 3-7. */
uint32_t rci_utf8_length(const uint8_t *s, size_t left)
{
    const uint8_t b = s[0];
    const uint32_t n = b < 0x80 ? 1 : b < 0xC2 ? 0 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : b < 0xF5 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    for (uint32_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((b == 0xE0 && s[1] < 0xA0) || (b == 0xED && s[1] > 0x9F) || (b == 0xF0 && s[1] < 0x90) ||
        (b == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

static rc_status parse_string(struct parser *p, const char **out)
{
    char *const start = p->json->strings + p->strings_used;
    p->at++;
    for (;;) {
        const int ch = peek(p);
        if (ch < 0)
            return parse_fail(p, "string without its closing quote");
        if (ch == '"')
            break;
        if (ch < 0x20)
            return parse_fail(p, "control character in a string");
        if (ch == '\\') {
            p->at++;
            RC_TRY(parse_escape(p));
            continue;
        }
        const uint32_t n = rci_utf8_length(p->text + p->at, p->size - p->at);
        if (n == 0)
            return parse_fail(p, "string is not UTF-8");
        memcpy(p->json->strings + p->strings_used, p->text + p->at, n);
        p->strings_used += n;
        p->at += n;
    }
    p->at++;
    p->json->strings[p->strings_used++] = 0;
    *out = start;
    return RC_OK;
}

static uint32_t skip_digits(struct parser *p)
{
    const size_t from = p->at;
    while (peek(p) >= '0' && peek(p) <= '9')
        p->at++;
    return (uint32_t) (p->at - from);
}

static rc_status parse_number(struct parser *p, double *out)
{
    const size_t from = p->at;
    p->at += peek(p) == '-';
    const bool zero = peek(p) == '0';
    const uint32_t whole = skip_digits(p);
    bool good = whole > 0 && !(zero && whole > 1);
    if (good && peek(p) == '.') {
        p->at++;
        good = skip_digits(p) > 0;
    }
    if (good && (peek(p) == 'e' || peek(p) == 'E')) {
        p->at++;
        p->at += peek(p) == '+' || peek(p) == '-';
        good = skip_digits(p) > 0;
    }
    if (!good)
        return parse_fail(p, "not a JSON number");
    if (p->at - from >= NUMBER_MAX)
        return parse_fail(p, "number of more than 63 characters");
    char digits[NUMBER_MAX];
    memcpy(digits, p->text + from, p->at - from);
    digits[p->at - from] = 0;
    *out = rci_number_parse(digits, NULL);
    return isfinite(*out) ? RC_OK : parse_fail(p, "number is too large for a double");
}

static rc_status parse_word(struct parser *p, const char *word)
{
    const size_t n = strlen(word);
    if (p->size - p->at < n || memcmp(p->text + p->at, word, n) != 0)
        return parse_fail(p, "a value is expected here");
    p->at += n;
    return RC_OK;
}

static rc_status parse_key(struct parser *p, const struct rci_json_value *object, const char **key)
{
    skip_space(p);
    if (peek(p) != '"')
        return parse_fail(p, "a key in quotes is expected here");
    RC_TRY(parse_string(p, key));
    p->comparisons += object->count;
    if (p->comparisons > KEY_COMPARISONS_MAX)
        return parse_fail(p, "too many keys in one object");
    if (rci_json_get(object, *key))
        return parse_fail(p, "the object has this key already");
    skip_space(p);
    if (peek(p) != ':')
        return parse_fail(p, "':' is expected after a key");
    p->at++;
    return RC_OK;
}

/* Members of an array or object, behind its opening bracket. */
static rc_status parse_members(struct parser *p, struct rci_json_value *v, char close)
{
    struct rci_json_value *last = NULL;
    p->at++;
    skip_space(p);
    if (peek(p) == close) {
        p->at++;
        return RC_OK;
    }
    for (;;) {
        const char *key = NULL;
        struct rci_json_value *member;
        if (close == '}')
            RC_TRY(parse_key(p, v, &key));
        RC_TRY(json_parse_value(p, &member));
        member->key = key;
        if (last)
            last->next = member;
        else
            v->first = member;
        last = member;
        v->count++;
        skip_space(p);
        const int ch = peek(p);
        if (ch != ',' && ch != close)
            return parse_fail(p, close == '}' ? "',' or '}' is expected here"
                                              : "',' or ']' is expected here");
        p->at++;
        if (ch == close)
            return RC_OK;
    }
}

static rc_status parse_container(struct parser *p, struct rci_json_value *v)
{
    const bool object = peek(p) == '{';
    v->type = object ? RC_JSON_OBJECT : RC_JSON_ARRAY;
    if (p->depth == DEPTH_MAX)
        return parse_fail(p, "nested more than 64 deep");
    p->depth++;
    RC_TRY(parse_members(p, v, object ? '}' : ']'));
    p->depth--;
    return RC_OK;
}

static rc_status json_parse_value(struct parser *p, struct rci_json_value **out)
{
    skip_space(p);
    if (p->json->n_values == p->capacity)
        return parse_fail(p, "a value is expected here");
    struct rci_json_value *v = *out = &p->json->values[p->json->n_values++];
    const int ch = peek(p);
    if (ch == '{' || ch == '[')
        return parse_container(p, v);
    if (ch == '"') {
        v->type = RC_JSON_STRING;
        return parse_string(p, &v->text);
    }
    if (ch == '-' || (ch >= '0' && ch <= '9')) {
        v->type = RC_JSON_NUMBER;
        return parse_number(p, &v->number);
    }
    v->type = ch == 'n' ? RC_JSON_NULL : RC_JSON_BOOL;
    v->number = ch == 't';
    return parse_word(p, ch == 'n' ? "null" : ch == 't' ? "true" : "false");
}

/* Each value but the first follows one of "[{,:", and a key-value pair needs two of them. */
static size_t count_values(const uint8_t *text, size_t size)
{
    size_t n = 1;
    for (size_t i = 0; i < size; i++)
        n += text[i] == ',' || text[i] == '[' || text[i] == '{';
    return n;
}

static rc_status parse_document(struct parser *p)
{
    struct rci_json_value *root;
    RC_TRY(json_parse_value(p, &root));
    skip_space(p);
    return p->at == p->size ? RC_OK : parse_fail(p, "text after the end of the value");
}

rc_status rci_json_parse(struct rci_json **out, struct rc_context *c, const char *text, size_t size,
                         const char *what)
{
    *out = NULL;
    const size_t n = size <= TEXT_MAX ? count_values((const uint8_t *) text, size) : 0;
    if (n == 0 || n > VALUES_MAX)
        return rci_fail(RC_ERR_LIMIT, "%s: JSON of %zu bytes is over the limit of %s", what, size,
                        n ? "4194304 values" : "64 MiB");
    struct rci_json *j = RC_NEW(c, struct rci_json);
    if (!j)
        return RC_ERR_MEMORY;
    rc_status st = RC_ERR_MEMORY;
    j->values = rci_alloc_array(c, n, sizeof(*j->values));
    j->strings = j->values ? rci_alloc(c, size + 1) : NULL;
    if (j->strings) {
        struct parser p = {.what = what,
                           .text = (const uint8_t *) text,
                           .size = size,
                           .json = j,
                           .capacity = (uint32_t) n};
        st = parse_document(&p);
    }
    if (st != RC_OK)
        rci_json_free(&j);
    *out = j;
    return st;
}

void rci_json_free(struct rci_json **j)
{
    if (!*j)
        return;
    rci_release((*j)->values);
    rci_release((*j)->strings);
    rci_release(*j);
    *j = NULL;
}

const struct rci_json_value *rci_json_root(const struct rci_json *j)
{
    return j->values;
}
