/* test_keys_admin.c - API keys made, rotated and revoked; their secrets are seen once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/service_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUPPORT "{\"name\": \"tooling\", \"scopes\": [\"read\", \"decide\", \"read\"]}"

/* A key as it was answered. */
struct made {
    char id[32], bearer[KEY_TEXT_BYTES + 8];
};

static struct made made_of(const struct running *running)
{
    struct made made;

    snprintf(made.id, sizeof made.id, "%s", string_at(running->json, "id"));
    snprintf(made.bearer, sizeof made.bearer, "Bearer %s",
             string_at(running->json, "key"));
    return made;
}

static struct made create(struct running *running, const char *body)
{
    ask_ok(running, (struct asking){.prepare = key_create_prepare, .body = body});
    return made_of(running);
}

static enum status rotate(struct running *running, const char *id, const char *body)
{
    return ask(running, (struct asking){
                            .prepare = key_rotate_prepare, .subject = id, .body = body});
}

static enum status revoke(struct running *running, const char *id)
{
    return ask(running, (struct asking){.prepare = key_revoke_prepare, .subject = id});
}

/* Whether the key opens the door now, and is the one it says. */
static bool opens(struct running *running, const struct made *made, unsigned *scopes)
{
    char id[32];
    int number;
    struct err err;

    err_clear(&err);
    if (keyring_check(service_keyring(running->service), made->bearer, running->now_us,
                      id, scopes, &number, &err))
        return false;
    assert_string_equal(id, made->id);
    return true;
}

static json_t *list(struct running *running)
{
    struct arena *arena = answer_arena(running);

    return shown(running,
                 key_list_show(running->service, arena, &running->text, &running->err));
}

/* --- create ----------------------------------------------------------------------------------- */

static void a_key_opens_the_door_as_soon_as_it_is_made(void **state)
{
    struct running *running = *state;
    struct made made = create(running, SUPPORT);
    unsigned scopes;

    assert_int_equal(running->action.http_status, 201);
    assert_string_equal(string_at(running->json, "object"), "api_key");
    assert_string_equal(string_at(running->json, "name"), "tooling");
    assert_int_equal(json_array_size(at(running->json, "scopes")), 2);
    assert_string_equal(string_at(running->json, "scopes/0"), "decide");
    assert_string_equal(string_at(running->json, "scopes/1"), "read");
    assert_true(json_is_null(at(running->json, "expires_at")));
    assert_memory_equal(made.bearer + 7, made.id, strlen(made.id));
    assert_true(opens(running, &made, &scopes));
    assert_int_equal(scopes, 1u << ACCESS_DECIDE | 1u << ACCESS_READ);
    running_restart(running);
    assert_true(opens(running, &made, &scopes));
}

static bool file_holds(const char *path, const char *text)
{
    char *content;
    size_t bytes;
    struct err err;
    bool holds;

    err_clear(&err);
    if (file_read(path, 64 << 20, &content, &bytes, &err))
        return false;
    holds = memmem(content, bytes, text, strlen(text));
    free(content);
    return holds;
}

static void the_secret_is_answered_once_and_kept_nowhere(void **state)
{
    struct running *running = *state;
    struct made made = create(running, SUPPORT);
    const char *secret = strchr(made.bearer, '.') + 1;
    struct arena *arena;
    char wal[128];

    snprintf(wal, sizeof wal, "%s-wal", running->path);
    assert_true(file_holds(running->path, made.id) || file_holds(wal, made.id));
    assert_false(file_holds(running->path, secret) || file_holds(wal, secret));
    list(running);
    assert_int_equal(json_array_size(at(running->json, "data")), 1);
    assert_null(at(running->json, "data/0/key"));
    assert_null(at(running->json, "data/0/hash"));
    assert_null(memmem(running->text.at, running->text.bytes, secret, strlen(secret)));
    arena = answer_arena(running);
    shown(running, audit_list_show(running->service, text_of(""), 10, false, arena,
                                   &running->text, &running->err));
    assert_string_equal(string_at(running->json, "data/0/action"), "api_key.created");
    assert_string_equal(string_at(running->json, "data/0/detail/after/name"), "tooling");
    assert_null(memmem(running->text.at, running->text.bytes, secret, strlen(secret)));
}

static void an_idempotency_key_does_not_make_the_secret_be_kept(void **state)
{
    struct running *running = *state;
    const struct asking asking = {
        .prepare = key_create_prepare, .body = SUPPORT, .key = "k"};
    struct made first, second;

    ask_ok(running, asking);
    first = made_of(running);
    ask_ok(running, asking);
    second = made_of(running);
    assert_false(running->action.is_replayed);
    assert_string_not_equal(first.id, second.id);
    assert_string_not_equal(first.bearer, second.bearer);
}

