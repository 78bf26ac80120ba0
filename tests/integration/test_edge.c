/* test_edge.c - the real program towards others: TLS and sockets in the file system with
 * the command line as the client, limits, too few descriptors, and no secret where
 * anybody could see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/certificate.h"
#include "support/folder.h"
#include "support/live_call.h"
#include "support/http_client.h"
#include "support/server.h"
#include "support/wire.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 512, LOG_BYTES_MAX = 16 << 20, SECRET_COUNT_MAX = 16 };

static char *folder;
static char certificate[PATH_BYTES], key[PATH_BYTES], serve_log[PATH_BYTES];

static int make_world(void **state)
{
    (void)state;
    folder = folder_temporary();
    if (!folder || !demo_make(folder))
        return -1;
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(serve_log, sizeof serve_log, "%s/serve.log", folder);
    return certificate_make_valid(certificate, key) ? 0 : -1;
}

static int forget_world(void **state)
{
    (void)state;
    free(folder);
    return 0;
}

static void start(struct live_server *server, const char *const *extra)
{
    if (!live_server_start(folder, extra, server))
        fail_msg("the server does not start");
}

static void stop(struct live_server *server)
{
    assert_int_equal(live_server_stop(server), 0);
}

/* Not inlined: gcc 12 then takes the text for a variable of this function. */
static __attribute__((noinline)) char *text_of_file(const char *path)
{
    char *content = NULL;
    size_t bytes;

    assert_int_equal(file_read(path, LOG_BYTES_MAX, &content, &bytes, NULL), STATUS_OK);
    return content;
}

