#ifndef RC_LIB_KERNEL_CHOICE_CHOICE_H
#define RC_LIB_KERNEL_CHOICE_CHOICE_H
/* Which of several implementations of a layer is fastest here, as measured: remembered for the
 * process and, where the context names a file, for later processes.
 *
 * The file is text: "rescomp choices 1", sections that begin with "machine ..." (processor, vector
 * width, oneDNN's version and hash, version of this library) and hold lines "key<tab>choice", and
 * "checksum" with the CRC-32 of all before it. Only the section of this machine is read and added
 * to; others stay as they are, so that machines can share a file. */
#include "kernel/cpu.h"

enum { RC_CHOICE_KEY = 192, RC_CHOICE_WORD = 32, RC_CHOICE_MACHINE = 256 };

/* What times depend on besides the layer, as it stands behind "machine". */
void rci_choice_machine(const struct rci_cpu *cpu, char text[RC_CHOICE_MACHINE]);

/* `choices`: a file, which is read now and need not exist; "off": nothing is measured, a fixed rule
 * decides; NULL or "": the process remembers. Refuses what is not such a file, and a folder in
 * which it could not be made. rci_choice_close() releases, without saving. */
rc_status rci_choice_open(struct rc_context *c, const char *choices);
void rci_choice_close(struct rc_context *c);
bool rci_choice_fixed(const struct rc_context *c);

/* The key says all that the time depends on besides the machine: printable ASCII, shorter than
 * RC_CHOICE_KEY; the word names an implementation. Thread safe. */
bool rci_choice_recall(struct rc_context *c, const char *key, char word[RC_CHOICE_WORD]);
rc_status rci_choice_remember(struct rc_context *c, const char *key, const char *word);

/* Add what is new to the file: beside what other processes have written meanwhile, whose choices
 * stay. A file that is not what it should be, or cannot be written, is left alone: that is an
 * error once, later choices stay in this process. */
rc_status rci_choice_save(struct rc_context *c);

/* --- kernel/choice/file.c --- */
struct rci_choice {
    char key[RC_CHOICE_KEY], word[RC_CHOICE_WORD];
    bool fresh;                /* not in the file yet */
    const struct rci_cpu *cpu; /* in the process's table; a file's has one machine's, and NULL */
};
struct rci_choices {
    char *path; /* NULL: "off" */
    bool failed;
    struct rci_choice *entry;
    uint32_t n, cap;
};
/* Adds the choices that the file has for this machine. Keys that are known keep their word and
 * count as written. No file: nothing. */
rc_status rci_choice_file_read(struct rc_context *c, struct rci_choices *t);
/* Reads again and writes, under a lock of the folder. */
rc_status rci_choice_file_merge(struct rc_context *c, struct rci_choices *t);
/* The entry of a key among `n`, made for `cpu` (NULL in a file's table); NULL: there is none. */
struct rci_choice *rci_choice_find(struct rci_choice *entry, uint32_t n, const struct rci_cpu *cpu,
                                   const char *key);
rc_status rci_choice_add(struct rc_context *c, struct rci_choices *t, const char *key,
                         const char *word, bool fresh);
#endif
