/* A file of choices: checked as a whole before anything of it is used, merged under a lock, and
 * replaced at once. */
#include "base/file.h"
#include "kernel/choice/choice.h"
#include "kernel/onednn/compat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define MAGIC "rescomp choices "
#define VERSION 1
#define CHECKSUM "checksum "
#define MACHINE "machine "

enum { MOST_BYTES = 1 << 20, CHECKSUM_LINE = 9 + 8 + 1 };

void rci_choice_machine(const struct rci_cpu *cpu, char text[RC_CHOICE_MACHINE])
{
    char identity[RC_CPU_IDENTITY];
    const dnnl_version_t *v = dnnl_version();
    rci_cpu_identity(cpu, identity);
    snprintf(text, RC_CHOICE_MACHINE, "%s, oneDNN %d.%d.%d %.40s, library %s", identity, v->major,
             v->minor, v->patch, v->hash ? v->hash : "", RC_VERSION);
}

/* One line of the text; `size` without its end. */
struct line {
    const char *at;
    size_t size;
    uint32_t number;
};

/* False at the end. */
static bool next_line(const struct rci_bytes *b, size_t *at, struct line *l)
{
    if (*at >= b->size)
        return false;
    const char *from = (const char *) b->data + *at;
    const char *end = memchr(from, '\n', b->size - *at);
    l->at = from;
    l->size = end ? (size_t) (end - from) : b->size - *at;
    l->number++;
    *at += l->size + 1;
    return true;
}

static bool starts(const struct line *l, const char *with)
{
    const size_t n = strlen(with);
    return l->size >= n && !memcmp(l->at, with, n);
}

static rc_status check_version(const char *path, const struct rci_bytes *b)
{
    struct line l = {0};
    size_t at = 0;
    char digits[12] = "";
    if (!next_line(b, &at, &l) || (l.size <= strlen(MAGIC) && !memcmp(l.at, MAGIC, l.size)))
        return rci_fail(RC_ERR_TRUNCATED, "%s: %zu bytes, not a whole file of choices", path,
                        b->size);
    if (!starts(&l, MAGIC))
        return rci_fail(RC_ERR_FORMAT, "%s: not a file of choices, its first line is not \"%s%d\"",
                        path, MAGIC, VERSION);
    snprintf(digits, sizeof(digits), "%.*s", (int) (l.size - strlen(MAGIC)), l.at + strlen(MAGIC));
    char *end;
    const long version = strtol(digits, &end, 10);
    if (*end || end == digits)
        return rci_fail(RC_ERR_FORMAT, "%s: not a file of choices, its first line is not \"%s%d\"",
                        path, MAGIC, VERSION);
    if (version != VERSION)
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: choices of version %ld, this library reads %d",
                        path, version, VERSION);
    return RC_OK;
}

/* The last line is right; *b ends before it afterwards. */
static rc_status check_sum(const char *path, struct rci_bytes *b)
{
    const size_t body = b->size >= CHECKSUM_LINE ? b->size - CHECKSUM_LINE : 0;
    const char *last = (const char *) b->data + body;
    if (body == 0 || last[-1] != '\n' || memcmp(last, CHECKSUM, strlen(CHECKSUM)) ||
        last[CHECKSUM_LINE - 1] != '\n')
        return rci_fail(RC_ERR_TRUNCATED, "%s: %zu bytes without a checksum at the end", path,
                        b->size);
    char digits[9], want[9];
    snprintf(digits, sizeof(digits), "%.8s", last + strlen(CHECKSUM));
    snprintf(want, sizeof(want), "%08lx", (unsigned long) crc32_z(0, b->data, body));
    if (strcmp(digits, want) != 0)
        return rci_fail(RC_ERR_FORMAT, "%s: damaged, its checksum is %s and should be %s", path,
                        digits, want);
    b->size = body;
    return RC_OK;
}

static rc_status bad_line(const char *path, const struct line *l, const char *what)
{
    return rci_fail(RC_ERR_FORMAT, "%s:%u: %s", path, l->number, what);
}

/* "key<tab>word", split into `e`. */
static rc_status parse_choice(const char *path, const struct line *l, struct rci_choice *e)
{
    const char *tab = memchr(l->at, '\t', l->size);
    const size_t key = tab ? (size_t) (tab - l->at) : 0, word = tab ? l->size - key - 1 : 0;
    if (key == 0 || key >= sizeof(e->key) || word == 0 || word >= sizeof(e->word))
        return bad_line(path, l, "not a layer, a tab and a choice");
    for (size_t i = 0; i < l->size; i++)
        if (i != key && (l->at[i] < ' ' || l->at[i] > '~'))
            return bad_line(path, l, "not a layer, a tab and a choice");
    memset(e, 0, sizeof(*e));
    memcpy(e->key, l->at, key);
    memcpy(e->word, tab + 1, word);
    return RC_OK;
}

