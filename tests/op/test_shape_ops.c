/* Operators of shape chains: Shape, Gather, Cast, ConstantOfShape, Expand, Squeeze, Unsqueeze,
 * Flatten, Reshape. */
#include "opcheck.h"

#include "op/attrs.h"

#include <math.h>

static void shape_reads_dimensions(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_U8, RC_SHAPE(2, 3, 4), NULL};
    const struct rci_shape_attrs part = {.start = -2, .end = -1, .has_end = 1};
    const struct rci_shape_attrs wide = {.start = -9, .end = 9, .has_end = 1};
    const struct rci_shape_attrs none = {.start = 2, .end = 1, .has_end = 1};
    struct opcheck c;
    opcheck_open(&c, "Shape", NULL, &x, 1, 1);
    OPCHECK_I64(&c, RC_SHAPE(3), 2, 3, 4);
    opcheck_close(&c);
    opcheck_open(&c, "Shape", &part, &x, 1, 1);
    OPCHECK_I64(&c, RC_SHAPE(1), 3);
    opcheck_close(&c);
    opcheck_open(&c, "Shape", &wide, &x, 1, 1);
    OPCHECK_I64(&c, RC_SHAPE(3), 2, 3, 4);
    opcheck_close(&c);
    opcheck_open(&c, "Shape", &none, &x, 1, 1);
    assert_int_equal(rci_shape_count(&c.out[0].shape), 0);
    opcheck_close(&c);
}

static void gather_picks_rows(void **state)
{
    (void) state;
    const struct rci_axis_attrs one = {1};
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(2, 3), (float[]){0, 1, 2, 10, 11, 12}},
                                    {RC_I64, RC_SHAPE(2, 2), (int64_t[]){2, 0, -1, -3}}};
    const struct rci_tensor scalar[] = {{RC_I64, RC_SHAPE(4), (int64_t[]){5, 6, 7, 8}},
                                        {RC_I32, {0, {0}}, (int32_t[]){-1}}};
    struct opcheck c;
    opcheck_open(&c, "Gather", &one, in, 2, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 2, 2), 2, 0, 2, 0, 12, 10, 12, 10);
    opcheck_gradient(&c, 0.1, 1e-4, 0);
    opcheck_close(&c);
    opcheck_open(&c, "Gather", NULL, scalar, 2, 1);
    const struct rci_tensor eight = {RC_I64, {0, {0}}, (int64_t[]){8}};
    opcheck_expect(&c, &eight, 0);
    opcheck_close(&c);
}

static void gather_refuses_what_is_outside(void **state)
{
    (void) state;
    const struct rci_axis_attrs bad = {2};
    struct rci_tensor in[] = {{RC_F32, RC_SHAPE(2, 3), NULL},
                              {RC_I64, RC_SHAPE(1), (int64_t[]){3}}};
    opcheck_refused("Gather", &bad, in, 2, 1, RC_ERR_SHAPE, "axis is 2, allowed -2 to 1");
    opcheck_refused("Gather", NULL, in, 2, 1, RC_ERR_SHAPE, "index 3, allowed -2 to 1");
    in[1].dtype = RC_F32;
    opcheck_refused("Gather", NULL, in, 2, 1, RC_ERR_UNSUPPORTED, "indices of type f32");
}

static void cast_converts_between_all_types(void **state)
{
    (void) state;
    const enum rci_dtype types[] = {RC_F32, RC_F64, RC_I64, RC_I32, RC_U8, RC_S8, RC_BOOL};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(3), (float[]){0, 1, 100}};
    for (int k = 0; k < 7; k++)
        for (int j = 0; j < 7; j++) {
            const struct rci_cast_attrs to = {types[k]}, back = {types[j]}, last = {RC_I64};
            struct opcheck a, b, d;
            opcheck_open(&a, "Cast", &to, &x, 1, 1);
            opcheck_forward(&a);
            opcheck_open(&b, "Cast", &back, &a.out[0], 1, 1);
            opcheck_forward(&b);
            opcheck_open(&d, "Cast", &last, &b.out[0], 1, 1);
            OPCHECK_I64(&d, RC_SHAPE(3), 0, 1,
                        types[k] == RC_BOOL || types[j] == RC_BOOL ? 1 : 100);
            opcheck_close(&a);
            opcheck_close(&b);
            opcheck_close(&d);
        }
}

