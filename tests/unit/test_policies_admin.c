/* test_policies_admin.c - policies put, rolled back and served, revision by revision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/service_fixture.h"
#include "decide/load.h"
#include "support/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MENU_500  "{\"currency\": \"USD\", \"menu\": {\"amounts\": [500]}}"
#define MENU_1000 "{\"currency\": \"USD\", \"menu\": {\"amounts\": [1000]}}"

static enum status put(struct running *running, const char *id, const char *body,
                       const char *if_match)
{
    return ask(running, (struct asking){.prepare = policy_put_prepare,
                                        .subject = id,
                                        .body = body,
                                        .if_match = if_match});
}

static enum status roll_back(struct running *running, const char *body,
                             const char *if_match)
{
    return ask(running, (struct asking){.prepare = policy_rollback_prepare,
                                        .subject = "goodwill",
                                        .body = body,
                                        .if_match = if_match});
}

static enum status try_show(struct running *running, const char *id, int64_t revision)
{
    struct arena *arena = answer_arena(running);

    running->status = policy_show(running->service, id, revision, arena, &running->text,
                                  &running->revision, &running->err);
    return running->status;
}

static json_t *show(struct running *running, const char *id, int64_t revision)
{
    return shown(running, try_show(running, id, revision));
}

/* The revision that decides now; 0: none. */
static int64_t served(struct running *running, const char *id)
{
    struct world *world = world_acquire(service_worlds(running->service));
    int64_t revision = 0;

    for (int i = 0; i < world->policy_count; i++)
        if (strcmp(world->policies[i]->id, id) == 0)
            revision = world->policies[i]->revision;
    world_release(world);
    return revision;
}

/* The amount that the policy in force offers. */
static int64_t offered(struct running *running)
{
    static const char body[] =
        "{\"case_id\": \"z\", \"customer_id\": \"c\", \"currency\":"
        " \"USD\", \"order_amount\": 5000, \"issue\": \"quality\"}";
    struct world *world = world_acquire(service_worlds(running->service));
    struct refund_case asked;
    struct arena arena;
    struct menu menu;
    struct err err;
    int64_t amount;

    err_clear(&err);
    arena_init(&arena, NULL, 0, 1 << 20);
    if (case_decode(body, strlen(body), &arena, &asked, &err) ||
        policy_menu(world->policies[0]->policy, &asked, SERVICE_TIME_US, &arena, &menu,
                    &err))
        fail_msg("%s", err.text);
    amount = menu.options[menu.count - 1].amount;
    arena_reset(&arena);
    world_release(world);
    return amount;
}

static void a_new_policy_is_served_at_once(void **state)
{
    struct running *running = *state;

    assert_int_equal(put(running, "goodwill", MENU_500, NULL), STATUS_OK);
    assert_int_equal(running->action.http_status, 201);
    assert_string_equal(running->action.location, "/v1/policies/goodwill");
    assert_int_equal(running->revision, 1);
    assert_string_equal(string_at(running->json, "id"), "goodwill");
    assert_string_equal(string_at(running->json, "object"), "policy");
    assert_string_equal(string_at(running->json, "created_by"), "key_test");
    assert_string_equal(string_at(running->json, "created_at"), "2025-11-20T18:02:11Z");
    assert_int_equal(int_at(running->json, "menu/amounts/0"), 500);
    assert_null(at(running->json, "warnings"));
    assert_int_equal(served(running, "goodwill"), 1);
    assert_int_equal(offered(running), 500);
}

static void a_change_needs_the_revision_that_was_seen(void **state)
{
    struct running *running = *state;

    (void)put(running, "goodwill", MENU_500, "\"1\"");
    assert_refused(running, STATUS_STALE, "precondition_failed");
    assert_int_equal(put(running, "goodwill", MENU_500, NULL), STATUS_OK);
    (void)put(running, "goodwill", MENU_1000, NULL);
    assert_refused(running, STATUS_PRECONDITION, "precondition_required");
    (void)put(running, "goodwill", MENU_1000, "\"2\"");
    assert_refused(running, STATUS_STALE, "precondition_failed");
    assert_int_equal(offered(running), 500);
    assert_int_equal(put(running, "goodwill", MENU_1000, "\"1\""), STATUS_OK);
    assert_int_equal(running->action.http_status, 200);
    assert_int_equal(served(running, "goodwill"), 2);
    assert_int_equal(offered(running), 1000);
}

static void what_is_read_can_be_put_back(void **state)
{
    struct running *running = *state;
    json_t *before;
    char *text;

    assert_int_equal(put(running, "goodwill", MENU_500, NULL), STATUS_OK);
    before = json_deep_copy(show(running, "goodwill", 0));
    text = json_dumps(before, 0);
    assert_int_equal(put(running, "goodwill", text, "*"), STATUS_OK);
    json_object_set_new(before, "revision", json_integer(2));
    assert_true(json_equal(before, running->json));
    assert_true(json_equal(before, show(running, "goodwill", 0)));
    json_decref(before);
    free(text);
}

