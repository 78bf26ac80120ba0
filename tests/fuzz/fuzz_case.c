/* fuzz_case.c - any bytes as a case; one that is accepted keeps the contract. What is
 * JSON, and what its money is, jansson is asked too. */
#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/case.h"

/* Refused as no JSON: jansson says so, too, unless a rule of ours is the stricter. */
static bool is_stricter_rule(const struct err *err, const char *body, size_t bytes)
{
    const char *at = strstr(err->text, "byte ");
    size_t offset = at ? strtoul(at + strlen("byte "), NULL, 10) : bytes;

    return strstr(err->text, "nested deeper") || strstr(err->text, "a key has more") ||
           (offset < bytes && body[offset] == '\0');
}

static void expect_amount(const json_t *root, const char *name, int64_t amount,
                          int64_t absent)
{
    const json_t *value = json_object_get(root, name);

    assert(value ? json_is_integer(value) && json_integer_value(value) == amount
                 : amount == absent);
}

/* Numbers beyond 64 bits and keys with a NUL jansson reads none of. */
static void expect_same(const char *body, size_t bytes, const struct refund_case *asked)
{
    json_error_t error;
    json_t *root = json_loadb(body, bytes, JSON_ALLOW_NUL, &error), *id;

    if (!root) {
        assert(json_error_code(&error) == json_error_numeric_overflow ||
               json_error_code(&error) == json_error_null_byte_in_key);
        return;
    }
    id = json_object_get(root, "case_id");
    assert(text_equal(asked->case_id,
                      (struct text){json_string_value(id), json_string_length(id)}));
    expect_amount(root, "order_amount", asked->order_amount, AMOUNT_ABSENT);
    expect_amount(root, "requested_amount", asked->requested_amount, AMOUNT_ABSENT);
    expect_amount(root, "entitled_amount", asked->entitled_amount, 0);
    assert(json_object_size(json_object_get(root, "features")) ==
           (size_t)asked->feature_count);
    json_decref(root);
}

static void expect_none(const char *body, size_t bytes, const struct err *err)
{
    json_t *root = json_loadb(
        body, bytes, JSON_ALLOW_NUL | JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

    assert(!root || is_stricter_rule(err, body, bytes));
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char buffer[256 << 10];
    struct refund_case asked;
    struct arena arena;
    struct err err;
    enum status rc;

    err_clear(&err);
    arena_init(&arena, buffer, sizeof buffer, 0);
    rc = case_decode((const char *)data, size, &arena, &asked, &err);
    if (rc) {
        assert(err.status == rc);
        assert(rc != STATUS_INVALID || err.fault_count > 0 || err.text[0] != '\0');
        if (rc == STATUS_MALFORMED)
            expect_none((const char *)data, size, &err);
        return 0;
    }
    assert(asked.case_id.bytes > 0 && asked.case_id.bytes <= CASE_TEXT_BYTES_MAX);
    assert(asked.issue.bytes > 0);
    assert(currency_exists(text_of(asked.currency)));
    assert(asked.order_amount >= 0 && asked.order_amount <= MONEY_MINOR_MAX);
    assert(asked.entitled_amount >= 0 && asked.entitled_amount <= asked.order_amount);
    assert(asked.requested_amount >= AMOUNT_ABSENT);
    assert(asked.feature_count <= CASE_FEATURE_COUNT_MAX);
    for (int i = 0; i < asked.feature_count; i++)
        assert(asked.features[i].name.bytes > 0);
    expect_same((const char *)data, size, &asked);
    return 0;
}
