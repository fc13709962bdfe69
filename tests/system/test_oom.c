/* Allocations fail one at a time: each call must then return RC_ERR_MEMORY, leak nothing, and leave
 * no file behind. */
#include "test.h"

#include <rescomp/rescomp.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static long until_failure; /* -1: never */
static long blocks;

static void *allocate(void *user, size_t size, size_t alignment)
{
    (void) user;
    if (until_failure >= 0 && until_failure-- == 0)
        return NULL;
    void *p = NULL;
    if (posix_memalign(&p, alignment, size))
        return NULL;
    blocks++;
    return p;
}

static void release(void *user, void *memory)
{
    (void) user;
    blocks--;
    free(memory);
}

static char folder[] = "/tmp/rescomp-oom-XXXXXX";
static char model[64], copy[64];

static rc_status script_import_export(rc_context *c)
{
    rc_graph *g = NULL;
    rc_status st = rc_graph_load(&g, c, model);
    if (st == RC_OK)
        st = rc_graph_save(g, copy);
    rc_graph_free(&g);
    return st;
}

static rc_status script_fuse(rc_context *c)
{
    rc_graph *g = NULL, *twin = NULL;
    rc_status st = rc_graph_load(&g, c, model);
    if (st == RC_OK)
        st = rc_graph_clone(&twin, g);
    if (st == RC_OK)
        st = rc_graph_fuse(twin);
    rc_graph_free(&twin);
    rc_graph_free(&g);
    return st;
}

static rc_status script_create(rc_context *c)
{
    rc_graph *g = NULL;
    const rc_status st = rc_graph_new_network(&g, c, "resnet8", NULL);
    rc_graph_free(&g);
    return st;
}

static rc_status script_prune(rc_context *c)
{
    rc_graph *g = NULL, *smaller = NULL;
    rc_pruner *p = NULL;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.round_to = 4;
    rc_status st = rc_graph_load(&g, c, model);
    if (st == RC_OK)
        st = rc_pruner_new(&p, g, &o);
    if (st == RC_OK)
        st = rc_pruner_apply(&smaller, p, NULL);
    rc_graph_free(&smaller);
    rc_pruner_free(&p);
    rc_graph_free(&g);
    return st;
}

static int32_t grey_image(void *user, uint64_t index, void *image, int32_t *label)
{
    (void) user;
    if (image)
        memset(image, (int) (index * 13), 3 * 32 * 32);
    *label = (int32_t) (index % 10);
    return 0;
}

static rc_status prune_with_data(rc_context *c, const char *criterion, const char *repair)
{
    rc_graph *g = NULL, *smaller = NULL;
    rc_dataset *d = NULL;
    rc_pruner *p = NULL;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_dataset_source source = RC_DATASET_SOURCE_INIT;
    source.get = grey_image;
    source.images = 16;
    source.channels = 3;
    source.height = source.width = 32;
    source.classes = 10;
    o.criterion = criterion;
    o.repair = repair;
    o.batch = 8;
    const char *const keep[] = {"layer2*", "layer3*"}; /* one layer to read and fit */
    o.keep = keep;
    o.keep_count = 2;
    o.ratio = 0.9;
    rc_status st = rc_graph_load(&g, c, model);
    if (st == RC_OK)
        st = rc_dataset_new_callback(&d, c, &source, NULL);
    o.dataset = d;
    if (st == RC_OK)
        st = rc_pruner_new(&p, g, &o);
    if (st == RC_OK)
        st = rc_pruner_apply(&smaller, p, NULL);
    rc_graph_free(&smaller);
    rc_pruner_free(&p);
    rc_dataset_free(&d);
    rc_graph_free(&g);
    return st;
}

static rc_status script_repair(rc_context *c)
{
    return prune_with_data(c, "l2", "least-squares:drift=0");
}

static rc_status script_eliminate(rc_context *c)
{
    return prune_with_data(c, "block-obs", "none");
}

/* Every step-th allocation. */
static void survive_some(rc_status (*script)(rc_context *), const char *name, long step)
{
    rc_status st = RC_ERR_MEMORY;
    long n = 0;
    blocks = 0; /* a leak of another script is not ours */
    for (; st != RC_OK; n += step) {
        rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
        rc_context *c = NULL;
        o.allocate = allocate;
        o.release = release;
        o.threads = 1;
        until_failure = n;
        st = rc_context_new(&c, &o);
        if (st == RC_OK)
            st = script(c);
        until_failure = -1;
        rc_context_free(&c);
        if (st != RC_OK && st != RC_ERR_MEMORY)
            fail_msg("%s: failure %ld gave %s: %s", name, n, rc_status_name(st), rc_last_error());
        if (blocks)
            fail_msg("%s: failure %ld leaked %ld blocks", name, n, blocks);
    }
    print_message("%s: %ld allocations\n", name, n);
    assert_true(n > 10);
}

static void survive(rc_status (*script)(rc_context *), const char *name)
{
    survive_some(script, name, 1);
}

static void import_and_export_survive_every_failed_allocation(void **state)
{
    (void) state;
    survive(script_import_export, "import and export");
}

static void copying_and_fusing_survive_every_failed_allocation(void **state)
{
    (void) state;
    survive(script_fuse, "copy and fuse");
}

static void creating_a_network_survives_every_failed_allocation(void **state)
{
    (void) state;
    survive(script_create, "create");
}

static void pruning_survives_every_failed_allocation(void **state)
{
    (void) state;
    survive(script_prune, "prune");
}

static void repairing_survives_every_failed_allocation(void **state)
{
    (void) state;
    survive(script_repair, "repair");
}

static void eliminating_survives_every_failed_allocation(void **state)
{
    (void) state;
    survive_some(script_eliminate, "eliminate", 7); /* all 4,600 take a minute */
}

static int setup(void **state)
{
    (void) state;
    rc_context *c;
    rc_graph *g;
    until_failure = -1;
    if (!mkdtemp(folder))
        return -1;
    snprintf(model, sizeof(model), "%s/model.onnx", folder);
    snprintf(copy, sizeof(copy), "%s/copy.onnx", folder);
    OK(rc_context_new(&c, NULL));
    OK(rc_graph_new_network(&g, c, "resnet8", NULL));
    OK(rc_graph_save(g, model));
    rc_graph_free(&g);
    rc_context_free(&c);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    unlink(model);
    unlink(copy);
    return rmdir(folder); /* fails when a temporary file was left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(import_and_export_survive_every_failed_allocation),
        cmocka_unit_test(copying_and_fusing_survive_every_failed_allocation),
        cmocka_unit_test(creating_a_network_survives_every_failed_allocation),
        cmocka_unit_test(pruning_survives_every_failed_allocation),
        cmocka_unit_test(repairing_survives_every_failed_allocation),
        cmocka_unit_test(eliminating_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
