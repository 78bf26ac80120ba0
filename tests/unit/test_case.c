/* test_case.c - a case is read as it was meant, or refused with all that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/case.h"

static char memory[1 << 20];
static struct arena arena;
static struct err err;

static enum status decode(const char *body, struct refund_case *asked)
{
    err_clear(&err);
    arena_init(&arena, memory, sizeof memory, 0);
    return case_decode(body, strlen(body), &arena, asked, &err);
}

#define LEAST                                                                            \
    "\"case_id\":\"a\",\"customer_id\":\"b\",\"currency\":\"USD\",\"issue\":\"x\""

static void a_full_case_is_read(void **state)
{
    static const char body[] =
        " {\"case_id\": \"zd-48213\", \"customer_id\": \"c_918\", \"currency\": \"USD\","
        "\"order_id\": \"o_77\", \"order_amount\": 4250, \"issue\": \"late_delivery\","
        "\"market\": \"us-ca\", \"segment\": \"new\", \"channel\": \"chat\","
        "\"requested_amount\": 2000, \"entitled_amount\": 150,"
        "\"occurred_at\": \"2026-11-20T18:02:11Z\","
        "\"features\": {\"tenure_days\": 410, \"share\": -2.5e-1, \"tier\": "
        "\"g\\u00f6ld\","
        "\"vip\": true, \"new\": false, \"city\": null, \"caf\\u00e9\": 1},"
        "\"metadata\": { \"agent\": \"a_5\" } } ";
    static const struct {
        const char *name;
        enum feature_kind kind;
        double number;
        const char *string;
    } features[] = {
        {"tenure_days", FEATURE_SENT_NUMBER, 410, ""},
        {"share", FEATURE_SENT_NUMBER, -0.25, ""},
        {"tier", FEATURE_SENT_STRING, 0, "g\xC3\xB6ld"},
        {"vip", FEATURE_SENT_BOOL, 1, ""},
        {"new", FEATURE_SENT_BOOL, 0, ""},
        {"city", FEATURE_SENT_NULL, 0, ""},
        {"caf\xC3\xA9", FEATURE_SENT_NUMBER, 1, ""},
    };
    struct refund_case asked;
    int64_t us;

    (void)state;
    assert_int_equal(decode(body, &asked), STATUS_OK);
    assert_true(text_is(asked.case_id, "zd-48213"));
    assert_true(text_is(asked.customer_id, "c_918"));
    assert_true(text_is(asked.order_id, "o_77"));
    assert_true(text_is(asked.issue, "late_delivery"));
    assert_true(text_is(asked.market, "us-ca"));
    assert_true(text_is(asked.segment, "new"));
    assert_true(text_is(asked.channel, "chat"));
    assert_string_equal(asked.currency, "USD");
    assert_int_equal(asked.order_amount, 4250);
    assert_int_equal(asked.requested_amount, 2000);
    assert_int_equal(asked.entitled_amount, 150);
    assert_int_equal(time_parse(text_of("2026-11-20T18:02:11Z"), &us, &err), STATUS_OK);
    assert_int_equal(asked.occurred_at_us, us);
    assert_true(text_is(asked.metadata, "{ \"agent\": \"a_5\" }"));
    assert_int_equal(asked.feature_count, 7);
    for (int i = 0; i < 7; i++) {
        assert_true(text_is(asked.features[i].name, features[i].name));
        assert_int_equal(asked.features[i].kind, features[i].kind);
        assert_true(asked.features[i].number == features[i].number);
        assert_true(text_is(asked.features[i].string, features[i].string));
    }
}

static void what_is_not_given_is_absent(void **state)
{
    struct refund_case asked;

    (void)state;
    assert_int_equal(decode("{" LEAST ",\"order_amount\":0}", &asked), STATUS_OK);
    assert_int_equal(asked.order_amount, 0);
    assert_int_equal(asked.requested_amount, AMOUNT_ABSENT);
    assert_int_equal(asked.entitled_amount, 0);
    assert_int_equal(asked.occurred_at_us, TIME_ABSENT);
    assert_int_equal(asked.order_id.bytes + asked.market.bytes + asked.segment.bytes +
                         asked.channel.bytes + asked.metadata.bytes,
                     0);
    assert_int_equal(asked.feature_count, 0);
}

static void amounts_are_exact_to_the_last_unit(void **state)
{
    struct refund_case asked;

    (void)state;
    assert_int_equal(decode("{" LEAST ",\"order_amount\":9007199254740991,"
                            "\"entitled_amount\":9007199254740990,"
                            "\"requested_amount\":-0}",
                            &asked),
                     STATUS_OK);
    assert_int_equal(asked.order_amount, 9007199254740991);
    assert_int_equal(asked.entitled_amount, 9007199254740990);
    assert_int_equal(asked.requested_amount, 0);
}

#define WORD_128                                                                         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                   \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* One thing wrong each: what is put behind the rest of the case, and where it is
 * refused. */
