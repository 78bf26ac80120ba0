/* sql.h - how the store speaks to SQLite: one statement run from its arguments to its
 * status.
 *
 *     struct query query = query_start(store, SQL_BUDGET_FIND);
 *
 *     put_string(&query, id);
 *     if (query_row(&query))
 *         budget_take(&query, budget);
 *     return query_end(&query, "read the budget", err);
 *
 * Failures stick: after the first one, puts and takes do nothing and rows end. Arguments
 * are borrowed until query_end. */
#ifndef REDRESS_STORE_SQL_H
#define REDRESS_STORE_SQL_H

#include "base/text.h"
#include "store/statements.h"
#include "store/store.h"

#include <sqlite3.h>

enum sql {
#define SQL_NAME(name, role, text) SQL_##name,
    STORE_STATEMENTS(SQL_NAME)
#undef SQL_NAME
        SQL_COUNT
};

enum { HASH_BYTES = 32 };

/* The newest row of a chain, kept in memory between appends. */
struct chain {
    int64_t seq;
    unsigned char hash[HASH_BYTES];
    bool is_known;   /* read since the last rollback */
    bool is_changed; /* in this transaction */
};

/* Of the last three only the end is kept: their rows have digests, and no hash. */
enum chain_name {
    CHAIN_ENTRIES,
    CHAIN_AUDIT,
    CHAIN_ANSWERS,
    CHAIN_DECISIONS,
    CHAIN_OUTCOMES,
    CHAIN_COUNT
};

struct store {
    sqlite3 *db;
    enum store_mode mode;
    bool is_writing; /* between store_begin and its end */
    bool has_failed; /* a sync failed: only opening again mends that */
    int trouble;     /* why writing failed, a code of SQLite; 0 once it works again */
    bool has_answer; /* recorded in this transaction */
    int64_t failure_count; /* of statements */
    int64_t began_at;      /* store_change_count when the transaction began */
    unsigned data_version; /* of the file when the chains were last known */
    struct chain chains[CHAIN_COUNT];
    sqlite3_stmt *statements[SQL_COUNT];
    char *packing; /* room for what put_packed makes */
    size_t packing_bytes;
    char path[]; /* ended by NUL */
};

/* The last failure of the connection as a status and "cannot WHAT: why". code is an
 * extended result code of SQLite. */
enum status sql_fail(struct store *store, int code, const char *what, struct err *err);

/* Run SQL without arguments; rows are ignored. */
enum status sql_run(struct store *store, const char *text, const char *what,
                    struct err *err);

/* The first column of the first row of SQL without arguments. */
enum status sql_int(struct store *store, const char *text, int64_t *value,
                    struct err *err);

struct query {
    struct store *store;
    sqlite3_stmt *statement;
    int place;       /* of the next argument or column */
    int code;        /* sticky; SQLITE_OK, SQLITE_ROW or SQLITE_DONE while all is well */
    uint64_t digest; /* of the arguments so far, when it writes */
    bool is_write;
    bool is_arena_full;
};

struct query query_start(struct store *store, enum sql sql);

/* The same for a write: fails outside a transaction, also when an earlier failure ended
 * it. */
struct query query_write(struct store *store, enum sql sql);

void put_int(struct query *query, int64_t value);
void put_int_or_null(struct query *query, int64_t value); /* 0: NULL */
void put_double(struct query *query, double value);
void put_text(struct query *query, struct text text);
void put_text_or_null(struct query *query, struct text text); /* empty: NULL */
void put_string(struct query *query, const char *string);     /* NULL pointer: NULL */
void put_string_or_null(struct query *query, const char *string);
void put_bytes(struct query *query, const void *bytes, size_t count);
void put_packed(struct query *query,
                struct text text);    /* by pack.h; one in a statement */
void put_digest(struct query *query); /* of all arguments before; for a write */

/* Step; true when there is a row, whose columns are then taken in order. */
bool query_row(struct query *query);

/* End it, rows or none, and say how it went. */
enum status query_end(struct query *query, const char *what, struct err *err);

/* Step a statement without rows, and end it. */
enum status query_run(struct query *query, const char *what, struct err *err);

/* Whether it failed on a UNIQUE index, before query_end. */
bool query_is_duplicate(const struct query *query);

/* NULL is 0. Anything that cannot be what was written makes the query CORRUPT. */
int64_t take_int(struct query *query);
double take_double(struct query *query);
int take_enum(struct query *query, int count); /* 0 .. count - 1 */
struct text take_text(struct query *query, struct arena *arena);
struct text take_packed(struct query *query, struct arena *arena); /* unpacked */
void take_string(struct query *query, char *buffer, size_t buffer_bytes);
void take_bytes(struct query *query, unsigned char *bytes,
                size_t count); /* NULL: zeros */

/* Whether the row's digest is that of its columns, by the column that compares them. */
void take_intact(struct query *query);

/* Room for one more item in a list of the arena's that grows; *items, a pointer, may
 * move. NULL when the arena is full, which ends the query. */
void *query_push(struct query *query, struct arena *arena, void *items, int count,
                 int *capacity, size_t item_bytes);
#define QUERY_PUSH(query, arena, items, count, capacity)                                 \
    ((typeof(*(items)))query_push((query), (arena), (items), (count), (capacity),        \
                                  sizeof **(items)))

/* The schema of a file, 0 for a new one. INVALID when it is newer than ours, or another
 * program's. */
enum status schema_version(struct store *store, int64_t *version, struct err *err);

/* Refuse a file whose schema is not ours. */
enum status schema_check(struct store *store, struct err *err);

/* Bring the schema of a new or older file up to date. */
enum status schema_migrate(struct store *store, bool *was_created, struct err *err);

/* Note what the schema is, with its migration; whether it is still that. */
enum status schema_note(struct store *store, struct err *err);
enum status schema_is_intact(struct store *store, bool *is_intact, struct err *err);

/* Digests of rows (digest.c): each column added to that of the ones before, which begins
 * with 0. bytes are of type SQLITE_TEXT or SQLITE_BLOB. */
uint64_t digest_int(uint64_t digest, int64_t value);
uint64_t digest_double(uint64_t digest, double value);
uint64_t digest_null(uint64_t digest);
uint64_t digest_bytes(uint64_t digest, int type, const void *bytes, size_t count);

/* Let the connection know row_digest, the same over its arguments. */
enum status digest_provide(struct store *store, struct err *err);

/* And what migrations need besides (digest_1.c): row_digest_1, the digest up to schema 4,
 * and unless_changed(table, row, is_whole, value), which is value or CORRUPT. */
enum status digest_1_provide(struct store *store, struct err *err);

/* Chains (chain.c). */
struct entry;
struct audit_event;
void entry_hash(const unsigned char prev_hash[static HASH_BYTES],
                const struct entry *entry, unsigned char hash[static HASH_BYTES]);
void audit_hash(const unsigned char prev_hash[static HASH_BYTES],
                const struct audit_event *event, unsigned char hash[static HASH_BYTES]);

/* The chain with its newest row; CORRUPT when that is not the row that was written
 * last. */
enum status chain_head(struct store *store, enum chain_name name, struct chain **chain,
                       struct err *err);
void chain_advance(struct chain *chain, const unsigned char hash[static HASH_BYTES]);

/* The row just inserted into a table without hashes is its newest; returns its number. */
int64_t chain_end_at(struct store *store, enum chain_name name);

/* Write the heads that changed; before the commit. */
enum status chains_save(struct store *store, struct err *err);
void chains_forget(struct store *store);
const char *chain_text(enum chain_name name);

#endif
