/* digest.c - row_digest(a, b, ...), a function of SQL: 64 bits that are other ones when a
 * column is.
 *
 * Each row that is not in a hash chain carries the digest of its columns, so that what a
 * disk has changed is found when the row is read. Multiply and fold, 16 bytes a step,
 * under constants that everybody knows: good against damage, no hindrance to people.
 * Every column goes in with its type and its length. */
#include "store/sql.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

/* The first bits of the fraction of pi. */
static const uint64_t salts[] = {0x243f6a8885a308d3, 0x13198a2e03707345};

/* Both halves of the product, so that every bit of either factor tells. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* What was there before is added, too: it is not lost when a factor happens to be 0. */
static uint64_t mix(uint64_t digest, uint64_t first, uint64_t second)
{
    return fold(first ^ digest ^ salts[0], second ^ salts[1]) +
           (digest << 31 | digest >> 33);
}

static uint64_t word_at(const unsigned char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return le64toh(word);
}

/* A type, and 64 bits: the number itself, or the length of what follows. */
static uint64_t add_word(uint64_t digest, int type, uint64_t word)
{
    return mix(digest, (uint64_t)type, word);
}

/* The last piece is filled up with zeros, which the length tells from zeros of its
 * own. */
static uint64_t add_bytes(uint64_t digest, const unsigned char *bytes, size_t count)
{
    unsigned char rest[16] = {0};

    for (; count >= sizeof rest; bytes += sizeof rest, count -= sizeof rest)
        digest = mix(digest, word_at(bytes), word_at(bytes + 8));
    if (count == 0)
        return digest;
    memcpy(rest, bytes, count);
    return mix(digest, word_at(rest), word_at(rest + 8));
}

uint64_t digest_int(uint64_t digest, int64_t value)
{
    return add_word(digest, SQLITE_INTEGER, (uint64_t)value);
}

uint64_t digest_null(uint64_t digest)
{
    return add_word(digest, SQLITE_NULL, 0);
}

uint64_t digest_bytes(uint64_t digest, int type, const void *bytes, size_t count)
{
    return add_bytes(add_word(digest, type, count), bytes, count);
}

/* SQLite keeps no sign of zero. */
uint64_t digest_double(uint64_t digest, double value)
{
    uint64_t bits;

    value = value == 0 ? 0 : value;
    memcpy(&bits, &value, sizeof bits);
    return add_word(digest, SQLITE_FLOAT, bits);
}

/* False when there is no memory to see the value. */
static bool add_value(uint64_t *digest, sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    const void *bytes;
    size_t count;

    switch (type) {
    case SQLITE_INTEGER:
        *digest = digest_int(*digest, sqlite3_value_int64(value));
        return true;
    case SQLITE_FLOAT:
        *digest = digest_double(*digest, sqlite3_value_double(value));
        return true;
    case SQLITE_NULL:
        *digest = digest_null(*digest);
        return true;
    default:
        bytes = sqlite3_value_blob(value);
        count = (size_t)sqlite3_value_bytes(value);
        if (!bytes && count)
            return false;
        *digest = digest_bytes(*digest, type, bytes, count);
        return true;
    }
}

static void row_digest(sqlite3_context *context, int count, sqlite3_value **values)
{
    uint64_t digest = 0;

    for (int i = 0; i < count; i++)
        if (!add_value(&digest, values[i])) {
            sqlite3_result_error_nomem(context);
            return;
        }
    sqlite3_result_int64(context, (int64_t)digest);
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
