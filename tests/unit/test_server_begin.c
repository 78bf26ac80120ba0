/* test_server_begin.c - where a request begins: what came with another has its deadline,
 * and who has said nothing of the next may rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/wire.h"
#include "unit/server_stage.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define ASK "GET /show HTTP/1.1\r\nHost: a\r\n\r\n"
#define SAY "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

/* A short deadline, and an idle time-out that no test waits for. */
static struct server *start_with_deadline(void)
{
    struct server_settings settings = stage_settings(1, NULL);

    settings.idle_timeout_s = 3 * PATIENCE_S;
    settings.deadline_s = SHORT_DEADLINE_S;
    return stage_start_with(&settings);
}

static void the_beginning_of_a_request_that_came_with_another_has_its_deadline(
    void **state)
{
    static const struct {
        const char *name, *words;
        int answer_count;
    } rows[] = {
        {"without a body", ASK "POST /la", 1},
        {"with one", SAY "P", 1},
        {"the second of three", ASK SAY "GET /show HTTP/1.1\r\nHost: a\r\n", 2},
        {"the same the other way", SAY ASK SAY "GET", 3},
        {"behind the end of a line", ASK "\r\nGET", 1},
        {"a part of a body",
         ASK "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
             "\r\nhello",
         1},
    };
    struct server *server = start_with_deadline();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t start_us = clock_monotonic_us(&system_clock);
        struct wire *wire = wire_open(server_address(server), false, PATIENCE_S * 1000);
        int count;

        assert_non_null(wire);
        assert_true(wire_send(wire, rows[i].words, strlen(rows[i].words)));
        count = stage_await_cut(wire, start_us);
        if (count != rows[i].answer_count)
            fail_msg("%s: %d answers", rows[i].name, count);
    }
    server_stop(server, 1000);
}

/* Answers to what is said at last, and to all before it. */
static int count_answers(struct wire *wire)
{
    static const char last[] =
        "GET /show HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    char answers[16384];
    size_t bytes;
    int count = 0;

    assert_true(wire_send(wire, last, strlen(last)));
    assert_int_equal(wire_receive(wire, answers, sizeof answers, &bytes), WIRE_CLOSED);
    for (const char *at = answers; (at = strstr(at, "HTTP/1.1 20")); at++)
        count++;
    wire_close(wire, false);
    return count;
}

/* Longer than any deadline between them: the last says that it is the last. */
static void who_has_sent_nothing_of_the_next_request_may_rest(void **state)
{
    static const char *const words[] = {ASK,
                                        SAY,
                                        ASK SAY ASK,
                                        "POST /later HTTP/1.1\r\nHost: a\r\nContent-Le",
                                        "ngth: 5\r\n\r\nhe",
                                        "llo"};
    struct server *server = start_with_deadline();
    struct wire *wires[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        wires[i] = wire_open(server_address(server), false, PATIENCE_S * 1000);
        assert_non_null(wires[i]);
        assert_true(wire_send(wires[i], words[i], strlen(words[i])));
    }
    for (int i = 3; i < 6; i++) {
        assert_true(wire_send(wires[0], words[i], strlen(words[i])));
        usleep(100000);
    }
    sleep(SHORT_DEADLINE_S + 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(count_answers(wires[i]), i == 0 ? 3 : i == 1 ? 2 : 4);
    server_stop(server, 1000);
}

/* Some clients say one behind a body; they are passed over (RFC 9112, section 2.2). */
static void ends_of_lines_between_requests_begin_none(void **state)
{
    static const struct {
        const char *name, *words;
        int answer_count;
    } rows[] = {
        {"before the first", "\r\n", 1},
        {"more of them", "\r\n\r\n\n", 1},
        {"with a request", ASK "\r\n", 2},
        {"with the body of one", SAY "\r\n", 2},
        {"between two", "\r\n" SAY "\r\n" ASK "\r\n\r\n", 3},
    };
    enum { ROW_COUNT = sizeof rows / sizeof *rows };
    struct server *server = start_with_deadline();
    struct wire *wires[ROW_COUNT];

    (void)state;
    for (int i = 0; i < ROW_COUNT; i++) {
        wires[i] = wire_open(server_address(server), false, PATIENCE_S * 1000);
        assert_non_null(wires[i]);
        assert_true(wire_send(wires[i], rows[i].words, strlen(rows[i].words)));
    }
    sleep(SHORT_DEADLINE_S + 1);
    for (int i = 0; i < ROW_COUNT; i++) {
        int count = count_answers(wires[i]);

        if (count != rows[i].answer_count)
            fail_msg("%s: %d answers", rows[i].name, count);
    }
    server_stop(server, 1000);
}

/* They are no way to stay, either: they move no deadline. */
static void who_says_nothing_but_ends_of_lines_is_cut_off(void **state)
{
    const struct server_settings settings = stage_settings_short(1, NULL);
    struct server *server = stage_start_with(&settings);
    struct http_client *client = stage_connect(server_address(server));
    int64_t start_us = clock_monotonic_us(&system_clock);

    (void)state;
    do
        (void)http_send(client, "\r\n", 2);
    while (!http_is_closed(client, 200) && stage_seconds_since(start_us) < PATIENCE_S);
    print_message("cut off after %.2f s\n", stage_seconds_since(start_us));
    assert_true(stage_seconds_since(start_us) >= SHORT_DEADLINE_S + SHORT_IDLE_S);
    assert_true(stage_seconds_since(start_us) < PATIENCE_S);
    http_client_close(client);
    server_stop(server, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_beginning_of_a_request_that_came_with_another_has_its_deadline),
        cmocka_unit_test(who_has_sent_nothing_of_the_next_request_may_rest),
        cmocka_unit_test(ends_of_lines_between_requests_begin_none),
        cmocka_unit_test(who_says_nothing_but_ends_of_lines_is_cut_off),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
