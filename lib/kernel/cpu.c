/* What this processor is: asked once, or given by RESCOMP_CPU. */
#include "base/load.h"
#include "base/number.h"
#include "kernel/cpu_threads.h"
#include "kernel/onednn/compat.h"

#include <ctype.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#define HAVE_CPUID 1
#endif

/* The sets are bit masks: each contains the ones it extends. */
static const struct isa {
    dnnl_cpu_isa_t isa;
    const char *name, *word; /* for people; that of ONEDNN_MAX_CPU_ISA */
} isas[] = {
    {dnnl_cpu_isa_avx512_core_amx, "AVX-512 AMX", "avx512_core_amx"},
    {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 BF16", "avx512_core_bf16"},
    {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 VNNI", "avx512_core_vnni"},
    {dnnl_cpu_isa_avx512_core, "AVX-512", "avx512_core"},
    {dnnl_cpu_isa_avx2_vnni, "AVX2 VNNI", "avx2_vnni"},
    {dnnl_cpu_isa_avx2, "AVX2", "avx2"},
    {dnnl_cpu_isa_avx, "AVX", "avx"},
    {dnnl_cpu_isa_sse41, "SSE4.1", "sse41"},
};
enum { ISAS = sizeof(isas) / sizeof(isas[0]) };

static bool isa_has(unsigned have, dnnl_cpu_isa_t want)
{
    return (have & (unsigned) want) == (unsigned) want;
}

static const char *isa_name(unsigned isa)
{
    for (int i = 0; i < ISAS; i++)
        if (isa_has(isa, isas[i].isa))
            return isas[i].name;
    return "generic";
}

/* --- what the system says: once, because cpuid traps in virtual machines --- */

static struct {
    struct rci_cpu cpu; /* no instruction set */
    struct rci_processors processors;
    char vendor[16];
    unsigned family, model, stepping;
    bool avx_vnni;
} asked;

static void ask_model(char *model, size_t size)
{
    snprintf(model, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (f && fgets(line, sizeof(line), f)) {
        if (strncmp(line, "model name", 10) != 0)
            continue;
        const char *text = strchr(line, ':');
        if (text)
            snprintf(model, size, "%.*s", (int) strcspn(text + 2, "\n"), text + 2);
        break;
    }
    if (f)
        fclose(f);
}

static void ask_cpuid(void)
{
    snprintf(asked.vendor, sizeof(asked.vendor), "unknown");
#ifdef HAVE_CPUID
    unsigned a, b, c, d;
    if (__get_cpuid(0, &a, &b, &c, &d)) {
        memcpy(asked.vendor, &b, 4);
        memcpy(asked.vendor + 4, &d, 4);
        memcpy(asked.vendor + 8, &c, 4);
        asked.vendor[12] = '\0';
    }
    if (!__get_cpuid(1, &a, &b, &c, &d))
        a = 0;
    /* extended family and model count where the base ones are at their ends */
    const unsigned base = a >> 8 & 15;
    asked.family = base == 15 ? base + (a >> 20 & 255) : base;
    asked.model = (a >> 4 & 15) | (base == 6 || base == 15 ? a >> 12 & 0xf0 : 0);
    asked.stepping = a & 15;
    asked.avx_vnni = __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 4 & 1;
#endif
}

/* A line of a file of the first processor's cache number `i`. */
static bool ask_file(int i, const char *what, char line[64])
{
    char path[96];
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, what);
    FILE *f = fopen(path, "re");
    const bool read = f && fgets(line, 64, f);
    if (f)
        fclose(f);
    return read;
}

/* The C library's sysconf() counts a shared cache once a core on some virtual machines, so it comes
 * second. */
static void ask_caches(struct rci_cpu *cpu)
{
    enum { MOST = 8, L1 = 32 << 10, L2 = 512 << 10 };
    char level[64], type[64], size[64];
    size_t *const caches[] = {&cpu->l1, &cpu->l2, &cpu->l3};
    for (int i = 0; i < MOST && ask_file(i, "level", level); i++) {
        const int at = atoi(level) - 1;
        if (at < 0 || at > 2 || !ask_file(i, "type", type) || type[0] == 'I' ||
            !ask_file(i, "size", size))
            continue;
        char *unit;
        const size_t bytes = strtoul(size, &unit, 10);
        *caches[at] = bytes << (*unit == 'K' ? 10 : *unit == 'M' ? 20 : 0);
    }
    const long said[] = {sysconf(_SC_LEVEL1_DCACHE_SIZE), sysconf(_SC_LEVEL2_CACHE_SIZE),
                         sysconf(_SC_LEVEL3_CACHE_SIZE)};
    for (int i = 0; i < 3; i++)
        if (!cpu->l2 && said[i] > 0)
            *caches[i] = (size_t) said[i];
    cpu->l1 = cpu->l1 ? cpu->l1 : L1;
    cpu->l2 = cpu->l2 ? cpu->l2 : L2;
}

static void ask(void)
{
    const int cores = omp_get_num_procs();
    ask_model(asked.cpu.model, sizeof(asked.cpu.model));
    ask_cpuid();
    ask_caches(&asked.cpu);
    asked.cpu.cores = cores > 0 ? (uint32_t) cores : 1;
    rci_processors_ask(&asked.processors, "");
}

/* --- what is given --- */

static rc_status wrong(const char *given, const char *why)
{
    return rci_fail(RC_ERR_ARG, "RESCOMP_CPU=%.80s: %s", given, why);
}

/* "512K" between the limits, in `to`. */
static bool read_number(const char *text, size_t least, size_t most, size_t *to)
{
    char *end;
    if (!isdigit((unsigned char) *text))
        return false;
    unsigned long long n = strtoull(text, &end, 10);
    const int unit = toupper((unsigned char) *end);
    const int shift = unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
    if (end[shift > 0] || n > (most >> shift))
        return false;
    *to = (size_t) n << shift;
    return *to >= least && *to <= most;
}

static rc_status read_isa(const char *given, const char *word, unsigned *isa)
{
    for (int i = 0; i < ISAS; i++) {
        if (strcasecmp(word, isas[i].word) != 0)
            continue;
        const bool vex = isas[i].isa == dnnl_cpu_isa_avx2_vnni && asked.avx_vnni &&
                         isa_has(*isa, dnnl_cpu_isa_avx2); /* not part of AVX-512's masks */
        if (!vex && !isa_has(*isa, isas[i].isa)) {
            char why[96];
            snprintf(why, sizeof(why), "isa is %s, but this processor runs with %s", word,
                     isa_name(*isa));
            return wrong(given, why);
        }
        *isa = (unsigned) isas[i].isa;
        return RC_OK;
    }
    return wrong(given, "isa is none of sse41, avx, avx2, avx2_vnni, avx512_core, "
                        "avx512_core_vnni, avx512_core_bf16, avx512_core_amx");
}

/* A description that is being read. */
struct reading {
    struct rci_cpu *cpu;
    struct rci_processors *limits;
    unsigned *isa;
};

static rc_status read_processors(const struct reading *r, const char *given, const char *part)
{
    char *end;
    size_t n = 1;
    const char *value = strchr(part, '=') + 1;
    if (!strncmp(part, "cores=", 6)) {
        if (!read_number(value, 1, 1024, &n))
            return wrong(given, "cores is allowed from 1 to 1024");
        r->cpu->cores = (uint32_t) n;
        return RC_OK;
    }
    if (!strncmp(part, "siblings=", 9)) {
        if (!read_number(value, 1, 8, &n))
            return wrong(given, "siblings is allowed from 1 to 8");
        r->limits->cores = (r->limits->allowed + (uint32_t) n - 1) / (uint32_t) n;
        return RC_OK;
    }
    r->limits->quota = rci_number_parse(value, &end);
    if (end == value || *end || !(r->limits->quota >= 0 && r->limits->quota <= 1024))
        return wrong(given, "quota is allowed from 0, for none, to 1024 processors");
    return RC_OK;
}

static rc_status read_part(const struct reading *r, const char *given, const char *part)
{
    static const char expected[] = "expected l1=, l2=, l3=, cores=, siblings=, quota= and isa=, "
                                   "with commas between them";
    const size_t kilo = 1 << 10, mega = 1 << 20;
    struct rci_cpu *cpu = r->cpu;
    const char *value = strchr(part, '=');
    if (!value++)
        return wrong(given, expected);
    if (!strncmp(part, "isa=", 4))
        return read_isa(given, value, r->isa);
    if (!strncmp(part, "l1=", 3))
        return read_number(value, 4 * kilo, 4 * mega, &cpu->l1)
                   ? RC_OK
                   : wrong(given, "l1 is allowed from 4K to 4M");
    if (!strncmp(part, "l2=", 3))
        return read_number(value, 64 * kilo, 1024 * mega, &cpu->l2)
                   ? RC_OK
                   : wrong(given, "l2 is allowed from 64K to 1G");
    if (!strncmp(part, "l3=", 3))
        return read_number(value, 0, 4096 * mega, &cpu->l3)
                   ? RC_OK
                   : wrong(given, "l3 is allowed from 0 to 4G");
    if (!strncmp(part, "cores=", 6) || !strncmp(part, "siblings=", 9) ||
        !strncmp(part, "quota=", 6))
        return read_processors(r, given, part);
    return wrong(given, expected);
}

static void set_isa(struct rci_cpu *cpu, unsigned isa)
{
    snprintf(cpu->isa, sizeof(cpu->isa), "%s", isa_name(isa));
    cpu->avx512 = isa_has(isa, dnnl_cpu_isa_avx512_core);
    cpu->vnni = isa_has(isa, dnnl_cpu_isa_avx512_core_vnni);
    cpu->avx_vnni = isa_has(isa, dnnl_cpu_isa_avx2_vnni) || (cpu->vnni && asked.avx_vnni);
    cpu->bf16 = isa_has(isa, dnnl_cpu_isa_avx512_core_bf16);
    cpu->amx = isa_has(isa, dnnl_cpu_isa_avx512_core_amx);
    cpu->lanes = cpu->avx512 ? 16 : isa_has(isa, dnnl_cpu_isa_avx2) ? 8 : 0;
}

/* *isa: the set that remains. */
static rc_status cpu_describe(struct rci_cpu *cpu, struct rci_processors *limits, unsigned *isa,
                              const char *given)
{
    char text[sizeof(cpu->given)], *rest = text;
    const struct reading r = {cpu, limits, isa};
    *cpu = asked.cpu;
    *limits = asked.processors;
    if (strlen(given) >= sizeof(text))
        return wrong(given, "too long");
    snprintf(text, sizeof(text), "%s", given);
    for (char *part = strtok_r(text, ",", &rest); part; part = strtok_r(NULL, ",", &rest))
        RC_TRY(read_part(&r, given, part));
    snprintf(cpu->given, sizeof(cpu->given), "%s", given);
    set_isa(cpu, *isa);
    return RC_OK;
}

/* --- one description per text and set, for the process --- */

enum { DESCRIPTIONS = 64 };

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    uint32_t n;
    unsigned isa[DESCRIPTIONS];
    struct rci_processors limits[DESCRIPTIONS];
    struct rci_cpu cpu[DESCRIPTIONS]; /* those below n never change */
} known = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static rc_status find_locked(const struct rci_cpu **out, const char *given)
{
    const unsigned isa = (unsigned) dnnl_get_effective_cpu_isa();
    unsigned left = isa;
    for (uint32_t i = 0; i < known.n; i++)
        if (known.isa[i] == isa && !strcmp(known.cpu[i].given, given)) {
            *out = &known.cpu[i];
            return RC_OK;
        }
    if (known.n == DESCRIPTIONS)
        return rci_fail(RC_ERR_LIMIT, "more than %d different RESCOMP_CPU in one process",
                        DESCRIPTIONS);
    RC_TRY(cpu_describe(&known.cpu[known.n], &known.limits[known.n], &left, given));
    known.isa[known.n] = isa;
    *out = &known.cpu[known.n++];
    return RC_OK;
}

rc_status rci_cpu_find(const struct rci_cpu **out, const char *given)
{
    *out = NULL;
    pthread_once(&known.once, ask);
    pthread_mutex_lock(&known.lock);
    const rc_status st = find_locked(out, given ? given : "");
    pthread_mutex_unlock(&known.lock);
    return st;
}

/* oneDNN takes a limit only before it has made anything. Where it refuses, it keeps more than our
 * kernels use, which is safe. */
static void limit_onednn(const struct rci_cpu *cpu)
{
    for (int i = 0; i < ISAS; i++)
        if (!strcmp(cpu->isa, isas[i].name))
            (void) dnnl_set_max_cpu_isa(isas[i].isa);
}

rc_status rci_cpu_open(struct rc_context *c)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool opened;
    const struct rci_cpu *cpu;
    RC_TRY(rci_cpu_find(&cpu, getenv("RESCOMP_CPU")));
    pthread_mutex_lock(&lock);
    if (!opened && strstr(cpu->given, "isa="))
        limit_onednn(cpu);
    opened = true;
    pthread_mutex_unlock(&lock);
    c->cpu = cpu;
    rci_load_limit(rci_cpu_processors(cpu)->quota);
    return RC_OK;
}

