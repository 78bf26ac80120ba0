/* check_decisions.c - decisions against their entries: each budget that a decision says
 * it is charged to, also one that has no entry for it at all. */
#include "store/check.h"

#include "json/scan.h"
#include "store/decisions.h"

#include <string.h>

enum {
    CONTEXT_DEPTH_MAX = 64,
    CONTEXT_BUFFER_BYTES = 16 << 10, /* most; others take memory of their own */
    CONTEXT_BYTES_MAX = 8 << 20,
};

/* One budget, as the decision saw it. */
struct charged {
    char budget_id[BUDGET_ID_BYTES];
    int64_t held, unfunded;
    bool is_entered; /* the ledger was compared */
};

/* A decision by its own account. */
struct said {
    char id[ID_BYTES];
    enum decision_status status;
    int64_t amount, settled;
    bool has_budgets; /* its context says which cover the case, or that none does */
    struct charged budgets[DECISION_BUDGET_COUNT_MAX];
    int budget_count;
};

/* The same by its entries. */
struct entered {
    int64_t held, open; /* over all budgets */
    int64_t asked;      /* held and unfunded, paid: most in one budget */
    int64_t paid;
    int budget_count;
};

/* --- what it says ----------------------------------------------------------------------------- */

static void read_budget(struct json_scan *scan, struct arena *arena, struct said *said)
{
    struct charged *charged = &said->budgets[said->budget_count];
    struct json_level object;
    struct text key, id;
    int64_t room = 0, kept = 0;

    *charged = (struct charged){0};
    json_enter_object(scan, &object);
    while (json_member(scan, &object, &key))
        if (text_is(key, "id")) {
            if (json_text(scan, arena, &id) &&
                !text_copy(id, charged->budget_id, sizeof charged->budget_id))
                json_refuse(scan, STATUS_CORRUPT, "a budget's id is too long");
        } else if (text_is(key, "remaining"))
            json_int(scan, &room);
        else if (text_is(key, "kept"))
            json_int(scan, &kept);
        else
            json_skip(scan);
    /* As decision_charge has it (decide/decision.h): who changes one, changes both. */
    room = room > kept ? room : kept;
    charged->held = said->amount < room ? said->amount : room > 0 ? room : 0;
    charged->unfunded = said->amount - charged->held;
    said->budget_count++;
}

static void read_budgets(struct json_scan *scan, struct arena *arena, struct said *said)
{
    struct json_level array;

    said->has_budgets = true;
    json_enter_array(scan, &array);
    while (json_item(scan, &array)) {
        if (said->budget_count == DECISION_BUDGET_COUNT_MAX) {
            json_refuse(scan, STATUS_CORRUPT, "there are more than %d budgets",
                        DECISION_BUDGET_COUNT_MAX);
            return;
        }
        read_budget(scan, arena, said);
    }
}

static enum status read_context(struct text context, struct arena *arena,
                                struct said *said, struct err *err)
{
    struct json_scan scan;
    struct json_level object;
    struct text key;

    json_scan_init(&scan, context.at, context.bytes, CONTEXT_DEPTH_MAX, err);
    json_enter_object(&scan, &object);
    while (json_member(&scan, &object, &key))
        if (text_is(key, "budgets"))
            read_budgets(&scan, arena, said);
        else
            json_skip(&scan);
    return json_scan_end(&scan);
}

/* --- what the ledger has ---------------------------------------------------------------------- */

static struct charged *find_charged(struct said *said, const char *budget_id)
{
    for (int i = 0; i < said->budget_count; i++)
        if (strcmp(said->budgets[i].budget_id, budget_id) == 0)
            return &said->budgets[i];
    return NULL;
}

static void compare_charge(struct check *check, const struct said *said,
                           const struct charged *charged, int64_t held, int64_t unfunded)
{
    if (charged->held != held || charged->unfunded != unfunded)
        check_fault(check,
                    "Decision %s holds %lld of budget '%s' and found no room for %lld, "
                    "but its entries say %lld and %lld.",
                    said->id, (long long)charged->held, charged->budget_id,
                    (long long)charged->unfunded, (long long)held, (long long)unfunded);
}

/* The entries of one budget. Amounts of a damaged file may be anything. */
static void take_charge(struct check *check, struct query *query, struct said *said,
                        struct entered *entered)
{
    char budget_id[BUDGET_ID_BYTES];
    struct charged *charged;
    int64_t held, unfunded, paid, ended, asked = 0, open;

