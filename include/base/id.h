/* id.h - names of things: a prefix and a time-ordered ULID, e.g. "dec_01JD3M...". */
#ifndef REDRESS_BASE_ID_H
#define REDRESS_BASE_ID_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum { ULID_DIGITS = 26, ID_BYTES = 32 };

/* Write prefix + ULID of now_us. Ids made by one process rise strictly, even within a
 * millisecond or when the clock steps back. Any thread. prefix has at most 5 characters,
 * e.g. "dec_". */
void id_make(const char *prefix, int64_t now_us, char id[static ID_BYTES]);

/* Below every id with this prefix that was made at now_us or later, above all made in
 * earlier milliseconds: prefix + the first digits of a ULID. */
void id_floor(const char *prefix, int64_t now_us, char id[static ID_BYTES]);

/* Whether it has the form prefix + 26 digits of Crockford's base 32. */
bool id_is(struct text text, const char *prefix);

#endif
