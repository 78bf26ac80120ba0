/* test_app.c - what the program does before it reaches a service, and reaching one in
 * process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/bundle_body.h"
#include "app/client.h"
#include "app/client_carrier.h"
#include "app/commands.h"
#include "app/control.h"
#include "app/json_diff.h"
#include "app/print.h"
#include "app/samples.h"
#include "app/settings.h"
#include "base/file.h"
#include "http/server.h"
#include "support/folder.h"
#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err err;

static int clear_err(void **state)
{
    (void)state;
    err_clear(&err);
    return 0;
}

/* --- settings --------------------------------------------------------------------------------- */

static char *nothing_set(const char *name)
{
    (void)name;
    return NULL;
}

static char *some_set(const char *name)
{
    static char threads[] = "7", queue[] = "77";

    if (strcmp(name, "REDRESS_THREADS") == 0)
        return threads;
    return strcmp(name, "REDRESS_QUEUE") == 0 ? queue : NULL;
}

static struct setting_options options;
static struct option_spec specs[SETTING_COUNT + 1];

static void option_set(const char *name, const char *value)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (strcmp(options.names[i], name) == 0) {
            options.values[i] = value;
            return;
        }
    fail_msg("there is no option --%s", name);
}

static char *config_of(const char *text)
{
    static char *folder;
    static char path[512];

    if (!folder)
        folder = folder_temporary();
    assert_non_null(folder);
    snprintf(path, sizeof path, "%s/config.json", folder);
    assert_int_equal(file_write(path, text, strlen(text), 0600, &err), STATUS_OK);
    return path;
}

static void the_command_line_wins_over_the_environment_over_the_file(void **state)
{
    const char *config =
        config_of("{\"threads\": 3, \"queue\": 33, \"readers\": 5, \"drain_ms\": 1}");
    struct settings settings;
    bool is_usage;

    (void)state;
    setting_options_make(&options, specs);
    option_set("threads", "9");
    assert_int_equal(
        settings_read(config, &options, some_set, &settings, &is_usage, &err), STATUS_OK);
    assert_int_equal(settings.threads, 9);
    assert_int_equal(settings.queue, 77);
    assert_int_equal(settings.readers, 5);
    assert_int_equal(settings.connections, 1000);
    assert_int_equal(settings_source(&settings, "threads"), FROM_OPTION);
    assert_int_equal(settings_source(&settings, "queue"), FROM_ENVIRONMENT);
    assert_int_equal(settings_source(&settings, "readers"), FROM_FILE);
    assert_int_equal(settings_source(&settings, "connections"), FROM_DEFAULT);
}

static void a_wrong_file_is_refused_with_every_fault_and_its_place(void **state)
{
    static const struct {
        const char *text, *pointer;
        enum status status;
        int fault_count;
    } rows[] = {
        {"{\"threads\": 65}", "/threads", STATUS_INVALID, 1},
        {"{\"threads\": -1}", "/threads", STATUS_INVALID, 1},
        {"{\"threads\": 1.5}", "/threads", STATUS_INVALID, 1},
        {"{\"threads\": \"2\"}", "/threads", STATUS_INVALID, 1},
        {"{\"listen\": 8080}", "/listen", STATUS_INVALID, 1},
        {"{\"listen\": \"\"}", "/listen", STATUS_INVALID, 1},
        {"{\"listen\": \"nowhere\"}", "/listen", STATUS_INVALID, 1},
        {"{\"log_level\": \"loud\"}", "/log_level", STATUS_INVALID, 1},
        {"{\"thread\": 2}", "/thread", STATUS_INVALID, 1},
        {"{\"thread\": 2, \"queue\": 0, \"drain_ms\": true}", "/thread", STATUS_INVALID,
         3},
        {"{\"queue\": 5, \"queue\": 6}", NULL, STATUS_MALFORMED, 0},
        {"[1]", NULL, STATUS_MALFORMED, 0},
        {"{\"queue\": 5", NULL, STATUS_MALFORMED, 0},
        {"", NULL, STATUS_MALFORMED, 0},
    };

    (void)state;
    setting_options_make(&options, specs);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settings settings;
        bool is_usage;

        err_clear(&err);
        assert_int_equal(settings_read(config_of(rows[i].text), &options, nothing_set,
                                       &settings, &is_usage, &err),
                         rows[i].status);
        assert_false(is_usage);
        assert_int_equal(err.fault_count, rows[i].fault_count);
        assert_non_null(strstr(err.text, "config.json"));
        if (rows[i].pointer)
            assert_string_equal(err.faults[0].pointer, rows[i].pointer);
    }
}

