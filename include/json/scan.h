/* scan.h - a strict JSON reader (RFC 8259) that pulls values out of a text, in one pass.
 *
 * No allocation but what the caller's arena gives; no recursion; depth is limited. After
 * the first failure every call fails, so a reader checks once at the end. Stricter than
 * the RFC: valid UTF-8 only, no lone surrogates, one value in the text, numbers finite.
 *
 *     struct json_level object;
 *     struct text key;
 *
 *     json_scan_init(&scan, bytes, count, 16, err);
 *     json_enter_object(&scan, &object);
 *     while (json_member(&scan, &object, &key))
 *         if (text_is(key, "amount"))
 *             json_int(&scan, &amount);
 *         else
 *             json_skip(&scan);
 *     return json_scan_end(&scan);
 *
 * No name here is one of jansson's, so that a program may use both. */
#ifndef REDRESS_JSON_SCAN_H
#define REDRESS_JSON_SCAN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 64, JSON_KEY_BYTES_MAX = 256 };

enum json_kind {
    JSON_KIND_NONE, /* the scan has failed or is at its end */
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_NUMBER,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};

struct json_scan {
    const char *start, *at, *end;
    int depth, depth_max;
    enum status status; /* sticky */
    const char *fault;  /* when that is INVALID: the code of the fault it is */
    struct err *err;
    bool is_plain; /* the key or string read last: printable ASCII, nothing escaped */
    char key[JSON_KEY_BYTES_MAX]; /* the current key, when it had escapes */
};

/* An open object or array. */
struct json_level {
    bool has_items;
};

void json_scan_init(struct json_scan *scan, const char *text, size_t bytes, int depth_max,
                    struct err *err);

/* What comes next; does not move. */
enum json_kind json_peek(struct json_scan *scan);

/* Enter an object; then json_member per member: false at its end, and on failure. After
 * each true, exactly one value must be read. The key is valid until the next call of
 * json_member. */
void json_enter_object(struct json_scan *scan, struct json_level *level);
bool json_member(struct json_scan *scan, struct json_level *level, struct text *key);

/* Enter an array; then json_item per item, in the same manner. */
void json_enter_array(struct json_scan *scan, struct json_level *level);
bool json_item(struct json_scan *scan, struct json_level *level);

/* Within an array, in place of json_item: take the items that come next as far as they
 * are plain, and say how many; json_item goes on where they end, and refuses what is
 * wrong. Plain integers have at most nine digits; the other reads past numbers of any
 * kind below 1e200. */
size_t json_plain_ints(struct json_scan *scan, struct json_level *level, int32_t *values,
                       size_t count_max);
size_t json_skip_plain(struct json_scan *scan, struct json_level *level,
                       size_t count_max);

/* Integers as written, without a detour through floating point: -0 is 0; 1.0, 1e3 and
 * anything beyond 64 bits are refused. */
bool json_int(struct json_scan *scan, int64_t *value);

/* Any number, correctly rounded; one that overflows is refused. */
bool json_double(struct json_scan *scan, double *value);

/* Any number as it is written, for who reads it exactly; its size does not matter.
 * Borrowed from the input. */
bool json_number(struct json_scan *scan, struct text *written);

bool json_bool(struct json_scan *scan, bool *value);
bool json_take_null(struct json_scan *scan);

/* Unescaped: a borrowed piece of the input when nothing was escaped, else a copy in the
 * arena. */
bool json_text(struct json_scan *scan, struct arena *arena, struct text *value);

/* Read past one value of any kind, checking it. json_raw also says where it stands in the
 * input. */
bool json_skip(struct json_scan *scan);
bool json_raw(struct json_scan *scan, struct text *value);

/* Nothing but white space may follow. Returns the sticky status. */
enum status json_scan_end(struct json_scan *scan);

/* Fail from outside with a message; the byte offset is added. Returns false. */
bool json_refuse(struct json_scan *scan, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Bytes read so far. */
static inline size_t json_offset(const struct json_scan *scan)
{
    return (size_t)(scan->at - scan->start);
}

#endif
