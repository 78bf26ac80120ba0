/* test_model_aliases.c - who is pointed at decides: champions that move, back too, while
 * others are asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/model_fixture.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static void moving_champion_changes_who_decides(void **state)
{
    struct running *running = *state;
    double effect;

    model_push_slope(running, 10);
    model_push_slope(running, 20);
    assert_int_equal(model_served(running, &effect), 0);
    model_promote(running, 1);
    assert_int_equal(model_served(running, &effect), 1);
    assert_true(effect == 10);
    model_promote(running, 2);
    assert_string_equal(string_at(running->json, "object"), "model_alias");
    assert_string_equal(string_at(running->json, "alias"), "champion");
    assert_int_equal(int_at(running->json, "version"), 2);
    assert_int_equal(int_at(running->json, "previous_version"), 1);
    assert_int_equal(model_served(running, &effect), 2);
    assert_true(effect == 20);
    assert_string_equal(string_at(shown(running, model_show(running, 2)), "aliases/0"),
                        "champion");
    running_restart(running);
    assert_int_equal(model_served(running, &effect), 2);
    assert_true(effect == 20);
}

static void who_works_under_the_old_champion_finishes_undisturbed(void **state)
{
    struct running *running = *state;
    struct world *world;
    double row = 1, effect;

    model_push_slope(running, 10);
    model_push_slope(running, 20);
    model_promote(running, 1);
    world = world_acquire(service_worlds(running->service));
    model_promote(running, 2);
    assert_int_equal(scorer_effects(world_model(world, "m")->scorer, &row, 1, &effect,
                                    NULL, &running->err),
                     STATUS_OK);
    assert_true(effect == 10);
    world_release(world);
}

static void challenger_and_shadow_do_not_decide(void **state)
{
    struct running *running = *state;
    double effect;

    model_push_slope(running, 10);
    assert_int_equal(
        alias_move(running, "m/challenger", "{\"version\": 1, \"reason\": \"x\"}"),
        STATUS_OK);
    assert_int_equal(
        alias_move(running, "m/shadow", "{\"version\": 1, \"reason\": \"x\"}"),
        STATUS_OK);
    assert_true(json_is_null(at(running->json, "previous_version")));
    assert_int_equal(model_served(running, &effect), 0);
    assert_int_equal(
        json_array_size(at(shown(running, model_show(running, 1)), "aliases")), 2);
}

static void an_alias_is_moved_with_a_version_and_a_reason_only(void **state)
{
    struct running *running = *state;
    double effect;

    model_push_slope(running, 10);
    (void)alias_move(running, "m/champion", "{\"version\": 1}");
    assert_fault(running, "/reason", "missing_field");
    (void)alias_move(running, "m/champion", "{\"reason\": \"x\"}");
    assert_fault(running, "/version", "missing_field");
    (void)alias_move(running, "m/champion", "{\"version\": \"1\", \"reason\": \"x\"}");
    assert_fault(running, "/version", "wrong_type");
    (void)alias_move(running, "m/challenger",
                     "{\"version\": 1, \"reason\": \"x\", \"traffic_percent\": 10}");
    assert_fault(running, "/traffic_percent", "not_supported");
    assert_refused(running, STATUS_INVALID, "not_supported");
    (void)alias_move(running, "m/champion", "{\"version\": 2, \"reason\": \"x\"}");
    assert_refused(running, STATUS_NOT_FOUND, "model_version_not_found");
    (void)alias_move(running, "other/champion", "{\"version\": 1, \"reason\": \"x\"}");
    assert_refused(running, STATUS_NOT_FOUND, "model_version_not_found");
    (void)alias_move(running, "m/winner", "{\"version\": 1, \"reason\": \"x\"}");
    assert_refused(running, STATUS_NOT_FOUND, "alias_not_found");
    assert_int_equal(model_served(running, &effect), 0);
}

static void history_says_what_served_when_and_why(void **state)
{
    struct running *running = *state;
    const json_t *list;

    model_push_slope(running, 10);
    model_push_slope(running, 20);
    model_promote(running, 1); /* at 18:02:12 */
    model_promote(running, 2); /* at 18:02:13 */
    assert_int_equal(
        alias_move(running, "m/shadow", "{\"version\": 1, \"reason\": \"look\"}"),
        STATUS_OK);
    list = model_history(running, 0);
    assert_int_equal(json_array_size(at(list, "data")), 3);
    assert_string_equal(string_at(list, "data/0/alias"), "shadow");
    assert_string_equal(string_at(list, "data/1/reason"), "trial 2");
    assert_string_equal(string_at(list, "data/1/moved_by"), "key_test");
    assert_string_equal(string_at(list, "data/2/moved_at"), "2025-11-20T18:02:12Z");
    list = model_history(running, SERVICE_TIME_US + SECOND_US);
    assert_int_equal(json_array_size(at(list, "data")), 1);
    assert_int_equal(int_at(list, "data/0/version"), 1);
    list = model_history(running, SERVICE_TIME_US + 2 * SECOND_US);
    assert_int_equal(json_array_size(at(list, "data")), 2);
    assert_int_equal(int_at(list, "data/1/version"), 2);
    list = model_history(running, SERVICE_TIME_US);
    assert_int_equal(json_array_size(at(list, "data")), 0);
}

