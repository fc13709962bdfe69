/* The pre-scan: everything that would make unpacking crash, hang or swell is refused first. */
#include "test.h"

#include "base/file.h"
#include "pb.h"
#include "wire/scan.h"

static rc_status scan(const struct pb *p, struct rc_context *c)
{
    const struct rci_scan_limits limits = rci_scan_defaults(c);
    return rci_scan_onnx(p->data ? p->data : (const uint8_t *) "", p->size, &limits);
}

static rc_status scan_and_free(struct pb *p, struct rc_context *c)
{
    const rc_status st = scan(p, c);
    pb_free(p);
    return st;
}

static struct pb start(void)
{
    struct pb p = {0};
    pb_varint(&p, 1, 8);
    return p;
}

static struct pb small_model(void)
{
    struct onnx_model m = onnx_model();
    struct pb n = onnx_node("Relu", "relu", "x", "y");
    onnx_attr_list(&n, "ints", 1, 2, 300);
    onnx_attr_float(&n, "f", 0.5f);
    onnx_add(&m, n);
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){2}), 1, 2));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    return onnx_bytes(&m);
}

static void a_sound_file_passes(void **state)
{
    struct pb p = small_model();
    OK(scan_and_free(&p, *state));
}

static void an_empty_file_has_no_graph(void **state)
{
    struct pb p = {0};
    REFUSED(scan(&p, *state), RC_ERR_FORMAT, "no graph");
}

static void other_formats_are_named(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *word;
    } t[] = {
        {"\x89PNG\r\n\x1a\n----", 12, "PNG"},
        {"PK\x03\x04--------", 12, "ZIP"},
        {"\x89HDF\r\n\x1a\n----", 12, "HDF5"},
        {"\x80\x04\x95----------", 12, "pickle"},
        {"\x40\x01\0\0\0\0\0\0{\"a\":1}", 15, "safetensors"},
        {"\x1f\x8b\x08----------", 12, "gzip"},
        {"{\"ir\": 1}    ", 12, "JSON"},
        {"\xd3\x91\x07\xff\x12\x99\xc0\x11\x00\x5f\x61\x02", 12, "byte 0xd3"},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct pb p = {0};
        pb_raw(&p, t[i].bytes, t[i].n);
        REFUSED(scan_and_free(&p, *state), RC_ERR_FORMAT, t[i].word);
    }
}

/* Cut between top-level fields it is still a message; anywhere else the end is missing. */
static void a_cut_anywhere_inside_a_field_is_truncated(void **state)
{
    struct pb p = small_model();
    uint32_t truncated = 0, whole = 0;
    for (size_t n = 1; n < p.size; n++) {
        const struct pb cut = {p.data, n, 0};
        const rc_status st = scan(&cut, *state);
        truncated += st == RC_ERR_TRUNCATED;
        whole += st == RC_OK;
    }
    assert_int_equal(truncated + whole, p.size - 1);
    assert_int_equal(whole, 2); /* behind ir_version, behind graph */
    pb_free(&p);
}

static void lengths_beyond_the_end_are_truncated(void **state)
{
    const uint64_t lengths[] = {5, UINT64_C(1) << 31, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct pb p = start();
        pb_tag(&p, 7, 2);
        pb_number(&p, lengths[i]);
        pb_raw(&p, "\x12\x01g", 3);
        REFUSED(scan_and_free(&p, *state), RC_ERR_TRUNCATED, "graph: is longer than what is left");
    }
}

