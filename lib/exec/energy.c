/* Counters of intel-rapl:0, :1, ... (AMD's have the same name): energy_uj counts up to
 * max_energy_range_uj and starts anew. */
#include "exec/energy.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool energy_read_number(const struct rci_energy *e, uint32_t zone, const char *name,
                               uint64_t *out)
{
    char path[RC_ENERGY_ROOM + 64], text[32];
    snprintf(path, sizeof(path), "%s/intel-rapl:%u/%s", e->folder, zone, name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0 || text[0] < '0' || text[0] > '9')
        return false;
    text[n] = '\0';
    *out = strtoull(text, NULL, 10);
    return true;
}

void rci_energy_open(struct rci_energy *e, const char *folder)
{
    memset(e, 0, sizeof(*e));
    snprintf(e->folder, sizeof(e->folder), "%s", folder ? folder : "/sys/class/powercap");
    for (uint32_t k = 0; k < RC_ENERGY_ZONES; k++)
        if (energy_read_number(e, k, "energy_uj", &e->last[e->n])) {
            e->zone[e->n] = k;
            if (!energy_read_number(e, k, "max_energy_range_uj", &e->range[e->n]))
                e->range[e->n] = 0;
            e->n++;
        }
}

double rci_energy_since(struct rci_energy *e)
{
    double sum = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        uint64_t now;
        if (!energy_read_number(e, e->zone[i], "energy_uj", &now))
            continue;
        const uint64_t more =
            now >= e->last[i] ? now - e->last[i] : now + (e->range[i] - e->last[i]);
        e->last[i] = now;
        sum += (double) more * 1e-6;
    }
    return sum;
}
