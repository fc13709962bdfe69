/* Measured points on disk: FOLDER/point-K-reals.onnx and -result.onnx of each, and aim.json, which
 * ties them to the graph and the goals, and is written last. */
#include "recipe/aim.h"

#include "base/json.h"
#include "io/onnx.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const value_keys[RC_GOALS] = {"drop",   "size", "latency",
                                                 "energy", "macs", "cost"};

static rc_status state_graph(const struct rci_aim *a, const char *what, uint32_t point,
                             const struct rc_graph *save, struct rc_graph **load)
{
    char *path = rci_format(a->run->ctx, "%s/point-%u-%s.onnx", a->run->o->folder, point, what);
    if (!path)
        return RC_ERR_MEMORY;
    const rc_status st = save ? rci_onnx_save(save, path) : rci_onnx_load(load, a->run->ctx, path);
    rci_release(path);
    return st;
}

static void state_write_point(struct rci_json_writer *w, const struct rci_aim_point *p,
                              uint32_t index)
{
    rci_json_begin_object(w, NULL);
    rci_json_put_integer(w, "point", index);
    rci_json_put_text(w, "name", p->name);
    rci_json_put_integer(w, "bits", (int64_t) p->bits);
    rci_json_put_integer(w, "epochs", (int64_t) p->epochs);
    rci_json_put_number(w, "seconds", p->seconds);
    rci_json_put_number(w, "top1", p->f.calib_top1);
    rci_json_put_number(w, "median_ms", p->f.median_ms);
    rci_json_put_number(w, "joules", p->f.joules);
    rci_json_put_integer(w, "file_bytes", (int64_t) p->f.file_bytes);
    rci_json_put_integer(w, "weight_bytes", (int64_t) p->f.weight_bytes);
    rci_json_put_integer(w, "parameters", (int64_t) p->f.parameters);
    rci_json_put_integer(w, "multiply_adds", (int64_t) p->f.macs);
    for (uint32_t i = 0; i < RC_GOALS; i++)
        rci_json_put_number(w, value_keys[i], p->value[i]);
    rci_json_end_object(w);
}

static rc_status state_write(struct rci_aim *a)
{
    struct rci_buffer text = {.ctx = a->run->ctx};
    uint64_t sum;
    RC_TRY(rci_run_checksum(a->run->original, &sum));
    struct rci_json_writer w = rci_json_writer_make(&text, false);
    rci_json_begin_object(&w, NULL);
    rci_json_put_integer(&w, "graph", (int64_t) sum);
    for (uint32_t i = 0; i < RC_GOALS; i++)
        rci_json_put_number(&w, value_keys[i], a->limit[i]);
    rci_json_put_integer(&w, "points", a->points);
    rci_json_put_number(&w, "hard", a->hard);
    rci_json_put_number(&w, "mild", a->mild);
    rci_json_put_number(&w, "spent", a->spent + (double) (rci_clock_ns() - a->began) * 1e-9);
    rci_json_begin_array(&w, "kept");
    state_write_point(&w, &a->best, a->best_index);
    state_write_point(&w, &a->last, a->points);
    rci_json_end_array(&w);
    rci_json_end_object(&w);
    rc_status st = rci_json_finish(&w);
    char *path = st == RC_OK ? rci_format(a->run->ctx, "%s/aim.json", a->run->o->folder) : NULL;
    if (st == RC_OK)
        st = path ? rci_file_write(a->run->ctx, path, text.data, text.size) : RC_ERR_MEMORY;
    rci_release(path);
    rci_buffer_free(&text);
    return st;
}

rc_status rci_aim_save(struct rci_aim *a, const struct rci_aim_point *p)
{
    memcpy(&a->last.f, &p->f, sizeof(p->f));
    memcpy(a->last.value, p->value, sizeof(p->value));
    memcpy(a->last.name, p->name, sizeof(p->name));
    a->last.bits = p->bits;
    a->last.epochs = p->epochs;
    a->last.seconds = p->seconds;
    if (!a->run->o->folder)
        return RC_OK;
    RC_TRY(state_graph(a, "reals", a->points, p->reals, NULL));
    RC_TRY(state_graph(a, "result", a->points, p->result, NULL));
    return state_write(a);
}

