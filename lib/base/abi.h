#ifndef RC_LIB_BASE_ABI_H
#define RC_LIB_BASE_ABI_H
#include "base/error.h"

/* Structs that cross the border begin with `size_t size`, the size that they have for the caller: a
 * whole number of words, `size` and one member at least. A struct grows at its end only, so a
 * shorter one is that of an older caller and a longer one that of a newer caller. */

/* Bring a caller's options to this build's layout.
 *   caller older:  the missing tail is 0 = default
 *   caller newer:  the unknown tail must be 0, else we would ignore a request
 * `src` may be NULL: all defaults. */
rc_status rci_abi_read(void *dst, size_t dst_size, const void *src, const char *what);

/* The other direction, for results: as much of `src` as the caller's struct can take, zeros behind
 * what this build knows. The caller has set `size` in `dst`. */
rc_status rci_abi_write(void *dst, const void *src, size_t src_size, const char *what);

/* Zeros in a result. RC_ERR_ABI for a size that no version of the struct has, which must not be
 * found after hours. */
rc_status rci_abi_clear(void *dst, const char *what);

/* RC_ERR_ABI for flags that are not in `known`. */
rc_status rci_abi_check_flags(uint64_t flags, uint64_t known, const char *what);

/* Tail padding would silently become a member of the next release. */
#define RC_ABI_NO_TAIL(type, last)                                                      \
    _Static_assert(sizeof(type) == offsetof(type, last) + sizeof(((type *) 0)->last) && \
                       sizeof(((type *) 0)->last) == 8,                                 \
                   #type " must end with an 8-byte member and have no tail padding")
#endif
