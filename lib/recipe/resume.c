/* Finished stages on disk: FOLDER/stage-K.onnx and FOLDER/state.json, which ties them to the
 * recipe and the graph they came from. */
#include "recipe/recipe.h"

#include "io/onnx.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

/* Of the original as ONNX: another model must not continue this one's run. */
static rc_status graph_checksum(const struct rc_graph *g, uint64_t *sum)
{
    struct rc_bytes b = {NULL, 0};
    RC_TRY(rc_onnx_save_memory(&b, g));
    *sum = crc32_z(0, b.data, b.size);
    rc_release(b.data);
    return RC_OK;
}

static rc_status write_state(struct rc_run *run, uint32_t done)
{
    struct rc_buffer text = {.ctx = run->ctx};
    uint64_t sum;
    char hash[32];
    RC_TRY(graph_checksum(run->original, &sum));
    snprintf(hash, sizeof(hash), "%016llx", (unsigned long long) run->recipe.hash);
    struct rc_json_writer w = rc_json_writer_make(&text, false);
    rc_json_begin_object(&w, NULL);
    rc_json_put_text(&w, "recipe", hash);
    rc_json_put_integer(&w, "graph", (int64_t) sum);
    rc_json_put_integer(&w, "stages", done);
    rc_json_put_integer(&w, "attempts", (int64_t) run->result.attempts);
    rc_json_put_integer(&w, "kept", (int64_t) run->result.kept);
    rc_json_put_bool(&w, "gave_up", run->gave_up);
    rc_json_end_object(&w);
    rc_status st = rc_json_finish(&w);
    char *path = st == RC_OK ? rc_format(run->ctx, "%s/state.json", run->o->folder) : NULL;
    if (st == RC_OK)
        st = path ? rc_file_write(run->ctx, path, text.data, text.size) : RC_ERR_MEMORY;
    rc_release(path);
    rc_buffer_free(&text);
    return st;
}

static rc_status make_folder(const char *path)
{
    if (mkdir(path, 0777) && errno != EEXIST)
        return rc_fail(RC_ERR_PATH, "%s: cannot make the folder: %s", path, strerror(errno));
    return RC_OK;
}

rc_status rc_run_save_stage(struct rc_run *run, uint32_t stage)
{
    if (!run->o->folder)
        return RC_OK;
    RC_TRY(make_folder(run->o->folder));
    char *path = rc_format(run->ctx, "%s/stage-%u.onnx", run->o->folder, stage);
    if (!path)
        return RC_ERR_MEMORY;
    rc_status st = rc_onnx_save(run->best, path);
    rc_release(path);
    return st == RC_OK ? write_state(run, stage + 1) : st;
}

static rc_status read_state(struct rc_run *run, const struct rc_json_value *root, uint32_t stages,
                            uint32_t *done)
{
    const char *hash = "";
    char wanted[32];
    uint64_t sum;
    int64_t graph = -1, n = 0, attempts = 0, kept = 0;
    RC_TRY(rc_json_read_text(root, "recipe", &hash));
    RC_TRY(rc_json_read_integer(root, "graph", 0, UINT32_MAX, &graph));
    RC_TRY(rc_json_read_integer(root, "stages", 0, RC_MAX_STEPS, &n));
    RC_TRY(rc_json_read_integer(root, "attempts", 0, 1 << 20, &attempts));
    RC_TRY(rc_json_read_integer(root, "kept", 0, RC_MAX_STEPS, &kept));
    RC_TRY(rc_json_read_bool(root, "gave_up", &run->gave_up));
    RC_TRY(graph_checksum(run->original, &sum));
    snprintf(wanted, sizeof(wanted), "%016llx", (unsigned long long) run->recipe.hash);
    if (strcmp(hash, wanted) || graph != (int64_t) sum || n > stages)
        return rc_fail(RC_ERR_ARG, "%s/state.json belongs to another recipe or model",
                       run->o->folder);
    run->result.attempts = (uint64_t) attempts;
    run->result.kept = (uint64_t) kept;
    *done = (uint32_t) n;
    return RC_OK;
}

static rc_status load_best(struct rc_run *run, uint32_t done)
{
    rc_graph *g = NULL;
    char *path = rc_format(run->ctx, "%s/stage-%u.onnx", run->o->folder, done - 1);
    if (!path)
        return RC_ERR_MEMORY;
    const rc_status st = rc_onnx_load(&g, run->ctx, path);
    rc_release(path);
    RC_TRY(st);
    rc_graph_free(&run->best);
    run->best = g;
    return RC_OK;
}

rc_status rc_run_load_stages(struct rc_run *run, uint32_t stages, uint32_t *done)
{
    struct rc_json *json = NULL;
    struct stat s;
    *done = 0;
    if (!run->o->folder)
        return RC_OK;
    RC_TRY(make_folder(run->o->folder));
    if (!run->o->resume)
        return RC_OK;
    char *path = rc_format(run->ctx, "%s/state.json", run->o->folder);
    if (!path)
        return RC_ERR_MEMORY;
    rc_status st = RC_OK;
    if (stat(path, &s) == 0) {
        st = rc_json_load(&json, run->ctx, path);
        if (st == RC_OK)
            st = read_state(run, rc_json_root(json), stages, done);
        rc_json_free(&json);
    }
    rc_release(path);
    return st == RC_OK && *done ? load_best(run, *done) : st;
}
