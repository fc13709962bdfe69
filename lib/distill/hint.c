/* The end of a stage is the last value with its height and width, in topological order, behind a
 * join of two branches of that size; in networks without joins, the last one. */
#include "distill/hint.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

enum { STAGES_MOST = 32, PAIRS_MOST = 64, NAME_MOST = 512 };

struct stage {
    int64_t h, w;
    rci_id last, joined; /* joined: the last one behind a join; or RC_NONE */
};

struct stages {
    struct stage at[STAGES_MOST];
    uint32_t n;
    bool joins;
};

static const struct rci_shape *map_shape(const struct rc_graph *g, rci_id v)
{
    const struct rci_tensor *t = &g->values[v].tensor;
    const bool fits = t->dtype == RC_F32 && (t->shape.rank == 4 || t->shape.rank == 2);
    return fits && !rci_value_is_const(&g->values[v]) ? &t->shape : NULL;
}

static struct stage *stage_of(struct stages *s, int64_t h, int64_t w)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->at[i].h == h && s->at[i].w == w)
            return &s->at[i];
    if (s->n == STAGES_MOST)
        return NULL;
    s->at[s->n] = (struct stage){h, w, RC_NONE, RC_NONE};
    return &s->at[s->n++];
}

static uint32_t count_branches(const struct rc_graph *g, const struct rci_node *n)
{
    uint32_t branches = 0;
    for (uint32_t i = 0; i < n->n_in; i++)
        branches += n->in[i] != RC_NONE && !rci_value_is_const(&g->values[n->in[i]]);
    return branches;
}

static rc_status find_stages(struct stages *s, const struct rc_graph *g)
{
    rci_id *order;
    uint32_t n;
    *s = (struct stages){0};
    RC_TRY(rci_graph_order(g, &order, &n));
    for (uint32_t i = 0; i < n; i++) {
        const struct rci_node *node = &g->nodes[order[i]];
        const struct rci_shape *shape = node->n_out ? map_shape(g, node->out[0]) : NULL;
        if (!shape || shape->rank != 4 || shape->dim[2] * shape->dim[3] < 2)
            continue;
        struct stage *at = stage_of(s, shape->dim[2], shape->dim[3]);
        if (!at)
            continue;
        at->last = node->out[0];
        if (count_branches(g, node) > 1 || at->joined != RC_NONE)
            at->joined = node->out[0];
        s->joins = s->joins || at->joined != RC_NONE;
    }
    rci_release(order);
    return RC_OK;
}

static rci_id stage_end(const struct stages *s, uint32_t i)
{
    return s->joins ? s->at[i].joined : s->at[i].last;
}

/* A constant, or one that is dequantized. */
static bool comes_from_constants(const struct rc_graph *g, rci_id v)
{
    if (v == RC_NONE || rci_value_is_const(&g->values[v]))
        return v != RC_NONE;
    const rci_id by = g->values[v].producer;
    return by != RC_NONE && rci_value_is_const(&g->values[g->nodes[by].in[0]]);
}

/* What the last layer with weights reads. */
static rci_id embedding_of(const struct rc_graph *g)
{
    rci_id v = g->outputs[0];
    while (g->values[v].producer != RC_NONE) {
        const struct rci_node *node = &g->nodes[g->values[v].producer];
        bool weights = false;
        for (uint32_t i = 1; i < node->n_in; i++) {
            weights = weights || (comes_from_constants(g, node->in[i]) &&
                                  g->values[node->in[i]].tensor.shape.rank >= 2);
        }
        v = node->in[0];
        if (weights)
            return v;
    }
    return RC_NONE;
}

static void list_stages(const struct rc_graph *g, const struct stages *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (stage_end(s, i) != RC_NONE)
            rci_fail_append(" %s (%lldx%lld)", g->values[stage_end(s, i)].name,
                            (long long) s->at[i].h, (long long) s->at[i].w);
}

/* Stages of both with equal size, in the student's order. */
static rc_status pair_stages(struct rci_hint *out, uint32_t *n, const struct rc_graph *student,
                             const struct rc_graph *teacher)
{
    struct stages s, t;
    RC_TRY(find_stages(&s, student));
    RC_TRY(find_stages(&t, teacher));
    for (uint32_t i = 0; i < s.n; i++)
        for (uint32_t j = 0; j < t.n; j++)
            if (s.at[i].h == t.at[j].h && s.at[i].w == t.at[j].w && stage_end(&s, i) != RC_NONE &&
                stage_end(&t, j) != RC_NONE)
                out[(*n)++] = (struct rci_hint){stage_end(&s, i), stage_end(&t, j)};
    if (*n)
        return RC_OK;
    rci_fail(RC_ERR_SHAPE, "no stages of student and teacher have the same height and width; the "
                           "student's end with");
    list_stages(student, &s);
    rci_fail_append(", the teacher's with");
    list_stages(teacher, &t);
    rci_fail_append("; name pairs as student=teacher");
    return RC_ERR_SHAPE;
}

