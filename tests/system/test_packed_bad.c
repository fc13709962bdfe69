/* Packed model files cut, damaged, or made to harm: each is refused with one line. */
#include "packednet.h"
#include "test.h"

#include "base/crc32c.h"
#include "io/packed_parts.h"

#include <rescomp/rescomp.h>
#include <stdlib.h>
#include <time.h>

static struct rci_bytes small_file(struct rc_context *c)
{
    struct rci_bytes b;
    struct rc_graph *g = packed_small_graph(c);
    OK(rci_packed_save_memory(&b, g, NULL));
    rci_graph_free(g);
    return b;
}

static rc_status load(struct rc_context *c, const uint8_t *data, size_t size)
{
    struct rc_graph *g;
    const rc_status st = rci_onnx_load_memory(&g, c, data, size);
    if (st == RC_OK)
        rci_graph_free(g);
    else
        assert_true(g == NULL && rc_last_error()[0] && !strchr(rc_last_error(), '\n'));
    return st;
}

static void files_cut_anywhere_are_refused(void **state)
{
    struct rci_bytes b = small_file(*state);
    OK(load(*state, b.data, b.size));
    for (size_t n = 0; n < b.size; n++)
        assert_int_not_equal(load(*state, b.data, n), RC_OK);
    for (size_t n = 8; n < b.size; n++)
        assert_int_equal(load(*state, b.data, n), RC_ERR_TRUNCATED);
    rci_release(b.data);
}

static void files_with_any_bit_flipped_are_refused(void **state)
{
    struct rci_bytes b = small_file(*state);
    const clock_t t0 = clock();
    for (size_t bit = 0; bit < 8 * b.size; bit++) {
        b.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        if (load(*state, b.data, b.size) == RC_OK)
            fail_msg("bit %zu of byte %zu changes nothing", bit % 8, bit / 8);
        b.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    print_message("%zu bits, %.2f s\n", 8 * b.size, (double) (clock() - t0) / CLOCKS_PER_SEC);
    rci_release(b.data);
}

/* A file in the making: its parts, then header and checksums that fit. */
struct forged {
    struct rci_buffer part[8];
    uint32_t kind[8], n;
};

static void forged_open(struct forged *f, struct rc_context *c, const struct rci_bytes *b)
{
    struct packed_file p = {.ctx = c, .data = b->data, .size = b->size};
    OK(rci_packed_open(&p));
    *f = (struct forged){.n = p.n_parts};
    for (uint32_t i = 0; i < p.n_parts; i++) {
        f->part[i].ctx = c;
        f->kind[i] = p.part[i].kind | p.part[i].flags << 16;
        OK(rci_buffer_append(&f->part[i], b->data + p.part[i].offset, (size_t) p.part[i].size));
    }
    rci_packed_close(&p);
}

static void forged_close(struct forged *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        rci_buffer_free(&f->part[i]);
}

static uint32_t forged_find(const struct forged *f, uint32_t kind)
{
    for (uint32_t i = 0; i < f->n; i++)
        if ((f->kind[i] & 0xffff) == kind)
            return i;
    fail_msg("no part of kind %u", kind);
    return 0;
}

static void seal(struct rci_bytes *b)
{
    const size_t head = 32 + 24 * (size_t) rci_get32(b->data + 24);
    rci_set32(b->data + 28, 0);
    rci_set32(b->data + 28, rci_crc32c(0, b->data, head));
}

static struct rci_bytes forged_bytes(const struct forged *f)
{
    size_t at = 32 + 24 * (size_t) f->n, size = at;
    for (uint32_t i = 0; i < f->n; i++)
        size += f->part[i].size;
    struct rci_bytes b = {calloc(1, size + 1), size};
    memcpy(b.data, "\x89RCZ\r\n\x1a\n\1\2\3\4\1\0\0\0", 16);
    rci_set64(b.data + 16, size);
    rci_set32(b.data + 24, f->n);
    for (uint32_t i = 0; i < f->n; i++) {
        uint8_t *e = b.data + 32 + 24 * (size_t) i;
        if (f->part[i].size)
            memcpy(b.data + at, f->part[i].data, f->part[i].size);
        rci_set32(e, f->kind[i]);
        rci_set32(e + 4, rci_crc32c(0, b.data + at, f->part[i].size));
        rci_set64(e + 8, at);
        rci_set64(e + 16, f->part[i].size);
        at += f->part[i].size;
    }
    seal(&b);
    return b;
}

/* Changes of the header of a sound file; checksums fit. */
static void headers_that_lie_are_refused(void **state)
{
    static const struct {
        size_t at, size;
        uint64_t value;
        rc_status status;
        const char *says;
    } lies[] = {
        {4, 4, 0x0a1a0a0d + 1, RC_ERR_FORMAT, "as by copying it as text"},
        {8, 4, 0x01020304, RC_ERR_UNSUPPORTED, "other byte order"},
        {8, 4, 0x04030202, RC_ERR_FORMAT, "byte order is damaged"},
        {12, 2, 2, RC_ERR_UNSUPPORTED, "version 2.0, known is 1"},
        {12, 2, 0, RC_ERR_UNSUPPORTED, "version 0.0, known is 1"},
        {16, 8, UINT64_MAX, RC_ERR_TRUNCATED, "its header says 18446744073709551615"},
        {16, 8, 40, RC_ERR_FORMAT, "its header says 40"},
        {24, 4, UINT32_MAX, RC_ERR_LIMIT, "4294967295 parts"},
        {24, 4, 4096, RC_ERR_TRUNCATED, "with 4096 parts"},
        {24, 4, 1, RC_ERR_LIMIT, "1 parts, allowed are 2 to 4096"},
        {24, 4, 2, RC_ERR_FORMAT, "part 0 begins at byte 104, must at 80"},
        {32, 4, 0x10009, RC_ERR_UNSUPPORTED, "kind 9, which a later version knows"},
        {32, 4, 0x20001, RC_ERR_FORMAT, "flags 2 of part 0"},
        {32, 4, 0x10002, RC_ERR_FORMAT, "0 parts are graph"},
        {32 + 8, 8, 0, RC_ERR_FORMAT, "part 0 begins at byte 0"},
        {32 + 8, 8, 105, RC_ERR_FORMAT, "part 0 begins at byte 105"},
        {32 + 8, 8, UINT64_MAX, RC_ERR_FORMAT, "part 0 begins at byte 18446744073709551615"},
        {32 + 16, 8, UINT64_MAX, RC_ERR_FORMAT, "ends behind the file"},
        {32 + 16, 8, 1, RC_ERR_FORMAT, "part 1 begins at byte"},
        {32 + 48 + 16, 8, 1, RC_ERR_FORMAT, "behind its last part"},
        {32 + 4, 4, 77, RC_ERR_FORMAT, "part 0 is damaged (checksum)"},
    };
    struct rci_bytes b = small_file(*state);
    assert_int_equal(rci_get32(b.data + 24), 3);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct rci_bytes bad = {malloc(b.size), b.size};
        uint8_t bytes[8];
        memcpy(bad.data, b.data, b.size);
        rci_set64(bytes, lies[i].value);
        memcpy(bad.data + lies[i].at, bytes, lies[i].size);
        if (rci_get32(bad.data + 24) <= 4096 &&
            32 + 24 * (size_t) rci_get32(bad.data + 24) < b.size)
            seal(&bad);
        REFUSED(load(*state, bad.data, bad.size), lies[i].status, lies[i].says);
        free(bad.data);
    }
    b.data[28] ^= 1;
    REFUSED(load(*state, b.data, b.size), RC_ERR_FORMAT, "its header is damaged (checksum)");
    rci_release(b.data);
}

