/* test_openapi_bodies.c - docs/openapi.json and the service take and refuse the same
 * bodies.
 *
 * Good bodies are changed at one place at a time, in every way and everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/api_call.h"
#include "support/json_schema.h"
#include "support/service_fixture.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct running *running;
static json_t *document;
static int key_count;

static int open_service(void **state)
{
    struct api_reply reply;

    (void)state;
    running = running_open();
    service_fill(running->service, "", 1000000);
    reply = api_call_as(running->service, NULL, "GET", "/openapi.json", NULL, NULL);
    document = json_incref(reply.json);
    api_reply_free(&reply);
    return document ? 0 : -1;
}

static int close_service(void **state)
{
    (void)state;
    json_decref(document);
    running_close(running);
    return 0;
}

struct trial {
    const char *method, *path, *schema;
    /* parts of pointers where the service knows more than a schema says */
    const char *unsaid;
    json_t *body;
    int taken_count, refused_count;
};

/* Only a body that will do gets as far as anything but 400 and 422. */
static bool is_taken(const struct trial *trial, const char *body, char why[static 256])
{
    char key[32];
    struct api_reply reply;
    bool taken;

    snprintf(key, sizeof key, "key-%d", key_count++);
    reply = api_call(running->service, trial->method, trial->path, key, "*", body);
    taken = reply.status != 400 && reply.status != 422;
    if (reply.status >= 500)
        fail_msg("%s %s: %s", trial->method, trial->path, reply.text);
    snprintf(why, 256, "%s", reply.text);
    api_reply_free(&reply);
    return taken;
}

/* Whether one of the words is part of the pointer. */
static bool is_listed(const char *pointer, const char *words)
{
    char word[64];

    for (int bytes; sscanf(words, " %63s%n", word, &bytes) == 1; words += bytes)
        if (strstr(pointer, word))
            return true;
    return false;
}

static void compare(struct trial *trial, const char *pointer)
{
    const json_t *schemas =
        json_object_get(json_object_get(document, "components"), "schemas");
    char why[SCHEMA_WHY_BYTES] = "", answer[256];
    char *body = json_dumps(trial->body, JSON_COMPACT);
    bool is_allowed = schema_accepts(document, json_object_get(schemas, trial->schema),
                                     trial->body, why);
    bool taken = is_taken(trial, body, answer);

    if (taken && !is_allowed)
        fail_msg("%s is taken, but not described: %s\n%.800s", pointer, why, body);
    if (!taken && is_allowed && !is_listed(pointer, trial->unsaid))
        fail_msg("%s is described, but refused: %s\n%.800s", pointer, answer, body);
    trial->taken_count += taken;
    trial->refused_count += !taken;
    free(body);
}

static json_t *other_value(int index)
{
    char text[2001];

    switch (index) {
    case 0:
        return json_null();
    case 1:
        return json_string("?");
    case 2:
        return json_string("");
    case 3:
        return json_integer(-1);
    case 4:
        return json_integer(0);
    case 5:
        return json_real(0.5);
    case 6:
        return json_integer(INT64_C(1) << 53);
    case 7:
        return json_true();
    case 8:
        return json_array();
    case 9:
        return json_object();
    case 10:
        memset(text, 'x', sizeof text - 1);
        text[sizeof text - 1] = '\0';
        return json_string(text);
    default:
        return NULL;
    }
}

static void change_all(struct trial *trial, json_t *value, const char *pointer);

static void change_members(struct trial *trial, json_t *object, const char *pointer)
{
    json_t *names = json_deep_copy(object), *ignored;
    const char *name;
    char place[256];

    snprintf(place, sizeof place, "%s/no_such_member", pointer);
    json_object_set_new(object, "no_such_member", json_integer(1));
    compare(trial, place);
    json_object_del(object, "no_such_member");
    json_object_foreach(names, name, ignored)
    {
        json_t *kept = json_incref(json_object_get(object, name)), *other;

        snprintf(place, sizeof place, "%.180s/%.60s", pointer, name);
        change_all(trial, kept, place);
        for (int i = 0; (other = other_value(i)); i++) {
            json_object_set_new(object, name, other);
            compare(trial, place);
        }
        json_object_del(object, name);
        compare(trial, place);
        json_object_set_new(object, name, kept);
    }
    json_decref(names);
}

