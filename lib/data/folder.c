/* Class folders: PATH/CLASS/image.png, or PATH/train/CLASS/... and PATH/test/CLASS/... (or val).
 * And images without labels: PATH is one, or a folder of them.
 * Classes and files are sorted by name; images are decoded when they are asked for. */
#include "data/image.h"
#include "data/source.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct names {
    struct rc_context *ctx;
    char **name;
    uint32_t n, capacity;
};

struct folder {
    char *root;
    struct names files; /* "CLASS/FILE" below root */
};

static void names_free(struct names *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        rci_release(s->name[i]);
    rci_release(s->name);
    *s = (struct names){.ctx = s->ctx};
}

static int order_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool is_image(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot &&
           (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

/* `name` below the open folder `at`, or by itself with AT_FDCWD. A link to nothing is none. */
static rc_status is_folder(bool *out, int at, const char *name)
{
    struct stat s;
    const bool known = fstatat(at, name, &s, 0) == 0;
    *out = known && S_ISDIR(s.st_mode);
    if (!known && errno != ENOENT && errno != ENOTDIR)
        return rci_fail(RC_ERR_IO, "%s: cannot stat: %s", name, strerror(errno));
    return RC_OK;
}

static rc_status add_name(struct names *to, char *name)
{
    if (!name)
        return RC_ERR_MEMORY;
    const rc_status st = rci_grow(to->ctx, &to->name, to->n, &to->capacity, sizeof(*to->name));
    if (st != RC_OK) {
        rci_release(name);
        return st;
    }
    to->name[to->n++] = name;
    return RC_OK;
}

/* NULL with errno 0 at the end. */
static struct dirent *next_entry(DIR *dir)
{
    errno = 0;
    return readdir(dir);
}

static rc_status read_entries(struct names *to, DIR *dir, const char *path, bool folders)
{
    struct dirent *e;
    while ((e = next_entry(dir))) {
        bool wanted = is_image(e->d_name);
        if (e->d_name[0] == '.')
            continue;
        if (folders && is_folder(&wanted, dirfd(dir), e->d_name) != RC_OK)
            return rci_fail_prefix(RC_ERR_IO, "%s", path);
        if (!wanted)
            continue;
        if (to->n == RC_DATA_IMAGES_MAX)
            return rci_fail(RC_ERR_LIMIT, "%s: more than %d entries", path, RC_DATA_IMAGES_MAX);
        RC_TRY(add_name(to, rci_strdup(to->ctx, e->d_name)));
    }
    if (errno) /* images that are not seen must not be left out unnoticed */
        return rci_fail(RC_ERR_IO, "%s: cannot read the folder: %s", path, strerror(errno));
    return RC_OK;
}

/* Folders, or image files, in `path`, sorted. */
static rc_status list(struct names *to, const char *path, bool folders)
{
    DIR *dir = opendir(path);
    if (!dir)
        return rci_fail(RC_ERR_PATH, "%s: cannot open the folder: %s", path, strerror(errno));
    const rc_status st = read_entries(to, dir, path, folders);
    closedir(dir);
    if (st == RC_OK && to->n)
        qsort(to->name, to->n, sizeof(*to->name), order_names);
    return st;
}

static rc_status add_class(struct rc_dataset *d, struct folder *f, const char *class)
{
    struct names files = {.ctx = d->ctx};
    char *path = rci_format(d->ctx, "%s/%s", f->root, class);
    rc_status st = path ? list(&files, path, false) : RC_ERR_MEMORY;
    if (st == RC_OK && files.n == 0)
        st = rci_fail(RC_ERR_DATA, "%s: no .png, .jpg or .jpeg files in this class", path);
    for (uint32_t i = 0; st == RC_OK && i < files.n; i++)
        st = add_name(&f->files, rci_format(d->ctx, "%s/%s", class, files.name[i]));
    rci_release(path);
    names_free(&files);
    return st;
}

/* `label` counts up where the class part of the name changes. */
static rc_status set_labels(struct rc_dataset *d, const struct folder *f)
{
    d->labels = rci_alloc_array(d->ctx, f->files.n, sizeof(*d->labels));
    if (!d->labels)
        return RC_ERR_MEMORY;
    for (uint32_t i = 1; i < f->files.n; i++) {
        const char *before = f->files.name[i - 1], *here = f->files.name[i];
        const size_t n = strcspn(here, "/") + 1;
        d->labels[i] = d->labels[i - 1] + (strncmp(before, here, n) != 0);
    }
    return RC_OK;
}

static rc_status add_classes(struct rc_dataset *d, struct folder *f, struct names *classes)
{
    RC_TRY(list(classes, f->root, true));
    if (classes->n == 0 || classes->n > RC_DATA_CLASSES_MAX)
        return rci_fail(RC_ERR_DATA, "%s: %u class folders, must be 1..%d", f->root, classes->n,
                        RC_DATA_CLASSES_MAX);
    if (d->classes && d->classes != classes->n)
        return rci_fail(RC_ERR_DATA, "%s: %u class folders, but classes is %u", f->root, classes->n,
                        d->classes);
    for (uint32_t i = 0; i < classes->n; i++)
        RC_TRY(add_class(d, f, classes->name[i]));
    RC_TRY(rci_dataset_set_shape(d, f->root, f->files.n, (int64_t[]){3, d->pre.crop, d->pre.crop}));
    RC_TRY(set_labels(d, f));
    d->classes = classes->n;
    d->names = classes->name; /* moved */
    *classes = (struct names){.ctx = classes->ctx};
    d->ordered_by_class = true;
    return RC_OK;
}

/* The split's own folder when there is one, else `path` itself. */
static rc_status choose_root(char **root, struct rc_dataset *d, const char *path)
{
    static const char *const train[] = {"train", NULL};
    static const char *const test[] = {"test", "val", "validation", NULL};
    for (const char *const *name = d->split == RC_SPLIT_TEST ? test : train; *name; name++) {
        if (!(*root = rci_format(d->ctx, "%s/%s", path, *name)))
            return RC_ERR_MEMORY;
        bool there;
        const rc_status st = is_folder(&there, AT_FDCWD, *root);
        if (st != RC_OK || there)
            return st;
        rci_release(*root);
    }
    *root = rci_strdup(d->ctx, path);
    return *root ? RC_OK : RC_ERR_MEMORY;
}

static rc_status folder_open(struct rc_dataset *d, const char *path)
{
    struct folder *f = RC_NEW(d->ctx, struct folder);
    if (!f)
        return RC_ERR_MEMORY;
    d->state = f;
    f->files.ctx = d->ctx;
    RC_TRY(choose_root(&f->root, d, path));
    struct names classes = {.ctx = d->ctx};
    const rc_status st = add_classes(d, f, &classes);
    names_free(&classes);
    return st;
}

/* An image by itself is the only one of its folder. */
static rc_status list_images(struct folder *f, const char *path)
{
    bool many;
    RC_TRY(is_folder(&many, AT_FDCWD, path));
    if (access(path, R_OK))
        return rci_fail(RC_ERR_PATH, "%s: cannot open: %s", path, strerror(errno));
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    f->root = many    ? rci_strdup(f->files.ctx, path)
              : slash ? rci_format(f->files.ctx, "%.*s", (int) (slash - path), path)
                      : rci_strdup(f->files.ctx, ".");
    if (!f->root)
        return RC_ERR_MEMORY;
    return many ? list(&f->files, path, false)
                : add_name(&f->files, rci_strdup(f->files.ctx, name));
}

/* Nobody knows the labels: all are 0, of one class unless the caller says how many there are. */
static rc_status image_open(struct rc_dataset *d, const char *path)
{
    struct folder *f = RC_NEW(d->ctx, struct folder);
    if (!f)
        return RC_ERR_MEMORY;
    d->state = f;
    f->files.ctx = d->ctx;
    RC_TRY(list_images(f, path));
    if (!f->files.n)
        return rci_fail(RC_ERR_DATA, "%s: no .png, .jpg or .jpeg files", path);
    if (!d->pre.crop)
        return rci_fail(RC_ERR_ARG, "%s: images in files come in any size, crop must say which",
                        path);
    RC_TRY(rci_dataset_set_shape(d, path, f->files.n, (int64_t[]){3, d->pre.crop, d->pre.crop}));
    d->labels = rci_alloc_array(d->ctx, f->files.n, sizeof(*d->labels));
    if (!d->labels)
        return RC_ERR_MEMORY;
    if (!d->classes)
        d->classes = 1;
    return RC_OK;
}

static rc_status folder_decode(const struct rc_dataset *d, const char *path, void *out)
{
    const struct rci_image_cut cut = {.resize = d->pre.resize, .crop = d->pre.crop};
    struct rci_bytes file;
    struct rci_image image = {0};
    RC_TRY(rci_file_read(d->ctx, path, 256u << 20, &file));
    rc_status st = rci_image_decode(d->ctx, &file, &image);
    rci_release(file.data);
    if (st == RC_OK)
        st = rci_image_resize_crop(d->ctx, &image, &cut, out);
    rci_release(image.data);
    return st == RC_OK ? st : rci_fail_prefix(st, "%s", path);
}

static rc_status folder_fetch(const struct rc_dataset *d, uint32_t stored, void *out,
                              int32_t *label)
{
    const struct folder *f = d->state;
    (void) label; /* d->labels has them */
    char *path = rci_format(d->ctx, "%s/%s", f->root, f->files.name[stored]);
    if (!path)
        return RC_ERR_MEMORY;
    const rc_status st = folder_decode(d, path, out);
    if (st != RC_OK)
        rci_fail_prefix(st, "image %u", stored);
    rci_release(path);
    return st;
}

static void folder_close(struct rc_dataset *d)
{
    struct folder *f = d->state;
    if (!f)
        return;
    rci_release(f->root);
    names_free(&f->files);
    rci_release(f);
}

const struct rci_source rci_source_folder = {
    .kind = "folder",
    .defaults = {.resize = 256, .crop = 224},
    .open = folder_open,
    .fetch = folder_fetch,
    .close = folder_close,
};

const struct rci_source rci_source_image = {
    .kind = "image",
    .defaults = {.resize = 256, .crop = 224},
    .open = image_open,
    .fetch = folder_fetch,
    .close = folder_close,
};