/* Whether the log comes to have that word within a minute. */
static bool is_logged(const char *word)
{
    for (int i = 0; i < 3000; i++) {
        char *content = text_of_file(serve_log);
        bool is_there = strstr(content, word);

        free(content);
        if (is_there)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return false;
}

/* "redress budget list" by that way. */
static int list_budgets(const char *option, const char *value, const char *ca,
                        char **messages)
{
    const char *arguments[] = {"budget", "list",           option, value,
                               "--ca",   ca ? ca : "none", NULL};
    char *output, *said;
    int code;

    if (!ca)
        arguments[4] = NULL;
    code = program_run_messages(arguments, NULL, &output, &said);
    if (code == 0)
        assert_non_null(strstr(output, "bud_"));
    free(output);
    if (messages)
        *messages = said;
    else
        free(said);
    return code;
}

static void use_key_of(const char *role)
{
    char *authorization = demo_authorization(folder, role);

    assert_non_null(authorization);
    setenv("REDRESS_KEY", authorization + strlen("Bearer "), 1);
    free(authorization);
}

/* --- TLS ------------------------------------------------------------------------------------------ */

static void commands_ask_over_tls_and_trust_nobody_else(void **state)
{
    const char *const extra[] = {"--tls-cert", certificate, "--tls-key", key, NULL};
    char other[PATH_BYTES], other_key[PATH_BYTES], url[PATH_BYTES], *messages;
    struct live_server server;

    (void)state;
    start(&server, extra);
    snprintf(url, sizeof url, "https://%s/", server.listen);
    snprintf(other, sizeof other, "%s/other.pem", folder);
    snprintf(other_key, sizeof other_key, "%s/other.key", folder);
    assert_true(certificate_make_valid(other, other_key));
    use_key_of("admin");
    assert_int_equal(list_budgets("--data", folder, NULL, NULL), 0);
    assert_int_equal(list_budgets("--url", url, certificate, NULL), 0);
    assert_int_equal(list_budgets("--url", url, other, &messages), 1);
    assert_non_null(strstr(messages, "certificate"));
    free(messages);
    assert_int_equal(list_budgets("--url", url, NULL, NULL), 1);
    assert_int_equal(list_budgets("--url", url, "/no/such/file.pem", &messages), 1);
    assert_non_null(strstr(messages, "/no/such/file.pem"));
    free(messages);
    stop(&server);
}

static void a_renewed_certificate_comes_into_force_and_a_wrong_one_does_not(void **state)
{
    const char *const extra[] = {"--tls-cert", certificate, "--tls-key", key, NULL};
    struct live_server server;
    char url[PATH_BYTES];

    (void)state;
    start(&server, extra);
    snprintf(url, sizeof url, "https://%s", server.listen);
    use_key_of("admin");
    unlink(serve_log);
    stop(&server);
    start(&server, extra);
    snprintf(url, sizeof url, "https://%s", server.listen);
    assert_int_equal(file_write(certificate, "no", 2, 0600, NULL), STATUS_OK);
    kill(server.pid, SIGHUP);
    assert_true(is_logged("tls_refused"));
    assert_int_equal(list_budgets("--data", folder, NULL, NULL), 0);

    assert_true(certificate_make_valid(certificate, key));
    assert_int_equal(list_budgets("--url", url, certificate, NULL), 1);
    kill(server.pid, SIGHUP);
    for (int i = 0; i < 3000 && list_budgets("--url", url, certificate, NULL) != 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    assert_int_equal(list_budgets("--url", url, certificate, NULL), 0);
    assert_int_equal(list_budgets("--data", folder, NULL, NULL), 0);
    stop(&server);
}

static void wrong_files_are_refused_before_a_folder_is_made(void **state)
{
    char none[PATH_BYTES], open_key[PATH_BYTES], *messages, *output;
    const struct {
        const char *certificate, *key, *words;
    } rows[] = {
        {certificate, certificate, "holds no private key"},
        {key, key, "holds no certificate"},
        {certificate, open_key, "is open to others"},
        {certificate, "", "need each other"},
    };

    (void)state;
    snprintf(none, sizeof none, "%s/none", folder);
    snprintf(open_key, sizeof open_key, "%s/open.key", folder);
    char *pem = text_of_file(key);
    assert_int_equal(file_write(open_key, pem, strlen(pem), 0604, NULL), STATUS_OK);
    assert_int_equal(chmod(open_key, 0604), 0);
    free(pem);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int is_check = 0; is_check < 2; is_check++) {
            const char *arguments[] = {"serve",
                                       "--data",
                                       none,
                                       "--listen",
                                       "127.0.0.1:0",
                                       "--tls-cert",
                                       rows[i].certificate,
                                       "--tls-key",
                                       rows[i].key,
                                       is_check ? "--check" : NULL,
                                       NULL};

            assert_int_equal(program_run_messages(arguments, NULL, &output, &messages),
                             1);
            if (!strstr(messages, rows[i].words))
                fail_msg("'%s' does not say '%s'", messages, rows[i].words);
            free(output);
            free(messages);
            assert_int_not_equal(access(none, F_OK), 0);
        }
}

/* --- sockets in the file system ------------------------------------------------------------------- */

static void commands_ask_over_a_socket_that_goes_with_the_service(void **state)
{
    char path[100], address[120], health[120];
    const char *const extra[] = {"--listen", address, "--health-listen", health, NULL};
    struct live_server server;

    (void)state;
    snprintf(path, sizeof path, "%s/redress.sock", folder);
    snprintf(address, sizeof address, "unix:%s", path);
    snprintf(health, sizeof health, "unix:%s.health", path);
    use_key_of("admin");
    for (int round = 0; round < 2; round++) {
        start(&server, extra);
        assert_string_equal(server.listen, address);
        assert_string_equal(server.health_listen, health);
        assert_int_equal(list_budgets("--data", folder, NULL, NULL), 0);
        assert_int_equal(list_budgets("--url", address, NULL, NULL), 0);
        if (round == 0) {
            live_server_kill(&server);
            assert_int_equal(access(path, F_OK), 0);
        }
    }
    stop(&server);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(health + 5, F_OK), 0);
}

