/* The list of operators, and its page docs/operators.md. */
#include "shared.h"
#include "test.h"

#include "base/file.h"
#include "op/table.h"

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

/* The row of an operator: "| Name | opsets | gradient | int8 | limits |". */
static bool row_matches(const char *page, const struct rci_op *o)
{
    char start[64], opsets[16] = "", gradient[8] = "", role[16] = "";
    snprintf(start, sizeof(start), "\n| %s | ", o->name);
    const char *row = strstr(page, start);
    return row && sscanf(row + strlen(start), "%15s | %7s | %15s |", opsets, gradient, role) == 3 &&
           !strcmp(gradient, o->backward ? "yes" : "no") && !strcmp(role, role_text(o));
}

static void the_page_tells_what_the_table_holds(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rci_bytes page;
    uint32_t listed = 0, rows = 0;
    OK(rci_file_read(c, source_path("docs/operators.md"), 0, &page));
    char *text = rci_alloc_zero(c, page.size + 1);
    assert_non_null(text);
    memcpy(text, page.data, page.size);
    for (uint32_t i = 0; i < rci_op_count(); i++) {
        const struct rci_op *o = rci_op_at(i);
        if (o->flags & RC_OP_INTERNAL)
            continue;
        listed++;
        if (!row_matches(text, o))
            fail_msg("docs/operators.md: row of %s is missing or wrong (gradient %s, int8 %s)",
                     o->name, o->backward ? "yes" : "no", role_text(o));
    }
    for (const char *p = text; (p = strstr(p, "\n| ")); p++)
        rows++;
    assert_int_equal(rows, listed + 1); /* the head */
    rci_release(text);
    rci_release(page.data);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_have_what_they_need),
        cmocka_unit_test(the_page_tells_what_the_table_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
