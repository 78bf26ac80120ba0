/* digest_1.c - row_digest_1(a, b, ...), the digest that rows had up to schema 4, for
 * migrations only.
 *
 * It is SipHash under a key that everybody knows, of each column with its type and its
 * length. Beside it unless_changed(table, row, is_whole, value): a migration that makes
 * digests anew would otherwise take what a disk has changed for what was written. */
#include "store/sql.h"

#include <assert.h>
#include <endian.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { GATHERED_BYTES = 1024 };

struct digest {
    uint64_t sum, piece_count; /* as they lie, the key of the next piece */
    size_t bytes;
    unsigned char gathered[GATHERED_BYTES];
};

static_assert(crypto_shorthash_KEYBYTES == 2 * sizeof(uint64_t) &&
              crypto_shorthash_BYTES == sizeof(uint64_t));

static void take_piece(struct digest *digest, const unsigned char *bytes, size_t count)
{
    const uint64_t key[2] = {digest->sum, htole64(digest->piece_count++)};

    crypto_shorthash((unsigned char *)&digest->sum, bytes, count,
                     (const unsigned char *)key);
}

static void add(struct digest *digest, const void *bytes, size_t count)
{
    if (count > GATHERED_BYTES - digest->bytes) {
        take_piece(digest, digest->gathered, digest->bytes);
        digest->bytes = 0;
    }
    if (count > GATHERED_BYTES) {
        take_piece(digest, bytes, count);
    } else if (count) {
        memcpy(digest->gathered + digest->bytes, bytes, count);
        digest->bytes += count;
    }
}

/* A type, and 64 bits: the number itself, or the length of what follows. */
static void add_word(struct digest *digest, int type, uint64_t word)
{
    unsigned char bytes[1 + sizeof word] = {(unsigned char)type};

    word = htole64(word);
    memcpy(bytes + 1, &word, sizeof word);
    add(digest, bytes, sizeof bytes);
}

/* SQLite keeps no sign of zero. */
static uint64_t bits_of(double value)
{
    uint64_t bits;

    value = value == 0 ? 0 : value;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* False when there is no memory to see the value. */
static bool add_value(struct digest *digest, sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    const void *bytes;
    size_t count;

    switch (type) {
    case SQLITE_INTEGER:
        add_word(digest, type, (uint64_t)sqlite3_value_int64(value));
        return true;
    case SQLITE_FLOAT:
        add_word(digest, type, bits_of(sqlite3_value_double(value)));
        return true;
    case SQLITE_NULL:
        add_word(digest, type, 0);
        return true;
    default:
        bytes = sqlite3_value_blob(value);
        count = (size_t)sqlite3_value_bytes(value);
        if (!bytes && count)
            return false;
        add_word(digest, type, count);
        add(digest, bytes, count);
        return true;
    }
}

static void row_digest_1(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct digest digest;

    digest.sum = digest.piece_count = digest.bytes = 0;
    for (int i = 0; i < count; i++)
        if (!add_value(&digest, values[i])) {
            sqlite3_result_error_nomem(context);
            return;
        }
    take_piece(&digest, digest.gathered, digest.bytes);
    sqlite3_result_int64(context, (int64_t)le64toh(digest.sum));
}

/* The value; the statement fails, and with it the migration, when the row is not
 * whole. */
static void unless_changed(sqlite3_context *context, int count, sqlite3_value **values)
{
    char text[160];

    (void)count;
    if (sqlite3_value_int(values[2])) {
        sqlite3_result_value(context, values[3]);
        return;
    }
    snprintf(text, sizeof text,
             "row %lld of '%.32s' was changed: its digest does not match",
             (long long)sqlite3_value_int64(values[1]),
             (const char *)sqlite3_value_text(values[0]));
    sqlite3_result_error(context, text, -1);
    sqlite3_result_error_code(context, SQLITE_CORRUPT);
}

enum status digest_1_provide(struct store *store, struct err *err)
{
    enum { TRAITS = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY };
    int code = sqlite3_create_function_v2(store->db, "row_digest_1", -1, TRAITS, NULL,
                                          row_digest_1, NULL, NULL, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_create_function_v2(store->db, "unless_changed", 4, TRAITS, NULL,
                                          unless_changed, NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK
                             : sql_fail(store, code, "configure the database", err);
}
