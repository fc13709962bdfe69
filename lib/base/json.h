#ifndef RC_LIB_BASE_JSON_H
#define RC_LIB_BASE_JSON_H
/* JSON (RFC 8259): a strict parser into a tree, and a writer that appends to a buffer.
 * The parser refuses what is not JSON (comments, trailing commas, NaN, bad UTF-8, control
 * characters), duplicate keys, "\u0000", depth over 64, text over 64 MiB and over 4 M values. */
#include "base/file.h"

enum rc_json_type {
    RC_JSON_NULL,
    RC_JSON_BOOL,
    RC_JSON_NUMBER,
    RC_JSON_STRING,
    RC_JSON_ARRAY,
    RC_JSON_OBJECT
};

struct rc_json_value {
    enum rc_json_type type;
    uint32_t count;                    /* members of an array or object */
    const char *key;                   /* inside an object, else NULL */
    const char *text;                  /* string, else NULL */
    double number;                     /* number; bool: 0 or 1 */
    const struct rc_json_value *first; /* first member */
    const struct rc_json_value *next;  /* next member of the parent */
};

struct rc_json;
/* `what` ("recipe.json", "metadata rescomp.preprocess") starts every message. */
rc_status rc_json_parse(struct rc_json **out, struct rc_context *c, const char *text, size_t size,
                        const char *what);
rc_status rc_json_load(struct rc_json **out, struct rc_context *c, const char *path);
void rc_json_free(struct rc_json **j); /* values die with it */
const struct rc_json_value *rc_json_root(const struct rc_json *j);
/* Bytes of the UTF-8 sequence at `s`, 0 when it is not well formed. */
uint32_t rc_utf8_length(const uint8_t *s, size_t left);
const char *rc_json_type_name(enum rc_json_type t);

/* Member `key` of an object; NULL when it is not there or `v` is no object (or NULL). */
const struct rc_json_value *rc_json_get(const struct rc_json_value *v, const char *key);
/* Element `index` of an array, NULL past its end. Walk long arrays with first and next. */
const struct rc_json_value *rc_json_at(const struct rc_json_value *v, uint32_t index);
/* RC_ERR_FORMAT unless `v` is of type `t`; `name` is what the message calls it. */
rc_status rc_json_expect(const struct rc_json_value *v, enum rc_json_type t, const char *name);

/* Typed members with a check. A missing key (or null) leaves *out as it is: set the default
 * before. A wrong type or a value out of range is RC_ERR_FORMAT and names key, value, range. */
rc_status rc_json_read_number(const struct rc_json_value *object, const char *key, double min,
                              double max, double *out);
rc_status rc_json_read_integer(const struct rc_json_value *object, const char *key, int64_t min,
                               int64_t max, int64_t *out); /* magnitude up to 2^53 */
rc_status rc_json_read_bool(const struct rc_json_value *object, const char *key, bool *out);
rc_status rc_json_read_text(const struct rc_json_value *object, const char *key, const char **out);
/* RC_ERR_FORMAT when the object has a key that is not in the NULL-terminated list. */
rc_status rc_json_only_keys(const struct rc_json_value *object, const char *const *keys,
                            const char *name);

/* The writer remembers the first failure, so that calls need no check of their own; ask
 * rc_json_finish. `key` is NULL inside arrays and for the outermost value. */
struct rc_json_writer {
    struct rc_buffer *to;
    bool compact; /* no line breaks */
    bool started[66];
    uint32_t depth;
    rc_status failed;
};
struct rc_json_writer rc_json_writer_make(struct rc_buffer *to, bool compact);
void rc_json_begin_object(struct rc_json_writer *w, const char *key);
void rc_json_end_object(struct rc_json_writer *w);
void rc_json_begin_array(struct rc_json_writer *w, const char *key);
void rc_json_end_array(struct rc_json_writer *w);
void rc_json_put_text(struct rc_json_writer *w, const char *key, const char *text); /* NULL: null */
void rc_json_put_number(struct rc_json_writer *w, const char *key, double v); /* not finite: null */
void rc_json_put_integer(struct rc_json_writer *w, const char *key, int64_t v);
void rc_json_put_bool(struct rc_json_writer *w, const char *key, bool v);
void rc_json_put_null(struct rc_json_writer *w, const char *key);
/* RC_ERR_STATE when an object or array is still open. The buffer is not NUL-terminated. */
rc_status rc_json_finish(struct rc_json_writer *w);
#endif
