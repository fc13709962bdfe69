#include "base/json.h"
#include "base/number.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static rc_context *context;

static int setup(void **state)
{
    (void) state;
    return rc_context_new(&context, NULL);
}

static int teardown(void **state)
{
    (void) state;
    uint64_t live = 1;
    rc_context_get_memory(context, &live, NULL);
    rc_context_free(&context);
    return live != 0;
}

static rc_status parse(struct rci_json **j, const char *text)
{
    return rci_json_parse(j, context, text, strlen(text), "test");
}

static void values_are_parsed(void **state)
{
    (void) state;
    struct rci_json *j;
    assert_int_equal(parse(&j, " {\"a\": [1, -2.5e3, true, null, \"x\\n\\u00e4\\ud83d\\ude00\"],"
                               "\"b\": {\"c\": 7}} "),
                     RC_OK);
    const struct rci_json_value *a = rci_json_get(rci_json_root(j), "a");
    assert_int_equal(a->count, 5);
    assert_true(rci_json_at(a, 0)->number == 1);
    assert_true(rci_json_at(a, 1)->number == -2500);
    assert_int_equal(rci_json_at(a, 2)->type, RC_JSON_BOOL);
    assert_int_equal(rci_json_at(a, 3)->type, RC_JSON_NULL);
    assert_string_equal(rci_json_at(a, 4)->text, "x\n\xC3\xA4\xF0\x9F\x98\x80");
    assert_null(rci_json_at(a, 5));
    int64_t c = 0;
    assert_int_equal(rci_json_read_integer(rci_json_get(rci_json_root(j), "b"), "c", 0, 9, &c),
                     RC_OK);
    assert_int_equal(c, 7);
    assert_int_equal(rci_json_read_integer(rci_json_get(rci_json_root(j), "b"), "c", 0, 6, &c),
                     RC_ERR_FORMAT);
    assert_string_equal(rc_last_error(), "\"c\" is 7, must be 0..6");
    static const char *const keys[] = {"a", "z", NULL};
    assert_int_equal(rci_json_only_keys(rci_json_root(j), keys, "recipe"), RC_ERR_FORMAT);
    assert_non_null(strstr(rc_last_error(), "unknown key \"b\"; known: a z"));
    rci_json_free(&j);
    assert_null(j);
}

static void what_is_not_json_is_refused(void **state)
{
    (void) state;
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "[",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{\"a\" 1}",
                                      "[1 2]",
                                      "01",
                                      "1.",
                                      ".5",
                                      "+1",
                                      "-",
                                      "1e",
                                      "NaN",
                                      "nul",
                                      "tru",
                                      "[1]x",
                                      "\"\\x\"",
                                      "\"\\u12g4\"",
                                      "\"\\u0000\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\xFF\"",
                                      "\"\xC0\x80\"",
                                      "\"\xED\xA0\x80\"",
                                      "\"\xE4\"",
                                      "\"a\nb\"",
                                      "\"a",
                                      "1e999",
                                      "{\"a\":1,\"a\":2}",
                                      "// x",
                                      "[,1]",
                                      "{,}",
                                      "]",
                                      "}",
                                      ",",
                                      "[\"a\":1]",
                                      "'a'"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rci_json *j;
        if (parse(&j, bad[i]) != RC_ERR_FORMAT)
            fail_msg("accepted: %s", bad[i]);
        assert_null(j);
        assert_non_null(strstr(rc_last_error(), "test: line 1, column "));
    }
}

static void depth_is_limited(void **state)
{
    (void) state;
    char text[131];
    struct rci_json *j;
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = 0;
    assert_int_equal(parse(&j, text), RC_ERR_FORMAT);
    assert_non_null(strstr(rc_last_error(), "nested more than 64 deep"));
    memmove(text, text + 1, 128);
    text[128] = 0;
    assert_int_equal(parse(&j, text), RC_OK);
    rci_json_free(&j);
}

static void every_prefix_fails_cleanly(void **state)
{
    (void) state;
    const char *text = "{\"a\":[1.5,\"\\u00e4\xC3\xA4\",{\"b\":null}],\"c\":false}";
    for (size_t n = 0; n < strlen(text); n++) {
        char *part = malloc(n + 1); /* exact size, so that ASan sees reads past the end */
        struct rci_json *j;
        memcpy(part, text, n);
        assert_int_equal(rci_json_parse(&j, context, part, n, "test"), RC_ERR_FORMAT);
        free(part);
    }
}

static void written_text_reads_back(void **state)
{
    (void) state;
    for (int compact = 0; compact < 2; compact++) {
        struct rci_buffer b = {.ctx = context};
        struct rci_json_writer w = rci_json_writer_make(&b, compact);
        rci_json_begin_object(&w, NULL);
        rci_json_put_text(&w, "name", "a\"\\\n\x01\xFF<\xC3\xA4");
        rci_json_put_number(&w, "third", 1.0 / 3);
        rci_json_put_number(&w, "tenth", 0.1);
        rci_json_put_number(&w, "nan", NAN);
        rci_json_put_integer(&w, "big", INT64_MIN);
        rci_json_begin_array(&w, "list");
        rci_json_put_bool(&w, NULL, true);
        rci_json_begin_array(&w, NULL);
        rci_json_end_array(&w);
        rci_json_end_array(&w);
        rci_json_end_object(&w);
        assert_int_equal(rci_json_finish(&w), RC_OK);
        struct rci_json *j;
        assert_int_equal(rci_json_parse(&j, context, (char *) b.data, b.size, "written"), RC_OK);
        const struct rci_json_value *root = rci_json_root(j);
        assert_string_equal(rci_json_get(root, "name")->text, "a\"\\\n\x01\xEF\xBF\xBD<\xC3\xA4");
        assert_true(rci_json_get(root, "third")->number == 1.0 / 3);
        assert_int_equal(rci_json_get(root, "nan")->type, RC_JSON_NULL);
        assert_int_equal(rci_json_get(root, "list")->count, 2);
        assert_non_null(memmem(b.data, b.size, "0.1,", 4));
        assert_non_null(memmem(b.data, b.size, "-9223372036854775808", 20));
        rci_json_free(&j);
        rci_buffer_free(&b);
    }
}

static void unbalanced_writing_is_an_error(void **state)
{
    (void) state;
    struct rci_buffer b = {.ctx = context};
    struct rci_json_writer w = rci_json_writer_make(&b, true);
    rci_json_begin_array(&w, NULL);
    assert_int_equal(rci_json_finish(&w), RC_ERR_STATE);
    rci_json_end_array(&w);
    assert_int_equal(rci_json_finish(&w), RC_OK);
    rci_json_end_array(&w);
    assert_int_equal(rci_json_finish(&w), RC_ERR_STATE);
    rci_buffer_free(&b);
}

static void numbers_ignore_the_locale(void **state)
{
    (void) state;
    char buf[RC_NUMBER_TEXT];
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        setlocale(LC_NUMERIC, "C"); /* the locale is not installed everywhere */
    assert_string_equal(rci_number_text(0.5, buf), "0.5");
    assert_true(rci_number_parse("2.25", NULL) == 2.25);
    assert_string_equal(rci_number_text(1e300, buf), "1e+300");
    setlocale(LC_NUMERIC, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_parsed),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(every_prefix_fails_cleanly),
        cmocka_unit_test(written_text_reads_back),
        cmocka_unit_test(unbalanced_writing_is_an_error),
        cmocka_unit_test(numbers_ignore_the_locale),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
