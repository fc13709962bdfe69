/* Choices of kernels through the public interface: the file decides, "off" follows a rule. */
#include "files.h"
#include "kernel/choice/choice.h"
#include "kernel/onednn/engine.h"
#include "test.h"

#include <rescomp/rescomp.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static rc_context *context(const char *choices)
{
    rc_context *c;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    o.threads = 2;
    o.choices = choices;
    OK(rc_context_new(&c, &o));
    return c;
}

/* Convolutions of a ResNet-20 that run on Winograd's kernel. */
static int winograd_steps(rc_context *c)
{
    rc_graph *g;
    rc_session *s;
    int n = 0;
    OK(rc_graph_new_network(&g, c, "resnet20", NULL));
    OK(rc_session_new(&s, g, NULL));
    for (uint64_t i = 0; i < rc_session_count_steps(s); i++) {
        rc_session_step_info info = {sizeof(info)};
        OK(rc_session_get_step(s, i, &info));
        n += !strncmp(info.kernel, "winograd", 8);
    }
    rc_session_free(&s);
    rc_graph_free(&g);
    return n;
}

static void done(rc_context *c)
{
    rc_context_free(&c);
}

static bool holds(const char *path, const char *what)
{
    static char text[1 << 16];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return strstr(text, what);
}

static void replace_words(const char *path, const char *word)
{
    static char in[1 << 16], out[1 << 16];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    in[fread(in, 1, sizeof(in) - 1, f)] = '\0';
    fclose(f);
    size_t n = 0;
    for (char *line = strtok(in, "\n"); line; line = strtok(NULL, "\n")) {
        if (!strncmp(line, "checksum ", 9))
            break;
        char *tab = strchr(line, '\t');
        if (tab)
            *tab = '\0';
        n += (size_t) snprintf(out + n, sizeof(out) - n, "%s%s%s\n", line, tab ? "\t" : "",
                               tab ? word : "");
    }
    snprintf(out + n, sizeof(out) - n, "checksum %08lx\n",
             (unsigned long) crc32_z(0, (const unsigned char *) out, n));
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(out, f);
    fclose(f);
}

static void the_file_decides(void **state)
{
    (void) state;
    if (test_cpu()->lanes == 0)
        skip(); /* one kernel only: no choice */
    const char *folder = scratch_folder();
    const char *path = scratch_path(folder, "c.txt");
    rc_context *c = context(path);
    assert_int_equal(access(path, F_OK), -1);
    winograd_steps(c);
    assert_int_equal(access(path, F_OK), 0);
    assert_true(holds(path, "\nself-test of oneDNN\tpassed\n"));
    done(c);
    replace_words(path, "onednn");
    c = context(path);
    assert_int_equal(winograd_steps(c), 0);
    done(c);
    replace_words(path, "winograd");
    c = context(path);
    assert_true(winograd_steps(c) > 8);
    done(c);
    setenv("RESCOMP_SELF_TEST", "fail", 1); /* whatever the file says */
    c = context(path);
    assert_int_equal(winograd_steps(c), 0);
    done(c);
    unsetenv("RESCOMP_SELF_TEST");
    replace_words(path, "unheard-of"); /* is measured again */
    c = context(path);
    winograd_steps(c);
    done(c);
    scratch_remove(folder);
}

static void the_environment_names_a_file(void **state)
{
    (void) state;
    const char *folder = scratch_folder();
    const char *path = scratch_write(folder, "c.txt", "nothing", 7);
    rc_context *c;
    setenv("RESCOMP_CHOICES", path, 1);
    REFUSED(rc_context_new(&c, NULL), RC_ERR_FORMAT, path);
    assert_null(c);
    c = context("off"); /* goes before the environment */
    done(c);
    setenv("RESCOMP_CHOICES", "off", 1);
    OK(rc_context_new(&c, NULL));
    assert_true(rci_choice_fixed(c));
    done(c);
    unsetenv("RESCOMP_CHOICES");
    OK(rc_context_new(&c, NULL));
    assert_false(rci_choice_fixed(c));
    done(c);
    scratch_remove(folder);
}

static void off_measures_nothing(void **state)
{
    (void) state;
    rc_context *c = context("off");
    const int n = winograd_steps(c);
    done(c);
    /* blocks of 16, 32 and 64 channels with 6, 5 and 5 such convolutions, and the stem */
    const int lanes = test_cpu()->lanes;
    assert_int_equal(n, lanes == 16 ? 10 : lanes == 8 ? 16 : 0);
}

static void older_callers_know_nothing_of_it(void **state)
{
    (void) state;
    rc_context *c;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    o.size = offsetof(rc_context_options, choices);
    o.choices = "/nowhere/at/all";
    OK(rc_context_new(&c, &o));
    done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_decides),
        cmocka_unit_test(the_environment_names_a_file),
        cmocka_unit_test(off_measures_nothing),
        cmocka_unit_test(older_callers_know_nothing_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
