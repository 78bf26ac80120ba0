/* check.c - whether everything that is stored can be true.
 *
 * Long tables are read in key ranges, each a short read of its own, so that checking a live store
 * does not hold the log back. The ends meet in one last read in which nothing can change. */
#include "store/audit.h"
#include "store/decisions.h"
#include "store/ledger.h"
#include "store/sql.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANGE_ROWS = 1000 };

/* A budget as its entries make it. */
struct balance {
    int64_t number; /* row of the budget */
    int64_t limit, held, spent, unfunded;
};

struct check {
    struct store *store;
    struct store_report *report;
    struct balance *balances; /* by number */
    int balance_count, balance_capacity;
    int64_t entry_seq, audit_seq, decision_number; /* the last ones seen */
    unsigned char entry_hash[HASH_BYTES], audit_hash[HASH_BYTES];
};

__attribute__((format(printf, 2, 3))) static void fault(struct check *check,
                                                        const char *format, ...)
{
    struct store_report *report = check->report;
    va_list arguments;

    if (report->fault_count++)
        return;
    va_start(arguments, format);
    vsnprintf(report->first_fault, sizeof report->first_fault, format, arguments);
    va_end(arguments);
}

/* --- SQLite's own checks -------------------------------------------------------------------- */

static enum status check_file(struct check *check, struct err *err)
{
    sqlite3 *db = check->store->db;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "PRAGMA integrity_check(10)", -1, &statement, NULL);

    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            const char *text = (const char *)sqlite3_column_text(statement, 0);

            if (text && strcmp(text, "ok") != 0)
                fault(check, "The database file is damaged: %s.", text);
        }
    }
    sqlite3_finalize(statement);
    if (code == SQLITE_DONE)
        return STATUS_OK;
    if ((code & 0xff) != SQLITE_CORRUPT)
        return sql_fail(check->store, code, "check the database file", err);
    fault(check, "The database file is damaged: %s.", sqlite3_errstr(code));
    return STATUS_OK;
}

static enum status check_references(struct check *check, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(check->store->db, "PRAGMA foreign_key_check", -1,
                                  &statement, NULL);

    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
            fault(check, "Row %lld of '%s' refers to a row of '%s' that is not there.",
                  (long long)sqlite3_column_int64(statement, 1),
                  (const char *)sqlite3_column_text(statement, 0),
                  (const char *)sqlite3_column_text(statement, 2));
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE
               ? STATUS_OK
               : sql_fail(check->store, code, "check the references", err);
}

/* --- entries -------------------------------------------------------------------------------- */