static const struct {
    const char *member, *pointer, *code;
} faults[] = {
    {"\"order_amount\":1.0", "/order_amount", "wrong_type"},
    {"\"order_amount\":1e3", "/order_amount", "wrong_type"},
    {"\"order_amount\":1E3", "/order_amount", "wrong_type"},
    {"\"order_amount\":\"5\"", "/order_amount", "wrong_type"},
    {"\"order_amount\":null", "/order_amount", "wrong_type"},
    {"\"order_amount\":true", "/order_amount", "wrong_type"},
    {"\"order_amount\":[1]", "/order_amount", "wrong_type"},
    {"\"order_amount\":{\"a\":1}", "/order_amount", "wrong_type"},
    {"\"order_amount\":-1", "/order_amount", "out_of_range"},
    {"\"order_amount\":9007199254740992", "/order_amount", "out_of_range"},
    {"\"order_amount\":99999999999999999999999999999999", "/order_amount",
     "out_of_range"},
    {"\"order_amount\":-9223372036854775809", "/order_amount", "out_of_range"},
    {"\"order_amount\":1,\"order_amount\":1", "/order_amount", "duplicate_field"},
    {"\"order_amount\":1,\"order_\\u0061mount\":1", "/order_amount", "duplicate_field"},
    {"\"market\":\"x\"", "/order_amount", "missing_field"},
    {"\"order_amount\":5,\"entitled_amount\":6", "/entitled_amount", "out_of_range"},
    {"\"order_amount\":5,\"entitled_amount\":0.5", "/entitled_amount", "wrong_type"},
    {"\"order_amount\":5,\"requested_amount\":-2", "/requested_amount", "out_of_range"},
    {"\"order_amount\":5,\"requested_amount\":null", "/requested_amount", "wrong_type"},
    {"\"order_amount\":5,\"minutes_late\":6", "/minutes_late", "unknown_field"},
    {"\"order_amount\":5,\"\":6", "/", "unknown_field"},
    {"\"order_amount\":5,\"a/b~c\":6", "/a~1b~0c", "unknown_field"},
    {"\"order_amount\":5,\"case_id\\u0000x\":6", "", "invalid_text"},
    {"\"order_amount\":5,\"features\":{\"a\\u0000\":1}", "/features", "invalid_text"},
    {"\"order_amount\":5,\"Market\":\"x\"", "/Market", "unknown_field"},
    {"\"order_amount\":5,\"market\":\"\"", "/market", "out_of_range"},
    {"\"order_amount\":5,\"market\":\"" WORD_128 "x\"", "/market", "out_of_range"},
    {"\"order_amount\":5,\"market\":5", "/market", "wrong_type"},
    {"\"order_amount\":5,\"order_id\":\"a\\u0000b\"", "/order_id", "invalid_text"},
    {"\"order_amount\":5,\"order_id\":\"a\\nb\"", "/order_id", "invalid_text"},
    {"\"order_amount\":5,\"order_id\":\"a\\u007f\"", "/order_id", "invalid_text"},
    {"\"order_amount\":5,\"order_id\":\"a\\u0085\"", "/order_id", "invalid_text"},
    {"\"order_amount\":5,\"order_id\":\"a\x7f\"", "/order_id", "invalid_text"},
    {"\"order_amount\":5,\"order_id\":\"order-\xc2\x85-7\"", "/order_id", "invalid_text"},
    {"\"order_amount\":5,\"features\":{\"tenure\x7f\":1}", "/features/tenure\x7f",
     "invalid_text"},
    {"\"order_amount\":5,\"occurred_at\":5", "/occurred_at", "wrong_type"},
    {"\"order_amount\":5,\"occurred_at\":\"yesterday\"", "/occurred_at", "invalid_time"},
    {"\"order_amount\":5,\"occurred_at\":\"2026-02-30T00:00:00Z\"", "/occurred_at",
     "invalid_time"},
    {"\"order_amount\":5,\"features\":[]", "/features", "wrong_type"},
    {"\"order_amount\":5,\"features\":null", "/features", "wrong_type"},
    {"\"order_amount\":5,\"features\":{\"a\":[]}", "/features/a", "wrong_type"},
    {"\"order_amount\":5,\"features\":{\"tenure_days\":{}}", "/features/tenure_days",
     "wrong_type"},
    {"\"order_amount\":5,\"features\":{\"a\":1,\"b\":2,\"a\":3}", "/features/a",
     "duplicate_field"},
    {"\"order_amount\":5,\"features\":{\"a\":1,\"\\u0061\":3}", "/features/a",
     "duplicate_field"},
    {"\"order_amount\":5,\"features\":{\"\":1}", "/features/", "out_of_range"},
    {"\"order_amount\":5,\"features\":{\"a\\tb\":1}", "/features/a\tb", "invalid_text"},
    {"\"order_amount\":5,\"features\":{\"a\":\"" WORD_128 "x\"}", "/features/a",
     "out_of_range"},
    {"\"order_amount\":5,\"features\":{\"a\":1e999}", "/features/a", "out_of_range"},
    {"\"order_amount\":5,\"metadata\":\"x\"", "/metadata", "wrong_type"},
    {"\"order_amount\":5,\"metadata\":{\"a\":1}", "/metadata/a", "wrong_type"},
    {"\"order_amount\":5,\"metadata\":{\"a\":{}}", "/metadata/a", "wrong_type"},
    {"\"order_amount\":5,\"metadata\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"}",
     "/metadata/a", "duplicate_field"},
    {"\"order_amount\":5,\"metadata\":{\"a\":\"\\u0000\"}", "/metadata/a",
     "invalid_text"},
};

