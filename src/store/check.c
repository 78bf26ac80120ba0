/* check.c - whether everything that is stored can be true.
 *
 * One short read notes what there is: where tables and chains end, and what budgets say.
 * Long tables are then read up to there in key ranges, each a short read of its own:
 * checking a live store does not hold the log back, and ends however fast rows are
 * added. */
#include "store/check.h"

#include "store/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AUDIT_RANGE_ROWS = 100, RECENT_ENTRIES = 10000, RECENT_EVENTS = 1000 };

void check_fault(struct check *check, const char *format, ...)
{
    struct store_report *report = check->report;
    va_list arguments;

    if (report->fault_count++)
        return;
    va_start(arguments, format);
    vsnprintf(report->first_fault, sizeof report->first_fault, format, arguments);
    va_end(arguments);
}

enum status check_ranges(struct check *check, check_range *range, struct err *err)
{
    bool is_last = false;
    enum status rc;

    do {
        rc = range(check, &is_last, err);
        if (!rc && !is_last && check->goes_on && !check->goes_on(check->context))
            rc = err_set(err, STATUS_UNAVAILABLE, "the check was stopped");
    } while (!rc && !is_last);
    return rc;
}

/* --- the file and its schema ---------------------------------------------------------------- */

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
                check_fault(check, "The database file is damaged: %s.", text);
        }
    }
    sqlite3_finalize(statement);
    if (code == SQLITE_DONE)
        return STATUS_OK;
    if ((code & 0xff) != SQLITE_CORRUPT)
        return sql_fail(check->store, code, "check the database file", err);
    check_fault(check, "The database file is damaged: %s.", sqlite3_errstr(code));
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
            check_fault(check,
                        "Row %lld of '%s' refers to a row of '%s' that is not there.",
                        (long long)sqlite3_column_int64(statement, 1),
                        (const char *)sqlite3_column_text(statement, 0),
                        (const char *)sqlite3_column_text(statement, 2));
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE
               ? STATUS_OK
               : sql_fail(check->store, code, "check the references", err);
}

static enum status check_schema(struct check *check, struct err *err)
{
    bool is_intact = true;
    enum status rc = schema_is_intact(check->store, &is_intact, err);

    if (!rc && !is_intact)
        check_fault(check, "The schema is not the one that this program made.");
    return rc;
}

/* --- audit ---------------------------------------------------------------------------------- */

static void check_event(struct check *check, const struct audit_event *event)
{
    unsigned char expected[HASH_BYTES];

    if (event->seq != check->audit.seq + 1)
        check_fault(check, "Audit event %lld is missing.",
                    (long long)check->audit.seq + 1);
    audit_hash(check->audit.hash, event, expected);
    if (memcmp(expected, event->hash, HASH_BYTES) != 0)
        check_fault(check, "Audit event %lld was changed: its hash does not match.",
                    (long long)event->seq);
    check->report->audit_count++;
    check->audit.seq = event->seq;
    memcpy(check->audit.hash, event->hash, HASH_BYTES);
}

static enum status check_audit(struct check *check, bool *is_last, struct err *err)
{
    struct arena arena;
    struct audit_event *events;
    enum status rc;
    int limit = range_rows(check->audit.seq, check->newest.audit_count), count;

    if (limit > AUDIT_RANGE_ROWS)
        limit = AUDIT_RANGE_ROWS;
    arena_init(&arena, NULL, 0, 64 << 20);
    rc = audit_list(check->store, check->audit.seq, limit, false, &arena, &events, &count,
                    err);
    for (int i = 0; !rc && i < count; i++) {
        if (events[i].seq <= check->audit.seq)
            rc = err_set(err, STATUS_CORRUPT, "the audit trail is out of order");
        else
            check_event(check, &events[i]);
    }
    *is_last = count < limit || check->audit.seq >= check->newest.audit_count;
    arena_reset(&arena);
    return rc;
}

/* --- the ends ------------------------------------------------------------------------------- */

static enum status end_read(struct store *store, enum chain_name name,
                            struct chain_end *end, struct err *err)
{
    struct query query = query_start(store, SQL_CHAIN_FIND);

