/* Typed writing of one node's attributes into an ONNX message. */
#include "wire/onnx.h"

#include <stdio.h>
#include <string.h>

int64_t rci_attr_write_opset(const struct rci_attr_write *w)
{
    return w->opset;
}

rc_status rci_attr_write_since(const struct rci_attr_write *w, int64_t since, const char *what)
{
    if (w->opset >= since)
        return RC_OK;
    return rci_fail(RC_ERR_UNSUPPORTED,
                    "node \"%s\": %s exists since opset %lld, the file is to be of opset %lld",
                    w->name, what, (long long) since, (long long) w->opset);
}

enum rci_dtype rci_attr_write_real(const struct rci_attr_write *w)
{
    return w->storage ? w->storage : RC_F32;
}

int64_t rci_attr_type_number(const struct rci_attr_write *w, enum rci_dtype t)
{
    return rci_onnx_dtype_number(t == RC_F32 ? rci_attr_write_real(w) : t);
}

enum rci_dtype rci_attr_type(int64_t onnx)
{
    return onnx > 0 && onnx <= INT32_MAX ? rci_onnx_dtype((int32_t) onnx) : (enum rci_dtype) 0;
}

static rc_status attr_new(struct rci_attr_write *w, const char *name, int32_t type,
                          Onnx__AttributeProto **out)
{
    if (w->n_attr == RC_MAX_PUT)
        return rci_fail(RC_ERR_LIMIT, "node \"%s\": more than %d attributes", w->name, RC_MAX_PUT);
    Onnx__AttributeProto *p = rci_arena_alloc(w->arena, sizeof(*p));
    if (!p)
        return w->arena->status;
    onnx__attribute_proto__init(p);
    p->has_type = 1;
    p->type = type;
    if (!(p->name = rci_arena_strdup(w->arena, name)))
        return w->arena->status;
    w->attr[w->n_attr++] = p;
    *out = p;
    return RC_OK;
}

rc_status rci_put_int(struct rci_attr_write *w, const char *name, int64_t v)
{
    Onnx__AttributeProto *p = NULL;
    RC_TRY(attr_new(w, name, ONNX_ATTR_INT, &p));
    p->has_i = 1;
    p->i = v;
    return RC_OK;
}

rc_status rci_put_float(struct rci_attr_write *w, const char *name, float v)
{
    Onnx__AttributeProto *p = NULL;
    RC_TRY(attr_new(w, name, ONNX_ATTR_FLOAT, &p));
    p->has_f = 1;
    p->f = v;
    return RC_OK;
}

rc_status rci_put_ints(struct rci_attr_write *w, const char *name, const int64_t *v, uint32_t n)
{
    Onnx__AttributeProto *p = NULL;
    RC_TRY(attr_new(w, name, ONNX_ATTR_INTS, &p));
    if (!(p->ints = rci_arena_array(w->arena, n, sizeof(*v))))
        return w->arena->status;
    if (n)
        memcpy(p->ints, v, n * sizeof(*v));
    p->n_ints = n;
    return RC_OK;
}

rc_status rci_put_floats(struct rci_attr_write *w, const char *name, const float *v, uint32_t n)
{
    Onnx__AttributeProto *p = NULL;
    RC_TRY(attr_new(w, name, ONNX_ATTR_FLOATS, &p));
    if (!(p->floats = rci_arena_array(w->arena, n, sizeof(*v))))
        return w->arena->status;
    if (n)
        memcpy(p->floats, v, n * sizeof(*v));
    p->n_floats = n;
    return RC_OK;
}

rc_status rci_put_string(struct rci_attr_write *w, const char *name, const char *v)
{
    Onnx__AttributeProto *p = NULL;
    RC_TRY(attr_new(w, name, ONNX_ATTR_STRING, &p));
    p->has_s = 1;
    p->s.len = strlen(v);
    p->s.data = (uint8_t *) rci_arena_strdup(w->arena, v);
    return p->s.data ? RC_OK : w->arena->status;
}

/* The caller's tensor may live on its stack, so the bytes are copied. */
static rc_status tensor_copied(struct rci_attr_write *w, const char *name,
                               const struct rci_tensor *t, enum rci_dtype storage,
                               Onnx__TensorProto **out)
{
    const size_t bytes = rci_tensor_bytes(t);
    struct rci_tensor copy = *t;
    if (!(copy.data = rci_arena_alloc(w->arena, bytes)))
        return w->arena->status;
    if (bytes)
        memcpy(copy.data, t->data, bytes);
    return rci_onnx_tensor_write(out, w->arena, name, &copy, storage);
}

rc_status rci_put_tensor(struct rci_attr_write *w, const char *name, const struct rci_tensor *t)
{
    Onnx__AttributeProto *p = NULL;
    RC_TRY(attr_new(w, name, ONNX_ATTR_TENSOR, &p));
    return tensor_copied(w, NULL, t, w->storage, &p->t);
}

static rc_status put_operand(struct rci_attr_write *w, uint32_t index, const char *what,
                             const struct rci_tensor *t, enum rci_dtype storage)
{
    if (w->n_operands == RC_MAX_PUT)
        return rci_fail(RC_ERR_LIMIT, "node \"%s\": more than %d written operands", w->name,
                        RC_MAX_PUT);
    struct rci_attr_operand *o = &w->operand[w->n_operands];
    o->index = index;
    char *name = rci_arena_alloc(w->arena, strlen(w->name) + strlen(what) + 2);
    if (!name)
        return w->arena->status;
    sprintf(name, "%s_%s", w->name, what);
    RC_TRY(tensor_copied(w, name, t, storage, &o->tensor));
    w->n_operands++;
    return RC_OK;
}

rc_status rci_put_operand(struct rci_attr_write *w, uint32_t index, const char *what,
                          const struct rci_tensor *t)
{
    return put_operand(w, index, what, t, w->storage);
}

rc_status rci_put_operand_f32(struct rci_attr_write *w, uint32_t index, const char *what,
                              const struct rci_tensor *t)
{
    return put_operand(w, index, what, t, 0);
}
