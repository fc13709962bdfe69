#ifndef RC_LIB_QUANT_QAT_H
#define RC_LIB_QUANT_QAT_H
/* How weights and activations are rounded while a quantized graph is trained, and what has which
 * gradient. Methods see plain arrays (op/quant/fakequant.h); quant/trainable.c makes the graph,
 * quant/harden.c ends it, quant/qat_hook.c acts within steps. */
#include "base/method.h"
#include "op/quant/fakequant.h"

struct rci_qat_common {
    double freeze; /* share of the last steps in which a weight's integer went back; 0: never */
    int64_t guard; /* the rate is halved where the loss runs away */
};

#define RC_QAT_COMMON                                                                  \
    {"freeze",                                                                         \
     "weights whose integer goes to and fro in this share of the steps stay, 0: none", \
     RC_PARAM_REAL,                                                                    \
     offsetof(struct rci_qat_common, freeze),                                          \
     0,                                                                                \
     0,                                                                                \
     1},                                                                               \
    {                                                                                  \
        "guard", "halve the rate and go back where the loss runs away", RC_PARAM_BOOL, \
            offsetof(struct rci_qat_common, guard), 1, 0, 1                            \
    }

/* Parameter structs begin with struct rci_qat_common. */
struct rci_qat {
    struct rci_method m;
    const struct rci_fake_quant_rule *weights, *activations;
    /* of activations of both signs that layers alone read; NULL: `activations` */
    const struct rci_fake_quant_rule *shifted;
    bool halves; /* weights lie between integers: twice as many steps, odd integers */
    /* Of a channel's weights, how wide a step is before training. NULL: as without training */
    double (*width)(double mean, double deviation, uint32_t bits);
    double (*decay)(const void *params); /* of learned thresholds; NULL: none */
};
extern const struct rci_method_kind rci_kind_qat;

/* Rules that several methods share; where they are defined says what they are. */
extern const struct rci_fake_quant_rule rci_fake_rule_lsq;    /* qat/lsq.c */
extern const struct rci_fake_quant_rule rci_fake_rule_pact;   /* qat/pact.c */
extern const struct rci_fake_quant_rule rci_fake_rule_dorefa; /* qat/dorefa.c */
#endif
