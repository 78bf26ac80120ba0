/* write.h - a JSON writer into a fixed buffer that never writes half of what it claims.
 *
 * Commas and quoting are its business, nesting order the caller's. When the buffer is
 * full it stops; json_writer_text() then says so. One thread at a time. */
#ifndef REDRESS_JSON_WRITE_H
#define REDRESS_JSON_WRITE_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct json_writer {
    char *buffer; /* borrowed */
    size_t capacity, bytes;
    bool needs_comma, is_full;
};

void json_writer_init(struct json_writer *writer, char *buffer, size_t capacity);

/* Private: room for so many bytes, or NULL from the first time that there is none. */
static inline char *json_reserve(struct json_writer *writer, size_t bytes)
{
    if (writer->is_full || writer->capacity - writer->bytes < bytes) {
        writer->is_full = true;
        return NULL;
    }
    writer->bytes += bytes;
    return writer->buffer + writer->bytes - bytes;
}

void json_put_object(struct json_writer *writer);
void json_put_object_end(struct json_writer *writer);
void json_put_array(struct json_writer *writer);
void json_put_array_end(struct json_writer *writer);

/* The key is a literal of the program: it needs no escaping, and its length is known to
 * the compiler. */
static inline __attribute__((always_inline)) void json_put_key(struct json_writer *writer,
                                                               const char *key)
{
    size_t key_bytes = __builtin_strlen(key), comma = writer->needs_comma;
    char *room = json_reserve(writer, comma + key_bytes + 3);

    writer->needs_comma = false;
    if (!room)
        return;
    *room = ','; /* overwritten by the quote when there is none */
    room += comma;
    *room++ = '"';
    memcpy(room, key, key_bytes);
    memcpy(room + key_bytes, "\":", 2);
}
void json_put_key_text(struct json_writer *writer, struct text key);

void json_put_int(struct json_writer *writer, int64_t value);
void json_put_bool(struct json_writer *writer, bool value);
void json_put_null(struct json_writer *writer);
void json_put_text(struct json_writer *writer, struct text value);
void json_put_string(struct json_writer *writer, const char *value); /* NULL: null */
void json_put_time(struct json_writer *writer, int64_t us);

/* Rounded to so many decimals (0 to 9), trailing zeros dropped; values too large for
 * that, and 17 significant digits, through json_put_double. NaN and infinities become
 * null. */
void json_put_decimal(struct json_writer *writer, double value, int decimals);
void json_put_double(struct json_writer *writer, double value);

/* JSON that is already written. */
void json_put_raw(struct json_writer *writer, struct text value);

/* What was written; EXHAUSTED when it did not fit. */
enum status json_writer_text(const struct json_writer *writer, struct text *text,
                             struct err *err);

/* Shorthands for members. */
static inline void json_member_int(struct json_writer *w, const char *key, int64_t value)
{
    json_put_key(w, key);
    json_put_int(w, value);
}

static inline void json_member_string(struct json_writer *w, const char *key,
                                      const char *value)
{
    json_put_key(w, key);
    json_put_string(w, value);
}

static inline void json_member_text(struct json_writer *w, const char *key,
                                    struct text value)
{
    json_put_key(w, key);
    json_put_text(w, value);
}

static inline void json_member_bool(struct json_writer *w, const char *key, bool value)
{
    json_put_key(w, key);
    json_put_bool(w, value);
}

static inline void json_member_decimal(struct json_writer *w, const char *key,
                                       double value, int decimals)
{
    json_put_key(w, key);
    json_put_decimal(w, value, decimals);
}

static inline void json_member_time(struct json_writer *w, const char *key, int64_t us)
{
    json_put_key(w, key);
    json_put_time(w, us);
}

#endif
