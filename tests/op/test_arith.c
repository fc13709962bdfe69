/* Sub, Mul and Div with broadcasting; the same code serves Add. */
#include "opcheck.h"

#include "op/math/broadcast.h"

#include <math.h>

static double apply(const char *op, double a, double b)
{
    return op[0] == 'S' ? a - b : op[0] == 'M' ? a * b : a / b;
}

/* Element of an operand behind index i of the result, by counting down the axes. */
static double behind(const struct rci_tensor *t, const struct rci_shape *y, int64_t i)
{
    int64_t at = 0, step = 1;
    for (uint32_t k = 0; k < t->shape.rank; k++) {
        const int64_t d = t->shape.dim[t->shape.rank - 1 - k], n = y->dim[y->rank - 1 - k];
        at += (d == 1 ? 0 : i % n) * step;
        step *= d;
        i /= n;
    }
    return (double) ((const float *) t->data)[at];
}

static const struct {
    struct rci_shape a, b;
} pairs[] = {
    {{4, {2, 3, 4, 5}}, {4, {2, 3, 4, 5}}},
    {{4, {2, 3, 4, 5}}, {4, {2, 3, 1, 1}}},
    {{4, {2, 3, 4, 5}}, {3, {3, 1, 1}}},
    {{2, {3, 7}}, {1, {7}}},
    {{0, {0}}, {3, {2, 3, 2}}},
    {{3, {2, 1, 3}}, {3, {1, 4, 1}}},
    {{4, {1, 3, 1, 5}}, {4, {2, 1, 4, 1}}},
    {{1, {1}}, {1, {1}}},
    {{3, {60, 1, 2}}, {2, {60, 2}}},
    {{4, {2, 1, 4, 5}}, {4, {2, 3, 4, 1}}},
};
enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]) };
static const char *const names[] = {"Sub", "Mul", "Div"};

static void open_pair(struct opcheck *c, const char *op, int k)
{
    const struct rci_tensor in[] = {{RC_F32, pairs[k].a, NULL}, {RC_F32, pairs[k].b, NULL}};
    opcheck_open(c, op, NULL, in, 2, 1);
    float *b = c->in[1].data; /* divisors away from 0 */
    for (int64_t i = 0, n = rci_shape_count(&c->in[1].shape); i < n; i++)
        b[i] += b[i] < 0 ? -1 : 1;
}

static void results_equal_plain_arithmetic(void **state)
{
    (void) state;
    for (int k = 0; k < PAIRS; k++)
        for (int o = 0; o < 3; o++) {
            struct opcheck c;
            open_pair(&c, names[o], k);
            opcheck_forward(&c);
            const struct rci_shape *y = &c.out[0].shape;
            for (int64_t i = 0, n = rci_shape_count(y); i < n; i++) {
                const double want = apply(names[o], behind(&c.in[0], y, i), behind(&c.in[1], y, i));
                assert_true(fabs((double) ((float *) c.out[0].data)[i] - want) < 1e-5);
            }
            opcheck_close(&c);
        }
}

static void gradients_match_differences(void **state)
{
    (void) state;
    for (int k = 0; k < PAIRS; k++)
        for (int o = 0; o < 3; o++) {
            struct opcheck c;
            if (rci_shape_count(&pairs[k].a) > 100 && o != 1)
                continue;
            open_pair(&c, names[o], k);
            opcheck_gradient(&c, 1e-2, 1e-3, 0);
            opcheck_close(&c);
        }
}

static void long_sums_keep_their_digits(void **state)
{
    (void) state;
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(4, 1, 50000), NULL},
                                    {RC_F32, RC_SHAPE(1, 2, 1), NULL}};
    struct opcheck c;
    opcheck_open(&c, "Mul", NULL, in, 2, 1);
    opcheck_forward(&c);
    opcheck_backward(&c);
    const float *g = c.d_out[0].data, *a = c.in[0].data;
    for (int j = 0; j < 2; j++) {
        double sum = 0;
        for (int n = 0; n < 4; n++)
            for (int i = 0; i < 50000; i++)
                sum += (double) g[(n * 2 + j) * 50000 + i] * (double) a[n * 50000 + i];
        assert_true(fabs((double) ((float *) c.d_in[1].data)[j] - sum) < 1e-6 * fabs(sum) + 1e-5);
    }
    opcheck_close(&c);
}

