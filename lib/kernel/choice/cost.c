/* The peaks of the processor at hand, measured in a fraction of a millisecond. */
#include "kernel/choice/cost.h"
#include "base/file.h"
#include "kernel/choice/choice.h"
#include "kernel/choice/trial.h"
#include "kernel/gemm/code.h"
#include "kernel/onednn/onednn.h"

#include <stdio.h>

#define PEAKS_KEY "peaks of one thread: f32 multiply-adds and bytes from L3 per ns"

enum { GROUPS = 8, PEAK_TURNS = 5, PEAK_RUNS = 100 };

/* A register block of the matrix kernel on operands that stay in L1. */
static double measure_macs(const struct rci_vector_code *code, float *memory)
{
    const int64_t depth = (int64_t) GROUPS * code->lanes, width = 2 * code->lanes;
    float *weights = memory + code->rows * depth, *sums = weights + depth * width;
    const struct rci_gemm_block b = {
        .pixels = memory, .weights = weights, .groups = GROUPS, .sums = sums, .first = true};
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < PEAK_TURNS; i++) {
        const uint64_t begin = rci_clock_ns();
        for (int n = 0; n < PEAK_RUNS; n++)
            code->gemm[1](&b, code->rows);
        const uint64_t ns = rci_clock_ns() - begin;
        best = ns < best ? ns : best;
    }
    return (double) (code->rows * depth * width * PEAK_RUNS) / (double) (best + 1);
}

static double measure_reading(const void *memory, size_t bytes)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < PEAK_TURNS; i++) {
        const uint64_t begin = rci_clock_ns();
        rci_trial_read(memory, bytes);
        const uint64_t ns = rci_clock_ns() - begin;
        best = ns < best ? ns : best;
    }
    return (double) bytes / (double) (best + 1);
}

const struct rci_peaks *rci_peaks_of(struct rci_engine *e, struct rci_peaks *out)
{
    struct rc_context *c = rci_engine_context(e);
    const struct rci_vector_code *code = rci_vector_code_here(c->cpu, RC_F32);
    const size_t bytes = 3 * c->cpu->l2;
    char word[RC_CHOICE_WORD];
    if (!code)
        return NULL;
    if (rci_choice_recall(c, PEAKS_KEY, word) &&
        sscanf(word, "%lf %lf", &out->macs, &out->l3) == 2 && out->macs > 0 && out->l3 > 0)
        return out;
    float *memory = rci_engine_trial(e, bytes);
    if (!memory)
        return NULL;
    out->macs = measure_macs(code, memory);
    out->l3 = measure_reading(memory, bytes);
    snprintf(word, sizeof(word), "%.1f %.1f", out->macs, out->l3);
    (void) rci_choice_remember(c, PEAKS_KEY, word); /* without memory it is measured again */
    return out;
}

/* Channels are padded to vectors. 1x1 windows are products of matrices; larger ones read all
 * weights for every row of the output, which rows shorter than 28 pixels do not pay for once
 * weights are larger than L2. */
double rci_onednn_conv_cost(const struct rci_conv_spec *s, const struct rci_peaks *p)
{
    const struct rci_conv_geometry *g = s->geometry;
    const int64_t lanes = s->cpu->lanes, in = g->in_channels / g->groups;
    const int64_t least = in < lanes ? in : rci_vector_pad(in, lanes); /* images come as they are */
    const double depth = rci_conv_taps(g) * (double) least;
    const double macs =
        rci_conv_pixels(g) * depth * (double) rci_vector_pad(g->out_channels, lanes);
    const double weights = depth * (double) g->out_channels * sizeof(float);
    const bool strided = g->stride[0] > 1 || g->stride[1] > 1;
    const bool short_rows = g->out[1] < 28 && weights > (double) s->cpu->l2;
    const bool few_pixels = g->batch * g->out[0] * g->out[1] < 64;
    double efficiency;
    if (rci_conv_taps(g) <= 1)
        efficiency = (strided ? 0.80 : 0.86) * (few_pixels ? 0.89 : 1);
    else
        efficiency = (strided ? 0.70 : 0.79) * (short_rows ? 0.8 : 1);
    return rci_cost_macs(s, p, macs, efficiency) + rci_cost_read(s, p, weights);
}
