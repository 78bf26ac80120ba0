/* outcomes.c - measurements of what became of decisions. */
#include "store/outcomes.h"

#include "store/sql.h"

enum status decision_number_find(struct store *store, const char *decision_id,
                                 int64_t *decision_number, struct err *err)
{
    struct query query = query_start(store, SQL_DECISION_PLACE);

    *decision_number = 0;
    put_string(&query, decision_id);
    if (query_row(&query)) {
        (void)take_int(&query);
        *decision_number = take_int(&query);
    }
    return query_end(&query, "look for a decision", err);
}

static void outcome_take(struct query *query, struct outcome_row *row)
{
    row->number = take_int(query);
    row->decision_number = take_int(query);
    take_string(query, row->metric, sizeof row->metric);
    row->value = take_double(query);
    row->occurred_at_us = take_int(query);
    row->created_at_us = take_int(query);
    take_intact(query);
}

enum status outcome_row_find(struct store *store, struct outcome_row *row,
                             struct err *err)
{
    struct query query = query_start(store, SQL_OUTCOME_FIND);

    row->number = 0;
    put_int(&query, row->decision_number);
    put_string(&query, row->metric);
    put_int(&query, row->occurred_at_us);
    if (query_row(&query))
        outcome_take(&query, row);
    return query_end(&query, "look for an outcome", err);
}

enum status outcome_row_insert(struct store *store, struct outcome_row *row,
                               struct err *err)
{
    struct query query = query_write(store, SQL_OUTCOME_INSERT);
    bool is_taken;
    enum status rc;

    put_int(&query, row->decision_number);
    put_string(&query, row->metric);
    put_double(&query, row->value);
    put_int(&query, row->occurred_at_us);
    put_int(&query, row->created_at_us);
    query_row(&query);
    is_taken = query_is_duplicate(&query);
    rc = query_end(&query, "write an outcome", err);
    if (is_taken)
        return err_set(err, STATUS_CONFLICT,
                       "there is an outcome '%s' of the same decision and moment",
                       row->metric);
    if (!rc)
        row->number = chain_end_at(store, CHAIN_OUTCOMES);
    return rc;
}

enum status outcome_row_list(struct store *store, struct outcome_range range,
                             struct arena *arena, struct outcome_row **rows, int *count,
                             struct err *err)
{
    struct query query = query_start(store, SQL_OUTCOME_RANGE);
    int capacity = 0;

    *rows = NULL;
    *count = 0;
    put_int(&query, range.first);
    put_int(&query, range.last);
    put_int(&query, range.newest);
    while (query_row(&query)) {
        struct outcome_row *row = QUERY_PUSH(&query, arena, rows, *count, &capacity);

        if (!row)
            break;
        outcome_take(&query, row);
        ++*count;
    }
    return query_end(&query, "read outcomes", err);
}

enum status outcome_row_count(struct store *store, int64_t decision_number,
                              int64_t *count, struct err *err)
{
    struct query query = query_start(store, SQL_OUTCOME_COUNT);

    *count = 0;
    put_int(&query, decision_number);
    if (query_row(&query))
        *count = take_int(&query);
    return query_end(&query, "count outcomes", err);
}
