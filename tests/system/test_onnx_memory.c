/* Every allocation of import and export fails once: the call says so, and nothing leaks. */
#include "load.h"
#include "shared.h"

#include "io/onnx.h"

#include <stdlib.h>

struct faulty {
    uint64_t count, fail_at; /* calls so far; the one that fails, and all after it when `rest` */
    bool rest;
    uint64_t live;
};

static void *faulty_allocate(void *user, size_t size, size_t alignment)
{
    struct faulty *f = user;
    const uint64_t n = f->count++;
    if (n == f->fail_at || (f->rest && n > f->fail_at))
        return NULL;
    f->live++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void faulty_release(void *user, void *p)
{
    ((struct faulty *) user)->live--;
    free(p);
}

static struct rc_context *faulty_context(struct faulty *f)
{
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    rc_context *c;
    *f = (struct faulty){.fail_at = UINT64_MAX};
    o.allocate = faulty_allocate;
    o.release = faulty_release;
    o.allocator_user = f;
    OK(rc_context_new(&c, &o));
    return c;
}

/* Shape chain, bound operands, attributes and weights: every part of the importer has work. */
static struct pb sample(void)
{
    struct onnx_model m = onnx_model();
    struct pb gather = onnx_node("Gather", "gather", "s zero", "n"),
              concat = onnx_node("Concat", "concat", "n1 rest", "shape"),
              conv = onnx_node("Conv", "conv", "x w", "c");
    const int64_t zero = 0;
    onnx_attr_list(&conv, "pads", 1, 1, 1, 1);
    onnx_attr_int(&concat, "axis", 0);
    onnx_add(&m, conv);
    onnx_add(&m, onnx_node("Shape", "shape", "c", "s"));
    onnx_add(&m, gather);
    onnx_add(&m, onnx_node("Unsqueeze", "unsqueeze", "n zeros", "n1"));
    onnx_add(&m, concat);
    onnx_add(&m, onnx_node("Reshape", NULL, "c shape", "y"));
    onnx_initializer(&m, onnx_tensor("zero", 7, 0, NULL, &zero, 8));
    onnx_initializer(&m, onnx_int64s("zeros", 0));
    onnx_initializer(&m, onnx_int64s("rest", -1));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){1, 2, 1, 1}), 1, 2));
    onnx_input(&m, "x", "batch,2,4,4");
    onnx_output(&m, "y", "?");
    struct pb p = onnx_bytes(&m);
    pb_bytes(&p, 14, "\x0a\x03key\x12\x05value", 12);
    return p;
}

static uint64_t count_failures(struct faulty *f, struct rc_context *c, const struct pb *p,
                               const struct rc_graph *g)
{
    const uint64_t live = f->live;
    for (uint64_t n = 0;; n++) {
        struct rc_graph *loaded = NULL;
        struct rci_bytes saved = {0};
        f->count = 0;
        f->fail_at = n;
        const rc_status st = g ? rci_onnx_save_memory(&saved, g)
                               : rci_onnx_load_memory(&loaded, c, p->data, p->size);
        f->fail_at = UINT64_MAX;
        rci_graph_free(loaded);
        rci_release(saved.data);
        assert_int_equal(f->live, live);
        if (st == RC_OK)
            return n;
        assert_int_equal(st, RC_ERR_MEMORY);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void) state;
    struct faulty f;
    struct rc_context *c = faulty_context(&f);
    struct rc_graph *g;
    struct pb p = sample();
    for (int rest = 0; rest < 2; rest++) {
        f.rest = rest;
        assert_true(count_failures(&f, c, &p, NULL) > 50);
        OK(rci_onnx_load_memory(&g, c, p.data, p.size));
        assert_true(count_failures(&f, c, NULL, g) > 3);
        rci_graph_free(g);
    }
    pb_free(&p);
    rc_context_free(&c);
    assert_int_equal(f.live, 0);
}

static void a_memory_cap_holds_for_files(void **state)
{
    (void) state;
    const char *path = shared_path("models/resnet56-cifar10.onnx");
    if (!path)
        skip();
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    rc_context *c;
    struct rc_graph *g;
    uint64_t peak, live;
    o.max_memory = 2 << 20;
    OK(rc_context_new(&c, &o));
    REFUSED(rci_onnx_load(&g, c, path), RC_ERR_MEMORY, "");
    OK(rc_context_get_memory(c, &live, &peak));
    assert_true(peak <= o.max_memory);
    assert_int_equal(live, 0);
    rc_context_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_memory_cap_holds_for_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