static void a_wrong_option_is_wrong_usage_and_a_wrong_variable_is_not(void **state)
{
    struct settings settings;
    bool is_usage;

    (void)state;
    setting_options_make(&options, specs);
    option_set("queue", "many");
    assert_int_equal(
        settings_read(NULL, &options, nothing_set, &settings, &is_usage, &err),
        STATUS_INVALID);
    assert_true(is_usage);
    assert_non_null(strstr(err.text, "--queue"));
    option_set("queue", NULL);
    assert_int_equal(setenv("REDRESS_QUEUE", "0", 1), 0);
    assert_int_equal(settings_read(NULL, &options, getenv, &settings, &is_usage, &err),
                     STATUS_INVALID);
    assert_int_equal(unsetenv("REDRESS_QUEUE"), 0);
    assert_false(is_usage);
    assert_non_null(strstr(err.text, "REDRESS_QUEUE"));
}

static void the_ends_of_a_range_are_within_it(void **state)
{
    static const struct {
        const char *value;
        bool is_fine;
    } rows[] = {{"1", true},   {"64", true},   {"0", false},
                {"65", false}, {"", false},    {" 5", false},
                {"5 ", false}, {"0x5", false}, {"99999999999999999999", false}};

    (void)state;
    setting_options_make(&options, specs);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settings settings;
        bool is_usage;

        option_set("readers", rows[i].value);
        assert_int_equal(settings_read(NULL, &options, nothing_set, &settings, &is_usage,
                                       &err) == STATUS_OK,
                         rows[i].is_fine);
    }
}

static void an_address_is_one_before_anything_is_made(void **state)
{
    static const struct {
        const char *text, *word; /* of what is wrong; NULL: nothing */
    } rows[] = {
        {"127.0.0.1:8080", NULL},
        {"0.0.0.0:0", NULL},
        {"[::1]:65535", NULL},
        {"localhost:80", NULL},
        {"unix:/run/a.sock", NULL},
        {"127.0.0.1", "':' and a port"},
        {"127.0.0.1:", "0 to 65535"},
        {"127.0.0.1:x", "0 to 65535"},
        {"127.0.0.1:8 ", "0 to 65535"},
        {"127.0.0.1:65536", "0 to 65535"},
        {"127.0.0.1:70000", "0 to 65535"},
        {"127.0.0:80", "not resolved"},
        {"example.com:80", "not resolved"},
        {":8080", "not resolved"},
        {"::1:8080", "in brackets"},
        {"::1:0", "in brackets"},
        {"[::1:8080", "in brackets"},
        {"[]:80", "not resolved"},
        {"", "':' and a port"},
        {"unix:a.sock", "absolute path"},
        {"unix:", "absolute path"},
        {"unix:/run/", "that of a folder"},
    };
    char path[128] = "unix:/";

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum status rc;

        err_clear(&err);
        rc = server_address_check(rows[i].text, &err);
        assert_int_equal(rc == STATUS_OK, rows[i].word == NULL);
        if (rows[i].word && !strstr(err.text, rows[i].word))
            fail_msg("'%s': no '%s' in '%s'", rows[i].text, rows[i].word, err.text);
    }
    memset(path + 6, 'a', 106);
    assert_int_equal(server_address_check(path, &err), STATUS_OK);
    path[112] = 'a';
    assert_int_equal(server_address_check(path, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "107 bytes"));
}

static int ignored_count;
static void count_ignored(const char *name)
{
    assert_string_equal(name, "threads");
    ignored_count++;
}

static void a_running_service_takes_over_only_what_can_change(void **state)
{
    struct settings settings, fresh;
    bool is_usage;

    (void)state;
    setting_options_make(&options, specs);
    assert_int_equal(
        settings_read(NULL, &options, nothing_set, &settings, &is_usage, &err),
        STATUS_OK);
    fresh = settings;
    fresh.threads = 5;
    fresh.drain_ms = 1;
    strcpy(fresh.log_level, "debug");
    ignored_count = 0;
    assert_int_equal(settings_renew(&settings, &fresh, count_ignored), 2);
    assert_int_equal(ignored_count, 1);
    assert_int_equal(settings.threads, 0);
    assert_int_equal(settings.drain_ms, 1);
    assert_int_equal(settings_log_level(&settings), LOG_DEBUG);
}

