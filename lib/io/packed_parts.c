/* Header and table of parts. Parts follow each other without gaps but for the zeros in front of one
 * that is aligned, and the last one ends with the file: no byte is without a checksum or a check.
 */
#include "io/packed_parts.h"

#include "base/crc32c.h"

#include <string.h>

const uint8_t rci_packed_magic[8] = {0x89, 'R', 'C', 'Z', '\r', '\n', 0x1a, '\n'};
const uint8_t rci_packed_order[4] = {1, 2, 3, 4};

bool rci_packed_begins(const uint8_t *data, size_t size)
{
    return size >= 4 && !memcmp(data, rci_packed_magic, 4);
}

rc_status rci_packed_read_at(const struct packed_file *p, uint64_t at, void *to, size_t size)
{
    if (at > p->size || size > p->size - at)
        return rci_fail(RC_ERR_TRUNCATED, "packed model: bytes %llu to %llu are beyond its end",
                        (unsigned long long) at, (unsigned long long) (at + size));
    if (p->file)
        return rci_file_read_at(p->file, at, to, size);
    memcpy(to, p->data + at, size);
    return RC_OK;
}

static rc_status header_check(struct packed_file *p, const uint8_t *h)
{
    static const uint8_t swapped[4] = {4, 3, 2, 1};
    const uint32_t major = rci_get32(h + 12) & 0xffff;
    p->minor = rci_get32(h + 12) >> 16;
    if (memcmp(h, rci_packed_magic, sizeof(rci_packed_magic)) != 0)
        return rci_fail(RC_ERR_FORMAT,
                        "packed model: its first bytes are damaged, as by copying it "
                        "as text");
    if (!memcmp(h + 8, swapped, 4))
        return rci_fail(RC_ERR_UNSUPPORTED, "packed model of the other byte order");
    if (memcmp(h + 8, rci_packed_order, 4) != 0)
        return rci_fail(RC_ERR_FORMAT, "packed model: the marker of its byte order is damaged");
    if (major != PACKED_MAJOR)
        return rci_fail(RC_ERR_UNSUPPORTED, "packed model of version %u.%u, known is %d", major,
                        p->minor, PACKED_MAJOR);
    const uint64_t size = rci_get64(h + 16);
    if (size != p->size)
        return rci_fail(size > p->size ? RC_ERR_TRUNCATED : RC_ERR_FORMAT,
                        "packed model of %llu bytes, its header says %llu",
                        (unsigned long long) p->size, (unsigned long long) size);
    p->n_parts = rci_get32(h + 24);
    if (p->n_parts < 2 || p->n_parts > PACKED_PARTS_MOST)
        return rci_fail(RC_ERR_LIMIT, "packed model of %u parts, allowed are 2 to %d", p->n_parts,
                        PACKED_PARTS_MOST);
    return RC_OK;
}

static rc_status zeros_check(const struct packed_file *p, uint64_t at, uint64_t to)
{
    uint8_t pad[PACKED_ALIGN], sum = 0;
    RC_TRY(rci_packed_read_at(p, at, pad, (size_t) (to - at)));
    for (uint64_t i = 0; i < to - at; i++)
        sum |= pad[i];
    return sum ? rci_fail(RC_ERR_FORMAT, "packed model: byte %llu to %llu must be 0",
                          (unsigned long long) at, (unsigned long long) to)
               : RC_OK;
}

/* One behind the other, and nothing else in the file. */
static rc_status parts_check(const struct packed_file *p)
{
    uint64_t at = PACKED_HEADER + (uint64_t) p->n_parts * PACKED_ENTRY;
    for (uint32_t i = 0; i < p->n_parts; i++) {
        const struct packed_part *s = &p->part[i];
        uint64_t begin = at;
        if (s->kind == PART_RAW)
            begin = (at + PACKED_ALIGN - 1) / PACKED_ALIGN * PACKED_ALIGN;
        if (s->offset != begin)
            return rci_fail(RC_ERR_FORMAT,
                            "packed model: part %u begins at byte %llu, must at %llu", i,
                            (unsigned long long) s->offset, (unsigned long long) begin);
        if (begin > p->size || s->size > p->size - begin)
            return rci_fail(RC_ERR_FORMAT,
                            "packed model: part %u of %llu bytes from %llu on ends behind the file",
                            i, (unsigned long long) s->size, (unsigned long long) begin);
        if (s->flags & ~(uint32_t) PART_REQUIRED)
            return rci_fail(RC_ERR_FORMAT, "packed model: flags %u of part %u", s->flags, i);
        if ((s->kind < PART_GRAPH || s->kind > PART_RAW) && s->flags & PART_REQUIRED)
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "packed model: part %u is of kind %u, which a later version knows", i,
                            s->kind);
        RC_TRY(zeros_check(p, at, begin));
        at = begin + s->size;
    }
    return at == p->size ? RC_OK
                         : rci_fail(RC_ERR_FORMAT, "packed model: %llu bytes behind its last part",
                                    (unsigned long long) (p->size - at));
}