static void faults_of_the_document_are_passed_on(void **state)
{
    struct running *running = *state;

    (void)put(running, "goodwill", "{\"menu\": {\"amounts\": [-5]}, \"mneu\": 1}", NULL);
    assert_fault(running, "/currency", "missing_field");
    assert_fault(running, "/mneu", "unknown_field");
    assert_true(running->err.fault_count >= 3);
    (void)put(running, "goodwill", "{\"currency\": ", NULL);
    assert_int_equal(running->status, STATUS_MALFORMED);
    (void)put(running, "goodwill", "[1]", NULL);
    assert_true(running->status == STATUS_INVALID || running->status == STATUS_MALFORMED);
    assert_int_equal(served(running, "goodwill"), 0);
}

static void ids_are_plain_words(void **state)
{
    static const char *const wrong[] = {
        "",    "Good",
        "a b", "a/b",
        "a.b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct running *running = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)put(running, wrong[i], MENU_500, NULL);
        assert_refused(running, STATUS_INVALID, "invalid_id");
    }
    assert_int_equal(put(running, wrong[5] + 1, MENU_500, NULL), STATUS_OK);
}

static void a_policy_whose_model_has_no_champion_is_taken_with_a_warning(void **state)
{
    struct running *running = *state;

    assert_int_equal(put(running, "goodwill",
                         "{\"currency\": \"USD\", \"model\": \"m\","
                         " \"menu\": {\"amounts\": [500]}}",
                         NULL),
                     STATUS_OK);
    assert_string_equal(string_at(running->json, "warnings/0/code"),
                        "model_without_champion");
    assert_non_null(strstr(string_at(running->json, "warnings/0/detail"), "'m'"));
}

static void rolling_back_makes_a_new_revision_of_an_old_document(void **state)
{
    struct running *running = *state;
    static const char back[] = "{\"revision\": 1, \"reason\": \"too generous\"}";
    struct arena *arena;

    assert_int_equal(put(running, "goodwill", MENU_500, NULL), STATUS_OK);
    assert_int_equal(put(running, "goodwill", MENU_1000, "*"), STATUS_OK);
    (void)roll_back(running, back, "\"1\"");
    assert_refused(running, STATUS_STALE, "precondition_failed");
    assert_int_equal(roll_back(running, back, NULL), STATUS_OK);
    assert_int_equal(running->action.http_status, 200);
    assert_int_equal(int_at(running->json, "revision"), 3);
    assert_int_equal(int_at(running->json, "menu/amounts/0"), 500);
    assert_int_equal(served(running, "goodwill"), 3);
    assert_int_equal(offered(running), 500);

    arena = answer_arena(running);
    shown(running, policy_revisions_show(running->service, "goodwill", arena,
                                         &running->text, &running->err));
    assert_int_equal(json_array_size(at(running->json, "data")), 3);
    assert_int_equal(int_at(running->json, "data/0/revision"), 3);
    assert_string_equal(string_at(running->json, "data/0/reason"), "too generous");
    assert_true(json_is_null(at(running->json, "data/1/reason")));
    assert_int_equal(int_at(show(running, "goodwill", 2), "menu/amounts/0"), 1000);

    arena = answer_arena(running);
    shown(running, audit_list_show(running->service, text_of(""), 1, true, arena,
                                   &running->text, &running->err));
    assert_string_equal(string_at(running->json, "data/0/action"), "policy.rolled_back");
    assert_int_equal(int_at(running->json, "data/0/detail/before/revision"), 2);
    assert_int_equal(int_at(running->json, "data/0/detail/after/revision"), 3);
    assert_int_equal(int_at(running->json, "data/0/detail/after/rolled_back_to"), 1);
    assert_string_equal(string_at(running->json, "data/0/detail/reason"), "too generous");
}

static void there_is_no_way_back_without_a_reason_or_a_revision(void **state)
{
    struct running *running = *state;

    assert_int_equal(put(running, "goodwill", MENU_500, NULL), STATUS_OK);
    (void)roll_back(running, "{\"revision\": 1}", NULL);
    assert_fault(running, "/reason", "missing_field");
    (void)roll_back(running, "{\"revision\": 0, \"reason\": \"x\"}", NULL);
    assert_fault(running, "/revision", "out_of_range");
    (void)roll_back(running, "{\"revision\": 2, \"reason\": \"x\"}", NULL);
    assert_refused(running, STATUS_NOT_FOUND, "policy_not_found");
    assert_int_equal(served(running, "goodwill"), 1);
}

