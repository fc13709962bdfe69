#include "op/layers.h"
#include "opcheck.h"
#include "prepcheck.h"

static void joins_reject_what_does_not_fit(void **state)
{
    (void) state;
    const struct rci_concat_attrs one = {1}, far = {4};
    const struct rci_tensor a = T_F32(2, 3, 4), b = T_F32(2, 5, 4), c = T_F32(2, 3, 5);
    const struct rci_tensor i64 = {RC_I64, {3, {2, 3, 4}}, NULL};
    opcheck_refused("Concat", &one, (struct rci_tensor[]){a, c}, 2, 1, RC_ERR_SHAPE,
                    "operand 1 has shape 2x3x5, must match 2x3x4 except on axis 1");
    opcheck_refused("Concat", &far, (struct rci_tensor[]){a, b}, 2, 1, RC_ERR_SHAPE,
                    "axis is 4, allowed -3 to 2");
    opcheck_refused("Concat", &one, (struct rci_tensor[]){a, i64}, 2, 1, RC_ERR_UNSUPPORTED, "i64");
    opcheck_refused("Add", NULL, (struct rci_tensor[]){a, b}, 2, 1, RC_ERR_SHAPE, "2x5x4");
}

static void concat_puts_operands_in_order(void **state)
{
    (void) state;
    const struct rci_concat_attrs last = {-1}, first = {0};
    const struct rci_tensor a = {RC_F32, RC_SHAPE(2, 1), (float[]){1, 2}};
    const struct rci_tensor b = {RC_F32, RC_SHAPE(2, 2), (float[]){3, 4, 5, 6}};
    const struct rci_tensor n = {RC_I64, RC_SHAPE(1), (int64_t[]){7}};
    const struct rci_tensor m = {RC_I64, RC_SHAPE(2), (int64_t[]){-1, 1LL << 40}};
    struct opcheck c;
    opcheck_open(&c, "Concat", &last, (struct rci_tensor[]){a, b}, 2, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 3), 1, 3, 4, 2, 5, 6);
    opcheck_close(&c);
    opcheck_open(&c, "Concat", &first, (struct rci_tensor[]){n, m}, 2, 1);
    OPCHECK_I64(&c, RC_SHAPE(3), 7, -1, 1LL << 40);
    opcheck_close(&c);
}

static void concat_of_nothing_is_nothing(void **state)
{
    (void) state;
    const struct rci_concat_attrs last = {1}, first = {0};
    const struct rci_tensor none[] = {T_F32(0, 3), T_F32(0, 2)};
    const struct rci_tensor some[] = {T_F32(2, 0), T_F32(2, 0)};
    struct opcheck c;
    opcheck_open(&c, "Concat", &last, none, 2, 1);
    OPCHECK_SHAPE(&c, 0, 5);
    opcheck_forward(&c);
    opcheck_backward(&c);
    opcheck_close(&c);
    opcheck_open(&c, "Concat", &first, some, 2, 1);
    OPCHECK_SHAPE(&c, 4, 0);
    opcheck_forward(&c);
    opcheck_close(&c);
}

static void join_gradient_matches_differences(void **state)
{
    (void) state;
    for (int64_t axis = -2; axis < 2; axis++) {
        const struct rci_concat_attrs t = {axis};
        const bool rows = axis == 0 || axis == -2;
        const struct rci_tensor in[3] = {T_F32(2, 3),
                                         {RC_F32, RC_SHAPE(rows ? 1 : 2, 3), NULL},
                                         {RC_F32, RC_SHAPE(2, rows ? 3 : 4), NULL}};
        opcheck_gradient_of("Concat", &t, in, 3, 1, 1e-2, 2e-3);
    }
    const struct rci_tensor sums[][2] = {{T_F32(2, 3, 4), T_F32(2, 3, 4)},
                                         {T_F32(2, 3, 4), T_F32(3, 1)},
                                         {T_F32(4), T_F32(2, 1, 4)}};
    for (int k = 0; k < 3; k++)
        opcheck_gradient_of("Add", NULL, sums[k], 2, 1, 1e-2, 2e-3);
    opcheck_gradient_of("Relu", NULL, sums[0], 1, 1, 1e-4, 2e-2);
}

static void add_and_relu_compute_what_they_say(void **state)
{
    (void) state;
    const struct rci_tensor a = {RC_F32, RC_SHAPE(2, 2), (float[]){1, -2, 3, -4}};
    const struct rci_tensor b = {RC_F32, RC_SHAPE(2), (float[]){10, 20}};
    struct opcheck c;
    opcheck_open(&c, "Add", NULL, (struct rci_tensor[]){a, b}, 2, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 2), 11, 18, 13, 16);
    opcheck_close(&c);
    opcheck_open(&c, "Relu", NULL, &a, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 2), 1, 0, 3, 0);
    opcheck_close(&c);
}

static void fast_concat_matches_plain(void **state)
{
    (void) state;
    static const struct rci_concat_attrs t = {1};
    for (int64_t n = 1; n <= 33; n += 4)
        for (int layout = 0; layout < 4; layout++) {
            struct prepcheck c = {.op = "Concat",
                                  .all_arrive = true,
                                  .attrs = &t,
                                  .n_in = 3,
                                  .arrive = (enum prepcheck_layout) layout};
            c.in[0] = (struct rci_tensor) T_F32(2, n, 3, 4);
            c.in[1] = (struct rci_tensor) T_F32(2, 16, 3, 4);
            c.in[2] = (struct rci_tensor) T_F32(2, 34 - n, 3, 4);
            const rc_status st = prepcheck_run(&c, NULL);
            assert_int_equal(st, layout == PREPCHECK_PLAIN ? RC_ERR_UNSUPPORTED : RC_OK);
        }
}

static void fast_gates_match_plain(void **state)
{
    (void) state;
    for (int64_t n = 1; n <= 73; n += n < 33 ? 2 : 20)
        for (int k = 0; k < 16; k++) {
            struct prepcheck c = {.op = "Mul",
                                  .n_in = 2,
                                  .all_arrive = true,
                                  .arrive = (enum prepcheck_layout)(k % 4),
                                  .training = k & 4};
            const int x = k >> 3; /* the gate may stand first */
            c.in[x] = (struct rci_tensor) T_F32(3, n, 4, 5);
            c.in[1 - x] = (struct rci_tensor) T_F32(n % 3 ? 3 : 1, n, 1, 1);
            const rc_status st = prepcheck_run(&c, NULL);
            assert_true(st == RC_OK || k % 4 == PREPCHECK_PLAIN);
            c.no_grad = 1;
            assert_int_equal(prepcheck_run(&c, NULL), st);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_reject_what_does_not_fit),
        cmocka_unit_test(concat_puts_operands_in_order),
        cmocka_unit_test(concat_of_nothing_is_nothing),
        cmocka_unit_test(join_gradient_matches_differences),
        cmocka_unit_test(add_and_relu_compute_what_they_say),
        cmocka_unit_test(fast_concat_matches_plain),
        cmocka_unit_test(fast_gates_match_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
