/* digest.c - row_digest(a, b, ...), a function of SQL: 64 bits that are other ones when a column is.
 *
 * Each row that is not in a hash chain carries the digest of its columns, so that what a disk has
 * changed is found when the row is read. It is SipHash under a key that everybody knows: good
 * against damage, no hindrance to people. Every column goes in with its type and its length. */
#include "store/sql.h"

#include <assert.h>
#include <endian.h>
#include <sodium.h>
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

static void row_digest(sqlite3_context *context, int count, sqlite3_value **values)
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

enum status digest_provide(struct store *store, struct err *err)
{
    int code;

    if (sodium_init() < 0)
        return err_set(err, STATUS_UNAVAILABLE, "libsodium cannot start");
    code =
        sqlite3_create_function_v2(store->db, "row_digest", -1,
                                   SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
                                   NULL, row_digest, NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK
                             : sql_fail(store, code, "configure the database", err);
}
