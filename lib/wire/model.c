/* A whole ONNX message: bytes -> scan -> structs in an arena, and back. */
#include "wire/onnx.h"
#include "wire/scan.h"

static void *model_alloc(void *arena, size_t size)
{
    return rci_arena_alloc(arena, size);
}

/* Everything goes at once, with the arena. */
static void model_release(void *arena, void *p)
{
    (void) arena;
    (void) p;
}

rc_status rci_onnx_read(Onnx__ModelProto **out, struct rci_arena *arena, const uint8_t *data,
                        size_t size)
{
    *out = NULL;
    const struct rci_scan_limits limits = rci_scan_defaults(arena->ctx);
    RC_TRY(rci_scan_onnx(data, size, &limits));
    /* the scan has counted what this takes; in case it has not seen all */
    arena->cap = (limits.memory_per_byte + 1) * size + 2 * limits.memory;
    ProtobufCAllocator allocator = {model_alloc, model_release, arena};
    *out = onnx__model_proto__unpack(&allocator, size, data);
    if (*out)
        return RC_OK;
    if (arena->status != RC_OK) /* the allocator has said why */
        return arena->status;
    return rci_fail(RC_ERR_FORMAT, "not an ONNX model: the protobuf message cannot be decoded");
}

rc_status rci_onnx_write(uint8_t **bytes, size_t *size, struct rc_context *c,
                         const Onnx__ModelProto *m)
{
    *bytes = NULL;
    *size = onnx__model_proto__get_packed_size(m);
    if (*size > INT32_MAX)
        return rci_fail(RC_ERR_LIMIT, "model of %zu bytes; an ONNX file holds at most 2147483647",
                        *size);
    uint8_t *p = rci_alloc(c, *size);
    if (!p)
        return RC_ERR_MEMORY;
    onnx__model_proto__pack(m, p);
    *bytes = p;
    return RC_OK;
}
