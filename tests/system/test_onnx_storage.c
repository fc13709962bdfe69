/* float16, bfloat16 and double: converted to f32 on import, remembered, written back. */
#include "handnets.h"
#include "load.h"
#include "nets.h"

#include "io/onnx.h"
#include "tensor/half.h"
#include "wire/onnx.h"

#include <math.h>

static void every_half_converts_both_ways(void **state)
{
    (void) state;
    uint16_t back;
    for (uint32_t h = 0; h < 65536; h++) {
        const int exponent = (int) (h >> 10 & 31), mantissa = (int) (h & 1023);
        const float f = rci_half_to_f32((uint16_t) h);
        if (exponent == 31) {
            assert_true(mantissa ? isnan(f) : isinf(f));
            continue;
        }
        const double want = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
        assert_true((double) f == (h & 0x8000 ? -want : want));
        assert_int_equal(rci_real_from_f32(&back, &f, RC_F16, 1), SIZE_MAX);
        assert_int_equal(back, h);
    }
}

static void rounding_is_to_nearest_even(void **state)
{
    (void) state;
    static const struct {
        float f;
        uint16_t f16, bf16;
    } t[] = {
        {2049, 0x6800, 0x4500},        {2051, 0x6802, 0x4500},        {65519.996f, 0x7bff, 0x4780},
        {0x1p-25f, 0x0000, 0x3300},    {0x1.000002p-25f, 1, 0x3300},  {-0.0f, 0x8000, 0x8000},
        {1.00390625f, 0x3c04, 0x3f80}, {1.01171875f, 0x3c0c, 0x3f82},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        uint16_t half, brain;
        rci_real_from_f32(&half, &t[i].f, RC_F16, 1);
        rci_real_from_f32(&brain, &t[i].f, RC_BF16, 1);
        assert_int_equal(half, t[i].f16);
        assert_int_equal(brain, t[i].bf16);
    }
    const float large[] = {1, 65520, INFINITY};
    uint16_t out[3];
    assert_int_equal(rci_real_from_f32(out, large, RC_F16, 3), 1);
    assert_int_equal(out[2], 0x7c00);
}

static struct rc_graph *reload(struct rc_context *c, const struct rc_graph *g,
                               const struct rci_onnx_form *form, size_t *size)
{
    struct rci_bytes file;
    struct rc_graph *back;
    OK(rci_onnx_save_memory_as(&file, g, form));
    OK(rci_onnx_load_memory(&back, c, file.data, file.size));
    if (size)
        *size = file.size;
    rci_release(file.data);
    return back;
}

/* The same values by name, types and bits, and the same bytes when both are written. */
static void same(const struct rc_graph *a, const struct rc_graph *b)
{
    struct rci_bytes x, y;
    for (rci_id v = 0; v < a->n_values; v++) {
        if (!rci_value_is_const(&a->values[v]))
            continue;
        const rci_id w = rci_graph_find_value(b, a->values[v].name);
        assert_true(w != RC_NONE);
        assert_int_equal(a->values[v].storage, b->values[w].storage);
        assert_memory_equal(a->values[v].tensor.data, b->values[w].tensor.data,
                            rci_tensor_bytes(&a->values[v].tensor));
    }
    OK(rci_onnx_save_memory(&x, a));
    OK(rci_onnx_save_memory(&y, b));
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    rci_release(x.data);
    rci_release(y.data);
}

static void storage_in_16_bits_halves_the_file_and_reads_back(void **state)
{
    static const struct {
        enum rci_dtype type;
        double error;
    } t[] = {{RC_F16, 2e-3}, {RC_BF16, 3e-2}};
    struct rc_graph *g = net_zoo(*state, "resnet20", 1);
    for (int k = 0; k < 2; k++) {
        const struct rci_onnx_form form = {.storage = t[k].type};
        struct rci_bytes plain;
        size_t size;
        OK(rci_onnx_save_memory(&plain, g));
        struct rc_graph *h = reload(*state, g, &form, &size);
        assert_true(size < plain.size * 11 / 20);
        uint32_t nodes = 0, before = 0;
        for (rci_id i = 0; i < h->n_nodes; i++)
            nodes += h->nodes[i].op != NULL;
        for (rci_id i = 0; i < g->n_nodes; i++)
            before += g->nodes[i].op != NULL;
        assert_int_equal(nodes, before); /* no Cast stays */
        assert_true(net_difference(g, h, 2) < t[k].error);
        struct rc_graph *again = reload(*state, h, NULL, NULL);
        same(h, again);
        const struct rci_onnx_form full = {.storage = RC_F32};
        struct rc_graph *wide = reload(*state, h, &full, &size);
        assert_true(size >= plain.size);
        assert_true(net_difference(wide, h, 2) == 0);
        rci_graph_free(wide);
        rci_graph_free(again);
        rci_graph_free(h);
        rci_release(plain.data);
    }
    rci_graph_free(g);
}

