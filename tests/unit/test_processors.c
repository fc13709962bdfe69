/* What processors a process has: made-up files of cgroups and cores, affinity, pinning. */
#include "base/pin.h"
#include "base/processors.h"
#include "test.h"

#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <rescomp/measure.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

/* A file below the made-up root, with its folders. */
static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s", root, name);
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        mkdir(path, 0700);
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void empty_root(void)
{
    char command[96];
    if (*root) {
        snprintf(command, sizeof(command), "rm -r %s", root);
        assert_int_equal(system(command), 0);
    }
    snprintf(root, sizeof(root), "/tmp/rescomp-processors-XXXXXX");
    assert_non_null(mkdtemp(root));
}

static void expect_quota(double quota)
{
    assert_true(fabs(rci_processors_quota(root) - quota) < 1e-9);
}

#define V2 "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

static void version_2(void **state)
{
    (void) state;
    empty_root();
    expect_quota(0); /* no files at all */
    put("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/root rw\n" V2);
    put("/proc/self/cgroup", "0::/work/job\n");
    expect_quota(0);
    put("/sys/fs/cgroup/work/job/cpu.max", "max 100000\n");
    expect_quota(0);
    put("/sys/fs/cgroup/work/job/cpu.max", "150000 100000\n");
    expect_quota(1.5);
    put("/sys/fs/cgroup/work/cpu.max", "50000 100000\n"); /* a level above has less */
    expect_quota(0.5);
    put("/sys/fs/cgroup/work/cpu.max", "400000 100000\n"); /* and more */
    expect_quota(1.5);
    put("/sys/fs/cgroup/work/job/cpu.max", "max 100000\n");
    expect_quota(4);
    put("/sys/fs/cgroup/work/cpu.max", "nonsense\n");
    expect_quota(0);
    put("/sys/fs/cgroup/work/cpu.max", "100000 0\n");
    expect_quota(0);
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n"); /* of a namespace's root */
    expect_quota(2);
}

static void version_1(void **state)
{
    (void) state;
    empty_root();
    put("/proc/self/mountinfo",
        "32 31 0:29 / /sys/fs/cgroup/cpuset rw shared:4 - cgroup cgroup rw,cpuset\n"
        "33 31 0:30 / /sys/fs/cgroup/my\\040cpu rw shared:5 - cgroup cgroup rw,cpu,cpuacct\n");
    put("/proc/self/cgroup", "7:cpuset:/elsewhere\n4:cpu,cpuacct:/a/b\n0::/\n");
    put("/sys/fs/cgroup/my cpu/a/b/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/my cpu/a/b/cpu.cfs_period_us", "100000\n");
    expect_quota(0);
    put("/sys/fs/cgroup/my cpu/a/b/cpu.cfs_quota_us", "25000\n");
    expect_quota(0.25);
    put("/sys/fs/cgroup/my cpu/a/b/cpu.cfs_quota_us", "300000\n");
    expect_quota(3);
    put("/sys/fs/cgroup/my cpu/a/cpu.cfs_quota_us", "120000\n");
    put("/sys/fs/cgroup/my cpu/a/cpu.cfs_period_us", "60000\n");
    expect_quota(2);
    put("/sys/fs/cgroup/cpuset/elsewhere/cpu.cfs_quota_us", "1000\n"); /* not its hierarchy */
    expect_quota(2);
}

