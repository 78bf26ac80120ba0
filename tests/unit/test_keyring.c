/* test_keyring.c - decide/keyring.h, with a list in place of the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "decide/keyring.h"

#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define NOW INT64_C(1700000000000000)

/* --- the store ---------------------------------------------------------------------------------- */

static struct api_key stored[200];
static int stored_count;
static enum status stored_status;

enum status api_key_list(struct store *store, struct arena *arena, struct api_key **keys,
                         int *count, struct err *err)
{
    (void)store;
    if (stored_status)
        return err_set(err, stored_status, "the store does not answer");
    *keys = arena_array(arena, struct api_key, (size_t)stored_count + 1);
    assert_non_null(*keys);
    memcpy(*keys, stored, (size_t)stored_count * sizeof *stored);
    *count = stored_count;
    return STATUS_OK;
}

/* --- builders ----------------------------------------------------------------------------------- */

struct made {
    struct api_key key;
    char text[KEY_TEXT_BYTES];
    char authorization[KEY_TEXT_BYTES + 16];
};

static struct made make_key(const char *scopes)
{
    struct made made = {0};

    snprintf(made.key.scopes, sizeof made.key.scopes, "%s", scopes);
    snprintf(made.key.name, sizeof made.key.name, "test");
    keyring_make(NOW, &made.key, made.text);
    snprintf(made.authorization, sizeof made.authorization, "Bearer %s", made.text);
    return made;
}

static struct keyring *open_keyring(void)
{
    struct keyring *keyring;

    assert_int_equal(keyring_open(NULL, &keyring, NULL), STATUS_OK);
    return keyring;
}

static int setup(void **state)
{
    (void)state;
    stored_count = 0;
    stored_status = STATUS_OK;
    return 0;
}

static bool lets_in(struct keyring *keyring, const char *authorization, int64_t now_us)
{
    char id[32];
    unsigned scopes;
    int number;

    return keyring_check(keyring, authorization, now_us, id, &scopes, &number, NULL) ==
           STATUS_OK;
}

/* --- tests -------------------------------------------------------------------------------------- */

