/* crc' = table[(crc ^ byte) & 255] ^ crc >> 8, eight bytes at a time; the processor's own
 * instruction where it has one. */
#include "base/crc32c.h"

#include <pthread.h>
#include <string.h>

static const uint32_t POLYNOMIAL = 0x82f63b78u; /* reflected */
static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_make(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
}

uint32_t rci_crc32c_plain(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *p = data;
    pthread_once(&table_once, table_make);
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        const uint32_t low = crc ^ ((uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 |
                                    (uint32_t) p[3] << 24);
        crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^
              table[4][low >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
              table[0][p[7]];
    }
    for (; size; size--)
        crc = table[0][(crc ^ *p++) & 255] ^ crc >> 8;
    return ~crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc_instruction(uint32_t crc, const uint8_t *p,
                                                                  size_t size)
{
    uint64_t c = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        c = _mm_crc32_u64(c, word);
    }
    for (; size; size--)
        c = _mm_crc32_u8((uint32_t) c, *p++);
    return ~(uint32_t) c;
}

uint32_t rci_crc32c(uint32_t crc, const void *data, size_t size)
{
    return __builtin_cpu_supports("sse4.2") ? crc_instruction(crc, data, size)
                                            : rci_crc32c_plain(crc, data, size);
}
#else
uint32_t rci_crc32c(uint32_t crc, const void *data, size_t size)
{
    return rci_crc32c_plain(crc, data, size);
}
#endif