static void the_sample_configuration_says_the_defaults(void **state)
{
    struct settings preset, sample;
    bool is_usage;

    (void)state;
    setting_options_make(&options, specs);
    assert_int_equal(settings_read(NULL, &options, nothing_set, &preset, &is_usage, &err),
                     STATUS_OK);
    assert_int_equal(settings_read("config/redress.json", &options, nothing_set, &sample,
                                   &is_usage, &err),
                     STATUS_OK);
    for (int i = 0; i < SETTING_COUNT; i++)
        assert_int_equal(sample.sources[i], FROM_FILE);
    /* These three have no default that a file could repeat. */
    memcpy(sample.data, preset.data, sizeof sample.data);
    memcpy(sample.listen, preset.listen, sizeof sample.listen);
    memcpy(sample.health_listen, preset.health_listen, sizeof sample.health_listen);
    memcpy(sample.sources, preset.sources, sizeof sample.sources);
    assert_memory_equal(&sample, &preset, sizeof sample);
}

/* --- commands --------------------------------------------------------------------------------- */

static void the_nearest_command_is_suggested_when_one_is_near(void **state)
{
    static const struct command commands[] = {
        {.name = "demo"},  {.name = "serve"},  {.name = "budget"},
        {.name = "model"}, {.name = "policy"}, {0},
    };
    static const struct {
        const char *word, *nearest;
    } rows[] = {
        {"sevre", "serve"},
        {"sreve", "serve"},
        {"budgets", "budget"},
        {"bud", "budget"},
        {"mode", "model"},
        {"polcy", "policy"},
        {"dmeo", "demo"},
        {"xyzzy", NULL},
        {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *nearest = command_nearest(commands, rows[i].word);

        if (rows[i].nearest)
            assert_string_equal(nearest ? nearest : "(none)", rows[i].nearest);
        else
            assert_null(nearest);
    }
}

/* --- requests and what comes back ------------------------------------------------------------- */

static void names_in_a_path_cannot_leave_their_place(void **state)
{
    char path[CLIENT_PATH_BYTES], long_name[CLIENT_PATH_BYTES];

    (void)state;
    assert_int_equal(client_path(path, &err, "/v1/budgets/%s/entries", "bud_a-1.~"),
                     STATUS_OK);
    assert_string_equal(path, "/v1/budgets/bud_a-1.~/entries");
    assert_int_equal(client_path(path, &err, "/v1/%s/x/%s", "../a?b#c", "d\xc3\xa4 %"),
                     STATUS_OK);
    assert_string_equal(path, "/v1/..%2Fa%3Fb%23c/x/d%C3%A4%20%25");
    assert_int_equal(client_path(path, &err, "/v1/budgets/%s", ""), STATUS_INVALID);
    for (size_t bytes = CLIENT_PATH_BYTES - 32; bytes < CLIENT_PATH_BYTES; bytes++) {
        memset(long_name, 'a', bytes);
        long_name[bytes] = '\0';
        if (client_path(path, &err, "/v1/%s/x", long_name) == STATUS_OK)
            assert_int_equal(strlen(path), bytes + strlen("/v1//x"));
    }
    assert_int_equal(client_path(path, &err, "/v1/%s", long_name), STATUS_INVALID);
}

static void a_problem_document_becomes_a_sentence_and_its_faults(void **state)
{
    static const char body[] =
        "{\"title\": \"Unprocessable Content\", \"detail\": \"two things\\u001b[31m\","
        " \"code\": \"invalid\", \"errors\": [{\"pointer\": \"/a\", \"code\": \"x\","
        " \"detail\": \"no\\na\"}, {\"pointer\": \"/b\", \"code\": \"y\"}]}";

    (void)state;
    assert_int_equal(client_problem(422, body, sizeof body - 1, &err), STATUS_INVALID);
    assert_string_equal(err.text, "two things?[31m");
    assert_string_equal(err.code, "invalid");
    assert_int_equal(err.fault_count, 2);
    assert_string_equal(err.faults[0].pointer, "/a");
    assert_string_equal(err.faults[0].detail, "no a");
    assert_string_equal(err.faults[1].detail, "");
}

static void a_reply_that_is_no_problem_document_is_still_an_error(void **state)
{
    static const struct {
        int http_status;
        const char *body, *text;
        enum status status;
    } rows[] = {
        {404, "{\"title\": \"Not Found\"}", "Not Found", STATUS_NOT_FOUND},
        {502, "<html>", "the service answered with HTTP 502", STATUS_IO},
        {301, "", "the service answered with HTTP 301", STATUS_IO},
        {503, "[]", "the service answered with HTTP 503", STATUS_UNAVAILABLE},
        {412, "{\"detail\": 5}", "the service answered with HTTP 412", STATUS_STALE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            client_problem(rows[i].http_status, rows[i].body, strlen(rows[i].body), &err),
            rows[i].status);
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(err.fault_count, 0);
    }
}

static void values_are_shown_without_quotes_braces_and_control_characters(void **state)
{
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"\"a\\u001b[2Jb\"", "a?[2Jb"},
        {"null", "-"},
        {"true", "yes"},
        {"-12", "-12"},
        {"0.25", "0.25"},
        {"{}", "-"},
        {"[]", "-"},
        {"{\"market\": \"us-ca\", \"issue\": \"late\"}", "market=us-ca issue=late"},
        {"[1, \"b\", [2]]", "1,b,2"},
        {"[[[[[[[1]]]]]]]", ""},
    };
    char text[VALUE_TEXT_BYTES], long_text[2000];
    json_t *value;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        value = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
        value_text(value, text);
        json_decref(value);
        assert_string_equal(text, rows[i].text);
    }
    memset(long_text, 'x', sizeof long_text);
    value = json_stringn(long_text, sizeof long_text);
    value_text(value, text);
    json_decref(value);
    assert_int_equal(strlen(text), VALUE_TEXT_BYTES - 1);
}