static rc_status pair_by_place(struct rci_hint *out, uint32_t *n, const struct rc_graph *student,
                               const struct rc_graph *teacher, enum rci_hint_place place)
{
    if (place == RC_HINT_EMBEDDING) {
        out[0] = (struct rci_hint){embedding_of(student), embedding_of(teacher)};
        *n = 1;
        if (out[0].student != RC_NONE && out[0].teacher != RC_NONE)
            return RC_OK;
        return rci_fail(RC_ERR_SHAPE,
                        "the %s has no last layer with weights; name a pair as "
                        "student=teacher",
                        out[0].student == RC_NONE ? "student" : "teacher");
    }
    RC_TRY(pair_stages(out, n, student, teacher));
    if (place == RC_HINT_STAGES)
        return RC_OK;
    out[0] = out[place == RC_HINT_LAST ? *n - 1 : *n / 2];
    *n = 1;
    return RC_OK;
}

static rc_status no_match(const struct rc_graph *g, const char *whose, const char *pattern)
{
    uint32_t shown = 0;
    rci_fail(RC_ERR_ARG, "no value of the %s is named \"%s\"; there are", whose, pattern);
    for (rci_id v = 0; v < g->n_values && shown < 12; v++)
        if (!(g->values[v].flags & RC_VALUE_DEAD) && g->values[v].producer != RC_NONE &&
            map_shape(g, v))
            rci_fail_append("%s %s", shown++ ? "," : "", g->values[v].name);
    rci_fail_append(" ...");
    return RC_ERR_ARG;
}

/* Values that `pattern` matches, in topological order. */
static rc_status match_values(const struct rc_graph *g, const char *whose, const char *pattern,
                              rci_id *out, uint32_t *n)
{
    rci_id *order;
    uint32_t nodes;
    *n = 0;
    RC_TRY(rci_graph_order(g, &order, &nodes));
    for (uint32_t i = 0; i < nodes; i++) {
        const struct rci_node *node = &g->nodes[order[i]];
        const rci_id v = node->n_out ? node->out[0] : RC_NONE;
        if (v != RC_NONE && map_shape(g, v) && *n < PAIRS_MOST &&
            (!strcmp(pattern, g->values[v].name) || !fnmatch(pattern, g->values[v].name, 0)))
            out[(*n)++] = v;
    }
    rci_release(order);
    return *n ? RC_OK : no_match(g, whose, pattern);
}

/* One "student=teacher". */
static rc_status pair_named(struct rci_hint *out, uint32_t *n, const struct rc_graph *student,
                            const struct rc_graph *teacher, const char *text, size_t size)
{
    char name[NAME_MOST];
    rci_id s[PAIRS_MOST], t[PAIRS_MOST];
    uint32_t n_s, n_t;
    snprintf(name, sizeof(name), "%.*s", (int) (size < NAME_MOST ? size : NAME_MOST - 1), text);
    char *by = strchr(name, '=');
    if (!by || by == name || !by[1] || size >= NAME_MOST)
        return rci_fail(RC_ERR_ARG, "hint \"%s\": expected student=teacher, names of values", name);
    *by++ = 0;
    RC_TRY(match_values(student, "student", name, s, &n_s));
    RC_TRY(match_values(teacher, "teacher", by, t, &n_t));
    if (n_s != n_t)
        return rci_fail(RC_ERR_ARG, "hint %s=%s: %u values of the student, %u of the teacher", name,
                        by, n_s, n_t);
    if (*n + n_s > PAIRS_MOST)
        return rci_fail(RC_ERR_LIMIT, "more than %d hints", PAIRS_MOST);
    for (uint32_t i = 0; i < n_s; i++)
        out[(*n)++] = (struct rci_hint){s[i], t[i]};
    return RC_OK;
}

static rc_status pair_all_named(struct rci_hint *out, uint32_t *n, const struct rc_graph *student,
                                const struct rc_graph *teacher, const char *text)
{
    for (;; text++) {
        const size_t size = strcspn(text, ",");
        RC_TRY(pair_named(out, n, student, teacher, text, size));
        text += size;
        if (!*text)
            return RC_OK;
    }
}

rc_status rci_hints_find(struct rci_hint **out, uint32_t *n, const struct rc_graph *student,
                         const struct rc_graph *teacher, const char *text,
                         enum rci_hint_place place)
{
    *n = 0;
    *out = rci_alloc_array(student->ctx, PAIRS_MOST, sizeof(**out));
    if (!*out)
        return RC_ERR_MEMORY;
    const rc_status st = text ? pair_all_named(*out, n, student, teacher, text)
                              : pair_by_place(*out, n, student, teacher, place);
    if (st != RC_OK) {
        rci_release(*out);
        *out = NULL;
    }
    return st;
}
