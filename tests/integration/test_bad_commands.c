/* test_bad_commands.c - commands, settings, folders and files that cannot be used: each
 * is refused in one line that names them, and left as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "decide/service.h"
#include "support/folder.h"
#include "support/server.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A service that runs on a folder. */
static struct {
    char *folder;
    struct live_server server;
} stage;

static int stage_open(void **)
{
    stage.folder = folder_temporary();
    assert_true(demo_make(stage.folder));
    assert_true(live_server_start(stage.folder, NULL, &stage.server));
    return 0;
}

static int stage_close(void **)
{
    assert_int_equal(live_server_stop(&stage.server), 0);
    free(stage.folder);
    return 0;
}

/* Run it; its exit code, and what it said on stderr, freed by the caller. */
static int run(const char *const *arguments, char **said)
{
    char path[512];
    int saved, file, code;
    ssize_t bytes;

    snprintf(path, sizeof path, "%s/said", stage.folder);
    file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    fflush(stderr);
    saved = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    code = program_run(arguments, NULL, NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    *said = calloc(1, 4096);
    bytes = pread(file, *said, 4095, 0);
    assert_true(bytes >= 0);
    close(file);
    return code;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* One line that holds these words; more lines are for wrong usage only. */
static void assert_refused(const char *const *arguments, int code, const char *words[3])
{
    char *said;
    int got = run(arguments, &said);

    if (got != code)
        fail_msg("%s: exit code %d in place of %d: %s", arguments[0], got, code, said);
    for (int i = 0; i < 3 && words[i]; i++)
        if (!strstr(said, words[i]))
            fail_msg("%s: no '%s' in: %s", arguments[0], words[i], said);
    if (strstr(said, "\nTry 'redress")) /* after wrong usage: where to read more */
        strstr(said, "\nTry 'redress")[1] = '\0';
    if (strchr(said, '\n') != said + strlen(said) - 1)
        fail_msg("%s: not one line: %s", arguments[0], said);
    free(said);
}

#define REFUSED(code, word1, word2, ...)                                                 \
    assert_refused((const char *const[]){__VA_ARGS__, NULL}, code,                       \
                   (const char *[3]){word1, word2, NULL})

static void wrong_commands_are_wrong_usage(void **state)
{
    (void)state;
    REFUSED(2, "help", NULL, "frobnicate");
    REFUSED(2, "--frobnicate", "help", "serve", "--frobnicate");
    REFUSED(2, "--queue", NULL, "serve", "--queue", "none");
    REFUSED(2, "--data", NULL, "demo");
    REFUSED(2, NULL, NULL, "model", "frobnicate");
    REFUSED(2, NULL, NULL, "model", "check");
}

static void a_config_that_cannot_be_used_is_named(void **state)
{
    char path[512];

    (void)state;
    snprintf(path, sizeof path, "%s/absent.json", stage.folder);
    REFUSED(1, path, "No such file", "serve", "--config", path, "--data", stage.folder);
    snprintf(path, sizeof path, "%s/config.json", stage.folder);
    write_text(path, "{\"listen\": ");
    REFUSED(1, path, NULL, "serve", "--config", path, "--data", stage.folder);
    write_text(path, "{\"lisen\": \"127.0.0.1:0\"}");
    REFUSED(1, "lisen", path, "serve", "--config", path, "--data", stage.folder);
    write_text(path, "{\"queue\": \"many\"}");
    REFUSED(1, "queue", path, "serve", "--config", path, "--data", stage.folder);
    write_text(path, "{\"queue\": 0}");
    REFUSED(1, "queue", path, "serve", "--config", path, "--data", stage.folder);
}

static void a_word_for_no_instructions_is_refused_before_a_folder_is_made(void **state)
{
    char none[512];

    (void)state;
    snprintf(none, sizeof none, "%s/none", stage.folder);
    setenv("REDRESS_ISA", "avx512f", 1);
    REFUSED(1, "REDRESS_ISA", "portable, avx2, avx512 or vbmi", "serve", "--data", none);
    REFUSED(1, "REDRESS_ISA", "portable, avx2, avx512 or vbmi", "serve", "--data", none,
            "--check");
    unsetenv("REDRESS_ISA");
    assert_int_not_equal(access(none, F_OK), 0);
}

/* What the check warns of: no word, or NULL for none. */
static void assert_warning(const char *folder, const char *listen, const char *word)
{
    char *said;

    assert_int_equal(run((const char *const[]){"serve", "--check", "--data", folder,
                                               "--listen", listen, NULL},
                         &said),
                     0);
    if (word ? !strstr(said, word) : *said != '\0')
        fail_msg("%s: no '%s' in '%s'", listen, word ? word : "silence", said);
    free(said);
}

static void what_lets_others_in_is_warned_of(void **state)
{
    static const struct {
        const char *listen, *word;
    } rows[] = {
        {"127.0.0.1:0", NULL},
        {"[::1]:0", NULL},
        {"unix:/tmp/redress-none.sock", NULL},
        {"0.0.0.0:0", "plain_http"},
        {"[::]:0", "plain_http"},
    };
    bool has_six = access("/proc/net/if_inet6", F_OK) == 0;
    char *folder = folder_temporary(), path[512];

    (void)state;
    assert_true(demo_make(folder));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (has_six || rows[i].listen[0] != '[')
            assert_warning(folder, rows[i].listen, rows[i].word);
    snprintf(path, sizeof path, "%s/redress.db", folder);
    assert_int_equal(chmod(path, 0644), 0);
    assert_warning(folder, "127.0.0.1:0", NULL); /* nobody gets there */
    assert_int_equal(chmod(folder, 0711), 0);
    assert_warning(folder, "127.0.0.1:0", "data_open_to_others");
    assert_int_equal(chmod(path, 0600), 0);
    assert_warning(folder, "127.0.0.1:0", NULL);
    assert_int_equal(chmod(folder, 0750), 0);
    assert_warning(folder, "127.0.0.1:0", "data_open_to_others");
    free(folder);
}

/* What a start would be refused for, its check says. What a running service has is its
 * own. */
static void a_check_tries_what_a_start_needs(void **state)
{
    char *folder = folder_temporary(), *none = folder_temporary(), *health;
    const char *const extra[] = {"--health-listen", "127.0.0.1:0", NULL};
    struct live_server server;

    (void)state;
    assert_true(demo_make(folder));
    assert_true(live_server_start(folder, extra, &server));
    health = server.health_listen;
    setenv("REDRESS_LISTEN", "127.0.0.1:0", 1);
    REFUSED(1, "listen: cannot listen on 192.0.2.1:80", NULL, "serve", "--check",
            "--data", none, "--listen", "192.0.2.1:80");
    REFUSED(1, "listen: cannot listen on", server.listen, "serve", "--check", "--data",
            none, "--listen", server.listen);
    REFUSED(1, "health_listen: cannot listen on", health, "serve", "--check", "--data",
            none, "--health-listen", health);
    REFUSED(1, "listen: cannot listen on unix:/tmp/no-such-folder/x", NULL, "serve",
            "--check", "--data", none, "--listen", "unix:/tmp/no-such-folder/x");
    assert_warning(folder, server.listen, NULL);
    unsetenv("REDRESS_LISTEN");
    assert_int_equal(live_server_stop(&server), 0);
    free(folder);
    free(none);
}

static void a_folder_is_served_once(void **state)
{
    char pid[32];

    (void)state;
    snprintf(pid, sizeof pid, "%d", (int)stage.server.pid);
    REFUSED(1, stage.folder, pid, "serve", "--data", stage.folder, "--listen",
            "127.0.0.1:0");
}

/* Where the name of a file in a folder was cut off, the file that the first part of the
 * folder's own name names was opened, and emptied. */
static void a_folder_with_too_long_a_name_is_refused_and_nothing_is_touched(void **state)
{
    enum { MIDDLE_BYTES = 240, ALL_BYTES = 513, CUT_BYTES = 511 };
    char *folder = folder_temporary(), deep[ALL_BYTES + 1], cut[CUT_BYTES + 1];
    const char *const commands[][5] = {
        {"demo", "--data", deep, NULL},
        {"key", "list", "--data", deep, NULL},
        {"db", "migrate", "--data", deep, NULL},
        {"audit", "verify", "--data", deep, NULL},
    };
    const struct service_settings settings = {.folder = deep, .clock = &system_clock};
    size_t middle = strlen(folder) + 1 + MIDDLE_BYTES;
    struct service *service;
    struct folder_look look;
    bool was_created;
    struct err err;
    struct stat file;

    (void)state;
    memset(deep, 'n', ALL_BYTES);
    deep[ALL_BYTES] = '\0';
    memcpy(deep, folder, strlen(folder));
    deep[strlen(folder)] = '/';
    deep[middle] = '\0';
    assert_int_equal(mkdir(deep, 0700), 0);
    deep[middle] = '/';
    memcpy(cut, deep, CUT_BYTES);
    cut[CUT_BYTES] = '\0';
    write_text(cut, "precious");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        assert_refused(commands[i], 1, (const char *[3]){"shorter"});
    assert_int_equal(service_look(&settings, &look, &err), STATUS_INVALID);
    assert_int_equal(service_open(&settings, &service, &was_created, &err),
                     STATUS_INVALID);
    assert_int_equal(stat(cut, &file), 0);
    assert_int_equal(file.st_size, strlen("precious"));
    assert_int_equal(access(deep, F_OK), -1);
    free(folder);
}

static void a_port_in_use_is_named(void **state)
{
    char *folder = folder_temporary();

    (void)state;
    assert_true(demo_make(folder));
    setenv("REDRESS_LOG_LEVEL", "error", 1);
    REFUSED(1, stage.server.listen, "in use", "serve", "--data", folder, "--listen",
            stage.server.listen);
    unsetenv("REDRESS_LOG_LEVEL");
    free(folder);
}

static void a_folder_from_a_newer_version_is_left_alone(void **state)
{
    char *folder = folder_temporary(), path[512];
    sqlite3 *db;

    (void)state;
    assert_true(demo_make(folder));
    snprintf(path, sizeof path, "%s/redress.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    REFUSED(1, "99", "newer", "serve", "--data", folder, "--listen", "127.0.0.1:0");
    REFUSED(1, "99", "newer", "db", "check", "--data", folder);
    REFUSED(1, "99", "newer", "budget", "list", "--data", folder);
    free(folder);
}

static void a_folder_that_is_not_empty_is_no_place_for_a_demo(void **state)
{
    (void)state;
    REFUSED(1, stage.folder, "not empty", "demo", "--data", stage.folder);
}

static void a_database_that_is_none_is_left_alone(void **state)
{
    char *folder = folder_temporary(), path[512], text[64] = "";
    FILE *file;

    (void)state;
    snprintf(path, sizeof path, "%s/redress.db", folder);
    write_text(path, "This is no database, but somebody may need it all the same.");
    REFUSED(1, path, NULL, "serve", "--data", folder, "--listen", "127.0.0.1:0");
    file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text,
                        "This is no database, but somebody may need it all the same.");
    free(folder);
}

/* Whatever changes something leaves one. */
static int64_t audit_event_count(void)
{
    const char *const arguments[] = {"db",         "stats",  "--data",
                                     stage.folder, "--json", NULL};
    char *text;
    json_t *stats;
    int64_t count;

    assert_int_equal(program_run(arguments, NULL, &text), 0);
    stats = json_loads(text, 0, NULL);
    count = json_integer_value(json_object_get(stats, "audit_events"));
    assert_true(count > 0);
    json_decref(stats);
    free(text);
    return count;
}

static void a_model_file_cut_short_is_refused(void **state)
{
    static char content[1 << 20];
    char path[512], bundle[512];
    int64_t before;
    FILE *file = fopen("models/credit_uplift/credit_500.json", "r");
    size_t bytes;

    (void)state;
    assert_non_null(file);
    bytes = fread(content, 1, sizeof content - 1, file);
    fclose(file);
    content[bytes / 2] = '\0';
    snprintf(path, sizeof path, "%s/cut.json", stage.folder);
    write_text(path, content);
    REFUSED(1, path, "byte", "model", "check", path);
    snprintf(bundle, sizeof bundle, "%s/bundle", stage.folder);
    assert_int_equal(mkdir(bundle, 0700), 0);
    snprintf(path, sizeof path, "%s/bundle/manifest.json", stage.folder);
    write_text(path, "{\"format\": \"redress-bundle/1\", \"name\": \"m\", \"kind\": "
                     "\"effect\", \"learner\": \"effect\", \"features\": [{\"name\": "
                     "\"need\", \"type\": \"float\", \"missing\": \"allow\"}], \"arms\": "
                     "[{\"name\": \"a\", \"dose\": 500}], \"components\": [{\"role\": "
                     "\"tau\", \"arm\": \"a\", \"file\": \"a.json\"}], \"examples\": "
                     "{\"rows\": [[2]], \"effects\": [[1]]}}");
    snprintf(path, sizeof path, "%s/bundle/a.json", stage.folder);
    write_text(path, content);
    before = audit_event_count();
    REFUSED(1, "a.json", "byte", "model", "check", bundle);
    REFUSED(1, "a.json", "byte", "model", "push", "m", bundle, "--data", stage.folder);
    REFUSED(1, "absent", "No such file", "model", "check", "absent.json");
    assert_int_equal(audit_event_count(), before);
}

static void what_is_handed_in_for_a_model_is_called_by_its_name(void **state)
{
    static const struct {
        const char *content, *word;
    } files[] = {
        {"\x1f\x8b\x08", "gzip"},
        {"\xef\xbb\xbf{}", "byte order mark"},
        {"\x80\x04\x95", "pickle"},
        {"[{\"nodeid\": 0, \"leaf\": 1}]", "dump_model"},
        {"{\"name\": \"tree\", \"version\": \"v4\", \"tree_info\": []}", "dump"},
        {"{\"format\": \"redress-bundle/1\", \"name\": \"m\"}", "folder around it"},
        {"hello", "neither a model"},
    };
    char path[512];

    (void)state;
    snprintf(path, sizeof path, "%s/none.json", stage.folder);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_text(path, files[i].content);
        REFUSED(1, path, files[i].word, "model", "check", path);
    }
    write_text(path, "[]");
    REFUSED(1, path, "expected an object", "model", "push", "x", path, "--data",
            stage.folder);
}

/* A table in the stage's folder. */
static const char *write_rows(const char *text)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/rows.csv", stage.folder);
    write_text(path, text);
    return path;
}

