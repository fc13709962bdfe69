/* The linker sends calls of NAME to __wrap_NAME, and __real_NAME is the C library's. With glibc the
 * calls for files of any size have names that end in 64. */
#include "iofault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

const char *const io_fault_names[IO_FAULT_KINDS] = {
    "EACCES", "growth", "EIO", "ENOSPC", "EINTR", "a short count", "an early end"};

static struct {
    bool armed, met;
    enum io_fault kind;
    uint32_t left;
    const char *call;
    int open;
} now;

void io_fault_arm(enum io_fault kind, uint32_t at)
{
    now.armed = true;
    now.met = false;
    now.kind = kind;
    now.left = at;
    now.call = "";
}

bool io_fault_disarm(const char **call)
{
    now.armed = false;
    if (call)
        *call = now.call;
    return now.met;
}

int io_fault_open_count(void)
{
    return now.open;
}

enum {
    READS = 1,
    WRITES = 2,
    MAKES = 4,
    RESTARTS = 8,
    OPENS = 16,
    SIZES = 32
}; /* what a call does */

static bool applies(unsigned does)
{
    switch (now.kind) {
    case IO_FAULT_ENOSPC:
        return does & (WRITES | MAKES);
    case IO_FAULT_EINTR:
        return does & RESTARTS;
    case IO_FAULT_SHORT:
        return (does & (READS | WRITES)) != 0;
    case IO_FAULT_ENDED:
        return does & READS;
    case IO_FAULT_EACCES:
        return does & OPENS;
    case IO_FAULT_GREW:
        return does & SIZES;
    default:
        return true;
    }
}

/* Is this the call that meets the fault? Then errno is set. */
static bool meets(const char *call, unsigned does)
{
    if (!now.armed || now.met || !applies(does) || now.left-- > 0)
        return false;
    now.met = true;
    now.call = call;
    errno = now.kind == IO_FAULT_ENOSPC   ? ENOSPC
            : now.kind == IO_FAULT_EINTR  ? EINTR
            : now.kind == IO_FAULT_EACCES ? EACCES
                                          : EIO;
    return true;
}

/* Result of a read or write of `n` bytes that meets the fault; *n is how many to ask for when the
 * result is 1. */
static ssize_t transfer(size_t *n)
{
    if (now.kind == IO_FAULT_ENDED)
        return 0;
    if (now.kind != IO_FAULT_SHORT)
        return -1;
    *n = *n ? 1 : 0;
    return 1;
}

static int opened(int fd)
{
    now.open += fd >= 0;
    return fd;
}

/* Starts the definition of __wrap_NAME, behind declarations of it and of __real_NAME. */
#define WRAP_NAMED(type, real, wrap, ...) \
    type real(__VA_ARGS__);               \
    type wrap(__VA_ARGS__);               \
    type wrap(__VA_ARGS__)
#define WRAP(type, name, ...) WRAP_NAMED(type, __real_##name, __wrap_##name, __VA_ARGS__)
#if defined(__GLIBC__) && defined(_FILE_OFFSET_BITS) && _FILE_OFFSET_BITS == 64
#define REAL64(name) __real_##name##64
#define WRAP64(type, name, ...) WRAP_NAMED(type, __real_##name##64, __wrap_##name##64, __VA_ARGS__)
#else
#define REAL64(name) __real_##name
#define WRAP64(type, name, ...) WRAP(type, name, __VA_ARGS__)
#endif

WRAP64(int, open, const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    const int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
    va_end(ap);
    return meets("open", RESTARTS | OPENS) ? -1 : opened(REAL64(open)(path, flags, mode));
}

WRAP64(int, mkostemp, char *path, int flags)
{
    return meets("mkostemp", MAKES | OPENS) ? -1 : opened(REAL64(mkostemp)(path, flags));
}

/* As Linux does, a close that fails has closed. */
WRAP(int, close, int fd)
{
    now.open--;
    const int result = __real_close(fd);
    return meets("close", MAKES) ? -1 : result;
}

WRAP(ssize_t, read, int fd, void *to, size_t n)
{
    if (!meets("read", READS | RESTARTS))
        return __real_read(fd, to, n);
    const ssize_t got = transfer(&n);
    return got > 0 ? __real_read(fd, to, n) : got;
}

WRAP64(ssize_t, pread, int fd, void *to, size_t n, off_t at)
{
    if (!meets("pread", READS | RESTARTS))
        return REAL64(pread)(fd, to, n, at);
    const ssize_t got = transfer(&n);
    return got > 0 ? REAL64(pread)(fd, to, n, at) : got;
}

WRAP(ssize_t, write, int fd, const void *from, size_t n)
{
    if (!meets("write", WRITES | RESTARTS))
        return __real_write(fd, from, n);
    const ssize_t put = transfer(&n);
    return put > 0 ? __real_write(fd, from, n) : put;
}

WRAP(int, fsync, int fd)
{
    return meets("fsync", MAKES | RESTARTS) ? -1 : __real_fsync(fd);
}

WRAP(int, fchmod, int fd, mode_t mode)
{
    return meets("fchmod", 0) ? -1 : __real_fchmod(fd, mode);
}

WRAP(int, rename, const char *from, const char *to)
{
    return meets("rename", MAKES) ? -1 : __real_rename(from, to);
}

WRAP64(int, stat, const char *path, struct stat *s)
{
    return meets("stat", 0) ? -1 : REAL64(stat)(path, s);
}

WRAP64(int, fstat, int fd, struct stat *s)
{
    const int result = REAL64(fstat)(fd, s);
    if (!meets("fstat", SIZES))
        return result;
    s->st_size--;
    return now.kind == IO_FAULT_GREW ? result : -1;
}

WRAP64(int, fstatat, int at, const char *path, struct stat *s, int flags)
{
    return meets("fstatat", 0) ? -1 : REAL64(fstatat)(at, path, s, flags);
}

WRAP(int, access, const char *path, int mode)
{
    return meets("access", 0) ? -1 : __real_access(path, mode);
}

WRAP(DIR *, opendir, const char *path)
{
    return meets("opendir", OPENS) ? NULL : __real_opendir(path);
}

WRAP64(struct dirent *, readdir, DIR *d)
{
    return meets("readdir", 0) ? NULL : REAL64(readdir)(d);
}
