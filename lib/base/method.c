#include "base/method.h"
#include "base/number.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static size_t name_length(const char *spec)
{
    return strcspn(spec, ":");
}

rc_status rci_method_find(const struct rci_method **out, const struct rci_method_kind *k,
                          const char *spec)
{
    const size_t n = name_length(spec);
    for (uint32_t i = 0; i < k->count; i++)
        if (strlen(k->table[i]->name) == n && !strncmp(k->table[i]->name, spec, n)) {
            *out = k->table[i];
            return RC_OK;
        }
    rci_fail(RC_ERR_ARG, "no %s named \"%.*s\"; there are", k->kind, (int) (n < 64 ? n : 64), spec);
    for (uint32_t i = 0; i < k->count; i++)
        rci_fail_append("%s %s", i ? "," : "", k->table[i]->name);
    return RC_ERR_ARG;
}

static void param_store(void *params, const struct rci_param *p, double value)
{
    char *at = (char *) params + p->offset;
    if (p->type == RC_PARAM_REAL)
        memcpy(at, &value, sizeof(value));
    else
        memcpy(at, &(int64_t){(int64_t) value}, sizeof(int64_t));
}

static const struct rci_param *find_param(const struct rci_method *m, const char *key, size_t n)
{
    for (uint32_t i = 0; i < m->n_params; i++)
        if (strlen(m->params[i].name) == n && !strncmp(m->params[i].name, key, n))
            return &m->params[i];
    rci_fail(RC_ERR_ARG, "%s has no parameter \"%.*s\"%s", m->name, (int) (n < 64 ? n : 64), key,
             m->n_params ? "; it has" : "");
    for (uint32_t i = 0; i < m->n_params; i++)
        rci_fail_append("%s %s", i ? "," : "", m->params[i].name);
    return NULL;
}

static rc_status param_parse(const struct rci_method *m, const struct rci_param *p,
                             const char *text, size_t n, double *value)
{
    char copy[64];
    if (n == 0 || n >= sizeof(copy))
        return rci_fail(RC_ERR_ARG, "%s:%s needs a number", m->name, p->name);
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (p->type == RC_PARAM_BOOL && (!strcmp(copy, "true") || !strcmp(copy, "false"))) {
        *value = copy[0] == 't';
        return RC_OK;
    }
    char *end;
    *value = rci_number_parse(copy, &end);
    const bool whole = p->type == RC_PARAM_REAL || *value == floor(*value);
    if (*end || !isfinite(*value) || !whole || *value < p->min || *value > p->max)
        return rci_fail(RC_ERR_ARG, "%s:%s is \"%s\", allowed is %s in [%g, %g]", m->name, p->name,
                        copy, p->type == RC_PARAM_REAL ? "a number" : "a whole number", p->min,
                        p->max);
    return RC_OK;
}

static rc_status parse_pairs(void *params, const struct rci_method *m, const char *s)
{
    while (*s) {
        const size_t pair = strcspn(s, ","), key = strcspn(s, "=,");
        if (key == pair)
            return rci_fail(RC_ERR_ARG, "\"%.*s\" after %s: expected key=value",
                            (int) (pair < 64 ? pair : 64), s, m->name);
        const struct rci_param *p = find_param(m, s, key);
        if (!p)
            return RC_ERR_ARG;
        double value = p->def;
        RC_TRY(param_parse(m, p, s + key + 1, pair - key - 1, &value));
        param_store(params, p, value);
        s += pair + (s[pair] == ',');
    }
    return RC_OK;
}

rc_status rci_method_params(void **params, struct rc_context *c, const struct rci_method *m,
                            const char *spec)
{
    *params = rci_alloc_zero(c, m->params_size);
    if (!*params)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < m->n_params; i++)
        param_store(*params, &m->params[i], m->params[i].def);
    const char *colon = strchr(spec, ':');
    const rc_status st = colon ? parse_pairs(*params, m, colon + 1) : RC_OK;
    if (st != RC_OK) {
        rci_release(*params);
        *params = NULL;
    }
    return st;
}

static rc_status use_one(struct rci_method_use *out, struct rc_context *c,
                         const struct rci_method_kind *k, const char *spec, size_t size)
{
    char one[200];
    if (size >= sizeof(one))
        return rci_fail(RC_ERR_ARG, "%s \"%.40s...\": more than %zu characters for one method",
                        k->kind, spec, sizeof(one) - 1);
    memcpy(one, spec, size);
    one[size] = 0;
    RC_TRY(rci_method_find(&out->m, k, one));
    return rci_method_params(&out->params, c, out->m, one);
}

rc_status rci_method_uses(struct rci_method_use out[RC_METHOD_USES], uint32_t *n,
                          struct rc_context *c, const struct rci_method_kind *k, const char *spec)
{
    for (*n = 0;; spec++) {
        const size_t size = strcspn(spec, "+");
        if (*n == RC_METHOD_USES)
            return rci_fail(RC_ERR_ARG, "%s: more than %d methods", k->kind, RC_METHOD_USES);
        RC_TRY(use_one(&out[*n], c, k, spec, size));
        ++*n;
        spec += size;
        if (!*spec)
            return RC_OK;
    }
}

void rci_method_uses_free(struct rci_method_use *uses, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        rci_release(uses[i].params);
}
