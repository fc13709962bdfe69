/* Data-parallel training: threads stand for processes, their hook adds in shared memory. */
#include "base/context.h"
#include "check.h"
#include "graph/graph.h"
#include "tiny.h"

#include <pthread.h>
#include <rescomp/train.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IMAGES = 96, BATCH = 32, STEPS = 6, MAX_RANKS = 4 };

struct team {
    pthread_barrier_t barrier;
    uint32_t ranks;
    float *at[MAX_RANKS];
    size_t n[MAX_RANKS];
    bool unequal; /* ranks called with different n */
};

struct member {
    struct team *team;
    uint32_t index;
    struct rc_context *c;
    rc_dataset *d;
    rc_graph *g;
    rc_train_options o;
    double loss[STEPS];
    size_t calls, floats;
    uint64_t steps, cancel_at; /* asks to stop after that many steps; 0: never */
    rc_status st;
    char text[256];
};

static rc_status sum(void *user, float *data, size_t n)
{
    struct member *m = user;
    struct team *t = m->team;
    t->at[m->index] = data;
    t->n[m->index] = n;
    m->calls++;
    m->floats += n;
    if (pthread_barrier_wait(&t->barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
        for (uint32_t r = 1; r < t->ranks; r++)
            t->unequal |= t->n[r] != t->n[0];
        for (size_t i = 0; i < t->n[0] && !t->unequal; i++) {
            float total = 0;
            for (uint32_t r = 0; r < t->ranks; r++)
                total += t->at[r][i];
            for (uint32_t r = 0; r < t->ranks; r++)
                t->at[r][i] = total;
        }
    }
    pthread_barrier_wait(&t->barrier);
    return t->unequal ? RC_ERR_STATE : RC_OK;
}

static int32_t asks_to_stop(void *user)
{
    const struct member *m = user;
    return m->cancel_at && m->steps >= m->cancel_at;
}

static void keep_loss(void *user, const rc_train_progress *p)
{
    struct member *m = user;
    m->loss[p->step - 1] = p->loss;
    m->steps = p->step;
}

static void member_open(struct member *m, struct team *team, uint32_t index)
{
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    *m = (struct member){.team = team, .index = index, .o = RC_TRAIN_OPTIONS_INIT};
    o.threads = 1;
    o.cancel = asks_to_stop;
    o.cancel_user = m;
    OK(rc_context_new(&m->c, &o));
    m->d = tiny_dataset(m->c, IMAGES);
    m->g = tiny_network(m->c, 0, 5);
    m->o.epochs = STEPS * BATCH / IMAGES;
    m->o.batch = BATCH;
    m->o.lr = 0.05;
    m->o.augmentation = "crop:pad=1+flip";
    m->o.progress = keep_loss;
    m->o.progress_user = m;
    if (!team)
        return;
    m->o.all_reduce = sum;
    m->o.all_reduce_user = m;
    m->o.ranks = team->ranks;
    m->o.rank = index;
}

static void member_close(struct member *m)
{
    rc_graph_free(&m->g);
    rc_dataset_free(&m->d);
    rc_context_free(&m->c);
}

static void *member_train(void *user)
{
    struct member *m = user;
    rc_trainer *t;
    m->st = rc_trainer_new(&t, m->g, m->d, &m->o);
    if (m->st == RC_OK)
        m->st = rc_trainer_run(t, NULL);
    snprintf(m->text, sizeof(m->text), "%s", rc_last_error());
    rc_trainer_free(&t);
    return NULL;
}

static void team_open(struct team *t, struct member *m, uint32_t ranks)
{
    *t = (struct team){.ranks = ranks};
    pthread_barrier_init(&t->barrier, NULL, ranks);
    for (uint32_t i = 0; i < ranks; i++)
        member_open(&m[i], t, i);
}

static void team_train(struct team *t, struct member *m)
{
    pthread_t thread[MAX_RANKS];
    for (uint32_t i = 0; i < t->ranks; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, member_train, &m[i]), 0);
    for (uint32_t i = 0; i < t->ranks; i++)
        pthread_join(thread[i], NULL);
    assert_false(t->unequal);
}

