#ifndef OPCHECK_H
#define OPCHECK_H
/* One operator alone: infer, forward, and its gradient against central differences. Everything
 * fails the running cmocka test with a message. */
#include "graph/graph.h"
#include "test.h"

enum { OPCHECK_MAX = 16 };

/* A node with its operands. in[i] are copies that may be changed between runs; dtype 0 is an
 * absent operand. out[] and the saved bytes are allocated by opcheck_open. */
struct opcheck {
    struct rc_context *ctx;
    struct rc_graph *g;
    struct rci_node *node;
    struct rci_tensor in[OPCHECK_MAX], out[OPCHECK_MAX];
    struct rci_tensor d_in[OPCHECK_MAX], d_out[OPCHECK_MAX]; /* f32, after opcheck_gradients */
    void *saved;
    bool training;
    uint64_t seed, step;
};

/* op: of ONNX, else of ours. attrs: op->attr_size bytes or NULL. in: data may be NULL, then f32
 * gets random numbers in [-1, 1] and other types zeros. Infers, and checks that infer gave every
 * output a shape. */
void opcheck_open(struct opcheck *c, const char *op, const void *attrs, const struct rci_tensor *in,
                  uint32_t n_in, uint32_t n_out);
void opcheck_forward(struct opcheck *c);
/* d_out random, then backward; every f32 input gets a gradient. */
void opcheck_backward(struct opcheck *c);
void opcheck_close(struct opcheck *c); /* also checks for leaks */

/* Forward, and out[0] equals `expected` (same type as out[0]) within `tolerance` absolute plus
 * relative; shape too. */
void opcheck_expect(struct opcheck *c, const struct rci_tensor *expected, double tolerance);
#define OPCHECK_F32(c, tolerance, shape, ...) \
    opcheck_expect(c, &(struct rci_tensor){RC_F32, shape, (float[]){__VA_ARGS__}}, tolerance)
#define OPCHECK_I64(c, shape, ...) \
    opcheck_expect(c, &(struct rci_tensor){RC_I64, shape, (int64_t[]){__VA_ARGS__}}, 0)

/* Central differences of sum(r * out) over every element of every f32 input, r random; all outputs
 * that are f32 take part. `skip`: bit i leaves input i out (running statistics, scales). */
void opcheck_gradient(struct opcheck *c, double step, double tolerance, uint32_t skip);
/* All of the above in one call for f32 operands with random contents. */
void opcheck_gradient_of(const char *op, const void *attrs, const struct rci_tensor *in,
                         uint32_t n_in, uint32_t n_out, double step, double tolerance);

/* infer gives `status` and a message that starts with the node's name and contains `text`. */
void opcheck_refused(const char *op, const void *attrs, const struct rci_tensor *in, uint32_t n_in,
                     uint32_t n_out, rc_status status, const char *text);

/* out[0] has this shape. */
void opcheck_shape(const struct opcheck *c, struct rci_shape expected);
#define OPCHECK_SHAPE(c, ...) opcheck_shape(c, RC_SHAPE(__VA_ARGS__))
#endif
