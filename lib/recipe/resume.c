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
rc_status rci_run_checksum(const struct rc_graph *g, uint64_t *sum)
{
    struct rci_bytes b = {NULL, 0};
    RC_TRY(rci_onnx_save_memory(&b, g));
    *sum = crc32_z(0, b.data, b.size);
    rci_release(b.data);
    return RC_OK;
}

/* Written last: a run that ends before it repeats the stage. The hash is text, since JSON numbers
 * hold 53 bits. */
static rc_status write_state(struct rci_run *run, uint32_t done)
{
    struct rci_buffer text = {.ctx = run->ctx};
    uint64_t sum;
    char hash[32];
    RC_TRY(rci_run_checksum(run->original, &sum));
    snprintf(hash, sizeof(hash), "%016llx", (unsigned long long) run->recipe.hash);
    struct rci_json_writer w = rci_json_writer_make(&text, false);
    rci_json_begin_object(&w, NULL);
    rci_json_put_text(&w, "recipe", hash);
    rci_json_put_integer(&w, "graph", (int64_t) sum);
    rci_json_put_integer(&w, "stages", done);
    rci_json_put_integer(&w, "attempts", (int64_t) run->attempts);
    rci_json_put_integer(&w, "kept", (int64_t) run->kept);
    rci_json_put_bool(&w, "gave_up", run->gave_up);
    rci_json_end_object(&w);
    rc_status st = rci_json_finish(&w);
    char *path = st == RC_OK ? rci_format(run->ctx, "%s/state.json", run->o->folder) : NULL;
    if (st == RC_OK)
        st = path ? rci_file_write(run->ctx, path, text.data, text.size) : RC_ERR_MEMORY;
    rci_release(path);
    rci_buffer_free(&text);
    return st;
}

rc_status rci_run_make_folder(const char *path)
{
    if (mkdir(path, 0777) && errno != EEXIST)
        return rci_fail(RC_ERR_PATH, "%s: cannot make the folder: %s", path, strerror(errno));
    return RC_OK;
}

rc_status rci_run_save_stage(struct rci_run *run, uint32_t stage)
{
    if (!run->o->folder)
        return RC_OK;
    RC_TRY(rci_run_make_folder(run->o->folder));
    char *path = rci_format(run->ctx, "%s/stage-%u.onnx", run->o->folder, stage);
    if (!path)
        return RC_ERR_MEMORY;
    rc_status st = rci_onnx_save(run->best, path);
    rci_release(path);
    return st == RC_OK ? write_state(run, stage + 1) : st;
}

static rc_status resume_read_state(struct rci_run *run, const struct rci_json_value *root,
                                   uint32_t stages, uint32_t *done)
{
    const char *hash = "";
    char wanted[32];
    uint64_t sum;
    int64_t graph = -1, n = 0, attempts = 0, kept = 0;
    RC_TRY(rci_json_read_text(root, "recipe", &hash));
    RC_TRY(rci_json_read_integer(root, "graph", 0, UINT32_MAX, &graph));
    RC_TRY(rci_json_read_integer(root, "stages", 0, RC_RECIPE_MAX_STEPS, &n));
    RC_TRY(rci_json_read_integer(root, "attempts", 0, 1 << 20, &attempts));
    RC_TRY(rci_json_read_integer(root, "kept", 0, RC_RECIPE_MAX_STEPS, &kept));
    RC_TRY(rci_json_read_bool(root, "gave_up", &run->gave_up));
    RC_TRY(rci_run_checksum(run->original, &sum));
    snprintf(wanted, sizeof(wanted), "%016llx", (unsigned long long) run->recipe.hash);
    /* continuing with another recipe or model would mix two runs */
    if (strcmp(hash, wanted) || graph != (int64_t) sum || n > stages)
        return rci_fail(RC_ERR_ARG, "%s/state.json belongs to another recipe or model",
                        run->o->folder);
    run->attempts = (uint64_t) attempts;
    run->kept = (uint64_t) kept;
    *done = (uint32_t) n;
    return RC_OK;
}

static rc_status load_best(struct rci_run *run, uint32_t done)
{
    rc_graph *g = NULL;
    char *path = rci_format(run->ctx, "%s/stage-%u.onnx", run->o->folder, done - 1);
    if (!path)
        return RC_ERR_MEMORY;
    const rc_status st = rci_onnx_load(&g, run->ctx, path);
    rci_release(path);
    RC_TRY(st);
    rc_graph_free(&run->best);
    run->best = g;
    return RC_OK;
}

rc_status rci_run_load_stages(struct rci_run *run, uint32_t stages, uint32_t *done)
{
    struct rci_json *json = NULL;
    struct stat s;
    *done = 0;
    if (!run->o->folder)
        return RC_OK;
    RC_TRY(rci_run_make_folder(run->o->folder));
    if (!run->o->resume)
        return RC_OK;
    char *path = rci_format(run->ctx, "%s/state.json", run->o->folder);
    if (!path)
        return RC_ERR_MEMORY;
    rc_status st = RC_OK;
    /* no state yet: a run from its beginning */
    if (stat(path, &s) == 0) {
        st = rci_json_load(&json, run->ctx, path);
        if (st == RC_OK)
            st = resume_read_state(run, rci_json_root(json), stages, done);
        rci_json_free(&json);
    }
    rci_release(path);
    return st == RC_OK && *done ? load_best(run, *done) : st;
}
