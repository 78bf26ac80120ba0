/* test_serve_check.c - what "serve --check" refuses is what a start refuses, in the same words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/certificate.h"
#include "support/folder.h"
#include "support/server.h"

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

/* What a service says that does not start, without the lines of its log; "" when it does. */
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_says_of_a_socket_what_a_start_says),
    };

    return cmocka_run_group_tests(tests, make_folder, forget_folder);
}