static void policies_are_listed_in_their_newest_revision(void **state)
{
    struct running *running = *state;
    struct arena *arena;

    assert_int_equal(put(running, "b", MENU_500, NULL), STATUS_OK);
    assert_int_equal(put(running, "a", MENU_500, NULL), STATUS_OK);
    assert_int_equal(put(running, "b", MENU_1000, "*"), STATUS_OK);
    arena = answer_arena(running);
    shown(running,
          policy_list_show(running->service, arena, &running->text, &running->err));
    assert_string_equal(string_at(running->json, "object"), "list");
    assert_int_equal(json_array_size(at(running->json, "data")), 2);
    assert_string_equal(string_at(running->json, "data/0/id"), "a");
    assert_int_equal(int_at(running->json, "data/1/revision"), 2);
    assert_int_equal(int_at(running->json, "data/1/menu/amounts/0"), 1000);
    assert_int_equal(try_show(running, "c", 0), STATUS_NOT_FOUND);
    assert_string_equal(running->err.code, "policy_not_found");
}

static enum status store_nonsense(struct job *job, struct commit *commit, struct err *err)
{
    struct policy_revision revision = {.id = "broken",
                                       .created_at_us = commit->now_us,
                                       .created_by = "key_test",
                                       .document = text_of("{\"currency\": \"ABC\"}")};

    (void)job;
    return policy_insert(commit->store, &revision, err);
}

static void a_restart_serves_what_was_served_and_leaves_out_what_it_cannot(void **state)
{
    struct running *running = *state;

    assert_int_equal(put(running, "goodwill", MENU_500, NULL), STATUS_OK);
    assert_int_equal(put(running, "goodwill", MENU_1000, "*"), STATUS_OK);
    commit_run(running, store_nonsense);
    running_restart(running);
    assert_int_equal(served(running, "goodwill"), 2);
    assert_int_equal(served(running, "broken"), 0);
    assert_int_equal(offered(running), 1000);
}

static void a_stored_revision_can_be_opened_for_replay(void **state)
{
    struct running *running = *state;
    struct served_policy *policy;
    struct store *reader;

    assert_int_equal(put(running, "goodwill", MENU_500, NULL), STATUS_OK);
    assert_int_equal(put(running, "goodwill", MENU_1000, "*"), STATUS_OK);
    reader = service_reader_take(running->service);
    assert_int_equal(policy_open(reader, "goodwill", 1, &policy, &running->err),
                     STATUS_OK);
    assert_int_equal(policy->revision, 1);
    assert_string_equal(policy_currency(policy->policy), "USD");
    served_policy_release(policy);
    assert_int_equal(policy_open(reader, "goodwill", 3, &policy, &running->err),
                     STATUS_NOT_FOUND);
    service_reader_give(running->service, reader);
}

/* Asking again neither stores nor serves anything, and gives back what was prepared (the
 * leak checker of the asan build looks). */
static void putting_again_with_the_same_key_changes_nothing(void **state)
{
    struct running *running = *state;
    const struct asking asking = {.prepare = policy_put_prepare,
                                  .subject = "goodwill",
                                  .body = MENU_500,
                                  .key = "k"};

    ask_ok(running, asking);
    ask_ok(running, asking);
    assert_true(running->action.is_replayed);
    assert_int_equal(int_at(running->json, "revision"), 1);
    assert_int_equal(served(running, "goodwill"), 1);
}

/* Wherever memory runs out: it is said, and the policy before stays in force. */
static void too_little_memory_changes_nothing(void **state)
{
    struct running *running = *state;
    static const char back[] = "{\"revision\": 1, \"reason\": \"x\"}";

    assert_int_equal(put(running, "goodwill", MENU_500, NULL), STATUS_OK);
    assert_true(ask_sweep(running, (struct asking){.prepare = policy_put_prepare,
                                                   .subject = "goodwill",
                                                   .body = MENU_1000,
                                                   .if_match = "\"1\""}) > 3);
    assert_int_equal(served(running, "goodwill"), 2);
    assert_true(ask_sweep(running, (struct asking){.prepare = policy_rollback_prepare,
                                                   .subject = "goodwill",
                                                   .body = back,
                                                   .if_match = "\"2\""}) > 3);
    assert_int_equal(served(running, "goodwill"), 3);
    assert_int_equal(offered(running), 500);
}

int main(void)
{
#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, running_set_up, running_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_policy_is_served_at_once),
        TEST(a_change_needs_the_revision_that_was_seen),
        TEST(what_is_read_can_be_put_back),
        TEST(faults_of_the_document_are_passed_on),
        TEST(ids_are_plain_words),
        TEST(a_policy_whose_model_has_no_champion_is_taken_with_a_warning),
        TEST(rolling_back_makes_a_new_revision_of_an_old_document),
        TEST(there_is_no_way_back_without_a_reason_or_a_revision),
        TEST(policies_are_listed_in_their_newest_revision),
        TEST(a_restart_serves_what_was_served_and_leaves_out_what_it_cannot),
        TEST(a_stored_revision_can_be_opened_for_replay),
        TEST(putting_again_with_the_same_key_changes_nothing),
        TEST(too_little_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
