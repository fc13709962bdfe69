/* The scan of ONNX bytes, the decoder behind it, and the walk over a file. What the scan lets pass
 * is decoded within the cap of its arena. */
#include "fuzz.h"

#include "wire/onnx.h"
#include "wire/outline.h"
#include "wire/scan.h"

static bool scan_status(rc_status st)
{
    return st == RC_OK || st == RC_ERR_FORMAT || st == RC_ERR_TRUNCATED || st == RC_ERR_LIMIT;
}

static void decode(struct rc_context *c, const uint8_t *data, size_t size)
{
    struct rci_arena arena = {.ctx = c};
    Onnx__ModelProto *model = NULL;
    const rc_status st = rci_onnx_read(&model, &arena, data, size);
    FUZZ_CHECK(scan_status(st) && (st == RC_OK) == (model != NULL));
    FUZZ_CHECK(!arena.cap || arena.total <= arena.cap);
    rci_arena_free(&arena);
}

/* A well-formed file with large weights is outlined; what is left of it is well formed too. */
static void outline(struct rc_context *c, const uint8_t *data, size_t size, rc_status scanned)
{
    struct rci_outline o;
    struct rci_file f;
    const struct rci_scan_limits limits = rci_scan_defaults(c);
    FUZZ_CHECK(rci_file_open(&f, c, fuzz_file("model.onnx", data, size), 0) == RC_OK);
    FUZZ_CHECK(rci_outline_read(&o, &f, c) == RC_OK);
    if (o.n && scanned == RC_OK)
        FUZZ_CHECK(rci_scan_onnx(o.model.data, o.model.size, &limits) == RC_OK);
    for (uint32_t i = 0; i < o.n; i++)
        FUZZ_CHECK(o.piece[i].size <= size && o.piece[i].at <= size - o.piece[i].size);
    rci_outline_free(&o);
    rci_file_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rc_context *c = fuzz_context();
    const struct rci_scan_limits limits = rci_scan_defaults(c);
    const rc_status st = rci_scan_onnx(data, size, &limits);
    FUZZ_CHECK(scan_status(st));
    if (st == RC_OK)
        decode(c, data, size);
    outline(c, data, size, st);
    fuzz_context_done(c);
    return 0;
}
