/* fuzz_case.c - any bytes as a case; one that is accepted keeps the contract. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/case.h"

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
    return 0;
}
