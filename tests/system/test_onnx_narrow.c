/* INT4, UINT4, INT2 and UINT2 weights: read into bytes, computed with, written back as they were.
 */
#include "pb.h"
#include "shared.h"
#include "test.h"

#include "io/packed.h"
#include "wire/onnx.h"

#include <rescomp/rescomp.h>
#include <stdlib.h>

enum { WEIGHTS = 5 };
static const int8_t values[WEIGHTS] = {-8, 7, 0, -1, 3};
static const uint8_t nibbles[3] = {0x78, 0xf0, 0x03}; /* the first in the low half */

/* x [N, 5] times the weights, dequantized by 0.5 (value - zero). */
static struct pb product(int32_t type, const void *raw, size_t bytes, const void *zero,
                         int64_t opset)
{
    struct onnx_model m = onnx_model();
    m.opset = opset;
    m.ir_version = 10;
    onnx_input(&m, "x", "N,5");
    onnx_output(&m, "y", "N,1");
    onnx_initializer(&m, onnx_tensor("w", type, 2, (int64_t[]){WEIGHTS, 1}, raw, bytes));
    onnx_initializer(&m, onnx_tensor("s", 1, 0, NULL, (float[]){0.5f}, 4));
    onnx_initializer(&m, onnx_tensor("z", type, 0, NULL, zero, 1));
    onnx_add(&m, onnx_node("DequantizeLinear", "dq", "w s z", "wf"));
    onnx_add(&m, onnx_node("MatMul", "mm", "x wf", "y"));
    return onnx_bytes(&m);
}

static struct rc_graph *load(struct rc_context *c, struct pb *b)
{
    struct rc_graph *g;
    OK(rci_onnx_load_memory(&g, c, b->data, b->size));
    pb_free(b);
    return g;
}

/* The element type and bytes of initializer `name` as the graph is written. */
static int32_t written(const struct rc_graph *g, const struct rci_onnx_form *form, const char *name,
                       uint8_t *raw, size_t *bytes)
{
    struct rci_bytes file;
    struct rci_arena arena = {.ctx = g->ctx};
    Onnx__ModelProto *m;
    int32_t type = 0;
    OK(rci_onnx_save_memory_as(&file, g, form));
    OK(rci_onnx_read(&m, &arena, file.data, file.size));
    for (size_t i = 0; i < m->graph->n_initializer; i++) {
        const Onnx__TensorProto *t = m->graph->initializer[i];
        if (strcmp(t->name, name) != 0)
            continue;
        type = t->data_type;
        *bytes = t->raw_data.len;
        memcpy(raw, t->raw_data.data, t->raw_data.len < 16 ? t->raw_data.len : 16);
    }
    rci_arena_free(&arena);
    rci_release(file.data);
    return type;
}

static void int4_weights_are_read_and_written_back(void **state)
{
    struct pb b = product(ONNX_INT4, nibbles, 3, "\1", 21);
    struct rc_graph *g = load(*state, &b);
    const struct rci_value *w = &g->values[rci_graph_find_value(g, "w")];
    const struct rci_onnx_form old = {.opset = 19};
    uint8_t raw[16];
    size_t bytes;
    assert_int_equal(w->tensor.dtype, RC_S8);
    assert_memory_equal(w->tensor.data, values, WEIGHTS);
    assert_int_equal(rci_value_stored_bytes(w), 3);
    assert_int_equal(written(g, NULL, "w", raw, &bytes), ONNX_INT4);
    assert_int_equal(bytes, 3);
    assert_memory_equal(raw, nibbles, 3);
    assert_int_equal(written(g, NULL, "z", raw, &bytes), ONNX_INT4);
    assert_true(bytes == 1 && raw[0] == 1);
    assert_int_equal(written(g, &old, "w", raw, &bytes), ONNX_INT8); /* a byte each */
    assert_true(bytes == WEIGHTS && (int8_t) raw[0] == -8);
    rci_graph_free(g);
}

static void they_compute_what_they_say(void **state)
{
    struct pb b = product(ONNX_INT4, nibbles, 3, "\1", 21);
    struct rc_graph *g = load(*state, &b);
    const float x[WEIGHTS] = {1, 10, 100, 1000, 10000};
    float y = 0, want = 0;
    rc_session *s;
    for (int i = 0; i < WEIGHTS; i++)
        want += x[i] * 0.5f * (float) (values[i] - 1);
    OK(rc_session_new(&s, g, NULL));
    OK(rc_session_run(s, 1, (const float *[]){x}, (float *[]){&y}));
    assert_true(y == want);
    rc_session_free(&s);
    rci_graph_free(g);
}

