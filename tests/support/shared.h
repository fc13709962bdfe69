#ifndef SHARED_H
#define SHARED_H
/* Optional data outside the repository: trained models, CIFAR, reference results. Looked for in
 * $RESCOMP_SHARED, then ../shared beside the source tree. */

/* Path of `relative` inside it, or NULL (with a line on stdout) when it is not there; then the
 * test calls skip(). The string lives in a static buffer of 4 entries used in turn. */
const char *shared_path(const char *relative);
/* Folder with the official CIFAR-10 .bin files ($RESCOMP_CIFAR10, or unpacked once below
 * $TMPDIR from ../shared/data with /usr/bin/python3); NULL when neither is there. */
const char *shared_cifar10(void);
/* Path inside the source tree, such as "tests/golden/losses.json". */
const char *source_path(const char *relative);
#endif
