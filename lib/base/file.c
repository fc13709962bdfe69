#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static rc_status io_error(const char *path, const char *doing)
{
    const int e = errno;
    const bool path_error = e == ENOENT || e == EACCES || e == ENAMETOOLONG || e == ENOTDIR ||
                            e == ELOOP || e == EPERM || e == EROFS;
    return rci_fail(path_error ? RC_ERR_PATH : RC_ERR_IO, "%s: cannot %s: %s", path, doing,
                    strerror(e));
}

static int file_open_fd(const char *path, int flags)
{
    int fd;
    do {
        fd = open(path, flags);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static int file_sync(int fd)
{
    int result;
    do {
        result = fsync(fd);
    } while (result && errno == EINTR);
    return result;
}

static ssize_t read_some(int fd, void *at, size_t n)
{
    ssize_t got;
    do {
        got = read(fd, at, n);
    } while (got < 0 && errno == EINTR);
    return got;
}

/* Memory is taken in steps as data arrives, so a lying size cannot make us allocate. */
static rc_status file_read_all(struct rc_context *c, int fd, const char *path, size_t size,
                               struct rci_bytes *out)
{
    out->data = rci_alloc(c, size ? size : 1);
    if (!out->data)
        return rci_fail_prefix(RC_ERR_MEMORY, "%s", path);
    while (out->size < size) {
        const ssize_t got = read_some(fd, out->data + out->size, size - out->size);
        if (got < 0)
            return io_error(path, "read");
        if (got == 0)
            return rci_fail(RC_ERR_IO, "%s: shrank to %zu bytes while reading", path, out->size);
        out->size += (size_t) got;
    }
    uint8_t extra;
    if (read_some(fd, &extra, 1) > 0)
        return rci_fail(RC_ERR_IO, "%s: grew beyond %zu bytes while reading", path, size);
    return RC_OK;
}

static rc_status check_open(struct rci_file *f, uint64_t limit)
{
    struct stat s;
    if (fstat(f->fd, &s))
        return io_error(f->path, "stat");
    if (!S_ISREG(s.st_mode))
        return rci_fail(RC_ERR_IO, "%s: not a regular file", f->path);
    if ((uint64_t) s.st_size > limit)
        return rci_fail(RC_ERR_LIMIT, "%s: %lld bytes, allowed are %llu", f->path,
                        (long long) s.st_size, (unsigned long long) limit);
    f->size = (uint64_t) s.st_size;
    return RC_OK;
}

rc_status rci_file_open(struct rci_file *out, struct rc_context *c, const char *path,
                        uint64_t limit)
{
    /* O_NONBLOCK: opening a FIFO without a writer must not hang */
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    *out = (struct rci_file){file_open_fd(path, flags), 0, path};
    if (out->fd < 0)
        return io_error(path, "open");
    const rc_status st = check_open(out, limit ? limit : c->o.max_file_bytes);
    if (st != RC_OK)
        rci_file_close(out);
    return st;
}

rc_status rci_file_read_at(const struct rci_file *f, uint64_t at, void *to, size_t size)
{
    uint8_t *p = to;
    while (size) {
        const ssize_t n = pread(f->fd, p, size, (off_t) at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(f->path, "read");
        if (n == 0)
            return rci_fail(RC_ERR_IO, "%s: shrank to %llu bytes while reading", f->path,
                            (unsigned long long) at);
        p += n;
        at += (uint64_t) n;
        size -= (size_t) n;
    }
    return RC_OK;
}

void rci_file_close(struct rci_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

rc_status rci_file_read(struct rc_context *c, const char *path, uint64_t limit,
                        struct rci_bytes *out)
{
    struct rci_file f;
    *out = (struct rci_bytes){NULL, 0};
    RC_TRY(rci_file_open(&f, c, path, limit));
    const rc_status st = file_read_all(c, f.fd, path, (size_t) f.size, out);
    rci_file_close(&f);
    if (st != RC_OK) {
        rci_release(out->data);
        *out = (struct rci_bytes){NULL, 0};
    }
    return st;
}

static rc_status write_all(int fd, const char *path, const uint8_t *data, size_t size)
{
    while (size) {
        const ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(path, "write");
        data += n;
        size -= (size_t) n;
    }
    return file_sync(fd) ? io_error(path, "flush") : RC_OK;
}

/* Descriptor of the folder of `path`; negative with errno set. */
static int open_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t) (slash - path) : 0;
    if (n >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, path, n);
    folder[n] = '\0';
    return file_open_fd(!slash ? "." : n ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

rc_status rci_file_check_folder(const char *path)
{
    const int fd = open_folder(path);
    if (fd < 0)
        return io_error(path, "open the folder");
    const rc_status st = faccessat(fd, ".", W_OK | X_OK, 0) ? io_error(path, "create") : RC_OK;
    close(fd);
    return st;
}

int rci_file_lock(const char *path)
{
    enum { TRIES = 200, PAUSE_US = 10000 };
    const int fd = open_folder(path);
    for (int i = 0; fd >= 0 && i < TRIES; i++) {
        if (!flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
            break;
        usleep(PAUSE_US);
    }
    return fd;
}

void rci_file_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

/* The new name is on disk only after the folder is. A folder that cannot be opened for reading
 * is no reason to fail: the file itself is complete. */
static void sync_folder(const char *path)
{
    const int fd = open_folder(path);
    if (fd < 0)
        return;
    (void) !file_sync(fd);
    close(fd);
}

/* Permissions of the file that is replaced, or what the umask leaves of rw-rw-rw-. */
static mode_t wanted_mode(const char *path)
{
    struct stat s;
    if (stat(path, &s) == 0 && S_ISREG(s.st_mode))
        return s.st_mode & 0777;
    const mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

rc_status rci_file_write(struct rc_context *c, const char *path, const void *data, size_t size)
{
    struct stat s;
    if (stat(path, &s) == 0 && !S_ISREG(s.st_mode))
        return rci_fail(RC_ERR_IO, "%s: exists and is not a regular file", path);
    char *temporary = rci_format(c, "%s.XXXXXX", path);
    if (!temporary)
        return RC_ERR_MEMORY;
    rc_status st = RC_OK;
    const int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        st = io_error(path, "create");
        goto out;
    }
    st = write_all(fd, path, data, size);
    if (st == RC_OK && fchmod(fd, wanted_mode(path)))
        st = io_error(path, "set the mode");
    if (close(fd) && st == RC_OK)
        st = io_error(path, "close");
    if (st == RC_OK && rename(temporary, path))
        st = io_error(path, "rename");
    if (st == RC_OK)
        sync_folder(path);
    else
        unlink(temporary);
out:
    rci_release(temporary);
    return st;
}

rc_status rci_buffer_append(struct rci_buffer *b, const void *data, size_t size)
{
    size_t needed;
    if (!rci_add_size(b->size, size, &needed))
        return rci_fail(RC_ERR_MEMORY, "out of memory: buffer of %zu + %zu bytes", b->size, size);
    if (needed > b->capacity) {
        const size_t wanted = needed > b->capacity * 2 ? needed + 256 : b->capacity * 2;
        uint8_t *grown = rci_alloc(b->ctx, wanted);
        if (!grown)
            return RC_ERR_MEMORY;
        if (b->size)
            memcpy(grown, b->data, b->size);
        rci_release(b->data);
        b->data = grown;
        b->capacity = wanted;
    }
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size = needed;
    return RC_OK;
}

rc_status rci_buffer_printf(struct rci_buffer *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    char *text = n < 0 ? NULL : rci_alloc(b->ctx, (size_t) n + 1);
    if (text)
        vsnprintf(text, (size_t) n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    const rc_status st = text ? rci_buffer_append(b, text, (size_t) n) : RC_ERR_MEMORY;
    rci_release(text);
    return st;
}

void rci_buffer_free(struct rci_buffer *b)
{
    rci_release(b->data);
    b->data = NULL;
    b->size = b->capacity = 0;
}