static void change_all(struct trial *trial, json_t *value, const char *pointer)
{
    char place[256];

    if (json_is_object(value))
        change_members(trial, value, pointer);
    for (size_t k = 0; k < json_array_size(value); k++) {
        json_t *kept = json_incref(json_array_get(value, k)), *other;

        snprintf(place, sizeof place, "%.230s/%zu", pointer, k);
        change_all(trial, kept, place);
        for (int i = 0; (other = other_value(i)); i++) {
            json_array_set_new(value, k, other);
            compare(trial, place);
        }
        json_array_set_new(value, k, kept);
    }
}

static void run(struct trial trial, const char *text)
{
    char why[256];

    trial.body = json_loads(text, 0, NULL);
    assert_non_null(trial.body);
    if (!is_taken(&trial, text, why))
        fail_msg("%s %s: %s", trial.method, trial.path, why);
    compare(&trial, "/");
    change_all(&trial, trial.body, "");
    json_decref(trial.body);
    printf("%s %s: %d taken, %d refused\n", trial.method, trial.path, trial.taken_count,
           trial.refused_count);
    assert_true(trial.taken_count > 0 && trial.refused_count > 0);
}

static void cases_are_taken_as_described(void **state)
{
    (void)state;
    run((struct trial){"POST", "/v1/decisions?dry_run=true", "Case",
                       .unsaid = "/features/no_such_member /features/need /currency"},
        "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"USD\", "
        "\"order_id\":"
        " \"o\", \"order_amount\": 4000, \"issue\": \"late_delivery\", \"market\": "
        "\"us\","
        " \"segment\": \"new\", \"channel\": \"chat\", \"requested_amount\": 100,"
        " \"entitled_amount\": 0, \"occurred_at\": \"2025-11-20T10:00:00Z\", "
        "\"features\":"
        " {\"need\": 1}, \"metadata\": {\"agent\": \"a\"}}");
}

static void ends_of_holds_are_taken_as_described(void **state)
{
    (void)state;
    run((struct trial){"POST", "/v1/decisions/none/settle", "Settlement", .unsaid = ""},
        "{\"amount\": 5, \"external_ref\": \"re\"}");
    run((struct trial){"POST", "/v1/decisions/none/release", "Release", .unsaid = ""},
        "{\"reason_code\": \"DECLINED\"}");
    run((struct trial){"POST", "/v1/decisions/none/override", "Override", .unsaid = ""},
        "{\"amount\": 5, \"reason_code\": \"X\", \"note\": \"n\"}");
}

static void budgets_are_taken_as_described(void **state)
{
    (void)state;
    run((struct trial){"POST", "/v1/budgets", "BudgetNew",
                       .unsaid = "/time_zone /scope/currency"},
        "{\"scope\": {\"market\": \"mars\", \"issue\": \"x\", \"segment\": \"s\","
        " \"channel\": \"c\", \"currency\": \"USD\"}, \"period\": \"day\", \"time_zone\":"
        " \"UTC\", \"limit\": 5, \"currency\": \"USD\", \"pacing\": \"even\","
        " \"expected_cases\": 100}");
    run((struct trial){"PUT", "/v1/budgets/bud_all", "BudgetChange",
                       .unsaid = "/time_zone /scope/currency"},
        "{\"scope\": {\"market\": \"mars\"}, \"time_zone\": \"UTC\", \"limit\": 1000000,"
        " \"pacing\": null, \"expected_cases\": null}");
    run((struct trial){"POST", "/v1/budgets/bud_all/adjustments", "AdjustmentNew",
                       .unsaid = ""},
        "{\"amount\": 5, \"reason_code\": \"PEAK\", \"note\": \"n\"}");
}