static void long_varints_are_refused(void **state)
{
    struct pb p = {0};
    pb_raw(&p, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);
    REFUSED(scan_and_free(&p, *state), RC_ERR_FORMAT, "more than 64 bits");
    pb_raw(&p, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11);
    REFUSED(scan_and_free(&p, *state), RC_ERR_FORMAT, "more than 64 bits");
    pb_raw(&p, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
    OK(scan_and_free(&p, *state)); /* -1 */
}

static void field_zero_and_strange_wire_types_are_refused(void **state)
{
    struct pb p = start();
    pb_raw(&p, "\x00\x01", 2);
    REFUSED(scan_and_free(&p, *state), RC_ERR_FORMAT, "field number");
    for (uint32_t wire = 3; wire < 8; wire++) {
        if (wire == 5)
            continue;
        p = start();
        pb_tag(&p, 50, wire);
        pb_raw(&p, "12345678", 8);
        REFUSED(scan_and_free(&p, *state), RC_ERR_FORMAT, "field 50: wire type");
    }
    p = start();
    pb_varint(&p, 7, 1);
    REFUSED(scan_and_free(&p, *state), RC_ERR_FORMAT, "graph: has the wrong wire type (at byte 2)");
}

/* model { graph { node { attribute { g { node { ... */
static struct pb nested_graphs(uint32_t rounds)
{
    struct pb inner = {0};
    for (uint32_t i = 0; i < rounds; i++) {
        struct pb attribute = {0}, node = {0}, graph = {0};
        pb_message(&attribute, 6, &inner);
        pb_message(&node, 5, &attribute);
        pb_message(&graph, 1, &node);
        inner = graph;
    }
    struct pb p = start();
    pb_message(&p, 7, &inner);
    return p;
}

static void deep_nesting_is_a_limit(void **state)
{
    struct pb p = nested_graphs(9);
    OK(scan_and_free(&p, *state)); /* 28 levels */
    p = nested_graphs(11);
    REFUSED(scan_and_free(&p, *state), RC_ERR_LIMIT, "32 levels of nesting");
    p = nested_graphs(3000);
    REFUSED(scan_and_free(&p, *state), RC_ERR_LIMIT, "32 levels of nesting");
    struct pb type = {0}, value = {0}, graph = {0};
    for (uint32_t i = 0; i < 100; i++) {
        struct pb sequence = {0}, outer = {0};
        pb_message(&sequence, 1, &type);
        pb_message(&outer, 4, &sequence);
        type = outer;
    }
    pb_message(&value, 2, &type);
    pb_message(&graph, 11, &value);
    p = start();
    pb_message(&p, 7, &graph);
    REFUSED(scan_and_free(&p, *state), RC_ERR_LIMIT, "nesting");
}

static void repeated_singular_fields_are_refused(void **state)
{
    struct pb p = start();
    for (int i = 0; i < 16000; i++)
        pb_bytes(&p, 7, "\x12\x01g", 3);
    REFUSED(scan_and_free(&p, *state), RC_ERR_FORMAT, "graph: field repeated");
    p = start();
    pb_varint(&p, 1, 8);
    REFUSED(scan_and_free(&p, *state), RC_ERR_FORMAT, "ir_version: field repeated");
    struct pb tensor = onnx_floats("w", ((int64_t[]){1}), 1), graph = {0};
    pb_bytes(&tensor, 9, "1234", 4);
    pb_message(&graph, 5, &tensor);
    p = start();
    pb_message(&p, 7, &graph);
    REFUSED(scan_and_free(&p, *state), RC_ERR_FORMAT, "graph.initializer.raw_data: field repeated");
}

static void millions_of_empty_messages_are_a_limit(void **state)
{
    static const struct {
        uint32_t field;
        const char *word;
    } t[] = {{1, "65536 nodes"}, {5, "65536 tensors"}, {13, "decoding takes more than"}};
    for (size_t i = 0; i < 3; i++) {
        struct pb graph = {0}, p = start();
        for (int k = 0; k < 2000000; k++)
            pb_bytes(&graph, t[i].field, "", 0);
        pb_message(&p, 7, &graph);
        const uint64_t t0 = rci_clock_ns();
        REFUSED(scan_and_free(&p, *state), RC_ERR_LIMIT, t[i].word);
        assert_true(rci_clock_ns() - t0 < UINT64_C(1000000000));
    }
    struct pb p = start();
    for (int k = 0; k < 2000000; k++)
        pb_bytes(&p, 8, "", 0);
    REFUSED(scan_and_free(&p, *state), RC_ERR_LIMIT, "opset_import: more than 4096");
}

/* A file as large as this may take three times its size and 12 MiB. */
static void memory_is_counted_before_it_is_taken(void **state)
{
    struct pb graph = {0}, p = start(), filled = start();
    for (int k = 0; k < 150000; k++)
        pb_bytes(&graph, 13, "", 0);
    pb_string(&filled, 6, "doc"); /* honest bytes of some kind make room */
    struct pb comment = {0};
    for (int k = 0; k < 4 << 20; k++)
        pb_raw(&comment, "x", 1);
    struct pb twin = {0};
    pb_raw(&twin, graph.data, graph.size);
    pb_message(&twin, 10, &comment);
    pb_message(&p, 7, &graph);
    pb_message(&filled, 7, &twin);
    REFUSED(scan_and_free(&p, *state), RC_ERR_LIMIT, "12582912 and 3 times the size of the file");
    OK(scan_and_free(&filled, *state));
}

static void unknown_fields_are_ignored_until_they_are_many(void **state)
{
    struct pb p = start();
    pb_string(&p, 99, "from the future");
    pb_varint(&p, 98, 5);
    OK(scan(&p, *state));
    for (int k = 0; k < 70000; k++)
        pb_varint(&p, 98, 5);
    REFUSED(scan_and_free(&p, *state), RC_ERR_LIMIT, "unknown fields");
}

static rc_status with_name(const void *name, size_t n, struct rc_context *c)
{
    struct pb p = start(), graph = {0};
    pb_bytes(&graph, 2, name, n);
    pb_message(&p, 7, &graph);
    return scan_and_free(&p, c);
}

static void names_must_be_clean_text(void **state)
{
    static char large[1025];
    memset(large, 'a', sizeof(large));
    OK(with_name("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", 11, *state));
    OK(with_name(large, 1024, *state));
    REFUSED(with_name(large, 1025, *state), RC_ERR_LIMIT, "1024 bytes in a name");
    REFUSED(with_name("a\0b", 3, *state), RC_ERR_FORMAT, "graph.name: string with NUL");
    REFUSED(with_name("\xc3", 1, *state), RC_ERR_FORMAT, "UTF-8");
    REFUSED(with_name("\xc0\x80", 2, *state), RC_ERR_FORMAT, "UTF-8");
    REFUSED(with_name("\xed\xa0\x80", 3, *state), RC_ERR_FORMAT, "UTF-8");
    REFUSED(with_name("\xf5\x80\x80\x80", 4, *state), RC_ERR_FORMAT, "UTF-8");
}

static void packed_and_plain_numbers_are_both_read(void **state)
{
    struct pb p = start(), graph = {0}, tensor = {0};
    pb_varint(&tensor, 1, 2);
    pb_bytes(&tensor, 1, "\x03\x04", 2);
    pb_bytes(&tensor, 4, "12345678", 8);
    pb_float(&tensor, 4, 1);
    pb_message(&graph, 5, &tensor);
    pb_message(&p, 7, &graph);
    OK(scan_and_free(&p, *state));
    p = start();
    pb_bytes(&tensor, 4, "1234567", 7);
    pb_message(&graph, 5, &tensor);
    pb_message(&p, 7, &graph);
    REFUSED(scan_and_free(&p, *state), RC_ERR_FORMAT, "broken length");
    p = start();
    pb_bytes(&tensor, 1, "\x03\x84", 2);
    pb_message(&graph, 5, &tensor);
    pb_message(&p, 7, &graph);
    REFUSED(scan_and_free(&p, *state), RC_ERR_TRUNCATED, "graph.initializer.dims");
}

static void attributes_are_counted_per_node(void **state)
{
    struct pb p = start(), graph = {0};
    for (int i = 0; i < 3; i++) {
        struct pb node = {0};
        for (int k = 0; k < (i == 2 ? 257 : 200); k++)
            pb_bytes(&node, 5, "", 0);
        pb_message(&graph, 1, &node);
    }
    pb_message(&p, 7, &graph);
    REFUSED(scan_and_free(&p, *state), RC_ERR_LIMIT, "256 attributes in a node");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_file_passes),
        cmocka_unit_test(an_empty_file_has_no_graph),
        cmocka_unit_test(other_formats_are_named),
        cmocka_unit_test(a_cut_anywhere_inside_a_field_is_truncated),
        cmocka_unit_test(lengths_beyond_the_end_are_truncated),
        cmocka_unit_test(long_varints_are_refused),
        cmocka_unit_test(field_zero_and_strange_wire_types_are_refused),
        cmocka_unit_test(deep_nesting_is_a_limit),
        cmocka_unit_test(repeated_singular_fields_are_refused),
        cmocka_unit_test(millions_of_empty_messages_are_a_limit),
        cmocka_unit_test(memory_is_counted_before_it_is_taken),
        cmocka_unit_test(unknown_fields_are_ignored_until_they_are_many),
        cmocka_unit_test(names_must_be_clean_text),
        cmocka_unit_test(packed_and_plain_numbers_are_both_read),
        cmocka_unit_test(attributes_are_counted_per_node),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
