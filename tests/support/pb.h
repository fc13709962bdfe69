#ifndef PB_H
#define PB_H
/* A tiny protobuf writer, so that tests can build ONNX files - good and broken ones - in memory
 * without the library's own code. */
#include <stddef.h>
#include <stdint.h>

struct pb {
    uint8_t *data;
    size_t size, capacity;
};
void pb_free(struct pb *p);
void pb_raw(struct pb *p, const void *data, size_t n); /* bytes as they are */
void pb_number(struct pb *p, uint64_t v);              /* a varint alone */
void pb_tag(struct pb *p, uint32_t field, uint32_t wire);
void pb_varint(struct pb *p, uint32_t field, int64_t v);
void pb_float(struct pb *p, uint32_t field, float v);
void pb_bytes(struct pb *p, uint32_t field, const void *data, size_t n);
void pb_string(struct pb *p, uint32_t field, const char *s);
void pb_message(struct pb *p, uint32_t field, struct pb *m); /* frees m */

/* --- ONNX; lists of names are separated by spaces, "-" is an absent operand --- */
struct pb onnx_node(const char *op, const char *name, const char *in, const char *out);
void onnx_attr_int(struct pb *node, const char *name, int64_t v);
void onnx_attr_float(struct pb *node, const char *name, float v);
void onnx_attr_ints(struct pb *node, const char *name, const int64_t *v, uint32_t n);
void onnx_attr_string(struct pb *node, const char *name, const char *v);
void onnx_attr_tensor(struct pb *node, const char *name, struct pb tensor); /* frees it */
#define onnx_attr_list(node, name, ...)                  \
    onnx_attr_ints(node, name, (int64_t[]){__VA_ARGS__}, \
                   sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* Tensor with raw_data; type is TensorProto.DataType. */
struct pb onnx_tensor(const char *name, int32_t type, uint32_t rank, const int64_t *dims,
                      const void *data, size_t bytes);
#define onnx_floats(name, dims, ...)                                                   \
    onnx_tensor(name, 1, sizeof(dims) / sizeof(dims[0]), dims, (float[]){__VA_ARGS__}, \
                sizeof((float[]){__VA_ARGS__}))
#define onnx_int64s(name, ...)                                                               \
    onnx_tensor(name, 7, 1, (int64_t[]){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)}, \
                (int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}))

/* ValueInfoProto of f32; shape "N,3,8,8": what is no number is symbolic, "?" is left unset. */
struct pb onnx_value(const char *name, const char *shape);

/* A graph in the making: what is put in order of calls. */
struct onnx_model {
    struct pb graph;
    int64_t ir_version, opset;
};
struct onnx_model onnx_model(void); /* opset 13, IR 8, graph named "g", nothing in it */
void onnx_input(struct onnx_model *m, const char *name, const char *shape);
void onnx_output(struct onnx_model *m, const char *name, const char *shape);
void onnx_initializer(struct onnx_model *m, struct pb tensor);
void onnx_add(struct onnx_model *m, struct pb node);
struct pb onnx_bytes(struct onnx_model *m); /* the file; frees the graph */
#endif