static void each_fault_is_named_at_its_pointer(void **state)
{
    char body[2048];

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct refund_case asked;
        enum status rc;

        snprintf(body, sizeof body, "{" LEAST ",%s}", faults[i].member);
        rc = decode(body, &asked);
        if (rc != STATUS_INVALID || err.fault_count != 1 ||
            strcmp(err.faults[0].pointer, faults[i].pointer) != 0 ||
            strcmp(err.faults[0].code, faults[i].code) != 0)
            fail_msg("%s: status %d, %d faults, %s %s", faults[i].member, rc,
                     err.fault_count, err.faults[0].pointer, err.faults[0].code);
    }
}

static void currencies_are_those_of_the_standard(void **state)
{
    static const char *const codes[] = {"\"usd\"", "\"USDX\"", "\"XXQ\"", "\"\"",
                                        "\"US\\u0000\""};
    struct refund_case asked;
    char body[256];

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        snprintf(
            body, sizeof body,
            "{\"currency\":%s,\"case_id\":\"a\",\"customer_id\":\"b\",\"issue\":\"x\","
            "\"order_amount\":1}",
            codes[i]);
        assert_int_equal(decode(body, &asked), STATUS_INVALID);
        assert_int_equal(err.fault_count, 1);
        assert_string_equal(err.faults[0].pointer, "/currency");
        assert_string_equal(err.faults[0].code, "unknown_currency");
    }
}

static void one_pass_finds_all_faults(void **state)
{
    struct refund_case asked;

    (void)state;
    assert_int_equal(decode("{\"case_id\":5,\"currency\":\"QQQ\",\"order_amount\":1.5,"
                            "\"features\":{\"a\":[1,[2]],\"b\":{}},\"x\":{\"y\":[]}}",
                            &asked),
                     STATUS_INVALID);
    assert_int_equal(err.fault_count, 8);
    assert_string_equal(err.faults[0].pointer, "/case_id");
    assert_string_equal(err.faults[3].pointer, "/features/a");
    assert_string_equal(err.faults[5].pointer, "/x");
    assert_string_equal(err.faults[6].pointer, "/customer_id");
    assert_string_equal(err.faults[7].pointer, "/issue");
    assert_int_equal(decode("{}", &asked), STATUS_INVALID);
    assert_int_equal(err.fault_count, 5);
    assert_int_equal(decode("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,"
                            "\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,"
                            "\"o\":1,\"p\":1,\"q\":1,\"r\":1}",
                            &asked),
                     STATUS_INVALID);
    assert_int_equal(err.fault_count, ERR_FAULT_COUNT_MAX);
}

