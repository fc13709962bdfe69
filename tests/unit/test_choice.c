/* The file of choices: what it keeps, what it refuses, and that nothing is ever lost. */
#include "base/file.h"
#include "files.h"
#include "kernel/choice/choice.h"
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

/* A folder, and a context that remembers into a file in it. */
struct scene {
    struct rc_context *ctx;
    const char *folder;
    char path[512];
};

static int setup(void **state)
{
    static struct scene s;
    s.ctx = test_context();
    s.folder = scratch_folder();
    snprintf(s.path, sizeof(s.path), "%s", scratch_path(s.folder, "choices.txt"));
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    rci_choice_close(s->ctx);
    scratch_remove(s->folder);
    test_context_done(s->ctx);
    return 0;
}

/* The file as text; "" where there is none. */
static const char *content(const struct scene *s)
{
    static char text[1 << 16];
    FILE *f = fopen(s->path, "r");
    const size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
    return text;
}

static void put(const struct scene *s, const char *text, size_t size)
{
    FILE *f = fopen(s->path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    fclose(f);
}

/* `text` with the checksum that belongs to it. */
static void put_summed(const struct scene *s, const char *text)
{
    char all[1 << 12];
    snprintf(all, sizeof(all), "%schecksum %08lx\n", text,
             (unsigned long) crc32_z(0, (const unsigned char *) text, strlen(text)));
    put(s, all, strlen(all));
}

/* The process remembers, too: every test uses keys of its own. */
static void remember(struct scene *s, const char *key, const char *word)
{
    OK(rci_choice_open(s->ctx, s->path));
    OK(rci_choice_remember(s->ctx, key, word));
    OK(rci_choice_save(s->ctx));
    rci_choice_close(s->ctx);
}

static void expect(struct scene *s, const char *key, const char *word)
{
    char got[RC_CHOICE_WORD] = "";
    assert_int_equal(rci_choice_recall(s->ctx, key, got), word != NULL);
    assert_string_equal(got, word ? word : "");
}

/* The file is refused and stays as it is, also by someone who has choices to add. */
static void refused(struct scene *s, rc_status status, const char *what)
{
    char before[1 << 12];
    snprintf(before, sizeof(before), "%s", content(s));
    REFUSED(rci_choice_open(s->ctx, s->path), status, what);
    assert_non_null(strstr(rc_last_error(), s->path));
    assert_null(s->ctx->choices);
    assert_string_equal(content(s), before);
}

static void choices_are_kept_for_later(void **state)
{
    struct scene *s = *state;
    remember(s, "kept 1", "direct");
    remember(s, "kept 2", "winograd");
    const char *text = content(s);
    assert_int_equal(strncmp(text, "rescomp choices 1\nmachine ", 26), 0);
    assert_non_null(strstr(text, "\nkept 1\tdirect\nkept 2\twinograd\nchecksum "));
    /* what the file says goes before what the process knows */
    char edited[1 << 12];
    snprintf(edited, sizeof(edited), "%s", text);
    *strstr(edited, "checksum ") = '\0';
    memcpy(strstr(edited, "direct"), "DIRECT", 6);
    put_summed(s, edited);
    OK(rci_choice_open(s->ctx, s->path));
    expect(s, "kept 1", "DIRECT");
    expect(s, "kept 2", "winograd");
    expect(s, "kept 3", NULL);
    OK(rci_choice_save(s->ctx)); /* nothing new: not written */
    assert_non_null(strstr(content(s), "DIRECT"));
}

static void what_the_process_knows_goes_to_the_file(void **state)
{
    struct scene *s = *state;
    OK(rci_choice_remember(s->ctx, "before the file", "winograd"));
    OK(rci_choice_open(s->ctx, s->path));
    expect(s, "before the file", "winograd");
    OK(rci_choice_save(s->ctx));
    assert_non_null(strstr(content(s), "before the file\twinograd\n"));
}

static void no_file_or_off(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 2; i++) {
        OK(rci_choice_open(s->ctx, i ? "" : NULL));
        assert_false(rci_choice_fixed(s->ctx));
        OK(rci_choice_remember(s->ctx, "no file", "direct"));
        expect(s, "no file", "direct");
        OK(rci_choice_save(s->ctx));
        rci_choice_close(s->ctx);
    }
    OK(rci_choice_open(s->ctx, "off"));
    assert_true(rci_choice_fixed(s->ctx));
    OK(rci_choice_save(s->ctx));
    assert_int_equal(access("off", F_OK), -1);
}

static void truncated_files_are_refused(void **state)
{
    struct scene *s = *state;
    char text[1 << 12];
    remember(s, "truncated", "winograd");
    snprintf(text, sizeof(text), "%s", content(s));
    for (size_t n = 0; n < strlen(text); n++) {
        put(s, text, n);
        refused(s, RC_ERR_TRUNCATED, "bytes");
    }
    put(s, text, strlen(text));
    OK(rci_choice_open(s->ctx, s->path));
}

