/* Shapes of inputs that the caller gives: "N,3,224,224" or "data=1,3,224,224". */
#include "io/import.h"

#include <string.h>

static rc_status given_axis(const char *text, size_t n, const char *all, int64_t *out)
{
    int64_t v = 0;
    *out = -1;
    if (n == 0)
        return rci_fail(RC_ERR_ARG, "shape \"%.200s\": an axis is empty", all);
    if (strspn(text, "0123456789") < n)
        return RC_OK; /* a word */
    for (size_t i = 0; i < n && v <= INT32_MAX; i++)
        v = v * 10 + (text[i] - '0');
    if (v < 1 || v > INT32_MAX)
        return rci_fail(RC_ERR_ARG, "shape \"%.200s\": an axis is %.*s, allowed 1..%d", all,
                        (int) n, text, INT32_MAX);
    *out = v;
    return RC_OK;
}

static rc_status given_parse(const char *dims, const char *all, int64_t *given, uint32_t *n)
{
    for (*n = 0;; ++*n) {
        const size_t length = strcspn(dims, ",x");
        if (*n == RC_MAX_DIMS)
            return rci_fail(RC_ERR_ARG, "shape \"%.200s\" has more than %d axes", all, RC_MAX_DIMS);
        RC_TRY(given_axis(dims, length, all, &given[*n]));
        dims += length;
        if (!*dims) {
            ++*n;
            return RC_OK;
        }
        dims++;
    }
}

rc_status rci_import_given_shape(struct import *m, const char *name, int64_t *given, uint32_t *n)
{
    const struct rci_onnx_source *s = m->source;
    const size_t length = strlen(name);
    *n = 0;
    for (uint32_t i = 0; i < s->n_shapes; i++) {
        const char *equals = strrchr(s->shapes[i], '=');
        const bool named = equals && (size_t) (equals - s->shapes[i]) == length &&
                           !strncmp(s->shapes[i], name, length);
        const bool first = !equals && s->n_shapes == 1 && m->g->n_inputs == 0;
        if (!named && !first)
            continue;
        if (*n)
            return rci_fail(RC_ERR_ARG, "two shapes are given for input \"%s\"", name);
        RC_TRY(given_parse(equals ? equals + 1 : s->shapes[i], s->shapes[i], given, n));
        m->shapes_used++;
    }
    return RC_OK;
}
