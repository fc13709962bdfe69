/* How the scores of a group's members become one number per channel. */
#include "prune/criterion.h"

#include <math.h>

static void mean_reduce(const double *score, uint32_t n_members, uint32_t n, double *out)
{
    for (uint32_t c = 0; c < n; c++) {
        double sum = 0;
        for (uint32_t m = 0; m < n_members; m++)
            sum += score[(size_t) m * n + c];
        out[c] = sum / n_members;
    }
}

static void sum_reduce(const double *score, uint32_t n_members, uint32_t n, double *out)
{
    for (uint32_t c = 0; c < n; c++) {
        out[c] = 0;
        for (uint32_t m = 0; m < n_members; m++)
            out[c] += score[(size_t) m * n + c];
    }
}

static void max_reduce(const double *score, uint32_t n_members, uint32_t n, double *out)
{
    for (uint32_t c = 0; c < n; c++) {
        out[c] = score[c];
        for (uint32_t m = 1; m < n_members; m++)
            out[c] = fmax(out[c], score[(size_t) m * n + c]);
    }
}

static void prod_reduce(const double *score, uint32_t n_members, uint32_t n, double *out)
{
    for (uint32_t c = 0; c < n; c++) {
        out[c] = 1;
        for (uint32_t m = 0; m < n_members; m++)
            out[c] *= score[(size_t) m * n + c];
    }
}

static void first_reduce(const double *score, uint32_t n_members, uint32_t n, double *out)
{
    (void) n_members;
    for (uint32_t c = 0; c < n; c++)
        out[c] = score[c];
}

#define SOURCE "Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023"
static const struct rci_reduction mean = {{"mean", "mean over members", SOURCE, 0, NULL, 0},
                                          mean_reduce};
static const struct rci_reduction sum = {{"sum", "sum over members", SOURCE, 0, NULL, 0},
                                         sum_reduce};
static const struct rci_reduction max = {{"max", "largest of the members", SOURCE, 0, NULL, 0},
                                         max_reduce};
static const struct rci_reduction prod = {{"prod", "product of the members", SOURCE, 0, NULL, 0},
                                          prod_reduce};
static const struct rci_reduction first = {
    {"first", "the first producing layer alone", "", 0, NULL, 0}, first_reduce};

static const struct rci_method *const table[] = {&mean.m, &sum.m, &max.m, &prod.m, &first.m};
const struct rci_method_kind rci_kind_reduction = {
    "reduction", "how the scores of coupled layers become one per channel", table,
    sizeof(table) / sizeof(table[0])};