/* Containers see the host's path, but their own cgroup where it is mounted. */
static void containers(void **state)
{
    (void) state;
    empty_root();
    put("/proc/self/mountinfo",
        "33 31 0:30 /docker/4f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n" V2);
    put("/proc/self/cgroup", "4:cpu,cpuacct:/docker/4f/inner\n0::/../outside\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    expect_quota(1.5);
    put("/sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "70000\n");
    put("/sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
    expect_quota(0.7);
    put("/proc/self/cgroup", "4:cpu,cpuacct:/docker/4fother\n0::/\n");
    expect_quota(1.5);
    put("/sys/fs/cgroup/cpu.max", "30000 100000\n"); /* both versions: the smaller */
    expect_quota(0.3);
}

static void hyper_threads_count_once(void **state)
{
    (void) state;
    static const uint32_t all[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const char *const siblings[] = {"0,4", "1,5", "2-3", "2-3", "0,4", "1,5"};
    char name[96];
    empty_root();
    assert_int_equal(rci_processors_cores(root, all, 8), 8); /* nothing is known */
    for (uint32_t i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list",
                 i);
        put(name, siblings[i]);
    }
    assert_int_equal(rci_processors_cores(root, all, 8), 5); /* 0,4 1,5 2-3 6 7 */
    assert_int_equal(rci_processors_cores(root, all + 4, 4), 4);
    assert_true(rci_processors_begins_core(root, all, 2));
    assert_false(rci_processors_begins_core(root, all, 3));
}

static void threads_follow_from_both(void **state)
{
    (void) state;
    static const struct {
        uint32_t cores;
        double quota;
        uint32_t threads;
    } cases[] = {{4, 0, 4},   {4, 1, 1},  {4, 0.1, 1}, {4, 1.4, 1},
                 {4, 1.5, 2}, {4, 64, 4}, {1, 2.5, 1}, {0, 0, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct rci_processors p = {8, cases[i].cores, cases[i].quota};
        assert_int_equal(rci_processors_threads(&p), cases[i].threads);
    }
}

static uint64_t threads_of(const char *given)
{
    rc_context *c;
    rc_system_info info = RC_SYSTEM_INFO_INIT;
    setenv("RESCOMP_CPU", given, 1);
    OK(rc_context_new(&c, NULL));
    unsetenv("RESCOMP_CPU");
    OK(rc_system_get_info(c, &info));
    rc_context_free(&c);
    return info.threads;
}

static void contexts_follow_unless_told(void **state)
{
    (void) state;
    const int procs = omp_get_num_procs();
    rc_context *c;
    char *said = getenv("OMP_NUM_THREADS") ? strdup(getenv("OMP_NUM_THREADS")) : NULL;
    const int before = omp_get_max_threads();
    unsetenv("OMP_NUM_THREADS");
    omp_set_num_threads(procs);
    assert_int_equal(threads_of("quota=1"), 1);
    assert_int_equal(threads_of("siblings=2"), (procs + 1) / 2);
    assert_in_range(threads_of("quota=0,siblings=1"), 1, procs);
    omp_set_num_threads(procs + 1); /* the program's word */
    assert_int_equal(threads_of("quota=1"), procs + 1);
    omp_set_num_threads(procs);
    setenv("OMP_NUM_THREADS", "2", 1); /* the user's */
    assert_int_equal(threads_of("quota=1"), procs);
    unsetenv("OMP_NUM_THREADS");
    static const char *const bad[] = {"quota=",     "quota=x",    "quota=-1",  "quota=nan",
                                      "quota=2000", "siblings=0", "siblings=9"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        setenv("RESCOMP_CPU", bad[i], 1);
        REFUSED(rc_context_new(&c, NULL), RC_ERR_ARG, "is allowed from");
    }
    unsetenv("RESCOMP_CPU");
    omp_set_num_threads(before);
    if (said)
        setenv("OMP_NUM_THREADS", said, 1);
    free(said);
}

static void *ask_confined(void *user)
{
    struct rci_processors *p = user;
    static uint32_t list[RC_PROCESSORS];
    cpu_set_t one;
    rci_processors_allowed(list);
    CPU_ZERO(&one);
    CPU_SET(list[0], &one);
    if (!sched_setaffinity(0, sizeof(one), &one))
        rci_processors_ask(p, "");
    return NULL;
}

static void affinity_is_asked(void **state)
{
    (void) state;
    struct rci_processors p = {0};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, ask_confined, &p), 0);
    pthread_join(t, NULL);
    assert_int_equal(p.allowed, 1);
    assert_int_equal(p.cores, 1);
    assert_int_equal(rci_processors_threads(&p), 1);
}

/* --- pinning --- */

static int allowed_now(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    return CPU_COUNT(&set);
}

static void pinned_threads_have_a_processor_each(void **state)
{
    (void) state;
    const int threads = omp_get_num_procs() < 8 ? omp_get_num_procs() : 8, before = allowed_now();
    int at[8] = {0}, many[8] = {0};
    bool pinned, again;
    const struct rci_pin *pin = rci_pin_begin((uint32_t) threads, &pinned);
    assert_true(pinned && pin && pin == rci_pin_here());
    assert_ptr_equal(rci_pin_begin((uint32_t) threads, &again), pin);
    assert_false(again);
#pragma omp parallel num_threads(threads)
    {
        const int i = omp_get_thread_num();
        rci_pin_follow(pin, (uint32_t) i);
        at[i] = sched_getcpu();
        many[i] = allowed_now();
    }
    for (int i = 0; i < threads; i++) {
        assert_int_equal(many[i], 1);
        assert_int_equal(at[i], rci_pin_processor((uint32_t) i));
        for (int k = 0; k < i; k++)
            assert_int_not_equal(at[i], at[k]);
    }
    rci_pin_follow(NULL, 0);
    assert_null(rci_pin_here());
#pragma omp parallel num_threads(threads)
    {
        rci_pin_follow(NULL, 0);
        many[omp_get_thread_num()] = allowed_now();
    }
    for (int i = 0; i < threads; i++)
        assert_int_equal(many[i], before);
}

static void *leave(void *user)
{
    static int many;
    rci_pin_leave(user);
    many = allowed_now();
    return &many;
}

/* Threads that are not for compute do not stay on the processor of the one that made them. */
static void threads_made_by_a_pinned_one_can_leave(void **state)
{
    (void) state;
    const int before = allowed_now();
    bool pinned;
    pthread_t t;
    void *many;
    assert_non_null(rci_pin_begin(1, &pinned));
    assert_int_equal(allowed_now(), 1);
    assert_int_equal(pthread_create(&t, NULL, leave, (void *) (uintptr_t) rci_pin_here()), 0);
    pthread_join(t, &many);
    assert_int_equal(*(int *) many, before);
    rci_pin_follow(NULL, 0);
    assert_int_equal(allowed_now(), before);
}

static int remove_root(void **state)
{
    (void) state;
    char command[96];
    snprintf(command, sizeof(command), "rm -r %s", root);
    return *root ? system(command) : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_2),
        cmocka_unit_test(version_1),
        cmocka_unit_test(containers),
        cmocka_unit_test(hyper_threads_count_once),
        cmocka_unit_test(threads_follow_from_both),
        cmocka_unit_test(contexts_follow_unless_told),
        cmocka_unit_test(affinity_is_asked),
        cmocka_unit_test(pinned_threads_have_a_processor_each),
        cmocka_unit_test(threads_made_by_a_pinned_one_can_leave),
    };
    return cmocka_run_group_tests(tests, NULL, remove_root);
}
