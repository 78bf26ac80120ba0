/* test_policy.c - a policy's document is read whole, or refused with all that is
 * wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "policy/policy.h"

static struct err err;

static enum status read_text(const char *text, struct policy **policy)
{
    *policy = NULL;
    err_clear(&err);
    return policy_read(text, strlen(text), policy, &err);
}

static void the_least_document_has_defaults(void **state)
{
    struct policy *policy;

    (void)state;
    assert_int_equal(read_text("{\"currency\": \"EUR\"}", &policy), STATUS_OK);
    assert_string_equal(policy_currency(policy), "EUR");
    assert_int_equal(policy_priority(policy), 0);
    assert_null(policy_model(policy));
    assert_int_equal(policy_hold_seconds(policy), 24 * 3600);
    assert_true(text_is(policy_scope(policy)->currency, "EUR"));
    assert_int_equal(policy_scope(policy)->market.bytes, 0);
    assert_string_equal(policy_reason_text(policy, CODE_QUALITY),
                        policy_code_text(CODE_QUALITY));
    policy_free(policy);
    policy_free(NULL);
}

static void how_chance_takes_part_is_read(void **state)
{
    const struct exploration *exploration;
    struct policy *policy;

    (void)state;
    assert_int_equal(read_text("{\"currency\": \"USD\"}", &policy), STATUS_OK);
    assert_null(policy_exploration(policy));
    assert_null(policy_holdout(policy));
    policy_free(policy);
    assert_int_equal(
        read_text("{\"currency\": \"USD\", \"exploration\": {\"epsilon\": 1, "
                  "\"temperature\": 30.5, \"cost_scale\": 700, \"floor\": 0.03125}, "
                  "\"holdout\": {\"share\": 0.0125, \"salt\": \"2026\"}}",
                  &policy),
        STATUS_OK);
    exploration = policy_exploration(policy);
    assert_true(exploration->epsilon == 1 && exploration->temperature == 30.5 &&
                exploration->cost_scale == 700 && exploration->floor == 0.03125);
    assert_int_equal(policy_holdout(policy)->share_bps, 125);
    assert_string_equal(policy_holdout(policy)->salt, "2026");
    policy_free(policy);
}

/* What a server adds to a document that it is asked for is ignored in one that it is
 * sent. */
static void members_are_read(void **state)
{
    static const struct {
        const char *hold;
        int64_t seconds;
    } holds[] = {
        {"{\"seconds\": 60}", 60},
        {"{\"seconds\": 7776000}", 7776000},
        {"{\"duration\": \"15m\"}", 900},
        {"\"2h\"", 7200},
        {"{\"duration\": \"90d\"}", 7776000},
    };
    struct policy *policy;
    char text[256];

    (void)state;
    assert_int_equal(
        read_text("{\"id\": 1, \"object\": [], \"revision\": {}, "
                  "\"created_at\": null, \"created_by\": \"key_1\", \"warnings\": [{}], "
                  "\"description\": \"\", "
                  "\"currency\": \"USD\", \"priority\": -7, "
                  "\"model\": \"credit_uplift\", "
                  "\"scope\": {\"market\": \"us-ca\", \"currency\": \"USD\"}, "
                  "\"reasons\": {\"QUALITY\": \"We are sorry.\\nVery.\"}}",
                  &policy),
        STATUS_OK);
    assert_int_equal(policy_priority(policy), -7);
    assert_string_equal(policy_model(policy), "credit_uplift");
    assert_true(text_is(policy_scope(policy)->market, "us-ca"));
    assert_string_equal(policy_reason_text(policy, CODE_QUALITY), "We are sorry.\nVery.");
    policy_free(policy);
    assert_int_equal(read_text("{\"currency\": \"USD\", \"model\": null}", &policy),
                     STATUS_OK);
    assert_null(policy_model(policy));
    policy_free(policy);
    for (size_t i = 0; i < sizeof holds / sizeof holds[0]; i++) {
        snprintf(text, sizeof text, "{\"currency\": \"USD\", \"hold\": %s}",
                 holds[i].hold);
        assert_int_equal(read_text(text, &policy), STATUS_OK);
        assert_int_equal(policy_hold_seconds(policy), holds[i].seconds);
        policy_free(policy);
    }
}