static void team_close(struct team *t, struct member *m)
{
    for (uint32_t i = 0; i < t->ranks; i++)
        member_close(&m[i]);
    pthread_barrier_destroy(&t->barrier);
}

/* Largest difference of two models' weights and statistics. */
static double difference(const struct member *a, const struct member *b)
{
    double most = 0;
    for (rci_id v = 0; v < a->g->n_values; v++) {
        const struct rci_tensor *x = &a->g->values[v].tensor, *y = &b->g->values[v].tensor;
        if (!rci_value_is_const(&a->g->values[v]) || x->dtype != RC_F32)
            continue;
        for (int64_t i = 0; i < rci_shape_count(&x->shape); i++)
            most = fmax(most, fabs((double) ((const float *) x->data)[i] -
                                   (double) ((const float *) y->data)[i]));
    }
    return most;
}

static void ranks_train_as_one_process_does(void **state)
{
    (void) state;
    struct member one;
    member_open(&one, NULL, 0);
    member_train(&one);
    OK(one.st);
    for (uint32_t ranks = 2; ranks <= 4; ranks *= 2) {
        struct team t;
        struct member m[MAX_RANKS];
        team_open(&t, m, ranks);
        team_train(&t, m);
        for (uint32_t r = 0; r < ranks; r++) {
            OK(m[r].st);
            for (int i = 0; i < STEPS; i++)
                assert_near(m[r].loss[i], one.loss[i], 1e-4);
            assert_true(difference(&m[r], &m[0]) == 0);
        }
        assert_true(difference(&m[0], &one) < 1e-4);
        team_close(&t, m);
    }
    member_close(&one);
}

static uint64_t count_parameters(const struct member *m, uint64_t *norms)
{
    uint64_t n = 0;
    *norms = 0;
    for (rci_id i = 0; i < m->g->n_nodes; i++) {
        const struct rci_node *k = &m->g->nodes[i];
        *norms += k->op && !strcmp(k->op->name, "BatchNormalization");
        for (uint32_t j = 0; k->op && j < k->n_in; j++)
            if (k->op->trainable >> j & 1 && rci_value_is_const(&m->g->values[k->in[j]]))
                n += (uint64_t) rci_shape_count(&m->g->values[k->in[j]].tensor.shape);
    }
    return n;
}

static void gradients_come_in_few_calls(void **state)
{
    (void) state;
    struct team t;
    struct member m[MAX_RANKS];
    uint64_t norms;
    team_open(&t, m, 2);
    team_train(&t, m);
    OK(m[0].st);
    const uint64_t parameters = count_parameters(&m[0], &norms);
    assert_true(m[0].floats > STEPS * parameters);
    /* statistics twice per normalization, two exchanges of facts, one bucket; two at the start */
    assert_int_equal(m[0].calls, STEPS * (2 * norms + 2 + 1) + 2);
    team_close(&t, m);
}

static void expect_all(const struct team *t, const struct member *m, rc_status st, const char *text)
{
    for (uint32_t i = 0; i < t->ranks; i++) {
        assert_int_equal(m[i].st, st);
        if (!strstr(m[i].text, text))
            fail_msg("rank %u says \"%s\", not \"%s\"", i, m[i].text, text);
    }
}

static void ranks_that_differ_are_told_so(void **state)
{
    (void) state;
    struct team t;
    struct member m[MAX_RANKS];
    for (int what = 0; what < 4; what++) {
        team_open(&t, m, 3);
        for (int i = 0; i < 3; i++)
            m[i].o.batch = 24;
        if (what == 0) {
            rc_graph_free(&m[1].g);
            m[1].g = tiny_network(m[1].c, 0, 6);
        }
        if (what == 1)
            m[2].o.lr = 0.06;
        if (what == 2)
            m[2].o.rank = 1;
        for (int i = 0; what == 3 && i < 3; i++) {
            m[i].o.ranks = 2;
            m[i].o.rank = i > 0;
        }
        const char *const text[] = {"different models", "different options",
                                    "2 processes have the number of rank 1", "over 3 ranks"};
        team_train(&t, m);
        expect_all(&t, m, RC_ERR_ARG, text[what]);
        team_close(&t, m);
    }
}

