/* Packed model files: every model comes back bit by bit the same; files cut, damaged or made to harm
 * are refused with one line; running out of memory leaves nothing behind. */
#include "files.h"
#include "nets.h"
#include "quantnets.h"
#include "shared.h"
#include "test.h"

#include "base/crc32c.h"
#include "io/packed_parts.h"

#include <rescomp/rescomp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

static const enum rci_packed_coding codings[] = {RCI_PACKED_AUTO, RCI_PACKED_FIELDS, RCI_PACKED_RAW};

/* The ONNX bytes of what is loaded from the packed graph are those of the graph. */
static size_t expect_same(struct rc_context *c, const struct rc_graph *g,
                          enum rci_packed_coding coding)
{
    const struct rci_packed_form form = {.coding = coding};
    struct rci_bytes packed, onnx, again;
    struct rc_graph *back;
    OK(rci_onnx_save_memory(&onnx, g));
    OK(rci_packed_save_memory(&packed, g, &form));
    OK(rci_onnx_load_memory(&back, c, packed.data, packed.size));
    OK(rci_onnx_save_memory(&again, back));
    assert_int_equal(again.size, onnx.size);
    assert_memory_equal(again.data, onnx.data, onnx.size);
    rci_graph_destroy(back);
    const size_t size = packed.size;
    rci_release(again.data);
    rci_release(onnx.data);
    rci_release(packed.data);
    return size;
}

static struct rc_graph *load_gz(struct rc_context *c, const char *path)
{
    enum { MOST = 4 << 20 };
    struct rc_graph *g;
    gzFile f = gzopen(path, "rb");
    assert_non_null(f);
    uint8_t *bytes = malloc(MOST);
    const int n = gzread(f, bytes, MOST);
    gzclose(f);
    OK(rci_onnx_load_memory(&g, c, bytes, (size_t) n));
    free(bytes);
    return g;
}

static void every_architecture_comes_back(void **state)
{
    FILE *f = fopen(source_path("tests/golden/architectures/expected.txt"), "r");
    static char line[1 << 16];
    uint32_t count = 0;
    assert_non_null(f);
    for (; fgets(line, sizeof(line), f); count++) {
        char path[200];
        line[strcspn(line, " \n")] = '\0';
        snprintf(path, sizeof(path), "tests/golden/architectures/%.100s.onnx.gz", line);
        struct rc_graph *g = load_gz(*state, source_path(path));
        expect_same(*state, g, codings[count % 3]);
        rci_graph_destroy(g);
    }
    fclose(f);
    assert_true(count >= 40);
}

static void shared_models_come_back(void **state)
{
    static const char *const names[] = {"resnet20-cifar10", "resnet56-cifar10-folded",
                                        "resnet20-cifar100"};
    for (int i = 0; i < 3; i++) {
        char path[64];
        struct rc_graph *g;
        snprintf(path, sizeof(path), "models/%s.onnx", names[i]);
        const char *model = shared_path(path);
        if (!model)
            skip();
        OK(rci_onnx_load(&g, *state, model));
        struct rci_bytes onnx;
        OK(rci_onnx_save_memory(&onnx, g));
        const size_t size = expect_same(*state, g, RCI_PACKED_AUTO);
        print_message("%s: %zu -> %zu\n", names[i], onnx.size, size);
        assert_true(size < 0.85 * (double) onnx.size);
        rci_release(onnx.data);
        rci_graph_destroy(g);
    }
}

/* Reals of other types, opsets, and integer weights of few bits. */
static void other_types_and_few_bits_come_back(void **state)
{
    struct rc_graph *g = net_random(*state, 3, NET_ALL), *q;
    for (int storage = 0; storage < 2; storage++) {
        const struct rci_packed_form form = {.onnx = {.opset = 17,
                                                      .storage = storage ? RC_BF16 : RC_F16}};
        struct rci_bytes packed, a, b;
        struct rc_graph *one, *two;
        OK(rci_onnx_save_memory_as(&a, g, &form.onnx));
        OK(rci_onnx_load_memory(&one, *state, a.data, a.size));
        OK(rci_packed_save_memory(&packed, g, &form));
        OK(rci_onnx_load_memory(&two, *state, packed.data, packed.size));
        rci_release(a.data);
        OK(rci_onnx_save_memory(&a, one));
        OK(rci_onnx_save_memory(&b, two));
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
        rci_graph_destroy(one);
        rci_graph_destroy(two);
        rci_release(packed.data);
        rci_release(a.data);
        rci_release(b.data);
    }
    rci_graph_destroy(g);
    q = quant_two_convs(*state, (float[]){1, 2}, (float[]){0, 1});
    for (int i = 0; i < 3; i++)
        expect_same(*state, q, codings[i]);
    rci_graph_destroy(q);
}

