#ifndef RC_LIB_WIRE_ATTR_H
#define RC_LIB_WIRE_ATTR_H
/* Typed access to ONNX node attributes, both ways. Readers mark what they read; io reports
 * attributes that nobody read (unknown to the operator) as RC_ERR_MODEL. */
#include "tensor/tensor.h"

struct rci_attrs; /* one node's attributes being read */
int64_t rci_attrs_opset(const struct rci_attrs *a);
const char *rci_attrs_node(const struct rci_attrs *a); /* node name for messages */
struct rc_context *rci_attrs_context(const struct rci_attrs *a); /* for rci_attr_tensor */
bool rci_attrs_has(const struct rci_attrs *a, const char *name);
/* Missing: the default. Wrong type, NaN: RC_ERR_MODEL that names node and attribute. */
rc_status rci_attr_int(const struct rci_attrs *a, const char *name, int64_t def, int64_t *out);
rc_status rci_attr_float(const struct rci_attrs *a, const char *name, float def, float *out);
/* *n = -1 when missing. More than `cap` entries: RC_ERR_MODEL. */
rc_status rci_attr_ints(const struct rci_attrs *a, const char *name, int64_t *out, int32_t cap,
                       int32_t *n);
rc_status rci_attr_floats(const struct rci_attrs *a, const char *name, float *out, int32_t cap,
                         int32_t *n);
/* The string points into the file; "" when missing. */
rc_status rci_attr_string(const struct rci_attrs *a, const char *name, const char **out);
/* Decoded tensor (data from rci_alloc, caller frees); data NULL when missing. */
rc_status rci_attr_tensor(const struct rci_attrs *a, const char *name, struct rc_context *c,
                         struct rci_tensor *out);

struct rci_attr_write; /* one node's attributes being written */
int64_t rci_attr_write_opset(const struct rci_attr_write *w);
/* RC_ERR_UNSUPPORTED naming the node when the opset written does not know `what` yet. */
rc_status rci_attr_write_since(const struct rci_attr_write *w, int64_t since, const char *what);
/* What f32 is called in the model that is written: f32, or f16, bf16, f64. */
enum rci_dtype rci_attr_write_real(const struct rci_attr_write *w);
rc_status rci_put_int(struct rci_attr_write *w, const char *name, int64_t v);
rc_status rci_put_float(struct rci_attr_write *w, const char *name, float v);
rc_status rci_put_ints(struct rci_attr_write *w, const char *name, const int64_t *v, uint32_t n);
rc_status rci_put_floats(struct rci_attr_write *w, const char *name, const float *v, uint32_t n);
rc_status rci_put_string(struct rci_attr_write *w, const char *name, const char *v);
rc_status rci_put_tensor(struct rci_attr_write *w, const char *name, const struct rci_tensor *t);
/* Newer opsets take what was an attribute as operand `index`: io writes an initializer named
 * "<node>_<what>" and puts it at that place in the node's inputs. f32 is written in the model's
 * type of reals; rci_put_operand_f32() is for operands that are f32 in every model (scales of
 * Resize). */
rc_status rci_put_operand(struct rci_attr_write *w, uint32_t index, const char *what,
                         const struct rci_tensor *t);
rc_status rci_put_operand_f32(struct rci_attr_write *w, uint32_t index, const char *what,
                              const struct rci_tensor *t);
/* TensorProto.DataType of a type, for attributes such as Cast's, and what it is computed in. */
int64_t rci_attr_type_number(const struct rci_attr_write *w, enum rci_dtype t);
enum rci_dtype rci_attr_type(int64_t onnx); /* 0: none of ours */
#endif
