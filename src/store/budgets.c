/* budgets.c - the rows of budgets. */
#include "store/ledger.h"

#include "store/sql.h"

static void budget_put(struct query *query, const struct budget *budget)
{
    put_string(query, budget->id);
    put_string(query, budget->market);
    put_string(query, budget->issue);
    put_string(query, budget->segment);
    put_string(query, budget->channel);
    put_string(query, budget->scope_currency);
    put_string(query, budget->currency);
    put_int(query, budget->period);
    put_string(query, budget->time_zone);
    put_int(query, budget->pacing);
    put_int(query, budget->limit);
    put_int(query, budget->held);
    put_int(query, budget->spent);
    put_int(query, budget->unfunded);
    put_int(query, budget->expected_cases);
    put_int(query, budget->case_count);
    put_double(query, budget->shadow_price);
    put_int(query, budget->period_starts_at_us);
    put_int(query, budget->period_ends_at_us);
    put_int(query, budget->created_at_us);
    put_int(query, budget->updated_at_us);
    put_int(query, budget->revision);
    put_int(query, budget->ended);
    put_int(query, budget->returned);
}

static void budget_take(struct query *query, struct budget *budget)
{
    take_string(query, budget->id, sizeof budget->id);
    take_string(query, budget->market, sizeof budget->market);
    take_string(query, budget->issue, sizeof budget->issue);
    take_string(query, budget->segment, sizeof budget->segment);
    take_string(query, budget->channel, sizeof budget->channel);
    take_string(query, budget->scope_currency, sizeof budget->scope_currency);
    take_string(query, budget->currency, sizeof budget->currency);
    budget->period = take_enum(query, PERIOD_TOTAL + 1);
    take_string(query, budget->time_zone, sizeof budget->time_zone);
    budget->pacing = take_enum(query, PACING_PROFILE + 1);
    budget->limit = take_int(query);
    budget->held = take_int(query);
    budget->spent = take_int(query);
    budget->unfunded = take_int(query);
    budget->expected_cases = take_int(query);
    budget->case_count = take_int(query);
    budget->shadow_price = take_double(query);
    budget->period_starts_at_us = take_int(query);
    budget->period_ends_at_us = take_int(query);
    budget->created_at_us = take_int(query);
    budget->updated_at_us = take_int(query);
    budget->revision = take_int(query);
    budget->ended = take_int(query);
    budget->returned = take_int(query);
    take_intact(query);
}

static enum status not_found(const char *id, struct err *err)
{
    return err_code(err, STATUS_NOT_FOUND, "budget_not_found", "there is no budget '%s'",
                    id);
}

static enum status has_room(struct store *store, struct err *err)
{
    struct query query = query_start(store, SQL_BUDGET_COUNT);
    int64_t count = query_row(&query) ? take_int(&query) : 0;
    enum status rc = query_end(&query, "count the budgets", err);

    if (!rc && count >= BUDGET_COUNT_MAX)
        rc = err_set(err, STATUS_CONFLICT,
                     "there are %d budgets already: remove one first", BUDGET_COUNT_MAX);
    return rc;
}

enum status budget_insert(struct store *store, const struct budget *budget,
                          struct err *err)
{
    struct query query;
    enum status rc = has_room(store, err);
    bool is_taken;

    if (rc)
        return rc;
    query = query_write(store, SQL_BUDGET_INSERT);
    budget_put(&query, budget);
    query_row(&query);
    is_taken = query_is_duplicate(&query);
    rc = query_end(&query, "write the budget", err);
    if (is_taken)
        rc = err_set(err, STATUS_CONFLICT, "the budget id '%s' is taken", budget->id);
    return rc;
}

enum status budget_update(struct store *store, const struct budget *budget,
                          struct err *err)
{
    struct query query = query_write(store, SQL_BUDGET_UPDATE);
    enum status rc;

    budget_put(&query, budget);
    rc = query_run(&query, "write the budget", err);
    if (!rc && sqlite3_changes(store->db) == 0)
        rc = not_found(budget->id, err);
    return rc;
}

enum status budget_remove(struct store *store, const char *id, int64_t now_us,
                          struct err *err)
{
    struct query query = query_write(store, SQL_BUDGET_REMOVE);
    struct budget budget;
    enum status rc;

    put_string(&query, id);
    put_int(&query, now_us);
    rc = query_run(&query, "remove the budget", err);
    /* Damaged, or not there: reading it says which. */
    if (!rc && sqlite3_changes(store->db) == 0)
        rc = budget_find(store, id, &budget, err);
    return rc;
}

enum status budget_find(struct store *store, const char *id, struct budget *budget,
                        struct err *err)
{
    struct query query = query_start(store, SQL_BUDGET_FIND);
    bool is_found;
    enum status rc;

    put_string(&query, id);
    is_found = query_row(&query);
    if (is_found)
        budget_take(&query, budget);
    rc = query_end(&query, "read the budget", err);
    if (!rc && !is_found)
        rc = not_found(id, err);
    return rc;
}

enum status budget_list(struct store *store, struct arena *arena, struct budget **budgets,
                        int *count, struct err *err)
{
    struct query query = query_start(store, SQL_BUDGET_LIST);
    int capacity = 0;

    *budgets = NULL;
    *count = 0;
    while (query_row(&query)) {
        struct budget *budget = QUERY_PUSH(&query, arena, budgets, *count, &capacity);

        if (!budget)
            break;
        budget_take(&query, budget);
        ++*count;
    }
    return query_end(&query, "read the budgets", err);
}

/* --- prices --------------------------------------------------------------------------------- */

enum status price_snapshot_find(struct store *store, struct price_snapshot *snapshot,
                                struct err *err)
{
    struct query query = query_start(store, SQL_PRICE_SNAPSHOT_FIND);

    *snapshot = (struct price_snapshot){0};
    if (query_row(&query)) {
        take_string(&query, snapshot->id, sizeof snapshot->id);
        snapshot->published_at_us = take_int(&query);
        take_intact(&query);
    }
    return query_end(&query, "read the price snapshot", err);
}

enum status price_snapshot_set(struct store *store, const struct price_snapshot *snapshot,
                               struct err *err)
{
    struct query query = query_write(store, SQL_PRICE_SNAPSHOT_SET);

    put_string(&query, snapshot->id);
    put_int(&query, snapshot->published_at_us);
    return query_run(&query, "write the price snapshot", err);
}
