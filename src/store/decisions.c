/* decisions.c - the decision log. */
#include "store/decisions.h"

#include "store/sql.h"

static const char *const outcome_names[] = {"credit", "no_credit", "review", "fallback"};

enum { OUTCOME_COUNT = sizeof outcome_names / sizeof *outcome_names };

const char *outcome_name(enum outcome outcome)
{
    return outcome_names[outcome];
}

bool outcome_find(struct text name, enum outcome *outcome)
{
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (text_is(name, outcome_names[i])) {
            *outcome = i;
            return true;
        }
    return false;
}

const char *decision_status_name(enum decision_status status)
{
    static const char *const names[] = {
        [DECISION_HELD] = "held",         [DECISION_SETTLED] = "settled",
        [DECISION_RELEASED] = "released", [DECISION_EXPIRED] = "expired",
        [DECISION_NONE] = "none",
    };

    return names[status];
}

const char *decision_mode_name(enum decision_mode mode)
{
    static const char *const names[] = {
        [MODE_LIVE] = "live",
        [MODE_SHADOW] = "shadow",
        [MODE_HOLDOUT] = "holdout",
        [MODE_DRY_RUN] = "dry_run",
    };

    return names[mode];
}

enum status decision_insert(struct store *store, struct decision_row *row,
                            struct err *err)
{
    struct query query = query_write(store, SQL_DECISION_INSERT);
    bool is_taken;
    enum status rc;

    put_string(&query, row->id);
    put_string_or_null(&query, row->parent_id);
    put_int_or_null(&query, row->answer_number);
    put_int(&query, row->created_at_us);
    put_int(&query, row->updated_at_us);
    put_int_or_null(&query, row->hold_expires_at_us);
    put_int(&query, row->outcome);
    put_int(&query, row->mode);
    put_int(&query, row->status);
    put_int(&query, row->amount);
    put_int(&query, row->goodwill);
    put_int(&query, row->settled_amount);
    put_string(&query, row->currency);
    put_text(&query, row->customer_id);
    put_text_or_null(&query, row->order_id);
    put_text(&query, row->case_id);
    put_text(&query, row->issue);
    put_text_or_null(&query, row->external_ref);
    put_packed(&query, row->context);
    put_digest(&query);
    query_row(&query);
    is_taken = query_is_duplicate(&query);
    rc = query_end(&query, "write a decision", err);
    if (is_taken)
        return err_set(err, STATUS_CONFLICT, "the decision id '%s' is taken", row->id);
    if (!rc)
        row->number = chain_end_at(store, CHAIN_DECISIONS);
    return rc;
}

static enum status not_found(const char *id, struct err *err)
{
    return err_code(err, STATUS_NOT_FOUND, "decision_not_found",
                    "there is no decision '%s'", id);
}

enum status decision_update(struct store *store, const struct decision_row *row,
                            struct err *err)
{
    struct query query = query_write(store, SQL_DECISION_UPDATE);
    enum status rc;

    put_string(&query, row->id);
    put_int(&query, row->status);
    put_int(&query, row->settled_amount);
    put_int(&query, row->goodwill);
    put_text_or_null(&query, row->external_ref);
    put_int(&query, row->updated_at_us);
    rc = query_run(&query, "update a decision", err);
    if (!rc && sqlite3_changes(store->db) == 0)
        rc = not_found(row->id, err);
    return rc;
}

static void decision_take(struct query *query, struct arena *arena,
                          struct decision_row *row)
{
    row->number = take_int(query);
    take_string(query, row->id, sizeof row->id);
    take_string(query, row->parent_id, sizeof row->parent_id);
    row->answer_number = take_int(query);
    row->created_at_us = take_int(query);
    row->updated_at_us = take_int(query);
    row->hold_expires_at_us = take_int(query);
    row->outcome = take_enum(query, OUTCOME_COUNT);
    row->mode = take_enum(query, MODE_DRY_RUN + 1);
    row->status = take_enum(query, DECISION_NONE + 1);
    row->amount = take_int(query);
    row->goodwill = take_int(query);
    row->settled_amount = take_int(query);
    take_string(query, row->currency, sizeof row->currency);
    row->customer_id = take_text(query, arena);
    row->order_id = take_text(query, arena);
    row->case_id = take_text(query, arena);
    row->issue = take_text(query, arena);
    row->external_ref = take_text(query, arena);
    row->body = take_packed(query, arena);
    take_intact(query);
}

enum status decision_find(struct store *store, const char *id, struct arena *arena,
                          struct decision_row *row, struct err *err)
{
    struct query query = query_start(store, SQL_DECISION_FIND);
    bool is_found;
    enum status rc;

    put_string(&query, id);
    is_found = query_row(&query);
    if (is_found) {
        decision_take(&query, arena, row);
        row->context = take_packed(&query, arena);
    }
    rc = query_end(&query, "read a decision", err);
    if (!rc && !is_found)
        rc = not_found(id, err);
    return rc;
}

enum status decision_find_brief(struct store *store, const char *id, struct arena *arena,
                                struct decision_row *row, struct err *err)
{
    struct query query = query_start(store, SQL_DECISION_FIND_BRIEF);
    bool is_found;
    enum status rc;

