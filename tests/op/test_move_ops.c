/* Operators that move or select elements: Transpose, Slice, Pad, Split, Identity. */
#include "opcheck.h"

#include "op/attrs.h"

static void identity_copies_any_type(void **state)
{
    (void) state;
    const struct rci_tensor b = {RC_BOOL, RC_SHAPE(3), (uint8_t[]){1, 0, 1}};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3), NULL};
    struct opcheck c;
    opcheck_open(&c, "Identity", NULL, &b, 1, 1);
    opcheck_expect(&c, &b, 0);
    opcheck_close(&c);
    opcheck_gradient_of("Identity", NULL, &x, 1, 1, 0.1, 1e-4);
}

static void transpose_permutes(void **state)
{
    (void) state;
    const struct rci_transpose_attrs p = {.perm = {1, 2, 0}, .n = 3};
    const struct rci_tensor x = {RC_I64, RC_SHAPE(2, 1, 3), (int64_t[]){0, 1, 2, 3, 4, 5}};
    const struct rci_tensor m = {RC_U8, RC_SHAPE(2, 3), (uint8_t[]){0, 1, 2, 3, 4, 5}};
    const struct rci_tensor big = {RC_F32, RC_SHAPE(3, 2, 4), NULL};
    struct opcheck c;
    opcheck_open(&c, "Transpose", &p, &x, 1, 1);
    OPCHECK_I64(&c, RC_SHAPE(1, 3, 2), 0, 3, 1, 4, 2, 5);
    opcheck_close(&c);
    opcheck_open(&c, "Transpose", NULL, &m, 1, 1);
    opcheck_expect(&c, &(struct rci_tensor){RC_U8, RC_SHAPE(3, 2), (uint8_t[]){0, 3, 1, 4, 2, 5}},
                   0);
    opcheck_close(&c);
    opcheck_gradient_of("Transpose", &p, &big, 1, 1, 0.1, 1e-4);
}

static void transpose_of_a_large_array_is_exact(void **state)
{
    (void) state;
    const struct rci_transpose_attrs p = {.perm = {0, 2, 3, 1}, .n = 4};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(3, 17, 40, 33), NULL};
    struct opcheck c;
    opcheck_open(&c, "Transpose", &p, &x, 1, 1);
    opcheck_forward(&c);
    const float *a = c.in[0].data, *b = c.out[0].data;
    for (int n = 0; n < 3; n++)
        for (int ch = 0; ch < 17; ch++)
            for (int i = 0; i < 40 * 33; i++)
                assert_true(b[(n * 40 * 33 + i) * 17 + ch] == a[(n * 17 + ch) * 40 * 33 + i]);
    opcheck_close(&c);
}

static void transpose_refuses_a_wrong_permutation(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3), NULL};
    const struct rci_transpose_attrs few = {.perm = {0}, .n = 1}, twice = {.perm = {0, 0}, .n = 2};
    const struct rci_transpose_attrs far = {.perm = {0, 2}, .n = 2};
    opcheck_refused("Transpose", &few, &x, 1, 1, RC_ERR_SHAPE, "perm has 1 entries, must be 2");
    opcheck_refused("Transpose", &twice, &x, 1, 1, RC_ERR_SHAPE, "axis 0 is listed twice");
    opcheck_refused("Transpose", &far, &x, 1, 1, RC_ERR_SHAPE, "axis is 2, allowed -2 to 1");
}

static const struct {
    int64_t start, end, step;
    int n, want[8];
} slices[] = {
    {0, 3, 1, 3, {0, 1, 2}},
    {1, INT64_MAX, 1, 7, {1, 2, 3, 4, 5, 6, 7}},
    {1, INT32_MAX, 3, 3, {1, 4, 7}},
    {-3, -1, 1, 2, {5, 6}},
    {-1, INT64_MIN, -1, 8, {7, 6, 5, 4, 3, 2, 1, 0}},
    {INT64_MAX, INT32_MIN + 1, -3, 3, {7, 4, 1}},
    {6, 2, -2, 2, {6, 4}},
    {5, 2, 1, 0, {0}},
    {-100, 2, 1, 2, {0, 1}},
    {0, 8, 100, 1, {0}},
};

/* Backwards from before the first element: ONNX clamps the start to it, Python selects nothing. */
static void slice_backwards_begins_at_an_element(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(3), (float[]){5, 6, 7}};
    const struct rci_tensor none = {RC_F32, RC_SHAPE(0), NULL};
    const struct rci_slice_attrs a = {
        .starts = {-100}, .ends = {INT64_MIN}, .steps = {-1}, .n = 1, .bound = 1};
    struct opcheck c;
    opcheck_open(&c, "Slice", &a, &x, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(1), 5);
    opcheck_close(&c);
    opcheck_open(&c, "Slice", &a, &none, 1, 1);
    OPCHECK_SHAPE(&c, 0);
    opcheck_forward(&c);
    opcheck_close(&c);
}