/* The balance of a budget, made when it is seen first; NULL without memory. */
static struct balance *balance_of(struct check *check, int64_t number)
{
    int low = 0, high = check->balance_count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (check->balances[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < check->balance_count && check->balances[low].number == number)
        return &check->balances[low];
    if (check->balance_count == check->balance_capacity) {
        int capacity = check->balance_capacity ? 2 * check->balance_capacity : 64;
        struct balance *grown =
            reallocarray(check->balances, (size_t)capacity, sizeof *grown);

        if (!grown)
            return NULL;
        check->balances = grown;
        check->balance_capacity = capacity;
    }
    memmove(&check->balances[low + 1], &check->balances[low],
            (size_t)(check->balance_count++ - low) * sizeof *check->balances);
    check->balances[low] = (struct balance){.number = number};
    return &check->balances[low];
}

/* What an entry does to a balance; amounts of a damaged file may be anything. */
static bool balance_move(struct balance *balance, const struct entry *entry)
{
    int64_t up = entry->amount, down;

    if (__builtin_sub_overflow(0, up, &down))
        return false;
    switch (entry->kind) {
    case ENTRY_HOLD:
    case ENTRY_OVERRIDE:
        return !__builtin_add_overflow(balance->held, up, &balance->held);
    case ENTRY_SETTLE:
        return !__builtin_add_overflow(balance->held, down, &balance->held) &&
               !__builtin_add_overflow(balance->spent, up, &balance->spent);
    case ENTRY_RELEASE:
    case ENTRY_EXPIRE:
        return !__builtin_add_overflow(balance->held, down, &balance->held);
    case ENTRY_ADJUST:
        return !__builtin_add_overflow(balance->limit, up, &balance->limit);
    case ENTRY_ROLL:
        balance->unfunded = 0;
        return !__builtin_add_overflow(balance->spent, down, &balance->spent);
    case ENTRY_UNFUNDED:
        return !__builtin_add_overflow(balance->unfunded, up, &balance->unfunded);
    case ENTRY_KIND_COUNT:
        break;
    }
    return false;
}

static void check_move(struct check *check, struct balance *balance,
                       const struct entry *entry)
{
    int64_t remaining;
    long long seq = entry->seq;

    if (!balance_move(balance, entry) ||
        __builtin_sub_overflow(balance->limit, balance->held, &remaining) ||
        __builtin_sub_overflow(remaining, balance->spent, &remaining)) {
        fault(check, "The amount of ledger entry %lld is beyond reason.", seq);
        return;
    }
    if (remaining != entry->balance_after)
        fault(check,
              "Ledger entry %lld leaves %lld in budget '%s' by its own account, but its "
              "entries add up to %lld.",
              seq, (long long)entry->balance_after, entry->budget_id,
              (long long)remaining);
    if (balance->held < 0 || balance->spent < 0)
        fault(check, "Ledger entry %lld takes more out of budget '%s' than was in.", seq,
              entry->budget_id);
    if (entry->kind == ENTRY_ROLL && balance->spent != 0)
        fault(check, "Ledger entry %lld begins a period of budget '%s' with %lld spent.",
              seq, entry->budget_id, (long long)balance->spent);
    /* Only a lowered limit may leave less than nothing; nothing is granted from it. */
    if ((entry->kind == ENTRY_HOLD || entry->kind == ENTRY_OVERRIDE) &&
        entry->amount > 0 && remaining < 0)
        fault(check, "Ledger entry %lld holds more than budget '%s' had left.", seq,
              entry->budget_id);
}

/* One row; false when there is none left or the read failed. */
static bool check_entry(struct check *check, struct query *query)
{
    unsigned char expected[HASH_BYTES];
    struct entry entry = {0};
    struct balance *balance;
    int64_t number;

    if (!query_row(query))
        return false;
    entry.seq = take_int(query);
    take_string(query, entry.decision_id, sizeof entry.decision_id);
    take_string(query, entry.budget_id, sizeof entry.budget_id);
    entry.kind = take_enum(query, ENTRY_KIND_COUNT);
    entry.amount = take_int(query);
    entry.balance_after = take_int(query);
    entry.created_at_us = take_int(query);
    take_string(query, entry.note, sizeof entry.note);
    take_bytes(query, entry.hash, HASH_BYTES);
    number = take_int(query);
    if (query->code != SQLITE_ROW)
        return false;
    if (entry.seq != check->entry_seq + 1)
        fault(check, "Ledger entry %lld is missing.", (long long)check->entry_seq + 1);
    entry_hash(check->entry_hash, &entry, expected);
    if (memcmp(expected, entry.hash, HASH_BYTES) != 0)
        fault(check, "Ledger entry %lld was changed: its hash does not match.",
              (long long)entry.seq);
    balance = number ? balance_of(check, number) : NULL;
    if (balance)
        check_move(check, balance, &entry);
    else if (number)
        query->code = SQLITE_NOMEM;
    else
        fault(check, "Ledger entry %lld is of budget '%s', which is not there.",
              (long long)entry.seq, entry.budget_id);
    check->report->entry_count++;
    check->entry_seq = entry.seq;
    memcpy(check->entry_hash, entry.hash, HASH_BYTES);
    return query->code == SQLITE_ROW;
}

/* Up to RANGE_ROWS entries more; *count says how many there were. */
static enum status check_entries(struct check *check, int *count, struct err *err)
{
    struct query query = query_start(check->store, SQL_CHECK_ENTRIES);

