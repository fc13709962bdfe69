/* Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 },
 * Summary { repeated Value value = 1 }, Value { string tag = 1; float simple_value = 2 }: written
 * by hand, since a message has a handful of fields of fixed order. */
#include "train/events.h"
#include "base/crc32c.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TAG_MOST = 64, MESSAGE_MOST = 160 };
enum { WIRE_VARINT = 0, WIRE_DOUBLE = 1, WIRE_BYTES = 2, WIRE_FLOAT = 5 };

struct rci_events {
    FILE *file;
    char *path;
};

struct message {
    uint8_t data[MESSAGE_MOST];
    size_t size;
};

static void put_raw(struct message *m, const void *p, size_t n)
{
    memcpy(m->data + m->size, p, n);
    m->size += n;
}

static void put_varint(struct message *m, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        m->data[m->size++] = (uint8_t) (v | 128);
    m->data[m->size++] = (uint8_t) v;
}

static void put_field(struct message *m, uint32_t field, uint32_t wire)
{
    put_varint(m, field << 3 | wire);
}

static void put_bytes(struct message *m, uint32_t field, const void *p, size_t n)
{
    put_field(m, field, WIRE_BYTES);
    put_varint(m, n);
    put_raw(m, p, n);
}

static void put_time(struct message *m)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const double seconds = (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
    put_field(m, 1, WIRE_DOUBLE);
    put_raw(m, &seconds, sizeof(seconds));
}

/* Sums of sums are weak: the format rotates and shifts them. */
static uint32_t masked_crc(const void *p, size_t n)
{
    const uint32_t crc = rci_crc32c(0, p, n);
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static rc_status write_record(struct rci_events *e, const struct message *m)
{
    const uint64_t length = m->size;
    const uint32_t head = masked_crc(&length, sizeof(length)), body = masked_crc(m->data, m->size);
    if (fwrite(&length, sizeof(length), 1, e->file) == 1 &&
        fwrite(&head, sizeof(head), 1, e->file) == 1 && fwrite(m->data, m->size, 1, e->file) == 1 &&
        fwrite(&body, sizeof(body), 1, e->file) == 1)
        return RC_OK;
    return rci_fail(RC_ERR_IO, "%s: %s", e->path, strerror(errno));
}

static rc_status events_begin(struct rci_events *e, struct rc_context *c, const char *folder)
{
    static const char version[] = "brain.Event:2";
    struct message m = {.size = 0};
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return rci_fail(RC_ERR_IO, "%s: %s", folder, strerror(errno));
    e->path = rci_format(c, "%s/events.out.tfevents.%lld.%ld.rescomp", folder,
                         (long long) time(NULL), (long) getpid());
    if (!e->path)
        return RC_ERR_MEMORY;
    e->file = fopen(e->path, "abe");
    if (!e->file)
        return rci_fail(RC_ERR_IO, "%s: %s", e->path, strerror(errno));
    put_time(&m);
    put_bytes(&m, 3, version, sizeof(version) - 1);
    RC_TRY(write_record(e, &m));
    return rci_events_flush(e);
}

rc_status rci_events_open(struct rci_events **out, struct rc_context *c, const char *folder)
{
    struct rci_events *e = RC_NEW(c, struct rci_events);
    if (!e)
        return RC_ERR_MEMORY;
    const rc_status st = events_begin(e, c, folder);
    if (st != RC_OK) {
        rci_events_close(e);
        return st;
    }
    *out = e;
    return RC_OK;
}

rc_status rci_events_scalar(struct rci_events *e, const char *tag, uint64_t step, double value)
{
    struct message v = {.size = 0}, s = {.size = 0}, m = {.size = 0};
    const float number = (float) value;
    put_bytes(&v, 1, tag, strnlen(tag, TAG_MOST));
    put_field(&v, 2, WIRE_FLOAT);
    put_raw(&v, &number, sizeof(number));
    put_bytes(&s, 1, v.data, v.size);
    put_time(&m);
    put_field(&m, 2, WIRE_VARINT);
    put_varint(&m, step);
    put_bytes(&m, 5, s.data, s.size);
    return write_record(e, &m);
}

rc_status rci_events_flush(struct rci_events *e)
{
    if (fflush(e->file) == 0)
        return RC_OK;
    return rci_fail(RC_ERR_IO, "%s: %s", e->path, strerror(errno));
}

void rci_events_close(struct rci_events *e)
{
    if (!e)
        return;
    if (e->file)
        fclose(e->file);
    rci_release(e->path);
    rci_release(e);
}
