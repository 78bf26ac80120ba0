/* field.c - numbers in tables, correctly rounded. */
#include "table/field.h"

#include <math.h>
#include <stdlib.h>

enum { NUMBER_BYTES_MAX = 400 };

bool field_is_missing(struct text field)
{
    static const char *const words[] = {"", "nan", "NaN", "NA", "null"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_is(field, words[i]))
            return true;
    return false;
}

/* Up to 15 digits and a power of ten that is exact make one correctly rounded operation
 * (Clinger, 1990). False: left to strtod. */
static bool parse_short(struct text field, double *number)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool is_negative = field.bytes && field.at[0] == '-';
    uint64_t digits = 0;
    size_t digit_count = 0, decimals = 0;
    bool has_point = false;

    for (size_t i = is_negative; i < field.bytes; i++) {
        unsigned digit = (unsigned)(field.at[i] - '0');

        if (field.at[i] == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (digit > 9)
            return false;
        digits = digits * 10 + digit;
        digit_count++;
        decimals += has_point;
        if (digit_count > 15)
            return false;
    }
    if (digit_count == 0)
        return false;
    *number = (double)digits / powers[decimals];
    if (is_negative)
        *number = -*number;
    return true;
}

/* Finite decimal numbers only: strtod also knows hexadecimal, words and leading space. */
static bool parse_number(struct text field, double *number)
{
    char copy[NUMBER_BYTES_MAX];
    char *end;

    if (parse_short(field, number))
        return true;
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
    return *end == 0 && isfinite(*number);
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
    *field = field_trim(*field);
    if (parse_number(*field, number) || is_infinite(*field, number))
        return true;
    *number = NAN;
    return field_is_missing(*field);
}