/* Every real of the file is f16: so is every real of the file that is written. */
static void a_file_of_one_type_is_written_in_that_type(void **state)
{
    static const enum rci_dtype types[] = {RC_F16, RC_BF16, RC_F64};
    for (int k = 0; k < 3; k++) {
        struct rc_graph *g = net_zoo(*state, "resnet8", 1);
        struct rci_bytes file;
        Onnx__ModelProto *m;
        g->storage = types[k];
        for (rci_id v = 0; v < g->n_values; v++)
            if (rci_value_is_const(&g->values[v]) ||
                g->values[v].flags & (RC_VALUE_INPUT | RC_VALUE_OUTPUT))
                g->values[v].storage = types[k];
        OK(rci_onnx_save_memory(&file, g));
        struct rci_arena arena = {.ctx = *state};
        OK(rci_onnx_read(&m, &arena, file.data, file.size));
        const int32_t number = rci_onnx_dtype_number(types[k]);
        assert_int_equal(m->graph->input[0]->type->tensor_type->elem_type, number);
        assert_int_equal(m->graph->output[0]->type->tensor_type->elem_type, number);
        for (size_t i = 0; i < m->graph->n_initializer; i++)
            assert_true(m->graph->initializer[i]->data_type == number ||
                        m->graph->initializer[i]->data_type == ONNX_INT64);
        for (size_t i = 0; i < m->graph->n_node; i++)
            assert_string_not_equal(m->graph->node[i]->op_type, "Cast");
        rci_arena_free(&arena);
        struct rc_graph *h = reload(*state, g, NULL, NULL);
        assert_int_equal(h->storage, types[k]);
        assert_true(types[k] != RC_F64 || net_difference(g, h, 2) == 0);
        struct rc_graph *again = reload(*state, h, NULL, NULL);
        same(h, again);
        rci_graph_free(again);
        rci_graph_free(h);
        rci_graph_free(g);
        rci_release(file.data);
    }
}

static void put_type(struct pb *value, const char *name, int32_t type, int64_t dim)
{
    struct pb tensor = {0}, shape = {0}, d = {0}, t = {0};
    pb_varint(&d, 1, dim);
    pb_message(&shape, 1, &d);
    pb_varint(&tensor, 1, type);
    pb_message(&tensor, 2, &shape);
    pb_message(&t, 1, &tensor);
    pb_string(value, 1, name);
    pb_message(value, 2, &t);
}

/* f16 input, f32 weights, double output, as mixed precision writes */
static void casts_between_reals_vanish_and_come_back(void **state)
{
    struct onnx_model m = onnx_model();
    struct pb in = {0}, out = {0};
    struct pb first = onnx_node("Cast", "first", "x", "x32");
    struct pb last = onnx_node("Cast", "last", "y32", "y");
    onnx_attr_int(&first, "to", 1);
    onnx_attr_int(&last, "to", 11);
    put_type(&in, "x", 10, 3);
    put_type(&out, "y", 11, 3);
    pb_message(&m.graph, 11, &in);
    pb_message(&m.graph, 12, &out);
    onnx_add(&m, first);
    onnx_add(&m, onnx_node("Add", "add", "x32 w", "y32"));
    onnx_add(&m, last);
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){3}), 1, 2, 3));
    struct rc_graph *g, *h;
    OK(load_model(&m, *state, &g));
    uint32_t nodes = 0;
    for (rci_id i = 0; i < g->n_nodes; i++)
        nodes += g->nodes[i].op != NULL;
    assert_int_equal(nodes, 1);
    assert_int_equal(g->storage, 0);
    assert_int_equal(g->values[g->inputs[0]].storage, RC_F16);
    assert_int_equal(g->values[g->outputs[0]].storage, RC_F64);
    assert_string_equal(g->values[g->outputs[0]].name, "y");
    h = reload(*state, g, NULL, NULL);
    same(g, h);
    assert_int_equal(h->values[h->outputs[0]].storage, RC_F64);
    rci_graph_free(g);
    rci_graph_free(h);
}

static void a_weight_too_large_for_f16_is_named(void **state)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    struct rci_bytes file;
    onnx_add(&m, onnx_node("Add", "add", "x w", "y"));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){3}), 1, 7e4f, 3));
    OK(load_model(&m, *state, &g));
    const struct rci_onnx_form form = {.storage = RC_F16};
    REFUSED(rci_onnx_save_memory_as(&file, g, &form), RC_ERR_UNSUPPORTED,
            "constant \"w\": element 1 is 70000, too large for f16");
    assert_null(file.data);
    rci_graph_free(g);
    m = onnx_model();
    const double wide[] = {1, 1e300, 3};
    onnx_add(&m, onnx_node("Add", "add", "x w", "y"));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    onnx_initializer(&m, onnx_tensor("w", 11, 1, (int64_t[]){3}, wide, sizeof(wide)));
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "element 1 is infinite");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_converts_both_ways),
        cmocka_unit_test(rounding_is_to_nearest_even),
        CASE(storage_in_16_bits_halves_the_file_and_reads_back),
        CASE(a_file_of_one_type_is_written_in_that_type),
        CASE(casts_between_reals_vanish_and_come_back),
        CASE(a_weight_too_large_for_f16_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
