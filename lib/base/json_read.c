/* Typed, checked access to parsed JSON values. */
#include "base/json.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

rc_status rci_json_load(struct rci_json **out, struct rc_context *c, const char *path)
{
    struct rci_bytes file;
    *out = NULL;
    RC_TRY(rci_file_read(c, path, 64u << 20, &file));
    const rc_status st = rci_json_parse(out, c, (const char *) file.data, file.size, path);
    rci_release(file.data);
    return st;
}

const char *rci_json_type_name(enum rci_json_type t)
{
    static const char *const name[] = {"null",   "true or false", "a number",
                                       "a text", "an array",      "an object"};
    return name[t];
}

const struct rci_json_value *rci_json_get(const struct rci_json_value *v, const char *key)
{
    if (!v || v->type != RC_JSON_OBJECT)
        return NULL;
    for (const struct rci_json_value *m = v->first; m; m = m->next)
        if (strcmp(m->key, key) == 0)
            return m;
    return NULL;
}

const struct rci_json_value *rci_json_at(const struct rci_json_value *v, uint32_t index)
{
    if (!v || v->type != RC_JSON_ARRAY)
        return NULL;
    const struct rci_json_value *m = v->first;
    for (; m && index > 0; index--)
        m = m->next;
    return m;
}

rc_status rci_json_expect(const struct rci_json_value *v, enum rci_json_type t, const char *name)
{
    if (!v)
        return rci_fail(RC_ERR_FORMAT, "\"%s\" is missing, must be %s", name,
                        rci_json_type_name(t));
    if (v->type != t)
        return rci_fail(RC_ERR_FORMAT, "\"%s\" is %s, must be %s", name,
                        rci_json_type_name(v->type), rci_json_type_name(t));
    return RC_OK;
}

/* *v NULL: the key is missing or null. */
static rc_status read_member(const struct rci_json_value *object, const char *key,
                             enum rci_json_type t, const struct rci_json_value **v)
{
    *v = rci_json_get(object, key);
    if (*v && (*v)->type == RC_JSON_NULL)
        *v = NULL;
    return *v ? rci_json_expect(*v, t, key) : RC_OK;
}

rc_status rci_json_read_number(const struct rci_json_value *object, const char *key, double min,
                               double max, double *out)
{
    const struct rci_json_value *v;
    RC_TRY(read_member(object, key, RC_JSON_NUMBER, &v));
    if (!v)
        return RC_OK;
    if (!(v->number >= min && v->number <= max)) {
        char text[3][RC_NUMBER_TEXT];
        return rci_fail(RC_ERR_FORMAT, "\"%s\" is %s, must be %s..%s", key,
                        rci_number_text(v->number, text[0]), rci_number_text(min, text[1]),
                        rci_number_text(max, text[2]));
    }
    *out = v->number;
    return RC_OK;
}

rc_status rci_json_read_integer(const struct rci_json_value *object, const char *key, int64_t min,
                                int64_t max, int64_t *out)
{
    const double exact = 9007199254740992.0; /* 2^53: integers beyond it are not exact */
    double v = NAN;
    RC_TRY(rci_json_read_number(object, key, fmax((double) min, -exact), fmin((double) max, exact),
                                &v));
    if (isnan(v))
        return RC_OK;
    if (v != floor(v)) {
        char text[RC_NUMBER_TEXT];
        return rci_fail(RC_ERR_FORMAT, "\"%s\" is %s, must be a whole number", key,
                        rci_number_text(v, text));
    }
    *out = (int64_t) v;
    return RC_OK;
}

rc_status rci_json_read_bool(const struct rci_json_value *object, const char *key, bool *out)
{
    const struct rci_json_value *v;
    RC_TRY(read_member(object, key, RC_JSON_BOOL, &v));
    if (v)
        *out = v->number != 0;
    return RC_OK;
}

rc_status rci_json_read_text(const struct rci_json_value *object, const char *key, const char **out)
{
    const struct rci_json_value *v;
    RC_TRY(read_member(object, key, RC_JSON_STRING, &v));
    if (v)
        *out = v->text;
    return RC_OK;
}

rc_status rci_json_only_keys(const struct rci_json_value *object, const char *const *keys,
                             const char *name)
{
    RC_TRY(rci_json_expect(object, RC_JSON_OBJECT, name));
    for (const struct rci_json_value *m = object->first; m; m = m->next) {
        const char *const *k = keys;
        while (*k && strcmp(*k, m->key) != 0)
            k++;
        if (*k)
            continue;
        rci_fail(RC_ERR_FORMAT, "\"%s\" has an unknown key \"%s\"; known:", name, m->key);
        for (k = keys; *k; k++)
            rci_fail_append(" %s", *k);
        return RC_ERR_FORMAT;
    }
    return RC_OK;
}
