/* Packed files on arbitrary bytes, as they are and with checksums that fit. What is accepted is a
 * graph that verifies and that packs and unpacks to the same ONNX bytes. */
#include "fuzz.h"

#include "base/crc32c.h"
#include "io/packed_parts.h"

#include <stdlib.h>
#include <string.h>

/* Checksums of all parts that lie inside, then of the header; `n` parts at most. */
static void seal(uint8_t *f, size_t size)
{
    const uint64_t n = rci_get32(f + 24), head = PACKED_HEADER + n * PACKED_ENTRY;
    if (n > PACKED_PARTS_MOST || head > size)
        return;
    rci_set64(f + 16, size);
    for (uint64_t i = 0; i < n; i++) {
        uint8_t *e = f + PACKED_HEADER + i * PACKED_ENTRY;
        const uint64_t at = rci_get64(e + 8), length = rci_get64(e + 16);
        if (at <= size && length <= size - at)
            rci_set32(e + 4, rci_crc32c(0, f + at, (size_t) length));
    }
    rci_set32(f + 28, 0);
    rci_set32(f + 28, rci_crc32c(0, f, (size_t) head));
}

static void pack_again(struct rc_context *c, const struct rc_graph *g)
{
    struct rci_bytes onnx = {0}, packed = {0}, again = {0};
    struct rc_graph *back = NULL;
    rc_status st = rci_onnx_save_memory(&onnx, g);
    if (st == RC_OK)
        st = rci_packed_save_memory(&packed, g, NULL);
    if (st == RC_OK)
        st = rci_onnx_load_memory(&back, c, packed.data, packed.size);
    if (st == RC_OK)
        st = rci_onnx_save_memory(&again, back);
    FUZZ_CHECK(st == RC_OK || st == RC_ERR_MEMORY);
    if (st == RC_OK)
        FUZZ_CHECK(again.size == onnx.size && !memcmp(again.data, onnx.data, onnx.size));
    rci_graph_free(back);
    rci_release(again.data);
    rci_release(packed.data);
    rci_release(onnx.data);
}

static void use(const uint8_t *data, size_t size)
{
    struct rc_context *c = fuzz_context();
    struct rc_graph *g = NULL;
    if (rci_packed_begins(data, size)) {
        const rc_status st = rci_onnx_load_memory(&g, c, data, size);
        FUZZ_CHECK((st == RC_OK) == (g != NULL));
        FUZZ_CHECK(st == RC_OK || rci_error_text()[0]);
    }
    if (g) {
        FUZZ_CHECK(rci_graph_verify(g) == RC_OK);
        pack_again(c, g);
        rci_graph_free(g);
    }
    fuzz_context_done(c);
}

/* The input as one tensor of `width` and as text. */
static void use_parts(const uint8_t *data, size_t size)
{
    struct rc_context *c = fuzz_context();
    struct rci_bytes text;
    uint8_t *room = malloc(8 * 4096);
    FUZZ_CHECK(room != NULL);
    struct rci_cursor from = {data, data + size};
    if (rci_text_read(&text, c, &from, "text") == RC_OK)
        rci_release(text.data);
    for (uint32_t width = 1; width <= RCI_WIDTH_MOST; width *= 2) {
        const struct rci_elements x = {.ctx = c,
                                       .data = room,
                                       .count = 1 + size * 37 % 4096,
                                       .width = width,
                                       .rows = 1,
                                       .real = width > 1 && size % 2};
        from = (struct rci_cursor){data, data + size};
        (void) !rci_coder_read(&from, &x);
    }
    free(room);
    fuzz_context_done(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    use(data, size);
    use_parts(data, size);
    if (size < PACKED_HEADER)
        return 0;
    uint8_t *sealed = malloc(size);
    FUZZ_CHECK(sealed != NULL);
    memcpy(sealed, data, size);
    seal(sealed, size);
    use(sealed, size);
    free(sealed);
    return 0;
}
