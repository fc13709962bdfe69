/* zlib with the context's allocator, in both directions bounded. */
#include "data/inflate.h"
#include <limits.h>
#include <zlib.h>

bool rci_inflate_possible(uint64_t in_size, uint64_t out_size)
{
    return out_size / 1032 <= in_size;
}

static void *hook_alloc(void *c, unsigned n, unsigned size)
{
    return rci_alloc_array(c, n, size);
}

static void hook_free(void *c, void *p)
{
    (void) c;
    rci_release(p);
}

rc_status rci_inflate(struct rc_context *c, enum rci_inflate_format format, const uint8_t *in,
                      size_t in_size, uint8_t *out, size_t out_size, bool whole, const char *what)
{
    if (in_size > UINT_MAX || out_size > UINT_MAX)
        return rci_fail(RC_ERR_LIMIT, "%s: %zu bytes that become %zu, both may be 2^32 - 1", what,
                        in_size, out_size);
    z_stream z = {.zalloc = hook_alloc, .zfree = hook_free, .opaque = c};
    z.next_in = (Bytef *) (uintptr_t) in; /* zlib's own type lacks the const */
    z.avail_in = (uInt) in_size;
    z.next_out = out;
    z.avail_out = (uInt) out_size;
    if (inflateInit2(&z, (int) format) != Z_OK)
        return RC_ERR_MEMORY;
    const int r = inflate(&z, Z_FINISH);
    const size_t got = z.total_out;
    rc_status st = RC_OK;
    if (r == Z_MEM_ERROR)
        st = RC_ERR_MEMORY;
    else if (r == Z_DATA_ERROR || r == Z_NEED_DICT)
        st = rci_fail(RC_ERR_FORMAT, "%s: compressed data is damaged after %zu bytes: %s", what,
                      got, z.msg ? z.msg : "dictionary");
    else if (got < out_size)
        st = rci_fail(RC_ERR_TRUNCATED, "%s: ends after %zu bytes, expected are %zu", what, got,
                      out_size);
    else if (whole && r != Z_STREAM_END)
        st = rci_fail(z.avail_in ? RC_ERR_FORMAT : RC_ERR_TRUNCATED,
                      "%s: does not end after %zu bytes", what, out_size);
    else if (whole && z.avail_in)
        st = rci_fail(RC_ERR_FORMAT, "%s: %u bytes after the end of the compressed data", what,
                      z.avail_in);
    inflateEnd(&z);
    return st;
}
