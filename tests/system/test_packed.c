/* Packed model files: every model comes back bit by bit the same; running out of memory leaves
 * nothing behind. */
#include "files.h"
#include "nets.h"
#include "packednet.h"
#include "quantnets.h"
#include "shared.h"
#include "test.h"

#include "io/packed.h"

#include <rescomp/rescomp.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static const enum rci_packed_coding codings[] = {RCI_PACKED_AUTO, RCI_PACKED_FIELDS,
                                                 RCI_PACKED_RAW};

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
    rci_graph_free(back);
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
        rci_graph_free(g);
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
        rci_graph_free(g);
    }
}

/* Reals of other types, opsets, and integer weights of few bits. */
static void other_types_and_few_bits_come_back(void **state)
{
    struct rc_graph *g = net_random(*state, 3, NET_ALL), *q;
    for (int storage = 0; storage < 2; storage++) {
        const struct rci_packed_form form = {
            .onnx = {.opset = 17, .storage = storage ? RC_BF16 : RC_F16}};
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
        rci_graph_free(one);
        rci_graph_free(two);
        rci_release(packed.data);
        rci_release(a.data);
        rci_release(b.data);
    }
    rci_graph_free(g);
    q = quant_two_convs(*state, (float[]){1, 2}, (float[]){0, 1});
    for (int i = 0; i < 3; i++)
        expect_same(*state, q, codings[i]);
    rci_graph_free(q);
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
        rci_graph_free(g);
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
    const char *const packed = scratch_path(folder, "m.rcz"), *const onnx =
                                                                  scratch_path(folder, "m.onnx");
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
    rci_graph_free(g);
    scratch_remove(folder);
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
    const char *const onnx = scratch_path(folder, "m.onnx"), *const packed =
                                                                 scratch_path(folder, "m.rcz");
    struct rc_graph *g = packed_small_graph(*state);
    OK(rc_graph_save(g, onnx));
    rci_graph_free(g);
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
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
