#ifndef RC_LIB_IO_SHA1_H
#define RC_LIB_IO_SHA1_H
#include <stddef.h>
#include <stdint.h>

struct rci_sha1 {
    uint32_t h[5];
    uint64_t bytes;
    uint8_t block[64];
};
void rci_sha1_start(struct rci_sha1 *s);
void rci_sha1_add(struct rci_sha1 *s, const uint8_t *data, size_t size);
void rci_sha1_end(struct rci_sha1 *s, char *text); /* 40 lower-case digits and NUL */
#endif
