/* What this processor and oneDNN can do. */
#include "kernel/onednn/compat.h"
#include "kernel/onednn/engine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

/* The sets are bit masks: each contains the ones it extends. */
static const struct {
    dnnl_cpu_isa_t isa;
    const char *name;
} isa_names[] = {
    {dnnl_cpu_isa_avx512_core_amx, "AVX-512 AMX"},
    {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 BF16"},
    {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 VNNI"},
    {dnnl_cpu_isa_avx512_core, "AVX-512"},
    {dnnl_cpu_isa_avx2_vnni, "AVX2 VNNI"},
    {dnnl_cpu_isa_avx2, "AVX2"},
    {dnnl_cpu_isa_avx, "AVX"},
    {dnnl_cpu_isa_sse41, "SSE4.1"},
};

static bool isa_has(unsigned have, dnnl_cpu_isa_t want)
{
    return (have & (unsigned) want) == (unsigned) want;
}

static void read_model(char *model, size_t size)
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

static const char *isa_name(unsigned isa)
{
    for (size_t i = 0; i < sizeof(isa_names) / sizeof(isa_names[0]); i++)
        if (isa_has(isa, isa_names[i].isa))
            return isa_names[i].name;
    return "generic";
}

void rci_cpu_info(struct rci_cpu_info *out)
{
    memset(out, 0, sizeof(*out));
    const dnnl_version_t *v = dnnl_version();
    snprintf(out->onednn, sizeof(out->onednn), "%d.%d.%d", v->major, v->minor, v->patch);
    const unsigned isa = (unsigned) dnnl_get_effective_cpu_isa();
    snprintf(out->isa, sizeof(out->isa), "%s", isa_name(isa));
    out->vnni = isa_has(isa, dnnl_cpu_isa_avx512_core_vnni) || isa_has(isa, dnnl_cpu_isa_avx2_vnni);
    out->bf16 = isa_has(isa, dnnl_cpu_isa_avx512_core_bf16);
    out->avx512 = isa_has(isa, dnnl_cpu_isa_avx512_core);
    read_model(out->model, sizeof(out->model));
}

int rci_cpu_lanes(void)
{
    const unsigned isa = (unsigned) dnnl_get_effective_cpu_isa();
    return isa_has(isa, dnnl_cpu_isa_avx512_core) ? 16 : isa_has(isa, dnnl_cpu_isa_avx2) ? 8 : 0;
}

void rci_cpu_identity(char *out, size_t size)
{
    const char *isa = isa_name((unsigned) dnnl_get_effective_cpu_isa());
#if defined(__x86_64__) || defined(__i386__)
    unsigned a, b, c, d;
    char vendor[13] = "unknown";
    if (__get_cpuid(0, &a, &b, &c, &d)) {
        memcpy(vendor, &b, 4);
        memcpy(vendor + 4, &d, 4);
        memcpy(vendor + 8, &c, 4);
    }
    if (!__get_cpuid(1, &a, &b, &c, &d))
        a = 0;
    /* extended family and model count where the base ones are at their ends */
    const unsigned base = a >> 8 & 15, family = base == 15 ? base + (a >> 20 & 255) : base;
    const unsigned model = (a >> 4 & 15) | (base == 6 || base == 15 ? a >> 12 & 0xf0 : 0);
    snprintf(out, size, "%s %u/%u/%u %s %d, caches %ld/%ld/%ld KiB", vendor, family, model, a & 15,
             isa, rci_cpu_lanes(), sysconf(_SC_LEVEL1_DCACHE_SIZE) / 1024,
             sysconf(_SC_LEVEL2_CACHE_SIZE) / 1024, sysconf(_SC_LEVEL3_CACHE_SIZE) / 1024);
#else
    char model[64];
    read_model(model, sizeof(model));
    snprintf(out, size, "%.40s %s %d", model, isa, rci_cpu_lanes());
#endif
}

bool rci_cpu_vnni(void)
{
    return isa_has((unsigned) dnnl_get_effective_cpu_isa(), dnnl_cpu_isa_avx512_core_vnni);
}

bool rci_cpu_bf16_vectors(void)
{
    const unsigned isa = (unsigned) dnnl_get_effective_cpu_isa();
    return isa_has(isa, dnnl_cpu_isa_avx512_core_bf16) &&
           !isa_has(isa, dnnl_cpu_isa_avx512_core_amx);
}

rc_status rci_cpu_check_bf16(void)
{
    struct rci_cpu_info cpu;
    if (isa_has((unsigned) dnnl_get_effective_cpu_isa(), dnnl_cpu_isa_avx512_core_bf16))
        return RC_OK;
    rci_cpu_info(&cpu);
    return rci_fail(RC_ERR_UNSUPPORTED,
                    "bf16 needs AVX-512 BF16 or AMX; processor \"%s\" runs with %s", cpu.model,
                    cpu.isa);
}