static rc_status open_parts(struct packed_file *p, uint8_t *head)
{
    const size_t table = (size_t) p->n_parts * PACKED_ENTRY;
    RC_TRY(rci_packed_read_at(p, 0, head, PACKED_HEADER + table));
    const uint32_t want = rci_get32(head + 28);
    rci_set32(head + 28, 0);
    if (rci_crc32c(0, head, PACKED_HEADER + table) != want)
        return rci_fail(RC_ERR_FORMAT, "packed model: its header is damaged (checksum)");
    p->part = rci_alloc_array(p->ctx, p->n_parts, sizeof(*p->part));
    if (!p->part)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < p->n_parts; i++) {
        const uint8_t *e = head + PACKED_HEADER + (size_t) i * PACKED_ENTRY;
        p->part[i] = (struct packed_part){rci_get32(e) & 0xffff, rci_get32(e) >> 16,
                                          rci_get32(e + 4), rci_get64(e + 8), rci_get64(e + 16)};
    }
    RC_TRY(parts_check(p));
    for (uint32_t i = 0; i < p->n_parts; i++) {
        const uint8_t *at;
        void *own = NULL;
        if (p->part[i].kind >= PART_GRAPH && p->part[i].kind <= PART_RAW)
            continue;
        RC_TRY(rci_packed_fetch(p, i, &at, &own)); /* not used, but no damage goes unseen */
        rci_release(own);
    }
    return RC_OK;
}

rc_status rci_packed_open(struct packed_file *p)
{
    uint8_t header[PACKED_HEADER];
    if (p->size < PACKED_HEADER)
        return rci_fail(RC_ERR_TRUNCATED, "packed model of %llu bytes, its header alone has %d",
                        (unsigned long long) p->size, PACKED_HEADER);
    RC_TRY(rci_packed_read_at(p, 0, header, sizeof(header)));
    RC_TRY(header_check(p, header));
    uint8_t *head = NULL;
    if (p->n_parts <= (p->size - PACKED_HEADER) / PACKED_ENTRY)
        head = rci_alloc(p->ctx, PACKED_HEADER + (size_t) p->n_parts * PACKED_ENTRY);
    else
        return rci_fail(RC_ERR_TRUNCATED, "packed model of %llu bytes with %u parts",
                        (unsigned long long) p->size, p->n_parts);
    const rc_status st = head ? open_parts(p, head) : RC_ERR_MEMORY;
    rci_release(head);
    if (st != RC_OK)
        rci_packed_close(p);
    return st;
}

void rci_packed_close(struct packed_file *p)
{
    rci_release(p->part);
    p->part = NULL;
}

rc_status rci_packed_check(const struct packed_file *p, uint32_t part, const uint8_t *bytes)
{
    if (rci_crc32c(0, bytes, (size_t) p->part[part].size) == p->part[part].crc)
        return RC_OK;
    return rci_fail(RC_ERR_FORMAT, "packed model: part %u is damaged (checksum)", part);
}

rc_status rci_packed_fetch(const struct packed_file *p, uint32_t part, const uint8_t **at,
                           void **own)
{
    const struct packed_part *s = &p->part[part];
    *own = NULL;
    if (p->file) {
        if (!(*own = rci_alloc(p->ctx, (size_t) s->size)))
            return RC_ERR_MEMORY;
        *at = *own;
        const rc_status st = rci_packed_read_at(p, s->offset, *own, (size_t) s->size);
        if (st != RC_OK) {
            rci_release(*own);
            *own = NULL;
            return st;
        }
    } else {
        *at = p->data + s->offset;
    }
    const rc_status st = rci_packed_check(p, part, *at);
    if (st != RC_OK) {
        rci_release(*own);
        *own = NULL;
    }
    return st;
}

rc_status rci_packed_find(const struct packed_file *p, uint32_t kind, const char *what,
                          uint32_t *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_parts; i++)
        if (p->part[i].kind == kind) {
            *out = i;
            n++;
        }
    return n == 1 ? RC_OK
                  : rci_fail(RC_ERR_FORMAT, "packed model: %u parts are %s, must be 1", n, what);
}

struct packed_type rci_packed_type(int32_t onnx)
{
    static const struct packed_type known[] = {
        [ONNX_FLOAT] = {32, 0, true},    [ONNX_UINT8] = {8, 0, false},
        [ONNX_INT8] = {8, 0x80, false},  [ONNX_INT32] = {32, 0, false},
        [ONNX_INT64] = {64, 0, false},   [ONNX_BOOL] = {8, 0, false},
        [ONNX_FLOAT16] = {16, 0, true},  [ONNX_DOUBLE] = {64, 0, true},
        [ONNX_BFLOAT16] = {16, 0, true}, [ONNX_UINT4] = {4, 0, false},
        [ONNX_INT4] = {4, 8, false},     [ONNX_UINT2] = {2, 0, false},
        [ONNX_INT2] = {2, 2, false},
    };
    if (onnx < 0 || onnx >= (int32_t) (sizeof(known) / sizeof(known[0])))
        return (struct packed_type){0};
    return known[onnx];
}

struct rci_elements rci_packed_elements(const struct packed_type *type, size_t count, size_t dim0)
{
    return (struct rci_elements){
        .count = count,
        .width = type->bits < 8 ? 1 : type->bits / 8u,
        .rows = dim0 && count % dim0 == 0 ? (uint32_t) dim0 : 1,
        .real = type->real,
        .sign_bit = type->sign_bit,
    };
}

void rci_packed_spread(uint8_t *to, const uint8_t *from, size_t count, uint32_t bits)
{
    const uint32_t each = 8 / bits;
    for (size_t i = 0; i < count; i++)
        to[i] = from[i / each] >> i % each * bits & ((1u << bits) - 1);
}

rc_status rci_packed_join(uint8_t *to, const uint8_t *from, size_t count, uint32_t bits)
{
    const uint32_t each = 8 / bits;
    uint8_t over = 0;
    memset(to, 0, (count + each - 1) / each);
    for (size_t i = 0; i < count; i++) {
        over |= from[i] >> bits;
        to[i / each] |= (uint8_t) (from[i] << i % each * bits);
    }
    return over ? rci_fail(RC_ERR_FORMAT, "an element has more than %u bits", bits) : RC_OK;
}
