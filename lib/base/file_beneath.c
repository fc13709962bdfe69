/* Opening a file that another file names: it must lie in a given folder, whatever links, names and
 * races say. Each component is opened relative to the one before and none may be a symbolic link.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCATION_MOST = 1024 };

/* "weights/part.bin": components separated by single slashes, none "." or "..". */
static rc_status location_check(const char *location)
{
    const size_t n = strlen(location);
    if (!n || n > LOCATION_MOST)
        return rci_fail(RC_ERR_PATH, "location of %zu bytes, allowed are 1..%d", n, LOCATION_MOST);
    if (location[0] == '/' || strchr(location, '\\') || (n > 1 && location[1] == ':'))
        return rci_fail(RC_ERR_PATH, "location \"%.200s\" is not relative", location);
    for (const char *at = location; at; at = strchr(at, '/')) {
        at += at != location;
        const size_t length = strcspn(at, "/");
        if (!length || !strncmp(at, "..", length > 2 ? length : 2) || (length == 1 && *at == '.'))
            return rci_fail(RC_ERR_PATH, "location \"%.200s\" leaves the model's folder", location);
    }
    return RC_OK;
}

static int open_at(int folder, const char *name, int flags)
{
    int fd;
    do {
        fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Folders on the way; takes over `folder`. */
static int open_components(int folder, const char *location, int flags)
{
    char name[LOCATION_MOST + 1];
    for (const char *slash; folder >= 0 && (slash = strchr(location, '/')); location = slash + 1) {
        memcpy(name, location, (size_t) (slash - location));
        name[slash - location] = '\0';
        const int next = open_at(folder, name, O_PATH | O_DIRECTORY);
        const int saved = errno;
        close(folder);
        errno = saved;
        folder = next;
    }
    if (folder < 0)
        return folder;
    const int fd = open_at(folder, location, flags);
    const int saved = errno;
    close(folder);
    errno = saved;
    return fd;
}

static rc_status check_plain(const struct rci_file *f, struct stat *s)
{
    if (fstat(f->fd, s))
        return rci_fail(RC_ERR_IO, "\"%.200s\": cannot stat: %s", f->path, strerror(errno));
    if (!S_ISREG(s->st_mode))
        return rci_fail(RC_ERR_PATH, "\"%.200s\" is not a regular file", f->path);
    if (s->st_nlink > 1)
        return rci_fail(RC_ERR_PATH, "\"%.200s\" is a hard link", f->path);
    return RC_OK;
}

rc_status rci_file_open_beneath(struct rci_file *out, const char *folder, const char *location)
{
    struct stat s;
    *out = (struct rci_file){-1, 0, location};
    RC_TRY(location_check(location));
    const int base = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    out->fd = open_components(base, location, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (out->fd < 0)
        return rci_fail(RC_ERR_PATH, "\"%.200s\": cannot open: %s", location,
                        errno == ELOOP ? "a symbolic link" : strerror(errno));
    const rc_status st = check_plain(out, &s);
    if (st != RC_OK)
        rci_file_close(out);
    else
        out->size = (uint64_t) s.st_size;
    return st;
}