static void the_shipped_documents_are_accepted(void **state)
{
    static const char *const paths[] = {"config/policy.json", "config/demo-policy.json"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct policy *policy = NULL;
        char *text;
        size_t bytes;

        err_clear(&err);
        if (file_read(paths[i], POLICY_BYTES_MAX, &text, &bytes, &err))
            fail_msg("%s (run from the tree's root)", err.text);
        if (policy_read(text, bytes, &policy, &err))
            fail_msg("%s: %s", paths[i], err.text);
        assert_string_equal(policy_model(policy), "credit_uplift");
        assert_string_equal(policy_currency(policy), "USD");
        assert_int_equal(policy_hold_seconds(policy), 24 * 3600);
        policy_free(policy);
        free(text);
    }
}

#define CONDITION(text) "\"eligibility\":[{\"require\":[" text "]}]"
#define AT_CONDITION    "/eligibility/0/require/0"

/* One thing wrong each, beside a currency. */
static const struct {
    const char *member, *pointer, *code;
} faults[] = {
    {"\"Priority\":1", "/Priority", "unknown_field"},
    {"\"description\":5", "/description", "wrong_type"},
    {"\"description\":\"\\u0007\"", "/description", "invalid_text"},
    {"\"priority\":\"1\"", "/priority", "wrong_type"},
    {"\"priority\":1.5", "/priority", "wrong_type"},
    {"\"priority\":1000001", "/priority", "out_of_range"},
    {"\"model\":5", "/model", "wrong_type"},
    {"\"model\":\"\"", "/model", "out_of_range"},
    {"\"model\":\"Credit Uplift\"", "/model", "out_of_range"},
    {"\"scope\":[]", "/scope", "wrong_type"},
    {"\"scope\":\"us\"", "/scope", "wrong_type"},
    {"\"scope\":{\"planet\":\"x\"}", "/scope/planet", "unknown_field"},
    {"\"scope\":{\"currency\":\"EUR\"}", "/scope/currency", "out_of_range"},
    {"\"menu\":[]", "/menu", "wrong_type"},
    {"\"menu\":{\"amount\":[]}", "/menu/amount", "unknown_field"},
    {"\"menu\":{\"amounts\":5}", "/menu/amounts", "wrong_type"},
    {"\"menu\":{\"amounts\":[1,-1]}", "/menu/amounts/1", "out_of_range"},
    {"\"menu\":{\"amounts\":[1.0]}", "/menu/amounts/0", "wrong_type"},
    {"\"menu\":{\"amounts\":[9007199254740992]}", "/menu/amounts/0", "out_of_range"},
    {"\"menu\":{\"amounts\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
     "1,"
     "1]}",
     "/menu/amounts", "too_many"},
    {"\"menu\":{\"amounts\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"
     "\"order_shares\":[1,1,1,1,1,1,1,1,1,1,1,1]}",
     "/menu", "too_many"},
    {"\"menu\":{\"order_shares\":[\"0.5\"]}", "/menu/order_shares/0", "wrong_type"},
    {"\"menu\":{\"order_shares\":[1.1]}", "/menu/order_shares/0", "out_of_range"},
    {"\"menu\":{\"order_shares\":[-0.1]}", "/menu/order_shares/0", "out_of_range"},
    {"\"menu\":{\"order_shares\":[0.12345]}", "/menu/order_shares/0", "out_of_range"},
    {"\"menu\":{\"round_to\":0}", "/menu/round_to", "out_of_range"},
    {"\"menu\":{\"rounding\":\"even\"}", "/menu/rounding", "unknown_value"},
    {"\"menu\":{\"at_most_requested\":1}", "/menu/at_most_requested", "wrong_type"},
    {"\"caps\":{}", "/caps", "wrong_type"},
    {"\"caps\":[{\"amount\":1},5]", "/caps/1", "wrong_type"},
    {"\"caps\":[{}]", "/caps/0", "missing_field"},
    {"\"caps\":[{\"amount\":1,\"isue\":\"x\"}]", "/caps/0/isue", "unknown_field"},
    {"\"caps\":[{\"amount\":\"1\"}]", "/caps/0/amount", "wrong_type"},
    {"\"caps\":[{\"amount\":1,\"issue\":\"\"}]", "/caps/0/issue", "out_of_range"},
    {"\"caps\":[{\"amount\":1,\"clause\":4.2}]", "/caps/0/clause", "wrong_type"},
    {"\"customer_limits\":[{\"count\":1}]", "/customer_limits/0/window", "missing_field"},
    {"\"customer_limits\":[{\"window\":\"30d\"}]", "/customer_limits/0", "missing_field"},
    {"\"customer_limits\":[{\"window\":\"30\",\"count\":1}]", "/customer_limits/0/window",
     "out_of_range"},
    {"\"customer_limits\":[{\"window\":30,\"count\":1}]", "/customer_limits/0/window",
     "wrong_type"},
    {"\"customer_limits\":[{\"window\":\"30d\",\"count\":-1}]",
     "/customer_limits/0/count", "out_of_range"},
    {"\"customer_limits\":[{\"window\":\"1d\",\"count\":1},{\"window\":\"2d\",\"count\":"
     "1},"
     "{\"window\":\"3d\",\"count\":1},{\"window\":\"4d\",\"count\":1},"
     "{\"window\":\"5d\",\"count\":1},{\"window\":\"6d\",\"count\":1},"
     "{\"window\":\"7d\",\"count\":1},{\"window\":\"8d\",\"count\":1},"
     "{\"window\":\"9d\",\"count\":1}]",
     "/customer_limits", "too_many"},
    {"\"order_limit\":{}", "/order_limit/order_share", "missing_field"},
    {"\"order_limit\":1", "/order_limit", "wrong_type"},
    {"\"duplicates\":{\"clause\":\"1\"}", "/duplicates/window", "missing_field"},
    {"\"duplicates\":\"7d\"", "/duplicates", "wrong_type"},
    {"\"claim_window\":\"soon\"", "/claim_window", "out_of_range"},
    {"\"claim_window\":30", "/claim_window", "wrong_type"},
    {"\"claim_window\":{\"required\":true}", "/claim_window/window", "missing_field"},
    {"\"exploration\":0.1", "/exploration", "wrong_type"},
    {"\"exploration\":{}", "/exploration", "missing_field"},
    {"\"exploration\":{\"max_amount\":1}", "/exploration", "missing_field"},
    {"\"exploration\":{\"epsilon\":\"1\"}", "/exploration/epsilon", "wrong_type"},
    {"\"exploration\":{\"epsilon\":1.5}", "/exploration/epsilon", "out_of_range"},
    {"\"exploration\":{\"epsilon\":-0.1}", "/exploration/epsilon", "out_of_range"},
    {"\"exploration\":{\"temperature\":-1}", "/exploration/temperature", "out_of_range"},
    {"\"exploration\":{\"temperature\":1e300}", "/exploration/temperature",
     "out_of_range"},
    {"\"exploration\":{\"epsilon\":0,\"cost_scale\":-1}", "/exploration/cost_scale",
     "out_of_range"},
    {"\"exploration\":{\"floor\":0.032}", "/exploration/floor", "out_of_range"},
    {"\"exploration\":{\"epsilon\":0,\"max_amount\":0.5}", "/exploration/max_amount",
     "wrong_type"},
    {"\"exploration\":{\"epsilon\":0,\"unless\":{}}", "/exploration/unless",
     "wrong_type"},
    {"\"exploration\":{\"epsilon\":0,\"unless\":[{\"all\":[]}]}",
     "/exploration/unless/0/all", "out_of_range"},
    {"\"exploration\":{\"epsilon\":0,\"chance\":1}", "/exploration/chance",
     "unknown_field"},
    {"\"holdout\":0.1", "/holdout", "wrong_type"},
    {"\"holdout\":{\"share\":0.1}", "/holdout/salt", "missing_field"},
    {"\"holdout\":{\"salt\":\"s\"}", "/holdout/share", "missing_field"},
    {"\"holdout\":{\"share\":0.1,\"salt\":\"\"}", "/holdout/salt", "out_of_range"},
    {"\"holdout\":{\"share\":1.1,\"salt\":\"s\"}", "/holdout/share", "out_of_range"},
    {"\"eligibility\":[{}]", "/eligibility/0/require", "missing_field"},
    {"\"eligibility\":[{\"require\":[]}]", "/eligibility/0/require", "out_of_range"},
    {"\"eligibility\":[{\"require\":{}}]", "/eligibility/0/require", "wrong_type"},
    {"\"eligibility\":[{\"all\":[{\"field\":\"issue\",\"op\":\"present\"}],"
     "\"require\":[{\"field\":\"issue\",\"op\":\"present\"}]}]",
     "/eligibility/0/all", "unknown_field"},
    {CONDITION("5"), AT_CONDITION, "wrong_type"},
    {CONDITION("{\"field\":\"issue\"}"), AT_CONDITION "/op", "missing_field"},
    {CONDITION("{\"op\":\"eq\",\"value\":1}"), AT_CONDITION "/field", "missing_field"},
    {CONDITION("{\"field\":\"tenure\",\"op\":\"eq\",\"value\":1}"), AT_CONDITION "/field",
     "unknown_value"},
    {CONDITION("{\"field\":\"features.\",\"op\":\"eq\",\"value\":1}"),
     AT_CONDITION "/field", "unknown_value"},
    {CONDITION("{\"field\":\"issue.x\",\"op\":\"eq\",\"value\":1}"),
     AT_CONDITION "/field", "unknown_value"},
    {CONDITION("{\"field\":\"issue\",\"op\":\"==\",\"value\":\"x\"}"), AT_CONDITION "/op",
     "unknown_value"},
    {CONDITION("{\"field\":\"issue\",\"op\":\"lt\",\"value\":\"x\"}"), AT_CONDITION "/op",
     "out_of_range"},
    {CONDITION("{\"field\":\"issue\",\"op\":\"eq\"}"), AT_CONDITION "/value",
     "missing_field"},
    {CONDITION("{\"field\":\"issue\",\"op\":\"present\",\"value\":\"x\"}"),
     AT_CONDITION "/value", "unknown_field"},
    {CONDITION("{\"field\":\"issue\",\"op\":\"eq\",\"value\":5}"), AT_CONDITION "/value",
     "wrong_type"},
    {CONDITION("{\"field\":\"order_amount\",\"op\":\"ge\",\"value\":1.5}"),
     AT_CONDITION "/value", "wrong_type"},
    {CONDITION("{\"field\":\"features.x\",\"op\":\"ge\",\"value\":\"7\"}"),
     AT_CONDITION "/value", "wrong_type"},
    {CONDITION("{\"field\":\"features.x\",\"op\":\"eq\",\"value\":[7]}"),
     AT_CONDITION "/value", "wrong_type"},
    {CONDITION("{\"field\":\"issue\",\"op\":\"in\",\"value\":\"x\"}"),
     AT_CONDITION "/value", "wrong_type"},
    {CONDITION("{\"field\":\"issue\",\"op\":\"in\",\"value\":[]}"), AT_CONDITION "/value",
     "out_of_range"},
    {CONDITION("{\"field\":\"issue\",\"op\":\"in\",\"value\":[\"a\",5]}"),
     AT_CONDITION "/value/1", "wrong_type"},
    {"\"review\":{\"amount_over\":-1}", "/review/amount_over", "out_of_range"},
    {"\"review\":{\"when\":[{\"require\":[{\"field\":\"issue\",\"op\":\"present\"}],"
     "\"all\":[{\"field\":\"issue\",\"op\":\"present\"}]}]}",
     "/review/when/0/require", "unknown_field"},
    {"\"review\":{\"when\":[[]]}", "/review/when/0", "wrong_type"},
    {"\"fallback\":{}", "/fallback/amount", "missing_field"},
    {"\"fallback\":500", "/fallback", "wrong_type"},
    {"\"hold\":{}", "/hold", "missing_field"},
    {"\"hold\":{\"seconds\":59}", "/hold/seconds", "out_of_range"},
    {"\"hold\":{\"duration\":\"59s\"}", "/hold", "out_of_range"},
    {"\"hold\":{\"duration\":\"91d\"}", "/hold", "out_of_range"},
    {"\"hold\":{\"seconds\":60,\"duration\":\"1h\"}", "/hold", "out_of_range"},
    {"\"hold\":60", "/hold", "wrong_type"},
    {"\"reasons\":[]", "/reasons", "wrong_type"},
    {"\"reasons\":{\"SORRY\":\"x\"}", "/reasons/SORRY", "unknown_field"},
    {"\"reasons\":{\"QUALITY\":5}", "/reasons/QUALITY", "wrong_type"},
};