/* --- threads --- */

const struct rci_processors *rci_cpu_processors(const struct rci_cpu *cpu)
{
    return &known.limits[cpu - known.cpu];
}

bool rci_cpu_runs(const struct rci_cpu *cpu, uint32_t threads)
{
    const double quota = rci_cpu_processors(cpu)->quota;
    return threads <= cpu->cores && (quota <= 0 || threads <= quota);
}

void rci_cpu_default_threads(struct rc_context *c)
{
    const char *said = getenv("OMP_NUM_THREADS");
    const struct rci_processors *limits = rci_cpu_processors(c->cpu);
    const uint32_t most = (uint32_t) omp_get_max_threads(), best = rci_processors_threads(limits);
    /* the program or its user chose */
    if ((said && *said) || most != (uint32_t) omp_get_num_procs() || most <= best)
        return;
    c->o.threads = best;
    rci_log(c, RC_LOG_INFO, "%u threads: the process has %u processors of %u cores, quota %g", best,
            limits->allowed, limits->cores, limits->quota);
}

/* --- texts --- */

void rci_cpu_identity(const struct rci_cpu *cpu, char out[RC_CPU_IDENTITY])
{
    char given[24] = "";
    if (cpu->given[0])
        snprintf(given, sizeof(given), " given, %u cores", cpu->cores);
    pthread_once(&known.once, ask);
#ifdef HAVE_CPUID
    snprintf(out, RC_CPU_IDENTITY, "%s %u/%u/%u %s %d, caches %zu/%zu/%zu KiB%s", asked.vendor,
             asked.family, asked.model, asked.stepping, cpu->isa, cpu->lanes, cpu->l1 / 1024,
             cpu->l2 / 1024, cpu->l3 / 1024, given);
#else
    snprintf(out, RC_CPU_IDENTITY, "%.40s %s %d, caches %zu/%zu/%zu KiB%s", cpu->model, cpu->isa,
             cpu->lanes, cpu->l1 / 1024, cpu->l2 / 1024, cpu->l3 / 1024, given);
#endif
}

rc_status rci_cpu_check_bf16(const struct rci_cpu *cpu)
{
    if (cpu->bf16)
        return RC_OK;
    return rci_fail(RC_ERR_UNSUPPORTED,
                    "bf16 needs AVX-512 BF16 or AMX; processor \"%s\" runs with %s", cpu->model,
                    cpu->isa);
}

void rci_onednn_version(char text[RC_ONEDNN_VERSION])
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, RC_ONEDNN_VERSION, "%d.%d.%d", v->major, v->minor, v->patch);
}
