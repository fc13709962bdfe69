/* ZIP: the end record (last 64 KiB) points at the central directory, whose entries point at local
 * headers, which are followed by the data. Sizes come from the central directory only. */
#include "data/zip.h"
#include "data/inflate.h"
#include <string.h>
#include <zlib.h>

enum { END_SIZE = 22, ENTRY_SIZE = 46, LOCAL_SIZE = 30 };

struct entry {
    uint16_t flags, method, name_size;
    uint32_t crc, packed, unpacked, local;
    const uint8_t *name;
};

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t) (p[0] | p[1] << 8);
}
static uint32_t le32(const uint8_t *p)
{
    return le16(p) | (uint32_t) le16(p + 2) << 16;
}

static const uint8_t *find_end(const struct rci_bytes *a)
{
    if (a->size < END_SIZE)
        return NULL;
    const size_t last = a->size - END_SIZE, first = last > 65535 ? last - 65535 : 0;
    for (size_t i = last + 1; i-- > first;)
        if (le32(a->data + i) == 0x06054B50 && i + END_SIZE + le16(a->data + i + 20) <= a->size)
            return a->data + i;
    return NULL;
}

/* Entry at `at`; *next is where the following one starts. false when it does not fit. */
static bool zip_read_entry(const struct rci_bytes *a, size_t at, struct entry *e, size_t *next)
{
    if (at > a->size || a->size - at < ENTRY_SIZE || le32(a->data + at) != 0x02014B50)
        return false;
    const uint8_t *p = a->data + at;
    *e = (struct entry){.flags = le16(p + 8),
                        .method = le16(p + 10),
                        .crc = le32(p + 16),
                        .packed = le32(p + 20),
                        .unpacked = le32(p + 24),
                        .name_size = le16(p + 28),
                        .local = le32(p + 42),
                        .name = p + ENTRY_SIZE};
    *next = at + ENTRY_SIZE + e->name_size + le16(p + 30) + le16(p + 32);
    return *next <= a->size;
}

static rc_status zip_find_entry(const struct rci_bytes *a, const char *path, const char *name,
                                struct entry *e, bool *found)
{
    const uint8_t *end = find_end(a);
    if (!end)
        return rci_fail(RC_ERR_FORMAT, "%s: not a zip archive, or its end is missing", path);
    size_t at = le32(end + 16);
    *found = false;
    for (uint32_t i = 0, n = le16(end + 10); i < n && !*found; i++) {
        size_t next;
        if (!zip_read_entry(a, at, e, &next))
            return rci_fail(RC_ERR_FORMAT, "%s: entry %u of %u of the zip directory is damaged",
                            path, i, n);
        *found = e->name_size == strlen(name) && memcmp(e->name, name, e->name_size) == 0;
        at = next;
    }
    return RC_OK;
}

static rc_status entry_data(const struct rci_bytes *a, const struct entry *e, const char *what,
                            const uint8_t **data)
{
    if (e->flags & 1)
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: encrypted", what);
    if (e->method != 0 && e->method != 8)
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: zip method %u, must be 0 or 8", what, e->method);
    if (e->packed == UINT32_MAX || e->unpacked == UINT32_MAX || e->local == UINT32_MAX)
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: zip64", what);
    if (e->local > a->size || a->size - e->local < LOCAL_SIZE ||
        le32(a->data + e->local) != 0x04034B50)
        return rci_fail(RC_ERR_FORMAT, "%s: local zip header is damaged", what);
    const uint8_t *p = a->data + e->local;
    const size_t start = (size_t) e->local + LOCAL_SIZE + le16(p + 26) + le16(p + 28);
    if (start > a->size || a->size - start < e->packed)
        return rci_fail(RC_ERR_TRUNCATED, "%s: %u bytes packed, the archive ends before", what,
                        e->packed);
    *data = a->data + start;
    return RC_OK;
}

static rc_status unpack(struct rc_context *c, const struct rci_bytes *a, const struct entry *e,
                        const char *what, struct rci_bytes *out)
{
    const uint8_t *data = NULL;
    RC_TRY(entry_data(a, e, what, &data));
    const bool honest =
        e->method == 0 ? e->packed == e->unpacked : rci_inflate_possible(e->packed, e->unpacked);
    if (!honest)
        return rci_fail(RC_ERR_FORMAT, "%s: %u bytes cannot unpack to %u", what, e->packed,
                        e->unpacked);
    if (!(out->data = rci_alloc(c, e->unpacked)))
        return RC_ERR_MEMORY;
    out->size = e->unpacked;
    if (e->method == 0)
        memcpy(out->data, data, e->unpacked);
    else
        RC_TRY(rci_inflate(c, RC_INFLATE_RAW, data, e->packed, out->data, out->size, true, what));
    const uint32_t crc = (uint32_t) crc32_z(0, out->data, out->size);
    if (crc != e->crc)
        return rci_fail(RC_ERR_FORMAT, "%s: checksum is %08x, must be %08x", what, crc, e->crc);
    return RC_OK;
}

rc_status rci_zip_read(struct rc_context *c, const struct rci_bytes *archive, const char *path,
                       const char *name, struct rci_bytes *out, bool *found)
{
    struct entry e = {0};
    *out = (struct rci_bytes){NULL, 0};
    RC_TRY(zip_find_entry(archive, path, name, &e, found));
    if (!*found)
        return RC_OK;
    char *what = rci_format(c, "%s: member %s", path, name);
    const rc_status st = what ? unpack(c, archive, &e, what, out) : RC_ERR_MEMORY;
    rci_release(what);
    if (st != RC_OK) {
        rci_release(out->data);
        *out = (struct rci_bytes){NULL, 0};
    }
    return st;
}
