/* JSON text. What is accepted is written again, in both forms, and means the same. */
#include "fuzz.h"

#include "base/json.h"

#include <string.h>

static void put(struct rci_json_writer *w, const struct rci_json_value *v)
{
    switch (v->type) {
    case RC_JSON_NULL:
        rci_json_put_null(w, v->key);
        return;
    case RC_JSON_BOOL:
        rci_json_put_bool(w, v->key, v->number != 0);
        return;
    case RC_JSON_NUMBER:
        rci_json_put_number(w, v->key, v->number);
        return;
    case RC_JSON_STRING:
        rci_json_put_text(w, v->key, v->text);
        return;
    case RC_JSON_ARRAY:
    case RC_JSON_OBJECT:
        break;
    }
    const bool object = v->type == RC_JSON_OBJECT;
    (object ? rci_json_begin_object : rci_json_begin_array)(w, v->key);
    for (const struct rci_json_value *m = v->first; m; m = m->next)
        put(w, m);
    (object ? rci_json_end_object : rci_json_end_array)(w);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool same(const struct rci_json_value *a, const struct rci_json_value *b)
{
    if (a->type != b->type || a->count != b->count || !same_text(a->key, b->key) ||
        !same_text(a->text, b->text) || memcmp(&a->number, &b->number, sizeof(a->number)) != 0)
        return false;
    const struct rci_json_value *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        if (!same(x, y))
            return false;
    return !x && !y;
}

static void write_and_read(struct rc_context *c, const struct rci_json *j, bool compact)
{
    struct rci_buffer text = {.ctx = c};
    struct rci_json_writer w = rci_json_writer_make(&text, compact);
    struct rci_json *back;
    put(&w, rci_json_root(j));
    FUZZ_CHECK(rci_json_finish(&w) == RC_OK);
    FUZZ_CHECK(rci_json_parse(&back, c, (const char *) text.data, text.size, "again") == RC_OK);
    FUZZ_CHECK(same(rci_json_root(j), rci_json_root(back)));
    rci_json_free(&back);
    rci_buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rc_context *c = fuzz_context();
    struct rci_json *j;
    const rc_status st = rci_json_parse(&j, c, (const char *) data, size, "text");
    FUZZ_CHECK(st == RC_OK || (st == RC_ERR_FORMAT && !j));
    if (j) {
        write_and_read(c, j, false);
        write_and_read(c, j, true);
    }
    rci_json_free(&j);
    fuzz_context_done(c);
    return 0;
}