static void threads_do_not_change_the_file(void **state)
{
    struct rci_bytes file[2];
    (void) state;
    for (uint32_t threads = 1; threads <= 2; threads++) {
        rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
        rc_context *c;
        o.threads = threads;
        OK(rc_context_new(&c, &o));
        struct rc_graph *g = net_zoo(c, "resnet20", 1);
        struct rci_bytes b;
        OK(rci_packed_save_memory(&b, g, NULL));
        file[threads - 1].data = malloc(b.size);
        file[threads - 1].size = b.size;
        memcpy(file[threads - 1].data, b.data, b.size);
        rci_release(b.data);
        rci_graph_destroy(g);
        rc_context_free(&c);
    }
    assert_int_equal(file[0].size, file[1].size);
    assert_memory_equal(file[0].data, file[1].data, file[0].size);
    free(file[0].data);
    free(file[1].data);
}

/* Through the public interface, from a file, with sessions; rows of small and large weights. */
static void packed_files_open_like_onnx_files(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet20", 1);
    const char *folder = scratch_folder();
    const char *const packed = scratch_path(folder, "m.rcz"), *const onnx = scratch_path(folder, "m.onnx");
    rc_session *a, *b;
    rc_packed *p;
    rc_pack_options o = RC_PACK_OPTIONS_INIT;
    rc_packed_info info = RC_PACKED_INFO_INIT;
    static const char *const words[] = {"auto", "fields", "raw"};
    float x[3 * 32 * 32], ya[10], yb[10];
    fill_random(x, 3 * 32 * 32, 1);
    OK(rc_graph_save(g, onnx));
    OK(rc_session_load(&a, *state, onnx, NULL));
    OK(rc_session_run(a, 1, (const float *[]){x}, (float *[]){ya}));
    for (int i = 0; i < 3; i++) {
        o.coding = words[i];
        OK(rc_graph_save_packed(g, packed, &o));
        OK(rc_session_load(&b, *state, packed, NULL));
        OK(rc_session_run(b, 1, (const float *[]){x}, (float *[]){yb}));
        assert_memory_equal(ya, yb, sizeof(ya));
        rc_session_free(&b);
        OK(rc_packed_new(&p, *state, packed));
        OK(rc_packed_get_info(p, &info));
        assert_true(info.tensors > 40 && info.stored <= info.bytes + info.tensors);
        for (uint64_t k = 0; k < info.tensors; k++) {
            rc_packed_tensor_info t = RC_PACKED_TENSOR_INFO_INIT;
            OK(rc_packed_get_tensor(p, k, &t));
            assert_true(*t.name && t.elements && t.stored <= t.bytes + 1);
            if (i == 2)
                assert_string_equal(t.coder, "raw");
        }
        rc_packed_free(&p);
    }
    REFUSED(rc_packed_new(&p, *state, onnx), RC_ERR_FORMAT, "m.onnx: not a packed model");
    o.coding = "zip";
    REFUSED(rc_graph_save_packed(g, packed, &o), RC_ERR_ARG, "coding is \"zip\"");
    rc_session_free(&a);
    rci_graph_destroy(g);
    scratch_remove(folder);
}

/* --- files that are not as they should be --- */

/* A small residual network: one weight of many values, one of three. */
static struct rc_graph *small_graph(struct rc_context *c)
{
    struct rc_graph *g;
    OK(rci_onnx_load(&g, c, source_path("tests/fuzz/corpus/onnx/residual")));
    const rci_id w = rci_graph_find_value(g, "w2");
    float *x = g->values[w].tensor.data;
    for (int64_t i = 0; i < rci_shape_count(&g->values[w].tensor.shape); i++)
        x[i] = 0.125f * (float) (i * i % 5 - 1);
    return g;
}

static struct rci_bytes small_file(struct rc_context *c)
{
    struct rci_bytes b;
    struct rc_graph *g = small_graph(c);
    OK(rci_packed_save_memory(&b, g, NULL));
    rci_graph_destroy(g);
    return b;
}

