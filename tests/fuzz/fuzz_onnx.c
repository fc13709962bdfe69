/* The importer on arbitrary bytes. What is accepted is a graph that verifies, can be written, read
 * again, fused and lowered for a session. */
#include "fuzz.h"

#include "io/onnx.h"
#include "pass/pass.h"

#include <string.h>

static void refused_or_out_of_memory(rc_status st)
{
    FUZZ_CHECK(st == RC_OK || st == RC_ERR_MEMORY);
}

static void write_and_read(struct rc_context *c, const struct rc_graph *g)
{
    struct rci_bytes file = {0}, again = {0};
    struct rc_graph *back = NULL;
    rc_status st = rci_onnx_save_memory(&file, g);
    if (st == RC_OK)
        st = rci_onnx_load_memory(&back, c, file.data, file.size);
    if (st == RC_OK)
        st = rci_onnx_save_memory(&again, back);
    refused_or_out_of_memory(st);
    if (st == RC_OK)
        FUZZ_CHECK(again.size == file.size && !memcmp(again.data, file.data, file.size));
    rci_graph_free(back);
    rci_release(file.data);
    rci_release(again.data);
}

/* What rc_graph_fuse() and a session's compiler do first. */
static void rewrite(struct rc_context *c, const struct rc_graph *g)
{
    static const struct rci_pass *const passes[] = {
        &rci_pass_drop_identity, &rci_pass_fold_affine, &rci_pass_shortcut_conv,
        &rci_pass_lower_int8,    &rci_pass_fuse_post,
    };
    struct rc_graph *twin = NULL;
    rc_status st = rci_graph_clone(&twin, g);
    for (size_t i = 0; st == RC_OK && i < sizeof(passes) / sizeof(passes[0]); i++)
        st = rci_pass_run(twin, passes[i], NULL);
    refused_or_out_of_memory(st);
    rci_graph_free(twin);
    twin = NULL;
    st = rci_graph_clone(&twin, g);
    if (st == RC_OK)
        st = rci_pass_clean_up(twin);
    refused_or_out_of_memory(st);
    if (st == RC_OK)
        write_and_read(c, twin);
    rci_graph_free(twin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rc_context *c = fuzz_context();
    struct rc_graph *g;
    const rc_status st = rci_onnx_load_memory(&g, c, data, size);
    FUZZ_CHECK((st == RC_OK) == (g != NULL));
    if (g) {
        FUZZ_CHECK(rci_graph_verify(g) == RC_OK);
        write_and_read(c, g);
        rewrite(c, g);
        rci_graph_free(g);
    }
    fuzz_context_done(c);
    return 0;
}
