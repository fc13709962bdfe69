#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fuzz_broken(const char *where, const char *what)
{
    fprintf(stderr, "%s: not true: %s (last message: %s)\n", where, what, rc_last_error());
    abort();
}

struct rc_context *fuzz_context(void)
{
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    struct rc_context *c;
    o.max_memory = UINT64_C(1) << 29;
    o.threads = 1;
    FUZZ_CHECK(rc_context_new(&c, &o) == RC_OK);
    return c;
}

void fuzz_context_done(struct rc_context *c)
{
    uint64_t live;
    FUZZ_CHECK(rc_context_get_memory(c, &live, NULL) == RC_OK);
    FUZZ_CHECK(live == 0);
    rc_context_free(&c);
}

static char folder[64];

static void remove_folder(void)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d)))
        unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (folder[0])
        return folder;
    snprintf(folder, sizeof(folder), "%s/rescomp-fuzz.XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    FUZZ_CHECK(mkdtemp(folder) != NULL);
    atexit(remove_folder);
    return folder;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    static char text[8][256];
    static unsigned next;
    char *path = text[next++ % 8];
    snprintf(path, sizeof(text[0]), "%s/%s", fuzz_folder(), name);
    if (!data) {
        unlink(path);
        return path;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t) size && !close(fd));
    return path;
}

uint8_t fuzz_byte(struct fuzz_input *in)
{
    if (!in->size)
        return 0;
    in->size--;
    return *in->data++;
}

struct fuzz_input fuzz_piece(struct fuzz_input *in)
{
    const size_t low = fuzz_byte(in), want = low | (size_t) fuzz_byte(in) << 8;
    const struct fuzz_input piece = {in->data, want < in->size ? want : in->size};
    in->data += piece.size;
    in->size -= piece.size;
    return piece;
}
