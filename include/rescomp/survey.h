/**
 * @file rescomp/survey.h
 * What a model file holds as it stands there: also of models that cannot be loaded.
 */
#ifndef RESCOMP_SURVEY_H
#define RESCOMP_SURVEY_H

#include <rescomp/base.h>

RC_BEGIN

/** Opaque. */
typedef struct rc_survey rc_survey;

/**
 * Read an ONNX file without its weights. Nothing is checked beyond the encoding: operators, opsets
 * and types may be any.
 *
 * @param[out] out New survey; NULL on failure. Release with rc_survey_free().
 * @return RC_OK; RC_ERR_ARG; RC_ERR_PATH, RC_ERR_IO; RC_ERR_FORMAT, RC_ERR_TRUNCATED not ONNX;
 *         RC_ERR_LIMIT; RC_ERR_MEMORY. @since 0.1
 */
RC_API rc_status rc_survey_new(rc_survey **out, rc_context *context, const char *path);

/** Release; accepts NULL, sets *survey to NULL. @since 0.1 */
RC_API void rc_survey_free(rc_survey **survey);

/** Totals. */
typedef struct rc_survey_info {
    size_t size;           /**< sizeof(rc_survey_info), set by the INIT macro. */
    uint64_t nodes;        /**< Nodes of the main graph. */
    uint64_t unsupported;  /**< Of them: nodes that cannot be imported. */
    uint64_t operators;    /**< Different operators. */
    uint64_t opsets;       /**< Entries of opset_import. */
    uint64_t initializers; /**< Weights. */
    uint64_t functions;    /**< Functions of the model. */
    int64_t ir_version;    /**< 0 when missing. */
    const char *producer;  /**< Who wrote it, "" when not said. */
} rc_survey_info;

#define RC_SURVEY_INFO_INIT { sizeof(rc_survey_info), 0, 0, 0, 0, 0, 0, 0, 0 }

/** @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_survey_get_info(const rc_survey *survey, rc_survey_info *info);

/** An operator and how many nodes have it. Strings live as long as the survey. */
typedef struct rc_survey_operator_info {
    size_t size;        /**< sizeof(rc_survey_operator_info), set by the INIT macro. */
    const char *name;   /**< Such as "Conv". */
    const char *domain; /**< "" is ONNX's. */
    uint64_t count;     /**< Nodes. */
    uint64_t supported; /**< 1 when the library has it, else 0. */
} rc_survey_operator_info;

#define RC_SURVEY_OPERATOR_INFO_INIT { sizeof(rc_survey_operator_info), 0, 0, 0, 0 }

/** Operator @p index, by name. @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_survey_get_operator(const rc_survey *survey, uint64_t index,
                                        rc_survey_operator_info *info);

/** An entry of opset_import. */
typedef struct rc_survey_opset_info {
    size_t size;        /**< sizeof(rc_survey_opset_info), set by the INIT macro. */
    const char *domain; /**< "" is ONNX's. */
    int64_t version;    /**< Of the domain. */
    uint64_t used;      /**< 1 when a node is of the domain, else 0. */
} rc_survey_opset_info;

#define RC_SURVEY_OPSET_INFO_INIT { sizeof(rc_survey_opset_info), 0, 0, 0 }

/** Opset @p index, as in the file. @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_survey_get_opset(const rc_survey *survey, uint64_t index,
                                     rc_survey_opset_info *info);

/** A node. */
typedef struct rc_survey_node_info {
    size_t size;        /**< sizeof(rc_survey_node_info), set by the INIT macro. */
    const char *name;   /**< Its name, or that of its first result. */
    const char *op;     /**< Operator. */
    const char *domain; /**< "" is ONNX's. */
    uint64_t supported; /**< 1 when it can be imported, else 0. */
} rc_survey_node_info;

#define RC_SURVEY_NODE_INFO_INIT { sizeof(rc_survey_node_info), 0, 0, 0, 0 }

/** Node @p index, as in the file. @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_survey_get_node(const rc_survey *survey, uint64_t index,
                                    rc_survey_node_info *info);

RC_END
#endif
