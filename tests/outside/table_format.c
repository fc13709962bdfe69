/* "NAME THRESHOLD" a line. */
#include "outside.h"
#include "quant/format.h"

static rc_status outside_write(const void *params, const struct rci_table *t, struct rci_buffer *b)
{
    (void) params;
    outside_calls[OUTSIDE_TABLE_FORMAT]++;
    for (uint32_t i = 0; i < t->n_values; i++)
        RC_TRY(rci_buffer_printf(b, "%s %.9g\n", t->value[i].name, t->value[i].amax));
    return RC_OK;
}

static rc_status outside_read(const void *params, struct rci_table *t, const char *text,
                              size_t size)
{
    (void) params;
    const char *line;
    size_t at = 0, n;
    outside_calls[OUTSIDE_TABLE_FORMAT]++;
    while (rci_table_line(text, size, &at, &line, &n)) {
        size_t name = n;
        while (name && line[name] != ' ')
            name--;
        const uint32_t i = rci_table_find_value(t, line, name);
        if (i == RC_TABLE_NONE)
            return rci_fail(RC_ERR_MODEL, "\"%.*s\" is unknown", (int) name, line);
        RC_TRY(rci_table_set(t, i, t->value[i].name, 2));
    }
    return RC_OK;
}

const struct rci_table_format rci_table_format_outside = {
    .m = {.name = "outside", .summary = "names and thresholds", .source = ""},
    .write = outside_write,
    .read = outside_read,
};
