/* number.h - decimal texts to doubles, correctly rounded, by the grammar of JSON. Pure
 * functions. */
#ifndef REDRESS_BASE_NUMBER_H
#define REDRESS_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

enum { NUMBER_DIGITS_EXACT = 19 }; /* as many always fit into 64 bits */

/* A number as written, cut into its parts. Its value is digits x 10^exponent when
 * digit_count <= NUMBER_DIGITS_EXACT, else the text has to be read again. */
struct number {
    const char *start, *end; /* all of it */
    const char *first_digit; /* the first that is not zero, or end */
    uint64_t digits;         /* as an integer; meaningless when there are more than
                                NUMBER_DIGITS_EXACT */
    int64_t digit_count;     /* from the first that is not zero */
    int64_t exponent;        /* of the last digit */
    bool is_negative, is_integer;
};

enum number_fault { NUMBER_GOOD, NUMBER_LEADING_ZERO, NUMBER_NO_DIGIT };

/* Cut the text; on a fault, number->end is where it is. */
enum number_fault number_read(const char *at, const char *end, struct number *number);

/* False when it overflows. Numbers too small for a double are 0. */
bool number_double(const struct number *number, double *value);

/* Both at once: all of the text is a number. False when it is not, or overflows. */
bool number_parse(const char *at, const char *end, double *value);

#endif