    take_string(query, budget_id, sizeof budget_id);
    held = take_int(query);
    unfunded = take_int(query);
    paid = take_int(query);
    ended = take_int(query);
    if (query->code == SQLITE_ROW &&
        (__builtin_add_overflow(held, unfunded, &asked) ||
         __builtin_sub_overflow(held, ended, &open) ||
         __builtin_add_overflow(entered->held, held, &entered->held) ||
         __builtin_add_overflow(entered->open, open, &entered->open)))
        query->code = SQLITE_CORRUPT;
    if (query->code != SQLITE_ROW)
        return;
    entered->asked = asked > entered->asked ? asked : entered->asked;
    entered->paid = paid > entered->paid ? paid : entered->paid;
    entered->budget_count++;
    charged = find_charged(said, budget_id);
    if (charged) {
        charged->is_entered = true;
        compare_charge(check, said, charged, held, unfunded);
    } else if (said->has_budgets) {
        check_fault(check,
                    "Decision %s has entries in budget '%s', which it does not name.",
                    said->id, budget_id);
    }
}

static enum status take_charges(struct check *check, struct said *said,
                                struct entered *entered, struct err *err)
{
    struct query query = query_start(check->store, SQL_CHECK_CHARGES);

    put_string(&query, said->id);
    while (query_row(&query))
        take_charge(check, &query, said, entered);
    /* Amounts that 64 bits cannot add up. */
    if (query.code == SQLITE_ERROR)
        query.code = SQLITE_CORRUPT;
    return query_end(&query, "check what a decision is charged", err);
}

/* --- both ------------------------------------------------------------------------------------- */

static void compare(struct check *check, const struct said *said,
                    const struct entered *entered)
{
    for (int i = 0; i < said->budget_count; i++)
        if (!said->budgets[i].is_entered)
            compare_charge(check, said, &said->budgets[i], 0, 0);
    /* A decision that no budget covers is held without entries. */
    if (said->status == DECISION_HELD && entered->held > 0 && entered->open <= 0)
        check_fault(check, "Decision %s is held, but nothing is open in the ledger.",
                    said->id);
    if (said->status != DECISION_HELD && entered->open != 0)
        check_fault(check, "Decision %s is %s, but %lld is still open in the ledger.",
                    said->id, decision_status_name(said->status),
                    (long long)entered->open);
    if (entered->budget_count > 0 && said->amount != entered->asked)
        check_fault(check, "Decision %s says %lld, but asked the ledger for %lld.",
                    said->id, (long long)said->amount, (long long)entered->asked);
    if (entered->paid > said->settled)
        check_fault(check,
                    "Decision %s says that %lld were settled, but the ledger has %lld.",
                    said->id, (long long)said->settled, (long long)entered->paid);
}

/* One row. */
static enum status check_decision(struct check *check, struct query *query,
                                  struct arena *arena, struct err *err)
{
    int64_t number = take_int(query);
    struct said said = {.budget_count = 0};
    struct entered entered = {0};
    struct text context;
    struct err unread;
    enum status rc;

    take_string(query, said.id, sizeof said.id);
    said.status = take_enum(query, DECISION_NONE + 1);
    said.amount = take_int(query);
    said.settled = take_int(query);
    context = take_packed(query, arena);
    expect_after(query, number, check->decision_number);
    if (query->code != SQLITE_ROW)
        return STATUS_OK;
    err_clear(&unread);
    rc = read_context(context, arena, &said, &unread);
    if (rc == STATUS_EXHAUSTED) {
        *err = unread;
        return rc;
    }
    if (rc) {
        check_fault(check, "Decision %s has a context that cannot be read: %s.", said.id,
                    unread.text);
        said.has_budgets = false;
        said.budget_count = 0;
    }
    rc = take_charges(check, &said, &entered, err);
    if (rc)
        return rc;
    compare(check, &said, &entered);
    check->report->decision_count++;
    check->decision_number = number;
    return STATUS_OK;
}

enum status check_decisions(struct check *check, bool *is_last, struct err *err)
{
    struct query query = query_start(check->store, SQL_CHECK_DECISIONS);
    int limit = range_rows(check->decision_number, check->newest.decision_count);
    char buffer[CONTEXT_BUFFER_BYTES];
    struct arena arena;
    enum status rc = STATUS_OK, ended;
    int count = 0;

    arena_init(&arena, buffer, sizeof buffer, CONTEXT_BYTES_MAX);
    put_int(&query, check->decision_number);
    put_int(&query, limit);
    while (!rc && query_row(&query)) {
        rc = check_decision(check, &query, &arena, err);
        arena_reset(&arena);
        count++;
    }
    *is_last = count < limit || check->decision_number >= check->newest.decision_count;
    ended = query_end(&query, "check the decisions", rc ? NULL : err);
    return rc ? rc : ended;
}