#define SAMPLE_COLUMNS                                                                   \
    "tenure_days,orders_90d,avg_order_minor,claims_90d,credits_90d_minor,minutes_late,"  \
    "items_missing,days_since_order,last_rating,discount_share,contacts,"                \
    "app_sessions_7d,is_member,channel,issue"
#define SAMPLE_ROW(is_member, issue) "9,1,900,0,0,5,0,3,4,0,1,2," is_member ",chat," issue

#define ROWS_REFUSED(word1, word2, text)                                                 \
    REFUSED(1, word1, word2, "model", "score", "models/credit_linear", "--rows",         \
            write_rows(text))

static void rows_that_do_not_fit_a_model_are_refused_by_line_and_column(void **state)
{
    (void)state;
    ROWS_REFUSED("line 3 column 'is_member'", "true, false, 1 or 0, found 'yes'",
                 SAMPLE_COLUMNS
                 "\n" SAMPLE_ROW("1", "quality") "\n" SAMPLE_ROW("yes", "quality") "\n");
    ROWS_REFUSED("found '2'", NULL, SAMPLE_COLUMNS "\n" SAMPLE_ROW("2", "quality") "\n");
    ROWS_REFUSED("columns 15 and 16", "'issue'", SAMPLE_COLUMNS ",issue\n");
    ROWS_REFUSED("no column 'tenure_days'; there are 'a', 'b'\n", NULL, "a,b\n");
    ROWS_REFUSED("line 1", "numbers", "1,2,3\n");
    ROWS_REFUSED(
        "rows.csv line 3: the effect of arm", NULL,
        SAMPLE_COLUMNS "\n" SAMPLE_ROW(
            "1", "quality") "\n"
                            "inf,1,900,0,0,5,0,3,4,0,1,2,1,chat,quality\n" SAMPLE_ROW(
                                "1", "quality") "\n");
    REFUSED(1, "1 column,", "15 inputs", "model", "score",
            "models/credit_linear/credit_500.linear.json", "--no-header", "--rows",
            write_rows("7\n"));
}

