/* check_rows.c - whether rows that are in no chain are as they were written, by their
 * digests, found by their keys, and refer to what is there. */
#include "store/check.h"

enum { RECENT_ROWS = 1000 };

/* Whose rows nobody deletes are numbered without a gap. */
static const struct {
    const char *name;
    enum sql rows;
    bool is_gapless;
} tables[] = {
    {"answers", SQL_CHECK_ROWS_ANSWERS, true},
    {"decisions", SQL_CHECK_ROWS_DECISIONS, true},
    {"budgets", SQL_CHECK_ROWS_BUDGETS, true},
    {"model_versions", SQL_CHECK_ROWS_VERSIONS, true},
    {"model_files", SQL_CHECK_ROWS_FILES, true},
    {"alias_moves", SQL_CHECK_ROWS_MOVES, true},
    {"policy_revisions", SQL_CHECK_ROWS_POLICIES, true},
    {"api_keys", SQL_CHECK_ROWS_KEYS, true},
    {"secrets", SQL_CHECK_ROWS_SECRETS, true},
    {"price_snapshot", SQL_CHECK_ROWS_PRICES, false},
    {"traffic_cells", SQL_CHECK_ROWS_CELLS, false},
    {"traffic_curves", SQL_CHECK_ROWS_CURVES, false},
    {"outcomes", SQL_CHECK_ROWS_OUTCOMES, true},
};

enum {
    TABLE_COUNT = sizeof tables / sizeof *tables,
    ANSWERS = 0,
    DECISIONS,
    BUDGETS,
    OUTCOMES = TABLE_COUNT - 1,
};

static void check_row(struct check *check, struct query *query, int table,
                      int64_t *number)
{
    int64_t before = *number;

    *number = take_int(query);
    expect_after(query, *number, before);
    if (query->code != SQLITE_ROW)
        return;
    if (tables[table].is_gapless && *number != before + 1)
        check_fault(check, "Row %lld of '%s' is missing.", (long long)before + 1,
                    tables[table].name);
    if (!take_int(query))
        check_fault(check, "Row %lld of '%s' was changed: its digest does not match.",
                    (long long)*number, tables[table].name);
    if (!take_int(query))
        check_fault(check,
                    "Row %lld of '%s' is not found by its key: an index is damaged.",
                    (long long)*number, tables[table].name);
    if (!take_int(query))
        check_fault(check, "Row %lld of '%s' refers to a row that is not found.",
                    (long long)*number, tables[table].name);
    if (table == ANSWERS)
        check->report->answer_count++;
}

/* The newest row that there was when the check began, of tables that grow all the
 * time. */
static int64_t newest_of(const struct check *check, int table)
{
    switch (table) {
    case ANSWERS:
        return check->newest.answer_count;
    case DECISIONS:
        return check->newest.decision_count;
    case OUTCOMES:
        return check->newest.outcome_count;
    default:
        return INT64_MAX;
    }
}

/* Rows of a table beyond number. */
static enum status check_table(struct check *check, int table, int64_t number,
                               struct err *err)
{
    enum status rc;
    int limit, count;

    do {
        struct query query = query_start(check->store, tables[table].rows);

        limit = range_rows(number, newest_of(check, table));
        put_int(&query, number);
        put_int(&query, limit);
        for (count = 0; query_row(&query); count++)
            check_row(check, &query, table, &number);
        rc = query_end(&query, "check the rows of a table", err);
        if (!rc && check->goes_on && !check->goes_on(check->context))
            rc = err_set(err, STATUS_UNAVAILABLE, "the check was stopped");
    } while (!rc && limit > 0 && count == limit);
    return rc;
}

enum status check_rows(struct check *check, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; !rc && i < TABLE_COUNT; i++)
        rc = check_table(check, i, tables[i].is_gapless ? 0 : INT64_MIN, err);
    return rc;
}

static int64_t recent(int64_t newest)
{
    return newest > RECENT_ROWS ? newest - RECENT_ROWS : 0;
}

enum status check_rows_recent(struct check *check, struct err *err)
{
    enum status rc = check_table(check, ANSWERS, recent(check->newest.answer_count), err);

    if (!rc)
        rc = check_table(check, DECISIONS, recent(check->newest.decision_count), err);
    if (!rc)
        rc = check_table(check, OUTCOMES, recent(check->newest.outcome_count), err);
    if (!rc)
        rc = check_table(check, BUDGETS, 0, err);
    return rc;
}
