/* test_commands.c - the command line, with and without a running service: the same
 * answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/certificate.h"
#include "support/folder.h"
#include "support/server.h"

#include <jansson.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    unsetenv("REDRESS_URL");
    unsetenv("REDRESS_DATA");
    folder = folder_temporary();
    return folder && demo_make(folder) ? 0 : -1;
}

static int forget_folder(void **state)
{
    (void)state;
    free(folder);
    return 0;
}

/* Run with "--data folder" behind the words, which end with NULL. */
static int run(const char *const *words, const char *input, char **output)
{
    const char *arguments[24];
    int count = 0;

    while (words[count])
        arguments[count] = words[count], count++;
    arguments[count++] = "--data";
    arguments[count++] = folder;
    arguments[count] = NULL;
    return program_run(arguments, input, output);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect_code(int code, const char *const *words)
{
    char *output = NULL;

    assert_int_equal(run(words, NULL, &output), code);
    free(output);
}

static json_t *json_from(const char *const *words)
{
    char *output = NULL;
    json_t *root;

    assert_int_equal(run(words, NULL, &output), 0);
    root = json_loads(output, JSON_DECODE_ANY, NULL);
    free(output);
    assert_non_null(root);
    return root;
}

static char *decide_with_key(const char *key)
{
    json_t *asked = demo_case(folder);
    char *input = json_dumps(asked, JSON_COMPACT), *output = NULL;

    assert_int_equal(
        run(WORDS("decide", "--idempotency-key", key, "--json"), input, &output), 0);
    free(input);
    json_decref(asked);
    return output;
}

static void the_same_key_gives_the_same_bytes_whoever_carries_it(void **state)
{
    struct live_server server;
    char *first = decide_with_key("once"), *again;
    json_t *decision = json_loads(first, 0, NULL);

    (void)state;
    assert_string_equal(json_string_value(json_object_get(decision, "outcome")),
                        "credit");
    assert_true(json_integer_value(json_object_get(decision, "amount")) > 0);
    json_decref(decision);
    for (int i = 0; i < 2; i++) {
        assert_true(live_server_start(folder, NULL, &server));
        again = decide_with_key("once");
        assert_string_equal(again, first);
        free(again);
        if (i == 0)
            live_server_kill(&server);
        else
            assert_int_equal(live_server_stop(&server), 0);
        again = decide_with_key("once");
        assert_string_equal(again, first);
        free(again);
    }
    free(first);
}

static void expect_difference(const char *other, const char *pointer, int before,
                              int after)
{
    json_t *root = json_from(WORDS("policy", "diff", "goodwill", other, "--json")),
           *entry = json_array_get(root, 0);

    assert_int_equal(json_array_size(root), 1);
    assert_string_equal(json_string_value(json_object_get(entry, "pointer")), pointer);
    assert_int_equal(json_integer_value(json_object_get(entry, "before")), before);
    assert_int_equal(json_integer_value(json_object_get(entry, "after")), after);
    json_decref(root);
}

static void a_difference_goes_from_what_was_to_what_is_or_would_be(void **state)
{
    static const char document[] = "{\"currency\": \"USD\", \"model\": \"credit_uplift\","
                                   " \"menu\": {\"amounts\": [%d]}}";
    char text[200], path[512], *output = NULL;
    FILE *file;

    (void)state;
    snprintf(path, sizeof path, "%s/policy.json", folder);
    for (int amount = 500; amount <= 600; amount += 100) {
        snprintf(text, sizeof text, document, amount);
        assert_int_equal(run(WORDS("policy", "set", "goodwill", "-"), text, &output), 0);
        free(output);
    }
    expect_difference("@2", "/menu/amounts/0", 500, 600);
    file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, document, 700);
    assert_int_equal(fclose(file), 0);
    expect_difference(path, "/menu/amounts/0", 600, 700);
    assert_int_equal(run(WORDS("policy", "diff", "goodwill", "@2"), NULL, &output), 0);
    assert_string_equal(output, "--- goodwill@2\n+++ goodwill@3 (in force)\n"
                                "  /menu/amounts/0: 500 -> 600\n");
    free(output);
}