/* sockaddr_un has room for 107 bytes. */
static void a_path_without_room_for_health_is_named_as_it_was_written(void **state)
{
    char address[128], health[128], none[PATH_BYTES], *output, *messages;
    const char *const arguments[] = {"serve",           "--data", none,
                                     "--listen",        address,  "--check",
                                     "--health-listen", health,   NULL};
    const char *alone[6 + 1];

    (void)state;
    snprintf(none, sizeof none, "%s/none", folder);
    snprintf(address, sizeof address, "unix:/tmp/%0102d", 0);
    snprintf(health, sizeof health, "unix:%s/h", folder);
    memcpy(alone, arguments, sizeof alone);
    alone[6] = NULL;
    unsetenv("REDRESS_HEALTH_LISTEN"); /* of the tests; each start sets it */
    assert_int_equal(program_run_messages(alone, NULL, &output, &messages), 1);
    if (!strstr(messages, address) || strstr(messages, "0.health") ||
        !strstr(messages, "say health_listen"))
        fail_msg("'%s' does not name the address", messages);
    free(output);
    free(messages);
    assert_int_equal(program_run_messages(arguments, NULL, &output, &messages), 0);
    free(output);
    free(messages);
}

/* --- limits --------------------------------------------------------------------------------------- */

static int get_budgets(struct http_client *client, const char *authorization,
                       int *retry_after_s)
{
    const struct http_header headers[] = {{"Authorization", authorization}, {0}};
    struct http_response response;
    const char *wait;
    int status;

    if (!http_call(client, "GET", "/v1/budgets", headers, NULL, 0, &response))
        fail_msg("%s", http_client_trouble(client));
    wait = http_response_header(&response, "Retry-After");
    *retry_after_s = wait ? atoi(wait) : 0;
    status = response.status;
    http_response_free(&response);
    return status;
}

static void a_key_that_asks_too_often_hears_429_and_others_do_not(void **state)
{
    const char *const extra[] = {"--rate-limit-per-s", "2", "--rate-limit-burst", "4",
                                 NULL};
    char *admin = demo_authorization(folder, "admin"),
         *audit = demo_authorization(folder, "audit");
    struct live_server server;
    struct http_client *client;
    int wait_s, asked_count = 0, refused_count = 0;

    (void)state;
    start(&server, extra);
    client = http_client_open(server.listen);
    /* More often than twice a second, sooner or later, however busy the machine is. */
    for (; asked_count < 20 || (refused_count == 0 && asked_count < 2000);
         asked_count++) {
        int status = get_budgets(client, admin, &wait_s);

        assert_true(status == 200 || status == 429);
        assert_int_equal(wait_s, status == 429);
        refused_count += status == 429;
    }
    assert_true(refused_count > 0 && refused_count <= asked_count - 4);
    assert_int_equal(get_budgets(client, audit, &wait_s), 200);
    for (int i = 0; i < 8; i++)
        assert_int_equal(list_budgets("--data", folder, NULL, NULL), 0);
    sleep(1);
    assert_int_equal(get_budgets(client, admin, &wait_s), 200);
    http_client_close(client);
    free(admin);
    free(audit);
    stop(&server);
}

/* --- heads ---------------------------------------------------------------------------------------- */

/* A client that keeps the connection would take what follows for the beginning of the
 * next answer. */
static void nothing_follows_the_head_of_an_export(void **state)
{
    static const char *const targets[] = {
        "/v1/exports/decisions",
        "/v1/exports/ledger?format=csv",
        "/v1/exports/audit",
    };
    char *audit = demo_authorization(folder, "audit"), answer[4096], *end;
    struct live_server server;

    (void)state;
    start(&server, NULL);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct wire *wire = wire_open(server.listen, false, 20000);
        char words[512];
        size_t count;

        assert_non_null(wire);
        snprintf(words, sizeof words,
                 "HEAD %s HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n\r\n", targets[i],
                 audit);
        assert_true(wire_send(wire, words, strlen(words)));
        assert_int_equal(wire_receive(wire, answer, sizeof answer, &count), WIRE_CLOSED);
        assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
        assert_non_null(strstr(answer, "Connection: close"));
        end = strstr(answer, "\r\n\r\n");
        assert_non_null(end);
        assert_string_equal(end, "\r\n\r\n");
        wire_close(wire, false);
    }
    free(audit);
    stop(&server);
}

/* --- a log that nobody reads ------------------------------------------------------------------- */

enum { STALLED_PIPE_BYTES = 4096, STALLED_REQUEST_COUNT = 4000 };

