#ifndef RC_LIB_OP_REWRITE_QMAKER_H
#define RC_LIB_OP_REWRITE_QMAKER_H
/* Between qoperators.c, which walks over the nodes, and qrules.c, which knows them. */
#include "op/rewrite/qoperators.h"

enum { QOP_MOST_OPERANDS = 2 + 3 * 64 };

struct qop_name {
    const char *text;
    Onnx__NodeProto *producer;        /* or */
    const Onnx__TensorProto *initial; /* or neither: a graph input */
    uint32_t readers;                 /* operands and graph outputs */
};

struct qop_maker {
    Onnx__GraphProto *g;
    struct rci_arena *a;
    struct qop_name *name; /* sorted */
    size_t n;
};

/* A node in the making. */
struct qop_made {
    const char *op, *domain;
    const char *in[QOP_MOST_OPERANDS];
    size_t n;
};

int rci_qop_order(const void *a, const void *b);
struct qop_name *rci_qop_find(const struct qop_maker *m, const char *text);
Onnx__NodeProto *rci_qop_producer(const struct qop_maker *m, const char *text);
/* The initializer of that name, or NULL. */
const Onnx__TensorProto *rci_qop_constant(const struct qop_maker *m, const char *text);
bool rci_qop_is(const Onnx__NodeProto *n, const char *op);
/* Its name, "" where it is absent. */
const char *rci_qop_operand(const Onnx__NodeProto *n, size_t k);
size_t rci_qop_count(const Onnx__TensorProto *t);
bool rci_qop_zero(const Onnx__TensorProto *t);
/* QuantizeLinear or DequantizeLinear: scale and zero point are constants. */
bool rci_qop_params(const struct qop_maker *m, const Onnx__NodeProto *n);
/* Of its integers; 0 for NULL. */
int32_t rci_qop_type(const struct qop_maker *m, const Onnx__NodeProto *quantize);
/* The DequantizeLinear that makes `text`, one scale for all; or NULL. */
const Onnx__NodeProto *rci_qop_real(const struct qop_maker *m, const char *text);
/* Node p on integers; q NULL: its result stays real. False: there is no such operator. */
bool rci_qop_apply(const struct qop_maker *m, const Onnx__NodeProto *p, const Onnx__NodeProto *q,
                   struct qop_made *to);
#endif