static void each_fault_is_named_at_its_pointer(void **state)
{
    char text[2048];

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct policy *policy;
        enum status rc;

        snprintf(text, sizeof text, "{\"currency\":\"USD\",%s}", faults[i].member);
        rc = read_text(text, &policy);
        if (rc != STATUS_INVALID || err.fault_count != 1 || policy ||
            strcmp(err.faults[0].pointer, faults[i].pointer) != 0 ||
            strcmp(err.faults[0].code, faults[i].code) != 0)
            fail_msg("%s: status %d, %d faults, %s %s: %s", faults[i].member, rc,
                     err.fault_count, err.faults[0].pointer, err.faults[0].code,
                     err.faults[0].detail);
        assert_true(strlen(err.faults[0].detail) > 5);
    }
}

static void all_faults_are_found_at_once(void **state)
{
    struct policy *policy;

    (void)state;
    assert_int_equal(read_text("{\"currency\":\"usd\",\"menu\":{\"amounts\":[-1,1.5],"
                               "\"order_shares\":[0.33333]},\"caps\":[{}],\"zzz\":1}",
                               &policy),
                     STATUS_INVALID);
    assert_int_equal(err.fault_count, 6);
    assert_string_equal(err.faults[0].code, "unknown_currency");
    assert_string_equal(err.faults[5].pointer, "/zzz");
    assert_non_null(strstr(err.faults[5].detail, "customer_limits"));
    assert_null(strstr(err.faults[5].detail, "revision"));
    assert_int_equal(read_text("{}", &policy), STATUS_INVALID);
    assert_string_equal(err.faults[0].pointer, "/currency");
    assert_string_equal(err.faults[0].code, "missing_field");
}