/* A service that says what it does to a pipe; read until it tells where it listens. */
static pid_t start_with_pipe(int *reader, char listen[static 128])
{
    const char *const arguments[] = {
        "serve",           "--data",      folder,        "--listen", "127.0.0.1:0",
        "--health-listen", "127.0.0.1:0", "--log-level", "debug",    NULL};
    static const char word[] = "\"server_started\",\"listen\":\"";
    char said[STALLED_PIPE_BYTES];
    const char *at = NULL;
    size_t bytes = 0;
    int ends[2];
    pid_t child;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[0], F_SETPIPE_SZ, STALLED_PIPE_BYTES) > 0);
    child = program_start_saying(arguments, ends[1]);
    close(ends[1]);
    while (!at || !strchr(at + strlen(word), '"')) {
        ssize_t some = read(ends[0], said + bytes, sizeof said - 1 - bytes);

        if (some <= 0)
            fail_msg("not started: %.*s", (int)bytes, said);
        bytes += (size_t)some;
        said[bytes] = '\0';
        at = strstr(said, word);
    }
    at += strlen(word);
    snprintf(listen, 128, "%.*s", (int)strcspn(at, "\""), at);
    *reader = ends[0];
    return child;
}

static void ask_for_lines(struct http_client *client, int count)
{
    for (int i = 0; i < count; i++) {
        struct http_response response;

        if (!http_call(client, "GET", "/nothing", NULL, NULL, 0, &response))
            fail_msg("no answer to request %d", i);
        assert_int_equal(response.status, 404);
        http_response_free(&response);
    }
}

static void decide_sample(struct http_client *client)
{
    char *authorization = demo_authorization(folder, "support");
    json_t *sample = demo_case(folder);
    char *body = json_dumps(sample, 0);
    const struct live_request request = {.method = "POST",
                                         .path = "/v1/decisions",
                                         .authorization = authorization,
                                         .key = "unread",
                                         .body = body};
    struct live_reply reply = live_ask(client, &request);

    assert_int_equal(reply.response.status, 201);
    live_reply_free(&reply);
    free(body);
    json_decref(sample);
    free(authorization);
}

static void a_log_that_nobody_reads_holds_up_nobody(void **state)
{
    struct http_client *client;
    char listen[128];
    pid_t child;
    int reader;

    (void)state;
    child = start_with_pipe(&reader, listen);
    client = http_client_open(listen);
    assert_non_null(client);
    ask_for_lines(client, STALLED_REQUEST_COUNT);
    decide_sample(client);
    http_client_close(client);
    assert_int_equal(program_end(child, SIGTERM), 0);
    close(reader);
}

static void too_few_descriptors_are_said_at_the_start(void **state)
{
    const char *const many[] = {
        "serve",       "--data",          folder,        "--listen",
        "127.0.0.1:0", "--health-listen", "127.0.0.1:0", "--connections",
        "4000",        "--check",         NULL};
    const char *starting[sizeof many / sizeof *many];
    const char *const few[] = {"--connections", "40", NULL};
    const struct rlimit low = {.rlim_cur = 64, .rlim_max = 512};
    struct rlimit usual;
    struct live_server server;
    char *output, *messages;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    memcpy(starting, many, sizeof many);
    starting[9] = NULL;
    for (int is_check = 0; is_check < 2; is_check++) {
        assert_int_equal(
            program_run_messages(is_check ? many : starting, NULL, &output, &messages),
            1);
        assert_non_null(strstr(messages, "the limit is 512"));
        free(output);
        free(messages);
    }
    start(&server, few);
    assert_true(is_logged("open_files_raised"));
    stop(&server);
    /* Root may raise it again; others go on with what is left. */
    (void)!setrlimit(RLIMIT_NOFILE, &usual);
}

/* --- secrets -------------------------------------------------------------------------------------- */

static char *secrets[SECRET_COUNT_MAX];
static int secret_count;

/* The part of "key_ID.SECRET" that nobody may see. */
static void remember_secret(const char *text)
{
    const char *dot = strchr(text, '.');

    assert_non_null(dot);
    assert_true(secret_count < SECRET_COUNT_MAX);
    secrets[secret_count] = strndup(dot + 1, 64);
    assert_int_equal(strlen(secrets[secret_count]), 64);
    secret_count++;
}

