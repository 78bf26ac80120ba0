/* test_budgets_admin.c - budgets as ops set them, and the ledger that says how they came
 * about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "decide/book.h"
#include "support/service_fixture.h"
#include "support/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAILY                                                                            \
    "{\"id\": \"bud_us\", \"scope\": {\"market\": \"us-ca\", \"issue\": "                \
    "\"late_delivery\"}, \"period\": \"day\", \"time_zone\": \"America/Los_Angeles\","   \
    " \"limit\": 5000, \"currency\": \"USD\", \"pacing\": \"even\","                     \
    " \"expected_cases\": 40}"

static json_t *create(struct running *running, const char *body)
{
    return ask_ok(running,
                  (struct asking){.prepare = budget_create_prepare, .body = body});
}

static enum status change(struct running *running, const char *body, const char *if_match)
{
    return ask(running, (struct asking){.prepare = budget_change_prepare,
                                        .subject = "bud_us",
                                        .body = body,
                                        .if_match = if_match});
}

static enum status adjust(struct running *running, const char *body, const char *key)
{
    return ask(running, (struct asking){.prepare = budget_adjust_prepare,
                                        .subject = "bud_us",
                                        .body = body,
                                        .key = key});
}

static enum status remove_budget(struct running *running, const char *id)
{
    return ask(running, (struct asking){.prepare = budget_delete_prepare,
                                        .subject = id,
                                        .if_match = "*"});
}

static json_t *show(struct running *running, const char *id)
{
    struct arena *arena = answer_arena(running);

    return shown(running, budget_show(running->service, id, arena, &running->text,
                                      &running->revision, &running->err));
}

static json_t *entries(struct running *running, const char *id, const char *after,
                       int limit, bool is_descending)
{
    struct arena *arena = answer_arena(running);

    return shown(running,
                 entry_list_show(running->service, id, text_of(after), limit,
                                 is_descending, arena, &running->text, &running->err));
}

static json_t *budgets(struct running *running)
{
    struct arena *arena = answer_arena(running);

    return shown(running, budget_list_show(running->service, arena, &running->text,
                                           &running->err));
}

static json_t *newest_event(struct running *running)
{
    struct arena *arena = answer_arena(running);

    shown(running, audit_list_show(running->service, text_of(""), 1, true, arena,
                                   &running->text, &running->err));
    return json_array_get(json_object_get(running->json, "data"), 0);
}

/* Hold 600 of the budget, as a decision would. */
static enum status hold_600(struct job *job, struct commit *commit, struct err *err)
{
    struct decision_row row;

    (void)job;
    return decide_once(commit->store, book_find(commit->book, "bud_us"), 1, 600, &row,
                       err);
}

/* --- create and show -------------------------------------------------------------------------- */

static void a_budget_shows_what_was_set_and_what_is_left(void **state)
{
    struct running *running = *state;
    json_t *budget = create(running, DAILY);

    assert_int_equal(running->action.http_status, 201);
    assert_string_equal(running->action.location, "/v1/budgets/bud_us");
    assert_int_equal(running->revision, 1);
    assert_string_equal(string_at(budget, "object"), "budget");
    assert_string_equal(string_at(budget, "scope/market"), "us-ca");
    assert_int_equal(json_object_size(at(budget, "scope")), 2);
    assert_string_equal(string_at(budget, "pacing"), "even");
    assert_int_equal(int_at(budget, "expected_cases"), 40);
    assert_int_equal(int_at(budget, "remaining"), 5000);
    assert_int_equal(int_at(budget, "revision"), 1);
    /* 14:13 of the 14th in Los Angeles, which is 8 hours behind. */
    assert_string_equal(string_at(budget, "period_starts_at"), "2025-11-20T08:00:00Z");
    assert_string_equal(string_at(budget, "period_ends_at"), "2025-11-21T08:00:00Z");
    assert_string_equal(string_at(budget, "created_at"), "2025-11-20T18:02:11Z");

    budget = json_deep_copy(budget);
    assert_true(json_equal(budget, show(running, "bud_us")));
    assert_int_equal(running->revision, 1);
    running_restart(running);
    assert_true(json_equal(budget, show(running, "bud_us")));
    json_decref(budget);

    entries(running, "bud_us", "", 10, false);
    assert_int_equal(json_array_size(at(running->json, "data")), 1);
    assert_string_equal(string_at(running->json, "data/0/kind"), "adjust");
    assert_int_equal(int_at(running->json, "data/0/amount"), 5000);
    assert_true(json_is_null(at(running->json, "data/0/decision_id")));
}