static void changed_bytes_are_refused(void **state)
{
    struct scene *s = *state;
    char text[1 << 12];
    remember(s, "changed", "winograd");
    snprintf(text, sizeof(text), "%s", content(s));
    for (size_t i = 0; i < strlen(text); i++) {
        text[i] ^= 1;
        put(s, text, strlen(text));
        char before[1 << 12];
        snprintf(before, sizeof(before), "%s", content(s));
        const rc_status st = rci_choice_open(s->ctx, s->path);
        if (st != RC_ERR_FORMAT && st != RC_ERR_TRUNCATED && st != RC_ERR_UNSUPPORTED)
            fail_msg("byte %zu: %s", i, rc_status_name(st));
        assert_string_equal(content(s), before);
        text[i] ^= 1;
    }
    text[strstr(text, "\nchanged") - text + 2] ^= 4;
    put(s, text, strlen(text));
    refused(s, RC_ERR_FORMAT, "damaged, its checksum is");
}

static void other_files_are_refused(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *text;
        rc_status status;
        const char *what;
    } cases[] = {
        {"#!/bin/sh\necho precious\n", RC_ERR_FORMAT, "not a file of choices"},
        {"rescomp choices one\n", RC_ERR_FORMAT, "not a file of choices"},
        {"rescomp choices 1 x\n", RC_ERR_FORMAT, "not a file of choices"},
        {"rescomp choices 2\nwhatever\n", RC_ERR_UNSUPPORTED, "version 2, this library reads 1"},
        {"rescomp choices 1\nkey\tword\n", RC_ERR_FORMAT, ":2: a choice before the first machine"},
        {"rescomp choices 1\nmachine x\nkey\n", RC_ERR_FORMAT, ":3: not a layer, a tab and a cho"},
        {"rescomp choices 1\nmachine x\n\tword\n", RC_ERR_FORMAT, ":3: not a layer"},
        {"rescomp choices 1\nmachine x\nkey\t\n", RC_ERR_FORMAT, ":3: not a layer"},
        {"rescomp choices 1\nmachine x\na\tb\tc\n", RC_ERR_FORMAT, ":3: not a layer"},
        {"rescomp choices 1\nmachine x\nk\t0123456789012345678901234567890123456789\n",
         RC_ERR_FORMAT, ":3: not a layer"},
        {"rescomp choices 1\nmachine x\nk\033[1m\tb\n", RC_ERR_FORMAT, ":3: not a layer"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        put_summed(s, cases[i].text);
        refused(s, cases[i].status, cases[i].what);
    }
    char long_key[512] = "rescomp choices 1\nmachine x\n";
    memset(long_key + strlen(long_key), 'k', 250);
    strcat(long_key, "\tw\n");
    put_summed(s, long_key);
    refused(s, RC_ERR_FORMAT, ":3: not a layer");
}

static void large_files_are_refused(void **state)
{
    struct scene *s = *state;
    OK(rci_choice_open(s->ctx, s->path));
    rci_choice_close(s->ctx);
    put(s, "rescomp choices 1\n", 18);
    assert_int_equal(truncate(s->path, (1 << 20) + 1), 0);
    REFUSED(rci_choice_open(s->ctx, s->path), RC_ERR_LIMIT, s->path);
}

static void what_is_not_a_file_is_refused(void **state)
{
    struct scene *s = *state;
    REFUSED(rci_choice_open(s->ctx, s->folder), RC_ERR_IO, "not a regular file");
    REFUSED(rci_choice_open(s->ctx, "/dev/null"), RC_ERR_IO, "not a regular file");
    REFUSED(rci_choice_open(s->ctx, scratch_path(s->folder, "none/x")), RC_ERR_PATH, "none/x");
    assert_int_equal(mkfifo(s->path, 0600), 0);
    REFUSED(rci_choice_open(s->ctx, s->path), RC_ERR_IO, "not a regular file");
    unlink(s->path);
    put(s, "x", 1);
    char below[600];
    snprintf(below, sizeof(below), "%s/x", s->path);
    REFUSED(rci_choice_open(s->ctx, below), RC_ERR_PATH, "Not a directory");
}

static void unreadable_files_are_refused(void **state)
{
    struct scene *s = *state;
    if (geteuid() == 0)
        skip(); /* may read everything */
    remember(s, "unreadable", "direct");
    assert_int_equal(chmod(s->path, 0), 0);
    REFUSED(rci_choice_open(s->ctx, s->path), RC_ERR_PATH, "Permission denied");
    assert_int_equal(chmod(s->path, 0600), 0);
    assert_non_null(strstr(content(s), "unreadable\tdirect"));
}