static void expect_no_secret(const char *path)
{
    char *content = NULL;
    size_t bytes;

    if (file_read(path, LOG_BYTES_MAX, &content, &bytes, NULL))
        fail_msg("cannot read %s", path);
    assert_true(bytes > 0);
    for (int i = 0; i < secret_count; i++)
        if (memmem(content, bytes, secrets[i], strlen(secrets[i])))
            fail_msg("%s holds a secret", path);
    free(content);
}

static void expect_private(const char *name)
{
    char path[PATH_BYTES];
    struct stat info;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0077, 0);
}

static void make_secret_requests(const struct live_server *server)
{
    static const char *const roles[] = {"support", "ops", "science", "audit", "admin"};
    const char *const create[] = {"key",     "create", "--data",    folder, "--name", "n",
                                  "--scope", "read",   "--expires", "1d",   NULL};
    struct http_client *client = http_client_open(server->listen);
    char *output, *wrong;
    int wait_s;

    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        char *authorization = demo_authorization(folder, roles[i]);

        remember_secret(authorization);
        (void)get_budgets(client, authorization, &wait_s);
        assert_true(asprintf(&wrong, "%s0", authorization) > 0);
        assert_int_equal(get_budgets(client, wrong, &wait_s), 401);
        free(wrong);
        free(authorization);
    }
    assert_int_equal(program_run(create, NULL, &output), 0);
    remember_secret(strstr(output, "key_"));
    free(output);
    http_client_close(client);
}

static void no_secret_of_a_run_can_be_read_by_others(void **state)
{
    const char *const extra[] = {"--log-level", "debug", "--tls-cert", "", NULL};
    char path[PATH_BYTES], control[PATH_BYTES];
    struct live_server server;

    (void)state;
    unsetenv("REDRESS_KEY");
    start(&server, extra);
    snprintf(control, sizeof control, "%s/control.json", folder);
    char *said = text_of_file(control);
    remember_secret(strstr(said, "cli."));
    free(said);
    make_secret_requests(&server);
    assert_int_equal(secret_count, 7);
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)server.pid);
    expect_no_secret(path);
    snprintf(path, sizeof path, "/proc/%d/environ", (int)server.pid);
    expect_no_secret(path);
    expect_private("control.json");
    expect_private("demo.json");
    expect_private("redress.db");
    stop(&server);
    expect_no_secret(serve_log);
    /* It is seen when it is there. */
    assert_true(is_logged("\"request\""));
    /* The database has hashes, no keys. */
    snprintf(path, sizeof path, "%s/redress.db", folder);
    expect_no_secret(path);
    for (int i = 0; i < secret_count; i++)
        free(secrets[i]);
}

static void a_key_has_no_option(void **state)
{
    static const char *const options[] = {"--key", "--api-key", "--token", "--secret",
                                          "--password"};

    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const char *const arguments[] = {"budget", "list", options[i], "key_1.2", NULL};
        char *output, *messages;

        /* --key is short for --key-file. */
        assert_int_equal(program_run_messages(arguments, NULL, &output, &messages),
                         i == 0 ? 1 : 2);
        free(output);
        free(messages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_ask_over_tls_and_trust_nobody_else),
        cmocka_unit_test(a_renewed_certificate_comes_into_force_and_a_wrong_one_does_not),
        cmocka_unit_test(wrong_files_are_refused_before_a_folder_is_made),
        cmocka_unit_test(commands_ask_over_a_socket_that_goes_with_the_service),
        cmocka_unit_test(a_path_without_room_for_health_is_named_as_it_was_written),
        cmocka_unit_test(a_key_that_asks_too_often_hears_429_and_others_do_not),
        cmocka_unit_test(nothing_follows_the_head_of_an_export),
        cmocka_unit_test(no_secret_of_a_run_can_be_read_by_others),
        cmocka_unit_test(a_key_has_no_option),
        cmocka_unit_test(a_log_that_nobody_reads_holds_up_nobody),
        cmocka_unit_test(too_few_descriptors_are_said_at_the_start),
    };

    return cmocka_run_group_tests(tests, make_world, forget_world);
}