static void what_is_not_given_has_a_plain_default(void **state)
{
    struct running *running = *state;
    json_t *budget =
        create(running, "{\"period\": \"total\", \"limit\": 0, \"currency\": \"EUR\"}");
    const char *id = string_at(budget, "id");

    assert_int_equal(strlen(id), 4 + ULID_DIGITS);
    assert_memory_equal(id, "bud_", 4);
    assert_int_equal(strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(id));
    assert_string_equal(string_at(budget, "time_zone"), "UTC");
    assert_int_equal(json_object_size(at(budget, "scope")), 0);
    assert_true(json_is_null(at(budget, "pacing")));
    assert_true(json_is_null(at(budget, "expected_cases")));
    assert_true(json_is_null(at(budget, "period_ends_at")));
}

static void an_id_is_taken_for_good(void **state)
{
    struct running *running = *state;
    const struct asking again = {.prepare = budget_create_prepare, .body = DAILY};

    create(running, DAILY);
    (void)ask(running, again);
    assert_refused(running, STATUS_CONFLICT, "budget_exists");
    assert_int_equal(remove_budget(running, "bud_us"), STATUS_OK);
    (void)ask(running, again);
    assert_refused(running, STATUS_CONFLICT, "budget_exists");
}

static void a_wrong_body_is_refused_at_the_member_that_is_wrong(void **state)
{
#define WITH(more) "{\"period\": \"day\", \"limit\": 1, \"currency\": \"USD\", " more "}"
    static const struct {
        const char *body, *pointer, *code;
    } rows[] = {
        {"{\"limit\": 1, \"currency\": \"USD\"}", "/period", "missing_field"},
        {"{\"period\": \"day\", \"currency\": \"USD\"}", "/limit", "missing_field"},
        {"{\"period\": \"day\", \"limit\": 1}", "/currency", "missing_field"},
        {WITH("\"limits\": 2"), "/limits", "unknown_field"},
        {WITH("\"a/b~c\": 2"), "/a~1b~0c", "unknown_field"},
        {WITH("\"id\": \"us\""), "/id", "invalid_id"},
        {WITH("\"id\": \"bud_\""), "/id", "invalid_id"},
        {WITH("\"id\": \"bud_US\""), "/id", "invalid_id"},
        {WITH("\"id\": "
              "\"bud_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""),
         "/id", "out_of_range"},
        {WITH("\"id\": 7"), "/id", "wrong_type"},
        {WITH("\"time_zone\": \"Mars/Base\""), "/time_zone", "unknown_value"},
        {WITH("\"pacing\": \"fast\""), "/pacing", "unknown_value"},
        {WITH("\"pacing\": true"), "/pacing", "wrong_type"},
        {WITH("\"expected_cases\": -1"), "/expected_cases", "out_of_range"},
        {WITH("\"expected_cases\": 1.5"), "/expected_cases", "wrong_type"},
        {WITH("\"scope\": {\"city\": \"x\"}"), "/scope/city", "unknown_field"},
        {WITH("\"scope\": [1]"), "/scope", "wrong_type"},
        {WITH("\"scope\": null"), "/scope", "wrong_type"},
        {WITH("\"scope\": {\"currency\": \"EUR\"}"), "/scope/currency",
         "currency_mismatch"},
        {"{\"period\": \"total\", \"limit\": 1, \"currency\": \"USD\", \"pacing\": "
         "\"even\"}",
         "/pacing", "not_supported"},
        {"{\"period\": \"year\", \"limit\": 1, \"currency\": \"USD\"}", "/period",
         "unknown_value"},
        {"{\"period\": \"day\", \"limit\": -1, \"currency\": \"USD\"}", "/limit",
         "out_of_range"},
        {"{\"period\": \"day\", \"limit\": 9007199254740992, \"currency\": \"USD\"}",
         "/limit", "out_of_range"},
        {"{\"period\": \"day\", \"limit\": 1.0, \"currency\": \"USD\"}", "/limit",
         "wrong_type"},
        {"{\"period\": \"day\", \"limit\": 1, \"currency\": \"usd\"}", "/currency",
         "unknown_value"},
        {"[]", "", "wrong_type"},
    };
    struct running *running = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)ask(running, (struct asking){.prepare = budget_create_prepare,
                                           .body = rows[i].body});
        assert_fault(running, rows[i].pointer, rows[i].code);
    }
    budgets(running);
    assert_int_equal(json_array_size(at(running->json, "data")), 0);
