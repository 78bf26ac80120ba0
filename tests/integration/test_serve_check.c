/* test_serve_check.c - what "serve --check" refuses is what a start refuses, in the same
 * words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/certificate.h"
#include "support/folder.h"
#include "support/server.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512, LINE_BYTES = 1024 };

static char *folder;
static char certificate[PATH_BYTES], key[PATH_BYTES];

static int make_folder(void **state)
{
    (void)state;
    folder = folder_temporary();
    if (!folder)
        return -1;
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    return certificate_make_valid(certificate, key) ? 0 : -1;
}

static int forget_folder(void **state)
{
    (void)state;
    free(folder);
    return 0;
}

/* What a service says that does not start, without the lines of its log; "" when it
 * does. */
static void say_why_not(const char *const *options, bool is_check,
                        char words[static LINE_BYTES])
{
    const char *arguments[16] = {"serve"};
    char *output, *messages;
    int count = 1, code;

    while (*options && count < 14)
        arguments[count++] = *options++;
    arguments[count] = is_check ? "--check" : NULL;
    code = program_run_messages(arguments, NULL, &output, &messages);
    const char *said = strstr(messages, "redress: ");

    snprintf(words, LINE_BYTES, "%s", code != 0 && said ? said : "");
    free(output);
    free(messages);
}

static void assert_check_says(const char *const *options, const char *words)
{
    char looked[LINE_BYTES], started[LINE_BYTES];

    say_why_not(options, true, looked);
    say_why_not(options, false, started);
    assert_string_equal(looked, started);
    if (!strstr(looked, words))
        fail_msg("'%s' does not say '%s'", looked, words);
}

static void a_check_says_of_a_socket_what_a_start_says(void **state)
{
    char none[PATH_BYTES], address[128], away[128], taken[128], path[160];
    const char *const health[] = {"--data", none, "--listen", taken, NULL};
    const char *const nowhere[] = {"--data", none, "--listen", away, NULL};
    const char *const lock[] = {"--data", none, "--listen", address, NULL};
    const char *const tls[] = {"--data",    none,         "--listen",
                               address,     "--tls-cert", certificate,
                               "--tls-key", key,          NULL};
    const char *const few[] = {
        "--data", none,        "--listen", address, "--connections",
        "3",      "--threads", "4",        NULL};

    (void)state;
    unsetenv("REDRESS_HEALTH_LISTEN"); /* of the tests; each start sets it */
    snprintf(none, sizeof none, "%s/never", folder);
    snprintf(address, sizeof address, "unix:%s/one.sock", folder);
    snprintf(taken, sizeof taken, "unix:%s/two.sock", folder);
    snprintf(away, sizeof away, "unix:%s/away/x.sock", folder);
    assert_check_says(tls, "needs no TLS");
    assert_check_says(few, "4 threads needs as many connections");
    assert_int_not_equal(access(none, F_OK), 0);
    snprintf(path, sizeof path, "%s.health", taken + 5);
    assert_int_equal(file_write(path, "", 0, 0600, NULL), STATUS_OK);
    assert_check_says(health, "something that is no socket lies there");
    assert_check_says(nowhere, "No such file or directory");
    snprintf(path, sizeof path, "%s.lock", address + 5);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_check_says(lock, "Is a directory");
    /* Whoever refuses a place has made nothing. */
    assert_int_not_equal(access(none, F_OK), 0);
}

/* A key that no client of today accepts, and what to do. */
static void a_weak_key_is_refused_before_anything_is_made(void **state)
{
    char none[PATH_BYTES], weak[PATH_BYTES], of_it[PATH_BYTES];
    const char *const options[] = {"--data",      none,         "--listen",
                                   "127.0.0.1:0", "--tls-cert", weak,
                                   "--tls-key",   of_it,        NULL};

    (void)state;
    snprintf(none, sizeof none, "%s/never", folder);
    snprintf(weak, sizeof weak, "%s/weak.pem", folder);
    snprintf(of_it, sizeof of_it, "%s/weak.key", folder);
    assert_true(certificate_make_with(weak, of_it, GNUTLS_PK_RSA, 512));
    assert_check_says(options, "weak.pem' has an RSA key of 512 bits");
    assert_int_not_equal(access(none, F_OK), 0);
}

