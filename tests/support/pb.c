#include "pb.h"

#include <stdlib.h>
#include <string.h>

void pb_free(struct pb *p)
{
    free(p->data);
    *p = (struct pb){0};
}

void pb_raw(struct pb *p, const void *data, size_t n)
{
    if (p->size + n > p->capacity) {
        p->capacity = 2 * (p->size + n) + 64;
        p->data = realloc(p->data, p->capacity);
        if (!p->data)
            abort();
    }
    if (n)
        memcpy(p->data + p->size, data, n);
    p->size += n;
}

void pb_number(struct pb *p, uint64_t v)
{
    uint8_t b[10];
    size_t n = 0;
    for (; v >= 128; v >>= 7)
        b[n++] = (uint8_t) (v | 128);
    b[n++] = (uint8_t) v;
    pb_raw(p, b, n);
}

void pb_tag(struct pb *p, uint32_t field, uint32_t wire)
{
    pb_number(p, (uint64_t) field << 3 | wire);
}

void pb_varint(struct pb *p, uint32_t field, int64_t v)
{
    pb_tag(p, field, 0);
    pb_number(p, (uint64_t) v);
}

void pb_float(struct pb *p, uint32_t field, float v)
{
    pb_tag(p, field, 5);
    pb_raw(p, &v, 4);
}

void pb_bytes(struct pb *p, uint32_t field, const void *data, size_t n)
{
    pb_tag(p, field, 2);
    pb_number(p, n);
    pb_raw(p, data, n);
}

void pb_string(struct pb *p, uint32_t field, const char *s)
{
    pb_bytes(p, field, s, strlen(s));
}

void pb_message(struct pb *p, uint32_t field, struct pb *m)
{
    pb_bytes(p, field, m->data, m->size);
    pb_free(m);
}

/* One string field per word of `list`; "-" is written empty. */
static void put_names(struct pb *p, uint32_t field, const char *list)
{
    while (*list) {
        const size_t n = strcspn(list, " ");
        if (n == 1 && *list == '-')
            pb_bytes(p, field, "", 0);
        else if (n)
            pb_bytes(p, field, list, n);
        list += n + (list[n] == ' ');
    }
}

struct pb onnx_node(const char *op, const char *name, const char *in, const char *out)
{
    struct pb p = {0};
    put_names(&p, 1, in);
    put_names(&p, 2, out);
    if (name)
        pb_string(&p, 3, name);
    pb_string(&p, 4, op);
    return p;
}

static struct pb attr(const char *name, int64_t type)
{
    struct pb a = {0};
    pb_string(&a, 1, name);
    pb_varint(&a, 20, type);
    return a;
}

void onnx_attr_int(struct pb *node, const char *name, int64_t v)
{
    struct pb a = attr(name, 2);
    pb_varint(&a, 3, v);
    pb_message(node, 5, &a);
}

void onnx_attr_float(struct pb *node, const char *name, float v)
{
    struct pb a = attr(name, 1);
    pb_float(&a, 2, v);
    pb_message(node, 5, &a);
}

void onnx_attr_ints(struct pb *node, const char *name, const int64_t *v, uint32_t n)
{
    struct pb a = attr(name, 7);
    for (uint32_t i = 0; i < n; i++)
        pb_varint(&a, 8, v[i]);
    pb_message(node, 5, &a);
}

void onnx_attr_string(struct pb *node, const char *name, const char *v)
{
    struct pb a = attr(name, 3);
    pb_string(&a, 4, v);
    pb_message(node, 5, &a);
}

void onnx_attr_tensor(struct pb *node, const char *name, struct pb tensor)
{
    struct pb a = attr(name, 4);
    pb_message(&a, 5, &tensor);
    pb_message(node, 5, &a);
}

struct pb onnx_tensor(const char *name, int32_t type, uint32_t rank, const int64_t *dims,
                      const void *data, size_t bytes)
{
    struct pb t = {0};
    for (uint32_t i = 0; i < rank; i++)
        pb_varint(&t, 1, dims[i]);
    pb_varint(&t, 2, type);
    pb_string(&t, 8, name);
    pb_bytes(&t, 9, data, bytes);
    return t;
}

struct pb onnx_value(const char *name, const char *shape)
{
    struct pb dims = {0}, tensor = {0}, type = {0}, value = {0};
    while (*shape) {
        struct pb dim = {0};
        char *end;
        const size_t n = strcspn(shape, ",");
        const long long v = strtoll(shape, &end, 10);
        if (end == shape + n)
            pb_varint(&dim, 1, v);
        else if (*shape != '?')
            pb_bytes(&dim, 2, shape, n);
        pb_message(&dims, 1, &dim);
        shape += n + (shape[n] == ',');
    }
    pb_varint(&tensor, 1, 1);
    pb_message(&tensor, 2, &dims);
    pb_message(&type, 1, &tensor);
    pb_string(&value, 1, name);
    pb_message(&value, 2, &type);
    return value;
}

struct onnx_model onnx_model(void)
{
    struct onnx_model m = {{0}, 8, 13};
    pb_string(&m.graph, 2, "g");
    return m;
}

void onnx_input(struct onnx_model *m, const char *name, const char *shape)
{
    struct pb v = onnx_value(name, shape);
    pb_message(&m->graph, 11, &v);
}

void onnx_output(struct onnx_model *m, const char *name, const char *shape)
{
    struct pb v = onnx_value(name, shape);
    pb_message(&m->graph, 12, &v);
}

void onnx_initializer(struct onnx_model *m, struct pb tensor)
{
    pb_message(&m->graph, 5, &tensor);
}

void onnx_add(struct onnx_model *m, struct pb node)
{
    pb_message(&m->graph, 1, &node);
}

struct pb onnx_bytes(struct onnx_model *m)
{
    struct pb file = {0}, opset = {0};
    pb_varint(&file, 1, m->ir_version);
    pb_message(&file, 7, &m->graph);
    pb_string(&opset, 1, "");
    pb_varint(&opset, 2, m->opset);
    pb_message(&file, 8, &opset);
    return file;
}
