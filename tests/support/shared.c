#include "shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A path is good until SLOTS more are made; unpacking makes ten. */
enum { SLOTS = 64 };

static const char *slot(const char *root, const char *middle, const char *relative)
{
    static char buffer[SLOTS][1024];
    static unsigned next;
    char text[1024]; /* the arguments may live in `buffer` */
    snprintf(text, sizeof(text), "%s%s/%s", root, middle, relative);
    return memcpy(buffer[next++ % SLOTS], text, sizeof(text));
}

const char *source_path(const char *relative)
{
    const char *root = getenv("RESCOMP_SOURCE");
    return slot(root ? root : ".", "", relative);
}

const char *shared_path(const char *relative)
{
    const char *root = getenv("RESCOMP_SHARED");
    const char *p = root ? slot(root, "", relative) : slot(source_path(".."), "/shared", relative);
    if (access(p, R_OK) == 0)
        return p;
    printf("skipped: %s is not here (set RESCOMP_SHARED to the folder with models and data)\n",
           relative);
    return NULL;
}

/* Unpacking takes half a minute, so it happens once; rename() makes concurrent tests safe. */
static const char *unpack_cifar10(const char *script)
{
    const char *tmp = getenv("TMPDIR");
    const char *root = slot(tmp ? tmp : "/tmp", "", "rescomp-test-data");
    const char *ready = slot(root, "", "cifar-10-batches-bin");
    if (access(slot(ready, "", "test_batch.bin"), R_OK) == 0)
        return ready;
    char command[4096];
    snprintf(command, sizeof(command),
             "mkdir -p %s && d=$(mktemp -d %s/part.XXXXXX) && /usr/bin/python3 %s \"$d\" cifar10 "
             "&& { mv -T \"$d/cifar-10-batches-bin\" %s || test -f %s/test_batch.bin; } >&2; "
             "rm -rf \"$d\"",
             root, root, script, ready, ready);
    if (system(command) != 0)
        printf("unpacking CIFAR-10 failed\n");
    return access(slot(ready, "", "test_batch.bin"), R_OK) == 0 ? ready : NULL;
}

const char *shared_cifar10(void)
{
    const char *given = getenv("RESCOMP_CIFAR10");
    if (given)
        return given;
    const char *script = shared_path("data/unpack.py");
    return script ? unpack_cifar10(script) : NULL;
}