static void the_history_of_an_unknown_model_is_not_empty_but_missing(void **state)
{
    struct running *running = *state;
    struct arena *arena = answer_arena(running);

    running->status = model_history_show(running->service, "m", 0, arena, &running->text,
                                         &running->err);
    assert_refused(running, STATUS_NOT_FOUND, "model_not_found");
    model_push_slope(running, 10);
    assert_int_equal(json_array_size(at(model_history(running, 0), "data")), 0);
}

struct scoring {
    struct world_holder *worlds;
    atomic_bool is_over;
    atomic_int wrong_count, call_count;
};

static void *score(void *argument)
{
    struct scoring *scoring = argument;
    struct err err;

    err_clear(&err);
    while (!atomic_load(&scoring->is_over)) {
        struct world *world = world_acquire(scoring->worlds);
        const struct served_model *model = world_model(world, "m");
        double row = 1, effect = 0;

        if (!model || scorer_effects(model->scorer, &row, 1, &effect, NULL, &err) ||
            effect != (double)model->version)
            atomic_fetch_add(&scoring->wrong_count, 1);
        world_release(world);
        atomic_fetch_add(&scoring->call_count, 1);
    }
    return NULL;
}

static void cases_are_answered_while_the_champion_moves(void **state)
{
    struct running *running = *state;
    struct scoring scoring = {.worlds = service_worlds(running->service)};
    pthread_t thread;

    model_push_slope(running, 1);
    model_push_slope(running, 2);
    model_promote(running, 1);
    assert_int_equal(pthread_create(&thread, NULL, score, &scoring), 0);
    /* The thread may be late. */
    for (int i = 0; i < 20 || atomic_load(&scoring.call_count) == 0; i++)
        model_promote(running, 1 + i % 2);
    atomic_store(&scoring.is_over, true);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&scoring.call_count) > 0);
    assert_int_equal(atomic_load(&scoring.wrong_count), 0);
}

/* The model of slope 1 whose feature is want. */
static const char *other_bundle(void)
{
    static char text[2048];
    const char *bundle = model_bundle(1, 2), *need = strstr(bundle, "need");

    snprintf(text, sizeof text, "%.*swant%s", (int)(need - bundle), bundle, need + 4);
    return text;
}

static void features_that_a_new_champion_lacks_are_named(void **state)
{
    struct running *running = *state;

    model_push_slope(running, 1);
    assert_int_equal(model_push(running, "m", other_bundle()), STATUS_OK);
    model_push_slope(running, 3);
    model_promote(running, 1);
    assert_null(at(running->json, "warnings"));
    assert_int_equal(
        alias_move(running, "m/shadow", "{\"version\": 2, \"reason\": \"x\"}"),
        STATUS_OK);
    assert_null(at(running->json, "warnings"));
    model_promote(running, 2);
    assert_string_equal(string_at(running->json, "warnings/0/code"), "features_lost");
    assert_string_equal(
        string_at(running->json, "warnings/0/detail"),
        "version 1 knew 1 feature that this one does not: 'need'; cases that have it are "
        "refused from now on (unknown_feature)");
    model_promote(running, 2);
    assert_null(at(running->json, "warnings"));
    model_promote(running, 3);
    assert_non_null(strstr(string_at(running->json, "warnings/0/detail"), "'want'"));
}

