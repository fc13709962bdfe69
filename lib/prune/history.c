/* Which channels were cut, as JSON that can be read and replayed:
 *     {"format": "rescomp-prune-history", "version": 1, "model": "0123456789abcdef",
 *      "repair": "none", "cuts": [{"group": 3, "name": "conv1", "channels": 16, "removed": [2]}]}
 */
#include "base/json.h"
#include "prune/pruner.h"
#include "prune/repair.h"

#include <stdio.h>
#include <string.h>

#define FORMAT "rescomp-prune-history"

/* --- the model --- */

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return hash;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    return text ? mix(hash, text, strlen(text) + 1) : mix(hash, "", 1);
}

/* Of nodes, names and all weights, in the order of the file. */
static void model_text(const struct rc_graph *g, char text[17])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op)
            hash = mix_text(mix_text(hash, g->nodes[i].op->name), g->nodes[i].name);
    for (uint32_t v = 0; v < g->n_values; v++) {
        const struct rci_tensor *t = &g->values[v].tensor;
        if ((g->values[v].flags & RC_VALUE_DEAD) || !rci_value_is_const(&g->values[v]))
            continue;
        hash = mix_text(hash, g->values[v].name);
        hash = mix(hash, t->shape.dim, t->shape.rank * sizeof(t->shape.dim[0]));
        hash = mix(hash, t->data, rci_tensor_bytes(t));
    }
    snprintf(text, 17, "%016llx", (unsigned long long) hash);
}

/* --- save --- */

static void put_cut(struct rci_json_writer *w, const struct rc_pruner *p, uint32_t i)
{
    const struct rci_prune_group *g = &p->coupling->group[i];
    rci_json_begin_object(w, NULL);
    rci_json_put_integer(w, "group", i);
    rci_json_put_text(w, "name", g->name);
    rci_json_put_integer(w, "channels", g->n_units);
    rci_json_begin_array(w, "removed");
    for (uint32_t u = 0; u < g->n_units; u++)
        for (uint32_t k = 0; k < g->n_units - p->kept[i]; k++)
            if (p->by_score[i][k] == u)
                rci_json_put_integer(w, NULL, u);
    rci_json_end_array(w);
    rci_json_end_object(w);
}

/* Nothing when there are none: such histories are read by older versions too. */
static void put_blocks(struct rci_json_writer *w, const struct rc_pruner *p)
{
    bool any = false;
    for (uint32_t i = 0; i < p->blocks.n; i++)
        any |= p->block_gone[i];
    if (!any)
        return;
    rci_json_begin_array(w, "blocks");
    for (uint32_t i = 0; i < p->blocks.n; i++)
        if (p->block_gone[i])
            rci_json_put_text(w, NULL, p->blocks.block[i].name);
    rci_json_end_array(w);
}

rc_status rci_pruner_save_history(const struct rc_pruner *p, const char *path)
{
    char model[17];
    struct rci_buffer out = {.ctx = p->ctx};
    struct rci_json_writer w = rci_json_writer_make(&out, false);
    model_text(p->graph, model);
    rci_json_begin_object(&w, NULL);
    rci_json_put_text(&w, "format", FORMAT);
    rci_json_put_integer(&w, "version", 1);
    rci_json_put_text(&w, "model", model);
    rci_json_put_text(&w, "repair", p->repair->m.name);
    rci_json_begin_array(&w, "cuts");
    for (uint32_t i = 0; i < p->coupling->n_groups; i++)
        if (p->kept[i] < p->coupling->group[i].n_units)
            put_cut(&w, p, i);
    rci_json_end_array(&w);
    put_blocks(&w, p);
    rci_json_end_object(&w);
    rc_status st = rci_json_finish(&w);
    if (st == RC_OK)
        st = rci_file_write(p->ctx, path, out.data, out.size);
    rci_buffer_free(&out);
    return st;
}

/* --- replay --- */

