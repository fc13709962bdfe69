#ifndef RC_LIB_OP_REWRITE_RULES_H
#define RC_LIB_OP_REWRITE_RULES_H
/* What rules are made of. */
#include "op/rewrite/rewrite.h"

/* One node being replaced. What fails leaves its status in the arena; functions then do nothing, so
 * a rule need not look after every step. */
struct rci_rule_call {
    struct rci_rewrite *r;
    const Onnx__NodeProto *from;
    Onnx__NodeProto **made; /* the nodes of the rule so far */
    size_t n_made, room;
    uint32_t fresh; /* names made so far */
    bool declined;  /* the node stays as it is */
};

typedef rc_status rci_rule_fn(struct rci_rule_call *c);

struct rci_rule {
    const char *domain, *name;
    rci_rule_fn *run;
    const char *as; /* for the documents */
};
/* Each file's rules, ended by an entry without name. */
extern const struct rci_rule rci_rules_joins[], rci_rules_fused[], rci_rules_quantized[],
    rci_rules_lines[];

/* --- the node --- */
/* Name of operand or result k, NULL: absent. */
const char *rci_rule_in(const struct rci_rule_call *c, size_t k);
const char *rci_rule_out(const struct rci_rule_call *c, size_t k);
/* For messages: the node's name, or that of its first result. */
const char *rci_rule_label(const struct rci_rule_call *c);
int64_t rci_rule_int(const struct rci_rule_call *c, const char *name, int64_t def);
float rci_rule_float(const struct rci_rule_call *c, const char *name, float def);
const char *rci_rule_text(const struct rci_rule_call *c, const char *name);
const Onnx__AttributeProto *rci_rule_attr(const struct rci_rule_call *c, const char *name);
/* The initializer of that name, or NULL. */
const struct rci_tensor *rci_rule_const(const struct rci_rule_call *c, const char *name);
int64_t rci_rule_opset(const struct rci_rule_call *c);
/* Fewer operands than that are RC_ERR_MODEL; any of the first `n` absent too. */
rc_status rci_rule_need(const struct rci_rule_call *c, size_t n);

/* --- integers --- */
/* What DequantizeLinear makes of the integers of that name; zero NULL: 0. */
struct rci_quantized {
    const char *name, *scale, *zero;
};
rc_status rci_rule_set_quantized(struct rci_rule_call *c, struct rci_quantized q);
/* NULL: nobody said. Nodes come in the order of the file. */
const struct rci_quantized *rci_rule_quantized(const struct rci_rule_call *c, const char *name);

/* --- making nodes --- */
/* A name for what lies between. */
char *rci_rule_name(struct rci_rule_call *c);
/* out = op(in[0], in[1], ...); operands NULL are absent. The result's name, for the next. */
struct rci_made {
    Onnx__NodeProto *node; /* NULL after a failure */
    const char *out;
};
struct rci_made rci_rule_make(struct rci_rule_call *c, const char *op, const char *out,
                              const char *const *in, size_t n_in);
#define RC_MAKE(c, op, out, ...)                             \
    rci_rule_make(c, op, out, (const char *[]){__VA_ARGS__}, \
                  sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *))
void rci_made_int(struct rci_rule_call *c, struct rci_made m, const char *name, int64_t v);
void rci_made_float(struct rci_rule_call *c, struct rci_made m, const char *name, float v);
void rci_made_ints(struct rci_rule_call *c, struct rci_made m, const char *name, const int64_t *v,
                   size_t n);
/* The attributes of the node being replaced but for those listed, ended by NULL; its name too. */
void rci_made_copy(struct rci_rule_call *c, struct rci_made m, const char *const *but);
/* Constants; their names. */
const char *rci_rule_scalar(struct rci_rule_call *c, float v);
const char *rci_rule_floats(struct rci_rule_call *c, float v, int64_t count); /* [count] of v */
const char *rci_rule_int64s(struct rci_rule_call *c, const int64_t *v, size_t n);
/* Squeeze or Unsqueeze x along `axis`, as the opset wants it. */
const char *rci_rule_axis(struct rci_rule_call *c, const char *op, const char *out, const char *x,
                          int64_t axis);
#endif
