#ifndef FUZZ_H
#define FUZZ_H
/* What the fuzz targets share. Each target is one file with LLVMFuzzerTestOneInput(): it returns
 * when the input was refused or accepted as documented, and aborts on anything else. */
#include "base/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise, said with the library's last message; aborts. */
#define FUZZ_CHECK(that)                  \
    do {                                  \
        if (!(that))                      \
            fuzz_broken(__func__, #that); \
    } while (0)
void fuzz_broken(const char *where, const char *what);

/* One thread, at most 512 MiB. */
struct rc_context *fuzz_context(void);
/* Aborts on a leak. */
void fuzz_context_done(struct rc_context *c);

/* A folder that is removed when the process ends, in memory where there is /dev/shm. */
const char *fuzz_folder(void);
/* Path of `name` in it, which now has these bytes; data NULL: there is no such file. The text lives
 * until the eighth call from now. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

/* Pieces of one input: the next byte (0 at the end), and the next piece, whose length is in two
 * bytes before it; the last piece takes what is left. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};
uint8_t fuzz_byte(struct fuzz_input *in);
struct fuzz_input fuzz_piece(struct fuzz_input *in);
#endif