#undef WITH
}

static void all_faults_of_a_body_are_told_at_once(void **state)
{
    struct running *running = *state;

    (void)ask(running, (struct asking){.prepare = budget_create_prepare,
                                       .body = "{\"limit\": \"5\", \"period\": \"day\","
                                               " \"time_zone\": \"?\", \"what\": 1}"});
    assert_int_equal(running->err.fault_count, 4);
    assert_fault(running, "/limit", "wrong_type");
    assert_fault(running, "/currency", "missing_field");
    assert_fault(running, "/time_zone", "unknown_value");
    assert_fault(running, "/what", "unknown_field");
}

/* --- change ----------------------------------------------------------------------------------- */

static void what_is_read_can_be_put_back(void **state)
{
    struct running *running = *state;
    json_t *before, *after;
    char *text;

    create(running, DAILY);
    before = json_deep_copy(show(running, "bud_us"));
    text = json_dumps(before, 0);
    running->now_us += 60 * SECOND_US;
    if (change(running, text, "\"1\""))
        fail_msg("%s", running->err.text);
    after = running->json;
    assert_int_equal(running->action.http_status, 200);
    assert_int_equal(running->revision, 2);
    assert_string_equal(string_at(after, "updated_at"), "2025-11-20T18:03:11Z");
    json_object_set(before, "revision", json_object_get(after, "revision"));
    json_object_set(before, "updated_at", json_object_get(after, "updated_at"));
    assert_true(json_equal(before, after));
    json_decref(before);
    free(text);
    entries(running, "bud_us", "", 10,
            false); /* no entry for a limit that did not change */
    assert_int_equal(json_array_size(at(running->json, "data")), 1);
}

static void a_change_needs_the_revision_that_was_seen(void **state)
{
    struct running *running = *state;

    create(running, DAILY);
    (void)change(running, "{\"limit\": 1}", NULL);
    assert_refused(running, STATUS_PRECONDITION, "precondition_required");
    (void)change(running, "{\"limit\": 1}", "\"2\"");
    assert_refused(running, STATUS_STALE, "precondition_failed");
    (void)change(running, "{\"limit\": 1}", "1");
    assert_refused(running, STATUS_STALE, "precondition_failed");
    assert_int_equal(int_at(show(running, "bud_us"), "limit"), 5000);
    assert_int_equal(change(running, "{\"limit\": 1}", "*"), STATUS_OK);
    assert_int_equal(change(running, "{\"limit\": 2}", "\"2\""), STATUS_OK);
    assert_int_equal(int_at(show(running, "bud_us"), "revision"), 3);
}

static void a_change_leaves_alone_what_it_does_not_name(void **state)
{
    struct running *running = *state;
    const json_t *budget;

    create(running, DAILY);
    assert_int_equal(change(running, "{\"limit\": 7000}", "*"), STATUS_OK);
    budget = show(running, "bud_us");
    assert_int_equal(int_at(budget, "limit"), 7000);
    assert_string_equal(string_at(budget, "scope/issue"), "late_delivery");
    assert_string_equal(string_at(budget, "pacing"), "even");
    assert_int_equal(int_at(budget, "expected_cases"), 40);
    assert_string_equal(string_at(budget, "time_zone"), "America/Los_Angeles");
    assert_int_equal(change(running,
                            "{\"pacing\": null, \"expected_cases\": null, \"scope\": "
                            "{\"channel\": \"chat\"}, \"time_zone\": \"Asia/Tokyo\"}",
                            "*"),
                     STATUS_OK);
    budget = show(running, "bud_us");
    assert_true(json_is_null(at(budget, "pacing")));
    assert_true(json_is_null(at(budget, "expected_cases")));
    assert_int_equal(json_object_size(at(budget, "scope")), 1);
    assert_string_equal(string_at(budget, "scope/channel"), "chat");
    /* 07:13 of the 15th in Tokyo. */
    assert_string_equal(string_at(budget, "period_starts_at"), "2025-11-20T15:00:00Z");
    assert_int_equal(int_at(budget, "limit"), 7000);
    entries(running, "bud_us", "1", 10, false);
    assert_int_equal(int_at(running->json, "data/0/amount"), 2000);
    assert_string_equal(string_at(running->json, "data/0/note"), "limit changed");
}

