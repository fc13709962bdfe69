/* The list of operators, and its page docs/operators.md. */
#include "shared.h"
#include "test.h"

#include "base/file.h"
#include "op/rewrite/rewrite.h"
#include "op/table.h"

#include <stdlib.h>

static void operators_have_what_they_need(void **state)
{
    (void) state;
    for (uint32_t i = 0; i < rci_op_count(); i++) {
        const struct rci_op *o = rci_op_at(i);
        assert_true(o->name && o->infer && o->min_in <= o->max_in && o->min_out <= o->max_out);
        assert_true(o->attr_size == 0 || o->read_attrs || o->bind || o->flags & RC_OP_INTERNAL);
        assert_true(!o->backward || o->forward);
        assert_true((o->quant == RC_QUANT_WEIGHTED) == (o->as_weighted != NULL));
        assert_ptr_equal(rci_op_find(o->domain, o->name), o);
    }
    assert_null(rci_op_at(rci_op_count()));
    assert_null(rci_op_find("", "NoSuchOperator"));
    assert_null(rci_op_find("com.example", "Relu"));
}

static const char *role_text(const struct rci_op *o)
{
    static const char *const text[] = {"float",  "passes",   "requantizes", "weights",
                                       "bounds", "integers", "reals"};
    return o->as_pooling && o->quant == RC_QUANT_KEEP_F32 ? "averages" : text[o->quant];
}

/* The row of an operator: "| Name | opsets | gradient | prune | int8 | node tests | limits |". */
static void row_text(const struct rci_op *o, char *text, size_t size)
{
    char opsets[16];
    snprintf(opsets, sizeof(opsets), "%d-%d", o->since ? o->since : 1, o->until ? o->until : 25);
    snprintf(text, size, "\n| %s | %s | %s | %s | %s | ", o->name, opsets,
             o->backward ? "yes" : "no", o->couple ? "yes" : "no", role_text(o));
}

/* Printed with RESCOMP_OPERATOR_ROWS=FILE for docs/operators.py. */
static void rows_print(void)
{
    const char *path = getenv("RESCOMP_OPERATOR_ROWS"), *domain, *as, *name;
    FILE *out = path ? fopen(path, "w") : NULL;
    char text[160];
    if (!out)
        return;
    for (uint32_t i = 0; i < rci_op_count(); i++)
        if (!(rci_op_at(i)->flags & RC_OP_INTERNAL)) {
            row_text(rci_op_at(i), text, sizeof(text));
            fprintf(out, "op\t%s\t%s\n", rci_op_at(i)->name, text + 1);
        }
    for (uint32_t i = 0; (name = rci_rewrite_at(i, &domain, &as)); i++)
        if (as)
            fprintf(out, "as\t%s\t%s\t%s\n", name, domain, as);
    fclose(out);
}

static void the_page_tells_what_the_table_holds(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rci_bytes page;
    char row[160];
    rows_print();
    OK(rci_file_read(c, source_path("docs/operators.md"), 0, &page));
    char *text = rci_alloc_zero(c, page.size + 1);
    assert_non_null(text);
    memcpy(text, page.data, page.size);
    for (uint32_t i = 0; i < rci_op_count(); i++) {
        if (rci_op_at(i)->flags & RC_OP_INTERNAL)
            continue;
        row_text(rci_op_at(i), row, sizeof(row));
        if (!strstr(text, row))
            fail_msg("docs/operators.md: no row that begins%s; run docs/operators.py", row);
    }
    rci_release(text);
    rci_release(page.data);
    test_context_done(c);
}

static void the_page_tells_what_is_read_as_what(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rci_bytes page;
    const char *name, *domain, *as;
    OK(rci_file_read(c, source_path("docs/operators.md"), 0, &page));
    char *text = rci_alloc_zero(c, page.size + 1), row[256];
    assert_non_null(text);
    memcpy(text, page.data, page.size);
    for (uint32_t i = 0; (name = rci_rewrite_at(i, &domain, &as)); i++) {
        assert_true(rci_rewrite_has(domain, name));
        if (!as)
            continue; /* a rule that only looks */
        snprintf(row, sizeof(row), "| %s | %s |\n", *domain ? domain : "ai.onnx", as);
        if (!strstr(text, row))
            fail_msg("docs/operators.md: no row of %s that ends \"%s\"; run docs/operators.py",
                     name, row);
    }
    rci_release(text);
    rci_release(page.data);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_have_what_they_need),
        cmocka_unit_test(the_page_tells_what_the_table_holds),
        cmocka_unit_test(the_page_tells_what_is_read_as_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
