#ifndef TEST_H
#define TEST_H
/* What every test program includes: cmocka with its prerequisites, and checked shortcuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cpu.h"

/* Fails with the library's message when `call` is not RC_OK. */
#define OK(call)                                                                 \
    do {                                                                         \
        const rc_status ok_ = (call);                                            \
        if (ok_ != RC_OK)                                                        \
            fail_msg("%s: %s: %s", #call, rc_status_name(ok_), rc_last_error()); \
    } while (0)

/* Fails unless `call` gives `status` and the message contains `text`. */
#define REFUSED(call, status, text)                                                      \
    do {                                                                                 \
        const rc_status got_ = (call);                                                   \
        if (got_ != (status) || !strstr(rc_last_error(), (text)))                        \
            fail_msg("%s: %s: %s; expected %s with \"%s\"", #call, rc_status_name(got_), \
                     rc_last_error(), rc_status_name(status), (text));                   \
    } while (0)

/* The processor as RESCOMP_CPU says now, which contexts made now have. */
const struct rci_cpu *test_cpu(void);
/* A context with default options; fails the test when something made from it leaked. */
struct rc_context *test_context(void);
void test_context_done(struct rc_context *c);
/* One that takes the processor for what RESCOMP_CPU=`cpu` says. */
struct rc_context *test_context_on(const char *cpu);
/* The same as setup and teardown of a test or a group: *state is the context. */
int context_setup(void **state);
int context_teardown(void **state);
#endif
