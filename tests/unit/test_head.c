/* test_head.c - http/head.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "http/head.h"

#include <stdio.h>
#include <string.h>

/* Lines "Name: value" separated by line feeds, the first one "METHOD TARGET VERSION". */
static struct head read_head(const char *lines)
{
    static char copy[2048];
    struct head head = {0};
    char *line, *rest = copy, *method, *target, *version;

    snprintf(copy, sizeof copy, "%s", lines);
    method = strsep(&rest, " ");
    target = strsep(&rest, " ");
    version = strsep(&rest, "\n");
    head_begin(&head, method, target, version);
    while ((line = strsep(&rest, "\n"))) {
        char *name = strsep(&line, ":");

        head_add(&head, text_of(name), text_of(line + 1));
    }
    head_end(&head, version);
    return head;
}

static void heads_that_could_be_read_in_two_ways_are_refused(void **state)
{
#define GET  "GET / HTTP/1.1\nHost: a"
#define POST "POST /v1/decisions HTTP/1.1\nHost: a"
    static const struct {
        const char *lines;
        enum head_fault fault;
    } rows[] = {
        {GET, HEAD_FAULT_NONE},
        {"GET / HTTP/1.0", HEAD_FAULT_NONE},
        {POST "\nContent-Length: 5\nX-Any: a\tb \303\251", HEAD_FAULT_NONE},
        {POST "\ncontent-length: 0\nExpect: 100-Continue", HEAD_FAULT_NONE},
        {GET "\nX-Any: 1\nX-Any: 2", HEAD_FAULT_NONE},
        {GET "\nX-Request-Id: 1\nX-Request-Id: 2", HEAD_FAULT_NONE},
        {GET "\n!#$%&'*+-.^_`|~09azAZ: 1", HEAD_FAULT_NONE},
        /* The five shapes that are known to have hidden a request. */
        {POST "\nContent-Length: 5\nTransfer-Encoding: chunked", HEAD_FAULT_CODING},
        {POST "\nContent-Length: 5\ntRANSFER-eNCODING: cHUNKED", HEAD_FAULT_CODING},
        {POST "\nContent-Length: 5\nContent-Length: 6", HEAD_FAULT_REPEATED},
        {POST "\nContent-Length : 5\nContent-Length: 0", HEAD_FAULT_NAME},
        {POST "\nTransfer-Encoding: chunked", HEAD_FAULT_CODING},
        {POST "\nTransfer-Encoding: identity", HEAD_FAULT_CODING},
        {POST "\nTransfer-Encoding: ", HEAD_FAULT_CODING},
        {POST "\nContent-Length: 5\nContent-Length: 5", HEAD_FAULT_REPEATED},
        {POST "\nContent-Length: 5, 5", HEAD_FAULT_LENGTH},
        {POST "\nContent-Length: +5", HEAD_FAULT_LENGTH},
        {POST "\nContent-Length: -5", HEAD_FAULT_LENGTH},
        {POST "\nContent-Length: 0x5", HEAD_FAULT_LENGTH},
        {POST "\nContent-Length: 5 ", HEAD_FAULT_LENGTH},
        {POST "\nContent-Length: ", HEAD_FAULT_LENGTH},
        {POST "\nContent-Length: 5.0", HEAD_FAULT_LENGTH},
        {POST "\nContent-Length: 9999999999999999999", HEAD_FAULT_LENGTH},
        {GET "\nHost: a", HEAD_FAULT_REPEATED},
        {GET "\nAuthorization: a\nauthorization: a", HEAD_FAULT_REPEATED},
        {GET "\nIdempotency-Key: a\nIDEMPOTENCY-KEY: b", HEAD_FAULT_REPEATED},
        {GET "\nContent-Type: a\nContent-Type: b", HEAD_FAULT_REPEATED},
        {GET "\nIf-Match: a\nIf-Match: b", HEAD_FAULT_REPEATED},
        {GET "\nIf-Match: \nIf-Match: ", HEAD_FAULT_REPEATED},
        {"GET / HTTP/1.1", HEAD_FAULT_HOST},
        {GET "\nX-Any: a\001b", HEAD_FAULT_VALUE},
        {GET "\nX-Any: a\rb", HEAD_FAULT_VALUE},
        {GET "\nX-Any: a\177b", HEAD_FAULT_VALUE},
        {GET "\nX Any: a", HEAD_FAULT_NAME},
        {GET "\nX\tAny: a", HEAD_FAULT_NAME},
        {GET "\nX\303\251: a", HEAD_FAULT_NAME},
        {GET "\nX(Any): a", HEAD_FAULT_NAME},
        {GET "\n: a", HEAD_FAULT_NAME},
        {POST "\nExpect: 100-continue, more", HEAD_FAULT_EXPECT},
        {POST "\nExpect: ", HEAD_FAULT_EXPECT},
        {"G(T / HTTP/1.1\nHost: a", HEAD_FAULT_METHOD},
        {" / HTTP/1.1\nHost: a", HEAD_FAULT_METHOD},
        {"GET /\177 HTTP/1.1\nHost: a", HEAD_FAULT_TARGET},
        {"GET /\303\251 HTTP/1.1\nHost: a", HEAD_FAULT_TARGET},
        {"GET /\t HTTP/1.1\nHost: a", HEAD_FAULT_TARGET},
        {"GET / HTTP/1.2\nHost: a", HEAD_FAULT_VERSION},
        {"GET / HTTP/2.0\nHost: a", HEAD_FAULT_VERSION},
        {"GET / http/1.1\nHost: a", HEAD_FAULT_VERSION},
    };
#undef GET
#undef POST

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct head head = read_head(rows[i].lines);

        if (head.fault != rows[i].fault)
            fail_msg("row %zu: %s instead of %s: %s", i, head_fault_detail(head.fault),
                     head_fault_detail(rows[i].fault), rows[i].lines);
    }
}

