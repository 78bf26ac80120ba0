/* test_server_tls.c - the server over TLS: versions, certificates that are renewed, and
 * deadlines of handshakes and of requests behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/certificate.h"
#include "support/folder.h"
#include "support/wire.h"
#include "unit/server_stage.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 256 };

struct tls_files {
    char certificate[PATH_BYTES], key[PATH_BYTES];
};

static struct server *start_tls(struct tls_files *files, int deadline_s)
{
    struct server_settings settings = stage_settings(2, "127.0.0.1:0");

    snprintf(files->certificate, sizeof files->certificate, "%s/cert.pem",
             group_folder());
    snprintf(files->key, sizeof files->key, "%s/key.pem", group_folder());
    assert_true(certificate_make_valid(files->certificate, files->key));
    settings.tls_cert = files->certificate;
    settings.tls_key = files->key;
    settings.idle_timeout_s = 3 * PATIENCE_S;
    settings.deadline_s = deadline_s;
    return stage_start_with(&settings);
}

struct answer {
    char headers[4096], body[4096];
    long status;
};

static size_t append(char *at, size_t one, size_t count, void *to)
{
    size_t used = strlen(to);

    snprintf((char *)to + used, 4096 - used, "%.*s", (int)(one * count), at);
    return one * count;
}

/* An https request; versions as CURLOPT_SSLVERSION takes them. */
static CURLcode ask_tls(const struct server *server, const struct tls_files *files,
                        long versions, const char *path, const char *body,
                        struct answer *answer)
{
    char url[PATH_BYTES];
    CURL *curl = curl_easy_init();
    CURLcode code;

    memset(answer, 0, sizeof *answer);
    snprintf(url, sizeof url, "https://%s%s", server_address(server), path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, files->certificate);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 2L * PATIENCE_S);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, versions);
    curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer->headers);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_cleanup(curl);
    return code;
}

static void tls_is_spoken_in_its_two_newest_versions(void **state)
{
    static const struct {
        const char *name;
        long versions;
        bool is_spoken;
    } rows[] = {
        {"1.0", CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_0, false},
        {"1.1", CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1, false},
        {"1.2", CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2, true},
        {"1.3", CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3, true},
    };
    struct tls_files files;
    struct server *server = start_tls(&files, DEADLINE_S);
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CURLcode code =
            ask_tls(server, &files, rows[i].versions, "/later", "hello", &answer);

        if ((code == CURLE_OK) != rows[i].is_spoken)
            fail_msg("TLS %s: %s", rows[i].name, curl_easy_strerror(code));
        if (rows[i].is_spoken) {
            assert_int_equal(answer.status, 201);
            assert_string_equal(answer.body, "hello");
            assert_non_null(strstr(answer.headers, "Strict-Transport-Security: max-age"));
        }
    }
    server_stop(server, 1000);
}

static void a_renewed_certificate_is_shown_to_who_comes_next(void **state)
{
    const long any = CURL_SSLVERSION_DEFAULT;
    struct tls_files files, old;
    struct server *server = start_tls(&files, DEADLINE_S);
    struct answer answer;
    int64_t expires_at_us;
    char pin[128];

    (void)state;
    old = files;
    snprintf(old.certificate, sizeof old.certificate, "%s/old.pem", group_folder());
    assert_int_equal(rename(files.certificate, old.certificate), 0);
    snprintf(pin, sizeof pin, "%s", server_tls_pin(server));
    assert_true(certificate_make_valid(files.certificate, files.key));
    assert_int_equal(ask_tls(server, &old, any, "/show", NULL, &answer), CURLE_OK);
    assert_int_not_equal(ask_tls(server, &files, any, "/show", NULL, &answer), CURLE_OK);
    assert_int_equal(server_renew_tls(server, &expires_at_us, NULL), STATUS_OK);
    assert_true(expires_at_us > clock_wall_us(&system_clock));
    assert_string_not_equal(server_tls_pin(server), pin);
    assert_int_equal(ask_tls(server, &files, any, "/show", NULL, &answer), CURLE_OK);
    assert_int_not_equal(ask_tls(server, &old, any, "/show", NULL, &answer), CURLE_OK);
    server_stop(server, 1000);
}

static void a_slow_handshake_is_cut_off(void **state)
{
    /* The head of a record that announces a ClientHello of 512 bytes. */
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    struct tls_files files;
    struct server *server = start_tls(&files, SHORT_DEADLINE_S);
    int64_t start_us = clock_monotonic_us(&system_clock);
    struct http_client *client = stage_connect(server_address(server));

    (void)state;
    assert_true(http_send(client, hello, sizeof hello - 1));
    while (!http_is_closed(client, 100) && stage_seconds_since(start_us) < PATIENCE_S)
        (void)http_send(client, "x", 1);
    print_message("cut off after %.2f s\n", stage_seconds_since(start_us));
    assert_true(stage_seconds_since(start_us) >= SHORT_DEADLINE_S);
    assert_true(stage_seconds_since(start_us) < PATIENCE_S);
    http_client_close(client);
    server_stop(server, 1000);
}