static void a_policy_whose_model_nobody_knows_is_warned_of(void **state)
{
    char *output = NULL;
    json_t *reply;

    (void)state;
    assert_int_equal(run(WORDS("policy", "set", "goodwill", "-", "--json"),
                         "{\"currency\": \"USD\", \"model\": \"no_such_model\","
                         " \"menu\": {\"amounts\": [500]}}",
                         &output),
                     0);
    reply = json_loads(output, 0, NULL);
    assert_string_equal(
        json_string_value(json_object_get(
            json_array_get(json_object_get(reply, "warnings"), 0), "code")),
        "model_without_champion");
    json_decref(reply);
    free(output);
}

static void a_wrong_address_is_refused_before_a_folder_is_made(void **state)
{
    static const char *const commands[] = {"serve", "demo"};
    char path[512];

    (void)state;
    snprintf(path, sizeof path, "%s/new", folder);
    for (int i = 0; i < 2; i++) {
        char *output = NULL;

        assert_int_equal(
            program_run(WORDS(commands[i], "--listen", "nowhere", "--data", path), NULL,
                        &output),
            2);
        assert_int_equal(access(path, F_OK), -1);
        free(output);
    }
}

static void change_everything(void)
{
    char *output = NULL;
    json_t *root;

    expect_code(0, WORDS("budget", "set", "bud_x", "--limit", "900", "--currency", "USD",
                         "--period", "day", "--scope", "market=eu,issue=quality"));
    expect_code(0,
                WORDS("budget", "adjust", "bud_x", "--amount", "-300", "--reason", "r"));
    expect_code(0, WORDS("budget", "set", "bud_x", "--pacing", "even"));
    expect_code(1,
                WORDS("budget", "set", "bud_x", "--limit", "1", "--if-match", "\"1\""));
    /* A shell takes quotes away. */
    expect_code(1, WORDS("budget", "set", "bud_x", "--limit", "1", "--if-match", "1"));
    expect_code(0, WORDS("budget", "set", "bud_x", "--limit", "600", "--if-match", "3"));
    root = json_from(WORDS("budget", "show", "bud_x", "--json"));
    assert_int_equal(json_integer_value(json_object_get(root, "limit")), 600);
    json_decref(root);
    expect_code(0, WORDS("budget", "delete", "bud_x"));
    expect_code(1, WORDS("budget", "show", "bud_x"));

    expect_code(0, WORDS("policy", "set", "goodwill", "config/demo-policy.json"));
    root = json_from(WORDS("policy", "diff", "goodwill", "config/policy.json", "--json"));
    assert_true(json_array_size(root) > 0);
    json_decref(root);
    expect_code(0, WORDS("policy", "rollback", "goodwill", "--revision", "1", "--reason",
                         "back"));
    root = json_from(WORDS("policy", "diff", "goodwill", "@1", "--json"));
    assert_int_equal(json_array_size(root), 0);
    json_decref(root);

    expect_code(0, WORDS("model", "push", "credit_linear", "models/credit_linear"));
    expect_code(0, WORDS("model", "promote", "credit_linear@1", "--reason", "again"));
    expect_code(1, WORDS("model", "promote", "credit_linear@9", "--reason", "none"));
    expect_code(1, WORDS("model", "push", "x", "models/credit_uplift/credit_500.json"));
    expect_code(2, WORDS("model", "promote", "credit_linear", "--reason", "r"));

    /* Back to the version before. */
    expect_code(0, WORDS("model", "push", "back", "models/credit_linear"));
    expect_code(0, WORDS("model", "promote", "back@1", "--reason", "first"));
    expect_code(1, WORDS("model", "rollback", "back", "--reason", "nowhere"));
    expect_code(0, WORDS("model", "push", "back", "models/credit_uplift"));
    expect_code(0, WORDS("model", "promote", "back@2", "--reason", "second"));
    expect_code(0, WORDS("model", "push", "back", "models/credit_linear"));
    expect_code(0, WORDS("model", "promote", "back@3", "--reason", "third"));
    expect_code(0, WORDS("model", "rollback", "back", "--reason", "worse"));
    root = json_from(WORDS("model", "history", "back", "--json"));
    assert_int_equal(json_integer_value(json_object_get(
                         json_array_get(json_object_get(root, "data"), 0), "version")),
                     2);
    json_decref(root);

    assert_int_equal(
        run(WORDS("key", "create", "--name", "n", "--scope", "read"), NULL, &output), 0);
    assert_int_equal(strncmp(output, "key_", 4), 0);
    output[strcspn(output, ".")] = '\0';
    expect_code(0, WORDS("key", "revoke", output));
    free(output);
    expect_code(1, WORDS("key", "create", "--name", "n", "--scope", "everything"));
    expect_code(2, WORDS("key", "create", "--name", "n", "--scope", "decide,,read"));
    expect_code(2, WORDS("key", "create", "--name", "n", "--scope", "decide,"));
    expect_code(2, WORDS("key", "create", "--name", "n", "--scope", ",decide"));
    expect_code(2, WORDS("key", "create", "--name", "n", "--scope", ""));
    expect_code(0, WORDS("key", "create", "--name", "n", "--scope", "decide, read"));
    free(decide_with_key("one"));
    expect_code(0, WORDS("replay", "--all"));
    expect_code(0, WORDS("db", "check"));
}