static void id_period_and_currency_stay_as_they_are(void **state)
{
    struct running *running = *state;

    create(running, DAILY);
    (void)change(running,
                 "{\"id\": \"bud_eu\", \"period\": \"week\", \"currency\": \"EUR\"}",
                 "*");
    assert_fault(running, "/id", "immutable_field");
    assert_fault(running, "/period", "immutable_field");
    assert_fault(running, "/currency", "immutable_field");
    (void)change(running, "{\"scope\": {\"currency\": \"EUR\"}}", "*");
    assert_fault(running, "/scope/currency", "currency_mismatch");
    assert_int_equal(int_at(show(running, "bud_us"), "revision"), 1);
    (void)ask(running, (struct asking){.prepare = budget_change_prepare,
                                       .subject = "bud_nobody",
                                       .body = "{}",
                                       .if_match = "*"});
    assert_refused(running, STATUS_NOT_FOUND, "budget_not_found");
}

static void a_limit_may_fall_below_what_is_held(void **state)
{
    struct running *running = *state;

    create(running, DAILY);
    commit_run(running, hold_600);
    assert_int_equal(change(running, "{\"limit\": 100}", "*"), STATUS_OK);
    assert_int_equal(int_at(running->json, "held"), 600);
    assert_int_equal(int_at(running->json, "remaining"), -500);
    (void)remove_budget(running, "bud_us");
    assert_refused(running, STATUS_CONFLICT, "budget_has_holds");
    running_restart(running);
    assert_int_equal(int_at(show(running, "bud_us"), "remaining"), -500);
}

/* --- adjustments ------------------------------------------------------------------------------ */

static void an_adjustment_changes_the_limit_and_says_why(void **state)
{
    struct running *running = *state;
    static const char body[] = "{\"amount\": -1500, \"reason_code\": \"q4.cut\","
                               " \"note\": \"agreed with \\\"finance\\\"\"}";

    create(running, DAILY);
    assert_int_equal(adjust(running, body, "k1"), STATUS_OK);
    assert_int_equal(running->action.http_status, 201);
    assert_string_equal(string_at(running->json, "object"), "adjustment");
    assert_string_equal(string_at(running->json, "budget_id"), "bud_us");
    assert_int_equal(int_at(running->json, "amount"), -1500);
    assert_int_equal(int_at(running->json, "limit"), 3500);
    assert_int_equal(int_at(running->json, "remaining"), 3500);
    assert_int_equal(running->revision, 2);
    entries(running, "bud_us", "", 1, true);
    assert_int_equal(int_at(running->json, "data/0/amount"), -1500);
    assert_int_equal(int_at(running->json, "data/0/balance_after"), 3500);
    assert_string_equal(string_at(running->json, "data/0/note"),
                        "q4.cut: agreed with \"finance\"");
}

static void the_same_adjustment_is_made_once(void **state)
{
    struct running *running = *state;
    static const char body[] = "{\"amount\": 10, \"reason_code\": \"x\"}";
    char first[512];

    create(running, DAILY);
    assert_int_equal(adjust(running, body, "k1"), STATUS_OK);
    snprintf(first, sizeof first, "%.*s", TEXT_ARG(running->text));
    running->now_us += SECOND_US;
    running_restart(running);
    assert_int_equal(adjust(running, body, "k1"), STATUS_OK);
    assert_true(running->action.is_replayed);
    assert_true(text_is(running->text, first));
    (void)adjust(running, "{\"amount\": 11, \"reason_code\": \"x\"}", "k1");
    assert_refused(running, STATUS_INVALID, "idempotency_key_reused");
    (void)adjust(running, body, NULL);
    assert_refused(running, STATUS_MALFORMED, "idempotency_key_missing");
    assert_int_equal(int_at(show(running, "bud_us"), "limit"), 5010);
}