static void a_diff_names_each_value_that_changed(void **state)
{
    static const char before_text[] =
        "{\"a\": 1, \"b\": [1, 2, 3], \"c\": {\"d/e\": true}, \"same\": [1]}";
    static const char after_text[] =
        "{\"a\": 2, \"b\": [1, 5], \"c\": {\"f~\": null}, \"same\": [1]}";
    static const char expected[] = "  /a: 1 -> 2\n"
                                   "  /b/1: 2 -> 5\n"
                                   "- /b/2: 3\n"
                                   "- /c/d~1e: true\n"
                                   "+ /c/f~0: null\n";
    json_t *before = json_loads(before_text, 0, NULL);
    json_t *after = json_loads(after_text, 0, NULL);
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    (void)state;
    assert_int_equal(json_diff_print(before, after, out), 5);
    assert_int_equal(json_diff_print(before, before, out), 0);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    json_decref(before);
    json_decref(after);
}

/* --- bundles ---------------------------------------------------------------------------------- */

static void a_bundle_keeps_its_checksum_on_its_way(void **state)
{
    static const char *const paths[] = {"models/credit_uplift", "models/credit_linear"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct bundle *sent, *received;
        char *body;
        size_t bytes;

        assert_int_equal(bundle_read_path(paths[i], &sent, &err), STATUS_OK);
        assert_int_equal(bundle_body(sent->manifest, sent->files, sent->file_count, &body,
                                     &bytes, &err),
                         STATUS_OK);
        assert_int_equal(bundle_read_json(body, bytes, &received, &err), STATUS_OK);
        assert_string_equal(received->sha256, sent->sha256);
        free(body);
        bundle_free(sent);
        bundle_free(received);
    }
}

static void files_that_are_not_text_travel_in_base_64(void **state)
{
    static const char content[] = "\xff\x00\"\n";
    const struct bundle_file files[] = {
        {text_of("a.txt"), text_of("q\"\\\n\x01 \xc3\xa4")},
        {text_of("b.ubj"), {content, sizeof content - 1}},
    };
    char *body;
    size_t bytes;
    json_t *root, *sent;

    (void)state;
    assert_int_equal(bundle_body(text_of("{}"), files, 2, &body, &bytes, &err),
                     STATUS_OK);
    root = json_loadb(body, bytes, 0, NULL);
    assert_non_null(root);
    sent = json_object_get(root, "files");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(sent, "a.txt"), "text")),
        "q\"\\\n\x01 \xc3\xa4");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(sent, "b.ubj"), "base64")),
        "/wAiCg==");
    json_decref(root);
    free(body);
}