static void what_is_not_a_json_object_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum status status;
    } rows[] = {
        {"", STATUS_MALFORMED},
        {"{", STATUS_MALFORMED},
        {"{\"currency\":\"USD\"} x", STATUS_MALFORMED},
        {"{\"currency\":\"US\\u0000\"}", STATUS_INVALID},
        {"{\"currency\":\"USD\",\"priority\":1e999}", STATUS_INVALID},
        {"[]", STATUS_INVALID},
        {"{\"currency\":\"USD\",\"currency\":\"USD\"}", STATUS_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy *policy;
        enum status rc = read_text(rows[i].text, &policy);

        if (rc != rows[i].status || policy)
            fail_msg("%s: status %d", rows[i].text, rc);
        /* in words of people, not of the library */
        if (strstr(rows[i].text, "u0000") &&
            !strstr(err.text, "\\u0000 is not allowed in a text"))
            fail_msg("%s: %s", rows[i].text, err.text);
    }
    assert_string_equal(err.faults[0].code, "duplicate_field");
}

static void a_document_over_the_limit_is_too_large(void **state)
{
    char *text = malloc(POLICY_BYTES_MAX + 1);
    struct policy *policy = NULL;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', POLICY_BYTES_MAX + 1);
    memcpy(text, "{\"currency\":\"USD\"}", 18);
    assert_int_equal(policy_read(text, POLICY_BYTES_MAX + 1, &policy, &err),
                     STATUS_TOO_LARGE);
    assert_null(policy);
    assert_int_equal(policy_read(text, POLICY_BYTES_MAX, &policy, &err), STATUS_OK);
    policy_free(policy);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_document_has_defaults),
        cmocka_unit_test(members_are_read),
        cmocka_unit_test(how_chance_takes_part_is_read),
        cmocka_unit_test(the_shipped_documents_are_accepted),
        cmocka_unit_test(each_fault_is_named_at_its_pointer),
        cmocka_unit_test(all_faults_are_found_at_once),
        cmocka_unit_test(what_is_not_a_json_object_is_refused),
        cmocka_unit_test(a_document_over_the_limit_is_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
