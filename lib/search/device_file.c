/* Tables of times as JSON; docs/search.md shows one. Points are [in, out, ms] or
 * [in, out, ms, millijoules]. */
#include "base/json.h"
#include "search/device.h"

#include <stdio.h>
#include <string.h>

#define MOST_MS 1e9
enum { MOST_CHANNELS = 1 << 24, MOST_SIDE = 1 << 30 };

static rc_status file_number(const struct rci_json_value *v, const char *what, double min,
                             double max, double *out)
{
    RC_TRY(rci_json_expect(v, RC_JSON_NUMBER, what));
    if (!(v->number >= min && v->number <= max))
        return rci_fail(RC_ERR_FORMAT, "%s is %g, allowed is %g..%g", what, v->number, min, max);
    *out = v->number;
    return RC_OK;
}

/* [a, b] of whole numbers. */
static rc_status file_pair(const struct rci_json_value *object, const char *key, int64_t out[2])
{
    const struct rci_json_value *v = rci_json_get(object, key);
    if (!v)
        return RC_OK;
    RC_TRY(rci_json_expect(v, RC_JSON_ARRAY, key));
    if (v->count != 2)
        return rci_fail(RC_ERR_FORMAT, "%s has %u numbers, there must be 2", key, v->count);
    for (uint32_t i = 0; i < 2; i++) {
        double n = 0;
        RC_TRY(file_number(rci_json_at(v, i), key, 1, MOST_SIDE, &n));
        out[i] = (int64_t) n;
    }
    return RC_OK;
}

static rc_status file_precision(const char *name, enum rci_precision *out)
{
    for (uint32_t i = 0; i < RC_PRECISIONS; i++)
        if (!strcmp(name, rci_precision_name[i])) {
            *out = (enum rci_precision) i;
            return RC_OK;
        }
    return rci_fail(RC_ERR_FORMAT, "precision is \"%s\", allowed are f32, bf16 and int8", name);
}

static rc_status file_read_point(struct rc_device *d, const struct rci_layer_key *key,
                                 const struct rci_json_value *v)
{
    double in = 0, out = 0, ms = 0, mj = 0;
    RC_TRY(rci_json_expect(v, RC_JSON_ARRAY, "an entry of points"));
    if (v->count != 3 && v->count != 4)
        return rci_fail(RC_ERR_FORMAT,
                        "an entry of points has %u numbers, there must be 3 or 4: channels in, "
                        "out, ms, mJ",
                        v->count);
    RC_TRY(file_number(rci_json_at(v, 0), "channels in", 1, MOST_CHANNELS, &in));
    RC_TRY(file_number(rci_json_at(v, 1), "channels out", 1, MOST_CHANNELS, &out));
    RC_TRY(file_number(rci_json_at(v, 2), "ms", 0, MOST_MS, &ms));
    if (v->count == 4)
        RC_TRY(file_number(rci_json_at(v, 3), "mJ", 0, MOST_MS, &mj));
    const struct rci_device_point p = {(int64_t) in, (int64_t) out, ms, mj * 1e-3};
    return rci_device_add(d, key, &p, NULL, NULL);
}

static rc_status file_read_layer(struct rc_device *d, const struct rci_json_value *v)
{
    static const char *const keys[] = {"op",   "kernel", "stride",    "input", "groups",
                                       "tail", "points", "precision", NULL};
    struct rci_layer_key key = {.kernel = {1, 1}, .stride = {1, 1}, .input = {1, 1}, .groups = 1};
    const char *op = NULL, *tail = "*", *precision = "f32";
    RC_TRY(rci_json_expect(v, RC_JSON_OBJECT, "an entry of layers"));
    RC_TRY(rci_json_only_keys(v, keys, "layer"));
    RC_TRY(rci_json_read_text(v, "op", &op));
    if (!op)
        return rci_fail(RC_ERR_FORMAT, "a layer has no \"op\"");
    RC_TRY(rci_json_read_text(v, "tail", &tail));
    RC_TRY(rci_json_read_text(v, "precision", &precision));
    RC_TRY(file_precision(precision, &key.precision));
    RC_TRY(file_pair(v, "kernel", key.kernel));
    RC_TRY(file_pair(v, "stride", key.stride));
    RC_TRY(file_pair(v, "input", key.input));
    RC_TRY(rci_json_read_integer(v, "groups", 0, MOST_CHANNELS, &key.groups));
    if (strlen(op) >= sizeof(key.op) || strlen(tail) >= sizeof(key.tail))
        return rci_fail(RC_ERR_FORMAT, "op or tail of a layer is too long");
    snprintf(key.op, sizeof(key.op), "%s", op);
    snprintf(key.tail, sizeof(key.tail), "%s", tail);
    const struct rci_json_value *points = rci_json_get(v, "points");
    if (!points || points->type != RC_JSON_ARRAY || !points->count)
        return rci_fail(RC_ERR_FORMAT, "a layer (%s) has no \"points\"", op);
    for (const struct rci_json_value *p = points->first; p; p = p->next)
        RC_TRY(file_read_point(d, &key, p));
    return RC_OK;
}

