/* The table of choices: one of the process, and one of each context with a file. */
#include "kernel/choice/choice.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { REMEMBERED = 512 }; /* beyond that, layers are measured again in every session */

static struct {
    pthread_mutex_t lock; /* of this and of every context's table */
    uint32_t n;
    struct rci_choice entry[REMEMBERED];
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct rci_choice *rci_choice_find(struct rci_choice *entry, uint32_t n, const struct rci_cpu *cpu,
                                   const char *key)
{
    for (uint32_t i = 0; i < n; i++)
        if (entry[i].cpu == cpu && !strcmp(entry[i].key, key))
            return &entry[i];
    return NULL;
}

static void choice_fill(struct rci_choice *e, const char *key, const char *word, bool fresh)
{
    e->cpu = NULL;
    snprintf(e->key, sizeof(e->key), "%s", key);
    snprintf(e->word, sizeof(e->word), "%s", word);
    e->fresh = fresh;
}

rc_status rci_choice_add(struct rc_context *c, struct rci_choices *t, const char *key,
                         const char *word, bool fresh)
{
    RC_TRY(rci_grow(c, &t->entry, t->n, &t->cap, sizeof(*t->entry)));
    choice_fill(&t->entry[t->n++], key, word, fresh);
    return RC_OK;
}

rc_status rci_choice_open(struct rc_context *c, const char *choices)
{
    if (!choices || !*choices)
        return RC_OK;
    struct rci_choices *t = RC_NEW(c, struct rci_choices);
    if (!t)
        return RC_ERR_MEMORY;
    c->choices = t;
    if (!strcmp(choices, "off"))
        return RC_OK;
    t->path = rci_strdup(c, choices);
    const rc_status st = t->path ? rci_choice_file_read(c, t) : RC_ERR_MEMORY;
    if (st != RC_OK)
        rci_choice_close(c);
    return st;
}

void rci_choice_close(struct rc_context *c)
{
    if (!c->choices)
        return;
    rci_release(c->choices->path);
    rci_release(c->choices->entry);
    rci_release(c->choices);
    c->choices = NULL;
}

bool rci_choice_fixed(const struct rc_context *c)
{
    return c->choices && !c->choices->path;
}

static struct rci_choices *file_of(const struct rc_context *c)
{
    return c->choices && c->choices->path ? c->choices : NULL;
}

/* What the process measured for another context counts as measured for this one's file. */
static rc_status recall_locked(struct rc_context *c, const char *key, const struct rci_choice **out)
{
    struct rci_choices *t = file_of(c);
    if (t && (*out = rci_choice_find(t->entry, t->n, NULL, key)))
        return RC_OK;
    *out = rci_choice_find(process.entry, process.n, c->cpu, key);
    return t && *out ? rci_choice_add(c, t, key, (*out)->word, true) : RC_OK;
}

bool rci_choice_recall(struct rc_context *c, const char *key, char word[RC_CHOICE_WORD])
{
    const struct rci_choice *found;
    pthread_mutex_lock(&process.lock);
    (void) recall_locked(c, key, &found); /* without memory the file learns it another time */
    if (found)
        memcpy(word, found->word, RC_CHOICE_WORD);
    pthread_mutex_unlock(&process.lock);
    return found;
}

static rc_status remember_locked(struct rc_context *c, const char *key, const char *word)
{
    struct rci_choice *known = rci_choice_find(process.entry, process.n, c->cpu, key);
    struct rci_choices *t = file_of(c);
    if (!known && process.n < REMEMBERED)
        known = &process.entry[process.n++];
    if (known) {
        choice_fill(known, key, word, false);
        known->cpu = c->cpu;
    }
    if (!t)
        return RC_OK;
    known = rci_choice_find(t->entry, t->n, NULL, key);
    if (!known)
        return rci_choice_add(c, t, key, word, true);
    choice_fill(known, key, word, true);
    return RC_OK;
}

rc_status rci_choice_remember(struct rc_context *c, const char *key, const char *word)
{
    pthread_mutex_lock(&process.lock);
    const rc_status st = remember_locked(c, key, word);
    pthread_mutex_unlock(&process.lock);
    return st;
}

static rc_status save_locked(struct rc_context *c)
{
    struct rci_choices *t = file_of(c);
    bool fresh = false;
    for (uint32_t i = 0; t && !t->failed && i < t->n; i++)
        fresh = fresh || t->entry[i].fresh;
    if (!fresh)
        return RC_OK;
    const rc_status st = rci_choice_file_merge(c, t);
    t->failed = st != RC_OK;
    return st;
}

rc_status rci_choice_save(struct rc_context *c)
{
    pthread_mutex_lock(&process.lock);
    const rc_status st = save_locked(c);
    pthread_mutex_unlock(&process.lock);
    return st;
}