static void integers_divide_without_traps(void **state)
{
    (void) state;
    const struct rci_tensor i64[] = {
        {RC_I64, RC_SHAPE(5), (int64_t[]){7, -7, 5, INT64_MIN, INT64_MIN}},
        {RC_I64, RC_SHAPE(5), (int64_t[]){2, 2, 0, -1, 2}}};
    const struct rci_tensor u8[] = {{RC_U8, RC_SHAPE(3), (uint8_t[]){200, 7, 9}},
                                    {RC_U8, RC_SHAPE(3), (uint8_t[]){100, 2, 0}}};
    struct opcheck c;
    opcheck_open(&c, "Div", NULL, i64, 2, 1);
    OPCHECK_I64(&c, RC_SHAPE(5), 3, -3, 0, INT64_MIN, INT64_MIN / 2);
    opcheck_close(&c);
    opcheck_open(&c, "Div", NULL, u8, 2, 1);
    opcheck_expect(&c, &(struct rci_tensor){RC_U8, RC_SHAPE(3), (uint8_t[]){2, 3, 0}}, 0);
    opcheck_close(&c);
    opcheck_open(&c, "Mul", NULL, u8, 2, 1); /* wraps, as C does */
    opcheck_expect(&c, &(struct rci_tensor){RC_U8, RC_SHAPE(3), (uint8_t[]){32, 14, 0}}, 0);
    opcheck_close(&c);
}

static void shapes_that_do_not_broadcast_are_refused(void **state)
{
    (void) state;
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(2, 3), NULL}, {RC_F32, RC_SHAPE(2), NULL}};
    const struct rci_tensor types[] = {{RC_F32, RC_SHAPE(2), NULL}, {RC_I64, RC_SHAPE(2), NULL}};
    for (int o = 0; o < 3; o++) {
        opcheck_refused(names[o], NULL, in, 2, 1, RC_ERR_SHAPE,
                        "shapes 2x3 and 2 do not broadcast");
        opcheck_refused(names[o], NULL, types, 2, 1, RC_ERR_MODEL, "type f32 and i64");
    }
}

/* y = scale*x + shift reproduces the operator, for a constant on either side. */
static void affine_form_equals_the_operator(void **state)
{
    (void) state;
    float k[3] = {2, -4, 0.5f};
    const struct rci_tensor kt = {RC_F32, RC_SHAPE(3, 1, 1), k};
    const struct rci_shape xs = RC_SHAPE(1, 3, 2, 2);
    for (int o = 0; o < 3; o++)
        for (int side = 0; side < 2; side++) {
            struct rc_context *ctx = test_context();
            const struct rci_op *op = rci_op_find(NULL, names[o]);
            struct rc_graph *g;
            struct rci_affine a = {0};
            rci_id x, w, id;
            OK(rci_graph_new(&g, ctx));
            OK(rci_graph_add_input(g, &x, "x", RC_F32, &xs));
            OK(rci_graph_add_const(g, &w, "w", &kt));
            OK(rci_graph_add_node(g, &id, op, "n", NULL, side ? (rci_id[]){x, w} : (rci_id[]){w, x},
                                  2, NULL, 1));
            const bool can = op->is_affine(g, &g->nodes[id]);
            assert_int_equal(can, o != 2 || side == 1); /* k/x is none */
            if (can)
                OK(op->as_affine(g, &g->nodes[id], &a));
            for (uint32_t ch = 0; ch < a.channels; ch++) {
                const double v = 1.5, kv = (double) k[ch];
                const double want = side ? apply(names[o], v, kv) : apply(names[o], kv, v);
                assert_true(fabs((double) a.scale[ch] * v + (double) a.shift[ch] - want) < 1e-6);
            }
            rci_release(a.scale);
            rci_release(a.shift);
            rci_graph_free(g);
            test_context_done(ctx);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_equal_plain_arithmetic),
        cmocka_unit_test(gradients_match_differences),
        cmocka_unit_test(long_sums_keep_their_digits),
        cmocka_unit_test(integers_divide_without_traps),
        cmocka_unit_test(shapes_that_do_not_broadcast_are_refused),
        cmocka_unit_test(affine_form_equals_the_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
