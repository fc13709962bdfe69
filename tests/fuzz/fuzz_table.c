/* Calibration tables, every format, for a network of two convolutions. A table that is accepted
 * is written in all formats and read again, and quantizes the network. */
#include "fuzz.h"
#include "quantnets.h"

#include "quant/format.h"
#include "quant/quantizer.h"

#include <stdlib.h>

/* One for all inputs: a table replaces all that the one before it set. */
static rc_quantizer *quantizer;

static void close_quantizer(void)
{
    struct rc_context *c = quantizer->ctx;
    rci_quantizer_free(quantizer);
    fuzz_context_done(c);
}

static rc_quantizer *shared_quantizer(void)
{
    if (!quantizer) {
        struct rc_context *c = fuzz_context();
        struct rc_graph *g = quant_two_convs(c, (float[]){1, 2}, (float[]){0, 1});
        quantizer = quant_new(g, "minmax", RC_QUANTIZE_NO_BIAS_CORRECTION);
        rci_graph_free(g);
        FUZZ_CHECK(atexit(close_quantizer) == 0);
    }
    return quantizer;
}

static void write_and_read(rc_quantizer *q)
{
    for (uint32_t k = 0; k < rci_kind_table_format.count; k++) {
        const char *format = rci_kind_table_format.table[k]->name;
        const char *path = fuzz_file("again", (const uint8_t *) "", 0);
        FUZZ_CHECK(rci_quantizer_save_table(q, path, format) == RC_OK);
        FUZZ_CHECK(rci_quantizer_load_table(q, path, format) == RC_OK);
    }
}

/* Scales of weights belong to the last table: one without. */
static void forget_scales(rc_quantizer *q)
{
    static const char plain[] =
        "TRT-8601-MinMaxCalibration\na: b (1): 3c010a14\nr_output_0: 3d000000";
    const char *path = fuzz_file("plain", (const uint8_t *) plain, sizeof(plain) - 1);
    FUZZ_CHECK(rci_quantizer_load_table(q, path, "tensorrt") == RC_OK);
}

static void quantize(const rc_quantizer *q)
{
    struct rc_graph *g;
    FUZZ_CHECK(rci_quantizer_apply(&g, q) == RC_OK);
    FUZZ_CHECK(rci_graph_verify(g) == RC_OK);
    rci_graph_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rc_quantizer *q = shared_quantizer();
    const char *path = fuzz_file("table", data, size);
    uint64_t before, after;
    rc_context_get_memory(q->ctx, &before, NULL);
    for (uint32_t k = 0; k < rci_kind_table_format.count; k++) {
        const char *format = rci_kind_table_format.table[k]->name;
        const rc_status st = rci_quantizer_load_table(q, path, format);
        FUZZ_CHECK(st == RC_OK || st == RC_ERR_FORMAT || st == RC_ERR_MODEL ||
                   st == RC_ERR_UNSUPPORTED);
        if (st == RC_OK) {
            quantize(q);
            write_and_read(q);
        }
    }
    forget_scales(q);
    rc_context_get_memory(q->ctx, &after, NULL);
    FUZZ_CHECK(before == after);
    return 0;
}