static void the_files_inside_the_program_are_those_of_the_tree(void **state)
{
    int count = 0;

    (void)state;
    for (const struct sample *sample = samples; sample->path; sample++, count++) {
        char *content;
        size_t bytes;

        assert_int_equal(file_read(sample->path, 64 << 20, &content, &bytes, &err),
                         STATUS_OK);
        assert_int_equal(bytes, sample->end - sample->begin);
        assert_memory_equal(content, sample->begin, bytes);
        free(content);
    }
    assert_int_equal(count, 12);
}

/* --- the way to a folder ---------------------------------------------------------------------- */

static void a_control_file_counts_only_for_the_process_that_has_the_folder(void **state)
{
    char *folder = folder_temporary(), path[512];
    struct control control = {.listen = "127.0.0.1:1", .key = "key_a.b", .pid = 4711};
    struct control found;
    struct stat info;

    (void)state;
    assert_int_equal(control_read(folder, &found, &err), STATUS_NOT_FOUND);
    assert_int_equal(control_write(folder, &control, &err), STATUS_OK);
    snprintf(path, sizeof path, "%s/control.json", folder);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(control_read(folder, &found, &err), STATUS_NOT_FOUND);
    snprintf(path, sizeof path, "%s/lock", folder);
    assert_int_equal(file_write(path, "4712", 4, 0600, &err), STATUS_OK);
    assert_int_equal(control_read(folder, &found, &err), STATUS_NOT_FOUND);
    assert_int_equal(file_write(path, "4711", 4, 0600, &err), STATUS_OK);
    assert_int_equal(control_read(folder, &found, &err), STATUS_OK);
    assert_string_equal(found.listen, control.listen);
    assert_string_equal(found.key, control.key);
    snprintf(path, sizeof path, "%s/control.json", folder);
    assert_int_equal(file_write(path, "{\"pid\": 4711}", 13, 0600, &err), STATUS_OK);
    assert_int_equal(control_read(folder, &found, &err), STATUS_CORRUPT);
    control_remove(folder);
    assert_int_equal(control_read(folder, &found, &err), STATUS_NOT_FOUND);
    free(folder);
}

static void a_missing_folder_is_made_only_by_commands_that_write(void **state)
{
    char *parent = folder_temporary(), folder[512];
    struct client_settings settings = {.data = folder, .is_quiet = true};
    struct client *client = NULL;

    (void)state;
    snprintf(folder, sizeof folder, "%s/data", parent);
    assert_int_equal(client_open(&settings, &client, &err), STATUS_NOT_FOUND);
    assert_false(folder_exists(folder));
    settings.may_create = true;
    assert_int_equal(client_open(&settings, &client, &err), STATUS_OK);
    client_close(client);
    settings.may_create = false;
    assert_int_equal(client_open(&settings, &client, &err), STATUS_OK);
    client_close(client);
    free(parent);
}

/* What is said of a folder that is there, by one who may not look into it. */
static void open_as_nobody(const char *folder, int messages)
{
    struct client_settings settings = {.data = folder, .is_quiet = true};
    struct client *client = NULL;

    if (geteuid() == 0 && setuid(65534) != 0)
        _exit(99);
    (void)client_open(&settings, &client, &err);
    dprintf(messages, "%s", err.text);
    _exit(err.status == STATUS_FORBIDDEN ? 0 : 1);
}

static void a_folder_that_may_not_be_read_is_not_called_none(void **state)
{
    char *folder = folder_temporary(), path[512], said[512] = "";
    int ends[2], code;
    pid_t child;

    (void)state;
    snprintf(path, sizeof path, "%s/redress.db", folder);
    assert_int_equal(file_write(path, "x", 1, 0600, &err), STATUS_OK);
    assert_int_equal(chmod(folder, 0), 0);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0)
        open_as_nobody(folder, ends[1]);
    close(ends[1]);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(chmod(folder, 0700), 0);
    if (!strstr(said, "cannot read '") || !strstr(said, "Permission denied") ||
        !strstr(said, "the user who has the folder"))
        fail_msg("%s", said);
    assert_int_equal(code, 0);
    free(folder);
}