static void a_request_line_that_is_missing_parts_is_refused(void **state)
{
    struct head head = {0};

    (void)state;
    head_begin(&head, "GET", "/", NULL);
    assert_false(head_end(&head, NULL));
    assert_int_equal(head.fault, HEAD_FAULT_VERSION);
}

static void values_are_those_of_the_first_header(void **state)
{
    struct head head = read_head(
        "PUT / HTTP/1.1\nHOST: h\ncontent-LENGTH: 007\n"
        "authorization: a b\nidempotency-key: k\nif-match: \"1\"\n"
        "content-type: t\ncontent-encoding: gzip\nx-request-id: one\nx-request-id: two\n"
        "expect: 100-continue");

    (void)state;
    assert_int_equal(head.fault, HEAD_FAULT_NONE);
    assert_int_equal(head.content_length, 7);
    assert_string_equal(head.values[HEADER_HOST], "h");
    assert_string_equal(head.values[HEADER_AUTHORIZATION], "a b");
    assert_string_equal(head.values[HEADER_IDEMPOTENCY_KEY], "k");
    assert_string_equal(head.values[HEADER_IF_MATCH], "\"1\"");
    assert_string_equal(head.values[HEADER_CONTENT_TYPE], "t");
    assert_string_equal(head.values[HEADER_CONTENT_ENCODING], "gzip");
    assert_string_equal(head.values[HEADER_REQUEST_ID], "one");
    assert_null(head.values[HEADER_TRACEPARENT]);
}

static void request_ids_are_short_and_printable_or_ignored(void **state)
{
#define TEN "0123456789"
    static const struct {
        const char *sent, *kept;
    } rows[] = {
        {NULL, ""},
        {"", ""},
        {"a", "a"},
        {"req-1 ~!", "req-1 ~!"},
        {TEN TEN TEN TEN TEN TEN "1234", TEN TEN TEN TEN TEN TEN "1234"},
        {TEN TEN TEN TEN TEN TEN "12345", ""},
        {"a\tb", ""},
        {"a\303\251", ""},
        {"a\177", ""},
    };
#undef TEN

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct head head = {.values[HEADER_REQUEST_ID] = rows[i].sent};
        char id[65];

        head_request_id(&head, id);
        assert_string_equal(id, rows[i].kept);
    }
}