static void scopes_are_read_by_name(void **state)
{
    static const struct {
        const char *scopes;
        unsigned bits;
    } rows[] = {
        {"decide", 1u << ACCESS_DECIDE},
        {"read decide", 1u << ACCESS_READ | 1u << ACCESS_DECIDE},
        {"read,decide", 1u << ACCESS_READ | 1u << ACCESS_DECIDE},
        {" read, decide ,read", 1u << ACCESS_READ | 1u << ACCESS_DECIDE},
        {"admin", (1u << ACCESS_COUNT) - 1},
        {"admin read", (1u << ACCESS_COUNT) - 1},
        {"budget:write", 1u << ACCESS_BUDGET_WRITE},
        {"", 0},
        {" , ", 0},
        {"write", 0},
        {"Read", 0},
        {"read;decide", 0},
        {"read budget", 0},
        {"readdecide", 0},
        {"adminx", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        unsigned bits = 0;
        enum status rc = access_parse(text_of(rows[i].scopes), &bits, &err);

        if (rc != (rows[i].bits ? STATUS_OK : STATUS_INVALID) || bits != rows[i].bits)
            fail_msg("'%s': %u, %s", rows[i].scopes, bits, err.text);
    }
}

static void every_scope_lets_into_itself_only(void **state)
{
    struct keyring *keyring = open_keyring();

    (void)state;
    for (int i = 0; i < ACCESS_COUNT; i++) {
        struct made made = make_key(access_name((enum access)i));
        unsigned scopes = 0;
        char id[32];
        int number;

        assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
        assert_int_equal(
            keyring_check(keyring, made.authorization, NOW, id, &scopes, &number, NULL),
            STATUS_OK);
        assert_string_equal(id, made.key.id);
        assert_int_equal(scopes, i == ACCESS_ADMIN ? (1u << ACCESS_COUNT) - 1 : 1u << i);
    }
    keyring_close(keyring);
}

static void a_made_key_is_shown_once_and_stored_as_a_hash(void **state)
{
    struct made one = make_key("read"), other = make_key("read");
    const char *secret = strchr(one.text, '.') + 1;
    unsigned char hash[KEY_HASH_BYTES];

    (void)state;
    assert_int_equal(strncmp(one.text, one.key.id, strlen(one.key.id)), 0);
    assert_int_equal(strncmp(one.text, "key_", 4), 0);
    assert_int_equal(strlen(secret), 64);
    assert_string_not_equal(one.key.id, other.key.id);
    assert_string_not_equal(secret, strchr(other.text, '.') + 1);
    crypto_hash_sha256(hash, (const unsigned char *)secret, 64);
    assert_memory_equal(one.key.hash, hash, sizeof hash);
    assert_null(memmem(&one.key, sizeof one.key, secret, 16));
    assert_int_equal(one.key.created_at_us, NOW);
}

static void every_wrong_key_is_refused_in_the_same_words(void **state)
{
    struct keyring *keyring = open_keyring();
    struct made good = make_key("read"), other = make_key("read"),
                unknown = make_key("read"), revoked = make_key("read"),
                expired = make_key("read");
    char text[16][KEY_TEXT_BYTES * 4] = {0};
    const char *authorizations[] = {
        NULL,    "",      "Bearer", "Bearer ", "Bearer .", text[0], text[1], text[2],
        text[3], text[4], text[5],  text[6],   text[7],    text[8], text[9], text[10]};
    const char *secret = strchr(good.text, '.') + 1;

    (void)state;
    revoked.key.revoked_at_us = NOW + SECOND_US;
    expired.key.expires_at_us = NOW;
    assert_int_equal(keyring_put(keyring, &good.key, NULL), STATUS_OK);
    assert_int_equal(keyring_put(keyring, &other.key, NULL), STATUS_OK);
    assert_int_equal(keyring_put(keyring, &revoked.key, NULL), STATUS_OK);
    assert_int_equal(keyring_put(keyring, &expired.key, NULL), STATUS_OK);
    snprintf(text[0], sizeof *text, "Basic %s", good.text);
    snprintf(text[1], sizeof *text, "%s", good.text);
    snprintf(text[2], sizeof *text, "Bearer%s", good.text);
    snprintf(text[3], sizeof *text, "Bearer %s", good.key.id);
    snprintf(text[4], sizeof *text, "Bearer %s.", good.key.id);
    snprintf(text[5], sizeof *text, "Bearer %s.%s", good.key.id,
             strchr(other.text, '.') + 1);
    snprintf(text[6], sizeof *text, "Bearer %s.%.63s", good.key.id, secret);
    snprintf(text[7], sizeof *text, "Bearer %s.%s%s%s", good.key.id, secret, secret,
             secret);
    snprintf(text[8], sizeof *text, "%s", unknown.authorization);
    snprintf(text[9], sizeof *text, "%s", revoked.authorization);
    snprintf(text[10], sizeof *text, "%s", expired.authorization);
    for (size_t i = 0; i < sizeof authorizations / sizeof *authorizations; i++) {
        struct err err = {0};
        unsigned scopes = 12345;
        char id[32] = "untouched";
        int number;

        if (keyring_check(keyring, authorizations[i], NOW, id, &scopes, &number, &err) !=
            STATUS_UNAUTHORIZED)
            fail_msg("row %zu is let in", i);
        assert_string_equal(err.text, "the API key is missing or not valid");
        assert_string_equal(err.code, "unauthorized");
        assert_string_equal(id, "untouched");
        assert_int_equal(scopes, 12345);
    }
    assert_true(lets_in(keyring, good.authorization, NOW));
    keyring_close(keyring);
}

static void the_scheme_may_have_any_case_and_spaces(void **state)
{
    struct keyring *keyring = open_keyring();
    struct made made = make_key("read");
    char text[200];

    (void)state;
    assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
    snprintf(text, sizeof text, "bEARER   %s", made.text);
    assert_true(lets_in(keyring, text, NOW));
    keyring_close(keyring);
}

static void keys_end_at_their_expiry_and_with_their_revocation(void **state)
{
    struct keyring *keyring = open_keyring();
    struct made made = make_key("read");

    (void)state;
    made.key.expires_at_us = NOW + 10;
    assert_true(keyring_is_empty(keyring));
    assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
    assert_false(keyring_is_empty(keyring));
    assert_true(lets_in(keyring, made.authorization, NOW + 9));
    assert_false(lets_in(keyring, made.authorization, NOW + 10));
    made.key.expires_at_us = 0;
    assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
    assert_true(lets_in(keyring, made.authorization, INT64_MAX));
    made.key.revoked_at_us = NOW;
    assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
    /* Also when the clock steps back. */
    assert_false(lets_in(keyring, made.authorization, NOW - SECOND_US));
    assert_true(keyring_is_empty(keyring));
    keyring_close(keyring);
}

static void a_changed_key_has_its_new_scopes(void **state)
{
    struct keyring *keyring = open_keyring();
    struct made made = make_key("read");
    unsigned scopes;
    int number;
    char id[32];

    (void)state;
    assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
    snprintf(made.key.scopes, sizeof made.key.scopes, "settle");
    assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
    assert_int_equal(
        keyring_check(keyring, made.authorization, NOW, id, &scopes, &number, NULL),
        STATUS_OK);
    assert_int_equal(scopes, 1u << ACCESS_SETTLE);
    keyring_close(keyring);
}

static void stored_keys_are_in_force_after_opening(void **state)
{
    static struct made made[200];
    struct keyring *keyring;

    (void)state;
    stored_count = 200;
    for (int i = 0; i < stored_count; i++) {
        made[i] = make_key("read");
        if (i % 3 == 0)
            made[i].key.revoked_at_us = NOW;
        stored[i] = made[i].key;
    }
    keyring = open_keyring();
    for (int i = 0; i < stored_count; i++)
        assert_int_equal(lets_in(keyring, made[i].authorization, NOW), i % 3 != 0);
    keyring_close(keyring);
}

static void a_store_that_fails_or_holds_an_unknown_scope_opens_nothing(void **state)
{
    struct keyring *keyring = NULL;
    struct err err = {0};

    (void)state;
    stored_status = STATUS_IO;
    assert_int_equal(keyring_open(NULL, &keyring, &err), STATUS_IO);
    assert_string_equal(err.text, "load API keys: the store does not answer");
    stored_status = STATUS_OK;
    stored[0] = make_key("read fly").key;
    stored_count = 1;
    assert_int_equal(keyring_open(NULL, &keyring, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "'fly'"));
    assert_null(keyring);
}

/* More of them than the table has room for at first. */
static void a_key_keeps_its_number_and_no_other_has_it(void **state)
{
    enum { COUNT = 200 };
    struct keyring *keyring = open_keyring();
    static struct made made[COUNT];
    int numbers[COUNT], number;
    unsigned scopes;
    char id[32];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        made[i] = make_key("read");
        assert_int_equal(keyring_put(keyring, &made[i].key, NULL), STATUS_OK);
        assert_int_equal(keyring_check(keyring, made[i].authorization, NOW, id, &scopes,
                                       &numbers[i], NULL),
                         STATUS_OK);
        assert_in_range(numbers[i], 1, KEYRING_COUNT_MAX);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(numbers[i], numbers[j]);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(keyring_put(keyring, &made[i].key, NULL), STATUS_OK);
        assert_int_equal(keyring_check(keyring, made[i].authorization, NOW, id, &scopes,
                                       &number, NULL),
                         STATUS_OK);
        assert_int_equal(number, numbers[i]);
    }
    keyring_close(keyring);
}