/* A model of these features and of need, which alone counts. */
static const char *wide_bundle(const char *const *names, int count)
{
    static char text[8192];
    int bytes =
        snprintf(text, sizeof text,
                 "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": \"m\","
                 " \"kind\": \"effect\", \"learner\": \"effect\", \"features\": [");

#define ADD(...) bytes += snprintf(text + bytes, sizeof text - (size_t)bytes, __VA_ARGS__)
    for (int i = 0; i < count; i++)
        ADD("{\"name\": \"%s\", \"type\": \"float\"}, ", names[i]);
    ADD("{\"name\": \"need\", \"type\": \"float\"}],"
        " \"arms\": [{\"name\": \"a500\", \"dose\": 500}],"
        " \"components\": [{\"role\": \"tau\", \"arm\": \"a500\", \"file\": "
        "\"a500.json\"}],"
        " \"examples\": {\"rows\": [[");
    for (int i = 0; i < count; i++)
        ADD("0, ");
    ADD("2]], \"effects\": [[2]]}},"
        " \"files\": {\"a500.json\": {\"json\": {\"format\": \"redress-linear/1\","
        " \"weights\": [");
    for (int i = 0; i < count; i++)
        ADD("0, ");
    ADD("1], \"intercept\": 0}}}}");
#undef ADD
    assert_true((size_t)bytes < sizeof text);
    return text;
}

#define TEN(text) text text text text text text text text text text
#define LONG(end) TEN("long_") "nine_more" end

/* Three names, each with 60 bytes at most and without half a character; how many more
 * there are is said. */
static void of_many_lost_features_a_few_are_named_in_short(void **state)
{
    static const char *const names[] = {
        LONG("60"),               /* 61 bytes */
        LONG("\xc3\xa9\xc3\xa9"), /* 60 bytes end within the first of two letters */
        LONG(TEN("x")),
        "four",
        "five",
    };
    static const struct {
        int count;
        const char *names;
    } rows[] = {
        {3, "knew 3 features that this one does not: '" LONG("6") "', '" LONG(
                "") "', '" LONG("x") "'; cases"},
        {4, "knew 4 features that this one does not: '" LONG("6") "', '" LONG(
                "") "', '" LONG("x") "' and 1 more; cases"},
        {5, "' and 2 more; cases that have them are refused"},
    };
    struct running *running = *state;

    static_assert(sizeof LONG("") == 59 + 1);
    model_push_slope(running, 1);
    for (int i = 0; i < 3; i++) {
        int wide = 2 + i;
        const char *detail;

        assert_int_equal(model_push(running, "m", wide_bundle(names, rows[i].count)),
                         STATUS_OK);
        model_promote(running, wide);
        model_promote(running, 1);
        detail = string_at(running->json, "warnings/0/detail");
        if (!strstr(detail, rows[i].names))
            fail_msg("'%s' does not say '%s'", detail, rows[i].names);
    }
}

int main(void)
{
#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, running_set_up, running_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(moving_champion_changes_who_decides),
        TEST(who_works_under_the_old_champion_finishes_undisturbed),
        TEST(challenger_and_shadow_do_not_decide),
        TEST(an_alias_is_moved_with_a_version_and_a_reason_only),
        TEST(features_that_a_new_champion_lacks_are_named),
        TEST(of_many_lost_features_a_few_are_named_in_short),
        TEST(history_says_what_served_when_and_why),
        TEST(the_history_of_an_unknown_model_is_not_empty_but_missing),
        TEST(cases_are_answered_while_the_champion_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
