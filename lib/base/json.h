#ifndef RC_LIB_BASE_JSON_H
#define RC_LIB_BASE_JSON_H
/* JSON (RFC 8259): a strict parser into a tree, and a writer that appends to a buffer.
 * The parser refuses what is not JSON (comments, trailing commas, NaN, bad UTF-8, control
 * characters), duplicate keys, "\u0000", depth over 64, text over 64 MiB and over 4 M values. */
#include "base/file.h"

enum rci_json_type {
    RC_JSON_NULL,
    RC_JSON_BOOL,
    RC_JSON_NUMBER,
    RC_JSON_STRING,
    RC_JSON_ARRAY,
    RC_JSON_OBJECT
};

struct rci_json_value {
    enum rci_json_type type;
    uint32_t count;                     /* members of an array or object */
    const char *key;                    /* inside an object, else NULL */
    const char *text;                   /* string, else NULL */
    double number;                      /* number; bool: 0 or 1 */
    const struct rci_json_value *first; /* first member */
    const struct rci_json_value *next;  /* next member of the parent */
};

struct rci_json;
/* `what` ("recipe.json", "metadata rescomp.preprocess") starts every message. */
rc_status rci_json_parse(struct rci_json **out, struct rc_context *c, const char *text, size_t size,
                         const char *what);
rc_status rci_json_load(struct rci_json **out, struct rc_context *c, const char *path);
void rci_json_free(struct rci_json **j); /* values die with it */
const struct rci_json_value *rci_json_root(const struct rci_json *j);
/* Bytes of the UTF-8 sequence at `s`, 0 when it is not well formed. */
uint32_t rci_utf8_length(const uint8_t *s, size_t left);
const char *rci_json_type_name(enum rci_json_type t);

/* Member `key` of an object; NULL when it is not there or `v` is no object (or NULL). */
const struct rci_json_value *rci_json_get(const struct rci_json_value *v, const char *key);
/* Element `index` of an array, NULL past its end. Walk long arrays with first and next. */
const struct rci_json_value *rci_json_at(const struct rci_json_value *v, uint32_t index);
/* RC_ERR_FORMAT unless `v` is of type `t`; `name` is what the message calls it. */
rc_status rci_json_expect(const struct rci_json_value *v, enum rci_json_type t, const char *name);

/* Typed members with a check. A missing key (or null) leaves *out as it is: set the default
 * before. A wrong type or a value out of range is RC_ERR_FORMAT and names key, value, range. */
rc_status rci_json_read_number(const struct rci_json_value *object, const char *key, double min,
                               double max, double *out);
rc_status rci_json_read_integer(const struct rci_json_value *object, const char *key, int64_t min,
                                int64_t max, int64_t *out); /* magnitude up to 2^53 */
rc_status rci_json_read_bool(const struct rci_json_value *object, const char *key, bool *out);
rc_status rci_json_read_text(const struct rci_json_value *object, const char *key,
                             const char **out);
/* RC_ERR_FORMAT when the object has a key that is not in the NULL-terminated list. */
rc_status rci_json_only_keys(const struct rci_json_value *object, const char *const *keys,
                             const char *name);

/* The writer remembers the first failure, so that calls need no check of their own; ask
 * rci_json_finish. `key` is NULL inside arrays and for the outermost value. */
struct rci_json_writer {
    struct rci_buffer *to;
    bool compact; /* no line breaks */
    bool started[66];
    uint32_t depth;
    rc_status failed;
};
struct rci_json_writer rci_json_writer_make(struct rci_buffer *to, bool compact);
void rci_json_begin_object(struct rci_json_writer *w, const char *key);
void rci_json_end_object(struct rci_json_writer *w);
void rci_json_begin_array(struct rci_json_writer *w, const char *key);
void rci_json_end_array(struct rci_json_writer *w);
void rci_json_put_text(struct rci_json_writer *w, const char *key,
                       const char *text); /* NULL: null */
void rci_json_put_number(struct rci_json_writer *w, const char *key,
                         double v); /* not finite: null */
void rci_json_put_integer(struct rci_json_writer *w, const char *key, int64_t v);
void rci_json_put_bool(struct rci_json_writer *w, const char *key, bool v);
void rci_json_put_null(struct rci_json_writer *w, const char *key);
/* RC_ERR_STATE when an object or array is still open. The buffer is not NUL-terminated. */
rc_status rci_json_finish(struct rci_json_writer *w);
#endif
