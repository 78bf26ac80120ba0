/* test_models_admin.c - models pushed, listed and deleted, and starts with those that
 * cannot serve; who is pointed at: test_model_aliases.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decide/load.h"
#include "support/model_fixture.h"
#include "support/store_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status remove_version(struct running *running, const char *subject)
{
    return ask(running,
               (struct asking){.prepare = model_delete_prepare, .subject = subject});
}

/* --- push ------------------------------------------------------------------------------------- */

static void a_pushed_version_says_what_it_is(void **state)
{
    struct running *running = *state;
    json_t *version;

    model_push_slope(running, 10);
    version = running->json;
    assert_int_equal(running->action.http_status, 201);
    assert_string_equal(running->action.location, "/v1/models/m/versions/1");
    assert_string_equal(string_at(version, "object"), "model_version");
    assert_string_equal(string_at(version, "name"), "m");
    assert_int_equal(int_at(version, "version"), 1);
    assert_int_equal(strlen(string_at(version, "sha256")), 64);
    assert_true(int_at(version, "bytes") > 100);
    assert_string_equal(string_at(version, "kind"), "effect");
    assert_string_equal(string_at(version, "learner"), "effect");
    assert_string_equal(string_at(version, "features/0/name"), "need");
    assert_string_equal(string_at(version, "arms/0/name"), "a500");
    assert_string_equal(string_at(version, "created_by"), "key_test");
    assert_int_equal(json_array_size(at(version, "aliases")), 0);
    assert_null(at(version, "examples"));
    version = json_deep_copy(version);
    assert_true(json_equal(version, shown(running, model_show(running, 1))));
    json_decref(version);
}

static void pushing_the_same_again_gives_the_version_there_is(void **state)
{
    struct running *running = *state;
    char sha256[65];

    model_push_slope(running, 10);
    snprintf(sha256, sizeof sha256, "%s", string_at(running->json, "sha256"));
    model_push_slope(running, 10);
    assert_int_equal(running->action.http_status, 200);
    assert_int_equal(int_at(running->json, "version"), 1);
    assert_string_equal(string_at(running->json, "sha256"), sha256);
    model_push_slope(running, 11);
    assert_int_equal(running->action.http_status, 201);
    assert_int_equal(int_at(running->json, "version"), 2);
    assert_string_not_equal(string_at(running->json, "sha256"), sha256);
    model_push_slope(running, 10); /* not the newest: a version of its own */
    assert_int_equal(int_at(running->json, "version"), 3);
}

static void the_path_names_the_model(void **state)
{
    static const char *const wrong[] = {
        "", ".m", "M", "a b",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct running *running = *state;

    assert_int_equal(model_push(running, "credit-uplift.v2_x", model_bundle(1, 2)),
                     STATUS_OK);
    assert_string_equal(string_at(running->json, "name"), "credit-uplift.v2_x");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)model_push(running, wrong[i], model_bundle(1, 2));
        assert_refused(running, STATUS_INVALID, "invalid_name");
    }
}

static void a_bundle_whose_examples_fail_is_refused(void **state)
{
    struct running *running = *state;

    assert_int_equal(model_push(running, "m", model_bundle(10, 21)), STATUS_INVALID);
    assert_int_equal(
        model_push(running, "m", "{\"manifest\": {\"format\": \"redress-bundle/1\"}}"),
        STATUS_INVALID);
    assert_int_equal(model_push(running, "m", "{"), STATUS_MALFORMED);
    assert_int_equal(model_show(running, 1), STATUS_NOT_FOUND);
    assert_string_equal(running->err.code, "model_version_not_found");
}

/* --- delete, list, restart -------------------------------------------------------------------- */

static void a_version_in_use_is_not_deleted(void **state)
{
    struct running *running = *state;
    struct served_model *model;
    struct store *reader;

    model_push_slope(running, 10);
    model_push_slope(running, 20);
    model_promote(running, 1);
    (void)remove_version(running, "m/1");
    assert_refused(running, STATUS_CONFLICT, "model_in_use");
    model_promote(running, 2);
    assert_int_equal(remove_version(running, "m/1"), STATUS_OK);
    assert_true(json_is_true(at(running->json, "deleted")));
    (void)remove_version(running, "m/1");
    assert_refused(running, STATUS_NOT_FOUND, "model_version_not_found");
    (void)remove_version(running, "m/x");
    assert_refused(running, STATUS_NOT_FOUND, "model_version_not_found");
    (void)alias_move(running, "m/champion", "{\"version\": 1, \"reason\": \"x\"}");
    assert_refused(running, STATUS_NOT_FOUND, "model_version_not_found");
    assert_int_equal(model_show(running, 1), STATUS_NOT_FOUND);

    /* What it decided can still be made again. */
    reader = service_reader_take(running->service);
    assert_int_equal(model_open(reader, "m", 1, &model, &running->err), STATUS_OK);
    service_reader_give(running->service, reader);
    assert_int_equal(model->version, 1);
    served_model_release(model);
}