    row->context = (struct text){0};
    put_string(&query, id);
    is_found = query_row(&query);
    if (is_found)
        decision_take(&query, arena, row);
    rc = query_end(&query, "read a decision", err);
    if (!rc && !is_found)
        rc = not_found(id, err);
    return rc;
}

/* --- lists ---------------------------------------------------------------------------------- */

/* Lists of a customer or an order go by time of creation, then by row. Those of everybody
 * go by row alone, the order in which decisions were written: whoever goes on from the
 * newest misses none, also when the clock was set back before a start. */
struct place {
    int64_t created_at_us, number;
};

static enum status place_find(struct store *store, const struct decision_filter *filter,
                              struct place *place, struct err *err)
{
    struct query query;
    bool is_found;
    enum status rc;

    *place = filter->is_ascending ? (struct place){-1, 0}
                                  : (struct place){INT64_MAX, INT64_MAX};
    if (filter->after.bytes == 0)
        return STATUS_OK;
    query = query_start(store, SQL_DECISION_PLACE);
    put_text(&query, filter->after);
    is_found = query_row(&query);
    if (is_found) {
        place->created_at_us = take_int(&query);
        place->number = take_int(&query);
    }
    rc = query_end(&query, "read a decision", err);
    if (!rc && !is_found)
        rc = err_cursor(err);
    return rc;
}

static bool is_of_all(const struct decision_filter *filter)
{
    return filter->customer_id.bytes == 0 && filter->order_id.bytes == 0;
}

static enum status bound_take(struct query query, int64_t *number, struct err *err)
{
    if (query_row(&query))
        *number = take_int(&query);
    return query_end(&query, "read a decision", err);
}

/* The first decision after a moment: no id is made for a time before that in its row. */
static enum status first_since(struct store *store, int64_t moment_us, int64_t *number,
                               struct err *err)
{
    struct query query = query_start(store, SQL_DECISION_FIRST_SINCE);
    char floor[ID_BYTES];

    id_floor("dec_", moment_us, floor);
    put_string(&query, floor);
    return bound_take(query, number, err);
}

static enum status last_before(struct store *store, int64_t moment_us, int64_t *number,
                               struct err *err)
{
    struct query query = query_start(store, SQL_DECISION_LAST_BEFORE);

    put_int(&query, moment_us);
    return bound_take(query, number, err);
}

/* The rows between which those of everybody lie, without the ends. What comes before and
 * after would be read for nothing; where the list goes on, it has come past that
 * already. */
static enum status row_span(struct store *store, const struct decision_filter *filter,
                            const struct place *place, int64_t *low, int64_t *high,
                            struct err *err)
{
    bool goes_on = filter->after.bytes > 0;
    bool is_up = filter->is_ascending;
    int64_t bound = 0;
    enum status rc = STATUS_OK;

    *low = is_up ? place->number : 0;
    *high = is_up ? INT64_MAX : place->number;
    if (filter->created_after_us &&
        !(is_up && goes_on && place->created_at_us > filter->created_after_us)) {
        rc = first_since(store, filter->created_after_us, &bound, err);
        if (!rc && bound - 1 > *low)
            *low = bound - 1;
    }
    if (!rc && filter->created_before_us &&
        !(!is_up && goes_on && place->created_at_us < filter->created_before_us)) {
        rc = last_before(store, filter->created_before_us, &bound, err);
        if (!rc && bound + 1 < *high)
            *high = bound + 1;
    }
    return rc;
}

/* The statement with the narrowest index. When both are asked for, the order is: it has
 * fewer decisions than a customer; the customer is compared row by row. */
static enum sql page_of(const struct decision_filter *filter)
{
    bool is_up = filter->is_ascending;

    if (is_of_all(filter))
        return is_up ? SQL_DECISION_PAGE_ALL_UP : SQL_DECISION_PAGE_ALL_DOWN;
    if (filter->order_id.bytes)
        return is_up ? SQL_DECISION_PAGE_ORDER_UP : SQL_DECISION_PAGE_ORDER_DOWN;
    return is_up ? SQL_DECISION_PAGE_CUSTOMER_UP : SQL_DECISION_PAGE_CUSTOMER_DOWN;
}

static void put_filter(struct query *query, const struct decision_filter *filter)
{
    put_int(query, filter->outcome);
    put_int(query, filter->created_after_us ? filter->created_after_us : -1);
    put_int(query, filter->created_before_us ? filter->created_before_us : INT64_MAX);
}