static void slice_selects_like_python(void **state)
{
    (void) state;
    float x[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    const struct rci_tensor in = {RC_F32, RC_SHAPE(8), x};
    for (size_t k = 0; k < sizeof(slices) / sizeof(slices[0]); k++) {
        const struct rci_slice_attrs a = {.starts = {slices[k].start},
                                          .ends = {slices[k].end},
                                          .axes = {-1},
                                          .steps = {slices[k].step},
                                          .n = 1,
                                          .bound = 1};
        struct opcheck c;
        opcheck_open(&c, "Slice", &a, &in, 1, 1);
        assert_int_equal(c.out[0].shape.dim[0], slices[k].n);
        opcheck_forward(&c);
        for (int i = 0; i < slices[k].n; i++)
            assert_true(((float *) c.out[0].data)[i] == (float) slices[k].want[i]);
        opcheck_gradient(&c, 0.1, 1e-4, 0);
        opcheck_close(&c);
    }
}

static void slice_cuts_several_axes(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3, 4, 4), NULL};
    const struct rci_slice_attrs a = {
        .starts = {0, 3}, .ends = {9, -9}, .axes = {2, -1}, .steps = {2, -2}, .n = 2, .bound = 1};
    const struct rci_tensor in[] = {{RC_I64, RC_SHAPE(2, 2), (int64_t[]){1, 2, 3, 4}},
                                    {RC_I32, RC_SHAPE(1), (int32_t[]){1}},
                                    {RC_I32, RC_SHAPE(1), (int32_t[]){2}},
                                    {RC_I64, RC_SHAPE(1), (int64_t[]){1}}};
    struct opcheck c;
    opcheck_open(&c, "Slice", &a, &x, 1, 1);
    OPCHECK_SHAPE(&c, 2, 3, 2, 2);
    opcheck_forward(&c);
    for (int m = 0; m < 6; m++)
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
                assert_true(((float *) c.out[0].data)[(m * 2 + i) * 2 + j] ==
                            ((float *) c.in[0].data)[(m * 4 + 2 * i) * 4 + 3 - 2 * j]);
    opcheck_gradient(&c, 0.1, 1e-4, 0);
    opcheck_close(&c);
    opcheck_open(&c, "Slice", NULL, in, 4, 1); /* not bound: operands count */
    OPCHECK_I64(&c, RC_SHAPE(2, 1), 2, 4);
    opcheck_close(&c);
}

static void slice_refuses_bad_bounds(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(4), NULL};
    const struct rci_slice_attrs step = {.ends = {2}, .n = 1, .bound = 1};
    const struct rci_slice_attrs axis = {
        .ends = {2}, .axes = {1}, .steps = {1}, .n = 1, .bound = 1};
    const struct rci_tensor in[] = {x, {RC_I64, RC_SHAPE(1), NULL}, {RC_I64, RC_SHAPE(1), NULL}};
    opcheck_refused("Slice", &step, &x, 1, 1, RC_ERR_MODEL, "step is 0");
    opcheck_refused("Slice", &axis, &x, 1, 1, RC_ERR_SHAPE, "axis is 1, allowed -1 to 0");
    opcheck_refused("Slice", NULL, in, 3, 1, RC_ERR_UNSUPPORTED, "starts is computed at run time");
    opcheck_refused("Slice", NULL, &x, 1, 1, RC_ERR_MODEL, "starts or ends are missing");
}

static void pad_grows_and_crops(void **state)
{
    (void) state;
    const struct rci_pad_attrs a = {
        .begin = {1, 0}, .end = {0, 2}, .n = 2, .value = -3, .bound = 1};
    const struct rci_pad_attrs crop = {
        .axes = {-1}, .begin = {-1}, .end = {1}, .n = 1, .n_axes = 1, .bound = 1};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(1, 2), (float[]){1, 2}};
    const struct rci_tensor y = {RC_F32, RC_SHAPE(2, 3, 2), NULL};
    const struct rci_pad_attrs cube = {.begin = {0, 1, 2}, .end = {1, -1, 0}, .n = 3, .bound = 1};
    struct opcheck c;
    opcheck_open(&c, "Pad", &a, &x, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 4), -3, -3, -3, -3, 1, 2, -3, -3);
    opcheck_close(&c);
    opcheck_open(&c, "Pad", &crop, &x, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(1, 2), 2, 0);
    opcheck_close(&c);
    opcheck_gradient_of("Pad", &cube, &y, 1, 1, 0.1, 1e-4);
}

