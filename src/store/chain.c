/* chain.c - hash chains: each row's hash covers the row and the hash before it. */
#include "store/audit.h"
#include "base/sha256.h"
#include "store/ledger.h"
#include "store/sql.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static_assert(HASH_BYTES == crypto_hash_sha256_BYTES);

/* A piece with its length before it, so that no two rows have the same bytes. */
static void hash_piece(crypto_hash_sha256_state *state, struct text piece)
{
    char length[24];
    int n = snprintf(length, sizeof length, "|%zu:", piece.bytes);

    crypto_hash_sha256_update(state, (unsigned char *)length, (unsigned long long)n);
    crypto_hash_sha256_update(state, (const unsigned char *)piece.at, piece.bytes);
}

/* Decimal, with a separator before it; returns the end. */
static char *write_int(char *at, int64_t value)
{
    *at++ = '|';
    return at + int_format(value, at);
}

static char *write_string(char *at, const char *string, size_t bytes_max)
{
    size_t bytes = strnlen(string, bytes_max);

    *at++ = '|';
    memcpy(at, string, bytes);
    return at + bytes;
}

void entry_hash(const unsigned char prev_hash[static HASH_BYTES],
                const struct entry *entry, unsigned char hash[static HASH_BYTES])
{
    char row[HASH_BYTES + ID_BYTES + BUDGET_ID_BYTES + REASON_TEXT_BYTES + 16 + 5 * 22];
    char *at = row + HASH_BYTES - 1;

    at = write_int(at, entry->seq);
    at = write_string(at, entry->decision_id, ID_BYTES);
    at = write_string(at, entry->budget_id, BUDGET_ID_BYTES);
    at = write_string(at, entry_kind_name(entry->kind), 16);
    at = write_int(at, entry->amount);
    at = write_int(at, entry->balance_after);
    at = write_int(at, entry->created_at_us);
    at = write_string(at, entry->note, REASON_TEXT_BYTES);
    /* The hash before takes the place of the separator before the first column. */
    memcpy(row, prev_hash, HASH_BYTES);
    sha256_of((struct text){row, (size_t)(at - row)}, hash);
}

void audit_hash(const unsigned char prev_hash[static HASH_BYTES],
                const struct audit_event *event, unsigned char hash[static HASH_BYTES])
{
    crypto_hash_sha256_state state;
    char row[64];
    int n = snprintf(row, sizeof row, "%" PRId64 "|%" PRId64, event->seq,
                     event->created_at_us);

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, prev_hash, HASH_BYTES);
    crypto_hash_sha256_update(&state, (unsigned char *)row, (unsigned long long)n);
    hash_piece(&state, text_of(event->actor));
    hash_piece(&state, text_of(event->action));
    hash_piece(&state, text_of(event->subject));
    hash_piece(&state, event->detail);
    crypto_hash_sha256_final(&state, hash);
}

const char *chain_text(enum chain_name name)
{
    static const char *const texts[CHAIN_COUNT] = {
        [CHAIN_ENTRIES] = "entries",   [CHAIN_AUDIT] = "audit",
        [CHAIN_ANSWERS] = "answers",   [CHAIN_DECISIONS] = "decisions",
        [CHAIN_OUTCOMES] = "outcomes",
    };

    return texts[name];
}

static enum status chain_read(struct store *store, enum sql sql, const char *name,
                              struct chain *chain, struct err *err)
{
    struct query query = query_start(store, sql);

    if (name)
        put_string(&query, name);
    if (query_row(&query)) {
        chain->seq = take_int(&query);
        take_bytes(&query, chain->hash, HASH_BYTES);
    }
    return query_end(&query, "read the end of a chain", err);
}

enum status chain_head(struct store *store, enum chain_name name, struct chain **chain,
                       struct err *err)
{
    struct chain found = {0}, saved = {0};
    enum status rc = STATUS_OK;

    *chain = &store->chains[name];
    if ((*chain)->is_known)
        return STATUS_OK;
    rc = chain_read(store, name == CHAIN_ENTRIES ? SQL_ENTRY_HEAD : SQL_AUDIT_HEAD, NULL,
                    &found, err);
    if (!rc)
        rc = chain_read(store, SQL_CHAIN_FIND, chain_text(name), &saved, err);
    if (!rc &&
        (found.seq != saved.seq || memcmp(found.hash, saved.hash, HASH_BYTES) != 0))
        rc = err_set(err, STATUS_CORRUPT,
                     "the newest row of '%s' is %lld, but row %lld was written last",
                     chain_text(name), (long long)found.seq, (long long)saved.seq);
    if (!rc) {
        **chain = found;
        (*chain)->is_known = true;
    }
    return rc;
}

void chain_advance(struct chain *chain, const unsigned char hash[static HASH_BYTES])
{
    chain->seq++;
    memcpy(chain->hash, hash, HASH_BYTES);
    chain->is_changed = true;
}

int64_t chain_end_at(struct store *store, enum chain_name name)
{
    struct chain *chain = &store->chains[name];

    chain->seq = sqlite3_last_insert_rowid(store->db);
    chain->is_changed = true;
    return chain->seq;
}

enum status chains_save(struct store *store, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; !rc && i < CHAIN_COUNT; i++) {
        struct chain *chain = &store->chains[i];
        struct query query;

        if (!chain->is_changed)
            continue;
        query = query_write(store, SQL_CHAIN_SET);
        put_string(&query, chain_text(i));
        put_int(&query, chain->seq);
        put_bytes(&query, chain->hash, HASH_BYTES);
        rc = query_run(&query, "write the end of a chain", err);
        chain->is_changed = rc;
    }
    return rc;
}

void chains_forget(struct store *store)
{
    for (int i = 0; i < CHAIN_COUNT; i++)
        store->chains[i].is_known = store->chains[i].is_changed = false;
}