static void models_are_listed_with_versions_and_aliases(void **state)
{
    struct running *running = *state;
    struct arena *arena;

    model_push_slope(running, 10);
    model_push_slope(running, 20);
    assert_int_equal(model_push(running, "a", model_bundle(1, 2)), STATUS_OK);
    model_promote(running, 1);
    arena = answer_arena(running);
    shown(running,
          model_list_show(running->service, arena, &running->text, &running->err));
    assert_int_equal(json_array_size(at(running->json, "data")), 2);
    assert_string_equal(string_at(running->json, "data/0/name"), "a");
    assert_string_equal(string_at(running->json, "data/1/object"), "model");
    assert_int_equal(int_at(running->json, "data/1/latest_version"), 2);
    assert_int_equal(int_at(running->json, "data/1/aliases/champion"), 1);
    assert_int_equal(int_at(running->json, "data/1/versions/0/version"), 2);
    assert_string_equal(string_at(running->json, "data/1/versions/1/aliases/0"),
                        "champion");
    assert_int_equal(json_array_size(at(running->json, "data/0/versions/0/aliases")), 0);
}

static struct service_settings settings_of(struct running *running)
{
    return (struct service_settings){.folder = running->folder,
                                     .clock = &running->clock,
                                     .build = "redress 0.0.0 (test)",
                                     .reader_count = 1,
                                     .queue_capacity = 10,
                                     .price_interval_ms = 60000};
}

/* A start and a look before it say the same. */
static void assert_start_refused(struct running *running, enum status status,
                                 const char *why, const char *what_to_do)
{
    const struct service_settings settings = settings_of(running);
    struct folder_look look;
    bool was_created;

    assert_int_equal(
        service_open(&settings, &running->service, &was_created, &running->err), status);
    assert_non_null(strstr(running->err.text, why));
    assert_non_null(strstr(running->err.text, what_to_do));
    err_clear(&running->err);
    assert_int_equal(service_look(&settings, &look, &running->err), status);
    assert_non_null(strstr(running->err.text, why));
    assert_non_null(strstr(running->err.text, what_to_do));
}

static void assert_would_open(struct running *running)
{
    const struct service_settings settings = settings_of(running);
    struct folder_look look;

    service_close(running->service);
    running->service = NULL;
    assert_int_equal(service_look(&settings, &look, &running->err), STATUS_OK);
}

static void a_champion_that_was_tampered_with_ends_the_start(void **state)
{
    struct running *running = *state;

    model_push_slope(running, 10);
    model_promote(running, 1);
    assert_would_open(running);
    /* Another weight, and the example that goes with it: only the hash can tell. */
    tamper(running->path,
           "UPDATE model_files SET content = cast(replace(content, '10', '11') AS blob);"
           "UPDATE model_versions SET manifest = replace(manifest, '[[20]]', '[[22]]')");
    assert_start_refused(running, STATUS_CORRUPT, "model m@1, which is in force",
                         "restore a backup");
    assert_string_equal(running->err.code, "data_corrupt");
}

static void a_damaged_secret_ends_the_start(void **state)
{
    struct running *running = *state;

    assert_would_open(running);
    tamper(running->path, "UPDATE secrets SET value = zeroblob(32)");
    assert_start_refused(running, STATUS_CORRUPT, "cannot read a secret",
                         "restore a backup");
}

static void a_clock_that_is_behind_ends_the_start(void **state)
{
    struct running *running = *state;

    model_push_slope(running, 10);
    assert_would_open(running);
    running->now_us -= 2 * 3600 * SECOND_US;
    assert_start_refused(running, STATUS_PRECONDITION, "the newest entry is of",
                         "--accept-clock");
    assert_string_equal(running->err.code, "clock_behind");
}

/* Whole, but of a kind that this program does not know. */
static enum status put_strange_champion(struct job *job, struct commit *commit,
                                        struct err *err)
{
    struct model_version version = {.name = "m", .created_by = "cli"};
    struct model_alias alias = {.name = "m", .alias = "champion", .moved_by = "cli"};
    enum status rc;

    (void)job;
    memset(version.sha256, 'a', sizeof version.sha256 - 1);
    rc = model_insert(commit->store, &version, text_of("{}"), NULL, 0, err);
    alias.version = version.version;
    return rc ? rc : alias_set(commit->store, &alias, err);
}

static enum status put_policy_of_m(struct job *job, struct commit *commit,
                                   struct err *err)
{
    struct policy_revision revision = {
        .id = "p",
        .created_by = "cli",
        .document =
            text_of("{\"currency\": \"USD\", \"model\": \"m\","
                    " \"menu\": {\"amounts\": [500]}, \"fallback\": {\"amount\": 0}}")};

    (void)job;
    return policy_insert(commit->store, &revision, err);
}

