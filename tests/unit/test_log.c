/* test_log.c - base/log.h: what arrives on the standard error output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/log.h"
#include "base/text.h"

#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    THREAD_COUNT = 3,
    LINES_PER_THREAD = 400,
    OUTPUT_BYTES_MAX = 1 << 20,
    STALLED_LINE_COUNT = 12000, /* far more than wait, and than a pipe holds */
    PATIENCE_S = 20,
};

static char output[OUTPUT_BYTES_MAX];

/* Run produce with the standard error output in a file; its bytes go to output. */
static size_t capture(void (*produce)(void))
{
    FILE *file = tmpfile();
    int old = dup(STDERR_FILENO);

    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    produce();
    dup2(old, STDERR_FILENO);
    close(old);
    rewind(file);
    size_t bytes = fread(output, 1, sizeof output - 1, file);
    output[bytes] = 0;
    fclose(file);
    return bytes;
}

/* The only line there is, as JSON. */
static json_t *only_line(size_t bytes)
{
    assert_true(bytes > 0 && output[bytes - 1] == '\n');
    assert_ptr_equal(strchr(output, '\n'), output + bytes - 1);
    json_t *line = json_loadb(output, bytes, JSON_REJECT_DUPLICATES, NULL);
    if (!line)
        fail_msg("not JSON: %s", output);
    return line;
}

static const char *string_of(json_t *line, const char *key)
{
    return json_string_value(json_object_get(line, key));
}

static void write_plain(void)
{
    log_event(LOG_WARN, "server_started", LOG_TEXT("listen", "127.0.0.1:80"),
              LOG_INT("least", INT64_MIN), LOG_TEXT("empty", NULL));
}

static void an_event_is_one_line_of_json(void **state)
{
    json_t *line = only_line(capture(write_plain));

    (void)state;
    assert_int_equal(strlen(string_of(line, "at")),
                     strlen("2026-11-20T18:02:11.123456Z"));
    assert_string_equal(string_of(line, "level"), "warn");
    assert_string_equal(string_of(line, "event"), "server_started");
    assert_string_equal(string_of(line, "listen"), "127.0.0.1:80");
    assert_true(json_integer_value(json_object_get(line, "least")) == INT64_MIN);
    assert_string_equal(string_of(line, "empty"), "");
    json_decref(line);
}

static void write_forged(void)
{
    log_event(LOG_INFO, "x", LOG_TEXT("a", "1\n{\"event\":\"forged\"}\\\x1b[0m\x7f"),
              LOG_TEXT("b", "\xff\xc3 \xc3\xa9 \xed\xa0\x80"));
}

static void values_cannot_forge_a_line(void **state)
{
    json_t *line = only_line(capture(write_forged));

    (void)state;
    assert_string_equal(string_of(line, "a"), "1\n{\"event\":\"forged\"}\\\x1b[0m\x7f");
    assert_null(strpbrk(output, "\x1b\x7f"));
    assert_string_equal(string_of(line, "b"),
                        "\xef\xbf\xbd\xef\xbf\xbd \xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\xef"
                        "\xbf\xbd");
    json_decref(line);
}

static char huge[10000];

static void write_huge(void)
{
    log_event(LOG_ERROR, "huge", LOG_TEXT("a", huge), LOG_TEXT("b", huge),
              LOG_TEXT("c", huge), LOG_TEXT("d", "never seen"));
}

/* Control bytes take six bytes each when escaped. */
static void long_lines_are_cut_between_fields(void **state)
{
    (void)state;
    memset(huge, '\x01', sizeof huge - 1);
    size_t bytes = capture(write_huge);
    assert_true(bytes <= 4096);
    json_t *line = only_line(bytes);
    assert_true(json_is_true(json_object_get(line, "cut")));
    assert_int_equal(json_string_length(json_object_get(line, "a")), 512);
    assert_null(json_object_get(line, "d"));
    json_decref(line);
}

static void write_levels(void)
{
    log_event(LOG_DEBUG, "hidden");
    log_level_set(LOG_ERROR);
    log_event(LOG_WARN, "hidden");
    log_event(LOG_ERROR, "shown");
    log_level_set(LOG_DEBUG);
    log_event(LOG_DEBUG, "shown");
    log_level_set(LOG_INFO);
}

static void lines_below_the_level_are_not_written(void **state)
{
    int count = 0;

    (void)state;
    capture(write_levels);
    assert_null(strstr(output, "hidden"));
    for (const char *at = output; (at = strstr(at, "shown")); at++)
        count++;
    assert_int_equal(count, 2);
}