static void all_four_types_come_back_packed_too(void **state)
{
    static const struct {
        int32_t type;
        size_t bytes;
        int8_t first, second;
    } types[] = {
        {ONNX_INT4, 3, -8, 7}, {ONNX_UINT4, 3, 8, 7}, {ONNX_INT2, 2, 0, -2}, {ONNX_UINT2, 2, 0, 2}};
    for (int i = 0; i < 4; i++) {
        const uint8_t zero = 0;
        uint8_t raw[16];
        size_t bytes;
        struct rci_bytes onnx, packed, again;
        struct pb b = product(types[i].type, nibbles, types[i].bytes, &zero, 25);
        if (types[i].bytes == 2) { /* 5 elements fill 10 bits */
            const uint8_t pairs[2] = {0x78, 0x02};
            pb_free(&b);
            b = product(types[i].type, pairs, 2, &zero, 25);
        }
        struct rc_graph *g = load(*state, &b), *back;
        const int8_t *w = g->values[rci_graph_find_value(g, "w")].tensor.data;
        assert_int_equal(w[0], types[i].first);
        assert_int_equal(w[1], types[i].second);
        assert_int_equal(written(g, NULL, "w", raw, &bytes), types[i].type);
        assert_int_equal(bytes, types[i].bytes);
        OK(rci_onnx_save_memory(&onnx, g));
        OK(rci_packed_save_memory(&packed, g, NULL));
        OK(rci_onnx_load_memory(&back, *state, packed.data, packed.size));
        OK(rci_onnx_save_memory(&again, back));
        assert_int_equal(again.size, onnx.size);
        assert_memory_equal(again.data, onnx.data, onnx.size);
        rci_release(onnx.data);
        rci_release(packed.data);
        rci_release(again.data);
        rci_graph_free(back);
        rci_graph_free(g);
    }
}

static void wrong_sizes_are_refused(void **state)
{
    struct rc_graph *g;
    struct pb b = product(ONNX_INT4, nibbles, 2, "\0", 21);
    REFUSED(rci_onnx_load_memory(&g, *state, b.data, b.size), RC_ERR_MODEL,
            "raw_data has 2 bytes, dims and type need 3");
    pb_free(&b);
}

/* Its range would be [-8, 7], and the bytes that carry it have [-128, 127]. */
static void quantizing_to_int4_is_refused(void **state)
{
    struct rc_graph *g;
    struct onnx_model m = onnx_model();
    m.opset = 21;
    m.ir_version = 10;
    onnx_input(&m, "x", "N,5");
    onnx_output(&m, "y", "N,5");
    onnx_initializer(&m, onnx_tensor("s", 1, 0, NULL, (float[]){0.5f}, 4));
    onnx_initializer(&m, onnx_tensor("z", ONNX_INT4, 0, NULL, "\0", 1));
    onnx_add(&m, onnx_node("QuantizeLinear", "q", "x s z", "i"));
    onnx_add(&m, onnx_node("DequantizeLinear", "d", "i s z", "y"));
    struct pb b = onnx_bytes(&m);
    REFUSED(rci_onnx_load_memory(&g, *state, b.data, b.size), RC_ERR_UNSUPPORTED,
            "node \"q\": quantizing to s4 is not supported");
    pb_free(&b);
}

/* Weights in bytes that would fit in less, when asked for. */
static void narrow_weights_are_written_when_asked_for(void **state)
{
    static const struct {
        int64_t opset;
        int8_t value[WEIGHTS];
        int8_t zero;
        int32_t type;
    } cases[] = {
        {21, {-8, 7, 0, -1, 3}, 0, ONNX_INT4},  {21, {-9, 7, 0, -1, 3}, 0, ONNX_INT8},
        {21, {-8, 8, 0, -1, 3}, 0, ONNX_INT8},  {21, {-2, 1, 0, -1, 1}, 0, ONNX_INT4},
        {25, {-2, 1, 0, -1, 1}, 0, ONNX_INT2},  {25, {-2, 1, 0, -1, 1}, 5, ONNX_INT4},
        {25, {-2, 1, 0, -1, 1}, 99, ONNX_INT8}, {13, {-8, 7, 0, -1, 3}, 0, ONNX_INT8},
    };
    const struct rci_onnx_form narrow = {.narrow = true};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t raw[16];
        size_t bytes;
        struct pb b = product(ONNX_INT8, cases[i].value, WEIGHTS, &cases[i].zero, cases[i].opset);
        struct rc_graph *g = load(*state, &b);
        assert_int_equal(written(g, &narrow, "w", raw, &bytes), cases[i].type);
        assert_int_equal(written(g, &narrow, "z", raw, &bytes), cases[i].type);
        assert_int_equal(written(g, NULL, "w", raw, &bytes), ONNX_INT8);
        rci_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int4_weights_are_read_and_written_back),
        cmocka_unit_test(they_compute_what_they_say),
        cmocka_unit_test(all_four_types_come_back_packed_too),
        cmocka_unit_test(wrong_sizes_are_refused),
        cmocka_unit_test(quantizing_to_int4_is_refused),
        cmocka_unit_test(narrow_weights_are_written_when_asked_for),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
