#ifndef IOFAULT_H
#define IOFAULT_H
/* The system calls of the library's file code, one of which fails. Only programs that are linked
 * with the options in tests/unit/meson.build have it. */
#include <stdbool.h>
#include <stdint.h>

enum io_fault {
    IO_FAULT_EACCES, /* opening, making: no permission */
    IO_FAULT_GREW,   /* a file has one byte more than its size was said to be */
    IO_FAULT_EIO,    /* any call */
    IO_FAULT_ENOSPC, /* what may take room on the disk: write, fsync, close, rename, making a file
                      */
    IO_FAULT_EINTR,  /* a signal: open, read, write, fsync are to be called again */
    IO_FAULT_SHORT,  /* one byte is read or written instead of all */
    IO_FAULT_ENDED,  /* a read finds the end of the file */
    IO_FAULT_KINDS
};
extern const char *const io_fault_names[IO_FAULT_KINDS];

/* The call number `at` from now on, counted over those that the kind applies to, meets the fault.
 */
void io_fault_arm(enum io_fault kind, uint32_t at);
/* Back to normal; false: there were fewer calls. *call (or NULL): the name of the one that failed.
 */
bool io_fault_disarm(const char **call);
/* Descriptors and folders opened by the library and not closed. */
int io_fault_open_count(void);
#endif