static void a_folder_answers_in_process_as_a_service_would(void **state)
{
    static const char budget[] = "{\"id\": \"bud_a\", \"period\": \"day\","
                                 " \"limit\": 500, \"currency\": \"USD\"}";
    char *folder = folder_temporary(), key[ID_BYTES];
    struct client_settings settings = {
        .data = folder, .may_create = true, .is_quiet = true};
    struct client_request create = {.method = "POST",
                                    .path = "/v1/budgets",
                                    .idempotency_key = key,
                                    .body = text_of(budget)};
    struct client_request show = {.method = "GET", .path = "/v1/budgets/bud_a"};
    struct client_request list = {
        .method = "GET", .path = "/v1/budgets", .queries = {{"limit", "0"}}};
    struct client *client = NULL;
    struct client_reply reply;

    (void)state;
    client_idempotency_key(key);
    assert_int_equal(client_open(&settings, &client, &err), STATUS_OK);
    assert_int_equal(client_call(client, &show, &reply, &err), STATUS_NOT_FOUND);
    assert_null(reply.body);
    assert_int_equal(client_call(client, &create, &reply, &err), STATUS_OK);
    assert_int_equal(reply.status, 201);
    client_reply_free(&reply);
    client_idempotency_key(key);
    assert_int_equal(client_call(client, &create, &reply, &err), STATUS_CONFLICT);
    assert_int_equal(client_call(client, &show, &reply, &err), STATUS_OK);
    assert_string_equal(reply.etag, "\"1\"");
    assert_int_equal(strlen(reply.body), reply.bytes);
    client_reply_free(&reply);
    assert_int_equal(client_call(client, &list, &reply, &err), STATUS_INVALID);
    client_close(client);
    free(folder);
}

static void a_url_needs_http_and_a_key_that_fits_into_a_header(void **state)
{
    char *folder = folder_temporary(), path[512];
    struct client_settings settings = {.url = "ftp://127.0.0.1", .key_file = path};
    struct client *client = NULL;

    (void)state;
    snprintf(path, sizeof path, "%s/key", folder);
    assert_int_equal(client_open(&settings, &client, &err), STATUS_INVALID);
    settings.url = "http://127.0.0.1:1";
    assert_int_equal(client_open(&settings, &client, &err), STATUS_NOT_FOUND);
    assert_int_equal(file_write(path, "a\r\nX: y\n", 8, 0600, &err), STATUS_OK);
    assert_int_equal(client_open(&settings, &client, &err), STATUS_INVALID);
    assert_int_equal(file_write(path, "\n", 1, 0600, &err), STATUS_OK);
    assert_int_equal(client_open(&settings, &client, &err), STATUS_INVALID);
    assert_int_equal(file_write(path, " key_a.b\r\n", 10, 0600, &err), STATUS_OK);
    assert_int_equal(client_open(&settings, &client, &err), STATUS_OK);
    client_close(client);
    free(folder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, clear_err)
    const struct CMUnitTest tests[] = {
        TEST(the_command_line_wins_over_the_environment_over_the_file),
        TEST(a_wrong_file_is_refused_with_every_fault_and_its_place),
        TEST(a_wrong_option_is_wrong_usage_and_a_wrong_variable_is_not),
        TEST(the_ends_of_a_range_are_within_it),
        TEST(an_address_is_one_before_anything_is_made),
        TEST(a_running_service_takes_over_only_what_can_change),
        TEST(the_sample_configuration_says_the_defaults),
        TEST(the_nearest_command_is_suggested_when_one_is_near),
        TEST(names_in_a_path_cannot_leave_their_place),
        TEST(a_problem_document_becomes_a_sentence_and_its_faults),
        TEST(a_reply_that_is_no_problem_document_is_still_an_error),
        TEST(values_are_shown_without_quotes_braces_and_control_characters),
        TEST(a_diff_names_each_value_that_changed),
        TEST(a_bundle_keeps_its_checksum_on_its_way),
        TEST(files_that_are_not_text_travel_in_base_64),
        TEST(the_files_inside_the_program_are_those_of_the_tree),
        TEST(a_control_file_counts_only_for_the_process_that_has_the_folder),
        TEST(a_missing_folder_is_made_only_by_commands_that_write),
        TEST(a_folder_that_may_not_be_read_is_not_called_none),
        TEST(a_folder_answers_in_process_as_a_service_would),
        TEST(a_url_needs_http_and_a_key_that_fits_into_a_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