/* What a table of one row scores; what is said beside it. */
static char *score_row(const char *text, char **said)
{
    const char *const arguments[] = {"model",  "score",          "models/credit_uplift",
                                     "--rows", write_rows(text), NULL};
    char *scores;

    assert_int_equal(program_run(arguments, NULL, &scores), 0);
    assert_int_equal(run(arguments, said), 0);
    return scores;
}

static void cells_mean_the_same_however_tools_write_them(void **state)
{
    static const struct {
        const char *plain, *other;
    } rows[] = {
        {SAMPLE_ROW("true", "quality"), SAMPLE_ROW("True", "quality")},
        {SAMPLE_ROW("0", "quality"), SAMPLE_ROW("FALSE", " quality ")},
        {SAMPLE_ROW("", ""), SAMPLE_ROW("NA", "null")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[600], *plain, *other, *said;

        snprintf(text, sizeof text, SAMPLE_COLUMNS "\n%s\n", rows[i].plain);
        plain = score_row(text, &said);
        assert_string_equal(said, "");
        free(said);
        snprintf(text, sizeof text, SAMPLE_COLUMNS "\n%s\n", rows[i].other);
        other = score_row(text, &said);
        assert_string_equal(said, "");
        free(said);
        assert_string_equal(plain, other);
        free(plain);
        free(other);
    }
}

static void categories_that_nobody_knows_are_counted_aloud(void **state)
{
    char *scores, *missing, *said;

    (void)state;
    missing = score_row(SAMPLE_COLUMNS "\n" SAMPLE_ROW("1", "") "\n", &said);
    free(said);
    scores = score_row(SAMPLE_COLUMNS "\n" SAMPLE_ROW("1", "cold_food") "\n", &said);
    assert_string_equal(scores, missing);
    assert_non_null(strstr(said, "1 value of 'issue' is not among its categories"));
    free(said);
    free(scores);
    free(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_commands_are_wrong_usage),
        cmocka_unit_test(a_config_that_cannot_be_used_is_named),
        cmocka_unit_test(a_word_for_no_instructions_is_refused_before_a_folder_is_made),
        cmocka_unit_test(what_lets_others_in_is_warned_of),
        cmocka_unit_test(a_check_tries_what_a_start_needs),
        cmocka_unit_test(a_folder_is_served_once),
        cmocka_unit_test(a_folder_with_too_long_a_name_is_refused_and_nothing_is_touched),
        cmocka_unit_test(a_port_in_use_is_named),
        cmocka_unit_test(a_folder_from_a_newer_version_is_left_alone),
        cmocka_unit_test(a_folder_that_is_not_empty_is_no_place_for_a_demo),
        cmocka_unit_test(a_database_that_is_none_is_left_alone),
        cmocka_unit_test(a_model_file_cut_short_is_refused),
        cmocka_unit_test(what_is_handed_in_for_a_model_is_called_by_its_name),
        cmocka_unit_test(rows_that_do_not_fit_a_model_are_refused_by_line_and_column),
        cmocka_unit_test(cells_mean_the_same_however_tools_write_them),
        cmocka_unit_test(categories_that_nobody_knows_are_counted_aloud),
    };

    return cmocka_run_group_tests(tests, stage_open, stage_close);
}
