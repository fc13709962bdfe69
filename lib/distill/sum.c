/* L = c CE + sum_k w_k(t) L_k, and its gradient by the logits. */
#include "distill/sum.h"

#include <math.h>
#include <string.h>

rc_status rci_distill_sum_make(struct rci_distill_sum *out, struct rc_context *c, const char *spec)
{
    return rci_method_uses(out->use, &out->n, c, &rci_kind_distill_loss, spec);
}

static const struct rci_param *param_named(const struct rci_method *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_params; i++)
        if (!strcmp(m->params[i].name, name))
            return &m->params[i];
    return NULL;
}

rc_status rci_distill_sum_set(struct rci_distill_sum *s, const char *name, double value)
{
    for (uint32_t i = 0; value != 0 && i < s->n; i++) {
        const struct rci_param *p = param_named(s->use[i].m, name);
        if (!p)
            continue;
        if (!(value >= p->min && value <= p->max))
            return rci_fail(RC_ERR_ARG, "%s is %g, allowed is [%g, %g]", name, value, p->min,
                            p->max);
        memcpy((char *) s->use[i].params + p->offset, &value, sizeof(value));
        return RC_OK;
    }
    if (value == 0)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "%s has no parameter \"%s\"", s->use[0].m->name, name);
}

double rci_distill_weight(const struct rci_method_use *use, double at)
{
    const struct rci_distill_common *c = use->params;
    double w = c->weight;
    if (at < c->warmup)
        w *= at / c->warmup;
    if (1 - at < c->fade)
        w *= (1 - at) / c->fade;
    return w;
}

size_t rci_distill_sum_room(const struct rci_distill_sum *s, uint32_t n, uint32_t classes)
{
    size_t most = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct rci_distill_loss *l = rci_distill_term(s, i);
        const size_t room = l->value && l->room ? l->room(n, classes) : 0;
        most = room > most ? room : most;
    }
    return most;
}

static double labels_share(const struct rci_distill_sum *s)
{
    double share = 0;
    bool said = false;
    for (uint32_t i = 0; i < s->n; i++)
        if (rci_distill_term(s, i)->labels) {
            share += rci_distill_term(s, i)->labels(s->use[i].params);
            said = true;
        }
    return said ? share : 1;
}

/* c CE and its gradient. */
static double labels_part(const struct rci_loss_batch *b, double c)
{
    double total = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        const float *z = b->logits + (size_t) i * b->classes;
        const double sum = rci_log_sum_exp(z, b->classes, 1);
        total += rci_loss_hard(b, i, sum);
        for (uint32_t j = 0; b->grad && j < b->classes; j++)
            b->grad[(size_t) i * b->classes + j] =
                (float) (c * (exp(z[j] - sum) - rci_loss_target(b, i, j)) / b->n);
    }
    return c * total / b->n;
}

double rci_distill_sum_logits(const struct rci_distill_sum *s, const struct rci_loss_batch *b,
                              const float *teacher, double at, float *part, double *room)
{
    const size_t count = (size_t) b->n * b->classes;
    struct rci_loss_batch one = *b;
    double total = labels_part(b, labels_share(s));
    one.grad = b->grad ? part : NULL;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct rci_distill_loss *l = rci_distill_term(s, i);
        const double w = rci_distill_weight(&s->use[i], at);
        if (!l->value || w == 0)
            continue;
        total += w * l->value(s->use[i].params, &one, teacher, room);
        for (size_t k = 0; b->grad && k < count; k++)
            b->grad[k] += (float) (w * part[k]);
    }
    return total;
}
