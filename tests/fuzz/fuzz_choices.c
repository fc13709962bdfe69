/* Files of choices: as they are, with a checksum that fits, and as choices of this machine. A file
 * that is accepted takes a new choice and is read again with it. */
#include "fuzz.h"

#include "base/file.h"
#include "kernel/choice/choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void add_choice(struct rc_context *c, const char *path)
{
    struct rci_choices t = {.path = (char *) (uintptr_t) path}, again = t;
    const rc_status st = rci_choice_file_read(c, &t);
    if (st == RC_OK && !rci_choice_find(t.entry, t.n, NULL, "fuzz")) {
        FUZZ_CHECK(rci_choice_add(c, &t, "fuzz", "direct", true) == RC_OK);
        FUZZ_CHECK(rci_choice_file_merge(c, &t) == RC_OK);
        FUZZ_CHECK(rci_choice_file_read(c, &again) == RC_OK && again.n == t.n);
        FUZZ_CHECK(rci_choice_find(again.entry, again.n, NULL, "fuzz") != NULL);
    }
    rci_release(t.entry);
    rci_release(again.entry);
}

static void use(const uint8_t *data, size_t size)
{
    struct rc_context *c = fuzz_context();
    const char *path = fuzz_file("choices", data, size);
    const rc_status st = rci_choice_open(c, path);
    FUZZ_CHECK(st == RC_OK || st == RC_ERR_FORMAT || st == RC_ERR_TRUNCATED ||
               st == RC_ERR_UNSUPPORTED || st == RC_ERR_LIMIT);
    rci_choice_close(c);
    add_choice(c, path);
    fuzz_context_done(c);
}

/* `head` and the input, with the checksum of both. */
static void use_summed(const char *head, const uint8_t *data, size_t size)
{
    enum { SUM = 18 + 1 };
    const size_t n = strlen(head) + size;
    char *file = malloc(n + SUM);
    FUZZ_CHECK(file != NULL);
    memcpy(mempcpy(file, head, strlen(head)), data, size);
    snprintf(file + n, SUM, "checksum %08lx\n",
             (unsigned long) crc32_z(0, (const uint8_t *) file, n));
    use((const uint8_t *) file, n + SUM - 1);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char machine[RC_CHOICE_MACHINE], head[RC_CHOICE_MACHINE + 32];
    const struct rci_cpu *cpu;
    FUZZ_CHECK(rci_cpu_find(&cpu, NULL) == RC_OK);
    rci_choice_machine(cpu, machine);
    snprintf(head, sizeof(head), "rescomp choices 1\nmachine %s\n", machine);
    use(data, size);
    use_summed("", data, size);
    use_summed(head, data, size); /* choices of this machine */
    return 0;
}
