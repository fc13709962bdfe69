#include "base/abi.h"

#include <string.h>

enum { MAX_SIZE = 4096 }; /* a larger size is an uninitialised one */

rc_status rci_abi_read(void *dst, size_t dst_size, size_t v1, const void *src, const char *what)
{
    memset(dst, 0, dst_size);
    size_t n = 0;
    if (src) {
        memcpy(&n, src, sizeof(n));
        if (n < v1 || n > MAX_SIZE)
            return rci_fail(RC_ERR_ABI, "%s.size is %zu, expected %zu or more", what, n, v1);
        const unsigned char *tail = src;
        for (size_t i = dst_size; i < n; i++)
            if (tail[i])
                return rci_fail(RC_ERR_ABI, "%s sets a member this library does not know", what);
        memcpy(dst, src, n < dst_size ? n : dst_size);
    }
    memcpy(dst, &dst_size, sizeof(dst_size));
    return RC_OK;
}

rc_status rci_abi_write(void *dst, size_t v1, const void *src, size_t src_size, const char *what)
{
    size_t n;
    memcpy(&n, dst, sizeof(n));
    if (n < v1 || n > MAX_SIZE)
        return rci_fail(RC_ERR_ABI, "%s.size is %zu, expected %zu or more", what, n, v1);
    memset(dst, 0, n);
    memcpy(dst, src, n < src_size ? n : src_size);
    memcpy(dst, &n, sizeof(n));
    return RC_OK;
}
