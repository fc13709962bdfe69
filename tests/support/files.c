#include "files.h"
#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *scratch_folder(void)
{
    static char path[256];
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/rescomp-test.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *f)
{
    (void) s;
    (void) kind;
    (void) f;
    return remove(path);
}

void scratch_remove(const char *folder)
{
    assert_int_equal(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const char *scratch_path(const char *folder, const char *name)
{
    static char buffer[8][1024];
    static unsigned next;
    char *p = buffer[next++ % 8];
    snprintf(p, sizeof(buffer[0]), "%s/%s", folder, name);
    return p;
}

const char *scratch_write(const char *folder, const char *name, const void *data, size_t size)
{
    const char *path = scratch_path(folder, name);
    char parent[1024];
    for (const char *s = strchr(path + strlen(folder) + 1, '/'); s; s = strchr(s + 1, '/')) {
        snprintf(parent, sizeof(parent), "%.*s", (int) (s - path), path);
        mkdir(parent, 0777);
    }
    /* not "wb": cutting a file to nothing and closing it makes some file systems write to disk */
    const int fd = open(path, O_WRONLY | O_CREAT, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    assert_int_equal(ftruncate(fd, (off_t) size), 0);
    assert_int_equal(close(fd), 0);
    return path;
}

int scratch_python(const char *script, const char *argument)
{
    const pid_t child = fork();
    int status = -1;
    if (child == 0) {
        execl("/usr/bin/python3", "python3", "-c", script, argument, (char *) NULL);
        _exit(127);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}
