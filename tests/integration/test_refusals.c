/* test_refusals.c - heads that the HTTP library refuses by itself, before the service
 * sees them: whichever way they come in, what goes out is one problem document with our
 * headers, and the end of the connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/certificate.h"
#include "support/folder.h"
#include "support/server.h"
#include "support/wire.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WAIT_MS = 60000, HEAD_BYTES_MAX = 32 << 10, ANSWER_BYTES = 8192 };

static struct {
    char *folder;
    char certificate[512], key[512], socket[512];
} stage;

/* --- what is sent ------------------------------------------------------------------------------- */

#define GET  "GET /version HTTP/1.1\r\nHost: a\r\n"
#define HEAD "HEAD /version HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /v1/decisions HTTP/1.1\r\nHost: a\r\n"

/* The filler stands between start and end, so many times. */
static const struct row {
    const char *name, *start, *filler;
    int filler_count;
    const char *end;
    int status; /* 0: the connection is closed without a word */
    const char *code;
    /* where requests are judged; the listener for health looks at the first line */
    bool is_judged_by_us;
    bool is_head; /* nothing may follow the head of the answer */
} rows[] = {
    {"no host", "GET /version HTTP/1.1\r\n\r\n", .status = 400,
     .code = "malformed_request"},
    {"a length that is a word", POST "Content-Length: x\r\n\r\n", .status = 400,
     .code = "malformed_request"},
    {"an empty length", POST "Content-Length:\r\n\r\n", .status = 400,
     .code = "malformed_request"},
    {"a length with more behind it", POST "Content-Length: 5, 5\r\n\r\nhello",
     .status = 400, .code = "malformed_request"},
    {"a length with a sign", POST "Content-Length: -5\r\n\r\nhello", .status = 400,
     .code = "malformed_request"},
    {"a length of more than 64 bits", POST "Content-Length: 1", "0", 30, "\r\n\r\n",
     .status = 413, .code = "payload_too_large"},
    {"a line without a colon", GET "nonsense\r\n\r\n", .status = 400,
     .code = "malformed_request"},
    {"a first line without a version", "GET /\r\n", .status = 400,
     .code = "malformed_request"},
    {"a first line without a path", "GET \r\n\r\n", .status = 400,
     .code = "malformed_request"},
    {"another protocol", "GET / HTTX/1.1\r\nHost: a\r\n\r\n", .status = 400,
     .code = "malformed_request"},
    {"a version of old", "GET / HTTP/0.9\r\n\r\n", .status = 505,
     .code = "http_version_not_supported"},
    {"HTTP/2 without being asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .status = 505,
     .code = "http_version_not_supported"},
    {"a long path", "GET /", "x", 9000, " HTTP/1.1\r\nHost: a\r\n\r\n", .status = 414,
     .code = "target_too_long"},
    {"a first line without an end", "", "x", 20000, "", .status = 414,
     .code = "target_too_long"},
    {"a long header", GET "X: ", "x", 20000, "\r\n\r\n", .status = 431,
     .code = "head_too_large"},
    {"many headers", GET, "X: y\r\n", 1000, "\r\n", .status = 431,
     .code = "head_too_large"},
    {"headers that fit, but not what is kept of each", GET, "X:y\r\n", 150, "\r\n",
     .status = 431, .code = "head_too_large"},
    {"many cookies", GET "Cookie: ", "x=y; ", 1000, "\r\n\r\n", .status = 431,
     .code = "head_too_large"},
    {"many query parameters", "GET /version?", "a&", 1000, " HTTP/1.1\r\nHost: a\r\n\r\n",
     .status = 431, .code = "head_too_large"},
    {"empty query parameters", "GET /version?", "&", 3000, " HTTP/1.1\r\nHost: a\r\n\r\n",
     .status = 431, .code = "head_too_large"},
    {"a head that leaves no room for an answer", GET "X: ", "x", 7200, "\r\n\r\n",
     .status = 431, .code = "head_too_large", .is_judged_by_us = true},
    {"headers that leave no room for an answer", GET, "X:y\r\n", 105, "\r\n",
     .status = 431, .code = "head_too_large", .is_judged_by_us = true},
    {"HEAD", HEAD "Content-Length: x\r\n\r\n", .status = 400, .is_head = true},
    {"HEAD behind empty lines", "\r\n\r\n" HEAD "Content-Length: x\r\n\r\n",
     .status = 400, .is_head = true},
    {"HEAD behind a bare end of a line", "\n" HEAD "Content-Length: x\r\n\r\n",
     .status = 400, .is_head = true},
    {"a method that only ends as HEAD does", "A" HEAD "Content-Length: x\r\n\r\n",
     .status = 400, .code = "malformed_request"},
    {"HEAD of many headers", HEAD, "X: y\r\n", 1000, "\r\n", .status = 431,
     .is_head = true},
    {"HEAD of a long path", "HEAD /", "x", 9000, " HTTP/1.1\r\nHost: a\r\n\r\n",
     .status = 414, .code = "target_too_long"},
    {"HEAD that leaves no room for an answer", HEAD "X: ", "x", 7200, "\r\n\r\n",
     .status = 431, .is_judged_by_us = true, .is_head = true},
    {"a space in a path", "GET /ver sion HTTP/1.1\r\nHost: a\r\n\r\n", .status = 400,
     .code = "malformed_request", .is_judged_by_us = true},
    {"a space in a query", "GET /version?a=b c HTTP/1.1\r\nHost: a\r\n\r\n",
     .status = 400, .code = "malformed_request", .is_judged_by_us = true},
    {"a word", "nonsense\r\n\r\n", .status = 0},
    {"a space before all", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", .status = 0},
};

static size_t write_row(const struct row *row, char bytes[static HEAD_BYTES_MAX])
{
    size_t count = (size_t)snprintf(bytes, HEAD_BYTES_MAX, "%s", row->start);

    for (int i = 0; i < row->filler_count; i++)
        count +=
            (size_t)snprintf(bytes + count, HEAD_BYTES_MAX - count, "%s", row->filler);
    if (row->end)
        count += (size_t)snprintf(bytes + count, HEAD_BYTES_MAX - count, "%s", row->end);
    assert_true(count < HEAD_BYTES_MAX - 1);
    return count;
}

/* --- what comes back ---------------------------------------------------------------------------- */

/* The value of a header, freed by the caller; NULL when there is none. */
static char *header_of(const char *head, const char *name)
{
    const char *line = strcasestr(head, name);

    if (!line || line == head || line[-1] != '\n')
        return NULL;
    line += strlen(name);
    return strndup(line, strcspn(line, "\r\n"));
}

static void assert_header(const struct row *row, const char *head, const char *name,
                          const char *value)
{
    char *found = header_of(head, name);

    if (!found || strcmp(found, value) != 0)
        fail_msg("%s: %s%s", row->name, name, found ? found : "(none)");
    free(found);
}

static void assert_problem(const struct row *row, const char *body, const char *id)
{
    json_t *problem = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    char type[128];

    if (!problem)
        fail_msg("%s: the body is not JSON: %s", row->name, body);
    snprintf(type, sizeof type, "urn:redress:problem:%s", row->code);
    assert_string_equal(json_string_value(json_object_get(problem, "type")), type);
    assert_string_equal(json_string_value(json_object_get(problem, "code")), row->code);
    assert_int_equal(json_integer_value(json_object_get(problem, "status")), row->status);
    assert_true(json_string_length(json_object_get(problem, "detail")) > 10);
    assert_string_equal(json_string_value(json_object_get(problem, "request_id")), id);
    json_decref(problem);
}

/* Exactly one answer, with nothing behind it. */
static void assert_ours(const struct row *row, char *answer, bool has_tls)
{
    char *end = strstr(answer, "\r\n\r\n"), start[32], length[24];
    char *id;

    if (!end)
        fail_msg("%s: no answer: '%s'", row->name, answer);
    end[2] = '\0';
    snprintf(start, sizeof start, "HTTP/1.1 %d ", row->status);
    if (strncmp(answer, start, strlen(start)) != 0)
        fail_msg("%s: answered %s", row->name, answer);
    snprintf(length, sizeof length, "%zu", strlen(end + 4));
    if (!row->is_head)
        assert_header(row, answer, "Content-Length: ", length);
    assert_header(row, answer, "Content-Type: ", "application/problem+json");
    assert_header(row, answer, "Connection: ", "close");
    assert_header(row, answer, "Cache-Control: ", "no-store");
    assert_header(row, answer, "X-Content-Type-Options: ", "nosniff");
    assert_header(row, answer, "Content-Security-Policy: ", "default-src 'none'");
    if (has_tls)
        assert_header(row, answer, "Strict-Transport-Security: ", "max-age=31536000");
    id = header_of(answer, "X-Request-Id: ");
    assert_non_null(id);
    if (!row->is_head)
        assert_problem(row, end + 4, id);
    else if (end[4])
        fail_msg("%s: there is a body: %s", row->name, end + 4);
    free(id);
}

static void try_row(const struct row *row, const char *address, bool has_tls)
{
    static char bytes[HEAD_BYTES_MAX], answer[ANSWER_BYTES];
    size_t count = write_row(row, bytes);
    struct wire *wire = wire_open(address, has_tls, WAIT_MS);
    enum wire_end end;

    assert_non_null(wire);
    (void)wire_send(wire, bytes, count);
    end = wire_receive(wire, answer, sizeof answer, &count);
    if (end == WIRE_TIMED_OUT)
        fail_msg("%s: the connection stays open", row->name);
    if (row->status)
        assert_ours(row, answer, has_tls);
    else if (count > 0)
        fail_msg("%s: answered %s", row->name, answer);
    wire_close(wire, false);
}

static void try_all(const char *address, bool has_tls, bool is_health)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!is_health || !rows[i].is_judged_by_us)
            try_row(&rows[i], address, has_tls);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void start(struct live_server *server, const char *const *extra)
{
    if (!live_server_start(stage.folder, extra, server))
        fail_msg("the server does not start");
}