static void cast_truncates_and_saturates(void **state)
{
    (void) state;
    const struct rci_cast_attrs s8 = {RC_S8}, i64 = {RC_I64}, f32 = {RC_F32};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(5), (float[]){-1.9f, 1.9f, 300, -1e30f, NAN}};
    struct opcheck c;
    opcheck_open(&c, "Cast", &s8, &x, 1, 1);
    opcheck_expect(&c, &(struct rci_tensor){RC_S8, RC_SHAPE(5), (int8_t[]){-1, 1, 127, -128, 0}},
                   0);
    opcheck_close(&c);
    opcheck_open(&c, "Cast", &i64, &x, 1, 1);
    OPCHECK_I64(&c, RC_SHAPE(5), -1, 1, 300, INT64_MIN, 0);
    opcheck_close(&c);
    const struct rci_tensor y = {RC_F32, RC_SHAPE(2, 2), NULL};
    opcheck_gradient_of("Cast", &f32, &y, 1, 1, 0.1, 1e-4);
}

static void constantofshape_fills(void **state)
{
    (void) state;
    const struct rci_fill_attrs seven = {.value = 7, .ivalue = 7, .type = RC_I64};
    const struct rci_tensor shape = {RC_I64, RC_SHAPE(2), (int64_t[]){2, 1}};
    const struct rci_tensor bad = {RC_I64, RC_SHAPE(1), (int64_t[]){-2}};
    const struct rci_tensor unknown = {RC_I64, RC_SHAPE(1), NULL};
    struct opcheck c;
    opcheck_open(&c, "ConstantOfShape", NULL, &shape, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 1), 0, 0);
    opcheck_close(&c);
    opcheck_open(&c, "ConstantOfShape", &seven, &shape, 1, 1);
    OPCHECK_I64(&c, RC_SHAPE(2, 1), 7, 7);
    opcheck_close(&c);
    opcheck_refused("ConstantOfShape", NULL, &bad, 1, 1, RC_ERR_MODEL, "shape entry 0 is -2");
    opcheck_refused("ConstantOfShape", NULL, &unknown, 1, 1, RC_ERR_UNSUPPORTED, "at run time");
}

static void expand_repeats(void **state)
{
    (void) state;
    const struct rci_expand_attrs a = {.dims = {2, 1, 3}, .rank = 3, .bound = 1};
    const struct rci_expand_attrs bad = {.dims = {4}, .rank = 1, .bound = 1};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 1), (float[]){5, 6}};
    const struct rci_tensor wide = {RC_F32, RC_SHAPE(3), NULL};
    const struct rci_tensor grad = {RC_F32, RC_SHAPE(1, 4, 1), NULL};
    struct opcheck c;
    opcheck_open(&c, "Expand", &a, &x, 1, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 2, 3), 5, 5, 5, 6, 6, 6, 5, 5, 5, 6, 6, 6);
    opcheck_close(&c);
    opcheck_gradient_of("Expand", &a, &grad, 1, 1, 0.1, 1e-4);
    opcheck_refused("Expand", &bad, &wide, 1, 1, RC_ERR_SHAPE, "3 does not expand to 4");
}

static void squeeze_drops_ones(void **state)
{
    (void) state;
    const struct rci_axes_attrs listed = {.axes = {-1}, .n = 1}, wrong = {.axes = {1}, .n = 1};
    const struct rci_axes_attrs twice = {.axes = {0, -4}, .n = 2};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(1, 2, 1, 1), NULL};
    struct opcheck c;
    opcheck_open(&c, "Squeeze", NULL, &x, 1, 1);
    OPCHECK_SHAPE(&c, 2);
    opcheck_gradient(&c, 0.1, 1e-4, 0);
    opcheck_close(&c);
    opcheck_open(&c, "Squeeze", &listed, &x, 1, 1);
    OPCHECK_SHAPE(&c, 1, 2, 1);
    opcheck_close(&c);
    opcheck_refused("Squeeze", &wrong, &x, 1, 1, RC_ERR_SHAPE, "axis 1 has length 2, must be 1");
    opcheck_refused("Squeeze", &twice, &x, 1, 1, RC_ERR_SHAPE, "axis -4 is listed twice");
}

