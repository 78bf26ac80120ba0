/* test_decision_ids.c - a decision that a log has twice is found, wherever the two stand,
 * and who has none is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/decision_ids.h"

#include <stdio.h>
#include <string.h>

enum { ID_COUNT = 20011, PIECE = 8000 /* as many as stand in one piece of memory */ };

struct log {
    struct decision_ids *ids;
    int64_t line;
};

static struct log log_open(void)
{
    struct err err = {0};
    struct log log = {0};

    assert_int_equal(decision_ids_open(&log.ids, &err), STATUS_OK);
    return log;
}

static void add(struct log *log, const char *id)
{
    struct err err = {0};

    assert_int_equal(decision_ids_add(log->ids, text_of(id), ++log->line, &err),
                     STATUS_OK);
}

/* Numbers in an order that neither rises nor repeats. */
static void add_number(struct log *log, int64_t number)
{
    char id[32];

    snprintf(id, sizeof id, "dec_%05lld", (long long)(number * 7919 % ID_COUNT));
    add(log, id);
}

static void expect_twice(struct log *log, int64_t again, int64_t before)
{
    char said[100];
    struct err err = {0};

    assert_int_equal(decision_ids_check(log->ids, "a.csv", &err),
                     again ? STATUS_INVALID : STATUS_OK);
    if (!again)
        return;
    snprintf(said, sizeof said, "a.csv line %lld: is the decision of line %lld again",
             (long long)again, (long long)before);
    assert_non_null(strstr(err.text, said));
    decision_ids_close(log->ids);
}

static void no_two_of_many_are_the_same(void **)
{
    struct log log = log_open();

    for (int64_t i = 0; i < ID_COUNT; i++)
        add_number(&log, i);
    expect_twice(&log, 0, 0);
    decision_ids_close(log.ids);
}

/* Also at the ends of pieces of memory. */
static void one_that_comes_again_is_found_wherever_it_is(void **)
{
    static const int64_t places[] = {
        1, 2, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 1, ID_COUNT};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct log log = log_open();

        for (int64_t j = 0; j < ID_COUNT; j++)
            add_number(&log, j);
        add_number(&log, places[i] - 1);
        expect_twice(&log, ID_COUNT + 1, places[i]);
    }
}

static void a_log_behind_itself_is_told_by_its_first_decision(void **)
{
    struct log log = log_open();

    for (int round = 0; round < 2; round++)
        for (int64_t i = 0; i < PIECE + 3; i++)
            add_number(&log, i);
    expect_twice(&log, PIECE + 4, 1);
}

/* Lines without a decision count as lines, and their number has no say. */
static void lines_without_an_id_are_no_decisions(void **)
{
    struct log log = log_open();

    for (int i = 0; i < 3 * PIECE; i++)
        add(&log, "");
    add(&log, "dec_b");
    add(&log, "");
    add(&log, "dec_a");
    expect_twice(&log, 0, 0);
    add(&log, "dec_b");
    expect_twice(&log, 3 * PIECE + 4, 3 * PIECE + 1);
}

static void ids_that_are_long_are_compared_whole(void **)
{
    struct log log = log_open();
    char id[101];

    memset(id, 'x', sizeof id);
    id[100] = '\0';
    add(&log, id);
    id[99] = 'y';
    add(&log, id);
    id[99] = 'a';
    add(&log, id);
    expect_twice(&log, 0, 0);
    add(&log, id);
    expect_twice(&log, 4, 3);
}

static void more_lines_than_can_be_told_are_refused(void **)
{
    struct log log = log_open();
    struct err err = {0};

    assert_int_equal(
        decision_ids_add(log.ids, text_of("dec_a"), (int64_t)UINT32_MAX + 1, &err),
        STATUS_TOO_LARGE);
    decision_ids_close(log.ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_of_many_are_the_same),
        cmocka_unit_test(one_that_comes_again_is_found_wherever_it_is),
        cmocka_unit_test(a_log_behind_itself_is_told_by_its_first_decision),
        cmocka_unit_test(lines_without_an_id_are_no_decisions),
        cmocka_unit_test(ids_that_are_long_are_compared_whole),
        cmocka_unit_test(more_lines_than_can_be_told_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
