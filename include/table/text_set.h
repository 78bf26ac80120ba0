/* text_set.h - different texts, each with an index in the order in which they came.
 *
 * For ids and names of files that nobody vouches for: the hash is keyed by chance, and
 * what may be kept is limited. Any bytes are a text. One thread at a time. */
#ifndef REDRESS_TABLE_TEXT_SET_H
#define REDRESS_TABLE_TEXT_SET_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct text_set; /* opaque */

/* For at most count_max texts of bytes_max bytes together. Holds the bytes of the texts
 * and 8 of each, and for finding them another 10 to 20 of each. */
enum status text_set_open(int32_t count_max, int64_t bytes_max, struct text_set **set,
                          struct err *err);
void text_set_close(struct text_set *set); /* NULL is fine */

int32_t text_set_count(const struct text_set *set);

/* Borrowed until the next text_set_add. */
struct text text_set_text(const struct text_set *set, int32_t index);

/* -1 when it is not there. Not after text_set_seal. */
int32_t text_set_find(const struct text_set *set, struct text text);

/* The text will be looked for soon: begin to fetch what that takes. */
void text_set_expect(const struct text_set *set, struct text text);

/* The index of the text; *is_new when it was not there before. TOO_LARGE when it would be
 * one too many, EXHAUSTED without memory. Not after text_set_seal. */
enum status text_set_add(struct text_set *set, struct text text, int32_t *index,
                         bool *is_new, struct err *err);

/* All texts are there: free what finds them. */
void text_set_seal(struct text_set *set);

#endif