/* The table of weights as text of its own, with a coded part as before. */
static void refuse_table(struct rc_context *c, const struct rci_bytes *b, const char *table,
                         size_t size, rc_status status, const char *says)
{
    struct forged f;
    forged_open(&f, c, b);
    const uint32_t t = forged_find(&f, PART_TENSORS);
    f.part[t].size = 0;
    OK(rci_put_byte(&f.part[t], 0)); /* stored text */
    OK(rci_buffer_append(&f.part[t], table, size));
    struct rci_bytes bad = forged_bytes(&f);
    REFUSED(load(c, bad.data, bad.size), status, says);
    free(bad.data);
    forged_close(&f);
}

static void tables_that_lie_are_refused(void **state)
{
    struct rci_bytes b = small_file(*state);
#define TABLE(bytes, status, says) refuse_table(*state, &b, bytes, sizeof(bytes) - 1, status, says)
    TABLE("", RC_ERR_FORMAT, "weights: 1 bytes are needed");
    TABLE("\xff\xff\xff\xff\x0f", RC_ERR_FORMAT, "weights is 4294967295");
    TABLE("\0", RC_ERR_FORMAT, "belongs to no weight");
    TABLE("\1\x7f\3", RC_ERR_FORMAT, "weights of initializer 127");
    TABLE("\1\xff\xff\xff\xff\x0f\3", RC_ERR_FORMAT, "weights of initializer 4294967295");
    TABLE("\1\1\3", RC_ERR_FORMAT, "initializer 1 has data of its own");
    TABLE("\1\0\3\0", RC_ERR_FORMAT, "table of weights: 1 bytes too many");
    TABLE("\1\0\xff\xff\xff\xff\xff\xff\xff\xff\x7f", RC_ERR_FORMAT, "are in no part");
    TABLE("\1\0\2", RC_ERR_FORMAT, "are in no part");
    TABLE("\1\0\0\0\0\0\0\0", RC_ERR_FORMAT, "multiple");
#undef TABLE
    rci_release(b.data);
}

