/* entries.c - the ledger: entries appended to one hash chain, and read back. */
#include "store/ledger.h"

#include "store/sql.h"

#include <string.h>

const char *entry_kind_name(enum entry_kind kind)
{
    static const char *const names[ENTRY_KIND_COUNT] = {
        [ENTRY_HOLD] = "hold",       [ENTRY_SETTLE] = "settle",
        [ENTRY_RELEASE] = "release", [ENTRY_EXPIRE] = "expire",
        [ENTRY_ADJUST] = "adjust",   [ENTRY_OVERRIDE] = "override",
        [ENTRY_ROLL] = "roll",       [ENTRY_UNFUNDED] = "unfunded",
    };

    return names[kind];
}

enum status entry_append(struct store *store, struct entry *entry, struct err *err)
{
    struct query query;
    struct chain *chain;
    enum status rc = chain_head(store, CHAIN_ENTRIES, &chain, err);

    if (rc)
        return rc;
    entry->seq = chain->seq + 1;
    memcpy(entry->prev_hash, chain->hash, HASH_BYTES);
    entry_hash(entry->prev_hash, entry, entry->hash);
    query = query_write(store, SQL_ENTRY_INSERT);
    put_int(&query, entry->seq);
    put_string_or_null(&query, entry->decision_id);
    put_string(&query, entry->budget_id);
    put_int(&query, entry->kind);
    put_int(&query, entry->amount);
    put_int(&query, entry->balance_after);
    put_int(&query, entry->created_at_us);
    put_string_or_null(&query, entry->note);
    put_bytes(&query, entry->hash, HASH_BYTES);
    rc = query_run(&query, "append to the ledger", err);
    if (!rc)
        chain_advance(chain, entry->hash);
    return rc;
}

static void entry_take(struct query *query, struct entry *entry)
{
    entry->seq = take_int(query);
    take_string(query, entry->decision_id, sizeof entry->decision_id);
    take_string(query, entry->budget_id, sizeof entry->budget_id);
    entry->kind = take_enum(query, ENTRY_KIND_COUNT);
    entry->amount = take_int(query);
    entry->balance_after = take_int(query);
    entry->created_at_us = take_int(query);
    take_string(query, entry->note, sizeof entry->note);
    take_bytes(query, entry->prev_hash, HASH_BYTES);
    take_bytes(query, entry->hash, HASH_BYTES);
}

bool entry_is_intact(const struct entry *entry)
{
    unsigned char hash[HASH_BYTES];

    entry_hash(entry->prev_hash, entry, hash);
    return memcmp(hash, entry->hash, HASH_BYTES) == 0;
}

static enum sql page_of(bool is_of_budget, bool is_descending)
{
    if (is_of_budget)
        return is_descending ? SQL_ENTRY_PAGE_BUDGET_DOWN : SQL_ENTRY_PAGE_BUDGET_UP;
    return is_descending ? SQL_ENTRY_PAGE_ALL_DOWN : SQL_ENTRY_PAGE_ALL_UP;
}

enum status entry_list(struct store *store, const char *budget_id, int64_t after_seq,
                       int limit, bool is_descending, struct arena *arena,
                       struct entry **entries, int *count, struct err *err)
{
    struct query query = query_start(store, page_of(budget_id, is_descending));
    int capacity = 0;

    *entries = NULL;
    *count = 0;
    put_string(&query, budget_id);
    put_int(&query, is_descending && after_seq == 0 ? INT64_MAX : after_seq);
    put_int(&query, limit);
    while (query_row(&query)) {
        struct entry *entry = QUERY_PUSH(&query, arena, entries, *count, &capacity);

        if (!entry)
            break;
        entry_take(&query, entry);
        ++*count;
    }
    return query_end(&query, "read the ledger", err);
}

enum status entry_open_charges(struct store *store, const char *decision_id,
                               struct arena *arena, struct charge **charges, int *count,
                               struct err *err)
{
    struct query query = query_start(store, SQL_ENTRY_CHARGES);
    int capacity = 0;

    *charges = NULL;
    *count = 0;
    put_string(&query, decision_id);
    while (query_row(&query)) {
        struct charge *charge = QUERY_PUSH(&query, arena, charges, *count, &capacity);

        if (!charge)
            break;
        take_string(&query, charge->budget_id, sizeof charge->budget_id);
        charge->amount = take_int(&query);
        charge->unfunded = take_int(&query);
        charge->since_us = take_int(&query);
        ++*count;
    }
    return query_end(&query, "read what a decision has open", err);
}