/* --- threads ------------------------------------------------------------------------------------ */

struct checker {
    pthread_t thread;
    struct keyring *keyring;
    const char *authorization;
    atomic_bool *is_over;
    atomic_int let_in_count;
};

static void *check_on(void *context)
{
    struct checker *checker = context;

    while (!atomic_load(checker->is_over))
        atomic_fetch_add(&checker->let_in_count,
                         lets_in(checker->keyring, checker->authorization, NOW));
    return NULL;
}

static void keys_come_while_others_are_checked(void **state)
{
    enum { CHECKER_COUNT = 3, NEW_COUNT = 300 };
    struct keyring *keyring = open_keyring();
    struct made made = make_key("read");
    struct checker checkers[CHECKER_COUNT];
    atomic_bool is_over = false;

    (void)state;
    assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
    for (int i = 0; i < CHECKER_COUNT; i++) {
        checkers[i] = (struct checker){
            .keyring = keyring, .authorization = made.authorization, .is_over = &is_over};
        assert_int_equal(
            pthread_create(&checkers[i].thread, NULL, check_on, &checkers[i]), 0);
    }
    for (int i = 0; i < NEW_COUNT; i++) {
        struct made another = make_key("read");

        assert_int_equal(keyring_put(keyring, &another.key, NULL), STATUS_OK);
        assert_true(lets_in(keyring, another.authorization, NOW));
    }
    for (int i = 0; i < CHECKER_COUNT; i++)
        while (atomic_load(&checkers[i].let_in_count) == 0)
            sched_yield();
    /* From the moment put returns a revoked key lets nobody in. */
    made.key.revoked_at_us = NOW;
    assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
    assert_false(lets_in(keyring, made.authorization, NOW));
    atomic_store(&is_over, true);
    for (int i = 0; i < CHECKER_COUNT; i++)
        pthread_join(checkers[i].thread, NULL);
    keyring_close(keyring);
}

