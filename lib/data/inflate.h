#ifndef RC_LIB_DATA_INFLATE_H
#define RC_LIB_DATA_INFLATE_H
/* Bounded decompression: the output size is known before, never discovered. */
#include "base/context.h"

enum rci_inflate_format { RC_INFLATE_RAW = -15, RC_INFLATE_GZIP = 31 }; /* zlib's windowBits */

/* Fill `out` exactly. With `whole` the stream must end there, checksum included; without, the rest
 * is not looked at. `what` (a file or member) starts every message. */
rc_status rci_inflate(struct rc_context *c, enum rci_inflate_format format, const uint8_t *in,
                      size_t in_size, uint8_t *out, size_t out_size, bool whole, const char *what);

/* deflate cannot expand more than 1032 times: false tells that a size is a lie before
 * memory is taken for it. */
bool rci_inflate_possible(uint64_t in_size, uint64_t out_size);
#endif