static void what_is_not_a_json_object_is_refused(void **state)
{
    static const struct {
        const char *body;
        enum status status;
    } rows[] = {
        {"", STATUS_MALFORMED},
        {"  ", STATUS_MALFORMED},
        {"{", STATUS_MALFORMED},
        {"{\"x\":1,\"case_id\":", STATUS_MALFORMED},
        {"{" LEAST ",\"order_amount\":01}", STATUS_MALFORMED},
        {"{" LEAST ",\"order_amount\":1}}", STATUS_MALFORMED},
        {"{" LEAST ",\"order_amount\":1,}", STATUS_MALFORMED},
        {"{" LEAST ",\"order_amount\":1,\"features\":{\"a\":NaN}}", STATUS_MALFORMED},
        {"{" LEAST ",\"order_amount\":1,\"market\":\"\xFF\"}", STATUS_MALFORMED},
        {"{" LEAST ",\"order_amount\":1,\"market\":\"\\ud800\"}", STATUS_MALFORMED},
        {"[]", STATUS_INVALID},
        {"5", STATUS_INVALID},
        {"null", STATUS_INVALID},
    };
    struct refund_case asked;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum status rc = decode(rows[i].body, &asked);

        if (rc != rows[i].status)
            fail_msg("%s: status %d", rows[i].body, rc);
        assert_int_equal(err.fault_count, rc == STATUS_INVALID);
    }
}

static void size_depth_and_counts_have_limits(void **state)
{
    static char body[CASE_BYTES_MAX + 64];
    struct refund_case asked;
    int at;

    (void)state;
    /* As large as may be, then a byte more. */
    at = snprintf(body, sizeof body, "{" LEAST ",\"order_amount\":1}");
    memset(body + at, ' ', sizeof body - (size_t)at);
    arena_init(&arena, memory, sizeof memory, 0);
    assert_int_equal(case_decode(body, CASE_BYTES_MAX, &arena, &asked, &err), STATUS_OK);
    assert_int_equal(case_decode(body, CASE_BYTES_MAX + 1, &arena, &asked, &err),
                     STATUS_TOO_LARGE);

    /* Depth, of a value that is refused anyway. */
    for (int depth = 14; depth <= 17; depth++) {
        at = snprintf(body, sizeof body, "{" LEAST ",\"order_amount\":");
        for (int i = 0; i < depth; i++)
            body[at++] = '[';
        for (int i = 0; i < depth; i++)
            body[at++] = ']';
        body[at++] = '}';
        body[at] = '\0';
        assert_int_equal(decode(body, &asked) == STATUS_INVALID && err.fault_count == 1,
                         depth + 1 <= CASE_DEPTH_MAX);
    }

    /* Features and metadata: as many as may be, then one more. */
    for (int extra = 0; extra < 2; extra++) {
        at = snprintf(body, sizeof body, "{" LEAST ",\"order_amount\":1,\"features\":{");
        for (int i = 0; i < CASE_FEATURE_COUNT_MAX + extra; i++)
            at += snprintf(body + at, sizeof body - (size_t)at, "%s\"f%d\":%d",
                           i ? "," : "", i, i);
        snprintf(body + at, sizeof body - (size_t)at, "}}");
        assert_int_equal(decode(body, &asked), extra ? STATUS_INVALID : STATUS_OK);
        assert_int_equal(asked.feature_count, CASE_FEATURE_COUNT_MAX);
        for (int i = 0; i < CASE_FEATURE_COUNT_MAX; i++)
            assert_true(asked.features[i].number == i);
        if (extra)
            assert_string_equal(err.faults[0].code, "too_many");

        at = snprintf(body, sizeof body, "{" LEAST ",\"order_amount\":1,\"metadata\":{");
        for (int i = 0; i < CASE_METADATA_COUNT_MAX + extra; i++)
            at += snprintf(body + at, sizeof body - (size_t)at, "%s\"m%d\":\"\\\"\"",
                           i ? "," : "", i);
        snprintf(body + at, sizeof body - (size_t)at, "}}");
        assert_int_equal(decode(body, &asked), extra ? STATUS_INVALID : STATUS_OK);
    }
    snprintf(body, sizeof body,
             "{" LEAST ",\"order_amount\":1,\"market\":\"" WORD_128 "\"}");
    assert_int_equal(decode(body, &asked), STATUS_OK);
    assert_int_equal(asked.market.bytes, CASE_TEXT_BYTES_MAX);
}

static void long_names_are_cut_at_whole_characters(void **state)
{
    struct refund_case asked;
    char body[1024] = "{" LEAST ",\"order_amount\":1,\"";

    (void)state;
    for (int i = 0; i < 120; i++)
        strcat(body, "\xC3\xA9");
    strcat(body, "\":1}");
    assert_int_equal(decode(body, &asked), STATUS_INVALID);
    /* The slash, then 79 characters of two bytes: 159 of 160 bytes. */
    assert_int_equal(strlen(err.faults[0].pointer), 159);
    assert_int_equal((unsigned char)err.faults[0].pointer[158], 0xA9);
}