/* Another processor's choices, or those made with another oneDNN: not used, not lost. */
static void other_machines_keep_their_section(void **state)
{
    struct scene *s = *state;
    put_summed(s, "rescomp choices 1\nmachine A\nforeign 1\tdirect\nmachine B\nforeign 2\tx\n");
    OK(rci_choice_open(s->ctx, s->path));
    expect(s, "foreign 1", NULL);
    rci_choice_close(s->ctx);
    remember(s, "foreign 1", "winograd");
    remember(s, "foreign 3", "direct");
    const char *text = content(s);
    assert_non_null(
        strstr(text, "machine A\nforeign 1\tdirect\nmachine B\nforeign 2\tx\nmachine "));
    assert_non_null(strstr(text, "\nforeign 1\twinograd\nforeign 3\tdirect\nchecksum "));
    /* ours in the middle */
    char moved[1 << 12], machine[RC_CHOICE_MACHINE];
    rci_choice_machine(s->ctx->cpu, machine);
    snprintf(moved, sizeof(moved),
             "rescomp choices 1\nmachine %s\nforeign 1\twinograd\nmachine A\nforeign 1\tdirect\n",
             machine);
    put_summed(s, moved);
    remember(s, "foreign 4", "direct");
    assert_non_null(strstr(content(s), "foreign 1\twinograd\nforeign 4\tdirect\nmachine A\n"));
}

static void a_file_damaged_meanwhile_is_left_alone(void **state)
{
    struct scene *s = *state;
    OK(rci_choice_open(s->ctx, s->path));
    OK(rci_choice_remember(s->ctx, "meanwhile", "winograd"));
    put(s, "precious", 8);
    REFUSED(rci_choice_save(s->ctx), RC_ERR_FORMAT, "not a file of choices");
    assert_string_equal(content(s), "precious");
    OK(rci_choice_remember(s->ctx, "meanwhile 2", "direct"));
    OK(rci_choice_save(s->ctx)); /* was said once */
    assert_string_equal(content(s), "precious");
    expect(s, "meanwhile", "winograd");
    expect(s, "meanwhile 2", "direct");
}

static void a_folder_removed_meanwhile(void **state)
{
    struct scene *s = *state;
    char folder[512], path[600];
    snprintf(folder, sizeof(folder), "%s/gone", s->folder);
    snprintf(path, sizeof(path), "%s/c.txt", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    OK(rci_choice_open(s->ctx, path));
    OK(rci_choice_remember(s->ctx, "gone", "winograd"));
    assert_int_equal(rmdir(folder), 0);
    REFUSED(rci_choice_save(s->ctx), RC_ERR_PATH, "c.txt");
    expect(s, "gone", "winograd");
}

static void a_full_file_stays(void **state)
{
    struct scene *s = *state;
    char key[64];
    OK(rci_choice_open(s->ctx, s->path));
    OK(rci_choice_remember(s->ctx, "full", "direct"));
    OK(rci_choice_save(s->ctx));
    char before[1 << 12];
    snprintf(before, sizeof(before), "%s", content(s));
    for (int i = 0; i < 30000; i++) { /* straight to the table: searching it is not at stake */
        snprintf(key, sizeof(key), "a key of more than thirty characters %d", i);
        OK(rci_choice_add(s->ctx, s->ctx->choices, key, "direct", true));
    }
    REFUSED(rci_choice_save(s->ctx), RC_ERR_LIMIT, "full");
    assert_string_equal(content(s), before);
}

/* Child: choices of its own, written one by one. */
static void write_many(const struct scene *s, int child, int keys)
{
    struct rc_context *c;
    char key[64];
    const rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    bool good = rci_context_new(&c, &o) == RC_OK && rci_cpu_open(c) == RC_OK &&
                rci_choice_open(c, s->path) == RC_OK;
    for (int i = 0; good && i < keys; i++) {
        snprintf(key, sizeof(key), "process %d key %d", child, i);
        good = rci_choice_remember(c, key, i % 2 ? "direct" : "winograd") == RC_OK &&
               rci_choice_save(c) == RC_OK;
    }
    _exit(good ? 0 : 1);
}

static void several_processes_at_once_lose_nothing(void **state)
{
    enum { PROCESSES = 4, KEYS = 25 };
    struct scene *s = *state;
    pid_t pid[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        pid[i] = fork();
        assert_true(pid[i] >= 0);
        if (pid[i] == 0)
            write_many(s, i, KEYS);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
    OK(rci_choice_open(s->ctx, s->path));
    assert_int_equal(s->ctx->choices->n, PROCESSES * KEYS);
    for (int i = 0; i < PROCESSES * KEYS; i++) {
        char key[64];
        snprintf(key, sizeof(key), "process %d key %d", i / KEYS, i % KEYS);
        expect(s, key, i % KEYS % 2 ? "direct" : "winograd");
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(choices_are_kept_for_later),
        CASE(what_the_process_knows_goes_to_the_file),
        CASE(no_file_or_off),
        CASE(truncated_files_are_refused),
        CASE(changed_bytes_are_refused),
        CASE(other_files_are_refused),
        CASE(large_files_are_refused),
        CASE(what_is_not_a_file_is_refused),
        CASE(unreadable_files_are_refused),
        CASE(other_machines_keep_their_section),
        CASE(a_file_damaged_meanwhile_is_left_alone),
        CASE(a_folder_removed_meanwhile),
        CASE(a_full_file_stays),
        CASE(several_processes_at_once_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
