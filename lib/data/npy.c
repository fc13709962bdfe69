/* NPY: "\x93NUMPY", version, header length, a Python dictionary with descr, fortran_order and
 * shape, then the elements. */
#include "data/npy.h"
#include "tensor/half.h"
#include <string.h>

struct text {
    const char *at, *end;
    const char *what;
};

static rc_status header_fail(const struct text *t, const char *message)
{
    return rci_fail(RC_ERR_FORMAT, "%s: NPY header: %s", t->what, message);
}

static bool npy_take(struct text *t, char ch)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t'))
        t->at++;
    if (t->at == t->end || *t->at != ch)
        return false;
    t->at++;
    return true;
}

static bool take_word(struct text *t, const char *word)
{
    const size_t n = strlen(word);
    npy_take(t, 0); /* skips space */
    if ((size_t) (t->end - t->at) < n || memcmp(t->at, word, n) != 0)
        return false;
    t->at += n;
    return true;
}

static rc_status take_string(struct text *t, char *to, size_t room)
{
    const char quote = npy_take(t, '\'') ? '\'' : npy_take(t, '"') ? '"' : 0;
    size_t n = 0;
    if (!quote)
        return header_fail(t, "a text in quotes is expected");
    while (t->at < t->end && *t->at != quote && n + 1 < room)
        to[n++] = *t->at++;
    to[n] = 0;
    return npy_take(t, quote) ? RC_OK : header_fail(t, "a text is too long or has no end");
}

static rc_status take_descr(struct text *t, struct rci_npy *a)
{
    char d[8];
    if (npy_take(t, '['))
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: NPY arrays of structures", t->what);
    RC_TRY(take_string(t, d, sizeof(d)));
    const bool ordered = d[0] && strchr("<>|=", d[0]);
    const char *type = d + ordered;
    a->kind = type[0];
    a->item =
        type[0] && type[1] >= '1' && type[1] <= '8' && !type[2] ? (uint32_t) (type[1] - '0') : 0;
    a->big_endian = d[0] == '>';
    static const char *const known[] = {"f2", "f4", "f8", "i1", "i2", "i4",
                                        "i8", "u1", "u2", "u4", "u8", "b1"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(type, known[i]) == 0)
            return RC_OK;
    return rci_fail(RC_ERR_UNSUPPORTED,
                    "%s: NPY type is \"%s\", must be f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 or b1",
                    t->what, d);
}

static rc_status take_dim(struct text *t, struct rci_npy *a)
{
    int64_t v = 0;
    uint32_t digits = 0;
    npy_take(t, 0);
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++, digits++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *t->at - '0', &v))
            return rci_fail(RC_ERR_LIMIT, "%s: NPY shape: a size exceeds 2^63 - 1", t->what);
    if (digits == 0)
        return header_fail(t, "shape needs numbers that are not negative");
    if (t->at < t->end && *t->at == 'L') /* written by Python 2 */
        t->at++;
    if (a->shape.rank == RC_MAX_DIMS)
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: NPY array of more than %d dimensions", t->what,
                        RC_MAX_DIMS);
    a->shape.dim[a->shape.rank++] = v;
    return RC_OK;
}

static rc_status take_shape(struct text *t, struct rci_npy *a)
{
    if (!npy_take(t, '('))
        return header_fail(t, "shape must be a tuple");
    a->shape.rank = 0;
    while (!npy_take(t, ')')) {
        RC_TRY(take_dim(t, a));
        if (!npy_take(t, ',')) {
            if (!npy_take(t, ')'))
                return header_fail(t, "',' or ')' is expected in shape");
            break;
        }
    }
    return RC_OK;
}

static rc_status take_order(struct text *t)
{
    if (take_word(t, "False"))
        return RC_OK;
    if (take_word(t, "True"))
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: NPY array in Fortran order", t->what);
    return header_fail(t, "fortran_order must be True or False");
}

