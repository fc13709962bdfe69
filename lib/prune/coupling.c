/* From links to groups: units are the classes of the union-find, groups the units with equal rows.
 */
#include "prune/coupling.h"

#include <stdlib.h>
#include <string.h>

/* --- what each constant's axis is --- */

static uint32_t primary_operand(const struct rc_graph *g, const struct rci_node *n)
{
    for (uint32_t i = 0; i < n->n_in && i < 32; i++) {
        const struct rci_tensor *t = rci_const_in(g, n, i);
        if (t && (n->op->trainable >> i & 1))
            return t->dtype == RC_F32 ? i : RC_NONE;
    }
    return RC_NONE;
}

static enum rci_member_kind coupling_kind(const struct rci_links *l, uint32_t row, bool primary)
{
    const uint8_t side = l->side[row];
    if (!primary)
        return RC_MEMBER_OTHER;
    if (side == RC_SIDE_IN)
        return RC_MEMBER_IN;
    if (side == (RC_SIDE_IN | RC_SIDE_OUT) && l->shape[row / RC_MAX_DIMS].rank == 1)
        return RC_MEMBER_SCALE;
    return RC_MEMBER_OUT;
}

static void classify_node(struct rci_coupling *c, rci_id node)
{
    const struct rci_links *l = c->links;
    const struct rci_node *n = &l->g->nodes[node];
    const uint32_t primary = primary_operand(l->g, n);
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (!rci_const_in(l->g, n, i))
            continue;
        for (uint32_t a = 0; a < l->shape[n->in[i]].rank; a++) {
            const uint32_t row = n->in[i] * RC_MAX_DIMS + a;
            if (c->kind[row] || !l->side[row])
                continue;
            c->kind[row] = (uint8_t) coupling_kind(l, row, i == primary);
            c->reader[row] = node;
        }
    }
}

static rc_status classify(struct rci_coupling *c)
{
    const struct rc_graph *g = c->links->g;
    rci_id *order;
    uint32_t n;
    c->kind = rci_alloc_array(g->ctx, c->links->n_rows, sizeof(*c->kind));
    c->reader = rci_alloc_array(g->ctx, c->links->n_rows, sizeof(*c->reader));
    c->position = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*c->position));
    if (!c->kind || !c->reader || !c->position)
        return RC_ERR_MEMORY;
    RC_TRY(rci_graph_order(g, &order, &n));
    for (uint32_t i = 0; i < n; i++) {
        c->position[order[i]] = i;
        classify_node(c, order[i]);
    }
    rci_release(order);
    return RC_OK;
}

/* --- units --- */

static rc_status list_units(struct rci_coupling *c)
{
    struct rci_links *l = c->links;
    c->start = rci_alloc_array(l->ctx, (size_t) l->n_ids + 1, sizeof(*c->start));
    c->id = rci_alloc_array(l->ctx, l->n_ids, sizeof(*c->id));
    uint32_t *fill = rci_alloc_array(l->ctx, l->n_ids, sizeof(*fill));
    if (!c->start || !c->id || !fill) {
        rci_release(fill);
        return RC_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < l->n_ids; i++)
        c->start[rci_links_find(l, i) + 1]++;
    for (uint32_t i = 0; i < l->n_ids; i++)
        c->start[i + 1] += c->start[i];
    memcpy(fill, c->start, l->n_ids * sizeof(*fill));
    for (uint32_t i = 0; i < l->n_ids; i++)
        c->id[fill[rci_links_find(l, i)]++] = i;
    rci_release(fill);
    return RC_OK;
}

/* A unit on its way into a group: compared by the rows it lies in. */
struct candidate {
    uint32_t unit, n_rows;
    const uint32_t *row; /* one per id, ascending */
    uint32_t position;   /* of the node of its first member */
    uint32_t first;      /* smallest id in the first member's row */
};

/* false: nothing makes this unit, so there is no width to choose */
static bool first_member(const struct rci_coupling *c, struct candidate *k)
{
    const uint32_t *id = c->id + c->start[k->unit];
    bool found = false;
    for (uint32_t i = 0; i < k->n_rows; i++) {
        if (c->kind[k->row[i]] != RC_MEMBER_OUT)
            continue;
        const uint32_t position = c->position[c->reader[k->row[i]]];
        if (found && position >= k->position)
            continue;
        k->position = position;
        k->first = id[i];
        found = true;
    }
    return found;
}

static int compare_rows(const struct candidate *a, const struct candidate *b)
{
    if (a->n_rows != b->n_rows)
        return a->n_rows < b->n_rows ? -1 : 1;
    for (uint32_t i = 0; i < a->n_rows; i++)
        if (a->row[i] != b->row[i])
            return a->row[i] < b->row[i] ? -1 : 1;
    return 0;
}

