#ifndef RC_LIB_BASE_ABI_H
#define RC_LIB_BASE_ABI_H
#include "base/error.h"

/* Bring a caller's size-first struct to this build's layout.
 *   caller older:  missing tail stays 0 = default
 *   caller newer:  unknown tail must be 0, else we would ignore a request
 * `v1` is the size the struct had in its first release. `src` may be NULL. */
rc_status rci_abi_read(void *dst, size_t dst_size, size_t v1, const void *src, const char *what);

/* The other direction, for result structs: copy as much of `src` as the caller's
 * struct (its `size` member already read into `dst->size`) can take. */
rc_status rci_abi_write(void *dst, size_t v1, const void *src, size_t src_size, const char *what);

/* Tail padding would silently become a member of the next release. */
#define RC_ABI_NO_TAIL(type, last)                                                      \
    _Static_assert(sizeof(type) == offsetof(type, last) + sizeof(((type *) 0)->last) && \
                       sizeof(((type *) 0)->last) == 8,                                 \
                   #type " must end with an 8-byte member and have no tail padding")
#endif