static void a_service_whose_champion_cannot_be_opened_is_not_ready(void **state)
{
    struct running *running = *state;
    double effect;

    commit_run(running, put_strange_champion);
    running_restart(running);
    assert_int_equal(model_served(running, &effect), 0);
    assert_null(service_trouble(running->service)); /* no policy asks it */
    commit_run(running, put_policy_of_m);
    running_restart(running);
    assert_non_null(service_trouble(running->service));
    assert_non_null(strstr(service_trouble(running->service), "model_not_loaded"));
    model_push_slope(running, 10);
    model_promote(running, 2);
    assert_null(service_trouble(running->service));
    assert_int_equal(model_served(running, &effect), 2);
}

static void a_word_for_no_instructions_opens_no_service(void **state)
{
    struct running *running = *state;
    const struct service_settings settings = settings_of(running);
    struct folder_look look;

    model_push_slope(running, 10);
    setenv("REDRESS_ISA", "avx512f", 1);
    (void)service_look(&settings, &look, &running->err);
    unsetenv("REDRESS_ISA");
    assert_string_equal(running->err.text,
                        "REDRESS_ISA: 'avx512f' is not portable, avx2, avx512 or vbmi");
    assert_int_equal(running->err.status, STATUS_INVALID);
}

static void the_trail_says_who_moved_what(void **state)
{
    struct running *running = *state;
    struct arena *arena;

    model_push_slope(running, 10);
    model_promote(running, 1);
    arena = answer_arena(running);
    shown(running, audit_list_show(running->service, text_of(""), 10, false, arena,
                                   &running->text, &running->err));
    assert_string_equal(string_at(running->json, "data/0/action"), "model.pushed");
    assert_string_equal(string_at(running->json, "data/0/subject"),
                        "models/m/versions/1");
    assert_string_equal(string_at(running->json, "data/1/action"), "model.alias_moved");
    assert_string_equal(string_at(running->json, "data/1/subject"),
                        "models/m/aliases/champion");
    assert_true(json_is_null(at(running->json, "data/1/detail/before/version")));
    assert_int_equal(int_at(running->json, "data/1/detail/after/version"), 1);
    assert_string_equal(string_at(running->json, "data/1/detail/reason"), "trial 1");
}

/* Wherever memory runs out: it is said, and the champion stays. */
static void too_little_memory_changes_nothing(void **state)
{
    struct running *running = *state;
    static const char first[] = "{\"version\": 1, \"reason\": \"x\"}";
    double effect;

    assert_true(ask_sweep(running, (struct asking){.prepare = model_push_prepare,
                                                   .subject = "m",
                                                   .body = model_bundle(10, 20)}) > 3);
    assert_int_equal(int_at(running->json, "version"), 1);
    assert_true(ask_sweep(running, (struct asking){.prepare = alias_put_prepare,
                                                   .subject = "m/champion",
                                                   .body = first}) > 3);
    assert_int_equal(model_served(running, &effect), 1);
    assert_int_equal(json_array_size(at(model_history(running, 0), "data")), 1);
}

static void what_names_no_version_and_no_alias_is_not_found(void **state)
{
    static const char *const what[] = {"/0", "/-1", "", "/", "/1/1"};
    struct running *running = *state;
    char longest[200] = "";

    model_push_slope(running, 10);
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        char subject[16];

        snprintf(subject, sizeof subject, "m%s", what[i]);
        (void)remove_version(running, subject);
        assert_refused(running, STATUS_NOT_FOUND, "model_version_not_found");
        (void)alias_move(running, subject, "{\"version\": 1, \"reason\": \"x\"}");
        assert_refused(running, STATUS_NOT_FOUND, "alias_not_found");
    }
    memset(longest, 'm', sizeof longest - 1);
    memcpy(longest + sizeof longest - 3, "/1", 2);
    (void)remove_version(running, longest);
    assert_refused(running, STATUS_NOT_FOUND, "model_version_not_found");
    assert_int_equal(model_show(running, 1), STATUS_OK);
}

int main(void)
{
#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, running_set_up, running_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_pushed_version_says_what_it_is),
        TEST(pushing_the_same_again_gives_the_version_there_is),
        TEST(the_path_names_the_model),
        TEST(a_bundle_whose_examples_fail_is_refused),
        TEST(a_version_in_use_is_not_deleted),
        TEST(models_are_listed_with_versions_and_aliases),
        TEST(a_champion_that_was_tampered_with_ends_the_start),
        TEST(a_damaged_secret_ends_the_start),
        TEST(a_clock_that_is_behind_ends_the_start),
        TEST(a_service_whose_champion_cannot_be_opened_is_not_ready),
        TEST(a_word_for_no_instructions_opens_no_service),
        TEST(the_trail_says_who_moved_what),
        TEST(too_little_memory_changes_nothing),
        TEST(what_names_no_version_and_no_alias_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
