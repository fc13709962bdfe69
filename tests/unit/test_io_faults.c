/* Every system call of reading and writing files fails once, in each of several ways. Then the call
 * says so and names the file, what was there before is untouched, nothing is left behind, neither a
 * descriptor nor a file nor memory; and where a call need only be repeated, nothing is noticed. */
#include "files.h"
#include "iofault.h"
#include "quantnets.h"
#include "shared.h"

#include "base/file.h"
#include "data/source.h"
#include "io/packed.h"
#include "kernel/choice/choice.h"
#include "quant/quantizer.h"
#include "train/state.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

struct scene {
    struct rc_context *ctx;
    const char *folder;
    char path[512];
    struct rc_graph *graph;
    rc_quantizer *quantizer;
    struct rci_train_state state;
};

/* One call of the library. `old`: what the file holds before, when it is written. `verify` is asked
 * afterwards, with whether the call succeeded. */
struct script {
    const char *name;
    rc_status (*run)(struct scene *s);
    const char *old;
    void (*verify)(const struct scene *s, bool done);
};

static uint32_t count_files(const char *folder)
{
    DIR *d = opendir(folder);
    uint32_t n = 0;
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* Does the file hold `text` and no more? */
static bool holds(const char *path, const char *text)
{
    char have[64];
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(have, 1, sizeof(have), f) : 0;
    if (f)
        fclose(f);
    return n == strlen(text) && !memcmp(have, text, n);
}

static rc_status meet_fault(struct scene *s, const struct script *t, enum io_fault kind,
                            uint32_t at, bool *met, const char **call)
{
    uint64_t before, after;
    if (t->old)
        scratch_write(s->folder, "file", t->old, strlen(t->old));
    const uint32_t files = count_files(s->folder);
    const int open = io_fault_open_count();
    OK(rc_context_get_memory(s->ctx, &before, NULL));
    io_fault_arm(kind, at);
    const rc_status st = t->run(s);
    *met = io_fault_disarm(call);
    OK(rc_context_get_memory(s->ctx, &after, NULL));
    if (io_fault_open_count() != open || before != after || count_files(s->folder) != files)
        fail_msg("%s: %s at %s leaves %d descriptors, %lld bytes, %d files behind", t->name,
                 io_fault_names[kind], *call, io_fault_open_count() - open,
                 (long long) (after - before), (int) (count_files(s->folder) - files));
    return st;
}

/* Nothing need be noticed of these: the call is repeated. */
static bool is_harmless(enum io_fault kind)
{
    return kind == IO_FAULT_EINTR || kind == IO_FAULT_SHORT;
}

static void survive_kind(struct scene *s, const struct script *t, enum io_fault kind)
{
    uint32_t n = 0, failed = 0;
    for (bool met = true; met; n++) {
        const char *call;
        const rc_status st = meet_fault(s, t, kind, n, &met, &call);
        if (st != RC_OK && (is_harmless(kind) || (st != RC_ERR_IO && st != RC_ERR_PATH)))
            fail_msg("%s: %s at %s: %s: %s", t->name, io_fault_names[kind], call,
                     rc_status_name(st), rc_last_error());
        if (kind == IO_FAULT_EACCES && st != RC_OK)
            assert_int_equal(st, RC_ERR_PATH);
        if (st != RC_OK && !strstr(rc_last_error(), s->folder))
            fail_msg("%s: %s does not name the file", t->name, rc_last_error());
        assert_true(met || st == RC_OK);
        if (t->verify)
            t->verify(s, st == RC_OK);
        failed += st != RC_OK;
    }
    print_message("%-14s %-14s %3u calls, %3u errors\n", t->name, io_fault_names[kind], n - 1,
                  failed);
    if (kind == IO_FAULT_EIO)
        assert_true(n > 4 && failed > 1);
    if (kind == IO_FAULT_ENOSPC && t->old)
        assert_true(failed >= 4);
    if (kind == IO_FAULT_ENDED && !t->old)
        assert_true(failed >= 1);
}

static void survive(struct scene *s, const struct script *t)
{
    for (int kind = 0; kind < IO_FAULT_KINDS; kind++)
        if (kind != IO_FAULT_GREW) /* what one byte less means, the format tells */
            survive_kind(s, t, (enum io_fault) kind);
}

/* --- whole files --- */

static rc_status run_write(struct scene *s)
{
    return rci_file_write(s->ctx, s->path, "what is new", 11);
}

static void verify_write(const struct scene *s, bool done)
{
    assert_true(holds(s->path, done ? "what is new" : "old"));
}

static rc_status run_read(struct scene *s)
{
    struct rci_bytes b;
    RC_TRY(rci_file_read(s->ctx, s->path, 0, &b));
    assert_true(b.size == 3 && !memcmp(b.data, "old", 3));
    rci_release(b.data);
    return RC_OK;
}

static void files_are_whole_or_untouched(void **state)
{
    struct scene *s = *state;
    scratch_write(s->folder, "file", "old", 3);
    survive(s, &(struct script){"read", run_read, NULL, NULL});
    survive(s, &(struct script){"write", run_write, "old", verify_write});
}

static void a_file_that_grows_meanwhile_is_refused(void **state)
{
    struct scene *s = *state;
    struct rci_bytes b;
    scratch_write(s->folder, "file", "old", 3);
    io_fault_arm(IO_FAULT_GREW, 0);
    REFUSED(rci_file_read(s->ctx, s->path, 0, &b), RC_ERR_IO, "grew beyond 2 bytes while reading");
    assert_true(io_fault_disarm(NULL));
    assert_null(b.data);
}

/* --- models --- */

static rc_status run_load(struct scene *s)
{
    struct rc_graph *g;
    RC_TRY(rci_onnx_load(&g, s->ctx, s->path));
    OK(rci_graph_verify(g));
    rci_graph_free(g);
    return RC_OK;
}

static rc_status run_save_packed(struct scene *s)
{
    return rci_packed_save(s->graph, s->path, NULL);
}

static rc_status run_save(struct scene *s)
{
    return rci_onnx_save(s->graph, s->path);
}

static void verify_save(const struct scene *s, bool done)
{
    struct rc_graph *g;
    if (!done) {
        assert_true(holds(s->path, "old"));
        return;
    }
    OK(rci_onnx_load(&g, s->ctx, s->path));
    rci_graph_free(g);
}

static void models_are_whole_or_untouched(void **state)
{
    struct scene *s = *state;
    OK(rc_graph_new_network(&s->graph, s->ctx, "resnet8",
                            NULL)); /* large weights: read in places */
    OK(rci_onnx_save(s->graph, s->path));
    survive(s, &(struct script){"load", run_load, NULL, NULL});
    survive(s, &(struct script){"save", run_save, "old", verify_save});
    OK(rci_packed_save(s->graph, s->path, NULL));
    survive(s, &(struct script){"load packed", run_load, NULL, NULL});
    survive(s, &(struct script){"save packed", run_save_packed, "old", verify_save});
}

/* --- tables, choices, checkpoints --- */

static rc_status run_save_table(struct scene *s)
{
    return rci_quantizer_save_table(s->quantizer, s->path, "json");
}

static rc_status run_load_table(struct scene *s)
{
    return rci_quantizer_load_table(s->quantizer, s->path, "tensorrt");
}

static void verify_replaced(const struct scene *s, bool done)
{
    assert_true(holds(s->path, "old") != done);
}

static void tables_are_whole_or_untouched(void **state)
{
    struct scene *s = *state;
    static const char text[] = "TRT-1-x\na: b (1): 3c010a14\nr_output_0: 3d000000\n";
    s->graph = quant_two_convs(s->ctx, (float[]){1, 2}, (float[]){0, 1});
    s->quantizer = quant_new(s->graph, "minmax", 0);
    scratch_write(s->folder, "file", text, sizeof(text) - 1);
    survive(s, &(struct script){"load table", run_load_table, NULL, NULL});
    survive(s, &(struct script){"save table", run_save_table, "old", verify_replaced});
}

static rc_status run_merge(struct scene *s)
{
    struct rci_choices t = {.path = s->path};
    rc_status st = rci_choice_add(s->ctx, &t, "layer", "direct", true);
    if (st == RC_OK)
        st = rci_choice_file_merge(s->ctx, &t);
    rci_release(t.entry);
    return st;
}

static void verify_merge(const struct scene *s, bool done)
{
    struct rci_choices t = {.path = (char *) (uintptr_t) s->path};
    OK(rci_choice_file_read(s->ctx, &t));
    assert_int_equal(t.n, done);
    rci_release(t.entry);
}

static void choices_are_whole_or_untouched(void **state)
{
    survive(*state, &(struct script){"merge choices", run_merge,
                                     "rescomp choices 1\nchecksum ca3229b0\n", verify_merge});
}

static rc_status run_save_checkpoint(struct scene *s)
{
    return rci_checkpoint_write(&s->state, s->path, "run");
}

static rc_status run_load_checkpoint(struct scene *s)
{
    bool found = false;
    RC_TRY(rci_checkpoint_read(&s->state, s->path, "run", &found));
    assert_true(found);
    return RC_OK;
}

static void checkpoints_are_whole_or_untouched(void **state)
{
    struct scene *s = *state;
    struct rci_tape *tape;
    const struct rci_tape_config o = {.batch = 1};
    s->graph = quant_two_convs(s->ctx, (float[]){1, 2}, (float[]){0, 1});
    OK(rci_tape_new(&tape, s->graph, &o));
    OK(rci_train_state_open(&s->state, s->graph, tape, 2, true, true));
    rci_tape_free(tape);
    survive(s, &(struct script){"save state", run_save_checkpoint, "old", verify_replaced});
    OK(rci_checkpoint_write(&s->state, s->path, "run"));
    survive(s, &(struct script){"load state", run_load_checkpoint, NULL, NULL});
}

/* --- data sets --- */

static rc_status open_set(struct scene *s, const char *kind, uint32_t images)
{
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    struct rc_dataset *d;
    char spec[600];
    float x[3 * 32 * 32];
    int32_t y;
    o.crop = !strcmp(kind, "folder");
    snprintf(spec, sizeof(spec), "%s:%s", kind, s->folder);
    RC_TRY(rci_dataset_open(&d, s->ctx, spec, &o));
    const rc_status st = rci_dataset_read(d, 0, 1, x, &y);
    if (st == RC_OK)
        assert_int_equal(d->images, images); /* a fault never makes a set smaller */
    rci_dataset_free(d);
    return st;
}

static rc_status run_idx(struct scene *s)
{
    return open_set(s, "idx", 5);
}

static rc_status run_cifar100(struct scene *s)
{
    return open_set(s, "cifar100", 2);
}

static rc_status run_folder(struct scene *s)
{
    return open_set(s, "folder", 3);
}

static void data_sets_are_whole_or_refused(void **state)
{
    struct scene *s = *state;
    static const uint8_t records[2 * 3074];
    static const uint8_t images[16 + 5 * 64] = {0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 8};
    static const uint8_t labels[8 + 5] = {0, 0, 8, 1, 0, 0, 0, 5};
    scratch_write(s->folder, "train.bin", records, sizeof(records));
    scratch_write(s->folder, "train-images-idx3-ubyte", images, sizeof(images));
    scratch_write(s->folder, "train-labels-idx1-ubyte", labels, sizeof(labels));
    survive(s, &(struct script){"idx", run_idx, NULL, NULL});
    survive(s, &(struct script){"cifar100", run_cifar100, NULL, NULL});
}

#ifdef RC_HAVE_PNG
static void folders_are_whole_or_refused(void **state)
{
    struct scene *s = *state;
    struct rci_bytes png;
    OK(rci_file_read(s->ctx, source_path("tests/fuzz/corpus/image/RGB.png"), 0, &png));
    scratch_write(s->folder, "a/1.png", png.data, png.size);
    scratch_write(s->folder, "a/2.png", png.data, png.size);
    scratch_write(s->folder, "b/1.png", png.data, png.size);
    rci_release(png.data);
    survive(s, &(struct script){"folder", run_folder, NULL, NULL});
}
#endif

static int setup(void **state)
{
    static struct scene s;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    o.threads = 1;
    OK(rc_context_new(&s.ctx, &o));
    s.graph = NULL;
    s.quantizer = NULL;
    s.folder = scratch_folder();
    snprintf(s.path, sizeof(s.path), "%s", scratch_path(s.folder, "file"));
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    rci_train_state_close(&s->state);
    rci_quantizer_free(s->quantizer);
    rci_graph_free(s->graph);
    scratch_remove(s->folder);
    test_context_done(s->ctx);
    return 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(files_are_whole_or_untouched),   T(a_file_that_grows_meanwhile_is_refused),
        T(models_are_whole_or_untouched),  T(tables_are_whole_or_untouched),
        T(choices_are_whole_or_untouched), T(checkpoints_are_whole_or_untouched),
        T(data_sets_are_whole_or_refused),
#ifdef RC_HAVE_PNG
        T(folders_are_whole_or_refused),
#endif
    };
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1); /* hundreds of fsync() */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