static rc_status state_read_point(const struct rci_json_value *v, struct rci_aim_point *p,
                                  int64_t *index)
{
    int64_t bits = 8, epochs = 0, bytes = 0, weights = 0, parameters = 0, macs = 0;
    const char *name = "";
    RC_TRY(rci_json_expect(v, RC_JSON_OBJECT, "a point"));
    RC_TRY(rci_json_read_integer(v, "point", 1, 1 << 20, index));
    RC_TRY(rci_json_read_text(v, "name", &name));
    RC_TRY(rci_json_read_integer(v, "bits", 2, 32, &bits));
    RC_TRY(rci_json_read_integer(v, "epochs", 0, 1 << 20, &epochs));
    RC_TRY(rci_json_read_number(v, "seconds", 0, 1e12, &p->seconds));
    RC_TRY(rci_json_read_number(v, "top1", 0, 100, &p->f.calib_top1));
    RC_TRY(rci_json_read_number(v, "median_ms", 0, 1e12, &p->f.median_ms));
    RC_TRY(rci_json_read_number(v, "joules", 0, 1e12, &p->f.joules));
    RC_TRY(rci_json_read_integer(v, "file_bytes", 0, INT64_MAX, &bytes));
    RC_TRY(rci_json_read_integer(v, "weight_bytes", 0, INT64_MAX, &weights));
    RC_TRY(rci_json_read_integer(v, "parameters", 0, INT64_MAX, &parameters));
    RC_TRY(rci_json_read_integer(v, "multiply_adds", 0, INT64_MAX, &macs));
    for (uint32_t i = 0; i < RC_GOALS; i++)
        RC_TRY(rci_json_read_number(v, value_keys[i], -100, 1e12, &p->value[i]));
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->bits = (uint64_t) bits;
    p->epochs = (uint64_t) epochs;
    p->f.top1 = p->f.calib_top1;
    p->f.file_bytes = (uint64_t) bytes;
    p->f.weight_bytes = (uint64_t) weights;
    p->f.parameters = (uint64_t) parameters;
    p->f.macs = (uint64_t) macs;
    return RC_OK;
}

/* Another model, or other goals, must not go on with these points. */
static rc_status state_check(const struct rci_aim *a, const struct rci_json_value *root)
{
    uint64_t sum;
    int64_t graph = -1;
    RC_TRY(rci_run_checksum(a->run->original, &sum));
    RC_TRY(rci_json_read_integer(root, "graph", 0, UINT32_MAX, &graph));
    if (graph != (int64_t) sum)
        return rci_fail(RC_ERR_ARG, "%s/aim.json belongs to another model", a->run->o->folder);
    for (uint32_t i = 0; i < RC_GOALS; i++) {
        double limit = 0;
        RC_TRY(rci_json_read_number(root, value_keys[i], 0, 100, &limit));
        if (limit != a->limit[i])
            return rci_fail(RC_ERR_ARG, "%s/aim.json has %g for the goal \"%s\", asked for is %g",
                            a->run->o->folder, limit, value_keys[i], a->limit[i]);
    }
    return RC_OK;
}

static rc_status state_read(struct rci_aim *a, const struct rci_json_value *root)
{
    int64_t points = 0, best = 0, last = 0;
    RC_TRY(rci_json_expect(root, RC_JSON_OBJECT, "aim.json"));
    RC_TRY(state_check(a, root));
    RC_TRY(rci_json_read_integer(root, "points", 1, 1 << 20, &points));
    RC_TRY(rci_json_read_number(root, "hard", 0, 1, &a->hard));
    RC_TRY(rci_json_read_number(root, "mild", 0, 1, &a->mild));
    RC_TRY(rci_json_read_number(root, "spent", 0, 1e12, &a->spent));
    const struct rci_json_value *kept = rci_json_get(root, "kept");
    RC_TRY(state_read_point(rci_json_at(kept, 0), &a->best, &best));
    RC_TRY(state_read_point(rci_json_at(kept, 1), &a->last, &last));
    RC_TRY(state_graph(a, "reals", (uint32_t) best, NULL, &a->best.reals));
    RC_TRY(state_graph(a, "result", (uint32_t) best, NULL, &a->best.result));
    struct rc_graph *copy = NULL;
    RC_TRY(rc_graph_clone(&copy, a->best.result));
    rc_graph_free(&a->run->best);
    a->run->best = copy;
    a->run->now = a->best.f;
    a->run->kept = a->run->attempts = (uint64_t) points;
    a->points = (uint32_t) points;
    a->best_index = (uint32_t) best;
    return rci_run_report(a->run, a->best.name, &a->best.f, true, a->best.seconds,
                          "of the run that this one goes on with");
}

rc_status rci_aim_load(struct rci_aim *a)
{
    struct rci_json *json = NULL;
    struct stat s;
    if (!a->run->o->folder)
        return RC_OK;
    RC_TRY(rci_run_make_folder(a->run->o->folder));
    char *path = rci_format(a->run->ctx, "%s/aim.json", a->run->o->folder);
    if (!path)
        return RC_ERR_MEMORY;
    rc_status st = RC_OK;
    if (a->run->o->resume && stat(path, &s) == 0) {
        st = rci_json_load(&json, a->run->ctx, path);
        if (st == RC_OK)
            st = state_read(a, rci_json_root(json));
        rci_json_free(&json);
    }
    rci_release(path);
    return st;
}