/* --- what it prints ----------------------------------------------------------------------------- */

static char *look(const char *data, const char *more, int code)
{
    const char *const arguments[] = {"serve",    "--check",     "--data",     data,
                                     "--listen", "127.0.0.1:0", "--drain-ms", "70",
                                     more,       NULL};
    char *output;

    assert_int_equal(program_run(arguments, NULL, &output), code);
    return output;
}

static json_t *look_json(const char *data, int code)
{
    char *output = look(data, "--json", code);
    json_t *root = json_loads(output, 0, NULL);

    assert_non_null(root);
    free(output);
    return root;
}

static const char *text_in(const json_t *root, const char *object, const char *name)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(root, object), name));

    return text ? text : "";
}

static void json_says_where_settings_come_from_and_what_becomes_of_the_folder(
    void **state)
{
    char place[PATH_BYTES];
    json_t *root;

    (void)state;
    snprintf(place, sizeof place, "%s/never", folder);
    root = look_json(place, 0);
    assert_string_equal(json_string_value(json_object_get(root, "data")), place);
    assert_int_equal(json_integer_value(json_object_get(root, "drain_ms")), 70);
    assert_string_equal(text_in(root, "sources", "drain_ms"), "option");
    assert_string_equal(text_in(root, "sources", "queue"), "default");
    assert_string_equal(json_string_value(json_object_get(root, "data_folder")),
                        "would be made");
    json_decref(root);

    snprintf(place, sizeof place, "%s/demo", folder);
    assert_true(demo_make(place));
    root = look_json(place, 0);
    assert_string_equal(json_string_value(json_object_get(root, "data_folder")),
                        "would open");
    json_decref(root);

    /* What was refused is not said to open. */
    snprintf(place, sizeof place, "%s/demo/redress.db", folder);
    assert_int_equal(file_write(place, "no database at all", 18, 0600, NULL), STATUS_OK);
    snprintf(place, sizeof place, "%s/demo", folder);
    root = look_json(place, 1);
    assert_true(json_is_null(json_object_get(root, "data_folder")));
    json_decref(root);
}

static void values_stand_in_a_column_that_is_wide_enough(void **state)
{
    char place[PATH_BYTES], *output;
    size_t column = strlen("request_memory_per_key_percent") + 1;

    (void)state;
    snprintf(place, sizeof place, "%s/never", folder);
    output = look(place, NULL, 0);
    assert_non_null(strstr(output, "data folder"));
    for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(strlen(line) > column);
        if (line[column - 1] != ' ' || (line[column] == ' ' && !strstr(line, "tls_")))
            fail_msg("%s", line);
    }
    free(output);
}

static void json_without_check_starts_nothing(void **state)
{
    char place[PATH_BYTES], *output, *messages;
    const char *const arguments[] = {"serve",    "--json",          "--data", place,
                                     "--listen", "nowhere-to-bind", NULL};

    (void)state;
    snprintf(place, sizeof place, "%s/never", folder);
    assert_int_equal(program_run_messages(arguments, NULL, &output, &messages), 2);
    if (!strstr(messages, "--json needs --check"))
        fail_msg("%s", messages);
    free(output);
    free(messages);
}

/* --connections 1 is within its range, and refused with two threads. */
static void help_says_what_connections_go_with(void **state)
{
    const char *const arguments[] = {"serve", "--help", NULL};
    char *output;

    (void)state;
    assert_int_equal(program_run(arguments, NULL, &output), 0);
    assert_non_null(strstr(output, "no fewer than threads"));
    free(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_says_of_a_socket_what_a_start_says),
        cmocka_unit_test(a_weak_key_is_refused_before_anything_is_made),
        cmocka_unit_test(
            json_says_where_settings_come_from_and_what_becomes_of_the_folder),
        cmocka_unit_test(values_stand_in_a_column_that_is_wide_enough),
        cmocka_unit_test(json_without_check_starts_nothing),
        cmocka_unit_test(help_says_what_connections_go_with),
    };

    return cmocka_run_group_tests(tests, make_folder, forget_folder);
}
