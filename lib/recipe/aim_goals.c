/* What is asked for, how far a network is from it, and what cannot be. */
#include "recipe/aim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const goal_names[RC_GOALS] = {"top-1 lost", "size",          "latency",
                                                 "energy",     "multiply-adds", "cost"};

void rci_aim_limits(struct rci_aim *a)
{
    const rc_compress_options *o = a->run->o;
    a->limit[RC_GOAL_DROP] = o->max_drop;
    a->limit[RC_GOAL_SIZE] = o->size_ratio;
    a->limit[RC_GOAL_LATENCY] = o->latency_ratio;
    a->limit[RC_GOAL_ENERGY] = o->energy_ratio;
    a->limit[RC_GOAL_MACS] = o->macs_ratio;
    a->limit[RC_GOAL_COST] = o->cost_ratio;
    memcpy(a->fit, a->limit, sizeof(a->fit));
    a->hard = 0.06; /* of the multiply-adds: narrower than any layer may become */
    a->mild = 1;
}

bool rci_aim_has_costs(const struct rci_aim *a)
{
    for (uint32_t i = RC_GOAL_SIZE; i < RC_GOALS; i++)
        if (a->limit[i] > 0)
            return true;
    return false;
}

static double goal_miss(const struct rci_aim *a, uint32_t i, double value)
{
    if (i == RC_GOAL_DROP) /* half a point counts like all of a smaller allowance */
        return fmax(0, value - a->limit[i] - 1e-9) / fmax(a->limit[i], 0.5);
    return a->limit[i] > 0 ? fmax(0, value / a->limit[i] - 1 - 1e-9) : 0;
}

double rci_aim_miss(const struct rci_aim *a, const double value[RC_GOALS])
{
    double sum = 0;
    for (uint32_t i = 0; i < RC_GOALS; i++)
        sum += goal_miss(a, i, value[i]);
    return sum;
}

rc_status rci_aim_verdict(const struct rci_aim *a, const double value[RC_GOALS])
{
    if (rci_aim_miss(a, value) == 0)
        return RC_OK;
    rci_fail(RC_ERR_GOAL, "nearest of %u measured points:", a->points);
    const char *join = "";
    for (uint32_t i = 0; i < RC_GOALS; i++) {
        if (goal_miss(a, i, value[i]) == 0)
            continue;
        if (i == RC_GOAL_DROP)
            rci_fail_append("%s %.2f points of top-1 lost, the goal was %.2f", join, value[i],
                            a->limit[i]);
        else
            rci_fail_append("%s %s is %.4f of that before, the goal was %.4f (%.1f %% above)", join,
                            goal_names[i], value[i], a->limit[i],
                            100 * (value[i] / a->limit[i] - 1));
        join = ";";
    }
    return RC_ERR_GOAL;
}

void rci_aim_describe(const struct rci_aim *a, const double value[RC_GOALS], char *text,
                      size_t size)
{
    size_t used = (size_t) snprintf(text, size, "%.2f points lost of %.2f", value[RC_GOAL_DROP],
                                    a->limit[RC_GOAL_DROP]);
    for (uint32_t i = RC_GOAL_SIZE; i < RC_GOALS && used < size; i++)
        if (a->limit[i] > 0)
            used += (size_t) snprintf(text + used, size - used, ", %s %.4f of %.4f", goal_names[i],
                                      value[i], a->limit[i]);
}

/* What is known without measuring: sums over layers at their least widths and fewest bits. Files
 * hold more than that, so a goal below is out of reach. */
rc_status rci_aim_check_possible(struct rci_aim *a)
{
    static const enum rci_width_cost cost_of[] = {
        [RC_GOAL_SIZE] = RC_WIDTH_BYTES,
        [RC_GOAL_LATENCY] = RC_WIDTH_MS,
        [RC_GOAL_ENERGY] = RC_WIDTH_JOULES,
        [RC_GOAL_MACS] = RC_WIDTH_MACS,
    };
    const double bits = a->run->o->packed ? 2 : 8;
    RC_TRY(rci_widths_set_bits(a->widths, bits, true));
    RC_TRY(rci_widths_reset(a->widths, true));
    for (uint32_t i = RC_GOAL_SIZE; i <= RC_GOAL_MACS; i++) {
        const double before =
            i == RC_GOAL_SIZE ? (double) a->run->before.file_bytes : a->base[cost_of[i]];
        const double least = before > 0 ? a->widths->cost[cost_of[i]] / before : 0;
        /* times are predicted: a tenth may be missing */
        const double sure = i == RC_GOAL_MACS || i == RC_GOAL_SIZE ? 0.8 : 0.5;
        if (a->limit[i] > 0 && a->limit[i] < sure * least)
            return rci_fail(RC_ERR_ARG,
                            "%s %.4g cannot be reached: with every layer as narrow as it may "
                            "become some %.4g of it is left",
                            goal_names[i], a->limit[i], least);
    }
    return rci_widths_reset(a->widths, false);
}
