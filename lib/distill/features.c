/* L += sum over losses k and pairs p of w_k L_k(S_p, T_p). */
#include "distill/features.h"

#include "distill/adapter.h"

#include <stdlib.h>
#include <string.h>

enum { TAPS_MOST = 64, PAIRS_MOST = 256, ADAPTERS_MOST = 16 };

/* One loss on one pair of values. */
struct pair {
    uint32_t term, student, teacher; /* indices of the sum, of the taps, of what is observed */
    struct rci_adapter *adapter;     /* or NULL */
};

struct side {
    const struct rc_graph *graph;
    rci_id value[TAPS_MOST];
    uint32_t n;
};

struct rci_features {
    struct rc_context *ctx;
    const struct rci_distill_sum *sum;
    struct side student, teacher;
    struct pair pairs[PAIRS_MOST];
    uint32_t n_pairs, n_memory;
    struct rci_train_memory memory[ADAPTERS_MOST * RC_ADAPTER_MEMORY];
    float *part;    /* [largest map] gradient of one loss */
    double *room;   /* of the losses */
    double *gram;   /* [3, batch, batch]: student's, teacher's, gradient; NULL: no loss needs it */
    size_t largest; /* floats of a batch */
};

static struct rci_feature feature_of(const struct rc_graph *g, rci_id v)
{
    const struct rci_shape *s = &g->values[v].tensor.shape;
    const bool map = s->rank == 4;
    return (struct rci_feature){.channels = (uint32_t) s->dim[1],
                                .height = map ? (uint32_t) s->dim[2] : 1,
                                .width = map ? (uint32_t) s->dim[3] : 1};
}

static size_t feature_size(const struct rci_feature *f)
{
    return (size_t) f->channels * f->height * f->width;
}

/* Index of `v` among the values of a side, to which it is added. */
static rc_status side_index(struct side *s, rci_id v, uint32_t *index)
{
    for (*index = 0; *index < s->n; ++*index)
        if (s->value[*index] == v)
            return RC_OK;
    if (s->n == TAPS_MOST)
        return rci_fail(RC_ERR_LIMIT, "losses on more than %d features", TAPS_MOST);
    s->value[s->n++] = v;
    return RC_OK;
}

static rc_status add_adapter(struct rci_features *f, struct pair *p,
                             const struct rci_features_config *o, const struct rci_hint *h)
{
    const struct rci_feature s = feature_of(o->student, h->student);
    const struct rci_feature t = feature_of(o->teacher, h->teacher);
    if (o->ranks > 1)
        return rci_fail(RC_ERR_UNSUPPORTED, "%s trains a convolution along, on one rank only",
                        f->sum->use[p->term].m->name);
    if (f->n_memory == ADAPTERS_MOST * RC_ADAPTER_MEMORY)
        return rci_fail(RC_ERR_LIMIT, "more than %d adapters", ADAPTERS_MOST);
    const rc_status st = rci_adapter_new(&p->adapter, f->ctx, &s, &t, o->batch, f->n_pairs);
    if (st == RC_ERR_SHAPE)
        rci_fail_append(" (%s and %s)", o->student->values[h->student].name,
                        o->teacher->values[h->teacher].name);
    RC_TRY(st);
    rci_adapter_memory(p->adapter, f->memory + f->n_memory);
    f->n_memory += RC_ADAPTER_MEMORY;
    return RC_OK;
}

static rc_status add_pair(struct rci_features *f, uint32_t term,
                          const struct rci_features_config *o, const struct rci_hint *h)
{
    if (f->n_pairs == PAIRS_MOST)
        return rci_fail(RC_ERR_LIMIT, "more than %d pairs of features", PAIRS_MOST);
    struct pair *p = &f->pairs[f->n_pairs];
    *p = (struct pair){.term = term};
    RC_TRY(side_index(&f->student, h->student, &p->student));
    RC_TRY(side_index(&f->teacher, h->teacher, &p->teacher));
    if (rci_distill_term(f->sum, term)->adapter)
        RC_TRY(add_adapter(f, p, o, h));
    f->n_pairs++;
    return RC_OK;
}