    *end = (struct chain_end){.seq = -1};
    put_string(&query, chain_text(name));
    if (query_row(&query)) {
        end->seq = take_int(&query);
        take_bytes(&query, end->hash, HASH_BYTES);
    }
    return query_end(&query, "read where a chain ends", err);
}

/* What there is, in one state of the database; more of that state by also, unless it is
 * NULL. */
static enum status note_state(struct check *check,
                              enum status (*also)(struct check *check, struct err *err),
                              struct err *err)
{
    enum status rc = store_read_begin(check->store, err);

    if (!rc)
        rc = store_stats(check->store, &check->newest, err);
    for (int i = 0; !rc && i < CHAIN_COUNT; i++)
        rc = end_read(check->store, i, &check->ends[i], err);
    if (!rc && also)
        rc = also(check, err);
    store_read_end(check->store);
    return rc;
}

static void check_end(struct check *check, enum chain_name name, struct chain_end seen)
{
    const struct chain_end *end = &check->ends[name];
    const char *text = chain_text(name);

    if (end->seq < 0)
        check_fault(check, "Where '%s' ends is not recorded any more.", text);
    else if (end->seq != seen.seq)
        check_fault(check, "The last row of '%s' is %lld, but row %lld was written last.",
                    text, (long long)seen.seq, (long long)end->seq);
    else if (memcmp(end->hash, seen.hash, HASH_BYTES) != 0)
        check_fault(check, "The last row of '%s' is not the one that was written last.",
                    text);
}

/* Of rows in no chain only the number is recorded, with a hash of zeros. */
static void check_count(struct check *check, enum chain_name name, int64_t count)
{
    check_end(check, name, (struct chain_end){.seq = count});
}

/* Once both chains were seen: whether everything ends where it says. */
static void check_ends(struct check *check)
{
    check_end(check, CHAIN_ENTRIES, check->entries);
    check_end(check, CHAIN_AUDIT, check->audit);
    check_count(check, CHAIN_ANSWERS, check->newest.answer_count);
    check_count(check, CHAIN_DECISIONS, check->newest.decision_count);
    check_count(check, CHAIN_OUTCOMES, check->newest.outcome_count);
}

/* --- everything ----------------------------------------------------------------------------- */

/* What cannot be read is a fault that was found, not a check that failed. */
static enum status check_found(struct check *check, enum status rc, const struct err *err)
{
    if (rc != STATUS_CORRUPT)
        return rc;
    check_fault(check, "The store is damaged: %s.", err->text);
    return STATUS_OK;
}

static enum status check_chains(struct check *check, struct err *err)
{
    enum status rc = note_state(check, accounts_open, err);

    if (!rc)
        rc = check_ranges(check, check_entries, err);
    if (!rc)
        rc = check_ranges(check, check_audit, err);
    if (!rc) {
        check_accounts(check);
        check_ends(check);
    }
    return rc;
}

static enum status check_stored(struct check *check, struct err *err)
{
    enum status rc = check_chains(check, err);

    if (!rc)
        rc = check_ranges(check, check_decisions, err);
    if (!rc)
        rc = check_rows(check, err);
    if (!rc)
        rc = check_schema(check, err);
    return rc;
}

static enum status check_end_all(struct check *check, enum status rc,
                                 const struct err *found, struct err *err)
{
    rc = check_found(check, rc, found);
    check->report->heads =
        (struct store_heads){.entries = check->entries, .audit = check->audit};
    free(check->accounts);
    return rc ? err_code(err, rc, found->code, "%s", found->text) : STATUS_OK;
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
        rc = check_stored(&check, &found);
    return check_end_all(&check, rc, &found, err);
}

enum status store_check_rows(struct store *store, bool (*goes_on)(void *context),
                             void *context, struct store_report *report, struct err *err)
{
    struct check check = {
        .store = store, .report = report, .goes_on = goes_on, .context = context};
    struct err found = {0};

    *report = (struct store_report){0};
    return check_end_all(&check, check_stored(&check, &found), &found, err);
}

enum status store_check_chains(struct store *store, bool (*goes_on)(void *context),
                               void *context, struct store_report *report,
                               struct err *err)
{
    struct check check = {
        .store = store, .report = report, .goes_on = goes_on, .context = context};
    struct err found = {0};

