/* Allocations fail one after the other while a network is quantized: RC_ERR_MEMORY, no leak. */
#include "nets.h"
#include "quantnets.h"

#include <stdlib.h>

static long until_failure = -1, blocks; /* -1: never */

static void *allocate(void *user, size_t size, size_t alignment)
{
    (void) user;
    void *p = NULL;
    bool fails;
#pragma omp critical(counting)
    fails = until_failure >= 0 && until_failure-- == 0;
    if (fails || posix_memalign(&p, alignment, size))
        return NULL;
#pragma omp atomic
    blocks++;
    return p;
}

static void release(void *user, void *memory)
{
    (void) user;
#pragma omp atomic
    blocks--;
    free(memory);
}

static const char *method; /* of kind "qat", or NULL */

static rc_status quantize(const struct rc_graph *g, rc_dataset *d, uint64_t flags)
{
    rc_quantizer *q = NULL;
    rc_graph *out = NULL, *frozen = NULL;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.images = 2;
    o.flags = flags;
    o.qat = method;
    rc_status st = rc_quantizer_new(&q, g, &o);
    if (st == RC_OK)
        st = rc_quantizer_calibrate(q, d);
    if (st == RC_OK)
        st = rc_quantizer_apply(&out, q);
    if (st == RC_OK && (flags || method))
        st = rc_quantizer_finish(&frozen, out);
    rc_graph_free(&frozen);
    rc_graph_free(&out);
    rc_quantizer_free(&q);
    return st;
}

static void fail_all(struct rc_graph *g, rc_dataset *d, uint64_t flags)
{
    OK(quantize(g, d, flags));
    const long before = blocks;
    long fail_at = 0;
    for (rc_status st = RC_ERR_MEMORY; st != RC_OK; fail_at += 1 + fail_at / 20) {
        until_failure = fail_at;
        st = quantize(g, d, flags);
        until_failure = -1;
        if (blocks != before)
            fail_msg("allocation %ld: %ld blocks leak", fail_at, blocks - before);
        if (st != RC_OK && st != RC_ERR_MEMORY)
            fail_msg("allocation %ld: %s", fail_at, rc_last_error());
    }
    assert_true(fail_at > 500);
}

static void quantizing_survives_failed_allocations(void **state)
{
    (void) state;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    o.allocate = allocate;
    o.release = release;
    rc_context *c;
    OK(rc_context_new(&c, &o));
    struct source s = {0};
    struct rc_graph *g = net_random(c, 2, NET_RESIDUAL);
    rc_dataset *d = quant_dataset(c, &s, H, W);
    fail_all(g, d, 0);
    fail_all(g, d, RC_QUANTIZE_QAT);
    method = "lsq";
    fail_all(g, d, 0);
    method = NULL;
    rc_dataset_free(&d);
    rc_graph_free(&g);
    rc_context_free(&c);
    assert_int_equal(blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantizing_survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