static void an_adjustment_out_of_bounds_is_refused(void **state)
{
    static const struct {
        const char *body, *pointer, *code;
    } rows[] = {
        {"{\"amount\": 0, \"reason_code\": \"x\"}", "/amount", "out_of_range"},
        {"{\"amount\": -5001, \"reason_code\": \"x\"}", "/amount", "out_of_range"},
        {"{\"amount\": 9007199254740991, \"reason_code\": \"x\"}", "/amount",
         "out_of_range"},
        {"{\"amount\": 9007199254740992, \"reason_code\": \"x\"}", "/amount",
         "out_of_range"},
        {"{\"amount\": 1}", "/reason_code", "missing_field"},
        {"{\"amount\": 1, \"reason_code\": \"two words\"}", "/reason_code",
         "invalid_value"},
        {"{\"amount\": 1, \"reason_code\": \"\"}", "/reason_code", "out_of_range"},
        {"{\"amount\": 1, \"reason_code\": \"x\", \"note\": 5}", "/note", "wrong_type"},
    };
    struct running *running = *state;

    create(running, DAILY);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)adjust(running, rows[i].body, "k");
        assert_fault(running, rows[i].pointer, rows[i].code);
    }
    assert_int_equal(int_at(show(running, "bud_us"), "limit"), 5000);
    assert_int_equal(adjust(running, "{\"amount\": -5000, \"reason_code\": \"x\"}", "k"),
                     STATUS_OK);
    assert_int_equal(int_at(running->json, "limit"), 0);
}

/* Whatever is done to limits, in whatever order: they are sums of entries, and what
 * remains is the newest balance. */
static void limits_are_sums_of_entries(void **state)
{
    struct running *running = *state;
    struct rng rng;
    int64_t sum = 0, limit;
    char body[128], key[32];
    const json_t *data;

    rng_seed(&rng, seed_print("limits_are_sums_of_entries"));
    create(running, DAILY);
    for (int step = 0; step < 60; step++) {
        int64_t amount = (int64_t)rng_below(&rng, 8000) - 3000;

        if (rng_below(&rng, 2)) {
            snprintf(key, sizeof key, "k%d", step);
            snprintf(body, sizeof body, "{\"amount\": %lld, \"reason_code\": \"r\"}",
                     (long long)amount);
            (void)adjust(running, body, key);
        } else {
            snprintf(body, sizeof body, "{\"limit\": %lld}", (long long)amount);
            (void)change(running, body, "*");
        }
        running->now_us += SECOND_US;
        if (rng_below(&rng, 20) == 0)
            running_restart(running);
    }
    limit = int_at(show(running, "bud_us"), "limit");
    assert_true(limit >= 0);
    data = at(entries(running, "bud_us", "", 200, false), "data");
    assert_true(json_array_size(data) > 10);
    for (size_t i = 0; i < json_array_size(data); i++)
        sum += int_at(json_array_get(data, i), "amount");
    assert_int_equal(sum, limit);
    entries(running, "bud_us", "", 1, true);
    assert_int_equal(int_at(running->json, "data/0/balance_after"), limit);
}

/* --- lists, delete, audit --------------------------------------------------------------------- */

static void lists_go_on_where_a_page_ended(void **state)
{
    struct running *running = *state;
    const json_t *data;
    char body[128];

    for (int i = 0; i < 5; i++) {
        snprintf(body, sizeof body,
                 "{\"id\": \"bud_%c\", \"period\": \"day\", \"limit\": %d, \"currency\": "
                 "\"USD\"}",
                 'e' - i, i);
        create(running, body);
    }
    data = at(budgets(running), "data");
    assert_int_equal(json_array_size(data), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(string_at(json_array_get(data, i), "id")[4], 'a' + (int)i);

    entries(running, NULL, "", 3, true);
    assert_int_equal(int_at(running->json, "data/0/seq"), 5);
    assert_string_equal(string_at(running->json, "next_cursor"), "3");
    entries(running, NULL, "3", 2, true);
    assert_int_equal(int_at(running->json, "data/1/seq"), 1);
    assert_true(json_is_false(at(running->json, "has_more")));
    entries(running, NULL, "3", 200, false);
    assert_int_equal(int_at(running->json, "data/0/seq"), 4);
    assert_int_equal(json_array_size(at(running->json, "data")), 2);
}

static void a_cursor_that_is_none_is_refused(void **state)
{
    static const char *const cursors[] = {"x", "-1", "1 ", "99999999999999999999"};
    struct running *running = *state;

    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        struct arena *arena = answer_arena(running);

        running->status = entry_list_show(running->service, NULL, text_of(cursors[i]), 10,
                                          false, arena, &running->text, &running->err);
        assert_refused(running, STATUS_INVALID, "invalid_cursor");
    }
}

