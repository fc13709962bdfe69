/**
 * @file rescomp/method.h
 * Every pluggable method of this build - losses, optimisers, rates, criteria, observers ... - with
 * its parameters. A method is chosen by a spec string "name:key=value,key=value".
 */
#ifndef RESCOMP_METHOD_H
#define RESCOMP_METHOD_H

#include <rescomp/base.h>

RC_BEGIN

/** One kind of method. Strings live as long as the library. */
typedef struct rc_method_kind_info {
    size_t size;         /**< sizeof(rc_method_kind_info), set by the INIT macro. */
    const char *name;    /**< Such as "optimizer". */
    const char *summary; /**< One line. */
    uint64_t methods;    /**< Number of methods. */
} rc_method_kind_info;

#define RC_METHOD_KIND_INFO_INIT { sizeof(rc_method_kind_info), 0, 0, 0 }

/** One method. Strings live as long as the library. */
typedef struct rc_method_info {
    size_t size;         /**< sizeof(rc_method_info), set by the INIT macro. */
    const char *name;    /**< The part of a spec before the colon. */
    const char *summary; /**< One line. */
    const char *source;  /**< The paper, or "". */
    uint64_t parameters; /**< Number of parameters. */
} rc_method_info;

#define RC_METHOD_INFO_INIT { sizeof(rc_method_info), 0, 0, 0, 0 }

/** One parameter of a method. Strings live as long as the library. */
typedef struct rc_parameter_info {
    size_t size;          /**< sizeof(rc_parameter_info), set by the INIT macro. */
    const char *name;     /**< The key in a spec. */
    const char *summary;  /**< One line. */
    uint64_t type;        /**< RC_PARAMETER_INTEGER, _REAL or _BOOLEAN. */
    double default_value; /**< In force when a spec does not name it. */
    double min;           /**< Smallest value allowed. */
    double max;           /**< Largest value allowed. */
} rc_parameter_info;

#define RC_PARAMETER_INFO_INIT { sizeof(rc_parameter_info), 0, 0, 0, 0, 0, 0 }
/** A whole number. */
#define RC_PARAMETER_INTEGER UINT64_C(1)
/** A number. */
#define RC_PARAMETER_REAL UINT64_C(2)
/** 0 or 1, also written false or true. */
#define RC_PARAMETER_BOOLEAN UINT64_C(3)

/** Number of kinds. Thread safety: any thread. @since 0.1 */
RC_API uint64_t rc_method_count_kinds(void);

/** Kind @p index of rc_method_count_kinds().
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. Thread safety: any thread. @since 0.1 */
RC_API rc_status rc_method_get_kind(uint64_t index, rc_method_kind_info *info);

/** Method @p index of @p kind.
 *  @param[in] kind A name from rc_method_get_kind().
 *  @return RC_OK; RC_ERR_ARG no such kind (the message lists them) or index; RC_ERR_ABI.
 *  Thread safety: any thread. @since 0.1 */
RC_API rc_status rc_method_get(const char *kind, uint64_t index, rc_method_info *info);

/** Parameter @p index of method number @p method of @p kind.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. Thread safety: any thread. @since 0.1 */
RC_API rc_status rc_method_get_parameter(const char *kind, uint64_t method, uint64_t index,
                                         rc_parameter_info *info);

RC_END
#endif