static void every_command_works_without_a_service(void **state)
{
    (void)state;
    change_everything();
}

static void every_command_works_beside_a_service(void **state)
{
    struct live_server server;
    char path[512];
    struct stat info;

    (void)state;
    assert_true(live_server_start(folder, NULL, &server));
    snprintf(path, sizeof path, "%s/control.json", folder);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    change_everything();
    expect_code(1, WORDS("serve", "--listen", "127.0.0.1:0"));
    expect_code(1, WORDS("db", "migrate"));
    assert_int_equal(live_server_stop(&server), 0);
    assert_int_not_equal(stat(path, &info), 0);
}

static void a_url_and_a_key_reach_a_service_from_anywhere(void **state)
{
    struct live_server server;
    char *authorization = demo_authorization(folder, "support"), url[128], *output = NULL;

    (void)state;
    assert_true(live_server_start(folder, NULL, &server));
    snprintf(url, sizeof url, "http://%s/", server.listen);
    assert_int_equal(setenv("REDRESS_KEY", authorization + strlen("Bearer "), 1), 0);
    assert_int_equal(program_run(WORDS("budget", "list", "--url", url), NULL, &output),
                     0);
    assert_non_null(strstr(output, "bud_all"));
    free(output);
    assert_int_equal(program_run(WORDS("key", "list", "--url", url), NULL, NULL), 1);
    assert_int_equal(setenv("REDRESS_KEY", "key_x.y", 1), 0);
    assert_int_equal(program_run(WORDS("budget", "list", "--url", url), NULL, NULL), 1);
    assert_int_equal(unsetenv("REDRESS_KEY"), 0);
    assert_int_equal(live_server_stop(&server), 0);
    free(authorization);
}

static void a_folder_is_filled_only_when_it_is_empty(void **state)
{
    (void)state;
    assert_int_equal(program_run(WORDS("demo", "--data", folder), NULL, NULL), 1);
    assert_int_equal(program_run(WORDS("demo"), NULL, NULL), 2);
    free(decide_with_key("still"));
}

static void a_service_on_an_empty_folder_starts_and_lets_its_commands_in(void **state)
{
    char *parent = folder_temporary();
    struct live_server server;
    json_t *list;

    (void)state;
    free(folder);
    folder = parent;
    assert_true(live_server_start(folder, NULL, &server));
    list = json_from(WORDS("budget", "list", "--json"));
    assert_int_equal(json_array_size(json_object_get(list, "data")), 0);
    json_decref(list);
    expect_code(0, WORDS("key", "create", "--name", "first", "--scope", "admin"));
    /* SIGHUP is no end. */
    assert_int_equal(kill(server.pid, SIGHUP), 0);
    expect_code(0, WORDS("policy", "list"));
    assert_int_equal(live_server_stop(&server), 0);
}

/* --- a service that is hard to reach ------------------------------------------------------------ */