enum status decision_list(struct store *store, const struct decision_filter *filter,
                          struct arena *arena, struct decision_row **rows, int *count,
                          bool *has_more, struct err *err)
{
    int64_t low = 0, high = 0;
    struct place place;
    struct query query;
    int capacity = 0;
    enum status rc = place_find(store, filter, &place, err);

    *rows = NULL;
    *count = 0;
    *has_more = false;
    if (!rc && is_of_all(filter))
        rc = row_span(store, filter, &place, &low, &high, err);
    if (rc)
        return rc;
    query = query_start(store, page_of(filter));
    if (is_of_all(filter)) {
        put_int(&query, low);
        put_int(&query, high);
        put_filter(&query, filter);
    } else {
        put_text(&query, filter->order_id.bytes ? filter->order_id : filter->customer_id);
        put_filter(&query, filter);
        put_int(&query, place.created_at_us);
        put_int(&query, place.number);
        put_text_or_null(&query, filter->customer_id);
    }
    put_int(&query, filter->limit + 1);
    while (query_row(&query)) {
        struct decision_row *row;

        if (*count == filter->limit) {
            *has_more = true;
            break;
        }
        row = QUERY_PUSH(&query, arena, rows, *count, &capacity);
        if (!row)
            break;
        decision_take(&query, arena, row);
        ++*count;
    }
    return query_end(&query, "list decisions", err);
}

/* Nobody deletes decisions: their rows are numbered without a gap. */
static void range_take(struct query *query, struct arena *arena, int64_t before,
                       struct decision_row *row, bool *is_overridden)
{
    decision_take(query, arena, row);
    row->context = take_packed(query, arena);
    *is_overridden = take_int(query) != 0;
    if (query->code == SQLITE_ROW && row->number != before + 1)
        query->code = SQLITE_CORRUPT;
}

enum status decision_range_list(struct store *store, struct decision_range range,
                                struct arena *arena, struct decision_row **rows,
                                bool **is_overridden, int *count, struct err *err)
{
    struct query query = query_start(store, SQL_DECISION_RANGE);

    *count = 0;
    *rows = arena_array(arena, struct decision_row, (size_t)range.limit);
    *is_overridden = arena_array(arena, bool, (size_t)range.limit);
    if (!*rows || !*is_overridden)
        return arena_exhausted(err);
    put_int(&query, range.first);
    put_int(&query, range.last);
    put_int(&query, range.limit);
    for (int i = 0; query_row(&query); i++) {
        range_take(&query, arena, range.first + i, &(*rows)[i], &(*is_overridden)[i]);
        *count = i + 1;
    }
    return query_end(&query, "read the decision log", err);
}

/* --- what a customer and an order have had -------------------------------------------------- */

enum status decision_usage(struct store *store, struct text customer_id,
                           const char *currency, int64_t since_us, int64_t *count,
                           int64_t *goodwill, struct err *err)
{
    struct query query = query_start(store, SQL_DECISION_USAGE);

    put_text(&query, customer_id);
    put_int(&query, since_us);
    put_string(&query, currency);
    put_int(&query, DECISION_PAST_MAX + 1);
    if (query_row(&query)) {
        bool is_whole = take_int(&query) <= DECISION_PAST_MAX;

        *count = take_int(&query);
        *goodwill = take_int(&query);
        if (!is_whole)
            *count = *goodwill = MONEY_MINOR_MAX;
    }
    return query_end(&query, "add up what a customer has had", err);
}

enum status decision_order_past(struct store *store, struct text order_id,
                                const char *currency, struct text issue, int64_t since_us,
                                int64_t *amount, bool *has_duplicate, struct err *err)
{
    struct query query = query_start(store, SQL_DECISION_ORDER_PAST);

    put_text(&query, order_id);
    put_string(&query, currency);
    put_text(&query, issue);
    put_int(&query, since_us);
    put_int(&query, DECISION_PAST_MAX + 1);
    if (query_row(&query)) {
        bool is_whole = take_int(&query) <= DECISION_PAST_MAX;

        *amount = take_int(&query);
        *has_duplicate = take_int(&query) != 0 || !is_whole;
        if (!is_whole)
            *amount = MONEY_MINOR_MAX;
    }
    return query_end(&query, "add up what an order has had", err);
}

enum status decision_has_child(struct store *store, const char *id, bool *has,
                               struct err *err)
{
    struct query query = query_start(store, SQL_DECISION_CHILD);

    put_string(&query, id);
    *has = query_row(&query);
    return query_end(&query, "look for an override", err);
}

enum status decision_expired(struct store *store, int64_t now_us, struct hold_place after,
                             int limit, struct arena *arena, struct ended_hold **holds,
                             int *count, struct err *err)
{
    struct query query = query_start(store, SQL_DECISION_EXPIRED);
    int capacity = 0;

    *holds = NULL;
    *count = 0;
    put_int(&query, now_us);
    put_int(&query, after.expires_at_us);
    put_int(&query, after.number);
    put_int(&query, limit);
    while (query_row(&query)) {
        struct ended_hold *hold = QUERY_PUSH(&query, arena, holds, *count, &capacity);

        if (!hold)
            break;
        take_string(&query, hold->id, sizeof hold->id);
        hold->place.expires_at_us = take_int(&query);
        hold->place.number = take_int(&query);
        ++*count;
    }
    return query_end(&query, "look for holds that have ended", err);
}

enum status decision_customer_exists(struct store *store, struct text customer_id,
                                     bool *exists, struct err *err)
{
    struct query query = query_start(store, SQL_CUSTOMER_EXISTS);

    put_text(&query, customer_id);
    *exists = query_row(&query);
    return query_end(&query, "look for a customer", err);
}