static rc_status file_take(struct rc_context *c, struct rci_choices *t, const struct rci_choice *e)
{
    struct rci_choice *known = rci_choice_find(t->entry, t->n, NULL, e->key);
    if (!known)
        return rci_choice_add(c, t, e->key, e->word, false);
    known->fresh = false;
    return RC_OK;
}

/* The sections; *end: where this machine's ends, 0: there is none. */
static rc_status file_parse(struct rc_context *c, struct rci_choices *t, const struct rci_bytes *b,
                            size_t *end)
{
    char here[RC_CHOICE_MACHINE + sizeof(MACHINE)] = MACHINE;
    struct line l = {0};
    struct rci_choice e;
    size_t at = 0;
    bool inside = false, mine = false;
    rci_choice_machine(c->cpu, here + strlen(MACHINE));
    *end = 0;
    next_line(b, &at, &l); /* the version */
    while (next_line(b, &at, &l)) {
        if (starts(&l, MACHINE)) {
            inside = true;
            mine = l.size == strlen(here) && starts(&l, here);
        } else if (!inside) {
            return bad_line(t->path, &l, "a choice before the first machine");
        } else {
            RC_TRY(parse_choice(t->path, &l, &e));
            if (mine)
                RC_TRY(file_take(c, t, &e));
        }
        if (mine)
            *end = at;
    }
    return RC_OK;
}

/* *b without its checksum; empty where there is no file yet, but could be one. */
static rc_status file_read(struct rc_context *c, const char *path, struct rci_bytes *b)
{
    struct stat s;
    *b = (struct rci_bytes){NULL, 0};
    if (stat(path, &s) && errno == ENOENT)
        return rci_file_check_folder(path);
    RC_TRY(rci_file_read(c, path, MOST_BYTES, b));
    rc_status st = check_version(path, b);
    if (st == RC_OK)
        st = check_sum(path, b);
    if (st != RC_OK) {
        rci_release(b->data);
        *b = (struct rci_bytes){NULL, 0};
    }
    return st;
}

rc_status rci_choice_file_read(struct rc_context *c, struct rci_choices *t)
{
    struct rci_bytes b;
    size_t end;
    RC_TRY(file_read(c, t->path, &b));
    const rc_status st = b.data ? file_parse(c, t, &b, &end) : RC_OK;
    rci_release(b.data);
    return st;
}

/* The old text with the fresh choices at `end`. */
static rc_status file_compose(struct rci_buffer *to, const struct rci_choices *t,
                              const struct rci_bytes *b, size_t end)
{
    const size_t before = end ? end : b->size;
    if (!b->data)
        RC_TRY(rci_buffer_printf(to, "%s%d\n", MAGIC, VERSION));
    RC_TRY(rci_buffer_append(to, b->data, before));
    if (!end) {
        char machine[RC_CHOICE_MACHINE];
        rci_choice_machine(to->ctx->cpu, machine);
        RC_TRY(rci_buffer_printf(to, "%s%s\n", MACHINE, machine));
    }
    for (uint32_t i = 0; i < t->n; i++)
        if (t->entry[i].fresh)
            RC_TRY(rci_buffer_printf(to, "%s\t%s\n", t->entry[i].key, t->entry[i].word));
    if (end)
        RC_TRY(rci_buffer_append(to, b->data + end, b->size - end));
    return rci_buffer_printf(to, "%s%08lx\n", CHECKSUM,
                             (unsigned long) crc32_z(0, to->data, to->size));
}

static rc_status merge_locked(struct rc_context *c, struct rci_choices *t)
{
    struct rci_buffer text = {.ctx = c};
    struct rci_bytes b;
    size_t end = 0;
    RC_TRY(file_read(c, t->path, &b));
    rc_status st = b.data ? file_parse(c, t, &b, &end) : RC_OK;
    if (st == RC_OK)
        st = file_compose(&text, t, &b, end);
    if (st == RC_OK && text.size > MOST_BYTES)
        st = rci_fail(RC_ERR_LIMIT, "%s: full, a file of choices has at most %d bytes", t->path,
                      MOST_BYTES);
    if (st == RC_OK)
        st = rci_file_write(c, t->path, text.data, text.size);
    for (uint32_t i = 0; st == RC_OK && i < t->n; i++)
        t->entry[i].fresh = false;
    rci_buffer_free(&text);
    rci_release(b.data);
    return st;
}

rc_status rci_choice_file_merge(struct rc_context *c, struct rci_choices *t)
{
    const int lock = rci_file_lock(t->path);
    const rc_status st = merge_locked(c, t);
    rci_file_unlock(lock);
    return st;
}
