/* Fast paths when memory runs out while they are built. */
#include "op/layers.h"
#include "prepcheck.h"

static const struct rci_conv_attrs conv = {{{0}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 0, 0}, 1};
static const struct rci_conv_attrs grouped = {{{0}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 0, 0}, 2};

static void convolution_survives(void **state)
{
    (void) state;
    struct prepcheck c = {.op = "Conv",
                          .attrs = &conv,
                          .n_in = 4,
                          .n_post = 2,
                          .post = {{RC_POST_ADD, 0, 0, 3}, {RC_POST_RELU, 0, 0, 0}}};
    c.in[0] = (struct rci_tensor) T_F32(1, 12, 6, 6);
    c.in[1] = (struct rci_tensor) T_F32(20, 12, 3, 3);
    c.in[2] = (struct rci_tensor) T_F32(20);
    c.in[3] = (struct rci_tensor) T_F32(1, 20, 6, 6);
    prepcheck_starved(&c);
    c.n_in = 3;
    c.n_post = 0;
    c.training = true;
    prepcheck_starved(&c);
    c.no_grad = 1 << 1;
    prepcheck_starved(&c);
    c.attrs = &grouped;
    c.in[1] = (struct rci_tensor) T_F32(20, 6, 3, 3);
    prepcheck_starved(&c);
}

static void normalization_survives(void **state)
{
    (void) state;
    static const struct rci_norm_attrs a = RC_NORM_ATTRS_INIT;
    struct prepcheck c = {.op = "BatchNormalization",
                          .attrs = &a,
                          .n_in = 5,
                          .training = true,
                          .n_post = 1,
                          .no_grad = 0x1e,
                          .post = {{RC_POST_RELU, 0, 0, 0}}};
    c.in[0] = (struct rci_tensor) T_F32(2, 12, 6, 6);
    for (int i = 1; i < 5; i++)
        c.in[i] = (struct rci_tensor) T_F32(12);
    prepcheck_starved(&c);
}

static void pools_survive(void **state)
{
    (void) state;
    static const struct rci_pool_attrs a = {{{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 0, 0}, 0, 0};
    struct prepcheck c = {.op = "MaxPool", .attrs = &a, .n_in = 1, .training = true};
    c.in[0] = (struct rci_tensor) T_F32(2, 12, 7, 7);
    c.arrive = PREPCHECK_BLOCK16;
    prepcheck_starved(&c);
}

static void products_survive(void **state)
{
    (void) state;
    static const struct rci_gemm_attrs a = RC_GEMM_ATTRS_INIT;
    struct prepcheck c = {.op = "Gemm", .attrs = &a, .n_in = 3, .training = true, .no_grad = 4};
    c.in[0] = (struct rci_tensor) T_F32(3, 12);
    c.in[1] = (struct rci_tensor) T_F32(10, 12);
    c.in[2] = (struct rci_tensor) T_F32(10);
    prepcheck_starved(&c);
}

static void concat_survives(void **state)
{
    (void) state;
    static const struct rci_concat_attrs a = {1};
    struct prepcheck c = {
        .op = "Concat", .attrs = &a, .n_in = 2, .all_arrive = true, .arrive = PREPCHECK_LAST};
    c.in[0] = (struct rci_tensor) T_F32(2, 12, 4, 4);
    c.in[1] = (struct rci_tensor) T_F32(2, 5, 4, 4);
    prepcheck_starved(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_survives), cmocka_unit_test(normalization_survives),
        cmocka_unit_test(pools_survive),        cmocka_unit_test(products_survive),
        cmocka_unit_test(concat_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