static void what_the_library_refuses_is_said_in_our_words(void **state)
{
    struct live_server server;

    (void)state;
    start(&server, NULL);
    try_all(server.listen, false, false);
    assert_int_equal(live_server_stop(&server), 0);
}

static void so_it_is_on_the_listener_for_health_and_on_a_local_socket(void **state)
{
    const char *const extra[] = {"--listen", stage.socket, "--health-listen",
                                 "127.0.0.1:0", NULL};
    struct live_server server;

    (void)state;
    start(&server, extra);
    try_all(server.health_listen, false, true);
    try_all(server.listen, false, false);
    assert_int_equal(live_server_stop(&server), 0);
}

static void so_it_is_over_tls(void **state)
{
    const char *const extra[] = {"--tls-cert", stage.certificate, "--tls-key", stage.key,
                                 NULL};
    struct live_server server;

    (void)state;
    start(&server, extra);
    try_all(server.listen, true, false);
    assert_int_equal(live_server_stop(&server), 0);
}

/* Sent at once: the first has its whole answer before the second is refused. */
static void what_came_before_is_answered_first(void **state)
{
    static const char both[] = GET "\r\nGET /version HTTP/3.0\r\n\r\n";
    const struct row second = {"after another", .status = 505,
                               .code = "http_version_not_supported"};
    char answer[ANSWER_BYTES], *end;
    struct live_server server;
    struct wire *wire;
    size_t count;

    (void)state;
    start(&server, NULL);
    wire = wire_open(server.listen, false, WAIT_MS);
    assert_non_null(wire);
    assert_true(wire_send(wire, both, sizeof both - 1));
    assert_int_equal(wire_receive(wire, answer, sizeof answer, &count), WIRE_CLOSED);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
    end = strstr(answer, "}HTTP/1.1 ");
    assert_non_null(end);
    assert_ours(&second, end + 1, false);
    wire_close(wire, false);
    assert_int_equal(live_server_stop(&server), 0);
}

static int stage_open(void **state)
{
    (void)state;
    stage.folder = folder_temporary();
    snprintf(stage.certificate, sizeof stage.certificate, "%s/cert.pem", stage.folder);
    snprintf(stage.key, sizeof stage.key, "%s/key.pem", stage.folder);
    snprintf(stage.socket, sizeof stage.socket, "unix:%s/socket", stage.folder);
    return demo_make(stage.folder) && certificate_make_valid(stage.certificate, stage.key)
               ? 0
               : -1;
}

static int stage_close(void **state)
{
    (void)state;
    free(stage.folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_library_refuses_is_said_in_our_words),
        cmocka_unit_test(so_it_is_on_the_listener_for_health_and_on_a_local_socket),
        cmocka_unit_test(so_it_is_over_tls),
        cmocka_unit_test(what_came_before_is_answered_first),
    };

    return cmocka_run_group_tests(tests, stage_open, stage_close);
}
