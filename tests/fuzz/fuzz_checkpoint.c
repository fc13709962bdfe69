/* Checkpoints of a training run, as they are and with a header that fits the body. What is refused
 * leaves the run untouched; what is accepted is written again, byte for byte. */
#include "fuzz.h"
#include "quantnets.h"

#include "base/file.h"
#include "train/state.h"

#include <stdlib.h>
#include <zlib.h>

static const char identity[] = "fuzz";
enum { HEADER = 24 };

/* One run for all inputs: making a tape takes longer than reading. */
static struct rci_train_state run;

static void close_state(void)
{
    struct rc_graph *g = run.graph;
    struct rc_context *c = g->ctx;
    rci_train_state_close(&run);
    rci_graph_free(g);
    fuzz_context_done(c);
}

static struct rci_train_state *shared_state(void)
{
    if (!run.graph) {
        struct rc_context *c = fuzz_context();
        struct rc_graph *g = quant_two_convs(c, (float[]){1, 2}, (float[]){0, 1});
        struct rci_tape *t;
        const struct rci_tape_config o = {.batch = 1};
        FUZZ_CHECK(rci_tape_new(&t, g, &o) == RC_OK);
        FUZZ_CHECK(rci_train_state_open(&run, g, t, 1, true, true) == RC_OK);
        rci_tape_free(t);
        FUZZ_CHECK(atexit(close_state) == 0);
    }
    return &run;
}

static uint32_t sum_of(const struct rci_train_state *s)
{
    uLong sum = crc32_z(0, (const uint8_t *) &s->count, sizeof(s->count));
    for (uint32_t i = 0; i < s->n_values; i++) {
        const struct rci_tensor *t = &s->graph->values[s->values[i]].tensor;
        sum = crc32_z(sum, t->data, rci_tensor_bytes(t));
    }
    return (uint32_t) sum;
}

static void use(const uint8_t *data, size_t size)
{
    struct rci_train_state *s = shared_state();
    const char *path = fuzz_file("checkpoint", data, size);
    const uint32_t before = sum_of(s);
    struct rci_bytes again;
    bool found;
    const rc_status st = rci_checkpoint_read(s, path, identity, &found);
    FUZZ_CHECK(found);
    FUZZ_CHECK(st == RC_OK || st == RC_ERR_FORMAT || st == RC_ERR_TRUNCATED ||
               st == RC_ERR_UNSUPPORTED || st == RC_ERR_ARG);
    FUZZ_CHECK(st == RC_OK || sum_of(s) == before);
    if (st != RC_OK)
        return;
    FUZZ_CHECK(rci_checkpoint_write(s, path, identity) == RC_OK);
    FUZZ_CHECK(rci_file_read(s->graph->ctx, path, 0, &again) == RC_OK);
    FUZZ_CHECK(again.size == size && !memcmp(again.data, data, size));
    rci_release(again.data);
}

/* The input as body of a sound header. */
static void use_body(const uint8_t *data, size_t size)
{
    const uint32_t version = 1, crc = (uint32_t) crc32_z(0, data, size);
    const uint64_t body = size;
    uint8_t *file = malloc(HEADER + size);
    FUZZ_CHECK(file != NULL);
    memcpy(file, "\x89RCT\r\n\x1a\n", 8);
    memcpy(file + 8, &version, 4);
    memcpy(file + 12, &crc, 4);
    memcpy(file + 16, &body, 8);
    memcpy(file + HEADER, data, size);
    use(file, HEADER + size);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    use(data, size);
    use_body(data, size);
    if (size > HEADER)
        use_body(data + HEADER, size - HEADER);
    return 0;
}