static void the_entries_of_a_deleted_budget_stay(void **state)
{
    struct running *running = *state;
    struct arena *arena;

    create(running, DAILY);
    assert_int_equal(remove_budget(running, "bud_us"), STATUS_OK);
    assert_true(json_is_true(at(running->json, "deleted")));
    arena = answer_arena(running);
    running->status = budget_show(running->service, "bud_us", arena, &running->text,
                                  &running->revision, &running->err);
    assert_refused(running, STATUS_NOT_FOUND, "budget_not_found");
    entries(running, "bud_us", "", 10, false);
    assert_int_equal(json_array_size(at(running->json, "data")), 1);
    arena = answer_arena(running);
    running->status = entry_list_show(running->service, "bud_nobody", text_of(""), 10,
                                      false, arena, &running->text, &running->err);
    assert_refused(running, STATUS_NOT_FOUND, "budget_not_found");
}

static void the_trail_says_who_changed_what(void **state)
{
    struct running *running = *state;
    const json_t *event;

    create(running, DAILY);
    event = newest_event(running);
    assert_string_equal(string_at(event, "action"), "budget.created");
    assert_string_equal(string_at(event, "actor"), "key_test");
    assert_string_equal(string_at(event, "subject"), "budgets/bud_us");
    assert_null(at(event, "detail/before"));
    assert_int_equal(int_at(event, "detail/after/limit"), 5000);
    assert_int_equal(change(running, "{\"limit\": 9}", "*"), STATUS_OK);
    event = newest_event(running);
    assert_string_equal(string_at(event, "action"), "budget.updated");
    assert_int_equal(int_at(event, "detail/before/limit"), 5000);
    assert_int_equal(int_at(event, "detail/after/limit"), 9);
    assert_int_equal(adjust(running, "{\"amount\": 1, \"reason_code\": \"gift\"}", "k"),
                     STATUS_OK);
    event = newest_event(running);
    assert_string_equal(string_at(event, "action"), "budget.adjusted");
    assert_string_equal(string_at(event, "detail/reason"), "gift");
    assert_int_equal(remove_budget(running, "bud_us"), STATUS_OK);
    event = newest_event(running);
    assert_string_equal(string_at(event, "action"), "budget.deleted");
    assert_int_equal(int_at(event, "detail/before/limit"), 10);
    assert_int_equal(int_at(event, "seq"), 4);
    assert_int_equal(strlen(string_at(event, "hash")), 64);
}

/* Wherever memory runs out: it is said, and nothing has happened. */
static void too_little_memory_changes_nothing(void **state)
{
    struct running *running = *state;
    static const char more[] = "{\"amount\": 7, \"reason_code\": \"x\"}";

    assert_true(ask_sweep(running, (struct asking){.prepare = budget_create_prepare,
                                                   .body = DAILY}) > 3);
    assert_int_equal(int_at(show(running, "bud_us"), "limit"), 5000);
    assert_true(ask_sweep(running, (struct asking){.prepare = budget_adjust_prepare,
                                                   .subject = "bud_us",
                                                   .key = "k",
                                                   .body = more}) > 3);
    assert_int_equal(int_at(show(running, "bud_us"), "limit"), 5007);
    assert_true(ask_sweep(running, (struct asking){.prepare = budget_change_prepare,
                                                   .subject = "bud_us",
                                                   .if_match = "\"2\"",
                                                   .body = "{\"limit\": 3}"}) > 3);
    assert_int_equal(int_at(show(running, "bud_us"), "limit"), 3);
    entries(running, "bud_us", "", 10, false);
    assert_int_equal(json_array_size(at(running->json, "data")), 3);
}

int main(void)
{
#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, running_set_up, running_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_budget_shows_what_was_set_and_what_is_left),
        TEST(what_is_not_given_has_a_plain_default),
        TEST(an_id_is_taken_for_good),
        TEST(a_wrong_body_is_refused_at_the_member_that_is_wrong),
        TEST(all_faults_of_a_body_are_told_at_once),
        TEST(what_is_read_can_be_put_back),
        TEST(a_change_needs_the_revision_that_was_seen),
        TEST(a_change_leaves_alone_what_it_does_not_name),
        TEST(id_period_and_currency_stay_as_they_are),
        TEST(a_limit_may_fall_below_what_is_held),
        TEST(an_adjustment_changes_the_limit_and_says_why),
        TEST(the_same_adjustment_is_made_once),
        TEST(an_adjustment_out_of_bounds_is_refused),
        TEST(limits_are_sums_of_entries),
        TEST(lists_go_on_where_a_page_ended),
        TEST(a_cursor_that_is_none_is_refused),
        TEST(the_entries_of_a_deleted_budget_stay),
        TEST(the_trail_says_who_changed_what),
        TEST(too_little_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
