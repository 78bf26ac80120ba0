/* scalar.h - numbers and words out of borrowed text, strictly. */
#ifndef REDRESS_MODEL_SCALAR_H
#define REDRESS_MODEL_SCALAR_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* All of the text is one decimal integer within 64 bits; no plus sign, no space. */
bool text_int(struct text text, int64_t *value);

/* All of the text is one finite decimal number, correctly rounded; no hexadecimal. */
bool text_double(struct text text, double *value);

/* Take the next word, words being separated by single or more spaces. False at the end. */
bool text_word(struct text *rest, struct text *word);

/* The first bytes, as many as fit into a message, up to the first control byte. */
struct text scalar_shown(struct text text);

#endif