static void a_wrong_body_is_refused_at_the_member_that_is_wrong(void **state)
{
#define WITH(scopes) "{\"name\": \"n\", \"scopes\": " scopes "}"
    static const struct {
        const char *body, *pointer, *code;
    } rows[] = {
        {"{\"scopes\": [\"read\"]}", "/name", "missing_field"},
        {"{\"name\": \"n\"}", "/scopes", "missing_field"},
        {"{\"name\": \"\", \"scopes\": [\"read\"]}", "/name", "out_of_range"},
        {"{\"name\": "
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
         " \"scopes\": [\"read\"]}",
         "/name", "out_of_range"},
        {WITH("[]"), "/scopes", "wrong_type"},
        {WITH("\"read\""), "/scopes", "wrong_type"},
        {WITH("[\"read\", 5]"), "/scopes/1", "wrong_type"},
        {WITH("[\"read\", \"write\"]"), "/scopes/1", "unknown_scope"},
        {WITH("[\"read decide\"]"), "/scopes/0", "unknown_scope"},
        {"{\"name\": \"n\", \"scopes\": [\"read\"], \"expires_at\": \"soon\"}",
         "/expires_at", "invalid_time"},
        {"{\"name\": \"n\", \"scopes\": [\"read\"], \"expires_at\":"
         " \"2025-11-20T18:02:11Z\"}",
         "/expires_at", "out_of_range"},
        {"{\"name\": \"n\", \"scopes\": [\"read\"], \"key\": \"mine\"}", "/key",
         "unknown_field"},
    };
    struct running *running = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)ask(running,
                  (struct asking){.prepare = key_create_prepare, .body = rows[i].body});
        assert_fault(running, rows[i].pointer, rows[i].code);
    }
    assert_int_equal(json_array_size(at(list(running), "data")), 0);
#undef WITH
}

static void a_key_ends_when_it_said(void **state)
{
    struct running *running = *state;
    struct made made = create(running, "{\"name\": \"n\", \"scopes\": [\"read\"],"
                                       " \"expires_at\": \"2025-11-20T18:03:11Z\"}");
    unsigned scopes;

    assert_string_equal(string_at(running->json, "expires_at"), "2025-11-20T18:03:11Z");
    running->now_us += 59 * SECOND_US;
    assert_true(opens(running, &made, &scopes));
    running->now_us += SECOND_US;
    assert_false(opens(running, &made, &scopes));
    assert_int_equal(rotate(running, made.id, ""), STATUS_CONFLICT);
    assert_string_equal(running->err.code, "api_key_expired");
}

/* --- revoke and rotate ------------------------------------------------------------------------ */

static void a_revoked_key_opens_nothing_ever_again(void **state)
{
    struct running *running = *state;
    struct made made = create(running, SUPPORT), other = create(running, SUPPORT);
    unsigned scopes;

    running->now_us += SECOND_US;
    assert_int_equal(revoke(running, made.id), STATUS_OK);
    assert_int_equal(running->action.http_status, 200);
    assert_string_equal(string_at(running->json, "revoked_at"), "2025-11-20T18:02:12Z");
    assert_false(opens(running, &made, &scopes));
    assert_true(opens(running, &other, &scopes));
    running->now_us += SECOND_US;
    assert_int_equal(revoke(running, made.id), STATUS_OK); /* nothing left to do */
    assert_string_equal(string_at(running->json, "revoked_at"), "2025-11-20T18:02:12Z");
    running_restart(running);
    assert_false(opens(running, &made, &scopes));
    assert_int_equal(rotate(running, made.id, ""), STATUS_CONFLICT);
    assert_string_equal(running->err.code, "api_key_revoked");
    (void)revoke(running, "key_nobody");
    assert_refused(running, STATUS_NOT_FOUND, "api_key_not_found");
}

static void rotating_leaves_both_keys_in_force_for_a_while(void **state)
{
    struct running *running = *state;
    struct made old = create(running, SUPPORT), new;
    unsigned scopes;

    assert_int_equal(rotate(running, old.id, "{\"overlap_s\": 60}"), STATUS_OK);
    assert_int_equal(running->action.http_status, 201);
    new = made_of(running);
    assert_string_not_equal(old.id, new.id);
    assert_string_equal(string_at(running->json, "name"), "tooling");
    assert_string_equal(string_at(running->json, "rotated_from"), old.id);
    assert_true(json_is_null(at(running->json, "expires_at")));
    running->now_us += 59 * SECOND_US;
    assert_true(opens(running, &old, &scopes));
    assert_true(opens(running, &new, &scopes));
    assert_int_equal(scopes, 1u << ACCESS_DECIDE | 1u << ACCESS_READ);
    running->now_us += SECOND_US;
    assert_false(opens(running, &old, &scopes));
    assert_true(opens(running, &new, &scopes));
    running_restart(running);
    assert_false(opens(running, &old, &scopes));
    assert_true(opens(running, &new, &scopes));
}

