/* Resize and Upsample, ConvTranspose, LpPool, GlobalMaxPool, GlobalLpPool, Tile, TopK, ArgMax,
 * EyeLike, Range. */
#include "opcheck.h"

#include "op/attrs.h"
#include "op/layers.h"

#include <math.h>

#define F32(...)                            \
    {                                       \
        RC_F32, RC_SHAPE(__VA_ARGS__), NULL \
    }

static const struct rci_tensor square = {RC_F32, {4, {1, 1, 2, 2}}, (float[]){1, 2, 3, 4}};

static void resize_repeats_and_interpolates(void **state)
{
    (void) state;
    const struct rci_resize_attrs twice = {.scales = {1, 1, 2, 2}, .n = 4, .bound = 1};
    const struct rci_resize_attrs linear = {
        .scales = {1, 1, 1, 2}, .n = 4, .bound = 1, .mode = RC_RESIZE_LINEAR};
    const struct rci_resize_attrs corners = {.sizes = {3, 3},
                                             .axes = {2, -1},
                                             .n = 2,
                                             .n_axes = 2,
                                             .by_size = 1,
                                             .bound = 1,
                                             .mode = RC_RESIZE_LINEAR,
                                             .from = RC_RESIZE_ALIGN_CORNERS};
    struct opcheck c;
    opcheck_open(&c, "Resize", &twice, &square, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(1, 1, 4, 4), 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4);
    opcheck_close(&c);
    opcheck_open(&c, "Resize", &linear, &square, 1, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 1, 2, 4), 1, 1.25f, 1.75f, 2, 3, 3.25f, 3.75f, 4);
    opcheck_close(&c);
    opcheck_open(&c, "Resize", &corners, &square, 1, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 1, 3, 3), 1, 1.5f, 2, 2, 2.5f, 3, 3, 3.5f, 4);
    opcheck_close(&c);
}

static void resize_gradients_match_differences(void **state)
{
    (void) state;
    const struct rci_tensor x = F32(2, 2, 3, 4);
    for (int mode = 0; mode < 3; mode++)
        for (int from = 0; from < 4; from++) {
            const struct rci_resize_attrs a = {.scales = {1, 1, 1.5, 0.5},
                                               .n = 4,
                                               .bound = 1,
                                               .mode = (enum rci_resize_mode) mode,
                                               .from = (enum rci_resize_from) from,
                                               .cubic = -0.75f,
                                               .exclude_outside = from & 1};
            opcheck_gradient_of("Resize", &a, &x, 1, 1, 0.1, 1e-4);
        }
}

static void resize_refuses_what_is_unknown_or_absurd(void **state)
{
    (void) state;
    const struct rci_resize_attrs none = {0}, few = {.scales = {2}, .n = 1, .bound = 1};
    const struct rci_resize_attrs huge = {.scales = {1, 1, 1e12, 1}, .n = 4, .bound = 1};
    opcheck_refused("Resize", &none, &square, 1, 1, RC_ERR_UNSUPPORTED, "computed at run time");
    opcheck_refused("Resize", &few, &square, 1, 1, RC_ERR_MODEL, "1 scales for 4 axes");
    opcheck_refused("Resize", &huge, &square, 1, 1, RC_ERR_MODEL, "scaled by 1e+12");
}

/* Adding what every pixel sends out is the transposed convolution. */
static void convtranspose_adds_windows(void **state)
{
    (void) state;
    const struct rci_deconv_attrs a = {.window = {.stride = {2, 2}}};
    const struct rci_tensor in[] = {square,
                                    {RC_F32, RC_SHAPE(1, 1, 2, 2), (float[]){1, 10, 100, 1000}},
                                    {RC_F32, RC_SHAPE(1), (float[]){0.5f}}};
    struct opcheck c;
    opcheck_open(&c, "ConvTranspose", &a, in, 3, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 1, 4, 4), 1.5f, 10.5f, 2.5f, 20.5f, 100.5f, 1000.5f, 200.5f,
                2000.5f, 3.5f, 30.5f, 4.5f, 40.5f, 300.5f, 3000.5f, 400.5f, 4000.5f);
    opcheck_close(&c);
}