    put_int(&query, check->entry_seq);
    put_int(&query, RANGE_ROWS);
    *count = 0;
    while (check_entry(check, &query))
        ++*count;
    return query_end(&query, "check the ledger", err);
}

/* --- audit ---------------------------------------------------------------------------------- */

static enum status check_audit(struct check *check, int *count, struct err *err)
{
    static const unsigned char none[HASH_BYTES];
    struct arena arena;
    struct audit_event *events;
    enum status rc;

    arena_init(&arena, NULL, 0, 64 << 20);
    rc = audit_list(check->store, check->audit_seq, RANGE_ROWS / 10, false, &arena,
                    &events, count, err);
    for (int i = 0; !rc && i < *count; i++) {
        unsigned char expected[HASH_BYTES];

        if (events[i].seq != check->audit_seq + 1)
            fault(check, "Audit event %lld is missing.", (long long)check->audit_seq + 1);
        audit_hash(check->audit_seq ? check->audit_hash : none, &events[i], expected);
        if (memcmp(expected, events[i].hash, HASH_BYTES) != 0)
            fault(check, "Audit event %lld was changed: its hash does not match.",
                  (long long)events[i].seq);
        check->report->audit_count++;
        check->audit_seq = events[i].seq;
        memcpy(check->audit_hash, events[i].hash, HASH_BYTES);
    }
    arena_reset(&arena);
    return rc;
}

/* --- decisions ------------------------------------------------------------------------------ */

static void check_decision(struct check *check, struct query *query)
{
    int64_t number = take_int(query), amount, settled, open, hold_count, asked, paid;
    enum decision_status status;
    char id[ID_BYTES];

    take_string(query, id, sizeof id);
    status = take_enum(query, DECISION_NONE + 1);
    amount = take_int(query);
    settled = take_int(query);
    open = take_int(query);
    hold_count = take_int(query);
    asked = take_int(query);
    paid = take_int(query);
    if (query->code != SQLITE_ROW)
        return;
    /* A decision that no budget covers is held without entries. */
    if (status == DECISION_HELD && hold_count > 0 && open <= 0)
        fault(check, "Decision %s is held, but nothing is open in the ledger.", id);
    if (status != DECISION_HELD && open != 0)
        fault(check, "Decision %s is %s, but %lld is still open in the ledger.", id,
              decision_status_name(status), (long long)open);
    if (amount != asked)
        fault(check, "Decision %s says %lld, but asked the ledger for %lld.", id,
              (long long)amount, (long long)asked);
    if (paid > settled)
        fault(check, "Decision %s says that %lld were settled, but the ledger has %lld.",
              id, (long long)settled, (long long)paid);
    check->report->decision_count++;
    check->decision_number = number;
}

static enum status check_decisions(struct check *check, int *count, struct err *err)
{
    struct query query = query_start(check->store, SQL_CHECK_DECISIONS);

    put_int(&query, check->decision_number);
    put_int(&query, RANGE_ROWS);
    *count = 0;
    while (query_row(&query)) {
        check_decision(check, &query);
        ++*count;
    }
    return query_end(&query, "check the decisions", err);
}

/* --- budgets -------------------------------------------------------------------------------- */

static void check_budget(struct check *check, struct query *query)
{
    struct balance row = {.number = take_int(query)}, *balance;
    char id[BUDGET_ID_BYTES];
    bool is_in_service;

    take_string(query, id, sizeof id);
    row.limit = take_int(query);
    row.held = take_int(query);
    row.spent = take_int(query);
    row.unfunded = take_int(query);
    is_in_service = take_int(query);
    balance = balance_of(check, row.number);
    if (!balance)
        query->code = SQLITE_NOMEM;
    if (query->code != SQLITE_ROW || !is_in_service)
        return;
    check->report->budget_count++;
    if (row.limit != balance->limit || row.held != balance->held ||
        row.spent != balance->spent)
        fault(
            check,
            "Budget '%s' says limit %lld, held %lld, spent %lld, but its entries add up "
            "to %lld, %lld, %lld.",
            id, (long long)row.limit, (long long)row.held, (long long)row.spent,
            (long long)balance->limit, (long long)balance->held,
            (long long)balance->spent);
    if (row.unfunded != balance->unfunded)
        fault(check,
              "Budget '%s' says that %lld were unfunded, but its entries add up to %lld.",
              id, (long long)row.unfunded, (long long)balance->unfunded);
}

static enum status check_budgets(struct check *check, struct err *err)
{
    struct query query = query_start(check->store, SQL_CHECK_BUDGETS);

