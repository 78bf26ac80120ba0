/* test_registry.c - models, aliases, policies and keys: what was stored is what is
 * found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/store_fixture.h"

#include <stdio.h>

static struct model_version version_of(const char *name, char digit)
{
    struct model_version version = {
        .bytes = 3, .created_at_us = FIXTURE_TIME_US, .created_by = "cli"};

    snprintf(version.name, sizeof version.name, "%s", name);
    memset(version.sha256, digit, 64);
    return version;
}

static void insert(struct fixture *f, struct model_version *version)
{
    const struct bundle_file files[] = {
        {text_of("trees.json"), text_of("{\"a\":1}")},
        {text_of("blob.ubj"), {"a\0b", 3}},
        {text_of("empty"), {NULL, 0}},
    };

    assert_ok(
        f, model_insert(f->store, version, text_of("{\"name\":1}"), files, 3, &f->err));
}

static void a_model_comes_back_with_its_files(void **state)
{
    struct fixture f;
    struct model_version version = version_of("uplift", 'a'), found;
    struct bundle_file *files;
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    insert(&f, &version);
    assert_int_equal(version.version, 1);
    assert_ok(&f, model_find(f.store, "uplift", 1, &f.arena, &found, &f.err));
    assert_string_equal(found.sha256, version.sha256);
    assert_true(found.bytes == 3 && !found.is_deleted);
    assert_true(text_is(found.manifest, "{\"name\":1}"));
    assert_string_equal(found.created_by, "cli");
    assert_ok(&f, model_files(f.store, "uplift", 1, &f.arena, &files, &count, &f.err));
    assert_int_equal(count, 3);
    assert_true(text_is(files[0].name, "blob.ubj"));
    assert_true(text_equal(files[0].content, (struct text){"a\0b", 3}));
    assert_int_equal(files[1].content.bytes, 0);
    assert_true(text_is(files[2].content, "{\"a\":1}"));
    assert_status(&f, model_find(f.store, "uplift", 2, &f.arena, &found, &f.err),
                  STATUS_NOT_FOUND);
    assert_ok(&f, model_files(f.store, "uplift", 2, &f.arena, &files, &count, &f.err));
    assert_int_equal(count, 0);
    store_rollback(f.store);
    fixture_close(&f);
}

static void the_same_content_is_refused_and_numbers_are_never_given_again(void **state)
{
    struct fixture f;
    struct model_version a = version_of("m", 'a'), b = version_of("m", 'b'),
                         other = version_of("n", 'a'), found, *list;
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    insert(&f, &a);
    assert_status(&f, model_insert(f.store, &a, text_of("{}"), NULL, 0, &f.err),
                  STATUS_CONFLICT);
    insert(&f, &other);
    insert(&f, &b);
    insert(&f, &a); /* not the newest any more */
    assert_int_equal(a.version, 3);
    assert_ok(&f, model_mark_deleted(f.store, "m", 3, &f.err));
    assert_status(&f, model_mark_deleted(f.store, "m", 3, &f.err), STATUS_NOT_FOUND);
    assert_status(&f, model_mark_deleted(f.store, "m", 9, &f.err), STATUS_NOT_FOUND);
    insert(&f, &a);
    assert_int_equal(a.version, 4);
    assert_ok(&f, model_list(f.store, NULL, &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 4);
    assert_true(list[0].version == 4 && list[1].version == 2 && list[2].version == 1);
    assert_string_equal(list[3].name, "n");
    assert_ok(&f, model_list(f.store, "n", &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 1);
    assert_ok(&f, model_find(f.store, "m", 3, &f.arena, &found, &f.err));
    assert_true(found.is_deleted);
    store_rollback(f.store);
    fixture_close(&f);
}

static struct model_alias alias_of(const char *alias, int64_t version, int64_t at_us)
{
    struct model_alias move = {.name = "m",
                               .version = version,
                               .moved_at_us = at_us,
                               .moved_by = "cli",
                               .reason = "better"};

    snprintf(move.alias, sizeof move.alias, "%s", alias);
    return move;
}

static void an_alias_moves_and_remembers(void **state)
{
    struct fixture f;
    struct model_version a = version_of("m", 'a'), b = version_of("m", 'b'), kept;
    struct model_alias *list, move;
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    insert(&f, &a);
    insert(&f, &b);
    move = alias_of("champion", 1, 10);
    assert_ok(&f, alias_set(f.store, &move, &f.err));
    move = alias_of("shadow", 2, 20);
    assert_ok(&f, alias_set(f.store, &move, &f.err));
    move = alias_of("champion", 2, 30);
    assert_ok(&f, alias_set(f.store, &move, &f.err));
    move = alias_of("shadow", 0, 40);
    assert_ok(&f, alias_set(f.store, &move, &f.err));
    move = alias_of("champion", 7, 50);
    assert_status(&f, alias_set(f.store, &move, &f.err), STATUS_NOT_FOUND);
    assert_ok(&f, alias_list(f.store, "m", &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].alias, "champion");
    assert_int_equal(list[0].version, 2);
    assert_ok(&f, alias_list(f.store, NULL, &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 1);
    assert_ok(&f, alias_history(f.store, "m", 0, &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 4);
    assert_true(list[0].version == 0 && list[3].version == 1);
    assert_ok(&f, alias_history(f.store, "m", 20, &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 2);
    assert_string_equal(list[0].alias, "shadow");
    assert_string_equal(list[0].reason, "better");
    /* A version that is pointed at cannot go; one that was may, and cannot be pointed at
     * again. */
    assert_status(&f, model_mark_deleted(f.store, "m", 2, &f.err), STATUS_CONFLICT);
    assert_ok(&f, model_mark_deleted(f.store, "m", 1, &f.err));
    move = alias_of("shadow", 1, 60);
    assert_status(&f, alias_set(f.store, &move, &f.err), STATUS_NOT_FOUND);
    assert_string_equal(f.err.code, "model_version_not_found");
    assert_ok(&f, model_find(f.store, "m", 1, &f.arena, &kept, &f.err));
    assert_status(&f, model_find_live(f.store, "m", 1, &f.arena, &kept, &f.err),
                  STATUS_NOT_FOUND);
    store_rollback(f.store);
    fixture_close(&f);
}

static void a_policy_keeps_every_revision(void **state)
{
    struct fixture f;
    struct policy_revision written = {.id = "goodwill",
                                      .created_at_us = FIXTURE_TIME_US,
                                      .created_by = "key_1",
                                      .reason = "start",
                                      .document = text_of("{\"v\":1}")};
    struct policy_revision other = written, read, *list;
    int count;

    (void)state;
    fixture_open(&f);
    snprintf(other.id, sizeof other.id, "answers");
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_status(&f, policy_find(f.store, "goodwill", 0, &f.arena, &read, &f.err),
                  STATUS_NOT_FOUND);
    assert_ok(&f, policy_insert(f.store, &written, &f.err));
    written.document = text_of("{\"v\":2}");
    assert_ok(&f, policy_insert(f.store, &written, &f.err));
    assert_int_equal(written.revision, 2);
    assert_ok(&f, policy_insert(f.store, &other, &f.err));
    assert_int_equal(other.revision, 1);
    assert_ok(&f, policy_find(f.store, "goodwill", 0, &f.arena, &read, &f.err));
    assert_true(read.revision == 2 && text_is(read.document, "{\"v\":2}"));
    assert_ok(&f, policy_find(f.store, "goodwill", 1, &f.arena, &read, &f.err));
    assert_true(read.revision == 1 && text_is(read.document, "{\"v\":1}"));
    assert_string_equal(read.reason, "start");
    assert_string_equal(read.created_by, "key_1");
    assert_status(&f, policy_find(f.store, "goodwill", 3, &f.arena, &read, &f.err),
                  STATUS_NOT_FOUND);
    assert_ok(&f, policy_list(f.store, &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 2);
    assert_string_equal(list[0].id, "answers");
    assert_int_equal(list[1].revision, 2);
    assert_ok(&f, policy_revisions(f.store, "goodwill", &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 2);
    assert_int_equal(list[0].revision, 2);
    store_rollback(f.store);
    fixture_close(&f);
}

static void a_key_comes_back_and_can_be_revoked(void **state)
{
    struct fixture f;
    struct api_key key = {.id = "key_1",
                          .name = "support",
                          .scopes = "decide read",
                          .hash = {9, 8, 7},
                          .created_at_us = 5,
                          .expires_at_us = 6};
    struct api_key *list, found;
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_status(&f, api_key_update(f.store, &key, &f.err), STATUS_NOT_FOUND);
    assert_status(&f, api_key_find(f.store, "key_1", &found, &f.err), STATUS_NOT_FOUND);
    assert_string_equal(f.err.code, "api_key_not_found");
    assert_ok(&f, api_key_insert(f.store, &key, &f.err));
    assert_status(&f, api_key_insert(f.store, &key, &f.err), STATUS_CONFLICT);
    key.revoked_at_us = 7;
    assert_ok(&f, api_key_update(f.store, &key, &f.err));
    assert_ok(&f, api_key_find(f.store, "key_1", &found, &f.err));
    assert_string_equal(found.scopes, "decide read");
    assert_int_equal(found.revoked_at_us, 7);
    assert_ok(&f, store_commit(f.store, &f.err));
    fixture_reopen(&f);
    assert_ok(&f, api_key_list(f.store, &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].name, "support");
    assert_string_equal(list[0].scopes, "decide read");
    assert_memory_equal(list[0].hash, key.hash, KEY_HASH_BYTES);
    assert_true(list[0].created_at_us == 5 && list[0].expires_at_us == 6);
    assert_int_equal(list[0].revoked_at_us, 7);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_comes_back_with_its_files),
        cmocka_unit_test(the_same_content_is_refused_and_numbers_are_never_given_again),
        cmocka_unit_test(an_alias_moves_and_remembers),
        cmocka_unit_test(a_policy_keeps_every_revision),
        cmocka_unit_test(a_key_comes_back_and_can_be_revoked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