static rc_status check_head(const struct rc_pruner *p, const struct rci_json_value *root,
                            const char *path)
{
    static const char *const keys[] = {"format", "version", "model", "repair",
                                       "cuts",   "blocks",  NULL};
    const char *format = "", *model = "", *repair = "";
    char own[17];
    int64_t version = 0;
    RC_TRY(rci_json_expect(root, RC_JSON_OBJECT, path));
    RC_TRY(rci_json_read_text(root, "format", &format));
    if (strcmp(format, FORMAT))
        return rci_fail(RC_ERR_FORMAT, "%s: no history of pruning (format \"%s\")", path, format);
    RC_TRY(rci_json_read_integer(root, "version", 1, 1, &version));
    RC_TRY(rci_json_only_keys(root, keys, path));
    RC_TRY(rci_json_read_text(root, "model", &model));
    RC_TRY(rci_json_read_text(root, "repair", &repair));
    model_text(p->graph, own);
    if (strcmp(model, own))
        return rci_fail(RC_ERR_ARG, "%s: history of another model (%s, this one is %s)", path,
                        model, own);
    if (strcmp(repair, p->repair->m.name))
        rci_log(p->ctx, RC_LOG_WARNING, "%s: repair was %s and now is %s", path, repair,
                p->repair->m.name);
    return rci_json_expect(rci_json_get(root, "cuts"), RC_JSON_ARRAY, "cuts");
}

static rc_status replay_cut(struct rc_pruner *p, const struct rci_json_value *v)
{
    static const char *const keys[] = {"group", "name", "channels", "removed", NULL};
    int64_t group = -1, channels = 0;
    RC_TRY(rci_json_expect(v, RC_JSON_OBJECT, "a cut"));
    RC_TRY(rci_json_only_keys(v, keys, "cut"));
    RC_TRY(rci_json_read_integer(v, "group", 0, (int64_t) p->coupling->n_groups - 1, &group));
    RC_TRY(rci_json_read_integer(v, "channels", 1, UINT32_MAX, &channels));
    const struct rci_json_value *list = rci_json_get(v, "removed");
    RC_TRY(rci_json_expect(list, RC_JSON_ARRAY, "removed"));
    if (group < 0 || channels != p->coupling->group[group].n_units)
        return rci_fail(RC_ERR_FORMAT, "group %lld does not have %lld channels", (long long) group,
                        (long long) channels);
    uint64_t *channel = rci_alloc_array(p->ctx, list->count, sizeof(*channel)), n = 0;
    rc_status st = channel ? RC_OK : RC_ERR_MEMORY;
    for (const struct rci_json_value *c = list->first; st == RC_OK && c; c = c->next) {
        if (c->type != RC_JSON_NUMBER || !(c->number >= 0 && c->number < (double) channels) ||
            c->number != (double) (uint64_t) c->number)
            st = rci_fail(RC_ERR_FORMAT, "removed: no channel from 0 to %lld",
                          (long long) channels - 1);
        else
            channel[n++] = (uint64_t) c->number;
    }
    if (st == RC_OK)
        st = rci_pruner_cut(p, (uint32_t) group, channel, n);
    rci_release(channel);
    return st;
}

static rc_status replay_block(struct rc_pruner *p, const struct rci_json_value *name)
{
    RC_TRY(rci_json_expect(name, RC_JSON_STRING, "blocks"));
    for (uint32_t i = 0; i < p->blocks.n; i++)
        if (!strcmp(p->blocks.block[i].name, name->text))
            return rci_pruner_cut_block(p, i);
    return rci_fail(RC_ERR_FORMAT, "blocks: \"%s\" is none", name->text);
}

/* All or nothing. */
static rc_status replay_cuts(struct rc_pruner *p, const struct rci_json_value *cuts,
                             const struct rci_json_value *blocks)
{
    RC_TRY(rci_pruner_restore(p));
    rc_status st = RC_OK;
    for (const struct rci_json_value *c = cuts->first; st == RC_OK && c; c = c->next)
        st = replay_cut(p, c);
    if (st == RC_OK && blocks)
        st = rci_json_expect(blocks, RC_JSON_ARRAY, "blocks");
    for (const struct rci_json_value *b = blocks ? blocks->first : NULL; st == RC_OK && b;
         b = b->next)
        st = replay_block(p, b);
    if (st != RC_OK)
        rci_pruner_restore(p);
    p->planned = st == RC_OK; /* also when there are none */
    return st;
}

rc_status rci_pruner_replay_history(struct rc_pruner *p, const char *path)
{
    struct rci_json *json;
    RC_TRY(rci_json_load(&json, p->ctx, path));
    const struct rci_json_value *root = rci_json_root(json);
    rc_status st = check_head(p, root, path);
    if (st == RC_OK)
        st = replay_cuts(p, rci_json_get(root, "cuts"), rci_json_get(root, "blocks"));
    rci_json_free(&json);
    return st;
}
