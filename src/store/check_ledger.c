/* check_ledger.c - the ledger: each entry against the one before, budgets against the
 * sums of entries. */
#include "store/check.h"

#include <stdlib.h>
#include <string.h>

/* --- entries -------------------------------------------------------------------------------- */

/* The account of a budget; NULL when it was made after the check began. */
static struct account *account_of(struct check *check, int64_t number)
{
    int low = 0, high = check->account_count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (check->accounts[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < check->account_count && check->accounts[low].number == number
               ? &check->accounts[low]
               : NULL;
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

/* What the decision that an override takes the place of has given back: in the same
 * transaction, just before. */
static int64_t freed_for(const struct balance *balance, const struct entry *entry)
{
    return entry->kind == ENTRY_OVERRIDE && balance->freed_at_us == entry->created_at_us
               ? balance->freed
               : 0;
}

static void check_move(struct check *check, struct balance *balance,
                       const struct entry *entry)
{
    int64_t remaining, freed = freed_for(balance, entry);
    long long seq = entry->seq;

    if (!balance_move(balance, entry) ||
        __builtin_sub_overflow(balance->limit, balance->held, &remaining) ||
        __builtin_sub_overflow(remaining, balance->spent, &remaining)) {
        check_fault(check, "The amount of ledger entry %lld is beyond reason.", seq);
        return;
    }
    if (remaining != entry->balance_after)
        check_fault(
            check,
            "Ledger entry %lld leaves %lld in budget '%s' by its own account, but its "
            "entries add up to %lld.",
            seq, (long long)entry->balance_after, entry->budget_id, (long long)remaining);
    if (balance->held < 0 || balance->spent < 0)
        check_fault(check, "Ledger entry %lld takes more out of budget '%s' than was in.",
                    seq, entry->budget_id);
    if (entry->kind != ENTRY_UNFUNDED) {
        balance->freed = entry->kind == ENTRY_RELEASE ? entry->amount : 0;
        balance->freed_at_us = entry->created_at_us;
    }
    if (entry->kind == ENTRY_ROLL && balance->spent != 0)
        check_fault(check,
                    "Ledger entry %lld begins a period of budget '%s' with %lld spent.",
                    seq, entry->budget_id, (long long)balance->spent);
    /* Only a lowered limit may leave less than nothing; nothing is granted from it but
     * what the decision that was overridden has just given back. */
    if ((entry->kind == ENTRY_HOLD || entry->kind == ENTRY_OVERRIDE) &&
        entry->amount > freed && remaining < 0)
        check_fault(check, "Ledger entry %lld holds more than budget '%s' had left.", seq,
                    entry->budget_id);
}

/* One row; false when there is none left or the read failed. */
static bool check_entry(struct check *check, struct query *query)
{
    unsigned char expected[HASH_BYTES];
    struct entry entry = {0};
    struct account *account;
    int64_t number;
    bool has_decision;

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
    has_decision = take_int(query);
    expect_after(query, entry.seq, check->entries.seq);
    if (query->code != SQLITE_ROW)
        return false;
    if (entry.seq != check->entries.seq + 1)
        check_fault(check, "Ledger entry %lld is missing.",
                    (long long)check->entries.seq + 1);
    entry_hash(check->entries.hash, &entry, expected);
    if (memcmp(expected, entry.hash, HASH_BYTES) != 0)
        check_fault(check, "Ledger entry %lld was changed: its hash does not match.",
                    (long long)entry.seq);
    account = number && !check->is_recent ? account_of(check, number) : NULL;
    if (account)
        check_move(check, &account->entered, &entry);
    if (!number)
        check_fault(check, "Ledger entry %lld is of budget '%s', which is not there.",
                    (long long)entry.seq, entry.budget_id);
    if (!has_decision)
        check_fault(check, "Ledger entry %lld is of decision '%s', which is not found.",
                    (long long)entry.seq, entry.decision_id);
    check->report->entry_count++;
    check->entries.seq = entry.seq;
    memcpy(check->entries.hash, entry.hash, HASH_BYTES);
    return query->code == SQLITE_ROW;
}

enum status check_entries(struct check *check, bool *is_last, struct err *err)
{
    struct query query = query_start(check->store, SQL_CHECK_ENTRIES);
    int limit = range_rows(check->entries.seq, check->newest.entry_count), count = 0;

    put_int(&query, check->entries.seq);
    put_int(&query, limit);
    while (check_entry(check, &query))
        count++;
    *is_last = count < limit || check->entries.seq >= check->newest.entry_count;
    return query_end(&query, "check the ledger", err);
}

/* --- budgets -------------------------------------------------------------------------------- */

static struct account *account_push(struct check *check, int *capacity)
{
    int wanted = *capacity ? 2 * *capacity : 64;
    struct account *grown;

    if (check->account_count == *capacity) {
        grown = reallocarray(check->accounts, (size_t)wanted, sizeof *grown);
        if (!grown)
            return NULL;
        check->accounts = grown;
        *capacity = wanted;
    }
    return &check->accounts[check->account_count++];
}

enum status accounts_open(struct check *check, struct err *err)
{
    struct query query = query_start(check->store, SQL_CHECK_BUDGETS);
    int capacity = 0;

    while (query_row(&query)) {
        struct account *account = account_push(check, &capacity);

        if (!account) {
            query.code = SQLITE_NOMEM;
            break;
        }
        *account = (struct account){.number = take_int(&query)};
        take_string(&query, account->id, sizeof account->id);
        account->said.limit = take_int(&query);
        account->said.held = take_int(&query);
        account->said.spent = take_int(&query);
        account->said.unfunded = take_int(&query);
        account->is_in_service = take_int(&query);
    }
    return query_end(&query, "check the budgets", err);
}

static void check_account(struct check *check, const struct account *account)
{
    const struct balance *said = &account->said, *entered = &account->entered;

    check->report->budget_count++;
    if (said->limit != entered->limit || said->held != entered->held ||
        said->spent != entered->spent)
        check_fault(
            check,
            "Budget '%s' says limit %lld, held %lld, spent %lld, but its entries add up "
            "to %lld, %lld, %lld.",
            account->id, (long long)said->limit, (long long)said->held,
            (long long)said->spent, (long long)entered->limit, (long long)entered->held,
            (long long)entered->spent);
    if (said->unfunded != entered->unfunded)
        check_fault(
            check,
            "Budget '%s' says that %lld were unfunded, but its entries add up to %lld.",
            account->id, (long long)said->unfunded, (long long)entered->unfunded);
}

void check_accounts(struct check *check)
{
    for (int i = 0; i < check->account_count; i++)
        if (check->accounts[i].is_in_service)
            check_account(check, &check->accounts[i]);
}
