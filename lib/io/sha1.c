/* SHA-1 (FIPS 180-4), which ONNX names as the checksum of external data: against damage, not
 * against malice. */
#include "io/sha1.h"

#include <string.h>

static uint32_t rotated(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

/* One block of 64 bytes, big-endian words; k changes every 20 rounds, and so does the function. */
static void sha1_block(uint32_t *h, const uint8_t *p)
{
    static const uint32_t k[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80], v[5];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t) p[4 * i] << 24 | (uint32_t) p[4 * i + 1] << 16 |
               (uint32_t) p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    memcpy(v, h, sizeof(v));
    for (int i = 0; i < 80; i++) {
        const uint32_t choice = v[3] ^ (v[1] & (v[2] ^ v[3]));
        const uint32_t parity = v[1] ^ v[2] ^ v[3];
        const uint32_t majority = (v[1] & v[2]) | (v[3] & (v[1] | v[2]));
        const uint32_t f = i < 20 ? choice : i >= 40 && i < 60 ? majority : parity;
        const uint32_t next = rotated(v[0], 5) + f + v[4] + k[i / 20] + w[i];
        v[4] = v[3];
        v[3] = v[2];
        v[2] = rotated(v[1], 30);
        v[1] = v[0];
        v[0] = next;
    }
    for (int i = 0; i < 5; i++)
        h[i] += v[i];
}

void rci_sha1_start(struct rci_sha1 *s)
{
    static const uint32_t start[] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    *s = (struct rci_sha1){0};
    memcpy(s->h, start, sizeof(s->h));
}

void rci_sha1_add(struct rci_sha1 *s, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size;) {
        const size_t used = s->bytes % sizeof(s->block), room = sizeof(s->block) - used;
        const size_t n = size - i < room ? size - i : room;
        memcpy(s->block + used, data + i, n);
        s->bytes += n;
        i += n;
        if (n == room)
            sha1_block(s->h, s->block);
    }
}

void rci_sha1_end(struct rci_sha1 *s, char *text)
{
    static const uint8_t padding[64] = {0x80};
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t) (s->bytes * 8 >> (56 - 8 * i));
    /* 0x80 and zeros up to 8 bytes before the end of a block, then the length in bits */
    rci_sha1_add(s, padding, 1 + (119 - s->bytes % 64) % 64);
    rci_sha1_add(s, length, sizeof(length));
    for (int i = 0; i < 40; i++)
        text[i] = "0123456789abcdef"[s->h[i / 8] >> (28 - i % 8 * 4) & 15];
    text[40] = '\0';
}
