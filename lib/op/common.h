#ifndef RC_LIB_OP_COMMON_H
#define RC_LIB_OP_COMMON_H
/* What operator files share: checks with one wording, small integer operands, cost. */
#include "graph/graph.h"
#include "graph/link.h"
#include "wire/attr.h"

/* Sets of data types, as bits. */
#define RC_DT(d) (1u << (unsigned) (d))
enum {
    RC_DT_F32 = 1 << RC_F32,
    RC_DT_INDEX = 1 << RC_I64 | 1 << RC_I32,
    RC_DT_NUMBER = 1 << RC_F32 | 1 << RC_F64 | 1 << RC_I64 | 1 << RC_I32 | 1 << RC_U8 | 1 << RC_S8,
    RC_DT_ANY = 1 << RC_F32 | 1 << RC_F64 | 1 << RC_I64 | 1 << RC_I32 | 1 << RC_U8 | 1 << RC_S8 |
                1 << RC_BOOL
};

/* Entries of the longest integer operand (Split has that many parts at most). */
enum { RC_OP_MAX_INTS = 64 };

/* Elements below which a loop is not worth a second thread. */
enum { RC_PARALLEL_MIN = 1 << 15 };

/* Operand i is there. */
static inline bool rci_op_has(const struct rci_node *n, uint32_t i)
{
    return i < n->n_in && n->in[i] != RC_NONE;
}

/* Its type is one of `allowed`; the message names node, operand, type and what is allowed. */
rc_status rci_op_check_type(const struct rci_infer *i, uint32_t operand, const char *what,
                            uint32_t allowed);

/* Axis counted from the back when negative; outside [-rank, rank-1] is RC_ERR_SHAPE. */
rc_status rci_op_axis(const struct rci_node *n, int64_t axis, uint32_t rank, uint32_t *out);

/* Every axis of the set, as bits; a duplicate is RC_ERR_SHAPE. */
rc_status rci_op_axes(const struct rci_node *n, const int64_t *axes, int32_t count, uint32_t rank,
                      uint32_t *bits);

/* A shape whose element count stays within the library's limits. */
rc_status rci_op_check_count(const struct rci_node *n, const struct rci_shape *s);

/* Values of a scalar or one-dimensional integer operand. Unknown values are
 * RC_ERR_UNSUPPORTED, more than `cap` RC_ERR_MODEL. */
rc_status rci_op_ints(const struct rci_node *n, const char *what, const struct rci_tensor *t,
                      int64_t *out, int32_t cap, int32_t *count);

/* The first element of a tensor of any type. */
double rci_op_scalar(const struct rci_tensor *t);

/* Element i of a tensor of any type becomes v, which must be in the type's range. */
void rci_op_store(const struct rci_tensor *t, int64_t i, double v);

/* Export as a one-dimensional i64 operand. */
rc_status rci_op_put_i64(struct rci_attr_write *w, uint32_t index, const char *what,
                         const int64_t *v, int32_t count);

/* Export v as scalar operand of type d (0: f32). */
rc_status rci_op_put_scalar(struct rci_attr_write *w, uint32_t index, const char *what, double v,
                            enum rci_dtype d);

/* Remove operands first, first+1, ... from the back. */
void rci_op_drop_from(struct rc_graph *g, struct rci_node *n, uint32_t first);

/* out[0] takes shape and type of in[0]; in[0] may have any type of `allowed`. */
rc_status rci_op_infer_same(const struct rci_infer *i, uint32_t allowed);
/* out[0] = in[0], all bytes; the same for gradients. */
rc_status rci_op_forward_copy(const struct rci_call *c);
rc_status rci_op_backward_copy(const struct rci_call *c);
/* All axes of in[0] and out[0] correspond one to one. */
void rci_op_couple_same(const struct rci_node *n, struct rci_links *l);
/* One elementary operation per output element. */
struct rci_cost rci_op_cost_elementwise(const struct rci_node *n, const struct rci_tensor *in,
                                        const struct rci_tensor *out);
#endif
