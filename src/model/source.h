/* source.h - pulling values out of a model file that is JSON or UBJ (Universal Binary
 * JSON, draft 12, big-endian), without knowing which.
 *
 * The calls and their rules are those of json/scan.h: no recursion, at most
 * JSON_DEPTH_MAX levels, and after the first failure every call fails. Counts in the
 * bytes are compared with the bytes left; of UBJ's types, those without bytes cannot fill
 * a counted array of one type, and "no operation" and "high precision" are refused. */
#ifndef REDRESS_MODEL_SOURCE_H
#define REDRESS_MODEL_SOURCE_H

#include "json/scan.h"

struct source {
    struct json_scan scan; /* place, depth, status and err, for both encodings */
    bool is_ubj;
    char marker;    /* UBJ: type of the next value when it is known, else 0 */
    size_t skipped; /* by source_skip: bytes of JSON, values of UBJ */
};

/* An open object or array. */
struct source_level {
    struct json_level json;
    int64_t left; /* UBJ: items to come, -1: as many as there are until it is closed */
    char type;    /* UBJ: of all items, 0: each says its own */
};

/* Is this UBJ? Its objects open with '{' and the type of a length, JSON's with '{' and
 * something else. */
bool source_is_ubj(const char *bytes, size_t count);

void source_init(struct source *source, const char *bytes, size_t count, struct err *err);

enum json_kind source_peek(struct source *source);
void source_enter_object(struct source *source, struct source_level *level);
bool source_member(struct source *source, struct source_level *level, struct text *key);
void source_enter_array(struct source *source, struct source_level *level);
bool source_item(struct source *source, struct source_level *level);

bool source_int(struct source *source, int64_t *value);

/* Correctly rounded; also NaN and infinities, which XGBoost writes into JSON too. */
bool source_float(struct source *source, float *value);

bool source_bool(struct source *source, bool *value);
bool source_null(struct source *source);
bool source_text(struct source *source, struct arena *arena, struct text *value);

/* Read past one value; at most 32 MB of JSON or 16 million values of UBJ in all, since
 * reading past more would take seconds, and no trainer writes as much beside its
 * trees. */
bool source_skip(struct source *source);

/* The items of an array that come next, as far as they are plain: see json_plain_ints. */
size_t source_plain_ints(struct source *source, struct source_level *level,
                         int32_t *values, size_t count_max);
size_t source_skip_plain(struct source *source, struct source_level *level,
                         size_t count_max);

/* Read past what source_float would read; not counted. */
bool source_skip_float(struct source *source);

/* Nothing may follow. Returns the sticky status. */
enum status source_end(struct source *source);

#endif
