#ifndef RC_LIB_BASE_CRC32C_H
#define RC_LIB_BASE_CRC32C_H
/* CRC-32C (Castagnoli, RFC 3720 B.4): polynomial 0x1EDC6F41, reflected, start and end inverted. */
#include <stddef.h>
#include <stdint.h>

/* Of `data` behind what `crc` is the sum of; start with 0. */
uint32_t rci_crc32c(uint32_t crc, const void *data, size_t size);
/* The same by tables alone. */
uint32_t rci_crc32c_plain(uint32_t crc, const void *data, size_t size);
#endif
