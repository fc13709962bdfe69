/**
 * @file rescomp/report.h
 * What a compression run did: steps, before and after, layers; as JSON and as one HTML page that
 * needs nothing else (plots are inline SVG).
 */
#ifndef RESCOMP_REPORT_H
#define RESCOMP_REPORT_H

#include <rescomp/graph.h>
#include <rescomp/session.h>

RC_BEGIN

/** Opaque. One thread at a time. */
typedef struct rc_report rc_report;

/** A state of the model. The first step added is "before", the last kept one "after", unless
 *  rc_report_set_summary() says otherwise. */
typedef struct rc_report_step {
    size_t size;           /**< sizeof(rc_report_step), set by the INIT macro. */
    const char *name;      /**< Such as "prune"; must be set. Copied. */
    double top1;           /**< Accuracy; 0: not measured; RC_ZERO_REAL: no image was right.
                                Range 0..100. [percent] */
    double median_ms;      /**< Latency; 0: not measured. [ms] */
    uint64_t file_bytes;   /**< Size of the model file; 0: not known. [bytes] */
    uint64_t weight_bytes; /**< Bytes of all weights; 0: not known. [bytes] */
    uint64_t macs;         /**< Multiply-adds for one image; 0: not known. */
    uint64_t parameters;   /**< Weight elements; 0: not known. */
    double seconds;        /**< Time that the step took; 0: not known. [s] */
    uint64_t kept;         /**< 1: the run went on from here; 0: tried and given up. */
    const char *note;      /**< Free text; NULL: none. Copied. */
    const char *top1_on;   /**< Images of top1, such as "test"; NULL: not said. Copied. */
} rc_report_step;

#define RC_REPORT_STEP_INIT                                     \
    {                                                           \
        sizeof(rc_report_step), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/** @param[out] out   New report; NULL on failure. Release with rc_report_free().
 *  @param[in]  title Heading. Copied.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_report_new(rc_report **out, rc_context *context, const char *title);

/** Release; accepts NULL, sets *report to NULL. @since 0.1 */
RC_API void rc_report_free(rc_report **report);

/** State something the figures depend on (processor, data set, seed ...). The same name again
 *  replaces the value. Both are copied. @return RC_OK; RC_ERR_ARG; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_report_set_fact(rc_report *report, const char *name, const char *value);

/** Add a step. @return RC_OK; RC_ERR_ARG no name, or a figure negative, not finite or out of range;
 *  RC_ERR_ABI; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_report_add_step(rc_report *report, const rc_report_step *step);

/** Figures of "before" or "after" in place of those of the first and the last kept step: for what
 *  is measured at the end only, such as accuracy on test images, and both latencies in one run.
 *  @param[in] which RC_REPORT_BEFORE or RC_REPORT_AFTER. Replaces what an earlier call said.
 *  @return as rc_report_add_step(). @since 0.1 */
RC_API rc_status rc_report_set_summary(rc_report *report, int32_t which,
                                       const rc_report_step *step);

/** Compare the layers of two graphs: those with multiply-adds, matched by node name. Replaces what
 *  an earlier call said. The graphs are read during the call only.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_MODEL; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_report_set_layers(rc_report *report, const rc_graph *before,
                                      const rc_graph *after);

/** Add the times of a session made with RC_SESSION_PROFILE, matched by node name with the layers
 *  that are set; work of other nodes becomes one row "(other)".
 *  @param[in] which RC_REPORT_BEFORE or RC_REPORT_AFTER.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_STATE no layers are set; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_report_set_times(rc_report *report, int32_t which, const rc_session *session);
#define RC_REPORT_BEFORE 0
#define RC_REPORT_AFTER 1

/** The report as one JSON object; keys in docs/report.md.
 *  @param[out] text Borrowed until the next call with @p report.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_report_get_json(rc_report *report, const char **text);

/** The report as one HTML page, which is well-formed XML too.
 *  As rc_report_get_json(). @since 0.1 */
RC_API rc_status rc_report_get_html(rc_report *report, const char **text);

/** Write FOLDER/report.json and FOLDER/report.html, each whole or not at all. The folder is made
 *  when only its last part is missing.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_PATH; RC_ERR_IO; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_report_save(rc_report *report, const char *folder);

/** Read a report that rc_report_save() or `rescomp compress --report` wrote.
 *  @param[out] out  New report; NULL on failure. Release with rc_report_free().
 *  @param[in]  path report.json, or the folder that holds it. Keys that this version does not know
 *                   are left out.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_PATH; RC_ERR_IO; RC_ERR_FORMAT no report; RC_ERR_UNSUPPORTED
 * of another schema; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_report_load(rc_report **out, rc_context *context, const char *path);

/** Two reports as one: columns "A" and "B" are what @p a and @p b ended with, layers are those of
 *  both results matched by name, steps are those of both runs.
 *  @param[out] out New report, independent of both; NULL on failure.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_report_compare(rc_report **out, const rc_report *a, const rc_report *b);

RC_END
#endif
