#ifndef RC_LIB_RECIPE_AIM_H
#define RC_LIB_RECIPE_AIM_H
/* Goals are reached for: points are made, measured and kept until all goals are met or time is up.
 * aim.c has the loop, aim_goals.c what is asked for, aim_fit.c widths for the costs that goals
 * allow, aim_point.c the making and measuring of one point, aim_state.c what is on disk. */
#include "recipe/recipe.h"
#include "search/widths.h"

enum rci_goal {
    RC_GOAL_DROP,
    RC_GOAL_SIZE,
    RC_GOAL_LATENCY,
    RC_GOAL_ENERGY,
    RC_GOAL_MACS,
    RC_GOAL_COST,
    RC_GOALS
};

/* One network, as it was measured. */
struct rci_aim_point {
    struct rc_graph *reals, *result; /* what training goes on from; what a user gets */
    struct rci_figures f;
    double value[RC_GOALS]; /* points of top-1 lost; else after / before */
    double seconds;
    uint64_t bits, epochs, images;
    uint32_t *kept; /* [n_groups] widths */
    char name[96];
};

struct rci_aim {
    struct rci_run *run;
    double limit[RC_GOALS]; /* 0: no such goal, but for DROP */
    double fit[RC_GOALS];   /* the same, or a strength that is tried, for widths */
    double hard, mild;      /* strengths: too much, enough */
    struct rc_pruner *scored, *shapes;
    struct rc_device *profiled; /* made here */
    const struct rc_device *device;
    struct rci_widths *widths;
    double before_cost;            /* of the caller's own cost */
    double budget[RC_WIDTH_COSTS]; /* predicted costs that the best widths were solved for */
    double base[RC_WIDTH_COSTS];   /* of the original */
    struct rci_aim_point best, last;
    uint32_t points, best_index; /* measured so far; which of them is best */
    uint64_t began;
    double spent; /* by runs before this one [s] */
};

/* aim.c */
rc_status rci_aim_run(struct rci_run *run);
bool rci_aim_wanted(const rc_compress_options *o);
double rci_aim_seconds_left(const struct rci_aim *a);

/* aim_goals.c */
void rci_aim_limits(struct rci_aim *a);
/* Sum of how much every goal is missed by, each in parts of it; 0: all are met. */
double rci_aim_miss(const struct rci_aim *a, const double value[RC_GOALS]);
bool rci_aim_has_costs(const struct rci_aim *a);
/* RC_ERR_GOAL with a sentence for each missed goal, or RC_OK. */
rc_status rci_aim_verdict(const struct rci_aim *a, const double value[RC_GOALS]);
void rci_aim_describe(const struct rci_aim *a, const double value[RC_GOALS], char *text,
                      size_t size);
/* RC_ERR_ARG when even the narrowest network costs too much. */
rc_status rci_aim_check_possible(struct rci_aim *a);

/* aim_fit.c: widths for bits, by what cuts of the weights as they are cost when measured. */
rc_status rci_aim_fit(struct rci_aim *a, uint64_t bits);

/* aim_search.c: other widths within the same budgets, by true accuracy */
rc_status rci_aim_search(struct rci_aim *a, uint64_t bits);

/* aim_point.c */
void rci_aim_point_free(struct rci_aim_point *p);
rc_status rci_aim_quantize(struct rci_aim *a, struct rc_graph **out, const struct rc_graph *reals,
                           uint64_t bits, bool quick);
/* Costs alone of a graph that will be given to users; `times`: latency and energy too. */
rc_status rci_aim_costs(struct rci_aim *a, const struct rc_graph *g, struct rci_figures *f,
                        double value[RC_GOALS], bool times);
/* The widths of now cut and repaired. */
rc_status rci_aim_cut(struct rci_aim *a, struct rci_aim_point *p, uint64_t bits);
rc_status rci_aim_train(struct rci_aim *a, struct rci_aim_point *p, double seconds);
/* p->reals quantized, measured, reported; it becomes a->last, and a->best when it is nearer. */
rc_status rci_aim_measure(struct rci_aim *a, struct rci_aim_point *p);

/* aim_state.c */
rc_status rci_aim_save(struct rci_aim *a, const struct rci_aim_point *p);
rc_status rci_aim_load(struct rci_aim *a);
#endif
