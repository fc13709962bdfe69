/* Tensors of ONNX files: what is read, in every encoding, and what is refused. */
#include "load.h"

#include <math.h>

/* A model with this initializer, which a Concat-free graph need not use. */
static rc_status with_tensor(struct pb t, struct rc_context *c)
{
    struct onnx_model m = onnx_model();
    onnx_initializer(&m, t);
    return load_node(&m, "N,3", onnx_node("Relu", "relu", "x", "y"), c);
}

static struct pb bare(int32_t type, uint32_t rank, const int64_t *dims)
{
    struct pb t = {0};
    for (uint32_t i = 0; i < rank; i++)
        pb_varint(&t, 1, dims[i]);
    pb_varint(&t, 2, type);
    pb_string(&t, 8, "w");
    return t;
}
#define BARE(type, ...) bare(type, sizeof((int64_t[]){__VA_ARGS__}) / 8, (int64_t[]){__VA_ARGS__})

/* 27, 28 */
static void sizes_are_checked_before_memory_is_taken(void **state)
{
    static const struct {
        uint32_t rank;
        int64_t dims[10];
        const char *word;
    } t[] = {
        {1, {-1}, "dims[0] is -1"},
        {1, {0}, "raw_data has 4 bytes, dims and type need 0"},
        {2, {0, 1}, "dims[0] is 0"},
        {2, {4, INT64_C(1) << 31}, "dims[1] is 2147483648"},
        {1, {INT64_MAX}, "dims[0] is 9223372036854775807"},
        {4, {65536, 65536, 65536, 65536}, "tensor size"},
        {2, {INT32_MAX, 2}, "tensor size"},
        {9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, "9 dimensions"},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct pb p = bare(1, t[i].rank, t[i].dims);
        pb_bytes(&p, 9, "1234", 4);
        REFUSED(with_tensor(p, *state), RC_ERR_MODEL, t[i].word);
    }
    struct pb p = bare(1, 0, NULL);
    for (int i = 0; i < 100; i++)
        pb_varint(&p, 1, 1);
    REFUSED(with_tensor(p, *state), RC_ERR_MODEL, "100 dimensions");
    p = BARE(1, 1000000000);
    pb_bytes(&p, 9, "1234", 4);
    REFUSED(with_tensor(p, *state), RC_ERR_MODEL, "raw_data has 4 bytes");
}

/* 29 */
static void raw_data_must_fit_exactly(void **state)
{
    for (size_t n = 0; n <= 12; n++) {
        struct pb p = BARE(1, 2);
        pb_bytes(&p, 9, "\0\0\0\0\0\0\0\0\0\0\0\0", n);
        if (n == 8)
            OK(with_tensor(p, *state));
        else
            REFUSED(with_tensor(p, *state), RC_ERR_MODEL, "dims and type need 8");
    }
}

/* 30 */
static void elements_have_one_source(void **state)
{
    struct pb p = BARE(1, 1);
    REFUSED(with_tensor(p, *state), RC_ERR_MODEL, "0 elements given, dims need 1");
    p = BARE(1, 1);
    pb_bytes(&p, 9, "\0\0\0\0", 4);
    pb_float(&p, 4, 1);
    REFUSED(with_tensor(p, *state), RC_ERR_MODEL, "both raw_data and float_data");
    p = BARE(1, 2);
    pb_float(&p, 4, 1);
    REFUSED(with_tensor(p, *state), RC_ERR_MODEL, "1 elements given, dims need 2");
    p = BARE(1, 1);
    pb_varint(&p, 7, 1);
    REFUSED(with_tensor(p, *state), RC_ERR_MODEL, "int64_data does not belong to type f32");
    p = BARE(3, 1);
    pb_varint(&p, 5, 200);
    REFUSED(with_tensor(p, *state), RC_ERR_MODEL, "element 0 is 200, allowed -128..127");
}

