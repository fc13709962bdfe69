#ifndef FILES_H
#define FILES_H
/* Scratch folders with small files in them. */
#include <stddef.h>

/* A new empty folder below $TMPDIR; the text lives until the next call. */
const char *scratch_folder(void);
/* Remove it and everything inside. */
void scratch_remove(const char *folder);
/* FOLDER/NAME in one of 8 static buffers used in turn. */
const char *scratch_path(const char *folder, const char *name);
/* Write a whole file (folders in `name` are made); returns its path as scratch_path. */
const char *scratch_write(const char *folder, const char *name, const void *data, size_t size);
/* Run Debian's Python on `script` with `argument` as sys.argv[1]; 0 when it succeeded. */
int scratch_python(const char *script, const char *argument);
#endif
