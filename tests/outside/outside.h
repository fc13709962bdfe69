#ifndef OUTSIDE_H
#define OUTSIDE_H
/* One method of every kind that lives outside lib/: each counts its calls. */
enum outside_kind {
    OUTSIDE_ALLOCATION,
    OUTSIDE_AUGMENTATION,
    OUTSIDE_CRITERION,
    OUTSIDE_DISTILL_LOSS,
    OUTSIDE_LOSS,
    OUTSIDE_OBSERVER,
    OUTSIDE_OPTIMIZER,
    OUTSIDE_QAT,
    OUTSIDE_RATE,
    OUTSIDE_REGULARIZER,
    OUTSIDE_REPAIR,
    OUTSIDE_ROUNDING,
    OUTSIDE_SCHEDULE,
    OUTSIDE_SEARCHER,
    OUTSIDE_TABLE_FORMAT,
    OUTSIDE_TARGET,
    OUTSIDE_KINDS
};
extern unsigned outside_calls[OUTSIDE_KINDS];
#endif