static int admitted_of(struct keyring *keyring, const char *id, int64_t now_us, int count)
{
    int admitted = 0;

    for (int i = 0; i < count; i++)
        admitted += keyring_admit(keyring, id, now_us, NULL) == STATUS_OK;
    return admitted;
}

static void a_key_asks_as_often_as_it_may_and_no_other_pays_for_it(void **state)
{
    struct made first = make_key("read"), second = make_key("read");
    struct keyring *keyring = open_keyring();
    struct err err = {0};

    (void)state;
    assert_int_equal(keyring_put(keyring, &first.key, NULL), STATUS_OK);
    assert_int_equal(keyring_put(keyring, &second.key, NULL), STATUS_OK);
    assert_int_equal(admitted_of(keyring, first.key.id, SECOND_US, 1000), 1000);
    keyring_limit(keyring, 10, 5);
    assert_int_equal(admitted_of(keyring, first.key.id, SECOND_US, 100), 5);
    assert_int_equal(admitted_of(keyring, second.key.id, SECOND_US, 100), 5);
    assert_int_equal(admitted_of(keyring, KEY_ID_OWN, SECOND_US, 100), 100);
    assert_int_equal(keyring_admit(keyring, first.key.id, SECOND_US, &err),
                     STATUS_UNAVAILABLE);
    assert_string_equal(err.code, "rate_limited");
    assert_int_equal(admitted_of(keyring, first.key.id, 2 * SECOND_US, 100), 5);
    keyring_limit(keyring, 0, 1);
    assert_int_equal(admitted_of(keyring, first.key.id, 2 * SECOND_US, 100), 100);
    keyring_close(keyring);
}

static void other_keys_do_not_wipe_out_what_one_has_used(void **state)
{
    struct made made = make_key("read");
    struct keyring *keyring = open_keyring();

    (void)state;
    assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
    keyring_limit(keyring, 1, 50);
    assert_int_equal(admitted_of(keyring, made.key.id, SECOND_US, 100), 50);
    for (int i = 0; i < 300; i++) {
        struct made other = make_key("read");

        assert_int_equal(keyring_put(keyring, &other.key, NULL), STATUS_OK);
    }
    snprintf(made.key.scopes, sizeof made.key.scopes, "read,decide");
    assert_int_equal(keyring_put(keyring, &made.key, NULL), STATUS_OK);
    assert_int_equal(admitted_of(keyring, made.key.id, SECOND_US, 100), 0);
    keyring_close(keyring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(scopes_are_read_by_name, setup),
        cmocka_unit_test_setup(every_scope_lets_into_itself_only, setup),
        cmocka_unit_test_setup(a_made_key_is_shown_once_and_stored_as_a_hash, setup),
        cmocka_unit_test_setup(every_wrong_key_is_refused_in_the_same_words, setup),
        cmocka_unit_test_setup(the_scheme_may_have_any_case_and_spaces, setup),
        cmocka_unit_test_setup(keys_end_at_their_expiry_and_with_their_revocation, setup),
        cmocka_unit_test_setup(a_changed_key_has_its_new_scopes, setup),
        cmocka_unit_test_setup(a_key_keeps_its_number_and_no_other_has_it, setup),
        cmocka_unit_test_setup(stored_keys_are_in_force_after_opening, setup),
        cmocka_unit_test_setup(a_store_that_fails_or_holds_an_unknown_scope_opens_nothing,
                               setup),
        cmocka_unit_test_setup(keys_come_while_others_are_checked, setup),
        cmocka_unit_test_setup(a_key_asks_as_often_as_it_may_and_no_other_pays_for_it,
                               setup),
        cmocka_unit_test_setup(other_keys_do_not_wipe_out_what_one_has_used, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
