/* test_action.c - decide/action.h: an action begins with nothing of what lay in its
 * memory before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "decide/action.h"

#include <string.h>

/* Memory as a request before left it. */
static _Alignas(max_align_t) unsigned char used[2 * sizeof(struct action)];

static struct arena used_arena(size_t bytes)
{
    struct arena arena;

    memset(used, 0xa5, sizeof used);
    arena_init(&arena, used, bytes, 0);
    return arena;
}

static void a_new_action_waits_for_nothing_and_for_nobody(void **state)
{
    struct arena arena = used_arena(sizeof used);
    struct action *action = action_new(&arena);

    (void)state;
    assert_non_null(action);
    assert_int_equal(action->job.late_at_us, 0);
    assert_false(action->job.is_last);
    assert_int_equal(action->job.status, STATUS_OK);
    assert_int_equal(action->job.err.status, STATUS_OK);
    assert_string_equal(action->job.err.text, "");
    assert_ptr_equal(action->arena, &arena);
}

/* Whatever fields it has, and in whatever order: the sentence of an error alone is not
 * looked at before there is one, nor the padding behind it. */
static void a_new_action_is_cleared_but_for_the_text_of_an_error(void **state)
{
    struct arena arena = used_arena(sizeof used);
    struct action *action = action_new(&arena);
    const unsigned char *bytes = (const unsigned char *)action;
    size_t err_at = offsetof(struct action, job.err);
    size_t err_end = err_at + sizeof action->job.err;

    (void)state;
    assert_non_null(action);
    if (sizeof action->job - err_end < _Alignof(struct job))
        err_end = sizeof action->job;
    action->arena = NULL;
    for (size_t i = 0; i < sizeof *action; i++)
        if ((i < err_at || i >= err_end) && bytes[i] != 0)
            fail_msg("byte %zu of %zu is not cleared", i, sizeof *action);
}

static void an_arena_without_room_gives_no_action(void **state)
{
    struct arena arena = used_arena(sizeof(struct action) / 2);

    (void)state;
    assert_null(action_new(&arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_action_waits_for_nothing_and_for_nobody),
        cmocka_unit_test(a_new_action_is_cleared_but_for_the_text_of_an_error),
        cmocka_unit_test(an_arena_without_room_gives_no_action),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
