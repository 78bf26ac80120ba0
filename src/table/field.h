/* field.h - one field of a table as a number. */
#ifndef REDRESS_TABLE_FIELD_H
#define REDRESS_TABLE_FIELD_H

#include "base/text.h"

/* A decimal, an infinity or a word for what is missing, by the rules of csv_number;
 * spaces around it are taken off *field. False when it is none of these. */
bool field_number(struct text *field, double *number);

/* The quick way for the shortest numbers, of which tables are full: one digit. */
static inline bool field_digit(struct text field, double *number)
{
    if (field.bytes != 1 || field.at[0] < '0' || field.at[0] > '9')
        return false;
    *number = field.at[0] - '0';
    return true;
}

/* The same without spaces and tabs around it. */
struct text field_trim(struct text field);

/* Whether a trimmed field is empty or one of the words for what is missing. */
bool field_is_missing(struct text field);

/* Whether it is a decimal that is too large for a double: 1e400. */
bool field_is_too_large(struct text field);

#endif