static rc_status add_term(struct rci_features *f, uint32_t term,
                          const struct rci_features_config *o)
{
    struct rci_hint *hints;
    uint32_t n;
    rc_status st = rci_hints_find(&hints, &n, o->student, o->teacher, o->hints,
                                  rci_distill_term(f->sum, term)->place);
    for (uint32_t i = 0; st == RC_OK && i < n; i++)
        st = add_pair(f, term, o, &hints[i]);
    rci_release(hints);
    return st;
}

/* Memory for the largest of all pairs. */
static rc_status features_reserve(struct rci_features *f, uint32_t batch)
{
    size_t room = 0;
    bool relations = false;
    for (uint32_t i = 0; i < f->n_pairs; i++) {
        const struct pair *p = &f->pairs[i];
        const struct rci_distill_loss *l = rci_distill_term(f->sum, p->term);
        const struct rci_feature s = feature_of(f->student.graph, f->student.value[p->student]);
        const struct rci_feature t = feature_of(f->teacher.graph, f->teacher.value[p->teacher]);
        const size_t pixels = (size_t) s.height * s.width;
        const size_t own = l->room ? l->room(batch, l->relation ? batch : pixels) : 0;
        const size_t width = feature_size(p->adapter ? &t : &s);
        room = own > room ? own : room;
        f->largest = width > f->largest ? width : f->largest;
        relations = relations || l->relation;
    }
    f->part = rci_alloc_array(f->ctx, f->largest * batch, sizeof(*f->part));
    f->room = rci_alloc_array(f->ctx, room + 1, sizeof(*f->room));
    if (relations)
        f->gram = rci_alloc_array(f->ctx, 3 * (size_t) batch * batch, sizeof(*f->gram));
    return f->part && f->room && (f->gram || !relations) ? RC_OK : RC_ERR_MEMORY;
}

static rc_status features_fill(struct rci_features *f, const struct rci_features_config *o)
{
    for (uint32_t i = 0; i < o->sum->n; i++)
        if (!rci_distill_term(o->sum, i)->value)
            RC_TRY(add_term(f, i, o));
    return features_reserve(f, o->batch);
}

rc_status rci_features_new(struct rci_features **out, const struct rci_features_config *o)
{
    bool any = false;
    *out = NULL;
    for (uint32_t i = 0; i < o->sum->n; i++)
        any = any || !rci_distill_term(o->sum, i)->value;
    if (!any && o->hints)
        return rci_fail(RC_ERR_ARG, "hints \"%s\", but no loss compares features", o->hints);
    if (!any)
        return RC_OK;
    struct rci_features *f = RC_NEW(o->student->ctx, struct rci_features);
    if (!f)
        return RC_ERR_MEMORY;
    f->ctx = o->student->ctx;
    f->sum = o->sum;
    f->student.graph = o->student;
    f->teacher.graph = o->teacher;
    const rc_status st = features_fill(f, o);
    if (st != RC_OK) {
        rci_features_free(f);
        return st;
    }
    *out = f;
    return RC_OK;
}

void rci_features_free(struct rci_features *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; i < f->n_pairs; i++)
        rci_adapter_free(f->pairs[i].adapter);
    rci_release(f->part);
    rci_release(f->room);
    rci_release(f->gram);
    rci_release(f);
}

const rci_id *rci_features_student(const struct rci_features *f, uint32_t *n)
{
    *n = f->student.n;
    return f->student.value;
}

const rci_id *rci_features_teacher(const struct rci_features *f, uint32_t *n)
{
    *n = f->teacher.n;
    return f->teacher.value;
}

const struct rci_train_memory *rci_features_memory(const struct rci_features *f, uint32_t *n)
{
    *n = f->n_memory;
    return f->memory;
}

static size_t teacher_size(const struct rci_features *f, uint32_t i)
{
    const struct rci_feature t = feature_of(f->teacher.graph, f->teacher.value[i]);
    return feature_size(&t);
}

size_t rci_features_width(const struct rci_features *f)
{
    return rci_features_offset(f, f->teacher.n, 1);
}

size_t rci_features_offset(const struct rci_features *f, uint32_t i, uint32_t n)
{
    size_t at = 0;
    for (uint32_t k = 0; k < i; k++)
        at += teacher_size(f, k);
    return at * n;
}