static void the_overlap_is_a_day_unless_said_otherwise(void **state)
{
    struct running *running = *state;
    struct made made = create(running, SUPPORT);

    assert_int_equal(rotate(running, made.id, ""), STATUS_OK);
    assert_string_equal(string_at(running->json, "rotated_from_expires_at"),
                        "2025-11-21T18:02:11Z");
    (void)rotate(running, made.id, "{\"overlap_s\": 2592001}");
    assert_fault(running, "/overlap_s", "out_of_range");
    /* A second rotation does not put off the end. */
    running->now_us += 3600 * SECOND_US;
    assert_int_equal(rotate(running, made.id, "{\"overlap_s\": 86400}"), STATUS_OK);
    assert_string_equal(string_at(running->json, "rotated_from_expires_at"),
                        "2025-11-21T18:02:11Z");
}

static void a_key_that_ends_is_followed_by_one_that_lives_as_long(void **state)
{
    struct running *running = *state;
    struct made made = create(running, "{\"name\": \"n\", \"scopes\": [\"read\"],"
                                       " \"expires_at\": \"2025-11-20T19:02:11Z\"}");

    running->now_us += 1800 * SECOND_US;
    assert_int_equal(rotate(running, made.id, "{\"overlap_s\": 0}"), STATUS_OK);
    assert_string_equal(string_at(running->json, "expires_at"), "2025-11-20T19:32:11Z");
    assert_string_equal(string_at(running->json, "rotated_from_expires_at"),
                        "2025-11-20T18:32:11Z");
}

static void a_second_rotation_gives_the_life_the_key_was_made_with(void **state)
{
    struct running *running = *state;
    struct made endless = create(running, SUPPORT), ending;

    assert_int_equal(rotate(running, endless.id, "{\"overlap_s\": 10}"), STATUS_OK);
    assert_int_equal(rotate(running, endless.id, "{\"overlap_s\": 0}"), STATUS_OK);
    assert_true(json_is_null(at(running->json, "expires_at")));
    ending = create(running, "{\"name\": \"n\", \"scopes\": [\"read\"],"
                             " \"expires_at\": \"2025-11-20T19:02:11Z\"}");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rotate(running, ending.id, "{\"overlap_s\": 10}"), STATUS_OK);
        assert_string_equal(string_at(running->json, "expires_at"),
                            "2025-11-20T19:02:11Z");
    }
}

static void rotating_and_revoking_are_in_the_trail(void **state)
{
    static const char *const actions[] = {"api_key.created", "api_key.created",
                                          "api_key.rotated", "api_key.revoked"};
    struct running *running = *state;
    struct made made = create(running, SUPPORT);
    struct arena *arena;
    char path[32];

    assert_int_equal(rotate(running, made.id, ""), STATUS_OK);
    assert_int_equal(revoke(running, made.id), STATUS_OK);
    arena = answer_arena(running);
    shown(running, audit_list_show(running->service, text_of(""), 10, false, arena,
                                   &running->text, &running->err));
    assert_int_equal(json_array_size(at(running->json, "data")), 4);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "data/%d/action", i);
        assert_string_equal(string_at(running->json, path), actions[i]);
    }
    assert_true(json_is_null(at(running->json, "data/3/detail/before/revoked_at")));
    assert_string_equal(string_at(running->json, "data/3/detail/after/revoked_at"),
                        "2025-11-20T18:02:11Z");
}

/* Wherever memory runs out: it is said, and there is no key that nobody has seen. */
static void too_little_memory_changes_nothing(void **state)
{
    struct running *running = *state;
    struct made made;

    assert_true(ask_sweep(running, (struct asking){.prepare = key_create_prepare,
                                                   .body = SUPPORT}) > 3);
    made = made_of(running);
    assert_true(ask_sweep(running, (struct asking){.prepare = key_rotate_prepare,
                                                   .subject = made.id,
                                                   .body = ""}) > 3);
    assert_int_equal(json_array_size(at(list(running), "data")), 2);
}

int main(void)
{
#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, running_set_up, running_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_key_opens_the_door_as_soon_as_it_is_made),
        TEST(the_secret_is_answered_once_and_kept_nowhere),
        TEST(an_idempotency_key_does_not_make_the_secret_be_kept),
        TEST(a_wrong_body_is_refused_at_the_member_that_is_wrong),
        TEST(a_key_ends_when_it_said),
        TEST(a_revoked_key_opens_nothing_ever_again),
        TEST(rotating_leaves_both_keys_in_force_for_a_while),
        TEST(the_overlap_is_a_day_unless_said_otherwise),
        TEST(a_key_that_ends_is_followed_by_one_that_lives_as_long),
        TEST(a_second_rotation_gives_the_life_the_key_was_made_with),
        TEST(rotating_and_revoking_are_in_the_trail),
        TEST(too_little_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