static void convtranspose_gradients_match_differences(void **state)
{
    (void) state;
    const struct rci_deconv_attrs list[] = {
        {.window = {.stride = {2, 1}, .dilation = {1, 2}, .pads = {1, 0, 0, 1}}},
        {.window = {.stride = {2, 2}}, .group = 2, .output_padding = {1, 1}},
        {.window = {.stride = {2, 2}, .auto_pad = RC_AUTO_PAD_SAME_UPPER}},
        {.window = {.stride = {2, 2}}, .output = {7, 6}},
    };
    for (int k = 0; k < 4; k++) {
        const int64_t group = list[k].group ? 2 : 1;
        const struct rci_tensor in[] = {F32(2, 4, 3, 3), F32(4, 3, 3, 2), F32(3 * group)};
        opcheck_gradient_of("ConvTranspose", &list[k], in, 3, 1, 0.05, 2e-3);
        opcheck_gradient_of("ConvTranspose", &list[k], in, 2, 1, 0.05, 2e-3);
    }
    const struct rci_tensor bad[] = {F32(2, 4, 3, 3), F32(3, 3, 3, 2)};
    opcheck_refused("ConvTranspose", &list[0], bad, 2, 1, RC_ERR_SHAPE, "must be [4, O/group");
}

static void more_pools_and_their_gradients(void **state)
{
    (void) state;
    const struct rci_lppool_attrs two = {{.window = {.kernel = {2, 2}, .stride = {2, 1}}}, 2};
    const struct rci_lppool_attrs three = {{.window = {.kernel = {2, 2}, .pads = {1, 0, 0, 1}}}, 3};
    const struct rci_globallp_attrs p1 = {1}, p2 = {2};
    const struct rci_tensor x = F32(2, 3, 4, 4);
    struct opcheck c;
    opcheck_open(&c, "GlobalMaxPool", NULL, &square, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(1, 1, 1, 1), 4);
    opcheck_close(&c);
    opcheck_open(&c, "GlobalLpPool", &p2, &square, 1, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 1, 1, 1), sqrtf(30));
    opcheck_close(&c);
    opcheck_open(&c, "LpPool", &two, &square, 1, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 1, 1, 1), sqrtf(30));
    opcheck_close(&c);
    opcheck_gradient_of("GlobalMaxPool", NULL, &x, 1, 1, 1e-3, 3e-3);
    opcheck_gradient_of("GlobalLpPool", &p1, &x, 1, 1, 1e-3, 3e-3);
    opcheck_gradient_of("GlobalLpPool", &p2, &x, 1, 1, 1e-3, 3e-3);
    opcheck_gradient_of("LpPool", &two, &x, 1, 1, 1e-3, 3e-3);
    opcheck_gradient_of("LpPool", &three, &x, 1, 1, 1e-3, 3e-3);
}

static void tile_repeats(void **state)
{
    (void) state;
    const struct rci_tile_attrs a = {.repeats = {2, 1, 1, 2}, .n = 4, .bound = 1};
    const struct rci_tile_attrs few = {.repeats = {2}, .n = 1, .bound = 1};
    const struct rci_tensor x = F32(2, 2, 1, 3);
    struct opcheck c;
    opcheck_open(&c, "Tile", &a, &square, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 1, 2, 4), 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4);
    opcheck_close(&c);
    opcheck_gradient_of("Tile", &a, &x, 1, 1, 0.1, 1e-4);
    opcheck_refused("Tile", &few, &square, 1, 1, RC_ERR_MODEL, "1 repeats for an input of rank 4");
}