static void pad_mirrors_and_extends(void **state)
{
    (void) state;
    struct rci_pad_attrs a = {
        .begin = {0, 2}, .end = {0, 1}, .n = 2, .mode = RC_PAD_REFLECT, .bound = 1};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(1, 3), (float[]){1, 2, 3}};
    struct opcheck c;
    opcheck_open(&c, "Pad", &a, &x, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(1, 6), 3, 2, 1, 2, 3, 2);
    opcheck_gradient(&c, 0.1, 1e-4, 0);
    opcheck_close(&c);
    a.mode = RC_PAD_EDGE;
    opcheck_open(&c, "Pad", &a, &x, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(1, 6), 1, 1, 1, 2, 3, 3);
    opcheck_gradient(&c, 0.1, 1e-4, 0);
    opcheck_close(&c);
}

static void pad_refuses_wrong_amounts(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(1, 3), NULL};
    const struct rci_pad_attrs few = {.begin = {0}, .end = {0}, .n = 1, .bound = 1};
    const struct rci_pad_attrs crop = {.begin = {0, -2}, .end = {0, -2}, .n = 2, .bound = 1};
    const struct rci_pad_attrs far = {
        .begin = {0, 3}, .end = {0, 0}, .n = 2, .mode = RC_PAD_REFLECT, .bound = 1};
    opcheck_refused("Pad", &few, &x, 1, 1, RC_ERR_SHAPE, "pads has 2 entries, must be 4");
    opcheck_refused("Pad", &crop, &x, 1, 1, RC_ERR_SHAPE, "crop axis 1 of length 3");
    opcheck_refused("Pad", &far, &x, 1, 1, RC_ERR_SHAPE, "are 3 and 0, at most 2");
    opcheck_refused("Pad", NULL, &x, 1, 1, RC_ERR_MODEL, "pads are missing");
}

static void split_parts_add_up(void **state)
{
    (void) state;
    const struct rci_split_attrs equal = {.axis = 1};
    const struct rci_split_attrs sizes = {.axis = -1, .sizes = {1, 0, 3}, .n = 3};
    const struct rci_split_attrs uneven = {.axis = 0, .uneven = 1};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 4), (float[]){0, 1, 2, 3, 4, 5, 6, 7}};
    const struct rci_tensor seven = {RC_F32, RC_SHAPE(7), NULL};
    struct opcheck c;
    opcheck_open(&c, "Split", &equal, &x, 1, 2);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 2), 0, 1, 4, 5);
    assert_memory_equal(c.out[1].data, ((float[]){2, 3, 6, 7}), 16);
    opcheck_gradient(&c, 0.1, 1e-4, 0);
    opcheck_close(&c);
    opcheck_open(&c, "Split", &sizes, &x, 1, 3);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 1), 0, 4);
    assert_memory_equal(c.out[2].data, ((float[]){1, 2, 3, 5, 6, 7}), 24);
    opcheck_gradient(&c, 0.1, 1e-4, 0);
    opcheck_close(&c);
    opcheck_open(&c, "Split", &uneven, &seven, 1, 3);
    assert_int_equal(c.out[0].shape.dim[0], 3);
    assert_int_equal(c.out[2].shape.dim[0], 1);
    opcheck_close(&c);
}

static void split_refuses_sizes_that_do_not_add_up(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(5), NULL};
    const struct rci_split_attrs less = {.sizes = {1, 2}, .n = 2}, more = {.sizes = {3, 3}, .n = 2};
    opcheck_refused("Split", NULL, &x, 1, 2, RC_ERR_SHAPE, "2 outputs do not divide axis 0");
    opcheck_refused("Split", &less, &x, 1, 2, RC_ERR_SHAPE, "sizes leave 2 of the 5");
    opcheck_refused("Split", &more, &x, 1, 2, RC_ERR_SHAPE, "size 3 of part 1, allowed 0 to 2");
    opcheck_refused("Split", &more, &x, 1, 3, RC_ERR_MODEL, "3 outputs for 2 sizes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_copies_any_type),
        cmocka_unit_test(transpose_permutes),
        cmocka_unit_test(transpose_of_a_large_array_is_exact),
        cmocka_unit_test(transpose_refuses_a_wrong_permutation),
        cmocka_unit_test(slice_backwards_begins_at_an_element),
        cmocka_unit_test(slice_selects_like_python),
        cmocka_unit_test(slice_cuts_several_axes),
        cmocka_unit_test(slice_refuses_bad_bounds),
        cmocka_unit_test(pad_grows_and_crops),
        cmocka_unit_test(pad_mirrors_and_extends),
        cmocka_unit_test(pad_refuses_wrong_amounts),
        cmocka_unit_test(split_parts_add_up),
        cmocka_unit_test(split_refuses_sizes_that_do_not_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
