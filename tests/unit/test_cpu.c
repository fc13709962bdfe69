/* This processor: what is known of it, what RESCOMP_CPU may give, and what follows. */
#include "kernel/choice/choice.h"
#include "kernel/int8/qkernel.h"
#include "kernel/norm/norm.h"
#include "kernel/team.h"
#include "kernel/vector/vector.h"
#include "test.h"

#include <stdlib.h>

static const struct rci_cpu *find(const char *given)
{
    const struct rci_cpu *cpu;
    OK(rci_cpu_find(&cpu, given));
    return cpu;
}

static void the_system_is_asked(void **state)
{
    (void) state;
    const struct rci_cpu *cpu = find(NULL);
    assert_true(strlen(cpu->model) > 0 && strlen(cpu->isa) > 0);
    assert_string_equal(cpu->given, "");
    assert_in_range(cpu->l1, 8 << 10, 1 << 20);
    assert_in_range(cpu->l2, 128 << 10, 64 << 20);
    assert_true(cpu->l3 == 0 || cpu->l3 > cpu->l2 / 4);
    assert_true(cpu->cores >= 1);
    assert_true(cpu->lanes == 0 || cpu->lanes == 8 || cpu->lanes == 16);
    assert_int_equal(cpu->lanes == 16, cpu->avx512);
    assert_true(cpu->avx512 || (!cpu->vnni && !cpu->bf16 && !cpu->amx));
    assert_ptr_equal(find(""), cpu);
}

static void all_of_it_can_be_given(void **state)
{
    (void) state;
    const char *text = "l1=48K,l2=1280K,l3=24M,cores=12,isa=SSE41";
    const struct rci_cpu *cpu = find(text);
    assert_int_equal(cpu->l1, 48 << 10);
    assert_int_equal(cpu->l2, 1280 << 10);
    assert_int_equal(cpu->l3, 24 << 20);
    assert_int_equal(cpu->cores, 12);
    assert_string_equal(cpu->isa, "SSE4.1");
    assert_int_equal(cpu->lanes, 0);
    assert_false(cpu->avx512 || cpu->vnni || cpu->avx_vnni || cpu->bf16 || cpu->amx);
    assert_string_equal(cpu->given, text);
    assert_ptr_equal(find(text), cpu);
    assert_int_equal(find("l3=0")->l3, 0);
    assert_int_equal(find("l3=1G")->l3, 1 << 30);
    assert_int_equal(find("l2=262144")->l2, 256 << 10);
}

static void refuse(const char *given, const char *says)
{
    rc_context *c;
    const struct rci_cpu *cpu;
    REFUSED(rci_cpu_find(&cpu, given), RC_ERR_ARG, says);
    assert_null(cpu);
    assert_non_null(strstr(rc_last_error(), "RESCOMP_CPU="));
    setenv("RESCOMP_CPU", given, 1);
    REFUSED(rc_context_new(&c, NULL), RC_ERR_ARG, says);
    assert_null(c);
    unsetenv("RESCOMP_CPU");
}

static void mistakes_are_refused_where_a_context_is_made(void **state)
{
    (void) state;
    refuse("l2", "expected l1=");
    refuse("l4=1M", "expected l1=");
    refuse("l2=", "l2 is allowed from 64K to 1G");
    refuse("l2=1", "l2 is allowed");
    refuse("l2=-1M", "l2 is allowed");
    refuse("l2=1X", "l2 is allowed");
    refuse("l2=512KB", "l2 is allowed");
    refuse("l2=99999999999999999999G", "l2 is allowed");
    refuse("l1=8M", "l1 is allowed from 4K to 4M");
    refuse("l3=5G", "l3 is allowed from 0 to 4G");
    refuse("cores=0", "cores is allowed from 1 to 1024");
    refuse("cores=4K", "cores is allowed");
    refuse("isa=neon", "isa is none of");
    refuse("l2=512K,l2=512K,l2=512K,l2=512K,l2=512K,l2=512K,l2=512K,l2=512K,l2=512K,l2=512K,"
           "l2=512K,l2=512K,cores=1",
           "too long");
}

/* Instructions can be taken away, not added. */
static void instructions_only_become_fewer(void **state)
{
    (void) state;
    static const char *const sets[] = {"isa=sse41",
                                       "isa=avx",
                                       "isa=avx2",
                                       "isa=avx512_core",
                                       "isa=avx512_core_vnni",
                                       "isa=avx512_core_bf16",
                                       "isa=avx512_core_amx"};
    static const int lanes[] = {0, 0, 8, 16, 16, 16, 16};
    const int here = test_cpu()->lanes;
    for (int i = 0; i < 7; i++) {
        const struct rci_cpu *cpu;
        const rc_status st = rci_cpu_find(&cpu, sets[i]);
        if (lanes[i] > here)
            assert_int_equal(st, RC_ERR_ARG);
        if (lanes[i] < here)
            assert_int_equal(st, RC_OK);
        if (st != RC_OK) {
            assert_non_null(strstr(rc_last_error(), "but this processor runs with"));
            continue;
        }
        assert_int_equal(cpu->lanes, lanes[i]);
        const struct rci_vector_code *code = rci_vector_code_here(cpu, RC_F32);
        const struct rci_qkernel_set *set = rci_qkernel_set_here(cpu);
        assert_true(lanes[i] || (!code && !set));
        assert_true(!code || code->lanes == lanes[i]);
        assert_true(!set || set->lanes == lanes[i]);
        assert_non_null(rci_norm_kernels(cpu));
    }
}

static void teams_spin_where_each_thread_has_a_core(void **state)
{
    (void) state;
    struct rci_team t;
    rci_team_init(&t, 3, find("cores=3"));
    assert_true(t.spins);
    rci_team_init(&t, 3, find("cores=2"));
    assert_false(t.spins);
}

/* What was measured under one description says nothing of another. */
static void choices_belong_to_the_processor_given(void **state)
{
    (void) state;
    static const char *const cpus[] = {"", "l2=256K", "l2=512K", "cores=3", "isa=sse41"};
    char machine[5][RC_CHOICE_MACHINE], word[RC_CHOICE_WORD];
    struct rc_context *c[5];
    for (int i = 0; i < 5; i++) {
        c[i] = test_context_on(cpus[i]);
        rci_choice_machine(c[i]->cpu, machine[i]);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(machine[i], machine[k]);
        assert_false(rci_choice_recall(c[i], "a layer of test_cpu", word));
        OK(rci_choice_remember(c[i], "a layer of test_cpu", i % 2 ? "own" : "onednn"));
    }
    for (int i = 0; i < 5; i++) {
        assert_true(rci_choice_recall(c[i], "a layer of test_cpu", word));
        assert_string_equal(word, i % 2 ? "own" : "onednn");
        test_context_done(c[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_is_asked),
        cmocka_unit_test(all_of_it_can_be_given),
        cmocka_unit_test(mistakes_are_refused_where_a_context_is_made),
        cmocka_unit_test(instructions_only_become_fewer),
        cmocka_unit_test(teams_spin_where_each_thread_has_a_core),
        cmocka_unit_test(choices_belong_to_the_processor_given),
    };
    unsetenv("RESCOMP_CPU");
    unsetenv("OMP_WAIT_POLICY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
