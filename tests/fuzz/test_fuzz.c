/* A short, repeatable run of a fuzz target: every seed as it is, then seeds with bytes changed,
 * cut, doubled and mixed. Arguments: the folder of seeds, how many inputs are made from them. */
#include "test.h"

#include "base/rng.h"
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { SEEDS_MAX = 512, SIZE_MAX_SEED = 1 << 16 };

struct bytes {
    uint8_t *data;
    size_t size;
};

static struct bytes seed[SEEDS_MAX];
static uint32_t n_seeds, rounds;

static struct bytes read_seed(const char *folder, const char *name)
{
    char path[1024];
    struct bytes b = {malloc(SIZE_MAX_SEED), 0};
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (f && b.data)
        b.size = fread(b.data, 1, SIZE_MAX_SEED, f);
    if (f)
        fclose(f);
    return b;
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void read_seeds(const char *folder)
{
    struct dirent **entry;
    const int n = scandir(folder, &entry, visible, alphasort);
    for (int i = 0; i < n; i++) {
        if (n_seeds < SEEDS_MAX)
            seed[n_seeds++] = read_seed(folder, entry[i]->d_name);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
}

static void put(struct bytes *to, const uint8_t *from, size_t n)
{
    if (n > 2 * SIZE_MAX_SEED - to->size)
        n = 2 * SIZE_MAX_SEED - to->size;
    if (n)
        memcpy(to->data + to->size, from, n);
    to->size += n;
}

/* One change at `at`; `other` is a second seed, `room` is for building anew. */
static void edit(struct bytes *b, struct bytes *room, const struct bytes *other, uint32_t at,
                 struct rci_rng *r)
{
    static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff, '"', ',', '0'};
    const uint32_t n = 1 + rci_rng_below(r, 24), kind = rci_rng_below(r, 7);
    const size_t left = b->size - at, span = n < left ? n : left;
    if (kind == 0) {
        b->data[at] ^= (uint8_t) (1u << rci_rng_below(r, 8));
    } else if (kind == 1) {
        b->data[at] = telling[rci_rng_below(r, sizeof(telling))];
    } else if (kind == 2) { /* a number made larger or smaller */
        b->data[at] = (uint8_t) (b->data[at] + 1 + rci_rng_below(r, 4) * 85);
    } else if (kind == 3) { /* a piece moved over another */
        const size_t to = rci_rng_below(r, (uint32_t) b->size);
        memmove(b->data + to, b->data + at, span < b->size - to ? span : b->size - to);
    } else { /* a piece left out, doubled, or the rest taken from another seed */
        const size_t skip = kind == 4 ? span : 0, twice = kind == 5 ? span : 0;
        const bool mix = kind == 6 && other->size;
        const size_t from = mix ? rci_rng_below(r, (uint32_t) other->size) : 0;
        room->size = 0;
        put(room, b->data, at + twice);
        if (mix)
            put(room, other->data + from, other->size - from);
        else
            put(room, b->data + at + skip, left - skip);
        const struct bytes was = *b;
        *b = *room;
        *room = was;
    }
}

/* What a target aborts on is kept, to be run again by fuzz_NAME FILE. */
static const uint8_t *running;
static size_t running_size;

static void keep_input(int signal_number)
{
    static const char name[] = "fuzz-finding";
    const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd >= 0 && write(fd, running, running_size) == (ssize_t) running_size)
        fprintf(stderr, "the input is in %s\n", name);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void run_on_copy(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* reading past the end is seen by sanitizers */
    assert_non_null(exact);
    if (size)
        memcpy(exact, data, size);
    running = exact;
    running_size = size;
    assert_int_equal(LLVMFuzzerTestOneInput(exact, size), 0);
    free(exact);
}

static void seeds_pass(void **state)
{
    (void) state;
    assert_true(n_seeds > 0);
    for (uint32_t i = 0; i < n_seeds; i++)
        run_on_copy(seed[i].data, seed[i].size);
    run_on_copy(NULL, 0);
}

static void mutated_seeds_are_read_or_refused(void **state)
{
    (void) state;
    struct bytes b = {malloc(2 * SIZE_MAX_SEED), 0}, room = {malloc(2 * SIZE_MAX_SEED), 0};
    assert_true(b.data && room.data);
    for (uint32_t i = 0; i < rounds; i++) {
        struct rci_rng r = rci_rng_make(1, 2, i);
        b.size = 0;
        put(&b, seed[i % n_seeds].data, seed[i % n_seeds].size);
        for (uint32_t edits = 1 + rci_rng_below(&r, 4); edits && b.size; edits--)
            edit(&b, &room, &seed[rci_rng_below(&r, n_seeds)], rci_rng_below(&r, (uint32_t) b.size),
                 &r);
        run_on_copy(b.data, b.size);
    }
    free(b.data);
    free(room.data);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_pass),
        cmocka_unit_test(mutated_seeds_are_read_or_refused),
    };
    if (argc != 3)
        return 1;
    read_seeds(argv[1]);
    rounds = (uint32_t) atoi(argv[2]);
    signal(SIGABRT, keep_input);
    signal(SIGSEGV, keep_input);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (uint32_t i = 0; i < n_seeds; i++)
        free(seed[i].data);
    return failed;
}
