/* The border of surveys: what a file holds, also one that cannot be loaded. */
#include "io/survey.h"
#include "api/check.h"
#include "io/import.h"

#include <rescomp/survey.h>

RC_ABI_NO_TAIL(rc_survey_info, producer);
RC_ABI_NO_TAIL(rc_survey_operator_info, supported);
RC_ABI_NO_TAIL(rc_survey_opset_info, used);
RC_ABI_NO_TAIL(rc_survey_node_info, supported);

rc_status rc_survey_new(rc_survey **out, rc_context *context, const char *path)
{
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(path);
    return rci_survey_new(out, context, path);
}

void rc_survey_free(rc_survey **survey)
{
    RC_FREE(survey, survey);
}

rc_status rc_survey_get_info(const rc_survey *survey, rc_survey_info *info)
{
    rc_survey_info r = {sizeof(r)};
    RC_CHECK(survey, survey);
    RC_CHECK_SET(info);
    const Onnx__GraphProto *g = survey->model->graph;
    r.nodes = g->n_node;
    for (size_t i = 0; i < g->n_node; i++)
        /* calls of the model's own functions count by what is in them */
        r.unsupported += !rci_import_supports(survey->model, g->node[i]);
    r.operators = survey->n_operators;
    r.opsets = survey->model->n_opset_import;
    r.initializers = g->n_initializer;
    r.functions = survey->model->n_functions;
    r.ir_version = survey->model->ir_version;
    r.producer = rci_onnx_text(survey->model->producer_name);
    return rci_abi_write(info, &r, sizeof(r), "rc_survey_info");
}

rc_status rc_survey_get_operator(const rc_survey *survey, uint64_t index,
                                 rc_survey_operator_info *info)
{
    rc_survey_operator_info r = {sizeof(r)};
    RC_CHECK(survey, survey);
    RC_CHECK_SET(info);
    RC_TRY(rci_check_index("operator", index, survey->n_operators));
    r.name = survey->operators[index].name;
    r.domain = survey->operators[index].domain;
    r.count = survey->operators[index].count;
    r.supported = survey->operators[index].supported;
    return rci_abi_write(info, &r, sizeof(r), "rc_survey_operator_info");
}

rc_status rc_survey_get_opset(const rc_survey *survey, uint64_t index, rc_survey_opset_info *info)
{
    rc_survey_opset_info r = {sizeof(r)};
    RC_CHECK(survey, survey);
    RC_CHECK_SET(info);
    RC_TRY(rci_check_index("opset", index, survey->model->n_opset_import));
    const Onnx__OperatorSetIdProto *o = survey->model->opset_import[index];
    r.domain = rci_onnx_text(o->domain);
    r.version = o->version;
    r.used = rci_survey_uses(survey, r.domain);
    return rci_abi_write(info, &r, sizeof(r), "rc_survey_opset_info");
}

rc_status rc_survey_get_node(const rc_survey *survey, uint64_t index, rc_survey_node_info *info)
{
    rc_survey_node_info r = {sizeof(r)};
    RC_CHECK(survey, survey);
    RC_CHECK_SET(info);
    RC_TRY(rci_check_index("node", index, survey->model->graph->n_node));
    const Onnx__NodeProto *n = survey->model->graph->node[index];
    r.name = rci_import_node_name(n);
    r.op = rci_onnx_text(n->op_type);
    r.domain = rci_import_is_onnx(n->domain) ? "" : n->domain;
    r.supported = rci_import_supports(survey->model, n);
    return rci_abi_write(info, &r, sizeof(r), "rc_survey_node_info");
}