/* 31 and external data */
static void types_that_are_not_read_are_named(void **state)
{
    static const struct {
        int32_t type;
        rc_status status;
        const char *word;
    } t[] = {
        {0, RC_ERR_MODEL, "without data type"},   {255, RC_ERR_UNSUPPORTED, "255 (unknown)"},
        {-1, RC_ERR_UNSUPPORTED, "-1 (unknown)"}, {8, RC_ERR_UNSUPPORTED, "STRING"},
        {14, RC_ERR_UNSUPPORTED, "COMPLEX64"},    {17, RC_ERR_UNSUPPORTED, "FLOAT8E4M3FN"},
        {23, RC_ERR_UNSUPPORTED, "FLOAT4E2M1"},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct pb p = BARE(t[i].type, 1);
        pb_bytes(&p, 9, "\0\0", 2);
        REFUSED(with_tensor(p, *state), t[i].status, t[i].word);
        assert_non_null(strstr(rc_last_error(), "initializer \"w\""));
    }
    struct pb p = BARE(1, 1);
    pb_bytes(&p, 13, "\x0a\x08location\x12\x09../secret", 21);
    pb_varint(&p, 14, 1);
    REFUSED(with_tensor(p, *state), RC_ERR_PATH, "external data of a model in memory");
}

/* 32 */
static void weights_must_be_finite(void **state)
{
    const int64_t dims[] = {3};
    REFUSED(with_tensor(onnx_floats("w", dims, 1, NAN, 2), *state), RC_ERR_MODEL,
            "initializer \"w\": element 1 is NaN");
    REFUSED(with_tensor(onnx_floats("w", dims, 1, 2, -INFINITY), *state), RC_ERR_MODEL,
            "element 2 is infinite");
    OK(with_tensor(onnx_floats("w", dims, 1e-42f, -0.0f, 3.4e38f), *state));
    const float bound = INFINITY;
    OK(with_tensor(onnx_tensor("w", 1, 0, NULL, &bound, 4), *state));
}

/* A graph whose output is Add(x, value) shows the value that was read. */
static struct rc_graph *graph_with(struct pb t, struct rc_context *c)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    onnx_initializer(&m, t);
    onnx_add(&m, onnx_node("Relu", "relu", "x", "y"));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    onnx_output(&m, "w", "?"); /* a constant may be an output */
    OK(load_model(&m, c, &g));
    return g;
}

static void every_encoding_gives_the_same_numbers(void **state)
{
    const float f[] = {1.5f, -2, 3e-40f};
    const double d[] = {1.5, -2, 49152};
    const float converted[] = {1.5f, -2, 49152};
    const int64_t i64[] = {1, -2, INT64_MIN};
    const int32_t i32[] = {1, -2, INT32_MIN};
    const int8_t s8[] = {1, -2, -128};
    const uint8_t u8[] = {1, 254, 255}, b[] = {0, 1, 1};
    const uint16_t f16[] = {0x3e00, 0xc000, 0x7a00}, bf16[] = {0x3fc0, 0xc000, 0x4740};
    const struct {
        int32_t type;
        enum rci_dtype dtype;
        const void *data; /* in the file */
        size_t width;
    } t[] = {
        {10, RC_F16, f16, 2}, {16, RC_BF16, bf16, 2}, {1, RC_F32, f, 4},
        {11, RC_F64, d, 8},   {7, RC_I64, i64, 8},    {6, RC_I32, i32, 4},
        {3, RC_S8, s8, 1},    {2, RC_U8, u8, 1},      {9, RC_BOOL, b, 1},
    };
    for (size_t k = 0; k < sizeof(t) / sizeof(t[0]); k++)
        for (int typed = 0; typed < 2; typed++) {
            struct pb p = BARE(t[k].type, 3);
            for (int i = 0; typed && i < 3; i++)
                switch (t[k].dtype) {
                case RC_F32:
                    pb_float(&p, 4, f[i]);
                    break;
                case RC_F64:
                    pb_tag(&p, 10, 1);
                    pb_raw(&p, &d[i], 8);
                    break;
                case RC_I64:
                    pb_varint(&p, 7, i64[i]);
                    break;
                case RC_I32:
                    pb_varint(&p, 5, i32[i]);
                    break;
                case RC_F16:
                case RC_BF16:
                    pb_varint(&p, 5, (t[k].dtype == RC_F16 ? f16 : bf16)[i]);
                    break;
                case RC_S8:
                    pb_varint(&p, 5, s8[i]);
                    break;
                case RC_U8:
                    pb_varint(&p, 5, u8[i]);
                    break;
                default:
                    pb_varint(&p, 5, b[i]);
                    break;
                }
            if (!typed)
                pb_bytes(&p, 9, t[k].data, 3 * t[k].width);
            struct rc_graph *g = graph_with(p, *state);
            const struct rci_tensor *w = &g->values[rci_graph_find_value(g, "w")].tensor;
            const bool real = t[k].type == 10 || t[k].type == 11 || t[k].type == 16;
            assert_int_equal(w->dtype, real ? RC_F32 : t[k].dtype);
            assert_int_equal(g->values[rci_graph_find_value(g, "w")].storage,
                             real ? t[k].dtype : 0);
            assert_memory_equal(w->data, real ? converted : t[k].data, 3 * (real ? 4 : t[k].width));
            rci_graph_free(g);
        }
}

