/* The importer on arbitrary bytes. What is accepted must be written and read again. Built as a
 * libFuzzer target with clang -fsanitize=fuzzer; as a program it takes files (fuzz_main.c). */
#include "fuzz.h"

#include "io/onnx.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    rc_context *c;
    struct rc_graph *g, *back = NULL;
    struct rci_bytes file = {0};
    o.max_memory = UINT64_C(1) << 29;
    if (rc_context_new(&c, &o) != RC_OK)
        abort();
    if (rci_onnx_load_memory(&g, c, data, size) == RC_OK) {
        rc_status st = rci_onnx_save_memory(&file, g);
        if (st == RC_OK)
            st = rci_onnx_load_memory(&back, c, file.data, file.size);
        if (st != RC_OK && st != RC_ERR_MEMORY)
            abort();
        rci_graph_destroy(back);
        rci_release(file.data);
        rci_graph_destroy(g);
    }
    uint64_t live = 0;
    rc_context_get_memory(c, &live, NULL);
    if (live)
        abort(); /* a leak */
    rc_context_free(&c);
    return 0;
}