static int compare_candidates(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;
    if (a->position != b->position)
        return a->position < b->position ? -1 : 1;
    const int rows = compare_rows(a, b);
    if (rows)
        return rows;
    return a->first < b->first ? -1 : a->first > b->first;
}

/* --- groups --- */

static int compare_members(const struct rci_coupling *c, const struct rci_member *a,
                           const struct rci_member *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->node != b->node)
        return c->position[a->node] < c->position[b->node] ? -1 : 1;
    return 0;
}

static void add_member(const struct rci_coupling *c, struct rci_prune_group *p, uint32_t row)
{
    const struct rci_member m = {(enum rci_member_kind) c->kind[row], c->reader[row],
                                 row / RC_MAX_DIMS, row % RC_MAX_DIMS};
    uint32_t i = p->n_members++;
    for (; i && compare_members(c, &m, &p->member[i - 1]) < 0; i--)
        p->member[i] = p->member[i - 1];
    p->member[i] = m;
}

static rc_status fill_group(const struct rci_coupling *c, struct rci_prune_group *p,
                            const struct candidate *k, uint32_t n)
{
    const struct rci_links *l = c->links;
    p->unit = rci_alloc_array(l->ctx, n, sizeof(*p->unit));
    p->member = rci_alloc_array(l->ctx, k->n_rows, sizeof(*p->member));
    if (!p->unit || !p->member)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < n; i++)
        p->unit[p->n_units++] = k[i].unit;
    p->fixed_by = RC_NONE;
    for (uint32_t i = 0; i < k->n_rows; i++) {
        const uint32_t row = k->row[i];
        if (i && row == k->row[i - 1])
            continue;
        if (p->fixed_by == RC_NONE)
            p->fixed_by = l->fixed_by[row];
        if (c->kind[row])
            add_member(c, p, row);
        p->producers += c->kind[row] == RC_MEMBER_OUT && l->side[row] == RC_SIDE_OUT;
    }
    const uint32_t first = p->member[0].value * RC_MAX_DIMS + p->member[0].axis;
    for (uint32_t i = 0; i < k->n_rows; i++)
        p->width += k->row[i] == first;
    p->name = l->g->nodes[p->member[0].node].name;
    return RC_OK;
}

static rc_status make_groups(struct rci_coupling *c, const struct candidate *k, uint32_t n)
{
    uint32_t capacity = 0;
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && !compare_rows(&k[i], &k[end]);)
            end++;
        RC_TRY(rci_grow(c->links->ctx, &c->group, c->n_groups, &capacity, sizeof(*c->group)));
        struct rci_prune_group *p = &c->group[c->n_groups++];
        memset(p, 0, sizeof(*p));
        RC_TRY(fill_group(c, p, &k[i], end - i));
    }
    return RC_OK;
}

static rc_status group_units(struct rci_coupling *c)
{
    const struct rci_links *l = c->links;
    uint32_t n = 0;
    rc_status st = RC_ERR_MEMORY;
    uint32_t *row = rci_alloc_array(l->ctx, l->n_ids, sizeof(*row));
    struct candidate *k = rci_alloc_array(l->ctx, l->n_ids, sizeof(*k));
    if (!row || !k)
        goto out;
    for (uint32_t i = 0; i < l->n_ids; i++)
        row[i] = l->row_of[c->id[i]];
    for (uint32_t r = 0; r < l->n_ids; r++) {
        k[n] = (struct candidate){
            .unit = r, .n_rows = c->start[r + 1] - c->start[r], .row = row + c->start[r]};
        n += first_member(c, &k[n]);
    }
    if (n)
        qsort(k, n, sizeof(*k), compare_candidates);
    st = make_groups(c, k, n);
out:
    rci_release(row);
    rci_release(k);
    return st;
}

rc_status rci_coupling_new(struct rci_coupling **out, const struct rc_graph *g)
{
    rc_status st;
    *out = NULL;
    struct rci_coupling *c = RC_NEW(g->ctx, struct rci_coupling);
    if (!c)
        return RC_ERR_MEMORY;
    RC_TRY_OUT(st, rci_links_new(&c->links, g));
    RC_TRY_OUT(st, classify(c));
    RC_TRY_OUT(st, list_units(c));
    RC_TRY_OUT(st, group_units(c));
    *out = c;
    c = NULL;
out:
    rci_coupling_free(c);
    return st;
}

void rci_coupling_free(struct rci_coupling *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n_groups; i++) {
        rci_release(c->group[i].unit);
        rci_release(c->group[i].member);
    }
    rci_links_free(c->links);
    rci_release(c->start);
    rci_release(c->id);
    rci_release(c->kind);
    rci_release(c->reader);
    rci_release(c->position);
    rci_release(c->group);
    rci_release(c);
}