static rc_status load(struct rc_context *c, const uint8_t *data, size_t size)
{
    struct rc_graph *g;
    const rc_status st = rci_onnx_load_memory(&g, c, data, size);
    if (st == RC_OK)
        rci_graph_destroy(g);
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
        if (rci_get32(bad.data + 24) <= 4096 && 32 + 24 * (size_t) rci_get32(bad.data + 24) < b.size)
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
#define TABLE(bytes, status, says) \
    refuse_table(*state, &b, bytes, sizeof(bytes) - 1, status, says)
    TABLE("", RC_ERR_FORMAT, "weights: 1 bytes are needed");
    TABLE("\xff\xff\xff\xff\x0f", RC_ERR_FORMAT, "weights is 4294967295");
    TABLE("\0", RC_ERR_FORMAT, "belongs to no weight");
    TABLE("\1\x7f\3", RC_ERR_FORMAT, "weights of initializer 127");
    TABLE("\1\xff\xff\xff\xff\x0f\3", RC_ERR_FORMAT, "weights of initializer 4294967295");
    TABLE("\1\2\3", RC_ERR_FORMAT, "initializer 2 has data of its own");
    TABLE("\1\1\3\0", RC_ERR_FORMAT, "table of weights: 1 bytes too many");
    TABLE("\1\1\xff\xff\xff\xff\xff\xff\xff\xff\x7f", RC_ERR_FORMAT, "are in no part");
    TABLE("\1\1\2", RC_ERR_FORMAT, "are in no part");
    TABLE("\1\1\0\0\0\0\0\0", RC_ERR_FORMAT, "multiple");
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
    static const char graph[] = "\0\x08\x08\x3a\x0d\x2a\x0b\x08\x80\x80\x80\x80\x01\x10\x01\x42\x01w"
                                "\x42\x02\x10\x0d";
    struct forged f = {.n = 3, .kind = {PART_GRAPH | 1 << 16, PART_TENSORS | 1 << 16,
                                        PART_CODED | 1 << 16}};
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

/* --- memory --- */

static long until_failure, blocks;

static void *allocate(void *user, size_t size, size_t alignment)
{
    (void) user;
    void *p = NULL;
    if ((until_failure >= 0 && until_failure-- == 0) || posix_memalign(&p, alignment, size))
        return NULL;
    blocks++;
    return p;
}

static void release(void *user, void *memory)
{
    (void) user;
    blocks--;
    free(memory);
}

static rc_status pack_and_unpack(rc_context *c, const char *onnx, const char *packed)
{
    rc_graph *g = NULL, *back = NULL;
    rc_packed *p = NULL;
    rc_status st = rc_graph_load(&g, c, onnx);
    if (st == RC_OK)
        st = rc_graph_save_packed(g, packed, NULL);
    if (st == RC_OK)
        st = rc_graph_load(&back, c, packed);
    if (st == RC_OK)
        st = rc_packed_new(&p, c, packed);
    rc_packed_free(&p);
    rc_graph_free(&back);
    rc_graph_free(&g);
    return st;
}

static void every_allocation_may_fail(void **state)
{
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    const char *folder = scratch_folder();
    const char *const onnx = scratch_path(folder, "m.onnx"), *const packed = scratch_path(folder, "m.rcz");
    struct rc_graph *g = small_graph(*state);
    OK(rc_graph_save(g, onnx));
    rci_graph_destroy(g);
    o.allocate = allocate;
    o.release = release;
    o.threads = 1;
    long n = 0;
    for (bool done = false; !done; n++) {
        rc_context *c;
        until_failure = -1;
        blocks = 0;
        OK(rc_context_new(&c, &o));
        until_failure = n;
        const rc_status st = pack_and_unpack(c, onnx, packed);
        done = until_failure >= 0;
        assert_int_equal(st, done ? RC_OK : RC_ERR_MEMORY);
        rc_context_free(&c);
        assert_int_equal(blocks, 0);
    }
    print_message("%ld allocations\n", n - 1);
    assert_true(n > 200);
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_architecture_comes_back),
        cmocka_unit_test(shared_models_come_back),
        cmocka_unit_test(other_types_and_few_bits_come_back),
        cmocka_unit_test(threads_do_not_change_the_file),
        cmocka_unit_test(packed_files_open_like_onnx_files),
        cmocka_unit_test(files_cut_anywhere_are_refused),
        cmocka_unit_test(files_with_any_bit_flipped_are_refused),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(tables_that_lie_are_refused),
        cmocka_unit_test(parts_that_do_not_fit_are_refused),
        cmocka_unit_test(unknown_parts_are_skipped_when_they_may_be),
        cmocka_unit_test(sizes_are_refused_before_memory_is_taken),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