static void *write_many(void *context)
{
    for (int i = 0; i < LINES_PER_THREAD; i++)
        log_event(LOG_INFO, "tick", LOG_INT("thread", (intptr_t)context),
                  LOG_INT("i", i));
    return NULL;
}

static void write_from_threads(void)
{
    pthread_t threads[THREAD_COUNT];

    for (intptr_t i = 0; i < THREAD_COUNT; i++)
        pthread_create(&threads[i], NULL, write_many, (void *)i);
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(threads[i], NULL);
}

static void lines_of_threads_do_not_mix(void **state)
{
    int count = 0;
    char *rest;

    (void)state;
    capture(write_from_threads);
    for (char *line = strtok_r(output, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        json_t *parsed = json_loads(line, 0, NULL);

        assert_non_null(parsed);
        json_decref(parsed);
        count++;
    }
    assert_int_equal(count, THREAD_COUNT * LINES_PER_THREAD);
}

/* --- a thread of its own -------------------------------------------------------------------- */

static void write_behind(void)
{
    struct err err;

    assert_int_equal(log_start(&err), STATUS_OK);
    write_from_threads();
    assert_true(log_end(PATIENCE_S * 1000));
    log_event(LOG_INFO, "after"); /* by who logs it, again */
}

static void all_that_waited_is_written_at_the_end(void **state)
{
    int64_t next[THREAD_COUNT] = {0};
    char *rest, *line;

    (void)state;
    capture(write_behind);
    line = strtok_r(output, "\n", &rest);
    for (int i = 0; i < THREAD_COUNT * LINES_PER_THREAD; i++) {
        json_t *parsed = json_loads(line, 0, NULL);
        json_int_t thread = json_integer_value(json_object_get(parsed, "thread"));

        assert_non_null(parsed);
        assert_int_equal(json_integer_value(json_object_get(parsed, "i")),
                         next[thread]++);
        json_decref(parsed);
        line = strtok_r(NULL, "\n", &rest);
    }
    assert_non_null(strstr(line, "\"after\""));
}

static void *log_many(void *over)
{
    for (int i = 0; i < STALLED_LINE_COUNT; i++)
        log_event(LOG_INFO, "tick", LOG_INT("i", i));
    sem_post(over);
    return NULL;
}

/* Within the patience of the test. */
static bool logs_without_waiting(pthread_t *thread, sem_t *over)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    sem_init(over, 0, 0);
    assert_int_equal(pthread_create(thread, NULL, log_many, over), 0);
    return sem_timedwait(over, &until) == 0;
}

/* Read until as many lines have come or are told to be lost as there were. How many were
 * lost, or -1 when the reader waits in vain. Nothing is asserted while the test has no
 * standard error output. */
static int64_t read_all_told(int pipe, int64_t count)
{
    struct pollfd file = {.fd = pipe, .events = POLLIN};
    FILE *lines = fdopen(pipe, "r");
    int64_t line_count = 0, lost_count = 0;
    static char text[4096];

    setvbuf(lines, NULL, _IONBF, 0);
    while (line_count + lost_count < count && poll(&file, 1, PATIENCE_S * 1000) == 1 &&
           fgets(text, sizeof text, lines)) {
        json_t *line = json_loads(text, 0, NULL);

        if (line && strcmp(string_of(line, "event"), "log_lines_lost") == 0)
            lost_count += json_integer_value(json_object_get(line, "count"));
        else if (line)
            line_count++;
        json_decref(line);
    }
    fclose(lines);
    return line_count + lost_count == count ? lost_count : -1;
}

static void a_reader_that_stalls_holds_up_nobody_and_is_told_what_it_missed(void **state)
{
    int ends[2], old = dup(STDERR_FILENO);
    int64_t lost_count = 0;
    bool was_quick, was_flushed;
    pthread_t thread;
    struct err err;
    sem_t over;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    assert_int_equal(log_start(&err), STATUS_OK);
    was_quick = logs_without_waiting(&thread, &over);
    was_flushed = log_flush(10);
    if (was_quick)
        lost_count = read_all_told(ends[0], STALLED_LINE_COUNT);
    dup2(old, STDERR_FILENO);
    close(old);
    assert_true(was_quick);
    assert_false(was_flushed);
    pthread_join(thread, NULL);
    assert_true(log_end(PATIENCE_S * 1000));
    assert_true(lost_count > 0 && lost_count < STALLED_LINE_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_line_of_json),
        cmocka_unit_test(values_cannot_forge_a_line),
        cmocka_unit_test(long_lines_are_cut_between_fields),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(all_that_waited_is_written_at_the_end),
        cmocka_unit_test(a_reader_that_stalls_holds_up_nobody_and_is_told_what_it_missed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