static rc_status file_read(struct rc_device **out, struct rc_context *c,
                           const struct rci_json_value *root)
{
    static const char *const keys[] = {"rescomp_device", "name",   "batch",
                                       "threads",        "watts",  "energy",
                                       "overhead_ms",    "layers", NULL};
    const char *name = "a device", *energy = "watts of the table";
    int64_t version = 0, batch = 1, threads = 1;
    RC_TRY(rci_json_expect(root, RC_JSON_OBJECT, "a table of times"));
    RC_TRY(rci_json_only_keys(root, keys, "table of times"));
    RC_TRY(rci_json_read_integer(root, "rescomp_device", 1, 1, &version));
    if (!version)
        return rci_fail(RC_ERR_FORMAT, "no \"rescomp_device\": 1, so this is no table of times");
    RC_TRY(rci_json_read_text(root, "name", &name));
    RC_TRY(rci_json_read_text(root, "energy", &energy));
    RC_TRY(rci_json_read_integer(root, "batch", 1, 65536, &batch));
    RC_TRY(rci_json_read_integer(root, "threads", 1, 65536, &threads));
    const struct rci_json_value *layers = rci_json_get(root, "layers");
    if (!layers || layers->type != RC_JSON_ARRAY || !layers->count)
        return rci_fail(RC_ERR_FORMAT, "no \"layers\"");
    struct rc_device *d;
    RC_TRY(rci_device_new(&d, c, name, energy));
    d->batch = (uint64_t) batch;
    d->threads = (uint64_t) threads;
    rc_status st = rci_json_read_number(root, "watts", 0, 1e6, &d->watts);
    if (st == RC_OK)
        st = rci_json_read_number(root, "overhead_ms", 0, MOST_MS, &d->overhead_ms);
    for (const struct rci_json_value *v = layers->first; v && st == RC_OK; v = v->next)
        st = file_read_layer(d, v);
    if (st == RC_OK)
        *out = d;
    else
        rci_device_free(d);
    return st;
}

rc_status rci_device_load(struct rc_device **out, struct rc_context *c, const char *path)
{
    struct rci_json *json;
    *out = NULL;
    RC_TRY(rci_json_load(&json, c, path));
    rc_status st = file_read(out, c, rci_json_root(json));
    if (st == RC_ERR_FORMAT)
        st = rci_fail_prefix(st, "%s", path);
    rci_json_free(&json);
    return st;
}

static void file_write_pair(struct rci_json_writer *w, const char *key, const int64_t v[2])
{
    rci_json_begin_array(w, key);
    rci_json_put_integer(w, NULL, v[0]);
    rci_json_put_integer(w, NULL, v[1]);
    rci_json_end_array(w);
}

static void file_write_layer(struct rci_json_writer *w, const struct rci_device_layer *l)
{
    rci_json_begin_object(w, NULL);
    rci_json_put_text(w, "op", l->key.op);
    file_write_pair(w, "kernel", l->key.kernel);
    file_write_pair(w, "stride", l->key.stride);
    file_write_pair(w, "input", l->key.input);
    rci_json_put_integer(w, "groups", l->key.groups);
    rci_json_put_text(w, "precision", rci_precision_name[l->key.precision]);
    rci_json_put_text(w, "tail", l->key.tail);
    rci_json_begin_array(w, "points");
    for (uint32_t i = 0; i < l->n; i++) {
        const struct rci_device_point *p = &l->point[i];
        rci_json_begin_array(w, NULL);
        rci_json_put_integer(w, NULL, p->in);
        rci_json_put_integer(w, NULL, p->out);
        rci_json_put_number(w, NULL, p->ms);
        if (p->joules > 0)
            rci_json_put_number(w, NULL, p->joules * 1e3);
        rci_json_end_array(w);
    }
    rci_json_end_array(w);
    rci_json_end_object(w);
}

rc_status rci_device_save(const struct rc_device *d, const char *path)
{
    struct rci_buffer text = {.ctx = d->ctx};
    struct rci_json_writer w = rci_json_writer_make(&text, true);
    rci_json_begin_object(&w, NULL);
    rci_json_put_integer(&w, "rescomp_device", 1);
    rci_json_put_text(&w, "name", d->name);
    rci_json_put_integer(&w, "batch", (int64_t) d->batch);
    rci_json_put_integer(&w, "threads", (int64_t) d->threads);
    rci_json_put_number(&w, "watts", d->watts);
    rci_json_put_text(&w, "energy", d->energy);
    rci_json_put_number(&w, "overhead_ms", d->overhead_ms);
    rci_json_begin_array(&w, "layers");
    for (uint32_t i = 0; i < d->n; i++)
        file_write_layer(&w, &d->layer[i]);
    rci_json_end_array(&w);
    rci_json_end_object(&w);
    rc_status st = rci_json_finish(&w);
    if (st == RC_OK)
        st = rci_file_write(d->ctx, path, text.data, text.size);
    rci_buffer_free(&text);
    return st;
}
