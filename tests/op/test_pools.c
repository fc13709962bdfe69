#include "op/layers.h"
#include "opcheck.h"
#include "prepcheck.h"
#include "refops.h"

#include <math.h>

#define POOL(kh, kw, s, d, t, l, b, r, ceil, include)                 \
    {                                                                 \
        {{kh, kw}, {s, s}, {d, d}, {t, l, b, r}, 0, 0}, ceil, include \
    }

static void pools_reject_what_does_not_fit(void **state)
{
    (void) state;
    const struct rci_pool_attrs two = POOL(2, 2, 2, 1, 0, 0, 0, 0, 0, 0);
    const struct rci_pool_attrs pads = POOL(2, 2, 2, 1, 2, 0, 0, 0, 0, 0);
    const struct rci_pool_attrs nine = POOL(9, 2, 2, 1, 0, 0, 0, 0, 0, 0), none = {0};
    const struct rci_tensor x = T_F32(1, 2, 4, 4), line = T_F32(1, 2, 4), flat = T_F32(2, 4);
    opcheck_refused("MaxPool", &two, &x, 1, 2, RC_ERR_UNSUPPORTED, "indices output");
    opcheck_refused("MaxPool", &pads, &x, 1, 1, RC_ERR_MODEL, "pads[0] is 2, must be below");
    opcheck_refused("AveragePool", &nine, &x, 1, 1, RC_ERR_MODEL, "spans 9 along height");
    opcheck_refused("AveragePool", &none, &x, 1, 1, RC_ERR_MODEL, "kernel 0");
    opcheck_refused("MaxPool", &two, &line, 1, 1, RC_ERR_UNSUPPORTED, "only [N, C, H, W]");
    opcheck_refused("MaxPool", &two, &flat, 1, 1, RC_ERR_SHAPE, "only [N, C, H, W]");
    opcheck_refused("GlobalAveragePool", NULL, &flat, 1, 1, RC_ERR_SHAPE, "[N, C, ...]");
    const char *const global[] = {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"};
    const struct rci_tensor empty[] = {T_F32(0, 2, 3, 3), T_F32(1, 0, 3, 3), T_F32(1, 2, 0, 3)};
    for (int k = 0; k < 9; k++)
        opcheck_refused(global[k / 3], &(struct rci_globallp_attrs){2}, &empty[k % 3], 1, 1,
                        RC_ERR_SHAPE, "has no elements");
}

struct pool_case {
    struct rci_pool_attrs a;
    int64_t height, width;
};

static const struct pool_case cases[] = {
    {POOL(2, 2, 2, 1, 0, 0, 0, 0, 0, 0), 6, 8},  {POOL(3, 3, 2, 1, 1, 1, 1, 1, 0, 0), 7, 6},
    {POOL(3, 3, 2, 1, 0, 0, 0, 0, 1, 0), 8, 7},  {POOL(3, 3, 2, 1, 1, 1, 1, 1, 0, 1), 8, 8},
    {POOL(3, 3, 2, 1, 1, 1, 1, 1, 1, 1), 8, 7},  {POOL(2, 3, 1, 1, 0, 2, 1, 0, 0, 1), 5, 5},
    {POOL(2, 2, 3, 1, 1, 1, 1, 1, 1, 0), 5, 6},  {POOL(3, 2, 1, 2, 2, 0, 1, 1, 0, 0), 7, 7},
    {POOL(3, 3, 1, 2, 1, 1, 1, 1, 0, 1), 8, 9},  {POOL(4, 4, 1, 1, 0, 0, 0, 0, 0, 0), 4, 4},
    {POOL(3, 3, 3, 1, 1, 0, 0, 1, 1, 1), 10, 4}, {POOL(1, 1, 2, 1, 0, 0, 0, 0, 0, 0), 5, 5},
    {POOL(3, 3, 2, 1, 0, 0, 0, 0, 1, 0), 2, 2},  {POOL(4, 3, 3, 1, 0, 1, 0, 0, 1, 1), 2, 5},
};
enum { N_CASES = sizeof(cases) / sizeof(cases[0]) };

static void check_forward(const char *op, const struct pool_case *k, enum ref_pool kind)
{
    const struct rci_tensor x = T_F32(2, 3, k->height, k->width);
    struct opcheck c;
    opcheck_open(&c, op, &k->a, &x, 1, 1);
    opcheck_forward(&c);
    const struct rci_shape *y = &c.out[0].shape;
    const struct rci_window_attrs *a = &k->a.window;
    const struct ref_window w = {2,
                                 3,
                                 3,
                                 1,
                                 k->height,
                                 k->width,
                                 y->dim[2],
                                 y->dim[3],
                                 a->kernel[0],
                                 a->kernel[1],
                                 a->stride[0],
                                 a->stride[1],
                                 a->dilation[0],
                                 a->dilation[1],
                                 a->pads[0],
                                 a->pads[1],
                                 a->pads[2],
                                 a->pads[3]};
    const int64_t n = rci_shape_count(y);
    double *want = test_malloc((size_t) n * sizeof(double));
    ref_pool(&w, kind, c.in[0].data, want);
    for (int64_t i = 0; i < n; i++)
        assert_true(fabs(want[i] - (double) ((float *) c.out[0].data)[i]) < 1e-6);
    test_free(want);
    opcheck_close(&c);
}

static void pools_match_naive_doubles(void **state)
{
    (void) state;
    for (int k = 0; k < N_CASES; k++) {
        check_forward("MaxPool", &cases[k], REF_MAX);
        check_forward("AveragePool", &cases[k],
                      cases[k].a.count_include_pad ? REF_MEAN_PADDED : REF_MEAN);
    }
}

static void ceil_mode_keeps_the_last_window_inside(void **state)
{
    (void) state;
    const struct rci_pool_attrs a = POOL(2, 2, 2, 1, 1, 1, 1, 1, 1, 0);
    const struct rci_tensor x = {RC_F32, RC_SHAPE(1, 1, 3, 3),
                                 (float[]){1, 2, 3, 4, 5, 6, 7, 8, 9}};
    struct opcheck c; /* a third window would start at the padding behind the image */
    opcheck_open(&c, "MaxPool", &a, &x, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(1, 1, 2, 2), 1, 3, 7, 9);
    opcheck_close(&c);
}

static void pool_gradient_matches_differences(void **state)
{
    (void) state;
    for (int k = 0; k < N_CASES; k++) {
        const struct rci_tensor x = T_F32(1, 2, cases[k].height, cases[k].width);
        opcheck_gradient_of("MaxPool", &cases[k].a, &x, 1, 1, 1e-4, 2e-2);
        opcheck_gradient_of("AveragePool", &cases[k].a, &x, 1, 1, 1e-2, 2e-3);
    }
    const struct rci_tensor x = T_F32(2, 3, 4, 5);
    opcheck_gradient_of("GlobalAveragePool", NULL, &x, 1, 1, 1e-2, 2e-3);
}

static void check_fast(struct prepcheck *c)
{
    for (int layout = 0; layout < 4; layout++)
        for (int training = 0; training < 2; training++) {
            c->arrive = (enum prepcheck_layout) layout;
            c->training = training;
            const rc_status st = prepcheck_run(c, NULL);
            assert_true(st == RC_OK || st == RC_ERR_UNSUPPORTED);
        }
}

static void fast_pools_match_plain(void **state)
{
    (void) state;
    static const char *const names[] = {"MaxPool", "AveragePool"};
    for (int k = 0; k < N_CASES; k++)
        for (int op = 0; op < 2; op++)
            for (int64_t n = 1 + k % 4; n <= 33; n += 11) {
                struct prepcheck c = {.op = names[op], .attrs = &cases[k].a, .n_in = 1};
                c.in[0] = (struct rci_tensor) T_F32(2, n, cases[k].height, cases[k].width);
                check_fast(&c);
            }
    for (int64_t n = 1; n <= 33; n++) {
        struct prepcheck c = {.op = "GlobalAveragePool", .n_in = 1};
        c.in[0] = (struct rci_tensor) T_F32(2, n, 5, 3);
        check_fast(&c);
    }
}

static void usual_pools_have_a_fast_path(void **state)
{
    (void) state;
    struct prepcheck c = {.op = "MaxPool", .attrs = &cases[1].a, .n_in = 1, .training = true};
    c.in[0] = (struct rci_tensor) T_F32(2, 20, 12, 12);
    for (int layout = 0; layout < 4; layout++) {
        c.arrive = (enum prepcheck_layout) layout;
        assert_int_equal(prepcheck_run(&c, NULL), RC_OK);
    }
    c.op = "GlobalAveragePool";
    c.attrs = NULL;
    assert_int_equal(prepcheck_run(&c, NULL), RC_OK);
}

/* Whole planes at the end of a network: any number of channels, the usual layouts. */
static void means_of_planes_are_a_loop_of_ours(void **state)
{
    (void) state;
    const struct rci_pool_attrs whole = {.window = {.kernel = {5, 4}, .stride = {1, 1}}};
    for (int layout = PREPCHECK_LAST; layout <= PREPCHECK_BLOCK16; layout++)
        for (int64_t n = 1; n <= 33; n++)
            for (int k = 0; k < 2; k++) {
                char impl[64] = "";
                struct prepcheck c = {.op = k ? "AveragePool" : "GlobalAveragePool",
                                      .attrs = k ? &whole : NULL,
                                      .n_in = 1,
                                      .arrive = (enum prepcheck_layout) layout};
                c.in[0] = (struct rci_tensor) T_F32(3, n, 5, 4);
                OK(prepcheck_run(&c, impl));
                assert_string_equal(impl, "mean");
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_reject_what_does_not_fit),
        cmocka_unit_test(pools_match_naive_doubles),
        cmocka_unit_test(ceil_mode_keeps_the_last_window_inside),
        cmocka_unit_test(pool_gradient_matches_differences),
        cmocka_unit_test(fast_pools_match_plain),
        cmocka_unit_test(usual_pools_have_a_fast_path),
        cmocka_unit_test(means_of_planes_are_a_loop_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
