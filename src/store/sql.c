/* sql.c - arguments in, rows out, and SQLite's failures as statuses. */
#include "store/sql.h"

#include "store/pack.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static enum status status_of(int code)
{
    if (code == SQLITE_IOERR_NOMEM)
        return STATUS_EXHAUSTED;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
    case SQLITE_FULL:
        return STATUS_EXHAUSTED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STATUS_UNAVAILABLE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STATUS_CORRUPT;
    case SQLITE_TOOBIG:
        return STATUS_TOO_LARGE;
    case SQLITE_CONSTRAINT:
        return STATUS_INVALID;
    default:
        return STATUS_IO;
    }
}

/* What is wrong with the file or its disk, rather than with what was asked. */
static void note_trouble(struct store *store, int code)
{
    int kind = code & 0xff;

    if (store->mode == STORE_WRITER && code != SQLITE_IOERR_NOMEM &&
        (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_IOERR ||
         kind == SQLITE_FULL || kind == SQLITE_READONLY || kind == SQLITE_CANTOPEN))
        store->trouble = kind;
}

static bool is_disk_full(int code, int system)
{
    int kind = code & 0xff;

    return kind == SQLITE_FULL ||
           (system == ENOSPC && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN));
}

enum status sql_fail(struct store *store, int code, const char *what, struct err *err)
{
    const char *why = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code);
    int system = store->db ? sqlite3_system_errno(store->db) : 0;

    store->failure_count++;
    /* The message belongs to the last call on the connection, which may be another
     * one. */
    if (!store->db || sqlite3_extended_errcode(store->db) != code)
        why = sqlite3_errstr(code);
    if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
        store->has_failed = true;
    if (is_disk_full(code, system))
        return err_set(err, status_of(code),
                       "cannot %s: the disk is full: make room, and delete nothing in "
                       "the data folder",
                       what);
    if ((code & 0xff) == SQLITE_IOERR && system)
        return err_set(err, status_of(code), "cannot %s: %s (%s)", what, why,
                       strerror(system));
    return err_set(err, status_of(code), "cannot %s: %s", what, why);
}

enum status sql_run(struct store *store, const char *text, const char *what,
                    struct err *err)
{
    int code = sqlite3_exec(store->db, text, NULL, NULL, NULL);

    return code == SQLITE_OK ? STATUS_OK : sql_fail(store, code, what, err);
}

enum status sql_int(struct store *store, const char *text, int64_t *value,
                    struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, text, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? STATUS_OK : sql_fail(store, code, text, err);
}

struct query query_start(struct store *store, enum sql sql)
{
    return (struct query){
        .store = store,
        .statement = store->statements[sql],
        .place = 1,
        .code = store->statements[sql] ? SQLITE_OK : SQLITE_READONLY,
    };
}

struct query query_write(struct store *store, enum sql sql)
{
    struct query query = query_start(store, sql);

    query.is_write = true;
    /* SQLite ends the transaction by itself when a disk is full or memory runs out. What
     * came after would commit on its own. */
    if (!store->is_writing || sqlite3_get_autocommit(store->db))
        query.code = SQLITE_ABORT_ROLLBACK;
    return query;
}

/* --- arguments ------------------------------------------------------------------------------ */

static void put(struct query *query, int code)
{
    if (code != SQLITE_OK && query->code == SQLITE_OK)
        query->code = code;
}

void put_int(struct query *query, int64_t value)
{
    if (query->is_write)
        query->digest = digest_int(query->digest, value);
    if (query->code == SQLITE_OK)
        put(query, sqlite3_bind_int64(query->statement, query->place++, value));
}

static void put_null(struct query *query)
{
    if (query->is_write)
        query->digest = digest_null(query->digest);
    if (query->code == SQLITE_OK)
        put(query, sqlite3_bind_null(query->statement, query->place++));
}

void put_int_or_null(struct query *query, int64_t value)
{
    if (value)
        put_int(query, value);
    else
        put_null(query);
}

void put_double(struct query *query, double value)
{
    if (query->is_write)
        query->digest = digest_double(query->digest, value);
    if (query->code == SQLITE_OK)
        put(query, sqlite3_bind_double(query->statement, query->place++, value));
}

void put_text(struct query *query, struct text text)
{
    if (query->is_write)
        query->digest = digest_bytes(query->digest, SQLITE_TEXT, text.at, text.bytes);
    if (query->code == SQLITE_OK)
        put(query,
            sqlite3_bind_text64(query->statement, query->place++, text.at ? text.at : "",
                                text.bytes, SQLITE_STATIC, SQLITE_UTF8));
}

void put_text_or_null(struct query *query, struct text text)
{
    if (text.bytes)
        put_text(query, text);
    else
        put_null(query);
}

void put_string(struct query *query, const char *string)
{
    if (string)
        put_text(query, text_of(string));
    else
        put_null(query);
}

void put_string_or_null(struct query *query, const char *string)
{
    put_text_or_null(query, text_of(string));
}

void put_bytes(struct query *query, const void *bytes, size_t count)
{
    if (query->is_write)
        query->digest = digest_bytes(query->digest, SQLITE_BLOB, bytes, count);
    if (query->code == SQLITE_OK)
        put(query, sqlite3_bind_blob64(query->statement, query->place++,
                                       count ? bytes : "", count, SQLITE_STATIC));
}

/* NULL without memory. */
static char *packing_room(struct store *store, size_t bytes)
{
    char *grown;

    if (bytes <= store->packing_bytes)
        return store->packing;
    grown = realloc(store->packing, bytes);
    if (!grown)
        return NULL;
    store->packing = grown;
    store->packing_bytes = bytes;
    return grown;
}

