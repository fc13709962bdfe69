/* Typed reading of one node's attributes. What is read is marked; io refuses what nobody read. */
#include "wire/onnx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int64_t rci_attrs_opset(const struct rci_attrs *a)
{
    return a->opset;
}

const char *rci_attrs_node(const struct rci_attrs *a)
{
    return a->name;
}

struct rc_context *rci_attrs_context(const struct rci_attrs *a)
{
    return a->arena->ctx;
}

static const Onnx__AttributeProto *attr_find(const struct rci_attrs *a, const char *name)
{
    for (size_t i = 0; i < a->node->n_attribute; i++) {
        const Onnx__AttributeProto *p = a->node->attribute[i];
        if (!strcmp(rci_onnx_text(p->name), name)) {
            a->used[i] = true;
            return p;
        }
    }
    return NULL;
}

static const char *attr_type_name(int32_t type)
{
    static const char *const names[] = {
        "of no type",     "FLOAT",      "INT",        "STRING",  "TENSOR", "GRAPH",
        "FLOATS",         "INTS",       "STRINGS",    "TENSORS", "GRAPHS", "SPARSE_TENSOR",
        "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"};
    const int32_t n = (int32_t) (sizeof(names) / sizeof(names[0]));
    return type >= 0 && type < n ? names[type] : "unknown";
}

/* Files older than IR version 3 do not state the type; then the field that is set tells. */
static int32_t attr_type(const Onnx__AttributeProto *p)
{
    if (p->type)
        return p->type;
    return p->has_f      ? ONNX_ATTR_FLOAT
           : p->has_i    ? ONNX_ATTR_INT
           : p->has_s    ? ONNX_ATTR_STRING
           : p->t        ? ONNX_ATTR_TENSOR
           : p->n_floats ? ONNX_ATTR_FLOATS
           : p->n_ints   ? ONNX_ATTR_INTS
                         : 0;
}

static rc_status attr_get(const struct rci_attrs *a, const char *name, int32_t type,
                          const Onnx__AttributeProto **out)
{
    *out = attr_find(a, name);
    if (!*out || attr_type(*out) == type)
        return RC_OK;
    return rci_fail(RC_ERR_MODEL, "node \"%s\": attribute %s is %s, must be %s", a->name, name,
                   attr_type_name(attr_type(*out)), attr_type_name(type));
}

bool rci_attrs_has(const struct rci_attrs *a, const char *name)
{
    return attr_find(a, name) != NULL;
}

rc_status rci_attr_int(const struct rci_attrs *a, const char *name, int64_t def, int64_t *out)
{
    const Onnx__AttributeProto *p;
    RC_TRY(attr_get(a, name, ONNX_ATTR_INT, &p));
    *out = p ? p->i : def;
    return RC_OK;
}

rc_status rci_attr_float(const struct rci_attrs *a, const char *name, float def, float *out)
{
    const Onnx__AttributeProto *p;
    RC_TRY(attr_get(a, name, ONNX_ATTR_FLOAT, &p));
    *out = p ? p->f : def;
    if (isnan(*out))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": attribute %s is NaN", a->name, name);
    return RC_OK;
}

static rc_status attr_room(const struct rci_attrs *a, const char *name, size_t n, int32_t cap)
{
    if (n <= (size_t) cap)
        return RC_OK;
    return rci_fail(RC_ERR_MODEL, "node \"%s\": attribute %s has %zu entries, at most %d", a->name,
                   name, n, (int) cap);
}

rc_status rci_attr_ints(const struct rci_attrs *a, const char *name, int64_t *out, int32_t cap,
                       int32_t *n)
{
    const Onnx__AttributeProto *p;
    *n = -1;
    RC_TRY(attr_get(a, name, ONNX_ATTR_INTS, &p));
    if (!p)
        return RC_OK;
    RC_TRY(attr_room(a, name, p->n_ints, cap));
    *n = (int32_t) p->n_ints;
    if (*n)
        memcpy(out, p->ints, p->n_ints * sizeof(*out));
    return RC_OK;
}

rc_status rci_attr_floats(const struct rci_attrs *a, const char *name, float *out, int32_t cap,
                         int32_t *n)
{
    const Onnx__AttributeProto *p;
    *n = -1;
    RC_TRY(attr_get(a, name, ONNX_ATTR_FLOATS, &p));
    if (!p)
        return RC_OK;
    RC_TRY(attr_room(a, name, p->n_floats, cap));
    *n = (int32_t) p->n_floats;
    for (int32_t i = 0; i < *n; i++) {
        out[i] = p->floats[i];
        if (isnan(out[i]))
            return rci_fail(RC_ERR_MODEL, "node \"%s\": attribute %s has a NaN", a->name, name);
    }
    return RC_OK;
}

/* Bytes in the file; the arena copy has no terminator, so it gets one of its own when read. */
rc_status rci_attr_string(const struct rci_attrs *a, const char *name, const char **out)
{
    const Onnx__AttributeProto *p;
    *out = "";
    RC_TRY(attr_get(a, name, ONNX_ATTR_STRING, &p));
    if (!p || !p->s.len)
        return RC_OK;
    if (memchr(p->s.data, 0, p->s.len) || p->s.len > 1024)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": attribute %s is not a string of 1..1024 bytes",
                       a->name, name);
    char *copy = rci_arena_alloc(a->arena, p->s.len + 1);
    if (!copy)
        return a->arena->status;
    memcpy(copy, p->s.data, p->s.len);
    copy[p->s.len] = '\0';
    *out = copy;
    return RC_OK;
}

rc_status rci_attr_tensor(const struct rci_attrs *a, const char *name, struct rc_context *c,
                         struct rci_tensor *out)
{
    const Onnx__AttributeProto *p;
    *out = (struct rci_tensor){0};
    RC_TRY(attr_get(a, name, ONNX_ATTR_TENSOR, &p));
    if (!p)
        return RC_OK;
    if (!p->t)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": attribute %s has no tensor", a->name, name);
    char what[256];
    snprintf(what, sizeof(what), "node \"%.120s\": attribute %.40s", a->name, name);
    return rci_onnx_tensor_read(out, c, p->t, what);
}
