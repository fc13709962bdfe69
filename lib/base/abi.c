#include "base/abi.h"

#include <string.h>

enum {
    WORD = sizeof(size_t),
    MIN_SIZE = 2 * WORD, /* `size` and one member */
    MAX_SIZE = 4096      /* a larger size is an uninitialised one */
};

static rc_status read_size(size_t *size, const void *caller, const char *what)
{
    memcpy(size, caller, sizeof(*size));
    if (*size < MIN_SIZE || *size > MAX_SIZE || *size % WORD)
        return rci_fail(RC_ERR_ABI, "%s.size is %zu, must be sizeof(%s)", what, *size, what);
    return RC_OK;
}

rc_status rci_abi_check_flags(uint64_t flags, uint64_t known, const char *what)
{
    if (!(flags & ~known))
        return RC_OK;
    return rci_fail(RC_ERR_ABI, "%s.flags is 0x%llx, this library knows 0x%llx", what,
                    (unsigned long long) flags, (unsigned long long) known);
}

rc_status rci_abi_read(void *dst, size_t dst_size, const void *src, const char *what)
{
    memset(dst, 0, dst_size);
    size_t n = 0;
    if (src) {
        RC_TRY(read_size(&n, src, what));
        const unsigned char *tail = src;
        for (size_t i = dst_size; i < n; i++)
            if (tail[i])
                return rci_fail(RC_ERR_ABI, "%s sets a member this library does not know", what);
        memcpy(dst, src, n < dst_size ? n : dst_size);
    }
    memcpy(dst, &dst_size, sizeof(dst_size));
    return RC_OK;
}

rc_status rci_abi_write(void *dst, const void *src, size_t src_size, const char *what)
{
    size_t n;
    RC_TRY(read_size(&n, dst, what));
    memset(dst, 0, n);
    if (src_size)
        memcpy(dst, src, n < src_size ? n : src_size);
    memcpy(dst, &n, sizeof(n));
    return RC_OK;
}

rc_status rci_abi_clear(void *dst, const char *what)
{
    return rci_abi_write(dst, NULL, 0, what);
}