static void squeeze_never_drops_a_free_batch(void **state)
{
    (void) state;
    const int64_t batch[2] = {2, 3};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(1, 3, 1, 1), NULL};
    const struct rci_tensor at_two = {RC_F32, RC_SHAPE(2, 3, 1, 1), NULL};
    struct opcheck c;
    opcheck_open(&c, "Squeeze", NULL, &x, 1, 1);
    c.g->dynamic_batch = true;
    OK(c.node->op->bind(c.g, c.node, &at_two, &at_two, batch));
    const struct rci_infer i = {c.g, c.node, c.in, &c.out[1]};
    OK(c.node->op->infer(&i));
    assert_true(c.out[1].shape.rank == 2 && c.out[1].shape.dim[1] == 3);
    opcheck_close(&c);
}

static void unsqueeze_inserts_ones(void **state)
{
    (void) state;
    const struct rci_axes_attrs a = {.axes = {3, 0}, .n = 2};
    const struct rci_axes_attrs many = {.axes = {0, 1, 2, 3, 4, 5, 6}, .n = 7};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3), NULL};
    struct opcheck c;
    opcheck_open(&c, "Unsqueeze", &a, &x, 1, 1);
    OPCHECK_SHAPE(&c, 1, 2, 3, 1);
    opcheck_gradient(&c, 0.1, 1e-4, 0);
    opcheck_close(&c);
    opcheck_refused("Unsqueeze", &many, &x, 1, 1, RC_ERR_SHAPE, "rank of the result is 9");
    opcheck_refused("Unsqueeze", NULL, &x, 1, 1, RC_ERR_MODEL, "axes are missing");
}

static void flatten_makes_a_matrix(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3, 4, 5), NULL};
    const struct {
        int64_t axis, rows, columns;
    } cases[] = {{1, 2, 60}, {0, 1, 120}, {4, 120, 1}, {-1, 24, 5}, {2, 6, 20}};
    for (int k = 0; k < 5; k++) {
        const struct rci_axis_attrs a = {cases[k].axis};
        struct opcheck c;
        opcheck_open(&c, "Flatten", &a, &x, 1, 1);
        OPCHECK_SHAPE(&c, cases[k].rows, cases[k].columns);
        opcheck_expect(&c, &(struct rci_tensor){RC_F32, c.out[0].shape, c.in[0].data}, 0);
        opcheck_close(&c);
    }
    const struct rci_axis_attrs bad = {5};
    opcheck_refused("Flatten", &bad, &x, 1, 1, RC_ERR_SHAPE, "axis is 5, allowed -4 to 4");
    opcheck_gradient_of("Flatten", NULL, &x, 1, 1, 0.1, 1e-4);
}

static void reshape_resolves_zero_and_minus_one(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3, 4), NULL};
    const struct rci_reshape_attrs a = {.dims = {0, -1, 2}, .rank = 3, .bound = 1};
    struct opcheck c;
    opcheck_open(&c, "Reshape", &a, &x, 1, 1);
    OPCHECK_SHAPE(&c, 2, 6, 2);
    opcheck_gradient(&c, 0.1, 1e-4, 0);
    opcheck_close(&c);
    const struct rci_tensor in[] = {x, {RC_I64, RC_SHAPE(2), (int64_t[]){-1, 4}}};
    opcheck_open(&c, "Reshape", NULL, in, 2, 1); /* not bound: the operand's value counts */
    OPCHECK_SHAPE(&c, 6, 4);
    opcheck_close(&c);
    const struct rci_tensor nothing = {RC_F32, RC_SHAPE(0, 3), NULL};
    const struct rci_reshape_attrs zero = {.dims = {3, 0}, .rank = 2, .bound = 1, .allowzero = 1};
    opcheck_open(&c, "Reshape", &zero, &nothing, 1, 1);
    OPCHECK_SHAPE(&c, 3, 0);
    opcheck_close(&c);
}