static void trace_ids_come_from_well_formed_traceparents(void **state)
{
#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"
    static const struct {
        const char *sent;
        bool is_good;
    } rows[] = {
        {"00-" TRACE "-" SPAN "-01", true},
        {"00-" TRACE "-" SPAN "-00", true},
        {"01-" TRACE "-" SPAN "-01-more", true},
        {"cc-" TRACE "-" SPAN "-01", true},
        {NULL, false},
        {"", false},
        {"00-" TRACE "-" SPAN "-01-more", false},
        {"00-" TRACE "-" SPAN "-01 ", false},
        {"01-" TRACE "-" SPAN "-01.more", false},
        {"ff-" TRACE "-" SPAN "-01", false},
        {"0x-" TRACE "-" SPAN "-01", false},
        {"00-00000000000000000000000000000000-" SPAN "-01", false},
        {"00-" TRACE "-0000000000000000-01", false},
        {"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", false},
        {"00-" TRACE "-" SPAN "-0", false},
        {"00-" TRACE "-" SPAN "-0g", false},
        {"00_" TRACE "-" SPAN "-01", false},
        {"00-" TRACE "_" SPAN "-01", false},
        {"00-" TRACE "-" SPAN "_01", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct head head = {.values[HEADER_TRACEPARENT] = rows[i].sent};
        char id[33];

        head_trace_id(&head, id);
        if (strcmp(id, rows[i].is_good ? TRACE : "") != 0)
            fail_msg("%s: '%s'", rows[i].sent ? rows[i].sent : "(none)", id);
    }
#undef TRACE
#undef SPAN
}

static void queries_are_decoded_or_refused(void **state)
{
    static const struct {
        const char *text, *decoded; /* NULL: refused */
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"a%20b", "a b"},
        {"%41%6a%6A", "Ajj"},
        {"%25", "%"},
        {"%C3%A9", "\303\251"},
        {"\303\251", "\303\251"},
        {"a b", "a b"},
        {"%", NULL},
        {"%4", NULL},
        {"a%4", NULL},
        {"%4g", NULL},
        {"%g4", NULL},
        {"%00", NULL},
        {"%0a", NULL},
        {"%7f", NULL},
        {"%C3", NULL},
        {"%ED%A0%80", NULL},
        {"%ff", NULL},
        {"\tx", NULL},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool is_good = head_decode(text_of(rows[i].text), out);

        if (is_good != (rows[i].decoded != NULL))
            fail_msg("'%s' is %s", rows[i].text, is_good ? "taken" : "refused");
        if (is_good)
            assert_string_equal(out, rows[i].decoded);
    }
}

static void types_are_read_with_their_parameters(void **state)
{
    static const struct {
        const char *value;
        bool is_good;
    } rows[] = {
        {"application/json", true},
        {"Application/JSON", true},
        {"application/json;charset=utf-8", true},
        {"application/json ; Charset=\"UTF-8\" ;", true},
        {"application/json; a=b; charset=utf-8", true},
        {"application/json; a=\"; charset=latin1\"", true},
        {"application/json; a=\"\\\"\"", true},
        {"", false},
        {"application/jsonp", false},
        {"application/json-seq", false},
        {"application/json, text/plain", false},
        {"application/json x", false},
        {"application/json; charset=latin1", false},
        {"application/json; charset=\"latin1\"", false},
        {"application/json; charset=utf-8; charset=latin1", false},
        {"application/json; charset=", false},
        {"application/json; charset", false},
        {"application/json; charset=\"utf-8", false},
        {"application/json; a=\"\\", false},
        {"application/json; =b", false},
        {"text/json", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (head_is_type(rows[i].value, "application/json") != rows[i].is_good)
            fail_msg("'%s' is %s", rows[i].value, rows[i].is_good ? "refused" : "taken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_that_could_be_read_in_two_ways_are_refused),
        cmocka_unit_test(a_request_line_that_is_missing_parts_is_refused),
        cmocka_unit_test(values_are_those_of_the_first_header),
        cmocka_unit_test(request_ids_are_short_and_printable_or_ignored),
        cmocka_unit_test(trace_ids_come_from_well_formed_traceparents),
        cmocka_unit_test(queries_are_decoded_or_refused),
        cmocka_unit_test(types_are_read_with_their_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
