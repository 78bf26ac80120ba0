/* scalar.h - numbers and words out of borrowed text, strictly. */
#ifndef REDRESS_MODEL_SCALAR_H
#define REDRESS_MODEL_SCALAR_H

#include "json/scan.h"

enum { SCALAR_BYTES_MAX = 64 }; /* of a real number; 17 digits and an exponent have 24 */

/* All of the text is one decimal integer within 64 bits; no plus sign, no space. */
bool text_int(struct text text, int64_t *value);

/* All of the text is one finite number as JSON has them, of SCALAR_BYTES_MAX at most,
 * correctly rounded. */
bool text_double(struct text text, double *value);

/* json_double, refusing what is longer. */
bool scalar_double(struct json_scan *scan, double *value);

/* Take the next word, words being separated by single or more spaces. False at the
 * end. */
bool text_word(struct text *rest, struct text *word);

/* The first bytes, as many as fit into a message, up to the first control byte. */
struct text scalar_shown(struct text text);

#endif