static void a_full_arena_is_said_and_nothing_else_happens(void **state)
{
    static const char body[] =
        "{\"case_id\":\"a\\u0062\",\"customer_id\":\"b\\\"c\",\"currency\":\"USD\","
        "\"order_amount\":1,\"issue\":\"x\",\"features\":{\"a\\u0020b\":\"c\\td\",\"b\":"
        "1,"
        "\"c\":\"\\u00e9\"},\"metadata\":{\"k\":\"\\n\"}}";
    size_t bytes;

    (void)state;
    for (bytes = 0; bytes < 4096; bytes++) {
        char *exact = malloc(bytes ? bytes : 1);
        struct refund_case asked;
        enum status rc;

        arena_init(&arena, exact, bytes, 0);
        err_clear(&err);
        rc = case_decode(body, sizeof body - 1, &arena, &asked, &err);
        /* A tab within a feature's text is refused once there is room for it. */
        assert_true(rc == STATUS_EXHAUSTED || rc == STATUS_INVALID);
        assert_int_equal(err.status, rc);
        free(exact);
        if (rc == STATUS_INVALID)
            break;
    }
    assert_in_range(bytes, 1, 4095);
    assert_string_equal(err.faults[0].pointer, "/features/a b");
}

static void scopes_match_what_they_name(void **state)
{
    static const struct {
        const char *scope;
        bool matches;
    } rows[] = {
        {"{}", true},
        {"{\"market\":\"us-ca\"}", true},
        {"{\"market\":\"us-ca\",\"issue\":\"late\",\"segment\":\"new\",\"channel\":"
         "\"chat\","
         "\"currency\":\"USD\"}",
         true},
        {"{\"market\":\"us-c\"}", false},
        {"{\"market\":\"us-ca\",\"issue\":\"quality\"}", false},
        {"{\"segment\":\"old\"}", false},
        {"{\"channel\":\"phone\"}", false},
        {"{\"currency\":\"EUR\"}", false},
        {"{\"m\\u0061rket\":\"us\\u002dca\"}", true},
    };
    struct refund_case asked = {
        .market = text_of("us-ca"),
        .issue = text_of("late"),
        .segment = text_of("new"),
        .channel = text_of("chat"),
        .currency = "USD",
    };

    (void)state;
    arena_init(&arena, memory, sizeof memory, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scope scope;

        assert_int_equal(
            scope_decode(text_of(rows[i].scope), "/scope", &arena, &scope, &err),
            STATUS_OK);
        assert_int_equal(scope_matches(&scope, &asked), rows[i].matches);
    }
    /* A case without a segment is not one of segment "new". */
    asked.segment = (struct text){0};
    assert_false(scope_matches(&(struct scope){.segment = text_of("new")}, &asked));
}

static void faults_of_scopes_have_the_pointer_of_the_scope(void **state)
{
    static const struct {
        const char *scope, *pointer, *code;
    } rows[] = {
        {"[]", "/scope", "wrong_type"},
        {"{\"planet\":\"x\"}", "/scope/planet", "unknown_field"},
        {"{\"market\":\"\"}", "/scope/market", "out_of_range"},
        {"{\"market\":null}", "/scope/market", "wrong_type"},
        {"{\"market\":\"a\",\"market\":\"a\"}", "/scope/market", "duplicate_field"},
        {"{\"currency\":\"usd\"}", "/scope/currency", "unknown_currency"},
        {"{\"issue\":\"a\\u0001\"}", "/scope/issue", "invalid_text"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scope scope;

        err_clear(&err);
        arena_init(&arena, memory, sizeof memory, 0);
        assert_int_equal(
            scope_decode(text_of(rows[i].scope), "/scope", &arena, &scope, &err),
            STATUS_INVALID);
        assert_int_equal(err.fault_count, 1);
        assert_string_equal(err.faults[0].pointer, rows[i].pointer);
        assert_string_equal(err.faults[0].code, rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_case_is_read),
        cmocka_unit_test(what_is_not_given_is_absent),
        cmocka_unit_test(amounts_are_exact_to_the_last_unit),
        cmocka_unit_test(each_fault_is_named_at_its_pointer),
        cmocka_unit_test(currencies_are_those_of_the_standard),
        cmocka_unit_test(one_pass_finds_all_faults),
        cmocka_unit_test(what_is_not_a_json_object_is_refused),
        cmocka_unit_test(size_depth_and_counts_have_limits),
        cmocka_unit_test(long_names_are_cut_at_whole_characters),
        cmocka_unit_test(a_full_arena_is_said_and_nothing_else_happens),
        cmocka_unit_test(scopes_match_what_they_name),
        cmocka_unit_test(faults_of_scopes_have_the_pointer_of_the_scope),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