    *report = (struct store_report){0};
    return check_end_all(&check, check_chains(&check, &found), &found, err);
}

/* --- what is recent ------------------------------------------------------------------------- */

/* So many rows before the end; what the chain was there is believed. */
static enum status begin_at(struct check *check, enum sql hash_at, int64_t newest,
                            int64_t count, struct chain_end *from, struct err *err)
{
    struct query query = query_start(check->store, hash_at);

    *from = (struct chain_end){.seq = newest > count ? newest - count : 0};
    put_int(&query, from->seq);
    if (query_row(&query))
        take_bytes(&query, from->hash, HASH_BYTES);
    else if (query.code == SQLITE_DONE && from->seq > 0)
        query.code = SQLITE_CORRUPT;
    return query_end(&query, "find the newest rows of a chain", err);
}

static enum status check_remaining(struct check *check, struct err *err)
{
    struct query query = query_start(check->store, SQL_CHECK_REMAINING);

    while (query_row(&query)) {
        char id[BUDGET_ID_BYTES];
        int64_t said, entered;

        take_string(&query, id, sizeof id);
        said = take_int(&query);
        entered = take_int(&query);
        if (query.code == SQLITE_ROW && said != entered)
            check_fault(check,
                        "Budget '%s' says that %lld remain, but its newest ledger entry "
                        "left %lld.",
                        id, (long long)said, (long long)entered);
    }
    return query_end(&query, "check the budgets", err);
}

static enum status check_recent(struct check *check, struct err *err)
{
    enum status rc = check_schema(check, err);

    if (!rc)
        rc = note_state(check, NULL, err);
    if (!rc)
        rc = begin_at(check, SQL_ENTRY_HASH, check->newest.entry_count, RECENT_ENTRIES,
                      &check->entries, err);
    if (!rc)
        rc = begin_at(check, SQL_AUDIT_HASH, check->newest.audit_count, RECENT_EVENTS,
                      &check->audit, err);
    if (!rc)
        rc = check_ranges(check, check_entries, err);
    if (!rc)
        rc = check_ranges(check, check_audit, err);
    if (!rc)
        check_ends(check);
    if (!rc)
        rc = check_remaining(check, err);
    if (!rc)
        rc = check_rows_recent(check, err);
    return rc;
}

enum status store_check_recent(struct store *store, struct store_report *report,
                               struct err *err)
{
    struct check check = {.store = store, .report = report, .is_recent = true};
    struct err found = {0};

    *report = (struct store_report){0};
    return check_end_all(&check, check_recent(&check, &found), &found, err);
}

/* --- heads ---------------------------------------------------------------------------------- */

enum status store_heads(struct store *store, struct store_heads *heads, struct err *err)
{
    enum status rc = store_read_begin(store, err);

    if (!rc)
        rc = end_read(store, CHAIN_ENTRIES, &heads->entries, err);
    if (!rc)
        rc = end_read(store, CHAIN_AUDIT, &heads->audit, err);
    store_read_end(store);
    return rc;
}

static enum status has_head(struct store *store, enum sql hash_at,
                            const struct chain_end *head, bool *has, struct err *err)
{
    static const unsigned char none[HASH_BYTES];
    struct query query = query_start(store, hash_at);
    unsigned char hash[HASH_BYTES] = {0};

    put_int(&query, head->seq);
    *has = query_row(&query);
    if (*has)
        take_bytes(&query, hash, HASH_BYTES);
    *has = *has ? memcmp(hash, head->hash, HASH_BYTES) == 0
                : head->seq == 0 && memcmp(head->hash, none, HASH_BYTES) == 0;
    return query_end(&query, "look for a head in its chain", err);
}

enum status store_has_heads(struct store *store, const struct store_heads *heads,
                            const char **missing, struct err *err)
{
    bool has_entries = false, has_audit = false;
    enum status rc = has_head(store, SQL_ENTRY_HASH, &heads->entries, &has_entries, err);

    if (!rc)
        rc = has_head(store, SQL_AUDIT_HASH, &heads->audit, &has_audit, err);
    *missing = !has_entries ? chain_text(CHAIN_ENTRIES)
               : !has_audit ? chain_text(CHAIN_AUDIT)
                            : NULL;
    return rc;
}