static void reshape_refuses_what_does_not_fit(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3), NULL};
    const struct rci_tensor dynamic[] = {x, {RC_I64, RC_SHAPE(2), NULL}};
    const struct rci_reshape_attrs twice = {.dims = {-1, -1}, .rank = 2, .bound = 1};
    const struct rci_reshape_attrs count = {.dims = {4}, .rank = 1, .bound = 1};
    const struct rci_reshape_attrs rest = {.dims = {4, -1}, .rank = 2, .bound = 1};
    const struct rci_reshape_attrs copy = {.dims = {2, 3, 0}, .rank = 3, .bound = 1};
    opcheck_refused("Reshape", &twice, &x, 1, 1, RC_ERR_MODEL, "-1 once");
    opcheck_refused("Reshape", &count, &x, 1, 1, RC_ERR_SHAPE, "2x3 has 6 elements");
    opcheck_refused("Reshape", &rest, &x, 1, 1, RC_ERR_SHAPE, "2x3 has 6 elements");
    opcheck_refused("Reshape", &copy, &x, 1, 1, RC_ERR_MODEL, "the input has rank 2");
    opcheck_refused("Reshape", NULL, dynamic, 2, 1, RC_ERR_UNSUPPORTED, "at run time");
}

/* A shape that was computed from the batch leaves the batch free. */
static void reshape_binds_a_free_batch(void **state)
{
    (void) state;
    const int64_t batch[2] = {2, 3};
    const struct {
        int64_t first[3], second[3], dims[3];
        rc_status status;
    } cases[] = {
        {{2, 12, 1}, {3, 12, 1}, {0, 12, 1}, RC_OK},
        {{2, -1, 1}, {3, -1, 1}, {0, -1, 1}, RC_OK},
        {{6, 4, 1}, {9, 4, 1}, {-1, 4, 1}, RC_OK},
        {{2, 3, 4}, {2, 3, 4}, {2, 3, 4}, RC_OK},
        {{6, -1, 1}, {9, -1, 1}, {0}, RC_ERR_UNSUPPORTED},
        {{6, 8, 1}, {9, 12, 1}, {0}, RC_ERR_UNSUPPORTED},
    };
    for (int k = 0; k < 6; k++) {
        const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(2, 3, 4), NULL},
                                        {RC_I64, RC_SHAPE(3), NULL}};
        const struct rci_tensor known[] = {
            in[0], {RC_I64, RC_SHAPE(3), (void *) (intptr_t) cases[k].first}};
        const struct rci_tensor alt[] = {
            {RC_F32, RC_SHAPE(3, 3, 4), NULL},
            {RC_I64, RC_SHAPE(3), (void *) (intptr_t) cases[k].second}};
        struct opcheck c;
        opcheck_open(&c, "Reshape",
                     &(struct rci_reshape_attrs){.dims = {0, 0, 0}, .rank = 3, .bound = 1}, in, 2,
                     1);
        ((struct rci_reshape_attrs *) c.node->attrs)->bound = 0;
        const rc_status st = c.node->op->bind(c.g, c.node, known, alt, batch);
        assert_int_equal(st, cases[k].status);
        if (st == RC_OK) {
            const struct rci_reshape_attrs *a = c.node->attrs;
            assert_memory_equal(a->dims, cases[k].dims, sizeof(cases[k].dims));
            assert_int_equal(c.node->n_in, 1);
        }
        opcheck_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_reads_dimensions),
        cmocka_unit_test(gather_picks_rows),
        cmocka_unit_test(gather_refuses_what_is_outside),
        cmocka_unit_test(cast_converts_between_all_types),
        cmocka_unit_test(cast_truncates_and_saturates),
        cmocka_unit_test(constantofshape_fills),
        cmocka_unit_test(expand_repeats),
        cmocka_unit_test(squeeze_drops_ones),
        cmocka_unit_test(squeeze_never_drops_a_free_batch),
        cmocka_unit_test(unsqueeze_inserts_ones),
        cmocka_unit_test(flatten_makes_a_matrix),
        cmocka_unit_test(reshape_resolves_zero_and_minus_one),
        cmocka_unit_test(reshape_refuses_what_does_not_fit),
        cmocka_unit_test(reshape_binds_a_free_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