static void policies_are_taken_as_described(void **state)
{
    char *policy;
    size_t bytes;

    (void)state;
    run((struct trial){"POST", "/v1/policies/none/rollback", "Rollback", .unsaid = ""},
        "{\"revision\": 1, \"reason\": \"r\"}");
    if (file_read("config/policy.json", 1 << 20, &policy, &bytes, NULL)) {
        printf("SKIPPED: a policy with every member, there is no config/policy.json\n");
        return;
    }
    run((struct trial){"PUT", "/v1/policies/goodwill", "PolicyDocument",
                       .unsaid = "/require/ /all/ /currency"},
        policy);
    free(policy);
}

static void models_are_taken_as_described(void **state)
{
    (void)state;
    run((struct trial){"PUT", "/v1/models/m/aliases/shadow", "AliasChange", .unsaid = ""},
        "{\"version\": 1, \"reason\": \"r\"}");
}

/* What a bundle means is beyond a schema: whatever is taken is described. */
static void bundles_are_taken_as_described(void **state)
{
    (void)state;
    run((struct trial){"POST", "/v1/models/b/versions", "Bundle", .unsaid = "/"},
        "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": \"b\", \"kind\":"
        " \"effect\", \"learner\": \"effect\", \"features\": [{\"name\": \"f\","
        " \"type\": \"float\", \"missing\": \"allow\", \"description\": \"d\"},"
        " {\"name\": \"g\", \"type\": \"category\", \"categories\": [\"a\"]}],"
        " \"arms\": [{\"name\": \"a\", \"dose\": 500, \"description\": \"d\"}],"
        " \"dose_unit\": \"minor\", \"components\": [{\"role\": \"tau\", \"arm\": \"a\","
        " \"file\": \"a.json\", \"output\": 0, \"link\": \"identity\"}], \"value\":"
        " {\"scale\": 1, \"feature\": \"f\"}, \"cost\": {\"share\": 1}, \"interval\":"
        " {}, \"training\": {}, \"description\": \"d\", \"metadata\": {}, \"examples\":"
        " {\"rows\": [[0, \"a\"], {\"f\": 0}], \"effects\": [[0], [0]], \"tolerance\": "
        "0}}, \"files\":"
        " {\"a.json\": {\"json\": {\"format\": \"redress-linear/1\", \"weights\":"
        " [0, 0], \"intercept\": 0}}}}");
}

static void keys_are_taken_as_described(void **state)
{
    (void)state;
    run((struct trial){"POST", "/v1/api-keys", "ApiKeyNew", .unsaid = ""},
        "{\"name\": \"n\", \"scopes\": [\"read\"], \"expires_at\":"
        " \"2030-01-01T00:00:00Z\"}");
    run((struct trial){"POST", "/v1/api-keys/none/rotate", "ApiKeyRotation",
                       .unsaid = ""},
        "{\"overlap_s\": 5}");
}

static void outcomes_are_taken_as_described(void **state)
{
    struct api_reply made =
        api_call(running->service, "POST", "/v1/decisions", "outcomes", NULL,
                 "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"USD\","
                 " \"order_amount\": 4000, \"issue\": \"late_delivery\", \"features\":"
                 " {\"need\": 1}}");
    char text[400];

    (void)state;
    assert_int_equal(made.status, 201);
    snprintf(text, sizeof text,
             "{\"decision_id\": \"%s\", \"metric\": \"value\", \"value\": 5,"
             " \"occurred_at\": \"2025-11-20T10:00:00Z\"}",
             json_string_value(json_object_get(made.json, "id")));
    api_reply_free(&made);
    run((struct trial){"POST", "/v1/outcomes", "OutcomeNew", .unsaid = "/decision_id"},
        text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_are_taken_as_described),
        cmocka_unit_test(ends_of_holds_are_taken_as_described),
        cmocka_unit_test(budgets_are_taken_as_described),
        cmocka_unit_test(policies_are_taken_as_described),
        cmocka_unit_test(models_are_taken_as_described),
        cmocka_unit_test(bundles_are_taken_as_described),
        cmocka_unit_test(keys_are_taken_as_described),
        cmocka_unit_test(outcomes_are_taken_as_described),
    };

    return cmocka_run_group_tests(tests, open_service, close_service);
}