void put_packed(struct query *query, struct text text)
{
    char *room = packing_room(query->store, pack_room(text.bytes));

    if (room)
        put_text(query, pack(text, room));
    else
        put(query, SQLITE_NOMEM);
}

void put_digest(struct query *query)
{
    put_int(query, (int64_t)query->digest);
}

/* --- running -------------------------------------------------------------------------------- */

bool query_row(struct query *query)
{
    if (query->code != SQLITE_OK && query->code != SQLITE_ROW)
        return false;
    query->code = sqlite3_step(query->statement);
    if (query->code != SQLITE_ROW && query->code != SQLITE_DONE)
        note_trouble(query->store, query->code);
    query->place = 0;
    return query->code == SQLITE_ROW;
}

enum status query_end(struct query *query, const char *what, struct err *err)
{
    enum status rc = STATUS_OK;

    if (query->is_arena_full)
        rc = err_set(err, STATUS_EXHAUSTED, "cannot %s: %s", what, ARENA_EXHAUSTED);
    else if (query->code == SQLITE_ABORT_ROLLBACK)
        rc = err_set(err, STATUS_IO, "cannot %s: the transaction has ended", what);
    else if (query->code != SQLITE_OK && query->code != SQLITE_ROW &&
             query->code != SQLITE_DONE)
        rc = sql_fail(query->store, query->code, what, err);
    if (query->statement)
        sqlite3_reset(query->statement);
    return rc;
}

enum status query_run(struct query *query, const char *what, struct err *err)
{
    query_row(query);
    return query_end(query, what, err);
}

bool query_is_duplicate(const struct query *query)
{
    return query->code == SQLITE_CONSTRAINT_UNIQUE ||
           query->code == SQLITE_CONSTRAINT_PRIMARYKEY;
}

/* --- columns -------------------------------------------------------------------------------- */

int64_t take_int(struct query *query)
{
    return query->code == SQLITE_ROW
               ? sqlite3_column_int64(query->statement, query->place++)
               : 0;
}

double take_double(struct query *query)
{
    return query->code == SQLITE_ROW
               ? sqlite3_column_double(query->statement, query->place++)
               : 0;
}

int take_enum(struct query *query, int count)
{
    int64_t value = take_int(query);

    if (value >= 0 && value < count)
        return (int)value;
    query->code = SQLITE_CORRUPT;
    return 0;
}

/* The column as it lies in SQLite's memory, valid until the next step. */
static struct text borrow(struct query *query)
{
    struct text text = {0};

    if (query->code != SQLITE_ROW)
        return text;
    text.at = sqlite3_column_blob(query->statement, query->place);
    text.bytes = (size_t)sqlite3_column_bytes(query->statement, query->place++);
    if (!text.at && text.bytes)
        query->code = SQLITE_NOMEM;
    return query->code == SQLITE_ROW ? text : (struct text){0};
}

struct text take_text(struct query *query, struct arena *arena)
{
    struct text text = borrow(query);

    if (query->code != SQLITE_ROW)
        return text;
    text.at = arena_copy(arena, text);
    if (text.at)
        return text;
    query->is_arena_full = true;
    query->code = SQLITE_NOMEM;
    return (struct text){0};
}

struct text take_packed(struct query *query, struct arena *arena)
{
    struct text packed = borrow(query);
    size_t bytes = 0;
    char *text;

    if (query->code == SQLITE_ROW && !unpacked_bytes(packed, &bytes))
        query->code = SQLITE_CORRUPT;
    if (query->code != SQLITE_ROW)
        return (struct text){0};
    text = arena_room(arena, bytes + 1);
    if (!text) {
        query->is_arena_full = true;
        query->code = SQLITE_NOMEM;
        return (struct text){0};
    }
    unpack(packed, text);
    text[bytes] = 0;
    return (struct text){text, bytes};
}

void take_string(struct query *query, char *buffer, size_t buffer_bytes)
{
    struct text text = borrow(query);

    if (query->code == SQLITE_ROW && !text_copy(text, buffer, buffer_bytes))
        query->code = SQLITE_CORRUPT;
}

void take_bytes(struct query *query, unsigned char *bytes, size_t count)
{
    struct text text = borrow(query);

    memset(bytes, 0, count);
    if (query->code != SQLITE_ROW || text.bytes == 0)
        return;
    if (text.bytes == count)
        memcpy(bytes, text.at, count);
    else
        query->code = SQLITE_CORRUPT;
}

void take_intact(struct query *query)
{
    if (query->code == SQLITE_ROW && !take_int(query))
        query->code = SQLITE_CORRUPT;
}

void *query_push(struct query *query, struct arena *arena, void *items, int count,
                 int *capacity, size_t item_bytes)
{
    int wanted = *capacity ? *capacity * 2 : 8;
    char *current, *grown;

    if (query->code != SQLITE_ROW)
        return NULL;
    memcpy(&current, items, sizeof current);
    if (count < *capacity)
        return current + (size_t)count * item_bytes;
    grown =
        *capacity <= INT_MAX / 4 ? arena_alloc(arena, (size_t)wanted, item_bytes) : NULL;
    if (!grown) {
        query->is_arena_full = true;
        query->code = SQLITE_NOMEM;
        return NULL;
    }
    if (count)
        memcpy(grown, current, (size_t)count * item_bytes);
    memcpy(items, &grown, sizeof grown);
    *capacity = wanted;
    return grown + (size_t)count * item_bytes;
}
