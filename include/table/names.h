/* names.h - different texts, each with an index in the order in which they came.
 *
 * For ids and names of files that nobody vouches for: the hash is keyed by chance, and what may be
 * kept is limited. Any bytes are a text. One thread at a time. */
#ifndef REDRESS_TABLE_NAMES_H
#define REDRESS_TABLE_NAMES_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct names; /* opaque */

/* For at most count_max texts of bytes_max bytes together. Holds the bytes of the texts and 8 of
 * each, and for finding them another 16 to 32 of each. */
enum status names_open(int32_t count_max, int64_t bytes_max, struct names **names,
                       struct err *err);
void names_close(struct names *names); /* NULL is fine */

int32_t names_count(const struct names *names);

/* Borrowed until the next names_add. */
struct text names_text(const struct names *names, int32_t index);

/* -1 when it is not there. Not after names_seal. */
int32_t names_find(const struct names *names, struct text text);

/* The index of the text; *is_new when it was not there before. TOO_LARGE when it would be one too
 * many, EXHAUSTED without memory. Not after names_seal. */
enum status names_add(struct names *names, struct text text, int32_t *index, bool *is_new,
                      struct err *err);

/* All texts are there: free what finds them. */
void names_seal(struct names *names);

#endif