static void expect_message(const char *const *words, int code, const char *first,
                           const char *second)
{
    char *output, *messages;

    assert_int_equal(program_run_messages(words, NULL, &output, &messages), code);
    if (!strstr(messages, first) || !strstr(messages, second))
        fail_msg("'%s' does not say '%s' and '%s'", messages, first, second);
    free(output);
    free(messages);
}

static void a_lost_control_file_is_written_again(void **state)
{
    struct live_server server;
    char path[512], advice[64];

    (void)state;
    assert_true(live_server_start(folder, NULL, &server));
    snprintf(path, sizeof path, "%s/control.json", folder);
    assert_int_equal(unlink(path), 0);
    snprintf(advice, sizeof advice, "'kill -HUP %d' writes it again", (int)server.pid);
    expect_message(WORDS("policy", "list", "--data", folder), 1, "control.json", advice);
    assert_int_equal(kill(server.pid, SIGHUP), 0);
    expect_code(0, WORDS("policy", "list"));
    assert_int_equal(live_server_stop(&server), 0);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void plain_http_to_tls_is_answered_with_a_question(void **state)
{
    char certificate[512], key[512], url[160];
    const char *const extra[] = {"--tls-cert", certificate, "--tls-key", key, NULL};
    struct live_server server;

    (void)state;
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    assert_true(certificate_make_valid(certificate, key));
    assert_true(live_server_start(folder, extra, &server));
    snprintf(url, sizeof url, "http://%s", server.listen);
    assert_int_equal(setenv("REDRESS_KEY", "key_x.y", 1), 0);
    expect_message(WORDS("budget", "list", "--url", url), 1, url, "does it speak https?");
    assert_int_equal(unsetenv("REDRESS_KEY"), 0);
    assert_int_equal(live_server_stop(&server), 0);
}

/* What a command says on a terminal within wait_ms; then it is ended. */
static void listen_to_terminal(const char *const *words, int wait_ms, char *said,
                               size_t bytes)
{
    char *arguments[8] = {(char *)(uintptr_t)program_path()};
    struct pollfd terminal = {.events = POLLIN};
    size_t count = 0;
    pid_t child;

    for (int i = 0; words[i]; i++)
        arguments[i + 1] = (char *)(uintptr_t)words[i];
    child = forkpty(&terminal.fd, NULL, NULL, NULL);
    assert_true(child >= 0);
    if (child == 0) {
        execv(arguments[0], arguments);
        _exit(127);
    }
    while (count + 1 < bytes && poll(&terminal, 1, wait_ms) > 0) {
        ssize_t more = read(terminal.fd, said + count, bytes - 1 - count);

        if (more <= 0)
            break;
        count += (size_t)more;
        if (memchr(said, '\n', count))
            break;
    }
    said[count] = 0;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(terminal.fd);
}

static void a_service_that_stands_still_is_told_of(void **state)
{
    struct live_server server;
    char said[512], wanted[64];

    (void)state;
    assert_true(live_server_start(folder, NULL, &server));
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    listen_to_terminal(WORDS("budget", "list", "--data", folder), 10000, said,
                       sizeof said);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    snprintf(wanted, sizeof wanted, "process %d has not answered yet", (int)server.pid);
    if (!strstr(said, wanted) || !strstr(said, "120 s"))
        fail_msg("'%s' does not say '%s'", said, wanted);
    assert_int_equal(live_server_stop(&server), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, forget_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_difference_goes_from_what_was_to_what_is_or_would_be),
        TEST(a_policy_whose_model_nobody_knows_is_warned_of),
        TEST(a_wrong_address_is_refused_before_a_folder_is_made),
        TEST(the_same_key_gives_the_same_bytes_whoever_carries_it),
        TEST(every_command_works_without_a_service),
        TEST(every_command_works_beside_a_service),
        TEST(a_url_and_a_key_reach_a_service_from_anywhere),
        TEST(a_folder_is_filled_only_when_it_is_empty),
        TEST(a_service_on_an_empty_folder_starts_and_lets_its_commands_in),
        TEST(a_lost_control_file_is_written_again),
        TEST(plain_http_to_tls_is_answered_with_a_question),
        TEST(a_service_that_stands_still_is_told_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