static void wrong_options_are_refused(void **state)
{
    (void) state;
    struct team t = {.ranks = 2};
    struct member m;
    for (int what = 0; what < 5; what++) {
        const char *const text[] = {"all_reduce is NULL", "rank is 2, allowed is 0..1",
                                    "must be a multiple of ranks", "allowed is 1..4096",
                                    "training in bf16 is for one process"};
        member_open(&m, &t, 0);
        m.o.all_reduce = what == 0 ? NULL : sum;
        m.o.rank = what == 1 ? 2 : 0;
        m.o.batch = what == 2 ? 33 : BATCH;
        m.o.ranks = what == 3 ? 5000 : 2;
        m.o.flags = what == 4 ? RC_TRAIN_BF16 : 0;
        member_train(&m);
        assert_int_equal(m.st, what == 4 ? RC_ERR_UNSUPPORTED : RC_ERR_ARG);
        assert_non_null(strstr(m.text, text[what]));
        member_close(&m);
    }
}

static int32_t broken_image(void *user, uint64_t index, void *image, int32_t *label)
{
    (void) user;
    (void) index;
    *label = 0;
    if (image)
        memset(image, 0, TINY_CHANNELS * TINY_SIDE * TINY_SIDE * sizeof(float));
    return image ? 1 : 0;
}

static void failure_of_one_rank_ends_all(void **state)
{
    (void) state;
    struct team t;
    struct member m[MAX_RANKS];
    team_open(&t, m, 2);
    const rc_dataset_source source = {.size = sizeof(source),
                                      .get = broken_image,
                                      .images = IMAGES,
                                      .classes = TINY_CLASSES,
                                      .channels = TINY_CHANNELS,
                                      .height = TINY_SIDE,
                                      .width = TINY_SIDE,
                                      .type = RC_DATASET_F32};
    rc_dataset_free(&m[1].d);
    OK(rc_dataset_new_callback(&m[1].d, m[1].c, &source, NULL));
    team_train(&t, m);
    assert_int_equal(m[1].st, RC_ERR_DATA);
    assert_int_equal(m[0].st, RC_ERR_STATE);
    assert_non_null(strstr(m[0].text, "rank 1 of 2 failed"));
    team_close(&t, m);
}

static void cancelled_ranks_resume_to_the_same_bytes(void **state)
{
    (void) state;
    char path[64];
    struct team whole, part;
    struct member a[MAX_RANKS], b[MAX_RANKS];
    snprintf(path, sizeof(path), "/tmp/rescomp-ranks-%d.ckpt", (int) getpid());
    team_open(&whole, a, 2);
    team_train(&whole, a);
    expect_all(&whole, a, RC_OK, "");
    for (int turn = 0; turn < 2; turn++) {
        team_open(&part, b, 2);
        for (int i = 0; i < 2; i++) {
            b[i].o.checkpoint = path;
            b[i].o.resume = 1;
        }
        b[1].cancel_at = turn == 0 ? 2 : 0; /* rank 0 hears of it and writes */
        team_train(&part, b);
        expect_all(&part, b, turn == 0 ? RC_ERR_CANCELLED : RC_OK, "");
        if (turn == 1)
            for (int i = 0; i < 2; i++)
                assert_true(difference(&b[i], &a[0]) == 0);
        team_close(&part, b);
    }
    unlink(path);
    team_close(&whole, a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_train_as_one_process_does),
        cmocka_unit_test(gradients_come_in_few_calls),
        cmocka_unit_test(ranks_that_differ_are_told_so),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(failure_of_one_rank_ends_all),
        cmocka_unit_test(cancelled_ranks_resume_to_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
