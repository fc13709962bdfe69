#ifndef RC_LIB_WIRE_ATTR_H
#define RC_LIB_WIRE_ATTR_H
/* Typed access to ONNX node attributes, both ways. Readers mark what they read; io reports
 * attributes that nobody read (unknown to the operator) as RC_ERR_MODEL. */
#include "tensor/tensor.h"

struct rc_attrs; /* one node's attributes being read */
int64_t rc_attrs_opset(const struct rc_attrs *a);
const char *rc_attrs_node(const struct rc_attrs *a); /* node name for messages */
struct rc_context *rc_attrs_context(const struct rc_attrs *a); /* for rc_attr_tensor */
bool rc_attrs_has(const struct rc_attrs *a, const char *name);
/* Missing: the default. Wrong type, NaN: RC_ERR_MODEL that names node and attribute. */
rc_status rc_attr_int(const struct rc_attrs *a, const char *name, int64_t def, int64_t *out);
rc_status rc_attr_float(const struct rc_attrs *a, const char *name, float def, float *out);
/* *n = -1 when missing. More than `cap` entries: RC_ERR_MODEL. */
rc_status rc_attr_ints(const struct rc_attrs *a, const char *name, int64_t *out, int32_t cap,
                       int32_t *n);
rc_status rc_attr_floats(const struct rc_attrs *a, const char *name, float *out, int32_t cap,
                         int32_t *n);
/* The string points into the file; "" when missing. */
rc_status rc_attr_string(const struct rc_attrs *a, const char *name, const char **out);
/* Decoded tensor (data from rc_alloc, caller frees); data NULL when missing. */
rc_status rc_attr_tensor(const struct rc_attrs *a, const char *name, struct rc_context *c,
                         struct rc_tensor *out);

struct rc_attr_write; /* one node's attributes being written */
int64_t rc_attr_write_opset(const struct rc_attr_write *w);
rc_status rc_put_int(struct rc_attr_write *w, const char *name, int64_t v);
rc_status rc_put_float(struct rc_attr_write *w, const char *name, float v);
rc_status rc_put_ints(struct rc_attr_write *w, const char *name, const int64_t *v, uint32_t n);
rc_status rc_put_string(struct rc_attr_write *w, const char *name, const char *v);
rc_status rc_put_tensor(struct rc_attr_write *w, const char *name, const struct rc_tensor *t);
/* Newer opsets take what was an attribute as operand `index`: io writes an initializer named
 * "<node>_<what>" and puts it at that place in the node's inputs. */
rc_status rc_put_operand(struct rc_attr_write *w, uint32_t index, const char *what,
                         const struct rc_tensor *t);
#endif
