#ifndef RC_LIB_IO_SURVEY_H
#define RC_LIB_IO_SURVEY_H
/* What a model file holds, as it stands there: also of models that cannot be imported. */
#include "graph/graph.h"
#include "wire/onnx.h"

struct rci_survey_operator {
    const char *name, *domain; /* "" is ONNX's */
    uint64_t count;
    bool supported;
};

struct rc_survey {
    uint64_t magic;
    struct rc_context *ctx;
    struct rci_arena arena;
    const Onnx__ModelProto *model;
    struct rci_survey_operator *operators; /* by name */
    uint32_t n_operators, cap_operators;
};

rc_status rci_survey_new(struct rc_survey **out, struct rc_context *c, const char *path);
void rci_survey_free(struct rc_survey *s);
bool rci_survey_valid(const struct rc_survey *s);
/* Is a node of the domain? */
bool rci_survey_uses(const struct rc_survey *s, const char *domain);
#endif