static void topk_sorts_and_argmax_finds(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 4), (float[]){3, 7, 7, 1, -1, -4, 0, -2}};
    const struct rci_tensor apart = {RC_F32, RC_SHAPE(2, 3), (float[]){3, 7, 8, 1, -1, -4}};
    const struct rci_arg_attrs two = {.axis = 1, .k = 2, .bound = 1};
    const struct rci_arg_attrs low = {.axis = 1, .k = 3, .bound = 1, .smallest = 1};
    const struct rci_arg_attrs five = {.axis = 1, .k = 5, .bound = 1};
    const struct rci_arg_attrs last = {.axis = 1, .keepdims = 1, .last = 1}, first = {.axis = -1};
    struct opcheck c;
    opcheck_open(&c, "TopK", &two, &x, 1, 2);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 2), 7, 7, 0, -1);
    const int64_t *places = c.out[1].data;
    assert_true(places[0] == 1 && places[1] == 2 && places[2] == 2 && places[3] == 0);
    opcheck_close(&c);
    opcheck_open(&c, "TopK", &low, &x, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 3), 1, 3, 7, -4, -2, -1);
    opcheck_close(&c);
    opcheck_gradient_of("TopK", &two, &apart, 1, 1, 1e-3, 3e-3);
    opcheck_refused("TopK", &five, &x, 1, 1, RC_ERR_SHAPE, "k is 5, allowed 0 to 4");
    opcheck_open(&c, "ArgMax", &last, &x, 1, 1);
    OPCHECK_I64(&c, RC_SHAPE(2, 1), 2, 2);
    opcheck_close(&c);
    opcheck_open(&c, "ArgMin", &first, &x, 1, 1);
    OPCHECK_I64(&c, RC_SHAPE(2), 3, 1);
    opcheck_close(&c);
}

/* NaN is the largest, in ONNX Runtime too: every place comes once. */
static void topk_orders_nan_behind_all_numbers(void **state)
{
    (void) state;
    static const struct {
        float x[4];
        int smallest, place[3];
    } cases[] = {{{NAN, 1, 2, 3}, 0, {0, 3, 2}},   {{NAN, 1, 2, 3}, 1, {1, 2, 3}},
                 {{1, NAN, 3, 2}, 0, {1, 2, 3}},   {{3, 2, 1, NAN}, 1, {2, 1, 0}},
                 {{NAN, NAN, 1, 2}, 0, {0, 1, 3}}, {{NAN, NAN, 1, 2}, 1, {2, 3, 0}}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct rci_tensor x = {RC_F32, RC_SHAPE(4), (void *) (uintptr_t) cases[i].x};
        const struct rci_arg_attrs a = {.k = 3, .bound = 1, .smallest = cases[i].smallest};
        struct opcheck c;
        opcheck_open(&c, "TopK", &a, &x, 1, 2);
        opcheck_forward(&c);
        for (int k = 0; k < 3; k++)
            assert_int_equal(((int64_t *) c.out[1].data)[k], cases[i].place[k]);
        opcheck_close(&c);
    }
}

static void constants_of_shapes_and_ranges(void **state)
{
    (void) state;
    const struct rci_eye_attrs above = {.k = 1, .type = RC_I64};
    const struct rci_tensor x = F32(2, 3), cube = F32(2, 2, 2);
    const struct rci_tensor range[] = {{RC_I64, {0, {0}}, (int64_t[]){7}},
                                       {RC_I64, {0, {0}}, (int64_t[]){0}},
                                       {RC_I64, {0, {0}}, (int64_t[]){-3}}};
    const struct rci_tensor still[] = {range[0], range[1], {RC_I64, {0, {0}}, (int64_t[]){0}}};
    struct opcheck c;
    opcheck_open(&c, "EyeLike", &above, &x, 1, 1);
    OPCHECK_I64(&c, RC_SHAPE(2, 3), 0, 1, 0, 0, 0, 1);
    opcheck_close(&c);
    opcheck_refused("EyeLike", &above, &cube, 1, 1, RC_ERR_SHAPE, "must be a matrix");
    opcheck_open(&c, "Range", NULL, range, 3, 1);
    OPCHECK_I64(&c, RC_SHAPE(3), 7, 4, 1);
    opcheck_close(&c);
    opcheck_refused("Range", NULL, still, 3, 1, RC_ERR_MODEL, "in steps of 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_repeats_and_interpolates),
        cmocka_unit_test(resize_gradients_match_differences),
        cmocka_unit_test(resize_refuses_what_is_unknown_or_absurd),
        cmocka_unit_test(convtranspose_adds_windows),
        cmocka_unit_test(convtranspose_gradients_match_differences),
        cmocka_unit_test(more_pools_and_their_gradients),
        cmocka_unit_test(tile_repeats),
        cmocka_unit_test(topk_sorts_and_argmax_finds),
        cmocka_unit_test(topk_orders_nan_behind_all_numbers),
        cmocka_unit_test(constants_of_shapes_and_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