static void who_is_silent_behind_a_handshake_has_not_begun_a_request(void **state)
{
    static const char last[] =
        "GET /show HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct tls_files files;
    struct server *server = start_tls(&files, SHORT_DEADLINE_S);
    struct wire *one = wire_open(server_address(server), true, PATIENCE_S * 1000),
                *other = wire_open(server_address(server), true, PATIENCE_S * 1000),
                *part = wire_open(server_address(server), true, PATIENCE_S * 1000);
    char answer[4096];
    int64_t start_us;
    size_t count;

    (void)state;
    assert_non_null(one);
    assert_non_null(other);
    assert_non_null(part);
    assert_true(wire_send(one, "\r\n", 2)); /* which is none either */
    sleep(SHORT_DEADLINE_S + 1);
    assert_true(wire_send(one, last, strlen(last)));
    assert_int_equal(wire_receive(one, answer, sizeof answer, &count), WIRE_CLOSED);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
    wire_close(one, false);
    start_us = clock_monotonic_us(&system_clock);
    assert_true(wire_send(other, "G", 1));
    assert_int_equal(stage_await_cut(other, start_us), 0);
    /* The head of a record of 64 bytes, and one of them. */
    start_us = clock_monotonic_us(&system_clock);
    assert_true(wire_send_raw(part, "\x17\x03\x03\x00\x40x", 6));
    assert_int_equal(stage_await_cut(part, start_us), 0);
    server_stop(server, 1000);
}

static void so_it_is_with_what_came_with_another_over_tls(void **state)
{
    static const char words[] =
        "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /sh";
    struct tls_files files;
    struct server *server = start_tls(&files, SHORT_DEADLINE_S);
    int64_t start_us = clock_monotonic_us(&system_clock);
    struct wire *wire = wire_open(server_address(server), true, PATIENCE_S * 1000);

    (void)state;
    assert_non_null(wire);
    assert_true(wire_send(wire, words, strlen(words)));
    assert_int_equal(stage_await_cut(wire, start_us), 1);
    server_stop(server, 1000);
}

static void who_has_nothing_more_to_say_over_tls_is_answered(void **state)
{
    static const char words[] =
        "POST /later?us=200000 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nlate";
    struct tls_files files;
    struct server *server = start_tls(&files, DEADLINE_S);
    struct wire *wire = wire_open(server_address(server), true, PATIENCE_S * 1000);
    char answer[4096];
    size_t count;

    (void)state;
    assert_non_null(wire);
    assert_true(wire_send(wire, words, strlen(words)));
    wire_half_close(wire);
    assert_int_equal(wire_receive(wire, answer, sizeof answer, &count), WIRE_CLOSED);
    assert_int_equal(strncmp(answer, "HTTP/1.1 201 ", 13), 0);
    assert_non_null(strstr(answer, "\r\n\r\nlate"));
    wire_close(wire, false);
    server_stop(server, 1000);
}

static void plain_words_to_tls_are_no_request_and_health_stays_plain(void **state)
{
    static const char words[] = "GET /show HTTP/1.1\r\nHost: a\r\n\r\n";
    struct tls_files files;
    struct server *server = start_tls(&files, DEADLINE_S);
    struct http_client *client = stage_connect(server_address(server));
    struct http_client *health = stage_connect(server_health_address(server));
    struct http_response response;

    (void)state;
    assert_true(http_send(client, words, strlen(words)));
    assert_false(http_receive(client, true, &response));
    assert_int_equal(atomic_load(&stage.begun_count), 0);
    assert_int_equal(stage_get(health, "/healthz", NULL, 0), 200);
    http_client_close(client);
    http_client_close(health);
    server_stop(server, 1000);
}

static void tls_that_cannot_be_is_refused_at_the_start(void **state)
{
    char address[PATH_BYTES];
    struct tls_files files;
    struct server_settings settings = stage_settings(2, NULL), half;
    struct server *server = start_tls(&files, DEADLINE_S), *second = NULL;
    struct err err = {0};

    (void)state;
    server_stop(server, 0);
    snprintf(address, sizeof address, "unix:%s/server.sock", group_folder());
    settings.listen = address;
    settings.tls_cert = files.certificate;
    settings.tls_key = files.key;
    assert_int_equal(server_start(&settings, &stage, &second, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "needs no TLS"));
    half = stage_settings(1, NULL);
    half.tls_cert = files.certificate;
    assert_int_equal(server_start(&half, &stage, &second, &err), STATUS_INVALID);
    half.tls_key = files.certificate;
    assert_int_equal(server_start(&half, &stage, &second, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "cert.pem"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_is_spoken_in_its_two_newest_versions),
        cmocka_unit_test(a_renewed_certificate_is_shown_to_who_comes_next),
        cmocka_unit_test(a_slow_handshake_is_cut_off),
        cmocka_unit_test(who_is_silent_behind_a_handshake_has_not_begun_a_request),
        cmocka_unit_test(so_it_is_with_what_came_with_another_over_tls),
        cmocka_unit_test(who_has_nothing_more_to_say_over_tls_is_answered),
        cmocka_unit_test(plain_words_to_tls_are_no_request_and_health_stays_plain),
        cmocka_unit_test(tls_that_cannot_be_is_refused_at_the_start),
    };

    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}