    while (query_row(&query))
        check_budget(check, &query);
    return query_end(&query, "check the budgets", err);
}

/* --- the ends ------------------------------------------------------------------------------- */

static enum status check_end(struct check *check, enum chain_name name, int64_t seq,
                             const unsigned char *hash, struct err *err)
{
    struct query query = query_start(check->store, SQL_CHAIN_FIND);
    unsigned char saved[HASH_BYTES] = {0};
    int64_t saved_seq = -1;

    put_string(&query, chain_text(name));
    if (query_row(&query)) {
        saved_seq = take_int(&query);
        take_bytes(&query, saved, HASH_BYTES);
    }
    if (query.code == SQLITE_ROW && saved_seq != seq)
        fault(check, "The last row of '%s' is %lld, but row %lld was written last.",
              chain_text(name), (long long)seq, (long long)saved_seq);
    else if (query.code == SQLITE_ROW && memcmp(saved, hash, HASH_BYTES) != 0)
        fault(check, "The last row of '%s' is not the one that was written last.",
              chain_text(name));
    else if (query.code == SQLITE_DONE)
        fault(check, "Where '%s' ends is not recorded any more.", chain_text(name));
    return query_end(&query, "check the end of a chain", err);
}

typedef enum status range_check(struct check *check, int *count, struct err *err);

/* Range after range until one is not full. */
static enum status check_ranges(struct check *check, range_check *range, int full,
                                struct err *err)
{
    enum status rc;
    int count;

    do
        rc = range(check, &count, err);
    while (!rc && count == full);
    return rc;
}

/* What came meanwhile, and the balances, in one state of the database. */
static enum status check_rest(struct check *check, struct err *err)
{
    enum status rc = store_read_begin(check->store, err);

    if (!rc)
        rc = check_ranges(check, check_entries, RANGE_ROWS, err);
    if (!rc)
        rc = check_ranges(check, check_audit, RANGE_ROWS / 10, err);
    if (!rc)
        rc = check_budgets(check, err);
    if (!rc)
        rc = check_end(check, CHAIN_ENTRIES, check->entry_seq, check->entry_hash, err);
    if (!rc)
        rc = check_end(check, CHAIN_AUDIT, check->audit_seq, check->audit_hash, err);
    store_read_end(check->store);
    return rc;
}

/* What cannot be read is a fault that was found, not a check that failed. */
static enum status check_found(struct check *check, enum status rc, const struct err *err)
{
    if (rc != STATUS_CORRUPT)
        return rc;
    fault(check, "The store is damaged: %s.", err->text);
    return STATUS_OK;
}

enum status store_check(struct store *store, struct store_report *report, struct err *err)
{
    struct check check = {.store = store, .report = report};
    struct err found = {0};
    enum status rc;

    *report = (struct store_report){0};
    rc = check_found(&check, check_file(&check, &found), &found);
    if (!rc)
        rc = check_found(&check, check_references(&check, &found), &found);
    if (!rc)
        rc = check_ranges(&check, check_entries, RANGE_ROWS, &found);
    if (!rc)
        rc = check_ranges(&check, check_audit, RANGE_ROWS / 10, &found);
    if (!rc)
        rc = check_ranges(&check, check_decisions, RANGE_ROWS, &found);
    if (!rc)
        rc = check_rest(&check, &found);
    rc = check_found(&check, rc, &found);
    free(check.balances);
    return rc ? err_code(err, rc, found.code, "%s", found.text) : STATUS_OK;
}
