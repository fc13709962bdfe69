/* Distillation losses on feature maps and relations: values and gradients against torch's, and by
 * differences. */
#include "base/json.h"
#include "check.h"
#include "distill/loss.h"
#include "nets.h"
#include "shared.h"

#include <stdlib.h>

enum { N = 4, MOST = 4 * 5 * 8 * 8 };

static float student[MOST], teacher[MOST], grad[MOST];
static double room[4096];

struct method {
    const struct rci_distill_loss *loss;
    void *params;
};

static struct method method_of(void **state, const char *spec)
{
    struct method m;
    const struct rci_method *found;
    OK(rci_method_find(&found, &rci_kind_distill_loss, spec));
    OK(rci_method_params(&m.params, *state, found, spec));
    m.loss = (const struct rci_distill_loss *) (const void *) found;
    return m;
}

static size_t size_of(const struct rci_feature *f)
{
    return (size_t) f->channels * f->height * f->width;
}

static void gram_of(const float *x, size_t width, double *g)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            g[i * N + j] = 0;
            for (size_t k = 0; k < width; k++)
                g[i * N + j] += (double) x[(size_t) i * width + k] * x[(size_t) j * width + k];
        }
}

/* What the driver does, plainly; the gradient is left in grad. */
static double evaluate(const struct method *m, struct rci_feature s, struct rci_feature t)
{
    const size_t width = size_of(&s);
    double a[N * N], b[N * N], d[N * N];
    s.x = student;
    t.x = teacher;
    if (m->loss->maps) {
        const struct rci_feature_pair p = {N, s, t, grad};
        return m->loss->maps(m->params, &p, room);
    }
    gram_of(student, width, a);
    gram_of(teacher, size_of(&t), b);
    const double loss = m->loss->relation(m->params, N, a, b, d, room);
    for (int i = 0; i < N; i++)
        for (size_t k = 0; k < width; k++) {
            double sum = 0;
            for (int j = 0; j < N; j++)
                sum += (d[i * N + j] + d[j * N + i]) * student[(size_t) j * width + k];
            grad[(size_t) i * width + k] = (float) sum;
        }
    return loss;
}

static struct rci_feature take(const struct rci_json_value *inputs, const char *name, float *to)
{
    const struct rci_json_value *v = rci_json_get(inputs, name), *shape = rci_json_get(v, "shape");
    const struct rci_json_value *x = rci_json_get(v, "data")->first;
    const bool map = shape->count == 4;
    for (int i = 0; x; i++, x = x->next)
        to[i] = (float) x->number;
    return (struct rci_feature){.channels = (uint32_t) rci_json_at(shape, 1)->number,
                                .height = map ? (uint32_t) rci_json_at(shape, 2)->number : 1,
                                .width = map ? (uint32_t) rci_json_at(shape, 3)->number : 1};
}

static void expect_reference(void **state, const struct rci_json_value *root, const char *name,
                             const char *spec)
{
    const struct rci_json_value *l = rci_json_get(rci_json_get(root, "losses"), name);
    const struct rci_json_value *inputs = rci_json_get(root, "inputs");
    const struct rci_feature s = take(inputs, rci_json_get(l, "input")->text, student);
    const struct rci_feature t = take(inputs, rci_json_get(l, "teacher")->text, teacher);
    const struct method m = method_of(state, spec);
    assert_near(evaluate(&m, s, t), rci_json_get(l, "value")->number, 1e-6);
    double most = 0;
    const struct rci_json_value *g;
    for (g = rci_json_get(l, "gradient")->first; g; g = g->next)
        most = fmax(most, fabs(g->number));
    int i = 0;
    for (g = rci_json_get(l, "gradient")->first; g; g = g->next, i++)
        if (!(fabs(grad[i] - g->number) <= 1e-6 * most))
            fail_msg("%s: gradient %d is %g, torch has %g", name, i, (double) grad[i], g->number);
    assert_int_equal(i, N * size_of(&s));
    rci_release(m.params);
}

static void losses_match_torch(void **state)
{
    const char *path = shared_path("golden/losses/losses.json");
    struct rci_json *json;
    if (!path)
        skip();
    OK(rci_json_load(&json, *state, path));
    const struct rci_json_value *root = rci_json_root(json);
    expect_reference(state, root, "sp", "sp");
    expect_reference(state, root, "at", "at");
    expect_reference(state, root, "at_teacher_8x8", "at");
    expect_reference(state, root, "fitnet_mse", "fitnets");
    expect_reference(state, root, "rkd_distance", "rkd:distance=1,angle=0");
    expect_reference(state, root, "rkd_angle", "rkd:distance=0,angle=1");
    expect_reference(state, root, "rkd_25_50", "rkd");
    rci_json_free(&json);
}

static void gradients_match_differences(void **state)
{
    for (uint32_t k = 0; k < rci_kind_distill_loss.count; k++) {
        const struct method m = method_of(state, rci_kind_distill_loss.table[k]->name);
        if (m.loss->value) {
            rci_release(m.params);
            continue;
        }
        const struct rci_feature s = {.channels = 3, .height = 3, .width = 2};
        const struct rci_feature t =
            m.loss->adapter ? s : (struct rci_feature){.channels = 2, .height = 7, .width = 5};
        fill_random(student, N * 18, 1);
        fill_random(teacher, N * 70, 2);
        evaluate(&m, s, t);
        for (int i = 0; i < N * 18; i += 5) {
            const float kept = student[i], by_formula = grad[i];
            student[i] = kept + 0.002f;
            const double up = evaluate(&m, s, t), high = student[i];
            student[i] = kept - 0.002f;
            const double slope = (up - evaluate(&m, s, t)) / (high - student[i]);
            student[i] = kept;
            evaluate(&m, s, t);
            double most = 1e-9;
            for (int j = 0; j < N * 18; j++)
                most = fmax(most, fabs(grad[j]));
            if (!(fabs(slope - by_formula) < 2e-3 * most))
                fail_msg("%s: gradient %g, by differences %g", m.loss->m.name, (double) by_formula,
                         slope);
        }
        rci_release(m.params);
    }
}

static void equal_features_cost_nothing(void **state)
{
    const struct rci_feature f = {.channels = 3, .height = 4, .width = 4};
    for (uint32_t k = 0; k < rci_kind_distill_loss.count; k++) {
        const struct method m = method_of(state, rci_kind_distill_loss.table[k]->name);
        if (!m.loss->value) {
            fill_random(student, N * 48, 3);
            memcpy(teacher, student, sizeof(teacher));
            assert_true(fabs(evaluate(&m, f, f)) < 1e-12);
            for (int i = 0; i < N * 48; i++)
                assert_true(fabs(grad[i]) < 1e-6);
            memset(student, 0, sizeof(student)); /* dead features are no NaN */
            assert_true(isfinite(evaluate(&m, f, f)));
            for (int i = 0; i < N * 48; i++)
                assert_true(isfinite(grad[i]));
        }
        rci_release(m.params);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, context_setup, context_teardown)
    const struct CMUnitTest tests[] = {
        T(losses_match_torch),
        T(gradients_match_differences),
        T(equal_features_cost_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
