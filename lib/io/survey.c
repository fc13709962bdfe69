/* The message of a file without its large weights, and its operators counted. */
#include "io/survey.h"
#include "base/file.h"
#include "io/import.h"
#include "wire/outline.h"

#include <string.h>

static const uint64_t survey_magic = UINT64_C(0x7375727665790000);

bool rci_survey_valid(const struct rc_survey *s)
{
    return s && s->magic == survey_magic;
}

bool rci_survey_uses(const struct rc_survey *s, const char *domain)
{
    const Onnx__GraphProto *g = s->model->graph;
    const bool onnx = rci_import_is_onnx(domain);
    for (size_t i = 0; i < g->n_node; i++) {
        const char *d = g->node[i]->domain;
        if (onnx ? rci_import_is_onnx(d) : !strcmp(rci_onnx_text(d), domain))
            return true;
    }
    return false;
}

/* Kept in order of names, so that the place is found by halves. */
static rc_status survey_count(struct rc_survey *s, const Onnx__NodeProto *n)
{
    const char *domain = rci_import_is_onnx(n->domain) ? "" : n->domain;
    uint32_t low = 0, high = s->n_operators;
    while (low < high) {
        const uint32_t at = (low + high) / 2;
        const int by_name = strcmp(s->operators[at].name, rci_onnx_text(n->op_type));
        const int order = by_name ? by_name : strcmp(s->operators[at].domain, domain);
        if (order == 0) {
            s->operators[at].count++;
            s->operators[at].supported &= rci_import_supports(s->model, n);
            return RC_OK;
        }
        if (order < 0)
            low = at + 1;
        else
            high = at;
    }
    RC_TRY(
        rci_grow(s->ctx, &s->operators, s->n_operators, &s->cap_operators, sizeof(*s->operators)));
    memmove(s->operators + low + 1, s->operators + low,
            (s->n_operators++ - low) * sizeof(*s->operators));
    s->operators[low] = (struct rci_survey_operator){rci_onnx_text(n->op_type), domain, 1,
                                                     rci_import_supports(s->model, n)};
    return RC_OK;
}

/* Large weights are left in the file: the outline skips them. */
static rc_status survey_read(struct rc_survey *s, const char *path)
{
    struct rci_outline outline;
    struct rci_file file;
    struct rci_bytes whole = {0};
    Onnx__ModelProto *model = NULL;
    RC_TRY(rci_file_open(&file, s->ctx, path, 0));
    rc_status st = rci_outline_read(&outline, &file, s->ctx);
    rci_file_close(&file);
    if (st == RC_OK && !outline.n)
        st = rci_file_read(s->ctx, path, 0, &whole);
    if (st == RC_OK)
        st = outline.n ? rci_onnx_read(&model, &s->arena, outline.model.data, outline.model.size)
                       : rci_onnx_read(&model, &s->arena, whole.data, whole.size);
    rci_outline_free(&outline);
    rci_release(whole.data);
    s->model = model;
    if (st == RC_OK && !model->graph)
        st = rci_fail(RC_ERR_FORMAT, "not an ONNX model: no graph");
    return st;
}

rc_status rci_survey_new(struct rc_survey **out, struct rc_context *c, const char *path)
{
    struct rc_survey *s = RC_NEW(c, struct rc_survey);
    *out = NULL;
    if (!s)
        return RC_ERR_MEMORY;
    s->magic = survey_magic;
    s->ctx = s->arena.ctx = c;
    rc_status st = survey_read(s, path);
    for (size_t i = 0; st == RC_OK && i < s->model->graph->n_node; i++)
        st = survey_count(s, s->model->graph->node[i]);
    if (st == RC_OK)
        *out = s;
    else
        rci_survey_free(s);
    return st == RC_OK || strstr(rci_error_text(), path) ? st : rci_fail_prefix(st, "%s", path);
}

void rci_survey_free(struct rc_survey *s)
{
    if (!s)
        return;
    s->magic = 0;
    rci_arena_free(&s->arena);
    rci_release(s->operators);
    rci_release(s);
}