static rc_status take_header(struct text *t, struct rci_npy *a)
{
    uint32_t seen = 0;
    if (!npy_take(t, '{'))
        return header_fail(t, "'{' is expected");
    while (!npy_take(t, '}')) {
        static const char *const keys[] = {"descr", "fortran_order", "shape"};
        char key[32];
        uint32_t k = 0;
        RC_TRY(take_string(t, key, sizeof(key)));
        while (k < 3 && strcmp(key, keys[k]) != 0)
            k++;
        if (k == 3 || seen & 1u << k || !npy_take(t, ':'))
            return header_fail(t, "keys must be descr, fortran_order and shape, once each");
        seen |= 1u << k;
        RC_TRY(k == 0 ? take_descr(t, a) : k == 1 ? take_order(t) : take_shape(t, a));
        if (!npy_take(t, ',')) {
            if (!npy_take(t, '}'))
                return header_fail(t, "',' or '}' is expected");
            break;
        }
    }
    return seen == 7 ? RC_OK : header_fail(t, "descr, fortran_order or shape is missing");
}

static rc_status check_size(struct rci_npy *a, size_t left, const char *what)
{
    char text[RC_SHAPE_TEXT];
    if (!rci_shape_count_checked(&a->shape, &a->count))
        return rci_fail(RC_ERR_LIMIT, "%s: NPY shape is too large", what);
    if ((uint64_t) a->count > left / a->item || (size_t) a->count * a->item != left)
        return rci_fail((uint64_t) a->count > left / a->item ? RC_ERR_TRUNCATED : RC_ERR_FORMAT,
                        "%s: %zu bytes of data, shape %s of %u bytes each needs %lld elements",
                        what, left, rci_shape_text(&a->shape, text), a->item, (long long) a->count);
    return RC_OK;
}

rc_status rci_npy_parse(struct rci_npy *out, const uint8_t *bytes, size_t size, const char *what)
{
    *out = (struct rci_npy){0};
    if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return rci_fail(RC_ERR_FORMAT, "%s: not an NPY array", what);
    const uint8_t version = bytes[6];
    if (version < 1 || version > 3)
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: NPY version %u, must be 1..3", what, version);
    const size_t start = version == 1 ? 10 : 12;
    size_t length = bytes[8] | (size_t) bytes[9] << 8;
    if (version > 1)
        length |= (size_t) bytes[10] << 16 | (size_t) bytes[11] << 24;
    if (length > size - start)
        return rci_fail(RC_ERR_TRUNCATED, "%s: NPY header of %zu bytes, the file has %zu", what,
                        length, size);
    struct text t = {(const char *) bytes + start, (const char *) bytes + start + length, what};
    RC_TRY(take_header(&t, out));
    out->data = bytes + start + length;
    return check_size(out, size - start - length, what);
}

/* Element as a little-endian 64-bit pattern. */
static uint64_t element_bits(const struct rci_npy *a, int64_t index)
{
    const uint8_t *p = a->data + (size_t) index * a->item;
    uint64_t v = 0;
    for (uint32_t i = 0; i < a->item; i++)
        v |= (uint64_t) p[a->big_endian ? a->item - 1 - i : i] << (8 * i);
    return v;
}

int64_t rci_npy_integer(const struct rci_npy *a, int64_t index)
{
    const uint64_t v = element_bits(a, index);
    const uint32_t shift = 64 - 8 * a->item;
    if (a->kind == 'i')
        return (int64_t) (v << shift) >> shift;
    return v > INT64_MAX ? INT64_MAX : (int64_t) v;
}

static float element_f32(const struct rci_npy *a, int64_t index)
{
    const uint64_t v = element_bits(a, index);
    if (a->kind == 'i')
        return (float) rci_npy_integer(a, index);
    if (a->kind != 'f')
        return (float) v;
    if (a->item == 2)
        return rci_half_to_f32((uint16_t) v);
    const uint32_t low = (uint32_t) v;
    double wide;
    float narrow;
    memcpy(&wide, &v, sizeof(wide));
    memcpy(&narrow, &low, sizeof(narrow));
    return a->item == 8 ? (float) wide : narrow;
}

void rci_npy_to_f32(const struct rci_npy *a, float *out)
{
    if (a->kind == 'f' && a->item == 4 && !a->big_endian) {
        if (a->count)
            memcpy(out, a->data, (size_t) a->count * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < a->count; i++)
        out[i] = element_f32(a, i);
}
