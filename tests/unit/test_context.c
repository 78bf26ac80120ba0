/* test_context.c - what a decision was made from, read back from its row: whole, or
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decide/decision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 1 << 20, CONTEXT_BYTES = 16 << 10 };

#define CASE                                                                             \
    "\"case\":{\"case_id\":\"k\",\"customer_id\":\"c\",\"currency\":\"USD\","            \
    "\"order_amount\":4000,\"issue\":\"late\",\"features\":{\"need\":2}}"

static const char whole[] =
    "{\"now_us\":7,\"build\":\"redress 0\",\"policy_id\":\"goodwill\","
    "\"policy_revision\":3,\"model_name\":\"m\",\"model_version\":2,"
    "\"override_amount\":500,\"override_hold_seconds\":60,\"draw\":0.25,"
    "\"planned_amount\":1000,\"batch_id\":\"bat_1\",\"later\":[1],"
    "\"windows\":[{\"seconds\":86400,\"count\":1,\"amount\":5,\"later\":{}}],"
    "\"order_amount\":20,\"has_duplicate\":true,\"prices\":\"prc_1\","
    "\"budgets\":[{\"id\":\"bud_a\",\"shadow_price\":0.5,\"remaining\":90,\"later\":0}]"
    "," CASE "}";

static enum status decode(const char *context, size_t bytes, size_t arena_bytes,
                          struct decision_context *made_from, struct err *err)
{
    /* Exactly so many bytes, so that a read beyond them is seen. */
    char *copy = malloc(bytes + 1);
    struct arena arena;
    enum status rc;

    assert_non_null(copy);
    memcpy(copy, context, bytes);
    arena_init(&arena, NULL, 0, arena_bytes);
    err_clear(err);
    rc = decision_context_decode((struct text){copy, bytes}, &arena, made_from, err);
    if (rc)
        assert_true(err->text[0] != '\0');
    arena_reset(&arena);
    free(copy);
    return rc;
}

static void every_member_comes_back_and_later_ones_are_left_alone(void **state)
{
    struct decision_context made_from;
    struct arena arena;
    struct err err;

    (void)state;
    arena_init(&arena, NULL, 0, ARENA_BYTES);
    assert_int_equal(decision_context_decode(text_of(whole), &arena, &made_from, &err),
                     STATUS_OK);
    assert_int_equal(made_from.seen.now_us, 7);
    assert_string_equal(made_from.build, "redress 0");
    assert_string_equal(made_from.policy_id, "goodwill");
    assert_int_equal(made_from.policy_revision, 3);
    assert_string_equal(made_from.model_name, "m");
    assert_int_equal(made_from.model_version, 2);
    assert_true(made_from.is_override);
    assert_int_equal(made_from.override_amount, 500);
    assert_int_equal(made_from.override_hold_seconds, 60);
    assert_true(made_from.seen.has_draw && made_from.seen.draw == 0.25);
    assert_true(made_from.seen.is_planned);
    assert_int_equal(made_from.seen.planned_amount, 1000);
    assert_string_equal(made_from.seen.batch_id, "bat_1");
    assert_int_equal(made_from.seen.needs.window_count, 1);
    assert_int_equal(made_from.seen.needs.window_seconds[0], 86400);
    assert_int_equal(made_from.seen.history.window_counts[0], 1);
    assert_int_equal(made_from.seen.history.window_amounts[0], 5);
    assert_int_equal(made_from.seen.history.order_amount, 20);
    assert_true(made_from.seen.history.has_duplicate);
    assert_string_equal(made_from.seen.prices, "prc_1");
    assert_int_equal(made_from.seen.budget_count, 1);
    assert_string_equal(made_from.seen.budgets[0].id, "bud_a");
    assert_true(made_from.seen.budgets[0].shadow_price == 0.5);
    assert_int_equal(made_from.seen.budgets[0].remaining, 90);
    assert_int_equal(made_from.asked.order_amount, 4000);
    arena_reset(&arena);
}

static void a_context_that_was_cut_is_refused(void **state)
{
    struct decision_context made_from;
    struct err err;

    (void)state;
    for (size_t bytes = 0; bytes < sizeof whole - 1; bytes++)
        if (decode(whole, bytes, ARENA_BYTES, &made_from, &err) == STATUS_OK)
            fail_msg("the first %zu bytes were taken", bytes);
}

static void a_context_that_cannot_be_is_refused(void **state)
{
    static const struct {
        const char *before, *repeated;
        int count;
        const char *after, *said;
    } contexts[] = {
        {"{\"prices\":\"", "p", ID_BYTES, "\"," CASE "}", "the prices is too long"},
        {"{\"batch_id\":\"", "b", ID_BYTES, "\"," CASE "}", "an id is too long"},
        {"{\"budgets\":[{\"id\":\"", "b", BUDGET_ID_BYTES, "\"}]," CASE "}",
         "budget id is too long"},
        {"{\"budgets\":[{}", ",{}", DECISION_BUDGET_COUNT_MAX, "]," CASE "}",
         "more than"},
        {"{\"windows\":[{}", ",{}", POLICY_WINDOW_COUNT_MAX, "]," CASE "}", "more than"},
        {"{\"build\":7,", "", 0, CASE "}", "stored context"},
        {"{\"prices\":7,", "", 0, CASE "}", "stored context"},
        {"{\"batch_id\":7,", "", 0, CASE "}", "stored context"},
        {"{\"budgets\":[{\"id\":7}],", "", 0, CASE "}", "stored context"},
        {"{\"windows\":[{\"count\":\"x\"}],", "", 0, CASE "}", "stored context"},
        {"{\"now_us\":1", "", 0, "}", "stored case"},
        {"{\"case\":{}", "", 0, "}", "stored case"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++) {
        struct decision_context made_from;
        char text[CONTEXT_BYTES];
        size_t used = (size_t)snprintf(text, sizeof text, "%s", contexts[i].before);
        struct err err;

        for (int k = 0; k < contexts[i].count; k++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s",
                                     contexts[i].repeated);
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s", contexts[i].after);
        assert_true(used < sizeof text);
        if (decode(text, used, ARENA_BYTES, &made_from, &err) == STATUS_OK ||
            !strstr(err.text, contexts[i].said))
            fail_msg("%s: '%s'", text, err.text);
    }
}

static void a_context_without_room_is_refused_as_that(void **state)
{
    struct decision_context made_from;
    int refused_count = 0;
    struct err err;
    enum status rc;

    (void)state;
    for (size_t bytes = 16;
         (rc = decode(whole, sizeof whole - 1, bytes, &made_from, &err)); bytes += 8) {
        assert_int_equal(rc, STATUS_EXHAUSTED);
        assert_true(bytes < ARENA_BYTES);
        refused_count++;
    }
    assert_true(refused_count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_comes_back_and_later_ones_are_left_alone),
        cmocka_unit_test(a_context_that_was_cut_is_refused),
        cmocka_unit_test(a_context_that_cannot_be_is_refused),
        cmocka_unit_test(a_context_without_room_is_refused_as_that),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