/* 11 */
static void packed_and_plain_dims_may_mix(void **state)
{
    struct pb p = {0};
    pb_varint(&p, 1, 2);
    pb_bytes(&p, 1, "\x01\x03", 2);
    pb_varint(&p, 2, 1);
    pb_string(&p, 8, "w");
    pb_bytes(&p, 4, "\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40", 12);
    for (int i = 4; i < 7; i++)
        pb_float(&p, 4, (float) i);
    struct rc_graph *g = graph_with(p, *state);
    const struct rci_tensor *w = &g->values[rci_graph_find_value(g, "w")].tensor;
    const struct rci_shape s = RC_SHAPE(2, 1, 3);
    assert_true(rci_shape_equal(&w->shape, &s));
    for (int i = 0; i < 6; i++)
        assert_true(((float *) w->data)[i] == (float) (i + 1));
    rci_graph_free(g);
}

static struct pb constant(const char *attribute, int64_t type)
{
    struct pb n = onnx_node("Constant", "c", "", "w"), a = {0};
    pb_string(&a, 1, attribute);
    pb_varint(&a, 20, type);
    if (!strcmp(attribute, "value_float"))
        pb_float(&a, 2, 2.5f);
    if (!strcmp(attribute, "value_int"))
        pb_varint(&a, 3, 7);
    if (!strcmp(attribute, "value_floats")) {
        pb_float(&a, 7, 1);
        pb_float(&a, 7, 2);
    }
    if (!strcmp(attribute, "value_ints"))
        pb_varint(&a, 8, -5);
    if (!strcmp(attribute, "value")) {
        struct pb t = onnx_int64s("", 3, 4);
        pb_message(&a, 5, &t);
    }
    pb_message(&n, 5, &a);
    return n;
}

static void constant_nodes_become_constants(void **state)
{
    static const struct {
        const char *attribute;
        int64_t type;
        enum rci_dtype dtype;
        uint32_t rank;
        double first;
    } t[] = {
        {"value", 4, RC_I64, 1, 3},        {"value_float", 1, RC_F32, 0, 2.5},
        {"value_floats", 6, RC_F32, 1, 1}, {"value_int", 2, RC_I64, 0, 7},
        {"value_ints", 7, RC_I64, 1, -5},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct onnx_model m = onnx_model();
        struct rc_graph *g;
        onnx_add(&m, constant(t[i].attribute, t[i].type));
        onnx_add(&m, onnx_node("Relu", "relu", "x", "y"));
        onnx_input(&m, "x", "N,3");
        onnx_output(&m, "y", "N,3");
        onnx_output(&m, "w", "?");
        OK(load_model(&m, *state, &g));
        const struct rci_tensor *w = &g->values[rci_graph_find_value(g, "w")].tensor;
        assert_int_equal(w->dtype, t[i].dtype);
        assert_int_equal(w->shape.rank, t[i].rank);
        assert_true((w->dtype == RC_F32 ? ((float *) w->data)[0]
                                        : (double) ((int64_t *) w->data)[0]) == t[i].first);
        rci_graph_free(g);
    }
    struct onnx_model m = onnx_model();
    onnx_add(&m, constant("value_string", 3));
    REFUSED(load_node(&m, "N,3", onnx_node("Relu", "relu", "x", "y"), *state), RC_ERR_UNSUPPORTED,
            "value_string");
    m = onnx_model();
    onnx_add(&m, onnx_node("Constant", "c", "", "w"));
    REFUSED(load_node(&m, "N,3", onnx_node("Relu", "relu", "x", "y"), *state), RC_ERR_MODEL,
            "0 attributes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_checked_before_memory_is_taken),
        cmocka_unit_test(raw_data_must_fit_exactly),
        cmocka_unit_test(elements_have_one_source),
        cmocka_unit_test(types_that_are_not_read_are_named),
        cmocka_unit_test(weights_must_be_finite),
        cmocka_unit_test(every_encoding_gives_the_same_numbers),
        cmocka_unit_test(packed_and_plain_dims_may_mix),
        cmocka_unit_test(constant_nodes_become_constants),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
