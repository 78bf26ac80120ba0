/* field.c - numbers in tables, correctly rounded. */
#include "table/field.h"

#include "base/number.h"

#include <math.h>
#include <stdlib.h>

enum { NUMBER_BYTES_MAX = 400 };

bool field_is_missing(struct text field)
{
    static const char *const words[] = {"", "nan", "NaN", "NA", "N/A", "n/a", "null"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_is(field, words[i]))
            return true;
    return false;
}

/* Any decimal number, infinite if it is too large: strtod also knows hexadecimal, words
 * and leading space. */
static bool parse_decimal(struct text field, double *number)
{
    char copy[NUMBER_BYTES_MAX];
    char *end;

    if (field.bytes == 0 || field.bytes >= sizeof copy)
        return false;
    for (size_t i = 0; i < field.bytes; i++) {
        char c = field.at[i];

        if (!((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == 'e' ||
              c == 'E'))
            return false;
    }
    memcpy(copy, field.at, field.bytes);
    copy[field.bytes] = 0;
    *number = strtod(copy, &end);
    return *end == 0;
}

/* What JSON does not take as it is: +1, .5, 007. */
static bool parse_odd_number(struct text field, double *number)
{
    return parse_decimal(field, number) && isfinite(*number);
}

struct text field_trim(struct text field)
{
    while (field.bytes && (*field.at == ' ' || *field.at == '\t')) {
        field.at++;
        field.bytes--;
    }
    while (field.bytes &&
           (field.at[field.bytes - 1] == ' ' || field.at[field.bytes - 1] == '\t'))
        field.bytes--;
    return field;
}

static bool is_infinite(struct text field, double *number)
{
    bool is_negative = field.bytes && field.at[0] == '-';

    if (field.bytes && (is_negative || field.at[0] == '+')) {
        field.at++;
        field.bytes--;
    }
    *number = is_negative ? -INFINITY : INFINITY;
    return text_is(field, "inf") || text_is(field, "Inf") || text_is(field, "Infinity");
}

bool field_number(struct text *field, double *number)
{
    /* Nearly all are as JSON has them. */
    if (number_parse(field->at, field->at + field->bytes, number))
        return true;
    *field = field_trim(*field);
    if (number_parse(field->at, field->at + field->bytes, number) ||
        parse_odd_number(*field, number) || is_infinite(*field, number))
        return true;
    *number = NAN;
    /* Among texts None may be one of several answers. */
    return field_is_missing(*field) || text_is(*field, "None");
}

bool field_is_too_large(struct text field)
{
    double number;

    return parse_decimal(field_trim(field), &number) && isinf(number);
}
