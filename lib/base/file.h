#ifndef RC_LIB_BASE_FILE_H
#define RC_LIB_BASE_FILE_H
/* Whole-file reading and atomic writing. */
#include "base/context.h"

struct rc_bytes {
    uint8_t *data;
    size_t size;
}; /* data from rc_alloc */

/* A regular file open for reading in places. */
struct rc_file {
    int fd;
    uint64_t size;
    const char *path; /* borrowed */
};
/* What rc_file_read() refuses is refused here too. */
rc_status rc_file_open(struct rc_file *out, struct rc_context *c, const char *path, uint64_t limit);
/* All of [at, at + size); RC_ERR_IO when the file ends before. */
rc_status rc_file_read_at(const struct rc_file *f, uint64_t at, void *to, size_t size);
void rc_file_close(struct rc_file *f);

/* Read a regular file of at most `limit` bytes (0: the context's max_file_bytes). FIFOs, devices,
 * directories are refused without blocking; EINTR and short reads are handled; a file that
 * grows or shrinks meanwhile is RC_ERR_IO. Errors name the path. */
rc_status rc_file_read(struct rc_context *c, const char *path, uint64_t limit,
                       struct rc_bytes *out);

/* Write to a temporary file beside `path`, fsync, rename over it, fsync the folder: readers see
 * the old or the new file, never half. The temporary file is removed on failure. */
rc_status rc_file_write(struct rc_context *c, const char *path, const void *data, size_t size);

/* RC_OK when a file could be made in the folder of `path`. */
rc_status rc_file_check_folder(const char *path);

/* Keep others who ask likewise from changing `path` by locking its folder. Waits two seconds at
 * most, then and where folders cannot be locked goes on without: rc_file_write() is atomic. */
int rc_file_lock(const char *path);
void rc_file_unlock(int lock);

/* For writers that produce bytes piece by piece: append to memory, then rc_file_write. */
struct rc_buffer {
    struct rc_context *ctx;
    uint8_t *data;
    size_t size, capacity;
};
rc_status rc_buffer_append(struct rc_buffer *b, const void *data, size_t size);
rc_status rc_buffer_printf(struct rc_buffer *b, const char *fmt, ...) RC_PRINTF(2, 3);
void rc_buffer_free(struct rc_buffer *b);

uint64_t rc_clock_ns(void); /* monotonic */
#endif
