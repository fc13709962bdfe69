/* Searchers on a function whose best is known: within the cube, reproducible, resumable, and better
 * than chance where they learn. */
#include "check.h"
#include "files.h"
#include "search/searcher.h"

#include <math.h>
#include <stdlib.h>

enum { NUMBERS = 6, TRIALS = 120 };

/* Best at x[i] = 0.2 + 0.1 i. */
static double score(const double *x)
{
    double sum = 0;
    for (int i = 0; i < NUMBERS; i++)
        sum -= (x[i] - 0.2 - 0.1 * i) * (x[i] - 0.2 - 0.1 * i);
    return 100 * sum;
}

static void go_on(struct rci_trials *t, struct rc_context *c, const char *spec, uint32_t trials)
{
    const struct rci_method *m;
    void *params;
    OK(rci_method_find(&m, &rci_kind_searcher, spec));
    OK(rci_method_params(&params, c, m, spec));
    while (t->count < trials) {
        double x[NUMBERS];
        rci_trials_propose(t, (const struct rci_searcher *) m, params, x);
        for (int i = 0; i < NUMBERS; i++)
            assert_true(x[i] >= 0 && x[i] <= 1);
        OK(rci_trials_tell(t, x, score(x)));
    }
    rci_release(params);
}

static double best_of(struct rc_context *c, const char *spec, uint64_t seed)
{
    struct rci_trials t;
    OK(rci_trials_open(&t, c, NUMBERS, seed));
    go_on(&t, c, spec, TRIALS);
    const double best = t.score[rci_trials_best(&t)];
    rci_trials_close(&t);
    return best;
}

static double mean_of_best(struct rc_context *c, const char *spec)
{
    double sum = 0;
    for (uint64_t seed = 0; seed < 8; seed++)
        sum += best_of(c, spec, seed) / 8;
    return sum;
}

static void searchers_that_learn_beat_chance(void **state)
{
    static const char *const names[] = {"annealing", "evolution"};
    const double chance = mean_of_best(*state, "random");
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const double best = mean_of_best(*state, names[i]);
        if (best <= 0.6 * chance)
            fail_msg("%s reaches %g, random %g", names[i], best, chance);
    }
}

static void the_same_seed_gives_the_same_best(void **state)
{
    for (uint32_t i = 0; i < rci_kind_searcher.count; i++) {
        const char *name = rci_kind_searcher.table[i]->name;
        assert_true(best_of(*state, name, 3) == best_of(*state, name, 3));
        assert_true(best_of(*state, name, 3) != best_of(*state, name, 4));
    }
}

static void a_search_from_a_file_goes_on_alike(void **state)
{
    const char *folder = scratch_folder(), *path = scratch_path(folder, "trials.json");
    for (uint32_t i = 0; i < rci_kind_searcher.count; i++) {
        const char *name = rci_kind_searcher.table[i]->name;
        struct rci_trials whole, first, second;
        OK(rci_trials_open(&whole, *state, NUMBERS, 5));
        OK(rci_trials_open(&first, *state, NUMBERS, 5));
        OK(rci_trials_open(&second, *state, NUMBERS, 5));
        go_on(&whole, *state, name, 40);
        go_on(&first, *state, name, 17);
        OK(rci_trials_save(&first, path, name));
        OK(rci_trials_load(&second, path, name));
        assert_int_equal(second.count, 17);
        go_on(&second, *state, name, 40);
        assert_memory_equal(second.x, whole.x, 40 * NUMBERS * sizeof(double));
        REFUSED(rci_trials_load(&second, path, "another"), RC_ERR_ARG, "is of another search");
        rci_trials_close(&whole);
        rci_trials_close(&first);
        rci_trials_close(&second);
    }
    scratch_remove(folder);
}

static void damaged_trials_are_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"{\"search\": \"s\", \"seed\": 0, \"numbers\": 2}", "no \"trials\""},
        {"{\"search\": \"s\", \"seed\": 0, \"numbers\": 2, \"trials\": [[1, 0.5]]}",
         "has 2 numbers"},
        {"{\"search\": \"s\", \"seed\": 0, \"numbers\": 2, \"trials\": [[1, 0.5, 2]]}", "is 2"},
        {"[", "trials.json"},
    };
    const char *folder = scratch_folder();
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct rci_trials t;
        OK(rci_trials_open(&t, *state, 2, 0));
        const char *path = scratch_write(folder, "trials.json", bad[i].text, strlen(bad[i].text));
        REFUSED(rci_trials_load(&t, path, "s"), RC_ERR_FORMAT, bad[i].message);
        rci_trials_close(&t);
    }
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searchers_that_learn_beat_chance),
        cmocka_unit_test(the_same_seed_gives_the_same_best),
        cmocka_unit_test(a_search_from_a_file_goes_on_alike),
        cmocka_unit_test(damaged_trials_are_refused),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
