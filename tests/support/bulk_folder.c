#include "support/bulk_folder.h"

#include "support/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* As large as those of the demo's policy. */
enum { BATCH = 5000, CUSTOMER_COUNT = 200000, BODY_BYTES = 1200, CONTEXT_BYTES = 1000 };

#define HELD_UNTIL_US (INT64_C(4102444800) * 1000000) /* the year 2100 */

struct bulk {
    struct store *store;
    struct budget budget;
    char body[BODY_BYTES], context[CONTEXT_BYTES];
    struct err err;
};

static enum status add_one(struct bulk *bulk, int64_t number)
{
    char scope_key[64], id[ID_BYTES], customer[32], case_id[32];
    struct answer answer;
    struct decision_row row;
    enum status rc;

    snprintf(scope_key, sizeof scope_key, "key_bulk POST /v1/decisions k%lld",
             (long long)number);
    snprintf(id, sizeof id, "dec_%026lld", (long long)number);
    snprintf(customer, sizeof customer, "bulk_%lld", (long long)number % CUSTOMER_COUNT);
    snprintf(case_id, sizeof case_id, "case-%lld", (long long)number);
    answer = answer_of(scope_key);
    answer.body = (struct text){bulk->body, sizeof bulk->body};
    row = decision_of(id);
    row.created_at_us += number;
    row.hold_expires_at_us = HELD_UNTIL_US;
    row.amount = row.goodwill = 1;
    row.customer_id = text_of(customer);
    row.case_id = row.order_id = text_of(case_id);
    row.context = (struct text){bulk->context, sizeof bulk->context};
    rc = answer_insert(bulk->store, &answer, &bulk->err);
    row.answer_number = answer.number;
    if (!rc)
        rc = decision_insert(bulk->store, &row, &bulk->err);
    if (!rc)
        rc = budget_move(bulk->store, &bulk->budget, ENTRY_HOLD, 1, row.id, &bulk->err);
    return rc;
}

/* budget_move writes the row of the budget, too: as often as the service would at
 * worst. */
static enum status add_batch(struct bulk *bulk, int64_t first, int64_t end)
{
    enum status rc = store_begin(bulk->store, &bulk->err);

    for (int64_t number = first; number < end && !rc; number++)
        rc = add_one(bulk, number);
    if (!rc)
        rc = store_commit(bulk->store, &bulk->err);
    if (!rc)
        rc = store_checkpoint(bulk->store, NULL, &bulk->err);
    return rc;
}

void bulk_folder_fill(const char *folder, int64_t decision_count)
{
    struct bulk bulk = {.budget = budget_of("bud_bulk", decision_count)};
    char path[4096];

    snprintf(path, sizeof path, "%s/redress.db", folder);
    snprintf(bulk.budget.market, sizeof bulk.budget.market, "bulk");
    memset(bulk.body, ' ', sizeof bulk.body);
    memset(bulk.context, ' ', sizeof bulk.context);
    memcpy(bulk.context, "{}", 2);
    assert_ok(&bulk, store_open(path, STORE_WRITER, &bulk.store, NULL, &bulk.err));
    assert_ok(&bulk, store_begin(bulk.store, &bulk.err));
    assert_ok(&bulk, budget_open(bulk.store, &bulk.budget, &bulk.err));
    assert_ok(&bulk, store_commit(bulk.store, &bulk.err));
    for (int64_t first = 0; first < decision_count; first += BATCH)
        assert_ok(&bulk, add_batch(&bulk, first,
                                   first + BATCH < decision_count ? first + BATCH
                                                                  : decision_count));
    store_close(bulk.store);
}