/* --- relations --- */

/* g[i][j] = x_i x_j, in double: distances are differences of such numbers. */
static void gram_of(const float *x, uint32_t n, size_t width, double *g)
{
#pragma omp parallel for schedule(dynamic, 4)
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j <= i; j++) {
            const float *a = x + i * width, *b = x + j * width;
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (size_t k = 0; k < width; k++)
                sum += (double) a[k] * b[k];
            g[(size_t) i * n + j] = g[(size_t) j * n + i] = sum;
        }
}

/* grad_i += w sum_j (d_ij + d_ji) x_j */
static void gram_back(const float *x, uint32_t n, size_t width, const double *d, double w,
                      float *grad)
{
#pragma omp parallel for schedule(static)
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            const float by = (float) (w * (d[(size_t) i * n + j] + d[(size_t) j * n + i]));
            const float *from = x + j * width;
            float *to = grad + i * width;
            for (size_t k = 0; k < width; k++)
                to[k] += by * from[k];
        }
}

static double add_relation(struct rci_features *f, const struct pair *p,
                           const struct rci_train_step *s, const float *teacher, double weight)
{
    const struct rci_distill_loss *l = rci_distill_term(f->sum, p->term);
    const struct rci_feature of = feature_of(f->student.graph, f->student.value[p->student]);
    const size_t all = (size_t) s->n * s->n, width = feature_size(&of);
    const struct rci_train_tap *tap = &s->taps[p->student];
    double *grad = f->gram + 2 * all;
    gram_of(tap->value->data, s->n, width, f->gram);
    gram_of(teacher, s->n, teacher_size(f, p->teacher), f->gram + all);
    const double loss =
        l->relation(f->sum->use[p->term].params, s->n, f->gram, f->gram + all, grad, f->room);
    gram_back(tap->value->data, s->n, width, grad, weight, tap->grad);
    return weight * loss;
}

/* --- maps --- */

static rc_status add_maps(struct rci_features *f, const struct rc_trainer *t, const struct pair *p,
                          struct rci_train_step *s, const float *teacher, double weight)
{
    const struct rci_distill_loss *l = rci_distill_term(f->sum, p->term);
    const struct rci_train_tap *tap = &s->taps[p->student];
    struct rci_feature_pair both = {
        .n = s->n,
        .student = feature_of(f->student.graph, f->student.value[p->student]),
        .teacher = feature_of(f->teacher.graph, f->teacher.value[p->teacher]),
        .grad = f->part};
    const size_t count = s->n * feature_size(&both.student);
    const float *dx = f->part;
    both.student.x = tap->value->data;
    both.teacher.x = teacher;
    if (p->adapter) {
        both.student = both.teacher;
        RC_TRY(rci_adapter_forward(p->adapter, tap->value->data, &both.student.x));
    }
    s->loss += weight * l->maps(f->sum->use[p->term].params, &both, f->room);
    if (p->adapter) {
        /* the adapter learns by the weighted loss too */
        for (size_t k = 0; k < s->n * feature_size(&both.teacher); k++)
            f->part[k] *= (float) weight;
        RC_TRY(rci_adapter_backward(p->adapter, t, f->part, &dx));
        weight = 1;
    }
    for (size_t k = 0; k < count; k++)
        tap->grad[k] += (float) weight * dx[k];
    return RC_OK;
}

rc_status rci_features_add(struct rci_features *f, const struct rc_trainer *t,
                           struct rci_train_step *s, const float *teacher)
{
    const double at = (double) s->step / (double) s->steps;
    for (uint32_t i = 0; i < f->n_pairs; i++) {
        const struct pair *p = &f->pairs[i];
        const double weight = rci_distill_weight(&f->sum->use[p->term], at);
        const float *map = teacher + rci_features_offset(f, p->teacher, s->n);
        if (weight == 0)
            continue;
        if (rci_distill_term(f->sum, p->term)->relation)
            s->loss += add_relation(f, p, s, map, weight);
        else
            RC_TRY(add_maps(f, t, p, s, map, weight));
    }
    return RC_OK;
}
