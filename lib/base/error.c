#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CAPACITY = 1024 };
static _Thread_local char message[CAPACITY];

/* Names come from untrusted files: control characters would let them forge terminal output. */
static void escape(char *s)
{
    for (; *s; s++)
        if ((unsigned char) *s < 0x20 || *s == 0x7f)
            *s = '?';
}

rc_status rci_fail(rc_status st, const char *fmt, ...)
{
    char text[CAPACITY]; /* arguments may point into `message` */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    escape(text);
    memcpy(message, text, sizeof(message));
    return st;
}

rc_status rci_fail_prefix(rc_status st, const char *fmt, ...)
{
    char prefix[CAPACITY / 2], rest[CAPACITY];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof(prefix), fmt, ap);
    va_end(ap);
    escape(prefix);
    memcpy(rest, message, sizeof(rest));
    const int n = snprintf(message, sizeof(message), "%s: ", prefix);
    const size_t room = sizeof(message) - (size_t) n - 1, length = strnlen(rest, room);
    memcpy(message + n, rest, length);
    message[(size_t) n + length] = '\0';
    return st;
}

void rci_fail_append(const char *fmt, ...)
{
    const size_t used = strnlen(message, sizeof(message) - 1);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message + used, sizeof(message) - used, fmt, ap);
    va_end(ap);
    escape(message + used);
}

const char *rci_error_text(void)
{
    return message;
}
