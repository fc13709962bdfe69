#ifndef RC_LIB_BASE_FILE_H
#define RC_LIB_BASE_FILE_H
/* Whole-file reading and atomic writing. */
#include "base/context.h"

struct rci_bytes {
    uint8_t *data;
    size_t size;
}; /* data from rci_alloc */

/* A regular file open for reading in places. */
struct rci_file {
    int fd;
    uint64_t size;
    const char *path; /* borrowed */
};
/* What rci_file_read() refuses is refused here too. */
rc_status rci_file_open(struct rci_file *out, struct rc_context *c, const char *path,
                        uint64_t limit);
/* A file that a file in `folder` names. RC_ERR_PATH: absolute, with "." or "..", a symbolic or hard
 * link anywhere on the way, no regular file. `location` is borrowed as the path. */
rc_status rci_file_open_beneath(struct rci_file *out, const char *folder, const char *location);
/* All of [at, at + size); RC_ERR_IO when the file ends before. */
rc_status rci_file_read_at(const struct rci_file *f, uint64_t at, void *to, size_t size);
void rci_file_close(struct rci_file *f);

/* Read a regular file of at most `limit` bytes (0: the context's max_file_bytes). FIFOs, devices,
 * directories are refused without blocking; EINTR and short reads are handled; a file that
 * grows or shrinks meanwhile is RC_ERR_IO. Errors name the path. */
rc_status rci_file_read(struct rc_context *c, const char *path, uint64_t limit,
                        struct rci_bytes *out);

/* Write to a temporary file beside `path`, fsync, rename over it, fsync the folder: readers see
 * the old or the new file, never half. The temporary file is removed on failure. */
rc_status rci_file_write(struct rc_context *c, const char *path, const void *data, size_t size);

/* RC_OK when a file could be made in the folder of `path`. */
rc_status rci_file_check_folder(const char *path);

/* Keep others who ask likewise from changing `path` by locking its folder. Waits two seconds at
 * most, then and where folders cannot be locked goes on without: rci_file_write() is atomic. */
int rci_file_lock(const char *path);
void rci_file_unlock(int lock);

/* For writers that produce bytes piece by piece: append to memory, then rci_file_write. */
struct rci_buffer {
    struct rc_context *ctx;
    uint8_t *data;
    size_t size, capacity;
};
rc_status rci_buffer_append(struct rci_buffer *b, const void *data, size_t size);
rc_status rci_buffer_printf(struct rci_buffer *b, const char *fmt, ...) RC_PRINTF(2, 3);
void rci_buffer_free(struct rci_buffer *b);

uint64_t rci_clock_ns(void); /* monotonic */
#endif