static void parts_that_do_not_fit_are_refused(void **state)
{
    struct rci_bytes b = small_file(*state), bad;
    struct forged f;
    /* bytes behind the weights of a part */
    forged_open(&f, *state, &b);
    OK(rci_put_byte(&f.part[forged_find(&f, PART_CODED)], 0));
    bad = forged_bytes(&f);
    REFUSED(load(*state, bad.data, bad.size), RC_ERR_FORMAT, "1 bytes of part");
    free(bad.data);
    /* a weight that ends early */
    f.part[forged_find(&f, PART_CODED)].size -= 2;
    bad = forged_bytes(&f);
    REFUSED(load(*state, bad.data, bad.size), RC_ERR_FORMAT, "are in no part");
    free(bad.data);
    forged_close(&f);
    /* a coder that is not known */
    forged_open(&f, *state, &b);
    f.part[forged_find(&f, PART_CODED)].data[0] = 99;
    bad = forged_bytes(&f);
    REFUSED(load(*state, bad.data, bad.size), RC_ERR_FORMAT, "coder 99, known are 0 to 6");
    assert_non_null(strstr(rc_last_error(), "initializer \""));
    free(bad.data);
    forged_close(&f);
    /* two graphs */
    forged_open(&f, *state, &b);
    f.kind[forged_find(&f, PART_TENSORS)] = PART_GRAPH | 1 << 16;
    bad = forged_bytes(&f);
    REFUSED(load(*state, bad.data, bad.size), RC_ERR_FORMAT, "2 parts are graph");
    free(bad.data);
    forged_close(&f);
    /* no ONNX */
    forged_open(&f, *state, &b);
    f.part[forged_find(&f, PART_GRAPH)].size = 0;
    OK(rci_buffer_append(&f.part[forged_find(&f, PART_GRAPH)], "\0\xff\xff", 3));
    bad = forged_bytes(&f);
    assert_int_not_equal(load(*state, bad.data, bad.size), RC_OK);
    free(bad.data);
    forged_close(&f);
    rci_release(b.data);
}

/* A later version may add parts that can be left out; their bytes are checked all the same. */
static void unknown_parts_are_skipped_when_they_may_be(void **state)
{
    struct rci_bytes b = small_file(*state), file;
    struct forged f;
    forged_open(&f, *state, &b);
    f.part[f.n] = (struct rci_buffer){.ctx = *state};
    OK(rci_buffer_append(&f.part[f.n], "notes", 5));
    f.kind[f.n++] = 77;
    file = forged_bytes(&f);
    file.data[14] = 5; /* minor version */
    seal(&file);
    OK(load(*state, file.data, file.size));
    file.data[file.size - 1] ^= 1;
    REFUSED(load(*state, file.data, file.size), RC_ERR_FORMAT, "part 3 is damaged");
    free(file.data);
    forged_close(&f);
    rci_release(b.data);
}

/* One initializer of `elements` f32 and nothing that stores them. */
static void sizes_are_refused_before_memory_is_taken(void **state)
{
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    rc_context *c;
    uint64_t peak;
    (void) state;
    o.max_memory = 24 << 20;
    OK(rc_context_new(&c, &o));
    /* model { ir 8, graph { initializer { dims 268435456, FLOAT, "w" } } opset 13 } */
    static const char graph[] =
        "\0\x08\x08\x3a\x0d\x2a\x0b\x08\x80\x80\x80\x80\x01\x10\x01\x42\x01w"
        "\x42\x02\x10\x0d";
    struct forged f = {
        .n = 3, .kind = {PART_GRAPH | 1 << 16, PART_TENSORS | 1 << 16, PART_CODED | 1 << 16}};
    for (uint32_t i = 0; i < 3; i++)
        f.part[i].ctx = c;
    OK(rci_buffer_append(&f.part[0], graph, sizeof(graph) - 1));
    OK(rci_buffer_append(&f.part[1], "\0\1\0\7", 4));
    OK(rci_buffer_append(&f.part[2], "\2\0\0", 3));
    struct rci_bytes bad = forged_bytes(&f);
    REFUSED(load(c, bad.data, bad.size), RC_ERR_LIMIT, "1073741824 bytes");
    OK(rc_context_get_memory(c, NULL, &peak));
    assert_true(peak < 1 << 20);
    free(bad.data);
    forged_close(&f);
    rc_context_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_cut_anywhere_are_refused),
        cmocka_unit_test(files_with_any_bit_flipped_are_refused),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(tables_that_lie_are_refused),
        cmocka_unit_test(parts_that_do_not_fit_are_refused),
        cmocka_unit_test(unknown_parts_are_skipped_when_they_may_be),
        cmocka_unit_test(sizes_are_refused_before_memory_is_taken),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
