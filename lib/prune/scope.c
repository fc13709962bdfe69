#include "prune/scope.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* --- names --- */

static bool member_matches(const struct rc_graph *g, const struct rci_member *m,
                           const char *pattern)
{
    return !fnmatch(pattern, g->nodes[m->node].name, 0) ||
           !fnmatch(pattern, g->values[m->value].name, 0);
}

bool rci_group_matches(const struct rci_coupling *c, uint32_t group, const char *pattern)
{
    const struct rci_prune_group *g = &c->group[group];
    for (uint32_t m = 0; m < g->n_members && g->member[m].kind <= RC_MEMBER_SCALE; m++)
        if (member_matches(c->links->g, &g->member[m], pattern))
            return true;
    return false;
}

bool rci_pattern_used(const struct rc_graph *g, const char *pattern)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && !fnmatch(pattern, g->nodes[i].name, 0))
            return true;
    for (uint32_t v = 0; v < g->n_values; v++)
        if (!(g->values[v].flags & RC_VALUE_DEAD) && !fnmatch(pattern, g->values[v].name, 0))
            return true;
    return false;
}

/* --- what the options say --- */

struct entry {
    char *text; /* own copy; patterns, NUL instead of commas */
    size_t size;
    double keep; /* 0: not given */
};

static rc_status read_entry(struct entry *e, struct rc_context *ctx, const char *what,
                            const char *text, bool need)
{
    *e = (struct entry){0};
    if (!text)
        return rci_fail(RC_ERR_ARG, "an entry of %s is NULL", what);
    const char *equals = strrchr(text, '=');
    if (!equals && need)
        return rci_fail(RC_ERR_ARG, "%s: \"%s\" is not PATTERN=FRACTION", what, text);
    e->text = rci_strdup(ctx, text);
    if (!e->text)
        return RC_ERR_MEMORY;
    e->size = equals ? (size_t) (equals - text) : strlen(text);
    e->text[e->size] = 0;
    if (equals) {
        char *end;
        errno = 0;
        e->keep = strtod(equals + 1, &end);
        if (errno || *end || !equals[1] || !(e->keep > 0 && e->keep <= 1))
            return rci_fail(RC_ERR_ARG, "%s: \"%s\": the fraction to keep is above 0 up to 1", what,
                            text);
    }
    for (size_t i = 0; i < e->size; i++)
        if (e->text[i] == ',')
            e->text[i] = 0;
    return RC_OK;
}

/* own: every group a scope of its own. Groups that an earlier entry has keep that one. */
static rc_status add_entry(struct rci_scopes *s, const struct rci_coupling *c, const bool *protect,
                           const struct entry *e, const char *what, bool own)
{
    const uint32_t first = s->n;
    for (const char *p = e->text; p <= e->text + e->size; p += strlen(p) + 1) {
        bool found = false;
        for (uint32_t i = 0; i < c->n_groups; i++) {
            if (c->group[i].fixed_by != RC_NONE || protect[i] || !rci_group_matches(c, i, p))
                continue;
            found = true;
            if (s->of[i] != RC_NONE)
                continue;
            s->of[i] = own ? s->n : first;
            s->keep[s->of[i]] = e->keep;
            if (own || s->n == first)
                s->n++;
        }
        if (!found)
            return rci_fail(RC_ERR_ARG, "%s: \"%s\" matches no layer that may be cut", what, p);
    }
    s->has_ratio |= e->keep > 0;
    return RC_OK;
}

static rc_status add_entries(struct rci_scopes *s, const struct rci_coupling *c,
                             const bool *protect, const char *const *text, uint64_t n,
                             const char *what)
{
    const bool own = !strcmp(what, "ratios");
    for (uint64_t i = 0; i < n; i++) {
        struct entry e;
        rc_status st = read_entry(&e, c->links->ctx, what, text[i], own);
        if (st == RC_OK)
            st = add_entry(s, c, protect, &e, what, own);
        rci_release(e.text);
        RC_TRY(st);
    }
    return RC_OK;
}

/* --- groups that nobody has named --- */

/* The same kinds of members of the same kinds of nodes, whatever their sizes. */
static bool isomorphic(const struct rci_coupling *c, const struct rci_prune_group *a,
                       const struct rci_prune_group *b)
{
    if (a->n_members != b->n_members)
        return false;
    for (uint32_t m = 0; m < a->n_members; m++) {
        const struct rci_member *x = &a->member[m], *y = &b->member[m];
        if (x->kind != y->kind || x->axis != y->axis ||
            c->links->g->nodes[x->node].op != c->links->g->nodes[y->node].op)
            return false;
    }
    return true;
}

static rc_status add_rest(struct rci_scopes *s, const struct rci_coupling *c, const char *how)
{
    enum { GLOBAL, LOCAL, ISOMORPHIC, N };
    static const char *const names[N] = {"global", "local", "isomorphic"};
    uint32_t kind = GLOBAL;
    const uint32_t named = s->n;
    while (how && kind < N && strcmp(how, names[kind]))
        kind++;
    if (kind == N)
        return rci_fail(RC_ERR_ARG, "scope is \"%s\", allowed are global, local and isomorphic",
                        how);
    for (uint32_t i = 0; i < c->n_groups; i++) {
        if (s->of[i] != RC_NONE)
            continue;
        uint32_t k = 0;
        while (k < i && (s->of[k] < named || kind == LOCAL ||
                         (kind == ISOMORPHIC && !isomorphic(c, &c->group[i], &c->group[k]))))
            k++;
        s->of[i] = k < i ? s->of[k] : s->n++;
    }
    return RC_OK;
}

rc_status rci_scopes_new(struct rci_scopes *s, const struct rci_coupling *c, const bool *protect,
                         const rc_prune_options *o)
{
    *s = (struct rci_scopes){0};
    s->of = rci_alloc_array(c->links->ctx, c->n_groups, sizeof(*s->of));
    s->keep = rci_alloc_array(c->links->ctx, (size_t) c->n_groups + 1, sizeof(*s->keep));
    if (!s->of || !s->keep)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < c->n_groups; i++)
        s->of[i] = RC_NONE;
    RC_TRY(add_entries(s, c, protect, o->ratios, o->ratio_count, "ratios"));
    RC_TRY(add_entries(s, c, protect, o->scopes, o->scope_count, "scopes"));
    return add_rest(s, c, o->scope);
}

void rci_scopes_free(struct rci_scopes *s)
{
    rci_release(s->of);
    rci_release(s->keep);
    *s = (struct rci_scopes){0};
}
